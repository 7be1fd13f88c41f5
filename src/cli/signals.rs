//! What ends the program from outside, heard instead of obeyed at once.

use signal_hook::consts;
use signal_hook::flag;
use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What ends a program from outside; on Unix also that its terminal went.
#[cfg(unix)]
const ENDING: &[i32] = &[consts::SIGTERM, consts::SIGINT, consts::SIGQUIT, consts::SIGHUP];
#[cfg(not(unix))]
const ENDING: &[i32] = consts::TERM_SIGNALS;

/// Listens for signals from when it is made until the process ends.
#[derive(Debug)]
pub(super) struct Signals {
    /// The last one that came; 0 is none.
    last: Arc<AtomicUsize>,
}

impl Signals {
    /// None of them ends the program any more.
    pub(super) fn heed() -> io::Result<Self> {
        let signals = Self { last: Arc::default() };
        ENDING.iter().try_for_each(|number| signals.hear(*number))?;
        Ok(signals)
    }

    /// The first one does not end the program, the second one does: should it be stuck, as in writing to who does not read.
    /// What whoever began the program wanted it not to hear, as `nohup` does, it does not hear.
    pub(super) fn heed_once() -> io::Result<Self> {
        let before = Arc::new(AtomicBool::new(false));
        let signals = Self { last: Arc::default() };
        let ignored = ignored();
        for number in ENDING.iter().filter(|number| !ignored.contains(number)) {
            flag::register_conditional_default(*number, Arc::clone(&before))?;
            flag::register(*number, Arc::clone(&before))?;
            signals.hear(*number)?;
        }
        Ok(signals)
    }

    fn hear(&self, number: i32) -> io::Result<()> {
        let value = usize::try_from(number).unwrap_or(0);
        flag::register_usize(number, Arc::clone(&self.last), value).map(|_| ())
    }

    /// The signal that came, if one did.
    pub(super) fn came(&self) -> Option<i32> {
        i32::try_from(self.last.load(Ordering::SeqCst)).ok().filter(|signal| *signal != 0)
    }
}

/// The signals that are ignored since before the program began.
fn ignored() -> Vec<i32> {
    let status = fs::read_to_string("/proc/self/status").ok();
    let mask = status.as_deref().and_then(|status| status.lines().find_map(|line| line.strip_prefix("SigIgn:")));
    match mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()) {
        Some(mask) => ENDING.iter().copied().filter(|number| mask >> (number - 1) & 1 == 1).collect(),
        // Where that cannot be known: what a program that is to go on without its terminal ignores.
        None => ENDING.iter().copied().filter(|number| cfg!(unix) && *number == HANGUP).collect(),
    }
}

/// The number of SIGHUP, on every system that has it.
const HANGUP: i32 = 1;

/// Ends the program as the signal would have: whoever sent it sees that.
pub(super) fn obey(signal: i32) -> io::Result<()> {
    signal_hook::low_level::emulate_default_handler(signal)
}
