//! What is wrong, as JSON: problems, errors, and the answer to a line that cannot be carried out.

use esctl::diagnostic::{self, Severity};
use esctl::event::Expect;
use serde::Serialize;
use std::borrow::Cow;

/// The most characters of a line that an excerpt has.
const EXCERPT: usize = 500;

/// A line of a batch that could not be understood or carried out.
#[derive(Debug, Serialize)]
pub struct LineError<'a> {
    /// The line of the batch.
    pub line: u64,
    /// Always `error`.
    pub outcome: &'static str,
    /// The exit code it stands for.
    pub exit: u8,
    /// What is wrong.
    pub message: &'a str,
    /// What is wrong with each field of a payload.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail<'a>>,
    /// What was expected of the stream, and what it is.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Conflict>,
}

/// A stream that is not as expected.
#[derive(Debug, Serialize)]
pub struct Conflict {
    /// A version, `none` or `exists`, as `--expect` takes it.
    pub expected: Expected,
    /// The version of the stream; 0 where there is none.
    pub actual: u64,
}

/// What was expected of a stream.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Expected {
    /// A version.
    Version(u64),
    /// In a word.
    Word(&'static str),
}

impl From<Expect> for Expected {
    fn from(expect: Expect) -> Self {
        match expect {
            Expect::Version(version) => Self::Version(version.0),
            Expect::None => Self::Word("none"),
            Expect::Exists => Self::Word("exists"),
        }
    }
}

/// What is wrong with a field of a payload.
#[derive(Debug, Serialize)]
pub struct Detail<'a> {
    path: &'a str,
    message: &'a str,
}

/// Fields of a payload, each with what is wrong with it.
pub fn details(details: &[(String, String)]) -> Vec<Detail<'_>> {
    details.iter().map(|(path, message)| Detail { path, message }).collect()
}

/// Where something stands in a file.
#[derive(Debug, Serialize)]
pub struct Place<'a> {
    file: &'a str,
    line: usize,
    column: usize,
}

impl<'a> From<&'a diagnostic::Place> for Place<'a> {
    fn from(place: &'a diagnostic::Place) -> Self {
        Self { file: &place.source.name, line: place.line(), column: place.column() }
    }
}

/// A problem that `check` found, or that kept a scenario from running.
#[derive(Debug, Serialize)]
pub struct Problem<'a> {
    severity: &'static str,
    rule: &'a str,
    message: &'a str,
    place: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excerpt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    situation: Option<&'a str>,
    hints: &'a [String],
}

impl<'a> From<&'a diagnostic::Diagnostic> for Problem<'a> {
    fn from(found: &'a diagnostic::Diagnostic) -> Self {
        Self {
            severity: match found.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            rule: found.rule,
            message: &found.message,
            place: found.place.as_ref().map(Place::from),
            excerpt: found.place.as_ref().map(excerpt),
            situation: found.situation.as_deref(),
            hints: &found.hints,
        }
    }
}

/// An error on stderr: `{"error":{…}}`.
#[derive(Debug, Serialize)]
pub struct Failed<'a> {
    /// What went wrong.
    pub error: Failing<'a>,
}

/// A warning on stderr: `{"warning":{…}}`.
#[derive(Debug, Serialize)]
pub struct Warned<'a> {
    /// What is not as it should be.
    pub warning: Problem<'a>,
}

/// What went wrong.
#[derive(Debug, Serialize)]
pub struct Failing<'a> {
    kind: &'a str,
    /// In words.
    pub message: Cow<'a, str>,
    /// What is wrong with each field of a payload.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<Detail<'a>>,
    /// What was expected of the stream, and what it is.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<Conflict>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    excerpt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    situation: Option<&'a str>,
    hints: &'a [String],
    exit: u8,
}

impl<'a> Failing<'a> {
    /// Of that kind, with that exit code.
    pub fn new(kind: &'a str, found: &'a diagnostic::Diagnostic, exit: u8) -> Self {
        Self {
            kind,
            message: found.message.as_str().into(),
            details: Vec::new(),
            conflict: None,
            place: found.place.as_ref().map(Place::from),
            excerpt: found.place.as_ref().map(excerpt),
            situation: found.situation.as_deref(),
            hints: &found.hints,
            exit,
        }
    }
}

/// The line of a place as it stands in its file.
fn excerpt(place: &diagnostic::Place) -> String {
    let line = place.source.text.lines().nth(place.line() - 1).unwrap_or_default();
    line.chars().take(EXCERPT).collect()
}
