//! What only the SQLite file promises: what it refuses, what others see in it, and what happens between processes.

use super::*;
use esctl::event::Version;
use esctl::store::RowChange;
use rusqlite::Connection;
use std::fs;
use std::sync::Barrier;
use std::time::Duration;

fn read(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path, Options::new(Access::Read))
}

/// The words with which a file is refused, whatever it is opened for; it is left as it is.
fn refused(path: &Path) -> String {
    let before = fs::read(path).ok();
    let mut all = Vec::new();
    for access in [Access::Create(ID.into()), Access::Write, Access::Read] {
        match SqliteStore::open(path, Options::new(access)) {
            Err(StoreError::NotAStore(words)) => all.push(words),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(fs::read(path).ok(), before);
    all.dedup();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0).replace(path.to_str().unwrap(), "PATH")
}

#[test]
fn what_is_no_store_is_refused_in_words() {
    let (folder, path) = place();
    assert_eq!(refused(folder.path()), format!("`{}` is a folder, not an esctl store", "PATH"));
    fs::write(&path, "kind: domain\n".repeat(100)).unwrap();
    assert_eq!(refused(&path), "`PATH` is not a SQLite file, so it is no esctl store");
    fs::write(&path, "x").unwrap();
    assert_eq!(refused(&path), "`PATH` is not a SQLite file, so it is no esctl store");

    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE mine (a)").unwrap();
    assert_eq!(refused(&path), "`PATH` is a SQLite file of another program, not an esctl store");
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().pragma_update(None, "application_id", 7).unwrap();
    assert_eq!(refused(&path), "`PATH` is a SQLite file of another program, not an esctl store");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was put beside it");
}

#[test]
fn a_newer_format_is_refused_in_words() {
    let (_folder, path) = place();
    drop(open(&path));
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 6).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "DROP TRIGGER es_store_update; UPDATE es_store SET value = '6' WHERE key IN ('reader', 'writer')",
        )
        .unwrap();
    assert_eq!(
        refused(&path),
        "`PATH` was written by a newer esctl: its format is 6, this esctl knows 5; use a newer one"
    );
}

#[test]
fn the_file_says_what_it_is() {
    let (_folder, path) = place();
    drop(open(&path));
    let bytes = fs::read(&path).unwrap();
    assert_eq!(&bytes[68..72], b"esct");
    assert_eq!(bytes[60..64], [0, 0, 0, 5]);
    let raw = Connection::open(&path).unwrap();
    let mode: String = raw.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}

#[test]
fn where_there_is_no_store_only_create_makes_one() {
    let (folder, path) = place();
    for access in [Access::Write, Access::Read] {
        match SqliteStore::open(&path, Options::new(access)) {
            Err(StoreError::Missing(words)) => assert_eq!(words, format!("there is no store at `{}`", path.display())),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    let far = folder.path().join("none").join("esctl.db");
    match SqliteStore::open(&far, Options::new(Access::Create(ID.into()))) {
        Err(StoreError::Unavailable(words)) => assert_eq!(
            words,
            format!(
                "`{}` cannot be made: there is no folder `{}`",
                far.display(),
                folder.path().join("none").display()
            )
        ),
        other => panic!("{other:?}"),
    }

    // An empty file is what a killed process may leave of a new store.
    fs::write(&path, "").unwrap();
    let Err(StoreError::NotAStore(words)) = read(&path) else { panic!("an empty file is no store") };
    assert_eq!(words, format!("`{}` is an empty file, not an esctl store", path.display()));
    assert_eq!(open(&path).id(), ID);
    assert_eq!(read(&path).unwrap().id(), ID);
    let other = SqliteStore::open(&path, Options::new(Access::Create("another".into()))).unwrap();
    assert_eq!(other.id(), ID, "the id is the one it was made with");
}

#[test]
fn a_name_that_sqlite_reads_otherwise_is_a_file_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["file:esctl.db?mode=memory", ":memory:", "a%20b.db"] {
        let path = folder.path().join(name);
        send(&mut open(&path), "c1", 1, &[("account/ada", "Opened")]);
        assert_eq!(everything(&mut open(&path)).len(), 1);
        assert!(path.is_file());
    }
}

#[test]
fn a_store_opened_for_reading_is_not_written() {
    let (_folder, path) = place();
    send(&mut open(&path), "c1", 1, &[("account/ada", "Opened")]);
    let mut store = read(&path).unwrap();
    assert_eq!(everything(&mut store).len(), 1);
    let table = table("balances", ColumnKind::Text, "d1");
    for outcome in [store.begin(), store.build(&table).map(|_| ()), store.abandon("balances")] {
        let Err(StoreError::Misuse(words)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(words, format!("`{}` was opened only for reading", path.display()));
    }
    // It sees what others store while it is open.
    send(&mut open(&path), "c2", 1, &[("account/ada", "Closed")]);
    assert_eq!(everything(&mut store).len(), 2);
}

#[test]
fn others_cannot_change_what_is_stored_by_accident() {
    let (_folder, path) = place();
    let mut store = open(&path);
    send(&mut store, "c1", 1, &[("account/ada", "Opened"), ("account/bob", "Opened")]);
    send(&mut store, "c2", 2, &[("account/ada", "Closed")]);
    let before = everything(&mut store);
    drop(store);
    let raw = Connection::open(&path).unwrap();
    // As a tool would that knows nothing of us.
    raw.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = OFF").unwrap();
    let tables = ["es_store", "es_streams", "es_types", "es_domains", "es_commands", "es_events"];
    let mut attempts = Vec::new();
    for table in tables {
        let column: String =
            raw.query_row("SELECT name FROM pragma_table_info(?1) LIMIT 1", [table], |row| row.get(0)).unwrap();
        attempts.push(format!("DELETE FROM {table}"));
        attempts.push(format!("UPDATE {table} SET {column} = {column}"));
        // Every row again, as it is: REPLACE would remove the old one without an UPDATE or a DELETE.
        for verb in ["INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE", "INSERT"] {
            attempts.push(format!("{verb} INTO {table} SELECT * FROM {table}"));
        }
    }
    let event = |position: &str, stream: i32, version: i32| {
        format!("REPLACE INTO es_events VALUES ({position}, {stream}, {version}, 1, 1, 9, 1, x'00', '{{}}')")
    };
    attempts.push(event("5", 1, 3));
    attempts.push(event("NULL", 1, 3));
    attempts.push(event("4", 1, 2));
    attempts.push(event("4", 1, 4));
    attempts.push(event("0", 3, 1));
    // The next number, but a name that is there: REPLACE would remove its row.
    attempts.push("REPLACE INTO es_streams VALUES (3, 'account/ada', 'account')".into());
    attempts.push("REPLACE INTO es_types VALUES (3, 'account', 'Opened')".into());
    attempts.push("REPLACE INTO es_domains VALUES (2, 'digest-1', 'other text')".into());
    attempts.push(
        "REPLACE INTO es_commands SELECT 3, command_id, stream, name, time, domain, first, events, actor, \
        correlation, causation, meta, data FROM es_commands WHERE id = 1"
            .into(),
    );
    for attempt in attempts {
        let outcome = raw.execute_batch(&attempt);
        let words = outcome.err().map(|error| error.to_string()).unwrap_or_default();
        let ours = ["a stored ", "an event is added", "is added once", "what a store is"];
        assert!(ours.iter().any(|known| words.contains(known)), "{attempt}: {words:?}");
    }
    // The guard lets through what is right, or it would prove nothing.
    raw.execute_batch(&format!("BEGIN; {}; ROLLBACK", event("4", 1, 3))).unwrap();
    drop(raw);
    assert_eq!(everything(&mut open(&path)), before);
}

#[test]
fn two_connections_continue_each_other() {
    let (_folder, path) = place();
    let (mut one, mut two) = (open(&path), open(&path));
    for n in 0..6 {
        let (writer, reader): (&mut SqliteStore, &mut SqliteStore) =
            if n % 2 == 0 { (&mut one, &mut two) } else { (&mut two, &mut one) };
        let own = format!("kind{n}/1");
        let given = send(writer, &format!("c{n}"), n, &[("account/ada", "Added"), (&own, "New")]);
        assert_eq!(given.first, Position(2 * n.cast_unsigned() + 1));
        assert_eq!(given.versions, [Version(n.cast_unsigned() + 1), Version(1)]);
        assert_eq!(reader.head().unwrap(), writer.head().unwrap());
        assert_eq!(everything(reader), everything(writer));
    }
    // What is not committed is not seen, and does not keep others from reading.
    one.begin().unwrap();
    append(&mut one, &command("x", "account/ada", 9), &[event("account/ada", "Added")]).unwrap();
    assert_eq!(everything(&mut two).len(), 12);
    one.rollback();
    // Nor by who rolled it back; and who goes on after itself knows how far it came.
    for n in 7..10 {
        assert_eq!(send(&mut one, &format!("y{n}"), 9, &[("account/ada", "Added")]).versions, [Version(n)]);
    }
}

#[test]
fn who_waits_in_vain_for_the_turn_is_told() {
    let (_folder, path) = place();
    let mut one = open(&path);
    let hasty = Options { busy: Duration::ZERO, ..Options::new(Access::Write) };
    let mut two = SqliteStore::open(&path, hasty).unwrap();
    one.begin().unwrap();
    let busy = format!("`{}` is busy: another process holds the write turn", path.display());
    let table = table("balances", ColumnKind::Text, "d1");
    for outcome in [two.begin(), two.build(&table).map(|_| ()), two.abandon("balances")] {
        let Err(StoreError::Busy(words)) = outcome else { panic!("two turns at once") };
        assert_eq!(words, busy);
    }
    assert!(matches!(two.commit(), Err(StoreError::Misuse(_))), "there is no turn");
    append(&mut one, &command("c1", "account/ada", 1), &[event("account/ada", "Opened")]).unwrap();
    one.commit().unwrap();
    assert_eq!(send(&mut two, "c2", 2, &[("account/ada", "Closed")]).first, Position(2));
}

/// Another program knows nothing of turns; SQLite's own lock stands behind them.
#[test]
fn who_waits_in_vain_for_another_program_is_told() {
    let (_folder, path) = place();
    let mut store = open(&path);
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();
    let hasty = Options { busy: Duration::from_millis(10), ..Options::new(Access::Write) };
    let mut two = SqliteStore::open(&path, hasty).unwrap();
    let Err(StoreError::Busy(words)) = two.begin() else { panic!("two turns at once") };
    assert_eq!(words, format!("`{}` is busy: another process holds it for more than 10 ms", path.display()));
    raw.execute_batch("ROLLBACK").unwrap();
    // Who was told has let go of the turn.
    send(&mut store, "c1", 1, &[("account/ada", "Opened")]);
    send(&mut two, "c2", 2, &[("account/ada", "Closed")]);
}

/// A turn ends with its rollback, its failure, and the connection that had it.
#[test]
fn a_turn_is_let_go_of_however_it_ends() {
    let (_folder, path) = place();
    let hasty = || SqliteStore::open(&path, Options { busy: Duration::ZERO, ..Options::new(Access::Write) }).unwrap();
    let mut one = open(&path);
    let mut two = hasty();
    one.begin().unwrap();
    one.rollback();
    two.begin().unwrap();
    drop(two);
    one.begin().unwrap();
    append(&mut one, &command("c1", "account/ada", 2), &[event("account/ada", "Opened")]).unwrap();
    append(&mut one, &command("c1", "account/ada", 2), &[event("account/ada", "Opened")]).unwrap_err();
    assert!(matches!(hasty().begin(), Err(StoreError::Busy(_))), "a refused append does not end the turn");
    one.commit().unwrap();
    let table = table("balances", ColumnKind::Text, "d1");
    let number = hasty().build(&table).unwrap().number;
    let overtaken = one.advance(&table, number, Position(1), Position(1), &[]);
    assert!(matches!(overtaken, Err(StoreError::Overtaken)), "{overtaken:?}");
    hasty().serve(&table, number, at(3)).unwrap();
    hasty().serve(&table, number, at(3)).unwrap();
    send(&mut hasty(), "c2", 3, &[("account/ada", "Closed")]);
}

/// When a commit returns, so has the checkpoint that it set off: it is over before the turn is.
#[test]
fn a_long_log_is_copied_within_the_turn() {
    let (_folder, path) = place();
    let mut store = open(&path);
    let large = NewEvent { data: format!("\"{}\"", "x".repeat(1_000_000)).into(), ..event("account/ada", "Added") };
    store.begin().unwrap();
    append(&mut store, &command("c1", "account/ada", 1), &vec![large; 20]).unwrap();
    assert!(fs::metadata(&path).unwrap().len() < 1_000_000);
    store.commit().unwrap();
    assert!(fs::metadata(&path).unwrap().len() > 20_000_000);
}

#[test]
fn many_writers_leave_no_gaps() {
    const WRITERS: usize = 8;
    const TURNS: usize = 25;
    let (_folder, path) = place();
    let start = Barrier::new(WRITERS);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (path, start) = (&path, &start);
            scope.spawn(move || {
                start.wait();
                let patient = Options { busy: Duration::from_mins(2), ..Options::new(Access::Create(ID.into())) };
                let mut store = SqliteStore::open(path, patient).unwrap();
                for turn in 0..TURNS {
                    let own = format!("own/{writer}-{turn}");
                    store.begin().unwrap();
                    let head = store.head().unwrap();
                    let before = store.version(&stream("shared/1")).unwrap();
                    let events = [event("shared/1", "Added"), event(&own, "New")];
                    let given = append(&mut store, &command(&own, "shared/1", 1), &events).unwrap();
                    assert_eq!((given.first, given.versions[0]), (head.position.next(), before.next()));
                    if turn % 5 == 4 {
                        store.rollback();
                    } else {
                        store.commit().unwrap();
                    }
                }
            });
        }
    });
    let kept = WRITERS * TURNS * 4 / 5;
    let mut store = open(&path);
    let events = everything(&mut store);
    assert_eq!(events.len(), 2 * kept);
    assert!(events.iter().zip(1..).all(|(event, position)| event.position == Position(position)));
    let mut shared = Vec::new();
    store.read_stream(&stream("shared/1"), Version(0), usize::MAX, false, &mut shared).unwrap();
    assert!(shared.iter().zip(1..).all(|(event, version)| event.version == Version(version)));
    assert_eq!(shared.len(), kept);
    assert!(events.chunks(2).all(|pair| pair[0].command == pair[1].command));
}

#[test]
fn many_processes_may_make_the_same_store() {
    for _ in 0..5 {
        let (_folder, path) = place();
        let start = Barrier::new(8);
        let ids: Vec<String> = std::thread::scope(|scope| {
            let make = |n: usize| {
                let (path, start) = (&path, &start);
                scope.spawn(move || {
                    start.wait();
                    let options = Options {
                        busy: Duration::from_mins(2),
                        ..Options::new(Access::Create(format!("id-{n}").into()))
                    };
                    SqliteStore::open(path, options).unwrap().id().to_owned()
                })
            };
            let all: Vec<_> = (0..8).map(make).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let made = read(&path).unwrap();
        assert!(ids.iter().all(|id| id == made.id()), "{ids:?}, {}", made.id());
    }
}

/// Copies the file and its log as they are, which is what power loss right now would leave of them.
fn copy(path: &Path, to: &Path) {
    fs::copy(path, to).unwrap();
    let beside = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    if beside(path).exists() {
        fs::copy(beside(path), beside(to)).unwrap();
    }
}

#[test]
fn what_is_committed_is_in_the_files_before_they_are_closed() {
    let (folder, path) = place();
    let mut store = open(&path);
    send(&mut store, "c1", 1, &[("account/ada", "Opened")]);
    store.begin().unwrap();
    append(&mut store, &command("c2", "account/ada", 2), &[event("account/ada", "Closed")]).unwrap();
    let (during, after) = (folder.path().join("during.db"), folder.path().join("after.db"));
    copy(&path, &during);
    store.commit().unwrap();
    copy(&path, &after);
    let all = everything(&mut store);
    assert_eq!(everything(&mut open(&during)), all[..1]);
    assert_eq!(everything(&mut open(&after)), all);
}

#[test]
fn a_damaged_file_is_called_damaged() {
    let (_folder, path) = place();
    let mut store = open(&path);
    for n in 0..50 {
        send(&mut store, &format!("c{n}"), n, &[("account/ada", "Added"), ("account/bob", "Added")]);
    }
    drop(store);
    let raw = Connection::open(&path).unwrap();
    let root = |name: &str| -> i64 {
        raw.query_row("SELECT rootpage FROM sqlite_schema WHERE name = ?1", [name], |row| row.get(0)).unwrap()
    };
    let (page, size) = (usize::try_from(root("es_events")).unwrap(), 4096);
    drop(raw);
    let mut bytes = fs::read(&path).unwrap();
    bytes[(page - 1) * size..][..200].fill(0x5a);
    fs::write(&path, bytes).unwrap();
    let Err(StoreError::Damaged(words)) = open(&path).head() else { panic!("the damage was not seen") };
    assert!(words.starts_with(&format!("`{}` is damaged: ", path.display())), "{words}");
}

#[test]
fn a_missing_event_is_not_skipped() {
    let (_folder, path) = place();
    let mut store = open(&path);
    for n in 0..3 {
        send(&mut store, &format!("c{n}"), n, &[("account/ada", "Added")]);
    }
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("DROP TRIGGER es_events_delete; DELETE FROM es_events WHERE position = 2").unwrap();
    let mut page = Vec::new();
    let outcome = store.read_stream(&stream("account/ada"), Version(0), 10, false, &mut page);
    let Err(StoreError::Damaged(words)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(words, format!("`{}` is damaged: version 2 of `account/ada` is missing", path.display()));
    assert_eq!(page, vec![]);
    assert!(matches!(store.command("c1"), Err(StoreError::Damaged(_))));
    assert!(matches!(store.read_all(Position(0), 10, false, &EventFilter::default()), Err(StoreError::Damaged(_))));
}

/// Cutting the log under an open connection gives a true I/O error: a short read.
#[test]
fn after_an_io_error_the_connection_is_given_up() {
    let (_folder, path) = place();
    let mut writer = open(&path);
    send(&mut writer, "c1", 1, &[("account/ada", "Opened")]);
    let mut reader = open(&path);
    for n in 0..200 {
        send(&mut writer, &format!("d{n}"), 2, &[("account/bob", "Opened")]);
    }
    fs::write(format!("{}-wal", path.display()), "").unwrap();
    let outcome = reader.read_all(Position(0), usize::MAX, true, &EventFilter::default());
    let Err(StoreError::Unavailable(words)) = outcome else { panic!("{outcome:?}") };
    assert!(words.contains("I/O"), "{words}");
    let given_up = format!("`{}` was given up after an input/output error", path.display());
    let table = table("balances", ColumnKind::Text, "d1");
    for outcome in [
        reader.head().map(|_| ()),
        reader.begin(),
        reader.command("c1").map(|_| ()),
        reader.generations().map(|_| ()),
        reader.build(&table).map(|_| ()),
    ] {
        let Err(StoreError::Unavailable(words)) = outcome else { panic!("{outcome:?}") };
        assert_eq!(words, given_up);
    }
    reader.rollback();
}

#[test]
fn the_views_show_names_times_and_hashes() {
    let (_folder, path) = place();
    let mut store = open(&path);
    send(&mut store, "c1", -1, &[("account/ada", "Opened"), ("order/7", "Placed")]);
    let head = send(&mut store, "c2", 1_767_225_600_000_001, &[("account/ada", "Closed")]).head;
    let table = table("balances", ColumnKind::Text, "d1");
    let number = store.build(&table).unwrap().number;
    store.serve(&table, number, at(-62_167_219_200_000_000)).unwrap();
    store.build(&table).unwrap();
    drop(store);
    let raw = Connection::open(&path).unwrap();
    let lines = |sql: &str| -> Vec<String> {
        let mut statement = raw.prepare(sql).unwrap();
        let count = statement.column_count();
        let line = |row: &rusqlite::Row<'_>| {
            let cell = |at| match row.get_ref(at).unwrap() {
                rusqlite::types::ValueRef::Null => "-".to_owned(),
                rusqlite::types::ValueRef::Integer(n) => n.to_string(),
                rusqlite::types::ValueRef::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
                other => panic!("{other:?}"),
            };
            Ok((0..count).map(cell).collect::<Vec<_>>().join("|"))
        };
        statement.query_map([], line).unwrap().map(Result::unwrap).collect()
    };
    let events = lines("SELECT * FROM events ORDER BY position");
    assert_eq!(
        events[2],
        format!("3|account/ada|2|Closed|1|2026-01-01T00:00:00.000001Z|c2|{{\"kind\":\"Closed\"}}|{head}")
    );
    assert!(events[0].starts_with("1|account/ada|1|Opened|1|1969-12-31T23:59:59.999999Z|c1|"), "{}", events[0]);
    assert_eq!(
        lines("SELECT * FROM streams ORDER BY name"),
        ["account/ada|account|2|1|3|2026-01-01T00:00:00.000001Z", "order/7|order|1|2|2|1969-12-31T23:59:59.999999Z"]
    );
    assert_eq!(
        lines("SELECT * FROM commands ORDER BY first"),
        [
            "c1|account/ada|Do|1969-12-31T23:59:59.999999Z|1|2|ada|-|@1|-|digest-1|{\"by\":\"c1\"}",
            "c2|account/ada|Do|2026-01-01T00:00:00.000001Z|3|1|ada|-|@1|-|digest-1|{\"by\":\"c2\"}"
        ]
    );
    assert_eq!(lines("SELECT * FROM domains"), ["digest-1|text of the domain"]);
    assert_eq!(
        lines("SELECT * FROM projections ORDER BY number"),
        ["balances|1|served|0|0000-01-01T00:00:00.000000Z|d1|balances__1", "balances|2|building|0|-|d1|balances__2"]
    );
    assert_eq!(lines("SELECT * FROM pragma_integrity_check"), ["ok"]);
    assert_eq!(lines("SELECT * FROM pragma_foreign_key_check"), Vec::<String>::new());
}

/// The times in the views are those that the program itself writes.
#[test]
fn views_and_program_write_times_alike() {
    let (_folder, path) = place();
    let mut store = open(&path);
    let times = [
        -62_167_219_200_000_000,
        -62_167_219_199_999_999,
        -1_000_001,
        -1_000_000,
        -999_999,
        -1,
        0,
        1,
        999_999,
        1_000_000,
        951_782_400_123_456,
        253_402_207_199_999_999,
    ];
    for time in times {
        send(&mut store, &format!("c{time}"), time, &[("account/ada", "Added")]);
    }
    let raw = Connection::open(&path).unwrap();
    let mut statement = raw.prepare("SELECT time FROM events ORDER BY position").unwrap();
    let shown: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(shown, times.map(|time| at(time).to_string()));
}

#[test]
fn a_projection_is_a_view_that_sql_can_compute_with() {
    let (_folder, path) = place();
    let mut store = open(&path);
    let table = table("balances", ColumnKind::Text, "d1");
    let number = store.build(&table).unwrap().number;
    let raw = Connection::open(&path).unwrap();
    let with = |key: &str, amount: &str| {
        let mut row = row(text(key), 1);
        row[2] = decimal(amount);
        RowChange::Put(row)
    };
    let changes = [with("a", "9"), with("b", "10.50"), with("c", "-0.25"), with("d", "12345678901234567.89")];
    store.advance(&table, number, Position(0), Position(0), &changes).unwrap();
    assert!(raw.prepare("SELECT * FROM balances").is_err(), "nothing is served yet");
    store.serve(&table, number, at(1)).unwrap();
    let sorted: String = raw
        .query_row("SELECT group_concat(key, ',') FROM (SELECT key FROM balances ORDER BY amount)", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(sorted, "c,a,b,d");
    let sum: f64 = raw.query_row("SELECT sum(amount) FROM balances WHERE amount < 100", [], |row| row.get(0)).unwrap();
    assert!((sum - 19.25).abs() < f64::EPSILON);
    let mut statement = raw.prepare("SELECT name FROM pragma_index_list('balances__1') WHERE origin = 'c'").unwrap();
    let mut indexes: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    indexes.sort();
    assert_eq!(indexes, ["balances__1_index_1", "balances__1_index_2"]);
}

#[test]
fn a_view_of_someone_else_is_left_alone() {
    let (_folder, path) = place();
    let mut store = open(&path);
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("CREATE VIEW Balances AS SELECT 1 AS mine").unwrap();
    let table = table("balances", ColumnKind::Text, "d1");
    let number = store.build(&table).unwrap().number;
    let Err(StoreError::Unavailable(words)) = store.serve(&table, number, at(1)) else { panic!("it was replaced") };
    assert_eq!(words, "the store has a table or view `balances` that is none of its own; rename it or the projection");
    assert_eq!(store.served("balances").unwrap(), None);
    raw.execute_batch("SELECT mine FROM Balances; DROP VIEW Balances").unwrap();
    store.serve(&table, number, at(1)).unwrap();
}

/// What a killed process left to clear is cleared by the next one that changes a projection.
#[test]
fn retired_generations_are_emptied_and_removed() {
    let (_folder, path) = place();
    let mut store = open(&path);
    let tables = || -> Vec<String> {
        let raw = Connection::open(&path).unwrap();
        let sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'es\\_%' ESCAPE '\\' \
                   AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
        let mut statement = raw.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let old = table("it's \"mine\"", ColumnKind::Integer, "d1");
    let number = store.build(&old).unwrap().number;
    // More than is removed in one step, twice.
    let puts: Vec<_> = (0..5_000).map(|n| RowChange::Put(row(Value::Integer(n), n))).collect();
    store.advance(&old, number, Position(0), Position(0), &puts).unwrap();
    store.serve(&old, number, at(1)).unwrap();
    let other = table("other", ColumnKind::Text, "d1");
    store.build(&other).unwrap();
    assert_eq!(tables(), ["it's \"mine\"__1", "other__2"]);
    Connection::open(&path)
        .unwrap()
        .execute_batch("UPDATE es_generations SET state = 'retired' WHERE number = 2")
        .unwrap();
    let new = Table { digest: "d2".into(), ..old };
    let number = store.build(&new).unwrap().number;
    assert_eq!(tables(), ["it's \"mine\"__1", "it's \"mine\"__3"]);
    store.serve(&new, number, at(2)).unwrap();
    assert_eq!(tables(), ["it's \"mine\"__3"]);
}

/// A call looks at 50,000 positions at most; the store is longer, and what is looked for is at its ends.
#[test]
fn a_filter_that_matches_little_is_read_in_bounded_steps() {
    let (_folder, path) = place();
    let mut store = open(&path);
    send(&mut store, "first", 1, &[("rare/1", "Seen")]);
    let many: Vec<_> = (0..1_000).map(|_| event("account/ada", "Added")).collect();
    store.begin().unwrap();
    for n in 0..120 {
        append(&mut store, &command(&format!("c{n}"), "account/ada", 1), &many).unwrap();
    }
    store.commit().unwrap();
    send(&mut store, "last", 1, &[("rare/1", "Seen")]);
    let seen: Box<str> = "Seen".into();
    let rare = EventFilter { kind: Some(seen.clone()), ..EventFilter::default() };
    let none = EventFilter { stream: Some(stream("account/ada")), kind: Some(seen), ..EventFilter::default() };
    for (filter, forward, backward) in [
        (&rare, vec![(50_000, 1), (100_000, 0), (120_002, 1)], vec![(70_003, 1), (20_003, 0), (1, 1)]),
        (&none, vec![(50_001, 0), (100_001, 0), (120_002, 0)], vec![(70_002, 0), (20_002, 0), (1, 0)]),
    ] {
        let mut at = Position(0);
        for (scanned, found) in forward {
            let page = store.read_all(at, 10, false, filter).unwrap();
            assert_eq!((page.scanned, page.events.len(), page.done), (Position(scanned), found, scanned == 120_002));
            at = page.scanned;
        }
        let mut at = None;
        for (scanned, found) in backward {
            let page = store.read_back(at, 10, false, filter).unwrap();
            assert_eq!((page.scanned, page.events.len(), page.done), (Position(scanned), found, scanned == 1));
            at = Some(page.scanned);
        }
    }
}

#[test]
fn the_documented_columns_are_the_real_ones() {
    let (_folder, path) = place();
    drop(open(&path));
    let raw = Connection::open(&path).unwrap();
    let mut statement = raw
        .prepare("SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
        .unwrap();
    let objects: Vec<(String, String)> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect();
    let mut real: Vec<String> = Vec::new();
    for (name, kind) in objects {
        let mut statement = raw.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
        let columns: Vec<String> =
            statement.query_map([&name], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        real.push(format!("{kind} {name}: {}", columns.join(", ")));
    }
    // A heading names the view or table; the rows of the table below it begin with a column's name.
    let page = include_str!("../../docs/store.md");
    let mut documented: Vec<String> = Vec::new();
    for line in page.lines() {
        let cell = |text: &str| text.split('`').nth(1).unwrap_or_default().to_owned();
        if let Some(heading) = line.strip_prefix("### ") {
            let kind = if heading.starts_with("View") { "view" } else { "table" };
            documented.push(format!("{kind} {}:", cell(heading)));
        } else if line.starts_with("## ") {
            documented.push(String::new());
        } else if line.starts_with("| `")
            && let Some(last) = documented.last_mut()
        {
            let comma = if last.ends_with(':') { " " } else { ", " };
            last.push_str(comma);
            last.push_str(&cell(line));
        }
    }
    documented.retain(|line| line.starts_with("view ") || line.starts_with("table "));
    documented.sort();
    real.sort();
    assert_eq!(documented, real);
}

/// A reader that comes while the store is being made waits until it is.
#[test]
fn who_reads_while_it_is_made_waits_for_it() {
    for _ in 0..20 {
        let (_folder, path) = place();
        std::thread::scope(|scope| {
            scope.spawn(|| open(&path));
            let read = loop {
                match read(&path) {
                    Err(StoreError::Missing(_)) => {}
                    other => break other,
                }
            };
            assert_eq!(read.unwrap().head().unwrap().position, Position(0));
        });
    }
}
