//! `process show`: instances, and the life of one.

use crate::cli::context::{Context, Purpose};
use crate::cli::failure::{Failure, ended};
use crate::render::{Format, Listing, instances};
use std::io::Write;
use std::ops::ControlFlow;

pub(super) const EXAMPLES: &str = "\
examples:
  esctl process show transfers
  esctl process show transfers t1
  esctl process show transfers --stopped -o ndjson";

#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// which process
    #[arg(value_name = "NAME")]
    name: String,
    /// one of its instances, with all there is to know of it
    #[arg(value_name = "KEY")]
    key: Option<String>,
    /// only instances that stopped
    #[arg(long, conflicts_with = "key")]
    stopped: bool,
    /// only instances that have not ended
    #[arg(long, conflicts_with = "key")]
    open: bool,
    /// at most so many instances
    #[arg(long, value_name = "N", conflicts_with = "key")]
    limit: Option<u64>,
}

/// Shows them.
pub(super) fn run(args: &ShowArgs, context: &mut Context) -> Result<(), Failure> {
    let mut workbench = context.workbench(Purpose::Suppose)?;
    let Some(key) = &args.key else {
        // A name that is not there is said before a list is begun.
        workbench.process_known(&args.name)?;
        let mut left = args.limit.unwrap_or(u64::MAX);
        let mut listing = Listing::new(instances::INSTANCES, &mut context.out);
        let done = workbench.process_instances(&args.name, &mut |instance| {
            if left == 0 {
                return ControlFlow::Break(());
            }
            if (args.stopped && instance.stopped.is_none()) || (args.open && instances::has_ended(&instance)) {
                return ControlFlow::Continue(());
            }
            left -= 1;
            listing.push(&instance)
        });
        return ended(done, listing);
    };
    let instance = workbench.process_instance(&args.name, key)?;
    let mut steps = Vec::new();
    workbench.process_steps(&args.name, &instance.key, &mut |step| {
        steps.push(step);
        ControlFlow::Continue(())
    })?;
    if context.out.format == Format::Csv {
        let mut listing = Listing::new(instances::STEPS, &mut context.out);
        let _ = steps.iter().try_for_each(|step| listing.push(step));
        return listing.finish().map_err(Failure::output);
    }
    let shown = instances::instance(&instance, &steps, &mut context.out);
    shown.and_then(|()| context.out.flush()).map_err(Failure::output)
}
