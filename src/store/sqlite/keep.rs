//! What happens to processes, in the turn in which it happens.

use super::append::Turn;
use super::fault::Fault;
use super::processes::{self, Known};
use super::{sql, unsql};
use crate::store::{Deadline, Instance, Outgoing, ProcessChange, ProcessInfo, Step, StepKind, Waiting, check};
use rusqlite::{Connection, Params, params};

// OR ROLLBACK: see the statements of `append`.
const PUT_PROCESS: &str = "INSERT OR ROLLBACK INTO es_processes (name, digest, since, checkpoint, stopped, error, place) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (name) DO UPDATE SET digest = excluded.digest, \
    since = excluded.since, checkpoint = excluded.checkpoint, stopped = excluded.stopped, error = excluded.error, \
    place = excluded.place";
const ADD_INSTANCE: &str = "INSERT OR ROLLBACK INTO es_instances \
    (process, key, state, ended, ignored, began, steps, time, stopped, held) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9 IS NOT NULL)";
/// With the same values, but the instance's number in place of its process's.
const CHANGE_INSTANCE: &str = "UPDATE OR ROLLBACK es_instances SET state = ?3, ended = ?4, ignored = ?5, began = ?6, \
    steps = ?7, time = ?8, stopped = ?9, held = ?9 IS NOT NULL WHERE id = ?1";
const HOLD: [&str; 3] = [
    "UPDATE OR ROLLBACK es_outgoing SET held = ?2 WHERE instance = ?1",
    "UPDATE OR ROLLBACK es_waiting SET held = ?2 WHERE instance = ?1",
    "UPDATE OR ROLLBACK es_deadlines SET held = ?2 WHERE instance = ?1",
];
const ADD_STEP: &str = "INSERT OR ROLLBACK INTO es_steps \
    (id, instance, number, kind, time, position, name, command, causation, data) \
    VALUES ((SELECT coalesce(max(id), 0) + 1 FROM es_steps), ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const SEND: &str = "INSERT OR ROLLBACK INTO es_outgoing \
    (instance, held, id, stream, name, correlation, causation, label, data) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
const SET_DEADLINE: &str = "INSERT OR REPLACE INTO es_deadlines \
    (instance, name, due, held, process, correlation, causation, label) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
const WAIT: &str = "INSERT OR IGNORE INTO es_waiting (instance, position, held, process, key) \
    VALUES (?1, ?2, ?3, ?4, ?5)";

/// Keeps it. What is refused is refused before anything is touched.
pub(super) fn keep(connection: &Connection, turn: &mut Turn, change: &ProcessChange) -> Result<(), Fault> {
    turn.goes_on(connection)?;
    let mut run = Run { connection, turn };
    match change {
        ProcessChange::Process(info) => run.process(info),
        ProcessChange::Instance(instance) => run.instance(instance),
        ProcessChange::Step { process, key, step } => run.step(process, key, step),
        ProcessChange::Send(outgoing) => run.send(outgoing),
        ProcessChange::Sent(number) => run.write("DELETE FROM es_outgoing WHERE number = ?1", [sql(*number)]),
        ProcessChange::Deadline(deadline) => run.deadline(deadline),
        ProcessChange::NoDeadline { process, key, name } => {
            let Some(instance) = run.number(process, key)? else { return Ok(()) };
            run.write("DELETE FROM es_deadlines WHERE instance = ?1 AND name = ?2", (instance, name))
        }
        ProcessChange::NoDeadlines { process, key } => {
            let Some(instance) = run.number(process, key)? else { return Ok(()) };
            run.write("DELETE FROM es_deadlines WHERE instance = ?1", [instance])
        }
        ProcessChange::Wait(waiting) => run.wait(waiting),
        ProcessChange::Waited(Waiting { process, key, position }) => {
            let Some(instance) = run.number(process, key)? else { return Ok(()) };
            run.write("DELETE FROM es_waiting WHERE instance = ?1 AND position = ?2", [instance, sql(position.0)])
        }
    }
}

/// An instance that is there.
struct Owner {
    /// Its number.
    instance: i64,
    /// The number of its process.
    process: i64,
    is_stopped: bool,
}

/// A change that is being kept.
struct Run<'t> {
    connection: &'t Connection,
    turn: &'t mut Turn,
}

impl Run<'_> {
    /// Runs a statement; where it fails the turn can only be rolled back.
    fn write(&mut self, statement: &str, params: impl Params) -> Result<(), Fault> {
        self.turn.broken = true;
        self.connection.prepare_cached(statement)?.execute(params)?;
        self.turn.broken = false;
        Ok(())
    }

    fn owner(&self, process: &str, key: &str) -> Result<Owner, Fault> {
        match processes::known(self.connection, process, key)? {
            Some(Known { process, instance: Some((instance, is_stopped)) }) => {
                Ok(Owner { instance, process, is_stopped })
            }
            _ => Err(check::no_instance(process, key).into()),
        }
    }

    /// The number of an instance, where it is there.
    fn number(&self, process: &str, key: &str) -> Result<Option<i64>, Fault> {
        let known = processes::known(self.connection, process, key)?;
        Ok(known.and_then(|known| known.instance).map(|(instance, _)| instance))
    }

    fn process(&mut self, info: &ProcessInfo) -> Result<(), Fault> {
        check::process(info, self.turn.head.position)?;
        let stopped = info.stopped.as_ref();
        self.write(
            PUT_PROCESS,
            params![
                info.name,
                info.digest,
                sql(info.since.0),
                sql(info.checkpoint.0),
                stopped.map(|failure| sql(failure.position.0)),
                stopped.map(|failure| &failure.error),
                stopped.and_then(|failure| failure.place.as_ref()),
            ],
        )
    }

    fn instance(&mut self, instance: &Instance) -> Result<(), Fault> {
        let Some(known) = processes::known(self.connection, &instance.process, &instance.key)? else {
            return Err(check::no_process(&instance.process).into());
        };
        let (statement, number) = match known.instance {
            Some((number, _)) => (CHANGE_INSTANCE, number),
            None => (ADD_INSTANCE, known.process),
        };
        self.write(
            statement,
            params![
                number,
                instance.key,
                instance.state,
                instance.ended,
                sql(instance.ignored),
                sql(instance.began.0),
                sql(instance.steps),
                instance.time.micros(),
                instance.stopped,
            ],
        )?;
        let is_stopped = instance.stopped.is_some();
        match known.instance {
            Some((number, was_stopped)) if was_stopped != is_stopped => {
                HOLD.iter().try_for_each(|hold| self.write(hold, (number, is_stopped)))
            }
            _ => Ok(()),
        }
    }

    fn step(&mut self, process: &str, key: &str, step: &Step) -> Result<(), Fault> {
        let owner = self.owner(process, key)?;
        let last = self
            .connection
            .prepare_cached("SELECT max(number) FROM es_steps WHERE instance = ?1")?
            .query_row([owner.instance], |row| row.get::<_, Option<i64>>(0))?;
        check::step(step, process, key, last.map_or(Ok(0), unsql)?)?;
        if let (StepKind::Sent, Some(command)) = (step.kind, &step.command) {
            let sent = "SELECT 1 FROM es_steps WHERE kind = 'sent' AND command = ?1";
            if self.connection.prepare_cached(sent)?.exists([command])? {
                return Err(check::sent_before(command).into());
            }
        }
        self.write(
            ADD_STEP,
            params![
                owner.instance,
                sql(step.number),
                step.kind.name(),
                step.time.micros(),
                step.position.map(|position| sql(position.0)),
                step.name,
                step.command,
                step.causation,
                step.data,
            ],
        )
    }

    fn send(&mut self, outgoing: &Outgoing) -> Result<(), Fault> {
        let owner = self.owner(&outgoing.process, &outgoing.key)?;
        self.write(
            SEND,
            params![
                owner.instance,
                owner.is_stopped,
                outgoing.id,
                outgoing.stream.as_str(),
                outgoing.name,
                outgoing.correlation,
                outgoing.causation,
                outgoing.label,
                outgoing.data,
            ],
        )
    }

    fn deadline(&mut self, deadline: &Deadline) -> Result<(), Fault> {
        let owner = self.owner(&deadline.process, &deadline.key)?;
        self.write(
            SET_DEADLINE,
            params![
                owner.instance,
                deadline.name,
                deadline.due.micros(),
                owner.is_stopped,
                owner.process,
                deadline.correlation,
                deadline.causation,
                deadline.label,
            ],
        )
    }

    fn wait(&mut self, waiting: &Waiting) -> Result<(), Fault> {
        let owner = self.owner(&waiting.process, &waiting.key)?;
        let values = (owner.instance, sql(waiting.position.0), owner.is_stopped, owner.process, &waiting.key);
        self.write(WAIT, values)
    }
}
