//! What every store promises about read models.

use super::contract::on_every_store;
use super::*;
use esctl::store::RowChange;

on_every_store!(
    a_generation_is_built_beside_and_put_in_service,
    an_unfinished_generation_is_resumed_or_begun_anew,
    a_checkpoint_moves_with_the_rows_or_not_at_all,
    rows_come_back_as_they_were_put,
    rows_are_ordered_by_key,
    what_is_no_row_is_refused,
);

/// A store with so many events.
fn with_events(store: &mut dyn Store, count: usize) {
    send(store, "c1", 1, &vec![("account/ada", "Added"); count]);
}

fn a_generation_is_built_beside_and_put_in_service(subject: &mut Subject) {
    let store = subject.store();
    with_events(store, 5);
    let old = table("balances", ColumnKind::Text, "d1");
    let new = Table { digest: "d2".into(), ..old.clone() };
    assert_eq!(store.served("balances").unwrap(), None);

    let first = store.build(&old).unwrap();
    assert_eq!((first.checkpoint, first.served, first.since), (Position(0), false, None));
    store.advance(&old, first.number, Position(0), Position(5), &[RowChange::Put(row(text("ada"), 1))]).unwrap();
    assert_eq!(store.served("balances").unwrap(), None);
    store.serve(&old, first.number, at(7)).unwrap();
    store.serve(&old, first.number, at(8)).unwrap();
    let served = Generation { checkpoint: Position(5), served: true, since: Some(at(7)), ..first.clone() };
    assert_eq!(store.served("balances").unwrap(), Some(served.clone()));

    let second = store.build(&new).unwrap();
    assert!(second.number > first.number);
    store.advance(&new, second.number, Position(0), Position(3), &[RowChange::Put(row(text("bob"), 2))]).unwrap();
    assert_eq!(
        store.generations().unwrap(),
        [served.clone(), Generation { checkpoint: Position(3), ..second.clone() }]
    );
    assert_eq!(all_rows(store, &old, first.number), [row(text("ada"), 1)]);
    assert_eq!(all_rows(store, &new, second.number), [row(text("bob"), 2)]);

    subject.reopen();
    let store = subject.store();
    assert_eq!(store.served("balances").unwrap(), Some(served));
    store.serve(&new, second.number, at(9)).unwrap();
    let served = Generation { checkpoint: Position(3), served: true, since: Some(at(9)), ..second.clone() };
    assert_eq!(store.generations().unwrap(), [served]);
    assert_eq!(store.count(second.number).unwrap(), 1);

    // The one before is gone, and who still asks for it is told.
    let gone = [
        store.count(first.number).map(|_| ()),
        store.select(&old, first.number, &RowFilter { limit: 1, ..RowFilter::default() }).map(|_| ()),
        store.rows(&old, first.number, &[text("ada")]).map(|_| ()),
        store.advance(&old, first.number, Position(5), Position(5), &[]),
        store.serve(&old, first.number, at(9)),
    ];
    for outcome in gone {
        assert!(matches!(outcome, Err(StoreError::Overtaken)), "{outcome:?}");
    }
    assert!(store.build(&old).unwrap().number > second.number);
}

fn an_unfinished_generation_is_resumed_or_begun_anew(subject: &mut Subject) {
    let store = subject.store();
    with_events(store, 5);
    let old = table("balances", ColumnKind::Text, "d1");
    let new = Table { digest: "d2".into(), ..old.clone() };
    let other = table("totals", ColumnKind::Text, "d1");
    let first = store.build(&old).unwrap();
    let beside = store.build(&other).unwrap();
    store.advance(&old, first.number, Position(0), Position(2), &[RowChange::Put(row(text("ada"), 1))]).unwrap();
    subject.reopen();
    let store = subject.store();
    let resumed = store.build(&old).unwrap();
    assert_eq!(resumed, Generation { checkpoint: Position(2), ..first.clone() });
    assert_eq!(store.count(first.number).unwrap(), 1);

    let second = store.build(&new).unwrap();
    assert_eq!((second.checkpoint, store.count(second.number).unwrap()), (Position(0), 0));
    assert!(matches!(store.count(first.number), Err(StoreError::Overtaken)));
    assert_eq!(store.generations().unwrap(), [second.clone(), beside.clone()]);

    store.abandon("balances").unwrap();
    store.abandon("balances").unwrap();
    assert_eq!(store.generations().unwrap(), [beside]);
    let third = store.build(&new).unwrap();
    assert!(third.number > second.number, "a number is never used again");
    store.serve(&new, third.number, at(1)).unwrap();
    store.abandon("balances").unwrap();
    assert_eq!(store.served("balances").unwrap().unwrap().number, third.number);
}

fn a_checkpoint_moves_with_the_rows_or_not_at_all(subject: &mut Subject) {
    let store = subject.store();
    with_events(store, 9);
    let table = table("balances", ColumnKind::Text, "d1");
    let number = store.build(&table).unwrap().number;
    let put = |key: &str, n| RowChange::Put(row(text(key), n));
    store.advance(&table, number, Position(0), Position(4), &[put("a", 1), put("b", 1), put("a", 2)]).unwrap();
    let late = store.advance(&table, number, Position(0), Position(4), &[put("c", 3)]);
    assert!(matches!(late, Err(StoreError::Overtaken)), "{late:?}");
    for (from, to) in [(4, 3), (4, 10)] {
        let wrong = store.advance(&table, number, Position(from), Position(to), &[put("c", 3)]);
        assert!(matches!(wrong, Err(StoreError::Misuse(_))), "{wrong:?}");
    }
    assert_eq!(all_rows(store, &table, number), [row(text("a"), 2), row(text("b"), 1)]);
    let changes = [RowChange::Delete(text("a")), RowChange::Delete(text("none")), put("b", 5), put("d", 6)];
    store.advance(&table, number, Position(4), Position(9), &changes).unwrap();
    store.advance(&table, number, Position(9), Position(9), &[RowChange::Delete(text("d"))]).unwrap();
    subject.reopen();
    let store = subject.store();
    assert_eq!(all_rows(store, &table, number), [row(text("b"), 5)]);
    assert_eq!(store.generations().unwrap()[0].checkpoint, Position(9));
    let found = store.rows(&table, number, &[text("z"), text("b"), text("b")]).unwrap();
    assert_eq!(found, [None, Some(row(text("b"), 5)), Some(row(text("b"), 5))]);
}

fn rows_come_back_as_they_were_put(subject: &mut Subject) {
    let store = subject.store();
    let table = table("of \"all\" kinds", ColumnKind::Integer, "d1");
    let number = store.build(&table).unwrap().number;
    let json =
        Value::List(vec![Value::Null, decimal("1.50"), Value::Object([("ä\n".to_owned(), Value::Integer(1))].into())]);
    let mut rows = vec![
        vec![Value::Integer(i64::MIN), Value::Null, Value::Null, Value::Null, Value::Null, Value::Null],
        vec![Value::Integer(0), Value::Integer(i64::MAX), decimal("0"), text(""), Value::Bool(false), text("x")],
        vec![Value::Integer(1), Value::Integer(-1), decimal("-1"), text("a\0b'\"ä"), Value::Bool(true), json],
    ];
    let decimals = [
        "25.1",
        "0.1",
        "-0.3",
        "123456789012.345",
        "0.000000000000001",
        "0.0000000000000000000000000001",
        "99999999999999.9",
        "12345678901234567",
        "-9223372036854775808",
        "9223372036854775807",
        "9223372036854775808",
        "123456789012345.6",
        "0.1234567890123456",
        "100000000000000000000",
        "79228162514264337593543950335",
        "-7.9228162514264337593543950335",
    ];
    for (n, text) in (2..).zip(decimals) {
        rows.push(vec![
            Value::Integer(n),
            Value::Integer(0),
            decimal(text),
            Value::Null,
            Value::Null,
            Value::Bool(true),
        ]);
    }
    let changes: Vec<_> = rows.iter().cloned().map(RowChange::Put).collect();
    store.advance(&table, number, Position(0), Position(0), &changes).unwrap();
    assert_eq!(all_rows(store, &table, number), rows);

    // A decimal column gives decimals, without zeros at the end, whatever was put.
    let with = |amount: Value| vec![Value::Integer(1), Value::Null, amount, Value::Null, Value::Null, Value::Null];
    for (put, shown) in
        [(Value::Integer(5), "5"), (decimal("5.00"), "5"), (decimal("25.10"), "25.1"), (decimal("-0.0"), "0")]
    {
        store.advance(&table, number, Position(0), Position(0), &[RowChange::Put(with(put))]).unwrap();
        let back = store.rows(&table, number, &[Value::Integer(1)]).unwrap().remove(0).unwrap();
        assert_eq!(format!("{:?}", back[2]), format!("{:?}", decimal(shown)));
    }
}

fn rows_are_ordered_by_key(subject: &mut Subject) {
    let store = subject.store();
    let orders: [(ColumnKind, Vec<Value>); 4] = [
        (ColumnKind::Text, ["", "10", "9", "Z", "a", "a\0", "ab", "ä", "\u{ffff}", "\u{10000}"].map(text).to_vec()),
        (ColumnKind::Integer, [i64::MIN, -10, -9, 0, 9, 10, i64::MAX].map(Value::Integer).to_vec()),
        (
            ColumnKind::Decimal,
            // Those with more than 15 significant digits come last, as text.
            [
                "-100000000000000000000",
                "-10.5",
                "-9",
                "0",
                "0.1",
                "9",
                "9.00000000000001",
                "10",
                "12345678901234567",
                "99999999999999999",
                "100000000000000000000",
                "-0.1234567890123456",
                "0.1234567890123456",
                "123456789012345.6",
            ]
            .map(decimal)
            .to_vec(),
        ),
        (ColumnKind::Boolean, [false, true].map(Value::Bool).to_vec()),
    ];
    for (n, (kind, keys)) in orders.into_iter().enumerate() {
        let table = table(&format!("t{n}"), kind, "d");
        let number = store.build(&table).unwrap().number;
        let puts: Vec<_> = keys.iter().rev().map(|key| RowChange::Put(row(key.clone(), 1))).collect();
        store.advance(&table, number, Position(0), Position(0), &puts).unwrap();
        let rows: Vec<_> = keys.iter().map(|key| row(key.clone(), 1)).collect();
        assert_eq!(all_rows(store, &table, number), rows);
        for (at, key) in keys.iter().enumerate() {
            let filter = RowFilter { key: None, after: Some(key.clone()), limit: 2 };
            let next = store.select(&table, number, &filter).unwrap();
            assert_eq!(next, rows[at + 1..].iter().take(2).cloned().collect::<Vec<_>>(), "after {key:?}");
            let filter = RowFilter { key: Some(key.clone()), after: None, limit: 2 };
            assert_eq!(store.select(&table, number, &filter).unwrap(), rows[at..=at]);
        }
        assert_eq!(store.count(number).unwrap(), keys.len() as u64);
    }
}

fn what_is_no_row_is_refused(subject: &mut Subject) {
    let store = subject.store();
    let good = table("balances", ColumnKind::Text, "d1");
    let number = store.build(&good).unwrap().number;
    let with = |at: usize, value: Value| {
        let mut row = row(text("a"), 1);
        row[at] = value;
        RowChange::Put(row)
    };
    for change in [
        with(0, Value::Null),
        with(0, Value::Integer(1)),
        with(1, decimal("1.5")),
        with(2, text("1")),
        with(3, Value::Bool(true)),
        with(4, Value::Integer(1)),
        RowChange::Put(vec![text("a")]),
        RowChange::Delete(Value::Null),
    ] {
        let changes = [with(1, Value::Integer(7)), change];
        let outcome = store.advance(&good, number, Position(0), Position(0), &changes);
        assert!(matches!(outcome, Err(StoreError::Misuse(_))), "{changes:?}: {outcome:?}");
    }
    assert_eq!(store.count(number).unwrap(), 0);

    for name in ["es_events", "ES_mine", "sqlite_mine", "events", "Streams", "projections"] {
        let outcome = store.build(&table(name, ColumnKind::Text, "d1"));
        assert!(matches!(outcome, Err(StoreError::Misuse(_))), "{name}: {outcome:?}");
    }
    for wrong in [
        table("json_key", ColumnKind::Json, "d1"),
        Table { columns: vec![], indexes: vec![], ..good.clone() },
        Table { indexes: vec![vec!["none".into()]], ..good.clone() },
    ] {
        assert!(matches!(store.build(&wrong), Err(StoreError::Misuse(_))), "{wrong:?}");
    }
}
