//! Opening and making the file, and the settings every connection gets. `docs/store.md` gives the reasons.

use super::fault::{Fault, code};
use super::presence::Presence;
use super::schema::{self, Found};
use super::turnstile::{Turnstile, beside};
use super::{Access, Flush, Notice, Options, StoreError, migration};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fmt::Write;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Earlier versions of SQLite can lose committed data when several processes write and checkpoint.
const OLDEST_SQLITE: i32 = 3_051_003;
/// The write-ahead log is copied into the file when it has so many pages, 16 MiB of them. Commits to many streams touch the
/// same index pages again and again: a log longer than SQLite's usual one copies each of them less often.
const LOG_PAGES: i64 = 4_000;
/// The same for who writes rows of read models.
pub(super) const LOG_PAGES_OF_ROWS: i64 = 1_000;
/// What is left of the write-ahead log after a checkpoint, in bytes: one long write does not keep the disk forever.
const LOG_LEFT: i64 = 16 * 1024 * 1024;
/// The page cache, in KiB: the upper pages of the indexes of some millions of events.
const CACHE: i64 = 16 * 1024;
/// Statements kept prepared.
const STATEMENTS: usize = 128;
/// How long to wait before asking again where SQLite itself does not wait.
const PAUSE: Duration = Duration::from_millis(5);

/// A store that was opened.
pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) presence: Presence,
    pub(super) id: Box<str>,
    pub(super) notices: Vec<Notice>,
    /// Why it can only be read, in words.
    pub(super) only_read: Option<String>,
}

/// Opens, and makes where wanted, the store in that file.
pub(super) fn open(path: &Path, options: &Options, turnstile: &Arc<Turnstile>) -> Result<Opened, Fault> {
    let shown = path.display();
    if rusqlite::version_number() < OLDEST_SQLITE {
        let words = format!("SQLite {} can lose data; 3.51.3 is the oldest that is used", rusqlite::version());
        return Err(StoreError::Unavailable(words).into());
    }
    let is_new = look_at_file(path, options)?;
    // Who sees a file that is empty as yet finds that somebody is making it.
    let mut making = is_new.then(|| turnstile.enter()).transpose()?;
    let (mut presence, notice) = Presence::enter(path, turnstile)?;
    let mut notices: Vec<Notice> = notice.into_iter().collect();
    let mut flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    if is_new {
        flags |= OpenFlags::SQLITE_OPEN_CREATE;
    }
    let place = in_folder(path);
    let mut only_read = None;
    let (connection, mut found) = match connect(&place, path, flags, options) {
        Err(Fault::Sql(error)) if code(&error) == Some(ErrorCode::CannotOpen) && is_on_read_only_files(path) => {
            only_read = Some(format!("`{shown}` cannot be written to: it is on a read-only file system"));
            connect_frozen(&place, path, options)?
        }
        Err(Fault::Sql(error)) => return Err(explain(path, error)),
        Err(fault) => return Err(fault),
        Ok(connected) => connected,
    };
    if let Found::Newer(format) = found {
        only_read = Some(format!(
            "`{shown}` was written by a newer esctl: this one may read its format, {format}, but not write to it"
        ));
    }
    if let Some(why) = only_read.clone().filter(|_| options.access != Access::Read) {
        return Err(StoreError::ReadOnly(why).into());
    }
    if found == Found::Empty && !matches!(options.access, Access::Create(_)) && turnstile.is_there() {
        // Another process may be making it just now.
        let _entered = turnstile.enter()?;
        found = schema::look(&connection, path)?;
    }
    match (&options.access, found) {
        (_, Found::Store | Found::Newer(_)) | (Access::Read, Found::Older(_)) => {}
        (Access::Create(id), Found::Empty) => {
            let _entered = match making.take() {
                Some(entered) => entered,
                None => turnstile.enter()?,
            };
            schema::create(&connection, path, id)?;
            use_log(&connection, path, options)?;
            sync_folder(path);
        }
        (Access::Write | Access::Read, Found::Empty) => {
            return Err(StoreError::NotAStore(format!("`{shown}` is an empty file, not an esctl store")).into());
        }
        (Access::Write | Access::Create(_), Found::Older(_)) => {
            let _entered = turnstile.enter()?;
            notices.extend(migration::bring_up(&connection, path, options.busy)?);
        }
    }
    drop(making);
    if options.access == Access::Read {
        connection.pragma_update(None, "query_only", true)?;
    } else if !uses_log(&connection)? {
        // Who made it was killed before it came to this.
        let _entered = turnstile.enter()?;
        use_log(&connection, path, options)?;
    }
    let id = schema::id(&connection)?;
    presence.stay();
    Ok(Opened { connection, presence, id, notices, only_read })
}

/// Another connection to a store that is open, for reading beside what the first one does; `None` where it is in no file that
/// can be opened twice.
pub(super) fn another(path: &Path, options: &Options) -> Option<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(in_folder(path), flags).ok()?;
    secure(&connection, options).ok()?;
    connection.pragma_update(None, "query_only", true).ok()?;
    Some(connection)
}

/// A store in a file that SQLite makes for this connection alone, keeps in memory while it is small, and removes.
pub(super) fn scratch(options: &Options, id: &str) -> Result<Opened, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags("", flags)?;
    secure(&connection, options)?;
    schema::create(&connection, Path::new(""), id)?;
    Ok(Opened { connection, presence: Presence::unseen(), id: id.into(), notices: Vec::new(), only_read: None })
}

/// A new store in an empty file that nobody else knows of. Nothing is beside it, neither a log nor a journal, and nothing is
/// flushed to the disk: who is killed or fails begins anew, and who gives it its name flushes it.
pub(super) fn unseen(path: &Path, options: &Options, id: &str) -> Result<Opened, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(in_folder(path), flags)?;
    secure(&connection, options)?;
    connection.pragma_update_and_check(None, "journal_mode", "MEMORY", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    schema::create(&connection, path, id)?;
    Ok(Opened { connection, presence: Presence::unseen(), id: id.into(), notices: Vec::new(), only_read: None })
}

/// The name of a file for SQLite: with a folder in front, `:memory:` and `file:x?…` are names like any other.
pub(super) fn in_folder(path: &Path) -> PathBuf {
    if path.is_relative() { Path::new(".").join(path) } else { path.to_owned() }
}

/// Has SQLite open the file, and looks what it is.
fn connect(place: &Path, path: &Path, flags: OpenFlags, options: &Options) -> Result<(Connection, Found), Fault> {
    let connection = Connection::open_with_flags(place, flags)?;
    secure(&connection, options)?;
    let found = schema::look(&connection, path)?;
    Ok((connection, found))
}

/// The same where no file can be written, and so nobody can be writing: SQLite then needs neither locks nor an index of
/// the log. What is in a log it would not see.
fn connect_frozen(place: &Path, path: &Path, options: &Options) -> Result<(Connection, Found), Fault> {
    let log = beside(path, "-wal");
    if fs::metadata(&log).is_ok_and(|metadata| metadata.len() > 0) {
        return Err(StoreError::Unavailable(format!(
            "`{}` is on a read-only file system, and its log `{}` holds what is not in it yet: copy both to where files \
             can be written",
            path.display(),
            log.display()
        ))
        .into());
    }
    let mut name = String::from("file:");
    for byte in place.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => name.push(char::from(*byte)),
            // Whatever else has a meaning in the name of a file for SQLite, or is no character at all.
            other => _ = write!(name, "%{other:02X}"),
        }
    }
    name.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    connect(Path::new(&name), path, flags, options).map_err(|fault| match fault {
        Fault::Sql(error) => explain(path, error),
        other => other,
    })
}

fn is_on_read_only_files(path: &Path) -> bool {
    let opened = fs::OpenOptions::new().write(true).open(path);
    opened.is_err_and(|error| error.kind() == io::ErrorKind::ReadOnlyFilesystem)
}

/// Whether the file is to be made. Refuses what is plainly no store.
fn look_at_file(path: &Path, options: &Options) -> Result<bool, StoreError> {
    let shown = path.display();
    let unreadable =
        |error: io::Error| StoreError::Unavailable(format!("`{shown}` cannot be opened: {}", error.kind()));
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => {
            Err(StoreError::NotAStore(format!("`{shown}` is a folder, not an esctl store")))
        }
        Ok(metadata) if !metadata.is_file() => {
            Err(StoreError::NotAStore(format!("`{shown}` is no regular file, so it is no esctl store")))
        }
        Ok(_) => {
            if begins_like_sqlite(path).map_err(unreadable)? {
                Ok(false)
            } else {
                Err(not_sqlite(path))
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if !matches!(options.access, Access::Create(_)) {
                return Err(StoreError::Missing(format!("there is no store at `{shown}`")));
            }
            let folder = folder(path);
            if folder.is_dir() {
                return Ok(true);
            }
            Err(StoreError::Unavailable(format!("`{shown}` cannot be made: there is no folder `{}`", folder.display())))
        }
        Err(error) => Err(unreadable(error)),
    }
}

/// Whether the file is empty or begins as SQLite files do. SQLite looks itself, but takes a file of one byte for an
/// empty one and would write over it. Where a rollback journal says that making the file was cut off, it knows better.
fn begins_like_sqlite(path: &Path) -> io::Result<bool> {
    const MAGIC: &[u8] = b"SQLite format 3\0";
    let mut start = Vec::new();
    fs::File::open(path)?.take(MAGIC.len() as u64).read_to_end(&mut start)?;
    let mut journal = path.as_os_str().to_owned();
    journal.push("-journal");
    Ok(start.is_empty() || start == MAGIC || Path::new(&journal).exists())
}

fn not_sqlite(path: &Path) -> StoreError {
    StoreError::NotAStore(format!("`{}` is not a SQLite file, so it is no esctl store", path.display()))
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Settings that change nothing in the file.
fn secure(connection: &Connection, options: &Options) -> Result<(), rusqlite::Error> {
    connection.busy_timeout(options.busy)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
    // Otherwise SQLite plans a statement again for each value it is asked about, which costs more than the answer.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "mmap_size", 0)?;
    let synchronous = match options.flush {
        Flush::EachCommit => "FULL",
        Flush::AtCheckpoints => "NORMAL",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    // The numbers that refer to other rows are looked up within the turn, and no such row is ever removed.
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "recursive_triggers", true)?;
    connection.pragma_update(None, "cache_size", -CACHE)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", LOG_PAGES, |_| Ok(()))?;
    connection.pragma_update(None, "journal_size_limit", LOG_LEFT)
}

fn uses_log(connection: &Connection) -> Result<bool, rusqlite::Error> {
    connection.pragma_query_value(None, "journal_mode", |row| Ok(row.get_ref(0)?.as_str() == Ok("wal")))
}

/// Turns the write-ahead log on, which the file remembers. Only within the write turn.
fn use_log(connection: &Connection, path: &Path, options: &Options) -> Result<(), Fault> {
    // Turning it on needs the file for oneself, also without readers, and SQLite does not wait for that: it would wait
    // while holding a lock that the other one may be waiting for.
    let mut waited = Duration::ZERO;
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let shown = path.display();
                return Err(StoreError::Unavailable(format!(
                    "`{shown}` is where SQLite cannot keep a write-ahead log (it offers `{mode}`), as on some network \
                     file systems"
                ))
                .into());
            }
            Err(error) if code(&error) == Some(ErrorCode::DatabaseBusy) && waited < options.busy => {
                std::thread::sleep(PAUSE);
                waited += PAUSE;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Makes the new name in the folder survive power loss. Where folders cannot be synced there is nothing to be done.
pub(super) fn sync_folder(path: &Path) {
    if cfg!(unix)
        && let Ok(folder) = fs::File::open(folder(path))
    {
        let _ = folder.sync_all();
    }
}

/// What it means that SQLite fails before it has seen anything of the file.
fn explain(path: &Path, error: rusqlite::Error) -> Fault {
    let shown = path.display();
    match code(&error) {
        Some(ErrorCode::NotADatabase) => not_sqlite(path).into(),
        // SQLite does not tell why: asking the system does.
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
            let why = match fs::File::open(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => "no file can be made in its folder".to_owned(),
                Err(error) => error.kind().to_string(),
                Ok(_) => "SQLite needs to make files beside it and cannot".to_owned(),
            };
            StoreError::Unavailable(format!("`{shown}` cannot be opened: {why}")).into()
        }
        _ => error.into(),
    }
}
