//! What other rules would make of the history that is there.

use super::listing::{Listing, Render};
use super::planned::DIFFERENCES;
use super::text::{count, harmless, thousands, value};
use super::wire::{self, Changed};
use super::{Format, Output, state};
use esctl::diagnostic::{self, Diagnostic};
use esctl::workbench::plan::{
    AggregatePlan, Begins, CommandsPlan, Difference, EventDiffers, Given, Outcome, Planned, ProjectionChange, Reach,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::ops::ControlFlow;

/// So many differences of a kind are shown to people.
const SHOWN: usize = 5;

/// What differs, on its way out.
#[derive(Debug)]
pub struct Report<'o> {
    form: Form<'o>,
    failed: Option<io::Error>,
}

#[derive(Debug)]
enum Form<'o> {
    /// For people: the first of each kind, and how many there are.
    People(BTreeMap<(Rank, String), (Vec<Difference>, u64)>, &'o mut Output),
    Whole {
        any: bool,
        out: &'o mut Output,
    },
    Listed(Listing<'o>),
}

/// So many names are listed in a line.
const NAMED: usize = 6;

/// The order in which kinds are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Aggregate,
    State,
    Event,
    Invariant,
    Projection,
    Row,
    Command,
}

impl<'o> Report<'o> {
    /// Nothing yet.
    pub fn new(out: &'o mut Output) -> Self {
        let form = match out.format {
            Format::Table => Form::People(BTreeMap::new(), out),
            Format::Json => Form::Whole { any: false, out },
            Format::Ndjson | Format::Csv => Form::Listed(Listing::new(DIFFERENCES, out)),
        };
        Self { form, failed: None }
    }

    /// Takes a difference; breaks where it cannot be written.
    pub fn push(&mut self, difference: Difference) -> ControlFlow<()> {
        let written = match &mut self.form {
            Form::People(groups, _) => {
                let (shown, all) = groups.entry(group(&difference)).or_default();
                *all += 1;
                if shown.len() < SHOWN {
                    shown.push(difference);
                }
                Ok(())
            }
            Form::Whole { any, out } => {
                let begin = if std::mem::replace(any, true) { ",\n" } else { "{\"differences\":[\n" };
                difference
                    .json()
                    .and_then(|line| out.write_all(begin.as_bytes()).and_then(|()| out.write_all(line.as_bytes())))
            }
            Form::Listed(listing) => return listing.push(&difference),
        };
        match written {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Ends it.
    pub fn finish(self, planned: &Planned) -> io::Result<()> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        match self.form {
            Form::People(groups, out) => people(&groups, planned, out),
            Form::Whole { any, out } => {
                out.line(if any { "\n]," } else { "{\"differences\":[]," })?;
                let rest = wire::line(&Whole::from(planned))?;
                out.line(rest.strip_prefix('{').unwrap_or(&rest))
            }
            Form::Listed(listing) => listing.finish(),
        }
    }

    /// Ends what cannot be completed.
    pub fn cut(self) {
        if let Form::Listed(listing) = self.form {
            listing.cut();
        }
    }
}

fn group(difference: &Difference) -> (Rank, String) {
    match difference {
        Difference::Aggregate(found) => (Rank::Aggregate, found.aggregate.to_string()),
        Difference::State(found) => (Rank::State, found.stream.aggregate().to_owned()),
        Difference::Event(found) => (Rank::Event, found.stream.aggregate().to_owned()),
        Difference::Invariant(found) => (Rank::Invariant, found.name.to_string()),
        Difference::Projection(found) => (Rank::Projection, found.projection.to_string()),
        Difference::Row(found) => (Rank::Row, found.projection.to_string()),
        Difference::Command(found) => {
            let kind = match found.outcome {
                Outcome::Rejected(_) => "be rejected",
                Outcome::Events { .. } => "give other events",
                Outcome::Fails(_) => "fail",
            };
            (Rank::Command, kind.to_owned())
        }
    }
}

fn people(
    groups: &BTreeMap<(Rank, String), (Vec<Difference>, u64)>,
    planned: &Planned,
    out: &mut Output,
) -> io::Result<()> {
    for ((rank, name), (shown, all)) in groups {
        out.line(&header(*rank, name, *all, planned))?;
        for (number, difference) in shown.iter().enumerate() {
            let example = if number == 0 { example(*rank, name, planned) } else { None };
            one(difference, example, out)?;
        }
        if *all > shown.len() as u64 {
            let more = thousands(*all - shown.len() as u64);
            out.line(&format!("  … and {more} more: `-o ndjson` lists all"))?;
        }
        out.line("")?;
    }
    Ok(())
}

fn example<'p>(rank: Rank, name: &str, planned: &'p Planned) -> Option<&'p Begins> {
    let of = planned.aggregates.iter().find(|of| rank == Rank::State && *of.name == *name)?;
    of.example.as_ref()
}

/// `account: 2 of 3 streams have another state`
fn header(rank: Rank, name: &str, all: u64, planned: &Planned) -> String {
    let name = harmless(name);
    let streams = |of: &AggregatePlan| count(of.streams, "replayed stream");
    let of = planned.aggregates.iter().find(|of| *of.name == *name).map(streams).unwrap_or_default();
    match rank {
        Rank::Aggregate | Rank::Projection => format!("{name}:"),
        Rank::State => format!("{name}: {} of {of} would have another state", thousands(all)),
        Rank::Event => format!("{name}: {} could not be read by both rules", count(all, "stored event")),
        Rank::Invariant => format!("the invariant `{name}` would be broken on {}", count(all, "stream")),
        Rank::Row => {
            let of = planned.projections.iter().find(|of| *of.name == *name).map_or(0, |of| of.rows);
            format!("{name}: {} of {} would be another", thousands(all), count(of, "row"))
        }
        Rank::Command => {
            let of = planned.commands.as_ref().map_or(0, |commands| commands.decided);
            format!("commands: {} of {} decided again would {name}", thousands(all), thousands(of))
        }
    }
}

fn one(difference: &Difference, example: Option<&Begins>, out: &mut Output) -> io::Result<()> {
    match difference {
        Difference::Aggregate(found) => {
            let which = if found.gone { "the other rules have no" } else { "the present rules have no" };
            out.line(&format!("  {which} `{}`, and there are {}", found.aggregate, count(found.streams, "stream")))
        }
        Difference::State(found) => {
            let stream = harmless(found.stream.as_str());
            if let Some(begins) = example {
                let at = match begins.version.0 {
                    0 => "before its first event".to_owned(),
                    version => format!("after version {version} ({} {})", wire::at(begins.position), begins.kind),
                };
                out.line(&format!("  {stream}  first differs {at}"))?;
                state::changes_below(&begins.changes, out)?;
            }
            out.line(&format!("  {stream}  version {}", found.version))?;
            state::changes_below(&found.changes, out)
        }
        Difference::Event(found) => event(found, out),
        Difference::Invariant(found) => {
            let still = if found.now { ", and is now" } else { ", but not now" };
            let at = wire::at(found.position);
            out.line(&format!("  {}  since version {} ({at}){still}", harmless(found.stream.as_str()), found.version))
        }
        Difference::Row(found) => {
            let key = value(&found.key);
            match (&found.before, &found.after) {
                (None, Some(after)) => out.line(&format!("  {key}  added {}", value(after))),
                (Some(before), None) => out.line(&format!("  {key}  removed, was {}", value(before))),
                _ => {
                    out.line(&format!("  {key}"))?;
                    state::changes_below(&found.changes, out)
                }
            }
        }
        Difference::Projection(found) => match &found.what {
            ProjectionChange::New(rows) => out.line(&format!("  it would be new, with {}", count(*rows, "row"))),
            ProjectionChange::Gone => out.line("  the other rules have no such read model"),
            ProjectionChange::Key(before, after) => out.line(&format!(
                "  its key would be of another type, so rows cannot be compared: {} now, {} then",
                thousands(*before),
                thousands(*after)
            )),
            ProjectionChange::Stops(problem) => {
                out.line("  it would stop:")?;
                trouble(problem, out)
            }
        },
        Difference::Command(found) => {
            let (at, stream) = (wire::at(found.position), harmless(found.stream.as_str()));
            out.line(&format!("  {at}  {stream}  {}  ({})", found.command, harmless(&found.id)))?;
            match &found.outcome {
                Outcome::Rejected(rejection) => {
                    let mut line = format!("    rejected: {}", rejection.code);
                    if !rejection.message.is_empty() {
                        let _ = write!(line, ", {}", harmless(&rejection.message));
                    }
                    out.line(&line)
                }
                Outcome::Events { before, after } => {
                    given("stored", before, out)?;
                    given("then", after, out)
                }
                Outcome::Fails(problem) => trouble(problem, out),
            }
        }
    }
}

fn event(found: &EventDiffers, out: &mut Output) -> io::Result<()> {
    let (stream, at) = (harmless(found.stream.as_str()), wire::at(found.position));
    let who = if found.fits { "only the other rules can read it" } else { "only the present rules can read it" };
    out.line(&format!("  {stream}  version {} ({at} {}): {who}", found.version, found.kind))?;
    trouble(&found.problem, out)
}

/// A problem, indented.
fn trouble(problem: &Diagnostic, out: &mut Output) -> io::Result<()> {
    let color = out.color;
    let text = diagnostic::render(std::slice::from_ref(problem), color);
    text.lines().filter(|line| !line.is_empty()).try_for_each(|line| out.line(&format!("    {line}")))
}

fn given(name: &str, events: &[Given], out: &mut Output) -> io::Result<()> {
    if events.is_empty() {
        return out.line(&format!("    {name:<6}  nothing"));
    }
    let line = |event: &Given| {
        let (stream, data) = (harmless(event.stream.as_str()), super::text::compact(&event.data));
        format!("    {name:<6}  {stream}  {} {data}", event.kind)
    };
    events.iter().try_for_each(|event| out.line(&line(event)))
}

/// `the history would differ at @17: 312 of 1,000 streams differ, 12 of 40 commands would be rejected`
pub fn summary(planned: &Planned) -> String {
    let mut parts = Vec::new();
    let sum = |of: fn(&AggregatePlan) -> u64| planned.aggregates.iter().map(of).sum::<u64>();
    let (streams, differ) = (sum(|of| of.streams), sum(|of| of.differ));
    if streams > 0 {
        parts.push(format!("{} of {} {}", thousands(differ), count(streams, "replayed stream"), differs(differ)));
    }
    let (unfit, broken) = (sum(|of| of.unfit), sum(|of| of.broken));
    if unfit > 0 {
        parts.push(format!("{} cannot be read by both", count(unfit, "event")));
    }
    if broken > 0 {
        parts.push(format!("invariants are broken {}", count(broken, "time")));
    }
    let rows: u64 = planned.projections.iter().map(|of| of.rows).sum();
    let other: u64 = planned.projections.iter().map(|of| of.differ).sum();
    if planned.projections.iter().any(|of| of.reached) {
        parts.push(format!("{} of {} {}", thousands(other), count(rows, "row"), differs(other)));
    }
    if let Some(commands) = &planned.commands {
        parts.push(decided(commands));
    }
    let verdict = if planned.differences == 0 { "nothing would differ" } else { "the history would differ" };
    let mut words = format!("{verdict} at {}", wire::at(planned.position));
    if !parts.is_empty() {
        let _ = write!(words, ": {}", parts.join(", "));
    }
    words
}

fn decided(commands: &CommandsPlan) -> String {
    let CommandsPlan { decided, rejected, other, fail, .. } = *commands;
    if decided == 0 {
        return "no command is decided otherwise".to_owned();
    }
    let counts = [(rejected, "be rejected"), (other, "give other events"), (fail, "fail")];
    let some = counts.iter().filter(|(number, _)| *number > 0);
    let some: Vec<_> = some.map(|(number, what)| format!("{} would {what}", thousands(*number))).collect();
    let of = count(decided, "command");
    if some.is_empty() {
        format!("{of} decided again, all to the same")
    } else {
        format!("of {of} decided again {}", some.join(", "))
    }
}

fn differs(number: u64) -> &'static str {
    if number == 1 { "differs" } else { "differ" }
}

/// What was not looked at, and why: a line for each reason.
pub fn left_out(planned: &Planned) -> Vec<String> {
    let mut notes = Vec::new();
    let aggregates = planned.aggregates.iter().filter(|of| of.reach == Reach::Nothing).map(|of| &*of.name);
    let projections = planned.projections.iter().filter(|of| !of.reached).map(|of| &*of.name);
    let same: Vec<String> = aggregates.chain(projections).map(|name| format!("`{name}`")).collect();
    if !same.is_empty() {
        let named = same[..same.len().min(NAMED)].join(", ");
        let more = same.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        notes.push(format!("not replayed, being the same by both rules: {named}{more}"));
    }
    for of in planned.aggregates.iter().filter(|of| of.uncompared > 0) {
        notes.push(format!(
            "{} of `{}` cannot be replayed by either of the rules",
            count(of.uncompared, "stream"),
            of.name
        ));
    }
    for of in &planned.projections {
        if let Some(why) = &of.uncompared {
            notes.push(format!("`{}` was not compared, since the present rules cannot fill it: {why}", of.name));
        }
    }
    if let Some(commands) = planned.commands.as_ref().filter(|commands| commands.uncompared > 0) {
        notes.push(format!(
            "{} came to the same by both rules, though not to what is stored, or could not be decided by either",
            count(commands.uncompared, "command")
        ));
    }
    notes
}

/// What was looked at, as JSON, below the differences.
#[derive(Serialize)]
struct Whole<'a> {
    position: u64,
    differs: bool,
    aggregates: Vec<AggregateLine<'a>>,
    projections: Vec<ProjectionLine<'a>>,
    /// Null where commands were not decided again.
    commands: Option<CommandsLine>,
}

#[derive(Serialize)]
struct AggregateLine<'a> {
    aggregate: &'a str,
    reach: &'static str,
    streams: u64,
    events: u64,
    differ: u64,
    unfit: u64,
    broken: u64,
    uncompared: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<ExampleLine<'a>>,
}

#[derive(Serialize)]
struct ExampleLine<'a> {
    stream: &'a str,
    version: u64,
    position: u64,
    r#type: &'a str,
    changes: Vec<Changed<'a>>,
}

#[derive(Serialize)]
struct ProjectionLine<'a> {
    projection: &'a str,
    reached: bool,
    rows: u64,
    differ: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    uncompared: Option<&'a str>,
}

#[derive(Serialize)]
struct CommandsLine {
    decided: u64,
    same: u64,
    uncompared: u64,
    rejected: u64,
    events: u64,
    fails: u64,
}

impl<'a> From<&'a Planned> for Whole<'a> {
    fn from(planned: &'a Planned) -> Self {
        let aggregate = |of: &'a AggregatePlan| AggregateLine {
            aggregate: &of.name,
            reach: match of.reach {
                Reach::Nothing => "nothing",
                Reach::All => "all",
                Reach::Some => "some",
                Reach::Gone => "gone",
                Reach::New => "new",
            },
            streams: of.streams,
            events: of.events,
            differ: of.differ,
            unfit: of.unfit,
            broken: of.broken,
            uncompared: of.uncompared,
            example: of.example.as_ref().map(|begins| ExampleLine {
                stream: begins.stream.as_str(),
                version: begins.version.0,
                position: begins.position.0,
                r#type: &begins.kind,
                changes: begins.changes.iter().map(Changed::from).collect(),
            }),
        };
        let projections = planned.projections.iter().map(|of| ProjectionLine {
            projection: &of.name,
            reached: of.reached,
            rows: of.rows,
            differ: of.differ,
            uncompared: of.uncompared.as_deref(),
        });
        Self {
            position: planned.position.0,
            differs: planned.differences > 0,
            aggregates: planned.aggregates.iter().map(aggregate).collect(),
            projections: projections.collect(),
            commands: planned.commands.as_ref().map(|of| CommandsLine {
                decided: of.decided,
                same: of.same,
                uncompared: of.uncompared,
                rejected: of.rejected,
                events: of.other,
                fails: of.fail,
            }),
        }
    }
}
