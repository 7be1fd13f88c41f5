//! How much memory the current thread holds and moves, so that a script can be stopped before it takes the machine's
//! memory or time.
//!
//! Rhai's own size limits look through every value on every change, which makes a fold over a large state many
//! times slower. Counting allocations costs next to nothing and sees everything. What goes through large values without
//! taking any memory says so itself: `charge`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What one script call may take beyond what was held before it, in bytes. It is stopped as soon as it holds half of that
/// between two operations: a single one can at most double it.
pub const MAX_BYTES: isize = 64 * 1024 * 1024;

/// What a piece of memory costs beside its bytes, in bytes.
const PIECE: u64 = 64;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOVED: Cell<u64> = const { Cell::new(0) };
    static CEILING: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// The system's allocator with a counter for each thread. The binary installs it; where it is not installed,
/// [`held`] stays 0 and memory is not bounded.
pub struct Counting;

fn add(bytes: isize) {
    // A thread that is ending has no counter any more, and runs no script either.
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

/// Memory was taken, most likely to be filled.
fn filled(bytes: usize) {
    let _ = MOVED.try_with(|moved| moved.set(moved.get().saturating_add(bytes as u64 + PIECE)));
}

#[allow(unsafe_code, clippy::cast_possible_wrap)]
// SAFETY: every call goes to the system's allocator unchanged; sizes of layouts never exceed `isize::MAX`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        filled(layout.size());
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        unsafe { System.dealloc(memory, layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        filled(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size as isize - layout.size() as isize);
        filled(size);
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// Bytes this thread has taken and not given back, by the counting allocator.
pub fn held() -> isize {
    HELD.with(Cell::get)
}

/// Bytes this thread has moved, copied or gone through, as far as it is counted: memory it took, and what was charged.
/// It only grows.
pub fn moved() -> u64 {
    MOVED.with(Cell::get)
}

/// Says that so many bytes are gone through without taking memory. Gives whether the script may go on.
pub(super) fn charge(bytes: usize) -> bool {
    MOVED.with(|moved| moved.set(moved.get().saturating_add(bytes as u64)));
    moved() <= CEILING.with(Cell::get)
}

/// From now on scripts of this thread may go on until so much was moved. Gives what it was before.
pub(super) fn allow(ceiling: u64) -> u64 {
    CEILING.with(|cell| cell.replace(ceiling))
}
