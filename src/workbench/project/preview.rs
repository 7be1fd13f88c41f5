//! What events that are not stored would change in read models: computed aside, and written nowhere.

use super::diff::row_columns;
use super::fill::events_of;
use super::routes::{Routes, Stop};
use super::rows::{self, Rows, Share};
use super::{Freshness, table_of};
use crate::domain::{Domains, Projection};
use crate::event::{Position, Recorded};
use crate::json::{Object, Value};
use crate::store::{Failure, Generation, Row, RowChange, Store, StoreError, Table};
use crate::workbench::change::changes;
use crate::workbench::{Change, Error, PAGE, Workbench};
use std::collections::HashMap;
use std::sync::Arc;

/// The most positions that a read model is brought forward aside: a fraction of a second's work.
pub const MAX_LAG: u64 = 10_000;
/// How often a preview begins again where another process brings the read model up to date meanwhile.
const ATTEMPTS: usize = 10;

/// What events would do to a read model.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The read model.
    pub name: String,
    /// What would become of it.
    pub outcome: Outcome,
}

/// What would become of a read model.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// These rows would change, in the order of the texts of their keys.
    Rows(Vec<RowPreview>),
    /// It would stop, or has stopped, before this event, which it cannot apply.
    Stopped(Failure),
    /// It would have to be brought up to date before, over more than [`MAX_LAG`] positions: that is left to others.
    Behind {
        /// How it stands: never filled, filled by other rules, or behind.
        freshness: Freshness,
        /// Over so many positions.
        lag: u64,
    },
}

/// A row that would change.
#[derive(Debug, Clone, PartialEq)]
pub struct RowPreview {
    /// Its key.
    pub key: Value,
    /// Its columns as they are, by name; `None` where there is no such row.
    pub before: Option<Object>,
    /// As they would be; `None` where the row would be gone.
    pub after: Option<Object>,
    /// What differs, but for the key.
    pub changes: Vec<Change>,
}

impl Workbench {
    /// What events that follow the store's last one would change in the read models that are about them. Where a read model
    /// that goes with the events (`inline: true`) cannot apply one, the events cannot be stored, and that is the error.
    pub(in crate::workbench) fn preview(&mut self, events: &[Recorded]) -> Result<Vec<Preview>, Error> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        let domains = self.domains.clone();
        let mut previews = Vec::new();
        for projection in domains.projections() {
            let routes = Routes::new(&domains, projection);
            let is_about = events.iter().any(|event| routes.of(event).is_some());
            // What goes with all events keeps those back that it is not about, too, while it cannot be brought up to date.
            if !is_about && !projection.inline {
                continue;
            }
            let outcome = preview(&domains, projection, self.store.as_mut(), events)?;
            if is_about {
                previews.push(Preview { name: projection.name.to_string(), outcome });
            }
        }
        Ok(previews)
    }
}

fn preview(
    domains: &Domains,
    projection: &Projection,
    store: &mut dyn Store,
    events: &[Recorded],
) -> Result<Outcome, Error> {
    for _ in 0..ATTEMPTS {
        let served = store.served(&projection.name)?;
        let outcome = match look(domains, projection, store, served.as_ref(), events) {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Failed(failed)) if projection.inline => Err(Error::Script(failed.fault)),
            Err(Stop::Failed(failed)) => Ok(Outcome::Stopped(failed.to_note())),
            Err(Stop::Error(error)) => Err(error),
        };
        // What moved while it was looked at is looked at again.
        if store.served(&projection.name)? == served {
            return outcome;
        }
    }
    Err(StoreError::Overtaken.into())
}

/// Applies in memory what the filling has not seen, and then the events.
fn look(
    domains: &Domains,
    projection: &Projection,
    store: &mut dyn Store,
    served: Option<&Generation>,
    events: &[Recorded],
) -> Result<Outcome, Stop> {
    let end = events.first().map_or(Position(0), |event| Position(event.position.0 - 1));
    let (freshness, filled) = match served {
        None => (Freshness::Never, None),
        Some(served) if served.digest != projection.digest => (Freshness::Stale, None),
        Some(served) => (Freshness::Behind, Some(served)),
    };
    let mut at = filled.map_or(Position(0), |filled| filled.checkpoint);
    let lag = end.0.saturating_sub(at.0);
    let too_far = || match filled.and_then(|filled| filled.stopped.clone()) {
        Some(stopped) => Outcome::Stopped(stopped),
        None => Outcome::Behind { freshness, lag },
    };
    if lag > MAX_LAG {
        return Ok(too_far());
    }
    let table = table_of(projection);
    let mut rows = Rows::new(Routes::new(domains, projection), Share::default(), filled.is_none(), false);
    let (filter, commands) = events_of(domains, projection);
    while at < end {
        let mut page = store.read_all(at, PAGE, commands, &filter)?;
        page.events.retain(|event| event.position <= end);
        at = page.scanned;
        rows.apply(&page.events, None, &mut |keys, each| fetch(&table, filled, store, &keys, each))?;
        if rows.is_full() {
            return Ok(too_far());
        }
    }
    let earlier: HashMap<Arc<str>, RowChange> = rows.take_all_changes().into_iter().collect();
    rows.apply(events, None, &mut |keys, each| fetch(&table, filled, store, &keys, each))?;
    let mut previews = Vec::new();
    for (text, change) in rows.take_all_changes() {
        let (key, after) = match change {
            RowChange::Put(row) => (row.first().cloned().unwrap_or_default(), Some(table.kept(&row))),
            RowChange::Delete(key) => (key, None),
        };
        let before = match earlier.get(&text) {
            Some(RowChange::Put(row)) => Some(table.kept(row)),
            Some(RowChange::Delete(_)) => None,
            None => stored(&table, filled, store, &key)?,
        };
        previews.extend(RowPreview::new(&table, key, before, after));
    }
    Ok(Outcome::Rows(previews))
}

/// Rows as they are in a filling; none where there is no filling.
fn fetch(
    table: &Table,
    filled: Option<&Generation>,
    store: &mut dyn Store,
    keys: &[Value],
    each: &mut dyn FnMut(usize, Option<&Row>),
) -> Result<(), StoreError> {
    let Some(filled) = filled else { return Ok(()) };
    rows::fetch(store, (table, filled.number), keys, each)
}

/// One of them.
fn stored(
    table: &Table,
    filled: Option<&Generation>,
    store: &mut dyn Store,
    key: &Value,
) -> Result<Option<Row>, StoreError> {
    let mut found = None;
    fetch(table, filled, store, std::slice::from_ref(key), &mut |_, row| found = row.cloned())?;
    Ok(found)
}

impl RowPreview {
    /// A row as it is and as it would be; `None` where that is the same.
    fn new(table: &Table, key: Value, before: Option<Row>, after: Option<Row>) -> Option<Self> {
        let named = |row: Row| row_columns(table, row);
        let (before, after) = (before.map(named), after.map(named));
        let rest = |row: &Option<Object>| Value::Object(row.iter().flatten().skip(1).map(owned).collect());
        let mut differences = changes(&rest(&before), &rest(&after));
        if before.is_none() || after.is_none() {
            // In a row that comes or goes, columns without a value say nothing.
            let is_value = |side: &Option<Value>| side.as_ref().is_some_and(|value| *value != Value::Null);
            differences.retain(|change| is_value(&change.before) || is_value(&change.after));
        }
        let is_same = differences.is_empty() && before.is_some() == after.is_some();
        (!is_same).then_some(Self { key, before, after, changes: differences })
    }
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}
