//! Words and values for people.

use esctl::event::is_control;
use esctl::json::{self, Value};
use std::borrow::Cow;
use std::fmt::Write;

/// A text that cannot do anything to a terminal: what it would obey is written as JSON escapes it (`\u001b`).
///
/// Within JSON text such characters only stand in strings, so the result means the same.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_control(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// A value on one line: texts as they are, in quotes where they could be taken for something else.
pub fn value(value: &Value) -> String {
    if let Value::Text(text) = value
        && speaks_for_itself(text)
    {
        return text.clone();
    }
    compact(value)
}

/// A value as JSON on one line that cannot do anything to a terminal.
pub fn compact(value: &Value) -> String {
    let mut out = String::new();
    json::write(value, &mut out);
    match harmless(&out) {
        Cow::Borrowed(_) => out,
        Cow::Owned(escaped) => escaped,
    }
}

/// Whether a text cannot be mistaken for a number, `true`, `null`, JSON or nothing at all.
fn speaks_for_itself(text: &str) -> bool {
    !text.is_empty()
        && text.trim() == text
        && !text.starts_with(['"', '{', '['])
        && !text.contains(is_control)
        && json::parse(text).is_err()
}

/// `1 event`, `2 events`, `200,000 events`.
pub fn count(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", thousands(number))
}

/// `200,000`
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_raw() {
        assert_eq!(harmless("a\u{1b}[31m\n\u{9b}\u{202e}\u{7f}é"), r"a\u001b[31m\n\u009b\u202e\u007fé");
        assert!(matches!(harmless("plain ✓"), Cow::Borrowed("plain ✓")));
    }

    #[test]
    fn a_text_is_quoted_where_it_could_be_something_else() {
        let text = |text: &str| value(&Value::Text(text.to_owned()));
        assert_eq!([text("Ada Lovelace"), text("none"), text("2026-01-31")], ["Ada Lovelace", "none", "2026-01-31"]);
        assert_eq!([text(""), text("10"), text("true"), text(" a")], ["\"\"", "\"10\"", "\"true\"", "\" a\""]);
        assert_eq!([text("[1]"), text("a\u{1b}b")], ["\"[1]\"", "\"a\\u001bb\""]);
        assert_eq!(value(&Value::Integer(10)), "10");
    }

    #[test]
    fn numbers_of_things() {
        assert_eq!([count(0, "event"), count(1, "event")], ["0 events", "1 event"]);
        assert_eq!([thousands(999), thousands(1000), thousands(1_234_567)], ["999", "1,000", "1,234,567"]);
    }
}
