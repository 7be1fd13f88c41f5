//! Replaying: the state of a stream, now or then, and how it came about.

use super::change::{changes, changes_within, pointer};
use super::{Change, Error, Misfit, PAGE, Workbench, aggregate_of, meta, snapshot};
use crate::domain::{Aggregate, Domains, EventError, StoredEvent};
use crate::event::{Moment, Position, Recorded, StreamName, Time, Version};
use crate::json::Value;
use crate::script::State;
use crate::store::{Store, StoreError};
use std::ops::ControlFlow;
use std::time::Duration;

/// A stream's state at a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// The stream.
    pub stream: StreamName,
    /// Its version then.
    pub version: Version,
    /// Position of the event of that version; 0 for the initial state.
    pub position: Position,
    /// Time of that event.
    pub time: Option<Time>,
    /// Its state, fields in declared order.
    pub state: Value,
}

/// One event of a replay.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The event, with its command.
    pub event: Recorded,
    /// The time since the event before it in the stream; `None` for the first one.
    pub gap: Option<Duration>,
    /// What it changed in the state.
    pub changes: Vec<Change>,
}

/// Which events of a stream to show; without limits, all of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stretch<'a> {
    /// From the first event at or after this moment; a version is that of the first event.
    pub from: Option<Moment>,
    /// Up to this moment.
    pub at: Option<Moment>,
    /// Only those that changed something at this path of the state, or within it, and of their changes only these.
    pub only: Option<&'a str>,
}

/// A state that is being folded.
#[derive(Debug, Clone)]
pub(crate) struct Folding {
    pub state: State,
    pub version: Version,
    pub position: Position,
    pub time: Option<Time>,
}

impl Folding {
    /// The initial state.
    pub(crate) fn new(aggregate: &Aggregate) -> Self {
        Self { state: aggregate.rules.state.initial.clone(), version: Version(0), position: Position(0), time: None }
    }
}

impl Workbench {
    /// The state of a stream at a moment; without one, now.
    pub fn replay(&mut self, stream: &StreamName, at: Option<Moment>) -> Result<Replayed, Error> {
        let domains = self.domains.clone();
        let aggregate = aggregate_of(&domains, stream)?;
        let until = self.version_at(stream, at)?;
        let folding = fold_stream(&domains, aggregate, self.store.as_mut(), stream, until)?;
        replayed(aggregate, stream, &folding)
    }

    /// The same, event by event.
    pub fn steps(
        &mut self,
        stream: &StreamName,
        at: Option<Moment>,
        each: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Replayed, Error> {
        self.steps_of(stream, &Stretch { at, ..Stretch::default() }, each)
    }

    /// The same of a stretch of the stream. What comes before it is folded and not shown.
    pub fn steps_of(
        &mut self,
        stream: &StreamName,
        stretch: &Stretch<'_>,
        each: &mut dyn FnMut(Step) -> ControlFlow<()>,
    ) -> Result<Replayed, Error> {
        let domains = self.domains.clone();
        let aggregate = aggregate_of(&domains, stream)?;
        let until = self.version_at(stream, stretch.at)?;
        let first = self.first_of(stream, stretch, until)?;
        let only = stretch.only.map(pointer);
        let mut folding = fold_stream(&domains, aggregate, self.store.as_mut(), stream, Version(first.0 - 1))?;
        let mut before = state_value(aggregate, stream, &folding)?;
        let mut time = folding.time;
        fold_each((&domains, aggregate), self.store.as_mut(), stream, &mut folding, until, true, |folding, event| {
            let after = state_value(aggregate, stream, folding)?;
            let gap = time.replace(event.time).map(|before| event.time.since(before));
            let mut changes = changes(&before, &after);
            before = after;
            if let Some(only) = &only {
                changes = changes_within(changes, only);
                if changes.is_empty() {
                    return Ok(ControlFlow::Continue(()));
                }
            }
            Ok(each(Step { event, gap, changes }))
        })?;
        replayed(aggregate, stream, &folding)
    }

    /// The version of the first event of a stretch that ends with a version; at least 1. It may lie after the end, where no
    /// event is in between.
    pub(crate) fn first_of(
        &mut self,
        stream: &StreamName,
        stretch: &Stretch<'_>,
        until: Version,
    ) -> Result<Version, Error> {
        let Some(from) = stretch.from else { return Ok(Version(1)) };
        let first = self.version_from(stream, from)?;
        let in_order = match (from, stretch.at) {
            (Moment::Position(from), Some(Moment::Position(at))) => from <= at,
            (Moment::Time(from), Some(Moment::Time(at))) => from <= at,
            (Moment::Position(_) | Moment::Time(_), None) => true,
            _ => first <= until,
        };
        if in_order {
            return Ok(first);
        }
        let misfit =
            Misfit::new(format!("of `{stream}`, `--from` begins with version {first}, `--at` ends with {until}"));
        Err(misfit.hint("`--from` names the earlier moment").into())
    }
}

/// Folds a stream's events up to a version, from the latest snapshot on that there is at or below it.
pub(crate) fn fold_stream(
    domains: &Domains,
    aggregate: &Aggregate,
    store: &mut dyn Store,
    stream: &StreamName,
    until: Version,
) -> Result<Folding, Error> {
    Ok(fold_on(domains, aggregate, store, stream, until)?.0)
}

/// The same, with the version of that snapshot; 0 where there is none.
pub(crate) fn fold_on(
    domains: &Domains,
    aggregate: &Aggregate,
    store: &mut dyn Store,
    stream: &StreamName,
    until: Version,
) -> Result<(Folding, Version), Error> {
    let mut folding = snapshot::latest(aggregate, store, stream, until)?.unwrap_or_else(|| Folding::new(aggregate));
    let begun = folding.version;
    let commands = aggregate.folds_read_commands();
    let rules = (domains, aggregate);
    fold_each(rules, store, stream, &mut folding, until, commands, |_, _| Ok(ControlFlow::Continue(())))?;
    Ok((folding, begun))
}

/// Folds the events after what is folded already, up to a version, and shows each of them, with what is folded by then.
/// `commands`: whether each event is to carry its command.
pub(crate) fn fold_each(
    (domains, aggregate): (&Domains, &Aggregate),
    store: &mut dyn Store,
    stream: &StreamName,
    folding: &mut Folding,
    until: Version,
    commands: bool,
    mut each: impl FnMut(&mut Folding, Recorded) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    each_event(store, stream, (folding.version, until), commands, |event| {
        fold_event(domains, aggregate, folding, &event)?;
        each(folding, event)
    })
}

/// Shows a stream's events after a version, up to another, reading a page of them at a time.
pub(crate) fn each_event(
    store: &mut dyn Store,
    stream: &StreamName,
    (mut after, until): (Version, Version),
    commands: bool,
    mut each: impl FnMut(Recorded) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let mut page: Vec<Recorded> = Vec::new();
    while after < until {
        let most = usize::try_from(until.0 - after.0).map_or(PAGE, |left| left.min(PAGE));
        store.read_stream(stream, after, most, commands, &mut page)?;
        let Some(last) = page.last() else { break };
        after = last.version;
        for event in page.drain(..) {
            if each(event)?.is_break() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Applies one event.
pub(crate) fn fold_event(
    domains: &Domains,
    aggregate: &Aggregate,
    folding: &mut Folding,
    event: &Recorded,
) -> Result<(), Error> {
    let stored = StoredEvent { kind: &event.kind, schema: event.schema, data: &event.data, version: event.version.0 };
    domains
        .fold(aggregate, &mut folding.state, &stored, |kind| meta::of_event(event, kind, false))
        .map_err(|error| cannot("folding", error, event))?;
    folding.version = event.version;
    folding.position = event.position;
    folding.time = Some(event.time);
    Ok(())
}

/// What to say of a stored event that cannot be read or applied while something is done with it, as `folding`.
pub(crate) fn cannot(doing: &str, error: EventError, event: &Recorded) -> Error {
    let which = format!("event {} of `{}` (@{})", event.version, event.stream, event.position);
    match error {
        EventError::Fault(fault) => fault.while_doing(|| format!("while {doing} {which}")).into(),
        EventError::Unknown => Misfit::new(format!(
            "{which} is a `{}`, which `{}` does not know",
            event.kind,
            event.stream.aggregate()
        ))
        .hint(format!(
            "a stored event keeps its type forever: declare it again under `events`, name it under `was` of the \
                     event that it is now, or under `retired: [{}]`",
            event.kind
        ))
        .into(),
        EventError::Newer { known } => Misfit::new(format!(
            "{which} is a `{}` of schema version {}, the domain knows version {known}",
            event.kind, event.schema
        ))
        .hint("it was stored under newer rules: use these")
        .into(),
        EventError::Payload(problem) => {
            StoreError::Damaged(format!("the payload of {which} cannot be read: {problem}")).into()
        }
    }
}

pub(crate) fn state_value(aggregate: &Aggregate, stream: &StreamName, folding: &Folding) -> Result<Value, Error> {
    aggregate.rules.state.value(&folding.state).map_err(|problem| {
        Misfit::new(format!("the state of `{stream}` at version {}: {problem}", folding.version)).into()
    })
}

fn replayed(aggregate: &Aggregate, stream: &StreamName, folding: &Folding) -> Result<Replayed, Error> {
    Ok(Replayed {
        stream: stream.clone(),
        version: folding.version,
        position: folding.position,
        time: folding.time,
        state: state_value(aggregate, stream, folding)?,
    })
}
