//! The store in one SQLite file. `docs/store.md` describes its tables, views and settings.
//!
//! A connection is used by one thread. It keeps names in memory, and the versions of streams for as long as the store ends
//! where it left it: nothing else that the file could contradict. The end is read from the file within each turn.

mod answer;
mod append;
mod backup;
pub mod beginning;
pub mod choose;
mod failures;
mod fault;
pub mod follow;
mod guard;
mod keep;
pub mod log;
mod migration;
mod names;
mod notice;
mod open;
mod presence;
mod processes;
mod projections;
pub mod query;
mod read;
mod rows;
mod scan;
mod schema;
mod snapshots;
mod store;
mod stored;
mod sum;
mod turnstile;
mod verify;
mod words;
mod writing;

use super::{Appended, Decision, Snapshot, SnapshotInfo, StoreError, check};
use crate::event::StreamName;
use append::{Left, Turn};
use fault::Fault;
use names::Names;
use open::Opened;
use presence::Presence;
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use turnstile::Turnstile;
use writing::Writer;

pub use notice::Notice;

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// Reading and writing; where there is no store, or an empty file, one is made with this id.
    Create(Box<str>),
    /// Reading and writing what is there.
    Write,
    /// Only reading what is there.
    Read,
}

/// When what is committed is flushed to the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    /// With each commit, before it is reported.
    EachCommit,
    /// When the log is copied into the file. `AtCheckpoints` loses acknowledged commits at a power cut; it is there so
    /// that the trial of power cuts can show that it would see that.
    AtCheckpoints,
}

/// How to open a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What for.
    pub access: Access,
    /// How long to wait for another process's turn before [`StoreError::Busy`].
    pub busy: Duration,
    /// When to flush.
    pub flush: Flush,
}

impl Options {
    /// For that purpose, with the usual patience of five seconds, and safe from power cuts.
    pub fn new(access: Access) -> Self {
        Self { access, busy: Duration::from_secs(5), flush: Flush::EachCommit }
    }
}

/// A connection to a store in a file.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    options: Options,
    id: Arc<str>,
    /// `None` once it was given up.
    connection: Option<Connection>,
    names: Names,
    left: Left,
    turnstile: Arc<Turnstile>,
    notices: Vec<Notice>,
    /// Why it cannot be written to, where it was opened for reading because of that.
    only_read: Option<String>,
    /// Ends after the connection.
    _presence: Presence,
    /// The last field: what is open in it ends with the connection, and only then is another process let in.
    turn: Option<Turn>,
}

impl SqliteStore {
    /// Opens the store in that file, and makes it where [`Access::Create`] allows it.
    ///
    /// [`StoreError::Missing`] where there is none, [`StoreError::NotAStore`] where there is something else.
    pub fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        let turnstile = Turnstile::new(&path, options.busy);
        let opened = open::open(&path, &options, &turnstile).map_err(|fault| fault.say(&path, options.busy))?;
        Ok(Self::over(path, options, turnstile, opened))
    }

    /// A store of its own in a temporary file that nobody else sees and that goes with it: for what is computed aside.
    pub fn scratch() -> Result<Self, StoreError> {
        let path = PathBuf::from("a temporary file");
        let options = Options::new(Access::Create("scratch".into()));
        let opened = open::scratch(&options, "scratch").map_err(|fault| fault.say(&path, options.busy))?;
        Ok(Self::over(path, options, Turnstile::open(), opened))
    }

    /// A new store with that id in an empty file that nobody else knows of, to be filled and then given its name. It has no
    /// log beside it, and nothing is flushed to the disk: that is for who gives it its name.
    pub fn unseen(path: impl AsRef<Path>, id: &str) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        let options = Options::new(Access::Create(id.into()));
        let opened = open::unseen(&path, &options, id).map_err(|fault| fault.say(&path, options.busy))?;
        Ok(Self::over(path, options, Turnstile::open(), opened))
    }

    fn over(path: PathBuf, options: Options, turnstile: Arc<Turnstile>, opened: Opened) -> Self {
        Self {
            path,
            options,
            id: opened.id.into(),
            connection: Some(opened.connection),
            names: Names::default(),
            left: Left::default(),
            turnstile,
            notices: opened.notices,
            only_read: opened.only_read,
            _presence: opened.presence,
            turn: None,
        }
    }

    /// What opening it brought to light.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Copies the whole store, as it is at one moment, into an empty file that nobody else uses; others may write to
    /// the store meanwhile. The copy is not flushed to the disk: that is for who gives it its final name.
    pub fn back_up(&mut self, to: &Path) -> Result<(), StoreError> {
        let busy = self.options.busy;
        self.call(|connection, _| backup::copy(connection, to).map_err(|fault| backup::explain(fault, to, busy)))
    }

    /// Reads every page of the file and compares its tables with their indexes; [`StoreError::Damaged`] where
    /// something does not fit.
    pub fn check_integrity(&mut self) -> Result<(), StoreError> {
        self.call(|connection, _| backup::check(connection))
    }

    /// Calls into SQLite and puts what goes wrong into words. After an I/O error the connection is given up.
    fn call<T>(&mut self, work: impl FnOnce(&Connection, &mut Names) -> Result<T, Fault>) -> Result<T, StoreError> {
        let Some(connection) = &self.connection else {
            return Err(StoreError::Unavailable(format!(
                "`{}` was given up after an input/output error",
                self.path.display()
            )));
        };
        work(connection, &mut self.names).map_err(|fault| {
            if fault.ends_connection() {
                self.give_up();
            }
            fault.say(&self.path, self.options.busy)
        })
    }

    fn give_up(&mut self) {
        if let Some(connection) = self.connection.take() {
            // Closing would copy the log into the file, and what is in the log is in doubt.
            let _ = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        }
        self.turn = None;
        self.names = Names::default();
        self.left = Left::default();
    }

    /// The same for what begins a transaction of its own.
    fn call_alone<T>(&mut self, work: impl FnOnce(&Writer<'_>) -> Result<T, Fault>) -> Result<T, StoreError> {
        if self.turn.is_some() {
            return Err(check::in_turn());
        }
        self.may_write()?;
        let turnstile = Arc::clone(&self.turnstile);
        self.call(|connection, _| work(&Writer { connection, turnstile: &turnstile }))
    }

    /// The same for what belongs to the turn that is going on.
    fn call_in_turn<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut Names, &mut Turn) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let Some(mut turn) = self.turn.take() else {
            return Err(check::no_turn());
        };
        let outcome = self.call(|connection, names| work(connection, names, &mut turn));
        if self.connection.is_some() {
            self.turn = Some(turn);
        }
        outcome
    }

    fn may_write(&self) -> Result<(), StoreError> {
        match (&self.options.access, &self.only_read) {
            (Access::Read, Some(why)) => Err(StoreError::ReadOnly(why.clone())),
            (Access::Read, None) => {
                Err(StoreError::Misuse(format!("`{}` was opened only for reading", self.path.display())))
            }
            _ => Ok(()),
        }
    }
}

/// Who closes last copies the log into the file. That is done within the turn, if it is free: if not, somebody has the
/// file open, and it is mostly not for this one to do. Readers do not take the turn for it: while they copy, SQLite's own
/// lock keeps the others waiting.
impl Drop for SqliteStore {
    fn drop(&mut self) {
        let _entered = if self.turn.is_none() { self.turnstile.enter_again_if_free() } else { None };
        drop(self.connection.take());
    }
}

/// Runs reads that belong together on one state of the file. Taking and leaving that state costs more than a short read,
/// so this is also what makes many of them cheap.
fn together<T>(connection: &Connection, read: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
    if !connection.is_autocommit() {
        return read(connection);
    }
    let view = connection.unchecked_transaction()?;
    read(&view)
}

/// A number as SQL has it. What does not fit is beyond every number in a file.
fn sql(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// And back.
fn unsql(number: i64) -> Result<u64, Fault> {
    u64::try_from(number).or_else(|_| Fault::contradiction(format!("there is a {number} where a count should be")))
}
