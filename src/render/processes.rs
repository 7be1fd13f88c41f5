//! Processes as they are listed: what is declared, how they are, what they send and would send.

use super::listing::{Column, Render};
use super::projections::{DIGITS, FailureLine, why};
use super::{records, text, wire};
use esctl::domain::Domains;
use esctl::domain::process::Process;
use esctl::json::Value;
use esctl::workbench::process::{Foreseen, Foresight, Halt, HaltAt, Mended, Rules, Status};
use esctl::workbench::send::Sent;
use serde::Serialize;
use std::io;

/// A key as people write it.
pub fn key(key: &Value) -> String {
    text::harmless(&records::exact(key)).into_owned()
}

/// `transfer t1: account/bob Receive accepted, version 3`
pub fn sent_line(process: &str, of: &Value, sent: &Sent) -> String {
    let who = format!("{process} {}", key(of));
    match sent {
        Sent::Accepted(receipt) => {
            let nothing = if receipt.events.is_empty() { ", no events" } else { "" };
            let (stream, command) = (&receipt.stream, &receipt.command);
            format!("{who}: {stream} {command} accepted{nothing}, version {}", receipt.version)
        }
        Sent::Rejected(refusal) => {
            let code = &refusal.rejection.code;
            format!("{who}: {} {} rejected: {code}", refusal.stream, refusal.command)
        }
    }
}

/// `transfer t1: the command `transfer/t1@4.0` is tried again`
pub fn mended_line(mended: &Mended, what: &str) -> String {
    let who = match &mended.key {
        Some(of) => format!("{} {}", mended.process, key(of)),
        None => mended.process.to_string(),
    };
    format!("{who}: {} is {what}", halted_at(&mended.halt))
}

pub(super) fn halted_at(halt: &Halt) -> String {
    match &halt.at {
        HaltAt::Event(position) => format!("the event at {}", wire::at(*position)),
        HaltAt::Command(id) => format!("the command `{id}`"),
        HaltAt::Deadline(name) => format!("the deadline `{name}`"),
    }
}

pub(super) fn halted(halt: &Halt) -> String {
    let place = halt.place.as_deref().map(|place| format!(" ({place})")).unwrap_or_default();
    format!("at {}: {}{place}", halted_at(halt), halt.message)
}

/// What a process would do, within what a dry run says.
#[derive(Debug, Serialize)]
pub struct ForeseenLine<'a> {
    process: &'a str,
    key: Option<wire::Exact<'a>>,
    #[serde(flatten)]
    what: ForesightLine<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ForesightLine<'a> {
    Sends { stream: &'a str, command: &'a str, data: wire::Exact<'a> },
    Stops { stopped: &'a str },
}

impl<'a> From<&'a Foreseen> for ForeseenLine<'a> {
    fn from(foreseen: &'a Foreseen) -> Self {
        let what = match &foreseen.what {
            Foresight::Sends { stream, command, data } => {
                ForesightLine::Sends { stream: stream.as_str(), command, data: data.into() }
            }
            Foresight::Stops(message) => ForesightLine::Stops { stopped: message },
        };
        Self { process: &foreseen.process, key: foreseen.key.as_ref().map(wire::Exact::from), what }
    }
}

/// The same for people.
pub fn foreseen_line(foreseen: &Foreseen) -> String {
    let who = match &foreseen.key {
        Some(of) => format!("  {}  {}", foreseen.process, key(of)),
        None => format!("  {}", foreseen.process),
    };
    match &foreseen.what {
        Foresight::Sends { stream, command, data } => {
            format!("{who}  would send {} {command} {}", text::harmless(stream.as_str()), text::value(data))
        }
        Foresight::Stops(message) => format!("{who}  would stop: {}", text::harmless(message)),
    }
}

/// Columns of [`Declared`].
pub const DECLARED: &[Column] = &[
    Column::text("name"),
    Column::text("domain"),
    Column::text("events"),
    Column::text("sends"),
    Column::text("deadlines"),
    Column::text("description"),
];

/// A process as the domain declares it.
#[derive(Debug, Serialize)]
pub struct Declared {
    name: String,
    domain: String,
    description: String,
    events: Vec<String>,
    starts: Vec<String>,
    sends: Vec<String>,
    on_rejected: Vec<String>,
    deadlines: Vec<String>,
    from: &'static str,
}

impl Declared {
    /// What is to be told of it.
    pub fn new(process: &Process, domains: &Domains) -> Self {
        let dotted = |(aggregate, name): &(Box<str>, Box<str>)| format!("{aggregate}.{name}");
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        let starts = process.handlers.iter().filter(|(_, reacts)| reacts.starts);
        Self {
            name: process.name.to_string(),
            domain: domains.files().get(process.file).map(|file| file.name.to_string()).unwrap_or_default(),
            description: process.description.clone(),
            events: sorted(process.handlers.keys().map(dotted).collect()),
            starts: sorted(starts.map(|(event, _)| dotted(event)).collect()),
            sends: process.sends.keys().map(dotted).collect(),
            on_rejected: sorted(process.rejected.keys().map(dotted).collect()),
            deadlines: process.deadlines.keys().map(ToString::to_string).collect(),
            from: if process.from_start { "start" } else { "end" },
        }
    }
}

impl Render for Declared {
    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.domain.clone(),
            self.events.join(", "),
            self.sends.join(", "),
            self.deadlines.join(", "),
            self.description.clone(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(self)
    }
}

/// Columns of [`Status`].
pub const STATUS: &[Column] = &[
    Column::text("name"),
    Column::text("rules"),
    Column::number("checkpoint"),
    Column::number("behind"),
    Column::number("running"),
    Column::number("ended"),
    Column::number("stopped"),
    Column::number("to_send"),
    Column::number("waiting"),
    Column::number("deadlines"),
    Column::text("next_deadline"),
    Column::number("ignored"),
    Column::text("problem"),
];

fn rules(rules: Rules) -> &'static str {
    match rules {
        Rules::Current => "current",
        Rules::Changed => "changed",
        Rules::Gone => "gone",
    }
}

#[derive(Debug, Serialize)]
struct StatusLine<'a> {
    name: &'a str,
    rules: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a str>,
    since: Option<u64>,
    checkpoint: Option<u64>,
    behind: u64,
    running: u64,
    ended: u64,
    stopped: u64,
    to_send: u64,
    waiting: u64,
    deadlines: u64,
    next_deadline: Option<String>,
    ignored: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<FailureLine<'a>>,
    instances: Vec<StoppedLine<'a>>,
}

#[derive(Debug, Serialize)]
struct StoppedLine<'a> {
    key: wire::Exact<'a>,
    #[serde(flatten)]
    halt: HaltLine<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct HaltLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deadline: Option<&'a str>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<&'a str>,
}

impl<'a> From<&'a Halt> for HaltLine<'a> {
    fn from(halt: &'a Halt) -> Self {
        let (position, command, deadline) = match &halt.at {
            HaltAt::Event(position) => (Some(position.0), None, None),
            HaltAt::Command(id) => (None, Some(&**id), None),
            HaltAt::Deadline(name) => (None, None, Some(&**name)),
        };
        let (code, place) = (halt.code.as_deref(), halt.place.as_deref());
        Self { position, command, deadline, message: &halt.message, code, place }
    }
}

impl Render for Status {
    fn cells(&self) -> Vec<String> {
        let tally = self.info.as_ref().map(|(_, tally)| *tally).unwrap_or_default();
        let process = self.info.as_ref().and_then(|(info, _)| info.stopped.as_ref()).map(why);
        let first = self.stopped.first().map(|(of, halt)| format!("{} {}", key(of), halted(halt)));
        vec![
            self.name.to_string(),
            rules(self.rules).to_owned(),
            self.info.as_ref().map(|(info, _)| info.checkpoint.to_string()).unwrap_or_default(),
            self.behind.to_string(),
            tally.running.to_string(),
            tally.ended.to_string(),
            tally.stopped.to_string(),
            tally.outgoing.to_string(),
            tally.waiting.to_string(),
            tally.deadlines.to_string(),
            tally.next.map(wire::time).unwrap_or_default(),
            tally.ignored.to_string(),
            process.or(first).map(|words| text::harmless(&words).into_owned()).unwrap_or_default(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        let info = self.info.as_ref().map(|(info, _)| info);
        let tally = self.info.as_ref().map(|(_, tally)| *tally).unwrap_or_default();
        wire::line(&StatusLine {
            name: &self.name,
            rules: rules(self.rules),
            digest: info.and_then(|info| info.digest.get(..DIGITS)),
            since: info.map(|info| info.since.0),
            checkpoint: info.map(|info| info.checkpoint.0),
            behind: self.behind,
            running: tally.running,
            ended: tally.ended,
            stopped: tally.stopped,
            to_send: tally.outgoing,
            waiting: tally.waiting,
            deadlines: tally.deadlines,
            next_deadline: tally.next.map(wire::time),
            ignored: tally.ignored,
            problem: info.and_then(|info| info.stopped.as_ref()).map(FailureLine::from),
            instances: self
                .stopped
                .iter()
                .map(|(of, halt)| StoppedLine { key: of.into(), halt: halt.into() })
                .collect(),
        })
    }
}

/// Columns of [`Sending`].
pub const SENT: &[Column] = &[
    Column::text("process"),
    Column::text("key"),
    Column::text("stream"),
    Column::text("command"),
    Column::text("outcome"),
    Column::number("version"),
    Column::number("position"),
    Column::text("id"),
];

/// A command that a process sent, with what came of it.
#[derive(Debug)]
pub struct Sending<'a> {
    /// The process.
    pub process: &'a str,
    /// The key of the instance.
    pub key: &'a Value,
    /// A receipt or a rejection.
    pub sent: &'a Sent,
}

#[derive(Debug, Serialize)]
struct SendingLine<'a> {
    process: &'a str,
    key: wire::Exact<'a>,
    #[serde(flatten)]
    answer: wire::Answer<'a>,
}

impl Render for Sending<'_> {
    fn cells(&self) -> Vec<String> {
        let (stream, command, outcome, version, position, id) = match self.sent {
            Sent::Accepted(receipt) => {
                let outcome = if receipt.duplicate { "accepted before" } else { "accepted" }.to_owned();
                (&receipt.stream, &receipt.command, outcome, receipt.version, receipt.position, &receipt.id)
            }
            Sent::Rejected(refusal) => {
                let outcome = format!("rejected: {}", refusal.rejection.code);
                (&refusal.stream, &refusal.command, outcome, refusal.version, refusal.position, &refusal.id)
            }
        };
        vec![
            self.process.to_owned(),
            key(self.key),
            text::harmless(stream.as_str()).into_owned(),
            command.clone(),
            text::harmless(&outcome).into_owned(),
            version.to_string(),
            position.to_string(),
            text::harmless(id).into_owned(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&SendingLine { process: self.process, key: self.key.into(), answer: self.sent.into() })
    }
}
