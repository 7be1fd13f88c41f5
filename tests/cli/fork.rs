//! `esctl fork`

use crate::support::{Folder, dump};
use insta::assert_snapshot;
use std::process::Command;

/// Two accounts, a transfer between them (one command with two events), and a deposit, a day apart each.
fn bank() -> Folder {
    let folder = Folder::bank();
    for (day, command) in [
        (1, "account/ada Open owner=Ada currency=EUR --actor bo --id o --meta branch=north"),
        (2, "account/bob Open owner=Bob currency=EUR --causation o --correlation talk"),
        (3, "account/ada Deposit amount=25.10"),
        (4, "account/ada Transfer to=bob amount=5.10"),
        (5, "account/ada Deposit amount=1 --id d"),
    ] {
        folder.bash(&format!("ESCTL_CLOCK=2026-01-0{day}T12:00:00Z esctl send {command}")).done();
    }
    folder
}

/// An export without what a fork has for itself: the id of the store, and the hashes.
fn history(folder: &Folder, store: &str) -> Vec<String> {
    let lines = folder.esctl(&format!("export --store {store}")).done();
    let bare = |line: &str| line.split_once(",\"hash\":").map_or(line, |(bare, _)| bare).to_owned();
    lines.lines().skip(1).map(bare).collect()
}

#[test]
fn a_fork_holds_the_same_history_under_a_name_of_its_own() {
    let folder = bank();
    folder.esctl("project rebuild").done();
    let before = dump::everything(&folder, "esctl.db");
    assert_snapshot!(folder.esctl("fork try.db"), @r"
    exit: 0
    stdout:
    file    store                                 from                                  events  commands  position  hash
    try.db  019c13ec-9e00-7000-8000-00006fffffff  019b796d-d600-7000-8000-00000fffffff       6         5         6  <hash>
    stderr:
    6 events of 5 commands, up to @6
    ");
    assert_eq!(dump::everything(&folder, "esctl.db"), before);
    assert_eq!(folder.listing(), ["domains", "esctl.db", "esctl.db-turn", "try.db"]);
    assert_eq!(history(&folder, "try.db"), history(&folder, "esctl.db"));
    let without = |view: &str| {
        let columns =
            if view == "events" { "position, stream, version, type, schema, time, command, data" } else { "*" };
        let ask =
            |store: &str| folder.esctl(&format!("sql 'SELECT {columns} FROM {view}' --store {store} -o csv")).done();
        assert_eq!(ask("try.db"), ask("esctl.db"), "{view}");
    };
    ["events", "commands", "streams", "domains"].into_iter().for_each(without);
    for look in ["replay account/ada --steps", "replay account/bob -o json", "streams", "blame account/ada", "trace o"]
    {
        assert_eq!(folder.esctl(&format!("{look} --store try.db")).done(), folder.esctl(look).done(), "{look}");
    }
    folder.esctl("verify --store try.db").exits(0);
    // No hash is the same: neither can be taken for the other.
    let hashes = |store: &str| {
        dump::rows(&folder, store, "events").iter().map(|row| row[row.len() - 67..].to_owned()).collect::<Vec<_>>()
    };
    assert!(hashes("try.db").iter().all(|hash| !hashes("esctl.db").contains(hash)));
    folder.bash("esctl export | esctl import --store try.db").exits(3).says("the export is of the store");
    // Read models fill when somebody asks for them.
    folder.esctl("project status --store try.db -o csv").exits(0).prints("\nbalances,never,0,6,");
    let shown = folder.esctl("project show balances -o csv").done();
    assert_eq!(folder.esctl("project show balances --store try.db -o csv").done(), shown);
}

#[test]
fn both_go_on_by_themselves() {
    let folder = bank();
    folder.esctl("fork try.db").done();
    // An id that the history has is known to both, what comes later to one of them.
    folder.esctl("send account/ada Deposit amount=1 --id d --store try.db").exits(0).prints("accepted before");
    folder.esctl("send account/ada Withdraw amount=20 --id w --store try.db").exits(0).prints("version 5  @7");
    folder.esctl("replay account/ada").exits(0).prints("version 4").prints("21.00");
    folder.esctl("send account/bob Deposit amount=1 --id w").exits(0).prints("version 3  @7");
    folder.esctl("verify").exits(0);
    folder.esctl("verify --store try.db").exits(0);
    folder.esctl("fork again.db --store try.db").exits(0).says("7 events of 6 commands, up to @7");
}

#[test]
fn up_to_a_moment() {
    let folder = bank();
    assert_snapshot!(folder.esctl("fork one.db --at @3 -o json"), @r#"
    exit: 0
    stdout:
    {"file":"one.db","store":"019c13ec-9e00-7000-8000-00003fffffff","from":"019b796d-d600-7000-8000-00000fffffff","events":3,"commands":3,"position":3,"hash":"<hash>"}
    stderr:
    3 events of 3 commands, up to @3
    "#);
    assert_snapshot!(folder.esctl("fork two.db --at 2026-01-04T12:00:00Z -o csv"), @r"
    exit: 0
    stdout:
    file,store,from,events,commands,position,hash
    two.db,019c13ec-9e00-7000-8000-00005fffffff,019b796d-d600-7000-8000-00000fffffff,5,4,5,<hash>
    stderr:
    5 events of 4 commands, up to @5
    ");
    assert_eq!(history(&folder, "one.db"), history(&folder, "esctl.db")[..history(&folder, "one.db").len()]);
    folder.esctl("events --store one.db -o ndjson").exits(0);
    assert_eq!(folder.esctl("events --store one.db").done(), folder.esctl("events --until @3").done());
    assert_eq!(folder.esctl("streams --store two.db").done(), folder.esctl("streams --at @5").done());
    assert_eq!(
        folder.esctl("replay account/bob --store one.db").done(),
        folder.esctl("replay account/bob --at @3").done()
    );
    folder.esctl("verify --store one.db").exits(0);
    folder.esctl("verify --store two.db").exits(0);
    // What came later is not there: neither its id nor its time.
    folder
        .bash("ESCTL_CLOCK=2026-01-04 esctl send account/ada Deposit amount=3 --id d --store one.db")
        .exits(0)
        .prints("@4");
    let later = folder.esctl("fork later.db --at 2026-01-04 -o ndjson").exits(0);
    later.says("3 events of 3 commands, up to @3\n").prints(r#""position":3,"#);
    folder.esctl("fork none.db --at @0").exits(0).says("0 events of 0 commands, up to @0");
    assert_eq!(folder.esctl("events --store none.db -o json").done(), "[]\n");
    folder.esctl("send account/eve Open owner=Eve currency=EUR --store none.db").exits(0).prints("@1");
    folder.esctl("verify --store none.db").exits(0);
}

#[test]
fn a_moment_that_is_none() {
    let folder = bank();
    assert_snapshot!(folder.esctl("fork x.db --at @4"), @r"
    exit: 2
    stderr:
    error: position @4 is in the middle of a command, whose events are @4 to @5
    hint: `--at @3` is before the command, `--at @5` after it
    ");
    assert_snapshot!(folder.esctl("fork x.db --at 2"), @r"
    exit: 2
    stderr:
    error: only a stream has versions; a moment here is a position or a time
    hint: `@2` is a position of the store
    ");
    assert_snapshot!(folder.esctl("fork x.db --at @7"), @r"
    exit: 2
    stderr:
    error: the store ends at position @6, there is no @7
    ");
    assert_snapshot!(folder.esctl("fork x.db --at 2025-12-31"), @r"
    exit: 2
    stderr:
    error: the store had no event yet at 2025-12-31T00:00:00.000000Z
    ");
    assert_snapshot!(folder.esctl("fork x.db --at soon -o json"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"`soon` is no moment: write a version (`7`), a position (`@120`) or a time (`2026-01-31T12:00:00Z`)","hints":[],"exit":2}}
    "#);
    folder.esctl("fork x.db --store none.db").exits(2).says("there is no store");
    assert_eq!(folder.listing(), ["domains", "esctl.db", "esctl.db-turn"]);
}

#[test]
fn nothing_is_overwritten() {
    let folder = bank();
    folder.write("mine.db", "mine");
    folder.write("left.db-wal", "left").write("old.db-journal", "left");
    folder.esctl("fork mine.db").exits(2).says("exists already").says("none is overwritten");
    folder.esctl("fork esctl.db").exits(2).says("exists already");
    folder.esctl("fork domains").exits(2).says("exists already");
    folder.bash("ln -s nowhere link && esctl fork link").exits(2).says("exists already");
    folder.esctl("fork no/such.db").exits(2).says("there is no folder `no`");
    assert_snapshot!(folder.esctl("fork left.db"), @r"
    exit: 2
    stderr:
    error: `left.db-wal` is what another store has left, and is no part of a new one
    hint: name another file, or move away what is left
    ");
    folder.esctl("fork old.db").exits(2).says("old.db-journal");
    folder.esctl("backup left.db").exits(2).says("left.db-wal");
    assert_eq!(std::fs::read_to_string(folder.file("mine.db")).unwrap(), "mine");
    let listing = ["domains", "esctl.db", "esctl.db-turn", "left.db-wal", "link", "mine.db", "old.db-journal"];
    assert_eq!(folder.listing(), listing);
}

#[test]
fn it_is_one_file_for_those_who_may_read_the_store() {
    let folder = bank();
    folder.bash("chmod 600 esctl.db && esctl fork try.db").done();
    assert_eq!(folder.bash("stat -c %a try.db; ls -A | grep -c part").exits(1).stdout, "600\n0\n");
    folder.bash("mkdir away && mv try.db away/").done();
    folder.esctl("events --store away/try.db").exits(0).prints("Opened");
    assert_eq!(folder.bash("sqlite3 -readonly away/try.db 'PRAGMA integrity_check'").done(), "ok\n");
}

#[test]
fn each_domain_that_decided_by_then_comes_with_it() {
    let folder = bank();
    let domain = std::fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    folder.write("domains/bank.yaml", format!("# other rules\n{domain}"));
    folder.esctl("send account/ada Deposit amount=2").done();
    folder.write("domains/bank.yaml", domain);
    folder.esctl("send account/ada Deposit amount=3").done();
    folder.esctl("fork all.db").done();
    folder.esctl("fork first.db --at @6").done();
    assert_eq!(dump::rows(&folder, "all.db", "domains"), dump::rows(&folder, "esctl.db", "domains"));
    assert_eq!(dump::rows(&folder, "all.db", "commands"), dump::rows(&folder, "esctl.db", "commands"));
    assert_eq!(dump::rows(&folder, "first.db", "domains").len(), 1);
    folder.bash("esctl fork -h >/dev/null; rm -r domains; esctl fork without.db").exits(0).prints("without.db");
    folder.esctl("verify --store all.db --log-only").exits(0);
}

#[test]
fn a_damaged_store_gives_no_fork() {
    for (harm, words) in [
        ("UPDATE es_events SET data = '{\"amount\":99}' WHERE position = 3", "the hash at position"),
        ("UPDATE es_events SET time = 0 WHERE position = 3", "damaged"),
        ("UPDATE es_domains SET text = 'other'", "the text of the domain"),
        ("UPDATE es_commands SET actor = 'eve' WHERE id = 1", "the hash at position"),
    ] {
        let folder = bank();
        let triggers = dump::ask(&folder, "SELECT name FROM sqlite_schema WHERE type = 'trigger'");
        let drop: Vec<_> = triggers.iter().map(|name| format!("DROP TRIGGER \"{name}\"; ")).collect();
        dump::change(&folder, &format!("{}{harm}", drop.concat()));
        let refused = folder.esctl("fork try.db").exits(6).says("the store is damaged").says(words);
        assert!(refused.stdout.is_empty() && !refused.stderr.contains("events of"), "{refused}");
        assert_eq!(folder.listing(), ["domains", "esctl.db", "esctl.db-turn"], "{harm}");
        // Before it nothing is.
        if harm.contains("position = 3") {
            folder.esctl("fork try.db --at @2").exits(0);
        }
    }
}

/// A store with more events than are stored together, and with commands of two events across that border.
fn long() -> Folder {
    let folder = bank();
    let transfer = "{\"stream\":\"account/ada\",\"command\":\"Transfer\",\"data\":{\"to\":\"bob\",\"amount\":0.01}}\n";
    let deposit =
        "{\"stream\":\"account/ada\",\"command\":\"Deposit\",\"data\":{\"amount\":1,\"ref\":\"0123456789\"}}\n";
    folder.esctl_with("send --batch -", [deposit, transfer].concat().repeat(800)).exits(0);
    folder
}

#[test]
fn a_long_history_is_stored_in_groups() {
    let folder = long();
    folder.esctl("fork try.db").exits(0).says("2,406 events of 1,605 commands, up to @2406\n");
    folder.esctl("verify --store try.db").exits(0);
    assert_eq!(history(&folder, "try.db"), history(&folder, "esctl.db"));
    folder.esctl("fork some.db --at @1007").exits(2).says("whose events are @1007 to @1008");
    folder.esctl("fork some.db --at @1008").exits(0).says("up to @1008\n");
    assert_eq!(dump::rows(&folder, "some.db", "streams").len(), 2);
    folder.esctl("verify --store some.db").exits(0);
}

#[test]
fn a_killed_fork_leaves_nothing_under_the_final_name() {
    let folder = long();
    // The system kills a process that makes a file longer than it may: in the middle of the copy.
    let killed = folder.bash("ulimit -c 0; ulimit -f 100; esctl fork try.db; echo $? >&2");
    assert!(!killed.stderr.contains("\n0\n") && killed.stdout.is_empty(), "{killed}");
    assert!(!folder.file("try.db").exists());
    for _ in 0..10 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_esctl"));
        command.args(["fork", "try.db"]);
        folder.surround(&mut command);
        let mut child = command.spawn().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        if folder.file("try.db").exists() {
            folder.esctl("verify --store try.db").exits(0);
            std::fs::remove_file(folder.file("try.db")).unwrap();
        }
    }
    folder.esctl("fork try.db").done();
    let left = folder.listing().into_iter().filter(|name| name.starts_with("try.db") && *name != "try.db");
    assert!(left.clone().all(|name| name.rsplit('.').next() == Some("part")), "{:?}", left.collect::<Vec<_>>());
}

#[test]
fn while_others_write_it_is_one_moment() {
    let folder = Folder::bank().with_a_running_clock();
    folder.esctl("send account/ada Open owner=Ada currency=EUR").done();
    let line = "{\"stream\":\"account/ada\",\"command\":\"Deposit\",\"data\":{\"amount\":1}}\n";
    folder.write("batch.ndjson", line.repeat(3000));
    let script = "esctl send --batch batch.ndjson --group 5 > receipts.ndjson 2> said & \
        until [ -s receipts.ndjson ]; do :; done; for n in 1 2 3; do esctl fork fork$n.db || exit; done; wait";
    folder.bash(script).exits(0);
    let all = history(&folder, "esctl.db");
    for n in 1..=3 {
        let fork = history(&folder, &format!("fork{n}.db"));
        assert!(fork.len() > 3 && all.starts_with(&fork), "fork {n}");
        folder.esctl(&format!("verify --store fork{n}.db --log-only")).exits(0);
    }
}
