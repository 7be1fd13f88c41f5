//! The figures that are one run after the other.

use crate::bank::Cents;
use crate::child::{Ran, run, run_briefly};
use crate::report::{Goal, Sample, compare, line, ratio, say, thousands, title};
use crate::stores::Place;
use crate::work::{Until, Work, write};
use anyhow::{Context, Result, ensure};
use rusqlite::Connection;
use serde::Deserialize;
use std::path::Path;
use std::thread;

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
/// The sizes of `growth`.
const GROWTH: [u64; 3] = [10_000, 100_000, 1_000_000];

/// Runs both by turns, so that what else the machine does hits both alike.
fn by_turns(
    repeat: usize,
    mut ours: impl FnMut() -> Result<Ran>,
    mut baseline: impl FnMut() -> Result<Ran>,
) -> Result<(Sample, Sample)> {
    let mut samples = (Sample::default(), Sample::default());
    for _ in 0..repeat {
        samples.0.add(&ours()?);
        samples.1.add(&baseline()?);
    }
    Ok(samples)
}

/// Commands for a figure that is about sending, no more than asked for.
fn commands(place: &Place, streams: u64, most: u64) -> Result<(std::path::PathBuf, Work)> {
    let file = place.file("batch.ndjson");
    let commands = most.min(place.events);
    let work = write(&file, streams.min(commands), Until::Commands(commands))?;
    Ok((file, work))
}

/// `replay` of one long stream.
pub fn replay(place: &Place) -> Result<()> {
    #[derive(Deserialize)]
    struct State {
        balance: Cents,
    }
    #[derive(Deserialize)]
    struct Replayed {
        version: u64,
        state: State,
    }
    let stores = place.long()?;
    title("replay", &format!("one stream of {} events", thousands(place.events)));
    let out = place.file("out");
    let check = |ran: Ran| -> Result<Ran> {
        let replayed: Replayed = serde_json::from_str(&ran.out).with_context(|| ran.out.clone())?;
        ensure!(replayed.version == place.events && replayed.state.balance == stores.work.total(), "got {}", ran.out);
        Ok(ran)
    };
    let (ours, baseline) = by_turns(
        place.repeat,
        || check(run(place.esctl(&stores.ours).args(["replay", "account/0", "-o", "json"]), &out)?),
        || check(run(place.baseline("replay", &stores.baseline).arg("account/0"), &out)?),
    )?;
    line("esctl replay", &ours, place.events);
    line("baseline", &baseline, place.events);
    compare("ratio", &ours, &baseline, Goal::Speed(0.5));
    Ok(())
}

/// Whether that esctl rebuilds with several threads.
pub fn knows_jobs(place: &Place) -> Result<bool> {
    let help = run_briefly(place.esctl(Path::new("none")).args(["project", "rebuild", "--help"]))?;
    Ok(help.out.contains("--jobs"))
}

/// Rebuilds the read model, with so many threads where that can be said.
fn rebuild_once(place: &Place, store: &Path, jobs: Option<&str>) -> Result<Ran> {
    let mut command = place.esctl(store);
    command.args(["project", "rebuild", "balances"]);
    command.args(jobs.iter().flat_map(|jobs| ["--jobs", jobs]));
    run(&mut command, &place.file("out"))
}

/// Looks that the rows are what the events give.
fn look_at_rows(store: &Path, work: &Work) -> Result<()> {
    let (rows, sum): (i64, f64) =
        Connection::open(store)?
            .query_row("SELECT count(*), sum(balance) FROM balances", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let opened = work.accounts.iter().filter(|(_, version)| *version > 0).count();
    #[expect(clippy::cast_possible_truncation, reason = "amounts stay far below 2^53")]
    let sum = Cents((sum * 100.0).round() as i64);
    let total = work.total();
    ensure!(
        u64::try_from(rows)? == opened as u64 && sum == total,
        "{rows} rows with {sum:?}, not {opened} with {total:?}: {}",
        store.display()
    );
    Ok(())
}

/// `project rebuild` of one row for each stream.
pub fn rebuild(place: &Place) -> Result<()> {
    let stores = place.wide()?;
    let events = place.events;
    title("rebuild", &format!("{} events, {} rows", thousands(events), thousands(place.streams)));
    let cores = thread::available_parallelism()?.get().to_string();
    let mut jobs: Vec<Option<&str>> = vec![Some("1"), Some("2")];
    if knows_jobs(place)? {
        if !jobs.contains(&Some(&cores)) {
            jobs.push(Some(&cores));
        }
    } else {
        println!("  SKIPPED: this esctl has no `--jobs`; it rebuilds in its own way");
        jobs = vec![None];
    }
    let mut ours: Vec<Sample> = jobs.iter().map(|_| Sample::default()).collect();
    let mut baseline = Sample::default();
    for _ in 0..place.repeat {
        for (jobs, sample) in jobs.iter().zip(&mut ours) {
            sample.add(&rebuild_once(place, &stores.ours, *jobs)?);
            look_at_rows(&stores.ours, &stores.work)?;
        }
        baseline.add(&run(&mut place.baseline("rebuild", &stores.baseline), &place.file("out"))?);
        look_at_rows(&stores.baseline, &stores.work)?;
    }
    for (jobs, sample) in jobs.iter().zip(&ours) {
        let label = jobs.map_or_else(|| "esctl".to_owned(), |jobs| format!("esctl --jobs {jobs}"));
        line(&label, sample, events);
    }
    line("baseline, one core", &baseline, events);
    for (jobs, sample) in jobs.iter().zip(&ours) {
        let label = jobs.map_or_else(|| "ratio".to_owned(), |jobs| format!("ratio, --jobs {jobs}"));
        compare(&label, sample, &baseline, Goal::Speed(1.0));
    }
    if let [one, two, ..] = &ours[..] {
        let gain = ratio(one, two);
        say("from one job to two", &format!("{gain:.2} x"), "at least 1.7", gain >= 1.7);
    }
    Ok(())
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
    let samples = by_turns(
        place.repeat,
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
pub fn batch(place: &Place) -> Result<()> {
    let (file, work) = commands(place, BATCH_STREAMS, BATCH)?;
    title("batch", &sent(&work, BATCH_STREAMS));
    let (ours, baseline) = send(place, &file, &work, None)?;
    line("esctl send --batch", &ours, work.commands);
    line("baseline, 1,000 a commit", &baseline, work.commands);
    compare("ratio", &ours, &baseline, Goal::Speed(0.6));
    Ok(())
}

/// `send --batch --group 1`.
pub fn one(place: &Place) -> Result<()> {
    let (file, work) = commands(place, ONE_STREAMS, ONE)?;
    title("one", &format!("{}, one a commit", sent(&work, ONE_STREAMS)));
    let (ours, baseline) = send(place, &file, &work, Some("1"))?;
    line("esctl send --batch --group 1", &ours, work.commands);
    line("baseline", &baseline, work.commands);
    compare("ratio", &ours, &baseline, Goal::Speed(0.8));
    Ok(())
}

/// One `send` from a cold start.
pub fn cold(place: &Place) -> Result<()> {
    let stores = place.wide()?;
    let (number, version) = stores.work.account_of_about(COLD_STREAM)?;
    title("cold", &format!("one send, {} events in the store, {version} in the stream", thousands(place.events)));
    let fields = [r#""amount":1.5"#, r#""ref":"cold""#, r#""channel":"transfer""#].join(",");
    let stream = format!("account/{number}");
    let text = format!(r#"{{"stream":"{stream}","command":"Deposit","data":{{{fields}}}}}"#);
    let check = |ran: Ran| -> Result<Ran> {
        ensure!(ran.out.contains(r#""outcome":"accepted""#), "got {}", ran.out);
        Ok(ran)
    };
    let data = ["amount=1.5", "ref=cold", "channel=transfer", "-o", "json"];
    let (ours, baseline) = by_turns(
        place.repeat * COLD_RUNS,
        || check(run_briefly(place.esctl(&stores.ours).args(["send", &stream, "Deposit"]).args(data))?),
        || check(run_briefly(place.baseline("cold", &stores.baseline).arg(&text))?),
    )?;
    line("esctl send", &ours, 1);
    line("baseline", &baseline, 1);
    compare("ratio", &ours, &baseline, Goal::Time(2.0));
    Ok(())
}

/// `verify`, against hashing the same bytes.
pub fn verify(place: &Place) -> Result<()> {
    let stores = place.wide()?;
    title("verify", &format!("{} events", thousands(place.events)));
    let out = place.file("out");
    let mut whole = Sample::default();
    let (log, baseline) = by_turns(
        place.repeat,
        || {
            whole.add(&run(place.esctl(&stores.ours).arg("verify"), &out)?);
            run(place.esctl(&stores.ours).args(["verify", "--log-only"]), &out)
        },
        || run(&mut place.baseline("hash", &stores.ours), &out),
    )?;
    line("esctl verify --log-only", &log, place.events);
    line("esctl verify, with rows", &whole, place.events);
    line("baseline: bare SHA-256", &baseline, place.events);
    compare("ratio, --log-only", &log, &baseline, Goal::Speed(0.5));
    compare("ratio, with rows", &whole, &baseline, Goal::Speed(0.5));
    Ok(())
}

/// What an event costs in stores of several sizes.
pub fn growth(place: &Place) -> Result<()> {
    title("growth", "the cost of an event, in microseconds; 100 events a stream");
    println!(
        "  {:>10} {:>10} {:>10} {:>10} {:>10} {:>10}",
        "events", "batch", "rebuild", "replay", "verify", "baseline's"
    );
    for events in GROWTH.into_iter().filter(|events| *events <= place.events) {
        let file = place.file("growth.ndjson");
        let (ours, baseline, long) =
            (place.file("grown.db"), place.file("grown-baseline.db"), place.file("long-grown.db"));
        #[expect(clippy::cast_precision_loss)]
        let each = |sample: &Sample| sample.median().as_secs_f64() * 1e6 / events as f64;
        let mut samples: [Sample; 5] = Default::default();
        write(&file, 1, Until::Events(events))?;
        place.send(&long, &file, None)?;
        write(&file, events / 100, Until::Events(events))?;
        for _ in 0..place.repeat.min(3) {
            Place::remove(&ours);
            Place::remove(&baseline);
            samples[0].add(&place.send(&ours, &file, None)?);
            samples[1].add(&rebuild_once(place, &ours, None)?);
            samples[2].add(&run(place.esctl(&long).args(["replay", "account/0"]), &place.file("out"))?);
            samples[3].add(&run(place.esctl(&ours).args(["verify", "--log-only"]), &place.file("out"))?);
            samples[4].add(&place.send_baseline(&baseline, &file, None)?);
        }
        let [batch, rebuild, replay, verify, limit] = samples.each_ref().map(each);
        println!(
            "  {:>10} {batch:>10.2} {rebuild:>10.2} {replay:>10.2} {verify:>10.2} {limit:>10.2}",
            thousands(events)
        );
        for store in [&ours, &baseline, &long] {
            Place::remove(store);
        }
    }
    Ok(())
}
