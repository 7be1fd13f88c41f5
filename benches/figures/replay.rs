//! `replay`: of a whole stream, and of any moment in it.

use crate::bank::Cents;
use crate::child::{Ran, run, run_briefly};
use crate::report::{Goal, Report, Sample, line, thousands, time};
use crate::stores::{Place, Rules};
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::time::Duration;

/// How long a moment anywhere in a stream may take.
const MOMENT: Duration = Duration::from_millis(20);
/// How many moments are asked for.
const MOMENTS: u64 = 20;

#[derive(Deserialize)]
struct State {
    balance: Cents,
}

#[derive(Deserialize)]
struct Replayed {
    version: u64,
    state: State,
}

fn replayed(ran: &Ran) -> Result<Replayed> {
    serde_json::from_str(&ran.out).with_context(|| ran.out.clone())
}

/// One long stream, from its first event to its last: by a domain that asks for no snapshots, which would leave nothing to
/// fold.
pub fn replay(place: &Place, report: &mut Report) -> Result<()> {
    let stores = place.long()?;
    report.title("replay", &format!("one stream of {} events", thousands(place.events)));
    let out = place.file("out");
    let check = |ran: Ran| -> Result<Ran> {
        let Replayed { version, state } = replayed(&ran)?;
        ensure!(version == place.events && state.balance == stores.work.total(), "got {}", ran.out);
        Ok(ran)
    };
    let (ours, baseline) = place.by_turns(
        || check(run(place.esctl_by(Rules::Unkept, &stores.ours).args(["replay", "account/0", "-o", "json"]), &out)?),
        || check(run(place.baseline("replay", &stores.baseline).arg("account/0"), &out)?),
    )?;
    line("esctl replay", &ours, place.events);
    line("baseline", &baseline, place.events);
    report.compare("one stream, one core", (&ours, &baseline), place.events, Goal::Speed(0.5));
    Ok(())
}

/// `replay --at`, here and there in the same stream, with its snapshots.
pub fn moments(place: &Place, report: &mut Report) -> Result<()> {
    let stores = place.long()?;
    report.title("moments", &format!("replay --at, {MOMENTS} moments in {} events", thousands(place.events)));
    let (mut all, mut slowest) = (Sample::default(), Duration::ZERO);
    for moment in 1..=MOMENTS {
        // Never at a snapshot, mostly: the last of them is as far away as it can be.
        let version = (place.events * moment / MOMENTS).saturating_sub(1).max(1);
        let mut sample = Sample::default();
        for _ in 0..place.repeat {
            let at = version.to_string();
            let ran = run_briefly(place.esctl(&stores.ours).args(["replay", "account/0", "--at", &at, "-o", "json"]))?;
            ensure!(replayed(&ran)?.version == version, "got {}", ran.out);
            sample.time(ran.took);
            all.time(ran.took);
        }
        slowest = slowest.max(sample.median());
    }
    line("esctl replay --at", &all, 1);
    let is = format!("{} in the slowest place, {} in the middle", time(slowest), time(all.median()));
    report.say("replay --at, anywhere in it", &is, &format!("at most {}", time(MOMENT)), slowest <= MOMENT);
    Ok(())
}
