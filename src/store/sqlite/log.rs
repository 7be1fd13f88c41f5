//! What the write-ahead log holds, found out before SQLite opens it.
//!
//! When the last one to use a store was killed, or the power failed, SQLite takes from the log whatever it finds whole
//! from the beginning on, and says nothing of the rest. A torn last transaction is no loss: it was never acknowledged.
//! But where anything before the end was altered, SQLite drops acknowledged commits as well, just as quietly. So the log
//! is read through first, and what follows the first frame that does not fit tells the one from the other.
//!
//! The format is described in <https://www.sqlite.org/fileformat2.html#walformat>: a header of 32 bytes, then frames, each
//! a header of 24 bytes and a page. A frame's checksum goes on from that of the frame before it. The last frame of a
//! transaction carries the size of the file after it. When SQLite begins the log anew it writes over the old one, and the
//! salt in the header and in each frame tells the frames of now from those left over.

use std::io::{self, Read};

const HEADER: usize = 32;
const FRAME: usize = 24;
/// The last bit says in which order of bytes the checksums are computed.
const MAGIC: u32 = 0x377f_0682;
const FORMAT: u32 = 3_007_000;
/// The size of pages that a store of ours has, where the header does not tell.
const USUAL_PAGE: usize = 4096;

/// What is in a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// Frames that belong to whole transactions, from the beginning on: what SQLite will read.
    pub frames: u64,
    /// How many transactions that are.
    pub commits: u64,
    /// What follows them.
    pub tail: Tail,
}

/// What follows the whole transactions of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Nothing that belongs to this log.
    Nothing,
    /// A transaction that is not whole, of which so many frames were found. Nothing follows it: either it was not finished,
    /// and so never acknowledged, or it was altered later.
    Torn(u64),
    /// Something was altered that had been written and acknowledged.
    Damaged {
        /// Where: the first byte of the frame, or of the header, that does not fit.
        at: u64,
    },
}

/// Which frames of this log a process is known to have committed: from the index beside the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    salt: [u8; 8],
    frames: u32,
}

impl Committed {
    /// Reads the head of the index, `esctl.db-shm`. SQLite moves it on after the flush of a commit, so that what it
    /// says was committed, even where it was left behind by a crash; `None` where it is not whole, and says nothing.
    ///
    /// The format: <https://www.sqlite.org/walformat.html#the_wal_index_file_format>. Numbers are in the order of bytes
    /// of the machine.
    pub fn read(index: &[u8]) -> Option<Self> {
        let (one, two) = (index.get(..48)?, index.get(48..96)?);
        let number = |at: usize| Some(u32::from_ne_bytes(one.get(at..at + 4)?.try_into().ok()?));
        let order = if cfg!(target_endian = "big") { Order::Big } else { Order::Little };
        let sum = order.sum(one.get(..40)?, (0, 0));
        if one != two || number(0)? != FORMAT || one[12] == 0 || (number(40)?, number(44)?) != sum {
            return None;
        }
        Some(Self { salt: one.get(32..40)?.try_into().ok()?, frames: number(16)? })
    }
}

/// The order of bytes in which checksums are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

type Sum = (u32, u32);

impl Order {
    /// Goes on with a checksum over bytes whose number is a multiple of 8.
    fn sum(self, bytes: &[u8], (mut a, mut b): Sum) -> Sum {
        let number = |bytes: [u8; 4]| match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        };
        for pair in bytes.chunks_exact(8) {
            a = a.wrapping_add(number([pair[0], pair[1], pair[2], pair[3]])).wrapping_add(b);
            b = b.wrapping_add(number([pair[4], pair[5], pair[6], pair[7]])).wrapping_add(a);
        }
        (a, b)
    }
}

/// A number of the file; they are all in this order.
fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn stored_sum(bytes: &[u8], at: usize) -> Sum {
    (number(bytes, at), number(bytes, at + 4))
}

/// How the frames of a log are read.
#[derive(Debug, Clone, Copy)]
struct Shape {
    order: Order,
    page: usize,
    salt: [u8; 8],
    sum: Sum,
}

impl Shape {
    /// What the header says; `None` where it is not one that SQLite reads on from.
    fn of(header: &[u8; HEADER]) -> Option<Self> {
        let magic = number(header, 0);
        let order = if magic & 1 == 0 { Order::Little } else { Order::Big };
        let page = number(header, 8) as usize;
        let sum = order.sum(&header[..24], (0, 0));
        let fits = magic & !1 == MAGIC
            && number(header, 4) == FORMAT
            && page.is_power_of_two()
            && (512..=65_536).contains(&page)
            && stored_sum(header, 24) == sum;
        let mut salt = [0; 8];
        salt.copy_from_slice(&header[16..24]);
        fits.then_some(Self { order, page, salt, sum })
    }
}

/// One frame, as it was read.
struct Frame<'a> {
    head: &'a [u8; FRAME],
    /// The page, or as much of it as there is at the end of the file.
    page: &'a [u8],
}

impl Frame<'_> {
    /// Whether it carries the salt of this log.
    fn belongs(&self, salt: [u8; 8]) -> bool {
        self.head[8..16] == salt
    }

    fn sum(&self, order: Order, before: Sum) -> Sum {
        order.sum(self.page, order.sum(&self.head[..8], before))
    }

    fn stored(&self) -> Sum {
        stored_sum(self.head, 16)
    }

    fn ends_transaction(&self) -> bool {
        number(self.head, 4) != 0
    }
}

/// Reads frames one after the other, in constant memory. The last may have less than a page.
fn each_frame(log: &mut dyn Read, page: usize, mut look: impl FnMut(u64, &Frame<'_>, bool)) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(FRAME + page);
    for index in 0.. {
        bytes.clear();
        log.take((FRAME + page) as u64).read_to_end(&mut bytes)?;
        let Some((head, rest)) = bytes.split_first_chunk::<FRAME>() else { break };
        let whole = rest.len() == page;
        look(index, &Frame { head, page: rest }, whole);
        if !whole {
            break;
        }
    }
    Ok(())
}

/// Reads a log through from its first byte.
pub fn scan(log: &mut dyn Read, committed: Option<Committed>) -> io::Result<Log> {
    let nothing = Log { frames: 0, commits: 0, tail: Tail::Nothing };
    let mut start = Vec::with_capacity(HEADER);
    log.take(HEADER as u64).read_to_end(&mut start)?;
    // SQLite writes the header at once, and flushes it before the first frame.
    let Some(header) = start.first_chunk::<HEADER>() else { return Ok(nothing) };
    match Shape::of(header) {
        Some(shape) => frames(log, shape, committed),
        None if headless(log, header)? => Ok(Log { tail: Tail::Damaged { at: 0 }, ..nothing }),
        None => Ok(nothing),
    }
}

fn frames(log: &mut dyn Read, shape: Shape, committed: Option<Committed>) -> io::Result<Log> {
    let mut found = Log { frames: 0, commits: 0, tail: Tail::Nothing };
    // Frames that fit, up to the first that does not. From there on nothing counts any more.
    let (mut fitting, mut broken) = (0, false);
    // Frames from there on that belong to this log; whether a transaction ended among them, and whether another began.
    let (mut left, mut ended, mut goes_on) = (0, false, false);
    let mut sum = shape.sum;
    each_frame(log, shape.page, |index, frame, whole| {
        let linked = whole && frame.sum(shape.order, sum) == frame.stored();
        let belongs = frame.belongs(shape.salt);
        // The next is held against what is stored: that is what it was computed from.
        sum = frame.stored();
        if !broken && linked && belongs && number(frame.head, 0) != 0 {
            fitting = index + 1;
            if frame.ends_transaction() {
                found.frames = fitting;
                found.commits += 1;
            }
            return;
        }
        // A frame of which only the salt was altered still goes on from the one before it.
        if belongs || (!broken && linked) {
            left += 1;
            // The next transaction is begun when this one is flushed: then it was acknowledged.
            goes_on |= ended && linked;
            ended |= frame.ends_transaction();
        }
        broken = true;
    })?;
    let known = committed.filter(|known| known.salt == shape.salt).map_or(0, |known| u64::from(known.frames));
    if goes_on || known > found.frames {
        found.tail = Tail::Damaged { at: HEADER as u64 + fitting * (FRAME + shape.page) as u64 };
    } else if left > 0 || fitting > found.frames {
        found.tail = Tail::Torn(left + fitting - found.frames);
    }
    Ok(found)
}

/// Whether a transaction follows a header that does not fit: frames that go on from it, or from each other. Then it is
/// the header that was altered, and SQLite would take the log for an empty one.
fn headless(log: &mut dyn Read, header: &[u8; HEADER]) -> io::Result<bool> {
    let mut before: Vec<Sum> = vec![stored_sum(header, 24)];
    // It may be the checksum that was altered, or what it was computed from.
    before.extend([Order::Little, Order::Big].map(|order| order.sum(&header[..24], (0, 0))));
    let mut found = false;
    each_frame(log, USUAL_PAGE, |_, frame, whole| {
        let mut sums = before.iter().flat_map(|sum| [frame.sum(Order::Little, *sum), frame.sum(Order::Big, *sum)]);
        found |= whole && frame.ends_transaction() && sums.any(|sum| sum == frame.stored());
        before = vec![frame.stored()];
    })?;
    Ok(found)
}
