//! Where the histories of two stores part, and what became of their streams since.

use super::differences::Differences;
use super::listing::{Column, Render};
use super::row_diff::{mark, word};
use super::{Output, state, text, wire};
use esctl::event::{Head, Recorded, Version};
use esctl::workbench::Change;
use esctl::workbench::parting::{Histories, Parting, StreamDiffers};
use esctl::workbench::project::diff::How;
use serde::Serialize;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

const COLUMNS: &[Column] = &[
    Column::text("difference"),
    Column::number("position"),
    Column::text("stream"),
    Column::number("version_before"),
    Column::number("version_after"),
    Column::text("path"),
    Column::text("before"),
    Column::text("after"),
];

#[derive(Serialize)]
struct PartingLine<'a> {
    /// Always `parting`.
    difference: &'static str,
    position: u64,
    /// What the one store has there; null where it has ended.
    event_before: Option<wire::Event<'a>>,
    event_after: Option<wire::Event<'a>>,
}

impl Render for Parting {
    fn cells(&self) -> Vec<String> {
        let said = |event: &Option<Recorded>| match event {
            Some(event) => format!("{} {} {} {}", event.stream, event.version, event.kind, text::harmless(&event.data)),
            None => String::new(),
        };
        let mut cells = vec!["parting".to_owned(), self.position.to_string()];
        cells.resize(COLUMNS.len() - 2, String::new());
        cells.extend([said(&self.before), said(&self.after)]);
        cells
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&PartingLine {
            difference: "parting",
            position: self.position.0,
            event_before: self.before.as_ref().map(wire::Event::from),
            event_after: self.after.as_ref().map(wire::Event::from),
        })
    }
}

#[derive(Serialize)]
struct StreamLine<'a> {
    /// `added`, `changed` or `removed`.
    difference: &'static str,
    stream: &'a str,
    /// Null where the one store has no such stream.
    version_before: Option<u64>,
    version_after: Option<u64>,
    /// What differs in its state, where both have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    changes: Option<Vec<wire::Changed<'a>>>,
}

impl Render for StreamDiffers {
    fn cells(&self) -> Vec<String> {
        let version = |version: Version| if version == Version(0) { String::new() } else { version.to_string() };
        let (before, after) = (version(self.before), version(self.after));
        vec![word(how(self)).to_owned(), String::new(), self.stream.to_string(), before, after]
    }

    fn json(&self) -> io::Result<String> {
        let there = |version: Version| Some(version.0).filter(|version| *version > 0);
        wire::line(&StreamLine {
            difference: word(how(self)),
            stream: self.stream.as_str(),
            version_before: there(self.before),
            version_after: there(self.after),
            changes: (how(self) == How::Changed).then(|| self.changes.iter().map(wire::Changed::from).collect()),
        })
    }
}

/// A stream that differs, with one of the things that differ in its state, if any does.
struct Line<'a>(&'a StreamDiffers, Option<&'a Change>);

impl Render for Line<'_> {
    fn cells(&self) -> Vec<String> {
        let mut cells = self.0.cells();
        match self.1 {
            Some(change) => cells.extend(change.cells()),
            None => cells.resize(COLUMNS.len(), String::new()),
        }
        cells
    }

    fn json(&self) -> io::Result<String> {
        self.0.json()
    }
}

fn how(stream: &StreamDiffers) -> How {
    match (stream.before, stream.after) {
        (Version(0), _) => How::Added,
        (_, Version(0)) => How::Removed,
        _ => How::Changed,
    }
}

/// Such a listing in the making, with where the histories part.
pub fn differences<'o>((one, two): (&Path, &Path), found: &Histories, out: &'o mut Output) -> Differences<'o> {
    let end = |file: &Path, head: &Head| {
        let time = head.time.map(|time| format!("  {time}")).unwrap_or_default();
        format!("{}  {}{time}", text::harmless(&file.to_string_lossy()), wire::at(head.position))
    };
    let head = [format!("from  {}", end(one, &found.from)), format!("to    {}", end(two, &found.to))];
    let mut differences = Differences::new(COLUMNS, &head, out);
    if let Some(parting) = &found.parting {
        // What went wrong here is said at the end.
        let _ = differences.push(parting, [parting], |out| {
            out.line(&format!("the histories part at {}", wire::at(parting.position)))?;
            side('-', parting.before.as_ref(), out)?;
            side('+', parting.after.as_ref(), out)
        });
    }
    differences
}

fn side(mark: char, event: Option<&Recorded>, out: &mut Output) -> io::Result<()> {
    let Some(event) = event else { return Ok(()) };
    out.line(&format!("  {mark} {}  {}", text::harmless(event.stream.as_str()), state::event(event, None)))
}

/// Adds a stream.
pub fn push(differences: &mut Differences<'_>, stream: &StreamDiffers) -> ControlFlow<()> {
    let changes: Vec<Option<&Change>> =
        if stream.changes.is_empty() { vec![None] } else { stream.changes.iter().map(Some).collect() };
    differences.push(stream, changes.into_iter().map(|change| Line(stream, change)), |out| {
        let how = how(stream);
        let version = match how {
            How::Added => format!("version {}", stream.after),
            How::Removed => format!("version {}", stream.before),
            How::Changed if stream.before == stream.after => format!("version {}", stream.before),
            How::Changed => format!("version {} → {}", stream.before, stream.after),
        };
        out.line(&format!("{} {}  {version}", mark(how), text::harmless(stream.stream.as_str())))?;
        state::changes(&stream.changes, out)
    })
}
