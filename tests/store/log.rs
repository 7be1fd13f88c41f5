//! The write-ahead log that an unclean end leaves: read as SQLite reads it, and what SQLite would not say is said.

use super::*;
use crate::support::trial::scaled;
use esctl::store::sqlite::Notice;
use esctl::store::sqlite::log::{Committed, Log, Tail, scan};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rusqlite::Connection;
use std::fs;

const HEADER: usize = 32;
const FRAME: usize = 24 + 4096;

/// What a process that was killed leaves: the file, its log and the index of that.
struct Left {
    file: Vec<u8>,
    log: Vec<u8>,
    index: Vec<u8>,
    /// Frames at which a transaction ended.
    ends: Vec<usize>,
}

/// After so many commits, some of them before the log was begun anew.
fn left(earlier: usize, commits: usize) -> Left {
    let (folder, path) = place();
    let mut store = open(&path);
    let mut store_some = |from: usize, count: usize| {
        for n in from..from + count {
            let id = format!("c{n}");
            send(&mut store, &id, 1, &[("account/ada", "Done"), (&format!("account/{n}"), "Done")]);
        }
    };
    store_some(0, earlier);
    let other = Connection::open(&path).unwrap();
    other.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
    store_some(earlier, commits);
    let of = |end: &str| fs::read(format!("{}{end}", path.display())).unwrap();
    let log = of("-wal");
    let salt = &log[16..24];
    let frames = log[HEADER..].chunks_exact(FRAME).take_while(|frame| &frame[8..16] == salt).enumerate();
    let ends = frames.filter(|(_, frame)| frame[4..8] != [0; 4]).map(|(index, _)| index + 1).collect();
    let left = Left { file: of(""), log: log.clone(), index: of("-shm"), ends };
    drop(folder);
    assert_eq!(left.ends.len(), commits);
    left
}

fn scanned(log: &[u8], index: &[u8]) -> Log {
    scan(&mut &*log, Committed::read(index)).unwrap()
}

/// How many frames SQLite itself takes from a log.
fn taken_by_sqlite(left: &Left, log: &[u8]) -> u64 {
    let (_folder, path) = place();
    fs::write(&path, &left.file).unwrap();
    fs::write(format!("{}-wal", path.display()), log).unwrap();
    let connection = Connection::open(&path).unwrap();
    let taken = connection.query_row("PRAGMA wal_checkpoint", [], |row| row.get::<_, i64>(1)).unwrap();
    u64::try_from(taken).unwrap()
}

#[test]
fn a_whole_log_is_read_to_its_end() {
    for (earlier, commits) in [(0, 1), (0, 3), (9, 3), (3, 3)] {
        let left = left(earlier, commits);
        let end = *left.ends.last().unwrap() as u64;
        let whole = Log { frames: end, commits: commits as u64, tail: Tail::Nothing };
        assert_eq!(scanned(&left.log, &left.index), whole);
        assert_eq!(scanned(&left.log, &[]), whole);
        assert_eq!(taken_by_sqlite(&left, &left.log), end);
    }
    let nothing = Log { frames: 0, commits: 0, tail: Tail::Nothing };
    assert_eq!(scanned(&[], &[]), nothing);
    assert_eq!(scanned(&[0; 5000], &[]), nothing);
}

/// Wherever a bit of the log flips: with commits behind it that is damage. In the last transaction it could be that this
/// was never finished, unless the index tells otherwise.
#[test]
fn a_flipped_bit_is_damage_or_a_torn_end() {
    for (earlier, commits) in [(0, 1), (0, 3), (9, 3)] {
        let left = left(earlier, commits);
        let end = *left.ends.last().unwrap();
        let before = if commits == 1 { 0 } else { left.ends[commits - 2] };
        let of_header = (0..HEADER).map(|byte| (byte, None));
        // All bytes of the frames' heads and some of the pages.
        let within = (0..24).chain([24, 100, 2000, FRAME - 1]);
        let of_frames =
            (0..end).flat_map(|frame| within.clone().map(move |byte| (HEADER + frame * FRAME + byte, Some(frame))));
        for (at, frame) in of_header.chain(of_frames) {
            for bit in 0..8 {
                let mut log = left.log.clone();
                log[at] ^= 1 << bit;
                let found = scanned(&log, &[]);
                let known = scanned(&log, &left.index);
                let damaged = Tail::Damaged { at: frame.map_or(0, |frame| (HEADER + frame * FRAME) as u64) };
                match frame {
                    // The sequence number is in the header for people, and in its checksum.
                    None => assert_eq!((found.frames, found.tail), (0, damaged), "byte {at}, bit {bit}"),
                    // As if a transaction had ended here.
                    Some(frame)
                        if frame < before || ((4..8).contains(&(at - HEADER - frame * FRAME)) && frame + 1 < end) =>
                    {
                        assert_eq!((found.tail, known.tail), (damaged, damaged), "byte {at}, bit {bit}");
                    }
                    Some(frame) => {
                        assert!(
                            matches!(found.tail, Tail::Torn(_)),
                            "byte {at}, bit {bit} of frame {frame}: {found:?}"
                        );
                        assert_eq!(known.tail, damaged, "byte {at}, bit {bit} of frame {frame}");
                    }
                }
            }
        }
    }
}

#[test]
fn a_log_that_ends_early_is_torn_unless_it_is_known_to_have_been_longer() {
    let left = left(0, 3);
    let end = *left.ends.last().unwrap();
    for frame in 0..=end {
        for more in [0, 1, 24, 25, FRAME - 1] {
            let length = HEADER + frame * FRAME + more;
            if length > left.log.len() {
                continue;
            }
            let log = &left.log[..length];
            let commits = left.ends.iter().filter(|end| **end <= frame).count();
            let whole = if commits == 0 { 0 } else { left.ends[commits - 1] };
            // Less than the head of a frame cannot be told from nothing.
            let torn = (frame - whole) as u64 + u64::from(more >= 24);
            let found = scanned(log, &[]);
            let tail = if torn == 0 { Tail::Nothing } else { Tail::Torn(torn) };
            assert_eq!(found, Log { frames: whole as u64, commits: commits as u64, tail }, "{frame} frames and {more}");
            let known = scanned(log, &left.index).tail;
            if commits < 3 {
                assert_eq!(known, Tail::Damaged { at: (HEADER + frame * FRAME) as u64 });
            } else {
                assert_eq!(known, Tail::Nothing);
            }
        }
    }
}

/// Something that happens to a log; where, as a part of it in 1/65,536.
#[derive(Debug, Clone)]
enum Harm {
    Flip(u16, u8),
    ZeroedSector(u16),
    Cut(u16),
    More(Vec<u8>),
    /// A frame is written over another.
    Copied(usize, usize),
}

fn harm() -> impl Strategy<Value = Harm> {
    prop_oneof![
        4 => (any::<u16>(), 0..8_u8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        2 => (0..400_u16, 0..8_u8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        2 => any::<u16>().prop_map(Harm::ZeroedSector),
        1 => any::<u16>().prop_map(Harm::Cut),
        1 => prop::collection::vec(any::<u8>(), 0..9000).prop_map(Harm::More),
        2 => (0..30_usize, 0..30_usize).prop_map(|(from, to)| Harm::Copied(from, to)),
    ]
}

fn harmed(log: &[u8], harms: &[Harm]) -> Vec<u8> {
    let mut log = log.to_vec();
    for harm in harms {
        let place = |at: u16| usize::from(at) * log.len() / 65_536;
        match harm {
            _ if log.is_empty() => {}
            Harm::Flip(at, bit) => {
                let at = place(*at);
                log[at] ^= 1 << bit;
            }
            Harm::ZeroedSector(at) => {
                let start = place(*at) / 512 * 512;
                let end = log.len().min(start + 512);
                log[start..end].fill(0);
            }
            Harm::Cut(at) => log.truncate(place(*at)),
            Harm::More(bytes) => log.extend(bytes),
            Harm::Copied(from, to) => {
                let at = |frame: &usize| HEADER + frame * FRAME..HEADER + (frame + 1) * FRAME;
                if let Some(frame) = log.get(at(from)).map(<[u8]>::to_vec)
                    && let Some(place) = log.get_mut(at(to))
                {
                    place.copy_from_slice(&frame);
                }
            }
        }
    }
    log
}

/// Whatever happens to a log, what counts as whole is what SQLite takes, and what it leaves is said.
#[test]
fn whatever_happens_to_a_log_it_is_read_as_sqlite_reads_it() {
    let originals = [left(0, 1), left(0, 4), left(12, 3)];
    let cases = u32::try_from(scaled(2_000, 100_000)).unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let strategy = (0..originals.len(), prop::collection::vec(harm(), 1..4), any::<bool>());
    let outcome = TestRunner::new(config).run(&strategy, |(original, harms, index)| {
        let left = &originals[original];
        let log = harmed(&left.log, &harms);
        let found = scanned(&log, if index { &left.index } else { &[] });
        prop_assert_eq!(found.frames, taken_by_sqlite(left, &log));
        let all = *left.ends.last().unwrap() as u64;
        if index && found.frames < all && Shape::of(&log) == Shape::of(&left.log) {
            prop_assert!(matches!(found.tail, Tail::Damaged { .. }), "{:?}", found);
        }
        Ok(())
    });
    outcome.unwrap();
}

/// What makes a log this one.
#[derive(Debug, PartialEq, Eq)]
struct Shape<'a>(Option<&'a [u8]>);

impl<'a> Shape<'a> {
    fn of(log: &'a [u8]) -> Self {
        Self(log.get(..HEADER))
    }
}

#[test]
fn an_index_that_is_not_whole_says_nothing() {
    let left = left(0, 2);
    assert!(Committed::read(&left.index).is_some());
    for at in 0..96 {
        let mut index = left.index.clone();
        index[at] ^= 1;
        assert_eq!(Committed::read(&index), None, "byte {at}");
    }
    for length in 0..96 {
        assert_eq!(Committed::read(&left.index[..length]), None);
    }
}

/// The files of a process that was killed, under a name of their own.
fn put(path: &Path, left: &Left, log: &[u8], index: bool) {
    fs::write(path, &left.file).unwrap();
    fs::write(format!("{}-wal", path.display()), log).unwrap();
    if index {
        fs::write(format!("{}-shm", path.display()), &left.index).unwrap();
    }
}

fn notices(store: &SqliteStore) -> Vec<String> {
    store.notices().iter().map(Notice::to_string).collect()
}

#[test]
fn a_damaged_log_is_not_opened_for_anything_and_stays_as_it_is() {
    let left = left(0, 3);
    for (frame, index) in [(0, false), (2, true), (left.ends[2] - 1, true)] {
        let (folder, path) = place();
        let mut log = left.log.clone();
        log[HEADER + frame * FRAME + 500] ^= 4;
        put(&path, &left, &log, index);
        for access in [Access::Create(ID.into()), Access::Write, Access::Read] {
            let Err(StoreError::Damaged(words)) = SqliteStore::open(&path, Options::new(access)) else {
                panic!("it was opened");
            };
            let at = HEADER + frame * FRAME;
            assert!(
                words.contains(&format!("esctl.db-wal` is damaged: what stands at byte {at} was altered")),
                "{words}"
            );
        }
        assert_eq!(fs::read(format!("{}-wal", path.display())).unwrap(), log);
        assert_eq!(fs::read(&path).unwrap(), left.file);
        drop(folder);
    }
}

#[test]
fn a_torn_end_is_dropped_and_said_once() {
    let left = left(0, 3);
    let (_folder, path) = place();
    let mut log = left.log.clone();
    log[HEADER + (left.ends[2] - 1) * FRAME + 500] ^= 4;
    put(&path, &left, &log, false);
    let mut store = open(&path);
    let [notice] = &notices(&store)[..] else { panic!("{:?}", notices(&store)) };
    let pages = left.ends[2] - left.ends[1];
    let said = format!("esctl.db-wal` ends in a transaction that is not whole ({pages} pages)");
    assert!(notice.contains(&said), "{notice}");
    assert_eq!(everything(&mut store).len(), 4);
    // Others that come while it is open hear nothing of it, nor who comes later.
    assert_eq!(notices(&open(&path)), [""; 0]);
    send(&mut store, "again", 1, &[("account/ada", "Done")]);
    drop(store);
    let mut store = open(&path);
    assert_eq!(notices(&store), [""; 0]);
    assert_eq!(everything(&mut store).len(), 5);
    store.check_integrity().unwrap();
}

/// While somebody has the store open, the log is as SQLite's index says, and nobody looks into it.
#[test]
fn a_log_in_use_is_not_looked_into() {
    let (_folder, path) = place();
    let mut store = open(&path);
    for n in 0..3 {
        send(&mut store, &format!("c{n}"), 1, &[("account/ada", "Done")]);
    }
    let log = format!("{}-wal", path.display());
    let mut bytes = fs::read(&log).unwrap();
    bytes.truncate(HEADER + FRAME / 2);
    // A transaction that another program is writing looks like that.
    assert!(matches!(scanned(&bytes, &[]).tail, Tail::Torn(_)));
    let more = open(&path);
    assert_eq!(notices(&more), [""; 0]);
    drop((more, store));
    assert!(!Path::new(&log).exists(), "whoever closes last takes the log away");
}
