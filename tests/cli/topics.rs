//! `esctl help TOPIC`

use crate::support::{Folder, sources};
use esctl::diagnostic::Source;
use esctl::domain::Domains;
use esctl::script::signatures::{Callers, GROUPS, name};
use insta::assert_snapshot;
use std::collections::BTreeSet;
use std::fs;

const TOPICS: &[&str] = &["exit-codes", "formats", "scripts", "time"];

#[test]
fn the_help_names_every_topic_and_each_has_a_text() {
    let folder = Folder::empty();
    let help = folder.esctl("--help").done();
    let (_, list) = help.split_once("topics, by `esctl help TOPIC`:\n").unwrap();
    let listed: Vec<_> =
        list.lines().map_while(|line| line.strip_prefix("  ")).map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(listed, TOPICS);
    for topic in TOPICS {
        let text = folder.esctl(&format!("help {topic}")).exits(0);
        assert!(text.stderr.is_empty() && text.stdout.lines().count() > 20, "{topic}: {text}");
        assert!(text.stdout.lines().all(|line| line.chars().count() <= 120), "{topic}: {text}");
    }
    assert_eq!(folder.listing(), [] as [&str; 0]);
}

#[test]
fn a_word_that_is_neither_verb_nor_topic_is_told_with_the_nearest() {
    let folder = Folder::empty();
    assert_snapshot!(folder.esctl("help tmie"), @r"
    exit: 2
    stderr:
    error: there is no verb and no topic `tmie`
    hint: did you mean `esctl help time`?
    ");
    assert_snapshot!(folder.esctl("help sned"), @r"
    exit: 2
    stderr:
    error: there is no verb and no topic `sned`
    hint: did you mean `esctl help send`?
    ");
    assert_snapshot!(folder.esctl("help exit-code -o json"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"there is no verb and no topic `exit-code`","hints":["did you mean `esctl help exit-codes`?"],"exit":2}}
    "#);
    assert_snapshot!(folder.esctl("help everything"), @r"
    exit: 2
    stderr:
    error: there is no verb and no topic `everything`
    hint: `esctl --help` lists the verbs and the topics
    ");
    assert_snapshot!(folder.esctl("help project shwo"), @r"
    exit: 2
    stderr:
    error: unrecognized subcommand 'shwo'

      tip: a similar subcommand exists: 'show'

    Usage: esctl project [OPTIONS] <VERB>

    For more information, try '--help'.
    ");
}

#[test]
fn help_of_a_verb_is_that_of_the_verb() {
    let folder = Folder::empty();
    assert_eq!(folder.esctl("help project show").done(), folder.esctl("project show --help").done());
    assert_eq!(folder.esctl("help").done(), folder.esctl("--help").done());
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let folder = Folder::empty();
    let (topic, help) = (folder.esctl("help exit-codes").done(), folder.esctl("--help").done());
    for code in 0..8 {
        let line = |text: &str| {
            let words =
                text.lines().find_map(|line| line.trim_start().strip_prefix(&format!("{code}  "))).unwrap().trim();
            words.split([':', ' ']).next().unwrap().to_owned()
        };
        assert_eq!(line(&topic), line(&help), "{code}");
    }
}

/// A domain with a call in a script of each kind.
fn domain(decide: &str, fold: &str, invariant: &str, on: &str, react: &str, function: &str) -> String {
    format!(
        "domain: d\nfunctions: |\n  fn f(x) {{ {function}; x }}\naggregates:\n  a:\n    state: {{ n: 0 }}\n    events:\n      E:\n        fold: |\n          {fold};\n\
         \x20   commands:\n      C:\n        decide: |\n          {decide};\n          emit(\"E\")\n    invariants:\n      i: |\n        {invariant};\n        true\n\
         projections:\n  p:\n    columns: {{ k: string }}\n    key: meta.id\n    on:\n      a.E: |\n        {on};\n\
         processes:\n  q:\n    key: meta.id\n    on:\n      a.E: |\n        {react};\n"
    )
}

/// What `check` says of a call that stands where it may not.
fn is_told(text: String, function: &str) -> bool {
    let (_, problems) = Domains::load(&[Source::new("d.yaml", text)]);
    problems.iter().any(|problem| problem.message.starts_with(&format!("`{function}` can only be called in")))
}

#[test]
fn each_function_can_be_called_where_the_topic_says_and_nowhere_else() {
    assert!(Domains::load(&[Source::new("d.yaml", domain("()", "()", "()", "()", "()", "()"))]).0.is_some());
    for group in GROUPS {
        for function in group.functions.iter().map(|(form, _)| name(form)).collect::<BTreeSet<_>>() {
            let call = format!("{function}()");
            let places = [
                (domain(&call, "()", "()", "()", "()", "()"), Callers::Decisions),
                (domain("()", "()", "()", &call, "()", "()"), Callers::Projections),
                (domain("()", "()", "()", "()", &call, "()"), Callers::Processes),
                (domain("()", &call, "()", "()", "()", "()"), Callers::Everyone),
                (domain("()", "()", &call, "()", "()", "()"), Callers::Everyone),
                (domain("()", "()", "()", "()", "()", &call), Callers::Everyone),
            ];
            for (text, here) in places {
                let may = group.callers == Callers::Everyone || group.callers == here;
                assert_eq!(is_told(text.clone(), function), !may, "`{function}` in:\n{text}");
            }
        }
    }
}

#[test]
fn functions_of_any_number_of_arguments_are_there() {
    let folder = Folder::bank();
    let bank = fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    let call = "let twice = curry(|n, x| n * x, 2); print(`${call(twice, 4)} ${twice.call(5)}`);";
    let changed = bank.replacen("        decide: |\n", &format!("        decide: |\n          {call}\n"), 1);
    assert_ne!(bank, changed);
    folder.write("domains/bank.yaml", changed);
    assert_snapshot!(folder.esctl("send account/ada Open owner=Ada currency=EUR --dry-run"), @r#"
    exit: 0
    stdout:
    account/ada  Open would be accepted  version 1  @1
      1  @1  Opened {"owner":"Ada","currency":"EUR"}
      ~ status: none → open
      ~ owner: "" → Ada
      ~ currency: "" → EUR
      balances  ada  added {"account":"ada","owner":"Ada","balance":0,"deposits":0}
    stderr:
    note: 8 10
    note: a dry run: nothing was stored
    "#);
}

#[test]
fn what_the_handbook_says_of_functions_is_in_the_topic() {
    let handbook = fs::read_to_string(sources().join("docs/domain-format.md")).unwrap();
    let told: BTreeSet<&str> = GROUPS.iter().flat_map(|group| group.functions).map(|(form, _)| name(form)).collect();
    let mut seen = BTreeSet::new();
    for title in ["### Deciding", "### Functions for every script", "### What handlers call"] {
        let (_, section) = handbook.split_once(&format!("\n{title}\n")).unwrap();
        let (section, _) = section.split_once("\n#").unwrap();
        for row in section.lines().filter(|line| line.starts_with('|')) {
            for code in row.split('`').skip(1).step_by(2) {
                let named = code.split('(').next().unwrap();
                let named = named.strip_prefix("f.").unwrap_or(named);
                if code.contains('(') && named.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
                    seen.insert(named.to_owned());
                }
            }
        }
    }
    assert!(seen.len() > 90, "{seen:?}");
    let missing: Vec<_> = seen.iter().filter(|name| !told.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let topic = Folder::empty().esctl("help scripts").done();
    for name in told {
        assert!(topic.contains(&format!("\n  {name}(")) || topic.contains(&format!("\n  {name}*(")), "{name}");
    }
}
