//! The log: events of the whole store, filtered, forwards or backwards.

use super::{Error, Misfit, PAGE, Workbench};
use crate::diagnostic::meant;
use crate::event::{Position, Recorded, StreamName, Version};
use crate::store::{EventFilter, Store};
use std::ops::ControlFlow;

/// Which events, and in which order.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Which.
    pub filter: EventFilter,
    /// Only after this position; in reverse: only before it.
    pub after: Option<Position>,
    /// The latest first.
    pub reverse: bool,
    /// At most so many.
    pub limit: Option<u64>,
}

impl Workbench {
    /// The event at a position, with its command; `None` beyond the end and at 0.
    pub fn event_at(&mut self, position: Position) -> Result<Option<Recorded>, Error> {
        event_at(self.store.as_mut(), position)
    }

    /// The first name in a filter that stands for nothing, with what was probably meant. No event passes such a filter, today.
    pub fn unknown_in(&mut self, filter: &EventFilter) -> Result<Option<Misfit>, Error> {
        if let Some(stream) = &filter.stream
            && self.store.version(stream)? == Version(0)
        {
            return match self.no_stream(stream) {
                Ok(misfit) | Err(Error::Misfit(misfit)) => Ok(Some(misfit)),
                Err(error) => Err(error),
            };
        }
        let unknown = |name: &str, words: String, known: Vec<&str>, all: &str| {
            if known.contains(&name) {
                return None;
            }
            let misfit = Misfit::new(words);
            Some(match meant(name, known, all) {
                Some(hint) => misfit.hint(hint),
                None => misfit,
            })
        };
        let domains = &self.domains;
        let aggregate = filter.aggregate.as_deref().and_then(|name| {
            let known = domains.aggregates().map(|aggregate| &*aggregate.name).collect();
            unknown(name, format!("there is no aggregate `{name}`"), known, "the domain has")
        });
        let kind = || {
            let name = filter.kind.as_deref()?;
            let own = filter.stream.as_ref().map(StreamName::aggregate).or(filter.aggregate.as_deref());
            let all = domains.aggregates().filter(|aggregate| own.is_none_or(|own| *aggregate.name == *own));
            let types = all.flat_map(|aggregate| &aggregate.events);
            let known = types.flat_map(|(name, event)| std::iter::once(name).chain(&event.was)).map(|name| &**name);
            match own {
                Some(own) => unknown(name, format!("`{own}` has no event `{name}`"), known.collect(), "it has"),
                None => unknown(name, format!("there is no event `{name}`"), known.collect(), "the domain has"),
            }
        };
        Ok(aggregate.or_else(kind))
    }

    /// Hands over one event after the other, with its command, in constant memory; nothing stays open meanwhile.
    pub fn events(
        &mut self,
        query: &EventQuery,
        each: &mut dyn FnMut(Recorded) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        self.more_events(&mut query.clone(), each).map(|_| ())
    }

    /// The same, and leaves in the query what is to be asked for the events that come later. [`ControlFlow::Break`] where
    /// no more are wanted.
    pub fn more_events(
        &mut self,
        query: &mut EventQuery,
        each: &mut dyn FnMut(Recorded) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        loop {
            let left = query.limit.unwrap_or(u64::MAX);
            if left == 0 {
                return Ok(ControlFlow::Break(()));
            }
            let limit = usize::try_from(left).map_or(PAGE, |left| left.min(PAGE));
            let page = if query.reverse {
                self.store.read_back(query.after, limit, true, &query.filter)?
            } else {
                self.store.read_all(query.after.unwrap_or_default(), limit, true, &query.filter)?
            };
            query.limit = query.limit.map(|left| left.saturating_sub(page.events.len() as u64));
            for event in page.events {
                if each(event).is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            query.after = Some(page.scanned);
            if page.done {
                // The last one that was wanted may have been the last one there is.
                let enough = query.limit == Some(0);
                return Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) });
            }
        }
    }
}

/// The event at a position of a store, with its command; `None` beyond the end and at 0.
pub(super) fn event_at(store: &mut dyn Store, position: Position) -> Result<Option<Recorded>, Error> {
    let Some(before) = position.0.checked_sub(1) else { return Ok(None) };
    let page = store.read_all(Position(before), 1, true, &EventFilter::default())?;
    Ok(page.events.into_iter().next().filter(|event| event.position == position))
}

/// Shows the events after a position of a store, up to another, that pass a filter, reading a page of them at a time.
/// `commands`: whether each is to carry its command.
pub(super) fn each_logged(
    store: &mut dyn Store,
    (mut after, until): (Position, Position),
    commands: bool,
    filter: &EventFilter,
    mut each: impl FnMut(Recorded) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    while after < until {
        let page = store.read_all(after, PAGE, commands, filter)?;
        for event in page.events {
            if event.position > until || each(event)?.is_break() {
                return Ok(());
            }
        }
        if page.done {
            break;
        }
        after = page.scanned;
    }
    Ok(())
}
