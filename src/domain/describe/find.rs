//! What a name means.

use super::{AggregateFacts, CommandFacts, Description, DomainFacts, EventFacts, ProcessFacts, ProjectionFacts};
use crate::diagnostic::suggest;

/// One thing of a description.
#[derive(Debug, Clone, Copy)]
pub enum Thing<'d> {
    /// A domain. No name finds it.
    Domain(&'d DomainFacts),
    /// An aggregate.
    Aggregate(&'d AggregateFacts),
    /// A command.
    Command(&'d CommandFacts),
    /// An event.
    Event(&'d EventFacts),
    /// A read model.
    Projection(&'d ProjectionFacts),
    /// A process.
    Process(&'d ProcessFacts),
}

impl Thing<'_> {
    /// What it is, in the glossary's word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Domain(_) => "domain",
            Self::Aggregate(_) => "aggregate",
            Self::Command(_) => "command",
            Self::Event(_) => "event",
            Self::Projection(_) => "projection",
            Self::Process(_) => "process",
        }
    }

    /// Its whole name: `account.Opened`.
    pub fn name(&self) -> String {
        match self {
            Self::Domain(domain) => domain.name.clone(),
            Self::Aggregate(aggregate) => aggregate.name.clone(),
            Self::Command(command) => command.name.to_string(),
            Self::Event(event) => event.name.to_string(),
            Self::Projection(projection) => projection.name.clone(),
            Self::Process(process) => process.name.clone(),
        }
    }

    /// The name within its aggregate, of what has one.
    fn short(&self) -> Option<&str> {
        match self {
            Self::Command(command) => Some(&command.name.name),
            Self::Event(event) => Some(&event.name.name),
            _ => None,
        }
    }
}

/// What a name stands for.
#[derive(Debug)]
pub enum Found<'d> {
    /// One thing, with others that have the same name within their aggregates: an aggregate, a read model or a process has
    /// no longer name, so that it goes first.
    One(Thing<'d>, Vec<Thing<'d>>),
    /// Several commands or events, of several aggregates.
    Several(Vec<Thing<'d>>),
    /// Nothing; the nearest name there is.
    Nothing(Option<String>),
}

impl Description {
    /// Everything, in order: domains, aggregates, commands, events, read models, processes.
    pub fn things(&self) -> impl Iterator<Item = Thing<'_>> {
        let domains = self.domains.iter().map(Thing::Domain);
        let aggregates = self.aggregates.iter().map(Thing::Aggregate);
        let commands = self.commands.iter().map(Thing::Command);
        let events = self.events.iter().map(Thing::Event);
        let projections = self.projections.iter().map(Thing::Projection);
        let processes = self.processes.iter().map(Thing::Process);
        domains.chain(aggregates).chain(commands).chain(events).chain(projections).chain(processes)
    }

    /// What a name means among those things that `fits` lets through: an aggregate, a read model, a process, `account.Opened`, or
    /// `Opened`, where only one aggregate has it.
    pub fn find(&self, name: &str, fits: impl Fn(&Thing<'_>) -> bool) -> Found<'_> {
        let things = || self.things().filter(|thing| !matches!(thing, Thing::Domain(_)) && fits(thing));
        let whole = things().find(|thing| thing.name() == name);
        let mut short: Vec<_> = things().filter(|thing| thing.short() == Some(name)).collect();
        match whole {
            Some(thing) => Found::One(thing, short),
            None if short.len() > 1 => Found::Several(short),
            None => match short.pop() {
                Some(thing) => Found::One(thing, short),
                None => {
                    let whole: Vec<String> = things().map(|thing| thing.name()).collect();
                    let short: Vec<_> = things().collect();
                    let short = short.iter().filter(|_| !name.contains('.')).filter_map(Thing::short);
                    // A name without an aggregate is compared with names without one.
                    let whole = whole.iter().filter(|known| known.contains('.') == name.contains('.'));
                    Found::Nothing(suggest(name, short.chain(whole.map(String::as_str))).map(str::to_owned))
                }
            },
        }
    }
}
