//! Watching: which scripts ran and which of their branches were taken, for `test --coverage`.
//!
//! A watched script has calls in its syntax tree, one where it begins and one where each branch begins. Nothing else is
//! another: values, places in messages and the order of things are those of the script as it is written. Only its
//! operations are some more. A host that does not watch knows nothing of all this.

use super::fault;
use super::host::{Host, Script};
use super::text::ScriptText;
use crate::diagnostic::Place;
use crate::event::NewEvent;
use rhai::{AST, BinaryExpr, Expr, FnCallHashes, Position, Stmt, StmtBlock};
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;

/// What is called where a branch begins. It is put into trees only, where it cannot be taken for a function of a script.
const CALLED: &str = "covered_";

/// A branch of a script, or the script itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// What it is: `if`, `else`, `case` …; empty for the script itself.
    pub what: &'static str,
    /// Where it begins.
    pub place: Place,
    number: i64,
}

/// What was seen since watching began.
#[derive(Debug, Default)]
pub struct Seen {
    given: Cell<i64>,
    points: RefCell<BTreeSet<i64>>,
    /// Codes, by the number of the script that gave them.
    codes: RefCell<BTreeSet<(i64, Box<str>)>>,
    /// Aggregates with their events that a decision gave.
    emitted: RefCell<BTreeSet<(Box<str>, Box<str>)>>,
    /// Aggregates with their invariants that said no.
    broken: RefCell<BTreeSet<(Box<str>, Box<str>)>>,
    /// Steps of upcasts, by the file they stand in and the byte they begin with.
    upcasts: RefCell<BTreeSet<(Box<str>, usize)>>,
}

impl Seen {
    /// Whether a branch was taken, or a script ran.
    pub fn reached(&self, point: &Point) -> bool {
        self.points.borrow().contains(&point.number)
    }

    /// Whether a decision was a rejection with this code.
    pub fn rejected(&self, script: &Script, code: &str) -> bool {
        script.points().first().is_some_and(|own| self.codes.borrow().contains(&(own.number, code.into())))
    }

    /// Whether a decision gave such an event.
    pub fn emitted(&self, aggregate: &str, event: &str) -> bool {
        self.emitted.borrow().contains(&(aggregate.into(), event.into()))
    }

    /// Whether this invariant said no.
    pub fn broken(&self, aggregate: &str, invariant: &str) -> bool {
        self.broken.borrow().contains(&(aggregate.into(), invariant.into()))
    }

    /// Begins again, as if nothing had been seen.
    pub fn forget(&self) {
        self.points.borrow_mut().clear();
        self.codes.borrow_mut().clear();
        self.emitted.borrow_mut().clear();
        self.broken.borrow_mut().clear();
        self.upcasts.borrow_mut().clear();
    }

    /// Whether this step of an upcast ran.
    pub fn upcast(&self, step: &Script) -> bool {
        self.upcasts.borrow().contains(&place_of(step))
    }

    pub(super) fn see_upcast(&self, step: &Script) {
        self.upcasts.borrow_mut().insert(place_of(step));
    }

    pub(super) fn see_rejection(&self, script: &Script, code: &str) {
        if let Some(own) = script.points().first() {
            self.codes.borrow_mut().insert((own.number, code.into()));
        }
    }

    pub(super) fn see_events(&self, events: &[NewEvent]) {
        let mut emitted = self.emitted.borrow_mut();
        emitted.extend(events.iter().map(|event| (event.stream.aggregate().into(), (*event.kind).into())));
    }

    pub(super) fn see_broken(&self, aggregate: &str, invariant: &str) {
        self.broken.borrow_mut().insert((aggregate.into(), invariant.into()));
    }
}

fn place_of(step: &Script) -> (Box<str>, usize) {
    let place = &step.text().place;
    (place.source.name.as_str().into(), place.start)
}

impl Host {
    /// From now on it is noted what happens; scripts are watched that [`Host::watched`] gives.
    pub fn watch(&mut self) {
        let seen = Rc::new(Seen::default());
        let noted = seen.clone();
        self.engine.register_fn(CALLED, move |number: i64| {
            noted.points.borrow_mut().insert(number);
        });
        self.seen = Some(seen);
    }

    /// The same script, watched; as it is where nothing is.
    pub fn watched(&self, script: &Script) -> Script {
        // Compiled, not put together by hand: the engine knows best what a call looks like.
        let (Some(seen), Ok(called)) = (&self.seen, self.engine.compile(format!("{CALLED}(0)"))) else {
            return script.clone();
        };
        let mut marking = Marking { text: script.text(), seen, called, points: Vec::new() };
        let mut statements = script.statements().to_vec();
        let first = marking.point("", script.text().token(0));
        marking.all(&mut statements);
        statements.splice(0..0, first);
        let points = marking.points;
        script.with_points(|functions| AST::new(statements, functions), points)
    }
}

/// Puts calls into a tree.
struct Marking<'a> {
    text: &'a ScriptText,
    seen: &'a Seen,
    called: AST,
    points: Vec<Point>,
}

impl Marking<'_> {
    /// A new point, and the call that notes it.
    fn point(&mut self, what: &'static str, place: Place) -> Option<Stmt> {
        let number = self.seen.given.get();
        self.seen.given.set(number + 1);
        self.points.push(Point { what, place, number });
        let mut call = match self.called.statements().first()? {
            Stmt::FnCall(call, _) => call.clone(),
            Stmt::Expr(expression) => match &**expression {
                Expr::FnCall(call, _) => call.clone(),
                _ => return None,
            },
            _ => return None,
        };
        call.hashes = FnCallHashes::from_native_only(call.hashes.native());
        *call.args.first_mut()? = Expr::IntegerConstant(number, Position::NONE);
        Some(Stmt::FnCall(call, Position::NONE))
    }

    /// A block that is run only if it comes to that.
    fn branch(&mut self, what: &'static str, block: &mut StmtBlock, otherwise: Position) {
        let position = block.position();
        let position = if position.is_none() { otherwise } else { position };
        let call = self.point(what, fault::place_of(self.text, position));
        self.all(block.statements_mut());
        if let Some(call) = call {
            block.statements_mut().insert(0, call);
        }
    }

    fn all(&mut self, statements: &mut [Stmt]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    fn statement(&mut self, statement: &mut Stmt) {
        match statement {
            Stmt::If(parts, position) => {
                self.expression(&mut parts.expr);
                self.branch("if", &mut parts.body, *position);
                let begins = parts.branch.position();
                match parts.branch.statements_mut().as_mut_slice() {
                    // `else if`: its own blocks are the branches.
                    [next @ Stmt::If(..)] if next.position() == begins => self.statement(next),
                    _ => {
                        let what = if begins.is_none() { "if not" } else { "else" };
                        self.branch(what, &mut parts.branch, *position);
                    }
                }
            }
            Stmt::Switch(parts, position) => {
                let (value, cases) = &mut **parts;
                self.expression(value);
                for (index, BinaryExpr { lhs, rhs }) in cases.expressions.iter_mut().enumerate() {
                    self.expression(lhs);
                    let what = if cases.def_case == Some(index) { "other case" } else { "case" };
                    if !matches!(rhs, Expr::Stmt(_)) {
                        let begins = rhs.start_position();
                        let alone = Stmt::Expr(Box::new(std::mem::take(rhs)));
                        *rhs = Expr::Stmt(Box::new(StmtBlock::new([alone], begins, begins)));
                    }
                    if let Expr::Stmt(block) = rhs {
                        self.branch(what, block, *position);
                    }
                }
            }
            Stmt::While(parts, position) => {
                // A `loop` has no condition, so it is entered as soon as it is reached.
                if matches!(parts.expr, Expr::Unit(_)) {
                    self.all(parts.body.statements_mut());
                } else {
                    self.expression(&mut parts.expr);
                    self.branch("while", &mut parts.body, *position);
                }
            }
            Stmt::Do(parts, ..) => {
                self.all(parts.body.statements_mut());
                self.expression(&mut parts.expr);
            }
            Stmt::For(parts, position) => {
                self.expression(&mut parts.2.expr);
                self.branch("for", &mut parts.2.body, *position);
            }
            Stmt::TryCatch(parts, position) => {
                self.all(parts.body.statements_mut());
                self.branch("catch", &mut parts.branch, *position);
            }
            Stmt::Var(parts, ..) => self.expression(&mut parts.1),
            Stmt::Assignment(parts) => self.pair(&mut parts.1),
            Stmt::FnCall(call, _) => self.each(&mut call.args),
            Stmt::Block(block) => self.all(block.statements_mut()),
            Stmt::Expr(expression) | Stmt::BreakLoop(Some(expression), ..) | Stmt::Return(Some(expression), ..) => {
                self.expression(expression);
            }
            _ => {}
        }
    }

    fn pair(&mut self, pair: &mut BinaryExpr) {
        self.expression(&mut pair.lhs);
        self.expression(&mut pair.rhs);
    }

    fn each(&mut self, expressions: &mut [Expr]) {
        for expression in expressions {
            self.expression(expression);
        }
    }

    fn expression(&mut self, expression: &mut Expr) {
        match expression {
            Expr::Stmt(block) => self.all(block.statements_mut()),
            Expr::InterpolatedString(parts, _) | Expr::Array(parts, _) => self.each(parts),
            Expr::Map(parts, _) => parts.0.iter_mut().for_each(|(_, value)| self.expression(value)),
            Expr::FnCall(call, _) | Expr::MethodCall(call, _) => self.each(&mut call.args),
            Expr::Dot(pair, ..) | Expr::Index(pair, ..) => self.pair(pair),
            Expr::And(parts, _) | Expr::Or(parts, _) | Expr::Coalesce(parts, _) => self.each(parts),
            _ => {}
        }
    }
}
