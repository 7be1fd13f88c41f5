//! The store's contract, run on every store; what only the SQLite file promises; faults; random operations.

mod contract;
mod faults;
mod file;
mod follow;
mod generations;
mod log;
mod model;
mod parts;
mod past;
mod process_file;
mod process_model;
mod processes;
mod snapshots;

use esctl::event::{Command, NewEvent, Position, Recorded, StreamName, Time};
use esctl::json::Value;
use esctl::store::memory::MemoryStore;
use esctl::store::sqlite::{Access, Options, SqliteStore};
use esctl::store::{
    Appended, Column, ColumnKind, Deadline, Decision, DomainUse, EventFilter, Failure, Generation, Instance, Outgoing,
    ProcessChange, ProcessInfo, Rejected, Row, RowFilter, Step, StepKind, Store, StoreError, Table, Tally, Waiting,
};
use faults::FailingStore;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The identity of the stores under test; the same for all, so that their hashes can be compared.
pub const ID: &str = "0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3";

/// A store under test that can be closed and opened again.
pub struct Subject {
    folder: Option<TempDir>,
    wrapped: bool,
    store: Option<Box<dyn Store>>,
}

impl Subject {
    pub fn memory() -> Self {
        Self { folder: None, wrapped: false, store: Some(Box::new(MemoryStore::new(ID))) }
    }

    pub fn sqlite() -> Self {
        let mut subject = Self { folder: Some(tempfile::tempdir().unwrap()), wrapped: false, store: None };
        subject.reopen();
        subject
    }

    /// A store behind the wrapper that the tests of faults use, here without a fault.
    pub fn wrapped() -> Self {
        let mut subject = Self { wrapped: true, ..Self::sqlite() };
        subject.reopen();
        subject
    }

    pub fn store(&mut self) -> &mut dyn Store {
        self.store.as_deref_mut().unwrap()
    }

    /// Closes and opens again, as the next process would.
    pub fn reopen(&mut self) {
        let Some(folder) = &self.folder else {
            self.store().rollback();
            return;
        };
        drop(self.store.take());
        let store: Box<dyn Store> = Box::new(open(&folder.path().join("esctl.db")));
        self.store = Some(if self.wrapped { Box::new(FailingStore::harmless(store)) } else { store });
    }
}

/// Opens or makes a store in a file.
pub fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, Options::new(Access::Create(ID.into()))).unwrap()
}

/// A folder and a file in it that does not exist yet.
pub fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("esctl.db");
    (folder, path)
}

pub fn stream(name: &str) -> StreamName {
    name.parse().unwrap()
}

pub fn at(micros: i64) -> Time {
    Time::from_micros(micros).unwrap()
}

/// A command to that stream.
pub fn command(id: &str, to: &str, time: i64) -> Command {
    Command {
        id: id.into(),
        stream: stream(to),
        name: "Do".into(),
        data: format!("{{\"by\":\"{id}\"}}").into(),
        actor: Some("ada".into()),
        correlation: None,
        causation: Some("@1".into()),
        meta: None,
        time: at(time),
        domain: "digest-1".into(),
    }
}

/// An event of that type to that stream.
pub fn event(to: &str, kind: &str) -> NewEvent {
    NewEvent { stream: stream(to), kind: kind.into(), schema: 1, data: format!("{{\"kind\":\"{kind}\"}}").into() }
}

/// Appends what a command gave, within a turn that the caller began.
pub fn append(store: &mut dyn Store, command: &Command, events: &[NewEvent]) -> Result<Appended, StoreError> {
    store.append(&Decision { command, domain_text: "text of the domain", events })
}

/// A turn of one command; its events are (stream, type), its own stream is that of the first.
pub fn send(store: &mut dyn Store, id: &str, time: i64, events: &[(&str, &str)]) -> Appended {
    let events: Vec<_> = events.iter().map(|(to, kind)| event(to, kind)).collect();
    store.begin().unwrap();
    let appended = append(store, &command(id, events[0].stream.as_str(), time), &events).unwrap();
    store.commit().unwrap();
    appended
}

/// All events with their commands.
pub fn everything(store: &mut dyn Store) -> Vec<Recorded> {
    let page = store.read_all(Position(0), usize::MAX, true, &EventFilter::default()).unwrap();
    assert!(page.done);
    page.events
}

/// A table with a column of each kind.
pub fn table(name: &str, key: ColumnKind, digest: &str) -> Table {
    let column = |name: &str, kind| Column { name: name.into(), kind };
    Table {
        name: name.into(),
        columns: vec![
            column("key", key),
            column("count", ColumnKind::Integer),
            column("amount", ColumnKind::Decimal),
            column("order", ColumnKind::Text),
            column("open", ColumnKind::Boolean),
            column("lines", ColumnKind::Json),
        ],
        indexes: vec![vec!["count".into()], vec!["order".into(), "amount".into()]],
        digest: digest.into(),
    }
}

/// All rows of a generation.
pub fn all_rows(store: &mut dyn Store, table: &Table, generation: u64) -> Vec<Row> {
    store.select(table, generation, &RowFilter { key: None, after: None, limit: usize::MAX }).unwrap()
}

/// Everything that can be read out of a store, as text to compare.
pub fn dump(store: &mut dyn Store, table: &Table) -> String {
    let mut text = format!("{:?}\n", store.head().unwrap());
    for event in everything(store) {
        writeln!(text, "{event:?}").unwrap();
        let id = &event.command.unwrap().id;
        writeln!(text, "{:?}", store.command(id).unwrap()).unwrap();
    }
    writeln!(text, "{:?}", store.streams(None, usize::MAX).unwrap()).unwrap();
    for info in store.streams(None, usize::MAX).unwrap() {
        for kept in store.snapshots(&info.name, None, usize::MAX).unwrap() {
            let found = store.snapshot(&info.name, &kept.digest, kept.version).unwrap();
            writeln!(text, "{kept:?} {found:?}").unwrap();
        }
    }
    let generations: Vec<Generation> = store.generations().unwrap();
    for generation in generations {
        let table = Table { name: generation.projection.clone(), ..table.clone() };
        let parked = store.parked(generation.number, Position(0), usize::MAX).unwrap();
        writeln!(text, "{generation:?} {:?} {parked:?}", all_rows(store, &table, generation.number)).unwrap();
    }
    text.push_str(&process_dump(store));
    text
}

/// Everything that can be read of processes, as text to compare.
pub fn process_dump(store: &mut dyn Store) -> String {
    let mut text = String::new();
    let mut after = 0;
    while let Some(next) = store.outgoing(after).unwrap() {
        after = next.number;
        writeln!(text, "{next:?}").unwrap();
    }
    for rejected in store.rejections(0, usize::MAX).unwrap() {
        let last = store.rejection(rejected.step.command.as_deref().unwrap()).unwrap();
        writeln!(text, "{rejected:?} {last:?}").unwrap();
    }
    for (info, tally) in store.processes().unwrap() {
        let name = &info.name;
        assert_eq!(store.process(name).unwrap().as_ref(), Some(&info));
        let next = (store.waiting(name).unwrap(), store.deadline(name).unwrap());
        writeln!(text, "{info:?} {tally:?} {next:?}").unwrap();
        for instance in store.instances(name, None, usize::MAX).unwrap() {
            let key = &instance.key;
            assert_eq!(store.instance(name, key).unwrap().as_ref(), Some(&instance));
            writeln!(text, "{instance:?}").unwrap();
            writeln!(text, "{:?}", store.steps(name, key, 0, usize::MAX).unwrap()).unwrap();
            writeln!(text, "{:?}", store.outgoing_of(name, key).unwrap()).unwrap();
            writeln!(text, "{:?}", store.waiting_of(name, key, usize::MAX).unwrap()).unwrap();
            writeln!(text, "{:?}", store.deadlines_of(name, key).unwrap()).unwrap();
        }
    }
    text
}

pub fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub fn decimal(text: &str) -> Value {
    Value::Decimal(text.parse().unwrap())
}

/// What is noted of an event that could not be applied.
pub fn failure(position: u64) -> Failure {
    let error = format!("no {position}").into();
    Failure { position: Position(position), key: Some(text("ada")), error, place: Some("bank.yaml:1:2".into()) }
}

/// A row of [`table`] with that key.
pub fn row(key: Value, count: i64) -> Row {
    vec![key, Value::Integer(count), decimal("25.10"), text("a"), Value::Bool(true), Value::Null]
}
