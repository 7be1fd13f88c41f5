//! What is kept in memory from one command of a batch to the next.

use super::inline::Inline;
use crate::event::{Position, StreamName, Version};
use crate::script::State;
use std::collections::{BTreeSet, HashMap};

/// The most streams whose states are kept in memory from one command of a batch to the next.
const MAX_KEPT: usize = 10_000;
/// What a thread may hold before it drops the states it keeps, in bytes.
const MAX_HELD: isize = 24 * 1024 * 1024;

/// States of streams as they were after the last command of a batch. Trusted only at the version the store says.
#[derive(Debug, Default)]
pub(super) struct Kept {
    streams: HashMap<StreamName, (State, Version)>,
    /// Read models that go with the events, as they are in the turn.
    pub(super) inline: Vec<Inline>,
    /// Streams beside their own that decisions looked at, where somebody wants to know.
    pub(super) looked: Option<BTreeSet<StreamName>>,
    /// Other streams are looked at as they were when the store ended there; `None`: as they are.
    pub(super) until: Option<Position>,
}

impl Kept {
    /// With these read models, which are up to date in the turn.
    pub(super) fn with(inline: Vec<Inline>) -> Self {
        Self { inline, ..Self::default() }
    }

    pub(super) fn take(&mut self, stream: &StreamName, version: Version) -> Option<State> {
        self.streams.remove(stream).filter(|(_, kept)| *kept == version).map(|(state, _)| state)
    }

    /// The same, but a state of another version stays where it is.
    pub(super) fn take_at(&mut self, stream: &StreamName, version: Version) -> Option<State> {
        self.streams.get(stream).filter(|(_, kept)| *kept == version)?;
        self.take(stream, version)
    }

    pub(super) fn put(&mut self, stream: StreamName, state: State, version: Version) {
        if self.streams.len() >= MAX_KEPT || crate::script::memory::held() > MAX_HELD {
            self.streams.clear();
        }
        self.streams.insert(stream, (state, version));
    }

    pub(super) fn clear(&mut self) {
        self.streams.clear();
    }
}
