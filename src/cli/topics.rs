//! `help TOPIC`: what is no matter of one verb.

use super::context::talk;
use super::failure::{self, Exit, Failure};
use esctl::diagnostic::suggest;
use esctl::script::signatures::{self, GROUPS};
use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// A topic: its name and what it is about.
pub const TOPICS: &[(&str, &str)] = &[
    ("exit-codes", "what the exit code says, what was stored then, and what to do"),
    ("formats", "fields and batches going in, tables and JSON coming out"),
    ("scripts", "every function that scripts can call, with its types"),
    ("time", "how a moment is written, and what time means here"),
];

/// The widest line that is printed.
const WIDTH: usize = 110;
/// Where what a function does begins at the latest; longer forms have it on a line of its own.
const COLUMN: usize = 64;

/// The list of topics for the help of the program.
pub fn list() -> String {
    let width = TOPICS.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut list = String::from("topics, by `esctl help TOPIC`:\n");
    for (name, about) in TOPICS {
        let _ = writeln!(list, "  {name:<width$}  {about}");
    }
    list
}

/// Answers `help WORD` where the word is no verb: a topic is printed, anything else is not understood.
pub fn answer(word: &str, arguments: &[OsString], verbs: &[&str]) -> Exit {
    let outcome = match text(word) {
        Some(text) => print(&text).map_err(Failure::output),
        None => Err(unknown(word, verbs)),
    };
    match outcome {
        Ok(()) => Exit::Done,
        Err(failure) => failure.report(talk(failure::asks_for_json(arguments))),
    }
}

fn unknown(word: &str, verbs: &[&str]) -> Failure {
    let topics = TOPICS.iter().map(|(name, _)| *name);
    let failure = Failure::usage(format!("there is no verb and no topic `{word}`"));
    match suggest(word, verbs.iter().copied().chain(topics)) {
        Some(near) => failure.hint(format!("did you mean `esctl help {near}`?")),
        None => failure.hint("`esctl --help` lists the verbs and the topics"),
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// The text of a topic.
fn text(topic: &str) -> Option<Cow<'static, str>> {
    Some(match topic {
        "exit-codes" => include_str!("topics/exit-codes.txt").into(),
        "formats" => include_str!("topics/formats.txt").into(),
        "scripts" => scripts().into(),
        "time" => include_str!("topics/time.txt").into(),
        _ => return None,
    })
}

/// The functions, group by group.
fn scripts() -> String {
    let mut text = include_str!("topics/scripts.txt").to_owned();
    for group in GROUPS {
        let _ = writeln!(text, "\n{}:", group.title);
        let forms = || group.functions.iter().map(|(form, _)| shown(form));
        let fitting = forms().map(|form| form.chars().count()).filter(|width| *width <= COLUMN);
        let column = fitting.max().unwrap_or(0) + 2;
        for (form, (_, does)) in forms().zip(group.functions) {
            let width = form.chars().count();
            let _ = if does.is_empty() {
                writeln!(text, "  {form}")
            } else if width < column && 2 + column + does.chars().count() <= WIDTH {
                writeln!(text, "  {form:<column$}{does}")
            } else {
                writeln!(text, "  {form}\n  {:column$}{does}", "")
            };
        }
    }
    text
}

fn shown(form: &str) -> String {
    if signatures::changes(form) { form.replacen('(', "*(", 1) } else { form.to_owned() }
}
