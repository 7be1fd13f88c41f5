//! Since when a condition holds.

use super::wire::{self, Exact};
use super::{Output, state, text};
use esctl::event::StreamName;
use esctl::workbench::bisect::Turn;
use serde::Serialize;
use std::io;

#[derive(Serialize)]
struct TurnLine<'a> {
    stream: &'a str,
    condition: &'a str,
    /// Whether it holds from that version on; null where there is no such version.
    holds: Option<bool>,
    version: Option<u64>,
    event: Option<wire::Event<'a>>,
    state: Option<Exact<'a>>,
}

/// The answer; `None` where there is none.
pub fn turn(stream: &StreamName, condition: &str, turn: Option<&Turn>, out: &mut Output) -> io::Result<()> {
    if out.format.is_json() {
        let event = turn.and_then(|turn| turn.event.as_ref().map(|event| (event, &turn.changes)));
        let line = TurnLine {
            stream: stream.as_str(),
            condition,
            holds: turn.map(|turn| turn.holds),
            version: turn.map(|turn| turn.version.0),
            event: event.map(|(event, changes)| {
                let mut event = wire::Event::from(event);
                event.changes = Some(changes.iter().map(wire::Changed::from).collect());
                event
            }),
            state: turn.map(|turn| (&turn.state).into()),
        };
        return out.line(&wire::line(&line)?);
    }
    let (stream, condition) = (text::harmless(stream.as_str()), text::harmless(condition));
    let Some(turn) = turn else {
        return out.line(&format!("{stream}  no event makes a difference to `{condition}`"));
    };
    let words = match (turn.holds, turn.version.0) {
        (true, 0) => "holds from the beginning".to_owned(),
        (true, version) => format!("holds from version {version} on"),
        (false, version) => format!("holds no more from version {version} on"),
    };
    out.line(&format!("{stream}  `{condition}` {words}"))?;
    match &turn.event {
        Some(event) => {
            out.line("")?;
            state::changed_by(event, &turn.changes, out)
        }
        None => Ok(()),
    }
}
