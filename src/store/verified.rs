//! What a verification of a store looked at, and what it found.

use crate::event::{Head, Position};

/// How many findings of a verification are kept in words; the others are counted.
pub const MAX_FINDINGS: usize = 100;

/// Something in a store that contradicts the rest of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Finding {
    /// The event it is about.
    pub position: Option<Position>,
    /// The stream it is about; as text, because it may be no legal name.
    pub stream: Option<Box<str>>,
    /// The id of the command it is about.
    pub command: Option<Box<str>>,
    /// What is wrong, in words that name all of this.
    pub words: String,
}

/// What a verification looked at, and what it found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// The end of the store when it began; what was appended later was not looked at.
    pub head: Head,
    /// The position after which it began; 0 where everything was looked at.
    pub since: Position,
    /// Events whose hash was recomputed and compared. Less than there are since then only where there are findings.
    pub events: u64,
    /// Streams of these events, whose versions were counted through.
    pub streams: u64,
    /// Commands that were matched with their events.
    pub commands: u64,
    /// Domain texts whose digest was recomputed.
    pub domains: u64,
    /// Bytes of payloads, metadata and domain texts that went into a hash.
    pub bytes: u64,
    /// The first [`MAX_FINDINGS`] findings.
    pub findings: Vec<Finding>,
    /// How many more there are.
    pub more: u64,
    /// Snapshots whose hash was recomputed and compared; none where it did not begin at the beginning.
    pub snapshots: u64,
    /// The first [`MAX_FINDINGS`] snapshots that are not what was kept. Nothing depends on them, and nothing is lost.
    pub spoilt: Vec<Finding>,
    /// How many more there are.
    pub more_spoilt: u64,
}

impl Verified {
    /// Whether nothing was found that matters: all but snapshots.
    pub fn is_sound(&self) -> bool {
        self.findings.is_empty()
    }

    /// Notes a snapshot that is not what was kept.
    pub(crate) fn note_spoilt(&mut self, stream: &str, words: String) {
        if self.spoilt.len() < MAX_FINDINGS {
            self.spoilt.push(Finding { stream: Some(stream.into()), words, ..Finding::default() });
        } else {
            self.more_spoilt += 1;
        }
    }

    /// Takes in what was looked at beside it, its findings from a place among these on.
    pub(crate) fn take_in(&mut self, place: usize, other: Self) {
        self.streams += other.streams;
        self.commands += other.commands;
        self.more += other.more;
        self.findings.splice(place..place, other.findings);
        self.more += self.findings.len().saturating_sub(MAX_FINDINGS) as u64;
        self.findings.truncate(MAX_FINDINGS);
    }

    /// Notes a finding; once there are enough it is only counted.
    pub(crate) fn note(&mut self, finding: impl FnOnce() -> Finding) {
        if self.findings.len() < MAX_FINDINGS {
            self.findings.push(finding());
        } else {
            self.more += 1;
        }
    }
}
