//! The store: what keeps streams, commands and read models. One trait, its contract is the suite in
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
pub mod sqlite;

use crate::event::{Command, Expect, Hash, Head, NewEvent, Position, Recorded, StreamName, Time, Version};
use crate::json::Value;
use std::sync::Arc;

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

/// How a column is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// A 64-bit integer.
    Integer,
    /// An exact decimal, normalised: `25.10` is kept as `25.1`.
    Decimal,
    /// Text; dates, timestamps and uuids too.
    Text,
    /// 0 or 1 in SQL, `true` or `false` here.
    Boolean,
    /// JSON text of a list, an object, or of any value.
    Json,
}

/// A column of a read model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Box<str>,
    /// How it is kept.
    pub kind: ColumnKind,
}

/// The table of a read model, as the store needs to know it. The first column is the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The projection's name, which is the name of the view people query.
    pub name: Box<str>,
    /// At least one; the first is the primary key.
    pub columns: Vec<Column>,
    /// Lists of column names, each an index.
    pub indexes: Vec<Vec<Box<str>>>,
    /// The digest of the rules that fill it.
    pub digest: Box<str>,
}

impl Table {
    /// A row as it comes back from a store, where what is stored may have had other digits: `25.10` is `25.1`.
    pub fn kept(&self, row: &[Value]) -> Row {
        self.columns.iter().zip(row).map(|(column, value)| column::normal(column.kind, value)).collect()
    }
}

/// One filling of a read model's table. A projection has one that is served and at most one being built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Unique in the store, never used again.
    pub number: u64,
    /// The projection.
    pub projection: Box<str>,
    /// The digest of the rules that fill it.
    pub digest: Box<str>,
    /// The last position it has seen.
    pub checkpoint: Position,
    /// Whether the projection's view shows it.
    pub served: bool,
    /// When it was put in service; `None` while it is being built.
    pub since: Option<Time>,
    /// Where some of its rows have seen more than its checkpoint says.
    pub ahead: Option<Ahead>,
    /// The event before which it stopped, where it did.
    pub stopped: Option<Failure>,
    /// How many events it went on past, which it could not apply.
    pub parked: u64,
}

/// How far some of the rows of a generation have come that is being built: those whose keys, as JSON text, sort (by bytes) up
/// to this one have seen up to this position, the others up to the checkpoint. So rows can be written in small steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// The position.
    pub position: Position,
    /// The last key, as JSON text.
    pub key: Box<str>,
}

/// An event that a read model could not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Of the event.
    pub position: Position,
    /// The key of the row it was to change, where it came that far.
    pub key: Option<Value>,
    /// What went wrong.
    pub error: Box<str>,
    /// Where in the rules, `file:line:column`.
    pub place: Option<Box<str>>,
}

/// A row: one value per column, in the table's order. Decimals are normalised.
pub type Row = Vec<Value>;

/// What a handler did to one row.
#[derive(Debug, Clone, PartialEq)]
pub enum RowChange {
    /// Insert or replace; the key is the row's first value.
    Put(Row),
    /// Remove the row with this key; no matter if there is none.
    Delete(Value),
}

/// Which rows to show.
#[derive(Debug, Clone, Default)]
pub struct RowFilter {
    /// Only the row with this key.
    pub key: Option<Value>,
    /// Only rows whose key sorts after this one: the next page.
    pub after: Option<Value>,
    /// At most so many.
    pub limit: usize,
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

/// How many findings of a verification are kept in words; the others are counted.
pub const MAX_FINDINGS: usize = 100;

/// Something in a store that contradicts the rest of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finding {
    /// The event it is about.
    pub position: Option<Position>,
    /// The stream it is about; as text, because it may be no legal name.
    pub stream: Option<Box<str>>,
    /// The id of the command it is about.
    pub command: Option<Box<str>>,
    /// What is wrong, in words that name all of this.
    pub words: String,
}

/// What a verification looked at, and what it found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// The end of the store when it began; what was appended later was not looked at.
    pub head: Head,
    /// The position after which it began; 0 where everything was looked at.
    pub since: Position,
    /// Events whose hash was recomputed and compared. Less than there are since then only where there are findings.
    pub events: u64,
    /// Streams of these events, whose versions were counted through.
    pub streams: u64,
    /// Commands that were matched with their events.
    pub commands: u64,
    /// Domain texts whose digest was recomputed.
    pub domains: u64,
    /// Bytes of payloads, metadata and domain texts that went into a hash.
    pub bytes: u64,
    /// The first [`MAX_FINDINGS`] findings.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: u64,
    /// Snapshots whose hash was recomputed and compared; none where it did not begin at the beginning.
    pub snapshots: u64,
    /// The first [`MAX_FINDINGS`] snapshots that are not what was kept. Nothing depends on them, and nothing is lost.
    pub spoilt: Vec<Finding>,
    /// How many more there are.
    pub more_spoilt: u64,
}

impl Verified {
    /// Whether nothing was found that matters: all but snapshots.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    /// Notes a snapshot that is not what was kept.
    pub(crate) fn note_spoilt(&mut self, stream: &str, words: String) {
        if self.spoilt.len() < MAX_FINDINGS {
            self.spoilt.push(Finding { stream: Some(stream.into()), words, ..Finding::default() });
        } else {
            self.more_spoilt += 1;
        }
    }

    /// Notes a finding; once there are enough it is only counted.
    pub(crate) fn note(&mut self, finding: impl FnOnce() -> Finding) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding());
        } else {
            self.more += 1;
        }
    }
}

/// A place where events, commands and read models are kept. See the module's text for turns.
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

/// What a store says when an expectation does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// What was demanded.
    pub expected: Expect,
    /// What is.
    pub actual: Version,
}
