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

const PROJECTIONS: &str = "domain: p
projections:
  totals:
    columns: { counter: string, total: decimal, last?: integer }
    key: meta.id
    on:
      counter.Added: |
        if event.amount < 0 { delete(); } else { row.total += event.amount + 0.5; row.last = event.amount; }
  days:
    columns: { day: date, adds: integer }
    key: date_of(meta.time)
    on: { counter.Added: row.adds += 1 }
";

#[test]
fn rows_of_read_models_are_compared_by_key() {
    let with = |rows: &str| {
        let more = format!(
            "  - name: rows\n    given: [ counter/a Added: {{ amount: 1 }}, counter/b Added: {{ amount: 1 }} ]\n    when:\n      \
             - counter/a Add: {{ amount: 2 }}\n      - {{ counter/b Add: {{ amount: -1 }}, at: 2026-01-31 }}\n    then:\n      \
             rows: {rows}\n"
        );
        let folder = folder(&more);
        folder.write("domains/p.yaml", PROJECTIONS);
        folder.esctl("test rows")
    };
    with("{ totals: { a: { total: 4.00, last: 2 }, b: null }, days: { 1970-01-01: { adds: 3 }, 2026-01-31: { adds: 1 } } }")
        .exits(0);
    with("{ totals: { a: {} } }").exits(0);
    assert_snapshot!(with("{ totals: { a: { total: 4.5, last: 2 }, b: { last: 1 }, c: {} }, days: { 1970-01-01: null } }"), @r#"
    exit: 1
    stdout:
    FAILED  d: rows
      --> domains/more.scenarios.yaml:2:11
      the row `a` of `totals` (domains/more.scenarios.yaml:8:25)
        expected                  actual
        {"total":4.5,"last":2}    {"total":4,"last":2}
      the row `b` of `totals` (domains/more.scenarios.yaml:8:53)
        expected      actual
        {"last":1}    no such row
      the row `c` of `totals` (domains/more.scenarios.yaml:8:69)
        expected    actual
        {}          no such row
      the row `1970-01-01` of `days` (domains/more.scenarios.yaml:8:86)
        expected       actual
        no such row    {"day":"1970-01-01","adds":3}
    1 scenario: 1 failed
    "#);
    // What is not there, or does not fit, is said before anything runs.
    assert_snapshot!(with("{ total: { a: {} }, totals: { a: { totl: 1, total: much } }, days: { soon: {} } }"), @r"
    exit: 2
    stderr:
    error: there is no projection `total`
     --> domains/more.scenarios.yaml:8:15
      |
    8 |       rows: { total: { a: {} }, totals: { a: { totl: 1, total: much } }, days: { soon: {} } }
      |               ^^^^^
    hint: did you mean `totals`?

    error: `totals` has no column `totl`
     --> domains/more.scenarios.yaml:8:48
      |
    8 |       rows: { total: { a: {} }, totals: { a: { totl: 1, total: much } }, days: { soon: {} } }
      |                                                ^^^^
    hint: did you mean `total`?

    error: `total`: expected a decimal, found the string `much`
     --> domains/more.scenarios.yaml:8:57
      |
    8 |       rows: { total: { a: {} }, totals: { a: { totl: 1, total: much } }, days: { soon: {} } }
      |                                                         ^^^^^

    error: `soon` is no key of `days`: expected a date, as `2026-01-31`, found the string `soon`
     --> domains/more.scenarios.yaml:8:82
      |
    8 |       rows: { total: { a: {} }, totals: { a: { totl: 1, total: much } }, days: { soon: {} } }
      |                                                                                  ^^^^
    ");
}
