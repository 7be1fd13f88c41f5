//! Kinds: scripts compute with what they see, and give what is wanted of them.

use super::{Checker, Purpose};
use crate::diagnostic::Diagnostic;
use crate::domain::definition::StateDefinition;
use crate::domain::fields::{Field, Fields, Type};
use crate::json::{Object, Value};
use crate::script::Script;
use crate::script::kinds::{Accepts, Kind, Member, Reader, Record, Surroundings};
use crate::script::state::Pin;
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

/// How often the folds of all aggregates are gone through to learn what they put into states.
const ROUNDS: usize = 8;

/// How many statements and expressions are read in all: some tenths of a second. Rules have some thousands.
const BUDGET: usize = 1_000_000;

/// What the value of a script is to be.
#[derive(Debug, Clone)]
pub(super) enum Wants {
    /// It is not looked at.
    Anything,
    /// Nor is it here; but what the script puts into the state is.
    Fold,
    /// The same of a process, whose handlers may fail.
    React,
    /// Instances of a process.
    Instance,
    /// True or false.
    Truth,
    /// Something that fits this column, or a list of that.
    Key(String, Kind),
}

/// A script that compiles, with what it sees.
pub(super) struct Reading {
    script: Script,
    scope: Vec<(&'static str, Kind)>,
    aggregate: String,
    wants: Wants,
}

impl Reading {
    pub(super) fn new(script: &Script, purpose: &Purpose<'_>) -> Self {
        Self {
            script: script.clone(),
            scope: purpose.kinds.clone(),
            aggregate: purpose.aggregate.to_owned(),
            wants: purpose.wants.clone(),
        }
    }
}

impl Checker<'_> {
    /// Reads all scripts that compile.
    pub(super) fn read_kinds(&mut self) {
        let readings = std::mem::take(&mut self.readings);
        let events: HashMap<(&str, &str), Rc<Record>> = (self.names.events.iter())
            .flat_map(|(aggregate, events)| {
                events.iter().map(move |(event, fields)| ((&**aggregate, &**event), record("event", event, fields)))
            })
            .collect();
        let commands: HashMap<(&str, &str), Rc<Record>> = (self.names.commands.iter())
            .flat_map(|(aggregate, commands)| {
                commands.iter().map(move |(name, fields)| ((&**aggregate, &**name), record("command", name, fields)))
            })
            .collect();
        let states = &self.states;
        let budget = Cell::new(BUDGET);
        let event = |aggregate: &str, event: &str| events.get(&(aggregate, event)).cloned();
        let command = |aggregate: &str, command: &str| commands.get(&(aggregate, command)).cloned();
        let state = |aggregate: &str| states.get(aggregate).cloned();
        let read = |reading: &Reading| {
            let scope = reading.scope.clone();
            let folds = matches!(reading.wants, Wants::Fold);
            let around = Surroundings {
                scope,
                aggregate: &reading.aggregate,
                budget: &budget,
                folds,
                event: &event,
                command: &command,
                state: &state,
            };
            Reader::read(&reading.script, &around)
        };
        // What a fold puts into a state another one may read: until nothing new is learnt.
        let folds = || readings.iter().filter(|reading| matches!(reading.wants, Wants::Fold | Wants::React));
        let settled = (0..ROUNDS).any(|_| {
            folds().for_each(|reading| drop(read(reading)));
            // All are asked, so that all begin anew.
            states.values().filter(|state| state.take_learnt()).count() == 0
        });
        if !settled {
            for state in states.values() {
                state.give_up();
            }
        }
        let mut problems = Vec::new();
        for reading in &readings {
            let (value, found) = read(reading);
            problems.extend(found);
            problems.extend(unwanted(&value, reading));
        }
        self.problems.extend(problems);
    }
}

/// What is wrong with the value of a script.
fn unwanted(value: &Kind, reading: &Reading) -> Option<Diagnostic> {
    let place = reading.script.text().whole();
    match (&reading.wants, value) {
        (Wants::Truth, other) if !other.may_be_boolean() => {
            let message = format!("an invariant is true or false, not {}", other.name());
            Some(Diagnostic::error("kind", message).at(place))
        }
        (Wants::Instance, value) => {
            let key = match value.present() {
                Kind::List(of) if matches!(**of, Kind::Nothing | Kind::Maybe(_)) => {
                    let hint = "`()` where an event concerns none, without a list around it";
                    let problem = match **of {
                        Kind::Nothing => Diagnostic::error("kind", "a key in a list cannot be `()`"),
                        _ => {
                            Diagnostic::warning("may-be-absent", "a key in this list may be absent, and cannot be `()`")
                        }
                    };
                    return Some(problem.at(place).hint(hint));
                }
                Kind::List(of) => of,
                other => other,
            };
            if matches!(
                key,
                Kind::Boolean | Kind::List(_) | Kind::Map(_) | Kind::Open(_) | Kind::Record(_) | Kind::Range
            ) {
                let message = format!("the key of an instance is a text or a number, not {}", key.name());
                return Some(Diagnostic::error("kind", message).at(place).hint("`()` where an event concerns none"));
            }
            None
        }
        (Wants::Key(column, wanted), value) => {
            let key = match value.present() {
                Kind::List(of) => of,
                other => other,
            };
            if matches!(key, Kind::Nothing | Kind::Never) || key.fits(wanted) {
                return None;
            }
            let message = format!("the key goes into `{column}`, which is {}, not {}", wanted.name(), key.name());
            Some(Diagnostic::error("kind", message).at(place).hint("a key is a text or a number, or a list of these"))
        }
        _ => None,
    }
}

/// The kind of a declared type.
pub(super) fn of(kind: &Type) -> Kind {
    let kind = match kind {
        Type::Text(_) | Type::Date | Type::Timestamp | Type::Uuid => Kind::Text,
        Type::Integer(_) => Kind::Integer,
        Type::Decimal(_) => Kind::Decimal,
        Type::Boolean => Kind::Boolean,
        Type::Any => Kind::Any,
        Type::List(rules) => Kind::list(of(&rules.items)),
        Type::Object(fields) => Kind::Map(Rc::new(fields.iter().map(|f| (f.name.clone(), of_field(f))).collect())),
        Type::OneOf(members) => members.iter().fold(Kind::Never, |kind, member| kind.join(&of_initial(member))),
    };
    kind.bounded()
}

fn of_field(field: &Field) -> Kind {
    let kind = of(&field.kind);
    if field.optional { kind.maybe() } else { kind }
}

/// The kind of what a state begins with. What is empty may be filled with anything.
fn of_initial(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Nothing,
        Value::Bool(_) => Kind::Boolean,
        Value::Integer(_) => Kind::Integer,
        Value::Decimal(_) => Kind::Decimal,
        Value::Text(_) => Kind::Text,
        Value::List(items) => Kind::list(items.iter().fold(Kind::Never, |kind, item| kind.join(&of_initial(item)))),
        Value::Object(members) if members.is_empty() => Kind::open(Kind::Never),
        Value::Object(members) => {
            Kind::Map(Rc::new(members.iter().map(|(name, value)| (name.clone(), of_initial(value))).collect()))
        }
    }
}

/// A payload: of a command or of an event.
pub(super) fn payload(root: &'static str, name: &str, fields: &Fields) -> Kind {
    Kind::Record(record(root, name, fields))
}

/// The payload of an event as one of its versions left it: any field of any kind, but those in `last` are what they are in
/// the event now.
pub(super) fn earlier(name: &str, fields: &Fields, last: &BTreeSet<&str>) -> Kind {
    let settled = fields.iter().filter(|field| last.contains(field.name.as_str()));
    let members = settled.map(|field| member(&field.name, of_field(field), Some(accepts(field)))).collect();
    Kind::Record(Record::new("event", format!("`{name}`"), members, true))
}

fn record(root: &'static str, name: &str, fields: &Fields) -> Rc<Record> {
    let members = fields.iter().map(|field| member(&field.name, of_field(field), Some(accepts(field)))).collect();
    Record::new(root, format!("`{name}`"), members, false)
}

/// What every one of some events has.
pub(super) fn common<'f>(mut events: impl Iterator<Item = &'f Fields>) -> Kind {
    let Some(first) = events.next() else { return Kind::Any };
    let rest: Vec<&Fields> = events.collect();
    let everywhere = first.iter().filter(|field| rest.iter().all(|fields| fields.get(&field.name).is_some()));
    let members = everywhere.map(|field| {
        let others = rest.iter().filter_map(|fields| fields.get(&field.name));
        let kind = others.fold(of_field(field), |kind, other| kind.join(&of_field(other)));
        Member { name: field.name.as_str().into(), kind, declared: true, accepts: None }
    });
    Kind::Record(Record::new("event", "every event under `on`".to_owned(), members.collect(), false))
}

/// A row: columns keep their types, and begin with what `initial` says.
pub(super) fn row(columns: &Fields, initial: &Object) -> Kind {
    let members = columns.iter().map(|column| {
        let empty = column.optional || initial.get(&column.name).is_none_or(|value| matches!(value, Value::Null));
        let kind = of(&column.kind);
        member(&column.name, if empty { kind.maybe() } else { kind }, Some(accepts(column)))
    });
    Kind::Record(Record::new("row", "the row".to_owned(), members.collect(), false))
}

/// A state: fields with a type keep it, others hold what folds put there.
pub(super) fn state(aggregate: &str, fields: &[StateDefinition]) -> Rc<Record> {
    let members = fields.iter().map(|field| match (&field.pinned, super::aggregates::pin(field.pinned.as_ref())) {
        (Some(kind), Pin::Decimal | Pin::Integer | Pin::Text | Pin::Boolean) => {
            member(&field.name.text, of(kind), None)
        }
        _ => Member {
            name: field.name.text.as_str().into(),
            kind: of_initial(&field.initial).bounded(),
            declared: false,
            accepts: None,
        },
    });
    Record::new("state", format!("the state of `{aggregate}`"), members.collect(), false)
}

/// `meta`: what the event knows, and whatever was added with the command.
pub(super) fn meta() -> Kind {
    let texts = ["stream", "aggregate", "id", "type", "time"].map(|name| (name, Kind::Text));
    let numbers = ["version", "position"].map(|name| (name, Kind::Integer));
    let members = texts.into_iter().chain(numbers).map(|(name, kind)| member(name, kind, None));
    Kind::Record(Record::new("meta", "`meta`".to_owned(), members.collect(), true))
}

/// `rejection`: why a command of a process was rejected.
pub(super) fn rejection() -> Kind {
    let texts = ["code", "message", "stream", "command"].map(|name| member(name, Kind::Text, None));
    let members = texts.into_iter().chain([member("details", Kind::Any, None)]).collect();
    Kind::Record(Record::new("rejection", "`rejection`".to_owned(), members, false))
}

/// `deadline`: which one it is, and when it was due.
pub(super) fn deadline() -> Kind {
    let members = ["name", "due"].map(|name| member(name, Kind::Text, None)).into();
    Kind::Record(Record::new("deadline", "`deadline`".to_owned(), members, false))
}

fn member(name: &str, kind: Kind, accepts: Option<Accepts>) -> Member {
    Member { name: name.into(), kind, declared: true, accepts }
}

/// What a value that stands in a script must be like to be accepted.
fn accepts(field: &Field) -> Accepts {
    let field = field.clone();
    Rc::new(move |value| {
        if field.optional && matches!(value, Value::Null) {
            return Ok(());
        }
        match field.kind.accept(value) {
            Ok(_) => Ok(()),
            Err(problems) => Err(problems.first().map(ToString::to_string).unwrap_or_default()),
        }
    })
}
