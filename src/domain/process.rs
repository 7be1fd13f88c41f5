//! Processes: what the file says of them, and what they are once they are known to be sound.

use super::definition::{Named, Reader, StateDefinition};
use super::keys;
use super::projection::{HandlerDefinition, KeyDefinition, handlers, keys_of};
use super::yaml::{Content, Key, Node};
use crate::diagnostic::Place;
use crate::script::Script;
use crate::script::state::StateRules;
use indexmap::IndexMap;
use std::collections::HashMap;
use std::rc::Rc;

/// One entry of `processes`.
#[derive(Debug)]
pub struct ProcessDefinition {
    /// Its name.
    pub name: Named,
    /// `description`
    pub description: String,
    /// `key`
    pub key: Option<KeyDefinition>,
    /// `starts`: the events that begin an instance; `None` where all under `on` do.
    pub starts: Option<Vec<Named>>,
    /// `from: start`: it begins with the first event of a store, not after the last one.
    pub from_start: bool,
    /// `state`
    pub state: Vec<StateDefinition>,
    /// `on`: aggregate and event, with the handler.
    pub on: Vec<HandlerDefinition>,
    /// `on_rejected`: a command that it sends, with the handler.
    pub on_rejected: Vec<HandlerDefinition>,
    /// `on_deadline`: a deadline that it sets, with the handler.
    pub on_deadline: Vec<HandlerDefinition>,
}

/// A process: it answers events with commands.
#[derive(Debug)]
pub struct Process {
    /// Its name.
    pub name: Box<str>,
    /// What it does.
    pub description: String,
    /// Index of its file.
    pub file: usize,
    /// What the state of an instance is like.
    pub state: StateRules,
    /// What to do with each event, by aggregate and event.
    pub handlers: HashMap<(Box<str>, Box<str>), Reacts>,
    /// What to do when a command that it sent is rejected, by aggregate and command.
    pub rejected: HashMap<(Box<str>, Box<str>), Script>,
    /// What to do at each deadline, in the order of the file.
    pub deadlines: IndexMap<Box<str>, Script>,
    /// The commands that it can send, by aggregate and command, each with the place of its first `send`.
    pub sends: IndexMap<(Box<str>, Box<str>), Place>,
    /// Whether it begins with the first event of a store.
    pub from_start: bool,
    /// The digest of everything that decides what it does.
    pub digest: Box<str>,
    /// Where its name stands.
    pub place: Place,
}

/// What a process does with one event.
#[derive(Debug)]
pub struct Reacts {
    /// Which instances it concerns.
    pub key: Rc<Script>,
    /// What happens in each.
    pub script: Script,
    /// Whether it begins an instance that is not there.
    pub starts: bool,
    /// Where its event is named.
    pub place: Place,
}

/// Reads one entry of `processes`.
pub(super) fn read(reader: &mut Reader<'_>, key: &Key, node: &Node) -> Option<ProcessDefinition> {
    let name = reader.name(key, "a process");
    let section = reader.section(node, "a process", keys::PROCESS)?;
    let description = reader.description(section);
    for required in ["key", "on"] {
        if section.get(required).is_none() {
            reader.problem("missing-key", format!("the process `{}` has no `{required}`", name.text), &name.place);
        }
    }
    let starts = section.get("starts").map(|node| match &node.content {
        Content::List(items) if items.is_empty() => {
            reader.problem("shape", "`starts` names no event: nothing would begin an instance", &node.place);
            Vec::new()
        }
        Content::List(items) => items.iter().filter_map(|item| reader.text(item, "an event")).collect(),
        _ => reader.text(node, "an event").into_iter().collect(),
    });
    let from_start = section.get("from").is_some_and(|node| match node.scalar().map(|scalar| scalar.text.as_str()) {
        Some("start") => true,
        Some("end") => false,
        _ => {
            let problem = reader.problem("shape", "`from` is `start` or `end`", &node.place);
            problem.hints.push("from `start` a process answers what happened before it was there".to_owned());
            false
        }
    });
    if let Some(Content::Map(entries)) = section.get("on_deadline").map(|node| &node.content) {
        for (key, _) in entries {
            reader.name(key, "a deadline");
        }
    }
    let state = section.get("state").and_then(|node| reader.entries(node, "`state`")).unwrap_or(&[]);
    let state = state.iter().map(|(key, node)| reader.state_field(key, node)).collect();
    Some(ProcessDefinition {
        name,
        description,
        key: keys_of(reader, section),
        starts,
        from_start,
        state,
        on: handlers(reader, section, "on"),
        on_rejected: handlers(reader, section, "on_rejected"),
        on_deadline: handlers(reader, section, "on_deadline"),
    })
}
