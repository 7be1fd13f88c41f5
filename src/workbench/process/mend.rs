//! What stopped goes on: once more with what it stopped at, or past it.

use super::halt::{Halt, HaltAt};
use super::instance::{add_step, key_of, step};
use super::process_of;
use crate::event::Time;
use crate::json::Value;
use crate::store::{Instance, ProcessChange, ProcessInfo, Step, StepKind, Waiting};
use crate::workbench::{Error, Misfit, Workbench};
use std::ops::ControlFlow;

/// What goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Mended {
    /// The process.
    pub process: Box<str>,
    /// The key of the instance; `None`: the process itself.
    pub key: Option<Value>,
    /// At what it had stopped.
    pub halt: Halt,
}

impl Workbench {
    /// Has a stopped instance try again what it stopped at; without a key all stopped ones of the process, and the process.
    /// They are not run: see [`Workbench::react`].
    pub fn process_retry(&mut self, name: &str, key: Option<&str>, now: Time) -> Result<Vec<Mended>, Error> {
        let domains = self.domains.clone();
        process_of(&domains, name)?;
        self.mend(name, key, now, StepKind::Retried)
    }

    /// Has a stopped instance go on past what it stopped at; without a key the process itself, past an event of which nobody
    /// can tell whom it concerns. They are not run: see [`Workbench::react`].
    pub fn process_skip(&mut self, name: &str, key: Option<&str>, now: Time) -> Result<Vec<Mended>, Error> {
        let domains = self.domains.clone();
        process_of(&domains, name)?;
        self.mend(name, key, now, StepKind::Skipped)
    }

    fn mend(&mut self, name: &str, key: Option<&str>, now: Time, kind: StepKind) -> Result<Vec<Mended>, Error> {
        self.in_turn(|workbench| workbench.mend_in_turn(name, key, now, kind))
    }

    fn mend_in_turn(&mut self, name: &str, key: Option<&str>, now: Time, kind: StepKind) -> Result<Vec<Mended>, Error> {
        let now = self.store.head()?.time.map_or(now, |last| last.max(now));
        if let Some(key) = key {
            let instance = self.instance_named(name, key)?;
            return match self.mend_instance(instance, now, kind)? {
                Some(mended) => Ok(vec![mended]),
                None => {
                    let misfit = Misfit::new(format!("the instance `{key}` of `{name}` has not stopped"));
                    Err(misfit.hint(format!("`esctl process show {name} {key}` says how it is")).into())
                }
            };
        }
        let mut mended = Vec::new();
        if let Some(info) = self.store.process(name)? {
            mended.extend(self.mend_process(info, kind)?);
        }
        if kind == StepKind::Retried {
            let mut stopped = Vec::new();
            self.each_instance(name, |instance| {
                stopped.extend(Some(instance).filter(|instance| instance.stopped.is_some()));
                Ok(ControlFlow::Continue(()))
            })?;
            for instance in stopped {
                mended.extend(self.mend_instance(instance, now, kind)?);
            }
        } else if mended.is_empty() {
            let misfit = Misfit::new(format!("`{name}` itself has not stopped"));
            return Err(misfit.hint(format!("name an instance: `esctl process skip {name} KEY`")).into());
        }
        Ok(mended)
    }

    fn mend_process(&mut self, mut info: ProcessInfo, kind: StepKind) -> Result<Option<Mended>, Error> {
        let Some(failure) = info.stopped.take() else { return Ok(None) };
        if kind == StepKind::Skipped {
            info.checkpoint = info.checkpoint.max(failure.position);
        }
        let halt = Halt {
            at: HaltAt::Event(failure.position),
            message: failure.error.to_string(),
            place: failure.place.map(Into::into),
            code: None,
        };
        let process = info.name.clone();
        self.store.keep(&ProcessChange::Process(info))?;
        Ok(Some(Mended { process, key: None, halt }))
    }

    fn mend_instance(&mut self, mut instance: Instance, now: Time, kind: StepKind) -> Result<Option<Mended>, Error> {
        let Some(text) = instance.stopped.take() else { return Ok(None) };
        let halt = Halt::read(&text).ok_or_else(|| {
            Misfit::new(format!("nobody knows why the instance {} of `{}` stopped", instance.key, instance.process))
        })?;
        let (process, key) = (instance.process.clone(), instance.key.clone());
        if kind == StepKind::Skipped {
            match &halt.at {
                HaltAt::Event(position) => {
                    let (process, key, position) = (process.clone(), key.clone(), *position);
                    self.store.keep(&ProcessChange::Waited(Waiting { process, key, position }))?;
                }
                HaltAt::Command(id) => {
                    let left = self.store.outgoing_of(&process, &key)?;
                    if let Some(outgoing) = left.iter().find(|outgoing| outgoing.id == *id) {
                        self.store.keep(&ProcessChange::Sent(outgoing.number))?;
                    }
                }
                HaltAt::Deadline(name) => {
                    let (process, key, name) = (process.clone(), key.clone(), name.clone());
                    self.store.keep(&ProcessChange::NoDeadline { process, key, name })?;
                }
            }
        }
        add_step(self.store.as_mut(), &mut instance, now, Step { data: Some(text), ..step(kind) })?;
        self.store.keep(&ProcessChange::Instance(instance))?;
        Ok(Some(Mended { process, key: Some(key_of(&key)), halt }))
    }

    /// The instance with a key as people write it: a text without quotes, or a number.
    pub(super) fn instance_named(&mut self, name: &str, key: &str) -> Result<Instance, Error> {
        let text = Value::Text(key.to_owned()).to_string();
        if let Some(instance) = self.store.instance(name, &text)? {
            return Ok(instance);
        }
        if let Some(instance) = self.store.instance(name, key)? {
            return Ok(instance);
        }
        let misfit = Misfit::new(format!("`{name}` has no instance `{key}`"));
        Err(misfit.hint(format!("`esctl process show {name}` lists its instances")).into())
    }
}
