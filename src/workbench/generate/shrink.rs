//! A failing sequence made as short and as plain as it can be while the same law breaks at the same place.

use super::stage::{Played, Stage};
use super::{Breach, Step};
use crate::domain::Domains;
use crate::domain::fields::{Fields, Type};
use crate::event::{StreamName, Time};
use crate::json::{Object, Value};
use crate::script::fault::PAST_LIMIT;
use crate::workbench::Error;
use rust_decimal::Decimal;
use std::rc::Rc;

/// The most sequences that are tried.
const MOST: u64 = 3_000;
/// From here on nobody reads a number to its end.
const LARGE: Decimal = Decimal::from_parts(2_808_348_672, 232_830_643, 0, false, 0);
/// One that ends with a script that took too long counts as so many: each takes as long as a script may.
const SLOW: u64 = 100;

/// The shortest sequence that was found, and what it breaks.
pub(super) struct Shrunk {
    pub(super) steps: Vec<Step>,
    pub(super) breach: Breach,
}

/// Sends a sequence to a store of its own. The first thing that breaks, with the number of commands it took and whether each of
/// them was accepted.
fn replay(domains: &Rc<Domains>, steps: &[Step]) -> Result<Option<(usize, Vec<bool>, Breach)>, Error> {
    let mut stage = Stage::new(domains);
    let mut accepted = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        match stage.play(step)? {
            Played::Broke(breach) => return Ok(Some((index + 1, accepted, breach))),
            Played::Accepted(..) => accepted.push(true),
            Played::Rejected(_) => accepted.push(false),
        }
    }
    Ok(stage.finish()?.err().map(|breach| (steps.len(), accepted, breach)))
}

/// Makes a sequence shorter and its values plainer.
pub(super) fn shrink(domains: &Rc<Domains>, steps: Vec<Step>, breach: Breach) -> Result<Shrunk, Error> {
    let mut shrinking = Shrinking { domains, steps, breach, left: MOST };
    loop {
        let before = shrinking.steps.clone();
        shrinking.drop_steps()?;
        shrinking.drop_times()?;
        shrinking.simplify()?;
        shrinking.rename()?;
        if shrinking.steps == before || shrinking.left == 0 {
            break;
        }
    }
    shrinking.drop_rejected()?;
    Ok(Shrunk { steps: shrinking.steps, breach: shrinking.breach })
}

struct Shrinking<'d> {
    domains: &'d Rc<Domains>,
    steps: Vec<Step>,
    breach: Breach,
    left: u64,
}

impl Shrinking<'_> {
    /// Takes this sequence instead if the same breaks.
    fn try_out(&mut self, mut steps: Vec<Step>) -> Result<bool, Error> {
        if self.left == 0 || steps == self.steps {
            return Ok(false);
        }
        let tried = replay(self.domains, &steps)?;
        let slow = tried.as_ref().is_some_and(|(.., breach)| breach.problem.message.starts_with(PAST_LIMIT));
        self.left = self.left.saturating_sub(if slow { SLOW } else { 1 });
        match tried {
            Some((taken, _, breach)) if breach.law == self.breach.law && breach.mark == self.breach.mark => {
                steps.truncate(taken);
                self.steps = steps;
                self.breach = breach;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Without whole stretches first, then without single commands.
    fn drop_steps(&mut self) -> Result<(), Error> {
        let mut size = self.steps.len() / 2;
        while size > 0 {
            let mut end = self.steps.len();
            while end >= size {
                let mut fewer = self.steps.clone();
                fewer.drain(end - size..end);
                self.try_out(fewer)?;
                end = (end - 1).min(self.steps.len());
            }
            size /= 2;
        }
        Ok(())
    }

    /// Commands that are rejected cannot be given in a scenario, and change nothing.
    fn drop_rejected(&mut self) -> Result<(), Error> {
        if let Some((_, accepted, _)) = replay(self.domains, &self.steps)? {
            let all = self.steps.iter().enumerate();
            let kept = all.filter(|(at, _)| accepted.get(*at).copied().unwrap_or(true)).map(|(_, step)| step.clone());
            self.left += 1;
            self.try_out(kept.collect())?;
        }
        Ok(())
    }

    /// All at once, at the beginning of time; or each at the time of the one before.
    fn drop_times(&mut self) -> Result<(), Error> {
        let at = |steps: &[Step], times: &dyn Fn(usize) -> Time| -> Vec<Step> {
            steps.iter().enumerate().map(|(index, step)| Step { at: times(index), ..step.clone() }).collect()
        };
        if self.try_out(at(&self.steps, &|_| Time::default()))? {
            return Ok(());
        }
        for index in 0..self.steps.len() {
            let before = index.checked_sub(1).map_or(Time::default(), |before| self.steps[before].at);
            let own = self.steps[index].at;
            // What follows keeps its distance from it.
            let earlier = own.micros() - before.micros();
            let times: Vec<Time> = (self.steps.iter().enumerate())
                .map(|(at, step)| {
                    if at < index { step.at } else { Time::from_micros(step.at.micros() - earlier).unwrap_or(step.at) }
                })
                .collect();
            self.try_out(at(&self.steps, &|at| times[at]))?;
            // The beginning of a day, or of an hour, if that is not before what precedes it.
            for unit in [86_400_000_000, 3_600_000_000, 60_000_000] {
                let own = self.steps[index].at.micros();
                let round = own - own.rem_euclid(unit);
                if round >= before.micros()
                    && let Ok(round) = Time::from_micros(round)
                    && self.try_out(at(&self.steps, &|at| if at == index { round } else { self.steps[at].at }))?
                {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Plainer values, as long as there are any: the last command first, for it is the one that fails.
    fn simplify(&mut self) -> Result<(), Error> {
        let mut index = self.steps.len();
        while index > 0 {
            index = (index - 1).min(self.steps.len() - 1);
            while self.simplify_step(index)? {}
        }
        Ok(())
    }

    fn simplify_step(&mut self, index: usize) -> Result<bool, Error> {
        let Some(step) = self.steps.get(index).cloned() else { return Ok(false) };
        let domains = Rc::clone(self.domains);
        let fields = domains.aggregate(step.stream.aggregate()).and_then(|of| of.commands.get(step.command.as_str()));
        let Some(fields) = fields.map(|command| &command.fields) else { return Ok(false) };
        for data in plainer_object(fields, &step.data) {
            // Compared as typed: what is only written otherwise is no step further.
            if let Ok(data) = fields.accept(data)
                && data != step.data
            {
                let mut steps = self.steps.clone();
                steps[index] = Step { data, ..step.clone() };
                if self.try_out(steps)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The streams are 1, 2, 3 … in the order in which they come.
    fn rename(&mut self) -> Result<(), Error> {
        let mut seen: Vec<String> = Vec::new();
        for step in &self.steps {
            if !seen.iter().any(|id| id == step.stream.id()) {
                seen.push(step.stream.id().to_owned());
            }
        }
        let renamed = |id: &str| seen.iter().position(|known| known == id).map(|at| (at + 1).to_string());
        let steps = self.steps.iter().map(|step| {
            let stream = renamed(step.stream.id())
                .and_then(|id| StreamName::new(&format!("{}/{id}", step.stream.aggregate())).ok())
                .unwrap_or_else(|| step.stream.clone());
            // What named one of them names it still.
            let data = step.data.iter().map(|(name, value)| match value.as_text().and_then(renamed) {
                Some(id) => (name.clone(), Value::Text(id)),
                None => (name.clone(), value.clone()),
            });
            Step { stream, data: data.collect(), ..step.clone() }
        });
        let steps: Vec<Step> = steps.collect();
        let fits = steps.iter().all(|step| {
            let of = self.domains.aggregate(step.stream.aggregate());
            let command = of.and_then(|of| of.commands.get(step.command.as_str()));
            command.is_some_and(|command| command.fields.accept(step.data.clone()).is_ok())
        });
        if fits { self.try_out(steps).map(|_| ()) } else { Ok(()) }
    }
}

/// Objects that are plainer in one of their fields; the plainest first.
fn plainer_object(fields: &Fields, object: &Object) -> Vec<Object> {
    let mut all = Vec::new();
    for field in fields {
        let Some(value) = object.get(&field.name) else { continue };
        if field.optional {
            let mut without = object.clone();
            without.shift_remove(&field.name);
            all.push(without);
        }
        for value in plainer(&field.kind, value) {
            let mut with = object.clone();
            with.insert(field.name.clone(), value);
            all.push(with);
        }
    }
    all
}

/// Values of a type that are plainer than one; the plainest first. Some of them may not fit.
fn plainer(kind: &Type, value: &Value) -> Vec<Value> {
    match (kind, value) {
        (Type::OneOf(members), value) => members.iter().take_while(|member| !member.same(value)).cloned().collect(),
        (Type::Object(fields), Value::Object(object)) => {
            plainer_object(fields, object).into_iter().map(Value::Object).collect()
        }
        (Type::List(rules), Value::List(items)) => plainer_list(&rules.items, items),
        (Type::Any, value) if *value != Value::Null => std::iter::once(Value::Null).chain(plainer_any(value)).collect(),
        (_, Value::Bool(true)) => vec![Value::Bool(false)],
        (_, Value::Integer(number)) => plainer_numbers((*number).into())
            .into_iter()
            .filter_map(|n| i64::try_from(n).ok())
            .map(Value::Integer)
            .collect(),
        (_, Value::Decimal(number)) => plainer_numbers(*number).into_iter().map(Value::Decimal).collect(),
        (_, Value::Text(text)) => plainer_texts(text).into_iter().map(Value::Text).collect(),
        _ => Vec::new(),
    }
}

/// Values that are plainer than one of no certain type.
fn plainer_any(value: &Value) -> Vec<Value> {
    match value {
        Value::List(items) => plainer_list(&Type::Any, items),
        Value::Object(object) => {
            let without = |key: &String| {
                let mut rest = object.clone();
                rest.shift_remove(key);
                Value::Object(rest)
            };
            object.keys().map(without).collect()
        }
        Value::Integer(_) => plainer(&Type::integer(), value),
        Value::Decimal(_) => plainer(&Type::decimal(), value),
        Value::Text(_) => plainer(&Type::text(), value),
        Value::Null | Value::Bool(_) => Vec::new(),
    }
}

fn plainer_list(of: &Type, items: &[Value]) -> Vec<Value> {
    let mut all = Vec::new();
    if !items.is_empty() {
        all.push(Value::List(Vec::new()));
    }
    for at in 0..items.len() {
        let mut without = items.to_vec();
        without.remove(at);
        all.push(Value::List(without));
    }
    for (at, item) in items.iter().enumerate() {
        for plain in plainer(of, item) {
            let mut with = items.to_vec();
            with[at] = plain;
            all.push(Value::List(with));
        }
    }
    all
}

/// Fewer digits after the point are plainer, then what is nearer to nothing.
fn plainer_numbers(number: Decimal) -> Vec<Decimal> {
    // The largest numbers are plainer than others that nobody reads to their end.
    let edges = [i64::MAX.into(), i64::MIN.into(), Decimal::MAX, Decimal::MIN];
    let measure = |number: &Decimal| {
        let size = if edges.contains(number) { LARGE } else { number.abs() };
        (number.scale(), size, number.is_sign_negative() && !number.is_zero())
    };
    let unit = Decimal::new(1, number.scale());
    let (one, two) = (Decimal::ONE, Decimal::TWO);
    let half = number.checked_div(two).map(|half| half.trunc_with_scale(number.scale()));
    let nearer = if number.is_sign_negative() { number.checked_add(unit) } else { number.checked_sub(unit) };
    let shorter = number.scale().checked_sub(1).map(|scale| number.trunc_with_scale(scale));
    let candidates = [
        Some(Decimal::ZERO),
        Some(one),
        Some(-one),
        Some(number.normalize()),
        Some(number.trunc()),
        shorter,
        Some(-number),
        half,
    ];
    let mut plainer: Vec<Decimal> = Vec::new();
    let edges = edges.into_iter().filter(|_| number.abs() > LARGE);
    for candidate in candidates.into_iter().flatten().chain(edges).chain(nearer) {
        if measure(&candidate) < measure(&number) && !plainer.contains(&candidate) {
            plainer.push(candidate);
        }
    }
    plainer
}

/// Shorter texts are plainer, then those that sort before.
fn plainer_texts(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let length = characters.len();
    let of = |characters: &[char]| characters.iter().collect::<String>();
    let mut candidates = vec![
        String::new(),
        "1".to_owned(),
        "a".to_owned(),
        "1970-01-01".to_owned(),
        "1970-01-01T00:00:00Z".to_owned(),
        "00000000-0000-0000-0000-000000000000".to_owned(),
        of(&characters[..length / 2]),
        of(&characters[length / 2..]),
    ];
    if length > 0 {
        candidates.push(of(&characters[..length - 1]));
        candidates.push(of(&characters[1..]));
    }
    // All digits and letters alike, for those whose form is given.
    candidates.push(characters.iter().map(|c| plain(*c)).collect());
    let measure = |text: &str| (text.chars().count(), text.to_owned());
    let mut plainer: Vec<String> = Vec::new();
    for candidate in candidates {
        if measure(&candidate) < measure(text) && !plainer.contains(&candidate) {
            plainer.push(candidate);
        }
    }
    plainer
}

fn plain(c: char) -> char {
    match c {
        '0'..='9' => '0',
        'A'..='Z' => 'A',
        'a'..='z' => 'a',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lose_their_fraction_first() {
        let of = |text: &str| -> Vec<String> {
            plainer_numbers(Decimal::from_str_exact(text).unwrap()).iter().map(Decimal::to_string).collect()
        };
        assert_eq!(of("12.57"), ["0", "1", "-1", "12", "12.5", "6.28", "12.56"]);
        assert_eq!(of("-7"), ["0", "1", "-1", "7", "-3", "-6"]);
        assert_eq!(of("0.01"), ["0", "1", "-1"]);
        assert_eq!(of("0"), [] as [&str; 0]);
        assert_eq!(LARGE.to_string(), "1000000000000000000");
        assert_eq!(
            of("9223372036854775301")[4..],
            [
                "9223372036854775807",
                "-9223372036854775808",
                "79228162514264337593543950335",
                "-79228162514264337593543950335",
                "9223372036854775300"
            ]
        );
        assert!(!of("9223372036854775807").contains(&"-9223372036854775808".to_owned()));
    }

    #[test]
    fn every_plainer_text_is_shorter_or_sorts_before() {
        assert_eq!(plainer_texts("b"), ["", "1", "a"]);
        assert_eq!(plainer_texts(""), [] as [&str; 0]);
        assert_eq!(plainer_texts("FR75"), ["", "1", "a", "FR", "75", "FR7", "R75", "AA00"]);
    }
}
