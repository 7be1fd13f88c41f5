//! `esctl schema`

use crate::support::{Folder, sources};
use esctl::diagnostic::Source;
use esctl::domain::yaml;
use insta::assert_snapshot;
use serde_json::Value;
use std::fs;

/// The schema of domain files as it is printed.
fn schema() -> jsonschema::Validator {
    let printed: Value = serde_json::from_str(&Folder::empty().esctl("schema").done()).unwrap();
    jsonschema::draft202012::options().should_validate_formats(true).build(&printed).unwrap()
}

/// A domain file as an editor has it before it: as data.
fn data(name: &str, text: &str) -> Value {
    let mut problems = Vec::new();
    let data = yaml::parse(&Source::new(name, text)).unwrap().value(&mut problems);
    assert!(problems.is_empty(), "{name}: {problems:?}");
    serde_json::from_str(&data.to_string()).unwrap()
}

#[test]
fn examples_are_valid_by_the_schema() {
    let schema = schema();
    let folders = ["domains", "tests/fixtures/format-4"];
    let files = folders.iter().flat_map(|folder| fs::read_dir(sources().join(folder)).unwrap());
    let mut seen = 0;
    for file in files.map(|entry| entry.unwrap().path()).filter(|file| file.extension().is_some_and(|e| e == "yaml")) {
        let text = fs::read_to_string(&file).unwrap();
        let found: Vec<_> = schema.iter_errors(&data("domains/a.yaml", &text)).map(|e| format!("{e}")).collect();
        assert!(found.is_empty(), "{}: {found:?}", file.display());
        seen += 1;
    }
    assert!(seen >= 3, "the examples are gone");
    // The file that the handbook writes out has nearly every key.
    let handbook = fs::read_to_string(sources().join("docs/domain-format.md")).unwrap();
    let written: Vec<_> =
        handbook.split(".yaml <<'END'\n").skip(1).map(|rest| rest.split("\nEND\n").next().unwrap()).collect();
    assert!(written.len() >= 3, "the handbook's files are gone");
    for text in written.iter().filter(|text| text.starts_with("domain: library") || text.starts_with("scenarios:")) {
        assert!(schema.is_valid(&data("domains/a.yaml", text)), "{text}");
    }
}

#[test]
fn a_file_with_an_unknown_key_is_not_valid() {
    let schema = schema();
    for name in ["unknown-key", "bad-type", "no-name"] {
        let text = fs::read_to_string(sources().join(format!("tests/broken/{name}.yaml"))).unwrap();
        let valid = schema.is_valid(&data("domains/a.yaml", &text));
        // That a name means nothing is not for a schema to say.
        assert_eq!(valid, name == "bad-type", "{name}");
    }
}

#[test]
fn every_key_of_a_valid_file_matters() {
    let schema = schema();
    let text = fs::read_to_string(sources().join("domains/bank.yaml")).unwrap();
    let whole = data("domains/bank.yaml", &text);
    assert!(schema.is_valid(&whole));
    for place in [
        "",
        "/aggregates/account",
        "/aggregates/account/events/Opened",
        "/aggregates/account/commands/Open",
        "/projections/balances",
        "/scenarios/0",
        "/scenarios/0/then",
        "/types/Money",
    ] {
        let mut broken = whole.clone();
        broken.pointer_mut(place).unwrap()["not_a_key"] = Value::from("x y");
        assert!(!schema.is_valid(&broken), "{place}");
    }
}

#[test]
fn the_schema_of_a_payload() {
    let folder = Folder::bank();
    assert_snapshot!(folder.esctl("schema command account.Transfer"), @r#"
    exit: 0
    stdout:
    {
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "title": "account.Transfer",
      "description": "Moves money to another account, in both streams or in none.",
      "type": "object",
      "properties": {
        "to": {
          "type": "string",
          "minLength": 1
        },
        "amount": {
          "type": "number",
          "maximum": 1000000000000000000000000,
          "exclusiveMinimum": 0
        }
      },
      "required": [
        "to",
        "amount"
      ],
      "additionalProperties": false
    }
    "#);
    assert_snapshot!(folder.esctl("schema event Deposited -o ndjson"), @r#"
    exit: 0
    stdout:
    {"$schema":"https://json-schema.org/draft/2020-12/schema","title":"account.Deposited","type":"object","properties":{"amount":{"type":"number","maximum":1000000000000000000000000,"exclusiveMinimum":0},"ref":{"type":["string","null"]},"transfer":{"type":["string","null"]}},"required":["amount"],"additionalProperties":false}
    "#);
    assert_snapshot!(folder.esctl("schema command Close -o json"), @r#"
    exit: 0
    stdout:
    {
      "$schema": "https://json-schema.org/draft/2020-12/schema",
      "title": "account.Close",
      "type": "object",
      "properties": {},
      "required": [],
      "additionalProperties": false
    }
    "#);
    let printed: Value = serde_json::from_str(&folder.esctl("schema event OverdraftSet").done()).unwrap();
    let schema = jsonschema::draft202012::new(&printed).unwrap();
    assert!(schema.is_valid(&serde_json::json!({ "limit": 0 })));
    assert!(!schema.is_valid(&serde_json::json!({ "limit": -1 })));
    // No store is made, and none is asked for.
    assert_eq!(folder.listing(), ["domains"]);
}

#[test]
fn the_schema_of_files_needs_no_domain() {
    let folder = Folder::empty();
    let printed = folder.esctl("schema").done();
    assert_eq!(folder.esctl("schema -o json").done(), printed);
    let line = folder.esctl("schema -o ndjson").done();
    assert_eq!(line.lines().count(), 1);
    let parsed = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(parsed(&line), parsed(&printed));
    assert_snapshot!(folder.bash("esctl schema | head -1"), @r"
    exit: 0
    stdout:
    {
    ");
}

#[test]
fn what_has_no_schema() {
    let folder = Folder::bank();
    folder.write(
        "domains/card.yaml",
        "domain: card\naggregates:\n  card:\n    state: { n: 0 }\n    commands:\n      Open: { decide: 'reject(\"never\")' }\n",
    );
    assert_snapshot!(folder.esctl("schema command Open"), @r"
    exit: 2
    stderr:
    error: `Open` is the command `account.Open` and the command `card.Open`
    hint: write its aggregate before it: `account.Open`
    ");
    assert_snapshot!(folder.esctl("schema command card.Opened"), @r"
    exit: 2
    stderr:
    error: `card.Opened` is not a command of the domain
    hint: did you mean `card.Open`?
    ");
    assert_snapshot!(folder.esctl("schema event Deposit"), @r"
    exit: 2
    stderr:
    error: `Deposit` is not an event of the domain
    hint: did you mean `Deposited`?
    ");
    assert_snapshot!(folder.esctl("schema event account -o json"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"`account` is not an event of the domain","hints":["`esctl describe` shows what there is"],"exit":2}}
    "#);
    assert_snapshot!(folder.esctl("schema -o csv"), @r"
    exit: 2
    stderr:
    error: a schema has no form as `csv`
    hint: leave out `-o csv`: it is JSON anyway
    ");
    assert_snapshot!(folder.esctl("schema command"), @r"
    exit: 2
    stderr:
    error: the following required arguments were not provided:
      <NAME>

    Usage: esctl schema <KIND> <NAME>

    For more information, try '--help'.
    ");
    assert_snapshot!(folder.esctl("schema account.Open"), @r"
    exit: 2
    stderr:
    error: invalid value 'account.Open' for '[KIND]'
      [possible values: command, event]

    For more information, try '--help'.
    ");
    assert_snapshot!(Folder::empty().esctl("schema event Opened"), @r"
    exit: 2
    stderr:
    error: there is no domain at `domains`
    hint: `esctl init` makes one; another place is named with `--domain`
    ");
}
