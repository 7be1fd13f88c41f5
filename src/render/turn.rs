//! Since when a condition holds.

use super::wire::{self, Exact};
use super::{Output, state, text};
use esctl::event::{Recorded, StreamName};
use esctl::workbench::Change;
use esctl::workbench::bisect::Turn;
use esctl::workbench::project::bisect::RowTurn;
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

#[derive(Serialize)]
struct RowTurnLine<'a> {
    projection: &'a str,
    key: &'a str,
    condition: &'a str,
    /// Whether it holds from that position on; null where there is no such position.
    holds: Option<bool>,
    position: Option<u64>,
    event: Option<wire::Event<'a>>,
    /// Null where there is no such row then.
    row: Option<Exact<'a>>,
}

/// The answer; `None` where there is none.
pub fn turn(stream: &StreamName, condition: &str, turn: Option<&Turn>, out: &mut Output) -> io::Result<()> {
    if out.format.is_json() {
        let line = TurnLine {
            stream: stream.as_str(),
            condition,
            holds: turn.map(|turn| turn.holds),
            version: turn.map(|turn| turn.version.0),
            event: turn.and_then(|turn| event(turn.event.as_ref(), &turn.changes)),
            state: turn.map(|turn| (&turn.state).into()),
        };
        return out.line(&wire::line(&line)?);
    }
    let since = turn.map(|turn| (turn.holds, turn.version.0, format!("version {}", turn.version)));
    out.line(&words(stream.as_str(), condition, since))?;
    let Some((turn, event)) = turn.and_then(|turn| Some((turn, turn.event.as_ref()?))) else { return Ok(()) };
    out.line("")?;
    state::changed_by(event, &turn.changes, out)
}

/// The answer of a row, which is known by its projection and its key.
pub fn row(
    (projection, key): (&str, &str),
    condition: &str,
    turn: Option<&RowTurn>,
    out: &mut Output,
) -> io::Result<()> {
    if out.format.is_json() {
        let line = RowTurnLine {
            projection,
            key,
            condition,
            holds: turn.map(|turn| turn.holds),
            position: turn.map(|turn| turn.position.0),
            event: turn.and_then(|turn| event(turn.event.as_ref(), &turn.changes)),
            row: turn.and_then(|turn| turn.row.as_ref().map(Exact::from)),
        };
        return out.line(&wire::line(&line)?);
    }
    let since = turn.map(|turn| (turn.holds, turn.position.0, wire::at(turn.position)));
    out.line(&words(&format!("{projection} {key}"), condition, since))?;
    let Some((turn, event)) = turn.and_then(|turn| Some((turn, turn.event.as_ref()?))) else { return Ok(()) };
    out.line("")?;
    let stream = text::harmless(event.stream.as_str());
    out.line(&format!("{stream}  {}", state::event(event, None)))?;
    state::changes(&turn.changes, out)
}

fn event<'a>(event: Option<&'a Recorded>, changes: &'a [Change]) -> Option<wire::Event<'a>> {
    let mut event = wire::Event::from(event?);
    event.changes = Some(changes.iter().map(wire::Changed::from).collect());
    Some(event)
}

/// `since`: whether it holds, from where on as a number, which is 0 for the beginning, and in words.
fn words(what: &str, condition: &str, since: Option<(bool, u64, String)>) -> String {
    let (what, condition) = (text::harmless(what), text::harmless(condition));
    match since {
        None => format!("{what}  no event makes a difference to `{condition}`"),
        Some((true, 0, _)) => format!("{what}  `{condition}` holds from the beginning"),
        Some((true, _, since)) => format!("{what}  `{condition}` holds from {since} on"),
        Some((false, _, since)) => format!("{what}  `{condition}` holds no more from {since} on"),
    }
}
