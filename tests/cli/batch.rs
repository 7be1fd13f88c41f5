//! `esctl send --batch`

use crate::support::trial::scaled;
use crate::support::{Folder, Outcome, bin, skipped};
use insta::assert_snapshot;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

const OPEN: &str = r#"{"stream":"account/ada","command":"Open","data":{"owner":"Ada","currency":"EUR"}}"#;

fn deposit(amount: &str) -> String {
    format!(r#"{{"stream":"account/ada","command":"Deposit","data":{{"amount":{amount}}}}}"#)
}

fn withdraw(amount: &str) -> String {
    format!(r#"{{"stream":"account/ada","command":"Withdraw","data":{{"amount":{amount}}}}}"#)
}

fn outcomes(outcome: &Outcome) -> Vec<String> {
    let field = |line: &str, name: &str| {
        let (_, rest) = line.split_once(&format!("\"{name}\":")).unwrap();
        rest.split([',', '}']).next().unwrap().trim_matches('"').to_owned()
    };
    outcome.stdout.lines().map(|line| format!("{} {}", field(line, "line"), field(line, "outcome"))).collect()
}

#[test]
fn receipts_come_in_order_with_their_lines() {
    let folder = Folder::bank();
    let input = format!("{OPEN}\n\n{}\n  \n{}", deposit("1"), withdraw("0.40"));
    assert_snapshot!(folder.esctl_with("send --batch -", input), @r#"
    exit: 0
    stdout:
    {"line":1,"stream":"account/ada","command":"Open","id":"019c13ec-9e00-7000-8000-000000000000","outcome":"accepted","version":1,"position":1,"events":[{"version":1,"position":1,"type":"Opened","data":{"owner":"Ada","currency":"EUR"}}],"head":"<hash>"}
    {"line":3,"stream":"account/ada","command":"Deposit","id":"019c13ec-9e00-7000-8000-000000000001","outcome":"accepted","version":2,"position":2,"events":[{"version":2,"position":2,"type":"Deposited","data":{"amount":1}}],"head":"<hash>"}
    {"line":5,"stream":"account/ada","command":"Withdraw","id":"019c13ec-9e00-7000-8000-000000000002","outcome":"accepted","version":3,"position":3,"events":[{"version":3,"position":3,"type":"Withdrawn","data":{"amount":0.40}}],"head":"<hash>"}
    stderr:
    3 commands: 3 accepted, 0 rejected
    "#);
}

#[test]
fn a_rejection_stops_nothing_and_shows_in_the_exit_code() {
    let folder = Folder::bank();
    folder.write("in.ndjson", format!("{OPEN}\n{}\n{}\n", withdraw("1"), deposit("1")));
    let outcome = folder.esctl("send --batch in.ndjson").exits(1);
    assert_eq!(outcomes(&outcome), ["1 accepted", "2 rejected", "3 accepted"]);
    outcome.says("3 commands: 2 accepted, 1 rejected");
}

#[test]
fn a_line_that_is_not_understood_ends_the_batch_after_what_precedes_it() {
    let folder = Folder::bank();
    let input = format!("{OPEN}\n{}\nnonsense\n{}\n", deposit("1"), deposit("1"));
    let outcome = folder.esctl_with("send --batch -", &input).exits(2);
    assert_eq!(outcomes(&outcome), ["1 accepted", "2 accepted", "3 error"]);
    let outcome = outcome.says("3 commands: 2 accepted, 0 rejected, 1 error; stopped at line 3\n");
    outcome.says("in line 3 of the batch").prints(r#"{"line":3,"outcome":"error","exit":2,"message":"#);
    folder.esctl("replay account/ada").exits(0).prints("version 2");
}

#[test]
fn keep_going_goes_on_and_exits_with_the_worst() {
    let folder = Folder::bank();
    let stale = r#"{"stream":"account/ada","command":"Deposit","data":{"amount":1},"expect":0}"#;
    let unknown = r#"{"stream":"account/ada","command":"Depsit"}"#;
    let key = r#"{"stream":"account/ada","command":"Deposit","dta":{}}"#;
    let input = format!("{OPEN}\n{unknown}\n{stale}\n{key}\n{}\n{}\n", deposit("1"), withdraw("9"));
    let outcome = folder.esctl_with("send --batch - --keep-going", &input).exits(3);
    assert_eq!(outcomes(&outcome), ["1 accepted", "2 error", "3 error", "4 error", "5 accepted", "6 rejected"]);
    outcome.says("6 commands: 2 accepted, 1 rejected, 3 errors");
}

#[test]
fn stop_on_reject_ends_the_batch_at_a_rejection() {
    let folder = Folder::bank();
    let input = [OPEN, &deposit("1"), &withdraw("5"), &deposit("2")].join("\n");
    assert_snapshot!(folder.esctl_with("send --batch - --stop-on-reject", &input), @r#"
    exit: 1
    stdout:
    {"line":1,"stream":"account/ada","command":"Open","id":"019c13ec-9e00-7000-8000-000000000000","outcome":"accepted","version":1,"position":1,"events":[{"version":1,"position":1,"type":"Opened","data":{"owner":"Ada","currency":"EUR"}}],"head":"<hash>"}
    {"line":2,"stream":"account/ada","command":"Deposit","id":"019c13ec-9e00-7000-8000-000000000001","outcome":"accepted","version":2,"position":2,"events":[{"version":2,"position":2,"type":"Deposited","data":{"amount":1}}],"head":"<hash>"}
    {"line":3,"stream":"account/ada","command":"Withdraw","id":"019c13ec-9e00-7000-8000-000000000002","outcome":"rejected","code":"insufficient_funds","message":"the balance is 1","details":{"balance":1},"version":2,"position":2,"head":"<hash>"}
    stderr:
    3 commands: 2 accepted, 1 rejected; stopped at line 3
    "#);
    folder.esctl("replay account/ada").exits(0).prints("version 2");
    let alone = folder.esctl_with("send --batch - --stop-on-reject --group 1", &input).exits(1);
    assert_eq!(outcomes(&alone), ["1 rejected"]);
    alone.says("1 command: 0 accepted, 1 rejected; stopped at line 1\n");
    let error = folder.esctl_with("send --batch - --stop-on-reject", format!("{}\nnonsense\n", deposit("1")));
    error.exits(2).says("2 commands: 1 accepted, 0 rejected, 1 error; stopped at line 2\n");
    folder.esctl("send --batch - --stop-on-reject --keep-going").exits(2).says("--keep-going");
}

#[test]
fn ids_that_are_made_are_said_before_their_commands_are_decided() {
    let folder = Folder::bank();
    let own = r#"{"stream":"account/ada","command":"Deposit","data":{"amount":1},"id":"own"}"#;
    let input = format!("{OPEN}\n{own}\n\n{}", withdraw("9"));
    let outcome = folder.esctl_with("send --batch - --print-id", &input).exits(1);
    assert_eq!(
        outcome.stderr,
        "line 1: id 019c13ec-9e00-7000-8000-000000000000\nline 4: id 019c13ec-9e00-7000-8000-000000000002\n\
         3 commands: 2 accepted, 1 rejected\n"
    );
    let ids = outcome.stdout.lines().map(|line| line.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap());
    let printed: Vec<_> = ids.collect();
    assert_eq!(printed[1], "own");
    assert!(outcome.stderr.contains(printed[0]) && outcome.stderr.contains(printed[2]), "{outcome}");
    // Where nobody can know the ids, nothing is stored under them.
    folder.write("in.ndjson", format!("{own}\n{}\n", deposit("1")));
    folder.bash("esctl send --batch in.ndjson --print-id 2> /dev/full").exits(5).prints("the id could not be printed");
    folder.esctl("replay account/ada").exits(0).prints("version 2");
}

#[test]
fn flags_of_a_batch_do_not_go_with_a_single_command() {
    let folder = Folder::bank();
    for flag in ["--group 3", "--keep-going", "--stop-on-reject", "--atomic"] {
        folder.esctl(&format!("send account/ada Open owner=A currency=EUR {flag}")).exits(2).says(&flag[..6]);
    }
    assert_eq!(folder.listing(), ["domains"]);
}

/// `script` gives a program a terminal.
fn on_a_terminal(folder: &Folder, script: &str) -> Option<Outcome> {
    if folder.bash("script --version | grep -q util-linux").exit != 0 {
        skipped("`script` of util-linux is needed for a terminal");
        return None;
    }
    Some(folder.bash(script).exits(0))
}

#[test]
fn progress_is_shown_on_a_terminal_that_does_not_show_the_receipts() {
    let folder = Folder::bank();
    let deposits = vec![deposit("1"); 600].join("\n");
    folder.write("in.ndjson", format!("{OPEN}\n{deposits}"));
    let batch = |flags: &str| {
        on_a_terminal(
            &folder,
            &format!("TERM=xterm script -eqc 'esctl send --batch in.ndjson {flags}' /dev/null < /dev/null"),
        )
    };
    let Some(seen) = batch("> out") else { return };
    for words in ["\r\u{1b}[2K256 commands [", "512 commands [", "601 commands ["] {
        assert!(seen.stdout.contains(words), "{words}: {seen}");
    }
    assert!(seen.stdout.ends_with("\r\u{1b}[2K601 commands: 601 accepted, 0 rejected\r\n"), "{seen}");
    folder.write("in.ndjson", deposits);
    assert!(!batch("").unwrap().stdout.contains("\u{1b}["), "receipts and progress get in each other's way");
}

#[test]
fn who_types_a_batch_is_told_how() {
    let folder = Folder::bank();
    folder.write("in.ndjson", format!("{OPEN}\n"));
    let Some(seen) = on_a_terminal(&folder, "script -eqc 'esctl send --batch -' /dev/null < in.ndjson") else { return };
    assert!(seen.stdout.contains("note: commands are read from the terminal"), "{seen}");
    assert!(seen.stdout.contains(r#""outcome":"accepted""#), "{seen}");
    assert!(seen.stdout.ends_with("1 command: 1 accepted, 0 rejected\r\n"), "{seen}");
}

#[test]
fn the_same_id_and_content_twice_is_stored_once() {
    let folder = Folder::bank();
    let line = r#"{"stream":"account/ada","command":"Deposit","data":{"amount":1},"id":"x"}"#;
    let outcome = folder.esctl_with("send --batch -", format!("{OPEN}\n{line}\n{line}\n")).exits(0);
    assert_eq!(outcomes(&outcome), ["1 accepted", "2 accepted", "3 accepted"]);
    outcome.prints(r#""duplicate":true"#);
    folder.esctl("replay account/ada").exits(0).prints("version 2");
}

#[test]
fn an_empty_batch() {
    assert_snapshot!(Folder::bank().esctl("send --batch -"), @r"
    exit: 0
    stderr:
    0 commands: 0 accepted, 0 rejected
    ");
    Folder::bank().esctl("send --batch nowhere.ndjson").exits(2).says("`nowhere.ndjson` cannot be read");
    Folder::bank().esctl("send --batch - account/ada Open").exits(2);
    Folder::bank().esctl("send --batch - --group 0").exits(2);
    Folder::bank().esctl("send --batch - --group 257").exits(2);
}

#[test]
fn lines_have_a_limit_and_must_be_text() {
    let folder = Folder::bank();
    let long = format!("{{\"stream\":\"{}\"}}", "x".repeat(3 * 1024 * 1024));
    let mut input = format!("{OPEN}\n{long}\n").into_bytes();
    input.extend(b"\xff\n");
    input.extend(deposit("1").bytes());
    let outcome = folder.esctl_with("send --batch - --keep-going", input).exits(2);
    assert_eq!(outcomes(&outcome), ["1 accepted", "2 error", "3 error", "4 accepted"]);
    outcome.says("longer than 2 MiB").says("not UTF-8");
}

/// Who waits for the receipt before sending the next command gets it.
#[test]
fn a_group_is_committed_when_nothing_comes() {
    let folder = Folder::bank();
    let mut command = Command::new(bin().join("esctl"));
    command.args(["send", "--batch", "-"]);
    folder.surround(&mut command);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut receipts = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in [OPEN.to_owned(), deposit("1"), deposit("2")] {
        writeln!(stdin, "{line}").unwrap();
        let receipt = receipts.next().unwrap().unwrap();
        assert!(receipt.contains(r#""outcome":"accepted""#), "{receipt}");
    }
    drop(stdin);
    assert!(receipts.next().is_none());
    assert!(child.wait().unwrap().success());
}

/// Whatever the answer was, a batch that waits for its next command leaves the turn to others.
#[test]
fn between_two_commands_others_can_send() {
    let folder = Folder::bank().with_a_running_clock();
    let mut command = Command::new(bin().join("esctl"));
    command.args(["send", "--batch", "-", "--keep-going"]);
    folder.surround(&mut command);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let with = |line: String, more: &str| line.replacen('{', &format!("{{{more},"), 1);
    let named = |amount| with(deposit(amount), r#""id":"named""#);
    for (line, answer) in [
        (OPEN.to_owned(), r#""outcome":"accepted""#),
        (named("1"), r#""outcome":"accepted""#),
        (named("1"), r#""duplicate":true"#),
        (named("2"), r#""exit":3"#),
        (withdraw("1000"), r#""outcome":"rejected""#),
        (with(deposit("1"), r#""expect":1"#), r#""exit":3"#),
        ("{}".to_owned(), r#""exit":2"#),
    ] {
        writeln!(stdin, "{line}").unwrap();
        let said = answers.next().unwrap().unwrap();
        assert!(said.contains(answer), "{line}\n{said}");
        folder.esctl("send account/ada Deposit amount=1 --timeout 0").done();
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
fn receipts_that_nobody_takes_stop_the_batch() {
    let folder = Folder::bank();
    let lines: Vec<_> = std::iter::once(OPEN.to_owned()).chain((0..2000).map(|_| deposit("1"))).collect();
    folder.write("in.ndjson", lines.join("\n"));
    folder.bash("esctl send --batch in.ndjson > /dev/full").exits(7).says("could not be delivered");
    let version = |folder: &Folder| folder.esctl("streams -o csv").done().lines().nth(1).map(str::to_owned);
    let first = version(&folder).unwrap();
    assert!(first.starts_with("account/ada,256,"), "one group and no other: {first}");
    let closed = Folder::bank();
    closed.write("in.ndjson", lines.join("\n"));
    closed.bash("esctl send --batch in.ndjson | true; exit ${PIPESTATUS[0]}").exits(7);
}

#[test]
fn many_commands_in_many_groups() {
    let folder = Folder::bank();
    let mut input = String::new();
    for account in 0..50 {
        input.push_str(&OPEN.replace("ada", &format!("a{account}")));
        input.push('\n');
    }
    for number in 0..5000 {
        input.push_str(&deposit("0.01").replace("ada", &format!("a{}", number % 50)));
        input.push('\n');
    }
    let outcome =
        folder.esctl_with("send --batch -", &input).exits(0).says("5,050 commands: 5,050 accepted, 0 rejected");
    assert_eq!(outcome.stdout.lines().count(), 5050);
    for (number, line) in (1..).zip(outcome.stdout.lines()) {
        assert!(line.starts_with(&format!("{{\"line\":{number},")), "{line}");
    }
    let rows = folder.esctl("project show balances -o csv").done();
    assert_eq!(rows.lines().count(), 51);
    folder.esctl("replay account/a7").exits(0).prints("balance:   1.00\n");
}

/// Many bank commands from a pipe: receipts in order, constant memory, and a read model that agrees with a sum
/// computed by another program. 20,000 of them in CI, 200,000 before a release.
#[test]
fn many_commands_through_a_pipe() {
    let commands = scaled(20_000, 200_000);
    let folder = Folder::bank();
    folder.write(
        "make.py",
        "import sys\nfor i in range(1000): print('{\"stream\":\"account/a%d\",\"command\":\"Open\",\"data\":{\"owner\":\"O\",\"currency\":\"EUR\"}}' % i)\n\
         for i in range(int(sys.argv[1]) - 1000): print('{\"stream\":\"account/a%d\",\"command\":\"%s\",\"data\":{\"amount\":%d.%02d}}' % \
         (i * 7919 % 1000, 'Withdraw' if i % 20 == 0 else 'Deposit', i % 97 + 1, i % 100))\n",
    );
    folder.write(
        "sum.py",
        "import json, sys\nfrom decimal import Decimal\nsums = {}\n\
         for line in sys.stdin:\n    event = json.loads(line, parse_float=Decimal, parse_int=Decimal)\n    \
         account = event['stream'].split('/')[1]\n    sign = {'Opened': 0, 'Deposited': 1, 'Withdrawn': -1}[event['type']]\n    \
         sums[account] = sums.get(account, Decimal(0)) + sign * event['data'].get('amount', Decimal(0))\n\
         for account in sorted(sums): print(account, sums[account].normalize() + 0)\n",
    );
    let script = "set -o pipefail
        python3 make.py COMMANDS | (ulimit -v 400000; esctl send --batch - > receipts.ndjson); code=$?
        [ $code -le 1 ] || exit $code
        esctl project rebuild balances >&2
        python3 -c 'import json
for n, l in enumerate(open(\"receipts.ndjson\"), 1): assert json.loads(l)[\"line\"] == n'
        esctl events -o ndjson | python3 sum.py > expected
        esctl project show balances -o ndjson | python3 -c '
import json, sys
from decimal import Decimal
for line in sys.stdin:
    row = json.loads(line, parse_float=Decimal, parse_int=Decimal)
    print(row[\"account\"], row[\"balance\"].normalize() + 0)' | sort > actual
        sort expected | cmp - actual && wc -l < receipts.ndjson";
    let script = script.replace("COMMANDS", &commands.to_string());
    assert_eq!(folder.bash(&script).done().trim(), commands.to_string());
}
