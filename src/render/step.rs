//! A moment of a stream as a screen: the event, and the state with what the event changed in it.

use super::{state, text, wire};
use esctl::workbench::Change;
use esctl::workbench::stepper::{Standing, Stepper};
use unicode_width::UnicodeWidthChar;

/// What the keys do, on the last line.
const KEYS: &str = "→ next  ← back  Home first  End last  7 Enter version 7  ↑ ↓ scroll  q quit";

/// How much there is room for, in cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Columns.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

/// What of it is looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct View {
    /// How many lines were scrolled past. Drawing sees to it that there is something to see.
    pub down: usize,
    /// The version to jump to, as far as it was typed.
    pub typed: String,
}

/// Between which versions one can go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The stream.
    pub stream: String,
    /// The first version; 0 is the initial state.
    pub first: u64,
    /// The last one.
    pub last: u64,
}

impl From<&Stepper<'_>> for Way {
    fn from(stepper: &Stepper<'_>) -> Self {
        let stream = text::harmless(stepper.stream().as_str()).into_owned();
        Self { stream, first: stepper.first().0, last: stepper.last().0 }
    }
}

/// The lines of the screen, as many as there is room for, none too wide. With `color`, lines that tell of a change are bold.
pub fn screen(way: &Way, standing: &Standing, view: &mut View, room: Room, color: bool) -> Vec<String> {
    let (width, height) = (room.width.max(1), room.height.max(1));
    let body: Vec<(bool, String)> = body(standing)
        .into_iter()
        .flat_map(|(marked, line)| broken(&line, width).into_iter().map(move |part| (marked, part)))
        .collect();
    // A line above, and an empty one and another below.
    let shown = height.saturating_sub(3);
    view.down = view.down.min(body.len().saturating_sub(shown));
    let mut lines = vec![cut(&header(way, standing), width)];
    for (marked, line) in body.iter().skip(view.down).take(shown) {
        lines.push(if color && *marked { format!("\u{1b}[1m{line}\u{1b}[0m") } else { line.clone() });
    }
    lines.resize(height.saturating_sub(1).max(1), String::new());
    let below = if !view.typed.is_empty() {
        format!("version {}  Enter jump  Esc leave", view.typed)
    } else if body.len() > shown {
        format!("{}-{} of {}  {KEYS}", view.down + 1, (view.down + shown).min(body.len()), body.len())
    } else {
        KEYS.to_owned()
    };
    lines.push(cut(&below, width));
    lines.truncate(height);
    lines
}

fn header(way: &Way, standing: &Standing) -> String {
    let begun = format!("{}  version {} of {}", way.stream, standing.version, way.last);
    let Some(event) = &standing.event else { return format!("{begun}  before the first event") };
    let gap = standing.gap.map(|gap| format!("  {}", text::gap(gap))).unwrap_or_default();
    format!("{begun}  {}  {}{gap}", wire::at(event.position), event.time)
}

/// All there is to read, with whether it tells of a change.
fn body(standing: &Standing) -> Vec<(bool, String)> {
    let mut lines = Vec::new();
    if let Some(event) = &standing.event {
        lines.push((false, format!("{} {}", event.kind, text::harmless(&event.data))));
        if let Some(command) = &event.command {
            let actor = command.actor.as_deref().map(|actor| format!("  by {actor}")).unwrap_or_default();
            let words = format!("through {}  {}{actor}", command.name, command.id);
            lines.push((false, text::harmless(&words).into_owned()));
        }
    }
    lines.push((false, String::new()));
    for (name, words) in state::fields(&standing.state) {
        let mut place = String::new();
        esctl::json::pointer_push(&mut place, name);
        let own = standing.changes.iter().find(|change| change.path == place);
        let inner: Vec<&Change> =
            standing.changes.iter().filter(|c| c.path.starts_with(&format!("{place}/"))).collect();
        let mark = own.map_or(if inner.is_empty() { ' ' } else { '~' }, state::mark);
        let was = own.and_then(|change| change.before.as_ref());
        let was = was.map(|value| format!("  was {}", text::value(value))).unwrap_or_default();
        for (at, line) in format!("{words}{was}").lines().enumerate() {
            let mark = if at == 0 { mark } else { ' ' };
            lines.push((mark != ' ', format!("{mark} {line}")));
        }
        lines.extend(inner.iter().map(|change| (true, format!("    {} {}", state::mark(change), state::one(change)))));
    }
    lines
}

/// How many cells a character takes.
fn cells(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// As much of a line as there is room for.
fn cut(line: &str, width: usize) -> String {
    broken(line, width).into_iter().next().unwrap_or_default()
}

/// A line as several, none wider than there is room for.
fn broken(line: &str, width: usize) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut taken = 0;
    for c in line.chars() {
        if taken + cells(c) > width {
            parts.push(String::new());
            taken = 0;
        }
        taken += cells(c);
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use esctl::event::{Position, Recorded, Time, Version};
    use esctl::json::parse;
    use esctl::workbench::change::changes;
    use std::time::Duration;

    fn standing() -> Standing {
        let before = parse(r#"{"balance":10,"owner":"Ada","lines":[{"sku":"a"}]}"#).unwrap();
        let state = parse(r#"{"balance":12.5,"owner":"Ada","lines":[{"sku":"a","count":2}]}"#).unwrap();
        let event = Recorded {
            position: Position(9),
            stream: "account/ada".parse().unwrap(),
            version: Version(2),
            kind: "Deposited".into(),
            schema: 1,
            data: r#"{"amount":2.5}"#.into(),
            time: Time::from_micros(0).unwrap(),
            command: None,
        };
        let changes = changes(&before, &state);
        Standing { version: Version(2), event: Some(event), gap: Some(Duration::from_secs(75)), changes, state }
    }

    fn way() -> Way {
        Way { stream: "account/ada".to_owned(), first: 0, last: 7 }
    }

    #[test]
    fn a_screen_shows_the_event_and_what_it_changed() {
        let room = Room { width: 90, height: 9 };
        let lines = screen(&way(), &standing(), &mut View::default(), room, false);
        let expected = [
            "account/ada  version 2 of 7  @9  1970-01-01T00:00:00.000000Z  +00:01:15",
            r#"Deposited {"amount":2.5}"#,
            "",
            "~ balance: 12.5  was 10",
            "  owner:   Ada",
            r#"~ lines:   [{"sku":"a","count":2}]"#,
            "    + lines/0/count: 2",
            "",
            KEYS,
        ];
        assert_eq!(lines, expected);
        let colored = screen(&way(), &standing(), &mut View::default(), room, true);
        assert_eq!([&*colored[3], &*colored[4]], ["\u{1b}[1m~ balance: 12.5  was 10\u{1b}[0m", "  owner:   Ada"]);
    }

    #[test]
    fn what_has_no_room_is_broken_and_scrolled_to() {
        let mut view = View { down: 100, typed: String::new() };
        let lines = screen(&way(), &standing(), &mut view, Room { width: 12, height: 6 }, false);
        assert_eq!(view.down, 9);
        assert_eq!(lines, ["account/ada ", "count\":2}]", "    + lines/", "0/count: 2", "", "10-12 of 12 "]);
        view.down = 0;
        let lines = screen(&way(), &standing(), &mut view, Room { width: 12, height: 6 }, false);
        assert_eq!(lines[1..4], ["Deposited {\"", "amount\":2.5}", ""]);
        for (width, height) in [(0, 0), (1, 1), (1, 2), (3, 3), (500, 200)] {
            let lines = screen(&way(), &standing(), &mut view, Room { width, height }, false);
            assert_eq!(lines.len(), height.max(1));
            assert!(lines.iter().all(|line| line.chars().map(cells).sum::<usize>() <= width.max(1)), "{lines:?}");
        }
    }

    #[test]
    fn wide_characters_take_two_cells() {
        assert_eq!(broken("日本語", 4), ["日本", "語"]);
        assert_eq!(broken("", 4), [""]);
    }

    #[test]
    fn what_is_typed_is_shown() {
        let mut view = View { down: 0, typed: "12".to_owned() };
        let lines = screen(&way(), &standing(), &mut view, Room { width: 60, height: 9 }, false);
        assert_eq!(lines[8], "version 12  Enter jump  Esc leave");
    }
}
