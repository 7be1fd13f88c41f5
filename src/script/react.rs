//! Reacting: what happened changes the state of a process's instance, and gives commands.
//!
//! A handler changes the state as a fold does. What it sends is checked at once against the fields of the command, and noted
//! at the desk with the deadlines that it sets; a `send` that fails ends the script for good: no `catch` sees it. Nothing has
//! happened before the handler is done.

use super::decide::Rejection;
use super::desk::{Desk, accepted, shown};
use super::fault::{Fault, Stop};
use super::fold::{Accept, Meta, Payload};
use super::host::{Host, Script};
use super::state::{State, StateRules};
use super::value;
use crate::event::{MAX_LABEL_BYTES, MAX_PAYLOAD_BYTES, StreamName, Time, is_control};
use crate::json::{self, Object, Value};
use jiff::{Span, SpanRelativeTo};
use rhai::{Dynamic, Engine, EvalAltResult, Map, Scope};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

/// The names that a handler of an event sees.
pub const SCOPE: &[&str] = &["state", "event", "meta", "key"];
/// The names that a handler of a rejection sees.
pub const REJECTED_SCOPE: &[&str] = &["state", "rejection", "command", "key"];
/// The names that a handler of a deadline sees.
pub const DEADLINE_SCOPE: &[&str] = &["state", "deadline", "key"];

/// The most commands that one handler may send.
pub const MAX_SENDS: usize = 10_000;
/// The longest time until a deadline: a thousand years.
const MAX_DURATION: Duration = Duration::from_hours(1000 * 366 * 24);

/// How the payloads of all commands are checked, by aggregate and name.
pub struct AllCommands(HashMap<Box<str>, HashMap<Box<str>, Accept>>);

impl FromIterator<(Box<str>, HashMap<Box<str>, Accept>)> for AllCommands {
    fn from_iter<I: IntoIterator<Item = (Box<str>, HashMap<Box<str>, Accept>)>>(commands: I) -> Self {
        Self(commands.into_iter().collect())
    }
}

impl std::fmt::Debug for AllCommands {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What a process reacts to.
#[derive(Debug)]
pub enum Occasion<'a> {
    /// An event.
    Event(Payload, Meta),
    /// A command that it sent was rejected.
    Rejected {
        /// Why.
        rejection: &'a Rejection,
        /// Where it went.
        stream: &'a StreamName,
        /// Its name.
        command: &'a str,
        /// Its payload.
        data: Payload,
    },
    /// A deadline that it set has come.
    Deadline {
        /// Its name.
        name: &'a str,
        /// When it was due.
        due: Time,
    },
}

/// A command that a handler sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sending {
    /// Where it goes.
    pub stream: StreamName,
    /// Its name.
    pub command: Box<str>,
    /// Its typed payload, as JSON.
    pub data: Box<str>,
}

/// What a handler does with a deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timer {
    /// It comes so much later, in place of an earlier one of that name.
    Set(Box<str>, Duration),
    /// It does not come.
    Cancel(Box<str>),
}

/// What a handler came to.
#[derive(Debug)]
pub struct Reaction {
    /// The state as it is now.
    pub state: State,
    /// The commands, in the order of their `send`.
    pub sends: Vec<Sending>,
    /// What becomes of deadlines, in order.
    pub timers: Vec<Timer>,
    /// Whether the instance has ended.
    pub done: bool,
}

/// A running handler.
pub(super) struct Reacting {
    commands: Rc<AllCommands>,
    sends: Vec<Sending>,
    timers: Vec<Timer>,
    done: bool,
}

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// How long a duration is that is written as text: `15m`, `1h 30m`, `2d`, `PT15M`. A day has 24 hours.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{}` is no duration: write it as in `15m`, `1h30m`, `2d` or `PT15M`", shown(text));
    let span: Span = text.trim().parse().map_err(|_| wrong())?;
    let signed = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    let length = Duration::try_from(signed).map_err(|_| format!("`{}` is before now", shown(text)))?;
    bounded(length)
}

/// The same of a number of seconds.
pub fn seconds(number: i64) -> Result<Duration, String> {
    let length = u64::try_from(number).map_err(|_| format!("{number} seconds are before now"))?;
    bounded(Duration::from_secs(length))
}

/// Whether a deadline can have this name.
pub fn can_name_deadline(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_LABEL_BYTES && !name.chars().any(is_control)
}

fn bounded(length: Duration) -> Result<Duration, String> {
    if length > MAX_DURATION { Err("a deadline is at most a thousand years away".to_owned()) } else { Ok(length) }
}

/// Puts the functions of a process into the engine. They fail where no handler of one runs.
pub(super) fn register(engine: &mut Engine, desk: &Rc<Desk>) {
    let d = desk.clone();
    engine.register_fn("send", move |stream: &str, command: &str| {
        d.reacting("send", |reacting| reacting.send(stream, command, &Dynamic::UNIT))
    });
    let d = desk.clone();
    engine.register_fn("send", move |stream: &str, command: &str, data: Dynamic| {
        d.reacting("send", |reacting| reacting.send(stream, command, &data))
    });
    let d = desk.clone();
    engine.register_fn("done", move || {
        d.reacting("done", |reacting| {
            reacting.done = true;
            Ok(())
        })
    });
    let d = desk.clone();
    engine.register_fn("after", move |text: &str, name: &str| {
        d.reacting("after", |reacting| reacting.after(duration(text), name))
    });
    let d = desk.clone();
    engine.register_fn("after", move |number: i64, name: &str| {
        d.reacting("after", |reacting| reacting.after(seconds(number), name))
    });
    let d = desk.clone();
    engine.register_fn("cancel", move |name: &str| {
        d.reacting("cancel", |reacting| {
            reacting.timers.push(Timer::Cancel(name.into()));
            Ok(())
        })
    });
}

impl Desk {
    fn reacting<T>(&self, what: &str, act: impl FnOnce(&mut Reacting) -> Outcome<T>) -> Outcome<T> {
        match self.reacting.try_borrow_mut().ok().as_mut().and_then(|reacting| reacting.as_mut()) {
            Some(reacting) => act(reacting),
            None => Stop::failed(format!("`{what}` can only be called in a handler of a process")),
        }
    }
}

impl Reacting {
    fn send(&mut self, stream: &str, command: &str, data: &Dynamic) -> Outcome<()> {
        if self.sends.len() >= MAX_SENDS {
            return Stop::failed(format!("one handler sends at most {MAX_SENDS} commands"));
        }
        let stream = match StreamName::new(stream) {
            Ok(name) => name,
            Err(problem) => return Stop::failed(format!("`{}` is no stream: {problem}", shown(stream))),
        };
        let Some(accept) = self.commands.0.get(stream.aggregate()).and_then(|commands| commands.get(command)) else {
            return Stop::failed(format!("`{}` has no command `{}`", stream.aggregate(), shown(command)));
        };
        let data = accepted(command, accept, data)?;
        let mut text = String::with_capacity(64);
        json::write(&Value::Object(data), &mut text);
        if text.len() > MAX_PAYLOAD_BYTES {
            let bytes = text.len();
            return Stop::failed(format!(
                "the payload of `{command}` has {bytes} bytes, a command has at most {MAX_PAYLOAD_BYTES}"
            ));
        }
        self.sends.push(Sending { stream, command: command.into(), data: text.into() });
        Ok(())
    }

    fn after(&mut self, length: Result<Duration, String>, name: &str) -> Outcome<()> {
        if !can_name_deadline(name) {
            return Stop::failed(format!("`{}` is no name for a deadline", shown(name)));
        }
        match length {
            Ok(length) => {
                self.timers.push(Timer::Set(name.into(), length));
                Ok(())
            }
            Err(problem) => Stop::failed(problem),
        }
    }
}

impl Host {
    /// Runs a handler of a process on the state of an instance. Faults say the place in the domain file; nothing has happened
    /// then, and the state is gone.
    pub fn react(
        &self,
        rules: &StateRules,
        commands: &Rc<AllCommands>,
        script: &Script,
        occasion: Occasion<'_>,
        key: &Value,
        state: State,
    ) -> Result<Reaction, Fault> {
        let mut scope = Scope::new();
        // Pushing the state itself would walk through all of it; moved into its place it stays as it is.
        scope.push_dynamic("state", Dynamic::UNIT);
        if let Some(place) = scope.get_mut("state") {
            *place = state.0;
        }
        let text = |text: &str| Value::Text(text.to_owned());
        match occasion {
            Occasion::Event(payload, meta) => {
                scope.push_dynamic("event", payload.0);
                scope.push_dynamic("meta", meta.0);
            }
            Occasion::Rejected { rejection, stream, command, data } => {
                let told = Object::from_iter([
                    ("code".to_owned(), text(&rejection.code)),
                    ("message".to_owned(), text(&rejection.message)),
                    ("details".to_owned(), rejection.details.clone().unwrap_or_default()),
                    ("stream".to_owned(), text(stream.as_str())),
                    ("command".to_owned(), text(command)),
                ]);
                scope.push_dynamic("rejection", Dynamic::from_map(value::from_object(told)));
                scope.push_dynamic("command", data.0);
            }
            Occasion::Deadline { name, due } => {
                let told = Map::from_iter([("name".into(), name.into()), ("due".into(), due.to_string().into())]);
                scope.push_dynamic("deadline", Dynamic::from_map(told));
            }
        }
        scope.push_constant_dynamic("key", value::from_value(key.clone()));
        let begun = Reacting { commands: commands.clone(), sends: Vec::new(), timers: Vec::new(), done: false };
        *self.desk.reacting.borrow_mut() = Some(begun);
        let result = self.run(script, &mut scope);
        let ended = self.desk.reacting.borrow_mut().take();
        let _ = result?;
        let mut state = scope.get_mut("state").map(std::mem::take).unwrap_or_default().flatten();
        rules.settle(&mut state).map_err(|message| Fault::new(message, script.text().whole()))?;
        let Some(Reacting { sends, timers, done, .. }) = ended else {
            return Err(Fault::new("the handler lost what it sent", script.text().whole()));
        };
        Ok(Reaction { state: State(state), sends, timers, done })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        let seconds = |text: &str| duration(text).map(|length| length.as_secs());
        assert_eq!(seconds("15m"), Ok(900));
        assert_eq!(seconds("1h30m"), Ok(5400));
        assert_eq!(seconds("1h 30m"), Ok(5400));
        assert_eq!(seconds("2d"), Ok(172_800));
        assert_eq!(seconds("1w"), Ok(604_800));
        assert_eq!(seconds("PT15M"), Ok(900));
        assert_eq!(seconds("0s"), Ok(0));
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "15", "fifteen", "-15m", "1mo", "1y", "2000y", "9999999999999d", "9000000h 5000000000h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
