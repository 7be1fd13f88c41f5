//! What it takes to run SQL of the user's: a thread of its own, a time, and mistakes shown in their text.

use super::context;
use super::failure::{Failure, Kind};
use esctl::diagnostic::{Diagnostic, Place, Source};
use esctl::store::sqlite::SqliteStore;
use esctl::store::sqlite::query::{QueryError, Refused};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// What a statement may take beyond its time where SQLite cannot be stopped, before it is left alone.
const GRACE: Duration = Duration::from_secs(1);
/// SQLite goes down into nested expressions; on a stack of this size their limit is reached first.
const STACK: usize = 8 * 1024 * 1024;

/// Asks a store, which is closed afterwards, in a thread of its own: there are things in which SQLite does not ask
/// whether to stop. A thread that goes on with one ends with the process; it only reads.
pub(super) fn within<T: Send + 'static>(
    mut store: SqliteStore,
    seconds: u64,
    ask: impl FnOnce(&mut SqliteStore) -> Result<T, QueryError> + Send + 'static,
) -> Result<Result<T, QueryError>, Failure> {
    let (sender, answer) = mpsc::channel();
    let worker = thread::Builder::new().stack_size(STACK).spawn(move || {
        let answer = ask(&mut store);
        // Whoever reads the answer finds the store closed.
        drop(store);
        let _ = sender.send(answer);
    });
    worker.map_err(|error| Failure::new(Kind::Unavailable, format!("no thread can be started: {error}")))?;
    match answer.recv_timeout(Duration::from_secs(seconds) + GRACE) {
        Ok(answer) => Ok(answer),
        Err(mpsc::RecvTimeoutError::Timeout) => Ok(Err(QueryError::Stopped)),
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err(Failure::new(Kind::Unavailable, "the statement ended in a mistake in esctl itself; please report it"))
        }
    }
}

/// That something had its time.
pub(super) fn stopped(what: &str, seconds: u64) -> Failure {
    let after = if seconds == 1 { "1 second".to_owned() } else { format!("{seconds} seconds") };
    let more = (seconds * 10).min(context::MAX_TIMEOUT);
    Failure::usage(format!("{what} was stopped after {after}")).hint(format!("`--max-seconds {more}` gives it longer"))
}

/// A mistake in SQL, with its place in the text.
pub(super) fn problem(refused: Refused, source: &Arc<Source>) -> Diagnostic {
    let mut problem = Diagnostic::error("sql", refused.message);
    problem.hints = refused.hints;
    problem.place = refused.at.map(|at| word(source, at));
    problem
}

/// The word at that byte.
fn word(source: &Arc<Source>, at: usize) -> Place {
    let at = source.text.floor_char_boundary(at);
    let rest = &source.text[at..];
    let end = match rest.chars().next() {
        Some(quote @ ('"' | '\'' | '`')) => rest[1..].find(quote).map_or(1, |end| end + 2),
        _ => rest.find(|c: char| !c.is_alphanumeric() && !"_.".contains(c)).unwrap_or(rest.len()),
    };
    Place::new(source, at..at + end)
}
