//! Domains: what the files say, known to be sound.
//!
//! [`definition`] reads, [`check`] finds every problem, and only what has none becomes [`Domains`]. Pure: no store.

pub mod check;
pub mod coverage;
pub mod definition;
pub mod describe;
pub mod digest;
pub mod fields;
pub mod history;
mod keys;
pub mod process;
pub mod projection;
pub mod scenario;
pub mod schema;
pub mod types;
pub mod yaml;

use crate::diagnostic::{Diagnostic, Place, Source, suggest};
use crate::json::{Object, Shape};
use crate::script::fold::{EventRules, Known, Meta, Payload, StreamRules};
use crate::script::host::Note;
use crate::script::state::State;
use crate::script::upcast::UpcastError;
use crate::script::{Fault, Host, Library, Script, decide, react};
use fields::{Fields, Problem};
use indexmap::IndexMap;
use process::Process;
pub use projection::{Handler, Projection};
use scenario::ScenarioDefinition;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// All loaded files, sound, with the engine that runs their rules. Belongs to one thread; other threads load the
/// same sources again.
#[derive(Debug)]
pub struct Domains {
    pub(crate) host: Host,
    files: Vec<File>,
    aggregates: BTreeMap<Box<str>, Aggregate>,
    projections: BTreeMap<Box<str>, Projection>,
    processes: BTreeMap<Box<str>, Process>,
    commands: Rc<react::AllCommands>,
    scenarios: Vec<Scenario>,
    rules: Rc<decide::AllRules>,
}

/// One domain file.
#[derive(Debug)]
pub struct File {
    /// The domain's name.
    pub name: Box<str>,
    /// What it is about.
    pub description: String,
    /// Its text.
    pub source: Arc<Source>,
    /// SHA-256 of its text, in hex: what commands name as the rules that decided them.
    pub digest: Box<str>,
    /// Its functions.
    library: Rc<Library>,
}

/// How much a domain has of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The domain's name.
    pub domain: String,
    /// Aggregates.
    pub aggregates: usize,
    /// Commands of all aggregates.
    pub commands: usize,
    /// Events of all aggregates.
    pub events: usize,
    /// Projections.
    pub projections: usize,
    /// Processes.
    pub processes: usize,
    /// Scenarios, those of files of scenarios included.
    pub scenarios: usize,
}

/// A kind of thing with rules.
#[derive(Debug)]
pub struct Aggregate {
    /// Its name.
    pub name: Box<str>,
    /// What it is.
    pub description: String,
    /// Index of its file.
    pub file: usize,
    /// Its commands, in the order of the file.
    pub commands: IndexMap<Box<str>, CommandRules>,
    /// Its events, in the order of the file.
    pub events: IndexMap<Box<str>, EventType>,
    /// Its invariants, each with the place of its name.
    pub invariants: Vec<(Box<str>, Place)>,
    /// How its streams fold.
    pub rules: Rc<StreamRules>,
    /// The digest of everything that decides what its events add up to, in hex.
    pub digest: Box<str>,
    /// After how many events a stream's state is kept, so that folding can begin there; 0 is never.
    pub snapshot: u64,
}

/// What [`Aggregate::snapshot`] is where the domain says nothing.
pub const SNAPSHOT: u64 = 500;

/// A command of an aggregate.
#[derive(Debug)]
pub struct CommandRules {
    /// What it asks for.
    pub description: String,
    /// Its payload.
    pub fields: Rc<Fields>,
    /// Which of its fields may be absent, and where decimals are.
    pub shape: Shape,
    /// What decides it.
    pub decide: Script,
    /// Where its name stands.
    pub place: Place,
}

/// An event of an aggregate.
#[derive(Debug)]
pub struct EventType {
    /// What it says.
    pub description: String,
    /// The version of its schema.
    pub version: u32,
    /// The names it had before.
    pub was: Vec<Box<str>>,
    /// Its payload.
    pub fields: Rc<Fields>,
    /// Where its name stands.
    pub place: Place,
}

/// A scenario with the domain it belongs to.
#[derive(Debug)]
pub struct Scenario {
    /// Name of the domain of the last command's aggregate.
    pub domain: Box<str>,
    /// What it says.
    pub definition: ScenarioDefinition,
}

impl Domains {
    /// Reads and checks files. The domains are there where no error is among the diagnostics, which are in the
    /// order of the files.
    pub fn load(sources: &[Arc<Source>]) -> (Option<Self>, Vec<Diagnostic>) {
        check::load(sources)
    }

    /// The files, in the order they were given.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// The aggregates, by name.
    pub fn aggregates(&self) -> impl Iterator<Item = &Aggregate> {
        self.aggregates.values()
    }

    /// An aggregate.
    pub fn aggregate(&self, name: &str) -> Option<&Aggregate> {
        self.aggregates.get(name)
    }

    /// The aggregate whose name is nearest to one that is not there.
    pub fn aggregate_like(&self, name: &str) -> Option<&str> {
        suggest(name, self.aggregates.keys().map(|k| &**k))
    }

    /// The read models, by name.
    pub fn projections(&self) -> impl Iterator<Item = &Projection> {
        self.projections.values()
    }

    /// A read model.
    pub fn projection(&self, name: &str) -> Option<&Projection> {
        self.projections.get(name)
    }

    /// The read model whose name is nearest to one that is not there.
    pub fn projection_like(&self, name: &str) -> Option<&str> {
        suggest(name, self.projections.keys().map(|k| &**k))
    }

    /// The processes, by name.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.processes.values()
    }

    /// A process.
    pub fn process(&self, name: &str) -> Option<&Process> {
        self.processes.get(name)
    }

    /// How the payloads of all commands are checked, for what processes send.
    pub(crate) fn commands(&self) -> &Rc<react::AllCommands> {
        &self.commands
    }

    /// The scenarios, in the order of the files.
    pub fn scenarios(&self) -> &[Scenario] {
        &self.scenarios
    }

    /// How much each file declares.
    pub fn contents(&self) -> Vec<Contents> {
        let of = |(index, file): (usize, &File)| {
            let aggregates: Vec<&Aggregate> = self.aggregates.values().filter(|a| a.file == index).collect();
            Contents {
                domain: file.name.to_string(),
                aggregates: aggregates.len(),
                commands: aggregates.iter().map(|a| a.commands.len()).sum(),
                events: aggregates.iter().map(|a| a.events.len()).sum(),
                projections: self.projections.values().filter(|p| p.file == index).count(),
                processes: self.processes.values().filter(|p| p.file == index).count(),
                scenarios: self.scenarios.iter().filter(|s| s.domain == file.name).count(),
            }
        };
        self.files.iter().enumerate().map(of).collect()
    }

    /// What scripts printed since this was asked last.
    pub fn take_notes(&self) -> Vec<Note> {
        self.host.take_notes()
    }

    /// The rules of all aggregates, for a decision.
    pub(crate) fn rules(&self) -> &Rc<decide::AllRules> {
        &self.rules
    }

    /// Events as they are stored, by aggregate and name: with these names now, or with earlier names of theirs.
    pub(crate) fn stored_kinds<'k>(
        &self,
        kinds: impl Iterator<Item = &'k (Box<str>, Box<str>)>,
    ) -> Vec<(Box<str>, Box<str>)> {
        let mut stored = Vec::new();
        for kind @ (aggregate, event) in kinds {
            stored.push(kind.clone());
            let was = self.aggregate(aggregate).and_then(|known| known.events.get(event)).map(|event| &event.was);
            stored.extend(was.into_iter().flatten().map(|was| (aggregate.clone(), was.clone())));
        }
        stored
    }

    /// Whether scripts about these events, or what makes the events of what is stored, look at what only the command knows,
    /// so that events must be read with their commands.
    pub(crate) fn read_commands<'k>(
        &self,
        mut scripts: impl Iterator<Item = &'k Script>,
        kinds: impl Iterator<Item = &'k (Box<str>, Box<str>)>,
    ) -> bool {
        let mut events = kinds.filter_map(|(aggregate, event)| self.aggregate(aggregate)?.rules.events.get(event));
        scripts.any(|script| script.facts().reads_command_meta()) || events.any(EventRules::upcasts_read_commands)
    }

    /// Applies a stored event to a state. An event that the aggregate does not know is an error of its own, never
    /// passed over. `meta` is asked for only where a script reads it, with the name of the event now.
    pub(crate) fn fold(
        &self,
        aggregate: &Aggregate,
        state: &mut State,
        event: &StoredEvent<'_>,
        meta: impl Fn(&str) -> Meta,
    ) -> Result<(), EventError> {
        let rules = match aggregate.rules.known(event.kind) {
            Some(Known::Event(rules)) => rules,
            Some(Known::Retired) => return Ok(()),
            None => return Err(EventError::Unknown),
        };
        rules.knows(event.schema)?;
        if rules.fold.is_none() {
            return Ok(());
        }
        if event.schema == rules.schema && aggregate.rules.fold_stored(rules, state, event.data, event.version) {
            return Ok(());
        }
        let payload = self.payload(rules, event.schema, event.data, &meta)?;
        Ok(self.host.fold(&aggregate.rules, rules, state, payload, event.version, || meta(&rules.name))?)
    }

    /// The payload of a stored event as it is now.
    pub(crate) fn payload(
        &self,
        event: &EventRules,
        schema: u32,
        data: &str,
        meta: impl FnOnce(&str) -> Meta,
    ) -> Result<Payload, EventError> {
        if schema == event.schema {
            return Payload::read(data, &event.shape).map_err(|problem| EventError::Payload(problem.to_string()));
        }
        self.upcast(event, schema, data, meta).map(|data| event.payload(data))
    }

    /// The same as data, of an event that was stored under an earlier version.
    pub(crate) fn upcast(
        &self,
        event: &EventRules,
        schema: u32,
        data: &str,
        meta: impl FnOnce(&str) -> Meta,
    ) -> Result<Object, EventError> {
        event.knows(schema)?;
        self.host.upcast(event, schema, data, || meta(&event.name)).map_err(|error| match error {
            UpcastError::Unreadable(problem) => EventError::Payload(problem.to_string()),
            UpcastError::Fault(fault) => EventError::Fault(fault),
        })
    }
}

/// A stored event, as far as folding looks at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StoredEvent<'a> {
    pub kind: &'a str,
    pub schema: u32,
    pub data: &'a str,
    pub version: u64,
}

/// Why a stored event cannot be read or applied.
#[derive(Debug)]
pub(crate) enum EventError {
    /// The aggregate has no event of that name, and never had.
    Unknown,
    /// The event was stored by rules that know a later schema of it.
    Newer { known: u32 },
    /// The stored payload cannot be read.
    Payload(String),
    /// The script failed.
    Fault(Fault),
}

impl From<Fault> for EventError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Aggregate {
    /// Whether a fold looks at what only the command knows, so that events must be read with their commands.
    pub(crate) fn folds_read_commands(&self) -> bool {
        let folds = |event: &EventRules| event.fold.as_ref().is_some_and(|fold| fold.facts().reads_command_meta());
        self.rules.events.values().any(|event| folds(event) || event.upcasts_read_commands())
    }

    /// The command whose name is nearest to one that is not there.
    pub fn command_like(&self, name: &str) -> Option<&str> {
        suggest(name, self.commands.keys().map(|k| &**k))
    }
}

impl EventRules {
    /// Rules of an event whose payload has these fields, in this version, with the steps that lead to it.
    pub(crate) fn of(name: &str, fields: Rc<Fields>, history: (u32, Vec<Script>), fold: Option<Script>) -> Self {
        let (schema, upcasts) = history;
        let shape = fields.shape();
        let accept = Box::new(move |data: Object| {
            fields.accept(data).map_err(|problems| problems.iter().map(Problem::in_words).collect())
        });
        Self { name: name.into(), schema, accept, shape, upcasts, fold }
    }

    /// Whether a stored version of it is known.
    pub(crate) fn knows(&self, schema: u32) -> Result<(), EventError> {
        if schema > self.schema { Err(EventError::Newer { known: self.schema }) } else { Ok(()) }
    }

    /// Whether a step of its ladder looks at what only the command knows.
    pub(crate) fn upcasts_read_commands(&self) -> bool {
        self.upcasts.iter().any(|step| step.facts().reads_command_meta())
    }
}

/// A place of a key or value inside data that was written in a file.
pub(crate) fn place_in(node: Option<&yaml::Node>, pointer: &str, otherwise: &Place) -> Place {
    let Some(node) = node else { return otherwise.clone() };
    let mut place = node.place.clone();
    let mut current = node;
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        match &current.content {
            yaml::Content::Map(entries) => match entries.iter().find(|(key, _)| key.text == part) {
                Some((key, value)) => {
                    place = key.place.clone();
                    current = value;
                }
                None => break,
            },
            yaml::Content::List(items) => match part.parse::<usize>().ok().and_then(|n| items.get(n)) {
                Some(item) => {
                    place = item.place.clone();
                    current = item;
                }
                None => break,
            },
            yaml::Content::Scalar(_) => break,
        }
    }
    place
}
