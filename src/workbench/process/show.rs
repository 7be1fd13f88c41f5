//! What can be seen of processes: how far they have come, their instances, and the life of each.

use super::halt::Halt;
use super::instance::{concerns, key_of, state_of};
use crate::domain::Domains;
use crate::domain::process::Process;
use crate::event::{Position, Time};
use crate::json::{self, Value};
use crate::store::{Deadline, EventFilter, Instance, Outgoing, ProcessInfo, Step, StepKind, Tally};
use crate::workbench::events::each_logged;
use crate::workbench::{Error, Misfit, Workbench};
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// How many instances, steps are read at a time.
const PAGE: usize = 500;
/// The most stopped instances that a status names.
const MAX_NAMED: usize = 20;

/// How a process is.
#[derive(Debug, Clone, PartialEq)]
pub struct Status {
    /// Its name.
    pub name: Box<str>,
    /// Whether the rules at hand have it, and are those it went by last.
    pub rules: Rules,
    /// What the store knows of it; `None`: it has not met it yet.
    pub info: Option<(ProcessInfo, Tally)>,
    /// How many events it has still to be given; where the rules do not have it, how many there are after its checkpoint.
    pub behind: u64,
    /// Some of what stopped: keys and why.
    pub stopped: Vec<(Value, Halt)>,
}

/// What the rules at hand say of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// They are those it went by last.
    Current,
    /// They are others: what is still to come is answered by them.
    Changed,
    /// They do not have it.
    Gone,
}

/// How an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It goes on when something happens.
    Running,
    /// It called `done()`.
    Ended,
    /// It cannot go on.
    Stopped,
}

impl Standing {
    fn of(instance: &Instance) -> Self {
        match (&instance.stopped, instance.ended) {
            (Some(_), _) => Self::Stopped,
            (None, true) => Self::Ended,
            (None, false) => Self::Running,
        }
    }
}

/// An instance, with what it has to do.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceShown {
    /// The process.
    pub process: Box<str>,
    /// Its key.
    pub key: Value,
    /// How it stands.
    pub standing: Standing,
    /// Its state, by the rules as they are now; as it is kept where these do not fit.
    pub state: Value,
    /// Position of the event it began with.
    pub began: Position,
    /// When something last happened to it.
    pub time: Time,
    /// Steps in its history.
    pub steps: u64,
    /// Events after its end.
    pub ignored: u64,
    /// Why it stopped.
    pub stopped: Option<Halt>,
    /// Commands that it still has to send, in order.
    pub outgoing: Vec<Outgoing>,
    /// Positions of events that wait for it: the first thousand.
    pub waiting: Vec<Position>,
    /// Its deadlines, the earliest first.
    pub deadlines: Vec<Deadline>,
}

/// A step in the life of an instance.
#[derive(Debug, Clone, PartialEq)]
pub struct StepShown {
    /// As it is stored.
    pub step: Step,
    /// Its data.
    pub data: Option<Value>,
    /// Where it stopped, or went on: at what.
    pub halt: Option<Halt>,
}

impl Workbench {
    /// How the processes are: those of the rules, and those that only the store knows, by name.
    pub fn process_status(&mut self, only: Option<&str>) -> Result<Vec<Status>, Error> {
        let domains = self.domains.clone();
        let head = self.store.head()?.position;
        let known = self.store.processes()?;
        let mut all: BTreeMap<Box<str>, Option<(ProcessInfo, Tally)>> =
            domains.processes().map(|process| (process.name.clone(), None)).collect();
        all.extend(known.into_iter().map(|(info, tally)| (info.name.clone(), Some((info, tally)))));
        if let Some(name) = only
            && !all.contains_key(name)
        {
            super::process_of(&domains, name)?;
        }
        let mut found = Vec::new();
        for (name, info) in all.into_iter().filter(|(name, _)| only.is_none_or(|only| only == &**name)) {
            let rules = match (domains.process(&name), &info) {
                (None, _) => Rules::Gone,
                (Some(process), Some((info, _))) if process.digest != info.digest => Rules::Changed,
                (Some(_), _) => Rules::Current,
            };
            let behind = match &info {
                Some((info, _)) => self.behind(&domains, &name, info.checkpoint, head)?,
                None => 0,
            };
            let stops = info.as_ref().is_some_and(|(_, tally)| tally.stopped > 0);
            let stopped = if stops { self.stopped_instances(&name)? } else { Vec::new() };
            found.push(Status { name, rules, info, behind, stopped });
        }
        Ok(found)
    }

    /// How many events after a position concern a process.
    fn behind(&mut self, domains: &Domains, name: &str, after: Position, head: Position) -> Result<u64, Error> {
        let Some(process) = domains.process(name) else { return Ok(head.0.saturating_sub(after.0)) };
        let kinds = Some(domains.stored_kinds(process.handlers.keys()));
        let filter = EventFilter { kinds, ..EventFilter::default() };
        let mut behind = 0;
        each_logged(self.store.as_mut(), (after, head), true, &filter, |event| {
            behind += u64::from(concerns(domains, process, &event));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(behind)
    }

    fn stopped_instances(&mut self, name: &str) -> Result<Vec<(Value, Halt)>, Error> {
        let mut found = Vec::new();
        self.each_instance(name, |instance| {
            let halt = instance.stopped.as_deref().and_then(Halt::read);
            found.extend(halt.map(|halt| (key_of(&instance.key), halt)));
            Ok(if found.len() < MAX_NAMED { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }

    /// The earliest deadline of the processes of the rules.
    pub fn next_deadline(&mut self) -> Result<Option<Time>, Error> {
        let domains = self.domains.clone();
        let mut next: Option<Time> = None;
        for process in domains.processes() {
            let due = self.store.deadline(&process.name)?.map(|deadline| deadline.due);
            next = next.into_iter().chain(due).min();
        }
        Ok(next)
    }

    /// Sees to it that a process is known, to the rules or to the store.
    pub fn process_known(&mut self, name: &str) -> Result<(), Error> {
        let domains = self.domains.clone();
        if self.store.process(name)?.is_none() {
            super::process_of(&domains, name)?;
        }
        Ok(())
    }

    /// Hands over the instances of a process, by key, without what they have to do.
    pub fn process_instances(
        &mut self,
        name: &str,
        each: &mut dyn FnMut(InstanceShown) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.process_known(name)?;
        let domains = self.domains.clone();
        self.each_instance(name, |instance| Ok(each(shown(&domains, instance))))
    }

    pub(super) fn each_instance(
        &mut self,
        name: &str,
        mut each: impl FnMut(Instance) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        let mut after: Option<Box<str>> = None;
        loop {
            let page = self.store.instances(name, after.as_deref(), PAGE)?;
            after = page.last().map(|last| last.key.clone());
            let whole = page.len() == PAGE;
            for instance in page {
                if each(instance)?.is_break() {
                    return Ok(());
                }
            }
            if !whole {
                return Ok(());
            }
        }
    }

    /// One instance, with what it has to do.
    pub fn process_instance(&mut self, name: &str, key: &str) -> Result<InstanceShown, Error> {
        let domains = self.domains.clone();
        if self.store.process(name)?.is_none() {
            super::process_of(&domains, name)?;
            return Err(Misfit::new(format!("`{name}` has no instance `{key}`: nothing has happened yet")).into());
        }
        let instance = self.instance_named(name, key)?;
        let outgoing = self.store.outgoing_of(name, &instance.key)?;
        let waiting = self.store.waiting_of(name, &instance.key, PAGE * 2)?;
        let deadlines = self.store.deadlines_of(name, &instance.key)?;
        Ok(InstanceShown { outgoing, waiting, deadlines, ..shown(&domains, instance) })
    }

    /// Hands over the steps in the life of an instance, in order.
    pub fn process_steps(
        &mut self,
        name: &str,
        key: &Value,
        each: &mut dyn FnMut(StepShown) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let key = key.to_string();
        let mut after = 0;
        loop {
            let page = self.store.steps(name, &key, after, PAGE)?;
            let whole = page.len() == PAGE;
            for step in page {
                after = step.number;
                let data = step.data.as_deref().map(|data| json::parse(data).unwrap_or_default());
                let halts = matches!(step.kind, StepKind::Stopped | StepKind::Retried | StepKind::Skipped);
                let halt = step.data.as_deref().filter(|_| halts).and_then(Halt::read);
                if each(StepShown { step, data, halt }).is_break() {
                    return Ok(());
                }
            }
            if !whole {
                return Ok(());
            }
        }
    }
}

fn shown(domains: &Domains, instance: Instance) -> InstanceShown {
    let state = |process: &Process| {
        let state = state_of(process, &instance).ok()?;
        process.state.value(&state).ok()
    };
    let state = domains.process(&instance.process).and_then(state);
    InstanceShown {
        key: key_of(&instance.key),
        standing: Standing::of(&instance),
        state: state.unwrap_or_else(|| json::parse(&instance.state).unwrap_or_default()),
        began: instance.began,
        time: instance.time,
        steps: instance.steps,
        ignored: instance.ignored,
        stopped: instance.stopped.as_deref().and_then(Halt::read),
        outgoing: Vec::new(),
        waiting: Vec::new(),
        deadlines: Vec::new(),
        process: instance.process,
    }
}
