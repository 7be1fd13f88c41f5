//! `sum` as `sql` has it: exact, where SQLite's own adds decimals as binary floats and takes texts for nothing.

use crate::store::column::{self, Kept};
use rusqlite::functions::{Aggregate, Context, FunctionFlags, WindowAggregate};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Error, Result};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

struct Sum;

/// What was added so far.
#[derive(Debug, Default)]
struct Total {
    terms: u64,
    exact: Decimal,
    /// Floats that SQL computed and that no decimal of 15 digits is, added as floats.
    lossy_terms: u64,
    lossy: f64,
}

enum Term {
    Nothing,
    Exact(Decimal),
    Lossy(f64),
}

/// Replaces `sum` on this connection.
pub(super) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_INNOCUOUS;
    connection.create_window_function("sum", 1, flags, Sum)
}

impl Aggregate<Total, Kept<'static>> for Sum {
    fn init(&self, _: &mut Context<'_>) -> Result<Total> {
        Ok(Total::default())
    }

    fn step(&self, context: &mut Context<'_>, total: &mut Total) -> Result<()> {
        match term(context)? {
            Term::Nothing => return Ok(()),
            Term::Exact(term) => total.exact = add(total.exact, term)?,
            Term::Lossy(term) => {
                total.lossy += term;
                total.lossy_terms += 1;
            }
        }
        total.terms += 1;
        Ok(())
    }

    fn finalize(&self, _: &mut Context<'_>, total: Option<Total>) -> Result<Kept<'static>> {
        kept(total.as_ref())
    }
}

impl WindowAggregate<Total, Kept<'static>> for Sum {
    fn value(&self, total: Option<&mut Total>) -> Result<Kept<'static>> {
        kept(total.as_deref())
    }

    fn inverse(&self, context: &mut Context<'_>, total: &mut Total) -> Result<()> {
        match term(context)? {
            Term::Nothing => return Ok(()),
            Term::Exact(term) => total.exact = add(total.exact, -term)?,
            Term::Lossy(term) => {
                total.lossy_terms -= 1;
                // What rounding left behind goes with the last of them.
                total.lossy = if total.lossy_terms == 0 { 0.0 } else { total.lossy - term };
            }
        }
        total.terms -= 1;
        Ok(())
    }
}

fn kept(total: Option<&Total>) -> Result<Kept<'static>> {
    match total {
        Some(total) if total.lossy_terms > 0 => {
            let sum = total.exact.to_f64().unwrap_or(f64::NAN) + total.lossy;
            Ok(Kept::Real(total.exact, sum))
        }
        Some(total) if total.terms > 0 => column::decimal(total.exact).map_err(|error| failed(error.to_string())),
        _ => Ok(Kept::Null),
    }
}

fn term(context: &Context<'_>) -> Result<Term> {
    let decimal = |text: &str| Decimal::from_str_exact(text).ok();
    match context.get_raw(0) {
        ValueRef::Null => Ok(Term::Nothing),
        ValueRef::Integer(n) => Ok(Term::Exact(n.into())),
        ValueRef::Real(float) => {
            Ok(decimal(&float.to_string()).filter(|d| column::fits_float(*d)).map_or(Term::Lossy(float), Term::Exact))
        }
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes).ok().and_then(|text| decimal(text.trim())) {
            Some(decimal) => Ok(Term::Exact(decimal)),
            None => Err(failed("`sum` adds numbers, and a text among its values is none; `total` takes it for 0")),
        },
        ValueRef::Blob(_) => Err(failed("`sum` adds numbers, and a blob is among its values")),
    }
}

fn add(a: Decimal, b: Decimal) -> Result<Decimal> {
    match a.checked_add(b) {
        Some(sum) if sum.scale() == a.scale().max(b.scale()) || a.is_zero() || b.is_zero() => Ok(sum),
        _ => Err(failed("the exact `sum` does not fit 28 digits; `total` adds as floats")),
    }
}

fn failed(words: impl Into<String>) -> Error {
    Error::UserFunctionError(words.into().into())
}
