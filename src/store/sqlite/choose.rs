//! Rows of one read model that a condition of the user's chooses, and in which order.
//!
//! The condition is SQL and may come from anywhere. It is one expression: SQLite's own parser takes it both in
//! parentheses and without, and only an expression is understood both ways. It sees the columns of the read model,
//! under the name of the read model, and the guard lets it read nothing else.

use super::answer::{self, Answer, Cell};
use super::fault::Fault;
use super::guard::{Asked, Guard, ORDER};
use super::projections::{by_number, quoted, table_name};
use super::query::{self, Known, QueryError, Refused, Trouble};
use super::{SqliteStore, rows};
use crate::json::Value;
use crate::store::{Column, ColumnKind, Row, StoreError, Table, column};
use rusqlite::functions::FunctionFlags;
use rusqlite::limits::Limit;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error};
use rust_decimal::Decimal;
use std::fmt::Write as _;
use std::path::PathBuf;

/// A read model has as many columns as SQLite allows, and its decimals are there twice.
const COLUMNS: i32 = 2_000;
/// What stands around a condition may be as long as the names of so many columns.
const SQL_LENGTH: i32 = 4_000_000;

/// Which rows, which columns of them, in which order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choice {
    /// Only rows for which this is true, an expression in SQL.
    pub condition: Option<String>,
    /// Only the row with this key.
    pub key: Option<Value>,
    /// Sorted by these columns, and then by the key.
    pub order: Vec<Order>,
    /// These columns, by their places in the table.
    pub columns: Vec<usize>,
    /// At most so many rows.
    pub limit: Option<u64>,
}

/// A column to sort by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// Its place in the table.
    pub column: usize,
    /// The largest first.
    pub descending: bool,
}

/// The rows that were chosen. They are put aside: the store is free.
#[derive(Debug)]
pub struct Chosen {
    columns: Vec<Column>,
    answer: Answer,
    path: PathBuf,
}

impl SqliteStore {
    /// Gathers rows of a generation on one state of the store. `stop` is asked again and again whether it has had its
    /// time.
    pub fn choose(
        &mut self,
        table: &Table,
        generation: u64,
        choice: &Choice,
        stop: impl FnMut() -> bool + Send + 'static,
    ) -> Result<Chosen, QueryError> {
        let condition = choice.condition.as_deref().unwrap_or_default();
        if choice.condition.is_some() && condition.trim().is_empty() {
            return Err(Refused::new("there is no condition").hint("as in `--where 'balance > 0'`").into());
        }
        let question = Question::new(table, generation, choice);
        let begin = |connection: &Connection| begin(connection, table, generation);
        let answer = self.confined((Asked::Condition, condition), stop, begin, |connection, _| {
            if choice.condition.is_some() {
                question.check(connection)?;
            }
            let mut statement = connection.prepare(&question.whole).map_err(|error| question.within(error))?;
            if let (Some(key), Some(value)) = (table.columns.first(), &choice.key) {
                statement.raw_bind_parameter(1, column::keep_key(key, value).map_err(Trouble::Store)?)?;
            }
            answer::collect(&mut statement)
        })?;
        let columns = choice.columns.iter().filter_map(|place| table.columns.get(*place).cloned()).collect();
        Ok(Chosen { columns, answer, path: self.path.clone() })
    }
}

impl Iterator for Chosen {
    type Item = Result<Row, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let cells = self.answer.next()?;
        let unread = |error| StoreError::Unavailable(format!("rows that were put aside cannot be read: {error}"));
        Some(cells.map_err(unread).and_then(|cells| {
            let values = self.columns.iter().zip(&cells).map(|(column, cell)| rows::value(column, kept(cell)));
            let row: Result<Row, Fault> = values.collect();
            // It does not matter how long it would have waited: nothing is waited for.
            row.map_err(|fault| fault.say(&self.path, std::time::Duration::ZERO))
        }))
    }
}

fn kept(cell: &Cell) -> ValueRef<'_> {
    match cell {
        Cell::Null => ValueRef::Null,
        Cell::Integer(n) => ValueRef::Integer(*n),
        Cell::Real(float) => ValueRef::Real(*float),
        Cell::Text(text) => ValueRef::Text(text.as_bytes()),
        Cell::Blob(bytes) => ValueRef::Blob(bytes),
    }
}

fn begin(connection: &Connection, table: &Table, generation: u64) -> Result<(Guard, Known), Trouble> {
    by_number(connection, generation)?;
    connection.set_limit(Limit::SQLITE_LIMIT_COLUMN, COLUMNS)?;
    connection.set_limit(Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_LENGTH)?;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_scalar_function(ORDER, 1, flags, |context| Ok(decimal(context.get_raw(0)).map(rank)))?;
    let (plain, modules) = query::names(connection)?;
    let others: Vec<_> = plain.into_iter().chain(modules).collect();
    let rows = format!("{}__{generation}", table.name);
    let columns: Vec<_> = table.columns.iter().map(|column| column.name.to_string()).collect();
    // The second time without a name: its columns are meant although the condition does not name the read model.
    let known = vec![(table.name.to_string(), columns.clone()), (String::new(), columns)];
    Ok((Guard::of_rows(&rows, &table.name, &others), known))
}

/// The condition in the statement that asks it.
struct Question<'a> {
    condition: &'a str,
    /// The condition in parentheses, and all that belongs to the statement.
    whole: String,
    /// The condition without parentheses, and nothing behind it.
    bare: String,
    /// The byte at which the condition begins, in both.
    start: usize,
}

impl<'a> Question<'a> {
    fn new(table: &Table, generation: u64, choice: &'a Choice) -> Self {
        let condition = choice.condition.as_deref().unwrap_or_default();
        let name = quoted(&table.name);
        let exact = Exact::new(table);
        let key = exact.name(0);
        // A condition sees a decimal that is kept as text as a number; what is printed and sorted is the exact one.
        let mut columns = Vec::with_capacity(table.columns.len());
        for (place, column) in table.columns.iter().enumerate() {
            let name = quoted(&column.name);
            if column.kind == ColumnKind::Decimal {
                columns.push(format!("CAST({name} AS NUMERIC) AS {name}, {name} AS {}", exact.name(place)));
            } else {
                columns.push(name);
            }
        }
        let shown: Vec<_> = choice.columns.iter().map(|place| exact.name(*place)).collect();
        let mut bare = format!(
            "WITH {name} AS (SELECT {} FROM {}) SELECT {} FROM {name} WHERE ",
            columns.join(", "),
            table_name(&table.name, generation),
            shown.join(", ")
        );
        let mut whole = bare.clone();
        let start = whole.len() + 2;
        // With a line break behind it, a comment at its end swallows nothing.
        let _ = write!(bare, " \n{condition}\n");
        let _ = match choice.condition {
            Some(_) => write!(whole, "(\n{condition}\n)"),
            None => write!(whole, "1"),
        };
        if choice.key.is_some() {
            let _ = write!(whole, " AND {key} = ?1");
        }
        whole.push_str(" ORDER BY ");
        for Order { column, descending } in &choice.order {
            let name = exact.name(*column);
            let decimal = table.columns.get(*column).is_some_and(|column| column.kind == ColumnKind::Decimal);
            let by = if decimal { format!("{ORDER}({name})") } else { name };
            let _ = write!(whole, "{by}{}, ", if *descending { " DESC" } else { "" });
        }
        whole.push_str(&key);
        if let Some(limit) = choice.limit {
            let _ = write!(whole, " LIMIT {}", super::sql(limit));
        }
        Self { condition, whole, bare, start }
    }

    /// That it is one expression, without parameters, which may be asked.
    fn check(&self, connection: &Connection) -> Result<(), Trouble> {
        let whole = connection.prepare(&self.whole).err();
        // A mistake in the grammar is told as it is met in parentheses: without them it might go on as another clause.
        if let Some(error) = whole {
            let grammar = is_grammar(&error);
            let error = self.within(error);
            if grammar || connection.prepare(&self.bare).is_ok() {
                return Err(error.into());
            }
        }
        match connection.prepare(&self.bare) {
            Ok(statement) if statement.parameter_count() > 0 => {
                let at = statement.parameter_name(1).and_then(|name| self.condition.find(name));
                let at = at.or_else(|| self.condition.find('?'));
                let refused = Refused::new("a condition has no parameters").hint("write the value itself");
                Err(Trouble::Refused(Refused { at, ..refused }))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(self.within(error).into()),
        }
    }

    /// What SQLite says of the statement, as what it says of the condition.
    fn within(&self, error: Error) -> Error {
        let Error::SqlInputError { error, mut msg, offset, .. } = error else { return error };
        let at = usize::try_from(offset).ok().and_then(|offset| offset.checked_sub(self.start));
        match at {
            // The parenthesis that is ours, where the condition should have gone on.
            Some(at) if at >= self.condition.len() => "incomplete input".clone_into(&mut msg),
            // SQLite quotes all that comes behind.
            Some(_) if msg.starts_with("unrecognized token") && msg.contains('\n') => {
                "a quote that is opened here is not closed".clone_into(&mut msg);
            }
            _ => {}
        }
        let offset = at.and_then(|at| i32::try_from(at).ok()).unwrap_or(-1);
        Error::SqlInputError { error, msg, sql: self.condition.to_owned(), offset }
    }
}

fn is_grammar(error: &Error) -> bool {
    matches!(error, Error::SqlInputError { msg, .. }
        if msg.ends_with("syntax error") || msg == "incomplete input" || msg.starts_with("unrecognized token"))
}

/// Under which names a condition does not see the columns, but we do.
struct Exact<'t> {
    table: &'t Table,
    mark: String,
}

impl<'t> Exact<'t> {
    fn new(table: &'t Table) -> Self {
        let mut mark = "exact ".to_owned();
        while table.columns.iter().any(|column| column.name.to_lowercase().starts_with(&mark)) {
            mark.push(' ');
        }
        Self { table, mark }
    }

    /// The column as it is kept.
    fn name(&self, place: usize) -> String {
        match self.table.columns.get(place) {
            Some(Column { kind: ColumnKind::Decimal, .. }) => quoted(&format!("{}{place}", self.mark)),
            Some(column) => quoted(&column.name),
            None => "NULL".to_owned(),
        }
    }
}

/// What is kept of a decimal, as the decimal again.
fn decimal(kept: ValueRef<'_>) -> Option<Decimal> {
    match kept {
        ValueRef::Integer(n) => Some(n.into()),
        ValueRef::Real(float) => Decimal::from_str_exact(&float.to_string()).ok(),
        ValueRef::Text(bytes) => Decimal::from_str_exact(std::str::from_utf8(bytes).ok()?).ok(),
        ValueRef::Null | ValueRef::Blob(_) => None,
    }
}

/// Bytes that sort as decimals do: the sign, what stands before the point, and what stands behind it.
fn rank(value: Decimal) -> Vec<u8> {
    let value = value.normalize();
    let one = 10_u128.pow(value.scale());
    let digits = value.mantissa().unsigned_abs();
    let behind = digits % one * 10_u128.pow(Decimal::MAX_SCALE - value.scale());
    let negative = value.mantissa() < 0;
    let mut bytes = vec![u8::from(!negative)];
    for part in [digits / one, behind] {
        bytes.extend(if negative { !part } else { part }.to_be_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_ranked_by_their_value() {
        let sorted = [
            "-79228162514264337593543950335",
            "-12345678901234567.9",
            "-12345678901234567.89",
            "-1.1",
            "-1",
            "-0.0000000000000000000000000001",
            "0",
            "0.0000000000000000000000000001",
            "0.1",
            "0.10000000000000000001",
            "1",
            "9007199254740993",
            "9007199254740993.1",
            "18014398509481987",
            "18014398509481987.5",
            "79228162514264337593543950335",
        ];
        let ranks: Vec<_> = sorted.iter().map(|text| rank(Decimal::from_str_exact(text).unwrap())).collect();
        assert!(ranks.is_sorted_by(|a, b| a < b));
        let (a, b) = (Decimal::new(10, 1), Decimal::new(1, 0));
        assert_eq!(rank(a), rank(b));
        assert_eq!(rank(Decimal::new(0, 5)), rank(-Decimal::ZERO));
    }
}
