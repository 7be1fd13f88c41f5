//! Processes: what they have done, and what they still have to do.

use super::fault::Fault;
use super::{read, schema, sql, together, unsql};
use crate::event::{Position, StreamName};
use crate::store::{Deadline, Failure, Instance, Outgoing, ProcessInfo, Rejected, Step, StepKind, Tally, Waiting};
use rusqlite::{Connection, OptionalExtension, Params, Row};
use std::collections::HashMap;

/// The number of the process with the name `?1`.
const PROCESS: &str = "(SELECT id FROM es_processes WHERE name = ?1)";
/// The number of its instance with the key `?2`.
const INSTANCE: &str = "(SELECT id FROM es_instances WHERE key = ?2 \
    AND process = (SELECT id FROM es_processes WHERE name = ?1))";

const PROCESS_FIELDS: &str = "name, digest, since, checkpoint, stopped, error, place, id";
const INSTANCE_FIELDS: &str = "key, state, ended, ignored, began, steps, time, stopped";
const STEP_FIELDS: &str = "s.number, s.kind, s.time, s.position, s.name, s.command, s.causation, s.data, s.id";
const OUTGOING_FIELDS: &str = "o.number, o.id, o.stream, o.name, o.data, o.correlation, o.causation, o.label";
const DEADLINE_FIELDS: &str = "d.name, d.due, d.correlation, d.causation, d.label";
/// Whose it is. CROSS JOIN keeps the order of the tables: what is wanted is found first, then its instance and its process.
const OWNER: &str = "CROSS JOIN es_instances i ON i.id = instance CROSS JOIN es_processes p ON p.id = i.process";

/// What is counted of all processes together: process, number.
const OUTGOING_COUNTS: &str = "SELECT i.process, count(*) FROM es_outgoing o \
    CROSS JOIN es_instances i ON i.id = o.instance GROUP BY i.process";
const WAITING_COUNTS: &str = "SELECT process, count(*) FROM es_waiting GROUP BY process";
const DEADLINE_COUNTS: &str = "SELECT process, count(*) FROM es_deadlines GROUP BY process";
const INSTANCE_COUNTS: &str = "SELECT process, held, ended, count(*), sum(ignored) FROM es_instances \
    GROUP BY process, held, ended";

/// What a statement gives, row by row; nothing where the store knows of no processes.
fn all<T>(
    connection: &Connection,
    select: &str,
    params: impl Params,
    each: impl FnMut(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    if !schema::knows_processes(connection)? {
        return Ok(Vec::new());
    }
    connection.prepare_cached(select)?.query_and_then(params, each)?.collect()
}

/// The first row of it.
fn one<T>(
    connection: &Connection,
    select: &str,
    params: impl Params,
    each: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    if !schema::knows_processes(connection)? {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(select)?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(each).transpose()
}

/// All of them, by name.
pub(super) fn processes(connection: &Connection) -> Result<Vec<(ProcessInfo, Tally)>, Fault> {
    together(connection, |view| {
        let select = format!("SELECT {PROCESS_FIELDS} FROM es_processes ORDER BY name");
        let mut found: Vec<(ProcessInfo, i64)> = all(view, &select, [], |row| Ok((info(row)?, row.get(7)?)))?;
        let mut tallies: HashMap<i64, Tally> = HashMap::new();
        for (process, is_stopped, has_ended, count, ignored) in all(view, INSTANCE_COUNTS, [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, unsql(row.get(3)?)?, unsql(row.get(4)?)?))
        })? {
            let tally: &mut Tally = tallies.entry(process).or_default();
            match (is_stopped, has_ended) {
                (true, _) => tally.stopped += count,
                (false, true) => tally.ended += count,
                (false, false) => tally.running += count,
            }
            tally.ignored += ignored;
        }
        let mut count = |select: &str, put: fn(&mut Tally, u64)| -> Result<(), Fault> {
            for (process, count) in all(view, select, [], |row| Ok((row.get(0)?, unsql(row.get(1)?)?)))? {
                put(tallies.entry(process).or_default(), count);
            }
            Ok(())
        };
        count(OUTGOING_COUNTS, |tally, count| tally.outgoing = count)?;
        count(WAITING_COUNTS, |tally, count| tally.waiting = count)?;
        count(DEADLINE_COUNTS, |tally, count| tally.deadlines = count)?;
        let with_tally = |(info, process): (ProcessInfo, i64)| {
            let mut tally = tallies.remove(&process).unwrap_or_default();
            let next = "SELECT min(due) FROM es_deadlines WHERE process = ?1 AND held = 0";
            let next: Option<i64> = view.prepare_cached(next)?.query_row([process], |row| row.get(0))?;
            tally.next = next.map(read::time).transpose()?;
            Ok((info, tally))
        };
        found.drain(..).map(with_tally).collect()
    })
}

/// The one with that name.
pub(super) fn process(connection: &Connection, name: &str) -> Result<Option<ProcessInfo>, Fault> {
    one(connection, &format!("SELECT {PROCESS_FIELDS} FROM es_processes WHERE name = ?1"), [name], info)
}

fn info(row: &Row<'_>) -> Result<ProcessInfo, Fault> {
    let stopped: Option<i64> = row.get(4)?;
    let failure = |position| -> Result<Failure, Fault> {
        Ok(Failure { position: Position(unsql(position)?), key: None, error: row.get(5)?, place: row.get(6)? })
    };
    Ok(ProcessInfo {
        name: row.get(0)?,
        digest: row.get(1)?,
        since: Position(unsql(row.get(2)?)?),
        checkpoint: Position(unsql(row.get(3)?)?),
        stopped: stopped.map(failure).transpose()?,
    })
}

/// The instance of a process with that key.
pub(super) fn instance(connection: &Connection, process: &str, key: &str) -> Result<Option<Instance>, Fault> {
    let select = format!("SELECT {INSTANCE_FIELDS} FROM es_instances WHERE process = {PROCESS} AND key = ?2");
    one(connection, &select, [process, key], |row| as_instance(row, process))
}

/// Some of a process, by key.
pub(super) fn instances(
    connection: &Connection,
    process: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Instance>, Fault> {
    let beyond = if after.is_some() { ">" } else { ">=" };
    let select = format!(
        "SELECT {INSTANCE_FIELDS} FROM es_instances WHERE process = {PROCESS} AND key {beyond} ?2 ORDER BY key LIMIT ?3"
    );
    let params = (process, after.unwrap_or_default(), sql(limit as u64));
    all(connection, &select, params, |row| as_instance(row, process))
}

fn as_instance(row: &Row<'_>, process: &str) -> Result<Instance, Fault> {
    Ok(Instance {
        process: process.into(),
        key: row.get(0)?,
        state: row.get(1)?,
        ended: row.get(2)?,
        ignored: unsql(row.get(3)?)?,
        began: Position(unsql(row.get(4)?)?),
        steps: unsql(row.get(5)?)?,
        time: read::time(row.get(6)?)?,
        stopped: row.get(7)?,
    })
}

/// Some steps of an instance.
pub(super) fn steps(
    connection: &Connection,
    process: &str,
    key: &str,
    after: u64,
    limit: usize,
) -> Result<Vec<Step>, Fault> {
    let select = format!(
        "SELECT {STEP_FIELDS} FROM es_steps s WHERE s.instance = {INSTANCE} AND s.number > ?3 ORDER BY s.number LIMIT ?4"
    );
    all(connection, &select, (process, key, sql(after), sql(limit as u64)), step)
}

fn step(row: &Row<'_>) -> Result<Step, Fault> {
    let kind: Box<str> = row.get(1)?;
    let Some(kind) = StepKind::named(&kind) else {
        return Fault::contradiction(format!("there is no step `{kind}`"));
    };
    let position: Option<i64> = row.get(3)?;
    Ok(Step {
        number: unsql(row.get(0)?)?,
        kind,
        time: read::time(row.get(2)?)?,
        position: position.map(unsql).transpose()?.map(Position),
        name: row.get(4)?,
        command: row.get(5)?,
        causation: row.get(6)?,
        data: row.get(7)?,
    })
}

/// Some rejected commands, in the order of the store.
pub(super) fn rejections(connection: &Connection, after: u64, limit: usize) -> Result<Vec<Rejected>, Fault> {
    let select = format!(
        "SELECT {STEP_FIELDS}, p.name, i.key FROM es_steps s {OWNER} \
         WHERE s.kind = 'rejected' AND s.id > ?1 ORDER BY s.id LIMIT ?2"
    );
    all(connection, &select, (sql(after), sql(limit as u64)), rejected)
}

/// The last rejection of a command.
pub(super) fn rejection(connection: &Connection, command: &str) -> Result<Option<Rejected>, Fault> {
    let select = format!(
        "SELECT {STEP_FIELDS}, p.name, i.key FROM es_steps s {OWNER} \
         WHERE s.kind = 'rejected' AND s.command = ?1 ORDER BY s.id DESC LIMIT 1"
    );
    one(connection, &select, [command], rejected)
}

fn rejected(row: &Row<'_>) -> Result<Rejected, Fault> {
    Ok(Rejected { number: unsql(row.get(8)?)?, process: row.get(9)?, key: row.get(10)?, step: step(row)? })
}

/// The next command to send.
pub(super) fn outgoing(connection: &Connection, after: u64) -> Result<Option<Outgoing>, Fault> {
    let select = format!(
        "SELECT {OUTGOING_FIELDS}, p.name, i.key FROM es_outgoing o {OWNER} \
         WHERE o.held = 0 AND o.number > ?1 ORDER BY o.number LIMIT 1"
    );
    one(connection, &select, [sql(after)], |row| as_outgoing(row, row.get(8)?, row.get(9)?))
}

/// What an instance still has to send.
pub(super) fn outgoing_of(connection: &Connection, process: &str, key: &str) -> Result<Vec<Outgoing>, Fault> {
    let select = format!("SELECT {OUTGOING_FIELDS} FROM es_outgoing o WHERE o.instance = {INSTANCE} ORDER BY o.number");
    all(connection, &select, [process, key], |row| as_outgoing(row, process.into(), key.into()))
}

fn as_outgoing(row: &Row<'_>, process: Box<str>, key: Box<str>) -> Result<Outgoing, Fault> {
    let stream: Box<str> = row.get(2)?;
    let stream = StreamName::new(&stream).or_else(|error| Fault::contradiction(format!("`{stream}`: {error}")))?;
    Ok(Outgoing {
        number: unsql(row.get(0)?)?,
        process,
        key,
        id: row.get(1)?,
        stream,
        name: row.get(3)?,
        data: row.get(4)?,
        correlation: row.get(5)?,
        causation: row.get(6)?,
        label: row.get(7)?,
    })
}

/// The first event that waits for a process.
pub(super) fn waiting(connection: &Connection, process: &str) -> Result<Option<Waiting>, Fault> {
    let select = format!(
        "SELECT key, position FROM es_waiting WHERE process = {PROCESS} AND held = 0 ORDER BY position, key LIMIT 1"
    );
    one(connection, &select, [process], |row| {
        Ok(Waiting { process: process.into(), key: row.get(0)?, position: Position(unsql(row.get(1)?)?) })
    })
}

/// Some that wait for an instance.
pub(super) fn waiting_of(
    connection: &Connection,
    process: &str,
    key: &str,
    limit: usize,
) -> Result<Vec<Position>, Fault> {
    let select = format!("SELECT position FROM es_waiting WHERE instance = {INSTANCE} ORDER BY position LIMIT ?3");
    all(connection, &select, (process, key, sql(limit as u64)), |row| Ok(Position(unsql(row.get(0)?)?)))
}

/// The earliest deadline of a process.
pub(super) fn deadline(connection: &Connection, process: &str) -> Result<Option<Deadline>, Fault> {
    let select = format!(
        "SELECT {DEADLINE_FIELDS}, i.key FROM es_deadlines d CROSS JOIN es_instances i ON i.id = d.instance \
         WHERE d.process = {PROCESS} AND d.held = 0 ORDER BY d.due, d.id LIMIT 1"
    );
    one(connection, &select, [process], |row| as_deadline(row, process, row.get(5)?))
}

/// Those of an instance.
pub(super) fn deadlines_of(connection: &Connection, process: &str, key: &str) -> Result<Vec<Deadline>, Fault> {
    let select =
        format!("SELECT {DEADLINE_FIELDS} FROM es_deadlines d WHERE d.instance = {INSTANCE} ORDER BY d.due, d.id");
    all(connection, &select, [process, key], |row| as_deadline(row, process, key.into()))
}

fn as_deadline(row: &Row<'_>, process: &str, key: Box<str>) -> Result<Deadline, Fault> {
    Ok(Deadline {
        process: process.into(),
        key,
        name: row.get(0)?,
        due: read::time(row.get(1)?)?,
        correlation: row.get(2)?,
        causation: row.get(3)?,
        label: row.get(4)?,
    })
}

/// What is known of an instance that something is kept of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// The number of its process.
    pub(super) process: i64,
    /// Its number and whether it is stopped, where it is there.
    pub(super) instance: Option<(i64, bool)>,
}

/// Looks for an instance; nothing where its process is not there.
pub(super) fn known(connection: &Connection, process: &str, key: &str) -> Result<Option<Known>, Fault> {
    let select = "SELECT p.id, i.id, i.held FROM es_processes p \
        LEFT JOIN es_instances i ON i.process = p.id AND i.key = ?2 WHERE p.name = ?1";
    let known = |row: &Row<'_>| {
        let (instance, is_stopped): (Option<i64>, Option<bool>) = (row.get(1)?, row.get(2)?);
        Ok(Known { process: row.get(0)?, instance: instance.zip(is_stopped) })
    };
    Ok(connection.prepare_cached(select)?.query_row([process, key], known).optional()?)
}

#[cfg(test)]
mod tests {
    use super::super::SqliteStore;
    use super::*;
    use crate::event::Time;
    use crate::store::{ProcessChange, Store, StoreError};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn instance(key: &str, stopped: Option<&str>) -> ProcessChange {
        ProcessChange::Instance(Instance {
            process: "transfers".into(),
            key: key.into(),
            state: "{}".into(),
            ended: false,
            ignored: 0,
            began: Position(1),
            steps: 1,
            time: Time::default(),
            stopped: stopped.map(Into::into),
        })
    }

    fn step(key: &str, number: u64, kind: StepKind, command: &str) -> ProcessChange {
        let step = Step {
            number,
            kind,
            time: Time::default(),
            position: None,
            name: None,
            command: Some(command.into()),
            causation: None,
            data: None,
        };
        ProcessChange::Step { process: "transfers".into(), key: key.into(), step }
    }

    fn send(key: &str) -> ProcessChange {
        ProcessChange::Send(Outgoing {
            number: 0,
            process: "transfers".into(),
            key: key.into(),
            id: "x".into(),
            stream: StreamName::new("account/ada").unwrap(),
            name: "Deposit".into(),
            data: "{}".into(),
            correlation: None,
            causation: None,
            label: "x".into(),
        })
    }

    fn wait(key: &str) -> ProcessChange {
        ProcessChange::Wait(Waiting { process: "transfers".into(), key: key.into(), position: Position(1) })
    }

    fn deadline(key: &str) -> ProcessChange {
        ProcessChange::Deadline(Deadline {
            process: "transfers".into(),
            key: key.into(),
            name: "late".into(),
            due: Time::default(),
            correlation: None,
            causation: None,
            label: "x".into(),
        })
    }

    /// A store with an instance that goes on and so many that stopped, all of them with things to do.
    fn filled(stopped: u64) -> SqliteStore {
        let mut store = SqliteStore::scratch().unwrap();
        store.begin().unwrap();
        let info = ProcessInfo {
            name: "transfers".into(),
            digest: "rules".into(),
            since: Position(0),
            checkpoint: Position(0),
            stopped: None,
        };
        store.keep(&ProcessChange::Process(info)).unwrap();
        for n in 0..=stopped {
            let key = if n == stopped { "live".to_owned() } else { n.to_string() };
            for change in [
                instance(&key, None),
                step(&key, 1, StepKind::Rejected, &format!("c{n}")),
                send(&key),
                wait(&key),
                deadline(&key),
            ] {
                store.keep(&change).unwrap();
            }
            if n < stopped {
                store.keep(&instance(&key, Some("no rate"))).unwrap();
            }
        }
        store.commit().unwrap();
        store
    }

    /// How many steps SQLite takes.
    fn cost(store: &mut SqliteStore, work: impl FnOnce(&mut SqliteStore) -> Result<(), StoreError>) -> u64 {
        let steps = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&steps);
        let count = move || {
            seen.fetch_add(1, Ordering::Relaxed);
            false
        };
        store.connection.as_mut().unwrap().progress_handler(1, Some(count)).unwrap();
        work(store).unwrap();
        store.connection.as_mut().unwrap().progress_handler(0, None::<fn() -> bool>).unwrap();
        steps.load(Ordering::Relaxed)
    }

    /// What is next, what an instance has, and every change cost as much in a large store as in a small one.
    #[test]
    fn nothing_goes_through_what_is_held() {
        let costs = |stopped: u64| {
            let mut store = filled(stopped);
            let next = |store: &mut SqliteStore| {
                assert_eq!(&*store.outgoing(0)?.unwrap().key, "live");
                assert_eq!(&*store.waiting("transfers")?.unwrap().key, "live");
                assert_eq!(&*store.deadline("transfers")?.unwrap().key, "live");
                Ok(())
            };
            let own = |store: &mut SqliteStore| {
                assert_eq!(store.outgoing_of("transfers", "live")?.len(), 1);
                assert_eq!(store.waiting_of("transfers", "live", 9)?.len(), 1);
                assert_eq!(store.deadlines_of("transfers", "live")?.len(), 1);
                assert_eq!(store.steps("transfers", "live", 0, 9)?.len(), 1);
                assert!(store.instance("transfers", "live")?.is_some());
                assert_eq!(store.instances("transfers", Some("9999"), 9)?.len(), 1);
                Ok(())
            };
            let rejected = |store: &mut SqliteStore| {
                assert_eq!(store.rejection("c5")?.unwrap().number, 6);
                assert_eq!(store.rejections(stopped, 9)?.len(), 1);
                Ok(())
            };
            let changes = |store: &mut SqliteStore| {
                store.begin()?;
                for change in [
                    step("live", 2, StepKind::Sent, "x"),
                    instance("live", Some("no rate")),
                    send("live"),
                    instance("live", None),
                    ProcessChange::Sent(stopped + 1),
                    ProcessChange::NoDeadlines { process: "transfers".into(), key: "live".into() },
                    deadline("live"),
                    wait("5"),
                ] {
                    store.keep(&change)?;
                }
                store.rollback();
                Ok(())
            };
            [cost(&mut store, next), cost(&mut store, own), cost(&mut store, rejected), cost(&mut store, changes)]
        };
        let small = costs(10);
        assert!(small.iter().all(|cost| *cost > 10), "{small:?}");
        assert_eq!(costs(1000), small);
    }

    /// Instances are counted in an index, without looking at a state.
    #[test]
    fn counting_reads_no_state() {
        let store = filled(1);
        let connection = store.connection.as_ref().unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {INSTANCE_COUNTS}")).unwrap();
        let plan: Vec<String> = statement.query_map([], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
        assert_eq!(plan, ["SCAN es_instances USING COVERING INDEX es_instances_counted"]);
    }
}
