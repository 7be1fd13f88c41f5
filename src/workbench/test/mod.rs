//! Scenarios, run for real: a store in memory, the rules as they are, a fixed clock and fixed ids.

mod processes;

use super::project::{Manner, Wanted};
use super::send::{Now, Request, Sent};
use super::{Error, Workbench, aggregate_of};
use crate::diagnostic::{Diagnostic, Place};
use crate::domain::scenario::{Act, Expectation, ExpectedEvent, ExpectedRow, Outcome, ScenarioDefinition, Step};
use crate::domain::{Domains, Scenario};
use crate::event::{Command, NewEvent, Recorded, StreamName, Time, Version};
use crate::json::{Object, Value};
use crate::script::fold::Known;
use crate::store::memory::MemoryStore;
use crate::store::{Decision, Store, StoreError};
use processes::Followed;
use std::ops::ControlFlow;
use std::rc::Rc;

/// How a scenario ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ScenarioResult {
    /// Its name.
    pub name: String,
    /// The domain of its last command.
    pub domain: String,
    /// Where its name stands.
    pub place: Place,
    /// Passed or not.
    pub outcome: ScenarioOutcome,
}

/// Passed, failed, or not run.
#[derive(Debug, Clone, PartialEq)]
pub enum ScenarioOutcome {
    /// Everything was as expected.
    Passed,
    /// What was not.
    Failed(Vec<Difference>),
    /// It could not be run: what is `given` cannot be so, or a script failed.
    Broken(Diagnostic),
}

/// Something that was not as expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// What was compared, as ``the state of `account/ada` ``.
    pub what: String,
    /// What the scenario says.
    pub expected: String,
    /// What came.
    pub actual: String,
    /// Where the scenario says it.
    pub place: Place,
}

/// Runs the scenarios that hold `filter` in their name, their file or an aggregate of their commands, in the order of
/// the files.
pub fn run_scenarios(domains: &Rc<Domains>, filter: Option<&str>) -> Vec<ScenarioResult> {
    let filter = filter.map(str::to_lowercase);
    let wanted = |scenario: &&Scenario| {
        let name = &scenario.definition.name;
        let aggregates = scenario.definition.commands().map(|step| step.stream.aggregate());
        let mut texts = [name.text.as_str(), name.place.source.name.as_str()].into_iter().chain(aggregates);
        filter.as_ref().is_none_or(|filter| texts.any(|text| text.to_lowercase().contains(filter)))
    };
    domains.scenarios().iter().filter(wanted).map(|scenario| run_scenario(domains, scenario)).collect()
}

fn run_scenario(domains: &Rc<Domains>, scenario: &Scenario) -> ScenarioResult {
    let name = &scenario.definition.name;
    let mut stage = Stage {
        workbench: Workbench::new(domains.clone(), Box::new(MemoryStore::new("scenario"))),
        time: Time::default(),
        commands: 0,
    };
    let outcome = match stage.play(&scenario.definition) {
        Ok(differences) if differences.is_empty() => ScenarioOutcome::Passed,
        Ok(differences) => ScenarioOutcome::Failed(differences),
        Err(broken) => ScenarioOutcome::Broken(*broken),
    };
    ScenarioResult { name: name.text.clone(), domain: scenario.domain.to_string(), place: name.place.clone(), outcome }
}

/// One scenario's own world.
struct Stage {
    workbench: Workbench,
    time: Time,
    commands: u64,
}

/// What the commands under `when` came to.
struct Played {
    events: Vec<Recorded>,
    last: Option<Sent>,
}

type Broken = Box<Diagnostic>;

impl Stage {
    fn play(&mut self, scenario: &ScenarioDefinition) -> Result<Vec<Difference>, Broken> {
        self.begin_processes(scenario)?;
        for step in &scenario.given {
            self.given(step)?;
        }
        let mut played = Played { events: Vec::new(), last: None };
        let mut differences = Vec::new();
        let mut followed = Followed::default();
        let mut left = scenario.commands().count();
        for act in &scenario.when {
            let step = match act {
                Act::Command(step) => step,
                Act::Clock(time) => {
                    self.time = self.time.max(*time);
                    self.react(false, &mut followed, &scenario.name.place)?;
                    continue;
                }
            };
            left -= 1;
            let sent = self.send(step)?;
            self.react(false, &mut followed, &scenario.name.place)?;
            match &sent {
                Sent::Accepted(receipt) => played.events.extend(receipt.events.iter().cloned()),
                Sent::Rejected(refusal) if left > 0 => differences.push(Difference {
                    what: format!("`{}`, which is not the last command", step.name.text),
                    expected: "accepted".to_owned(),
                    actual: format!("rejected: {}", refusal.rejection.code),
                    place: step.name.place.clone(),
                }),
                Sent::Rejected(_) => {}
            }
            played.last = Some(sent);
        }
        if let Some(stream) = scenario.stream() {
            differences.extend(outcome(&scenario.then, stream, &played));
        }
        self.states(&scenario.then, scenario.stream(), &mut differences)?;
        self.followed(&scenario.then, &followed, &scenario.name.place, &mut differences)?;
        for row in &scenario.then.rows {
            differences.extend(self.row(row)?);
        }
        Ok(differences)
    }

    fn clock(&mut self, step: &Step) {
        self.time = step.at.unwrap_or(self.time).max(self.time);
    }

    /// An event is put into its stream as it is; a command is sent for real and must be accepted.
    fn given(&mut self, step: &Step) -> Result<(), Broken> {
        let domains = self.workbench.domains.clone();
        let aggregate = aggregate_of(&domains, &step.stream).map_err(|misfit| broken(misfit.into(), step))?;
        if aggregate.commands.contains_key(step.name.text.as_str()) {
            return match self.send(step)? {
                Sent::Accepted(_) => self.react(false, &mut Followed::default(), &step.name.place),
                Sent::Rejected(refusal) => Err(Box::new(
                    Diagnostic::error(
                        "given",
                        format!("the given command `{}` is rejected: {}", step.name.text, refusal.rejection.code),
                    )
                    .at(step.name.place.clone())
                    .hint("what is given must be possible; a rejection belongs under `when` and `then`"),
                )),
            };
        }
        self.clock(step);
        self.commands += 1;
        let event = NewEvent {
            stream: step.stream.clone(),
            kind: step.name.text.as_str().into(),
            schema: match (&step.version, aggregate.rules.known(&step.name.text)) {
                (Some((version, _)), _) => *version,
                (None, Some(Known::Event(rules))) => rules.schema,
                (None, _) => 1,
            },
            data: Value::Object(step.data.clone()).to_string().into(),
        };
        let id = format!("given-{}", self.commands);
        let stored = put(self.workbench.store.as_mut(), &id, event, self.time);
        stored.map_err(|error| broken(error.into(), step))?;
        // It happened long ago, and so did what processes sent then: its events are given as well.
        self.react(true, &mut Followed::default(), &step.name.place)
    }

    fn send(&mut self, step: &Step) -> Result<Sent, Broken> {
        self.clock(step);
        self.commands += 1;
        let request = Request {
            stream: step.stream.clone(),
            command: step.name.text.clone(),
            data: step.data.clone(),
            id: None,
            expect: None,
            actor: None,
            correlation: None,
            causation: None,
            meta: Object::new(),
            time: None,
        };
        let now = Now { time: self.time, id: format!("command-{}", self.commands) };
        self.workbench.send(request, &now).map_err(|error| broken(error, step))
    }

    /// Compares a row that is expected with the one that the events give, column by column.
    fn row(&mut self, expected: &ExpectedRow) -> Result<Option<Difference>, Broken> {
        let name = &expected.projection.text;
        let failed = |error: Error| {
            let diagnostic = error.into_diagnostic("scenario");
            Box::new(match diagnostic.place {
                Some(_) => diagnostic,
                None => diagnostic.at(expected.key.place.clone()),
            })
        };
        let mut found: Option<Object> = None;
        let workbench = &mut self.workbench;
        let filled = workbench.project_catch_up(name, Manner::default(), self.time, &mut |_| {}).and_then(|_| {
            let columns = workbench.project_columns(name)?;
            let wanted = Wanted { key: Some(&expected.key.text), limit: None };
            workbench.project_rows(name, &wanted, &mut |row| {
                found = Some(columns.iter().map(|column| column.name.clone()).zip(row).collect());
                ControlFlow::Break(())
            })
        });
        filled.map_err(failed)?;
        let subset = match (&expected.columns, found) {
            (Some(wanted), Some(row)) => {
                Some(row.into_iter().filter(|(column, _)| wanted.contains_key(column)).collect::<Object>())
            }
            (_, found) => found,
        };
        let same = match (&expected.columns, &subset) {
            (Some(wanted), Some(row)) => Value::Object(row.clone()).same(&Value::Object(wanted.clone())),
            (wanted, row) => wanted.is_none() && row.is_none(),
        };
        Ok((!same).then(|| Difference {
            what: format!("the row `{}` of `{name}`", expected.key.text),
            expected: row_text(expected.columns.clone()),
            actual: row_text(subset),
            place: expected.key.place.clone(),
        }))
    }

    /// Compares the states that are expected, field by field.
    fn states(
        &mut self,
        then: &Expectation,
        own: Option<&StreamName>,
        differences: &mut Vec<Difference>,
    ) -> Result<(), Broken> {
        let domains = self.workbench.domains.clone();
        for (stream, expected, place) in &then.state {
            let Some(stream) = stream.as_ref().or(own) else { continue };
            if domains.process(stream.aggregate()).is_some() {
                differences.extend(self.process_state(stream, expected, place)?);
                continue;
            }
            let actual = match self.workbench.replay(stream, None) {
                Ok(replayed) => replayed.state,
                // A stream without events has its initial state.
                Err(Error::Misfit(_)) if matches!(self.workbench.store.version(stream), Ok(Version(0))) => {
                    match domains.aggregate(stream.aggregate()) {
                        Some(aggregate) => {
                            aggregate.rules.state.value(&aggregate.rules.state.initial).unwrap_or_default()
                        }
                        None => Value::Null,
                    }
                }
                Err(error) => return Err(Box::new(error.into_diagnostic("scenario").at(place.clone()))),
            };
            differences.extend(state_difference(stream, expected, &actual, place));
        }
        Ok(())
    }
}

/// What is not as expected of a state.
fn state_difference(stream: &StreamName, expected: &Object, actual: &Value, place: &Place) -> Option<Difference> {
    let subset: Object = expected.keys().filter_map(|key| Some((key.clone(), actual.get(key)?.clone()))).collect();
    (!Value::Object(subset.clone()).same(&Value::Object(expected.clone()))).then(|| Difference {
        what: format!("the state of `{stream}`"),
        expected: Value::Object(expected.clone()).to_string(),
        actual: Value::Object(subset).to_string(),
        place: place.clone(),
    })
}

/// Stores an event as it is, as if a command of this id had given it.
pub(super) fn put(store: &mut dyn Store, id: &str, event: NewEvent, time: Time) -> Result<(), StoreError> {
    let command = Command {
        id: id.into(),
        stream: event.stream.clone(),
        name: "given".into(),
        data: "{}".into(),
        actor: None,
        correlation: None,
        causation: None,
        meta: None,
        time,
        domain: "given".into(),
    };
    store.begin()?;
    store.append(&Decision { command: &command, domain_text: "", events: &[event] })?;
    store.commit()
}

/// A row as a scenario says it: some of its columns, or that there is none.
fn row_text(columns: Option<Object>) -> String {
    columns.map_or_else(|| "no such row".to_owned(), |columns| Value::Object(columns).to_string())
}

/// Compares what the commands gave.
fn outcome(then: &Expectation, own: &StreamName, played: &Played) -> Vec<Difference> {
    let actual = || said(own, played);
    let difference = |what: &str, expected: String, actual: String, place: &Place| Difference {
        what: what.to_owned(),
        expected,
        actual,
        place: place.clone(),
    };
    let rejection = match &played.last {
        Some(Sent::Rejected(refusal)) => Some(&refusal.rejection),
        _ => None,
    };
    let mut differences = Vec::new();
    match &then.outcome {
        None => {
            if then.message.is_none() && then.details.is_none() && rejection.is_some() {
                differences.push(difference("the outcome", "accepted".to_owned(), actual(), &then.place));
            }
        }
        Some(Outcome::Nothing) => {
            if rejection.is_some() || !played.events.is_empty() {
                differences.push(difference("the outcome", "nothing".to_owned(), actual(), &then.place));
            }
        }
        Some(Outcome::Rejected(code)) => {
            if rejection.is_none_or(|rejection| *rejection.code != *code.text) {
                differences.push(difference("the outcome", format!("rejected: {}", code.text), actual(), &code.place));
            }
        }
        Some(Outcome::Events(expected)) => {
            let same = rejection.is_none()
                && expected.len() == played.events.len()
                && expected.iter().zip(&played.events).all(|(expected, actual)| same_event(own, expected, actual));
            if !same {
                let lines: Vec<String> = expected
                    .iter()
                    .map(|e| {
                        line(
                            own,
                            e.stream.as_ref().unwrap_or(own),
                            &e.name.text,
                            &Value::Object(e.data.clone()).to_string(),
                        )
                    })
                    .collect();
                let lines = if lines.is_empty() { "nothing".to_owned() } else { lines.join("\n") };
                differences.push(difference("the events", lines, actual(), &then.place));
            }
        }
    }
    if let Some(message) = &then.message {
        let said = rejection.map_or("", |rejection| &rejection.message);
        if said != message.text {
            differences.push(difference("the message", message.text.clone(), said.to_owned(), &message.place));
        }
    }
    if let Some((expected, place)) = &then.details {
        let given = rejection.and_then(|rejection| rejection.details.clone()).unwrap_or_default();
        if !holds(&given, expected) {
            differences.push(difference("the details", expected.to_string(), given.to_string(), place));
        }
    }
    differences
}

fn same_event(own: &StreamName, expected: &ExpectedEvent, actual: &Recorded) -> bool {
    *expected.name.text == *actual.kind
        && expected.stream.as_ref().unwrap_or(own) == &actual.stream
        && crate::json::parse(&actual.data).is_ok_and(|data| data.same(&Value::Object(expected.data.clone())))
}

/// Whether a value has everything that another says of it.
fn holds(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            expected.iter().all(|(key, value)| actual.get(key).is_some_and(|found| holds(found, value)))
        }
        (actual, expected) => actual.same(expected),
    }
}

/// What came of the commands, in the words of a scenario.
fn said(own: &StreamName, played: &Played) -> String {
    let mut lines: Vec<String> =
        played.events.iter().map(|event| line(own, &event.stream, &event.kind, &event.data)).collect();
    if let Some(Sent::Rejected(refusal)) = &played.last {
        lines.push(match &*refusal.rejection.message {
            "" => format!("rejected: {}", refusal.rejection.code),
            message => format!("rejected: {} ({message})", refusal.rejection.code),
        });
    }
    if lines.is_empty() { "nothing".to_owned() } else { lines.join("\n") }
}

fn line(own: &StreamName, stream: &StreamName, kind: &str, data: &str) -> String {
    let stream = if stream == own { String::new() } else { format!("{stream} ") };
    if data == "{}" { format!("- {stream}{kind}") } else { format!("- {stream}{kind}: {data}") }
}

#[allow(clippy::unnecessary_box_returns)] // it is made to be an error, and those are boxed
fn broken(error: Error, step: &Step) -> Broken {
    let diagnostic = error.into_diagnostic("scenario");
    Box::new(if diagnostic.place.is_some() { diagnostic } else { diagnostic.at(step.name.place.clone()) })
}
