//! The practical limit of SQLite and JSON on one core: a small program that does only what is measured, as fast as it can
//! sensibly be done. It knows its domain when it is compiled, keeps what it needs in memory and hashes nothing.
//!
//! The bench runs itself with a hidden argument for it, so that both are processes and are measured alike.

use crate::bank::{Account, Deed, Line, Rejection, Status};
use anyhow::{Context, Result, bail};
use rusqlite::{Connection, OpenFlags, Statement};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::time::{SystemTime, UNIX_EPOCH};

/// What comes before the name of a part of the baseline.
pub const HIDDEN: &str = "--baseline";

/// Rows of a read model that are written in one transaction.
const ROWS_AT_ONCE: usize = 1_000;

const SCHEMA: &str = "
    CREATE TABLE streams (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
    CREATE TABLE events (
        position INTEGER PRIMARY KEY,
        stream   INTEGER NOT NULL,
        version  INTEGER NOT NULL,
        type     INTEGER NOT NULL,
        time     INTEGER NOT NULL,
        data     TEXT NOT NULL,
        UNIQUE (stream, version)
    ) STRICT;";

/// Runs a part: its name, the file of the store, and what else it needs.
pub fn run(arguments: &[String]) -> Result<()> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["batch", store, commands, group] => batch(store, commands, group.parse()?),
        ["replay", store, stream] => replay(store, stream),
        ["rebuild", store] => rebuild(store),
        ["cold", store, line] => cold(store, line),
        ["hash", store] => hash(store),
        _ => bail!("{HIDDEN} with {arguments:?}"),
    }
}

fn open(store: &str, flags: OpenFlags) -> Result<Connection> {
    let connection = Connection::open_with_flags(store, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -64 * 1024)?;
    Ok(connection)
}

fn open_to_write(store: &str) -> Result<Connection> {
    let connection = open(store, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 10_000, |_| Ok(()))?;
    Ok(connection)
}

fn open_to_read(store: &str) -> Result<Connection> {
    let connection = open(store, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.pragma_update(None, "mmap_size", 4_i64 << 30)?;
    Ok(connection)
}

fn now() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?)
}

/// The answer to a command.
#[derive(Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
enum Receipt<'a> {
    Accepted { line: u64, stream: &'a str, version: i64, position: i64, r#type: &'a str, data: &'a Deed<'a> },
    Rejected { line: u64, stream: &'a str, code: Rejection },
}

/// A stream that is kept in memory.
#[derive(Default)]
struct Kept {
    id: i64,
    version: i64,
    account: Account,
}

/// Decides and stores commands of a file in groups, and answers each when its group is stored.
fn batch(store: &str, commands: &str, group: u64) -> Result<()> {
    let connection = open_to_write(store)?;
    connection.execute_batch(SCHEMA)?;
    let mut begin = connection.prepare("BEGIN IMMEDIATE")?;
    let mut commit = connection.prepare("COMMIT")?;
    let mut insert_stream = connection.prepare("INSERT INTO streams (id, name) VALUES (?1, ?2)")?;
    let mut insert = connection.prepare(INSERT)?;
    let mut kept: HashMap<String, Kept> = HashMap::new();
    let mut input = BufReader::with_capacity(1 << 18, File::open(commands)?);
    let mut answers: Vec<u8> = Vec::new();
    let mut out = io::stdout().lock();
    let (mut text, mut data) = (String::new(), Vec::new());
    let (mut position, mut number) = (0, 0);
    let mut open_group = 0;
    let mut time = 0;
    loop {
        text.clear();
        let is_end = input.read_line(&mut text)? == 0;
        if open_group > 0 && (is_end || open_group == group) {
            commit.raw_execute()?;
            out.write_all(&answers)?;
            answers.clear();
            open_group = 0;
        }
        if is_end {
            return Ok(());
        }
        if open_group == 0 {
            begin.raw_execute()?;
            time = now()?;
        }
        open_group += 1;
        number += 1;
        let line: Line<'_> = serde_json::from_str(&text)?;
        let deed = line.deed()?;
        if !kept.contains_key(line.stream) {
            kept.insert(line.stream.to_owned(), Kept::default());
        }
        let streams = i64::try_from(kept.len())?;
        let stream = kept.get_mut(line.stream).context("it was put there")?;
        let receipt = match stream.account.decide(&deed) {
            Ok(()) => {
                if stream.id == 0 {
                    stream.id = streams;
                    insert_stream.execute((streams, line.stream))?;
                }
                stream.account.apply(&deed);
                stream.version += 1;
                position += 1;
                store_event(&mut insert, position, stream, time, &deed, &mut data)?;
                let (version, kind) = (stream.version, deed.kind().1);
                Receipt::Accepted { line: number, stream: line.stream, version, position, r#type: kind, data: &deed }
            }
            Err(code) => Receipt::Rejected { line: number, stream: line.stream, code },
        };
        serde_json::to_writer(&mut answers, &receipt)?;
        answers.push(b'\n');
    }
}

const INSERT: &str = "INSERT INTO events (position, stream, version, type, time, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

fn store_event(
    insert: &mut Statement<'_>,
    position: i64,
    stream: &Kept,
    time: i64,
    deed: &Deed<'_>,
    data: &mut Vec<u8>,
) -> Result<()> {
    data.clear();
    serde_json::to_writer(&mut *data, deed)?;
    let text = str::from_utf8(data)?;
    insert.execute((position, stream.id, stream.version, deed.kind().0, time, text))?;
    Ok(())
}

/// The events of a stream, folded.
fn fold(connection: &Connection, name: &str) -> Result<Kept> {
    let id = connection.query_row("SELECT id FROM streams WHERE name = ?1", [name], |row| row.get(0))?;
    let mut kept = Kept { id, ..Kept::default() };
    let mut events = connection.prepare("SELECT version, type, data FROM events WHERE stream = ?1 ORDER BY version")?;
    let mut rows = events.query([id])?;
    while let Some(row) = rows.next()? {
        kept.version = row.get(0)?;
        kept.account.fold(row.get(1)?, row.get_ref(2)?.as_str()?)?;
    }
    Ok(kept)
}

/// The state of a stream.
fn replay(store: &str, stream: &str) -> Result<()> {
    #[derive(Serialize)]
    struct State {
        balance: crate::bank::Cents,
    }
    #[derive(Serialize)]
    struct Replayed<'a> {
        stream: &'a str,
        version: i64,
        state: State,
    }
    let kept = fold(&open_to_read(store)?, stream)?;
    let state = State { balance: kept.account.balance };
    serde_json::to_writer(io::stdout().lock(), &Replayed { stream, version: kept.version, state })?;
    Ok(())
}

/// The read model `balances`: all events are read once, in the order of the log, and the rows are written at the end.
fn rebuild(store: &str) -> Result<()> {
    let connection = open_to_write(store)?;
    connection.pragma_update(None, "mmap_size", 4_i64 << 30)?;
    connection.execute_batch(
        "DROP TABLE IF EXISTS balances;
         CREATE TABLE balances (
             account TEXT NOT NULL PRIMARY KEY, owner TEXT, balance ANY, deposits INTEGER, closed INTEGER
         ) STRICT, WITHOUT ROWID;
         CREATE INDEX balances_owner ON balances (owner);
         CREATE INDEX balances_balance ON balances (balance);",
    )?;
    let mut accounts: Vec<Account> = Vec::new();
    let mut events = connection.prepare("SELECT stream, type, data FROM events ORDER BY position")?;
    let mut rows = events.query([])?;
    while let Some(row) = rows.next()? {
        let at = usize::try_from(row.get::<_, i64>(0)? - 1)?;
        if at >= accounts.len() {
            accounts.resize(at + 1, Account::default());
        }
        accounts[at].fold(row.get(1)?, row.get_ref(2)?.as_str()?)?;
    }
    let mut streams = connection.prepare("SELECT id, name FROM streams ORDER BY name")?;
    let mut names = streams.query([])?;
    let mut insert = connection.prepare("INSERT INTO balances VALUES (?1, ?2, ?3, ?4, ?5)")?;
    loop {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut count = 0;
        while count < ROWS_AT_ONCE
            && let Some(row) = names.next()?
        {
            let account = &accounts[usize::try_from(row.get::<_, i64>(0)? - 1)?];
            let name = row.get_ref(1)?.as_str()?;
            let name = name.strip_prefix("account/").unwrap_or(name);
            #[expect(clippy::cast_precision_loss, reason = "amounts stay far below 2^53")]
            let balance = account.balance.0 as f64 / 100.0;
            let is_closed = account.status == Status::Closed;
            insert.execute((name, &*account.owner, balance, account.deposits, is_closed))?;
            count += 1;
        }
        connection.execute_batch("COMMIT")?;
        if count < ROWS_AT_ONCE {
            return Ok(());
        }
    }
}

/// One command from a cold start.
fn cold(store: &str, line: &str) -> Result<()> {
    let line: Line<'_> = serde_json::from_str(line)?;
    let deed = line.deed()?;
    let connection = open_to_write(store)?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut stream = fold(&connection, line.stream)?;
    if let Err(code) = stream.account.decide(&deed) {
        bail!("rejected: {code:?}");
    }
    stream.version += 1;
    let position: i64 = connection.query_row("SELECT max(position) + 1 FROM events", [], |row| row.get(0))?;
    store_event(&mut connection.prepare(INSERT)?, position, &stream, now()?, &deed, &mut Vec::new())?;
    connection.execute_batch("COMMIT")?;
    let (version, kind) = (stream.version, deed.kind().1);
    let receipt = Receipt::Accepted { line: 1, stream: line.stream, version, position, r#type: kind, data: &deed };
    serde_json::to_writer(io::stdout().lock(), &receipt)?;
    Ok(())
}

/// A SHA-256 over all that the chain of a store of esctl covers: every column of every event and command.
fn hash(store: &str) -> Result<()> {
    let connection = open_to_read(store)?;
    let mut sha = Sha256::new();
    for table in ["es_events", "es_commands"] {
        let mut all = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1"))?;
        let columns = all.column_count();
        let mut rows = all.query([])?;
        while let Some(row) = rows.next()? {
            for column in 0..columns {
                use rusqlite::types::ValueRef;
                match row.get_ref(column)? {
                    ValueRef::Null => sha.update([0]),
                    ValueRef::Integer(number) => sha.update(number.to_le_bytes()),
                    ValueRef::Real(number) => sha.update(number.to_le_bytes()),
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => sha.update(bytes),
                }
            }
        }
    }
    let mut hex = String::new();
    for byte in sha.finalize() {
        write!(hex, "{byte:02x}")?;
    }
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, "{hex}")?;
    Ok(())
}
