//! The rows of a generation: reading them, and writing their changes together with the checkpoint.

use super::append::Turn;
use super::fault::Fault;
use super::projections::{ahead, by_number, column_list, quoted, table_name};
use super::{Writer, failures, read, sql, together, unsql};
use crate::event::Position;
use crate::json::{self, Value};
use crate::store::column::{self, Kept};
use crate::store::{Ahead, Column, ColumnKind, Failure, Row, RowChange, RowFilter, StoreError, Table, check};
use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::{Connection, ToSql};
use rust_decimal::Decimal;

impl ToSql for Kept<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Owned::Null),
            Self::Integer(n) => ToSqlOutput::Owned(Owned::Integer(*n)),
            Self::Real(_, float) => ToSqlOutput::Owned(Owned::Real(*float)),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

/// The rows with these keys.
pub(super) fn rows(
    connection: &Connection,
    table: &Table,
    generation: u64,
    keys: &[Value],
) -> Result<Vec<Option<Row>>, Fault> {
    let key = check::key(table)?;
    together(connection, |connection| {
        by_number(connection, generation)?;
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {} FROM {} WHERE {} = ?1",
            column_list(table),
            table_name(&table.name, generation),
            quoted(&key.name)
        ))?;
        let mut found = Vec::with_capacity(keys.len());
        for value in keys {
            let mut rows = statement.query([column::keep_key(key, value)?])?;
            found.push(rows.next()?.map(|row| shown(table, row)).transpose()?);
        }
        Ok(found)
    })
}

/// Rows by key.
pub(super) fn select(
    connection: &Connection,
    table: &Table,
    generation: u64,
    filter: &RowFilter,
) -> Result<Vec<Row>, Fault> {
    let column = check::key(table)?;
    let key = quoted(&column.name);
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    for (operator, value) in [("=", &filter.key), (">", &filter.after)] {
        if let Some(value) = value {
            values.push(column::keep_key(column, value)?);
            conditions.push(format!("{key} {operator} ?{}", values.len()));
        }
    }
    let clause = if conditions.is_empty() { String::new() } else { format!("WHERE {}", conditions.join(" AND ")) };
    values.push(Kept::Integer(sql(filter.limit as u64)));
    together(connection, |connection| {
        by_number(connection, generation)?;
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {} FROM {} {clause} ORDER BY {key} LIMIT ?{}",
            column_list(table),
            table_name(&table.name, generation),
            values.len()
        ))?;
        let rows = statement.query_and_then(rusqlite::params_from_iter(&values), |row| shown(table, row))?;
        rows.collect()
    })
}

/// How many rows there are.
pub(super) fn count(connection: &Connection, generation: u64) -> Result<u64, Fault> {
    together(connection, |connection| {
        let projection = by_number(connection, generation)?.projection;
        let rows = table_name(&projection, generation);
        unsql(connection.query_row(&format!("SELECT count(*) FROM {rows}"), [], |row| row.get(0))?)
    })
}

/// Writes row changes and the checkpoint, and what was not applied on the way.
pub(super) fn advance(
    writer: &Writer<'_>,
    table: &Table,
    generation: u64,
    (from, to): (Position, Position),
    changes: &[RowChange],
    parked: &[Failure],
) -> Result<(), Fault> {
    let turn = writer.begin()?;
    check::advance(from, to, end(writer, &turn, to)?)?;
    check::parked(from, to, parked)?;
    if by_number(&turn, generation)?.checkpoint != from {
        return Err(StoreError::Overtaken.into());
    }
    if let Some(ahead) = ahead(&turn, generation)? {
        if ahead.position != to {
            return Err(StoreError::Overtaken.into());
        }
        turn.prepare_cached("DELETE FROM es_ahead WHERE generation = ?1")?.execute([sql(generation)])?;
    }
    write(&turn, table, generation, changes)?;
    moved(&turn, generation, to)?;
    failures::park(&turn, generation, parked)?;
    turn.commit()
}

/// The same within a turn that somebody else ends.
pub(super) fn advance_in_turn(
    connection: &Connection,
    turn: &mut Turn,
    table: &Table,
    generation: u64,
    (from, to): (Position, Position),
    changes: &[RowChange],
) -> Result<(), Fault> {
    turn.goes_on(connection)?;
    column::check(table, changes)?;
    check::advance(from, to, turn.head.position)?;
    if by_number(connection, generation)?.checkpoint != from || ahead(connection, generation)?.is_some() {
        return Err(StoreError::Overtaken.into());
    }
    turn.broken = true;
    write(connection, table, generation, changes)?;
    moved(connection, generation, to)?;
    turn.broken = false;
    Ok(())
}

/// Writes some of the row changes up to a position.
pub(super) fn advance_part(
    writer: &Writer<'_>,
    table: &Table,
    generation: u64,
    from: Position,
    before: Option<&Ahead>,
    to: &Ahead,
    changes: &[RowChange],
) -> Result<(), Fault> {
    let turn = writer.begin()?;
    check::advance_part(from, before, to, end(writer, &turn, to.position)?)?;
    let found = by_number(&turn, generation)?;
    // Another process that built the same may have put it in service.
    if found.served || found.checkpoint != from || ahead(&turn, generation)?.as_ref() != before {
        return Err(StoreError::Overtaken.into());
    }
    write(&turn, table, generation, changes)?;
    turn.prepare_cached("INSERT OR REPLACE INTO es_ahead (generation, position, key) VALUES (?1, ?2, ?3)")?
        .execute((sql(generation), sql(to.position.0), &to.key))?;
    turn.commit()
}

/// All rows have come so far.
fn moved(turn: &Connection, generation: u64, to: Position) -> Result<(), Fault> {
    failures::forget(turn, generation, to)?;
    turn.prepare_cached("UPDATE es_generations SET checkpoint = ?2 WHERE number = ?1")?
        .execute([sql(generation), sql(to.0)])?;
    Ok(())
}

/// How far a checkpoint may go.
fn end(writer: &Writer<'_>, turn: &Connection, to: Position) -> Result<Position, Fault> {
    // What is computed aside is computed from the events of another store.
    if writer.turnstile.is_open() { Ok(to) } else { Ok(read::head(turn)?.position) }
}

/// What does not fit is an error half way: the transaction is dropped then, and with it what was written.
fn write(turn: &Connection, table: &Table, generation: u64, changes: &[RowChange]) -> Result<(), Fault> {
    let key = check::key(table)?;
    let rows = table_name(&table.name, generation);
    let places: Vec<_> = (1..=table.columns.len()).map(|n| format!("?{n}")).collect();
    let put = format!("INSERT OR REPLACE INTO {rows} ({}) VALUES ({})", column_list(table), places.join(", "));
    let mut put = turn.prepare_cached(&put)?;
    let mut delete = turn.prepare_cached(&format!("DELETE FROM {rows} WHERE {} = ?1", quoted(&key.name)))?;
    for change in changes {
        match change {
            RowChange::Put(row) => {
                column::whole(table, row)?;
                for (place, (column, value)) in table.columns.iter().zip(row).enumerate() {
                    put.raw_bind_parameter(place + 1, column::keep(column, value)?)?;
                }
                put.raw_execute()?;
            }
            RowChange::Delete(value) => {
                delete.execute([column::keep_key(key, value)?])?;
            }
        }
    }
    Ok(())
}

fn shown(table: &Table, row: &rusqlite::Row<'_>) -> Result<Row, Fault> {
    table.columns.iter().enumerate().map(|(at, column)| value(column, row.get_ref(at)?)).collect()
}

/// What is kept, as a value again.
pub(super) fn value(column: &Column, kept: ValueRef<'_>) -> Result<Value, Fault> {
    let text = |bytes| std::str::from_utf8(bytes).ok();
    let decimal = |text: &str| Decimal::from_str_exact(text).ok().map(|d| Value::Decimal(d.normalize()));
    let value = match (column.kind, kept) {
        (_, ValueRef::Null) => Some(Value::Null),
        (ColumnKind::Integer, ValueRef::Integer(n)) => Some(Value::Integer(n)),
        (ColumnKind::Boolean, ValueRef::Integer(n @ 0..=1)) => Some(Value::Bool(n == 1)),
        (ColumnKind::Decimal, ValueRef::Integer(n)) => Some(Value::Decimal(n.into())),
        // The shortest text that means this float is the decimal it was made from.
        (ColumnKind::Decimal, ValueRef::Real(float)) => decimal(&float.to_string()),
        (ColumnKind::Decimal, ValueRef::Text(bytes)) => text(bytes).and_then(decimal),
        (ColumnKind::Text, ValueRef::Text(bytes)) => text(bytes).map(|text| Value::Text(text.to_owned())),
        (ColumnKind::Json, ValueRef::Text(bytes)) => text(bytes).and_then(|text| json::parse(text).ok()),
        _ => None,
    };
    match value {
        Some(value) => Ok(value),
        None => Fault::contradiction(format!("the column `{}` holds a value that no projection wrote", column.name)),
    }
}
