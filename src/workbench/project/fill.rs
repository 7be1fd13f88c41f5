//! Filling a read model: events page by page, their rows in memory, rows and checkpoint together.
//!
//! What is filled for nobody to see yet goes in long strides: many events, then their rows in small steps, so that
//! others who write never wait long ([`Ahead`] says which rows have come how far, should it end in between). What is
//! served goes in short ones, each of which is one step.

use super::Progress;
use super::crew::Crew;
use super::routes::{Failed, Routes, Stop};
use super::rows::{Fetch, Rows, Share, fetch};
use crate::domain::{Domains, Projection};
use crate::event::{Position, Recorded};
use crate::json::Value;
use crate::script::facts::Facts;
use crate::store::{Ahead, EventFilter, Failure, Generation, Row, RowChange, Store, StoreError, Table};
use crate::workbench::{Error, threads};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

/// How many events are read at a time.
const PAGE: usize = 8_192;
/// How many events lie between two checkpoints of what is served.
const SHORT: u64 = 4_096;
/// The fewest events between two checkpoints of what is built.
const LONG: u64 = 65_536;
/// As many events for each row that was changed: then writing rows takes much less time than computing them.
const EVENTS_FOR_A_ROW: u64 = 128;
/// But not more than so many: a few seconds, which are lost where it is interrupted.
const LONGEST: u64 = 4_000_000;
/// How many rows are written in one step: a few milliseconds, also on a machine that has other things to do.
const ROWS_AT_ONCE: usize = 250;
/// From so many positions on several threads are worth their beginning.
const MANY: u64 = 50_000;

/// How far one run over the log came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    pub(super) events: u64,
    pub(super) position: Position,
}

/// Where the events come from, and where the rows go.
pub(super) struct Places<'s> {
    /// The store with the events.
    pub(super) log: &'s mut dyn Store,
    /// Where the rows are, if not there too.
    pub(super) aside: Option<&'s mut dyn Store>,
}

impl Places<'_> {
    fn rows(&mut self) -> &mut dyn Store {
        match &mut self.aside {
            Some(aside) => *aside,
            None => self.log,
        }
    }
}

/// How a read model is to be filled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Manner {
    /// How many threads work on it; `None`: as many as there are cores, where there is much to do.
    pub jobs: Option<NonZeroUsize>,
    /// Go on past events that cannot be applied, and note them.
    pub park: bool,
}

/// A read model and where it is filled.
pub(super) struct Filling<'p> {
    pub(super) projection: &'p Projection,
    pub(super) table: &'p Table,
    pub(super) generation: &'p Generation,
    /// The last position to apply, if not that of the store.
    pub(super) until: Option<Position>,
    pub(super) manner: Manner,
}

/// Changes of rows with the texts of their keys, by which they are sorted.
pub(super) type Changes = Vec<(Arc<str>, RowChange)>;

/// Who applies events to rows: this thread or several.
pub(super) trait Hands {
    /// Applies events, or begins to.
    fn apply(&mut self, events: Vec<Recorded>, fetch: &mut Fetch<'_>) -> Result<(), Stop>;
    /// How many rows have changed since they were written, as far as is known.
    fn changed(&self) -> usize;
    /// Whether they hold as much as they may.
    fn is_full(&self) -> bool;
    /// All that was begun is done, and what has changed is about to be taken. Gives what was parked.
    fn finish(&mut self, fetch: &mut Fetch<'_>) -> Result<Vec<Failure>, Stop>;
    /// The next so many of the rows that have changed, by key; fewer are the last.
    fn take(&mut self, most: usize) -> Result<Changes, Stop>;
    /// These changes were written.
    fn give_back(&mut self, changes: Changes);
    /// All were written; who is full lets go of all rows.
    fn written(&mut self);
}

impl Hands for Rows<'_> {
    fn apply(&mut self, events: Vec<Recorded>, fetch: &mut Fetch<'_>) -> Result<(), Stop> {
        Rows::apply(self, &events, None, fetch)
    }

    fn changed(&self) -> usize {
        Rows::changed(self)
    }

    fn is_full(&self) -> bool {
        Rows::is_full(self)
    }

    fn finish(&mut self, _: &mut Fetch<'_>) -> Result<Vec<Failure>, Stop> {
        self.sort_changes();
        Ok(self.take_parked())
    }

    fn take(&mut self, most: usize) -> Result<Changes, Stop> {
        Ok(self.take_changes(most))
    }

    fn give_back(&mut self, changes: Changes) {
        drop(changes);
    }

    fn written(&mut self) {
        if Rows::is_full(self) {
            self.clear();
        }
    }
}

impl Filling<'_> {
    /// Applies what the generation has not seen.
    pub(super) fn run(
        &self,
        domains: &Domains,
        places: &mut Places<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Run, Error> {
        let mut run = Run { events: 0, position: self.generation.checkpoint };
        let end = places.log.head()?.position;
        let end = self.until.map_or(end, |until| until.min(end));
        let (filter, commands) = events_of(domains, self.projection);
        let ahead = self.generation.ahead.clone();
        let mut stride = Stride { end, filter, commands, ahead, progress, run: &mut run };
        // Where an event could not be applied, this thread goes on alone up to here, with care.
        let mut alone: Option<Position> = None;
        let jobs = self.jobs(end);
        while stride.run.position < end {
            let from = stride.run.position;
            let several = jobs > 1 && alone.is_none_or(|until| from >= until);
            let outcome = if several {
                self.with_crew(domains, jobs, &mut stride, places)
            } else {
                let careful = alone.filter(|until| *until > from);
                let park = careful.is_some();
                let routes = Routes::new(domains, self.projection);
                let mut rows = Rows::new(routes, stride.share(), stride.is_first(), park);
                self.stride(&mut rows, careful.unwrap_or(end), &mut stride, places, park)
            };
            let failed = match outcome {
                Ok(()) => continue,
                Err(Stop::Error(error)) => return Err(error),
                Err(Stop::Failed(failed)) => failed,
            };
            // What is in memory has seen that event in part: it is begun again where it was last written.
            if stride.ahead.is_some() {
                // Those who came before got past it: what they left cannot be relied on.
                places.rows().abandon(&self.projection.name)?;
                return Err(StoreError::Overtaken.into());
            }
            if !self.manner.park {
                return Err(self.stop_before(failed, domains, &mut stride, places));
            }
            // Where one is, there are often more.
            alone = Some(Position(failed.position.0 + LONG).min(end));
        }
        Ok(run)
    }

    /// How many threads are to work on it.
    fn jobs(&self, end: Position) -> usize {
        // Notes of scripts are to come in the order of the events.
        let mut scripts = self.projection.handlers.values().flat_map(|handler| [&*handler.key, &handler.script]);
        let speaks = |facts: &Facts| ["print", "debug"].iter().any(|name| facts.calls_of(name).next().is_some());
        if scripts.any(|script| speaks(script.facts()) || speaks(script.library().facts())) {
            return 1;
        }
        threads(self.manner.jobs, end.0 - self.generation.checkpoint.0 >= MANY)
    }

    fn with_crew(
        &self,
        domains: &Domains,
        jobs: usize,
        stride: &mut Stride<'_>,
        places: &mut Places<'_>,
    ) -> Result<(), Stop> {
        let sources: Vec<_> = domains.files().iter().map(|file| Arc::clone(&file.source)).collect();
        let (share, complete) = (stride.share(), stride.is_first());
        thread::scope(|scope| {
            let mut crew = Crew::hire(scope, &sources, &self.projection.name, jobs, &share, complete)?;
            self.stride(&mut crew, stride.end, stride, places, false)
        })
    }

    /// Applies events up to one, in strides. Where some rows are ahead, the hands know only the others: it ends when these
    /// have got there.
    fn stride(
        &self,
        hands: &mut dyn Hands,
        until: Position,
        stride: &mut Stride<'_>,
        places: &mut Places<'_>,
        careful: bool,
    ) -> Result<(), Stop> {
        // What may not be written in parts is kept short.
        let short = self.generation.served || careful;
        let length = |changed: usize| {
            if short { SHORT } else { (changed as u64).saturating_mul(EVENTS_FOR_A_ROW).clamp(LONG, LONGEST) }
        };
        while stride.run.position < until {
            let from = stride.run.position;
            let is_rest = stride.ahead.is_some();
            let until = stride.ahead.as_ref().map_or(until, |ahead| ahead.position);
            let (mut to, mut events) = (from, 0);
            while to < until {
                let left = length(hands.changed()).saturating_sub(events);
                let limit = if is_rest { PAGE } else { usize::try_from(left).unwrap_or(PAGE).clamp(1, PAGE) };
                let mut page = places.log.read_all(to, limit, stride.commands, &stride.filter)?;
                if page.scanned >= until {
                    page.events.retain(|event| event.position <= until);
                    page.scanned = until;
                }
                events += page.events.len() as u64;
                to = page.scanned;
                hands.apply(page.events, &mut |keys, each| self.fetch(places, &keys, each))?;
                (stride.progress)(Progress { done: to, total: stride.end });
                // Where some rows are ahead, the others have to get there at once.
                if stride.ahead.is_none() && (events >= length(hands.changed()) || hands.is_full()) {
                    break;
                }
            }
            let parked = hands.finish(&mut |keys, each| self.fetch(places, &keys, each))?;
            self.write((from, to), stride.ahead.take(), hands, &parked, places)?;
            hands.written();
            stride.run.position = to;
            stride.run.events += events;
            if is_rest {
                break;
            }
        }
        Ok(())
    }

    /// Reads rows where they are.
    fn fetch(
        &self,
        places: &mut Places<'_>,
        keys: &[Value],
        each: &mut dyn FnMut(usize, Option<&Row>),
    ) -> Result<(), StoreError> {
        fetch(places.rows(), (self.table, self.generation.number), keys, each)
    }

    /// Writes the changes of a stride.
    fn write(
        &self,
        (from, to): (Position, Position),
        mut ahead: Option<Ahead>,
        hands: &mut dyn Hands,
        parked: &[Failure],
        places: &mut Places<'_>,
    ) -> Result<(), Stop> {
        let (table, number) = (self.table, self.generation.number);
        let parts = !self.generation.served && parked.is_empty() && places.aside.is_none();
        let most = if parts { ROWS_AT_ONCE } else { usize::MAX };
        let mut changes = hands.take(most)?;
        loop {
            let next = if changes.len() < most { Vec::new() } else { hands.take(most)? };
            let (keys, rows): (Vec<Arc<str>>, Vec<RowChange>) = changes.into_iter().unzip();
            let part = keys.last().filter(|_| !next.is_empty());
            let part = part.map(|key| Ahead { position: to, key: (&**key).into() });
            match &part {
                Some(part) => places.rows().advance_part(table, number, from, ahead.as_ref(), part, &rows)?,
                None => places.rows().advance_past(table, number, from, to, &rows, parked)?,
            }
            hands.give_back(keys.into_iter().zip(rows).collect());
            if part.is_none() {
                return Ok(());
            }
            (ahead, changes) = (part, next);
        }
    }

    /// Applies what comes before an event that cannot be applied, and notes that it was stopped there. What it says is the
    /// error.
    fn stop_before(
        &self,
        mut failed: Failed,
        domains: &Domains,
        stride: &mut Stride<'_>,
        places: &mut Places<'_>,
    ) -> Error {
        loop {
            let before = Position(failed.position.0 - 1);
            let routes = Routes::new(domains, self.projection);
            let mut rows = Rows::new(routes, stride.share(), stride.is_first(), false);
            match self.stride(&mut rows, before, stride, places, false) {
                Ok(()) => break,
                Err(Stop::Error(error)) => return error,
                // With several threads it need not be the first one that fails which is seen first.
                Err(Stop::Failed(earlier)) => failed = earlier,
            }
        }
        match places.rows().stop(self.generation.number, &failed.to_note()) {
            Ok(()) => Error::Script(failed.fault),
            Err(error) => error.into(),
        }
    }
}

/// The events that a read model is made of, as they are stored, and whether they are needed with their commands.
pub(super) fn events_of(domains: &Domains, projection: &Projection) -> (EventFilter, bool) {
    let kinds = Some(domains.stored_kinds(projection.handlers.keys()));
    let scripts = projection.handlers.values().flat_map(|handler| [&*handler.key, &handler.script]);
    let commands = domains.read_commands(scripts, projection.handlers.keys());
    (EventFilter { kinds, ..EventFilter::default() }, commands)
}

/// How far a run has come, and where it is to get.
struct Stride<'r> {
    end: Position,
    /// The events it is about.
    filter: EventFilter,
    /// Whether they are needed with their commands.
    commands: bool,
    ahead: Option<Ahead>,
    progress: &'r mut dyn FnMut(Progress),
    run: &'r mut Run,
}

impl Stride<'_> {
    /// The rows that have not come as far as others.
    fn share(&self) -> Share {
        Share { after: self.ahead.as_ref().map(|ahead| ahead.key.clone()), ..Share::default() }
    }

    /// Whether there are no rows yet.
    fn is_first(&self) -> bool {
        self.run.position == Position(0) && self.ahead.is_none()
    }
}
