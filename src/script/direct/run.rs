//! Doing it.

use super::value::{Event, Value, decimal};
use super::{Direct, Form, Operator, Step, Thing};
use rhai::{Dynamic, Identifier, Map};
use rust_decimal::Decimal;

/// What a script sees beside what it is about.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Sight<'s> {
    pub(in super::super) event: Event<'s>,
    pub(in super::super) meta: Option<&'s Map>,
    pub(in super::super) version: i64,
    /// The key of a row, and whether there was one.
    pub(in super::super) key: Option<&'s Dynamic>,
    pub(in super::super) exists: bool,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Done {
    /// All of it.
    Yes,
    /// All of it, and the row is to go.
    Deleted,
}

/// What a script is about and may change: the members of a state or a row, by name.
pub(in super::super) trait Own {
    /// A member.
    fn get(&self, name: &str) -> Option<&Dynamic>;
    /// The same, to be changed.
    fn get_mut(&mut self, name: &str) -> Option<&mut Dynamic>;
}

impl Own for Map {
    fn get(&self, name: &str) -> Option<&Dynamic> {
        self.get(name)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Dynamic> {
        self.get_mut(name)
    }
}

/// What was there before a member was set.
enum Before {
    Value(Dynamic),
    Decimal(Decimal),
}

struct Run<'r> {
    sight: Sight<'r>,
    locals: Vec<Value>,
    before: Kept<'r>,
    deleted: bool,
}

/// What was there before, in order: most scripts set one member, which takes no allocation.
#[derive(Default)]
struct Kept<'r> {
    first: Option<(&'r Identifier, Before)>,
    others: Vec<(&'r Identifier, Before)>,
}

impl<'r> Kept<'r> {
    fn push(&mut self, name: &'r Identifier, before: Before) {
        match self.first {
            None => self.first = Some((name, before)),
            Some(_) => self.others.push((name, before)),
        }
    }

    /// The last one first.
    fn backwards(self) -> impl Iterator<Item = (&'r Identifier, Before)> {
        self.others.into_iter().rev().chain(self.first)
    }
}

impl Sight<'_> {
    /// Of nothing.
    pub(in super::super) const NONE: Self =
        Sight { event: Event::None, meta: None, version: 0, key: None, exists: false };
}

impl Direct {
    /// Does it on a state or a row. `None`: the engine is to do it; `own` is as it was.
    ///
    /// `fits` says whether what came out may stay.
    pub(in super::super) fn act<O: Own>(
        &self,
        own: &mut O,
        sight: Sight<'_>,
        fits: impl FnOnce(&mut O) -> bool,
    ) -> Option<Done> {
        let mut run = Run { sight, locals: vec![Value::Unit; self.locals], before: Kept::default(), deleted: false };
        let said = run.steps(&self.steps, own).is_some()
            && self.answer.as_ref().is_none_or(|answer| run.value(answer, own).is_some());
        if said && fits(own) {
            return self.learn(Some(if run.deleted { Done::Deleted } else { Done::Yes }));
        }
        for (name, before) in run.before.backwards() {
            if let Some(member) = own.get_mut(name) {
                *member = match before {
                    Before::Value(value) => value,
                    Before::Decimal(number) => Dynamic::from_decimal(number),
                };
            }
        }
        self.learn(None)
    }

    /// What it says of a state or a row, or of an event alone. `None`: the engine is to say it.
    pub(in super::super) fn answer(&self, own: &Map, sight: Sight<'_>) -> Option<Value> {
        let mut run = Run { sight, locals: vec![Value::Unit; self.locals], before: Kept::default(), deleted: false };
        let mut answer = || {
            for step in &self.steps {
                let Step::Keep(place, form) = step else { return None };
                run.locals[*place] = run.value(form, own)?;
            }
            run.value(self.answer.as_ref()?, own)
        };
        self.learn(answer())
    }
}

impl<'r> Run<'r> {
    fn steps(&mut self, steps: &'r [Step], own: &mut impl Own) -> Option<()> {
        for step in steps {
            match step {
                Step::Set(name, operator, form) => self.set(name, *operator, form, own)?,
                Step::Keep(place, form) => self.locals[*place] = self.value(form, own)?,
                Step::Choose(condition, yes, no) => {
                    let chosen = if self.value(condition, own)?.truth()? { yes } else { no };
                    self.steps(chosen, own)?;
                }
                Step::Delete => self.deleted = true,
            }
        }
        Some(())
    }

    fn set(
        &mut self,
        name: &'r Identifier,
        operator: Option<Operator>,
        form: &'r Form,
        own: &mut impl Own,
    ) -> Option<()> {
        let Some(operator) = operator else {
            let value = match form {
                Form::Member(thing, from) => self.any(*thing, from, own)?,
                form => self.value(form, own)?.into_dynamic(),
            };
            let before = std::mem::replace(own.get_mut(name)?, value);
            self.before.push(name, Before::Value(before));
            return Some(());
        };
        let value = self.value(form, own)?;
        let member = own.get_mut(name)?;
        if let Ok(left) = member.as_decimal() {
            // In its place: a decimal of its own would be another allocation.
            let right = match value {
                Value::Decimal(right) => right,
                Value::Integer(right) => right.into(),
                _ => return None,
            };
            *member.write_lock::<Decimal>()? = decimal(operator, left, right)?;
            self.before.push(name, Before::Decimal(left));
            return Some(());
        }
        let after = Value::computed(operator, &Value::of(member)?, &value)?;
        let before = std::mem::replace(member, after.into_dynamic());
        self.before.push(name, Before::Value(before));
        Some(())
    }

    fn value(&mut self, form: &Form, own: &impl Own) -> Option<Value> {
        match form {
            Form::Constant(value) => Some(value.clone()),
            Form::Member(Thing::Own, name) => Value::of(own.get(name)?),
            Form::Member(Thing::Event, name) => self.sight.event.plain(name),
            Form::Member(Thing::Meta, name) => Value::of(self.sight.meta?.get(name)?),
            Form::Version => Some(Value::Integer(self.sight.version)),
            Form::Key => Value::of(self.sight.key?),
            Form::Exists => Some(Value::Boolean(self.sight.exists)),
            Form::Local(place) => self.locals.get(*place).cloned(),
            Form::With(place, both) => {
                let (value, form) = &**both;
                self.locals[*place] = self.value(value, own)?;
                self.value(form, own)
            }
            Form::Computed(operator, both) => {
                let (left, right) = &**both;
                Value::computed(*operator, &self.value(left, own)?, &self.value(right, own)?)
            }
            Form::Negative(form) => self.value(form, own)?.negative(),
            Form::Not(form) => Some(Value::Boolean(!self.value(form, own)?.truth()?)),
            Form::All(forms) => self.until(false, forms, own),
            Form::Any(forms) => self.until(true, forms, own),
        }
    }

    /// Asks one after the other, up to the first that says so.
    fn until(&mut self, end: bool, forms: &[Form], own: &impl Own) -> Option<Value> {
        for form in forms {
            if self.value(form, own)?.truth()? == end {
                return Some(Value::Boolean(end));
            }
        }
        Some(Value::Boolean(!end))
    }

    fn any(&self, thing: Thing, name: &str, own: &impl Own) -> Option<Dynamic> {
        match thing {
            Thing::Own => own.get(name).cloned(),
            Thing::Event => self.sight.event.any(name),
            Thing::Meta => self.sight.meta?.get(name).cloned(),
        }
    }
}
