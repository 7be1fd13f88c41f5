//! What is missing at the end cannot be seen from within: a receipt shows it, whichever it is and however much is missing.

use crate::support::sample::{filled, tampered};
use crate::support::trial::{Dice, scaled};
use crate::support::{Folder, Outcome};
use std::fmt::Write;
use std::fs;

/// Takes the last commands away as if they had never been sent.
fn without_the_last(folder: &Folder, commands: usize) -> Outcome {
    tampered(
        folder,
        &format!(
            "DELETE FROM es_events WHERE command > (SELECT max(id) FROM es_commands) - {commands}; \
             DELETE FROM es_commands WHERE id > (SELECT max(id) FROM es_commands) - {commands}; \
             DELETE FROM es_types WHERE id NOT IN (SELECT type FROM es_events); \
             DELETE FROM es_streams WHERE id NOT IN (SELECT stream FROM es_events); \
             UPDATE es_processes SET checkpoint = min(checkpoint, (SELECT coalesce(max(position), 0) FROM es_events)), since = 0; \
             DELETE FROM es_domains WHERE id NOT IN (SELECT domain FROM es_commands)"
        ),
    )
}

#[test]
fn a_missing_tail_shows_against_a_receipt() {
    let mut dice = Dice::new();
    // Three accounts are opened.
    let deposits = scaled(100, 1_000).max(4) - 3;
    let (folder, receipts) = filled(deposits);
    let lines: Vec<&str> = receipts.lines().collect();
    folder.write("receipts.ndjson", &receipts);
    folder.write("last.json", lines.last().unwrap());
    folder.esctl("verify --expect receipts.ndjson").exits(0).prints(&format!("receipts  {}\n", lines.len()));
    for missing in 1..=lines.len() {
        without_the_last(&folder, missing).exits(0);
        let verb = if missing == 1 { "does" } else { "do" };
        let end = lines.len() - missing;
        // Those of what is missing do not hold, all of them, and those of what is there do.
        folder
            .esctl("verify --store tampered.db --expect receipts.ndjson")
            .exits(6)
            .says(&format!("{missing} of {} receipts {verb} not hold", lines.len()))
            .says(&format!("at @{}: the store ends at @{end}", end + 1));
        folder
            .esctl("verify --store tampered.db --expect @last.json -o json")
            .exits(6)
            .prints(&format!(r#""receipts":{{"held":0,"broken":1,"first":{{"id":"deposit-{}""#, deposits - 1))
            .prints(r#""sound":false"#)
            .says("1 of 1 receipt does not hold");
        let of_missing = lines[end + dice.below(missing)];
        folder.esctl_with("verify --store tampered.db --expect -", of_missing).exits(6);
        if end > 0 {
            let before = lines[..end].join("\n");
            folder
                .esctl_with("verify --store tampered.db --expect - -o json", before)
                .exits(0)
                .prints(&format!(r#""receipts":{{"held":{end},"broken":0"#));
        }
    }
}

#[test]
fn an_older_copy_shows_against_a_verdict_too() {
    let folder = Folder::opened();
    folder.bash("sqlite3 esctl.db '.backup older.db'").done();
    let receipt = folder.esctl("send account/ada Deposit amount=7 -o json").done();
    let verdict = folder.esctl("verify -o json").done();
    folder.bash("rm -f esctl.db-wal esctl.db-shm && cp older.db esctl.db").done();
    folder.esctl("verify").exits(0);
    folder.esctl(&format!("verify --expect '{}'", receipt.trim())).exits(6).says("the store ends at @3");
    folder.esctl_with("verify --expect -", &receipt).exits(6);
    folder.esctl_with("verify --expect -", &verdict).exits(6).says("the store ends at @3");
    // Going on from the older copy does not hide it.
    folder.esctl("send account/ada Deposit amount=8").done();
    folder.esctl_with("verify --expect -", &receipt).exits(6).says("the event at @4 has another hash");
}

#[test]
fn an_older_copy_shows_against_a_receipt() {
    let mut dice = Dice::new();
    let folder = Folder::bank();
    let open = "send account/ada Open owner=Ada currency=EUR -o json";
    // The receipts of what is in the store; then some commands come that an older copy takes back.
    let mut held = folder.esctl(open).done();
    for round in 0..scaled(100, 1_000) {
        let older = fs::read(folder.file("esctl.db")).unwrap();
        let commits = 1 + dice.below(30);
        let lines = (0..commits).fold(String::new(), |mut lines, n| {
            let data = r#"{"amount":1}"#;
            writeln!(lines, r#"{{"stream":"account/ada","command":"Deposit","data":{data},"id":"{round}-{n}"}}"#)
                .unwrap();
            lines
        });
        let gone = folder.esctl_with("send --batch - --group 1", lines).done();
        folder.esctl_with("verify --expect -", format!("{held}{gone}")).exits(0);
        let verdict = folder.esctl("verify -o json").done();

        assert!(!folder.file("esctl.db-wal").exists(), "the store is in one file when nobody uses it");
        fs::write(folder.file("esctl.db"), &older).unwrap();
        let before = held.lines().count();
        let shown = format!("the store ends at @{before}");
        folder.esctl("verify").exits(0);
        folder.esctl_with("verify --expect -", &held).exits(0).prints(&format!("receipts  {before}\n"));
        folder
            .esctl_with("verify --expect -", format!("{held}{gone}"))
            .exits(6)
            .says(&format!("{commits} of {} receipts do", before + commits))
            .says(&shown);
        let one = gone.lines().nth(dice.below(commits)).unwrap();
        folder.esctl_with("verify --expect -", one).exits(6).says(&shown);
        folder.esctl_with("verify --expect -", &verdict).exits(6).says(&shown);

        // Going on from the older copy does not hide it.
        let more = format!("send account/ada Deposit amount=1 --id on-{round} -o json");
        held.push_str(&folder.esctl(&more).done());
        let first = gone.lines().next().unwrap();
        let other = format!("the event at @{} has another hash", before + 1);
        folder.esctl_with("verify --expect -", first).exits(6).says(&other);
        folder.esctl_with("verify --expect -", &held).exits(0);
    }
}
