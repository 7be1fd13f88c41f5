//! Copies of stores: what `export` hands over as lines, and those lines stored again.

use esctl::event::{Position, is_control};
use esctl::json::Value;
use esctl::store::Store;
use esctl::workbench::Error;
use esctl::workbench::export::{Piece, export};
use esctl::workbench::import::{Import, header};
use std::fmt::Write;
use std::ops::ControlFlow;

/// The lines of an export, written as `export` does.
pub fn exported(store: &mut dyn Store) -> String {
    let mut lines = String::new();
    let quoted = |text: &str| Value::Text(text.to_owned()).to_string();
    let stored = |text: &str| {
        let bare = text.starts_with('{') && text.ends_with('}') && !text.contains(is_control);
        if bare { text.to_owned() } else { quoted(text) }
    };
    let ended = export(store, Position(0), &mut |piece| {
        let written = match piece {
            Piece::Header(header) => write!(
                lines,
                "{{\"esctl\":1,\"store\":{},\"after\":{},\"previous\":\"{}\",\"position\":{},\"head\":\"{}\"",
                quoted(&header.store),
                header.after,
                header.previous,
                header.position,
                header.head
            ),
            Piece::Domain { digest, text } => {
                write!(lines, "{{\"domain\":{},\"text\":{}", quoted(digest), quoted(text))
            }
            Piece::Command(command, events) => {
                let mut line = format!(
                    "{{\"command\":{},\"stream\":{},\"name\":{},\"domain\":{},\"events\":{events}",
                    quoted(&command.id),
                    quoted(command.stream.as_str()),
                    quoted(&command.name),
                    quoted(&command.domain)
                );
                let labels = [
                    ("actor", &command.actor),
                    ("correlation", &command.correlation),
                    ("causation", &command.causation),
                ];
                for (key, label) in labels {
                    if let Some(label) = label {
                        write!(line, ",\"{key}\":{}", quoted(label)).unwrap();
                    }
                }
                if let Some(meta) = &command.meta {
                    write!(line, ",\"meta\":{}", stored(meta)).unwrap();
                }
                write!(lines, "{line},\"data\":{}", stored(&command.data))
            }
            Piece::Event(event, hash) => write!(
                lines,
                "{{\"position\":{},\"stream\":{},\"version\":{},\"type\":{},\"schema\":{},\"time\":\"{}\",\"data\":{},\"hash\":\"{hash}\"",
                event.position,
                quoted(event.stream.as_str()),
                event.version,
                quoted(&event.kind),
                event.schema,
                event.time,
                stored(&event.data)
            ),
        };
        written.unwrap();
        lines.push_str("}\n");
        ControlFlow::Continue(())
    });
    ended.unwrap();
    lines
}

/// Imports all of it, or what comes before the first line that is refused.
pub fn imported(store: &mut dyn Store, lines: &str) -> Result<(), Error> {
    let mut all = lines.lines().filter(|line| !line.trim().is_empty());
    let header = header(all.next().unwrap_or_default())?;
    let mut import = Import::new(store, header, None)?;
    let ended = all.try_for_each(|line| import.line(line)).and_then(|()| import.finish());
    import.commit()?;
    ended
}
