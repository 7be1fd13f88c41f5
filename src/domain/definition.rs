//! What a domain file says: every part with its place, nothing yet known to be sound.
//!
//! The reading never stops at the first problem. What could be read is kept, so that [`super::check`] can say what
//! else is wrong with it.

use super::SNAPSHOT;
use super::fields::{Fields, Type};
use super::history::{self, History};
use super::keys;
use super::process::{self, ProcessDefinition};
use super::projection::{self, ProjectionDefinition};
use super::scenario::{self, ScenarioDefinition};
use super::types::Types;
use super::yaml::{self, Content, Key, Node, Style};
use crate::diagnostic::{Diagnostic, Place, Source, meant};
use crate::json::{Object, Value};
use crate::script::ScriptText;
use crate::script::text::Walk;
use std::sync::Arc;

/// The longest script, in bytes.
const MAX_SCRIPT_BYTES: usize = 64 * 1024;

/// A name with its place.
#[derive(Debug, Clone)]
pub struct Named {
    /// The name.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

impl From<&Key> for Named {
    fn from(key: &Key) -> Self {
        Self { text: key.text.clone(), place: key.place.clone() }
    }
}

/// A whole file.
#[derive(Debug)]
pub struct Definition {
    /// The file.
    pub source: Arc<Source>,
    /// `domain`; `None` in a file of scenarios only.
    pub name: Option<Named>,
    /// `description`
    pub description: String,
    /// `functions`
    pub functions: Option<ScriptText>,
    /// `aggregates`
    pub aggregates: Vec<AggregateDefinition>,
    /// `projections`
    pub projections: Vec<ProjectionDefinition>,
    /// `processes`
    pub processes: Vec<ProcessDefinition>,
    /// `scenarios`
    pub scenarios: Vec<ScenarioDefinition>,
}

/// One entry of `aggregates`.
#[derive(Debug)]
pub struct AggregateDefinition {
    /// Its name.
    pub name: Named,
    /// `description`
    pub description: String,
    /// `state`
    pub state: Vec<StateDefinition>,
    /// `events`
    pub events: Vec<EventDefinition>,
    /// `retired`: events that old streams hold and nobody emits any more.
    pub retired: Vec<Named>,
    /// `commands`
    pub commands: Vec<CommandDefinition>,
    /// `invariants`
    pub invariants: Vec<(Named, ScriptText)>,
    /// `snapshot`: after how many events the state of a stream is kept; 0 is never.
    pub snapshot: u64,
}

/// One field of a state.
#[derive(Debug)]
pub struct StateDefinition {
    /// Its name.
    pub name: Named,
    /// Its value before the first event.
    pub initial: Value,
    /// The type it is pinned to, where it is written as `{ type: …, initial: … }`.
    pub pinned: Option<Type>,
}

/// One entry of `events`.
#[derive(Debug)]
pub struct EventDefinition {
    /// Its name.
    pub name: Named,
    /// `description`
    pub description: String,
    /// `fields`
    pub fields: Fields,
    /// `fold`
    pub fold: Option<ScriptText>,
    /// Whether a `fold` was written, readable or not.
    pub folds: bool,
    /// `version`, `was` and `upcast`
    pub history: History,
}

/// One entry of `commands`.
#[derive(Debug)]
pub struct CommandDefinition {
    /// Its name.
    pub name: Named,
    /// `description`
    pub description: String,
    /// `fields`
    pub fields: Fields,
    /// `decide`; `None` where it is missing, which was reported.
    pub decide: Option<ScriptText>,
}

/// Reads a file. What is wrong with its shape goes to `problems`; `None` where nothing could be read.
pub fn read(source: &Arc<Source>, problems: &mut Vec<Diagnostic>) -> Option<Definition> {
    let root = match yaml::parse(source) {
        Ok(root) => root,
        Err(found) => {
            problems.extend(found);
            return None;
        }
    };
    Reader { problems, types: Types::default() }.file(source, &root)
}

/// The entries of a map whose keys are known.
#[derive(Clone, Copy)]
pub(super) struct Section<'n> {
    entries: &'n [(Key, Node)],
}

impl<'n> Section<'n> {
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|(k, _)| k.text == key).map(|(_, node)| node)
    }
}

pub(super) struct Reader<'p> {
    pub(super) problems: &'p mut Vec<Diagnostic>,
    pub(super) types: Types,
}

impl Reader<'_> {
    pub(super) fn problem(&mut self, rule: &'static str, message: impl Into<String>, place: &Place) -> &mut Diagnostic {
        self.problems.push(Diagnostic::error(rule, message).at(place.clone()));
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    fn hinted(&mut self, rule: &'static str, message: impl Into<String>, place: &Place, hint: impl Into<String>) {
        self.problem(rule, message, place).hints.push(hint.into());
    }

    /// A map with these keys and no others.
    pub(super) fn section<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<Section<'n>> {
        let entries = self.entries(node, what)?;
        for (key, _) in entries {
            if known.contains(&key.text.as_str()) {
                continue;
            }
            let hint = meant(&key.text, known.iter().copied(), &format!("{what} has"));
            self.problem("unknown-key", format!("`{}` is no key of {what}", key.text), &key.place).hints.extend(hint);
        }
        Some(Section { entries })
    }

    /// The entries of a map with names of the user's choosing. An absent map is empty.
    pub(super) fn entries<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [(Key, Node)]> {
        if let Some(tag) = &node.tag {
            self.problem("tag", "YAML tags (`!…`) have no place in a domain file", tag);
        }
        match &node.content {
            Content::Map(entries) => Some(entries),
            _ if node.is_null() => Some(&[]),
            _ => {
                self.problem("shape", format!("{what} is a map, not {}", node.kind_name()), &node.place);
                None
            }
        }
    }

    pub(super) fn items<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Node] {
        match &node.content {
            Content::List(items) => items,
            _ if node.is_null() => &[],
            _ => {
                self.problem("shape", format!("{what} is a list, not {}", node.kind_name()), &node.place);
                &[]
            }
        }
    }

    /// A line of text.
    pub(super) fn text(&mut self, node: &Node, what: &str) -> Option<Named> {
        match node.scalar() {
            Some(scalar) if !node.is_null() => {
                Some(Named { text: scalar.text.trim_end().to_owned(), place: node.place.clone() })
            }
            _ => {
                self.problem("shape", format!("{what} is a text, not {}", node.kind_name()), &node.place);
                None
            }
        }
    }

    pub(super) fn description(&mut self, section: Section<'_>) -> String {
        section
            .get("description")
            .and_then(|node| self.text(node, "`description`"))
            .map_or_else(String::new, |t| t.text)
    }

    /// A name that becomes part of stream names, SQL and scripts.
    pub(super) fn name(&mut self, key: &Key, what: &str) -> Named {
        let legal = key.text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && key.text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && key.text.len() <= 64;
        if !legal {
            self.hinted(
                "name",
                format!("`{}` is no name for {what}", key.text),
                &key.place,
                "a name has letters, digits and `_`, begins with no digit, and is at most 64 long",
            );
        }
        key.into()
    }

    /// A script. Whatever YAML made something else of gets one answer: write it as a block.
    pub(super) fn script(&mut self, node: &Node, key: &str) -> Option<ScriptText> {
        let as_block = |written: &str| format!("write this script as a block:\n  {key}: |\n    {written}");
        if let Some(tag) = &node.tag {
            let place = Place { end: node.place.end.max(tag.end), ..tag.clone() };
            let written =
                place.source.text.get(place.start..place.end).unwrap_or("…").lines().next().unwrap_or("…").to_owned();
            self.hinted(
                "script-shape",
                "YAML takes what begins with `!` for a tag, not for a script",
                &place,
                as_block(&written),
            );
            return None;
        }
        match &node.content {
            Content::Scalar(scalar) if scalar.text.len() > MAX_SCRIPT_BYTES => {
                let words =
                    format!("a script has at most {MAX_SCRIPT_BYTES} bytes, this one has {}", scalar.text.len());
                self.problem("too-large", words, &Place { end: node.place.start, ..node.place.clone() });
                None
            }
            Content::Scalar(scalar) if !node.is_null() => {
                let comment = scalar.comment.clone().filter(|_| scalar.style == Style::Plain);
                Some(ScriptText {
                    text: scalar.text.clone(),
                    place: node.place.clone(),
                    key: key.to_owned(),
                    comment,
                    walk: Walk::default(),
                })
            }
            Content::Scalar(_) => {
                self.hinted("script-shape", format!("`{key}` has no script"), &node.place, as_block("…"));
                None
            }
            _ => {
                let written =
                    node.place.source.text.get(node.place.start..node.place.end).unwrap_or("…").trim().to_owned();
                let message = format!("`{key}` is a script, but YAML reads {} here", node.kind_name());
                self.hinted("script-shape", message, &node.place, as_block(&written));
                None
            }
        }
    }

    fn file(mut self, source: &Arc<Source>, root: &Node) -> Option<Definition> {
        let scenarios_only = source.name.ends_with(".scenarios.yaml") || source.name.ends_with(".scenarios.yml");
        let known = if scenarios_only { keys::SCENARIO_FILE } else { keys::FILE };
        let what = if scenarios_only { "a file of scenarios" } else { "a domain file" };
        let section = self.section(root, what, known)?;
        let name = section.get("domain").and_then(|node| self.text(node, "`domain`"));
        if name.is_none() && !scenarios_only && section.get("domain").is_none() {
            let start = Place { source: source.clone(), start: root.place.start, end: root.place.start };
            self.hinted(
                "missing-key",
                "a domain file begins with the domain's name",
                &start,
                "write `domain: NAME` as its first line",
            );
        }
        if let Some(node) = section.get("types") {
            self.read_types(node);
        }
        let functions = section.get("functions").and_then(|node| self.script(node, "functions"));
        let aggregates = section.get("aggregates").and_then(|node| self.entries(node, "`aggregates`")).unwrap_or(&[]);
        let aggregates = aggregates.iter().filter_map(|(key, node)| self.aggregate(key, node)).collect();
        let projections =
            section.get("projections").and_then(|node| self.entries(node, "`projections`")).unwrap_or(&[]);
        let projections = projections.iter().filter_map(|(key, node)| projection::read(&mut self, key, node)).collect();
        let processes = section.get("processes").and_then(|node| self.entries(node, "`processes`")).unwrap_or(&[]);
        let processes = processes.iter().filter_map(|(key, node)| process::read(&mut self, key, node)).collect();
        let scenarios = section.get("scenarios").map_or(&[][..], |node| self.items(node, "`scenarios`"));
        let scenarios = scenarios.iter().filter_map(|node| scenario::read(&mut self, node)).collect();
        let description = self.description(section);
        let source = source.clone();
        Some(Definition { source, name, description, functions, aggregates, projections, processes, scenarios })
    }

    fn aggregate(&mut self, key: &Key, node: &Node) -> Option<AggregateDefinition> {
        let name = self.name(key, "an aggregate");
        let section = self.section(node, "an aggregate", keys::AGGREGATE)?;
        let description = self.description(section);
        let state = section.get("state").and_then(|node| self.entries(node, "`state`")).unwrap_or(&[]);
        let state = state.iter().map(|(key, node)| self.state_field(key, node)).collect();
        let events = section.get("events").and_then(|node| self.entries(node, "`events`")).unwrap_or(&[]);
        let events = events.iter().filter_map(|(key, node)| self.event(key, node)).collect();
        let retired = section.get("retired").map(|node| history::names(self, node, "`retired`")).unwrap_or_default();
        let commands = section.get("commands").and_then(|node| self.entries(node, "`commands`")).unwrap_or(&[]);
        let commands = commands.iter().filter_map(|(key, node)| self.command(key, node)).collect();
        let invariants = section.get("invariants").and_then(|node| self.entries(node, "`invariants`")).unwrap_or(&[]);
        let invariants = invariants
            .iter()
            .filter_map(|(key, node)| Some((self.name(key, "an invariant"), self.script(node, &key.text)?)))
            .collect();
        let snapshot = section.get("snapshot").map_or(SNAPSHOT, |node| history::snapshot(self, node));
        Some(AggregateDefinition { name, description, state, events, retired, commands, invariants, snapshot })
    }

    pub(super) fn state_field(&mut self, key: &Key, node: &Node) -> StateDefinition {
        let name = Named::from(key);
        if let Content::Map(entries) = &node.content
            && entries.iter().any(|(k, _)| k.text == "type")
            && entries.iter().all(|(k, _)| keys::STATE.contains(&k.text.as_str()))
        {
            return self.pinned_field(name, entries);
        }
        StateDefinition { name, initial: node.value(self.problems), pinned: None }
    }

    fn pinned_field(&mut self, name: Named, entries: &[(Key, Node)]) -> StateDefinition {
        let section = Section { entries };
        let pinned = section.get("type").and_then(|node| self.read_type(node));
        let initial = match (section.get("initial"), &pinned) {
            (Some(node), Some(kind)) => {
                let given = node.value(self.problems);
                match kind.accept(given) {
                    Ok(value) => value,
                    Err(problems) => {
                        for problem in problems {
                            self.problem(
                                "initial",
                                format!("`initial` does not fit the type: {}", problem.message),
                                &node.place,
                            );
                        }
                        Value::Null
                    }
                }
            }
            (Some(node), None) => node.value(self.problems),
            (None, Some(kind)) => kind.zero(),
            (None, None) => Value::Null,
        };
        StateDefinition { name, initial, pinned }
    }

    fn event(&mut self, key: &Key, node: &Node) -> Option<EventDefinition> {
        let name = self.name(key, "an event");
        let section = self.section(node, "an event", keys::EVENT)?;
        let description = self.description(section);
        let fields = section.get("fields").map(|node| self.fields(node, "`fields`")).unwrap_or_default();
        let fold = section.get("fold").and_then(|node| self.script(node, "fold"));
        let folds = section.get("fold").is_some();
        let history = history::read(self, section, &name);
        Some(EventDefinition { name, description, fields, fold, folds, history })
    }

    fn command(&mut self, key: &Key, node: &Node) -> Option<CommandDefinition> {
        let name = self.name(key, "a command");
        let section = self.section(node, "a command", keys::COMMAND)?;
        let description = self.description(section);
        let fields = section.get("fields").map(|node| self.fields(node, "`fields`")).unwrap_or_default();
        let decide = section.get("decide").and_then(|node| self.script(node, "decide"));
        if section.get("decide").is_none() {
            self.hinted(
                "missing-key",
                format!("the command `{}` has no `decide`", name.text),
                &name.place,
                "a command needs a script that emits events or rejects",
            );
        }
        Some(CommandDefinition { name, description, fields, decide })
    }

    /// A payload given as data in a scenario.
    pub(super) fn payload(&mut self, node: &Node) -> Object {
        match node.value(self.problems) {
            Value::Object(object) => object,
            Value::Null => Object::new(),
            _ => {
                self.problem("shape", format!("a payload is a map, not {}", node.kind_name()), &node.place);
                Object::new()
            }
        }
    }
}
