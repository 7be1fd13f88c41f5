//! What is stored, under the rules as they are now: whether each event is known, becomes what it is now, and folds.

use super::replay::{Folding, cannot, each_event, fold_event};
use super::{Error, Misfit, PAGE, Workbench, meta};
use crate::diagnostic::Diagnostic;
use crate::domain::{Aggregate, Domains, EventError};
use crate::event::{Position, Recorded, StreamName, Version};
use crate::json::{self, Value};
use crate::script::fold::{EventRules, Known};
use crate::store::StreamInfo;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// What came of looking at everything that is stored.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stored {
    /// Each form in which events are stored, by aggregate, name and version.
    pub forms: Vec<StoredForm>,
    /// Streams of aggregates that the domains have.
    pub streams: u64,
    /// Their events.
    pub events: u64,
    /// Events that were not folded, because an earlier one of their stream could not be.
    pub unfolded: u64,
    /// Events of aggregates that the domains do not have.
    pub foreign: u64,
}

/// A form in which events are stored: a name, and a version of its schema.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredForm {
    /// The aggregate.
    pub aggregate: Box<str>,
    /// The name under which they are stored.
    pub name: Box<str>,
    /// The version of their schema.
    pub version: u32,
    /// What they are now.
    pub now: Now,
    /// How many there are.
    pub events: u64,
    /// How many of them cannot be read or folded.
    pub failures: u64,
    /// The first of these.
    pub failure: Option<(Position, Diagnostic)>,
    /// The first of those that were brought up from an earlier version.
    pub sample: Option<Sample>,
}

/// What stored events are by the rules as they are now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Now {
    /// An event of this name, in this version of its schema.
    Event(Box<str>, u32),
    /// Nothing any more.
    Retired,
    /// Not known.
    Unknown,
}

/// A payload before and after it was brought up to the present version.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Whose it is.
    pub stream: StreamName,
    /// Where it is stored.
    pub position: Position,
    /// As it is stored.
    pub before: Value,
    /// As it is now.
    pub after: Value,
}

type Forms = BTreeMap<(Box<str>, Box<str>, u32), StoredForm>;

impl Workbench {
    /// Reads and folds every stored event, one stream after the other. `progress` is told how many events were seen.
    /// Nothing is written.
    pub fn check_stored(&mut self, progress: &mut dyn FnMut(u64)) -> Result<Stored, Error> {
        let domains = self.domains.clone();
        let mut all = Stored::default();
        let mut forms = Forms::new();
        let mut last: Option<StreamName> = None;
        loop {
            let page = self.store.streams(last.as_ref(), PAGE)?;
            let Some(end) = page.last() else { break };
            last = Some(end.name.clone());
            for StreamInfo { name, version, .. } in page {
                match domains.aggregate(name.aggregate()) {
                    Some(aggregate) => {
                        all.streams += 1;
                        self.check_stream(&domains, aggregate, &name, &mut forms, &mut all)?;
                    }
                    None => all.foreign += version.0,
                }
                progress(all.events + all.foreign);
            }
        }
        all.forms = forms.into_values().collect();
        Ok(all)
    }

    fn check_stream(
        &mut self,
        domains: &Domains,
        aggregate: &Aggregate,
        stream: &StreamName,
        forms: &mut Forms,
        all: &mut Stored,
    ) -> Result<(), Error> {
        let mut folding = Some(Folding::new(aggregate));
        let commands = aggregate.folds_read_commands();
        let whole = (Version(0), Version(u64::MAX));
        each_event(self.store.as_mut(), stream, whole, commands, |event| {
            all.events += 1;
            let form = form_of(forms, aggregate, &event);
            let outcome = form.read(domains, aggregate, &event).and_then(|()| match &mut folding {
                Some(folding) => fold_event(domains, aggregate, folding, &event),
                None => {
                    all.unfolded += 1;
                    Ok(())
                }
            });
            match outcome {
                Ok(()) => {}
                Err(error @ Error::Store(_)) => return Err(error),
                Err(error) => {
                    // What comes after it in its stream has no state to go on from.
                    folding = None;
                    form.failures += 1;
                    form.failure.get_or_insert_with(|| (event.position, error.into_diagnostic("stored")));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}

fn form_of<'f>(forms: &'f mut Forms, aggregate: &Aggregate, event: &Recorded) -> &'f mut StoredForm {
    let key = (aggregate.name.clone(), Box::from(&*event.kind), event.schema);
    forms.entry(key).or_insert_with(|| StoredForm {
        aggregate: aggregate.name.clone(),
        name: (&*event.kind).into(),
        version: event.schema,
        now: match aggregate.rules.known(&event.kind) {
            Some(Known::Event(rules)) => Now::Event((&*rules.name).into(), rules.schema),
            Some(Known::Retired) => Now::Retired,
            None => Now::Unknown,
        },
        events: 0,
        failures: 0,
        failure: None,
        sample: None,
    })
}

impl StoredForm {
    /// Counts an event, and sees whether its payload is, or becomes, what the rules say.
    fn read(&mut self, domains: &Domains, aggregate: &Aggregate, event: &Recorded) -> Result<(), Error> {
        self.events += 1;
        let rules = match aggregate.rules.known(&event.kind) {
            Some(Known::Event(rules)) => rules,
            Some(Known::Retired) => return Ok(()),
            None => return Err(cannot("reading", EventError::Unknown, event)),
        };
        if event.schema != rules.schema {
            let of_event = |kind: &str| meta::of_event(event, kind, false);
            let upcast = domains.upcast(rules, event.schema, &event.data, of_event);
            let after = Value::Object(upcast.map_err(|error| cannot("upcasting", error, event))?);
            if self.sample.is_none() {
                let before = json::parse(&event.data).unwrap_or_default();
                let (stream, position) = (event.stream.clone(), event.position);
                self.sample = Some(Sample { stream, position, before, after });
            }
            return Ok(());
        }
        fits(rules, event)
    }
}

/// Whether a payload of the present version is what the fields say.
pub(super) fn fits(rules: &EventRules, event: &Recorded) -> Result<(), Error> {
    let unreadable = |problem: String| cannot("reading", EventError::Payload(problem), event);
    let data = match json::parse(&event.data) {
        Ok(Value::Object(data)) => data,
        Ok(other) => return Err(unreadable(format!("it is {}", other.kind_name()))),
        Err(problem) => return Err(unreadable(problem.to_string())),
    };
    (rules.accept)(data).map(drop).map_err(|problems| {
        let which = format!("event {} of `{}` (@{})", event.version, event.stream, event.position);
        Misfit::new(format!("{which} does not fit `{}`: {}", rules.name, problems.join("; ")))
            .hint("where the fields of an event change, its `version` does, and an `upcast` says how")
            .into()
    })
}
