//! The write turn: one transaction of SQLite.

use super::fault::Fault;
use super::names::Names;
use super::turnstile::Entered;
use super::{Appended, Decision, read, sql};
use crate::event::{Command, Head, Version};
use crate::store::{chain, check};
use foldhash::{HashMap, HashMapExt};
use rusqlite::Connection;

// OR ROLLBACK: a refusal ends the turn, which is what a broken turn comes to, and spares SQLite from copying every page
// that a statement touches so that it could undo that statement alone.
const ADD_COMMAND: &str = "INSERT OR ROLLBACK INTO es_commands \
    (id, command_id, stream, name, time, domain, first, events, actor, correlation, causation, meta, data) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
const ADD_EVENT: &str = "INSERT OR ROLLBACK INTO es_events \
    (position, stream, version, type, schema, time, command, hash, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";

/// Of so many streams the versions are remembered from one turn to the next.
const MOST_VERSIONS: usize = 100_000;

/// What the last turn of this connection left behind. It holds for as long as the store ends where that turn ended: every
/// stream is as long as it was then.
#[derive(Debug, Default)]
pub(super) struct Left {
    head: Option<Head>,
    versions: HashMap<i64, u64>,
}

/// What is known of the file's end while nobody else can move it. Begins with what the file says.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) head: Head,
    /// Number of the last command.
    command: i64,
    /// Versions of the streams asked for or written so far, by the stream's number.
    versions: HashMap<i64, u64>,
    /// Events were appended.
    dirty: bool,
    /// Something was half written: the turn can only be rolled back.
    pub(super) broken: bool,
    /// Keeps the other processes waiting until this is dropped.
    _entered: Entered,
}

impl Turn {
    /// That something can be written in it. After some errors SQLite rolls back by itself; from then on every statement would
    /// be a transaction of its own.
    pub(super) fn goes_on(&mut self, connection: &Connection) -> Result<(), Fault> {
        self.broken |= connection.is_autocommit();
        if self.broken { Err(check::broken_turn().into()) } else { Ok(()) }
    }

    /// What it leaves behind once it is committed; nobody is kept waiting any longer.
    pub(super) fn left(self) -> Left {
        Left { head: Some(self.head), versions: self.versions }
    }

    /// The same once it is rolled back.
    pub(super) fn undone(self) -> Left {
        if self.dirty || self.broken { Left::default() } else { self.left() }
    }

    /// The version of a stream; the file is asked once.
    pub(super) fn version(&mut self, connection: &Connection, stream: i64) -> Result<u64, Fault> {
        if let Some(version) = self.versions.get(&stream) {
            return Ok(*version);
        }
        let version = read::version(connection, stream)?;
        if self.versions.len() >= MOST_VERSIONS {
            self.versions.clear();
        }
        self.versions.insert(stream, version);
        Ok(version)
    }
}

/// Begins the transaction of who was let in. Where that fails there is no turn.
pub(super) fn begin(connection: &Connection, names: &mut Names, left: Left, entered: Entered) -> Result<Turn, Fault> {
    connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    names.begin();
    let look = || -> Result<(Head, i64), Fault> {
        let head = read::head(connection)?;
        let command = connection
            .prepare_cached("SELECT coalesce(max(id), 0) FROM es_commands")?
            .query_row([], |row| row.get(0))?;
        Ok((head, command))
    };
    let (head, command) = look().inspect_err(|_| rollback(connection, names))?;
    let versions = if left.head == Some(head) { left.versions } else { HashMap::new() };
    Ok(Turn { head, command, versions, dirty: false, broken: false, _entered: entered })
}

/// Appends what one command gave.
pub(super) fn append(
    connection: &Connection,
    names: &mut Names,
    store: &str,
    turn: &mut Turn,
    decision: &Decision<'_>,
) -> Result<Appended, Fault> {
    turn.goes_on(connection)?;
    check::decision(decision, &turn.head)?;
    let command = decision.command;
    // A name that is new would stay behind a command that is refused; otherwise the file itself refuses what it has.
    let is_new =
        names.stream(connection, &command.stream)?.is_none() || names.domain(connection, &command.domain)?.is_none();
    if is_new {
        unknown_id(connection, command)?;
    }
    turn.broken = true;
    let appended = write(connection, names, store, turn, decision)?;
    turn.broken = false;
    Ok(appended)
}

/// That no command has that id.
fn unknown_id(connection: &Connection, command: &Command) -> Result<(), Fault> {
    let id = &command.id;
    if connection.prepare_cached("SELECT 1 FROM es_commands WHERE command_id = ?1")?.exists([id])? {
        return Err(check::known_id(id).into());
    }
    Ok(())
}

fn write(
    connection: &Connection,
    names: &mut Names,
    store: &str,
    turn: &mut Turn,
    decision: &Decision<'_>,
) -> Result<Appended, Fault> {
    let command = decision.command;
    let time = command.time.micros();
    let domain = names.domain_or_new(connection, &command.domain, decision.domain_text)?;
    let stream = names.stream_or_new(connection, &command.stream)?;
    let first = turn.head.position.next();
    let added = connection.prepare_cached(ADD_COMMAND)?.execute(rusqlite::params![
        turn.command + 1,
        command.id,
        stream,
        command.name,
        time,
        domain,
        sql(first.0),
        sql(decision.events.len() as u64),
        command.actor,
        command.correlation,
        command.causation,
        command.meta,
        command.data,
    ]);
    if let Err(error) = added {
        let Err(known @ Fault::Said(_)) = unknown_id(connection, command) else { return Err(error.into()) };
        // The trigger FAILs: nothing was touched, and the turn goes on.
        turn.broken = connection.is_autocommit();
        return Err(known);
    }
    turn.command += 1;
    turn.dirty = true;

    let digest = chain::command(command);
    let mut versions = Vec::with_capacity(decision.events.len());
    let mut statement = connection.prepare_cached(ADD_EVENT)?;
    for event in decision.events {
        let stream = names.stream_or_new(connection, &event.stream)?;
        let kind = names.kind_or_new(connection, event.stream.aggregate(), &event.kind)?;
        let version = turn.version(connection, stream)? + 1;
        let position = turn.head.position.next();
        let link = chain::Link::new(event, position, Version(version), command.time);
        let hash = link.hash(&turn.head.hash, store, &digest);
        statement.execute(rusqlite::params![
            sql(position.0),
            stream,
            sql(version),
            kind,
            event.schema,
            time,
            turn.command,
            hash.0,
            event.data,
        ])?;
        turn.versions.insert(stream, version);
        turn.head = Head { position, time: Some(command.time), hash };
        versions.push(Version(version));
    }
    Ok(Appended { first, versions, head: turn.head.hash })
}

/// Ends the transaction; where that fails nothing of it remains, as far as SQLite knows.
///
/// Where the log has become long, SQLite copies it into the file before this returns, so that this too happens within the
/// turn: no other writer runs into it.
pub(super) fn commit(connection: &Connection, names: &mut Names) -> Result<(), Fault> {
    if connection.is_autocommit() {
        rollback(connection, names);
        return Err(check::broken_turn().into());
    }
    let outcome = connection.prepare_cached("COMMIT").and_then(|mut statement| statement.execute([]));
    outcome.map(|_| ()).map_err(|error| {
        rollback(connection, names);
        Fault::Commit(error)
    })
}

/// Ends the transaction without a trace.
pub(super) fn rollback(connection: &Connection, names: &mut Names) {
    names.forget();
    // After some errors SQLite has rolled back by itself. If it fails, so will the next BEGIN.
    if !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
}
