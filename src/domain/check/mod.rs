//! From what the files say to what is known to be sound: every problem, none twice, in the order of the files.

mod aggregates;
mod condition;
mod decisions;
mod events;
mod kinds;
mod meanings;
mod processes;
mod projections;
mod scenarios;
mod scripts;
mod upcasts;

use crate::diagnostic::{Diagnostic, Place, Source, meant};
use crate::domain::definition::Definition;
use crate::domain::fields::Fields;
use crate::domain::{Aggregate, Domains, File, definition, digest, yaml};
use crate::script::Host;
use crate::script::facts::{ArgumentKind, Call};
use crate::script::kinds::{Kind, Record};
use kinds::{Reading, Wants};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// The most problems that are listed.
const MAX_PROBLEMS: usize = 1_000;
/// Functions that only a `decide` can call.
const DECIDING: &[&str] = &["emit", "emit_to", "reject", "require", "load", "new_id"];
/// Functions that only a projection's handler can call.
const PROJECTING: &[&str] = &["delete"];
/// Functions that only a handler of a process can call.
const REACTING: &[&str] = &["send", "done", "after", "cancel"];
/// The store's documented views: no projection may bear their names.
const VIEWS: &[&str] = &["events", "streams", "commands", "domains", "projections"];
/// Words of the script language that a field may be called, but not after a dot.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "if", "else", "switch", "do", "while", "until", "loop", "for", "in", "continue", "break", "return", "throw", "try", "catch",
    "fn", "private", "this", "let", "const", "true", "false", "import", "export", "as", "global", "default", "new", "match",
    "use", "with", "is", "module", "package", "var", "static", "shared", "super", "goto", "void", "null", "nil", "spawn", "go",
    "sync", "async", "await", "yield", "thread", "case", "public", "protected", "each", "then", "exit", "eval", "Fn", "call",
    "curry", "type_of", "print", "debug", "is_def_var", "is_def_fn", "is_shared",
];

/// Reads and checks files.
pub(super) fn load(sources: &[Arc<Source>]) -> (Option<Domains>, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let mut definitions = Vec::new();
    for source in sources {
        definitions.extend(definition::read(source, &mut problems));
    }
    // What a file that cannot be read declares is not known: names that others use may be in it.
    let complete = definitions.len() == sources.len();
    let domains = Checker::new(&mut problems, &definitions, complete).check(definitions);
    let order = |place: &Place| sources.iter().position(|s| s.name == place.source.name).unwrap_or(usize::MAX);
    problems.sort_by_key(|problem| problem.place.as_ref().map(|place| (order(place), place.start)));
    let mut found: Vec<Diagnostic> = Vec::new();
    for problem in problems {
        // What was said before stands at the same place.
        if !found.iter().rev().take_while(|before| before.place == problem.place).any(|before| *before == problem) {
            found.push(problem);
        }
    }
    let sound = !found.iter().any(Diagnostic::is_error);
    (domains.filter(|_| sound), readable(found))
}

/// As many problems as anybody reads: the first, and where the others begin. Where there are errors, warnings go first.
fn readable(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    if problems.len() > MAX_PROBLEMS && problems.iter().any(Diagnostic::is_error) {
        problems.retain(Diagnostic::is_error);
    }
    if problems.len() > MAX_PROBLEMS {
        let severity = problems[0].severity;
        let rest = problems.split_off(MAX_PROBLEMS);
        let words = format!("from here on there are {} more problems", rest.len());
        let place = rest.into_iter().next().and_then(|first| first.place);
        problems.push(Diagnostic { severity, place, ..Diagnostic::error("more", words) });
    }
    problems
}

/// Where other YAML readers would take a file for something else. Costs a second reading of every file.
pub fn second_opinions(sources: &[Arc<Source>]) -> Vec<Diagnostic> {
    let opinion = |source| yaml::parse(source).ok().and_then(|root| yaml::second_opinion(source, &root));
    sources.iter().filter_map(opinion).collect()
}

/// What the names of all files mean.
struct Names {
    /// Aggregate → its events with their fields.
    events: BTreeMap<String, BTreeMap<String, Rc<Fields>>>,
    /// Aggregate → its commands with their fields.
    commands: BTreeMap<String, BTreeMap<String, Rc<Fields>>>,
    /// The digest of what is said of an event's past, by aggregate and event, where anything is.
    pasts: BTreeMap<(String, String), Box<str>>,
    /// Names that events had before, by aggregate, with what they are called now; `None`: they are retired.
    former: BTreeMap<(String, String), Option<String>>,
}

struct Checker<'p> {
    problems: &'p mut Vec<Diagnostic>,
    names: Names,
    complete: bool,
    /// Whether the functions of the file at hand compile: only then is known which there are.
    functions: bool,
    /// Scripts that compile, to be read with the kinds of what they see once all of them are known.
    readings: Vec<Reading>,
    /// What is known of the states of aggregates.
    states: BTreeMap<String, Rc<Record>>,
}

/// What a script is for: what it sees and may call.
struct Purpose<'a> {
    /// Names in scope, in order.
    scope: &'a [&'a str],
    /// What is known of the values under those names.
    kinds: Vec<(&'static str, Kind)>,
    /// The aggregate that it belongs to; empty where it belongs to none.
    aggregate: &'a str,
    /// What its value is to be.
    wants: Wants,
    /// The one of them that the script may change, if any.
    changes: &'a str,
    /// Functions beyond those that every script may call.
    calls: &'a [&'a str],
    /// What it is, for messages: "a `fold`".
    what: &'a str,
}

impl<'p> Checker<'p> {
    fn new(problems: &'p mut Vec<Diagnostic>, definitions: &[Definition], complete: bool) -> Self {
        let mut events: BTreeMap<String, BTreeMap<String, Rc<Fields>>> = BTreeMap::new();
        let mut commands: BTreeMap<String, BTreeMap<String, Rc<Fields>>> = BTreeMap::new();
        for aggregate in definitions.iter().flat_map(|d| &d.aggregates) {
            let asked = aggregate.commands.iter().map(|c| (c.name.text.clone(), Rc::new(c.fields.clone())));
            commands.entry(aggregate.name.text.clone()).or_default().extend(asked);
            let of = aggregate.events.iter().map(|e| (e.name.text.clone(), Rc::new(e.fields.clone())));
            // Where a name is taken twice that is said; what belongs to which of them nobody can know.
            events.entry(aggregate.name.text.clone()).or_default().extend(of);
        }
        let mut pasts = BTreeMap::new();
        for definition in definitions {
            for aggregate in &definition.aggregates {
                for event in aggregate.events.iter().filter(|event| event.history.is_told()) {
                    let past = digest::of_history(&event.history, definition.functions.as_ref());
                    pasts.insert((aggregate.name.text.clone(), event.name.text.clone()), past);
                }
            }
        }
        let names = Names { events, commands, pasts, former: events::former(definitions) };
        Self { problems, names, complete, functions: true, readings: Vec::new(), states: BTreeMap::new() }
    }

    fn problem(&mut self, rule: &'static str, message: impl Into<String>, place: &Place) -> &mut Diagnostic {
        self.problems.push(Diagnostic::error(rule, message).at(place.clone()));
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    fn warning(&mut self, rule: &'static str, message: impl Into<String>, place: &Place, hint: &str) {
        self.problems.push(Diagnostic::warning(rule, message).at(place.clone()).hint(hint));
    }

    fn unknown<'a>(
        &mut self,
        rule: &'static str,
        message: String,
        place: &Place,
        word: &str,
        known: impl IntoIterator<Item = &'a str>,
        all: &str,
    ) {
        self.problem(rule, message, place).hints.extend(meant(word, known, all));
    }

    /// The events of an aggregate, or a complaint that there is none of that name.
    fn events_of(&mut self, aggregate: &str, place: &Place) -> Option<BTreeMap<String, Rc<Fields>>> {
        let found = self.names.events.get(aggregate).cloned();
        if found.is_none() && self.complete {
            let known: Vec<String> = self.names.events.keys().cloned().collect();
            let message = format!("there is no aggregate `{aggregate}`");
            let known = known.iter().map(String::as_str);
            self.unknown("unknown-aggregate", message, place, aggregate, known, "there is");
        }
        found
    }

    /// The fields of an aggregate's event, or a complaint that there is none of that name.
    fn event_of(&mut self, aggregate: &str, event: &str, place: &Place) -> Option<Rc<Fields>> {
        let events = self.events_of(aggregate, place)?;
        let found = events.get(event).cloned();
        if found.is_none() {
            let message = format!("`{aggregate}` has no event `{event}`");
            let now = match self.names.former.get(&(aggregate.to_owned(), event.to_owned())) {
                Some(Some(now)) => format!("it is called `{now}` now"),
                Some(None) => "it is retired".to_owned(),
                None => {
                    self.unknown("unknown-event", message, place, event, events.keys().map(String::as_str), "there is");
                    return None;
                }
            };
            self.problem("unknown-event", message, place).hints.push(now);
        }
        found
    }

    fn check(mut self, definitions: Vec<Definition>) -> Option<Domains> {
        self.unique_names(&definitions);
        let host = Host::new();
        let mut files = Vec::new();
        let mut aggregates = BTreeMap::new();
        let mut projections = BTreeMap::new();
        let mut processes = BTreeMap::new();
        let mut scenarios = Vec::new();
        let mut whole = true;
        for definition in definitions {
            let index = files.len();
            let library = host.library(definition.functions);
            self.functions = library.is_ok();
            let library = match library {
                Ok(library) => Rc::new(library),
                Err(problem) => {
                    self.problems.push(problem);
                    whole = false;
                    match host.library(None) {
                        Ok(none) => Rc::new(none),
                        Err(_) => return None,
                    }
                }
            };
            self.library(&library);
            for aggregate in definition.aggregates {
                match self.aggregate(&host, &library, index, aggregate) {
                    Some(aggregate) => {
                        aggregates.insert(aggregate.name.clone(), aggregate);
                    }
                    None => whole = false,
                }
            }
            for projection in definition.projections {
                match self.projection(&host, &library, index, projection) {
                    Some(projection) => {
                        projections.insert(projection.name.clone(), projection);
                    }
                    None => whole = false,
                }
            }
            for process in definition.processes {
                match self.process(&host, &library, index, process) {
                    Some(process) => {
                        processes.insert(process.name.clone(), process);
                    }
                    None => whole = false,
                }
            }
            scenarios.extend(definition.scenarios);
            if let Some(name) = definition.name {
                let digest = digest::of_text(&definition.source.text);
                files.push(File {
                    name: name.text.into(),
                    description: definition.description,
                    source: definition.source,
                    digest,
                    library,
                });
            }
        }
        self.read_kinds();
        if !whole {
            return None;
        }
        if self.complete {
            self.never_emitted(&aggregates);
        }
        for aggregate in aggregates.values() {
            self.emits_nothing(aggregate);
            self.two_meanings(aggregate);
            self.folds_that_throw(aggregate);
        }
        let rules = aggregates.values().map(|a: &Aggregate| (a.rules.aggregate.clone(), a.rules.clone())).collect();
        let mut domains = Domains {
            host,
            files,
            aggregates,
            projections,
            processes,
            commands: self.all_commands(),
            scenarios: Vec::new(),
            rules: Rc::new(rules),
        };
        let mut known = Vec::with_capacity(scenarios.len());
        for scenario in scenarios {
            if let Some(scenario) = self.scenario(&domains, scenario) {
                known.push(scenario);
            }
        }
        domains.scenarios = known;
        Some(domains)
    }

    /// Names of aggregates, projections and processes are unique over all files, whatever their case.
    fn unique_names(&mut self, definitions: &[Definition]) {
        let mut seen: HashMap<String, Place> = HashMap::new();
        let names = definitions.iter().flat_map(|d| {
            let aggregates = d.aggregates.iter().map(|a| &a.name);
            aggregates.chain(d.projections.iter().map(|p| &p.name)).chain(d.processes.iter().map(|p| &p.name))
        });
        for name in names {
            if let Some(first) = seen.get(&name.text.to_lowercase()) {
                let hint = format!("the first one is in {}, line {}", first.source.name, first.line());
                self.problem("duplicate-name", format!("the name `{}` is taken", name.text), &name.place)
                    .hints
                    .push(hint);
            } else {
                seen.insert(name.text.to_lowercase(), name.place.clone());
            }
        }
        let mut domains: HashMap<String, Place> = HashMap::new();
        for name in definitions.iter().filter_map(|d| d.name.as_ref()) {
            if let Some(first) = domains.insert(name.text.to_lowercase(), name.place.clone()) {
                let hint = format!("the first one is in {}", first.source.name);
                self.problem("duplicate-name", format!("there are two domains `{}`", name.text), &name.place)
                    .hints
                    .push(hint);
            }
        }
    }
}

/// Aggregates with their events that some decision can give. What `emit_to` writes into other streams counts.
pub(super) fn emitted<'a>(aggregates: impl Iterator<Item = &'a Aggregate>) -> BTreeSet<(&'a str, &'a str)> {
    let mut emitted = BTreeSet::new();
    for aggregate in aggregates {
        for command in aggregate.commands.values() {
            let facts = command.decide.facts();
            emitted.extend(facts.calls_of("emit").filter_map(|call| Some((&*aggregate.name, text_of(call, 0)?))));
            emitted.extend(facts.calls_of("emit_to").filter_map(|call| Some((aggregate_in(call)?, text_of(call, 1)?))));
        }
    }
    emitted
}

/// The aggregate that the first argument names, a stream.
pub(super) fn aggregate_in(call: &Call) -> Option<&str> {
    match call.arguments.first().map(|argument| &argument.kind) {
        Some(ArgumentKind::Text(text) | ArgumentKind::Template(text)) => {
            text.split_once('/').map(|(aggregate, _)| aggregate)
        }
        _ => None,
    }
}

/// The text in quotes that is an argument of a call.
pub(super) fn text_of(call: &Call, index: usize) -> Option<&str> {
    match call.arguments.get(index).map(|argument| &argument.kind) {
        Some(ArgumentKind::Text(text)) => Some(text),
        _ => None,
    }
}
