//! Events: what they fold, what they were before, and which are no longer.

use super::kinds::{self, Wants};
use super::{Checker, Purpose};
use crate::domain::definition::{Definition, EventDefinition, Named};
use crate::domain::fields::Fields;
use crate::domain::history::History;
use crate::domain::{EventType, RenamedFrom};
use crate::script::fold::{EventRules, Former};
use crate::script::kinds::{Kind, Record};
use crate::script::{Host, Library, Script, ScriptText, fold};
use indexmap::IndexMap;
use std::collections::{BTreeMap, HashMap};
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
            let (version, was) = (history.version, history.was.iter().map(|was| was.text.as_str().into()).collect());
            let upcasts = self.upcasts(around, &name, &fields, history);
            match (fold, upcasts) {
                (Some(fold), Some(upcasts)) => {
                    let rules = EventRules::of(&name.text, fields.clone(), (version, upcasts), fold);
                    all.insert(name.text.as_str().into(), rules);
                }
                _ => whole = false,
            }
            let was: RenamedFrom = was;
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
        let renamed = events.iter().flat_map(|event| {
            event.history.was.iter().map(|was| (was, Former::Renamed(event.name.text.as_str().into())))
        });
        let all: Vec<_> = renamed.chain(retired.iter().map(|name| (name, Former::Retired))).collect();
        for (named, what) in all {
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

/// Names that events had before, by aggregate, with what they are called now; `None`: they are retired.
pub(super) fn former(definitions: &[Definition]) -> BTreeMap<(String, String), Option<String>> {
    let mut former = BTreeMap::new();
    for aggregate in definitions.iter().flat_map(|definition| &definition.aggregates) {
        let of = |name: &Named| (aggregate.name.text.clone(), name.text.clone());
        for event in &aggregate.events {
            former.extend(event.history.was.iter().map(|was| (of(was), Some(event.name.text.clone()))));
        }
        former.extend(aggregate.retired.iter().map(|name| (of(name), None)));
    }
    former
}

/// Whether anything is to be said of an event's past.
pub(super) fn has_a_past(history: &History) -> bool {
    history.version > 1 || !history.was.is_empty()
}
