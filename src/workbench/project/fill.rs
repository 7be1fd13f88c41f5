//! Filling a read model: events page by page, their rows in memory, rows and checkpoint together.

use super::Progress;
use crate::domain::{Aggregate, Domains, Handler, Projection};
use crate::event::{Position, Recorded};
use crate::json::{Object, Value};
use crate::script::Fault;
use crate::script::fold::Payload;
use crate::script::project::{Handled, Projected};
use crate::store::{EventFilter, Generation, Row, RowChange, Store, StoreError, Table};
use crate::workbench::{Error, meta};
use std::collections::HashMap;

/// How many events are applied between two commits of a rebuild.
const STRIDE: usize = 10_000;
/// The most rows that are held between two pages.
const MAX_ROWS: usize = 100_000;
/// What a thread may hold before it drops the rows it keeps, in bytes.
const MAX_HELD: isize = 48 * 1024 * 1024;

/// How far one run over the log came.
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

/// A read model and where it is filled.
pub(super) struct Filling<'p> {
    pub(super) projection: &'p Projection,
    pub(super) table: &'p Table,
    pub(super) generation: &'p Generation,
    /// The last position to apply, if not that of the store.
    pub(super) until: Option<Position>,
}

impl Filling<'_> {
    /// Applies what the generation has not seen, page by page, rows and checkpoint together.
    pub(super) fn run(
        &self,
        domains: &Domains,
        places: &mut Places<'_>,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Run, Error> {
        let kinds = self.projection.handlers.keys().cloned().collect();
        let filter = EventFilter { kinds: Some(kinds), ..EventFilter::default() };
        let commands = reads_commands(self.projection);
        let mut rows = Rows::new(self.projection, self.table, self.generation.number);
        let mut run = Run { events: 0, position: self.generation.checkpoint };
        loop {
            let mut page = places.log.read_all(run.position, STRIDE, commands, &filter)?;
            if let Some(until) = self.until
                && page.scanned >= until
            {
                page.events.retain(|event| event.position <= until);
                (page.scanned, page.done) = (until, true);
            }
            let applied = rows.apply_page(domains, places.rows(), &page.events);
            let to = match &applied {
                Ok(()) => page.scanned,
                // It stops before the event it cannot apply; what came before it stays applied.
                Err((before, _)) => Position(before.0 - 1),
            };
            let changes = rows.take_changes();
            if to > run.position {
                places.rows().advance(self.table, self.generation.number, run.position, to, &changes)?;
                run.position = to;
            }
            applied.map_err(|(_, error)| error)?;
            run.events += page.events.len() as u64;
            progress(Progress { done: run.position, total: run.position.max(page.scanned) });
            if page.done {
                return Ok(run);
            }
        }
    }
}

/// Rows in memory: those that the events of a page touch, and those of earlier pages while there is room.
struct Rows<'p> {
    projection: &'p Projection,
    table: &'p Table,
    generation: u64,
    /// By the text of the key; `None`: there is no such row.
    held: HashMap<String, Held>,
    /// Keys changed since the last commit, in the order of their first change.
    changed: Vec<String>,
}

struct Held {
    key: Value,
    row: Option<Row>,
    changed: bool,
}

impl<'p> Rows<'p> {
    fn new(projection: &'p Projection, table: &'p Table, generation: u64) -> Self {
        Self { projection, table, generation, held: HashMap::new(), changed: Vec::new() }
    }

    /// Applies events in order; an error comes with the position of its event.
    fn apply_page(
        &mut self,
        domains: &Domains,
        store: &mut dyn Store,
        events: &[Recorded],
    ) -> Result<(), (Position, Error)> {
        let mut todo = Vec::with_capacity(events.len());
        let mut failed = None;
        for event in events {
            match self.prepare(domains, event) {
                Ok(prepared) => todo.push(prepared),
                Err(error) => {
                    failed = Some((event.position, error));
                    break;
                }
            }
        }
        if let (Err(error), Some(first)) = (self.fetch(store, &todo), events.first()) {
            return Err((first.position, error.into()));
        }
        for (event, prepared) in events.iter().zip(todo) {
            self.apply(domains, event, &prepared).map_err(|error| (event.position, error))?;
        }
        failed.map_or(Ok(()), Err)
    }

    /// The keys of an event and its values, ready for the handler.
    fn prepare(&self, domains: &Domains, event: &Recorded) -> Result<Prepared<'p>, Error> {
        let place = (Box::from(event.stream.aggregate()), Box::from(&*event.kind));
        let Some(handler) = self.projection.handlers.get(&place) else {
            return Ok(Prepared { handler: None, keys: Vec::new() });
        };
        let aggregate = domains.aggregate(event.stream.aggregate());
        let Some(kind) = aggregate.and_then(|aggregate: &Aggregate| aggregate.events.get(&*event.kind)) else {
            return Ok(Prepared { handler: None, keys: Vec::new() });
        };
        let payload = Payload::read(&event.data, &kind.shape).map_err(|problem| {
            StoreError::Damaged(format!("the payload of event @{} cannot be read: {problem}", event.position))
        })?;
        let projected = Projected::new(payload, &handler.key, &handler.script, || meta::of_event(event, true));
        let keys = domains.host.keys(&handler.key, &projected).map_err(|fault| self.situation(fault, event))?;
        let mut typed = Vec::with_capacity(keys.len());
        for key in keys {
            let fits = self.projection.columns.iter().next().map(|column| column.kind.accept(key.clone()));
            match fits {
                Some(Ok(key)) => typed.push((key.to_string(), key)),
                Some(Err(problems)) => {
                    let why = problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; ");
                    let text = handler.key.text();
                    let message =
                        format!("the key {key} does not fit the column `{}`: {why}", self.projection.key_column());
                    return Err(self.situation(Fault::new(message, text.whole()), event).into());
                }
                None => {}
            }
        }
        typed.dedup_by(|a, b| a.0 == b.0);
        Ok(Prepared { handler: Some((handler, projected)), keys: typed })
    }

    /// Reads the rows that are not held, all at once.
    fn fetch(&mut self, store: &mut dyn Store, todo: &[Prepared<'_>]) -> Result<(), StoreError> {
        if self.held.len() > MAX_ROWS || crate::script::memory::held() > MAX_HELD {
            self.held.clear();
        }
        let mut wanted: Vec<(String, Value)> = Vec::new();
        for (text, key) in todo.iter().flat_map(|prepared| &prepared.keys) {
            if !self.held.contains_key(text) {
                self.held.insert(text.clone(), Held { key: key.clone(), row: None, changed: false });
                wanted.push((text.clone(), key.clone()));
            }
        }
        let keys: Vec<Value> = wanted.iter().map(|(_, key)| key.clone()).collect();
        let rows = store.rows(self.table, self.generation, &keys)?;
        for ((text, _), row) in wanted.into_iter().zip(rows) {
            if let Some(held) = self.held.get_mut(&text) {
                held.row = row;
            }
        }
        Ok(())
    }

    fn apply(&mut self, domains: &Domains, event: &Recorded, prepared: &Prepared<'_>) -> Result<(), Error> {
        let Some((handler, projected)) = &prepared.handler else { return Ok(()) };
        for (text, key) in &prepared.keys {
            let Some(held) = self.held.get_mut(text) else { continue };
            let exists = held.row.is_some();
            let row = match held.row.take() {
                Some(values) => self.projection.columns.iter().map(|c| c.name.clone()).zip(values).collect(),
                None => new_row(self.projection, key),
            };
            let outcome = domains.host.handle(&handler.script, projected, key, row, exists);
            let situation = |fault: Fault| {
                fault.while_doing(|| {
                    format!(
                        "while projecting `{}` of `{}` (@{}) into row {key} of `{}`",
                        event.kind, event.stream, event.position, self.projection.name
                    )
                })
            };
            let after = match outcome.map_err(situation)? {
                Handled::Deleted => None,
                Handled::Row(row) => Some(self.projection.settle(key, row).map_err(|problems| {
                    let text = handler.script.text();
                    situation(Fault::new(problems.join("; "), text.whole()))
                })?),
            };
            if !held.changed {
                held.changed = true;
                self.changed.push(text.clone());
            }
            held.row = after;
        }
        Ok(())
    }

    fn situation(&self, fault: Fault, event: &Recorded) -> Fault {
        fault.while_doing(|| {
            format!(
                "while projecting `{}` of `{}` (@{}) into `{}`",
                event.kind, event.stream, event.position, self.projection.name
            )
        })
    }

    fn take_changes(&mut self) -> Vec<RowChange> {
        let keys = std::mem::take(&mut self.changed);
        let mut changes = Vec::with_capacity(keys.len());
        for text in keys {
            if let Some(held) = self.held.get_mut(&text) {
                held.changed = false;
                changes.push(match &held.row {
                    Some(row) => RowChange::Put(row.clone()),
                    None => RowChange::Delete(held.key.clone()),
                });
            }
        }
        changes
    }
}

/// An event with the keys of its rows.
struct Prepared<'p> {
    handler: Option<(&'p Handler, Projected)>,
    keys: Vec<(String, Value)>,
}

fn new_row(projection: &Projection, key: &Value) -> Object {
    let mut row = projection.initial.clone();
    row.insert(projection.key_column().to_owned(), key.clone());
    row
}

/// Whether a script looks at what only the command knows.
fn reads_commands(projection: &Projection) -> bool {
    projection
        .handlers
        .values()
        .any(|handler| handler.key.facts().reads_command_meta() || handler.script.facts().reads_command_meta())
}
