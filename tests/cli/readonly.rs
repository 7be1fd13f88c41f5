//! A store on a file system that is not written to.

use crate::support::{Folder, skipped};
use rusqlite::Connection;
use rusqlite::config::DbConfig;
use std::fs;
use std::process::Command;

/// A folder that is a file system of its own, as long as this lives.
struct Mounted(Folder);

impl Mounted {
    /// `None`, and said loudly, where this user may not mount one.
    fn new() -> Option<Self> {
        let folder = Folder::empty();
        if mount(&["-t", "tmpfs", "-o", "size=16m", "esctl"], &folder) {
            return Some(Self(folder));
        }
        skipped("a read-only file system: only root can mount one");
        None
    }

    fn read_only(&self) {
        assert!(mount(&["-o", "remount,ro"], &self.0));
    }

    fn read_write(&self) {
        assert!(mount(&["-o", "remount,rw"], &self.0));
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

fn mount(arguments: &[&str], folder: &Folder) -> bool {
    let output = Command::new("mount").args(arguments).arg(folder.path()).output();
    output.is_ok_and(|output| output.status.success())
}

#[test]
fn what_is_there_can_be_read_and_nothing_is_written() {
    let Some(mounted) = Mounted::new() else { return };
    let folder = &mounted.0;
    folder.esctl("init").done();
    folder.esctl("send account/ada Open owner=Ada currency=EUR --id open").done();
    folder.esctl("send account/ada Deposit amount=0.30").done();
    folder.esctl("project rebuild balances").done();
    let all = folder.esctl("export").done();
    mounted.read_only();
    let before = folder.listing();
    folder.esctl("replay account/ada").exits(0).prints("balance:   0.30");
    folder.esctl("replay account/ada --at 1").exits(0).prints("balance:   0\n");
    assert_eq!(folder.esctl("export").done(), all);
    for reading in ["events", "streams", "verify", "project status", "send account/ada Deposit amount=1 --dry-run"] {
        folder.esctl(reading).exits(0);
    }
    folder.esctl("project show balances").exits(0).prints("ada      Ada        0.3         1\n");
    let elsewhere = Folder::empty();
    folder.esctl(&format!("backup {}", elsewhere.file("copy.db").display())).exits(0);

    let refused = "error: `esctl.db` cannot be written to: it is on a read-only file system";
    for writing in [
        "send account/ada Deposit amount=1",
        // Nothing was seen of it yet.
        "project show ledger",
        "project rebuild",
        "import all.ndjson",
    ] {
        fs::write(elsewhere.file("all.ndjson"), &all).unwrap();
        let writing = writing.replace("all.ndjson", elsewhere.file("all.ndjson").to_str().unwrap());
        folder.esctl(&writing).exits(5).says(refused);
    }
    assert_eq!(folder.listing(), before);
}

/// SQLite would not see what only the log holds.
#[test]
fn what_only_the_log_holds_is_not_passed_over() {
    let Some(mounted) = Mounted::new() else { return };
    let folder = &mounted.0;
    folder.esctl("init").done();
    folder.esctl("send account/ada Open owner=Ada currency=EUR").done();
    // As a process leaves it that was killed: nobody copies the log into the file.
    let other = Connection::open(folder.file("esctl.db")).unwrap();
    other.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    other.query_row("SELECT count(*) FROM es_events", [], |_| Ok(())).unwrap();
    folder.esctl("send account/ada Deposit amount=1").done();
    drop(other);
    assert!(fs::metadata(folder.file("esctl.db-wal")).unwrap().len() > 0);
    // With the index that SQLite keeps of it, it can be read.
    mounted.read_only();
    folder.esctl("replay account/ada").exits(0).prints("balance:   1");
    mounted.read_write();
    fs::remove_file(folder.file("esctl.db-shm")).unwrap();
    mounted.read_only();
    folder.esctl("replay account/ada").exits(5).says(
        "error: `esctl.db` is on a read-only file system, and its log `esctl.db-wal` holds what is not in it yet: copy \
         both to where files can be written",
    );
    mounted.read_write();
    folder.esctl("replay account/ada").exits(0).prints("balance:   1");
    mounted.read_only();
    folder.esctl("replay account/ada").exits(0).prints("balance:   1");
}

#[test]
fn what_was_filled_before_can_be_shown_as_it_is() {
    let Some(mounted) = Mounted::new() else { return };
    let folder = &mounted.0;
    folder.esctl("init").done();
    for name in ["ada", "bob"] {
        folder.esctl(&format!("send account/{name} Open owner={name} currency=EUR")).done();
    }
    folder.esctl("project rebuild balances").done();
    folder.esctl("send account/ada Deposit amount=1").done();
    mounted.read_only();
    let before = folder.listing();
    folder.esctl("project show balances").exits(5).says("`esctl.db` cannot be written to");
    folder.esctl("project show balances --where 1").exits(5).says("`esctl.db` cannot be written to");
    folder.esctl("project show balances --stale -o csv").exits(0).prints("\nada,ada,0,0\nbob,bob,0,0\n");
    folder.esctl("project show balances --stale --order -owner -o csv").exits(0).prints("\nbob,bob,0,0\nada,");
    folder.esctl("project show balances --stale --where 'balance = 0' --limit 1").exits(0).prints("ada ");
    folder.esctl("project show ledger --stale").exits(2).says("`ledger` was never filled");
    // What is computed aside is written elsewhere.
    folder.esctl("project show balances --at @3 --where 'balance > 0' -o csv").exits(0).prints("\nada,ada,1,1\n");
    assert_eq!(folder.listing(), before);
    mounted.read_write();
    folder.esctl("project rebuild balances").done();
    mounted.read_only();
    folder.esctl("project show balances --where 'balance > 0' -o csv").exits(0).prints("\nada,ada,1,1\n");
    mounted.read_write();
}

#[test]
fn what_was_filled_before_can_be_asked_with_sql() {
    let Some(mounted) = Mounted::new() else { return };
    let folder = &mounted.0;
    folder.esctl("init").done();
    folder.esctl("send account/ada Open owner=Ada currency=EUR").done();
    folder.esctl("project rebuild balances").done();
    let ask = "sql 'SELECT balance FROM balances' -o csv";
    mounted.read_only();
    let current = folder.esctl(ask).exits(0).prints("balance\n0\n");
    assert!(current.stderr.is_empty(), "{current}");
    folder.esctl("sql 'SELECT * FROM ledger'").exits(2).says("was never built; the store cannot be written to");
    mounted.read_write();
    folder.esctl("send account/ada Deposit amount=1").done();
    mounted.read_only();
    folder.esctl(ask).exits(0).prints("balance\n0\n").says("note: `balances` is not up to date: ");
    folder.esctl("sql 'SELECT count(*) AS n FROM events' -o csv").exits(0).prints("n\n2\n");
    assert_eq!(folder.listing(), ["domains", "esctl.db", "esctl.db-turn"]);
    mounted.read_write();
}
