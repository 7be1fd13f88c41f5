//! What kinds of values a script computes with, found out without running it.
//!
//! A kind is a promise about every run: where a kind is known, each run gives a value of that kind or fails before. Where
//! nothing can be promised the kind is [`Kind::Any`], and nothing is said. [`Reader`] goes through a syntax tree with
//! the kinds of what is in scope and notes what cannot work, through the functions of the file as well.

mod calls;
mod chain;
mod emitted;
mod follow;
mod forms;
mod operators;
mod reader;
mod record;

pub(in crate::script) use forms::guards;
pub use reader::{Reader, Surroundings};
pub use record::{Accepts, Member, Record};

use std::collections::BTreeMap;
use std::rc::Rc;

/// How deep kinds within kinds are told apart.
const DEPTH: usize = 8;
/// The most kinds that one is made of.
const MAX_PARTS: usize = 200;

/// What is known of a value.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Nothing is known.
    Any,
    /// There is no value: the script has ended.
    Never,
    /// `()`.
    Nothing,
    /// `true` or `false`.
    Boolean,
    /// A whole number of 64 bits.
    Integer,
    /// An exact number.
    Decimal,
    /// An integer or a decimal.
    Number,
    /// A text or a character.
    Text,
    /// A list of these.
    List(Rc<Kind>),
    /// A map with any keys, of these.
    Open(Rc<Kind>),
    /// A map with these keys and no others.
    Map(Rc<BTreeMap<String, Kind>>),
    /// What is in scope under a name: a state, an event, a command, a row.
    Record(Rc<Record>),
    /// `0..10`.
    Range,
    /// A function without a name, with what it was given when it was made.
    Closure(Rc<str>, Rc<[Kind]>),
    /// This, or `()`.
    Maybe(Rc<Kind>),
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(a), Self::List(b)) | (Self::Open(a), Self::Open(b)) | (Self::Maybe(a), Self::Maybe(b)) => {
                Rc::ptr_eq(a, b) || a == b
            }
            (Self::Map(a), Self::Map(b)) => Rc::ptr_eq(a, b) || a == b,
            (Self::Record(a), Self::Record(b)) => Rc::ptr_eq(a, b),
            (Self::Closure(a, x), Self::Closure(b, y)) => a == b && x == y,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other) && !self.is_compound(),
        }
    }
}

impl Kind {
    fn is_compound(&self) -> bool {
        matches!(
            self,
            Self::List(_) | Self::Open(_) | Self::Map(_) | Self::Record(_) | Self::Closure(..) | Self::Maybe(_)
        )
    }

    /// A list of these.
    #[must_use]
    pub fn list(of: Self) -> Self {
        Self::List(Rc::new(of))
    }

    /// A map with any keys, of these.
    #[must_use]
    pub fn open(of: Self) -> Self {
        Self::Open(Rc::new(of))
    }

    /// This, or `()`.
    #[must_use]
    pub fn maybe(self) -> Self {
        match self {
            Self::Any | Self::Nothing | Self::Maybe(_) => self,
            Self::Never => Self::Nothing,
            other => Self::Maybe(Rc::new(other)),
        }
    }

    /// Without the possibility of `()`.
    pub fn present(&self) -> &Self {
        match self {
            Self::Maybe(kind) => kind,
            other => other,
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Integer | Self::Decimal | Self::Number)
    }

    /// Whether it may stand where true or false is wanted.
    pub fn may_be_boolean(&self) -> bool {
        matches!(self, Self::Boolean | Self::Any | Self::Never | Self::Maybe(_))
    }

    /// Whether nothing can be said of it.
    pub(super) fn is_open_question(&self) -> bool {
        matches!(self, Self::Any | Self::Never)
    }

    /// In words, with an article.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Any | Self::Never => "a value",
            Self::Nothing => "nothing (`()`)",
            Self::Boolean => "a boolean",
            Self::Integer => "an integer",
            Self::Decimal => "a decimal",
            Self::Number => "a number",
            Self::Text => "a string",
            Self::List(_) => "a list",
            Self::Open(_) | Self::Map(_) | Self::Record(_) => "a map",
            Self::Range => "a range",
            Self::Closure(..) => "a function",
            Self::Maybe(kind) => kind.name(),
        }
    }

    /// Either of two.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        self.joined(other, DEPTH).bounded()
    }

    /// The same, unless it is made of so much that going through it would take long: maps within maps can be written
    /// that have more parts than there are bytes in their text.
    #[must_use]
    pub fn bounded(self) -> Self {
        let mut left = MAX_PARTS;
        if self.fits_into(&mut left) { self } else { Self::Any }
    }

    fn fits_into(&self, left: &mut usize) -> bool {
        let Some(rest) = left.checked_sub(1) else { return false };
        *left = rest;
        match self {
            Self::List(of) | Self::Open(of) | Self::Maybe(of) => of.fits_into(left),
            Self::Map(members) => members.values().all(|member| member.fits_into(left)),
            Self::Closure(_, caught) => caught.iter().all(|kind| kind.fits_into(left)),
            _ => true,
        }
    }

    fn joined(&self, other: &Self, depth: usize) -> Self {
        match (self, other) {
            (a, b) if a == b => a.clone(),
            (Self::Never, kind) | (kind, Self::Never) => kind.clone(),
            (Self::Any, _) | (_, Self::Any) => Self::Any,
            _ if depth == 0 => Self::Any,
            (Self::Nothing, kind) | (kind, Self::Nothing) => kind.clone().maybe(),
            (Self::Maybe(a), b) | (b, Self::Maybe(a)) => a.joined(b.present(), depth).maybe(),
            (a, b) if a.is_number() && b.is_number() => Self::Number,
            (Self::List(a), Self::List(b)) => Self::list(a.joined(b, depth - 1)),
            (Self::Open(a), Self::Open(b)) => Self::open(a.joined(b, depth - 1)),
            (Self::Open(of), Self::Map(members)) | (Self::Map(members), Self::Open(of)) => {
                Self::open(members.values().fold((**of).clone(), |of, member| of.joined(member, depth - 1)))
            }
            (Self::Map(a), Self::Map(b)) => {
                let mut members = (**a).clone();
                for (name, kind) in b.iter() {
                    let joined = members.get(name).map_or_else(|| kind.clone(), |known| known.joined(kind, depth - 1));
                    members.insert(name.clone(), joined);
                }
                Self::Map(Rc::new(members))
            }
            _ => Self::Any,
        }
    }

    /// The members of a map that has no others.
    pub(super) fn members(&self) -> Option<BTreeMap<String, Self>> {
        match self {
            Self::Map(members) => Some((**members).clone()),
            Self::Record(record) if !record.open => Some(record.members()),
            _ => None,
        }
    }

    /// Whether two kinds have no value in common, as far as is known. `()` in both does not count.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        let (a, b) = (self.present(), other.present());
        if a.is_open_question() || b.is_open_question() || *a == Self::Nothing || *b == Self::Nothing {
            return false;
        }
        a.sort() != b.sort()
    }

    /// The sort of what it is, if it is something, where that is known.
    pub(super) fn known_sort(&self) -> Option<u8> {
        Some(self.present().sort()).filter(|sort| *sort > Self::Nothing.sort())
    }

    /// What a value is made of, numbers and maps being of one sort each.
    fn sort(&self) -> u8 {
        match self {
            Self::Any | Self::Never | Self::Maybe(_) => 0,
            Self::Nothing => 1,
            Self::Boolean => 2,
            Self::Integer | Self::Decimal | Self::Number => 3,
            Self::Text => 4,
            Self::List(_) => 5,
            Self::Open(_) | Self::Map(_) | Self::Record(_) => 6,
            Self::Range => 7,
            Self::Closure(..) => 8,
        }
    }

    /// Whether it may stand in a place of the declared kind.
    pub fn fits(&self, declared: &Self) -> bool {
        self.misfit(declared).is_none()
    }

    /// What does not fit into a place of the declared kind: `None` where it fits or where that is not known.
    pub(super) fn misfit(&self, declared: &Self) -> Option<Misfit> {
        match (self, declared) {
            (Self::Any | Self::Never, _) | (_, Self::Any) | (Self::Nothing, Self::Nothing | Self::Maybe(_)) => None,
            (Self::Maybe(kind), declared) => kind.misfit(declared),
            (kind, Self::Maybe(declared)) => kind.misfit(declared),
            (Self::List(a), Self::List(b)) => a.misfit(b).map(|misfit| misfit.within("each item")),
            (Self::Map(members), Self::Map(wanted)) => members.iter().find_map(|(name, kind)| match wanted.get(name) {
                Some(declared) => kind.misfit(declared).map(|misfit| misfit.within(&format!("`{name}`"))),
                None => Some(Misfit { at: String::new(), found: format!("one with a field `{name}`") }),
            }),
            (kind, declared) if kind.excludes(declared) || *kind == Self::Nothing || *declared == Self::Nothing => {
                Some(Misfit { at: String::new(), found: kind.name().to_owned() })
            }
            _ => None,
        }
    }
}

/// What does not fit.
#[derive(Debug)]
pub(super) struct Misfit {
    /// Where within the value; empty for the whole.
    at: String,
    found: String,
}

impl Misfit {
    fn within(self, outer: &str) -> Self {
        let at = if self.at.is_empty() { outer.to_owned() } else { format!("{} of {outer}", self.at) };
        Self { at, ..self }
    }

    /// `, not a string`
    pub(super) fn words(&self) -> String {
        if self.at.is_empty() { format!("not {}", self.found) } else { format!("and {} is {}", self.at, self.found) }
    }
}
