//! Exporting: everything that was stored, in order, so that another store can hold the very same.

use super::moment::command_at;
use super::replay::cannot;
use super::{Error, Misfit, PAGE, aggregate_of, meta};
use crate::domain::{Domains, EventError};
use crate::event::{Command, Hash, Position, Recorded};
use crate::json::Value;
use crate::script::fold::Known;
use crate::store::chain::{self, GENESIS, Link};
use crate::store::{EventFilter, Store, StoreError};
use std::collections::HashSet;
use std::ops::ControlFlow;

/// The number of the form in which exports are written; one of a later form is refused.
pub const FORMAT: u64 = 1;

/// What an export says first: of which store it is, and which stretch of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The identity of the store, which is part of every hash.
    pub store: Box<str>,
    /// The events after this position follow.
    pub after: Position,
    /// The hash of the event there.
    pub previous: Hash,
    /// The position of the last event that follows.
    pub position: Position,
    /// Its hash.
    pub head: Hash,
}

/// What an export consists of, in this order: each domain text before the first command it decided, each command
/// before its events.
#[derive(Debug, Clone, Copy)]
pub enum Piece<'a> {
    /// What comes first.
    Header(&'a Header),
    /// The text of a domain.
    Domain {
        /// By which commands name it.
        digest: &'a str,
        /// As it was.
        text: &'a str,
    },
    /// A command, and how many events it has.
    Command(&'a Command, usize),
    /// An event with its command, and its hash.
    Event(&'a Recorded, Hash),
}

/// Hands over what is stored after a position, up to the end as it is now, in constant memory; nothing stays open
/// meanwhile. The hashes are computed anew: where they do not lead to the store's own, the store is damaged.
pub fn export(
    store: &mut dyn Store,
    after: Position,
    each: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
) -> Result<(), Error> {
    let header = header(store, after)?;
    if each(Piece::Header(&header)).is_break() {
        return Ok(());
    }
    let mut run = Run { at: after, hash: header.previous, domains: HashSet::new(), each };
    let mut command: Vec<Recorded> = Vec::new();
    let mut at = after;
    while at < header.position {
        let left = header.position.0 - at.0;
        let limit = usize::try_from(left).map_or(PAGE, |left| left.min(PAGE));
        let page = store.read_all(at, limit, true, &EventFilter::default())?;
        if page.scanned <= at {
            return damaged(format!("the event at position {} is missing", at.next()));
        }
        at = page.scanned;
        for event in page.events {
            let goes_on = command.first().is_none_or(|first| same_command(first, &event));
            if !goes_on && run.command(store, &std::mem::take(&mut command))?.is_break() {
                return Ok(());
            }
            command.push(event);
        }
    }
    if run.command(store, &command)?.is_break() {
        return Ok(());
    }
    if run.hash != header.head {
        return damaged(format!("the hash at position {} is not that of the events up to there", header.position));
    }
    Ok(())
}

/// A stored event as the rules have it now: its name, its payload and the version of its schema. `None` where it is retired.
pub fn current(domains: &Domains, event: &Recorded) -> Result<Option<Recorded>, Error> {
    let aggregate = aggregate_of(domains, &event.stream)?;
    let rules = match aggregate.rules.known(&event.kind) {
        Some(Known::Event(rules)) => rules,
        Some(Known::Retired) => return Ok(None),
        None => return Err(cannot("exporting", EventError::Unknown, event)),
    };
    let mut now = Recorded { kind: rules.name.clone(), schema: rules.schema, ..event.clone() };
    if event.schema != rules.schema {
        let meta = |kind: &str| meta::of_event(event, kind, false);
        let data = domains.upcast(rules, event.schema, &event.data, meta);
        let data = data.map_err(|error| cannot("exporting", error, event))?;
        now.data = Value::Object(data).to_string().into();
    }
    Ok(Some(now))
}

fn header(store: &mut dyn Store, after: Position) -> Result<Header, Error> {
    let head = store.head()?;
    let previous = if after == Position(0) { GENESIS } else { hash_at(store, after, head.position)? };
    Ok(Header { store: store.id().into(), after, previous, position: head.position, head: head.hash })
}

/// The hash of the event at a position, where that is the last of its command: a command is not cut in two.
fn hash_at(store: &mut dyn Store, position: Position, end: Position) -> Result<Hash, Error> {
    if position > end {
        return Err(Misfit::new(format!("there is no position {position}: the store ends at {end}")).into());
    }
    let stored = command_at(store, position)?;
    match stored.events.last() {
        Some(last) if last.position == position => Ok(stored.head),
        Some(last) => Err(Misfit::new(format!(
            "position {position} is in the middle of a command, whose last event is at {}",
            last.position
        ))
        .hint(format!("begin after it: `--after {}`", last.position))
        .into()),
        None => damaged(format!("the command of the event at position {position} has no events")),
    }
}

fn same_command(one: &Recorded, other: &Recorded) -> bool {
    match (&one.command, &other.command) {
        (Some(one), Some(other)) => one.id == other.id,
        _ => false,
    }
}

/// What to say of a store that contradicts itself.
pub(super) fn damaged<T>(words: impl std::fmt::Display) -> Result<T, Error> {
    Err(StoreError::Damaged(format!("the store is damaged: {words}")).into())
}

/// An export under way.
struct Run<'e> {
    at: Position,
    hash: Hash,
    /// Domains whose text was handed over.
    domains: HashSet<Box<str>>,
    each: &'e mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
}

impl Run<'_> {
    /// Hands over a command with all its events.
    fn command(&mut self, store: &mut dyn Store, events: &[Recorded]) -> Result<ControlFlow<()>, Error> {
        let Some(first) = events.first() else {
            return Ok(ControlFlow::Continue(()));
        };
        let Some(command) = &first.command else {
            return damaged(format!("the event at position {} has no command", first.position));
        };
        if self.domains.insert(command.domain.clone()) {
            let Some(text) = store.domain_text(&command.domain)? else {
                return damaged(format!("the text of the domain {} is missing", command.domain));
            };
            if (self.each)(Piece::Domain { digest: &command.domain, text: &text }).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        if (self.each)(Piece::Command(command, events.len())).is_break() {
            return Ok(ControlFlow::Break(()));
        }
        let digest = chain::command(command);
        for event in events {
            self.at = self.at.next();
            if event.position != self.at {
                return damaged(format!("the event at position {} is missing", self.at));
            }
            self.hash = Link::from(event).hash(&self.hash, store.id(), &digest);
            if (self.each)(Piece::Event(event, self.hash)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
