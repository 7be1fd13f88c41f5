//! `esctl backup`

use crate::support::Folder;
use insta::assert_snapshot;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

#[test]
fn the_copy_is_the_store() {
    let folder = Folder::opened();
    folder.esctl("project rebuild").done();
    assert_snapshot!(folder.esctl("backup copy.db -o json"), @r#"
    exit: 0
    stdout:
    {"file":"copy.db","store":"019c13ec-9e00-7000-8000-00000fffffff","position":3,"hash":"<hash>"}
    "#);
    let dump = |store: &str| folder.bash(&format!("sqlite3 -readonly {store} .dump")).done();
    assert_eq!(folder.listing(), ["copy.db", "domains", "esctl.db", "esctl.db-turn"]);
    assert_eq!(dump("copy.db"), dump("esctl.db"));
    assert_eq!(folder.esctl("export --store copy.db").done(), folder.esctl("export").done());
    folder.esctl("project show balances --store copy.db").exits(0).prints("0.3");
    folder.esctl("send account/ada Deposit amount=1 --store copy.db").done();
    folder.esctl("backup second.db").exits(0).prints("second.db");
}

#[test]
fn it_is_one_file_that_needs_nothing_beside_it() {
    let folder = Folder::opened();
    folder.esctl("backup copy.db").done();
    folder.bash("mkdir away && mv copy.db away/ && chmod 444 away/copy.db").done();
    folder.esctl("events --store away/copy.db").exits(0).prints("Opened");
    assert_eq!(folder.bash("sqlite3 away/copy.db 'PRAGMA journal_mode'").done(), "delete\n");
    assert_eq!(folder.bash("ls away").done(), "copy.db\n");
}

#[test]
fn who_may_not_read_the_store_may_not_read_its_copy() {
    let folder = Folder::opened();
    folder.bash("chmod 600 esctl.db && esctl backup copy.db").done();
    assert_eq!(folder.bash("stat -c %a copy.db").done(), "600\n");
}

#[test]
fn nothing_is_overwritten() {
    let folder = Folder::opened();
    folder.write("copy.db", "mine");
    folder.esctl("backup copy.db").exits(2).says("exists already");
    folder.esctl("backup esctl.db").exits(2).says("exists already");
    folder.esctl("backup domains").exits(2).says("exists already");
    folder.bash("ln -s nowhere link && esctl backup link").exits(2).says("exists already");
    assert_eq!(std::fs::read_to_string(folder.file("copy.db")).unwrap(), "mine");
    folder.esctl("backup no/such.db").exits(2).says("there is no folder `no`");
    folder.esctl("backup new.db --store none.db").exits(2).says("there is no store");
    assert_eq!(folder.listing(), ["copy.db", "domains", "esctl.db", "esctl.db-turn", "link"]);
}

#[test]
fn a_damaged_store_gives_no_backup() {
    let folder = Folder::opened();
    folder.esctl("streams").done();
    // An index that does not list what its table holds.
    let script = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = \
        (SELECT rootpage FROM sqlite_schema WHERE name = 'sqlite_autoindex_es_streams_1') \
        WHERE name = 'sqlite_autoindex_es_domains_1'";
    folder.bash(&format!("sqlite3 -unsafe-testing esctl.db \"{script}\" || sqlite3 esctl.db \"{script}\"")).done();
    folder.esctl("backup copy.db").exits(6).says("damaged");
    assert_eq!(folder.listing(), ["domains", "esctl.db", "esctl.db-turn"]);
}

#[test]
fn while_others_write_it_is_one_moment() {
    let folder = Folder::bank().with_a_running_clock();
    folder.esctl("send account/ada Open owner=Ada currency=EUR").done();
    let mut command = Command::new(env!("CARGO_BIN_EXE_esctl"));
    command.args(["send", "--batch", "-", "--group", "5"]);
    folder.surround(&mut command);
    let mut batch = command.stderr(Stdio::null()).spawn().unwrap();
    let mut input = batch.stdin.take().unwrap();
    let feeding = std::thread::spawn(move || {
        let line = "{\"stream\":\"account/ada\",\"command\":\"Deposit\",\"data\":{\"amount\":1}}\n";
        (0..3000).try_for_each(|_| input.write_all(line.as_bytes())).unwrap();
    });
    let mut receipts = BufReader::new(batch.stdout.take().unwrap()).lines();
    for round in 0..5 {
        // Some were stored since the last one, and more are coming.
        receipts.by_ref().take(100).for_each(drop);
        folder.esctl(&format!("backup copy{round}.db")).done();
    }
    receipts.for_each(drop);
    feeding.join().unwrap();
    assert!(batch.wait().unwrap().success());
    let all = folder.esctl("events -o ndjson").done();
    for round in 0..5 {
        let copied = folder.esctl(&format!("events -o ndjson --store copy{round}.db")).done();
        assert!(all.starts_with(&copied) && copied.lines().count() > 100 * (round + 1), "round {round}");
        folder.esctl(&format!("export --store copy{round}.db")).done();
        folder.esctl(&format!("replay account/ada --store copy{round}.db")).done();
    }
}

#[test]
fn a_killed_backup_leaves_nothing_under_the_final_name() {
    let folder = Folder::opened();
    let line = "{\"stream\":\"account/ada\",\"command\":\"Deposit\",\"data\":{\"amount\":1,\"ref\":\"0123456789\"}}\n";
    folder.esctl_with("send --batch -", line.repeat(1500)).exits(0);
    // The system kills a process that makes a file longer than it may: in the middle of the copy.
    let killed = folder.bash("ulimit -c 0; ulimit -f 100; esctl backup copy.db; echo $? >&2");
    assert!(!killed.stderr.contains("\n0\n") && killed.stdout.is_empty(), "{killed}");
    assert!(!folder.file("copy.db").exists());
    for _ in 0..10 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_esctl"));
        command.args(["backup", "copy.db"]);
        folder.surround(&mut command);
        let mut child = command.spawn().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        if folder.file("copy.db").exists() {
            folder.esctl("export --store copy.db").done();
            std::fs::remove_file(folder.file("copy.db")).unwrap();
        }
    }
    folder.esctl("backup copy.db").done();
}
