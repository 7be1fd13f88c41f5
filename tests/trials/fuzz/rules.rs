//! Domain files and scripts.

use super::{Fuzzer, files};
use crate::support::trial::Dice;
use esctl::diagnostic::{self, Diagnostic, Source};
use esctl::domain::Domains;
use esctl::domain::check::second_opinions;
use esctl::event::{Position, StreamName, Time, is_control};
use esctl::json::{self, Object, Value};
use esctl::store::memory::MemoryStore;
use esctl::workbench::send::{Now, Request, Sent};
use esctl::workbench::{Error, Workbench};
use std::rc::Rc;

const WORDS: &[&str] = &[
    "domain",
    "description",
    "types",
    "functions",
    "aggregates",
    "projections",
    "scenarios",
    "state",
    "events",
    "commands",
    "invariants",
    "fields",
    "fold",
    "decide",
    "columns",
    "key",
    "indexes",
    "on",
    "initial",
    "given",
    "when",
    "then",
    "rejected",
    "details",
    "message",
    "string",
    "integer",
    "decimal",
    "boolean",
    "date",
    "timestamp",
    "uuid",
    "any",
    "one_of",
    "type",
    "items",
    "pattern",
    "scale",
    "minimum",
    "exclusive_minimum",
    "min_length",
    "multiple_of",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "|",
    ">",
    "\"",
    "'",
    "#",
    "!",
    "&a",
    "*a",
    "?",
    "\t",
    "\n  ",
    "~",
    "null",
    "true",
    "\u{feff}",
    "\u{202e}",
    "\r",
    "---\n",
    "...\n",
    "%",
];

const SCRIPT: &[&str] = &[
    "state",
    "event",
    "command",
    "meta",
    "version",
    "emit",
    "emit_to",
    "require",
    "reject",
    "load",
    "new_id",
    "get",
    "round",
    "if ",
    "else ",
    "for ",
    "in ",
    "while ",
    "loop ",
    "let ",
    "const ",
    "fn ",
    "return ",
    "throw ",
    "try ",
    "catch ",
    "switch ",
    "break",
    "continue",
    "this",
    "call",
    "curry",
    "Fn",
    "is_def_var",
    "print",
    "debug",
    "type_of",
    "(",
    ")",
    "{",
    "}",
    "#{",
    "[",
    "]",
    "|x|",
    "||",
    "&&",
    "!",
    "==",
    "!=",
    "<=",
    "+=",
    "-=",
    "*",
    "/",
    "%",
    "**",
    "<<",
    "..",
    "..=",
    "?.",
    "??",
    "=>",
    ";",
    ":",
    ".",
    ",",
    "`",
    "${",
    "\"",
    "'a'",
    "()",
    "true",
    "n",
    "list",
    "map",
    "\"Done\"",
    ".push",
    ".map",
    ".filter",
    ".reduce",
    ".len()",
    ".to_string()",
    ".split",
    ".pad",
    ".remove",
    ".keys()",
    "//",
    "/*",
    "*/",
    "\\u{0}",
    "0x",
    "1e9",
];

/// Something to begin scripts with.
const SCRIPTS: &[&str] = &[
    "emit(\"Done\", command);",
    "require(version == 0, \"old\", `at ${version}`, #{ n: state.n }); emit(\"Done\", #{ n: command.n });",
    "let sum = 0; for item in state.list { sum += item; } emit(\"Done\", #{ n: sum });",
    "if get(command, \"n\", 0) < 3 { reject(\"small\"); } else { emit(\"Done\", #{ n: 1.50 }); }",
    "let f = |x| x + 1; emit(\"Done\", #{ n: f.call(1) });",
    "let all = [1, 2, 3].map(|x| x * 2).filter(|x| x > 2); emit(\"Done\", #{ n: all });",
    "let text = \"abc\"; text.pad(10, 'x'); emit(\"Done\", #{ n: text.split(\"b\") });",
    "try { throw 1; } catch (error) { emit(\"Done\", #{ n: error }); }",
    "let n = 0; while n < 5 { n += 1; if n == 3 { continue; } } emit(\"Done\", #{ n: n });",
    "switch version { 0 => emit(\"Done\", #{ n: round(10 / 3.0, 2, \"half_up\") }), _ => reject(\"again\") }",
    "let other = load(\"thing/2\"); emit_to(\"thing/2\", \"Done\", #{ n: other.version }); emit(\"Done\", #{ n: double(2) });",
    "let map = #{ a: 1, \"b c\": [()] }; map.c = map.keys(); emit(\"Done\", #{ n: map });",
];

fn problems(found: &[Diagnostic]) -> String {
    let text = diagnostic::render(found, false);
    let raw = text.chars().find(|c| is_control(*c) && *c != '\n');
    assert!(raw.is_none(), "{raw:?} is in what is said:\n{text}");
    text
}

/// What loads, loads again, and what is said of it is the same.
fn loaded(text: &str) -> Option<Domains> {
    let sources = [Source::new("fuzz.yaml", text)];
    let (domains, found) = Domains::load(&sources);
    assert_eq!(domains.is_some(), !found.iter().any(Diagnostic::is_error), "sound, or an error that says why");
    let (again, same) = Domains::load(&sources);
    assert_eq!(found, same);
    assert_eq!(domains.is_some(), again.is_some());
    problems(&found);
    problems(&second_opinions(&sources));
    domains
}

fn request(stream: StreamName, command: &str, data: Object) -> Request {
    let (id, expect, time) = (None, None, None);
    let (actor, correlation, causation) = (None, None, None);
    Request {
        stream,
        command: command.into(),
        data,
        id,
        expect,
        actor,
        correlation,
        causation,
        meta: Object::new(),
        time,
    }
}

/// Sends a command: what is accepted is stored and folds to what it said, anything else stores nothing.
fn sent(workbench: &mut Workbench, request: Request, id: &str) {
    let stream = request.stream.clone();
    let before = workbench.store.head().unwrap();
    let now = Now { time: Time::parse("2026-01-31T12:00:00Z").unwrap(), id: id.into() };
    let rehearsed = workbench.rehearse(request.clone(), &now);
    assert_eq!(workbench.store.head().unwrap(), before, "a rehearsal stores nothing");
    match workbench.send(request, &now) {
        Ok(Sent::Accepted(receipt)) => {
            assert_eq!(workbench.store.head().unwrap().position.0, before.position.0 + receipt.events.len() as u64);
            if receipt.version.0 == 0 {
                return;
            }
            // What was accepted folds: its events were folded when they were emitted.
            let replayed = workbench.replay(&stream, None).unwrap();
            if let Ok(rehearsed) = rehearsed {
                assert_eq!(replayed.state.to_string(), rehearsed.state.to_string());
            }
            assert_eq!(json::parse(&replayed.state.to_string()).unwrap().to_string(), replayed.state.to_string());
        }
        Ok(Sent::Rejected(_)) => assert_eq!(workbench.store.head().unwrap(), before),
        Err(error) => {
            assert_eq!(workbench.store.head().unwrap(), before);
            if let Error::Script(fault) = &error {
                problems(std::slice::from_ref(&fault.0));
                // Names are a matter of `check`.
                assert!(!fault.0.message.ends_with("is not in scope"), "{}", fault.0.message);
            }
            assert!(!matches!(error, Error::Store(_)), "{error}");
        }
    }
    // What scripts print is kept for whoever asks.
    workbench.domains.take_notes();
}

/// A domain that passed `check` never says later that it is wrong.
fn used(domains: Domains) {
    esctl::workbench::test::run_scenarios(&Rc::new(domains), None);
}

fn commanded(domains: Domains) {
    let mut workbench = Workbench::new(Rc::new(domains), Box::new(MemoryStore::new("fuzz")));
    let domains = workbench.domains.clone();
    let mut count = 0;
    for aggregate in domains.aggregates().take(3) {
        let Ok(stream) = StreamName::new(&format!("{}/1", aggregate.name)) else { continue };
        for (name, command) in aggregate.commands.iter().take(6) {
            let zeros = command.fields.iter().map(|field| (field.name.clone(), field.kind.zero()));
            count += 1;
            sent(&mut workbench, request(stream.clone(), name, zeros.collect()), &format!("id-{count}"));
        }
    }
    assert!(workbench.store.head().unwrap().position >= Position(0));
}

#[test]
fn domain_texts() {
    let small = SCRIPTS.iter().map(|script| domain(script, "state.n = event.n").into_bytes());
    let seeds = small.chain(files("tests/broken", ".yaml")).chain(files("domains", ".yaml")).collect();
    Fuzzer::new("domain", seeds, WORDS, 16 * 1024).run(|dice, input| {
        let text = String::from_utf8_lossy(input);
        let Some(domains) = loaded(&text) else { return false };
        if dice.below(2) == 0 {
            used(domains);
        } else {
            commanded(domains);
        }
        true
    });
}

fn domain(decide: &str, fold: &str) -> String {
    let indented = |script: &str| script.lines().flat_map(|line| ["          ", line, "\n"]).collect::<String>();
    format!(
        "domain: test\nfunctions: |\n  fn double(n) {{ n + n }}\naggregates:\n  thing:\n    state: {{ n: 1, list: [1, 2], map: {{}} }}\n    \
         events:\n      Done:\n        fields: {{ n: any }}\n        fold: |\n{}    commands:\n      Do:\n        fields: {{ n?: any }}\n        \
         decide: |\n{}    invariants: {{ small: state != 7 }}\n",
        indented(fold),
        indented(decide)
    )
}

#[test]
fn scripts() {
    let seeds = SCRIPTS.iter().map(|script| script.as_bytes().to_vec()).collect();
    Fuzzer::new("script", seeds, SCRIPT, 600).run(|dice: &mut Dice, input| {
        let script = String::from_utf8_lossy(input);
        let fold = if dice.below(3) == 0 { &*script } else { "state.n = event.n; state.list.push(event.n)" };
        let decide = if fold == script { SCRIPTS[0] } else { &*script };
        let Some(domains) = loaded(&domain(decide, fold)) else { return false };
        let mut workbench = Workbench::new(Rc::new(domains), Box::new(MemoryStore::new("fuzz")));
        let stream = StreamName::new("thing/1").unwrap();
        for (count, n) in ["2", "\"x\"", "[1.50,{}]"].into_iter().enumerate() {
            let data = [("n".to_owned(), json::parse(n).unwrap_or(Value::Null))].into_iter().collect();
            sent(&mut workbench, request(stream.clone(), "Do", data), &format!("id-{count}"));
        }
        true
    });
}
