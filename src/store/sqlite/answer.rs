//! What a statement gave: its rows, put aside as they come, so that nothing of the store is held open while they are read.

use super::query::{Refused, Trouble};
use crate::store::StoreError;
use rusqlite::Statement;
use rusqlite::types::ValueRef;
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use tempfile::SpooledTempFile;

/// The longest row of an answer, in bytes.
const MAX_LENGTH: usize = 10_000_000;
/// The longest answer, in bytes: it may have to be put aside in a folder of temporary files.
const MAX_ANSWER: u64 = 1024 * 1024 * 1024;
/// An answer is kept in memory up to so many bytes.
const IN_MEMORY: usize = 8 * 1024 * 1024;

/// A value as SQL gives it.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// NULL.
    Null,
    /// A whole number.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes; also a text that is no UTF-8.
    Blob(Vec<u8>),
}

/// A column of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerColumn {
    /// Its name, as SQLite gives it.
    pub name: String,
    /// It is a column of decimals of a read model, as it is.
    pub decimal: bool,
    /// Everything in it is a number, or NULL.
    pub numeric: bool,
}

/// The rows that a statement gave. They are put aside: the store is free.
#[derive(Debug)]
pub struct Answer {
    /// Its columns; at least one.
    pub columns: Vec<AnswerColumn>,
    rows: u64,
    aside: BufReader<SpooledTempFile>,
}

/// Runs a statement to its end and puts its rows aside.
pub(super) fn collect(statement: &mut Statement<'_>) -> Result<Answer, Trouble> {
    let mut columns: Vec<_> = statement
        .columns()
        .map(|column| AnswerColumn {
            name: column.name().to_owned(),
            // No other column of a store is `ANY`.
            decimal: column.decl_type() == Some("ANY"),
            numeric: true,
        })
        .collect();
    let declared: Vec<bool> =
        statement.columns().map(|c| matches!(c.decl_type(), Some("ANY" | "INTEGER" | "REAL"))).collect();
    let aside =
        |error: io::Error| Trouble::Store(StoreError::Unavailable(format!("rows cannot be put aside: {error}")));
    let too_long = |words: &str| {
        Trouble::Refused(Refused::new(words).hint("ask for less of it, with WHERE, LIMIT or fewer columns"))
    };
    let mut out = BufWriter::new(tempfile::spooled_tempfile(IN_MEMORY));
    let (mut count, mut bytes) = (0, 0_u64);
    let mut any = vec![false; columns.len()];
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next()? {
        let mut length = 0;
        for (place, column) in columns.iter_mut().enumerate() {
            let value = row.get_ref(place)?;
            let is_number = match value {
                ValueRef::Null => None,
                ValueRef::Integer(_) | ValueRef::Real(_) => Some(true),
                ValueRef::Text(_) => Some(column.decimal),
                ValueRef::Blob(_) => Some(false),
            };
            any[place] |= is_number.is_some();
            column.numeric &= is_number != Some(false);
            length += put(&mut out, value).map_err(aside)?;
            if length > MAX_LENGTH {
                return Err(too_long("a row of the answer is longer than 10 MB"));
            }
        }
        count += 1;
        bytes += length as u64;
        if bytes > MAX_ANSWER {
            return Err(too_long("the answer is longer than 1 GiB"));
        }
    }
    for ((column, any), declared) in columns.iter_mut().zip(any).zip(declared) {
        column.numeric &= any || declared;
    }
    let mut aside_file = out.into_inner().map_err(|error| aside(error.into_error()))?;
    aside_file.rewind().map_err(aside)?;
    Ok(Answer { columns, rows: count, aside: BufReader::new(aside_file) })
}

/// Writes a value and tells how long it is.
fn put(out: &mut impl Write, value: ValueRef<'_>) -> io::Result<usize> {
    let (kind, bytes): (u8, &[u8]) = match value {
        ValueRef::Null => (0, &[]),
        ValueRef::Integer(n) => (1, &n.to_le_bytes()),
        ValueRef::Real(float) => (2, &float.to_le_bytes()),
        ValueRef::Text(bytes) if std::str::from_utf8(bytes).is_ok() => (3, bytes),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => (4, bytes),
    };
    out.write_all(&[kind])?;
    out.write_all(&(bytes.len() as u64).to_le_bytes())?;
    out.write_all(bytes)?;
    Ok(bytes.len() + 9)
}

fn take(input: &mut impl Read) -> io::Result<Cell> {
    let (mut kind, mut eight) = ([0], [0; 8]);
    input.read_exact(&mut kind)?;
    input.read_exact(&mut eight)?;
    let mut bytes = vec![0; usize::try_from(u64::from_le_bytes(eight)).map_err(io::Error::other)?];
    input.read_exact(&mut bytes)?;
    let number = |bytes: &[u8]| bytes.try_into().map_err(io::Error::other);
    Ok(match kind[0] {
        0 => Cell::Null,
        1 => Cell::Integer(i64::from_le_bytes(number(&bytes)?)),
        2 => Cell::Real(f64::from_le_bytes(number(&bytes)?)),
        3 => Cell::Text(String::from_utf8(bytes).map_err(io::Error::other)?),
        _ => Cell::Blob(bytes),
    })
}

impl Iterator for Answer {
    type Item = io::Result<Vec<Cell>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows = self.rows.checked_sub(1)?;
        Some((0..self.columns.len()).map(|_| take(&mut self.aside)).collect())
    }
}
