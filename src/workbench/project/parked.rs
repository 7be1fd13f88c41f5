//! Events that a read model went on past: which they are, and trying them again.

use super::fill::Manner;
use super::rebuild::Rebuilt;
use super::{Progress, projection_of};
use crate::event::{Position, Recorded, Time};
use crate::store::{Failure, Generation, StoreError};
use crate::workbench::{Error, PAGE, Workbench};
use std::collections::BTreeSet;
use std::ops::ControlFlow;

/// An event that a read model could not apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parked {
    /// The read model.
    pub projection: String,
    /// The event.
    pub event: Recorded,
    /// Why.
    pub failure: Failure,
}

/// What came of trying the parked events of a read model again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retried {
    /// The read model, as it is now.
    pub rebuilt: Rebuilt,
    /// How many of the events that were parked are applied now.
    pub applied: u64,
}

impl Workbench {
    /// Hands over the events that were parked, by read model and position: of the ones with these names, or of all.
    pub fn project_parked(
        &mut self,
        names: &[String],
        each: &mut dyn FnMut(Parked) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let domains = self.domains.clone();
        for name in names {
            projection_of(&domains, name)?;
        }
        let all = domains.projections().map(|projection| &*projection.name);
        for name in all.filter(|name| names.is_empty() || names.iter().any(|wanted| wanted == name)) {
            let Some(generation) = self.generation_of(name)? else { continue };
            let mut after = Position(0);
            loop {
                let failures = self.store.parked(generation.number, after, PAGE)?;
                let Some(last) = failures.last() else { break };
                after = last.position;
                for failure in failures {
                    let Some(event) = self.event_at(failure.position)? else { continue };
                    if each(Parked { projection: name.to_owned(), event, failure }).is_break() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Tries parked events again, each in its place: the read model is filled anew by the rules of today. `None` where
    /// nothing is parked.
    pub fn project_retry(
        &mut self,
        name: &str,
        manner: Manner,
        now: Time,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<Retried>, Error> {
        let domains = self.domains.clone();
        projection_of(&domains, name)?;
        let before = self.parked_of(name)?;
        if before.is_empty() {
            return Ok(None);
        }
        // One that is being built may have gone past them already.
        self.store.abandon(name)?;
        let rebuilt = self.project_rebuild(name, Manner { park: true, ..manner }, now, progress)?;
        let after = self.parked_of(name)?;
        Ok(Some(Retried { rebuilt, applied: before.difference(&after).count() as u64 }))
    }

    /// What is served, or else what is built.
    fn generation_of(&mut self, name: &str) -> Result<Option<Generation>, Error> {
        let generations = self.store.generations()?;
        let of = generations.into_iter().filter(|generation| *generation.projection == *name);
        Ok(of.max_by_key(|generation| generation.served))
    }

    fn parked_of(&mut self, name: &str) -> Result<BTreeSet<Position>, Error> {
        let Some(generation) = self.generation_of(name)? else { return Ok(BTreeSet::new()) };
        Ok(self.positions_parked(&generation)?)
    }

    /// The events that a generation went on past.
    pub(super) fn positions_parked(&mut self, generation: &Generation) -> Result<BTreeSet<Position>, StoreError> {
        let mut positions = BTreeSet::new();
        loop {
            let after = positions.last().copied().unwrap_or_default();
            let more = self.store.parked(generation.number, after, PAGE)?;
            if more.is_empty() {
                return Ok(positions);
            }
            positions.extend(more.into_iter().map(|failure| failure.position));
        }
    }
}
