//! What processes do in a run, and that all is well with it.

use super::stage::{Stage, script};
use super::{Breach, Law, Subject};
use crate::diagnostic::Diagnostic;
use crate::event::Recorded;
use crate::script::Fault;
use crate::workbench::Error;
use crate::workbench::process::{Happened, Manner};
use crate::workbench::send::Sent;
use std::collections::BTreeSet;

/// How much may follow from one command of a run.
const MAX_STEPS: u64 = 1_000;

impl Stage {
    /// Aggregate and name of the commands of processes that were accepted since this was asked last.
    pub(super) fn take_sent_by_processes(&mut self) -> BTreeSet<(String, String)> {
        std::mem::take(&mut self.by_processes)
    }

    /// Lets processes react, as they do after each command. Gives the events of what they send, with which all must be well
    /// too.
    pub(super) fn react(&mut self) -> Result<Result<Vec<Recorded>, Breach>, Error> {
        let mut receipts = Vec::new();
        let manner = Manner::new(self.time, MAX_STEPS);
        let reacted = self.workbench.react(&manner, &mut |happened| {
            if let Happened::Sent { sent: Sent::Accepted(receipt), .. } = happened {
                receipts.push(receipt.clone());
            }
        })?;
        for stopped in reacted.stopped {
            if let Some(problem) = stopped.problem {
                return Ok(Err(script(Error::Script(Fault(problem)), Subject::Nothing)?));
            }
        }
        if let Some(bound) = reacted.bound {
            let names: Vec<String> = bound.processes.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("{} keep answering each other: there is no end to it", names.join(" and "));
            let place = self.workbench.domains.process(&bound.processes[0]).map(|process| process.place.clone());
            let problem = Diagnostic::error("processes", message);
            let problem = match place {
                Some(place) => problem.at(place),
                None => problem,
            };
            let (subject, mark) = (Subject::Nothing, bound.processes.join(" "));
            return Ok(Err(Breach { law: Law::Scripts, problem, subject, mark, shown: false }));
        }
        let mut events = Vec::new();
        for receipt in receipts {
            self.by_processes.insert((receipt.stream.aggregate().to_owned(), receipt.command.clone()));
            for event in &receipt.events {
                self.note(&[event.stream.as_str(), &event.kind, &event.data]);
            }
            if let Err(breach) = self.states(&receipt)? {
                return Ok(Err(breach));
            }
            events.extend(receipt.events);
        }
        if let Err(breach) = self.catch_up(Some(&events))? {
            return Ok(Err(breach));
        }
        Ok(Ok(events))
    }
}
