//! `process run`: processes react to what has happened.

use crate::cli::context::{Context, Purpose};
use crate::cli::failure::{Exit, Failure};
use crate::cli::follow::Following;
use crate::cli::react::{say_bound, say_stopped};
use crate::render::{Listing, processes, text};
use esctl::event::Time;
use esctl::workbench::Workbench;
use esctl::workbench::process::{Happened, MAX_STEPS, Manner, Reacted};
use std::io::Write;
use std::ops::ControlFlow;

pub(super) const EXAMPLES: &str = "\
examples:
  esctl process run
  esctl process run --follow -o ndjson | head -1
  esctl process run --time 2026-02-01T12:00:00Z -o ndjson";

#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// the time now, if not the clock's: deadlines due by then come
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// go on when all is done: react to whatever is committed, and to deadlines when they are due
    #[arg(short, long, conflicts_with = "time")]
    follow: bool,
    /// how many commands and deadlines may follow from one event before it is taken for a loop
    #[arg(long, value_name = "N", default_value_t = MAX_STEPS, value_parser = clap::value_parser!(u64).range(1..))]
    max_steps: u64,
}

/// Runs them.
pub(super) fn run(args: &RunArgs, context: &mut Context) -> Result<Exit, Failure> {
    if args.follow {
        return follow(args, context);
    }
    let time = args.time.as_deref().map(Time::parse).transpose();
    let time = time.map_err(|error| Failure::usage(format!("`--time`: {error}")))?;
    let mut workbench = context.workbench(Purpose::Project)?;
    react(&mut workbench, Manner::new(time.unwrap_or(context.now), args.max_steps), context)
}

/// Runs them whenever something is committed or a deadline is due, until it is told to end.
fn follow(args: &RunArgs, context: &mut Context) -> Result<Exit, Failure> {
    let mut following = Following::begin(context)?;
    let mut workbench = context.workbench(Purpose::Project)?;
    following.heed_signals()?;
    let (talk, clock) = (context.talk, context.clock);
    let mut listing = Listing::new(processes::SENT, &mut context.out);
    let mut go_on = || {
        let now = clock.now();
        let mut read = ControlFlow::Continue(());
        let reacted = workbench.react(&Manner::new(now, args.max_steps), &mut |happened| match happened {
            Happened::Sent { process, key, sent, .. } if read.is_continue() => {
                read = listing.push(&processes::Sending { process, key, sent });
            }
            Happened::Sent { .. } => {}
            Happened::Stopped(stopped) => say_stopped(stopped, talk),
        });
        workbench.domains.take_notes().iter().for_each(|note| talk.note(&note.text));
        if let Some(bound) = &reacted?.bound {
            say_bound(bound, talk);
        }
        if read.is_break() || listing.flush().is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let due = workbench.next_deadline()?.map(|due| due.since(clock.now()));
        following.wait_at_most(due)
    };
    let done = loop {
        match go_on() {
            Err(failure) => break Err(failure),
            Ok(ControlFlow::Break(())) => break Ok(Exit::Done),
            Ok(ControlFlow::Continue(())) => {}
        }
    };
    let done = match done {
        Ok(exit) => listing.finish().map(|()| exit).map_err(Failure::output),
        Err(failure) => {
            listing.cut();
            Err(failure)
        }
    };
    following.end(workbench)?;
    done
}

/// Lets them react, and prints what they send.
pub(super) fn react(workbench: &mut Workbench, manner: Manner, context: &mut Context) -> Result<Exit, Failure> {
    let talk = context.talk;
    let mut listing = Listing::new(processes::SENT, &mut context.out);
    let reacted = workbench.react(&manner, &mut |happened| match happened {
        Happened::Sent { process, key, sent, .. } => drop(listing.push(&processes::Sending { process, key, sent })),
        Happened::Stopped(stopped) => say_stopped(stopped, talk),
    });
    workbench.domains.take_notes().iter().for_each(|note| talk.note(&note.text));
    let reacted = match reacted {
        Ok(reacted) => reacted,
        Err(error) => {
            listing.cut();
            return Err(error.into());
        }
    };
    listing.finish().and_then(|()| context.out.flush()).map_err(Failure::output)?;
    if let Some(bound) = &reacted.bound {
        say_bound(bound, talk);
    }
    talk.line(&words(&reacted));
    Ok(exit(&reacted))
}

fn exit(reacted: &Reacted) -> Exit {
    let failed = reacted.stopped.iter().any(|stopped| stopped.problem.is_some());
    match (failed, reacted.stopped.is_empty() && reacted.bound.is_none()) {
        (true, _) => Exit::Script,
        (false, false) => Exit::No,
        (false, true) => Exit::Done,
    }
}

fn words(reacted: &Reacted) -> String {
    let mut words = vec![text::count(reacted.events, "event") + " handled"];
    if reacted.deadlines > 0 {
        words.push(text::count(reacted.deadlines, "deadline"));
    }
    words.push(text::count(reacted.sent + reacted.rejected, "command") + " sent");
    if reacted.rejected > 0 {
        words.push(format!("{} of them rejected", text::thousands(reacted.rejected)));
    }
    if !reacted.stopped.is_empty() {
        words.push(format!("{} stopped", text::thousands(reacted.stopped.len() as u64)));
    }
    words.join(", ")
}
