//! How much memory verbs have at most, where a store is large.

use crate::child::{Ran, run_to_file};
use crate::rebuild::rebuild_once;
use crate::report::{Report, megabytes, thousands};
use crate::stores::{Place, Rules};
use anyhow::Result;
use rusqlite::Connection;
use std::path::Path;

/// What may be had whatever the length, in bytes.
pub const CONSTANT: u64 = 64_000_000;

/// The figure.
pub fn memory(place: &Place, report: &mut Report) -> Result<()> {
    let (long, wide) = (place.long()?, place.wide()?);
    let (events, streams) = (thousands(place.events), thousands(place.streams));
    report.title("memory", &format!("the most there was at once, {events} events in one stream, and in {streams}"));
    // What is printed goes to a file: it counts as nobody's memory.
    let out = place.file("printed");
    let look = |rules: Rules, store: &Path, arguments: &[&str]| -> Result<Ran> {
        run_to_file(place.esctl_by(rules, store).args(arguments), &out, &[0])
    };
    let replayed = look(Rules::Unkept, &long.ours, &["replay", "account/0"])?;
    report.memory("replay", replayed.peak, CONSTANT);
    report.memory("send --batch", long.peak.max(wide.peak), CONSTANT);
    rebuild_once(place, &wide.ours, None)?;
    for (label, arguments) in [
        ("verify", &["verify"][..]),
        ("verify --log-only", &["verify", "--log-only"]),
        ("export", &["export"]),
        ("events", &["events"]),
        ("events -o ndjson", &["events", "-o", "ndjson"]),
    ] {
        let peak = look(Rules::Bank, &wide.ours, arguments)?.peak.max(look(Rules::Bank, &long.ours, arguments)?.peak);
        report.memory(label, peak, CONSTANT);
    }
    std::fs::remove_file(&out)?;
    let peak = rebuild_once(place, &wide.ours, None)?.peak;
    let rows = rows(&wide.ours)?;
    report.memory(&format!("rebuild, {} of rows", megabytes(rows)), peak, rows + CONSTANT);
    Ok(())
}

/// What the rows of the read model take in the store, in bytes, with their indexes.
fn rows(store: &Path) -> Result<u64> {
    let sql = "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name GLOB '*balances*'";
    Ok(u64::try_from(Connection::open(store)?.query_row(sql, [], |row| row.get::<_, i64>(0))?)?)
}
