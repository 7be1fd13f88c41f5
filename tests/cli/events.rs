//! `esctl events`

use crate::support::Folder;
use insta::assert_snapshot;

fn folder() -> Folder {
    let folder = Folder::opened();
    folder.esctl("send account/bob Open owner=Bob currency=USD").done();
    folder
}

#[test]
fn the_log_for_people() {
    assert_snapshot!(folder().esctl("events"), @r#"
    exit: 0
    stdout:
    position  stream       version  type       time                         data
           1  account/ada        1  Opened     2026-01-31T12:00:00.000000Z  {"owner":"Ada","currency":"EUR"}
           2  account/ada        2  Deposited  2026-01-31T12:00:00.000000Z  {"amount":0.10}
           3  account/ada        3  Deposited  2026-01-31T12:00:00.000000Z  {"amount":0.20}
           4  account/bob        1  Opened     2026-01-31T12:00:00.000000Z  {"owner":"Bob","currency":"USD"}
    "#);
}

#[test]
fn the_log_for_programs() {
    let folder = folder();
    assert_snapshot!(folder.esctl("events --type Deposited -o json"), @r#"
    exit: 0
    stdout:
    [
    {"position":2,"stream":"account/ada","version":2,"type":"Deposited","time":"2026-01-31T12:00:00.000000Z","data":{"amount":0.10},"command":{"id":"019c13ec-9e00-7000-8000-000010000000","name":"Deposit"}},
    {"position":3,"stream":"account/ada","version":3,"type":"Deposited","time":"2026-01-31T12:00:00.000000Z","data":{"amount":0.20},"command":{"id":"019c13ec-9e00-7000-8000-000020000000","name":"Deposit"}}
    ]
    "#);
    assert_snapshot!(folder.esctl("events --stream account/bob -o csv"), @r#"
    exit: 0
    stdout:
    position,stream,version,type,time,data
    4,account/bob,1,Opened,2026-01-31T12:00:00.000000Z,"{""owner"":""Bob"",""currency"":""USD""}"
    "#);
}

#[test]
fn which_ones() {
    let folder = folder();
    let positions = |line: &str| {
        let rows = folder.esctl(&format!("events {line} -o csv")).done();
        rows.lines().skip(1).map(|row| row.split(',').next().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(positions(""), "1 2 3 4");
    assert_eq!(positions("--limit 2"), "1 2");
    assert_eq!(positions("--limit 0"), "");
    assert_eq!(positions("--after 2"), "3 4");
    assert_eq!(positions("--after @2 --limit 1"), "3");
    assert_eq!(positions("--reverse"), "4 3 2 1");
    assert_eq!(positions("--reverse --after 3"), "2 1");
    assert_eq!(positions("--reverse --limit 1 --type Opened"), "4");
    assert_eq!(positions("--aggregate account --type Opened"), "1 4");
    assert_eq!(positions("--stream account/ada --reverse --limit 2"), "3 2");
    assert_eq!(positions("--after 4"), "");
    folder.esctl("events --after x").exits(2).says("--after x");
    folder.esctl("events --stream x").exits(2);
}

#[test]
fn nothing_is_an_empty_listing() {
    let folder = folder();
    assert_eq!(folder.esctl("events --after 4 -o json").done(), "[]\n");
    assert_eq!(folder.esctl("events --after 4 -o ndjson").done(), "");
    assert_eq!(folder.esctl("events --after 4 -o csv").done(), "position,stream,version,type,time,data\n");
    assert_eq!(folder.esctl("events --after 4").done(), "position  stream  version  type  time  data\n");
}
