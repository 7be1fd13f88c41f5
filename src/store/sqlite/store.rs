//! The trait, on a connection: each call goes to the file that knows how.

use super::{SqliteStore, append, keep, open, processes, projections, read, rows, scan, snapshots, together, verify};
use crate::event::{Hash, Head, Position, Recorded, StreamName, Time, Version};
use crate::json::Value;
use crate::store::{
    Ahead, Appended, Deadline, Decision, DomainUse, EventFilter, EventPage, Failure, Generation, Instance, Outgoing,
    ProcessChange, ProcessInfo, Rejected, Row, RowChange, RowFilter, Snapshot, SnapshotInfo, Step, Store, StoreError,
    StoredCommand, StreamInfo, Table, Tally, Verified, Waiting, check,
};
use rusqlite::Connection;
use std::sync::Arc;

impl Store for SqliteStore {
    fn id(&self) -> &str {
        &self.id
    }

    fn head(&mut self) -> Result<Head, StoreError> {
        // Within a turn nobody else moves the end: the turn knows it.
        if let Some(turn) = self.turn.as_ref().filter(|turn| !turn.broken) {
            return Ok(turn.head);
        }
        self.call(|connection, _| read::head(connection))
    }

    fn version(&mut self, stream: &StreamName) -> Result<Version, StoreError> {
        let mut turn = self.turn.take();
        let version = self.call(|connection, names| match (names.stream(connection, stream)?, &mut turn) {
            (Some(id), Some(turn)) => turn.version(connection, id).map(Version),
            (Some(id), None) => read::version(connection, id).map(Version),
            (None, _) => Ok(Version(0)),
        });
        self.turn = turn;
        version
    }

    fn read_stream(
        &mut self,
        stream: &StreamName,
        after: Version,
        limit: usize,
        commands: bool,
        page: &mut Vec<Recorded>,
    ) -> Result<(), StoreError> {
        let before = page.len();
        let outcome = self.call(|connection, names| {
            let mut read = |view: &Connection| read::stream(view, names, stream, after, limit, commands, page);
            // Without commands it is one statement, which sees one state of the file anyway.
            if commands { together(connection, read) } else { read(connection) }
        });
        outcome.inspect_err(|_| page.truncate(before))
    }

    fn read_all(
        &mut self,
        after: Position,
        limit: usize,
        commands: bool,
        filter: &EventFilter,
    ) -> Result<EventPage, StoreError> {
        self.call(|connection, names| {
            together(connection, |view| scan::forward(view, names, after, limit, commands, filter))
        })
    }

    fn read_back(
        &mut self,
        before: Option<Position>,
        limit: usize,
        commands: bool,
        filter: &EventFilter,
    ) -> Result<EventPage, StoreError> {
        self.call(|connection, names| {
            together(connection, |view| scan::backward(view, names, before, limit, commands, filter))
        })
    }

    fn position_at(&mut self, time: Time) -> Result<Position, StoreError> {
        self.call(|connection, _| together(connection, |view| read::position_at(view, time)))
    }

    fn version_at(&mut self, stream: &StreamName, position: Position) -> Result<Version, StoreError> {
        self.call(|connection, names| match names.stream(connection, stream)? {
            Some(id) => together(connection, |view| read::version_at(view, id, position)).map(Version),
            None => Ok(Version(0)),
        })
    }

    fn streams(&mut self, after: Option<&StreamName>, limit: usize) -> Result<Vec<StreamInfo>, StoreError> {
        self.call(|connection, _| read::streams(connection, after, limit))
    }

    fn command(&mut self, id: &str) -> Result<Option<StoredCommand>, StoreError> {
        self.call(|connection, names| together(connection, |view| read::command(view, names, id)))
    }

    fn knows_domain(&mut self, digest: &str) -> Result<bool, StoreError> {
        self.call(|connection, names| Ok(names.domain(connection, digest)?.is_some()))
    }

    fn domain_text(&mut self, digest: &str) -> Result<Option<Box<str>>, StoreError> {
        self.call(|connection, _| read::domain_text(connection, digest))
    }

    fn domains(&mut self) -> Result<Vec<DomainUse>, StoreError> {
        self.call(|connection, _| read::domains(connection))
    }

    fn hash_at(&mut self, position: Position) -> Result<Option<Hash>, StoreError> {
        self.call(|connection, _| read::hash_at(connection, position))
    }

    fn verify(&mut self, since: Position, watch: &mut dyn FnMut(Position, Position)) -> Result<Verified, StoreError> {
        // A turn would hold everything in one transaction, and what is in it is not yet what is stored.
        if self.turn.is_some() {
            return Err(check::in_turn());
        }
        let id = Arc::clone(&self.id);
        // Where nothing can be written, a second connection would want to.
        let can_be_two = since == Position(0) && self.only_read.is_none();
        let another = if can_be_two { open::another(&self.path, &self.options) } else { None };
        self.call(|connection, _| verify::run(connection, another, &id, since, watch))
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        self.may_write()?;
        if self.turn.is_some() {
            return Err(check::in_turn());
        }
        let entered = self.turnstile.enter()?;
        let left = std::mem::take(&mut self.left);
        self.turn = Some(self.call(|connection, names| append::begin(connection, names, left, entered))?);
        Ok(())
    }

    fn append(&mut self, decision: &Decision<'_>) -> Result<Appended, StoreError> {
        let id = Arc::clone(&self.id);
        self.call_in_turn(|connection, names, turn| append::append(connection, names, &id, turn, decision))
    }

    fn snapshot(&mut self, stream: &StreamName, digest: &str, until: Version) -> Result<Option<Snapshot>, StoreError> {
        let id = Arc::clone(&self.id);
        self.call(|connection, names| snapshots::latest(connection, names, &id, stream, digest, until))
    }

    fn keep_snapshot(
        &mut self,
        stream: &StreamName,
        digest: &str,
        version: Version,
        state: &str,
    ) -> Result<(), StoreError> {
        let id = Arc::clone(&self.id);
        let what = (digest, version, state);
        self.call_in_turn(|connection, names, turn| snapshots::keep(connection, names, turn, &id, stream, what))
    }

    fn drop_snapshots(&mut self, stream: &StreamName) -> Result<(), StoreError> {
        self.call_in_turn(|connection, names, turn| snapshots::drop_all(connection, names, turn, stream))
    }

    fn snapshots(
        &mut self,
        stream: &StreamName,
        after: Option<&SnapshotInfo>,
        limit: usize,
    ) -> Result<Vec<SnapshotInfo>, StoreError> {
        self.call(|connection, names| snapshots::list(connection, names, stream, after, limit))
    }

    fn processes(&mut self) -> Result<Vec<(ProcessInfo, Tally)>, StoreError> {
        self.call(|connection, _| processes::processes(connection))
    }

    fn process(&mut self, name: &str) -> Result<Option<ProcessInfo>, StoreError> {
        self.call(|connection, _| processes::process(connection, name))
    }

    fn instance(&mut self, process: &str, key: &str) -> Result<Option<Instance>, StoreError> {
        self.call(|connection, _| processes::instance(connection, process, key))
    }

    fn instances(&mut self, process: &str, after: Option<&str>, limit: usize) -> Result<Vec<Instance>, StoreError> {
        self.call(|connection, _| processes::instances(connection, process, after, limit))
    }

    fn steps(&mut self, process: &str, key: &str, after: u64, limit: usize) -> Result<Vec<Step>, StoreError> {
        self.call(|connection, _| processes::steps(connection, process, key, after, limit))
    }

    fn rejections(&mut self, after: u64, limit: usize) -> Result<Vec<Rejected>, StoreError> {
        self.call(|connection, _| processes::rejections(connection, after, limit))
    }

    fn rejection(&mut self, command: &str) -> Result<Option<Rejected>, StoreError> {
        self.call(|connection, _| processes::rejection(connection, command))
    }

    fn outgoing(&mut self, after: u64) -> Result<Option<Outgoing>, StoreError> {
        self.call(|connection, _| processes::outgoing(connection, after))
    }

    fn outgoing_of(&mut self, process: &str, key: &str) -> Result<Vec<Outgoing>, StoreError> {
        self.call(|connection, _| processes::outgoing_of(connection, process, key))
    }

    fn waiting(&mut self, process: &str) -> Result<Option<Waiting>, StoreError> {
        self.call(|connection, _| processes::waiting(connection, process))
    }

    fn waiting_of(&mut self, process: &str, key: &str, limit: usize) -> Result<Vec<Position>, StoreError> {
        self.call(|connection, _| processes::waiting_of(connection, process, key, limit))
    }

    fn deadline(&mut self, process: &str) -> Result<Option<Deadline>, StoreError> {
        self.call(|connection, _| processes::deadline(connection, process))
    }

    fn deadlines_of(&mut self, process: &str, key: &str) -> Result<Vec<Deadline>, StoreError> {
        self.call(|connection, _| processes::deadlines_of(connection, process, key))
    }

    fn keep(&mut self, change: &ProcessChange) -> Result<(), StoreError> {
        self.call_in_turn(|connection, _, turn| keep::keep(connection, turn, change))
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let Some(turn) = self.turn.take() else {
            return Err(check::no_turn());
        };
        if turn.broken {
            self.call(|connection, names| {
                append::rollback(connection, names);
                Ok(())
            })?;
            return Err(check::broken_turn());
        }
        self.call(append::commit)?;
        self.left = turn.left();
        Ok(())
    }

    fn rollback(&mut self) {
        // The turn lives on to the end of this: nobody is let in before what it did is undone.
        if let Some(turn) = self.turn.take()
            && let Some(connection) = &self.connection
        {
            append::rollback(connection, &mut self.names);
            self.left = turn.undone();
        }
    }

    fn generations(&mut self) -> Result<Vec<Generation>, StoreError> {
        self.call(|connection, _| projections::all(connection))
    }

    fn served(&mut self, projection: &str) -> Result<Option<Generation>, StoreError> {
        self.call(|connection, _| projections::in_state(connection, projection, "served"))
    }

    fn build(&mut self, table: &Table) -> Result<Generation, StoreError> {
        self.call_alone(|writer| projections::build(writer, table))
    }

    fn abandon(&mut self, projection: &str) -> Result<(), StoreError> {
        self.call_alone(|writer| projections::abandon(writer, projection))
    }

    fn rows(&mut self, table: &Table, generation: u64, keys: &[Value]) -> Result<Vec<Option<Row>>, StoreError> {
        self.call(|connection, _| rows::rows(connection, table, generation, keys))
    }

    fn advance_past(
        &mut self,
        table: &Table,
        generation: u64,
        from: Position,
        to: Position,
        changes: &[RowChange],
        parked: &[Failure],
    ) -> Result<(), StoreError> {
        self.call_alone(|writer| rows::advance(writer, table, generation, (from, to), changes, parked))
    }

    fn advance_part(
        &mut self,
        table: &Table,
        generation: u64,
        from: Position,
        before: Option<&Ahead>,
        to: &Ahead,
        changes: &[RowChange],
    ) -> Result<(), StoreError> {
        self.call_alone(|writer| rows::advance_part(writer, table, generation, from, before, to, changes))
    }

    fn advance_in_turn(
        &mut self,
        table: &Table,
        generation: u64,
        from: Position,
        to: Position,
        changes: &[RowChange],
    ) -> Result<(), StoreError> {
        let step = (from, to);
        self.call_in_turn(|connection, _, turn| {
            rows::advance_in_turn(connection, turn, table, generation, step, changes)
        })
    }

    fn stop(&mut self, generation: u64, failure: &Failure) -> Result<(), StoreError> {
        self.call_alone(|writer| projections::stop(writer, generation, failure))
    }

    fn parked(&mut self, generation: u64, after: Position, limit: usize) -> Result<Vec<Failure>, StoreError> {
        self.call(|connection, _| projections::parked(connection, generation, after, limit))
    }

    fn serve(&mut self, table: &Table, generation: u64, time: Time) -> Result<(), StoreError> {
        self.call_alone(|writer| projections::serve(writer, table, generation, time))
    }

    fn select(&mut self, table: &Table, generation: u64, filter: &RowFilter) -> Result<Vec<Row>, StoreError> {
        self.call(|connection, _| rows::select(connection, table, generation, filter))
    }

    fn count(&mut self, generation: u64) -> Result<u64, StoreError> {
        self.call(|connection, _| rows::count(connection, generation))
    }
}
