//! Events over time: what an event was called before, what its payload was like, which events are no longer, and how often
//! what they add up to is kept.

use super::SNAPSHOT;
use super::definition::{Named, Reader, Section};
use super::yaml::{Content, Node};
use crate::diagnostic::Place;
use crate::json::Value;
use crate::script::ScriptText;

/// What became of an event: `version`, `was` and `upcast`.
#[derive(Debug, Clone)]
pub struct History {
    /// The version of its schema now; 1 where nothing is said.
    pub version: u32,
    /// Where that stands; where nothing is said, the event's name.
    pub place: Place,
    /// The names it had before.
    pub was: Vec<Named>,
    /// What makes the next version of a payload of each version before, in the order of the file; `None` where it cannot
    /// be read, which was reported.
    pub upcast: Vec<(u32, Named, Option<ScriptText>)>,
}

impl History {
    /// Whether anything is said of it: another name, or an earlier version.
    pub(super) fn is_told(&self) -> bool {
        self.version > 1 || !self.was.is_empty()
    }
}

/// Reads what an event's entry says of its past.
pub(super) fn read(reader: &mut Reader<'_>, section: Section<'_>, event: &Named) -> History {
    let mut history = History { version: 1, place: event.place.clone(), was: Vec::new(), upcast: Vec::new() };
    if let Some(node) = section.get("version") {
        history.place = node.place.clone();
        history.version = version(reader, node).unwrap_or(1);
    }
    history.was = section.get("was").map(|node| names(reader, node, "`was`")).unwrap_or_default();
    for (key, node) in section.get("upcast").and_then(|node| reader.entries(node, "`upcast`")).unwrap_or_default() {
        let script = reader.script(node, &key.text);
        match key.text.parse() {
            Ok(from) if from > 0 => history.upcast.push((from, key.into(), script)),
            _ => {
                let message = format!("`{}` is no version of `{}`", key.text, event.text);
                let hint = "a step is named by the version that it begins with: `1: event.currency = \"EUR\"`";
                reader.problem("upcast", message, &key.place).hints.push(hint.to_owned());
            }
        }
    }
    history
}

/// A version of a schema.
pub(super) fn version(reader: &mut Reader<'_>, node: &Node) -> Option<u32> {
    let version = node.scalar().and_then(|scalar| scalar.text.parse().ok()).filter(|version| *version > 0);
    if version.is_none() {
        reader.problem("shape", "`version` is a whole number from 1", &node.place);
    }
    version
}

/// After how many events a state is kept.
pub(super) fn snapshot(reader: &mut Reader<'_>, node: &Node) -> u64 {
    match node.value(reader.problems) {
        Value::Integer(every) if every >= 0 => every.unsigned_abs(),
        _ => {
            let hint = "`snapshot: 500` keeps a stream's state after every 500 events or so, `snapshot: 0` keeps none";
            reader.problem("shape", "`snapshot` is a whole number from 0", &node.place).hints.push(hint.to_owned());
            SNAPSHOT
        }
    }
}

/// A list of names, or one alone.
pub(super) fn names(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<Named> {
    match &node.content {
        Content::List(items) => items.iter().filter_map(|item| reader.text(item, what)).collect(),
        _ if node.is_null() => Vec::new(),
        _ => reader.text(node, what).into_iter().collect(),
    }
}
