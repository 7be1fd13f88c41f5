//! What it costs to ask whether events concern a process.

use crate::report::{Report, line, ratio, thousands};
use crate::stores::{Place, Rules};
use crate::work::{Until, write};
use anyhow::Result;

/// Commands, and their streams.
const COMMANDS: u64 = 50_000;
const STREAMS: u64 = 1_000;

/// The figure: every deposit and withdrawal is asked for its key, and none concerns an instance.
pub fn processes(place: &Place, report: &mut Report) -> Result<()> {
    let file = place.file("processes.ndjson");
    let commands = COMMANDS.min(place.events);
    let work = write(&file, STREAMS.min(commands), Until::Commands(commands))?;
    report.title("processes", &format!("{} commands, none concerns a process", thousands(work.commands)));
    let store = place.file("processes.db");
    let send = |rules, arguments: &[&str]| {
        Place::remove(&store);
        place.send_by(rules, &store, &file, arguments)
    };
    let (asked, unasked) =
        place.by_turns(|| send(Rules::Processes, &[]), || send(Rules::Processes, &["--no-react"]))?;
    let (none, _) = place.by_turns(|| send(Rules::Bank, &[]), || send(Rules::Bank, &["--no-react"]))?;
    Place::remove(&store);
    line("send --batch, keys asked", &asked, work.commands);
    line("send --batch --no-react", &unasked, work.commands);
    line("send --batch, a domain without processes", &none, work.commands);
    let each = asked.each(work.commands) - unasked.each(work.commands);
    let is = format!("{:.2} x the time with --no-react, {each:.2} µs an event", ratio(&asked, &unasked));
    report.know("asking each event's `key`", &is);
    Ok(())
}
