//! Read models that are brought up to date in the same transaction as the events: `inline: true`.

use super::project::{Filled, Manner};
use super::{Error, Workbench};
use crate::event::{Command, NewEvent, Position, Time};
use crate::store::{RowChange, StoreError, Table};

/// How often a turn is begun again where others appended by other rules meanwhile.
const ATTEMPTS: usize = 100;

/// A read model within a turn.
#[derive(Debug)]
pub(super) struct Inline {
    table: Table,
    generation: u64,
    /// The last position it has seen.
    at: Position,
}

/// What events change in a read model: to be written when they are appended.
pub(super) struct Step {
    changes: Vec<RowChange>,
    to: Position,
}

impl Workbench {
    /// Takes the write turn, with all such read models up to date in it. One that is not, as after an import, is brought up to
    /// date before.
    pub(super) fn begin_inline(&mut self, now: Time) -> Result<Vec<Inline>, Error> {
        let domains = self.domains.clone();
        let names: Vec<&str> = domains.projections().filter(|known| known.inline).map(|known| &*known.name).collect();
        if names.is_empty() {
            self.store.begin()?;
            return Ok(Vec::new());
        }
        for _ in 0..ATTEMPTS {
            for name in &names {
                self.project_catch_up(name, Manner::default(), now, &mut |_| {})?;
            }
            self.store.begin()?;
            match self.inline(&names) {
                Ok(Some(inline)) => return Ok(inline),
                Ok(None) => self.store.rollback(),
                Err(error) => {
                    self.store.rollback();
                    return Err(error);
                }
            }
        }
        Err(StoreError::Busy("other processes keep appending events by other rules".to_owned()).into())
    }

    /// Takes the write turn for commands: such read models are up to date in it, and processes that the store has not met yet
    /// begin before them.
    pub(super) fn begin_sending(&mut self, now: Time) -> Result<Vec<Inline>, Error> {
        let inline = self.begin_inline(now)?;
        match self.meet_processes() {
            Ok(()) => Ok(inline),
            Err(error) => {
                self.store.rollback();
                Err(error)
            }
        }
    }

    /// These read models, if they are up to date.
    fn inline(&mut self, names: &[&str]) -> Result<Option<Vec<Inline>>, Error> {
        let head = self.store.head()?.position;
        let mut inline = Vec::with_capacity(names.len());
        for name in names {
            let Filled { table, served } = self.project_filled(name)?;
            match served.filter(|served| served.checkpoint == head) {
                Some(served) => inline.push(Inline { table, generation: served.number, at: head }),
                None => return Ok(None),
            }
        }
        Ok(Some(inline))
    }

    /// What events that are about to be appended change. Where one of them cannot be applied, none of them may be stored.
    pub(super) fn project_inline(
        &mut self,
        command: &Command,
        events: &[NewEvent],
        inline: &mut [Inline],
    ) -> Result<Vec<Step>, Error> {
        if inline.is_empty() {
            return Ok(Vec::new());
        }
        let all = self.placed(command, events)?;
        let to = all.last().map_or(self.store.head()?.position, |event| event.position);
        inline
            .iter()
            .map(|one| Ok(Step { changes: self.project_events(&one.table, one.generation, &all)?, to }))
            .collect()
    }

    /// Writes that, now that the events are appended.
    pub(super) fn write_inline(&mut self, steps: Vec<Step>, inline: &mut [Inline]) -> Result<(), Error> {
        for (step, one) in steps.into_iter().zip(inline) {
            self.store.advance_in_turn(&one.table, one.generation, one.at, step.to, &step.changes)?;
            one.at = step.to;
        }
        Ok(())
    }
}
