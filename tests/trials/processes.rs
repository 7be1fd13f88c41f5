//! Many processes on one store, some of them killed or paused: each is told the truth, and nobody is told "busy".
//!
//! Nothing here depends on how fast the machine is. The longest wait is printed, not judged.

use super::victim::Victim;
use crate::support::Folder;
use crate::support::history::{Ledger, events};
use crate::support::trial::{Dice, scaled};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::thread;
use std::time::{Duration, Instant};

/// How many processes there are at a time.
const PROCESSES: usize = 16;
/// How often a process that is to be killed is looked at before, at most.
const LOOKS: usize = 4000;

/// With an account at version 1, and ids that differ between processes.
fn bank() -> (Folder, Ledger) {
    let folder = Folder::bank().with_a_running_clock();
    let mut ledger = Ledger::default();
    ledger.note(&folder.esctl("send account/ada Open owner=Ada currency=EUR --id open -o json").done());
    (folder, ledger)
}

/// What came of each of them, all running at once.
fn together<T: Send>(work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let all: Vec<_> = (0..PROCESSES).map(|process| scope.spawn(move || work(process))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

/// A command.
struct Sent {
    id: String,
    stream: String,
    name: &'static str,
    data: String,
    expect: Option<usize>,
}

impl Sent {
    fn line(&self) -> String {
        let Self { id, stream, name, data, expect } = self;
        let expect = expect.map(|version| format!(",\"expect\":{version}")).unwrap_or_default();
        format!("{{\"stream\":\"{stream}\",\"command\":\"{name}\",\"data\":{data},\"id\":\"{id}\"{expect}}}\n")
    }
}

/// One who sends one command after the other, through a process that may be killed; then another one is asked.
struct Sender<'t> {
    folder: &'t Folder,
    dice: Dice,
    /// Further arguments for each process.
    options: &'t [&'t str],
    batch: Option<Victim>,
    ledger: Ledger,
    kills: usize,
    /// The longest wait for an answer of a process that was running.
    wait: Duration,
    /// The longest wait for a process that had to be started, too.
    whole: Duration,
}

impl<'t> Sender<'t> {
    fn new(folder: &'t Folder, dice: Dice, options: &'t [&'t str]) -> Self {
        let (wait, whole) = Default::default();
        Self { folder, dice, options, batch: None, ledger: Ledger::default(), kills: 0, wait, whole }
    }

    /// Sends until there is an answer. One in a hundred processes is killed meanwhile.
    fn send(&mut self, sent: &Sent) -> Value {
        loop {
            let killed = self.dice.below(100) == 0;
            let answer = if self.dice.below(40) == 0 { self.single(sent, killed) } else { self.batch(sent, killed) };
            if let Some(line) = answer {
                let answer: Value = serde_json::from_str(&line).unwrap();
                if answer["outcome"] == "accepted" {
                    assert_eq!(self.ledger.note(&line), sent.id);
                }
                return answer;
            }
        }
    }

    /// Through the batch that is running, or a new one.
    fn batch(&mut self, sent: &Sent, killed: bool) -> Option<String> {
        let mut victim = self.batch.take().unwrap_or_else(|| {
            let always = ["send", "--batch", "-", "--group", "1", "--keep-going"];
            Victim::start(self.folder, &[&always, self.options].concat())
        });
        let began = Instant::now();
        victim.feed(&sent.line());
        if killed {
            victim.watch(self.dice.below(LOOKS));
            self.kills += 1;
            let end = victim.kill();
            assert_eq!(end.exit, None, "it ended by itself: {end:?}");
            return end.printed.into_iter().next();
        }
        let Some(answer) = victim.line() else { panic!("it ended by itself: {:?}", victim.end()) };
        self.wait = self.wait.max(began.elapsed());
        self.batch = Some(victim);
        Some(answer)
    }

    /// Through a process of its own.
    fn single(&mut self, sent: &Sent, killed: bool) -> Option<String> {
        let began = Instant::now();
        let expect = sent.expect.map(|version| version.to_string());
        let mut arguments = vec!["send", &sent.stream, sent.name, "--data", &sent.data, "--id", &sent.id, "-o", "json"];
        if let Some(version) = &expect {
            arguments.extend(["--expect", version]);
        }
        let mut victim = Victim::start(self.folder, &[&arguments, self.options].concat());
        let end = if killed {
            victim.watch(self.dice.below(LOOKS));
            self.kills += 1;
            victim.kill()
        } else {
            let end = victim.end();
            self.whole = self.whole.max(began.elapsed());
            end
        };
        match end.exit {
            None => assert!(killed, "a signal ended it: {end:?}"),
            Some(0) => assert!(!end.printed.is_empty(), "{end:?}"),
            Some(3) if sent.expect.is_some() => return Some(r#"{"outcome":"error","exit":3}"#.to_owned()),
            Some(_) => panic!("{end:?}"),
        }
        end.printed.into_iter().next()
    }

    /// Lets its batch end, which has nothing more to do.
    fn end(&mut self) {
        if let Some(victim) = self.batch.take() {
            let end = victim.end();
            assert!(matches!(end.exit, Some(0 | 3)) && end.printed.is_empty(), "{end:?}");
        }
    }
}

/// Puts together what many were told, and says what there is to say about the run.
fn whole(mut ledger: Ledger, senders: Vec<Sender<'_>>) -> Ledger {
    let (mut kills, mut wait, mut whole) = (0, Duration::ZERO, Duration::ZERO);
    for mut sender in senders {
        sender.end();
        ledger.take(&sender.ledger);
        (kills, wait, whole) = (kills + sender.kills, wait.max(sender.wait), whole.max(sender.whole));
    }
    eprintln!("{} stored, {kills} processes killed", ledger.len());
    eprintln!("the longest wait: {wait:?}, {whole:?} where a process was to be started");
    ledger
}

/// The n-th command of a process: to a stream of its own and to that of all, by turns.
fn nth(process: usize, n: usize) -> Sent {
    let own = format!("account/{process}");
    let (stream, name, data) = match n {
        0 => (own, "Open", r#"{"owner":"O","currency":"EUR"}"#.to_owned()),
        _ => {
            let stream = if n.is_multiple_of(2) { "account/ada".to_owned() } else { own };
            (stream, "Deposit", format!(r#"{{"amount":0.01,"ref":"{process}"}}"#))
        }
    };
    Sent { id: format!("{process}-{n}"), stream, name, data, expect: None }
}

#[test]
fn everything_that_many_processes_send_is_stored_in_turn() {
    let (folder, ledger) = bank();
    let each = scaled(500, 10_000);
    let dice = Dice::new();
    let senders = together(|process| {
        let mut sender = Sender::new(&folder, dice.nth(process), &[]);
        for n in 0..each {
            let answer = sender.send(&nth(process, n));
            assert_eq!(answer["outcome"], "accepted", "{answer}");
        }
        sender
    });
    let ledger = whole(ledger, senders);
    assert_eq!(ledger.len(), 1 + PROCESSES * each);
    ledger.check(&folder);
}

/// Each tries every version in turn: whoever does not win one finds that another has.
#[test]
fn a_version_has_one_winner() {
    let (folder, mut ledger) = bank();
    let versions = scaled(500, 10_000);
    let dice = Dice::new();
    let senders = together(|process| {
        let mut sender = Sender::new(&folder, dice.nth(process), &[]);
        for version in 1..=versions {
            let id = format!("{process}-{version}");
            let (stream, data) = ("account/ada".to_owned(), r#"{"amount":1}"#.to_owned());
            let answer = sender.send(&Sent { id, stream, name: "Deposit", data, expect: Some(version) });
            match answer["outcome"].as_str() {
                Some("accepted") => assert_eq!(answer["version"], version + 1, "{answer}"),
                _ => assert_eq!(answer["exit"], 3, "{answer}"),
            }
        }
        sender
    });
    let won: Vec<_> = senders.iter().map(|sender| sender.ledger.len()).collect();
    eprintln!("won by each: {won:?}");
    ledger = whole(ledger, senders);
    // Who was told to have won has won, and nobody else was stored.
    assert_eq!(ledger.len(), 1 + versions);
    ledger.check(&folder);
}

/// What all were told of the same commands: each is stored by one of them, and all others get its receipt.
fn told_alike(ids: &[String], told: &[String]) -> Ledger {
    assert_eq!(told.len(), PROCESSES);
    let mut lines: Vec<String> = told.iter().flat_map(|told| told.lines().map(str::to_owned)).collect();
    // Whoever stored it is told without this word; the ledger wants it in everything that comes after.
    lines.sort_by_key(|line| line.contains(r#""duplicate":true"#));
    let mut ledger = Ledger::default();
    let mut times = BTreeMap::new();
    for line in &lines {
        let first = ledger.len();
        let id = ledger.note(line);
        assert!(ledger.len() == first || !line.contains(r#""duplicate":true"#), "nobody stored it: {line}");
        *times.entry(id).or_insert(0) += 1;
    }
    let all: BTreeMap<_, _> = ids.iter().map(|id| (id.clone(), PROCESSES)).collect();
    assert_eq!(times, all);
    ledger
}

#[test]
fn an_id_is_stored_once_and_all_get_its_receipt() {
    let (folder, mut ledger) = bank();
    let ids: Vec<_> = (0..scaled(200, 10_000)).map(|n| format!("same-{n}")).collect();
    let lines = ids.iter().fold(String::new(), |mut lines, id| {
        let data = r#"{"amount":1}"#;
        writeln!(lines, r#"{{"stream":"account/ada","command":"Deposit","data":{data},"id":"{id}"}}"#).unwrap();
        lines
    });
    let told = together(|_| folder.esctl_with("send --batch - --group 1", &lines).done());
    let first = |told: &String| told.lines().filter(|line| !line.contains(r#""duplicate":true"#)).count();
    eprintln!("stored by each: {:?}", told.iter().map(first).collect::<Vec<_>>());
    ledger.take(&told_alike(&ids, &told));
    for round in 0..scaled(10, 500) {
        let id = format!("single-{round}");
        let line = format!("send account/ada Deposit amount=1 --id {id} -o json");
        let told = together(|_| folder.esctl(&line).done());
        ledger.take(&told_alike(&[id], &told));
    }
    ledger.check(&folder);
    assert_eq!(events(&folder).len(), ledger.len());
}

#[cfg(target_os = "linux")]
mod paused {
    use super::*;
    use std::fs;
    use std::os::unix::fs::MetadataExt;
    use std::process::Command;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    /// Longer than any pause: nobody is to give up while somebody is paused on purpose.
    const PATIENT: &[&str] = &["--timeout", "86400"];

    /// A decision that takes a while, some hundred thousand steps of a script.
    const SLOW: &str = r#"
domain: slow
aggregates:
  slow:
    state: { count: 0 }
    events:
      Thought:
        fold: state.count += 1
    commands:
      Think:
        decide: |
          let sum = 0;
          for n in 0..400_000 { sum += n; }
          emit("Thought");
"#;

    fn signal(name: &str, victim: &Victim) {
        Command::new("kill").args([&format!("-{name}"), &victim.pid().to_string()]).status().unwrap();
    }

    /// Whether a process has the turn, as the kernel says.
    fn has_the_turn(folder: &Folder, victim: &Victim) -> bool {
        let pid = victim.pid().to_string();
        let file = format!(":{}", fs::metadata(folder.file("esctl.db-turn")).unwrap().ino());
        // `1: FLOCK ADVISORY WRITE 4711 fe:00:10166468 0 EOF`; who stands in the queue has `->` in front.
        fs::read_to_string("/proc/locks").unwrap().lines().any(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            matches!(&words[..], [_, "FLOCK", _, _, of, place, ..] if *of == pid && place.ends_with(&file))
        })
    }

    /// Waits until it stands still, or is over.
    fn until_stopped(victim: &mut Victim) {
        let stat = format!("/proc/{}/stat", victim.pid());
        // The state stands behind the name of the program, which is in brackets.
        let state = || {
            let stat = fs::read_to_string(&stat).unwrap_or_default();
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap_or('Z')
        };
        while !matches!(state(), 'T' | 'Z') {
            thread::yield_now();
        }
    }

    /// Sends a command that takes a while, and stops the process while it has the turn; `None` where it was too fast.
    fn stopped_within_its_turn(folder: &Folder, id: &str) -> Option<Victim> {
        let arguments = ["send", "slow/1", "Think", "--id", id, "-o", "json"];
        let mut victim = Victim::start(folder, &[&arguments, PATIENT].concat());
        while !has_the_turn(folder, &victim) && !victim.is_over() {
            thread::yield_now();
        }
        signal("STOP", &victim);
        until_stopped(&mut victim);
        if has_the_turn(folder, &victim) {
            return Some(victim);
        }
        signal("CONT", &victim);
        victim.end().killed_or_done();
        None
    }

    /// Says when it goes, also where a test fails: others wait for it.
    struct Last<'t>(&'t dyn Fn());

    impl Drop for Last<'_> {
        fn drop(&mut self) {
            (self.0)();
        }
    }

    #[test]
    fn while_some_are_paused_within_their_turn_the_others_wait_and_lose_nothing() {
        let (folder, ledger) = bank();
        folder.write("domains/slow.yaml", SLOW);
        let mut dice = Dice::new();
        let (over, waiting, there) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(PROCESSES));
        let work = |process: usize, dice: Dice| {
            let gone = || _ = there.fetch_sub(1, Ordering::SeqCst);
            let _last = Last(&gone);
            let mut sender = Sender::new(&folder, dice, PATIENT);
            for n in 0.. {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                waiting.fetch_add(1, Ordering::SeqCst);
                let answer = sender.send(&nth(process, n));
                waiting.fetch_sub(1, Ordering::SeqCst);
                assert_eq!(answer["outcome"], "accepted", "{answer}");
            }
            sender
        };
        let (mut thoughts, mut paused, mut killed) = (Ledger::default(), 0, 0);
        let senders = thread::scope(|scope| {
            let all: Vec<_> = (0..PROCESSES)
                .map(|process| {
                    let (work, dice) = (&work, dice.nth(process));
                    scope.spawn(move || work(process, dice))
                })
                .collect();
            let stop = || over.store(true, Ordering::SeqCst);
            let last = Last(&stop);
            for pause in 0..scaled(10, 500) {
                let id = format!("think-{pause}");
                if let Some(victim) = stopped_within_its_turn(&folder, &id) {
                    paused += 1;
                    // Nobody gets an answer now, so that in the end all of them wait for one.
                    while waiting.load(Ordering::SeqCst) < there.load(Ordering::SeqCst) {
                        thread::yield_now();
                    }
                    if dice.below(2) == 0 {
                        killed += 1;
                        victim.kill();
                    } else {
                        signal("CONT", &victim);
                        victim.end().killed_or_done();
                    }
                }
                // What it was told, or would have been.
                thoughts.note(&folder.esctl(&format!("send slow/1 Think --id {id} -o json --timeout 86400")).done());
            }
            drop(last);
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let mut ledger = whole(ledger, senders);
        eprintln!("{paused} paused within their turn, {killed} of them killed");
        ledger.take(&thoughts);
        ledger.check(&folder);
    }
}
