//! `trace`: what follows from what.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure};
use crate::render::trace;

const EXAMPLES: &str = "examples:\n  esctl trace @1\n  esctl trace @1 -o json";

/// show what a command or an event follows from and what follows from it, as a tree
///
/// Commands name their cause with `--causation`: an event by its position (`@17`), or a command by its id. The tree begins
/// with the first cause that the store knows. With `-o ndjson` and `-o csv` there is a line for each event, with its depth.
/// Reads and stores nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct TraceArgs {
    /// the id of a command, or the position of an event
    #[arg(value_name = "ID|@POSITION")]
    what: String,
}

/// Runs the verb.
pub fn run(args: &TraceArgs, context: &mut Context) -> Result<Exit, Failure> {
    let found = context.workbench(Purpose::Look)?.trace(&args.what)?;
    trace::trace(&found, &mut context.out).map_err(Failure::output)?;
    Ok(Exit::Done)
}
