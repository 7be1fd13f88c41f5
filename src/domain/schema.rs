//! The domain format as JSON Schema, for editors, and the schemas of payloads.
//!
//! `schema.json` is written by hand and says what [`super::definition`], [`super::types`] and [`super::scenario`] read; the
//! tests below hold the two together. What names mean, and what scripts say, only `check` knows.

use super::fields::Fields;
use crate::json::{Object, Value};

/// The dialect of all these schemas.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of a domain file, as a text of several lines.
pub const DOMAIN_FILE: &str = include_str!("schema.json");

/// The schema of a payload as a document of its own.
pub fn document(title: &str, description: &str, fields: &Fields) -> Value {
    let mut document = Object::new();
    let mut put = |key: &str, text: &str| document.insert(key.to_owned(), Value::Text(text.to_owned()));
    put("$schema", DIALECT);
    put("title", title);
    if !description.is_empty() {
        put("description", description);
    }
    if let Value::Object(schema) = fields.json_schema() {
        document.extend(schema);
    }
    Value::Object(document)
}

#[cfg(test)]
mod tests {
    use super::super::keys::{BUILT_IN, LIST_KEYWORDS, NUMBER_KEYWORDS, TEXT_KEYWORDS};
    use super::super::yaml;
    use super::super::{definition, keys};
    use super::*;
    use crate::diagnostic::{Diagnostic, Source};
    use std::collections::BTreeSet;

    fn schema() -> serde_json::Value {
        serde_json::from_str(DOMAIN_FILE).unwrap()
    }

    fn texts(list: &serde_json::Value) -> BTreeSet<String> {
        list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    fn set(words: &[&[&str]]) -> BTreeSet<String> {
        words.concat().into_iter().map(str::to_owned).collect()
    }

    /// The problems that the reader has with the shape of a file, and whether the schema lets it through.
    fn verdicts(text: &str) -> (Vec<Diagnostic>, bool) {
        let source = Source::new("domains/d.yaml", text);
        let mut problems = Vec::new();
        definition::read(&source, &mut problems);
        let data = yaml::parse(&source).unwrap().value(&mut Vec::new()).to_string();
        let validator = jsonschema::draft202012::new(&schema()).unwrap();
        (problems, validator.is_valid(&serde_json::from_str(&data).unwrap()))
    }

    #[test]
    fn the_schema_knows_exactly_the_keys_that_are_read() {
        let schema = schema();
        let with = |words: &[&[&str]]| set(&[words, &[&["type", "description"]]].concat());
        let known = [
            ("", set(&[keys::FILE])),
            ("/$defs/aggregate", set(&[keys::AGGREGATE])),
            ("/$defs/pinned", set(&[keys::STATE])),
            ("/$defs/event", set(&[keys::EVENT])),
            ("/$defs/command", set(&[keys::COMMAND])),
            ("/$defs/projection", set(&[keys::PROJECTION])),
            ("/$defs/process", set(&[keys::PROCESS])),
            ("/$defs/scenario", set(&[keys::SCENARIO])),
            ("/$defs/then", set(&[keys::THEN])),
            ("/$defs/choice", with(&[&["one_of"]])),
            ("/$defs/string", with(&[TEXT_KEYWORDS])),
            ("/$defs/integer", with(&[NUMBER_KEYWORDS])),
            ("/$defs/decimal", with(&[NUMBER_KEYWORDS, &["scale"]])),
            ("/$defs/list", with(&[LIST_KEYWORDS])),
            ("/$defs/object", with(&[&["fields"]])),
            ("/$defs/plain", with(&[])),
        ];
        for (place, keys) in known {
            let part = schema.pointer(place).unwrap();
            let written: BTreeSet<String> = part["properties"].as_object().unwrap().keys().cloned().collect();
            assert_eq!(written, keys, "{place}");
            assert_eq!(part["additionalProperties"], false, "{place}");
        }
        assert_eq!(texts(&schema["properties"]["types"]["propertyNames"]["not"]["enum"]), set(&[BUILT_IN]));
        let keywords = &schema["$defs"]["type"]["then"]["else"]["if"]["propertyNames"]["enum"];
        assert_eq!(texts(keywords), with(&[TEXT_KEYWORDS, NUMBER_KEYWORDS, LIST_KEYWORDS, &["scale", "fields"]]));
        // Every built-in type and `list` and `object` have their own branch; the last one is for named types.
        let branches = schema["$defs"]["keywords"]["allOf"].as_array().unwrap();
        let mut told_apart = BTreeSet::new();
        for branch in &branches[..branches.len() - 1] {
            let of = &branch["if"]["properties"]["type"];
            match of.get("const") {
                Some(one) => drop(told_apart.insert(one.as_str().unwrap().to_owned())),
                None => told_apart.extend(texts(&of["enum"])),
            }
        }
        let all = set(&[BUILT_IN, &["list", "object"]]);
        assert_eq!(told_apart, all);
        assert_eq!(texts(&branches[branches.len() - 1]["if"]["properties"]["type"]["enum"]), all);
    }

    #[test]
    fn the_schema_says_what_the_reader_says() {
        let around = |part: &str| format!("domain: d\naggregates:\n  a:\n    {}\n", part.replace('\n', "\n    "));
        let event = |fields: &str| around(&format!("events:\n  E:\n    fields: {fields}"));
        let projection =
            |more: &str| format!("domain: d\nprojections:\n  p:\n    columns: {{ id: string }}\n    {more}\n");
        let process = |more: &str| format!("domain: d\nprocesses:\n  p:\n    {more}\n");
        let scenario = |more: &str| format!("domain: d\nscenarios:\n  - name: s\n    {more}\n");
        let sound = [
            "domain: d\n".to_owned(),
            "domain: 5\ntypes:\nfunctions: fn f() { 1 }\naggregates:\nprojections:\nscenarios:\n".to_owned(),
            "domain: d\naggregates:\n  a:\n".to_owned(),
            around("state: { n: { type: decimal, initial: 1 }, m: { type: a, other: 1 }, o: {}, p: null }"),
            around("events:\n  E:\ncommands:\n  C: { decide: 1 }\ninvariants:\n  i: true"),
            around(
                "retired: [Old]\nevents:\n  E: { version: 2, was: [F, G], upcast: { 1: event.a = 1 }, fields: { a: any } }",
            ),
            around("retired: Old\nevents:\n  E: { version: 1, was: F }"),
            event(
                "{ a: string, b?: [integer], c: { d: date }, e: { one_of: [1, a, null] }, f: { type: string, g: any } }",
            ),
            event("{ a: { type: string, pattern: x, max_length: 3 }, b: { type: decimal, minimum: 0.5, scale: 2 } }"),
            event(
                "{ a: { type: list, items: { type: integer, multiple_of: 2 }, unique_items: true }, b: { type: list } }",
            ),
            event("{ a: { type: object, fields: { b: uuid }, description: d }, b-c: { type: date, description: 5 } }"),
            "domain: d\ntypes: { M: { type: N, maximum: 3 }, N: integer, T: { type: O, pattern: a }, O: string }\n"
                .to_owned(),
            projection("key: meta.id\n    on:\n      a.E: delete()\n    inline: true\n    indexes: [id, [id]]"),
            projection("key: { a.E: meta.id }\n    on: {}\n    initial: { id: x }"),
            "domain: d\nprocesses:\n".to_owned(),
            process("key: event.id\n    on:\n      a.E: send(`a/${key}`, \"C\")"),
            process("key: { a.E: event.id }\n    on: {}\n    starts: a.E\n    from: start"),
            process("key: 5\n    on:\n    starts: [a.E, a.F]\n    from: end\n    description: 5"),
            process(
                "key: k\n    on: {}\n    state: { n: 1, m: { type: decimal } }\n    on_rejected: { C: done(), a.D: 1 }\n    \
                 on_deadline: { late: done() }",
            ),
            process("key: k\n    on: {}\n    state:\n    on_rejected:\n    on_deadline:"),
            scenario(
                "given:\n      - a/1 E\n      - a/1 E: { n: 1 }\n        at: 2026-01-31\n    when: a/1 C\n    then: nothing",
            ),
            scenario("when:\n      a/1 C: { n: 1 }\n      at: 2026-01-31\n    then:\n      - E\n      - a/2 E: {}"),
            scenario("when: [a/1 C, a/1 D]\n    then: { rejected: no, message: m, details: 1, state: { n: 1 } }"),
            scenario("when:\n      at: 2026-01-31\n    then: { sends: nothing }"),
            scenario("when:\n      - a/1 C\n      - at: 2026-01-31\n    then: { sends: a/1 C, done: p/1 }"),
            scenario(
                "when: a/1 C\n    then: { sends: [a/1 C: { n: 1 }, { a/1 C: {}, rejected: x }], done: [p/1, p/2] }",
            ),
            scenario("when: a/1 C\n    then: { sends: [], done: { p/1: true, p/2: false } }"),
            scenario("when: a/1 C\n    then: { nothing: true, rows: { p: { x: null, y: { z: 1 } } } }"),
        ];
        for text in &sound {
            let (problems, valid) = verdicts(text);
            assert!(problems.is_empty() && valid, "{valid} {problems:?}\n{text}");
        }
        let broken = [
            "aggregates: {}\n".to_owned(),
            "domain: d\nagregates: {}\n".to_owned(),
            "domain: [d]\n".to_owned(),
            "domain: d\naggregates: [a]\n".to_owned(),
            "domain: d\naggregates:\n  5a: {}\n".to_owned(),
            "domain: d\ntypes: { string: integer }\n".to_owned(),
            around("states: {}"),
            around("events:\n  E: { folds: x }"),
            around("events:\n  E: { version: 0 }"),
            around("events:\n  E: { version: two }"),
            around("events:\n  E: { was: { a: b } }"),
            around("events:\n  E: { version: 2, upcast: { first: 1 } }"),
            around("events:\n  E: { fold: { a: 1 } }"),
            around("commands:\n  C: {}"),
            around("commands:\n  C: { decide: 1, fold: 1 }"),
            around("invariants:\n  i: [1]"),
            event("[string]"),
            event("{ 5a: string }"),
            event("{ a: null }"),
            event("{ a: [] }"),
            event("{ a: [string, integer] }"),
            event("{ a: { type: string, minimum: 1 } }"),
            event("{ a: { type: integer, scale: 1 } }"),
            event("{ a: { type: decimal, scale: 29 } }"),
            event("{ a: { type: decimal, minimun: 0 } }"),
            event("{ a: { type: decimal, multiple_of: 0 } }"),
            event("{ a: { type: list, items: [] } }"),
            event("{ a: { type: date, pattern: x } }"),
            event("{ a: { one_of: [] } }"),
            event("{ a: { one_of: [1], minimum: 1 } }"),
            projection("key: meta.id"),
            projection("key: meta.id\n    on: {}\n    inline: maybe"),
            projection("key: meta.id\n    on: {}\n    index: []"),
            "domain: d\nprocesses: [p]\n".to_owned(),
            "domain: d\nprocesses:\n  5p: { key: k, on: {} }\n".to_owned(),
            "domain: d\nprocesses:\n  p:\n".to_owned(),
            process("key: k"),
            process("on: {}"),
            process("key: k\n    on: {}\n    from: middle"),
            process("key: k\n    on: {}\n    from:"),
            process("key: k\n    on: {}\n    starts: { a.E: 1 }"),
            process("key: k\n    on: {}\n    start: a.E"),
            process("key: k\n    on: {}\n    starts: []"),
            process("key: k\n    on: {}\n    starts:"),
            process("key: [k]\n    on: {}"),
            process("key: k\n    on: [a.E]"),
            process("key: k\n    on: { a.E: [1] }"),
            process("key: k\n    on: {}\n    on_rejected: { C: { a: 1 } }"),
            process("key: k\n    on: {}\n    on_deadline: late"),
            process("key: k\n    on: {}\n    state: [n]"),
            scenario("when: a/1 C"),
            scenario("given:\n      - a/1 E: {}\n        version: first\n    when: a/1 C\n    then: nothing"),
            scenario("then: nothing"),
            scenario("when: []\n    then: nothing"),
            scenario("when: C\n    then: nothing"),
            scenario("when: a/1 C\n    then: never"),
            scenario("when: a/1 C\n    then: { events: [], rejected: x }"),
            scenario("when: a/1 C\n    then: { nothing: false }"),
            scenario("when: a/1 C\n    then: { event: [] }"),
            scenario("when:\n      a/1 C: {}\n      a/1 D: {}\n    then: nothing"),
            scenario("when:\n      at: [soon]\n    then: nothing"),
            scenario("when: a/1 C\n    then: { sends: a/1 }"),
            scenario("when: a/1 C\n    then: { sends: [a/1 C: { n: 1 }, { rejected: x }] }"),
            scenario("when: a/1 C\n    then: { done: p }"),
            scenario("when: a/1 C\n    then: { done: { p/1: perhaps } }"),
            scenario("when:\n      a/1 C: 5\n    then: nothing"),
        ];
        for text in &broken {
            let (problems, valid) = verdicts(text);
            assert!(!problems.is_empty() && !valid, "{valid} {problems:?}\n{text}");
        }
    }
}
