//! Read models: tables kept up to date from events, rebuilt beside and swapped.

use super::{Error, Misfit, PAGE, Workbench, meta};
use crate::domain::fields::Type;
use crate::domain::{Aggregate, Domains, Handler, Projection};
use crate::event::{Position, Recorded, Time};
use crate::json::{Object, Value};
use crate::script::Fault;
use crate::script::fold::Payload;
use crate::script::project::{Handled, Projected};
use crate::store::{Column, ColumnKind, EventFilter, Generation, Row, RowChange, RowFilter, Store, StoreError, Table};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::rc::Rc;

/// How many events are applied between two commits of a rebuild.
const STRIDE: usize = 10_000;
/// The most rows that are held between two pages.
const MAX_ROWS: usize = 100_000;
/// What a thread may hold before it drops the rows it keeps, in bytes.
const MAX_HELD: isize = 48 * 1024 * 1024;

/// A read model as its domain declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionInfo {
    /// Its name.
    pub name: String,
    /// The domain it is declared in.
    pub domain: String,
    /// What it shows.
    pub description: String,
    /// Its columns with the names of their types; the first is the key.
    pub columns: Vec<(String, String)>,
    /// The events it has handlers for, as `account.Opened`, sorted.
    pub events: Vec<String>,
}

/// How a read model stands to its rules and to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It has seen every event.
    Current,
    /// There are events it has not seen.
    Behind,
    /// Its rules have changed since it was built.
    Stale,
    /// It was never built.
    Never,
}

/// A line of `project status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionStatus {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub freshness: Freshness,
    /// The last position it has seen.
    pub checkpoint: Position,
    /// The last position of the store.
    pub head: Position,
    /// How many positions it is behind.
    pub lag: u64,
    /// How many rows it has.
    pub rows: u64,
    /// The digest of its rules as they are now.
    pub digest: String,
    /// When its table was put in service.
    pub since: Option<Time>,
    /// How far a rebuild has come that did not end.
    pub building: Option<Position>,
}

/// How far a rebuild or catch-up has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The last position seen.
    pub done: Position,
    /// The position to reach.
    pub total: Position,
}

/// What a rebuild did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The read model.
    pub name: String,
    /// How many events were applied.
    pub events: u64,
    /// How many rows it has.
    pub rows: u64,
    /// The last position it has seen.
    pub position: Position,
    /// It went on where an earlier rebuild had been stopped.
    pub resumed: bool,
}

/// A column as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// Whether it holds numbers, which are shown aligned.
    pub numeric: bool,
}

/// How far one run over the log came.
struct Run {
    events: u64,
    position: Position,
}

impl Workbench {
    /// The read models of the domain.
    pub fn projections(&self) -> Vec<ProjectionInfo> {
        let info = |projection: &Projection| {
            let mut events: Vec<String> = projection.handlers.keys().map(|(a, e)| format!("{a}.{e}")).collect();
            events.sort_unstable();
            ProjectionInfo {
                name: projection.name.to_string(),
                domain: self.domains.files()[projection.file].name.to_string(),
                description: projection.description.clone(),
                columns: projection.columns.iter().map(|c| (c.name.clone(), word(&c.kind).to_owned())).collect(),
                events,
            }
        };
        self.domains.projections().map(info).collect()
    }

    /// The columns of a read model, in order.
    pub fn project_columns(&self, name: &str) -> Result<Vec<ColumnInfo>, Error> {
        let projection = projection_of(&self.domains, name)?;
        let numeric = |kind: &Type| matches!(kind, Type::Integer(_) | Type::Decimal(_));
        Ok(projection.columns.iter().map(|c| ColumnInfo { name: c.name.clone(), numeric: numeric(&c.kind) }).collect())
    }

    /// How every read model stands. Nothing is caught up.
    pub fn project_status(&mut self) -> Result<Vec<ProjectionStatus>, Error> {
        let domains = self.domains.clone();
        let head = self.store.head()?.position;
        let generations = self.store.generations()?;
        let mut statuses = Vec::new();
        for projection in domains.projections() {
            let of =
                |served: bool| generations.iter().find(move |g| g.projection == projection.name && g.served == served);
            let (served, building) = (of(true), of(false));
            let checkpoint = served.map_or(Position(0), |g| g.checkpoint);
            let rows = match served {
                Some(generation) => self.store.count(generation.number)?,
                None => 0,
            };
            let freshness = match served {
                None => Freshness::Never,
                Some(generation) if generation.digest != projection.digest => Freshness::Stale,
                Some(generation) if generation.checkpoint < head => Freshness::Behind,
                Some(_) => Freshness::Current,
            };
            statuses.push(ProjectionStatus {
                name: projection.name.to_string(),
                freshness,
                checkpoint,
                head,
                lag: head.0 - checkpoint.0,
                rows,
                digest: projection.digest.to_string(),
                since: served.and_then(|generation| generation.since),
                building: building.map(|generation| generation.checkpoint),
            });
        }
        Ok(statuses)
    }

    /// Builds a read model anew beside the one that is served, and swaps them when it is complete.
    pub fn project_rebuild(
        &mut self,
        name: &str,
        now: Time,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Rebuilt, Error> {
        let domains = self.domains.clone();
        let projection = projection_of(&domains, name)?;
        let table = table_of(projection);
        loop {
            let generation = self.store.build(&table)?;
            let resumed = generation.checkpoint > Position(0);
            let built = self.apply(&domains, projection, &table, &generation, progress).and_then(|run| {
                self.store.serve(&table, generation.number, now)?;
                Ok(run)
            });
            match built {
                Ok(run) => {
                    let rows = self.store.count(generation.number)?;
                    return Ok(Rebuilt {
                        name: name.to_owned(),
                        events: run.events,
                        rows,
                        position: run.position,
                        resumed,
                    });
                }
                // Another process is building the same: look again how far it is.
                Err(Error::Store(StoreError::Overtaken)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Brings a read model up to date: what is missing is applied; one that was never built, or by other rules, is
    /// built. Gives the position it has reached.
    pub fn project_catch_up(
        &mut self,
        name: &str,
        now: Time,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Position, Error> {
        let domains = self.domains.clone();
        let projection = projection_of(&domains, name)?;
        let table = table_of(projection);
        loop {
            let Some(generation) = self.store.served(name)?.filter(|g| g.digest == projection.digest) else {
                return Ok(self.project_rebuild(name, now, progress)?.position);
            };
            if generation.checkpoint == self.store.head()?.position {
                return Ok(generation.checkpoint);
            }
            match self.apply(&domains, projection, &table, &generation, progress) {
                Ok(run) => return Ok(run.position),
                // Somebody else is catching up as well: look again how far it is.
                Err(Error::Store(StoreError::Overtaken)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Hands over rows, ordered by key, as they are. `key` is read by the type of the key column.
    pub fn project_rows(
        &mut self,
        name: &str,
        key: Option<&str>,
        limit: Option<u64>,
        each: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let domains = self.domains.clone();
        let projection = projection_of(&domains, name)?;
        let table = table_of(projection);
        let Some(generation) = self.store.served(name)? else { return Ok(()) };
        let key = match (key, projection.columns.iter().next()) {
            (Some(text), Some(column)) => Some(column.kind.read(text).map_err(Misfit::new)?),
            _ => None,
        };
        let mut left = limit.unwrap_or(u64::MAX);
        let mut filter = RowFilter { key, after: None, limit: PAGE };
        while left > 0 {
            filter.limit = usize::try_from(left).map_or(PAGE, |left| left.min(PAGE));
            let rows = self.store.select(&table, generation.number, &filter)?;
            let done = rows.len() < filter.limit || filter.key.is_some();
            left -= (rows.len() as u64).min(left);
            filter.after = rows.last().and_then(|row| row.first().cloned());
            for row in rows {
                if each(row).is_break() {
                    return Ok(());
                }
            }
            if done {
                break;
            }
        }
        Ok(())
    }

    /// Applies what a generation has not seen, page by page, rows and checkpoint together.
    fn apply(
        &mut self,
        domains: &Rc<Domains>,
        projection: &Projection,
        table: &Table,
        generation: &Generation,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Run, Error> {
        let filter =
            EventFilter { kinds: Some(projection.handlers.keys().cloned().collect()), ..EventFilter::default() };
        let commands = reads_commands(projection);
        let mut rows = Rows::new(projection, table, generation.number);
        let mut run = Run { events: 0, position: generation.checkpoint };
        loop {
            let page = self.store.read_all(run.position, STRIDE, commands, &filter)?;
            let applied = rows.apply_page(domains, self.store.as_mut(), &page.events);
            let to = match &applied {
                Ok(()) => page.scanned,
                // It stops before the event it cannot apply; what came before it stays applied.
                Err((before, _)) => Position(before.0 - 1),
            };
            let changes = rows.take_changes();
            if to > run.position {
                self.store.advance(table, generation.number, run.position, to, &changes)?;
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

/// A read model of the domain, or what to say where there is none.
fn projection_of<'d>(domains: &'d Domains, name: &str) -> Result<&'d Projection, Misfit> {
    domains.projection(name).ok_or_else(|| {
        let misfit = Misfit::new(format!("there is no projection `{name}`"));
        match domains.projection_like(name) {
            Some(near) => misfit.hint(format!("did you mean `{near}`?")),
            None => {
                let all: Vec<String> = domains.projections().map(|p| format!("`{}`", p.name)).collect();
                if all.is_empty() {
                    misfit.hint("the domain declares none")
                } else {
                    misfit.hint(format!("there is {}", all.join(", ")))
                }
            }
        }
    })
}

/// The table of a read model, as the store needs to know it.
fn table_of(projection: &Projection) -> Table {
    let columns = projection
        .columns
        .iter()
        .map(|column| Column { name: column.name.as_str().into(), kind: column_kind(&column.kind) });
    Table {
        name: projection.name.clone(),
        columns: columns.collect(),
        indexes: projection.indexes.clone(),
        digest: projection.digest.clone(),
    }
}

fn column_kind(kind: &Type) -> ColumnKind {
    match kind {
        Type::Integer(_) => ColumnKind::Integer,
        Type::Decimal(_) => ColumnKind::Decimal,
        Type::Boolean => ColumnKind::Boolean,
        Type::Text(_) | Type::Date | Type::Timestamp | Type::Uuid => ColumnKind::Text,
        Type::OneOf(members) if members.iter().all(|m| matches!(m, Value::Text(_))) => ColumnKind::Text,
        Type::OneOf(_) | Type::Any | Type::List(_) | Type::Object(_) => ColumnKind::Json,
    }
}

/// A column's type as a domain file names it.
fn word(kind: &Type) -> &'static str {
    match kind {
        Type::Text(_) => "string",
        Type::Integer(_) => "integer",
        Type::Decimal(_) => "decimal",
        Type::Boolean => "boolean",
        Type::Date => "date",
        Type::Timestamp => "timestamp",
        Type::Uuid => "uuid",
        Type::Any => "any",
        Type::List(_) => "list",
        Type::Object(_) => "object",
        Type::OneOf(_) => "one_of",
    }
}
