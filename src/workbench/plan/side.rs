//! One of the two rules on its way through a stream.

use super::EventDiffers;
use crate::domain::{Aggregate, Domains};
use crate::event::{Recorded, StreamName};
use crate::json::Value;
use crate::workbench::Error;
use crate::workbench::replay::{Folding, fold_event, state_value};

/// The rules of an aggregate, and what they made of a stream so far.
pub(super) struct Side<'d> {
    domains: &'d Domains,
    pub(super) aggregate: &'d Aggregate,
    /// `None` once an event could not be folded.
    pub(super) folding: Option<Folding>,
    /// Which that was.
    pub(super) failed: Option<EventDiffers>,
}

impl<'d> Side<'d> {
    pub(super) fn new(domains: &'d Domains, aggregate: &'d Aggregate) -> Self {
        let folding = Some(Folding::new(aggregate));
        Self { domains, aggregate, folding, failed: None }
    }

    /// Folds an event, unless an earlier one could not be.
    pub(super) fn fold(&mut self, event: &Recorded) -> Result<(), Error> {
        let Some(folding) = &mut self.folding else { return Ok(()) };
        match fold_event(self.domains, self.aggregate, folding, event) {
            Ok(()) => {}
            Err(error @ Error::Store(_)) => return Err(error),
            Err(error) => {
                self.folding = None;
                self.failed = Some(EventDiffers::new(event, error));
            }
        }
        Ok(())
    }

    /// The state, where all could be folded.
    pub(super) fn state(&self, stream: &StreamName) -> Result<Option<Value>, Error> {
        self.folding.as_ref().map(|folding| state_value(self.aggregate, stream, folding)).transpose()
    }

    /// The invariants that do not hold, asked for as is done after a command. One that fails does not: it would refuse a
    /// command as well.
    pub(super) fn broken(&mut self) -> Vec<&'d str> {
        let Some(folding) = &mut self.folding else { return Vec::new() };
        let (state, version) = (&mut folding.state, folding.version.0);
        let mut is_broken = |script| !self.domains.host.holds(script, state, version).unwrap_or(false);
        let invariants = self.aggregate.rules.invariants.iter();
        invariants.filter(|(_, script)| is_broken(script)).map(|(name, _)| &**name).collect()
    }
}
