//! Pages of the whole store, forwards and backwards, through a filter.
//!
//! Every filter but the one for a stream comes down to a set of type numbers, since a type belongs to an aggregate.
//! SQLite compares these before it touches the payload. One call looks at a bounded number of positions.

use super::fault::Fault;
use super::names::Names;
use super::{read, sql, unsql};
use crate::event::{Position, Recorded};
use crate::store::{EventFilter, EventPage, MAX_PAGE_BYTES};
use rusqlite::Connection;
use std::fmt::Write;

/// So many positions are looked at in one call, at most: some ten milliseconds.
const STEP: u64 = 50_000;

/// The stretch of the store, or of one stream, that a call looks at.
struct Stretch {
    /// Number of the stream; `None` is all of them.
    stream: Option<i64>,
    /// Positions, or versions of the stream: after `low`, up to `high`.
    low: u64,
    high: u64,
    /// No event beyond this position is taken: it came while reading.
    end: u64,
    backwards: bool,
}

/// Events after a position.
pub(super) fn forward(
    connection: &Connection,
    names: &mut Names,
    after: Position,
    limit: usize,
    commands: bool,
    filter: &EventFilter,
) -> Result<EventPage, Fault> {
    // The end before the types: then every event up to the end has a type that is known.
    let end = read::head(connection)?.position;
    let page = |events, scanned| EventPage { events, scanned, done: scanned >= end };
    if limit == 0 || after >= end {
        return Ok(page(Vec::new(), after));
    }
    let Some(kinds) = wanted(connection, names, filter)? else {
        return Ok(page(Vec::new(), end));
    };
    let (stretch, scanned) = match &filter.stream {
        None => {
            let high = after.0.saturating_add(STEP).min(end.0);
            (Stretch { stream: None, low: after.0, high, end: end.0, backwards: false }, Position(high))
        }
        Some(name) => {
            let Some(stream) = names.stream_read(connection, name)? else {
                return Ok(page(Vec::new(), end));
            };
            let low = read::version_at(connection, stream, after)?;
            let high = low + STEP;
            let scanned = if read::version(connection, stream)? <= high {
                end
            } else {
                Position(read::position_of(connection, stream, high)?).min(end)
            };
            (Stretch { stream: Some(stream), low, high, end: end.0, backwards: false }, scanned)
        }
    };
    let (events, full) = stretch.read(connection, names, limit, commands, &kinds)?;
    let scanned = if full { events.last().map_or(scanned, |last| last.position) } else { scanned };
    Ok(page(events, scanned))
}

/// Events before a position, the latest first.
pub(super) fn backward(
    connection: &Connection,
    names: &mut Names,
    before: Option<Position>,
    limit: usize,
    commands: bool,
    filter: &EventFilter,
) -> Result<EventPage, Fault> {
    let head = read::head(connection)?.position.0;
    let end = before.map_or(head, |before| before.0.saturating_sub(1).min(head));
    let page = |events, scanned| EventPage { events, scanned, done: end == 0 || scanned <= Position(1) };
    if limit == 0 {
        return Ok(page(Vec::new(), Position(end + 1)));
    }
    if end == 0 {
        return Ok(page(Vec::new(), before.unwrap_or_default()));
    }
    let Some(kinds) = wanted(connection, names, filter)? else {
        return Ok(page(Vec::new(), Position(1)));
    };
    let (stretch, scanned) = match &filter.stream {
        None => {
            let low = end.saturating_sub(STEP);
            (Stretch { stream: None, low, high: end, end, backwards: true }, Position(low + 1))
        }
        Some(name) => {
            let Some(stream) = names.stream_read(connection, name)? else {
                return Ok(page(Vec::new(), Position(1)));
            };
            let high = read::version_at(connection, stream, Position(end))?;
            let low = high.saturating_sub(STEP);
            let scanned = if low == 0 { 1 } else { read::position_of(connection, stream, low + 1)? };
            (Stretch { stream: Some(stream), low, high, end, backwards: true }, Position(scanned))
        }
    };
    let (events, full) = stretch.read(connection, names, limit, commands, &kinds)?;
    let scanned = if full { events.last().map_or(scanned, |last| last.position) } else { scanned };
    Ok(page(events, scanned))
}

/// The condition on an event's type, as SQL, empty where any will do; `None` where no event in the file can pass.
fn wanted(connection: &Connection, names: &mut Names, filter: &EventFilter) -> Result<Option<String>, Fault> {
    if filter.aggregate.is_none() && filter.kind.is_none() && filter.kinds.is_none() {
        return Ok(Some(String::new()));
    }
    let mut condition = String::new();
    for (id, kind) in names.kinds(connection)? {
        let passes = filter.aggregate.as_ref().is_none_or(|wanted| **wanted == *kind.aggregate)
            && filter.kind.as_ref().is_none_or(|wanted| **wanted == *kind.name)
            && filter
                .kinds
                .as_ref()
                .is_none_or(|kinds| kinds.iter().any(|(a, k)| **a == *kind.aggregate && **k == *kind.name));
        if passes {
            let comma = if condition.is_empty() { "AND type IN (" } else { ", " };
            let _ = write!(condition, "{comma}{id}");
        }
    }
    if condition.is_empty() {
        return Ok(None);
    }
    condition.push(')');
    Ok(Some(condition))
}

impl Stretch {
    /// The events, and whether the page was full before the stretch ended.
    fn read(
        &self,
        connection: &Connection,
        names: &mut Names,
        limit: usize,
        commands: bool,
        kinds: &str,
    ) -> Result<(Vec<Recorded>, bool), Fault> {
        let (column, stream) = match self.stream {
            None => ("position", ""),
            Some(_) => ("version", "AND stream = ?5"),
        };
        let order = if self.backwards { "DESC" } else { "ASC" };
        let owner = if commands { ", command" } else { "" };
        let mut statement = connection.prepare_cached(&format!(
            "SELECT position, version, stream, type, schema, time, data{owner} FROM es_events \
             WHERE {column} > ?1 AND {column} <= ?2 AND position <= ?3 {stream} {kinds} ORDER BY {column} {order} LIMIT ?4"
        ))?;
        let bounds = [sql(self.low), sql(self.high), sql(self.end), sql(limit as u64)];
        let mut rows = match self.stream {
            None => statement.query(bounds)?,
            Some(stream) => statement.query([bounds[0], bounds[1], bounds[2], bounds[3], stream])?,
        };
        let mut events = Vec::new();
        let mut owners = Vec::new();
        let mut bytes = 0;
        // Without a condition on types the numbers follow each other; what is missing is not skipped silently.
        let mut expected = if self.backwards { self.high } else { self.low + 1 };
        while let Some(row) = rows.next()? {
            let number = unsql(row.get(usize::from(self.stream.is_some()))?)?;
            if kinds.is_empty() && number != expected {
                return Fault::contradiction(format!("the event with the {column} {expected} is missing"));
            }
            expected = if self.backwards { number.saturating_sub(1) } else { number + 1 };
            let event = read::event(connection, names, row)?;
            bytes += event.data.len();
            events.push(event);
            if commands {
                owners.push(row.get(7)?);
            }
            if bytes >= MAX_PAGE_BYTES {
                break;
            }
        }
        drop(rows);
        drop(statement);
        read::attach(connection, names, &mut events, &owners)?;
        let full = events.len() == limit || bytes >= MAX_PAGE_BYTES;
        Ok((events, full))
    }
}
