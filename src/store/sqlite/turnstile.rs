//! The write turn between processes: one has it, the others stand in a queue that the kernel keeps.
//!
//! SQLite too lets one connection write at a time, but who finds it taken sleeps, asks again, and sleeps longer: with
//! many writers the turn goes to whoever happens to ask at the right moment, and some wait for very long. So an
//! exclusive lock on a file beside the store, `esctl.db-turn`, comes first. Its waiters sleep until it is theirs, in the
//! order in which they came, and nobody has to clean up after a killed process: the kernel releases what it held.
//!
//! The file is empty and stays: to remove it would let two processes lock two files of the same name. Even then nothing
//! is lost but the order, since SQLite's own lock remains behind this one.

use super::StoreError;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

/// The end of the name of the file that is locked.
const TURN: &str = "-turn";

/// A connection's way to the turn.
#[derive(Debug)]
pub(super) struct Turnstile {
    /// The file of the store.
    store: PathBuf,
    /// How long to stand in the queue.
    patience: Duration,
    /// Nobody else knows of the store: there is nothing to wait for.
    alone: bool,
    /// The file beside it, opened when it is first needed: who only reads makes none.
    file: OnceLock<File>,
    place: Mutex<Place>,
    /// Somebody has come to the head of the queue.
    called: Condvar,
}

/// Our place in the queue. The kernel offers no way to stand in it for a limited time, so a thread stands there for us.
/// If we go away meanwhile it keeps the place, for when we come back, and lets go of the turn if we do not.
#[derive(Debug, Default)]
struct Place {
    /// A thread stands in the queue.
    queued: bool,
    /// We wait for it.
    wanted: bool,
    /// What it brought us.
    brought: Option<io::Result<()>>,
}

/// Whoever has this may write. Dropping it lets the next one in.
#[derive(Debug)]
pub(super) struct Entered(Arc<Turnstile>);

impl Drop for Entered {
    fn drop(&mut self) {
        // Closing the file would do as well: there is nothing to report.
        let _ = self.0.file.get().map(File::unlock);
    }
}

impl Turnstile {
    /// The one of a store. Nothing is touched yet.
    pub(super) fn new(store: &Path, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            store: store.to_owned(),
            patience,
            alone: false,
            file: OnceLock::new(),
            place: Mutex::default(),
            called: Condvar::new(),
        })
    }

    /// The one of a store that nobody else knows of.
    pub(super) fn open() -> Arc<Self> {
        Arc::new(Self {
            store: PathBuf::new(),
            patience: Duration::ZERO,
            alone: true,
            file: OnceLock::new(),
            place: Mutex::default(),
            called: Condvar::new(),
        })
    }

    /// Whether nobody else knows of the store.
    pub(super) fn is_open(&self) -> bool {
        self.alone
    }

    /// Whether anybody ever took the turn.
    pub(super) fn is_there(&self) -> bool {
        beside(&self.store, TURN).exists()
    }

    /// Waits for the turn; [`StoreError::Busy`] when patience ends.
    pub(super) fn enter(self: &Arc<Self>) -> Result<Entered, StoreError> {
        if self.alone {
            return Ok(Entered(Arc::clone(self)));
        }
        match self.wait(self.file()?) {
            Ok(true) => Ok(Entered(Arc::clone(self))),
            Ok(false) => Err(self.busy()),
            // A file system without such locks: SQLite's own is what there is.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Entered(Arc::clone(self))),
            Err(error) => Err(StoreError::Unavailable(format!(
                "`{}` cannot be locked: {}",
                beside(&self.store, TURN).display(),
                error.kind()
            ))),
        }
    }

    /// Enters where nobody else has. Only for who has been in before.
    pub(super) fn enter_again_if_free(self: &Arc<Self>) -> Option<Entered> {
        let file = self.file.get()?;
        let place = self.place();
        (!place.queued && file.try_lock().is_ok()).then(|| Entered(Arc::clone(self)))
    }

    fn busy(&self) -> StoreError {
        let held = match self.patience {
            Duration::ZERO => "holds the write turn".to_owned(),
            patience => format!("has held the write turn for {} s", patience.as_secs_f64()),
        };
        StoreError::Busy(format!("`{}` is busy: another process {held}", self.store.display()))
    }

    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the turn is ours.
    fn wait(self: &Arc<Self>, file: &File) -> io::Result<bool> {
        let mut place = self.place();
        if !place.queued {
            match file.try_lock() {
                Ok(()) => return Ok(true),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        if self.patience.is_zero() {
            return Ok(false);
        }
        if !place.queued {
            let stand_in = Arc::clone(self);
            thread::Builder::new().name("turn".into()).spawn(move || stand_in.queue())?;
            place.queued = true;
        }
        place.wanted = true;
        // This keeps the time itself, by a clock that does not jump.
        let waited = self.called.wait_timeout_while(place, self.patience, |place| place.brought.is_none());
        let (mut place, _) = waited.unwrap_or_else(PoisonError::into_inner);
        place.wanted = false;
        place.brought.take().map_or(Ok(false), |outcome| outcome.map(|()| true))
    }

    /// Stands in the queue, and hands over the turn or lets go of it.
    fn queue(&self) {
        let Some(file) = self.file.get() else { return };
        let outcome = loop {
            match file.lock() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        let mut place = self.place();
        place.queued = false;
        if place.wanted {
            place.brought = Some(outcome);
            self.called.notify_one();
        } else {
            let _ = file.unlock();
        }
    }

    fn file(&self) -> Result<&File, StoreError> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        // By whatever name the store is opened, there is one queue. SQLite names its own files after the same path.
        let path = beside(&fs::canonicalize(&self.store).unwrap_or_else(|_| self.store.clone()), TURN);
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = opened.or_else(|error| match error.kind() {
            // Another user's file, perhaps: reading is enough to lock it.
            io::ErrorKind::PermissionDenied => File::open(&path).map_err(|_| error),
            _ => Err(error),
        });
        let file = file.map_err(|error| {
            StoreError::Unavailable(format!(
                "`{}` cannot be written to: `{}` cannot be made beside it: {}",
                self.store.display(),
                beside(&self.store, TURN).display(),
                error.kind()
            ))
        })?;
        Ok(self.file.get_or_init(|| file))
    }
}

/// A file beside the store, whose name is the store's with something at its end.
pub(super) fn beside(store: &Path, end: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(end);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turnstile(folder: &Path, patience: Duration) -> Arc<Turnstile> {
        Turnstile::new(&folder.join("esctl.db"), patience)
    }

    #[test]
    fn one_is_in_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let (one, two) = (turnstile(folder.path(), Duration::ZERO), turnstile(folder.path(), Duration::ZERO));
        let entered = one.enter().unwrap();
        let Err(StoreError::Busy(words)) = two.enter() else { panic!("two at once") };
        assert_eq!(
            words,
            format!("`{}` is busy: another process holds the write turn", folder.path().join("esctl.db").display())
        );
        assert!(two.enter_again_if_free().is_none());
        drop(entered);
        drop(two.enter().unwrap());
        drop(two.enter_again_if_free().unwrap());
        drop(one.enter().unwrap());
    }

    /// The stand-in of somebody who went away lets go of the turn when it comes; it keeps the place until then.
    #[test]
    fn who_goes_away_leaves_no_lock_behind() {
        let folder = tempfile::tempdir().unwrap();
        let patient = turnstile(folder.path(), Duration::from_mins(10));
        let hasty = turnstile(folder.path(), Duration::from_millis(1));
        for _ in 0..50 {
            let entered = patient.enter().unwrap();
            for _ in 0..3 {
                let Err(StoreError::Busy(words)) = hasty.enter() else { panic!("two at once") };
                assert!(words.ends_with("has held the write turn for 0.001 s"), "{words}");
            }
            assert!(hasty.place().queued);
            drop(entered);
            drop(patient.enter().unwrap());
        }
    }

    #[test]
    fn who_waits_gets_it_when_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let one = turnstile(folder.path(), Duration::from_mins(10));
        let two = turnstile(folder.path(), Duration::from_mins(10));
        for _ in 0..100 {
            let entered = one.enter().unwrap();
            let waiting = thread::spawn({
                let two = Arc::clone(&two);
                move || drop(two.enter().unwrap())
            });
            drop(entered);
            waiting.join().unwrap();
        }
    }
}
