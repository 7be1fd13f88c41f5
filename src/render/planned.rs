//! What would be otherwise by other rules, as records.

use super::listing::{Column, Render};
use super::records::exact;
use super::text::harmless;
use super::trouble::Problem;
use super::wire::{self, Changed, Exact};
use esctl::json::Value;
use esctl::workbench::Change;
use esctl::workbench::plan::{Difference, Given, Outcome, ProjectionChange};
use serde::Serialize;
use std::io;

/// Columns of a [`Difference`]; a row each.
pub const DIFFERENCES: &[Column] = &[
    Column::text("kind"),
    Column::text("subject"),
    Column::text("key"),
    Column::number("version"),
    Column::number("position"),
    Column::text("what"),
];

impl Render for Difference {
    fn cells(&self) -> Vec<String> {
        let cells = |kind: &str, subject: &str, key: String, version: u64, position: u64, what: String| {
            let number = |number: u64| if number == 0 { String::new() } else { number.to_string() };
            vec![kind.to_owned(), subject.to_owned(), key, number(version), number(position), what]
        };
        let none = String::new;
        match self {
            Self::Aggregate(found) => cells("aggregate", &found.aggregate, none(), 0, 0, gone(found.gone).to_owned()),
            Self::State(found) => {
                cells("state", found.stream.as_str(), none(), found.version.0, 0, paths(&found.changes))
            }
            Self::Event(found) => {
                let what = format!("{}: {}", found.kind, found.problem.message);
                cells("event", found.stream.as_str(), none(), found.version.0, found.position.0, what)
            }
            Self::Invariant(found) => {
                let (version, position) = (found.version.0, found.position.0);
                cells("invariant", found.stream.as_str(), none(), version, position, found.name.to_string())
            }
            Self::Row(found) => {
                let what = match (&found.before, &found.after) {
                    (None, _) => "added".to_owned(),
                    (_, None) => "removed".to_owned(),
                    _ => paths(&found.changes),
                };
                cells("row", &found.projection, exact(&found.key), 0, 0, what)
            }
            Self::Projection(found) => {
                cells("projection", &found.projection, none(), 0, 0, change(&found.what).to_owned())
            }
            Self::Command(found) => {
                let what = match &found.outcome {
                    Outcome::Rejected(rejection) => format!("{}: rejected, {}", found.command, rejection.code),
                    Outcome::Events { .. } => format!("{}: other events", found.command),
                    Outcome::Fails(problem) => format!("{}: {}", found.command, problem.message),
                };
                cells("command", found.stream.as_str(), found.id.to_string(), 0, found.position.0, what)
            }
        }
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&Line::from(self))
    }
}

/// The paths of what differs.
fn paths(changes: &[Change]) -> String {
    let paths: Vec<_> = changes.iter().map(|change| harmless(&change.path)).collect();
    paths.join(" ")
}

fn gone(gone: bool) -> &'static str {
    if gone { "gone" } else { "new" }
}

fn change(what: &ProjectionChange) -> &'static str {
    match what {
        ProjectionChange::New(_) => "new",
        ProjectionChange::Gone => "gone",
        ProjectionChange::Stops(_) => "stops",
        ProjectionChange::Key(..) => "key",
    }
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Line<'a> {
    Aggregate {
        aggregate: &'a str,
        change: &'static str,
        streams: u64,
    },
    State {
        stream: &'a str,
        version: u64,
        changes: Vec<Changed<'a>>,
    },
    Event {
        stream: &'a str,
        version: u64,
        position: u64,
        r#type: &'a str,
        /// Whether it is the other rules that can read it.
        fits: bool,
        problem: Problem<'a>,
    },
    Invariant {
        stream: &'a str,
        version: u64,
        position: u64,
        invariant: &'a str,
        /// Whether it is broken at the end as well.
        now: bool,
    },
    Row {
        projection: &'a str,
        key: Exact<'a>,
        /// Null where there is none.
        before: Option<Exact<'a>>,
        /// Null where there would be none.
        after: Option<Exact<'a>>,
        changes: Vec<Changed<'a>>,
    },
    Projection {
        projection: &'a str,
        change: &'static str,
        /// How many rows a new one would have.
        #[serde(skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        problem: Option<Problem<'a>>,
    },
    Command {
        id: &'a str,
        stream: &'a str,
        command: &'a str,
        position: u64,
        #[serde(flatten)]
        outcome: OutcomeLine<'a>,
    },
}

#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub(super) enum OutcomeLine<'a> {
    Rejected {
        code: &'a str,
        message: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        details: Option<Exact<'a>>,
    },
    Events {
        before: Vec<EventLine<'a>>,
        after: Vec<EventLine<'a>>,
    },
    Fails {
        problem: Problem<'a>,
    },
}

#[derive(Serialize)]
pub(super) struct EventLine<'a> {
    stream: &'a str,
    r#type: &'a str,
    data: Exact<'a>,
}

impl<'a> From<&'a Difference> for Line<'a> {
    fn from(found: &'a Difference) -> Self {
        let changes = |changes: &'a [Change]| changes.iter().map(Changed::from).collect();
        let side = |value: &'a Option<Value>| value.as_ref().map(Exact::from);
        match found {
            Difference::Aggregate(found) => {
                Self::Aggregate { aggregate: &found.aggregate, change: gone(found.gone), streams: found.streams }
            }
            Difference::State(found) => Self::State {
                stream: found.stream.as_str(),
                version: found.version.0,
                changes: changes(&found.changes),
            },
            Difference::Event(found) => Self::Event {
                stream: found.stream.as_str(),
                version: found.version.0,
                position: found.position.0,
                r#type: &found.kind,
                fits: found.fits,
                problem: (&found.problem).into(),
            },
            Difference::Invariant(found) => Self::Invariant {
                stream: found.stream.as_str(),
                version: found.version.0,
                position: found.position.0,
                invariant: &found.name,
                now: found.now,
            },
            Difference::Row(found) => Self::Row {
                projection: &found.projection,
                key: (&found.key).into(),
                before: side(&found.before),
                after: side(&found.after),
                changes: changes(&found.changes),
            },
            Difference::Projection(found) => {
                let (rows, problem) = match &found.what {
                    ProjectionChange::New(rows) => (Some(*rows), None),
                    ProjectionChange::Stops(problem) => (None, Some(Problem::from(&**problem))),
                    ProjectionChange::Gone | ProjectionChange::Key(..) => (None, None),
                };
                Self::Projection { projection: &found.projection, change: change(&found.what), rows, problem }
            }
            Difference::Command(found) => Self::Command {
                id: &found.id,
                stream: found.stream.as_str(),
                command: &found.command,
                position: found.position.0,
                outcome: (&found.outcome).into(),
            },
        }
    }
}

impl<'a> From<&'a Outcome> for OutcomeLine<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        let lines = |events: &'a [Given]| events.iter().map(EventLine::from).collect();
        match outcome {
            Outcome::Rejected(rejection) => Self::Rejected {
                code: &rejection.code,
                message: &rejection.message,
                details: rejection.details.as_ref().map(Exact::from),
            },
            Outcome::Events { before, after } => Self::Events { before: lines(before), after: lines(after) },
            Outcome::Fails(problem) => Self::Fails { problem: (&**problem).into() },
        }
    }
}

impl<'a> From<&'a Given> for EventLine<'a> {
    fn from(given: &'a Given) -> Self {
        Self { stream: given.stream.as_str(), r#type: &given.kind, data: (&given.data).into() }
    }
}
