//! What only a decision calls, `emit`, `reject`, `require`, `load` and the like, and what only a process does, `send` and the
//! like.

use super::Kind;
use super::forms::constant;
use super::reader::Reader;
use super::record::Record;
use crate::json::Value;
use crate::script::react;
use rhai::{Expr, FnCallExpr, Position};
use std::rc::Rc;

impl Reader<'_> {
    /// One of these calls; `None` for others.
    pub(super) fn decision(&mut self, call: &FnCallExpr, position: Position) -> Option<Kind> {
        let (takes, data) = match call.name.as_str() {
            "emit" => (1..=2, Some(1)),
            "emit_to" | "send" => (2..=3, Some(2)),
            "reject" => (1..=3, None),
            "require" => (2..=4, None),
            "load" | "cancel" => (1..=1, None),
            "new_id" | "delete" | "done" => (0..=0, None),
            "after" => (2..=2, None),
            _ => return None,
        };
        if !takes.contains(&call.args.len()) {
            let place = self.place(position);
            let message = super::calls::arguments(&call.name, &takes, "", call.args.len());
            self.error("arguments", message, place);
        }
        if call.name == "require"
            && let Some(condition) = call.args.first()
        {
            self.condition(condition);
        }
        let texts = match call.name.as_str() {
            "reject" => 1,
            "require" => 2,
            _ => usize::MAX,
        };
        let emitted = data.and_then(|data| self.emitted(call, data));
        for (at, argument) in call.args.iter().enumerate() {
            if at == 0 && call.name == "require" {
                continue;
            }
            if let (Some(at_data), Some(event)) = (data, &emitted)
                && at == at_data
            {
                self.payload(argument, event);
                continue;
            }
            let kind = self.expression(argument);
            let kind = kind.present();
            if at == 0 && call.name == "after" {
                self.duration(argument, kind);
            }
            if at == texts && !matches!(kind, Kind::Text | Kind::Any | Kind::Never | Kind::Nothing) {
                let place = self.beginning(argument);
                self.error("kind", format!("the message of a rejection is a string, not {}", kind.name()), place);
            }
        }
        Some(match call.name.as_str() {
            "reject" => Kind::Never,
            "new_id" => Kind::Text,
            "load" => self.loaded(call),
            _ => Kind::Nothing,
        })
    }

    /// How much later a deadline comes: a text or a number of seconds, and what is written out must be a duration.
    fn duration(&mut self, argument: &Expr, kind: &Kind) {
        if !matches!(kind, Kind::Text | Kind::Integer | Kind::Any | Kind::Never | Kind::Number) {
            let place = self.beginning(argument);
            let message =
                format!("a duration is a text, as in \"15m\", or a whole number of seconds, not {}", kind.name());
            self.error("kind", message, place);
        }
        let length = match constant(argument) {
            Some(Value::Text(text)) => react::duration(&text),
            Some(Value::Integer(number)) => react::seconds(number),
            _ => return,
        };
        if let Err(wrong) = length {
            let place = self.beginning(argument);
            self.error("duration", wrong, place);
        }
    }

    /// The event that is emitted, or the command that is sent, where that is known.
    fn emitted(&self, call: &FnCallExpr, data: usize) -> Option<Rc<Record>> {
        let Some(Expr::StringConstant(event, _)) = call.args.get(data - 1) else { return None };
        if call.name == "send" {
            return (self.around.command)(&stream(call.args.first()?)?, event);
        }
        let aggregate = match data {
            1 => self.around.aggregate.to_owned(),
            _ => stream(call.args.first()?)?,
        };
        (self.around.event)(&aggregate, event)
    }

    /// The data of an event that is emitted, or of a command that is sent. That names are those of its fields is told where facts are looked at;
    /// here it is what the fields are given.
    fn payload(&mut self, data: &Expr, event: &Rc<Record>) {
        if let Expr::Map(parts, _) = data {
            for (name, value) in &parts.0 {
                let kind = self.expression(value);
                self.member(event, name.name.as_str(), &kind, Some(value), value);
            }
            return;
        }
        let kind = self.expression(data);
        let known = constant(data);
        match &kind {
            Kind::Map(members) => {
                for name in event.names() {
                    let optional = event.member(&name).is_some_and(|member| matches!(member.kind, Kind::Maybe(_)));
                    if !optional && !members.contains_key(&name) {
                        let place = self.beginning(data);
                        self.error("missing-field", format!("{} needs a field `{name}`", event.owner), place);
                    }
                }
                for (name, kind) in members.iter() {
                    if event.member(name).is_none() {
                        let place = self.beginning(data);
                        self.no_field(&event.owner, &event.owner, name, &event.names(), place);
                    } else {
                        let known = known.as_ref().and_then(|known| known.as_object()?.get(name).cloned());
                        self.member_known(event, name, kind, known, data);
                    }
                }
            }
            Kind::Record(record) => {
                for name in record.names() {
                    if let Some(member) = record.member(&name).filter(|_| event.member(&name).is_some()) {
                        self.member(event, &name, &member.kind, None, data);
                    }
                }
            }
            Kind::Open(_) | Kind::Any | Kind::Never => {}
            other => {
                let place = self.beginning(data);
                self.error("kind", format!("the data of {} is a map, not {}", event.owner, other.name()), place);
            }
        }
    }

    fn member(&mut self, event: &Record, name: &str, kind: &Kind, value: Option<&Expr>, at: &Expr) {
        if let (Some(value), Some(member)) = (value, event.member(name))
            && !matches!(member.kind, Kind::Maybe(_))
            && let Some((root, field)) = self.absent(value, kind)
        {
            let place = self.beginning(value);
            let message = format!("`{root}.{field}` may be absent, and {} needs its `{name}`", event.owner);
            self.warning("may-be-absent", message, place)
                .hints
                .push(format!("give it a value for that case: `{root}.{field} ?? …`"));
        }
        self.member_known(event, name, kind, value.and_then(constant), at);
    }

    fn member_known(&mut self, event: &Record, name: &str, kind: &Kind, known: Option<Value>, at: &Expr) {
        let Some(member) = event.member(name) else { return };
        let nothing = matches!(known, Some(Value::Null));
        if let (Some(known), Some(accepts), false) = (known, &member.accepts, nothing) {
            if let Err(why) = accepts(known) {
                let place = self.beginning(at);
                self.error("kind", format!("`{name}` of {}: {why}", event.owner), place);
            }
        } else if let Some(misfit) = kind.misfit(&member.kind) {
            let place = self.beginning(at);
            let message = format!("`{name}` of {} is {}, {}", event.owner, member.kind.name(), misfit.words());
            self.error("kind", message, place);
        }
    }

    fn loaded(&self, call: &FnCallExpr) -> Kind {
        let state = call.args.first().and_then(stream).and_then(|aggregate| (self.around.state)(&aggregate));
        let state = state.map_or(Kind::Any, Kind::Record);
        Kind::Map(Rc::new([("state".to_owned(), state), ("version".to_owned(), Kind::Integer)].into()))
    }
}

/// The aggregate in the name of a stream that is written out.
fn stream(argument: &Expr) -> Option<String> {
    let text = match argument {
        Expr::StringConstant(text, _) => text,
        Expr::InterpolatedString(parts, _) => match parts.first() {
            Some(Expr::StringConstant(text, _)) => text,
            _ => return None,
        },
        _ => return None,
    };
    text.split_once('/').map(|(aggregate, _)| aggregate.to_owned())
}
