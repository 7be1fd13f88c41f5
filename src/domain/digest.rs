//! Digests of rules: what changes when their meaning does, and only then.

use super::definition::{AggregateDefinition, StateDefinition};
use super::fields::Fields;
use super::history::History;
use crate::json::{self, Shape, Value};
use crate::script::ScriptText;
use crate::script::essence::{Essence, Functions};
use crate::script::state::Pin;
use sha2::{Digest, Sha256};

/// Changes when the engine or a function of ours changes its meaning: every cached state and read model is then
/// made again.
const ENGINE: u32 = 3;

/// The digest of a file's text, in hex.
pub fn of_text(text: &str) -> Box<str> {
    hex(Sha256::digest(text.as_bytes()).as_slice())
}

/// The digest of what an event was before, in hex.
pub(super) fn of_history(history: &History, functions: Option<&ScriptText>) -> Box<str> {
    let mut digest = RulesDigest::default();
    digest.text(&history.version.to_string());
    for was in &history.was {
        digest.text(&was.text);
    }
    let mut steps: Vec<_> = history.upcast.iter().filter_map(|(from, _, text)| Some((from, text.as_ref()?))).collect();
    steps.sort_by_key(|(from, _)| **from);
    digest.scripts(steps.into_iter().map(|(_, text)| text), functions);
    digest.finish()
}

/// The digest of everything that decides what the events of an aggregate add up to, in hex: the state they begin with, what
/// its fields are held to, how each event is read and folded, and what its stored events were called before. `pasts` are the
/// digests of what is said of the past of its events, by name.
pub(super) fn of_fold<'p>(
    aggregate: &AggregateDefinition,
    pin: impl Fn(&StateDefinition) -> Pin,
    past: impl Fn(&str) -> Option<&'p str>,
    functions: Option<&ScriptText>,
) -> Box<str> {
    let mut digest = RulesDigest::default();
    digest.text(&aggregate.name.text);
    // States and events are found by their names: the order they are declared in means nothing.
    let mut fields: Vec<_> = aggregate.state.iter().collect();
    fields.sort_by_key(|field| &field.name.text);
    for field in fields {
        // As it is typed: `10` the decimal is divided in another way than `10` the integer.
        let mut initial = String::new();
        json::write_typed(&field.initial, &mut initial);
        digest.text(&field.name.text).text(&initial).text(match pin(field) {
            Pin::Free => "",
            Pin::Decimal => "decimal",
            Pin::Integer => "integer",
            Pin::Text => "string",
            Pin::Boolean => "boolean",
        });
    }
    let mut events: Vec<_> = aggregate.events.iter().collect();
    events.sort_by_key(|event| &event.name.text);
    for event in events {
        digest.text("event").text(&event.name.text).shape(&event.fields.shape());
        digest.scripts(&event.fold, functions);
        if let Some(past) = past(&event.name.text) {
            // What a step leaves behind is typed.
            digest.text(past).fields(&event.fields);
        }
    }
    let mut retired: Vec<_> = aggregate.retired.iter().map(|name| &name.text).collect();
    retired.sort();
    for name in retired {
        digest.text("retired").text(name);
    }
    digest.finish()
}

/// Gathers what decides a read model's rows, or a state.
pub struct RulesDigest(Sha256);

impl Default for RulesDigest {
    /// Begins with the engine's own number.
    fn default() -> Self {
        let mut hash = Sha256::new();
        hash.update(ENGINE.to_le_bytes());
        Self(hash)
    }
}

impl RulesDigest {
    /// A piece of text that counts as it is.
    pub fn text(&mut self, text: &str) -> &mut Self {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text.as_bytes());
        self
    }

    /// Scripts, and of the functions of their file those that they reach. Comments, layout and the names of local
    /// variables do not count.
    pub fn scripts<'s>(
        &mut self,
        scripts: impl IntoIterator<Item = &'s ScriptText>,
        functions: Option<&ScriptText>,
    ) -> &mut Self {
        let essences: Vec<Essence> = scripts.into_iter().map(|script| Essence::of(&script.text)).collect();
        for essence in &essences {
            self.text(&essence.text());
        }
        let functions = functions.map(|functions| Functions::of(&functions.text)).unwrap_or_default();
        self.text(&functions.reached(&essences))
    }

    /// Types of a payload or of columns.
    pub fn fields(&mut self, fields: &Fields) -> &mut Self {
        for field in fields {
            self.text(&field.name);
            self.text(if field.optional { "?" } else { "" });
        }
        let schema = fields.json_schema().to_string();
        self.text(&schema)
    }

    /// How a stored payload is read: which fields may be absent, and where decimals are. What else its types say was asked
    /// before it was stored.
    pub fn shape(&mut self, shape: &Shape) -> &mut Self {
        match shape {
            Shape::Plain => self.text("plain"),
            Shape::Decimal => self.text("decimal"),
            Shape::List(item) => self.text("list").shape(item),
            Shape::Object(members, optional) => {
                self.text("object");
                for (name, shape) in members {
                    self.text(name).shape(shape);
                }
                for name in optional {
                    self.text("?").text(name);
                }
                self.text("end")
            }
        }
    }

    /// A value.
    pub fn value(&mut self, value: &Value) -> &mut Self {
        let text = value.to_string();
        self.text(&text)
    }

    /// The digest, in hex.
    pub fn finish(self) -> Box<str> {
        hex(self.0.finalize().as_slice())
    }
}

fn hex(bytes: &[u8]) -> Box<str> {
    use std::fmt::Write;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}
