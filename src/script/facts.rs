//! What a script touches and causes, read off its syntax tree without running it.

use super::functions;
use super::text::ScriptText;
use crate::diagnostic::Place;
use rhai::{AST, ASTFlags, ASTNode, Expr, FnCallExpr, Ident, Position, Stmt};
use rust_decimal::Decimal;
use std::collections::{BTreeMap, BTreeSet};

/// Every name that is in scope in some script: none of them can be hidden by a `let`.
pub const IN_SCOPE: &[&str] =
    &["state", "event", "command", "meta", "version", "row", "key", "exists", "rejection", "deadline"];

/// What `meta` says that the event itself knows.
const EVENT_META: &[&str] = &["stream", "aggregate", "id", "version", "position", "type", "time"];

/// A field of something in scope, as in `event.amount` or `event["amount"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// What it is a field of: `event`.
    pub root: String,
    /// The field: `amount`.
    pub field: String,
    /// Where the field is named.
    pub place: Place,
    /// Whether it is assigned to.
    pub written: bool,
    position: Position,
}

/// A call of a function, with what is known of its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The function's name.
    pub name: String,
    /// Its arguments; a method call has the receiver first.
    pub arguments: Vec<Argument>,
    /// Where its name stands.
    pub place: Place,
}

/// What is known of an argument without running anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// What it is.
    pub kind: ArgumentKind,
    /// Where it stands.
    pub place: Place,
}

/// The forms of arguments that tell something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArgumentKind {
    /// A text: `"Opened"`.
    Text(String),
    /// A text with pieces to fill in: its beginning up to the first piece.
    Template(String),
    /// A map: its keys with their places.
    Map(Vec<(String, Place)>),
    /// A name: `command`.
    Name(String),
    /// Anything else.
    Other,
}

/// All that is known of one script.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Fields of names in scope, in the order of the text.
    pub accesses: Vec<Access>,
    /// Calls, in the order of the text.
    pub calls: Vec<Call>,
    /// Names in scope that are used at all.
    pub roots: BTreeSet<String>,
    /// How often names in scope are used as a whole, not only through a field that is named.
    pub whole: BTreeMap<String, usize>,
    /// Names in scope that are changed, or something inside them, with the place where it begins.
    pub changed: Vec<(String, Place)>,
    /// Where `this` is used: what it is bound to could be changed unseen.
    pub this: Vec<Place>,
    /// Variables that the script declares, with the place of the name.
    pub variables: Vec<(String, Place)>,
    /// Numbers that do not fit: the engine would round them silently.
    pub inexact: Vec<Place>,
    /// Where the script fails on purpose.
    pub throws: Vec<Place>,
    /// Functions declared where none may be: within a script.
    pub declares: Vec<(String, Place)>,
    /// Texts that stand beside an operator, as in `state.status == "open"`.
    pub texts: BTreeSet<String>,
    /// Numbers that do, as in `command.amount > 100`.
    pub numbers: BTreeSet<Decimal>,
}

impl Facts {
    /// Reads them off a syntax tree.
    pub(super) fn of(ast: &AST, text: &ScriptText) -> Self {
        let mut reading = Reading {
            text,
            facts: Self::default(),
            written: Vec::new(),
            named: BTreeSet::new(),
            entered: BTreeSet::new(),
        };
        ast.walk(&mut |path: &[ASTNode<'_>]| {
            match path.last() {
                Some(ASTNode::Stmt(statement)) => reading.statement(statement),
                Some(ASTNode::Expr(expression)) if goes_on(path) => reading.rest(expression),
                Some(ASTNode::Expr(expression)) => reading.expression(expression),
                _ => {}
            }
            true
        });
        let Reading { mut facts, written, named, entered, .. } = reading;
        for (name, _) in named.difference(&entered) {
            *facts.whole.entry(name.clone()).or_default() += 1;
        }
        for access in &mut facts.accesses {
            access.written = written.contains(&access.position);
        }
        facts.accesses.sort_by_key(|access| access.place.start);
        facts.calls.sort_by_key(|call| call.place.start);
        facts.calls.dedup();
        facts.changed.sort_by_key(|(_, place)| place.start);
        facts.changed.dedup();
        facts.accesses.dedup();
        facts.declares = ast
            .iter_functions()
            .filter(|function| !function.name.starts_with("anon$"))
            .map(|function| (function.name.to_owned(), text.token(text.text.find(function.name).unwrap_or(0))))
            .collect();
        facts
    }

    /// Whether the script uses this name in scope.
    pub fn reads_root(&self, name: &str) -> bool {
        self.roots.contains(name)
    }

    /// Whether `meta` must hold what only the command knows: who sent it, and what was added with it.
    pub fn reads_command_meta(&self) -> bool {
        self.whole.contains_key("meta")
            || self.accesses.iter().any(|access| access.root == "meta" && !EVENT_META.contains(&access.field.as_str()))
    }

    /// What the field at a position is a field of.
    pub(super) fn root_at(&self, position: Position) -> Option<&str> {
        self.accesses.iter().find(|access| access.position == position).map(|access| access.root.as_str())
    }

    /// The calls of one function.
    pub fn calls_of<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f Call> + 'f {
        self.calls.iter().filter(move |call| call.name == name)
    }
}

struct Reading<'t> {
    text: &'t ScriptText,
    facts: Facts,
    written: Vec<Position>,
    /// Where names in scope stand, and where they stand before a field that is named.
    named: BTreeSet<(String, Position)>,
    entered: BTreeSet<(String, Position)>,
}

impl Reading<'_> {
    fn place(&self, position: Position) -> Place {
        super::fault::place_of(self.text, position)
    }

    fn statement(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Assignment(assignment) => {
                if let Some((_, _, position)) = field_of(&assignment.1.lhs) {
                    self.written.push(position);
                }
                self.change(&assignment.1.lhs);
            }
            Stmt::FnCall(call, position) => self.call(call, None, *position),
            Stmt::Var(declaration, ..) => self.variable(&declaration.0),
            Stmt::Return(_, flags, position) if flags.contains(ASTFlags::BREAK) => {
                let place = self.place(*position);
                self.facts.throws.push(place);
            }
            Stmt::For(parts, _) => {
                self.variable(&parts.0);
                if let Some(counter) = &parts.1 {
                    self.variable(counter);
                }
            }
            _ => {}
        }
    }

    fn variable(&mut self, name: &Ident) {
        let place = self.place(name.pos);
        self.facts.variables.push((name.name.to_string(), place));
    }

    /// A decimal literal whose digits do not all fit.
    fn literal(&mut self, position: Position) {
        let start = self.text.offset_of(position);
        let rest = &self.text.text[start..];
        let end = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '_'))).unwrap_or(rest.len());
        let digits = rest[..end].trim_end_matches('.').replace('_', "");
        if digits.starts_with(|c: char| c.is_ascii_digit()) && Decimal::from_str_exact(&digits).is_err() {
            self.facts.inexact.push(self.text.stretch(start, start + end));
        }
    }

    fn expression(&mut self, expression: &Expr) {
        match expression {
            Expr::Variable(variable, _, position) => {
                let name = variable.1.as_str();
                if IN_SCOPE.contains(&name) {
                    self.facts.roots.insert(name.to_owned());
                    self.named.insert((name.to_owned(), *position));
                }
            }
            Expr::FnCall(call, position) => self.call(call, None, *position),
            Expr::DynamicConstant(value, position) if value.is_decimal() => self.literal(*position),
            Expr::Dot(pair, ..) => {
                self.access(expression);
                if let Expr::MethodCall(call, position) = first(&pair.rhs) {
                    self.call(call, Some(&pair.lhs), *position);
                }
                if methods(&pair.rhs).any(|name| functions::CHANGING.contains(&name)) {
                    self.change(expression);
                }
            }
            Expr::ThisPtr(position) => {
                let place = self.place(*position);
                self.facts.this.push(place);
            }
            Expr::Index(pair, ..) => {
                self.access(expression);
                if methods(&pair.rhs).any(|name| functions::CHANGING.contains(&name)) {
                    self.change(expression);
                }
            }
            // `#{…}` of constants only is one constant: nothing to see inside.
            _ => {}
        }
    }

    /// What follows an index: in `a[b].c()` the tree has `a` and (`b` and `c()`), but nothing is called on `b`.
    fn rest(&mut self, expression: &Expr) {
        if let Expr::Dot(pair, ..) = expression
            && let Expr::MethodCall(call, position) = first(&pair.rhs)
        {
            self.call(call, Some(&pair.lhs), *position);
        }
    }

    /// Notes that what an expression begins with is changed.
    fn change(&mut self, expression: &Expr) {
        if let Expr::Variable(variable, _, position) = leftmost(expression)
            && IN_SCOPE.contains(&variable.1.as_str())
        {
            let place = self.place(*position);
            self.facts.changed.push((variable.1.to_string(), place));
        }
    }

    fn access(&mut self, expression: &Expr) {
        if let Some((root, field, position)) = field_of(expression)
            && IN_SCOPE.contains(&root)
        {
            let (root, field) = (root.to_owned(), field.to_owned());
            self.entered.insert((root.clone(), beginning(expression)));
            let mut place = self.place(position);
            // `event["amount"]`: the name without its quotes.
            let quoted =
                place.source.text.get(place.start..place.end).is_some_and(|t| t.starts_with('"') && t.len() > 2);
            if quoted {
                place.start += 1;
                place.end -= 1;
            }
            self.facts.accesses.push(Access { root, field, place, written: false, position });
        }
    }

    fn call(&mut self, call: &FnCallExpr, receiver: Option<&Expr>, position: Position) {
        if call.op_token.is_some() {
            call.args.iter().for_each(|operand| self.operand(operand));
            return;
        }
        // `clear(state)` changes its first argument as `state.clear()` does.
        if receiver.is_none()
            && functions::CHANGING.contains(&call.name.as_str())
            && let Some(first) = call.args.first()
        {
            self.change(first);
        }
        let arguments = receiver.into_iter().chain(&call.args).map(|argument| self.argument(argument)).collect();
        let place = self.place(position);
        self.facts.calls.push(Call { name: call.name.to_string(), arguments, place });
    }

    fn operand(&mut self, expression: &Expr) {
        match expression {
            Expr::StringConstant(text, _) => {
                self.facts.texts.insert(text.to_string());
            }
            Expr::IntegerConstant(number, _) => {
                self.facts.numbers.insert((*number).into());
            }
            Expr::DynamicConstant(value, _) => self.facts.numbers.extend(value.as_decimal().ok()),
            _ => {}
        }
    }

    fn argument(&self, expression: &Expr) -> Argument {
        let kind = match expression {
            Expr::StringConstant(text, _) => ArgumentKind::Text(text.to_string()),
            Expr::InterpolatedString(parts, _) => ArgumentKind::Template(match parts.first() {
                Some(Expr::StringConstant(text, _)) => text.to_string(),
                _ => String::new(),
            }),
            Expr::Map(map, _) => {
                ArgumentKind::Map(map.0.iter().map(|(name, _)| (name.name.to_string(), self.place(name.pos))).collect())
            }
            Expr::Variable(variable, ..) => ArgumentKind::Name(variable.1.to_string()),
            _ => ArgumentKind::Other,
        };
        Argument { kind, place: self.place(beginning(expression)) }
    }
}

/// Whether the last node is not a chain of its own but what follows the index of the chain before it.
fn goes_on(path: &[ASTNode<'_>]) -> bool {
    match path {
        [.., ASTNode::Expr(Expr::Index(pair, flags, _)), ASTNode::Expr(last @ (Expr::Dot(..) | Expr::Index(..)))] => {
            !flags.contains(ASTFlags::BREAK) && std::ptr::eq(&raw const pair.rhs, *last)
        }
        _ => false,
    }
}

/// Where an expression begins: a chain's own position is that of its first dot.
fn beginning(expression: &Expr) -> Position {
    leftmost(expression).position()
}

/// What a chain begins with: `a` of `a.b[1].c()`.
fn leftmost(expression: &Expr) -> &Expr {
    match expression {
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => leftmost(&pair.lhs),
        other => other,
    }
}

/// The methods that a chain calls, wherever in it.
fn methods(rest: &Expr) -> Box<dyn Iterator<Item = &str> + '_> {
    match rest {
        Expr::MethodCall(call, _) => Box::new(std::iter::once(call.name.as_str())),
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => Box::new(methods(&pair.lhs).chain(methods(&pair.rhs))),
        _ => Box::new(std::iter::empty()),
    }
}

/// The first piece of the right side of a chain: in `a.b.c` the tree has `a` and (`b` and `c`).
fn first(expression: &Expr) -> &Expr {
    match expression {
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => first(&pair.lhs),
        other => other,
    }
}

/// `root.field…` or `root["field"]…`: the root, the field, and where it is named.
fn field_of(expression: &Expr) -> Option<(&str, &str, Position)> {
    let (pair, dotted) = match expression {
        Expr::Dot(pair, ..) => (pair, true),
        Expr::Index(pair, ..) => (pair, false),
        _ => return None,
    };
    let Expr::Variable(variable, ..) = &pair.lhs else { return None };
    let root = variable.1.as_str();
    match first(&pair.rhs) {
        Expr::Property(property, position) if dotted => Some((root, property.2.as_str(), *position)),
        Expr::StringConstant(name, position) if !dotted => Some((root, name.as_str(), *position)),
        _ => None,
    }
}
