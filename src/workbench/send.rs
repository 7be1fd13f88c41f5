//! Sending: a command is decided on the state it is stored on, and its events are stored, all of them or none.

use super::kept::{Held, Kept};
use super::meta::{self, Origin, RESERVED};
use super::replay::{Folding, fold_on};
use super::{Error, Misfit, Workbench, aggregate_of, snapshot};
use crate::domain::fields::Fields;
use crate::domain::{Aggregate, CommandRules, Domains};
use crate::event::{
    Command, Expect, Hash, MAX_LABEL_BYTES, MAX_PAYLOAD_BYTES, NewEvent, Position, Recorded, StreamName, Time, Version,
    is_control,
};
use crate::json::{self, Object, Value};
use crate::script::decide::{Case, Decided};
use crate::script::fold::Payload;
use crate::script::{Emission, Rejection};
use crate::store::{Decision, StoredCommand};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// The most streams that one decision may look at beside its own.
const MAX_LOADS: usize = 1000;
/// A command on its way in, as the user gave it.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Where it goes.
    pub stream: StreamName,
    /// Its name.
    pub command: String,
    /// Its payload, not yet checked.
    pub data: Object,
    /// Its id, where the user names one.
    pub id: Option<String>,
    /// What the stream must be like.
    pub expect: Option<Expect>,
    /// Who sends it.
    pub actor: Option<String>,
    /// The conversation it belongs to.
    pub correlation: Option<String>,
    /// What it follows from.
    pub causation: Option<String>,
    /// Whatever else is to be kept with it.
    pub meta: Object,
    /// When it is sent, where that is not now.
    pub time: Option<Time>,
}

/// What the edge knows: the time now, and a fresh id for a command that names none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Now {
    /// The one reading of the clock.
    pub time: Time,
    /// A new id.
    pub id: String,
}

/// What came of a command. A rejection is a result, not an error.
#[derive(Debug, Clone, PartialEq)]
pub enum Sent {
    /// Its events are stored.
    Accepted(Receipt),
    /// The domain said no; nothing is stored.
    Rejected(Refusal),
}

/// Says that a command's events are stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Receipt {
    /// Where it went.
    pub stream: StreamName,
    /// Its name.
    pub command: String,
    /// Its id.
    pub id: String,
    /// Version of its stream after it.
    pub version: Version,
    /// Position of its last event; that of the store's last event where it gave none.
    pub position: Position,
    /// What it gave, perhaps nothing.
    pub events: Vec<Recorded>,
    /// The hash of the event at `position`.
    pub head: Hash,
    /// It was stored before: this is the first receipt again.
    pub duplicate: bool,
    /// The time its events bear, where that is later than the one given: time does not go backwards in a store.
    pub raised: Option<Time>,
}

/// Says that the domain refused a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// Where it went.
    pub stream: StreamName,
    /// Its name.
    pub command: String,
    /// Its id, which is free again.
    pub id: String,
    /// Why.
    pub rejection: Rejection,
    /// Version of the stream it was decided on.
    pub version: Version,
    /// Position of the store's last event then.
    pub position: Position,
    /// Its hash.
    pub head: Hash,
}

/// A request that fits: names known, payload typed.
pub(super) struct Accepted {
    pub(super) stream: StreamName,
    name: String,
    id: String,
    /// The id was made for this command: nobody can have used it before.
    fresh: bool,
    data: Object,
    text: Box<str>,
    expect: Option<Expect>,
    actor: Option<Box<str>>,
    correlation: Option<Box<str>>,
    causation: Option<Box<str>>,
    custom: Object,
    time: Time,
}

impl Accepted {
    /// The command as it is stored, decided by the domain with that digest.
    pub(super) fn command(&self, domain: &str) -> Command {
        Command {
            id: self.id.as_str().into(),
            stream: self.stream.clone(),
            name: self.name.as_str().into(),
            data: self.text.clone(),
            actor: self.actor.clone(),
            correlation: self.correlation.clone(),
            causation: self.causation.clone(),
            meta: (!self.custom.is_empty()).then(|| Value::Object(self.custom.clone()).to_string().into()),
            time: self.time,
            domain: domain.into(),
        }
    }
}

/// What a decision came to, before anything is stored.
pub(super) enum Settled {
    Accepted(Emission, Snapshots),
    Rejected(Rejection),
}

/// The versions of the latest snapshots of the streams that a decision saw; 0 where there is none.
#[derive(Default)]
pub(super) struct Snapshots {
    own: Version,
    others: HashMap<StreamName, Version>,
}

impl Workbench {
    /// Decides a command and stores what it gives.
    pub fn send(&mut self, request: Request, now: &Now) -> Result<Sent, Error> {
        let accepted = self.accept(request, now)?;
        let inline = self.begin_sending(now.time)?;
        match self.send_in_turn(accepted, &mut Kept::with(inline)) {
            Ok(sent) => {
                match &sent {
                    Sent::Accepted(receipt) if !receipt.duplicate && !receipt.events.is_empty() => {
                        self.store.commit()?;
                    }
                    _ => self.store.rollback(),
                }
                Ok(sent)
            }
            Err(error) => {
                self.store.rollback();
                Err(error)
            }
        }
    }

    /// Whether the store holds events, but none that these rules of the stream's domain decided.
    pub fn rules_are_new(&mut self, stream: &StreamName) -> Result<bool, Error> {
        let domains = self.domains.clone();
        let file = &domains.files()[aggregate_of(&domains, stream)?.file];
        Ok(self.store.head()?.position > Position(0) && !self.store.knows_domain(&file.digest)?)
    }

    /// The fields of a command, by which the words of a command line are read.
    pub fn command_fields(&self, stream: &StreamName, command: &str) -> Result<Rc<Fields>, Error> {
        let aggregate = aggregate_of(&self.domains, stream)?;
        Ok(command_of(aggregate, command)?.fields.clone())
    }

    /// Whether a request is understood: names known, payload typed. No store is asked.
    pub fn understands(&self, request: &Request, now: &Now) -> Result<(), Error> {
        self.accept(request.clone(), now).map(|_| ())
    }

    /// Checks and types a request; nothing is read from the store.
    pub(super) fn accept(&self, request: Request, now: &Now) -> Result<Accepted, Error> {
        let aggregate = aggregate_of(&self.domains, &request.stream)?;
        let command = command_of(aggregate, &request.command)?;
        let data = command.fields.accept(request.data).map_err(|problems| {
            let mut misfit = Misfit::new(format!("the payload of `{}` does not fit", request.command));
            let several = problems.len() > 1;
            for problem in problems {
                let named = |hint| {
                    if several { format!("`{}`: {hint}", problem.pointer.trim_start_matches('/')) } else { hint }
                };
                misfit.hints.extend(problem.hint.map(named));
                misfit.details.push((problem.pointer, problem.message));
            }
            misfit
        })?;
        let mut text = String::with_capacity(64);
        json::write(&Value::Object(data.clone()), &mut text);
        if text.len() > MAX_PAYLOAD_BYTES {
            let message = format!("the payload has {} bytes, a command has at most {MAX_PAYLOAD_BYTES}", text.len());
            return Err(Misfit::new(message).into());
        }
        if let Some(reserved) = request.meta.keys().find(|key| RESERVED.contains(&key.as_str())) {
            let misfit = Misfit::new(format!("`{reserved}` has a meaning of its own and cannot be given as meta data"));
            return Err(misfit.into());
        }
        let fresh = request.id.is_none();
        let id = request.id.unwrap_or_else(|| now.id.clone());
        Ok(Accepted {
            stream: request.stream,
            name: request.command,
            id: label("id", id)?,
            fresh,
            data,
            text: text.into(),
            expect: request.expect,
            actor: request.actor.map(|actor| label("actor", actor)).transpose()?.map(Into::into),
            correlation: request.correlation.map(|text| label("correlation", text)).transpose()?.map(Into::into),
            causation: request.causation.map(|text| label("causation", text)).transpose()?.map(Into::into),
            custom: request.meta,
            time: request.time.unwrap_or(now.time),
        })
    }

    /// Decides and appends within a turn; the caller ends it.
    pub(super) fn send_in_turn(&mut self, mut accepted: Accepted, kept: &mut Kept) -> Result<Sent, Error> {
        if let Some(sent) = self.sent_before(&accepted)? {
            return Ok(sent);
        }
        let version = self.store.version(&accepted.stream)?;
        expected(&accepted, version)?;
        let raised = self.raise(&mut accepted)?;
        let (emission, snapshots) = match self.decide(&accepted, version, kept)? {
            Settled::Rejected(rejection) => return Ok(Sent::Rejected(self.refusal(&accepted, rejection, version)?)),
            Settled::Accepted(emission, snapshots) => (emission, snapshots),
        };
        let Emission { events, own: (state, own_version), others } = emission;
        let own = Held { state, version: own_version, snapshot: snapshots.own };
        if events.is_empty() {
            let head = self.store.head()?;
            kept.put(accepted.stream.clone(), own);
            return Ok(Sent::Accepted(receipt(&accepted, version, head.position, Vec::new(), head.hash, raised)));
        }
        let domains = self.domains.clone();
        let aggregate = aggregate_of(&domains, &accepted.stream)?;
        let file = &domains.files()[aggregate.file];
        let command = accepted.command(&file.digest);
        let inline = self.project_inline(&command, &events, &mut kept.inline)?;
        let decision = Decision { command: &command, domain_text: &file.source.text, events: &events };
        let appended = self.store.append(&decision)?;
        self.write_inline(inline, &mut kept.inline)?;
        let own = (accepted.stream.clone(), own);
        let others = others.into_iter().map(|(stream, state, version)| {
            let snapshot = snapshots.others.get(&stream).copied().unwrap_or_default();
            (stream, Held { state, version, snapshot })
        });
        for (stream, mut held) in std::iter::once(own).chain(others) {
            snapshot::keep(&domains, self.store.as_mut(), &stream, &mut held)?;
            kept.put(stream, held);
        }
        let events: Vec<Recorded> = events
            .into_iter()
            .zip(&appended.versions)
            .enumerate()
            .map(|(index, (event, version))| {
                recorded(event, Position(appended.first.0 + index as u64), *version, accepted.time)
            })
            .collect();
        let position = events.last().map_or(appended.first, |event| event.position);
        Ok(Sent::Accepted(receipt(&accepted, own_version, position, events, appended.head, raised)))
    }

    /// The first receipt of a command that was stored before.
    pub(super) fn sent_before(&mut self, accepted: &Accepted) -> Result<Option<Sent>, Error> {
        if accepted.fresh {
            return Ok(None);
        }
        let Some(stored) = self.store.command(&accepted.id)? else { return Ok(None) };
        if let Some(difference) = difference(accepted, &stored) {
            return Err(Error::IdReused { id: accepted.id.clone(), difference });
        }
        let own = stored.events.iter().rev().find(|event| event.stream == accepted.stream);
        let version = match own {
            Some(event) => event.version,
            None => {
                let first = stored.events.first().map_or(Position(0), |event| event.position);
                self.store.version_at(&accepted.stream, first)?
            }
        };
        let position = stored.events.last().map_or(Position(0), |event| event.position);
        let raised = None;
        let mut receipt = receipt(accepted, version, position, stored.events, stored.head, raised);
        receipt.duplicate = true;
        Ok(Some(Sent::Accepted(receipt)))
    }

    /// Time does not go backwards: a time before the store's last is raised to it. Says so.
    pub(super) fn raise(&mut self, accepted: &mut Accepted) -> Result<Option<Time>, Error> {
        match self.store.head()?.time {
            Some(last) if last > accepted.time => {
                accepted.time = last;
                Ok(Some(last))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn refusal(
        &mut self,
        accepted: &Accepted,
        rejection: Rejection,
        version: Version,
    ) -> Result<Refusal, Error> {
        let head = self.store.head()?;
        Ok(Refusal {
            stream: accepted.stream.clone(),
            command: accepted.name.clone(),
            id: accepted.id.clone(),
            rejection,
            version,
            position: head.position,
            head: head.hash,
        })
    }

    /// Runs the decision; streams it asks for are read and it is run again, with all it asked for so far.
    pub(super) fn decide(&mut self, accepted: &Accepted, version: Version, kept: &mut Kept) -> Result<Settled, Error> {
        let domains = self.domains.clone();
        let aggregate = aggregate_of(&domains, &accepted.stream)?;
        let command = command_of(aggregate, &accepted.name)?;
        let origin = Rc::new(Origin {
            actor: accepted.actor.clone(),
            correlation: accepted.correlation.clone(),
            causation: accepted.causation.clone(),
            custom: accepted.custom.clone(),
            time: accepted.time,
        });
        let Held { state, snapshot, .. } = self.state_at(&domains, aggregate, &accepted.stream, version, kept)?;
        let mut snapshots = Snapshots { own: snapshot, others: HashMap::new() };
        let mut state = Some(state);
        let mut asked: Vec<(StreamName, Version)> = Vec::new();
        loop {
            let own = match state.take() {
                Some(state) => state,
                None => self.state_at(&domains, aggregate, &accepted.stream, version, &mut Kept::default())?.state,
            };
            let mut others = Vec::with_capacity(asked.len());
            for (stream, version) in &asked {
                let of = aggregate_of(&domains, stream)?;
                let held = self.state_at(&domains, of, stream, *version, kept)?;
                snapshots.others.insert(stream.clone(), held.snapshot);
                others.push((stream.clone(), held.state, *version));
            }
            let (meta_origin, event_origin) = (origin.clone(), origin.clone());
            let case = Case {
                stream: &accepted.stream,
                state: own,
                version,
                command: Payload::new(accepted.data.clone(), &command.shape),
                id: &accepted.id,
                meta: &|| {
                    meta::meta(&accepted.stream, &accepted.name, version, None, Some(&meta_origin), meta_origin.time)
                },
                event_meta: Rc::new(move |stream: &StreamName, kind: &str, version: Version| {
                    meta::meta(stream, kind, version, None, Some(&event_origin), event_origin.time)
                }),
                others,
            };
            let decided = domains.host.decide(domains.rules(), &command.decide, case).map_err(|fault| {
                fault.while_doing(|| {
                    format!("while deciding `{}` on `{}` at version {version}", accepted.name, accepted.stream)
                })
            })?;
            match decided {
                Decided::Accepted(emission) => return Ok(Settled::Accepted(emission, snapshots)),
                Decided::Rejected(rejection, untouched) => {
                    if let Some(state) = untouched {
                        kept.put(accepted.stream.clone(), Held { state, version, snapshot: snapshots.own });
                    }
                    return Ok(Settled::Rejected(rejection));
                }
                Decided::Needs(stream, untouched) => {
                    if asked.len() >= MAX_LOADS {
                        let message = format!("`{}` looks at more than {MAX_LOADS} streams", accepted.name);
                        return Err(Misfit::new(message).into());
                    }
                    state = untouched;
                    let version = match kept.until {
                        Some(position) => self.store.version_at(&stream, position)?,
                        None => self.store.version(&stream)?,
                    };
                    if let Some(looked) = &mut kept.looked {
                        looked.insert(stream.clone());
                    }
                    asked.push((stream, version));
                }
            }
        }
    }

    /// A stream's state at its version: kept from the last command, or folded.
    fn state_at(
        &mut self,
        domains: &Domains,
        aggregate: &Aggregate,
        stream: &StreamName,
        version: Version,
        kept: &mut Kept,
    ) -> Result<Held, Error> {
        if let Some(held) = kept.take(stream, version, &aggregate.rules.state) {
            return Ok(held);
        }
        let (Folding { state, .. }, snapshot) = fold_on(domains, aggregate, self.store.as_mut(), stream, version)?;
        Ok(Held { state, version, snapshot })
    }
}

pub(super) fn expected(accepted: &Accepted, actual: Version) -> Result<(), Error> {
    match accepted.expect {
        Some(expected) if !expected.holds(actual) => {
            Err(Error::Conflict { stream: accepted.stream.clone(), expected, actual })
        }
        _ => Ok(()),
    }
}

fn command_of<'a>(aggregate: &'a Aggregate, name: &str) -> Result<&'a CommandRules, Misfit> {
    aggregate.commands.get(name).ok_or_else(|| {
        let misfit = Misfit::new(format!("`{}` has no command `{name}`", aggregate.name));
        match aggregate.command_like(name) {
            Some(near) => misfit.hint(format!("did you mean `{near}`?")),
            None => {
                let all: Vec<String> = aggregate.commands.keys().map(|name| format!("`{name}`")).collect();
                misfit.hint(format!("it has {}", all.join(", ")))
            }
        }
    })
}

/// An id, an actor and the like: not empty, not too long, no control characters.
fn label(what: &str, text: String) -> Result<String, Misfit> {
    if text.is_empty() || text.len() > MAX_LABEL_BYTES {
        return Err(Misfit::new(format!("`{what}` has 1 to {MAX_LABEL_BYTES} bytes, this one has {}", text.len())));
    }
    match text.chars().find(|c| is_control(*c)) {
        Some(control) => {
            Err(Misfit::new(format!("`{what}` has no control characters, this one has U+{:04X}", u32::from(control))))
        }
        None => Ok(text),
    }
}

/// How a command differs from the one that was stored under its id. Time, actor and the like do not count.
fn difference(accepted: &Accepted, stored: &StoredCommand) -> Option<String> {
    if stored.command.stream != accepted.stream {
        return Some(format!("it was sent to `{}`", stored.command.stream));
    }
    if *stored.command.name != *accepted.name {
        return Some(format!("it was the command `{}`", stored.command.name));
    }
    if stored.command.data == accepted.text {
        return None;
    }
    let same = json::parse(&stored.command.data).is_ok_and(|data| data.same(&Value::Object(accepted.data.clone())));
    (!same).then(|| "its payload was another".to_owned())
}

fn recorded(event: NewEvent, position: Position, version: Version, time: Time) -> Recorded {
    Recorded {
        position,
        stream: event.stream,
        version,
        kind: Arc::clone(&event.kind),
        schema: event.schema,
        data: event.data,
        time,
        command: None,
    }
}

pub(super) fn receipt(
    accepted: &Accepted,
    version: Version,
    position: Position,
    events: Vec<Recorded>,
    head: Hash,
    raised: Option<Time>,
) -> Receipt {
    Receipt {
        stream: accepted.stream.clone(),
        command: accepted.name.clone(),
        id: accepted.id.clone(),
        version,
        position,
        events,
        head,
        duplicate: false,
        raised,
    }
}
