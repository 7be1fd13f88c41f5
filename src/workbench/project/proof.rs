//! Whether a read model's rows are what its events give: they are computed again, aside, and compared.

use super::diff::{Pair, compare};
use super::fill::{Filling, Manner, Places};
use super::{Progress, projection_of, table_of};
use crate::domain::Domains;
use crate::event::Position;
use crate::json::Value;
use crate::store::{Row, Store, Table};
use crate::workbench::{Error, Workbench};
use std::ops::ControlFlow;

/// How many differences are kept in words; the others are counted.
pub const MAX_DIFFERENCES: usize = 100;
/// How often a comparison begins again where another process brings the read model up to date meanwhile.
const ATTEMPTS: usize = 10;

/// Something in which the rows differ from what the events give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key of the row.
    pub key: Value,
    /// How it differs.
    pub kind: DifferenceKind,
}

/// How a row differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DifferenceKind {
    /// A value of it is another.
    Value {
        /// The column.
        column: String,
        /// What is stored.
        stored: Value,
        /// What the events give.
        computed: Value,
    },
    /// The events give such a row, and there is none.
    Missing,
    /// There is such a row, and the events give none.
    Extra,
}

/// What came of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proof {
    /// How many rows were compared.
    pub rows: u64,
    /// How many events they were computed from.
    pub events: u64,
    /// Up to which position.
    pub position: Position,
    /// The first [`MAX_DIFFERENCES`].
    pub differences: Vec<Difference>,
    /// How many more there are.
    pub more: u64,
}

/// A read model, and whether it is what its events give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Its name.
    pub name: String,
    /// What came of it; or why it could not be compared.
    pub proof: Result<Proof, String>,
}

impl Proven {
    /// Whether it was compared and is.
    pub fn is_same(&self) -> bool {
        self.proof.as_ref().is_ok_and(|proof| proof.differences.is_empty())
    }
}

impl Workbench {
    /// Proves one read model, with its rows computed again in the store `aside`.
    pub fn project_verify(
        &mut self,
        name: &str,
        aside: &mut dyn Store,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Proven, Error> {
        let domains = self.domains.clone();
        let proof = prove(&domains, self.store.as_mut(), aside, name, progress)?;
        Ok(Proven { name: name.to_owned(), proof })
    }
}

/// Computes a read model anew from the events up to where it has got, into the store `aside`, and compares each row.
/// Nothing is written to `store`.
pub fn prove(
    domains: &Domains,
    store: &mut dyn Store,
    aside: &mut dyn Store,
    name: &str,
    progress: &mut dyn FnMut(Progress),
) -> Result<Result<Proof, String>, Error> {
    let projection = projection_of(domains, name)?;
    let table = table_of(projection);
    aside.abandon(name)?;
    let mut events = 0;
    for _ in 0..ATTEMPTS {
        let Some(served) = store.served(name)? else { return Ok(Err("it was never filled".to_owned())) };
        if served.digest != projection.digest {
            return Ok(Err("it was filled by other rules than those of today".to_owned()));
        }
        let computed = aside.build(&table)?;
        // What it could not apply it cannot apply here either.
        let manner = Manner { park: served.parked > 0, ..Manner::default() };
        let filling =
            Filling { projection, table: &table, generation: &computed, until: Some(served.checkpoint), manner };
        if computed.checkpoint < served.checkpoint {
            let run = filling.run(domains, &mut Places { log: store, aside: Some(aside) }, progress);
            match run {
                Ok(run) => events += run.events,
                Err(Error::Script(fault)) => return Ok(Err(format!("its rules fail: {}", fault.0.message))),
                Err(error) => return Err(error),
            }
        }
        let mut proof = Proof { events, position: served.checkpoint, ..Proof::default() };
        let fillings = ((&table, served.number), (&table, computed.number));
        let compared = compare((&mut *store, &mut *aside), fillings, &mut |pair| {
            proof.rows += u64::from(!matches!(pair, Pair::Second(_)));
            match pair {
                Pair::Both(stored, computed) => differ(&table, stored, computed, &mut proof),
                Pair::First(stored) => note(&mut proof, stored, DifferenceKind::Extra),
                Pair::Second(computed) => note(&mut proof, computed, DifferenceKind::Missing),
            }
            ControlFlow::Continue(())
        });
        // What moved while it was looked at is looked at again, from where it was.
        if store.served(name)?.as_ref() == Some(&served) {
            compared?;
            return Ok(Ok(proof));
        }
    }
    Ok(Err("other processes kept changing it".to_owned()))
}

fn differ(table: &Table, stored: Row, computed: Row, proof: &mut Proof) {
    if stored == computed {
        return;
    }
    let key = stored.first().cloned().unwrap_or(Value::Null);
    for ((column, stored), computed) in table.columns.iter().zip(stored).zip(computed) {
        if !stored.same(&computed) {
            let kind = DifferenceKind::Value { column: column.name.to_string(), stored, computed };
            push(proof, Difference { key: key.clone(), kind });
        }
    }
}

fn note(proof: &mut Proof, row: Row, kind: DifferenceKind) {
    let key = row.into_iter().next().unwrap_or(Value::Null);
    push(proof, Difference { key, kind });
}

fn push(proof: &mut Proof, difference: Difference) {
    if proof.differences.len() < MAX_DIFFERENCES {
        proof.differences.push(difference);
    } else {
        proof.more += 1;
    }
}
