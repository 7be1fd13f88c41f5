//! Coverage: what there is in the domains that scenarios can reach, and what of it they did reach.

use super::{Aggregate, Domains, check};
use crate::diagnostic::Place;
use crate::script::Script;
use crate::script::watch::Seen;
use std::collections::BTreeMap;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A command: reached where it was sent.
    Command,
    /// An event that some command emits: reached where one did, and was accepted.
    Event,
    /// A code that a command is rejected with: reached where it was.
    Rejection,
    /// An invariant: reached where it said no.
    Invariant,
    /// A branch of a decision: reached where it was taken.
    Branch,
    /// A handler of a projection or a process: reached where it ran.
    Handler,
    /// A step of an event's ladder: reached where an event of that version was brought up.
    Upcast,
}

impl Kind {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 7] =
        [Self::Command, Self::Event, Self::Rejection, Self::Invariant, Self::Branch, Self::Handler, Self::Upcast];
}

/// One thing that can be reached.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// What it is.
    pub kind: Kind,
    /// Its name: `account.Withdraw: insufficient_funds`.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    /// Whether it was reached.
    pub reached: bool,
}

/// All that can be reached, by kind and in the order of the files.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Coverage {
    /// Each thing once.
    pub targets: Vec<Target>,
}

impl Coverage {
    /// How many of a kind, or of all kinds, were reached, and how many there are.
    pub fn count(&self, kind: Option<Kind>) -> (u64, u64) {
        let of_kind = self.targets.iter().filter(|target| kind.is_none_or(|kind| target.kind == kind));
        of_kind.fold((0, 0), |(reached, all), target| (reached + u64::from(target.reached), all + 1))
    }

    /// How many of a thousand were reached; rounded down, so that a thousand is all of them.
    pub fn permille(&self) -> u64 {
        let (reached, all) = self.count(None);
        (reached * 1000).checked_div(all).unwrap_or(1000)
    }

    /// Whether so many of a hundred were reached.
    pub fn is_at_least(&self, percent: u64) -> bool {
        let (reached, all) = self.count(None);
        reached * 100 >= percent * all
    }

    /// What was not reached.
    pub fn missing(&self) -> impl Iterator<Item = &Target> {
        self.targets.iter().filter(|target| !target.reached)
    }
}

impl Domains {
    /// From now on it is noted what of the rules is reached, for [`Domains::coverage`].
    pub fn watch(&mut self) {
        self.host.watch();
        for command in self.aggregates.values_mut().flat_map(|aggregate| aggregate.commands.values_mut()) {
            command.decide = self.host.watched(&command.decide);
        }
        for handler in self.projections.values_mut().flat_map(|projection| projection.handlers.values_mut()) {
            handler.script = self.host.watched(&handler.script);
        }
        for process in self.processes.values_mut() {
            let events = process.handlers.values_mut().map(|reacts| &mut reacts.script);
            for script in events.chain(process.rejected.values_mut()).chain(process.deadlines.values_mut()) {
                *script = self.host.watched(script);
            }
        }
    }

    /// What was reached up to now does not count.
    pub fn forget(&self) {
        self.host.seen().iter().for_each(|seen| seen.forget());
    }

    /// What was reached since [`Domains::watch`], or [`Domains::forget`].
    pub fn coverage(&self) -> Coverage {
        let mut targets = Vec::new();
        if let Some(seen) = self.host.seen() {
            let ran = |script: &Script| script.points().first().is_some_and(|own| seen.reached(own));
            let emitted = check::emitted(self.aggregates());
            for aggregate in self.aggregates() {
                let emits = |event: &str| emitted.contains(&(&*aggregate.name, event));
                of_aggregate(aggregate, seen, &emits, &mut targets);
            }
            for projection in self.projections() {
                for ((aggregate, event), handler) in &projection.handlers {
                    targets.push(Target {
                        kind: Kind::Handler,
                        name: format!("{}: {aggregate}.{event}", projection.name),
                        place: handler.place.clone(),
                        reached: ran(&handler.script),
                    });
                }
            }
            for process in self.processes() {
                let mut handler = |what: String, place: &Place, script: &Script| {
                    let name = format!("{}: {what}", process.name);
                    targets.push(Target { kind: Kind::Handler, name, place: place.clone(), reached: ran(script) });
                };
                for ((aggregate, event), reacts) in &process.handlers {
                    handler(format!("{aggregate}.{event}"), &reacts.place, &reacts.script);
                }
                for ((aggregate, command), script) in &process.rejected {
                    handler(format!("{aggregate}.{command} rejected"), &script.text().place, script);
                }
                for (deadline, script) in &process.deadlines {
                    handler(format!("deadline {deadline}"), &script.text().place, script);
                }
            }
        }
        let file = |place: &Place| self.files.iter().position(|file| file.source.name == place.source.name);
        targets.sort_by_cached_key(|target| (target.kind, file(&target.place), target.place.start));
        Coverage { targets }
    }
}

fn of_aggregate(aggregate: &Aggregate, seen: &Seen, emits: &dyn Fn(&str) -> bool, targets: &mut Vec<Target>) {
    let mut target = |kind, name: String, place: &Place, reached| {
        targets.push(Target { kind, name, place: place.clone(), reached });
    };
    let of = &aggregate.name;
    for (event, kind) in aggregate.events.iter().filter(|(event, _)| emits(event)) {
        target(Kind::Event, format!("{of}.{event}"), &kind.place, seen.emitted(of, event));
    }
    for (event, rules) in &aggregate.rules.events {
        for (step, from) in rules.upcasts.iter().zip(1..) {
            target(Kind::Upcast, format!("{of}.{event}: {from}"), &step.text().place, seen.upcast(step));
        }
    }
    for (name, command) in &aggregate.commands {
        let (own, branches) = match command.decide.points().split_first() {
            Some((own, branches)) => (seen.reached(own), branches),
            None => (false, &[][..]),
        };
        target(Kind::Command, format!("{of}.{name}"), &command.place, own);
        for point in branches {
            target(Kind::Branch, format!("{of}.{name}: {}", point.what), &point.place, seen.reached(point));
        }
        let facts = command.decide.facts();
        let calls =
            facts.calls_of("reject").map(|call| (call, 0)).chain(facts.calls_of("require").map(|call| (call, 1)));
        let mut codes: BTreeMap<&str, &Place> = BTreeMap::new();
        for (call, index) in calls {
            if let (Some(code), Some(argument)) = (check::text_of(call, index), call.arguments.get(index)) {
                let first = codes.entry(code).or_insert(&argument.place);
                if argument.place.start < first.start {
                    *first = &argument.place;
                }
            }
        }
        for (code, place) in codes {
            target(Kind::Rejection, format!("{of}.{name}: {code}"), place, seen.rejected(&command.decide, code));
        }
    }
    // Invariants are asked after events only.
    if aggregate.events.keys().any(|event| emits(event)) {
        for (invariant, place) in &aggregate.invariants {
            target(Kind::Invariant, format!("{of}.{invariant}"), place, seen.broken(of, invariant));
        }
    }
}
