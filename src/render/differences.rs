//! Differences one after the other: as text for people, as records for programs.

use super::listing::{Column, Listing, Render};
use super::{Format, Output};
use std::io;
use std::ops::ControlFlow;

/// Differences in the making. Their memory does not grow with their number.
#[derive(Debug)]
pub struct Differences<'o> {
    form: Form<'o>,
    any: bool,
}

#[derive(Debug)]
enum Form<'o> {
    Text(&'o mut Output, io::Result<()>),
    Csv(Listing<'o>),
    Json(Listing<'o>),
}

impl<'o> Differences<'o> {
    /// None yet; as records they have these columns. `head` is what people read first.
    pub fn new(columns: &'static [Column], head: &[String], out: &'o mut Output) -> Self {
        let form = match out.format {
            Format::Table => {
                let said = head.iter().try_for_each(|line| out.line(line));
                Form::Text(out, said)
            }
            Format::Csv => Form::Csv(Listing::new(columns, out)),
            Format::Json | Format::Ndjson => Form::Json(Listing::new(columns, out)),
        };
        Self { form, any: false }
    }

    /// A difference: one record as JSON, one for each of `lines` as CSV, and for people what `words` writes.
    pub fn push<L: Render>(
        &mut self,
        record: &impl Render,
        lines: impl IntoIterator<Item = L>,
        words: impl FnOnce(&mut Output) -> io::Result<()>,
    ) -> ControlFlow<()> {
        self.any = true;
        match &mut self.form {
            Form::Json(listing) => listing.push(record),
            Form::Csv(listing) => lines.into_iter().try_for_each(|line| listing.push(&line)),
            Form::Text(out, said) => {
                if said.is_ok() {
                    *said = words(out);
                }
                if said.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            }
        }
    }

    /// That these are all.
    pub fn finish(self) -> io::Result<()> {
        match self.form {
            Form::Json(listing) | Form::Csv(listing) => listing.finish(),
            Form::Text(out, said) => {
                said?;
                if self.any { Ok(()) } else { out.line("    (no difference)") }
            }
        }
    }

    /// That something went wrong before all were there.
    pub fn cut(self) {
        if let Form::Json(listing) | Form::Csv(listing) = self.form {
            listing.cut();
        }
    }
}
