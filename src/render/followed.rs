//! Rows of a read model that is followed: each with what became of it.

use super::listing::{Column, Render};
use super::records::{Row, exact};
use super::{row_diff, wire};
use esctl::json::Value;
use esctl::workbench::project::ColumnInfo;
use esctl::workbench::project::diff::How;
use serde::Serialize;
use std::io;

/// A row that came, changed or went.
#[derive(Debug)]
pub struct Followed<'a> {
    /// Its columns; the key is among them.
    pub columns: &'a [ColumnInfo],
    /// The place of the key among them.
    pub place: usize,
    /// Its key.
    pub key: &'a Value,
    /// What became of it.
    pub how: How,
    /// One value for each column; `None` where it is gone.
    pub values: Option<&'a [Value]>,
}

impl Followed<'_> {
    /// The columns of such a listing.
    pub fn columns(columns: &[ColumnInfo]) -> Vec<Column> {
        let mut all = vec![Column::text("difference")];
        all.extend(Row::columns(columns));
        all
    }
}

/// The same in JSON.
#[derive(Serialize)]
struct Line<'a> {
    key: wire::Exact<'a>,
    /// `added`, `changed` or `removed`.
    difference: &'static str,
    /// `null` where it is gone.
    row: Option<wire::Named<'a>>,
}

impl Render for Followed<'_> {
    /// Of a row that is gone only the key is left.
    fn cells(&self) -> Vec<String> {
        let mut cells = vec![row_diff::word(self.how).to_owned()];
        match self.values {
            Some(values) => cells.extend(values.iter().map(exact)),
            None => {
                let cell = |place| if place == self.place { exact(self.key) } else { String::new() };
                cells.extend((0..self.columns.len()).map(cell));
            }
        }
        cells
    }

    fn json(&self) -> io::Result<String> {
        let names = || self.columns.iter().map(|column| column.name.as_str());
        let row = self.values.map(|values| wire::Named(names().zip(values).collect()));
        wire::line(&Line { key: self.key.into(), difference: row_diff::word(self.how), row })
    }
}
