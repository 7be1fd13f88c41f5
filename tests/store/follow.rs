//! Waiting for what is committed to a store.

use super::{open, place, send};
use esctl::store::sqlite::follow::{Changes, Woken};
use esctl::store::sqlite::{Access, Options, SqliteStore};
use esctl::store::{Store, StoreError};
use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

const OPENED: &[(&str, &str)] = &[("account/ada", "Opened")];

/// Waits until something is told.
fn woken(changes: &mut Changes) -> Woken {
    loop {
        match changes.wait(None).unwrap() {
            Woken::Idle => {}
            woken => return woken,
        }
    }
}

/// Waits until it fails.
fn fails(changes: &mut Changes) -> StoreError {
    loop {
        if let Err(error) = changes.wait(None) {
            return error;
        }
    }
}

fn changes(path: &Path) -> Changes {
    Changes::open(path, Duration::from_secs(5)).unwrap()
}

#[test]
fn a_commit_is_told_once() {
    let (_folder, path) = place();
    let mut store = open(&path);
    let mut changes = changes(&path);
    assert!(!changes.look().unwrap());
    send(&mut store, "a", 1, OPENED);
    assert_eq!(woken(&mut changes), Woken::Changed);
    assert_eq!(changes.wait(Some(Duration::ZERO)).unwrap(), Woken::Idle);
    // What was committed before it waits is told as well.
    send(&mut store, "b", 2, OPENED);
    assert!(changes.look().unwrap());
    assert!(!changes.look().unwrap());
    // Nothing is told of what is not committed.
    store.begin().unwrap();
    store.rollback();
    assert!(!changes.look().unwrap());
}

#[test]
fn it_sleeps_until_something_is_committed() {
    let (_folder, path) = place();
    let mut store = open(&path);
    let mut changes = changes(&path);
    // Nobody else comes: the time is up, however often the interval has grown.
    assert_eq!(changes.wait(Some(Duration::ZERO)).unwrap(), Woken::Idle);
    for number in 0..20 {
        thread::scope(|scope| {
            let waiting = scope.spawn(|| woken(&mut changes));
            send(&mut store, &format!("c{number}"), 1, OPENED);
            assert_eq!(waiting.join().unwrap(), Woken::Changed);
        });
        // The rest of what the kernel told of it is no news.
        assert!(!changes.look().unwrap());
    }
}

#[test]
fn the_log_that_is_removed_and_made_anew_is_watched_again() {
    let (_folder, path) = place();
    drop(open(&path));
    let mut changes = changes(&path);
    for number in 0..3 {
        let mut store = open(&path);
        send(&mut store, &format!("c{number}"), 1, OPENED);
        drop(store);
        assert_eq!(woken(&mut changes), Woken::Changed);
    }
}

#[test]
fn who_waits_keeps_nobody_from_cleaning_up() {
    let (_folder, path) = place();
    let mut store = open(&path);
    let mut changes = changes(&path);
    send(&mut store, "a", 1, OPENED);
    assert!(changes.look().unwrap());
    let log = path.with_extension("db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 0);
    let other = rusqlite::Connection::open(&path).unwrap();
    let busy: i64 = other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
    assert_eq!((busy, fs::metadata(&log).unwrap().len()), (0, 0));
    // That nothing was committed by it, only copied, may be told or not; then all is as before.
    let _ = changes.look().unwrap();
    send(&mut store, "b", 2, OPENED);
    assert_eq!(woken(&mut changes), Woken::Changed);
}

#[test]
fn who_waits_last_closes_as_others_do() {
    let (folder, path) = place();
    let mut store = open(&path);
    let changes = changes(&path);
    send(&mut store, "a", 1, OPENED);
    drop(store);
    drop(changes);
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["esctl.db", "esctl.db-turn"]);
}

#[test]
fn there_must_be_a_store() {
    let (_folder, path) = place();
    assert!(matches!(Changes::open(&path, Duration::ZERO), Err(StoreError::Missing(_))));
    fs::write(&path, "no store").unwrap();
    assert!(matches!(Changes::open(&path, Duration::ZERO), Err(StoreError::NotAStore(_))));
}

#[cfg(unix)]
#[test]
fn another_file_in_its_place_is_an_error() {
    let (folder, path) = place();
    let mut store = open(&path);
    send(&mut store, "a", 1, OPENED);
    drop(store);
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    let mut replaced = changes(&path);
    fs::rename(&copy, &path).unwrap();
    let says = |error: StoreError, words: &str| {
        assert!(matches!(error, StoreError::Unavailable(_)));
        assert!(error.to_string().ends_with(words), "{error}");
    };
    says(fails(&mut replaced), "was replaced by another file while it was followed");
    // The log has the name of the new one's: it is left alone.
    let log = path.with_extension("db-wal");
    assert!(log.exists());
    drop(replaced);
    assert!(log.exists());
    let mut gone = changes(&path);
    fs::remove_file(&path).unwrap();
    says(fails(&mut gone), "was taken away while it was followed");
}

#[cfg(unix)]
#[test]
fn another_history_in_the_same_file_is_an_error() {
    let (folder, path) = place();
    let mut store = open(&path);
    send(&mut store, "a", 1, OPENED);
    drop(store);
    let copy = folder.path().join("copy.db");
    fs::copy(&path, &copy).unwrap();
    // The one goes on in another way than the other, and gets as far.
    for (file, id) in [(&path, "b"), (&copy, "c")] {
        let mut store = open(file);
        send(&mut store, id, 2, OPENED);
    }
    let mut changes = changes(&path);
    fs::write(&path, fs::read(&copy).unwrap()).unwrap();
    let mut store = SqliteStore::open(&path, Options::new(Access::Write)).unwrap();
    send(&mut store, "d", 3, OPENED);
    let error = fails(&mut changes);
    assert!(error.to_string().ends_with("was given another history while it was followed"), "{error}");
}

#[cfg(unix)]
#[test]
fn who_is_not_read_any_more_is_woken() {
    let (_folder, path) = place();
    let mut store = open(&path);
    let mut changes = changes(&path);
    let (reader, writer) = std::io::pipe().unwrap();
    changes.until_unread(writer.into());
    send(&mut store, "a", 1, OPENED);
    assert_eq!(woken(&mut changes), Woken::Changed);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| woken(&mut changes));
        drop(reader);
        assert_eq!(waiting.join().unwrap(), Woken::Closed);
    });
}

#[test]
fn many_writers_wake_it_until_the_last_commit() {
    let (_folder, path) = place();
    drop(open(&path));
    let mut changes = changes(&path);
    let mut reading = SqliteStore::open(&path, Options::new(Access::Read)).unwrap();
    thread::scope(|scope| {
        for writer in 0..4 {
            let path = &path;
            scope.spawn(move || {
                let mut store = open(path);
                for number in 0..25 {
                    send(&mut store, &format!("{writer}-{number}"), 1, OPENED);
                }
            });
        }
        // Without a last wake this would wait for ever.
        while reading.head().unwrap().position.0 < 100 {
            changes.wait(None).unwrap();
        }
    });
}
