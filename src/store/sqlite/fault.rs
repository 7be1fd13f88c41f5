//! What SQLite says, in the user's words, and by what the user can do about it.

use super::StoreError;
use rusqlite::{Error, ErrorCode};
use std::path::Path;
use std::time::Duration;

/// Why something did not work, before it is put into words that name the file.
#[derive(Debug)]
pub(super) enum Fault {
    /// SQLite failed; nothing was stored.
    Sql(Error),
    /// SQLite failed in a COMMIT.
    Commit(Error),
    /// What is in the file contradicts itself; the words say how.
    Contradiction(String),
    /// Put into words already.
    Said(StoreError),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Said(error)
    }
}

impl Fault {
    pub(super) fn contradiction<T>(words: impl Into<String>) -> Result<T, Self> {
        Err(Self::Contradiction(words.into()))
    }

    /// Whether another connection has the turn, or the lock of SQLite, that was asked for.
    pub(super) fn is_busy(&self) -> bool {
        match self {
            Self::Said(error) => matches!(error, StoreError::Busy(_)),
            Self::Sql(error) | Self::Commit(error) => {
                matches!(code(error), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
            }
            Self::Contradiction(_) => false,
        }
    }

    /// Whether there was no space.
    pub(super) fn is_full(&self) -> bool {
        matches!(self, Self::Sql(error) | Self::Commit(error) if code(error) == Some(ErrorCode::DiskFull))
    }

    /// Whether the connection must not be used any more: after an I/O error nobody knows what reached the disk, and
    /// trying again may seem to succeed.
    pub(super) fn ends_connection(&self) -> bool {
        let (Self::Sql(error) | Self::Commit(error)) = self else {
            return false;
        };
        matches!(code(error), Some(ErrorCode::SystemIoFailure))
    }

    /// SQLite's or our words, where it is damage that was met; whatever else it is stays a fault.
    pub(super) fn damage(self) -> Result<String, Self> {
        match self {
            Self::Contradiction(words) => Ok(words),
            Self::Sql(error) => match code(&error) {
                // Without a code of SQLite's it is a value that is not what its column holds.
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) | None => Ok(detail(&error)),
                Some(_) => Err(Self::Sql(error)),
            },
            other => Err(other),
        }
    }

    /// The error for the caller.
    pub(super) fn say(self, path: &Path, busy: Duration) -> StoreError {
        let shown = path.display();
        match self {
            Self::Said(error) => error,
            Self::Contradiction(words) => StoreError::Damaged(format!("`{shown}` is damaged: {words}")),
            Self::Commit(error) if code(&error) == Some(ErrorCode::SystemIoFailure) => StoreError::Unknown(format!(
                "writing `{shown}` failed at the very end: stored or not, only looking again tells ({})",
                detail(&error)
            )),
            Self::Sql(error) | Self::Commit(error) => match code(&error) {
                Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Busy(format!(
                    "`{shown}` is busy: another process holds it for more than {} ms",
                    busy.as_millis()
                )),
                Some(ErrorCode::DiskFull) => StoreError::Unavailable(format!("no space is left for `{shown}`")),
                Some(ErrorCode::ReadOnly) => StoreError::Unavailable(format!("`{shown}` cannot be written to")),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                    StoreError::Damaged(format!("`{shown}` is damaged: {}", detail(&error)))
                }
                Some(
                    ErrorCode::SystemIoFailure
                    | ErrorCode::CannotOpen
                    | ErrorCode::PermissionDenied
                    | ErrorCode::AuthorizationForStatementDenied
                    | ErrorCode::OutOfMemory
                    | ErrorCode::OperationAborted
                    | ErrorCode::OperationInterrupted
                    | ErrorCode::FileLockingProtocolFailed
                    | ErrorCode::NoLargeFileSupport,
                ) => StoreError::Unavailable(format!("`{shown}` cannot be used: {}", detail(&error))),
                // A constraint, a missing table, a value of the wrong type: the statements are ours and fit a store.
                _ => StoreError::Damaged(format!("`{shown}` does not hold what a store holds: {}", detail(&error))),
            },
        }
    }
}

/// The kind of an SQLite error.
pub(super) fn code(error: &Error) -> Option<ErrorCode> {
    match error {
        Error::SqliteFailure(error, _) | Error::SqlInputError { error, .. } => Some(error.code),
        _ => None,
    }
}

/// SQLite's own words, for those who look them up.
fn detail(error: &Error) -> String {
    match error {
        Error::SqliteFailure(error, Some(words)) => format!("{words}, SQLite code {}", error.extended_code),
        Error::SqlInputError { error, msg, .. } => format!("{msg}, SQLite code {}", error.extended_code),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    fn failure(code: i32) -> Error {
        Error::SqliteFailure(ffi::Error::new(code), Some("words".to_owned()))
    }

    fn said(fault: Fault) -> StoreError {
        fault.say(Path::new("a/esctl.db"), Duration::from_secs(5))
    }

    #[test]
    fn an_io_error_at_commit_is_unknown_and_ends_the_connection() {
        for code in [ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_WRITE] {
            assert!(Fault::Commit(failure(code)).ends_connection());
            let StoreError::Unknown(words) = said(Fault::Commit(failure(code))) else { panic!("code {code}") };
            assert!(words.contains("`a/esctl.db`") && words.contains(&code.to_string()), "{words}");
        }
    }

    #[test]
    fn an_io_error_before_the_commit_stored_nothing_and_ends_the_connection() {
        assert!(Fault::Sql(failure(ffi::SQLITE_IOERR_WRITE)).ends_connection());
        assert!(matches!(said(Fault::Sql(failure(ffi::SQLITE_IOERR_WRITE))), StoreError::Unavailable(_)));
    }

    #[test]
    fn what_can_be_waited_for_or_mended_is_unavailable() {
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_READONLY, ffi::SQLITE_CANTOPEN, ffi::SQLITE_PERM] {
            for fault in [Fault::Sql(failure(code)), Fault::Commit(failure(code))] {
                assert!(!fault.ends_connection(), "code {code}");
                assert!(matches!(said(fault), StoreError::Unavailable(_)), "code {code}");
            }
        }
        assert_eq!(said(Fault::Commit(failure(ffi::SQLITE_FULL))).to_string(), "no space is left for `a/esctl.db`");
    }

    #[test]
    fn what_is_over_when_another_process_is_done_is_busy() {
        for fault in [Fault::Sql(failure(ffi::SQLITE_BUSY)), Fault::Commit(failure(ffi::SQLITE_BUSY))] {
            assert!(fault.is_busy() && !fault.ends_connection());
            let StoreError::Busy(words) = said(fault) else { panic!("not busy") };
            assert_eq!(words, "`a/esctl.db` is busy: another process holds it for more than 5000 ms");
        }
        assert!(Fault::Said(StoreError::Busy(String::new())).is_busy());
    }

    #[test]
    fn what_contradicts_itself_is_damaged() {
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_CORRUPT_INDEX, ffi::SQLITE_NOTADB, ffi::SQLITE_CONSTRAINT] {
            assert!(matches!(said(Fault::Sql(failure(code))), StoreError::Damaged(_)), "code {code}");
        }
    }
}
