//! `replay`: the state of a stream, now or then.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure, ended};
use super::{rules, sources, step};
use crate::render::{Format, Listing, records, state, wire};
use esctl::diagnostic::suggest;
use esctl::event::{Moment, MomentError, StreamName, StreamNameError};
use esctl::workbench::Workbench;
use esctl::workbench::replay::Stretch;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::rc::Rc;

const EXAMPLES: &str = "\
examples:
  esctl replay account/ada
  esctl replay account/ada --at 1 --steps
  esctl replay account/ada --steps --from 2 --only balance -o ndjson";

/// show what a stream's events add up to: its state, now or at any moment before
///
/// Reads and stores nothing. A moment is a version (`7`), a position (`@120`) or a time (`2026-01-31T12:00:00Z`; a date alone
/// is its first instant in UTC). `--steps` marks what an event added with `+`, changed with `~` and removed with `-`, and
/// shows how much time went by since the event before. As JSON a step is its event, with `gap_micros`, that time in
/// microseconds, and `changes`, each with its `path` (a JSON pointer) and what was there `before` and `after`.
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
    #[arg(long, conflicts_with = "step")]
    steps: bool,
    /// one event at a time, forth and back by key; where there is no terminal, all of them, as `--steps`
    #[arg(long)]
    step: bool,
    /// begin with the first event at or after this moment; what comes before is folded and not shown
    #[arg(long, value_name = "MOMENT")]
    from: Option<String>,
    /// only events that changed this part of the state, and what they changed of it: `balance`, `lines/0`
    #[arg(long, value_name = "PATH")]
    only: Option<String>,
}

/// Runs the verb.
pub fn run(args: &ReplayArgs, context: &mut Context) -> Result<Exit, Failure> {
    let stream = named(&args.stream)?;
    let (at, from) = (moment(args.at.as_deref())?, moment(args.from.as_deref())?);
    let steps = args.steps || args.step;
    if from.is_some() && !steps {
        return Err(Failure::usage("a state has no beginning: `--from` goes with `--steps` or `--step`"));
    }
    if args.only.is_some() && !args.steps {
        return Err(Failure::usage("`--only` goes with `--steps`, which it chooses from"));
    }
    if context.out.format == Format::Csv && !steps {
        return Err(Failure::usage("a state has no rows: use `-o json`, or `--steps` for a row for each change"));
    }
    let stretch = Stretch { from, at, only: args.only.as_deref() };
    let mut workbench = workbench(args, context)?;
    let done = if args.step && step::is_possible(context) {
        step::run(&stream, &stretch, &mut workbench, context)
    } else if steps {
        all_steps(&stream, &stretch, &mut workbench, context)
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

/// The stream that an argument names.
pub(super) fn named(text: &str) -> Result<StreamName, Failure> {
    StreamName::new(text).map_err(|error| match error {
        // The others say what is wrong with a name that is too long to be shown, or not fit to be.
        StreamNameError::Shape => Failure::usage(format!("`{text}`: {error}")),
        other => Failure::usage(other.to_string()),
    })
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

fn all_steps(
    stream: &StreamName,
    stretch: &Stretch<'_>,
    workbench: &mut Workbench,
    context: &mut Context,
) -> Result<(), Failure> {
    let out = &mut context.out;
    let mut any = false;
    match out.format {
        Format::Table => {
            let mut written = Ok(());
            workbench.steps_of(stream, stretch, &mut |step| {
                any = true;
                written = state::step(&step, out);
                if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            })?;
            written.map_err(Failure::output)?;
        }
        Format::Json | Format::Ndjson => {
            let mut listing = Listing::new(records::EVENTS, out);
            let done = workbench.steps_of(stream, stretch, &mut |step| {
                any = true;
                listing.push(&step)
            });
            ended(done, listing)?;
        }
        Format::Csv => {
            let mut listing = Listing::new(records::CHANGES, out);
            let done = workbench.steps_of(stream, stretch, &mut |step| {
                any = true;
                step.changes.iter().try_for_each(|change| listing.push(&records::StepChange(&step, change)))
            });
            ended(done, listing)?;
        }
    }
    if !any {
        context.talk.note(&nothing(stream, stretch, workbench));
    }
    Ok(())
}

/// What is said where no event is shown.
fn nothing(stream: &StreamName, stretch: &Stretch<'_>, workbench: &Workbench) -> String {
    let between = match (stretch.from, stretch.at) {
        (Some(from), Some(at)) => format!(" from {from} to {at}"),
        (Some(from), None) => format!(" from {from} on"),
        (None, Some(at)) => format!(" up to {at}"),
        (None, None) => String::new(),
    };
    let Some(only) = stretch.only else { return format!("there is no event of `{stream}`{between}") };
    let words = format!("no event of `{stream}`{between} changed `{only}`");
    let fields = workbench.domains.aggregate(stream.aggregate()).map(|aggregate| &aggregate.rules.state.fields);
    let names: Vec<&str> = fields.into_iter().flatten().map(|field| field.name.as_str()).collect();
    let first = only.trim_start_matches('/').split('/').next().unwrap_or_default();
    match suggest(first, names.iter().copied()).filter(|_| !names.contains(&first)) {
        Some(near) => format!("{words}; did you mean `{near}`?"),
        None => words,
    }
}
