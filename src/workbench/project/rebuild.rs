//! Bringing read models up to date, and filling them anew.

use super::fill::{Filling, Manner, Places, Run, events_of};
use super::routes::Routes;
use super::rows::{Rows, Share, fetch};
use super::show::Shown;
use super::{Progress, projection_of, table_of};
use crate::domain::{Domains, Projection};
use crate::event::{Position, Recorded, Time};
use crate::json::Value;
use crate::store::{Generation, RowChange, StoreError, Table};
use crate::workbench::{Error, PAGE, Workbench};

/// A read model's table, and its filling that is served, if the rules of today filled it.
pub(in crate::workbench) struct Filled {
    pub(in crate::workbench) table: Table,
    pub(in crate::workbench) served: Option<Generation>,
}

/// What a rebuild did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The read model.
    pub name: String,
    /// How many events were applied.
    pub events: u64,
    /// How many rows it has.
    pub rows: u64,
    /// The last position it has seen.
    pub position: Position,
    /// It went on where an earlier rebuild had been stopped.
    pub resumed: bool,
    /// How many events it went on past, which it could not apply.
    pub parked: u64,
}

impl Workbench {
    /// Builds a read model anew beside the one that is served, and swaps them when it is complete.
    ///
    /// Where an event cannot be applied, [`Error::Script`] says which and why, unless it is to go on past it; what came
    /// before it stays, and the next rebuild goes on there.
    pub fn project_rebuild(
        &mut self,
        name: &str,
        manner: Manner,
        now: Time,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Rebuilt, Error> {
        let domains = self.domains.clone();
        let projection = projection_of(&domains, name)?;
        let table = table_of(projection);
        loop {
            let generation = self.store.build(&table)?;
            let resumed = generation.checkpoint > Position(0) || generation.ahead.is_some();
            let built = self.fill(&domains, projection, &table, &generation, manner, progress).and_then(|run| {
                self.store.serve(&table, generation.number, now)?;
                Ok(run)
            });
            match built {
                Ok(run) => {
                    let rows = self.store.count(generation.number)?;
                    let parked = self.store.served(name)?.map_or(0, |served| served.parked);
                    let name = name.to_owned();
                    return Ok(Rebuilt { name, events: run.events, rows, position: run.position, resumed, parked });
                }
                // Another process is building the same: look again how far it is.
                Err(Error::Store(StoreError::Overtaken)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Brings a read model up to date: what is missing is applied; one that was never built, or by other rules, is
    /// built. Gives the position it has reached.
    pub fn project_catch_up(
        &mut self,
        name: &str,
        manner: Manner,
        now: Time,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Position, Error> {
        match self.project_go_on(name, manner, progress)? {
            Some(position) => Ok(position),
            None => Ok(self.project_rebuild(name, manner, now, progress)?.position),
        }
    }

    /// The same for one that the rules of today filled; `None`, and nothing is done, where it was never built, or by other
    /// rules.
    pub fn project_go_on(
        &mut self,
        name: &str,
        manner: Manner,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Option<Position>, Error> {
        let domains = self.domains.clone();
        let projection = projection_of(&domains, name)?;
        let table = table_of(projection);
        loop {
            let Some(generation) = self.store.served(name)?.filter(|g| g.digest == projection.digest) else {
                return Ok(None);
            };
            if generation.checkpoint == self.store.head()?.position {
                return Ok(Some(generation.checkpoint));
            }
            match self.fill(&domains, projection, &table, &generation, manner, progress) {
                Ok(run) => return Ok(Some(run.position)),
                // Somebody else is catching up as well: look again how far it is.
                Err(Error::Store(StoreError::Overtaken)) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A read model's table, and what is served of it by the rules of today.
    pub(in crate::workbench) fn project_filled(&mut self, name: &str) -> Result<Filled, Error> {
        let projection = projection_of(&self.domains, name)?;
        let served = self.store.served(name)?.filter(|served| served.digest == projection.digest);
        Ok(Filled { table: table_of(projection), served })
    }

    /// What events change in a filling that has seen everything before them. Nothing is written.
    pub(in crate::workbench) fn project_events(
        &mut self,
        table: &Table,
        generation: u64,
        events: &[Recorded],
    ) -> Result<Vec<RowChange>, Error> {
        let domains = self.domains.clone();
        let projection = projection_of(&domains, &table.name)?;
        let mut rows = Rows::new(Routes::new(&domains, projection), Share::default(), false, false);
        let store = self.store.as_mut();
        rows.apply(events, None, &mut |keys, each| fetch(store, (table, generation), &keys, each))?;
        Ok(rows.take_all_changes().into_iter().map(|(_, change)| change).collect())
    }

    /// Computes one row anew from all events that its read model has seen, and puts it in its place. The read model is
    /// brought up to date before.
    pub fn project_rebuild_row(
        &mut self,
        name: &str,
        key: &str,
        now: Time,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Rebuilt, Error> {
        let domains = self.domains.clone();
        let projection = projection_of(&domains, name)?;
        let table = table_of(projection);
        // Read as `project show` reads it.
        let key = Shown::new(projection, 0).key(key)?;
        loop {
            self.project_catch_up(name, Manner::default(), now, progress)?;
            let Some(served) = self.store.served(name)?.filter(|served| served.digest == projection.digest) else {
                continue;
            };
            let (events, changes) = self.row(&domains, projection, &served, &key, progress)?;
            let at = served.checkpoint;
            match self.store.advance(&table, served.number, at, at, &changes) {
                Ok(()) => {
                    let rows = changes.iter().filter(|change| matches!(change, RowChange::Put(_))).count() as u64;
                    let (name, parked) = (name.to_owned(), served.parked);
                    return Ok(Rebuilt { name, events, rows, position: at, resumed: false, parked });
                }
                // Another process brought it further meanwhile.
                Err(StoreError::Overtaken) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// How many events a row was computed from, and the row.
    fn row(
        &mut self,
        domains: &Domains,
        projection: &Projection,
        served: &Generation,
        key: &Value,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(u64, Vec<RowChange>), Error> {
        let parked = self.positions_parked(served)?;
        let (filter, commands) = events_of(domains, projection);
        let share = Share { key: Some(key.clone()), ..Share::default() };
        let mut rows = Rows::new(Routes::new(domains, projection), share, true, false);
        let mut at = Position(0);
        while at < served.checkpoint {
            let mut page = self.store.read_all(at, PAGE, commands, &filter)?;
            page.events.retain(|event| event.position <= served.checkpoint && !parked.contains(&event.position));
            rows.apply(&page.events, None, &mut |_, _| Ok(()))?;
            at = page.scanned.min(served.checkpoint);
            progress(Progress { done: at, total: served.checkpoint });
        }
        let events = rows.applied();
        let mut changes: Vec<RowChange> = rows.take_all_changes().into_iter().map(|(_, change)| change).collect();
        if changes.is_empty() {
            changes.push(RowChange::Delete(key.clone()));
        }
        Ok((events, changes))
    }

    /// Applies what a generation has not seen.
    fn fill(
        &mut self,
        domains: &Domains,
        projection: &Projection,
        table: &Table,
        generation: &Generation,
        manner: Manner,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Run, Error> {
        let mut places = Places { log: self.store.as_mut(), aside: None };
        Filling { projection, table, generation, until: None, manner }.run(domains, &mut places, progress)
    }
}
