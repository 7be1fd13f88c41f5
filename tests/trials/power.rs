//! What was acknowledged survives a power cut.
//!
//! The disk is a file system of its own that is shut down without a flush at a random instant: what was not flushed
//! until then is gone, as after a power cut. What the disk itself keeps back after a flush is not tried: that is
//! nothing a program can see. Needs root, a loop device, ext4 and python3.

use super::{has_no_store, ids};
use crate::store;
use crate::support::mount::Disk;
use crate::support::trial::{Dice, scaled};
use crate::support::{Folder, Outcome, skipped};
use esctl::event;
use esctl::store::sqlite::{Access, Flush, Options, SqliteStore};
use esctl::store::{Decision, Store, chain};
use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

/// How many commands a round sends.
const COMMANDS: usize = 150;
/// How many streams they go to.
const STREAMS: usize = 3;
/// So many rounds at most go on with one store.
const ROUNDS: usize = 8;

fn disk() -> Option<Disk> {
    Disk::new().inspect_err(|why| skipped(&format!("no power is cut: {why}"))).ok()
}

/// Whiles away up to so many turns of a loop, so that the cut falls anywhere.
fn dawdle(dice: &mut Dice, most: usize) {
    for _ in 0..dice.below(most) {
        std::hint::spin_loop();
    }
}

/// Whether one may end so whose disk goes away. For SQLite, what cannot be read is damaged.
fn fits(exit: i32) -> bool {
    matches!(exit, 0 | 5 | 6 | 7)
}

/// A command, and how many events it gives.
struct Given {
    id: String,
    line: String,
    arguments: String,
    events: usize,
}

impl Given {
    fn new(id: String, stream: usize, command: &str, data: &str, events: usize) -> Self {
        let arguments = format!("account/{stream} {command} --data '{data}' --id {id}");
        let line =
            format!("{{\"stream\":\"account/{stream}\",\"command\":\"{command}\",\"data\":{data},\"id\":\"{id}\"}}\n");
        Self { id, line, arguments, events }
    }
}

/// A store on the disk, and what is known of it.
struct Subject {
    path: PathBuf,
    rounds: usize,
    /// What was acknowledged, a receipt a line.
    receipts: String,
    /// How many events are in it, when all that was sent is.
    events: usize,
    ids: BTreeSet<String>,
}

impl Subject {
    fn new(path: PathBuf) -> Self {
        Self { path, rounds: 0, receipts: String::new(), events: 0, ids: BTreeSet::new() }
    }

    /// What the next round sends.
    fn next(&mut self) -> Vec<Given> {
        let round = self.rounds;
        self.rounds += 1;
        let given = |n: usize| {
            let (id, stream) = (format!("{round}-{n}"), n % STREAMS);
            match n {
                _ if round == 0 && n < STREAMS => {
                    Given::new(id, stream, "Open", r#"{"owner":"O","currency":"EUR"}"#, 1)
                }
                // To two streams, in both or in none.
                _ if n % 10 == 9 => {
                    let data = format!(r#"{{"to":"{}","amount":0.01}}"#, (stream + 1) % STREAMS);
                    Given::new(id, stream, "Transfer", &data, 2)
                }
                _ => Given::new(id, stream, "Deposit", r#"{"amount":1.5}"#, 1),
            }
        };
        (0..COMMANDS).map(given).collect()
    }

    fn esctl(&self, folder: &Folder, arguments: &str, stdin: &str) -> Outcome {
        folder.esctl_with(&format!("{arguments} --store {}", self.path.display()), stdin)
    }

    /// The ids of what is stored, an id an event.
    fn stored(&self, folder: &Folder) -> Vec<String> {
        ids(&self.esctl(folder, "events -o ndjson", "").done())
    }

    /// After the power is back: nothing acknowledged is lost, and all that is unknown is settled by sending again.
    fn settles(&mut self, folder: &Folder, given: &[Given], acknowledged: &[String]) {
        for receipt in acknowledged {
            self.receipts.push_str(receipt);
        }
        let before = if self.receipts.is_empty() {
            // Where nothing was acknowledged there may be no store yet.
            let verified = self.esctl(folder, "verify", "");
            let none = has_no_store(&verified);
            assert!(verified.exit == 0 || none, "{verified}");
            if none { Vec::new() } else { self.stored(folder) }
        } else {
            self.esctl(folder, "verify --expect -", &self.receipts).done();
            self.stored(folder)
        };
        let before: BTreeSet<_> = before.into_iter().collect();
        let missing: Vec<_> = self.ids.iter().filter(|id| !before.contains(*id)).collect();
        assert!(missing.is_empty(), "settled before this cut, and lost: {missing:?}");

        let lines: String = given.iter().map(|given| given.line.as_str()).collect();
        let resent = self.esctl(folder, "send --batch -", &lines).done();
        let known = given.iter().filter(|given| before.contains(&given.id)).count();
        assert_eq!(resent.matches("\"duplicate\":true").count(), known, "{resent}");
        assert_eq!(resent.lines().count(), COMMANDS, "{resent}");
        self.receipts.push_str(&resent);
        self.events += given.iter().map(|given| given.events).sum::<usize>();
        self.ids.extend(given.iter().map(|given| given.id.clone()));
        let after = self.stored(folder);
        // With the proof that positions and versions have no gaps, this many events means that nothing is there twice.
        assert_eq!(after.len(), self.events, "stored twice, or not at all");
        assert_eq!(after.into_iter().collect::<BTreeSet<_>>(), self.ids);
        self.esctl(folder, "verify --expect -", &self.receipts).done();
    }
}

/// Sends them as one batch, cuts the power after so many receipts or a little later, and gives the receipts that were
/// read before the cut.
fn cut_a_batch(disk: &mut Disk, folder: &Folder, dice: &mut Dice, store: &Path, given: &[Given]) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esctl"));
    let group = (1 + dice.below(40)).to_string();
    command.args(["send", "--batch", "-", "--group", &group, "--store"]).arg(store);
    folder.surround(&mut command);
    command.stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let text: String = given.iter().map(|given| given.line.as_str()).collect();
    // The commands go in bit by bit, so that the cut falls between groups as well as into them.
    let feeding = std::thread::spawn(move || {
        text.as_bytes().chunks(700).try_for_each(|chunk| input.write_all(chunk)).ok();
    });
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = Vec::new();
    // Every fourth time without waiting for anything: while the store is opened or made.
    let wanted = if dice.below(4) == 0 { 0 } else { dice.below(COMMANDS) };
    while acknowledged.len() < wanted {
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap() == 0 {
            break;
        }
        acknowledged.push(line);
    }
    dawdle(dice, if wanted == 0 { 1_500_000 } else { 100_000 });
    disk.cut().unwrap();
    let killed = dice.below(2) == 0;
    if killed {
        child.kill().unwrap();
    }
    // What comes after the cut counts as unknown.
    while lines.read_line(&mut String::new()).is_ok_and(|length| length > 0) {}
    let exit = child.wait().unwrap().code();
    feeding.join().unwrap();
    assert!(killed || exit.is_some_and(fits), "whose disk goes away ends with {exit:?}");
    acknowledged
}

/// The same with a process for each command.
fn cut_processes(disk: &mut Disk, folder: &Folder, dice: &mut Dice, store: &Path, given: &[Given]) -> Vec<String> {
    let over = AtomicBool::new(false);
    let wanted = dice.below(8);
    let (sender, receipts) = mpsc::channel();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The sender goes with this thread: nobody waits for one that has ended.
            let sender = sender;
            for given in given {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                let arguments = format!("send {} -o json --store {}", given.arguments, store.display());
                let sent = folder.esctl(&arguments);
                assert!(fits(sent.exit), "{sent}");
                if sent.exit == 0 && sender.send(sent.stdout).is_err() {
                    break;
                }
            }
        });
        let acknowledged: Vec<String> = receipts.iter().take(wanted).collect();
        dawdle(dice, 3_000_000);
        disk.cut().unwrap();
        over.store(true, Ordering::SeqCst);
        acknowledged
    })
}

#[test]
fn nothing_acknowledged_is_lost_at_a_power_cut() {
    let Some(mut disk) = disk() else { return };
    let folder = Folder::bank();
    let mut dice = Dice::new();
    let (mut acknowledged, mut stores) = (0, 0);
    let mut subject = Subject::new(disk.path().join("0.db"));
    let cuts = scaled(50, 10_000);
    for cut in 0..cuts {
        if subject.rounds == ROUNDS || dice.below(4) == 0 {
            for ending in ["", "-wal", "-shm", "-turn", "-journal"] {
                let _ = fs::remove_file(format!("{}{ending}", subject.path.display()));
            }
            stores += 1;
            subject = Subject::new(disk.path().join(format!("{stores}.db")));
        }
        eprintln!("cut {cut}: round {} of `{}`", subject.rounds, subject.path.display());
        let given = subject.next();
        let work = if dice.below(5) == 0 { cut_processes } else { cut_a_batch };
        let receipts = work(&mut disk, &folder, &mut dice, &subject.path, &given);
        disk.again();
        acknowledged += receipts.len();
        subject.settles(&folder, &given, &receipts);
    }
    eprintln!("{cuts} cuts, {} stores, {acknowledged} receipts before a cut, 0 lost", stores + 1);
}

/// Who is killed between writing and flushing leaves what SQLite takes for committed, and the next process answers for
/// it. So that has to be on the disk before it answers.
#[test]
fn what_a_killed_process_left_is_flushed_before_it_is_acknowledged() {
    if let Some(why) = super::faults::cannot() {
        return skipped(&format!("nobody is killed before flushing: {why}"));
    }
    let Some(mut disk) = disk() else { return };
    let folder = Folder::bank();
    let mut unflushed = 0;
    for when in 1.. {
        let store = disk.path().join(format!("{when}.db"));
        folder.esctl(&format!("send account/a Open owner=A currency=EUR --store {}", store.display())).done();
        let given = Given::new("x".to_owned(), 0, "Open", r#"{"owner":"O","currency":"EUR"}"#, 1);
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "trace", "-e", "trace=fsync,fdatasync", "-e"]);
        command.arg(format!("inject=fsync,fdatasync:signal=KILL:when={when}"));
        command.arg(env!("CARGO_BIN_EXE_esctl")).args(["send", "account/0", "Open", "owner=O", "currency=EUR"]);
        command.args(["--id", "x", "--store"]).arg(&store);
        folder.surround(&mut command);
        let killed = !command.output().unwrap().status.success();

        let mut command = Command::new(env!("CARGO_BIN_EXE_esctl"));
        command.args(["send", "--batch", "-", "--store"]).arg(&store);
        folder.surround(&mut command);
        let mut child = command.spawn().unwrap();
        // It stays open: with its end SQLite would flush everything.
        let mut input = child.stdin.take().unwrap();
        input.write_all(given.line.as_bytes()).unwrap();
        let mut receipt = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut receipt).unwrap();
        disk.cut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        drop(input);
        disk.again();
        eprintln!("killed at flush {when}: {killed}, then answered {receipt}");
        folder.esctl_with(&format!("verify --expect - --store {}", store.display()), &receipt).done();
        unflushed += usize::from(killed && receipt.contains("\"duplicate\":true"));
        if !killed {
            break;
        }
    }
    assert!(unflushed > 0, "nobody was killed between writing and flushing");
}

/// The variables that tell [`writer`] what to do.
const STORE: &str = "ESCTL_TRIAL_STORE";
const FLUSH: &str = "ESCTL_TRIAL_FLUSH";
/// Any text will do: nothing is decided by it.
const DOMAIN: &str = "text of the domain";

/// Commits one event after the other and says so after each, until it is killed.
#[test]
#[ignore = "what a trial runs, not a test of its own"]
fn writer() {
    let Some(path) = std::env::var_os(STORE) else { return };
    let flush = if std::env::var_os(FLUSH).is_some() { Flush::EachCommit } else { Flush::AtCheckpoints };
    let mut store = SqliteStore::open(path, Options { flush, ..Options::new(Access::Write) }).unwrap();
    let mut out = std::io::stdout();
    for number in 0.. {
        let domain = chain::domain(DOMAIN).into();
        let command = event::Command { domain, ..store::command(&number.to_string(), "job/1", number) };
        let events = [store::event("job/1", "Done")];
        store.begin().unwrap();
        store.append(&Decision { command: &command, domain_text: DOMAIN, events: &events }).unwrap();
        store.commit().unwrap();
        writeln!(out, "stored {number}").unwrap();
    }
}

/// Acknowledged commits, and how many of them are lost at so many cuts.
fn lost(disk: &mut Disk, dice: &mut Dice, flush: Flush, cuts: usize) -> (u64, u64) {
    let (mut acknowledged, mut lost) = (0, 0);
    let folder = Folder::empty();
    let path = disk.path().join("esctl.db");
    for _ in 0..cuts {
        for ending in ["", "-wal", "-shm", "-turn"] {
            let _ = fs::remove_file(format!("{}{ending}", path.display()));
        }
        drop(store::open(&path));
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "trials::power::writer", "--ignored", "--nocapture"]).env(STORE, &path);
        if flush == Flush::EachCommit {
            command.env(FLUSH, "each");
        }
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let wanted = 1 + dice.below(200);
        // The test runner says something too.
        let told = lines.filter(|line| line.as_ref().unwrap().contains("stored ")).take(wanted).count();
        assert_eq!(told, wanted, "the writer ended by itself");
        dawdle(dice, 100_000);
        disk.cut().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        disk.again();
        // Whatever is missing, what is there is sound.
        folder.esctl(&format!("verify --store {}", path.display())).done();
        let options = Options::new(Access::Write);
        let there = SqliteStore::open(&path, options).unwrap().head().unwrap().position.0;
        acknowledged += wanted as u64;
        lost += (wanted as u64).saturating_sub(there);
    }
    (acknowledged, lost)
}

/// Otherwise the other test would prove nothing: what is not flushed with each commit is lost at these cuts.
#[test]
fn a_store_that_is_not_flushed_loses_what_it_acknowledged() {
    let Some(mut disk) = disk() else { return };
    let mut dice = Dice::new();
    let cuts = scaled(5, 100);
    let (acknowledged, gone) = lost(&mut disk, &mut dice, Flush::AtCheckpoints, cuts);
    eprintln!("flushed at checkpoints: {gone} of {acknowledged} commits lost at {cuts} cuts");
    assert!(gone > 0, "of {acknowledged} commits none is lost: these are no power cuts");
    let (acknowledged, gone) = lost(&mut disk, &mut dice, Flush::EachCommit, cuts);
    eprintln!("flushed with each commit: {gone} of {acknowledged} commits lost at {cuts} cuts");
    assert_eq!(gone, 0, "of {acknowledged} commits");
}
