//! What `send` prints: receipts, rejections and rehearsals.

use super::{Output, preview, processes, state, text, wire};
use esctl::json::Value;
use esctl::workbench::rehearse::Rehearsal;
use esctl::workbench::send::{Receipt, Refusal, Sent};
use std::fmt::Write;
use std::io;

/// A receipt or a rejection.
pub fn sent(sent: &Sent, out: &mut Output) -> io::Result<()> {
    if out.format.is_json() {
        return out.line(&wire::line(&wire::Answer::from(sent))?);
    }
    match sent {
        Sent::Accepted(receipt) => accepted(receipt, "accepted", out),
        Sent::Rejected(refusal) => rejected(refusal, out),
    }
}

/// What would happen.
pub fn rehearsal(rehearsal: &Rehearsal, out: &mut Output) -> io::Result<()> {
    if out.format.is_json() {
        let mut answer = wire::Answer::from(&rehearsal.sent);
        answer.rehearsal = Some(wire::Rehearsed {
            dry_run: true,
            state: (&rehearsal.state).into(),
            changes: rehearsal.changes.iter().map(wire::Changed::from).collect(),
            projections: preview::lines(&rehearsal.projections),
            processes: rehearsal.processes.iter().map(processes::ForeseenLine::from).collect(),
        });
        return out.line(&wire::line(&answer)?);
    }
    let receipt = match &rehearsal.sent {
        Sent::Accepted(receipt) => receipt,
        Sent::Rejected(refusal) => return rejected(refusal, out),
    };
    accepted(receipt, "would be accepted", out)?;
    state::changes(&rehearsal.changes, out)?;
    let first = receipt.events.first().map_or(receipt.position, |event| event.position);
    preview::previews(&rehearsal.projections, first, out)?;
    rehearsal.processes.iter().try_for_each(|foreseen| out.line(&processes::foreseen_line(foreseen)))
}

fn accepted(receipt: &Receipt, how: &str, out: &mut Output) -> io::Result<()> {
    let how = if receipt.duplicate { "accepted before, nothing new stored" } else { how };
    let nothing = if receipt.events.is_empty() { ", no events" } else { "" };
    let mut header = format!("{}  {} {how}{nothing}", text::harmless(receipt.stream.as_str()), receipt.command);
    let _ = write!(header, "  version {}  {}", receipt.version, wire::at(receipt.position));
    out.line(&header)?;
    for event in &receipt.events {
        let elsewhere = if event.stream == receipt.stream {
            String::new()
        } else {
            format!("{}  ", text::harmless(event.stream.as_str()))
        };
        let data = text::harmless(&event.data);
        let position = wire::at(event.position);
        out.line(&format!("  {elsewhere}{}  {position}  {} {data}", event.version, event.kind))?;
    }
    Ok(())
}

fn rejected(refusal: &Refusal, out: &mut Output) -> io::Result<()> {
    let rejection = &refusal.rejection;
    let mut line = format!("rejected: {}", text::harmless(&rejection.code));
    if !rejection.message.is_empty() {
        let _ = write!(line, ": {}", text::harmless(&rejection.message));
    }
    out.line(&line)?;
    match &rejection.details {
        None => Ok(()),
        Some(Value::Object(details)) => details
            .iter()
            .try_for_each(|(name, value)| out.line(&format!("  {}: {}", text::harmless(name), text::value(value)))),
        Some(other) => out.line(&format!("  {}", text::value(other))),
    }
}
