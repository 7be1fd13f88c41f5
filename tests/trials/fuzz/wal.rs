//! The write-ahead log that an unclean end leaves.

use super::Fuzzer;
use crate::store::{open, place, send};
use esctl::store::sqlite::log::{Committed, Tail, scan};
use rusqlite::Connection;
use std::fs;

const HEADER: usize = 32;
const FRAME: usize = 24 + 4096;

/// A log and the index beside it, after so many commits; begun anew before the last of them.
fn left(commits: usize, anew: bool) -> (Vec<u8>, Vec<u8>) {
    let (_folder, path) = place();
    let mut store = open(&path);
    for n in 0..commits {
        if anew && n == commits / 2 {
            let other = Connection::open(&path).unwrap();
            other.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
        }
        send(&mut store, &format!("c{n}"), 1, &[("account/ada", "Done")]);
    }
    let of = |end: &str| fs::read(format!("{}{end}", path.display())).unwrap();
    (of("-wal"), of("-shm"))
}

/// Brings the checksums in line, so that what was changed is not only found by them.
fn summed(log: &mut [u8]) {
    let big = log[3] & 1 == 1;
    let sum = |bytes: &[u8], (mut a, mut b): (u32, u32)| {
        for pair in bytes.chunks_exact(8) {
            let number = |at: usize| {
                let bytes = [pair[at], pair[at + 1], pair[at + 2], pair[at + 3]];
                if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
            };
            a = a.wrapping_add(number(0)).wrapping_add(b);
            b = b.wrapping_add(number(4)).wrapping_add(a);
        }
        (a, b)
    };
    let put = |bytes: &mut [u8], (a, b): (u32, u32)| {
        bytes[..4].copy_from_slice(&a.to_be_bytes());
        bytes[4..8].copy_from_slice(&b.to_be_bytes());
    };
    let mut before = sum(&log[..24], (0, 0));
    put(&mut log[24..32], before);
    for frame in log[HEADER..].chunks_exact_mut(FRAME) {
        before = sum(&frame[24..], sum(&frame[..8], before));
        put(&mut frame[16..24], before);
    }
}

#[test]
fn logs() {
    let originals = [left(1, false), left(2, false), left(5, true)];
    let seeds = originals.iter().map(|(log, _)| log.clone()).collect();
    let words = &["\0\0\0\0\0\0\0\0", "\u{37f}\u{6}", "\0\0\0\u{1}", "\0\0\u{2}\0"];
    Fuzzer::new("log", seeds, words, 20 * FRAME).run(|dice, input| {
        let mut log = input.to_vec();
        if log.len() > HEADER && dice.below(2) == 0 {
            summed(&mut log);
        }
        let mut index = originals[dice.below(originals.len())].1.clone();
        if dice.below(4) == 0 {
            let at = dice.below(136.min(index.len()));
            index[at] ^= 1 << dice.below(8);
        }
        let known = if dice.below(2) == 0 { Committed::read(&index) } else { None };
        let found = scan(&mut &*log, known).unwrap();
        assert_eq!(scan(&mut &*log, known).unwrap(), found);
        // The smallest page has 512 bytes.
        let most = log.len().saturating_sub(HEADER) / (24 + 512);
        assert!(found.frames <= most as u64 && found.commits <= found.frames, "{found:?}");
        assert!(found.commits > 0 || found.frames == 0, "{found:?}");
        match found.tail {
            Tail::Damaged { at } => assert!(at <= log.len() as u64, "{found:?}"),
            Tail::Torn(frames) => assert!(found.frames + frames <= most as u64 + 1, "{found:?}"),
            Tail::Nothing => {}
        }
        // A whole transaction more or less does not change what comes before it.
        if found.tail == Tail::Nothing && known.is_none() {
            let cut = &log[..log.len().min(HEADER + usize::try_from(found.frames).unwrap() * FRAME)];
            let again = scan(&mut &*cut, None).unwrap();
            assert!(again.frames <= found.frames && again.commits <= found.commits);
        }
        found.frames > 0
    });
}
