//! What went wrong in a script, in the user's words and at its place in the domain file.

use super::host::{Limits, Script};
use super::text::ScriptText;
use crate::diagnostic::{Diagnostic, Place};
use rhai::{EvalAltResult, ParseErrorType, Position};

/// How the message of a script begins that took too long.
pub const PAST_LIMIT: &str = "the script ran past its limit";

/// A script that failed or ran past its limits. Exit code 4.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Fault(pub Box<Diagnostic>);

impl Fault {
    /// A fault at a place.
    pub fn new(message: impl Into<String>, place: Place) -> Self {
        Self(Box::new(Diagnostic::error("script", message).at(place)))
    }

    /// Says what was being done.
    #[must_use]
    pub fn while_doing(mut self, situation: impl FnOnce() -> String) -> Self {
        if self.0.situation.is_none() {
            self.0.situation = Some(situation());
        }
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hints.push(hint.into());
        self
    }
}

/// A token that ends a script for good: no `catch` sees it.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    /// A limit or a failing host function: the words, and a hint.
    Failed(String, Option<String>),
    /// The outcome is already noted at the desk (a rejection, or a stream that has to be read first).
    Settled,
}

impl Stop {
    /// The error that a host function returns.
    pub(super) fn raise<T>(self) -> Result<T, Box<EvalAltResult>> {
        Err(EvalAltResult::ErrorTerminated(rhai::Dynamic::from(self), Position::NONE).into())
    }

    /// Fails with these words.
    pub(super) fn failed<T>(message: impl Into<String>) -> Result<T, Box<EvalAltResult>> {
        Self::Failed(message.into(), None).raise()
    }
}

/// Turns an error while running into a fault.
pub(super) fn while_running(script: &Script, error: EvalAltResult) -> Fault {
    let mut text: &ScriptText = script.text();
    let mut error = error;
    // The innermost call is where it happened; a closure is written in the script itself.
    loop {
        match error {
            EvalAltResult::ErrorInFunctionCall(name, _, inner, _) => {
                if !name.starts_with("anon$")
                    && let Some(functions) = script.library().text()
                {
                    text = functions;
                }
                error = *inner;
            }
            other => {
                error = other;
                break;
            }
        }
    }
    let place = place_of(text, error.position());
    let (message, hint) = words(script, text, &error);
    let fault = Fault::new(message, place);
    match hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

/// The number with an exponent at whose `e` a script could not be read any further.
fn with_exponent(place: &Place) -> Option<&str> {
    let (before, rest) = place.source.text.split_at_checked(place.start)?;
    let digits = before.len() - before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '_').len();
    let exponent = rest.strip_prefix(['e', 'E'])?;
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let after = exponent.trim_start_matches(|c: char| c.is_ascii_digit());
    let number = before.len() - digits..place.source.text.len() - after.len();
    (before.ends_with(|c: char| c.is_ascii_digit()) && after.len() < exponent.len()).then(|| &place.source.text[number])
}

/// Turns an error while compiling into a diagnostic.
pub(super) fn while_compiling(text: &ScriptText, error: &rhai::ParseError) -> Diagnostic {
    let diagnostic = what_does_not_compile(text, error);
    match &text.comment {
        // ` #{` in a plain one-line value begins a comment and cuts the script short.
        Some(comment) => {
            let line = comment.source.text.get(text.place.start..comment.end).unwrap_or_default();
            diagnostic.hint(format!(
                "YAML takes ` #` for the beginning of a comment; write the script as a block:\n  {}: |\n    {line}",
                text.key
            ))
        }
        None => diagnostic,
    }
}

fn what_does_not_compile(text: &ScriptText, error: &rhai::ParseError) -> Diagnostic {
    let place = place_of(text, error.position());
    let diagnostic = |message: String| Diagnostic::error("script", message).at(place.clone());
    if let Some(number) = with_exponent(&place) {
        return diagnostic(format!("`{number}` is no number: the script language has none with an exponent"))
            .hint("write it out, with all of its digits");
    }
    match error.err_type() {
        ParseErrorType::VariableUndefined(name) => {
            Diagnostic::error("not-in-scope", format!("`{name}` is not in scope")).at(place)
        }
        ParseErrorType::UnexpectedEOF => diagnostic("the script ends too early".to_owned()),
        ParseErrorType::MissingToken(token, why) if token == ";" => diagnostic(format!("a `;` is missing here, {why}")),
        ParseErrorType::MissingToken(token, why) => diagnostic(format!("`{token}` is expected here, {why}")),
        ParseErrorType::Reserved(name) | ParseErrorType::BadInput(rhai::LexError::ImproperSymbol(name, _))
            if name.chars().all(|c| c.is_alphanumeric() || c == '_') =>
        {
            let reserved = diagnostic(format!("`{name}` is a reserved word of the script language"));
            // A field may well bear that name; what is called is no field.
            if text.text[text.offset_of(error.position())..].starts_with(&format!("{name}(")) {
                return reserved;
            }
            reserved.hint(format!("write a field of that name as `event[\"{name}\"]`"))
        }
        ParseErrorType::LiteralTooLarge(..) => diagnostic("this literal is too large".to_owned()),
        other => diagnostic(lower(&other.to_string())),
    }
}

/// The place of a Rhai position; the whole script where there is none.
pub(super) fn place_of(text: &ScriptText, position: Position) -> Place {
    match position.line() {
        Some(_) => text.token(text.offset_of(position)),
        None => text.whole(),
    }
}

fn words(script: &Script, text: &ScriptText, error: &EvalAltResult) -> (String, Option<String>) {
    use EvalAltResult as E;
    match error {
        E::ErrorTerminated(token, _) => match token.clone().try_cast::<Stop>() {
            Some(Stop::Failed(message, hint)) => (message, hint),
            _ => ("the script was stopped".to_owned(), None),
        },
        E::ErrorPropertyNotFound(name, position) => match script.facts().root_at(*position) {
            Some(root) if std::ptr::eq(text, script.text()) => (format!("`{root}` has no field `{name}`"), None),
            _ => (
                format!("there is no field `{name}` here"),
                Some(format!("`get(map, \"{name}\", default)` reads a field that may be missing")),
            ),
        },
        E::ErrorIndexNotFound(key, _) => (
            format!("there is no `{key}` here"),
            Some("`get(map, key, default)` reads a key that may be missing".to_owned()),
        ),
        E::ErrorVariableNotFound(name, _) => (format!("`{name}` is not in scope"), None),
        E::ErrorFunctionNotFound(signature, _) => (format!("there is no `{}`", types_in(signature)), None),
        E::ErrorMismatchDataType(expected, actual, _) | E::ErrorMismatchOutputType(expected, actual, _) => {
            (format!("found {}, expected {}", type_name(actual), type_name(expected)), None)
        }
        // `Unknown property 'nope' - a getter is not registered for type 'string'`
        E::ErrorDotExpr(what, _) => match what.split('\'').collect::<Vec<_>>()[..] {
            [_, name, _, kind, ..] => {
                (format!("there is no field `{name}` in a value of type {}", type_name(kind)), None)
            }
            _ => (lower(what), None),
        },
        E::ErrorArithmetic(what, _) => (lower(what), None),
        E::ErrorAssignmentToConstant(name, _) | E::ErrorNonPureMethodCallOnConstant(name, _) => {
            (format!("`{name}` cannot be changed here"), Some("a decision changes the state by `emit`".to_owned()))
        }
        E::ErrorRuntime(value, _) => {
            (if value.is_unit() { "the script threw".to_owned() } else { format!("{value}") }, None)
        }
        E::ErrorTooManyOperations(_) => (too_many_operations(), None),
        E::ErrorStackOverflow(_) => (format!("functions call each other more than {} deep", Limits::CALLS), None),
        E::ErrorArrayBounds(length, index, _) => (format!("there is no item {index} in a list of {length}"), None),
        E::ErrorStringBounds(length, index, _) => {
            (format!("there is no character {index} in a text of {length}"), None)
        }
        E::ErrorFor(_) => ("this is nothing that `for` can go through".to_owned(), None),
        E::ErrorDataRace(name, _) => (format!("`{name}` is in use and cannot be changed at the same time"), None),
        other => {
            let mut other = other.to_string();
            if let Some(at) = other.rfind(" (line ") {
                other.truncate(at);
            }
            (lower(&other), None)
        }
    }
}

/// What is said of a script that would never come to its end.
pub(super) fn too_many_operations() -> String {
    format!("{PAST_LIMIT} of {} operations", Limits::OPERATIONS)
}

/// The user's name of a Rhai type.
pub(super) fn type_name(rhai: &str) -> &str {
    match rhai {
        "i64" => "integer",
        "rust_decimal::decimal::Decimal" | "decimal" => "decimal",
        "bool" => "boolean",
        "string" | "&str | ImmutableString | String" | "&str" => "string",
        "array" | "alloc::vec::Vec<rhai::types::dynamic::Dynamic>" => "list",
        other => other,
    }
}

fn types_in(signature: &str) -> String {
    let Some((name, types)) = signature.split_once(" (") else { return signature.to_owned() };
    let types: Vec<&str> = types.trim_end_matches(')').split(", ").map(type_name).collect();
    if name.chars().all(|c| !c.is_alphanumeric()) && types.len() == 2 {
        return format!("{} {name} {}", types[0], types[1]);
    }
    format!("{name}({})", types.join(", "))
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        // `I/O` and the like stay.
        Some(first) if chars.clone().next().is_none_or(char::is_lowercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}
