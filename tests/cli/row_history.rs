//! `esctl bisect --projection` and `esctl diff --projection`: what happened to the rows of a read model.

use crate::support::{Folder, dump};
use insta::assert_snapshot;

fn bank() -> Folder {
    let folder = Folder::bank();
    folder.esctl("send account/ada Open owner=Ada currency=EUR --id o").done();
    folder.esctl("send account/ada Deposit amount=25 --id d --actor eve").done();
    folder.esctl("send account/bob Open owner=Bob currency=EUR --id b").done();
    folder.esctl("send account/ada Withdraw amount=20 --id w").done();
    folder.esctl("send account/bob Deposit amount=1 --id e").done();
    folder.esctl("send account/bob Withdraw amount=1 --id f").done();
    folder.esctl("send account/bob Close --id c").done();
    folder.esctl("send account/cy Open owner=Cy currency=EUR --id y").done();
    folder
}

#[test]
fn bisect_finds_the_event_that_changed_a_row() {
    let folder = bank();
    assert_snapshot!(folder.esctl("bisect --projection balances --key ada 'row.balance > 20'"), @r#"
    exit: 0
    stdout:
    balances ada  `row.balance > 20` holds from @2 on

    account/ada  version 2  @2  2026-01-31T12:00:00.000000Z  Deposited {"amount":25}
      ~ balance: 0 → 25
      ~ deposits: 0 → 1
    "#);
    assert_snapshot!(folder.esctl("bisect --projection balances --key ada 'row.balance > 20' --last"), @r#"
    exit: 0
    stdout:
    balances ada  `row.balance > 20` holds no more from @4 on

    account/ada  version 3  @4  2026-01-31T12:00:00.000000Z  Withdrawn {"amount":20}
      ~ balance: 25 → 5
    "#);
    assert_snapshot!(folder.esctl("bisect --projection balances --key bob exists"), @r#"
    exit: 0
    stdout:
    balances bob  `exists` holds from @3 on

    account/bob  version 1  @3  2026-01-31T12:00:00.000000Z  Opened {"owner":"Bob","currency":"EUR"}
      + account: bob
      + owner: Bob
      + balance: 0
      + deposits: 0
    "#);
    assert_snapshot!(folder.esctl("bisect --projection balances --key bob exists --last"), @r"
    exit: 0
    stdout:
    balances bob  `exists` holds no more from @7 on

    account/bob  version 4  @7  2026-01-31T12:00:00.000000Z  Closed {}
      - account: bob
      - owner: Bob
      - balance: 0
      - deposits: 1
    ");
    assert_snapshot!(folder.esctl("bisect --projection balances --key bob 'row.balance == 0'"), @r"
    exit: 0
    stdout:
    balances bob  `row.balance == 0` holds from the beginning
    ");
    assert_snapshot!(folder.esctl("bisect --projection balances --key bob 'row.balance > 20'"), @r"
    exit: 1
    stdout:
    balances bob  no event makes a difference to `row.balance > 20`
    ");
    assert_snapshot!(folder.esctl("bisect --projection balances --key bob 'row.balance == 1 && exists' -o json"), @r#"
    exit: 0
    stdout:
    {"projection":"balances","key":"bob","condition":"row.balance == 1 && exists","holds":true,"position":5,"event":{"position":5,"stream":"account/bob","version":2,"type":"Deposited","time":"2026-01-31T12:00:00.000000Z","data":{"amount":1},"command":{"id":"e","name":"Deposit"},"changes":[{"path":"/balance","before":0,"after":1},{"path":"/deposits","before":0,"after":1}]},"row":{"account":"bob","owner":"Bob","balance":1,"deposits":1}}
    "#);
    assert_snapshot!(folder.esctl("bisect --projection balances --key bob '!exists' --last -o ndjson"), @r#"
    exit: 0
    stdout:
    {"projection":"balances","key":"bob","condition":"!exists","holds":true,"position":7,"event":{"position":7,"stream":"account/bob","version":4,"type":"Closed","time":"2026-01-31T12:00:00.000000Z","data":{},"command":{"id":"c","name":"Close"},"changes":[{"path":"/account","before":"bob"},{"path":"/owner","before":"Bob"},{"path":"/balance","before":0},{"path":"/deposits","before":1}]},"row":null}
    "#);
    assert_snapshot!(folder.esctl("bisect --projection ledger --key ada#2 'row.amount == 25'").done(), @r#"
    ledger ada#2  `row.amount == 25` holds from @2 on

    account/ada  version 2  @2  2026-01-31T12:00:00.000000Z  Deposited {"amount":25}
      + line: ada#2
      + account: ada
      + version: 2
      + kind: deposit
      + amount: 25
      + ref: null
      + day: 2026-01-31
    "#);
    assert_snapshot!(folder.esctl("bisect --projection balances --key eve exists --last -o json").exits(1).stdout, @r#"
    {"projection":"balances","key":"eve","condition":"exists","holds":null,"position":null,"event":null,"row":null}
    "#);
}

#[test]
fn a_condition_on_a_row_is_checked_before_it_is_asked() {
    let folder = bank();
    for (condition, exit, said) in [
        ("row.balanc > 1", 2, "did you mean `balance`?"),
        ("balance > 1", 2, "in scope here: `row` and `exists`"),
        ("row.balance >", 2, "the condition:1:"),
        ("state.balance > 1", 2, "the condition:1:1"),
        ("row.balance = 1", 2, "`row` cannot be changed in a condition"),
        ("delete()", 2, "the condition:1:1"),
        ("1 + 1", 2, "the condition:1:1"),
        ("row.balance / 0 > 1", 4, "while asking of the row \"ada\" of `balances` after @0"),
        ("loop {}", 4, "the condition:1:6"),
    ] {
        let line = format!("bisect --projection balances --key ada '{condition}'");
        let outcome = folder.esctl(&line).exits(exit).says(said);
        assert!(outcome.stdout.is_empty(), "{condition}: {}", outcome.stdout);
    }
    folder.esctl("bisect --projection balances --key ada true -o csv").exits(2).says("-o json");
    folder.esctl("bisect --projection blances --key ada true").exits(2).says("did you mean `balances`?");
    folder.esctl("bisect --projection balances true").exits(2).says("--key");
    folder.esctl("bisect account/ada true --key ada").exits(2).says("`--key` names a row");
    folder.esctl("bisect account/ada true --projection balances --key ada").exits(2).says("not on both");
    folder.esctl("bisect true").exits(2).says("name a stream");
    folder.esctl("bisect").exits(2);
}

#[test]
fn functions_of_the_file_may_be_called() {
    let folder = Folder::empty();
    folder.write(
        "domains/d.yaml",
        "domain: d\nfunctions: |\n  fn big(n) { n > 2 }\naggregates:\n  c:\n    state: { n: 0 }\n    events: { Up: { fields: { by: integer } } }\n    \
         commands: { Do: { fields: { by: integer }, decide: 'emit(\"Up\", command)' } }\nprojections:\n  sums:\n    \
         columns: { by: integer, n: integer }\n    key: event.by\n    on: { c.Up: row.n += 1 }\n",
    );
    for by in [7, 8, 7, 7, 8] {
        folder.esctl(&format!("send c/1 Do by={by}")).done();
    }
    folder.esctl("bisect --projection sums --key 7 big(row.n)").exits(0).prints("holds from @4 on");
    folder.esctl("bisect --projection sums --key 8 big(row.n)").exits(1);
    folder.esctl("bisect --projection sums --key 8.5 big(row.n)").exits(2).says("expected an integer");
    assert_snapshot!(folder.esctl("diff --projection sums @2").done(), @r"
    from  sums  @2  2026-01-31T12:00:00.000000Z
    to    sums  @5  2026-01-31T12:00:00.000000Z
    ~ 7
      ~ n: 1 → 3
    ~ 8
      ~ n: 1 → 2
    ");
}

#[test]
fn diff_compares_the_rows_of_two_moments() {
    let folder = bank();
    assert_snapshot!(folder.esctl("diff --projection balances @3"), @r"
    exit: 0
    stdout:
    from  balances  @3  2026-01-31T12:00:00.000000Z
    to    balances  @8  2026-01-31T12:00:00.000000Z
    ~ ada
      ~ balance: 25 → 5
    - bob
      - owner: Bob
      - balance: 0
      - deposits: 0
    + cy
      + owner: Cy
      + balance: 0
      + deposits: 0
    ");
    assert_snapshot!(folder.esctl("diff --projection balances @6 @2").done(), @r"
    from  balances  @6  2026-01-31T12:00:00.000000Z
    to    balances  @2  2026-01-31T12:00:00.000000Z
    ~ ada
      ~ balance: 5 → 25
    - bob
      - owner: Bob
      - balance: 0
      - deposits: 1
    ");
    assert_snapshot!(folder.esctl("diff --projection balances @3 -o json").done(), @r#"
    [
    {"key":"ada","difference":"changed","changes":[{"path":"/balance","before":25,"after":5}]},
    {"key":"bob","difference":"removed","changes":[{"path":"/account","before":"bob"},{"path":"/owner","before":"Bob"},{"path":"/balance","before":0},{"path":"/deposits","before":0}]},
    {"key":"cy","difference":"added","changes":[{"path":"/account","after":"cy"},{"path":"/owner","after":"Cy"},{"path":"/balance","after":0},{"path":"/deposits","after":0}]}
    ]
    "#);
    assert_snapshot!(folder.esctl("diff --projection balances @3 -o csv").done(), @r"
    key,difference,path,before,after
    ada,changed,/balance,25,5
    bob,removed,/account,bob,
    bob,removed,/owner,Bob,
    bob,removed,/balance,0,
    bob,removed,/deposits,0,
    cy,added,/account,,cy
    cy,added,/owner,,Cy
    cy,added,/balance,,0
    cy,added,/deposits,,0
    ");
    assert_snapshot!(folder.esctl("diff --projection balances @0 @1 -o ndjson").done(), @r#"
    {"key":"ada","difference":"added","changes":[{"path":"/account","after":"ada"},{"path":"/owner","after":"Ada"},{"path":"/balance","after":0},{"path":"/deposits","after":0}]}
    "#);
    assert_snapshot!(folder.esctl("diff --projection balances @4 @4 --exit-code").done(), @r"
    from  balances  @4  2026-01-31T12:00:00.000000Z
    to    balances  @4  2026-01-31T12:00:00.000000Z
        (no difference)
    ");
    folder.esctl("diff --projection balances @3 --exit-code").exits(1);
    folder.esctl("diff --projection balances 2026-01-31T12:00:00Z --exit-code").exits(0).prints("(no difference)");
    assert_snapshot!(folder.esctl("diff --projection balances 3"), @r"
    exit: 2
    stderr:
    error: only a stream has versions; a moment here is a position or a time
    hint: `@3` is a position of the store
    ");
    assert_snapshot!(folder.esctl("diff --projection balances @99").exits(2).stderr, @r"
    error: the store ends at position @8, there is no @99
    ");
    folder.esctl("diff --projection balances").exits(2).says("at one or two moments");
    folder.esctl("diff --projection balances @1 @2 @3").exits(2).says("at one or two moments");
    folder.esctl("diff --projection blances @1").exits(2).says("did you mean `balances`?");
    folder.esctl("diff --projection balances account/ada").exits(2).says("is no moment");
}

#[test]
fn an_event_that_cannot_be_applied_stops_both_unless_it_is_parked() {
    let folder = bank();
    let rules = std::fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    let broken = rules.replace("row.deposits += 1;", "row.deposits += 1 / (meta.position - 5);");
    assert_ne!(rules, broken);
    folder.write("domains/bank.yaml", broken);
    for line in ["diff --projection balances @3", "bisect --projection balances --key bob 'row.balance > 0'"] {
        folder.esctl(line).exits(4).says("(@5)");
    }
    folder.esctl("project rebuild balances --park").done();
    folder.esctl("diff --projection balances @3 @6").exits(0).prints("  ~ balance: 0 → -1\n");
    folder.esctl("bisect --projection balances --key bob 'row.balance > 0'").exits(1);
}

#[test]
fn rows_are_computed_aside() {
    let folder = bank();
    folder.esctl("project rebuild").done();
    folder.esctl("send account/cy Deposit amount=2 --id z").done();
    let before = dump::everything(&folder, "esctl.db");
    folder.esctl("bisect --projection balances --key cy 'row.balance > 1'").exits(0).prints("holds from @9 on");
    folder.esctl("diff --projection balances @8").exits(0).prints("~ cy\n  ~ balance: 0 → 2\n");
    assert_eq!(dump::everything(&folder, "esctl.db"), before);
    assert_eq!(folder.listing(), ["domains", "esctl.db", "esctl.db-turn"]);
}
