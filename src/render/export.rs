//! The lines of an export, which `import` reads again, and of `CloudEvents`. `docs/store.md` describes them.

use super::text::harmless;
use super::wire::{self, Exact};
use esctl::event::{Command, Recorded};
use esctl::workbench::export::{FORMAT, Piece};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::io;

/// JSON text that is to come back byte for byte: put in as it is, or, where it holds what must not reach a terminal
/// and would be written otherwise, as a string with that text.
struct Stored<'a>(&'a str);

impl Serialize for Stored<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bare = self.0.starts_with('{') && self.0.ends_with('}') && matches!(harmless(self.0), Cow::Borrowed(_));
        match serde_json::from_str::<&RawValue>(self.0) {
            Ok(raw) if bare => raw.serialize(serializer),
            _ => serializer.serialize_str(self.0),
        }
    }
}

#[derive(Serialize)]
struct HeaderLine<'a> {
    esctl: u64,
    store: &'a str,
    after: u64,
    previous: String,
    position: u64,
    head: String,
}

#[derive(Serialize)]
struct DomainLine<'a> {
    domain: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct CommandLine<'a> {
    command: &'a str,
    stream: &'a str,
    name: &'a str,
    domain: &'a str,
    events: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<Stored<'a>>,
    data: Stored<'a>,
}

#[derive(Serialize)]
struct EventLine<'a> {
    position: u64,
    stream: &'a str,
    version: u64,
    #[serde(rename = "type")]
    kind: &'a str,
    schema: u32,
    time: String,
    data: Stored<'a>,
    hash: String,
}

/// A piece of an export as its line.
pub fn line(piece: &Piece<'_>) -> io::Result<String> {
    match piece {
        Piece::Header(header) => wire::line(&HeaderLine {
            esctl: FORMAT,
            store: &header.store,
            after: header.after.0,
            previous: header.previous.to_string(),
            position: header.position.0,
            head: header.head.to_string(),
        }),
        Piece::Domain { digest, text } => wire::line(&DomainLine { domain: digest, text }),
        Piece::Command(command, events) => wire::line(&CommandLine {
            command: &command.id,
            stream: command.stream.as_str(),
            name: &command.name,
            domain: &command.domain,
            events: *events,
            actor: command.actor.as_deref(),
            correlation: command.correlation.as_deref(),
            causation: command.causation.as_deref(),
            meta: command.meta.as_deref().map(Stored),
            data: Stored(&command.data),
        }),
        Piece::Event(event, hash) => wire::line(&EventLine {
            position: event.position.0,
            stream: event.stream.as_str(),
            version: event.version.0,
            kind: &event.kind,
            schema: event.schema,
            time: wire::time(event.time),
            data: Stored(&event.data),
            hash: hash.to_string(),
        }),
    }
}

/// An event as `CloudEvents` 1.0 has it. The numbers are texts: an integer there has 32 bits.
#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: &'static str,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    subject: &'a str,
    time: String,
    datacontenttype: &'static str,
    position: String,
    streamversion: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    commandid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    commandname: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlationid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    causationid: Option<&'a str>,
    data: Exact<'a>,
}

/// An event of the store with that id, as a line of `CloudEvents`.
pub fn cloud_event(store: &str, event: &Recorded) -> io::Result<String> {
    let command: Option<&Command> = event.command.as_deref();
    wire::line(&CloudEvent {
        specversion: "1.0",
        id: format!("{store}@{}", event.position),
        source: format!("urn:uuid:{store}"),
        kind: format!("{}.{}", event.stream.aggregate(), event.kind),
        subject: event.stream.as_str(),
        time: wire::time(event.time),
        datacontenttype: "application/json",
        position: event.position.to_string(),
        streamversion: event.version.to_string(),
        commandid: command.map(|command| &*command.id),
        commandname: command.map(|command| &*command.name),
        actor: command.and_then(|command| command.actor.as_deref()),
        correlationid: command.and_then(|command| command.correlation.as_deref()),
        causationid: command.and_then(|command| command.causation.as_deref()),
        data: (&*event.data).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_text_comes_back_byte_for_byte() {
        let written = |text| wire::line(&Stored(text)).unwrap();
        assert_eq!(written(r#"{"a":25.10,"b":"\u0007"}"#), r#"{"a":25.10,"b":"\u0007"}"#);
        // What a terminal would obey, white space around and what is no JSON at all become strings.
        for text in ["{\"a\":\"\u{202e}\"}", "{\n}", " {}", "{} ", "{", ""] {
            let line = written(text);
            assert!(line.starts_with('"') && !line.contains('\u{202e}') && !line.contains('\n'), "{line}");
            assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }
    }
}
