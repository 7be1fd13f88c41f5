//! Commands one after the other, versions one after the other.

use super::{COMMANDS, PAGE, PREDECESSOR, Run, VERSIONS, named};
use crate::event::Position;
use crate::store::Finding;
use crate::store::sqlite::fault::Fault;
use crate::store::sqlite::{sql, together};
use rusqlite::{Connection, Row};

impl Run<'_> {
    /// That the commands have all events among them, one after the other.
    pub(super) fn commands(&mut self) -> Result<(), Fault> {
        let (mut next, mut last) = (sql(self.start.position).saturating_add(1), self.start.time);
        let range = (self.start.command, self.end.commands);
        let each = |run: &mut Self, _: &Connection, row: &Row<'_>, number: u64| {
            let stored = || -> Result<(Box<str>, i64, i64, i64), Fault> {
                Ok((row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            };
            let (id, time, first, events) = match stored() {
                Ok(stored) => stored,
                Err(fault) => {
                    let words = fault.damage()?;
                    run.note(|| format!("the command number {number} is damaged: {words}"));
                    return Ok(0);
                }
            };
            let mut wrong = Vec::new();
            if id.is_empty() {
                wrong.push("it has no id".to_owned());
            }
            if events < 1 {
                wrong.push(format!("it has {events} events"));
            }
            if first != next {
                wrong
                    .push(format!("its first event is said to be @{first}, and @{next} follows the command before it"));
            }
            if time < last {
                wrong.push("its time is before that of the command before it".to_owned());
            }
            (next, last) = (first.saturating_add(events), time);
            run.verified.commands += 1;
            if !wrong.is_empty() {
                run.verified.note(|| Finding {
                    position: u64::try_from(first).ok().map(Position),
                    words: format!("the command `{id}`, number {number}: {}", wrong.join("; ")),
                    command: Some(id),
                    stream: None,
                });
            }
            Ok(0)
        };
        self.walk("the command number ", COMMANDS, range, each, &mut |_| {})?;
        let events = self.end.events;
        if next != sql(events).saturating_add(1) {
            self.note(|| {
                format!("the commands have events up to @{}, and the last event is @{events}", next.saturating_sub(1))
            });
        }
        Ok(())
    }

    /// The versions of each stream, in the order of an index that holds nothing else.
    pub(super) fn versions(&mut self) -> Result<(), Fault> {
        if self.start.position > 0 {
            return self.versions_since();
        }
        let connection = self.connection;
        let end = sql(self.end.events);
        // Stream, version and position of the event before.
        let mut last = (i64::MIN, i64::MIN, 0);
        loop {
            let page = together(connection, |view| {
                let mut statement = view.prepare_cached(VERSIONS)?;
                let mut rows = statement.query([last.0, last.1, end, sql(PAGE)])?;
                let mut count = 0;
                while let Some(row) = rows.next()? {
                    let (stream, version, position): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    count += 1;
                    let (before, position_before) = if stream == last.0 {
                        (last.1, last.2)
                    } else {
                        self.verified.streams += 1;
                        (0, 0)
                    };
                    let wrong = if version == before.saturating_add(1) {
                        (position <= position_before)
                            .then(|| format!("before its version {before}, @{position_before}"))
                    } else {
                        Some(format!("right after its version {before}"))
                    };
                    last = (stream, version, position);
                    if let Some(wrong) = wrong {
                        self.misplaced(view, stream, version, position, &wrong)?;
                    }
                }
                Ok(count == PAGE)
            });
            match page {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(fault) => {
                    let words = fault.damage()?;
                    self.note(|| format!("the versions after @{} cannot be read: {words}", last.2));
                    return Ok(());
                }
            }
        }
    }

    /// The same for the events since the start: each follows the version before it, which is a look into the index.
    fn versions_since(&mut self) -> Result<(), Fault> {
        let connection = self.connection;
        let end = sql(self.end.events);
        let mut after = sql(self.start.position);
        self.verified.streams = self.touched.count();
        loop {
            let page = together(connection, |view| {
                let mut statement = view.prepare_cached(PREDECESSOR)?;
                let mut rows = statement.query([after, end, sql(PAGE)])?;
                let mut count = 0;
                while let Some(row) = rows.next()? {
                    let (position, stream, version): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    let (before, position_before): (Option<i64>, Option<i64>) = (row.get(3)?, row.get(4)?);
                    let before = before.unwrap_or(0);
                    (after, count) = (position, count + 1);
                    if version != before.saturating_add(1) {
                        let wrong = format!("right after its version {before}");
                        self.misplaced(view, stream, version, position, &wrong)?;
                    } else if let Some(earlier) = position_before.filter(|earlier| *earlier >= position) {
                        let wrong = format!("before its version {before}, @{earlier}");
                        self.misplaced(view, stream, version, position, &wrong)?;
                    }
                }
                Ok(count == PAGE)
            });
            match page {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(fault) => {
                    let words = fault.damage()?;
                    self.note(|| format!("the versions after @{after} cannot be read: {words}"));
                    return Ok(());
                }
            }
        }
    }

    fn misplaced(
        &mut self,
        view: &Connection,
        stream: i64,
        version: i64,
        position: i64,
        wrong: &str,
    ) -> Result<(), Fault> {
        let name = self.stream(view, stream)?;
        self.verified.note(|| Finding {
            position: u64::try_from(position).ok().map(Position),
            words: format!("version {version} of {}, the event at @{position}, comes {wrong}", named(name.as_deref())),
            stream: name.as_deref().map(Into::into),
            command: None,
        });
        Ok(())
    }
}
