//! Causes and effects, as a tree or one by one.

use super::diagram::{COLORS, for_mermaid};
use super::listing::{Column, Listing, Render};
use super::wire::{self, Exact};
use super::{Format, Output, text};
use esctl::event::{Command, Position, Recorded};
use esctl::workbench::trace::{Trace, Traced};
use serde::Serialize;
use std::io::{self, Write};

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
#[derive(Clone, Copy)]
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

/// A command of the tree, without what is below it.
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
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<wire::Reason<'a>>,
}

impl<'a> From<&'a Traced> for Node<'a> {
    fn from(traced: &'a Traced) -> Self {
        let command = &traced.command;
        Self {
            id: &command.id,
            name: &command.name,
            stream: command.stream.as_str(),
            time: wire::time(command.time),
            actor: command.actor.as_deref(),
            correlation: command.correlation.as_deref(),
            causation: command.causation.as_deref(),
            data: (&*command.data).into(),
            rejected: traced.rejected.as_ref().map(wire::Reason::from),
        }
    }
}

/// What is still to be written of a tree. Trees may be deeper than a program can call itself.
enum Left<'a> {
    /// What is written as it is.
    Text(String),
    /// A command, with what stands before it as text: before its own line, and before those below.
    Command(&'a Traced, String, String),
}

/// Goes through a tree: `next` gives what a command is made of, commands below it among them.
fn through<'a>(
    root: &'a Traced,
    out: &mut Output,
    next: impl Fn(&'a Traced, &str, &str) -> io::Result<Vec<Left<'a>>>,
) -> io::Result<()> {
    let mut left = vec![Left::Command(root, String::new(), String::new())];
    while let Some(part) = left.pop() {
        match part {
            Left::Text(text) => out.write_all(text.as_bytes())?,
            Left::Command(traced, first, rest) => left.extend(next(traced, &first, &rest)?.into_iter().rev()),
        }
    }
    Ok(())
}

/// What follows from an event of a command, by its position; without one, from the command itself.
fn effects(traced: &Traced, of: Option<Position>) -> Vec<&Traced> {
    traced.follows.iter().filter(|(cause, _)| *cause == of).map(|(_, effect)| effect).collect()
}

/// A command as JSON: each event has what follows from it under `follows`, and so has the command.
fn document<'a>(traced: &'a Traced, _: &str, _: &str) -> io::Result<Vec<Left<'a>>> {
    // Whatever is below goes before the brace that ends an object.
    let open = |mut object: String, key: &str| {
        object.pop();
        Left::Text(format!("{object},\"{key}\":["))
    };
    let close = |text: &str| Left::Text(text.to_owned());
    let mut parts = vec![open(wire::line(&Node::from(traced))?, "events")];
    let below = |parts: &mut Vec<Left<'a>>, effects: Vec<&'a Traced>| {
        for (at, effect) in effects.into_iter().enumerate() {
            parts.extend((at > 0).then(|| close(",")));
            parts.push(Left::Command(effect, String::new(), String::new()));
        }
    };
    for (at, event) in traced.events.iter().enumerate() {
        parts.extend((at > 0).then(|| close(",")));
        parts.push(open(wire::line(&wire::Event::from(event))?, "follows"));
        below(&mut parts, effects(traced, Some(event.position)));
        parts.push(close("]}"));
    }
    parts.push(close("],\"follows\":["));
    below(&mut parts, effects(traced, None));
    parts.push(close("]}"));
    Ok(parts)
}

/// The whole tree.
pub fn trace(trace: &Trace, out: &mut Output) -> io::Result<()> {
    match out.format {
        Format::Table => {
            if let Some(beyond) = &trace.beyond {
                out.line(&format!("{}  (not in this store)", text::harmless(beyond)))?;
            }
            through(&trace.root, out, |traced, first, rest| Ok(branch(traced, &trace.asked, first, rest)))
        }
        Format::Json => {
            through(&trace.root, out, document)?;
            out.line("")
        }
        Format::Ndjson | Format::Csv => list(&events(trace), out),
    }
}

/// Every event on a line of its own, in the order of the log.
pub fn flat(trace: &Trace, out: &mut Output) -> io::Result<()> {
    let mut events = events(trace);
    events.sort_by_key(|flat| flat.event.position);
    list(&events, out)
}

fn list(events: &[Flat<'_>], out: &mut Output) -> io::Result<()> {
    let mut listing = Listing::new(EVENTS, out);
    let _ = events.iter().try_for_each(|event| listing.push(event));
    listing.finish()
}

/// The events in the order of the tree.
fn events(trace: &Trace) -> Vec<Flat<'_>> {
    let mut found = Vec::new();
    let mut left = vec![(&trace.root, 0)];
    while let Some((traced, depth)) = left.pop() {
        found.extend(traced.events.iter().map(|event| Flat { depth, command: &traced.command, event }));
        left.extend(traced.follows.iter().rev().map(|(_, effect)| (effect, depth + 1)));
    }
    found
}

/// The tree as a flowchart in Mermaid: commands and events, each leading to what follows from it.
pub fn mermaid(trace: &Trace, out: &mut Output) -> io::Result<()> {
    out.line("flowchart TD")?;
    let mut commands = 0;
    let mut left = vec![(&trace.root, None)];
    if let Some(beyond) = &trace.beyond {
        out.line(&format!("  beyond[\"{}\"]", for_mermaid(beyond)))?;
        left = vec![(&trace.root, Some("beyond".to_owned()))];
    }
    while let Some((traced, cause)) = left.pop() {
        let (command, node) = (&traced.command, format!("c{commands}"));
        commands += 1;
        let mut lines = vec![format!("{} {}", command.name, command.stream), command.id.to_string()];
        lines.extend(traced.rejected.as_ref().map(|why| format!("rejected: {}", why.code)));
        out.line(&format!("  {node}[\"{}\"]:::command", label(&lines)))?;
        if let Some(cause) = cause {
            out.line(&format!("  {cause} --> {node}"))?;
        }
        if *command.id == *trace.asked {
            out.line(&format!("  class {node} asked"))?;
        }
        for event in &traced.events {
            let of = if event.stream == command.stream { String::new() } else { format!(" {}", event.stream) };
            let lines = [format!("{} {}{of}", wire::at(event.position), event.kind)];
            out.line(&format!("  e{}(\"{}\"):::event", event.position, label(&lines)))?;
            out.line(&format!("  {node} --> e{}", event.position))?;
        }
        left.extend(traced.follows.iter().rev().map(|(position, effect)| {
            let cause = position.map_or_else(|| node.clone(), |position| format!("e{position}"));
            (effect, Some(cause))
        }));
    }
    COLORS.iter().take(2).try_for_each(|line| out.line(line))?;
    out.line("  classDef asked stroke-width:3px")
}

/// What stands in a node, line by line.
fn label(lines: &[String]) -> String {
    lines.iter().map(|line| for_mermaid(line)).collect::<Vec<_>>().join("<br>")
}

/// A command, its events below it, and below each what follows from it.
fn branch<'a>(traced: &'a Traced, asked: &str, first: &str, rest: &str) -> Vec<Left<'a>> {
    let command = &traced.command;
    let line = |before: &str, words: &str| Left::Text(format!("{before}{}\n", text::harmless(words)));
    let mark = if *command.id == *asked { "  <" } else { "" };
    let actor = command.actor.as_deref().map(|actor| format!("  by {actor}")).unwrap_or_default();
    let rejected = traced.rejected.as_ref().map(|why| format!("  rejected: {}", why.code)).unwrap_or_default();
    let words = format!("{} {}  {}{actor}  {}{rejected}{mark}", command.name, command.stream, command.id, command.time);
    let mut parts = vec![line(first, &words)];
    let below = |parts: &mut Vec<Left<'a>>, effects: &[&'a Traced], rest: &str| {
        for (at, effect) in effects.iter().enumerate() {
            let (corner, side) = lines(at + 1 == effects.len());
            parts.push(Left::Command(effect, format!("{rest}{corner}"), format!("{rest}{side}")));
        }
    };
    let direct = effects(traced, None);
    for (at, event) in traced.events.iter().enumerate() {
        let (corner, side) = lines(at + 1 == traced.events.len() && direct.is_empty());
        let stream = if event.stream == command.stream { String::new() } else { format!("{} ", event.stream) };
        let words = format!("{} {stream}{} {}", wire::at(event.position), event.kind, event.data);
        parts.push(line(&format!("{rest}{corner}"), &words));
        below(&mut parts, &effects(traced, Some(event.position)), &format!("{rest}{side}"));
    }
    below(&mut parts, &direct, rest);
    parts
}

/// What stands before a thing, and before what is below it.
fn lines(last: bool) -> (&'static str, &'static str) {
    if last { ("└─ ", "   ") } else { ("├─ ", "│  ") }
}
