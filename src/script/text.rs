//! The text of a script, and where in the domain file each of its characters stands.

use crate::diagnostic::Place;

/// A script as it was written, with its place in the domain file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptText {
    /// The script itself: what YAML made of the scalar.
    pub text: String,
    /// The whole scalar in the file, without the `|` of a block, with the quotes of a quoted one.
    pub place: Place,
    /// What it is written under: `fold`, `decide`, the name of an invariant.
    pub key: String,
    /// What follows on the line of a plain scalar after ` #`: YAML takes it for a comment, the author perhaps not.
    pub comment: Option<Place>,
}

impl ScriptText {
    /// The place in the file of the token at a byte of the script.
    pub fn token(&self, offset: usize) -> Place {
        let offset = offset.min(self.text.len());
        let end = offset + token_length(&self.text[offset..]);
        self.stretch(offset, end)
    }

    /// The place in the file of the whole script.
    pub fn whole(&self) -> Place {
        self.stretch(0, self.text.len())
    }

    /// The place in the file of a stretch of the script, in bytes.
    pub fn stretch(&self, start: usize, end: usize) -> Place {
        let from = self.offset_in_file(start);
        // A stretch of one line keeps its length: escapes inside it are rare and harmless.
        let length = self.text[start..end].find('\n').unwrap_or(end - start);
        let limit = self.place.end.max(from);
        Place { source: self.place.source.clone(), start: from, end: (from + length).min(limit) }
    }

    /// The byte of the script at a position of Rhai's; 0 where it has none.
    pub(super) fn offset_of(&self, position: rhai::Position) -> usize {
        position.line().map_or(0, |line| self.offset(line, position.position().unwrap_or(1)))
    }

    /// The byte of the script at a line and column as Rhai counts them, both from 1, columns in characters.
    pub fn offset(&self, line: usize, column: usize) -> usize {
        let mut start = 0;
        for _ in 1..line {
            match self.text[start..].find('\n') {
                Some(n) => start += n + 1,
                None => return self.text.len(),
            }
        }
        let rest = &self.text[start..];
        rest.char_indices().nth(column.saturating_sub(1)).map_or(self.text.len(), |(n, _)| start + n)
    }

    /// The byte of the file that gave the byte of the script.
    ///
    /// YAML takes away indentation, folds lines and undoes escapes, but it never adds or reorders visible
    /// characters: walking both texts and matching these, one finds each at its place whatever the notation.
    fn offset_in_file(&self, offset: usize) -> usize {
        let file = &self.place.source.text;
        let mut at = self.place.start.min(file.len());
        let end = self.place.end.min(file.len());
        for (index, wanted) in self.text.char_indices() {
            let rest = &file[at..end];
            if wanted.is_whitespace() {
                if index >= offset {
                    return at;
                }
                if rest.starts_with(wanted) {
                    at += wanted.len_utf8();
                }
                continue;
            }
            let Some(found) = rest.find(wanted) else { return at };
            at += found;
            if index >= offset {
                return at;
            }
            at += wanted.len_utf8();
        }
        // The end of the script: not the line after it.
        let said = file[self.place.start.min(file.len())..at].trim_end().len();
        self.place.start + said
    }
}

/// A script without its comments and layout: two scripts with the same essence mean the same.
///
/// What stands in quotes counts to the letter; a template (`` `…` ``) counts whole, with the scripts inside it.
pub fn essence(script: &str) -> String {
    let mut kept = String::with_capacity(script.len());
    let mut rest = script;
    let mut gap = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '`' => quoted(rest, first),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => first.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        rest = after;
        if first.is_whitespace() || piece.starts_with("//") || piece.starts_with("/*") {
            gap = true;
            continue;
        }
        let word = |c: char| c.is_alphanumeric() || c == '_';
        // White space counts only where it keeps two words apart.
        if gap && kept.chars().next_back().is_some_and(word) && word(first) {
            kept.push(' ');
        }
        gap = false;
        kept.push_str(piece);
    }
    kept
}

/// The length of the quoted piece at the beginning of a text, both quotes included.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// How many bytes the token at the beginning of `text` has: a word, a string, or one character.
fn token_length(text: &str) -> usize {
    let Some(first) = text.chars().next() else { return 0 };
    if first.is_alphanumeric() || first == '_' {
        return text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len());
    }
    if matches!(first, '"' | '`') {
        return text[1..].find(first).map_or(1, |n| n + 2);
    }
    first.len_utf8()
}

#[cfg(test)]
mod tests {
    use super::essence;

    #[test]
    fn comments_and_layout_do_not_count() {
        let short = "if a+b>1{state.x=\"a  // b\";}";
        let long = "if a + b > 1 { // why\n  state.x = /* here */ \"a  // b\";\n}\n";
        assert_eq!(essence(long), short);
        assert_eq!(essence("let  x = 1"), "let x=1");
    }

    #[test]
    fn words_and_texts_count() {
        assert_ne!(essence("state.x = \"a b\""), essence("state.x = \"a  b\""));
        assert_ne!(essence("`a ${x}  b`"), essence("`a ${x} b`"));
        assert_ne!(essence("state.x += 1"), essence("state.x += 2"));
        assert_ne!(essence("return x"), essence("returnx"));
    }
}
