//! How much memory the current thread holds, so that a script can be stopped before it takes the machine's.
//!
//! Rhai's own size limits look through every value on every change, which makes a fold over a large state many
//! times slower. Counting allocations costs next to nothing and sees everything.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What one script call may hold beyond what was held before it, in bytes.
pub const MAX_BYTES: isize = 64 * 1024 * 1024;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
}

/// The system's allocator with a counter for each thread. The binary installs it; where it is not installed,
/// [`held`] stays 0 and memory is not bounded.
pub struct Counting;

fn add(bytes: isize) {
    // A thread that is ending has no counter any more, and runs no script either.
    let _ = HELD.try_with(|held| held.set(held.get() + bytes));
}

#[allow(unsafe_code, clippy::cast_possible_wrap)]
// SAFETY: every call goes to the system's allocator unchanged; sizes of layouts never exceed `isize::MAX`.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        add(-(layout.size() as isize));
        unsafe { System.dealloc(memory, layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(size as isize - layout.size() as isize);
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// Bytes this thread has taken and not given back, by the counting allocator.
pub fn held() -> isize {
    HELD.with(Cell::get)
}
