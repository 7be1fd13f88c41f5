//! Problems with a place: file, line, column, an excerpt with a caret, and what to do about it.

mod draw;
mod meant;

pub use draw::render;
pub use meant::{list, meant, suggest};

use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

/// The most characters of a message or a hint: what is quoted of the user's text may be as long as a file.
const MAX_WORDS: usize = 1_000;

/// A text file as it was read: its name as the user gave it, and its content.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Path as shown to the user.
    pub name: String,
    /// The whole content.
    pub text: String,
}

impl Source {
    /// A source that places can share.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), text: text.into() })
    }

    /// The byte at a line and a column, both 1-based, the column in characters. What lies beyond the end of its
    /// line, or of the text, is the end of it.
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let mut start = 0;
        for _ in 1..line {
            match self.text[start..].find('\n') {
                Some(end) => start += end + 1,
                None => return self.text.len(),
            }
        }
        let content = &self.text[start..self.line_end(start)];
        content.char_indices().nth(column.saturating_sub(1)).map_or(start + content.len(), |(at, _)| start + at)
    }

    /// Where the line that holds a byte begins. The byte is a character boundary.
    fn line_start(&self, offset: usize) -> usize {
        self.text[..offset].rfind('\n').map_or(0, |end| end + 1)
    }

    /// Where the content of a line that begins at `start` ends, before its `\n` or `\r\n`.
    fn line_end(&self, start: usize) -> usize {
        let rest = &self.text[start..];
        let line = rest.split_once('\n').map_or(rest, |(line, _)| line.strip_suffix('\r').unwrap_or(line));
        start + line.len()
    }
}

/// A stretch of a source, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub source: Arc<Source>,
    /// First byte.
    pub start: usize,
    /// Byte after the last; equal to `start` for a mere point.
    pub end: usize,
}

impl Place {
    /// A stretch of a source.
    pub fn new(source: &Arc<Source>, bytes: Range<usize>) -> Self {
        Self { source: Arc::clone(source), start: bytes.start, end: bytes.end }
    }

    /// A mere point of a source.
    pub fn point(source: &Arc<Source>, offset: usize) -> Self {
        Self::new(source, offset..offset)
    }

    /// The 1-based line of the first byte.
    pub fn line(&self) -> usize {
        self.source.text[..self.anchor()].bytes().filter(|byte| *byte == b'\n').count() + 1
    }

    /// The 1-based column of the first byte, in characters.
    pub fn column(&self) -> usize {
        let anchor = self.anchor();
        self.source.text[self.source.line_start(anchor)..anchor].chars().count() + 1
    }

    /// The text at the place.
    pub fn text(&self) -> &str {
        let text = &self.source.text;
        let start = self.anchor();
        &text[start..text.floor_char_boundary(self.end).max(start)]
    }

    /// The first byte, moved to where a character begins and not beyond the end: a place may come from elsewhere.
    fn anchor(&self) -> usize {
        self.source.text.floor_char_boundary(self.start)
    }
}

impl std::fmt::Display for Place {
    /// `domains/bank.yaml:12:9`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.source.name, self.line(), self.column())
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The domain is not sound.
    Error,
    /// Sound, but probably not what was meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// Stable name of the rule, in kebab case, as `unknown-field`.
    pub rule: &'static str,
    /// What is wrong: lower case, the user's words in backticks.
    pub message: String,
    /// Where; `None` for what concerns no place in a file.
    pub place: Option<Place>,
    /// What went on, as ``while folding event 17 of `account/ada` ``.
    pub situation: Option<String>,
    /// What to do.
    pub hints: Vec<String>,
}

impl Diagnostic {
    /// A problem that makes the domain unsound.
    pub fn error(rule: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, rule, message.into())
    }

    /// A problem that does not.
    pub fn warning(rule: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, rule, message.into())
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Says what to do; a diagnostic may have several hints, and a hint several lines.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(shortened(hint.into()));
        self
    }

    /// Says what went on.
    #[must_use]
    pub fn situation(mut self, situation: impl Into<String>) -> Self {
        self.situation = Some(situation.into());
        self
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The order of listings: what has no place first, then by file, place, severity and rule.
    pub fn order(&self, other: &Self) -> Ordering {
        fn key(diagnostic: &Diagnostic) -> (Option<(&str, usize, usize)>, Severity, &str, &str) {
            let place = diagnostic.place.as_ref().map(|place| (place.source.name.as_str(), place.start, place.end));
            (place, diagnostic.severity, diagnostic.rule, &diagnostic.message)
        }
        key(self).cmp(&key(other))
    }

    fn new(severity: Severity, rule: &'static str, message: String) -> Self {
        let message = shortened(message);
        Self { severity, rule, message, place: None, situation: None, hints: Vec::new() }
    }
}

fn shortened(mut words: String) -> String {
    if let Some((end, _)) = words.char_indices().nth(MAX_WORDS) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// Puts problems into the order of listings, by [`Diagnostic::order`].
pub fn sort(diagnostics: &mut [Diagnostic]) {
    diagnostics.sort_by(Diagnostic::order);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_speak_in_lines_and_characters() {
        let source = Source::new("f", "é\r\nab\n");
        let place = Place::new(&source, 5..6);
        assert_eq!((place.line(), place.column(), place.text()), (2, 2, "b"));
        assert_eq!(source.offset(2, 2), 5);
        assert_eq!(source.offset(1, 99), 2);
        assert_eq!(source.offset(3, 1), 7);
        assert_eq!(source.offset(99, 1), 7);
        assert_eq!(Place::point(&source, 7).line(), 3);
    }

    #[test]
    fn problems_are_listed_in_file_order() {
        let (a, b) = (Source::new("a", "12345"), Source::new("b", "12345"));
        let mut list = [
            Diagnostic::error("x", "4").at(Place::point(&b, 1)),
            Diagnostic::warning("x", "3").at(Place::point(&a, 2)),
            Diagnostic::error("x", "2").at(Place::point(&a, 2)),
            Diagnostic::error("x", "1").at(Place::point(&a, 0)),
            Diagnostic::error("x", "0"),
        ];
        sort(&mut list);
        assert_eq!(list.map(|diagnostic| diagnostic.message), ["0", "1", "2", "3", "4"]);
    }
}
