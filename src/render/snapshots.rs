//! Snapshots as they are listed, and what a rebuild of them did.

use super::listing::{Column, Render};
use super::projections::DIGITS;
use super::{text, wire};
use esctl::workbench::snapshot::{Listed, Rebuilt};
use serde::Serialize;
use std::io;

/// Columns of [`Listed`].
pub const SNAPSHOTS: &[Column] = &[
    Column::text("stream"),
    Column::number("version"),
    Column::text("status"),
    Column::number("bytes"),
    Column::text("digest"),
];

impl Render for Listed {
    fn cells(&self) -> Vec<String> {
        vec![
            self.info.stream.to_string(),
            self.info.version.to_string(),
            word(self.current).to_owned(),
            self.info.bytes.to_string(),
            self.info.digest.get(..DIGITS).unwrap_or_default().to_owned(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&SnapshotLine {
            stream: self.info.stream.as_str(),
            version: self.info.version.0,
            status: word(self.current),
            bytes: self.info.bytes,
            digest: &self.info.digest,
        })
    }
}

fn word(current: bool) -> &'static str {
    if current { "current" } else { "stale" }
}

/// Columns of [`Rebuilt`].
pub const REBUILT: &[Column] = &[
    Column::text("stream"),
    Column::number("version"),
    Column::number("snapshots"),
    Column::number("removed"),
    Column::number("bytes"),
];

impl Render for Rebuilt {
    fn cells(&self) -> Vec<String> {
        vec![
            self.stream.to_string(),
            self.version.to_string(),
            self.snapshots.to_string(),
            self.removed.to_string(),
            self.bytes.to_string(),
        ]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&RebuiltLine {
            stream: self.stream.as_str(),
            version: self.version.0,
            snapshots: self.snapshots,
            removed: self.removed,
            bytes: self.bytes,
        })
    }
}

/// What a rebuild came to.
#[derive(Debug, Default)]
pub struct Sum {
    /// How many streams it was about.
    pub streams: u64,
    snapshots: u64,
    removed: u64,
    bytes: u64,
}

impl Sum {
    /// Counts a stream.
    pub fn add(&mut self, rebuilt: &Rebuilt) {
        self.streams += 1;
        self.snapshots += rebuilt.snapshots;
        self.removed += rebuilt.removed;
        self.bytes += rebuilt.bytes;
    }

    /// In words.
    pub fn words(&self) -> String {
        let removed =
            if self.removed > 0 { format!(", in place of {}", text::thousands(self.removed)) } else { String::new() };
        format!(
            "{} of {}, {}{removed}",
            text::count(self.snapshots, "snapshot"),
            text::count(self.streams, "stream"),
            text::count(self.bytes, "byte")
        )
    }
}

/// A snapshot.
#[derive(Debug, Serialize)]
struct SnapshotLine<'a> {
    /// Its stream.
    stream: &'a str,
    /// The version of the last event in it.
    version: u64,
    /// `current` or `stale`.
    status: &'static str,
    /// How long its state is.
    bytes: u64,
    /// The digest of the rules by which it was folded.
    digest: &'a str,
}

/// What a rebuild did to a stream.
#[derive(Debug, Serialize)]
struct RebuiltLine<'a> {
    /// The stream.
    stream: &'a str,
    /// Its version.
    version: u64,
    /// How many snapshots it has.
    snapshots: u64,
    /// How many it had before.
    removed: u64,
    /// How long the states are together.
    bytes: u64,
}
