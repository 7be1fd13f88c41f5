//! A dry run: what a command would give if it were sent, and what would follow from that. Nothing is written.

use super::change::changes;
use super::kept::Kept;
use super::process::Foreseen;
use super::project::preview::Preview;
use super::replay::{Folding, fold_stream, state_value};
use super::send::{Accepted, Now, Request, Sent, Settled, expected, receipt};
use super::{Change, Error, Workbench, aggregate_of};
use crate::domain::{Aggregate, Domains};
use crate::event::{Command, NewEvent, Position, Recorded, StreamName, Version};
use crate::json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// What a command would give, if it were sent.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsal {
    /// As if it had been sent: positions are those its events would get now.
    pub sent: Sent,
    /// What would change in the state of its stream.
    pub changes: Vec<Change>,
    /// The state of its stream after it.
    pub state: Value,
    /// What would change in read models: those that its events are about, by name.
    pub projections: Vec<Preview>,
    /// What processes would send when they are given its events. What follows from that is not looked at.
    pub processes: Vec<Foreseen>,
}

impl Workbench {
    /// Decides a command and stores nothing.
    pub fn rehearse(&mut self, request: Request, now: &Now) -> Result<Rehearsal, Error> {
        let mut accepted = self.accept(request, now)?;
        let domains = self.domains.clone();
        let aggregate = aggregate_of(&domains, &accepted.stream)?;
        let (version, before) = self.state_before(&domains, aggregate, &accepted)?;
        let unchanged = |sent, state| Rehearsal {
            sent,
            changes: Vec::new(),
            state,
            projections: Vec::new(),
            processes: Vec::new(),
        };
        if let Some(sent) = self.sent_before(&accepted)? {
            return Ok(unchanged(sent, before));
        }
        expected(&accepted, version)?;
        let raised = self.raise(&mut accepted)?;
        let emission = match self.decide(&accepted, version, &mut Kept::default())? {
            Settled::Rejected(rejection) => {
                return Ok(unchanged(Sent::Rejected(self.refusal(&accepted, rejection, version)?), before));
            }
            Settled::Accepted(emission, _) => emission,
        };
        let head = self.store.head()?;
        let own = Folding { state: emission.own.0, version: emission.own.1, position: head.position, time: None };
        let state = state_value(aggregate, &accepted.stream, &own)?;
        let command = accepted.command(&domains.files()[aggregate.file].digest);
        let mut events = self.placed(&command, &emission.events)?;
        let projections = self.preview(&events)?;
        let processes = self.foresee(&events)?;
        for event in &mut events {
            event.command = None;
        }
        let position = events.last().map_or(head.position, |event| event.position);
        let sent = Sent::Accepted(receipt(&accepted, own.version, position, events, head.hash, raised));
        Ok(Rehearsal { sent, changes: changes(&before, &state), state, projections, processes })
    }

    fn state_before(
        &mut self,
        domains: &Domains,
        aggregate: &Aggregate,
        accepted: &Accepted,
    ) -> Result<(Version, Value), Error> {
        let version = self.store.version(&accepted.stream)?;
        let folding = fold_stream(domains, aggregate, self.store.as_mut(), &accepted.stream, version)?;
        Ok((version, state_value(aggregate, &accepted.stream, &folding)?))
    }

    /// Events of a command as they are when they are appended next, with the command.
    pub(super) fn placed(&mut self, command: &Command, events: &[NewEvent]) -> Result<Vec<Recorded>, Error> {
        let head = self.store.head()?.position;
        let command = Arc::new(command.clone());
        let mut versions: HashMap<&StreamName, Version> = HashMap::new();
        let mut placed = Vec::with_capacity(events.len());
        for (position, event) in (head.0 + 1..).map(Position).zip(events) {
            let before = match versions.get(&event.stream) {
                Some(version) => *version,
                None => self.store.version(&event.stream)?,
            };
            versions.insert(&event.stream, before.next());
            placed.push(Recorded {
                position,
                stream: event.stream.clone(),
                version: before.next(),
                kind: Arc::clone(&event.kind),
                schema: event.schema,
                data: event.data.clone(),
                time: command.time,
                command: Some(Arc::clone(&command)),
            });
        }
        Ok(placed)
    }
}
