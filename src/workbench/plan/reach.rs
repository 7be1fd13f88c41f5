//! What a change of rules can reach, read off the rules alone.

use crate::domain::digest::RulesDigest;
use crate::domain::{Aggregate, CommandRules, Domains};
use crate::json;
use crate::script::Script;
use crate::script::fold::{EventRules, Known};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What the rules of an aggregate mean, in pieces.
struct Meanings {
    /// The state before the first event, and what its fields are held to.
    initial: Box<str>,
    /// What each stored event does, by the name under which it is stored.
    events: BTreeMap<Box<str>, Box<str>>,
    /// The types of the payloads of present versions, by the same names.
    fields: BTreeMap<Box<str>, Box<str>>,
    /// The conditions.
    invariants: Box<str>,
}

/// Where two rules of an aggregate do not mean the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reached {
    /// Any stream can be another: the initial state or the invariants are others.
    pub(super) all: bool,
    /// Otherwise those that hold events stored under these names.
    pub(super) kinds: BTreeSet<Box<str>>,
    /// Of these the types of the payload are others, under the same version.
    pub(super) retyped: BTreeSet<Box<str>>,
}

impl Reached {
    pub(super) fn is_nothing(&self) -> bool {
        !self.all && self.kinds.is_empty()
    }
}

/// Where two rules of an aggregate do not mean the same.
pub(super) fn reached(before: &Aggregate, after: &Aggregate) -> Reached {
    let (before, after) = (meanings(before), meanings(after));
    let differ = |before: &BTreeMap<Box<str>, Box<str>>, after: &BTreeMap<Box<str>, Box<str>>| {
        let names: BTreeSet<Box<str>> = before.keys().chain(after.keys()).cloned().collect();
        names.into_iter().filter(|name| before.get(name) != after.get(name)).collect::<BTreeSet<_>>()
    };
    let retyped = differ(&before.fields, &after.fields);
    let mut kinds = differ(&before.events, &after.events);
    kinds.extend(retyped.iter().cloned());
    Reached { all: before.initial != after.initial || before.invariants != after.invariants, kinds, retyped }
}

fn meanings(aggregate: &Aggregate) -> Meanings {
    let rules = &aggregate.rules;
    let mut initial = String::new();
    if let Ok(state) = rules.state.value(&rules.state.initial) {
        json::write_typed(&state, &mut initial);
    }
    for field in &rules.state.fields {
        let _ = write!(initial, "\n{} {:?}", field.name, field.pin);
    }
    let names = rules.events.keys().chain(rules.former.keys());
    let (mut events, mut fields) = (BTreeMap::new(), BTreeMap::new());
    for name in names {
        let meaning = match rules.known(name) {
            Some(Known::Event(event)) => {
                if let Some(declared) = aggregate.events.get(&*event.name) {
                    let mut digest = RulesDigest::default();
                    digest.text(&event.schema.to_string()).fields(&declared.fields);
                    fields.insert(name.clone(), digest.finish());
                }
                event_meaning(event)
            }
            Some(Known::Retired) => "retired".into(),
            None => continue,
        };
        events.insert(name.clone(), meaning);
    }
    let mut invariants = RulesDigest::default();
    for (name, script) in &rules.invariants {
        invariants.text(name);
        scripts(&mut invariants, [script]);
    }
    Meanings { initial: initial.into(), events, fields, invariants: invariants.finish() }
}

/// What an event does to the state, from what is stored on.
fn event_meaning(event: &EventRules) -> Box<str> {
    let mut digest = RulesDigest::default();
    digest.text(&event.name).text(&event.schema.to_string()).shape(&event.shape);
    scripts(&mut digest, event.upcasts.iter().chain(&event.fold));
    digest.finish()
}

/// Scripts of one file, with the functions they reach.
fn scripts<'s>(digest: &mut RulesDigest, scripts: impl IntoIterator<Item = &'s Script>) {
    let mut scripts = scripts.into_iter().peekable();
    let functions = scripts.peek().and_then(|script| script.library().text());
    digest.scripts(scripts.map(Script::text), functions);
}

/// What deciding a command means, with all that it depends on: equal digests give the same outcome on the same history.
pub(super) fn command_meaning(domains: &Domains, aggregate: &Aggregate, command: &CommandRules) -> Box<str> {
    let mut digest = RulesDigest::default();
    digest.fields(&command.fields);
    scripts(&mut digest, [&command.decide]);
    let facts = [command.decide.facts(), command.decide.library().facts()];
    let elsewhere =
        ["load", "emit_to"].iter().any(|name| facts.iter().any(|facts| facts.calls_of(name).next().is_some()));
    // Which streams it looks at is known only when it runs.
    for of in domains.aggregates().filter(|of| elsewhere || of.name == aggregate.name) {
        digest.text(&of.name).text(&of.digest);
        for (name, event) in &of.events {
            digest.text(name).text(&event.version.to_string()).fields(&event.fields);
        }
        for (name, script) in &of.rules.invariants {
            digest.text(name);
            scripts(&mut digest, [script]);
        }
    }
    digest.finish()
}
