//! Stored commands, decided again by other rules on the history they had.

use super::reach::command_meaning;
use super::states::Hand;
use super::{CommandDiffers, CommandsPlan, Difference, Each, Given, Opener, Outcome, Plan, Step};
use crate::domain::Domains;
use crate::event::{Command, NewEvent, Position, Recorded, StreamName, Version};
use crate::json::{self, Value};
use crate::script::fold::Known;
use crate::script::{Emission, State};
use crate::store::{EventFilter, Store, StoreError};
use crate::workbench::events::each_logged;
use crate::workbench::kept::{Held, Kept};
use crate::workbench::meta;
use crate::workbench::replay::{Folding, fold_event, fold_stream};
use crate::workbench::send::{Now, Request, Settled};
use crate::workbench::{Error, PAGE, Workbench};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

/// A stored command with its events.
struct Case {
    command: Arc<Command>,
    events: Vec<Recorded>,
}

/// What came of deciding a stored command again.
#[derive(Debug, PartialEq)]
enum Again {
    /// What is stored.
    Same,
    /// Something else.
    Other(Outcome),
    /// The stream cannot be folded up to it.
    Unfolded,
}

/// What one thread tells.
enum Said {
    At(Position),
    Found(Box<Difference>),
    Done(CommandsPlan),
}

impl Plan<'_> {
    /// Decides stored commands again, those that the change can reach.
    pub(super) fn commands(
        &mut self,
        head: Position,
        each: Each<'_>,
        progress: &mut dyn FnMut(Step<'_>),
    ) -> Result<CommandsPlan, Error> {
        let reached = self.reached_commands();
        if reached.is_empty() {
            return Ok(CommandsPlan::default());
        }
        let jobs = self.jobs(head);
        let (hand, open) = (self.hand(), self.open);
        let mut all = CommandsPlan::default();
        let mut found = Vec::new();
        thread::scope(|scope| {
            let (send, receive) = channel::<Result<Said, Error>>();
            for part in 0..jobs {
                let (send, hand, reached) = (send.clone(), &hand, &reached);
                scope.spawn(move || {
                    let say = |said| send.send(Ok(said)).is_ok();
                    let walk = || Walk::new(hand()?, open, reached, (part, jobs))?.go(open()?.as_mut(), head, &say);
                    if let Err(error) = walk() {
                        let _ = send.send(Err(error));
                    }
                });
            }
            drop(send);
            for said in receive {
                match said? {
                    Said::At(position) => progress(Step::Commands(position, head)),
                    Said::Found(difference) => found.push(*difference),
                    Said::Done(part) => all.add(&part),
                }
            }
            Ok::<_, Error>(())
        })?;
        found.sort_by_key(|difference| match difference {
            Difference::Command(differs) => differs.position,
            _ => Position(0),
        });
        let _ = found.into_iter().try_for_each(each);
        Ok(all)
    }

    /// Commands, by aggregate and name, whose outcome can be another. One that neither rules have is not among them.
    fn reached_commands(&self) -> BTreeSet<(Box<str>, Box<str>)> {
        let meanings = |domains: &Domains| -> HashMap<(Box<str>, Box<str>), Box<str>> {
            let of =
                domains.aggregates().flat_map(|of| of.commands.iter().map(move |(name, command)| (of, name, command)));
            of.map(|(of, name, command)| ((of.name.clone(), name.clone()), command_meaning(domains, of, command)))
                .collect()
        };
        let (old, new) = (meanings(self.old), meanings(self.new));
        old.into_iter().filter(|(key, meaning)| new.get(key) != Some(meaning)).map(|(key, _)| key).collect()
    }
}

impl CommandsPlan {
    fn add(&mut self, part: &Self) {
        self.decided += part.decided;
        self.same += part.same;
        self.uncompared += part.uncompared;
        self.rejected += part.rejected;
        self.other += part.other;
        self.fail += part.fail;
    }
}

/// One thread's way through the log: it decides the commands of its part of the streams.
struct Walk<'w> {
    old: Decider,
    new: Decider,
    reached: &'w BTreeSet<(Box<str>, Box<str>)>,
    part: (usize, usize),
    plan: CommandsPlan,
}

impl<'w> Walk<'w> {
    fn new(
        Hand { old, new, store }: Hand,
        open: Opener<'_>,
        reached: &'w BTreeSet<(Box<str>, Box<str>)>,
        part: (usize, usize),
    ) -> Result<Self, Error> {
        let (old, new) = (Decider::new(old, store), Decider::new(new, open()?));
        Ok(Self { old, new, reached, part, plan: CommandsPlan::default() })
    }

    fn go(mut self, log: &mut dyn Store, head: Position, say: &dyn Fn(Said) -> bool) -> Result<(), Error> {
        let mut open: Option<Case> = None;
        each_logged(log, (Position(0), head), true, &EventFilter::default(), |mut event| {
            let Some(command) = event.command.take() else { return Ok(ControlFlow::Continue(())) };
            let position = event.position;
            match &mut open {
                Some(case) if case.command.id == command.id => case.events.push(event),
                _ => {
                    let begun = Case { command, events: vec![event] };
                    if let Some(case) = open.replace(begun) {
                        self.look(&case, say)?;
                    }
                }
            }
            let goes_on = !position.0.is_multiple_of(PAGE as u64) || say(Said::At(position));
            Ok(if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        if let Some(case) = open {
            self.look(&case, say)?;
        }
        say(Said::Done(self.plan));
        Ok(())
    }

    /// Decides a command if it is to be, and goes on past its events.
    fn look(&mut self, case: &Case, say: &dyn Fn(Said) -> bool) -> Result<(), Error> {
        let Case { command, events } = case;
        let mine = part_of(command.stream.as_str(), self.part.1) == self.part.0;
        let key = (Box::from(command.stream.aggregate()), command.name.clone());
        if mine && !self.reached.contains(&key) {
            self.plan.same += 1;
        } else if mine {
            self.plan.decided += 1;
            let outcome = match self.new.decide(case)? {
                Again::Same => None,
                Again::Unfolded => {
                    self.plan.uncompared += 1;
                    None
                }
                // What is so by the present rules as well is not what the change does.
                Again::Other(outcome) => match self.old.decide(case)? {
                    Again::Other(before) if before == outcome => {
                        self.plan.uncompared += 1;
                        None
                    }
                    _ => Some(outcome),
                },
            };
            if let Some(outcome) = outcome {
                match &outcome {
                    Outcome::Rejected(_) => self.plan.rejected += 1,
                    Outcome::Events { .. } => self.plan.other += 1,
                    Outcome::Fails(_) => self.plan.fail += 1,
                }
                let differs = CommandDiffers {
                    id: command.id.clone(),
                    stream: command.stream.clone(),
                    command: command.name.clone(),
                    position: events[0].position,
                    outcome,
                };
                say(Said::Found(Box::new(Difference::Command(differs))));
            }
        }
        self.old.go_on(events);
        self.new.go_on(events);
        Ok(())
    }
}

/// One of the rules, with the states of streams as they are at some point of the log.
struct Decider {
    workbench: Workbench,
    kept: Kept,
    /// Streams whose state is copied before a decision, because one before came to something else.
    careful: HashSet<StreamName>,
    /// Streams that cannot be folded.
    unfolded: HashSet<StreamName>,
}

impl Decider {
    fn new(domains: Domains, store: Box<dyn Store>) -> Self {
        let workbench = Workbench::new(Rc::new(domains), store);
        Self { workbench, kept: Kept::default(), careful: HashSet::new(), unfolded: HashSet::new() }
    }

    /// Decides a command on the state it had.
    fn decide(&mut self, case: &Case) -> Result<Again, Error> {
        let Case { command, events } = case;
        let stream = &command.stream;
        if self.unfolded.contains(stream) {
            return Ok(Again::Unfolded);
        }
        let before = Position(events[0].position.0 - 1);
        let version = match events.iter().find(|event| event.stream == *stream) {
            Some(first) => Version(first.version.0 - 1),
            None => self.workbench.store.version_at(stream, before)?,
        };
        self.kept.until = Some(before);
        let domains = self.workbench.domains.clone();
        let Some(aggregate) = domains.aggregate(stream.aggregate()) else { return Ok(Again::Unfolded) };
        let state = match self.kept.take(stream, version, &aggregate.rules.state) {
            Some(held) => held.state,
            None => match fold_stream(&domains, aggregate, self.workbench.store.as_mut(), stream, version) {
                Ok(folding) => folding.state,
                Err(error @ Error::Store(_)) => return Err(error),
                Err(_) => {
                    self.unfolded.insert(stream.clone());
                    return Ok(Again::Unfolded);
                }
            },
        };
        let spare = self.careful.contains(stream).then(|| state.clone());
        self.kept.put(stream.clone(), held(state, version));
        let settled = request(command).and_then(|(request, now)| self.workbench.accept(request, &now));
        let settled = settled.and_then(|accepted| self.workbench.decide(&accepted, version, &mut self.kept));
        let again = match settled {
            Ok(Settled::Accepted(emission, _)) if Self::gave(&domains, events, &emission.events) => {
                self.keep(stream, emission);
                return Ok(Again::Same);
            }
            Ok(Settled::Accepted(emission, _)) => Again::Other(Outcome::Events {
                before: events.iter().map(|event| Self::stored(&domains, event)).collect(),
                after: emission.events.iter().map(given).collect(),
            }),
            Ok(Settled::Rejected(rejection)) => Again::Other(Outcome::Rejected(rejection)),
            Err(error @ Error::Store(_)) => return Err(error),
            Err(error) => Again::Other(Outcome::Fails(Box::new(error.into_diagnostic("plan")))),
        };
        match (self.kept.take(stream, version, &aggregate.rules.state), spare) {
            (Some(held), _) => self.kept.put(stream.clone(), held),
            (None, Some(state)) => self.kept.put(stream.clone(), held(state, version)),
            // It is gone with the decision, and folded again for the next.
            (None, None) => drop(self.careful.insert(stream.clone())),
        }
        Ok(again)
    }

    /// Keeps the states that a decision left behind.
    fn keep(&mut self, stream: &StreamName, emission: Emission) {
        let (state, version) = emission.own;
        self.kept.put(stream.clone(), held(state, version));
        for (stream, state, version) in emission.others {
            self.kept.put(stream, held(state, version));
        }
    }

    /// Folds stored events into the states that are kept, where they do not have them already.
    fn go_on(&mut self, events: &[Recorded]) {
        let domains = self.workbench.domains.clone();
        for event in events {
            let Some(aggregate) = domains.aggregate(event.stream.aggregate()) else { continue };
            let before = Version(event.version.0 - 1);
            let Some(Held { state, .. }) = self.kept.take_at(&event.stream, before, &aggregate.rules.state) else {
                continue;
            };
            let mut folding = Folding { state, version: before, position: Position(0), time: None };
            // Where it cannot be folded, that is found when the state is needed.
            if fold_event(&domains, aggregate, &mut folding, event).is_ok() {
                self.kept.put(event.stream.clone(), held(folding.state, folding.version));
            }
        }
    }

    /// Whether a decision gave what is stored.
    fn gave(domains: &Domains, stored: &[Recorded], given: &[NewEvent]) -> bool {
        let same = |(stored, given): (&Recorded, &NewEvent)| {
            stored.stream == given.stream
                && name_now(domains, stored) == Some(&*given.kind)
                && (stored.schema == given.schema && stored.data == given.data
                    || Self::stored(domains, stored).data.same(&data_of(&given.data)))
        };
        stored.len() == given.len() && stored.iter().zip(given).all(same)
    }

    /// A stored event as it is now.
    fn stored(domains: &Domains, event: &Recorded) -> Given {
        let aggregate = domains.aggregate(event.stream.aggregate());
        let known = aggregate.and_then(|aggregate| aggregate.rules.known(&event.kind));
        let now = match known {
            Some(Known::Event(rules)) if rules.schema > event.schema => {
                domains.upcast(rules, event.schema, &event.data, |kind| meta::of_event(event, kind, false)).ok()
            }
            _ => None,
        };
        Given {
            stream: event.stream.clone(),
            kind: name_now(domains, event).unwrap_or(&event.kind).into(),
            data: now.map_or_else(|| data_of(&event.data), Value::Object),
        }
    }
}

/// A state that is kept; nothing is stored, so that it is no matter which snapshots there are.
fn held(state: State, version: Version) -> Held {
    Held { state, version, snapshot: Version(0) }
}

fn name_now<'d>(domains: &'d Domains, event: &Recorded) -> Option<&'d str> {
    match domains.aggregate(event.stream.aggregate())?.rules.known(&event.kind)? {
        Known::Event(rules) => Some(&rules.name),
        Known::Retired => None,
    }
}

fn given(event: &NewEvent) -> Given {
    Given { stream: event.stream.clone(), kind: (&*event.kind).into(), data: data_of(&event.data) }
}

fn data_of(text: &str) -> Value {
    json::parse(text).unwrap_or_default()
}

/// Which of so many parts a stream belongs to.
fn part_of(stream: &str, parts: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    stream.hash(&mut hasher);
    usize::try_from(hasher.finish() % parts as u64).unwrap_or(0)
}

/// A stored command as it was sent.
fn request(command: &Command) -> Result<(Request, Now), Error> {
    let Ok(Value::Object(data)) = json::parse(&command.data) else {
        return Err(StoreError::Damaged(format!("the payload of command `{}` cannot be read", command.id)).into());
    };
    let origin = meta::Origin::of(command);
    let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    let request = Request {
        stream: command.stream.clone(),
        command: command.name.to_string(),
        data,
        id: Some(command.id.to_string()),
        expect: None,
        actor: text(&command.actor),
        correlation: text(&command.correlation),
        causation: text(&command.causation),
        meta: origin.custom,
        time: Some(command.time),
    };
    Ok((request, Now { time: command.time, id: command.id.to_string() }))
}
