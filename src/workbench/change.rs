//! What differs between two values, path by path.

use crate::json::{Value, pointer_push};

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
