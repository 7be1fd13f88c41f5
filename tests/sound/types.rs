//! What values of made domains are declared as, and how that is written.

use crate::support::trial::Dice;
use esctl::json::{Object, Value};
use std::fmt::Write;

/// What a value is declared as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    Integer,
    Decimal,
    Boolean,
    Text,
    Date,
    Choice,
    /// A list of them.
    List(Box<Type>),
    /// A nested object.
    Object(Vec<Field>),
    /// A map with any keys, of them: only in the state.
    Open(Box<Type>),
}
/// A field of a payload, of a state or of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub kind: Type,
    pub optional: bool,
}

use Type::{Boolean, Choice, Date, Decimal, Integer, List, Open, Text};

/// What a script sees: an expression, and what it is.
pub type Seen = (String, Type);

/// Texts that values are made of.
pub const WORDS: [&str; 8] = ["a", "bc", "ada", "x y", "2026-01-31", "17", "ä", "Zoe"];

pub fn value(kind: &Type, dice: &mut Dice) -> Value {
    match kind {
        Integer => Value::Integer(i64::try_from(dice.below(40)).unwrap() - 10),
        Decimal => Value::Decimal(format!("{}.5", dice.below(30)).parse().unwrap()),
        Boolean => Value::Bool(dice.below(2) == 0),
        Text => Value::Text(WORDS[dice.below(WORDS.len())].to_owned()),
        Date => Value::Text(format!("2026-0{}-01", 1 + dice.below(9))),
        Choice => Value::Text("red".to_owned()),
        List(of) => Value::List((0..dice.below(3)).map(|_| value(of, dice)).collect()),
        Type::Object(fields) => {
            Value::Object(fields.iter().map(|field| (field.name.clone(), value(&field.kind, dice))).collect())
        }
        Open(_) => Value::Object(Object::new()),
    }
}

/// What can be read of fields, and of the fields of nested objects.
pub fn seen(root: &str, fields: &[Field]) -> Vec<Seen> {
    let mut found = Vec::new();
    for Field { name, kind, optional } in fields {
        let path = format!("{root}.{name}");
        match (optional, kind) {
            (true, Integer) => found.push((format!("({path} ?? 7)"), Integer)),
            (true, Text) => found.push((format!("({path} ?? \"\")"), Text)),
            (true, Decimal) => found.push((format!("({path} ?? 1.5)"), Decimal)),
            (true, _) => {}
            (false, Type::Object(inner)) => {
                found.extend(seen(&path, inner));
                found.push((path, kind.clone()));
            }
            (false, Open(of)) => {
                let default = match **of {
                    Integer => "3",
                    Text => "\"t\"",
                    _ => continue,
                };
                found.push((format!("get({path}, \"a\", {default})"), (**of).clone()));
            }
            (false, kind) => found.push((path, kind.clone())),
        }
    }
    found
}

pub fn zero(kind: &Type) -> &'static str {
    match kind {
        Integer => "0",
        Decimal => "0.5",
        Boolean => "false",
        Text => "\"\"",
        Date => "\"2026-01-01\"",
        Choice => "red",
        List(_) => "[]",
        Type::Object(_) | Open(_) => "{}",
    }
}

pub fn written(kind: &Type) -> String {
    match kind {
        Integer => "integer".into(),
        Decimal => "decimal".into(),
        Boolean => "boolean".into(),
        Text => "string".into(),
        Date => "date".into(),
        Choice => "Choice".into(),
        List(of) => format!("[{}]", written(of)),
        Type::Object(fields) => declared(fields),
        Open(_) => "any".into(),
    }
}

pub fn declared(fields: &[Field]) -> String {
    let field = |f: &Field| format!("{}{}: {}", f.name, if f.optional { "?" } else { "" }, written(&f.kind));
    format!("{{ {} }}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
}

pub fn write_script(text: &mut String, key: &str, script: &str) {
    let depth = key.len() - key.trim_start().len() + 2;
    let _ = writeln!(text, "{key}: |");
    for line in script.lines() {
        let _ = writeln!(text, "{:depth$}{line}", "");
    }
}
