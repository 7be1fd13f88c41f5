//! The JSON contract: types of its own, in the words of the glossary, written in this order of keys.
//!
//! Payloads, states and values are JSON text already, exact; [`Exact`] puts them in as they are.

use super::preview::PreviewLine;
use super::processes::ForeseenLine;
use super::text::harmless;
use super::trouble::{Place, Problem};
use esctl::event::{Command, Recorded, Time};
use esctl::json::{self, Object, Value};
use esctl::script::Rejection;
use esctl::workbench::Change;
use esctl::workbench::send::{Receipt, Refusal, Sent};
use esctl::{event, store};
use serde::ser::{Error, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io;

/// JSON text on one line, fit for a terminal. An error says that stored text is not JSON.
pub fn line(value: &impl Serialize) -> io::Result<String> {
    let text = serde_json::to_string(value)?;
    Ok(match harmless(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(escaped) => escaped,
    })
}

/// JSON text that is put in as it is, so that its numbers stay exact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exact<'a>(Cow<'a, str>);

impl From<&Value> for Exact<'_> {
    fn from(value: &Value) -> Self {
        let mut text = String::new();
        json::write(value, &mut text);
        Self(text.into())
    }
}

impl<'a> From<&'a str> for Exact<'a> {
    fn from(text: &'a str) -> Self {
        Self(text.into())
    }
}

impl Serialize for Exact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

/// Values under their names.
#[derive(Debug)]
pub struct Named<'a>(pub Vec<(&'a str, &'a Value)>);

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, &Exact::from(*value))?;
        }
        map.end()
    }
}

impl<'a> From<&'a Object> for Named<'a> {
    fn from(object: &'a Object) -> Self {
        Self(object.iter().map(|(name, value)| (name.as_str(), value)).collect())
    }
}

/// What `send` prints: a receipt or a rejection, with what was asked for besides.
#[derive(Debug, Serialize)]
pub struct Answer<'a> {
    /// The line of the batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// A receipt or a rejection.
    #[serde(flatten)]
    outcome: Outcome<'a>,
    /// What only a rehearsal says.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub rehearsal: Option<Rehearsed<'a>>,
}

impl<'a> From<&'a Sent> for Answer<'a> {
    fn from(sent: &'a Sent) -> Self {
        let outcome = match sent {
            Sent::Accepted(receipt) => Outcome::Accepted(receipt.into()),
            Sent::Rejected(refusal) => Outcome::Rejected(refusal.into()),
        };
        Self { line: None, outcome, rehearsal: None }
    }
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Outcome<'a> {
    Accepted(Accepted<'a>),
    Rejected(Rejected<'a>),
}

#[derive(Debug, Serialize)]
struct Accepted<'a> {
    stream: &'a str,
    command: &'a str,
    id: &'a str,
    outcome: &'static str,
    version: u64,
    position: u64,
    events: Vec<ReceiptEvent<'a>>,
    head: String,
    #[serde(skip_serializing_if = "is_false")]
    duplicate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    raised: Option<String>,
}

#[derive(Debug, Serialize)]
struct ReceiptEvent<'a> {
    /// Only where it is another than the command's.
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'a str>,
    version: u64,
    position: u64,
    #[serde(rename = "type")]
    kind: &'a str,
    data: Exact<'a>,
}

#[derive(Debug, Serialize)]
struct Rejected<'a> {
    stream: &'a str,
    command: &'a str,
    id: &'a str,
    outcome: &'static str,
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Exact<'a>>,
    version: u64,
    position: u64,
    head: String,
}

/// Why a command was rejected, within what is told of it.
#[derive(Debug, Serialize)]
pub struct Reason<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Exact<'a>>,
}

impl<'a> From<&'a Rejection> for Reason<'a> {
    fn from(rejection: &'a Rejection) -> Self {
        let details = rejection.details.as_ref().map(Exact::from);
        Self { code: &rejection.code, message: &rejection.message, details }
    }
}

impl<'a> From<&'a Receipt> for Accepted<'a> {
    fn from(receipt: &'a Receipt) -> Self {
        let event = |event: &'a Recorded| ReceiptEvent {
            stream: (event.stream != receipt.stream).then(|| event.stream.as_str()),
            version: event.version.0,
            position: event.position.0,
            kind: &event.kind,
            data: (&*event.data).into(),
        };
        Self {
            stream: receipt.stream.as_str(),
            command: &receipt.command,
            id: &receipt.id,
            outcome: "accepted",
            version: receipt.version.0,
            position: receipt.position.0,
            events: receipt.events.iter().map(event).collect(),
            head: receipt.head.to_string(),
            duplicate: receipt.duplicate,
            raised: receipt.raised.map(time),
        }
    }
}

impl<'a> From<&'a Refusal> for Rejected<'a> {
    fn from(refusal: &'a Refusal) -> Self {
        Self {
            stream: refusal.stream.as_str(),
            command: &refusal.command,
            id: &refusal.id,
            outcome: "rejected",
            code: &refusal.rejection.code,
            message: &refusal.rejection.message,
            details: refusal.rejection.details.as_ref().map(Exact::from),
            version: refusal.version.0,
            position: refusal.position.0,
            head: refusal.head.to_string(),
        }
    }
}

/// What a rehearsal says besides.
#[derive(Debug, Serialize)]
pub struct Rehearsed<'a> {
    /// Always true: nothing was stored.
    pub dry_run: bool,
    /// The state after it.
    pub state: Exact<'a>,
    /// What changed in the state.
    pub changes: Vec<Changed<'a>>,
    /// What would change in read models.
    pub projections: Vec<PreviewLine<'a>>,
    /// What processes would send, given its events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<ForeseenLine<'a>>,
}

/// One thing that changed in a state.
#[derive(Debug, Serialize)]
pub struct Changed<'a> {
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Exact<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<Exact<'a>>,
}

impl<'a> From<&'a Change> for Changed<'a> {
    fn from(change: &'a Change) -> Self {
        Self {
            path: &change.path,
            before: change.before.as_ref().map(Exact::from),
            after: change.after.as_ref().map(Exact::from),
        }
    }
}

/// An event of the log.
#[derive(Debug, Serialize)]
pub struct Event<'a> {
    position: u64,
    stream: &'a str,
    version: u64,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "is_first")]
    schema: u32,
    time: String,
    data: Exact<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Cause<'a>>,
    /// Microseconds since the event before it in its stream, where that was asked for and there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_micros: Option<u64>,
    /// What it changed in the state, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<Changed<'a>>>,
}

/// The command that caused an event.
#[derive(Debug, Serialize)]
struct Cause<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Exact<'a>>,
}

impl<'a> From<&'a Recorded> for Event<'a> {
    fn from(event: &'a Recorded) -> Self {
        Self {
            position: event.position.0,
            stream: event.stream.as_str(),
            version: event.version.0,
            kind: &event.kind,
            schema: event.schema,
            time: time(event.time),
            data: (&*event.data).into(),
            command: event.command.as_deref().map(Cause::from),
            gap_micros: None,
            changes: None,
        }
    }
}

impl<'a> From<&'a Command> for Cause<'a> {
    fn from(command: &'a Command) -> Self {
        Self {
            id: &command.id,
            name: &command.name,
            actor: command.actor.as_deref(),
            correlation: command.correlation.as_deref(),
            causation: command.causation.as_deref(),
            meta: command.meta.as_deref().map(Exact::from),
        }
    }
}

/// The state of a stream.
#[derive(Debug, Serialize)]
pub struct Replayed<'a> {
    stream: &'a str,
    version: u64,
    position: u64,
    time: Option<String>,
    state: Exact<'a>,
}

impl<'a> From<&'a esctl::workbench::replay::Replayed> for Replayed<'a> {
    fn from(replayed: &'a esctl::workbench::replay::Replayed) -> Self {
        Self {
            stream: replayed.stream.as_str(),
            version: replayed.version.0,
            position: replayed.position.0,
            time: replayed.time.map(time),
            state: (&replayed.state).into(),
        }
    }
}

/// A stream of the store.
#[derive(Debug, Serialize)]
pub struct StreamLine<'a> {
    stream: &'a str,
    version: u64,
    first: u64,
    last: u64,
    time: String,
}

impl<'a> From<&'a store::StreamInfo> for StreamLine<'a> {
    fn from(stream: &'a store::StreamInfo) -> Self {
        Self {
            stream: stream.name.as_str(),
            version: stream.version.0,
            first: stream.first.0,
            last: stream.last.0,
            time: time(stream.time),
        }
    }
}

/// What an import did.
#[derive(Debug, Serialize)]
pub struct Imported<'a> {
    /// The id of the store.
    pub store: &'a str,
    /// Events stored.
    pub events: u64,
    /// The commands they belong to.
    pub commands: u64,
    /// Events that were there before.
    pub skipped: u64,
    /// The last position of the store.
    pub position: u64,
    /// The hash of its last event.
    pub hash: String,
}

/// A backup that was made.
#[derive(Debug, Serialize)]
pub struct BackedUp<'a> {
    /// The file.
    pub file: &'a str,
    /// The id of the store.
    pub store: &'a str,
    /// The position of its last event.
    pub position: u64,
    /// The hash of its last event.
    pub hash: String,
}

/// How a scenario went.
#[derive(Debug, Serialize)]
pub struct Tested<'a> {
    /// Its domain.
    pub domain: &'a str,
    /// Its name.
    pub scenario: &'a str,
    /// `passed`, `failed` or `error`.
    pub outcome: &'static str,
    /// Where it stands.
    pub place: Place<'a>,
    /// How a failed one differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference<'a>>,
    /// Why one could not be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem<'a>>,
}

/// What a scenario expected and what came.
#[derive(Debug, Serialize)]
pub struct Difference<'a> {
    what: &'a str,
    expected: &'a str,
    actual: &'a str,
    place: Place<'a>,
}

impl<'a> From<&'a esctl::workbench::test::Difference> for Difference<'a> {
    fn from(found: &'a esctl::workbench::test::Difference) -> Self {
        Self { what: &found.what, expected: &found.expected, actual: &found.actual, place: (&found.place).into() }
    }
}

/// What `init` made.
#[derive(Debug, Serialize)]
pub struct Made<'a> {
    /// The files that were written.
    pub made: Vec<String>,
    /// What to type next.
    pub next: &'a [&'a str],
}

/// A time as the contract writes it.
pub fn time(time: Time) -> String {
    time.to_string()
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for it
fn is_first(schema: &u32) -> bool {
    *schema == 1
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for it
fn is_false(flag: &bool) -> bool {
    !flag
}

/// The position as people and `--at` write it.
pub fn at(position: event::Position) -> String {
    format!("@{position}")
}
