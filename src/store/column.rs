//! What a value becomes in a column of a read model, and how keys sort.

use super::{Column, ColumnKind, RowChange, StoreError, Table};
use crate::json::{self, Value};
use rust_decimal::Decimal;
use std::borrow::Cow;
use std::cmp::Ordering;

/// A value as SQL keeps it.
#[derive(Debug, Clone)]
pub(super) enum Kept<'a> {
    /// Absent.
    Null,
    /// A whole number, also one of a decimal column; 0 or 1 of a boolean column.
    Integer(i64),
    /// A decimal that a 64-bit float gives back exactly, and that float.
    Real(Decimal, f64),
    /// A text; a decimal that needs more than 15 significant digits; JSON.
    Text(Cow<'a, str>),
}

/// A decimal of up to so many significant digits survives a 64-bit float.
const FLOAT_DIGITS: u32 = 15;

/// A value as it comes back from a column.
pub(super) fn normal(kind: ColumnKind, value: &Value) -> Value {
    match (kind, value) {
        (ColumnKind::Decimal, Value::Integer(n)) => Value::Decimal((*n).into()),
        (ColumnKind::Decimal, Value::Decimal(d)) => Value::Decimal(d.normalize()),
        (ColumnKind::Json, value) => {
            let mut text = String::new();
            json::write(value, &mut text);
            json::parse(&text).unwrap_or_else(|_| value.clone())
        }
        (_, value) => value.clone(),
    }
}

/// Turns a value into what is kept of it in that column.
pub(super) fn keep<'a>(column: &Column, value: &'a Value) -> Result<Kept<'a>, StoreError> {
    Ok(match (column.kind, value) {
        (_, Value::Null) => Kept::Null,
        (ColumnKind::Integer | ColumnKind::Decimal, Value::Integer(n)) => Kept::Integer(*n),
        (ColumnKind::Decimal, Value::Decimal(d)) => decimal(*d)?,
        (ColumnKind::Text, Value::Text(text)) => Kept::Text(Cow::Borrowed(text)),
        (ColumnKind::Boolean, Value::Bool(b)) => Kept::Integer(i64::from(*b)),
        (ColumnKind::Json, value) => {
            let mut text = String::new();
            json::write(value, &mut text);
            Kept::Text(Cow::Owned(text))
        }
        (kind, _) => {
            let kind = match kind {
                ColumnKind::Integer => "an integer",
                ColumnKind::Decimal => "a number",
                ColumnKind::Text => "a text",
                ColumnKind::Boolean => "a boolean",
                ColumnKind::Json => "JSON",
            };
            return Err(StoreError::Misuse(format!("the column `{}` keeps {kind}, not `{value}`", column.name)));
        }
    })
}

/// The same for a key, which is never absent.
pub(super) fn keep_key<'a>(column: &Column, value: &'a Value) -> Result<Kept<'a>, StoreError> {
    match keep(column, value)? {
        Kept::Null => Err(StoreError::Misuse(format!("the key `{}` has no value", column.name))),
        kept => Ok(kept),
    }
}

/// Refuses a row that has not a value for each column, or none for the key.
pub(super) fn whole(table: &Table, row: &[Value]) -> Result<(), StoreError> {
    if row.len() != table.columns.len() {
        return Err(StoreError::Misuse(format!(
            "a row of `{}` has {} values for {} columns",
            table.name,
            row.len(),
            table.columns.len()
        )));
    }
    match row.first() {
        Some(Value::Null) => keep_key(super::check::key(table)?, &row[0]).map(|_| ()),
        _ => Ok(()),
    }
}

/// Refuses changes that do not fit the table, before any of them is written.
pub(super) fn check(table: &Table, changes: &[RowChange]) -> Result<(), StoreError> {
    let key = super::check::key(table)?;
    for change in changes {
        match change {
            RowChange::Delete(value) => {
                keep_key(key, value)?;
            }
            RowChange::Put(row) => {
                whole(table, row)?;
                for (column, value) in table.columns.iter().zip(row) {
                    keep(column, value)?;
                }
            }
        }
    }
    Ok(())
}

/// The same for a decimal, whatever column it comes from.
pub(super) fn decimal<'a>(value: Decimal) -> Result<Kept<'a>, StoreError> {
    let value = value.normalize();
    if value.scale() == 0
        && let Ok(n) = i64::try_from(value.mantissa())
    {
        return Ok(Kept::Integer(n));
    }
    let text = value.to_string();
    if !fits_float(value) {
        return Ok(Kept::Text(Cow::Owned(text)));
    }
    // By way of the text: that is rounded correctly, and so is the way back.
    let float = text.parse().map_err(|_| StoreError::Misuse(format!("`{text}` is no number that can be kept")))?;
    Ok(Kept::Real(value, float))
}

/// Whether a 64-bit float gives a decimal back exactly.
pub(super) fn fits_float(value: Decimal) -> bool {
    let mut digits = value.mantissa().unsigned_abs();
    while digits != 0 && digits.is_multiple_of(10) {
        digits /= 10;
    }
    digits < 10_u128.pow(FLOAT_DIGITS)
}

/// The order of keys, which is SQLite's: numbers by value, then texts by bytes.
impl Ord for Kept<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            _ => self.number().cmp(&other.number()).then_with(|| self.rank().cmp(&other.rank())),
        }
    }
}

impl Kept<'_> {
    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Integer(_) | Self::Real(..) => 1,
            Self::Text(_) => 2,
        }
    }

    /// Null before numbers before text; within numbers their value.
    fn number(&self) -> (u8, Decimal) {
        match self {
            Self::Null | Self::Text(_) => (self.rank(), Decimal::ZERO),
            Self::Integer(n) => (1, Decimal::from(*n)),
            Self::Real(d, _) => (1, *d),
        }
    }

    /// The same, on its own.
    pub(super) fn into_owned(self) -> Kept<'static> {
        match self {
            Self::Null => Kept::Null,
            Self::Integer(n) => Kept::Integer(n),
            Self::Real(d, f) => Kept::Real(d, f),
            Self::Text(text) => Kept::Text(Cow::Owned(text.into_owned())),
        }
    }
}

impl PartialOrd for Kept<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Kept<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Kept<'_> {}
