//! Planning: what other rules would make of the history that is there. Nothing is written.
//!
//! Only what the change can reach is replayed: what means the same by both rules gives the same (`reach.rs`).

mod commands;
mod reach;
mod rows;
mod side;
mod states;
mod work;

use super::project::Progress;
use super::{Change, Error, threads};
use crate::diagnostic::Diagnostic;
use crate::domain::Domains;
use crate::event::{Position, StreamName, Version};
use crate::json::Value;
use crate::script::Rejection;
use crate::store::{Store, StoreError};
use std::num::NonZeroUsize;

/// From so many positions on several threads are worth their beginning.
const MANY: u64 = 20_000;

/// Something that would be otherwise.
#[derive(Debug, Clone, PartialEq)]
pub enum Difference {
    /// An aggregate as a whole.
    Aggregate(AggregateDiffers),
    /// The state of a stream.
    State(StateDiffers),
    /// Whether a stored event can be read and folded.
    Event(EventDiffers),
    /// A condition that would not hold.
    Invariant(InvariantBroken),
    /// A row of a read model.
    Row(RowDiffers),
    /// A read model as a whole.
    Projection(ProjectionDiffers),
    /// What a stored command comes to.
    Command(CommandDiffers),
}

/// An aggregate with streams that only one of the rules has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateDiffers {
    /// Its name.
    pub aggregate: Box<str>,
    /// Whether it is the other rules that do not have it.
    pub gone: bool,
    /// How many streams it has.
    pub streams: u64,
}

/// A stream whose state would be another.
#[derive(Debug, Clone, PartialEq)]
pub struct StateDiffers {
    /// The stream.
    pub stream: StreamName,
    /// Its version, which both states are of.
    pub version: Version,
    /// Every leaf that differs.
    pub changes: Vec<Change>,
}

/// A stored event that only one of the rules can read and fold.
#[derive(Debug, Clone, PartialEq)]
pub struct EventDiffers {
    /// Its stream.
    pub stream: StreamName,
    /// Its version there.
    pub version: Version,
    /// Where it is stored.
    pub position: Position,
    /// The name under which it is stored.
    pub kind: Box<str>,
    /// Whether the other rules are the ones that can.
    pub fits: bool,
    /// What keeps those that cannot.
    pub problem: Diagnostic,
}

/// An invariant that the other rules break after a command of the past, where the present rules do not.
#[derive(Debug, Clone, PartialEq)]
pub struct InvariantBroken {
    /// The stream.
    pub stream: StreamName,
    /// Its version after the first command that breaks it.
    pub version: Version,
    /// Position of the event of that version.
    pub position: Position,
    /// Its name.
    pub name: Box<str>,
    /// Whether it is broken now as well.
    pub now: bool,
}

/// A row that would be another.
#[derive(Debug, Clone, PartialEq)]
pub struct RowDiffers {
    /// The read model.
    pub projection: Box<str>,
    /// The key of the row.
    pub key: Value,
    /// The row, an object of its columns; `None` where there is none.
    pub before: Option<Value>,
    /// What it would be; `None` where there would be none.
    pub after: Option<Value>,
    /// Every column that differs, where both are there.
    pub changes: Vec<Change>,
}

/// A read model that would be another as a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct ProjectionDiffers {
    /// Its name.
    pub projection: Box<str>,
    /// In what way.
    pub what: ProjectionChange,
}

/// What would become of a read model.
#[derive(Debug, Clone, PartialEq)]
pub enum ProjectionChange {
    /// There would be one, with so many rows.
    New(u64),
    /// There would be none any more.
    Gone,
    /// It would stop at an event.
    Stops(Box<Diagnostic>),
    /// Its key would be of another type, so that rows cannot be compared; so many before and after.
    Key(u64, u64),
}

/// A stored command that would come to something else.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandDiffers {
    /// Its id.
    pub id: Box<str>,
    /// Where it was sent.
    pub stream: StreamName,
    /// Its name.
    pub command: Box<str>,
    /// Position of its first event.
    pub position: Position,
    /// What it would come to.
    pub outcome: Outcome,
}

/// What a stored command would come to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It would be rejected.
    Rejected(Rejection),
    /// It would give other events than those that are stored.
    Events {
        /// What is stored, in order.
        before: Vec<Given>,
        /// What it would give.
        after: Vec<Given>,
    },
    /// It would not be understood, or its script would fail.
    Fails(Box<Diagnostic>),
}

/// An event of a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// Its stream.
    pub stream: StreamName,
    /// Its name.
    pub kind: Box<str>,
    /// Its payload.
    pub data: Value,
}

/// How far the change reaches into the streams of an aggregate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Both rules mean the same: nothing was read.
    Nothing,
    /// All streams can be another.
    All,
    /// Those that hold events of certain types.
    Some,
    /// There would be no such aggregate any more.
    Gone,
    /// There is no such aggregate yet.
    New,
}

/// What was found about one aggregate.
#[derive(Debug, Clone, PartialEq)]
pub struct AggregatePlan {
    /// Its name.
    pub name: Box<str>,
    /// What could differ.
    pub reach: Reach,
    /// Streams that were replayed.
    pub streams: u64,
    /// Events that were replayed.
    pub events: u64,
    /// Streams whose state differs.
    pub differ: u64,
    /// Stored events that only one of the rules can read and fold.
    pub unfit: u64,
    /// Invariants that would have been broken, counted once for each stream.
    pub broken: u64,
    /// Streams that neither of the rules can replay, for the same reason.
    pub uncompared: u64,
    /// The first stream whose state differs, and where that begins.
    pub example: Option<Begins>,
}

/// The first event after which the states of a stream differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Begins {
    /// The stream.
    pub stream: StreamName,
    /// The version; 0 where the initial states differ.
    pub version: Version,
    /// Position of the event; 0 for the initial state.
    pub position: Position,
    /// The name under which it is stored; empty for the initial state.
    pub kind: Box<str>,
    /// What differs then.
    pub changes: Vec<Change>,
}

/// What was found about one read model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionPlan {
    /// Its name.
    pub name: Box<str>,
    /// Whether the rules differ in it; if not, nothing was read.
    pub reached: bool,
    /// Rows that were compared.
    pub rows: u64,
    /// Rows that differ.
    pub differ: u64,
    /// Why its rows were not compared, where the present rules cannot fill it either.
    pub uncompared: Option<String>,
}

/// What was found about commands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandsPlan {
    /// Commands that were decided again.
    pub decided: u64,
    /// Commands that mean the same by both rules.
    pub same: u64,
    /// Commands that neither rules can decide on what is stored, for the same reason.
    pub uncompared: u64,
    /// Now rejected.
    pub rejected: u64,
    /// With other events.
    pub other: u64,
    /// Not understood any more, or a script fails.
    pub fail: u64,
}

/// What was looked at and what was found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Planned {
    /// The end of the store when it began.
    pub position: Position,
    /// Each aggregate of both rules, by name.
    pub aggregates: Vec<AggregatePlan>,
    /// Each read model of both rules, by name.
    pub projections: Vec<ProjectionPlan>,
    /// About commands, where they were decided again.
    pub commands: Option<CommandsPlan>,
    /// How many differences there are.
    pub differences: u64,
}

/// How far it has come: what is being done, and how much of it.
#[derive(Debug, Clone, Copy)]
pub enum Step<'a> {
    /// So many streams of an aggregate were replayed.
    Streams(&'a str, u64),
    /// A read model is being filled.
    Rows(&'a str, Progress),
    /// Commands up to a position of so many were decided again.
    Commands(Position, Position),
}

/// Opens the store once more, to read, for another thread.
pub type Opener<'a> = &'a (dyn Fn() -> Result<Box<dyn Store>, StoreError> + Sync);

/// Rules, other rules, and a store.
pub struct Plan<'a> {
    /// The rules as they are.
    pub old: &'a Domains,
    /// What they are to be.
    pub new: &'a Domains,
    /// Where the history is.
    pub store: &'a mut dyn Store,
    /// The same store again.
    pub open: Opener<'a>,
    /// How many threads work on it; `None`: as many as there are cores, where there is much to do.
    pub jobs: Option<NonZeroUsize>,
}

impl std::fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan").field("store", &self.store.id()).field("jobs", &self.jobs).finish_non_exhaustive()
    }
}

/// Takes what differs, one after the other; breaks to end it.
pub type Each<'e> = &'e mut dyn FnMut(Difference) -> std::ops::ControlFlow<()>;

impl Plan<'_> {
    /// Compares what both rules make of the store as it is now: states first, then read models, whose rows are computed in
    /// the stores `aside`, then commands if asked for. What differs is handed over in order of aggregates and streams, of
    /// read models and keys, of positions.
    pub fn run(
        &mut self,
        commands: bool,
        aside: (&mut dyn Store, &mut dyn Store),
        each: Each<'_>,
        progress: &mut dyn FnMut(Step<'_>),
    ) -> Result<Planned, Error> {
        let mut planned = Planned { position: self.store.head()?.position, ..Planned::default() };
        let mut differences = 0;
        let mut counted = |difference: Difference| {
            differences += 1;
            each(difference)
        };
        planned.aggregates = self.states(planned.position, &mut counted, progress)?;
        planned.projections = self.rows(planned.position, aside, &mut counted, progress)?;
        if commands {
            planned.commands = Some(self.commands(planned.position, &mut counted, progress)?);
        }
        planned.differences = differences;
        Ok(planned)
    }

    /// How many threads are to work on it.
    fn jobs(&self, head: Position) -> usize {
        threads(self.jobs, head.0 >= MANY)
    }
}
