//! Projecting: one event applied to one row of a read model.

use super::direct::{Done, Event, Members, Names, Sight};
use super::fault::Fault;
use super::fold::{Meta, Payload, truth};
use super::host::{Host, Script};
use super::value;
use crate::json::{Object, Value};
use rhai::{Dynamic, Identifier, Map, Scope};

/// The names a handler (`on`) sees, in the order of its scope.
pub const SCOPE: &[&str] = &["row", "event", "meta", "key", "exists"];
/// The names a `key` sees.
pub const KEY_SCOPE: &[&str] = &["event", "meta"];
/// The names a condition on a row sees.
pub const CONDITION_SCOPE: &[&str] = &["row", "exists"];

/// Types a value for a column; or every problem with it, each beginning with its pointer.
pub type AcceptCell = Box<dyn Fn(Value) -> Result<Value, Vec<String>>>;

/// A column of a read model.
pub struct CellRules {
    /// Its name.
    pub name: Identifier,
    /// What can be seen to fit without asking `accept`.
    pub plain: Plain,
    /// Types a value.
    pub accept: AcceptCell,
}

/// The kinds of columns where a look tells whether a value fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// Any integer fits.
    Integer,
    /// Any decimal fits; its zeros at the end go.
    Decimal,
    /// Any text fits.
    Text,
    /// Both booleans fit.
    Boolean,
    /// It takes more than a look.
    No,
}

/// What a read model asks of its rows.
pub struct RowRules {
    /// The columns in their order; the first is the key.
    columns: Vec<CellRules>,
    /// Their names, sorted: the keys of a row.
    sorted: Vec<Identifier>,
    /// A new row, but for its key.
    initial: Map,
}

impl std::fmt::Debug for RowRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowRules").field("columns", &self.sorted).finish_non_exhaustive()
    }
}

/// A row as handlers change it. After a fault it is of no use any more.
#[derive(Debug, Clone)]
pub struct Cells(Dynamic);

/// The columns that a handler may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// Any of them, or the row itself.
    All,
    /// Only these, by their place.
    Only(Vec<usize>),
}

impl RowRules {
    /// Rules for rows of these columns, which begin with these values.
    pub fn new(columns: Vec<CellRules>, initial: Object) -> Self {
        let mut sorted: Vec<Identifier> = columns.iter().map(|column| column.name.clone()).collect();
        sorted.sort_unstable();
        Self { columns, sorted, initial: value::from_object(initial) }
    }

    /// The row that an event begins.
    fn first(&self, key: &RowKey) -> Cells {
        let mut row = self.initial.clone();
        if let Some(column) = self.columns.first() {
            row.insert(column.name.clone(), key.seen.clone());
        }
        Cells(Dynamic::from_map(row))
    }

    /// A row that was stored.
    pub fn stored(&self, row: &[Value]) -> Cells {
        let cell = |(column, cell): (&CellRules, &Value)| {
            // What is kept as JSON does not say which of its whole numbers are decimals.
            let typed = if matches!(column.plain, Plain::No) { (column.accept)(cell.clone()).ok() } else { None };
            (column.name.clone(), value::from_value(typed.unwrap_or_else(|| cell.clone())))
        };
        Cells(Dynamic::from_map(self.columns.iter().zip(row).map(cell).collect()))
    }

    /// What is to be stored of a row.
    pub fn values(&self, cells: &Cells) -> Vec<Value> {
        let Ok(map) = cells.0.as_map_ref() else { return Vec::new() };
        // Each of them was data before, and has been held to its column since.
        let cell = |column: &CellRules| map.get(&column.name).and_then(|cell| value::to_value(cell).ok());
        self.columns.iter().map(|column| cell(column).unwrap_or(Value::Null)).collect()
    }

    /// Which columns a handler may change, as far as its text tells.
    pub fn touched(&self, handler: &Script) -> Touched {
        let facts = handler.facts();
        let place = |name: &str| self.columns.iter().position(|column| column.name == name);
        let mut places: Vec<usize> = Vec::new();
        for access in facts.accesses.iter().filter(|access| access.root == "row") {
            match place(&access.field) {
                Some(place) if places.contains(&place) => {}
                Some(place) => places.push(place),
                None => return Touched::All,
            }
        }
        places.sort_unstable();
        if facts.whole.contains_key("row") { Touched::All } else { Touched::Only(places) }
    }

    /// A row after a handler, held to its columns.
    fn handled(
        &self,
        script: &Script,
        mut row: Dynamic,
        key: &RowKey,
        touched: &Touched,
    ) -> Result<Option<Cells>, Fault> {
        match self.settle(&mut row, &key.value, touched) {
            Ok(()) => Ok(Some(Cells(row))),
            Err(problems) => Err(Fault::new(problems.join("; "), script.text().whole())),
        }
    }

    /// Holds a row to its columns after a handler: each value typed. `Err`: every problem.
    fn settle(&self, row: &mut Dynamic, key: &Value, touched: &Touched) -> Result<(), Vec<String>> {
        let Ok(mut map) = row.as_map_mut() else {
            return Err(vec!["the row must stay a map of its columns".to_owned()]);
        };
        let mut problems = Vec::new();
        match touched {
            Touched::Only(places) => {
                for (place, column) in places.iter().filter_map(|&place| Some((place, self.columns.get(place)?))) {
                    column.settle(&mut map, (place == 0).then_some(key), &mut problems);
                }
            }
            Touched::All => {
                for (place, column) in self.columns.iter().enumerate() {
                    column.settle(&mut map, (place == 0).then_some(key), &mut problems);
                }
                if map.len() > self.columns.len() {
                    let extra = map.keys().filter(|name| self.sorted.binary_search(name).is_err());
                    problems.extend(extra.map(|extra| format!("the row has no column `{extra}`")));
                }
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }
}

impl CellRules {
    fn settle(&self, row: &mut Map, key: Option<&Value>, problems: &mut Vec<String>) {
        let Some(cell) = row.get_mut(&self.name) else {
            problems.push(format!("the row lost its column `{}`", self.name));
            return;
        };
        if key.is_none() && self.fits(cell) {
            return;
        }
        let value = match value::to_value(cell) {
            Ok(value) => value,
            Err(problem) => {
                problems.push(format!("the column `{}`: {problem}", self.name));
                return;
            }
        };
        match key {
            Some(key) if value.same(key) => {}
            Some(_) => problems.push(format!("`row.{}` is the key of the row and cannot be changed", self.name)),
            None => match (self.accept)(value) {
                Ok(value) => *cell = value::from_value(value),
                Err(found) => problems.extend(found.into_iter().map(|problem| format!("`row.{}{problem}", self.name))),
            },
        }
    }

    /// Whether a look tells that a value fits; zeros at the end of a decimal go.
    fn fits(&self, cell: &mut Dynamic) -> bool {
        match self.plain {
            Plain::Integer => cell.is_int(),
            Plain::Text => cell.is_string(),
            Plain::Boolean => cell.is_bool(),
            Plain::Decimal => match cell.as_decimal() {
                Ok(decimal) => {
                    let normal = decimal.normalize();
                    if normal.scale() != decimal.scale() {
                        *cell = Dynamic::from_decimal(normal);
                    }
                    true
                }
                Err(_) => false,
            },
            Plain::No => false,
        }
    }
}

/// The key of a row, as handlers see it.
#[derive(Debug, Clone)]
pub struct RowKey {
    value: Value,
    seen: Dynamic,
}

impl From<Value> for RowKey {
    fn from(value: Value) -> Self {
        let seen = value::from_value(value.clone());
        Self { value, seen }
    }
}

impl RowKey {
    /// As data.
    pub fn value(&self) -> &Value {
        &self.value
    }
}

/// An event on its way to the rows it belongs to: read once, shared by its key and its handler.
#[derive(Debug, Clone, Default)]
pub struct Projected {
    event: Dynamic,
    meta: Dynamic,
}

/// The same with those members of its payload only that are read by its key and its handler, which need no engine.
#[derive(Debug, Clone)]
pub struct Partial {
    members: Members,
    meta: Dynamic,
}

impl Projected {
    /// With the `meta` that its key and its handler read.
    pub fn new(payload: Payload, meta: Meta) -> Self {
        Self { event: payload.0, meta: meta.0 }
    }
}

impl Partial {
    /// With the `meta` that its key and its handler read.
    pub fn new(members: Members, meta: Meta) -> Self {
        Self { members, meta: meta.0 }
    }

    /// The members of an event's payload that scripts read; `None` where one of them needs the engine.
    pub fn reads<'s>(scripts: impl IntoIterator<Item = &'s Script>) -> Option<Names> {
        let mut scripts = scripts.into_iter();
        let first = scripts.next()?.worth_doing()?.reads();
        let mut others: Vec<Identifier> = Vec::new();
        for script in scripts {
            let is_new = |name: &&Identifier| !first.contains(name) && !others.contains(name);
            let new: Vec<Identifier> = script.worth_doing()?.reads().iter().filter(is_new).cloned().collect();
            others.extend(new);
        }
        if others.is_empty() {
            return Some(first.clone());
        }
        Some(first.iter().cloned().chain(others).collect())
    }

    /// The keys of the rows that the event belongs to, where that needs no engine.
    pub fn keys(&self, script: &Script) -> Option<Vec<Value>> {
        let meta = self.meta.as_map_ref().ok();
        let sight = Sight { event: Event::Members(&self.members), meta: meta.as_deref(), ..Sight::NONE };
        let key = value::to_value(&script.worth_doing()?.answer(&Map::new(), sight)?.into_dynamic()).ok()?;
        match key {
            Value::Null => Some(Vec::new()),
            key => Some(vec![key]),
        }
    }

    /// Runs a handler on a row, as [`Host::handle`] does, where that needs no engine. Otherwise the row comes back as it was.
    pub fn handle(
        &self,
        rules: &RowRules,
        (script, touched): (&Script, &Touched),
        key: &RowKey,
        row: Option<Cells>,
    ) -> Result<Result<Option<Cells>, Fault>, Option<Cells>> {
        let Some(direct) = script.worth_doing() else { return Err(row) };
        let exists = row.is_some();
        let mut cells = row.unwrap_or_else(|| rules.first(key));
        let meta = self.meta.as_map_ref().ok();
        let sight = Sight {
            event: Event::Members(&self.members),
            meta: meta.as_deref(),
            key: Some(&key.seen),
            exists,
            ..Sight::NONE
        };
        let done = cells.0.as_map_mut().ok().and_then(|mut own| direct.act(&mut own, sight, |_| true));
        match done {
            None => Err(exists.then_some(cells)),
            Some(Done::Deleted) => Ok(Ok(None)),
            Some(Done::Yes) => Ok(rules.handled(script, cells.0, key, if exists { touched } else { &Touched::All })),
        }
    }
}

impl Host {
    /// The keys of the rows that an event belongs to: none where the script gives `()`.
    pub fn keys(&self, script: &Script, projected: &Projected) -> Result<Vec<Value>, Fault> {
        let mut scope = Scope::new();
        scope.push_dynamic("event", projected.event.clone());
        scope.push_dynamic("meta", projected.meta.clone());
        let answer = self.run(script, &mut scope)?.flatten();
        let whole = || script.text().whole();
        let keys = match value::to_value(&answer) {
            Ok(Value::Null) => Vec::new(),
            Ok(Value::List(keys)) => keys,
            Ok(key) => vec![key],
            Err(problem) => return Err(Fault::new(format!("this is no key: {problem}"), whole())),
        };
        match keys.iter().find(|key| matches!(key, Value::Null | Value::List(_) | Value::Object(_))) {
            Some(wrong) => Err(Fault::new(format!("a key is a text or a number, not {}", wrong.kind_name()), whole())),
            None => Ok(keys),
        }
    }

    /// Whether a condition holds on a row; where there is none, on what a new one begins with.
    pub fn holds_on_row(
        &self,
        condition: &Script,
        rules: &RowRules,
        key: &RowKey,
        row: Option<&Cells>,
    ) -> Result<bool, Fault> {
        let mut scope = Scope::new();
        scope.push_dynamic("row", row.cloned().unwrap_or_else(|| rules.first(key)).0);
        scope.push_constant_dynamic("exists", row.is_some().into());
        truth("a condition", condition, &self.run(condition, &mut scope)?)
    }

    /// Runs a handler on a row: the one there is, or a new one with its first values. Gives the row as it is then, or
    /// `None` where `delete()` was called.
    pub fn handle(
        &self,
        rules: &RowRules,
        (script, touched): (&Script, &Touched),
        projected: Projected,
        key: &RowKey,
        row: Option<Cells>,
    ) -> Result<Option<Cells>, Fault> {
        let exists = row.is_some();
        let mut scope = Scope::new();
        // Pushing values themselves would walk through all of them; moved into their places they stay as they are.
        for name in &SCOPE[..3] {
            scope.push_dynamic(*name, Dynamic::UNIT);
        }
        let mut put = |name: &str, value: Dynamic| {
            if let Some(place) = scope.get_mut(name) {
                *place = value;
            }
        };
        put("row", row.unwrap_or_else(|| rules.first(key)).0);
        put("event", projected.event);
        put("meta", projected.meta);
        scope.push_constant_dynamic("key", key.seen.clone());
        scope.push_constant_dynamic("exists", exists.into());
        self.desk.begin_row();
        let result = self.run(script, &mut scope);
        let deleted = self.desk.end_row();
        let _ = result?;
        if deleted {
            return Ok(None);
        }
        let row = scope.get_mut("row").map(std::mem::take).unwrap_or_default().flatten();
        // A new row has never been looked at.
        rules.handled(script, row, key, if exists { touched } else { &Touched::All })
    }
}
