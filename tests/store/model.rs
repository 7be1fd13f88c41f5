//! Random operations: the file does what the reference in memory does. `ESCTL_SCALE` says how many.

// Here a `match` shows both cases alike.
#![allow(clippy::match_bool)]

use super::*;
use crate::support::trial::scaled;
use esctl::event::Version;
use esctl::store::{Ahead, RowChange, SnapshotInfo};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use std::fmt::Debug;

#[derive(Debug, Clone)]
enum Operation {
    Begin,
    /// Id, time, domain, and events as (stream, type).
    Append(u8, i64, u8, Vec<(u8, u8)>),
    Commit,
    Rollback,
    Reopen,
    ReadStream(u8, u64, usize, bool),
    ReadAll(u64, usize, bool, Filter),
    ReadBack(Option<u64>, usize, bool, Filter),
    Moments(u8, i64, u64),
    Streams(Option<u8>, usize),
    Command(u8),
    Domain(u8),
    Build(u8, u8),
    Abandon(u8),
    /// The last are the events that were not applied.
    Advance(u8, u64, u64, u64, Vec<(bool, Key)>, Vec<u64>),
    /// The checkpoint and where rows are ahead, if not as they are; how far they are to be then.
    Part(u8, u64, Option<(u64, u64, u8)>, (u64, u8), Vec<(bool, Key)>),
    /// All that is missing, whatever is ahead.
    AdvanceOn(u8, u64, Vec<(bool, Key)>, Vec<u64>),
    /// From and to where, if not all that is missing.
    InTurn(u8, u64, Option<(u64, u64)>, Vec<(bool, Key)>),
    Stop(u64, u64),
    Parked(u64, u64, usize),
    Serve(u8, u64, i64),
    Select(u8, u64, Option<Key>, usize),
    Rows(u8, u64, Vec<Key>),
    /// Stream, rules, version.
    Keep(u8, u8, u64),
    Drop(u8),
    Latest(u8, u8, u64),
    Snapshots(u8, Option<(u8, u64)>, usize),
}

/// Stream, aggregate, types of aggregates, type.
type Filter = (Option<u8>, Option<u8>, Option<Vec<(u8, u8)>>, Option<u8>);

/// Digits and scale of a decimal.
type Key = (i128, u32);

fn operation() -> impl Strategy<Value = Operation> {
    let filter = || {
        let rarely = |n| prop::option::weighted(0.2, 0..n);
        (
            rarely(8_u8),
            rarely(3),
            prop::option::weighted(0.3, prop::collection::vec((0..3_u8, 0..4_u8), 0..4)),
            rarely(4),
        )
    };
    let digits = prop_oneof![
        -20..20_i128,
        -1_000_000_000_000_000_000_i128..1_000_000_000_000_000_000,
        Just(i128::from(i64::MIN)),
        Just(79_228_162_514_264_337_593_543_950_335_i128)
    ];
    let key = || (digits.clone(), 0..4_u32);
    let generation = || 0..6_u64;
    let changes = || prop::collection::vec((any::<bool>(), key()), 0..6);
    let positions = || prop::collection::vec(0..6_u64, 0..3);
    prop_oneof![
        6 => Just(Operation::Begin),
        12 => (0..40_u8, 0..6_i64, 0..3_u8, prop::collection::vec((0..8_u8, 0..4_u8), 0..5))
            .prop_map(|(id, time, domain, events)| Operation::Append(id, time, domain, events)),
        5 => Just(Operation::Commit),
        2 => Just(Operation::Rollback),
        1 => Just(Operation::Reopen),
        2 => (0..8_u8, 0..6_u64, 0..5_usize, any::<bool>()).prop_map(|(s, a, l, c)| Operation::ReadStream(s, a, l, c)),
        3 => (0..40_u64, 0..9_usize, any::<bool>(), filter()).prop_map(|(a, l, c, f)| Operation::ReadAll(a, l, c, f)),
        3 => (prop::option::of(0..40_u64), 0..9_usize, any::<bool>(), filter())
            .prop_map(|(b, l, c, f)| Operation::ReadBack(b, l, c, f)),
        2 => (0..8_u8, 0..7_i64, 0..40_u64).prop_map(|(s, t, p)| Operation::Moments(s, t, p)),
        1 => (prop::option::of(0..8_u8), 0..5_usize).prop_map(|(a, l)| Operation::Streams(a, l)),
        1 => (0..40_u8).prop_map(Operation::Command),
        1 => (0..4_u8).prop_map(Operation::Domain),
        2 => (0..2_u8, 0..3_u8).prop_map(|(p, d)| Operation::Build(p, d)),
        1 => (0..2_u8).prop_map(Operation::Abandon),
        4 => (0..2_u8, generation(), 0..3_u64, 0..4_u64, changes(), positions())
            .prop_map(|(p, g, f, t, c, n)| Operation::Advance(p, g, f, t, c, n)),
        4 => (0..2_u8, generation(), prop::option::weighted(0.2, (0..3_u64, 0..4_u64, 0..4_u8)), (0..5_u64, 0..9_u8), changes())
            .prop_map(|(p, g, before, to, c)| Operation::Part(p, g, before, to, c)),
        2 => (0..2_u8, generation(), changes(), positions()).prop_map(|(p, g, c, n)| Operation::AdvanceOn(p, g, c, n)),
        4 => (0..2_u8, generation(), prop::option::weighted(0.3, (0..4_u64, 0..6_u64)), changes())
            .prop_map(|(p, g, step, c)| Operation::InTurn(p, g, step, c)),
        2 => (generation(), 0..6_u64).prop_map(|(g, n)| Operation::Stop(g, n)),
        1 => (generation(), 0..6_u64, 0..3_usize).prop_map(|(g, a, l)| Operation::Parked(g, a, l)),
        2 => (0..2_u8, generation(), 0..5_i64).prop_map(|(p, g, t)| Operation::Serve(p, g, t)),
        2 => (0..2_u8, generation(), prop::option::of(key()), 0..4_usize).prop_map(|(p, g, a, l)| Operation::Select(p, g, a, l)),
        1 => (0..2_u8, generation(), prop::collection::vec(key(), 0..3)).prop_map(|(p, g, k)| Operation::Rows(p, g, k)),
        8 => (0..8_u8, 0..3_u8, 0..6_u64).prop_map(|(s, d, v)| Operation::Keep(s, d, v)),
        1 => (0..8_u8).prop_map(Operation::Drop),
        4 => (0..8_u8, 0..3_u8, 0..6_u64).prop_map(|(s, d, v)| Operation::Latest(s, d, v)),
        2 => (0..8_u8, prop::option::of((0..3_u8, 0..6_u64)), 0..3_usize)
            .prop_map(|(s, a, l)| Operation::Snapshots(s, a, l)),
    ]
}

fn name(n: u8) -> StreamName {
    stream(&format!("{}/{}", aggregate(n % 3), n / 3))
}

fn aggregate(n: u8) -> Box<str> {
    format!("kind{n}").into()
}

fn kind(n: u8) -> Box<str> {
    format!("Type{n}").into()
}

fn filter(&(stream, of, ref kinds, only): &Filter) -> EventFilter {
    EventFilter {
        stream: stream.map(name),
        aggregate: of.map(aggregate),
        kinds: kinds.as_ref().map(|all| all.iter().map(|(a, k)| (aggregate(*a), kind(*k))).collect()),
        kind: only.map(kind),
    }
}

fn key(&(digits, scale): &Key) -> Value {
    Value::Decimal(rust_decimal::Decimal::from_i128_with_scale(digits, scale))
}

/// A table for each projection; the digest does not matter but for `build`.
fn projection(n: u8, digest: u8) -> Table {
    table(&format!("projection{n}"), ColumnKind::Decimal, &format!("digest{digest}"))
}

/// What came out, as text to compare; of an error only its kind, since one of them names a file.
fn outcome<T: Debug>(outcome: Result<T, StoreError>) -> String {
    match outcome {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error:?}").split('(').next().unwrap_or_default().to_owned(),
    }
}

fn apply(subject: &mut Subject, operation: &Operation) -> String {
    if let Operation::Reopen = operation {
        subject.reopen();
        return String::new();
    }
    let store = subject.store();
    match operation {
        Operation::Begin => outcome(store.begin()),
        Operation::Append(id, time, domain, events) => {
            let events: Vec<_> = events.iter().map(|(s, k)| event(name(*s).as_str(), &kind(*k))).collect();
            let to = name(id % 8);
            let command =
                Command { domain: format!("d{domain}").into(), ..command(&format!("c{id}"), to.as_str(), *time) };
            outcome(append(store, &command, &events))
        }
        Operation::Commit => outcome(store.commit()),
        Operation::Rollback => {
            store.rollback();
            String::new()
        }
        Operation::Reopen => String::new(),
        Operation::ReadStream(s, after, limit, commands) => {
            let mut page = Vec::new();
            outcome(store.read_stream(&name(*s), Version(*after), *limit, *commands, &mut page).map(|()| page))
        }
        Operation::ReadAll(after, limit, commands, f) => {
            outcome(store.read_all(Position(*after), *limit, *commands, &filter(f)))
        }
        Operation::ReadBack(before, limit, commands, f) => {
            outcome(store.read_back(before.map(Position), *limit, *commands, &filter(f)))
        }
        Operation::Moments(s, time, position) => {
            let version = outcome(store.version_at(&name(*s), Position(*position)));
            format!("{} {version}", outcome(store.position_at(at(*time))))
        }
        Operation::Streams(after, limit) => outcome(store.streams(after.map(name).as_ref(), *limit)),
        Operation::Command(id) => outcome(store.command(&format!("c{id}"))),
        Operation::Domain(n) => outcome(store.knows_domain(&format!("d{n}"))),
        Operation::Build(p, digest) => outcome(store.build(&projection(*p, *digest))),
        Operation::Abandon(p) => outcome(store.abandon(&projection(*p, 0).name)),
        // A generation belongs to a projection: asking with another one's table would be a bug.
        Operation::Advance(p, generation, from, to, changes, parked) => match of(store, *generation, *p) {
            true => {
                let (changes, parked) = (row_changes(changes), failures(parked));
                let (table, from, to) = (projection(*p, 0), Position(*from), Position(*to));
                outcome(store.advance_past(&table, *generation, from, to, &changes, &parked))
            }
            false => String::new(),
        },
        Operation::Part(p, generation, before, to, changes) => match of(store, *generation, *p) {
            true => {
                let (from, before) = match before {
                    Some((from, to, key)) => (Position(*from), Some(ahead(*to, *key))),
                    None => known(store, *generation),
                };
                let (table, to, changes) = (projection(*p, 0), ahead(to.0, to.1), row_changes(changes));
                outcome(store.advance_part(&table, *generation, from, before.as_ref(), &to, &changes))
            }
            false => String::new(),
        },
        Operation::AdvanceOn(p, generation, changes, parked) => match of(store, *generation, *p) {
            true => {
                let (from, ahead) = known(store, *generation);
                let to = ahead.map_or(store.head().unwrap().position, |ahead| ahead.position);
                let (changes, parked) = (row_changes(changes), failures(parked));
                outcome(store.advance_past(&projection(*p, 0), *generation, from, to, &changes, &parked))
            }
            false => String::new(),
        },
        Operation::InTurn(p, generation, step, changes) => match of(store, *generation, *p) {
            true => {
                let all = || (known(store, *generation).0, store.head().unwrap().position);
                let (from, to) = step.map_or_else(all, |(from, to)| (Position(from), Position(to)));
                outcome(store.advance_in_turn(&projection(*p, 0), *generation, from, to, &row_changes(changes)))
            }
            false => String::new(),
        },
        Operation::Stop(generation, position) => outcome(store.stop(*generation, &failure(*position))),
        Operation::Parked(generation, after, limit) => outcome(store.parked(*generation, Position(*after), *limit)),
        Operation::Serve(p, generation, time) => match of(store, *generation, *p) {
            true => outcome(store.serve(&projection(*p, 0), *generation, at(*time))),
            false => String::new(),
        },
        Operation::Select(p, generation, after, limit) => {
            let filter = RowFilter { key: None, after: after.as_ref().map(key), limit: *limit };
            match of(store, *generation, *p) {
                true => outcome(store.select(&projection(*p, 0), *generation, &filter)),
                false => outcome(store.count(*generation)),
            }
        }
        Operation::Keep(s, digest, version) => {
            let state = format!("{{\"version\":{version}}}");
            outcome(store.keep_snapshot(&name(*s), &format!("f{digest}"), Version(*version), &state))
        }
        Operation::Drop(s) => outcome(store.drop_snapshots(&name(*s))),
        Operation::Latest(s, digest, until) => {
            outcome(store.snapshot(&name(*s), &format!("f{digest}"), Version(*until)))
        }
        Operation::Snapshots(s, after, limit) => {
            let after = after.map(|(digest, version)| SnapshotInfo {
                stream: name(*s),
                version: Version(version),
                digest: format!("f{digest}").into(),
                bytes: 0,
            });
            outcome(store.snapshots(&name(*s), after.as_ref(), *limit))
        }
        Operation::Rows(p, generation, keys) => match of(store, *generation, *p) {
            true => outcome(store.rows(&projection(*p, 0), *generation, &keys.iter().map(key).collect::<Vec<_>>())),
            false => String::new(),
        },
    }
}

fn row_changes(changes: &[(bool, Key)]) -> Vec<RowChange> {
    let change = |(n, (put, k)): (usize, &(bool, Key))| match put {
        true => {
            let mut row = row(key(k), i64::try_from(n).unwrap());
            row[2] = key(k);
            row[5] = key(k);
            RowChange::Put(row)
        }
        false => RowChange::Delete(key(k)),
    };
    changes.iter().enumerate().map(change).collect()
}

fn ahead(position: u64, key: u8) -> Ahead {
    Ahead { position: Position(position), key: key.to_string().into() }
}

fn failures(positions: &[u64]) -> Vec<Failure> {
    positions.iter().map(|position| failure(*position)).collect()
}

/// How far a generation has come.
fn known(store: &mut dyn Store, generation: u64) -> (Position, Option<Ahead>) {
    let all = store.generations().unwrap();
    let found = all.into_iter().find(|found| found.number == generation);
    found.map_or((Position(0), None), |found| (found.checkpoint, found.ahead))
}

/// Whether the generation is not one of another projection.
fn of(store: &mut dyn Store, generation: u64, p: u8) -> bool {
    let all = store.generations().unwrap();
    all.iter().all(|g| g.number != generation || g.projection == projection(p, 0).name)
}

#[test]
fn the_file_does_what_the_reference_does() {
    let cases = u32::try_from(scaled(256, 100_000)).unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(operation(), 1..80), |operations| {
        let (mut file, mut memory) = (Subject::sqlite(), Subject::memory());
        for operation in &operations {
            let (real, expected) = (apply(&mut file, operation), apply(&mut memory, operation));
            prop_assert_eq!(real, expected, "{:?}", operation);
        }
        for subject in [&mut file, &mut memory] {
            subject.store().rollback();
        }
        let any = projection(0, 0);
        if dump(file.store(), &any) == dump(memory.store(), &any) {
            return Ok(());
        }
        Err(TestCaseError::fail("the stores differ at the end"))
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
