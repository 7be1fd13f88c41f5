//! `project`: read models.

mod show;

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure};
use crate::render::talk::Ticker;
use crate::render::{Format, Listing, Output, Render, proof, records, text};
use esctl::store::sqlite::SqliteStore;
use esctl::workbench::Workbench;
use esctl::workbench::project::{Freshness, Progress, Rebuilt};
use std::io;

const EXAMPLES: &str = "examples:\n  esctl project status\n  esctl project show balances";
const LIST_EXAMPLES: &str = "examples:\n  esctl project list\n  esctl project list -o json";
const STATUS_EXAMPLES: &str = "examples:\n  esctl project status\n  esctl project status -o csv";
const REBUILD_EXAMPLES: &str = "examples:\n  esctl project rebuild\n  esctl project rebuild balances -o json";
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
    #[command(after_help = REBUILD_EXAMPLES)]
    Rebuild(RebuildArgs),
    /// show the rows of a read model, brought up to date before, or as they were at a moment
    ///
    /// In the order of the key, unless `--order` says another. `--where` and `--order` leave the work to SQLite, within
    /// the limits of `sql`, which `docs/store.md` names.
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
struct RebuildArgs {
    /// which ones; all if none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
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
        ProjectVerb::Rebuild(args) => rebuild(args.names, context),
        ProjectVerb::Show(args) => show::run(&args, context),
        ProjectVerb::Verify(args) => return verify(args.names, context),
    }?;
    Ok(Exit::Done)
}

fn list(context: &mut Context) -> Result<(), Failure> {
    let projections = context.workbench(Purpose::Nothing)?.projections();
    all(&projections, Listing::new(records::PROJECTIONS, &mut context.out))
}

fn status(context: &mut Context) -> Result<(), Failure> {
    let status = context.workbench(Purpose::Suppose)?.project_status()?;
    all(&status, Listing::new(records::STATUS, &mut context.out))
}

fn all(known: &[impl Render], mut listing: Listing<'_>) -> Result<(), Failure> {
    let _ = known.iter().try_for_each(|record| listing.push(record));
    listing.finish().map_err(Failure::output)
}

fn rebuild(names: Vec<String>, context: &mut Context) -> Result<(), Failure> {
    let mut workbench = context.workbench(Purpose::Project)?;
    let names = if names.is_empty() {
        workbench.projections().into_iter().map(|projection| projection.name).collect()
    } else {
        names
    };
    // A name that is not there is said before the first of a long work is begun.
    for name in &names {
        workbench.project_columns(name)?;
    }
    let mut done = Vec::new();
    let all = names.iter().try_for_each(|name| {
        done.push(rebuild_one(name, &mut workbench, context)?);
        Ok(())
    });
    context.say_notes(&workbench.domains);
    // What was rebuilt before another one failed is said: it is done.
    if all.is_ok() || !done.is_empty() {
        tell(&done, &mut context.out)?;
    }
    all
}

fn rebuild_one(name: &str, workbench: &mut Workbench, context: &Context) -> Result<Rebuilt, Failure> {
    let mut ticker = Ticker::before_data();
    let rebuilt = workbench.project_rebuild(name, context.now, &mut |progress| tick(&mut ticker, name, progress))?;
    Ok(rebuilt)
}

/// Says how far a read model has come.
pub(super) fn tick(ticker: &mut Ticker, name: &str, progress: Progress) {
    ticker.say(|| {
        let (done, total) = (text::thousands(progress.done.0), text::thousands(progress.total.0));
        format!("{}: {done} of {total}", text::harmless(name))
    });
}

fn tell(done: &[Rebuilt], out: &mut Output) -> Result<(), Failure> {
    if out.format == Format::Table {
        let lines = done.iter().try_for_each(|rebuilt| out.line(&records::rebuilt(rebuilt)));
        return lines.and_then(|()| io::Write::flush(out)).map_err(Failure::output);
    }
    all(done, Listing::new(records::REBUILT, out))
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
    let mut listing = Listing::new(proof::PROOFS, &mut context.out);
    let mut exit = Exit::Done;
    for name in &names {
        let mut ticker = Ticker::before_data();
        let proven = workbench.project_verify(name, &mut aside, &mut |progress| tick(&mut ticker, name, progress));
        drop(ticker);
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
