//! A store that fails at its n-th call: whatever fails, what is stored is as before the step or as after it.

use super::processes::{deadline, info, instance, outgoing, step, stepped, stopped, waiting};
use super::*;
use esctl::event::{Hash, Head, Version};
use esctl::store::{Ahead, EventPage, RowChange, Snapshot, SnapshotInfo, StoredCommand, StreamInfo, Verified};
use rusqlite::Connection;
use std::collections::BTreeMap;

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Nothing is done.
    Before,
    /// It is done, but the answer is lost.
    After,
}

/// Passes every call on, but one.
pub struct FailingStore {
    inner: Box<dyn Store>,
    /// Calls left until the one that fails.
    left: usize,
    fault: Fault,
}

impl FailingStore {
    /// One that never fails.
    pub fn harmless(inner: Box<dyn Store>) -> Self {
        Self { inner, left: usize::MAX, fault: Fault::Before }
    }

    fn call<T>(&mut self, work: impl FnOnce(&mut dyn Store) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.left = self.left.saturating_sub(1);
        if self.left != 0 {
            return work(&mut *self.inner);
        }
        match self.fault {
            Fault::Before => Err(StoreError::Unavailable("made to fail".into())),
            Fault::After => {
                work(&mut *self.inner)?;
                Err(StoreError::Unknown("made to fail".into()))
            }
        }
    }
}

impl Store for FailingStore {
    fn id(&self) -> &str {
        self.inner.id()
    }
    fn head(&mut self) -> Result<Head, StoreError> {
        self.call(|s| s.head())
    }
    fn version(&mut self, stream: &StreamName) -> Result<Version, StoreError> {
        self.call(|s| s.version(stream))
    }
    fn read_stream(
        &mut self,
        stream: &StreamName,
        after: Version,
        limit: usize,
        commands: bool,
        page: &mut Vec<Recorded>,
    ) -> Result<(), StoreError> {
        self.call(|s| s.read_stream(stream, after, limit, commands, page))
    }
    fn read_all(
        &mut self,
        after: Position,
        limit: usize,
        commands: bool,
        filter: &EventFilter,
    ) -> Result<EventPage, StoreError> {
        self.call(|s| s.read_all(after, limit, commands, filter))
    }
    fn read_back(
        &mut self,
        before: Option<Position>,
        limit: usize,
        commands: bool,
        filter: &EventFilter,
    ) -> Result<EventPage, StoreError> {
        self.call(|s| s.read_back(before, limit, commands, filter))
    }
    fn position_at(&mut self, time: Time) -> Result<Position, StoreError> {
        self.call(|s| s.position_at(time))
    }
    fn version_at(&mut self, stream: &StreamName, position: Position) -> Result<Version, StoreError> {
        self.call(|s| s.version_at(stream, position))
    }
    fn streams(&mut self, after: Option<&StreamName>, limit: usize) -> Result<Vec<StreamInfo>, StoreError> {
        self.call(|s| s.streams(after, limit))
    }
    fn command(&mut self, id: &str) -> Result<Option<StoredCommand>, StoreError> {
        self.call(|s| s.command(id))
    }
    fn knows_domain(&mut self, digest: &str) -> Result<bool, StoreError> {
        self.call(|s| s.knows_domain(digest))
    }
    fn domain_text(&mut self, digest: &str) -> Result<Option<Box<str>>, StoreError> {
        self.call(|s| s.domain_text(digest))
    }
    fn domains(&mut self) -> Result<Vec<DomainUse>, StoreError> {
        self.call(|s| s.domains())
    }
    fn hash_at(&mut self, position: Position) -> Result<Option<Hash>, StoreError> {
        self.call(|s| s.hash_at(position))
    }
    fn verify(&mut self, since: Position, watch: &mut dyn FnMut(Position, Position)) -> Result<Verified, StoreError> {
        self.call(|s| s.verify(since, watch))
    }
    fn begin(&mut self) -> Result<(), StoreError> {
        self.call(|s| s.begin())
    }
    fn snapshot(&mut self, stream: &StreamName, digest: &str, until: Version) -> Result<Option<Snapshot>, StoreError> {
        self.call(|s| s.snapshot(stream, digest, until))
    }
    fn keep_snapshot(
        &mut self,
        stream: &StreamName,
        digest: &str,
        version: Version,
        state: &str,
    ) -> Result<(), StoreError> {
        self.call(|s| s.keep_snapshot(stream, digest, version, state))
    }
    fn drop_snapshots(&mut self, stream: &StreamName) -> Result<(), StoreError> {
        self.call(|s| s.drop_snapshots(stream))
    }
    fn snapshots(
        &mut self,
        stream: &StreamName,
        after: Option<&SnapshotInfo>,
        limit: usize,
    ) -> Result<Vec<SnapshotInfo>, StoreError> {
        self.call(|s| s.snapshots(stream, after, limit))
    }
    fn append(&mut self, decision: &Decision<'_>) -> Result<Appended, StoreError> {
        self.call(|s| s.append(decision))
    }
    fn processes(&mut self) -> Result<Vec<(ProcessInfo, Tally)>, StoreError> {
        self.call(|s| s.processes())
    }
    fn process(&mut self, name: &str) -> Result<Option<ProcessInfo>, StoreError> {
        self.call(|s| s.process(name))
    }
    fn instance(&mut self, process: &str, key: &str) -> Result<Option<Instance>, StoreError> {
        self.call(|s| s.instance(process, key))
    }
    fn instances(&mut self, process: &str, after: Option<&str>, limit: usize) -> Result<Vec<Instance>, StoreError> {
        self.call(|s| s.instances(process, after, limit))
    }
    fn steps(&mut self, process: &str, key: &str, after: u64, limit: usize) -> Result<Vec<Step>, StoreError> {
        self.call(|s| s.steps(process, key, after, limit))
    }
    fn rejections(&mut self, after: u64, limit: usize) -> Result<Vec<Rejected>, StoreError> {
        self.call(|s| s.rejections(after, limit))
    }
    fn rejection(&mut self, command: &str) -> Result<Option<Rejected>, StoreError> {
        self.call(|s| s.rejection(command))
    }
    fn outgoing(&mut self, after: u64) -> Result<Option<Outgoing>, StoreError> {
        self.call(|s| s.outgoing(after))
    }
    fn outgoing_of(&mut self, process: &str, key: &str) -> Result<Vec<Outgoing>, StoreError> {
        self.call(|s| s.outgoing_of(process, key))
    }
    fn waiting(&mut self, process: &str) -> Result<Option<Waiting>, StoreError> {
        self.call(|s| s.waiting(process))
    }
    fn waiting_of(&mut self, process: &str, key: &str, limit: usize) -> Result<Vec<Position>, StoreError> {
        self.call(|s| s.waiting_of(process, key, limit))
    }
    fn deadline(&mut self, process: &str) -> Result<Option<Deadline>, StoreError> {
        self.call(|s| s.deadline(process))
    }
    fn deadlines_of(&mut self, process: &str, key: &str) -> Result<Vec<Deadline>, StoreError> {
        self.call(|s| s.deadlines_of(process, key))
    }
    fn keep(&mut self, change: &ProcessChange) -> Result<(), StoreError> {
        self.call(|s| s.keep(change))
    }
    fn commit(&mut self) -> Result<(), StoreError> {
        let outcome = self.call(|s| s.commit());
        if outcome.is_err() {
            // A commit ends the turn, also where it fails.
            self.inner.rollback();
        }
        outcome
    }
    fn rollback(&mut self) {
        self.inner.rollback();
    }
    fn generations(&mut self) -> Result<Vec<Generation>, StoreError> {
        self.call(|s| s.generations())
    }
    fn served(&mut self, projection: &str) -> Result<Option<Generation>, StoreError> {
        self.call(|s| s.served(projection))
    }
    fn build(&mut self, table: &Table) -> Result<Generation, StoreError> {
        self.call(|s| s.build(table))
    }
    fn abandon(&mut self, projection: &str) -> Result<(), StoreError> {
        self.call(|s| s.abandon(projection))
    }
    fn rows(&mut self, table: &Table, generation: u64, keys: &[Value]) -> Result<Vec<Option<Row>>, StoreError> {
        self.call(|s| s.rows(table, generation, keys))
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
        self.call(|s| s.advance_past(table, generation, from, to, changes, parked))
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
        self.call(|s| s.advance_part(table, generation, from, before, to, changes))
    }
    fn advance_in_turn(
        &mut self,
        table: &Table,
        generation: u64,
        from: Position,
        to: Position,
        changes: &[RowChange],
    ) -> Result<(), StoreError> {
        self.call(|s| s.advance_in_turn(table, generation, from, to, changes))
    }
    fn stop(&mut self, generation: u64, failure: &Failure) -> Result<(), StoreError> {
        self.call(|s| s.stop(generation, failure))
    }
    fn parked(&mut self, generation: u64, after: Position, limit: usize) -> Result<Vec<Failure>, StoreError> {
        self.call(|s| s.parked(generation, after, limit))
    }
    fn serve(&mut self, table: &Table, generation: u64, time: Time) -> Result<(), StoreError> {
        self.call(|s| s.serve(table, generation, time))
    }
    fn select(&mut self, table: &Table, generation: u64, filter: &RowFilter) -> Result<Vec<Row>, StoreError> {
        self.call(|s| s.select(table, generation, filter))
    }
    fn count(&mut self, generation: u64) -> Result<u64, StoreError> {
        self.call(|s| s.count(generation))
    }
}

/// Two batches of commands, then a projection is built and put in service, and then it moves within the turn of a command.
/// Everything asks first what is there, as a program does that was interrupted and runs again. `done` hears of each
/// finished step.
fn scenario(store: &mut dyn Store, table: &Table, done: &mut dyn FnMut(&mut dyn Store)) -> Result<(), StoreError> {
    for batch in 0..2 {
        store.begin()?;
        for n in 0..2 {
            let id = format!("c{batch}-{n}");
            if store.command(&id)?.is_none() {
                let version = store.version(&stream("account/ada"))?;
                let events = [event("account/ada", "Out"), event(&format!("account/{batch}"), "In")];
                let given = append(store, &command(&id, "account/ada", batch), &events)?;
                assert_eq!(given.versions[0], version.next());
                if batch > 0 {
                    let digest = format!("d{n}");
                    store.keep_snapshot(&stream("account/ada"), &digest, version.next(), "{}")?;
                }
            }
        }
        store.commit()?;
        done(store);
    }
    if store.served(&table.name)?.is_none() {
        fill(store, table, done)?;
    }
    if store.command("c9")?.is_none() {
        let Some(served) = store.served(&table.name)? else { panic!("it was served") };
        store.begin()?;
        append(store, &command("c9", "account/ada", 9), &[event("account/ada", "Out")])?;
        let end = store.head()?.position;
        let changes = [RowChange::Put(row(text("account/ada"), 9)), RowChange::Delete(text("account/1"))];
        store.advance_in_turn(table, served.number, served.checkpoint, end, &changes)?;
        if store.snapshot(&stream("account/ada"), "d1", Version(4))?.is_some() {
            store.drop_snapshots(&stream("account/ada"))?;
        }
        react(store, end)?;
        store.commit()?;
        done(store);
    }
    Ok(())
}

/// A process has routed all that is stored by then, and has something to do.
fn react(store: &mut dyn Store, end: Position) -> Result<(), StoreError> {
    assert_eq!(store.process("transfers")?, None);
    let step = Step { command: Some("c9".into()), ..step(1, StepKind::Sent) };
    for change in [
        ProcessChange::Process(info("transfers", end.0)),
        ProcessChange::Instance(instance("transfers", "1")),
        stepped("transfers", "1", step),
        ProcessChange::Send(outgoing("transfers", "1", "x1")),
        ProcessChange::Deadline(deadline("transfers", "1", "late", 9)),
        ProcessChange::Wait(waiting("transfers", "1", 1)),
        ProcessChange::Instance(Instance { steps: 1, ..stopped("transfers", "1") }),
    ] {
        store.keep(&change)?;
    }
    Ok(())
}

/// Two steps. The first is in two parts; before the second one it stops, and then it goes on past an event.
fn fill(store: &mut dyn Store, table: &Table, done: &mut dyn FnMut(&mut dyn Store)) -> Result<(), StoreError> {
    let mut generation = store.build(table)?;
    done(store);
    let end = store.head()?.position;
    while generation.checkpoint < end {
        let page = store.read_all(generation.checkpoint, 5, false, &EventFilter::default())?;
        let mut changes = BTreeMap::new();
        for event in &page.events {
            let (key, count) = (text(event.stream.as_str()), i64::try_from(event.version.0).unwrap());
            changes.insert(key.to_string(), RowChange::Put(row(key, count)));
        }
        let (number, from, is_first) = (generation.number, generation.checkpoint, generation.checkpoint == Position(0));
        if is_first && generation.ahead.is_none() {
            let (key, change) = changes.first_key_value().unwrap();
            let part = Ahead { position: page.scanned, key: key.as_str().into() };
            store.advance_part(table, number, from, None, &part, std::slice::from_ref(change))?;
            done(store);
            generation.ahead = Some(part);
        }
        if !is_first && generation.stopped.is_none() {
            store.stop(number, &failure(7))?;
            done(store);
        }
        let ahead = generation.ahead.take();
        let is_left = |key: &str| ahead.as_ref().is_none_or(|ahead| *key > *ahead.key);
        let rest: Vec<_> = changes.into_iter().filter(|(key, _)| is_left(key)).map(|(_, change)| change).collect();
        let parked: Vec<_> = if is_first { Vec::new() } else { vec![failure(7)] };
        store.advance_past(table, number, from, page.scanned, &rest, &parked)?;
        done(store);
        generation.checkpoint = page.scanned;
    }
    store.serve(table, generation.number, at(9))?;
    done(store);
    Ok(())
}

fn a_failure_leaves_the_state_before_or_after(make: &dyn Fn() -> Subject) {
    let table = table("balances", ColumnKind::Text, "d1");
    let mut clean = make();
    let mut states = vec![dump(clean.store(), &table)];
    scenario(clean.store(), &table, &mut |store| states.push(dump(store, &table))).unwrap();
    assert_eq!(states.len(), 10);

    let mut lost_answers = 0;
    for fault in [Fault::Before, Fault::After] {
        for n in 1.. {
            let mut subject = make();
            let inner = subject.store.take().unwrap();
            let mut failing = FailingStore { inner, left: n, fault };
            let mut steps = 0;
            let outcome = scenario(&mut failing, &table, &mut |_| steps += 1);
            subject.store = Some(failing.inner);
            if outcome.is_ok() {
                assert!(n > 20, "the scenario makes more calls than {n}");
                break;
            }
            subject.store().rollback();
            for opened in [false, true] {
                if opened {
                    subject.reopen();
                }
                let state = dump(subject.store(), &table);
                let before = state == states[steps];
                let after = state == states[steps + 1];
                assert!(before || after, "call {n}, {fault:?}, after {steps} steps:\n{state}");
                assert!(before || fault == Fault::After, "call {n} did what it said it did not do");
                lost_answers += usize::from(after);
            }
            // Running again ends where it would have ended.
            scenario(subject.store(), &table, &mut |_| {}).unwrap();
            assert_eq!(&dump(subject.store(), &table), states.last().unwrap(), "call {n}, {fault:?}");
        }
    }
    // Each step was once done without an answer, and seen twice.
    assert_eq!(lost_answers, 2 * 9);
}

#[test]
fn any_call_may_fail_in_memory() {
    a_failure_leaves_the_state_before_or_after(&Subject::memory);
}

#[test]
fn any_call_may_fail_in_sqlite() {
    a_failure_leaves_the_state_before_or_after(&Subject::sqlite);
}

/// The file itself refuses the n-th write of a turn, in the middle of a command.
#[test]
fn a_turn_that_broke_half_way_cannot_be_committed() {
    for refused in 1..=6 {
        let (_folder, path) = place();
        let mut store = open(&path);
        let rows = table("balances", ColumnKind::Text, "d");
        let number = store.build(&rows).unwrap().number;
        let before = dump(&mut store, &rows);
        let raw = Connection::open(&path).unwrap();
        raw.execute_batch(&format!(
            "CREATE TRIGGER refuse BEFORE INSERT ON es_events WHEN NEW.position = {refused} \
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        ))
        .unwrap();
        store.begin().unwrap();
        let events = [event("account/ada", "Out"), event("account/bob", "In"), event("new/1", "New")];
        let outcomes = [1, 2].map(|n| append(&mut store, &command(&format!("c{n}"), "account/ada", 1), &events));
        assert_eq!(outcomes[0].is_ok(), refused > 3);
        assert!(matches!(outcomes[1], Err(StoreError::Damaged(_) | StoreError::Misuse(_))), "{outcomes:?}");
        let step = store.advance_in_turn(&rows, number, Position(0), Position(0), &[RowChange::Put(row(text("a"), 1))]);
        assert!(matches!(step, Err(StoreError::Misuse(_))), "{step:?}");
        let Err(StoreError::Misuse(words)) = store.commit() else { panic!("half a command was committed") };
        assert_eq!(words, "nothing of this turn is stored: something in it failed before");
        assert_eq!(dump(&mut store, &rows), before);
        raw.execute_batch("DROP TRIGGER refuse").unwrap();
        send(&mut store, "c3", 1, &[("new/2", "Newer"), ("new/1", "New"), ("account/ada", "Out")]);
        let kinds: Vec<_> = everything(&mut store).iter().map(|e| format!("{} {}", e.stream, e.kind)).collect();
        assert_eq!(kinds, ["new/2 Newer", "new/1 New", "account/ada Out"]);
    }
}

/// The same in the middle of the rows of a step.
#[test]
fn a_turn_whose_rows_broke_half_way_cannot_be_committed() {
    let (_folder, path) = place();
    let mut store = open(&path);
    let rows = table("balances", ColumnKind::Text, "d");
    let number = store.build(&rows).unwrap().number;
    let before = dump(&mut store, &rows);
    let raw = Connection::open(&path).unwrap();
    let changes = ["a", "b"].map(|key| RowChange::Put(row(text(key), 1)));
    for refused in ["INSERT ON balances__1 WHEN NEW.key = 'b'", "UPDATE ON es_generations"] {
        raw.execute_batch(&format!("CREATE TRIGGER refuse BEFORE {refused} BEGIN SELECT RAISE(ABORT, 'refused'); END"))
            .unwrap();
        store.begin().unwrap();
        append(&mut store, &command("c1", "account/ada", 1), &[event("account/ada", "Out")]).unwrap();
        let step = store.advance_in_turn(&rows, number, Position(0), Position(1), &changes);
        assert!(matches!(step, Err(StoreError::Damaged(_))), "{step:?}");
        let again = store.advance_in_turn(&rows, number, Position(0), Position(1), &[]);
        assert!(matches!(again, Err(StoreError::Misuse(_))), "{again:?}");
        let more = append(&mut store, &command("c2", "account/ada", 1), &[event("account/ada", "In")]);
        assert!(matches!(more, Err(StoreError::Misuse(_))), "{more:?}");
        let Err(StoreError::Misuse(words)) = store.commit() else { panic!("half a step was committed") };
        assert_eq!(words, "nothing of this turn is stored: something in it failed before");
        assert_eq!(dump(&mut store, &rows), before);
        raw.execute_batch("DROP TRIGGER refuse").unwrap();
    }
    store.begin().unwrap();
    append(&mut store, &command("c1", "account/ada", 1), &[event("account/ada", "Out")]).unwrap();
    store.advance_in_turn(&rows, number, Position(0), Position(1), &changes).unwrap();
    store.commit().unwrap();
    assert_eq!(all_rows(&mut store, &rows, number).len(), 2);
}
