//! Processes as a store knows them: what reacts to events with commands, what it has done, and what it still has to do.
//!
//! A process has a checkpoint, the last position it has routed, and an [`Instance`] for each key. An instance has a history
//! of steps, commands still to send, deadlines, and, where it stopped, events that wait until it goes on. All of that is
//! changed by [`Store::keep`](super::Store::keep), within the turn in which events are appended.

use super::Failure;
use crate::event::{Position, StreamName, Time};

/// A process, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessInfo {
    /// Its name.
    pub name: Box<str>,
    /// The digest of the rules it went by last.
    pub digest: Box<str>,
    /// It began after this position.
    pub since: Position,
    /// The last position it has routed.
    pub checkpoint: Position,
    /// The event before which it stopped, since no instance could be told for it. Without a key.
    pub stopped: Option<Failure>,
}

/// What the instances of a process come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Instances that neither ended nor stopped.
    pub running: u64,
    /// Instances that ended, and did not stop.
    pub ended: u64,
    /// Instances that stopped.
    pub stopped: u64,
    /// Events that came after the end of their instance.
    pub ignored: u64,
    /// Commands still to send.
    pub outgoing: u64,
    /// Events that wait.
    pub waiting: u64,
    /// Deadlines that are set.
    pub deadlines: u64,
    /// The earliest of them that is not one of a stopped instance.
    pub next: Option<Time>,
}

/// What a process has come to for one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its process.
    pub process: Box<str>,
    /// Its key, as JSON text.
    pub key: Box<str>,
    /// Its state; the store takes it for nothing but text.
    pub state: Box<str>,
    /// Whether it has come to its end.
    pub ended: bool,
    /// How many events came after that.
    pub ignored: u64,
    /// The position of the event it began with.
    pub began: Position,
    /// The number of its last step.
    pub steps: u64,
    /// The time of that step.
    pub time: Time,
    /// Why it stopped, where it did; the store takes it for nothing but text. What it still has to do is held until it goes on.
    pub stopped: Option<Box<str>>,
}

/// What a step of an instance was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StepKind {
    /// It reacted to an event.
    Event,
    /// A command of its was sent.
    Sent,
    /// A command of its was rejected.
    Rejected,
    /// A deadline came.
    Deadline,
    /// It ended.
    Ended,
    /// It stopped at a failure.
    Stopped,
    /// It was told to go on past that.
    Skipped,
    /// It was told to try that again.
    Retried,
}

impl StepKind {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Event,
        Self::Sent,
        Self::Rejected,
        Self::Deadline,
        Self::Ended,
        Self::Stopped,
        Self::Skipped,
        Self::Retried,
    ];

    /// As it is called: `event`, `sent`, `rejected` …
    pub fn name(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Sent => "sent",
            Self::Rejected => "rejected",
            Self::Deadline => "deadline",
            Self::Ended => "ended",
            Self::Stopped => "stopped",
            Self::Skipped => "skipped",
            Self::Retried => "retried",
        }
    }

    /// The one that is called so.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Something that happened to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// 1, 2, 3 … in its instance, without gaps.
    pub number: u64,
    /// What it was.
    pub kind: StepKind,
    /// When.
    pub time: Time,
    /// The position of the event it is about; of a command that was sent, of its first event.
    pub position: Option<Position>,
    /// Of the event's type, the command or the deadline.
    pub name: Option<Box<str>>,
    /// The id of a command that was sent or rejected; those have one.
    pub command: Option<Box<str>>,
    /// What it follows from.
    pub causation: Option<Box<str>>,
    /// What else is to be known of it, as JSON text.
    pub data: Option<Box<str>>,
}

/// A command of an instance that was rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Grows in the order in which steps came to the store.
    pub number: u64,
    /// The process.
    pub process: Box<str>,
    /// The key of the instance, as JSON text.
    pub key: Box<str>,
    /// The step that says so.
    pub step: Step,
}

/// A command that is still to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its place in the order in which commands are sent. The store gives it, never the same again; what is put has none.
    pub number: u64,
    /// The process.
    pub process: Box<str>,
    /// The key of the instance, as JSON text.
    pub key: Box<str>,
    /// The command's id.
    pub id: Box<str>,
    /// The stream it goes to.
    pub stream: StreamName,
    /// The command's type.
    pub name: Box<str>,
    /// Its payload, as JSON text.
    pub data: Box<str>,
    /// The conversation it belongs to.
    pub correlation: Option<Box<str>>,
    /// What it follows from.
    pub causation: Option<Box<str>>,
    /// What its id derives from.
    pub label: Box<str>,
}

/// An event that waits until a stopped instance goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The process.
    pub process: Box<str>,
    /// The key of the instance, as JSON text.
    pub key: Box<str>,
    /// The position of the event.
    pub position: Position,
}

/// When an instance is to be woken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deadline {
    /// The process.
    pub process: Box<str>,
    /// The key of the instance, as JSON text.
    pub key: Box<str>,
    /// Its name; an instance has one of each name.
    pub name: Box<str>,
    /// When.
    pub due: Time,
    /// The conversation it belongs to.
    pub correlation: Option<Box<str>>,
    /// What it follows from.
    pub causation: Option<Box<str>>,
    /// What the ids of its commands derive from.
    pub label: Box<str>,
}

/// What happens to a process in a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProcessChange {
    /// It is this now: new, or in place of what it was. Its checkpoint lies not beyond the end of the store.
    Process(ProcessInfo),
    /// An instance is this now: new, or in place of what it was. Where it stops, what it has to do is held; where it goes
    /// on, no longer.
    Instance(Instance),
    /// The next step of an instance.
    Step {
        /// The process.
        process: Box<str>,
        /// The key of the instance, as JSON text.
        key: Box<str>,
        /// The step; its number is the next one. A command is sent in one step at most.
        step: Step,
    },
    /// A command is to be sent, after all that are to be sent already.
    Send(Outgoing),
    /// The one with that number no longer; no matter if there is none.
    Sent(u64),
    /// A deadline is set, in place of the one of that name that the instance has.
    Deadline(Deadline),
    /// A deadline is taken back; no matter if there is none.
    NoDeadline {
        /// The process.
        process: Box<str>,
        /// The key of the instance, as JSON text.
        key: Box<str>,
        /// The deadline's name.
        name: Box<str>,
    },
    /// All deadlines of an instance are taken back.
    NoDeadlines {
        /// The process.
        process: Box<str>,
        /// The key of the instance, as JSON text.
        key: Box<str>,
    },
    /// An event waits; no matter if it does already.
    Wait(Waiting),
    /// It waits no longer; no matter if it did not.
    Waited(Waiting),
}
