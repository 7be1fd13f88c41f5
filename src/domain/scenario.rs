//! Scenarios: given/when/then, as data.

use super::definition::{Named, Reader, Section};
use super::yaml::{Content, Node};
use super::{history, keys};
use crate::diagnostic::Place;
use crate::event::{StreamName, Time};
use crate::json::{Object, Value};

/// A scenario as it is written.
#[derive(Debug, Clone)]
pub struct ScenarioDefinition {
    /// `name`
    pub name: Named,
    /// `given`: events, or commands that are sent for real.
    pub given: Vec<Step>,
    /// `when`: commands, in order, and moves of the clock.
    pub when: Vec<Act>,
    /// `then`
    pub then: Expectation,
}

/// What happens under `when`.
#[derive(Debug, Clone)]
pub enum Act {
    /// A command is sent.
    Command(Box<Step>),
    /// The clock moves, and deadlines that are due by then come.
    Clock(Time),
}

/// An event or a command of a scenario.
#[derive(Debug, Clone)]
pub struct Step {
    /// The stream.
    pub stream: StreamName,
    /// Name of the event or command.
    pub name: Named,
    /// Its payload.
    pub data: Object,
    /// The payload as it is written, for places.
    pub written: Option<Node>,
    /// `at`: sets the clock.
    pub at: Option<Time>,
    /// `version`: which one of its schema an event has that was stored long ago.
    pub version: Option<(u32, Place)>,
}

/// What is expected after `when`.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Where `then` stands.
    pub place: Place,
    /// What the last command gives.
    pub outcome: Option<Outcome>,
    /// `details` of the rejection: a subset.
    pub details: Option<(Value, Place)>,
    /// `message` of the rejection.
    pub message: Option<Named>,
    /// `state`: of the stream (`None`: of the last command's), a subset of its fields.
    pub state: Vec<(Option<StreamName>, Object, Place)>,
    /// `rows`: of projections.
    pub rows: Vec<ExpectedRow>,
    /// `sends`: exactly what processes send after what is given, in order, with where it stands.
    pub sends: Option<(Vec<ExpectedSend>, Place)>,
    /// `done`: which instances of processes have ended, and which have not.
    pub done: Vec<(StreamName, bool, Place)>,
}

/// A command that a process is expected to send.
#[derive(Debug, Clone)]
pub struct ExpectedSend {
    /// Where it goes, its name and its whole payload.
    pub step: Step,
    /// `rejected`: with which code.
    pub rejected: Option<Named>,
}

/// A row of a projection that is expected, or expected not to be.
#[derive(Debug, Clone)]
pub struct ExpectedRow {
    /// The projection.
    pub projection: Named,
    /// The row's key, as it is written.
    pub key: Named,
    /// Some of its columns; `None`: there is no such row.
    pub columns: Option<Object>,
    /// The columns as they are written, for places.
    pub written: Node,
}

/// What the commands of `when` give.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Exactly these events, in order; a stream where it is not the command's own.
    Events(Vec<ExpectedEvent>),
    /// The last command is rejected with this code.
    Rejected(Named),
    /// No event, and no rejection.
    Nothing,
}

/// An event that is expected.
#[derive(Debug, Clone)]
pub struct ExpectedEvent {
    /// The stream; `None`: that of the command.
    pub stream: Option<StreamName>,
    /// Its name.
    pub name: Named,
    /// Its whole payload.
    pub data: Object,
    /// The payload as it is written, for places.
    pub written: Option<Node>,
}

impl ScenarioDefinition {
    /// The commands of `when`.
    pub fn commands(&self) -> impl DoubleEndedIterator<Item = &Step> {
        self.when.iter().filter_map(|act| match act {
            Act::Command(step) => Some(&**step),
            Act::Clock(_) => None,
        })
    }

    /// The stream of the last command.
    pub fn stream(&self) -> Option<&StreamName> {
        self.commands().next_back().map(|step| &step.stream)
    }
}

/// Reads one scenario.
pub(super) fn read(reader: &mut Reader<'_>, node: &Node) -> Option<ScenarioDefinition> {
    let section = reader.section(node, "a scenario", keys::SCENARIO)?;
    let name = match section.get("name") {
        Some(node) => reader.text(node, "`name`")?,
        None => {
            reader.problem("missing-key", "this scenario has no `name`", &node.place);
            return None;
        }
    };
    let given = section.get("given").map(|node| steps(reader, node, "given")).unwrap_or_default();
    let problems = reader.problems.len();
    let when = section.get("when").map(|node| acts(reader, node)).unwrap_or_default();
    if when.is_empty() && reader.problems.len() == problems {
        reader.problem("missing-key", format!("the scenario `{}` has no command under `when`", name.text), &name.place);
    }
    let Some(node) = section.get("then") else {
        reader.problem(
            "missing-key",
            format!("the scenario `{}` expects nothing: it has no `then`", name.text),
            &name.place,
        );
        return None;
    };
    let then = expectation(reader, node)?;
    Some(ScenarioDefinition { name, given, when, then })
}

/// Commands, and moves of the clock.
fn acts(reader: &mut Reader<'_>, node: &Node) -> Vec<Act> {
    let command = |reader: &mut Reader<'_>, node: &Node| step(reader, node, "when").map(Box::new).map(Act::Command);
    let act = |reader: &mut Reader<'_>, node: &Node| match &node.content {
        Content::Map(entries) => match entries.as_slice() {
            [(key, node)] if key.text == "at" => time(reader, node).map(Act::Clock),
            _ => command(reader, node),
        },
        _ => command(reader, node),
    };
    match &node.content {
        Content::List(items) => items.iter().filter_map(|item| act(reader, item)).collect(),
        Content::Map(entries) if entries.len() == 1 => act(reader, node).into_iter().collect(),
        _ => steps(reader, node, "when").into_iter().map(Box::new).map(Act::Command).collect(),
    }
}

/// One step or a list of them.
fn steps(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<Step> {
    match &node.content {
        Content::List(items) => items.iter().filter_map(|item| step(reader, item, what)).collect(),
        _ if node.is_null() => Vec::new(),
        Content::Map(entries) if entries.iter().filter(|(key, _)| !BESIDE.contains(&key.text.as_str())).count() > 1 => {
            reader
                .problem("shape", format!("several steps under `{what}` are a list"), &node.place)
                .hints
                .push("write a `-` before each: a map cannot hold the same key twice and has no order".to_owned());
            Vec::new()
        }
        _ => step(reader, node, what).into_iter().collect(),
    }
}

/// `account/ada Opened: { … }`, or only `account/ada Closed`; `at:` and `version:` beside it.
fn step(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Step> {
    let Titled { title, data, at, version } = titled(reader, node, what)?;
    let Some((stream, name)) = title.text.rsplit_once(' ') else {
        reader
            .problem("scenario", format!("`{}` is no step of a scenario", title.text), &title.place)
            .hints
            .push("write a stream and an event or command: `account/ada Opened: { owner: Ada }`".to_owned());
        return None;
    };
    let stream = stream_name(reader, stream.trim_end(), &title.place)?;
    let name = last_word(&title, name);
    let payload = data.map(|data| reader.payload(data)).unwrap_or_default();
    Some(Step { stream, name, data: payload, written: data.cloned(), at, version })
}

/// An event or a command, its payload, and what stands beside it.
struct Titled<'n> {
    title: Named,
    data: Option<&'n Node>,
    at: Option<Time>,
    version: Option<(u32, Place)>,
}

/// What may stand beside an event or a command.
const BESIDE: &[&str] = &["at", "version"];
/// What may stand beside a command that a process sends.
const BESIDE_SENT: &[&str] = &["rejected"];

fn beside(what: &str) -> &'static [&'static str] {
    if what == "sends" { BESIDE_SENT } else { BESIDE }
}

/// A map of one entry (and perhaps `at` and `version`), or only its key as text.
fn titled<'n>(reader: &mut Reader<'_>, node: &'n Node, what: &str) -> Option<Titled<'n>> {
    match &node.content {
        Content::Scalar(_) if !node.is_null() => {
            Some(Titled { title: reader.text(node, what)?, data: None, at: None, version: None })
        }
        Content::Map(entries) => {
            let beside = beside(what);
            let known = |name: &str| entries.iter().find(|(key, _)| key.text == name && beside.contains(&name));
            let at = known("at").map(|(_, node)| node);
            let at = at.and_then(|node| time(reader, node));
            let version = known("version").map(|(_, node)| node);
            let version = version.and_then(|node| Some((history::version(reader, node)?, node.place.clone())));
            let mut named = entries.iter().filter(|(key, _)| !beside.contains(&key.text.as_str()));
            match (named.next(), named.next()) {
                (Some((key, data)), None) => Some(Titled { title: key.into(), data: Some(data), at, version }),
                _ => {
                    reader.problem(
                        "scenario",
                        match what {
                            "sends" => "an entry of `sends` is one command, with `rejected` beside it at most".to_owned(),
                            _ => format!(
                                "an entry of `{what}` is one event or command, with `at` and `version` beside it at most"
                            ),
                        },
                        &node.place,
                    );
                    None
                }
            }
        }
        _ => {
            reader.problem(
                "scenario",
                format!("an entry of `{what}` is an event or a command, not {}", node.kind_name()),
                &node.place,
            );
            None
        }
    }
}

fn time(reader: &mut Reader<'_>, node: &Node) -> Option<Time> {
    let text = reader.text(node, "`at`")?;
    match Time::parse(&text.text) {
        Ok(time) => Some(time),
        Err(problem) => {
            reader.problem("time", problem.to_string(), &text.place);
            None
        }
    }
}

fn stream_name(reader: &mut Reader<'_>, text: &str, place: &Place) -> Option<StreamName> {
    match StreamName::new(text) {
        Ok(stream) => Some(stream),
        Err(problem) => {
            reader.problem("stream", format!("`{text}`: {problem}"), place);
            None
        }
    }
}

fn last_word(title: &Named, name: &str) -> Named {
    let mut place = title.place.clone();
    if place.end - place.start >= title.text.len() {
        place.end = place.start + title.text.len();
        place.start = place.end - name.len();
    }
    Named { text: name.to_owned(), place }
}

fn expectation(reader: &mut Reader<'_>, node: &Node) -> Option<Expectation> {
    let mut then = Expectation {
        place: node.place.clone(),
        outcome: None,
        details: None,
        message: None,
        state: Vec::new(),
        rows: Vec::new(),
        sends: None,
        done: Vec::new(),
    };
    match &node.content {
        Content::List(_) => then.outcome = Some(Outcome::Events(expected_events(reader, node))),
        Content::Scalar(scalar) if scalar.text == "nothing" => then.outcome = Some(Outcome::Nothing),
        Content::Map(_) => {
            let section = reader.section(node, "`then`", keys::THEN)?;
            conditions(reader, section, &mut then);
        }
        Content::Scalar(_) => {
            reader.problem(
                "scenario",
                "`then` is a list of events, `nothing`, or a map with `rejected` or `state`",
                &node.place,
            );
            return None;
        }
    }
    Some(then)
}

fn conditions(reader: &mut Reader<'_>, section: Section<'_>, then: &mut Expectation) {
    if let Some(node) = section.get("events") {
        then.outcome = Some(Outcome::Events(expected_events(reader, node)));
    }
    if let Some(node) = section.get("nothing") {
        if node.scalar().is_some_and(|s| s.text == "true") {
            then.outcome = Some(Outcome::Nothing);
        } else {
            reader.problem("scenario", "`nothing` is `true`, or it is left out", &node.place);
        }
    }
    if let Some(node) = section.get("rejected") {
        then.outcome = reader.text(node, "`rejected`").map(Outcome::Rejected).or(then.outcome.take());
    }
    if ["events", "nothing", "rejected"].iter().filter(|key| section.get(key).is_some()).count() > 1 {
        reader.problem("scenario", "one of `events`, `rejected` and `nothing` is enough", &then.place);
    }
    if let Some(node) = section.get("details") {
        then.details = Some((node.value(reader.problems), node.place.clone()));
    }
    then.rows = section.get("rows").map(|node| expected_rows(reader, node)).unwrap_or_default();
    then.sends = section.get("sends").map(|node| (expected_sends(reader, node), node.place.clone()));
    then.done = section.get("done").map(|node| done(reader, node)).unwrap_or_default();
    then.message = section.get("message").and_then(|node| reader.text(node, "`message`"));
    if let Some(node) = section.get("state")
        && let Some(entries) = reader.entries(node, "`state`")
    {
        let by_stream = entries.iter().any(|(key, _)| key.text.contains('/'));
        if by_stream {
            for (key, node) in entries {
                if let Some(stream) = stream_name(reader, &key.text, &key.place) {
                    then.state.push((Some(stream), reader.payload(node), key.place.clone()));
                }
            }
        } else {
            then.state.push((None, reader.payload(node), node.place.clone()));
        }
    }
}

/// `balances: { ada: { balance: 1 }, bob: null }`
fn expected_rows(reader: &mut Reader<'_>, node: &Node) -> Vec<ExpectedRow> {
    let mut rows = Vec::new();
    for (projection, node) in reader.entries(node, "`rows`").unwrap_or_default() {
        for (key, node) in reader.entries(node, "the rows of a projection").unwrap_or_default() {
            let columns = if node.is_null() { None } else { Some(reader.payload(node)) };
            rows.push(ExpectedRow { projection: projection.into(), key: key.into(), columns, written: node.clone() });
        }
    }
    rows
}

/// `account/bob Receive: { … }`, with `rejected:` beside it.
fn expected_sends(reader: &mut Reader<'_>, node: &Node) -> Vec<ExpectedSend> {
    let items = match &node.content {
        Content::List(items) => items.as_slice(),
        Content::Scalar(scalar) if scalar.text == "nothing" => &[],
        _ => std::slice::from_ref(node),
    };
    let mut sends = Vec::new();
    for item in items {
        let rejected = match &item.content {
            Content::Map(entries) => entries.iter().find(|(key, _)| key.text == "rejected").map(|(_, node)| node),
            _ => None,
        };
        let rejected = rejected.and_then(|node| reader.text(node, "`rejected`"));
        sends.extend(step(reader, item, "sends").map(|step| ExpectedSend { step, rejected }));
    }
    sends
}

/// `transfer/t1`, a list of these, or `{ transfer/t1: true, transfer/t2: false }`
fn done(reader: &mut Reader<'_>, node: &Node) -> Vec<(StreamName, bool, Place)> {
    let mut found = Vec::new();
    match &node.content {
        Content::Map(entries) => {
            for (key, node) in entries {
                let ended = match node.scalar().map(|scalar| scalar.text.as_str()) {
                    Some("true") => true,
                    Some("false") => false,
                    _ => {
                        reader.problem("shape", "whether an instance is done is `true` or `false`", &node.place);
                        continue;
                    }
                };
                found.extend(stream_name(reader, &key.text, &key.place).map(|name| (name, ended, key.place.clone())));
            }
        }
        Content::List(items) => items.iter().for_each(|item| found.extend(done(reader, item))),
        Content::Scalar(_) => {
            if let Some(named) = reader.text(node, "`done`") {
                let name = stream_name(reader, &named.text, &named.place);
                found.extend(name.map(|name| (name, true, named.place.clone())));
            }
        }
    }
    found
}

fn expected_events(reader: &mut Reader<'_>, node: &Node) -> Vec<ExpectedEvent> {
    let items = match &node.content {
        Content::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    items.iter().filter_map(|item| expected_event(reader, item)).collect()
}

/// `Opened: { … }`, `account/ada Opened: { … }`, or only the name.
fn expected_event(reader: &mut Reader<'_>, node: &Node) -> Option<ExpectedEvent> {
    let Titled { title, data, .. } = titled(reader, node, "then")?;
    let (stream, name) = match title.text.rsplit_once(' ') {
        Some((stream, name)) => (Some(stream_name(reader, stream.trim_end(), &title.place)?), last_word(&title, name)),
        None => (None, title.clone()),
    };
    let payload = data.map(|data| reader.payload(data)).unwrap_or_default();
    Some(ExpectedEvent { stream, name, data: payload, written: data.cloned() })
}
