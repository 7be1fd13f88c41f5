//! A write turn that is a transaction of its own.

use super::fault::Fault;
use super::open;
use super::turnstile::{Entered, Turnstile};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::ops::Deref;
use std::sync::Arc;

/// A connection, and the way to the turn in which it may write.
pub(super) struct Writer<'a> {
    pub(super) connection: &'a Connection,
    pub(super) turnstile: &'a Arc<Turnstile>,
}

/// A transaction in a turn of its own. Dropped, it is rolled back, and then the next process is let in.
pub(super) struct Writing<'a> {
    transaction: Transaction<'a>,
    entered: Entered,
    connection: &'a Connection,
}

impl<'a> Writer<'a> {
    /// Waits for the turn and begins.
    pub(super) fn begin(&self) -> Result<Writing<'a>, Fault> {
        let entered = self.turnstile.enter()?;
        let transaction = Transaction::new_unchecked(self.connection, TransactionBehavior::Immediate)?;
        Ok(Writing { transaction, entered, connection: self.connection })
    }
}

impl Writing<'_> {
    pub(super) fn commit(self) -> Result<(), Fault> {
        self.transaction.commit().map_err(Fault::Commit)?;
        drop(self.entered);
        // Rows are many pages. Who writes them copies them into the file before so many have come together that SQLite
        // does, which it does within the turn: nobody is to wait for that.
        // Only space is at stake, since what was committed is in the log.
        let pages = |row: &rusqlite::Row<'_>| Ok(row.get::<_, i64>(1)? - row.get::<_, i64>(2)?);
        if let Ok(open::LOG_PAGES_OF_ROWS..) = self.connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], pages) {
            let _ = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        }
        Ok(())
    }
}

impl Deref for Writing<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.transaction
    }
}
