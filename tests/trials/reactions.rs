//! Processes that are killed, and many that react at once: every command that a process sends is stored once.
//!
//! The judge is arithmetic: money that was sent twice or not at all is missing somewhere. Killing at every call to the system
//! needs strace, and to be allowed to use it.

use super::victim::Victim;
use crate::support::trial::{Dice, scaled};
use crate::support::{Folder, skipped};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::thread;

/// The calls at which a process is killed: all with which it changes a file, or says something.
const CALLS: [&str; 6] = ["pwrite64", "write", "fdatasync", "fsync", "ftruncate", "unlink"];

/// Accounts with so much in them each.
fn accounts(folder: &Folder, amounts: &[u32]) {
    for (n, amount) in amounts.iter().enumerate() {
        folder.esctl(&format!("send account/{n} Open owner=O currency=EUR --no-react")).done();
        folder.esctl(&format!("send account/{n} Deposit amount={amount} --no-react")).done();
    }
}

fn balance(folder: &Folder, account: usize) -> String {
    let state: Value =
        serde_json::from_str(&folder.esctl(&format!("replay account/{account} -o json")).done()).unwrap();
    state["state"]["balance"].to_string()
}

/// How many events of each type there are, and the ids of the commands that processes sent, of which none comes twice.
fn events(folder: &Folder) -> (BTreeMap<String, usize>, BTreeSet<String>) {
    let mut kinds = BTreeMap::new();
    let mut sent = BTreeSet::new();
    for line in folder.esctl("events -o ndjson").done().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        *kinds.entry(event["type"].as_str().unwrap().to_owned()).or_default() += 1;
        // Each of them gives one event.
        if event["command"]["actor"] == "process:transfers" {
            let id = event["command"]["id"].as_str().unwrap().to_owned();
            assert!(sent.insert(id), "sent twice: {event}");
        }
    }
    (kinds, sent)
}

/// Whether strace can be used here.
fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
    traced.is_ok_and(|output| output.status.success())
}

/// Runs a command that is killed at the n-th call of one kind. Whether it was.
fn killed_at(folder: &Folder, arguments: &[&str], call: &str, when: usize) -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-e"]).arg(format!("inject={call}:signal=KILL:when={when}"));
    command.arg(env!("CARGO_BIN_EXE_esctl")).args(arguments);
    folder.surround(&mut command);
    let output = command.spawn().unwrap().wait_with_output().unwrap();
    let killed = output.status.signal() == Some(9) || output.status.code() == Some(137);
    assert!(killed || output.status.success(), "{output:?}");
    killed
}

/// A transfer that is killed at every call, is sent again under its id, and ends as it should.
fn killed_everywhere(prepare: fn(&Folder), ends: fn(&Folder)) -> usize {
    let origin = Folder::bank();
    accounts(&origin, &[1000, 500]);
    prepare(&origin);
    // Without what a process may have left beside it, the file is all of the store.
    origin.esctl("backup whole.db").done();
    let store = fs::read(origin.file("whole.db")).unwrap();
    let request = ["send", "transfer/t1", "Request", "from=0", "to=1", "amount=100", "--id", "the-one"];
    let mut kills = 0;
    for call in CALLS {
        for when in 1.. {
            let folder = Folder::bank();
            folder.write("esctl.db", &store);
            let killed = killed_at(&folder, &request, call, when);
            // Whoever got no receipt sends it again. What was left is done then, and where it was killed after that, by the
            // next one.
            folder.esctl("send transfer/t1 Request from=0 to=1 amount=100 --id the-one").done();
            ends(&folder);
            folder.esctl("verify").exits(0);
            if !killed {
                break;
            }
            kills += 1;
        }
    }
    kills
}

fn moved(folder: &Folder) {
    assert_eq!((balance(folder, 0).as_str(), balance(folder, 1).as_str()), ("900", "600"));
    let (kinds, sent) = events(folder);
    assert_eq!(kinds["Requested"], 1);
    assert_eq!(kinds["Withdrawn"], 1);
    assert_eq!(kinds["Deposited"], 3);
    assert_eq!(kinds["Completed"], 1);
    assert_eq!(sent.len(), 3);
    let instances = folder.esctl("process show transfers -o ndjson").done();
    let instances: Vec<Value> = instances.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(instances.len(), 1);
    assert_eq!(instances[0]["status"], "ended");
}

fn given_back(folder: &Folder) {
    assert_eq!((balance(folder, 0).as_str(), balance(folder, 1).as_str()), ("1000", "0"));
    let (kinds, sent) = events(folder);
    assert_eq!(kinds["Failed"], 1);
    assert_eq!(sent.len(), 3);
    let history = folder.esctl("process show transfers t1 -o json").done();
    let history: Value = serde_json::from_str(&history).unwrap();
    let rejected = history["history"].as_array().unwrap().iter().filter(|step| step["kind"] == "rejected").count();
    assert_eq!(rejected, 1, "{history}");
}

#[test]
fn a_transfer_killed_at_every_call_to_the_system_happens_once() {
    if !can_trace() {
        return skipped("strace cannot be used here: no process was killed at each of its calls");
    }
    let kills = killed_everywhere(|_| (), moved);
    assert!(kills > 20, "{kills} kills are too few to have been at every step");
    let closed = |folder: &Folder| {
        folder.esctl("send account/1 Withdraw amount=500 --no-react").done();
        folder.esctl("send account/1 Close --no-react").done();
    };
    let refused = killed_everywhere(closed, given_back);
    eprintln!("{kills} and {refused} kills");
}

#[test]
fn a_process_that_does_one_thing_at_a_time_and_is_killed_each_time_comes_to_the_same() {
    let folder = Folder::bank();
    accounts(&folder, &[1000, 500]);
    folder.esctl("send transfer/t1 Request from=0 to=1 amount=100 --no-react").done();
    // Each run commits one step and leaves the rest, as if it had been killed there.
    for _ in 0..4 {
        folder.esctl("process run --max-steps 1");
    }
    moved(&folder);
}

fn requests(from: usize, to: usize, accounts: usize) -> String {
    let line = |n: usize| {
        let (giver, taker) = (n % accounts, (n + 1 + n / accounts % (accounts - 1)) % accounts);
        let data = format!(r#"{{"from":"{giver}","to":"{taker}","amount":0.01}}"#);
        format!("{{\"stream\":\"transfer/t{n}\",\"command\":\"Request\",\"data\":{data},\"id\":\"request-{n}\"}}\n")
    };
    (from..to).map(line).collect()
}

/// That so many transfers have happened, each once.
fn all_moved(folder: &Folder, transfers: usize, accounts: usize) {
    let (kinds, sent) = events(folder);
    assert_eq!(kinds["Requested"], transfers);
    assert_eq!(kinds["Withdrawn"], transfers);
    assert_eq!(kinds["Deposited"], transfers + accounts);
    assert_eq!(kinds["Completed"], transfers);
    assert_eq!(sent.len(), 3 * transfers);
    let sum = folder.bash("esctl project show balances -o ndjson | jq -s 'map(.balance) | add'").done();
    assert_eq!(sum.trim(), (1000 * accounts).to_string());
    let status: Value = serde_json::from_str(&folder.esctl("process status -o json").done()).unwrap();
    assert_eq!(status[0]["ended"], transfers, "{status}");
    assert_eq!(
        (&status[0]["running"], &status[0]["stopped"], &status[0]["to_send"]),
        (&0.into(), &0.into(), &0.into())
    );
    folder.esctl("verify").exits(0);
}

#[test]
fn transfers_by_eight_processes_at_once_end_with_the_right_sum() {
    const PROCESSES: usize = 8;
    const ACCOUNTS: usize = 10;
    let each = scaled(1_000, 10_000) / PROCESSES;
    let folder = Folder::bank().with_a_running_clock();
    accounts(&folder, &[1000; ACCOUNTS]);
    thread::scope(|scope| {
        for process in 0..PROCESSES {
            let folder = &folder;
            scope.spawn(move || {
                let lines = requests(process * each, (process + 1) * each, ACCOUNTS);
                let receipts = folder.esctl_with("send --batch - --timeout 600", lines).done();
                assert_eq!(receipts.lines().count(), each);
            });
        }
    });
    folder.esctl("process run").done();
    all_moved(&folder, each * PROCESSES, ACCOUNTS);
}

#[test]
fn processes_that_are_killed_at_any_instant_send_every_command_once() {
    const ACCOUNTS: usize = 5;
    let transfers = scaled(200, 20_000);
    let mut dice = Dice::new();
    let folder = Folder::bank().with_a_running_clock();
    accounts(&folder, &[1000; ACCOUNTS]);
    let (mut known, mut kills) = (0, 0);
    let mut looks = 2_000;
    while known < transfers {
        let lines = requests(known, (known + 1 + dice.below(20)).min(transfers), ACCOUNTS);
        let group = (1 + dice.below(8)).to_string();
        let mut victim = Victim::start(&folder, &["send", "--batch", "-", "--group", &group]);
        victim.feed(&lines);
        victim.no_more();
        victim.watch(dice.below(looks));
        let end = victim.kill().killed_or_done();
        if end.exit.is_none() {
            kills += 1;
            looks += looks / 8 + 1;
        } else {
            looks -= looks / 8;
        }
        // What has a receipt is stored; the others are sent again.
        for line in end.printed {
            let receipt: Value = serde_json::from_str(&line).unwrap();
            let n: usize = receipt["id"].as_str().unwrap().strip_prefix("request-").unwrap().parse().unwrap();
            known = known.max(n + 1);
        }
        if dice.below(3) == 0 {
            let mut runner = Victim::start(&folder, &["process", "run"]);
            runner.watch(dice.below(looks));
            runner.kill().killed_or_done();
        }
    }
    folder.esctl("process run").done();
    all_moved(&folder, transfers, ACCOUNTS);
    eprintln!("{kills} kills");
    assert!(kills > 5, "{kills} kills are too few");
}
