//! What differs between two fillings of a read model, row by row.

use super::fill::Manner;
use super::{Progress, projection_of, table_of};
use crate::event::{Moment, Position, Time};
use crate::json::{Object, Value};
use crate::store::{Row, RowFilter, Store, StoreError, Table};
use crate::workbench::change::changes;
use crate::workbench::{Change, Error, PAGE, Workbench};
use std::ops::ControlFlow;

/// A read model at two moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsDiff {
    /// Its table.
    pub table: Table,
    /// The one moment.
    pub from: End,
    /// The other.
    pub to: End,
}

/// A read model at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The last position that its rows have seen; 0 is before the first event.
    pub position: Position,
    /// The time of the event there.
    pub time: Option<Time>,
    /// The number of the filling.
    generation: u64,
}

/// A row that is not the same at both moments.
#[derive(Debug, Clone, PartialEq)]
pub struct RowDiffers {
    /// Its key.
    pub key: Value,
    /// What became of it.
    pub how: How,
    /// What differs, column by column: of a row that came or went all of it.
    pub changes: Vec<Change>,
}

/// What became of something between two moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was not there, and is.
    Added,
    /// It is another.
    Changed,
    /// It was there, and is not.
    Removed,
}

impl Workbench {
    /// Computes a read model as it was at two moments, from the events up to each, into two empty stores; without a second
    /// moment that is now. Events that the read model goes on past today are gone past here too.
    pub fn project_diff(
        &mut self,
        name: &str,
        (from, to): (Moment, Option<Moment>),
        (first, second): (&mut dyn Store, &mut dyn Store),
        progress: &mut dyn FnMut(Progress),
    ) -> Result<RowsDiff, Error> {
        let domains = self.domains.clone();
        let projection = projection_of(&domains, name)?;
        let served = self.store.served(name)?.filter(|served| served.digest == projection.digest);
        let manner = Manner { park: served.is_some_and(|served| served.parked > 0), ..Manner::default() };
        let from = self.position_at(from)?;
        let to = match to {
            Some(to) => self.position_at(to)?,
            None => self.store.head()?.position,
        };
        let mut end = |position, aside| {
            let generation = self.project_past(name, Moment::Position(position), manner, aside, progress)?;
            Ok::<_, Error>(End { position, time: self.event_at(position)?.map(|event| event.time), generation })
        };
        Ok(RowsDiff { from: end(from, first)?, to: end(to, second)?, table: table_of(projection) })
    }
}

impl RowsDiff {
    /// Hands over each row that differs, from the stores that they were computed into: by key, those that came after the
    /// others.
    pub fn rows(
        &self,
        (first, second): (&mut dyn Store, &mut dyn Store),
        each: &mut dyn FnMut(RowDiffers) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let fillings = ((&self.table, self.from.generation), (&self.table, self.to.generation));
        let compared = compare((first, second), fillings, &mut |pair| {
            let (old, new) = match pair {
                Pair::Both(old, new) if old == new => return ControlFlow::Continue(()),
                Pair::Both(old, new) => (Some(old), Some(new)),
                Pair::First(old) => (Some(old), None),
                Pair::Second(new) => (None, Some(new)),
            };
            let how = match (&old, &new) {
                (None, _) => How::Added,
                (_, None) => How::Removed,
                _ => How::Changed,
            };
            let key = old.iter().chain(&new).find_map(|row| row.first()).cloned().unwrap_or_default();
            let (old, new) = (old.map(|row| row_value(&self.table, row)), new.map(|row| row_value(&self.table, row)));
            let changes = row_changes(old.as_ref(), new.as_ref());
            if changes.is_empty() { ControlFlow::Continue(()) } else { each(RowDiffers { key, how, changes }) }
        });
        Ok(compared?)
    }
}

/// A row as data: its values under the names of its columns, in their order.
pub(in crate::workbench) fn row_value(table: &Table, row: Row) -> Value {
    Value::Object(row_columns(table, row))
}

/// The values of a row under the names of its columns, in their order.
pub(super) fn row_columns(table: &Table, row: Row) -> Object {
    table.columns.iter().map(|column| column.name.to_string()).zip(row).collect()
}

/// What differs between two rows as data, or between one and none, column by column.
pub(in crate::workbench) fn row_changes(old: Option<&Value>, new: Option<&Value>) -> Vec<Change> {
    let nothing = Value::Object(Object::new());
    changes(old.unwrap_or(&nothing), new.unwrap_or(&nothing))
}

/// The rows with one key in two fillings.
pub(in crate::workbench) enum Pair {
    /// Both have one.
    Both(Row, Row),
    /// Only the first has one.
    First(Row),
    /// Only the second has one.
    Second(Row),
}

/// A filling in a store: its table and its number.
pub(in crate::workbench) type Filled<'t> = (&'t Table, u64);

/// Goes through the rows of two fillings, each in a store: by key through those of the first, then through those that only
/// the second has. Their tables may differ but for the type of the key.
pub(in crate::workbench) fn compare(
    (first, second): (&mut dyn Store, &mut dyn Store),
    (one, two): (Filled<'_>, Filled<'_>),
    each: &mut dyn FnMut(Pair) -> ControlFlow<()>,
) -> Result<(), StoreError> {
    let mut both = 0;
    let gone_through = each_page(first, one, &mut |rows, keys| {
        for (row, other) in rows.into_iter().zip(second.rows(two.0, two.1, &keys)?) {
            both += u64::from(other.is_some());
            let pair = if let Some(other) = other { Pair::Both(row, other) } else { Pair::First(row) };
            if each(pair).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    })?;
    if gone_through.is_break() || second.count(two.1)? == both {
        return Ok(());
    }
    let _ = each_page(second, two, &mut |rows, keys| {
        let pairs = rows.into_iter().zip(first.rows(one.0, one.1, &keys)?);
        Ok(pairs.filter(|(_, other)| other.is_none()).try_for_each(|(row, _)| each(Pair::Second(row))))
    })?;
    Ok(())
}

/// Rows of a filling page by page, by key, with their keys.
fn each_page(
    store: &mut dyn Store,
    (table, generation): Filled<'_>,
    each: &mut dyn FnMut(Vec<Row>, Vec<Value>) -> Result<ControlFlow<()>, StoreError>,
) -> Result<ControlFlow<()>, StoreError> {
    let mut filter = RowFilter { key: None, after: None, limit: PAGE };
    loop {
        let rows = store.select(table, generation, &filter)?;
        let done = rows.len() < PAGE;
        let keys: Vec<Value> = rows.iter().filter_map(|row| row.first().cloned()).collect();
        filter.after = keys.last().cloned();
        if each(rows, keys)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if done {
            return Ok(ControlFlow::Continue(()));
        }
    }
}
