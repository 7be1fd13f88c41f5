//! The events: positions, times and hashes, and what each belongs to.

use super::{EVENT, EVENTS, OWNER, Run, named};
use crate::event::{Command, Hash, Position, StreamName, Time, Version};
use crate::store::sqlite::fault::Fault;
use crate::store::sqlite::{read, sql, unsql};
use crate::store::{Finding, chain};
use rusqlite::{Connection, Row};

/// The command of the events that are being read.
#[derive(Debug)]
struct Owner {
    number: i64,
    id: Box<str>,
    /// `None` where it cannot be computed, which was said.
    digest: Option<Hash>,
    time: i64,
    first: i64,
    events: i64,
}

/// What the next event continues.
#[derive(Debug)]
struct Chain {
    /// Position of the last event that was read.
    position: u64,
    /// Its hash as it is stored; `None` where it is missing.
    previous: Option<Hash>,
    /// What it should be, where that is another.
    doubt: Option<Hash>,
    time: i64,
    owner: Option<Owner>,
}

/// An event as its row has it.
struct Stored<'r> {
    stream: i64,
    version: u64,
    kind: i64,
    schema: u32,
    time: Time,
    command: i64,
    hash: Hash,
    data: &'r str,
}

impl<'r> Stored<'r> {
    fn read(row: &'r Row<'_>) -> Result<Self, Fault> {
        let Ok(data) = row.get_ref(8)?.as_str() else {
            return Fault::contradiction("its data is no UTF-8 text");
        };
        Ok(Self {
            stream: row.get(1)?,
            version: unsql(row.get(2)?)?,
            kind: row.get(3)?,
            schema: row.get(4)?,
            time: read::time(row.get(5)?)?,
            command: row.get(6)?,
            hash: read::hash(row, 7)?,
            data,
        })
    }
}

impl Run<'_> {
    /// Positions, times and hashes of the events, and that each belongs to its command, stream and type.
    pub(super) fn events(&mut self, watch: &mut dyn FnMut(Position, Position)) -> Result<(), Fault> {
        let end = self.end.events;
        let start = &self.start;
        let mut chain =
            Chain { position: start.position, previous: Some(start.hash), doubt: None, time: start.time, owner: None };
        let after = start.position;
        self.walk(
            EVENT,
            EVENTS,
            (after, end),
            |run, view, row, position| {
                if position != chain.position + 1 {
                    (chain.previous, chain.doubt) = (None, None);
                }
                chain.position = position;
                match Stored::read(row) {
                    Ok(event) => {
                        run.event(view, &event, &mut chain)?;
                        Ok(event.data.len())
                    }
                    Err(fault) => {
                        let words = fault.damage()?;
                        (chain.previous, chain.doubt) = (read::hash(row, 7).ok(), None);
                        run.unreadable(view, row, position, &words)?;
                        Ok(0)
                    }
                }
            },
            &mut |done| watch(Position(done - after), Position(end - after)),
        )
    }

    fn unreadable(&mut self, view: &Connection, row: &Row<'_>, position: u64, words: &str) -> Result<(), Fault> {
        let number: i64 = row.get(1).unwrap_or(0);
        let stream = self.stream(view, number)?;
        self.verified.note(|| Finding {
            position: Some(Position(position)),
            words: format!("the event at @{position} of {} is damaged: {words}", named(stream.as_deref())),
            stream: stream.as_deref().map(Into::into),
            command: None,
        });
        Ok(())
    }

    fn event(&mut self, view: &Connection, event: &Stored<'_>, chain: &mut Chain) -> Result<(), Fault> {
        let position = chain.position;
        self.streams.mark(event.stream);
        self.touched.mark(event.stream);
        self.types.mark(event.kind);
        let stream = self.stream(view, event.stream)?;
        let kind = self.kind(view, event.kind)?;
        if chain.owner.as_ref().is_none_or(|owner| owner.number != event.command) {
            chain.owner = self.owner(view, event.command)?;
        }
        let owner = chain.owner.as_ref();

        let mut wrong = Vec::new();
        if stream.is_none() {
            wrong.push(format!("its stream, number {}, is missing", event.stream));
        }
        match (&kind, &stream) {
            (None, _) => wrong.push(format!("its type, number {}, is missing", event.kind)),
            (Some(kind), Some(stream)) if aggregate(stream) != &*kind.aggregate => {
                wrong.push(format!("its type is one of the aggregate `{}`", kind.aggregate));
            }
            _ => {}
        }
        if event.time.micros() < chain.time {
            let before = Time::from_micros(chain.time).map(|time| time.to_string()).unwrap_or_default();
            wrong.push(format!("its time {} is before {before}, that of the event before it", event.time));
        }
        chain.time = event.time.micros();
        match owner {
            None => wrong.push(format!("its command, number {}, is missing", event.command)),
            Some(owner) => {
                let at = sql(position);
                if at < owner.first || at.saturating_sub(owner.first) >= owner.events {
                    wrong.push(format!(
                        "its command says of itself that it has {} events from @{} on",
                        owner.events, owner.first
                    ));
                }
                if owner.time != event.time.micros() {
                    wrong.push(format!("its time {} is not that of its command", event.time));
                }
            }
        }

        let digest = owner.and_then(|owner| owner.digest);
        let mut computed = None;
        match (&stream, &kind, digest, chain.previous) {
            (Some(stream), Some(kind), Some(digest), Some(previous)) => {
                let link = chain::Link {
                    position: Position(position),
                    stream,
                    version: Version(event.version),
                    kind: &kind.name,
                    schema: event.schema,
                    time: event.time,
                    data: event.data,
                };
                let hash = link.hash(&previous, self.store, &digest);
                // Where the event before is as it was and only its hash was changed, this one continues the right one.
                let held = hash == event.hash
                    || chain.doubt.is_some_and(|doubt| link.hash(&doubt, self.store, &digest) == event.hash);
                if !held {
                    wrong.push("its hash is not that of what is stored: it, or its command, was changed".to_owned());
                    computed = Some(hash);
                }
                self.verified.events += 1;
                self.verified.bytes += event.data.len() as u64;
            }
            // What is missing before it was said.
            (.., None) => {}
            _ => wrong.push("its hash cannot be recomputed".to_owned()),
        }
        (chain.previous, chain.doubt) = (Some(event.hash), computed);

        if !wrong.is_empty() {
            let id = owner.map(|owner| &owner.id);
            self.verified.note(|| Finding {
                position: Some(Position(position)),
                stream: stream.as_deref().map(Into::into),
                command: id.cloned(),
                words: format!(
                    "the event at @{position}, version {} of {}{}{}: {}",
                    event.version,
                    named(stream.as_deref()),
                    kind.as_ref().map(|kind| format!(", `{}`", kind.name)).unwrap_or_default(),
                    id.map(|id| format!(", of the command `{id}`")).unwrap_or_default(),
                    wrong.join("; ")
                ),
            });
        }
        Ok(())
    }

    /// The command with a number. What keeps it from being hashed is said here, once.
    fn owner(&mut self, view: &Connection, number: i64) -> Result<Option<Owner>, Fault> {
        let mut statement = view.prepare_cached(OWNER)?;
        let mut rows = statement.query([number])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let (stream, domain) = (row.get(12).unwrap_or(0), row.get(13).unwrap_or(0));
        self.streams.mark(stream);
        self.domains.mark(domain);
        let id: Box<str> = row.get(0).unwrap_or_default();
        let mut owner = Owner {
            number,
            digest: None,
            time: row.get(8).unwrap_or(i64::MIN),
            first: row.get(10).unwrap_or(0),
            events: row.get(11).unwrap_or(0),
            id: id.clone(),
        };
        match command(row) {
            Ok(command) => {
                owner.digest = Some(chain::command(&command));
                let meta = command.meta.as_deref().map_or(0, str::len);
                self.verified.bytes += (command.data.len() + meta) as u64;
            }
            Err(fault) => {
                let words = fault.damage()?;
                self.verified.note(|| Finding {
                    words: format!("the command `{id}`, number {number}, is damaged: {words}"),
                    command: Some(id),
                    ..Finding::default()
                });
            }
        }
        Ok(Some(owner))
    }
}

/// The command in a row of [`OWNER`].
fn command(row: &Row<'_>) -> Result<Command, Fault> {
    let (stream, domain): (Option<Box<str>>, Option<Box<str>>) = (row.get(1)?, row.get(9)?);
    let Some(stream) = stream else {
        return Fault::contradiction("its stream is missing");
    };
    let Some(domain) = domain else {
        return Fault::contradiction("the domain text that decided it is missing");
    };
    let Ok(stream) = StreamName::new(&stream) else {
        return Fault::contradiction(format!("its stream has a name that no stream can have, `{stream}`"));
    };
    Ok(Command {
        id: row.get(0)?,
        stream,
        name: row.get(2)?,
        data: row.get(3)?,
        actor: row.get(4)?,
        correlation: row.get(5)?,
        causation: row.get(6)?,
        meta: row.get(7)?,
        time: read::time(row.get(8)?)?,
        domain,
    })
}

fn aggregate(stream: &str) -> &str {
    stream.split_once('/').map_or(stream, |(aggregate, _)| aggregate)
}
