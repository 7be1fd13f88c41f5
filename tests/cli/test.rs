//! `esctl test`

use crate::support::Folder;
use insta::assert_snapshot;

const DOMAIN: &str = r#"domain: d
aggregates:
  counter:
    state: { n: 0 }
    events:
      Added:
        fields: { amount: integer }
        fold: state.n += event.amount
    commands:
      Add:
        fields: { amount: integer }
        decide: |
          require(command.amount != 0, "nothing", "add something");
          emit("Added", command);
scenarios:
  - name: adding adds
    when: { counter/a Add: { amount: 1 } }
    then:
      events: [ Added: { amount: 1 } ]
      state: { n: 1 }
  - name: adding nothing is rejected
    when: { counter/a Add: { amount: 0 } }
    then: { rejected: nothing }
"#;

fn folder(more: &str) -> Folder {
    let folder = Folder::empty();
    folder.write("domains/d.yaml", DOMAIN).write("domains/more.scenarios.yaml", format!("scenarios:\n{more}"));
    folder
}

const GOOD: &str =
    "  - name: beside\n    when: { counter/a Add: { amount: 2 } }\n    then: { events: [ Added: { amount: 2 } ] }\n";
const WRONG: &str =
    "  - name: wrong\n    when: { counter/a Add: { amount: 2 } }\n    then: { events: [ Added: { amount: 3 } ] }\n";

#[test]
fn scenarios_that_pass() {
    assert_snapshot!(folder(GOOD).esctl("test"), @r"
    exit: 0
    stdout:
    ok      d: adding adds
    ok      d: adding nothing is rejected
    ok      d: beside
    3 scenarios: 3 passed
    ");
}

#[test]
fn a_scenario_that_fails_shows_both_sides_and_its_place() {
    let outcome = folder(WRONG).esctl("test").exits(1);
    outcome
        .prints("FAILED  d: wrong\n  --> domains/more.scenarios.yaml:2:")
        .prints("    expected")
        .prints("3 scenarios: 2 passed, 1 failed\n");
}

#[test]
fn results_are_data() {
    let outcome = folder(WRONG).esctl("test wrong -o ndjson").exits(1);
    outcome
        .prints(r#""scenario":"wrong","outcome":"failed","place":{"file":"domains/more.scenarios.yaml","line":2,"#)
        .prints(r#""differences":[{"what":"#);
    assert_snapshot!(folder(GOOD).esctl("test beside -o csv"), @r"
    exit: 0
    stdout:
    domain,scenario,outcome,file,line
    d,beside,passed,domains/more.scenarios.yaml,2
    ");
}

#[test]
fn nothing_to_run() {
    assert_snapshot!(folder(GOOD).esctl("test nowhere"), @r"
    exit: 2
    stderr:
    error: no scenario has `nowhere` in its name
    hint: `esctl test` runs all of them and shows their names
    ");
    let folder = Folder::empty();
    folder.write("domains/d.yaml", DOMAIN.split_once("scenarios:").unwrap().0);
    folder.esctl("test").exits(2).says("there is no scenario to run");
}

#[test]
fn a_test_makes_no_store() {
    let folder = folder(GOOD);
    folder.esctl("test").done();
    assert_eq!(folder.listing(), ["domains"]);
}
