//! What a run knows already: values that are more likely to mean something to the rules than new ones.

use super::random::Random;
use crate::json::Value;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// The most texts, and the most numbers, that are remembered.
const MOST: usize = 64;
/// The longest text that is remembered, in bytes.
const LONG: usize = 256;
/// The most values that are taken out of one payload or state.
const LEAVES: usize = 16;
/// The most values that are remembered of one name, and the most names.
const NAMED: (usize, usize) = (8, 256);

/// Texts and numbers that were seen.
#[derive(Debug, Clone, Default)]
pub struct Pool {
    /// Ids of the streams of a run: what a field such as `to` may mean.
    pub(super) ids: Vec<String>,
    /// Those of streams that have events, the one that was given one last at the end.
    pub(super) begun: Vec<String>,
    pub(super) texts: Vec<String>,
    pub(super) numbers: Vec<Decimal>,
    /// What stood under a name: two fields called `currency` are likely to mean the same currencies.
    named: BTreeMap<String, Vec<Value>>,
}

impl Pool {
    /// A pool that knows these ids, texts and numbers from the start.
    pub fn new(ids: Vec<String>, texts: Vec<String>, numbers: Vec<Decimal>) -> Self {
        Self { ids, begun: Vec::new(), texts, numbers, named: BTreeMap::new() }
    }

    /// Remembers what stands in a payload or a state; where there is no more room, instead of something else.
    pub(super) fn learn(&mut self, value: &Value, random: &mut Random) {
        let mut left = LEAVES;
        self.leaves(value, &mut left, random);
    }

    /// The stream of that id was given an event just now.
    pub(super) fn live(&mut self, id: &str) {
        self.begun.retain(|known| known != id);
        self.begun.push(id.to_owned());
        if self.begun.len() > MOST {
            self.begun.remove(0);
        }
    }

    /// What stood under that name.
    pub(super) fn under(&self, name: &str) -> &[Value] {
        self.named.get(name).map_or(&[], Vec::as_slice)
    }

    fn name(&mut self, name: &str, value: &Value, random: &mut Random) {
        let short = match value {
            Value::Text(text) => text.len() <= LONG,
            Value::Integer(_) | Value::Decimal(_) => true,
            _ => false,
        };
        if !short || self.named.len() >= NAMED.1 && !self.named.contains_key(name) {
            return;
        }
        let known = self.named.entry(name.to_owned()).or_default();
        if !known.contains(value) {
            put(known, value.clone(), NAMED.0, random);
        }
    }

    fn leaves(&mut self, value: &Value, left: &mut usize, random: &mut Random) {
        if *left == 0 {
            return;
        }
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Integer(_) | Value::Decimal(_) => {
                *left -= 1;
                let number = value.as_decimal().unwrap_or_default().normalize();
                if !self.numbers.contains(&number) {
                    put(&mut self.numbers, number, MOST, random);
                }
            }
            Value::Text(text) => {
                *left -= 1;
                if text.len() <= LONG && !self.texts.contains(text) {
                    put(&mut self.texts, text.clone(), MOST, random);
                }
            }
            Value::List(items) => items.iter().for_each(|item| self.leaves(item, left, random)),
            Value::Object(members) => {
                for (name, member) in members {
                    self.name(name, member, random);
                    self.leaves(member, left, random);
                }
            }
        }
    }
}

fn put<T>(known: &mut Vec<T>, new: T, most: usize, random: &mut Random) {
    if known.len() < most {
        known.push(new);
    } else {
        let at = random.index(known.len());
        known[at] = new;
    }
}
