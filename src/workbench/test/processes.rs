//! What processes do in a scenario: they see what is given, and answer what happens.

use super::{Broken, Difference, Stage, state_difference};
use crate::diagnostic::{Diagnostic, Place};
use crate::domain::scenario::{Expectation, ExpectedSend, ScenarioDefinition};
use crate::event::StreamName;
use crate::json::{self, Object, Value};
use crate::workbench::process::{Happened, InstanceShown, Manner, Standing, Stopped};
use crate::workbench::send::Sent;
use crate::workbench::{Error, Workbench};

/// How much may follow from one command of a scenario.
const MAX_STEPS: u64 = 1_000;

/// What processes did.
#[derive(Default)]
pub(super) struct Followed {
    /// The commands, in order: stream, name, payload, and the code where it was rejected.
    sends: Vec<(StreamName, String, Value, Option<Box<str>>)>,
    stopped: Vec<Stopped>,
    endless: Option<String>,
}

impl Stage {
    /// Processes see a scenario from its first event on.
    pub(super) fn begin_processes(&mut self, scenario: &ScenarioDefinition) -> Result<(), Broken> {
        if self.workbench.domains.processes().next().is_none() {
            return Ok(());
        }
        let met = self.workbench.in_turn(Workbench::meet_processes);
        met.map_err(|error| broken(error, &scenario.name.place))
    }

    /// Lets processes react. `told`: what they would send has been sent.
    pub(super) fn react(&mut self, told: bool, followed: &mut Followed, place: &Place) -> Result<(), Broken> {
        let manner = Manner { told, ..Manner::new(self.time, MAX_STEPS) };
        let reacted = self.workbench.react(&manner, &mut |happened| match happened {
            Happened::Sent { sent, data, .. } => {
                let data = json::parse(data).unwrap_or_default();
                followed.sends.push(match sent {
                    Sent::Accepted(receipt) => (receipt.stream.clone(), receipt.command.clone(), data, None),
                    Sent::Rejected(refusal) => {
                        let code = Some(refusal.rejection.code.clone());
                        (refusal.stream.clone(), refusal.command.clone(), data, code)
                    }
                });
            }
            Happened::Stopped(stopped) => followed.stopped.push((*stopped).clone()),
        });
        let reacted = reacted.map_err(|error| broken(error, place))?;
        // A script that fails is no outcome that a scenario can expect.
        if let Some(problem) = followed.stopped.iter_mut().find_map(|stopped| stopped.problem.take()) {
            return Err(problem);
        }
        if let Some(bound) = reacted.bound {
            let names: Vec<String> = bound.processes.iter().map(|name| format!("`{name}`")).collect();
            followed.endless = Some(format!("{} keep answering each other", names.join(" and ")));
        }
        Ok(())
    }

    /// Compares what processes did.
    pub(super) fn followed(
        &mut self,
        then: &Expectation,
        followed: &Followed,
        place: &Place,
        differences: &mut Vec<Difference>,
    ) -> Result<(), Broken> {
        if let Some(words) = &followed.endless {
            differences.push(Difference {
                what: "what follows".to_owned(),
                expected: format!("an end after {MAX_STEPS} steps at most"),
                actual: words.clone(),
                place: place.clone(),
            });
        }
        if let Some((sends, place)) = &then.sends {
            let same = sends.len() == followed.sends.len()
                && sends.iter().zip(&followed.sends).all(|(expected, actual)| {
                    let ExpectedSend { step, rejected } = expected;
                    step.stream == actual.0
                        && step.name.text == actual.1
                        && actual.2.same(&Value::Object(step.data.clone()))
                        && rejected.as_ref().map(|code| code.text.as_str()) == actual.3.as_deref()
                });
            if !same {
                let expected = sends.iter().map(|ExpectedSend { step, rejected }| {
                    let data = Value::Object(step.data.clone());
                    let code = rejected.as_ref().map(|code| code.text.as_str());
                    line(&step.stream, &step.name.text, &data, code)
                });
                let actual =
                    followed.sends.iter().map(|(stream, name, data, code)| line(stream, name, data, code.as_deref()));
                let (expected, actual) = (lines(expected), lines(actual));
                let what = "what processes send".to_owned();
                differences.push(Difference { what, expected, actual, place: place.clone() });
            }
        }
        for (name, ended, place) in &then.done {
            let standing = self.instance(name, place)?.map(|instance| instance.standing);
            if (standing == Some(Standing::Ended)) != *ended {
                let words = |ended: bool| if ended { "done" } else { "not done" };
                let stopped = followed.stopped.iter().find(|stopped| *stopped.process == *name.aggregate());
                differences.push(Difference {
                    what: format!("the instance `{}` of `{}`", name.id(), name.aggregate()),
                    expected: words(*ended).to_owned(),
                    actual: match (standing, stopped) {
                        (None, _) => "no such instance".to_owned(),
                        (Some(Standing::Stopped), Some(stopped)) => format!("stopped: {}", stopped.halt.message),
                        (Some(standing), _) => words(standing == Standing::Ended).to_owned(),
                    },
                    place: place.clone(),
                });
            }
        }
        Ok(())
    }

    /// Compares the state of an instance, named as `process/key`.
    pub(super) fn process_state(
        &mut self,
        name: &StreamName,
        expected: &Object,
        place: &Place,
    ) -> Result<Option<Difference>, Broken> {
        match self.instance(name, place)? {
            Some(instance) => Ok(state_difference(name, expected, &instance.state, place)),
            None => Ok(Some(Difference {
                what: format!("the state of `{name}`"),
                expected: Value::Object(expected.clone()).to_string(),
                actual: "no such instance".to_owned(),
                place: place.clone(),
            })),
        }
    }

    fn instance(&mut self, name: &StreamName, place: &Place) -> Result<Option<InstanceShown>, Broken> {
        match self.workbench.process_instance(name.aggregate(), name.id()) {
            Ok(instance) => Ok(Some(instance)),
            Err(Error::Misfit(_)) => Ok(None),
            Err(error) => Err(broken(error, place)),
        }
    }
}

fn line(stream: &StreamName, name: &str, data: &Value, code: Option<&str>) -> String {
    let data = match data {
        Value::Object(members) if members.is_empty() => String::new(),
        data => format!(": {data}"),
    };
    let code = code.map(|code| format!(" (rejected: {code})")).unwrap_or_default();
    format!("- {stream} {name}{data}{code}")
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { "nothing".to_owned() } else { lines.join("\n") }
}

#[allow(clippy::unnecessary_box_returns)] // it is made to be an error, and those are boxed
fn broken(error: Error, place: &Place) -> Broken {
    let diagnostic: Diagnostic = error.into_diagnostic("scenario");
    Box::new(if diagnostic.place.is_some() { diagnostic } else { diagnostic.at(place.clone()) })
}
