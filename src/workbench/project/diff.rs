//! What differs between two fillings of a read model, row by row.

use crate::json::{Object, Value};
use crate::store::{Row, RowFilter, Store, StoreError, Table};
use crate::workbench::change::changes;
use crate::workbench::{Change, PAGE};
use std::ops::ControlFlow;

/// A row as data: its values under the names of its columns, in their order.
pub(in crate::workbench) fn row_value(table: &Table, row: Row) -> Value {
    Value::Object(table.columns.iter().map(|column| column.name.to_string()).zip(row).collect())
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
