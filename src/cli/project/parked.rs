//! `project parked` and `project retry`: events that projections went on past.

use super::{all, tick};
use crate::cli::context::{Context, Purpose};
use crate::cli::failure::{Exit, Failure, ended};
use crate::render::projections;
use crate::render::{Format, Listing};
use esctl::workbench::project::Manner;
use std::io;

pub(super) const EXAMPLES: &str = "examples:\n  esctl project parked\n  esctl project parked balances -o json";
pub(super) const RETRY_EXAMPLES: &str = "examples:\n  esctl project retry\n  esctl project retry balances -o json";

#[derive(Debug, clap::Args)]
pub(super) struct ParkedArgs {
    /// of which ones; of all if none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct RetryArgs {
    /// of which ones; of all if none is named
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// Lists them.
pub(super) fn run(args: &ParkedArgs, context: &mut Context) -> Result<(), Failure> {
    let mut workbench = context.workbench(Purpose::Suppose)?;
    // A name that is not there is said before a list is begun.
    for name in &args.names {
        workbench.project_columns(name)?;
    }
    let mut listing = Listing::new(projections::PARKED, &mut context.out);
    let done = workbench.project_parked(&args.names, &mut |parked| listing.push(&parked));
    ended(done, listing)
}

/// Tries them again.
pub(super) fn retry(args: &RetryArgs, context: &mut Context) -> Result<Exit, Failure> {
    let mut workbench = context.workbench(Purpose::Project)?;
    let names = if args.names.is_empty() {
        workbench.projections().into_iter().map(|projection| projection.name).collect()
    } else {
        args.names.clone()
    };
    for name in &names {
        workbench.project_columns(name)?;
    }
    let mut done = Vec::new();
    for name in &names {
        let mut bar = context.bar();
        let mut progress = |progress| tick(&mut bar, name, progress);
        done.extend(workbench.project_retry(name, Manner::default(), context.now, &mut progress)?);
    }
    context.say_notes(&workbench.domains);
    let short = done.iter().any(|retried| retried.rebuilt.parked > 0);
    if context.out.format == Format::Table {
        let lines = done.iter().try_for_each(|retried| context.out.line(&projections::retried(retried)));
        lines.and_then(|()| io::Write::flush(&mut context.out)).map_err(Failure::output)?;
        if done.is_empty() {
            context.talk.note("nothing is parked");
        }
    } else {
        all(&done, Listing::new(projections::RETRIED, &mut context.out))?;
    }
    Ok(if short { Exit::No } else { Exit::Done })
}
