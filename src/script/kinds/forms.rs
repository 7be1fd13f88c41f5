//! Forms of expressions: what a piece of a syntax tree is, without knowing what its values are.

use crate::json::Value;
use crate::script::value;
use rhai::{ASTFlags, Expr, Stmt};

/// `root.field` or `root["field"]`.
pub(super) fn field(expression: &Expr) -> Option<(&str, &str)> {
    let (pair, dotted) = match expression {
        Expr::Dot(pair, ..) => (pair, true),
        Expr::Index(pair, ..) => (pair, false),
        _ => return None,
    };
    let Expr::Variable(variable, ..) = &pair.lhs else { return None };
    match &pair.rhs {
        Expr::Property(property, _) if dotted => Some((variable.1.as_str(), property.2.as_str())),
        Expr::StringConstant(name, _) if !dotted => Some((variable.1.as_str(), name.as_str())),
        _ => None,
    }
}

/// The variable that a chain begins with.
pub(super) fn root(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Dot(pair, ..) | Expr::Index(pair, ..) => root(&pair.lhs),
        Expr::Variable(variable, ..) => Some(variable.1.as_str()),
        _ => None,
    }
}

/// Whether an expression is a function without a name that catches a variable.
pub(super) fn catches(expression: &Expr, name: &str) -> bool {
    match expression {
        Expr::FnCall(call, _) if call.name == "curry" => {
            call.args.iter().any(|caught| matches!(caught, Expr::Variable(variable, ..) if variable.1 == name))
        }
        // What is caught is made ready before.
        Expr::Stmt(block) => match block.statements().last() {
            Some(Stmt::Expr(expression)) => catches(expression, name),
            Some(Stmt::FnCall(call, position)) => catches(&Expr::FnCall(call.clone(), *position), name),
            _ => false,
        },
        _ => false,
    }
}

/// Whether a chain's last step is an item that is named by a value: `[key]`.
pub(super) fn ends_with_item(expression: &Expr) -> bool {
    match expression {
        Expr::Dot(pair, ..) => ends_with_item(&pair.rhs),
        Expr::Index(pair, flags, _) if !flags.contains(ASTFlags::BREAK) && is_chain(&pair.rhs) => {
            ends_with_item(&pair.rhs)
        }
        Expr::Index(pair, flags, _) => {
            !flags.contains(ASTFlags::NEGATED) && !matches!(pair.rhs, Expr::StringConstant(..))
        }
        _ => false,
    }
}

pub(super) fn is_chain(expression: &Expr) -> bool {
    matches!(expression, Expr::Dot(..) | Expr::Index(..))
}

/// The value of an expression that is known without running anything.
pub(super) fn constant(expression: &Expr) -> Option<Value> {
    match expression {
        Expr::BoolConstant(truth, _) => Some(Value::Bool(*truth)),
        Expr::IntegerConstant(number, _) => Some(Value::Integer(*number)),
        Expr::StringConstant(text, _) => Some(Value::Text(text.to_string())),
        Expr::CharConstant(character, _) => Some(Value::Text(character.to_string())),
        Expr::DynamicConstant(known, _) => value::to_value(known).ok(),
        Expr::FnCall(call, _) if call.name == "-" && call.op_token.is_some() => match &call.args[..] {
            [Expr::IntegerConstant(number, _)] => number.checked_neg().map(Value::Integer),
            [Expr::DynamicConstant(known, _)] => known.as_decimal().ok().map(|decimal| Value::Decimal(-decimal)),
            _ => None,
        },
        _ => None,
    }
}

/// Fields, and variables, that a script compares with `()` or gives another value for, wherever.
pub(in crate::script) fn guards(expression: &Expr, found: &mut Vec<(String, String)>) {
    let mut note = |expression: &Expr| {
        if let Some((root, name)) = field(expression) {
            found.push((root.to_owned(), name.to_owned()));
        } else if let Expr::Variable(variable, ..) = expression {
            found.push((variable.1.to_string(), String::new()));
        }
    };
    match expression {
        Expr::FnCall(call, _) if matches!(call.name.as_str(), "==" | "!=" | "type_of") => {
            let about = call.name == "type_of" || call.args.iter().any(|argument| matches!(argument, Expr::Unit(_)));
            if about {
                call.args.iter().for_each(note);
            }
        }
        Expr::Coalesce(parts, _) => parts.iter().for_each(note),
        Expr::Dot(pair, flags, _) | Expr::Index(pair, flags, _) if flags.contains(ASTFlags::NEGATED) => note(&pair.lhs),
        _ => {}
    }
}
