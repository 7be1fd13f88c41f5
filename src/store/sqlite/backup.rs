//! A copy of the whole file while others use it, and whether a file is sound.

use super::StoreError;
use super::fault::{Fault, code};
use super::open::in_folder;
use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// Copies what the file holds now. All of it is one step: between two, another process's commit would make SQLite
/// begin again, and on a busy store that never ends. Writers are not kept waiting, only the log grows meanwhile.
pub(super) fn copy(connection: &Connection, to: &Path) -> Result<(), Fault> {
    let mut copy = open(to)?;
    // Who is killed here starts anew with another file: neither a journal nor flushing is of use.
    mode(&copy, "OFF")?;
    copy.pragma_update(None, "synchronous", "OFF")?;
    let step = Backup::new(connection, &mut copy)?.step(-1)?;
    close(copy)?;
    if !matches!(step, StepResult::Done) {
        return Err(StoreError::Unavailable(format!("`{}` could not be made: the store is busy", to.display())).into());
    }
    // The pages say that there is a log beside the file. Without one, the copy is one file that can be moved and read
    // anywhere; whoever writes to it turns the log on again.
    let copy = open(to)?;
    mode(&copy, "DELETE")?;
    close(copy)
}

/// Whether SQLite finds the file sound.
pub(super) fn check(connection: &Connection) -> Result<(), Fault> {
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Fault::contradiction(found) }
}

/// What went wrong, with the name of the file it is about: what is damaged is the store, all else is about the copy.
pub(super) fn explain(fault: Fault, to: &Path, busy: Duration) -> Fault {
    match &fault {
        Fault::Sql(error) if matches!(code(error), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) => fault,
        _ => Fault::Said(fault.say(to, busy)),
    }
}

fn open(path: &Path) -> Result<Connection, Fault> {
    Ok(Connection::open_with_flags(
        in_folder(path),
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?)
}

fn mode(connection: &Connection, mode: &str) -> Result<(), Fault> {
    let got: String = connection.pragma_update_and_check(None, "journal_mode", mode, |row| row.get(0))?;
    if got.eq_ignore_ascii_case(mode) {
        return Ok(());
    }
    Err(StoreError::Unavailable(format!("the copy is in the journal mode `{got}` and does not leave it")).into())
}

/// Closes, and says what fails in that: what was written last may not be there.
fn close(connection: Connection) -> Result<(), Fault> {
    connection.close().map_err(|(_, error)| error.into())
}
