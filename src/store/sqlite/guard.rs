//! What a statement of a user's own may do: SQLite asks about each thing, and what is not on a list is refused.

use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Functions that only compute. Left out are those that load code, make bytes out of nothing, tell about the program
/// or write to its log.
const FUNCTIONS: &str = "\
    -> ->> abs avg char coalesce concat concat_ws count cume_dist current_date current_time current_timestamp date \
    datetime dense_rank first_value format glob group_concat hex if ifnull iif instr json json_array \
    json_array_insert json_array_length json_error_position json_extract json_group_array json_group_object \
    json_insert json_object json_patch json_pretty json_quote json_remove json_replace json_set json_type json_valid \
    julianday lag last_value lead length like likelihood likely lower ltrim max min nth_value ntile nullif \
    octet_length percent_rank printf quote random rank replace round row_number rtrim sign soundex string_agg \
    strftime substr substring sum time timediff total trim typeof unhex unicode unistr unistr_quote unixepoch \
    unlikely upper";

/// Their names.
pub(super) fn functions() -> impl Iterator<Item = &'static str> {
    FUNCTIONS.split(' ')
}

/// What is said to whatever would write.
pub(super) const ONLY_READS: &str = "the statement is refused: `sql` only reads, with SELECT";

/// The function by which decimals are put in order; it only computes.
pub(super) const ORDER: &str = "es_order";

/// Tables that are none of the file's and only compute.
const COMPUTED: &[&str] = &["json_each", "json_tree"];
/// Tables that tell what is in the file.
const SCHEMA: &[&str] = &["sqlite_master", "sqlite_schema"];

/// What is asked. It decides what may be read, and the words of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// A statement about the whole store.
    Statement,
    /// A condition on the rows of one read model.
    Condition,
}

impl Asked {
    /// As it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Condition => "condition",
        }
    }
}

/// Stands between a statement and the store.
#[derive(Debug)]
pub(super) struct Guard {
    asked: Asked,
    readable: BTreeSet<String>,
    /// What is not even counted.
    closed: BTreeSet<String>,
    seen: Seen,
}

/// What the guard saw.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Sight>>);

#[derive(Debug, Default)]
struct Sight {
    reads: BTreeSet<String>,
    refused: Option<Objection>,
}

/// Something that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Objection {
    pub(super) words: String,
    /// The name in the statement that it is about, if it is about one.
    pub(super) name: Option<String>,
}

impl Seen {
    /// What was read, in lower case.
    pub(super) fn reads(&self) -> BTreeSet<String> {
        self.with(|sight| sight.reads.clone())
    }

    /// The first thing that was refused.
    pub(super) fn refused(&self) -> Option<Objection> {
        self.with(|sight| sight.refused.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Sight) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Guard {
    /// One that lets these tables and views be read, and knows the names of what is no table of the file.
    pub(super) fn new(readable: &[String], modules: &[String]) -> Self {
        let lower = |name: &String| name.to_lowercase();
        let built_in = COMPUTED.iter().chain(SCHEMA).map(ToString::to_string);
        let readable = readable.iter().map(lower).chain(built_in).collect();
        let closed = modules.iter().map(lower).collect();
        Self { asked: Asked::Statement, readable, closed, seen: Seen::default() }
    }

    /// One that lets the rows of one table be read, which are also known by another name, and nothing else of the file:
    /// `others` are the names of that.
    pub(super) fn of_rows(table: &str, also: &str, others: &[String]) -> Self {
        let also = also.to_lowercase();
        let readable = COMPUTED.iter().map(ToString::to_string).chain([table.to_lowercase()]).collect();
        let closed = others.iter().map(|name| name.to_lowercase()).filter(|name| *name != also).collect();
        Self { asked: Asked::Condition, readable, closed, seen: Seen::default() }
    }

    pub(super) fn seen(&self) -> Seen {
        self.seen.clone()
    }

    /// Answers SQLite, and remembers.
    pub(super) fn judge(&self, asked: &AuthContext<'_>) -> Authorization {
        match self.objection(asked) {
            None => Authorization::Allow,
            Some(objection) => {
                self.seen.with(|sight| _ = sight.refused.get_or_insert(objection));
                Authorization::Deny
            }
        }
    }

    fn objection(&self, asked: &AuthContext<'_>) -> Option<Objection> {
        let (words, name) = match asked.action {
            AuthAction::Select | AuthAction::Recursive => return None,
            AuthAction::Read { table_name, column_name } => {
                let table = table_name.to_lowercase();
                // Where no column is read, as by `count(*)`, it may be the name of a WITH as well.
                let closed = self.closed.contains(&table)
                    || table.starts_with("pragma_")
                    || self.asked == Asked::Condition && table.starts_with("sqlite_");
                let harmless = column_name.is_empty() && !closed;
                if !self.readable.contains(&table) && !harmless {
                    let others = match self.asked {
                        Asked::Statement => "`sql` reads the views and tables of the store, and no others",
                        Asked::Condition => "a condition reads the rows of its read model, and `sql` asks about more",
                    };
                    // Where it stands behind a view, the view is what was written.
                    let view = asked.accessor.filter(|name| self.closed.contains(&name.to_lowercase()));
                    let name = view.unwrap_or(table_name);
                    (format!("`{name}` is refused: {others}"), Some(name))
                } else {
                    self.seen.with(|sight| {
                        sight.reads.insert(table);
                        sight.reads.extend(asked.accessor.map(str::to_lowercase));
                    });
                    return None;
                }
            }
            AuthAction::Function { function_name } => {
                if functions().chain([ORDER]).any(|known| known.eq_ignore_ascii_case(function_name)) {
                    return None;
                }
                let who = match self.asked {
                    Asked::Statement => "`sql`",
                    Asked::Condition => "a condition",
                };
                let words = format!("the function `{function_name}` is refused: {who} has those that only compute");
                (words, Some(function_name))
            }
            AuthAction::Pragma { pragma_name, .. } => {
                (format!("the PRAGMA `{pragma_name}` is refused: `sql` runs SELECT"), Some(pragma_name))
            }
            AuthAction::Attach { .. } | AuthAction::Detach { .. } => {
                ("ATTACH and DETACH are refused: `sql` reads one store, which `--store` names".to_owned(), None)
            }
            AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => {
                ("transactions are refused: a statement sees one state of the store anyway".to_owned(), None)
            }
            _ => (ONLY_READS.to_owned(), None),
        };
        Some(Objection { words, name: name.map(str::to_owned) })
    }
}
