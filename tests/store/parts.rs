//! What every store promises about rows that are written in parts or within a turn, and about events that were not
//! applied.

use super::contract::on_every_store;
use super::*;
use esctl::store::{Ahead, RowChange};

on_every_store!(
    a_step_is_written_in_parts,
    a_part_fits_what_is_there_or_nothing_is_written,
    only_what_is_built_is_ahead,
    a_stop_is_noted_until_it_is_passed,
    a_stop_that_was_passed_is_not_noted,
    what_was_parked_is_listed_in_pages,
    what_was_parked_lies_in_the_step,
    all_that_is_noted_goes_with_the_generation,
    what_was_parked_is_served_with_it,
    other_rules_begin_at_nothing,
    rows_move_within_a_turn_or_not_at_all,
    a_step_in_a_turn_fits_what_is_there_or_nothing_is_written,
    a_step_in_a_turn_passes_a_stop,
    what_is_written_alone_is_refused_in_a_turn,
);

fn put(key: &str, n: i64) -> RowChange {
    RowChange::Put(row(text(key), n))
}

fn ahead(position: u64, key: &str) -> Ahead {
    Ahead { position: Position(position), key: text(key).to_string().into() }
}

/// A store with nine events and a generation that has seen four of them.
fn begun(store: &mut dyn Store) -> (Table, u64) {
    send(store, "c1", 1, &[("account/ada", "Added"); 9]);
    let table = table("balances", ColumnKind::Text, "d1");
    let number = store.build(&table).unwrap().number;
    store.advance(&table, number, Position(0), Position(4), &[put("a", 1), put("b", 1)]).unwrap();
    (table, number)
}

fn generation(store: &mut dyn Store) -> Generation {
    store.generations().unwrap().remove(0)
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "a call is put into it as it is")]
fn overtaken(outcome: Result<(), StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Overtaken)), "{outcome:?}");
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "a call is put into it as it is")]
fn misuse(outcome: Result<(), StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Misuse(_))), "{outcome:?}");
}

fn a_step_is_written_in_parts(subject: &mut Subject) {
    let store = subject.store();
    let (table, number) = begun(store);
    let at = Position(4);
    store.advance_part(&table, number, at, None, &ahead(8, "a"), &[put("a", 2)]).unwrap();
    store
        .advance_part(&table, number, at, Some(&ahead(8, "a")), &ahead(8, "b"), &[RowChange::Delete(text("b"))])
        .unwrap();
    let between = generation(store);
    assert_eq!((between.checkpoint, &between.ahead), (at, &Some(ahead(8, "b"))));
    assert_eq!(all_rows(store, &table, number), [row(text("a"), 2)]);

    subject.reopen();
    let store = subject.store();
    assert_eq!(store.build(&table).unwrap(), between);
    store.advance_part(&table, number, at, Some(&ahead(8, "b")), &ahead(8, "bb"), &[]).unwrap();
    // The last one goes to the same position.
    for to in [7, 9] {
        overtaken(store.advance(&table, number, at, Position(to), &[put("c", 9)]));
    }
    store.advance(&table, number, at, Position(8), &[put("c", 3)]).unwrap();
    let after = Generation { checkpoint: Position(8), ahead: None, ..between };
    assert_eq!(generation(store), after);
    assert_eq!(all_rows(store, &table, number), [row(text("a"), 2), row(text("c"), 3)]);
    subject.reopen();
    assert_eq!(generation(subject.store()), after);
}

fn a_part_fits_what_is_there_or_nothing_is_written(subject: &mut Subject) {
    let store = subject.store();
    let (table, number) = begun(store);
    let change = [put("z", 9)];
    let part = |store: &mut dyn Store, from: u64, before: Option<Ahead>, to: Ahead| {
        let outcome = store.advance_part(&table, number, Position(from), before.as_ref(), &to, &change);
        assert_eq!(all_rows(store, &table, number), [row(text("a"), 1), row(text("b"), 1)]);
        outcome
    };
    overtaken(part(store, 3, None, ahead(8, "a")));
    overtaken(part(store, 5, None, ahead(8, "a")));
    // Nothing is ahead.
    overtaken(part(store, 4, Some(ahead(8, "0")), ahead(8, "a")));
    // Back, and beyond the end.
    misuse(part(store, 4, None, ahead(3, "a")));
    misuse(part(store, 4, None, ahead(10, "a")));
    // To another position, or keys out of order.
    misuse(part(store, 4, Some(ahead(7, "0")), ahead(8, "a")));
    misuse(part(store, 4, Some(ahead(8, "a")), ahead(8, "a")));
    misuse(part(store, 4, Some(ahead(8, "aa")), ahead(8, "a")));
    store.advance_part(&table, number, Position(4), None, &ahead(8, "a"), &[]).unwrap();
    overtaken(part(store, 4, None, ahead(8, "b")));
    overtaken(part(store, 4, Some(ahead(8, "9")), ahead(8, "b")));
    overtaken(part(store, 4, Some(ahead(9, "a")), ahead(9, "b")));
    misuse(store.advance_part(
        &table,
        number,
        Position(4),
        Some(&ahead(8, "a")),
        &ahead(8, "b"),
        &[RowChange::Delete(Value::Null)],
    ));
    assert_eq!(generation(store).ahead, Some(ahead(8, "a")));
    store.abandon("balances").unwrap();
    overtaken(store.advance_part(&table, number, Position(4), Some(&ahead(8, "a")), &ahead(8, "b"), &[]));
    assert_eq!(store.build(&table).unwrap().ahead, None);
}

/// Readers see rows and checkpoint together. Several processes may be building the same: one of them comes too late.
fn only_what_is_built_is_ahead(subject: &mut Subject) {
    let store = subject.store();
    let (table, number) = begun(store);
    store.advance_part(&table, number, Position(4), None, &ahead(8, "a"), &[put("a", 2)]).unwrap();
    overtaken(store.serve(&table, number, at(1)));
    assert_eq!(store.served("balances").unwrap(), None);
    store.advance(&table, number, Position(4), Position(8), &[]).unwrap();
    store.serve(&table, number, at(1)).unwrap();
    overtaken(store.advance_part(&table, number, Position(8), None, &ahead(9, "a"), &[put("a", 3)]));
    assert_eq!(all_rows(store, &table, number), [row(text("a"), 2), row(text("b"), 1)]);
    assert_eq!(store.served("balances").unwrap().unwrap().ahead, None);
}

fn a_stop_is_noted_until_it_is_passed(subject: &mut Subject) {
    let store = subject.store();
    let (table, number) = begun(store);
    store.stop(number, &failure(8)).unwrap();
    store.stop(number, &Failure { key: None, place: None, ..failure(7) }).unwrap();
    subject.reopen();
    let store = subject.store();
    let noted = Some(Failure { key: None, place: None, ..failure(7) });
    assert_eq!(generation(store).stopped, noted);
    assert_eq!(store.parked(number, Position(0), 9).unwrap(), []);
    store.advance(&table, number, Position(4), Position(6), &[]).unwrap();
    assert_eq!(generation(store).stopped, noted, "it has not come there yet");
    store.advance_past(&table, number, Position(6), Position(7), &[], &[failure(7)]).unwrap();
    assert_eq!((generation(store).stopped, generation(store).parked), (None, 1));
    assert_eq!(store.parked(number, Position(0), 9).unwrap(), [failure(7)]);
    // What is served stops too.
    store.serve(&table, number, at(1)).unwrap();
    store.stop(number, &failure(9)).unwrap();
    assert_eq!(store.served("balances").unwrap().unwrap().stopped, Some(failure(9)));
    overtaken(store.stop(number + 1, &failure(9)));
}

/// Another process went on past the event meanwhile: what it noted stays.
fn a_stop_that_was_passed_is_not_noted(subject: &mut Subject) {
    let store = subject.store();
    let (table, number) = begun(store);
    store.advance_past(&table, number, Position(4), Position(7), &[], &[failure(6)]).unwrap();
    for position in [6, 7] {
        overtaken(store.stop(number, &failure(position)));
    }
    assert_eq!((generation(store).stopped, generation(store).parked), (None, 1));
    assert_eq!(store.parked(number, Position(0), 9).unwrap(), [failure(6)]);
    store.stop(number, &failure(8)).unwrap();
}

fn what_was_parked_is_listed_in_pages(subject: &mut Subject) {
    let store = subject.store();
    let (table, number) = begun(store);
    store.advance_past(&table, number, Position(4), Position(6), &[put("c", 1)], &[failure(6), failure(5)]).unwrap();
    store.advance_past(&table, number, Position(6), Position(9), &[], &[failure(9)]).unwrap();
    subject.reopen();
    let store = subject.store();
    let mut page = |after, limit| store.parked(number, Position(after), limit).unwrap();
    let pages = [(0, 9), (0, 2), (6, 2), (5, 0), (9, 9)].map(|(after, limit)| page(after, limit));
    let all = [vec![5, 6, 9], vec![5, 6], vec![9], vec![], vec![]];
    assert_eq!(pages, all.map(|all| all.into_iter().map(failure).collect::<Vec<_>>()));
    assert_eq!(generation(store).parked, 3);
    assert_eq!(store.count(number).unwrap(), 3);
}

fn what_was_parked_lies_in_the_step(subject: &mut Subject) {
    let store = subject.store();
    let (table, number) = begun(store);
    for position in [4, 7] {
        misuse(store.advance_past(&table, number, Position(4), Position(6), &[put("c", 1)], &[failure(position)]));
    }
    assert_eq!((generation(store).checkpoint, store.count(number).unwrap()), (Position(4), 2));
}

fn all_that_is_noted_goes_with_the_generation(subject: &mut Subject) {
    let store = subject.store();
    let (table, first) = begun(store);
    store.advance_past(&table, first, Position(4), Position(5), &[], &[failure(5)]).unwrap();
    store.stop(first, &failure(9)).unwrap();
    store.advance_part(&table, first, Position(5), None, &ahead(8, "a"), &[]).unwrap();
    store.abandon("balances").unwrap();
    overtaken(store.parked(first, Position(0), 9).map(|_| ()));
    overtaken(store.stop(first, &failure(9)));
    let second = store.build(&table).unwrap();
    assert_eq!((second.ahead, second.stopped.clone(), second.parked), (None, None, 0));
    assert_eq!(store.parked(second.number, Position(0), 9).unwrap(), []);
    store.advance_past(&table, second.number, Position(0), Position(9), &[], &[failure(2)]).unwrap();
    store.serve(&table, second.number, at(1)).unwrap();
    let third = store.build(&table).unwrap();
    store.serve(&table, third.number, at(2)).unwrap();
    overtaken(store.parked(second.number, Position(0), 9).map(|_| ()));
    assert_eq!(store.generations().unwrap(), [Generation { served: true, since: Some(at(2)), ..third }]);
}

fn what_was_parked_is_served_with_it(subject: &mut Subject) {
    let store = subject.store();
    let (table, first) = begun(store);
    store.advance_past(&table, first, Position(4), Position(8), &[], &[failure(5)]).unwrap();
    store.stop(first, &failure(9)).unwrap();
    let built = generation(store);
    store.serve(&table, first, at(1)).unwrap();
    let served = Generation { served: true, since: Some(at(1)), ..built };
    assert_eq!((served.parked, served.stopped.clone()), (1, Some(failure(9))));
    // What is begun beside it has nothing of it, and takes nothing from it when it is abandoned.
    let second = store.build(&table).unwrap();
    assert_eq!((second.stopped.clone(), second.parked), (None, 0));
    store.advance_past(&table, second.number, Position(0), Position(5), &[], &[failure(5)]).unwrap();
    store.advance_part(&table, second.number, Position(5), None, &ahead(8, "a"), &[]).unwrap();
    store.abandon("balances").unwrap();
    subject.reopen();
    let store = subject.store();
    assert_eq!(store.generations().unwrap(), [served]);
    assert_eq!(store.parked(first, Position(0), 9).unwrap(), [failure(5)]);
}

fn other_rules_begin_at_nothing(subject: &mut Subject) {
    let store = subject.store();
    let (table, first) = begun(store);
    store.advance_past(&table, first, Position(4), Position(5), &[], &[failure(5)]).unwrap();
    store.stop(first, &failure(9)).unwrap();
    store.advance_part(&table, first, Position(5), None, &ahead(8, "a"), &[put("a", 2)]).unwrap();
    // The same rules go on with all of that.
    let resumed = store.build(&table).unwrap();
    assert_eq!((resumed.number, resumed.ahead.clone(), resumed.parked), (first, Some(ahead(8, "a")), 1));
    assert_eq!(resumed.stopped, Some(failure(9)));
    let other = Table { digest: "d2".into(), ..table.clone() };
    let second = store.build(&other).unwrap();
    assert_eq!((second.checkpoint, second.ahead.clone(), second.parked), (Position(0), None, 0));
    assert_eq!(second.stopped, None);
    overtaken(store.advance_part(&table, first, Position(5), Some(&ahead(8, "a")), &ahead(8, "b"), &[]));
    overtaken(store.advance_past(&table, first, Position(5), Position(8), &[], &[failure(6)]));
    assert_eq!(store.generations().unwrap(), [second]);
}

/// Appends an event within a turn.
fn more(store: &mut dyn Store, id: &str) {
    append(store, &command(id, "account/ada", 2), &[event("account/ada", "Added")]).unwrap();
}

fn rows_move_within_a_turn_or_not_at_all(subject: &mut Subject) {
    let store = subject.store();
    let (table, number) = begun(store);
    store.advance(&table, number, Position(4), Position(9), &[]).unwrap();
    store.serve(&table, number, at(1)).unwrap();
    let before = dump(store, &table);
    let change = |store: &mut dyn Store| {
        store.begin().unwrap();
        more(store, "c2");
        store.advance_in_turn(&table, number, Position(9), Position(10), &[put("a", 2), put("c", 1)]).unwrap();
        // The turn sees it, and goes on from there.
        assert_eq!(store.served("balances").unwrap().unwrap().checkpoint, Position(10));
        assert_eq!(store.rows(&table, number, &[text("c")]).unwrap(), [Some(row(text("c"), 1))]);
        more(store, "c3");
        let changes = [put("c", 2), RowChange::Delete(text("b"))];
        store.advance_in_turn(&table, number, Position(10), Position(11), &changes).unwrap();
        assert_eq!(all_rows(store, &table, number), [row(text("a"), 2), row(text("c"), 2)]);
    };
    change(store);
    store.rollback();
    assert_eq!(dump(store, &table), before);
    change(store);
    subject.reopen();
    assert_eq!(dump(subject.store(), &table), before, "nobody committed it");
    let store = subject.store();
    change(store);
    store.commit().unwrap();
    let after = dump(store, &table);
    assert_eq!(everything(store).len(), 11);
    store.rollback();
    subject.reopen();
    let store = subject.store();
    assert_eq!(dump(store, &table), after);
    assert_eq!(store.served("balances").unwrap().unwrap().checkpoint, Position(11));
    assert_eq!(all_rows(store, &table, number), [row(text("a"), 2), row(text("c"), 2)]);
}

fn a_step_in_a_turn_fits_what_is_there_or_nothing_is_written(subject: &mut Subject) {
    let store = subject.store();
    let (table, number) = begun(store);
    let change = [put("z", 9)];
    misuse(store.advance_in_turn(&table, number, Position(4), Position(9), &change));
    store.begin().unwrap();
    more(store, "c2");
    // Each is refused alone, and the turn goes on.
    for from in [3, 5] {
        overtaken(store.advance_in_turn(&table, number, Position(from), Position(10), &change));
    }
    overtaken(store.advance_in_turn(&table, number + 1, Position(4), Position(10), &change));
    misuse(store.advance_in_turn(&table, number, Position(4), Position(3), &change));
    misuse(store.advance_in_turn(&table, number, Position(4), Position(11), &change));
    let wrong = [put("z", 9), RowChange::Delete(Value::Null)];
    misuse(store.advance_in_turn(&table, number, Position(4), Position(10), &wrong));
    assert_eq!(all_rows(store, &table, number), [row(text("a"), 1), row(text("b"), 1)]);
    store.commit().unwrap();
    assert_eq!(everything(store).len(), 10);
    assert_eq!(generation(store).checkpoint, Position(4));

    store.advance_part(&table, number, Position(4), None, &ahead(8, "a"), &[]).unwrap();
    store.begin().unwrap();
    for to in [8, 10] {
        overtaken(store.advance_in_turn(&table, number, Position(4), Position(to), &change));
    }
    store.commit().unwrap();
    assert_eq!((generation(store).ahead, store.count(number).unwrap()), (Some(ahead(8, "a")), 2));
}

fn a_step_in_a_turn_passes_a_stop(subject: &mut Subject) {
    let store = subject.store();
    let (table, number) = begun(store);
    store.stop(number, &failure(8)).unwrap();
    let before = dump(store, &table);
    for (to, left) in [(7, Some(failure(8))), (8, None)] {
        store.begin().unwrap();
        store.advance_in_turn(&table, number, Position(4), Position(to), &[]).unwrap();
        assert_eq!(generation(store).stopped, left);
        store.rollback();
        assert_eq!(dump(store, &table), before);
    }
    store.begin().unwrap();
    store.advance_in_turn(&table, number, Position(4), Position(9), &[]).unwrap();
    store.commit().unwrap();
    assert_eq!((generation(store).checkpoint, generation(store).stopped), (Position(9), None));
}

fn what_is_written_alone_is_refused_in_a_turn(subject: &mut Subject) {
    let store = subject.store();
    let (table, number) = begun(store);
    store.advance_past(&table, number, Position(4), Position(5), &[], &[failure(5)]).unwrap();
    let before = dump(store, &table);
    store.begin().unwrap();
    misuse(store.advance_past(&table, number, Position(5), Position(9), &[], &[failure(8)]));
    misuse(store.advance_part(&table, number, Position(5), None, &ahead(8, "a"), &[put("a", 2)]));
    misuse(store.stop(number, &failure(8)));
    misuse(store.serve(&table, number, at(1)));
    // Looking is not.
    assert_eq!(store.parked(number, Position(0), 9).unwrap(), [failure(5)]);
    assert_eq!(generation(store).parked, 1);
    store.commit().unwrap();
    assert_eq!(dump(store, &table), before);
}
