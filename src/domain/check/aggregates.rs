//! Aggregates: states, commands, invariants.

use super::events::Around;
use super::kinds::{self, Wants};
use super::{Checker, Purpose, WORDS, emitted};
use crate::domain::definition::{AggregateDefinition, Named, StateDefinition};
use crate::domain::fields::{Fields, Type};
use crate::domain::{Aggregate, digest};
use crate::json::Object;
use crate::script::fold::StreamRules;
use crate::script::kinds::Kind;
use crate::script::state::{Pin, StateField, StateRules};
use crate::script::{Host, Library, fold};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::rc::Rc;

impl Checker<'_> {
    pub(super) fn aggregate(
        &mut self,
        host: &Host,
        library: &Rc<Library>,
        file: usize,
        definition: AggregateDefinition,
    ) -> Option<Aggregate> {
        let name = definition.name.text.clone();
        let mut whole = true;
        let state = kinds::state(&name, &definition.state);
        self.states.insert(name.clone(), state.clone());
        let states = states(&definition.state);
        let past = |event: &str| self.names.pasts.get(&(name.clone(), event.to_owned())).map(|past| &**past);
        let digest = digest::of_fold(&definition, |field| pin(field.pinned.as_ref()), past, library.text());
        let former = self.former(&name, &definition.events, &definition.retired);
        let around = Around { host, library, aggregate: &name, state: &state };
        let events = self.events(&around, definition.events);
        whole &= events.is_some();
        let (events, event_rules) = events.unwrap_or_default();
        let mut commands = IndexMap::new();
        for command in definition.commands {
            if let Some(event) = events.get(command.name.text.as_str()) {
                let line = event.place.line();
                self.problem(
                    "duplicate-name",
                    format!("`{}` is an event of `{name}` already", command.name.text),
                    &command.name.place,
                )
                .hints
                .push(format!(
                    "the event is on line {line}; commands ask (`Open`), events say what happened (`Opened`)"
                ));
            }
            match self.command(host, library, &name, &state, command) {
                Some((command, rules)) => {
                    commands.insert(Box::from(command.as_str()), rules);
                }
                None => whole = false,
            }
        }
        let mut invariants = Vec::new();
        let mut named = Vec::new();
        for (invariant, text) in definition.invariants {
            let purpose = Purpose {
                scope: fold::INVARIANT_SCOPE,
                kinds: vec![("state", Kind::Record(state.clone())), ("version", Kind::Integer)],
                aggregate: &name,
                wants: Wants::Truth,
                changes: "",
                calls: &[],
                what: "an invariant",
            };
            match self.script(host, library, text, &purpose) {
                Some(script) => {
                    named.push((Box::from(invariant.text.as_str()), invariant.place));
                    invariants.push((invariant.text.into(), script));
                }
                None => whole = false,
            }
        }
        if !whole {
            return None;
        }
        let rules = Rc::new(StreamRules::new(&name, states, (event_rules, former), invariants));
        let description = definition.description;
        let snapshot = definition.snapshot;
        Some(Aggregate {
            name: name.into(),
            description,
            file,
            commands,
            events,
            invariants: named,
            rules,
            digest,
            snapshot,
        })
    }

    /// Events that no decision can give. What `emit_to` writes into other streams counts.
    pub(super) fn never_emitted(&mut self, aggregates: &BTreeMap<Box<str>, Aggregate>) {
        let emitted = emitted(aggregates.values());
        for aggregate in aggregates.values() {
            for (event, kind) in &aggregate.events {
                if !emitted.contains(&(&*aggregate.name, &**event)) {
                    self.warning(
                        "never-emitted",
                        format!("no command emits `{event}`"),
                        &kind.place,
                        "emit it, or remove it",
                    );
                }
            }
        }
    }

    /// Fields that cannot be written after a dot.
    pub(super) fn words(&mut self, fields: &Fields, named: &Named, root: &str) {
        for field in fields.iter().filter(|f| WORDS.contains(&f.name.as_str()) || f.name.contains('-')) {
            self.warning(
                "reserved-word",
                format!("the field `{}` of `{}` cannot be written `{root}.{}`", field.name, named.text, field.name),
                &named.place,
                &format!("write `{root}[\"{}\"]`, or give it another name", field.name),
            );
        }
    }
}

/// What states with these fields are like.
pub(super) fn states(definition: &[StateDefinition]) -> StateRules {
    let field =
        |field: &StateDefinition| StateField { name: field.name.text.as_str().into(), pin: pin(field.pinned.as_ref()) };
    let initial: Object = definition.iter().map(|field| (field.name.text.clone(), field.initial.clone())).collect();
    StateRules::new(initial, definition.iter().map(field).collect())
}

/// What a state field is held to.
pub(super) fn pin(kind: Option<&Type>) -> Pin {
    match kind {
        Some(Type::Decimal(_)) => Pin::Decimal,
        Some(Type::Integer(_)) => Pin::Integer,
        Some(Type::Text(_)) => Pin::Text,
        Some(Type::Boolean) => Pin::Boolean,
        _ => Pin::Free,
    }
}
