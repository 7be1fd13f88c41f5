//! Folding: one event applied to the state of its stream, in place.

use super::direct::{Event, Members, Sight};
use super::fault::Fault;
use super::host::{self, Host, Script};
use super::state::{State, StateRules};
use super::value;
use crate::json::Object;
use foldhash::HashMap;
use rhai::{Dynamic, Engine, Map, Scope};
use std::rc::Rc;

/// The names a `fold` sees, in the order of its scope.
pub const SCOPE: &[&str] = &["state", "event", "meta", "version"];
/// The names an invariant sees.
pub const INVARIANT_SCOPE: &[&str] = &["state", "version"];

/// The payload of an event as scripts see it.
#[derive(Debug, Clone, Default)]
pub struct Payload(pub(super) Dynamic);

/// `meta` as scripts see it; built only for a script that reads it.
#[derive(Debug, Clone, Default)]
pub struct Meta(pub(super) Dynamic);

/// What the rules say of the streams of one aggregate, as far as deciding and folding need it.
pub struct StreamRules {
    /// The aggregate.
    pub aggregate: Rc<str>,
    /// What a state must be like, and is before the first event.
    pub state: StateRules,
    /// The events, by name.
    pub events: HashMap<Box<str>, EventRules>,
    /// What is stored under other names than those of `events`.
    pub former: HashMap<Box<str>, Former>,
    /// The conditions that hold on every state, by name, in declared order.
    pub invariants: Vec<(Box<str>, Script)>,
}

/// What became of the events of a name that none has any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Former {
    /// They are called so now.
    Renamed(Box<str>),
    /// They mean nothing any more.
    Retired,
}

/// What is known of a stored event by its name.
#[derive(Clone, Copy)]
pub enum Known<'r> {
    /// It is this event now.
    Event(&'r EventRules),
    /// It means nothing any more.
    Retired,
}

/// Checks and types a payload: the typed payload, or every problem with it.
pub type Accept = Box<dyn Fn(Object) -> Result<Object, Vec<String>>>;

/// What the rules say of one event.
pub struct EventRules {
    /// Its name.
    pub name: std::sync::Arc<str>,
    /// The current schema version.
    pub schema: u32,
    /// Checks a payload that a script emits.
    pub accept: Accept,
    /// Which fields may be absent, and where decimals are.
    pub shape: crate::json::Shape,
    /// What makes the next version of a payload of each version before, from the first on.
    pub upcasts: Vec<Script>,
    /// How it changes the state; without one it does not.
    pub fold: Option<Script>,
}

impl std::fmt::Debug for StreamRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamRules").field("aggregate", &self.aggregate).finish_non_exhaustive()
    }
}

impl StreamRules {
    /// Rules for the streams of an aggregate.
    pub fn new(
        aggregate: &str,
        state: StateRules,
        (events, former): (HashMap<Box<str>, EventRules>, HashMap<Box<str>, Former>),
        invariants: Vec<(Box<str>, Script)>,
    ) -> Self {
        Self { aggregate: aggregate.into(), state, events, former, invariants }
    }

    /// What is known of the events that are stored under a name.
    pub fn known(&self, stored: &str) -> Option<Known<'_>> {
        let now = match self.events.get(stored) {
            Some(rules) => return Some(Known::Event(rules)),
            None => self.former.get(stored)?,
        };
        match now {
            Former::Renamed(now) => self.events.get(now).map(Known::Event),
            Former::Retired => Some(Known::Retired),
        }
    }
}

impl Payload {
    /// From a typed payload; `shape` says which fields may be absent.
    pub fn new(data: Object, shape: &crate::json::Shape) -> Self {
        Self(Dynamic::from_map(value::from_payload(data, shape)))
    }
    /// From stored text; `shape` says where its decimals are.
    pub fn read(text: &str, shape: &crate::json::Shape) -> Result<Self, crate::json::JsonError> {
        value::read(text, shape).map(Self)
    }
}

impl Meta {
    /// From data.
    pub fn new(data: Object) -> Self {
        Self(Dynamic::from_map(value::from_object(data)))
    }
}

impl Host {
    /// Applies one event. `meta` is asked for only where the script reads it.
    pub fn fold(
        &self,
        rules: &StreamRules,
        event: &EventRules,
        state: &mut State,
        payload: Payload,
        version: u64,
        meta: impl FnOnce() -> Meta,
    ) -> Result<(), Fault> {
        let Some(script) = &event.fold else { return Ok(()) };
        if script.worth_doing().is_some()
            && let Ok(whole) = payload.0.as_map_ref()
            && directly(rules, script, &mut state.0, Event::Whole(&whole), version).is_some()
        {
            return Ok(());
        }
        let meta = if script.facts().reads_root("meta") { meta().0 } else { Dynamic::UNIT };
        let mut scope = fold_scope(std::mem::take(&mut state.0), payload.0, meta, version);
        let _ = self.run(script, &mut scope)?;
        state.0 = folded(rules, script, &mut scope)?;
        Ok(())
    }
}

impl StreamRules {
    /// Applies an event as it was stored, by the rules of its schema now, where the engine is not needed for it: only what
    /// the script reads of the payload becomes a value. `false`: nothing was done.
    pub fn fold_stored(&self, event: &EventRules, state: &mut State, data: &str, version: u64) -> bool {
        let Some(script) = &event.fold else { return false };
        let Some(direct) = script.worth_doing().filter(|direct| !direct.reads_meta()) else { return false };
        let done = |members: &Members| directly(self, script, &mut state.0, Event::Members(members), version);
        direct.with_members(data, &event.shape, done).is_some()
    }
}

/// Applies an event where the engine is not needed for it, and says how many operations that was.
fn directly(rules: &StreamRules, script: &Script, state: &mut Dynamic, event: Event<'_>, version: u64) -> Option<u64> {
    let direct = script.direct()?;
    let mut own = state.as_map_mut().ok()?;
    let sight = Sight { event, version: signed(version), ..Sight::NONE };
    direct.act(&mut *own, sight, |own| rules.state.hold(own).is_ok())?;
    Some(direct.operations())
}

impl Host {
    /// Whether a condition holds on a state, which is left as it is.
    pub fn holds(&self, condition: &Script, state: &mut State, version: u64) -> Result<bool, Fault> {
        if let Some(held) = state.0.as_map_ref().ok().and_then(|own| held(condition, &own, version)) {
            return Ok(held);
        }
        let mut scope = Scope::new();
        scope.push_dynamic("state", Dynamic::UNIT);
        if let Some(place) = scope.get_mut("state") {
            *place = std::mem::take(&mut state.0);
        }
        scope.push_constant_dynamic("version", Dynamic::from(signed(version)));
        let answer = self.run(condition, &mut scope);
        state.0 = scope.get_mut("state").map(std::mem::take).unwrap_or_default();
        truth("a condition", condition, &answer?)
    }
}

/// What a script said that says `true` or `false`.
pub(super) fn truth(what: &str, script: &Script, answer: &Dynamic) -> Result<bool, Fault> {
    answer.as_bool().map_err(|kind| {
        let kind = super::fault::type_name(kind);
        let message = format!("{what} says `true` or `false`, this one gave a value of type {kind}");
        Fault::new(message, script.text().whole())
    })
}

/// Whether a condition holds on a state, where that can be told without the engine.
pub(super) fn held(condition: &Script, state: &Map, version: u64) -> Option<bool> {
    let sight = Sight { version: signed(version), ..Sight::NONE };
    condition.worth_doing()?.answer(state, sight)?.truth()
}

fn fold_scope(state: Dynamic, event: Dynamic, meta: Dynamic, version: u64) -> Scope<'static> {
    let mut scope = Scope::new();
    // Pushing the state itself would walk through all of it, at every event; moved into its place it stays as it is.
    scope.push_dynamic("state", Dynamic::UNIT);
    if let Some(place) = scope.get_mut("state") {
        *place = state;
    }
    // Copies of the script's own: a constant cannot even be looked through with `map` or `filter`, and that they are
    // not changed is seen to by `check`.
    scope.push_dynamic("event", event);
    scope.push_dynamic("meta", meta);
    scope.push_constant_dynamic("version", Dynamic::from(signed(version)));
    scope
}

/// An event that a running decision emitted.
pub(super) struct Emitted {
    pub event: Dynamic,
    pub meta: Dynamic,
    pub version: u64,
}

/// Folds what a decision emitted while it runs, with `spent` operations used already. Gives the state and the
/// operations used by then.
pub(super) fn fold_within(
    engine: &Engine,
    rules: &StreamRules,
    script: &Script,
    state: Dynamic,
    emitted: Emitted,
    spent: u64,
) -> Result<(Dynamic, u64), Fault> {
    let mut state = state;
    if let Ok(whole) = emitted.event.as_map_ref()
        && let Some(operations) = directly(rules, script, &mut state, Event::Whole(&whole), emitted.version)
    {
        return Ok((state, spent.saturating_add(operations)));
    }
    let mut scope = fold_scope(state, emitted.event, emitted.meta, emitted.version);
    let (_, used) =
        host::run(engine, script, &mut scope, spent).map_err(|error| super::fault::while_running(script, *error))?;
    Ok((folded(rules, script, &mut scope)?, used))
}

/// Takes the state out of a scope after a fold, held to its fields.
fn folded(rules: &StreamRules, script: &Script, scope: &mut Scope<'_>) -> Result<Dynamic, Fault> {
    let mut folded = scope.get_mut("state").map(std::mem::take).unwrap_or_default().flatten();
    rules.state.settle(&mut folded).map_err(|message| Fault::new(message, script.text().whole()))?;
    Ok(folded)
}

/// A version as scripts count it.
pub(super) fn signed(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}
