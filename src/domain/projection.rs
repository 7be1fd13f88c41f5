//! Read models: what the file says of them, and what they are once they are known to be sound.

use super::definition::{Named, Reader, Section};
use super::fields::{Field, Fields, NumberRules, TextRules, Type};
use super::keys;
use super::yaml::{Content, Key, Node};
use crate::diagnostic::Place;
use crate::json::{self, Object, Value};
use crate::script::project::{AcceptCell, CellRules, Plain, RowRules, Touched};
use crate::script::{Script, ScriptText};
use std::collections::HashMap;
use std::rc::Rc;

/// One entry of `projections`.
#[derive(Debug)]
pub struct ProjectionDefinition {
    /// Its name.
    pub name: Named,
    /// `description`
    pub description: String,
    /// `columns`, as fields.
    pub columns: Fields,
    /// The columns' names with their places.
    pub column_names: Vec<Named>,
    /// `initial`
    pub initial: Vec<(Named, Value)>,
    /// `indexes`: lists of columns.
    pub indexes: Vec<Vec<Named>>,
    /// `key`
    pub key: Option<KeyDefinition>,
    /// `on`: aggregate and event, with the handler.
    pub on: Vec<HandlerDefinition>,
    /// `inline`
    pub inline: bool,
}

/// `key` of a projection or a process: one expression for all events, or one for each.
#[derive(Debug)]
pub enum KeyDefinition {
    /// `key: meta.id`
    One(ScriptText),
    /// `key: { account.Opened: meta.id, … }`
    ByEvent(Vec<(Named, ScriptText)>),
}

/// One entry of `on`.
#[derive(Debug)]
pub struct HandlerDefinition {
    /// `account.Opened`; under `on_rejected` a command, under `on_deadline` a deadline.
    pub about: Named,
    /// The script.
    pub script: ScriptText,
}

/// Reads one entry of `projections`.
pub(super) fn read(reader: &mut Reader<'_>, key: &Key, node: &Node) -> Option<ProjectionDefinition> {
    let name = reader.name(key, "a projection");
    let section = reader.section(node, "a projection", keys::PROJECTION)?;
    let description = reader.description(section);
    let columns = section.get("columns").map(|node| reader.fields(node, "`columns`")).unwrap_or_default();
    let column_names: Vec<Named> = match section.get("columns").map(|node| &node.content) {
        Some(Content::Map(entries)) => entries
            .iter()
            .map(|(key, _)| Named { text: key.text.trim_end_matches('?').to_owned(), place: key.place.clone() })
            .collect(),
        _ => Vec::new(),
    };
    for required in ["columns", "key", "on"] {
        if section.get(required).is_none() {
            reader.problem("missing-key", format!("the projection `{}` has no `{required}`", name.text), &name.place);
        }
    }
    let initial = section.get("initial").and_then(|node| reader.entries(node, "`initial`")).unwrap_or(&[]);
    let initial = initial.iter().map(|(key, node)| (Named::from(key), node.value(reader.problems))).collect();
    let indexes = section.get("indexes").map_or(&[][..], |node| reader.items(node, "`indexes`"));
    let indexes = indexes.iter().map(|node| index(reader, node)).collect();
    let key = keys_of(reader, section);
    let on = handlers(reader, section, "on");
    let inline = section.get("inline").is_some_and(|node| match node.value(reader.problems) {
        Value::Bool(inline) => inline,
        _ => {
            reader.problem("shape", "`inline` is `true` or `false`".to_owned(), &node.place);
            false
        }
    });
    Some(ProjectionDefinition { name, description, columns, column_names, initial, indexes, key, on, inline })
}

/// `key`
pub(super) fn keys_of(reader: &mut Reader<'_>, section: Section<'_>) -> Option<KeyDefinition> {
    let node = section.get("key")?;
    match &node.content {
        Content::Map(entries) => Some(KeyDefinition::ByEvent(
            entries.iter().filter_map(|(k, n)| Some((Named::from(k), reader.script(n, &k.text)?))).collect(),
        )),
        _ => reader.script(node, "key").map(KeyDefinition::One),
    }
}

/// Scripts by what they are about: `on`, and others like it.
pub(super) fn handlers(reader: &mut Reader<'_>, section: Section<'_>, key: &str) -> Vec<HandlerDefinition> {
    let entries = section.get(key).and_then(|node| reader.entries(node, &format!("`{key}`"))).unwrap_or(&[]);
    let handler = |(key, node): &(Key, Node)| {
        Some(HandlerDefinition { about: key.into(), script: reader.script(node, &key.text)? })
    };
    entries.iter().filter_map(handler).collect()
}

fn index(reader: &mut Reader<'_>, node: &Node) -> Vec<Named> {
    match &node.content {
        Content::List(items) => items.iter().filter_map(|item| reader.text(item, "a column")).collect(),
        _ => reader.text(node, "an index").into_iter().collect(),
    }
}

/// A read model.
#[derive(Debug)]
pub struct Projection {
    /// Its name.
    pub name: Box<str>,
    /// What it shows.
    pub description: String,
    /// Index of its file.
    pub file: usize,
    /// Its columns; the first is the key.
    pub columns: Fields,
    /// What a row must be like, and a new one before its first handler.
    pub rows: RowRules,
    /// Lists of columns that are indexed.
    pub indexes: Vec<Vec<Box<str>>>,
    /// What to do with each event, by aggregate and event.
    pub handlers: HashMap<(Box<str>, Box<str>), Handler>,
    /// Whether it is brought up to date in the same transaction as the events.
    pub inline: bool,
    /// The digest of everything that decides what its rows are.
    pub digest: Box<str>,
}

/// What a read model does with one event.
#[derive(Debug)]
pub struct Handler {
    /// Which rows.
    pub key: Rc<Script>,
    /// What happens to each.
    pub script: Script,
    /// Which columns that may change.
    pub touched: Touched,
    /// Where its event is named.
    pub place: Place,
}

impl Projection {
    /// The column that is the key.
    pub fn key_column(&self) -> &str {
        self.columns.iter().next().map_or("", |field| &field.name)
    }

    /// What it asks of its rows.
    pub(crate) fn row_rules(columns: &Fields, initial: &Object) -> RowRules {
        let cells = columns.iter().map(|column| CellRules {
            name: column.name.as_str().into(),
            plain: plain(&column.kind),
            accept: accept(column.clone()),
        });
        RowRules::new(cells.collect(), initial.clone())
    }
}

/// Where a look tells that a value fits.
fn plain(kind: &Type) -> Plain {
    match kind {
        Type::Integer(rules) if *rules == NumberRules::default() => Plain::Integer,
        Type::Decimal(rules) if *rules == NumberRules::default() => Plain::Decimal,
        Type::Text(rules) if *rules == TextRules::default() => Plain::Text,
        Type::Boolean => Plain::Boolean,
        _ => Plain::No,
    }
}

/// Types a value for a column. A decimal column keeps the number, not its digits: `25.10` is `25.1` there, in SQL as in
/// the next handler.
fn accept(column: Field) -> AcceptCell {
    Box::new(move |value| {
        if matches!(value, Value::Null) && (column.optional || column.kind.zero() == Value::Null) {
            return Ok(Value::Null);
        }
        match column.kind.accept(value) {
            Ok(Value::Decimal(decimal)) if matches!(column.kind, Type::Decimal(_)) => {
                Ok(Value::Decimal(decimal.normalize()))
            }
            // What is kept as JSON is for the next handler what it would be if it were read again: `2.0 * 5` put into a
            // list of anything is `10`, an integer.
            Ok(value @ (Value::List(_) | Value::Object(_) | Value::Decimal(_))) => {
                let read = json::parse(&value.to_string()).unwrap_or(value);
                Ok(column.kind.accept(read.clone()).unwrap_or(read))
            }
            Ok(value) => Ok(value),
            Err(found) => Err(found.into_iter().map(|p| format!("{}`: {}", p.pointer, p.message)).collect()),
        }
    })
}
