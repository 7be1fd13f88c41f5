//! `streams`: what is in the store.

use super::context::{Context, Purpose};
use super::events::say_unknown;
use super::failure::{Exit, Failure, ended};
use super::replay::moment;
use crate::render::{Listing, records};
use esctl::event::StreamName;
use esctl::store::EventFilter;
use esctl::workbench::Workbench;

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
    let mut any = false;
    let done = workbench.streams(args.pattern.as_deref(), &mut |stream| {
        any = true;
        listing.push(&stream)
    });
    ended(done, listing)?;
    if let Some(pattern) = args.pattern.as_deref().filter(|_| !any) {
        say_none(pattern, &mut workbench, context)?;
    }
    Ok(Exit::Done)
}

/// Says what was probably meant by a pattern that nothing is like.
fn say_none(pattern: &str, workbench: &mut Workbench, context: &Context) -> Result<(), Failure> {
    if pattern.contains(['*', '?']) {
        return Ok(());
    }
    if let Ok(stream) = StreamName::new(pattern) {
        return say_unknown(&EventFilter { stream: Some(stream), ..EventFilter::default() }, workbench, context);
    }
    let domains = &workbench.domains;
    let aggregate = domains.aggregate(pattern).map(|aggregate| &*aggregate.name);
    let meant = aggregate.or_else(|| domains.aggregate_like(pattern)).map(|name| format!("; did you mean `{name}/*`?"));
    context.talk.note(&format!("no stream has the name `{pattern}`{}", meant.unwrap_or_default()));
    Ok(())
}
