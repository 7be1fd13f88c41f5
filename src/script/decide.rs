//! Deciding: a command and a state become events or a rejection.
//!
//! The script sees the state as a constant; what it emits is checked, folded into that same state at once and noted
//! at the *desk*. `reject` and a failing `emit` end the script for good: no `catch` sees them. A stream that the
//! script asks for and that has not been read yet ends it too: the caller reads the stream and decides again, which
//! is safe because a decision has no effect before it is done.

use super::fault::{Fault, Stop};
use super::fold::{self, Emitted, EventRules, Meta, Payload, State, StreamRules, signed};
use super::host::{Host, Script};
use super::{memory, value};
use crate::event::{MAX_PAYLOAD_BYTES, NewEvent, StreamName, Version};
use crate::json::{self, Object, Value};
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map, NativeCallContext, Scope};
use std::cell::{Cell, RefCell};
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

/// A stream under decision: its state lives in a cell that the script sees as a constant.
struct Open {
    stream: StreamName,
    rules: Rc<StreamRules>,
    /// Shared with the script's scope, read-only there.
    state: Dynamic,
    /// The same for the version.
    version: Dynamic,
    at: u64,
    touched: bool,
}

struct Session {
    rules: Rc<AllRules>,
    /// The first one is the command's own.
    open: Vec<Open>,
    events: Vec<NewEvent>,
    rejection: Option<Rejection>,
    needs: Option<StreamName>,
    fault: Option<Fault>,
    id: String,
    ids: u64,
    event_meta: EventMeta,
    /// Operations that nested folds used.
    nested: u64,
}

/// Where a running decision notes what it does. Empty while nothing is decided.
#[derive(Default)]
pub(super) struct Desk {
    session: RefCell<Option<Session>>,
    /// `Some` while a projection's handler runs: whether it called `delete()`.
    deleted: Cell<Option<bool>>,
}

type Outcome<T> = Result<T, Box<EvalAltResult>>;

impl Open {
    fn new(stream: StreamName, rules: Rc<StreamRules>, state: State, version: Version) -> Self {
        Self {
            stream,
            rules,
            state: protected(state),
            version: Dynamic::from(signed(version.0)).into_read_only().into_shared(),
            at: version.0,
            touched: false,
        }
    }

    /// Takes the state out of its cell.
    fn take(&mut self) -> Dynamic {
        self.state.write_lock::<Map>().map(|mut map| Dynamic::from_map(std::mem::take(&mut *map))).unwrap_or_default()
    }

    /// Puts a state into the cell.
    fn put(&mut self, folded: Dynamic) {
        if let (Some(mut cell), Some(map)) = (self.state.write_lock::<Map>(), folded.try_cast::<Map>()) {
            *cell = map;
        }
    }

    fn step(&mut self) {
        self.at += 1;
        self.touched = true;
        if let Some(mut version) = self.version.write_lock::<i64>() {
            *version = signed(self.at);
        }
    }
}

/// A cell that scripts see as a constant and that a fold can still change.
///
/// The mark is put on an empty map, which the state then moves into: marking the state itself would walk through all
/// of it, at every decision. What is inside is guarded by `check`, which refuses to change it.
fn protected(state: State) -> Dynamic {
    let mut cell = Dynamic::from_map(Map::new()).into_read_only().into_shared();
    if let (Some(mut map), Some(state)) = (cell.write_lock::<Map>(), state.0.try_cast::<Map>()) {
        *map = state;
    }
    cell
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

/// Puts the functions of a decision into the engine. They fail where nothing is being decided; `check` sees to it
/// that no other script calls them.
pub(super) fn register(engine: &mut Engine, desk: &Rc<Desk>) {
    let d = desk.clone();
    engine.register_fn("emit", move |context: NativeCallContext, event: &str| {
        d.emit(&context, None, event, &Dynamic::UNIT)
    });
    let d = desk.clone();
    engine.register_fn("emit", move |context: NativeCallContext, event: &str, data: Dynamic| {
        d.emit(&context, None, event, &data)
    });
    let d = desk.clone();
    engine.register_fn("emit_to", move |context: NativeCallContext, stream: &str, event: &str| {
        d.emit(&context, Some(stream), event, &Dynamic::UNIT)
    });
    let d = desk.clone();
    engine.register_fn("emit_to", move |context: NativeCallContext, stream: &str, event: &str, data: Dynamic| {
        d.emit(&context, Some(stream), event, &data)
    });
    let d = desk.clone();
    engine.register_fn("reject", move |code: &str| d.reject(code, "", &Dynamic::UNIT));
    let d = desk.clone();
    engine.register_fn("reject", move |code: &str, message: &str| d.reject(code, message, &Dynamic::UNIT));
    let d = desk.clone();
    engine.register_fn("reject", move |code: &str, message: &str, details: Dynamic| d.reject(code, message, &details));
    let d = desk.clone();
    engine.register_fn(
        "require",
        move |held: bool, code: &str| if held { Ok(()) } else { d.reject(code, "", &Dynamic::UNIT) },
    );
    let d = desk.clone();
    engine.register_fn(
        "require",
        move |held: bool, code: &str, message: &str| {
            if held { Ok(()) } else { d.reject(code, message, &Dynamic::UNIT) }
        },
    );
    let d = desk.clone();
    engine.register_fn(
        "require",
        move |held: bool, code: &str, message: &str, details: Dynamic| {
            if held { Ok(()) } else { d.reject(code, message, &details) }
        },
    );
    let d = desk.clone();
    engine.register_fn("load", move |stream: &str| d.load(stream));
    let d = desk.clone();
    engine.register_fn("new_id", move || d.new_id());
    let d = desk.clone();
    engine.register_fn("delete", move || d.delete());
}

impl Desk {
    /// A projection's handler begins.
    pub(super) fn begin_row(&self) {
        self.deleted.set(Some(false));
    }

    /// It ended: whether it deleted its row.
    pub(super) fn end_row(&self) -> bool {
        self.deleted.take().unwrap_or(false)
    }

    fn delete(&self) -> Outcome<()> {
        match self.deleted.get() {
            Some(_) => {
                self.deleted.set(Some(true));
                Ok(())
            }
            None => Stop::failed("`delete` can only be called in a projection's handler"),
        }
    }

    fn with<T>(&self, what: &str, act: impl FnOnce(&mut Session) -> Outcome<T>) -> Outcome<T> {
        match self.session.try_borrow_mut().ok().as_mut().and_then(|session| session.as_mut()) {
            Some(session) => act(session),
            None => Stop::failed(format!("`{what}` can only be called in a `decide`")),
        }
    }

    fn reject(&self, code: &str, message: &str, details: &Dynamic) -> Outcome<()> {
        self.with("reject", |session| {
            let details = match value::to_value(details) {
                Ok(Value::Null) => None,
                Ok(details) => Some(details),
                Err(problem) => return Stop::failed(format!("the details of `{code}`: {problem}")),
            };
            session.rejection = Some(Rejection { code: code.into(), message: message.into(), details });
            Stop::Settled.raise()
        })
    }

    fn load(&self, stream: &str) -> Outcome<Dynamic> {
        self.with("load", |session| {
            let open = session.open(stream)?;
            let mut found = Map::new();
            let state = open.state.read_lock::<Map>().map(|map| map.clone()).unwrap_or_default();
            found.insert("state".into(), Dynamic::from_map(state));
            found.insert("version".into(), Dynamic::from(signed(open.at)));
            Ok(Dynamic::from_map(found))
        })
    }

    fn new_id(&self) -> Outcome<ImmutableString> {
        self.with("new_id", |session| {
            session.ids += 1;
            // It is quite some work for one operation.
            memory::charge(1024);
            let name = format!("{}\n{}", session.id, session.ids);
            Ok(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).to_string().into())
        })
    }

    fn emit(&self, context: &NativeCallContext<'_>, stream: Option<&str>, event: &str, data: &Dynamic) -> Outcome<()> {
        self.with("emit", |session| session.emit(context, stream, event, data))
    }
}

impl Session {
    /// Which of the streams has that name.
    fn index(&self, name: &str) -> Option<usize> {
        // The others are in the order of their names: there may be a thousand.
        let (own, others) = self.open.split_first()?;
        if own.stream.as_str() == name {
            return Some(0);
        }
        others.binary_search_by(|open| open.stream.as_str().cmp(name)).ok().map(|index| index + 1)
    }

    /// The stream of that name, as far as the decision has come; a stream that was not read yet ends the script.
    fn open(&mut self, name: &str) -> Outcome<&mut Open> {
        if let Some(index) = self.index(name) {
            return Ok(&mut self.open[index]);
        }
        let stream = match StreamName::new(name) {
            Ok(stream) => stream,
            Err(problem) => return Stop::failed(format!("`{}` is no stream: {problem}", shown(name))),
        };
        if !self.rules.contains_key(stream.aggregate()) {
            return Stop::failed(format!("there is no aggregate `{}`", stream.aggregate()));
        }
        self.needs = Some(stream);
        Stop::Settled.raise()
    }

    fn emit(
        &mut self,
        context: &NativeCallContext<'_>,
        stream: Option<&str>,
        name: &str,
        data: &Dynamic,
    ) -> Outcome<()> {
        if self.events.len() >= MAX_EVENTS {
            return Stop::failed(format!("one command gives at most {MAX_EVENTS} events"));
        }
        let spent = context.global_runtime_state().num_operations + self.nested;
        let event_meta = self.event_meta.clone();
        let index = match stream {
            None => 0,
            Some(stream) => {
                self.open(stream)?;
                self.index(stream).unwrap_or(0)
            }
        };
        let rules = self.open[index].rules.clone();
        let Some(event) = rules.events.get(name) else {
            return Stop::failed(format!("`{}` has no event `{}`", rules.aggregate, shown(name)));
        };
        let data = accepted(event, data)?;
        let mut text = String::with_capacity(64);
        json::write(&Value::Object(data.clone()), &mut text);
        if text.len() > MAX_PAYLOAD_BYTES {
            return Stop::failed(format!(
                "the payload of `{name}` has {} bytes, at most {MAX_PAYLOAD_BYTES} are stored",
                text.len()
            ));
        }
        let open = &mut self.open[index];
        if let Some(script) = &event.fold {
            let next = Version(open.at + 1);
            let meta =
                if script.facts().reads_root("meta") { event_meta(&open.stream, name, next).0 } else { Dynamic::UNIT };
            let state = open.take();
            let event_value = Dynamic::from_map(value::from_payload(data, &event.shape));
            let emitted = Emitted { event: event_value, meta, version: next.0 };
            match fold::fold_within(context.engine(), &rules, script, state, emitted, spent) {
                Ok((folded, used)) => {
                    open.put(folded);
                    self.nested += used.saturating_sub(spent);
                }
                Err(fault) => {
                    let stream = open.stream.clone();
                    self.fault = Some(fault.while_doing(|| {
                        format!("while folding `{name}`, which the decision emitted, into `{stream}`")
                    }));
                    return Stop::Settled.raise();
                }
            }
        }
        open.step();
        self.events.push(NewEvent {
            stream: open.stream.clone(),
            kind: event.name.clone(),
            schema: event.schema,
            data: text.into(),
        });
        Ok(())
    }
}

/// The typed payload of an event that a script emits.
fn accepted(event: &EventRules, data: &Dynamic) -> Outcome<Object> {
    let object = match value::to_value(data) {
        Ok(Value::Null) => Object::new(),
        Ok(Value::Object(object)) => object,
        Ok(other) => {
            return Stop::failed(format!(
                "the payload of `{}` is a map (`#{{…}}`), not {}",
                event.name,
                other.kind_name()
            ));
        }
        Err(problem) => return Stop::failed(format!("the payload of `{}`: {problem}", event.name)),
    };
    (event.accept)(object).or_else(|problems| {
        Stop::failed(format!("the payload of `{}` does not fit: {}", event.name, problems.join("; ")))
    })
}

fn shown(name: &str) -> String {
    let mut text: String =
        name.chars().take(80).map(|c| if crate::event::is_control(c) { '\u{fffd}' } else { c }).collect();
    if name.chars().count() > 80 {
        text.push('…');
    }
    text
}
