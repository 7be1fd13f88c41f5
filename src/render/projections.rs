//! Read models as they are listed: what is declared, how up to date it is, what a rebuild did, what was parked.

use super::listing::{Column, Render};
use super::records::exact;
use super::{text, wire};
use esctl::store::Failure;
use esctl::workbench::project::parked::{Parked, Retried};
use esctl::workbench::project::rebuild::Rebuilt;
use esctl::workbench::project::{Freshness, ProjectionInfo, ProjectionStatus};
use serde::Serialize;
use std::io;

/// So many digits of a digest are shown to people.
pub(super) const DIGITS: usize = 12;

/// Columns of [`ProjectionInfo`].
pub const PROJECTIONS: &[Column] = &[
    Column::text("name"),
    Column::text("domain"),
    Column::text("columns"),
    Column::text("events"),
    Column::text("description"),
];

impl Render for ProjectionInfo {
    fn cells(&self) -> Vec<String> {
        let columns: Vec<_> = self.columns.iter().map(|(name, _)| name.as_str()).collect();
        vec![
            self.name.clone(),
            self.domain.clone(),
            columns.join(", "),
            self.events.join(", "),
            self.description.clone(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&ProjectionLine {
            name: &self.name,
            domain: &self.domain,
            description: &self.description,
            columns: self.columns.iter().map(|(name, kind)| ColumnLine { name, kind }).collect(),
            events: &self.events,
            inline: self.inline,
        })
    }
}

/// Columns of [`ProjectionStatus`].
pub const STATUS: &[Column] = &[
    Column::text("name"),
    Column::text("status"),
    Column::number("checkpoint"),
    Column::number("head"),
    Column::number("lag"),
    Column::number("rows"),
    Column::text("since"),
    Column::number("building"),
    Column::number("parked"),
    Column::text("digest"),
    Column::text("stopped"),
];

impl Render for ProjectionStatus {
    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            word(self.freshness).to_owned(),
            self.checkpoint.to_string(),
            self.head.to_string(),
            self.lag.to_string(),
            self.rows.to_string(),
            self.since.map(wire::time).unwrap_or_default(),
            self.building.map(|position| position.to_string()).unwrap_or_default(),
            self.parked.to_string(),
            self.digest.get(..DIGITS).unwrap_or_default().to_owned(),
            self.stopped.as_ref().map(why).unwrap_or_default(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&StatusLine {
            name: &self.name,
            status: word(self.freshness),
            checkpoint: self.checkpoint.0,
            head: self.head.0,
            lag: self.lag,
            rows: self.rows,
            digest: &self.digest,
            since: self.since.map(wire::time),
            building: self.building.map(|position| position.0),
            parked: self.parked,
            stopped: self.stopped.as_ref().map(FailureLine::from),
        })
    }
}

pub(super) fn word(freshness: Freshness) -> &'static str {
    match freshness {
        Freshness::Current => "current",
        Freshness::Behind => "behind",
        Freshness::Stale => "stale",
        Freshness::Never => "never",
    }
}

/// Columns of [`Rebuilt`].
pub const REBUILT: &[Column] = &[
    Column::text("name"),
    Column::number("events"),
    Column::number("rows"),
    Column::number("position"),
    Column::text("resumed"),
    Column::number("parked"),
];

impl Render for Rebuilt {
    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.events.to_string(),
            self.rows.to_string(),
            self.position.to_string(),
            self.resumed.to_string(),
            self.parked.to_string(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&RebuiltLine {
            name: &self.name,
            events: self.events,
            rows: self.rows,
            position: self.position.0,
            resumed: self.resumed,
            parked: self.parked,
        })
    }
}

/// A rebuild in words.
pub fn rebuilt(done: &Rebuilt) -> String {
    let again = if done.resumed { ", resumed" } else { "" };
    let (events, rows) = (text::count(done.events, "event"), text::count(done.rows, "row"));
    let parked =
        if done.parked > 0 { format!(", {} parked", text::count(done.parked, "event")) } else { String::new() };
    format!("{}: {rows} from {events}, up to {}{again}{parked}", done.name, wire::at(done.position))
}

/// Columns of [`Parked`].
pub const PARKED: &[Column] = &[
    Column::text("projection"),
    Column::number("position"),
    Column::text("stream"),
    Column::number("version"),
    Column::text("type"),
    Column::text("key"),
    Column::text("error"),
    Column::text("place"),
];

impl Render for Parked {
    fn cells(&self) -> Vec<String> {
        vec![
            self.projection.clone(),
            self.failure.position.to_string(),
            self.event.stream.to_string(),
            self.event.version.to_string(),
            self.event.kind.to_string(),
            self.failure.key.as_ref().map(exact).unwrap_or_default(),
            self.failure.error.to_string(),
            self.failure.place.as_deref().unwrap_or_default().to_owned(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&ParkedLine {
            projection: &self.projection,
            stream: self.event.stream.as_str(),
            version: self.event.version.0,
            kind: &self.event.kind,
            failure: FailureLine::from(&self.failure),
        })
    }
}

/// Columns of [`Retried`].
pub const RETRIED: &[Column] = &[
    Column::text("name"),
    Column::number("applied"),
    Column::number("parked"),
    Column::number("rows"),
    Column::number("position"),
];

impl Render for Retried {
    fn cells(&self) -> Vec<String> {
        vec![
            self.rebuilt.name.clone(),
            self.applied.to_string(),
            self.rebuilt.parked.to_string(),
            self.rebuilt.rows.to_string(),
            self.rebuilt.position.to_string(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&RetriedLine {
            name: &self.rebuilt.name,
            applied: self.applied,
            parked: self.rebuilt.parked,
            rows: self.rebuilt.rows,
            position: self.rebuilt.position.0,
        })
    }
}

/// The same in words.
pub fn retried(done: &Retried) -> String {
    let (applied, parked) = (text::count(done.applied, "event"), text::count(done.rebuilt.parked, "event"));
    format!("{}: {applied} applied, {parked} still parked", done.rebuilt.name)
}

/// What stopped a read model, in one line.
pub(super) fn why(failure: &Failure) -> String {
    let place = failure.place.as_deref().map(|place| format!(" ({place})")).unwrap_or_default();
    format!("{}: {}{place}", wire::at(failure.position), failure.error)
}

/// A projection as it is declared.
#[derive(Debug, Serialize)]
struct ProjectionLine<'a> {
    /// Its name.
    name: &'a str,
    /// The domain that declares it.
    domain: &'a str,
    /// What it says of itself.
    description: &'a str,
    /// Its columns, the key first.
    columns: Vec<ColumnLine<'a>>,
    /// The events it handles.
    events: &'a [String],
    /// Whether its rows are stored with the events.
    inline: bool,
}

/// A column of a projection.
#[derive(Debug, Serialize)]
struct ColumnLine<'a> {
    /// Its name.
    name: &'a str,
    /// Its type.
    #[serde(rename = "type")]
    kind: &'a str,
}

/// How up to date a projection is.
#[derive(Debug, Serialize)]
struct StatusLine<'a> {
    /// Its name.
    name: &'a str,
    /// `current`, `behind`, `stale` or `never`.
    status: &'static str,
    /// The last position it has seen.
    checkpoint: u64,
    /// The last position of the store.
    head: u64,
    /// How many positions it is behind.
    lag: u64,
    /// How many rows it has.
    rows: u64,
    /// The digest of its rules.
    digest: &'a str,
    /// Since when it is served.
    since: Option<String>,
    /// How far a rebuild has come that is not finished.
    #[serde(skip_serializing_if = "Option::is_none")]
    building: Option<u64>,
    /// How many events it went on past.
    parked: u64,
    /// The event before which it stopped, where it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    stopped: Option<FailureLine<'a>>,
}

/// What a rebuild did.
#[derive(Debug, Serialize)]
struct RebuiltLine<'a> {
    /// The projection.
    name: &'a str,
    /// Events read.
    events: u64,
    /// Rows made.
    rows: u64,
    /// The last position it has seen.
    position: u64,
    /// Whether it went on where an earlier one was killed.
    resumed: bool,
    /// How many events it went on past.
    parked: u64,
}

/// An event that could not be applied.
#[derive(Debug, Serialize)]
pub(super) struct FailureLine<'a> {
    /// Of the event.
    position: u64,
    /// The key of the row, where it came that far.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<wire::Exact<'a>>,
    /// What went wrong.
    error: &'a str,
    /// Where, `file:line:column`.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a str>,
}

impl<'a> From<&'a Failure> for FailureLine<'a> {
    fn from(failure: &'a Failure) -> Self {
        Self {
            position: failure.position.0,
            key: failure.key.as_ref().map(wire::Exact::from),
            error: &failure.error,
            place: failure.place.as_deref(),
        }
    }
}

/// A parked event.
#[derive(Debug, Serialize)]
struct ParkedLine<'a> {
    /// The projection that went on past it.
    projection: &'a str,
    /// The event's stream.
    stream: &'a str,
    /// Its version there.
    version: u64,
    /// Its type.
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(flatten)]
    failure: FailureLine<'a>,
}

/// What came of a retry.
#[derive(Debug, Serialize)]
struct RetriedLine<'a> {
    /// The projection.
    name: &'a str,
    /// How many parked events are applied now.
    applied: u64,
    /// How many are still parked.
    parked: u64,
    /// How many rows it has.
    rows: u64,
    /// The last position it has seen.
    position: u64,
}
