//! What is kept in memory from one command of a batch to the next.

use super::inline::Inline;
use crate::event::{Position, StreamName, Version};
use crate::script::State;
use foldhash::HashMap;
use std::collections::BTreeSet;

/// The most streams whose states are kept in memory from one command of a batch to the next.
const MAX_KEPT: usize = 10_000;
/// What a thread may hold before it drops the states it keeps, in bytes.
const MAX_HELD: isize = 24 * 1024 * 1024;

/// A stream's state.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) state: State,
    /// The version it is of.
    pub(super) version: Version,
    /// That of the latest snapshot below, 0 where there is none.
    pub(super) snapshot: Version,
}

/// States of streams as they were after the last command of a batch. Trusted only at the version the store says.
#[derive(Debug, Default)]
pub(super) struct Kept {
    streams: HashMap<StreamName, Held>,
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

    pub(super) fn take(&mut self, stream: &StreamName, version: Version) -> Option<Held> {
        self.streams.remove(stream).filter(|held| held.version == version)
    }

    /// The same, but a state of another version stays where it is.
    pub(super) fn take_at(&mut self, stream: &StreamName, version: Version) -> Option<Held> {
        self.streams.get(stream).filter(|held| held.version == version)?;
        self.take(stream, version)
    }

    pub(super) fn put(&mut self, stream: StreamName, held: Held) {
        if self.streams.len() >= MAX_KEPT || crate::script::memory::held() > MAX_HELD {
            self.streams.clear();
        }
        self.streams.insert(stream, held);
    }

    pub(super) fn clear(&mut self) {
        self.streams.clear();
    }
}
