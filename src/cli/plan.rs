//! `plan`: what other rules would make of the history that is there.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure};
use super::project::jobs;
use super::rules;
use crate::render::plan::{Report, left_out, summary};
use crate::render::{text, wire};
use esctl::store::sqlite::SqliteStore;
use esctl::workbench::plan::{Plan, Step};
use std::num::NonZeroUsize;

const EXAMPLES: &str = "\
examples:
  esctl plan --with domains
  esctl plan --with domains/bank.yaml --commands
  esctl plan --with domains -o json";

/// show what changed rules would make of the history that is there
///
/// Compares the rules of `--domain` with others: streams whose state would differ, stored events that would no longer be
/// read, invariants that would have been broken, rows of read models that would differ, and with `--commands` what stored
/// commands would come to if they were decided again. Only what the change can reach is read. Exits 1 if anything differs,
/// and stores nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct PlanArgs {
    /// the other rules: a folder as it is; a file, or the digest of rules that `esctl rules` lists, in place of the file
    /// of the same domain. May be given several times
    #[arg(long, value_name = "PATH|DIGEST", required = true)]
    with: Vec<String>,
    /// decide every stored command again as well, on the state it had
    #[arg(long)]
    commands: bool,
    /// how many threads work on it; as many as there are cores, where nothing is said and there is much to do
    #[arg(long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
}

/// Runs the verb.
pub fn run(args: &PlanArgs, context: &mut Context) -> Result<Exit, Failure> {
    let old = context.domains()?;
    let mut store = context.store(Purpose::Look)?;
    let new = rules::with(&args.with, store.as_mut(), context)?.sound().map_err(Failure::domain)?;
    let (mut first, mut second) = (SqliteStore::scratch()?, SqliteStore::scratch()?);
    let open = context.opener();
    let mut plan = Plan { old: &old, new: &new, store: store.as_mut(), open: &open, jobs: args.jobs };
    let mut bar = context.bar();
    let mut report = Report::new(&mut context.out);
    let outcome = plan.run(args.commands, (&mut first, &mut second), &mut |found| report.push(found), &mut |step| {
        bar.step(so_far(step), || words(step));
    });
    drop(bar);
    let planned = match outcome {
        Ok(planned) => planned,
        Err(error) => {
            report.cut();
            return Err(error.into());
        }
    };
    report.finish(&planned).map_err(Failure::output)?;
    std::io::Write::flush(&mut context.out).map_err(Failure::output)?;
    for note in left_out(&planned) {
        context.talk.note(&note);
    }
    context.talk.line(&summary(&planned));
    Ok(if planned.differences > 0 { Exit::No } else { Exit::Done })
}

fn so_far(step: Step<'_>) -> Option<(u64, u64)> {
    match step {
        Step::Streams(..) => None,
        Step::Rows(_, progress) => Some((progress.done.0, progress.total.0)),
        Step::Commands(done, total) => Some((done.0, total.0)),
    }
}

fn words(step: Step<'_>) -> String {
    match step {
        Step::Streams(aggregate, done) => format!("{aggregate}: {} replayed", text::count(done, "stream")),
        Step::Rows(name, progress) => {
            format!("{name}: {} of {}", text::thousands(progress.done.0), text::thousands(progress.total.0))
        }
        Step::Commands(done, total) => format!("commands: {} of {}", wire::at(done), wire::at(total)),
    }
}
