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
        status: none → open
        owner: "" → Ada
        currency: "" → EUR
    version 2  @2  2026-01-31T12:00:00.000000Z  Deposited {"amount":0.10}
        balance: 0 → 0.10
    version 3  @3  2026-01-31T12:00:00.000000Z  Deposited {"amount":0.20}
        balance: 0.10 → 0.30
    "#);
    assert_snapshot!(folder.esctl("replay account/ada --steps --at 2 -o csv"), @r"
    exit: 0
    stdout:
    position,stream,version,type,time,path,before,after
    1,account/ada,1,Opened,2026-01-31T12:00:00.000000Z,/status,none,open
    1,account/ada,1,Opened,2026-01-31T12:00:00.000000Z,/owner,,Ada
    1,account/ada,1,Opened,2026-01-31T12:00:00.000000Z,/currency,,EUR
    2,account/ada,2,Deposited,2026-01-31T12:00:00.000000Z,/balance,0,0.10
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
