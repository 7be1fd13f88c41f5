//! `esctl send --batch --atomic`

use crate::support::trial::scaled;
use crate::support::{Folder, bin};
use insta::assert_snapshot;
use std::io::{BufRead, BufReader, Write};
use std::process::Command;

const OPEN: &str = r#"{"stream":"account/ada","command":"Open","data":{"owner":"Ada","currency":"EUR"}}"#;
const DEPOSIT: &str = r#"{"stream":"account/ada","command":"Deposit","data":{"amount":1}}"#;
const TOO_MUCH: &str = r#"{"stream":"account/ada","command":"Withdraw","data":{"amount":99}}"#;
const WITH_ID: &str = r#"{"stream":"account/ada","command":"Deposit","data":{"amount":1},"id":"x"}"#;

/// A domain whose commands take long, and can fail.
const SLOW: &str = "domain: d\naggregates:\n  a:\n    state: { n: 0 }\n    events:\n      Done:\n        fields: { by: integer }\n        \
    fold: state.n += 10 / event.by\n    commands:\n      Quick: { fields: { by: integer }, decide: 'emit(\"Done\", command)' }\n      \
    Slow: { fields: { by: integer }, decide: 'let n = 0; while n < 2000000 { n += 1; } emit(\"Done\", command)' }\n";

#[test]
fn all_of_it_is_stored_and_answered_in_order() {
    let folder = Folder::bank();
    assert_snapshot!(folder.esctl_with("send --batch - --atomic", format!("{OPEN}\n\n{DEPOSIT}")), @r#"
    exit: 0
    stdout:
    {"line":1,"stream":"account/ada","command":"Open","id":"019c13ec-9e00-7000-8000-000000000000","outcome":"accepted","version":1,"position":1,"events":[{"version":1,"position":1,"type":"Opened","data":{"owner":"Ada","currency":"EUR"}}],"head":"<hash>"}
    {"line":3,"stream":"account/ada","command":"Deposit","id":"019c13ec-9e00-7000-8000-000000000001","outcome":"accepted","version":2,"position":2,"events":[{"version":2,"position":2,"type":"Deposited","data":{"amount":1}}],"head":"<hash>"}
    stderr:
    2 commands: 2 accepted, 0 rejected
    "#);
    folder.esctl("replay account/ada").exits(0).prints("version 2");
    assert_snapshot!(folder.esctl("send --batch - --atomic"), @r#"
    exit: 0
    stderr:
    0 commands: 0 accepted, 0 rejected
    "#);
    folder.esctl("send --batch - --atomic --stop-on-reject").exits(0);
    folder.esctl("send --batch - --atomic --group 3").exits(2).says("--group");
    folder.esctl("send --batch - --atomic --keep-going").exits(2).says("--keep-going");
}

#[test]
fn a_rejection_undoes_all_of_it() {
    let folder = Folder::opened();
    let before = folder.esctl("verify -o json").done();
    let input = format!("{DEPOSIT}\n{TOO_MUCH}\n{DEPOSIT}\n");
    assert_snapshot!(folder.esctl_with("send --batch - --atomic", &input), @r#"
    exit: 1
    stdout:
    {"line":2,"stream":"account/ada","command":"Withdraw","id":"019c13ec-9e00-7000-8000-000030000001","outcome":"rejected","code":"insufficient_funds","message":"the balance is 1.30","details":{"balance":1.30},"version":4,"position":3,"head":"<hash>"}
    stderr:
    nothing of the batch was stored: line 2 was rejected (insufficient_funds)
    "#);
    assert_eq!(folder.esctl("verify -o json").done(), before);
    // The place and the hash it names are those of the store as it is.
    let rejected = folder.esctl_with("send --batch - --atomic", &input).exits(1);
    let head = |json: &str| json.split("\"head\":\"").nth(1).map(|rest| rest[..64].to_owned());
    let last = folder.esctl("send account/ada Withdraw amount=99 -o json").exits(1);
    assert_eq!(head(&rejected.stdout), head(&last.stdout));
    assert!(head(&rejected.stdout).is_some());
}

#[test]
fn an_error_undoes_all_of_it() {
    let folder = Folder::opened();
    let before = folder.esctl("verify -o json").done();
    let atomic = |last: &str| folder.esctl_with("send --batch - --atomic", format!("{DEPOSIT}\n{WITH_ID}\n\n{last}\n"));
    let stale = r#"{"stream":"account/ada","command":"Deposit","data":{"amount":1},"expect":4}"#;
    assert_snapshot!(atomic(stale), @r#"
    exit: 3
    stdout:
    {"line":4,"outcome":"error","exit":3,"message":"`account/ada` is at version 5, expected version 4","expected":4,"actual":5}
    stderr:
    error: `account/ada` is at version 5, expected version 4
     = in line 4 of the batch
    hint: see what happened with `esctl replay account/ada --steps`, then expect version 5
    nothing of the batch was stored: line 4 could not be carried out
    "#);
    let other = r#"{"stream":"account/ada","command":"Deposit","data":{"amount":2},"id":"x"}"#;
    atomic(other).exits(3).says("the id `x` was used before").says("nothing of the batch was stored");
    for line in ["nonsense", r#"{"stream":"account/ada","command":"Depsit"}"#, &"x".repeat(3 * 1024 * 1024)] {
        let outcome = atomic(line).exits(2).says("nothing of the batch was stored: line 4 could not be carried out\n");
        assert!(outcome.stdout.starts_with(r#"{"line":4,"outcome":"error","exit":2,"#), "{outcome}");
        assert_eq!(outcome.stdout.lines().count(), 1, "{outcome}");
    }
    assert_eq!(folder.esctl("verify -o json").done(), before);
    let json = folder.esctl_with("send --batch - --atomic -o json", format!("{DEPOSIT}\nnonsense\n")).exits(2);
    json.says(r#"{"error":{"kind":"usage","#).says("nothing of the batch was stored");

    let failing = Folder::empty();
    failing.write("domains/d.yaml", SLOW);
    let line = |by: u8| format!("{{\"stream\":\"a/1\",\"command\":\"Quick\",\"data\":{{\"by\":{by}}}}}\n");
    let failed = failing.esctl_with("send --batch - --atomic", [line(1), line(0)].concat()).exits(4);
    failed.says("--> domains/d.yaml:8:").says("in line 2 of the batch").says("nothing of the batch was stored");
    assert_eq!(failing.esctl("events -o ndjson").done(), "");
}

/// Lines are checked before any is decided, and what is not understood makes no store.
#[test]
fn all_lines_are_checked_first() {
    let folder = Folder::bank();
    let outcome = folder.esctl_with("send --batch - --atomic --print-id", format!("{TOO_MUCH}\nnonsense\n")).exits(2);
    assert!(outcome.stdout.starts_with(r#"{"line":2,"outcome":"error""#), "{outcome}");
    outcome.says("line 1: id 019c13ec-");
    assert_eq!(folder.listing(), ["domains"]);
}

#[test]
fn what_was_stored_before_is_accepted() {
    let folder = Folder::opened();
    folder.esctl_with("send --batch -", WITH_ID).done();
    let new = WITH_ID.replace(r#""x""#, r#""y""#);
    let outcome = folder.esctl_with("send --batch - --atomic", format!("{WITH_ID}\n{new}\n{new}\n")).exits(0);
    let duplicates: Vec<_> = outcome.stdout.lines().map(|line| line.contains(r#""duplicate":true"#)).collect();
    assert_eq!(duplicates, [true, false, true]);
    outcome.says("3 commands: 3 accepted (2 of them stored before), 0 rejected");
    folder.esctl("replay account/ada").exits(0).prints("version 5");
}

#[test]
fn a_receipt_that_cannot_be_delivered_exits_7() {
    let folder = Folder::bank();
    folder.write("in.ndjson", format!("{OPEN}\n{DEPOSIT}\n"));
    let full = folder.bash("esctl send --batch in.ndjson --atomic > /dev/full").exits(7);
    full.says("the batch is stored, but its receipts could not be delivered").says("2 commands: 2 accepted");
    folder.esctl("replay account/ada").exits(0).prints("version 2");
    // A rejection that nobody takes loses nothing.
    folder.write("in.ndjson", format!("{DEPOSIT}\n{TOO_MUCH}\n"));
    folder.bash("esctl send --batch in.ndjson --atomic > /dev/full").exits(1).says("nothing of the batch was stored");
}

/// Nobody waits for whoever writes the lines.
#[test]
fn the_turn_is_taken_when_all_lines_are_read() {
    let folder = Folder::opened().with_a_running_clock();
    let mut command = Command::new(bin().join("esctl"));
    command.args(["send", "--batch", "-", "--atomic", "--print-id"]);
    folder.surround(&mut command);
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    writeln!(stdin, "{DEPOSIT}").unwrap();
    let id = said.next().unwrap().unwrap().strip_prefix("line 1: id ").unwrap().to_owned();
    folder.esctl("send account/ada Deposit amount=1 --timeout 0").done();
    writeln!(stdin, "{DEPOSIT}").unwrap();
    drop(stdin);
    let outcome = child.wait_with_output().unwrap();
    assert!(outcome.status.success());
    let receipts = String::from_utf8(outcome.stdout).unwrap();
    assert!(receipts.lines().next().unwrap().contains(&id), "{receipts}");
    assert!(receipts.contains(r#""version":6"#), "{receipts}");
}

/// Whoever finds the turn taken knows that the batch is being decided.
#[test]
fn killed_while_it_is_decided_nothing_is_stored() {
    let folder = Folder::empty().with_a_running_clock();
    folder.write("domains/d.yaml", SLOW);
    folder.write("in.ndjson", "{\"stream\":\"a/slow\",\"command\":\"Slow\",\"data\":{\"by\":1}}\n".repeat(500));
    let script =
        "esctl send a/other Quick by=1 > receipts || exit; esctl send --batch in.ndjson --atomic > receipts & batch=$!
        while kill -0 $batch && esctl send a/other Quick by=1 --timeout 0 > /dev/null 2> said; do :; done
        esctl send --batch in.ndjson --atomic --timeout 0; echo \"exit $?\" >&2
        kill -9 $batch; wait $batch; echo \"exit $?\" >&2; cat said receipts";
    let outcome = folder.bash(script).exits(0).says("in lines 1 to 500 of the batch").says("exit 137\n");
    let outcome = outcome.says("nothing of the batch was stored\nexit 5\n").prints("`--timeout SECONDS` waits longer");
    assert!(!outcome.stdout.contains("accepted"), "{outcome}");
    let streams = folder.esctl("streams -o csv").done();
    assert!(!streams.contains("a/slow"), "{streams}");
    folder.esctl("verify").done();
    folder.esctl("send a/slow Quick by=1 --expect none --timeout 0").done();
}

/// No room for the log: the commit itself fails, and sending again settles it.
#[test]
fn an_unknown_outcome_is_settled_by_sending_again() {
    let folder = Folder::opened();
    let lines = (0..2000).map(|n| WITH_ID.replace(r#""x""#, &format!("\"i{n}\"")) + "\n");
    folder.write("in.ndjson", lines.collect::<String>());
    let unknown = folder.bash("trap '' XFSZ; ulimit -f 300; esctl send --batch in.ndjson --atomic").exits(7);
    assert_eq!(unknown.stdout, "");
    let unknown =
        unknown.says("in lines 1 to 2000 of the batch").says("send the same batch again if each of its lines");
    unknown.says("the batch is stored as a whole or not at all, nobody knows which\n");
    folder.esctl("send --batch in.ndjson --atomic").exits(0).says("2,000 commands: 2,000 accepted");
    folder.esctl("replay account/ada").exits(0).prints("version 2003");
}

/// Memory stays bounded, and what is put aside leaves nothing behind.
#[test]
fn a_batch_of_any_size() {
    let commands = scaled(20_000, 200_000);
    let folder = Folder::bank();
    let make = "import sys\nfor i in range(int(sys.argv[1])):\n    a = i % 100\n    \
        data = '{\"owner\":\"O\",\"currency\":\"EUR\"}' if i < 100 else '{\"amount\":0.01}'\n    \
        print('{\"stream\":\"account/a%d\",\"command\":\"%s\",\"data\":%s}' % (a, 'Open' if i < 100 else 'Deposit', data))\n";
    folder.write("make.py", make).write("aside/.keep", "");
    let script = "set -o pipefail; export TMPDIR=$PWD/aside
        python3 make.py COMMANDS | (ulimit -v 400000; esctl send --batch - --atomic > receipts.ndjson)
        python3 -c 'import json
for n, l in enumerate(open(\"receipts.ndjson\"), 1): r = json.loads(l); assert r[\"line\"] == n and r[\"position\"] == n'
        ls aside; esctl verify > verified; wc -l < receipts.ndjson";
    let outcome = folder.bash(&script.replace("COMMANDS", &commands.to_string())).exits(0);
    assert_eq!(outcome.stdout.trim(), commands.to_string());
    folder.bash("TMPDIR=nowhere esctl send --batch receipts.ndjson --atomic").exits(2);
    let script = format!("python3 make.py {commands} | tail -n +101 | TMPDIR=nowhere esctl send --batch - --atomic");
    folder.bash(&script).exits(5).says("a temporary file in `nowhere` failed").says("`TMPDIR`");
}
