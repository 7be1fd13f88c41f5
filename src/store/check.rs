//! What every store refuses before it touches anything.

use super::{Ahead, Column, ColumnKind, Decision, Failure, ProcessInfo, Step, StepKind, StoreError, Table};
use crate::event::{Head, MAX_LABEL_BYTES, MAX_PAYLOAD_BYTES, Position, StreamName, Version};

/// Names of the views that every store file has; no projection is named like one of them.
const VIEWS: [&str; 5] = ["events", "streams", "commands", "domains", "projections"];

/// Refuses a decision that must not be appended after `head`.
pub(super) fn decision(decision: &Decision<'_>, head: &Head) -> Result<(), StoreError> {
    let command = decision.command;
    if decision.events.is_empty() {
        return misuse(format!("the command `{}` has no events to store", command.id));
    }
    if let Some(last) = head.time
        && command.time < last
    {
        return misuse(format!(
            "the time {} of the command `{}` is before {last}, the time of the last event",
            command.time, command.id
        ));
    }
    let labels = [
        ("id", Some(&command.id)),
        ("actor", command.actor.as_ref()),
        ("correlation", command.correlation.as_ref()),
        ("causation", command.causation.as_ref()),
    ];
    for (what, text) in labels {
        if let Some(text) = text {
            limit(|| format!("the command's {what}"), text, MAX_LABEL_BYTES)?;
        }
    }
    limit(|| format!("the payload of `{}`", command.name), &command.data, MAX_PAYLOAD_BYTES)?;
    if let Some(meta) = &command.meta {
        limit(|| format!("the metadata of `{}`", command.name), meta, MAX_PAYLOAD_BYTES)?;
    }
    for event in decision.events {
        limit(|| format!("the payload of `{}`", event.kind), &event.data, MAX_PAYLOAD_BYTES)?;
    }
    Ok(())
}

fn limit(what: impl FnOnce() -> String, text: &str, most: usize) -> Result<(), StoreError> {
    if text.len() <= most {
        return Ok(());
    }
    Err(StoreError::Limit(format!("{} has {} bytes, a store keeps at most {most}", what(), text.len())))
}

/// Refuses a table that no store can keep.
pub(super) fn table(table: &Table) -> Result<(), StoreError> {
    let name = table.name.to_lowercase();
    if name.starts_with("es_") || name.starts_with("sqlite_") || VIEWS.contains(&name.as_str()) {
        return misuse(format!("no projection is named `{}`: the store uses that name itself", table.name));
    }
    if name.contains('\0') || table.columns.iter().any(|column| column.name.contains('\0')) {
        return misuse(format!("a name in the projection `{}` has a NUL character", table.name));
    }
    if key(table)?.kind == ColumnKind::Json {
        return misuse(format!("the key of the projection `{}` is neither text, number nor boolean", table.name));
    }
    for column in table.indexes.iter().flatten() {
        if !table.columns.iter().any(|known| known.name == *column) {
            return misuse(format!("an index of the projection `{}` names no column: `{column}`", table.name));
        }
    }
    Ok(())
}

/// Refuses a checkpoint that goes back or beyond the last event of the store.
pub(super) fn advance(from: Position, to: Position, head: Position) -> Result<(), StoreError> {
    if from <= to && to <= head {
        return Ok(());
    }
    misuse(format!("a checkpoint goes forward and not beyond the store's end at {head}, not from {from} to {to}"))
}

/// Refuses part of a step of a checkpoint that is none.
pub(super) fn advance_part(
    from: Position,
    before: Option<&Ahead>,
    to: &Ahead,
    head: Position,
) -> Result<(), StoreError> {
    advance(from, to.position, head)?;
    if before.is_none_or(|before| before.position == to.position && before.key < to.key) {
        return Ok(());
    }
    misuse("the parts of a step go to one position, in the order of the keys".to_owned())
}

/// Refuses to note events that do not lie in the step.
pub(super) fn parked(from: Position, to: Position, parked: &[Failure]) -> Result<(), StoreError> {
    match parked.iter().find(|failure| failure.position <= from || failure.position > to) {
        Some(failure) => misuse(format!("the event at {} is not between {from} and {to}", failure.position)),
        None => Ok(()),
    }
}

/// Refuses to keep a state of a version that is not there.
pub(super) fn snapshot(stream: &StreamName, version: Version, end: Version) -> Result<(), StoreError> {
    if Version(0) < version && version <= end {
        return Ok(());
    }
    misuse(format!("there is nothing to keep of `{stream}` at version {version}: it ends at version {end}"))
}

/// The key's column.
pub(super) fn key(table: &Table) -> Result<&Column, StoreError> {
    match table.columns.first() {
        Some(key) => Ok(key),
        None => misuse(format!("the projection `{}` has no columns", table.name)),
    }
}

/// Refuses a process whose checkpoint lies beyond the last event of the store.
pub(super) fn process(info: &ProcessInfo, head: Position) -> Result<(), StoreError> {
    if info.checkpoint <= head {
        return Ok(());
    }
    let (name, at) = (&info.name, info.checkpoint);
    misuse(format!("the process `{name}` has not routed what is not there: {at}, and the store ends at {head}"))
}

/// Refuses a step that does not follow the last one of its instance, or names no command where it must.
pub(super) fn step(step: &Step, process: &str, key: &str, last: u64) -> Result<(), StoreError> {
    if step.number.checked_sub(1) != Some(last) {
        let number = step.number;
        return misuse(format!("after the step {last} of the instance {key} of `{process}` comes no step {number}"));
    }
    if matches!(step.kind, StepKind::Sent | StepKind::Rejected) && step.command.is_none() {
        return misuse(format!("a step `{}` names its command", step.kind.name()));
    }
    Ok(())
}

/// What is said of a process that is not there.
pub(super) fn no_process(name: &str) -> StoreError {
    StoreError::Misuse(format!("there is no process `{name}`"))
}

/// What is said of an instance that is not there.
pub(super) fn no_instance(process: &str, key: &str) -> StoreError {
    StoreError::Misuse(format!("there is no instance {key} of the process `{process}`"))
}

/// What is said where a command was sent already.
pub(super) fn sent_before(id: &str) -> StoreError {
    StoreError::Misuse(format!("the command `{id}` was sent already"))
}

/// What is said where a turn is needed and there is none.
pub(super) fn no_turn() -> StoreError {
    StoreError::Misuse("nothing is appended or committed outside a turn".to_owned())
}

/// What is said where something in the turn failed half way and the turn was not rolled back.
pub(super) fn broken_turn() -> StoreError {
    StoreError::Misuse("nothing of this turn is stored: something in it failed before".to_owned())
}

/// What is said where there is a turn and must not be.
pub(super) fn in_turn() -> StoreError {
    StoreError::Misuse("a turn is going on already".to_owned())
}

/// What is said where the id of a new command is known.
pub(super) fn known_id(id: &str) -> StoreError {
    StoreError::Misuse(format!("a command with the id `{id}` is stored already"))
}

fn misuse<T>(words: String) -> Result<T, StoreError> {
    Err(StoreError::Misuse(words))
}
