//! Rows in memory, and events applied to them.

use super::fill::Changes;
use crate::domain::{Domains, EventError, Handler, Projection};
use crate::event::{Position, Recorded, StreamName};
use crate::json::Value;
use crate::script::Fault;
use crate::script::fold::{EventRules, Meta};
use crate::script::memory;
use crate::script::project::{Cells, Projected, RowKey};
use crate::store::{Failure, Row, RowChange, Store, StoreError, Table};
use crate::workbench::replay::cannot;
use crate::workbench::{Error, meta};
use std::collections::HashMap;
use std::rc::Rc;
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

/// The key of a row with its text.
pub(super) type Key = (Arc<str>, Value);

/// Reads rows that are not held, by their keys, and hands over each with the place of its key.
pub(super) type Fetch<'f> = dyn FnMut(Vec<Value>, &mut dyn FnMut(usize, Option<&Row>)) -> Result<(), StoreError> + 'f;

/// The keys of the event at a place, if somebody has computed them.
pub(super) type KeysAt<'k> = dyn Fn(usize) -> Option<&'k [Key]> + 'k;

/// Why events were not applied.
pub(super) enum Stop {
    /// A handler or a key failed.
    Failed(Failed),
    /// Another reason.
    Error(Error),
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Failed(failed) => Self::Script(failed.fault),
            Stop::Error(error) => error,
        }
    }
}

/// An event that could not be applied.
pub(super) struct Failed {
    pub(super) position: Position,
    pub(super) key: Option<Value>,
    pub(super) fault: Fault,
}

impl Failed {
    /// What the store keeps of it.
    pub(super) fn to_note(&self) -> Failure {
        Failure {
            position: self.position,
            key: self.key.clone(),
            error: self.fault.0.message.as_str().into(),
            place: self.fault.0.place.as_ref().map(|place| place.to_string().into()),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Error(error.into())
    }
}

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

/// What is done with the events of one type.
pub(super) struct Route<'d> {
    handler: &'d Handler,
    rules: &'d EventRules,
    /// Whether the key is the same for all events of a stream.
    by_stream: bool,
    /// What of `meta` the key and the handler read; `None` is all.
    meta: Option<Vec<&'d str>>,
}

/// What is done with which event.
pub(super) struct Routes<'d> {
    domains: &'d Domains,
    projection: &'d Projection,
    by_aggregate: HashMap<&'d str, HashMap<&'d str, Route<'d>>>,
}

impl<'d> Routes<'d> {
    pub(super) fn new(domains: &'d Domains, projection: &'d Projection) -> Self {
        let mut by_aggregate: HashMap<&str, HashMap<&str, Route<'_>>> = HashMap::new();
        for ((aggregate, event), handler) in &projection.handlers {
            let Some(known) = domains.aggregate(aggregate) else { continue };
            if let (Some(kind), Some(rules)) = (known.events.get(event), known.rules.events.get(event)) {
                let routes = by_aggregate.entry(aggregate).or_default();
                for name in kind.was.iter().chain([event]) {
                    routes.insert(name, Route::new(handler, rules));
                }
            }
        }
        Self { domains, projection, by_aggregate }
    }

    pub(super) fn of(&self, event: &Recorded) -> Option<&Route<'d>> {
        self.by_aggregate.get(event.stream.aggregate())?.get(&*event.kind)
    }

    /// Whether there is an event whose key depends on more than its stream.
    pub(super) fn read_events_for_keys(&self) -> bool {
        self.by_aggregate.values().flat_map(HashMap::values).any(|route| !route.by_stream)
    }

    /// The keys of an event.
    fn keys(&self, route: &Route<'d>, event: &Recorded, projected: &Projected) -> Result<Vec<Key>, Stop> {
        let failed = |fault: Fault| {
            let fault = fault.while_doing(|| self.situation(event));
            Stop::Failed(Failed { position: event.position, key: None, fault })
        };
        let script = &route.handler.key;
        let found = self.domains.host.keys(script, projected).map_err(failed)?;
        let Some(column) = self.projection.columns.iter().next() else { return Ok(Vec::new()) };
        let mut keys: Vec<Key> = Vec::with_capacity(found.len());
        for key in found {
            match column.kind.accept(key.clone()) {
                Ok(key) => {
                    // A number names one row, however many zeros it ends with.
                    let key = if let Value::Decimal(decimal) = key { Value::Decimal(decimal.normalize()) } else { key };
                    let text = Arc::from(key.to_string());
                    if keys.iter().all(|(known, _)| *known != text) {
                        keys.push((text, key));
                    }
                }
                Err(problems) => {
                    let why = problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; ");
                    let message = format!("the key {key} does not fit the column `{}`: {why}", column.name);
                    return Err(failed(Fault::new(message, script.text().whole())));
                }
            }
        }
        Ok(keys)
    }

    /// The keys of an event whose key depends on more than its stream; `None` for others.
    pub(super) fn keys_by_event(&self, event: &Recorded) -> Result<Option<Vec<Key>>, Stop> {
        match self.of(event) {
            Some(route) if !route.by_stream => self.keys(route, event, &self.read(route, event)?).map(Some),
            _ => Ok(None),
        }
    }

    /// Reads an event, as it is now.
    fn read(&self, route: &Route<'d>, event: &Recorded) -> Result<Projected, Stop> {
        let rules = route.rules;
        let of_event = |kind: &str| meta::of_event(event, kind, true);
        let payload =
            self.domains.payload(rules, event.schema, &event.data, of_event).map_err(|error| match error {
                EventError::Fault(fault) => {
                    let fault = fault.while_doing(|| self.situation(event));
                    Stop::Failed(Failed { position: event.position, key: None, fault })
                }
                other => cannot("projecting", other, event).into(),
            })?;
        let meta = match &route.meta {
            Some(names) if names.is_empty() => Meta::default(),
            Some(names) => meta::some_of_event(event, &rules.name, names),
            None => of_event(&rules.name),
        };
        Ok(Projected::new(payload, meta))
    }

    fn situation(&self, event: &Recorded) -> String {
        format!("while projecting `{}` of `{}` (@{}) into `{}`", event.kind, event.stream, event.position, self.name())
    }

    fn name(&self) -> &str {
        &self.projection.name
    }
}

impl<'d> Route<'d> {
    fn new(handler: &'d Handler, rules: &'d EventRules) -> Self {
        let (key, script) = (handler.key.facts(), handler.script.facts());
        let of_streams =
            |name: &str| key.accesses.iter().filter(|access| access.root == name).all(|a| is_of_stream(&a.field));
        let by_stream = !key.reads_root("event") && !key.whole.contains_key("meta") && of_streams("meta");
        let whole = key.whole.contains_key("meta") || script.whole.contains_key("meta");
        let mut names: Vec<&str> = key
            .accesses
            .iter()
            .chain(&script.accesses)
            .filter(|a| a.root == "meta")
            .map(|a| a.field.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        Self { handler, rules, by_stream, meta: (!whole).then_some(names) }
    }
}

/// What of `meta` all events of a stream have in common.
fn is_of_stream(field: &str) -> bool {
    matches!(field, "stream" | "aggregate" | "id")
}

/// The rows of a share, as far as events have touched them and there is room.
pub(super) struct Rows<'d> {
    routes: Routes<'d>,
    share: Share,
    slots: Vec<Slot>,
    by_key: HashMap<Arc<str>, usize>,
    /// Places of the rows of a stream, where they are the same for all of its events.
    by_stream: HashMap<StreamName, Rc<[usize]>>,
    /// Every row there is has its slot.
    complete: bool,
    /// Places of slots that were changed.
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

/// An event with the places of its rows.
struct Prepared<'e, 'd> {
    event: &'e Recorded,
    handler: &'d Handler,
    projected: Projected,
    slots: Rc<[usize]>,
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
        let Some(route) = self.routes.of(event) else { return Ok(None) };
        let handler = route.handler;
        let prepared = |projected, slots: Rc<[usize]>| {
            (!slots.is_empty()).then_some(Prepared { event, handler, projected, slots })
        };
        // Most of the time nothing has to be computed to see which rows are meant, and whether any is.
        if route.by_stream
            && let Some(slots) = self.by_stream.get(&event.stream)
        {
            return if slots.is_empty() {
                Ok(None)
            } else {
                Ok(prepared(self.routes.read(route, event)?, Rc::clone(slots)))
            };
        }
        if let Some(keys) = keys {
            if !keys.iter().any(|key| self.share.has(key)) {
                return Ok(None);
            }
            let projected = self.routes.read(route, event)?;
            return Ok(prepared(projected, self.slots_of(keys)));
        }
        let by_stream = route.by_stream;
        let projected = self.routes.read(route, event)?;
        let keys = self.routes.keys(route, event, &projected)?;
        let slots = self.slots_of(&keys);
        if by_stream {
            self.by_stream.insert(event.stream.clone(), Rc::clone(&slots));
        }
        Ok(prepared(projected, slots))
    }

    /// The places of the rows that are meant.
    fn slots_of(&mut self, keys: &[Key]) -> Rc<[usize]> {
        keys.iter().filter_map(|key| self.slot(key)).collect()
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
        let keys = places.iter().map(|&place| self.slots[place].key.value().clone()).collect();
        fetch(keys, &mut |at, row| {
            let slot = &mut self.slots[places[at]];
            slot.cells = row.map(|row| self.routes.projection.rows.stored(row));
            slot.known = true;
        })
    }

    /// Applies an event to its rows: to all of them, or, where it is parked, to none.
    fn change(&mut self, prepared: Prepared<'_, '_>) -> Result<(), Stop> {
        let Prepared { event, handler, mut projected, slots } = prepared;
        let before: Vec<Option<Cells>> =
            if self.park { slots.iter().map(|&place| self.slots[place].cells.clone()).collect() } else { Vec::new() };
        let (domains, projection) = (self.routes.domains, self.routes.projection);
        for (at, &place) in slots.iter().enumerate() {
            let slot = &mut self.slots[place];
            let row = slot.cells.take();
            // The last one gets the event itself.
            let event_of = if at + 1 < slots.len() { projected.clone() } else { std::mem::take(&mut projected) };
            let rules = (&handler.script, &handler.touched);
            match domains.host.handle(&projection.rows, rules, event_of, &slot.key, row) {
                Ok(cells) => slot.cells = cells,
                Err(fault) => {
                    let key = slot.key.value().clone();
                    let fault = fault.while_doing(|| {
                        format!(
                            "while projecting `{}` of `{}` (@{}) into row {key} of `{}`",
                            event.kind, event.stream, event.position, projection.name
                        )
                    });
                    let failed = Failed { position: event.position, key: Some(key), fault };
                    if !self.park {
                        return Err(Stop::Failed(failed));
                    }
                    self.parked.push(failed.to_note());
                    for (&place, cells) in slots.iter().zip(before) {
                        self.slots[place].cells = cells;
                    }
                    return Ok(());
                }
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

    /// What has changed since this was asked last, by key; and what was not applied.
    pub(super) fn take_changes(&mut self) -> (Changes, Vec<Failure>) {
        let places = std::mem::take(&mut self.changed);
        let rules = &self.routes.projection.rows;
        let mut changes = Vec::with_capacity(places.len());
        for place in places {
            let slot = &mut self.slots[place];
            slot.changed = false;
            let change = match &slot.cells {
                Some(cells) => RowChange::Put(rules.values(cells)),
                None => RowChange::Delete(slot.key.value().clone()),
            };
            changes.push((Arc::clone(&slot.text), change));
        }
        changes.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        (changes, std::mem::take(&mut self.parked))
    }

    /// Lets go of all rows; what was changed has been taken before.
    pub(super) fn clear(&mut self) {
        self.slots = Vec::new();
        self.by_key = HashMap::new();
        self.by_stream = HashMap::new();
        self.complete = false;
    }
}
