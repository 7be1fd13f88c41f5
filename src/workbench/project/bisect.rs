//! Bisecting a read model: since when a condition holds on one of its rows.

use super::diff::{row_changes, row_value};
use super::fill::events_of;
use super::routes::Routes;
use super::rows::{Rows, Share};
use super::show::Shown;
use super::{projection_of, table_of};
use crate::diagnostic::Diagnostic;
use crate::event::{Position, Recorded};
use crate::json::Value;
use crate::script::Script;
use crate::script::project::Cells;
use crate::workbench::bisect::Wanted;
use crate::workbench::events::each_logged;
use crate::workbench::{Change, Error, Workbench};
use std::ops::ControlFlow;
use std::slice;

/// Where a condition on a row became true, or changed last.
#[derive(Debug, Clone, PartialEq)]
pub struct RowTurn {
    /// The position from which on it is so; 0 where it is so before the first event.
    pub position: Position,
    /// Whether the condition holds from there on.
    pub holds: bool,
    /// The event that made it so, with its command.
    pub event: Option<Recorded>,
    /// What that event changed in the row, column by column.
    pub changes: Vec<Change>,
    /// The row then, its columns in order; `None` where there is none.
    pub row: Option<Value>,
}

impl Workbench {
    /// A condition on the rows of a read model; the inner error is every problem with its text.
    pub fn row_condition(&self, name: &str, text: &str) -> Result<Result<Script, Vec<Diagnostic>>, Error> {
        Ok(self.domains.row_condition(projection_of(&self.domains, name)?, text))
    }

    /// Asks for a condition on `row` and `exists` after each event that the row with this key is made of, computed from the
    /// log by the rules of today; `None` where there is no such turn. Events that the read model went on past are left out.
    /// Nothing is written.
    pub fn project_bisect(
        &mut self,
        name: &str,
        key: &str,
        condition: &Script,
        wanted: Wanted,
    ) -> Result<Option<RowTurn>, Error> {
        let domains = self.domains.clone();
        let projection = projection_of(&domains, name)?;
        let key = Shown::new(projection, 0).key(key)?;
        let seen = key.clone().into();
        let holds = |row: Option<&Cells>, at: Position| {
            let held = domains.host.holds_on_row(condition, &projection.rows, &seen, row);
            held.map_err(|fault| fault.while_doing(|| format!("while asking of the row {key} of `{name}` after @{at}")))
        };
        let mut held = holds(None, Position(0))?;
        if held && wanted == Wanted::First {
            return Ok(Some(RowTurn {
                position: Position(0),
                holds: true,
                event: None,
                changes: Vec::new(),
                row: None,
            }));
        }
        let parked = match self.store.served(name)?.filter(|served| served.digest == projection.digest) {
            Some(served) => self.positions_parked(&served)?,
            None => <_>::default(),
        };
        let table = table_of(projection);
        let (filter, commands) = events_of(&domains, projection);
        let share = Share { key: Some(key.clone()), ..Share::default() };
        let mut rows = Rows::new(Routes::new(&domains, projection), share, true, false);
        let mut before: Option<Cells> = None;
        let mut found: Option<RowTurn> = None;
        let end = self.store.head()?.position;
        each_logged(self.store.as_mut(), (Position(0), end), commands, &filter, |event| {
            let (position, applied) = (event.position, rows.applied());
            if !parked.contains(&position) {
                rows.apply(slice::from_ref(&event), None, &mut |_, _| Ok(()))?;
            }
            if rows.applied() == applied {
                return Ok(ControlFlow::Continue(()));
            }
            let row = rows.only();
            if holds(row, position)? != held {
                held = !held;
                let values = |row: Option<&Cells>| Some(row_value(&table, projection.rows.values(row?)));
                let (old, new) = (values(before.as_ref()), values(row));
                let changes = row_changes(old.as_ref(), new.as_ref());
                found = Some(RowTurn { position, holds: held, event: None, changes, row: new });
                if wanted == Wanted::First {
                    return Ok(ControlFlow::Break(()));
                }
            }
            before = row.cloned();
            Ok(ControlFlow::Continue(()))
        })?;
        let Some(mut turn) = found else { return Ok(None) };
        turn.event = self.event_at(turn.position)?;
        Ok(Some(turn))
    }
}
