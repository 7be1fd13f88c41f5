//! Typed results in, bytes out.
//!
//! stdout is data: what it says never depends on whether it is a terminal, only colour and width do. stderr is talk.

pub mod answer;
pub mod blame;
pub mod coverage;
pub mod describe;
pub mod diagram;
pub mod diff;
pub mod differences;
pub mod export;
pub mod followed;
pub mod generated;
pub mod instances;
pub mod junit;
pub mod listing;
pub mod parting;
pub mod plan;
mod planned;
pub mod preview;
pub mod processes;
pub mod progress;
pub mod projections;
pub mod proof;
pub mod receipt;
pub mod recorded;
pub mod records;
pub mod report;
pub mod row_diff;
pub mod rules;
mod scenario;
pub mod snapshots;
pub mod state;
pub mod step;
pub mod stored;
mod table;
pub mod talk;
pub mod text;
pub mod things;
pub mod trace;
pub mod trouble;
pub mod turn;
pub mod verdict;
pub mod wire;

use std::io::{self, BufWriter, IsTerminal, Stdout, Write};

pub use listing::{Listing, Render};
pub use progress::Bar;
pub use talk::Talk;

/// The form in which a verb prints its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Aligned text for people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON document a line.
    Ndjson,
    /// Comma-separated values with a header.
    Csv,
}

impl Format {
    /// Whether it is read by programs as JSON.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Json | Self::Ndjson)
    }
}

/// Where data goes: stdout, in large pieces. What is written reaches it with [`Write::flush`].
#[derive(Debug)]
pub struct Output {
    /// The form asked for.
    pub format: Format,
    /// Whether stdout may be coloured.
    pub color: bool,
    writer: BufWriter<Stdout>,
    /// Whether a bar may be where it goes.
    is_terminal: bool,
    /// Whether writing failed, which is said once, to whoever wrote.
    failed: bool,
}

impl Output {
    /// Data in that form.
    pub fn new(format: Format, color: bool) -> Self {
        let (stdout, is_terminal) = (io::stdout(), io::stdout().is_terminal());
        Self { format, color, writer: BufWriter::with_capacity(64 * 1024, stdout), is_terminal, failed: false }
    }

    /// Writes a line.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        self.write_all(text.as_bytes())?;
        self.write_all(b"\n")
    }

    /// Writes a text of several lines as it is, but for what a terminal would obey.
    pub fn text(&mut self, text: &str) -> io::Result<()> {
        for line in text.split_inclusive('\n') {
            let words = line.trim_end_matches(['\n', '\r']);
            let mut parts = words.split('\t');
            self.write_all(text::harmless(parts.next().unwrap_or_default()).as_bytes())?;
            for part in parts {
                self.write_all(b"\t")?;
                self.write_all(text::harmless(part).as_bytes())?;
            }
            self.write_all(&line.as_bytes()[words.len()..])?;
        }
        Ok(())
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let writer = &mut self.writer;
        let written = if self.is_terminal { progress::aside(|| writer.write(bytes)) } else { writer.write(bytes) };
        self.failed |= written.is_err();
        written
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.failed {
            return Ok(());
        }
        let writer = &mut self.writer;
        let flushed = if self.is_terminal { progress::aside(|| writer.flush()) } else { writer.flush() };
        self.failed = flushed.is_err();
        flushed
    }
}
