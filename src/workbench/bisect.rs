//! Bisecting: since when a condition holds on a stream's state.

use super::change::changes;
use super::replay::{Folding, fold_each, fold_stream, state_value};
use super::{Change, Error, Workbench, aggregate_of};
use crate::diagnostic::Diagnostic;
use crate::domain::{Aggregate, Domains};
use crate::event::{Recorded, StreamName, Version};
use crate::json::Value;
use crate::script::Script;
use std::ops::ControlFlow;

/// Where a condition became true, or changed last.
#[derive(Debug, Clone, PartialEq)]
pub struct Turn {
    /// The version from which on it is so; 0 where it is so before the first event.
    pub version: Version,
    /// Whether the condition holds from there on.
    pub holds: bool,
    /// The event that made it so, with its command.
    pub event: Option<Recorded>,
    /// What that event changed in the state.
    pub changes: Vec<Change>,
    /// The state then.
    pub state: Value,
}

/// Which turn is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The first version after which the condition holds.
    First,
    /// The last version at which it began or ceased to hold.
    Last,
}

impl Workbench {
    /// A condition on the states of a stream's aggregate; the inner error is every problem with its text.
    pub fn condition(&self, stream: &StreamName, text: &str) -> Result<Result<Script, Vec<Diagnostic>>, Error> {
        Ok(self.domains.condition(aggregate_of(&self.domains, stream)?, text))
    }

    /// Asks for a condition on `state` and `version` after each event of a stream; `None` where there is no such turn: it
    /// never holds, or it never changed.
    pub fn bisect(&mut self, stream: &StreamName, condition: &Script, wanted: Wanted) -> Result<Option<Turn>, Error> {
        let domains = self.domains.clone();
        let aggregate = aggregate_of(&domains, stream)?;
        let until = self.version_at(stream, None)?;
        let mut folding = Folding::new(aggregate);
        let mut held = holds(&domains, condition, &mut folding, stream)?;
        if held && wanted == Wanted::First {
            let state = state_value(aggregate, stream, &folding)?;
            return Ok(Some(Turn { version: Version(0), holds: true, event: None, changes: Vec::new(), state }));
        }
        let mut found = None;
        let (rules, commands) = ((&*domains, aggregate), aggregate.folds_read_commands());
        fold_each(rules, self.store.as_mut(), stream, &mut folding, until, commands, |folding, event| {
            let holds = holds(&domains, condition, folding, stream)?;
            if holds == held {
                return Ok(ControlFlow::Continue(()));
            }
            held = holds;
            found = Some((event.version, holds));
            let done = holds && wanted == Wanted::First;
            Ok(if done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        let found = found.filter(|(_, holds)| *holds || wanted == Wanted::Last);
        found.map(|(version, holds)| self.turn(&domains, aggregate, stream, version, holds)).transpose()
    }

    /// What the event of a version did.
    fn turn(
        &mut self,
        domains: &Domains,
        aggregate: &Aggregate,
        stream: &StreamName,
        version: Version,
        holds: bool,
    ) -> Result<Turn, Error> {
        let before = Version(version.0 - 1);
        let mut folding = fold_stream(domains, aggregate, self.store.as_mut(), stream, before)?;
        let old = state_value(aggregate, stream, &folding)?;
        let mut found = None;
        let rules = (domains, aggregate);
        fold_each(rules, self.store.as_mut(), stream, &mut folding, version, true, |_, event| {
            found = Some(event);
            Ok(ControlFlow::Continue(()))
        })?;
        let state = state_value(aggregate, stream, &folding)?;
        Ok(Turn { version, holds, event: found, changes: changes(&old, &state), state })
    }
}

fn holds(domains: &Domains, condition: &Script, folding: &mut Folding, stream: &StreamName) -> Result<bool, Error> {
    let version = folding.version;
    let held = domains.host.holds(condition, &mut folding.state, version.0);
    held.map_err(|fault| fault.while_doing(|| format!("while asking after version {version} of `{stream}`")).into())
}
