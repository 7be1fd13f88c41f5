//! History as a file of scenarios.

use super::scenario::{self, Line};
use super::text;
use esctl::event::{StreamName, Time};
use esctl::json::{self, Object, Value};
use esctl::workbench::record::Recording;
use std::fmt::Write as _;

/// The whole file.
pub fn file(what: &str, recording: &Recording) -> String {
    let mut out = String::new();
    let position = recording.position;
    let shown = text::harmless(what);
    // Writing to a string cannot fail.
    let _ = writeln!(out, "scenarios:\n  # esctl test --record {shown}");
    let name = if what.starts_with('@') { what.to_owned() } else { format!("{what} up to @{position}") };
    let _ = writeln!(out, "  - name: {}", scenario::word(&name));
    let mut clock = Time::default();
    if !recording.given.is_empty() {
        out.push_str("    given:\n");
        for (event, version) in &recording.given {
            let data = object(&event.data);
            let line =
                Line { stream: Some(&event.stream), name: &event.kind, data: &data, at: event.time, version: *version };
            let _ = writeln!(out, "      - {}", line.text(&mut clock, "        "));
        }
    }
    out.push_str("    when:\n");
    for command in &recording.when {
        let data = object(&command.data);
        let line =
            Line { stream: Some(&command.stream), name: &command.name, data: &data, at: command.time, version: None };
        let _ = writeln!(out, "      - {}", line.text(&mut clock, "        "));
    }
    out.push_str("    then:\n");
    expected(recording, &mut out);
    if let Value::Object(state) = &recording.last.state {
        let _ = writeln!(out, "      state: {}", scenario::object(state));
    }
    out
}

fn expected(recording: &Recording, out: &mut String) {
    if recording.then.is_empty() {
        out.push_str("      nothing: true\n");
        return;
    }
    out.push_str("      events:\n");
    let own: &StreamName = &recording.last.stream;
    for event in &recording.then {
        let data = object(&event.data);
        let stream = (event.stream != *own).then_some(&event.stream);
        let line = Line { stream, name: &event.kind, data: &data, at: Time::default(), version: None };
        let _ = writeln!(out, "        - {}", line.text(&mut event.time.clone(), ""));
    }
}

fn object(text: &str) -> Object {
    match json::parse(text) {
        Ok(Value::Object(members)) => members,
        _ => Object::new(),
    }
}
