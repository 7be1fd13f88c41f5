//! Values made from the types of fields: nearly all such that people could mean them, a few from the edges.

use super::pool::Pool;
use super::random::Random;
use super::{numbers, pattern};
use crate::domain::fields::{Fields, ListRules, NumberRules, TextRules, Type};
use crate::event::{Time, is_control};
use crate::json::{Object, Value};
use jiff::civil::Date;
use jiff::{Span, Timestamp};
use regex_syntax::hir::Hir;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use std::collections::HashMap;

/// Texts that stand for whatever people write.
const WORDS: &[&str] = &["a", "b", "ada", "bob", "eve", "one", "two", "red", "blue", "x1", "Ada Lovelace", "zoë"];
/// Texts that programs stumble over.
const ODD: &[&str] =
    &["", " ", "0", "a b", "null", "true", "it's \"quoted\"", "50%", "a/b", "é日本😀", "${x}", "#1", "-"];
/// The most characters of a text that says nothing of its length.
const LONGEST: usize = 200;
/// Of a hundred values so many are from the edges.
const EDGES: u64 = 4;
/// How often something is tried that may fail.
const ATTEMPTS: u64 = 60;
/// From this depth on nested values are as small as they may be.
const DEEP: usize = 4;

/// Something that no value could be made for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unmet {
    /// The field, as a path: `lines.sku`.
    pub field: String,
    /// Its type, in words.
    pub what: String,
}

/// Makes values. Its numbers are the run's: what it makes depends on all it made before.
#[derive(Debug)]
pub struct Values {
    pub(super) random: Random,
    pub(super) pool: Pool,
    /// The clock of the run, which dates are near to.
    pub(super) now: Time,
    /// What no value could be made for since this was emptied.
    pub(super) unmet: Vec<Unmet>,
    trees: HashMap<String, Option<Hir>>,
}

impl Values {
    /// Values by these numbers, sometimes from that pool.
    pub fn new(random: Random, pool: Pool) -> Self {
        Self { random, pool, now: Time::default(), unmet: Vec::new(), trees: HashMap::new() }
    }

    /// A payload that [`Fields::accept`] takes. `None` where there is none for a field that must be given.
    pub fn payload(&mut self, fields: &Fields) -> Option<Object> {
        self.object(fields, &mut Vec::new(), 0)
    }

    /// What no value could be made for since this was asked last.
    pub fn take_unmet(&mut self) -> Vec<Unmet> {
        std::mem::take(&mut self.unmet)
    }

    fn object(&mut self, fields: &Fields, path: &mut Vec<String>, depth: usize) -> Option<Object> {
        let mut object = Object::with_capacity(fields.len());
        let mut complete = true;
        for field in fields {
            if field.optional && (depth >= DEEP || self.random.chance(40)) {
                continue;
            }
            path.push(field.name.clone());
            match self.value(&field.kind, path, depth + 1) {
                Some(value) => {
                    object.insert(field.name.clone(), value);
                }
                None => complete &= field.optional,
            }
            path.pop();
        }
        complete.then_some(object)
    }

    fn value(&mut self, kind: &Type, path: &mut Vec<String>, depth: usize) -> Option<Value> {
        let edge = self.random.chance(EDGES);
        let made = match kind {
            Type::Object(fields) => return self.object(fields, path, depth).map(Value::Object),
            Type::List(rules) => self.list(rules, edge, path, depth)?,
            Type::Boolean => Some(Value::Bool(self.random.chance(50))),
            Type::Any => Some(self.any(depth)),
            Type::OneOf(members) => self.random.pick(members).cloned(),
            _ if !edge && self.random.chance(70) => match self.known(kind, path.last().map_or("", String::as_str)) {
                Some(known) => Some(known),
                None => self.simple(kind, edge),
            },
            _ => self.simple(kind, edge),
        };
        match made {
            Some(value) if kind.accept(value.clone()).is_ok() => Some(value),
            _ => {
                self.unmet.push(Unmet { field: path.join("."), what: said(kind) });
                None
            }
        }
    }

    /// A text of a certain form, for the id of a stream.
    pub(super) fn form(&mut self, kind: &Type) -> Option<Value> {
        self.simple(kind, false)
    }

    fn simple(&mut self, kind: &Type, edge: bool) -> Option<Value> {
        Some(match kind {
            Type::Text(rules) => Value::Text(self.text(rules, edge)?),
            Type::Integer(rules) => Value::Integer(numbers::number(rules, true, edge, &mut self.random)?.to_i64()?),
            Type::Decimal(rules) => Value::Decimal(numbers::number(rules, false, edge, &mut self.random)?),
            Type::Date => Value::Text(self.date(edge)),
            Type::Timestamp => Value::Text(self.timestamp(edge)),
            Type::Uuid => Value::Text(self.uuid(edge)),
            _ => return None,
        })
    }

    /// Something that was seen, if it fits: best under the same name.
    fn known(&mut self, kind: &Type, name: &str) -> Option<Value> {
        let named = self.pool.under(name);
        if !named.is_empty() && self.random.chance(60) {
            return self.random.pick(named).and_then(|value| kind.accept(value.clone()).ok());
        }
        if let Type::Integer(_) | Type::Decimal(_) = kind {
            return self.known_number(kind);
        }
        if matches!(kind, Type::Text(rules) if rules.pattern.is_none()) {
            let text = match self.random.below(100) {
                // Rather one where something happened lately: it is not at its end yet.
                0..50 if !self.pool.begun.is_empty() => {
                    let length = self.pool.begun.len();
                    let at = self.random.index(length).max(self.random.index(length));
                    self.pool.begun.get(at)
                }
                0..65 => self.random.pick(&self.pool.ids),
                _ => self.random.pick(&self.pool.texts),
            };
            return text.and_then(|text| kind.accept(Value::Text(text.clone())).ok());
        }
        let all = self.pool.ids.iter().chain(&self.pool.texts);
        let fit: Vec<&String> = all.filter(|text| kind.accept(Value::Text((*text).clone())).is_ok()).collect();
        self.random.pick(&fit).map(|text| Value::Text((*text).clone()))
    }

    /// A number that was seen, or one beside it.
    fn known_number(&mut self, kind: &Type) -> Option<Value> {
        let mut number = *self.random.pick(&self.pool.numbers)?;
        if self.random.chance(25) {
            let one = Decimal::new(1, number.scale());
            number = if self.random.chance(50) { number.checked_add(one)? } else { number.checked_sub(one)? };
        }
        let value = match kind {
            Type::Integer(_) => Value::Integer(number.to_i64().filter(|whole| Decimal::from(*whole) == number)?),
            _ => Value::Decimal(number),
        };
        kind.accept(value).ok()
    }

    fn text(&mut self, rules: &TextRules, edge: bool) -> Option<String> {
        let min = rules.min_length.unwrap_or(0);
        let max = rules.max_length.unwrap_or_else(|| min.saturating_add(LONGEST));
        if min > max {
            return None;
        }
        let Some(pattern) = &rules.pattern else {
            let words = if edge { ODD } else { WORDS };
            let mut text: String = self.random.pick(words)?.chars().take(max).collect();
            let length = match (edge, self.random.below(4)) {
                (true, 0) => min,
                (true, 1) => max.min(min.max(LONGEST)),
                _ => text.chars().count().max(min),
            };
            text = text.chars().take(length).collect();
            let missing = length - text.chars().count();
            text.extend(std::iter::repeat_n('x', missing));
            return Some(text);
        };
        let expression = pattern.expression();
        if !self.trees.contains_key(expression) {
            self.trees.insert(expression.to_owned(), pattern::tree(expression));
        }
        let tree = self.trees.get(expression)?.as_ref()?;
        // Texts that grow longer and longer, until one is long enough.
        for attempt in 0..ATTEMPTS {
            let longer = attempt.saturating_sub(ATTEMPTS / 2);
            let mut text = pattern::text(tree, longer, &mut self.random);
            let mut length = text.chars().count();
            // A pattern that is not anchored leaves room around what it asks for.
            while length < min && pattern.matches(&format!("{text}x")) {
                text.push('x');
                length += 1;
            }
            if (min..=max).contains(&length) && !text.contains(is_control) && pattern.matches(&text) {
                return Some(text);
            }
        }
        None
    }

    fn date(&mut self, edge: bool) -> String {
        if edge {
            let edges = ["0000-01-01", "1970-01-01", "2000-02-29", "2024-12-31", "9999-12-31"];
            return self.random.pick(&edges).copied().unwrap_or_default().to_owned();
        }
        let days = i64::try_from(self.random.below(61)).unwrap_or(0) - 20;
        let today = Timestamp::from_microsecond(self.now.micros()).unwrap_or_default();
        let today = today.to_zoned(jiff::tz::TimeZone::UTC).date();
        today.checked_add(Span::new().days(days)).unwrap_or(Date::ZERO).to_string()
    }

    fn timestamp(&mut self, edge: bool) -> String {
        if edge {
            let edges = [
                "0000-01-01T00:00:00Z",
                "1970-01-01T00:00:00Z",
                "2016-12-31T23:59:60Z",
                "2024-02-29T12:00:00.123456789+05:30",
                "9999-12-31T23:59:59Z",
            ];
            return self.random.pick(&edges).copied().unwrap_or_default().to_owned();
        }
        let steps: [(i64, u64); 3] = [(1, 7_200), (3_600, 96), (86_400, 60)];
        let (unit, most) = self.random.pick(&steps).copied().unwrap_or((1, 1));
        let distance =
            unit * (i64::try_from(self.random.below(most)).unwrap_or(0) - i64::try_from(most / 3).unwrap_or(0));
        let micros = self.now.micros().saturating_add(distance * 1_000_000);
        Timestamp::from_microsecond(micros).unwrap_or_default().to_string()
    }

    fn uuid(&mut self, edge: bool) -> String {
        if edge {
            return uuid::Uuid::nil().to_string();
        }
        let bytes = (u128::from(self.random.number()) << 64 | u128::from(self.random.number())).to_be_bytes();
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    fn any(&mut self, depth: usize) -> Value {
        let choices = if depth >= DEEP { 5 } else { 7 };
        match self.random.below(choices) {
            0 => Value::Null,
            1 => Value::Bool(self.random.chance(50)),
            2 => self.simple(&Type::integer(), false).unwrap_or_default(),
            3 => Value::Decimal(Decimal::new(i64::try_from(self.random.below(100_000)).unwrap_or(0) * 10 + 5, 2)),
            4 => self.simple(&Type::text(), false).unwrap_or_default(),
            5 => Value::List((0..self.random.below(3)).map(|_| self.any(depth + 1)).collect()),
            _ => {
                let names = ["a", "b", "c"].into_iter().take(self.random.index(4));
                Value::Object(names.map(|name| (name.to_owned(), self.any(depth + 1))).collect())
            }
        }
    }

    /// The outer `None`: an item could not be made, which is noted already.
    #[allow(clippy::option_option)] // both say that there is no list, but only one of them is for the caller to note
    fn list(&mut self, rules: &ListRules, edge: bool, path: &mut Vec<String>, depth: usize) -> Option<Option<Value>> {
        let min = rules.min_items.unwrap_or(0);
        let more = if depth >= DEEP { 0 } else { 3 };
        let max = rules.max_items.unwrap_or_else(|| min.saturating_add(more));
        if min > max {
            return Some(None);
        }
        let usual = min.saturating_add(more).min(max);
        let length = match (edge, self.random.chance(50)) {
            (true, true) => min,
            (true, false) => max.min(min.max(16)),
            _ => min + self.random.index(usual - min + 1),
        };
        let mut items: Vec<Value> = Vec::new();
        // Of a small type there may be fewer different ones than it takes; the last ones are then left out, or it is unmet.
        let mut attempts = ATTEMPTS;
        let single = Type::List(ListRules { min_items: None, max_items: None, ..rules.clone() });
        while items.len() < length && attempts > 0 {
            let before = self.unmet.len();
            match self.value(&rules.items, path, depth + 1) {
                Some(item) => items.push(item),
                // An empty list needs no items.
                None if min == 0 => {
                    self.unmet.truncate(before);
                    return Some(Some(Value::List(Vec::new())));
                }
                None => return None,
            }
            if rules.unique_items && single.accept(Value::List(items.clone())).is_err() {
                items.pop();
                attempts -= 1;
            }
        }
        Some((items.len() >= min).then_some(Value::List(items)))
    }
}

/// A type for which there is no value, in words.
fn said(kind: &Type) -> String {
    let limits = |min: Option<usize>, max: Option<usize>, what: &str| {
        let words = [min.map(|n| format!("at least {n} {what}")), max.map(|n| format!("at most {n} {what}"))];
        words.into_iter().flatten().collect::<Vec<_>>()
    };
    let mut rules = match kind {
        Type::Text(rules) => {
            let mut words = limits(rules.min_length, rules.max_length, "characters");
            words.extend(rules.pattern.as_ref().map(|pattern| format!("the pattern `{}`", pattern.as_str())));
            words
        }
        Type::Integer(rules) | Type::Decimal(rules) => numeric(rules),
        Type::List(rules) => {
            let mut words = limits(rules.min_items, rules.max_items, "items");
            words.extend(rules.unique_items.then(|| "each once".to_owned()));
            words
        }
        _ => Vec::new(),
    };
    rules.insert(0, kind.name());
    rules.join(", ")
}

fn numeric(rules: &NumberRules) -> Vec<String> {
    let limits = [
        ("at least", rules.minimum),
        ("at most", rules.maximum),
        ("more than", rules.exclusive_minimum),
        ("less than", rules.exclusive_maximum),
        ("a multiple of", rules.multiple_of),
        ("digits after the point at most", rules.scale.map(Decimal::from)),
    ];
    limits.into_iter().filter_map(|(words, limit)| limit.map(|limit| format!("{words} {limit}"))).collect()
}
