//! `blame`: where the values of a state come from.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure};
use super::replay::{moment, named};
use crate::render::{Listing, blame};

const EXAMPLES: &str = "examples:\n  esctl blame account/ada\n  esctl blame account/ada balance --at 1 -o ndjson";

/// show for every part of a stream's state which event gave it its value, when, by whom, through which command
///
/// Of nested objects and lists each leaf is listed; an item of a list is known by its place. An event that wrote the value
/// that was there before changed nothing. Reads and stores nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct BlameArgs {
    /// the stream, as `aggregate/id`
    #[arg(value_name = "STREAM")]
    stream: String,
    /// only this part of the state: `balance`, `lines/0`
    #[arg(value_name = "PATH")]
    path: Option<String>,
    /// the state as it was then
    #[arg(long, value_name = "MOMENT")]
    at: Option<String>,
}

/// Runs the verb.
pub fn run(args: &BlameArgs, context: &mut Context) -> Result<Exit, Failure> {
    let stream = named(&args.stream)?;
    let at = moment(args.at.as_deref())?;
    let mut workbench = context.workbench(Purpose::Look)?;
    let blamed = workbench.blame(&stream, at, args.path.as_deref());
    context.say_notes(&workbench.domains);
    let mut listing = Listing::new(blame::LEAVES, &mut context.out);
    let _ = blamed?.iter().try_for_each(|leaf| listing.push(leaf));
    listing.finish().map_err(Failure::output)?;
    Ok(Exit::Done)
}
