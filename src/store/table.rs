//! Read models as a store knows them: tables, their fillings, and what happens to rows.

use super::column;
use crate::event::{Position, Time};
use crate::json::Value;

/// How a column is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// A 64-bit integer.
    Integer,
    /// An exact decimal, normalised: `25.10` is kept as `25.1`.
    Decimal,
    /// Text; dates, timestamps and uuids too.
    Text,
    /// 0 or 1 in SQL, `true` or `false` here.
    Boolean,
    /// JSON text of a list, an object, or of any value.
    Json,
}

/// A column of a read model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Box<str>,
    /// How it is kept.
    pub kind: ColumnKind,
}

/// The table of a read model, as the store needs to know it. The first column is the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The projection's name, which is the name of the view people query.
    pub name: Box<str>,
    /// At least one; the first is the primary key.
    pub columns: Vec<Column>,
    /// Lists of column names, each an index.
    pub indexes: Vec<Vec<Box<str>>>,
    /// The digest of the rules that fill it.
    pub digest: Box<str>,
}

impl Table {
    /// A row as it comes back from a store, where what is stored may have had other digits: `25.10` is `25.1`.
    pub fn kept(&self, row: &[Value]) -> Row {
        self.columns.iter().zip(row).map(|(column, value)| column::normal(column.kind, value)).collect()
    }
}

/// One filling of a read model's table. A projection has one that is served and at most one being built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    /// Unique in the store, never used again.
    pub number: u64,
    /// The projection.
    pub projection: Box<str>,
    /// The digest of the rules that fill it.
    pub digest: Box<str>,
    /// The last position it has seen.
    pub checkpoint: Position,
    /// Whether the projection's view shows it.
    pub served: bool,
    /// When it was put in service; `None` while it is being built.
    pub since: Option<Time>,
    /// Where some of its rows have seen more than its checkpoint says.
    pub ahead: Option<Ahead>,
    /// The event before which it stopped, where it did.
    pub stopped: Option<Failure>,
    /// How many events it went on past, which it could not apply.
    pub parked: u64,
}

/// How far some of the rows of a generation have come that is being built: those whose keys, as JSON text, sort (by bytes) up
/// to this one have seen up to this position, the others up to the checkpoint. So rows can be written in small steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// The position.
    pub position: Position,
    /// The last key, as JSON text.
    pub key: Box<str>,
}

/// An event that a read model could not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Of the event.
    pub position: Position,
    /// The key of the row it was to change, where it came that far.
    pub key: Option<Value>,
    /// What went wrong.
    pub error: Box<str>,
    /// Where in the rules, `file:line:column`.
    pub place: Option<Box<str>>,
}

/// A row: one value per column, in the table's order. Decimals are normalised.
pub type Row = Vec<Value>;

/// What a handler did to one row.
#[derive(Debug, Clone, PartialEq)]
pub enum RowChange {
    /// Insert or replace; the key is the row's first value.
    Put(Row),
    /// Remove the row with this key; no matter if there is none.
    Delete(Value),
}

/// Which rows to show.
#[derive(Debug, Clone, Default)]
pub struct RowFilter {
    /// Only the row with this key.
    pub key: Option<Value>,
    /// Only rows whose key sorts after this one: the next page.
    pub after: Option<Value>,
    /// At most so many.
    pub limit: usize,
}
