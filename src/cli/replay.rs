//! `replay`: the state of a stream, now or then.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure, ended};
use super::{rules, sources};
use crate::render::{Format, Listing, records, state, wire};
use esctl::event::{Moment, MomentError, StreamName};
use esctl::workbench::Workbench;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::rc::Rc;

const EXAMPLES: &str = "examples:\n  esctl replay account/ada\n  esctl replay account/ada --at 1 --steps";

/// show what a stream's events add up to: its state, now or at any moment before
///
/// Reads and stores nothing. `--at` takes a version (`7`), a position (`@120`) or a time (`2026-01-31T12:00:00Z`; a
/// date alone is its first instant in UTC).
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ReplayArgs {
    /// the stream, as `aggregate/id`
    #[arg(value_name = "STREAM")]
    stream: String,
    /// the state as it was then
    #[arg(long, value_name = "MOMENT")]
    at: Option<String>,
    /// under the rules of this domain file or folder, instead of those of `--domain`
    #[arg(long, value_name = "PATH", conflicts_with = "rules")]
    scripts: Option<PathBuf>,
    /// under rules that decided something here, by their digest; `esctl rules` lists them
    #[arg(long, value_name = "DIGEST", value_parser = rules::digits)]
    rules: Option<String>,
    /// every event, with what it changed in the state
    #[arg(long)]
    steps: bool,
}

/// Runs the verb.
pub fn run(args: &ReplayArgs, context: &mut Context) -> Result<Exit, Failure> {
    let stream = StreamName::new(&args.stream).map_err(|error| Failure::usage(error.to_string()))?;
    let at = moment(args.at.as_deref())?;
    if context.out.format == Format::Csv && !args.steps {
        return Err(Failure::usage("a state has no rows: use `-o json`, or `--steps` for a row for each change"));
    }
    let mut workbench = workbench(args, context)?;
    let done = if args.steps {
        steps(&stream, at, &mut workbench, context)
    } else {
        whole(&stream, at, &mut workbench, context)
    };
    context.say_notes(&workbench.domains);
    done.map(|()| Exit::Done)
}

/// The store with the rules that are asked for.
fn workbench(args: &ReplayArgs, context: &Context) -> Result<Workbench, Failure> {
    match (&args.scripts, &args.rules) {
        (Some(path), _) => {
            let domains = sources::read(std::slice::from_ref(path))?.sound().map_err(Failure::domain)?;
            Ok(Workbench::new(Rc::new(domains), context.store(Purpose::Look)?))
        }
        (None, Some(digest)) => {
            let mut store = context.store(Purpose::Look)?;
            let domains = rules::under(digest, store.as_mut(), context)?;
            Ok(Workbench::new(Rc::new(domains), store))
        }
        (None, None) => context.workbench(Purpose::Look),
    }
}

/// A moment as it is written for `--at`.
pub(super) fn moment(text: Option<&str>) -> Result<Option<Moment>, Failure> {
    text.map(str::parse).transpose().map_err(|error: MomentError| Failure::usage(error.to_string()))
}

fn whole(
    stream: &StreamName,
    at: Option<Moment>,
    workbench: &mut Workbench,
    context: &mut Context,
) -> Result<(), Failure> {
    let replayed = workbench.replay(stream, at)?;
    let out = &mut context.out;
    if out.format.is_json() {
        wire::line(&wire::Replayed::from(&replayed)).and_then(|line| out.line(&line))
    } else {
        state::replayed(&replayed, out)
    }
    .map_err(Failure::output)
}

fn steps(
    stream: &StreamName,
    at: Option<Moment>,
    workbench: &mut Workbench,
    context: &mut Context,
) -> Result<(), Failure> {
    let out = &mut context.out;
    match out.format {
        Format::Table => {
            let mut written = Ok(());
            workbench.steps(stream, at, &mut |step| {
                written = state::step(&step, out);
                if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            written.map_err(Failure::output)
        }
        Format::Json | Format::Ndjson => {
            let mut listing = Listing::new(records::EVENTS, out);
            let done = workbench.steps(stream, at, &mut |step| listing.push(&step));
            ended(done, listing)
        }
        Format::Csv => {
            let mut listing = Listing::new(records::CHANGES, out);
            let done = workbench.steps(stream, at, &mut |step| {
                step.changes.iter().try_for_each(|change| listing.push(&records::StepChange(&step.event, change)))
            });
            ended(done, listing)
        }
    }
}
