//! A store as it was: it answers as one that never got any further.

use super::*;
use crate::props::config;
use esctl::event::Version;
use esctl::store::past::Past;
use esctl::store::{Ahead, RowChange};
use proptest::prelude::*;

/// A command: its domain, how much later it is than the one before, its events as (stream, type).
type History = Vec<(u8, i64, Vec<(u8, u8)>)>;

fn history() -> impl Strategy<Value = History> {
    let events = prop::collection::vec((0..6_u8, 0..3_u8), 1..4);
    prop::collection::vec((0..3_u8, 0..3_i64, events), 0..12)
}

fn name(n: u8) -> String {
    format!("kind{}/{}", n % 2, n / 2)
}

/// Sends the commands; gives the positions at which the store ended in between, with how many there were by then.
fn fill(store: &mut dyn Store, history: &History) -> Vec<(Position, usize)> {
    let mut ends = vec![(Position(0), 0)];
    let mut time = 0;
    for (number, (domain, later, events)) in history.iter().enumerate() {
        time += later;
        let events: Vec<_> = events.iter().map(|(to, kind)| event(&name(*to), &format!("Type{kind}"))).collect();
        let command = Command {
            domain: format!("d{domain}").into(),
            ..command(&format!("c{number}"), events[0].stream.as_str(), time)
        };
        store.begin().unwrap();
        append(store, &command, &events).unwrap();
        store.commit().unwrap();
        ends.push((store.head().unwrap().position, number + 1));
    }
    ends
}

/// Everything that can be asked of a store, with what it answers.
fn answers(store: &mut dyn Store) -> String {
    let mut out = String::new();
    let (head, generations) = (store.head().unwrap(), store.generations().unwrap());
    writeln!(out, "{} {head:?} {generations:?}", store.id()).unwrap();
    let streams: Vec<StreamName> = (0..7).map(|n| stream(&name(n))).collect();
    for (n, one) in streams.iter().enumerate() {
        writeln!(out, "{one} {:?}", store.version(one).unwrap()).unwrap();
        for (after, limit, commands) in [(0, 99, true), (0, 2, false), (1, 1, true), (2, 3, false), (9, 1, true)] {
            // What is there already is left alone.
            let mut page = Vec::new();
            store.read_stream(&streams[(n + 1) % 7], Version(0), 1, false, &mut page).unwrap();
            store.read_stream(one, Version(after), limit, commands, &mut page).unwrap();
            writeln!(out, "{after} {limit} {page:?}").unwrap();
        }
        for limit in [0, 1, 2, 99] {
            writeln!(out, "{:?}", store.streams(Some(one), limit).unwrap()).unwrap();
        }
        for position in 0..40 {
            write!(out, "{} ", store.version_at(one, Position(position)).unwrap()).unwrap();
        }
    }
    writeln!(out, "{:?} {:?}", store.streams(None, 99), store.streams(None, 2)).unwrap();
    let kinds = vec![("kind0".into(), "Type1".into()), ("kind1".into(), "Type0".into())];
    let filters = [
        EventFilter::default(),
        EventFilter { stream: Some(streams[1].clone()), ..EventFilter::default() },
        EventFilter { aggregate: Some("kind0".into()), ..EventFilter::default() },
        EventFilter { kind: Some("Type2".into()), ..EventFilter::default() },
        EventFilter { kinds: Some(kinds), ..EventFilter::default() },
        EventFilter { kind: Some("Nothing".into()), ..EventFilter::default() },
    ];
    for filter in &filters {
        for limit in [0, 1, 3, 99] {
            for at in [0, 1, 4, 9, 40] {
                writeln!(out, "{:?}", store.read_all(Position(at), limit, at % 2 == 0, filter).unwrap()).unwrap();
                let before = (at > 0).then(|| Position(at - 1));
                writeln!(out, "{:?}", store.read_back(before, limit, at % 2 == 1, filter).unwrap()).unwrap();
            }
        }
    }
    for n in 0..40 {
        let (time, hash) = (store.position_at(at(n)).unwrap(), store.hash_at(Position(n.unsigned_abs())).unwrap());
        writeln!(out, "{time} {hash:?}").unwrap();
    }
    for n in 0..14 {
        writeln!(out, "{:?}", store.command(&format!("c{n}")).unwrap()).unwrap();
    }
    for n in 0..4 {
        let digest = format!("d{n}");
        writeln!(out, "{} {:?}", store.knows_domain(&digest).unwrap(), store.domain_text(&digest).unwrap()).unwrap();
    }
    writeln!(out, "{:?}", store.domains().unwrap()).unwrap();
    out
}

/// A store of that kind, which lives as long as its folder.
fn new(sqlite: bool) -> (Option<TempDir>, Box<dyn Store>) {
    if !sqlite {
        return (None, Box::new(MemoryStore::new(ID)));
    }
    let (folder, path) = place();
    (Some(folder), Box::new(open(&path)))
}

/// Where the stories would be too many, in the file, they are fewer.
fn cases(part: u32) -> ProptestConfig {
    let config = config();
    ProptestConfig { cases: (config.cases / part).max(1), ..config }
}

fn law(sqlite: bool, history: &History) -> Result<(), TestCaseError> {
    let (_folder, mut store) = new(sqlite);
    for (end, commands) in fill(store.as_mut(), history) {
        let (_folder, mut then) = new(sqlite);
        fill(then.as_mut(), &history[..commands].to_vec());
        let mut past = Past::new(store, end).unwrap();
        let (past_answers, then_answers) = (answers(&mut past), answers(then.as_mut()));
        for (past, then) in past_answers.lines().zip(then_answers.lines()) {
            prop_assert_eq!(past, then, "at {}", end);
        }
        prop_assert_eq!(past_answers.len(), then_answers.len());
        store = past.into_inner();
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn in_memory_it_answers_as_one_that_was_only_filled_so_far(history in history()) {
        law(false, &history)?;
    }
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn in_a_file_it_answers_as_one_that_was_only_filled_so_far(history in history()) {
        law(true, &history)?;
    }
}

/// Two commands with three events each.
fn two(store: &mut dyn Store) {
    send(store, "one", 1, &[("a/1", "Did"), ("a/2", "Did"), ("a/1", "Did")]);
    send(store, "two", 2, &[("a/2", "Did"), ("a/1", "Did"), ("a/3", "Did")]);
}

#[test]
fn in_the_middle_of_a_command_it_shows_the_first_of_its_events() {
    for sqlite in [false, true] {
        let (_folder, mut store) = new(sqlite);
        two(store.as_mut());
        let all = everything(store.as_mut());
        let hash = store.hash_at(Position(5)).unwrap();
        let mut past = Past::new(store, Position(5)).unwrap();
        assert_eq!(everything(&mut past), all[..5]);
        assert_eq!(past.head().unwrap().position, Position(5));
        let stored = past.command("two").unwrap().unwrap();
        assert_eq!((stored.events.len(), Some(stored.head)), (2, hash));
        let streams = past.streams(None, 9).unwrap();
        let known = streams.iter().map(|info| (info.name.as_str(), info.version.0, info.last.0)).collect::<Vec<_>>();
        assert_eq!(known, [("a/1", 3, 5), ("a/2", 2, 4)]);
    }
}

#[test]
fn what_is_appended_beneath_is_not_seen() {
    let (folder, path) = place();
    two(&mut open(&path));
    let mut past = Past::new(Box::new(open(&path)), Position(3)).unwrap();
    let before = answers(&mut past);
    send(&mut open(&path), "three", 3, &[("a/0", "Did"), ("a/1", "Did"), ("b/1", "Did")]);
    assert_eq!(answers(&mut past), before);
    drop(folder);
}

#[test]
fn beyond_the_end_there_is_no_past() {
    for sqlite in [false, true] {
        let (_folder, mut store) = new(sqlite);
        two(store.as_mut());
        let refused = Past::new(store, Position(7));
        assert!(matches!(refused, Err(StoreError::Misuse(words)) if words.contains("position 7")));
    }
}

#[test]
fn it_cannot_be_written_to_and_has_no_read_models() {
    let mut store = MemoryStore::new(ID);
    two(&mut store);
    let table = table("sums", ColumnKind::Text, "digest");
    let generation = store.build(&table).unwrap().number;
    store.serve(&table, generation, at(5)).unwrap();
    let before = dump(&mut store, &table);
    let mut past = Past::new(Box::new(store), Position(3)).unwrap();
    let ahead = Ahead { position: Position(3), key: "a".into() };
    let changes = [RowChange::Put(row(text("a"), 1))];
    let (from, to) = (Position(0), Position(3));
    let decided = append(&mut past, &command("three", "a/1", 9), &[event("a/1", "Did")]).map(|_| ());
    let refused = [
        past.begin(),
        decided,
        past.commit(),
        past.build(&table).map(|_| ()),
        past.abandon("sums"),
        past.advance(&table, generation, from, to, &changes),
        past.advance_part(&table, generation, from, None, &ahead, &changes),
        past.advance_in_turn(&table, generation, from, to, &changes),
        past.stop(generation, &failure(1)),
        past.serve(&table, generation, at(6)),
        past.verify(Position(0), &mut |_, _| {}).map(|_| ()),
        past.keep(&ProcessChange::Sent(1)),
    ];
    for (number, refused) in refused.into_iter().enumerate() {
        let Err(StoreError::Misuse(words)) = refused else { panic!("number {number} was not refused: {refused:?}") };
        assert_eq!(words, "a store as it was at position 3 can only be read", "number {number}");
    }
    past.rollback();
    assert_eq!(past.served("sums").unwrap(), None);
    let unknown = [
        past.count(generation).map(|_| ()),
        past.rows(&table, generation, &[text("a")]).map(|_| ()),
        past.select(&table, generation, &RowFilter::default()).map(|_| ()),
        past.parked(generation, Position(0), 9).map(|_| ()),
    ];
    assert!(unknown.iter().all(|outcome| matches!(outcome, Err(StoreError::Overtaken))), "{unknown:?}");
    let mut store = past.into_inner();
    assert_eq!(dump(store.as_mut(), &table), before);
}
