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
    domain,scenario,outcome,file,line,expected,actual
    d,beside,passed,domains/more.scenarios.yaml,2,,
    ");
}

#[test]
fn nothing_to_run() {
    assert_snapshot!(folder(GOOD).esctl("test nowhere"), @r"
    exit: 2
    stderr:
    error: no scenario has `nowhere` in its name, its file or its aggregates
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

#[test]
fn a_filter_looks_at_names_files_and_aggregates() {
    let folder = folder(GOOD);
    for (filter, found) in [("ADDING", 2), ("more.scen", 1), ("d.yaml", 2), ("Counter", 3), ("beside", 1)] {
        let said = folder.esctl(&format!("test {filter}")).done();
        assert!(said.contains(&format!("{found} scenario")), "{filter}: {said}");
    }
}

/// Given what cannot be.
const IMPOSSIBLE: &str = "  - name: impossible\n    given: [ counter/a Add: { amount: 0 } ]\n    when: { counter/a Add: { amount: 2 } }\n    then: nothing\n";

#[test]
fn every_outcome_in_every_form() {
    let folder = folder(&format!("{WRONG}{IMPOSSIBLE}"));
    assert_snapshot!(folder.esctl("test more"), @r#"
    exit: 2
    stdout:
    FAILED  d: wrong
      --> domains/more.scenarios.yaml:2:11
      the events (domains/more.scenarios.yaml:4:11)
        expected                 actual
        - Added: {"amount":3}    - Added: {"amount":2}
    cannot run  d: impossible
      error: the given command `Add` is rejected: nothing
       --> domains/more.scenarios.yaml:6:24
        |
      6 |     given: [ counter/a Add: { amount: 0 } ]
        |                        ^^^
      hint: what is given must be possible; a rejection belongs under `when` and `then`
    2 scenarios: 1 failed, 1 cannot run
    "#);
    assert_snapshot!(folder.esctl("test more -o json"), @r#"
    exit: 2
    stdout:
    [
    {"domain":"d","scenario":"wrong","outcome":"failed","place":{"file":"domains/more.scenarios.yaml","line":2,"column":11},"differences":[{"what":"the events","expected":"- Added: {\"amount\":3}","actual":"- Added: {\"amount\":2}","place":{"file":"domains/more.scenarios.yaml","line":4,"column":11}}]},
    {"domain":"d","scenario":"impossible","outcome":"error","place":{"file":"domains/more.scenarios.yaml","line":5,"column":11},"problem":{"severity":"error","rule":"given","message":"the given command `Add` is rejected: nothing","place":{"file":"domains/more.scenarios.yaml","line":6,"column":24},"excerpt":"    given: [ counter/a Add: { amount: 0 } ]","hints":["what is given must be possible; a rejection belongs under `when` and `then`"]}}
    ]
    "#);
    assert_snapshot!(folder.esctl("test more -o csv"), @r#"
    exit: 2
    stdout:
    domain,scenario,outcome,file,line,expected,actual
    d,wrong,failed,domains/more.scenarios.yaml,2,"- Added: {""amount"":3}","- Added: {""amount"":2}"
    d,impossible,error,domains/more.scenarios.yaml,5,,the given command `Add` is rejected: nothing
    "#);
    assert_snapshot!(folder.esctl("test more --junit -"), @r#"
    exit: 2
    stdout:
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="esctl test" tests="2" failures="1" errors="1" skipped="0" time="0">
      <testsuite name="d" tests="2" failures="1" errors="1" skipped="0" time="0">
        <testcase classname="d" name="wrong" file="domains/more.scenarios.yaml" line="2" time="0">
          <failure message="not as expected: the events" type="failed">
    domains/more.scenarios.yaml:2:11
      the events (domains/more.scenarios.yaml:4:11)
        expected                 actual
        - Added: {&quot;amount&quot;:3}    - Added: {&quot;amount&quot;:2}
          </failure>
        </testcase>
        <testcase classname="d" name="impossible" file="domains/more.scenarios.yaml" line="5" time="0">
          <error message="the given command `Add` is rejected: nothing" type="error">
    domains/more.scenarios.yaml:5:11
    error: the given command `Add` is rejected: nothing
     --&gt; domains/more.scenarios.yaml:6:24
      |
    6 |     given: [ counter/a Add: { amount: 0 } ]
      |                        ^^^
    hint: what is given must be possible; a rejection belongs under `when` and `then`
          </error>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn junit_in_a_file_takes_the_place_of_the_one_before() {
    let folder = folder(WRONG);
    folder.write("out.xml", "before");
    assert_snapshot!(folder.esctl("test --junit out.xml"), @r#"
    exit: 1
    stdout:
    ok      d: adding adds
    ok      d: adding nothing is rejected
    FAILED  d: wrong
      --> domains/more.scenarios.yaml:2:11
      the events (domains/more.scenarios.yaml:4:11)
        expected                 actual
        - Added: {"amount":3}    - Added: {"amount":2}
    3 scenarios: 2 passed, 1 failed
    "#);
    assert_snapshot!(folder.bash("cat out.xml; ls"), @r#"
    exit: 0
    stdout:
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="esctl test" tests="3" failures="1" errors="0" skipped="0" time="0">
      <testsuite name="d" tests="3" failures="1" errors="0" skipped="0" time="0">
        <testcase classname="d" name="adding adds" file="domains/d.yaml" line="16" time="0"/>
        <testcase classname="d" name="adding nothing is rejected" file="domains/d.yaml" line="21" time="0"/>
        <testcase classname="d" name="wrong" file="domains/more.scenarios.yaml" line="2" time="0">
          <failure message="not as expected: the events" type="failed">
    domains/more.scenarios.yaml:2:11
      the events (domains/more.scenarios.yaml:4:11)
        expected                 actual
        - Added: {&quot;amount&quot;:3}    - Added: {&quot;amount&quot;:2}
          </failure>
        </testcase>
      </testsuite>
    </testsuites>
    domains
    out.xml
    "#);
    // The same results are the same text.
    folder.bash("cp out.xml first.xml; esctl test --junit out.xml -o json > /dev/null; cmp first.xml out.xml").done();
}

#[test]
fn whatever_a_name_holds_the_xml_is_sound() {
    let name = r#"  - name: "<a & \"b\">\e[31m ]]>\n\x01\ttab"
    when: { counter/a Add: { amount: 0 } }
    then: { rejected: nothing, message: "</failure><x>\x07" }
"#;
    let folder = folder(name);
    assert_snapshot!(folder.esctl("test more --junit -"), @r#"
    exit: 1
    stdout:
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="esctl test" tests="1" failures="1" errors="0" skipped="0" time="0">
      <testsuite name="d" tests="1" failures="1" errors="0" skipped="0" time="0">
        <testcase classname="d" name="&lt;a &amp; &quot;b&quot;&gt;\u001b[31m ]]&gt;&#10;\u0001&#9;tab" file="domains/more.scenarios.yaml" line="2" time="0">
          <failure message="not as expected: the message" type="failed">
    domains/more.scenarios.yaml:2:11
      the message (domains/more.scenarios.yaml:4:41)
        expected               actual
        &lt;/failure&gt;&lt;x&gt;\u0007    add something
          </failure>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn junit_that_cannot_be_written() {
    let folder = folder(GOOD);
    assert_snapshot!(folder.esctl("test --junit nowhere/out.xml"), @r"
    exit: 2
    stderr:
    error: `nowhere/out.xml` cannot be made: there is no folder `nowhere`
    ");
    assert_snapshot!(folder.esctl("test --junit domains"), @r"
    exit: 2
    stderr:
    error: `domains` is there and is no file
    ");
    assert_snapshot!(folder.esctl("test --junit - -o json"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"`--junit -` writes XML to stdout, so nothing else can be asked for there","hints":["name a file: `--junit results.xml`"],"exit":2}}
    "#);
    folder.esctl("test --junit - --coverage").exits(2).says("nothing else can be asked for");
    folder.write("domains/wrong.yaml", "domain: wrong\nnonsense: 1\n");
    folder.esctl("test --junit out.xml").exits(2).says("nonsense");
    assert_eq!(folder.listing(), ["domains"]);
}
