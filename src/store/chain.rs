//! The hash chain over the events: what makes a change to a stored event visible.
//!
//! The hash of an event is a SHA-256 over the hash of the event before it and everything that was stored with it.
//! Fields of a fixed size are written as they are (numbers as eight bytes, lowest first), texts behind their length,
//! optional texts behind a byte that tells absent (0) from present (1): no two different events give the same bytes.
//!
//! A command enters the hash of each of its events as a digest of its own, so that a large command with many events
//! is hashed once.

use crate::event::{Command, Hash, NewEvent, Position, Recorded, Time, Version};
use sha2::{Digest, Sha256};

/// What the hash of the first event continues.
pub const GENESIS: Hash = Hash([0; 32]);

/// What is hashed first, so that a later way of hashing can never be taken for this one.
const EVENT: &[u8] = b"esctl event 1\0";
const COMMAND: &[u8] = b"esctl command 1\0";
const SNAPSHOT: &[u8] = b"esctl snapshot 1\0";

/// An event with its place, as it enters the chain.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// Its place in the store.
    pub position: Position,
    /// The name of its stream.
    pub stream: &'a str,
    /// Its place in the stream.
    pub version: Version,
    /// Its type.
    pub kind: &'a str,
    /// The schema version of its payload.
    pub schema: u32,
    /// When it was stored.
    pub time: Time,
    /// Its payload, byte for byte as stored.
    pub data: &'a str,
}

impl<'a> Link<'a> {
    /// An event that is about to get this place.
    pub fn new(event: &'a NewEvent, position: Position, version: Version, time: Time) -> Self {
        Self {
            position,
            stream: event.stream.as_str(),
            version,
            kind: &event.kind,
            schema: event.schema,
            time,
            data: &event.data,
        }
    }

    /// The hash of this event in the store with that id, after the event with the hash `previous`.
    /// `command` is the [`command`] digest of the command that caused it.
    pub fn hash(&self, previous: &Hash, store: &str, command: &Hash) -> Hash {
        let mut sha = Sha256::new_with_prefix(EVENT);
        sha.update(previous.0);
        text(&mut sha, store);
        sha.update(self.position.0.to_le_bytes());
        text(&mut sha, self.stream);
        sha.update(self.version.0.to_le_bytes());
        text(&mut sha, self.kind);
        sha.update(u64::from(self.schema).to_le_bytes());
        sha.update(self.time.micros().to_le_bytes());
        text(&mut sha, self.data);
        sha.update(command.0);
        Hash(sha.finalize().into())
    }
}

impl<'a> From<&'a Recorded> for Link<'a> {
    fn from(event: &'a Recorded) -> Self {
        Self {
            position: event.position,
            stream: event.stream.as_str(),
            version: event.version,
            kind: &event.kind,
            schema: event.schema,
            time: event.time,
            data: &event.data,
        }
    }
}

/// A command as it enters the chain. Its time does not: it is that of its events.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// Its id.
    pub id: &'a str,
    /// The name of its stream.
    pub stream: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its payload, byte for byte as stored.
    pub data: &'a str,
    /// Actor, correlation, causation and what else is kept with it.
    pub labels: [Option<&'a str>; 4],
    /// The digest of the domain text that decided it.
    pub domain: &'a str,
}

impl Cause<'_> {
    /// Its digest, which enters the hash of each of its events.
    pub fn digest(&self) -> Hash {
        let mut sha = Sha256::new_with_prefix(COMMAND);
        for part in [self.id, self.stream, self.name, self.data] {
            text(&mut sha, part);
        }
        for label in self.labels {
            match label {
                None => sha.update([0]),
                Some(label) => {
                    sha.update([1]);
                    text(&mut sha, label);
                }
            }
        }
        text(&mut sha, self.domain);
        Hash(sha.finalize().into())
    }
}

/// The digest of a command.
pub fn command(command: &Command) -> Hash {
    let cause = Cause {
        id: &command.id,
        stream: command.stream.as_str(),
        name: &command.name,
        data: &command.data,
        labels: [&command.actor, &command.correlation, &command.causation, &command.meta].map(Option::as_deref),
        domain: &command.domain,
    };
    cause.digest()
}

/// The hash of a state that was kept in the store with that id: what `stream` had come to at `version`, whose event has the
/// hash `event`, by the rules with that `digest`.
pub fn snapshot(store: &str, digest: &str, stream: &str, version: Version, event: &Hash, state: &[u8]) -> Hash {
    let mut sha = Sha256::new_with_prefix(SNAPSHOT);
    text(&mut sha, store);
    text(&mut sha, digest);
    text(&mut sha, stream);
    sha.update(version.0.to_le_bytes());
    sha.update(event.0);
    sha.update((state.len() as u64).to_le_bytes());
    sha.update(state);
    Hash(sha.finalize().into())
}

/// The digest by which a domain text is named, in hex.
pub fn domain(text: &str) -> String {
    Hash(Sha256::digest(text).into()).to_string()
}

fn text(sha: &mut Sha256, text: &str) {
    sha.update((text.len() as u64).to_le_bytes());
    sha.update(text);
}
