//! Projecting: one event applied to one row of a read model.

use super::direct::{Done, Event, Members, Names, Own, Sight};
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
    /// A new row, but for its key.
    initial: Cells,
}

impl std::fmt::Debug for RowRules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&Identifier> = self.columns.iter().map(|column| &column.name).collect();
        f.debug_struct("RowRules").field("columns", &names).finish_non_exhaustive()
    }
}

/// A row as handlers change it: its cells in the order of the columns. After a fault it is of no use any more.
#[derive(Debug, Clone)]
pub struct Cells(Box<[Dynamic]>);

/// The same where a handler finds them by name.
struct Named<'r> {
    columns: &'r [CellRules],
    cells: &'r mut [Dynamic],
}

impl Named<'_> {
    fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

impl Own for Named<'_> {
    fn get(&self, name: &str) -> Option<&Dynamic> {
        self.cells.get(self.place(name)?)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Dynamic> {
        let place = self.place(name)?;
        self.cells.get_mut(place)
    }
}

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
        let mut initial = value::from_object(initial);
        let initial = columns.iter().map(|column| initial.remove(&column.name).unwrap_or(Dynamic::UNIT)).collect();
        Self { columns, initial: Cells(initial) }
    }

    /// The row that an event begins.
    fn first(&self, key: &RowKey) -> Cells {
        let mut row = self.initial.clone();
        if let Some(cell) = row.0.first_mut() {
            *cell = key.0.clone();
        }
        row
    }

    /// A row that was stored.
    pub fn stored(&self, row: &[Value]) -> Cells {
        let cell = |(column, cell): (&CellRules, &Value)| {
            // What is kept as JSON does not say which of its whole numbers are decimals.
            let typed = if matches!(column.plain, Plain::No) { (column.accept)(cell.clone()).ok() } else { None };
            value::from_value(typed.unwrap_or_else(|| cell.clone()))
        };
        Cells(self.columns.iter().zip(row).map(cell).collect())
    }

    /// What is to be stored of a row.
    pub fn values(&self, cells: &Cells) -> Vec<Value> {
        // Each of them was data before, and has been held to its column since.
        cells.0.iter().map(|cell| value::to_value(cell).unwrap_or(Value::Null)).collect()
    }

    /// A row as the engine has it.
    fn map(&self, cells: Cells) -> Dynamic {
        let names = self.columns.iter().map(|column| column.name.clone());
        Dynamic::from_map(names.zip(cells.0).collect())
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

    /// A row after a handler that the engine ran, held to its columns.
    fn handled(&self, script: &Script, row: Dynamic, key: &RowKey, touched: &Touched) -> Result<Option<Cells>, Fault> {
        let Some(mut map) = row.try_cast::<Map>() else {
            return Err(refused(script, &["the row must stay a map of its columns".to_owned()]));
        };
        let mut problems = Vec::new();
        let mut cells = Vec::with_capacity(self.columns.len());
        for (place, column) in self.columns.iter().enumerate() {
            let mut cell = map.remove(&column.name);
            if touched.has(place) {
                match &mut cell {
                    Some(cell) => column.settle(cell, (place == 0).then_some(key), &mut problems),
                    None => problems.push(format!("the row lost its column `{}`", column.name)),
                }
            }
            cells.push(cell.unwrap_or_default());
        }
        problems.extend(map.keys().map(|extra| format!("the row has no column `{extra}`")));
        if problems.is_empty() { Ok(Some(Cells(cells.into()))) } else { Err(refused(script, &problems)) }
    }

    /// The same after one that needed no engine.
    fn settled(
        &self,
        script: &Script,
        mut row: Cells,
        key: &RowKey,
        touched: &Touched,
    ) -> Result<Option<Cells>, Fault> {
        let mut problems = Vec::new();
        for (place, (column, cell)) in self.columns.iter().zip(&mut row.0).enumerate() {
            if touched.has(place) {
                column.settle(cell, (place == 0).then_some(key), &mut problems);
            }
        }
        if problems.is_empty() { Ok(Some(row)) } else { Err(refused(script, &problems)) }
    }
}

fn refused(script: &Script, problems: &[String]) -> Fault {
    Fault::new(problems.join("; "), script.text().whole())
}

impl Touched {
    fn has(&self, place: usize) -> bool {
        match self {
            Self::All => true,
            Self::Only(places) => places.contains(&place),
        }
    }
}

impl CellRules {
    /// Holds a cell to its column after a handler: it is typed.
    fn settle(&self, cell: &mut Dynamic, key: Option<&RowKey>, problems: &mut Vec<String>) {
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
            Some(key) if value.same(&key.value()) => {}
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
pub struct RowKey(Dynamic);

impl From<Value> for RowKey {
    fn from(value: Value) -> Self {
        Self(value::from_value(value))
    }
}

impl RowKey {
    /// As data.
    pub fn value(&self) -> Value {
        // It was made of data.
        value::to_value(&self.0).unwrap_or_default()
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
            key: Some(&key.0),
            exists,
            ..Sight::NONE
        };
        let mut own = Named { columns: &rules.columns, cells: &mut cells.0 };
        match direct.act(&mut own, sight, |_| true) {
            None => Err(exists.then_some(cells)),
            Some(Done::Deleted) => Ok(Ok(None)),
            Some(Done::Yes) => Ok(rules.settled(script, cells, key, if exists { touched } else { &Touched::All })),
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
        scope.push_dynamic("row", rules.map(row.cloned().unwrap_or_else(|| rules.first(key))));
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
        put("row", rules.map(row.unwrap_or_else(|| rules.first(key))));
        put("event", projected.event);
        put("meta", projected.meta);
        scope.push_constant_dynamic("key", key.0.clone());
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
