//! `bisect`: since when a condition holds.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure};
use super::replay::named;
use crate::render::{Format, turn};
use esctl::workbench::bisect::Wanted;

const EXAMPLES: &str = "\
examples:
  esctl bisect account/ada 'state.balance > 0'
  esctl bisect account/ada 'is_open(state)' --last -o json
  esctl bisect --projection balances --key ada 'row.deposits >= 2'";

/// find the first event after which a condition on a stream's state holds, or on a row of a read model
///
/// The condition is an expression that is true or false, as an invariant is: it sees `state` and `version`, and may call the
/// functions of the domain file. On a row it sees `row`, as in `row.balance`, and `exists`: where there is no row, `row` is
/// what a new one begins with. It is asked after every event, so it need not hold from then on. Exits 1 if there is no such
/// event. Rows are computed aside by the rules of today. Stores nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, allow_missing_positional = true)]
#[command(override_usage = "esctl bisect [OPTIONS] STREAM CONDITION\n       \
                            esctl bisect [OPTIONS] --projection NAME --key KEY CONDITION")]
pub struct BisectArgs {
    /// the stream, as `aggregate/id`
    #[arg(value_name = "STREAM")]
    stream: Option<String>,
    /// what is to hold
    #[arg(value_name = "CONDITION", required = true)]
    condition: String,
    /// the last event that made a difference, whether the condition holds since then or no more
    #[arg(long)]
    last: bool,
    /// look at a row of this projection
    #[arg(long, value_name = "NAME")]
    projection: Option<String>,
    /// the key of the row
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    key: Option<String>,
}

/// Runs the verb.
pub fn run(args: &BisectArgs, context: &mut Context) -> Result<Exit, Failure> {
    if context.out.format == Format::Csv {
        return Err(Failure::usage("an answer has no rows: use `-o json`"));
    }
    match (&args.projection, &args.key, &args.stream) {
        (Some(projection), Some(key), None) => row(projection, key, args, context),
        (None, None, Some(stream)) => state(stream, args, context),
        (Some(_), Some(_), Some(_)) => Err(Failure::usage("a condition is on a stream or on a row, not on both")),
        (Some(_), None, _) => Err(Failure::usage("a condition is on one row of a read model: name it with `--key`")),
        (None, Some(_), _) => Err(Failure::usage("`--key` names a row of the read model that `--projection` names")),
        (None, None, None) => Err(Failure::usage("name a stream, or a row with `--projection` and `--key`")),
    }
}

impl BisectArgs {
    fn wanted(&self) -> Wanted {
        if self.last { Wanted::Last } else { Wanted::First }
    }
}

fn state(stream: &str, args: &BisectArgs, context: &mut Context) -> Result<Exit, Failure> {
    let stream = named(stream)?;
    let mut workbench = context.workbench(Purpose::Look)?;
    let condition = workbench.condition(&stream, &args.condition)?.map_err(Failure::misread)?;
    let found = workbench.bisect(&stream, &condition, args.wanted());
    context.say_notes(&workbench.domains);
    let found = found?;
    turn::turn(&stream, &args.condition, found.as_ref(), &mut context.out).map_err(Failure::output)?;
    Ok(if found.is_some() { Exit::Done } else { Exit::No })
}

fn row(projection: &str, key: &str, args: &BisectArgs, context: &mut Context) -> Result<Exit, Failure> {
    let mut workbench = context.workbench(Purpose::Look)?;
    let condition = workbench.row_condition(projection, &args.condition)?.map_err(Failure::misread)?;
    let found = workbench.project_bisect(projection, key, &condition, args.wanted());
    context.say_notes(&workbench.domains);
    let found = found?;
    turn::row((projection, key), &args.condition, found.as_ref(), &mut context.out).map_err(Failure::output)?;
    Ok(if found.is_some() { Exit::Done } else { Exit::No })
}
