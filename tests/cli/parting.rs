//! `esctl diff --with`: two stores that had the same history once.

use crate::support::{Folder, dump};
use insta::assert_snapshot;

/// Lines of a batch, with their ids and their times.
fn batch(name: &str, lines: &[&str]) -> String {
    let line = |(n, line): (usize, &&str)| {
        let (stream, rest) = line.split_once(' ').unwrap();
        let (command, data) = rest.split_once(' ').unwrap();
        let (id, time) = (format!("{name}-{n}"), format!("2026-02-0{}T00:00:00Z", n + 1));
        format!(
            r#"{{"stream":"account/{stream}","command":"{command}","data":{{{data}}},"id":"{id}","time":"{time}"}}"#
        )
    };
    lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

const SAME: &[&str] = &[
    r#"ada Open "owner":"Ada","currency":"EUR""#,
    r#"ada Deposit "amount":25"#,
    r#"bob Open "owner":"Bob","currency":"EUR""#,
    r#"ada Withdraw "amount":5"#,
];

/// Two stores, made by the same commands on two days, so that they have two identities.
fn same() -> Folder {
    let folder = Folder::bank();
    folder.write("same.ndjson", batch("same", SAME));
    folder.esctl("send --batch same.ndjson").done();
    folder.bash("ESCTL_CLOCK=2026-01-30 esctl send --batch same.ndjson --store other.db").done();
    let store = |flags: &str| folder.bash(&format!("esctl export {flags} | head -n 1 | jq -r '.store, .head'")).done();
    let (here, there) = (store(""), store("--store other.db"));
    assert!(here.lines().zip(there.lines()).all(|(one, two)| one != two), "{here}{there}");
    folder
}

/// Two such stores that then part.
fn parted() -> Folder {
    let folder = same();
    let here = batch("here", &[r#"bob Deposit "amount":1"#, r#"cy Open "owner":"Cy","currency":"EUR""#]);
    let there = batch(
        "there",
        &[
            r#"bob Deposit "amount":2"#,
            r#"ada Deposit "amount":9"#,
            r#"dan Open "owner":"Dan","currency":"EUR""#,
            r#"ada Withdraw "amount":9"#,
        ],
    );
    folder.esctl_with("send --batch -", here).done();
    folder.esctl_with("send --batch - --store other.db", there).done();
    folder
}

#[test]
fn two_stores_are_compared_by_content() {
    let folder = same();
    assert_snapshot!(folder.esctl("diff --with other.db --exit-code"), @r"
    exit: 0
    stdout:
    from  esctl.db  @4  2026-02-04T00:00:00.000000Z
    to    other.db  @4  2026-02-04T00:00:00.000000Z
        (no difference)
    ");
    assert_snapshot!(folder.esctl("diff --with other.db -o json").done(), @r"
    []
    ");
    folder.esctl("send account/ada Deposit amount=1 --id more").done();
    assert_snapshot!(folder.esctl("diff --with other.db --exit-code"), @r#"
    exit: 1
    stdout:
    from  esctl.db  @5  2026-02-04T00:00:00.000000Z
    to    other.db  @4  2026-02-04T00:00:00.000000Z
    the histories part at @5
      - account/ada  version 4  @5  2026-02-04T00:00:00.000000Z  Deposited {"amount":1}
    ~ account/ada  version 4 → 3
      ~ balance: 21 → 20
    "#);
    assert_snapshot!(folder.esctl("diff --with esctl.db --store other.db").done(), @r#"
    from  other.db  @4  2026-02-04T00:00:00.000000Z
    to    esctl.db  @5  2026-02-04T00:00:00.000000Z
    the histories part at @5
      + account/ada  version 4  @5  2026-02-04T00:00:00.000000Z  Deposited {"amount":1}
    ~ account/ada  version 3 → 4
      ~ balance: 20 → 21
    "#);
}

#[test]
fn where_histories_part_and_what_came_of_it() {
    let folder = parted();
    assert_snapshot!(folder.esctl("diff --with other.db"), @r#"
    exit: 0
    stdout:
    from  esctl.db  @6  2026-02-04T00:00:00.000000Z
    to    other.db  @8  2026-02-04T00:00:00.000000Z
    the histories part at @5
      - account/bob  version 2  @5  2026-02-04T00:00:00.000000Z  Deposited {"amount":1}
      + account/bob  version 2  @5  2026-02-04T00:00:00.000000Z  Deposited {"amount":2}
    ~ account/ada  version 3 → 5
    ~ account/bob  version 2
      ~ balance: 1 → 2
    - account/cy  version 1
    + account/dan  version 1
    "#);
    assert_snapshot!(folder.esctl("diff --with other.db -o ndjson").done(), @r#"
    {"difference":"parting","position":5,"event_before":{"position":5,"stream":"account/bob","version":2,"type":"Deposited","time":"2026-02-04T00:00:00.000000Z","data":{"amount":1},"command":{"id":"here-0","name":"Deposit"}},"event_after":{"position":5,"stream":"account/bob","version":2,"type":"Deposited","time":"2026-02-04T00:00:00.000000Z","data":{"amount":2},"command":{"id":"there-0","name":"Deposit"}}}
    {"difference":"changed","stream":"account/ada","version_before":3,"version_after":5,"changes":[]}
    {"difference":"changed","stream":"account/bob","version_before":2,"version_after":2,"changes":[{"path":"/balance","before":1,"after":2}]}
    {"difference":"removed","stream":"account/cy","version_before":1,"version_after":null}
    {"difference":"added","stream":"account/dan","version_before":null,"version_after":1}
    "#);
    assert_snapshot!(folder.esctl("diff --with other.db -o csv").done(), @r#"
    difference,position,stream,version_before,version_after,path,before,after
    parting,5,,,,,"account/bob 2 Deposited {""amount"":1}","account/bob 2 Deposited {""amount"":2}"
    changed,,account/ada,3,5,,,
    changed,,account/bob,2,2,/balance,1,2
    removed,,account/cy,1,,,,
    added,,account/dan,,1,,,
    "#);
    folder.esctl("diff --with other.db --exit-code").exits(1);
}

#[test]
fn what_says_the_same_otherwise_parts_too() {
    for (one, two) in [
        ("Deposit amount=1 --id a", "Deposit amount=1 --id b"),
        ("Deposit amount=1 --id a", "Deposit amount=1.0 --id a"),
        ("Deposit amount=1 --id a --time 2026-02-11", "Deposit amount=1 --id a --time 2026-02-12"),
    ] {
        let folder = same();
        for (store, send) in [("esctl.db", one), ("other.db", two)] {
            folder.esctl(&format!("send account/ada {send} --store {store}")).done();
        }
        let outcome = folder.esctl("diff --with other.db --exit-code").exits(1).prints("the histories part at @5\n");
        // Its streams come to the same all the same.
        assert_eq!(outcome.stdout.lines().count(), 5, "{outcome}");
    }
}

#[test]
fn stores_are_looked_at_and_left_as_they_are() {
    let folder = parted();
    let both = || [dump::everything(&folder, "esctl.db"), dump::everything(&folder, "other.db")];
    let before = both();
    folder.esctl("diff --with other.db").done();
    assert_eq!(both(), before);
    assert_snapshot!(folder.esctl("diff --with none.db"), @r"
    exit: 2
    stderr:
    error: there is no store at `none.db`
    hint: `--with` names a store that is there
    ");
    folder.write("text.db", "this is a text, not a store, and long enough to be seen as one");
    folder.esctl("diff --with text.db").exits(5).says("text.db");
    folder.esctl("diff account/ada --with other.db").exits(2).says("compared as a whole");
    folder.esctl("diff @1 --projection balances --with other.db").exits(2);
    assert!(!folder.file("none.db").exists());
}

#[test]
fn a_store_without_events_has_none_of_the_streams() {
    let folder = parted();
    folder.esctl("send account/x Deposit amount=1 --store empty.db").exits(1);
    folder
        .esctl("diff --with empty.db")
        .exits(0)
        .prints("the histories part at @1\n")
        .prints("\n- account/ada  version 3\n");
}
