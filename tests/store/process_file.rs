//! Processes in the file: what is changed by hand is refused or found, and other connections and earlier formats.

use super::processes::{busy, filled, info, keep, nothing_is_there, outgoing, stopped};
use super::*;
use crate::support::sources;
use rusqlite::Connection;

/// A store in a file with [`busy`] in it.
fn busy_file() -> (TempDir, PathBuf) {
    let (folder, path) = place();
    let mut subject = Subject { folder: None, wrapped: false, store: Some(Box::new(open(&path))) };
    busy(filled(&mut subject));
    (folder, path)
}

/// Whatever is changed by hand contradicts something, and `verify` tells.
#[test]
fn what_contradicts_the_rest_is_found() {
    let a = "the instance \"a\" of the process `transfers`";
    let says = |table: &str| format!("{a}: what `{table}` repeats of it is not what it says");
    let no_guard = "DROP TRIGGER es_steps_insert; DROP TRIGGER es_steps_update; DROP TRIGGER es_steps_delete;";
    for (change, expected) in [
        (
            "UPDATE es_instances SET steps = 4 WHERE id = 1",
            vec![format!("{a}: its last step has the number 3, and it says 4")],
        ),
        ("DELETE FROM es_steps WHERE number = 3", vec![format!("{a}: its last step has the number 2, and it says 3")]),
        ("DELETE FROM es_steps WHERE number = 2", vec![format!("{a}: its 2 steps have not the numbers from 1 on")]),
        (
            "DELETE FROM es_steps WHERE number = 1 AND kind = 'event'",
            vec![format!("{a}: its 2 steps have not the numbers from 1 on")],
        ),
        (
            "UPDATE es_steps SET command = 'lost' WHERE command = 'c2'",
            vec![
                "the step 2 of the instance \"a\" of `transfers` sent the command `lost`, which is not in the store"
                    .into(),
            ],
        ),
        (
            "DROP INDEX es_steps_sent; UPDATE es_steps SET command = 'c2' WHERE command = 'in vain'",
            vec!["the step 3 of the instance \"a\" of `transfers` sent the command `c2`, which was sent before".into()],
        ),
        (
            "UPDATE es_processes SET checkpoint = 4 WHERE name = 'transfers'",
            vec!["the process `transfers` has routed up to @4, and the store ends at @3".into()],
        ),
        ("UPDATE es_outgoing SET held = 1 WHERE id = '\"a\"'", vec![says("es_outgoing")]),
        ("UPDATE es_waiting SET held = 1 WHERE key = '\"a\"'", vec![says("es_waiting")]),
        ("UPDATE es_waiting SET process = 2 WHERE key = '\"a\"'", vec![says("es_waiting")]),
        ("UPDATE es_waiting SET key = '1' WHERE key = '\"a\"'", vec![says("es_waiting")]),
        ("UPDATE es_deadlines SET held = 1 WHERE id = 1", vec![says("es_deadlines")]),
        ("UPDATE es_deadlines SET process = 2 WHERE id = 1", vec![says("es_deadlines")]),
        (
            "UPDATE es_instances SET stopped = 'by hand', held = 1 WHERE id = 1",
            vec![says("es_outgoing"), says("es_waiting"), says("es_deadlines")],
        ),
        (
            "UPDATE es_outgoing SET instance = 9 WHERE number = 1",
            vec!["row 1 of `es_outgoing` refers to a row of `es_instances` that is missing".into()],
        ),
        (
            "UPDATE es_waiting SET instance = 9 WHERE key = '\"a\"'",
            vec!["row 0 of `es_waiting` refers to a row of `es_instances` that is missing".into()],
        ),
        (
            "UPDATE es_deadlines SET instance = 9 WHERE id = 1",
            vec!["row 1 of `es_deadlines` refers to a row of `es_instances` that is missing".into()],
        ),
        (
            "DELETE FROM es_processes WHERE name = 'reminders'",
            vec!["row 3 of `es_instances` refers to a row of `es_processes` that is missing".into()],
        ),
        (
            "UPDATE es_instances SET key = CAST(x'22ff22' AS TEXT) WHERE process = 2",
            vec![
                "the instances of processes cannot be read: invalid utf-8 sequence of 1 bytes from index 1 at index 2"
                    .into(),
            ],
        ),
    ] {
        let (_folder, path) = busy_file();
        let sound = open(&path).verify(Position(0), &mut |_, _| {}).unwrap().findings;
        Connection::open(&path)
            .unwrap()
            .execute_batch(&format!("PRAGMA foreign_keys = OFF; {no_guard} {change}"))
            .unwrap();
        let found = open(&path).verify(Position(0), &mut |_, _| {}).unwrap().findings;
        let new: Vec<_> =
            found.into_iter().filter(|finding| !sound.contains(finding)).map(|finding| finding.words).collect();
        assert_eq!(new, expected, "{change}");
    }
}

/// Steps are never changed or removed, also not by REPLACE; what is right is let through.
#[test]
fn the_file_guards_steps() {
    let (_folder, path) = busy_file();
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = OFF").unwrap();
    let add = |id: u64, instance: u64, number: u64, kind: &str, command: &str| {
        let values = format!("{id}, {instance}, {number}, '{kind}', 1, NULL, NULL, '{command}', NULL, NULL");
        format!("REPLACE INTO es_steps VALUES ({values})")
    };
    let added = "a step is added with the next number, and a command is sent once";
    for (attempt, expected) in [
        ("DELETE FROM es_steps".to_owned(), "a stored step is never removed"),
        ("UPDATE es_steps SET data = NULL".to_owned(), "a stored step is never changed"),
        ("REPLACE INTO es_steps SELECT * FROM es_steps".to_owned(), added),
        (add(4, 1, 4, "event", "x"), added),
        (add(6, 1, 4, "event", "x"), added),
        (add(5, 1, 3, "event", "x"), added),
        (add(5, 1, 5, "event", "x"), added),
        (add(5, 1, 4, "sent", "c2"), added),
        (
            add(5, 1, 4, "made up", "x"),
            "CHECK constraint failed: kind IN\n        ('event', 'sent', 'rejected', 'deadline', 'ended', 'stopped', 'skipped', 'retried')",
        ),
    ] {
        let words = raw.execute_batch(&attempt).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(words.contains(expected), "{attempt}: {words}");
    }
    raw.execute_batch(&format!("BEGIN; {}; {}; ROLLBACK", add(5, 1, 4, "sent", "c9"), add(6, 2, 2, "rejected", "c2")))
        .unwrap();
}

/// Who does not know yet what is done sees nothing of it, and then all.
#[test]
fn another_connection_sees_what_was_committed() {
    let (_folder, path) = place();
    let mut subject = Subject { folder: None, wrapped: false, store: Some(Box::new(open(&path))) };
    let store = filled(&mut subject);
    let mut other = open(&path);
    let before = process_dump(&mut other);
    store.begin().unwrap();
    store.keep(&ProcessChange::Send(outgoing("transfers", "\"a\"", "x1"))).unwrap();
    store.keep(&ProcessChange::Instance(stopped("transfers", "\"b\""))).unwrap();
    let changed = process_dump(store);
    assert_ne!(changed, before);
    assert_eq!(process_dump(&mut other), before);
    store.commit().unwrap();
    assert_eq!(process_dump(&mut other), changed);
}

/// A store of a format that knew of no processes is read as it is, and says that it has none.
#[test]
fn a_store_of_an_earlier_format_has_no_processes() {
    let (_folder, path) = place();
    std::fs::copy(sources().join("tests/fixtures/format-4/esctl.db"), &path).unwrap();
    let mut store = SqliteStore::open(&path, Options::new(Access::Read)).unwrap();
    assert!(store.head().unwrap().position > Position(0));
    nothing_is_there(&mut store);
    assert_eq!(store.verify(Position(0), &mut |_, _| {}).unwrap().findings, []);
    drop(store);
    // Brought up, it can keep them.
    let mut store = SqliteStore::open(&path, Options::new(Access::Write)).unwrap();
    nothing_is_there(&mut store);
    keep(&mut store, [ProcessChange::Process(info("transfers", 34))]);
    assert_eq!(store.process("transfers").unwrap(), Some(info("transfers", 34)));
    assert_eq!(store.verify(Position(0), &mut |_, _| {}).unwrap().findings, []);
}
