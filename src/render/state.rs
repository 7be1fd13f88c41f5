//! States and what changed in them, for people.

use super::{Output, text, wire};
use esctl::event::Recorded;
use esctl::json::{self, Value};
use esctl::workbench::Change;
use esctl::workbench::replay::{Replayed, Step};
use std::fmt::Write;
use std::io;

/// Values up to this many characters stay on the line of their name.
const ONE_LINE: usize = 100;

/// What the state is of, an empty line, and its fields.
pub fn replayed(replayed: &Replayed, out: &mut Output) -> io::Result<()> {
    let mut header = format!("{}  version {}", text::harmless(replayed.stream.as_str()), replayed.version);
    if let Some(time) = replayed.time {
        let _ = write!(header, "  {}  {time}", wire::at(replayed.position));
    }
    out.line(&header)?;
    out.line("")?;
    state(&replayed.state, out)
}

/// One field a line, the values beside each other.
fn state(state: &Value, out: &mut Output) -> io::Result<()> {
    let Some(fields) = state.as_object() else {
        return out.line(&text::value(state));
    };
    let names: Vec<_> = fields.keys().map(|name| text::harmless(name)).collect();
    let width = names.iter().map(|name| name.chars().count() + 1).max().unwrap_or(0);
    for (name, value) in names.iter().zip(fields.values()) {
        out.line(format!("{:<width$} {}", format!("{name}:"), field(value)).trim_end())?;
    }
    Ok(())
}

/// A value; a large one goes on below, indented.
fn field(value: &Value) -> String {
    let short = text::value(value);
    if short.chars().count() <= ONE_LINE || !matches!(value, Value::List(_) | Value::Object(_)) {
        return short;
    }
    let mut out = String::new();
    for line in json::pretty(value).lines() {
        out.push_str("\n  ");
        out.push_str(&text::harmless(line));
    }
    out
}

/// An event and, below it, what it changed.
pub fn step(step: &Step, out: &mut Output) -> io::Result<()> {
    changed_by(&step.event, &step.changes, out)
}

/// The same.
pub(super) fn changed_by(cause: &Recorded, changed: &[Change], out: &mut Output) -> io::Result<()> {
    out.line(&event(cause))?;
    if changed.is_empty() {
        return out.line("    (no change)");
    }
    changes(changed, out)
}

/// An event on a line, as it is shown below what it belongs to.
fn event(event: &Recorded) -> String {
    let position = wire::at(event.position);
    let data = text::harmless(&event.data);
    format!("version {}  {position}  {}  {} {data}", event.version, event.time, event.kind)
}

/// One change a line: `balance: 0.10 → 0.30`.
pub fn changes(changes: &[Change], out: &mut Output) -> io::Result<()> {
    changes.iter().try_for_each(|change| out.line(&format!("    {}", one(change))))
}

fn one(change: &Change) -> String {
    let path = text::harmless(change.path.strip_prefix('/').unwrap_or(&change.path));
    let path = if path.is_empty() { "state".into() } else { path };
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{path}: {} → {}", text::value(before), text::value(after)),
        (None, Some(after)) => format!("{path}: added {}", text::value(after)),
        (Some(before), None) => format!("{path}: removed, was {}", text::value(before)),
        (None, None) => format!("{path}: unchanged"),
    }
}
