//! States and what changed in them, for people.

use super::{Output, text, wire};
use esctl::event::Recorded;
use esctl::json::{self, Value};
use esctl::workbench::Change;
use esctl::workbench::replay::{Replayed, Step};
use std::borrow::Cow;
use std::fmt::Write;
use std::io;
use std::time::Duration;

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

fn state(state: &Value, out: &mut Output) -> io::Result<()> {
    fields(state).try_for_each(|(_, words)| out.line(words.trim_end()))
}

/// The fields of a state, each with its line, or lines: the values stand beside each other.
pub(super) fn fields(state: &Value) -> impl Iterator<Item = (&str, String)> {
    let fields = state.as_object().into_iter().flatten();
    let names: Vec<_> = fields.clone().map(|(name, _)| text::harmless(name)).collect();
    let width = names.iter().map(|name| name.chars().count() + 1).max().unwrap_or(0);
    let line = move |(shown, (name, value)): (Cow<'_, str>, (_, &_))| {
        let words: &String = name;
        (words.as_str(), format!("{:<width$} {}", format!("{shown}:"), field(value)))
    };
    names.into_iter().zip(fields).map(line)
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
    out.line(&event(&step.event, step.gap))?;
    changed(&step.changes, out)
}

/// The same without the time that went by before.
pub(super) fn changed_by(cause: &Recorded, changes: &[Change], out: &mut Output) -> io::Result<()> {
    out.line(&event(cause, None))?;
    changed(changes, out)
}

fn changed(changed: &[Change], out: &mut Output) -> io::Result<()> {
    if changed.is_empty() { out.line("    (no change)") } else { changes(changed, out) }
}

/// An event on a line, as it is shown below what it belongs to.
pub(super) fn event(event: &Recorded, gap: Option<Duration>) -> String {
    let gap = gap.map(|gap| format!("  {}", text::gap(gap))).unwrap_or_default();
    let data = text::harmless(&event.data);
    format!("version {}  {}  {}{gap}  {} {data}", event.version, wire::at(event.position), event.time, event.kind)
}

/// One change a line, after its mark: `+` what was added, `~` what changed, `-` what was removed.
pub fn changes(changes: &[Change], out: &mut Output) -> io::Result<()> {
    changes.iter().try_for_each(|change| out.line(&format!("  {} {}", mark(change), one(change))))
}

/// The same, below what stands indented itself.
pub(super) fn changes_below(changes: &[Change], out: &mut Output) -> io::Result<()> {
    changes.iter().try_for_each(|change| out.line(&format!("    {} {}", mark(change), one(change))))
}

/// What kind of change it is, in one character.
pub(super) fn mark(change: &Change) -> char {
    match (&change.before, &change.after) {
        (None, _) => '+',
        (_, None) => '-',
        _ => '~',
    }
}

/// A change without its mark: `balance: 0.10 → 0.30`; of what was added or removed the one value.
pub(super) fn one(change: &Change) -> String {
    let path = text::harmless(change.path.strip_prefix('/').unwrap_or(&change.path));
    let path = if path.is_empty() { "state".into() } else { path };
    let values = [&change.before, &change.after].into_iter().flatten().map(text::value);
    format!("{path}: {}", values.collect::<Vec<_>>().join(" → "))
}
