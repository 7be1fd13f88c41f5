//! From a script's syntax tree to plain forms, where it has no others.

use super::super::host::{Library, Script};
use super::value::{Members, Names, Value};
use super::{Direct, Form, Operator, Step, Thing};
use rhai::{ASTFlags, Expr, FnCallExpr, Identifier, ImmutableString, Stmt, Token};
use std::cell::{Cell, RefCell};

/// Functions within functions.
const DEPTH: usize = 8;
/// The most forms and steps: more of them are better off with the engine.
const MOST: u64 = 1000;

impl Direct {
    /// What a script does; `None` where some of it has no plain form. `own` is what it is about: `state` or `row`.
    pub(in super::super) fn of(script: &Script, own: &str) -> Option<Self> {
        let mut reading = Reading {
            own,
            library: script.library(),
            names: Vec::new(),
            within: 0,
            locals: 0,
            operations: 0,
            reads: Vec::new(),
            reads_meta: false,
        };
        let (steps, answer) = reading.whole(script.statements())?;
        let Reading { locals, operations, reads, reads_meta, .. } = reading;
        let reads: Names = reads.into();
        let members = RefCell::new(Members::none(&reads));
        Some(Self { steps, answer, locals, reads, members, reads_meta, operations, misses: Cell::new(0) })
    }
}

/// What a name stands for.
#[derive(Clone)]
enum Named {
    Local(usize),
    Thing(Thing),
}

struct Reading<'t> {
    own: &'t str,
    library: &'t Library,
    /// What was named so far, in scripts and functions; the last one of a name counts.
    names: Vec<(ImmutableString, Named)>,
    /// Functions that are being read: those see only their parameters.
    within: usize,
    locals: usize,
    operations: u64,
    reads: Vec<Identifier>,
    reads_meta: bool,
}

impl Reading<'_> {
    fn whole(&mut self, statements: &[Stmt]) -> Option<(Vec<Step>, Option<Form>)> {
        let Some((last, rest)) = statements.split_last() else { return Some((Vec::new(), None)) };
        let mut steps = self.steps(rest)?;
        // What is said last is the answer, where it has a value.
        let answer = match last {
            Stmt::Expr(last) => match &**last {
                Expr::FnCall(call, _) if self.is_delete(call) => None,
                last => Some(self.form(last)?),
            },
            Stmt::FnCall(call, _) if !self.is_delete(call) => Some(self.call(call)?),
            _ => None,
        };
        if answer.is_none() {
            steps.extend(self.steps(std::slice::from_ref(last))?);
        }
        Some((steps, answer))
    }

    fn steps(&mut self, statements: &[Stmt]) -> Option<Vec<Step>> {
        let steps = statements.iter().filter(|statement| !matches!(statement, Stmt::Noop(_)));
        steps.map(|statement| self.step(statement)).collect()
    }

    /// What a block declares is not known after it.
    fn block(&mut self, statements: &[Stmt]) -> Option<Vec<Step>> {
        let known = self.names.len();
        let steps = self.steps(statements);
        self.names.truncate(known);
        steps
    }

    fn step(&mut self, statement: &Stmt) -> Option<Step> {
        self.count()?;
        match statement {
            Stmt::Assignment(assignment) => {
                let (assigning, both) = &**assignment;
                let (Thing::Own, name) = self.member(&both.lhs)? else { return None };
                let operator = match assigning.get_op_assignment_info() {
                    Some((_, _, _, _, operator, _)) => Some(self::operator(operator)?),
                    None => None,
                };
                Some(Step::Set(name, operator, self.form(&both.rhs)?))
            }
            Stmt::Var(declaration, flags, _) if !flags.contains(ASTFlags::EXPORTED) => {
                let form = self.form(&declaration.1)?;
                let place = self.local();
                self.names.push((declaration.0.name.clone(), Named::Local(place)));
                Some(Step::Keep(place, form))
            }
            Stmt::If(parts, _) => {
                let condition = self.form(&parts.expr)?;
                Some(Step::Choose(
                    condition,
                    self.block(parts.body.statements())?,
                    self.block(parts.branch.statements())?,
                ))
            }
            Stmt::FnCall(call, _) => self.is_delete(call).then_some(Step::Delete),
            Stmt::Expr(expression) => match &**expression {
                Expr::FnCall(call, _) => self.is_delete(call).then_some(Step::Delete),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_delete(&self, call: &FnCallExpr) -> bool {
        self.own == "row" && call.name == "delete" && call.args.is_empty()
    }

    fn form(&mut self, expression: &Expr) -> Option<Form> {
        self.count()?;
        Some(match expression {
            Expr::IntegerConstant(number, _) => Form::Constant(Value::Integer(*number)),
            Expr::BoolConstant(truth, _) => Form::Constant(Value::Boolean(*truth)),
            Expr::StringConstant(text, _) => Form::Constant(Value::Text(text.clone())),
            Expr::Unit(_) => Form::Constant(Value::Unit),
            Expr::DynamicConstant(value, _) => Form::Constant(Value::Decimal(value.as_decimal().ok()?)),
            Expr::Variable(variable, _, _) => self.name(&variable.1)?,
            Expr::Dot(..) | Expr::Index(..) => {
                let (thing, name) = self.member(expression)?;
                Form::Member(thing, name)
            }
            Expr::And(all, _) => Form::All(self.forms(all)?),
            Expr::Or(any, _) => Form::Any(self.forms(any)?),
            Expr::FnCall(call, _) => self.call(call)?,
            _ => return None,
        })
    }

    fn call(&mut self, call: &FnCallExpr) -> Option<Form> {
        match (&call.op_token, &call.args[..]) {
            (Some(Token::Minus | Token::UnaryMinus), [one]) => Some(Form::Negative(Box::new(self.form(one)?))),
            (Some(Token::Bang), [one]) => Some(Form::Not(Box::new(self.form(one)?))),
            (Some(operator), [left, right]) => {
                let operator = self::operator(operator)?;
                Some(Form::Computed(operator, Box::new((self.form(left)?, self.form(right)?))))
            }
            (None, arguments) => self.function(&call.name, arguments),
            _ => None,
        }
    }

    fn forms(&mut self, expressions: &[Expr]) -> Option<Vec<Form>> {
        expressions.iter().map(|expression| self.form(expression)).collect()
    }

    fn name(&self, name: &str) -> Option<Form> {
        match self.named(name) {
            Some(Named::Local(place)) => Some(Form::Local(place)),
            Some(Named::Thing(_)) => None,
            None if self.within > 0 => None,
            None => match name {
                "version" if self.own == "state" => Some(Form::Version),
                "key" if self.own == "row" => Some(Form::Key),
                "exists" if self.own == "row" => Some(Form::Exists),
                _ => None,
            },
        }
    }

    fn named(&self, name: &str) -> Option<Named> {
        self.names.iter().rev().find(|(known, _)| known == name).map(|(_, named)| named.clone())
    }

    /// `state.balance`, `event["amount"]`.
    fn member(&mut self, expression: &Expr) -> Option<(Thing, Identifier)> {
        let (both, flags, dotted) = match expression {
            Expr::Dot(both, flags, _) => (both, flags, true),
            Expr::Index(both, flags, _) => (both, flags, false),
            _ => return None,
        };
        let Expr::Variable(variable, ..) = &both.lhs else { return None };
        // `state?.balance`
        if flags.contains(ASTFlags::NEGATED) {
            return None;
        }
        let name = match &both.rhs {
            Expr::Property(property, _) if dotted => &property.2,
            Expr::StringConstant(name, _) if !dotted => name,
            _ => return None,
        };
        let thing = self.thing(&variable.1)?;
        let name = Identifier::from(name.as_str());
        if thing == Thing::Event && !self.reads.contains(&name) {
            self.reads.push(name.clone());
        }
        self.reads_meta |= thing == Thing::Meta;
        Some((thing, name))
    }

    fn thing(&self, name: &str) -> Option<Thing> {
        match self.named(name) {
            Some(Named::Thing(thing)) => Some(thing),
            Some(Named::Local(_)) => None,
            None if self.within > 0 => None,
            None if name == self.own => Some(Thing::Own),
            None => match name {
                "event" => Some(Thing::Event),
                "meta" => Some(Thing::Meta),
                _ => None,
            },
        }
    }

    /// What a function of the file says, which does nothing else.
    fn function(&mut self, name: &str, arguments: &[Expr]) -> Option<Form> {
        if self.within >= DEPTH {
            return None;
        }
        let library = self.library;
        let function = library.bodies().iter().find(|f| f.name == name && f.parameters.len() == arguments.len())?;
        let body = match &function.body[..] {
            [Stmt::Expr(body)] => body,
            [Stmt::Return(Some(body), flags, _)] if !flags.contains(ASTFlags::BREAK) => body,
            _ => return None,
        };
        let mut parameters = Vec::with_capacity(arguments.len());
        let mut kept = Vec::new();
        for (parameter, argument) in function.parameters.iter().zip(arguments) {
            let named = match argument {
                Expr::Variable(variable, ..) if self.thing(&variable.1).is_some() => {
                    Named::Thing(self.thing(&variable.1)?)
                }
                _ => {
                    let form = self.form(argument)?;
                    let place = self.local();
                    kept.push((place, form));
                    Named::Local(place)
                }
            };
            parameters.push((ImmutableString::from(parameter.as_str()), named));
        }
        let outside = std::mem::replace(&mut self.names, parameters);
        self.within += 1;
        let form = self.form(body);
        self.within -= 1;
        self.names = outside;
        Some(kept.into_iter().rev().fold(form?, |form, (place, value)| Form::With(place, Box::new((value, form)))))
    }

    fn local(&mut self) -> usize {
        self.locals += 1;
        self.locals - 1
    }

    fn count(&mut self) -> Option<()> {
        self.operations += 1;
        (self.operations <= MOST).then_some(())
    }
}

fn operator(token: &Token) -> Option<Operator> {
    Some(match token {
        Token::Plus => Operator::Add,
        Token::Minus => Operator::Subtract,
        Token::Multiply => Operator::Multiply,
        Token::Divide => Operator::Divide,
        Token::Modulo => Operator::Remainder,
        Token::EqualsTo => Operator::Equal,
        Token::NotEqualsTo => Operator::Unequal,
        Token::LessThan => Operator::Less,
        Token::LessThanEqualsTo => Operator::AtMost,
        Token::GreaterThan => Operator::Greater,
        Token::GreaterThanEqualsTo => Operator::AtLeast,
        _ => return None,
    })
}
