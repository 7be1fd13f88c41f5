//! `diff`: what differs between two states.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure};
use super::replay::moment;
use crate::render::diff;
use esctl::event::StreamName;

const EXAMPLES: &str = "\
examples:
  esctl diff account/ada 1
  esctl diff account/ada 1 @2 -o ndjson
  esctl diff account/ada account/ada --exit-code";

/// show what differs between two moments of a stream, or between two streams
///
/// A moment is a version (`7`), a position (`@120`) or a time; the second one is now where it is left out. Exits 0 whether
/// anything differs or not, unless `--exit-code` is given. Reads and stores nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DiffArgs {
    /// the stream, as `aggregate/id`
    #[arg(value_name = "STREAM")]
    stream: String,
    /// a moment of it, or another stream
    #[arg(value_name = "MOMENT|STREAM")]
    other: String,
    /// a later moment
    #[arg(value_name = "MOMENT")]
    to: Option<String>,
    /// exit 1 if anything differs
    #[arg(long)]
    exit_code: bool,
}

/// Runs the verb.
pub fn run(args: &DiffArgs, context: &mut Context) -> Result<Exit, Failure> {
    let name = |text: &str| StreamName::new(text).map_err(|error| Failure::usage(error.to_string()));
    let stream = name(&args.stream)?;
    let other = if args.other.contains('/') { Some(name(&args.other)?) } else { None };
    if other.is_some() && args.to.is_some() {
        return Err(Failure::usage("two streams are compared as they are now")
            .hint("`esctl replay STREAM --at MOMENT -o json` gives a state at a moment"));
    }
    let to = moment(args.to.as_deref())?;
    let (from, to) = match &other {
        Some(other) => ((&stream, None), (other, None)),
        None => ((&stream, moment(Some(&args.other))?), (&stream, to)),
    };
    let mut workbench = context.workbench(Purpose::Look)?;
    let found = workbench.diff(from, to);
    context.say_notes(&workbench.domains);
    let found = found?;
    diff::diff(&found, &mut context.out).map_err(Failure::output)?;
    Ok(if args.exit_code && !found.changes.is_empty() { Exit::No } else { Exit::Done })
}
