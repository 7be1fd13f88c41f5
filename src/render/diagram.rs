//! A domain as a picture: command → event → read model, and event → process → command, for Mermaid and for Graphviz.

use super::Output;
use super::text::harmless;
use esctl::domain::describe::{Description, Thing};
use indexmap::IndexMap;
use std::collections::{BTreeSet, HashMap};
use std::io;

/// What is in the picture: the things, and which leads to which.
#[derive(Debug)]
pub struct Picture<'d> {
    /// Commands, events, read models and processes.
    nodes: Vec<Thing<'d>>,
    /// Pairs of places among them.
    edges: Vec<(usize, usize)>,
}

/// The language of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// Text that Markdown pages show as a picture.
    Mermaid,
    /// The language of Graphviz.
    Dot,
}

/// How Mermaid shows commands, events, read models and processes.
pub(super) const COLORS: [&str; 4] = [
    "  classDef command fill:#cfe2ff,stroke:#3b6fb6,color:#000",
    "  classDef event fill:#ffe0b2,stroke:#c77700,color:#000",
    "  classDef projection fill:#d6ecd2,stroke:#4a8b3c,color:#000",
    "  classDef process fill:#e3d3f3,stroke:#7a4fa8,color:#000",
];

/// What is drawn: commands and events in boxes of their aggregates, read models and processes beside them.
const DRAWN: [&str; 4] = ["command", "event", "projection", "process"];

impl<'d> Picture<'d> {
    /// All of a description.
    pub fn of(all: &'d Description) -> Self {
        let nodes: Vec<_> = all.things().filter(|thing| DRAWN.contains(&thing.kind())).collect();
        let places = |kind: &str| -> HashMap<String, usize> {
            let of_kind = nodes.iter().enumerate().filter(|(_, node)| node.kind() == kind);
            of_kind.map(|(at, node)| (node.name(), at)).collect()
        };
        let (commands, events) = (places("command"), places("event"));
        let mut edges = BTreeSet::new();
        for (at, node) in nodes.iter().enumerate() {
            match node {
                Thing::Command(command) => {
                    let emitted = command.emits.iter().map(|emitted| emitted.event.to_string());
                    edges.extend(emitted.filter_map(|event| Some((at, *events.get(&event)?))));
                }
                Thing::Projection(projection) => {
                    let handled = projection.events.iter().map(|handled| handled.event.to_string());
                    edges.extend(handled.filter_map(|event| Some((*events.get(&event)?, at))));
                }
                Thing::Process(process) => {
                    let handled = process.events.iter().map(|answered| answered.event.to_string());
                    edges.extend(handled.filter_map(|event| Some((*events.get(&event)?, at))));
                    let sent = process.sends.iter().map(|sent| sent.command.to_string());
                    edges.extend(sent.filter_map(|command| Some((at, *commands.get(&command)?))));
                }
                _ => {}
            }
        }
        Self { edges: edges.into_iter().collect(), nodes }
    }

    /// What one thing leads to and what leads to it; of an aggregate, what its commands and events do.
    pub fn around(all: &'d Description, thing: Thing<'_>) -> Self {
        let whole = Self::of(all);
        let wanted = thing.name();
        let is_it = |node: &Thing<'_>| match thing {
            Thing::Aggregate(_) => aggregate_of(node) == Some(wanted.as_str()),
            _ => node.kind() == thing.kind() && node.name() == wanted,
        };
        let mut kept: BTreeSet<usize> = (0..whole.nodes.len()).filter(|at| is_it(&whole.nodes[*at])).collect();
        // Two steps show what it is about: a command with its events and who follows them, a process with the commands before
        // and the events after it. With processes a way may go on without end.
        let (mut forth, mut back) = (kept.clone(), kept.clone());
        for _ in 0..2 {
            forth = whole.edges.iter().filter(|(from, _)| forth.contains(from)).map(|(_, to)| *to).collect();
            back = whole.edges.iter().filter(|(_, to)| back.contains(to)).map(|(from, _)| *from).collect();
            kept.extend(forth.iter().chain(&back));
        }
        let places: Vec<usize> = kept.into_iter().collect();
        let place = |old: usize| places.binary_search(&old).ok();
        let edges = whole.edges.iter().filter_map(|(from, to)| Some((place(*from)?, place(*to)?))).collect();
        Self { nodes: places.iter().map(|at| whole.nodes[*at]).collect(), edges }
    }

    /// Writes it.
    pub fn draw(&self, language: Language, out: &mut Output) -> io::Result<()> {
        match language {
            Language::Mermaid => self.mermaid(out),
            Language::Dot => self.dot(out),
        }
    }

    /// What is in the box of each aggregate, and what is in none.
    fn boxes(&self) -> (IndexMap<&str, Vec<usize>>, Vec<usize>) {
        let mut boxes: IndexMap<&str, Vec<usize>> = IndexMap::new();
        let mut alone = Vec::new();
        for (at, node) in self.nodes.iter().enumerate() {
            aggregate_of(node).map_or(&mut alone, |aggregate| boxes.entry(aggregate).or_default()).push(at);
        }
        (boxes, alone)
    }

    fn mermaid(&self, out: &mut Output) -> io::Result<()> {
        out.line("flowchart LR")?;
        let node = |at: usize| {
            let thing = &self.nodes[at];
            let (open, close) = match thing {
                Thing::Command(_) => ("[", "]"),
                Thing::Event(_) => ("(", ")"),
                Thing::Process(_) => ("{{", "}}"),
                _ => ("[(", ")]"),
            };
            format!("n{at}{open}\"{}\"{close}:::{}", for_mermaid(label(thing)), thing.kind())
        };
        let (boxes, alone) = self.boxes();
        for (number, (aggregate, of)) in boxes.into_iter().enumerate() {
            out.line(&format!("  subgraph a{number} [\"{}\"]", for_mermaid(aggregate)))?;
            of.into_iter().try_for_each(|at| out.line(&format!("    {}", node(at))))?;
            out.line("  end")?;
        }
        alone.into_iter().try_for_each(|at| out.line(&format!("  {}", node(at))))?;
        self.edges.iter().try_for_each(|(from, to)| out.line(&format!("  n{from} --> n{to}")))?;
        let processes = self.nodes.iter().any(|node| matches!(node, Thing::Process(_)));
        COLORS.iter().take(if processes { 4 } else { 3 }).try_for_each(|line| out.line(line))
    }

    fn dot(&self, out: &mut Output) -> io::Result<()> {
        out.line("digraph domain {")?;
        out.line("  rankdir=LR;")?;
        out.line("  node [fontname=\"sans-serif\", style=filled];")?;
        let id = |at: usize| for_dot(&format!("{} {}", self.nodes[at].kind(), self.nodes[at].name()));
        let node = |at: usize| {
            let thing = &self.nodes[at];
            let shape = match thing {
                Thing::Command(_) => "box, fillcolor=\"#cfe2ff\"",
                Thing::Event(_) => "box, style=\"filled,rounded\", fillcolor=\"#ffe0b2\"",
                Thing::Process(_) => "hexagon, fillcolor=\"#e3d3f3\"",
                _ => "cylinder, fillcolor=\"#d6ecd2\"",
            };
            format!("{} [label={}, shape={shape}];", id(at), for_dot(label(thing)))
        };
        let (boxes, alone) = self.boxes();
        for (aggregate, of) in boxes {
            out.line(&format!("  subgraph {} {{", for_dot(&format!("cluster {aggregate}"))))?;
            out.line(&format!("    label={};", for_dot(aggregate)))?;
            of.into_iter().try_for_each(|at| out.line(&format!("    {}", node(at))))?;
            out.line("  }")?;
        }
        alone.into_iter().try_for_each(|at| out.line(&format!("  {}", node(at))))?;
        self.edges.iter().try_for_each(|(from, to)| out.line(&format!("  {} -> {};", id(*from), id(*to))))?;
        out.line("}")
    }
}

fn aggregate_of<'d>(thing: &Thing<'d>) -> Option<&'d str> {
    match thing {
        Thing::Command(command) => Some(&command.name.aggregate),
        Thing::Event(event) => Some(&event.name.aggregate),
        _ => None,
    }
}

/// The name without that of its aggregate, which stands around it.
fn label<'d>(thing: &Thing<'d>) -> &'d str {
    match thing {
        Thing::Domain(known) => &known.name,
        Thing::Aggregate(known) => &known.name,
        Thing::Command(known) => &known.name.name,
        Thing::Event(known) => &known.name.name,
        Thing::Projection(known) => &known.name,
        Thing::Process(known) => &known.name,
    }
}

/// A text between quotes, in which only these mean something.
pub(super) fn for_mermaid(text: &str) -> String {
    harmless(text).replace('#', "#35;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;")
}

/// A text in quotes.
fn for_dot(text: &str) -> String {
    format!("\"{}\"", harmless(text).replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_quotes() {
        assert_eq!(for_mermaid("a\"] --> b#1<i>\n"), "a#quot;] --#gt; b#35;1#lt;i#gt;\\n");
        assert_eq!(for_dot("a\" -> \\b\n"), r#""a\" -> \\b\\n""#);
    }
}
