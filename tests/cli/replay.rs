//! `esctl replay`

use crate::support::Folder;
use insta::assert_snapshot;

#[test]
fn the_state_now() {
    let folder = Folder::opened();
    assert_snapshot!(folder.esctl("replay account/ada"), @r"
    exit: 0
    stdout:
    account/ada  version 3  @3  2026-01-31T12:00:00.000000Z

    status:    open
    owner:     Ada
    currency:  EUR
    balance:   0.30
    overdraft: 0
    ");
    assert_snapshot!(folder.esctl("replay account/ada -o json"), @r#"
    exit: 0
    stdout:
    {"stream":"account/ada","version":3,"position":3,"time":"2026-01-31T12:00:00.000000Z","state":{"status":"open","owner":"Ada","currency":"EUR","balance":0.30,"overdraft":0}}
    "#);
}

#[test]
fn the_state_then() {
    let folder = Folder::opened();
    folder.esctl("replay account/ada --at 2").exits(0).prints("version 2  @2").prints("balance:   0.10\n");
    folder.esctl("replay account/ada --at @2").exits(0).prints("version 2  @2").prints("balance:   0.10\n");
    folder.esctl("replay account/ada --at 2026-02-01").exits(0).prints("version 3").prints("balance:   0.30\n");
    assert_snapshot!(folder.esctl("replay account/ada --at 0"), @r#"
    exit: 0
    stdout:
    account/ada  version 0

    status:    none
    owner:     ""
    currency:  ""
    balance:   0
    overdraft: 0
    "#);
}

#[test]
fn what_never_was() {
    let folder = Folder::opened();
    folder.esctl("replay account/ada --at 9").exits(2).says("3");
    folder.esctl("replay account/ada --at @9").exits(2);
    folder.esctl("replay account/ada --at 2020-01-01").exits(2);
    folder.esctl("replay account/nobody").exits(2).says("`account/nobody`");
    folder.esctl("replay acount/ada").exits(2).says("acount");
    folder.esctl("replay account/ada --at x").exits(2).says("`x`");
    folder.esctl("replay account").exits(2).says("aggregate/id");
    folder.esctl("replay account/ada --store none.db").exits(2).says("none.db");
    assert_eq!(folder.listing(), ["domains", "esctl.db", "esctl.db-turn"]);
}

#[test]
fn what_each_event_changed() {
    let folder = Folder::opened();
    assert_snapshot!(folder.esctl("replay account/ada --steps"), @r#"
    exit: 0
    stdout:
    version 1  @1  2026-01-31T12:00:00.000000Z  Opened {"owner":"Ada","currency":"EUR"}
      ~ status: none → open
      ~ owner: "" → Ada
      ~ currency: "" → EUR
    version 2  @2  2026-01-31T12:00:00.000000Z  +0 s  Deposited {"amount":0.10}
      ~ balance: 0 → 0.10
    version 3  @3  2026-01-31T12:00:00.000000Z  +0 s  Deposited {"amount":0.20}
      ~ balance: 0.10 → 0.30
    "#);
    assert_snapshot!(folder.esctl("replay account/ada --steps --at 2 -o csv"), @r"
    exit: 0
    stdout:
    position,stream,version,type,time,gap_micros,path,before,after
    1,account/ada,1,Opened,2026-01-31T12:00:00.000000Z,,/status,none,open
    1,account/ada,1,Opened,2026-01-31T12:00:00.000000Z,,/owner,,Ada
    1,account/ada,1,Opened,2026-01-31T12:00:00.000000Z,,/currency,,EUR
    2,account/ada,2,Deposited,2026-01-31T12:00:00.000000Z,0,/balance,0,0.10
    ");
    let lines = folder.esctl("replay account/ada --steps -o ndjson").done();
    let last = lines.lines().nth(2).unwrap();
    assert!(last.ends_with(r#","changes":[{"path":"/balance","before":0.10,"after":0.30}]}"#), "{last}");
    assert!(last.contains(r#""command":{"id":"#), "{last}");
}

#[test]
fn a_state_has_no_rows() {
    Folder::opened().esctl("replay account/ada -o csv").exits(2).says("-o json");
}

/// An account with time between its events.
fn over_days() -> Folder {
    let folder = Folder::bank();
    for (time, send) in [
        ("2026-01-01T00:00:00Z", "Open owner=Ada currency=EUR"),
        ("2026-01-01T00:00:00.012Z", "Deposit amount=25"),
        ("2026-01-04T04:05:00Z", "SetOverdraft limit=100"),
        ("2026-01-04T04:05:59Z", "Withdraw amount=5"),
        ("2026-01-04T05:06:07Z", "Deposit amount=1"),
    ] {
        folder.esctl(&format!("send account/ada {send} --time {time}")).done();
    }
    folder
}

#[test]
fn how_much_time_went_by() {
    let folder = over_days();
    assert_snapshot!(folder.esctl("replay account/ada --steps").done(), @r#"
    version 1  @1  2026-01-01T00:00:00.000000Z  Opened {"owner":"Ada","currency":"EUR"}
      ~ status: none → open
      ~ owner: "" → Ada
      ~ currency: "" → EUR
    version 2  @2  2026-01-01T00:00:00.012000Z  +12 ms  Deposited {"amount":25}
      ~ balance: 0 → 25
    version 3  @3  2026-01-04T04:05:00.000000Z  +3 d 04:04  OverdraftSet {"limit":100}
      ~ overdraft: 0 → 100
    version 4  @4  2026-01-04T04:05:59.000000Z  +59 s  Withdrawn {"amount":5}
      ~ balance: 25 → 20
    version 5  @5  2026-01-04T05:06:07.000000Z  +01:00:08  Deposited {"amount":1}
      ~ balance: 20 → 21
    "#);
    assert_snapshot!(folder.bash("esctl replay account/ada --steps -o ndjson | jq -c '[.version, .gap_micros]'").done(), @r"
    [1,null]
    [2,12000]
    [3,273899988000]
    [4,59000000]
    [5,3608000000]
    ");
}

#[test]
fn a_stretch_begins_at_a_moment() {
    let folder = over_days();
    let versions = |limits: &str| {
        let lines = folder.esctl(&format!("replay account/ada --steps -o csv {limits}")).done();
        let cell = |line: &str| line.split(',').nth(2).unwrap().parse().unwrap();
        let mut versions: Vec<u64> = lines.lines().skip(1).map(cell).collect();
        versions.dedup();
        versions
    };
    assert_eq!(versions("--from 4"), [4, 5]);
    assert_eq!(versions("--from @4 --at 4"), [4]);
    assert_eq!(versions("--from 0"), [1, 2, 3, 4, 5]);
    assert_eq!(versions("--from @0 --at @2"), [1, 2]);
    // An event at that very instant is among them.
    assert_eq!(versions("--from 2026-01-04T04:05:00Z"), [3, 4, 5]);
    assert_eq!(versions("--from 2026-01-04T04:05:00.000001Z --at 2026-01-04T04:05:59Z"), [4]);
    assert_eq!(versions("--from 0000-01-01"), [1, 2, 3, 4, 5]);
    // What comes before is folded all the same, and time is counted from it.
    assert_snapshot!(folder.esctl("replay account/ada --steps --from 4 --at 4").done(), @r#"
    version 4  @4  2026-01-04T04:05:59.000000Z  +59 s  Withdrawn {"amount":5}
      ~ balance: 25 → 20
    "#);
    assert_snapshot!(folder.esctl("replay account/ada --steps --from 4 --at 3"), @r"
    exit: 2
    stderr:
    error: of `account/ada`, `--from` begins with version 4, `--at` ends with 3
    hint: `--from` names the earlier moment
    ");
    assert_snapshot!(folder.esctl("replay account/ada --steps --from 2026-01-03 --at 2026-01-02"), @r"
    exit: 2
    stderr:
    error: of `account/ada`, `--from` begins with version 3, `--at` ends with 2
    hint: `--from` names the earlier moment
    ");
    assert_snapshot!(folder.esctl("replay account/ada --steps --from 6"), @r"
    exit: 2
    stderr:
    error: `account/ada` ends at version 5, there is no version 6
    ");
    assert_snapshot!(folder.esctl("replay account/ada --steps --from 2026-01-02 --at 2026-01-03 -o json"), @r"
    exit: 0
    stdout:
    []
    stderr:
    note: there is no event of `account/ada` from 2026-01-02T00:00:00.000000Z to 2026-01-03T00:00:00.000000Z
    ");
    folder.esctl("replay account/ada --steps --from 2027-01-01").exits(0).says("from 2027-01-01T00:00:00.000000Z on");
    folder.esctl("replay account/ada --steps --from @6").exits(2).says("the store ends at position @5");
    folder.esctl("replay account/ada --from 2").exits(2).says("`--from` goes with `--steps`");
    folder.esctl("replay account/ada --steps --from soon").exits(2).says("`soon` is no moment");
}

#[test]
fn only_what_changed_somewhere() {
    let folder = over_days();
    assert_snapshot!(folder.esctl("replay account/ada --steps --only balance --at 3").done(), @r#"
    version 2  @2  2026-01-01T00:00:00.012000Z  +12 ms  Deposited {"amount":25}
      ~ balance: 0 → 25
    "#);
    assert_eq!(
        folder.esctl("replay account/ada --steps --only /balance -o ndjson"),
        folder.esctl("replay account/ada --steps --only balance -o ndjson"),
    );
    assert_snapshot!(folder.esctl("replay account/ada --steps --only overdraft --from 2 -o csv").done(), @r"
    position,stream,version,type,time,gap_micros,path,before,after
    3,account/ada,3,OverdraftSet,2026-01-04T04:05:00.000000Z,273899988000,/overdraft,0,100
    ");
    assert_snapshot!(folder.esctl("replay account/ada --steps --only blance"), @r"
    exit: 0
    stderr:
    note: no event of `account/ada` changed `blance`; did you mean `balance`?
    ");
    assert_snapshot!(folder.esctl("replay account/ada --steps --only balance/cents -o ndjson"), @r"
    exit: 0
    stderr:
    note: no event of `account/ada` changed `balance/cents`
    ");
    assert_snapshot!(folder.esctl("replay account/ada --steps --only owner --from 2 -o json"), @r"
    exit: 0
    stdout:
    []
    stderr:
    note: no event of `account/ada` from version 2 on changed `owner`
    ");
    folder.esctl("replay account/ada --only balance").exits(2).says("`--only` goes with `--steps`");
    folder.esctl("replay account/ada --step --only balance").exits(2).says("`--only` goes with `--steps`");
}

#[test]
fn without_a_terminal_step_shows_all_steps() {
    let folder = over_days();
    for form in ["table", "json", "ndjson", "csv"] {
        let steps = folder.esctl(&format!("replay account/ada --steps --from 3 -o {form}"));
        assert_eq!(folder.esctl(&format!("replay account/ada --step --from 3 -o {form}")), steps);
    }
    folder.esctl("replay account/ada --step --steps").exits(2);
}
