//! Which rows of a read model differ from those that were shown before.

use super::diff::How;
use crate::json::{self, Value};
use crate::workbench::{Error, Misfit};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;

/// So many rows are known at a time.
pub const MAX_ROWS: usize = 100_000;
/// And their keys, as JSON text, have so many bytes.
pub const MAX_KEY_BYTES: usize = 16 * 1024 * 1024;

/// The rows that were shown last: of each its key and a digest. With [`MAX_ROWS`] it takes some ten MiB, and the keys.
#[derive(Debug, Default)]
pub struct Known {
    /// By the key as JSON text.
    rows: BTreeMap<Box<str>, Seen>,
    key_bytes: usize,
    /// The round that is going on.
    round: u64,
}

/// A row that was shown.
#[derive(Debug, Clone, Copy)]
struct Seen {
    digest: [u8; 16],
    /// When it was last there.
    round: u64,
}

impl Known {
    /// Begins to go through the rows that are there now.
    pub fn begin(&mut self) {
        self.round += 1;
    }

    /// A row that is there, and what became of it since the last round; `None` where it is the same. [`Error::Misfit`]
    /// where there are more rows than can be known.
    pub fn see(&mut self, key: &Value, values: &[Value]) -> Result<Option<How>, Error> {
        let text = text_of(key);
        let mut sha = Sha256::new();
        for value in values {
            // A line break ends every value: within JSON text there is none.
            sha.update(text_of(value));
            sha.update("\n");
        }
        let mut digest = [0; 16];
        digest.copy_from_slice(&sha.finalize()[..16]);
        let seen = Seen { digest, round: self.round };
        if let Some(before) = self.rows.get_mut(text.as_str()) {
            let same = before.digest == digest;
            *before = seen;
            return Ok((!same).then_some(How::Changed));
        }
        self.key_bytes += text.len();
        if self.rows.len() == MAX_ROWS || self.key_bytes > MAX_KEY_BYTES {
            let misfit = Misfit::new(format!(
                "there are too many rows to follow: at most {MAX_ROWS}, whose keys have {} MiB",
                MAX_KEY_BYTES >> 20
            ));
            return Err(misfit.hint("`--key` and `--where` follow some of them").into());
        }
        self.rows.insert(text.into(), seen);
        Ok(Some(How::Added))
    }

    /// Ends the round: the keys of the rows that are not there any more, in the order of their JSON texts.
    pub fn end(&mut self) -> Result<Vec<Value>, Error> {
        let mut gone = Vec::new();
        let (round, bytes) = (self.round, &mut self.key_bytes);
        self.rows.retain(|key, seen| {
            let stays = seen.round == round;
            if !stays {
                *bytes -= key.len();
                gone.push(json::parse(key));
            }
            stays
        });
        // They were written here.
        gone.into_iter().collect::<Result<_, _>>().map_err(|error| Misfit::new(error.to_string()).into())
    }
}

fn text_of(value: &Value) -> String {
    let mut text = String::new();
    json::write(value, &mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(known: &mut Known, rows: &[(&str, i64)]) -> (Vec<(String, How)>, Vec<Value>) {
        known.begin();
        let mut news = Vec::new();
        for (key, number) in rows {
            let key_value = Value::Text((*key).to_owned());
            let values = [key_value.clone(), Value::Integer(*number)];
            news.extend(known.see(&key_value, &values).unwrap().map(|how| ((*key).to_owned(), how)));
        }
        (news, known.end().unwrap())
    }

    #[test]
    fn what_came_changed_and_went_is_told_once() {
        let mut known = Known::default();
        let named = |key: &str, how| vec![(key.to_owned(), how)];
        assert_eq!(round(&mut known, &[("a", 1)]), (named("a", How::Added), vec![]));
        assert_eq!(round(&mut known, &[("a", 1)]), (vec![], vec![]));
        assert_eq!(round(&mut known, &[("a", 2), ("b", 1)]).0.len(), 2);
        assert_eq!(round(&mut known, &[("a", 2), ("b", 3)]), (named("b", How::Changed), vec![]));
        assert_eq!(round(&mut known, &[("b", 3)]), (vec![], vec![Value::Text("a".to_owned())]));
        assert_eq!(round(&mut known, &[("a", 2), ("b", 3)]), (named("a", How::Added), vec![]));
        assert_eq!(round(&mut known, &[]).1.len(), 2);
        assert_eq!((known.rows.len(), known.key_bytes), (0, 0));
    }

    #[test]
    fn values_are_told_apart_where_they_begin_and_end() {
        let mut known = Known::default();
        let key = Value::Integer(1);
        let text = |text: &str| Value::Text(text.to_owned());
        for values in [[text("a"), text("b")], [text("a\"\n\"b"), text("")], [text(""), text("ab")]] {
            known.begin();
            assert!(known.see(&key, &values).unwrap().is_some());
        }
    }

    #[test]
    fn there_is_an_end_to_what_is_known() {
        let mut known = Known::default();
        known.begin();
        for number in 0..MAX_ROWS {
            known.see(&Value::Integer(i64::try_from(number).unwrap()), &[]).unwrap();
        }
        let error = known.see(&Value::Integer(-1), &[]).unwrap_err();
        assert_eq!(error.to_string(), "there are too many rows to follow: at most 100000, whose keys have 16 MiB");
        // Those that are known are known further.
        known.begin();
        assert_eq!(known.see(&Value::Integer(7), &[]).unwrap(), None);
        let mut long = Known::default();
        let key = Value::Text("k".repeat(MAX_KEY_BYTES));
        assert!(long.see(&key, &[]).is_err());
    }
}
