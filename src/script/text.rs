//! The text of a script, and where in the domain file each of its characters stands.

use crate::diagnostic::Place;
use std::cell::OnceCell;

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
    /// Where each of its bytes stands in the file, once somebody asked.
    pub(crate) walk: Walk,
}

/// What [`ScriptText`] found out about itself: it makes no difference between two of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Walk(OnceCell<Box<[usize]>>);

impl PartialEq for Walk {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Walk {}

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
    fn offset_in_file(&self, offset: usize) -> usize {
        let walk = self.walk.0.get_or_init(|| self.walked());
        walk[offset.min(walk.len() - 1)]
    }

    /// For each byte of the script, and for its end, the byte of the file that gave it. A script may have thousands of
    /// places that are asked for, so this is done once.
    ///
    /// YAML takes away indentation, folds lines and undoes escapes, but it never adds or reorders visible
    /// characters: walking both texts and matching these, one finds each at its place whatever the notation.
    fn walked(&self) -> Box<[usize]> {
        let file = &self.place.source.text;
        let mut at = self.place.start.min(file.len());
        let end = self.place.end.min(file.len());
        let mut walk = Vec::with_capacity(self.text.len() + 1);
        for wanted in self.text.chars() {
            let rest = &file[at..end];
            let length = wanted.len_utf8();
            if wanted.is_whitespace() {
                walk.extend(std::iter::repeat_n(at, length));
                if rest.starts_with(wanted) {
                    at += length;
                }
                continue;
            }
            // What cannot be found was written as an escape, and all that follows counts as there.
            let Some(found) = rest.find(wanted) else {
                walk.resize(self.text.len() + 1, at);
                return walk.into();
            };
            at += found;
            walk.extend(std::iter::repeat_n(at, length));
            at += length;
        }
        // The end of the script: not the line after it.
        let said = file[self.place.start.min(file.len())..at].trim_end().len();
        walk.push(self.place.start + said);
        walk.into()
    }
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
