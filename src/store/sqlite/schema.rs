//! What makes a SQLite file a store: its mark, its format, its tables.

use super::StoreError;
use super::fault::Fault;
use rusqlite::{Connection, OptionalExtension};
use std::path::Path;

/// The mark in the file's header, `esct`: `file` and SQLite show it, other programs leave it alone.
pub(super) const APPLICATION: i32 = 0x6573_6374;
/// The format of the tables, kept in `user_version`. Each store says which formats a program must know at least to read
/// it and to write to it, so that an older program can tell.
pub(super) const FORMAT: i32 = 5;

/// The oldest formats that a program must know to read a store of today's, and to write to it. Who knows nothing of snapshots
/// can do both: it leaves them as they are, and they are of events that never change. Who knows nothing of processes can do
/// both as well: it only appends events, and a process finds them after its checkpoint when somebody looks who knows it.
const READER: &str = "2";
const WRITER: &str = "3";

/// Each store keeps these texts, and `verify` compares them: to change one, a comment in it too, is to change the format.
pub(super) const TABLES: &str = concat!(
    include_str!("schema.sql"),
    "\n",
    include_str!("schema-3.sql"),
    "\n",
    include_str!("schema-4.sql"),
    "\n",
    include_str!("schema-5.sql"),
);

/// What brings a store of each format, from 1 on, to the next.
const STEPS: [&str; FORMAT as usize - 1] = [
    // Format 1 did not say who may read and write it.
    "INSERT INTO es_store (key, value) VALUES ('reader', '2'), ('writer', '2')",
    // Format 2 knew of no events that a read model could not apply. Who does not know of `es_ahead` must not go on with
    // what is being built.
    concat!(
        "DROP TRIGGER es_store_update;\n",
        "UPDATE es_store SET value = '3' WHERE key = 'writer';\n",
        "CREATE TRIGGER es_store_update BEFORE UPDATE ON es_store\n",
        "BEGIN SELECT RAISE(ABORT, 'what a store is never changes'); END;\n",
        include_str!("schema-3.sql"),
    ),
    // Format 3 knew of no snapshots.
    include_str!("schema-4.sql"),
    // Format 4 knew of no processes.
    include_str!("schema-5.sql"),
];

/// What a file that SQLite could open turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing yet.
    Empty,
    /// A store to read and to write to.
    Store,
    /// A store of this earlier format: to read as it is, and to be brought to today's before it is written to.
    Older(i32),
    /// A store of this later format, which a program that knows today's may read.
    Newer(i32),
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
        (APPLICATION, older) if (1..FORMAT).contains(&older) => Ok(Found::Older(older)),
        (APPLICATION, newer) if newer > FORMAT => match (demand(connection, "writer"), demand(connection, "reader")) {
            (Some(writer), _) if writer <= FORMAT => Ok(Found::Store),
            (_, Some(reader)) if reader <= FORMAT => Ok(Found::Newer(newer)),
            _ => refused(format!(
                "was written by a newer esctl: its format is {newer}, this esctl knows {FORMAT}; use a newer one"
            )),
        },
        (APPLICATION, other) => refused(format!("has the format {other}, which no esctl ever wrote")),
        (0, 0) if objects == 0 => Ok(Found::Empty),
        _ => refused("is a SQLite file of another program, not an esctl store".to_owned()),
    }
}

/// The oldest format that a program must know; `None` where the store does not say it in a way that is known today.
fn demand(connection: &Connection, what: &str) -> Option<i32> {
    let said = connection.query_row("SELECT value FROM es_store WHERE key = ?1", [what], |row| row.get::<_, String>(0));
    said.ok()?.parse().ok().filter(|format| *format > 0)
}

/// Whether it has the tables that came with format 3.
pub(super) fn knows_failures(connection: &Connection) -> Result<bool, Fault> {
    Ok(format(connection)? >= 3)
}

/// Whether it has the tables that came with format 4.
pub(super) fn knows_snapshots(connection: &Connection) -> Result<bool, Fault> {
    Ok(format(connection)? >= 4)
}

/// Whether it has the tables that came with format 5.
pub(super) fn knows_processes(connection: &Connection) -> Result<bool, Fault> {
    Ok(format(connection)? >= 5)
}

fn format(connection: &Connection) -> Result<i32, Fault> {
    Ok(connection.prepare_cached("PRAGMA user_version")?.query_row([], |row| row.get(0))?)
}

/// Makes the whole store in one transaction, unless another process did so meanwhile. Only within the write turn.
pub(super) fn create(connection: &Connection, path: &Path, id: &str) -> Result<(), Fault> {
    let turn = rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
    if look(&turn, path)? == Found::Empty {
        turn.execute_batch(TABLES)?;
        let insert = "INSERT INTO es_store (key, value) VALUES ('id', ?1), ('reader', ?2), ('writer', ?3)";
        turn.execute(insert, [id, READER, WRITER])?;
        turn.pragma_update(None, "application_id", APPLICATION)?;
        turn.pragma_update(None, "user_version", FORMAT)?;
    }
    turn.commit().map_err(Fault::Commit)
}

/// Brings a store of an earlier format to today's in one transaction. Only within the write turn.
pub(super) fn migrate(connection: &Connection, path: &Path) -> Result<(), Fault> {
    let turn = rusqlite::Transaction::new_unchecked(connection, rusqlite::TransactionBehavior::Immediate)?;
    if let Found::Older(format) = look(&turn, path)? {
        for step in STEPS.iter().skip(usize::try_from(format).unwrap_or(0).saturating_sub(1)) {
            turn.execute_batch(step)?;
        }
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
