//! Scenarios in YAML, as they can be put into a domain file.

use super::text::thousands;
use esctl::event::{StreamName, Time, is_control};
use esctl::json::{Object, Value};
use esctl::workbench::generate::{Asked, Broken, Step};
use std::fmt::Write as _;

/// Words that YAML takes for something else than text.
const TAKEN: [&str; 3] = ["true", "false", "null"];
/// Words that some readers do.
const DOUBTFUL: [&str; 6] = ["yes", "no", "on", "off", "y", "n"];

/// The scenario, as an item of the list under `scenarios:`. Nothing where there are no commands.
pub fn scenario(broken: &Broken, asked: &Asked) -> String {
    let Some((last, given)) = broken.steps.split_last() else { return String::new() };
    let mut out = String::new();
    // Writing to a string cannot fail.
    let filter = asked.filter.as_deref().map(|filter| format!(" {}", word(filter))).unwrap_or_default();
    let _ = writeln!(out, "  # esctl test{filter} --generate {} --seed {}", asked.runs, asked.seed);
    for line in broken.problem.message.lines() {
        let _ = writeln!(out, "  # {}", shown(line.trim_start()));
    }
    let _ = writeln!(out, "  - name: {} (seed {}, run {})", broken.law.words(), asked.seed, thousands(broken.run));
    let mut time = Time::default();
    if !given.is_empty() {
        out.push_str("    given:\n");
        for step in given {
            let _ = writeln!(out, "      - {}", step_text(step, &mut time, "        "));
        }
    }
    let _ = writeln!(out, "    when:\n      {}", step_text(last, &mut time, "      "));
    match &broken.row {
        Some((projection, key)) => {
            out.push_str("    # What has to be in the row is for you to say.\n");
            let _ = writeln!(out, "    then: {{ rows: {{ {projection}: {{ {}: {{}} }} }} }}", quoted(key));
        }
        None if broken.shown => {
            out.push_str("    # What has to come of it is for you to say: here, that it is accepted.\n");
            out.push_str("    then: { state: {} }\n");
        }
        None => {
            out.push_str("    # A scenario cannot ask for what is broken here; it holds the commands.\n");
            out.push_str("    then: { state: {} }\n");
        }
    }
    out
}

/// A line of a scenario: an event or a command, with what stands beside it.
pub(super) struct Line<'a> {
    /// Its stream, where that is said.
    pub stream: Option<&'a StreamName>,
    /// Its name.
    pub name: &'a str,
    /// Its payload.
    pub data: &'a Object,
    /// When it is sent, or was stored.
    pub at: Time,
    /// The version of its schema, where that is an earlier one.
    pub version: Option<u32>,
}

impl Line<'_> {
    /// `account/1 Deposit: { amount: 10 }`, with `at` below it where time has gone by since `time`.
    pub(super) fn text(&self, time: &mut Time, indent: &str) -> String {
        let title = self.stream.map_or_else(|| self.name.to_owned(), |stream| format!("{stream} {}", self.name));
        let is_plain = title.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | ' '));
        let title = if is_plain { title } else { quoted(&title) };
        let mut out = format!("{title}: {}", object(self.data));
        if self.at > *time {
            *time = self.at;
            let _ = write!(out, "\n{indent}at: {}", time_text(self.at));
        }
        if let Some(version) = self.version {
            let _ = write!(out, "\n{indent}version: {version}");
        }
        out
    }
}

fn step_text(step: &Step, time: &mut Time, indent: &str) -> String {
    let Step { stream, command, data, at } = step;
    Line { stream: Some(stream), name: command, data, at: *at, version: None }.text(time, indent)
}

/// As short as it can be written.
fn time_text(time: Time) -> String {
    let text = time.to_string();
    if let Some(date) = text.strip_suffix("T00:00:00.000000Z") {
        return date.to_owned();
    }
    text.replace(".000000Z", "Z")
}

pub(super) fn object(members: &Object) -> String {
    if members.is_empty() {
        return "{}".to_owned();
    }
    let members: Vec<String> =
        members.iter().map(|(name, member)| format!("{}: {}", key(name), value(member))).collect();
    format!("{{ {} }}", members.join(", "))
}

fn value(value_: &Value) -> String {
    match value_ {
        Value::Text(text) => word(text),
        Value::List(items) => format!("[{}]", items.iter().map(value).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => object(members),
        other => other.to_string(),
    }
}

/// A text, without quotes where no reader takes it for something else.
pub(super) fn word(text: &str) -> String {
    if is_word(text) && !is_among(&DOUBTFUL, text) { text.to_owned() } else { quoted(text) }
}

/// A name, as people write it in a domain file.
fn key(name: &str) -> String {
    if is_word(name) { name.to_owned() } else { quoted(name) }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !is_among(&TAKEN, text)
}

fn is_among(words: &[&str], text: &str) -> bool {
    words.iter().any(|word| word.eq_ignore_ascii_case(text))
}

/// A text in quotes.
fn quoted(text: &str) -> String {
    let json = Value::Text(text.to_owned()).to_string();
    shown(&json)
}

/// Without characters that YAML does not take as they are.
fn shown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_control(c) || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') {
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out
}
