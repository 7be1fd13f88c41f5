//! A filling of a read model in memory.

use crate::event::Position;
use crate::store::column::{self, Kept};
use crate::store::{Failure, Generation, Row, RowChange, StoreError, Table, check};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
pub(super) struct Filling {
    pub(super) generation: Generation,
    pub(super) rows: BTreeMap<Kept<'static>, Row>,
    pub(super) parked: BTreeMap<Position, Failure>,
}

impl Filling {
    /// All rows have come so far.
    pub(super) fn moved(&mut self, to: Position) {
        self.generation.checkpoint = to;
        self.generation.stopped.take_if(|failure| failure.position <= to);
    }

    pub(super) fn write(&mut self, table: &Table, changes: &[RowChange]) -> Result<(), StoreError> {
        let key = check::key(table)?;
        for change in changes {
            match change {
                RowChange::Put(row) => {
                    self.rows.insert(column::keep_key(key, &row[0])?.into_owned(), table.kept(row));
                }
                RowChange::Delete(value) => {
                    self.rows.remove(&column::keep_key(key, value)?.into_owned());
                }
            }
        }
        Ok(())
    }
}
