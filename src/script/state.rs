//! States: what folding events, or what an instance of a process has seen, has come to.

use super::value::{self, NoData};
use crate::json::{Object, Value};
use rhai::{Dynamic, Identifier, Map};

/// What folding a stream's events has given so far. Changed in place; after a fault it is of no use any more.
#[derive(Debug, Clone, Default)]
pub struct State(pub(super) Dynamic);

impl State {
    /// A state that was written as data, as [`StateRules::value`] gives it.
    pub fn of(data: Object) -> Self {
        Self(Dynamic::from_map(value::from_object(data)))
    }
}

/// A field of the state.
#[derive(Debug, Clone)]
pub struct StateField {
    /// Its name.
    pub name: Identifier,
    /// A field that was pinned to `decimal`: what is written there becomes one.
    pub pin: Pin,
}

/// What a state field is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pin {
    /// Nothing.
    Free,
    /// A decimal; an integer becomes one.
    Decimal,
    /// An integer.
    Integer,
    /// A text.
    Text,
    /// `true` or `false`.
    Boolean,
}

/// What the rules say of states: the fields they have, no more and no less, and what those begin with.
#[derive(Debug)]
pub struct StateRules {
    /// The state before anything happened.
    pub initial: State,
    /// Its fields in declared order.
    pub fields: Vec<StateField>,
    /// Names of the fields, sorted: the keys a state must have after each script that may change it.
    sorted: Vec<Identifier>,
    /// Whether a field is pinned.
    pinned: bool,
}

impl StateRules {
    /// Rules for states with these fields, which begin with these values.
    pub fn new(initial: Object, fields: Vec<StateField>) -> Self {
        let mut sorted: Vec<Identifier> = fields.iter().map(|f| f.name.clone()).collect();
        sorted.sort_unstable();
        let pinned = fields.iter().any(|f| f.pin != Pin::Free);
        let initial = State(Dynamic::from_map(value::from_object(initial)));
        Self { initial, fields, sorted, pinned }
    }

    /// The names of the fields, in the order in which a state has them in memory.
    pub(super) fn sorted(&self) -> &[Identifier] {
        &self.sorted
    }

    /// The state as data, its fields in declared order.
    pub fn value(&self, state: &State) -> Result<Value, NoData> {
        let Ok(map) = state.0.as_map_ref() else { return value::to_value(&state.0) };
        let mut members = Object::with_capacity(self.fields.len());
        for field in &self.fields {
            if let Some(member) = map.get(&field.name) {
                members.insert(field.name.to_string(), value::to_state(member)?);
            }
        }
        Ok(Value::Object(members))
    }

    /// Holds a state to its declared fields after a script changed it; `Err` says what is wrong.
    pub(super) fn settle(&self, state: &mut Dynamic) -> Result<(), String> {
        let Ok(mut map) = state.as_map_mut() else {
            return Err("the state must stay a map of its fields".to_owned());
        };
        if map.len() != self.sorted.len() || !map.keys().eq(self.sorted.iter()) {
            if let Some(extra) = map.keys().find(|key| self.sorted.binary_search(key).is_err()) {
                return Err(format!("the state has no field `{extra}`"));
            }
            let missing = self.sorted.iter().find(|key| !map.contains_key(key.as_str()));
            return Err(format!("the state lost its field `{}`", missing.map_or("", |m| m.as_str())));
        }
        self.hold(&mut map)
    }

    /// The same where its fields are those that it had.
    pub(super) fn hold(&self, state: &mut Map) -> Result<(), String> {
        if self.pinned {
            for field in self.fields.iter().filter(|f| f.pin != Pin::Free) {
                if let Some(value) = state.get_mut(&field.name) {
                    field.hold(value)?;
                }
            }
        }
        Ok(())
    }
}

impl StateField {
    fn hold(&self, value: &mut Dynamic) -> Result<(), String> {
        let fits = match self.pin {
            Pin::Free => true,
            Pin::Decimal => {
                if let Ok(whole) = value.as_int() {
                    *value = Dynamic::from_decimal(whole.into());
                }
                value.is_decimal()
            }
            Pin::Integer => value.is_int(),
            Pin::Text => value.is_string(),
            Pin::Boolean => value.is_bool(),
        };
        if fits {
            Ok(())
        } else {
            Err(format!("`state.{}` is declared as another type than what was written to it", self.name))
        }
    }
}
