//! Every call to the system that has to do with files fails, at its first, second, third … time or from then on, or is
//! where the process is killed. Whatever comes of it, the exit code tells the truth, and the store is sound.
//!
//! Needs strace, and to be allowed to use it.

use super::{has_no_store, ids};
use crate::support::trial::scaled;
use crate::support::{Folder, skipped};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Mutex;

const CALLS: [&str; 10] =
    ["openat", "pread64", "pwrite64", "write", "fdatasync", "fsync", "ftruncate", "unlink", "rename", "linkat"];
/// How a call fails, and `+` where it also fails whenever it is made again.
type How = (&'static str, &'static str);
const FAULTS: [How; 5] =
    [("error=EIO", ""), ("error=EIO", "+"), ("error=ENOSPC", ""), ("error=ENOSPC", "+"), ("signal=KILL", "")];

/// A run of `esctl` with all that it needs.
#[derive(Clone)]
struct Scenario {
    name: &'static str,
    arguments: &'static str,
    stdin: String,
    /// What is in the folder before, beside the domain.
    files: Vec<(&'static str, Vec<u8>)>,
    /// The ids of the commands it stores.
    ids: BTreeSet<String>,
    /// What it prints, where that is always the same.
    prints: Option<String>,
    /// What else holds once it has been run again.
    also: fn(&Folder, &Self),
}

/// What came of it.
struct Ended {
    /// `None` where it was killed.
    exit: Option<i32>,
    stdout: String,
    stderr: String,
}

/// How a call fails: which, how, and at what time.
struct Fault {
    call: &'static str,
    how: &'static str,
    when: usize,
    /// Whether it is so from then on.
    on: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "inject={}:{}:when={}{}", self.call, self.how, self.when, self.on)
    }
}

fn line(n: usize) -> String {
    let (command, data) =
        if n == 0 { ("Open", r#"{"owner":"O","currency":"EUR"}"#) } else { ("Deposit", r#"{"amount":0.1}"#) };
    format!("{{\"stream\":\"account/b\",\"command\":\"{command}\",\"data\":{data},\"id\":\"b{n}\"}}\n")
}

/// A folder with a store of a few events and a read model.
fn source() -> Folder {
    let folder = Folder::bank();
    folder.esctl("send account/a Open owner=A currency=EUR --id a0").done();
    folder.esctl("send account/a Deposit amount=10 --id a1").done();
    folder.esctl("project show balances").done();
    folder
}

fn nothing_else(_: &Folder, _: &Scenario) {}

/// One that stores these commands.
fn sending(name: &'static str, arguments: &'static str, ids: &[&str], store: Option<&[u8]>) -> Scenario {
    Scenario {
        name,
        arguments,
        stdin: String::new(),
        files: store.map(|store| ("esctl.db", store.to_vec())).into_iter().collect(),
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        prints: None,
        also: nothing_else,
    }
}

/// What CI has time for.
fn short(store: &[u8]) -> Vec<Scenario> {
    let first = "send account/b Open owner=B currency=EUR --id b0 -o json";
    let mut batch = sending("a batch in two groups", "send --batch - --group 3", &[], Some(store));
    batch.stdin = (0..5).map(line).collect();
    batch.ids = ids(&batch.stdin).into_iter().collect();
    vec![
        sending("the first command", first, &["b0"], None),
        sending("a command", "send account/a Deposit amount=1 --id a2 -o json", &["a2"], Some(store)),
        batch,
    ]
}

/// What there is time for before a release.
fn long(folder: &Folder, store: &[u8]) -> Vec<Scenario> {
    let mut batch = sending("a batch that makes the store", "send --batch - --group 5", &[], None);
    batch.stdin = (0..40).map(line).collect();
    batch.ids = ids(&batch.stdin).into_iter().collect();

    let mut rebuild = sending("a rebuild", "project rebuild balances", &[], Some(store));
    rebuild.also = |folder, _| {
        let rows = folder.esctl("project show balances -o ndjson").done();
        assert!(rows.contains("\"balance\":10") && rows.lines().count() == 1, "{rows}");
    };

    let mut backup = sending("a backup", "backup copy.db -o json", &[], Some(store));
    backup.also = |folder, scenario| {
        folder.esctl("verify --store copy.db").done();
        let (copy, whole) = (folder.esctl("export --store copy.db").done(), folder.esctl("export").done());
        assert_eq!(copy, whole, "{}", scenario.name);
    };

    let text = folder.esctl("export").done();
    let mut export = sending("an export", "export", &[], Some(store));
    export.prints = Some(text.clone());
    let mut import = sending("an import", "import export.ndjson", &["a0", "a1"], None);
    import.files.push(("export.ndjson", text.into_bytes()));
    import.also = |folder, scenario| {
        let made = folder.esctl("export").done();
        assert_eq!(made.as_bytes(), scenario.files[0].1, "an import makes the same of it");
    };
    vec![batch, rebuild, backup, export, import]
}

impl Scenario {
    /// The folder as it is before. What is under `domains` stays as it is.
    fn prepare(&self, folder: &Folder) {
        for name in folder.listing() {
            if name != "domains" {
                fs::remove_file(folder.file(&name)).unwrap();
            }
        }
        for (name, content) in &self.files {
            folder.write(name, content);
        }
        folder.write("stdin", &self.stdin);
    }

    /// Runs it with that fault; `None` where it ended before it came to it.
    fn run(&self, folder: &Folder, fault: &Fault) -> Option<Ended> {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-o", "trace", "-e", &format!("trace={}", fault.call), "-e", &fault.to_string()]);
        command.arg(env!("CARGO_BIN_EXE_esctl")).args(self.arguments.split(' '));
        folder.surround(&mut command);
        // Files, since one can be sure of what is in them when it was killed.
        command.stdin(File::open(folder.file("stdin")).unwrap());
        command.stdout(File::create(folder.file("stdout")).unwrap());
        command.stderr(File::create(folder.file("stderr")).unwrap());
        let status = command.status().unwrap();
        let read = |name: &str| String::from_utf8(fs::read(folder.file(name)).unwrap()).unwrap();
        let killed = fault.how.starts_with("signal") && status.signal() == Some(9);
        if !killed && !read("trace").contains("(INJECTED)") {
            assert_eq!(status.code(), Some(0), "without a fault: {}", read("stderr"));
            return None;
        }
        Some(Ended { exit: status.code(), stdout: read("stdout"), stderr: read("stderr") })
    }

    /// What is stored of what it stores.
    fn stored(&self, folder: &Folder) -> BTreeSet<String> {
        let verified = folder.esctl("verify");
        if verified.exit != 0 {
            // Where there was no store, there may be none, or a file that nothing is in yet.
            let none = has_no_store(&verified);
            let was = self.files.iter().any(|(name, _)| *name == "esctl.db");
            assert!(none && !was, "{verified}");
            return BTreeSet::new();
        }
        let stored: Vec<_> = ids(&folder.esctl("events -o ndjson").done());
        let ours: BTreeSet<_> = stored.iter().filter(|id| self.ids.contains(*id)).cloned().collect();
        let before = if self.files.iter().any(|(name, _)| *name == "esctl.db") { 2 } else { 0 };
        assert_eq!(stored.len(), before + ours.len(), "stored twice, or something lost: {stored:?}");
        ours
    }

    fn acknowledged(&self, ended: &Ended) -> BTreeSet<String> {
        if self.arguments.starts_with("send") {
            // A line without its end is no receipt.
            let whole = ended.stdout.split_inclusive('\n').filter(|line| line.ends_with('\n'));
            return ids(&whole.filter(|line| line.contains("\"accepted\"")).collect::<String>()).into_iter().collect();
        }
        if ended.exit == Some(0) { self.ids.clone() } else { BTreeSet::new() }
    }

    /// Everything that holds after that.
    fn holds(&self, folder: &Folder, fault: &Fault, ended: &Ended) {
        assert!(!ended.stderr.contains("panicked"), "it panicked");
        // The loader of programs has an exit code of its own, and so has a file of rules that cannot be read.
        let loader = fault.call != "write" && ended.stderr.contains("while loading shared libraries");
        let rules = matches!(fault.call, "openat") && ended.stderr.contains("cannot be read");
        let known = match ended.exit {
            None => fault.how == "signal=KILL",
            Some(127) => loader,
            Some(2) => rules,
            // A part of the disk that cannot be read is damage.
            Some(6) => fault.call == "pread64",
            Some(exit) => matches!(exit, 0 | 5 | 7),
        };
        assert!(known, "an exit code that does not fit");
        let stored = self.stored(folder);
        let acknowledged = self.acknowledged(ended);
        assert!(acknowledged.is_subset(&stored), "acknowledged and lost: {stored:?} of {acknowledged:?}");
        if ended.exit.is_some_and(|exit| exit != 7) {
            assert_eq!(stored, acknowledged, "the exit code says that nothing else is stored");
        }
        if ended.exit == Some(0) {
            assert_eq!(stored, self.ids, "the exit code says that all is stored");
            assert!(self.prints.as_ref().is_none_or(|text| *text == ended.stdout), "not all of it is printed");
        }
        if self.arguments.starts_with("backup") {
            Self::copied(folder, fault, ended);
        }
        let again = folder.esctl_with(self.arguments, &self.stdin).done();
        if self.arguments.starts_with("send") {
            assert_eq!(again.matches("\"duplicate\":true").count(), stored.len(), "{again}");
        }
        assert_eq!(self.stored(folder), self.ids, "sent again, all is stored");
        (self.also)(folder, self);
    }

    /// A copy is there as a whole or not at all. It is removed, so that it can be made again.
    fn copied(folder: &Folder, fault: &Fault, ended: &Ended) {
        let names = folder.listing();
        if names.iter().any(|name| name == "copy.db") {
            folder.esctl("verify --store copy.db").done();
            fs::remove_file(folder.file("copy.db")).unwrap();
        } else {
            assert_ne!(ended.exit, Some(0), "no copy is there");
        }
        let left: Vec<_> = names.iter().filter(|name| name.contains(".part")).collect();
        assert!(left.is_empty() || ended.exit.is_none() || fault.call == "unlink", "{left:?} is left");
    }
}

/// How often each exit code came of a failing call.
type Exits = BTreeMap<(&'static str, String), usize>;

/// Tries a scenario with each time a call is made.
fn every_time(folder: &Folder, scenario: &Scenario, call: &'static str, how: How, exits: &Mutex<Exits>) {
    let (how, on) = how;
    for when in 1.. {
        scenario.prepare(folder);
        let fault = Fault { call, how, when, on };
        let Some(ended) = scenario.run(folder, &fault) else { return };
        let exit = ended.exit.map_or("killed".to_owned(), |exit| exit.to_string());
        let held = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| scenario.holds(folder, &fault, &ended)));
        if let Err(why) = held {
            let Scenario { name, arguments, .. } = scenario;
            eprintln!("{name}: `esctl {arguments}` with {fault} exits {exit}");
            eprintln!("stdout: {}\nstderr: {}", ended.stdout, ended.stderr);
            std::panic::resume_unwind(why);
        }
        *exits.lock().unwrap().entry((call, exit)).or_default() += 1;
    }
}

/// Why no fault can be made here.
pub(super) fn cannot() -> Option<String> {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", "inject=openat:error=EIO:when=9999", "true"]);
    match command.output() {
        Err(error) => Some(format!("strace: {error}")),
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

#[test]
fn whatever_fails_the_exit_code_tells_the_truth() {
    if let Some(why) = cannot() {
        return skipped(&format!("no call is made to fail: {why}"));
    }
    let source = source();
    let store = fs::read(source.file("esctl.db")).unwrap();
    let mut scenarios = short(&store);
    if scaled(0, 1) > 0 {
        scenarios.extend(long(&source, &store));
    }
    let work = scenarios.iter().flat_map(|scenario| CALLS.map(|call| (scenario, call)));
    let work = work.flat_map(|(scenario, call)| FAULTS.map(|how| (scenario, call, how)));
    // Reading needs no space.
    let work = Mutex::new(work.filter(|(_, call, how)| *call != "pread64" || how.0 != "error=ENOSPC"));
    let exits = Mutex::new(Exits::new());
    let next = || work.lock().unwrap().next();
    std::thread::scope(|scope| {
        let worker = || {
            let folder = Folder::bank();
            while let Some((scenario, call, how)) = next() {
                every_time(&folder, scenario, call, how, &exits);
            }
        };
        // One waits for the disk while the other computes.
        let both = [scope.spawn(worker), scope.spawn(worker)];
        for worker in both {
            if let Err(why) = worker.join() {
                std::panic::resume_unwind(why);
            }
        }
    });
    let exits = exits.into_inner().unwrap();
    let mut told = String::new();
    for ((call, exit), count) in &exits {
        write!(told, "{call} {exit}: {count}; ").unwrap();
    }
    eprintln!("{} failing calls in {} scenarios: {told}", exits.values().sum::<usize>(), scenarios.len());
}
