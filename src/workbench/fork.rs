//! Forking: the history up to a moment in another store, to try things on.
//!
//! What was stored is the same there: commands with their ids, actors, metadata and times, domain texts and events at their
//! places. Only the identity of the store is another, and with it every hash: both go on from here on their own.

use super::Error;
use super::export::{Piece, damaged, export};
use super::moment::between_commands;
use crate::domain::digest;
use crate::event::{Command, Head, Moment, NewEvent, Position, Recorded};
use crate::store::{Decision, Store, StoreError};
use std::ops::ControlFlow;

/// So many events are stored together.
const MAX_GROUP: u64 = 1_000;

/// What a fork came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Forked {
    /// How many events it has.
    pub events: u64,
    /// The commands they belong to.
    pub commands: u64,
    /// Its end, with a hash of its own.
    pub head: Head,
}

/// The position up to which a store is forked; without a moment, its end. A command is not cut in two.
pub fn point(store: &mut dyn Store, at: Option<Moment>) -> Result<Position, Error> {
    match at {
        Some(at) => between_commands(store, at),
        None => Ok(store.head()?.position),
    }
}

/// Copies all that a store holds into an empty one with an id of its own, in constant memory. The hashes are computed anew:
/// where they do not lead to the store's own, it is damaged, and what was copied is not to be used. `progress` is told how
/// many positions of how many are done.
pub fn fork(
    from: &mut dyn Store,
    to: &mut dyn Store,
    progress: &mut dyn FnMut(Position, Position),
) -> Result<Forked, Error> {
    let end = from.head()?.position;
    let mut copy = Copying { to, domain: <_>::default(), open: None, waiting: 0, events: 0, commands: 0 };
    let mut fault = None;
    export(from, Position(0), &mut |piece| match copy.piece(&piece) {
        Ok(()) => {
            progress(Position(copy.events), end);
            ControlFlow::Continue(())
        }
        Err(error) => {
            fault = Some(error);
            ControlFlow::Break(())
        }
    })?;
    if let Some(error) = fault {
        return Err(error);
    }
    copy.commit()?;
    let Copying { to, events, commands, .. } = copy;
    Ok(Forked { events, commands, head: to.head()? })
}

/// A copy under way.
struct Copying<'s> {
    to: &'s mut dyn Store,
    /// The digest and the text of the domain that was handed over last.
    domain: (Box<str>, Box<str>),
    /// The command whose events are being handed over, and how many it has.
    open: Option<(Command, usize, Vec<Recorded>)>,
    /// How many events wait for the commit.
    waiting: u64,
    events: u64,
    commands: u64,
}

impl Copying<'_> {
    fn piece(&mut self, piece: &Piece<'_>) -> Result<(), Error> {
        match piece {
            Piece::Header(_) => Ok(()),
            Piece::Domain { digest, text } => {
                if *digest::of_text(text) != **digest {
                    return damaged(format!("the text of the domain {digest} is another than it was"));
                }
                self.domain = ((*digest).into(), (*text).into());
                Ok(())
            }
            Piece::Command(command, events) => {
                self.open = Some(((*command).clone(), *events, Vec::with_capacity(*events)));
                Ok(())
            }
            Piece::Event(event, _) => {
                let Some((command, wanted, mut events)) = self.open.take() else { return Ok(()) };
                events.push((*event).clone());
                if events.len() < wanted {
                    self.open = Some((command, wanted, events));
                    return Ok(());
                }
                self.append(command, events)
            }
        }
    }

    /// Stores a command with its events, which get the places that they have.
    fn append(&mut self, mut command: Command, events: Vec<Recorded>) -> Result<(), Error> {
        if self.waiting == 0 {
            self.to.begin()?;
        }
        let places: Vec<_> = events.iter().map(|event| (event.position, event.version)).collect();
        // What is hashed is the time of the events.
        command.time = events.first().map_or(command.time, |event| event.time);
        let count = events.len() as u64;
        let new = |event: Recorded| NewEvent {
            stream: event.stream,
            kind: event.kind,
            schema: event.schema,
            data: event.data,
        };
        let events: Vec<NewEvent> = events.into_iter().map(new).collect();
        // A domain that came earlier is stored with its text.
        let domain_text = if self.domain.0 == command.domain { &*self.domain.1 } else { "" };
        let decision = Decision { command: &command, domain_text, events: &events };
        let appended = self.to.append(&decision).map_err(|error| match error {
            // What was stored once can be stored again, unless it was changed since.
            StoreError::Misuse(words) | StoreError::Limit(words) => {
                StoreError::Damaged(format!("the store is damaged: {words}"))
            }
            error => error,
        })?;
        let got = (appended.first.0..).map(Position).zip(appended.versions);
        if let Some(((position, _), _)) = places.into_iter().zip(got).find(|(had, got)| had != got) {
            return damaged(format!(
                "the event at position {position} does not follow the one before it in its stream"
            ));
        }
        self.waiting += count;
        self.events += count;
        self.commands += 1;
        if self.waiting >= MAX_GROUP { self.commit() } else { Ok(()) }
    }

    fn commit(&mut self) -> Result<(), Error> {
        if std::mem::take(&mut self.waiting) > 0 {
            self.to.commit()?;
        }
        Ok(())
    }
}
