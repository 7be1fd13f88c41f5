//! What was acknowledged survives a kill, nothing is stored twice, and what is unknown is settled by sending again.
//!
//! `ESCTL_SCALE` says how often.

use crate::support::Folder;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// How many commands a batch has.
const COMMANDS: usize = 400;

/// Deposits with ids of their own, to a few accounts.
fn commands() -> String {
    let open = (0..4).map(|n| {
        format!(
            r#"{{"stream":"account/{n}","command":"Open","data":{{"owner":"O","currency":"EUR"}},"id":"open-{n}"}}"#
        )
    });
    let deposits = (0..COMMANDS - 4).map(|n| {
        format!(r#"{{"stream":"account/{}","command":"Deposit","data":{{"amount":0.01}},"id":"deposit-{n}"}}"#, n % 4)
    });
    open.chain(deposits).flat_map(|line| [line, "\n".to_owned()]).collect()
}

fn ids(lines: &str) -> Vec<String> {
    let id = |line: &str| line.split("\"id\":\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
    lines.lines().filter_map(id).collect()
}

/// Kills a batch after so many receipts and gives those that were printed.
fn killed_after(folder: &Folder, receipts: usize) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esctl"));
    command.args(["send", "--batch", "-", "--group", "7"]);
    folder.surround(&mut command);
    command.stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // The commands go in bit by bit, so that the kill falls between groups as well as into them.
    let feeding = std::thread::spawn(move || {
        commands().as_bytes().chunks(1000).try_for_each(|chunk| input.write_all(chunk)).ok();
    });
    let mut printed = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    for _ in 0..receipts {
        if lines.read_line(&mut printed).unwrap() == 0 {
            break;
        }
    }
    child.kill().unwrap();
    // What was on its way when it was killed was printed as well.
    let mut rest = String::new();
    while lines.read_line(&mut rest).is_ok_and(|length| length > 0) {}
    printed.push_str(rest.rsplit_once('\n').map_or("", |(whole, _)| whole));
    child.wait().unwrap();
    feeding.join().unwrap();
    ids(&printed)
}

#[test]
fn a_killed_batch_keeps_what_it_acknowledged() {
    let scale: usize = std::env::var("ESCTL_SCALE").ok().and_then(|scale| scale.parse().ok()).unwrap_or(1);
    for round in 0..20 * scale {
        let folder = Folder::bank();
        let acknowledged = killed_after(&folder, 1 + round * 97 % (COMMANDS - 10));
        let stored = ids(&folder.esctl("events -o ndjson").done());
        let missing: Vec<_> = acknowledged.iter().filter(|id| !stored.contains(id)).collect();
        assert!(missing.is_empty(), "round {round}: acknowledged and lost: {missing:?}");

        let resent = folder.esctl_with("send --batch -", commands()).done();
        assert_eq!(resent.matches("\"duplicate\":true").count(), stored.len(), "round {round}");
        let events = folder.esctl("events -o ndjson").done();
        let all = ids(&events);
        assert_eq!(all.len(), COMMANDS, "round {round}: {} events", all.len());
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), COMMANDS, "round {round}: stored twice");
        let positions = events.lines().map(|line| line.split([':', ',']).nth(1).unwrap().parse::<usize>().unwrap());
        assert!(positions.eq(1..=COMMANDS), "round {round}: positions have gaps");
        let total = "sqlite3 esctl.db 'SELECT sum(version) FROM streams'";
        assert_eq!(folder.bash(total).done().trim(), COMMANDS.to_string(), "round {round}: versions have gaps");
    }
}
