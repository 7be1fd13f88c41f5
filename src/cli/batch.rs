//! `send --batch`: NDJSON commands in, NDJSON receipts out, in order, in groups, in constant memory.
//!
//! A thread reads ahead. A group is committed when it is full, or when nothing is there to be read: whoever waits for
//! a receipt before sending the next command gets it. Receipts are written only after their group is committed.

use super::context::{Clock, Context, Ids, Purpose};
use super::failure::{Exit, Failure, Kind};
use super::send::NEW_RULES;
use crate::render::talk::Ticker;
use crate::render::{Output, Talk, text, wire};
use esctl::event::Time;
use esctl::workbench::batch::{Batch, request_from_line};
use esctl::workbench::send::Sent;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};

/// The most commands that are stored together.
pub const MAX_GROUP: u64 = 256;
/// A group is committed when its events or its receipts are that large, in bytes.
const MAX_GROUP_BYTES: usize = 1024 * 1024;
/// The longest line, in bytes.
const MAX_LINE: usize = 2 * 1024 * 1024;
/// How much is read at a time, in bytes.
const BLOCK: usize = 64 * 1024;
/// How many pieces are read ahead.
const AHEAD: usize = 4;

/// How a batch is to be carried out.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The most commands that are stored together.
    pub group: u64,
    /// Whether to go on after an error.
    pub keep_going: bool,
}

/// Runs the verb.
pub fn run(file: &str, settings: Settings, context: &mut Context) -> Result<Exit, Failure> {
    let input = open(file)?;
    let mut workbench = context.workbench(Purpose::Send)?;
    let ids = context.ids(&mut workbench)?;
    let pieces = read_ahead(input, context.clock);
    let mut run = Run {
        settings,
        ids,
        talk: context.talk,
        batch: Batch::new(&mut workbench),
        out: &mut context.out,
        group: Vec::new(),
        text: String::new(),
        counts: Counts::default(),
        worst: Exit::Done,
        met: BTreeSet::new(),
        ticker: Ticker::beside_data(),
    };
    let ended = run.all(&pieces);
    run.ticker.clear();
    let (counts, worst) = (run.counts, run.worst);
    drop(run);
    context.say_notes(&workbench.domains);
    context.talk.line(&counts.words());
    Ok(match ended {
        Ok(()) => worst,
        Err(failure) => worst.max(failure.report(context.talk)),
    })
}

fn open(file: &str) -> Result<Box<dyn Read + Send>, Failure> {
    if file == "-" {
        return Ok(Box::new(io::stdin()));
    }
    let cannot = |error| Failure::usage(format!("`{file}` cannot be read: {error}"));
    Ok(Box::new(File::open(file).map_err(cannot)?))
}

/// What the reading thread hands over.
#[derive(Debug)]
enum Piece {
    /// Whole lines, the last perhaps without its line break; the number of the first; when they were read.
    Lines(Vec<u8>, u64, Time),
    /// A line that is too long, by its number. What it says was skipped.
    Long(u64),
    /// Reading failed.
    Failed(io::Error),
}

fn read_ahead(input: Box<dyn Read + Send>, clock: Clock) -> Receiver<Piece> {
    let (sender, pieces) = sync_channel(AHEAD);
    // Nobody waits for the thread: it ends with its input, or with the process.
    std::thread::spawn(move || Lines::default().read(input, clock, &sender));
    pieces
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

/// What came of a line that is not written yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Accepted,
    /// Accepted and stored before.
    Before,
    Rejected,
    Error,
}

/// A line of the open group, and what came of it.
#[derive(Debug, Clone, Copy)]
struct Held {
    line: u64,
    came: Came,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    accepted: u64,
    /// Those of them that were stored before.
    duplicates: u64,
    rejected: u64,
    errors: u64,
}

impl Counts {
    /// `200,000 commands: 190,012 accepted, 9,988 rejected`
    fn words(self) -> String {
        let all = text::count(self.accepted + self.rejected + self.errors, "command");
        let (accepted, rejected) = (text::thousands(self.accepted), text::thousands(self.rejected));
        let before = match self.duplicates {
            0 => String::new(),
            number => format!(" ({} of them stored before)", text::thousands(number)),
        };
        let errors = match self.errors {
            0 => String::new(),
            number => format!(", {}", text::count(number, "error")),
        };
        format!("{all}: {accepted} accepted{before}, {rejected} rejected{errors}")
    }
}

/// A batch under way.
#[derive(Debug)]
struct Run<'w> {
    settings: Settings,
    ids: Ids,
    talk: Talk,
    batch: Batch<'w>,
    out: &'w mut Output,
    /// The lines of the open group, in order.
    group: Vec<Held>,
    /// Their records.
    text: String,
    counts: Counts,
    /// The exit code so far: the first of 7, 6, 5, 4, 3, 2, 1 that occurred.
    worst: Exit,
    /// Aggregates that were sent to.
    met: BTreeSet<String>,
    ticker: Ticker,
}

/// Whether the batch goes on.
type Go = Result<bool, Failure>;

impl Run<'_> {
    fn all(&mut self, pieces: &Receiver<Piece>) -> Result<(), Failure> {
        while let Some(piece) = self.next(pieces)? {
            let go = match piece {
                Piece::Lines(bytes, first, time) => self.lines(&bytes, first, time)?,
                Piece::Long(line) => {
                    let failure = Failure::usage("the line is longer than 2 MiB, the most a line may be");
                    self.failed(line, &failure)?
                }
                Piece::Failed(error) => {
                    self.commit()?;
                    return Err(Failure::usage(format!("the batch cannot be read on: {error}")));
                }
            };
            if !go {
                return Ok(());
            }
        }
        self.commit().map(|_| ())
    }

    /// The next piece. Nobody is kept waiting for receipts while there is nothing to read.
    fn next(&mut self, pieces: &Receiver<Piece>) -> Result<Option<Piece>, Failure> {
        match pieces.try_recv() {
            Ok(piece) => Ok(Some(piece)),
            Err(TryRecvError::Empty) if self.commit()? => Ok(pieces.recv().ok()),
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => Ok(None),
        }
    }

    fn lines(&mut self, bytes: &[u8], first: u64, time: Time) -> Go {
        for (line, bytes) in (first..).zip(bytes.split(|byte| *byte == b'\n')) {
            if !bytes.iter().all(u8::is_ascii_whitespace) && !self.line(line, bytes, time)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn line(&mut self, line: u64, bytes: &[u8], time: Time) -> Go {
        let sent = match self.decide(bytes, time) {
            Ok(sent) => sent,
            Err(failure) => return self.failed(line, &failure),
        };
        let mut answer = wire::Answer::from(&sent);
        answer.line = Some(line);
        let record = wire::line(&answer).map_err(Failure::output)?;
        let came = match sent {
            Sent::Accepted(receipt) if receipt.duplicate => Came::Before,
            Sent::Accepted(_) => Came::Accepted,
            Sent::Rejected(_) => Came::Rejected,
        };
        self.hold(line, came, &record);
        let full = self.group.len() as u64 >= self.settings.group
            || self.batch.bytes() >= MAX_GROUP_BYTES
            || self.text.len() >= MAX_GROUP_BYTES;
        if full { self.commit() } else { Ok(true) }
    }

    fn decide(&mut self, bytes: &[u8], time: Time) -> Result<Sent, Failure> {
        if bytes.len() > MAX_LINE {
            return Err(Failure::usage("the line is longer than 2 MiB, the most a line may be"));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            Failure::usage(format!(
                "the line is not UTF-8 text: its byte {}, counted from 0, is not",
                error.valid_up_to()
            ))
        })?;
        let request = request_from_line(text)?;
        // Each kind of stream once: afterwards this batch itself has used the rules.
        if self.met.insert(request.stream.aggregate().to_owned()) && self.batch.rules_are_new(&request.stream)? {
            self.talk.note(NEW_RULES);
        }
        Ok(self.batch.add(request, &self.ids.now(time))?)
    }

    fn hold(&mut self, line: u64, came: Came, record: &str) {
        self.text.push_str(record);
        self.text.push('\n');
        self.group.push(Held { line, came });
    }

    /// A line that cannot be carried out: what precedes it is committed, then it is told.
    fn failed(&mut self, line: u64, failure: &Failure) -> Go {
        if failure.exit() >= Exit::Unavailable {
            // The store itself failed: with this line, the open group is not stored either.
            self.group.push(Held { line, came: Came::Error });
            return self.lost(failure);
        }
        if !self.commit()? {
            return Ok(false);
        }
        self.say(line, line, failure);
        self.hold_error(line, failure)?;
        Ok(self.commit()? && self.settings.keep_going)
    }

    /// Ends the group: stored, then told.
    fn commit(&mut self) -> Go {
        if self.group.is_empty() {
            return Ok(true);
        }
        if self.batch.pending() > 0
            && let Err(error) = self.batch.commit()
        {
            return self.lost(&error.into());
        }
        self.deliver()
    }

    /// The open group could not be stored, or nobody knows: each of its lines says so.
    fn lost(&mut self, failure: &Failure) -> Go {
        self.batch.abandon();
        self.text.clear();
        let group = std::mem::take(&mut self.group);
        if let (Some(first), Some(last)) = (group.first(), group.last()) {
            self.say(first.line, last.line, failure);
        }
        for held in &group {
            self.hold_error(held.line, failure)?;
        }
        let delivered = self.deliver()?;
        // After damage or an unknown outcome nothing more is tried.
        Ok(delivered && self.settings.keep_going && failure.kind == Kind::Unavailable)
    }

    fn hold_error(&mut self, line: u64, failure: &Failure) -> Result<(), Failure> {
        let exit = failure.exit();
        let (message, details) = failure.wire();
        let error = wire::LineError {
            line,
            outcome: "error",
            exit: exit as u8,
            message: &message,
            details: wire::details(details),
        };
        let record = wire::line(&error).map_err(Failure::output)?;
        self.worst = self.worst.max(exit);
        self.hold(line, Came::Error, &record);
        Ok(())
    }

    fn say(&mut self, first: u64, last: u64, failure: &Failure) {
        self.ticker.clear();
        let lines = if first == last { format!("line {first}") } else { format!("lines {first} to {last}") };
        failure.report_within(Some(&format!("in {lines} of the batch")), self.talk);
    }

    /// Writes the records of the group. When nobody takes them, no other group is begun.
    fn deliver(&mut self) -> Go {
        let written = self.out.write_all(self.text.as_bytes()).and_then(|()| self.out.flush());
        for held in &self.group {
            match held.came {
                Came::Accepted => self.counts.accepted += 1,
                Came::Before => {
                    self.counts.accepted += 1;
                    self.counts.duplicates += 1;
                }
                Came::Rejected => {
                    self.counts.rejected += 1;
                    self.worst = self.worst.max(Exit::No);
                }
                Came::Error => self.counts.errors += 1,
            }
        }
        let lines = match (self.group.first(), self.group.last()) {
            (Some(first), Some(last)) => format!("the receipts of lines {} to {}", first.line, last.line),
            _ => "receipts".to_owned(),
        };
        self.group.clear();
        self.text.clear();
        let seen = self.counts.accepted + self.counts.rejected + self.counts.errors;
        self.ticker.say(|| text::count(seen, "command"));
        match written {
            Ok(()) => Ok(true),
            Err(error) => Err(Failure::undelivered(error, lines)
                .hint("the commands are stored; sent again with the same ids, they are not stored again")),
        }
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

    #[test]
    fn numbers_are_readable() {
        let counts = Counts { accepted: 190_012, duplicates: 0, rejected: 9_988, errors: 0 };
        assert_eq!(counts.words(), "200,000 commands: 190,012 accepted, 9,988 rejected");
        let counts = Counts { accepted: 0, duplicates: 0, rejected: 0, errors: 1 };
        assert_eq!(counts.words(), "1 command: 0 accepted, 0 rejected, 1 error");
    }
}
