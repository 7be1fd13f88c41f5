//! `events`: the log.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure, ended};
use crate::render::{Listing, records};
use esctl::event::{Position, StreamName};
use esctl::store::EventFilter;
use esctl::workbench::events::EventQuery;

const EXAMPLES: &str = "\
examples:
  esctl events --stream account/ada --limit 10
  esctl events --type Deposited -o ndjson";

/// list the events of the store in the order in which they were stored
///
/// Each event has a position in the whole store and a version in its stream. As JSON it comes with the command that
/// caused it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct EventsArgs {
    /// only of this stream
    #[arg(long, value_name = "STREAM")]
    stream: Option<String>,
    /// only of streams of this aggregate
    #[arg(long, value_name = "NAME")]
    aggregate: Option<String>,
    /// only of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// only after this position; with `--reverse`, only before it
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// at most so many
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// the latest first
    #[arg(long)]
    reverse: bool,
}

/// Runs the verb.
pub fn run(args: EventsArgs, context: &mut Context) -> Result<Exit, Failure> {
    let query = query(args)?;
    let mut workbench = context.workbench(Purpose::Look)?;
    let mut listing = Listing::new(records::EVENTS, &mut context.out);
    let done = workbench.events(&query, &mut |event| listing.push(&event));
    ended(done, listing)?;
    Ok(Exit::Done)
}

fn query(args: EventsArgs) -> Result<EventQuery, Failure> {
    let stream = args.stream.map(|name| StreamName::new(&name)).transpose();
    let filter = EventFilter {
        stream: stream.map_err(|error| Failure::usage(error.to_string()))?,
        aggregate: args.aggregate.map(Into::into),
        kinds: None,
        kind: args.kind.map(Into::into),
    };
    let after = args.after.as_deref().map(position).transpose()?;
    Ok(EventQuery { filter, after, reverse: args.reverse, limit: args.limit })
}

/// A position, as a number or as `@120`.
pub(super) fn position(text: &str) -> Result<Position, Failure> {
    let digits = text.strip_prefix('@').unwrap_or(text);
    let wrong = |_| Failure::usage(format!("`--after {text}` is no position, as in `--after @120`"));
    digits.parse().map(Position).map_err(wrong)
}
