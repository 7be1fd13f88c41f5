//! Records one after the other, in each of the four forms, however many there are.

use super::table::Pages;
use super::{Format, Output};
use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::ControlFlow;

/// A column of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Cow<'static, str>,
    /// Whether it holds numbers, which stand at the right.
    pub right: bool,
}

impl Column {
    /// A column of texts.
    pub const fn text(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), right: false }
    }

    /// A column of numbers.
    pub const fn number(name: &'static str) -> Self {
        Self { name: Cow::Borrowed(name), right: true }
    }
}

/// A record that can be listed.
pub trait Render {
    /// One text for each column, exactly as it is in the data.
    fn cells(&self) -> Vec<String>;
    /// One JSON object on one line.
    fn json(&self) -> io::Result<String>;
}

impl<R: Render> Render for &R {
    fn cells(&self) -> Vec<String> {
        (*self).cells()
    }

    fn json(&self) -> io::Result<String> {
        (*self).json()
    }
}

/// A listing in the making. Its memory does not grow with its length.
#[derive(Debug)]
pub struct Listing<'o> {
    columns: Vec<Column>,
    form: Form<'o>,
    fault: Option<io::Error>,
}

#[derive(Debug)]
enum Form<'o> {
    Table(Pages, &'o mut Output),
    Json { any: bool, out: &'o mut Output },
    Ndjson(&'o mut Output),
    Csv { begun: bool, out: Box<csv::Writer<&'o mut Output>> },
}

impl<'o> Listing<'o> {
    /// Nothing listed yet.
    pub fn new(columns: impl Into<Vec<Column>>, out: &'o mut Output) -> Self {
        let form = match out.format {
            Format::Table => Form::Table(Pages::new(out.color), out),
            Format::Json => Form::Json { any: false, out },
            Format::Ndjson => Form::Ndjson(out),
            Format::Csv => Form::Csv { begun: false, out: Box::new(csv::Writer::from_writer(out)) },
        };
        Self { columns: columns.into(), form, fault: None }
    }

    /// Whether records are listed as JSON.
    pub fn is_json(&self) -> bool {
        matches!(self.form, Form::Json { .. } | Form::Ndjson(_))
    }

    /// Lists a record. After a failure it does nothing more; [`Listing::finish`] tells.
    pub fn push(&mut self, record: &impl Render) -> ControlFlow<()> {
        if self.fault.is_none()
            && let Err(fault) = self.try_push(record)
        {
            self.fault = Some(fault);
        }
        if self.fault.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Passes on what was listed so far, for those who wait for it. A table gets its header with its first record, so that
    /// both stand in line.
    pub fn flush(&mut self) -> ControlFlow<()> {
        if self.fault.is_none()
            && let Err(fault) = self.try_flush()
        {
            self.fault = Some(fault);
        }
        if self.fault.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn try_flush(&mut self) -> io::Result<()> {
        match &mut self.form {
            Form::Table(pages, out) if pages.holds_any() => pages.write(&self.columns, *out)?,
            Form::Csv { begun, out } => header(&self.columns, begun, out)?,
            Form::Table(..) | Form::Json { .. } | Form::Ndjson(_) => {}
        }
        self.form.flush()
    }

    /// Ends the listing, as complete, and passes it on.
    pub fn finish(mut self) -> io::Result<()> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        match &mut self.form {
            Form::Table(pages, out) => pages.write(&self.columns, *out)?,
            Form::Json { any, out } => out.line(if *any { "\n]" } else { "[]" })?,
            Form::Ndjson(_) => {}
            Form::Csv { begun, out } => header(&self.columns, begun, out)?,
        }
        self.form.flush()
    }

    /// Passes on what there is of a listing that cannot be completed: a JSON array stays open, so that nobody takes
    /// it for the whole. What else fails here does not matter any more.
    pub fn cut(mut self) {
        let written = match &mut self.form {
            Form::Table(pages, out) => pages.write(&self.columns, *out),
            _ => Ok(()),
        };
        let _ = written.and_then(|()| self.form.flush());
    }

    fn try_push(&mut self, record: &impl Render) -> io::Result<()> {
        match &mut self.form {
            Form::Table(pages, out) => pages.push(&self.columns, record.cells(), *out),
            Form::Json { any, out } => {
                out.write_all(if *any { b",\n" } else { b"[\n" })?;
                *any = true;
                out.write_all(record.json()?.as_bytes())
            }
            Form::Ndjson(out) => out.line(&record.json()?),
            Form::Csv { begun, out } => {
                header(&self.columns, begun, out)?;
                out.write_record(record.cells()).map_err(plain)
            }
        }
    }
}

fn header(columns: &[Column], begun: &mut bool, out: &mut csv::Writer<&mut Output>) -> io::Result<()> {
    if !*begun {
        *begun = true;
        let names = columns.iter().map(|column| column.name.as_bytes());
        out.write_record(names).map_err(plain)?;
    }
    Ok(())
}

/// The writer's own failure, whose kind tells a closed pipe from a full disk.
fn plain(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

impl Form<'_> {
    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Table(_, out) | Self::Json { out, .. } | Self::Ndjson(out) => out.flush(),
            Self::Csv { out, .. } => out.flush(),
        }
    }
}
