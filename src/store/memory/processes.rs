//! Processes in memory.

use super::index;
use crate::event::{Position, Time};
use crate::store::{
    Deadline, Instance, Outgoing, ProcessChange, ProcessInfo, Rejected, Step, StepKind, StoreError, Tally, Waiting,
    check,
};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// A process, and the key of an instance.
type Owner = (Box<str>, Box<str>);
/// A process, the key of an instance, and the name of a deadline of its.
type Name = (Box<str>, Box<str>, Box<str>);

/// What is kept of processes.
#[derive(Debug, Default)]
pub(super) struct Processes {
    infos: BTreeMap<Box<str>, ProcessInfo>,
    instances: BTreeMap<Owner, Instance>,
    /// Of all instances, in the order in which they came; the number in the store is the index and one.
    steps: Vec<(Owner, Step)>,
    /// Indexes of the steps of each instance; number n is at n - 1.
    histories: BTreeMap<Owner, Vec<usize>>,
    /// Ids of the commands that were sent.
    sent: BTreeSet<Box<str>>,
    /// By number.
    outgoing: BTreeMap<u64, Outgoing>,
    /// Process, position, key.
    waiting: BTreeSet<(Box<str>, Position, Box<str>)>,
    /// Each with its place in the order in which they were set.
    deadlines: BTreeMap<Name, (u64, Deadline)>,
    /// The last number given to a command to send.
    numbered: u64,
    /// How often a deadline was set.
    set: u64,
    /// How to undo what was done in the turn.
    undo: Vec<Undo>,
}

/// What one change did away with, or brought.
#[derive(Debug)]
enum Undo {
    Info(Box<str>, Option<ProcessInfo>),
    Instance(Owner, Option<Instance>),
    Step,
    Outgoing(u64, Option<Outgoing>),
    Deadline(Name, Option<(u64, Deadline)>),
    Came(Waiting),
    Went(Waiting),
}

fn owner(process: &str, key: &str) -> Owner {
    (process.into(), key.into())
}

fn place(waiting: &Waiting) -> (Box<str>, Position, Box<str>) {
    (waiting.process.clone(), waiting.position, waiting.key.clone())
}

/// Puts or removes; gives what was there.
fn set<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) -> Option<V> {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    }
}

impl Processes {
    /// What was done in the turn stays.
    pub(super) fn commit(&mut self) {
        self.undo.clear();
    }

    /// What was done in the turn is undone, the last first.
    pub(super) fn rollback(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Info(name, before) => _ = set(&mut self.infos, name, before),
                Undo::Instance(owner, before) => _ = set(&mut self.instances, owner, before),
                Undo::Step => {
                    if let Some((owner, step)) = self.steps.pop() {
                        self.histories.entry(owner).or_default().pop();
                        if let (StepKind::Sent, Some(command)) = (step.kind, step.command) {
                            self.sent.remove(&command);
                        }
                    }
                }
                Undo::Outgoing(number, before) => {
                    // One that was put in the turn is the last one then, and its number is free again.
                    if before.is_none() {
                        self.numbered = number - 1;
                    }
                    set(&mut self.outgoing, number, before);
                }
                Undo::Deadline(name, before) => _ = set(&mut self.deadlines, name, before),
                Undo::Came(waiting) => _ = self.waiting.remove(&place(&waiting)),
                Undo::Went(waiting) => _ = self.waiting.insert(place(&waiting)),
            }
        }
    }

    /// Within a turn of a store that ends there.
    pub(super) fn keep(&mut self, change: &ProcessChange, head: Position) -> Result<(), StoreError> {
        match change {
            ProcessChange::Process(info) => {
                check::process(info, head)?;
                let mut info = info.clone();
                if let Some(failure) = &mut info.stopped {
                    failure.key = None;
                }
                let before = self.infos.insert(info.name.clone(), info.clone());
                self.undo.push(Undo::Info(info.name, before));
            }
            ProcessChange::Instance(instance) => {
                if !self.infos.contains_key(&instance.process) {
                    return Err(check::no_process(&instance.process));
                }
                let owner = owner(&instance.process, &instance.key);
                let before = self.instances.insert(owner.clone(), instance.clone());
                self.undo.push(Undo::Instance(owner, before));
            }
            ProcessChange::Step { process, key, step } => self.step(process, key, step)?,
            ProcessChange::Send(outgoing) => {
                self.known(&outgoing.process, &outgoing.key)?;
                self.numbered += 1;
                let number = self.numbered;
                self.outgoing.insert(number, Outgoing { number, ..outgoing.clone() });
                self.undo.push(Undo::Outgoing(number, None));
            }
            ProcessChange::Sent(number) => {
                if let Some(before) = self.outgoing.remove(number) {
                    self.undo.push(Undo::Outgoing(*number, Some(before)));
                }
            }
            ProcessChange::Deadline(deadline) => {
                self.known(&deadline.process, &deadline.key)?;
                self.set += 1;
                self.put_deadline(&deadline.process, &deadline.key, &deadline.name, Some((self.set, deadline.clone())));
            }
            ProcessChange::NoDeadline { process, key, name } => self.put_deadline(process, key, name, None),
            ProcessChange::NoDeadlines { process, key } => {
                for deadline in self.deadlines_of(process, key) {
                    self.put_deadline(process, key, &deadline.name, None);
                }
            }
            ProcessChange::Wait(waiting) => {
                self.known(&waiting.process, &waiting.key)?;
                if self.waiting.insert(place(waiting)) {
                    self.undo.push(Undo::Came(waiting.clone()));
                }
            }
            ProcessChange::Waited(waiting) => {
                if self.waiting.remove(&place(waiting)) {
                    self.undo.push(Undo::Went(waiting.clone()));
                }
            }
        }
        Ok(())
    }

    fn step(&mut self, process: &str, key: &str, step: &Step) -> Result<(), StoreError> {
        self.known(process, key)?;
        let owner = owner(process, key);
        let own = self.histories.entry(owner.clone()).or_default();
        check::step(step, process, key, own.len() as u64)?;
        if let (StepKind::Sent, Some(command)) = (step.kind, &step.command)
            && !self.sent.insert(command.clone())
        {
            return Err(check::sent_before(command));
        }
        own.push(self.steps.len());
        self.steps.push((owner, step.clone()));
        self.undo.push(Undo::Step);
        Ok(())
    }

    fn put_deadline(&mut self, process: &str, key: &str, name: &str, deadline: Option<(u64, Deadline)>) {
        let name: Name = (process.into(), key.into(), name.into());
        let before = set(&mut self.deadlines, name.clone(), deadline);
        self.undo.push(Undo::Deadline(name, before));
    }

    fn known(&self, process: &str, key: &str) -> Result<(), StoreError> {
        if self.instances.contains_key(&owner(process, key)) { Ok(()) } else { Err(check::no_instance(process, key)) }
    }

    fn is_held(&self, process: &str, key: &str) -> bool {
        self.instances.get(&owner(process, key)).is_some_and(|instance| instance.stopped.is_some())
    }

    pub(super) fn all(&self) -> Vec<(ProcessInfo, Tally)> {
        self.infos.values().map(|info| (info.clone(), self.tally(&info.name))).collect()
    }

    fn tally(&self, process: &str) -> Tally {
        let mut tally = Tally::default();
        for instance in self.own(process, None) {
            match instance {
                Instance { stopped: Some(_), .. } => tally.stopped += 1,
                Instance { ended: true, .. } => tally.ended += 1,
                _ => tally.running += 1,
            }
            tally.ignored += instance.ignored;
        }
        tally.outgoing = self.outgoing.values().filter(|outgoing| *outgoing.process == *process).count() as u64;
        tally.waiting = self.waiting.iter().filter(|(of, ..)| **of == *process).count() as u64;
        tally.deadlines = self.deadlines.keys().filter(|(of, ..)| **of == *process).count() as u64;
        tally.next = self.deadline(process).map(|deadline| deadline.due);
        tally
    }

    pub(super) fn info(&self, name: &str) -> Option<ProcessInfo> {
        self.infos.get(name).cloned()
    }

    pub(super) fn instance(&self, process: &str, key: &str) -> Option<Instance> {
        self.instances.get(&owner(process, key)).cloned()
    }

    pub(super) fn instances(&self, process: &str, after: Option<&str>, limit: usize) -> Vec<Instance> {
        self.own(process, after).take(limit).cloned().collect()
    }

    /// The instances of a process after that key.
    fn own(&self, process: &str, after: Option<&str>) -> impl Iterator<Item = &Instance> {
        let first =
            after.map_or_else(|| Bound::Included(owner(process, "")), |after| Bound::Excluded(owner(process, after)));
        let beyond = self.instances.range((first, Bound::Unbounded));
        beyond.take_while(move |((of, _), _)| **of == *process).map(|(_, instance)| instance)
    }

    pub(super) fn steps(&self, process: &str, key: &str, after: u64, limit: usize) -> Vec<Step> {
        let own = self.histories.get(&owner(process, key)).map_or(&[][..], Vec::as_slice);
        own.iter().skip(index(after)).take(limit).map(|at| self.steps[*at].1.clone()).collect()
    }

    pub(super) fn rejections(&self, after: u64, limit: usize) -> Vec<Rejected> {
        self.rejected(after).take(limit).collect()
    }

    pub(super) fn rejection(&self, command: &str) -> Option<Rejected> {
        self.rejected(0).filter(|rejected| rejected.step.command.as_deref() == Some(command)).last()
    }

    /// Those after a number.
    fn rejected(&self, after: u64) -> impl Iterator<Item = Rejected> {
        let all = self.steps.iter().zip(1..).skip(index(after));
        all.filter(|((_, step), _)| step.kind == StepKind::Rejected).map(|(((process, key), step), number)| Rejected {
            number,
            process: process.clone(),
            key: key.clone(),
            step: step.clone(),
        })
    }

    pub(super) fn outgoing(&self, after: u64) -> Option<Outgoing> {
        let mut open = self.outgoing.values().filter(|outgoing| !self.is_held(&outgoing.process, &outgoing.key));
        open.find(|outgoing| outgoing.number > after).cloned()
    }

    pub(super) fn outgoing_of(&self, process: &str, key: &str) -> Vec<Outgoing> {
        let own = |outgoing: &&Outgoing| *outgoing.process == *process && *outgoing.key == *key;
        self.outgoing.values().filter(own).cloned().collect()
    }

    pub(super) fn waiting(&self, process: &str) -> Option<Waiting> {
        let mut open = self.waiting.iter().filter(|(of, _, key)| **of == *process && !self.is_held(process, key));
        open.next().map(|(process, position, key)| Waiting {
            process: process.clone(),
            key: key.clone(),
            position: *position,
        })
    }

    pub(super) fn waiting_of(&self, process: &str, key: &str, limit: usize) -> Vec<Position> {
        let own = self.waiting.iter().filter(|(of, _, own)| **of == *process && **own == *key);
        own.map(|(_, position, _)| *position).take(limit).collect()
    }

    pub(super) fn deadline(&self, process: &str) -> Option<Deadline> {
        let own = self.deadlines.values().filter(|(_, deadline)| *deadline.process == *process);
        own.filter(|(_, deadline)| !self.is_held(process, &deadline.key))
            .min_by_key(|set| due(set))
            .map(|(_, first)| first.clone())
    }

    pub(super) fn deadlines_of(&self, process: &str, key: &str) -> Vec<Deadline> {
        let first: Name = (process.into(), key.into(), "".into());
        let own = self.deadlines.range(first..).take_while(|((of, own, _), _)| **of == *process && **own == *key);
        let mut own: Vec<_> = own.map(|(_, deadline)| deadline).collect();
        own.sort_by_key(|set| due(set));
        own.into_iter().map(|(_, deadline)| deadline.clone()).collect()
    }
}

/// Of the same time the one that was set first comes first.
fn due((order, deadline): &(u64, Deadline)) -> (Time, u64) {
    (deadline.due, *order)
}
