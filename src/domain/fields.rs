//! Fields and their types: what a payload may hold, and payloads checked whole.
//!
//! The types are a subset of JSON Schema (draft 2020-12) with exact numbers. [`Fields::accept`] is on the way of
//! every command and every event: it moves what it is given, allocates nothing for a payload that is right but
//! the object it returns, and reports all problems of one that is wrong.

use crate::diagnostic::suggest;
use crate::json::{self, Object, Shape, Value, pointer_push, quote};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::collections::HashSet;
use std::fmt;

/// The most problems of one payload that are reported one by one.
const MAX_PROBLEMS: usize = 100;
/// The most names that a hint lists.
const MAX_NAMES: usize = 20;
/// The most bytes a compiled pattern may take.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// The fields of a command, an event or a nested object, in the order in which they were declared. Their names
/// are unique.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields(Vec<Field>);

/// One field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name, without the `?` of an optional field.
    pub name: String,
    /// Whether it may be left out.
    pub optional: bool,
    /// What it may hold.
    pub kind: Type,
    /// What it is for, in the author's words.
    pub description: Option<String>,
}

/// What a field or a column may hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// A string.
    Text(TextRules),
    /// A whole number of 64 bits.
    Integer(NumberRules),
    /// An exact number; it keeps the digits it was written with.
    Decimal(NumberRules),
    /// `true` or `false`.
    Boolean,
    /// A day of the calendar as RFC 3339 writes it: `2026-01-31`.
    Date,
    /// A date and time with an offset as RFC 3339 writes it: `2026-01-31T12:00:00Z`.
    Timestamp,
    /// A UUID in its usual form, of any version.
    Uuid,
    /// Anything, also `null`.
    Any,
    /// A list.
    List(ListRules),
    /// A nested object.
    Object(Fields),
    /// One of these values, made by [`Type::one_of`].
    OneOf(Vec<Value>),
}

/// What a string must be like.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TextRules {
    /// The fewest characters.
    pub min_length: Option<usize>,
    /// The most characters.
    pub max_length: Option<usize>,
    /// What must be found in it.
    pub pattern: Option<Pattern>,
}

/// What a number must be like.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NumberRules {
    /// The least it may be.
    pub minimum: Option<Decimal>,
    /// The most it may be.
    pub maximum: Option<Decimal>,
    /// It must be more than this.
    pub exclusive_minimum: Option<Decimal>,
    /// It must be less than this.
    pub exclusive_maximum: Option<Decimal>,
    /// It must be a whole number of these; more than zero.
    pub multiple_of: Option<Decimal>,
    /// The most digits after the point, counted as written: `10.00` has two. For decimals only.
    pub scale: Option<u32>,
}

/// What a list must be like.
#[derive(Debug, Clone, PartialEq)]
pub struct ListRules {
    /// What each item may be.
    pub items: Box<Type>,
    /// The fewest items.
    pub min_items: Option<usize>,
    /// The most items.
    pub max_items: Option<usize>,
    /// Whether no two items may be the same once they are typed; numbers are compared as numbers.
    pub unique_items: bool,
}

/// A regular expression as JSON Schema has it: it is searched for, so it matches anywhere unless it is anchored,
/// and `\d` and `\w` mean ASCII.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: regex::Regex,
}

/// One thing that is wrong with a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where, as a JSON pointer (RFC 6901), as in `/lines/0/amount`; empty for the whole payload.
    pub pointer: String,
    /// What is wrong: lower case, the user's words in backticks.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Problem {
    /// What is wrong, after the field it is about, unless it names that itself: `` `amount`: expected a number ``.
    pub fn in_words(&self) -> String {
        let field = self.pointer.trim_start_matches('/');
        if field.is_empty() || self.message.contains(&format!("`{field}`")) {
            self.message.clone()
        } else {
            format!("`{field}`: {}", self.message)
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pointer.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", quote(&self.pointer), self.message)
        }
    }
}

impl Field {
    /// A field that must be given.
    pub fn required(name: impl Into<String>, kind: Type) -> Self {
        Self { name: name.into(), optional: false, kind, description: None }
    }

    /// A field that may be left out.
    pub fn optional(name: impl Into<String>, kind: Type) -> Self {
        Self { optional: true, ..Self::required(name, kind) }
    }

    /// What a read model's column of this field starts from: `null` where it may be left out, else [`Type::zero`].
    pub fn zero(&self) -> Value {
        if self.optional { Value::Null } else { self.kind.zero() }
    }
}

impl Fields {
    /// Fields in this order. Names that occur twice are found where the definition is read.
    pub fn new(fields: Vec<Field>) -> Self {
        Self(fields)
    }

    /// The fields in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.0.iter()
    }

    /// The field of that name.
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.0.iter().find(|field| field.name == name)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks a payload whole and types it: the result has the fields in declared order and their numbers are what
    /// the fields say; an optional field given as `null` is left out. If anything is wrong, all of it is reported:
    /// first what is unknown, then field by field.
    pub fn accept(&self, data: Object) -> Result<Object, Vec<Problem>> {
        let mut problems = Problems::default();
        let accepted = self.check(data, &Path::Root, &mut problems);
        problems.finish(accepted)
    }

    /// The JSON Schema (draft 2020-12) of an object with these fields, without `$schema`. It accepts what
    /// [`Fields::accept`] accepts, but for `scale` and the size of numbers, for which it has no keywords.
    pub fn json_schema(&self) -> Value {
        Value::Object(self.schema())
    }

    /// Where in a payload of these fields a number is a decimal, and what may be absent.
    pub fn shape(&self) -> Shape {
        let members: Vec<_> = self
            .iter()
            .map(|field| (Box::from(field.name.as_str()), field.kind.shape()))
            .filter(|(_, shape)| !shape.is_plain())
            .collect();
        let optional: Vec<Box<str>> =
            self.iter().filter(|field| field.optional).map(|field| field.name.as_str().into()).collect();
        if members.is_empty() && optional.is_empty() { Shape::Plain } else { Shape::Object(members, optional) }
    }

    fn check(&self, data: Object, path: &Path<'_>, problems: &mut Problems) -> Object {
        let mut given: Vec<Option<(String, Value)>> = Vec::new();
        given.resize_with(self.0.len(), || None);
        // Payloads mostly come in declared order: the next field is looked at first.
        let mut next = 0;
        for (key, value) in data {
            let is_it = |index: &usize| self.0.get(*index).is_some_and(|field| field.name == key);
            match Some(next).filter(is_it).or_else(|| (0..self.0.len()).find(is_it)) {
                Some(index) => {
                    given[index] = Some((key, value));
                    next = index + 1;
                }
                None => problems.push(&path.name(&key), format!("there is no field `{}`", quote(&key)), || {
                    Some(self.hint_for(&key))
                }),
            }
        }
        let mut accepted = Object::with_capacity(self.0.len());
        for (field, value) in self.0.iter().zip(given) {
            let path = path.name(&field.name);
            match value {
                None | Some((_, Value::Null)) if field.optional => {}
                None => {
                    let message = format!("`{}` is missing, expected {}", quote(&field.name), field.kind.name());
                    problems.push(&path, message, || None);
                }
                Some((key, value)) => {
                    accepted.insert(key, field.kind.check(value, &path, problems));
                }
            }
        }
        accepted
    }

    fn hint_for(&self, unknown: &str) -> String {
        match suggest(unknown, self.iter().map(|field| field.name.as_str())) {
            Some(meant) => format!("did you mean `{meant}`? {}", self.list_names()),
            None => self.list_names(),
        }
    }

    fn list_names(&self) -> String {
        if self.is_empty() {
            return "no fields are declared here".to_owned();
        }
        format!("the fields are {}", list(self.iter().map(|field| field.name.clone())))
    }

    fn schema(&self) -> Object {
        let properties = self.iter().map(|field| {
            let mut schema = field.kind.schema();
            if field.optional {
                allow_null(&mut schema);
            }
            if let Some(description) = &field.description {
                schema.insert("description".to_owned(), Value::Text(description.clone()));
            }
            (field.name.clone(), Value::Object(schema))
        });
        let required = self.iter().filter(|field| !field.optional).map(|field| Value::Text(field.name.clone()));
        let mut schema = Object::new();
        schema.insert("type".to_owned(), text("object"));
        schema.insert("properties".to_owned(), Value::Object(properties.collect()));
        schema.insert("required".to_owned(), Value::List(required.collect()));
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
        schema
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = &'a Field;
    type IntoIter = std::slice::Iter<'a, Field>;
    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Type {
    /// A string without rules.
    pub fn text() -> Self {
        Self::Text(TextRules::default())
    }

    /// An integer without rules.
    pub fn integer() -> Self {
        Self::Integer(NumberRules::default())
    }

    /// A decimal without rules.
    pub fn decimal() -> Self {
        Self::Decimal(NumberRules::default())
    }

    /// A list without rules of its own.
    pub fn list(items: Type) -> Self {
        Self::List(ListRules { items: Box::new(items), min_items: None, max_items: None, unique_items: false })
    }

    /// One of these values. Their numbers are plain, as in [`Type::Any`].
    pub fn one_of(members: impl IntoIterator<Item = Value>) -> Self {
        Self::OneOf(members.into_iter().map(plain).collect())
    }

    /// The type in words, with an article where it takes one.
    pub fn name(&self) -> String {
        match self {
            Self::Text(_) => "a string".to_owned(),
            Self::Integer(_) => "an integer".to_owned(),
            Self::Decimal(_) => "a decimal".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Date => "a date, as `2026-01-31`".to_owned(),
            Self::Timestamp => "a timestamp, as `2026-01-31T12:00:00Z`".to_owned(),
            Self::Uuid => "a uuid, as `018f4e5c-7a3b-7c21-9d4e-5f6a7b8c9d0e`".to_owned(),
            Self::Any => "any value".to_owned(),
            Self::List(_) => "a list".to_owned(),
            Self::Object(_) => "an object".to_owned(),
            Self::OneOf(members) if members.len() == 1 => list(members.iter().map(spoken)),
            Self::OneOf(members) => format!("one of {}", list(members.iter().map(spoken))),
        }
    }

    /// The type as a domain file names it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Text(_) => "string",
            Self::Integer(_) => "integer",
            Self::Decimal(_) => "decimal",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Uuid => "uuid",
            Self::Any => "any",
            Self::List(_) => "list",
            Self::Object(_) => "object",
            Self::OneOf(_) => "one_of",
        }
    }

    /// What a read model's column of this type starts from.
    pub fn zero(&self) -> Value {
        match self {
            Self::Text(_) => Value::Text(String::new()),
            Self::Integer(_) => Value::Integer(0),
            Self::Decimal(_) => Value::Decimal(Decimal::ZERO),
            Self::Boolean => Value::Bool(false),
            Self::List(_) => Value::List(Vec::new()),
            Self::Object(_) => Value::Object(Object::new()),
            // None of these has a value that stands for nothing.
            Self::Date | Self::Timestamp | Self::Uuid | Self::Any | Self::OneOf(_) => Value::Null,
        }
    }

    /// Checks and types one value, like [`Fields::accept`].
    pub fn accept(&self, value: Value) -> Result<Value, Vec<Problem>> {
        let mut problems = Problems::default();
        let accepted = self.check(value, &Path::Root, &mut problems);
        problems.finish(accepted)
    }

    /// Reads the right side of `FIELD=VALUE` by the declared type. Whether the value keeps the type's rules is for
    /// [`Fields::accept`] to say, together with everything else; the error is in words for the user.
    pub fn read(&self, text: &str) -> Result<Value, String> {
        let wrong = || format!("expected {}, found `{}`", self.name(), quote(text));
        match self {
            Self::Text(_) | Self::Date | Self::Timestamp | Self::Uuid => Ok(Value::Text(text.to_owned())),
            Self::Integer(_) | Self::Decimal(_) => json::number(text).map_err(|why| {
                // What is no number at all needs no lesson in how JSON writes them.
                if text.bytes().any(|byte| byte.is_ascii_digit()) { why } else { wrong() }
            }),
            Self::Boolean => match text {
                "true" => Ok(Value::Bool(true)),
                "false" => Ok(Value::Bool(false)),
                _ => Err(wrong()),
            },
            Self::List(_) | Self::Object(_) => json::parse(text)
                .map_err(|error| format!("expected {} written as JSON, found `{}`: {error}", self.name(), quote(text))),
            Self::Any => Ok(json::parse(text).unwrap_or_else(|_| Value::Text(text.to_owned()))),
            Self::OneOf(members) => {
                let number = json::number(text).ok();
                let is_it = |member: &&Value| match member {
                    Value::Text(known) => known == text,
                    Value::Integer(_) | Value::Decimal(_) => number.as_ref().is_some_and(|number| number.same(member)),
                    _ => member.to_string() == text,
                };
                members.iter().find(is_it).cloned().ok_or_else(|| match self.meant(text) {
                    Some(meant) => format!("{}; did you mean `{meant}`?", wrong()),
                    None => wrong(),
                })
            }
        }
    }

    /// Where in a value of this type a number is a decimal.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Decimal(_) => Shape::Decimal,
            Self::List(rules) => match rules.items.shape() {
                Shape::Plain => Shape::Plain,
                item => Shape::List(Box::new(item)),
            },
            Self::Object(fields) => fields.shape(),
            _ => Shape::Plain,
        }
    }

    /// The JSON Schema (draft 2020-12) of this type, without `$schema`.
    pub fn json_schema(&self) -> Value {
        Value::Object(self.schema())
    }

    fn meant<'a>(&'a self, word: &str) -> Option<&'a str> {
        if let Self::OneOf(members) = self { suggest(word, members.iter().filter_map(Value::as_text)) } else { None }
    }

    /// The value as this type has it. Where a problem was found, the result is of no use.
    fn check(&self, value: Value, path: &Path<'_>, problems: &mut Problems) -> Value {
        match (self, value) {
            (Self::Text(rules), Value::Text(text)) => {
                rules.check(&text, path, problems);
                Value::Text(text)
            }
            (Self::Integer(rules), Value::Integer(integer)) => {
                if !rules.is_empty() {
                    rules.check(Decimal::from(integer), path, problems);
                }
                Value::Integer(integer)
            }
            (Self::Integer(rules), Value::Decimal(decimal)) if decimal.is_integer() => match decimal.to_i64() {
                Some(integer) => {
                    rules.check(decimal, path, problems);
                    Value::Integer(integer)
                }
                None => {
                    let message = format!("expected an integer of 64 bits, found `{decimal}`");
                    problems.refuse(path, message)
                }
            },
            (Self::Decimal(rules), Value::Integer(integer)) => {
                let decimal = Decimal::from(integer);
                rules.check(decimal, path, problems);
                Value::Decimal(decimal)
            }
            (Self::Decimal(rules), Value::Decimal(decimal)) => {
                rules.check(decimal, path, problems);
                rules.check_scale(decimal, path, problems);
                Value::Decimal(decimal)
            }
            (Self::Boolean, Value::Bool(truth)) => Value::Bool(truth),
            (Self::Date, Value::Text(text)) if is_date(&text) => Value::Text(text),
            (Self::Timestamp, Value::Text(text)) if is_timestamp(&text) => Value::Text(text),
            (Self::Uuid, Value::Text(text)) if is_uuid(&text) => Value::Text(text),
            (Self::Any, value) => plain(value),
            (Self::List(rules), Value::List(items)) => Value::List(rules.check(items, path, problems)),
            (Self::Object(fields), Value::Object(members)) => Value::Object(fields.check(members, path, problems)),
            (Self::OneOf(members), value) => match members.iter().find(|member| member.same(&value)) {
                Some(member) => member.clone(),
                None => self.refuse(&value, path, problems),
            },
            (_, value) => self.refuse(&value, path, problems),
        }
    }

    #[cold]
    fn refuse(&self, value: &Value, path: &Path<'_>, problems: &mut Problems) -> Value {
        let message = format!("expected {}, found {}", self.name(), found(value));
        problems.push(path, message, || match (self, value) {
            (Self::Integer(_) | Self::Decimal(_), Value::Text(text)) => {
                json::number(text).ok().map(|number| format!("write it without quotes: `{number}`"))
            }
            (Self::Text(_), Value::Integer(_) | Value::Decimal(_) | Value::Bool(_)) => {
                Some(format!("write it in quotes: `\"{value}\"`"))
            }
            (Self::Date, Value::Text(text)) if has_date_form(text.as_bytes()) => {
                Some("the calendar has no such day".to_owned())
            }
            (Self::OneOf(_), Value::Text(text)) => self.meant(text).map(|meant| format!("did you mean `{meant}`?")),
            _ => None,
        });
        Value::Null
    }

    fn schema(&self) -> Object {
        let mut schema = Object::new();
        let mut put = |key: &str, value: Value| {
            schema.insert(key.to_owned(), value);
        };
        match self {
            Self::Text(rules) => {
                put("type", text("string"));
                put_count(&mut put, "minLength", rules.min_length);
                put_count(&mut put, "maxLength", rules.max_length);
                if let Some(pattern) = &rules.pattern {
                    put("pattern", text(pattern.as_str()));
                }
            }
            Self::Integer(rules) | Self::Decimal(rules) => {
                put("type", text(if matches!(self, Self::Integer(_)) { "integer" } else { "number" }));
                for (key, limit) in [
                    ("minimum", rules.minimum),
                    ("maximum", rules.maximum),
                    ("exclusiveMinimum", rules.exclusive_minimum),
                    ("exclusiveMaximum", rules.exclusive_maximum),
                    ("multipleOf", rules.multiple_of),
                ] {
                    if let Some(limit) = limit {
                        put(key, plain(Value::Decimal(limit)));
                    }
                }
            }
            Self::Boolean => put("type", text("boolean")),
            Self::Date | Self::Timestamp | Self::Uuid => {
                put("type", text("string"));
                put(
                    "format",
                    text(match self {
                        Self::Date => "date",
                        Self::Timestamp => "date-time",
                        _ => "uuid",
                    }),
                );
            }
            Self::Any => {}
            Self::List(rules) => {
                put("type", text("array"));
                put("items", rules.items.json_schema());
                put_count(&mut put, "minItems", rules.min_items);
                put_count(&mut put, "maxItems", rules.max_items);
                if rules.unique_items {
                    put("uniqueItems", Value::Bool(true));
                }
            }
            Self::Object(fields) => return fields.schema(),
            Self::OneOf(members) => put("enum", Value::List(members.clone())),
        }
        schema
    }
}

impl TextRules {
    fn check(&self, text: &str, path: &Path<'_>, problems: &mut Problems) {
        if self.min_length.is_some() || self.max_length.is_some() {
            let length = text.chars().count();
            check_count("character", length, self.min_length, self.max_length, path, problems);
        }
        if let Some(pattern) = &self.pattern
            && !pattern.matches(text)
        {
            let message = format!("expected a match of `{}`, found `{}`", quote(pattern.as_str()), quote(text));
            problems.push(path, message, || None);
        }
    }
}

impl NumberRules {
    fn is_empty(&self) -> bool {
        let limits = [self.minimum, self.maximum, self.exclusive_minimum, self.exclusive_maximum, self.multiple_of];
        limits.iter().all(Option::is_none)
    }

    fn check(&self, number: Decimal, path: &Path<'_>, problems: &mut Problems) {
        let broken = [
            ("at least", self.minimum.filter(|limit| number < *limit)),
            ("at most", self.maximum.filter(|limit| number > *limit)),
            ("more than", self.exclusive_minimum.filter(|limit| number <= *limit)),
            ("less than", self.exclusive_maximum.filter(|limit| number >= *limit)),
            ("a multiple of", self.multiple_of.filter(|unit| !is_multiple(number, *unit))),
        ];
        for (words, limit) in broken {
            if let Some(limit) = limit {
                problems.push(path, format!("expected {words} `{limit}`, found `{number}`"), || None);
            }
        }
    }

    fn check_scale(&self, decimal: Decimal, path: &Path<'_>, problems: &mut Problems) {
        let Some(scale) = self.scale.filter(|scale| decimal.scale() > *scale) else {
            return;
        };
        let digits = if scale == 1 { "digit" } else { "digits" };
        let message = format!("expected at most {scale} {digits} after the point, found `{decimal}`");
        problems.push(path, message, || {
            let mut shorter = decimal.normalize();
            if shorter.scale() > scale {
                return None;
            }
            shorter.rescale(scale);
            Some(format!("write `{shorter}`"))
        });
    }
}

impl ListRules {
    fn check(&self, items: Vec<Value>, path: &Path<'_>, problems: &mut Problems) -> Vec<Value> {
        check_count("item", items.len(), self.min_items, self.max_items, path, problems);
        let mut seen = HashSet::new();
        let mut accepted = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let path = path.index(index);
            let before = problems.count();
            let item = self.items.check(item, &path, problems);
            // Compared as typed, for that is what is stored: `{ ref: null }` and `{}` may be the same by then.
            if self.unique_items && problems.count() == before {
                let mut form = String::new();
                write_canonical(&item, &mut form);
                if !seen.insert(form) {
                    problems.push(&path, format!("expected each item once, found {} again", found(&item)), || None);
                }
            }
            accepted.push(item);
        }
        accepted
    }
}

impl Pattern {
    /// Compiles a pattern; the error is in words for the user.
    pub fn new(text: &str) -> Result<Self, String> {
        let refused = |why: &str| format!("`{}` is not a pattern: {why}", quote(text));
        regex::RegexBuilder::new(&ascii_classes(text))
            .size_limit(MAX_PATTERN_BYTES)
            .nest_limit(64)
            .build()
            .map(|regex| Self { text: text.to_owned(), regex })
            .map_err(|error| match error {
                // The library draws the pattern with a caret; its last line says what is wrong.
                regex::Error::Syntax(drawn) => {
                    let last = drawn.lines().last().unwrap_or_default();
                    refused(last.strip_prefix("error: ").unwrap_or(last))
                }
                _ => refused("it grows too large"),
            })
    }

    /// The pattern as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same as the regular expression that is searched for.
    pub fn expression(&self) -> &str {
        self.regex.as_str()
    }

    /// Whether it is found anywhere in a text.
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// Where the check is. It lives on the stack and is written out only if something is wrong there.
enum Path<'a> {
    Root,
    Name(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl<'a> Path<'a> {
    fn name(&'a self, name: &'a str) -> Self {
        Self::Name(self, name)
    }

    fn index(&'a self, index: usize) -> Self {
        Self::Index(self, index)
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Root => {}
            Self::Name(parent, name) => {
                parent.write(out);
                pointer_push(out, name);
            }
            Self::Index(parent, index) => {
                parent.write(out);
                pointer_push(out, &index.to_string());
            }
        }
    }
}

/// What was found wrong so far. Beyond [`MAX_PROBLEMS`] they are only counted: nobody reads more, and a hostile
/// payload must not cost more.
#[derive(Default)]
struct Problems {
    list: Vec<Problem>,
    more: usize,
}

impl Problems {
    #[cold]
    fn push(&mut self, path: &Path<'_>, message: String, hint: impl FnOnce() -> Option<String>) {
        if self.list.len() == MAX_PROBLEMS {
            self.more += 1;
            return;
        }
        let mut pointer = String::new();
        path.write(&mut pointer);
        self.list.push(Problem { pointer, message, hint: hint() });
    }

    #[cold]
    fn refuse(&mut self, path: &Path<'_>, message: String) -> Value {
        self.push(path, message, || None);
        Value::Null
    }

    fn count(&self) -> usize {
        self.list.len() + self.more
    }

    fn finish<T>(mut self, accepted: T) -> Result<T, Vec<Problem>> {
        if self.list.is_empty() {
            return Ok(accepted);
        }
        if self.more > 0 {
            let message = format!("and {} more problems", self.more);
            self.list.push(Problem { pointer: String::new(), message, hint: None });
        }
        Err(self.list)
    }
}

fn check_count(
    what: &str,
    count: usize,
    min: Option<usize>,
    max: Option<usize>,
    path: &Path<'_>,
    problems: &mut Problems,
) {
    let broken = [("at least", min.filter(|limit| count < *limit)), ("at most", max.filter(|limit| count > *limit))];
    for (words, limit) in broken {
        if let Some(limit) = limit {
            let plural = if limit == 1 { "" } else { "s" };
            problems.push(path, format!("expected {words} {limit} {what}{plural}, found {count}"), || None);
        }
    }
}

/// Numbers without fraction become integers where they fit, at any depth: there is no type that says otherwise.
fn plain(value: Value) -> Value {
    match value {
        Value::Decimal(decimal) if decimal.scale() == 0 => match decimal.to_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::Decimal(decimal),
        },
        Value::List(items) => Value::List(items.into_iter().map(plain).collect()),
        Value::Object(mut members) => {
            for member in members.values_mut() {
                *member = plain(std::mem::take(member));
            }
            Value::Object(members)
        }
        other => other,
    }
}

/// Whether `number` is a whole number of `unit`s, without the rounding of a division.
fn is_multiple(number: Decimal, unit: Decimal) -> bool {
    let (a, b) = (number.mantissa().unsigned_abs(), unit.mantissa().unsigned_abs());
    if a == 0 || b == 0 {
        return a == 0;
    }
    if number.scale() <= unit.scale() {
        // 96 bits times ten stay below 128.
        (number.scale()..unit.scale()).fold(a % b, |rest, _| rest * 10 % b) == 0
    } else {
        let scaled = 10_u128.checked_pow(number.scale() - unit.scale()).and_then(|power| b.checked_mul(power));
        scaled.is_some_and(|scaled| a % scaled == 0)
    }
}

/// Equal values have equal forms, however their numbers are written and their members ordered.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Decimal(decimal) => json::write_decimal(decimal.normalize(), out),
        Value::List(items) => {
            out.push('[');
            for item in items {
                write_canonical(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (key, member) in sorted {
                json::write_text(key, out);
                write_canonical(member, out);
                out.push(',');
            }
            out.push('}');
        }
        other => json::write(other, out),
    }
}

/// `YYYY-MM-DD`, whatever the digits.
fn has_date_form(text: &[u8]) -> bool {
    text.len() == 10
        && text.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

/// RFC 3339 `full-date`, and a day of the calendar.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    if !has_date_form(bytes) {
        return false;
    }
    let digit = |at: usize| i16::from(bytes[at] - b'0');
    let year = digit(0) * 1000 + digit(1) * 100 + digit(2) * 10 + digit(3);
    let (month, day) = (digit(5) * 10 + digit(6), digit(8) * 10 + digit(9));
    match (i8::try_from(month), i8::try_from(day)) {
        (Ok(month), Ok(day)) => jiff::civil::Date::new(year, month, day).is_ok(),
        _ => false,
    }
}

/// RFC 3339 `date-time`, with at most nine digits of a second, which is what arithmetic on times keeps.
fn is_timestamp(text: &str) -> bool {
    fn pair(bytes: &[u8], most: u32) -> Option<u32> {
        match bytes {
            [a @ b'0'..=b'9', b @ b'0'..=b'9', ..] => {
                Some(u32::from(a - b'0') * 10 + u32::from(b - b'0')).filter(|number| *number <= most)
            }
            _ => None,
        }
    }
    fn clock(bytes: &[u8]) -> Option<u32> {
        if bytes.get(2) != Some(&b':') {
            return None;
        }
        Some(pair(bytes, 23)? * 60 + pair(bytes.get(3..)?, 59)?)
    }
    fn rest(bytes: &[u8]) -> Option<bool> {
        let [b'T' | b't', time @ ..] = bytes else {
            return Some(false);
        };
        let minutes = clock(time)?;
        if time.get(5) != Some(&b':') {
            return None;
        }
        let seconds = pair(time.get(6..)?, 60)?;
        let mut offset = time.get(8..)?;
        if let [b'.', fraction @ ..] = offset {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if digits == 0 || digits > 9 {
                return None;
            }
            offset = &fraction[digits..];
        }
        let utc = match offset {
            [b'Z' | b'z'] => minutes,
            [sign @ (b'+' | b'-'), distance @ ..] if distance.len() == 5 => {
                let distance = clock(distance)?;
                let day = 24 * 60;
                (if *sign == b'+' { minutes + day - distance } else { minutes + distance }) % day
            }
            _ => return None,
        };
        // A leap second is the last one of a day, in UTC.
        Some(seconds < 60 || utc == 23 * 60 + 59)
    }
    match text.split_at_checked(10) {
        Some((date, time)) => is_date(date) && rest(time.as_bytes()).unwrap_or(false),
        None => false,
    }
}

/// 8-4-4-4-12 hexadecimal digits.
fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// JSON Schema's patterns are those of ECMAScript, where `\d` and `\w` are ASCII; here they would be Unicode.
fn ascii_classes(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        // A class may stand inside another one.
        match rest.next() {
            Some('d') => out.push_str("[0-9]"),
            Some('D') => out.push_str("[^0-9]"),
            Some('w') => out.push_str("[0-9A-Za-z_]"),
            Some('W') => out.push_str("[^0-9A-Za-z_]"),
            escaped => {
                out.push('\\');
                out.extend(escaped);
            }
        }
    }
    out
}

/// A value as a message shows it.
fn found(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("the string `{}`", quote(text)),
        Value::Integer(_) | Value::Decimal(_) => format!("the number `{value}`"),
        Value::Null | Value::Bool(_) => format!("`{value}`"),
        Value::List(_) | Value::Object(_) => value.kind_name().to_owned(),
    }
}

/// A member of `one_of` as it is spoken of: text without quotes.
fn spoken(value: &Value) -> String {
    value.as_text().map_or_else(|| value.to_string(), str::to_owned)
}

/// Names between backticks; of many, only the first.
fn list(names: impl ExactSizeIterator<Item = String>) -> String {
    let count = names.len();
    let mut out = String::new();
    for (index, name) in names.take(MAX_NAMES).enumerate() {
        if index > 0 {
            out.push_str(", ");
        }
        out.push('`');
        out.push_str(&quote(&name));
        out.push('`');
    }
    if count > MAX_NAMES {
        out.push_str(" …");
    }
    out
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn put_count(put: &mut impl FnMut(&str, Value), key: &str, count: Option<usize>) {
    if let Some(count) = count {
        put(key, Value::Integer(i64::try_from(count).unwrap_or(i64::MAX)));
    }
}

/// An optional field may be given as `null`.
fn allow_null(schema: &mut Object) {
    if let Some(kind) = schema.get_mut("type") {
        *kind = Value::List(vec![std::mem::take(kind), text("null")]);
    }
    if let Some(Value::List(members)) = schema.get_mut("enum")
        && !members.contains(&Value::Null)
    {
        members.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        match json::parse(text).unwrap() {
            Value::Object(members) => members,
            other => panic!("{other}"),
        }
    }

    fn decimal(text: &str) -> Option<Decimal> {
        Decimal::from_str_exact(text).ok()
    }

    fn money() -> Type {
        Type::Decimal(NumberRules { exclusive_minimum: decimal("0"), scale: Some(2), ..NumberRules::default() })
    }

    fn deposit() -> Fields {
        Fields::new(vec![Field::required("amount", money()), Field::optional("ref", Type::text())])
    }

    /// The problems of a payload, a line each.
    fn problems(fields: &Fields, data: &str) -> Vec<String> {
        fields
            .accept(object(data))
            .expect_err(data)
            .into_iter()
            .map(|problem| match &problem.hint {
                Some(hint) => format!("{problem} ({hint})"),
                None => problem.to_string(),
            })
            .collect()
    }

    /// What one type makes of a value: its typed form, or what is wrong.
    fn made(kind: &Type, value: &str) -> String {
        match kind.accept(json::parse(value).unwrap()) {
            Ok(value) => {
                let mut out = String::new();
                json::write_typed(&value, &mut out);
                out
            }
            Err(problems) => problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; "),
        }
    }

    #[test]
    fn everything_wrong_is_reported_at_once() {
        assert_eq!(
            problems(&deposit(), r#"{"ammount": 1, "ref": 7, "x/y": 1}"#),
            [
                "/ammount: there is no field `ammount` (did you mean `amount`? the fields are `amount`, `ref`)",
                "/x~1y: there is no field `x/y` (the fields are `amount`, `ref`)",
                "/amount: `amount` is missing, expected a decimal",
                "/ref: expected a string, found the number `7` (write it in quotes: `\"7\"`)",
            ]
        );
        assert_eq!(
            problems(&Fields::default(), r#"{"a": 1}"#),
            ["/a: there is no field `a` (no fields are declared here)"]
        );
    }

    #[test]
    fn a_flood_of_problems_is_counted() {
        let flood: Object = (0..5000).map(|n| (format!("x{n}"), Value::Null)).collect();
        let problems = deposit().accept(flood).unwrap_err();
        assert_eq!(problems.len(), 101);
        assert_eq!(problems[100].message, "and 4901 more problems");
    }

    #[test]
    fn the_result_is_typed_and_in_declared_order() {
        let accepted = deposit().accept(object(r#"{"ref": "r", "amount": 10}"#)).unwrap();
        let accepted = Value::Object(accepted);
        assert_eq!(accepted.to_string(), r#"{"amount":10,"ref":"r"}"#);
        assert_eq!(accepted.get("amount"), Some(&Value::Decimal(Decimal::from(10))));
        let kept = deposit().accept(object(r#"{"amount": 25.10, "ref": null}"#)).unwrap();
        assert_eq!(Value::Object(kept).to_string(), r#"{"amount":25.10}"#);
    }

    #[test]
    fn strings() {
        let kind = Type::Text(TextRules {
            min_length: Some(2),
            max_length: Some(3),
            pattern: Some(Pattern::new("^[a-zé]+$").unwrap()),
        });
        assert_eq!(made(&kind, "\"éa\""), "\"éa\"");
        assert_eq!(
            made(&kind, "\"A\""),
            "expected at least 2 characters, found 1; expected a match of `^[a-zé]+$`, found `A`"
        );
        assert_eq!(made(&kind, "\"abcd\""), "expected at most 3 characters, found 4");
        assert_eq!(made(&kind, "null"), "expected a string, found `null`");
    }

    #[test]
    fn patterns_are_searched_and_bounded() {
        assert!(Pattern::new("b").unwrap().matches("abc"));
        assert!(Pattern::new(r"^[\d.]+$").unwrap().matches("1.2"));
        assert!(!Pattern::new(r"^\d$").unwrap().matches("٣"));
        assert!(Pattern::new(r"^\\d$").unwrap().matches("\\d"));
        assert!(!Pattern::new("^a$").unwrap().matches("a\n"));
        assert_eq!(Pattern::new("(a").unwrap_err(), "`(a` is not a pattern: unclosed group");
        assert_eq!(
            Pattern::new("(?:a{999}){999}").unwrap_err(),
            "`(?:a{999}){999}` is not a pattern: it grows too large"
        );
        assert!(Pattern::new(&"(".repeat(100_000)).is_err());
    }

    #[test]
    fn integers() {
        let kind = Type::integer();
        assert_eq!(made(&kind, "10.0"), "10");
        assert_eq!(made(&kind, "1e2"), "100");
        assert_eq!(made(&kind, "10.5"), "expected an integer, found the number `10.5`");
        assert_eq!(made(&kind, "18446744073709551616"), "expected an integer of 64 bits, found `18446744073709551616`");
        assert_eq!(made(&kind, "true"), "expected an integer, found `true`");
        let even = Type::Integer(NumberRules { multiple_of: decimal("2"), ..NumberRules::default() });
        assert_eq!(made(&even, "3"), "expected a multiple of `2`, found `3`");
        assert_eq!(made(&even, "4.0"), "4");
    }

    #[test]
    fn decimals() {
        assert_eq!(made(&money(), "10"), "10e0");
        assert_eq!(made(&money(), "10.00"), "10.00");
        assert_eq!(made(&money(), "0"), "expected more than `0`, found `0`");
        assert_eq!(
            made(&money(), "-0.001"),
            "expected more than `0`, found `-0.001`; expected at most 2 digits after the point, found `-0.001`"
        );
        assert_eq!(
            problems(&deposit(), r#"{"amount": 1.500}"#),
            ["/amount: expected at most 2 digits after the point, found `1.500` (write `1.50`)"]
        );
        assert_eq!(
            problems(&deposit(), r#"{"amount": "1.5"}"#),
            ["/amount: expected a decimal, found the string `1.5` (write it without quotes: `1.5`)"]
        );
        let within = Type::Decimal(NumberRules {
            minimum: decimal("0.5"),
            maximum: decimal("2"),
            exclusive_maximum: decimal("2"),
            ..NumberRules::default()
        });
        assert_eq!(made(&within, "0.50"), "0.50");
        assert_eq!(made(&within, "0.4"), "expected at least `0.5`, found `0.4`");
        assert_eq!(made(&within, "2"), "expected less than `2`, found `2`");
        assert_eq!(made(&within, "3"), "expected at most `2`, found `3`; expected less than `2`, found `3`");
    }

    #[test]
    fn multiples_are_exact() {
        let is = |number: &str, unit: &str| is_multiple(decimal(number).unwrap(), decimal(unit).unwrap());
        assert!(is("0.3", "0.1"));
        assert!(is("-4.50", "1.5"));
        assert!(is("0", "7"));
        assert!(!is("0.35", "0.1"));
        assert!(is("79228162514264337593543950335", "0.0000000000000000000000000001"));
        assert!(!is("0.0000000000000000000000000001", "79228162514264337593543950335"));
        assert!(!is("1", "0"));
    }

    #[test]
    fn dates_and_times() {
        for (kind, good, bad) in [
            (
                Type::Date,
                &["2026-01-31", "2024-02-29", "0000-01-01", "9999-12-31"][..],
                &["2026-02-29", "2026-13-01", "2026-00-10", "2026-1-31", "20260131", "2026-01-31 ", "+026-01-31", ""][..],
            ),
            (
                Type::Timestamp,
                &[
                    "2026-01-31T12:00:00Z",
                    "2026-01-31t12:00:00.123456789z",
                    "2026-01-31T12:00:00+05:30",
                    "2026-01-31T12:00:00-00:00",
                    "2016-12-31T23:59:60Z",
                    "2017-01-01T00:59:60+01:00",
                ],
                &[
                    "2026-01-31T12:00:00",
                    "2026-01-31 12:00:00Z",
                    "2026-01-31T24:00:00Z",
                    "2026-01-31T12:60:00Z",
                    "2026-01-31T12:00:60Z",
                    "2026-01-31T12:00:00.Z",
                    "2026-01-31T12:00:00.1234567890Z",
                    "2026-01-31T12:00:00+5:30",
                    "2026-01-31T12:00:00+24:00",
                    "2026-02-30T12:00:00Z",
                    "2026-01-31T12:00Z",
                    "2026-01-31",
                    "2026-01-3é",
                ],
            ),
            (
                Type::Uuid,
                &["018f4e5c-7a3b-7c21-9d4e-5f6a7b8c9d0e", "018F4E5C-7A3B-7C21-9D4E-5F6A7B8C9D0E"],
                &["018f4e5c7a3b7c219d4e5f6a7b8c9d0e", "018f4e5c-7a3b-7c21-9d4e-5f6a7b8c9d0g", "{018f4e5c}", ""],
            ),
        ] {
            for text in good {
                assert!(kind.accept(Value::Text((*text).to_owned())).is_ok(), "{text}");
            }
            for text in bad {
                assert!(kind.accept(Value::Text((*text).to_owned())).is_err(), "{text}");
            }
        }
        assert_eq!(
            problems(&Fields::new(vec![Field::required("day", Type::Date)]), r#"{"day": "2026-02-30"}"#),
            ["/day: expected a date, as `2026-01-31`, found the string `2026-02-30` (the calendar has no such day)"]
        );
    }

    #[test]
    fn any_value_has_plain_numbers() {
        assert_eq!(
            made(&Type::Any, r#"{"a":[1e1,2.0,1e20],"b":null}"#),
            r#"{"a":[10,2.0,100000000000000000000e0],"b":null}"#
        );
        assert_eq!(made(&Type::Any, "null"), "null");
    }

    #[test]
    fn lists() {
        let kind = Type::List(ListRules {
            items: Box::new(Type::decimal()),
            min_items: Some(1),
            max_items: Some(3),
            unique_items: true,
        });
        assert_eq!(made(&kind, "[1,2.50]"), "[1e0,2.50]");
        assert_eq!(made(&kind, "[]"), "expected at least 1 item, found 0");
        assert_eq!(
            made(&kind, "[1,1.0,\"x\",4]"),
            "expected at most 3 items, found 4; /1: expected each item once, found the number `1.0` again; \
             /2: expected a decimal, found the string `x`"
        );
        let objects =
            Type::List(ListRules { items: Box::new(Type::Any), min_items: None, max_items: None, unique_items: true });
        assert_eq!(
            made(&objects, r#"[{"a":1,"b":2},{"b":2.0,"a":1}]"#),
            "/1: expected each item once, found an object again"
        );
    }

    #[test]
    fn nested_objects_say_where() {
        let line = Fields::new(vec![Field::required("price", money())]);
        let fields = Fields::new(vec![Field::required("lines", Type::list(Type::Object(line)))]);
        assert_eq!(
            problems(&fields, r#"{"lines": [{"price": 1}, {"price": 0}, {}, 5]}"#),
            [
                "/lines/1/price: expected more than `0`, found `0`",
                "/lines/2/price: `price` is missing, expected a decimal",
                "/lines/3: expected an object, found the number `5`",
            ]
        );
    }

    #[test]
    fn one_of_gives_the_declared_member() {
        let kind =
            Type::one_of([text("open"), text("closed"), json::parse("2.50").unwrap(), json::parse("1e0").unwrap()]);
        assert_eq!(made(&kind, "\"open\""), "\"open\"");
        assert_eq!(made(&kind, "2.5"), "2.50");
        assert_eq!(made(&kind, "1.0"), "1");
        assert_eq!(made(&kind, "\"Open\""), "expected one of `open`, `closed`, `2.50`, `1`, found the string `Open`");
    }

    #[test]
    fn the_command_line_is_read_by_type() {
        let read = |kind: &Type, text: &str| kind.read(text).map(|value| value.to_string());
        assert_eq!(read(&Type::text(), "10"), Ok("\"10\"".to_owned()));
        assert_eq!(read(&Type::decimal(), "25.10"), Ok("25.10".to_owned()));
        assert_eq!(read(&Type::integer(), "x"), Err("expected an integer, found `x`".to_owned()));
        assert!(read(&Type::integer(), "010").unwrap_err().contains("not a number as JSON writes it"));
        assert_eq!(read(&Type::Boolean, "true"), Ok("true".to_owned()));
        assert_eq!(read(&Type::Boolean, "yes"), Err("expected true or false, found `yes`".to_owned()));
        assert_eq!(read(&Type::Any, "{\"a\":1}"), Ok("{\"a\":1}".to_owned()));
        assert_eq!(read(&Type::Any, "{a"), Ok("\"{a\"".to_owned()));
        assert_eq!(read(&Type::list(Type::text()), "[\"a\"]"), Ok("[\"a\"]".to_owned()));
        assert_eq!(
            read(&Type::list(Type::text()), "a"),
            Err("expected a list written as JSON, found `a`: expected a value, found `a` at line 1, column 1"
                .to_owned())
        );
        let kind = Type::one_of([text("open"), Value::Integer(1), Value::Bool(true)]);
        assert_eq!(read(&kind, "open"), Ok("\"open\"".to_owned()));
        assert_eq!(read(&kind, "1.0"), Ok("1".to_owned()));
        assert_eq!(read(&kind, "true"), Ok("true".to_owned()));
        assert_eq!(
            read(&kind, "opne"),
            Err("expected one of `open`, `1`, `true`, found `opne`; did you mean `open`?".to_owned())
        );
    }

    #[test]
    fn zero_values() {
        let zeros: Vec<_> = [
            Type::text(),
            Type::integer(),
            Type::decimal(),
            Type::Boolean,
            Type::list(Type::Any),
            Type::Object(Fields::default()),
            Type::Date,
            Type::Any,
        ]
        .iter()
        .map(Type::zero)
        .collect();
        let mut out = String::new();
        json::write_typed(&Value::List(zeros), &mut out);
        assert_eq!(out, r#"["",0,0e0,false,[],{},null,null]"#);
        assert_eq!(Field::optional("n", Type::integer()).zero(), Value::Null);
    }

    #[test]
    fn shapes_name_only_what_needs_them() {
        let line = Fields::new(vec![Field::required("price", money()), Field::required("n", Type::integer())]);
        let fields = Fields::new(vec![
            Field::required("lines", Type::list(Type::Object(line.clone()))),
            Field::required("tags", Type::list(Type::text())),
        ]);
        let line = Shape::Object(vec![("price".into(), Shape::Decimal)], Vec::new());
        assert_eq!(fields.shape(), Shape::Object(vec![("lines".into(), Shape::List(Box::new(line)))], Vec::new()));
        assert_eq!(Fields::new(vec![Field::required("a", Type::Any)]).shape(), Shape::Plain);
    }

    #[test]
    fn the_schema_is_json_schema() {
        let currency =
            Type::Text(TextRules { pattern: Some(Pattern::new("^[A-Z]{3}$").unwrap()), ..TextRules::default() });
        let fields = Fields::new(vec![
            Field { description: Some("How much.".to_owned()), ..Field::required("amount", money()) },
            Field::optional("currency", currency),
            Field::optional("status", Type::one_of([text("open")])),
        ]);
        assert_eq!(
            fields.json_schema().to_string(),
            r#"{"type":"object","properties":{"amount":{"type":"number","exclusiveMinimum":0,"description":"How much."},"#
                .to_owned()
                + r#""currency":{"type":["string","null"],"pattern":"^[A-Z]{3}$"},"status":{"enum":["open",null]}},"#
                + r#""required":["amount"],"additionalProperties":false}"#
        );
    }
}
