//! The store proves itself: everything that is stored twice, or follows from something else, is compared.
//!
//! Each table is read once in pages, each page on a state of the file of its own. What must not move meanwhile is the
//! end, which is fixed at the start: rows are only ever added behind it. Memory stays as it is but for one bit a stream,
//! which says whether anything refers to it.
//!
//! A finding never ends a pass: the chain goes on from the hash that is stored, so that one changed event is one
//! finding. Whatever a check needs and does not find is a finding as well.

use super::fault::Fault;
use super::{read, sql, together, unsql};
use crate::event::{Command, Hash, Position, StreamName, Time, Version};
use crate::store::{Finding, MAX_FINDINGS, MAX_PAGE_BYTES, Verified, chain};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::HashMap;
use std::rc::Rc;

/// What stands before a position in words.
const EVENT: &str = "the event at @";
/// Rows read at a time.
const PAGE: u64 = 1000;
/// So many names are remembered; then forgetting all is cheaper than knowing which.
const MOST_NAMES: usize = 10_000;

const EVENTS: &str = "SELECT position, stream, version, type, schema, time, command, hash, data FROM es_events \
    WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3";
const VERSIONS: &str = "SELECT stream, version, position FROM es_events \
    WHERE (stream, version) > (?1, ?2) AND position <= ?3 ORDER BY stream, version LIMIT ?4";
const COMMANDS: &str = "SELECT id, command_id, time, first, events FROM es_commands \
    WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
const OWNER: &str = "SELECT c.command_id, s.name, c.name, c.data, c.actor, c.correlation, c.causation, c.meta, c.time, \
    d.digest, c.first, c.events, c.stream, c.domain FROM es_commands c LEFT JOIN es_streams s ON s.id = c.stream \
    LEFT JOIN es_domains d ON d.id = c.domain WHERE c.id = ?1";
const STREAMS: &str = "SELECT id, name, aggregate FROM es_streams WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
const TYPES: &str = "SELECT id, aggregate, name FROM es_types WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";
const DOMAINS: &str = "SELECT id, digest, text FROM es_domains WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3";

/// Verifies what is in the file now.
pub(super) fn run(
    connection: &Connection,
    store: &str,
    watch: &mut dyn FnMut(Position, Position),
) -> Result<Verified, Fault> {
    let (head, end) = together(connection, |view| Ok((read::head(view)?, End::look(view)?)))?;
    let mut run = Run {
        connection,
        store,
        verified: Verified { head, ..Verified::default() },
        streams: Used::new(end.streams),
        types: Used::new(end.types),
        domains: Used::new(end.domains),
        names: HashMap::new(),
        kinds: HashMap::new(),
        end,
    };
    run.nothing_before_the_first();
    run.events(watch)?;
    run.commands()?;
    run.versions()?;
    run.stream_names()?;
    run.type_names()?;
    run.domain_texts()?;
    run.file()?;
    Ok(run.verified)
}

/// The last number in each table, and whether any begins before 1.
#[derive(Debug)]
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
}

/// The type of an event.
#[derive(Debug, Clone)]
struct Kind {
    aggregate: Rc<str>,
    name: Rc<str>,
}

/// The command of the events that are being read.
#[derive(Debug)]
struct Owner {
    number: i64,
    id: Box<str>,
    /// `None` where it cannot be computed, which was said.
    digest: Option<Hash>,
    time: i64,
    first: i64,
    events: i64,
}

/// What the next event continues.
#[derive(Debug)]
struct Chain {
    /// Position of the last event that was read.
    position: u64,
    /// Its hash as it is stored; `None` where it is missing.
    previous: Option<Hash>,
    /// What it should be, where that is another.
    doubt: Option<Hash>,
    time: i64,
    owner: Option<Owner>,
}

/// An event as its row has it.
struct Stored<'r> {
    stream: i64,
    version: u64,
    kind: i64,
    schema: u32,
    time: Time,
    command: i64,
    hash: Hash,
    data: &'r str,
}

impl<'r> Stored<'r> {
    fn read(row: &'r Row<'_>) -> Result<Self, Fault> {
        let Ok(data) = row.get_ref(8)?.as_str() else {
            return Fault::contradiction("its data is no UTF-8 text");
        };
        Ok(Self {
            stream: row.get(1)?,
            version: unsql(row.get(2)?)?,
            kind: row.get(3)?,
            schema: row.get(4)?,
            time: read::time(row.get(5)?)?,
            command: row.get(6)?,
            hash: read::hash(row, 7)?,
            data,
        })
    }
}

/// One verification.
struct Run<'c> {
    connection: &'c Connection,
    store: &'c str,
    end: End,
    verified: Verified,
    streams: Used,
    types: Used,
    domains: Used,
    names: HashMap<i64, Option<Rc<str>>>,
    kinds: HashMap<i64, Option<Kind>>,
}

impl Run<'_> {
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
        end: u64,
        mut each: impl FnMut(&mut Self, &Connection, &Row<'_>, u64) -> Result<usize, Fault>,
        after_page: &mut dyn FnMut(u64),
    ) -> Result<(), Fault> {
        let connection = self.connection;
        let mut after = 0;
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

    fn missing(&mut self, what: &str, first: u64, last: u64) {
        let words = if first == last {
            format!("{what}{first} is missing")
        } else {
            format!("{what}{first} is missing, and so is what follows it up to {last}")
        };
        let position = (what == EVENT).then_some(Position(first));
        self.verified.note(|| Finding { position, words, ..Finding::default() });
    }

    /// Positions, times and hashes of the events, and that each belongs to its command, stream and type.
    fn events(&mut self, watch: &mut dyn FnMut(Position, Position)) -> Result<(), Fault> {
        let end = self.end.events;
        let mut chain = Chain { position: 0, previous: Some(chain::GENESIS), doubt: None, time: i64::MIN, owner: None };
        self.walk(
            EVENT,
            EVENTS,
            end,
            |run, view, row, position| {
                if position != chain.position + 1 {
                    (chain.previous, chain.doubt) = (None, None);
                }
                chain.position = position;
                match Stored::read(row) {
                    Ok(event) => {
                        run.event(view, &event, &mut chain)?;
                        Ok(event.data.len())
                    }
                    Err(fault) => {
                        let words = fault.damage()?;
                        (chain.previous, chain.doubt) = (read::hash(row, 7).ok(), None);
                        run.unreadable(view, row, position, &words)?;
                        Ok(0)
                    }
                }
            },
            &mut |done| watch(Position(done), Position(end)),
        )
    }

    fn unreadable(&mut self, view: &Connection, row: &Row<'_>, position: u64, words: &str) -> Result<(), Fault> {
        let number: i64 = row.get(1).unwrap_or(0);
        let stream = self.stream(view, number)?;
        self.verified.note(|| Finding {
            position: Some(Position(position)),
            words: format!("the event at @{position} of {} is damaged: {words}", named(stream.as_deref())),
            stream: stream.as_deref().map(Into::into),
            command: None,
        });
        Ok(())
    }

    fn event(&mut self, view: &Connection, event: &Stored<'_>, chain: &mut Chain) -> Result<(), Fault> {
        let position = chain.position;
        self.streams.mark(event.stream);
        self.types.mark(event.kind);
        let stream = self.stream(view, event.stream)?;
        let kind = self.kind(view, event.kind)?;
        if chain.owner.as_ref().is_none_or(|owner| owner.number != event.command) {
            chain.owner = self.owner(view, event.command)?;
        }
        let owner = chain.owner.as_ref();

        let mut wrong = Vec::new();
        if stream.is_none() {
            wrong.push(format!("its stream, number {}, is missing", event.stream));
        }
        match (&kind, &stream) {
            (None, _) => wrong.push(format!("its type, number {}, is missing", event.kind)),
            (Some(kind), Some(stream)) if aggregate(stream) != &*kind.aggregate => {
                wrong.push(format!("its type is one of the aggregate `{}`", kind.aggregate));
            }
            _ => {}
        }
        if event.time.micros() < chain.time {
            let before = Time::from_micros(chain.time).map(|time| time.to_string()).unwrap_or_default();
            wrong.push(format!("its time {} is before {before}, that of the event before it", event.time));
        }
        chain.time = event.time.micros();
        match owner {
            None => wrong.push(format!("its command, number {}, is missing", event.command)),
            Some(owner) => {
                let at = sql(position);
                if at < owner.first || at.saturating_sub(owner.first) >= owner.events {
                    wrong.push(format!(
                        "its command says of itself that it has {} events from @{} on",
                        owner.events, owner.first
                    ));
                }
                if owner.time != event.time.micros() {
                    wrong.push(format!("its time {} is not that of its command", event.time));
                }
            }
        }

        let digest = owner.and_then(|owner| owner.digest);
        let mut computed = None;
        match (&stream, &kind, digest, chain.previous) {
            (Some(stream), Some(kind), Some(digest), Some(previous)) => {
                let link = chain::Link {
                    position: Position(position),
                    stream,
                    version: Version(event.version),
                    kind: &kind.name,
                    schema: event.schema,
                    time: event.time,
                    data: event.data,
                };
                let hash = link.hash(&previous, self.store, &digest);
                // Where the event before is as it was and only its hash was changed, this one continues the right one.
                let held = hash == event.hash
                    || chain.doubt.is_some_and(|doubt| link.hash(&doubt, self.store, &digest) == event.hash);
                if !held {
                    wrong.push("its hash is not that of what is stored: it, or its command, was changed".to_owned());
                    computed = Some(hash);
                }
                self.verified.events += 1;
                self.verified.bytes += event.data.len() as u64;
            }
            // What is missing before it was said.
            (.., None) => {}
            _ => wrong.push("its hash cannot be recomputed".to_owned()),
        }
        (chain.previous, chain.doubt) = (Some(event.hash), computed);

        if !wrong.is_empty() {
            let id = owner.map(|owner| &owner.id);
            self.verified.note(|| Finding {
                position: Some(Position(position)),
                stream: stream.as_deref().map(Into::into),
                command: id.cloned(),
                words: format!(
                    "the event at @{position}, version {} of {}{}{}: {}",
                    event.version,
                    named(stream.as_deref()),
                    kind.as_ref().map(|kind| format!(", `{}`", kind.name)).unwrap_or_default(),
                    id.map(|id| format!(", of the command `{id}`")).unwrap_or_default(),
                    wrong.join("; ")
                ),
            });
        }
        Ok(())
    }

    /// The command with a number. What keeps it from being hashed is said here, once.
    fn owner(&mut self, view: &Connection, number: i64) -> Result<Option<Owner>, Fault> {
        let mut statement = view.prepare_cached(OWNER)?;
        let mut rows = statement.query([number])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let (stream, domain) = (row.get(12).unwrap_or(0), row.get(13).unwrap_or(0));
        self.streams.mark(stream);
        self.domains.mark(domain);
        let id: Box<str> = row.get(0).unwrap_or_default();
        let mut owner = Owner {
            number,
            digest: None,
            time: row.get(8).unwrap_or(i64::MIN),
            first: row.get(10).unwrap_or(0),
            events: row.get(11).unwrap_or(0),
            id: id.clone(),
        };
        match command(row) {
            Ok(command) => {
                owner.digest = Some(chain::command(&command));
                let meta = command.meta.as_deref().map_or(0, str::len);
                self.verified.bytes += (command.data.len() + meta) as u64;
            }
            Err(fault) => {
                let words = fault.damage()?;
                self.verified.note(|| Finding {
                    words: format!("the command `{id}`, number {number}, is damaged: {words}"),
                    command: Some(id),
                    ..Finding::default()
                });
            }
        }
        Ok(Some(owner))
    }

    /// That the commands have all events among them, one after the other.
    fn commands(&mut self) -> Result<(), Fault> {
        let (mut next, mut last) = (1, i64::MIN);
        let end = self.end.commands;
        let each = |run: &mut Self, _: &Connection, row: &Row<'_>, number: u64| {
            let stored = || -> Result<(Box<str>, i64, i64, i64), Fault> {
                Ok((row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            };
            let (id, time, first, events) = match stored() {
                Ok(stored) => stored,
                Err(fault) => {
                    let words = fault.damage()?;
                    run.note(|| format!("the command number {number} is damaged: {words}"));
                    return Ok(0);
                }
            };
            let mut wrong = Vec::new();
            if id.is_empty() {
                wrong.push("it has no id".to_owned());
            }
            if events < 1 {
                wrong.push(format!("it has {events} events"));
            }
            if first != next {
                wrong
                    .push(format!("its first event is said to be @{first}, and @{next} follows the command before it"));
            }
            if time < last {
                wrong.push("its time is before that of the command before it".to_owned());
            }
            (next, last) = (first.saturating_add(events), time);
            run.verified.commands += 1;
            if !wrong.is_empty() {
                run.verified.note(|| Finding {
                    position: u64::try_from(first).ok().map(Position),
                    words: format!("the command `{id}`, number {number}: {}", wrong.join("; ")),
                    command: Some(id),
                    stream: None,
                });
            }
            Ok(0)
        };
        self.walk("the command number ", COMMANDS, end, each, &mut |_| {})?;
        let events = self.end.events;
        if next != sql(events).saturating_add(1) {
            self.note(|| {
                format!("the commands have events up to @{}, and the last event is @{events}", next.saturating_sub(1))
            });
        }
        Ok(())
    }

    /// The versions of each stream, in the order of an index that holds nothing else.
    fn versions(&mut self) -> Result<(), Fault> {
        let connection = self.connection;
        let end = sql(self.end.events);
        // Stream, version and position of the event before.
        let mut last = (i64::MIN, i64::MIN, 0);
        loop {
            let page = together(connection, |view| {
                let mut statement = view.prepare_cached(VERSIONS)?;
                let mut rows = statement.query([last.0, last.1, end, sql(PAGE)])?;
                let mut count = 0;
                while let Some(row) = rows.next()? {
                    let (stream, version, position): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    count += 1;
                    let (before, position_before) = if stream == last.0 {
                        (last.1, last.2)
                    } else {
                        self.verified.streams += 1;
                        (0, 0)
                    };
                    let wrong = if version == before.saturating_add(1) {
                        (position <= position_before)
                            .then(|| format!("before its version {before}, @{position_before}"))
                    } else {
                        Some(format!("right after its version {before}"))
                    };
                    last = (stream, version, position);
                    if let Some(wrong) = wrong {
                        let name = self.stream(view, stream)?;
                        self.verified.note(|| Finding {
                            position: u64::try_from(position).ok().map(Position),
                            words: format!(
                                "version {version} of {}, the event at @{position}, comes {wrong}",
                                named(name.as_deref())
                            ),
                            stream: name.as_deref().map(Into::into),
                            command: None,
                        });
                    }
                }
                Ok(count == PAGE)
            });
            match page {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(fault) => {
                    let words = fault.damage()?;
                    self.note(|| format!("the versions after @{} cannot be read: {words}", last.2));
                    return Ok(());
                }
            }
        }
    }

    fn stream_names(&mut self) -> Result<(), Fault> {
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
                Ok(_) if !run.streams.holds(number) => "no command and no event belongs to it".to_owned(),
                Ok(_) => return Ok(0),
            };
            run.verified.note(|| Finding {
                words: format!("the stream `{name}`, number {number}: {wrong}"),
                stream: Some(name),
                ..Finding::default()
            });
            Ok(0)
        };
        self.walk("the stream number ", STREAMS, self.end.streams, each, &mut |_| {})
    }

    fn type_names(&mut self) -> Result<(), Fault> {
        let each = |run: &mut Self, _: &Connection, row: &Row<'_>, number: u64| {
            let (Ok(aggregate), Ok(name)) = (row.get::<_, Box<str>>(1), row.get::<_, Box<str>>(2)) else {
                run.note(|| format!("the name of the event type number {number} is no UTF-8 text"));
                return Ok(0);
            };
            let illegal = |text: &str| text.is_empty() || text.contains(crate::event::is_control);
            if illegal(&aggregate) || illegal(&name) {
                run.note(|| format!("the event type number {number}, `{name}` of `{aggregate}`, has no legal name"));
            } else if !run.types.holds(number) {
                run.note(|| format!("no event has the type number {number}, `{name}` of `{aggregate}`"));
            }
            Ok(0)
        };
        self.walk("the event type number ", TYPES, self.end.types, each, &mut |_| {})
    }

    fn domain_texts(&mut self) -> Result<(), Fault> {
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
            if !run.domains.holds(number) {
                run.note(|| format!("no command was decided by the domain text number {number}, `{digest}`"));
            }
            Ok(text.len())
        };
        self.walk("the domain text number ", DOMAINS, self.end.domains, each, &mut |_| {})
    }

    /// What SQLite itself knows about its file: pages, indexes, column types, references.
    fn file(&mut self) -> Result<(), Fault> {
        if let Err(fault) = self.integrity().and_then(|()| self.references()) {
            let words = fault.damage()?;
            self.note(|| format!("SQLite cannot check the file: {words}"));
        }
        Ok(())
    }

    fn integrity(&mut self) -> Result<(), Fault> {
        let mut statement = self.connection.prepare(&format!("PRAGMA integrity_check({MAX_FINDINGS})"))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let words: String = row.get(0)?;
            if words != "ok" {
                self.note(|| format!("SQLite's integrity check: {words}"));
            }
        }
        Ok(())
    }

    fn references(&mut self) -> Result<(), Fault> {
        let mut statement = self.connection.prepare("PRAGMA foreign_key_check")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (table, number, parent): (String, Option<i64>, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            // Tables that people put beside ours are their business.
            if table.starts_with("es_") {
                let number = number.unwrap_or_default();
                self.note(|| format!("row {number} of `{table}` refers to a row of `{parent}` that is missing"));
            }
        }
        Ok(())
    }

    /// The name of a stream, legal or not.
    fn stream(&mut self, view: &Connection, number: i64) -> Result<Option<Rc<str>>, Fault> {
        if let Some(name) = self.names.get(&number) {
            return Ok(name.clone());
        }
        let mut statement = view.prepare_cached("SELECT name FROM es_streams WHERE id = ?1")?;
        let name = lenient(statement.query_row([number], |row| row.get(0)))?;
        if self.names.len() >= MOST_NAMES {
            self.names.clear();
        }
        self.names.insert(number, name.clone());
        Ok(name)
    }

    fn kind(&mut self, view: &Connection, number: i64) -> Result<Option<Kind>, Fault> {
        if let Some(kind) = self.kinds.get(&number) {
            return Ok(kind.clone());
        }
        let mut statement = view.prepare_cached("SELECT aggregate, name FROM es_types WHERE id = ?1")?;
        let kind =
            lenient(statement.query_row([number], |row| Ok(Kind { aggregate: row.get(0)?, name: row.get(1)? })))?;
        if self.kinds.len() >= MOST_NAMES {
            self.kinds.clear();
        }
        self.kinds.insert(number, kind.clone());
        Ok(kind)
    }
}

/// A name that is there and is text; where it is not, the pass over its table says so.
fn lenient<T>(name: Result<T, rusqlite::Error>) -> Result<Option<T>, Fault> {
    match name.optional() {
        Ok(name) => Ok(name),
        Err(error) => Fault::from(error).damage().map(|_| None),
    }
}

/// The command in a row of [`OWNER`].
fn command(row: &Row<'_>) -> Result<Command, Fault> {
    let (stream, domain): (Option<Box<str>>, Option<Box<str>>) = (row.get(1)?, row.get(9)?);
    let Some(stream) = stream else {
        return Fault::contradiction("its stream is missing");
    };
    let Some(domain) = domain else {
        return Fault::contradiction("the domain text that decided it is missing");
    };
    let Ok(stream) = StreamName::new(&stream) else {
        return Fault::contradiction(format!("its stream has a name that no stream can have, `{stream}`"));
    };
    Ok(Command {
        id: row.get(0)?,
        stream,
        name: row.get(2)?,
        data: row.get(3)?,
        actor: row.get(4)?,
        correlation: row.get(5)?,
        causation: row.get(6)?,
        meta: row.get(7)?,
        time: read::time(row.get(8)?)?,
        domain,
    })
}

/// A stream in words.
fn named(stream: Option<&str>) -> String {
    stream.map_or_else(|| "a stream without a name".to_owned(), |stream| format!("`{stream}`"))
}

fn aggregate(stream: &str) -> &str {
    stream.split_once('/').map_or(stream, |(aggregate, _)| aggregate)
}
