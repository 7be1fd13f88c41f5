//! Following calls into the functions of a file, and into functions without a name.

use super::Kind;
use super::reader::Reader;
use crate::script::host::Function;
use crate::script::text::ScriptText;
use rhai::{Expr, FnCallExpr, Position};

/// Functions within functions that are followed.
const CALLS: usize = 16;
/// Calls of functions, with other kinds of arguments, that are followed in one script.
const KNOWN: usize = 1_000;

impl<'a> Reader<'a> {
    pub(super) fn call(&mut self, call: &FnCallExpr, position: Position) -> Kind {
        if call.op_token.is_some() {
            return self.operation(call, position);
        }
        if call.name == "curry"
            && let Some(Expr::DynamicConstant(function, _)) = call.args.first()
            && let Some(function) = function.read_lock::<rhai::FnPtr>()
        {
            return self.closure(function.fn_name(), &call.args[1..]);
        }
        if let Some(kind) = self.decision(call, position) {
            return kind;
        }
        let given: Vec<Kind> = call.args.iter().map(|argument| self.expression(argument)).collect();
        if let Some(kind) = self.own_function(call.name.as_str(), &given, position) {
            return kind;
        }
        self.packaged(call.name.as_str(), &given, position)
    }

    /// A function of the file; `None` where there is none of that name.
    fn own_function(&mut self, name: &str, given: &[Kind], position: Position) -> Option<Kind> {
        let library = self.library;
        let mut named = library.bodies().iter().filter(|function| function.name == name).peekable();
        named.peek()?;
        let Some(function) = named.clone().find(|function| function.parameters.len() == given.len()) else {
            let mut counts: Vec<String> = named.map(|function| function.parameters.len().to_string()).collect();
            counts.sort();
            let place = self.place(position);
            let message = format!("`{name}` takes {} arguments, not {}", counts.join(" or "), given.len());
            self.error("arguments", message, place);
            return Some(Kind::Any);
        };
        let text = library.text()?;
        Some(self.follow(function, given, text))
    }

    /// Goes through a function with the kinds of its parameters.
    fn follow(&mut self, function: &'a Function, given: &[Kind], text: &'a ScriptText) -> Kind {
        // Looking through what is known is reading as well.
        let left = self.around.budget.get().saturating_sub(self.known.len());
        self.around.budget.set(left);
        let same = |(name, kinds, _): &&(String, Vec<Kind>, Kind)| *name == function.name && kinds == given;
        if let Some((.., value)) = self.known.iter().find(same) {
            return value.clone();
        }
        if self.within.len() >= CALLS || self.known.len() >= KNOWN || self.within.contains(&function.name) {
            return Kind::Any;
        }
        self.within.push(function.name.clone());
        let scope = function.parameters.iter().cloned().zip(given.iter().cloned()).collect();
        let outer = (
            std::mem::replace(&mut self.scope, scope),
            std::mem::take(&mut self.returns),
            std::mem::replace(&mut self.text, text),
        );
        let value = self.statements(&function.body);
        let returned = std::mem::take(&mut self.returns);
        (self.scope, self.returns, self.text) = outer;
        self.within.pop();
        let value = returned.iter().fold(value, |value, returned| value.join(returned));
        self.known.push((function.name.clone(), given.to_vec(), value.clone()));
        value
    }

    /// A function without a name is made; what it catches of its surroundings may be changed by it from then on.
    fn closure(&mut self, name: &str, caught: &[Expr]) -> Kind {
        let mut kinds = Vec::new();
        for argument in caught {
            if let Expr::Variable(variable, ..) = argument {
                let caught = self.variable(variable.1.as_str());
                let kind = if matches!(caught, Kind::Record(_)) { caught } else { Kind::Any };
                self.set_variable(variable.1.as_str(), |_| kind.clone());
                kinds.push(kind);
            } else {
                kinds.push(self.expression(argument));
            }
        }
        let made = Kind::Closure(name.into(), kinds.into());
        // Once with arguments that are not known, should nobody call it.
        self.call_closure(&made, &[]);
        made
    }

    /// What a closure gives for these arguments; those that are not given are not known.
    pub(super) fn call_closure(&mut self, closure: &Kind, arguments: &[Kind]) -> Kind {
        let Kind::Closure(name, caught) = closure else { return Kind::Any };
        let (script, library) = (self.script, self.library);
        let of = |function: &&'a Function| function.name == **name;
        let (function, text) = match script.bodies().iter().find(of) {
            Some(function) => (function, script.text()),
            None => match (library.bodies().iter().find(of), library.text()) {
                (Some(function), Some(text)) => (function, text),
                _ => return Kind::Any,
            },
        };
        let mut given: Vec<Kind> = caught.iter().chain(arguments).cloned().collect();
        given.resize(function.parameters.len(), Kind::Any);
        self.follow(function, &given, text)
    }
}
