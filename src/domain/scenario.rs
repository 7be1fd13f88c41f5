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
    /// `when`: commands, in order.
    pub when: Vec<Step>,
    /// `then`
    pub then: Expectation,
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
    /// The stream of the last command.
    pub fn stream(&self) -> Option<&StreamName> {
        self.when.last().map(|step| &step.stream)
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
    let when = section.get("when").map(|node| steps(reader, node, "when")).unwrap_or_default();
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

/// A map of one entry (and perhaps `at` and `version`), or only its key as text.
fn titled<'n>(reader: &mut Reader<'_>, node: &'n Node, what: &str) -> Option<Titled<'n>> {
    match &node.content {
        Content::Scalar(_) if !node.is_null() => {
            Some(Titled { title: reader.text(node, what)?, data: None, at: None, version: None })
        }
        Content::Map(entries) => {
            let at = entries.iter().find(|(key, _)| key.text == "at").map(|(_, node)| node);
            let at = at.and_then(|node| time(reader, node));
            let version = entries.iter().find(|(key, _)| key.text == "version").map(|(_, node)| node);
            let version = version.and_then(|node| Some((history::version(reader, node)?, node.place.clone())));
            let mut named = entries.iter().filter(|(key, _)| !BESIDE.contains(&key.text.as_str()));
            match (named.next(), named.next()) {
                (Some((key, data)), None) => Some(Titled { title: key.into(), data: Some(data), at, version }),
                _ => {
                    reader.problem(
                        "scenario",
                        format!(
                            "an entry of `{what}` is one event or command, with `at` and `version` beside it at most"
                        ),
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
