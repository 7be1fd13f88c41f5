//! stderr: what is said besides the data. That nobody may be listening is no reason to fail.

use super::progress::aside;
use super::text::harmless;
use anstream::{AutoStream, ColorChoice};
use std::io::{self, Write};

/// What speaks to the person at the terminal.
#[derive(Debug, Clone, Copy)]
pub struct Talk {
    /// Whether stderr may be coloured.
    pub color: bool,
    /// Whether what went wrong is said in JSON.
    pub json: bool,
}

impl Talk {
    /// Says text of one or several lines, each with its line break.
    pub fn text(self, text: &str) {
        let _ = self.write(text);
    }

    /// Says one line without which the work must not go on.
    pub fn demand(self, text: &str) -> io::Result<()> {
        self.write(&format!("{text}\n"))
    }

    fn write(self, text: &str) -> io::Result<()> {
        let choice = if self.color { ColorChoice::Always } else { ColorChoice::Never };
        aside(|| {
            let mut stderr = AutoStream::new(io::stderr().lock(), choice);
            stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush())
        })
    }

    /// Says one line that was made here.
    pub fn line(self, text: &str) {
        self.text(&format!("{text}\n"));
    }

    /// Says something worth knowing, which may quote data.
    pub fn note(self, text: &str) {
        for line in text.lines() {
            self.text(&format!("note: {}\n", harmless(line)));
        }
    }
}
