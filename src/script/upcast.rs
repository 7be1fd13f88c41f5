//! Upcasting: a payload as it was stored once, brought up to what the event is like now, one version at a time.

use super::fault::Fault;
use super::fold::{EventRules, Meta, Payload};
use super::host::Host;
use super::value;
use crate::diagnostic::Diagnostic;
use crate::json::{JsonError, Object, Value};
use rhai::Scope;

/// The names an `upcast` sees, in the order of its scope.
pub const SCOPE: &[&str] = &["event", "meta"];

/// Why a payload of an earlier version does not become one of the current version.
#[derive(Debug)]
pub enum UpcastError {
    /// What is stored cannot be read.
    Unreadable(JsonError),
    /// A step failed, or what they came to does not fit.
    Fault(Fault),
}

impl From<Fault> for UpcastError {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Host {
    /// The payload that an event has now, of the text that was stored under an earlier version of its schema, counted
    /// from 1. `meta` is asked for only where a step reads it.
    pub fn upcast(
        &self,
        event: &EventRules,
        version: u32,
        text: &str,
        meta: impl FnOnce() -> Meta,
    ) -> Result<Object, UpcastError> {
        let steps = event.upcasts.get(version.saturating_sub(1) as usize..).unwrap_or_default();
        // What is a decimal now was one then, as far as anybody knows; and what may be absent reads as nothing.
        let mut payload = value::read(text, &event.shape).map_err(UpcastError::Unreadable)?;
        let reads_meta = steps.iter().any(|step| step.facts().reads_root("meta"));
        let meta = if reads_meta { meta() } else { Meta::default() };
        for step in steps {
            let mut scope = Scope::new();
            scope.push_dynamic("event", payload);
            scope.push_dynamic("meta", meta.0.clone());
            if let Some(seen) = self.seen() {
                seen.see_upcast(step);
            }
            let _ = self.run(step, &mut scope)?;
            payload = scope.get_mut("event").map(std::mem::take).unwrap_or_default().flatten();
        }
        let misfit = |problem: String| {
            let message = format!("what is stored of `{}` does not become what it is now: {problem}", event.name);
            let place = steps.last().map(|step| step.text().whole());
            UpcastError::Fault(Fault(Box::new(Diagnostic { place, ..Diagnostic::error("script", message) })))
        };
        match value::to_value(&payload) {
            Ok(Value::Object(data)) => (event.accept)(data).map_err(|problems| misfit(problems.join("; "))),
            Ok(other) => Err(misfit(format!("it is {}, not a map of its fields", other.kind_name()))),
            Err(problem) => Err(misfit(problem.to_string())),
        }
    }
}

impl EventRules {
    /// The payload as scripts see it, of one that fits.
    pub fn payload(&self, data: Object) -> Payload {
        Payload::new(data, &self.shape)
    }
}
