//! Ids of the commands that processes send: they derive from what a command answers, so that the same answer has the same id.
//!
//! `transfer/t1@12.0` is the first command that the instance `t1` of `transfer` sends for the event at position 12. What
//! answers the rejection of that command has `@12.0!`, what answers a deadline that was set with it `@12+timeout`.

use crate::event::{MAX_LABEL_BYTES, Position, is_control};
use crate::json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The longest label that is kept as it is. An endless chain of deadlines makes ever longer ones.
const MAX_LABEL: usize = 96;

/// What answers an event.
pub(super) fn of_event(position: Position) -> String {
    format!("@{position}")
}

/// What answers the rejection of a command.
pub(super) fn of_rejection(command: &str) -> String {
    short(format!("{command}!"))
}

/// What answers a deadline that was set by what has a label.
pub(super) fn of_deadline(set_by: &str, name: &str) -> String {
    short(format!("{set_by}+{name}"))
}

/// The command in that place among those with one label.
pub(super) fn of_command(label: &str, order: usize) -> String {
    format!("{label}.{order}")
}

/// The id of a command with that label.
pub(super) fn id(process: &str, key: &Value, label: &str) -> Box<str> {
    let key = match key {
        Value::Text(text) => text.clone(),
        other => other.to_string(),
    };
    if process.len() + key.len() + label.len() < MAX_LABEL_BYTES
        && !key.chars().any(is_control)
        && !label.chars().any(is_control)
    {
        format!("{process}/{key}{label}").into()
    } else {
        format!("{process}/~{}", digest(&format!("{key}{label}"))).into()
    }
}

/// A label, or one that stands for it.
fn short(label: String) -> String {
    if label.len() <= MAX_LABEL { label } else { format!("~{}", digest(&label)) }
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(16).fold(String::with_capacity(32), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_say_what_they_answer() {
        let key = Value::Text("t1".to_owned());
        let event = of_event(Position(12));
        let first = of_command(&event, 0);
        assert_eq!(&*id("transfer", &key, &first), "transfer/t1@12.0");
        assert_eq!(&*id("transfer", &Value::Integer(7), &first), "transfer/7@12.0");
        assert_eq!(of_command(&of_rejection(&first), 0), "@12.0!.0");
        assert_eq!(of_command(&of_deadline(&event, "timeout"), 1), "@12+timeout.1");
        let long = Value::Text("x".repeat(2000));
        assert_eq!(id("transfer", &long, &first).len(), "transfer/~".len() + 32);
        assert_ne!(id("transfer", &long, &first), id("transfer", &long, &of_command(&event, 1)));
    }

    #[test]
    fn a_chain_without_end_has_ids_of_bounded_length() {
        let mut label = of_event(Position(1));
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            label = of_deadline(&label, "remind");
            assert!(label.len() <= MAX_LABEL);
            assert!(seen.insert(label.clone()), "{label} came twice");
        }
    }
}
