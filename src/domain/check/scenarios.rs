//! Scenarios: what they name exists, and their payloads fit.

use super::{Checker, text_of};
use crate::diagnostic::{Diagnostic, Place};
use crate::domain::definition::Named;
use crate::domain::fields::{Fields, Problem, Type};
use crate::domain::scenario::{Act, Expectation, ExpectedRow, ExpectedSend, Outcome, ScenarioDefinition, Step};
use crate::domain::{Aggregate, Domains, Scenario, place_in, yaml};
use crate::event::StreamName;
use crate::json::{Object, Value};
use crate::script::fold::Known;
use crate::script::state::StateRules;
use std::collections::BTreeSet;

impl Checker<'_> {
    /// A scenario whose names exist and whose payloads fit; they are typed from here on.
    pub(super) fn scenario(&mut self, domains: &Domains, mut definition: ScenarioDefinition) -> Option<Scenario> {
        let before = self.problems.len();
        for step in &mut definition.given {
            self.step(domains, step, true);
        }
        for act in &mut definition.when {
            if let Act::Command(step) = act {
                self.step(domains, step, false);
            }
        }
        let Some(own) = definition.stream().cloned() else { return self.without_command(domains, definition, before) };
        let aggregate = domains.aggregate(own.aggregate());
        match &mut definition.then.outcome {
            Some(Outcome::Events(events)) => {
                for expected in events {
                    let stream = expected.stream.as_ref().unwrap_or(&own);
                    let Some(aggregate) = self.aggregate_of(domains, stream, &expected.name.place) else { continue };
                    match aggregate.events.get(expected.name.text.as_str()) {
                        Some(kind) => {
                            let place = expected.name.place.clone();
                            self.fit(
                                &kind.fields,
                                &mut expected.data,
                                expected.written.as_ref(),
                                &place,
                                &expected.name.text,
                            );
                        }
                        None => {
                            let message = format!("`{}` has no event `{}`", aggregate.name, expected.name.text);
                            self.unknown(
                                "unknown-event",
                                message,
                                &expected.name.place,
                                &expected.name.text,
                                aggregate.events.keys().map(|k| &**k),
                                "there is",
                            );
                        }
                    }
                }
            }
            Some(Outcome::Rejected(code)) => {
                if let Some(aggregate) = aggregate {
                    self.rejection_code(aggregate, code);
                }
            }
            _ => {}
        }
        for (stream, fields, place) in &definition.then.state {
            let stream = stream.as_ref().unwrap_or(&own);
            if let Some(process) = domains.process(stream.aggregate()) {
                self.state_fields(&process.state, &process.name, fields, place);
                continue;
            }
            let Some(aggregate) = self.aggregate_of(domains, stream, place) else { continue };
            self.state_fields(&aggregate.rules.state, &aggregate.name, fields, place);
        }
        self.what_follows(domains, &mut definition.then);
        if self.problems[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        // A file that does not say its name is none of them, which was said.
        let domain =
            aggregate.and_then(|a| domains.files.get(a.file)).map(|file| file.name.clone()).unwrap_or_default();
        Some(Scenario { domain, definition })
    }

    /// A scenario in which only the clock moves.
    fn without_command(
        &mut self,
        domains: &Domains,
        mut definition: ScenarioDefinition,
        before: usize,
    ) -> Option<Scenario> {
        // That there is nothing at all under `when` was said.
        let Some(first) = definition.given.last().map(|step| step.stream.clone()) else {
            if !definition.when.is_empty() {
                let message = "nothing is `given`, so nothing happens when the clock moves";
                self.problem("scenario", message, &definition.name.place);
            }
            return None;
        };
        let then = &mut definition.then;
        if then.outcome.is_some() || then.details.is_some() || then.message.is_some() {
            self.problem(
                "scenario",
                "without a command under `when` there are no events and no rejection",
                &then.place,
            )
            .hints
            .push("what processes send when the clock moves stands under `sends`".to_owned());
        }
        for (stream, fields, place) in &then.state {
            let Some(stream) = stream else {
                self.problem("scenario", "without a command under `when`, `state` says whose it is", place)
                    .hints
                    .push("write it as in `state: { account/ada: { … } }`".to_owned());
                continue;
            };
            if let Some(process) = domains.process(stream.aggregate()) {
                self.state_fields(&process.state, &process.name, fields, place);
            } else if let Some(aggregate) = self.aggregate_of(domains, stream, place) {
                self.state_fields(&aggregate.rules.state, &aggregate.name, fields, place);
            }
        }
        self.what_follows(domains, then);
        if self.problems[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let file = domains.aggregate(first.aggregate()).and_then(|aggregate| domains.files.get(aggregate.file));
        Some(Scenario { domain: file.map(|file| file.name.clone()).unwrap_or_default(), definition })
    }

    fn state_fields(&mut self, rules: &StateRules, of: &str, fields: &Object, place: &Place) {
        for field in fields.keys() {
            if !rules.fields.iter().any(|known| known.name == field.as_str()) {
                let message = format!("the state of `{of}` has no field `{field}`");
                let known = rules.fields.iter().map(|known| known.name.as_str());
                self.unknown("unknown-field", message, place, field, known, "it has");
            }
        }
    }

    /// Rows of read models, and what processes do.
    fn what_follows(&mut self, domains: &Domains, then: &mut Expectation) {
        for row in &mut then.rows {
            self.expected_row(domains, row);
        }
        for ExpectedSend { step, rejected } in then.sends.iter_mut().flat_map(|(sends, _)| sends) {
            self.step(domains, step, false);
            if let (Some(code), Some(aggregate)) = (rejected, domains.aggregate(step.stream.aggregate())) {
                self.rejection_code(aggregate, code);
            }
        }
        for (name, _, place) in &then.done {
            if domains.process(name.aggregate()).is_none() {
                let message = format!("there is no process `{}`", name.aggregate());
                let known = domains.processes().map(|process| &*process.name);
                self.unknown("unknown-process", message, place, name.aggregate(), known, "there is");
            }
        }
    }

    /// That there is such a projection with such columns, and that key and values fit them; they are typed from here on.
    fn expected_row(&mut self, domains: &Domains, row: &mut ExpectedRow) {
        let Some(projection) = domains.projection(&row.projection.text) else {
            let message = format!("there is no projection `{}`", row.projection.text);
            let known = domains.projections().map(|projection| &*projection.name);
            self.unknown("unknown-projection", message, &row.projection.place, &row.projection.text, known, "there is");
            return;
        };
        let accept = |kind: &Type, value| {
            let problems = |found: Vec<Problem>| found.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; ");
            kind.accept(value).map_err(problems)
        };
        if let Some(column) = projection.columns.iter().next()
            && let Err(problem) = column.kind.read(&row.key.text).and_then(|key| accept(&column.kind, key))
        {
            let message = format!("`{}` is no key of `{}`: {problem}", row.key.text, projection.name);
            self.problem("payload", message, &row.key.place);
        }
        for (name, value) in row.columns.iter_mut().flatten() {
            let place = place_in(Some(&row.written), &format!("/{name}"), &row.key.place);
            let Some(column) = projection.columns.iter().find(|column| column.name == *name) else {
                let message = format!("`{}` has no column `{name}`", projection.name);
                let known = projection.columns.iter().map(|column| column.name.as_str());
                self.unknown("unknown-column", message, &place, name, known, "it has");
                continue;
            };
            if *value == Value::Null {
                continue;
            }
            match accept(&column.kind, std::mem::take(value)) {
                Ok(typed) => *value = typed,
                Err(problem) => drop(self.problem("payload", format!("`{name}`: {problem}"), &place)),
            }
        }
    }

    pub(super) fn rejection_code(&mut self, aggregate: &Aggregate, code: &Named) {
        let mut known: BTreeSet<&str> = aggregate.rules.invariants.iter().map(|(name, _)| &**name).collect();
        for command in aggregate.commands.values() {
            let facts = command.decide.facts();
            known.extend(facts.calls_of("reject").filter_map(|call| text_of(call, 0)));
            known.extend(facts.calls_of("require").filter_map(|call| text_of(call, 1)));
            // Invariants of every touched stream are checked.
            if facts.calls_of("emit_to").next().is_some() {
                return;
            }
        }
        if !known.contains(code.text.as_str()) {
            let message = format!("no command of `{}` is rejected with `{}`", aggregate.name, code.text);
            let known: Vec<&str> = known.into_iter().collect();
            self.unknown("unknown-rejection", message, &code.place, &code.text, known, "the codes are");
        }
    }

    pub(super) fn aggregate_of<'d>(
        &mut self,
        domains: &'d Domains,
        stream: &StreamName,
        place: &Place,
    ) -> Option<&'d Aggregate> {
        let found = domains.aggregate(stream.aggregate());
        if found.is_none() {
            let message = format!("there is no aggregate `{}`", stream.aggregate());
            self.unknown(
                "unknown-aggregate",
                message,
                place,
                stream.aggregate(),
                domains.aggregates.keys().map(|k| &**k),
                "there is",
            );
        }
        found
    }

    pub(super) fn step(&mut self, domains: &Domains, step: &mut Step, events_too: bool) {
        let place = step.name.place.clone();
        let Some(aggregate) = self.aggregate_of(domains, &step.stream, &place) else { return };
        let name = step.name.text.clone();
        if let Some((_, at)) =
            step.version.as_ref().filter(|_| !events_too || aggregate.commands.contains_key(name.as_str()))
        {
            self.problem("scenario", "a command has no `version`", at)
                .hints
                .push("events under `given` have one, where they were stored long ago".to_owned());
        }
        if let Some(command) = aggregate.commands.get(name.as_str()) {
            self.fit(&command.fields, &mut step.data, step.written.as_ref(), &place, &name);
        } else if let Some(known) = aggregate.rules.known(&name).filter(|_| events_too) {
            self.stored(aggregate, known, step);
        } else {
            let is_event = aggregate.events.contains_key(name.as_str());
            let commands = aggregate.commands.keys().map(|k| &**k);
            if is_event {
                self.unknown(
                    "unknown-command",
                    format!("`{name}` is an event, and `when` takes commands"),
                    &place,
                    &name,
                    commands,
                    "there is",
                );
            } else if events_too {
                let known = commands.chain(aggregate.events.keys().map(|k| &**k));
                self.unknown(
                    "unknown-event",
                    format!("`{}` has no event or command `{name}`", aggregate.name),
                    &place,
                    &name,
                    known,
                    "there is",
                );
            } else {
                self.unknown(
                    "unknown-command",
                    format!("`{}` has no command `{name}`", aggregate.name),
                    &place,
                    &name,
                    commands,
                    "there is",
                );
            }
        }
    }

    /// An event as it was stored, perhaps under earlier rules: what it was like then nobody knows any more.
    fn stored(&mut self, aggregate: &Aggregate, known: Known<'_>, step: &mut Step) {
        let Known::Event(rules) = known else { return };
        match &step.version {
            Some((version, at)) if *version > rules.schema => {
                let message = format!("`{}` has version {}, there is no {version} yet", rules.name, rules.schema);
                self.problem("scenario", message, at);
            }
            Some((version, _)) if *version < rules.schema => {}
            _ => {
                if let Some(event) = aggregate.events.get(&*rules.name) {
                    let (place, name) = (step.name.place.clone(), step.name.text.clone());
                    self.fit(&event.fields, &mut step.data, step.written.as_ref(), &place, &name);
                }
            }
        }
    }

    /// Types a payload in place, or says what is wrong with it, each thing at its place.
    pub(super) fn fit(
        &mut self,
        fields: &Fields,
        data: &mut Object,
        written: Option<&yaml::Node>,
        place: &Place,
        name: &str,
    ) {
        match fields.accept(std::mem::take(data)) {
            Ok(typed) => *data = typed,
            Err(found) => {
                for problem in found {
                    let at = place_in(written, &problem.pointer, place);
                    let message = format!("`{name}`: {}", problem.in_words());
                    self.problem("payload", message, &at).hints.extend(problem.hint);
                }
            }
        }
    }
}
