//! A read model as it is in the file, by whatever rules it was filled.

use super::fault::Fault;
use super::projections::{in_state, kept_as, quoted, table_name};
use super::{SqliteStore, together};
use crate::json;
use crate::store::{Column, ColumnKind, Generation, StoreError, Table};
use rusqlite::Connection;

impl SqliteStore {
    /// The generation that is served for a projection, if any, and its table as it is in the file.
    ///
    /// SQL does not know booleans and JSON: where a column of `like` has the same name and is kept in the same way, and
    /// every value fits it, it says of which kind the column is.
    pub fn stored(&mut self, projection: &str, like: &[Column]) -> Result<Option<(Generation, Table)>, StoreError> {
        self.call(|connection, _| {
            together(connection, |view| {
                let Some(generation) = in_state(view, projection, "served")? else { return Ok(None) };
                let table = table(view, &generation, like)?;
                Ok(Some((generation, table)))
            })
        })
    }
}

fn table(connection: &Connection, generation: &Generation, like: &[Column]) -> Result<Table, Fault> {
    let mut statement = connection.prepare_cached("SELECT name, type FROM pragma_table_info(?1) ORDER BY cid")?;
    let name = format!("{}__{}", generation.projection, generation.number);
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let kept: Vec<(String, String)> = statement.query_map([name], read)?.collect::<Result<_, _>>()?;
    if kept.is_empty() {
        return Fault::contradiction(format!("the rows of the projection `{}` are missing", generation.projection));
    }
    let rows = table_name(&generation.projection, generation.number);
    let mut columns = Vec::with_capacity(kept.len());
    for (name, kept) in kept {
        let mut column = Column { name: name.into(), kind: plain(&kept) };
        if let Some(like) = like.iter().find(|like| like.name == column.name && kept_as(like) == kept)
            && fits(connection, &rows, like)?
        {
            column.kind = like.kind;
        }
        columns.push(column);
    }
    let (name, digest) = (generation.projection.clone(), generation.digest.clone());
    Ok(Table { name, columns, indexes: Vec::new(), digest })
}

/// What a type of SQL is for sure.
fn plain(kept: &str) -> ColumnKind {
    match kept {
        "INTEGER" => ColumnKind::Integer,
        "ANY" => ColumnKind::Decimal,
        _ => ColumnKind::Text,
    }
}

/// Whether every value can be of that kind.
fn fits(connection: &Connection, rows: &str, column: &Column) -> Result<bool, Fault> {
    let name = quoted(&column.name);
    match column.kind {
        ColumnKind::Boolean => {
            Ok(!connection.prepare(&format!("SELECT 1 FROM {rows} WHERE {name} NOT IN (0, 1)"))?.exists([])?)
        }
        ColumnKind::Json => {
            let mut statement = connection.prepare(&format!("SELECT {name} FROM {rows} WHERE {name} IS NOT NULL"))?;
            let mut values = statement.query([])?;
            while let Some(row) = values.next()? {
                if !row.get_ref(0)?.as_str().is_ok_and(|text| json::parse(text).is_ok()) {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        ColumnKind::Integer | ColumnKind::Decimal | ColumnKind::Text => Ok(true),
    }
}
