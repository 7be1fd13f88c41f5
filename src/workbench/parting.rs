//! Two stores: where their histories part, and what became of their streams since.

use super::change::changes;
use super::{Change, Error, PAGE, Workbench};
use crate::event::{Head, Moment, Position, Recorded, StreamName, Version};
use crate::store::{EventFilter, Store};
use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;

/// The first position at which two histories are not the same.
#[derive(Debug, Clone, PartialEq)]
pub struct Parting {
    /// The position.
    pub position: Position,
    /// What the one store has there, with its command; `None` where it has ended.
    pub before: Option<Recorded>,
    /// What the other one has.
    pub after: Option<Recorded>,
}

/// Two stores, as they were when it was begun to compare them.
#[derive(Debug, Clone, PartialEq)]
pub struct Histories {
    /// The end of the one.
    pub from: Head,
    /// The end of the other.
    pub to: Head,
    /// Where they part; `None` where they are the same.
    pub parting: Option<Parting>,
}

/// A stream that is not the same in both stores.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamDiffers {
    /// The stream.
    pub stream: StreamName,
    /// Its version in the one; 0 where it is not there.
    pub before: Version,
    /// Its version in the other.
    pub after: Version,
    /// What differs in its state, where both have it.
    pub changes: Vec<Change>,
}

impl Workbench {
    /// Compares the histories of two stores event by event: stream, version, type, schema, time, payload and the id of the
    /// command. Hashes do not count: the id of the store is part of them.
    pub fn histories(&mut self, other: &mut Self) -> Result<Histories, Error> {
        let (from, to) = (self.store.head()?, other.store.head()?);
        let mut one = Log::new(self.store.as_mut(), from.position);
        let mut two = Log::new(other.store.as_mut(), to.position);
        let mut position = Position(0);
        let parting = loop {
            position = position.next();
            match (one.next()?, two.next()?) {
                (None, None) => break None,
                (Some(before), Some(after)) if is_same(&before, &after) => {}
                (before, after) => break Some(Parting { position, before, after }),
            }
        };
        Ok(Histories { from, to, parting })
    }

    /// Hands over each stream, by name, whose version or state is not the same in both stores.
    pub fn streams_since(
        &mut self,
        other: &mut Self,
        histories: &Histories,
        each: &mut dyn FnMut(StreamDiffers) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let Some(parting) = &histories.parting else { return Ok(()) };
        // Up to there they are the same, so what has no event since is the same.
        let mut touched = BTreeSet::new();
        for (side, end) in [(&mut *self, histories.from), (&mut *other, histories.to)] {
            let mut log = Log::new(side.store.as_mut(), end.position);
            log.at = Position(parting.position.0 - 1);
            log.commands = false;
            while let Some(event) = log.next()? {
                touched.insert(event.stream);
            }
        }
        for stream in touched {
            let before = self.store.version_at(&stream, histories.from.position)?;
            let after = other.store.version_at(&stream, histories.to.position)?;
            let both = before > Version(0) && after > Version(0);
            let changes = if both {
                let one = self.replay(&stream, Some(Moment::Version(before)))?;
                let two = other.replay(&stream, Some(Moment::Version(after)))?;
                changes(&one.state, &two.state)
            } else {
                Vec::new()
            };
            if (before != after || !changes.is_empty())
                && each(StreamDiffers { stream, before, after, changes }).is_break()
            {
                break;
            }
        }
        Ok(())
    }
}

/// Whether two events at the same position say the same.
fn is_same(one: &Recorded, two: &Recorded) -> bool {
    let id = |event: &Recorded| event.command.as_ref().map(|command| command.id.clone());
    (&one.stream, one.version, &one.kind, one.schema, one.time, &one.data)
        == (&two.stream, two.version, &two.kind, two.schema, two.time, &two.data)
        && id(one) == id(two)
}

/// The events of a store, one after the other, up to a position.
struct Log<'s> {
    store: &'s mut dyn Store,
    at: Position,
    end: Position,
    commands: bool,
    page: VecDeque<Recorded>,
}

impl<'s> Log<'s> {
    fn new(store: &'s mut dyn Store, end: Position) -> Self {
        Self { store, at: Position(0), end, commands: true, page: VecDeque::new() }
    }

    fn next(&mut self) -> Result<Option<Recorded>, Error> {
        if self.page.is_empty() && self.at < self.end {
            let page = self.store.read_all(self.at, PAGE, self.commands, &EventFilter::default())?;
            self.at = page.scanned;
            self.page = page.events.into();
        }
        Ok(self.page.pop_front().filter(|event| event.position <= self.end))
    }
}
