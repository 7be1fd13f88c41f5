//! The desk: where a running decision notes what it emits, rejects and asks for.
//!
//! What it emits is checked and folded into the state that the script sees as a constant, at once. `reject` and a failing
//! `emit` end the script for good: no `catch` sees them. So does a stream that was not read yet.

use super::decide::{AllRules, EventMeta, MAX_EVENTS, Rejection};
use super::fault::{Fault, Stop};
use super::fold::{self, Accept, Emitted, StreamRules, signed};
use super::react::Reacting;
use super::state::State;
use super::{memory, value};
use crate::event::{MAX_PAYLOAD_BYTES, NewEvent, StreamName, Version};
use crate::json::{self, Object, Value};
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, Map, NativeCallContext};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A stream under decision: its state lives in a cell that the script sees as a constant.
pub(super) struct Open {
    pub(super) stream: StreamName,
    pub(super) rules: Rc<StreamRules>,
    /// Shared with the script's scope, read-only there.
    pub(super) state: Dynamic,
    /// The same for the version.
    pub(super) version: Dynamic,
    pub(super) at: u64,
    pub(super) touched: bool,
}

pub(super) struct Session {
    pub(super) rules: Rc<AllRules>,
    /// The first one is the command's own.
    pub(super) open: Vec<Open>,
    pub(super) events: Vec<NewEvent>,
    pub(super) rejection: Option<Rejection>,
    pub(super) needs: Option<StreamName>,
    pub(super) fault: Option<Fault>,
    pub(super) id: String,
    pub(super) ids: u64,
    pub(super) event_meta: EventMeta,
    /// Operations that nested folds used.
    pub(super) nested: u64,
}

/// Where a running decision notes what it does. Empty while nothing is decided.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) session: RefCell<Option<Session>>,
    /// `Some` while a projection's handler runs: whether it called `delete()`.
    deleted: Cell<Option<bool>>,
    /// `Some` while a handler of a process runs.
    pub(super) reacting: RefCell<Option<Reacting>>,
}

type Outcome<T> = Result<T, Box<EvalAltResult>>;

impl Open {
    pub(super) fn new(stream: StreamName, rules: Rc<StreamRules>, state: State, version: Version) -> Self {
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
    pub(super) fn take(&mut self) -> Dynamic {
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
pub(super) fn protected(state: State) -> Dynamic {
    let mut cell = Dynamic::from_map(Map::new()).into_read_only().into_shared();
    if let (Some(mut map), Some(state)) = (cell.write_lock::<Map>(), state.0.try_cast::<Map>()) {
        *map = state;
    }
    cell
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
    super::react::register(engine, desk);
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
        let data = accepted(&event.name, &event.accept, data)?;
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

/// The typed payload of an event that a script emits, or of a command that it sends.
pub(super) fn accepted(name: &str, accept: &Accept, data: &Dynamic) -> Outcome<Object> {
    let object = match value::to_value(data) {
        Ok(Value::Null) => Object::new(),
        Ok(Value::Object(object)) => object,
        Ok(other) => {
            return Stop::failed(format!("the payload of `{name}` is a map (`#{{…}}`), not {}", other.kind_name()));
        }
        Err(problem) => return Stop::failed(format!("the payload of `{name}`: {problem}")),
    };
    accept(object)
        .or_else(|problems| Stop::failed(format!("the payload of `{name}` does not fit: {}", problems.join("; "))))
}

pub(super) fn shown(name: &str) -> String {
    let mut text: String =
        name.chars().take(80).map(|c| if crate::event::is_control(c) { '\u{fffd}' } else { c }).collect();
    if name.chars().count() > 80 {
        text.push('…');
    }
    text
}
