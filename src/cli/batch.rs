//! `send --batch`: NDJSON commands in, NDJSON receipts out, in order, in groups, in constant memory.
//!
//! A thread reads ahead, see [`super::lines`]. A group is committed when it is full, or when nothing is there to be read:
//! whoever waits for a receipt before sending the next command gets it. Receipts are written only after their group is
//! committed. All or nothing instead of groups: [`super::atomic`].

use super::context::{Context, Ids, Purpose};
use super::failure::{Exit, Failure, Kind};
use super::lines::{self, Piece};
use super::react::{ReactArgs, say_stopped, settle};
use super::send::{NEW_RULES, say_id};
use crate::render::{Bar, Output, Talk, text, trouble, wire};
use esctl::event::Time;
use esctl::workbench::batch::{Batch, request_from_line};
use esctl::workbench::process::Happened;
use esctl::workbench::send::Sent;
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::mpsc::{Receiver, TryRecvError};

/// The most commands that are stored together.
pub const MAX_GROUP: u64 = 256;
/// A group is committed when its events or its receipts are that large, in bytes.
const MAX_GROUP_BYTES: usize = 1024 * 1024;

/// How a batch is to be carried out.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// The most commands that are stored together.
    pub group: u64,
    /// What ends it before its last line.
    pub ends: Ends,
    /// Whether ids that are made for commands are said before these are decided.
    pub print_id: bool,
    /// Whether processes react to each group.
    pub react: ReactArgs,
}

/// What ends a batch before its last line. That the store cannot go on always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// A line that is not understood or cannot be carried out.
    OnError,
    /// The same, and a rejection.
    OnRejection,
    /// None of these.
    Never,
}

/// Runs the verb.
pub fn run(file: &str, settings: Settings, context: &mut Context) -> Result<Exit, Failure> {
    let input = lines::open(file, context.talk)?;
    let mut workbench = context.workbench(Purpose::Send)?;
    let ids = context.ids(&mut workbench)?;
    let pieces = lines::read_ahead(input, context.clock);
    let bar = context.bar_beside_data();
    let mut run = Run {
        settings,
        ids,
        talk: context.talk,
        batch: Batch::new(&mut workbench, context.now),
        out: &mut context.out,
        group: Vec::new(),
        text: String::new(),
        counts: Counts::default(),
        worst: Exit::Done,
        stopped: None,
        met: BTreeSet::new(),
        bar,
        read: 0,
        length: lines::length(file),
    };
    let ended = run.all(&pieces);
    run.bar.clear();
    let (counts, worst, stopped) = (run.counts, run.worst, run.stopped);
    drop(run);
    context.say_notes(&workbench.domains);
    match stopped {
        Some(line) => context.talk.line(&format!("{}; stopped at line {line}", counts.words())),
        None => context.talk.line(&counts.words()),
    }
    Ok(match ended {
        Ok(()) => worst,
        Err(failure) => worst.max(failure.report(context.talk)),
    })
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

/// What came of the lines of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Commands that were accepted.
    pub accepted: u64,
    /// Those of them that were stored before.
    pub duplicates: u64,
    /// Commands that were rejected.
    pub rejected: u64,
    /// Lines that could not be carried out.
    pub errors: u64,
}

impl Counts {
    /// `200,000 commands: 190,012 accepted, 9,988 rejected`
    pub fn words(self) -> String {
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

/// The answer to a line: a receipt or a rejection.
pub fn answer(line: u64, sent: &Sent) -> Result<String, Failure> {
    let mut answer = wire::Answer::from(sent);
    answer.line = Some(line);
    wire::line(&answer).map_err(Failure::output)
}

/// The answer to a line that cannot be carried out.
pub fn no_answer(line: u64, failure: &Failure) -> Result<String, Failure> {
    let (message, details) = failure.wire();
    let exit = failure.exit() as u8;
    let (details, conflict) = (trouble::details(details), failure.conflict());
    let error = trouble::LineError { line, outcome: "error", exit, message: &message, details, conflict };
    wire::line(&error).map_err(Failure::output)
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
    /// The last line that was looked at, where that ended the batch.
    stopped: Option<u64>,
    /// Aggregates that were sent to.
    met: BTreeSet<String>,
    bar: Bar,
    /// How many bytes of the input were read, and how many there are, where that is known.
    read: u64,
    length: Option<u64>,
}

/// Whether the batch goes on.
type Go = Result<bool, Failure>;

impl Run<'_> {
    fn all(&mut self, pieces: &Receiver<Piece>) -> Result<(), Failure> {
        while let Some(piece) = self.next(pieces)? {
            let go = match piece {
                Piece::Lines(bytes, first, time) => {
                    let go = self.lines(&bytes, first, time)?;
                    self.read += bytes.len() as u64;
                    go
                }
                Piece::Long(line) => self.failed(line, &lines::too_long())?,
                Piece::Failed(error) => {
                    self.commit()?;
                    return Err(lines::unreadable(&error));
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
        for (line, bytes) in lines::numbered(bytes, first) {
            if !self.line(line, bytes, time)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn line(&mut self, line: u64, bytes: &[u8], time: Time) -> Go {
        let sent = match self.decide(line, bytes, time) {
            Ok(sent) => sent,
            Err(failure) => return self.failed(line, &failure),
        };
        let record = answer(line, &sent)?;
        let came = match sent {
            Sent::Accepted(receipt) if receipt.duplicate => Came::Before,
            Sent::Accepted(_) => Came::Accepted,
            Sent::Rejected(_) => Came::Rejected,
        };
        self.hold(line, came, &record);
        if came == Came::Rejected && self.settings.ends == Ends::OnRejection {
            self.stopped = Some(line);
            return self.commit().map(|_| false);
        }
        let full = self.group.len() as u64 >= self.settings.group
            || self.batch.bytes() >= MAX_GROUP_BYTES
            || self.text.len() >= MAX_GROUP_BYTES;
        if full { self.commit() } else { Ok(true) }
    }

    fn decide(&mut self, line: u64, bytes: &[u8], time: Time) -> Result<Sent, Failure> {
        let request = request_from_line(lines::text(bytes)?)?;
        // Each kind of stream once: afterwards this batch itself has used the rules.
        if self.met.insert(request.stream.aggregate().to_owned()) && self.batch.rules_are_new(&request.stream)? {
            self.talk.note(NEW_RULES);
        }
        let now = self.ids.now(time);
        if self.settings.print_id && request.id.is_none() {
            say_id(&format!("line {line}: id {}", now.id), self.talk)?;
        }
        Ok(self.batch.add(request, &now)?)
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
        if self.settings.ends != Ends::Never {
            self.stopped = Some(line);
        }
        Ok(self.commit()? && self.settings.ends == Ends::Never)
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
        // After damage or an unknown outcome nothing more is tried.
        let goes_on = self.settings.ends == Ends::Never && failure.kind == Kind::Unavailable;
        if !goes_on {
            self.stopped = group.last().map(|held| held.line);
        }
        Ok(self.deliver()? && goes_on)
    }

    fn hold_error(&mut self, line: u64, failure: &Failure) -> Result<(), Failure> {
        let record = no_answer(line, failure)?;
        self.worst = self.worst.max(failure.exit());
        self.hold(line, Came::Error, &record);
        Ok(())
    }

    fn say(&mut self, first: u64, last: u64, failure: &Failure) {
        let lines = if first == last { format!("line {first}") } else { format!("lines {first} to {last}") };
        failure.report_within(Some(&format!("in {lines} of the batch")), self.talk);
    }

    /// Lets processes react to the group. What they do is no part of the batch's outcome.
    fn react(&mut self) {
        if self.settings.react.no_react {
            return;
        }
        let talk = self.talk;
        let reacted = self.batch.react(self.settings.react.max_steps, &mut |happened| {
            if let Happened::Stopped(stopped) = happened {
                say_stopped(stopped, talk);
            }
        });
        settle(reacted, talk);
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
        let ends = self.group.first().zip(self.group.last()).map(|(first, last)| (first.line, last.line));
        self.group.clear();
        self.text.clear();
        let seen = self.counts.accepted + self.counts.rejected + self.counts.errors;
        let so_far = self.length.map(|length| (self.read.min(length), length));
        self.bar.step(so_far, || text::count(seen, "command"));
        match written {
            Ok(()) => {
                self.react();
                Ok(true)
            }
            Err(error) => {
                let what = match ends {
                    Some((first, last)) => format!("the receipts of lines {first} to {last}"),
                    None => "receipts".to_owned(),
                };
                self.stopped = ends.map(|(_, last)| last);
                Err(Failure::undelivered(error, what)
                    .hint("the commands are stored; sent again with the same ids, they are not stored again"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        let counts = Counts { accepted: 190_012, duplicates: 0, rejected: 9_988, errors: 0 };
        assert_eq!(counts.words(), "200,000 commands: 190,012 accepted, 9,988 rejected");
        let counts = Counts { accepted: 0, duplicates: 0, rejected: 0, errors: 1 };
        assert_eq!(counts.words(), "1 command: 0 accepted, 0 rejected, 1 error");
    }
}
