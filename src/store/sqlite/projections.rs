//! Generations of read models: building one beside, putting it in service, clearing away the one before.
//!
//! The rows of a generation are in a table of their own, `"<projection>__<number>"`. What people query is a view with
//! the projection's name, which is replaced when another generation is put in service. A generation that is not wanted
//! any more is `retired` first, in the same transaction that makes it so, and emptied afterwards in small steps, so
//! that a large table does not keep the write turn for long. What a killed process leaves retired, the next one clears.

use super::fault::Fault;
use super::{Writer, failures, read, schema, sql, together, unsql};
use crate::event::{Position, Time};
use crate::store::{Ahead, Column, ColumnKind, Failure, Generation, StoreError, Table, check};
use rusqlite::{Connection, OptionalExtension, Row};

/// Rows removed in one transaction when a retired generation is emptied.
const CLEARED_AT_ONCE: i64 = 500;

const FIELDS: &str = "number, projection, digest, checkpoint, state, since";

/// An identifier as SQL takes it, whatever is in it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The quoted name of a generation's table.
pub(super) fn table_name(projection: &str, number: u64) -> String {
    quoted(&format!("{projection}__{number}"))
}

/// The quoted names of the columns, with commas between.
pub(super) fn column_list(table: &Table) -> String {
    table.columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
}

fn generation(row: &Row<'_>) -> Result<Generation, Fault> {
    let since: Option<i64> = row.get(5)?;
    Ok(Generation {
        number: unsql(row.get(0)?)?,
        projection: row.get(1)?,
        digest: row.get(2)?,
        checkpoint: Position(unsql(row.get(3)?)?),
        served: row.get_ref(4)?.as_str().is_ok_and(|state| state == "served"),
        since: since.map(read::time).transpose()?,
        ahead: None,
        stopped: None,
        parked: 0,
    })
}

/// What is known of a generation beside its own row. Stores of earlier formats, which are read as they are, have none.
fn whole(connection: &Connection, mut generation: Generation) -> Result<Generation, Fault> {
    if schema::knows_failures(connection)? {
        generation.ahead = ahead(connection, generation.number)?;
        generation.stopped = failures::stopped(connection, generation.number)?;
        generation.parked = failures::count(connection, generation.number)?;
    }
    Ok(generation)
}

/// Where some of its rows have seen more than its checkpoint says.
pub(super) fn ahead(connection: &Connection, number: u64) -> Result<Option<Ahead>, Fault> {
    let mut statement = connection.prepare_cached("SELECT position, key FROM es_ahead WHERE generation = ?1")?;
    let mut rows = statement.query([sql(number)])?;
    match rows.next()? {
        Some(row) => Ok(Some(Ahead { position: Position(unsql(row.get(0)?)?), key: row.get(1)? })),
        None => Ok(None),
    }
}

/// All that are not retired.
pub(super) fn all(connection: &Connection) -> Result<Vec<Generation>, Fault> {
    together(connection, |connection| {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT {FIELDS} FROM es_generations WHERE state <> 'retired' ORDER BY projection, number"
        ))?;
        let all: Vec<Generation> = statement.query_and_then([], generation)?.collect::<Result<_, Fault>>()?;
        all.into_iter().map(|generation| whole(connection, generation)).collect()
    })
}

/// The one of a projection in that state.
pub(super) fn in_state(connection: &Connection, projection: &str, state: &str) -> Result<Option<Generation>, Fault> {
    together(connection, |connection| {
        let mut statement = connection
            .prepare_cached(&format!("SELECT {FIELDS} FROM es_generations WHERE projection = ?1 AND state = ?2"))?;
        let mut rows = statement.query([projection, state])?;
        rows.next()?.map(|row| generation(row).and_then(|generation| whole(connection, generation))).transpose()
    })
}

/// The one with that number, without what is known of it beside its own row; [`StoreError::Overtaken`] where it is gone.
pub(super) fn by_number(connection: &Connection, number: u64) -> Result<Generation, Fault> {
    let mut statement = connection
        .prepare_cached(&format!("SELECT {FIELDS} FROM es_generations WHERE number = ?1 AND state <> 'retired'"))?;
    let mut rows = statement.query([sql(number)])?;
    match rows.next()? {
        Some(row) => generation(row),
        None => Err(StoreError::Overtaken.into()),
    }
}

/// Begins a generation or resumes the one that is being built.
pub(super) fn build(writer: &Writer<'_>, table: &Table) -> Result<Generation, Fault> {
    check::table(table)?;
    let turn = writer.begin()?;
    if let Some(unfinished) = in_state(&turn, &table.name, "building")? {
        if unfinished.digest == table.digest {
            return Ok(unfinished);
        }
        retire(&turn, &table.name, "building")?;
    }
    let number: i64 = turn
        .prepare_cached(
            "INSERT INTO es_generations (projection, digest, checkpoint, state) VALUES (?1, ?2, 0, 'building') \
             RETURNING number",
        )?
        .query_row([&table.name, &table.digest], |row| row.get(0))?;
    let number = unsql(number)?;
    make(&turn, table, number)?;
    let generation = by_number(&turn, number)?;
    turn.commit()?;
    clear(writer)?;
    Ok(generation)
}

fn make(connection: &Connection, table: &Table, number: u64) -> Result<(), Fault> {
    let key = check::key(table)?;
    let columns: Vec<_> = table
        .columns
        .iter()
        .map(|column| {
            let constraint = if column.name == key.name { " NOT NULL PRIMARY KEY" } else { "" };
            format!("{} {}{constraint}", quoted(&column.name), kept_as(column))
        })
        .collect();
    let name = table_name(&table.name, number);
    // Without a rowid the rows lie in the order of the key, and an integer key cannot be left out.
    connection.execute_batch(&format!("CREATE TABLE {name} ({}) STRICT, WITHOUT ROWID", columns.join(", ")))?;
    for (count, index) in table.indexes.iter().enumerate() {
        let columns: Vec<_> = index.iter().map(|column| quoted(column)).collect();
        let index = quoted(&format!("{}__{number}_index_{}", table.name, count + 1));
        connection.execute_batch(&format!("CREATE INDEX {index} ON {name} ({})", columns.join(", ")))?;
    }
    Ok(())
}

pub(super) fn kept_as(column: &Column) -> &'static str {
    match column.kind {
        ColumnKind::Integer | ColumnKind::Boolean => "INTEGER",
        ColumnKind::Decimal => "ANY",
        ColumnKind::Text | ColumnKind::Json => "TEXT",
    }
}

/// Drops what was being built.
pub(super) fn abandon(writer: &Writer<'_>, projection: &str) -> Result<(), Fault> {
    let turn = writer.begin()?;
    retire(&turn, projection, "building")?;
    turn.commit()?;
    clear(writer)
}

/// Puts a generation in service and retires the one before.
pub(super) fn serve(writer: &Writer<'_>, table: &Table, number: u64, time: Time) -> Result<(), Fault> {
    let turn = writer.begin()?;
    if by_number(&turn, number)?.served {
        return Ok(());
    }
    if ahead(&turn, number)?.is_some() {
        return Err(StoreError::Overtaken.into());
    }
    let view = quoted(&table.name);
    if retire(&turn, &table.name, "served")? {
        turn.execute_batch(&format!("DROP VIEW IF EXISTS {view}"))?;
    }
    let taken = "SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE";
    if turn.prepare_cached(taken)?.exists([&table.name])? {
        return Err(StoreError::Unavailable(format!(
            "the store has a table or view `{}` that is none of its own; rename it or the projection",
            table.name
        ))
        .into());
    }
    let columns = column_list(table);
    let rows = table_name(&table.name, number);
    turn.execute_batch(&format!("CREATE VIEW {view} AS SELECT {columns} FROM {rows}"))?;
    turn.prepare_cached("UPDATE es_generations SET state = 'served', since = ?2 WHERE number = ?1")?
        .execute((sql(number), time.micros()))?;
    turn.commit()?;
    clear(writer)
}

/// Notes where a generation stopped.
pub(super) fn stop(writer: &Writer<'_>, number: u64, failure: &Failure) -> Result<(), Fault> {
    let turn = writer.begin()?;
    if by_number(&turn, number)?.checkpoint >= failure.position {
        return Err(StoreError::Overtaken.into());
    }
    failures::stop(&turn, number, failure)?;
    turn.commit()
}

/// What it went on past.
pub(super) fn parked(
    connection: &Connection,
    number: u64,
    after: Position,
    limit: usize,
) -> Result<Vec<Failure>, Fault> {
    together(connection, |connection| {
        by_number(connection, number)?;
        if schema::knows_failures(connection)? {
            failures::parked(connection, number, after, limit)
        } else {
            Ok(Vec::new())
        }
    })
}

/// Whether there was one to retire.
fn retire(connection: &Connection, projection: &str, state: &str) -> Result<bool, Fault> {
    let mut statement = connection
        .prepare_cached("UPDATE es_generations SET state = 'retired' WHERE projection = ?1 AND state = ?2")?;
    Ok(statement.execute([projection, state])? > 0)
}

/// Empties and removes what is retired. What was asked for is done already: if another process holds the turn, or there is
/// no space to note it, what is left is left for next time.
fn clear(writer: &Writer<'_>) -> Result<(), Fault> {
    loop {
        match clear_some(writer) {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(fault) if fault.is_busy() || fault.is_full() => return Ok(()),
            Err(fault) => return Err(fault),
        }
    }
}

/// One small step; whether there is more to do.
fn clear_some(writer: &Writer<'_>) -> Result<bool, Fault> {
    let oldest = "SELECT number, projection FROM es_generations WHERE state = 'retired' ORDER BY number LIMIT 1";
    let look = |connection: &Connection| {
        let row = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
        connection.prepare_cached(oldest)?.query_row([], row).optional()
    };
    // Mostly there is nothing: then the turn is not taken for it.
    if look(writer.connection)?.is_none() {
        return Ok(false);
    }
    let turn = writer.begin()?;
    let Some((number, projection)) = look(&turn)? else {
        return Ok(false);
    };
    let name = table_name(&projection, unsql(number)?);
    let key: String = turn.query_row(
        "SELECT name FROM pragma_table_info(?1) WHERE pk = 1",
        [format!("{projection}__{number}")],
        |row| row.get(0),
    )?;
    let key = quoted(&key);
    let removed = turn.execute(
        &format!("DELETE FROM {name} WHERE {key} IN (SELECT {key} FROM {name} ORDER BY {key} LIMIT ?1)"),
        [CLEARED_AT_ONCE],
    )?;
    if removed == 0 && failures::clear(&turn, number, CLEARED_AT_ONCE)? {
        turn.execute_batch(&format!("DROP TABLE {name}"))?;
        turn.prepare_cached("DELETE FROM es_ahead WHERE generation = ?1")?.execute([number])?;
        turn.prepare_cached("DELETE FROM es_generations WHERE number = ?1")?.execute([number])?;
    }
    turn.commit()?;
    Ok(true)
}
