//! What differs between two values, path by path.

use crate::json::{Value, pointer_push};
use std::borrow::Cow;

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// Where, as a JSON pointer (RFC 6901); empty for the whole value.
    pub path: String,
    /// What was there; `None` where nothing was.
    pub before: Option<Value>,
    /// What is there; `None` where nothing is.
    pub after: Option<Value>,
}

/// Every leaf that differs, in the order of the values. Numbers are compared as numbers.
pub fn changes(before: &Value, after: &Value) -> Vec<Change> {
    let mut found = Vec::new();
    compare(&mut String::new(), before, after, &mut found);
    found
}

fn compare(path: &mut String, before: &Value, after: &Value, found: &mut Vec<Change>) {
    let length = path.len();
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                pointer_push(path, key);
                match new.get(key) {
                    Some(now) => compare(path, value, now, found),
                    None => found.push(Change { path: path.clone(), before: Some(value.clone()), after: None }),
                }
                path.truncate(length);
            }
            for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                pointer_push(path, key);
                found.push(Change { path: path.clone(), before: None, after: Some(value.clone()) });
                path.truncate(length);
            }
        }
        (Value::List(old), Value::List(new)) => {
            for index in 0..old.len().max(new.len()) {
                pointer_push(path, &index.to_string());
                match (old.get(index), new.get(index)) {
                    (Some(old), Some(new)) => compare(path, old, new, found),
                    (old, new) => found.push(Change { path: path.clone(), before: old.cloned(), after: new.cloned() }),
                }
                path.truncate(length);
            }
        }
        _ if before.same(after) => {}
        _ => found.push(Change { path: path.clone(), before: Some(before.clone()), after: Some(after.clone()) }),
    }
}

/// A path as people write it, `balance` or `/balance`, as a JSON pointer.
pub(crate) fn pointer(path: &str) -> Cow<'_, str> {
    if path.is_empty() || path.starts_with('/') { path.into() } else { format!("/{path}").into() }
}

/// Whether one pointer names the place of another, or what that stands in.
pub(crate) fn is_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Of some changes what they did at a place and within it. Of a change of something that the place stands in, that is
/// what it did there.
pub(crate) fn changes_within(all: Vec<Change>, place: &str) -> Vec<Change> {
    let mut found = Vec::new();
    for change in all {
        if is_within(&change.path, place) {
            found.push(change);
        } else if is_within(place, &change.path) {
            let rest = &place[change.path.len()..];
            let side = |value: &Option<Value>| value.as_ref().and_then(|value| at(value, rest)).cloned();
            match (side(&change.before), side(&change.after)) {
                (Some(before), Some(after)) => compare(&mut place.to_owned(), &before, &after, &mut found),
                (None, None) => {}
                (before, after) => found.push(Change { path: place.to_owned(), before, after }),
            }
        }
    }
    found
}

/// What is at a pointer.
fn at<'v>(value: &'v Value, pointer: &str) -> Option<&'v Value> {
    pointer.split('/').skip(1).try_fold(value, |value, part| match value {
        Value::Object(members) => members.get(part.replace("~1", "/").replace("~0", "~").as_str()),
        Value::List(items) => items.get(part.parse::<usize>().ok()?),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    #[test]
    fn a_place_is_found_in_what_it_stands_in() {
        let within = |before: &str, after: &str, place: &str| -> Vec<(String, Option<String>, Option<String>)> {
            let all = changes(&parse(before).unwrap(), &parse(after).unwrap());
            let text = |value: Option<Value>| value.map(|value| value.to_string());
            changes_within(all, place).into_iter().map(|c| (c.path, text(c.before), text(c.after))).collect()
        };
        let some = |text: &str| Some(text.to_owned());
        let one = |path: &str, before, after| vec![(path.to_owned(), before, after)];
        assert_eq!(within(r#"{"a":{"b":1}}"#, r#"{"a":{"b":2}}"#, "/a"), one("/a/b", some("1"), some("2")));
        assert_eq!(within(r#"{"a":[]}"#, r#"{"a":[{"b":2}]}"#, "/a/0/b"), one("/a/0/b", None, some("2")));
        assert_eq!(within(r#"{"a":{"b":1}}"#, r#"{"a":1}"#, "/a/b"), one("/a/b", some("1"), None));
        assert_eq!(within(r#"{"a":{"x/y":1}}"#, r#"{"a":null}"#, "/a/x~1y"), one("/a/x~1y", some("1"), None));
        assert_eq!(within(r#"{"a":1,"ab":1}"#, r#"{"a":1,"ab":2}"#, "/a"), []);
        assert_eq!(within(r#"{"a":[1]}"#, r#"{"a":{"b":1}}"#, "/a/c"), []);
    }
}
