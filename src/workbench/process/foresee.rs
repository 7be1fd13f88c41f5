//! What processes would do with events that are not stored. Nothing is written, and nothing is sent.

use super::instance::{keys, meta_for, reaction_to, read, state_of};
use super::process_of;
use crate::domain::process::Process;
use crate::event::{Recorded, StreamName};
use crate::json::{self, Value};
use crate::script::State;
use crate::script::react::Occasion;
use crate::workbench::{Error, Workbench};
use std::collections::HashMap;

/// A command that a process would send, or why an instance would stop.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreseen {
    /// The process.
    pub process: Box<str>,
    /// The key of the instance; `None` where it could not be told.
    pub key: Option<Value>,
    /// What it would do.
    pub what: Foresight,
}

/// What a process would do.
#[derive(Debug, Clone, PartialEq)]
pub enum Foresight {
    /// Send a command.
    Sends {
        /// Where it goes.
        stream: StreamName,
        /// Its name.
        command: Box<str>,
        /// Its payload.
        data: Value,
    },
    /// Stop at a script that fails.
    Stops(String),
}

/// Instances as they would be: the state, or that they would take no event any more.
type Instances = HashMap<(Box<str>, Box<str>), Option<State>>;

impl Workbench {
    /// What processes would send if they were given these events, each instance on the state it has now.
    pub(in crate::workbench) fn foresee(&mut self, events: &[Recorded]) -> Result<Vec<Foreseen>, Error> {
        let domains = self.domains.clone();
        let mut foreseen = Vec::new();
        let mut instances = Instances::new();
        for event in events {
            for process in domains.processes() {
                self.foresee_event(process, event, &mut instances, &mut foreseen)?;
            }
        }
        Ok(foreseen)
    }

    fn foresee_event(
        &mut self,
        process: &Process,
        event: &Recorded,
        instances: &mut Instances,
        foreseen: &mut Vec<Foreseen>,
    ) -> Result<(), Error> {
        let domains = self.domains.clone();
        let Some((_, rules, reacts)) = reaction_to(&domains, process, event) else { return Ok(()) };
        let stops = |key: Option<Value>, message: String| {
            let what = Foresight::Stops(message);
            Foreseen { process: process.name.clone(), key, what }
        };
        let payload = read(&domains, process, rules, event)?;
        let meta = meta_for(&[&reacts.key, &reacts.script], rules, event);
        let keys = match keys(&domains, reacts, payload.clone(), meta.clone()) {
            Ok(keys) => keys,
            Err(fault) => {
                foreseen.push(stops(None, fault.0.message.clone()));
                return Ok(());
            }
        };
        for key in keys {
            let of = (process.name.clone(), Box::from(key.to_string()));
            let state = match instances.remove(&of) {
                Some(state) => state,
                None => self.instance_now(&of, reacts.starts)?,
            };
            let Some(state) = state else {
                instances.insert(of, None);
                continue;
            };
            let occasion = Occasion::Event(payload.clone(), meta.clone());
            match domains.host.react(&process.state, domains.commands(), &reacts.script, occasion, &key, state) {
                Ok(reaction) => {
                    foreseen.extend(reaction.sends.into_iter().map(|sending| Foreseen {
                        process: process.name.clone(),
                        key: Some(key.clone()),
                        what: Foresight::Sends {
                            stream: sending.stream,
                            command: sending.command,
                            data: json::parse(&sending.data).unwrap_or_default(),
                        },
                    }));
                    instances.insert(of, (!reaction.done).then_some(reaction.state));
                }
                Err(fault) => {
                    foreseen.push(stops(Some(key), fault.0.message.clone()));
                    instances.insert(of, None);
                }
            }
        }
        Ok(())
    }

    /// The state of an instance as it is now; `None` where it would not be given the event.
    fn instance_now(&mut self, (name, key): &(Box<str>, Box<str>), starts: bool) -> Result<Option<State>, Error> {
        let domains = self.domains.clone();
        let process = process_of(&domains, name)?;
        match self.store.instance(name, key)? {
            Some(instance) if instance.ended || instance.stopped.is_some() => Ok(None),
            Some(instance) => Ok(state_of(process, &instance).ok()),
            None if starts => Ok(Some(process.state.initial.clone())),
            None => Ok(None),
        }
    }
}
