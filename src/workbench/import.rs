//! Importing: what [`super::export`] handed over, read line by line and stored again as it was.
//!
//! Every line is checked against the chain of hashes before anything is stored, so what is stored is what was
//! exported. What the store holds already is compared and skipped: an import can be repeated, and one that was cut
//! off goes on where it stopped. The events of a command are stored together.

use super::export::{FORMAT, Header};
use super::{Error, Misfit, aggregate_of, meta};
use crate::domain::{Domains, EventError, digest};
use crate::event::{
    Command, Hash, Head, MAX_LABEL_BYTES, NewEvent, Position, Recorded, StreamName, Time, Version, is_control,
};
use crate::json::{self, Reader, Value};
use crate::script::fold::Known;
use crate::store::chain::{self, Link};
use crate::store::{Decision, Store, StoreError};
use std::collections::HashMap;

/// So many events are stored together.
const MAX_GROUP: u64 = 1_000;
/// A group is stored when it has so many bytes.
const MAX_GROUP_BYTES: usize = 4 * 1024 * 1024;

/// The most keys of a line: those of a command are ten.
const MAX_MEMBERS: usize = 16;

/// What an import did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Events that were stored.
    pub events: u64,
    /// The commands they belong to.
    pub commands: u64,
    /// Events that were there already.
    pub skipped: u64,
}

/// An import under way. What was read is stored for certain only after [`Import::commit`].
pub struct Import<'s> {
    store: &'s mut dyn Store,
    /// What the events must fit; `None` takes everything.
    domains: Option<&'s Domains>,
    header: Header,
    /// Domain texts that no committed command has named yet.
    texts: HashMap<Box<str>, Box<str>>,
    /// The command whose events are being read.
    open: Option<Open>,
    /// The last event read.
    last: Head,
    /// The end of the store, with what waits for the commit.
    end: Head,
    turn: bool,
    /// What waits for the commit.
    waiting: Imported,
    bytes: usize,
    done: Imported,
}

/// A command whose events are being read.
#[derive(Debug)]
struct Open {
    command: Command,
    digest: Hash,
    /// How many events it is to have.
    wanted: u64,
    /// The hash before its first event.
    previous: Hash,
    events: Vec<Recorded>,
}

impl<'s> Import<'s> {
    /// Begins, where the export goes on from what the store holds.
    pub fn new(store: &'s mut dyn Store, header: Header, domains: Option<&'s Domains>) -> Result<Self, Error> {
        if *store.id() != *header.store {
            let words = format!("the export is of the store {}, this one is {}", header.store, store.id());
            return Err(Error::Diverged(Misfit::new(words).hint(
                "an import makes a copy of one store: name a file that does not exist yet, or a copy of that store",
            )));
        }
        let end = store.head()?;
        if end.position < header.after {
            let words =
                format!("the store ends at position {}, the export begins after {}", end.position, header.after);
            let hint = format!("export what is between, with `--after {}`", end.position);
            return Err(Error::Diverged(Misfit::new(words).hint(hint)));
        }
        if end.position == header.after && end.hash != header.previous {
            return Err(diverged(header.after));
        }
        let time = if end.position == header.after { end.time } else { None };
        let last = Head { position: header.after, time, hash: header.previous };
        Ok(Self {
            store,
            domains,
            header,
            texts: HashMap::new(),
            open: None,
            last,
            end,
            turn: false,
            waiting: Imported::default(),
            bytes: 0,
            done: Imported::default(),
        })
    }

    /// Reads a line after the first. After an error nothing more is read; what came before may be committed, unless
    /// the store itself failed.
    pub fn line(&mut self, text: &str) -> Result<(), Error> {
        let mut line = Line::read(text)?;
        if line.has("esctl") {
            return Err(Misfit::new("a second header: an export has one, in its first line").into());
        }
        if line.has("command") {
            return self.command(line);
        }
        if line.has("position") {
            return self.event(line);
        }
        if line.has("text") {
            self.nothing_open()?;
            let (named, text) = (line.text("domain")?, line.text("text")?);
            line.finish()?;
            if *digest::of_text(&text) != *named {
                return Err(Misfit::new("the digest of this domain is not that of its text").into());
            }
            self.texts.insert(named.into(), text.into());
            return Ok(());
        }
        Err(Misfit::new("this is no line of an export: neither a domain, nor a command, nor an event").into())
    }

    /// After the last line: whether everything was there that the first line announced.
    pub fn finish(&self) -> Result<(), Error> {
        self.nothing_open()?;
        let (last, wanted) = (self.last.position, self.header.position);
        if last != wanted {
            let words = format!("the export is cut off: it ends at position {last}, it was to go up to {wanted}");
            return Err(Misfit::new(words).into());
        }
        if self.last.hash != self.header.head {
            return Err(Misfit::new("the last hash is not the one that the first line announced").into());
        }
        Ok(())
    }

    /// Stores what waits.
    pub fn commit(&mut self) -> Result<(), Error> {
        let waiting = std::mem::take(&mut self.waiting);
        self.bytes = 0;
        if !std::mem::take(&mut self.turn) {
            return Ok(());
        }
        if waiting.events == 0 {
            self.store.rollback();
            return Ok(());
        }
        self.store.commit()?;
        self.done.events += waiting.events;
        self.done.commands += waiting.commands;
        let store = &mut self.store;
        self.texts.retain(|digest, _| !store.knows_domain(digest).unwrap_or(false));
        Ok(())
    }

    /// What was stored and skipped so far.
    pub fn done(&self) -> Imported {
        self.done
    }

    /// The end of the store.
    pub fn head(&mut self) -> Result<Head, Error> {
        Ok(self.store.head()?)
    }

    fn nothing_open(&self) -> Result<(), Misfit> {
        match &self.open {
            None => Ok(()),
            Some(open) => Err(Misfit::new(format!(
                "the command `{}` has {} events, only {} of them are here",
                open.command.id,
                open.wanted,
                open.events.len()
            ))),
        }
    }

    fn command(&mut self, mut line: Line<'_>) -> Result<(), Error> {
        self.nothing_open()?;
        let wanted = line.number("events")?;
        let command = Command {
            id: line.label("command")?,
            stream: line.stream()?,
            name: line.label("name")?,
            domain: line.label("domain")?,
            actor: line.optional_label("actor")?,
            correlation: line.optional_label("correlation")?,
            causation: line.optional_label("causation")?,
            meta: line.has("meta").then(|| line.stored("meta")).transpose()?,
            data: line.stored("data")?,
            // That of its events.
            time: Time::default(),
        };
        line.finish()?;
        if wanted == 0 {
            return Err(Misfit::new("a command without events is not stored").into());
        }
        if !self.texts.contains_key(&command.domain) && !self.store.knows_domain(&command.domain)? {
            return Err(Misfit::new(format!("no line before this one has the domain `{}`", command.domain)).into());
        }
        let digest = chain::command(&command);
        self.open = Some(Open { command, digest, wanted, previous: self.last.hash, events: Vec::new() });
        Ok(())
    }

    fn event(&mut self, mut line: Line<'_>) -> Result<(), Error> {
        let Some(open) = &mut self.open else {
            return Err(Misfit::new("an event stands behind its command, this one has none").into());
        };
        let schema = line.number("schema")?;
        let event = Recorded {
            position: Position(line.number("position")?),
            stream: line.stream()?,
            version: Version(line.number("version")?),
            kind: (&*line.label("type")?).into(),
            schema: u32::try_from(schema).map_err(|_| Misfit::new(format!("{schema} is no schema version")))?,
            time: Time::parse(&line.text("time")?).map_err(|problem| Misfit::new(problem.to_string()))?,
            data: line.stored("data")?,
            command: None,
        };
        let hash = line.text("hash")?;
        let hash = Hash::parse(&hash).ok_or_else(|| Misfit::new("a `hash` has 64 hex digits in lower case"))?;
        line.finish()?;
        let expected = self.last.position.next();
        if event.position != expected || event.position > self.header.position {
            let words = format!("here comes position {expected}, not {}", event.position);
            return Err(Misfit::new(words).hint("the events of an export follow each other, none is left out").into());
        }
        if open.events.first().is_some_and(|first| first.time != event.time) {
            return Err(Misfit::new("the events of a command have the same time, this one has another").into());
        }
        if self.last.time.is_some_and(|last| event.time < last) {
            return Err(Misfit::new("the time of this event is before that of the event before it").into());
        }
        if Link::from(&event).hash(&self.last.hash, &self.header.store, &open.digest) != hash {
            let misfit = Misfit::new("the hash is not that of what this line and its command say");
            return Err(misfit.hint("the file was changed or damaged after it was exported").into());
        }
        if event.position > self.end.position
            && let Some(domains) = self.domains
        {
            fits(domains, &event)?;
        }
        self.last = Head { position: event.position, time: Some(event.time), hash };
        open.events.push(event);
        if open.events.len() as u64 == open.wanted
            && let Some(whole) = self.open.take()
        {
            return self.settle(whole);
        }
        Ok(())
    }

    /// A command is complete: it is there already, or it is stored.
    fn settle(&mut self, open: Open) -> Result<(), Error> {
        if self.last.position > self.end.position && !self.turn {
            self.store.begin()?;
            self.turn = true;
            // Another process may have stored something meanwhile, perhaps the same.
            self.end = self.store.head().inspect_err(|_| self.abandon())?;
        }
        let Some(first) = open.events.first().map(|event| event.position) else {
            return Ok(());
        };
        let id = &open.command.id;
        let stored = self.store.command(id)?;
        if first <= self.end.position {
            return match stored {
                Some(stored) if stored.head == self.last.hash => {
                    self.done.skipped += open.events.len() as u64;
                    if self.waiting.events == 0 {
                        self.texts.remove(&open.command.domain);
                        self.commit()?;
                    }
                    Ok(())
                }
                _ => Err(diverged(first)),
            };
        }
        if first != self.end.position.next() || self.end.hash != open.previous {
            return Err(diverged(self.end.position));
        }
        if stored.is_some() {
            let words = format!("the id `{id}` was used before for another command");
            return Err(Error::Diverged(Misfit::new(words)));
        }
        self.append(open)
    }

    fn append(&mut self, open: Open) -> Result<(), Error> {
        let mut command = open.command;
        let mut versions: HashMap<&StreamName, Version> = HashMap::new();
        for event in &open.events {
            let before = match versions.get(&event.stream) {
                Some(version) => *version,
                None => self.store.version(&event.stream)?,
            };
            if event.version != before.next() {
                let (stream, version) = (&event.stream, event.version);
                let words = format!("`{stream}` is at version {before}: version {version} does not follow");
                return Err(Misfit::new(words).into());
            }
            versions.insert(&event.stream, event.version);
            command.time = event.time;
        }
        let count = open.events.len() as u64;
        self.bytes += command.data.len() + open.events.iter().map(|event| event.data.len()).sum::<usize>();
        let new = |event: Recorded| NewEvent {
            stream: event.stream,
            kind: event.kind,
            schema: event.schema,
            data: event.data,
        };
        let events: Vec<NewEvent> = open.events.into_iter().map(new).collect();
        // A domain whose text is not here any more is in the store.
        let domain_text = self.texts.get(&command.domain).map_or("", |text| text);
        let appended = match self.store.append(&Decision { command: &command, domain_text, events: &events }) {
            Ok(appended) => appended,
            // Refused before anything was touched: what waits is as it was.
            Err(error @ StoreError::Limit(_)) => return Err(error.into()),
            Err(error) => {
                self.abandon();
                return Err(error.into());
            }
        };
        if appended.head != self.last.hash {
            self.abandon();
            let words = format!("position {} got another hash than it had", self.last.position);
            return Err(StoreError::Misuse(words).into());
        }
        self.end = self.last;
        self.waiting.events += count;
        self.waiting.commands += 1;
        if self.waiting.events >= MAX_GROUP || self.bytes >= MAX_GROUP_BYTES { self.commit() } else { Ok(()) }
    }

    fn abandon(&mut self) {
        self.waiting = Imported::default();
        self.bytes = 0;
        if std::mem::take(&mut self.turn) {
            self.store.rollback();
        }
    }
}

impl Drop for Import<'_> {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl std::fmt::Debug for Import<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Import").field("store", &self.header.store).field("done", &self.done).finish_non_exhaustive()
    }
}

/// The store's history is not the one the export tells.
fn diverged(position: Position) -> Error {
    let words = format!("the store and the export differ at position {position}: they do not tell the same history");
    Error::Diverged(Misfit::new(words).hint("nothing that is stored is changed; import it into a new file"))
}

/// Reads the first line of an export.
pub fn header(text: &str) -> Result<Header, Misfit> {
    let mut line = Line::read(text)?;
    if !line.has("esctl") {
        return Err(Misfit::new("this is no export: its first line is no header").hint("`esctl export` makes one"));
    }
    let format = line.number("esctl")?;
    if format != FORMAT {
        let words = format!("the form of this export is {format}, this esctl reads {FORMAT}");
        return Err(Misfit::new(words).hint("use a newer one"));
    }
    let store = line.label("store")?;
    // A store's id is a UUID in its usual form, which a new store takes over with the export.
    if uuid::Uuid::try_parse(&store).map(|id| id.to_string()).as_deref() != Ok(&*store) {
        return Err(Misfit::new(format!("`{store}` is no id of a store")));
    }
    let hash = |text: String| Hash::parse(&text).ok_or_else(|| Misfit::new(format!("`{text}` is no hash")));
    let header = Header {
        store,
        after: Position(line.number("after")?),
        previous: hash(line.text("previous")?)?,
        position: Position(line.number("position")?),
        head: hash(line.text("head")?)?,
    };
    line.finish()?;
    if header.position < header.after || header.after == Position(0) && header.previous != chain::GENESIS {
        return Err(Misfit::new("the header contradicts itself"));
    }
    Ok(header)
}

/// Whether the domain knows such an event, as it is.
fn fits(domains: &Domains, event: &Recorded) -> Result<(), Misfit> {
    const RAW: &str = "`--raw` takes events as they are, whatever the domain says";
    let aggregate = aggregate_of(domains, &event.stream).map_err(|misfit| misfit.hint(RAW))?;
    let rules = match aggregate.rules.known(&event.kind) {
        Some(Known::Event(rules)) => rules,
        Some(Known::Retired) => return Ok(()),
        None => return Err(Misfit::new(format!("`{}` has no event `{}`", aggregate.name, event.kind)).hint(RAW)),
    };
    let Ok(Value::Object(data)) = json::parse(&event.data) else {
        return Err(Misfit::new("`data` is no object"));
    };
    if event.schema != rules.schema {
        let meta = |kind: &str| meta::of_event(event, kind, false);
        let read = domains.upcast(rules, event.schema, &event.data, meta).map(drop);
        return read.map_err(|error| earlier(error, event).hint(RAW));
    }
    let Some(kind) = aggregate.events.get(&*rules.name) else { return Ok(()) };
    kind.fields.accept(data).map(|_| ()).map_err(|problems| {
        let mut misfit = Misfit::new(format!("the payload of `{}` does not fit", event.kind));
        for problem in problems {
            misfit.details.push((problem.pointer, problem.message));
            misfit.hints.extend(problem.hint);
        }
        misfit.hint(RAW)
    })
}

/// What to say of an event of another version that does not become what it is now.
fn earlier(error: EventError, event: &Recorded) -> Misfit {
    let (kind, version) = (&event.kind, event.schema);
    Misfit::new(match error {
        EventError::Newer { known } => {
            format!("this `{kind}` has the schema version {version}, the domain knows {known}")
        }
        EventError::Fault(fault) => format!("this `{kind}` of version {version} cannot be upcast: {fault}"),
        EventError::Payload(problem) => format!("the payload of this `{kind}` cannot be read: {problem}"),
        EventError::Unknown => format!("there is no event `{kind}`"),
    })
}

/// A line of an export: a JSON object whose values are taken out one by one, as they are written.
#[derive(Debug)]
struct Line<'a> {
    members: Vec<(String, &'a str)>,
}

impl<'a> Line<'a> {
    fn read(text: &'a str) -> Result<Self, Misfit> {
        let wrong = |problem: json::JsonError| Misfit::new(format!("this line is not JSON: {problem}"));
        let mut reader = Reader::new(text);
        let mut members: Vec<(String, &'a str)> = Vec::new();
        let mut key = reader.object_first().map_err(wrong)?.map(str::to_owned);
        while let Some(name) = key {
            let value = reader.raw().map_err(wrong)?;
            if members.iter().any(|(known, _)| *known == name) {
                return Err(Misfit::new(format!("`{name}` is there twice")));
            }
            if members.len() == MAX_MEMBERS {
                return Err(Misfit::new(format!("no line of an export has more than {MAX_MEMBERS} keys")));
            }
            members.push((name, value));
            key = reader.object_next().map_err(wrong)?.map(str::to_owned);
        }
        reader.finish().map_err(wrong)?;
        Ok(Self { members })
    }

    fn has(&self, key: &str) -> bool {
        self.members.iter().any(|(name, _)| name == key)
    }

    /// A member as it is written.
    fn take(&mut self, key: &str) -> Result<&'a str, Misfit> {
        match self.members.iter().position(|(name, _)| name == key) {
            Some(at) => Ok(self.members.swap_remove(at).1),
            None => Err(Misfit::new(format!("the line has no `{key}`"))),
        }
    }

    fn text(&mut self, key: &str) -> Result<String, Misfit> {
        let written = self.take(key)?;
        let text = Reader::new(written).text().map(str::to_owned);
        text.map_err(|_| Misfit::new(format!("`{key}` is a string")))
    }

    fn number(&mut self, key: &str) -> Result<u64, Misfit> {
        let written = self.take(key)?;
        let number = written.parse().ok().filter(|number| i64::try_from(*number).is_ok());
        number.ok_or_else(|| Misfit::new(format!("`{key}` is a whole number, 0 or more")))
    }

    /// A name: not empty, not too long, no control characters.
    fn label(&mut self, key: &str) -> Result<Box<str>, Misfit> {
        let text = self.text(key)?;
        if text.is_empty() || text.len() > MAX_LABEL_BYTES || text.contains(is_control) {
            let words = format!("`{key}` has 1 to {MAX_LABEL_BYTES} bytes and no control characters");
            return Err(Misfit::new(words));
        }
        Ok(text.into())
    }

    fn optional_label(&mut self, key: &str) -> Result<Option<Box<str>>, Misfit> {
        if self.has(key) { self.label(key).map(Some) } else { Ok(None) }
    }

    fn stream(&mut self) -> Result<StreamName, Misfit> {
        let name = self.text("stream")?;
        StreamName::new(&name).map_err(|problem| Misfit::new(problem.to_string()))
    }

    /// A JSON object exactly as it was stored: written as it is, or as a string that holds its text.
    fn stored(&mut self, key: &str) -> Result<Box<str>, Misfit> {
        let written = self.take(key)?;
        let text: Box<str> = if written.starts_with('"') {
            let text = Reader::new(written).text().map(str::to_owned);
            text.map_err(|problem| Misfit::new(format!("`{key}`: {problem}")))?.into()
        } else {
            written.into()
        };
        match json::parse(&text) {
            Ok(Value::Object(_)) => Ok(text),
            Ok(other) => Err(Misfit::new(format!("`{key}` is an object, not {}", other.kind_name()))),
            Err(problem) => Err(Misfit::new(format!("`{key}` cannot be stored: {problem}"))),
        }
    }

    /// Nothing may be left over: who wrote it meant something by it.
    fn finish(self) -> Result<(), Misfit> {
        match self.members.first() {
            None => Ok(()),
            Some((name, _)) => Err(Misfit::new(format!("`{name}` is no key of such a line"))),
        }
    }
}
