//! What domains are, read off their rules without running anything: who emits what, who rejects with which code, who
//! looks at which streams, which read models follow, and which processes answer.

mod find;
mod process;

use super::check::{aggregate_in, text_of};
use super::fields::Fields;
use super::{Aggregate, CommandRules, Domains, Projection};
use crate::json::{Object, Value};
use crate::script::facts::{ArgumentKind, Call, Facts};
use crate::script::fold::Former;
use crate::script::state::{Pin, StateRules};
use std::collections::{BTreeMap, HashMap};
use std::fmt;

pub use find::{Found, Thing};
pub use process::{AnsweredFact, ProcessFacts, SentFact};

/// All that the loaded files declare: by file, in each by name; commands and events as the file has them.
#[derive(Debug)]
pub struct Description {
    /// The domains.
    pub domains: Vec<DomainFacts>,
    /// Their aggregates.
    pub aggregates: Vec<AggregateFacts>,
    /// The aggregates' commands.
    pub commands: Vec<CommandFacts>,
    /// The aggregates' events.
    pub events: Vec<EventFacts>,
    /// The read models.
    pub projections: Vec<ProjectionFacts>,
    /// The processes.
    pub processes: Vec<ProcessFacts>,
}

/// A domain: one file.
#[derive(Debug)]
pub struct DomainFacts {
    /// Its name.
    pub name: String,
    /// What it is about.
    pub description: String,
    /// Its file.
    pub file: String,
}

/// An aggregate.
#[derive(Debug)]
pub struct AggregateFacts {
    /// Its name.
    pub name: String,
    /// The domain that declares it.
    pub domain: String,
    /// What it is.
    pub description: String,
    /// The fields of its state.
    pub state: Vec<StateFact>,
    /// What holds on every state.
    pub invariants: Vec<InvariantFact>,
    /// Its commands.
    pub commands: Vec<Member>,
    /// Its events.
    pub events: Vec<Member>,
    /// Events that old streams hold and that mean nothing any more.
    pub retired: Vec<String>,
}

/// A field of a state.
#[derive(Debug)]
pub struct StateFact {
    /// Its name.
    pub name: String,
    /// The type it is pinned to.
    pub kind: Option<&'static str>,
    /// Its value before the first event.
    pub initial: Value,
}

/// An invariant.
#[derive(Debug)]
pub struct InvariantFact {
    /// Its name, which is the code of the rejection where it would not hold.
    pub name: String,
    /// The condition as it is written.
    pub condition: String,
}

/// A command.
#[derive(Debug)]
pub struct CommandFacts {
    /// Its name.
    pub name: Member,
    /// The domain that declares it.
    pub domain: String,
    /// What it asks for.
    pub description: String,
    /// Its payload.
    pub fields: Vec<FieldFact>,
    /// The events that its rule can emit, each once for each kind of stream.
    pub emits: Vec<Emitted>,
    /// The codes that its rule rejects with.
    pub rejects: Vec<String>,
    /// The streams that its rule looks at.
    pub loads: Vec<StreamPattern>,
    /// The invariants that it can fail by: those of the aggregates whose events it emits.
    pub invariants: Vec<Member>,
    /// The processes that can send it.
    pub sent_by: Vec<String>,
}

/// An event that a command can emit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// The event.
    pub event: Member,
    /// The stream, where it is not the command's own.
    pub stream: Option<StreamPattern>,
}

/// An event.
#[derive(Debug)]
pub struct EventFacts {
    /// Its name.
    pub name: Member,
    /// The domain that declares it.
    pub domain: String,
    /// What it says.
    pub description: String,
    /// The version of its schema.
    pub version: u32,
    /// The names it had before.
    pub was: Vec<String>,
    /// Its payload.
    pub fields: Vec<FieldFact>,
    /// The commands that can emit it.
    pub emitted_by: Vec<Member>,
    /// The aggregate whose state it changes; `None` where nothing folds it.
    pub folded_by: Option<String>,
    /// The read models that handle it.
    pub projected_by: Vec<String>,
    /// The processes that handle it.
    pub handled_by: Vec<String>,
}

/// A read model.
#[derive(Debug)]
pub struct ProjectionFacts {
    /// Its name.
    pub name: String,
    /// The domain that declares it.
    pub domain: String,
    /// What it shows.
    pub description: String,
    /// Its columns; the first is the key.
    pub columns: Vec<FieldFact>,
    /// The events it handles.
    pub events: Vec<HandledFact>,
    /// Lists of columns that are indexed.
    pub indexes: Vec<Vec<String>>,
    /// Whether it is brought up to date in the same transaction as the events.
    pub inline: bool,
}

/// An event that a read model handles.
#[derive(Debug)]
pub struct HandledFact {
    /// The event.
    pub event: Member,
    /// Which row it is for, as it is written.
    pub key: String,
    /// Whether its handler can take the row away.
    pub deletes: bool,
}

/// A field of a payload, or a column.
#[derive(Debug)]
pub struct FieldFact {
    /// Its name.
    pub name: String,
    /// Its type as a domain file names it.
    pub kind: &'static str,
    /// Whether it may be left out.
    pub optional: bool,
    /// What it is for.
    pub description: String,
}

/// A command, an event or an invariant, with its aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The aggregate.
    pub aggregate: String,
    /// The name within it.
    pub name: String,
}

impl Member {
    fn new(aggregate: &str, name: &str) -> Self {
        Self { aggregate: aggregate.to_owned(), name: name.to_owned() }
    }
}

impl fmt::Display for Member {
    /// `account.Opened`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.aggregate, self.name)
    }
}

/// The name of a stream as far as it is written out, with `*` for what a script fills in: `account/*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPattern(pub String);

impl StreamPattern {
    /// The stream that the first argument of `load` or `emit_to` names.
    fn of(call: &Call) -> Option<Self> {
        match &call.arguments.first()?.kind {
            ArgumentKind::Text(text) => Some(Self(text.clone())),
            ArgumentKind::Template(beginning) => Some(Self(format!("{beginning}*"))),
            _ => None,
        }
    }
}

impl fmt::Display for StreamPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Description {
    /// Reads everything off the rules.
    pub fn of(domains: &Domains) -> Self {
        let mut all = Self {
            domains: Vec::new(),
            aggregates: Vec::new(),
            commands: Vec::new(),
            events: Vec::new(),
            projections: Vec::new(),
            processes: Vec::new(),
        };
        for (index, file) in domains.files().iter().enumerate() {
            all.domains.push(DomainFacts {
                name: file.name.to_string(),
                description: file.description.trim().to_owned(),
                file: file.source.name.clone(),
            });
            for aggregate in domains.aggregates().filter(|aggregate| aggregate.file == index) {
                all.aggregate(domains, aggregate, &file.name);
            }
            for projection in domains.projections().filter(|projection| projection.file == index) {
                all.projections.push(projection_facts(domains, projection, &file.name));
            }
            for process in domains.processes().filter(|process| process.file == index) {
                all.processes.push(process::facts(domains, process, &file.name));
            }
        }
        all.link();
        all
    }

    fn aggregate(&mut self, domains: &Domains, aggregate: &Aggregate, domain: &str) {
        let member = |name: &str| Member::new(&aggregate.name, name);
        self.aggregates.push(AggregateFacts {
            name: aggregate.name.to_string(),
            domain: domain.to_owned(),
            description: aggregate.description.trim().to_owned(),
            state: state_facts(&aggregate.rules.state),
            invariants: aggregate
                .rules
                .invariants
                .iter()
                .map(|(name, script)| InvariantFact {
                    name: name.to_string(),
                    condition: script.text().text.trim().to_owned(),
                })
                .collect(),
            commands: aggregate.commands.keys().map(|name| member(name)).collect(),
            events: aggregate.events.keys().map(|name| member(name)).collect(),
            retired: retired(aggregate),
        });
        for (name, rules) in &aggregate.commands {
            self.commands.push(command_facts(domains, member(name), rules, domain));
        }
        for (name, event) in &aggregate.events {
            let folded = aggregate.rules.events.get(name).is_some_and(|rules| rules.fold.is_some());
            self.events.push(EventFacts {
                name: member(name),
                domain: domain.to_owned(),
                description: event.description.trim().to_owned(),
                version: event.version,
                was: event.was.iter().map(ToString::to_string).collect(),
                fields: field_facts(&event.fields),
                emitted_by: Vec::new(),
                folded_by: folded.then(|| aggregate.name.to_string()),
                projected_by: Vec::new(),
                handled_by: Vec::new(),
            });
        }
    }

    /// Tells the events who emits and who handles them, and the commands who sends them.
    fn link(&mut self) {
        let mut emitters: BTreeMap<String, Vec<Member>> = BTreeMap::new();
        for command in &self.commands {
            for emitted in &command.emits {
                let of = emitters.entry(emitted.event.to_string()).or_default();
                if !of.contains(&command.name) {
                    of.push(command.name.clone());
                }
            }
        }
        let mut handlers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for projection in &self.projections {
            for handled in &projection.events {
                handlers.entry(handled.event.to_string()).or_default().push(projection.name.clone());
            }
        }
        let mut answering: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut senders: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for process in &self.processes {
            for answered in &process.events {
                answering.entry(answered.event.to_string()).or_default().push(process.name.clone());
            }
            for sent in &process.sends {
                once(senders.entry(sent.command.to_string()).or_default(), process.name.clone());
            }
        }
        for command in &mut self.commands {
            command.sent_by = senders.remove(&command.name.to_string()).unwrap_or_default();
        }
        for event in &mut self.events {
            let name = event.name.to_string();
            event.emitted_by = emitters.remove(&name).unwrap_or_default();
            event.projected_by = handlers.remove(&name).unwrap_or_default();
            event.handled_by = answering.remove(&name).unwrap_or_default();
        }
    }
}

/// Events that mean nothing any more, sorted.
fn retired(aggregate: &Aggregate) -> Vec<String> {
    let former = aggregate.rules.former.iter().filter(|(_, what)| **what == Former::Retired);
    let mut names: Vec<String> = former.map(|(name, _)| name.to_string()).collect();
    names.sort();
    names
}

fn state_facts(state: &StateRules) -> Vec<StateFact> {
    let mut initial = match state.value(&state.initial) {
        Ok(Value::Object(initial)) => initial,
        _ => Object::new(),
    };
    let fact = |field: &crate::script::state::StateField| StateFact {
        name: field.name.to_string(),
        kind: match field.pin {
            Pin::Free => None,
            Pin::Decimal => Some("decimal"),
            Pin::Integer => Some("integer"),
            Pin::Text => Some("string"),
            Pin::Boolean => Some("boolean"),
        },
        initial: initial.get_mut(field.name.as_str()).map(std::mem::take).unwrap_or_default(),
    };
    state.fields.iter().map(fact).collect()
}

fn command_facts(domains: &Domains, name: Member, rules: &CommandRules, domain: &str) -> CommandFacts {
    let facts = rules.decide.facts();
    let emits = emitted(facts, &name.aggregate);
    let mut invariants = Vec::new();
    for emitted in &emits {
        let aggregate = domains.aggregate(&emitted.event.aggregate);
        for (invariant, _) in aggregate.map(|known| known.rules.invariants.as_slice()).unwrap_or_default() {
            once(&mut invariants, Member::new(&emitted.event.aggregate, invariant));
        }
    }
    let mut rejects = Vec::new();
    let mut loads = Vec::new();
    for call in &facts.calls {
        let code = match call.name.as_str() {
            "reject" => text_of(call, 0),
            "require" => text_of(call, 1),
            _ => None,
        };
        if let Some(code) = code {
            once(&mut rejects, code.to_owned());
        }
        if call.name == "load"
            && let Some(stream) = StreamPattern::of(call)
        {
            once(&mut loads, stream);
        }
    }
    CommandFacts {
        domain: domain.to_owned(),
        description: rules.description.trim().to_owned(),
        fields: field_facts(&rules.fields),
        emits,
        rejects,
        loads,
        invariants,
        sent_by: Vec::new(),
        name,
    }
}

/// What a decision can emit, in the order of the text.
fn emitted(facts: &Facts, aggregate: &str) -> Vec<Emitted> {
    let mut emits = Vec::new();
    for call in &facts.calls {
        let found = match call.name.as_str() {
            "emit" => text_of(call, 0).map(|event| Emitted { event: Member::new(aggregate, event), stream: None }),
            "emit_to" => text_of(call, 1).zip(aggregate_in(call)).map(|(event, aggregate)| Emitted {
                event: Member::new(aggregate, event),
                stream: StreamPattern::of(call),
            }),
            _ => None,
        };
        if let Some(found) = found {
            once(&mut emits, found);
        }
    }
    emits
}

fn projection_facts(domains: &Domains, projection: &Projection, domain: &str) -> ProjectionFacts {
    let fact = |((aggregate, event), handler): (&(Box<str>, Box<str>), &super::Handler)| HandledFact {
        event: Member::new(aggregate, event),
        key: handler.key.text().text.trim().to_owned(),
        deletes: handler.script.facts().calls_of("delete").next().is_some(),
    };
    let names = |index: &Vec<Box<str>>| index.iter().map(ToString::to_string).collect();
    ProjectionFacts {
        name: projection.name.to_string(),
        domain: domain.to_owned(),
        description: projection.description.trim().to_owned(),
        columns: field_facts(&projection.columns),
        events: in_order(domains, &projection.handlers).into_iter().map(fact).collect(),
        indexes: projection.indexes.iter().map(names).collect(),
        inline: projection.inline,
    }
}

/// An aggregate and its event.
type Handled = (Box<str>, Box<str>);

/// Handlers by aggregate, and in each as it declares its events.
fn in_order<'h, T>(domains: &Domains, handlers: &'h HashMap<Handled, T>) -> Vec<(&'h Handled, &'h T)> {
    let mut sorted: Vec<_> = handlers.iter().collect();
    sorted.sort_by_key(|((aggregate, event), _)| {
        (aggregate, domains.aggregate(aggregate).and_then(|known| known.events.get_index_of(event)))
    });
    sorted
}

fn field_facts(fields: &Fields) -> Vec<FieldFact> {
    let fact = |field: &super::fields::Field| FieldFact {
        name: field.name.clone(),
        kind: field.kind.word(),
        optional: field.optional,
        description: field.description.clone().unwrap_or_default(),
    };
    fields.iter().map(fact).collect()
}

fn once<T: PartialEq>(list: &mut Vec<T>, item: T) {
    if !list.contains(&item) {
        list.push(item);
    }
}
