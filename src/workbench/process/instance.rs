//! One instance of a process, and what happens to it: an event, a rejection, a deadline; and what it sends.

use super::halt::{Halt, HaltAt};
use super::queue::{Follows, Root};
use super::{News, Run, Stopped, label, process_of};
use crate::diagnostic::Diagnostic;
use crate::domain::process::{Process, Reacts};
use crate::domain::{Aggregate, Domains, EventError};
use crate::event::{Position, Recorded, Time};
use crate::json::{self, Value};
use crate::script::direct::Members;
use crate::script::fold::{EventRules, Known, Meta, Payload};
use crate::script::frozen::{self, freeze};
use crate::script::project::{Partial, Projected};
use crate::script::react::{Occasion, Reaction, Timer};
use crate::script::{Fault, Script, State};
use crate::store::{Deadline, Failure, Instance, Outgoing, ProcessChange, Step, StepKind, Store, StoreError, Waiting};
use crate::workbench::replay::cannot;
use crate::workbench::{Error, Workbench, meta};

/// What happens to an instance, with what is noted of it.
pub(super) struct Cause {
    /// What it does if it fails.
    pub(super) at: HaltAt,
    /// What ids derive from.
    pub(super) label: String,
    /// What follows from it says so.
    pub(super) causation: Box<str>,
    pub(super) correlation: Option<Box<str>>,
    /// What follows from it follows from there in the end.
    pub(super) root: Root,
    /// From when on deadlines are counted.
    pub(super) time: Time,
    /// The step in its history, where that is not noted yet.
    pub(super) step: Option<Step>,
    /// The deadline that is spent by it.
    pub(super) spent: Option<Box<str>>,
}

impl Workbench {
    /// Gives the instances that an event concerns the event: all of them, or only the one with that key.
    pub(super) fn give(
        &mut self,
        run: &mut Run<'_>,
        process: &Process,
        event: &Recorded,
        only: Option<&str>,
    ) -> Result<(), Error> {
        let domains = self.domains.clone();
        let Some((aggregate, rules, reacts)) = reaction_to(&domains, process, event) else { return Ok(()) };
        let payload = match read(&domains, process, rules, event) {
            Ok(payload) => payload,
            Err(Error::Script(fault)) => return self.unread(run, process, event, only, fault),
            Err(Error::Misfit(misfit)) => {
                let fault = Fault::new(misfit.message, reacts.place.clone());
                return self.unread(run, process, event, only, fault);
            }
            Err(error) => return Err(error),
        };
        let meta = meta_for(&[&reacts.key, &reacts.script], rules, event);
        let keys = match only {
            Some(key) => vec![key_of(key)],
            None => match keys(&domains, reacts, payload.clone(), meta.clone()) {
                Ok(keys) => keys,
                Err(fault) => return self.unread(run, process, event, only, fault),
            },
        };
        let root = run.queue.root(&Follows::Event(event.position));
        for key in keys {
            let text: Box<str> = key.to_string().into();
            let instance = match self.store.instance(&process.name, &text)? {
                Some(instance) if instance.stopped.is_some() => {
                    let (process, key) = (process.name.clone(), text);
                    let position = event.position;
                    self.store.keep(&ProcessChange::Wait(Waiting { process, key, position }))?;
                    continue;
                }
                Some(instance) if instance.ended => {
                    let ignored = instance.ignored + 1;
                    self.store.keep(&ProcessChange::Instance(Instance { ignored, ..instance }))?;
                    continue;
                }
                Some(instance) => instance,
                None if reacts.starts || only.is_some() => self.begin_instance(run, process, text, event.position)?,
                None => continue,
            };
            run.reacted.events += 1;
            let command = event.command.as_deref();
            let cause = Cause {
                at: HaltAt::Event(event.position),
                label: label::of_event(event.position),
                causation: format!("@{}", event.position).into(),
                correlation: command.map(|command| command.correlation.clone().unwrap_or_else(|| command.id.clone())),
                root,
                time: event.time,
                spent: None,
                step: Some(Step {
                    position: Some(event.position),
                    name: Some(format!("{}.{}", aggregate.name, rules.name).into()),
                    causation: command.map(|command| command.id.clone()),
                    ..step(StepKind::Event)
                }),
            };
            let occasion = Occasion::Event(payload.clone(), meta.clone());
            self.happen(run, process, instance, &reacts.script, occasion, cause)?;
        }
        Ok(())
    }

    /// An event cannot be read: the instance that it waited for stops again, or, where nobody can tell whom it concerns, the
    /// process stops before it.
    fn unread(
        &mut self,
        run: &mut Run<'_>,
        process: &Process,
        event: &Recorded,
        only: Option<&str>,
        fault: Fault,
    ) -> Result<(), Error> {
        let instance = match only {
            Some(key) => self.store.instance(&process.name, key)?,
            None => None,
        };
        match instance {
            Some(instance) => {
                let halt = Halt::of(HaltAt::Event(event.position), &fault.0);
                self.halt(run, instance, halt, Some(fault.0))
            }
            None => {
                run.stop_process(process, event, &fault);
                Ok(())
            }
        }
    }

    fn begin_instance(
        &mut self,
        run: &Run<'_>,
        process: &Process,
        key: Box<str>,
        began: Position,
    ) -> Result<Instance, Error> {
        let instance = Instance {
            process: process.name.clone(),
            key,
            state: freeze(&process.state.initial).unwrap_or_default().into(),
            ended: false,
            ignored: 0,
            began,
            steps: 0,
            time: run.now,
            stopped: None,
        };
        self.store.keep(&ProcessChange::Instance(instance.clone()))?;
        Ok(instance)
    }

    /// Runs a handler on an instance, and notes all that comes of it. Where it fails the instance stops, as it was before.
    pub(super) fn happen(
        &mut self,
        run: &mut Run<'_>,
        process: &Process,
        mut instance: Instance,
        script: &Script,
        occasion: Occasion<'_>,
        cause: Cause,
    ) -> Result<bool, Error> {
        let domains = self.domains.clone();
        let key = key_of(&instance.key);
        let reaction = state_of(process, &instance)
            .and_then(|state| domains.host.react(&process.state, domains.commands(), script, occasion, &key, state))
            .and_then(|reaction| match freeze(&reaction.state) {
                Some(text) => Ok((reaction, text)),
                None => {
                    Err(Fault::new("the state cannot be kept: it is too large, or not data", script.text().whole()))
                }
            });
        let (reaction, state) = match reaction {
            Ok(reaction) => reaction,
            Err(fault) => {
                let doing = match &cause.at {
                    HaltAt::Event(position) => format!("the event at @{position}"),
                    HaltAt::Command(id) => format!("the rejection of `{id}`"),
                    HaltAt::Deadline(name) => format!("the deadline `{name}`"),
                };
                let fault = fault.while_doing(|| format!("while giving {doing} to `{}` {key}", process.name));
                let halt = Halt::of(cause.at, &fault.0);
                self.halt(run, instance, halt, Some(fault.0))?;
                return Ok(false);
            }
        };
        instance.state = state.into();
        if let Some(step) = cause.step.clone() {
            self.step(run, &mut instance, step)?;
        }
        if let Some(name) = cause.spent.clone() {
            let (process, key) = (process.name.clone(), instance.key.clone());
            self.store.keep(&ProcessChange::NoDeadline { process, key, name })?;
        }
        self.apply(run, process, &mut instance, reaction, &cause)?;
        self.store.keep(&ProcessChange::Instance(instance))?;
        Ok(true)
    }

    /// Notes what a handler wants: commands, deadlines, an end.
    fn apply(
        &mut self,
        run: &mut Run<'_>,
        process: &Process,
        instance: &mut Instance,
        reaction: Reaction,
        cause: &Cause,
    ) -> Result<(), Error> {
        let key = key_of(&instance.key);
        for (order, sending) in reaction.sends.into_iter().enumerate() {
            let label = label::of_command(&cause.label, order);
            let id = label::id(&process.name, &key, &label);
            if run.manner.told {
                continue;
            }
            run.queue.follows(Follows::Command(id.clone()), cause.root);
            self.store.keep(&ProcessChange::Send(Outgoing {
                number: 0,
                process: process.name.clone(),
                key: instance.key.clone(),
                id,
                stream: sending.stream,
                name: sending.command,
                data: sending.data,
                correlation: cause.correlation.clone(),
                causation: Some(cause.causation.clone()),
                label: label.into(),
            }))?;
        }
        for timer in reaction.timers {
            let (process, key) = (process.name.clone(), instance.key.clone());
            match timer {
                Timer::Set(name, length) => {
                    let micros = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
                    // What is beyond the end of time comes there.
                    let due = Time::from_micros(cause.time.micros().saturating_add(micros)).unwrap_or(Time::MAX);
                    run.queue.follows(Follows::Deadline(process.clone(), key.clone(), name.clone()), cause.root);
                    let label = label::of_deadline(&cause.label, &name).into();
                    let (correlation, causation) = (cause.correlation.clone(), Some(cause.causation.clone()));
                    let deadline = Deadline { process, key, name, due, correlation, causation, label };
                    self.store.keep(&ProcessChange::Deadline(deadline))?;
                }
                Timer::Cancel(name) => self.store.keep(&ProcessChange::NoDeadline { process, key, name })?,
            }
        }
        if reaction.done && !instance.ended {
            instance.ended = true;
            self.step(run, instance, step(StepKind::Ended))?;
        }
        if instance.ended {
            let (process, key) = (process.name.clone(), instance.key.clone());
            self.store.keep(&ProcessChange::NoDeadlines { process, key })?;
        }
        Ok(())
    }

    /// A deadline has come. Says whether there may be more to do.
    pub(super) fn wake(&mut self, run: &mut Run<'_>, deadline: &Deadline) -> Result<bool, Error> {
        let domains = self.domains.clone();
        let process = process_of(&domains, &deadline.process)?;
        let Deadline { key, name, .. } = deadline;
        let follows = Follows::Deadline(process.name.clone(), key.clone(), name.clone());
        let root = run.queue.root(&follows);
        if let Some(bound) = run.queue.count(root, &process.name, run.manner.max_steps) {
            run.reacted.bound = Some(bound);
            return Ok(false);
        }
        run.queue.done_with(&follows);
        let Some(instance) = self.store.instance(&process.name, key)? else {
            return Err(StoreError::Damaged(format!("the deadline `{name}` belongs to no instance")).into());
        };
        let Some(script) = process.deadlines.get(name) else {
            let message = format!("`{}` has no deadline `{name}` under `on_deadline`", process.name);
            let halt = Halt { at: HaltAt::Deadline(name.clone()), message, place: None, code: None };
            self.halt(run, instance, halt, None)?;
            return Ok(true);
        };
        run.reacted.deadlines += 1;
        let due = [("due".to_owned(), Value::Text(deadline.due.to_string()))];
        let cause = Cause {
            at: HaltAt::Deadline(name.clone()),
            label: deadline.label.to_string(),
            causation: deadline.causation.clone().unwrap_or_default(),
            correlation: deadline.correlation.clone(),
            root,
            time: deadline.due,
            step: Some(Step {
                name: Some(name.clone()),
                causation: deadline.causation.clone(),
                data: Some(Value::Object(due.into_iter().collect()).to_string().into()),
                ..step(StepKind::Deadline)
            }),
            spent: Some(name.clone()),
        };
        let occasion = Occasion::Deadline { name, due: deadline.due };
        self.happen(run, process, instance, script, occasion, cause)?;
        Ok(true)
    }

    /// An instance stops, and says why; with the problem where a script failed.
    pub(super) fn halt(
        &mut self,
        run: &mut Run<'_>,
        mut instance: Instance,
        halt: Halt,
        problem: Option<Box<Diagnostic>>,
    ) -> Result<(), Error> {
        if let HaltAt::Event(position) = halt.at {
            let (process, key) = (instance.process.clone(), instance.key.clone());
            self.store.keep(&ProcessChange::Wait(Waiting { process, key, position }))?;
        }
        let text = halt.to_text();
        self.step(run, &mut instance, Step { data: Some(text.clone()), ..step(StepKind::Stopped) })?;
        instance.stopped = Some(text);
        let (process, key) = (instance.process.clone(), Some(key_of(&instance.key)));
        self.store.keep(&ProcessChange::Instance(instance))?;
        run.news.push(News::Stopped(Stopped { process, key, halt, problem }));
        Ok(())
    }

    /// Adds a step to the history of an instance, which is kept afterwards.
    pub(super) fn step(&mut self, run: &Run<'_>, instance: &mut Instance, step: Step) -> Result<(), Error> {
        add_step(self.store.as_mut(), instance, run.now, step)
    }
}

impl Run<'_> {
    /// A process stops before an event of which nobody can tell whom it concerns.
    fn stop_process(&mut self, process: &Process, event: &Recorded, fault: &Fault) {
        let halt = Halt::of(HaltAt::Event(event.position), &fault.0);
        let failure = Failure {
            position: event.position,
            key: None,
            error: halt.message.as_str().into(),
            place: halt.place.as_deref().map(Into::into),
        };
        self.queue.stopped_at(&process.name, failure);
        let (process, problem) = (process.name.clone(), Some(fault.0.clone()));
        self.news.push(News::Stopped(Stopped { process, key: None, halt, problem }));
    }
}

/// Adds a step to the history of an instance, which the caller keeps afterwards.
pub(super) fn add_step(store: &mut dyn Store, instance: &mut Instance, now: Time, step: Step) -> Result<(), Error> {
    instance.steps += 1;
    instance.time = now;
    let step = Step { number: instance.steps, time: now, ..step };
    let (process, key) = (instance.process.clone(), instance.key.clone());
    Ok(store.keep(&ProcessChange::Step { process, key, step })?)
}

/// A step with nothing but its kind.
pub(super) fn step(kind: StepKind) -> Step {
    Step {
        number: 0,
        kind,
        time: Time::default(),
        position: None,
        name: None,
        command: None,
        causation: None,
        data: None,
    }
}

/// The rules of an event as it is now, and what a process does with it; `None` where it does nothing.
pub(super) fn reaction_to<'d>(
    domains: &'d Domains,
    process: &'d Process,
    event: &Recorded,
) -> Option<(&'d Aggregate, &'d EventRules, &'d Reacts)> {
    let aggregate = domains.aggregate(event.stream.aggregate())?;
    let Some(Known::Event(rules)) = aggregate.rules.known(&event.kind) else { return None };
    let reacts = process.handlers.get(&(aggregate.name.clone(), Box::from(&*rules.name)))?;
    Some((aggregate, rules, reacts))
}

/// Reads an event, as it is now.
pub(super) fn read(
    domains: &Domains,
    process: &Process,
    rules: &EventRules,
    event: &Recorded,
) -> Result<Payload, Error> {
    let payload = domains.payload(rules, event.schema, &event.data, |kind| meta::of_event(event, kind, true));
    payload.map_err(|error| match error {
        EventError::Fault(fault) => {
            let which = format!("event {} of `{}` (@{})", event.version, event.stream, event.position);
            fault.while_doing(|| format!("while giving {which} to `{}`", process.name)).into()
        }
        other => cannot("reading", other, event),
    })
}

/// `meta` of an event, where one of these scripts reads it.
pub(super) fn meta_for(scripts: &[&Script], rules: &EventRules, event: &Recorded) -> Meta {
    let reads = scripts.iter().any(|script| script.facts().reads_root("meta"));
    if reads { meta::of_event(event, &rules.name, true) } else { Meta::default() }
}

/// The keys of the instances that an event concerns, each once.
pub(super) fn keys(domains: &Domains, reacts: &Reacts, payload: Payload, meta: Meta) -> Result<Vec<Value>, Fault> {
    let given = domains.host.keys(&reacts.key, &Projected::new(payload, meta))?;
    let mut keys: Vec<Value> = Vec::with_capacity(given.len());
    for key in given.into_iter().map(normal) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// The keys, where they can be told without the engine.
fn plain_keys(rules: &EventRules, reacts: &Reacts, event: &Recorded) -> Option<Vec<Value>> {
    let names = Partial::reads([&*reacts.key]).filter(|_| event.schema == rules.schema)?;
    let members = Members::read(&event.data, &rules.shape, &names)?;
    Partial::new(members, meta_for(&[&reacts.key], rules, event)).keys(&reacts.key)
}

/// Whether an event concerns an instance of a process, or nobody can tell.
pub(super) fn concerns(domains: &Domains, process: &Process, event: &Recorded) -> bool {
    let Some((_, rules, reacts)) = reaction_to(domains, process, event) else { return false };
    if let Some(keys) = plain_keys(rules, reacts, event) {
        return !keys.is_empty();
    }
    let Ok(payload) = read(domains, process, rules, event) else { return true };
    let meta = meta_for(&[&reacts.key], rules, event);
    !matches!(keys(domains, reacts, payload, meta), Ok(keys) if keys.is_empty())
}

/// A key as it is kept: `7.10` is `7.1`.
fn normal(key: Value) -> Value {
    match key {
        Value::Decimal(decimal) => key_of(&Value::Decimal(decimal.normalize()).to_string()),
        other => other,
    }
}

/// The key of an instance, as data.
pub(super) fn key_of(text: &str) -> Value {
    json::parse(text).unwrap_or_else(|_| Value::Text(text.to_owned()))
}

/// The state of an instance, by the rules as they are now.
pub(super) fn state_of(process: &Process, instance: &Instance) -> Result<State, Fault> {
    frozen::thaw(&instance.state, &process.state)
        .or_else(|| frozen::thaw_by_others(&instance.state, &process.state))
        .ok_or_else(|| Fault::new("the state of this instance does not fit the rules any more", process.place.clone()))
}
