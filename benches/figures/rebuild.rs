//! `project rebuild`: how fast, and how much faster with two cores than with one.

use crate::bank::Cents;
use crate::child::{Ran, run};
use crate::report::{Goal, Report, Sample, line, ratio, thousands};
use crate::stores::Place;
use crate::work::Work;
use anyhow::{Result, ensure};
use rusqlite::Connection;
use std::path::Path;
use std::thread;

/// How much faster two cores are to be than one.
const GAIN: f64 = 1.7;

/// Rebuilds the read model, with so many threads where that is said.
pub fn rebuild_once(place: &Place, store: &Path, jobs: Option<&str>) -> Result<Ran> {
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
pub fn rebuild(place: &Place, report: &mut Report) -> Result<()> {
    let stores = place.wide()?;
    let events = place.events;
    report.title("rebuild", &format!("{} events, {} rows", thousands(events), thousands(place.streams)));
    let cores = thread::available_parallelism()?.get().to_string();
    let mut jobs = vec!["1", "2"];
    if !jobs.contains(&&*cores) {
        jobs.push(&cores);
    }
    let mut ours: Vec<Sample> = jobs.iter().map(|_| Sample::default()).collect();
    let mut baseline = Sample::default();
    for _ in 0..place.repeat {
        for (jobs, sample) in jobs.iter().zip(&mut ours) {
            sample.add(&rebuild_once(place, &stores.ours, Some(jobs))?);
            look_at_rows(&stores.ours, &stores.work)?;
        }
        baseline.add(&run(&mut place.baseline("rebuild", &stores.baseline), &place.file("out"))?);
        look_at_rows(&stores.baseline, &stores.work)?;
    }
    for (jobs, sample) in jobs.iter().zip(&ours) {
        line(&format!("esctl --jobs {jobs}"), sample, events);
    }
    line("baseline, one core", &baseline, events);
    for (jobs, sample) in jobs.iter().zip(&ours) {
        let label = format!("--jobs {jobs}, against one core of the baseline");
        if **jobs == *cores {
            report.compare(&label, (sample, &baseline), events, Goal::Speed(1.0));
        } else {
            report.know(&label, &format!("{:.2} x its speed", ratio(&baseline, sample)));
        }
    }
    if let [one, two, ..] = &ours[..] {
        let gain = ratio(one, two);
        let (is, wanted) = (format!("{gain:.2} x"), format!("at least {GAIN} x"));
        report.say("from one core to two", &is, &wanted, cores != "1" && gain >= GAIN);
    }
    Ok(())
}
