//! How far a long work has come: a bar on stderr, where a person sees it. There is one at a time, and what else is said on the
//! terminal is said without it.

use super::text::harmless;
use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::fmt;
use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Of single things, so many go by before anybody asks whether it is time to draw.
const EACH: u32 = 64;
/// How often who does not tell how far he is gets looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How often the bar may be drawn in a second, at most.
const DRAWN: u8 = 20;

/// The bar that is on the terminal, and whether there is one: who writes much asks that only.
static SHOWN: Mutex<Option<ProgressBar>> = Mutex::new(None);
static IS_SHOWN: AtomicBool = AtomicBool::new(false);

/// Writes to the terminal while the bar is out of the way.
pub fn aside<T>(write: impl FnOnce() -> T) -> T {
    let shown = if IS_SHOWN.load(Ordering::Relaxed) { current().clone() } else { None };
    match shown {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// Takes the bar away, whoever it belongs to: for who ends the program.
pub fn take_away() {
    IS_SHOWN.store(false, Ordering::Relaxed);
    if let Some(bar) = current().take() {
        bar.finish_and_clear();
    }
}

fn current() -> std::sync::MutexGuard<'static, Option<ProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks whether it is time to draw.
pub type Due = Box<dyn FnMut() -> bool + Send>;

/// How far a work has come. It draws nothing at once, and takes away what it drew when it goes.
pub struct Bar {
    /// `None` where nobody sees it.
    due: Option<Due>,
    things: u32,
    drawn: Option<ProgressBar>,
}

impl Bar {
    /// For work that prints when it is done. `due` is asked at each step whether it is time to draw.
    pub fn before_data(due: Due) -> Self {
        Self { due: io::stderr().is_terminal().then_some(due), things: 0, drawn: None }
    }

    /// For work whose data comes all along: on the same terminal both would get in each other's way.
    pub fn beside_data(due: Due) -> Self {
        if io::stdout().is_terminal() { Self { due: None, things: 0, drawn: None } } else { Self::before_data(due) }
    }

    /// It has come so far, where that is known of so much: for steps of many things each.
    pub fn step(&mut self, so_far: Option<(u64, u64)>, words: impl FnOnce() -> String) {
        if self.due.as_mut().is_some_and(|due| due()) {
            self.draw(so_far, &words());
        }
    }

    /// The same for steps of one thing each: most of them cost nothing.
    pub fn thing(&mut self, so_far: Option<(u64, u64)>, words: impl FnOnce() -> String) {
        if self.due.is_some() {
            self.things = (self.things + 1) % EACH;
            if self.things == 1 {
                self.step(so_far, words);
            }
        }
    }

    /// Does something that does not tell how far it is: `look` does, which is asked now and then.
    pub fn meanwhile<T>(
        self,
        mut look: impl FnMut() -> (Option<(u64, u64)>, String) + Send,
        work: impl FnOnce() -> T,
    ) -> T {
        if self.due.is_none() {
            return work();
        }
        thread::scope(|scope| {
            let (working, done) = channel::<()>();
            let mut bar = self;
            scope.spawn(move || {
                while done.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                    let (so_far, words) = look();
                    bar.step(so_far, || words);
                }
            });
            let result = work();
            drop(working);
            result
        })
    }

    fn draw(&mut self, so_far: Option<(u64, u64)>, words: &str) {
        // Held while it is drawn: what takes it away takes away all of it.
        let mut shown = current();
        if self.drawn.is_some() && shown.is_none() {
            // It was taken away: the program is about to end.
            return;
        }
        let bar = self.drawn.get_or_insert_with(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(DRAWN));
            bar.set_style(style(false));
            *shown = Some(bar.clone());
            IS_SHOWN.store(true, Ordering::Relaxed);
            bar
        });
        bar.set_message(harmless(words).into_owned());
        let (done, total) = so_far.map_or((0, None), |(done, total)| (done, Some(total)));
        if bar.length() != total {
            // Another work than before: what is known of the speed of that says nothing about this.
            bar.set_style(style(total.is_some()));
            match total {
                Some(total) => bar.set_length(total),
                None => bar.unset_length(),
            }
            bar.reset_eta();
        }
        bar.update(|state| state.set_pos(done));
    }

    /// Takes it away.
    pub fn clear(&mut self) {
        if let Some(bar) = self.drawn.take() {
            take_away();
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}

impl fmt::Debug for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bar")
            .field("is_visible", &self.due.is_some())
            .field("drawn", &self.drawn)
            .finish_non_exhaustive()
    }
}

/// `bank: 1,000 of 3,000 [======>             ] 4 seconds left`, or the words alone. Without colour: it would say nothing.
fn style(has_end: bool) -> ProgressStyle {
    let plain = ProgressStyle::default_bar().progress_chars("=> ").with_key("left", left);
    let template = if has_end { "{msg} [{wide_bar}]{left}" } else { "{msg}" };
    // Were a template wrong, indicatif's own would be left.
    plain.clone().template(template).unwrap_or(plain)
}

fn left(state: &ProgressState, to: &mut dyn fmt::Write) {
    let eta = state.eta();
    // In the first moments nobody knows, which counts as nothing left.
    if eta >= Duration::from_secs(1) {
        let _ = write!(to, " {} left", HumanDuration(eta));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_drawn_before_it_is_due() {
        let mut asked = 0;
        let mut bar = Bar { due: Some(Box::new(|| false)), things: 0, drawn: None };
        bar.step(Some((1, 2)), || {
            asked += 1;
            String::new()
        });
        assert!(bar.drawn.is_none() && asked == 0, "nobody asks for words that are not shown");
    }

    #[test]
    fn of_single_things_few_look_at_the_clock() {
        use std::sync::Arc;
        use std::sync::atomic::AtomicU32;
        let looks = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&looks);
        let due = Box::new(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            false
        });
        let mut bar = Bar { due: Some(due), things: 0, drawn: None };
        for _ in 0..1_000 {
            bar.thing(None, String::new);
        }
        assert_eq!(looks.load(Ordering::Relaxed), 1_000_u32.div_ceil(EACH));
    }
}
