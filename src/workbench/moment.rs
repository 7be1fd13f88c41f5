//! `--at`: which version of a stream, or position of the store, a moment means.

use super::events::event_at;
use super::export::damaged;
use super::{Error, Misfit, Workbench};
use crate::diagnostic::suggest;
use crate::event::{Moment, Position, StreamName, Time, Version};
use crate::store::past::Past;
use crate::store::{Store, StoredCommand};

impl Workbench {
    /// The version of a stream at a moment; without one, its last. A stream that is not there, a moment before its
    /// first event or beyond its end is a misfit that says what there is.
    pub(crate) fn version_at(&mut self, stream: &StreamName, at: Option<Moment>) -> Result<Version, Error> {
        let last = self.store.version(stream)?;
        if last == Version(0) {
            return Err(self.no_stream(stream)?.into());
        }
        let version = match at {
            None => return Ok(last),
            Some(Moment::Version(version)) if version > last => {
                return Err(beyond(stream, version, last)
                    .hint(format!("`--at {last}` is its last version, `--at 0` its initial state"))
                    .into());
            }
            Some(Moment::Version(version)) => return Ok(version),
            Some(Moment::Position(position)) => {
                self.within_store(position)?;
                self.store.version_at(stream, position)?
            }
            Some(Moment::Time(time)) => {
                let position = self.store.position_at(time)?;
                self.store.version_at(stream, position)?
            }
        };
        if version > Version(0) {
            return Ok(version);
        }
        let mut first = Vec::new();
        self.store.read_stream(stream, Version(0), 1, false, &mut first)?;
        let misfit =
            Misfit::new(format!("`{stream}` had no event yet at {}", at.map(|at| at.to_string()).unwrap_or_default()));
        Err(match first.first() {
            Some(first) => misfit.hint(format!("its first event is @{}, at {}", first.position, first.time)),
            None => misfit,
        }
        .into())
    }

    /// The same domains over the store as it was at a moment. It can only be read.
    pub fn as_of(mut self, at: Moment) -> Result<Self, Error> {
        let position = self.position_at(at)?;
        Ok(Self { store: Box::new(Past::new(self.store, position)?), ..self })
    }

    /// The same as it was when a command could have been sent to a stream: never in the middle of another command.
    pub fn as_of_sending(mut self, stream: &StreamName, at: Moment) -> Result<Self, Error> {
        let position = match at {
            Moment::Version(version) => self.position_of_version(stream, version)?,
            at => between_commands(self.store.as_mut(), at)?,
        };
        Ok(Self { store: Box::new(Past::new(self.store, position)?), ..self })
    }

    /// The position at which the store ended when a stream was at a version.
    fn position_of_version(&mut self, stream: &StreamName, version: Version) -> Result<Position, Error> {
        self.version_at(stream, Some(Moment::Version(version)))?;
        let mut page = Vec::with_capacity(1);
        self.store.read_stream(stream, Version(version.0.saturating_sub(1)), 1, false, &mut page)?;
        let at = page.first().map_or(Position(0), |event| event.position);
        let command = Extent::of(self.store.as_mut(), at)?;
        let position = if version == Version(0) { command.before() } else { command.last };
        if self.store.version_at(stream, position)? == version {
            return Ok(position);
        }
        Err(command.is_cut(&format!("version {version} of `{stream}`")).into())
    }

    /// The version of a stream's first event at or after a moment, at least 1; one more than its last where there is none.
    pub(crate) fn version_from(&mut self, stream: &StreamName, from: Moment) -> Result<Version, Error> {
        let before = match from {
            Moment::Version(version) => {
                let last = self.store.version(stream)?;
                if version > last {
                    return Err(beyond(stream, version, last).into());
                }
                return Ok(version.max(Version(1)));
            }
            Moment::Position(position) => {
                self.within_store(position)?;
                Position(position.0.saturating_sub(1))
            }
            Moment::Time(time) => match Time::from_micros(time.micros() - 1) {
                Ok(before) => self.store.position_at(before)?,
                Err(_) => Position(0),
            },
        };
        Ok(self.store.version_at(stream, before)?.next())
    }

    /// The position of the store at a moment.
    pub(crate) fn position_at(&mut self, at: Moment) -> Result<Position, Error> {
        position_at(self.store.as_mut(), at)
    }

    /// A position that the store has reached.
    pub(crate) fn within_store(&mut self, position: Position) -> Result<(), Error> {
        within(self.store.as_mut(), position)
    }

    /// What to say of a stream that is not there.
    pub(crate) fn no_stream(&mut self, stream: &StreamName) -> Result<Misfit, Error> {
        super::aggregate_of(&self.domains, stream)?;
        let misfit = Misfit::new(format!("there is no stream `{stream}`"));
        let first = StreamName::new(&format!("{}/!", stream.aggregate())).ok();
        let near = self.store.streams(first.as_ref(), super::PAGE)?;
        let names = near.iter().map(|info| info.name.as_str()).filter(|n| n.starts_with(stream.aggregate()));
        Ok(match suggest(stream.as_str(), names) {
            Some(near) => misfit.hint(format!("did you mean `{near}`?")),
            None => misfit.hint("`esctl streams` lists what there is"),
        })
    }
}

/// The position of a store at a moment.
fn position_at(store: &mut dyn Store, at: Moment) -> Result<Position, Error> {
    match at {
        Moment::Version(version) => {
            let misfit = Misfit::new("only a stream has versions; a moment here is a position or a time");
            Err(misfit.hint(format!("`@{version}` is a position of the store")).into())
        }
        Moment::Position(position) => {
            within(store, position)?;
            Ok(position)
        }
        Moment::Time(time) => match store.position_at(time)? {
            Position(0) => Err(Misfit::new(format!("the store had no event yet at {time}")).into()),
            position => Ok(position),
        },
    }
}

/// The same, where the store has a whole number of commands then: nobody has ever seen it in the middle of one.
pub(super) fn between_commands(store: &mut dyn Store, at: Moment) -> Result<Position, Error> {
    let position = position_at(store, at)?;
    if position == Position(0) {
        return Ok(position);
    }
    let command = Extent::of(store, position)?;
    if command.last == position {
        return Ok(position);
    }
    Err(command.is_cut(&format!("position @{position}")).into())
}

fn within(store: &mut dyn Store, position: Position) -> Result<(), Error> {
    let head = store.head()?.position;
    if position <= head {
        return Ok(());
    }
    Err(Misfit::new(format!("the store ends at position @{head}, there is no @{position}")).into())
}

/// The command of the event at a position, which is not beyond the end.
pub(super) fn command_at(store: &mut dyn Store, position: Position) -> Result<StoredCommand, Error> {
    let id = event_at(store, position)?.and_then(|event| event.command).map(|command| command.id.clone());
    match id.map(|id| store.command(&id)).transpose()?.flatten() {
        Some(stored) => Ok(stored),
        None => damaged(format!("the event at position {position} has no command")),
    }
}

/// The positions of a command's events.
struct Extent {
    first: Position,
    last: Position,
}

impl Extent {
    /// Of the command of the event at a position.
    fn of(store: &mut dyn Store, position: Position) -> Result<Self, Error> {
        let stored = command_at(store, position)?;
        let mut positions = stored.events.iter().map(|event| event.position);
        let first = positions.next().unwrap_or(position);
        Ok(Self { first, last: positions.next_back().unwrap_or(first) })
    }

    /// Where the store ended before it.
    fn before(&self) -> Position {
        Position(self.first.0.saturating_sub(1))
    }

    /// What to say of a place within it.
    fn is_cut(&self, place: &str) -> Misfit {
        let Self { first, last } = self;
        let misfit =
            Misfit::new(format!("{place} is in the middle of a command, whose events are @{first} to @{last}"));
        misfit.hint(format!("`--at @{}` is before the command, `--at @{last}` after it", self.before()))
    }
}

/// A version that a stream does not have.
fn beyond(stream: &StreamName, version: Version, last: Version) -> Misfit {
    Misfit::new(format!("`{stream}` ends at version {last}, there is no version {version}"))
}
