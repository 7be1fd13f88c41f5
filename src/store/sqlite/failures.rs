//! Events that a read model could not apply: where it stopped, and what it went on past.

use super::fault::Fault;
use super::{sql, unsql};
use crate::event::Position;
use crate::json;
use crate::store::Failure;
use rusqlite::{Connection, Row};

/// The columns that [`failure`] reads.
const FIELDS: &str = "position, key, error, place";

fn failure(row: &Row<'_>) -> Result<Failure, Fault> {
    let key: Option<String> = row.get(1)?;
    let key = match key.map(|text| json::parse(&text)) {
        None => None,
        Some(Ok(key)) => Some(key),
        Some(Err(error)) => {
            return Fault::contradiction(format!("the key of a row in `es_failures` is no JSON: {error}"));
        }
    };
    Ok(Failure { position: Position(unsql(row.get(0)?)?), key, error: row.get(2)?, place: row.get(3)? })
}

/// What a generation stopped at.
pub(super) fn stopped(connection: &Connection, generation: u64) -> Result<Option<Failure>, Fault> {
    let select = format!("SELECT {FIELDS} FROM es_failures WHERE generation = ?1 AND state = 'stopped'");
    let mut statement = connection.prepare_cached(&select)?;
    let mut rows = statement.query([sql(generation)])?;
    rows.next()?.map(failure).transpose()
}

/// What it went on past.
pub(super) fn parked(
    connection: &Connection,
    generation: u64,
    after: Position,
    limit: usize,
) -> Result<Vec<Failure>, Fault> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {FIELDS} FROM es_failures WHERE generation = ?1 AND state = 'parked' AND position > ?2 \
         ORDER BY position LIMIT ?3"
    ))?;
    statement.query_and_then([sql(generation), sql(after.0), sql(limit as u64)], failure)?.collect()
}

/// How many that is.
pub(super) fn count(connection: &Connection, generation: u64) -> Result<u64, Fault> {
    let count = "SELECT count(*) FROM es_failures WHERE generation = ?1 AND state = 'parked'";
    unsql(connection.prepare_cached(count)?.query_row([sql(generation)], |row| row.get(0))?)
}

/// Notes where a generation stopped. Only in a turn, as all that follows.
pub(super) fn stop(connection: &Connection, generation: u64, failure: &Failure) -> Result<(), Fault> {
    forget(connection, generation, Position(u64::MAX))?;
    put(connection, generation, "stopped", failure)
}

/// Notes what it goes on past.
pub(super) fn park(connection: &Connection, generation: u64, parked: &[Failure]) -> Result<(), Fault> {
    parked.iter().try_for_each(|failure| put(connection, generation, "parked", failure))
}

/// It has got beyond where it stopped.
pub(super) fn forget(connection: &Connection, generation: u64, to: Position) -> Result<(), Fault> {
    let delete = "DELETE FROM es_failures WHERE generation = ?1 AND position <= ?2 AND state = 'stopped'";
    connection.prepare_cached(delete)?.execute([sql(generation), sql(to.0)])?;
    Ok(())
}

/// The generation is removed: some of what is known of it; whether that was all.
pub(super) fn clear(connection: &Connection, generation: i64, limit: i64) -> Result<bool, Fault> {
    let delete = "DELETE FROM es_failures WHERE generation = ?1 AND position IN \
                  (SELECT position FROM es_failures WHERE generation = ?1 ORDER BY position LIMIT ?2)";
    Ok(connection.prepare_cached(delete)?.execute([generation, limit])? == 0)
}

fn put(connection: &Connection, generation: u64, state: &str, failure: &Failure) -> Result<(), Fault> {
    let key = failure.key.as_ref().map(ToString::to_string);
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO es_failures (generation, position, state, key, error, place) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((sql(generation), sql(failure.position.0), state, key, &failure.error, &failure.place))?;
    Ok(())
}
