//! `esctl project rebuild --key`: one row made anew from all events.

use crate::support::{Folder, dump};
use insta::assert_snapshot;

/// Three accounts, and the projection `balances` filled.
fn filled() -> Folder {
    let folder = Folder::opened();
    folder.esctl("send account/bob Open owner=Bob currency=EUR").done();
    folder.esctl("send account/bob Deposit amount=7.5").done();
    folder.esctl("send account/cy Open owner=Cy currency=EUR").done();
    folder.esctl("project rebuild balances").done();
    folder
}

#[test]
fn a_row_that_was_changed_by_hand_is_put_right() {
    let folder = filled();
    let right = dump::rows(&folder, "esctl.db", "balances");
    let served = dump::ask(&folder, "SELECT number || since FROM projections WHERE state = 'served'");
    for (sql, key, said) in [
        (
            "UPDATE balances__1 SET balance = 8 WHERE account = 'bob'",
            "bob",
            "`balance` of the row \"bob\" is 8, the events give 7.5",
        ),
        ("DELETE FROM balances__1 WHERE account = 'cy'", "cy", "the row \"cy\" is missing"),
        ("INSERT INTO balances__1 VALUES ('eve', 'Eve', 1, 1)", "eve", "the events give no row \"eve\""),
    ] {
        dump::change(&folder, sql);
        let verdict = folder.esctl("project verify").exits(1);
        assert!(verdict.stdout.contains(&format!("differs  balances    {said}\n")), "{verdict}");
        // Another row is another matter.
        folder.esctl("project rebuild balances --key ada").exits(0);
        folder.esctl("project verify").exits(1);
        folder.esctl(&format!("project rebuild balances --key {key}")).exits(0);
        folder.esctl("project verify").exits(0);
        assert_eq!(dump::rows(&folder, "esctl.db", "balances"), right);
    }
    // Nothing else was filled anew.
    assert_eq!(dump::ask(&folder, "SELECT number || since FROM projections WHERE state = 'served'"), served);
}

#[test]
fn what_it_says() {
    let folder = filled();
    assert_snapshot!(folder.esctl("project rebuild balances --key bob"), @r"
    exit: 0
    stdout:
    balances: 1 row from 2 events, up to @6
    ");
    assert_snapshot!(folder.esctl("project rebuild balances --key bob -o json"), @r#"
    exit: 0
    stdout:
    [
    {"name":"balances","events":2,"rows":1,"position":6,"resumed":false,"parked":0}
    ]
    "#);
    // A key that no event has: there is no row, and none is made.
    assert_snapshot!(folder.esctl("project rebuild balances --key nobody"), @r"
    exit: 0
    stdout:
    balances: 0 rows from 0 events, up to @6
    ");
    assert_eq!(folder.esctl("project show balances -o ndjson").done().lines().count(), 3);
    for (arguments, said) in [
        ("--key ada", "name it"),
        ("balances ledger --key ada", "name it"),
        ("blances --key ada", "did you mean `balances`?"),
        ("balances --key ada --jobs 2", "cannot be used with"),
        ("balances --key ada --park", "cannot be used with"),
    ] {
        let refused = folder.esctl(&format!("project rebuild {arguments}")).exits(2).says(said);
        assert!(refused.stdout.is_empty(), "{refused}");
    }
}

/// The read model is brought up to date before, or filled where it never was.
#[test]
fn the_row_is_as_new_as_the_others() {
    let folder = Folder::opened();
    folder.esctl("project rebuild balances --key ada").exits(0).prints("up to @3");
    folder.esctl("project status -o csv").exits(0).prints("balances,current,3,3,0,1,");
    folder.esctl("send account/bob Open owner=Bob currency=EUR").done();
    folder.esctl("send account/ada Deposit amount=1").done();
    dump::change(&folder, "UPDATE balances__1 SET balance = 100 WHERE account = 'ada'");
    folder.esctl("project rebuild balances --key ada").exits(0).prints("up to @5");
    folder.esctl("project show balances --stale -o csv").exits(0).prints("\nada,Ada,1.3,3\nbob,Bob,0,0\n");
    folder.esctl("project verify").exits(0);
    // A row that the events delete goes.
    folder.esctl("send account/bob Close").done();
    folder.esctl("project rebuild balances --key bob").exits(0).prints("balances: 0 rows from 2 events, up to @6");
    assert_eq!(folder.esctl("project show balances --key bob -o ndjson").done(), "");
}

/// Keys of a number, several for one event, and events that are parked: neither is applied here.
#[test]
fn keys_of_every_kind_and_parked_events() {
    let folder = Folder::empty();
    let domain = r#"
domain: d
aggregates:
  a:
    state: { n: 0 }
    events: { Done: { fields: { n: integer, by: decimal }, fold: state.n += 1 } }
    commands: { Do: { fields: { n: integer, by: decimal }, decide: 'emit("Done", command)' } }
projections:
  whole:
    columns: { n: integer, sum: decimal }
    key: "[event.n, event.n + 1]"
    on:
      a.Done: |
        if event.by < 0 && key != event.n { throw "negative"; }
        row.sum += event.by;
  parts:
    columns: { by: decimal, count: integer }
    key: event.by
    on: { a.Done: row.count += 1 }
"#;
    folder.write("domains/d.yaml", domain);
    for (n, by) in [(1, "2.50"), (2, "2.5"), (3, "-1"), (1, "1"), (2, "-7"), (10, "2.500")] {
        folder.esctl(&format!("send a/x Do n={n} by={by}")).done();
    }
    folder.esctl("project rebuild --park").exits(0).prints("whole: 5 rows from 6 events, up to @6, 2 events parked\n");
    let right = ["whole", "parts"].map(|table| dump::rows(&folder, "esctl.db", table));
    dump::change(&folder, "UPDATE whole__2 SET sum = 99; UPDATE parts__1 SET count = 99");
    for (arguments, said) in [
        ("whole --key 1", "whole: 1 row from 2 events, up to @6, 2 events parked\n"),
        ("whole --key 2", "whole: 1 row from 3 events, up to @6, 2 events parked\n"),
        ("whole --key 3", "whole: 1 row from 1 event, up to @6, 2 events parked\n"),
        ("whole --key 4", "whole: 0 rows from 0 events, up to @6, 2 events parked\n"),
        ("parts --key 2.5", "parts: 1 row from 3 events, up to @6\n"),
        ("parts --key=-1.00", "parts: 1 row from 1 event, up to @6\n"),
    ] {
        folder.esctl(&format!("project rebuild {arguments}")).exits(0).prints(said);
    }
    let verdict = folder.esctl("project verify").exits(1);
    assert_eq!(verdict.stdout.matches(" is 99, the events give ").count(), 4, "{verdict}");
    for arguments in ["whole --key 10", "whole --key 11", "parts --key 1.0", "parts --key=-7"] {
        folder.esctl(&format!("project rebuild {arguments}")).exits(0);
    }
    folder.esctl("project verify").exits(0);
    assert_eq!(["whole", "parts"].map(|table| dump::rows(&folder, "esctl.db", table)), right);
    for key in ["one", "1.5", "1.0", "99999999999999999999", "''"] {
        folder.esctl(&format!("project rebuild whole --key {key}")).exits(2).says("expected an integer");
    }
    folder.esctl("project rebuild parts --key many").exits(2).says("`many`");
}

/// A key is a number and not its digits: `2.50` and `2.5` are one row by every way.
#[test]
fn a_decimal_key_is_one_row_however_it_is_written() {
    let folder = Folder::empty();
    let domain = r#"
domain: d
aggregates:
  a:
    state: { n: 0 }
    events: { Done: { fields: { by: decimal }, fold: state.n += 1 } }
    commands: { Do: { fields: { by: decimal }, decide: 'emit("Done", command)' } }
projections:
  parts:
    columns: { by: decimal, count: integer, text: string }
    key: "[event.by, event.by * 1.0, event.by / 2]"
    on: { a.Done: 'row.count += 1; row.text += `${key} ${row.by};`' }
"#;
    folder.write("domains/d.yaml", domain);
    for by in ["2.50", "2.5", "5", "0", "-0.00", "5.0", "2.500", "10.00"] {
        folder.esctl(&format!("send a/x Do by={by}")).done();
        folder.esctl("project show parts --limit 0").done();
    }
    let by_event = dump::rows(&folder, "esctl.db", "parts");
    assert_snapshot!(folder.esctl("project show parts"), @r"
    exit: 0
    stdout:
      by  count  text
       0      2  0 0;0 0;
    1.25      3  1.25 1.25;1.25 1.25;1.25 1.25;
     2.5      5  2.5 2.5;2.5 2.5;2.5 2.5;2.5 2.5;2.5 2.5;
       5      3  5 5;5 5;5 5;
      10      1  10 10;
    ");
    for jobs in 1..=3 {
        folder
            .esctl(&format!("project rebuild --jobs {jobs}"))
            .exits(0)
            .prints("parts: 5 rows from 8 events, up to @8\n");
        assert_eq!(dump::rows(&folder, "esctl.db", "parts"), by_event);
        folder.esctl("project verify").exits(0);
    }
    for key in ["2.5", "5.00", "0", "1.250", "10"] {
        folder.esctl(&format!("project rebuild parts --key {key}")).exits(0).prints("parts: 1 row from ");
    }
    assert_eq!(dump::rows(&folder, "esctl.db", "parts"), by_event);
}

/// What cannot be brought up to date cannot be mended either: it says so as `project show` does.
#[test]
fn what_is_behind_an_event_that_fails_is_left_as_it_is() {
    let folder = filled();
    let domain = std::fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    folder.write(
        "domains/bank.yaml",
        domain.replace("row.deposits += 1", "if event.amount > 7 { throw \"no\"; } row.deposits += 1"),
    );
    let before = dump::rows(&folder, "esctl.db", "balances");
    folder.esctl("project rebuild balances --key ada").exits(4).says("(@5)");
    assert_eq!(dump::rows(&folder, "esctl.db", "balances"), before);
}
