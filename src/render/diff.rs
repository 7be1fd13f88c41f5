//! What differs between two states.

use super::listing::{Column, Listing, Render};
use super::records::exact;
use super::{Format, Output, state, text, wire};
use esctl::json::Value;
use esctl::workbench::Change;
use esctl::workbench::diff::Diff;
use esctl::workbench::replay::Replayed;
use std::io;

/// Columns of [`Change`].
const DIFFERENCES: &[Column] = &[Column::text("path"), Column::text("before"), Column::text("after")];

impl Render for Change {
    fn cells(&self) -> Vec<String> {
        let side = |value: &Option<Value>| value.as_ref().map(exact).unwrap_or_default();
        vec![self.path.clone(), side(&self.before), side(&self.after)]
    }

    fn json(&self) -> io::Result<String> {
        wire::line(&wire::Changed::from(self))
    }
}

/// Every difference; for people below what is compared.
pub fn diff(diff: &Diff, out: &mut Output) -> io::Result<()> {
    if out.format == Format::Table {
        out.line(&format!("from  {}", point(&diff.from)))?;
        out.line(&format!("to    {}", point(&diff.to)))?;
        if diff.changes.is_empty() {
            return out.line("    (no difference)");
        }
        return state::changes(&diff.changes, out);
    }
    let mut listing = Listing::new(DIFFERENCES, out);
    let _ = diff.changes.iter().try_for_each(|change| listing.push(change));
    listing.finish()
}

fn point(state: &Replayed) -> String {
    let stream = text::harmless(state.stream.as_str());
    match state.time {
        Some(time) => format!("{stream}  version {}  {}  {time}", state.version, wire::at(state.position)),
        None => format!("{stream}  version {}", state.version),
    }
}
