//! `process retry` and `process skip`: what stopped goes on.

use super::run::react;
use crate::cli::context::{Context, Purpose};
use crate::cli::failure::{Exit, Failure};
use crate::cli::react::ReactArgs;
use crate::render::processes;
use esctl::workbench::Workbench;
use esctl::workbench::process::Mended;

pub(super) const RETRY_EXAMPLES: &str =
    "examples:\n  esctl process retry transfers\n  esctl process retry transfers t1 --no-react";
pub(super) const SKIP_EXAMPLES: &str = "\
examples:
  esctl process show transfers --stopped
  esctl process skip transfers t1";

#[derive(Debug, clap::Args)]
pub(super) struct RetryArgs {
    /// which process
    #[arg(value_name = "NAME")]
    name: String,
    /// which instance; all that stopped, and the process itself, if none is named
    #[arg(value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    react: ReactArgs,
}

#[derive(Debug, clap::Args)]
pub(super) struct SkipArgs {
    /// which process
    #[arg(value_name = "NAME")]
    name: String,
    /// which instance; the process itself, stopped at an event whose key failed, if none is named
    #[arg(value_name = "KEY")]
    key: Option<String>,
    #[command(flatten)]
    react: ReactArgs,
}

/// Tries again.
pub(super) fn retry(args: &RetryArgs, context: &mut Context) -> Result<Exit, Failure> {
    let mut workbench = context.workbench(Purpose::Project)?;
    let mended = workbench.process_retry(&args.name, args.key.as_deref(), context.now)?;
    go_on(&mut workbench, (&mended, "tried again"), args.react, context)
}

/// Goes on past it.
pub(super) fn skip(args: &SkipArgs, context: &mut Context) -> Result<Exit, Failure> {
    let mut workbench = context.workbench(Purpose::Project)?;
    let mended = workbench.process_skip(&args.name, args.key.as_deref(), context.now)?;
    go_on(&mut workbench, (&mended, "skipped"), args.react, context)
}

fn go_on(
    workbench: &mut Workbench,
    (mended, what): (&[Mended], &str),
    args: ReactArgs,
    context: &mut Context,
) -> Result<Exit, Failure> {
    if mended.is_empty() {
        context.talk.note("nothing has stopped");
    }
    for one in mended {
        context.talk.note(&processes::mended_line(one, what));
    }
    match args.manner(context.now) {
        Some(manner) => react(workbench, manner, context),
        None => Ok(Exit::Done),
    }
}
