//! Command JSON and the lines of an export.

use super::Fuzzer;
use crate::support::copies::{exported, imported};
use crate::support::sources;
use crate::support::trial::Dice;
use esctl::diagnostic::Source;
use esctl::domain::Domains;
use esctl::event::{Command, Expect, Hash, NewEvent, Position, Recorded, Time};
use esctl::json::{self, Object, Value};
use esctl::store::chain::{self, Link};
use esctl::store::memory::MemoryStore;
use esctl::store::{Decision, EventFilter, Store};
use esctl::workbench::Workbench;
use esctl::workbench::batch::request_from_line;
use esctl::workbench::import::header;
use esctl::workbench::send::{Now, Request};
use std::fs;
use std::rc::Rc;

const WORDS: &[&str] = &[
    "\"stream\":",
    "\"command\":",
    "\"data\":",
    "\"id\":",
    "\"expect\":",
    "\"time\":",
    "\"actor\":",
    "\"meta\":",
    "\"correlation\":",
    "\"causation\":",
    "\"account/ada\"",
    "\"none\"",
    "\"exists\"",
    "null",
    "true",
    "[",
    "]",
    "{",
    "}",
    "{}",
    ",",
    ":",
    "\"",
    "\\u0000",
    "\\ud800",
    "\\u202e",
    "\\\"",
    "\\\\",
    "1e400",
    "NaN",
    "-",
    ".",
    "e",
    "\u{feff}",
    "\u{1b}",
    " ",
    "\t",
    "\"2026-01-31T12:00:00Z\"",
    "\"2026-01-31\"",
];

const IMPORT: &[&str] = &[
    "\"esctl\":",
    "\"store\":",
    "\"after\":",
    "\"previous\":",
    "\"position\":",
    "\"head\":",
    "\"domain\":",
    "\"text\":",
    "\"command\":",
    "\"stream\":",
    "\"name\":",
    "\"events\":",
    "\"actor\":",
    "\"data\":",
    "\"meta\":",
    "\"version\":",
    "\"type\":",
    "\"schema\":",
    "\"time\":",
    "\"hash\":",
    "{}",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\u0000",
    "\\ud800",
    "\\n",
    "\n",
    "null",
    "\"{}\"",
    "\"account/ada\"",
    "9223372036854775807",
    "18446744073709551616",
    "\u{202e}",
];

/// Commands for the bank, with everything that a line may have.
fn commands() -> Vec<Vec<u8>> {
    let file = fs::read_to_string(sources().join("domains/bank-commands.ndjson")).unwrap();
    let full = r#"{"stream":"account/ada","command":"Deposit","data":{"amount":10.50,"ref":"a\"\\\u00e9"},"id":"7","expect":1,"time":"2026-01-31T12:00:00.000001Z","actor":"ada","meta":{"a":[1,{"b":null}],"c":-0.10},"correlation":"x","causation":"@1"}"#;
    file.lines().take(20).chain([full]).map(|line| line.as_bytes().to_vec()).collect()
}

/// A request as its line.
fn line(request: &Request) -> String {
    let mut members = Object::new();
    let mut put = |key: &str, value: Option<Value>| {
        value.map(|value| members.insert(key.to_owned(), value));
    };
    let text = |text: &Option<String>| text.clone().map(Value::Text);
    put("stream", Some(Value::Text(request.stream.to_string())));
    put("command", Some(Value::Text(request.command.clone())));
    put("data", Some(Value::Object(request.data.clone())));
    put("id", text(&request.id));
    let expect = request.expect.map(|expect| match expect {
        Expect::Version(version) => Value::Integer(version.0.try_into().unwrap()),
        Expect::None => Value::Text("none".into()),
        Expect::Exists => Value::Text("exists".into()),
    });
    put("expect", expect);
    put("time", request.time.map(|time| Value::Text(time.to_string())));
    put("actor", text(&request.actor));
    put("correlation", text(&request.correlation));
    put("causation", text(&request.causation));
    put("meta", Some(Value::Object(request.meta.clone())));
    Value::Object(members).to_string()
}

fn bank() -> Domains {
    let text = fs::read_to_string(sources().join("domains/bank.yaml")).unwrap();
    Domains::load(&[Source::new("bank.yaml", text)]).0.unwrap()
}

#[test]
fn command_json() {
    let workbench = Workbench::new(Rc::new(bank()), Box::new(MemoryStore::new("fuzz")));
    let now = Now { time: Time::default(), id: "new".into() };
    Fuzzer::new("command", commands(), WORDS, 4 * 1024).run(|_, input| {
        let text = String::from_utf8_lossy(input);
        if let Ok(value) = json::parse(&text) {
            let written = value.to_string();
            assert_eq!(json::parse(&written).unwrap().to_string(), written);
            assert!(value.same(&json::parse(&written).unwrap()));
        }
        match request_from_line(&text) {
            Ok(request) => {
                let again = line(&request);
                assert_eq!(line(&request_from_line(&again).unwrap()), again);
                let _ = workbench.understands(&request, &now);
                true
            }
            Err(misfit) => {
                assert!(!misfit.message.is_empty());
                false
            }
        }
    });
}

const ID: &str = "0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3";

/// A store with what the bank's commands gave.
fn original() -> MemoryStore {
    let mut workbench = Workbench::new(Rc::new(bank()), Box::new(MemoryStore::new(ID)));
    for (count, line) in commands().iter().enumerate() {
        let mut request = request_from_line(std::str::from_utf8(line).unwrap()).unwrap();
        request.expect = None;
        let _ = workbench.send(request, &Now { time: Time::default(), id: format!("id-{count}") });
    }
    let mut copy = MemoryStore::new(ID);
    let lines = exported(workbench.store.as_mut());
    assert!(imported(&mut copy, &lines).is_ok() && lines.lines().count() > 20);
    copy
}

/// Changes texts of a command and its events, and brings the hashes in line: what the chain would refuse first is tried
/// as well.
fn forged(store: &mut dyn Store, dice: &mut Dice, piece: &str) -> String {
    let events = store.read_all(Position(0), usize::MAX, true, &EventFilter::default()).unwrap().events;
    let at = dice.below(events.len());
    let mut forged = MemoryStore::new(ID);
    let mut previous: Option<Command> = None;
    let mut waiting: Vec<Recorded> = Vec::new();
    let mut flush = |command: &Option<Command>, waiting: &mut Vec<Recorded>| {
        let Some(command) = command else { return };
        let new = |event: &Recorded| NewEvent {
            stream: event.stream.clone(),
            kind: event.kind.clone(),
            schema: event.schema,
            data: event.data.clone(),
        };
        let events: Vec<NewEvent> = waiting.drain(..).map(|event| new(&event)).collect();
        forged.begin().unwrap();
        let appended = forged.append(&Decision { command, domain_text: "text", events: &events });
        if appended.is_ok() { forged.commit().unwrap() } else { forged.rollback() }
    };
    for (index, mut event) in events.into_iter().enumerate() {
        let mut command = (*event.command.take().unwrap()).clone();
        if previous.as_ref().is_none_or(|before| before.id != command.id) {
            flush(&previous, &mut waiting);
            if index == at {
                match dice.below(5) {
                    0 => command.id = piece.into(),
                    1 => command.data = piece.into(),
                    2 => command.meta = Some(piece.into()),
                    3 => command.actor = Some(piece.into()),
                    _ => command.name = piece.into(),
                }
            }
            previous = Some(Command { domain: chain::domain("text").into(), ..command });
        }
        if index == at {
            match dice.below(3) {
                0 => event.data = piece.into(),
                1 => event.kind = piece.into(),
                _ => {}
            }
        }
        waiting.push(event);
    }
    flush(&previous, &mut waiting);
    exported(&mut forged)
}

#[test]
fn import_lines() {
    let mut original = original();
    let lines = exported(&mut original);
    let all: Vec<Vec<u8>> = lines.lines().map(|line| line.as_bytes().to_vec()).collect();
    Fuzzer::new("import", all.clone(), IMPORT, 64 * 1024).run(|dice, input| {
        let piece = String::from_utf8_lossy(input);
        let text = if dice.below(3) == 0 {
            forged(&mut original, dice, &piece)
        } else {
            let mut texts: Vec<&str> = lines.lines().collect();
            let at = if dice.below(4) == 0 { dice.below(3) } else { dice.below(texts.len()) };
            texts[at] = &piece;
            texts.join("\n")
        };
        let mut store = MemoryStore::new(ID);
        let taken = imported(&mut store, &text).is_ok();
        let kept = exported(&mut store);
        // What is there hangs together: hashes and versions were computed anew.
        assert!(imported(&mut MemoryStore::new(ID), &kept).is_ok(), "{kept}");
        let events = store.read_all(Position(0), usize::MAX, true, &EventFilter::default()).unwrap().events;
        let mut hash = chain::GENESIS;
        for event in &events {
            let digest: Hash = chain::command(event.command.as_ref().unwrap());
            hash = Link::from(event).hash(&hash, ID, &digest);
        }
        assert_eq!(store.head().unwrap().hash, hash);
        if taken {
            let announced = header(text.lines().find(|line| !line.trim().is_empty()).unwrap()).unwrap();
            assert_eq!((announced.position, announced.head), (store.head().unwrap().position, hash));
            // Again stores nothing.
            assert!(imported(&mut store, &text).is_ok());
            assert_eq!(exported(&mut store), kept);
        } else {
            // Whole commands or nothing: each of what is there is in the input.
            let commands = |text: &str| text.lines().filter(|line| line.contains("\"command\":")).count();
            assert!(commands(&kept) <= commands(&text));
        }
        taken
    });
}
