//! Why an instance stopped: what it could not do, as the store keeps it.

use crate::diagnostic::Diagnostic;
use crate::event::Position;
use crate::json::{self, Object, Value};

/// What could not be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HaltAt {
    /// To handle the event at a position.
    Event(Position),
    /// To send the command with an id.
    Command(Box<str>),
    /// To handle a deadline.
    Deadline(Box<str>),
}

/// Why an instance stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halt {
    /// What could not be done.
    pub at: HaltAt,
    /// Why.
    pub message: String,
    /// Where in the rules, `file:line:column`.
    pub place: Option<String>,
    /// The code, where a command was rejected.
    pub code: Option<Box<str>>,
}

impl Halt {
    /// On account of a problem.
    pub(super) fn of(at: HaltAt, problem: &Diagnostic) -> Self {
        let place = problem.place.as_ref().map(ToString::to_string);
        Self { at, message: problem.message.clone(), place, code: None }
    }

    /// As the store keeps it.
    pub(super) fn to_text(&self) -> Box<str> {
        let text = |text: &str| Value::Text(text.to_owned());
        let (what, which) = match &self.at {
            HaltAt::Event(position) => ("position", Value::Integer(i64::try_from(position.0).unwrap_or(i64::MAX))),
            HaltAt::Command(id) => ("command", text(id)),
            HaltAt::Deadline(name) => ("deadline", text(name)),
        };
        let mut members = Object::from_iter([(what.to_owned(), which), ("message".to_owned(), text(&self.message))]);
        members.extend(self.place.as_deref().map(|place| ("place".to_owned(), text(place))));
        members.extend(self.code.as_deref().map(|code| ("code".to_owned(), text(code))));
        Value::Object(members).to_string().into()
    }

    /// What the store kept; `None` where it is nothing of ours.
    pub(super) fn read(text: &str) -> Option<Self> {
        let Ok(Value::Object(members)) = json::parse(text) else { return None };
        let text = |name: &str| match members.get(name) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        };
        let at = match members.get("position") {
            Some(Value::Integer(position)) => HaltAt::Event(Position(u64::try_from(*position).ok()?)),
            _ => match (text("command"), text("deadline")) {
                (Some(id), _) => HaltAt::Command(id.into()),
                (None, Some(name)) => HaltAt::Deadline(name.into()),
                (None, None) => return None,
            },
        };
        Some(Self { at, message: text("message")?, place: text("place"), code: text("code").map(Into::into) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        for at in [HaltAt::Event(Position(7)), HaltAt::Command("x@1.0".into()), HaltAt::Deadline("timeout".into())] {
            for place in [None, Some("bank.yaml:1:2".to_owned())] {
                let code = place.as_ref().map(|_| "closed".into());
                let halt = Halt { at: at.clone(), message: "it \"failed\"\n".to_owned(), place, code };
                assert_eq!(Halt::read(&halt.to_text()), Some(halt));
            }
        }
        assert_eq!(Halt::read("nonsense"), None);
        assert_eq!(Halt::read("{}"), None);
    }
}
