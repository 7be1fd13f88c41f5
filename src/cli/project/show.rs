//! `project show`: the rows of a read model, all or some of them.

use super::{follow, stopped, tick};
use crate::cli::asking;
use crate::cli::context::{self, Context, Purpose};
use crate::cli::failure::{Failure, ended};
use crate::cli::replay::moment;
use crate::render::Listing;
use crate::render::records::Row;
use esctl::diagnostic::{Diagnostic, Place, Source, suggest};
use esctl::json::Value;
use esctl::store::sqlite::SqliteStore;
use esctl::store::sqlite::choose::{Choice, Chosen, Order};
use esctl::store::sqlite::query::QueryError;
use esctl::store::{Store, StoreError};
use esctl::workbench::project::show::Shown;
use esctl::workbench::project::{ColumnInfo, Manner, Wanted};
use esctl::workbench::{Error, Workbench};
use std::sync::Arc;
use std::time::Duration;

pub const EXAMPLES: &str = "\
examples:
  esctl project show balances --key ada
  esctl project show balances --where \"balance > 10 AND owner LIKE 'A%'\"
  esctl project show balances --order -balance,owner --limit 3 --columns owner,balance
  esctl project show balances --at @2 -o csv
  esctl project show balances --follow --where 'balance > 0' --limit 1 -o ndjson";

/// The place of the key in a read model.
const KEY: usize = 0;

#[derive(Debug, clap::Args)]
pub struct ShowArgs {
    /// the projection
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// only the row with this key
    #[arg(long, value_name = "KEY")]
    pub(super) key: Option<String>,
    /// only rows for which this is true: an expression in SQL over the columns, as `balance > 10 AND owner LIKE 'A%'`
    #[arg(long = "where", value_name = "SQL", allow_hyphen_values = true)]
    pub(super) condition: Option<String>,
    /// sorted by this column, `-COLUMN` the largest first; several have commas between, or are given one after the other.
    /// What is the same is sorted by the key
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    pub(super) order: Vec<String>,
    /// only these columns, in this order
    #[arg(long, value_name = "A,B")]
    columns: Option<String>,
    /// at most so many rows
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<u64>,
    /// the rows as they were then, at a position or a time: computed from the events up to it by the rules of today, and
    /// written nowhere
    #[arg(long, value_name = "MOMENT")]
    pub(super) at: Option<String>,
    /// the rows as they are in the store, with the columns that they have there: nothing is brought up to date or written
    #[arg(long, conflicts_with = "at")]
    pub(super) stale: bool,
    /// go on past events that cannot be applied; `project parked` lists them
    #[arg(long, conflicts_with = "stale")]
    pub(super) park: bool,
    /// how many seconds `--where` and `--order` may take
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=context::MAX_TIMEOUT))]
    max_seconds: u64,
    /// print the rows, and then those that come, change or go, each when that is committed; not with `-o json`
    #[arg(short, long)]
    follow: bool,
}

/// Runs the verb.
pub(super) fn run(args: &ShowArgs, context: &mut Context) -> Result<(), Failure> {
    if args.follow {
        return follow::run(args, context);
    }
    if args.stale {
        let domains = context.domains()?;
        let mut store = context.file_to_read(&context.globals.store)?;
        let shown = Shown::stale(&domains, &args.name, &mut store)?;
        let picked = Picked::new(args, &shown.columns())?;
        return list(args, &shown, &picked, Rows::Alone(Box::new(store)), context);
    }
    let at = moment(args.at.as_deref())?;
    let purpose = if at.is_some() { Purpose::Look } else { Purpose::Project };
    let mut workbench = context.workbench(purpose)?;
    // What is not there is said before a long work is begun.
    let picked = Picked::new(args, &workbench.project_columns(&args.name)?)?;
    let mut bar = context.bar();
    let mut progress = |progress| tick(&mut bar, &args.name, progress);
    let manner = Manner { park: args.park, ..Manner::default() };
    if let Some(at) = at {
        let mut aside = SqliteStore::scratch()?;
        let computed = workbench.project_past(&args.name, at, manner, &mut aside, &mut progress);
        drop(bar);
        context.say_notes(&workbench.domains);
        let shown = workbench.project_shown(&args.name, computed.map_err(stopped_in_the_past)?)?;
        drop(workbench);
        return list(args, &shown, &picked, Rows::Alone(Box::new(aside)), context);
    }
    let caught_up = workbench.project_catch_up(&args.name, manner, context.now, &mut progress);
    drop(bar);
    context.say_notes(&workbench.domains);
    caught_up.map_err(stopped)?;
    let shown = workbench.project_served(&args.name)?;
    list(args, &shown, &picked, Rows::Kept(workbench), context)
}

/// Nothing is written there, so that `project parked` would not list it.
fn stopped_in_the_past(error: Error) -> Failure {
    let of_script = matches!(error, Error::Script(_));
    let failure = Failure::from(error);
    if of_script { failure.hint("`--park` goes on past it") } else { failure }
}

/// Where the rows are.
enum Rows {
    /// In the store that a workbench holds.
    Kept(Workbench),
    /// In a store by itself: opened only to read, or computed aside.
    Alone(Box<SqliteStore>),
}

fn list(args: &ShowArgs, shown: &Shown, picked: &Picked, rows: Rows, context: &mut Context) -> Result<(), Failure> {
    let key = args.key.as_deref().map(|text| shown.key(text)).transpose()?;
    if args.condition.is_none() && picked.order.is_empty() {
        return page(args, shown, picked, rows, context);
    }
    let choice = Choice {
        condition: args.condition.clone(),
        key,
        order: picked.order.clone(),
        columns: picked.places.clone(),
        limit: args.limit,
    };
    let chosen = choose(args, shown, choice, rows, context)?;
    let mut listing = Listing::new(Row::columns(&picked.columns), &mut context.out);
    for values in chosen {
        let values = match values {
            Ok(values) => values,
            Err(error) => {
                listing.cut();
                return Err(error.into());
            }
        };
        if listing.push(&Row { columns: &picked.columns, values }).is_break() {
            break;
        }
    }
    listing.finish().map_err(Failure::output)
}

/// Lists rows as they are read, page by page.
fn page(args: &ShowArgs, shown: &Shown, picked: &Picked, mut rows: Rows, context: &mut Context) -> Result<(), Failure> {
    let store: &mut dyn Store = match &mut rows {
        Rows::Kept(workbench) => workbench.store.as_mut(),
        Rows::Alone(store) => store.as_mut(),
    };
    let wanted = Wanted { key: args.key.as_deref(), limit: args.limit };
    let mut listing = Listing::new(Row::columns(&picked.columns), &mut context.out);
    let done = shown.rows(store, &wanted, &mut |row| {
        let values = picked.of(row);
        listing.push(&Row { columns: &picked.columns, values })
    });
    ended(done, listing)
}

/// Has the store choose and sort, and closes it: whoever reads the rows slowly holds nothing open.
fn choose(args: &ShowArgs, shown: &Shown, choice: Choice, rows: Rows, context: &Context) -> Result<Chosen, Failure> {
    let store = match rows {
        Rows::Alone(store) => *store,
        Rows::Kept(workbench) => {
            drop(workbench);
            context.file_to_read(&context.globals.store)?
        }
    };
    Ok(chosen(args, shown, choice, store)??)
}

/// The same, in a store that is closed afterwards; what the store itself has to say is told apart.
pub(super) fn chosen(
    args: &ShowArgs,
    shown: &Shown,
    choice: Choice,
    store: SqliteStore,
) -> Result<Result<Chosen, StoreError>, Failure> {
    let stop = context::after(Duration::from_secs(args.max_seconds));
    let (table, generation) = (shown.table.clone(), shown.generation);
    let chosen = asking::within(store, args.max_seconds, move |store| store.choose(&table, generation, &choice, stop))?;
    match chosen {
        Ok(chosen) => Ok(Ok(chosen)),
        Err(QueryError::Store(error)) => Ok(Err(error)),
        Err(QueryError::Stopped) => Err(asking::stopped("choosing the rows", args.max_seconds)),
        Err(QueryError::Refused(refused)) => {
            let source = Source::new("--where", args.condition.as_deref().unwrap_or_default());
            Err(Failure::misread(vec![asking::problem(refused, &source)]))
        }
    }
}

/// The columns to show, and those to sort by.
#[derive(Clone)]
pub(super) struct Picked {
    /// Their places in the read model.
    pub(super) places: Vec<usize>,
    pub(super) columns: Vec<ColumnInfo>,
    order: Vec<Order>,
    /// All of them, as they come.
    all: bool,
}

impl Picked {
    /// Finds the columns that are named; all that is wrong with their names is said at once.
    pub(super) fn new(args: &ShowArgs, known: &[ColumnInfo]) -> Result<Self, Failure> {
        let mut problems = Vec::new();
        let mut places = Vec::new();
        let mut order: Vec<Order> = Vec::new();
        if let Some(text) = &args.columns {
            for named in named("--columns", text) {
                places.extend(named.place(known, &places, &mut problems));
            }
        } else {
            places.extend(0..known.len());
        }
        let mut sorted = Vec::new();
        for text in &args.order {
            for mut named in named("--order", text) {
                let descending = named.take_minus();
                if let Some(column) = named.place(known, &sorted, &mut problems) {
                    sorted.push(column);
                    order.push(Order { column, descending });
                }
            }
        }
        if !problems.is_empty() {
            return Err(Failure::misread(problems));
        }
        let columns = places.iter().map(|place| known[*place].clone()).collect();
        Ok(Self { places, columns, order, all: args.columns.is_none() })
    }

    /// The same with the key, which comes first where it is not named.
    pub(super) fn with_key(mut self, known: &[ColumnInfo]) -> Self {
        if let Some(key) = known.first().filter(|_| !self.places.contains(&KEY)) {
            self.places.insert(0, KEY);
            self.columns.insert(0, key.clone());
        }
        self
    }

    /// Where the key stands among them.
    pub(super) fn key_place(&self) -> usize {
        self.places.iter().position(|place| *place == KEY).unwrap_or_default()
    }

    /// What is to be shown of a row.
    pub(super) fn of(&self, mut row: Vec<Value>) -> Vec<Value> {
        if self.all {
            return row;
        }
        self.places.iter().map(|place| row.get_mut(*place).map(std::mem::take).unwrap_or_default()).collect()
    }
}

/// A column as it is named in an argument.
struct Named {
    source: Arc<Source>,
    start: usize,
    end: usize,
}

/// The names in an argument, with commas between.
fn named(argument: &str, text: &str) -> Vec<Named> {
    let source = Source::new(argument, text);
    let mut start = 0;
    let mut found = Vec::new();
    for part in text.split(',') {
        let name = part.trim();
        let from = start + (part.len() - part.trim_start().len());
        found.push(Named { source: Arc::clone(&source), start: from, end: from + name.len() });
        start += part.len() + 1;
    }
    found
}

impl Named {
    fn name(&self) -> &str {
        &self.source.text[self.start..self.end]
    }

    /// Takes the sign for "the largest first" off, if there is one. No name begins with it.
    fn take_minus(&mut self) -> bool {
        let minus = self.name().starts_with('-');
        self.start += usize::from(minus);
        minus
    }

    /// Its place in the read model, unless it is not there or was named `before`.
    fn place(&self, known: &[ColumnInfo], before: &[usize], problems: &mut Vec<Diagnostic>) -> Option<usize> {
        let name = self.name();
        let place = known.iter().position(|column| column.name == name);
        let problem = match place {
            Some(place) if before.contains(&place) => {
                Diagnostic::error("column", format!("the column `{name}` is named twice"))
            }
            Some(place) => return Some(place),
            None if name.is_empty() => Diagnostic::error("column", "the name of a column is missing"),
            None => {
                let problem = Diagnostic::error("column", format!("there is no column `{name}`"));
                match suggest(name, known.iter().map(|column| column.name.as_str())) {
                    Some(near) => problem.hint(format!("did you mean `{near}`?")),
                    None => {
                        let all: Vec<_> = known.iter().map(|column| format!("`{}`", column.name)).collect();
                        problem.hint(format!("the columns are {}", all.join(", ")))
                    }
                }
            }
        };
        problems.push(problem.at(Place::new(&self.source, self.start..self.end)));
        None
    }
}
