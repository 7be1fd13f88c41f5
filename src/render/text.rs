//! Words and values for people.

use esctl::event::is_control;
use esctl::json::{self, Value};
use std::borrow::Cow;
use std::fmt::Write;
use std::time::Duration;

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

/// A text as one word of a shell: as it is, or in quotes.
pub fn shell_word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
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
    let ending = match number {
        1 => "",
        _ if noun.ends_with('s') => "es",
        _ => "s",
    };
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

/// How much time went by, as far as it matters to a reader: `+12 ms`, `+59 s`, `+04:05:06`, `+3 d 04:05`. What is finer is
/// left out.
pub fn gap(gap: Duration) -> String {
    let (seconds, minutes, hours) = (gap.as_secs(), gap.as_secs() / 60, gap.as_secs() / 3600);
    match seconds {
        0 if gap.is_zero() => "+0 s".to_owned(),
        0 if gap.as_micros() < 1_000 => format!("+{} µs", gap.as_micros()),
        0 => format!("+{} ms", gap.as_millis()),
        1..60 => format!("+{seconds} s"),
        60..86_400 => format!("+{hours:02}:{:02}:{:02}", minutes % 60, seconds % 60),
        _ => format!("+{} d {:02}:{:02}", thousands(hours / 24), hours % 24, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_by() {
        let words = |micros| gap(Duration::from_micros(micros));
        assert_eq!([words(0), words(1), words(999)], ["+0 s", "+1 µs", "+999 µs"]);
        assert_eq!([words(1_000), words(999_999), words(1_000_000)], ["+1 ms", "+999 ms", "+1 s"]);
        let of_seconds = |seconds: u64| words(seconds * 1_000_000);
        assert_eq!([of_seconds(59), of_seconds(60), of_seconds(86_399)], ["+59 s", "+00:01:00", "+23:59:59"]);
        let days = [of_seconds(86_400), of_seconds(273_900), of_seconds(86_400 * 1_000)];
        assert_eq!(days, ["+1 d 00:00", "+3 d 04:05", "+1,000 d 00:00"]);
    }

    #[test]
    fn nothing_reaches_a_terminal_raw() {
        assert_eq!(harmless("a\u{1b}[31m\n\u{9b}\u{202e}\u{7f}é"), r"a\u001b[31m\n\u009b\u202e\u007fé");
        assert!(matches!(harmless("plain ✓"), Cow::Borrowed("plain ✓")));
    }

    #[test]
    fn a_shell_takes_it_for_one_word() {
        assert_eq!([shell_word("t1"), shell_word("account/ada"), shell_word("é=1")], ["t1", "account/ada", "é=1"]);
        assert_eq!([shell_word(""), shell_word("a b"), shell_word("it's $1")], ["''", "'a b'", r"'it'\''s $1'"]);
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
