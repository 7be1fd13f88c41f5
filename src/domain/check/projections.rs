//! Read models: columns, keys, handlers.

use super::kinds::{self, Wants};
use super::{Checker, PROJECTING, Purpose, VIEWS};
use crate::diagnostic::list;
use crate::domain::definition::Named;
use crate::domain::digest::RulesDigest;
use crate::domain::fields::{Field, Fields, Type};
use crate::domain::projection::{KeyDefinition, ProjectionDefinition};
use crate::domain::{Handler, Projection};
use crate::json::{Object, Value};
use crate::script::kinds::Kind;
use crate::script::{Host, Library, Script, ScriptText, project};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// An entry of `on`: as it is named, its aggregate and event, the event's fields, and the handler.
pub(super) type Handled = (Named, (String, String), Rc<Fields>, ScriptText);

impl Checker<'_> {
    pub(super) fn projection(
        &mut self,
        host: &Host,
        library: &Rc<Library>,
        file: usize,
        definition: ProjectionDefinition,
    ) -> Option<Projection> {
        let name = definition.name.text.clone();
        let lower = name.to_lowercase();
        if lower.starts_with("es_") || lower.starts_with("sqlite_") || VIEWS.contains(&lower.as_str()) {
            self.problem("name", format!("`{name}` is a name of the store's own"), &definition.name.place)
                .hints
                .push(format!("names that begin with `es_` or `sqlite_`, and {} are taken", list(VIEWS)));
        }
        let columns = definition.columns;
        let mut lower_columns = BTreeSet::new();
        for column in &definition.column_names {
            if !lower_columns.insert(column.text.to_lowercase()) {
                self.problem(
                    "duplicate-name",
                    format!("the column `{}` is there already: SQL does not tell case apart", column.text),
                    &column.place,
                );
            }
        }
        if let (Some(first), Some(named)) = (columns.iter().next(), definition.column_names.first())
            && !can_be_key(first)
        {
            self.problem(
                "key-column",
                format!("the first column is the key; `{}` cannot be one", first.name),
                &named.place,
            )
            .hints
            .push("a key is a text or a number, and always there".to_owned());
        }
        let mut initial: Object = columns.iter().map(|c| (c.name.clone(), c.zero())).collect();
        for (column, value) in definition.initial {
            match columns.get(&column.text) {
                Some(field) => match field.kind.accept(value) {
                    Ok(value) => {
                        initial.insert(column.text, value);
                    }
                    Err(found) => {
                        for problem in found {
                            self.problem("initial", format!("`{}`: {}", column.text, problem.message), &column.place);
                        }
                    }
                },
                None => self.no_column(&column, &columns),
            }
        }
        for column in definition.indexes.iter().flatten() {
            if columns.get(&column.text).is_none() {
                self.no_column(column, &columns);
            }
        }
        let row = kinds::row(&columns, &initial);
        let key = columns.iter().next().map_or(Kind::Any, |column| kinds::of(&column.kind));
        let wants =
            columns.iter().next().map_or(Wants::Anything, |column| Wants::Key(column.name.clone(), key.clone()));
        let mut whole = true;
        let mut events: Vec<Handled> = Vec::new();
        for handler in definition.on {
            match self.event_named(&handler.about) {
                Some((aggregate, event, fields)) => {
                    events.push((handler.about, (aggregate, event), fields, handler.script));
                }
                None => whole = false,
            }
        }
        let keys = self.keys((host, library), definition.key, (&events, whole), &wants, "the `key` of a projection");
        whole &= keys.is_some();
        let keys = keys.unwrap_or_default();
        let rows = Projection::row_rules(&columns, &initial);
        let mut handlers = HashMap::new();
        for (named, (aggregate, event), fields, text) in events {
            let purpose = Purpose {
                scope: project::SCOPE,
                kinds: vec![
                    ("row", row.clone()),
                    ("event", kinds::payload("event", &event, &fields)),
                    ("meta", kinds::meta()),
                    ("key", key.clone()),
                    ("exists", Kind::Boolean),
                ],
                aggregate: "",
                wants: Wants::Anything,
                changes: "row",
                calls: PROJECTING,
                what: "a projection's handler",
            };
            let script = self.script(host, library, text, &purpose);
            match (script, keys.get(&(aggregate.clone(), event.clone()))) {
                (Some(script), Some(key)) => {
                    let touched = rows.touched(&script);
                    let handler = Handler { key: key.clone(), script, touched, place: named.place };
                    handlers.insert((aggregate.into(), event.into()), handler);
                }
                _ => whole = false,
            }
        }
        if !whole || columns.is_empty() {
            return None;
        }
        let digest = self.projection_digest(library, &name, &columns, &initial, &definition.indexes, &handlers);
        let indexes =
            definition.indexes.into_iter().map(|index| index.into_iter().map(|c| c.text.into()).collect()).collect();
        Some(Projection {
            name: name.into(),
            description: definition.description,
            file,
            columns,
            rows,
            indexes,
            handlers,
            inline: definition.inline,
            digest,
        })
    }

    /// What says which rows or instances each event concerns; `None` where that is not sound. `whole`: all events are known.
    pub(super) fn keys(
        &mut self,
        (host, library): (&Host, &Rc<Library>),
        definition: Option<KeyDefinition>,
        (events, whole): (&[Handled], bool),
        wants: &Wants,
        what: &'static str,
    ) -> Option<HashMap<(String, String), Rc<Script>>> {
        let key = |checker: &mut Self, event: Kind, text| {
            let purpose = Purpose {
                scope: project::KEY_SCOPE,
                kinds: vec![("event", event), ("meta", kinds::meta())],
                aggregate: "",
                wants: wants.clone(),
                changes: "",
                calls: &[],
                what,
            };
            checker.script(host, library, text, &purpose).map(Rc::new)
        };
        match definition? {
            KeyDefinition::One(text) => {
                let event = if whole { kinds::common(events.iter().map(|e| &*e.2)) } else { Kind::Any };
                let script = key(self, event, text)?;
                Some(events.iter().map(|(_, event, ..)| (event.clone(), script.clone())).collect())
            }
            KeyDefinition::ByEvent(scripts) => {
                let mut keys = HashMap::new();
                let mut sound = whole;
                for (named, text) in scripts {
                    let Some((aggregate, event, fields)) = self.event_named(&named) else {
                        sound = false;
                        continue;
                    };
                    match key(self, kinds::payload("event", &event, &fields), text) {
                        Some(script) => drop(keys.insert((aggregate, event), script)),
                        None => sound = false,
                    }
                }
                for (named, event, ..) in events {
                    if sound && !keys.contains_key(event) {
                        self.problem("missing-key", format!("`key` says nothing of `{}`", named.text), &named.place);
                    }
                }
                sound.then_some(keys)
            }
        }
    }

    pub(super) fn projection_digest(
        &self,
        library: &Library,
        name: &str,
        columns: &Fields,
        initial: &Object,
        indexes: &[Vec<Named>],
        handlers: &HashMap<(Box<str>, Box<str>), Handler>,
    ) -> Box<str> {
        let mut digest = RulesDigest::default();
        digest.text(name).fields(columns).value(&Value::Object(initial.clone()));
        for column in indexes.iter().flatten() {
            digest.text(&column.text);
        }
        let sorted: BTreeMap<_, _> = handlers.iter().collect();
        for ((aggregate, event), handler) in sorted {
            digest.text(aggregate).text(event).scripts([handler.key.text(), handler.script.text()], library.text());
            if let Some(fields) = self.names.events.get(&**aggregate).and_then(|events| events.get(&**event)) {
                digest.fields(fields);
            }
            if let Some(past) = self.names.pasts.get(&(aggregate.to_string(), event.to_string())) {
                digest.text(past);
            }
        }
        digest.finish()
    }

    pub(super) fn no_column(&mut self, column: &Named, columns: &Fields) {
        let message = format!("there is no column `{}`", column.text);
        self.unknown(
            "unknown-column",
            message,
            &column.place,
            &column.text,
            columns.iter().map(|c| c.name.as_str()),
            "the columns are",
        );
    }

    /// `account.Opened` → its aggregate, event and fields.
    pub(super) fn event_named(&mut self, named: &Named) -> Option<(String, String, Rc<Fields>)> {
        let Some((aggregate, event)) = named.text.split_once('.') else {
            self.problem("unknown-event", format!("`{}` names no event", named.text), &named.place)
                .hints
                .push("write the aggregate and the event: `account.Opened`".to_owned());
            return None;
        };
        let fields = self.event_of(aggregate, event, &named.place)?;
        Some((aggregate.to_owned(), event.to_owned(), fields))
    }
}

/// Whether a column can hold keys.
fn can_be_key(column: &Field) -> bool {
    !column.optional && !matches!(column.kind, Type::List(_) | Type::Object(_) | Type::Any | Type::Boolean)
}
