//! Plain values, and the members of events.

use super::super::{operators, value};
use super::Operator;
use crate::json::{Kind, Number, Reader, Shape};
use rhai::{Dynamic, Identifier, ImmutableString, Map};
use rust_decimal::Decimal;
use std::cmp::Ordering;
use std::rc::Rc;

/// A value without parts.
#[derive(Debug, Clone, Default)]
pub(in super::super) enum Value {
    #[default]
    Unit,
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    Text(ImmutableString),
}

impl Value {
    /// Of what scripts compute with; `None` where it has parts.
    pub(super) fn of(seen: &Dynamic) -> Option<Self> {
        if let Ok(number) = seen.as_decimal() {
            Some(Self::Decimal(number))
        } else if let Ok(number) = seen.as_int() {
            Some(Self::Integer(number))
        } else if let Ok(text) = seen.as_immutable_string_ref() {
            Some(Self::Text(text.clone()))
        } else if let Ok(truth) = seen.as_bool() {
            Some(Self::Boolean(truth))
        } else {
            seen.is_unit().then_some(Self::Unit)
        }
    }

    pub(in super::super) fn into_dynamic(self) -> Dynamic {
        match self {
            Self::Unit => Dynamic::UNIT,
            Self::Boolean(truth) => truth.into(),
            Self::Integer(number) => number.into(),
            Self::Decimal(number) => Dynamic::from_decimal(number),
            Self::Text(text) => text.into(),
        }
    }

    pub(in super::super) fn truth(&self) -> Option<bool> {
        if let Self::Boolean(truth) = self { Some(*truth) } else { None }
    }

    pub(super) fn negative(self) -> Option<Self> {
        match self {
            Self::Integer(number) => number.checked_neg().map(Self::Integer),
            Self::Decimal(number) => Some(Self::Decimal(-number)),
            _ => None,
        }
    }

    /// What an operator makes of two values; `None` where the engine is to say.
    pub(super) fn computed(operator: Operator, left: &Self, right: &Self) -> Option<Self> {
        match (operator, left, right) {
            (Operator::Equal, ..) => left.same(right).map(Self::Boolean),
            (Operator::Unequal, ..) => left.same(right).map(|same| Self::Boolean(!same)),
            (Operator::Less, ..) => left.compared(right).map(|order| Self::Boolean(order.is_lt())),
            (Operator::AtMost, ..) => left.compared(right).map(|order| Self::Boolean(order.is_le())),
            (Operator::Greater, ..) => left.compared(right).map(|order| Self::Boolean(order.is_gt())),
            (Operator::AtLeast, ..) => left.compared(right).map(|order| Self::Boolean(order.is_ge())),
            (_, Self::Integer(a), Self::Integer(b)) => match operator {
                Operator::Add => a.checked_add(*b),
                Operator::Subtract => a.checked_sub(*b),
                Operator::Multiply => a.checked_mul(*b),
                Operator::Divide => a.checked_div(*b),
                _ => a.checked_rem(*b),
            }
            .map(Self::Integer),
            _ => decimal(operator, left.number()?, right.number()?).map(Self::Decimal),
        }
    }

    fn number(&self) -> Option<Decimal> {
        match self {
            Self::Integer(number) => Some((*number).into()),
            Self::Decimal(number) => Some(*number),
            _ => None,
        }
    }

    fn same(&self, other: &Self) -> Option<bool> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Some(a == b),
            (Self::Integer(a), Self::Integer(b)) => Some(a == b),
            (Self::Decimal(a), Self::Decimal(b)) => Some(a == b),
            (Self::Boolean(a), Self::Boolean(b)) => Some(a == b),
            (Self::Unit, Self::Unit) => Some(true),
            (Self::Unit, _) | (_, Self::Unit) => Some(false),
            _ => Some(self.number()? == other.number()?),
        }
    }

    fn compared(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => Some(a.as_str().cmp(b.as_str())),
            (Self::Integer(a), Self::Integer(b)) => Some(a.cmp(b)),
            _ => Some(self.number()?.cmp(&other.number()?)),
        }
    }
}

/// What an operator makes of two decimals: exact, or nothing.
pub(super) fn decimal(operator: Operator, left: Decimal, right: Decimal) -> Option<Decimal> {
    match operator {
        Operator::Add => operators::add(left, right),
        Operator::Subtract => operators::subtract(left, right),
        Operator::Multiply => operators::multiply(left, right),
        Operator::Divide => operators::divide(left, right),
        Operator::Remainder => operators::remainder(left, right),
        _ => return None,
    }
    .ok()
}

/// Names of members.
pub type Names = Rc<[Identifier]>;

/// Some members of an event's payload, read from its text.
#[derive(Debug, Clone)]
pub struct Members {
    names: Names,
    /// In the order of the names; `None` where the payload has no such member.
    parts: Vec<Option<Part>>,
}

/// A member.
#[derive(Debug, Clone)]
enum Part {
    Plain(Value),
    Whole(Dynamic),
}

impl Members {
    /// The members with these names of a stored payload; `None` where it cannot be read, or has none of a name that is not
    /// optional. All of the payload is looked at: what is no JSON is noticed.
    pub fn read(text: &str, shape: &Shape, names: &Names) -> Option<Self> {
        let mut members = Self::none(names);
        members.read_again(text, shape)?;
        Some(members)
    }

    /// The same members of another payload, in the place of those that were read before.
    pub(super) fn read_again(&mut self, text: &str, shape: &Shape) -> Option<()> {
        let Self { names, parts } = self;
        parts.clear();
        parts.resize_with(names.len(), || None);
        let mut reader = Reader::new(text);
        let mut next = reader.object_first().ok()?.map(|name| names.iter().position(|known| known == name));
        while let Some(place) = next {
            match place {
                Some(place) => parts[place] = Some(Part::read(&mut reader, shape.member(&names[place]))?),
                None => reader.skip().ok()?,
            }
            next = reader.object_next().ok()?.map(|name| names.iter().position(|known| known == name));
        }
        reader.finish().ok()?;
        for (name, part) in names.iter().zip(&mut *parts).filter(|(_, part)| part.is_none()) {
            let optional = shape.optional().iter().any(|optional| **optional == **name);
            *part = Some(optional.then_some(Part::Plain(Value::Unit))?);
        }
        Some(())
    }

    /// None yet, of these names.
    pub(super) fn none(names: &Names) -> Self {
        Self { names: Rc::clone(names), parts: Vec::new() }
    }

    fn get(&self, name: &str) -> Option<&Part> {
        let place = self.names.iter().position(|known| known == name)?;
        self.parts.get(place)?.as_ref()
    }
}

impl Part {
    fn read(reader: &mut Reader<'_>, shape: &Shape) -> Option<Self> {
        let plain = match reader.peek().ok()? {
            Kind::Text => Value::Text(reader.text().ok()?.into()),
            Kind::Number => match (reader.number().ok()?, shape) {
                (number, Shape::Decimal) => Value::Decimal(number.to_decimal()),
                (Number::Integer(number), _) => Value::Integer(number),
                (Number::Decimal(number), _) => Value::Decimal(number),
            },
            Kind::Bool => Value::Boolean(reader.bool().ok()?),
            Kind::Null => {
                reader.null().ok()?;
                Value::Unit
            }
            Kind::List | Kind::Object => return value::read_any(reader, shape).ok().map(Self::Whole),
        };
        Some(Self::Plain(plain))
    }
}

/// The event that a script is about.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Event<'e> {
    /// There is none.
    None,
    /// The members that are read.
    Members(&'e Members),
    /// All of it.
    Whole(&'e Map),
}

impl Event<'_> {
    /// A member that has no parts.
    pub(super) fn plain(self, name: &str) -> Option<Value> {
        match self {
            Self::None => None,
            Self::Members(members) => match members.get(name)? {
                Part::Plain(value) => Some(value.clone()),
                Part::Whole(_) => None,
            },
            Self::Whole(map) => Value::of(map.get(name)?),
        }
    }

    /// A member, whatever it is.
    pub(super) fn any(self, name: &str) -> Option<Dynamic> {
        match self {
            Self::None => None,
            Self::Members(members) => Some(match members.get(name)? {
                Part::Plain(value) => value.clone().into_dynamic(),
                Part::Whole(value) => value.clone(),
            }),
            Self::Whole(map) => map.get(name).cloned(),
        }
    }
}
