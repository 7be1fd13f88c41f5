//! `meta`: what scripts can know of an event or command beside its payload.

use crate::event::{Command, Position, Recorded, StreamName, Time, Version};
use crate::json::{self, Object, Value};
use crate::script::fold::Meta;

/// The names that `--meta` cannot give another meaning.
pub const RESERVED: &[&str] =
    &["stream", "aggregate", "id", "version", "position", "type", "time", "actor", "correlation", "causation"];

/// What is known of the command behind an event.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub actor: Option<Box<str>>,
    pub correlation: Option<Box<str>>,
    pub causation: Option<Box<str>>,
    pub custom: Object,
    pub time: Time,
}

impl Origin {
    /// Of a stored command.
    pub(crate) fn of(command: &Command) -> Self {
        Self {
            actor: command.actor.clone(),
            correlation: command.correlation.clone(),
            causation: command.causation.clone(),
            custom: command.meta.as_deref().map(custom).unwrap_or_default(),
            time: command.time,
        }
    }
}

/// What `--meta` added, as it is stored.
fn custom(text: &str) -> Object {
    match json::parse(text) {
        Ok(Value::Object(custom)) => custom,
        _ => Object::new(),
    }
}

/// `meta` of an event or command.
pub(crate) fn meta(
    stream: &StreamName,
    kind: &str,
    version: Version,
    position: Option<Position>,
    origin: Option<&Origin>,
    time: Time,
) -> Meta {
    let text = |value: Option<&str>| value.map_or(Value::Null, |text| Value::Text(text.to_owned()));
    let whole = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let mut members = origin.map(|origin| origin.custom.clone()).unwrap_or_default();
    members.insert("stream".to_owned(), text(Some(stream.as_str())));
    members.insert("aggregate".to_owned(), text(Some(stream.aggregate())));
    members.insert("id".to_owned(), text(Some(stream.id())));
    members.insert("type".to_owned(), text(Some(kind)));
    members.insert("version".to_owned(), whole(version.0));
    if let Some(position) = position {
        members.insert("position".to_owned(), whole(position.0));
    }
    members.insert("time".to_owned(), Value::Text(time.to_string()));
    members.insert("actor".to_owned(), text(origin.and_then(|o| o.actor.as_deref())));
    members.insert("correlation".to_owned(), text(origin.and_then(|o| o.correlation.as_deref())));
    members.insert("causation".to_owned(), text(origin.and_then(|o| o.causation.as_deref())));
    Meta::new(members)
}

/// `meta` of a stored event that is called `kind` now; `position` only where the script may know it.
pub(crate) fn of_event(event: &Recorded, kind: &str, with_position: bool) -> Meta {
    let origin = event.command.as_deref().map(Origin::of);
    let position = with_position.then_some(event.position);
    meta(&event.stream, kind, event.version, position, origin.as_ref(), event.time)
}

/// The same with nothing but what has these names.
pub(crate) fn some_of_event(event: &Recorded, kind: &str, names: &[&str]) -> Meta {
    let whole = |number: u64| Value::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let text = |value: Option<&str>| value.map_or(Value::Null, |text| Value::Text(text.to_owned()));
    let command = event.command.as_deref();
    let mut others = None;
    let mut members = Object::with_capacity(names.len());
    for &name in names {
        let value = match name {
            "stream" => text(Some(event.stream.as_str())),
            "aggregate" => text(Some(event.stream.aggregate())),
            "id" => text(Some(event.stream.id())),
            "type" => text(Some(kind)),
            "version" => whole(event.version.0),
            "position" => whole(event.position.0),
            "time" => Value::Text(event.time.to_string()),
            "actor" => text(command.and_then(|command| command.actor.as_deref())),
            "correlation" => text(command.and_then(|command| command.correlation.as_deref())),
            "causation" => text(command.and_then(|command| command.causation.as_deref())),
            other => {
                let others = others.get_or_insert_with(|| {
                    command.and_then(|command| command.meta.as_deref()).map(custom).unwrap_or_default()
                });
                match others.get(other) {
                    Some(value) => value.clone(),
                    // To read it is an error, as it is with everything.
                    None => continue,
                }
            }
        };
        members.insert(name.to_owned(), value);
    }
    Meta::new(members)
}
