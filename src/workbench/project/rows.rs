//! Rows in memory, and events applied to them.

use super::fill::Changes;
use super::routes::{Failed, Key, Read, Reading, Route, Routes, Stop};
use crate::event::{Recorded, StreamName};
use crate::json::Value;
use crate::script::Fault;
use crate::script::memory;
use crate::script::project::{Cells, RowKey};
use crate::store::{Failure, Row, RowChange, Store, StoreError, Table};
use foldhash::{HashMap, HashMapExt};
use std::ops::Deref;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

/// The most rows that all that work on a read model hold together.
const MAX_ROWS: usize = 250_000;
/// The most bytes they hold together.
const MAX_BYTES: isize = 48 * 1024 * 1024;

/// Which rows are meant.
#[derive(Debug, Clone, Default)]
pub(super) struct Share {
    /// One of so many equal parts, counted from 0; `None` is all.
    pub(super) part: Option<(u64, u64)>,
    /// Not those whose keys, as text, sort up to this.
    pub(super) after: Option<Box<str>>,
    /// Only the one with this key.
    pub(super) key: Option<Value>,
}

impl Share {
    fn has(&self, (text, key): &Key) -> bool {
        self.part.is_none_or(|(part, of)| part_of(text, of) == part)
            && self.after.as_ref().is_none_or(|after| **text > **after)
            && self.key.as_ref().is_none_or(|only| only.same(key))
    }

    fn parts(&self) -> usize {
        self.part.and_then(|(_, of)| usize::try_from(of).ok()).unwrap_or(1)
    }
}

/// Which of so many parts a key belongs to, by FNV-1a.
pub(super) fn part_of(key: &str, of: u64) -> u64 {
    let hash = key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    // The lowest bits are the weakest.
    (hash >> 32) % of
}

/// Reads rows that are not held, by their keys, and hands over each with the place of its key.
pub(super) type Fetch<'f> = dyn FnMut(Vec<Value>, &mut dyn FnMut(usize, Option<&Row>)) -> Result<(), StoreError> + 'f;

/// The keys of the event at a place, if somebody has computed them.
pub(super) type KeysAt<'k> = dyn Fn(usize) -> Option<&'k [Key]> + 'k;

/// Reads the rows with these keys that a filling has, and hands over each with the place of its key.
pub(super) fn fetch(
    store: &mut dyn Store,
    (table, generation): (&Table, u64),
    keys: &[Value],
    each: &mut dyn FnMut(usize, Option<&Row>),
) -> Result<(), StoreError> {
    let rows = store.rows(table, generation, keys)?;
    rows.iter().enumerate().for_each(|(place, row)| each(place, row.as_ref()));
    Ok(())
}

/// The rows of a share, as far as events have touched them and there is room.
pub(super) struct Rows<'d> {
    routes: Routes<'d>,
    share: Share,
    slots: Vec<Slot>,
    by_key: HashMap<Arc<str>, usize>,
    /// Places of the rows of a stream, where they are the same for all of its events.
    by_stream: HashMap<StreamName, Places>,
    /// Every row there is has its slot.
    complete: bool,
    /// Places of slots that were changed; once they are asked for, by key from the last to the first.
    changed: Vec<usize>,
    /// Goes on past an event that cannot be applied, which costs a copy of each row.
    park: bool,
    parked: Vec<Failure>,
    applied: u64,
    /// What the thread held before.
    floor: isize,
}

struct Slot {
    text: Arc<str>,
    key: RowKey,
    /// `None`: there is no such row.
    cells: Option<Cells>,
    /// It was looked whether there is one.
    known: bool,
    changed: bool,
}

/// Places of rows, which mostly are one.
#[derive(Clone)]
enum Places {
    None,
    One(usize),
    Many(Rc<Box<[usize]>>),
}

impl Deref for Places {
    type Target = [usize];

    fn deref(&self) -> &[usize] {
        match self {
            Self::None => &[],
            Self::One(place) => slice::from_ref(place),
            Self::Many(places) => places,
        }
    }
}

/// An event with the places of its rows.
struct Prepared<'e, 'd> {
    event: &'e Recorded,
    route: Rc<Route<'d>>,
    read: Read,
    slots: Places,
}

impl<'d> Rows<'d> {
    /// `complete`: there are no rows yet but those that will be made here.
    pub(super) fn new(routes: Routes<'d>, share: Share, complete: bool, park: bool) -> Self {
        Self {
            routes,
            share,
            slots: Vec::new(),
            by_key: HashMap::new(),
            by_stream: HashMap::new(),
            complete,
            changed: Vec::new(),
            park,
            parked: Vec::new(),
            applied: 0,
            floor: memory::held(),
        }
    }

    pub(super) fn routes(&self) -> &Routes<'d> {
        &self.routes
    }

    /// Applies events in order. `keys`: those of events that need to be read for them, where somebody has done so.
    pub(super) fn apply(
        &mut self,
        events: &[Recorded],
        keys: Option<&KeysAt<'_>>,
        fetch: &mut Fetch<'_>,
    ) -> Result<(), Stop> {
        let mut waiting = Vec::new();
        for (place, event) in events.iter().enumerate() {
            let prepared = match self.prepare(event, keys.and_then(|keys| keys(place))) {
                Ok(prepared) => prepared,
                Err(Stop::Failed(failed)) if self.park => {
                    self.parked.push(failed.to_note());
                    continue;
                }
                Err(stop) => return Err(stop),
            };
            match prepared {
                Some(prepared) if self.complete => self.change(prepared)?,
                Some(prepared) => waiting.push(prepared),
                None => {}
            }
        }
        if !waiting.is_empty() {
            self.look_up(&waiting, fetch)?;
            for prepared in waiting {
                self.change(prepared)?;
            }
        }
        self.parked.sort_by_key(|failure| failure.position);
        Ok(())
    }

    /// Reads an event and finds the places of its rows; `None` where none of them is meant.
    fn prepare<'e>(&mut self, event: &'e Recorded, keys: Option<&[Key]>) -> Result<Option<Prepared<'e, 'd>>, Stop> {
        let Some(route) = self.routes.of(event).map(Rc::clone) else { return Ok(None) };
        let prepared =
            |route, read, slots: Places| (!slots.is_empty()).then_some(Prepared { event, route, read, slots });
        // Most of the time nothing has to be computed to see which rows are meant, and whether any is.
        if route.by_stream
            && let Some(slots) = self.by_stream.get(&event.stream)
        {
            if slots.is_empty() {
                return Ok(None);
            }
            let (read, slots) = (self.routes.read(&route, event, Reading::Handled)?, slots.clone());
            return Ok(prepared(route, read, slots));
        }
        if let Some(keys) = keys {
            if !keys.iter().any(|key| self.share.has(key)) {
                return Ok(None);
            }
            let read = self.routes.read(&route, event, Reading::Handled)?;
            return Ok(prepared(route, read, self.slots_of(keys)));
        }
        let read = self.routes.read(&route, event, Reading::Keyed)?;
        let keys = self.routes.keys(&route, event, &read)?;
        let slots = self.slots_of(&keys);
        if route.by_stream {
            self.by_stream.insert(event.stream.clone(), slots.clone());
        }
        Ok(prepared(route, read, slots))
    }

    /// The places of the rows that are meant.
    fn slots_of(&mut self, keys: &[Key]) -> Places {
        match keys {
            [] => Places::None,
            [key] => self.slot(key).map_or(Places::None, Places::One),
            keys => Places::Many(Rc::new(keys.iter().filter_map(|key| self.slot(key)).collect())),
        }
    }

    /// The place of a row, if it is meant.
    fn slot(&mut self, key: &Key) -> Option<usize> {
        let (text, value) = key;
        if let Some(&place) = self.by_key.get(text) {
            return Some(place);
        }
        if !self.share.has(key) {
            return None;
        }
        let place = self.slots.len();
        let (text, known) = (Arc::clone(text), self.complete);
        self.slots.push(Slot { text, key: value.clone().into(), cells: None, known, changed: false });
        self.by_key.insert(Arc::clone(&key.0), place);
        Some(place)
    }

    /// Reads the rows that are not known yet, all at once.
    fn look_up(&mut self, waiting: &[Prepared<'_, '_>], fetch: &mut Fetch<'_>) -> Result<(), StoreError> {
        let mut places: Vec<usize> = waiting
            .iter()
            .flat_map(|prepared| prepared.slots.iter())
            .copied()
            .filter(|&place| !self.slots[place].known)
            .collect();
        places.sort_unstable();
        places.dedup();
        if places.is_empty() {
            return Ok(());
        }
        let keys = places.iter().map(|&place| self.slots[place].key.value()).collect();
        fetch(keys, &mut |at, row| {
            let slot = &mut self.slots[places[at]];
            slot.cells = row.map(|row| self.routes.projection.rows.stored(row));
            slot.known = true;
        })
    }

    /// Applies an event to its rows: to all of them, or, where it is parked, to none.
    fn change(&mut self, prepared: Prepared<'_, '_>) -> Result<(), Stop> {
        let Prepared { event, route, mut read, slots } = prepared;
        let before: Vec<Option<Cells>> =
            if self.park { slots.iter().map(|&place| self.slots[place].cells.clone()).collect() } else { Vec::new() };
        for (at, &place) in slots.iter().enumerate() {
            let is_last = at + 1 == slots.len();
            match self.handle(place, &route, event, &mut read, is_last) {
                Ok(cells) => self.slots[place].cells = cells,
                Err(Stop::Failed(failed)) if self.park => {
                    self.parked.push(failed.to_note());
                    for (&place, cells) in slots.iter().zip(before) {
                        self.slots[place].cells = cells;
                    }
                    return Ok(());
                }
                Err(stop) => return Err(stop),
            }
        }
        self.applied += 1;
        for &place in slots.iter() {
            let slot = &mut self.slots[place];
            if !slot.changed {
                slot.changed = true;
                self.changed.push(place);
            }
        }
        Ok(())
    }

    /// Runs the handler of an event on a row, which it takes, and gives it as it is then.
    fn handle(
        &mut self,
        place: usize,
        route: &Route<'_>,
        event: &Recorded,
        read: &mut Read,
        is_last: bool,
    ) -> Result<Option<Cells>, Stop> {
        let projection = self.routes.projection;
        let slot = &mut self.slots[place];
        let rules = (&route.handler.script, &route.handler.touched);
        let failed = |fault: Fault| {
            let key = slot.key.value();
            let fault = fault.while_doing(|| {
                format!(
                    "while projecting `{}` of `{}` (@{}) into row {key} of `{}`",
                    event.kind, event.stream, event.position, projection.name
                )
            });
            Stop::Failed(Failed { position: event.position, key: Some(key), fault })
        };
        let mut row = slot.cells.take();
        let whole = match read {
            Read::Partial(partial) => match partial.handle(&projection.rows, rules, &slot.key, row) {
                Ok(handled) => return handled.map_err(failed),
                Err(as_it_was) => {
                    row = as_it_was;
                    self.routes.read_whole(route, event, Reading::Handled)?
                }
            },
            // The last one gets the event itself.
            Read::Whole(whole) if is_last => std::mem::take(whole),
            Read::Whole(whole) => whole.clone(),
        };
        self.routes.domains.host.handle(&projection.rows, rules, whole, &slot.key, row).map_err(failed)
    }

    /// Whether it holds as much as it may.
    pub(super) fn is_full(&self) -> bool {
        let parts = self.share.parts();
        self.slots.len() > MAX_ROWS / parts
            || memory::held() - self.floor > MAX_BYTES / isize::try_from(parts).unwrap_or(1)
    }

    /// The row, if there is one, where only one is meant.
    pub(super) fn only(&self) -> Option<&Cells> {
        self.slots.first().and_then(|slot| slot.cells.as_ref())
    }

    /// How many events were applied to at least one row.
    pub(super) fn applied(&self) -> u64 {
        self.applied
    }

    /// So many bytes were allocated by this thread that another one frees.
    pub(super) fn give_away(&mut self, bytes: isize) {
        self.floor += bytes;
    }

    /// How many rows have changed that were not taken.
    pub(super) fn changed(&self) -> usize {
        self.changed.len()
    }

    /// What has changed is about to be taken.
    pub(super) fn sort_changes(&mut self) {
        let slots = &self.slots;
        self.changed.sort_unstable_by(|a, b| slots[*b].text.cmp(&slots[*a].text));
    }

    /// The next so many of the rows that have changed, by key.
    pub(super) fn take_changes(&mut self, most: usize) -> Changes {
        let rules = &self.routes.projection.rows;
        let rest = self.changed.len().saturating_sub(most);
        let mut changes = Vec::with_capacity(self.changed.len() - rest);
        for place in self.changed.drain(rest..).rev() {
            let slot = &mut self.slots[place];
            slot.changed = false;
            let change = match &slot.cells {
                Some(cells) => RowChange::Put(rules.values(cells)),
                None => RowChange::Delete(slot.key.value()),
            };
            changes.push((Arc::clone(&slot.text), change));
        }
        changes
    }

    /// All rows that have changed, by key.
    pub(super) fn take_all_changes(&mut self) -> Changes {
        self.sort_changes();
        self.take_changes(usize::MAX)
    }

    /// What was not applied since this was asked last.
    pub(super) fn take_parked(&mut self) -> Vec<Failure> {
        std::mem::take(&mut self.parked)
    }

    /// Lets go of all rows; what was changed has been taken before.
    pub(super) fn clear(&mut self) {
        self.slots = Vec::new();
        self.by_key = HashMap::new();
        self.by_stream = HashMap::new();
        self.complete = false;
    }
}
