//! The store: what keeps streams, commands, read models and processes. One trait, its contract is the suite in
//! `tests/store/`, which runs on every implementation.
//!
//! A store knows names, payloads as text and rows as values; it does not know domains.
//!
//! Writing is a *turn*: [`Store::begin`], any number of reads and [`Store::append`]s, then [`Store::commit`]
//! or [`Store::rollback`]. What is read within a turn cannot change before it ends. Outside a turn every call
//! is a short read of its own: nothing stays open while rules run or output is blocked.

pub mod chain;
mod check;
mod column;
pub mod memory;
pub mod past;
mod process;
pub mod sqlite;
mod table;
mod verified;

use crate::event::{Command, Hash, Head, NewEvent, Position, Recorded, StreamName, Time, Version};
use crate::json::Value;
use std::sync::Arc;

pub use process::{Deadline, Instance, Outgoing, ProcessChange, ProcessInfo, Rejected, Step, StepKind, Tally, Waiting};
pub use table::{Ahead, Column, ColumnKind, Failure, Generation, Row, RowChange, RowFilter, Table};
pub use verified::{Finding, MAX_FINDINGS, Verified};

/// A page ends early when its payloads have so many bytes: memory stays bounded whatever the events hold.
pub const MAX_PAGE_BYTES: usize = 4 * 1024 * 1024;

/// What can go wrong in a store, by what the user can do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be used now: no space, read-only, no permission. Nothing was stored.
    #[error("{0}")]
    Unavailable(String),
    /// It can be read but not written to, here or by this program. Nothing was stored.
    #[error("{0}")]
    ReadOnly(String),
    /// It cannot be used now, since another process writes for longer than this one was willing to wait. Nothing was
    /// stored.
    #[error("{0}")]
    Busy(String),
    /// There is no store there, and this opening was not to make one.
    #[error("{0}")]
    Missing(String),
    /// The file is no esctl store, or of a format this program does not know. Nothing was touched.
    #[error("{0}")]
    NotAStore(String),
    /// What is in the file contradicts itself.
    #[error("{0}")]
    Damaged(String),
    /// An I/O error at commit: stored or not, only looking again tells.
    #[error("{0}")]
    Unknown(String),
    /// Another process went on with the same read model since it was read; read its checkpoint again.
    #[error("another process brought this read model up to date meanwhile")]
    Overtaken,
    /// A limit of the store, as the longest payload. Nothing was stored.
    #[error("{0}")]
    Limit(String),
    /// The caller broke a rule of [`Store`], as appending outside a turn: a mistake in the program, not the user's.
    /// Nothing was stored.
    #[error("{0}")]
    Misuse(String),
}

/// What a command gave, ready to be stored: all of it or nothing.
#[derive(Debug, Clone)]
pub struct Decision<'a> {
    /// The command, with the text of the domain that decided it.
    pub command: &'a Command,
    /// That text; kept once per digest.
    pub domain_text: &'a str,
    /// Its events, in order; at least one. They may go to several streams.
    pub events: &'a [NewEvent],
}

/// Where the events of one command landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// Position of the first event; the others follow without a gap.
    pub first: Position,
    /// The version each event got in its stream, in the order of the events.
    pub versions: Vec<Version>,
    /// The hash of the last event.
    pub head: Hash,
}

/// A command that was stored before, with what it gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCommand {
    /// As it was stored.
    pub command: Arc<Command>,
    /// Its events, in order, without the command in each.
    pub events: Vec<Recorded>,
    /// The hash of its last event.
    pub head: Hash,
}

/// Which events of the whole store to read.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only of this stream.
    pub stream: Option<StreamName>,
    /// Only of streams of this aggregate.
    pub aggregate: Option<Box<str>>,
    /// Only of these types, as (aggregate, type) pairs; `None` is any.
    pub kinds: Option<Vec<(Box<str>, Box<str>)>>,
    /// Only of this type, of whatever aggregate.
    pub kind: Option<Box<str>>,
}

/// One page of a longer read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventPage {
    /// The events that pass the filter, in the order asked for.
    pub events: Vec<Recorded>,
    /// How far the reading got: the next page begins after (in reverse: before) this position. When reading
    /// forward to the end this is the last position of the store, whether that event passed the filter or not.
    pub scanned: Position,
    /// There is nothing beyond.
    pub done: bool,
}

/// A domain text, by what it decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainUse {
    /// The digest of the text.
    pub digest: Box<str>,
    /// How many commands it decided.
    pub commands: u64,
    /// Position of the first event that came of them.
    pub first: Position,
    /// Position of the last.
    pub last: Position,
    /// Time of the first command.
    pub since: Time,
    /// Time of the last.
    pub until: Time,
}

/// A line of the list of streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name.
    pub name: StreamName,
    /// How many events it has.
    pub version: Version,
    /// Position of its first event.
    pub first: Position,
    /// Position of its last event.
    pub last: Position,
    /// Time of its last event.
    pub time: Time,
}

/// What the events of a stream had come to, as it was kept; the store takes it for nothing but text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The version of the last event in it.
    pub version: Version,
    /// The position of that event.
    pub position: Position,
    /// Its time.
    pub time: Time,
    /// The state, as text.
    pub state: Box<str>,
}

/// A snapshot as it is listed, without its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Its stream.
    pub stream: StreamName,
    /// The version of the last event in it.
    pub version: Version,
    /// The digest of the rules by which it was folded.
    pub digest: Box<str>,
    /// How long its state is, as text.
    pub bytes: u64,
}

/// A place where events, commands, read models and processes are kept. See the module's text for turns.
pub trait Store {
    /// The identity of this store: a UUID made when it was created.
    fn id(&self) -> &str;

    /// Position, time and hash of the last event.
    fn head(&mut self) -> Result<Head, StoreError>;

    /// The version of a stream; 0 where there is none.
    fn version(&mut self, stream: &StreamName) -> Result<Version, StoreError>;

    /// At most `limit` events of a stream after a version, in order, appended to `page`; none means that there are no
    /// more. `commands`: whether each event carries its command.
    fn read_stream(
        &mut self,
        stream: &StreamName,
        after: Version,
        limit: usize,
        commands: bool,
        page: &mut Vec<Recorded>,
    ) -> Result<(), StoreError>;

    /// A page of the whole store after a position, in order: at most `limit` events that pass the filter.
    fn read_all(
        &mut self,
        after: Position,
        limit: usize,
        commands: bool,
        filter: &EventFilter,
    ) -> Result<EventPage, StoreError>;

    /// The same backwards: events before a position (`None`: from the end), the latest first.
    fn read_back(
        &mut self,
        before: Option<Position>,
        limit: usize,
        commands: bool,
        filter: &EventFilter,
    ) -> Result<EventPage, StoreError>;

    /// The position of the last event at or before a time; 0 where there is none.
    fn position_at(&mut self, time: Time) -> Result<Position, StoreError>;

    /// The version a stream had when the store ended at that position; 0 where it had no event.
    fn version_at(&mut self, stream: &StreamName, position: Position) -> Result<Version, StoreError>;

    /// At most `limit` streams whose name sorts (by bytes) after `after`, sorted by name; fewer than `limit` means
    /// that there are no more.
    fn streams(&mut self, after: Option<&StreamName>, limit: usize) -> Result<Vec<StreamInfo>, StoreError>;

    /// The command that was stored under an id, with its events.
    fn command(&mut self, id: &str) -> Result<Option<StoredCommand>, StoreError>;

    /// Whether a domain text with this digest decided anything here.
    fn knows_domain(&mut self, digest: &str) -> Result<bool, StoreError>;

    /// The domain text with this digest; `None` where it decided nothing here.
    fn domain_text(&mut self, digest: &str) -> Result<Option<Box<str>>, StoreError>;

    /// The domain texts that decided something, in the order in which they first did. Looks at every command.
    fn domains(&mut self) -> Result<Vec<DomainUse>, StoreError>;

    /// The stored hash of the event at a position; `None` beyond the end.
    fn hash_at(&mut self, position: Position) -> Result<Option<Hash>, StoreError>;

    /// Recomputes and compares everything that can be: hashes, positions, versions, commands with their events, names,
    /// domain texts. In pages; `watch` is told how many positions of how many are done. What is damaged is a finding,
    /// and an error only says that the verification itself could not be carried out. Outside a turn.
    ///
    /// What was verified before need not be again: with `since` it begins after that position, or where that is within
    /// a command, before it. The hash there is taken as it is stored.
    fn verify(&mut self, since: Position, watch: &mut dyn FnMut(Position, Position)) -> Result<Verified, StoreError>;

    /// Takes the write turn. Nobody else writes until it ends; readers go on.
    fn begin(&mut self) -> Result<(), StoreError>;

    /// Appends what one command gave. Only within a turn. The caller has seen to it that the command's id is new
    /// and that its time is not before the head's; where not so, nothing of it is appended and an error says so.
    fn append(&mut self, decision: &Decision<'_>) -> Result<Appended, StoreError>;

    /// The latest snapshot of a stream at or below a version, by the rules with that digest. One that is not as its hash says
    /// is passed over, and so is one whose event is not there: then it is an earlier one, or none.
    fn snapshot(&mut self, stream: &StreamName, digest: &str, until: Version) -> Result<Option<Snapshot>, StoreError>;

    /// Keeps what a stream had come to at a version that it has, in place of what was kept there before, and removes what is
    /// kept of it by other rules. Only within a turn.
    fn keep_snapshot(
        &mut self,
        stream: &StreamName,
        digest: &str,
        version: Version,
        state: &str,
    ) -> Result<(), StoreError>;

    /// Removes all snapshots of a stream. Only within a turn.
    fn drop_snapshots(&mut self, stream: &StreamName) -> Result<(), StoreError>;

    /// At most `limit` snapshots of a stream after one of them, those by the same rules together, in the order of their
    /// versions; fewer than `limit` means that there are no more.
    fn snapshots(
        &mut self,
        stream: &StreamName,
        after: Option<&SnapshotInfo>,
        limit: usize,
    ) -> Result<Vec<SnapshotInfo>, StoreError>;

    /// All processes, by name, with what their instances come to. Counts every instance.
    fn processes(&mut self) -> Result<Vec<(ProcessInfo, Tally)>, StoreError>;

    /// The process with that name.
    fn process(&mut self, name: &str) -> Result<Option<ProcessInfo>, StoreError>;

    /// The instance of a process with that key.
    fn instance(&mut self, process: &str, key: &str) -> Result<Option<Instance>, StoreError>;

    /// At most `limit` instances of a process whose key sorts (by bytes) after `after`, sorted by key; fewer than `limit`
    /// means that there are no more.
    fn instances(&mut self, process: &str, after: Option<&str>, limit: usize) -> Result<Vec<Instance>, StoreError>;

    /// At most `limit` steps of an instance after that number, in order.
    fn steps(&mut self, process: &str, key: &str, after: u64, limit: usize) -> Result<Vec<Step>, StoreError>;

    /// At most `limit` rejected commands of all processes after that number, in the order in which they came to the store.
    fn rejections(&mut self, after: u64, limit: usize) -> Result<Vec<Rejected>, StoreError>;

    /// The last step that says of a command with that id that it was rejected.
    fn rejection(&mut self, command: &str) -> Result<Option<Rejected>, StoreError>;

    /// The next command to send after that number, of all processes: the one that was put first of those whose instance is
    /// not stopped.
    fn outgoing(&mut self, after: u64) -> Result<Option<Outgoing>, StoreError>;

    /// The commands that an instance still has to send, in order, also where it is stopped.
    fn outgoing_of(&mut self, process: &str, key: &str) -> Result<Vec<Outgoing>, StoreError>;

    /// The first event that waits for an instance of a process that is not stopped: the one at the lowest position, and
    /// there the one whose key sorts first.
    fn waiting(&mut self, process: &str) -> Result<Option<Waiting>, StoreError>;

    /// At most `limit` positions of events that wait for an instance, in order, also where it is stopped.
    fn waiting_of(&mut self, process: &str, key: &str, limit: usize) -> Result<Vec<Position>, StoreError>;

    /// The earliest deadline of the instances of a process that are not stopped; of several the one that was set first.
    fn deadline(&mut self, process: &str) -> Result<Option<Deadline>, StoreError>;

    /// The deadlines of an instance, the earliest first, also where it is stopped.
    fn deadlines_of(&mut self, process: &str, key: &str) -> Result<Vec<Deadline>, StoreError>;

    /// Keeps what happens to a process. Only within a turn, to be stored with what is appended in it, or not at all. What is
    /// of an instance or a process that is not there is refused, as is a step that is not the next one; the turn can go on
    /// then.
    fn keep(&mut self, change: &ProcessChange) -> Result<(), StoreError>;

    /// Ends the turn: after `Ok` everything appended in it survives power loss.
    fn commit(&mut self) -> Result<(), StoreError>;

    /// Ends the turn: nothing of it remains. Without a turn it does nothing.
    fn rollback(&mut self);

    /// All generations of all projections, by projection and number.
    fn generations(&mut self) -> Result<Vec<Generation>, StoreError>;

    /// The generation that is served for a projection, if any.
    fn served(&mut self, projection: &str) -> Result<Option<Generation>, StoreError>;

    /// Begins a generation: an empty table, not served, checkpoint 0. An unfinished one of the same digest is
    /// returned as it is, so that a killed rebuild resumes; unfinished ones of other digests are removed.
    fn build(&mut self, table: &Table) -> Result<Generation, StoreError>;

    /// Removes an unfinished generation of that projection, so that the next build begins at nothing.
    fn abandon(&mut self, projection: &str) -> Result<(), StoreError>;

    /// The rows with these keys, in the order of the keys; `None` where there is none.
    fn rows(&mut self, table: &Table, generation: u64, keys: &[Value]) -> Result<Vec<Option<Row>>, StoreError>;

    /// Writes row changes and moves the checkpoint `from` → `to`, together. [`StoreError::Overtaken`] where the
    /// checkpoint is not `from` (any more) or the generation is gone; then nothing was written. Where some rows are ahead,
    /// `to` must be where they are, and they are no longer ahead then.
    fn advance(
        &mut self,
        table: &Table,
        generation: u64,
        from: Position,
        to: Position,
        changes: &[RowChange],
    ) -> Result<(), StoreError> {
        self.advance_past(table, generation, from, to, changes, &[])
    }

    /// The same, and notes the events in between that were not applied: after `from`, up to `to`.
    fn advance_past(
        &mut self,
        table: &Table,
        generation: u64,
        from: Position,
        to: Position,
        changes: &[RowChange],
        parked: &[Failure],
    ) -> Result<(), StoreError>;

    /// Writes some of the changes between the checkpoint `from` and `to.position`: those of keys after `before` and
    /// up to `to`. [`StoreError::Overtaken`] where the checkpoint is not `from`, the rows are not ahead as `before` says, or
    /// the generation is served by now: who reads sees rows and checkpoint together.
    fn advance_part(
        &mut self,
        table: &Table,
        generation: u64,
        from: Position,
        before: Option<&Ahead>,
        to: &Ahead,
        changes: &[RowChange],
    ) -> Result<(), StoreError>;

    /// Writes row changes and moves the checkpoint within a turn, to be stored with what is appended in it, or not at all. The
    /// checkpoint goes at most to the last event appended. [`StoreError::Overtaken`] as for the others, also where rows are
    /// ahead; the turn can go on then.
    fn advance_in_turn(
        &mut self,
        table: &Table,
        generation: u64,
        from: Position,
        to: Position,
        changes: &[RowChange],
    ) -> Result<(), StoreError>;

    /// Notes the event before which a generation stopped, in place of an earlier note. It goes when the checkpoint gets there.
    /// [`StoreError::Overtaken`] where it is there already: another process went on past it.
    fn stop(&mut self, generation: u64, failure: &Failure) -> Result<(), StoreError>;

    /// At most `limit` events that a generation went on past, after a position, in order.
    fn parked(&mut self, generation: u64, after: Position, limit: usize) -> Result<Vec<Failure>, StoreError>;

    /// Puts a generation in service and retires the one served before, in one step; readers see the one or the other.
    /// [`StoreError::Overtaken`] where some of its rows are ahead: another process is going on with it.
    fn serve(&mut self, table: &Table, generation: u64, time: Time) -> Result<(), StoreError>;

    /// Rows of a generation, ordered by key.
    fn select(&mut self, table: &Table, generation: u64, filter: &RowFilter) -> Result<Vec<Row>, StoreError>;

    /// How many rows a generation has.
    fn count(&mut self, generation: u64) -> Result<u64, StoreError>;
}
