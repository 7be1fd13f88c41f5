//! The log: events of the whole store, filtered, forwards or backwards.

use super::{Error, PAGE, Workbench};
use crate::event::{Position, Recorded};
use crate::store::EventFilter;
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
        let Some(before) = position.0.checked_sub(1) else { return Ok(None) };
        let page = self.store.read_all(Position(before), 1, true, &EventFilter::default())?;
        Ok(page.events.into_iter().next().filter(|event| event.position == position))
    }

    /// Hands over one event after the other, with its command, in constant memory; nothing stays open meanwhile.
    pub fn events(
        &mut self,
        query: &EventQuery,
        each: &mut dyn FnMut(Recorded) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut left = query.limit.unwrap_or(u64::MAX);
        let mut at = query.after;
        while left > 0 {
            let limit = usize::try_from(left).map_or(PAGE, |left| left.min(PAGE));
            let page = if query.reverse {
                self.store.read_back(at, limit, true, &query.filter)?
            } else {
                self.store.read_all(at.unwrap_or_default(), limit, true, &query.filter)?
            };
            left -= (page.events.len() as u64).min(left);
            for event in page.events {
                if each(event).is_break() {
                    return Ok(());
                }
            }
            if page.done {
                break;
            }
            at = Some(page.scanned);
        }
        Ok(())
    }
}
