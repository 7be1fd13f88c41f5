//! `streams`: what is in the store.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure, ended};
use super::replay::moment;
use crate::render::{Listing, records};

const EXAMPLES: &str = "examples:\n  esctl streams\n  esctl streams 'account/*' -o csv\n  esctl streams --at @2";

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
    /// the list as it was then, at a position (`@120`) or a time
    #[arg(long, value_name = "MOMENT")]
    at: Option<String>,
}

/// Runs the verb.
pub fn run(args: &StreamsArgs, context: &mut Context) -> Result<Exit, Failure> {
    let at = moment(args.at.as_deref())?;
    let mut workbench = context.workbench(Purpose::Look)?;
    if let Some(at) = at {
        workbench = workbench.as_of(at)?;
    }
    let mut listing = Listing::new(records::STREAMS, &mut context.out);
    let done = workbench.streams(args.pattern.as_deref(), &mut |stream| listing.push(&stream));
    ended(done, listing)?;
    Ok(Exit::Done)
}
