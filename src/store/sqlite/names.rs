//! Names that are kept once in the file and referred to by number: streams, types, domains and folds, in memory.
//!
//! Rows with names are only ever added, so what was read from a committed file holds forever. What was added within a
//! turn is forgotten when the turn is rolled back: its numbers will be given to other names.

use super::fault::Fault;
use super::{StreamName, sql};
use foldhash::HashMap;
use rusqlite::{Connection, OptionalExtension};
use std::sync::Arc;

/// So many streams are remembered; then forgetting all is cheaper than knowing which.
const MOST_STREAMS: usize = 100_000;

/// The type of an event, of one aggregate.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) aggregate: Arc<str>,
    pub(super) name: Arc<str>,
}

/// What was looked up or added so far.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Those that were asked for by name, and those by number: who asks for many asks in one of the two ways.
    streams: HashMap<StreamName, i64>,
    by_id: HashMap<i64, StreamName>,
    /// The type with the number n is at n - 1.
    kinds: Vec<Kind>,
    /// Numbers by aggregate, then by name.
    kind_ids: HashMap<Arc<str>, HashMap<Arc<str>, i64>>,
    domains: HashMap<Box<str>, i64>,
    folds: HashMap<Box<str>, i64>,
    /// Added in the turn that is going on.
    new_streams: Vec<(i64, StreamName)>,
    new_domains: Vec<Box<str>>,
    new_folds: Vec<Box<str>>,
    /// How many types were known when the turn began.
    old_kinds: usize,
}

impl Names {
    /// A turn begins.
    pub(super) fn begin(&mut self) {
        self.new_streams.clear();
        self.new_domains.clear();
        self.new_folds.clear();
        self.old_kinds = self.kinds.len();
    }

    /// The turn is rolled back.
    pub(super) fn forget(&mut self) {
        for (id, name) in self.new_streams.drain(..) {
            self.streams.remove(&name);
            self.by_id.remove(&id);
        }
        for digest in self.new_domains.drain(..) {
            self.domains.remove(&digest);
        }
        for digest in self.new_folds.drain(..) {
            self.folds.remove(&digest);
        }
        for kind in self.kinds.drain(self.old_kinds..) {
            if let Some(ids) = self.kind_ids.get_mut(&kind.aggregate) {
                ids.remove(&kind.name);
            }
        }
    }

    /// The number of a stream that is in the file.
    pub(super) fn stream(&mut self, connection: &Connection, name: &StreamName) -> Result<Option<i64>, Fault> {
        if let Some(id) = self.streams.get(name) {
            return Ok(Some(*id));
        }
        let mut statement = connection.prepare_cached("SELECT id FROM es_streams WHERE name = ?1")?;
        let id = statement.query_row([name.as_str()], |row| row.get(0)).optional()?;
        if let Some(id) = id {
            self.remember(id, name.clone());
        }
        Ok(id)
    }

    /// The same where rows that refer to it are about to be read.
    pub(super) fn stream_read(&mut self, connection: &Connection, name: &StreamName) -> Result<Option<i64>, Fault> {
        let id = self.stream(connection, name)?;
        if let Some(id) = id {
            self.remember_read(id, name);
        }
        Ok(id)
    }

    /// The number of a stream, which is added where it is new. Within a turn.
    pub(super) fn stream_or_new(&mut self, connection: &Connection, name: &StreamName) -> Result<i64, Fault> {
        if let Some(id) = self.stream(connection, name)? {
            return Ok(id);
        }
        let mut statement = connection.prepare_cached(
            "INSERT INTO es_streams (id, name, aggregate) \
             VALUES ((SELECT coalesce(max(id), 0) + 1 FROM es_streams), ?1, ?2)",
        )?;
        let id = statement.insert([name.as_str(), name.aggregate()])?;
        self.remember(id, name.clone());
        self.new_streams.push((id, name.clone()));
        Ok(id)
    }

    /// The name of a stream that some row refers to.
    pub(super) fn stream_name(&mut self, connection: &Connection, id: i64) -> Result<StreamName, Fault> {
        if let Some(name) = self.by_id.get(&id) {
            return Ok(name.clone());
        }
        let mut statement = connection.prepare_cached("SELECT name FROM es_streams WHERE id = ?1")?;
        let text: Option<String> = statement.query_row([id], |row| row.get(0)).optional()?;
        let Some(text) = text else {
            return Fault::contradiction(format!("stream number {id} has no name"));
        };
        let Ok(name) = StreamName::new(&text) else {
            return Fault::contradiction(format!("stream number {id} has a name that no stream can have"));
        };
        self.remember_read(id, &name);
        Ok(name)
    }

    fn remember(&mut self, id: i64, name: StreamName) {
        if self.streams.len() >= MOST_STREAMS {
            self.streams.clear();
        }
        self.streams.insert(name, id);
    }

    fn remember_read(&mut self, id: i64, name: &StreamName) {
        if self.by_id.len() >= MOST_STREAMS {
            self.by_id.clear();
        }
        self.by_id.insert(id, name.clone());
    }

    /// The number of a type, which is added where it is new. Within a turn.
    pub(super) fn kind_or_new(
        &mut self,
        connection: &Connection,
        aggregate: &str,
        name: &Arc<str>,
    ) -> Result<i64, Fault> {
        if let Some(id) = self.kind_id(aggregate, name) {
            return Ok(id);
        }
        self.load_kinds(connection)?;
        if let Some(id) = self.kind_id(aggregate, name) {
            return Ok(id);
        }
        let mut statement = connection.prepare_cached(
            "INSERT INTO es_types (id, aggregate, name) VALUES ((SELECT coalesce(max(id), 0) + 1 FROM es_types), ?1, ?2)",
        )?;
        let id = statement.insert([aggregate, name])?;
        self.add_kind(id, aggregate, name)?;
        Ok(id)
    }

    fn kind_id(&self, aggregate: &str, name: &str) -> Option<i64> {
        self.kind_ids.get(aggregate)?.get(name).copied()
    }

    /// The name of a type that some row refers to.
    pub(super) fn kind_name(&mut self, connection: &Connection, id: i64) -> Result<Arc<str>, Fault> {
        let at = usize::try_from(id).unwrap_or(0).wrapping_sub(1);
        if self.kinds.get(at).is_none() {
            self.load_kinds(connection)?;
        }
        match self.kinds.get(at) {
            Some(kind) => Ok(Arc::clone(&kind.name)),
            None => Fault::contradiction(format!("event type number {id} has no name")),
        }
    }

    /// All types of the file with their numbers.
    pub(super) fn kinds(&mut self, connection: &Connection) -> Result<impl Iterator<Item = (usize, &Kind)>, Fault> {
        self.load_kinds(connection)?;
        Ok(self.kinds.iter().enumerate().map(|(at, kind)| (at + 1, kind)))
    }

    /// Reads the types that were added since; there are few in all.
    fn load_kinds(&mut self, connection: &Connection) -> Result<(), Fault> {
        let mut statement =
            connection.prepare_cached("SELECT id, aggregate, name FROM es_types WHERE id > ?1 ORDER BY id")?;
        let mut rows = statement.query([sql(self.kinds.len() as u64)])?;
        while let Some(row) = rows.next()? {
            let name: Arc<str> = row.get(2)?;
            self.add_kind(row.get(0)?, &row.get::<_, Arc<str>>(1)?, &name)?;
        }
        Ok(())
    }

    fn add_kind(&mut self, id: i64, aggregate: &str, name: &Arc<str>) -> Result<(), Fault> {
        if usize::try_from(id) != Ok(self.kinds.len() + 1) {
            return Fault::contradiction(format!("event type number {id} does not follow {}", self.kinds.len()));
        }
        let aggregate: Arc<str> = match self.kind_ids.get_key_value(aggregate) {
            Some((known, _)) => Arc::clone(known),
            None => aggregate.into(),
        };
        self.kind_ids.entry(Arc::clone(&aggregate)).or_default().insert(Arc::clone(name), id);
        self.kinds.push(Kind { aggregate, name: Arc::clone(name) });
        Ok(())
    }

    /// The number of the domain with that digest that is in the file.
    pub(super) fn domain(&mut self, connection: &Connection, digest: &str) -> Result<Option<i64>, Fault> {
        if let Some(id) = self.domains.get(digest) {
            return Ok(Some(*id));
        }
        let mut statement = connection.prepare_cached("SELECT id FROM es_domains WHERE digest = ?1")?;
        let id = statement.query_row([digest], |row| row.get(0)).optional()?;
        if let Some(id) = id {
            self.domains.insert(digest.into(), id);
        }
        Ok(id)
    }

    /// The number of a domain, whose text is added where it is new. Within a turn.
    pub(super) fn domain_or_new(&mut self, connection: &Connection, digest: &str, text: &str) -> Result<i64, Fault> {
        if let Some(id) = self.domain(connection, digest)? {
            return Ok(id);
        }
        let mut statement = connection.prepare_cached(
            "INSERT INTO es_domains (id, digest, text) \
             VALUES ((SELECT coalesce(max(id), 0) + 1 FROM es_domains), ?1, ?2)",
        )?;
        let id = statement.insert([digest, text])?;
        self.domains.insert(digest.into(), id);
        self.new_domains.push(digest.into());
        Ok(id)
    }

    /// The number of the rules with that digest that folded something in the file.
    pub(super) fn fold(&mut self, connection: &Connection, digest: &str) -> Result<Option<i64>, Fault> {
        if let Some(id) = self.folds.get(digest) {
            return Ok(Some(*id));
        }
        let mut statement = connection.prepare_cached("SELECT id FROM es_folds WHERE digest = ?1")?;
        let id = statement.query_row([digest], |row| row.get(0)).optional()?;
        if let Some(id) = id {
            self.folds.insert(digest.into(), id);
        }
        Ok(id)
    }

    /// The same; they are added where they are new. Within a turn.
    pub(super) fn fold_or_new(&mut self, connection: &Connection, digest: &str) -> Result<i64, Fault> {
        if let Some(id) = self.fold(connection, digest)? {
            return Ok(id);
        }
        let id = connection.prepare_cached("INSERT INTO es_folds (digest) VALUES (?1)")?.insert([digest])?;
        self.folds.insert(digest.into(), id);
        self.new_folds.push(digest.into());
        Ok(id)
    }
}
