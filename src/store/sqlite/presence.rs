//! Who has the store open: each keeps a shared lock on its write-ahead log, `esctl.db-wal`, for as long as it has.
//!
//! Whoever finds a log and nobody there comes after an unclean end, and looks into the log before SQLite does. While
//! others are there SQLite goes by the index that they share, and a look into a log of some MiB at every start would cost
//! more than what is to be done. SQLite itself puts no lock on the log, so that closing it here releases none of SQLite's.

use super::log::{self, Committed, Tail};
use super::turnstile::{Turnstile, beside};
use super::{Notice, StoreError};
use std::fs::{self, File, TryLockError};
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// How long to wait before looking again whether somebody has finished reading the log.
const PAUSE: Duration = Duration::from_millis(2);
/// So much of the index says what was committed: its head, twice.
const INDEX_HEAD: u64 = 96;

/// One who has the store open.
#[derive(Debug)]
pub(super) struct Presence {
    /// The log as it is called in words: after the name by which the store was opened.
    shown: PathBuf,
    log: PathBuf,
    index: PathBuf,
    /// The log with our lock on it; the lock ends with the file.
    present: Option<File>,
}

impl Presence {
    /// Comes in, before SQLite opens the store. [`StoreError::Damaged`] where SQLite would drop acknowledged commits.
    pub(super) fn enter(store: &Path, turnstile: &Arc<Turnstile>) -> Result<(Self, Option<Notice>), StoreError> {
        // SQLite names its own files after the same path.
        let real = fs::canonicalize(store).unwrap_or_else(|_| store.to_owned());
        let (shown, log, index) = (beside(store, "-wal"), beside(&real, "-wal"), beside(&real, "-shm"));
        let mut presence = Self { shown, log, index, present: None };
        let notice = presence.look(turnstile)?;
        Ok((presence, notice))
    }

    /// For a store that nobody else knows of.
    pub(super) fn unseen() -> Self {
        Self { shown: PathBuf::new(), log: PathBuf::new(), index: PathBuf::new(), present: None }
    }

    /// Is seen by others, now that SQLite has opened the store and made a log where there was none.
    pub(super) fn stay(&mut self) {
        if self.present.is_none() && cfg!(unix) {
            self.present = File::open(&self.log).ok().filter(|log| log.lock_shared().is_ok());
        }
    }

    fn look(&mut self, turnstile: &Arc<Turnstile>) -> Result<Option<Notice>, StoreError> {
        // What cannot be opened, SQLite will complain of.
        let Ok(file) = File::open(&self.log) else { return Ok(None) };
        if file.metadata().map_or(0, |metadata| metadata.len()) == 0 {
            return Ok(None);
        }
        // Elsewhere a lock keeps others, and so SQLite, from reading.
        if cfg!(unix) && !alone(&file).map_err(|error| self.unreadable(&error))? {
            self.present = Some(file);
            return Ok(None);
        }
        let mut found = self.scan(&file)?;
        if found.tail != Tail::Nothing {
            // Another program may be writing just now: not within our turn.
            match turnstile.enter() {
                Ok(_entered) => found = self.scan(&file)?,
                Err(StoreError::Busy(_)) => return Ok(None),
                // Where nothing can be locked nobody writes.
                Err(_) => {}
            }
        }
        self.flush(&file)?;
        if cfg!(unix) && file.lock_shared().is_ok() {
            self.present = Some(file);
        }
        match found.tail {
            Tail::Nothing => Ok(None),
            Tail::Torn(frames) => Ok(Some(Notice::Torn { log: self.shown.clone(), frames })),
            Tail::Damaged { at } => Err(StoreError::Damaged(format!(
                "`{}` is damaged: what stands at byte {at} was altered after it had been written, and SQLite would drop \
                 it with everything that follows; {} before it",
                self.shown.display(),
                match found.commits {
                    0 => "no commit is whole".to_owned(),
                    1 => "1 commit is whole".to_owned(),
                    many => format!("{many} commits are whole"),
                }
            ))),
        }
    }

    /// Whoever was killed between writing and flushing leaves commits that SQLite takes for good. What is read of them, and
    /// answered for, must not go with the next power cut; and whoever comes waits until we have looked.
    fn flush(&self, file: &File) -> Result<(), StoreError> {
        // Elsewhere only what was opened for writing can be flushed.
        match if cfg!(unix) { file.sync_data() } else { Ok(()) } {
            // Where nothing can be written, nothing was.
            Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::ReadOnlyFilesystem) => {
                let words = format!("`{}` cannot be flushed: {}", self.shown.display(), error.kind());
                Err(StoreError::Unavailable(words))
            }
            _ => Ok(()),
        }
    }

    fn scan(&self, file: &File) -> Result<log::Log, StoreError> {
        let read = || {
            let mut index = Vec::new();
            // Only where nobody is there: closing this file would release the locks that SQLite has on it.
            if let Ok(file) = File::open(&self.index) {
                file.take(INDEX_HEAD).read_to_end(&mut index)?;
            }
            io::Seek::rewind(&mut &*file)?;
            log::scan(&mut BufReader::with_capacity(1 << 16, file), Committed::read(&index))
        };
        read().map_err(|error| self.unreadable(&error))
    }

    fn unreadable(&self, error: &io::Error) -> StoreError {
        StoreError::Unavailable(format!("`{}` cannot be read: {error}", self.shown.display()))
    }
}

/// Whether nobody else is there. Then the lock is exclusive, and whoever comes waits until we have looked; otherwise it
/// is the shared one.
fn alone(log: &File) -> io::Result<bool> {
    loop {
        match log.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        match log.try_lock_shared() {
            Ok(()) => return Ok(false),
            // Somebody is reading it: what comes of that decides.
            Err(TryLockError::WouldBlock) => thread::sleep(PAUSE),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}
