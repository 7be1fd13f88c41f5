//! What scenarios reached.

use super::listing::{Column, Listing, Render};
use super::{Format, Output, report, text, trouble, wire};
use esctl::domain::coverage::{Coverage, Kind, Target};
use esctl::workbench::test::{ScenarioOutcome, ScenarioResult};
use serde::Serialize;
use serde_json::value::RawValue;
use std::io;

/// Columns of [`Target`].
const COLUMNS: &[Column] = &[Column::text("kind"), Column::text("name"), Column::text("file"), Column::number("line")];

/// The whole of it, as JSON.
#[derive(Debug, Serialize)]
struct Whole<'a> {
    scenarios: Scenarios,
    /// Those that did not pass, as `test` lists them.
    failures: Vec<Box<RawValue>>,
    #[serde(flatten)]
    reached: Share<'a>,
}

/// How much was reached, and what was not.
#[derive(Debug, Serialize)]
pub(super) struct Share<'a> {
    percent: Box<RawValue>,
    reached: u64,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enough: Option<bool>,
    kinds: Vec<Counted>,
    missing: Vec<Missing<'a>>,
}

#[derive(Debug, Serialize)]
struct Scenarios {
    total: usize,
    passed: usize,
    failed: usize,
    error: usize,
}

#[derive(Debug, Serialize)]
struct Counted {
    kind: &'static str,
    reached: u64,
    total: u64,
}

#[derive(Debug, Serialize)]
struct Missing<'a> {
    kind: &'static str,
    name: &'a str,
    place: trouble::Place<'a>,
}

impl Render for Target {
    fn cells(&self) -> Vec<String> {
        let place = &self.place;
        vec![word(self.kind).to_owned(), self.name.clone(), place.source.name.clone(), place.line().to_string()]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&missing(self))
    }
}

fn missing(target: &Target) -> Missing<'_> {
    Missing { kind: word(target.kind), name: &target.name, place: (&target.place).into() }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Command => "command",
        Kind::Event => "event",
        Kind::Rejection => "rejection",
        Kind::Invariant => "invariant",
        Kind::Branch => "branch",
        Kind::Handler => "handler",
        Kind::Upcast => "upcast",
    }
}

/// What the heading of a kind says, and what those below it are.
fn words(kind: Kind) -> (&'static str, &'static str) {
    match kind {
        Kind::Command => ("commands", "never sent"),
        Kind::Event => ("events", "never emitted"),
        Kind::Rejection => ("rejections", "never given"),
        Kind::Invariant => ("invariants", "never said no"),
        Kind::Branch => ("branches", "never taken"),
        Kind::Handler => ("handlers", "never run"),
        Kind::Upcast => ("upcasts", "never run"),
    }
}

/// `82.9`
pub fn percent(coverage: &Coverage) -> String {
    let permille = coverage.permille();
    format!("{}.{}", permille / 10, permille % 10)
}

/// The coverage, in the form asked for. As CSV it is the list of what was not reached.
pub fn coverage(coverage: &Coverage, results: &[ScenarioResult], min: Option<u64>, out: &mut Output) -> io::Result<()> {
    match out.format {
        Format::Table => for_people(coverage, out),
        Format::Json | Format::Ndjson => out.line(&whole(coverage, results, min)?),
        Format::Csv => list(coverage, out),
    }
}

/// What was not reached, a line each.
pub(super) fn list(coverage: &Coverage, out: &mut Output) -> io::Result<()> {
    let mut listing = Listing::new(COLUMNS, out);
    let _ = coverage.missing().try_for_each(|target| listing.push(target));
    listing.finish()
}

pub(super) fn for_people(coverage: &Coverage, out: &mut Output) -> io::Result<()> {
    let counts = Kind::ALL.map(|kind| (kind, coverage.count(Some(kind))));
    for (kind, (reached, all)) in counts.into_iter().filter(|(_, (_, all))| *all > 0) {
        let (heading, never) = words(kind);
        let rest = if reached < all { format!("; {never}:") } else { String::new() };
        out.line(&format!("{heading:<10}  {} of {}{rest}", text::thousands(reached), text::thousands(all)))?;
        let missing: Vec<_> = coverage.missing().filter(|target| target.kind == kind).collect();
        let names: Vec<_> = missing.iter().map(|target| text::harmless(&target.name)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for (name, target) in names.iter().zip(missing) {
            let place = &target.place;
            out.line(&format!("  {name:<width$}  {}:{}", text::harmless(&place.source.name), place.line()))?;
        }
    }
    let (reached, all) = coverage.count(None);
    out.line(&format!("{} % reached: {} of {}", percent(coverage), text::thousands(reached), text::thousands(all)))
}

fn whole(coverage: &Coverage, results: &[ScenarioResult], min: Option<u64>) -> io::Result<String> {
    let number = |outcome: &str| results.iter().filter(|result| report::word(&result.outcome) == outcome).count();
    let failures = results.iter().filter(|result| result.outcome != ScenarioOutcome::Passed);
    wire::line(&Whole {
        scenarios: Scenarios {
            total: results.len(),
            passed: number("passed"),
            failed: number("failed"),
            error: number("error"),
        },
        failures: failures.map(|result| result.json().and_then(raw)).collect::<io::Result<_>>()?,
        reached: reached(coverage, min)?,
    })
}

/// The same without the scenarios.
pub(super) fn reached(coverage: &Coverage, min: Option<u64>) -> io::Result<Share<'_>> {
    let (reached, total) = coverage.count(None);
    Ok(Share {
        percent: raw(percent(coverage))?,
        reached,
        total,
        min,
        enough: min.map(|min| coverage.is_at_least(min)),
        kinds: Kind::ALL
            .map(|kind| {
                let (reached, total) = coverage.count(Some(kind));
                Counted { kind: word(kind), reached, total }
            })
            .into(),
        missing: coverage.missing().map(missing).collect(),
    })
}

fn raw(json: String) -> io::Result<Box<RawValue>> {
    RawValue::from_string(json).map_err(io::Error::from)
}
