//! A read model as it is shown: by the rules of today, or as it is in the store whatever rules filled it.

use super::{ColumnInfo, Wanted, column_kind, projection_of, table_of};
use crate::domain::fields::Type;
use crate::domain::{Domains, Projection};
use crate::json::{self, Value};
use crate::store::sqlite::SqliteStore;
use crate::store::{ColumnKind, Row, RowFilter, Store, StoreError, Table};
use crate::workbench::{Error, Misfit, PAGE, Workbench};
use std::ops::ControlFlow;

/// The columns of a read model and the filling that has its rows.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its table.
    pub table: Table,
    /// The number of the filling.
    pub generation: u64,
    /// The type of the key, where the rules of today say it.
    key: Option<Type>,
}

impl Workbench {
    /// A read model with the filling that is served, which was brought up to date before.
    pub fn project_served(&mut self, name: &str) -> Result<Shown, Error> {
        let projection = projection_of(&self.domains, name)?;
        match self.store.served(name)? {
            Some(generation) if generation.digest == projection.digest => Ok(Shown::new(projection, generation.number)),
            // Another process has other rules.
            _ => Err(StoreError::Overtaken.into()),
        }
    }

    /// A read model with a filling of that number, by the rules of today.
    pub fn project_shown(&self, name: &str, generation: u64) -> Result<Shown, Error> {
        Ok(Shown::new(projection_of(&self.domains, name)?, generation))
    }
}

impl Shown {
    pub(super) fn new(projection: &Projection, generation: u64) -> Self {
        let key = projection.columns.iter().next().map(|column| column.kind.clone());
        Self { table: table_of(projection), generation, key }
    }

    /// A read model as it is in the store, also where other rules filled it, or none of today's know it.
    pub fn stale(domains: &Domains, name: &str, store: &mut SqliteStore) -> Result<Self, Error> {
        let projection = domains.projection(name);
        let today = projection.map(table_of);
        let like = today.as_ref().map(|table| table.columns.as_slice()).unwrap_or_default();
        let Some((generation, table)) = store.stored(name, like)? else {
            projection_of(domains, name)?;
            let misfit = Misfit::new(format!("`{name}` was never filled: there are no rows to show"));
            return Err(misfit.hint(format!("`esctl project rebuild {name}` fills it")).into());
        };
        match projection {
            Some(projection) if projection.digest == generation.digest => Ok(Self::new(projection, generation.number)),
            _ => {
                let first = projection.and_then(|projection| projection.columns.iter().next());
                let same = first.filter(|key| {
                    table.columns.first().is_some_and(|c| *c.name == *key.name && c.kind == column_kind(&key.kind))
                });
                let key = same.map(|key| key.kind.clone());
                Ok(Self { table, generation: generation.number, key })
            }
        }
    }

    /// Its columns, in order.
    pub fn columns(&self) -> Vec<ColumnInfo> {
        let numeric = |kind| matches!(kind, ColumnKind::Integer | ColumnKind::Decimal);
        self.table.columns.iter().map(|c| ColumnInfo { name: c.name.to_string(), numeric: numeric(c.kind) }).collect()
    }

    /// A key as it is written, by the type of the key column.
    pub fn key(&self, text: &str) -> Result<Value, Error> {
        let kept = self.table.columns.first().map(|column| column.kind);
        let read = match (&self.key, kept) {
            (Some(kind), _) => kind.read(text),
            (None, Some(ColumnKind::Integer | ColumnKind::Decimal)) => json::number(text),
            _ => Ok(Value::Text(text.to_owned())),
        };
        match (kept, read.map_err(Misfit::new)?) {
            (Some(ColumnKind::Integer), Value::Decimal(_)) => {
                Err(Misfit::new(format!("expected an integer, found `{text}`")).into())
            }
            (_, key) => Ok(key),
        }
    }

    /// Hands over rows in pages, ordered by key.
    pub fn rows(
        &self,
        store: &mut dyn Store,
        wanted: &Wanted<'_>,
        each: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let key = wanted.key.map(|text| self.key(text)).transpose()?;
        let mut left = wanted.limit.unwrap_or(u64::MAX);
        let mut filter = RowFilter { key, after: None, limit: PAGE };
        while left > 0 {
            filter.limit = usize::try_from(left).map_or(PAGE, |left| left.min(PAGE));
            let rows = store.select(&self.table, self.generation, &filter)?;
            let done = rows.len() < filter.limit || filter.key.is_some();
            left -= (rows.len() as u64).min(left);
            filter.after = rows.last().and_then(|row| row.first().cloned());
            for row in rows {
                if each(row).is_break() {
                    return Ok(());
                }
            }
            if done {
                break;
            }
        }
        Ok(())
    }
}
