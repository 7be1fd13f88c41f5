//! Deciding: a command and a state become events or a rejection.
//!
//! The script sees the state as a constant; what it emits is checked, folded into that same state at once and noted
//! at the *desk*. `reject` and a failing `emit` end the script for good: no `catch` sees them. A stream that the
//! script asks for and that has not been read yet ends it too: the caller reads the stream and decides again, which
//! is safe because a decision has no effect before it is done.

use super::desk::{Open, Session};
use super::fault::Fault;
use super::fold::{self, Meta, Payload, StreamRules, signed};
use super::host::{Host, Script};
use super::state::State;
use crate::event::{NewEvent, StreamName, Version};
use crate::json::Value;
use rhai::{Dynamic, Map, Scope};
use std::collections::HashMap;
use std::rc::Rc;

/// The names a `decide` sees, in the order of its scope.
pub const SCOPE: &[&str] = &["state", "command", "meta", "version"];

/// The most events that one command may give.
pub const MAX_EVENTS: usize = 10_000;

/// The domain's "no".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Stable, for programs.
    pub code: Box<str>,
    /// For people; empty where the rule gave none.
    pub message: Box<str>,
    /// Whatever the rule added.
    pub details: Option<Value>,
}

/// What a decision came to.
#[derive(Debug)]
pub enum Decided {
    /// The events, perhaps none, with the streams they touched as they are now.
    Accepted(Emission),
    /// The domain says no. The state that was handed in is `None` where events had been folded into it.
    Rejected(Rejection, Option<State>),
    /// The script asks for a stream that was not handed in. The state comes back as above.
    Needs(StreamName, Option<State>),
}

/// What an accepted command gives.
#[derive(Debug)]
pub struct Emission {
    /// In the order of their `emit`.
    pub events: Vec<NewEvent>,
    /// The command's own stream after them.
    pub own: (State, Version),
    /// The other streams that were handed in, after them.
    pub others: Vec<(StreamName, State, Version)>,
}

/// The rules of all aggregates, by name.
pub type AllRules = HashMap<Rc<str>, Rc<StreamRules>>;

/// Gives `meta` of an event at a version of a stream.
pub type EventMeta = Rc<dyn Fn(&StreamName, &str, Version) -> Meta>;

/// What a decision is made of.
pub struct Case<'a> {
    /// The command's stream.
    pub stream: &'a StreamName,
    /// Its state; not changed unless the command is accepted.
    pub state: State,
    /// Its version.
    pub version: Version,
    /// The command's typed payload.
    pub command: Payload,
    /// The command's id: what `new_id()` derives from.
    pub id: &'a str,
    /// `meta`, asked for only where the script reads it.
    pub meta: &'a dyn Fn() -> Meta,
    /// `meta` of an event at a version of a stream, for folds that read it.
    pub event_meta: EventMeta,
    /// The other streams read so far.
    pub others: Vec<(StreamName, State, Version)>,
}

impl Host {
    /// Decides. Faults say the place in the domain file; nothing has happened then.
    pub fn decide(&self, rules: &Rc<AllRules>, script: &Script, case: Case<'_>) -> Result<Decided, Fault> {
        let Some(own) = rules.get(case.stream.aggregate()) else {
            return Err(Fault::new(
                format!("there is no aggregate `{}`", case.stream.aggregate()),
                script.text().token(0),
            ));
        };
        let mut open = vec![Open::new(case.stream.clone(), own.clone(), case.state, case.version)];
        for (stream, state, version) in case.others {
            if let Some(of) = rules.get(stream.aggregate()) {
                open.push(Open::new(stream, of.clone(), state, version));
            }
        }
        open[1..].sort_by(|a, b| a.stream.as_str().cmp(b.stream.as_str()));
        let mut scope = Scope::new();
        scope.push_constant_dynamic("state", open[0].state.clone());
        scope.push_dynamic("command", case.command.0);
        let meta = if script.facts().reads_root("meta") { (case.meta)().0 } else { Dynamic::UNIT };
        scope.push_dynamic("meta", meta);
        scope.push_constant_dynamic("version", open[0].version.clone());
        self.desk.session.replace(Some(Session {
            rules: rules.clone(),
            open,
            events: Vec::new(),
            rejection: None,
            needs: None,
            fault: None,
            id: case.id.to_owned(),
            ids: 0,
            event_meta: case.event_meta,
            nested: 0,
        }));
        let notes = self.notes.borrow().len();
        let result = self.run(script, &mut scope);
        drop(scope);
        let Some(mut session) = self.desk.session.take() else {
            return Err(Fault::new("the decision was lost", script.text().token(0)));
        };
        // What was noted holds, whatever the script made of it afterwards.
        if let Some(fault) = session.fault {
            return Err(fault);
        }
        let given_back = |session: &mut Session| session.events.is_empty().then(|| State(session.open[0].take()));
        if let Some(stream) = session.needs.take() {
            // It will be run again and say the same.
            self.notes.borrow_mut().truncate(notes);
            let state = given_back(&mut session);
            return Ok(Decided::Needs(stream, state));
        }
        if let Some(rejection) = session.rejection.take() {
            if let Some(seen) = &self.seen {
                seen.see_rejection(script, &rejection.code);
            }
            let state = given_back(&mut session);
            return Ok(Decided::Rejected(rejection, state));
        }
        let _ = result?;
        for open in &session.open {
            if open.touched
                && let Some(name) = self.broken_invariant(&open.rules, &open.state, &open.version)?
            {
                if let Some(seen) = &self.seen {
                    seen.see_broken(&open.rules.aggregate, name);
                }
                let message = format!("the invariant `{name}` would not hold on `{}`", open.stream);
                let rejection = Rejection { code: name.into(), message: message.into(), details: None };
                return Ok(Decided::Rejected(rejection, None));
            }
        }
        if let Some(seen) = &self.seen {
            seen.see_events(&session.events);
        }
        let mut open = session.open.into_iter().map(|mut open| {
            let state = State(open.take());
            (open.stream, state, Version(open.at))
        });
        let own = open.next().map(|(_, state, version)| (state, version)).unwrap_or_default();
        Ok(Decided::Accepted(Emission { events: session.events, own, others: open.collect() }))
    }

    /// The first invariant that does not hold on a state at a version.
    pub fn breaks<'r>(
        &self,
        rules: &'r StreamRules,
        state: &State,
        version: Version,
    ) -> Result<Option<&'r str>, Fault> {
        self.broken_invariant(rules, &state.0, &Dynamic::from(signed(version.0)))
    }

    /// The first invariant that does not hold; state and version are cells that scripts see as constants.
    fn broken_invariant<'r>(
        &self,
        rules: &'r StreamRules,
        state: &Dynamic,
        version: &Dynamic,
    ) -> Result<Option<&'r str>, Fault> {
        for (name, script) in &rules.invariants {
            let plain = state.read_lock::<Map>().zip(version.as_int().ok());
            let plain = plain.and_then(|(own, version)| fold::held(script, &own, version.cast_unsigned()));
            match plain {
                Some(true) => continue,
                Some(false) => return Ok(Some(name)),
                None => {}
            }
            let mut scope = Scope::new();
            scope.push_constant_dynamic("state", state.clone());
            scope.push_constant_dynamic("version", version.clone());
            if !fold::truth("an invariant", script, &self.run(script, &mut scope)?)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}
