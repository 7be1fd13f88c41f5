//! What is done with which event: its key, its handler, and what they read of it.

use crate::domain::{Domains, EventError, Handler, Projection};
use crate::event::{Position, Recorded};
use crate::json::Value;
use crate::script::direct::{Members, Names};
use crate::script::fold::{EventRules, Meta};
use crate::script::project::{Partial, Projected};
use crate::script::{Facts, Fault};
use crate::store::{Failure, StoreError};
use crate::workbench::replay::cannot;
use crate::workbench::{Error, meta};
use foldhash::{HashMap, HashMapExt};
use std::rc::Rc;
use std::sync::Arc;

/// The key of a row with its text.
pub(super) type Key = (Arc<str>, Value);

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

/// What is done with the events of one type.
pub(super) struct Route<'d> {
    pub(super) handler: &'d Handler,
    rules: &'d EventRules,
    /// Whether the key is the same for all events of a stream.
    pub(super) by_stream: bool,
    /// What of `meta` the handler reads, and what its key or itself; `None` is all.
    handler_meta: Option<Vec<&'d str>>,
    meta: Option<Vec<&'d str>>,
    /// What of the payload they read, where they need no engine.
    members: Option<Names>,
}

/// What an event is read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Its keys, and then its handler.
    Keyed,
    /// Its handler alone.
    Handled,
}

/// An event, as far as it was read.
pub(super) enum Read {
    Partial(Partial),
    Whole(Projected),
}

/// What is done with which event.
pub(super) struct Routes<'d> {
    pub(super) domains: &'d Domains,
    pub(super) projection: &'d Projection,
    by_aggregate: HashMap<&'d str, HashMap<&'d str, Rc<Route<'d>>>>,
}

impl<'d> Routes<'d> {
    pub(super) fn new(domains: &'d Domains, projection: &'d Projection) -> Self {
        let mut by_aggregate: HashMap<&str, HashMap<&str, Rc<Route<'_>>>> = HashMap::new();
        for ((aggregate, event), handler) in &projection.handlers {
            let Some(known) = domains.aggregate(aggregate) else { continue };
            if let (Some(kind), Some(rules)) = (known.events.get(event), known.rules.events.get(event)) {
                let routes = by_aggregate.entry(aggregate).or_default();
                let route = Rc::new(Route::new(handler, rules));
                for name in kind.was.iter().chain([event]) {
                    routes.insert(name, Rc::clone(&route));
                }
            }
        }
        Self { domains, projection, by_aggregate }
    }

    pub(super) fn of(&self, event: &Recorded) -> Option<&Rc<Route<'d>>> {
        self.by_aggregate.get(event.stream.aggregate())?.get(&*event.kind)
    }

    /// Whether there is an event whose key depends on more than its stream.
    pub(super) fn read_events_for_keys(&self) -> bool {
        self.by_aggregate.values().flat_map(HashMap::values).any(|route| !route.by_stream)
    }

    /// The keys of an event.
    pub(super) fn keys(&self, route: &Route<'d>, event: &Recorded, read: &Read) -> Result<Vec<Key>, Stop> {
        let failed = |fault: Fault| {
            let fault = fault.while_doing(|| self.situation(event));
            Stop::Failed(Failed { position: event.position, key: None, fault })
        };
        let script = &route.handler.key;
        let found = match read {
            Read::Whole(projected) => self.domains.host.keys(script, projected).map_err(failed)?,
            Read::Partial(partial) => match partial.keys(script) {
                Some(keys) => keys,
                None => {
                    self.domains.host.keys(script, &self.read_whole(route, event, Reading::Keyed)?).map_err(failed)?
                }
            },
        };
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
            Some(route) if !route.by_stream => {
                self.keys(route, event, &self.read(route, event, Reading::Keyed)?).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Reads an event, as it is now: as far as its key and its handler look at it, where they need no more.
    pub(super) fn read(&self, route: &Route<'d>, event: &Recorded, reading: Reading) -> Result<Read, Stop> {
        if let Some(names) = route.members.as_ref().filter(|_| event.schema == route.rules.schema)
            && let Some(members) = Members::read(&event.data, &route.rules.shape, names)
        {
            return Ok(Read::Partial(Partial::new(members, Self::meta(route, event, reading))));
        }
        self.read_whole(route, event, reading).map(Read::Whole)
    }

    pub(super) fn read_whole(&self, route: &Route<'_>, event: &Recorded, reading: Reading) -> Result<Projected, Stop> {
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
        Ok(Projected::new(payload, Self::meta(route, event, reading)))
    }

    /// What of `meta` is read.
    fn meta(route: &Route<'_>, event: &Recorded, reading: Reading) -> Meta {
        match if reading == Reading::Handled { &route.handler_meta } else { &route.meta } {
            Some(names) if names.is_empty() => Meta::default(),
            Some(names) => meta::some_of_event(event, &route.rules.name, names),
            None => meta::of_event(event, &route.rules.name, true),
        }
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
        let meta = |scripts: &[&'d Facts]| {
            if scripts.iter().any(|facts| facts.whole.contains_key("meta")) {
                return None;
            }
            let accesses = scripts.iter().flat_map(|facts| &facts.accesses).filter(|access| access.root == "meta");
            let mut names: Vec<&str> = accesses.map(|access| access.field.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            Some(names)
        };
        let members = Partial::reads([&*handler.key, &handler.script]);
        Self { handler, rules, by_stream, handler_meta: meta(&[script]), meta: meta(&[key, script]), members }
    }
}

/// What of `meta` all events of a stream have in common.
fn is_of_stream(field: &str) -> bool {
    matches!(field, "stream" | "aggregate" | "id")
}
