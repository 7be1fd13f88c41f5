//! What a statement of `sql` gave.

use super::listing::{Column, Render};
use super::wire::{self, Exact};
use esctl::json;
use esctl::store::sqlite::query::{AnswerColumn, Cell};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::fmt::Write as _;
use std::io;

/// A row of an answer.
#[derive(Debug)]
pub struct AnswerRow<'a> {
    /// The answer's columns.
    pub columns: &'a [AnswerColumn],
    /// One value for each.
    pub cells: Vec<Cell>,
}

/// The columns of such a listing.
pub fn columns(columns: &[AnswerColumn]) -> Vec<Column> {
    columns.iter().map(|column| Column { name: column.name.clone().into(), right: column.numeric }).collect()
}

/// The first name that several columns bear: in JSON only one of them could be told.
pub fn twice(columns: &[AnswerColumn]) -> Option<&str> {
    let name = |(place, column): (usize, &AnswerColumn)| columns[..place].iter().any(|known| known.name == column.name);
    columns.iter().enumerate().find(|found| name(*found)).map(|(_, column)| column.name.as_str())
}

impl Render for AnswerRow<'_> {
    fn cells(&self) -> Vec<String> {
        let cell = |(column, cell): (&AnswerColumn, &Cell)| match cell {
            Cell::Null => String::new(),
            Cell::Integer(n) => n.to_string(),
            Cell::Real(float) => real(*float, column),
            Cell::Text(text) => text.clone(),
            Cell::Blob(bytes) => hex(bytes),
        };
        self.columns.iter().zip(&self.cells).map(cell).collect()
    }

    fn json(&self) -> io::Result<String> {
        wire::line(self)
    }
}

impl Serialize for AnswerRow<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.cells.len()))?;
        for (column, cell) in self.columns.iter().zip(&self.cells) {
            let name = &column.name;
            match cell {
                Cell::Null => map.serialize_entry(name, &()),
                Cell::Integer(n) => map.serialize_entry(name, n),
                Cell::Real(float) => map.serialize_entry(name, &Exact::from(real(*float, column).as_str())),
                // A decimal of many digits, which the store keeps as text.
                Cell::Text(text) if column.decimal && is_number(text) => {
                    map.serialize_entry(name, &Exact::from(text.as_str()))
                }
                Cell::Text(text) => map.serialize_entry(name, text),
                Cell::Blob(bytes) => map.serialize_entry(name, &hex(bytes)),
            }?;
        }
        map.end()
    }
}

/// The shortest text that reads back as this float: for a column of decimals that is the decimal it was made from.
fn real(float: f64, column: &AnswerColumn) -> String {
    match float {
        // As SQLite itself writes them where JSON has no word for them.
        f64::INFINITY => "9e999".to_owned(),
        f64::NEG_INFINITY => "-9e999".to_owned(),
        float if column.decimal => float.to_string(),
        float => format!("{float:?}"),
    }
}

fn is_number(text: &str) -> bool {
    matches!(json::parse(text), Ok(json::Value::Integer(_) | json::Value::Decimal(_)))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}
