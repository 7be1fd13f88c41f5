//! What ends the program from outside, heard instead of obeyed at once.

use signal_hook::consts;
use signal_hook::flag;
use signal_hook::iterator;
use std::fs;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Once};
use std::thread;

/// What ends a program from outside; on Unix also that its terminal went.
#[cfg(unix)]
const ENDING: &[i32] = &[consts::SIGTERM, consts::SIGINT, consts::SIGQUIT, consts::SIGHUP];
#[cfg(not(unix))]
const ENDING: &[i32] = consts::TERM_SIGNALS;

/// Whether somebody else ends the program after a signal.
static HEEDED: AtomicBool = AtomicBool::new(false);

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
        HEEDED.store(true, Ordering::SeqCst);
        Ok(signals)
    }

    /// The first one does not end the program, the second one does: should it be stuck, as in writing to who does not read.
    /// What whoever began the program wanted it not to hear, as `nohup` does, it does not hear.
    pub(super) fn heed_once() -> io::Result<Self> {
        let signals = Self { last: Arc::default() };
        end_at_the_second()?.into_iter().try_for_each(|number| signals.hear(number))?;
        HEEDED.store(true, Ordering::SeqCst);
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

/// The first signal from here on does not end the program, the second one does. Gives the signals that this is about.
fn end_at_the_second() -> io::Result<Vec<i32>> {
    let before = Arc::new(AtomicBool::new(false));
    let ignored = ignored();
    let heard: Vec<i32> = ENDING.iter().copied().filter(|number| !ignored.contains(number)).collect();
    for number in &heard {
        flag::register_conditional_default(*number, Arc::clone(&before))?;
        flag::register(*number, Arc::clone(&before))?;
    }
    Ok(heard)
}

/// From here on a signal ends the program only after that was done: where the terminal is to be left clean. Who heeds signals
/// later on ends the program himself. Where that cannot be had, signals end it as ever.
pub(super) fn end_after(tidy: impl Fn() + Send + 'static) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let Ok(mut signals) = end_at_the_second().and_then(iterator::Signals::new) else { return };
        thread::spawn(move || {
            for signal in signals.forever() {
                if !HEEDED.load(Ordering::SeqCst) {
                    tidy();
                    let _ = obey(signal);
                }
            }
        });
    });
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
