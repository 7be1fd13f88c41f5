//! What a dry run says of read models: the rows that would change.

use super::projections::{FailureLine, why, word};
use super::{Output, records, state, text, wire};
use esctl::event::Position;
use esctl::json::Value;
use esctl::workbench::project::preview::{Outcome, Preview, RowPreview};
use serde::Serialize;
use std::fmt::Write as _;
use std::io;

/// For people: each row with what changes in it. `first` is where the first event would be.
pub fn previews(previews: &[Preview], first: Position, out: &mut Output) -> io::Result<()> {
    for preview in previews {
        let name = &preview.name;
        match &preview.outcome {
            Outcome::Rows(rows) => rows.iter().try_for_each(|changed| row(name, changed, out))?,
            Outcome::Stopped(failure) => {
                let mut line = format!("  {name}");
                if let Some(key) = &failure.key {
                    let _ = write!(line, "  {}", text::harmless(&records::exact(key)));
                }
                let how = if failure.position < first { "has stopped" } else { "would stop" };
                out.line(&format!("{line}  {how} before {}", text::harmless(&why(failure))))?;
            }
            Outcome::Behind { lag, .. } => {
                out.line(&format!("  {name}  not computed: it is {} behind", text::count(*lag, "position")))?;
            }
        }
    }
    Ok(())
}

fn row(name: &str, row: &RowPreview, out: &mut Output) -> io::Result<()> {
    let line = format!("  {name}  {}", text::harmless(&records::exact(&row.key)));
    let (how, whole) = match (&row.before, &row.after) {
        (None, Some(after)) => ("added", after),
        (Some(before), None) => ("removed", before),
        _ => {
            out.line(&line)?;
            return state::changes_below(&row.changes, out);
        }
    };
    out.line(&format!("{line}  {how} {}", text::value(&Value::Object(whole.clone()))))
}

/// The same for programs: an object for each row, or for a read model whose rows cannot be told.
pub fn lines(previews: &[Preview]) -> Vec<PreviewLine<'_>> {
    let mut lines = Vec::new();
    for preview in previews {
        let line = |told| PreviewLine { name: &preview.name, told };
        match &preview.outcome {
            Outcome::Rows(rows) => lines.extend(rows.iter().map(|row| line(Told::Row(row.into())))),
            Outcome::Stopped(failure) => lines.push(line(Told::Stopped { stopped: failure.into() })),
            Outcome::Behind { freshness, lag } => {
                lines.push(line(Told::Behind { status: word(*freshness), lag: *lag }));
            }
        }
    }
    lines
}

/// What is told of a read model.
#[derive(Debug, Serialize)]
pub struct PreviewLine<'a> {
    /// Its name.
    name: &'a str,
    #[serde(flatten)]
    told: Told<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Told<'a> {
    Row(RowLine<'a>),
    Stopped {
        /// The event before which it stops.
        stopped: FailureLine<'a>,
    },
    Behind {
        /// `behind`, `stale` or `never`.
        status: &'static str,
        /// Over how many positions it has to be brought up to date.
        lag: u64,
    },
}

/// A row that would change.
#[derive(Debug, Serialize)]
struct RowLine<'a> {
    /// Its key.
    key: wire::Exact<'a>,
    /// The row as it is; `null` where there is none.
    before: Option<wire::Named<'a>>,
    /// As it would be; `null` where it would be gone.
    after: Option<wire::Named<'a>>,
    /// What differs.
    changes: Vec<wire::Changed<'a>>,
}

impl<'a> From<&'a RowPreview> for RowLine<'a> {
    fn from(row: &'a RowPreview) -> Self {
        Self {
            key: (&row.key).into(),
            before: row.before.as_ref().map(wire::Named::from),
            after: row.after.as_ref().map(wire::Named::from),
            changes: row.changes.iter().map(wire::Changed::from).collect(),
        }
    }
}
