//! What every store promises about snapshots, and what the file does with those that are not what was kept.

use super::contract::on_every_store;
use super::*;
use esctl::event::Version;
use esctl::store::{Snapshot, SnapshotInfo};
use rusqlite::Connection;

on_every_store!(
    the_latest_at_or_below_is_found,
    a_snapshot_goes_with_its_turn,
    other_rules_take_the_place_of_those_before,
    one_in_place_of_another,
    all_of_a_stream_are_removed,
    they_are_listed_in_pages,
    what_is_kept_is_of_an_event_that_is_there,
    outside_a_turn_nothing_is_kept,
    what_was_kept_verifies,
);

/// A stream of ten events, one a microsecond, and another of one.
fn filled(subject: &mut Subject) -> &mut dyn Store {
    let store = subject.store();
    send(store, "first", 1, &[("account/bob", "Opened")]);
    for n in 1..=10 {
        send(store, &format!("c{n}"), n, &[("account/ada", "Happened")]);
    }
    store
}

fn keep(store: &mut dyn Store, to: &str, digest: &str, version: u64) {
    store.begin().unwrap();
    store.keep_snapshot(&stream(to), digest, Version(version), &state(version)).unwrap();
    store.commit().unwrap();
}

fn state(version: u64) -> String {
    format!("{{\"count\":{version},\"note\":\"ä\\u0000\"}}")
}

/// The version of the latest one.
fn latest(store: &mut dyn Store, to: &str, digest: &str, until: u64) -> Option<u64> {
    store.snapshot(&stream(to), digest, Version(until)).unwrap().map(|found| found.version.0)
}

fn all(store: &mut dyn Store, to: &str) -> Vec<(String, u64)> {
    let found = store.snapshots(&stream(to), None, 100).unwrap();
    found.into_iter().map(|info| (info.digest.to_string(), info.version.0)).collect()
}

fn the_latest_at_or_below_is_found(subject: &mut Subject) {
    let store = filled(subject);
    assert_eq!(latest(store, "account/ada", "d1", 10), None);
    keep(store, "account/ada", "d1", 4);
    keep(store, "account/ada", "d1", 8);
    keep(store, "account/bob", "d1", 1);
    for (until, found) in
        [(0, None), (3, None), (4, Some(4)), (7, Some(4)), (8, Some(8)), (10, Some(8)), (u64::MAX, Some(8))]
    {
        assert_eq!(latest(store, "account/ada", "d1", until), found, "at or below {until}");
    }
    assert_eq!(latest(store, "account/ada", "d2", 10), None);
    assert_eq!(latest(store, "none/1", "d1", 10), None);
    let found = store.snapshot(&stream("account/ada"), "d1", Version(5)).unwrap().unwrap();
    let expected = Snapshot { version: Version(4), position: Position(5), time: at(4), state: state(4).into() };
    assert_eq!(found, expected);
    subject.reopen();
    let found = subject.store().snapshot(&stream("account/ada"), "d1", Version(5)).unwrap();
    assert_eq!(found, Some(expected));
}

fn a_snapshot_goes_with_its_turn(subject: &mut Subject) {
    let store = filled(subject);
    keep(store, "account/ada", "d1", 4);
    store.begin().unwrap();
    append(store, &command("c11", "account/ada", 11), &[event("account/ada", "Happened")]).unwrap();
    store.keep_snapshot(&stream("account/ada"), "d2", Version(11), &state(11)).unwrap();
    store.keep_snapshot(&stream("account/bob"), "d3", Version(1), &state(1)).unwrap();
    assert_eq!(latest(store, "account/ada", "d2", 11), Some(11), "a turn sees what it kept");
    store.rollback();
    assert_eq!(all(store, "account/ada"), [("d1".to_owned(), 4)]);
    assert_eq!(all(store, "account/bob"), []);
    store.begin().unwrap();
    store.drop_snapshots(&stream("account/ada")).unwrap();
    assert_eq!(latest(store, "account/ada", "d1", 11), None);
    store.rollback();
    assert_eq!(latest(store, "account/ada", "d1", 11), Some(4));
    // The names of rules that came with the turn are forgotten as well.
    keep(store, "account/ada", "d3", 5);
    keep(store, "account/ada", "d2", 6);
    assert_eq!(all(store, "account/ada"), [("d2".to_owned(), 6)]);
}

fn other_rules_take_the_place_of_those_before(subject: &mut Subject) {
    let store = filled(subject);
    for version in [2, 4] {
        keep(store, "account/ada", "d1", version);
    }
    keep(store, "account/bob", "d1", 1);
    keep(store, "account/ada", "d2", 3);
    assert_eq!(all(store, "account/ada"), [("d2".to_owned(), 3)]);
    assert_eq!(all(store, "account/bob"), [("d1".to_owned(), 1)], "another stream is left alone");
    keep(store, "account/ada", "d2", 6);
    assert_eq!(all(store, "account/ada"), [("d2".to_owned(), 3), ("d2".to_owned(), 6)], "earlier ones stay");
    keep(store, "account/ada", "d1", 5);
    assert_eq!(all(store, "account/ada"), [("d1".to_owned(), 5)]);
}

fn one_in_place_of_another(subject: &mut Subject) {
    let store = filled(subject);
    keep(store, "account/ada", "d1", 4);
    store.begin().unwrap();
    store.keep_snapshot(&stream("account/ada"), "d1", Version(4), "{}").unwrap();
    store.commit().unwrap();
    let found = store.snapshot(&stream("account/ada"), "d1", Version(9)).unwrap().unwrap();
    assert_eq!((found.version, &*found.state), (Version(4), "{}"));
    assert_eq!(store.snapshots(&stream("account/ada"), None, 9).unwrap()[0].bytes, 2);
}

fn all_of_a_stream_are_removed(subject: &mut Subject) {
    let store = filled(subject);
    for version in [2, 4] {
        keep(store, "account/ada", "d1", version);
    }
    keep(store, "account/bob", "d1", 1);
    store.begin().unwrap();
    for name in ["account/ada", "none/1"] {
        store.drop_snapshots(&stream(name)).unwrap();
    }
    store.commit().unwrap();
    assert_eq!(all(store, "account/ada"), []);
    assert_eq!(all(store, "account/bob"), [("d1".to_owned(), 1)]);
}

fn they_are_listed_in_pages(subject: &mut Subject) {
    let store = filled(subject);
    keep(store, "account/bob", "d0", 1);
    for version in [9, 2, 4, 6] {
        keep(store, "account/ada", "d1", version);
    }
    let ada = stream("account/ada");
    let whole = store.snapshots(&ada, None, 100).unwrap();
    assert_eq!(whole.iter().map(|info| info.version.0).collect::<Vec<_>>(), [2, 4, 6, 9]);
    let first =
        SnapshotInfo { stream: ada.clone(), version: Version(2), digest: "d1".into(), bytes: state(2).len() as u64 };
    assert_eq!(whole[0], first);
    let mut paged = store.snapshots(&ada, None, 3).unwrap();
    paged.extend(store.snapshots(&ada, paged.last().cloned().as_ref(), 3).unwrap());
    assert_eq!(paged, whole);
    assert_eq!(store.snapshots(&stream("none/1"), None, 3).unwrap(), []);
}

fn what_is_kept_is_of_an_event_that_is_there(subject: &mut Subject) {
    let store = filled(subject);
    store.begin().unwrap();
    for (name, version) in [("account/ada", 0), ("account/ada", 11), ("none/1", 1), ("none/1", 0)] {
        let outcome = store.keep_snapshot(&stream(name), "d1", Version(version), "{}");
        assert!(matches!(outcome, Err(StoreError::Misuse(_))), "{name} {version}: {outcome:?}");
    }
    // Nothing was begun: the turn goes on.
    store.keep_snapshot(&stream("account/ada"), "d1", Version(10), "{}").unwrap();
    store.commit().unwrap();
    assert_eq!(latest(store, "account/ada", "d1", 10), Some(10));
}

fn outside_a_turn_nothing_is_kept(subject: &mut Subject) {
    let store = filled(subject);
    let kept = store.keep_snapshot(&stream("account/ada"), "d1", Version(1), "{}");
    assert!(matches!(kept, Err(StoreError::Misuse(_))), "{kept:?}");
    let dropped = store.drop_snapshots(&stream("account/ada"));
    assert!(matches!(dropped, Err(StoreError::Misuse(_))), "{dropped:?}");
    assert_eq!(all(store, "account/ada"), []);
}

fn what_was_kept_verifies(subject: &mut Subject) {
    let store = filled(subject);
    keep(store, "account/ada", "d1", 4);
    keep(store, "account/bob", "d2", 1);
    let verified = store.verify(Position(0), &mut |_, _| {}).unwrap();
    assert_eq!((verified.snapshots, verified.spoilt), (2, vec![]));
    let since = store.verify(Position(5), &mut |_, _| {}).unwrap();
    assert_eq!(since.snapshots, 0, "what begins later leaves them out");
}

/// Whatever is changed by hand: it is passed over, an earlier one is used, and `verify` tells.
#[test]
fn what_is_not_what_was_kept_is_passed_over() {
    for (change, what) in [
        ("UPDATE es_snapshots SET state = '{\"count\":9}' WHERE version = 8", "its hash is not that of what was kept"),
        ("UPDATE es_snapshots SET hash = x'00' WHERE version = 8", "its hash is not that of what was kept"),
        ("UPDATE es_snapshots SET version = 9 WHERE version = 8", "its hash is not that of what was kept"),
        ("UPDATE es_snapshots SET version = 99 WHERE version = 8", "there is no such event"),
        (
            "UPDATE es_folds SET digest = 'd3' WHERE digest = 'd2'; \
          UPDATE es_snapshots SET fold = (SELECT id FROM es_folds WHERE digest = 'd3') WHERE version = 8",
            "its hash is not that of what was kept",
        ),
        // Text that is none.
        (
            "UPDATE es_snapshots SET state = CAST(x'22ff22' AS TEXT) WHERE version = 8",
            "its hash is not that of what was kept",
        ),
    ] {
        let (_folder, path) = place();
        let mut subject = Subject { folder: None, wrapped: false, store: Some(Box::new(open(&path))) };
        let store = filled(&mut subject);
        keep(store, "account/bob", "d2", 1);
        keep(store, "account/ada", "d1", 4);
        keep(store, "account/ada", "d1", 8);
        let sound = store.verify(Position(0), &mut |_, _| {}).unwrap();
        drop(subject);
        Connection::open(&path).unwrap().execute_batch(change).unwrap();
        let mut store = open(&path);
        assert_eq!(latest(&mut store, "account/ada", "d1", 10), Some(4), "{change}");
        assert_eq!(latest(&mut store, "account/ada", "d3", 10), None, "{change}");
        let verified = store.verify(Position(0), &mut |_, _| {}).unwrap();
        let told: Vec<_> = verified.spoilt.iter().map(|finding| &*finding.words).collect();
        assert_eq!(verified.findings, sound.findings, "{change}: it is no damage");
        assert!(
            told.iter().any(|words| words.starts_with("the snapshot of `account/ada`") && words.ends_with(what)),
            "{told:?}"
        );
        // Keeping another one there mends it.
        keep(&mut store, "account/ada", "d1", 8);
        assert_eq!(latest(&mut store, "account/ada", "d1", 8), Some(8));
    }
}

/// The lookup goes straight to what it looks for, however many there are.
#[test]
fn the_latest_is_one_look_into_an_index() {
    let (_folder, path) = place();
    drop(open(&path));
    let raw = Connection::open(&path).unwrap();
    let mut statement = raw
        .prepare(
            "EXPLAIN QUERY PLAN SELECT n.state, e.hash FROM es_snapshots n CROSS JOIN es_events e \
             ON e.stream = n.stream AND e.version = n.version \
             WHERE n.stream = 1 AND n.fold = 1 AND n.version <= 9 ORDER BY n.version DESC",
        )
        .unwrap();
    let plan: Vec<String> = statement.query_map([], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
    assert_eq!(
        plan,
        [
            "SEARCH n USING PRIMARY KEY (stream=? AND fold=? AND version<?)",
            "SEARCH e USING INDEX sqlite_autoindex_es_events_1 (stream=? AND version=?)",
        ]
    );
}
