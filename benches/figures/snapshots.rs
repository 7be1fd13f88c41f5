//! What snapshots cost who sends.

use crate::report::{Report, line, ratio, thousands};
use crate::stores::{Place, Rules};
use crate::work::{Until, write};
use anyhow::Result;

/// Commands, all to one stream: nothing makes more snapshots.
const COMMANDS: u64 = 50_000;

/// The figure.
pub fn snapshots(place: &Place, report: &mut Report) -> Result<()> {
    let file = place.file("snapshots.ndjson");
    let work = write(&file, 1, Until::Commands(COMMANDS.min(place.events)))?;
    report.title(
        "snapshots",
        &format!("{} commands to one stream, with snapshots and without", thousands(work.commands)),
    );
    let store = place.file("snapshots.db");
    let send = |rules| {
        Place::remove(&store);
        place.send_by(rules, &store, &file, &[])
    };
    let (with, without) = place.by_turns(|| send(Rules::Bank), || send(Rules::Unkept))?;
    Place::remove(&store);
    line("send --batch, one for 500 events", &with, work.commands);
    line("send --batch, none", &without, work.commands);
    report.know("what they add to send --batch", &format!("{:.2} x the time without", ratio(&with, &without)));
    Ok(())
}
