//! The lines of a batch, cut from its input by a thread that reads ahead.

use super::context::Clock;
use super::failure::Failure;
use crate::render::Talk;
use esctl::event::Time;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

/// The longest line, in bytes.
const MAX_LINE: usize = 2 * 1024 * 1024;
/// How much is read at a time, in bytes.
const BLOCK: usize = 64 * 1024;
/// How many pieces are read ahead.
const AHEAD: usize = 4;

/// The input of a batch: a file, or stdin.
pub fn open(file: &str, talk: Talk) -> Result<Box<dyn Read + Send>, Failure> {
    if file == "-" {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            talk.note(
                "commands are read from the terminal, one JSON object a line; Ctrl-D on a line of its own ends them",
            );
        }
        return Ok(Box::new(stdin));
    }
    let cannot = |error| Failure::usage(format!("`{file}` cannot be read: {error}"));
    Ok(Box::new(File::open(file).map_err(cannot)?))
}

/// How many bytes there are to be read, where that is known.
pub fn length(file: &str) -> Option<u64> {
    let metadata = std::fs::metadata(file).ok().filter(|_| file != "-")?;
    metadata.is_file().then_some(metadata.len())
}

/// What the reading thread hands over.
#[derive(Debug)]
pub enum Piece {
    /// Whole lines, the last perhaps without its line break; the number of the first; when they were read.
    Lines(Vec<u8>, u64, Time),
    /// A line that is too long, by its number. What it says was skipped.
    Long(u64),
    /// Reading failed.
    Failed(io::Error),
}

/// Begins to read: a thread is ahead of whoever takes the pieces, but not far.
pub fn read_ahead(input: Box<dyn Read + Send>, clock: Clock) -> Receiver<Piece> {
    let (sender, pieces) = sync_channel(AHEAD);
    // Nobody waits for the thread: it ends with its input, or with the process.
    std::thread::spawn(move || Lines::default().read(input, clock, &sender));
    pieces
}

/// The lines of a piece that say anything, with their numbers.
pub fn numbered(bytes: &[u8], first: u64) -> impl Iterator<Item = (u64, &[u8])> {
    (first..).zip(bytes.split(|byte| *byte == b'\n')).filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace))
}

/// A line as text.
pub fn text(bytes: &[u8]) -> Result<&str, Failure> {
    if bytes.len() > MAX_LINE {
        return Err(too_long());
    }
    std::str::from_utf8(bytes).map_err(|error| {
        Failure::usage(format!("the line is not UTF-8 text: its byte {}, counted from 0, is not", error.valid_up_to()))
    })
}

/// What is said of [`Piece::Long`].
pub fn too_long() -> Failure {
    Failure::usage("the line is longer than 2 MiB, the most a line may be")
}

/// What is said of [`Piece::Failed`].
pub fn unreadable(error: &io::Error) -> Failure {
    Failure::usage(format!("the batch cannot be read on: {error}"))
}

/// Cuts what is read into pieces of whole lines.
#[derive(Debug, Default)]
struct Lines {
    /// The beginning of a line whose end was not read yet.
    rest: Vec<u8>,
    /// Lines handed over or skipped.
    line: u64,
    /// Whether the rest of a line is being skipped that was too long.
    skipping: bool,
}

impl Lines {
    fn read(mut self, mut input: impl Read, clock: Clock, pieces: &SyncSender<Piece>) {
        let mut block = vec![0; BLOCK];
        loop {
            let sent = match input.read(&mut block) {
                Ok(0) => {
                    let last = std::mem::take(&mut self.rest);
                    let _ = self.hand_over(last, clock, pieces);
                    return;
                }
                Ok(length) => self.take(&block[..length], clock, pieces),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
                Err(error) => {
                    let _ = pieces.send(Piece::Failed(error));
                    return;
                }
            };
            if !sent {
                return;
            }
        }
    }

    /// Whether anybody still wants to know.
    fn take(&mut self, mut read: &[u8], clock: Clock, pieces: &SyncSender<Piece>) -> bool {
        if self.skipping {
            let Some(end) = read.iter().position(|byte| *byte == b'\n') else {
                return true;
            };
            self.skipping = false;
            read = &read[end + 1..];
        }
        if let Some(end) = read.iter().rposition(|byte| *byte == b'\n') {
            let mut whole = std::mem::take(&mut self.rest);
            whole.extend_from_slice(&read[..=end]);
            read = &read[end + 1..];
            if !self.hand_over(whole, clock, pieces) {
                return false;
            }
        }
        self.rest.extend_from_slice(read);
        if self.rest.len() <= MAX_LINE {
            return true;
        }
        self.rest = Vec::new();
        self.skipping = true;
        self.line += 1;
        pieces.send(Piece::Long(self.line)).is_ok()
    }

    fn hand_over(&mut self, lines: Vec<u8>, clock: Clock, pieces: &SyncSender<Piece>) -> bool {
        if lines.is_empty() {
            return true;
        }
        let first = self.line + 1;
        self.line += lines.split_inclusive(|byte| *byte == b'\n').count() as u64;
        pieces.send(Piece::Lines(lines, first, clock.now())).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes out when the input is read in these pieces.
    fn cut(reads: &[&[u8]]) -> Vec<String> {
        let clock = Clock::Fixed(Time::default());
        let (sender, pieces) = sync_channel(100);
        let mut lines = Lines::default();
        for read in reads {
            assert!(lines.take(read, clock, &sender));
        }
        let last = std::mem::take(&mut lines.rest);
        assert!(lines.hand_over(last, clock, &sender));
        drop(sender);
        let show = |piece| match piece {
            Piece::Lines(bytes, first, _) => format!("{first}: {}", String::from_utf8_lossy(&bytes)),
            Piece::Long(line) => format!("{line} is long"),
            Piece::Failed(error) => error.to_string(),
        };
        pieces.into_iter().map(show).collect()
    }

    #[test]
    fn lines_are_put_together_and_counted() {
        assert_eq!(cut(&[b"a\nb", b"c\n\nd\ne"]), ["1: a\n", "2: bc\n\nd\n", "5: e"]);
        assert_eq!(cut(&[b"a\n", b""]), ["1: a\n"]);
        assert!(cut(&[]).is_empty());
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_and_named() {
        let long = vec![b'x'; MAX_LINE];
        assert_eq!(cut(&[b"a\n", &long, b"x", b"y\nb\n"]), ["1: a\n", "2 is long", "3: b\n"]);
        assert_eq!(cut(&[&long, b"x"]), ["1 is long"]);
    }
}
