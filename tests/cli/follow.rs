//! `--follow`, of `events` and of `project show`: one process follows, and others send.

use crate::support::running::Running;
use crate::support::{Folder, dump, skipped};
use insta::assert_snapshot;
use rustix::process::Signal;
use serde_json::Value;
use std::collections::BTreeMap;

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

fn position(line: &str) -> u64 {
    json(line)["position"].as_u64().unwrap()
}

fn send(folder: &Folder, what: &str) {
    folder.esctl(&format!("send {what}")).done();
}

/// Deposits, one line after the other, to which receipts come one by one.
const ONE_BY_ONE: &str = "send --batch - --group 1 -o ndjson";
const DEPOSIT: &str = r#"{"stream":"account/ada","command":"Deposit","data":{"amount":1}}"#;

#[test]
fn events_are_printed_as_they_are_stored() {
    let folder = Folder::opened();
    let mut following = Running::begin(&folder, "events --follow --limit 5 -o ndjson");
    assert_eq!(following.lines(3).iter().map(|line| position(line)).collect::<Vec<_>>(), [1, 2, 3]);
    send(&folder, "account/ada Deposit amount=10.50");
    assert_eq!(position(&following.line()), 4);
    send(&folder, "account/bob Open owner=Bob currency=USD");
    let outcome = following.ended();
    assert_eq!(outcome.stdout, folder.esctl("events -o ndjson").done());
    assert_snapshot!(outcome, @r#"
    exit: 0
    stdout:
    {"position":1,"stream":"account/ada","version":1,"type":"Opened","time":"2026-01-31T12:00:00.000000Z","data":{"owner":"Ada","currency":"EUR"},"command":{"id":"019c13ec-9e00-7000-8000-000000000000","name":"Open"}}
    {"position":2,"stream":"account/ada","version":2,"type":"Deposited","time":"2026-01-31T12:00:00.000000Z","data":{"amount":0.10},"command":{"id":"019c13ec-9e00-7000-8000-000010000000","name":"Deposit"}}
    {"position":3,"stream":"account/ada","version":3,"type":"Deposited","time":"2026-01-31T12:00:00.000000Z","data":{"amount":0.20},"command":{"id":"019c13ec-9e00-7000-8000-000020000000","name":"Deposit"}}
    {"position":4,"stream":"account/ada","version":4,"type":"Deposited","time":"2026-01-31T12:00:00.000000Z","data":{"amount":10.50},"command":{"id":"019c13ec-9e00-7000-8000-000030000000","name":"Deposit"}}
    {"position":5,"stream":"account/bob","version":1,"type":"Opened","time":"2026-01-31T12:00:00.000000Z","data":{"owner":"Bob","currency":"USD"},"command":{"id":"019c13ec-9e00-7000-8000-000040000000","name":"Open"}}
    "#);
}

#[test]
fn as_a_table_columns_stay_in_line() {
    let folder = Folder::opened();
    let mut following = Running::begin(&folder, "events -f --after 1 --limit 5");
    following.lines(3);
    send(&folder, "account/ada Deposit amount=10.50");
    following.line();
    send(&folder, "account/bob-the-builder Open owner=Bob currency=USD");
    following.line();
    send(&folder, "account/ada Deposit amount=1");
    assert_snapshot!(following.ended(), @r#"
    exit: 0
    stdout:
    position  stream       version  type       time                         data
           2  account/ada        2  Deposited  2026-01-31T12:00:00.000000Z  {"amount":0.10}
           3  account/ada        3  Deposited  2026-01-31T12:00:00.000000Z  {"amount":0.20}
           4  account/ada        4  Deposited  2026-01-31T12:00:00.000000Z  {"amount":10.50}
           5  account/bob-the-builder        1  Opened     2026-01-31T12:00:00.000000Z  {"owner":"Bob","currency":"USD"}
           6  account/ada                    5  Deposited  2026-01-31T12:00:00.000000Z  {"amount":1}
    "#);
}

#[test]
fn as_csv_the_header_comes_first() {
    let folder = Folder::opened();
    let mut following = Running::begin(&folder, "events --follow --after 3 --limit 1 -o csv");
    assert_eq!(following.line(), "position,stream,version,type,time,data");
    send(&folder, "account/ada Deposit amount=10.50");
    assert_snapshot!(following.ended(), @r#"
    exit: 0
    stdout:
    position,stream,version,type,time,data
    4,account/ada,4,Deposited,2026-01-31T12:00:00.000000Z,"{""amount"":10.50}"
    "#);
}

#[test]
fn only_those_that_were_asked_for() {
    let folder = Folder::opened();
    let mut bob = Running::begin(&folder, "events --follow --stream account/bob --limit 2 -o ndjson");
    let mut later = Running::begin(&folder, "events --follow --after @6 --limit 1 -o ndjson");
    let mut opened = Running::begin(&folder, "events --follow --type Opened --aggregate account --limit 2 -o ndjson");
    assert_eq!(position(&opened.line()), 1);
    for what in
        ["ada Deposit amount=1", "bob Open owner=Bob currency=USD", "ada Deposit amount=2", "bob Deposit amount=3"]
    {
        send(&folder, &format!("account/{what}"));
    }
    assert_eq!(position(&opened.line()), 5);
    assert_eq!(bob.lines(2).iter().map(|line| position(line)).collect::<Vec<_>>(), [5, 7]);
    assert_eq!(position(&later.line()), 7);
    for ended in [bob, later, opened] {
        ended.ended().exits(0);
    }
    assert_eq!(folder.esctl("events --follow --limit 0 -o ndjson").done(), "");
    assert_eq!(folder.esctl("events --follow --limit 0").done(), folder.esctl("events --limit 0").done());
    assert_eq!(folder.esctl("events --follow --limit 7").done(), folder.esctl("events").done());
}

#[test]
fn what_cannot_be_followed() {
    let folder = Folder::opened();
    assert_snapshot!(folder.esctl("events --follow --reverse"), @r"
    exit: 2
    stderr:
    error: `--follow` and `--reverse` do not go together: what comes later is printed later
    hint: `esctl events --reverse --limit 1` shows where the store ends, and `--follow --after` goes on there
    ");
    assert_snapshot!(folder.esctl("events --follow --until @2"), @r"
    exit: 2
    stderr:
    error: `--follow` and `--until` do not go together: up to then nothing new can come
    hint: `--limit` ends it after so many events
    ");
    assert_snapshot!(folder.esctl("events --follow -o json"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"`--follow` and `-o json` do not go together: its array would never end","hints":["`-o ndjson` prints an object a line"],"exit":2}}
    "#);
    assert_snapshot!(folder.esctl("events --follow --store none.db"), @r"
    exit: 2
    stderr:
    error: there is no store at `none.db`
    hint: the first `esctl send` makes it; another file is named with `--store`
    ");
    assert_snapshot!(folder.esctl("project show balances --follow --at @2"), @r"
    exit: 2
    stderr:
    error: `--follow` and `--at` do not go together: what was does not change
    hint: `esctl diff --projection NAME MOMENT` shows what has changed since then
    ");
    assert_snapshot!(folder.esctl("project show balances --follow --stale"), @r"
    exit: 2
    stderr:
    error: `--follow` and `--stale` do not go together: it brings the rows up to date
    hint: leave `--stale` out
    ");
    assert_snapshot!(folder.esctl("project show balances --follow --order balance"), @r"
    exit: 2
    stderr:
    error: `--follow` and `--order` do not go together: rows are printed in the order in which they change
    hint: without `--follow`, `--order` sorts the rows as they are now
    ");
    assert_snapshot!(folder.esctl("project show balances --follow -o json"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"`--follow` and `-o json` do not go together: its array would never end","hints":["`-o ndjson` prints an object a line"],"exit":2}}
    "#);
    assert_snapshot!(folder.esctl("project show balance --follow"), @r"
    exit: 2
    stderr:
    error: there is no projection `balance`
    hint: did you mean `balances`?
    ");
    assert_snapshot!(folder.esctl("project show balances --follow --where 'balanc > 1'"), @r"
    exit: 2
    stderr:
    error: there is no column `balanc`
     --> --where:1:1
      |
    1 | balanc > 1
      | ^^^^^^
    hint: did you mean `balance`?
    ");
}

#[test]
fn rows_that_come_change_and_go() {
    let folder = Folder::opened();
    let mut lines = Running::begin(&folder, "project show balances --follow --limit 4 -o ndjson");
    let mut table = Running::begin(&folder, "project show balances -f --limit 4");
    let mut csv = Running::begin(&folder, "project show balances --follow --limit 4 -o csv --columns balance");
    lines.line();
    // These have a header.
    table.lines(2);
    csv.lines(2);
    for what in ["bob Open owner=Bob currency=USD", "ada Deposit amount=1000", "bob Close"] {
        send(&folder, &format!("account/{what}"));
        for following in [&mut lines, &mut table, &mut csv] {
            following.line();
        }
    }
    assert_snapshot!(lines.ended(), @r#"
    exit: 0
    stdout:
    {"key":"ada","difference":"added","row":{"account":"ada","owner":"Ada","balance":0.3,"deposits":2}}
    {"key":"bob","difference":"added","row":{"account":"bob","owner":"Bob","balance":0,"deposits":0}}
    {"key":"ada","difference":"changed","row":{"account":"ada","owner":"Ada","balance":1000.3,"deposits":3}}
    {"key":"bob","difference":"removed","row":null}
    "#);
    assert_snapshot!(table.ended(), @r"
    exit: 0
    stdout:
    difference  account  owner  balance  deposits
    added       ada      Ada        0.3         2
    added       bob      Bob          0         0
    changed     ada      Ada     1000.3         3
    removed     bob
    ");
    assert_snapshot!(csv.ended(), @r"
    exit: 0
    stdout:
    difference,account,balance
    added,ada,0.3
    added,bob,0
    changed,ada,1000.3
    removed,bob,
    ");
}

#[test]
fn rows_for_which_a_condition_is_true() {
    let folder = Folder::opened();
    let mut rich = Running::begin(&folder, "project show balances --follow --where 'balance > 5' --limit 4 -o ndjson");
    let mut bob = Running::begin(&folder, "project show balances --follow --key bob --limit 2 -o ndjson");
    send(&folder, "account/ada Deposit amount=5");
    rich.line();
    send(&folder, "account/bob Open owner=Bob currency=USD");
    bob.line();
    send(&folder, "account/ada Withdraw amount=1");
    rich.line();
    send(&folder, "account/bob Deposit amount=6");
    rich.line();
    send(&folder, "account/ada Deposit amount=2");
    assert_snapshot!(rich.ended(), @r#"
    exit: 0
    stdout:
    {"key":"ada","difference":"added","row":{"account":"ada","owner":"Ada","balance":5.3,"deposits":3}}
    {"key":"ada","difference":"removed","row":null}
    {"key":"bob","difference":"added","row":{"account":"bob","owner":"Bob","balance":6,"deposits":1}}
    {"key":"ada","difference":"added","row":{"account":"ada","owner":"Ada","balance":6.3,"deposits":4}}
    "#);
    assert_snapshot!(bob.ended(), @r#"
    exit: 0
    stdout:
    {"key":"bob","difference":"added","row":{"account":"bob","owner":"Bob","balance":0,"deposits":0}}
    {"key":"bob","difference":"changed","row":{"account":"bob","owner":"Bob","balance":6,"deposits":1}}
    "#);
}

#[test]
fn rows_that_are_filled_anew_are_the_same() {
    let folder = Folder::opened();
    let mut following = Running::begin(&folder, "project show balances --follow --limit 2 -o ndjson");
    following.line();
    folder.esctl("project rebuild balances").done();
    folder.esctl("project rebuild balances --key ada").done();
    send(&folder, "account/ada Deposit amount=1");
    assert_snapshot!(following.ended(), @r#"
    exit: 0
    stdout:
    {"key":"ada","difference":"added","row":{"account":"ada","owner":"Ada","balance":0.3,"deposits":2}}
    {"key":"ada","difference":"changed","row":{"account":"ada","owner":"Ada","balance":1.3,"deposits":3}}
    "#);
}

#[test]
fn rows_that_other_rules_filled_are_not_followed() {
    let folder = Folder::opened();
    let mut following = Running::begin(&folder, "project show balances --follow -o ndjson");
    following.line();
    folder
        .bash("mkdir other && sed 's/row.deposits += 1/row.deposits += 2/' domains/bank.yaml > other/bank.yaml")
        .done();
    folder.esctl("project rebuild balances --domain other").done();
    assert_snapshot!(following.ended(), @r#"
    exit: 5
    stdout:
    {"key":"ada","difference":"added","row":{"account":"ada","owner":"Ada","balance":0.3,"deposits":2}}
    stderr:
    {"error":{"kind":"unavailable","message":"other rules filled `balances` while it was followed","hints":["run it again: it is filled by the rules of today then"],"exit":5}}
    "#);
}

#[test]
fn an_event_that_cannot_be_applied_ends_it() {
    let folder = Folder::bank();
    folder.bash(r#"sed -i 's/row.deposits += 1;/if event.amount > 9 { throw "too much"; } row.deposits += 1;/' domains/bank.yaml"#).done();
    send(&folder, "account/ada Open owner=Ada currency=EUR");
    let mut following = Running::begin(&folder, "project show balances --follow");
    following.lines(2);
    send(&folder, "account/ada Deposit amount=10");
    assert_snapshot!(following.ended(), @r#"
    exit: 4
    stdout:
    difference  account  owner  balance  deposits
    added       ada      Ada          0         0
    stderr:
    error: too much
       --> domains/bank.yaml:166:31
        |
    166 |         if event.amount > 9 { throw "too much"; } row.deposits += 1;
        |                               ^^^^^
        = while projecting `Deposited` of `account/ada` (@2) into row "ada" of `balances`
    hint: `--park` goes on past it, and `esctl project parked` lists it then
    "#);
    let mut past = Running::begin(&folder, "project show balances --follow --park --limit 2 -o ndjson");
    past.line();
    send(&folder, "account/ada Deposit amount=11");
    send(&folder, "account/ada Deposit amount=1");
    assert_snapshot!(past.ended(), @r#"
    exit: 0
    stdout:
    {"key":"ada","difference":"added","row":{"account":"ada","owner":"Ada","balance":0,"deposits":0}}
    {"key":"ada","difference":"changed","row":{"account":"ada","owner":"Ada","balance":1,"deposits":1}}
    "#);
}

#[test]
fn who_follows_events_writes_nothing() {
    let folder = Folder::opened();
    folder.esctl("project rebuild").done();
    let (before, listing) = (dump::everything(&folder, "esctl.db"), folder.listing());
    folder.esctl("events --follow --limit 3").done();
    let mut following = Running::begin(&folder, "events --follow -o ndjson");
    following.lines(3);
    following.signal(Signal::TERM);
    assert_eq!(following.signalled(), Some(15));
    assert_eq!(dump::everything(&folder, "esctl.db"), before);
    // A signal ends it as by itself: the log is copied into the file and removed.
    assert_eq!(folder.listing(), listing);
}

#[test]
fn it_ends_with_its_reader_even_if_nothing_comes() {
    let folder = Folder::opened();
    for verb in ["events --follow", "project show balances --follow"] {
        let mut following = Running::begin(&folder, verb);
        following.lines(2);
        following.leave();
        following.ended().exits(0);
        folder.bash(&format!("esctl {verb} -o ndjson | head -1; exit ${{PIPESTATUS[0]}}")).exits(0);
    }
}

#[test]
fn a_signal_ends_it_and_what_is_ignored_does_not() {
    let folder = Folder::opened();
    let mut interrupted = Running::begin(&folder, "project show balances --follow -o ndjson");
    interrupted.line();
    interrupted.signal(Signal::INT);
    assert_eq!(interrupted.signalled(), Some(2));
    // As `nohup` does.
    let mut kept = Running::bash(&folder, "trap '' HUP; exec esctl events --follow -o ndjson");
    kept.lines(3);
    kept.signal(Signal::HUP);
    send(&folder, "account/ada Deposit amount=1");
    assert_eq!(position(&kept.line()), 4);
    kept.signal(Signal::TERM);
    assert_eq!(kept.signalled(), Some(15));
}

#[test]
fn the_second_signal_ends_one_that_is_stuck() {
    let folder = Folder::bank();
    // More than a pipe takes while nobody reads.
    for name in ["a", "b", "c"] {
        send(&folder, &format!("account/{name} Open owner={} currency=EUR", "x".repeat(100_000)));
    }
    let mut stuck = Running::begin(&folder, "events --follow -o ndjson");
    stuck.line();
    stuck.signal(Signal::INT);
    stuck.signal(Signal::TERM);
    let signal = stuck.signalled().unwrap();
    assert!(signal == 2 || signal == 15, "{signal}");
}

#[test]
fn a_writer_that_is_killed_takes_nothing_along() {
    let folder = Folder::opened().with_a_running_clock();
    let following = Running::begin(&folder, "events --follow --limit 9 -o ndjson");
    for _ in 0..3 {
        let mut writer = Running::begin(&folder, ONE_BY_ONE);
        writer.give(DEPOSIT);
        writer.line();
        writer.signal(Signal::KILL);
        assert_eq!(writer.signalled(), Some(9));
        send(&folder, "account/ada Deposit amount=2");
    }
    let outcome = following.ended().exits(0);
    assert_eq!(outcome.stdout.lines().map(position).collect::<Vec<_>>(), (1..=9).collect::<Vec<_>>());
    folder.esctl("verify").done();
}

#[test]
fn of_many_writers_none_is_missed_or_repeated() {
    let folder = Folder::bank().with_a_running_clock();
    for writer in 1..=4 {
        send(&folder, &format!("account/w{writer} Open owner=W currency=EUR"));
    }
    let events = Running::begin(&folder, "events --follow --limit 104 -o ndjson");
    let mut rows: Vec<_> =
        (0..2).map(|_| Running::begin(&folder, "project show balances --follow -o ndjson")).collect();
    let each = "for n in $(seq 25); do esctl send account/w$w Deposit amount=1 || exit 1; done";
    folder
        .bash(&format!(
            "for w in 1 2 3 4; do ({each}) > /dev/null & done; for job in $(jobs -p); do wait $job || exit 1; done"
        ))
        .done();
    let outcome = events.ended().exits(0);
    assert_eq!(outcome.stdout.lines().map(position).collect::<Vec<_>>(), (1..=104).collect::<Vec<_>>());
    for rows in &mut rows {
        // What each row says grows, and comes to the end.
        let mut deposits: BTreeMap<String, u64> = BTreeMap::new();
        while deposits.len() < 4 || deposits.values().any(|deposits| *deposits < 25) {
            let line = json(&rows.line());
            let now = line["row"]["deposits"].as_u64().unwrap();
            let before = deposits.insert(line["key"].as_str().unwrap().to_owned(), now);
            assert!(before.is_none_or(|before| before < now), "{line}");
            assert_eq!(line["difference"], if before.is_none() { "added" } else { "changed" });
        }
    }
    for rows in rows {
        rows.signal(Signal::TERM);
        assert_eq!(rows.signalled(), Some(15));
    }
    folder.esctl("verify").done();
}

#[test]
fn a_store_that_is_replaced_is_not_followed() {
    let folder = || {
        let folder = Folder::opened();
        folder.esctl("backup other.db").done();
        send(&folder, "account/ada Deposit amount=1");
        folder
    };
    let written_over = folder();
    let mut following = Running::begin(&written_over, "events --follow --after 3");
    following.lines(2);
    // It does not look while the file is half written over: what it found then would be damaged.
    following.stop();
    written_over.bash("cp other.db esctl.db").done();
    send(&written_over, "account/ada Deposit amount=2");
    following.signal(Signal::CONT);
    assert_snapshot!(following.ended(), @r#"
    exit: 5
    stdout:
    position  stream       version  type       time                         data
           4  account/ada        4  Deposited  2026-01-31T12:00:00.000000Z  {"amount":1}
    stderr:
    error: `esctl.db` was given another history while it was followed
    hint: run it again to follow what is there now
    "#);
    let moved = folder();
    let mut following = Running::begin(&moved, "project show balances --follow");
    following.lines(2);
    moved.bash("mv other.db esctl.db").done();
    assert_snapshot!(following.ended(), @r"
    exit: 5
    stdout:
    difference  account  owner  balance  deposits
    added       ada      Ada        1.3         3
    stderr:
    error: `esctl.db` was replaced by another file while it was followed
    hint: run it again to follow what is there now
    ");
    let removed = folder();
    let mut following = Running::begin(&removed, "events --follow --after 3 -o ndjson");
    following.line();
    removed.bash("rm esctl.db").done();
    assert_snapshot!(following.ended(), @r#"
    exit: 5
    stdout:
    {"position":4,"stream":"account/ada","version":4,"type":"Deposited","time":"2026-01-31T12:00:00.000000Z","data":{"amount":1},"command":{"id":"019c13ec-9e00-7000-8000-000030000000","name":"Deposit"}}
    stderr:
    {"error":{"kind":"unavailable","message":"`esctl.db` was taken away while it was followed","hints":["run it again to follow what is there now"],"exit":5}}
    "#);
}

#[test]
fn where_the_system_tells_nothing_it_looks_and_says_so() {
    let folder = Folder::opened();
    let none = "echo 0 > /proc/sys/user/max_inotify_instances";
    if folder.bash(&format!("unshare -Ur bash -c '{none}'")).exit != 0 {
        return skipped("no user namespace in which inotify could be taken away");
    }
    let script = format!("unshare -Ur bash -c '{none}; exec esctl events --follow --limit 5 -o ndjson'");
    let mut following = Running::bash(&folder, &script);
    following.lines(3);
    for number in 4..=5 {
        send(&folder, "account/ada Deposit amount=1");
        assert_eq!(position(&following.line()), number);
    }
    let outcome = following.ended().exits(0);
    assert_snapshot!(outcome.stderr, @r"
    note: the system cannot tell when the store is written to (inotify: Too many open files (os error 24)): it is looked at 20 times a second
    ");
}

#[test]
fn processes_react_to_what_others_store_and_to_deadlines_that_come() {
    let folder = Folder::bank().with_a_running_clock();
    for account in ["1", "2"] {
        send(&folder, &format!("account/{account} Open owner=O currency=EUR"));
        send(&folder, &format!("account/{account} Deposit amount=500"));
    }
    send(&folder, "transfer/t0 Request from=1 to=2 amount=1 --no-react");
    let mut following = Running::begin(&folder, "process run --follow -o ndjson");
    let told = |line: &str| {
        let line = json(line);
        format!(
            "{} {} {}",
            line["key"].as_str().unwrap(),
            line["stream"].as_str().unwrap(),
            line["command"].as_str().unwrap()
        )
    };
    let mut next = || following.lines(3).iter().map(|line| told(line)).collect::<Vec<_>>();
    assert_eq!(next(), ["t0 account/1 Withdraw", "t0 account/2 Deposit", "t0 transfer/t0 Complete"]);
    send(&folder, "transfer/t1 Request from=1 to=2 amount=100 --no-react");
    assert_eq!(next(), ["t1 account/1 Withdraw", "t1 account/2 Deposit", "t1 transfer/t1 Complete"]);
    following.signal(Signal::INT);
    assert_eq!(following.signalled(), Some(2));
    folder.esctl("process status").prints("transfers  current");
}

#[test]
fn a_deadline_comes_while_nothing_is_stored() {
    let folder = Folder::empty().with_a_running_clock();
    folder.write(
        "domains/clock.yaml",
        r#"
domain: clock
aggregates:
  bell:
    state: { rings: 0 }
    events:
      Wound: { fold: state.rings = 0 }
      Rung: { fold: state.rings += 1 }
    commands:
      Wind: { decide: 'emit("Wound")' }
      Ring: { decide: 'emit("Rung")' }
processes:
  alarm:
    key: meta.id
    on:
      bell.Wound: after("10ms", "ring")
    on_deadline:
      ring: |
        send(`bell/${key}`, "Ring");
        done();
"#,
    );
    send(&folder, "bell/1 Wind --no-react");
    let mut following = Running::begin(&folder, "process run -f -o ndjson");
    assert_eq!(json(&following.line())["command"], "Ring");
    // Nobody reads on: it ends by itself, with nothing to say.
    following.leave();
    assert_eq!(following.ended().exit, 0);
}
