//! Causes and effects, as a tree or one by one.

use super::listing::{Column, Listing, Render};
use super::wire::{self, Exact};
use super::{Format, Output, text};
use esctl::event::{Command, Recorded};
use esctl::workbench::trace::{Trace, Traced};
use serde::Serialize;
use std::io;
use std::ops::ControlFlow;

/// Columns of [`Flat`].
const EVENTS: &[Column] = &[
    Column::number("depth"),
    Column::text("command"),
    Column::text("id"),
    Column::text("causation"),
    Column::number("position"),
    Column::text("stream"),
    Column::text("type"),
    Column::text("data"),
];

/// An event of the tree on a line of its own.
struct Flat<'a> {
    depth: usize,
    command: &'a Command,
    event: &'a Recorded,
}

impl Render for Flat<'_> {
    fn cells(&self) -> Vec<String> {
        vec![
            self.depth.to_string(),
            self.command.name.to_string(),
            self.command.id.to_string(),
            self.command.causation.as_deref().unwrap_or_default().to_owned(),
            self.event.position.to_string(),
            self.event.stream.to_string(),
            self.event.kind.to_string(),
            text::harmless(&self.event.data).into_owned(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        #[derive(Serialize)]
        struct Line<'a> {
            depth: usize,
            #[serde(flatten)]
            event: wire::Event<'a>,
        }
        let event = Recorded { command: Some(self.command.clone().into()), ..self.event.clone() };
        wire::line(&Line { depth: self.depth, event: (&event).into() })
    }
}

/// A command with what follows from it and from its events.
#[derive(Serialize)]
struct Node<'a> {
    id: &'a str,
    name: &'a str,
    stream: &'a str,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation: Option<&'a str>,
    data: Exact<'a>,
    events: Vec<EventNode<'a>>,
    /// What names the command itself as its cause.
    follows: Vec<Node<'a>>,
}

#[derive(Serialize)]
struct EventNode<'a> {
    #[serde(flatten)]
    event: wire::Event<'a>,
    follows: Vec<Node<'a>>,
}

impl<'a> From<&'a Traced> for Node<'a> {
    fn from(traced: &'a Traced) -> Self {
        let command = &traced.command;
        let of = |position| {
            let follows = traced.follows.iter().filter(move |(cause, _)| *cause == position);
            follows.map(|(_, traced)| Node::from(traced)).collect()
        };
        let events = traced.events.iter();
        Self {
            id: &command.id,
            name: &command.name,
            stream: command.stream.as_str(),
            time: wire::time(command.time),
            actor: command.actor.as_deref(),
            correlation: command.correlation.as_deref(),
            causation: command.causation.as_deref(),
            data: (&*command.data).into(),
            events: events.map(|event| EventNode { event: event.into(), follows: of(Some(event.position)) }).collect(),
            follows: of(None),
        }
    }
}

/// The whole tree.
pub fn trace(trace: &Trace, out: &mut Output) -> io::Result<()> {
    match out.format {
        Format::Table => {
            if let Some(beyond) = &trace.beyond {
                out.line(&format!("{}  (not in this store)", text::harmless(beyond)))?;
            }
            branch(&trace.root, &trace.asked, "", "", out)
        }
        Format::Json => out.line(&wire::line(&Node::from(&trace.root))?),
        Format::Ndjson | Format::Csv => {
            let mut listing = Listing::new(EVENTS, out);
            let _ = flat(&trace.root, 0, &mut listing);
            listing.finish()
        }
    }
}

fn flat(traced: &Traced, depth: usize, listing: &mut Listing<'_>) -> ControlFlow<()> {
    traced.events.iter().try_for_each(|event| listing.push(&Flat { depth, command: &traced.command, event }))?;
    traced.follows.iter().try_for_each(|(_, effect)| flat(effect, depth + 1, listing))
}

/// A command, its events below it, and below each what follows from it.
fn branch(traced: &Traced, asked: &str, first: &str, rest: &str, out: &mut Output) -> io::Result<()> {
    let command = &traced.command;
    let mark = if *command.id == *asked { "  <" } else { "" };
    let actor = command.actor.as_deref().map(|actor| format!("  by {actor}")).unwrap_or_default();
    let words = format!("{} {}  {}{actor}  {}{mark}", command.name, command.stream, command.id, command.time);
    out.line(&format!("{first}{}", text::harmless(&words)))?;
    let of_command = traced.follows.iter().filter(|(cause, _)| cause.is_none());
    let direct: Vec<&Traced> = of_command.map(|(_, effect)| effect).collect();
    for (at, event) in traced.events.iter().enumerate() {
        let last = at + 1 == traced.events.len() && direct.is_empty();
        let (corner, line) = lines(last);
        let stream = if event.stream == command.stream { String::new() } else { format!("{} ", event.stream) };
        let words = format!("{} {stream}{} {}", wire::at(event.position), event.kind, event.data);
        out.line(&format!("{rest}{corner}{}", text::harmless(&words)))?;
        let effects: Vec<&Traced> = traced
            .follows
            .iter()
            .filter(|(cause, _)| *cause == Some(event.position))
            .map(|(_, effect)| effect)
            .collect();
        below(&effects, asked, &format!("{rest}{line}"), out)?;
    }
    below(&direct, asked, rest, out)
}

fn below(effects: &[&Traced], asked: &str, rest: &str, out: &mut Output) -> io::Result<()> {
    for (at, effect) in effects.iter().enumerate() {
        let (corner, line) = lines(at + 1 == effects.len());
        branch(effect, asked, &format!("{rest}{corner}"), &format!("{rest}{line}"), out)?;
    }
    Ok(())
}

/// What stands before a thing, and before what is below it.
fn lines(last: bool) -> (&'static str, &'static str) {
    if last { ("└─ ", "   ") } else { ("├─ ", "│  ") }
}
