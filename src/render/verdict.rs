//! What `verify` prints: what was checked, what was found, and what nobody can know.

use super::listing::{Column, Listing, Render};
use super::proof::{Compared, difference, extent};
use super::{Format, Output, text, wire};
use esctl::event::Position;
use esctl::store::Finding;
use esctl::workbench::verify::{Claim, Report};
use serde::Serialize;
use std::io;

const COLUMNS: &[Column] = &[Column::text("result"), Column::text("what"), Column::text("detail")];

/// A line of the verdict.
#[derive(Debug, Serialize)]
struct Line {
    result: &'static str,
    what: String,
    detail: String,
}

impl Render for Line {
    fn cells(&self) -> Vec<String> {
        vec![self.result.to_owned(), self.what.clone(), self.detail.clone()]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(self)
    }
}

/// The whole of it, as JSON. With its position and head it can be held against the store later, as a receipt can.
#[derive(Debug, Serialize)]
struct Verdict<'a> {
    sound: bool,
    position: u64,
    head: String,
    checked: Checked,
    /// Where it began, with `--since-head`.
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Since<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipts: Option<Receipts<'a>>,
    projections: Vec<Compared<'a>>,
    findings: Vec<Found<'a>>,
    /// Findings beyond those that are listed.
    more: u64,
    not_checked: Vec<Unknown<'a>>,
}

#[derive(Debug, Serialize)]
struct Checked {
    events: u64,
    streams: u64,
    commands: u64,
    domains: u64,
    bytes: u64,
    snapshots: u64,
}

#[derive(Debug, Serialize)]
struct Since<'a> {
    position: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<Broken<'a>>,
}

#[derive(Debug, Serialize)]
struct Receipts<'a> {
    held: u64,
    broken: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    first: Option<Broken<'a>>,
}

#[derive(Debug, Serialize)]
struct Broken<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    position: u64,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct Found<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<&'a str>,
    message: &'a str,
}

#[derive(Debug, Serialize)]
struct Unknown<'a> {
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    why: String,
}

impl<'a> From<&'a (Claim, String)> for Broken<'a> {
    fn from((claim, words): &'a (Claim, String)) -> Self {
        Self { id: claim.command.as_deref(), position: claim.position.0, message: words }
    }
}

impl<'a> From<&'a Finding> for Found<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            position: finding.position.map(|position| position.0),
            stream: finding.stream.as_deref(),
            command: finding.command.as_deref(),
            message: &finding.words,
        }
    }
}

/// What was not looked at, or cannot be seen from within.
fn unknown(report: &Report) -> Vec<Unknown<'_>> {
    let mut all = Vec::new();
    let mut unknown = |what, name, why| all.push(Unknown { what, name, why });
    let since = report.verified.since;
    if since > Position(0) {
        unknown("events", None, format!("those up to {} were verified before", wire::at(since)));
        let why = "SQLite's own check, and that of snapshots, read all of it: without `--since-head`";
        unknown("file", None, why.to_owned());
    }
    let tail = match &report.claims {
        None => "events removed at the end, or a history rewritten with new hashes, show only against a receipt: \
                 `--expect`"
            .to_owned(),
        Some(claims) => format!(
            "events removed behind {}, up to which receipts hold, show only against a later receipt",
            wire::at(claims.reach)
        ),
    };
    unknown("tail", None, tail);
    for proven in &report.projections {
        if let Err(why) = &proven.proof {
            unknown("projection", Some(proven.name.as_str()), why.clone());
        }
    }
    all
}

/// The verdict, in the form asked for.
pub fn verdict(report: &Report, out: &mut Output) -> io::Result<()> {
    if out.format.is_json() {
        return out.line(&wire::line(&whole(report))?);
    }
    let number = if out.format == Format::Csv { |number: u64| number.to_string() } else { text::thousands };
    let mut listing = Listing::new(COLUMNS, out);
    let _ = lines(report, number).iter().try_for_each(|line| listing.push(line));
    listing.finish()
}

fn whole(report: &Report) -> Verdict<'_> {
    let verified = &report.verified;
    Verdict {
        sound: report.is_sound(),
        position: verified.head.position.0,
        head: verified.head.hash.to_string(),
        checked: Checked {
            events: verified.events,
            streams: verified.streams,
            commands: verified.commands,
            domains: verified.domains,
            bytes: verified.bytes,
            snapshots: verified.snapshots,
        },
        since: report
            .since
            .as_ref()
            .map(|since| Since { position: verified.since.0, broken: since.first.as_ref().map(Broken::from) }),
        receipts: report.claims.as_ref().map(|claims| Receipts {
            held: claims.held,
            broken: claims.broken,
            first: claims.first.as_ref().map(Broken::from),
        }),
        projections: report
            .projections
            .iter()
            .filter_map(|proven| Some(Compared::of(&proven.name, proven.proof.as_ref().ok()?)))
            .collect(),
        findings: verified.findings.iter().chain(&verified.spoilt).map(Found::from).collect(),
        more: verified.more + verified.more_spoilt,
        not_checked: unknown(report),
    }
}

fn lines(report: &Report, shown: fn(u64) -> String) -> Vec<Line> {
    let verified = &report.verified;
    let mut lines = Vec::new();
    let mut line = |result, what: &str, detail: String| lines.push(Line { result, what: what.to_owned(), detail });
    let counted = [
        ("events", verified.events),
        ("streams", verified.streams),
        ("commands", verified.commands),
        ("domains", verified.domains),
        ("bytes", verified.bytes),
    ];
    for (what, number) in counted {
        line("checked", what, shown(number));
    }
    if verified.snapshots > 0 {
        line("checked", "snapshots", shown(verified.snapshots));
    }
    if let Some(claims) = &report.claims {
        line("checked", "receipts", shown(claims.held + claims.broken));
    }
    line("checked", "head", format!("{} {}", wire::at(verified.head.position), verified.head.hash));
    for proven in &report.projections {
        if let Ok(proof) = &proven.proof {
            line("checked", &proven.name, extent(proof));
        }
    }
    for finding in verified.findings.iter().chain(&verified.spoilt) {
        let what = match (finding.position, &finding.stream, &finding.command) {
            (Some(position), ..) => wire::at(position),
            (None, Some(stream), _) => stream.to_string(),
            (None, None, Some(command)) => command.to_string(),
            (None, None, None) => "store".to_owned(),
        };
        line("damaged", &what, finding.words.clone());
    }
    if verified.more + verified.more_spoilt > 0 {
        line("damaged", "more", text::count(verified.more + verified.more_spoilt, "finding"));
    }
    for claims in [&report.claims, &report.since].into_iter().flatten() {
        if let Some((claim, words)) = &claims.first {
            line("broken", "receipts", shown(claims.broken));
            line("broken", &wire::at(claim.position), words.clone());
        }
    }
    for proven in &report.projections {
        let Ok(proof) = &proven.proof else { continue };
        for found in &proof.differences {
            line("differs", &proven.name, difference(found));
        }
        if proof.more > 0 {
            line("differs", &proven.name, format!("{} more", shown(proof.more)));
        }
    }
    for unknown in unknown(report) {
        line("not checked", unknown.name.unwrap_or(unknown.what), unknown.why);
    }
    lines
}
