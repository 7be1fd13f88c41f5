//! What may not grow unnoticed: what a verb does from a cold start, what esctl is built on, how large it is.
//!
//! Nothing here is timed. Who makes something cheaper lowers its budget; who needs more says why, in the change that raises it.

use crate::support::{Folder, bin, skipped, sources};
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// What a verb may do on a store of three events with the bank domain, from its start to its end.
struct Budget {
    verb: &'static str,
    /// Of the program as the tests build it, by `valgrind`: about an eighth more than was counted.
    instructions: u64,
    /// Calls of the system, by `strace`: a few more than were counted, since libraries and kernels differ.
    calls: usize,
    /// Waits for the disk: exactly. One more doubles what a command costs, one less may lose it.
    flushes: usize,
}

const BUDGETS: &[Budget] = &[
    Budget { verb: "replay account/ada", instructions: 33_000_000, calls: 290, flushes: 0 },
    Budget { verb: "send account/ada Deposit amount=1", instructions: 35_000_000, calls: 370, flushes: 5 },
];

/// Packages that esctl is built on, itself among them, without those that only tests need.
const PACKAGES: usize = 123;

/// The release binary, in bytes.
const BINARY: u64 = 16_000_000;

/// Whether there is such a tool.
fn has(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success())
}

#[test]
fn verbs_keep_to_their_instructions() {
    if !has("valgrind") {
        skipped("there is no `valgrind`: nobody counted instructions");
        return;
    }
    let mut over = Vec::new();
    for Budget { verb, instructions, .. } in BUDGETS {
        let folder = Folder::opened();
        let counted = "valgrind --tool=callgrind --callgrind-out-file=/dev/null esctl";
        let said = folder.bash(&format!("{counted} {verb}")).exits(0).stderr;
        let count = said.lines().find_map(|line| line.split_once("Collected : ")?.1.trim().parse::<u64>().ok());
        let count = count.unwrap_or_else(|| panic!("no count in {said}"));
        println!("{verb}: {count} of {instructions} instructions");
        if count > *instructions {
            over.push(format!("`{verb}` took {count} instructions, its budget is {instructions}"));
        }
    }
    assert!(over.is_empty(), "{}", over.join("\n"));
}

#[test]
fn verbs_keep_to_their_calls_of_the_system() {
    if !has("strace") {
        skipped("there is no `strace`: nobody counted calls of the system");
        return;
    }
    let mut wrong = Vec::new();
    for Budget { verb, calls, flushes, .. } in BUDGETS {
        let folder = Folder::opened();
        let outcome = folder.bash(&format!("strace -f -qq -o calls esctl {verb}"));
        if outcome.exit != 0 && outcome.stderr.contains("ptrace") {
            skipped("processes cannot be traced here: nobody counted calls of the system");
            return;
        }
        outcome.exits(0);
        let traced = fs::read_to_string(folder.file("calls")).unwrap();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for line in traced.lines() {
            // `1234  openat(AT_FDCWD, …`, where a call that is resumed was counted already.
            let call = line.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
            if let Some((name, _)) = call.split_once('(').filter(|(name, _)| !name.contains(' ')) {
                *counts.entry(name).or_default() += 1;
            }
        }
        let count: usize = counts.values().sum();
        let flushed: usize = ["fsync", "fdatasync", "sync_file_range"].iter().filter_map(|name| counts.get(name)).sum();
        println!("{verb}: {count} of {calls} calls, {flushed} of them flushes");
        if count > *calls {
            wrong.push(format!("`{verb}` called the system {count} times, its budget is {calls}: {counts:?}"));
        }
        if flushed != *flushes {
            wrong.push(format!("`{verb}` waited for the disk {flushed} times, not {flushes}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn esctl_is_built_on_few_packages() {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--offline", "-e", "normal", "--prefix", "none", "--format", "{p}"]);
    // The same on every machine.
    tree.args(["--target", "x86_64-unknown-linux-gnu"]).current_dir(sources());
    let output = tree.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).unwrap();
    let packages: BTreeSet<&str> = listed.lines().map(|line| line.split(" (").next().unwrap_or(line)).collect();
    let count = packages.len();
    assert!(count > 20 && packages.iter().any(|package| package.starts_with("esctl ")), "{listed}");
    assert!(
        count <= PACKAGES,
        "esctl is built on {count} packages, its budget is {PACKAGES}: `Cargo.toml` says what each dependency is for, \
         and so must who adds one\n{}",
        packages.into_iter().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn the_release_binary_is_small() {
    // Beside what the tests were built into; `tests/tour` builds it.
    let binary = bin().parent().unwrap().join("release/esctl");
    let Ok(metadata) = fs::metadata(&binary) else {
        skipped("there is no release binary (`cargo build --release --locked`): nobody looked at its size");
        return;
    };
    let size = metadata.len();
    println!("{size} of {BINARY} bytes");
    assert!(size <= BINARY, "the release binary has {size} bytes, its budget is {BINARY}");
}
