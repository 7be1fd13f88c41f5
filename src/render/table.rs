//! Tables of unbounded length, a page at a time: plain columns, no borders.

use super::Output;
use super::listing::Column;
use super::text::harmless;
use comfy_table::{Attribute, Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use std::io::{self, Write};

/// How many rows are held to find out how wide the columns are.
const PAGE: usize = 256;
/// A page ends early when it has so many bytes.
const PAGE_BYTES: usize = 4 * 1024 * 1024;
/// Two spaces between columns.
const GAP: u16 = 2;
/// The least width in which the last column is broken into several lines.
const READABLE: u16 = 24;

/// A table in the making. Columns keep at least the width they had in the pages before.
#[derive(Debug)]
pub(super) struct Pages {
    rows: Vec<Vec<String>>,
    bytes: usize,
    widths: Vec<u16>,
    begun: bool,
    color: bool,
}

impl Pages {
    pub(super) fn new(color: bool) -> Self {
        Self { rows: Vec::new(), bytes: 0, widths: Vec::new(), begun: false, color }
    }

    /// Takes a row; writes the page when it is full.
    pub(super) fn push(&mut self, columns: &[Column], row: Vec<String>, out: &mut impl Write) -> io::Result<()> {
        self.bytes += row.iter().map(String::len).sum::<usize>();
        self.rows.push(row);
        if self.rows.len() < PAGE && self.bytes < PAGE_BYTES { Ok(()) } else { self.write(columns, out) }
    }

    /// Whether there are rows that are not written yet.
    pub(super) fn holds_any(&self) -> bool {
        !self.rows.is_empty()
    }

    /// Writes what is held, and the header where there was none yet.
    pub(super) fn write(&mut self, columns: &[Column], out: &mut impl Write) -> io::Result<()> {
        if self.begun && self.rows.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let mut table = bare();
        if !self.begun {
            table.set_header(columns.iter().map(|column| self.heading(column)));
        }
        for row in self.rows.drain(..) {
            table.add_row(row.iter().map(|text| Cell::new(harmless(text))));
        }
        let natural = table.column_max_content_widths();
        for (at, column) in columns.iter().enumerate() {
            let width = natural.get(at).copied().unwrap_or(0).max(self.widths.get(at).copied().unwrap_or(0));
            if let Some(shown) = table.column_mut(at) {
                if column.right {
                    shown.set_cell_alignment(CellAlignment::Right);
                }
                if at + 1 < columns.len() {
                    shown.set_padding((0, GAP));
                    shown.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width.saturating_add(GAP))));
                } else {
                    shown.set_padding((0, 0));
                    if column.right {
                        shown.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
                    }
                }
            }
            match self.widths.get_mut(at) {
                Some(known) => *known = width,
                None => self.widths.push(width),
            }
        }
        self.begun = true;
        let before_last: u16 =
            self.widths.iter().rev().skip(1).map(|width| width.saturating_add(GAP)).fold(0, u16::saturating_add);
        if table.width().is_some_and(|width| width < before_last.saturating_add(READABLE)) {
            // A column of a few letters is harder to read than lines that the terminal breaks.
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
        put(&table, "", out)
    }

    fn heading(&self, column: &Column) -> Cell {
        let cell = Cell::new(harmless(&column.name));
        if self.color { cell.add_attribute(Attribute::Bold) } else { cell }
    }
}

/// How wide a table may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wide {
    /// As the terminal, where there is one.
    Terminal,
    /// As its text, whoever looks on.
    Text,
}

/// Two texts of several lines beside each other, under their titles, indented.
pub(super) fn side_by_side(
    left: (&str, &str),
    right: (&str, &str),
    wide: Wide,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut table = bare();
    if wide == Wide::Text {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    let lines = |text: &str| text.lines().map(|line| harmless(line).into_owned()).collect::<Vec<_>>().join("\n");
    table.set_header([left.0, right.0]);
    table.add_row([lines(left.1), lines(right.1)]);
    if let Some(column) = table.column_mut(0) {
        column.set_padding((0, GAP * 2));
    }
    if let Some(column) = table.column_mut(1) {
        column.set_padding((0, 0));
    }
    put(&table, "    ", out)
}

/// A small table that is there as a whole, indented. Columns that are empty in every row are left out, and so is the
/// header where there are no heads.
pub(super) fn aligned(heads: &[&str], rows: &[Vec<String>], out: &mut Output) -> io::Result<()> {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let kept: Vec<usize> = (0..width).filter(|at| rows.iter().any(|row| !row[*at].is_empty())).collect();
    let mut table = bare();
    if let Some(width) = table.width() {
        table.set_width(width.saturating_sub(GAP));
    }
    if !heads.is_empty() {
        let heads = kept.iter().map(|at| heads.get(*at).copied().unwrap_or_default());
        let bold = |head| if out.color { Cell::new(head).add_attribute(Attribute::Bold) } else { Cell::new(head) };
        table.set_header(heads.map(bold));
    }
    for row in rows {
        table.add_row(kept.iter().map(|at| Cell::new(harmless(&row[*at]))));
    }
    let natural = table.column_max_content_widths();
    let mut before_last = 0_u16;
    for (at, width) in natural.iter().enumerate() {
        let Some(column) = table.column_mut(at) else { continue };
        if at + 1 == natural.len() {
            column.set_padding((0, 0));
        } else {
            let width = width.saturating_add(GAP);
            before_last = before_last.saturating_add(width);
            column.set_padding((0, GAP)).set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
        }
    }
    if table.width().is_some_and(|width| width < before_last.saturating_add(READABLE)) {
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    put(&table, "  ", out)
}

fn bare() -> Table {
    let mut table = Table::new();
    // Without a terminal there is no width to arrange for, and lines are as long as they need.
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).enforce_styling();
    table
}

fn put(table: &Table, indent: &str, out: &mut impl Write) -> io::Result<()> {
    for line in table.lines() {
        writeln!(out, "{}", format!("{indent}{line}").trim_end())?;
    }
    Ok(())
}
