//! Blaming: which event gave each part of a state the value it has.

use super::change::{is_within, pointer};
use super::{Error, Misfit, Workbench};
use crate::diagnostic::meant;
use crate::event::{Moment, Recorded, StreamName};
use crate::json::{Value, pointer_push};
use std::collections::BTreeMap;
use std::ops::{Bound, ControlFlow};
use std::rc::Rc;

/// A leaf of a state, with where its value comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Blamed {
    /// Where in the state, as a JSON pointer (RFC 6901).
    pub path: String,
    /// What is there: no object or list but empty ones.
    pub value: Value,
    /// The event that changed it last, with its command; `None` where it is as it was before the first event.
    pub event: Option<Rc<Recorded>>,
}

impl Workbench {
    /// The leaves of a stream's state at a moment, in the order of the state, each with the event that changed it last.
    /// `path` picks one of them, or what is within it. An item of a list is known by its place in the list.
    pub fn blame(&mut self, stream: &StreamName, at: Option<Moment>, path: Option<&str>) -> Result<Vec<Blamed>, Error> {
        let mut last: BTreeMap<String, Rc<Recorded>> = BTreeMap::new();
        let replayed = self.steps(stream, at, &mut |step| {
            let event = Rc::new(step.event);
            for change in step.changes {
                forget_within(&mut last, &change.path);
                last.insert(change.path, Rc::clone(&event));
            }
            ControlFlow::Continue(())
        })?;
        let mut all = Vec::new();
        leaves(&mut String::new(), &replayed.state, &mut |path, value| {
            all.push(Blamed { path: path.to_owned(), value: value.clone(), event: origin(&last, path) });
        });
        let Some(path) = path else { return Ok(all) };
        let wanted = pointer(path);
        let known: Vec<String> = all.iter().map(|leaf| leaf.path[1..].to_owned()).collect();
        all.retain(|leaf| is_within(&leaf.path, &wanted));
        if all.is_empty() {
            let version = replayed.version;
            let misfit = Misfit::new(format!("the state of `{stream}` has no `{path}` at version {version}"));
            let hint = meant(path.trim_start_matches('/'), known.iter().map(String::as_str), "it has");
            return Err(hint.into_iter().fold(misfit, Misfit::hint).into());
        }
        Ok(all)
    }
}

/// What lies within something that was replaced as a whole has no history of its own any more.
fn forget_within(last: &mut BTreeMap<String, Rc<Recorded>>, path: &str) {
    let inner: Vec<String> = within(last, path).map(|(path, _)| path.clone()).collect();
    for path in inner {
        last.remove(&path);
    }
}

/// What is noted of things within something.
fn within<'l>(
    last: &'l BTreeMap<String, Rc<Recorded>>,
    path: &str,
) -> impl Iterator<Item = (&'l String, &'l Rc<Recorded>)> {
    let prefix = format!("{path}/");
    let from = (Bound::Included(prefix.clone()), Bound::Unbounded);
    last.range::<String, _>(from).take_while(move |(path, _)| path.starts_with(&prefix))
}

/// The latest event among those that changed a leaf, what it stands in, or what it held.
fn origin(last: &BTreeMap<String, Rc<Recorded>>, leaf: &str) -> Option<Rc<Recorded>> {
    let around = (0..=leaf.len()).filter(|end| *end == leaf.len() || leaf.as_bytes()[*end] == b'/');
    let around = around.filter_map(|end| last.get(&leaf[..end]));
    around.chain(within(last, leaf).map(|(_, event)| event)).max_by_key(|event| event.version).cloned()
}

fn leaves(path: &mut String, value: &Value, each: &mut dyn FnMut(&str, &Value)) {
    let length = path.len();
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (key, member) in members {
                pointer_push(path, key);
                leaves(path, member, each);
                path.truncate(length);
            }
        }
        Value::List(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                pointer_push(path, &index.to_string());
                leaves(path, item, each);
                path.truncate(length);
            }
        }
        leaf => each(path, leaf),
    }
}
