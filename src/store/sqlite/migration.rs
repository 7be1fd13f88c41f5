//! A store of an earlier format is brought to today's when it is first written to; as it was it is kept beside it.

use super::fault::Fault;
use super::schema::{self, Found};
use super::turnstile::beside;
use super::{Notice, StoreError, backup, open};
use rusqlite::Connection;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Does that, unless another process did so meanwhile. Only within the write turn.
pub(super) fn bring_up(connection: &Connection, path: &Path, busy: Duration) -> Result<Option<Notice>, Fault> {
    let Found::Older(format) = schema::look(connection, path)? else { return Ok(None) };
    let kept = keep(connection, path, format, busy)?;
    schema::migrate(connection, path)?;
    Ok(Some(Notice::Migrated { store: path.to_owned(), from: format, to: schema::FORMAT, kept }))
}

/// Copies the store to a file beside it that is not there yet, and flushes that to the disk.
fn keep(connection: &Connection, path: &Path, format: i32, busy: Duration) -> Result<PathBuf, Fault> {
    let first = beside(path, &format!("-format-{format}"));
    let part = beside(&first, ".part");
    let failed = |error: &io::Error| {
        let words = format!("`{}` cannot be kept as it is, in `{}`: {error}", path.display(), first.display());
        Fault::Said(StoreError::Unavailable(words))
    };
    // One that was killed while it did this leaves a part.
    let empty = OpenOptions::new().write(true).create(true).truncate(true).open(&part);
    drop(empty.map_err(|error| failed(&error))?);
    let made = backup::copy(connection, &part).map_err(|fault| backup::explain(fault, &part, busy)).and_then(|()| {
        let permissions = fs::metadata(path).map(|metadata| metadata.permissions());
        permissions.and_then(|permissions| fs::set_permissions(&part, permissions)).map_err(|error| failed(&error))?;
        File::open(&part).and_then(|file| file.sync_all()).map_err(|error| failed(&error))?;
        // A copy that was made before a crash stays: only the names of the turn's holder are looked at here.
        let mut kept = first.clone();
        for n in 2.. {
            if !kept.exists() {
                break;
            }
            kept = beside(&first, &format!("-{n}"));
        }
        fs::rename(&part, &kept).map_err(|error| failed(&error))?;
        Ok(kept)
    });
    if made.is_err() {
        let _ = fs::remove_file(&part);
    }
    open::sync_folder(path);
    made
}
