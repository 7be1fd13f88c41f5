//! What SQLite says of a statement, in the words of the house, with the place in it and what was probably meant.

use super::fault::code;
use super::guard::{Asked, ONLY_READS, Seen, functions};
use super::query::{Known, QueryError, Refused};
use crate::diagnostic;
use crate::store::StoreError;
use rusqlite::{Error, ErrorCode};

/// What SQLite's complaint means for whoever wrote the statement.
pub(super) fn explain(
    error: Error,
    (asked, sql): (Asked, &str),
    seen: &Seen,
    known: &Known,
    say: impl FnOnce(Error) -> StoreError,
) -> QueryError {
    if let Some(objection) = seen.refused() {
        let at = objection.name.and_then(|name| find(sql, &name)).or_else(|| first_word(sql));
        return Refused { at, ..Refused::new(objection.words) }.into();
    }
    let what = asked.name();
    let (words, at) = match &error {
        // The place is counted in what was left of the text when the statement was prepared.
        Error::SqlInputError { msg, sql: rest, offset, .. } => {
            (msg.clone(), usize::try_from(*offset).ok().map(|offset| sql.len() - rest.len().min(sql.len()) + offset))
        }
        Error::SqliteFailure(_, Some(words)) => (words.clone(), None),
        other => (other.to_string(), None),
    };
    match code(&error) {
        Some(ErrorCode::OperationInterrupted) => QueryError::Stopped,
        Some(ErrorCode::OutOfMemory) => Refused::new(format!("the {what} needs more than 256 MB of memory")).into(),
        Some(ErrorCode::TooBig) => match words.as_str() {
            "string or blob too big" => {
                Refused::new(format!("a text or blob of the {what} is longer than 10 MB")).into()
            }
            _ => Refused::new(words).into(),
        },
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::SystemIoFailure
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::CannotOpen
            | ErrorCode::DiskFull
            | ErrorCode::PermissionDenied
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport,
        ) => say(error).into(),
        // Views say so in other words than tables.
        Some(ErrorCode::ReadOnly) => only_reads(sql).into(),
        _ if words.starts_with("cannot modify ") => only_reads(sql).into(),
        _ => in_words(&words, at, (asked, sql), known).into(),
    }
}

pub(super) fn only_reads(sql: &str) -> Refused {
    Refused { at: first_word(sql), ..Refused::new(ONLY_READS) }
}

/// Where a name stands, whatever its case.
fn find(sql: &str, name: &str) -> Option<usize> {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let (lower, name) = (sql.to_ascii_lowercase(), name.to_ascii_lowercase());
    let whole = |at: &usize| !lower[..*at].ends_with(part) && !lower[at + name.len()..].starts_with(part);
    lower.match_indices(&name).map(|(at, _)| at).find(whole)
}

/// Where the statement begins.
pub(super) fn first_word(sql: &str) -> Option<usize> {
    sql.find(|c: char| !c.is_whitespace() && c != ';')
}

/// The commonest complaints in the words of the house, with what was probably meant; others in SQLite's.
fn in_words(words: &str, at: Option<usize>, (asked, sql): (Asked, &str), known: &Known) -> Refused {
    let after = |start: &str| words.strip_prefix(start).map(|rest| rest.split(" - should").next().unwrap_or(rest));
    let last = |name: &str| name.rsplit('.').next().unwrap_or(name).trim_matches('"').to_owned();
    let meant = |word: &str, candidates: &mut dyn Iterator<Item = &str>| {
        diagnostic::suggest(word, candidates).map(|near| format!("did you mean `{near}`?"))
    };
    let (message, hint, name) = if let Some(name) = after("no such table: ") {
        let word = last(name);
        let hint = meant(&word, &mut known.iter().map(|(name, _)| name.as_str()));
        (format!("there is no table or view `{word}`"), hint, Some(word))
    } else if let Some(name) = after("no such column: ") {
        let word = last(name);
        let text = name.starts_with('"').then(|| format!("a text stands in single quotes: `'{word}'`"));
        let lower = sql.to_lowercase();
        // Columns of what the statement names come first.
        let named = known.iter().filter(|(name, _)| lower.contains(&name.to_lowercase()));
        let hint = meant(&word, &mut named.flat_map(|(_, columns)| columns).map(String::as_str)).or(text);
        (format!("there is no column `{}`", name.trim_matches('"')), hint, Some(word))
    } else if let Some(name) = after("no such function: ") {
        let hint = meant(name, &mut functions());
        (format!("there is no function `{name}`"), hint, Some(name.to_owned()))
    } else if let Some(near) = words.strip_prefix("near \"").and_then(|rest| rest.strip_suffix("\": syntax error")) {
        (format!("`{near}` is not understood here"), None, None)
    } else if words == "incomplete input" {
        let end = Refused::new(format!("the {} ends too early", asked.name()));
        return Refused { at: Some(sql.trim_end().len()), ..end };
    } else {
        (words.to_owned(), None, None)
    };
    let at = at.or_else(|| find(sql, &name?));
    let unknown = words.starts_with("no such table") || words.starts_with("no such column");
    Refused { message, at, hints: hint.into_iter().collect(), unknown }
}
/// Where the second statement of a text begins, if one can be seen: after a `;` that is neither in quotes nor in a comment.
pub(super) fn second_statement(sql: &str) -> Option<usize> {
    let mut at = 0;
    let mut ended = false;
    let mut begun = false;
    while let Some(c) = sql[at..].chars().next() {
        let rest = &sql[at..];
        let skip =
            |open: usize, close: &str| rest[open..].find(close).map_or(rest.len(), |end| open + end + close.len());
        let length = match c {
            '-' if rest.starts_with("--") => skip(2, "\n"),
            '/' if rest.starts_with("/*") => skip(2, "*/"),
            ';' => {
                ended = begun;
                1
            }
            c if c.is_whitespace() => c.len_utf8(),
            _ if ended => return Some(at),
            c => {
                begun = true;
                match c {
                    '\'' | '"' | '`' => skip(1, c.encode_utf8(&mut [0; 4])),
                    '[' => skip(1, "]"),
                    c => c.len_utf8(),
                }
            }
        };
        at += length;
    }
    None
}
