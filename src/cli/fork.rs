//! `fork`: a new store with the history up to a moment.

use super::backup::{check, share_like};
use super::context::{Context, Purpose};
use super::failure::{Exit, Failure};
use super::newfile::NewFile;
use super::replay::moment;
use crate::render::records::{self, ForkDone};
use crate::render::{text, wire};
use esctl::event::Moment;
use esctl::store::past::Past;
use esctl::store::sqlite::SqliteStore;
use esctl::workbench::fork;
use std::path::PathBuf;

const EXAMPLES: &str = "\
examples:
  esctl fork try.db
  esctl fork then.db --at @2 && esctl send account/ada Deposit amount=7 --store then.db";

/// make a new store that holds the history up to now, or up to a moment, to try things on
///
/// The commands, events and domain texts are the same and stand at the same places. The store has an identity of its own, so
/// that its hashes are others and neither store takes the other for itself. Read models are not copied: they are filled
/// when somebody asks for them. While it is copied the history is held against its hashes. The file appears under its name
/// when it is complete, checked and flushed to the disk; one that exists is not overwritten. The store itself is only read.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ForkArgs {
    /// the new file
    #[arg(value_name = "NEW")]
    file: PathBuf,
    /// the history up to then: a position (`@120`), which must not be in the middle of a command, or a time
    #[arg(long, value_name = "MOMENT")]
    at: Option<String>,
}

/// Runs the verb.
pub fn run(args: &ForkArgs, context: &mut Context) -> Result<Exit, Failure> {
    let at: Option<Moment> = moment(args.at.as_deref())?;
    let mut store = context.store(Purpose::Look)?;
    let position = fork::point(store.as_mut(), at)?;
    let from: Box<str> = store.id().into();
    let id = context.id_unlike(&from, position);
    let mut then = Past::new(store, position)?;
    let (new, file) = NewFile::begin_store(&args.file)?;
    drop(file);
    share_like(&context.globals.store, new.part())?;
    let mut to = SqliteStore::unseen(new.part(), &id)?;
    let mut bar = context.bar();
    let forked = fork::fork(&mut then, &mut to, &mut |done, total| {
        bar.thing(Some((done.0, total.0)), || {
            format!("{} of {}", text::thousands(done.0), text::count(total.0, "event"))
        });
    });
    drop(bar);
    let forked = forked?;
    drop(to);
    check(context, new.part(), &id)?;
    new.finish()?;
    let (events, commands) = (text::count(forked.events, "event"), text::count(forked.commands, "command"));
    context.talk.line(&format!("{events} of {commands}, up to {}", wire::at(position)));
    let record = ForkDone { file: &args.file, store: &id, from: &from, forked };
    records::one(records::FORK, &record, &mut context.out).map_err(Failure::output)?;
    Ok(Exit::Done)
}
