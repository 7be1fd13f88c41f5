//! Types as the file writes them: a name, `[…]`, `{ … }`, or a map of JSON Schema keywords.

use super::definition::Reader;
use super::fields::{Field, Fields, ListRules, NumberRules, Pattern, TextRules, Type};
use super::keys::{BUILT_IN, LIST_KEYWORDS, NUMBER_KEYWORDS, TEXT_KEYWORDS};
use super::yaml::{Content, Key, Node};
use crate::diagnostic::{list, meant, suggest};
use crate::json::Value;
use rust_decimal::Decimal;
use std::collections::{BTreeMap, HashSet};

/// The deepest nesting of types.
const MAX_DEPTH: usize = 32;
/// The most fields and items that the named types of a file come to, each counted wherever its name is used.
const MAX_SIZE: usize = 50_000;

/// The named types of a file. A name may be used before the line that declares it.
#[derive(Debug, Default)]
pub(super) struct Types {
    declared: BTreeMap<String, Declared>,
    depth: usize,
    /// What was named so far comes to.
    size: usize,
}

#[derive(Debug)]
enum Declared {
    Waiting(Node),
    Reading,
    Known(Type),
}

impl Reader<'_> {
    /// Reads `types`.
    pub(super) fn read_types(&mut self, node: &Node) {
        let Some(entries) = self.entries(node, "`types`") else { return };
        for (key, node) in entries {
            if BUILT_IN.contains(&key.text.as_str()) {
                self.problem("name", format!("`{}` is a type already", key.text), &key.place);
            }
            self.types.declared.insert(key.text.clone(), Declared::Waiting(node.clone()));
        }
        for (key, _) in entries {
            self.named_type(&key.text);
        }
    }

    fn named_type(&mut self, name: &str) -> Option<Type> {
        let node = match self.types.declared.get_mut(name)? {
            Declared::Known(kind) => return Some(kind.clone()),
            Declared::Reading => return None,
            waiting @ Declared::Waiting(_) => match std::mem::replace(waiting, Declared::Reading) {
                Declared::Waiting(node) => node,
                _ => return None,
            },
        };
        let kind = self.read_type(&node).unwrap_or(Type::Any);
        self.types.declared.insert(name.to_owned(), Declared::Known(kind.clone()));
        Some(kind)
    }

    /// A map of fields: `name: type`, `name?: type`.
    pub(super) fn fields(&mut self, node: &Node, what: &str) -> Fields {
        let Some(entries) = self.entries(node, what) else { return Fields::default() };
        let mut fields: Vec<Field> = Vec::with_capacity(entries.len());
        let mut seen = HashSet::with_capacity(entries.len());
        for (key, node) in entries {
            let (name, optional) = match key.text.strip_suffix('?') {
                Some(name) => (name.trim_end(), true),
                None => (key.text.as_str(), false),
            };
            self.field_name(key, name);
            if !seen.insert(name) {
                self.problem("duplicate-key", format!("`{name}` stands here a second time"), &key.place);
                continue;
            }
            let kind = self.read_type(node).unwrap_or(Type::Any);
            let description = match &node.content {
                Content::Map(entries) if keywords(entries) => entries
                    .iter()
                    .find(|(key, _)| key.text == "description")
                    .and_then(|(_, node)| node.scalar().map(|scalar| scalar.text.clone())),
                _ => None,
            };
            let mut field = if optional { Field::optional(name, kind) } else { Field::required(name, kind) };
            field.description = description;
            fields.push(field);
        }
        Fields::new(fields)
    }

    fn field_name(&mut self, key: &Key, name: &str) {
        let legal = name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
            && name.len() <= 64;
        if !legal {
            self.problem("name", format!("`{name}` is no name for a field"), &key.place).hints.push(
                "a name has letters, digits, `_` and `-`, begins with a letter, and is at most 64 long".to_owned(),
            );
        }
    }

    /// A type in any of its forms. `None` where it is wrong, which is then reported.
    pub(super) fn read_type(&mut self, node: &Node) -> Option<Type> {
        if self.types.depth >= MAX_DEPTH {
            self.problem("type", format!("types are nested at most {MAX_DEPTH} deep"), &node.place);
            return None;
        }
        self.types.depth += 1;
        let kind = self.read_type_here(node);
        self.types.depth -= 1;
        kind
    }

    fn read_type_here(&mut self, node: &Node) -> Option<Type> {
        if let Some(tag) = &node.tag {
            self.problem("tag", "YAML tags (`!…`) have no place in a domain file", tag);
        }
        match &node.content {
            Content::Scalar(scalar) if !node.is_null() => self.type_by_name(&scalar.text, node),
            Content::Scalar(_) => {
                self.problem("type", "a type is missing here", &node.place)
                    .hints
                    .push(format!("write {}", list(BUILT_IN)));
                None
            }
            Content::List(items) => match items.as_slice() {
                [one] => Some(Type::list(self.read_type(one)?)),
                _ => {
                    self.problem("type", "a list type names the type of its items once: `[string]`", &node.place);
                    None
                }
            },
            Content::Map(entries) if keywords(entries) => self.keyword_type(entries, node),
            Content::Map(_) => Some(Type::Object(self.fields(node, "a nested type"))),
        }
    }

    fn type_by_name(&mut self, name: &str, node: &Node) -> Option<Type> {
        Some(match name {
            "string" => Type::text(),
            "integer" => Type::integer(),
            "decimal" => Type::decimal(),
            "boolean" => Type::Boolean,
            "date" => Type::Date,
            "timestamp" => Type::Timestamp,
            "uuid" => Type::Uuid,
            "any" => Type::Any,
            name => {
                if let Some(kind) = self.named_type(name) {
                    return self.measured(kind, node);
                }
                if self.types.declared.contains_key(name) {
                    self.problem("type", format!("the type `{name}` is made of itself"), &node.place);
                    return None;
                }
                let known: Vec<String> =
                    BUILT_IN.iter().map(|s| (*s).to_owned()).chain(self.types.declared.keys().cloned()).collect();
                // Names from other schema languages, which are not near in letters.
                let meant = match name {
                    "int" | "i64" | "long" => Some("integer"),
                    "float" | "double" | "number" | "money" => Some("decimal"),
                    "bool" => Some("boolean"),
                    "str" | "text" | "varchar" => Some("string"),
                    "datetime" | "time" | "instant" => Some("timestamp"),
                    "object" | "map" | "json" => Some("any"),
                    _ => suggest(name, known.iter().map(String::as_str)),
                };
                let hint = match meant {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => {
                        format!("a type is {}, a name under `types`, `[type]`, or a map of keywords", list(BUILT_IN))
                    }
                };
                self.problem("unknown-type", format!("there is no type `{name}`"), &node.place).hints.push(hint);
                return None;
            }
        })
    }

    /// A named type where its name is used: names for names for names could come to more than there is memory.
    fn measured(&mut self, kind: Type, node: &Node) -> Option<Type> {
        let (depth, size) = measure(&kind);
        if self.types.depth + depth > MAX_DEPTH + 1 {
            self.problem("type", format!("types are nested at most {MAX_DEPTH} deep"), &node.place);
            return None;
        }
        if self.types.size.saturating_add(size) > MAX_SIZE {
            let words = format!("with this one, the named types come to more than {MAX_SIZE} fields and items");
            self.problem("type", words, &node.place);
            return None;
        }
        self.types.size += size;
        Some(kind)
    }

    /// `{ type: decimal, minimum: 0 }` or `{ one_of: [a, b] }`.
    fn keyword_type(&mut self, entries: &[(Key, Node)], node: &Node) -> Option<Type> {
        let get = |name: &str| entries.iter().find(|(key, _)| key.text == name).map(|(_, node)| node);
        if let Some(members) = get("one_of") {
            self.known_keywords(entries, "a choice", &["one_of", "type"]);
            let Content::List(items) = &members.content else {
                self.problem("type", "`one_of` is a list of values", &members.place);
                return None;
            };
            if items.is_empty() {
                self.problem("type", "`one_of` has no values", &members.place);
            }
            let values: Vec<Value> = items.iter().map(|item| item.value(self.problems)).collect();
            return Some(Type::one_of(values));
        }
        let base = get("type")?;
        let name = self.text(base, "`type`")?;
        match name.text.as_str() {
            "list" => {
                self.known_keywords(entries, "a list", &[&["type"], LIST_KEYWORDS].concat());
                let items = match get("items") {
                    Some(items) => self.read_type(items)?,
                    None => Type::Any,
                };
                let unique_items = get("unique_items").is_some_and(|n| n.scalar().is_some_and(|s| s.text == "true"));
                let (min_items, max_items) = (self.size(get("min_items")), self.size(get("max_items")));
                Some(Type::List(ListRules { items: Box::new(items), min_items, max_items, unique_items }))
            }
            "object" => {
                self.known_keywords(entries, "an object", &["type", "fields"]);
                Some(Type::Object(get("fields").map(|node| self.fields(node, "`fields`")).unwrap_or_default()))
            }
            _ => match self.type_by_name(&name.text, base)? {
                Type::Text(rules) => self.text_rules(entries, rules),
                Type::Integer(rules) => {
                    self.known_keywords(entries, "an integer", &[&["type"], NUMBER_KEYWORDS].concat());
                    Some(Type::Integer(self.number_rules(entries, rules)))
                }
                Type::Decimal(rules) => {
                    self.known_keywords(entries, "a decimal", &[&["type", "scale"], NUMBER_KEYWORDS].concat());
                    Some(Type::Decimal(self.number_rules(entries, rules)))
                }
                other => {
                    self.known_keywords(entries, &format!("`{}`", name.text), &["type"]);
                    let _ = node;
                    Some(other)
                }
            },
        }
    }

    fn text_rules(&mut self, entries: &[(Key, Node)], mut rules: TextRules) -> Option<Type> {
        self.known_keywords(entries, "a string", &[&["type"], TEXT_KEYWORDS].concat());
        for (key, node) in entries {
            match key.text.as_str() {
                "min_length" => rules.min_length = self.size(Some(node)),
                "max_length" => rules.max_length = self.size(Some(node)),
                "pattern" => {
                    let text = self.text(node, "`pattern`")?;
                    match Pattern::new(&text.text) {
                        Ok(pattern) => rules.pattern = Some(pattern),
                        Err(problem) => {
                            self.problem("pattern", problem, &text.place);
                        }
                    }
                }
                _ => {}
            }
        }
        Some(Type::Text(rules))
    }

    fn number_rules(&mut self, entries: &[(Key, Node)], mut rules: NumberRules) -> NumberRules {
        for (key, node) in entries {
            match key.text.as_str() {
                "minimum" => rules.minimum = self.number(node).or(rules.minimum),
                "maximum" => rules.maximum = self.number(node).or(rules.maximum),
                "exclusive_minimum" => rules.exclusive_minimum = self.number(node).or(rules.exclusive_minimum),
                "exclusive_maximum" => rules.exclusive_maximum = self.number(node).or(rules.exclusive_maximum),
                "multiple_of" => {
                    rules.multiple_of = self.number(node).or(rules.multiple_of);
                    if rules.multiple_of.is_some_and(|m| m <= Decimal::ZERO) {
                        self.problem("type", "`multiple_of` is more than 0", &node.place);
                        rules.multiple_of = None;
                    }
                }
                "scale" => {
                    rules.scale = self.size(Some(node)).and_then(|n| u32::try_from(n).ok());
                    if rules.scale.is_some_and(|scale| scale > 28) {
                        self.problem("type", "`scale` is at most 28", &node.place);
                    }
                }
                _ => {}
            }
        }
        rules
    }

    fn number(&mut self, node: &Node) -> Option<Decimal> {
        match node.value(self.problems) {
            Value::Integer(n) => Some(n.into()),
            Value::Decimal(d) => Some(d),
            Value::Null => None,
            other => {
                self.problem("type", format!("a number is expected here, not {}", other.kind_name()), &node.place);
                None
            }
        }
    }

    fn size(&mut self, node: Option<&Node>) -> Option<usize> {
        let node = node?;
        let size = node.scalar().and_then(|scalar| scalar.text.parse().ok());
        if size.is_none() {
            self.problem("type", "a whole number from 0 is expected here", &node.place);
        }
        size
    }

    fn known_keywords(&mut self, entries: &[(Key, Node)], what: &str, known: &[&str]) {
        for (key, _) in entries {
            if key.text == "description" || known.contains(&key.text.as_str()) {
                continue;
            }
            let hint = meant(&key.text, known.iter().copied(), &format!("{what} has"));
            let message = format!("`{}` is no keyword of {what}", key.text);
            self.problem("unknown-key", message, &key.place).hints.extend(hint);
        }
    }
}

/// How deep a type is, and of how many it consists.
fn measure(kind: &Type) -> (usize, usize) {
    let within = |all: &mut dyn Iterator<Item = &Type>| {
        let (depth, size) = all.map(measure).fold((0, 0), |(depth, size), (d, s)| (depth.max(d), size + s));
        (depth + 1, size + 1)
    };
    match kind {
        Type::List(rules) => within(&mut std::iter::once(&*rules.items)),
        Type::Object(fields) => within(&mut fields.iter().map(|field| &field.kind)),
        Type::OneOf(members) => (1, members.len()),
        _ => (1, 1),
    }
}

/// Whether a map is a type with keywords rather than a nested object: `type` names a type, or there is `one_of`.
fn keywords(entries: &[(Key, Node)]) -> bool {
    entries.iter().any(|(key, node)| match key.text.as_str() {
        "one_of" => matches!(node.content, Content::List(_)),
        "type" => {
            node.scalar().is_some_and(|_| !node.is_null())
                && entries.iter().all(|(key, _)| {
                    let key = key.text.as_str();
                    let known =
                        [TEXT_KEYWORDS, NUMBER_KEYWORDS, LIST_KEYWORDS, &["type", "scale", "fields", "description"]];
                    // An object may well have a field called `type`; its other fields then are no keywords.
                    known.iter().any(|words| words.contains(&key)) || suggest(key, known.concat()).is_some()
                })
        }
        _ => false,
    })
}
