//! A store with something in it, to be damaged.

use super::{Folder, Outcome};
use rusqlite::Connection;
use std::fmt::Write;
use std::fs;

/// A store after a batch of deposits with a payload of its own each, to three accounts. Gives the receipts too.
pub fn filled(deposits: usize) -> (Folder, String) {
    let folder = Folder::bank();
    let mut lines = String::new();
    for name in ["ada", "bob", "cy"] {
        let data = format!(r#"{{"owner":"owner of {name}","currency":"EUR"}}"#);
        writeln!(
            lines,
            r#"{{"stream":"account/{name}","command":"Open","data":{data},"id":"open-{name}","actor":"teller"}}"#
        )
        .unwrap();
    }
    for n in 0..deposits {
        let stream = ["ada", "bob", "cy"][n % 3];
        let data = format!(r#"{{"amount":{}.5,"ref":"reference {n}."}}"#, n + 1);
        writeln!(
            lines,
            r#"{{"stream":"account/{stream}","command":"Deposit","data":{data},"id":"deposit-{n}","actor":"teller"}}"#
        )
        .unwrap();
    }
    let receipts = folder.esctl_with("send --batch -", lines).done();
    let mode: i64 = open(&folder, "esctl.db").query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |r| r.get(0)).unwrap();
    assert_eq!(mode, 0, "the log was not copied into the file");
    (folder, receipts)
}

/// A file as any program opens it.
pub fn open(folder: &Folder, name: &str) -> Connection {
    Connection::open(folder.file(name)).unwrap()
}

/// Changes a copy of the store, `tampered.db`, with all triggers out of the way, and verifies it.
pub fn tampered(folder: &Folder, sql: &str) -> Outcome {
    fs::copy(folder.file("esctl.db"), folder.file("tampered.db")).unwrap();
    let raw = open(folder, "tampered.db");
    raw.pragma_update(None, "foreign_keys", false).unwrap();
    let mut triggers = raw.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").unwrap();
    let names: Vec<String> = triggers.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    drop(triggers);
    for name in names {
        raw.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    raw.execute_batch(sql).unwrap();
    drop(raw);
    folder.esctl("verify --store tampered.db")
}
