//! What esctl costs, and how that compares with the least it could cost:
//! `cargo bench --bench figures -- [NAME…] [--quick] [--long] [--events N] [--streams N] [--repeat N]`.
//!
//! Each figure runs the release binary and, by turns with it, a small program that does the same with SQLite and JSON
//! alone, the baseline, which is a part of this one. Times of one machine say little about another, the ratio of the two
//! says more. The run ends with one table, in Markdown: what was measured, what it came to, what is wanted, and whether that
//! is reached. Nothing here is a test: `docs/performance.md` keeps what was measured.

mod bank;
mod baseline;
mod blocked;
mod child;
mod counts;
mod growth;
mod machine;
mod memory;
mod processes;
mod rebuild;
mod replay;
mod report;
mod send;
mod snapshots;
mod stores;
mod verify;
mod work;

use anyhow::{Context, Result, bail};
use report::Report;
use stores::Place;

/// A figure.
type Figure = fn(&Place, &mut Report) -> Result<()>;

/// All figures, in the order in which they are taken. `cold` and `blocked` come last: they add events.
const FIGURES: &[(&str, Figure)] = &[
    ("replay", replay::replay),
    ("moments", replay::moments),
    ("rebuild", rebuild::rebuild),
    ("batch", send::batch),
    ("one", send::one),
    ("verify", verify::verify),
    ("memory", memory::memory),
    ("snapshots", snapshots::snapshots),
    ("processes", processes::processes),
    ("growth", growth::events),
    ("streams", growth::streams),
    ("counts", counts::counts),
    ("cold", send::cold),
    ("blocked", blocked::blocked),
];

/// How many events the stores have, and with `--quick`.
const EVENTS: u64 = 1_000_000;
const FEW_EVENTS: u64 = 100_000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((baseline::HIDDEN, rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return baseline::run(rest);
    }
    if cfg!(debug_assertions) {
        bail!("figures are taken with release settings: `cargo bench --bench figures`");
    }
    let (mut events, mut streams, mut repeat, mut is_long) = (EVENTS, None, 5, false);
    let mut wanted = Vec::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut number = || -> Result<u64> {
            let number = rest.next().with_context(|| format!("`{argument}` needs a number"))?;
            number.parse().with_context(|| format!("`{argument} {number}`"))
        };
        match argument.as_str() {
            // What cargo adds.
            "--bench" => {}
            "--quick" => (events, repeat) = (FEW_EVENTS, 3),
            "--long" => is_long = true,
            "--events" => events = number()?,
            "--streams" => streams = Some(number()?),
            "--repeat" => repeat = number()?,
            name => match FIGURES.iter().find(|(known, _)| *known == name) {
                Some(figure) => wanted.push(figure),
                None => {
                    let names: Vec<_> = FIGURES.iter().map(|(name, _)| *name).collect();
                    bail!("there is no figure `{name}`; there are {}", names.join(", "));
                }
            },
        }
    }
    let streams = streams.unwrap_or((events / 100).max(1));
    if streams == 0 || streams > events || repeat == 0 {
        bail!("{events} events in {streams} streams, measured {repeat} times, cannot be");
    }
    let place = Place::new(events, streams, usize::try_from(repeat)?, is_long)?;
    let machine = machine::describe(Place::program(), &place.file(""), &arguments)?;
    let (count, of) = (report::thousands(events), report::thousands(streams));
    let head = format!("{machine}\n{count} events, {of} streams, {repeat} runs of each");
    println!("{head}");
    let mut report = Report::default();
    for (name, figure) in FIGURES {
        if wanted.is_empty() || wanted.iter().any(|(wanted, _)| wanted == name) {
            figure(&place, &mut report).with_context(|| format!("the figure `{name}`"))?;
        }
    }
    println!("\n{head}");
    report.print();
    Ok(())
}
