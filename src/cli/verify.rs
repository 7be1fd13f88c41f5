//! `verify`: the store proves itself.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure, Kind};
use crate::render::{proof, text, verdict};
use esctl::domain::Domains;
use esctl::event::{Hash, Position};
use esctl::store::sqlite::SqliteStore;
use esctl::workbench::error::Misfit;
use esctl::workbench::verify::{Asked, Claim, Given, Report, Step, verify};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};

const EXAMPLES: &str = "\
examples:
  esctl verify
  esctl send account/ada Deposit amount=5 -o json | esctl verify --expect -
  esctl verify -o json > last.json && esctl verify --since-head last.json";

/// prove that the store is as it was written: every hash, position, version and command, the file itself, read models
///
/// Prints what was checked, what was found, and what cannot be known from within. Where something is damaged, a receipt
/// does not hold, or a row of a read model is not what the events give, the exit code is 6. Nothing is written. Read
/// models are computed again by the domain, where there is one.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct VerifyArgs {
    /// receipts that must hold, which alone shows that the end is missing: a file of what `send -o json`, `send
    /// --batch` or `verify -o json` printed, `-` for stdin, or the JSON itself
    #[arg(long, value_name = "RECEIPT")]
    expect: Option<String>,
    /// verify only what came after an earlier verification: what `verify -o json` printed then, or a receipt, given as for
    /// `--expect`. That it still holds is checked; the events before it, snapshots, and SQLite's own check of the file, are not
    #[arg(long, value_name = "VERDICT")]
    since_head: Option<String>,
    /// leave out read models
    #[arg(long)]
    log_only: bool,
}

/// Runs the verb.
pub fn run(args: &VerifyArgs, context: &mut Context) -> Result<Exit, Failure> {
    let mut store = context.store(Purpose::Look)?;
    if (args.expect.as_deref(), args.since_head.as_deref()) == (Some("-"), Some("-")) {
        return Err(Failure::usage("stdin can be read for `--expect` or for `--since-head`, not for both"));
    }
    let mut expect = args.expect.as_deref().map(Receipts::open).transpose()?;
    let mut since = args.since_head.as_deref().map(Receipts::open).transpose()?;
    let domains = if args.log_only { None } else { Some(rules(context)) };
    let mut aside = SqliteStore::scratch()?;
    let asked = Asked {
        claims: expect.as_mut().map(|receipts| receipts as Given<'_>),
        since: since.as_mut().map(|receipts| receipts as Given<'_>),
        domains: domains.as_ref().map(|domains| domains.as_ref().map_err(String::as_str)),
        aside: &mut aside,
    };
    let mut bar = context.bar();
    let report = verify(&mut *store, asked, &mut |step| {
        let (Step::Events(done, total) | Step::Projection(_, done, total)) = step;
        bar.step(Some((done.0, total.0)), || {
            let what = match step {
                Step::Events(..) => "verifying".to_owned(),
                Step::Projection(name, ..) => format!("computing {name}"),
            };
            format!("{what}: {} of {}", text::thousands(done.0), text::thousands(total.0))
        });
    })?;
    drop(bar);
    for (receipts, claims) in [(&expect, &report.claims), (&since, &report.since)] {
        // Nothing that holds is no proof.
        if let (Some(receipts), Some(claims)) = (receipts, claims)
            && claims.held + claims.broken == 0
        {
            return Err(Failure::usage(format!("{} holds no receipt", receipts.name)));
        }
    }
    verdict::verdict(&report, &mut context.out)
        .and_then(|()| io::Write::flush(&mut context.out))
        .map_err(Failure::output)?;
    if report.is_sound() { Ok(Exit::Done) } else { Err(damaged(&report, context)) }
}

/// The rules by which read models are computed, or why there are none.
fn rules(context: &Context) -> Result<Domains, String> {
    context.domains().map_err(|failure| match failure.kind {
        Kind::Domain => "the domain is not sound, `esctl check` says why".to_owned(),
        _ => failure.cause.to_string(),
    })
}

fn damaged(report: &Report, context: &Context) -> Failure {
    let shown = context.globals.store.display();
    let verified = &report.verified;
    let mut words = Vec::new();
    if let Some(first) = verified.findings.first() {
        let count = text::count(verified.findings.len() as u64 + verified.more, "finding");
        let first = text::harmless(&first.words);
        words.push(format!("`{shown}` is damaged: {count}, the first: {first}"));
    }
    for claims in [&report.claims, &report.since].into_iter().flatten() {
        let Some((claim, why)) = &claims.first else { continue };
        let of = claim.command.as_ref().map(|id| format!(" of the command `{}`", text::harmless(id)));
        words.push(format!(
            "{} of {} not hold in `{shown}`; the first is that{} at @{}: {}",
            text::thousands(claims.broken),
            text::count(claims.held + claims.broken, "receipt") + if claims.broken == 1 { " does" } else { " do" },
            of.unwrap_or_default(),
            claim.position,
            text::harmless(why)
        ));
    }
    let log_is_sound = words.is_empty();
    for proven in &report.projections {
        let Ok(found) = &proven.proof else { continue };
        if let Some(first) = found.differences.first() {
            let count = text::count(found.differences.len() as u64 + found.more, "difference");
            let first = proof::difference(first);
            let (name, first) = (text::harmless(&proven.name), text::harmless(&first));
            words.push(format!("`{name}` is not what its events give: {count}, the first: {first}"));
        }
    }
    let rows_are_sound = log_is_sound && words.is_empty();
    if let Some(first) = verified.spoilt.first() {
        let number = verified.spoilt.len() as u64 + verified.more_spoilt;
        let are = if number == 1 { "is" } else { "are" };
        let (count, first) = (text::count(number, "snapshot"), text::harmless(&first.words));
        words.push(format!("{count} of `{shown}` {are} not what was kept, and passed over; the first: {first}"));
    }
    let hint = if rows_are_sound {
        "nothing is lost: `esctl snapshot rebuild` makes snapshots anew from the events"
    } else if log_is_sound {
        "`esctl project rebuild` makes the rows anew"
    } else if verified.is_sound() {
        "the store is another one, an older copy, or its end was removed: keep it as it is, and look for the right one"
    } else {
        "keep the file as it is, and go on from a copy or a backup"
    };
    Failure::new(Kind::Damaged, words.join("; ")).hint(hint)
}

/// Where receipts come from, and how that is named.
fn open(expect: &str) -> Result<(String, Box<dyn Read>), Failure> {
    if expect == "-" {
        return Ok(("stdin".to_owned(), Box::new(io::stdin())));
    }
    if expect.trim_start().starts_with('{') {
        return Ok(("what was given".to_owned(), Box::new(Cursor::new(expect.to_owned()))));
    }
    let path = expect.strip_prefix('@').unwrap_or(expect);
    let cannot = |error| Failure::usage(format!("`{path}` cannot be read: {error}"));
    Ok((format!("`{path}`"), Box::new(File::open(path).map_err(cannot)?)))
}

/// A receipt, as far as it says something about the store.
#[derive(Debug, Deserialize)]
struct Receipt {
    outcome: Option<String>,
    id: Option<String>,
    position: Option<u64>,
    head: Option<String>,
    #[serde(default)]
    events: Vec<IgnoredAny>,
    #[serde(default)]
    dry_run: bool,
}

/// Receipts one after the other, in constant memory.
struct Receipts {
    name: String,
    read: serde_json::StreamDeserializer<'static, serde_json::de::IoRead<BufReader<Box<dyn Read>>>, Receipt>,
    count: u64,
}

impl Receipts {
    fn open(given: &str) -> Result<Self, Failure> {
        let (name, input) = open(given)?;
        let read = serde_json::Deserializer::from_reader(BufReader::new(input)).into_iter();
        Ok(Self { name, read, count: 0 })
    }

    fn wrong(&self, why: impl std::fmt::Display) -> Misfit {
        Misfit::new(format!("number {} in {} is no receipt: {why}", self.count, self.name))
            .hint("a receipt is what `esctl send -o json` or `esctl send --batch` printed")
    }

    /// What it claims; `None` where it is the line of an error, which claims nothing.
    fn claim(&self, receipt: Receipt) -> Result<Option<Claim>, Misfit> {
        if receipt.dry_run {
            return Err(self.wrong("it is of a dry run, which stored nothing"));
        }
        match (receipt.position, receipt.head) {
            (Some(position), Some(head)) => {
                let head = hash(&head).ok_or_else(|| self.wrong("its `head` is no hash of 64 hex digits"))?;
                let stored = receipt.outcome.as_deref() == Some("accepted") && !receipt.events.is_empty();
                Ok(Some(Claim { command: receipt.id.filter(|_| stored), position: Position(position), head }))
            }
            _ if receipt.outcome.as_deref() == Some("error") => Ok(None),
            _ => Err(self.wrong("it has no `position` and `head`")),
        }
    }
}

impl Iterator for Receipts {
    type Item = Result<Claim, Misfit>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let receipt = self.read.next()?;
            self.count += 1;
            let claim = receipt.map_err(|error| self.wrong(error)).and_then(|receipt| self.claim(receipt));
            if let Some(claim) = claim.transpose() {
                return Some(claim);
            }
        }
    }
}

fn hash(text: &str) -> Option<Hash> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(Hash(bytes))
}
