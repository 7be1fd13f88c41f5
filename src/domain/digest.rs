//! Digests of rules: what changes when their meaning does, and only then.

use super::fields::Fields;
use super::history::History;
use crate::json::Value;
use crate::script::ScriptText;
use crate::script::essence::{Essence, Functions};
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

/// Gathers what decides a read model's rows.
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
