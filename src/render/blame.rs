//! The parts of a state with where they come from.

use super::listing::{Column, Render};
use super::records::exact;
use super::text;
use super::wire::{self, Exact};
use esctl::workbench::blame::Blamed;
use serde::Serialize;
use std::io;

/// Columns of [`Blamed`].
pub const LEAVES: &[Column] = &[
    Column::text("path"),
    Column::text("value"),
    Column::number("version"),
    Column::number("position"),
    Column::text("time"),
    Column::text("type"),
    Column::text("command"),
    Column::text("actor"),
];

#[derive(Serialize)]
struct LeafLine<'a> {
    path: &'a str,
    value: Exact<'a>,
    /// Null where it is as it was before the first event.
    event: Option<wire::Event<'a>>,
}

impl Render for Blamed {
    fn cells(&self) -> Vec<String> {
        let path = self.path.strip_prefix('/').unwrap_or(&self.path);
        let mut cells = vec![text::harmless(path).into_owned(), exact(&self.value)];
        match &self.event {
            Some(event) => {
                let command = event.command.as_deref();
                cells.extend([
                    event.version.to_string(),
                    event.position.to_string(),
                    event.time.to_string(),
                    event.kind.to_string(),
                    command.map(|command| command.name.to_string()).unwrap_or_default(),
                    command.and_then(|command| command.actor.as_deref()).unwrap_or_default().to_owned(),
                ]);
            }
            None => cells.resize(LEAVES.len(), String::new()),
        }
        cells
    }

    fn json(&self) -> io::Result<String> {
        let event = self.event.as_deref().map(wire::Event::from);
        wire::line(&LeafLine { path: &self.path, value: (&self.value).into(), event })
    }
}
