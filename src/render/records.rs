//! What is listed: each kind of record with its columns, its cells and its JSON.

use super::listing::{Column, Listing, Render};
use super::{Output, text, trouble, wire};
use esctl::diagnostic::Diagnostic;
use esctl::event::{Head, Recorded};
use esctl::json::Value;
use esctl::store::StreamInfo;
use esctl::workbench::Change;
use esctl::workbench::fork::Forked;
use esctl::workbench::import::Imported;
use esctl::workbench::project::ColumnInfo;
use esctl::workbench::replay::Step;
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

/// Columns of [`Recorded`].
pub const EVENTS: &[Column] = &[
    Column::number("position"),
    Column::text("stream"),
    Column::number("version"),
    Column::text("type"),
    Column::text("time"),
    Column::text("data"),
];

impl Render for Recorded {
    fn cells(&self) -> Vec<String> {
        vec![
            self.position.to_string(),
            self.stream.to_string(),
            self.version.to_string(),
            self.kind.to_string(),
            self.time.to_string(),
            text::harmless(&self.data).into_owned(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&wire::Event::from(self))
    }
}

impl Render for Step {
    /// A step has no cells of its own: its changes do, see [`StepChange`].
    fn cells(&self) -> Vec<String> {
        self.event.cells()
    }

    fn json(&self) -> io::Result<String> {
        let mut event = wire::Event::from(&self.event);
        event.gap_micros = self.gap.map(micros);
        event.changes = Some(self.changes.iter().map(wire::Changed::from).collect());
        wire::line(&event)
    }
}

/// Columns of [`StepChange`].
pub const CHANGES: &[Column] = &[
    Column::number("position"),
    Column::text("stream"),
    Column::number("version"),
    Column::text("type"),
    Column::text("time"),
    Column::number("gap_micros"),
    Column::text("path"),
    Column::text("before"),
    Column::text("after"),
];

/// One change of one event, for CSV.
#[derive(Debug)]
pub struct StepChange<'a>(pub &'a Step, pub &'a Change);

impl Render for StepChange<'_> {
    fn cells(&self) -> Vec<String> {
        let Self(step, change) = self;
        let mut cells = step.event.cells();
        cells.pop();
        cells.push(step.gap.map(|gap| micros(gap).to_string()).unwrap_or_default());
        cells.extend(change.cells());
        cells
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&wire::Changed::from(self.1))
    }
}

/// Columns of [`StreamInfo`].
pub const STREAMS: &[Column] = &[
    Column::text("stream"),
    Column::number("version"),
    Column::number("first"),
    Column::number("last"),
    Column::text("time"),
];

impl Render for StreamInfo {
    fn cells(&self) -> Vec<String> {
        vec![
            self.name.to_string(),
            self.version.to_string(),
            self.first.to_string(),
            self.last.to_string(),
            self.time.to_string(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&wire::StreamLine::from(self))
    }
}

/// A row of a read model.
#[derive(Debug)]
pub struct Row<'a> {
    /// Its columns.
    pub columns: &'a [ColumnInfo],
    /// One value for each.
    pub values: Vec<Value>,
}

impl Row<'_> {
    /// The columns of such a listing.
    pub fn columns(columns: &[ColumnInfo]) -> Vec<Column> {
        let column = |info: &ColumnInfo| Column { name: info.name.clone().into(), right: info.numeric };
        columns.iter().map(column).collect()
    }
}

impl Render for Row<'_> {
    fn cells(&self) -> Vec<String> {
        self.values.iter().map(exact).collect()
    }

    fn json(&self) -> io::Result<String> {
        let names = self.columns.iter().map(|column| column.name.as_str());
        wire::line(&wire::Named(names.zip(&self.values).collect()))
    }
}

/// Columns of [`ImportDone`].
pub const IMPORTED: &[Column] = &[
    Column::text("store"),
    Column::number("events"),
    Column::number("commands"),
    Column::number("skipped"),
    Column::number("position"),
    Column::text("hash"),
];

/// What an import did.
#[derive(Debug)]
pub struct ImportDone<'a> {
    /// The id of the store.
    pub store: &'a str,
    /// What was stored and skipped.
    pub done: Imported,
    /// The end of the store after it.
    pub head: Head,
}

impl Render for ImportDone<'_> {
    fn cells(&self) -> Vec<String> {
        vec![
            self.store.to_owned(),
            self.done.events.to_string(),
            self.done.commands.to_string(),
            self.done.skipped.to_string(),
            self.head.position.to_string(),
            self.head.hash.to_string(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&wire::Imported {
            store: self.store,
            events: self.done.events,
            commands: self.done.commands,
            skipped: self.done.skipped,
            position: self.head.position.0,
            hash: self.head.hash.to_string(),
        })
    }
}

/// Columns of [`BackupDone`].
pub const BACKUP: &[Column] =
    &[Column::text("file"), Column::text("store"), Column::number("position"), Column::text("hash")];

/// A backup that was made.
#[derive(Debug)]
pub struct BackupDone<'a> {
    /// The file.
    pub file: &'a Path,
    /// The id of the store.
    pub store: &'a str,
    /// The end of the copy.
    pub head: Head,
}

impl Render for BackupDone<'_> {
    fn cells(&self) -> Vec<String> {
        vec![
            text::harmless(&self.file.to_string_lossy()).into_owned(),
            self.store.to_owned(),
            self.head.position.to_string(),
            self.head.hash.to_string(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&wire::BackedUp {
            file: &self.file.to_string_lossy(),
            store: self.store,
            position: self.head.position.0,
            hash: self.head.hash.to_string(),
        })
    }
}

/// Columns of [`ForkDone`].
pub const FORK: &[Column] = &[
    Column::text("file"),
    Column::text("store"),
    Column::text("from"),
    Column::number("events"),
    Column::number("commands"),
    Column::number("position"),
    Column::text("hash"),
];

/// A fork that was made.
#[derive(Debug)]
pub struct ForkDone<'a> {
    /// The file.
    pub file: &'a Path,
    /// The id of the new store.
    pub store: &'a str,
    /// The id of the store that it was made of.
    pub from: &'a str,
    /// What is in it.
    pub forked: Forked,
}

impl Render for ForkDone<'_> {
    fn cells(&self) -> Vec<String> {
        let Forked { events, commands, head } = &self.forked;
        vec![
            text::harmless(&self.file.to_string_lossy()).into_owned(),
            self.store.to_owned(),
            self.from.to_owned(),
            events.to_string(),
            commands.to_string(),
            head.position.to_string(),
            head.hash.to_string(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&ForkLine {
            file: &self.file.to_string_lossy(),
            store: self.store,
            from: self.from,
            events: self.forked.events,
            commands: self.forked.commands,
            position: self.forked.head.position.0,
            hash: self.forked.head.hash.to_string(),
        })
    }
}

/// The same in JSON.
#[derive(Debug, Serialize)]
struct ForkLine<'a> {
    /// The file.
    file: &'a str,
    /// The id of the new store.
    store: &'a str,
    /// The id of the store that it was made of.
    from: &'a str,
    /// Events in it.
    events: u64,
    /// The commands they belong to.
    commands: u64,
    /// The position of its last event.
    position: u64,
    /// The hash of its last event.
    hash: String,
}

/// The one record that a verb has to say: as JSON it is an object, not a list of one.
pub fn one(columns: &'static [Column], record: &impl Render, out: &mut Output) -> io::Result<()> {
    if out.format.is_json() {
        out.line(&record.json()?)?;
        return out.flush();
    }
    let mut listing = Listing::new(columns, out);
    let _ = listing.push(record);
    listing.finish()
}

/// Columns of [`Diagnostic`].
pub const PROBLEMS: &[Column] = &[
    Column::text("severity"),
    Column::text("rule"),
    Column::text("message"),
    Column::text("file"),
    Column::number("line"),
    Column::number("column"),
    Column::text("hints"),
];

impl Render for Diagnostic {
    fn cells(&self) -> Vec<String> {
        let (file, line, column) = match &self.place {
            Some(place) => (place.source.name.clone(), place.line().to_string(), place.column().to_string()),
            None => <_>::default(),
        };
        let severity = if self.is_error() { "error" } else { "warning" };
        let hints = self.hints.join("\n");
        vec![severity.to_owned(), self.rule.to_owned(), self.message.clone(), file, line, column, hints]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&trouble::Problem::from(self))
    }
}

/// A time that went by, as programs read it.
fn micros(gap: Duration) -> u64 {
    u64::try_from(gap.as_micros()).unwrap_or(u64::MAX)
}

/// A value as a cell of its own: texts as they are, nothing for null, JSON for lists and objects.
pub(super) fn exact(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => text.clone(),
        other => {
            let mut text = String::new();
            esctl::json::write(other, &mut text);
            text
        }
    }
}
