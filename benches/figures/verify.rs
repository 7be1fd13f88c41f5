//! `verify`, against hashing the same bytes.

use crate::child::run;
use crate::report::{Goal, Report, Sample, line, thousands};
use crate::stores::Place;
use anyhow::Result;

/// The figure.
pub fn verify(place: &Place, report: &mut Report) -> Result<()> {
    let stores = place.wide()?;
    report.title("verify", &format!("{} events", thousands(place.events)));
    let out = place.file("out");
    let mut whole = Sample::default();
    let (log, baseline) = place.by_turns(
        || {
            whole.add(&run(place.esctl(&stores.ours).arg("verify"), &out)?);
            run(place.esctl(&stores.ours).args(["verify", "--log-only"]), &out)
        },
        || run(&mut place.baseline("hash", &stores.ours), &out),
    )?;
    line("esctl verify --log-only", &log, place.events);
    line("esctl verify, with rows", &whole, place.events);
    line("baseline: bare SHA-256", &baseline, place.events);
    report.compare("the log, against a bare SHA-256", (&log, &baseline), place.events, Goal::Speed(0.5));
    // What the goal was set for is the log; computing all read models again on top is told beside it.
    let rows = format!("{:.2} x its speed", baseline.median().as_secs_f64() / whole.median().as_secs_f64());
    report.know("with read models computed again", &rows);
    Ok(())
}
