//! What processes are: what they answer, and with what.

use super::{Member, StateFact, StreamPattern, in_order, once, state_facts};
use crate::domain::Domains;
use crate::domain::check::{aggregate_in, text_of};
use crate::domain::process::{Process, Reacts};
use crate::script::facts::Call;

/// A process.
#[derive(Debug)]
pub struct ProcessFacts {
    /// Its name.
    pub name: String,
    /// The domain that declares it.
    pub domain: String,
    /// What it sees to.
    pub description: String,
    /// Whether it begins with the first event of a store, not after the last one that was there before it.
    pub from_start: bool,
    /// The fields of an instance's state.
    pub state: Vec<StateFact>,
    /// The events it handles.
    pub events: Vec<AnsweredFact>,
    /// The commands that it can send, each once for each kind of stream, in the order of the text.
    pub sends: Vec<SentFact>,
    /// The deadlines that it has a handler for, in the order of the file.
    pub deadlines: Vec<String>,
}

/// An event that a process handles.
#[derive(Debug)]
pub struct AnsweredFact {
    /// The event.
    pub event: Member,
    /// Which instances it concerns, as it is written.
    pub key: String,
    /// Whether it begins an instance that is not there.
    pub starts: bool,
}

/// A command that a process can send.
#[derive(Debug, PartialEq, Eq)]
pub struct SentFact {
    /// The command.
    pub command: Member,
    /// Where it goes.
    pub stream: StreamPattern,
    /// Whether its rejection has a handler; without one it stops the instance.
    pub on_rejected: bool,
}

pub(super) fn facts(domains: &Domains, process: &Process, domain: &str) -> ProcessFacts {
    let fact = |((aggregate, event), reacts): (&(Box<str>, Box<str>), &Reacts)| AnsweredFact {
        event: Member::new(aggregate, event),
        key: reacts.key.text().text.trim().to_owned(),
        starts: reacts.starts,
    };
    ProcessFacts {
        name: process.name.to_string(),
        domain: domain.to_owned(),
        description: process.description.trim().to_owned(),
        from_start: process.from_start,
        state: state_facts(&process.state),
        events: in_order(domains, &process.handlers).into_iter().map(fact).collect(),
        sends: sent(process),
        deadlines: process.deadlines.keys().map(ToString::to_string).collect(),
    }
}

/// What its handlers can send, in the order of the text.
fn sent(process: &Process) -> Vec<SentFact> {
    let scripts = process.handlers.values().map(|reacts| &reacts.script);
    let scripts = scripts.chain(process.rejected.values()).chain(process.deadlines.values());
    let mut calls: Vec<&Call> = scripts.flat_map(|script| script.facts().calls_of("send")).collect();
    calls.sort_by_key(|call| call.place.start);
    let fact = |call: &Call| {
        let (aggregate, command) = (aggregate_in(call)?, text_of(call, 1)?);
        let on_rejected = process.rejected.contains_key(&(aggregate.into(), command.into()));
        Some(SentFact { command: Member::new(aggregate, command), stream: StreamPattern::of(call)?, on_rejected })
    };
    let mut sends = Vec::new();
    calls.into_iter().filter_map(fact).for_each(|sent| once(&mut sends, sent));
    sends
}
