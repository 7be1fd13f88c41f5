//! `streams`: what is in the store.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure, ended};
use crate::render::{Listing, records};

const EXAMPLES: &str = "examples:\n  esctl streams\n  esctl streams 'account/*' -o csv";

/// list the streams of the store, by name
///
/// Each with its version, which is how many events it has, the positions of its first and its last event, and the
/// time of the last.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct StreamsArgs {
    /// only names like this; `*` stands for any text, `?` for any character
    #[arg(value_name = "PATTERN")]
    pattern: Option<String>,
}

/// Runs the verb.
pub fn run(args: &StreamsArgs, context: &mut Context) -> Result<Exit, Failure> {
    let mut workbench = context.workbench(Purpose::Look)?;
    let mut listing = Listing::new(records::STREAMS, &mut context.out);
    let done = workbench.streams(args.pattern.as_deref(), &mut |stream| listing.push(&stream));
    ended(done, listing)?;
    Ok(Exit::Done)
}
