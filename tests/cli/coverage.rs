//! `esctl test --coverage`

use crate::support::Folder;
use insta::assert_snapshot;

/// Every kind of branch there is, each on a line of its own.
const DOMAIN: &str = r#"domain: d
functions: |
  fn covered_(n) { throw "never called" }
aggregates:
  door:
    state: { open: false, n: 0 }
    events:
      Opened:
        fields: { by: string }
        fold: state.open = true; state.n += 1
      Closed:
        fold: state.open = false
      Painted: { fields: { colour: string } }
      Seen:
        fold: state.n += 0
    commands:
      Open:
        fields: { by: string, how: string, list?: [string] }
        decide: |
          if state.open {
            reject("open_already");
          } else if command.by == "" {
            reject("nobody", "who?");
          }
          let list = if command.list != () { command.list } else { [] };
          for item in list {
            if item == "stop" { return; }
          }
          let n = 0;
          while n < list.len() {
            n += 1;
          }
          loop { break; }
          let word = switch command.how {
            "push" => "pushed",
            "pull" if state.n > 0 => { "pulled" }
            _ => {
              let word = "";
              try { throw "broken"; } catch {
                word = "broken";
              }
              word
            }
          };
          let long = list.filter(|item| if item.len() > 3 { true } else { false });
          require(long.len() < 3, "too_long");
          require(word != "broken", "broken");
          emit("Opened", #{ by: command.by });
      Close:
        decide: emit("Closed")
      Paint:
        fields: { colour: string }
        decide: emit("Painted", command)
    invariants:
      seldom: state.n < 3
      never_so_often: state.n < 1000
projections:
  doors:
    columns: { door: string, by: string }
    key: meta.id
    on:
      door.Opened: row.by = event.by
      door.Closed: delete()
      door.Seen: row.by = "seen"
"#;

fn folder(scenarios: &str) -> Folder {
    let folder = Folder::empty();
    folder.write("domains/d.yaml", DOMAIN).write("domains/d.scenarios.yaml", format!("scenarios:\n{scenarios}"));
    folder
}

const ONE: &str = "  - name: one
    when: { door/a Open: { by: ada, how: push } }
    then:
      events: [ Opened: { by: ada } ]
      rows: { doors: { a: { by: ada } } }
";

const ALL: &str = r#"  - name: closing
    given: [ door/a Opened: { by: ada } ]
    when: [ door/a Close, door/a Paint: { colour: red } ]
    then: { rows: { doors: { a: null } } }
  - name: open already
    given: [ door/a Opened: { by: ada } ]
    when: { door/a Open: { by: ada, how: push } }
    then: { rejected: open_already }
  - name: nobody
    when: { door/a Open: { by: "", how: push } }
    then: { rejected: nobody }
  - name: broken
    when: { door/a Open: { by: ada, how: kick, list: [a] } }
    then: { rejected: broken }
  - name: stop
    when: { door/a Open: { by: ada, how: kick, list: [stop] } }
    then: nothing
  - name: too long
    when: { door/a Open: { by: ada, how: push, list: [long, longer, longest] } }
    then: { rejected: too_long }
  - name: pulled
    given: [ door/a Opened: { by: ada }, door/a Closed ]
    when: { door/a Open: { by: ada, how: pull } }
    then: [ Opened: { by: ada } ]
  - name: too often
    given: [ door/a Opened: { by: a }, door/a Opened: { by: a }, door/a Closed ]
    when: { door/a Open: { by: ada, how: push } }
    then: { rejected: seldom }
  - name: seen
    given: [ door/a Seen ]
    when: door/a Close
    then: { rows: { doors: { a: null } } }
"#;

#[test]
fn what_no_scenario_reaches() {
    assert_snapshot!(folder(ONE).esctl("test --coverage"), @r"
    exit: 0
    stdout:
    ok      d: one
    1 scenario: 1 passed

    commands    1 of 3; never sent:
      door.Close  domains/d.yaml:49
      door.Paint  domains/d.yaml:51
    events      1 of 3; never emitted:
      door.Closed   domains/d.yaml:11
      door.Painted  domains/d.yaml:13
    rejections  0 of 4; never given:
      door.Open: open_already  domains/d.yaml:21
      door.Open: nobody        domains/d.yaml:23
      door.Open: too_long      domains/d.yaml:46
      door.Open: broken        domains/d.yaml:47
    invariants  0 of 2; never said no:
      door.seldom          domains/d.yaml:55
      door.never_so_often  domains/d.yaml:56
    branches    3 of 13; never taken:
      door.Open: if          domains/d.yaml:20
      door.Open: if          domains/d.yaml:22
      door.Open: if          domains/d.yaml:25
      door.Open: for         domains/d.yaml:26
      door.Open: if not      domains/d.yaml:27
      door.Open: if          domains/d.yaml:27
      door.Open: while       domains/d.yaml:30
      door.Open: case        domains/d.yaml:36
      door.Open: other case  domains/d.yaml:37
      door.Open: catch       domains/d.yaml:39
    handlers    1 of 3; never run:
      doors: door.Closed  domains/d.yaml:63
      doors: door.Seen    domains/d.yaml:64
    21.4 % reached: 6 of 28
    ");
}

#[test]
fn all_that_can_be_reached_but_one() {
    assert_snapshot!(folder(&format!("{ONE}{ALL}")).esctl("test --coverage"), @r"
    exit: 0
    stdout:
    ok      d: one
    ok      d: closing
    ok      d: open already
    ok      d: nobody
    ok      d: broken
    ok      d: stop
    ok      d: too long
    ok      d: pulled
    ok      d: too often
    ok      d: seen
    10 scenarios: 10 passed

    commands    3 of 3
    events      3 of 3
    rejections  4 of 4
    invariants  1 of 2; never said no:
      door.never_so_often  domains/d.yaml:56
    branches    13 of 13
    handlers    3 of 3
    96.4 % reached: 27 of 28
    ");
}

#[test]
fn a_hundred_percent_is_all_of_it() {
    let folder = folder(&format!("{ONE}{ALL}"));
    folder.write("domains/d.yaml", DOMAIN.replace("      never_so_often: state.n < 1000\n", ""));
    folder.esctl("test --min 100").done();
    // Less of them reach less.
    folder.esctl("test --min 100 'too often'").exits(1);
}

#[test]
fn coverage_as_data() {
    assert_snapshot!(folder(ONE).esctl("test --coverage -o json"), @r#"
    exit: 0
    stdout:
    {"scenarios":{"total":1,"passed":1,"failed":0,"error":0},"failures":[],"percent":21.4,"reached":6,"total":28,"kinds":[{"kind":"command","reached":1,"total":3},{"kind":"event","reached":1,"total":3},{"kind":"rejection","reached":0,"total":4},{"kind":"invariant","reached":0,"total":2},{"kind":"branch","reached":3,"total":13},{"kind":"handler","reached":1,"total":3},{"kind":"upcast","reached":0,"total":0}],"missing":[{"kind":"command","name":"door.Close","place":{"file":"domains/d.yaml","line":49,"column":7}},{"kind":"command","name":"door.Paint","place":{"file":"domains/d.yaml","line":51,"column":7}},{"kind":"event","name":"door.Closed","place":{"file":"domains/d.yaml","line":11,"column":7}},{"kind":"event","name":"door.Painted","place":{"file":"domains/d.yaml","line":13,"column":7}},{"kind":"rejection","name":"door.Open: open_already","place":{"file":"domains/d.yaml","line":21,"column":20}},{"kind":"rejection","name":"door.Open: nobody","place":{"file":"domains/d.yaml","line":23,"column":20}},{"kind":"rejection","name":"door.Open: too_long","place":{"file":"domains/d.yaml","line":46,"column":35}},{"kind":"rejection","name":"door.Open: broken","place":{"file":"domains/d.yaml","line":47,"column":37}},{"kind":"invariant","name":"door.seldom","place":{"file":"domains/d.yaml","line":55,"column":7}},{"kind":"invariant","name":"door.never_so_often","place":{"file":"domains/d.yaml","line":56,"column":7}},{"kind":"branch","name":"door.Open: if","place":{"file":"domains/d.yaml","line":20,"column":25}},{"kind":"branch","name":"door.Open: if","place":{"file":"domains/d.yaml","line":22,"column":38}},{"kind":"branch","name":"door.Open: if","place":{"file":"domains/d.yaml","line":25,"column":44}},{"kind":"branch","name":"door.Open: for","place":{"file":"domains/d.yaml","line":26,"column":28}},{"kind":"branch","name":"door.Open: if not","place":{"file":"domains/d.yaml","line":27,"column":13}},{"kind":"branch","name":"door.Open: if","place":{"file":"domains/d.yaml","line":27,"column":31}},{"kind":"branch","name":"door.Open: while","place":{"file":"domains/d.yaml","line":30,"column":32}},{"kind":"branch","name":"door.Open: case","place":{"file":"domains/d.yaml","line":36,"column":38}},{"kind":"branch","name":"door.Open: other case","place":{"file":"domains/d.yaml","line":37,"column":18}},{"kind":"branch","name":"door.Open: catch","place":{"file":"domains/d.yaml","line":39,"column":45}},{"kind":"handler","name":"doors: door.Closed","place":{"file":"domains/d.yaml","line":63,"column":7}},{"kind":"handler","name":"doors: door.Seen","place":{"file":"domains/d.yaml","line":64,"column":7}}]}
    "#);
    assert_snapshot!(folder(ONE).esctl("test --coverage -o csv"), @r"
    exit: 0
    stdout:
    kind,name,file,line
    command,door.Close,domains/d.yaml,49
    command,door.Paint,domains/d.yaml,51
    event,door.Closed,domains/d.yaml,11
    event,door.Painted,domains/d.yaml,13
    rejection,door.Open: open_already,domains/d.yaml,21
    rejection,door.Open: nobody,domains/d.yaml,23
    rejection,door.Open: too_long,domains/d.yaml,46
    rejection,door.Open: broken,domains/d.yaml,47
    invariant,door.seldom,domains/d.yaml,55
    invariant,door.never_so_often,domains/d.yaml,56
    branch,door.Open: if,domains/d.yaml,20
    branch,door.Open: if,domains/d.yaml,22
    branch,door.Open: if,domains/d.yaml,25
    branch,door.Open: for,domains/d.yaml,26
    branch,door.Open: if not,domains/d.yaml,27
    branch,door.Open: if,domains/d.yaml,27
    branch,door.Open: while,domains/d.yaml,30
    branch,door.Open: case,domains/d.yaml,36
    branch,door.Open: other case,domains/d.yaml,37
    branch,door.Open: catch,domains/d.yaml,39
    handler,doors: door.Closed,domains/d.yaml,63
    handler,doors: door.Seen,domains/d.yaml,64
    ");
}

#[test]
fn too_little_is_a_no() {
    let folder = folder(ONE);
    folder.esctl("test --min 0").exits(0).prints(" % reached: ");
    assert_snapshot!(folder.bash("esctl test --min 50 | tail -1; echo ${PIPESTATUS[0]}"), @r"
    exit: 0
    stdout:
    21.4 % reached: 6 of 28
    1
    stderr:
    note: 21.4 % is less than the 50 % that `--min` asks for
    ");
    folder.esctl("test --min 50 -o json").exits(1).prints(r#""min":50,"enough":false"#);
    folder.esctl("test --min 10 -o json").exits(0).prints(r#""min":10,"enough":true"#);
    folder.esctl("test --min 101").exits(2).says("101");
}

#[test]
fn what_fails_says_the_same_with_coverage() {
    let wrong = ONE.replace("by: ada }", "by: eve }").replace("Open: { by: eve", "Open: { by: ada");
    let faulty = "  - name: faulty\n    given: [ door/a Open: { by: \"\", how: push } ]\n    when: door/a Close\n    then: nothing\n";
    let folder = folder(&format!("{wrong}{faulty}"));
    folder.write("domains/d.yaml", DOMAIN.replace("loop { break; }", "loop { if n == 0 { let x = list[7]; } break; }"));
    let plain = folder.esctl("test").exits(2).stdout.clone();
    let covered = folder.esctl("test --coverage").exits(2).stdout.clone();
    assert!(plain.contains("d.yaml:33:43"), "{plain}");
    assert_eq!(covered.split_once("\n\ncommands").map(|(before, _)| format!("{before}\n")), Some(plain));
}

#[test]
fn handlers_of_inline_projections_run_with_every_command() {
    let folder = folder("  - name: closing\n    when: door/a Close\n    then: [ Closed ]\n");
    folder.write("domains/d.yaml", DOMAIN.replace("    key: meta.id\n", "    key: meta.id\n    inline: true\n"));
    folder.esctl("test --coverage").done();
    folder.bash("esctl test --coverage -o csv | grep handler").prints("doors: door.Opened").prints("doors: door.Seen");
    folder.bash("esctl test --coverage -o csv | grep 'door.Closed'").exits(1);
}
