//! `--follow`: going on when all there is was printed, until whoever reads it has seen enough.

use super::context::Context;
use super::failure::Failure;
use super::signals::{self, Signals};
use crate::render::Format;
use esctl::store::StoreError;
use esctl::store::sqlite::follow::{Changes, Woken};
use esctl::workbench::Workbench;
use std::ops::ControlFlow;
use std::time::Duration;

/// Somebody who follows a store.
#[derive(Debug)]
pub(super) struct Following {
    changes: Changes,
    /// None yet where it is not following in earnest.
    signals: Option<Signals>,
    /// The store is not what it was.
    lost: bool,
}

impl Following {
    /// From now on: what is read after this is followed without a gap. Records are to be lines, each by itself.
    pub(super) fn begin(context: &Context) -> Result<Self, Failure> {
        lines_only(context)?;
        let changes = context.changes()?;
        #[cfg(unix)]
        let changes = {
            use std::os::fd::AsFd;
            let mut changes = changes;
            changes.until_unread(std::io::stdout().as_fd().try_clone_to_owned().map_err(Failure::output)?);
            changes
        };
        Ok(Self { changes, signals: None, lost: false })
    }

    /// Signals end it between two lines from here on, so that lines are whole and the store is closed as by others.
    pub(super) fn heed_signals(&mut self) -> Result<(), Failure> {
        self.signals = Some(Signals::heed_once().map_err(Failure::output)?);
        Ok(())
    }

    fn signal(&self) -> Option<i32> {
        self.signals.as_ref().and_then(Signals::came)
    }

    /// Whether a signal asked it to end.
    pub(super) fn is_over(&self) -> bool {
        self.signal().is_some()
    }

    /// What was committed up to here wakes nobody any more: for who looks at all of it after this.
    pub(super) fn know(&mut self) -> Result<(), Failure> {
        self.changes.look().map(|_| ()).map_err(|error| self.lose(error))
    }

    /// Waits until something was committed; [`ControlFlow::Break`] where nobody reads on, or a signal came.
    pub(super) fn wait(&mut self) -> Result<ControlFlow<()>, Failure> {
        self.wait_at_most(None)
    }

    /// The same, but no longer than that, or a second: it may go on sooner than anything happened.
    pub(super) fn wait_at_most(&mut self, at_most: Option<Duration>) -> Result<ControlFlow<()>, Failure> {
        while !self.is_over() {
            match self.changes.wait(at_most).map_err(|error| self.lose(error))? {
                Woken::Changed => return Ok(ControlFlow::Continue(())),
                Woken::Closed => break,
                Woken::Idle if at_most.is_some() && !self.is_over() => return Ok(ControlFlow::Continue(())),
                // If it was a signal, that is seen above.
                Woken::Idle => {}
            }
        }
        Ok(ControlFlow::Break(()))
    }

    /// The store is not there any more, or is another.
    fn lose(&mut self, error: StoreError) -> Failure {
        self.lost = matches!(error, StoreError::Unavailable(_));
        let failure = Failure::from(error);
        if self.lost { failure.hint("run it again to follow what is there now") } else { failure }
    }

    /// Ends, and closes the store that was followed: where a signal asked for it, as that would have.
    pub(super) fn end(self, workbench: Workbench) -> Result<(), Failure> {
        if self.lost {
            // Who closes last removes the log by its name, and that may be another store's by now.
            std::mem::forget(workbench);
        } else {
            drop(workbench);
        }
        let signal = self.signal();
        drop(self);
        signal.map_or(Ok(()), signals::obey).map_err(Failure::output)
    }
}

/// That a flag makes no sense with `--follow`.
pub(super) fn not_with(flag: &str, why: &str, hint: &str) -> Failure {
    Failure::usage(format!("`--follow` and `{flag}` do not go together: {why}")).hint(hint)
}

/// That records can be printed one by one.
fn lines_only(context: &Context) -> Result<(), Failure> {
    if context.out.format == Format::Json {
        return Err(not_with("-o json", "its array would never end", "`-o ndjson` prints an object a line"));
    }
    Ok(())
}
