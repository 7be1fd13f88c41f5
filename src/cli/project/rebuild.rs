//! `project rebuild`: read models filled anew.

use super::{all, jobs, stopped, tick};
use crate::cli::context::{Context, Purpose};
use crate::cli::failure::{Exit, Failure};
use crate::render::projections;
use crate::render::{Format, Listing, Output};
use esctl::workbench::Workbench;
use esctl::workbench::project::Manner;
use esctl::workbench::project::rebuild::Rebuilt;
use std::io;
use std::num::NonZeroUsize;

pub(super) const EXAMPLES: &str = "\
examples:
  esctl project rebuild
  esctl project rebuild balances --jobs 2 -o json
  esctl project rebuild balances --key ada";

#[derive(Debug, clap::Args)]
pub(super) struct RebuildArgs {
    /// which ones; all if none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// only the row with this key, of the one that is named, computed anew from all events and put in its place
    #[arg(long, value_name = "KEY", conflicts_with_all = ["park", "jobs"])]
    key: Option<String>,
    /// how many threads work on one; as many as there are cores, where nothing is said and there is much to do. The rows
    /// are the same whatever their number
    #[arg(long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
    /// go on past events that cannot be applied; `project parked` lists them
    #[arg(long)]
    park: bool,
}

/// Runs the verb.
pub(super) fn run(args: &RebuildArgs, context: &mut Context) -> Result<Exit, Failure> {
    if let Some(key) = &args.key {
        return row(&args.names, key, context);
    }
    let mut workbench = context.workbench(Purpose::Project)?;
    let names = if args.names.is_empty() {
        workbench.projections().into_iter().map(|projection| projection.name).collect()
    } else {
        args.names.clone()
    };
    // A name that is not there is said before the first of a long work is begun.
    for name in &names {
        workbench.project_columns(name)?;
    }
    let manner = Manner { jobs: args.jobs, park: args.park };
    let mut done = Vec::new();
    let outcome: Result<(), Failure> = names.iter().try_for_each(|name| {
        done.push(rebuild(name, manner, &mut workbench, context)?);
        Ok(())
    });
    context.say_notes(&workbench.domains);
    // What was rebuilt before another one failed is said: it is done.
    if outcome.is_ok() || !done.is_empty() {
        tell(&done, &mut context.out)?;
    }
    outcome?;
    // One that was begun with `--park` and is ended without: what it lacks was not agreed to now.
    let short = !args.park && done.iter().any(|rebuilt| rebuilt.parked > 0);
    Ok(if short { Exit::No } else { Exit::Done })
}

fn rebuild(name: &str, manner: Manner, workbench: &mut Workbench, context: &Context) -> Result<Rebuilt, Failure> {
    let mut bar = context.bar();
    let mut progress = |progress| tick(&mut bar, name, progress);
    workbench.project_rebuild(name, manner, context.now, &mut progress).map_err(stopped)
}

fn row(names: &[String], key: &str, context: &mut Context) -> Result<Exit, Failure> {
    let [name] = names else {
        return Err(Failure::usage("`--key` is about a row of one projection: name it"));
    };
    let mut workbench = context.workbench(Purpose::Project)?;
    let mut bar = context.bar();
    let rebuilt = workbench.project_rebuild_row(name, key, context.now, &mut |progress| tick(&mut bar, name, progress));
    drop(bar);
    context.say_notes(&workbench.domains);
    tell(&[rebuilt.map_err(Failure::from)?], &mut context.out)?;
    Ok(Exit::Done)
}

fn tell(done: &[Rebuilt], out: &mut Output) -> Result<(), Failure> {
    if out.format == Format::Table {
        let lines = done.iter().try_for_each(|rebuilt| out.line(&projections::rebuilt(rebuilt)));
        return lines.and_then(|()| io::Write::flush(out)).map_err(Failure::output);
    }
    all(done, Listing::new(projections::REBUILT, out))
}
