//! A disk that is full loses nothing, and when there is space again the store goes on without any repair.
//!
//! Needs root, to mount a file system in memory that is small.

use super::{has_no_store, ids};
use crate::support::mount::Small;
use crate::support::trial::{Dice, scaled};
use crate::support::{Folder, Outcome, skipped};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

/// How many commands a batch has.
const BATCH: usize = 60;

/// A store on a small file system, and what is known of it.
struct Subject<'a> {
    folder: &'a Folder,
    small: Small,
    dice: Dice,
    sent: usize,
    receipts: String,
    acknowledged: BTreeSet<String>,
}

impl Subject<'_> {
    fn esctl(&self, arguments: &str, stdin: &str) -> Outcome {
        let store = self.small.path().join("esctl.db");
        self.folder.esctl_with(&format!("{arguments} --store {}", store.display()), stdin)
    }

    /// The next commands, a line each: the first opens the account, the others take more space or less.
    fn lines(&mut self, count: usize) -> String {
        let mut lines = String::new();
        let most = 1 + self.dice.below(4000);
        for _ in 0..count {
            let id = self.sent;
            self.sent += 1;
            let (command, data) = match id {
                0 => ("Open", r#"{"owner":"O","currency":"EUR"}"#.to_owned()),
                _ => ("Deposit", format!(r#"{{"amount":1,"ref":"{}"}}"#, "x".repeat(self.dice.below(most)))),
            };
            let line = format!(r#"{{"stream":"account/a","command":"{command}","data":{data},"id":"{id}"}}"#);
            writeln!(lines, "{line}").unwrap();
        }
        lines
    }

    fn acknowledge(&mut self, receipts: &str) {
        self.receipts.push_str(receipts);
        self.acknowledged.extend(ids(receipts));
    }

    /// Sends what is next, as a batch or alone, and gives what came of it and how to send the same again.
    fn send(&mut self) -> (Outcome, String) {
        let alone = self.dice.below(4) == 0;
        let lines = self.lines(if alone { 1 } else { BATCH });
        let group = if alone { 1 } else { 1 + self.dice.below(BATCH) };
        let sent = self.esctl(&format!("send --batch - --group {group}"), &lines);
        self.acknowledge(&accepted(&sent.stdout));
        (sent, lines)
    }

    /// Everything that was acknowledged is there, and nothing else.
    fn holds(&self) {
        if self.receipts.is_empty() {
            // It may be that there was not even space to make a store.
            let verified = self.esctl("verify", "");
            let none = has_no_store(&verified);
            assert!(none || verified.exit == 0, "{verified}");
            if none {
                return;
            }
        } else {
            self.esctl("verify --expect -", &self.receipts).done();
        }
        let stored = ids(&self.esctl("events -o ndjson", "").done());
        assert_eq!(stored.len(), self.acknowledged.len(), "stored without a receipt, or twice");
        assert_eq!(stored.into_iter().collect::<BTreeSet<_>>(), self.acknowledged);
    }
}

#[test]
fn a_full_disk_loses_nothing_and_needs_no_repair() {
    let folder = Folder::bank();
    let mut dice = Dice::new();
    let rounds = scaled(20, 1000);
    let mut receipts = 0;
    for round in 0..rounds {
        // Every other one is so small that making a store is what fails, or soon after.
        let size = 256 + dice.below(if round % 2 == 0 { 512 } else { 4096 - 256 });
        let small = match Small::new(size) {
            Ok(small) => small,
            Err(why) => return skipped(&format!("no disk is filled: {why}")),
        };
        // Space is made by removing what was in the way, where that is enough for a batch, or by making the disk larger.
        let ballast = small.path().join("ballast");
        let removed = size >= 1536 && dice.below(2) == 0;
        if removed {
            fs::write(&ballast, vec![0; size * 1024 / 2]).unwrap();
        }
        let dice = dice.nth(round);
        let (folder, acknowledged) = (&folder, BTreeSet::new());
        let mut subject = Subject { folder, small, dice, sent: 0, receipts: String::new(), acknowledged };
        eprintln!("round {round}: {size} KiB, {}", if removed { "with ballast" } else { "made larger" });
        let (failed, again) = loop {
            let (sent, lines) = subject.send();
            if sent.exit != 0 {
                break (sent, lines);
            }
        };
        let failed = failed.exits(5);
        assert!(!failed.stderr.contains("damaged"), "{failed}");
        // It stays so, whatever is tried: it may even work for what needs less.
        let tried = subject.esctl("send --batch - --group 7", &again);
        assert!(matches!(tried.exit, 0 | 5), "{tried}");
        subject.acknowledge(&accepted(&tried.stdout));
        if removed {
            fs::remove_file(&ballast).unwrap();
        } else {
            subject.small.resize(2 * size + 1024);
        }
        receipts += subject.acknowledged.len();
        subject.holds();
        // The same again settles what was not stored, and then it goes on.
        let settled = subject.esctl("send --batch -", &again).done();
        subject.acknowledge(&settled);
        subject.holds();
    }
    eprintln!("{rounds} full disks, {receipts} receipts, 0 lost");
}

fn accepted(stdout: &str) -> String {
    stdout.lines().filter(|line| line.contains("\"accepted\"")).flat_map(|line| [line, "\n"]).collect()
}
