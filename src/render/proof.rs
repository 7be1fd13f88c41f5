//! Read models and what their events give.

use super::listing::{Column, Listing, Render};
use super::text;
use super::wire::{self, Exact};
use esctl::workbench::project::proof::{Difference, DifferenceKind, Proof, Proven};
use serde::Serialize;
use std::io;
use std::ops::ControlFlow;

/// What `project verify` prints.
pub const PROOFS: &[Column] = &[Column::text("result"), Column::text("projection"), Column::text("detail")];

/// A read model that was computed again.
#[derive(Debug, Serialize)]
pub struct Compared<'a> {
    name: &'a str,
    position: u64,
    rows: u64,
    events: u64,
    differences: Vec<Differing<'a>>,
    /// Differences beyond those that are listed.
    more: u64,
}

#[derive(Debug, Serialize)]
struct Differing<'a> {
    key: Exact<'a>,
    /// `value`, `missing` or `extra`.
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stored: Option<Exact<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    computed: Option<Exact<'a>>,
}

impl<'a> Compared<'a> {
    /// What came of a comparison.
    pub fn of(name: &'a str, proof: &'a Proof) -> Self {
        Self {
            name,
            position: proof.position.0,
            rows: proof.rows,
            events: proof.events,
            differences: proof.differences.iter().map(Differing::from).collect(),
            more: proof.more,
        }
    }
}

/// A difference in words.
pub fn difference(difference: &Difference) -> String {
    let key = &difference.key;
    match &difference.kind {
        DifferenceKind::Value { column, stored, computed } => {
            format!("`{column}` of the row {key} is {stored}, the events give {computed}")
        }
        DifferenceKind::Missing => format!("the row {key} is missing"),
        DifferenceKind::Extra => format!("the events give no row {key}"),
    }
}

impl<'a> From<&'a Difference> for Differing<'a> {
    fn from(difference: &'a Difference) -> Self {
        let bare = |kind| Self { key: Exact::from(&difference.key), kind, column: None, stored: None, computed: None };
        match &difference.kind {
            DifferenceKind::Value { column, stored, computed } => Self {
                column: Some(column),
                stored: Some(stored.into()),
                computed: Some(computed.into()),
                ..bare("value")
            },
            DifferenceKind::Missing => bare("missing"),
            DifferenceKind::Extra => bare("extra"),
        }
    }
}

/// `4 rows from 31 events, up to @33`
pub fn extent(proof: &Proof) -> String {
    let (rows, events) = (text::count(proof.rows, "row"), text::count(proof.events, "event"));
    format!("{rows} from {events}, up to {}", wire::at(proof.position))
}

/// A projection with its result; as a table the differences have lines of their own.
struct Line<'a> {
    result: &'static str,
    proven: &'a Proven,
    detail: String,
}

#[derive(Debug, Serialize)]
struct Whole<'a> {
    result: &'static str,
    #[serde(flatten)]
    compared: Option<Compared<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

impl Render for Line<'_> {
    fn cells(&self) -> Vec<String> {
        vec![self.result.to_owned(), self.proven.name.clone(), self.detail.clone()]
    }

    fn json(&self) -> io::Result<String> {
        let (name, result) = (self.proven.name.as_str(), self.result);
        wire::line(&match &self.proven.proof {
            Ok(proof) => Whole { result, compared: Some(Compared::of(name, proof)), name: None, why: None },
            Err(why) => Whole { result, compared: None, name: Some(name), why: Some(why) },
        })
    }
}

/// Lists a projection and, for people, its differences.
pub fn each_line(proven: &Proven, listing: &mut Listing<'_>) -> ControlFlow<()> {
    let line = |result, detail| Line { result, proven, detail };
    let proof = match &proven.proof {
        Err(why) => return listing.push(&line("not compared", why.clone())),
        Ok(proof) => proof,
    };
    let result = if proven.is_same() { "same" } else { "differs" };
    listing.push(&line(result, extent(proof)))?;
    if listing.is_json() {
        return ControlFlow::Continue(());
    }
    for found in &proof.differences {
        listing.push(&line("differs", difference(found)))?;
    }
    if proof.more > 0 {
        listing.push(&line("differs", format!("{} more", text::thousands(proof.more))))?;
    }
    ControlFlow::Continue(())
}
