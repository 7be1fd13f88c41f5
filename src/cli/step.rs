//! `replay --step`: a stream on the screen, event by event, forth and back by key.

use super::context::Context;
use super::failure::Failure;
use super::signals::{self, Signals};
use crate::render::Format;
use crate::render::step::{Room, View, Way, screen};
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::style::Print;
use crossterm::terminal::{self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{execute, queue};
use esctl::event::{StreamName, Version};
use esctl::workbench::Workbench;
use esctl::workbench::replay::Stretch;
use std::io::{self, IsTerminal, Write};
use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How long to wait for a key before it is looked whether a signal came.
const PATIENCE: Duration = Duration::from_millis(200);

/// Whether there is somebody to press keys and a screen to show things on.
pub(super) fn is_possible(context: &Context) -> bool {
    context.out.format == Format::Table && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Shows the stream until somebody has seen enough.
pub(super) fn run(
    stream: &StreamName,
    stretch: &Stretch<'_>,
    workbench: &mut Workbench,
    context: &Context,
) -> Result<(), Failure> {
    let mut stepper = workbench.stepper(stream, stretch)?;
    let way = Way::from(&stepper);
    // What cannot be shown at all is said before the screen is taken.
    let mut here = stepper.at(Version(way.first.max(1)))?;
    let mut view = View::default();
    let taken = Screen::take().map_err(Failure::output)?;
    let signal = loop {
        let lines = screen(&way, &here, &mut view, taken.room().map_err(Failure::output)?, context.out.color);
        taken.show(&lines).map_err(Failure::output)?;
        let key = match taken.next().map_err(Failure::output)? {
            Input::Key(key) => key,
            Input::Resized => continue,
            Input::Signal(signal) => break Some(signal),
        };
        match pressed(key, here.version.0, &way, &mut view) {
            Next::Stay => {}
            Next::End => break None,
            Next::To(version) => {
                here = stepper.at(Version(version))?;
                view = View::default();
            }
        }
    };
    drop(taken);
    // Whoever sent it is to see that it ended the program.
    signal.map_or(Ok(()), signals::obey).map_err(Failure::output)
}

/// What somebody pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    Next,
    Back,
    First,
    Last,
    Up,
    Down,
    PageUp,
    PageDown,
    Digit(char),
    Erase,
    Enter,
    Leave,
    Quit,
    Other,
}

impl From<event::KeyEvent> for Key {
    fn from(pressed: event::KeyEvent) -> Self {
        if pressed.modifiers.contains(KeyModifiers::CONTROL) {
            return if matches!(pressed.code, KeyCode::Char('c' | 'd')) { Self::Quit } else { Self::Other };
        }
        match pressed.code {
            KeyCode::Right | KeyCode::Char('l' | 'n' | ' ') => Self::Next,
            KeyCode::Left | KeyCode::Char('h' | 'p') => Self::Back,
            KeyCode::Home | KeyCode::Char('g') => Self::First,
            KeyCode::End | KeyCode::Char('G') => Self::Last,
            KeyCode::Up | KeyCode::Char('k') => Self::Up,
            KeyCode::Down | KeyCode::Char('j') => Self::Down,
            KeyCode::PageUp => Self::PageUp,
            KeyCode::PageDown => Self::PageDown,
            KeyCode::Char(digit) if digit.is_ascii_digit() => Self::Digit(digit),
            KeyCode::Backspace => Self::Erase,
            KeyCode::Enter => Self::Enter,
            KeyCode::Esc => Self::Leave,
            KeyCode::Char('q') => Self::Quit,
            _ => Self::Other,
        }
    }
}

/// What is shown next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// This version.
    To(u64),
    /// The same, perhaps another part of it.
    Stay,
    /// Nothing more.
    End,
}

/// The most digits that a version is typed with.
const DIGITS: usize = 18;
/// How far a page is.
const PAGE: usize = 10;

/// What a key means at a version.
fn pressed(key: Key, here: u64, way: &Way, view: &mut View) -> Next {
    let to = |version: u64| Next::To(version.clamp(way.first, way.last));
    let typed = std::mem::take(&mut view.typed);
    match key {
        Key::Digit(digit) => {
            view.typed = typed;
            if view.typed.len() < DIGITS {
                view.typed.push(digit);
            }
            return Next::Stay;
        }
        Key::Erase => {
            view.typed = typed;
            view.typed.pop();
            return Next::Stay;
        }
        Key::Enter => return typed.parse().map_or(Next::Stay, to),
        Key::Leave if !typed.is_empty() => return Next::Stay,
        _ => {}
    }
    match key {
        Key::Next => to(here + 1),
        Key::Back => to(here.saturating_sub(1)),
        Key::First => to(way.first),
        Key::Last => to(way.last),
        Key::Leave | Key::Quit => Next::End,
        scroll => {
            view.down = match scroll {
                Key::Up => view.down.saturating_sub(1),
                Key::Down => view.down + 1,
                Key::PageUp => view.down.saturating_sub(PAGE),
                Key::PageDown => view.down + PAGE,
                _ => view.down,
            };
            Next::Stay
        }
    }
}

/// What comes in.
enum Input {
    Key(Key),
    Resized,
    Signal(i32),
}

/// Whether the screen is taken at the moment.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The screen, which is given back as it was however this ends.
struct Screen {
    signals: Signals,
}

impl Screen {
    fn take() -> io::Result<Self> {
        let signals = Signals::heed()?;
        // What a panic says belongs on the screen that stays.
        let say = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            give_back();
            say(panicked);
        }));
        TAKEN.store(true, Ordering::SeqCst);
        let taken = Self { signals };
        terminal::enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen, Hide)?;
        Ok(taken)
    }

    #[allow(clippy::unused_self, reason = "there is room only on a screen that is taken")]
    fn room(&self) -> io::Result<Room> {
        let (width, height) = terminal::size()?;
        Ok(Room { width: width.into(), height: height.into() })
    }

    #[allow(clippy::unused_self, reason = "things are shown only on a screen that is taken")]
    fn show(&self, lines: &[String]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for (row, line) in (0..).zip(lines) {
            queue!(out, MoveTo(0, row), Clear(ClearType::CurrentLine), Print(line))?;
        }
        out.flush()
    }

    fn next(&self) -> io::Result<Input> {
        loop {
            if let Some(signal) = self.signals.came() {
                return Ok(Input::Signal(signal));
            }
            if !event::poll(PATIENCE)? {
                continue;
            }
            match event::read()? {
                Event::Key(key) if key.kind != KeyEventKind::Release => return Ok(Input::Key(key.into())),
                Event::Resize(..) => return Ok(Input::Resized),
                _ => {}
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the screen back, once. That it may be gone is no reason to fail.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), Show, LeaveAlternateScreen);
        let _ = terminal::disable_raw_mode();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where keys lead from a version of `3..=9`, and what is seen then.
    fn after(here: u64, keys: &[Key]) -> (Next, View) {
        let way = Way { stream: "a/b".to_owned(), first: 3, last: 9 };
        let mut view = View::default();
        let last = keys.iter().map(|key| pressed(*key, here, &way, &mut view)).last();
        (last.unwrap_or(Next::Stay), view)
    }

    #[test]
    fn keys_go_forth_and_back_and_no_further() {
        let to = |here, key| after(here, &[key]).0;
        assert_eq!(
            [to(5, Key::Next), to(9, Key::Next), to(5, Key::Back), to(3, Key::Back)],
            [6, 9, 4, 3].map(Next::To)
        );
        assert_eq!([to(5, Key::First), to(5, Key::Last)], [Next::To(3), Next::To(9)]);
        assert_eq!([to(5, Key::Quit), to(5, Key::Leave), to(5, Key::Other)], [Next::End, Next::End, Next::Stay]);
    }

    #[test]
    fn a_version_is_typed() {
        use Key::{Digit, Enter, Erase, Leave};
        let typed = |keys: &[Key]| after(5, keys);
        assert_eq!(typed(&[Digit('8'), Enter]).0, Next::To(8));
        assert_eq!(typed(&[Digit('8'), Digit('1'), Erase, Enter]).0, Next::To(8));
        assert_eq!(typed(&[Digit('9'), Digit('9'), Enter]).0, Next::To(9));
        assert_eq!(typed(&[Digit('0'), Enter]).0, Next::To(3));
        assert_eq!(typed(&[Enter]).0, Next::Stay);
        assert_eq!(typed(&[Digit('8'), Leave]), (Next::Stay, View::default()));
        assert_eq!(typed(&[Digit('8'), Leave, Leave]).0, Next::End);
        assert_eq!(typed(&[Digit('8')]).1.typed, "8");
        assert_eq!(typed(&[Digit('1'); 40]).1.typed.len(), DIGITS);
    }

    #[test]
    fn what_has_no_room_is_scrolled() {
        let down = |keys: &[Key]| after(5, keys).1.down;
        assert_eq!(down(&[Key::Down, Key::Down, Key::Up]), 1);
        assert_eq!(down(&[Key::Up]), 0);
        assert_eq!(down(&[Key::PageDown, Key::PageUp, Key::PageDown]), PAGE);
    }

    #[test]
    fn keys_have_more_than_one_name() {
        let key = |code, modifiers| Key::from(event::KeyEvent::new(code, modifiers));
        assert_eq!(key(KeyCode::Char('c'), KeyModifiers::CONTROL), Key::Quit);
        assert_eq!(key(KeyCode::Char('n'), KeyModifiers::CONTROL), Key::Other);
        assert_eq!(key(KeyCode::Char('G'), KeyModifiers::SHIFT), Key::Last);
        assert_eq!(key(KeyCode::Char(' '), KeyModifiers::NONE), Key::Next);
    }
}
