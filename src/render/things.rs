//! The things that a domain declares, as records and as JSON.

use super::Output;
use super::listing::{Column, Render};
use super::wire::{self, Exact};
use esctl::domain::describe::{
    AnsweredFact, Description, Emitted, FieldFact, HandledFact, Member, SentFact, StateFact, Thing,
};
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write as _};

/// Columns of [`Thing`].
pub const THINGS: &[Column] = &[
    Column::text("kind"),
    Column::text("name"),
    Column::text("domain"),
    Column::text("fields"),
    Column::text("emits"),
    Column::text("rejects"),
    Column::text("loads"),
    Column::text("invariants"),
    Column::text("emitted_by"),
    Column::text("folded_by"),
    Column::text("projected_by"),
    Column::text("events"),
    Column::text("sent_by"),
    Column::text("handled_by"),
    Column::text("sends"),
    Column::text("description"),
];

impl Render for Thing<'_> {
    fn cells(&self) -> Vec<String> {
        let mut cells = vec![String::new(); THINGS.len()];
        let mut put = |column: &str, text: String| {
            if let Some(at) = THINGS.iter().position(|known| known.name == column) {
                cells[at] = text;
            }
        };
        put("kind", self.kind().to_owned());
        put("name", self.name());
        let (domain, description) = match self {
            Self::Domain(domain) => (&domain.name, &domain.description),
            Self::Aggregate(aggregate) => {
                put("fields", listed(aggregate.state.iter().map(|field| &field.name)));
                put("invariants", listed(aggregate.invariants.iter().map(|known| &known.name)));
                put("events", listed(&aggregate.events));
                (&aggregate.domain, &aggregate.description)
            }
            Self::Command(command) => {
                put("fields", names(&command.fields));
                put("emits", listed_once(command.emits.iter().map(|emitted| &emitted.event)));
                put("rejects", listed(&command.rejects));
                put("loads", listed(&command.loads));
                put("invariants", listed(&command.invariants));
                put("sent_by", listed(&command.sent_by));
                (&command.domain, &command.description)
            }
            Self::Event(event) => {
                put("fields", names(&event.fields));
                put("emitted_by", listed(&event.emitted_by));
                put("folded_by", event.folded_by.clone().unwrap_or_default());
                put("projected_by", listed(&event.projected_by));
                put("handled_by", listed(&event.handled_by));
                (&event.domain, &event.description)
            }
            Self::Projection(projection) => {
                put("fields", names(&projection.columns));
                put("events", listed(projection.events.iter().map(|handled| &handled.event)));
                (&projection.domain, &projection.description)
            }
            Self::Process(process) => {
                put("fields", listed(process.state.iter().map(|field| &field.name)));
                put("events", listed(process.events.iter().map(|answered| &answered.event)));
                put("sends", listed_once(process.sends.iter().map(|sent| &sent.command)));
                (&process.domain, &process.description)
            }
        };
        put("domain", domain.clone());
        put("description", description.clone());
        cells
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&ThingLine::from(*self))
    }
}

/// One of them as a JSON document.
pub fn one(thing: Thing<'_>, out: &mut Output) -> io::Result<()> {
    out.line(&thing.json()?)
}

/// All of it as one JSON document, a line for each thing.
pub fn document(all: &Description, out: &mut Output) -> io::Result<()> {
    let mut before = "{";
    let kinds = [
        ("domain", "domains"),
        ("aggregate", "aggregates"),
        ("command", "commands"),
        ("event", "events"),
        ("projection", "projections"),
        ("process", "processes"),
    ];
    for (kind, plural) in kinds {
        let lines = all.things().filter(|thing| thing.kind() == kind).map(|thing| thing.json());
        let lines = lines.collect::<io::Result<Vec<_>>>()?;
        let lines = if lines.is_empty() { String::new() } else { format!("\n{}\n", lines.join(",\n")) };
        write!(out, "{before}\"{plural}\":[{lines}]")?;
        before = ",\n";
    }
    out.line("}")
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum ThingLine<'d> {
    Domain {
        name: &'d str,
        description: &'d str,
        file: &'d str,
    },
    Aggregate {
        name: &'d str,
        domain: &'d str,
        description: &'d str,
        state: Vec<StateLine<'d>>,
        invariants: Vec<InvariantLine<'d>>,
        commands: Vec<String>,
        events: Vec<String>,
        retired: &'d [String],
    },
    Command {
        name: String,
        domain: &'d str,
        aggregate: &'d str,
        description: &'d str,
        fields: Vec<FieldLine<'d>>,
        emits: Vec<EmittedLine<'d>>,
        rejects: &'d [String],
        loads: Vec<&'d str>,
        invariants: Vec<String>,
        sent_by: &'d [String],
    },
    Event {
        name: String,
        domain: &'d str,
        aggregate: &'d str,
        description: &'d str,
        version: u32,
        was: &'d [String],
        fields: Vec<FieldLine<'d>>,
        emitted_by: Vec<String>,
        folded_by: Option<&'d str>,
        projected_by: &'d [String],
        handled_by: &'d [String],
    },
    Projection {
        name: &'d str,
        domain: &'d str,
        description: &'d str,
        columns: Vec<FieldLine<'d>>,
        events: Vec<HandledLine<'d>>,
        indexes: &'d [Vec<String>],
        inline: bool,
    },
    Process {
        name: &'d str,
        domain: &'d str,
        description: &'d str,
        from: &'static str,
        state: Vec<StateLine<'d>>,
        events: Vec<AnsweredLine<'d>>,
        sends: Vec<SentLine<'d>>,
        deadlines: &'d [String],
    },
}

#[derive(Serialize)]
struct StateLine<'d> {
    name: &'d str,
    /// Only of a field that is pinned to it.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'d str>,
    initial: Exact<'d>,
}

#[derive(Serialize)]
struct InvariantLine<'d> {
    name: &'d str,
    condition: &'d str,
}

#[derive(Serialize)]
struct FieldLine<'d> {
    name: &'d str,
    #[serde(rename = "type")]
    kind: &'d str,
    optional: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'d str,
}

#[derive(Serialize)]
struct EmittedLine<'d> {
    event: String,
    /// Only where it is another than the command's.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'d str>,
}

#[derive(Serialize)]
struct HandledLine<'d> {
    event: String,
    key: &'d str,
    deletes: bool,
}

#[derive(Serialize)]
struct AnsweredLine<'d> {
    event: String,
    key: &'d str,
    starts: bool,
}

#[derive(Serialize)]
struct SentLine<'d> {
    command: String,
    stream: &'d str,
    on_rejected: bool,
}

impl<'d> From<Thing<'d>> for ThingLine<'d> {
    fn from(thing: Thing<'d>) -> Self {
        match thing {
            Thing::Domain(domain) => {
                Self::Domain { name: &domain.name, description: &domain.description, file: &domain.file }
            }
            Thing::Aggregate(aggregate) => Self::Aggregate {
                name: &aggregate.name,
                domain: &aggregate.domain,
                description: &aggregate.description,
                state: aggregate.state.iter().map(StateLine::from).collect(),
                invariants: aggregate
                    .invariants
                    .iter()
                    .map(|known| InvariantLine { name: &known.name, condition: &known.condition })
                    .collect(),
                commands: whole(&aggregate.commands),
                events: whole(&aggregate.events),
                retired: &aggregate.retired,
            },
            Thing::Command(command) => Self::Command {
                name: command.name.to_string(),
                domain: &command.domain,
                aggregate: &command.name.aggregate,
                description: &command.description,
                fields: field_lines(&command.fields),
                emits: command.emits.iter().map(EmittedLine::from).collect(),
                rejects: &command.rejects,
                loads: command.loads.iter().map(|stream| stream.0.as_str()).collect(),
                invariants: whole(&command.invariants),
                sent_by: &command.sent_by,
            },
            Thing::Event(event) => Self::Event {
                name: event.name.to_string(),
                domain: &event.domain,
                aggregate: &event.name.aggregate,
                description: &event.description,
                version: event.version,
                was: &event.was,
                fields: field_lines(&event.fields),
                emitted_by: whole(&event.emitted_by),
                folded_by: event.folded_by.as_deref(),
                projected_by: &event.projected_by,
                handled_by: &event.handled_by,
            },
            Thing::Projection(projection) => Self::Projection {
                name: &projection.name,
                domain: &projection.domain,
                description: &projection.description,
                columns: field_lines(&projection.columns),
                events: projection.events.iter().map(HandledLine::from).collect(),
                indexes: &projection.indexes,
                inline: projection.inline,
            },
            Thing::Process(process) => Self::Process {
                name: &process.name,
                domain: &process.domain,
                description: &process.description,
                from: if process.from_start { "start" } else { "end" },
                state: process.state.iter().map(StateLine::from).collect(),
                events: process.events.iter().map(AnsweredLine::from).collect(),
                sends: process.sends.iter().map(SentLine::from).collect(),
                deadlines: &process.deadlines,
            },
        }
    }
}

impl<'d> From<&'d StateFact> for StateLine<'d> {
    fn from(field: &'d StateFact) -> Self {
        Self { name: &field.name, kind: field.kind, initial: (&field.initial).into() }
    }
}

impl<'d> From<&'d AnsweredFact> for AnsweredLine<'d> {
    fn from(answered: &'d AnsweredFact) -> Self {
        Self { event: answered.event.to_string(), key: &answered.key, starts: answered.starts }
    }
}

impl<'d> From<&'d SentFact> for SentLine<'d> {
    fn from(sent: &'d SentFact) -> Self {
        Self { command: sent.command.to_string(), stream: &sent.stream.0, on_rejected: sent.on_rejected }
    }
}

impl<'d> From<&'d Emitted> for EmittedLine<'d> {
    fn from(emitted: &'d Emitted) -> Self {
        Self { event: emitted.event.to_string(), stream: emitted.stream.as_ref().map(|stream| stream.0.as_str()) }
    }
}

impl<'d> From<&'d HandledFact> for HandledLine<'d> {
    fn from(handled: &'d HandledFact) -> Self {
        Self { event: handled.event.to_string(), key: &handled.key, deletes: handled.deletes }
    }
}

fn field_lines(fields: &[FieldFact]) -> Vec<FieldLine<'_>> {
    fields
        .iter()
        .map(|field| FieldLine {
            name: &field.name,
            kind: field.kind,
            optional: field.optional,
            description: &field.description,
        })
        .collect()
}

fn whole(members: &[Member]) -> Vec<String> {
    members.iter().map(ToString::to_string).collect()
}

/// `amount, ref?`
pub(super) fn names(fields: &[FieldFact]) -> String {
    listed(fields.iter().map(|field| format!("{}{}", field.name, if field.optional { "?" } else { "" })))
}

/// Items with commas between.
pub(super) fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// The same, each once: one event may go into streams of several forms, which only JSON tells.
fn listed_once<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let mut seen = BTreeSet::new();
    listed(items.into_iter().map(|item| item.to_string()).filter(|item| seen.insert(item.clone())).collect::<Vec<_>>())
}
