//! `bisect`: since when a condition holds.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure};
use crate::render::{Format, turn};
use esctl::event::StreamName;
use esctl::workbench::bisect::Wanted;

const EXAMPLES: &str = "\
examples:
  esctl bisect account/ada 'state.balance > 0'
  esctl bisect account/ada 'is_open(state)' --last -o json";

/// find the first event after which a condition on a stream's state holds
///
/// The condition is an expression that is true or false, as an invariant is: it sees `state` and `version`, and may call the
/// functions of the domain file. It is asked after every event, so it need not hold from then on. Exits 1 if there is no such
/// event. Reads and stores nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct BisectArgs {
    /// the stream, as `aggregate/id`
    #[arg(value_name = "STREAM")]
    stream: String,
    /// what is to hold
    #[arg(value_name = "CONDITION")]
    condition: String,
    /// the last event that made a difference, whether the condition holds since then or no more
    #[arg(long)]
    last: bool,
}

/// Runs the verb.
pub fn run(args: &BisectArgs, context: &mut Context) -> Result<Exit, Failure> {
    let stream = StreamName::new(&args.stream).map_err(|error| Failure::usage(error.to_string()))?;
    if context.out.format == Format::Csv {
        return Err(Failure::usage("an answer has no rows: use `-o json`"));
    }
    let mut workbench = context.workbench(Purpose::Look)?;
    let condition = workbench.condition(&stream, &args.condition)?.map_err(Failure::misread)?;
    let wanted = if args.last { Wanted::Last } else { Wanted::First };
    let found = workbench.bisect(&stream, &condition, wanted);
    context.say_notes(&workbench.domains);
    let found = found?;
    turn::turn(&stream, &args.condition, found.as_ref(), &mut context.out).map_err(Failure::output)?;
    Ok(if found.is_some() { Exit::Done } else { Exit::No })
}
