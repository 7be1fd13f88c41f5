//! Recording: history as a scenario. What was there before is given, the commands come again, and what they gave is what is
//! expected.

use super::events::each_logged;
use super::kept::Kept;
use super::replay::Replayed;
use super::send::{Now, Request};
use super::test::put;
use super::{Error, Misfit, PAGE, Workbench, export, process};
use crate::event::{Command, Moment, NewEvent, Position, Recorded, StreamName, Version};
use crate::json::{self, Object, Value};
use crate::script::fold::Known;
use crate::store::EventFilter;
use crate::store::memory::MemoryStore;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// The most streams that a scenario is made of.
const MAX_STREAMS: usize = 1_000;
/// The most events and commands.
const MAX_STEPS: usize = 10_000;

/// What is to be recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stretch {
    /// The commands of one stream.
    Stream(StreamName),
    /// The commands whose events lie between two positions, both included.
    Range(Position, Position),
}

/// History as a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// The events before the first command, of all streams that matter to it, as they are stored, in their order. With each
    /// the version of its schema, where that is an earlier one.
    pub given: Vec<(Recorded, Option<u32>)>,
    /// The commands.
    pub when: Vec<Arc<Command>>,
    /// Their events, as they are now.
    pub then: Vec<Recorded>,
    /// The stream of the last command, after it.
    pub last: Replayed,
    /// The position of the last event.
    pub position: Position,
}

/// A command with its events.
type Stored = (Arc<Command>, Vec<Recorded>);

impl Workbench {
    /// Makes a scenario of what is stored. Nothing is written.
    pub fn record(&mut self, stretch: &Stretch) -> Result<Recording, Error> {
        let commands = match stretch {
            Stretch::Stream(stream) => self.commands_to(stream)?,
            Stretch::Range(from, to) => self.commands_between(*from, *to)?,
        };
        let caused = self.caused(&commands)?;
        let by_process = |(command, _): &Stored| caused.iter().any(|(known, _)| known.id == command.id);
        let commands: Vec<Stored> = commands.into_iter().filter(|stored| !by_process(stored)).collect();
        let mut streams: BTreeSet<StreamName> = BTreeSet::new();
        for (command, events) in commands.iter().chain(&caused) {
            streams.insert(command.stream.clone());
            streams.extend(events.iter().map(|event| event.stream.clone()));
        }
        loop {
            let (given, when) = self.divided(&commands, &caused, &streams)?;
            let looked = self.looked_at(&given, when, &caused)?;
            let known = streams.len();
            streams.extend(looked);
            if streams.len() > MAX_STREAMS {
                return Err(Misfit::new(format!("this looks at more than {MAX_STREAMS} streams")).into());
            }
            if streams.len() == known {
                return self.recording(given, when, &caused);
            }
        }
    }

    /// The commands that were sent to a stream and gave events.
    fn commands_to(&mut self, stream: &StreamName) -> Result<Vec<Stored>, Error> {
        self.version_at(stream, None)?;
        let mut ids = Vec::new();
        let mut after = Version(0);
        let mut page: Vec<Recorded> = Vec::new();
        loop {
            page.clear();
            self.store.read_stream(stream, after, PAGE, true, &mut page)?;
            let Some(last) = page.last() else { break };
            after = last.version;
            for command in page.iter().filter_map(|event| event.command.as_ref()) {
                if command.stream == *stream && ids.last() != Some(&command.id) {
                    ids.push(command.id.clone());
                }
            }
            within_bounds(ids.len())?;
        }
        if ids.is_empty() {
            let misfit = Misfit::new(format!("no command that was sent to `{stream}` gave events"));
            return Err(misfit.hint("`--record @FROM..TO` takes the commands between two positions").into());
        }
        let mut commands = Vec::with_capacity(ids.len());
        for id in ids {
            commands.extend(self.store.command(&id)?.map(|stored| (stored.command, stored.events)));
        }
        Ok(commands)
    }

    /// The commands whose events lie between two positions; one that lies there in part is taken whole.
    fn commands_between(&mut self, from: Position, to: Position) -> Result<Vec<Stored>, Error> {
        self.within_store(to)?;
        let mut commands: Vec<Stored> = Vec::new();
        let mut ids: Vec<Box<str>> = Vec::new();
        let before = Position(from.0.saturating_sub(1));
        each_logged(self.store.as_mut(), (before, to), true, &EventFilter::default(), |event| {
            ids.extend(event.command.map(|command| command.id.clone()).filter(|id| ids.last() != Some(id)));
            within_bounds(ids.len()).map(|()| ControlFlow::Continue(()))
        })?;
        for id in ids {
            commands.extend(self.store.command(&id)?.map(|stored| (stored.command, stored.events)));
        }
        if commands.is_empty() {
            return Err(Misfit::new(format!("there is nothing between @{from} and @{to}")).into());
        }
        Ok(commands)
    }

    /// What processes sent on account of commands: in a scenario they send it by themselves.
    fn caused(&mut self, commands: &[Stored]) -> Result<Vec<Stored>, Error> {
        let domains = self.domains.clone();
        let Some(first) = commands.first().and_then(|(_, events)| events.first()).map(|event| event.position) else {
            return Ok(Vec::new());
        };
        let actors: BTreeSet<String> = domains.processes().map(|process| process::actor(&process.name)).collect();
        if actors.is_empty() {
            return Ok(Vec::new());
        }
        let by_process = |command: &Command| command.actor.as_deref().is_some_and(|by| actors.contains(by));
        // What a command may name as its cause: a command that is recorded, or an event of one.
        let mut recorded: BTreeSet<Box<str>> = BTreeSet::new();
        let at = |event: &Recorded| Box::from(format!("@{}", event.position));
        for (command, events) in commands.iter().filter(|(command, _)| !by_process(command)) {
            recorded.insert(command.id.clone());
            recorded.extend(events.iter().map(at));
        }
        let mut ids: Vec<Box<str>> = Vec::new();
        let (before, end) = (Position(first.0.saturating_sub(1)), self.store.head()?.position);
        each_logged(self.store.as_mut(), (before, end), true, &EventFilter::default(), |event| {
            let command = event.command.as_deref().filter(|known| by_process(known));
            ids.extend(command.map(|known| known.id.clone()).filter(|id| ids.last() != Some(id)));
            within_bounds(ids.len()).map(|()| ControlFlow::Continue(()))
        })?;
        let mut caused = Vec::new();
        for id in ids {
            let Some(stored) = self.store.command(&id)? else { continue };
            let mut cause = stored.command.causation.clone();
            // What answers a rejection follows from what the rejected command followed from.
            while let Some(id) = cause.as_ref().filter(|id| !recorded.contains(*id)) {
                let Some(rejected) = self.store.rejection(id)? else { break };
                cause = rejected.step.causation;
            }
            let follows = cause.is_some_and(|cause| recorded.contains(&cause));
            if follows || commands.iter().any(|(command, _)| command.id == id) {
                recorded.insert(id);
                recorded.extend(stored.events.iter().map(at));
            }
            if follows {
                caused.push((stored.command, stored.events));
            }
        }
        Ok(caused)
    }

    /// What is given and what comes again: the commands after the last event of these streams that another command gave.
    fn divided<'c>(
        &mut self,
        commands: &'c [Stored],
        caused: &[Stored],
        streams: &BTreeSet<StreamName>,
    ) -> Result<(Vec<Recorded>, &'c [Stored]), Error> {
        let last = commands.last().and_then(|(_, events)| events.first()).map(|event| event.position);
        let before = Position(last.unwrap_or_default().0.saturating_sub(1));
        let own: BTreeSet<Position> =
            commands.iter().chain(caused).flat_map(|(_, events)| events).map(|event| event.position).collect();
        let mut past: Vec<Recorded> = Vec::new();
        for stream in streams {
            let until = self.store.version_at(stream, before)?;
            let mut after = Version(0);
            while after < until {
                let read = past.len();
                self.store.read_stream(stream, after, PAGE, false, &mut past)?;
                past.retain(|event| event.position <= before);
                within_bounds(past.len())?;
                match past.get(read..).and_then(<[_]>::last) {
                    Some(last) => after = last.version,
                    None => break,
                }
            }
        }
        past.sort_by_key(|event| event.position);
        let boundary = past.iter().rfind(|event| !own.contains(&event.position)).map(|event| event.position);
        let boundary = boundary.unwrap_or_default();
        let first = commands.iter().position(|(_, events)| events.first().is_some_and(|e| e.position > boundary));
        let when = &commands[first.unwrap_or(commands.len().saturating_sub(1))..];
        let begins = when.first().and_then(|(_, events)| events.first()).map(|event| event.position);
        past.retain(|event| begins.is_none_or(|begins| event.position < begins));
        Ok((past, when))
    }

    /// The streams that the commands look at, found out by sending them again to a store in memory.
    fn looked_at(&self, given: &[Recorded], when: &[Stored], caused: &[Stored]) -> Result<BTreeSet<StreamName>, Error> {
        let mut store = MemoryStore::new("record");
        for (n, event) in given.iter().enumerate() {
            let Recorded { stream, kind, schema, data, time, .. } = event.clone();
            put(&mut store, &format!("given-{n}"), NewEvent { stream, kind, schema, data }, time)?;
        }
        let mut again = Self::new(self.domains.clone(), Box::new(store));
        let mut kept = Kept::default();
        kept.looked = Some(BTreeSet::new());
        let begins = begin(when);
        let mut all: Vec<&Stored> = when.iter().chain(caused.iter().filter(|stored| first(stored) > begins)).collect();
        all.sort_by_key(|stored| first(stored));
        for (command, _) in all {
            let (request, now) = request(command);
            // What it comes to now is for the scenario to show.
            let Ok(accepted) = again.accept(request, &now) else { continue };
            again.store.begin()?;
            match again.send_in_turn(accepted, &mut kept) {
                Ok(_) => again.store.commit()?,
                Err(_) => again.store.rollback(),
            }
        }
        Ok(kept.looked.unwrap_or_default())
    }

    fn recording(&mut self, given: Vec<Recorded>, when: &[Stored], caused: &[Stored]) -> Result<Recording, Error> {
        let domains = self.domains.clone();
        let mut then = Vec::new();
        for event in when.iter().flat_map(|(_, events)| events) {
            then.extend(export::current(&domains, event)?);
        }
        let version = |event: &Recorded| {
            let aggregate = domains.aggregate(event.stream.aggregate())?;
            match aggregate.rules.known(&event.kind)? {
                Known::Event(rules) if event.schema < rules.schema => Some(event.schema),
                _ => None,
            }
        };
        let given = given.into_iter().map(|event| (version(&event), event)).map(|(v, event)| (event, v)).collect();
        let begins = begin(when);
        let all = when.iter().chain(caused.iter().filter(|stored| first(stored) > begins));
        let position = all.flat_map(|(_, events)| events).map(|event| event.position).max().unwrap_or_default();
        let Some((last, _)) = when.last() else { return Err(Misfit::new("there is no command").into()) };
        let last = self.replay(&last.stream, Some(Moment::Position(position)))?;
        Ok(Recording { given, when: when.iter().map(|(command, _)| command.clone()).collect(), then, last, position })
    }
}

/// The position of a command's first event.
fn first((_, events): &Stored) -> Option<Position> {
    events.first().map(|event| event.position)
}

/// Where commands begin that come again.
fn begin(when: &[Stored]) -> Option<Position> {
    when.first().and_then(first)
}

fn within_bounds(steps: usize) -> Result<(), Error> {
    if steps > MAX_STEPS {
        let misfit = Misfit::new(format!("this is more than the {MAX_STEPS} events and commands of a scenario"));
        return Err(misfit.hint("`--record @FROM..TO` takes the commands between two positions").into());
    }
    Ok(())
}

/// A stored command as it was sent.
fn request(command: &Command) -> (Request, Now) {
    let object = |text: &str| match json::parse(text) {
        Ok(Value::Object(members)) => members,
        _ => Object::new(),
    };
    let request = Request {
        stream: command.stream.clone(),
        command: command.name.to_string(),
        data: object(&command.data),
        id: None,
        expect: None,
        actor: command.actor.as_deref().map(str::to_owned),
        correlation: command.correlation.as_deref().map(str::to_owned),
        causation: command.causation.as_deref().map(str::to_owned),
        meta: command.meta.as_deref().map(object).unwrap_or_default(),
        time: None,
    };
    (request, Now { time: command.time, id: command.id.to_string() })
}
