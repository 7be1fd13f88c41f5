//! The states of streams by both rules.

use super::reach::{Reached, reached};
use super::side::Side;
use super::work::in_order;
use super::{
    AggregateDiffers, AggregatePlan, Begins, Difference, Each, EventDiffers, InvariantBroken, Plan, Reach,
    StateDiffers, Step,
};
use crate::domain::{Aggregate, Domains};
use crate::event::{Position, Recorded, StreamName, Version};
use crate::script::fold::Known;
use crate::store::{EventFilter, Store};
use crate::workbench::change::changes;
use crate::workbench::events::each_logged;
use crate::workbench::replay::each_event;
use crate::workbench::stored::fits;
use crate::workbench::{Error, PAGE, aggregate_of};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// How many streams are replayed in one piece.
const PIECE: usize = 64;

/// What a thread works with.
pub(super) struct Hand {
    pub(super) old: Domains,
    pub(super) new: Domains,
    pub(super) store: Box<dyn Store>,
}

/// What came of one stream.
#[derive(Default)]
struct Compared {
    events: u64,
    found: Vec<Difference>,
    /// Neither of the rules can replay it.
    uncompared: bool,
    /// The invariants that only the other rules break, with the first version after which they do, and whether they do by
    /// now.
    broken: BTreeMap<Box<str>, (Version, Position, bool)>,
}

impl Plan<'_> {
    /// Compares the states of streams, aggregate by aggregate.
    pub(super) fn states(
        &mut self,
        head: Position,
        each: Each<'_>,
        progress: &mut dyn FnMut(Step<'_>),
    ) -> Result<Vec<AggregatePlan>, Error> {
        let (old, new) = (self.old, self.new);
        let names: BTreeSet<&str> = old.aggregates().chain(new.aggregates()).map(|of| &*of.name).collect();
        let mut plans = Vec::new();
        for name in names {
            let mut plan = AggregatePlan::new(name);
            let (before, after) = (old.aggregate(name), new.aggregate(name));
            if let (Some(before), Some(after)) = (before, after) {
                let reached = reached(before, after);
                if !reached.is_nothing() {
                    plan.reach = if reached.all { Reach::All } else { Reach::Some };
                    let streams = self.streams_of(name, (!reached.all).then_some(&reached.kinds), head)?;
                    self.compare(&mut plan, &streams, &reached, head, each, progress)?;
                }
            } else {
                plan.streams = self.streams_of(name, None, head)?.len() as u64;
                if plan.streams > 0 {
                    let gone = after.is_none();
                    plan.reach = if gone { Reach::Gone } else { Reach::New };
                    let differs = AggregateDiffers { aggregate: name.into(), gone, streams: plan.streams };
                    let _ = each(Difference::Aggregate(differs));
                }
            }
            plans.push(plan);
        }
        Ok(plans)
    }

    /// The streams of an aggregate, or those with events that are stored under certain names.
    fn streams_of(
        &mut self,
        aggregate: &str,
        kinds: Option<&BTreeSet<Box<str>>>,
        head: Position,
    ) -> Result<Vec<StreamName>, Error> {
        let Some(kinds) = kinds else {
            let mut all = Vec::new();
            let mut last = None;
            loop {
                let page = self.store.streams(last.as_ref(), PAGE)?;
                let Some(end) = page.last() else { return Ok(all) };
                last = Some(end.name.clone());
                let then = page.into_iter().filter(|info| info.first <= head && info.name.aggregate() == aggregate);
                all.extend(then.map(|info| info.name));
            }
        };
        let kinds = kinds.iter().map(|kind| (aggregate.into(), kind.clone())).collect();
        let filter = EventFilter { kinds: Some(kinds), ..EventFilter::default() };
        let mut streams = BTreeSet::new();
        each_logged(self.store, (Position(0), head), false, &filter, |event| {
            if !streams.contains(&event.stream) {
                streams.insert(event.stream);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(streams.into_iter().collect())
    }

    fn compare(
        &mut self,
        plan: &mut AggregatePlan,
        streams: &[StreamName],
        reached: &Reached,
        head: Position,
        each: Each<'_>,
        progress: &mut dyn FnMut(Step<'_>),
    ) -> Result<(), Error> {
        let name = plan.name.clone();
        let mut first: Option<StreamName> = None;
        let mut done = |compared: Compared| {
            plan.note(&compared);
            progress(Step::Streams(&name, plan.streams));
            for difference in compared.found {
                if let Difference::State(differs) = &difference {
                    first.get_or_insert_with(|| differs.stream.clone());
                }
                each(difference)?;
            }
            ControlFlow::Continue(())
        };
        let jobs = self.jobs(head).min(streams.len().div_ceil(PIECE));
        if jobs > 1 {
            let mut pieces = streams.chunks(PIECE);
            in_order(
                jobs,
                || Ok(pieces.next()),
                self.hand(),
                |Hand { old, new, store }, piece| {
                    let compare = |stream| compare((old, new), store.as_mut(), stream, reached, head);
                    piece.iter().map(compare).collect::<Result<Vec<_>, _>>()
                },
                &mut |piece: Vec<Compared>| piece.into_iter().try_for_each(&mut done),
            )?;
        } else {
            for stream in streams {
                if done(compare((self.old, self.new), self.store, stream, reached, head)?).is_break() {
                    break;
                }
            }
        }
        if let Some(stream) = first {
            plan.example = self.begins(&stream, head)?;
        }
        Ok(())
    }

    /// What makes what a thread works with.
    pub(super) fn hand<'h>(&self) -> impl Fn() -> Result<Hand, Error> + Sync + 'h
    where
        Self: 'h,
    {
        let sources = |domains: &Domains| domains.files().iter().map(|file| file.source.clone()).collect::<Vec<_>>();
        let (old, new, open) = (sources(self.old), sources(self.new), self.open);
        move || {
            let load = |sources| Domains::load(sources).0.ok_or_else(super::work::unsound);
            Ok(Hand { old: load(&old)?, new: load(&new)?, store: open()? })
        }
    }

    /// The first event after which the states of a stream differ.
    fn begins(&mut self, stream: &StreamName, head: Position) -> Result<Option<Begins>, Error> {
        let mut old = Side::new(self.old, aggregate_of(self.old, stream)?);
        let mut new = Side::new(self.new, aggregate_of(self.new, stream)?);
        let commands = old.aggregate.folds_read_commands() || new.aggregate.folds_read_commands();
        let differ = |old: &Side<'_>, new: &Side<'_>, event: Option<&Recorded>| -> Result<Option<Begins>, Error> {
            let (Some(before), Some(after)) = (old.state(stream)?, new.state(stream)?) else { return Ok(None) };
            let changes = changes(&before, &after);
            Ok((!changes.is_empty()).then(|| Begins {
                stream: stream.clone(),
                version: event.map_or(Version(0), |event| event.version),
                position: event.map_or(Position(0), |event| event.position),
                kind: event.map(|event| Box::from(&*event.kind)).unwrap_or_default(),
                changes,
            }))
        };
        let mut found = differ(&old, &new, None)?;
        if found.is_some() {
            return Ok(found);
        }
        let until = self.store.version_at(stream, head)?;
        each_event(self.store, stream, (Version(0), until), commands, |event| {
            old.fold(&event)?;
            new.fold(&event)?;
            found = differ(&old, &new, Some(&event))?;
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        Ok(found)
    }
}

impl AggregatePlan {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            reach: Reach::Nothing,
            streams: 0,
            events: 0,
            differ: 0,
            unfit: 0,
            broken: 0,
            uncompared: 0,
            example: None,
        }
    }

    fn note(&mut self, compared: &Compared) {
        self.streams += 1;
        self.events += compared.events;
        self.uncompared += u64::from(compared.uncompared);
        for difference in &compared.found {
            match difference {
                Difference::State(_) => self.differ += 1,
                Difference::Event(_) => self.unfit += 1,
                Difference::Invariant(_) => self.broken += 1,
                _ => {}
            }
        }
    }
}

/// Replays a stream by both rules.
fn compare(
    (old, new): (&Domains, &Domains),
    store: &mut dyn Store,
    stream: &StreamName,
    reached: &Reached,
    head: Position,
) -> Result<Compared, Error> {
    let mut old = Side::new(old, aggregate_of(old, stream)?);
    let mut new = Side::new(new, aggregate_of(new, stream)?);
    let asks = !new.aggregate.rules.invariants.is_empty();
    let commands = asks || old.aggregate.folds_read_commands() || new.aggregate.folds_read_commands();
    let mut compared = Compared::default();
    let mut command = None;
    let until = store.version_at(stream, head)?;
    each_event(store, stream, (Version(0), until), commands, |event| {
        // Invariants hold between commands.
        let of = event.command.as_ref().map(|command| command.id.clone());
        if asks && command.is_some() && command != of {
            compared.ask(&mut old, &mut new);
        }
        command = of;
        old.fold(&event)?;
        new.fold(&event)?;
        if reached.retyped.contains(&*event.kind) {
            compared.found.extend(unfit(old.aggregate, new.aggregate, &event)?);
        }
        compared.events += 1;
        Ok(ControlFlow::Continue(()))
    })?;
    if asks {
        compared.ask(&mut old, &mut new);
    }
    judge(&mut compared, stream, &old, &new)?;
    Ok(compared)
}

/// An event whose payload is not what its fields say any more.
fn unfit(old: &Aggregate, new: &Aggregate, event: &Recorded) -> Result<Option<Difference>, Error> {
    let fit = |aggregate: &Aggregate| match aggregate.rules.known(&event.kind) {
        Some(Known::Event(rules)) if rules.schema == event.schema => fits(rules, event),
        _ => Ok(()),
    };
    match fit(new) {
        Err(error @ Error::Store(_)) => Err(error),
        Err(error) if fit(old).is_ok() => Ok(Some(Difference::Event(EventDiffers::new(event, error)))),
        _ => Ok(None),
    }
}

/// What differs at the end.
fn judge(compared: &mut Compared, stream: &StreamName, old: &Side<'_>, new: &Side<'_>) -> Result<(), Error> {
    match (&old.failed, &new.failed) {
        (None, None) => {
            if let (Some(before), Some(after)) = (old.state(stream)?, new.state(stream)?) {
                let changes = changes(&before, &after);
                let version = old.folding.as_ref().map(|folding| folding.version).unwrap_or_default();
                if !changes.is_empty() {
                    let stream = stream.clone();
                    compared.found.push(Difference::State(StateDiffers { stream, version, changes }));
                }
            }
        }
        (Some(before), Some(after)) if before.position == after.position => compared.uncompared = true,
        // Who comes further fails at an event that the other never gets to.
        (before, after) => {
            let fits = match (before, after) {
                (Some(before), Some(after)) => before.position < after.position,
                (before, _) => before.is_some(),
            };
            let failed = if fits { before } else { after };
            let differs = failed.iter().map(|failed| Difference::Event(EventDiffers { fits, ..failed.clone() }));
            compared.found.extend(differs);
        }
    }
    for (name, (version, position, now)) in std::mem::take(&mut compared.broken) {
        let stream = stream.clone();
        compared.found.push(Difference::Invariant(InvariantBroken { stream, version, position, name, now }));
    }
    Ok(())
}

impl Compared {
    /// Asks the invariants after a command. What the present rules break there as well is no difference.
    fn ask<'d>(&mut self, old: &mut Side<'d>, new: &mut Side<'d>) {
        let mut broken = new.broken();
        if !broken.is_empty() {
            let before = old.broken();
            broken.retain(|name| !before.contains(name));
        }
        for (name, (.., now)) in &mut self.broken {
            *now = broken.contains(&&**name);
        }
        let Some(folding) = &new.folding else { return };
        for name in broken {
            self.broken.entry(name.into()).or_insert((folding.version, folding.position, true));
        }
    }
}

impl EventDiffers {
    /// An event that rules cannot read or fold: the other ones, as long as nothing else is said.
    pub(super) fn new(event: &Recorded, error: Error) -> Self {
        Self {
            stream: event.stream.clone(),
            version: event.version,
            position: event.position,
            kind: (&*event.kind).into(),
            fits: false,
            problem: error.into_diagnostic("plan"),
        }
    }
}
