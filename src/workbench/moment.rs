//! `--at`: which version of a stream, or position of the store, a moment means.

use super::{Error, Misfit, Workbench};
use crate::diagnostic::suggest;
use crate::event::{Moment, Position, StreamName, Version};

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
                let misfit = Misfit::new(format!("`{stream}` ends at version {last}, there is no version {version}"));
                return Err(misfit
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

    /// The position of the store at a moment.
    pub(crate) fn position_at(&mut self, at: Moment) -> Result<Position, Error> {
        match at {
            Moment::Version(version) => {
                let misfit =
                    Misfit::new(String::from("only a stream has versions; `--at` takes a position or a time here"));
                Err(misfit.hint(format!("`--at @{version}` is a position of the store")).into())
            }
            Moment::Position(position) => {
                self.within_store(position)?;
                Ok(position)
            }
            Moment::Time(time) => match self.store.position_at(time)? {
                Position(0) => Err(Misfit::new(format!("the store had no event yet at {time}")).into()),
                position => Ok(position),
            },
        }
    }

    /// A position that the store has reached.
    pub(crate) fn within_store(&mut self, position: Position) -> Result<(), Error> {
        let head = self.store.head()?.position;
        if position <= head {
            return Ok(());
        }
        Err(Misfit::new(format!("the store ends at position @{head}, there is no @{position}")).into())
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
