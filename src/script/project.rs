//! Projecting: one event applied to one row of a read model.

use super::fault::Fault;
use super::fold::{Meta, Payload};
use super::host::{Host, Script};
use super::value;
use crate::json::{Object, Value};
use rhai::{Dynamic, Map, Scope};

/// The names a handler (`on`) sees, in the order of its scope.
pub const SCOPE: &[&str] = &["row", "event", "meta", "key", "exists"];
/// The names a `key` sees.
pub const KEY_SCOPE: &[&str] = &["event", "meta"];

/// What a handler left behind.
#[derive(Debug, Clone, PartialEq)]
pub enum Handled {
    /// The row as it is now.
    Row(Object),
    /// `delete()` was called: there is to be no row.
    Deleted,
}

/// An event on its way to the rows it belongs to: read once, shared by its key and its handler.
#[derive(Debug)]
pub struct Projected {
    event: Dynamic,
    meta: Dynamic,
}

impl Projected {
    /// `meta` is asked for only where one of the scripts reads it.
    pub fn new(payload: Payload, key: &Script, handler: &Script, meta: impl FnOnce() -> Meta) -> Self {
        let reads = key.facts().reads_root("meta") || handler.facts().reads_root("meta");
        Self { event: payload.0, meta: if reads { meta().0 } else { Dynamic::UNIT } }
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

    /// Runs a handler on a row: the one there is (`exists`), or a new one with its first values.
    pub fn handle(
        &self,
        script: &Script,
        projected: &Projected,
        key: &Value,
        row: Object,
        exists: bool,
    ) -> Result<Handled, Fault> {
        let mut scope = Scope::new();
        scope.push_dynamic("row", Dynamic::from_map(value::from_object(row)));
        scope.push_dynamic("event", projected.event.clone());
        scope.push_dynamic("meta", projected.meta.clone());
        scope.push_constant_dynamic("key", value::from_value(key.clone()));
        scope.push_constant_dynamic("exists", exists.into());
        self.desk.begin_row();
        let result = self.run(script, &mut scope);
        let deleted = self.desk.end_row();
        let _ = result?;
        if deleted {
            return Ok(Handled::Deleted);
        }
        let whole = || script.text().whole();
        let row = scope.get_mut("row").map(std::mem::take).unwrap_or_default().flatten();
        let Some(row) = row.try_cast::<Map>() else {
            return Err(Fault::new("the row must stay a map of its columns", whole()));
        };
        let mut columns = Object::with_capacity(row.len());
        for (name, cell) in row {
            match value::to_value(&cell) {
                Ok(cell) => columns.insert(name.to_string(), cell),
                Err(problem) => return Err(Fault::new(format!("the column `{name}`: {problem}"), whole())),
            };
        }
        Ok(Handled::Row(columns))
    }
}
