//! The functions that every script may call: on what they work, and what they give.

use super::Kind;
use super::reader::Reader;
use rhai::Position;
use std::ops::RangeInclusive;

/// What a function gives.
#[derive(Clone, Copy)]
enum Gives {
    /// Nothing can be said.
    Any,
    Nothing,
    Boolean,
    Integer,
    Decimal,
    Text,
    /// A list of texts.
    Texts,
    /// An item of it, or `()`.
    Item,
    /// A list of its items.
    Items,
    /// What its second argument, a function, gives for its items, as a list.
    Mapped,
    /// As it was called on, if that is a number.
    Number,
}

use Gives as G;

/// A function: its name, on what it works (`T`ext, `L`ist, `M`ap, `N`umber, `R`ange), how many arguments it takes with
/// that, and what it gives.
type Signature = (&'static str, &'static str, RangeInclusive<usize>, Gives);

#[rustfmt::skip]
const SIGNATURES: &[Signature] = &[
    ("abs", "N", 1..=1, G::Number), ("sign", "N", 1..=1, G::Integer), ("is_zero", "N", 1..=1, G::Boolean),
    ("is_odd", "N", 1..=1, G::Boolean), ("is_even", "N", 1..=1, G::Boolean), ("max", "NT", 2..=2, G::Any),
    ("min", "NT", 2..=2, G::Any), ("to_hex", "N", 1..=1, G::Text), ("to_octal", "N", 1..=1, G::Text),
    ("to_binary", "N", 1..=1, G::Text), ("append", "TLM", 2..=2, G::Nothing), ("chars", "T", 1..=3, G::Any),
    ("clear", "TLM", 1..=1, G::Nothing), ("contains", "TLMR", 2..=2, G::Boolean), ("crop", "T", 2..=3, G::Nothing),
    ("ends_with", "T", 2..=2, G::Boolean), ("index_of", "TL", 2..=3, G::Integer), ("is_empty", "TLMR", 1..=1, G::Boolean),
    ("len", "TLM", 1..=1, G::Integer), ("make_lower", "T", 1..=1, G::Nothing), ("make_upper", "T", 1..=1, G::Nothing),
    ("pad", "TL", 3..=3, G::Nothing), ("pop", "TL", 1..=2, G::Item), ("remove", "TLM", 2..=2, G::Any),
    ("replace", "T", 3..=3, G::Nothing), ("split", "TL", 1..=3, G::Texts), ("split_rev", "T", 2..=3, G::Texts),
    ("starts_with", "T", 2..=2, G::Boolean), ("sub_string", "T", 2..=3, G::Text), ("to_chars", "T", 1..=1, G::Texts),
    ("to_lower", "T", 1..=1, G::Text), ("to_upper", "T", 1..=1, G::Text), ("trim", "T", 1..=1, G::Nothing),
    ("truncate", "TL", 2..=2, G::Nothing), ("all", "L", 2..=2, G::Boolean), ("chop", "L", 2..=2, G::Nothing),
    ("dedup", "L", 1..=2, G::Nothing), ("drain", "LM", 2..=3, G::Any), ("extract", "L", 2..=3, G::Items),
    ("filter", "LM", 2..=2, G::Items), ("find", "L", 2..=3, G::Item), ("find_map", "L", 2..=3, G::Any),
    ("insert", "L", 3..=3, G::Nothing), ("map", "LM", 2..=2, G::Mapped), ("order", "L", 1..=2, G::Items),
    ("order_by", "L", 2..=2, G::Items), ("order_desc", "L", 1..=1, G::Items), ("push", "L", 2..=2, G::Nothing),
    ("reduce", "L", 2..=3, G::Any), ("reduce_rev", "L", 2..=3, G::Any), ("retain", "LM", 2..=3, G::Any),
    ("reverse", "L", 1..=1, G::Nothing), ("shift", "L", 1..=1, G::Item), ("some", "L", 2..=2, G::Boolean),
    ("sort", "L", 1..=2, G::Nothing), ("sort_by", "L", 2..=2, G::Nothing), ("sort_desc", "L", 1..=1, G::Nothing),
    ("splice", "L", 3..=4, G::Nothing), ("zip", "L", 2..=3, G::Any), ("fill_with", "M", 2..=2, G::Nothing),
    ("keys", "M", 1..=1, G::Texts), ("mixin", "M", 2..=2, G::Nothing), ("values", "M", 1..=1, G::Items),
    ("set", "TLM", 3..=3, G::Nothing), ("to_string", "", 1..=1, G::Text), ("to_debug", "", 1..=1, G::Text),
    ("get", "TLM", 2..=3, G::Any), ("round", "N", 2..=3, G::Decimal), ("floor", "N", 1..=1, G::Number),
    ("ceiling", "N", 1..=1, G::Number), ("to_int", "NT", 1..=1, G::Integer), ("to_decimal", "N", 1..=1, G::Decimal),
    ("parse_int", "T", 1..=1, G::Integer), ("parse_decimal", "T", 1..=1, G::Decimal),
    ("days_between", "T", 2..=2, G::Integer), ("add_days", "T", 2..=2, G::Text), ("add_months", "T", 2..=2, G::Text),
    ("seconds_between", "T", 2..=2, G::Integer), ("add_seconds", "T", 2..=2, G::Text),
    ("is_before", "T", 2..=2, G::Boolean), ("is_after", "T", 2..=2, G::Boolean), ("date_of", "T", 1..=1, G::Text),
    ("year", "T", 1..=1, G::Integer), ("month", "T", 1..=1, G::Integer), ("day", "T", 1..=1, G::Integer),
    ("weekday", "T", 1..=1, G::Integer), ("type_of", "", 1..=1, G::Text), ("print", "", 1..=1, G::Nothing),
    ("debug", "", 1..=1, G::Nothing),
];

/// The second argument of these must be a text, or a number; on what they work, if not always.
#[rustfmt::skip]
const SECOND: &[(&str, &str, Kind)] = &[
    ("days_between", "", Kind::Text), ("seconds_between", "", Kind::Text), ("is_before", "", Kind::Text),
    ("is_after", "", Kind::Text), ("starts_with", "", Kind::Text), ("ends_with", "", Kind::Text),
    ("add_days", "", Kind::Integer), ("add_months", "", Kind::Integer), ("add_seconds", "", Kind::Integer),
    ("round", "", Kind::Integer), ("contains", "TM", Kind::Text), ("index_of", "T", Kind::Text),
    ("remove", "TM", Kind::Text), ("remove", "L", Kind::Integer), ("replace", "T", Kind::Text),
    ("truncate", "TL", Kind::Integer), ("pad", "TL", Kind::Integer), ("insert", "L", Kind::Integer),
    ("chop", "L", Kind::Integer), ("set", "TL", Kind::Integer), ("set", "M", Kind::Text),
];

/// Whether a function works on everything, `()` among it.
pub(super) fn takes_anything(name: &str) -> bool {
    SIGNATURES.iter().any(|(known, works_on, ..)| *known == name && works_on.is_empty())
}

/// Whether there is a signature of that name.
#[cfg(test)]
pub(super) fn knows(name: &str) -> bool {
    SIGNATURES.iter().any(|(known, ..)| *known == name)
}

impl Reader<'_> {
    /// Calls a function that every script may call. What it is called on comes first.
    pub(super) fn packaged(&mut self, name: &str, given: &[Kind], position: Position) -> Kind {
        let Some((_, works_on, takes, result)) = SIGNATURES.iter().find(|(known, ..)| *known == name) else {
            self.unknown_arguments(given);
            return Kind::Any;
        };
        let Some(on) = given.first() else {
            let place = self.place(position);
            self.error("arguments", format!("`{name}` needs something to work on"), place);
            return Kind::Any;
        };
        if !takes.contains(&given.len()) {
            let place = self.place(position);
            self.error("arguments", arguments(name, takes, " with what it works on", given.len()), place);
            return Kind::Any;
        }
        let on = on.present();
        let sort = match on {
            Kind::Text => 'T',
            Kind::List(_) => 'L',
            Kind::Map(_) | Kind::Open(_) | Kind::Record(_) => 'M',
            Kind::Integer | Kind::Decimal | Kind::Number => 'N',
            Kind::Range => 'R',
            Kind::Any | Kind::Never | Kind::Closure(..) => '?',
            _ => '-',
        };
        if !works_on.is_empty() && sort != '?' && !works_on.contains(sort) {
            let place = self.place(position);
            self.error("kind", format!("`{name}` does not work on {}", on.name()), place);
            return Kind::Any;
        }
        let second = SECOND.iter().find(|(known, on, _)| *known == name && (on.is_empty() || on.contains(sort)));
        if let (Some((.., wanted)), Some(second)) = (second, given.get(1)) {
            let second = second.present();
            let wrong = match wanted {
                Kind::Integer => second.excludes(wanted) || *second == Kind::Decimal || *second == Kind::Nothing,
                _ => second.excludes(wanted) || *second == Kind::Nothing,
            };
            if wrong {
                let place = self.place(position);
                let message = format!("the second argument of `{name}` is {}, not {}", wanted.name(), second.name());
                self.error("kind", message, place);
            }
        }
        let item = match on {
            Kind::List(of) | Kind::Open(of) => (**of).clone(),
            Kind::Map(members) => members.values().fold(Kind::Never, |all, member| all.join(member)),
            Kind::Text => Kind::Text,
            _ => Kind::Any,
        };
        let item = if item == Kind::Never { Kind::Any } else { item };
        let called = match given.get(1) {
            Some(closure @ Kind::Closure(..)) if matches!(on, Kind::List(_)) && !name.starts_with("reduce") => {
                self.call_closure(closure, std::slice::from_ref(&item))
            }
            _ => Kind::Any,
        };
        match result {
            G::Any if name == "get" && given.len() == 3 => match on {
                // What nothing is ever put into gives the third argument.
                Kind::Open(of) => of.join(&given[2]),
                Kind::Map(_) => item.join(&given[2]),
                _ => Kind::Any,
            },
            G::Any if matches!(name, "max" | "min") && on.is_number() && given[1].is_number() => on.join(&given[1]),
            G::Nothing => Kind::Nothing,
            G::Boolean => Kind::Boolean,
            G::Integer => Kind::Integer,
            G::Decimal => Kind::Decimal,
            G::Text => Kind::Text,
            G::Texts => Kind::list(Kind::Text),
            G::Item if given.len() == 1 || name == "find" => item.maybe(),
            G::Items => match on {
                Kind::List(_) => on.clone(),
                _ if name == "values" => Kind::list(item),
                _ => Kind::Any,
            },
            G::Mapped if matches!(on, Kind::List(_)) => Kind::list(called),
            G::Any | G::Item | G::Mapped => Kind::Any,
            G::Number => {
                if on.is_number() {
                    on.clone()
                } else {
                    Kind::Any
                }
            }
        }
    }

    /// Functions that are handed to something unknown are gone through all the same.
    fn unknown_arguments(&mut self, given: &[Kind]) {
        for closure in given.iter().filter(|kind| matches!(kind, Kind::Closure(..))) {
            self.call_closure(closure, &[]);
        }
    }
}

/// How many arguments there are to be, `counted` saying what is among them.
pub(super) fn arguments(name: &str, takes: &RangeInclusive<usize>, counted: &str, given: usize) -> String {
    let (least, most) = (*takes.start(), *takes.end());
    let count = if least == most { least.to_string() } else { format!("{least} to {most}") };
    let plural = if count == "1" { "argument" } else { "arguments" };
    format!("`{name}` takes {count} {plural}{counted}, not {given}")
}
