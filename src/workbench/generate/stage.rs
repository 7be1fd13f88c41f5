//! A run's own world: a store in memory, commands sent to it for real, and after each of them what must hold.

use super::{Breach, Law, Step, Subject};
use crate::diagnostic::Diagnostic;
use crate::domain::{Aggregate, Domains};
use crate::event::{Position, Recorded, StreamName, Time, Version};
use crate::json::{self, Object, Value};
use crate::script::{Rejection, State};
use crate::store::memory::MemoryStore;
use crate::workbench::kept::{Held, Kept};
use crate::workbench::project::proof::{self, Difference, DifferenceKind};
use crate::workbench::project::{Manner, Wanted};
use crate::workbench::replay::{Folding, each_event, fold_event, state_value};
use crate::workbench::send::{Now, Receipt, Request, Sent};
use crate::workbench::{Error, Workbench, aggregate_of};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::rc::Rc;

/// What came of one command.
#[derive(Debug)]
pub(super) enum Played {
    /// It was accepted: its events, and the states of the streams that they went to.
    Accepted(Vec<Recorded>, Vec<(StreamName, Value)>),
    /// The domain said no.
    Rejected(Rejection),
    /// Something broke that must hold.
    Broke(Breach),
}

/// One run's store, and what is known of it.
pub(super) struct Stage {
    pub(super) workbench: Workbench,
    kept: Kept,
    pub(super) time: Time,
    sent: u64,
    /// Aggregate and name of commands of processes that were accepted.
    pub(super) by_processes: BTreeSet<(String, String)>,
    digest: Sha256,
}

impl Stage {
    pub(super) fn new(domains: &Rc<Domains>) -> Self {
        // As scenarios have it, so that what is found here is found there.
        let store = MemoryStore::new("scenario");
        Self {
            workbench: Workbench::new(domains.clone(), Box::new(store)),
            kept: Kept::default(),
            time: Time::default(),
            sent: 0,
            by_processes: BTreeSet::new(),
            digest: Sha256::new(),
        }
    }

    /// How many events a stream has. A store in memory always knows.
    pub(super) fn version(&mut self, stream: &StreamName) -> Version {
        self.workbench.store.version(stream).unwrap_or_default()
    }

    /// Sends a command and looks whether everything holds. An error is no finding: it could not be tried.
    pub(super) fn play(&mut self, step: &Step) -> Result<Played, Error> {
        self.time = self.time.max(step.at);
        self.sent += 1;
        self.note(&[step.stream.as_str(), &step.command, &Value::Object(step.data.clone()).to_string()]);
        let receipt = match self.send(step) {
            Ok(Sent::Accepted(receipt)) => receipt,
            Ok(Sent::Rejected(refusal)) => {
                self.note(&["rejected", &refusal.rejection.code, &refusal.rejection.message]);
                // Time may have gone by all the same.
                return Ok(match self.react()? {
                    Ok(_) => Played::Rejected(refusal.rejection),
                    Err(breach) => Played::Broke(breach),
                });
            }
            Err(error) => return Ok(Played::Broke(script(error, Subject::Nothing)?)),
        };
        for event in &receipt.events {
            self.note(&[event.stream.as_str(), &event.kind, &event.data]);
        }
        let states = match self.states(&receipt)? {
            Ok(states) => states,
            Err(breach) => return Ok(Played::Broke(breach)),
        };
        for (_, state) in &states {
            self.note(&[&state.to_string()]);
        }
        if let Err(breach) = self.catch_up(Some(&receipt.events))? {
            return Ok(Played::Broke(breach));
        }
        match self.react()? {
            Ok(followed) => Ok(Played::Accepted([receipt.events, followed].concat(), states)),
            Err(breach) => Ok(Played::Broke(breach)),
        }
    }

    /// The run is over: all read models are built anew and compared with what they were. Gives a digest of all that
    /// happened in it.
    pub(super) fn finish(mut self) -> Result<Result<[u8; 32], Breach>, Error> {
        if let Err(breach) = self.catch_up(None)? {
            return Ok(Err(breach));
        }
        let domains = self.workbench.domains.clone();
        for projection in domains.projections() {
            if let Err(breach) = self.rebuilt(&domains, &projection.name)? {
                return Ok(Err(breach));
            }
            let mut rows = Vec::new();
            self.workbench.project_rows(&projection.name, &Wanted::default(), &mut |row| {
                rows.push(Value::List(row).to_string());
                ControlFlow::Continue(())
            })?;
            self.note(&rows.iter().map(String::as_str).collect::<Vec<_>>());
        }
        let head = self.workbench.store.head()?;
        self.digest.update(head.hash.0);
        Ok(Ok(self.digest.finalize().into()))
    }

    pub(super) fn note(&mut self, texts: &[&str]) {
        for text in texts {
            self.digest.update((text.len() as u64).to_be_bytes());
            self.digest.update(text.as_bytes());
        }
    }

    /// As a batch does it, with the states kept from one command to the next, so that these are looked at as well.
    fn send(&mut self, step: &Step) -> Result<Sent, Error> {
        let request = Request {
            stream: step.stream.clone(),
            command: step.command.clone(),
            data: step.data.clone(),
            id: None,
            expect: None,
            actor: None,
            correlation: None,
            causation: None,
            meta: Object::new(),
            time: None,
        };
        let now = Now { time: self.time, id: format!("command-{}", self.sent) };
        let accepted = self.workbench.accept(request, &now)?;
        self.kept.inline = self.workbench.begin_sending(now.time)?;
        let sent = self.workbench.send_in_turn(accepted, &mut self.kept);
        match &sent {
            Ok(Sent::Accepted(receipt)) if !receipt.events.is_empty() => self.workbench.store.commit()?,
            _ => self.workbench.store.rollback(),
        }
        sent
    }

    /// The states of the streams that a command gave events to, as the log gives them, if all is well with them.
    pub(super) fn states(&mut self, receipt: &Receipt) -> Result<Result<Vec<(StreamName, Value)>, Breach>, Error> {
        let mut states: Vec<(StreamName, Value)> = Vec::new();
        for event in &receipt.events {
            if states.iter().all(|(stream, _)| *stream != event.stream) {
                match self.state(&event.stream)? {
                    Ok(state) => states.push((event.stream.clone(), state)),
                    Err(breach) => return Ok(Err(breach)),
                }
            }
        }
        Ok(Ok(states))
    }

    /// Replays a stream, once from its beginning and once from a state on that was written as data and read again, and
    /// compares both with the state that its last command left behind.
    pub(super) fn state(&mut self, stream: &StreamName) -> Result<Result<Value, Breach>, Error> {
        let domains = self.workbench.domains.clone();
        let aggregate = aggregate_of(&domains, stream)?;
        let version = self.workbench.store.version(stream)?;
        let events = self.events(stream, aggregate.folds_read_commands())?;
        // The version before the last, or one in the middle.
        let snapshot = if version.0.is_multiple_of(2) { version.0 / 2 } else { version.0.saturating_sub(1) };
        let replayed = match replay(&domains, aggregate, &events, Folding::new(aggregate)) {
            Ok(replayed) => replayed,
            Err(error) => return Ok(Err(script(error, Subject::Nothing)?)),
        };
        match domains.host.breaks(&aggregate.rules, &replayed.state, version) {
            Ok(None) => {}
            Ok(Some(name)) => {
                let message = format!("the invariant `{name}` does not hold on `{stream}` at version {version}");
                let place = aggregate.invariants.iter().find(|(known, _)| **known == *name).map(|(_, place)| place);
                let problem = Diagnostic::error("invariants", message);
                let problem = match place {
                    Some(place) => problem.at(place.clone()),
                    None => problem,
                };
                let mark = format!("{}.{name}", aggregate.name);
                return Ok(Err(Breach {
                    law: Law::Invariants,
                    problem,
                    subject: Subject::Nothing,
                    mark,
                    shown: false,
                }));
            }
            Err(fault) => return Ok(Err(script(fault.into(), Subject::Nothing)?)),
        }
        let differs = |problem: String| Breach {
            law: Law::States,
            problem: Diagnostic::error("states", problem),
            subject: Subject::Nothing,
            mark: aggregate.name.to_string(),
            shown: false,
        };
        // What cannot be written as data cannot be compared by a scenario either, which says so.
        let unwritten = |problem: String| Breach { shown: true, ..differs(problem) };
        let written = match text(aggregate, stream, &replayed) {
            Ok(written) => written,
            Err(problem) => return Ok(Err(unwritten(problem))),
        };
        if let Some(Held { state, snapshot, .. }) = self.kept.take(stream, version, &aggregate.rules.state) {
            let left = Folding { state, version, position: Position(0), time: None };
            let left_behind = match text(aggregate, stream, &left) {
                Ok(left_behind) => left_behind,
                Err(problem) => return Ok(Err(differs(problem))),
            };
            self.kept.put(stream.clone(), Held { state: left.state, version, snapshot });
            if left_behind != written {
                let sides = format!("  the command left  {left_behind}\n  the log gives     {written}");
                return Ok(Err(differs(format!("the state of `{stream}` at version {version} differs\n{sides}"))));
            }
        }
        let until = usize::try_from(snapshot).unwrap_or(usize::MAX).min(events.len());
        let (before, after) = events.split_at(until);
        let resumed = replay(&domains, aggregate, before, Folding::new(aggregate))
            .map_err(Failed::Replay)
            .and_then(|folding| text(aggregate, stream, &folding).map_err(Failed::Written))
            .and_then(|text| {
                let data = match json::parse(&text) {
                    Ok(Value::Object(data)) => data,
                    _ => Object::new(),
                };
                let state = State::of(data);
                let folding = Folding { state, version: Version(snapshot), position: Position(0), time: None };
                replay(&domains, aggregate, after, folding).map_err(Failed::Resumed)
            })
            .and_then(|folding| text(aggregate, stream, &folding).map_err(Failed::Written));
        let from = format!("`{stream}`, written as data at version {snapshot} and folded on to version {version}");
        let resumed = match resumed {
            Ok(resumed) => resumed,
            Err(Failed::Replay(error)) => return Ok(Err(script(error, Subject::Nothing)?)),
            Err(Failed::Written(problem)) => return Ok(Err(unwritten(problem))),
            Err(Failed::Resumed(Error::Script(fault))) => {
                let problem =
                    fault.0.situation(format!("while folding {from}, which the log from its beginning does not need"));
                return Ok(Err(Breach { problem, ..differs(String::new()) }));
            }
            Err(Failed::Resumed(error)) => return Err(error),
        };
        if resumed != written {
            let sides = format!("  from the data  {resumed}\n  from the log   {written}");
            return Ok(Err(differs(format!("the state of {from}, differs\n{sides}"))));
        }
        Ok(Ok(json::parse(&written).unwrap_or_default()))
    }

    fn events(&mut self, stream: &StreamName, commands: bool) -> Result<Vec<Recorded>, Error> {
        let mut events: Vec<Recorded> = Vec::new();
        let whole = (Version(0), Version(u64::MAX));
        each_event(self.workbench.store.as_mut(), stream, whole, commands, |event| {
            events.push(event);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(events)
    }

    /// Brings read models up to date: those that follow these events, or all of them.
    pub(super) fn catch_up(&mut self, events: Option<&[Recorded]>) -> Result<Result<(), Breach>, Error> {
        let domains = self.workbench.domains.clone();
        for projection in domains.projections() {
            let follows = |event: &Recorded| {
                projection.handlers.keys().any(|(of, kind)| **of == *event.stream.aggregate() && **kind == *event.kind)
            };
            if events.is_some_and(|events| !events.iter().any(follows)) {
                continue;
            }
            let manner = Manner { jobs: NonZeroUsize::new(1), park: false };
            let caught = self.workbench.project_catch_up(&projection.name, manner, self.time, &mut |_| {});
            if let Err(error) = caught {
                let statuses = self.workbench.project_status()?;
                let status = statuses.into_iter().find(|status| status.name == *projection.name);
                let key = status.and_then(|status| status.stopped?.key);
                let key = key.map(|key| key.as_text().map_or_else(|| key.to_string(), str::to_owned));
                let subject = Subject::Projection { name: projection.name.to_string(), key };
                return Ok(Err(script(error, subject)?));
            }
        }
        Ok(Ok(()))
    }

    /// Whether a read model that was brought up to date step by step has the rows that its events give at once.
    pub(super) fn rebuilt(&mut self, domains: &Rc<Domains>, name: &str) -> Result<Result<(), Breach>, Error> {
        let mut aside = MemoryStore::scratch();
        let proof = proof::prove(domains, self.workbench.store.as_mut(), &mut aside, name, &mut |_| {})?;
        let differs = match proof {
            Ok(proof) => match proof.differences.first() {
                None => return Ok(Ok(())),
                Some(difference) => words(name, difference),
            },
            Err(problem) => format!("`{name}` cannot be built anew: {problem}"),
        };
        Ok(Err(Breach {
            law: Law::Projections,
            problem: Diagnostic::error("projections", differs),
            subject: Subject::Nothing,
            mark: name.to_owned(),
            shown: false,
        }))
    }
}

/// Why a state could not be had from data.
enum Failed {
    Replay(Error),
    Written(String),
    Resumed(Error),
}

fn replay(
    domains: &Domains,
    aggregate: &Aggregate,
    events: &[Recorded],
    mut folding: Folding,
) -> Result<Folding, Error> {
    for event in events {
        fold_event(domains, aggregate, &mut folding, event)?;
    }
    Ok(folding)
}

/// A state as data, exactly.
fn text(aggregate: &Aggregate, stream: &StreamName, folding: &Folding) -> Result<String, String> {
    let value = state_value(aggregate, stream, folding).map_err(|error| error.to_string())?;
    let mut text = String::new();
    json::write_typed(&value, &mut text);
    Ok(text)
}

fn words(name: &str, difference: &Difference) -> String {
    let key = &difference.key;
    match &difference.kind {
        DifferenceKind::Value { column, stored, computed } => {
            format!("`{column}` of the row {key} of `{name}` is {stored}, and {computed} when it is built anew")
        }
        DifferenceKind::Missing => format!("`{name}` has no row {key}, and has one when it is built anew"),
        DifferenceKind::Extra => format!("`{name}` has a row {key}, and none when it is built anew"),
    }
}

/// A script that failed, or ran past its limits. What is no fault of the rules is an error still.
pub(super) fn script(error: Error, subject: Subject) -> Result<Breach, Error> {
    let problem = match error {
        Error::Script(_) | Error::Misfit(_) => error.into_diagnostic("scripts"),
        other => return Err(other),
    };
    let mark = match &problem.place {
        Some(place) => format!("{}:{}", place.source.name, place.start),
        None => problem.message.clone(),
    };
    Ok(Breach { law: Law::Scripts, problem, subject, mark, shown: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::event::{Command, NewEvent};
    use crate::store::{Decision, RowChange};

    const DOMAIN: &str = "domain: d
aggregates:
  counter:
    state: { n: 0 }
    events:
      Added:
        fields: { amount: integer }
        fold: state.n += event.amount
    commands:
      Add:
        fields: { amount: integer }
        decide: emit(\"Added\", command)
    invariants:
      not_below_nothing: state.n >= 0
projections:
  totals:
    columns: { counter: string, total: integer }
    key: meta.id
    on: { counter.Added: row.total += event.amount }
";

    /// A stage on which 1 was added to `counter/1`.
    fn stage() -> (Stage, StreamName) {
        let (domains, problems) = Domains::load(&[Source::new("d.yaml", DOMAIN)]);
        assert!(problems.is_empty(), "{problems:?}");
        let mut stage = Stage::new(&Rc::new(domains.unwrap()));
        let stream = StreamName::new("counter/1").unwrap();
        let data = [("amount".to_owned(), Value::Integer(1))].into_iter().collect();
        let step = Step { stream: stream.clone(), command: "Add".to_owned(), data, at: Time::default() };
        assert!(matches!(stage.play(&step), Ok(Played::Accepted(..))));
        (stage, stream)
    }

    /// Puts an event into the log that no rule decided.
    fn smuggle(stage: &mut Stage, stream: &StreamName, amount: i64) {
        let command = Command {
            id: "smuggled".into(),
            stream: stream.clone(),
            name: "Add".into(),
            data: "{}".into(),
            actor: None,
            correlation: None,
            causation: None,
            meta: None,
            time: Time::default(),
            domain: "other".into(),
        };
        let data = format!("{{\"amount\":{amount}}}").into();
        let event = NewEvent { stream: stream.clone(), kind: "Added".into(), schema: 1, data };
        let store = &mut stage.workbench.store;
        store.begin().unwrap();
        store.append(&Decision { command: &command, domain_text: "", events: &[event] }).unwrap();
        store.commit().unwrap();
    }

    #[test]
    fn what_is_sound_breaks_nothing() {
        let (mut stage, stream) = stage();
        assert_eq!(stage.state(&stream).unwrap().unwrap().to_string(), r#"{"n":1}"#);
        assert!(stage.finish().unwrap().is_ok());
    }

    #[test]
    fn an_invariant_that_does_not_hold_on_the_log_is_found() {
        let (mut stage, stream) = stage();
        smuggle(&mut stage, &stream, -2);
        let breach = stage.state(&stream).unwrap().unwrap_err();
        assert_eq!(breach.law, Law::Invariants);
        assert_eq!(
            breach.problem.message,
            "the invariant `not_below_nothing` does not hold on `counter/1` at version 2"
        );
        assert_eq!(breach.problem.place.unwrap().line(), 14);
    }

    #[test]
    fn a_state_that_is_not_what_the_log_gives_is_found() {
        let (mut stage, stream) = stage();
        let data = [("n".to_owned(), Value::Integer(7))].into_iter().collect();
        stage.kept.put(stream.clone(), Held { state: State::of(data), version: Version(1), snapshot: Version(0) });
        let breach = stage.state(&stream).unwrap().unwrap_err();
        assert_eq!(breach.law, Law::States);
        assert_eq!(
            breach.problem.message,
            "the state of `counter/1` at version 1 differs\n  the command left  {\"n\":7}\n  the log gives     {\"n\":1}"
        );
    }

    #[test]
    fn rows_that_are_not_what_the_log_gives_are_found() {
        let (mut stage, _) = stage();
        let domains = stage.workbench.domains.clone();
        let filled = stage.workbench.project_filled("totals").unwrap();
        let served = filled.served.unwrap();
        let at = served.checkpoint;
        let mut tamper = |change| {
            stage.workbench.store.advance(&filled.table, served.number, at, at, &[change]).unwrap();
            let breach = stage.rebuilt(&domains, "totals").unwrap().unwrap_err();
            assert_eq!(breach.law, Law::Projections);
            breach.problem.message
        };
        let row = |key: &str, total| RowChange::Put(vec![Value::Text(key.to_owned()), Value::Integer(total)]);
        assert_eq!(tamper(row("1", 5)), "`total` of the row \"1\" of `totals` is 5, and 1 when it is built anew");
        tamper(row("1", 5));
        assert_eq!(
            tamper(RowChange::Delete(Value::Text("1".to_owned()))),
            "`totals` has no row \"1\", and has one when it is built anew"
        );
    }

    #[test]
    fn all_that_happens_is_in_the_digest() {
        let digest = |amounts: &[i64]| {
            let (mut stage, stream) = stage();
            for amount in amounts {
                let data = [("amount".to_owned(), Value::Integer(*amount))].into_iter().collect();
                let step = Step { stream: stream.clone(), command: "Add".to_owned(), data, at: Time::default() };
                stage.play(&step).unwrap();
            }
            stage.finish().unwrap().unwrap()
        };
        assert_eq!(digest(&[1, 2]), digest(&[1, 2]));
        assert_ne!(digest(&[1, 2]), digest(&[2, 1]));
        // What was rejected counts as well.
        assert_ne!(digest(&[1]), digest(&[1, -9]));
    }
}
