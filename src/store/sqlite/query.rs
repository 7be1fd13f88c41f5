//! SQL of a user's own over the store: one statement that reads, within limits.
//!
//! Such a statement may come from anywhere. SQLite asks the guard about everything it would do before it does it, and
//! only what is on a list goes through; what a statement is made of, how much memory it takes and how long it runs is
//! bounded. Its rows are put aside as they come, so that nothing of the store is held open while somebody reads them.

use super::answer;
use super::fault::Fault;
use super::guard::{Asked, Guard, Seen};
use super::words::{explain, first_word, only_reads, second_statement};
use super::{SqliteStore, sum};
use crate::json::Value;
use crate::store::StoreError;
use crate::store::column::{self, Kept};
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::hooks::{AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Batch, Connection, Error, Statement};
use std::collections::BTreeSet;

pub use super::answer::{Answer, AnswerColumn, Cell};

/// The longest statement, in bytes.
pub const MAX_SQL: usize = 100_000;
/// The memory that SQLite may take, for everything, in bytes.
const MAX_MEMORY: i64 = 256 * 1024 * 1024;
/// After so many steps of SQLite's machine it is asked whether to stop; that is well below a millisecond.
const STEPS: i32 = 1_000;

/// What a statement may be made of.
const LIMITS: &[(Limit, i32)] = &[
    (Limit::SQLITE_LIMIT_LENGTH, 10_000_000),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 100_000),
    (Limit::SQLITE_LIMIT_COLUMN, 200),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 100),
    (Limit::SQLITE_LIMIT_PARSER_DEPTH, 500),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 50),
    (Limit::SQLITE_LIMIT_VDBE_OP, 250_000),
    (Limit::SQLITE_LIMIT_FUNCTION_ARG, 50),
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1_000),
    (Limit::SQLITE_LIMIT_VARIABLE_NUMBER, 100),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 1),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
];

/// Why a statement has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// It was not understood, not allowed, or ran into a limit.
    #[error("{}", .0.message)]
    Refused(Refused),
    /// It ran for longer than it may.
    #[error("the statement was stopped")]
    Stopped,
    /// The store cannot be used or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is wrong with a statement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refused {
    /// In words.
    pub message: String,
    /// The byte of the statement at which it is.
    pub at: Option<usize>,
    /// What to do.
    pub hints: Vec<String>,
    /// It names a table or a column that is not there, at least not as yet.
    pub unknown: bool,
}

impl Refused {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<Refused> for QueryError {
    fn from(refused: Refused) -> Self {
        Self::Refused(refused)
    }
}

impl SqliteStore {
    /// The tables and views that a statement reads, all in lower case; what is behind a view as well as the view.
    /// `stop` is asked again and again whether it has had its time.
    pub fn reads(
        &mut self,
        sql: &str,
        stop: impl FnMut() -> bool + Send + 'static,
    ) -> Result<BTreeSet<String>, QueryError> {
        self.guarded(sql, stop, |connection, seen| {
            statement(connection, sql)?;
            Ok(seen.reads())
        })
    }

    /// Runs a statement on one state of the store and gives all of its rows. Every parameter of the statement is given a
    /// value, by its name without the sign before it.
    pub fn ask(
        &mut self,
        sql: &str,
        parameters: &[(String, Value)],
        stop: impl FnMut() -> bool + Send + 'static,
    ) -> Result<Answer, QueryError> {
        self.guarded(sql, stop, |connection, _| {
            let mut statement = statement(connection, sql)?;
            bind(&mut statement, parameters)?;
            answer::collect(&mut statement)
        })
    }

    fn guarded<T>(
        &mut self,
        sql: &str,
        stop: impl FnMut() -> bool + Send + 'static,
        work: impl FnOnce(&Connection, &Seen) -> Result<T, Trouble>,
    ) -> Result<T, QueryError> {
        self.confined((Asked::Statement, sql), stop, |connection| Ok(begin(connection)?), work)
    }

    /// Runs something of the user's within all limits, on one state of the store. `look` is there first, before
    /// the guard: it says what may be read.
    pub(super) fn confined<T>(
        &mut self,
        (asked, text): (Asked, &str),
        stop: impl FnMut() -> bool + Send + 'static,
        look: impl FnOnce(&Connection) -> Result<(Guard, Known), Trouble>,
        work: impl FnOnce(&Connection, &Seen) -> Result<T, Trouble>,
    ) -> Result<T, QueryError> {
        let what = asked.name();
        if let Some(at) = text.find('\0') {
            return Err(Refused { at: Some(at), ..Refused::new(format!("the {what} holds a NUL character")) }.into());
        }
        if text.len() > MAX_SQL {
            return Err(Refused::new(format!("the {what} is longer than {MAX_SQL} bytes")).into());
        }
        self.call(|connection, _| Ok(confine(connection)?))?;
        let (path, busy) = (self.path.clone(), self.options.busy);
        let Some(connection) = &mut self.connection else {
            return Err(StoreError::Unavailable(format!("`{}` was given up", path.display())).into());
        };
        let outcome = watched(connection, stop, look, work);
        outcome.map_err(|(trouble, seen, known)| match trouble {
            Trouble::Refused(refused) => refused.into(),
            Trouble::Store(error) => error.into(),
            Trouble::Fault(fault) => fault.say(&path, busy).into(),
            Trouble::Sql(error) => {
                explain(error, (asked, text), &seen, &known, |error| Fault::Sql(error).say(&path, busy))
            }
        })
    }
}

/// What came in the way, before it is put into words.
pub(super) enum Trouble {
    Refused(Refused),
    Store(StoreError),
    /// In what is our own.
    Fault(Fault),
    /// In what is the user's.
    Sql(Error),
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Sql(error)
    }
}

/// Sets what holds for all that is run on the connection from now on.
fn confine(connection: &Connection) -> Result<(), Error> {
    connection.pragma_update(None, "query_only", true)?;
    // Of the whole process, which does nothing else meanwhile. It can be lowered, and never raised.
    connection.pragma_update_and_check(None, "hard_heap_limit", MAX_MEMORY, |_| Ok(()))?;
    for (limit, value) in LIMITS {
        connection.set_limit(*limit, *value)?;
    }
    sum::register(connection)
}

/// The views and tables there are, with their columns.
pub(super) type Known = Vec<(String, Vec<String>)>;

/// Runs something on one state of the file, with the guard at its post and somebody asking whether to stop.
fn watched<T>(
    connection: &mut Connection,
    stop: impl FnMut() -> bool + Send + 'static,
    look: impl FnOnce(&Connection) -> Result<(Guard, Known), Trouble>,
    work: impl FnOnce(&Connection, &Seen) -> Result<T, Trouble>,
) -> Result<T, (Trouble, Seen, Known)> {
    let begun = connection.execute_batch("BEGIN").map_err(Trouble::from).and_then(|()| look(connection));
    let (guard, known) = match begun {
        Ok(begun) => begun,
        Err(trouble) => {
            let _ = connection.execute_batch("ROLLBACK");
            return Err((trouble, Seen::default(), Known::new()));
        }
    };
    let seen = guard.seen();
    let posted = connection
        .authorizer(Some(move |asked: AuthContext<'_>| guard.judge(&asked)))
        .and_then(|()| connection.progress_handler(STEPS, Some(stop)));
    let outcome = posted.map_err(Trouble::from).and_then(|()| work(connection, &seen));
    // What is asked of SQLite from here on is ours again.
    let _ = connection.progress_handler(0, None::<fn() -> bool>);
    let _ = connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>);
    let _ = connection.execute_batch("ROLLBACK");
    outcome.map_err(|trouble| (trouble, seen, known))
}

/// The names of what is read from pages of the file, and of what is not.
pub(super) fn names(connection: &Connection) -> Result<(Vec<String>, Vec<String>), Error> {
    let list = |sql: &str| -> Result<Vec<String>, Error> {
        connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
    };
    // A virtual table has no pages of its own; opening one runs code that reads what is in the file.
    let plain = list("SELECT name FROM sqlite_schema WHERE type = 'view' OR type = 'table' AND rootpage > 0")?;
    let modules = list(
        "SELECT name FROM pragma_module_list UNION \
         SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage IS NOT NULL AND rootpage = 0",
    )?;
    Ok((plain, modules))
}

fn begin(connection: &Connection) -> Result<(Guard, Known), Error> {
    let (plain, modules) = names(connection)?;
    let mut known = Known::new();
    let mut columns = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    for name in &plain {
        let names = columns.query_map([name], |row| row.get(0))?.collect::<Result<Vec<String>, _>>();
        // A view of somebody else's whose table is gone has none.
        known.push((name.clone(), names.unwrap_or_default()));
    }
    Ok((Guard::new(&plain, &modules), known))
}

/// The one statement of a text.
fn statement<'c>(connection: &'c Connection, sql: &str) -> Result<Statement<'c>, Trouble> {
    let mut batch = Batch::new(connection, sql);
    let refused = |refused| Err(Trouble::Refused(refused));
    let Some(statement) = batch.next()? else {
        return refused(Refused::new("there is no statement").hint("as in `esctl sql 'SELECT * FROM events'`"));
    };
    if !matches!(batch.next(), Ok(None)) {
        let at = second_statement(sql);
        return refused(Refused { at, ..Refused::new("there is a second statement, and `sql` takes one") });
    }
    if statement.is_explain() != 0 {
        return refused(Refused { at: first_word(sql), ..Refused::new("`EXPLAIN` is refused: `sql` runs SELECT") });
    }
    if !statement.readonly() || statement.column_count() == 0 {
        return refused(only_reads(sql));
    }
    Ok(statement)
}

/// Gives every parameter its value; says all that is missing, and all that there is no place for.
fn bind(statement: &mut Statement<'_>, given: &[(String, Value)]) -> Result<(), Trouble> {
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    let mut missing = None;
    for place in 1..=statement.parameter_count() {
        let Some(name) = statement.parameter_name(place).map(|name| name[1..].to_owned()) else {
            return Err(Trouble::Refused(
                Refused::new("a parameter of the statement has no name")
                    .hint("write `:name`, and give it with `--param name=VALUE`"),
            ));
        };
        match given.iter().find(|(known, _)| *known == name) {
            Some((_, value)) => statement.raw_bind_parameter(place, kept(value).map_err(Trouble::Store)?)?,
            None if missing.as_ref() == Some(&name) => {}
            None => {
                wrong.push(format!("the parameter `{name}` is not given"));
                missing = Some(name.clone());
            }
        }
        used.insert(name);
    }
    for (name, _) in given.iter().filter(|(name, _)| !used.contains(name)) {
        wrong.push(format!("the statement has no parameter `{name}`"));
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let refused = Refused::new(wrong.join("; "));
    Err(Trouble::Refused(match missing {
        Some(name) => {
            refused.hint(format!("give it with `--param {name}=VALUE`, or `--param {name}:=JSON` for a number"))
        }
        None => refused,
    }))
}

/// A value as SQL keeps it in a column of its type.
fn kept(value: &Value) -> Result<Kept<'_>, StoreError> {
    Ok(match value {
        Value::Null => Kept::Null,
        Value::Bool(b) => Kept::Integer(i64::from(*b)),
        Value::Integer(n) => Kept::Integer(*n),
        Value::Decimal(d) => column::decimal(*d)?,
        Value::Text(text) => Kept::Text(text.into()),
        other => Kept::Text(other.to_string().into()),
    })
}
