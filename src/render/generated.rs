//! What random runs came to.

use super::listing::{Column, Listing, Render};
use super::text::{count, harmless, thousands};
use super::{Format, Output, coverage, scenario, trouble, wire};
use esctl::diagnostic;
use esctl::domain::coverage::Coverage;
use esctl::workbench::generate::{Asked, Broken, Generated, Law, Tally};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write as _};

/// Columns of [`Tally`].
const COLUMNS: &[Column] = &[
    Column::text("command"),
    Column::number("sent"),
    Column::number("accepted"),
    Column::number("rejected"),
    Column::text("codes"),
];

/// The whole of it, as JSON.
#[derive(Debug, Serialize)]
struct Whole<'a> {
    outcome: &'static str,
    seed: u64,
    generate: u64,
    runs: u64,
    sent: u64,
    accepted: u64,
    rejected: u64,
    events: u64,
    digest: &'a str,
    commands: Vec<Line<'a>>,
    never_accepted: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    broken: Option<Failing<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<coverage::Share<'a>>,
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    command: String,
    sent: u64,
    accepted: u64,
    rejected: &'a BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unmet: Vec<Unmet<'a>>,
}

#[derive(Debug, Serialize)]
struct Unmet<'a> {
    field: &'a str,
    r#type: &'a str,
}

#[derive(Debug, Serialize)]
struct Failing<'a> {
    law: &'static str,
    says: &'static str,
    run: u64,
    length: usize,
    problem: trouble::Problem<'a>,
    commands: Vec<Step<'a>>,
    scenario: String,
}

#[derive(Debug, Serialize)]
struct Step<'a> {
    stream: &'a str,
    command: &'a str,
    data: wire::Named<'a>,
    time: String,
}

impl Render for Tally {
    fn cells(&self) -> Vec<String> {
        let rejected: u64 = self.rejected.values().sum();
        vec![name(self), self.sent.to_string(), self.accepted.to_string(), rejected.to_string(), codes(self)]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&sent(self))
    }
}

/// The result, in the form asked for. As CSV it is the list of commands, or of what was not reached.
pub fn generated(
    result: &Generated,
    asked: &Asked,
    covered: Option<&Coverage>,
    min: Option<u64>,
    out: &mut Output,
) -> io::Result<()> {
    match out.format {
        Format::Table => {
            for_people(result, asked, out)?;
            match covered {
                Some(covered) => out.line("").and_then(|()| coverage::for_people(covered, out)),
                None => Ok(()),
            }
        }
        Format::Json | Format::Ndjson => out.line(&whole(result, asked, covered, min)?),
        Format::Csv => match covered {
            Some(covered) => coverage::list(covered, out),
            None => {
                let mut listing = Listing::new(COLUMNS, out);
                let _ = result.commands.iter().try_for_each(|tally| listing.push(tally));
                listing.finish()
            }
        },
    }
}

fn for_people(result: &Generated, asked: &Asked, out: &mut Output) -> io::Result<()> {
    table(&result.commands, out)?;
    for tally in &result.commands {
        for unmet in &tally.unmet {
            out.line(&format!("no value fits `{}` of {}: {}", unmet.field, name(tally), harmless(&unmet.what)))?;
        }
    }
    let never: Vec<String> = result.never_accepted().map(name).collect();
    // What broke may well be why.
    if !never.is_empty() && result.broken.is_none() {
        out.line(&if never.len() == result.commands.len() {
            "no command was ever accepted: this proves nothing".to_owned()
        } else {
            format!("never accepted, so that nothing is known of what they give: {}", never.join(", "))
        })?;
    }
    out.line("")?;
    match &result.broken {
        Some(broken) => failed(broken, asked, out)?,
        None => Law::ALL.iter().try_for_each(|law| out.line(&format!("ok      {}", law.words())))?,
    }
    out.line(&format!(
        "{}: {}, {} accepted, {} rejected, {}; seed {}",
        count(result.runs, "run"),
        count(result.sent(), "command"),
        thousands(result.accepted()),
        thousands(result.rejected()),
        count(result.events, "event"),
        result.seed
    ))
}

fn table(tallies: &[Tally], out: &mut Output) -> io::Result<()> {
    let cells = tallies.iter().map(|tally| {
        let numbers = [tally.sent, tally.accepted, tally.rejected.values().sum()].map(thousands);
        (name(tally), numbers, codes(tally))
    });
    let rows: Vec<_> = cells.collect();
    let heads = ["sent", "accepted", "rejected"];
    let wide = rows.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0).max("command".len());
    let width =
        |at: usize| rows.iter().map(|(_, numbers, _)| numbers[at].len()).max().unwrap_or(0).max(heads[at].len());
    let widths = [width(0), width(1), width(2)];
    let [sent, accepted, rejected] = widths;
    out.line(&format!("{:<wide$}  {:>sent$}  {:>accepted$}  {:>rejected$}", "command", heads[0], heads[1], heads[2]))?;
    for (name, [a, b, c], codes) in &rows {
        let line = format!("{name:<wide$}  {a:>sent$}  {b:>accepted$}  {c:>rejected$}  {}", harmless(codes));
        out.line(line.trim_end())?;
    }
    Ok(())
}

fn failed(broken: &Broken, asked: &Asked, out: &mut Output) -> io::Result<()> {
    let (run, length) = (thousands(broken.run), count(broken.length as u64, "command"));
    out.line(&format!("FAILED  {}, in run {run} after {length}", broken.law.words()))?;
    for line in diagnostic::render(std::slice::from_ref(&broken.problem), out.color).lines() {
        writeln!(out, "{}", format!("  {line}").trim_end())?;
    }
    if !broken.steps.is_empty() {
        out.line("")?;
        out.line("as a scenario, to be put under `scenarios:`")?;
        out.line("")?;
        out.write_all(scenario::scenario(broken, asked).as_bytes())?;
    }
    out.line("")
}

/// `account.Open`
fn name(tally: &Tally) -> String {
    format!("{}.{}", tally.aggregate, tally.command)
}

/// `already_open 12, not_open 3`
fn codes(tally: &Tally) -> String {
    let codes = tally.rejected.iter().map(|(code, times)| format!("{code} {}", thousands(*times)));
    codes.collect::<Vec<_>>().join(", ")
}

fn sent(tally: &Tally) -> Line<'_> {
    let unmet = tally.unmet.iter().map(|unmet| Unmet { field: &unmet.field, r#type: &unmet.what });
    Line {
        command: name(tally),
        sent: tally.sent,
        accepted: tally.accepted,
        rejected: &tally.rejected,
        unmet: unmet.collect(),
    }
}

fn whole(result: &Generated, asked: &Asked, covered: Option<&Coverage>, min: Option<u64>) -> io::Result<String> {
    wire::line(&Whole {
        outcome: if result.broken.is_some() { "failed" } else { "passed" },
        seed: result.seed,
        generate: result.asked,
        runs: result.runs,
        sent: result.sent(),
        accepted: result.accepted(),
        rejected: result.rejected(),
        events: result.events,
        digest: &result.digest,
        commands: result.commands.iter().map(sent).collect(),
        never_accepted: result.never_accepted().map(name).collect(),
        broken: result.broken.as_ref().map(|broken| failing(broken, asked)),
        coverage: covered.map(|covered| coverage::reached(covered, min)).transpose()?,
    })
}

fn failing<'a>(broken: &'a Broken, asked: &Asked) -> Failing<'a> {
    let step = |step: &'a esctl::workbench::generate::Step| Step {
        stream: step.stream.as_str(),
        command: &step.command,
        data: (&step.data).into(),
        time: wire::time(step.at),
    };
    Failing {
        law: broken.law.name(),
        says: broken.law.words(),
        run: broken.run,
        length: broken.length,
        problem: (&broken.problem).into(),
        commands: broken.steps.iter().map(step).collect(),
        scenario: scenario::scenario(broken, asked),
    }
}
