//! Names, domain texts, and what SQLite knows about its file.

use super::{DOMAINS, Run, STREAMS, TYPES};
use crate::event::StreamName;
use crate::store::sqlite::fault::Fault;
use crate::store::sqlite::projections::quoted;
use crate::store::sqlite::schema;
use crate::store::{Finding, MAX_FINDINGS, chain};
use rusqlite::{Connection, OptionalExtension, Row};

impl Run<'_> {
    pub(super) fn stream_names(&mut self) -> Result<(), Fault> {
        let each = |run: &mut Self, _: &Connection, row: &Row<'_>, number: u64| {
            let (Ok(name), Ok(aggregate)) = (row.get::<_, Box<str>>(1), row.get::<_, Box<str>>(2)) else {
                run.note(|| format!("the name of the stream number {number} is no UTF-8 text"));
                return Ok(0);
            };
            let wrong = match StreamName::new(&name) {
                Err(error) => error.to_string(),
                Ok(legal) if legal.aggregate() != &*aggregate => {
                    format!("it is filed under the aggregate `{aggregate}`")
                }
                Ok(_) if run.unused(&run.streams, number) => "no command and no event belongs to it".to_owned(),
                Ok(_) => return Ok(0),
            };
            run.verified.note(|| Finding {
                words: format!("the stream `{name}`, number {number}: {wrong}"),
                stream: Some(name),
                ..Finding::default()
            });
            Ok(0)
        };
        self.walk("the stream number ", STREAMS, (0, self.end.streams), each, &mut |_| {})
    }

    pub(super) fn type_names(&mut self) -> Result<(), Fault> {
        let each = |run: &mut Self, _: &Connection, row: &Row<'_>, number: u64| {
            let (Ok(aggregate), Ok(name)) = (row.get::<_, Box<str>>(1), row.get::<_, Box<str>>(2)) else {
                run.note(|| format!("the name of the event type number {number} is no UTF-8 text"));
                return Ok(0);
            };
            let illegal = |text: &str| text.is_empty() || text.contains(crate::event::is_control);
            if illegal(&aggregate) || illegal(&name) {
                run.note(|| format!("the event type number {number}, `{name}` of `{aggregate}`, has no legal name"));
            } else if run.unused(&run.types, number) {
                run.note(|| format!("no event has the type number {number}, `{name}` of `{aggregate}`"));
            }
            Ok(0)
        };
        self.walk("the event type number ", TYPES, (0, self.end.types), each, &mut |_| {})
    }

    pub(super) fn domain_texts(&mut self) -> Result<(), Fault> {
        let each = |run: &mut Self, _: &Connection, row: &Row<'_>, number: u64| {
            let (Ok(digest), Ok(text)) = (row.get::<_, Box<str>>(1), row.get::<_, Box<str>>(2)) else {
                run.note(|| format!("the domain text number {number} is no UTF-8 text"));
                return Ok(0);
            };
            run.verified.domains += 1;
            run.verified.bytes += text.len() as u64;
            if chain::domain(&text) != *digest {
                run.note(|| {
                    format!("the domain text number {number} has not the digest `{digest}` that it is kept under")
                });
            }
            if run.unused(&run.domains, number) {
                run.note(|| format!("no command was decided by the domain text number {number}, `{digest}`"));
            }
            Ok(text.len())
        };
        self.walk("the domain text number ", DOMAINS, (0, self.end.domains), each, &mut |_| {})
    }
}

/// What SQLite itself knows about its file: pages, indexes, column types, references. Gives what is wrong, in words.
pub(super) fn file(connection: &Connection) -> Result<Vec<String>, Fault> {
    let mut wrong = Vec::new();
    let looked = integrity(connection, &mut wrong)
        .and_then(|()| references(connection, &mut wrong))
        .and_then(|()| definitions(connection, &mut wrong));
    if let Err(fault) = looked {
        wrong.push(format!("SQLite cannot check the file: {}", fault.damage()?));
    }
    Ok(wrong)
}

fn integrity(connection: &Connection, wrong: &mut Vec<String>) -> Result<(), Fault> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({MAX_FINDINGS})"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let words: String = row.get(0)?;
        if words != "ok" {
            wrong.push(format!("SQLite's integrity check: {words}"));
        }
    }
    Ok(())
}

/// That tables, views and triggers are defined as they were made. One that somebody dropped keeps nothing from being
/// true, but a view that was changed shows something else.
fn definitions(connection: &Connection, wrong: &mut Vec<String>) -> Result<(), Fault> {
    const DEFINED: &str = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name";
    let model = Connection::open_in_memory()?;
    model.execute_batch(schema::TABLES)?;
    let mut statement = model.prepare(DEFINED)?;
    let mut rows = statement.query([])?;
    let mut found = connection.prepare("SELECT sql FROM sqlite_schema WHERE type = ?1 AND name = ?2")?;
    while let Some(row) = rows.next()? {
        let (kind, name, sql): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let stored = found.query_row([&kind, &name], |row| row.get::<_, String>(0)).optional()?;
        if stored.is_some_and(|stored| stored != sql) {
            wrong.push(format!("the {kind} `{name}` is not defined as it was made"));
        }
    }
    Ok(())
}

/// That what a row refers to is there. Events and commands are looked at one by one elsewhere; tables that people put beside
/// ours are their business.
fn references(connection: &Connection, wrong: &mut Vec<String>) -> Result<(), Fault> {
    const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'es_*' \
        AND name NOT IN ('es_events', 'es_commands') ORDER BY name";
    let mut tables = connection.prepare(TABLES)?;
    let tables: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for table in tables {
        let mut statement = connection.prepare(&format!("PRAGMA foreign_key_check({})", quoted(&table)))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (number, parent): (Option<i64>, String) = (row.get(1)?, row.get(2)?);
            let number = number.unwrap_or_default();
            wrong.push(format!("row {number} of `{table}` refers to a row of `{parent}` that is missing"));
        }
    }
    Ok(())
}
