//! Reads domain files: which ones, and what of them can be taken as text.

use super::failure::Failure;
use esctl::diagnostic::{self, Diagnostic, Place, Source};
use esctl::domain::check::second_opinions;
use esctl::domain::{Domains, digest};
use esctl::workbench::rules::domain_name;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The largest domain file, in bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// Domain files as they were read, with what is wrong with those that could not be.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sources {
    texts: Vec<Arc<Source>>,
    problems: Vec<Diagnostic>,
}

/// Reads the files that were named and those in the folders that were named.
pub fn read(paths: &[PathBuf]) -> Result<Sources, Failure> {
    let mut sources = Sources { texts: Vec::new(), problems: Vec::new() };
    let mut seen = BTreeSet::new();
    for path in paths {
        for file in files_of(path)? {
            // A file may be named and lie in a named folder as well.
            let identity = fs::canonicalize(&file).unwrap_or_else(|_| file.clone());
            if seen.insert(identity) {
                match read_file(&file) {
                    Ok(source) => sources.texts.push(source),
                    Err(problem) => sources.problems.push(problem),
                }
            }
        }
    }
    Ok(sources)
}

impl Sources {
    /// The files that are not as they were, those that came and those that are gone.
    pub fn changed_since(&self, before: &Self) -> Vec<String> {
        let names = |these: &Self, others: &Self| -> Vec<String> {
            let missing = these.texts.iter().filter(|text| !others.texts.contains(text));
            missing.map(|text| text.name.clone()).collect()
        };
        let all: BTreeSet<String> = names(self, before).into_iter().chain(names(before, self)).collect();
        all.into_iter().collect()
    }

    /// A text that is no file.
    pub fn of(text: Arc<Source>) -> Self {
        Self { texts: vec![text], problems: Vec::new() }
    }

    /// These and others.
    pub fn and(mut self, others: Self) -> Self {
        self.texts.extend(others.texts);
        self.problems.extend(others.problems);
        self
    }

    /// With others in place of those of the same domains. What is of no domain here is added.
    pub fn with(mut self, others: Self) -> Self {
        let replaced: BTreeSet<String> = others.texts.iter().filter_map(domain_name).collect();
        self.texts.retain(|text| domain_name(text).is_none_or(|name| !replaced.contains(&name)));
        self.and(others)
    }

    /// The digests of the texts.
    pub fn digests(&self) -> BTreeSet<Box<str>> {
        self.texts.iter().map(|text| digest::of_text(&text.text)).collect()
    }

    /// The domains, or what keeps them from being sound.
    pub fn sound(self) -> Result<Domains, Vec<Diagnostic>> {
        let (domains, mut problems) = self.load();
        problems.retain(Diagnostic::is_error);
        match domains {
            Some(domains) if problems.is_empty() => Ok(domains),
            _ => Err(problems),
        }
    }

    /// Where other YAML readers would take a file for something else.
    pub fn second_opinions(&self) -> Vec<Diagnostic> {
        second_opinions(&self.texts)
    }

    /// The domains, unless errors keep them from being sound, and everything that was found, in file order.
    pub fn load(self) -> (Option<Domains>, Vec<Diagnostic>) {
        let mut problems = self.problems;
        let sound = problems.is_empty();
        let (domains, found) = Domains::load(&self.texts);
        problems.extend(found);
        if sound {
            return (domains, problems);
        }
        diagnostic::sort(&mut problems);
        (None, problems)
    }
}

fn files_of(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let shown = path.display();
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => Failure::usage(format!("there is no domain at `{shown}`"))
            .hint("`esctl init` makes one; another place is named with `--domain`"),
        _ => Failure::usage(format!("`{shown}` cannot be read: {error}")),
    };
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if is_domain_file(&file) {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure::usage(format!("there is no domain file in `{shown}`"))
            .hint("a domain file ends in `.yaml`; `esctl init` makes one to start from"));
    }
    Ok(files)
}

/// Whether a folder's entry is a file that is not hidden and ends as YAML does.
fn is_domain_file(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let yaml = path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
    yaml && !name.starts_with('.') && fs::metadata(path).is_ok_and(|data| data.is_file())
}

fn read_file(path: &Path) -> Result<Arc<Source>, Diagnostic> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    let nowhere = |source: &Arc<Source>| Place::point(source, 0);
    let read = File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        let place = nowhere(&Source::new(&*name, ""));
        return Err(Diagnostic::error("unreadable-file", format!("`{name}` cannot be read: {error}")).at(place));
    }
    if bytes.len() as u64 > MAX_BYTES {
        let place = nowhere(&Source::new(&*name, ""));
        return Err(Diagnostic::error(
            "large-file",
            format!("`{name}` is larger than 1 MiB, the most a domain file may be"),
        )
        .at(place)
        .hint("a domain may be split into several files of one folder"));
    }
    String::from_utf8(bytes).map(|text| Source::new(&*name, text)).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.into_bytes();
        let source = Source::new(&*name, String::from_utf8_lossy(&bytes[..valid]));
        Diagnostic::error("not-utf8", format!("`{name}` is not UTF-8 text: byte {valid}, counted from 0, is not"))
            .at(Place::point(&source, valid))
            .hint("save it as UTF-8")
    })
}
