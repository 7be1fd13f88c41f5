//! What is to be done next, and what follows from what.

use super::Bound;
use super::instance::concerns;
use crate::domain::Domains;
use crate::domain::process::Process;
use crate::event::{Position, Recorded, Time};
use crate::store::{Deadline, EventFilter, Failure, Outgoing, ProcessInfo, Store, StoreError, Waiting};
use crate::workbench::Error;
use crate::workbench::events::event_at;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

/// How many events are read ahead for each process.
const AHEAD: usize = 128;
/// How many beginnings are remembered before those are forgotten from which nothing follows any more.
const MAX_ROOTS: usize = 10_000;

/// One thing to do.
pub(super) enum Work {
    /// To send a command.
    Send(Outgoing),
    /// To give an instance an event that waited for it.
    Waiting(Waiting, Box<Recorded>),
    /// To give the instances of a process an event.
    Event(Box<str>, Box<Recorded>),
    /// To tell an instance that a deadline has come.
    Deadline(Deadline),
}

/// What is to be done, by all processes of the domains.
pub(super) struct Queue<'d> {
    domains: &'d Domains,
    lanes: Vec<Lane<'d>>,
    /// What each thing to come follows from in the end.
    roots: HashMap<Follows, Root>,
    /// How much followed from what, by process.
    counts: HashMap<Root, BTreeMap<Box<str>, u64>>,
    /// A number for each beginning that is no event.
    beginnings: u64,
}

/// The events that one process is still to see.
struct Lane<'d> {
    process: &'d Process,
    filter: EventFilter,
    info: Option<ProcessInfo>,
    events: VecDeque<Recorded>,
    /// How far was read.
    scanned: Position,
    /// Whether its checkpoint, or what else is known of it, is to be written.
    moved: bool,
}

/// How far the log holds nothing for each process that it has not been given, by name: what was looked at once need not be
/// again.
#[derive(Debug, Default)]
pub struct Seen(HashMap<Box<str>, Position>);

/// Something that follows from something else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Follows {
    /// The event at a position.
    Event(Position),
    /// The command with an id.
    Command(Box<str>),
    /// A deadline: process, key and name.
    Deadline(Box<str>, Box<str>, Box<str>),
}

/// Where a chain of commands begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Root {
    /// With the event at a position.
    Event(Position),
    /// With something that was left to do.
    Left(u64),
}

impl<'d> Queue<'d> {
    pub(super) fn new(domains: &'d Domains, seen: &Seen) -> Self {
        let lane = |process: &'d Process| Lane {
            process,
            filter: EventFilter {
                kinds: Some(domains.stored_kinds(process.handlers.keys())),
                ..EventFilter::default()
            },
            info: None,
            events: VecDeque::new(),
            scanned: seen.0.get(&process.name).copied().unwrap_or_default(),
            moved: false,
        };
        Self {
            domains,
            lanes: domains.processes().map(lane).collect(),
            roots: HashMap::new(),
            counts: HashMap::new(),
            beginnings: 0,
        }
    }

    /// Reads how far the processes have come, others may have worked meanwhile. Says whether one is not known yet.
    pub(super) fn look(&mut self, store: &mut dyn Store) -> Result<bool, StoreError> {
        let mut fresh = false;
        for lane in &mut self.lanes {
            lane.info = store.process(&lane.process.name)?;
            match &lane.info {
                Some(info) => {
                    while lane.events.front().is_some_and(|event| event.position <= info.checkpoint) {
                        lane.events.pop_front();
                    }
                    lane.scanned = lane.scanned.max(info.checkpoint);
                }
                None => fresh = true,
            }
        }
        Ok(fresh)
    }

    /// What is to be done next.
    pub(super) fn next(&mut self, store: &mut dyn Store, now: Time) -> Result<Option<Work>, Error> {
        let mut after = 0;
        while let Some(outgoing) = store.outgoing(after)? {
            if self.lanes.iter().any(|lane| lane.process.name == outgoing.process) {
                return Ok(Some(Work::Send(outgoing)));
            }
            // Its process is not among the rules: it stays where it is.
            after = outgoing.number;
        }
        // By time; of what has the same time events come first, in their order.
        let mut first: Option<((Time, u64), Work)> = None;
        let mut consider = |at: (Time, u64), work: Work| {
            if first.as_ref().is_none_or(|(before, _)| at < *before) {
                first = Some((at, work));
            }
        };
        for lane in self.lanes.iter_mut().filter(|lane| lane.info.is_some()) {
            if let Some(waiting) = store.waiting(&lane.process.name)?
                && let Some(event) = event_at(store, waiting.position)?
            {
                consider((event.time, event.position.0), Work::Waiting(waiting, Box::new(event)));
            }
            if lane.info.as_ref().is_some_and(|info| info.stopped.is_some()) {
                continue;
            }
            lane.read(self.domains, store)?;
            if let Some(event) = lane.events.front() {
                consider(
                    (event.time, event.position.0),
                    Work::Event(lane.process.name.clone(), Box::new(event.clone())),
                );
            }
            if let Some(deadline) = store.deadline(&lane.process.name)?.filter(|deadline| deadline.due <= now) {
                consider((deadline.due, u64::MAX), Work::Deadline(deadline));
            }
        }
        Ok(first.map(|(_, work)| work))
    }

    /// How far everything was looked at.
    pub(super) fn seen(&self) -> Seen {
        let before = |event: &Recorded| Position(event.position.0.saturating_sub(1));
        let of = |lane: &Lane<'_>| (lane.process.name.clone(), lane.events.front().map_or(lane.scanned, before));
        Seen(self.lanes.iter().map(of).collect())
    }

    fn lane(&mut self, process: &str) -> Option<&mut Lane<'d>> {
        self.lanes.iter_mut().find(|lane| *lane.process.name == *process)
    }

    /// A process has seen everything up to there, by the rules with that digest.
    pub(super) fn moved_to(&mut self, process: &str, position: Position, digest: &str) {
        if let Some(lane) = self.lane(process) {
            lane.moved = true;
            if let Some(info) = &mut lane.info
                && info.stopped.is_none()
            {
                lane.events.pop_front();
                info.checkpoint = position;
                info.digest = digest.into();
            }
        }
    }

    /// A process cannot go on beyond an event.
    pub(super) fn stopped_at(&mut self, process: &str, failure: Failure) {
        if let Some(lane) = self.lane(process) {
            lane.moved = true;
            if let Some(info) = &mut lane.info {
                info.stopped = Some(failure);
            }
        }
    }

    /// Nothing is left: what was read has been seen.
    pub(super) fn caught_up(&mut self) {
        for lane in self.lanes.iter_mut().filter(|lane| lane.events.is_empty()) {
            if let Some(info) =
                lane.info.as_mut().filter(|info| info.stopped.is_none() && info.checkpoint < lane.scanned)
            {
                info.checkpoint = lane.scanned;
                lane.moved = true;
            }
        }
    }

    /// How far a checkpoint is behind what was read and is of no concern to its process.
    pub(super) fn lag(&self) -> u64 {
        let lag = |lane: &Lane<'_>| {
            let info = lane.info.as_ref().filter(|info| info.stopped.is_none())?;
            Some(lane.scanned.0.saturating_sub(info.checkpoint.0))
        };
        self.lanes.iter().filter_map(lag).max().unwrap_or(0)
    }

    /// What is to be written of the processes that have come further.
    pub(super) fn take_moved(&mut self) -> Vec<ProcessInfo> {
        let moved = |lane: &mut Lane<'_>| if std::mem::take(&mut lane.moved) { lane.info.clone() } else { None };
        self.lanes.iter_mut().filter_map(moved).collect()
    }

    /// What something follows from in the end.
    pub(super) fn root(&mut self, of: &Follows) -> Root {
        if let Some(root) = self.roots.get(of) {
            return *root;
        }
        match of {
            Follows::Event(position) => Root::Event(*position),
            _ => {
                self.beginnings += 1;
                Root::Left(self.beginnings)
            }
        }
    }

    /// It is done, and nothing follows from it by itself.
    pub(super) fn done_with(&mut self, what: &Follows) {
        self.roots.remove(what);
    }

    /// Something follows from there.
    pub(super) fn follows(&mut self, what: Follows, root: Root) {
        self.roots.insert(what, root);
    }

    /// A process does something that follows from there; where it is more than may be, which processes keep it going.
    pub(super) fn count(&mut self, root: Root, process: &str, max_steps: u64) -> Option<Bound> {
        let counts = self.counts.entry(root).or_default();
        if counts.values().sum::<u64>() >= max_steps {
            let most = counts.values().max().copied().unwrap_or(0);
            // Who did little beside the others only began it.
            let kept_going = counts.iter().filter(|(_, count)| **count >= most.div_ceil(4).max(1));
            let mut processes: Vec<Box<str>> = kept_going.map(|(name, _)| name.clone()).collect();
            if processes.is_empty() {
                processes.push(process.into());
            }
            return Some(Bound { max_steps, processes });
        }
        *counts.entry(process.into()).or_default() += 1;
        None
    }

    /// Forgets what nothing follows from any more.
    pub(super) fn forget(&mut self) {
        // One that has stopped sees nothing more in this run.
        let going = self.lanes.iter().filter_map(|lane| lane.info.as_ref().filter(|info| info.stopped.is_none()));
        let seen = going.map(|info| info.checkpoint).min().unwrap_or_default();
        self.roots.retain(|what, _| !matches!(what, Follows::Event(position) if *position <= seen));
        if self.counts.len() > MAX_ROOTS {
            let roots = &self.roots;
            let live: HashSet<Root> = roots.values().copied().collect();
            self.counts.retain(|root, _| live.contains(root));
        }
    }
}

impl Lane<'_> {
    /// Sees to it that the next event is there, if there is one that concerns an instance. The others need no turn.
    fn read(&mut self, domains: &Domains, store: &mut dyn Store) -> Result<(), StoreError> {
        while self.events.is_empty() {
            let page = store.read_all(self.scanned, AHEAD, true, &self.filter)?;
            self.scanned = self.scanned.max(page.scanned);
            self.events.extend(page.events.into_iter().filter(|event| concerns(domains, self.process, event)));
            if page.done {
                break;
            }
        }
        Ok(())
    }
}
