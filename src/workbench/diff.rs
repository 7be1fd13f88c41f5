//! What differs between two states.

use super::change::changes;
use super::replay::Replayed;
use super::{Change, Error, Workbench};
use crate::event::{Moment, StreamName};

/// Two states and what differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Diff {
    /// The one.
    pub from: Replayed,
    /// The other.
    pub to: Replayed,
    /// Every leaf that differs, in the order of the states.
    pub changes: Vec<Change>,
}

/// A stream at a moment; without one, now.
pub type Point<'a> = (&'a StreamName, Option<Moment>);

impl Workbench {
    /// Compares the states of two streams, or of one at two moments.
    pub fn diff(&mut self, from: Point<'_>, to: Point<'_>) -> Result<Diff, Error> {
        let from = self.replay(from.0, from.1)?;
        let to = self.replay(to.0, to.1)?;
        let changes = changes(&from.state, &to.state);
        Ok(Diff { from, to, changes })
    }
}
