//! What stands on the command line for data: `FIELD=VALUE`, `FIELD:=JSON`, `@FILE`.

use super::failure::Failure;
use esctl::domain::fields::Fields;
use esctl::event::MAX_PAYLOAD_BYTES;
use esctl::json::{self, Object, Value};
use esctl::workbench::error::Misfit;
use std::fs::File;
use std::io::{self, Read};

/// One assignment as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment<'a> {
    /// What stands before the `=`.
    pub name: &'a str,
    /// Its value, still as text.
    pub text: String,
    /// Whether the text is JSON.
    pub json: bool,
}

/// Takes `NAME=VALUE`, `NAME:=JSON`, `NAME=@FILE` and `NAME:=@FILE` apart; files are read.
pub fn assignment(argument: &str) -> Result<Assignment<'_>, Failure> {
    let Some((left, right)) = argument.split_once('=') else {
        return Err(Failure::usage(format!("`{argument}` is no field: there is no `=`"))
            .hint("write `FIELD=VALUE`, as in `amount=10`, or `FIELD:=JSON`, as in `tags:='[\"a\"]'`"));
    };
    let (name, json) = left.strip_suffix(':').map_or((left, false), |name| (name, true));
    if name.is_empty() {
        return Err(Failure::usage(format!("`{argument}` has no name before its `=`")));
    }
    let text = match right.strip_prefix('@') {
        Some(path) => file(path).map_err(|failure| {
            failure.hint(format!("a text that begins with `@` is written as JSON: `{name}:='\"{right}\"'`"))
        })?,
        None => right.to_owned(),
    };
    Ok(Assignment { name, text, json })
}

/// The payload: what `--data` gives, with the fields that stand beside it, each read by its declared type.
///
/// A name that is not declared is passed on, so that the check of the whole payload can say what is wrong with all
/// of it at once.
pub fn payload(command: &str, declared: &Fields, data: Option<&str>, fields: &[String]) -> Result<Object, Failure> {
    let mut payload = data.map(whole).transpose()?.unwrap_or_default();
    let mut misfit = Misfit::new(format!("the payload of `{command}` does not fit"));
    let mut given = Vec::new();
    for argument in fields {
        let assignment = assignment(argument)?;
        if given.contains(&assignment.name) {
            return Err(Failure::usage(format!("`{}` is given twice", assignment.name)));
        }
        given.push(assignment.name);
        match read(&assignment, declared) {
            Ok(value) => {
                payload.insert(assignment.name.to_owned(), value);
            }
            Err(words) => {
                let mut pointer = String::new();
                json::pointer_push(&mut pointer, assignment.name);
                misfit.details.push((pointer, words));
                // It stands for itself, so that the check of the rest does not miss it.
                payload.insert(assignment.name.to_owned(), Value::Text(assignment.text));
            }
        }
    }
    if misfit.details.is_empty() {
        return Ok(payload);
    }
    // All at once: what else is wrong is said as well.
    for problem in declared.accept(payload).err().unwrap_or_default() {
        if !misfit.details.iter().any(|(pointer, _)| *pointer == problem.pointer) {
            misfit.details.push((problem.pointer, problem.message));
            misfit.hints.extend(problem.hint);
        }
    }
    Err(misfit.into())
}

fn read(assignment: &Assignment<'_>, declared: &Fields) -> Result<Value, String> {
    if assignment.json {
        return json::parse(&assignment.text).map_err(|error| format!("not JSON: {error}"));
    }
    match declared.get(assignment.name) {
        Some(field) => field.kind.read(&assignment.text),
        None => Ok(Value::Text(assignment.text.clone())),
    }
}

/// What was added with `--meta`: texts, or JSON after `:=`.
pub fn meta(arguments: &[String]) -> Result<Object, Failure> {
    named_values("--meta", arguments)
}

/// The same with another flag.
pub fn named_values(flag: &str, arguments: &[String]) -> Result<Object, Failure> {
    let mut values = Object::new();
    for argument in arguments {
        let assignment = assignment(argument)?;
        let value = if assignment.json {
            let not_json = |error| Failure::usage(format!("`{flag} {}` is not JSON: {error}", assignment.name));
            json::parse(&assignment.text).map_err(not_json)?
        } else {
            Value::Text(assignment.text)
        };
        if values.insert(assignment.name.to_owned(), value).is_some() {
            return Err(Failure::usage(format!("`{flag} {}` is given twice", assignment.name)));
        }
    }
    Ok(values)
}

/// `--data`: JSON, `@` and a file that holds it, or `-` for stdin.
fn whole(data: &str) -> Result<Object, Failure> {
    let text = match data.strip_prefix('@') {
        Some(path) => file(path)?,
        None if data == "-" => limited(io::stdin().lock(), "stdin")?,
        None => data.to_owned(),
    };
    match json::parse(&text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => {
            Err(Failure::usage(format!("`--data` is an object, as in `{{\"amount\":10}}`, not {}", other.kind_name())))
        }
        Err(error) => Err(Failure::usage(format!("`--data` is not JSON: {error}"))),
    }
}

fn file(path: &str) -> Result<String, Failure> {
    let cannot = |error: io::Error| Failure::usage(format!("`{path}` cannot be read: {error}"));
    limited(File::open(path).map_err(cannot)?, path)
}

/// A text that is not larger than any payload may be.
fn limited(input: impl Read, name: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let most = MAX_PAYLOAD_BYTES as u64;
    let cannot = |error: io::Error| Failure::usage(format!("`{name}` cannot be read: {error}"));
    input.take(most + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > most {
        return Err(Failure::usage(format!("`{name}` is larger than 1 MiB, the most a payload may be")));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::usage(format!("`{name}` is not UTF-8 text: byte {at}, counted from 0, is not"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(argument: &str) -> (String, String, bool) {
        let read = assignment(argument).unwrap();
        (read.name.to_owned(), read.text, read.json)
    }

    #[test]
    fn an_assignment_splits_at_its_first_equals_sign() {
        assert_eq!(parts("amount=10"), ("amount".into(), "10".into(), false));
        assert_eq!(parts("note=a:=b=c"), ("note".into(), "a:=b=c".into(), false));
        assert_eq!(parts("tags:=[1]"), ("tags".into(), "[1]".into(), true));
        assert_eq!(parts("empty="), ("empty".into(), String::new(), false));
        assert!(assignment("amount").is_err());
        assert!(assignment("=10").is_err());
        assert!(assignment(":=10").is_err());
        assert!(assignment("note=@/nowhere/to/be/found").is_err());
    }

    #[test]
    fn meta_is_text_unless_it_says_json() {
        let given = ["trace=1".to_owned(), "attempt:=1.50".to_owned()];
        assert_eq!(Value::Object(meta(&given).unwrap()).to_string(), r#"{"trace":"1","attempt":1.50}"#);
        assert!(meta(&["a=1".to_owned(), "a:=2".to_owned()]).is_err());
        assert!(meta(&["a:=".to_owned()]).is_err());
    }
}
