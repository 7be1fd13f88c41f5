//! Tracing: what a command follows from, and what follows from it.

use super::events::each_logged;
use super::{Error, Misfit, PAGE, Workbench, process};
use crate::event::{Command, Position, Recorded, StreamName};
use crate::json::{self, Value};
use crate::script::Rejection;
use crate::store::{EventFilter, Rejected};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// A command with its events, and the commands that name it, or one of them, as their cause.
#[derive(Debug, Clone, PartialEq)]
pub struct Traced {
    /// The command.
    pub command: Arc<Command>,
    /// Its events in order, without the command in each.
    pub events: Vec<Recorded>,
    /// Why it was rejected: commands that processes send are known also where they were.
    pub rejected: Option<Rejection>,
    /// What follows from it, in the order in which it was stored, each with the position that it names as its cause; `None`
    /// where it names the command.
    pub follows: Vec<(Option<Position>, Traced)>,
}

/// A tree of causes and effects.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// What everything follows from, as far as the store knows.
    pub root: Traced,
    /// The id of the command that was asked for.
    pub asked: Box<str>,
    /// What the root names as its cause, where the store has nothing of that name.
    pub beyond: Option<Box<str>>,
}

impl Drop for Trace {
    /// Command by command: the tree may be deeper than what goes from each to those below it.
    fn drop(&mut self) {
        let mut left = std::mem::take(&mut self.root.follows);
        while let Some((_, mut traced)) = left.pop() {
            left.append(&mut traced.follows);
        }
    }
}

/// A command that follows from the root; these are in the order of the log.
struct Effect {
    command: Arc<Command>,
    events: Vec<Recorded>,
    rejected: Option<Rejection>,
    /// The place of the one it follows from, and the position of its event, if it names that.
    parent: Option<(usize, Option<Position>)>,
}

/// Rejected commands, by what they name as their cause.
type Refusals = HashMap<Box<str>, Vec<(Arc<Command>, Rejection)>>;

/// A rejected command of a process, as its history tells it.
fn refused(rejected: &Rejected) -> Option<(Arc<Command>, Rejection)> {
    let step = &rejected.step;
    let (stream, name) = step.name.as_deref()?.rsplit_once(' ')?;
    let Ok(Value::Object(told)) = json::parse(step.data.as_deref()?) else { return None };
    let text = |key: &str| match told.get(key) {
        Some(Value::Text(text)) => text.as_str().into(),
        _ => Box::default(),
    };
    let command = Command {
        id: step.command.clone()?,
        stream: StreamName::new(stream).ok()?,
        name: name.into(),
        data: told.get("data").map_or_else(|| "{}".to_owned(), ToString::to_string).into(),
        actor: Some(process::actor(&rejected.process).into()),
        correlation: None,
        causation: step.causation.clone(),
        meta: None,
        time: step.time,
        domain: Box::default(),
    };
    let rejection = Rejection { code: text("code"), message: text("message"), details: told.get("details").cloned() };
    Some((Arc::new(command), rejection))
}

/// Puts rejected commands below their cause, and below each what was rejected on its account.
fn follow(
    refusals: &mut Refusals,
    found: &mut Vec<Effect>,
    by_id: &mut HashMap<Box<str>, usize>,
    cause: &str,
    parent: (usize, Option<Position>),
) {
    let mut left = vec![(Box::from(cause), parent)];
    while let Some((cause, parent)) = left.pop() {
        for (command, rejection) in refusals.remove(&cause).unwrap_or_default() {
            // Tried again and rejected again, it is one command.
            if let Some(before) = by_id.get(&command.id).and_then(|place| found.get_mut(*place)) {
                before.rejected = Some(rejection);
                continue;
            }
            let place = found.len();
            by_id.insert(command.id.clone(), place);
            left.push((command.id.clone(), (place, None)));
            let rejected = Some(rejection);
            found.push(Effect { command, events: Vec::new(), rejected, parent: Some(parent) });
        }
    }
}

/// What a command names as its cause.
enum Cause {
    Event(Position),
    Command(Box<str>),
}

fn cause(text: &str) -> Cause {
    match text.strip_prefix('@').and_then(|digits| digits.parse().ok()) {
        Some(position) => Cause::Event(Position(position)),
        None => Cause::Command(text.into()),
    }
}

impl Workbench {
    /// Goes from a command, by its id, or from an event, by its position, to what it follows from in the end, and from there
    /// to all that follows. Reads the log once from there on.
    pub fn trace(&mut self, what: &str) -> Result<Trace, Error> {
        let asked = match cause(what) {
            Cause::Event(position) => {
                self.within_store(position)?;
                self.command_at(position)?
            }
            Cause::Command(id) => self.command_named(&id)?,
        };
        let Some(asked) = asked else {
            let misfit = Misfit::new(format!("there is no command `{what}`"));
            return Err(misfit.hint("`esctl trace @17` begins with the event at position 17").into());
        };
        let mut root = asked.clone();
        let mut at = self.stored_at(&root)?;
        let mut beyond = None;
        while let Some(text) = root.causation.clone() {
            let before = match cause(&text) {
                Cause::Event(position) => self.command_at(position)?,
                Cause::Command(id) => self.command_named(&id)?,
            };
            let Some(before) = before else {
                beyond = Some(text);
                break;
            };
            // A cause comes before its effect, whatever the command says of itself.
            let earlier = self.stored_at(&before)?;
            if earlier.is_some() && at.is_some() && earlier >= at {
                break;
            }
            (root, at) = (before, earlier);
        }
        let root = self.effects(&root, at.unwrap_or_default())?;
        Ok(Trace { root, asked: asked.id.clone(), beyond })
    }

    /// The command of the event at a position.
    fn command_at(&mut self, position: Position) -> Result<Option<Arc<Command>>, Error> {
        Ok(self.event_at(position)?.and_then(|event| event.command))
    }

    /// The command of that id: stored, or sent by a process and rejected.
    fn command_named(&mut self, id: &str) -> Result<Option<Arc<Command>>, Error> {
        if let Some(stored) = self.store.command(id)? {
            return Ok(Some(stored.command));
        }
        Ok(self.store.rejection(id)?.and_then(|rejected| refused(&rejected)).map(|(command, _)| command))
    }

    /// The position of a command's first event; `None` where it has none.
    fn stored_at(&mut self, command: &Command) -> Result<Option<Position>, Error> {
        let stored = self.store.command(&command.id)?;
        Ok(stored.and_then(|stored| stored.events.first().map(|event| event.position)))
    }

    /// Commands of processes that were rejected, by what they name as their cause.
    fn refusals(&mut self) -> Result<Refusals, Error> {
        let mut found = Refusals::new();
        let mut after = 0;
        loop {
            let page = self.store.rejections(after, PAGE)?;
            let whole = page.len() == PAGE;
            for rejected in page {
                after = rejected.number;
                if let Some(refused) = refused(&rejected) {
                    found.entry(refused.0.causation.clone().unwrap_or_default()).or_default().push(refused);
                }
            }
            if !whole {
                return Ok(found);
            }
        }
    }

    /// All that follows from a command, directly or not, whose first event is at a position.
    fn effects(&mut self, root: &Command, first: Position) -> Result<Traced, Error> {
        let (before, end) = (Position(first.0.saturating_sub(1)), self.store.head()?.position);
        let mut refusals = self.refusals()?;
        let mut found: Vec<Effect> = Vec::new();
        let mut by_id: HashMap<Box<str>, usize> = HashMap::new();
        let mut by_position: HashMap<Position, usize> = HashMap::new();
        each_logged(self.store.as_mut(), (before, end), true, &EventFilter::default(), |mut event| {
            let Some(command) = event.command.take() else { return Ok(ControlFlow::Continue(())) };
            let place = match by_id.get(&command.id) {
                Some(place) => *place,
                None => {
                    let parent = match command.causation.as_deref().map(cause) {
                        Some(Cause::Event(position)) => {
                            by_position.get(&position).map(|place| (*place, Some(position)))
                        }
                        Some(Cause::Command(id)) => by_id.get(&id).map(|place| (*place, None)),
                        None => None,
                    };
                    if parent.is_none() && command.id != root.id {
                        return Ok(ControlFlow::Continue(()));
                    }
                    let place = found.len();
                    by_id.insert(command.id.clone(), place);
                    let parent = parent.filter(|_| command.id != root.id);
                    let id = command.id.clone();
                    found.push(Effect { command, events: Vec::new(), rejected: None, parent });
                    follow(&mut refusals, &mut found, &mut by_id, &id, (place, None));
                    place
                }
            };
            let position = event.position;
            by_position.insert(position, place);
            // Tried again it was accepted.
            found[place].rejected = None;
            found[place].events.push(event);
            follow(&mut refusals, &mut found, &mut by_id, &format!("@{position}"), (place, Some(position)));
            Ok(ControlFlow::Continue(()))
        })?;
        let mut all: Vec<Option<Traced>> = Vec::with_capacity(found.len());
        let mut parents = Vec::with_capacity(found.len());
        for Effect { command, events, rejected, parent } in found {
            all.push(Some(Traced { command, events, rejected, follows: Vec::new() }));
            parents.push(parent);
        }
        // From the last on: what follows from a command stands after it.
        for place in (1..all.len()).rev() {
            if let (Some((parent, position)), Some(traced)) = (parents[place], all[place].take())
                && let Some(Some(before)) = all.get_mut(parent)
            {
                before.follows.insert(0, (position, traced));
            }
        }
        match all.into_iter().next().flatten() {
            Some(root) => Ok(root),
            None => Err(Misfit::new(format!("the command `{}` has no events", root.id)).into()),
        }
    }
}
