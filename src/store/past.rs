//! A store as it was: another one, shown as if it had ended at a position.

use super::{
    Ahead, Appended, Deadline, Decision, DomainUse, EventFilter, EventPage, Failure, Generation, Instance, Outgoing,
    ProcessChange, ProcessInfo, Rejected, Row, RowChange, RowFilter, Snapshot, SnapshotInfo, Step, Store, StoreError,
    StoredCommand, StreamInfo, Table, Tally, Verified, Waiting,
};
use crate::event::{Hash, Head, Position, Recorded, StreamName, Time, Version};
use crate::json::Value;
use std::collections::HashSet;

/// How many events are read at a time to see which domains decided them.
const PAGE: usize = 1000;

/// A store as it was when it ended at a position. What came later is not there: neither events nor streams, commands or
/// domains. It can only be read, and it has neither read models nor processes, since a store keeps them only as they are now.
///
/// Events are never changed, so what it shows stays the same while others append to the store beneath. A position in the
/// middle of a command shows the first of its events: no store ever ended there, but its log can be read up to there.
pub struct Past {
    store: Box<dyn Store>,
    head: Head,
    /// Digests of domains that decided something by then, as far as they have been seen.
    domains: HashSet<Box<str>>,
    /// Up to where all of them have been.
    seen: Position,
}

impl Past {
    /// The store as it was at a position. [`StoreError::Misuse`] where it has not got there.
    pub fn new(mut store: Box<dyn Store>, position: Position) -> Result<Self, StoreError> {
        let head = if position == Position(0) { Head::default() } else { end(store.as_mut(), position)? };
        Ok(Self { store, head, domains: HashSet::new(), seen: Position(0) })
    }

    /// The store as it is.
    pub fn into_inner(self) -> Box<dyn Store> {
        self.store
    }

    fn end(&self) -> Position {
        self.head.position
    }

    /// Where an event of a stream is, and when it was stored.
    fn place(&mut self, stream: &StreamName, version: Version) -> Result<Option<(Position, Time)>, StoreError> {
        let mut page = Vec::with_capacity(1);
        self.store.read_stream(stream, Version(version.0.saturating_sub(1)), 1, false, &mut page)?;
        Ok(page.first().map(|event| (event.position, event.time)))
    }

    /// A stream as it was, if it was there.
    fn as_it_was(&mut self, mut info: StreamInfo) -> Result<Option<StreamInfo>, StoreError> {
        if info.first > self.end() {
            return Ok(None);
        }
        if info.last > self.end() {
            info.version = self.version(&info.name)?;
            let Some((last, time)) = self.place(&info.name, info.version)? else { return Ok(None) };
            (info.last, info.time) = (last, time);
        }
        Ok(Some(info))
    }

    /// Notes which domains decided these events.
    fn notice(&mut self, events: &[Recorded]) {
        for command in events.iter().filter_map(|event| event.command.as_ref()) {
            if !self.domains.contains(&command.domain) {
                self.domains.insert(command.domain.clone());
            }
        }
    }

    fn refused<T>(&self) -> Result<T, StoreError> {
        Err(StoreError::Misuse(format!("a store as it was at position {} can only be read", self.end())))
    }
}

/// What the head of a store was when it ended at a position.
fn end(store: &mut dyn Store, position: Position) -> Result<Head, StoreError> {
    let page = store.read_all(Position(position.0 - 1), 1, false, &EventFilter::default())?;
    let time = page.events.first().map(|event| event.time);
    match (time, store.hash_at(position)?) {
        (Some(time), Some(hash)) => Ok(Head { position, time: Some(time), hash }),
        _ => Err(StoreError::Misuse(format!("the store has not got to position {position}"))),
    }
}

impl std::fmt::Debug for Past {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Past").field("store", &self.store.id()).field("head", &self.head).finish_non_exhaustive()
    }
}

impl Store for Past {
    fn id(&self) -> &str {
        self.store.id()
    }

    fn head(&mut self) -> Result<Head, StoreError> {
        Ok(self.head)
    }

    fn version(&mut self, stream: &StreamName) -> Result<Version, StoreError> {
        self.store.version_at(stream, self.head.position)
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
        self.store.read_stream(stream, after, limit, commands, page)?;
        let end = self.end();
        let then = page[before..].partition_point(|event| event.position <= end);
        page.truncate(before + then);
        self.notice(&page[before..]);
        Ok(())
    }

    fn read_all(
        &mut self,
        after: Position,
        limit: usize,
        commands: bool,
        filter: &EventFilter,
    ) -> Result<EventPage, StoreError> {
        let end = self.end();
        if after >= end {
            return Ok(EventPage { events: Vec::new(), scanned: after, done: true });
        }
        let mut page = self.store.read_all(after, limit, commands, filter)?;
        if page.scanned >= end {
            page.events.truncate(page.events.partition_point(|event| event.position <= end));
            page.scanned = end;
        }
        page.done = page.scanned == end;
        self.notice(&page.events);
        Ok(page)
    }

    fn read_back(
        &mut self,
        before: Option<Position>,
        limit: usize,
        commands: bool,
        filter: &EventFilter,
    ) -> Result<EventPage, StoreError> {
        let beyond = self.end().next();
        if self.end() == Position(0) {
            let scanned = if limit == 0 { beyond } else { before.unwrap_or_default() };
            return Ok(EventPage { events: Vec::new(), scanned, done: true });
        }
        let before = before.map_or(beyond, |before| before.min(beyond));
        let page = self.store.read_back(Some(before), limit, commands, filter)?;
        self.notice(&page.events);
        Ok(page)
    }

    fn position_at(&mut self, time: Time) -> Result<Position, StoreError> {
        Ok(self.store.position_at(time)?.min(self.end()))
    }

    fn version_at(&mut self, stream: &StreamName, position: Position) -> Result<Version, StoreError> {
        self.store.version_at(stream, position.min(self.head.position))
    }

    fn streams(&mut self, after: Option<&StreamName>, limit: usize) -> Result<Vec<StreamInfo>, StoreError> {
        let mut streams = Vec::new();
        let mut after = after.cloned();
        while streams.len() < limit {
            let wanted = limit - streams.len();
            let page = self.store.streams(after.as_ref(), wanted)?;
            let is_last = page.len() < wanted;
            after = page.last().map(|info| info.name.clone());
            for info in page {
                streams.extend(self.as_it_was(info)?);
            }
            if is_last {
                break;
            }
        }
        Ok(streams)
    }

    fn command(&mut self, id: &str) -> Result<Option<StoredCommand>, StoreError> {
        let Some(mut stored) = self.store.command(id)? else { return Ok(None) };
        let (all, end) = (stored.events.len(), self.end());
        stored.events.retain(|event| event.position <= end);
        let Some(last) = stored.events.last() else { return Ok(None) };
        if stored.events.len() < all
            && let Some(hash) = self.store.hash_at(last.position)?
        {
            stored.head = hash;
        }
        Ok(Some(stored))
    }

    fn knows_domain(&mut self, digest: &str) -> Result<bool, StoreError> {
        if !self.store.knows_domain(digest)? {
            return Ok(false);
        }
        // Where a domain stands in the store does not say when it came; the commands do.
        while !self.domains.contains(digest) && self.seen < self.end() {
            self.seen = self.read_all(self.seen, PAGE, true, &EventFilter::default())?.scanned;
        }
        Ok(self.domains.contains(digest))
    }

    fn domain_text(&mut self, digest: &str) -> Result<Option<Box<str>>, StoreError> {
        if self.knows_domain(digest)? { self.store.domain_text(digest) } else { Ok(None) }
    }

    fn domains(&mut self) -> Result<Vec<DomainUse>, StoreError> {
        let mut domains: Vec<DomainUse> = Vec::new();
        let mut last: Option<Box<str>> = None;
        let mut after = Position(0);
        while after < self.end() {
            let page = self.read_all(after, PAGE, true, &EventFilter::default())?;
            after = page.scanned;
            for (event, command) in page.events.iter().filter_map(|event| Some((event, event.command.as_ref()?))) {
                let new = domains.len();
                let known = domains.iter().position(|used| used.digest == command.domain);
                if known.is_none() {
                    domains.push(DomainUse {
                        digest: command.domain.clone(),
                        commands: 0,
                        first: event.position,
                        last: event.position,
                        since: event.time,
                        until: event.time,
                    });
                }
                let used = &mut domains[known.unwrap_or(new)];
                (used.last, used.until) = (event.position, event.time);
                if last.as_ref() != Some(&command.id) {
                    used.commands += 1;
                    last = Some(command.id.clone());
                }
            }
        }
        Ok(domains)
    }

    fn hash_at(&mut self, position: Position) -> Result<Option<Hash>, StoreError> {
        if position > self.end() { Ok(None) } else { self.store.hash_at(position) }
    }

    fn verify(&mut self, _: Position, _: &mut dyn FnMut(Position, Position)) -> Result<Verified, StoreError> {
        // Not of use to anybody: the store beneath verifies this and what came later.
        self.refused()
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        self.refused()
    }

    fn append(&mut self, _: &Decision<'_>) -> Result<Appended, StoreError> {
        self.refused()
    }

    fn snapshot(&mut self, stream: &StreamName, digest: &str, until: Version) -> Result<Option<Snapshot>, StoreError> {
        let until = until.min(self.version(stream)?);
        self.store.snapshot(stream, digest, until)
    }

    fn keep_snapshot(&mut self, _: &StreamName, _: &str, _: Version, _: &str) -> Result<(), StoreError> {
        self.refused()
    }

    fn drop_snapshots(&mut self, _: &StreamName) -> Result<(), StoreError> {
        self.refused()
    }

    fn snapshots(
        &mut self,
        stream: &StreamName,
        after: Option<&SnapshotInfo>,
        limit: usize,
    ) -> Result<Vec<SnapshotInfo>, StoreError> {
        let version = self.version(stream)?;
        let mut found = Vec::new();
        let mut after = after.cloned();
        while found.len() < limit {
            let page = self.store.snapshots(stream, after.as_ref(), limit)?;
            let is_last = page.len() < limit;
            after = page.last().cloned();
            found.extend(page.into_iter().filter(|snapshot| snapshot.version <= version));
            if is_last {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    fn processes(&mut self) -> Result<Vec<(ProcessInfo, Tally)>, StoreError> {
        Ok(Vec::new())
    }

    fn process(&mut self, _: &str) -> Result<Option<ProcessInfo>, StoreError> {
        Ok(None)
    }

    fn instance(&mut self, _: &str, _: &str) -> Result<Option<Instance>, StoreError> {
        Ok(None)
    }

    fn instances(&mut self, _: &str, _: Option<&str>, _: usize) -> Result<Vec<Instance>, StoreError> {
        Ok(Vec::new())
    }

    fn steps(&mut self, _: &str, _: &str, _: u64, _: usize) -> Result<Vec<Step>, StoreError> {
        Ok(Vec::new())
    }

    fn rejections(&mut self, _: u64, _: usize) -> Result<Vec<Rejected>, StoreError> {
        Ok(Vec::new())
    }

    fn rejection(&mut self, _: &str) -> Result<Option<Rejected>, StoreError> {
        Ok(None)
    }

    fn outgoing(&mut self, _: u64) -> Result<Option<Outgoing>, StoreError> {
        Ok(None)
    }

    fn outgoing_of(&mut self, _: &str, _: &str) -> Result<Vec<Outgoing>, StoreError> {
        Ok(Vec::new())
    }

    fn waiting(&mut self, _: &str) -> Result<Option<Waiting>, StoreError> {
        Ok(None)
    }

    fn waiting_of(&mut self, _: &str, _: &str, _: usize) -> Result<Vec<Position>, StoreError> {
        Ok(Vec::new())
    }

    fn deadline(&mut self, _: &str) -> Result<Option<Deadline>, StoreError> {
        Ok(None)
    }

    fn deadlines_of(&mut self, _: &str, _: &str) -> Result<Vec<Deadline>, StoreError> {
        Ok(Vec::new())
    }

    fn keep(&mut self, _: &ProcessChange) -> Result<(), StoreError> {
        self.refused()
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.refused()
    }

    fn rollback(&mut self) {}

    fn generations(&mut self) -> Result<Vec<Generation>, StoreError> {
        Ok(Vec::new())
    }

    fn served(&mut self, _: &str) -> Result<Option<Generation>, StoreError> {
        Ok(None)
    }

    fn build(&mut self, _: &Table) -> Result<Generation, StoreError> {
        self.refused()
    }

    fn abandon(&mut self, _: &str) -> Result<(), StoreError> {
        self.refused()
    }

    fn rows(&mut self, _: &Table, _: u64, _: &[Value]) -> Result<Vec<Option<Row>>, StoreError> {
        Err(StoreError::Overtaken)
    }

    fn advance_past(
        &mut self,
        _: &Table,
        _: u64,
        _: Position,
        _: Position,
        _: &[RowChange],
        _: &[Failure],
    ) -> Result<(), StoreError> {
        self.refused()
    }

    fn advance_part(
        &mut self,
        _: &Table,
        _: u64,
        _: Position,
        _: Option<&Ahead>,
        _: &Ahead,
        _: &[RowChange],
    ) -> Result<(), StoreError> {
        self.refused()
    }

    fn advance_in_turn(
        &mut self,
        _: &Table,
        _: u64,
        _: Position,
        _: Position,
        _: &[RowChange],
    ) -> Result<(), StoreError> {
        self.refused()
    }

    fn stop(&mut self, _: u64, _: &Failure) -> Result<(), StoreError> {
        self.refused()
    }

    fn parked(&mut self, _: u64, _: Position, _: usize) -> Result<Vec<Failure>, StoreError> {
        Err(StoreError::Overtaken)
    }

    fn serve(&mut self, _: &Table, _: u64, _: Time) -> Result<(), StoreError> {
        self.refused()
    }

    fn select(&mut self, _: &Table, _: u64, _: &RowFilter) -> Result<Vec<Row>, StoreError> {
        Err(StoreError::Overtaken)
    }

    fn count(&mut self, _: u64) -> Result<u64, StoreError> {
        Err(StoreError::Overtaken)
    }
}
