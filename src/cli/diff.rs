//! `diff`: what differs between two states, two moments of a read model, or two stores.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure, Kind};
use super::project::tick;
use super::replay::{moment, named};
use crate::render::differences::Differences;
use crate::render::{diff, parting, row_diff};
use esctl::event::{Moment, MomentError};
use esctl::store::sqlite::SqliteStore;
use esctl::workbench::{Error, Workbench};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
examples:
  esctl diff account/ada 1
  esctl diff account/ada 1 @2 -o ndjson
  esctl diff account/ada account/ada --exit-code
  esctl diff --projection balances @1
  esctl backup then.db && esctl diff --with then.db";

/// show what differs between two moments of a stream, two streams, two moments of a read model, or two stores
///
/// A moment is a version (`7`), a position (`@120`) or a time; of a read model it is no version. The second one is now where it
/// is left out. `+` marks what was added, `~` what changed, `-` what was removed. Rows are computed aside by the rules of
/// today. Two stores are compared by what their events say: where their histories part, and which streams came to another
/// version or state since. As JSON, what differs in a state has its `path` (a JSON pointer) and what was there `before` and
/// `after`; a row its `key`, its `difference` (`added`, `changed`, `removed`) and such `changes`; a stream the same with
/// `version_before` and `version_after`, after a record with the `position` where the histories part, `event_before` and
/// `event_after`. Exits 0 whether anything differs or not, unless `--exit-code` is given. Stores nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(override_usage = "esctl diff [OPTIONS] STREAM MOMENT [MOMENT]\n       \
                            esctl diff [OPTIONS] STREAM STREAM\n       \
                            esctl diff [OPTIONS] --projection NAME MOMENT [MOMENT]\n       \
                            esctl diff [OPTIONS] --with FILE")]
pub struct DiffArgs {
    /// the stream, as `aggregate/id`, then a moment of it or another stream, then perhaps a later moment
    #[arg(value_name = "STREAM|MOMENT", num_args = 0..=3)]
    what: Vec<String>,
    /// the rows of this projection at two moments
    #[arg(long, value_name = "NAME", conflicts_with = "with")]
    projection: Option<String>,
    /// this store and another one
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    /// exit 1 if anything differs
    #[arg(long)]
    exit_code: bool,
}

/// Runs the verb.
pub fn run(args: &DiffArgs, context: &mut Context) -> Result<Exit, Failure> {
    let what: Vec<&str> = args.what.iter().map(String::as_str).collect();
    let differs = match (&args.projection, &args.with, &*what) {
        (Some(name), None, [from]) => rows(name, (from, None), context),
        (Some(name), None, [from, to]) => rows(name, (from, Some(to)), context),
        (Some(_), ..) => Err(Failure::usage("a read model is compared at one or two moments")
            .hint("`esctl diff --projection balances @1` compares it as it was then and as it is now")),
        (None, Some(file), []) => stores(file, context),
        (None, Some(_), _) => Err(Failure::usage("two stores are compared as a whole, as they are now")),
        (None, None, [stream, other]) => states(stream, other, None, context),
        (None, None, [stream, from, to]) => states(stream, from, Some(to), context),
        (None, None, _) => Err(Failure::usage("name a stream, and a moment of it or another stream")
            .hint("`esctl diff account/ada 1` compares its version 1 and what it is now")),
    }?;
    Ok(if args.exit_code && differs { Exit::No } else { Exit::Done })
}

fn states(stream: &str, other: &str, to: Option<&str>, context: &mut Context) -> Result<bool, Failure> {
    let stream = named(stream)?;
    let second = if other.contains('/') { Some(named(other)?) } else { None };
    if second.is_some() && to.is_some() {
        return Err(Failure::usage("two streams are compared as they are now")
            .hint("`esctl replay STREAM --at MOMENT -o json` gives a state at a moment"));
    }
    let to = moment(to)?;
    let (from, to) = match &second {
        Some(second) => ((&stream, None), (second, None)),
        None => ((&stream, moment(Some(other))?), (&stream, to)),
    };
    let mut workbench = context.workbench(Purpose::Look)?;
    let found = workbench.diff(from, to);
    context.say_notes(&workbench.domains);
    let found = found?;
    diff::diff(&found, &mut context.out).map_err(Failure::output)?;
    Ok(!found.changes.is_empty())
}

fn rows(name: &str, (from, to): (&str, Option<&str>), context: &mut Context) -> Result<bool, Failure> {
    let from: Moment = from.parse().map_err(|error: MomentError| Failure::usage(error))?;
    let to = moment(to)?;
    let mut workbench = context.workbench(Purpose::Look)?;
    let (mut first, mut second) = (SqliteStore::scratch()?, SqliteStore::scratch()?);
    let mut bar = context.bar();
    let mut progress = |progress| tick(&mut bar, name, progress);
    let found = workbench.project_diff(name, (from, to), (&mut first, &mut second), &mut progress);
    drop(bar);
    context.say_notes(&workbench.domains);
    let found = found?;
    let mut differences = row_diff::differences(&found, &mut context.out);
    let mut any = false;
    let done = found.rows((&mut first, &mut second), &mut |row| {
        any = true;
        row_diff::push(&mut differences, &found, &row)
    });
    ended(done, differences).map(|()| any)
}

/// Ends a listing as the work that was to be listed ended.
fn ended(work: Result<(), Error>, differences: Differences<'_>) -> Result<(), Failure> {
    if let Err(error) = work {
        differences.cut();
        return Err(error.into());
    }
    differences.finish().map_err(Failure::output)
}

fn stores(file: &Path, context: &mut Context) -> Result<bool, Failure> {
    let mut workbench = context.workbench(Purpose::Look)?;
    let mut other = Workbench::new(workbench.domains.clone(), Box::new(other_store(file, context)?));
    let found = workbench.histories(&mut other)?;
    let names = (&*context.globals.store, file);
    let mut differences = parting::differences(names, &found, &mut context.out);
    let done = workbench.streams_since(&mut other, &found, &mut |stream| parting::push(&mut differences, &stream));
    ended(done, differences)?;
    context.say_notes(&workbench.domains);
    Ok(found.parting.is_some())
}

fn other_store(file: &Path, context: &Context) -> Result<SqliteStore, Failure> {
    context.file_to_read(file).map_err(|mut failure| {
        if failure.kind == Kind::Usage {
            failure.hints = vec!["`--with` names a store that is there".to_owned()];
        }
        failure
    })
}
