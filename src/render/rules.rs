//! The rules under which what is stored was decided.

use super::listing::{Column, Render};
use super::projections::DIGITS;
use super::{Output, wire};
use esctl::diagnostic::Source;
use esctl::domain::digest;
use esctl::workbench::rules::StoredRules;
use serde::Serialize;
use std::io;

/// Columns of [`InUse`].
pub const RULES: &[Column] = &[
    Column::text("digest"),
    Column::text("domain"),
    Column::text("now"),
    Column::number("commands"),
    Column::number("first"),
    Column::number("last"),
    Column::text("since"),
    Column::text("until"),
    Column::number("bytes"),
];

/// Stored rules.
#[derive(Debug)]
pub struct InUse<'a> {
    /// The text, by what it decided.
    pub stored: &'a StoredRules,
    /// Whether a domain file has this text now.
    pub now: bool,
}

impl Render for InUse<'_> {
    fn cells(&self) -> Vec<String> {
        let Self { stored, now } = self;
        vec![
            stored.digest.get(..DIGITS).unwrap_or_default().to_owned(),
            stored.domain.clone().unwrap_or_default(),
            if *now { "yes" } else { "" }.to_owned(),
            stored.commands.to_string(),
            stored.first.to_string(),
            stored.last.to_string(),
            wire::time(stored.since),
            wire::time(stored.until),
            stored.bytes.to_string(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        let Self { stored, now } = self;
        wire::line(&RulesLine {
            digest: &stored.digest,
            domain: stored.domain.as_deref(),
            now: *now,
            commands: stored.commands,
            first: stored.first.0,
            last: stored.last.0,
            since: wire::time(stored.since),
            until: wire::time(stored.until),
            bytes: stored.bytes,
        })
    }
}

/// The text of stored rules: for people, and for a file, as it is.
pub fn text(source: &Source, out: &mut Output) -> io::Result<()> {
    if out.format.is_json() {
        let digest = digest::of_text(&source.text);
        return wire::line(&TextLine { digest: &digest, text: &source.text }).and_then(|line| out.line(&line));
    }
    out.text(&source.text)
}

#[derive(Serialize)]
struct TextLine<'a> {
    digest: &'a str,
    text: &'a str,
}

#[derive(Serialize)]
struct RulesLine<'a> {
    digest: &'a str,
    /// Null where the text is not read as a domain file any more.
    domain: Option<&'a str>,
    now: bool,
    commands: u64,
    first: u64,
    last: u64,
    since: String,
    until: String,
    bytes: u64,
}
