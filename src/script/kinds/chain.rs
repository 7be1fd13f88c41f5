//! `event.lines[0].sku`, `state.items.push(…)`, `row.sum += 1`: reading and changing what is within something.

use super::Kind;
use super::calls::takes_anything;
use super::forms::{catches, constant, ends_with_item, root};
use super::reader::Reader;
use crate::diagnostic::suggest;
use crate::script::functions::CHANGING;
use rhai::{ASTFlags, BinaryExpr, Expr, OpAssignment, Position};
use std::rc::Rc;

/// Names that texts, lists and numbers know after a dot though they are no fields.
const GETTERS: &[&str] =
    &["len", "is_empty", "start", "end", "is_odd", "is_even", "is_zero", "chars", "bytes", "name", "tag", "bits"];

/// One step into something.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Field(String),
    Item,
}

/// What a chain has come to: what it began with, and the steps from there, as long as they can be followed back.
struct Path {
    root: Option<String>,
    steps: Vec<Step>,
}

impl Reader<'_> {
    /// Reads a chain.
    pub(super) fn chain(&mut self, expression: &Expr) -> Kind {
        self.walk(expression, false).0
    }

    /// Goes through a chain. To write, the last step need not be there yet.
    fn walk(&mut self, expression: &Expr, writes: bool) -> (Kind, Path) {
        let (pair, flags, dotted) = match expression {
            Expr::Dot(pair, flags, _) => (pair, *flags, true),
            Expr::Index(pair, flags, _) => (pair, *flags, false),
            Expr::Variable(variable, ..) => {
                let name = variable.1.to_string();
                return (self.variable(&name), Path { root: Some(name), steps: Vec::new() });
            }
            other => return (self.expression(other), Path { root: None, steps: Vec::new() }),
        };
        let (mut kind, mut path) = self.walk(&pair.lhs, false);
        let (mut rhs, mut flags, mut dotted) = (&pair.rhs, flags, dotted);
        loop {
            // In `a.b.c` the tree has `a` and (`b` and `c`); in `a[b.c]` the index is a chain of its own.
            let (step, rest) = match rhs {
                Expr::Dot(next, next_flags, _) if dotted || !flags.contains(ASTFlags::BREAK) => {
                    (&next.lhs, Some((&next.rhs, *next_flags, true)))
                }
                Expr::Index(next, next_flags, _) if dotted || !flags.contains(ASTFlags::BREAK) => {
                    (&next.lhs, Some((&next.rhs, *next_flags, false)))
                }
                last => (last, None),
            };
            // `?.` and `?[` give `()` where there is nothing.
            let careful = flags.contains(ASTFlags::NEGATED) && matches!(kind, Kind::Maybe(_) | Kind::Nothing);
            if careful && kind == Kind::Nothing {
                return (Kind::Nothing, Path { root: None, steps: Vec::new() });
            }
            let base = match kind {
                Kind::Nothing if self.asks(&path) => Kind::Any,
                kind if careful => kind.present().clone(),
                kind => kind,
            };
            kind = match (dotted, step) {
                (true, Expr::Property(property, position)) => {
                    path.steps.push(Step::Field(property.2.to_string()));
                    let last = writes && rest.is_none();
                    if last {
                        self.new_key(&path, *position);
                    }
                    self.property(&base, property.2.as_str(), *position, false, last)
                }
                (true, Expr::MethodCall(call, position)) => {
                    let name = call.name.as_str();
                    self.in_use(&pair.lhs, &call.args, name, *position);
                    self.may_be_called(&path, &base, name, &pair.lhs);
                    let before = self.complaints;
                    let given: Vec<Kind> = call.args.iter().map(|argument| self.expression(argument)).collect();
                    if self.complaints == before {
                        self.change_by_method(&path, &base, name, &given);
                    }
                    path.root = None;
                    let given: Vec<Kind> = std::iter::once(base).chain(given).collect();
                    self.packaged(name, &given, *position)
                }
                (false, index) => {
                    let last = writes && rest.is_none();
                    self.index(&base, index, &mut path, last)
                }
                (true, other) => {
                    path.root = None;
                    self.expression(other)
                }
            };
            if careful {
                kind = kind.maybe();
            }
            match rest {
                Some(next) => (rhs, flags, dotted) = next,
                None => return (kind, path),
            }
        }
    }

    /// `map[key] ?? …`: a key that is missing is an error, not `()`.
    pub(super) fn never_absent(&mut self, item: &Expr, kind: &Kind) {
        if ends_with_item(item) && !matches!(kind, Kind::Maybe(_) | Kind::Nothing | Kind::Any | Kind::Never) {
            let place = self.beginning(item);
            self.warning(
                "never-absent",
                "this is never `()`: what is missing is an error, and `??` comes too late",
                place,
            )
            .hints
            .push("`get(map, key, default)` reads what may be missing".to_owned());
        }
    }

    /// While something within a variable is worked on, nobody else can look at the variable: not even a function
    /// without a name that catches it.
    fn in_use(&mut self, base: &Expr, given: &[Expr], name: &str, position: Position) {
        let Expr::Variable(variable, ..) = base else { return };
        let root = variable.1.as_str();
        if given.iter().any(|argument| catches(argument, root)) {
            let place = self.place(position);
            let message =
                format!("`{root}` is in use by `{name}`, and the function given to it reads `{root}` as well");
            self.error("in-use", message, place)
                .hints
                .push("take out first what that function reads: `let … = …`".to_owned());
        }
    }

    /// Whether the script asks somewhere whether something is `()`.
    fn asks(&self, path: &Path) -> bool {
        match (&path.root, &path.steps[..]) {
            (Some(root), []) => self.is_guarded(root, ""),
            (Some(root), [Step::Field(field)]) => self.is_guarded(root, field),
            _ => false,
        }
    }

    /// The kind of an expression; where it is `()` and the script asks for that, nothing is known.
    pub(super) fn asked(&mut self, expression: &Expr) -> Kind {
        let (kind, path) = self.walk(expression, false);
        if kind == Kind::Nothing && self.asks(&path) { Kind::Any } else { kind }
    }

    /// A method meets a field that may be absent, and nobody asks whether it is there.
    fn may_be_called(&mut self, path: &Path, base: &Kind, name: &str, at: &Expr) {
        let (Some(root), [Step::Field(field)], Kind::Maybe(_)) = (&path.root, &path.steps[..], base) else { return };
        let Kind::Record(record) = self.variable(root) else { return };
        if matches!(record.root, "event" | "command") && !self.is_guarded(root, field) && !takes_anything(name) {
            let place = self.beginning(at);
            self.warning("may-be-absent", format!("`{root}.{field}` may be absent, and then `{name}` fails"), place)
                .hints
                .push(format!("give it a value for that case: `({root}.{field} ?? …)`"));
        }
    }

    /// `base.name`
    fn property(&mut self, base: &Kind, name: &str, position: Position, quoted: bool, writes: bool) -> Kind {
        match base.present() {
            Kind::Record(record) => {
                if let Some(member) = record.member(name) {
                    return member.kind;
                }
                if !record.open {
                    let place = self.name_place(position, quoted);
                    self.no_field(&format!("`{}`", record.root), &record.owner, name, &record.names(), place);
                }
                Kind::Any
            }
            Kind::Map(members) => {
                if let Some(kind) = members.get(name) {
                    return kind.clone();
                }
                if !writes {
                    let known: Vec<String> = members.keys().cloned().collect();
                    let place = self.name_place(position, quoted);
                    self.no_field("this map", "it", name, &known, place);
                }
                Kind::Any
            }
            Kind::Open(of) => match &**of {
                Kind::Never => Kind::Any,
                of => of.clone(),
            },
            Kind::Any | Kind::Never => Kind::Any,
            other if GETTERS.contains(&name) && *other != Kind::Nothing => Kind::Any,
            other => {
                let place = self.name_place(position, quoted);
                self.error("kind", format!("{} has no field `{name}`", other.name()), place);
                Kind::Any
            }
        }
    }

    /// What is written to a map that is not there yet is made; where the state's first value has a key of nearly that
    /// name, hardly on purpose.
    fn new_key(&mut self, path: &Path, position: Position) {
        let (Some(root), [Step::Field(field), Step::Field(name)]) = (&path.root, &path.steps[..]) else { return };
        let Kind::Record(record) = self.variable(root) else { return };
        let Some(Kind::Map(members)) = record.first(field) else { return };
        if !members.contains_key(name)
            && let Some(near) = suggest(name, members.keys().map(String::as_str))
        {
            let place = self.place(position);
            let message = format!("`{field}` of {} has no `{name}` at first: it is made here", record.owner);
            self.warning("new-key", message, place).hints.push(format!("did you mean `{near}`?"));
        }
    }

    /// The name of a field without its quotes.
    fn name_place(&self, position: Position, quoted: bool) -> crate::diagnostic::Place {
        let mut place = self.place(position);
        if quoted && place.text().starts_with('"') && place.text().len() > 2 {
            place.start += 1;
            place.end -= 1;
        }
        place
    }

    /// `base[index]`
    fn index(&mut self, base: &Kind, index: &Expr, path: &mut Path, writes: bool) -> Kind {
        if let Expr::StringConstant(name, position) = index
            && matches!(base.present(), Kind::Record(_) | Kind::Map(_))
        {
            path.steps.push(Step::Field(name.to_string()));
            return self.property(base, name.as_str(), *position, true, writes);
        }
        path.steps.push(Step::Item);
        let by = self.expression(index);
        let by = by.present();
        let (wanted, kind) = match base.present() {
            Kind::List(of) => (Kind::Integer, (**of).clone()),
            Kind::Open(of) => (Kind::Text, (**of).clone()),
            Kind::Map(members) => (Kind::Text, members.values().fold(Kind::Never, |all, member| all.join(member))),
            Kind::Record(_) => (Kind::Text, Kind::Any),
            Kind::Text => (Kind::Integer, Kind::Text),
            Kind::Integer | Kind::Any | Kind::Never => return Kind::Any,
            other => {
                let place = self.beginning(index);
                self.error("kind", format!("{} has no items", other.name()), place);
                return Kind::Any;
            }
        };
        let fits = match wanted {
            Kind::Integer => matches!(by, Kind::Integer | Kind::Number | Kind::Range),
            _ => *by == wanted,
        };
        if !fits && !by.is_open_question() {
            let place = self.beginning(index);
            let (base, wanted) = (base.present().name(), wanted.name());
            self.error("kind", format!("an item of {base} is named by {wanted}, not by {}", by.name()), place);
        }
        if kind == Kind::Never { Kind::Any } else { kind }
    }

    /// `target = value`, `target += value`
    pub(super) fn assign(&mut self, assignment: &OpAssignment, pair: &BinaryExpr) {
        let operator = assignment.get_op_assignment_info().map(|(.., operator)| operator);
        let before = self.complaints;
        let given = self.expression(&pair.rhs);
        if let Some(name) = root(&pair.lhs) {
            self.make_own(name);
        }
        let (old, path) = self.walk(&pair.lhs, operator.is_none());
        let new = match operator {
            // A list takes in whatever it is given, a list item by item.
            Some("+") if matches!(old, Kind::List(_)) => match (&old, &given) {
                (_, Kind::List(_)) => old.join(&given),
                (Kind::List(of), _) => Kind::list(of.join(&given)),
                _ => Kind::Any,
            },
            Some(operator) => {
                self.may_be_absent(&pair.rhs, &given, operator);
                self.may_be_zero(&pair.rhs, operator);
                self.binary(operator, &old, &given, assignment.position())
            }
            None => given.clone(),
        };
        let new = self.unless_told(before, new);
        self.fits(&path, &new, &pair.rhs, operator.is_none());
        self.put(&path, &new, operator.is_none());
    }

    /// What a script has a copy of, as after `let item = command`, is its own once it writes to it: other fields may come
    /// to be there, and what is copied does not change.
    fn make_own(&mut self, name: &str) {
        let in_scope = self.within.iter().all(|function| function.starts_with("anon$"));
        if let Kind::Record(record) = self.variable(name)
            && !(in_scope && name == record.root)
            && !record.open
        {
            self.set_variable(name, |_| Kind::Map(Rc::new(record.members())).bounded());
        }
    }

    /// A field that is declared with a type keeps it.
    fn fits(&mut self, path: &Path, new: &Kind, value: &Expr, whole: bool) {
        let (Some(root), [Step::Field(name)]) = (&path.root, &path.steps[..]) else { return };
        let Kind::Record(record) = self.variable(root) else { return };
        let Some(member) = record.member(name) else { return };
        let of = format!("`{name}` of {}", record.owner);
        if member.declared {
            let known = if whole { constant(value) } else { None };
            if let (Some(known), Some(accepts)) = (known, &member.accepts) {
                if let Err(why) = accepts(known) {
                    let place = self.beginning(value);
                    self.error("kind", format!("{of}: {why}"), place);
                }
            } else if let Some(misfit) = new.misfit(&member.kind) {
                let place = self.beginning(value);
                self.error("kind", format!("{of} is {}, {}", member.kind.name(), misfit.words()), place);
            }
        } else if let Some(first) = record.first(name) {
            let others = record.sorted(name, new);
            let message = if new.excludes(first) {
                format!("{of} begins as {}, and becomes {} here", first.name(), new.name())
            } else if *first == Kind::Nothing && others {
                format!("{of} becomes {} here, and something else elsewhere", new.name())
            } else {
                return;
            };
            let place = self.beginning(value);
            self.warning("two-kinds", message, place)
                .hints
                .push("a field that holds values of two kinds needs care wherever it is read".to_owned());
        }
    }

    /// Takes note of what something holds from now on. Only what is written as a whole may be new there: what is only
    /// changed, as by `+=`, has to be there before.
    fn put(&mut self, path: &Path, new: &Kind, whole: bool) {
        let Some(root) = &path.root else { return };
        match (self.variable(root), &path.steps[..]) {
            (Kind::Record(record), [Step::Field(name), rest @ ..]) => {
                record.learn(name, |old| within(old, rest, new, whole).bounded());
            }
            (Kind::Record(_), _) => {}
            (_, steps) => self.set_variable(root, |old| within(old, steps, new, whole).bounded()),
        }
    }

    fn change_by_method(&mut self, path: &Path, base: &Kind, name: &str, given: &[Kind]) {
        let Some(root) = path.root.as_deref().filter(|_| CHANGING.contains(&name)) else { return };
        self.make_own(root);
        let item = Path { root: path.root.clone(), steps: path.steps.iter().cloned().chain([Step::Item]).collect() };
        match (name, given) {
            ("push", [value]) | ("insert" | "set", [_, value]) => self.put(&item, value, false),
            // Who takes away from a map leaves it open what is in it.
            ("remove" | "clear" | "drain" | "retain", _) if base.members().is_some() => {
                self.put(path, &Kind::open(Kind::Never), false);
            }
            // These take away or change the order.
            (
                "clear" | "pop" | "shift" | "remove" | "truncate" | "chop" | "dedup" | "drain" | "retain" | "reverse"
                | "sort" | "sort_by" | "sort_desc" | "order" | "trim" | "crop" | "make_lower" | "make_upper"
                | "replace",
                _,
            ) => {}
            _ => self.put(&item, &Kind::Any, false),
        }
    }
}

/// What something is after a step within it was given a value. A map gets a new member only where the last step names
/// it and it is written as a `whole`: nothing can be changed that is not there.
fn within(old: &Kind, steps: &[Step], new: &Kind, whole: bool) -> Kind {
    let Some((step, rest)) = steps.split_first() else { return old.join(new) };
    match (old, step) {
        (Kind::Maybe(kind), _) => within(kind, steps, new, whole).maybe(),
        (Kind::Open(of), _) => Kind::open(within(of, rest, new, whole)),
        (Kind::List(of), Step::Item) => Kind::list(within(of, rest, new, whole)),
        (Kind::Map(members), Step::Field(name)) => {
            let member = match members.get(name) {
                Some(member) => member.clone(),
                None if whole && rest.is_empty() => Kind::Never,
                None => return old.clone(),
            };
            let mut members = (**members).clone();
            members.insert(name.clone(), within(&member, rest, new, whole));
            Kind::Map(Rc::new(members))
        }
        (Kind::Map(members), Step::Item) => {
            let all = members.values().fold(Kind::Never, |all, member| all.join(member));
            Kind::open(within(&all, rest, new, whole))
        }
        // Not known yet: it is learnt later what this is.
        (Kind::Never, _) => Kind::Never,
        (Kind::Text, Step::Item) => Kind::Text,
        _ => Kind::Any,
    }
}

/// So that the table of functions and this one agree.
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_known_to_the_table() {
        for name in CHANGING {
            assert!(crate::script::kinds::calls::knows(name), "{name}");
        }
    }
}
