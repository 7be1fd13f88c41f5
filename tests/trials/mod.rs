//! The machine that tries to break the store: `docs/reliability.md` says what is tried, how often, and what came of it.

mod condition;
mod faults;
mod flips;
mod full;
mod fuzz;
mod kill;
mod power;
mod processes;
mod reactions;
mod rebuild;
mod seats;
mod sql;
mod tail;
mod text;
pub mod victim;

use crate::support::Outcome;

/// The ids of commands in lines of JSON.
fn ids(lines: &str) -> Vec<String> {
    let id = |line: &str| line.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
    lines.lines().filter_map(id).collect()
}

/// Whether that is what a verb says where no store is, or a file that nothing is in yet.
fn has_no_store(said: &Outcome) -> bool {
    said.stderr.contains("there is no store") || said.stderr.contains("is an empty file")
}
