//! A file that is there as a whole or not at all.

use super::failure::{Failure, Kind};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// A new file in the making: under a name of its own beside the final one, which it gets when it is complete.
/// Dropped before, it is removed.
#[derive(Debug)]
pub struct NewFile {
    path: PathBuf,
    /// Whether it may take the place of a file of its name.
    over: bool,
    part: PathBuf,
}

impl NewFile {
    /// Makes it, empty. A file of the final name is never overwritten.
    pub fn begin(path: &Path) -> Result<(Self, File), Failure> {
        if fs::symlink_metadata(path).is_ok() {
            return Err(exists(path));
        }
        Self::part_of(path, false)
    }

    /// The same for a store. SQLite would take what an earlier one of that name left beside it for a part of this one.
    pub fn begin_store(path: &Path) -> Result<(Self, File), Failure> {
        let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
        let mut left = ["-wal", "-journal"].into_iter().map(|ending| beside(path, ending));
        match left.find(|left| is_there(left)) {
            Some(left) if !is_there(path) => {
                let words = format!("`{}` is what another store has left, and is no part of a new one", left.display());
                Err(Failure::usage(words).hint("name another file, or move away what is left"))
            }
            _ => Self::begin(path),
        }
    }

    /// Makes it, empty. It will take the place of a file of the final name; anything but a file stays.
    pub fn over(path: &Path) -> Result<(Self, File), Failure> {
        if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
            return Err(Failure::usage(format!("`{}` is there and is no file", path.display())));
        }
        Self::part_of(path, true)
    }

    fn part_of(path: &Path, over: bool) -> Result<(Self, File), Failure> {
        if path.file_name().is_none() {
            return Err(Failure::usage(format!("`{}` is no name of a file", path.display())));
        }
        // The number of the process keeps two of them apart that make the same file.
        let part = beside(path, &format!(".{}.part", std::process::id()));
        match OpenOptions::new().write(true).create_new(true).open(&part) {
            Ok(file) => Ok((Self { path: path.to_owned(), over, part }, file)),
            Err(error) => Err(cannot(path, &error)),
        }
    }

    /// The name it has meanwhile.
    pub fn part(&self) -> &Path {
        &self.part
    }

    /// It is complete: flushes it, gives it its final name and flushes that.
    pub fn finish(self) -> Result<(), Failure> {
        let named = OpenOptions::new().write(true).open(&self.part).and_then(|file| file.sync_all());
        named.and_then(|()| self.name()).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => exists(&self.path),
            _ => cannot(&self.path, &error),
        })
    }

    fn name(&self) -> io::Result<()> {
        // A second name is refused where there is a file already, which renaming would replace.
        match fs::hard_link(&self.part, &self.path) {
            Ok(()) => fs::remove_file(&self.part)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && !self.over => return Err(error),
            // Not every file system has second names.
            Err(_) if !self.over && fs::symlink_metadata(&self.path).is_ok() => {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            Err(_) => fs::rename(&self.part, &self.path)?,
        }
        if cfg!(unix) {
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // After it got its name nothing of this is there any more.
        for ending in ["", "-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(beside(&self.part, ending));
        }
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn exists(path: &Path) -> Failure {
    Failure::usage(format!("`{}` exists already", path.display())).hint("name another file: none is overwritten")
}

fn cannot(path: &Path, error: &io::Error) -> Failure {
    let shown = path.display();
    match path.parent() {
        Some(folder) if error.kind() == io::ErrorKind::NotFound => {
            Failure::usage(format!("`{shown}` cannot be made: there is no folder `{}`", folder.display()))
        }
        _ => Failure::new(Kind::Unavailable, format!("`{shown}` cannot be made: {}", error.kind())),
    }
}
