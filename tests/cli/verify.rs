//! `esctl verify`. What it finds of random damage is tried in `trials/`.

use crate::support::Folder;
use crate::support::sample::{filled, tampered};
use crate::support::trial::scaled;
use std::fmt::Write;
use std::fs;

#[test]
fn clean_stores_are_sound() {
    let folder = Folder::opened();
    let shown = folder
        .esctl("verify")
        .exits(0)
        .prints("result       what      detail\n")
        .prints("checked      events    3\n")
        .prints("checked      streams   1\n")
        .prints("checked      commands  3\n")
        .prints("checked      domains   1\n")
        .prints("checked      head      @3 ")
        .prints("not checked  tail      ");
    assert_eq!(shown.stderr, "");
    folder.esctl("project rebuild").done();
    folder.esctl("verify -o csv").exits(0).prints("result,what,detail\nchecked,events,3\n");
    folder
        .esctl("verify -o json")
        .exits(0)
        .prints(r#"{"sound":true,"position":3,"head":""#)
        .prints(r#""checked":{"events":3,"streams":1,"commands":3,"domains":1,"bytes":"#)
        .prints(r#""findings":[],"more":0,"not_checked":[{"what":"tail","#);
    // A transfer has events in two streams, and a command may give none.
    folder.esctl("send account/bob Open owner=Bob currency=EUR").done();
    folder.esctl("send account/ada Transfer to=bob amount=0.05").exits(0);
    folder.esctl("verify").exits(0).prints("streams   2\n");

    let (folder, _) = filled(60);
    folder.esctl("verify").exits(0).prints("events    63\n").prints("streams   3\n");
}

#[test]
fn no_domain_is_needed() {
    let folder = Folder::opened();
    fs::remove_dir_all(folder.file("domains")).unwrap();
    folder.esctl("verify").exits(0);
}

#[test]
fn nothing_is_never_called_sound() {
    let folder = Folder::bank();
    let none = folder.esctl("verify").exits(2).says("there is no store at `esctl.db`");
    assert_eq!(none.stdout, "");
    folder.esctl("send account/ada Deposit amount=1").exits(1);
    folder.esctl("verify").exits(0).prints("events    0\n").prints("head      @0 ");
    folder.esctl("verify -o json").exits(0).prints(r#""position":0"#).prints(r#""events":0"#);
    folder.esctl_with("verify --expect -", "").exits(2).says("stdin holds no receipt");
    folder.write("x.db", "x").esctl("verify --store x.db").exits(5).says("`x.db`");
}

#[test]
fn looking_changes_nothing() {
    let (folder, _) = filled(3);
    let before = fs::read(folder.file("esctl.db")).unwrap();
    folder.esctl("verify").exits(0);
    assert!(fs::read(folder.file("esctl.db")).unwrap() == before);
}

#[test]
fn what_was_changed_is_named() {
    let (folder, _) = filled(6);
    for (sql, named) in [
        (
            "UPDATE es_events SET data = replace(data, '2.5', '9.5') WHERE position = 5",
            "@5, version 2 of `account/bob`",
        ),
        ("UPDATE es_events SET data = data || ' ' WHERE position = 9", "@9, version 3 of `account/cy`"),
        ("DELETE FROM es_events WHERE position = 5", "the event at @5 is missing"),
        ("DELETE FROM es_events WHERE position IN (5, 6)", "the event at @5 is missing, and so is what follows"),
        ("DELETE FROM es_events WHERE position = 1", "the event at @1 is missing"),
        ("DELETE FROM es_events WHERE position = 9", "up to @9, and the last event is @8"),
        (
            "UPDATE es_events SET position = 99 WHERE position = 5; UPDATE es_events SET position = 5 WHERE position = 6; \
             UPDATE es_events SET position = 6 WHERE position = 99",
            "the event at @5, version 2 of `account/cy`",
        ),
        ("UPDATE es_events SET position = -3 WHERE position = 1", "there is an event with the number -3"),
        ("UPDATE es_events SET version = 9 WHERE position = 4", "version 9 of `account/ada`, the event at @4"),
        (
            "UPDATE es_events SET version = version + 1 WHERE position = 9",
            "the event at @9, comes right after its version 2",
        ),
        ("UPDATE es_events SET time = time - 1 WHERE position = 5", "@5, version 2 of `account/bob`"),
        ("UPDATE es_events SET time = time + 1 WHERE position = 9", "is not that of its command"),
        (
            "UPDATE es_events SET time = 0; UPDATE es_commands SET time = 0",
            "the event at @1, version 1 of `account/ada`",
        ),
        ("UPDATE es_events SET schema = 2 WHERE position = 5", "@5, version 2 of `account/bob`"),
        ("UPDATE es_events SET hash = zeroblob(32) WHERE position = 5", "@5, version 2 of `account/bob`"),
        ("UPDATE es_events SET hash = zeroblob(31) WHERE position = 5", "a hash has not 32 bytes"),
        ("UPDATE es_events SET data = CAST(x'ff' AS TEXT) WHERE position = 5", "its data is no UTF-8 text"),
        (
            "UPDATE es_events SET command = 4 WHERE position = 5",
            "its command says of itself that it has 1 events from @4",
        ),
        ("UPDATE es_events SET command = 77 WHERE position = 5", "its command, number 77, is missing"),
        ("UPDATE es_events SET stream = 77 WHERE position = 5", "its stream, number 77, is missing"),
        ("UPDATE es_events SET type = 77 WHERE position = 5", "its type, number 77, is missing"),
        ("UPDATE es_events SET type = 1 WHERE position = 5", "@5, version 2 of `account/bob`, `Opened`"),
        ("UPDATE es_commands SET actor = 'eve' WHERE id = 5", "@5, version 2 of `account/bob`"),
        ("UPDATE es_commands SET actor = NULL WHERE id = 5", "of the command `deposit-1`"),
        ("UPDATE es_commands SET meta = '{}' WHERE id = 5", "of the command `deposit-1`"),
        ("UPDATE es_commands SET data = '{}' WHERE id = 5", "of the command `deposit-1`"),
        ("UPDATE es_commands SET command_id = 'other' WHERE id = 5", "of the command `other`"),
        ("UPDATE es_commands SET first = 4 WHERE id = 5", "the command `deposit-1`, number 5: its first event is said"),
        ("UPDATE es_commands SET events = 2 WHERE id = 9", "up to @10, and the last event is @9"),
        ("UPDATE es_commands SET time = time + 1 WHERE id = 9", "is not that of its command"),
        ("DELETE FROM es_commands WHERE id = 5", "the command number 5 is missing"),
        ("DELETE FROM es_commands WHERE id = 9", "its command, number 9, is missing"),
        ("UPDATE es_domains SET text = text || ' '", "the domain text number 1 has not the digest"),
        ("UPDATE es_domains SET digest = 'x'", "the domain text number 1 has not the digest"),
        ("DELETE FROM es_domains", "the domain text that decided it is missing"),
        ("UPDATE es_types SET name = 'Gifted' WHERE name = 'Deposited'", "version 2 of `account/ada`, `Gifted`"),
        ("UPDATE es_types SET aggregate = 'bank' WHERE id = 1", "its type is one of the aggregate `bank`"),
        ("INSERT INTO es_types VALUES (3, 'account', 'Spare')", "no event has the type number 3, `Spare`"),
        ("UPDATE es_streams SET name = 'account/eve' WHERE id = 1", "version 1 of `account/eve`"),
        ("UPDATE es_streams SET name = 'nothing' WHERE id = 1", "the stream `nothing`, number 1: a stream is named"),
        ("UPDATE es_streams SET aggregate = 'x' WHERE id = 1", "it is filed under the aggregate `x`"),
        (
            "INSERT INTO es_streams VALUES (4, 'account/dee', 'account')",
            "`account/dee`, number 4: no command and no event",
        ),
        ("UPDATE es_store SET value = 'another' WHERE key = 'id'", "the event at @1, version 1"),
        (
            "INSERT INTO es_generations VALUES (1, 'p', 'd', 0, 'served', 0); PRAGMA ignore_check_constraints = ON; \
             UPDATE es_generations SET state = 'odd'",
            "SQLite's integrity check: CHECK constraint failed in es_generations",
        ),
    ] {
        let outcome = tampered(&folder, sql);
        assert!(outcome.exit == 6 && outcome.stdout.contains(named), "{sql}\nis to name: {named}\n{outcome}");
        assert!(outcome.stderr.contains("`tampered.db` is damaged: "), "{sql}\n{outcome}");
    }
}

#[test]
fn what_is_sent_meanwhile_alarms_nobody() {
    let (folder, _) = filled(3);
    let sent = scaled(3_000, 100_000);
    let deposits: String = (0..sent).fold(String::new(), |mut lines, n| {
        let to = n % 50;
        let command =
            if n < 50 { r#""Open","data":{"owner":"O","currency":"EUR"}"# } else { r#""Deposit","data":{"amount":1}"# };
        writeln!(lines, r#"{{"stream":"account/new-{to}","command":{command},"id":"new-{n}"}}"#).unwrap();
        lines
    });
    folder.write("more.ndjson", deposits);
    let script = "esctl send --batch more.ndjson --group 3 >/dev/null 2>&1 & sending=$!\n\
                  while kill -0 $sending; do esctl verify || exit 9; done 2>/dev/null\n\
                  wait $sending && esctl verify";
    let outcome = folder.bash(script).exits(0);
    assert!(outcome.stdout.contains(&format!(" {}\n", with_comma(6 + sent))), "{outcome}");
    assert!(outcome.stdout.matches("checked      events ").count() > 1, "{outcome}");
}

fn with_comma(number: usize) -> String {
    format!("{},{:03}", number / 1000, number % 1000)
}

#[test]
fn many_findings_are_counted() {
    let (folder, _) = filled(150);
    tampered(&folder, "UPDATE es_store SET value = 'another'").exits(6).prints("damaged      more      53 findings");
    folder.esctl("verify --store tampered.db -o json").exits(6).prints(r#""more":53,"#).says("153 findings, the first");
}

#[test]
fn what_is_expected_is_receipts() {
    let folder = Folder::opened();
    let rejected = folder.esctl("send account/ada Withdraw amount=100 -o json").exits(1).stdout;
    folder.esctl_with("verify --expect -", &rejected).exits(0).prints("receipts  1\n");
    let zeros = "0".repeat(64);
    let claim = |position: u64| format!(r#"verify --expect '{{"position":{position},"head":"{zeros}"}}'"#);
    folder.esctl(&claim(0)).exits(0);
    folder.esctl(&claim(1)).exits(6).says("the event at @1 has another hash");
    let error = r#"{"line":1,"outcome":"error","exit":2,"message":"no"}"#;
    folder.esctl_with("verify --expect -", error).exits(2).says("stdin holds no receipt");
    let rehearsal = folder.esctl("send account/ada Deposit amount=1 --dry-run -o json").done();
    folder
        .esctl_with("verify --expect -", rehearsal)
        .exits(2)
        .says("number 1 in stdin is no receipt: it is of a dry run");
    for wrong in ["{}", "7", "{\"position\":1", r#"{"position":1,"head":"abc"}"#, r#"{"position":-1,"head":"abc"}"#] {
        folder.esctl_with("verify --expect -", wrong).exits(2).says("number 1 in stdin is no receipt");
    }
    folder.esctl("verify --expect nowhere.json").exits(2).says("`nowhere.json` cannot be read");
    // The command is looked for as well as the hash.
    let receipt = folder.esctl("send account/ada Deposit amount=1 --id mine -o json").done();
    let other = receipt.replace("mine", "other");
    folder.esctl_with("verify --expect -", other).exits(6).says("the command `other` is not in the store");
}

#[test]
fn a_view_that_shows_something_else_is_found() {
    let (folder, _) = filled(3);
    let changed = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'c.actor', '''eve'' AS actor') \
                   WHERE name = 'commands'";
    tampered(&folder, changed).exits(6).prints("the view `commands` is not defined as it was made");
    tampered(&folder, "DROP VIEW commands; CREATE VIEW commands AS SELECT 1 AS id")
        .exits(6)
        .prints("the view `commands` is not defined as it was made");
    tampered(&folder, "CREATE VIEW mine AS SELECT * FROM events; CREATE TABLE notes (a)").exits(0);
}
