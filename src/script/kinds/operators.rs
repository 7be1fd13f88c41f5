//! Operators: what they take, and what they give.

use super::Kind;
use super::reader::Reader;
use crate::json::Value;
use rhai::{Expr, FnCallExpr, Position};
use std::rc::Rc;

impl Reader<'_> {
    pub(super) fn operation(&mut self, call: &FnCallExpr, position: Position) -> Kind {
        let equality = matches!(call.name.as_str(), "==" | "!=");
        let kind = |argument| if equality { self.expression(argument) } else { self.asked(argument) };
        let kinds: Vec<Kind> = call.args.iter().map(kind).collect();
        match (&kinds[..], call.name.as_str()) {
            ([kind], "!") => {
                if !kind.may_be_boolean() {
                    let place = self.place(position);
                    self.error("kind", format!("`!` does not work on {}", kind.name()), place);
                }
                Kind::Boolean
            }
            ([kind], operator) => {
                if !kind.is_number() && !matches!(kind, Kind::Any | Kind::Never | Kind::Maybe(_)) {
                    let place = self.place(position);
                    self.error("kind", format!("`{operator}` does not work on {}", kind.name()), place);
                }
                if kind.is_number() { kind.clone() } else { Kind::Any }
            }
            ([left, right], operator) => {
                let operator = operator.to_owned();
                for (argument, kind) in call.args.iter().zip([left, right]) {
                    self.may_be_absent(argument, kind, &operator);
                }
                self.may_be_zero(&call.args[1], &operator);
                self.binary(&operator, left, right, position)
            }
            _ => Kind::Any,
        }
    }

    /// A fold divides by a field that may be zero: such an event would make its stream unreadable.
    pub(super) fn may_be_zero(&mut self, divisor: &Expr, operator: &str) {
        if !self.around.folds || !matches!(operator, "/" | "%") {
            return;
        }
        let Some(("event", name)) = super::forms::field(divisor) else { return };
        let Kind::Record(event) = self.variable("event") else { return };
        let Some(accepts) = event.member(name).and_then(|member| member.accepts) else { return };
        if accepts(Value::Integer(0)).is_ok() {
            let place = self.beginning(divisor);
            self.warning("fold-fails", format!("`event.{name}` may be 0, and then the fold fails"), place)
                .hints
                .push("let the type of the field say that it is not: `exclusive_minimum: 0`".to_owned());
        }
    }

    /// An operator that fails on `()` meets a field that may be absent, and nobody asks whether it is there.
    pub(super) fn may_be_absent(&mut self, argument: &Expr, kind: &Kind, operator: &str) {
        if !matches!(operator, "-" | "*" | "/" | "%" | "**" | "<" | "<=" | ">" | ">=") {
            return;
        }
        if let Some((root, field)) = self.absent(argument, kind) {
            let place = self.beginning(argument);
            self.warning(
                "may-be-absent",
                format!("`{root}.{field}` may be absent, and then `{operator}` fails"),
                place,
            )
            .hints
            .push(format!("give it a value for that case: `({root}.{field} ?? …)`"));
        }
    }

    /// The field of a payload that an expression is, if it may be absent and nobody asks whether it is there.
    pub(super) fn absent(&self, expression: &Expr, kind: &Kind) -> Option<(String, String)> {
        let Kind::Maybe(_) = kind else { return None };
        let (root, field) = super::forms::field(expression)?;
        let Kind::Record(record) = self.variable(root) else { return None };
        record.member(field)?;
        (matches!(record.root, "event" | "command") && !self.is_guarded(root, field))
            .then(|| (root.to_owned(), field.to_owned()))
    }

    /// What an operator gives; a complaint where it cannot.
    pub(super) fn binary(&mut self, operator: &str, left: &Kind, right: &Kind, position: Position) -> Kind {
        let (a, b) = (left.present(), right.present());
        match operator {
            "==" | "!=" => {
                if a.excludes(b) {
                    self.never_equal(format!("{} and {} are never equal", a.name(), b.name()), position);
                }
                return Kind::Boolean;
            }
            "<" | "<=" | ">" | ">=" => {
                let works = a.is_open_question()
                    || b.is_open_question()
                    || (a.is_number() && b.is_number())
                    || (*a == Kind::Text && *b == Kind::Text);
                if !works {
                    let place = self.place(position);
                    self.error("kind", format!("`{operator}` cannot compare {} with {}", a.name(), b.name()), place);
                }
                return Kind::Boolean;
            }
            "in" | "!in" => return self.contained(a, b, position),
            ".." | "..=" => return Kind::Range,
            _ => {}
        }
        if a.is_number() && b.is_number() {
            return match (a, b) {
                (Kind::Integer, Kind::Integer) => Kind::Integer,
                (Kind::Decimal, _) | (_, Kind::Decimal) => Kind::Decimal,
                _ => Kind::Number,
            };
        }
        match (operator, a, b) {
            // Whatever is put together with a text is written out first.
            ("+", Kind::Text, _) | ("+", _, Kind::Text) | ("-", Kind::Text, Kind::Text) => return Kind::Text,
            ("+", Kind::List(x), Kind::List(y)) => return Kind::list(x.join(y)),
            ("+", Kind::List(_), _) if b.is_open_question() => return Kind::list(Kind::Any),
            ("+", Kind::Open(_) | Kind::Map(_) | Kind::Record(_), Kind::Open(_) | Kind::Map(_) | Kind::Record(_)) => {
                // What both have is then as the second has it.
                let Some((mut members, more)) = a.members().zip(b.members()) else { return Kind::open(Kind::Any) };
                members.extend(more);
                return Kind::Map(Rc::new(members)).bounded();
            }
            ("&" | "|" | "^", Kind::Boolean, Kind::Boolean) => return Kind::Boolean,
            _ => {}
        }
        if a.is_open_question() || b.is_open_question() {
            return Kind::Any;
        }
        // What may be `()` is told elsewhere; what is `()` for certain cannot be computed with.
        let place = self.place(position);
        self.error("kind", format!("`{operator}` does not work between {} and {}", a.name(), b.name()), place);
        Kind::Any
    }

    /// A function of the file may be called with values of many kinds, and compare them on purpose.
    fn never_equal(&mut self, message: String, position: Position) {
        if self.within.iter().all(|name| name.starts_with("anon$")) {
            let place = self.place(position);
            self.warning("never-equal", message, place);
        }
    }

    fn contained(&mut self, item: &Kind, whole: &Kind, position: Position) -> Kind {
        let wrong = match whole {
            Kind::Text | Kind::Open(_) | Kind::Map(_) | Kind::Record(_) => {
                !item.is_open_question() && *item != Kind::Text
            }
            Kind::Range => !item.is_open_question() && !item.is_number(),
            Kind::List(of) => {
                if item.excludes(of) {
                    let message = format!("{} is never in a list of which each item is {}", item.name(), of.name());
                    self.never_equal(message, position);
                }
                false
            }
            Kind::Any | Kind::Never | Kind::Maybe(_) => false,
            _ => true,
        };
        if wrong {
            let place = self.place(position);
            self.error("kind", format!("`in` cannot look for {} in {}", item.name(), whole.name()), place);
        }
        Kind::Boolean
    }
}
