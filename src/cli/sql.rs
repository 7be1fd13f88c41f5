//! `sql`: a question in the words of SQL.

use super::asking;
use super::context::{self, Context, Purpose};
use super::failure::{Exit, Failure, Kind};
use super::payload;
use super::project::{stopped, tick};
use crate::render::{Listing, answer};
use esctl::diagnostic::Source;
use esctl::domain::Domains;
use esctl::store::StoreError;
use esctl::store::sqlite::SqliteStore;
use esctl::store::sqlite::query::{Answer, MAX_SQL, QueryError, Refused};
use esctl::workbench::project::Manner;
use esctl::workbench::{Error, Workbench, sql};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

const EXAMPLES: &str = "\
examples:
  esctl sql 'SELECT owner, balance FROM balances ORDER BY balance DESC'
  esctl sql 'SELECT type, data FROM events WHERE stream = :of' --param of=account/ada
  echo 'SELECT max(position) AS head FROM events' | esctl sql - -o json";

/// ask with SQL, read-only: the tables of projections, brought up to date before, and views of the log
///
/// There are a view for each projection, with its name and columns, and the views `events`, `streams`, `commands`,
/// `domains` and `projections`. One statement that reads is run; anything else is refused. `sum` is exact. What is
/// allowed, and how values are printed, is in `docs/store.md`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct SqlArgs {
    /// the statement; `@FILE` reads it from a file, `-` from stdin
    #[arg(value_name = "STATEMENT")]
    statement: String,
    /// a value for a parameter of the statement, `:NAME`, `@NAME` or `$NAME`; `NAME:=JSON` for a number, `true`, `false`
    /// or `null`. May be given several times
    #[arg(long = "param", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// do not bring projections up to date first
    #[arg(long)]
    stale: bool,
    /// go on past events that projections cannot apply; `project parked` lists them
    #[arg(long, conflicts_with = "stale")]
    park: bool,
    /// how many seconds the statement may run
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=context::MAX_TIMEOUT))]
    max_seconds: u64,
}

/// Runs the verb.
pub fn run(args: &SqlArgs, context: &mut Context) -> Result<Exit, Failure> {
    let source = read(&args.statement)?;
    let parameters: Vec<_> = payload::named_values("--param", &args.parameters)?.into_iter().collect();
    let mut asking = Asking { source: &source, seconds: args.max_seconds, domains: domains(context), park: args.park };
    if !args.stale {
        asking.catch_up(context)?;
    }
    let (sql, stop) = (source.text.clone(), asking.stop());
    let answer = asking.within(context, move |store| store.ask(&sql, &parameters, stop))?;
    tell(answer.map_err(|error| asking.failure(error, args.stale))?, context)?;
    Ok(Exit::Done)
}

/// The statement, and where it comes from.
fn read(argument: &str) -> Result<Arc<Source>, Failure> {
    let (name, input): (&str, Box<dyn Read>) = match argument.strip_prefix('@') {
        // `@name` alone is no statement: a parameter stands within one.
        Some(path) => {
            let cannot = |error: io::Error| Failure::usage(format!("`{path}` cannot be read: {error}"));
            (path, Box::new(File::open(path).map_err(cannot)?))
        }
        None if argument == "-" => ("stdin", Box::new(io::stdin().lock())),
        None => return Ok(Source::new("SQL", argument)),
    };
    let mut bytes = Vec::new();
    let cannot = |error: io::Error| Failure::usage(format!("`{name}` cannot be read: {error}"));
    // One byte more than there may be, so that what is too long is seen to be.
    input.take(MAX_SQL as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > MAX_SQL {
        return Err(Failure::usage(format!("`{name}` is longer than {MAX_SQL} bytes, the most a statement may have")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::usage(format!("`{name}` is not UTF-8 text: byte {at}, counted from 0, is not"))
    })?;
    Ok(Source::new(name, text))
}

/// The domain, where there is one: the log can be asked without. It is read when it is needed, and once.
fn domains(context: &Context) -> Option<Result<Rc<Domains>, Failure>> {
    let usual = matches!(&*context.globals.domain, [only] if only == Path::new("domains"));
    let absent = usual && !Path::new("domains").exists();
    (!absent).then(|| context.domains().map(Rc::new))
}

/// A statement on its way.
struct Asking<'a> {
    source: &'a Arc<Source>,
    seconds: u64,
    domains: Option<Result<Rc<Domains>, Failure>>,
    park: bool,
}

impl Asking<'_> {
    fn stop(&self) -> impl FnMut() -> bool + Send + 'static {
        context::after(Duration::from_secs(self.seconds))
    }

    /// Brings the projections that the statement reads up to date. Only those: others may be large, or fail.
    fn catch_up(&mut self, context: &Context) -> Result<(), Failure> {
        let mut done = BTreeSet::new();
        loop {
            let (sql, stop) = (self.source.text.clone(), self.stop());
            let reads = self.within(context, move |store| store.reads(&sql, stop))?;
            if reads.as_ref().is_ok_and(|reads| !sql::reads_more_than_the_log(reads)) {
                return Ok(());
            }
            let domains = match self.domains.take() {
                None => {
                    if reads.is_ok() {
                        context.talk.note("there is no domain: projections are shown as they are");
                    }
                    return Ok(());
                }
                Some(Ok(domains)) => domains,
                Some(Err(failure)) => return Err(failure),
            };
            self.domains = Some(Ok(Rc::clone(&domains)));
            let mut wanted = match &reads {
                Ok(reads) => sql::read_by(&domains, reads),
                // One that was never built, or by rules with other columns: SQLite cannot tell what would be read.
                Err(QueryError::Refused(refused)) if refused.unknown => sql::named_by(&domains, &self.source.text),
                Err(_) => return Ok(()),
            };
            wanted.retain(|name| !done.contains(name));
            if wanted.is_empty() {
                return Ok(());
            }
            let mut workbench = Workbench::new(domains, context.store(Purpose::Project)?);
            for name in wanted {
                catch_up(&name, self.park, &mut workbench, context)?;
                done.insert(name);
            }
        }
    }

    /// Asks the store, opened for this alone.
    fn within<T: Send + 'static>(
        &self,
        context: &Context,
        ask: impl FnOnce(&mut SqliteStore) -> Result<T, QueryError> + Send + 'static,
    ) -> Result<Result<T, QueryError>, Failure> {
        asking::within(context.file_to_read(&context.globals.store)?, self.seconds, ask)
    }

    fn failure(&self, error: QueryError, stale: bool) -> Failure {
        match error {
            QueryError::Store(error) => error.into(),
            QueryError::Stopped => asking::stopped("the statement", self.seconds),
            QueryError::Refused(mut refused) => {
                self.advise(&mut refused, stale);
                Failure::misread(vec![asking::problem(refused, self.source)])
            }
        }
    }

    /// What the domain knows of a name that the store does not know.
    fn advise(&self, refused: &mut Refused, stale: bool) {
        if !refused.unknown || !refused.hints.is_empty() {
            return;
        }
        let Some(Ok(domains)) = &self.domains else {
            refused.hints.push("there is no domain, so nothing is built; `--domain` names one".to_owned());
            return;
        };
        let word = refused.message.strip_prefix("there is no table or view ").map(|word| word.trim_matches('`'));
        let Some(word) = word else { return };
        if let Some(known) = domains.projections().find(|known| known.name.eq_ignore_ascii_case(word)) {
            let how = if stale { "without `--stale` it is built first" } else { "the store cannot be written to" };
            refused.hints.push(format!("`{}` was never built; {how}", known.name));
        } else if let Some(near) = domains.projection_like(word) {
            refused.hints.push(format!("did you mean `{near}`?"));
        }
    }
}

fn catch_up(name: &str, park: bool, workbench: &mut Workbench, context: &Context) -> Result<(), Failure> {
    let mut bar = context.bar();
    let manner = Manner { park, ..Manner::default() };
    let mut progress = |progress| tick(&mut bar, name, progress);
    let caught_up = workbench.project_catch_up(name, manner, context.now, &mut progress);
    drop(bar);
    context.say_notes(&workbench.domains);
    match caught_up {
        Err(Error::Store(StoreError::ReadOnly(why))) => {
            context.talk.note(&format!("`{name}` is not up to date: {why}"));
            Ok(())
        }
        other => other.map(|_| ()).map_err(stopped),
    }
}

fn tell(answer: Answer, context: &mut Context) -> Result<(), Failure> {
    let columns = answer.columns.clone();
    if let Some(name) = answer::twice(&columns).filter(|_| context.out.format.is_json()) {
        return Err(Failure::usage(format!("several columns are called `{name}`, and JSON can tell only one of them"))
            .hint("give each a name of its own with `AS`"));
    }
    let mut listing = Listing::new(answer::columns(&columns), &mut context.out);
    for cells in answer {
        let cells = cells.map_err(|error| {
            Failure::new(Kind::Unavailable, format!("rows that were put aside cannot be read: {error}"))
        })?;
        if listing.push(&answer::AnswerRow { columns: &columns, cells }).is_break() {
            break;
        }
    }
    listing.finish().map_err(Failure::output)
}
