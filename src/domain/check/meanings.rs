//! What commands come to: each can do something, and each code of a rejection means one thing.

use super::{Checker, text_of};
use crate::domain::Aggregate;
use crate::script::facts::{Call, Facts};
use std::collections::BTreeMap;

impl Checker<'_> {
    /// A command that emits nothing changes nothing, whoever sends it.
    pub(super) fn emits_nothing(&mut self, aggregate: &Aggregate) {
        for (name, command) in &aggregate.commands {
            let facts = command.decide.facts();
            if facts.calls_of("emit").next().is_none() && facts.calls_of("emit_to").next().is_none() {
                self.warning(
                    "emits-nothing",
                    format!("the command `{name}` emits nothing: it never changes anything"),
                    &command.decide.text().whole(),
                    "let it emit the event that it asks for, or remove it",
                );
            }
        }
    }

    /// Programs tell rejections apart by their codes: two messages with one code are two meanings, or one too many.
    pub(super) fn two_meanings(&mut self, aggregate: &Aggregate) {
        let mut known: BTreeMap<&str, &str> = BTreeMap::new();
        for (code, message, call) in aggregate.commands.values().flat_map(|c| rejections(c.decide.facts())) {
            let first = *known.entry(code).or_insert(message);
            if first != message {
                self.warning(
                    "two-meanings",
                    format!("the code `{code}` has another message elsewhere: \"{first}\""),
                    &call.place,
                    "give what is another reason another code, or the same reason the same words",
                );
            }
        }
    }

    /// What has happened cannot be refused any more.
    pub(super) fn folds_that_throw(&mut self, aggregate: &Aggregate) {
        for rules in aggregate.rules.events.values() {
            let throws = rules.fold.iter().flat_map(|fold| fold.facts().throws.clone());
            for place in throws {
                self.warning(
                    "fold-fails",
                    format!("the fold of `{}` can fail: its streams cannot be read then", rules.name),
                    &place,
                    "refuse in the `decide`; an event says what has happened, and a fold takes it as it is",
                );
            }
        }
    }
}

/// The rejections whose message is written out: code, message, call.
fn rejections(facts: &Facts) -> impl Iterator<Item = (&str, &str, &Call)> {
    let of = |name, at| {
        facts.calls_of(name).filter_map(move |call| Some((text_of(call, at)?, text_of(call, at + 1)?, call)))
    };
    of("reject", 0).chain(of("require", 1))
}
