//! `send`: many commands in groups, one a commit, and one from a cold start.

use crate::child::{Ran, run_briefly};
use crate::report::{Goal, Report, Sample, line, ratio, thousands, time};
use crate::stores::{Place, by_turns};
use crate::work::{Until, Work, write};
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// Commands of `batch`, and their streams.
const BATCH: u64 = 200_000;
const BATCH_STREAMS: u64 = 1_000;
/// Commands of `one`, and their streams.
const ONE: u64 = 5_000;
const ONE_STREAMS: u64 = 100;
/// How many events the stream of `cold` has, about.
const COLD_STREAM: u64 = 100;
/// How many runs of `cold` there are for each run of the others.
const COLD_RUNS: usize = 30;
/// How much longer a send to the longest stream may take than one to a stream of a hundred events. With snapshots both fold a
/// few hundred; what is beyond is the machine's.
const EVEN: f64 = 1.5;

/// Commands for a figure that is about sending, no more than asked for.
fn commands(place: &Place, streams: u64, most: u64) -> Result<(PathBuf, Work)> {
    let file = place.file("batch.ndjson");
    let commands = most.min(place.events);
    let work = write(&file, streams.min(commands), Until::Commands(commands))?;
    Ok((file, work))
}

/// Sends the commands to new stores, by turns.
fn send(place: &Place, file: &Path, work: &Work, group: Option<&str>) -> Result<(Sample, Sample)> {
    let (ours, baseline) = (place.file("batch.db"), place.file("batch-baseline.db"));
    let look = |ran: Ran, outcome: &str| -> Result<Ran> {
        let receipts = std::fs::read_to_string(place.file("receipts"))?;
        let accepted = receipts.lines().filter(|line| line.contains(outcome)).count();
        ensure!(accepted as u64 == work.events, "{accepted} were accepted, not {}", work.events);
        Ok(ran)
    };
    let accepted = r#""outcome":"accepted""#;
    let samples = place.by_turns(
        || {
            Place::remove(&ours);
            look(place.send(&ours, file, group)?, accepted)
        },
        || {
            Place::remove(&baseline);
            look(place.send_baseline(&baseline, file, group)?, accepted)
        },
    )?;
    Place::remove(&ours);
    Place::remove(&baseline);
    Ok(samples)
}

fn sent(work: &Work, streams: u64) -> String {
    let rejected = work.commands - work.events;
    format!("{} commands, {rejected} rejected, {} streams", thousands(work.commands), thousands(streams))
}

/// `send --batch`.
pub fn batch(place: &Place, report: &mut Report) -> Result<()> {
    let (file, work) = commands(place, BATCH_STREAMS, BATCH)?;
    report.title("batch", &sent(&work, BATCH_STREAMS));
    let (ours, baseline) = send(place, &file, &work, None)?;
    line("esctl send --batch", &ours, work.commands);
    line("baseline, 1,000 a commit", &baseline, work.commands);
    report.compare("send --batch, durable", (&ours, &baseline), work.commands, Goal::Speed(0.6));
    Ok(())
}

/// `send --batch --group 1`.
pub fn one(place: &Place, report: &mut Report) -> Result<()> {
    let (file, work) = commands(place, ONE_STREAMS, ONE)?;
    report.title("one", &format!("{}, one a commit", sent(&work, ONE_STREAMS)));
    let (ours, baseline) = send(place, &file, &work, Some("1"))?;
    line("esctl send --batch --group 1", &ours, work.commands);
    line("baseline", &baseline, work.commands);
    report.compare("send --batch --group 1, one a commit", (&ours, &baseline), work.commands, Goal::Speed(0.8));
    Ok(())
}

/// One `send` from a cold start, to a short stream and to a long one.
pub fn cold(place: &Place, report: &mut Report) -> Result<()> {
    let stores = place.wide()?;
    let (number, version) = stores.work.account_of_about(COLD_STREAM)?;
    report.title("cold", &format!("one send, {} events in the store", thousands(place.events)));
    let stream = format!("account/{number}");
    let data = ["amount=1.5", "ref=cold", "channel=transfer", "-o", "json"];
    let check = |ran: Ran| -> Result<Ran> {
        ensure!(ran.out.contains(r#""outcome":"accepted""#), "got {}", ran.out);
        Ok(ran)
    };
    let send = |store: &Path, stream: &str| {
        check(run_briefly(place.esctl(store).args(["send", stream, "Deposit"]).args(data))?)
    };
    let fields = [r#""amount":1.5"#, r#""ref":"cold""#, r#""channel":"transfer""#].join(",");
    let text = format!(r#"{{"stream":"{stream}","command":"Deposit","data":{{{fields}}}}}"#);
    let runs = place.repeat * COLD_RUNS;
    let (ours, baseline) = by_turns(
        runs,
        || send(&stores.ours, &stream),
        || check(run_briefly(place.baseline("cold", &stores.baseline).arg(&text))?),
    )?;
    line(&format!("esctl send, {version} events in the stream"), &ours, 1);
    line("baseline", &baseline, 1);
    report.compare(&format!("one send, {version} events in its stream"), (&ours, &baseline), 1, Goal::Time(2.0));
    let stores = place.long()?;
    let (long, short) = by_turns(runs, || send(&stores.ours, "account/0"), || send(&place.wide()?.ours, &stream))?;
    line(&format!("esctl send, {} events in the stream", thousands(place.events)), &long, 1);
    line(&format!("esctl send, {version} events in the stream"), &short, 1);
    let times = ratio(&long, &short);
    let is = format!("{times:.2} x: {}, the shorter {}", time(long.median()), time(short.median()));
    let label = format!("stream of {}, against {version}", thousands(place.events));
    report.say(&label, &is, &format!("at most {EVEN} x"), times <= EVEN);
    Ok(())
}
