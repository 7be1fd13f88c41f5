//! What was acknowledged survives a kill, nothing is stored twice, and what is unknown is settled by sending again.
//!
//! One process after the other is killed, and the next one finds the store as the killed one left it. It is sent first
//! what nobody knows the fate of, and then more. Since they come one after the other, each command has a place in the
//! store that is known from the start: whatever is lost, stored twice or torn in two moves those that follow.

use super::victim::{End, Victim};
use crate::support::Folder;
use crate::support::history::{Ledger, events};
use crate::support::trial::{Dice, scaled};
use std::collections::BTreeSet;

/// How many accounts there are.
const ACCOUNTS: usize = 4;
/// How many commands a process is given at most, without those that are known.
const MOST: usize = 24;

/// The n-th command: its stream, its name and its data. Every tenth is a transfer, with events in two streams.
fn command(n: usize) -> (String, &'static str, String) {
    let stream = format!("account/{}", n % ACCOUNTS);
    match n {
        _ if n < ACCOUNTS => (stream, "Open", r#"{"owner":"O","currency":"EUR"}"#.to_owned()),
        _ if n % 10 == 9 => (stream, "Transfer", format!(r#"{{"to":"{}","amount":0.01}}"#, (n + 1) % ACCOUNTS)),
        _ => (stream, "Deposit", format!(r#"{{"amount":1.00,"ref":"{n}"}}"#)),
    }
}

/// Where its last event is.
fn position(n: usize) -> usize {
    n + 1 + (n + 1) / 10
}

fn id(n: usize) -> String {
    format!("command-{n}")
}

fn line(n: usize) -> String {
    let (stream, name, data) = command(n);
    format!("{{\"stream\":\"{stream}\",\"command\":\"{name}\",\"data\":{data},\"id\":\"{}\"}}\n", id(n))
}

/// A store that goes on over many kills.
struct Store {
    folder: Folder,
    ledger: Ledger,
    /// So many commands are acknowledged, the first ones.
    known: usize,
    /// So many were sent.
    sent: usize,
}

/// What came of it all.
#[derive(Debug, Default)]
struct Figures {
    kills: usize,
    /// How many had ended before they were killed.
    ended: usize,
    /// How many commands were sent again since no receipt came, and how many of them had been stored.
    settled: usize,
    were_stored: usize,
    acknowledged: usize,
    stores: usize,
}

impl Store {
    fn new() -> Self {
        Self { folder: Folder::bank(), ledger: Ledger::default(), known: 0, sent: 0 }
    }

    /// Takes down what was printed.
    fn note(&mut self, printed: &[String], figures: &mut Figures) {
        for line in printed {
            let id = self.ledger.note(line);
            let receipt = self.ledger.get(&id).unwrap();
            let n: usize = id.strip_prefix("command-").unwrap().parse().unwrap();
            assert_eq!(receipt["position"], position(n), "another place than sent to: {receipt}");
            if n < self.known {
                continue;
            }
            assert_eq!(n, self.known, "receipts are out of order: {line}");
            if n < self.sent {
                figures.settled += 1;
                figures.were_stored += usize::from(receipt["duplicate"] == true);
            } else {
                assert_eq!(receipt["duplicate"], serde_json::Value::Null, "{line}");
            }
            self.known += 1;
        }
    }

    /// One process, killed at some instant.
    fn round(&mut self, dice: &mut Dice, looks: usize, figures: &mut Figures) {
        let mut printed = Vec::new();
        let (end, sent) = if dice.below(4) == 0 {
            let (stream, name, data) = command(self.known);
            let arguments = ["send", &stream, name, "--data", &data, "--id", &id(self.known), "-o", "json"];
            let mut victim = Victim::start(&self.folder, &arguments);
            victim.watch(dice.below(looks));
            (victim.kill(), self.known + 1)
        } else {
            // Some that are known, all that are not, and some that are new.
            let again: Vec<_> = (0..dice.below(3).min(self.known)).map(|_| dice.below(self.known)).collect();
            let sent = self.sent.max(self.known + dice.below(MOST));
            let all: Vec<_> = again.into_iter().chain(self.known..sent).map(line).collect();
            (self.batch(dice, looks, &all, &mut printed), sent)
        };
        let end = end.killed_or_done();
        figures.kills += 1;
        figures.ended += usize::from(end.exit.is_some());
        printed.extend(end.printed);
        self.note(&printed, figures);
        self.sent = self.sent.max(sent);
    }

    /// A batch that is given these lines in two parts and killed after some receipts, or none, and some while.
    fn batch(&self, dice: &mut Dice, looks: usize, lines: &[String], printed: &mut Vec<String>) -> End {
        let group = (1 + dice.below(12)).to_string();
        let mut victim = Victim::start(&self.folder, &["send", "--batch", "-", "--group", &group]);
        let (first, rest) = lines.split_at(dice.below(lines.len() + 1));
        victim.feed(&first.concat());
        // What is in a group is stored as soon as nothing more comes: all these receipts come.
        if dice.below(2) == 0 {
            printed.extend((0..first.len()).map_while(|_| victim.line()));
        }
        victim.feed(&rest.concat());
        if dice.below(2) == 0 {
            victim.no_more();
        }
        if dice.below(3) == 0 {
            let receipts = dice.below(lines.len() + 1 - printed.len());
            printed.extend((0..receipts).map_while(|_| victim.line()));
        }
        let looks = [1, looks / 16 + 1, looks][dice.below(3)];
        victim.watch(dice.below(looks));
        victim.kill()
    }

    /// Sends what is unknown once more, without killing anybody, and looks at everything.
    fn settle(mut self, figures: &mut Figures) {
        let rest: String = (self.known..self.sent).map(line).collect();
        let printed = self.folder.esctl_with("send --batch -", rest).done();
        let printed: Vec<_> = printed.lines().map(str::to_owned).collect();
        self.note(&printed, figures);
        assert_eq!(self.known, self.sent);
        assert_eq!(self.ledger.len(), self.sent);
        if self.sent > 0 {
            self.ledger.check(&self.folder);
        }
        figures.acknowledged += self.sent;
        figures.stores += 1;
    }
}

/// How often a process is looked at while it sends a command and makes a store for it.
fn looks_in_a_life() -> usize {
    let folder = Folder::bank();
    Victim::start(&folder, &["send", "account/0", "Open", "owner=O", "currency=EUR"]).watch(usize::MAX)
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let kills = scaled(2_000, 1_000_000);
    let mut dice = Dice::new();
    let mut figures = Figures::default();
    let looks = (0..5).map(|_| looks_in_a_life()).max().unwrap_or(0) + 1;
    while figures.kills < kills {
        // Many stores that are only made, and some that grow over hundreds of kills.
        let rounds = if dice.below(4) > 0 { 1 + dice.below(8) } else { 100 + dice.below(300) };
        let mut store = Store::new();
        for _ in 0..rounds.min(kills - figures.kills) {
            store.round(&mut dice, looks, &mut figures);
        }
        store.settle(&mut figures);
    }
    eprintln!("{figures:?}");
}

/// What somebody would do in a shell: send the same id again until it is acknowledged.
const LOOP: &str = r#"
sent=0 killed=0 most=1000
RANDOM=$SEED
for ((n = 0; n < IDS; n++)); do
    while :; do
        esctl send account/ada Deposit amount=0.01 --id "k-$n" -o json >>receipts.ndjson 2>>talk & process=$!
        for ((left = (RANDOM * 32768 + RANDOM) % most; left > 0; left--)); do :; done
        kill -9 $process
        wait $process
        status=$?
        ((sent++))
        # Half of them are to be killed, on whichever machine this runs.
        [ $status = 0 ] && most=$((most - most / 8)) && break
        [ $status = 137 ] || { echo "k-$n ended with $status"; exit 1; }
        most=$((most + most / 7 + 1)) killed=$((killed + 1))
    done 2>/dev/null
done
echo "$sent sent, $killed of them killed"
"#;

#[test]
fn a_loop_that_kills_and_sends_again_stores_each_id_once() {
    let folder = Folder::bank();
    let ids = scaled(1_000, 10_000);
    let seed = Dice::new().below(32_768);
    folder.esctl("send account/ada Open owner=Ada currency=EUR").done();
    let outcome = folder.bash(&format!("SEED={seed} IDS={ids}\n{LOOP}")).exits(0);
    eprintln!("{}", outcome.stdout);
    let mut ledger = Ledger::default();
    let receipts = std::fs::read_to_string(folder.file("receipts.ndjson")).unwrap();
    for line in receipts.lines() {
        ledger.note(line);
    }
    assert_eq!(ledger.len(), ids);
    folder.esctl("verify --expect receipts.ndjson").exits(0);
    let events = events(&folder);
    let stored: BTreeSet<_> = events.iter().map(|event| event["command"]["id"].as_str().unwrap()).collect();
    assert_eq!((stored.len(), events.len()), (1 + ids, 1 + ids), "stored twice, or not at all");
    assert!((0..ids).all(|n| stored.contains(&*format!("k-{n}"))));
}
