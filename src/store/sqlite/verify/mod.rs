//! The store proves itself: everything that is stored twice, or follows from something else, is compared.
//!
//! Each table is read once in pages, each page on a state of the file of its own. What must not move meanwhile is the
//! end, which is fixed at the start: rows are only ever added behind it. Memory stays as it is but for one bit a stream,
//! which says whether anything refers to it.
//!
//! A finding never ends a pass: the chain goes on from the hash that is stored, so that one changed event is one
//! finding. Whatever a check needs and does not find is a finding as well.

mod events;
mod names;
mod order;
mod processes;
mod snapshots;

use super::fault::Fault;
use super::{read, sql, together, unsql};
use crate::event::{Hash, Position};
use crate::store::{Finding, MAX_PAGE_BYTES, Verified, chain};
use foldhash::{HashMap, HashMapExt};
use rusqlite::{Connection, OptionalExtension, Row};
use std::rc::Rc;
use std::thread;

/// What stands before a position in words.
const EVENT: &str = "the event at @";
/// Rows read at a time.
const PAGE: u64 = 1000;
/// So many names are remembered; then forgetting all is cheaper than knowing which.
const MOST_NAMES: usize = 100_000;

/// Events with the commands they come from: SQLite then goes through both tables side by side.
const EVENTS: &str = "SELECT e.position, e.stream, e.version, e.type, e.schema, e.time, e.command, e.hash, e.data, \
    c.id, c.command_id, c.name, c.data, c.actor, c.correlation, c.causation, c.meta, c.time, c.first, c.events, \
    c.stream, c.domain FROM es_events e LEFT JOIN es_commands c ON c.id = e.command \
    WHERE e.position > ?1 AND e.position <= ?2 ORDER BY e.position LIMIT ?3";
const VERSIONS: &str = "SELECT stream, version, position FROM es_events \
    WHERE (stream, version) > (?1, ?2) AND position <= ?3 ORDER BY stream, version LIMIT ?4";
/// Events with the version before each in its stream, and where that is.
const PREDECESSOR: &str = "SELECT e.position, e.stream, e.version, b.version, b.position FROM es_events e \
    LEFT JOIN es_events b ON b.stream = e.stream AND b.version = \
        (SELECT max(version) FROM es_events WHERE stream = e.stream AND version < e.version) \
    WHERE e.position > ?1 AND e.position <= ?2 ORDER BY e.position LIMIT ?3";
const COMMANDS: &str = "SELECT id, command_id, time, first, events FROM es_commands \
    WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
const STREAMS: &str = "SELECT id, name, aggregate FROM es_streams WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
const TYPES: &str = "SELECT id, aggregate, name FROM es_types WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
const DOMAINS: &str = "SELECT id, digest, text FROM es_domains WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";

/// Verifies what is in the file now and was not yet up to the position `since`. Where all of it is, the order of commands and
/// versions and what SQLite knows about its file are looked at meanwhile through another connection to it, if there is one.
pub(super) fn run(
    connection: &Connection,
    another: Option<Connection>,
    store: &str,
    since: Position,
    watch: &mut dyn FnMut(Position, Position),
) -> Result<Verified, Fault> {
    let (head, end, start) =
        together(connection, |view| Ok((read::head(view)?, End::look(view)?, Start::look(view, since)?)))?;
    let mut run = Run::new(connection, store, start.clone(), end.clone());
    (run.verified.head, run.verified.since) = (head, Position(start.position));
    run.nothing_before_the_first();
    if start.position > 0 {
        run.events(watch)?;
        run.order()?;
        run.names()?;
        return Ok(run.verified);
    }
    thread::scope(|scope| {
        let other = another.map(|another| {
            let (start, end) = (start.clone(), end.clone());
            scope.spawn(move || order_and_file(&another, store, start, end))
        });
        run.events(watch)?;
        let place = run.verified.findings.len();
        run.names()?;
        run.snapshots()?;
        run.processes()?;
        let found = other.and_then(|other| other.join().ok()).and_then(Result::ok);
        // Whatever kept the other one from looking, this one looks itself.
        let (order, file) = found.map_or_else(|| order_and_file(connection, store, start, end), Ok)?;
        run.verified.take_in(place, order);
        for words in file {
            run.note(|| words);
        }
        Ok(run.verified)
    })
}

/// What can be looked at beside the events: gives what came of the order of commands and versions, and what SQLite says of its
/// file.
fn order_and_file(
    connection: &Connection,
    store: &str,
    start: Start,
    end: End,
) -> Result<(Verified, Vec<String>), Fault> {
    let mut run = Run::new(connection, store, start, end);
    run.order()?;
    Ok((run.verified, names::file(connection)?))
}

/// What the first event continues.
#[derive(Debug, Clone)]
struct Start {
    position: u64,
    hash: Hash,
    time: i64,
    /// The number of the command before.
    command: u64,
}

impl Start {
    /// After the last command that ended at or before a position.
    fn look(view: &Connection, since: Position) -> Result<Self, Fault> {
        let beginning = Self { position: 0, hash: chain::GENESIS, time: i64::MIN, command: 0 };
        let mut number = view
            .query_row("SELECT command FROM es_events WHERE position = ?1", [sql(since.0)], |row| row.get::<_, i64>(0))
            .optional()?
            .unwrap_or(0);
        while number > 0 {
            let found = view
                .query_row("SELECT first + events - 1 FROM es_commands WHERE id = ?1", [number], |row| row.get(0))
                .optional()?;
            if let Some(last) = found.filter(|last: &i64| (1..=sql(since.0)).contains(last)) {
                let (hash, time) =
                    view.query_row("SELECT hash, time FROM es_events WHERE position = ?1", [last], |row| {
                        Ok((read::hash(row, 0), row.get(1)?))
                    })?;
                return Ok(Self { position: unsql(last)?, hash: hash?, time, command: unsql(number)? });
            }
            number -= 1;
        }
        Ok(beginning)
    }
}

/// The last number in each table, and whether any begins before 1.
#[derive(Debug, Clone)]
struct End {
    events: u64,
    commands: u64,
    streams: u64,
    types: u64,
    domains: u64,
    /// Tables whose numbers begin before 1, with what they hold and the first number.
    early: Vec<(&'static str, i64)>,
}

impl End {
    fn look(view: &Connection) -> Result<Self, Fault> {
        let mut early = Vec::new();
        let mut last = |what: &'static str, table: &str, key: &str| -> Result<u64, Fault> {
            // Two statements: only alone does each go straight to its end of the table.
            let edge = |function: &str| -> Result<Option<i64>, Fault> {
                let select = format!("SELECT {function}({key}) FROM {table}");
                Ok(view.query_row(&select, [], |row| row.get(0))?)
            };
            if let Some(first) = edge("min")?.filter(|first| *first < 1) {
                early.push((what, first));
            }
            Ok(edge("max")?.and_then(|last| u64::try_from(last).ok()).unwrap_or(0))
        };
        Ok(Self {
            events: last("an event", "es_events", "position")?,
            commands: last("a command", "es_commands", "id")?,
            streams: last("a stream", "es_streams", "id")?,
            types: last("an event type", "es_types", "id")?,
            domains: last("a domain text", "es_domains", "id")?,
            early,
        })
    }
}

/// Which rows of a table something refers to.
#[derive(Debug)]
struct Used {
    end: u64,
    bits: Vec<u64>,
}

impl Used {
    fn new(end: u64) -> Self {
        Self { end, bits: Vec::new() }
    }

    /// A number beyond the end has no row, which is said where the row is looked for.
    fn mark(&mut self, id: i64) {
        let Some((word, bit)) = Self::place(id).filter(|_| sql(self.end) >= id) else { return };
        if self.bits.len() <= word {
            self.bits.resize(word + 1, 0);
        }
        self.bits[word] |= bit;
    }

    fn holds(&self, id: u64) -> bool {
        Self::place(sql(id)).is_some_and(|(word, bit)| self.bits.get(word).is_some_and(|bits| bits & bit != 0))
    }

    fn place(id: i64) -> Option<(usize, u64)> {
        let at = u64::try_from(id).ok()?.checked_sub(1)?;
        Some((usize::try_from(at / 64).ok()?, 1 << (at % 64)))
    }

    fn count(&self) -> u64 {
        self.bits.iter().map(|bits| u64::from(bits.count_ones())).sum()
    }
}

/// The type of an event.
#[derive(Debug, Clone)]
struct Kind {
    aggregate: Rc<str>,
    name: Rc<str>,
}

/// One verification.
struct Run<'c> {
    connection: &'c Connection,
    store: &'c str,
    start: Start,
    end: End,
    verified: Verified,
    /// Streams of the events that were read.
    touched: Used,
    streams: Used,
    types: Used,
    domains: Used,
    names: HashMap<i64, Option<Rc<str>>>,
    digests: HashMap<i64, Option<Rc<str>>>,
    kinds: HashMap<i64, Option<Kind>>,
}

impl<'c> Run<'c> {
    fn new(connection: &'c Connection, store: &'c str, start: Start, end: End) -> Self {
        Self {
            connection,
            store,
            verified: Verified::default(),
            start,
            touched: Used::new(end.streams),
            streams: Used::new(end.streams),
            types: Used::new(end.types),
            domains: Used::new(end.domains),
            names: HashMap::new(),
            digests: HashMap::new(),
            kinds: HashMap::new(),
            end,
        }
    }

    /// That commands, and the versions of each stream, are one after the other.
    fn order(&mut self) -> Result<(), Fault> {
        self.commands()?;
        self.versions()
    }

    /// What events and commands refer to by number.
    fn names(&mut self) -> Result<(), Fault> {
        self.stream_names()?;
        self.type_names()?;
        self.domain_texts()
    }

    fn note(&mut self, words: impl FnOnce() -> String) {
        self.verified.note(|| Finding { words: words(), ..Finding::default() });
    }

    fn nothing_before_the_first(&mut self) {
        for (what, first) in std::mem::take(&mut self.end.early) {
            self.note(|| format!("there is {what} with the number {first}, and the first number is 1"));
        }
    }

    /// Reads a table in pages by its number, which is the first column, and hands over each row with it. Says which
    /// numbers are missing.
    fn walk(
        &mut self,
        what: &str,
        select: &str,
        (mut after, end): (u64, u64),
        mut each: impl FnMut(&mut Self, &Connection, &Row<'_>, u64) -> Result<usize, Fault>,
        after_page: &mut dyn FnMut(u64),
    ) -> Result<(), Fault> {
        let connection = self.connection;
        while after < end {
            let page = together(connection, |view| {
                let mut statement = view.prepare_cached(select)?;
                let mut rows = statement.query([sql(after), sql(end), sql(PAGE)])?;
                let (mut any, mut bytes) = (false, 0);
                while let Some(row) = rows.next()? {
                    let number = unsql(row.get(0)?)?;
                    if number > after + 1 {
                        self.missing(what, after + 1, number - 1);
                    }
                    (any, after) = (true, number);
                    bytes += each(self, view, row, number)?;
                    if bytes >= MAX_PAGE_BYTES {
                        break;
                    }
                }
                Ok(any)
            });
            let words = match page {
                Ok(true) => {
                    after_page(after);
                    continue;
                }
                Ok(false) => "SQLite finds none there".to_owned(),
                Err(fault) => fault.damage()?,
            };
            self.note(|| format!("what comes after {what}{after} cannot be read: {words}"));
            break;
        }
        Ok(())
    }

    /// Whether nothing refers to a row. What stands before the start may, and was not read.
    fn unused(&self, used: &Used, number: u64) -> bool {
        self.start.position == 0 && !used.holds(number)
    }

    fn missing(&mut self, what: &str, first: u64, last: u64) {
        let words = if first == last {
            format!("{what}{first} is missing")
        } else {
            format!("{what}{first} is missing, and so is what follows it up to {last}")
        };
        let position = (what == EVENT).then_some(Position(first));
        self.verified.note(|| Finding { position, words, ..Finding::default() });
    }

    /// The name of a stream, legal or not.
    fn stream(&mut self, view: &Connection, number: i64) -> Result<Option<Rc<str>>, Fault> {
        known(&mut self.names, view, "SELECT name FROM es_streams WHERE id = ?1", number, |row| row.get(0))
    }

    /// The digest of a domain text, as it is stored.
    fn digest(&mut self, view: &Connection, number: i64) -> Result<Option<Rc<str>>, Fault> {
        known(&mut self.digests, view, "SELECT digest FROM es_domains WHERE id = ?1", number, |row| row.get(0))
    }

    fn kind(&mut self, view: &Connection, number: i64) -> Result<Option<Kind>, Fault> {
        known(&mut self.kinds, view, "SELECT aggregate, name FROM es_types WHERE id = ?1", number, |row| {
            Ok(Kind { aggregate: row.get(0)?, name: row.get(1)? })
        })
    }
}

/// What is kept under a number, which is asked for once.
fn known<T: Clone>(
    names: &mut HashMap<i64, Option<T>>,
    view: &Connection,
    select: &str,
    number: i64,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, Fault> {
    if let Some(name) = names.get(&number) {
        return Ok(name.clone());
    }
    let name = lenient(view.prepare_cached(select)?.query_row([number], read))?;
    if names.len() >= MOST_NAMES {
        names.clear();
    }
    names.insert(number, name.clone());
    Ok(name)
}

/// A name that is there and is text; where it is not, the pass over its table says so.
fn lenient<T>(name: Result<T, rusqlite::Error>) -> Result<Option<T>, Fault> {
    match name.optional() {
        Ok(name) => Ok(name),
        Err(error) => Fault::from(error).damage().map(|_| None),
    }
}

/// A stream in words.
fn named(stream: Option<&str>) -> String {
    stream.map_or_else(|| "a stream without a name".to_owned(), |stream| format!("`{stream}`"))
}
