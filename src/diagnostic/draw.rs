//! Problems, drawn for a human.

use super::{Diagnostic, Place, Severity};
use annotate_snippets::renderer::{AnsiColor, Effects, Style};
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use std::ops::Range;

/// The most characters of a line that an excerpt shows.
const EXCERPT_WIDTH: usize = 120;
/// How many of them stand before the caret where a line is cut.
const EXCERPT_BEFORE: usize = 60;

/// Draws problems for a human: message, place, excerpt with carets, situation, hints; an empty line between two.
/// Every line ends with a line break. Nothing from a file, a name or a message reaches a terminal raw.
pub fn render(diagnostics: &[Diagnostic], color: bool) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        if !out.is_empty() {
            out.push('\n');
        }
        render_one(diagnostic, color, &mut out);
    }
    out
}

fn render_one(diagnostic: &Diagnostic, color: bool, out: &mut String) {
    // The excerpt is cut here, where the carets are known; the library need not cut it again.
    let renderer = if color { Renderer::styled() } else { Renderer::plain() }.term_width(usize::from(u16::MAX));
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let message = harmless(&diagnostic.message);
    let mut group = Group::with_title(level.primary_title(message.as_str()));
    let mut gutter = 1;
    if let Some(place) = &diagnostic.place {
        let line = place.line();
        let excerpt = Excerpt::of(place);
        let name = harmless_line(&place.source.name);
        gutter = line.to_string().len() + 1;
        let snippet = Snippet::source(excerpt.text.as_str())
            .line_start(line)
            .path(name.as_str())
            .annotation(AnnotationKind::Primary.span(excerpt.underline.clone()));
        group = group.element(snippet);
        let drawn = renderer.render(&[group]);
        // The library counts columns in the excerpt it was given, which may be cut or have tabs expanded.
        let counted = excerpt.text[..excerpt.underline.start].chars().count() + 1;
        let (counted, true_one) = (format!(":{line}:{counted}"), format!(":{line}:{}", place.column()));
        for (index, drawn_line) in drawn.lines().enumerate() {
            match drawn_line.strip_suffix(&counted) {
                Some(start) if index == message.lines().count().max(1) => {
                    out.push_str(start);
                    out.push_str(&true_one);
                }
                _ => out.push_str(drawn_line),
            }
            out.push('\n');
        }
    } else {
        out.push_str(&renderer.render(&[group]));
        out.push('\n');
    }
    let paint = |text: &str, style: Style| {
        if color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    };
    let bold = Style::new().effects(Effects::BOLD);
    if let Some(situation) = &diagnostic.situation {
        let mark = paint("=", bold.fg_color(Some(AnsiColor::BrightBlue.into())));
        push_indented(&" ".repeat(gutter), &format!("{mark} "), 2, situation, out);
    }
    for hint in &diagnostic.hints {
        let mark = paint("hint", bold.fg_color(Some(AnsiColor::BrightCyan.into())));
        push_indented("", &format!("{mark}: "), 6, hint, out);
    }
}

/// One text of possibly several lines, all of them after the mark's width.
fn push_indented(margin: &str, mark: &str, width: usize, text: &str, out: &mut String) {
    for (index, line) in harmless(text).lines().enumerate() {
        let start = out.len();
        out.push_str(margin);
        if index == 0 {
            out.push_str(mark);
        } else {
            out.extend(std::iter::repeat_n(' ', width));
        }
        out.push_str(line);
        let end = out.trim_end_matches(' ').len().max(start);
        out.truncate(end);
        out.push('\n');
    }
}

/// The line of a place as it is shown, and the bytes of it that are underlined.
struct Excerpt {
    text: String,
    underline: Range<usize>,
}

impl Excerpt {
    fn of(place: &Place) -> Self {
        let source = &place.source;
        let anchor = place.anchor();
        let line_start = source.line_start(anchor);
        let line_end = source.line_end(line_start);
        let line = &source.text[line_start..line_end];
        // A place that begins on the line break, or goes on below, ends with the line.
        let start = anchor.min(line_end) - line_start;
        let end = source.text.floor_char_boundary(place.end).clamp(line_start + start, line_end) - line_start;
        let total = line.chars().count();
        let caret = line[..start].chars().count();
        let first =
            if total <= EXCERPT_WIDTH { 0 } else { caret.saturating_sub(EXCERPT_BEFORE).min(total - EXCERPT_WIDTH) };
        let mut text = String::new();
        let mut underline = None..None;
        if first > 0 {
            text.push('…');
        }
        for (at, c) in line.char_indices().skip(first).take(EXCERPT_WIDTH) {
            if at >= start && underline.start.is_none() {
                underline.start = Some(text.len());
            }
            if at >= end && underline.end.is_none() {
                underline.end = Some(text.len());
            }
            push_harmless(c, &mut text);
        }
        let shown = text.len();
        if first + EXCERPT_WIDTH < total {
            text.push('…');
        }
        let start = underline.start.unwrap_or(shown);
        Self { text, underline: start..underline.end.unwrap_or(shown).max(start) }
    }
}

/// A text that may have several lines, fit for a terminal.
fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.lines().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        line.chars().for_each(|c| push_harmless(c, &mut out));
    }
    out
}

/// A text of one line, fit for a terminal.
fn harmless_line(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    text.chars().for_each(|c| push_harmless(c, &mut out));
    out
}

/// A tab has no width of its own, so it becomes four spaces; what a terminal would obey becomes U+FFFD.
fn push_harmless(c: char, out: &mut String) {
    match c {
        '\t' => out.push_str("    "),
        '\u{feff}' => out.push('\u{fffd}'),
        c if crate::event::is_control(c) => out.push('\u{fffd}'),
        c => out.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use std::sync::Arc;

    fn bank() -> Arc<Source> {
        let mut text = "\n".repeat(26);
        text.push_str("        fold: state.balance += event.ammount\n        next: line\n");
        Source::new("domains/bank.yaml", text)
    }

    fn find(source: &Arc<Source>, word: &str) -> Place {
        let start = source.text.find(word).unwrap();
        Place::new(source, start..start + word.len())
    }

    fn drawn(name: &str, text: &str, bytes: Range<usize>) -> String {
        let place = Place::new(&Source::new(name, text), bytes);
        render(&[Diagnostic::error("some-rule", "wrong").at(place)], false)
    }

    #[test]
    fn a_problem_is_drawn_with_place_caret_and_hint() {
        let source = bank();
        let diagnostic = Diagnostic::error("unknown-field", "`event` has no field `ammount`")
            .at(find(&source, "ammount"))
            .hint("`Deposited` has `amount`");
        let wanted = "\
error: `event` has no field `ammount`
  --> domains/bank.yaml:27:38
   |
27 |         fold: state.balance += event.ammount
   |                                      ^^^^^^^
hint: `Deposited` has `amount`
";
        assert_eq!(render(&[diagnostic], false), wanted);
    }

    #[test]
    fn several_problems_have_an_empty_line_between() {
        let source = bank();
        let diagnostics = [
            Diagnostic::warning("unused", "state field `x` is never read"),
            Diagnostic::error("type", "cannot add `()`\nto a number")
                .at(find(&source, "state.balance"))
                .situation("while folding event 17 of `account/ada`")
                .hint("write this:\n\n  fold: |\n    x")
                .hint("or that"),
        ];
        let wanted = "\
warning: state field `x` is never read

error: cannot add `()`
       to a number
  --> domains/bank.yaml:27:15
   |
27 |         fold: state.balance += event.ammount
   |               ^^^^^^^^^^^^^
   = while folding event 17 of `account/ada`
hint: write this:

        fold: |
          x
hint: or that
";
        assert_eq!(render(&diagnostics, false), wanted);
        assert_eq!(render(&[], false), "");
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let source = bank();
        let diagnostic = Diagnostic::error("r", "wrong").at(find(&source, "ammount")).situation("while x").hint("do y");
        let colored = render(std::slice::from_ref(&diagnostic), true);
        assert!(colored.contains("\u{1b}["));
        let mut plain = String::new();
        let mut rest = colored.as_str();
        while let Some((before, after)) = rest.split_once('\u{1b}') {
            plain.push_str(before);
            rest = after.split_once('m').unwrap().1;
        }
        plain.push_str(rest);
        assert_eq!(plain, render(&[diagnostic], false));
    }

    #[test]
    fn only_the_first_line_of_a_long_place_is_underlined() {
        for text in ["ab cd\nef\n", "ab cd\r\nef\r\n"] {
            let wanted = "error: wrong\n --> f:1:4\n  |\n1 | ab cd\n  |    ^^\n";
            assert_eq!(drawn("f", text, 3..text.len()), wanted);
        }
    }

    #[test]
    fn a_point_has_one_caret_even_where_nothing_is() {
        assert_eq!(drawn("f", "", 0..0), "error: wrong\n --> f:1:1\n  |\n1 |\n  | ^\n");
        assert_eq!(drawn("f", "ab", 2..2), "error: wrong\n --> f:1:3\n  |\n1 | ab\n  |   ^\n");
        assert_eq!(drawn("f", "ab\r\ncd", 2..2), "error: wrong\n --> f:1:3\n  |\n1 | ab\n  |   ^\n");
        assert_eq!(drawn("f", "ab\n", 3..3), "error: wrong\n --> f:2:1\n  |\n2 |\n  | ^\n");
        assert_eq!(drawn("f", "ab", 99..120), "error: wrong\n --> f:1:3\n  |\n1 | ab\n  |   ^\n");
        assert_eq!(drawn("f", "é", 1..1), "error: wrong\n --> f:1:1\n  |\n1 | é\n  | ^\n");
    }

    #[test]
    fn carets_stand_under_wide_and_expanded_characters() {
        assert_eq!(drawn("f", "日本 abc", 7..10), "error: wrong\n --> f:1:4\n  |\n1 | 日本 abc\n  |      ^^^\n");
        assert_eq!(drawn("f", "\t\tx", 2..3), "error: wrong\n --> f:1:3\n  |\n1 |         x\n  |         ^\n");
        assert_eq!(
            drawn("a\u{1b}[31m", "\u{1b}[2J\u{202e}x\u{0}", 7..8),
            "error: wrong\n --> a\u{fffd}[31m:1:6\n  |\n1 | \u{fffd}[2J\u{fffd}x\u{fffd}\n  |      ^\n"
        );
    }

    #[test]
    fn a_message_cannot_reach_the_terminal_raw() {
        let diagnostic = Diagnostic::error("r", "a\u{1b}]0;b\u{7}").hint("c\u{9b}").situation("d\u{202e}");
        let wanted = "error: a\u{fffd}]0;b\u{fffd}\n = d\u{fffd}\nhint: c\u{fffd}\n";
        assert_eq!(render(&[diagnostic], false), wanted);
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let text = format!("{}HERE{}", "a".repeat(5000), "b".repeat(5000));
        let shown = drawn("f", &text, 5000..5004);
        let excerpt = format!("1 | …{}HERE{}…", "a".repeat(60), "b".repeat(56));
        assert_eq!(shown, format!("error: wrong\n --> f:1:5001\n  |\n{excerpt}\n  | {}^^^^\n", " ".repeat(61)));
        let end = drawn("f", &text, 10_004..10_004);
        assert!(end.contains(&format!("1 | …{}\n", "b".repeat(120))), "{end}");
        assert!(end.contains(&format!("  | {}^\n", " ".repeat(121))), "{end}");
        let whole = drawn("f", &text, 0..text.len());
        assert!(whole.contains(&format!("1 | {}…\n  | {}\n", "a".repeat(120), "^".repeat(120))), "{whole}");
    }
}
