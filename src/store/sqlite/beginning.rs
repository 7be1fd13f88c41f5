//! The names of streams that begin with a text, for who is typing one.
//!
//! There may be many. Where they are more than are asked for, what is given is where their names part, as the folders of
//! a long path. Each step is a look-up in the index of names, so that a store of a million streams answers as fast as one
//! of ten.

use super::SqliteStore;
use super::fault::Fault;
use crate::store::StoreError;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};

/// What a name can go on with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beginning {
    /// A stream has this name.
    Whole(String),
    /// The names of several streams begin with this, and part after it.
    Part(String),
}

impl SqliteStore {
    /// What begins with `text`: the names of streams in their order, if they are at most `most`; if they are more, what they
    /// begin with.
    pub fn beginning_with(&mut self, text: &str, most: usize) -> Result<Vec<Beginning>, StoreError> {
        self.call(|connection, _| {
            let names = from(connection, text, most + 1)?;
            if names.len() <= most {
                return Ok(names.into_iter().map(Beginning::Whole).collect());
            }
            partings(connection, text)
        })
    }
}

const FROM: &str = "SELECT name FROM es_streams WHERE name >= ?1 AND name < ?2 ORDER BY name LIMIT ?3";
const LAST: &str = "SELECT name FROM es_streams WHERE name < ?1 ORDER BY name DESC LIMIT 1";

/// The first names that begin with a text.
fn from(connection: &Connection, text: &str, most: usize) -> Result<Vec<String>, Fault> {
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(FROM)?;
    let names = statement.query_map((text, end(text), most), |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// The last name that begins with a text that some name begins with.
fn last(connection: &Connection, text: &str) -> Result<String, Fault> {
    let mut statement = connection.prepare_cached(LAST)?;
    let name = statement.query_row([end(text)], |row| row.get(0)).optional()?;
    Ok(name.unwrap_or_default())
}

/// Where the names part that begin with a text, of which there are several: one beginning for each next letter.
fn partings(connection: &Connection, text: &str) -> Result<Vec<Beginning>, Fault> {
    let one = |text: &str| Ok::<_, Fault>(from(connection, text, 1)?.pop());
    let Some(first) = one(text)? else { return Ok(Vec::new()) };
    let stem = common(&first, &last(connection, text)?).to_owned();
    let mut found = Vec::new();
    if first == stem {
        found.push(Beginning::Whole(first));
    }
    // A character below all that a name can go on with.
    let mut next = format!("{stem}\u{1}");
    loop {
        let mut statement = connection.prepare_cached(FROM)?;
        let name: Option<String> = statement.query_row((&next, end(&stem), 1), |row| row.get(0)).optional()?;
        let Some(name) = name else { return Ok(found) };
        let letter = name[stem.len()..].chars().next().map_or(0, char::len_utf8);
        let branch = &name[..stem.len() + letter];
        let shared = common(&name, &last(connection, branch)?).to_owned();
        next = match after(branch) {
            Some(next) => next,
            None => return Ok(found),
        };
        let whole = shared == name;
        let more = from(connection, &shared, 2)?.len() > 1;
        if whole {
            found.push(Beginning::Whole(name));
        }
        if more {
            found.push(Beginning::Part(shared));
        }
    }
}

/// What comes after all names that begin with a text. To SQLite bytes come after every text.
fn end(text: &str) -> Value {
    after(text).map_or(Value::Blob(Vec::new()), Value::Text)
}

/// What two texts begin with alike.
fn common<'a>(a: &'a str, b: &str) -> &'a str {
    let alike = a.chars().zip(b.chars()).take_while(|(a, b)| a == b).map(|(c, _)| c.len_utf8()).sum();
    &a[..alike]
}

/// The first text after all that begin with this one; `None` where there is none.
fn after(text: &str) -> Option<String> {
    let mut text = text.to_owned();
    while let Some(last) = text.pop() {
        // The numbers between belong to no characters.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE es_streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)")
            .unwrap();
        for name in names {
            connection.execute("INSERT INTO es_streams (name) VALUES (?1)", [name]).unwrap();
        }
        connection
    }

    #[test]
    fn names_part_where_their_letters_do() {
        let store = names(&["a/1", "account/ada", "account/adam", "account/bob", "account/bo", "account/börje", "b/1"]);
        let parts = |text| {
            let found = partings(&store, text).unwrap_or_else(|_| panic!("{text}"));
            let shown = found.into_iter().map(|found| match found {
                Beginning::Whole(name) => name,
                Beginning::Part(text) => format!("{text}…"),
            });
            shown.collect::<Vec<_>>()
        };
        assert_eq!(parts(""), ["a…", "b/1"]);
        assert_eq!(parts("a"), ["a/1", "account/…"]);
        assert_eq!(parts("acc"), ["account/ada", "account/ada…", "account/b…"]);
        assert_eq!(parts("account/ada"), ["account/ada", "account/adam"]);
        assert_eq!(parts("account/b"), ["account/bo", "account/bo…", "account/börje"]);
        assert_eq!(parts("c"), [] as [&str; 0]);
    }

    #[test]
    fn what_comes_after_a_beginning_is_the_next_character() {
        assert_eq!(after("ab").as_deref(), Some("ac"));
        assert_eq!(after("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
        assert_eq!(after("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(after("\u{10ffff}"), None);
        assert_eq!(after(""), None);
    }

    #[test]
    fn names_are_found_by_their_index() {
        let store = names(&[]);
        for sql in [FROM, LAST] {
            let sql = format!("EXPLAIN QUERY PLAN {sql}");
            let mut statement = store.prepare(&sql).unwrap();
            let plan: String = statement.raw_query().next().unwrap().unwrap().get(3).unwrap();
            assert!(plan.starts_with("SEARCH") && plan.contains("COVERING INDEX"), "{plan}");
        }
    }
}
