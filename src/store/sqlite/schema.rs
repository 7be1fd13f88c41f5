//! What makes a SQLite file a store: its mark, its format number, its tables.

use super::StoreError;
use super::fault::Fault;
use rusqlite::{Connection, OptionalExtension};
use std::path::Path;

/// The mark in the file's header, `esct`: `file` and SQLite show it, other programs leave it alone.
pub(super) const APPLICATION: i32 = 0x6573_6374;
/// The format of the tables, kept in `user_version`. A store of a newer one is refused.
pub(super) const FORMAT: i32 = 1;

const TABLES: &str = include_str!("schema.sql");

/// What a file that SQLite could open turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet.
    Empty,
    /// A store of a format this program knows.
    Store,
}

/// Looks without changing anything.
pub(super) fn look(connection: &Connection, path: &Path) -> Result<Found, Fault> {
    // One statement, so that all three are of the same moment.
    let (application, format, objects): (i32, i32, i64) = connection.query_row(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), \
         (SELECT count(*) FROM sqlite_schema)",
        [],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let refused = |words: String| Err(Fault::Said(StoreError::NotAStore(format!("`{}` {words}", path.display()))));
    match (application, format) {
        (APPLICATION, FORMAT) => Ok(Found::Store),
        (APPLICATION, newer) if newer > FORMAT => refused(format!(
            "was written by a newer esctl: its format is {newer}, this esctl knows {FORMAT}; use a newer one"
        )),
        (APPLICATION, other) => refused(format!("has the format {other}, which no esctl ever wrote")),
        (0, 0) if objects == 0 => Ok(Found::Empty),
        _ => refused("is a SQLite file of another program, not an esctl store".to_owned()),
    }
}

/// Makes the whole store in one transaction, unless another process did so meanwhile. Only within the write turn.
pub(super) fn create(connection: &Connection, path: &Path, id: &str) -> Result<(), Fault> {
    let turn = rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
    if look(&turn, path)? == Found::Empty {
        turn.execute_batch(TABLES)?;
        turn.execute("INSERT INTO es_store (key, value) VALUES ('id', ?1)", [id])?;
        turn.pragma_update(None, "application_id", APPLICATION)?;
        turn.pragma_update(None, "user_version", FORMAT)?;
    }
    turn.commit().map_err(Fault::Commit)
}

/// The identity the store was made with.
pub(super) fn id(connection: &Connection) -> Result<Box<str>, Fault> {
    let id: Option<String> =
        connection.query_row("SELECT value FROM es_store WHERE key = 'id'", [], |row| row.get(0)).optional()?;
    match id {
        Some(id) if !id.is_empty() => Ok(id.into()),
        _ => Fault::contradiction("it does not know its own id"),
    }
}
