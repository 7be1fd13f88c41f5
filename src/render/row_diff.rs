//! What differs between the rows of a read model at two moments.

use super::differences::Differences;
use super::listing::{Column, Render};
use super::records::exact;
use super::wire::{self, Exact};
use super::{Output, state, text};
use esctl::workbench::Change;
use esctl::workbench::project::diff::{End, How, RowDiffers, RowsDiff};
use serde::Serialize;
use std::io;
use std::ops::ControlFlow;

const COLUMNS: &[Column] = &[
    Column::text("key"),
    Column::text("difference"),
    Column::text("path"),
    Column::text("before"),
    Column::text("after"),
];

#[derive(Serialize)]
struct RowLine<'a> {
    key: Exact<'a>,
    /// `added`, `changed` or `removed`.
    difference: &'static str,
    changes: Vec<wire::Changed<'a>>,
}

impl Render for RowDiffers {
    /// It has no cells of its own: its changes do, see [`Line`].
    fn cells(&self) -> Vec<String> {
        vec![exact(&self.key), word(self.how).to_owned()]
    }

    fn json(&self) -> io::Result<String> {
        let changes = self.changes.iter().map(wire::Changed::from).collect();
        wire::line(&RowLine { key: (&self.key).into(), difference: word(self.how), changes })
    }
}

/// A column of a row that differs.
struct Line<'a>(&'a RowDiffers, &'a Change);

impl Render for Line<'_> {
    fn cells(&self) -> Vec<String> {
        let mut cells = self.0.cells();
        cells.extend(self.1.cells());
        cells
    }

    fn json(&self) -> io::Result<String> {
        self.0.json()
    }
}

/// Such a listing of a read model, in the making.
pub fn differences<'o>(diff: &RowsDiff, out: &'o mut Output) -> Differences<'o> {
    let name = text::harmless(&diff.table.name);
    let end = |end: &End| {
        let time = end.time.map(|time| format!("  {time}")).unwrap_or_default();
        format!("{name}  {}{time}", wire::at(end.position))
    };
    let head = [format!("from  {}", end(&diff.from)), format!("to    {}", end(&diff.to))];
    Differences::new(COLUMNS, &head, out)
}

/// Adds a row.
pub fn push(differences: &mut Differences<'_>, diff: &RowsDiff, row: &RowDiffers) -> ControlFlow<()> {
    differences.push(row, row.changes.iter().map(|change| Line(row, change)), |out| {
        out.line(&format!("{} {}", mark(row.how), text::value(&row.key)))?;
        // The key stands above already.
        let mut key = String::new();
        diff.table.columns.iter().take(1).for_each(|column| esctl::json::pointer_push(&mut key, &column.name));
        let rest: Vec<Change> = row.changes.iter().filter(|change| change.path != key).cloned().collect();
        state::changes(&rest, out)
    })
}

/// In one word.
pub(super) fn word(how: How) -> &'static str {
    match how {
        How::Added => "added",
        How::Changed => "changed",
        How::Removed => "removed",
    }
}

/// In one character.
pub(super) fn mark(how: How) -> char {
    match how {
        How::Added => '+',
        How::Changed => '~',
        How::Removed => '-',
    }
}
