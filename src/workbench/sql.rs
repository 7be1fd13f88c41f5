//! `sql`: which read models a statement is about.

use crate::domain::Domains;
use std::collections::BTreeSet;

/// Views and tables that are no read models and never will be: the log, and what SQLite brings along.
const LOG: &[&str] = &["events", "streams", "commands", "domains", "projections", "json_each", "json_tree"];

/// Whether a statement that reads these tables and views, in lower case, is about anything but the log.
pub fn reads_more_than_the_log(reads: &BTreeSet<String>) -> bool {
    let of_the_log =
        |name: &str| name.is_empty() || LOG.contains(&name) || name.starts_with("es_") || name.starts_with("sqlite_");
    reads.iter().any(|name| !of_the_log(name))
}

/// The projections of the domain among these tables and views, in lower case.
pub fn read_by(domains: &Domains, reads: &BTreeSet<String>) -> Vec<String> {
    let names = domains.projections().map(|projection| projection.name.to_string());
    names.filter(|name| reads.iter().any(|read| is_of(read, &name.to_lowercase()))).collect()
}

/// The projections that a statement names, whatever the words mean in it.
pub fn named_by(domains: &Domains, sql: &str) -> Vec<String> {
    let lower = sql.to_lowercase();
    let words: BTreeSet<&str> = lower.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let names = domains.projections().map(|projection| projection.name.to_string());
    names.filter(|name| words.contains(name.to_lowercase().as_str())).collect()
}

/// The view of a projection, or the table of one of its fillings.
fn is_of(read: &str, name: &str) -> bool {
    let filling = |rest: &str| rest.strip_prefix("__").is_some_and(|number| number.bytes().all(|b| b.is_ascii_digit()));
    read.strip_prefix(name).is_some_and(|rest| rest.is_empty() || filling(rest))
}
