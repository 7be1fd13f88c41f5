//! Processes: events are answered with commands, each of them exactly once.
//!
//! What a process does happens in write turns: the state of an instance, what it still has to send, the checkpoint, and the
//! events of the commands that are sent, are committed together. So a process that is killed at any moment goes on where it
//! was, and the id of a command, which derives from what it answers, is a second lock on the same door.
//!
//! Work is done in this order, as if the process had been there all the time: what is to be sent is sent; then, by their
//! times, come events, those that waited among them, and deadlines, of which one goes before an event that came after it was
//! due.

mod foresee;
mod halt;
mod instance;
mod label;
mod mend;
mod outgoing;
mod queue;
mod show;

pub use foresee::{Foreseen, Foresight};
pub use halt::{Halt, HaltAt};
pub use mend::Mended;
pub use show::{InstanceShown, Rules, Standing, Status, StepShown};

use super::kept::Kept;
use super::send::Sent;
use super::{Error, Misfit, Workbench};
use crate::diagnostic::{Diagnostic, meant};
use crate::domain::Domains;
use crate::domain::process::Process;
use crate::event::{Position, Time};
use crate::json::Value;
use crate::store::{ProcessChange, ProcessInfo, StoreError};
pub use queue::Seen;
use queue::{Queue, Work};

/// How much one turn does at most before others may write.
const GROUP: usize = 64;
/// How much what is appended in one turn weighs at most, in bytes.
const GROUP_BYTES: usize = 1024 * 1024;
/// How many positions a process may be behind, with nothing in them for it, before that is noted.
const LAG: u64 = 64;

/// How many commands may follow from one event, where nobody says otherwise.
pub const MAX_STEPS: u64 = 10_000;

/// What processes did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reacted {
    /// Events that instances were given.
    pub events: u64,
    /// Deadlines that came.
    pub deadlines: u64,
    /// Commands that were sent and accepted.
    pub sent: u64,
    /// Commands that were rejected.
    pub rejected: u64,
    /// What stopped, in order.
    pub stopped: Vec<Stopped>,
    /// Where there was no end to it.
    pub bound: Option<Bound>,
}

/// An instance, or a whole process, that cannot go on.
#[derive(Debug, Clone, PartialEq)]
pub struct Stopped {
    /// The process.
    pub process: Box<str>,
    /// The key of the instance; `None` where no instance could be told.
    pub key: Option<Value>,
    /// Why.
    pub halt: Halt,
    /// The same as a problem with a place, where a script failed.
    pub problem: Option<Box<Diagnostic>>,
}

/// More followed from one event than may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// How much may.
    pub max_steps: u64,
    /// The processes that kept it going, by name.
    pub processes: Vec<Box<str>>,
}

/// What a process just did, for whoever watches.
#[derive(Debug)]
pub enum Happened<'a> {
    /// It sent a command.
    Sent {
        /// The process.
        process: &'a str,
        /// The key of the instance.
        key: &'a Value,
        /// Its payload, as JSON.
        data: &'a str,
        /// What came of it.
        sent: &'a Sent,
    },
    /// It stopped.
    Stopped(&'a Stopped),
}

/// Told of what happens in a turn once that is committed.
pub type Watch<'w> = dyn FnMut(&Happened<'_>) + 'w;

/// How processes are run.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// The time now: deadlines that are due by then come. The store's time where that is later.
    pub now: Time,
    /// How many commands and deadlines may follow from one event.
    pub max_steps: u64,
    /// What is to be sent has been sent already: a scenario says what came of it.
    pub told: bool,
}

impl Manner {
    /// Everything is sent.
    pub fn new(now: Time, max_steps: u64) -> Self {
        Self { now, max_steps, told: false }
    }
}

/// Processes at work.
struct Run<'d> {
    manner: Manner,
    /// The time of what is done: not before the store's.
    now: Time,
    queue: Queue<'d>,
    kept: Kept,
    reacted: Reacted,
    /// What is to be told when the turn is committed.
    news: Vec<News>,
    /// How much was appended in the turn.
    bytes: usize,
}

/// As [`Happened`], kept until the turn is committed.
enum News {
    Sent { process: Box<str>, key: Value, data: Box<str>, sent: Box<Sent> },
    Stopped(Stopped),
}

impl Workbench {
    /// Lets processes answer what has happened, until nothing is left to do. What cannot go on is noted and told, not an error.
    pub fn react(&mut self, manner: &Manner, watch: &mut Watch<'_>) -> Result<Reacted, Error> {
        self.react_on(manner, &mut Seen::default(), watch)
    }

    /// The same for who does so again and again on the same store by the same rules, with what was seen the last time.
    pub(super) fn react_on(
        &mut self,
        manner: &Manner,
        seen: &mut Seen,
        watch: &mut Watch<'_>,
    ) -> Result<Reacted, Error> {
        let domains = self.domains.clone();
        if domains.processes().next().is_none() {
            return Ok(Reacted::default());
        }
        let mut run = Run {
            manner: *manner,
            now: manner.now,
            queue: Queue::new(&domains, seen),
            kept: Kept::default(),
            reacted: Reacted::default(),
            news: Vec::new(),
            bytes: 0,
        };
        loop {
            let fresh = run.queue.look(self.store.as_mut())?;
            let now = run.now_at(self)?;
            // What the store has not met it meets when there is something to react to.
            let fresh = fresh && self.store.head()?.position > Position(0);
            let waits = fresh || run.queue.next(self.store.as_mut(), now)?.is_some();
            if !waits && run.queue.lag() < LAG {
                break;
            }
            let goes_on = self.react_in_turn(&mut run)?;
            for news in run.news.drain(..) {
                match &news {
                    News::Sent { process, key, data, sent } => watch(&Happened::Sent { process, key, data, sent }),
                    News::Stopped(stopped) => watch(&Happened::Stopped(stopped)),
                }
                if let News::Stopped(stopped) = news {
                    run.reacted.stopped.push(stopped);
                }
            }
            if !goes_on {
                break;
            }
        }
        *seen = run.queue.seen();
        Ok(run.reacted)
    }

    /// Makes processes known that the store has not met yet: they begin here. Within a turn.
    pub(super) fn meet_processes(&mut self) -> Result<(), Error> {
        let domains = self.domains.clone();
        for process in domains.processes() {
            if self.store.process(&process.name)?.is_none() {
                let since = if process.from_start { Position(0) } else { self.store.head()?.position };
                let (name, digest) = (process.name.clone(), process.digest.clone());
                let info = ProcessInfo { name, digest, since, checkpoint: since, stopped: None };
                self.store.keep(&ProcessChange::Process(info))?;
            }
        }
        Ok(())
    }

    /// One turn. Says whether there may be more to do.
    fn react_in_turn(&mut self, run: &mut Run<'_>) -> Result<bool, Error> {
        run.kept.inline = self.begin_inline(run.manner.now)?;
        let result = self.react_within(run);
        self.end_turn(result)
    }

    fn react_within(&mut self, run: &mut Run<'_>) -> Result<bool, Error> {
        self.meet_processes()?;
        run.queue.look(self.store.as_mut())?;
        run.bytes = 0;
        let mut goes_on = true;
        for _ in 0..GROUP {
            run.now = run.now_at(self)?;
            let Some(work) = run.queue.next(self.store.as_mut(), run.now)? else {
                run.queue.caught_up();
                break;
            };
            goes_on = self.work(run, work)?;
            if !goes_on || run.bytes > GROUP_BYTES {
                break;
            }
        }
        for info in run.queue.take_moved() {
            self.store.keep(&ProcessChange::Process(info))?;
        }
        run.queue.forget();
        Ok(goes_on)
    }

    /// Does one thing. Says whether there may be more.
    fn work(&mut self, run: &mut Run<'_>, work: Work) -> Result<bool, Error> {
        match work {
            Work::Send(outgoing) => self.send_outgoing(run, &outgoing),
            Work::Waiting(waiting, event) => {
                let domains = self.domains.clone();
                let process = process_of(&domains, &waiting.process)?;
                self.store.keep(&ProcessChange::Waited(waiting.clone()))?;
                self.give(run, process, &event, Some(&waiting.key)).map(|()| true)
            }
            Work::Event(name, event) => {
                let domains = self.domains.clone();
                let process = process_of(&domains, &name)?;
                self.give(run, process, &event, None)?;
                run.queue.moved_to(&name, event.position, &process.digest);
                Ok(true)
            }
            Work::Deadline(deadline) => self.wake(run, &deadline),
        }
    }
}

impl Run<'_> {
    /// The time of what is done now.
    fn now_at(&self, workbench: &mut Workbench) -> Result<Time, StoreError> {
        Ok(workbench.store.head()?.time.map_or(self.manner.now, |last| last.max(self.manner.now)))
    }
}

/// The process of that name, or what to say where there is none.
pub(super) fn process_of<'d>(domains: &'d Domains, name: &str) -> Result<&'d Process, Misfit> {
    domains.process(name).ok_or_else(|| {
        let known = domains.processes().map(|process| &*process.name);
        let hint = meant(name, known, "the domain has").unwrap_or_else(|| "the domain has no processes".to_owned());
        Misfit::new(format!("there is no process `{name}`")).hint(hint)
    })
}

/// Who sends what a process sends.
pub fn actor(process: &str) -> String {
    format!("process:{process}")
}
