//! `trace`: what follows from what.

use super::context::{Context, Purpose};
use super::describe::no_form;
use super::failure::{Exit, Failure};
use crate::render::{Format, trace};

const EXAMPLES: &str = "\
examples:
  esctl trace @1
  esctl trace @1 --flat -o csv
  esctl trace @1 --mermaid";

/// show what a command or an event follows from and what follows from it, as a tree
///
/// Commands name their cause with `--causation`: an event by its position (`@17`), or a command by its id. The tree begins
/// with the first cause that the store knows. With `-o ndjson` and `-o csv` there is a line for each event, with its depth,
/// in the order of the tree; with `--flat` in the order of the log, in every form. Reads and stores nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct TraceArgs {
    /// the id of a command, or the position of an event
    #[arg(value_name = "ID|@POSITION")]
    what: String,
    /// each event on a line, with its depth, in the order of the log
    #[arg(long, conflicts_with = "mermaid")]
    flat: bool,
    /// as a flowchart in Mermaid
    #[arg(long)]
    mermaid: bool,
}

/// Runs the verb.
pub fn run(args: &TraceArgs, context: &mut Context) -> Result<Exit, Failure> {
    if args.mermaid && context.out.format != Format::Table {
        return Err(no_form("leave out `-o` or `--mermaid`"));
    }
    let found = context.workbench(Purpose::Look)?.trace(&args.what)?;
    let out = &mut context.out;
    match (args.flat, args.mermaid) {
        (true, _) => trace::flat(&found, out),
        (_, true) => trace::mermaid(&found, out),
        _ => trace::trace(&found, out),
    }
    .map_err(Failure::output)?;
    Ok(Exit::Done)
}
