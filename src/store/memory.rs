//! The reference store, in memory: plain, and the measure of what the others do. Scenarios run on it.

mod filling;
mod processes;
mod verify;

use super::column;
use super::{
    Ahead, Appended, Deadline, Decision, DomainUse, EventFilter, EventPage, Failure, Generation, Instance, Outgoing,
    ProcessChange, ProcessInfo, Rejected, Row, RowChange, RowFilter, Snapshot, SnapshotInfo, Step, Store, StoreError,
    StoredCommand, StreamInfo, Table, Tally, Verified, Waiting, chain, check,
};
use crate::event::{Command, Hash, Head, Position, Recorded, StreamName, Time, Version};
use crate::json::Value;
use filling::Filling;
use processes::Processes;
use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

/// A store that lives as long as the value does.
#[derive(Debug)]
pub struct MemoryStore {
    id: Box<str>,
    /// The event at position p is at p - 1; each carries its command.
    events: Vec<(Recorded, Hash)>,
    /// In the order in which they were stored, with the index of their first event and how many they have.
    commands: Vec<(Arc<Command>, usize, usize)>,
    /// Index into `commands` by id.
    ids: HashMap<Box<str>, usize>,
    /// Indexes into `events`; the event of version v is at v - 1.
    streams: BTreeMap<StreamName, Vec<usize>>,
    /// Digests and texts of the domains that decided something, in the order in which they were first seen.
    domains: Vec<(Box<str>, Box<str>)>,
    /// Snapshots by stream; within one by the number of the rules, then by version: their hash and state.
    snapshots: BTreeMap<StreamName, Snapshots>,
    /// Digests of rules by which states were folded, in the order in which they were first seen.
    folds: Vec<Box<str>>,
    processes: Processes,
    turn: Option<Mark>,
    fillings: BTreeMap<u64, Filling>,
    /// The number of the last generation begun.
    last: u64,
    /// Its read models are of another store's events.
    scratch: bool,
}

/// How much there was when the turn began; rolling back is cutting off what is beyond.
#[derive(Debug)]
struct Mark {
    events: usize,
    commands: usize,
    domains: usize,
    /// Fillings that were changed in it, as they were.
    fillings: BTreeMap<u64, Filling>,
    /// The same of the snapshots of streams.
    snapshots: BTreeMap<StreamName, Snapshots>,
    folds: usize,
}

type Snapshots = BTreeMap<(usize, Version), (Hash, Box<str>)>;

impl MemoryStore {
    /// An empty store with that identity.
    pub fn new(id: impl Into<Box<str>>) -> Self {
        Self {
            id: id.into(),
            events: Vec::new(),
            commands: Vec::new(),
            ids: HashMap::new(),
            streams: BTreeMap::new(),
            domains: Vec::new(),
            snapshots: BTreeMap::new(),
            folds: Vec::new(),
            processes: Processes::default(),
            turn: None,
            fillings: BTreeMap::new(),
            last: 0,
            scratch: false,
        }
    }

    /// A store for read models of another store's events, as long as they are looked at.
    pub fn scratch() -> Self {
        Self { scratch: true, ..Self::new("scratch") }
    }

    /// How far read models can have come.
    fn end(&self) -> Position {
        if self.scratch { Position(u64::MAX) } else { self.now().position }
    }

    fn now(&self) -> Head {
        match self.events.last() {
            None => Head::default(),
            Some((event, hash)) => Head { position: event.position, time: Some(event.time), hash: *hash },
        }
    }

    fn versions(&self, stream: &StreamName) -> &[usize] {
        self.streams.get(stream).map_or(&[], Vec::as_slice)
    }

    /// The event of a version of a stream, with its hash.
    fn event_at(&self, stream: &StreamName, version: Version) -> Option<&(Recorded, Hash)> {
        let at = self.versions(stream).get(index(version.0.checked_sub(1)?))?;
        self.events.get(*at)
    }

    fn shown(&self, index: usize, commands: bool) -> Recorded {
        let mut event = self.events[index].0.clone();
        if !commands {
            event.command = None;
        }
        event
    }

    fn outside(&self) -> Result<(), StoreError> {
        if self.turn.is_some() { Err(check::in_turn()) } else { Ok(()) }
    }

    fn filling(&self, number: u64) -> Result<&Filling, StoreError> {
        self.fillings.get(&number).ok_or(StoreError::Overtaken)
    }

    fn remove(&mut self, projection: &str, served: bool) {
        self.fillings.retain(|_, f| *f.generation.projection != *projection || f.generation.served != served);
    }
}

fn index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn passes(event: &Recorded, filter: &EventFilter) -> bool {
    let aggregate = event.stream.aggregate();
    filter.stream.as_ref().is_none_or(|stream| *stream == event.stream)
        && filter.aggregate.as_ref().is_none_or(|wanted| **wanted == *aggregate)
        && filter.kind.as_ref().is_none_or(|wanted| **wanted == *event.kind)
        && filter.kinds.as_ref().is_none_or(|kinds| kinds.iter().any(|(a, k)| **a == *aggregate && **k == *event.kind))
}

impl Store for MemoryStore {
    fn id(&self) -> &str {
        &self.id
    }

    fn head(&mut self) -> Result<Head, StoreError> {
        Ok(self.now())
    }

    fn version(&mut self, stream: &StreamName) -> Result<Version, StoreError> {
        Ok(Version(self.versions(stream).len() as u64))
    }

    fn read_stream(
        &mut self,
        stream: &StreamName,
        after: Version,
        limit: usize,
        commands: bool,
        page: &mut Vec<Recorded>,
    ) -> Result<(), StoreError> {
        let wanted = self.versions(stream).iter().skip(index(after.0)).take(limit);
        page.extend(wanted.map(|index| self.shown(*index, commands)));
        Ok(())
    }

    fn read_all(
        &mut self,
        after: Position,
        limit: usize,
        commands: bool,
        filter: &EventFilter,
    ) -> Result<EventPage, StoreError> {
        let mut page = EventPage { scanned: after, ..EventPage::default() };
        for at in index(after.0)..self.events.len() {
            if page.events.len() == limit {
                break;
            }
            page.scanned = self.events[at].0.position;
            if passes(&self.events[at].0, filter) {
                page.events.push(self.shown(at, commands));
                if page.events.len() == limit {
                    break;
                }
            }
        }
        page.done = page.scanned >= self.now().position;
        Ok(page)
    }

    fn read_back(
        &mut self,
        before: Option<Position>,
        limit: usize,
        commands: bool,
        filter: &EventFilter,
    ) -> Result<EventPage, StoreError> {
        let end = before.map_or(self.events.len(), |before| index(before.0.saturating_sub(1)).min(self.events.len()));
        let mut page = EventPage { scanned: before.unwrap_or_default(), ..EventPage::default() };
        if limit == 0 {
            page.scanned = Position(end as u64 + 1);
            page.done = end == 0;
            return Ok(page);
        }
        for at in (0..end).rev() {
            page.scanned = self.events[at].0.position;
            if passes(&self.events[at].0, filter) {
                page.events.push(self.shown(at, commands));
                if page.events.len() == limit {
                    break;
                }
            }
        }
        page.done = end == 0 || page.scanned <= Position(1);
        Ok(page)
    }

    fn position_at(&mut self, time: Time) -> Result<Position, StoreError> {
        Ok(Position(self.events.iter().filter(|(event, _)| event.time <= time).count() as u64))
    }

    fn version_at(&mut self, stream: &StreamName, position: Position) -> Result<Version, StoreError> {
        let until = self.versions(stream).iter().filter(|index| self.events[**index].0.position <= position);
        Ok(Version(until.count() as u64))
    }

    fn streams(&mut self, after: Option<&StreamName>, limit: usize) -> Result<Vec<StreamInfo>, StoreError> {
        let beyond = self.streams.iter().filter(|(name, _)| after.is_none_or(|after| *name > after));
        let info = |(name, versions): (&StreamName, &Vec<usize>)| {
            let (first, last) = (versions.first()?, versions.last()?);
            Some(StreamInfo {
                name: name.clone(),
                version: Version(versions.len() as u64),
                first: self.events[*first].0.position,
                last: self.events[*last].0.position,
                time: self.events[*last].0.time,
            })
        };
        Ok(beyond.filter_map(info).take(limit).collect())
    }

    fn command(&mut self, id: &str) -> Result<Option<StoredCommand>, StoreError> {
        let Some(at) = self.ids.get(id) else { return Ok(None) };
        let (command, first, count) = &self.commands[*at];
        let events: Vec<_> = (*first..first + count).map(|index| self.shown(index, false)).collect();
        let head = self.events[first + count - 1].1;
        Ok(Some(StoredCommand { command: Arc::clone(command), events, head }))
    }

    fn knows_domain(&mut self, digest: &str) -> Result<bool, StoreError> {
        Ok(self.domains.iter().any(|(known, _)| **known == *digest))
    }

    fn domain_text(&mut self, digest: &str) -> Result<Option<Box<str>>, StoreError> {
        Ok(self.domains.iter().find(|(known, _)| **known == *digest).map(|(_, text)| text.clone()))
    }

    fn domains(&mut self) -> Result<Vec<DomainUse>, StoreError> {
        let mut domains: Vec<DomainUse> = Vec::new();
        for (command, first, count) in &self.commands {
            let last = Position((first + count) as u64);
            match domains.iter_mut().find(|used| used.digest == command.domain) {
                Some(used) => {
                    (used.last, used.until) = (last, command.time);
                    used.commands += 1;
                }
                None => domains.push(DomainUse {
                    digest: command.domain.clone(),
                    commands: 1,
                    first: Position(*first as u64 + 1),
                    last,
                    since: command.time,
                    until: command.time,
                }),
            }
        }
        Ok(domains)
    }

    fn hash_at(&mut self, position: Position) -> Result<Option<Hash>, StoreError> {
        Ok(position.0.checked_sub(1).and_then(|at| self.events.get(index(at))).map(|(_, hash)| *hash))
    }

    fn verify(&mut self, since: Position, watch: &mut dyn FnMut(Position, Position)) -> Result<Verified, StoreError> {
        self.outside()?;
        Ok(verify::run(self, since, watch))
    }

    fn begin(&mut self) -> Result<(), StoreError> {
        self.outside()?;
        self.turn = Some(Mark {
            events: self.events.len(),
            commands: self.commands.len(),
            domains: self.domains.len(),
            fillings: BTreeMap::new(),
            snapshots: BTreeMap::new(),
            folds: self.folds.len(),
        });
        Ok(())
    }

    fn append(&mut self, decision: &Decision<'_>) -> Result<Appended, StoreError> {
        if self.turn.is_none() {
            return Err(check::no_turn());
        }
        let mut head = self.now();
        check::decision(decision, &head)?;
        if self.ids.contains_key(&decision.command.id) {
            return Err(check::known_id(&decision.command.id));
        }
        let command = Arc::new(decision.command.clone());
        if !self.domains.iter().any(|(known, _)| *known == command.domain) {
            self.domains.push((command.domain.clone(), decision.domain_text.into()));
        }
        let first = self.events.len();
        self.ids.insert(command.id.clone(), self.commands.len());
        self.commands.push((Arc::clone(&command), first, decision.events.len()));
        let digest = chain::command(&command);
        let mut versions = Vec::with_capacity(decision.events.len());
        for event in decision.events {
            let stream = self.streams.entry(event.stream.clone()).or_default();
            stream.push(self.events.len());
            let version = Version(stream.len() as u64);
            head.position = head.position.next();
            head.hash =
                chain::Link::new(event, head.position, version, command.time).hash(&head.hash, &self.id, &digest);
            versions.push(version);
            let recorded = Recorded {
                position: head.position,
                stream: event.stream.clone(),
                version,
                kind: Arc::clone(&event.kind),
                schema: event.schema,
                data: event.data.clone(),
                time: command.time,
                command: Some(Arc::clone(&command)),
            };
            self.events.push((recorded, head.hash));
        }
        Ok(Appended { first: Position(first as u64 + 1), versions, head: head.hash })
    }

    fn processes(&mut self) -> Result<Vec<(ProcessInfo, Tally)>, StoreError> {
        Ok(self.processes.all())
    }

    fn process(&mut self, name: &str) -> Result<Option<ProcessInfo>, StoreError> {
        Ok(self.processes.info(name))
    }

    fn instance(&mut self, process: &str, key: &str) -> Result<Option<Instance>, StoreError> {
        Ok(self.processes.instance(process, key))
    }

    fn instances(&mut self, process: &str, after: Option<&str>, limit: usize) -> Result<Vec<Instance>, StoreError> {
        Ok(self.processes.instances(process, after, limit))
    }

    fn steps(&mut self, process: &str, key: &str, after: u64, limit: usize) -> Result<Vec<Step>, StoreError> {
        Ok(self.processes.steps(process, key, after, limit))
    }

    fn rejections(&mut self, after: u64, limit: usize) -> Result<Vec<Rejected>, StoreError> {
        Ok(self.processes.rejections(after, limit))
    }

    fn rejection(&mut self, command: &str) -> Result<Option<Rejected>, StoreError> {
        Ok(self.processes.rejection(command))
    }

    fn outgoing(&mut self, after: u64) -> Result<Option<Outgoing>, StoreError> {
        Ok(self.processes.outgoing(after))
    }

    fn outgoing_of(&mut self, process: &str, key: &str) -> Result<Vec<Outgoing>, StoreError> {
        Ok(self.processes.outgoing_of(process, key))
    }

    fn waiting(&mut self, process: &str) -> Result<Option<Waiting>, StoreError> {
        Ok(self.processes.waiting(process))
    }

    fn waiting_of(&mut self, process: &str, key: &str, limit: usize) -> Result<Vec<Position>, StoreError> {
        Ok(self.processes.waiting_of(process, key, limit))
    }

    fn deadline(&mut self, process: &str) -> Result<Option<Deadline>, StoreError> {
        Ok(self.processes.deadline(process))
    }

    fn deadlines_of(&mut self, process: &str, key: &str) -> Result<Vec<Deadline>, StoreError> {
        Ok(self.processes.deadlines_of(process, key))
    }

    fn keep(&mut self, change: &ProcessChange) -> Result<(), StoreError> {
        if self.turn.is_none() {
            return Err(check::no_turn());
        }
        self.processes.keep(change, self.now().position)
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        self.turn.take().ok_or_else(check::no_turn)?;
        self.processes.commit();
        Ok(())
    }

    fn rollback(&mut self) {
        let Some(mark) = self.turn.take() else { return };
        for (event, _) in self.events.drain(mark.events..).rev() {
            if let Some(versions) = self.streams.get_mut(&event.stream) {
                versions.pop();
                if versions.is_empty() {
                    self.streams.remove(&event.stream);
                }
            }
        }
        for (command, ..) in self.commands.drain(mark.commands..) {
            self.ids.remove(&command.id);
        }
        self.domains.truncate(mark.domains);
        self.fillings.extend(mark.fillings);
        self.snapshots.extend(mark.snapshots);
        self.folds.truncate(mark.folds);
        self.processes.rollback();
    }

    fn snapshot(&mut self, stream: &StreamName, digest: &str, until: Version) -> Result<Option<Snapshot>, StoreError> {
        let fold = self.folds.iter().position(|known| **known == *digest);
        let (Some(fold), Some(kept)) = (fold, self.snapshots.get(stream)) else { return Ok(None) };
        let below = kept.range((fold, Version(0))..=(fold, until)).rev();
        let held = below.filter_map(|((_, version), (hash, state))| {
            let (event, of) = self.event_at(stream, *version)?;
            let is = chain::snapshot(&self.id, digest, stream.as_str(), *version, of, state.as_bytes());
            let (position, time) = (event.position, event.time);
            (is == *hash).then(|| Snapshot { version: *version, position, time, state: state.clone() })
        });
        Ok({ held }.next())
    }

    fn keep_snapshot(
        &mut self,
        stream: &StreamName,
        digest: &str,
        version: Version,
        state: &str,
    ) -> Result<(), StoreError> {
        check::snapshot(stream, version, Version(self.versions(stream).len() as u64))?;
        let Some(mark) = &mut self.turn else { return Err(check::no_turn()) };
        let kept = self.snapshots.entry(stream.clone()).or_default();
        mark.snapshots.entry(stream.clone()).or_insert_with(|| kept.clone());
        let fold = self.folds.iter().position(|known| **known == *digest).unwrap_or_else(|| {
            self.folds.push(digest.into());
            self.folds.len() - 1
        });
        kept.retain(|(other, _), _| *other == fold);
        if let Some((_, event)) = self.event_at(stream, version) {
            let hash = chain::snapshot(&self.id, digest, stream.as_str(), version, event, state.as_bytes());
            self.snapshots.entry(stream.clone()).or_default().insert((fold, version), (hash, state.into()));
        }
        Ok(())
    }

    fn drop_snapshots(&mut self, stream: &StreamName) -> Result<(), StoreError> {
        let Some(mark) = &mut self.turn else { return Err(check::no_turn()) };
        if let Some(kept) = self.snapshots.get_mut(stream) {
            mark.snapshots.entry(stream.clone()).or_insert_with(|| kept.clone());
            kept.clear();
        }
        Ok(())
    }

    fn snapshots(
        &mut self,
        stream: &StreamName,
        after: Option<&SnapshotInfo>,
        limit: usize,
    ) -> Result<Vec<SnapshotInfo>, StoreError> {
        let after = after.and_then(|info| {
            let fold = self.folds.iter().position(|known| *known == info.digest)?;
            Some((fold, info.version))
        });
        let all = self.snapshots.get(stream).into_iter().flatten().filter(|(key, _)| Some(**key) > after);
        let info = |((fold, version), (_, state)): (&(usize, Version), &(Hash, Box<str>))| SnapshotInfo {
            stream: stream.clone(),
            version: *version,
            digest: self.folds[*fold].clone(),
            bytes: state.len() as u64,
        };
        Ok(all.take(limit).map(info).collect())
    }

    fn generations(&mut self) -> Result<Vec<Generation>, StoreError> {
        let mut all: Vec<_> = self.fillings.values().map(|filling| filling.generation.clone()).collect();
        all.sort_by(|a, b| a.projection.cmp(&b.projection).then(a.number.cmp(&b.number)));
        Ok(all)
    }

    fn served(&mut self, projection: &str) -> Result<Option<Generation>, StoreError> {
        let of = |f: &&Filling| *f.generation.projection == *projection && f.generation.served;
        Ok(self.fillings.values().find(of).map(|filling| filling.generation.clone()))
    }

    fn build(&mut self, table: &Table) -> Result<Generation, StoreError> {
        self.outside()?;
        check::table(table)?;
        let resumed = self.fillings.values().find(|f| {
            !f.generation.served && f.generation.projection == table.name && f.generation.digest == table.digest
        });
        if let Some(filling) = resumed {
            return Ok(filling.generation.clone());
        }
        self.remove(&table.name, false);
        self.last += 1;
        let generation = Generation {
            number: self.last,
            projection: table.name.clone(),
            digest: table.digest.clone(),
            checkpoint: Position(0),
            served: false,
            since: None,
            ahead: None,
            stopped: None,
            parked: 0,
        };
        let filling = Filling { generation: generation.clone(), rows: BTreeMap::new(), parked: BTreeMap::new() };
        self.fillings.insert(self.last, filling);
        Ok(generation)
    }

    fn abandon(&mut self, projection: &str) -> Result<(), StoreError> {
        self.outside()?;
        self.remove(projection, false);
        Ok(())
    }

    fn rows(&mut self, table: &Table, generation: u64, keys: &[Value]) -> Result<Vec<Option<Row>>, StoreError> {
        let filling = self.filling(generation)?;
        let key = check::key(table)?;
        keys.iter().map(|value| Ok(filling.rows.get(&column::keep_key(key, value)?).cloned())).collect()
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
        self.outside()?;
        column::check(table, changes)?;
        check::advance(from, to, self.end())?;
        check::parked(from, to, parked)?;
        let filling = self.fillings.get_mut(&generation).ok_or(StoreError::Overtaken)?;
        let (at, ahead) = (filling.generation.checkpoint, &filling.generation.ahead);
        if at != from || ahead.as_ref().is_some_and(|ahead| ahead.position != to) {
            return Err(StoreError::Overtaken);
        }
        filling.write(table, changes)?;
        filling.parked.extend(parked.iter().map(|failure| (failure.position, failure.clone())));
        filling.generation.parked = filling.parked.len() as u64;
        filling.generation.ahead = None;
        filling.moved(to);
        Ok(())
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
        self.outside()?;
        column::check(table, changes)?;
        check::advance_part(from, before, to, self.end())?;
        let filling = self.fillings.get_mut(&generation).ok_or(StoreError::Overtaken)?;
        let Generation { checkpoint, served, ahead, .. } = &filling.generation;
        // Another process that built the same has put it in service.
        if *served || *checkpoint != from || ahead.as_ref() != before {
            return Err(StoreError::Overtaken);
        }
        filling.write(table, changes)?;
        filling.generation.ahead = Some(to.clone());
        Ok(())
    }

    fn advance_in_turn(
        &mut self,
        table: &Table,
        generation: u64,
        from: Position,
        to: Position,
        changes: &[RowChange],
    ) -> Result<(), StoreError> {
        column::check(table, changes)?;
        check::advance(from, to, self.end())?;
        let Some(mark) = &mut self.turn else { return Err(check::no_turn()) };
        let filling = self.fillings.get_mut(&generation).ok_or(StoreError::Overtaken)?;
        if filling.generation.checkpoint != from || filling.generation.ahead.is_some() {
            return Err(StoreError::Overtaken);
        }
        mark.fillings.entry(generation).or_insert_with(|| filling.clone());
        filling.write(table, changes)?;
        filling.moved(to);
        Ok(())
    }

    fn stop(&mut self, generation: u64, failure: &Failure) -> Result<(), StoreError> {
        self.outside()?;
        let filling = self.fillings.get_mut(&generation).ok_or(StoreError::Overtaken)?;
        if filling.generation.checkpoint >= failure.position {
            return Err(StoreError::Overtaken);
        }
        filling.generation.stopped = Some(failure.clone());
        Ok(())
    }

    fn parked(&mut self, generation: u64, after: Position, limit: usize) -> Result<Vec<Failure>, StoreError> {
        let parked = &self.filling(generation)?.parked;
        let after = parked.range((Bound::Excluded(after), Bound::Unbounded));
        Ok(after.take(limit).map(|(_, failure)| failure.clone()).collect())
    }

    fn serve(&mut self, table: &Table, generation: u64, time: Time) -> Result<(), StoreError> {
        self.outside()?;
        match self.fillings.get(&generation) {
            None => return Err(StoreError::Overtaken),
            Some(filling) if filling.generation.served => return Ok(()),
            Some(filling) if filling.generation.ahead.is_some() => return Err(StoreError::Overtaken),
            Some(_) => self.remove(&table.name, true),
        }
        if let Some(filling) = self.fillings.get_mut(&generation) {
            filling.generation.served = true;
            filling.generation.since = Some(time);
        }
        Ok(())
    }

    fn select(&mut self, table: &Table, generation: u64, filter: &RowFilter) -> Result<Vec<Row>, StoreError> {
        let filling = self.filling(generation)?;
        let column = check::key(table)?;
        let key = filter.key.as_ref().map(|key| column::keep_key(column, key)).transpose()?;
        let after = filter.after.as_ref().map(|after| column::keep_key(column, after)).transpose()?;
        let wanted = filling
            .rows
            .iter()
            .filter(|(k, _)| key.as_ref().is_none_or(|key| *k == key) && after.as_ref().is_none_or(|after| *k > after));
        Ok(wanted.take(filter.limit).map(|(_, row)| row.clone()).collect())
    }

    fn count(&mut self, generation: u64) -> Result<u64, StoreError> {
        Ok(self.filling(generation)?.rows.len() as u64)
    }
}
