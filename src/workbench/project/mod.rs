//! Read models: tables kept up to date from events, rebuilt beside and swapped.

pub mod bisect;
mod crew;
pub mod diff;
mod fill;
pub mod follow;
pub mod parked;
pub mod preview;
pub mod proof;
pub mod rebuild;
mod routes;
mod rows;
pub mod show;

use super::{Error, Misfit, Workbench};
use crate::domain::fields::Type;
use crate::domain::{Domains, Projection};
use crate::event::{Moment, Position, Time};
use crate::json::Value;
use crate::store::{Column, ColumnKind, Failure, Row, Store, Table};
use fill::{Filling, Places};
use show::Shown;
use std::ops::ControlFlow;

pub use fill::Manner;
pub(super) use rebuild::Filled;

/// A read model as its domain declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionInfo {
    /// Its name.
    pub name: String,
    /// The domain it is declared in.
    pub domain: String,
    /// What it shows.
    pub description: String,
    /// Its columns with the names of their types; the first is the key.
    pub columns: Vec<(String, String)>,
    /// The events it has handlers for, as `account.Opened`, sorted.
    pub events: Vec<String>,
    /// Whether it is brought up to date in the same transaction as the events.
    pub inline: bool,
}

/// How a read model stands to its rules and to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It has seen every event.
    Current,
    /// There are events it has not seen.
    Behind,
    /// Its rules have changed since it was built.
    Stale,
    /// It was never built.
    Never,
}

/// A line of `project status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionStatus {
    /// Its name.
    pub name: String,
    /// How it stands.
    pub freshness: Freshness,
    /// The last position it has seen.
    pub checkpoint: Position,
    /// The last position of the store.
    pub head: Position,
    /// How many positions it is behind.
    pub lag: u64,
    /// How many rows it has.
    pub rows: u64,
    /// The digest of its rules as they are now.
    pub digest: String,
    /// When its table was put in service.
    pub since: Option<Time>,
    /// How far a rebuild has come that did not end.
    pub building: Option<Position>,
    /// How many events it went on past, which it could not apply.
    pub parked: u64,
    /// The event before which it stopped, or its rebuild, where one did.
    pub stopped: Option<Failure>,
}

/// How far a rebuild or catch-up has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// The last position seen.
    pub done: Position,
    /// The position to reach.
    pub total: Position,
}

/// A column as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// Whether it holds numbers, which are shown aligned.
    pub numeric: bool,
}

/// Which rows to hand over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Only the one with this key, which is read by the type of the key column.
    pub key: Option<&'a str>,
    /// At most so many.
    pub limit: Option<u64>,
}

impl Workbench {
    /// The read models of the domain.
    pub fn projections(&self) -> Vec<ProjectionInfo> {
        let info = |projection: &Projection| {
            let mut events: Vec<String> = projection.handlers.keys().map(|(a, e)| format!("{a}.{e}")).collect();
            events.sort_unstable();
            ProjectionInfo {
                name: projection.name.to_string(),
                domain: self.domains.files()[projection.file].name.to_string(),
                description: projection.description.clone(),
                columns: projection.columns.iter().map(|c| (c.name.clone(), c.kind.word().to_owned())).collect(),
                events,
                inline: projection.inline,
            }
        };
        self.domains.projections().map(info).collect()
    }

    /// The columns of a read model, in order.
    pub fn project_columns(&self, name: &str) -> Result<Vec<ColumnInfo>, Error> {
        let projection = projection_of(&self.domains, name)?;
        let numeric = |kind: &Type| matches!(kind, Type::Integer(_) | Type::Decimal(_));
        Ok(projection.columns.iter().map(|c| ColumnInfo { name: c.name.clone(), numeric: numeric(&c.kind) }).collect())
    }

    /// How every read model stands. Nothing is caught up.
    pub fn project_status(&mut self) -> Result<Vec<ProjectionStatus>, Error> {
        let domains = self.domains.clone();
        let head = self.store.head()?.position;
        let generations = self.store.generations()?;
        let mut statuses = Vec::new();
        for projection in domains.projections() {
            let of =
                |served: bool| generations.iter().find(move |g| g.projection == projection.name && g.served == served);
            let (served, building) = (of(true), of(false));
            let checkpoint = served.map_or(Position(0), |g| g.checkpoint);
            let rows = match served {
                Some(generation) => self.store.count(generation.number)?,
                None => 0,
            };
            let freshness = match served {
                None => Freshness::Never,
                Some(generation) if generation.digest != projection.digest => Freshness::Stale,
                Some(generation) if generation.checkpoint < head => Freshness::Behind,
                Some(_) => Freshness::Current,
            };
            statuses.push(ProjectionStatus {
                name: projection.name.to_string(),
                freshness,
                checkpoint,
                head,
                lag: head.0 - checkpoint.0,
                rows,
                digest: projection.digest.to_string(),
                since: served.and_then(|generation| generation.since),
                building: building.map(|generation| generation.checkpoint),
                parked: served.or(building).map_or(0, |generation| generation.parked),
                stopped: [building, served].into_iter().flatten().find_map(|generation| generation.stopped.clone()),
            });
        }
        Ok(statuses)
    }

    /// Hands over rows, ordered by key, as they are.
    pub fn project_rows(
        &mut self,
        name: &str,
        wanted: &Wanted<'_>,
        each: &mut dyn FnMut(Row) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let domains = self.domains.clone();
        let projection = projection_of(&domains, name)?;
        let Some(generation) = self.store.served(name)? else { return Ok(()) };
        Shown::new(projection, generation.number).rows(self.store.as_mut(), wanted, each)
    }

    /// Computes a read model as it was at a moment, from the events up to it, into the store `aside`; gives the number of
    /// its generation there, for [`Workbench::project_shown`].
    pub fn project_past(
        &mut self,
        name: &str,
        at: Moment,
        manner: Manner,
        aside: &mut dyn Store,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<u64, Error> {
        let domains = self.domains.clone();
        let projection = projection_of(&domains, name)?;
        let until = self.position_at(at)?;
        let (_, number) = fill_aside(&domains, projection, until, (self.store.as_mut(), aside), manner, progress)?;
        Ok(number)
    }
}

/// Computes a read model from the events up to a position, into the store `aside`; gives its table and the number of its
/// generation there.
pub(super) fn fill_aside(
    domains: &Domains,
    projection: &Projection,
    until: Position,
    (log, aside): (&mut dyn Store, &mut dyn Store),
    manner: Manner,
    progress: &mut dyn FnMut(Progress),
) -> Result<(Table, u64), Error> {
    let table = table_of(projection);
    let generation = aside.build(&table)?;
    if until > Position(0) {
        let filling = Filling { projection, table: &table, generation: &generation, until: Some(until), manner };
        filling.run(domains, &mut Places { log, aside: Some(aside) }, progress)?;
    }
    Ok((table, generation.number))
}

/// A read model of the domain, or what to say where there is none.
fn projection_of<'d>(domains: &'d Domains, name: &str) -> Result<&'d Projection, Misfit> {
    domains.projection(name).ok_or_else(|| {
        let misfit = Misfit::new(format!("there is no projection `{name}`"));
        match domains.projection_like(name) {
            Some(near) => misfit.hint(format!("did you mean `{near}`?")),
            None => {
                let all: Vec<String> = domains.projections().map(|p| format!("`{}`", p.name)).collect();
                if all.is_empty() {
                    misfit.hint("the domain declares none")
                } else {
                    misfit.hint(format!("there is {}", all.join(", ")))
                }
            }
        }
    })
}

/// The table of a read model, as the store needs to know it.
fn table_of(projection: &Projection) -> Table {
    let columns = projection
        .columns
        .iter()
        .map(|column| Column { name: column.name.as_str().into(), kind: column_kind(&column.kind) });
    Table {
        name: projection.name.clone(),
        columns: columns.collect(),
        indexes: projection.indexes.clone(),
        digest: projection.digest.clone(),
    }
}

fn column_kind(kind: &Type) -> ColumnKind {
    match kind {
        Type::Integer(_) => ColumnKind::Integer,
        Type::Decimal(_) => ColumnKind::Decimal,
        Type::Boolean => ColumnKind::Boolean,
        Type::Text(_) | Type::Date | Type::Timestamp | Type::Uuid => ColumnKind::Text,
        Type::OneOf(members) if members.iter().all(|m| matches!(m, Value::Text(_))) => ColumnKind::Text,
        Type::OneOf(_) | Type::Any | Type::List(_) | Type::Object(_) => ColumnKind::Json,
    }
}
