//! `project`: read models.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure, ended};
use crate::render::records::{self, Row};
use crate::render::talk::Ticker;
use crate::render::{Format, Listing, Output, Render, text};
use esctl::workbench::Workbench;
use esctl::workbench::project::{Progress, Rebuilt};
use std::io;

const EXAMPLES: &str = "examples:\n  esctl project status\n  esctl project show balances";
const LIST_EXAMPLES: &str = "examples:\n  esctl project list\n  esctl project list -o json";
const STATUS_EXAMPLES: &str = "examples:\n  esctl project status\n  esctl project status -o csv";
const REBUILD_EXAMPLES: &str = "examples:\n  esctl project rebuild\n  esctl project rebuild balances -o json";
const SHOW_EXAMPLES: &str = "examples:\n  esctl project show balances --key ada\n  esctl project show balances -o csv";

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
    /// show the rows of a read model, brought up to date before
    #[command(after_help = SHOW_EXAMPLES)]
    Show(ShowArgs),
}

#[derive(Debug, clap::Args)]
struct RebuildArgs {
    /// which ones; all if none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// the projection
    #[arg(value_name = "NAME")]
    name: String,
    /// only the row with this key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// at most so many rows
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

/// Runs the verb.
pub fn run(args: ProjectArgs, context: &mut Context) -> Result<Exit, Failure> {
    match args.verb {
        ProjectVerb::List => list(context),
        ProjectVerb::Status => status(context),
        ProjectVerb::Rebuild(args) => rebuild(args.names, context),
        ProjectVerb::Show(args) => show(&args, context),
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

fn tick(ticker: &mut Ticker, name: &str, progress: Progress) {
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

fn show(args: &ShowArgs, context: &mut Context) -> Result<(), Failure> {
    let mut workbench = context.workbench(Purpose::Project)?;
    let columns = workbench.project_columns(&args.name)?;
    let mut ticker = Ticker::before_data();
    let caught_up = workbench.project_catch_up(&args.name, context.now, &mut |progress| {
        tick(&mut ticker, &args.name, progress);
    });
    drop(ticker);
    context.say_notes(&workbench.domains);
    caught_up?;
    let mut listing = Listing::new(Row::columns(&columns), &mut context.out);
    let done = workbench.project_rows(&args.name, args.key.as_deref(), args.limit, &mut |values| {
        listing.push(&Row { columns: &columns, values })
    });
    ended(done, listing)
}
