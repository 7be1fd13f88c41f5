//! Processes: that checkpoints, steps and what is still to do fit each other and what is stored. That each row has its
//! instance, and each instance its process, is seen by `references`.

use super::{PAGE, Run};
use crate::event::Position;
use crate::store::Finding;
use crate::store::sqlite::fault::Fault;
use crate::store::sqlite::{read, schema, sql, together, unsql};
use rusqlite::{Connection, Params, Row};

const PROCESSES: &str = "SELECT id, name, checkpoint FROM es_processes WHERE id > ?1 ORDER BY id LIMIT ?2";
/// What is kept twice is compared: how many steps there are, which the first and the last is, and how many rows do not say
/// of their instance what it is.
const INSTANCES: &str = "SELECT i.id, coalesce(p.name, ''), i.key, i.steps, \
    (SELECT count(*) FROM es_steps WHERE instance = i.id), \
    (SELECT coalesce(min(number), 1) FROM es_steps WHERE instance = i.id), \
    (SELECT coalesce(max(number), 0) FROM es_steps WHERE instance = i.id), \
    (SELECT count(*) FROM es_outgoing WHERE instance = i.id AND held <> i.held), \
    (SELECT count(*) FROM es_waiting WHERE instance = i.id \
        AND (held <> i.held OR process <> i.process OR key <> i.key)), \
    (SELECT count(*) FROM es_deadlines WHERE instance = i.id \
        AND (held <> i.held OR process <> i.process)) \
    FROM es_instances i LEFT JOIN es_processes p ON p.id = i.process WHERE i.id > ?1 ORDER BY i.id LIMIT ?2";
/// In the order of the commands, so that two of the same follow each other.
const SENT: &str = "SELECT s.command, s.id, s.number, coalesce(p.name, ''), i.key, s.position, c.id \
    FROM es_steps s LEFT JOIN es_instances i ON i.id = s.instance LEFT JOIN es_processes p ON p.id = i.process \
    LEFT JOIN es_commands c ON c.command_id = s.command \
    WHERE s.kind = 'sent' AND (s.command, s.id) > (?1, ?2) ORDER BY s.command, s.id LIMIT ?3";

impl Run<'_> {
    pub(super) fn processes(&mut self) -> Result<(), Fault> {
        let mut last = i64::MIN;
        self.pages("the processes", |run, view| {
            let end = read::head(view)?.position;
            run.rows(view, PROCESSES, (last, sql(PAGE)), |run, row| {
                last = row.get(0)?;
                run.checkpoint(row, end)
            })
        })?;
        let mut last = i64::MIN;
        self.pages("the instances of processes", |run, view| {
            run.rows(view, INSTANCES, (last, sql(PAGE)), |run, row| {
                last = row.get(0)?;
                run.instance(row)
            })
        })?;
        let mut last: Option<(String, i64)> = None;
        self.pages("the commands that processes sent", |run, view| {
            let (command, step) = last.clone().unwrap_or((String::new(), i64::MIN));
            run.rows(view, SENT, (command, step, sql(PAGE)), |run, row| {
                let (command, step): (String, i64) = (row.get(0)?, row.get(1)?);
                run.sent(row, &command, last.as_ref().is_some_and(|(before, _)| *before == command))?;
                last = Some((command, step));
                Ok(())
            })
        })
    }

    /// Reads in pages until one is empty, each on a state of the file of its own.
    fn pages(
        &mut self,
        what: &str,
        mut page: impl FnMut(&mut Self, &Connection) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        let connection = self.connection;
        loop {
            let done = together(connection, |view| Ok(!schema::knows_processes(view)? || !page(self, view)?));
            match done {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(fault) => {
                    let words = fault.damage()?;
                    self.note(|| format!("{what} cannot be read: {words}"));
                    return Ok(());
                }
            }
        }
    }

    /// Hands over each row; whether there was any.
    fn rows(
        &mut self,
        view: &Connection,
        select: &str,
        params: impl Params,
        mut each: impl FnMut(&mut Self, &Row<'_>) -> Result<(), Fault>,
    ) -> Result<bool, Fault> {
        let mut statement = view.prepare_cached(select)?;
        let mut rows = statement.query(params)?;
        let mut any = false;
        while let Some(row) = rows.next()? {
            any = true;
            each(self, row)?;
        }
        Ok(any)
    }

    fn checkpoint(&mut self, row: &Row<'_>, end: Position) -> Result<(), Fault> {
        let (process, checkpoint): (Box<str>, _) = (row.get(1)?, Position(unsql(row.get(2)?)?));
        if checkpoint > end {
            self.note(|| {
                format!("the process `{process}` has routed up to @{checkpoint}, and the store ends at @{end}")
            });
        }
        Ok(())
    }

    fn instance(&mut self, row: &Row<'_>) -> Result<(), Fault> {
        let (process, key): (Box<str>, Box<str>) = (row.get(1)?, row.get(2)?);
        let who = || format!("the instance {key} of the process `{process}`");
        let number = |column| -> Result<u64, Fault> { unsql(row.get(column)?) };
        let (says, count, first, last) = (number(3)?, number(4)?, number(5)?, number(6)?);
        if first != 1 || count != last {
            self.note(|| format!("{}: its {count} steps have not the numbers from 1 on", who()));
        } else if says != last {
            self.note(|| format!("{}: its last step has the number {last}, and it says {says}", who()));
        }
        for (column, table) in [(7, "es_outgoing"), (8, "es_waiting"), (9, "es_deadlines")] {
            if number(column)? > 0 {
                self.note(|| format!("{}: what `{table}` repeats of it is not what it says", who()));
            }
        }
        Ok(())
    }

    fn sent(&mut self, row: &Row<'_>, command: &str, is_again: bool) -> Result<(), Fault> {
        let (number, process): (i64, Box<str>) = (row.get(2)?, row.get(3)?);
        let key: Option<Box<str>> = row.get(4)?;
        let is_stored = row.get::<_, Option<i64>>(5)?.is_none() || row.get::<_, Option<i64>>(6)?.is_some();
        let mut note = |wrong: &str| {
            let step =
                format!("the step {number} of the instance {} of `{process}`", key.as_deref().unwrap_or_default());
            self.verified.note(|| Finding {
                command: Some(command.into()),
                words: format!("{step} sent the command `{command}`, {wrong}"),
                ..Finding::default()
            });
        };
        if !is_stored {
            note("which is not in the store");
        }
        if is_again {
            note("which was sent before");
        }
        Ok(())
    }
}
