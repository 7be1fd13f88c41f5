//! Snapshots: what the first events of a stream had come to, so that folding can begin there.

use super::append::Turn;
use super::fault::Fault;
use super::names::Names;
use super::{Snapshot, SnapshotInfo, read, schema, sql, unsql};
use crate::event::{Position, StreamName, Version};
use crate::store::{chain, check};
use rusqlite::{Connection, Row};

/// The latest first. CROSS JOIN keeps the order of the tables: one look into each.
const LATEST: &str = "SELECT n.version, n.hash, n.state, e.hash, e.position, e.time FROM es_snapshots n \
    CROSS JOIN es_events e ON e.stream = n.stream AND e.version = n.version \
    WHERE n.stream = ?1 AND n.fold = ?2 AND n.version <= ?3 ORDER BY n.version DESC";
const KEEP: &str =
    "INSERT OR REPLACE INTO es_snapshots (stream, fold, version, hash, state) VALUES (?1, ?2, ?3, ?4, ?5)";
/// Two statements go straight to what is to be removed, where `fold <> ?2` would go through what is not.
const FOREIGN: [&str; 2] = [
    "DELETE FROM es_snapshots WHERE stream = ?1 AND fold < ?2",
    "DELETE FROM es_snapshots WHERE stream = ?1 AND fold > ?2",
];
const LIST: &str = "SELECT n.version, f.digest, octet_length(n.state) FROM es_snapshots n \
    CROSS JOIN es_folds f ON f.id = n.fold \
    WHERE n.stream = ?1 AND (n.fold, n.version) > (?2, ?3) ORDER BY n.fold, n.version LIMIT ?4";

/// The latest one at or below a version that is as its hash says.
pub(super) fn latest(
    connection: &Connection,
    names: &mut Names,
    store: &str,
    stream: &StreamName,
    digest: &str,
    until: Version,
) -> Result<Option<Snapshot>, Fault> {
    if !schema::knows_snapshots(connection)? {
        return Ok(None);
    }
    let (Some(id), Some(fold)) = (names.stream(connection, stream)?, names.fold(connection, digest)?) else {
        return Ok(None);
    };
    let look = || -> Result<Option<Snapshot>, Fault> {
        let mut statement = connection.prepare_cached(LATEST)?;
        let mut rows = statement.query((id, fold, sql(until.0)))?;
        while let Some(row) = rows.next()? {
            if let Some(snapshot) = held(row, store, digest, stream)? {
                return Ok(Some(snapshot));
            }
        }
        Ok(None)
    };
    match look() {
        Ok(found) => Ok(found),
        // Whoever folds the events does without.
        Err(fault) => fault.damage().map(|_| None),
    }
}

/// What is in a row of [`LATEST`], if it is what was kept.
fn held(row: &Row<'_>, store: &str, digest: &str, stream: &StreamName) -> Result<Option<Snapshot>, Fault> {
    let (Ok(hash), Ok(state)) = (read::hash(row, 1), row.get_ref(2)?.as_bytes()) else { return Ok(None) };
    let version = Version(unsql(row.get(0)?)?);
    let event = read::hash(row, 3)?;
    let Ok(text) = std::str::from_utf8(state) else { return Ok(None) };
    if chain::snapshot(store, digest, stream.as_str(), version, &event, state) != hash {
        return Ok(None);
    }
    let position = Position(unsql(row.get(4)?)?);
    Ok(Some(Snapshot { version, position, time: read::time(row.get(5)?)?, state: text.into() }))
}

/// Keeps one, and removes those by other rules. Within a turn.
pub(super) fn keep(
    connection: &Connection,
    names: &mut Names,
    turn: &mut Turn,
    store: &str,
    stream: &StreamName,
    (digest, version, state): (&str, Version, &str),
) -> Result<(), Fault> {
    turn.goes_on(connection)?;
    let id = names.stream(connection, stream)?;
    let end = id.map_or(Ok(0), |id| turn.version(connection, id))?;
    check::snapshot(stream, version, Version(end))?;
    let Some(id) = id else { return Ok(()) };
    turn.broken = true;
    let fold = names.fold_or_new(connection, digest)?;
    for foreign in FOREIGN {
        connection.prepare_cached(foreign)?.execute([id, fold])?;
    }
    let event = connection
        .prepare_cached("SELECT hash FROM es_events WHERE stream = ?1 AND version = ?2")?
        .query_row((id, sql(version.0)), |row| Ok(read::hash(row, 0)))??;
    let hash = chain::snapshot(store, digest, stream.as_str(), version, &event, state.as_bytes());
    connection.prepare_cached(KEEP)?.execute((id, fold, sql(version.0), hash.0, state))?;
    turn.broken = false;
    Ok(())
}

/// Removes all of a stream. Within a turn.
pub(super) fn drop_all(
    connection: &Connection,
    names: &mut Names,
    turn: &mut Turn,
    stream: &StreamName,
) -> Result<(), Fault> {
    turn.goes_on(connection)?;
    let Some(id) = names.stream(connection, stream)? else { return Ok(()) };
    turn.broken = true;
    connection.prepare_cached("DELETE FROM es_snapshots WHERE stream = ?1")?.execute([id])?;
    turn.broken = false;
    Ok(())
}

/// Some of a stream, without their states.
pub(super) fn list(
    connection: &Connection,
    names: &mut Names,
    stream: &StreamName,
    after: Option<&SnapshotInfo>,
    limit: usize,
) -> Result<Vec<SnapshotInfo>, Fault> {
    if !schema::knows_snapshots(connection)? {
        return Ok(Vec::new());
    }
    let Some(id) = names.stream(connection, stream)? else { return Ok(Vec::new()) };
    let (fold, version) = match after {
        Some(after) => (names.fold(connection, &after.digest)?.unwrap_or(0), sql(after.version.0)),
        None => (0, 0),
    };
    let mut statement = connection.prepare_cached(LIST)?;
    let mut rows = statement.query((id, fold, version, sql(limit as u64)))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let (version, bytes) = (Version(unsql(row.get(0)?)?), unsql(row.get(2)?)?);
        all.push(SnapshotInfo { stream: stream.clone(), version, digest: row.get(1)?, bytes });
    }
    Ok(all)
}
