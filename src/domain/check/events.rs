//! Events: what they fold, what they were before, and which are no longer.

use super::kinds::{self, Wants};
use super::{Checker, Purpose};
use crate::domain::EventType;
use crate::domain::definition::{Definition, EventDefinition, Named};
use crate::domain::fields::Fields;
use crate::script::fold::{EventRules, Former};
use crate::script::kinds::{Kind, Record};
use crate::script::{Host, Library, Script, ScriptText, fold};
use foldhash::{HashMap, HashMapExt};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What belongs to the events of one aggregate.
pub(super) struct Around<'a> {
    pub(super) host: &'a Host,
    pub(super) library: &'a Rc<Library>,
    pub(super) aggregate: &'a str,
    pub(super) state: &'a Rc<Record>,
}

/// The events of one aggregate, with their rules.
pub(super) type Events = (IndexMap<Box<str>, EventType>, HashMap<Box<str>, EventRules>);

impl Checker<'_> {
    /// The events of an aggregate; `None` where a script of theirs does not compile.
    pub(super) fn events(&mut self, around: &Around<'_>, definitions: Vec<EventDefinition>) -> Option<Events> {
        let mut events = IndexMap::new();
        let mut all = HashMap::new();
        let mut whole = true;
        for definition in definitions {
            self.words(&definition.fields, &definition.name, "event");
            let EventDefinition { name, description, fields, fold, folds, history } = definition;
            let fields = Rc::new(fields);
            let fold = match fold {
                Some(text) => self.fold(around, &name.text, &fields, text).map(Some),
                None if folds => None,
                None => {
                    self.warning(
                        "no-fold",
                        format!("nothing folds `{}`: it does not change the state", name.text),
                        &name.place,
                        "give it a `fold`, or ignore this where the event is only for read models",
                    );
                    Some(None)
                }
            };
            let version = history.version;
            let was = history.was.iter().map(|was| was.text.as_str().into()).collect();
            let upcasts = self.upcasts(around, &name, &fields, history);
            match (fold, upcasts) {
                (Some(fold), Some(upcasts)) => {
                    let rules = EventRules::of(&name.text, fields.clone(), (version, upcasts), fold);
                    all.insert(name.text.as_str().into(), rules);
                }
                _ => whole = false,
            }
            events.insert(name.text.into(), EventType { description, version, was, fields, place: name.place });
        }
        whole.then_some((events, all))
    }

    fn fold(&mut self, around: &Around<'_>, event: &str, fields: &Fields, text: ScriptText) -> Option<Script> {
        let purpose = Purpose {
            scope: fold::SCOPE,
            kinds: vec![
                ("state", Kind::Record(around.state.clone())),
                ("event", kinds::payload("event", event, fields)),
                ("version", Kind::Integer),
                ("meta", kinds::meta()),
            ],
            aggregate: around.aggregate,
            wants: Wants::Fold,
            changes: "state",
            calls: &[],
            what: "a `fold`",
        };
        self.script(around.host, around.library, text, &purpose)
    }

    /// What is stored under names that no event has any more.
    pub(super) fn former(
        &mut self,
        aggregate: &str,
        events: &[EventDefinition],
        retired: &[Named],
    ) -> HashMap<Box<str>, Former> {
        let mut former: HashMap<Box<str>, Former> = HashMap::new();
        for (named, now) in past(events, retired) {
            let what = now.map_or(Former::Retired, |now| Former::Renamed(now.into()));
            let name = named.text.as_str();
            let taken = match former.get(name) {
                _ if events.iter().any(|event| event.name.text == name) => Some(format!("an event of `{aggregate}`")),
                Some(Former::Renamed(now)) => Some(format!("an earlier name of `{now}`")),
                Some(Former::Retired) => Some("retired".to_owned()),
                None => None,
            };
            match taken {
                Some(taken) => {
                    self.problem("duplicate-name", format!("`{name}` is {taken} already"), &named.place)
                        .hints
                        .push("what is stored under one name is one event now, or none".to_owned());
                }
                None => drop(former.insert(name.into(), what)),
            }
        }
        former
    }
}

/// Names that the events of an aggregate had before, with what each is called now; `None`: it is retired.
fn past<'d>(events: &'d [EventDefinition], retired: &'d [Named]) -> impl Iterator<Item = (&'d Named, Option<&'d str>)> {
    let renamed = events.iter().flat_map(|event| {
        let now = event.name.text.as_str();
        event.history.was.iter().map(move |was| (was, Some(now)))
    });
    renamed.chain(retired.iter().map(|name| (name, None)))
}

/// The same of all aggregates, by aggregate and name.
pub(super) fn former(definitions: &[Definition]) -> BTreeMap<(String, String), Option<String>> {
    let mut former = BTreeMap::new();
    for aggregate in definitions.iter().flat_map(|definition| &definition.aggregates) {
        let of = |name: &Named| (aggregate.name.text.clone(), name.text.clone());
        let past = past(&aggregate.events, &aggregate.retired);
        former.extend(past.map(|(name, now)| (of(name), now.map(str::to_owned))));
    }
    former
}
