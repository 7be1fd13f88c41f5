//! Writers take turns, whatever becomes of the one whose turn it is.
//!
//! Nothing here depends on how fast the machine is: where others are to wait, they wait for something that the test itself
//! holds or lets go of. What many of them do at once is in `trials/processes.rs`.

use crate::support::history::events;
use crate::support::{Folder, Outcome};
use std::fs::{self, File};
use std::process::{Child, Command};
use std::thread;

/// With an account at version 1, and ids that differ between processes.
fn bank() -> Folder {
    let folder = Folder::bank().with_a_running_clock();
    folder.esctl("send account/ada Open owner=Ada currency=EUR").done();
    folder
}

/// The file that is locked, locked by the test.
fn hold(folder: &Folder) -> File {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(folder.file("esctl.db-turn"));
    let file = file.unwrap();
    file.lock().unwrap();
    file
}

const DEPOSIT: &str = "send account/ada Deposit amount=1";
const LINE: &str = r#"{"stream":"account/ada","command":"Deposit","data":{"amount":1}}"#;

#[test]
fn while_another_process_has_the_turn_writers_wait_and_readers_do_not() {
    let folder = bank();
    folder.esctl(DEPOSIT).done();
    folder.esctl("project rebuild").done();
    folder.esctl(DEPOSIT).done();
    let held = hold(&folder);
    folder
        .esctl(&format!("{DEPOSIT} --timeout 0"))
        .exits(5)
        .says("`esctl.db` is busy: another process holds the write turn")
        .says("`--timeout SECONDS`");
    folder
        .esctl(&format!("{DEPOSIT} --timeout 1"))
        .exits(5)
        .says("`esctl.db` is busy: another process has held the write turn for 1 s");
    folder.bash(&format!("ESCTL_TIMEOUT=0 esctl {DEPOSIT}")).exits(5).says("is busy");
    folder.esctl_with("send --batch - --timeout 0", LINE).exits(5).says("in line 1 of the batch").prints("is busy");
    folder.esctl("project rebuild --timeout 0").exits(5).says("is busy");
    folder.esctl("project show balances --timeout 0").exits(5).says("is busy");
    for reading in ["replay account/ada", "events", "streams", "project status", &format!("{DEPOSIT} --dry-run")] {
        folder.esctl(&format!("{reading} --timeout 0")).done();
    }
    assert_eq!(events(&folder).len(), 3);

    // Whoever waits goes on as soon as it is let go of.
    let waiting: Vec<_> = (0..3).map(|_| start(&folder, &format!("{DEPOSIT} --timeout 600"))).collect();
    held.unlock().unwrap();
    for child in waiting {
        ended(child).done();
    }
    assert_eq!(events(&folder).len(), 6);
}

#[test]
fn the_time_to_wait_is_a_number_of_seconds() {
    let folder = Folder::opened();
    for wrong in ["--timeout x", "--timeout=-1", "--timeout 1.5", "--timeout 86401", "--timeout 99999999999999999999"] {
        folder.esctl(&format!("streams {wrong}")).exits(2).says("--timeout");
    }
    folder.bash("ESCTL_TIMEOUT=soon esctl streams").exits(2).says("soon");
    folder.esctl("streams --timeout 86400").done();
}

/// Without a place for the file beside it a store can be read, not written.
#[test]
fn where_no_file_can_be_put_beside_the_store_it_can_be_read() {
    let folder = bank();
    fs::remove_file(folder.file("esctl.db-turn")).unwrap();
    for reading in ["replay account/ada", "events", "streams"] {
        folder.esctl(reading).done();
    }
    assert_eq!(folder.listing(), ["domains", "esctl.db"], "a reader needs no such file");
    fs::create_dir(folder.file("esctl.db-turn")).unwrap();
    folder
        .esctl(DEPOSIT)
        .exits(5)
        .says("`esctl.db` cannot be written to: `esctl.db-turn` cannot be made beside it: is a directory");
    assert_eq!(events(&folder).len(), 1);
}

/// By whichever name the store is opened, there is one turn.
#[cfg(unix)]
#[test]
fn a_store_behind_a_link_has_the_same_turn() {
    let folder = bank();
    std::os::unix::fs::symlink("esctl.db", folder.file("link.db")).unwrap();
    let held = hold(&folder);
    folder.esctl(&format!("{DEPOSIT} --store link.db --timeout 0")).exits(5).says("`link.db` is busy");
    drop(held);
    folder.esctl(&format!("{DEPOSIT} --store link.db")).done();
    assert!(!folder.file("link.db-turn").exists());
}

fn deposits(folder: &Folder) -> usize {
    events(folder).iter().filter(|event| event["type"] == "Deposited").count()
}

/// Starts a process and does not wait for it.
fn start(folder: &Folder, arguments: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_esctl"));
    command.args(arguments.split_whitespace());
    folder.surround(&mut command);
    command.spawn().unwrap()
}

fn ended(child: Child) -> Outcome {
    child.wait_with_output().unwrap().into()
}

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

/// A process that was stopped while it had the turn, and has it still.
#[cfg(target_os = "linux")]
fn stopped_within_its_turn(folder: &Folder) -> Child {
    let beside = File::open(folder.file("esctl.db-turn")).unwrap();
    let is_held = || match beside.try_lock() {
        Ok(()) => {
            beside.unlock().unwrap();
            false
        }
        Err(fs::TryLockError::WouldBlock) => true,
        Err(fs::TryLockError::Error(error)) => panic!("{error}"),
    };
    loop {
        let mut child = start(folder, "send slow/1 Think --timeout 600");
        while !is_held() && child.try_wait().unwrap().is_none() {
            thread::yield_now();
        }
        signal("STOP", &child);
        let stat = format!("/proc/{}/stat", child.id());
        // The state stands behind the name of the program, which is in brackets.
        let state = || {
            let stat = fs::read_to_string(&stat).unwrap_or_default();
            stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap_or('Z')
        };
        while !matches!(state(), 'T' | 'Z') {
            thread::yield_now();
        }
        if is_held() {
            return child;
        }
        // Too late: it was done before it was stopped.
        signal("CONT", &child);
        ended(child).done();
    }
}

#[cfg(target_os = "linux")]
fn signal(name: &str, child: &Child) {
    Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn who_is_stopped_within_its_turn_keeps_others_waiting_and_no_longer() {
    let folder = bank();
    folder.write("domains/slow.yaml", SLOW);
    let stopped = stopped_within_its_turn(&folder);
    folder.esctl(&format!("{DEPOSIT} --timeout 0")).exits(5).says("another process holds the write turn");
    folder.esctl(&format!("{DEPOSIT} --timeout 1")).exits(5).says("another process has held the write turn for 1 s");
    assert_eq!(deposits(&folder), 0);
    let waiting: Vec<_> = (0..4).map(|_| start(&folder, &format!("{DEPOSIT} --timeout 600"))).collect();
    signal("CONT", &stopped);
    ended(stopped).done();
    for child in waiting {
        ended(child).done();
    }
    assert_eq!(deposits(&folder), 4);
    assert_eq!(events(&folder).last().unwrap()["stream"], "account/ada", "who waited comes after who was stopped");
}

#[cfg(target_os = "linux")]
#[test]
fn who_is_killed_within_its_turn_lets_the_next_one_in() {
    let folder = bank();
    folder.write("domains/slow.yaml", SLOW);
    let mut stopped = stopped_within_its_turn(&folder);
    let waiting: Vec<_> = (0..4).map(|_| start(&folder, &format!("{DEPOSIT} --timeout 600"))).collect();
    stopped.kill().unwrap();
    stopped.wait().unwrap();
    for child in waiting {
        ended(child).done();
    }
    folder.esctl(DEPOSIT).done();
    assert_eq!(deposits(&folder), 5);
}
