//! What esctl costs, and how that compares with the least it could cost:
//! `cargo bench --bench figures -- [NAME…] [--events N] [--streams N] [--repeat N]`.
//!
//! Each figure runs the release binary and, by turns with it, a small program that does the same with SQLite and JSON
//! alone, the baseline, which is a part of this one. Times of one machine say little about another, the ratio of the two
//! says more. Nothing here is a test: `docs/performance.md` keeps what was measured.

mod bank;
mod baseline;
mod blocked;
mod child;
mod figures;
mod report;
mod stores;
mod work;

use anyhow::{Context, Result, bail};
use stores::Place;

/// A figure.
type Figure = fn(&Place) -> Result<()>;

/// All figures, in the order in which they are taken. `cold` and `blocked` come last: they add events.
const FIGURES: &[(&str, Figure)] = &[
    ("replay", figures::replay),
    ("rebuild", figures::rebuild),
    ("batch", figures::batch),
    ("one", figures::one),
    ("verify", figures::verify),
    ("growth", figures::growth),
    ("cold", figures::cold),
    ("blocked", blocked::blocked),
];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((baseline::HIDDEN, rest)) = arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        return baseline::run(rest);
    }
    if cfg!(debug_assertions) {
        bail!("figures are taken with release settings: `cargo bench --bench figures`");
    }
    let (mut events, mut streams, mut repeat) = (1_000_000, None, 5);
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
    let streams = streams.unwrap_or(events / 100);
    if streams == 0 || streams > events || repeat == 0 {
        bail!("{events} events in {streams} streams, measured {repeat} times, cannot be");
    }
    let place = Place::new(events, streams, usize::try_from(repeat)?)?;
    report::head(Place::program(), &place.file(""))?;
    println!("{} events, {} streams, {repeat} runs of each", report::thousands(events), report::thousands(streams));
    for (name, figure) in FIGURES {
        if wanted.is_empty() || wanted.iter().any(|(wanted, _)| wanted == name) {
            figure(&place).with_context(|| format!("the figure `{name}`"))?;
        }
    }
    Ok(())
}
