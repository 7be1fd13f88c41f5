//! The events: positions, times and hashes, and what each belongs to.

use super::{EVENT, EVENTS, Run, named};
use crate::event::{Hash, Position, StreamName, Time, Version};
use crate::store::sqlite::fault::Fault;
use crate::store::sqlite::{read, sql, unsql};
use crate::store::{Finding, chain};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use std::rc::Rc;

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
                        run.event(view, row, &event, &mut chain)?;
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

    fn event(&mut self, view: &Connection, row: &Row<'_>, event: &Stored<'_>, chain: &mut Chain) -> Result<(), Fault> {
        let position = chain.position;
        self.streams.mark(event.stream);
        self.touched.mark(event.stream);
        self.types.mark(event.kind);
        let stream = self.stream(view, event.stream)?;
        let kind = self.kind(view, event.kind)?;
        if chain.owner.as_ref().is_none_or(|owner| owner.number != event.command) {
            chain.owner = self.owner(view, row, event, stream.as_ref())?;
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

    /// The command beside an event, if it is there. What keeps it from being hashed is said here, once.
    fn owner(
        &mut self,
        view: &Connection,
        row: &Row<'_>,
        event: &Stored<'_>,
        own: Option<&Rc<str>>,
    ) -> Result<Option<Owner>, Fault> {
        if row.get_ref(9)? == ValueRef::Null {
            return Ok(None);
        }
        let (number, stream, domain) = (event.command, row.get(20).unwrap_or(0), row.get(21).unwrap_or(0));
        self.streams.mark(stream);
        self.domains.mark(domain);
        let id: Box<str> = row.get(10).unwrap_or_default();
        let mut owner = Owner {
            number,
            digest: None,
            time: row.get(17).unwrap_or(i64::MIN),
            first: row.get(18).unwrap_or(0),
            events: row.get(19).unwrap_or(0),
            id,
        };
        // Mostly it went to the stream of its event.
        let stream = if stream == event.stream { own.cloned() } else { self.stream(view, stream)? };
        let domain = self.digest(view, domain)?;
        match cause(row, stream.as_deref(), domain.as_deref()) {
            Ok(cause) => {
                owner.digest = Some(cause.digest());
                let [.., meta] = cause.labels;
                self.verified.bytes += (cause.data.len() + meta.map_or(0, str::len)) as u64;
            }
            Err(fault) => {
                let words = fault.damage()?;
                let id = &owner.id;
                self.verified.note(|| Finding {
                    words: format!("the command `{id}`, number {number}, is damaged: {words}"),
                    command: Some(id.clone()),
                    ..Finding::default()
                });
            }
        }
        Ok(Some(owner))
    }
}

/// The command in a row of [`EVENTS`].
fn cause<'r>(row: &'r Row<'_>, stream: Option<&'r str>, domain: Option<&'r str>) -> Result<chain::Cause<'r>, Fault> {
    let Some(stream) = stream else {
        return Fault::contradiction("its stream is missing");
    };
    let Some(domain) = domain else {
        return Fault::contradiction("the domain text that decided it is missing");
    };
    if StreamName::new(stream).is_err() {
        return Fault::contradiction(format!("its stream has a name that no stream can have, `{stream}`"));
    }
    read::time(row.get(17)?)?;
    let label = |at| match row.get_ref(at)? {
        ValueRef::Null => Ok(None),
        _ => text(row, at).map(Some),
    };
    Ok(chain::Cause {
        id: text(row, 10)?,
        stream,
        name: text(row, 11)?,
        data: text(row, 12)?,
        labels: [label(13)?, label(14)?, label(15)?, label(16)?],
        domain,
    })
}

/// A text in its place.
fn text<'r>(row: &'r Row<'_>, at: usize) -> Result<&'r str, Fault> {
    match row.get_ref(at)?.as_str() {
        Ok(text) => Ok(text),
        Err(_) => match row.get::<_, String>(at) {
            Ok(_) => Fault::contradiction("one of its texts is none"),
            Err(error) => Err(error.into()),
        },
    }
}

fn aggregate(stream: &str) -> &str {
    stream.split_once('/').map_or(stream, |(aggregate, _)| aggregate)
}
