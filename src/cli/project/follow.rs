//! `project show --follow`: the rows of a read model, and then those that differ, whenever something is committed.

use super::show::{Picked, ShowArgs, chosen};
use super::{stopped, tick};
use crate::cli::context::{Context, Purpose};
use crate::cli::failure::{Failure, Kind, ended};
use crate::cli::follow::{Following, not_with};
use crate::render::Listing;
use crate::render::followed::Followed;
use esctl::json::Value;
use esctl::store::sqlite::SqliteStore;
use esctl::store::sqlite::choose::Choice;
use esctl::store::{Row, StoreError};
use esctl::workbench::project::diff::How;
use esctl::workbench::project::follow::Known;
use esctl::workbench::project::show::Shown;
use esctl::workbench::project::{Manner, Wanted};
use esctl::workbench::{Error, Workbench};
use std::ops::ControlFlow;

/// Runs the verb with `--follow`.
pub(super) fn run(args: &ShowArgs, context: &mut Context) -> Result<(), Failure> {
    refuse(args)?;
    let mut following = Following::begin(context)?;
    let mut workbench = context.workbench(Purpose::Project)?;
    let columns = workbench.project_columns(&args.name)?;
    let picked = Picked::new(args, &columns)?.with_key(&columns);
    let mut bar = context.bar();
    let caught_up = workbench.project_catch_up(&args.name, manner(args), context.now, &mut |progress| {
        tick(&mut bar, &args.name, progress);
    });
    drop(bar);
    context.say_notes(&workbench.domains);
    let mut reached = caught_up.map_err(stopped)?;
    following.heed_signals()?;
    let open = context.file_opener();
    let talk = context.talk;
    let listing = Listing::new(Followed::columns(&picked.columns), &mut context.out);
    let mut follower = Follower { args, picked, known: Known::default(), left: args.limit, any: false, listing };
    let mut go_on = || {
        // What was written just now is known, and what is committed from here on wakes. What came in between has to be
        // applied before there is anything to wait for.
        following.know()?;
        let behind = workbench.store.head()?.position > reached;
        if follower.round(&mut workbench, &following, &open)?.is_break() || follower.listing.flush().is_break() {
            return Ok(ControlFlow::Break(()));
        }
        if following.is_over() || !behind && following.wait()?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        // What others have filled by their rules is not filled anew here: they may be following it too.
        let caught_up = workbench.project_go_on(&args.name, manner(args), &mut |_| ());
        workbench.domains.take_notes().iter().for_each(|note| talk.note(&note.text));
        reached = caught_up.map_err(stopped)?.ok_or_else(|| other_rules(&args.name))?;
        Ok::<_, Failure>(ControlFlow::Continue(()))
    };
    let done = loop {
        match go_on() {
            Err(failure) => break Err(failure),
            Ok(ControlFlow::Break(())) => break Ok(()),
            Ok(ControlFlow::Continue(())) => {}
        }
    };
    let ended = match done {
        // There is nothing to head.
        Err(failure) if !follower.any => Err(failure),
        done => ended(done, follower.listing),
    };
    following.end(workbench)?;
    ended
}

fn manner(args: &ShowArgs) -> Manner {
    Manner { park: args.park, ..Manner::default() }
}

/// What would not go on.
fn refuse(args: &ShowArgs) -> Result<(), Failure> {
    if args.at.is_some() {
        let hint = "`esctl diff --projection NAME MOMENT` shows what has changed since then";
        return Err(not_with("--at", "what was does not change", hint));
    }
    if args.stale {
        return Err(not_with("--stale", "it brings the rows up to date", "leave `--stale` out"));
    }
    if !args.order.is_empty() {
        let hint = "without `--follow`, `--order` sorts the rows as they are now";
        return Err(not_with("--order", "rows are printed in the order in which they change", hint));
    }
    Ok(())
}

/// The read model, if the rules of today filled it.
fn served(workbench: &mut Workbench, name: &str) -> Result<Shown, Failure> {
    workbench.project_served(name).map_err(|error| match error {
        Error::Store(StoreError::Overtaken) => other_rules(name),
        error => error.into(),
    })
}

fn other_rules(name: &str) -> Failure {
    Failure::new(Kind::Unavailable, format!("other rules filled `{name}` while it was followed"))
        .hint("run it again: it is filled by the rules of today then")
}

/// Somebody who prints what became of rows.
struct Follower<'a> {
    args: &'a ShowArgs,
    picked: Picked,
    known: Known,
    /// How many lines are still wanted; `None`: as many as there are.
    left: Option<u64>,
    /// Whether any line was printed.
    any: bool,
    listing: Listing<'a>,
}

impl Follower<'_> {
    /// Goes through the rows that there are now. [`ControlFlow::Break`] where no more is wanted.
    fn round(
        &mut self,
        workbench: &mut Workbench,
        following: &Following,
        open: &impl Fn() -> Result<SqliteStore, StoreError>,
    ) -> Result<ControlFlow<()>, Failure> {
        loop {
            let shown = served(workbench, &self.args.name)?;
            self.known.begin();
            match self.rows(&shown, workbench, following, open) {
                // The same rules filled it anew, and the rows are in another table now.
                Err(Unread::Overtaken) => {}
                Err(Unread::Failure(failure)) => return Err(failure),
                Ok(ControlFlow::Break(())) => return Ok(ControlFlow::Break(())),
                Ok(ControlFlow::Continue(())) => break,
            }
        }
        for key in self.known.end()? {
            if self.print(&key, How::Removed, None).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Prints the rows that are new or others than before.
    fn rows(
        &mut self,
        shown: &Shown,
        workbench: &mut Workbench,
        following: &Following,
        open: &impl Fn() -> Result<SqliteStore, StoreError>,
    ) -> Result<ControlFlow<()>, Unread> {
        let args = self.args;
        let picked = self.picked.clone();
        let mut outcome = Ok(ControlFlow::Continue(()));
        let mut each = |values: Row| {
            outcome = if following.is_over() { Ok(ControlFlow::Break(())) } else { self.row(&values) };
            if matches!(outcome, Ok(ControlFlow::Continue(()))) {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        };
        if args.condition.is_some() {
            let key = args.key.as_deref().map(|text| shown.key(text)).transpose()?;
            let choice = Choice { condition: args.condition.clone(), key, columns: picked.places, ..Choice::default() };
            for values in chosen(args, shown, choice, open()?)?? {
                if each(values?).is_break() {
                    break;
                }
            }
        } else {
            let wanted = Wanted { key: args.key.as_deref(), limit: None };
            shown.rows(workbench.store.as_mut(), &wanted, &mut |row| each(picked.of(row)))?;
        }
        Ok(outcome?)
    }

    /// A row that is there.
    fn row(&mut self, values: &[Value]) -> Result<ControlFlow<()>, Failure> {
        let Some(key) = values.get(self.picked.key_place()) else { return Ok(ControlFlow::Continue(())) };
        Ok(match self.known.see(key, values)? {
            Some(how) => self.print(key, how, Some(values)),
            None => ControlFlow::Continue(()),
        })
    }

    fn print(&mut self, key: &Value, how: How, values: Option<&[Value]>) -> ControlFlow<()> {
        if self.left == Some(0) {
            return ControlFlow::Break(());
        }
        self.left = self.left.map(|left| left - 1);
        self.any = true;
        let columns = &self.picked.columns;
        let record = Followed { columns, place: self.picked.key_place(), key, how, values };
        self.listing.push(&record)?;
        if self.left == Some(0) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Why rows were not read.
enum Unread {
    /// They are in another table by now.
    Overtaken,
    Failure(Failure),
}

impl From<StoreError> for Unread {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overtaken => Self::Overtaken,
            error => Self::Failure(error.into()),
        }
    }
}

impl From<Error> for Unread {
    fn from(error: Error) -> Self {
        match error {
            Error::Store(error) => error.into(),
            error => Self::Failure(error.into()),
        }
    }
}

impl From<Failure> for Unread {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}
