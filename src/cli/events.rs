//! `events`: the log.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure, ended};
use super::follow::{Following, not_with};
use super::replay::named;
use crate::render::{Listing, records};
use esctl::event::{Moment, Position};
use esctl::store::EventFilter;
use esctl::workbench::Workbench;
use esctl::workbench::events::EventQuery;
use std::ops::ControlFlow;

const EXAMPLES: &str = "\
examples:
  esctl events --stream account/ada --limit 10
  esctl events --type Deposited -o ndjson
  esctl events --until @2 --reverse --limit 1
  esctl events --follow --stream account/ada --limit 2 -o ndjson";

/// list the events of the store in the order in which they were stored
///
/// Each event has a position in the whole store and a version in its stream. As JSON it comes with the command that
/// caused it. With `--follow` it goes on: each event is printed as soon as it is stored, by whatever process, until
/// `--limit` is reached, nobody reads on (both exit 0) or a signal comes.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct EventsArgs {
    /// only of this stream
    #[arg(long, value_name = "STREAM")]
    stream: Option<String>,
    /// only of streams of this aggregate
    #[arg(long, value_name = "NAME")]
    aggregate: Option<String>,
    /// only of this type
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// only after this position; with `--reverse`, only before it
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// only up to then: a position (`@120`) or a time
    #[arg(long, value_name = "MOMENT")]
    until: Option<String>,
    /// at most so many
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// the latest first
    #[arg(long)]
    reverse: bool,
    /// print what is there, and then each new event when it is stored, a line by itself; not with `-o json`
    #[arg(short, long)]
    follow: bool,
}

/// Runs the verb.
pub fn run(args: EventsArgs, context: &mut Context) -> Result<Exit, Failure> {
    if args.follow {
        follow(args, context)?;
        return Ok(Exit::Done);
    }
    let until = args.until.as_deref().map(until).transpose()?;
    let query = query(args)?;
    if until.is_some() && query.reverse && query.after.is_some() {
        return Err(Failure::usage("with `--reverse`, `--after` and `--until` both say where to begin")
            .hint("`--after` leaves out the event at its position, `--until` does not"));
    }
    let mut workbench = context.workbench(Purpose::Look)?;
    if let Some(until) = until {
        workbench = workbench.as_of(until)?;
        let end = workbench.store.head()?.position;
        if let Some(after) = query.after.filter(|after| *after > end) {
            return Err(Failure::usage(format!("`--until` is @{end}, which is before `--after @{after}`")));
        }
    }
    let mut listing = Listing::new(records::EVENTS, &mut context.out);
    let mut any = false;
    let done = workbench.events(&query, &mut |event| {
        any = true;
        listing.push(&event)
    });
    ended(done, listing)?;
    if !any {
        say_unknown(&query.filter, &mut workbench, context)?;
    }
    Ok(Exit::Done)
}

/// Says which name of a filter stands for nothing. That is no error: somebody may be about to send the first event.
pub(super) fn say_unknown(filter: &EventFilter, workbench: &mut Workbench, context: &Context) -> Result<(), Failure> {
    if let Some(misfit) = workbench.unknown_in(filter)? {
        let words = std::iter::once(misfit.message).chain(misfit.hints).collect::<Vec<_>>();
        context.talk.note(&words.join("; "));
    }
    Ok(())
}

/// Lists what is there and goes on with what comes.
fn follow(args: EventsArgs, context: &mut Context) -> Result<(), Failure> {
    if args.reverse {
        let hint =
            "`esctl events --reverse --limit 1` shows where the store ends, and `--follow --after` goes on there";
        return Err(not_with("--reverse", "what comes later is printed later", hint));
    }
    if args.until.is_some() {
        return Err(not_with("--until", "up to then nothing new can come", "`--limit` ends it after so many events"));
    }
    let mut query = query(args)?;
    let mut following = Following::begin(context)?;
    let mut workbench = context.workbench(Purpose::Look)?;
    following.heed_signals()?;
    let mut listing = Listing::new(records::EVENTS, &mut context.out);
    let done = loop {
        let more = workbench.more_events(&mut query, &mut |event| {
            if following.is_over() { ControlFlow::Break(()) } else { listing.push(&event) }
        });
        match more {
            Err(error) => break Err(error.into()),
            Ok(more) if more.is_break() || listing.flush().is_break() => break Ok(()),
            Ok(_) => {}
        }
        match following.wait() {
            Err(failure) => break Err(failure),
            Ok(more) if more.is_break() => break Ok(()),
            Ok(_) => {}
        }
    };
    let ended = ended(done, listing);
    following.end(workbench)?;
    ended
}

fn query(args: EventsArgs) -> Result<EventQuery, Failure> {
    let filter = EventFilter {
        stream: args.stream.as_deref().map(named).transpose()?,
        aggregate: args.aggregate.map(Into::into),
        kinds: None,
        kind: args.kind.map(Into::into),
    };
    let after = args.after.as_deref().map(position).transpose()?;
    Ok(EventQuery { filter, after, reverse: args.reverse, limit: args.limit })
}

/// The moment up to which events are listed. A number is a position, as it is for `--after`.
fn until(text: &str) -> Result<Moment, Failure> {
    match text.parse() {
        Ok(Moment::Version(number)) => Ok(Moment::Position(Position(number.0))),
        Ok(moment) => Ok(moment),
        Err(_) => Err(Failure::usage(format!(
            "`--until {text}` is neither a position, as in `--until @120`, nor a time, as in `--until 2026-01-31T12:00:00Z`"
        ))),
    }
}

/// A position, as a number or as `@120`.
pub(super) fn position(text: &str) -> Result<Position, Failure> {
    let digits = text.strip_prefix('@').unwrap_or(text);
    let wrong = |_| Failure::usage(format!("`--after {text}` is no position, as in `--after @120`"));
    digits.parse().map(Position).map_err(wrong)
}
