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

#[test]
fn up_to_a_moment() {
    let folder = Folder::bank();
    for (day, name) in [(1, "ada"), (2, "bob"), (3, "eve"), (4, "zoe")] {
        let send =
            format!("ESCTL_CLOCK=2026-01-0{day}T12:00:00Z esctl send account/{name} Open owner={name} currency=EUR");
        folder.bash(&send).done();
    }
    let positions = |line: &str| {
        let rows = folder.esctl(&format!("events {line} -o ndjson")).done();
        let position = |row: &str| serde_json::from_str::<serde_json::Value>(row).unwrap()["position"].to_string();
        rows.lines().map(position).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(positions("--until @2"), "1 2");
    assert_eq!(positions("--until 2"), "1 2");
    assert_eq!(positions("--until 2026-01-02T12:00:00Z"), "1 2");
    assert_eq!(positions("--until 2026-01-03T11:59:59.999999Z"), "1 2");
    assert_eq!(positions("--until 2026-01-31"), "1 2 3 4");
    assert_eq!(positions("--until @0"), "");
    assert_eq!(positions("--until @3 --after 1"), "2 3");
    assert_eq!(positions("--until @3 --after 3"), "");
    assert_eq!(positions("--until @3 --reverse"), "3 2 1");
    assert_eq!(positions("--until @3 --reverse --limit 1"), "3");
    assert_eq!(positions("--until @3 --stream account/zoe"), "");
    assert_eq!(positions("--until @3 --type Opened --limit 2"), "1 2");
    assert_eq!(folder.bash("esctl events --until @3 | head -1").done().split_whitespace().next(), Some("position"));
    assert_snapshot!(folder.esctl("events --until @5"), @r"
    exit: 2
    stderr:
    error: the store ends at position @4, there is no @5
    ");
    assert_snapshot!(folder.esctl("events --until 2025-12-31"), @r"
    exit: 2
    stderr:
    error: the store had no event yet at 2025-12-31T00:00:00.000000Z
    ");
    assert_snapshot!(folder.esctl("events --until noon"), @r"
    exit: 2
    stderr:
    error: `--until noon` is neither a position, as in `--until @120`, nor a time, as in `--until 2026-01-31T12:00:00Z`
    ");
    assert_snapshot!(folder.esctl("events --until @2 --after @3"), @r"
    exit: 2
    stderr:
    error: `--until` is @2, which is before `--after @3`
    ");
    assert_snapshot!(folder.esctl("events --until @2 --after @3 --reverse"), @r"
    exit: 2
    stderr:
    error: with `--reverse`, `--after` and `--until` both say where to begin
    hint: `--after` leaves out the event at its position, `--until` does not
    ");
}
