//! `project`: read models.

mod follow;
mod parked;
mod rebuild;
mod show;

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure};
use crate::render::Bar;
use crate::render::{Listing, Render, projections, proof, text};
use esctl::store::sqlite::SqliteStore;
use esctl::workbench::Error;
use esctl::workbench::project::{Freshness, Progress};
use std::num::NonZeroUsize;

const EXAMPLES: &str = "examples:\n  esctl project status\n  esctl project show balances";
const LIST_EXAMPLES: &str = "examples:\n  esctl project list\n  esctl project list -o json";
const STATUS_EXAMPLES: &str = "examples:\n  esctl project status\n  esctl project status -o csv";
const VERIFY_EXAMPLES: &str = "examples:\n  esctl project verify\n  esctl project verify balances -o json";

/// work with read models: tables that projections keep up to date from the events
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ProjectArgs {
    #[command(subcommand)]
    verb: ProjectVerb,
}

#[derive(Debug, clap::Subcommand)]
enum ProjectVerb {
    /// list the projections that the domain declares, with their columns and the events they handle
    #[command(after_help = LIST_EXAMPLES)]
    List,
    /// show how up to date each projection is: the last position it has seen, and how far behind that is
    #[command(after_help = STATUS_EXAMPLES)]
    Status,
    /// fill read models anew from the first event on; the old rows are served until the new ones are complete
    ///
    /// The new rows are written beside the old ones and put in their place in one step. Killed, it goes on where it was
    /// when it is run again; stopped by an event that cannot be applied, it says which and why (exit code 4), and goes on
    /// there when it is run again.
    #[command(after_help = rebuild::EXAMPLES)]
    Rebuild(rebuild::RebuildArgs),
    /// list the events that projections went on past because they could not be applied
    #[command(after_help = parked::EXAMPLES)]
    Parked(parked::ParkedArgs),
    /// try parked events again, each in its place, by the rules of today: the read models are filled anew
    ///
    /// Those without parked events are left alone. Where events are still parked, the exit code is 1.
    #[command(after_help = parked::RETRY_EXAMPLES)]
    Retry(parked::RetryArgs),
    /// show the rows of a read model, brought up to date before, or as they were at a moment
    ///
    /// In the order of the key, unless `--order` says another. `--where` and `--order` leave the work to SQLite, within
    /// the limits of `sql`, which `docs/store.md` names.
    ///
    /// With `--follow` every line says what became of a row since it was printed last: `added`, `changed` or `removed`.
    /// Rows that are there at first are added; of one that is removed only the key is left. As JSON that is
    /// `{"key":…,"difference":…,"row":{…}}`, and `row` is null where it is removed. The rows are read again after each
    /// commit and compared, 100000 of them at most; `--limit` ends it after so many lines (exit 0).
    #[command(after_help = show::EXAMPLES)]
    Show(show::ShowArgs),
    /// prove that the rows are what the events give: they are computed again, aside, and each is compared
    ///
    /// Up to where each read model has got. Prints how many rows and events that were and every difference, with its row,
    /// column and both values. Where there is one, or a read model cannot be compared since other rules filled it, the
    /// exit code is 1. Nothing is written to the store.
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    /// which ones; all that were ever filled if none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// Runs the verb.
pub fn run(args: ProjectArgs, context: &mut Context) -> Result<Exit, Failure> {
    match args.verb {
        ProjectVerb::List => list(context),
        ProjectVerb::Status => status(context),
        ProjectVerb::Rebuild(args) => return rebuild::run(&args, context),
        ProjectVerb::Parked(args) => parked::run(&args, context),
        ProjectVerb::Retry(args) => return parked::retry(&args, context),
        ProjectVerb::Show(args) => show::run(&args, context),
        ProjectVerb::Verify(args) => return verify(args.names, context),
    }?;
    Ok(Exit::Done)
}

fn list(context: &mut Context) -> Result<(), Failure> {
    let projections = context.workbench(Purpose::Nothing)?.projections();
    all(&projections, Listing::new(projections::PROJECTIONS, &mut context.out))
}

fn status(context: &mut Context) -> Result<(), Failure> {
    let status = context.workbench(Purpose::Suppose)?.project_status()?;
    all(&status, Listing::new(projections::STATUS, &mut context.out))
}

fn all(known: &[impl Render], mut listing: Listing<'_>) -> Result<(), Failure> {
    let _ = known.iter().try_for_each(|record| listing.push(record));
    listing.finish().map_err(Failure::output)
}

/// What to do where an event cannot be applied.
pub(super) fn stopped(error: Error) -> Failure {
    let of_script = matches!(error, Error::Script(_));
    let failure = Failure::from(error);
    if of_script { failure.hint("`--park` goes on past it, and `esctl project parked` lists it then") } else { failure }
}

/// Says how far a read model has come.
pub(in crate::cli) fn tick(bar: &mut Bar, name: &str, progress: Progress) {
    let (done, total) = (progress.done.0, progress.total.0);
    bar.step(Some((done, total)), || format!("{name}: {} of {}", text::thousands(done), text::thousands(total)));
}

fn verify(names: Vec<String>, context: &mut Context) -> Result<Exit, Failure> {
    let mut workbench = context.workbench(Purpose::Look)?;
    let names = if names.is_empty() {
        let status = workbench.project_status()?;
        let filled = status.into_iter().filter(|status| status.freshness != Freshness::Never);
        filled.map(|status| status.name).collect()
    } else {
        names
    };
    if names.is_empty() {
        let failure = Failure::usage("no projection was ever filled: there is nothing to compare");
        return Err(failure.hint("`esctl project rebuild` fills them"));
    }
    for name in &names {
        workbench.project_columns(name)?;
    }
    let mut aside = SqliteStore::scratch()?;
    let mut bar = context.bar();
    let mut listing = Listing::new(proof::PROOFS, &mut context.out);
    let mut exit = Exit::Done;
    for name in &names {
        let proven = workbench.project_verify(name, &mut aside, &mut |progress| tick(&mut bar, name, progress));
        bar.clear();
        workbench.domains.take_notes().iter().for_each(|note| context.talk.note(&note.text));
        let proven = match proven {
            Ok(proven) => proven,
            Err(error) => {
                listing.cut();
                return Err(error.into());
            }
        };
        if !proven.is_same() {
            exit = Exit::No;
        }
        if proof::each_line(&proven, &mut listing).is_break() {
            break;
        }
    }
    listing.finish().map_err(Failure::output)?;
    Ok(exit)
}

/// More threads than anybody has cores are a mistake.
const MAX_JOBS: usize = 256;

/// How many threads are to work.
pub(super) fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    let jobs = text.parse::<usize>().ok().filter(|jobs| *jobs <= MAX_JOBS).and_then(NonZeroUsize::new);
    jobs.ok_or_else(|| format!("a number from 1 to {MAX_JOBS} is expected"))
}
