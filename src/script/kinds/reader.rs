//! Going through a script with the kinds of what it sees.

use super::Kind;
use super::record::Record;
use crate::diagnostic::{Diagnostic, Place, meant};
use crate::script::fault::place_of;
use crate::script::host::{Library, Script};
use crate::script::text::ScriptText;
use rhai::{ASTFlags, Expr, Position, Stmt, StmtBlock};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// What a script sees.
pub struct Surroundings<'a> {
    /// What is in scope.
    pub scope: Vec<(&'static str, Kind)>,
    /// The aggregate whose events `emit` emits.
    pub aggregate: &'a str,
    /// How many statements and expressions may still be read: within loops, functions and folds each is read more than once.
    pub budget: &'a Cell<usize>,
    /// Whether it folds: an event that has happened must not fail.
    pub folds: bool,
    /// The fields of an event of an aggregate, where both are known.
    pub event: &'a dyn Fn(&str, &str) -> Option<Rc<Record>>,
    /// The fields of a command of an aggregate, where both are known.
    pub command: &'a dyn Fn(&str, &str) -> Option<Rc<Record>>,
    /// The state of an aggregate, where it is known.
    pub state: &'a dyn Fn(&str) -> Option<Rc<Record>>,
}

/// One reading of one script.
pub struct Reader<'a> {
    pub(super) around: &'a Surroundings<'a>,
    pub(super) script: &'a Script,
    pub(super) library: &'a Library,
    /// The text that is gone through: the script's, or that of the functions.
    pub(super) text: &'a ScriptText,
    pub(super) scope: Vec<(String, Kind)>,
    found: Vec<Diagnostic>,
    /// How often something was said to fail, the same thing again included.
    pub(super) complaints: usize,
    pub(super) returns: Vec<Kind>,
    /// How many `try` there are around.
    trying: usize,
    /// Functions that are gone through at the moment.
    pub(super) within: Vec<String>,
    /// Calls that were gone through, with what they give.
    pub(super) known: Vec<(String, Vec<Kind>, Kind)>,
}

impl<'a> Reader<'a> {
    /// Reads a script. Gives what its value is, and all that cannot work.
    pub fn read(script: &'a Script, around: &'a Surroundings<'a>) -> (Kind, Vec<Diagnostic>) {
        let library = script.library();
        let mut reader = Self {
            around,
            script,
            library,
            text: script.text(),
            scope: around.scope.iter().map(|(name, kind)| ((*name).to_owned(), kind.clone())).collect(),
            found: Vec::new(),
            complaints: 0,
            returns: Vec::new(),
            trying: 0,
            within: Vec::new(),
            known: Vec::new(),
        };
        let value = reader.statements(script.statements());
        let value = reader.returns.iter().fold(value, |value, returned| value.join(returned));
        (value, reader.found)
    }

    pub(super) fn place(&self, position: Position) -> Place {
        place_of(self.text, position)
    }

    pub(super) fn error(&mut self, rule: &'static str, message: impl Into<String>, place: Place) -> &mut Diagnostic {
        // What fails within a `try` may be meant to.
        if self.trying > 0 && rule != "unknown-field" {
            return self.warning(rule, message, place);
        }
        self.complaints += 1;
        self.note(Diagnostic::error(rule, message).at(place))
    }

    pub(super) fn warning(&mut self, rule: &'static str, message: impl Into<String>, place: Place) -> &mut Diagnostic {
        self.note(Diagnostic::warning(rule, message).at(place))
    }

    fn note(&mut self, problem: Diagnostic) -> &mut Diagnostic {
        // What stands in a loop or in a function is gone through more than once.
        let same = |known: &Diagnostic| known.place == problem.place && known.message == problem.message;
        let at = self.found.iter().position(same).unwrap_or(self.found.len());
        if at == self.found.len() {
            self.found.push(problem);
        } else {
            self.found[at].hints.clear();
        }
        &mut self.found[at]
    }

    /// What something gives, unless it was said since that it fails: then it gives nothing. Were that taken for anything,
    /// and put into the state, the next reading of the same script would be silent.
    pub(super) fn unless_told(&self, before: usize, kind: Kind) -> Kind {
        if self.complaints > before { Kind::Never } else { kind }
    }

    /// There is no such field; what was meant, perhaps.
    pub(super) fn no_field(&mut self, of: &str, owner: &str, name: &str, known: &[String], place: Place) {
        let hint = meant(name, known.iter().map(String::as_str), &format!("{owner} has"));
        self.error("unknown-field", format!("{of} has no field `{name}`"), place).hints.extend(hint);
    }

    // Statements

    pub(super) fn block(&mut self, block: &StmtBlock) -> Kind {
        let depth = self.scope.len();
        let value = self.statements(block.statements());
        self.scope.truncate(depth);
        value
    }

    pub(super) fn statements(&mut self, statements: &[Stmt]) -> Kind {
        let mut value = Kind::Nothing;
        let mut ended = false;
        for statement in statements.iter().filter(|statement| !matches!(statement, Stmt::Noop(_))) {
            if ended {
                let place = self.place(statement.position());
                self.warning("unreachable", "this is never reached", place)
                    .hints
                    .push("what stands before it ends the script in every case".to_owned());
            }
            value = self.statement(statement);
            ended = value == Kind::Never;
        }
        value
    }

    /// Takes one from what may still be read. Where nothing is left, nothing more is said; and what is not read may put
    /// anything into the state.
    fn may_go_on(&self) -> bool {
        if let Some(left) = self.around.budget.get().checked_sub(1) {
            self.around.budget.set(left);
            return true;
        }
        for (_, kind) in &self.around.scope {
            if let Kind::Record(record) = kind {
                record.give_up();
            }
        }
        false
    }

    fn statement(&mut self, statement: &Stmt) -> Kind {
        if !self.may_go_on() {
            return Kind::Any;
        }
        match statement {
            Stmt::If(parts, _) => {
                self.condition(&parts.expr);
                let then = self.block(&parts.body);
                let other = self.block(&parts.branch);
                then.join(&other)
            }
            Stmt::Switch(parts, _) => {
                self.expression(&parts.0);
                let cases = &parts.1;
                let mut value = if cases.def_case.is_some() { Kind::Never } else { Kind::Nothing };
                for case in &cases.expressions {
                    if !matches!(case.lhs, Expr::BoolConstant(..)) {
                        self.condition(&case.lhs);
                    }
                    value = value.join(&self.expression(&case.rhs));
                }
                value
            }
            Stmt::While(parts, _) => {
                if !matches!(parts.expr, Expr::Unit(_)) {
                    self.condition(&parts.expr);
                }
                self.repeated(&parts.body);
                Kind::Any
            }
            Stmt::Do(parts, ..) => {
                self.repeated(&parts.body);
                self.condition(&parts.expr);
                Kind::Any
            }
            Stmt::For(parts, _) => {
                let (name, counter, rest) = &**parts;
                let through = self.expression(&rest.expr);
                let item = match &through {
                    Kind::List(item) => (**item).clone(),
                    Kind::Range => Kind::Integer,
                    Kind::Integer | Kind::Decimal | Kind::Number | Kind::Boolean | Kind::Nothing => {
                        let place = self.beginning(&rest.expr);
                        self.error("kind", format!("`for` cannot go through {}", through.name()), place);
                        Kind::Any
                    }
                    Kind::Map(_) | Kind::Open(_) | Kind::Record(_) => {
                        let place = self.beginning(&rest.expr);
                        self.error("kind", "`for` cannot go through a map", place)
                            .hints
                            .push("go through its `keys()` or `values()`".to_owned());
                        Kind::Any
                    }
                    _ => Kind::Any,
                };
                let depth = self.scope.len();
                self.scope.extend(counter.iter().map(|counter| (counter.name.to_string(), Kind::Integer)));
                self.scope.push((name.name.to_string(), item));
                self.repeated(&rest.body);
                self.scope.truncate(depth);
                Kind::Any
            }
            Stmt::Var(declaration, ..) => {
                let (name, value, _) = &**declaration;
                let before = self.complaints;
                let kind = self.expression(value);
                let ended = kind == Kind::Never;
                let kind = self.unless_told(before, kind);
                self.scope.push((name.name.to_string(), kind));
                if ended { Kind::Never } else { Kind::Nothing }
            }
            Stmt::Assignment(parts) => {
                self.assign(&parts.0, &parts.1);
                Kind::Nothing
            }
            Stmt::FnCall(call, position) => self.call(call, *position),
            Stmt::Block(block) => self.block(block),
            Stmt::TryCatch(parts, _) => {
                self.trying += 1;
                let tried = self.block(&parts.body);
                self.trying -= 1;
                let depth = self.scope.len();
                if let Expr::Variable(variable, ..) = &parts.expr {
                    self.scope.push((variable.1.to_string(), Kind::Any));
                }
                let caught = self.block(&parts.branch);
                self.scope.truncate(depth);
                tried.join(&caught)
            }
            Stmt::Expr(expression) => self.expression(expression),
            Stmt::BreakLoop(value, ..) => {
                if let Some(value) = value {
                    self.expression(value);
                }
                Kind::Never
            }
            Stmt::Return(value, flags, _) => {
                let kind = value.as_ref().map_or(Kind::Nothing, |value| self.expression(value));
                if !flags.contains(ASTFlags::BREAK) {
                    self.returns.push(kind);
                }
                Kind::Never
            }
            _ => Kind::Nothing,
        }
    }

    /// What is done again and again sees what it did before. The first time variables are as they began, and what a
    /// script does with those only later is not wrong.
    fn repeated(&mut self, block: &StmtBlock) {
        let (found, known) = (self.found.len(), self.known.len());
        self.block(block);
        self.found.truncate(found);
        self.known.truncate(known);
        self.block(block);
    }

    /// What must be true or false.
    pub(super) fn condition(&mut self, expression: &Expr) {
        let kind = self.expression(expression);
        if !kind.may_be_boolean() {
            let place = self.beginning(expression);
            self.error("kind", format!("a condition is true or false, not {}", kind.name()), place);
        }
    }

    // Expressions

    pub(super) fn expression(&mut self, expression: &Expr) -> Kind {
        if !self.may_go_on() {
            return Kind::Any;
        }
        match expression {
            Expr::DynamicConstant(value, _) => of_value(value).bounded(),
            Expr::BoolConstant(..) => Kind::Boolean,
            Expr::IntegerConstant(..) => Kind::Integer,
            Expr::CharConstant(..) | Expr::StringConstant(..) => Kind::Text,
            Expr::InterpolatedString(parts, _) => {
                for part in parts {
                    self.expression(part);
                }
                Kind::Text
            }
            Expr::Array(items, _) => {
                let items = items.iter().fold(Kind::Never, |of, item| of.join(&self.expression(item)));
                Kind::list(items).bounded()
            }
            Expr::Map(parts, _) if parts.0.is_empty() => Kind::open(Kind::Never),
            Expr::Map(parts, _) => {
                let members: BTreeMap<String, Kind> =
                    parts.0.iter().map(|(name, value)| (name.name.to_string(), self.expression(value))).collect();
                Kind::Map(Rc::new(members)).bounded()
            }
            Expr::Unit(_) => Kind::Nothing,
            Expr::Variable(variable, _, _) => self.variable(variable.1.as_str()),
            Expr::Stmt(block) => self.block(block),
            Expr::FnCall(call, position) => self.call(call, *position),
            Expr::Dot(..) | Expr::Index(..) => self.chain(expression),
            Expr::And(parts, _) | Expr::Or(parts, _) => {
                for part in parts.iter() {
                    self.condition(part);
                }
                Kind::Boolean
            }
            Expr::Coalesce(parts, _) => {
                let kinds: Vec<Kind> = parts.iter().map(|part| self.expression(part)).collect();
                self.never_absent(&parts[0], &kinds[0]);
                match kinds.split_last() {
                    Some((last, rest)) => rest.iter().fold(last.clone(), |kind, part| match part {
                        Kind::Nothing => kind,
                        part => part.present().join(&kind),
                    }),
                    None => Kind::Any,
                }
            }
            _ => Kind::Any,
        }
    }

    pub(super) fn variable(&self, name: &str) -> Kind {
        self.scope.iter().rev().find(|(known, _)| known == name).map_or(Kind::Any, |(_, kind)| kind.clone())
    }

    /// Where an expression begins.
    pub(super) fn beginning(&self, expression: &Expr) -> Place {
        match expression {
            Expr::Dot(pair, ..) | Expr::Index(pair, ..) => self.beginning(&pair.lhs),
            Expr::FnCall(call, _) if call.op_token.is_some() && call.args.len() == 2 => self.beginning(&call.args[0]),
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) if !parts.is_empty() => {
                self.beginning(&parts[0])
            }
            other => self.place(other.position()),
        }
    }

    pub(super) fn set_variable(&mut self, name: &str, change: impl FnOnce(&Kind) -> Kind) {
        if let Some((_, kind)) = self.scope.iter_mut().rev().find(|(known, _)| known == name) {
            *kind = change(kind);
        }
    }

    /// Whether the script, or a function, compares this field with `()` somewhere: it knows that it may be absent.
    pub(super) fn is_guarded(&self, root: &str, field: &str) -> bool {
        let mut asked = self.script.guarded().iter().chain(self.library.guarded());
        asked.any(|(known, name)| known == root && name == field)
    }
}

/// The kind of a value that is known.
pub(super) fn of_value(value: &rhai::Dynamic) -> Kind {
    if value.is_unit() {
        return Kind::Nothing;
    }
    if value.is_int() {
        return Kind::Integer;
    }
    if value.is_decimal() {
        return Kind::Decimal;
    }
    if value.is_bool() {
        return Kind::Boolean;
    }
    if value.is_string() || value.is_char() {
        return Kind::Text;
    }
    if let Ok(items) = value.as_array_ref() {
        return Kind::list(items.iter().fold(Kind::Never, |of, item| of.join(&of_value(item))));
    }
    if let Ok(members) = value.as_map_ref() {
        if members.is_empty() {
            return Kind::open(Kind::Never);
        }
        return Kind::Map(Rc::new(members.iter().map(|(name, value)| (name.to_string(), of_value(value))).collect()));
    }
    if let Some(function) = value.read_lock::<rhai::FnPtr>() {
        return Kind::Closure(function.fn_name().into(), Rc::new([]));
    }
    Kind::Any
}
