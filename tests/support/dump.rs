//! What is in a store, row by row, with the types that SQLite keeps: for comparing byte by byte.

use super::Folder;
use rusqlite::Connection;
use rusqlite::types::Value;

/// The rows of a table or view of a store in the order of all of its columns: `typeof()` and `quote()` of each value.
pub fn rows(folder: &Folder, store: &str, table: &str) -> Vec<String> {
    dump(&open(folder, store), table)
}

/// Everything that a store holds: its schema, and the rows of every table.
pub fn everything(folder: &Folder, store: &str) -> Vec<String> {
    let connection = open(folder, store);
    let mut all = texts(&connection, "SELECT type || ' ' || name || ' ' || coalesce(sql, '') FROM sqlite_schema");
    for table in texts(&connection, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name") {
        all.extend(dump(&connection, &table).into_iter().map(|row| format!("{table}: {row}")));
    }
    all
}

/// Changes a store by hand.
pub fn change(folder: &Folder, sql: &str) {
    Connection::open(folder.file("esctl.db")).unwrap().execute_batch(sql).unwrap();
}

/// The first column of what a statement gives, as text.
pub fn ask(folder: &Folder, sql: &str) -> Vec<String> {
    texts(&open(folder, "esctl.db"), sql)
}

fn open(folder: &Folder, store: &str) -> Connection {
    Connection::open(folder.file(store)).unwrap()
}

fn texts(connection: &Connection, sql: &str) -> Vec<String> {
    let text = |value| match value {
        Value::Text(text) => text,
        Value::Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0).map(text)).unwrap();
    rows.map(Result::unwrap).collect()
}

fn dump(connection: &Connection, table: &str) -> Vec<String> {
    let names = texts(connection, &format!("SELECT name FROM pragma_table_info('{table}')"));
    let names: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
    let cells: Vec<_> = names.iter().map(|name| format!("typeof({name}) || ' ' || quote({name})")).collect();
    texts(connection, &format!("SELECT {} FROM \"{table}\" ORDER BY {}", cells.join(" || ', ' || "), names.join(", ")))
}
