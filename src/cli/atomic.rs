//! `send --batch --atomic`: all commands of a batch in one write turn and one commit, or none of them.
//!
//! All lines are read and checked before the turn is taken, so nobody waits for whoever writes them. What was read and the
//! receipts are put aside, in a temporary file where they are many: memory stays bounded.

use super::batch::{Counts, answer, no_answer};
use super::context::{Context, Ids, Purpose};
use super::failure::{Exit, Failure, Kind};
use super::lines::{self, Piece};
use super::react::{ReactArgs, after_sending};
use super::send::{NEW_RULES, say_id};
use crate::render::{Bar, Talk, text};
use esctl::workbench::Workbench;
use esctl::workbench::batch::{Batch, request_from_line};
use esctl::workbench::send::{Now, Refusal, Sent};
use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};
use std::sync::mpsc::Receiver;
use tempfile::SpooledTempFile;

/// How much of what is put aside stays in memory, in bytes.
const IN_MEMORY: usize = 1024 * 1024;

/// Runs the verb.
pub fn run(file: &str, print_id: bool, react: ReactArgs, context: &mut Context) -> Result<Exit, Failure> {
    let input = lines::open(file, context.talk)?;
    // No store is made for a batch that is not understood. One that is there is opened as for writing: who only reads does
    // not wait for another process that is making it.
    let purpose = if context.globals.store.exists() { Purpose::Send } else { Purpose::Nothing };
    let mut workbench = context.workbench(purpose)?;
    let ids = context.ids(&mut workbench)?;
    let mut run = Run { talk: context.talk, bar: context.bar(), length: lines::length(file), count: 0, lines: None };
    let pieces = lines::read_ahead(input, context.clock);
    let read = run.read(&pieces, &mut workbench, ids, print_id);
    let ended = read.and_then(|commands| run.carry_out(commands, &mut workbench, context));
    run.bar.clear();
    context.say_notes(&workbench.domains);
    match ended {
        Ok((counts, mut receipts)) => {
            let delivered = io::copy(&mut receipts, &mut context.out).and_then(|_| context.out.flush());
            context.talk.line(&counts.words());
            delivered.map_err(|error| {
                Failure::undelivered(error, "the batch is stored, but its receipts")
                    .hint("sent again with the same ids, its commands are not stored again")
            })?;
            after_sending(&mut workbench, react.manner(context.clock.now()), context);
            Ok(Exit::Done)
        }
        Err(undone) => run.tell(undone, context),
    }
}

/// Why a batch was not stored.
#[derive(Debug)]
enum Undone {
    /// The domain refused the command of that line.
    Rejected(u64, Box<Refusal>),
    /// That line is not understood, or cannot be carried out.
    Line(u64, Failure),
    /// It is about all of it: the input, the turn, the commit, the temporary file.
    Whole(Failure),
}

/// A batch under way.
#[derive(Debug)]
struct Run {
    talk: Talk,
    bar: Bar,
    /// How many bytes the input has, where that is known.
    length: Option<u64>,
    /// How many commands were read.
    count: u64,
    /// The first and the last line with a command in it, as far as they are read.
    lines: Option<(u64, u64)>,
}

impl Run {
    /// Puts all lines aside, each with its number and an id for its command, should it name none.
    fn read(
        &mut self,
        pieces: &Receiver<Piece>,
        workbench: &mut Workbench,
        mut ids: Ids,
        print_id: bool,
    ) -> Result<Aside, Undone> {
        let mut commands = Aside::new();
        let mut met = BTreeSet::new();
        let mut read = 0;
        for piece in pieces {
            let (bytes, first, time) = match piece {
                Piece::Lines(bytes, first, time) => (bytes, first, time),
                Piece::Long(line) => return Err(Undone::Line(line, lines::too_long())),
                Piece::Failed(error) => return Err(Undone::Whole(lines::unreadable(&error))),
            };
            for (line, bytes) in lines::numbered(&bytes, first) {
                let now = ids.now(time);
                let mut check = || -> Result<&str, Failure> {
                    let text = lines::text(bytes)?;
                    let request = request_from_line(text)?;
                    workbench.understands(&request, &now)?;
                    if met.insert(request.stream.aggregate().to_owned()) && workbench.rules_are_new(&request.stream)? {
                        self.talk.note(NEW_RULES);
                    }
                    if print_id && request.id.is_none() {
                        say_id(&format!("line {line}: id {}", now.id), self.talk)?;
                    }
                    Ok(text)
                };
                let text = check().map_err(|failure| Undone::Line(line, failure))?;
                commands.line(&format!("{line} {} {text}", now.id))?;
                self.lines = Some((self.lines.map_or(line, |(first, _)| first), line));
                self.count += 1;
            }
            read += bytes.len() as u64;
            let so_far = self.length.map(|length| (read.min(length), length));
            self.bar.step(so_far, || format!("{} read", text::count(self.count, "command")));
        }
        Ok(commands)
    }

    /// Decides and stores all of it: what comes back are the receipts, to be written as they are.
    fn carry_out(
        &mut self,
        commands: Aside,
        workbench: &mut Workbench,
        context: &Context,
    ) -> Result<(Counts, BufReader<SpooledTempFile>), Undone> {
        let commands = commands.reread()?;
        let mut receipts = Aside::new();
        let mut counts = Counts::default();
        if self.lines.is_none() {
            return Ok((counts, receipts.reread()?));
        }
        workbench.store = context.store(Purpose::Send).map_err(Undone::Whole)?;
        let mut batch = Batch::new(workbench, context.now);
        batch.begin().map_err(|error| Undone::Whole(error.into()))?;
        let count = self.count;
        // One commit, one time: that of the turn.
        let time = context.clock.now();
        for kept in commands.lines() {
            let kept = kept.map_err(|error| cannot(&error))?;
            let (line, id, text) = parts(&kept).ok_or_else(|| cannot(&io::ErrorKind::InvalidData.into()))?;
            let of_line = |failure| Undone::Line(line, failure);
            let request = request_from_line(text).map_err(|misfit| of_line(misfit.into()))?;
            let sent = batch.add(request, &Now { time, id: id.to_owned() }).map_err(|error| of_line(error.into()))?;
            if let Sent::Rejected(mut refusal) = sent {
                batch.refuse(&mut refusal).map_err(|error| of_line(error.into()))?;
                return Err(Undone::Rejected(line, refusal.into()));
            }
            counts.accepted += 1;
            counts.duplicates += u64::from(matches!(&sent, Sent::Accepted(receipt) if receipt.duplicate));
            receipts.line(&answer(line, &sent).map_err(of_line)?)?;
            self.bar.thing(Some((counts.accepted, count)), || {
                format!("{} decided", text::count(counts.accepted, "command"))
            });
        }
        // What can go wrong with the receipts goes wrong before the commit.
        let receipts = receipts.reread()?;
        batch.commit().map_err(|error| Undone::Whole(error.into()))?;
        Ok((counts, receipts))
    }

    /// Says that nothing is stored, and why; the line that is to blame has its answer.
    fn tell(&self, undone: Undone, context: &mut Context) -> Result<Exit, Failure> {
        let (exit, record, words) = match undone {
            Undone::Rejected(line, refusal) => {
                let code = text::harmless(&refusal.rejection.code).into_owned();
                let words = format!("nothing of the batch was stored: line {line} was rejected ({code})");
                (Exit::No, Some(answer(line, &Sent::Rejected(*refusal))?), words)
            }
            Undone::Line(line, failure) => {
                let exit = failure.report_within(Some(&format!("in line {line} of the batch")), self.talk);
                let words = format!("nothing of the batch was stored: line {line} could not be carried out");
                (exit, Some(no_answer(line, &failure)?), words)
            }
            Undone::Whole(failure) if failure.kind == Kind::Unknown => {
                let hint = "send the same batch again if each of its lines has an `id`: it is stored once at most; \
                            ids that are made here are others the next time";
                let failure = Failure { hints: vec![hint.to_owned()], ..failure };
                let exit = failure.report_within(self.place().as_deref(), self.talk);
                (exit, None, "the batch is stored as a whole or not at all, nobody knows which".to_owned())
            }
            Undone::Whole(failure) => {
                let exit = failure.report_within(self.place().as_deref(), self.talk);
                (exit, None, "nothing of the batch was stored".to_owned())
            }
        };
        if let Some(record) = record {
            // Nothing is lost with this answer: the exit code gives it too.
            if let Err(error) = context.out.line(&record).and_then(|()| context.out.flush()) {
                Failure::output(error).report(self.talk);
            }
        }
        self.talk.line(&words);
        Ok(exit)
    }

    fn place(&self) -> Option<String> {
        let (first, last) = self.lines?;
        Some(if first == last {
            format!("in line {first} of the batch")
        } else {
            format!("in lines {first} to {last} of the batch")
        })
    }
}

/// What was put aside for a line: its number, an id, and what it says.
fn parts(kept: &str) -> Option<(u64, &str, &str)> {
    let (line, rest) = kept.split_once(' ')?;
    let (id, text) = rest.split_once(' ')?;
    Some((line.parse().ok()?, id, text))
}

/// Lines that are put aside, to be read again from the first one.
#[derive(Debug)]
struct Aside(BufWriter<SpooledTempFile>);

impl Aside {
    fn new() -> Self {
        Self(BufWriter::new(SpooledTempFile::new(IN_MEMORY)))
    }

    fn line(&mut self, text: &str) -> Result<(), Undone> {
        self.0.write_all(text.as_bytes()).and_then(|()| self.0.write_all(b"\n")).map_err(|error| cannot(&error))
    }

    fn reread(self) -> Result<BufReader<SpooledTempFile>, Undone> {
        let mut file = self.0.into_inner().map_err(|error| cannot(error.error()))?;
        file.rewind().map_err(|error| cannot(&error))?;
        Ok(BufReader::new(file))
    }
}

fn cannot(error: &io::Error) -> Undone {
    let words = format!("a temporary file in `{}` failed: {error}", std::env::temp_dir().display());
    Undone::Whole(Failure::new(Kind::Unavailable, words).hint("`TMPDIR` names another folder for it"))
}
