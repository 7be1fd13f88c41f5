//! Reading: pages of a stream and of the store, commands, streams, moments. Nothing stays open after a call.

use super::fault::Fault;
use super::names::Names;
use super::{sql, unsql};
use crate::event::{Command, Hash, Head, Position, Recorded, StreamName, Time, Version};
use crate::store::{DomainUse, MAX_PAGE_BYTES, StoredCommand, StreamInfo};
use rusqlite::{Connection, OptionalExtension, Row};
use std::sync::Arc;

/// The end of the store.
pub(super) fn head(connection: &Connection) -> Result<Head, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT position, time, hash FROM es_events ORDER BY position DESC LIMIT 1")?;
    let mut rows = statement.query([])?;
    match rows.next()? {
        None => Ok(Head::default()),
        Some(row) => {
            let position = Position(unsql(row.get(0)?)?);
            Ok(Head { position, time: Some(time(row.get(1)?)?), hash: hash(row, 2)? })
        }
    }
}

/// The stored hash of the event at a position.
pub(super) fn hash_at(connection: &Connection, position: Position) -> Result<Option<Hash>, Fault> {
    let mut statement = connection.prepare_cached("SELECT hash FROM es_events WHERE position = ?1")?;
    let mut rows = statement.query([sql(position.0)])?;
    rows.next()?.map(|row| hash(row, 0)).transpose()
}

/// The version of a stream by its number; 0 where it has no event.
pub(super) fn version(connection: &Connection, stream: i64) -> Result<u64, Fault> {
    let mut statement = connection.prepare_cached("SELECT max(version) FROM es_events WHERE stream = ?1")?;
    let version: Option<i64> = statement.query_row([stream], |row| row.get(0))?;
    version.map_or(Ok(0), unsql)
}

/// Events of a stream after a version, appended to `page`.
pub(super) fn stream(
    connection: &Connection,
    names: &mut Names,
    stream: &StreamName,
    after: Version,
    limit: usize,
    commands: bool,
    page: &mut Vec<Recorded>,
) -> Result<(), Fault> {
    let Some(id) = names.stream_read(connection, stream)? else {
        return Ok(());
    };
    let start = page.len();
    let mut owners = Vec::new();
    // A column more is three in a hundred of the time that a replay takes.
    let owner = if commands { ", command" } else { "" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT version, position, type, schema, time, data{owner} FROM es_events \
         WHERE stream = ?1 AND version > ?2 ORDER BY version LIMIT ?3"
    ))?;
    let mut rows = statement.query((id, sql(after.0), sql(limit as u64)))?;
    let mut expected = after.0;
    let mut bytes = 0;
    while let Some(row) = rows.next()? {
        let version = unsql(row.get(0)?)?;
        expected += 1;
        if version != expected {
            return Fault::contradiction(format!("version {expected} of `{stream}` is missing"));
        }
        let data = text(row, 5)?;
        bytes += data.len();
        page.push(Recorded {
            position: Position(unsql(row.get(1)?)?),
            stream: stream.clone(),
            version: Version(version),
            kind: names.kind_name(connection, row.get(2)?)?,
            schema: row.get(3)?,
            time: time(row.get(4)?)?,
            data,
            command: None,
        });
        if commands {
            owners.push(row.get(6)?);
        }
        if bytes >= MAX_PAGE_BYTES {
            break;
        }
    }
    attach(connection, names, &mut page[start..], &owners)
}

/// Gives each event its command; `owners` are the numbers of these, or nothing.
pub(super) fn attach(
    connection: &Connection,
    names: &mut Names,
    events: &mut [Recorded],
    owners: &[i64],
) -> Result<(), Fault> {
    let mut last: Option<(i64, Arc<Command>)> = None;
    for (event, owner) in events.iter_mut().zip(owners) {
        let command = match &last {
            Some((id, command)) if id == owner => Arc::clone(command),
            _ => Arc::new(command_row(connection, names, *owner)?),
        };
        event.command = Some(Arc::clone(&command));
        last = Some((*owner, command));
    }
    Ok(())
}

fn command_row(connection: &Connection, names: &mut Names, id: i64) -> Result<Command, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT c.command_id, c.stream, c.name, c.data, c.actor, c.correlation, c.causation, c.meta, c.time, d.digest \
         FROM es_commands c JOIN es_domains d ON d.id = c.domain WHERE c.id = ?1",
    )?;
    let mut rows = statement.query([id])?;
    let Some(row) = rows.next()? else {
        return Fault::contradiction(format!("command number {id} is missing"));
    };
    Ok(Command {
        id: row.get(0)?,
        stream: names.stream_name(connection, row.get(1)?)?,
        name: row.get(2)?,
        data: row.get(3)?,
        actor: row.get(4)?,
        correlation: row.get(5)?,
        causation: row.get(6)?,
        meta: row.get(7)?,
        time: time(row.get(8)?)?,
        domain: row.get(9)?,
    })
}

/// The command with an id, with its events.
pub(super) fn command(connection: &Connection, names: &mut Names, id: &str) -> Result<Option<StoredCommand>, Fault> {
    let mut statement = connection.prepare_cached("SELECT id, first, events FROM es_commands WHERE command_id = ?1")?;
    let found: Option<(i64, i64, i64)> =
        statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
    let Some((number, first, count)) = found else {
        return Ok(None);
    };
    let command = Arc::new(command_row(connection, names, number)?);
    let mut events = Vec::new();
    let mut head = None;
    let mut statement = connection.prepare_cached(
        "SELECT position, version, stream, type, schema, time, data, hash FROM es_events \
         WHERE position >= ?1 AND position < ?1 + ?2 AND command = ?3 ORDER BY position",
    )?;
    let mut rows = statement.query((first, count, number))?;
    while let Some(row) = rows.next()? {
        events.push(event(connection, names, row)?);
        head = Some(hash(row, 7)?);
    }
    match head {
        Some(head) if sql(events.len() as u64) == count => Ok(Some(StoredCommand { command, events, head })),
        _ => Fault::contradiction(format!("the command `{id}` has {count} events, {} are there", events.len())),
    }
}

/// The text of the domain with a digest.
pub(super) fn domain_text(connection: &Connection, digest: &str) -> Result<Option<Box<str>>, Fault> {
    let mut statement = connection.prepare_cached("SELECT text FROM es_domains WHERE digest = ?1")?;
    Ok(statement.query_row([digest], |row| row.get(0)).optional()?)
}

/// Domain texts by what they decided, in the order in which they first did.
pub(super) fn domains(connection: &Connection) -> Result<Vec<DomainUse>, Fault> {
    // Times do not go backwards and positions follow the numbers of commands: the least and the greatest are the ends.
    let mut statement = connection.prepare_cached(
        "SELECT d.digest, count(*), min(c.first), max(c.first + c.events - 1), min(c.time), max(c.time) \
         FROM es_commands c JOIN es_domains d ON d.id = c.domain GROUP BY c.domain ORDER BY min(c.id)",
    )?;
    let mut rows = statement.query([])?;
    let mut domains = Vec::new();
    while let Some(row) = rows.next()? {
        domains.push(DomainUse {
            digest: row.get(0)?,
            commands: unsql(row.get(1)?)?,
            first: Position(unsql(row.get(2)?)?),
            last: Position(unsql(row.get(3)?)?),
            since: time(row.get(4)?)?,
            until: time(row.get(5)?)?,
        });
    }
    Ok(domains)
}

/// The event in a row that begins with position, version, stream, type, schema, time, data.
pub(super) fn event(connection: &Connection, names: &mut Names, row: &Row<'_>) -> Result<Recorded, Fault> {
    Ok(Recorded {
        position: Position(unsql(row.get(0)?)?),
        version: Version(unsql(row.get(1)?)?),
        stream: names.stream_name(connection, row.get(2)?)?,
        kind: names.kind_name(connection, row.get(3)?)?,
        schema: row.get(4)?,
        time: time(row.get(5)?)?,
        data: text(row, 6)?,
        command: None,
    })
}

/// The position of the last event at or before a time: times never go backwards, so halving finds it.
pub(super) fn position_at(connection: &Connection, when: Time) -> Result<Position, Fault> {
    let mut statement = connection.prepare_cached("SELECT time FROM es_events WHERE position = ?1")?;
    let end = head(connection)?.position.0;
    let found = last_where(end, |position| {
        let time: Option<i64> = statement.query_row([sql(position)], |row| row.get(0)).optional()?;
        match time {
            Some(time) => Ok(time <= when.micros()),
            None => Fault::contradiction(format!("the event at position {position} is missing")),
        }
    })?;
    Ok(Position(found))
}

/// The version a stream had when the store ended at a position.
pub(super) fn version_at(connection: &Connection, stream: i64, position: Position) -> Result<u64, Fault> {
    let end = version(connection, stream)?;
    last_where(end, |version| Ok(position_of(connection, stream, version)? <= position.0))
}

/// The position of a version that the stream has.
pub(super) fn position_of(connection: &Connection, stream: i64, version: u64) -> Result<u64, Fault> {
    let mut statement =
        connection.prepare_cached("SELECT position FROM es_events WHERE stream = ?1 AND version = ?2")?;
    let position: Option<i64> = statement.query_row((stream, sql(version)), |row| row.get(0)).optional()?;
    match position {
        Some(position) => unsql(position),
        None => Fault::contradiction(format!("version {version} of stream number {stream} is missing")),
    }
}

/// The last of 1..=end for which `holds`, where it holds up to some number and not beyond; 0 where it never does.
fn last_where(end: u64, mut holds: impl FnMut(u64) -> Result<bool, Fault>) -> Result<u64, Fault> {
    let (mut holding, mut failing) = (0, end + 1);
    while failing - holding > 1 {
        let middle = holding + (failing - holding) / 2;
        if holds(middle)? {
            holding = middle;
        } else {
            failing = middle;
        }
    }
    Ok(holding)
}

/// Streams by name.
pub(super) fn streams(
    connection: &Connection,
    after: Option<&StreamName>,
    limit: usize,
) -> Result<Vec<StreamInfo>, Fault> {
    // CROSS JOIN keeps the order of the tables: by name, so that a page costs what it shows.
    let mut statement = connection.prepare_cached(
        "SELECT s.name, l.version, f.position, l.position, l.time FROM es_streams s \
         CROSS JOIN es_events f ON f.stream = s.id AND f.version = 1 \
         CROSS JOIN es_events l ON l.stream = s.id \
             AND l.version = (SELECT max(version) FROM es_events WHERE stream = s.id) \
         WHERE s.name > ?1 ORDER BY s.name LIMIT ?2",
    )?;
    let mut rows = statement.query((after.map_or("", StreamName::as_str), sql(limit as u64)))?;
    let mut streams = Vec::new();
    while let Some(row) = rows.next()? {
        let text: String = row.get(0)?;
        let Ok(name) = StreamName::new(&text) else {
            return Fault::contradiction(format!("a stream has a name that no stream can have: {text:?}"));
        };
        streams.push(StreamInfo {
            name,
            version: Version(unsql(row.get(1)?)?),
            first: Position(unsql(row.get(2)?)?),
            last: Position(unsql(row.get(3)?)?),
            time: time(row.get(4)?)?,
        });
    }
    Ok(streams)
}

fn text(row: &Row<'_>, column: usize) -> Result<Box<str>, Fault> {
    match row.get_ref(column)?.as_str() {
        Ok(text) => Ok(text.into()),
        Err(error) => Fault::contradiction(format!("a payload is no text ({error})")),
    }
}

pub(super) fn hash(row: &Row<'_>, column: usize) -> Result<Hash, Fault> {
    let blob = row.get_ref(column)?.as_blob().ok().and_then(|bytes| bytes.try_into().ok());
    blob.map_or_else(|| Fault::contradiction("a hash has not 32 bytes"), |bytes| Ok(Hash(bytes)))
}

pub(super) fn time(micros: i64) -> Result<Time, Fault> {
    Time::from_micros(micros).or_else(|error| Fault::contradiction(error.to_string()))
}
