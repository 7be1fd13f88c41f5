//! `import`: what `export` wrote, into a store.

use super::context::Context;
use super::failure::{Exit, Failure, Kind};
use crate::render::records::{self, ImportDone};
use crate::render::{Bar, text};
use esctl::json::Reader;
use esctl::store::Store;
use esctl::workbench::error::Error;
use esctl::workbench::import::{Import, Imported, header};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

/// The longest line, in bytes: a payload of 1 MiB whose every character is escaped fits.
const MAX_LINE: u64 = 32 * 1024 * 1024;

/// How much is read at a time, in bytes.
const BLOCK: usize = 64 * 1024;
/// How many blocks are read ahead.
const AHEAD: usize = 8;

const EXAMPLES: &str = "\
examples:
  esctl export | esctl import --store copy.db
  esctl export bank.ndjson && esctl import bank.ndjson --raw";

/// store what `export` wrote: the same events at the same places, with the same hashes
///
/// A store that is made by it is a copy and takes over the id of the one that was exported. What is there already is
/// compared and skipped, so an import can be repeated, and one that was killed goes on where it stopped. What differs
/// from the store, or does not fit the domain, is refused; what came before it is kept.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ImportArgs {
    /// the export; `-` is stdin
    #[arg(value_name = "FILE", default_value = "-")]
    file: String,
    /// take events as they are, without reading a domain
    #[arg(long)]
    raw: bool,
}

/// Runs the verb.
pub fn run(args: &ImportArgs, context: &mut Context) -> Result<Exit, Failure> {
    let domains = if args.raw { None } else { Some(context.domains()?) };
    let mut lines = Lines::open(&args.file)?;
    let first = match lines.next() {
        Ok(true) => header(&lines.text).map_err(Failure::from),
        Ok(false) => Err(Failure::usage("this is no export: there is nothing in it")),
        Err(failure) => Err(failure),
    };
    let header = match first {
        Ok(header) => header,
        Err(failure) => return Ok(lines.say(&failure, context)),
    };
    let mut store = context.store_of(&header)?;
    let total = header.position.0.saturating_sub(header.after.0);
    let mut import = Import::new(&mut store, header, domains.as_ref())?;
    let mut bar = context.bar();
    let mut ended = all(&mut lines, &mut import, total, &mut bar);
    if ended.is_ok() || ended.as_ref().is_err_and(|failure| failure.exit() < Exit::Unavailable) {
        // What came before a line that is refused is kept.
        if let Err(error) = import.commit() {
            ended = Err(again(error));
        }
    }
    bar.clear();
    let done = import.done();
    let head = import.head();
    drop(import);
    if let Err(failure) = ended {
        let exit = lines.say(&failure, context);
        context.talk.line(&words(done));
        return Ok(exit);
    }
    let record = ImportDone { store: store.id(), done, head: head? };
    context.talk.line(&words(done));
    records::one(records::IMPORTED, &record, &mut context.out).map_err(|error| match done.events {
        0 => Failure::output(error),
        _ => Failure::undelivered(error, "the events are stored, but the summary")
            .hint("import it again: what is stored is skipped"),
    })?;
    Ok(Exit::Done)
}

fn all(lines: &mut Lines, import: &mut Import<'_>, total: u64, bar: &mut Bar) -> Result<(), Failure> {
    loop {
        // Whoever writes the export may take his time: nobody else is kept from writing meanwhile.
        if lines.would_wait() {
            import.commit().map_err(again)?;
        }
        if !lines.next()? {
            break;
        }
        let read = import.line(&lines.text);
        read.map_err(|error| match error {
            Error::Misfit(_) if lines.is_cut() => Failure::usage("the export is cut off in the middle of this line")
                .hint("import the whole file: what is stored is skipped"),
            error => again(error),
        })?;
        let done = import.done();
        let events = done.events + done.skipped;
        bar.thing(Some((events, total)), || format!("{} of {}", text::thousands(events), text::count(total, "event")));
    }
    import.finish().map_err(again)
}

/// What settles an unknown outcome is another than for a command.
fn again(error: Error) -> Failure {
    let mut failure = Failure::from(error);
    if failure.kind == Kind::Unknown {
        failure.hints = vec!["import it again: what is stored is skipped".to_owned()];
    }
    failure
}

/// `3,000 events: 2,000 stored, 1,000 there before`
fn words(done: Imported) -> String {
    let all = text::count(done.events + done.skipped, "event");
    format!("{all}: {} stored, {} there before", text::thousands(done.events), text::thousands(done.skipped))
}

/// What a thread has read ahead.
struct Ahead {
    blocks: Receiver<io::Result<Vec<u8>>>,
    /// The block that is being handed over, and how much of it was.
    block: Vec<u8>,
    given: usize,
    /// What ended the reading, if it was an error, until that is handed over too.
    failed: Option<io::Error>,
}

impl Ahead {
    fn of(mut input: Box<dyn Read + Send>) -> Self {
        let (sender, blocks) = sync_channel(AHEAD);
        // Nobody waits for the thread: it ends with its input, or with the process.
        std::thread::spawn(move || {
            loop {
                let mut block = vec![0; BLOCK];
                let read = match input.read(&mut block) {
                    Ok(0) => return,
                    Ok(length) => {
                        block.truncate(length);
                        Ok(block)
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                if sender.send(read).is_err() {
                    return;
                }
            }
        });
        Self { blocks, block: Vec::new(), given: 0, failed: None }
    }

    /// Whether there is nothing to be had just now, but may be later.
    fn is_empty(&mut self) -> bool {
        if self.given < self.block.len() || self.failed.is_some() {
            return false;
        }
        match self.blocks.try_recv() {
            Ok(Ok(block)) => {
                (self.block, self.given) = (block, 0);
                false
            }
            Ok(Err(error)) => {
                self.failed = Some(error);
                false
            }
            Err(TryRecvError::Disconnected) => false,
            Err(TryRecvError::Empty) => true,
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.given == self.block.len() {
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            match self.blocks.recv() {
                Ok(block) => (self.block, self.given) = (block?, 0),
                Err(_) => return Ok(0),
            }
        }
        let length = out.len().min(self.block.len() - self.given);
        out[..length].copy_from_slice(&self.block[self.given..self.given + length]);
        self.given += length;
        Ok(length)
    }
}

/// The lines of the input, one at a time.
struct Lines {
    input: BufReader<Ahead>,
    /// The line read last.
    text: String,
    number: u64,
    /// It has no line break: the input ends with it.
    cut: bool,
}

impl Lines {
    fn open(file: &str) -> Result<Self, Failure> {
        let input: Box<dyn Read + Send> = if file == "-" {
            Box::new(io::stdin())
        } else {
            let cannot = |error| Failure::usage(format!("`{file}` cannot be read: {error}"));
            Box::new(File::open(file).map_err(cannot)?)
        };
        let input = BufReader::with_capacity(BLOCK, Ahead::of(input));
        Ok(Self { input, text: String::new(), number: 0, cut: false })
    }

    /// Whether the next line is not there yet.
    fn would_wait(&mut self) -> bool {
        !self.input.buffer().contains(&b'\n') && self.input.get_mut().is_empty()
    }

    /// Reads the next line that says anything; `false` at the end.
    fn next(&mut self) -> Result<bool, Failure> {
        loop {
            let mut bytes = std::mem::take(&mut self.text).into_bytes();
            bytes.clear();
            let read = (&mut self.input).take(MAX_LINE).read_until(b'\n', &mut bytes);
            let length = read.map_err(|error| Failure::usage(format!("the export cannot be read on: {error}")))?;
            if length == 0 {
                return Ok(false);
            }
            self.number += 1;
            self.cut = bytes.last() != Some(&b'\n');
            if self.cut && length as u64 == MAX_LINE {
                return Err(Failure::usage("the line is longer than any line of an export"));
            }
            match String::from_utf8(bytes) {
                Ok(text) => self.text = text,
                Err(_) if self.cut => {
                    return Err(Failure::usage("the export is cut off in the middle of this line"));
                }
                Err(_) => return Err(Failure::usage("the line is not UTF-8 text")),
            }
            if !self.text.trim().is_empty() {
                return Ok(true);
            }
        }
    }

    /// Whether the input ends in the middle of the line read last.
    fn is_cut(&self) -> bool {
        let mut reader = Reader::new(&self.text);
        self.cut && reader.skip().and_then(|()| reader.finish()).is_err()
    }

    /// Says what is wrong with the line read last, or with what it led to.
    fn say(&self, failure: &Failure, context: &Context) -> Exit {
        failure.report_within(Some(&format!("in line {} of the export", self.number.max(1))), context.talk)
    }
}
