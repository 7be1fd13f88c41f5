//! `snapshot`: states of streams that are kept.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure, ended};
use super::replay::named;
use crate::render::{Listing, snapshots, text};
use esctl::event::{StreamName, Version};
use esctl::workbench::Workbench;
use esctl::workbench::snapshot::Progress;
use std::ops::ControlFlow;

const EXAMPLES: &str = "examples:\n  esctl snapshot list\n  esctl snapshot rebuild";
const LIST_EXAMPLES: &str = "examples:\n  esctl snapshot list\n  esctl snapshot list account/ada -o json";
const REBUILD_EXAMPLES: &str = "examples:\n  esctl snapshot rebuild\n  esctl snapshot rebuild account/ada -o json";

/// work with snapshots: states of streams that are kept, so that a long stream need not be folded from its first event
///
/// `send` makes them by itself. No answer depends on one: without them everything is the same, only slower.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct SnapshotArgs {
    #[command(subcommand)]
    verb: SnapshotVerb,
}

#[derive(Debug, clap::Subcommand)]
enum SnapshotVerb {
    /// list the snapshots: of which stream and version, and whether the rules of now can use them
    ///
    /// A snapshot is `current` if the rules of now fold events as those did by which it was made, and `stale` if not: then
    /// it is passed over.
    #[command(after_help = LIST_EXAMPLES)]
    List(StreamsArgs),
    /// make snapshots anew from the events, so that `--at` is fast anywhere; what other rules left is removed
    ///
    /// One at each version that is a multiple of the aggregate's `snapshot`, which is 500 where the domain says nothing. Needed
    /// after an import and after a change of a fold, where the past is to be looked at; what is sent makes its own.
    #[command(after_help = REBUILD_EXAMPLES)]
    Rebuild(StreamsArgs),
}

#[derive(Debug, clap::Args)]
struct StreamsArgs {
    /// of which streams, each as `aggregate/id`; of all if none is named
    #[arg(value_name = "STREAM")]
    streams: Vec<String>,
}

/// Runs the verb.
pub fn run(args: SnapshotArgs, context: &mut Context) -> Result<Exit, Failure> {
    match args.verb {
        SnapshotVerb::List(args) => list(&args, context),
        SnapshotVerb::Rebuild(args) => rebuild(&args, context),
    }?;
    Ok(Exit::Done)
}

/// The workbench, and the streams that are named, which must be there: that is said before anything is listed.
fn known(
    args: &StreamsArgs,
    purpose: Purpose,
    context: &Context,
) -> Result<(Workbench, Vec<(StreamName, Version)>), Failure> {
    let names: Vec<_> = args.streams.iter().map(|name| named(name)).collect::<Result<_, _>>()?;
    let mut workbench = context.workbench(purpose)?;
    let streams = workbench.named_streams(names)?;
    Ok((workbench, streams))
}

fn list(args: &StreamsArgs, context: &mut Context) -> Result<(), Failure> {
    let (mut workbench, streams) = known(args, Purpose::Look, context)?;
    let mut listing = Listing::new(snapshots::SNAPSHOTS, &mut context.out);
    let done = workbench.snapshots(&streams, &mut |listed| listing.push(&listed));
    ended(done, listing)
}

fn rebuild(args: &StreamsArgs, context: &mut Context) -> Result<(), Failure> {
    let (mut workbench, streams) = known(args, Purpose::Project, context)?;
    let mut bar = context.bar_beside_data();
    let mut listing = Listing::new(snapshots::REBUILT, &mut context.out);
    let mut sum = snapshots::Sum::default();
    let mut watch = |progress: Progress<'_>| {
        let (done, total) = (progress.version.0, progress.total.0);
        bar.step(Some((done, total)), || {
            format!("{}: {} of {}", progress.stream.as_str(), text::thousands(done), text::thousands(total))
        });
    };
    // Nobody to read the list any more is no reason to stop.
    let done = workbench.rebuild_snapshots(&streams, &mut watch, &mut |rebuilt| {
        sum.add(&rebuilt);
        let _ = listing.push(&rebuilt);
        ControlFlow::Continue(())
    });
    bar.clear();
    let outcome = ended(done, listing);
    // What was made before something failed is said: it is done.
    if outcome.is_ok() || sum.streams > 0 {
        context.talk.line(&sum.words());
    }
    context.say_notes(&workbench.domains);
    outcome
}
