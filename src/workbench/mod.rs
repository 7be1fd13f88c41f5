//! What can be done with a domain and a store: one file a capability, named as its verb.
//!
//! Nothing here prints, exits or looks at the clock: the time, ids and paths come in, results go out.

pub mod batch;
pub mod bisect;
pub mod blame;
pub mod change;
pub mod diff;
pub mod error;
pub mod events;
pub mod export;
pub mod fork;
pub mod generate;
pub mod import;
mod inline;
mod kept;
pub mod meta;
pub mod moment;
pub mod parting;
pub mod plan;
pub mod process;
pub mod project;
pub mod record;
pub mod rehearse;
pub mod replay;
pub mod rules;
pub mod send;
pub mod snapshot;
pub mod sql;
pub mod stepper;
pub mod stored;
pub mod streams;
pub mod test;
pub mod trace;
pub mod verify;

use crate::domain::{Aggregate, Domains};
use crate::event::StreamName;
use crate::store::Store;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::thread;

pub use change::Change;
pub use error::{Error, Misfit};

/// How many events are read at a time.
pub(crate) const PAGE: usize = 1000;

/// How many threads are to work: as many as were asked for, or as there are cores, where there is much to do.
pub(crate) fn threads(asked: Option<NonZeroUsize>, is_much: bool) -> usize {
    match asked {
        Some(asked) => asked.get(),
        None if is_much => thread::available_parallelism().map_or(1, NonZeroUsize::get),
        None => 1,
    }
}

/// A sound set of domains over a store.
pub struct Workbench {
    /// The rules.
    pub domains: Rc<Domains>,
    /// Where the streams are.
    pub store: Box<dyn Store>,
}

impl Workbench {
    /// Brings both together. Nothing is read yet.
    pub fn new(domains: Rc<Domains>, store: Box<dyn Store>) -> Self {
        Self { domains, store }
    }

    /// Does something in a write turn of its own.
    fn in_turn<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        self.store.begin()?;
        let result = work(self);
        self.end_turn(result)
    }

    /// Ends a turn as what was done in it went.
    fn end_turn<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        match result {
            Ok(done) => Ok(self.store.commit().map(|()| done)?),
            Err(error) => {
                self.store.rollback();
                Err(error)
            }
        }
    }
}

/// The aggregate of a stream, or what to say where there is none.
pub(crate) fn aggregate_of<'d>(domains: &'d Domains, stream: &StreamName) -> Result<&'d Aggregate, Misfit> {
    domains.aggregate(stream.aggregate()).ok_or_else(|| {
        let misfit = Misfit::new(format!("there is no aggregate `{}`", stream.aggregate()));
        match domains.aggregate_like(stream.aggregate()) {
            Some(near) => misfit.hint(format!("did you mean `{near}/{}`?", stream.id())),
            None => {
                let all: Vec<String> = domains.aggregates().map(|a| format!("`{}`", a.name)).collect();
                misfit.hint(format!("the domain has {}", all.join(", ")))
            }
        }
    })
}

impl std::fmt::Debug for Workbench {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Workbench").field("store", &self.store.id()).finish_non_exhaustive()
    }
}
