//! What an event costs, in stores of several sizes, and in one, two, many streams.

use crate::child::run;
use crate::memory::CONSTANT;
use crate::rebuild::rebuild_once;
use crate::report::{Report, Sample, megabytes, thousands};
use crate::stores::{Place, Rules};
use crate::work::{Until, write};
use anyhow::Result;
use std::path::Path;

/// How many events there are.
const SIZES: [u64; 4] = [10_000, 100_000, 1_000_000, 10_000_000];
/// The largest of them but with `--long`, and but where more was asked for.
const USUAL: u64 = 1_000_000;
/// From here on a thing is measured once: it is long enough to be sure of it.
const ONCE: u64 = 1_000_000;
/// How many streams there are, and of how many events each at least.
const STREAMS: [u64; 4] = [1, 100, 10_000, 100_000];
/// How many events they have together.
const IN_STREAMS: u64 = 200_000;
/// How much more an event may cost in the largest store than in the one where it costs least: flat, but for the machine.
const FLAT: f64 = 1.5;

/// What is measured. The last one is the baseline's `batch`.
const KINDS: [&str; 5] = ["batch", "rebuild", "replay", "verify", "baseline"];

/// What an event costs in one store, in microseconds, and how much memory each kind had at most.
struct Costs {
    size: u64,
    each: [f64; 5],
    peaks: [u64; 5],
}

/// From few events to many, in streams of 100.
pub fn events(place: &Place, report: &mut Report) -> Result<()> {
    report.title(
        "growth",
        "the cost of an event, in microseconds; 100 events a stream, `replay` of one with all of them",
    );
    let most = if place.is_long { SIZES[3] } else { place.events.min(USUAL) };
    let sizes = SIZES.into_iter().filter(|size| *size <= most);
    head("events");
    let costs: Vec<Costs> = sizes.map(|events| costs(place, events, events, events / 100)).collect::<Result<_>>()?;
    compare(report, &costs, "events");
    let (Some(first), Some(last)) = (costs.first(), costs.last()) else { return Ok(()) };
    for (at, kind) in KINDS.iter().enumerate().filter(|(_, kind)| !["rebuild", "baseline"].contains(kind)) {
        let sizes = format!("{} to {} events", thousands(first.size), thousands(last.size));
        let peak = costs.iter().map(|costs| costs.peaks[at]).max().unwrap_or(0);
        report.memory(&format!("memory of {kind}, {sizes}"), peak, CONSTANT);
    }
    Ok(())
}

/// From one stream to many, with as many events.
pub fn streams(place: &Place, report: &mut Report) -> Result<()> {
    let events = IN_STREAMS.min(place.events);
    report.title("streams", &format!("the cost of an event, in microseconds; {} events", thousands(events)));
    let sizes = STREAMS.into_iter().filter(|streams| streams * 2 <= events);
    head("streams");
    let costs: Vec<Costs> = sizes.map(|streams| costs(place, streams, events, streams)).collect::<Result<_>>()?;
    compare(report, &costs, "streams");
    Ok(())
}

fn head(of: &str) {
    println!("  {of:>10}{}", KINDS.map(|kind| format!(" {kind:>10}")).concat());
}

/// Makes stores with so many events in so many streams, and measures all kinds.
fn costs(place: &Place, size: u64, events: u64, streams: u64) -> Result<Costs> {
    let file = place.file("growth.ndjson");
    let out = place.file("out");
    let (ours, baseline, long) = (place.file("grown.db"), place.file("grown-baseline.db"), place.file("long-grown.db"));
    let mut samples: [Sample; 5] = Default::default();
    write(&file, 1, Until::Events(events))?;
    place.send(&long, &file, None)?;
    write(&file, streams, Until::Events(events))?;
    for _ in 0..if events >= ONCE { 1 } else { place.repeat.min(3) } {
        Place::remove(&ours);
        Place::remove(&baseline);
        samples[0].add(&place.send(&ours, &file, None)?);
        samples[1].add(&rebuild_once(place, &ours, None)?);
        samples[2].add(&run(place.esctl_by(Rules::Unkept, &long).args(["replay", "account/0"]), &out)?);
        samples[3].add(&run(place.esctl(&ours).args(["verify", "--log-only"]), &out)?);
        samples[4].add(&place.send_baseline(&baseline, &file, None)?);
    }
    for store in [&ours, &baseline, &long] {
        Place::remove(store);
    }
    remove(&file)?;
    let costs = Costs {
        size,
        each: samples.each_ref().map(|sample| sample.each(events)),
        peaks: samples.each_ref().map(Sample::peak),
    };
    let cells = |cells: [String; 5]| cells.map(|cell| format!(" {cell:>10}")).concat();
    println!("  {:>10}{}", thousands(size), cells(costs.each.map(|each| format!("{each:.2}"))));
    println!("  {:>10}{}", "", cells(costs.peaks.map(megabytes)));
    Ok(costs)
}

fn remove(file: &Path) -> Result<()> {
    Ok(std::fs::remove_file(file)?)
}

/// Whether an event costs as much in the largest store as in those before it.
fn compare(report: &mut Report, costs: &[Costs], of: &str) {
    let [before @ .., last] = costs else { return };
    let [first, ..] = before else {
        return report.skip("growth", "there is only one size to look at; ask for more --events");
    };
    let growth = |at: usize| {
        let lowest = before.iter().map(|costs| costs.each[at]).fold(f64::INFINITY, f64::min);
        last.each[at] / lowest
    };
    for (at, kind) in KINDS.iter().enumerate() {
        let times = growth(at);
        let sizes = format!("{} to {} {of}", thousands(first.size), thousands(last.size));
        let is = format!("{times:.2} x, {:.2} to {:.2} µs an event", first.each[at], last.each[at]);
        if *kind == "baseline" {
            report.know(&format!("the baseline's batch, {sizes}"), &is);
        } else if of == "streams" && *kind == "replay" {
            // It is of one stream, whatever others there are: nothing grows.
        } else {
            report.say(&format!("{kind}, {sizes}"), &is, &format!("at most {FLAT} x"), times <= FLAT);
        }
    }
}
