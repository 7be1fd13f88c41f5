//! Values across the border: JSON ⇄ what scripts compute with, exact in both directions.
//!
//! Rhai's serde bridge would pass decimals through floats; nothing here does. An integer stays an integer, a decimal
//! keeps its digits. `null` is `()`.

use crate::json::{self, JsonError, Kind, Number, Object, Reader, Shape, Value};
use rhai::{Array, Dynamic, Map};

/// Why a script's value cannot become data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoData {
    /// A function, a range or another thing that is no data.
    #[error("{0} cannot be stored")]
    Kind(String),
    /// Nested deeper than JSON may be.
    #[error("the value is nested more than {} deep", json::MAX_DEPTH)]
    Deep,
    /// Texts are shared in a script: written out, the value would be larger than anything that is stored.
    #[error("the value is too large: its texts have more than {} MiB", .0 / (1024 * 1024))]
    Large(usize),
}

/// What the texts of a value that a script gives may have together when it becomes data, in bytes.
const MAX_TEXT: usize = 16 * 1024 * 1024;
/// The same of a field of a state, which may have grown over many events.
const MAX_STATE: usize = 256 * 1024 * 1024;

/// Data → script value.
pub fn from_value(value: Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(b) => b.into(),
        Value::Integer(n) => n.into(),
        Value::Decimal(d) => Dynamic::from_decimal(d),
        Value::Text(text) => text.into(),
        Value::List(items) => Dynamic::from_array(items.into_iter().map(from_value).collect()),
        Value::Object(members) => Dynamic::from_map(from_object(members)),
    }
}

/// An object → a script's map.
pub fn from_object(members: Object) -> Map {
    members.into_iter().map(|(key, value)| (key.into(), from_value(value))).collect()
}

/// A typed payload → a script's map; optional fields that are absent read as `()`.
pub fn from_payload(members: Object, shape: &Shape) -> Map {
    let mut map: Map = members
        .into_iter()
        .map(|(key, value)| {
            let value = from_shaped(value, shape.member(&key));
            (key.into(), value)
        })
        .collect();
    fill(&mut map, shape);
    map
}

fn from_shaped(value: Value, shape: &Shape) -> Dynamic {
    match (value, shape) {
        (Value::Object(members), Shape::Object(..)) => Dynamic::from_map(from_payload(members, shape)),
        (Value::List(items), Shape::List(item)) => {
            Dynamic::from_array(items.into_iter().map(|value| from_shaped(value, item)).collect())
        }
        (value, _) => from_value(value),
    }
}

fn fill(map: &mut Map, shape: &Shape) {
    for name in shape.optional() {
        if !map.contains_key(&**name) {
            map.insert((&**name).into(), Dynamic::UNIT);
        }
    }
}

/// Script value → data.
pub fn to_value(value: &Dynamic) -> Result<Value, NoData> {
    to_value_within(value, MAX_TEXT)
}

/// A field of a state → data.
pub fn to_state(value: &Dynamic) -> Result<Value, NoData> {
    to_value_within(value, MAX_STATE)
}

fn to_value_within(value: &Dynamic, most: usize) -> Result<Value, NoData> {
    let mut left = most;
    to_value_at(value, json::MAX_DEPTH, &mut left).map_err(|error| match error {
        NoData::Large(_) => NoData::Large(most),
        other => other,
    })
}

/// `left`: how many bytes of text there is room for.
fn to_value_at(value: &Dynamic, depth: usize, left: &mut usize) -> Result<Value, NoData> {
    if depth == 0 {
        return Err(NoData::Deep);
    }
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        *left = left.checked_sub(text.len()).ok_or(NoData::Large(0))?;
        return Ok(Value::Text(text.to_string()));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Value::Integer(number));
    }
    if let Ok(number) = value.as_decimal() {
        return Ok(Value::Decimal(number));
    }
    if let Ok(truth) = value.as_bool() {
        return Ok(Value::Bool(truth));
    }
    if let Ok(map) = value.as_map_ref() {
        let members: Result<Object, NoData> =
            map.iter().map(|(key, value)| Ok((key.to_string(), to_value_at(value, depth - 1, left)?))).collect();
        return members.map(Value::Object);
    }
    if let Ok(list) = value.as_array_ref() {
        let items: Result<Vec<Value>, NoData> = list.iter().map(|item| to_value_at(item, depth - 1, left)).collect();
        return items.map(Value::List);
    }
    if let Ok(character) = value.as_char() {
        return Ok(Value::Text(character.to_string()));
    }
    Err(NoData::Kind(match value.type_name() {
        "Fn" => "a function".to_owned(),
        other if other.contains("Range") => "a range".to_owned(),
        other => format!("a value of type {}", other.rsplit("::").next().unwrap_or(other)),
    }))
}

/// Stored JSON → script value, in one pass. `shape` says which numbers are decimals even where they are written
/// without a fraction.
pub fn read(text: &str, shape: &Shape) -> Result<Dynamic, JsonError> {
    let mut reader = Reader::new(text);
    let value = read_any(&mut reader, shape)?;
    reader.finish()?;
    Ok(value)
}

pub(super) fn read_any(reader: &mut Reader<'_>, shape: &Shape) -> Result<Dynamic, JsonError> {
    Ok(match reader.peek()? {
        Kind::Null => {
            reader.null()?;
            Dynamic::UNIT
        }
        Kind::Bool => reader.bool()?.into(),
        Kind::Number => match (reader.number()?, shape) {
            (number, Shape::Decimal) => Dynamic::from_decimal(number.to_decimal()),
            (Number::Integer(n), _) => n.into(),
            (Number::Decimal(d), _) => Dynamic::from_decimal(d),
        },
        Kind::Text => reader.text()?.into(),
        Kind::List => {
            let mut items = Array::new();
            let mut more = reader.list_first()?.is_some();
            while more {
                items.push(read_any(reader, shape.item())?);
                more = reader.list_next()?.is_some();
            }
            Dynamic::from_array(items)
        }
        Kind::Object => {
            let mut map = Map::new();
            let mut key: Option<rhai::Identifier> = reader.object_first()?.map(Into::into);
            while let Some(name) = key {
                let value = read_any(reader, shape.member(&name))?;
                map.insert(name, value);
                key = reader.object_next()?.map(Into::into);
            }
            fill(&mut map, shape);
            Dynamic::from_map(map)
        }
    })
}
