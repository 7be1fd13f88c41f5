//! `process`: what answers events with commands.

mod mend;
mod run;
mod show;

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure};
use crate::render::{Listing, Render, processes};

const EXAMPLES: &str = "examples:\n  esctl process status\n  esctl process run";
const LIST_EXAMPLES: &str = "examples:\n  esctl process list\n  esctl process list -o json";
const STATUS_EXAMPLES: &str = "examples:\n  esctl process status\n  esctl process status -o json";

/// work with processes: what answers events with commands, each of them exactly once
///
/// Processes react after `send` and after each group of a batch. They never do in `replay`, `project rebuild`, `plan` or
/// anything else that looks at history.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ProcessArgs {
    #[command(subcommand)]
    verb: ProcessVerb,
}

#[derive(Debug, clap::Subcommand)]
enum ProcessVerb {
    /// list the processes that the domain declares, with the events they handle and the commands they send
    #[command(after_help = LIST_EXAMPLES)]
    List,
    /// show how the processes are: how far they have come, how many instances run, ended and stopped, what is left to do
    ///
    /// `behind` counts the events that a process has still to be given. `rules` says `changed` where the domain has other rules than those a process went by last: what is still to come is
    /// answered by the new ones, and what was sent is not sent again. It says `gone` where the domain has no such process.
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// show the instances of a process, or one of them with its state, what it has to do, and its history
    #[command(after_help = show::EXAMPLES)]
    Show(show::ShowArgs),
    /// let processes react to what has happened, and tell deadlines that are due, until nothing is left to do
    ///
    /// Prints what they send, in order. With `--follow` it goes on until it is told to end (exit code 0). Where an instance stops at a script that fails the exit code is 4; where a command is
    /// rejected for which its process has no `on_rejected`, or where there is no end to it, 1. What can go on does so.
    #[command(after_help = run::EXAMPLES)]
    Run(run::RunArgs),
    /// have what stopped try again what it stopped at, and let it go on
    #[command(after_help = mend::RETRY_EXAMPLES)]
    Retry(mend::RetryArgs),
    /// have an instance that stopped go on past what it stopped at: an event, a command or a deadline
    #[command(after_help = mend::SKIP_EXAMPLES)]
    Skip(mend::SkipArgs),
}

#[derive(Debug, clap::Args)]
struct StatusArgs {
    /// only of this one
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Runs the verb.
pub fn run(args: ProcessArgs, context: &mut Context) -> Result<Exit, Failure> {
    match args.verb {
        ProcessVerb::List => list(context),
        ProcessVerb::Status(args) => status(&args, context),
        ProcessVerb::Show(args) => show::run(&args, context),
        ProcessVerb::Run(args) => return run::run(&args, context),
        ProcessVerb::Retry(args) => return mend::retry(&args, context),
        ProcessVerb::Skip(args) => return mend::skip(&args, context),
    }?;
    Ok(Exit::Done)
}

fn list(context: &mut Context) -> Result<(), Failure> {
    let domains = context.domains()?;
    let facts: Vec<_> = domains.processes().map(|process| processes::Declared::new(process, &domains)).collect();
    all(&facts, Listing::new(processes::DECLARED, &mut context.out))
}

fn status(args: &StatusArgs, context: &mut Context) -> Result<(), Failure> {
    let status = context.workbench(Purpose::Suppose)?.process_status(args.name.as_deref())?;
    all(&status, Listing::new(processes::STATUS, &mut context.out))
}

fn all(known: &[impl Render], mut listing: Listing<'_>) -> Result<(), Failure> {
    let _ = known.iter().try_for_each(|record| listing.push(record));
    listing.finish().map_err(Failure::output)
}
