//! A condition of the user's on a state or a row: checked as the scripts of the domain are, before it is asked.

use super::kinds::{self, Wants};
use super::{Checker, Purpose};
use crate::diagnostic::{Diagnostic, Place, Source};
use crate::domain::{Aggregate, Domains, Projection};
use crate::json::Value;
use crate::script::kinds::{Kind, Member, Record};
use crate::script::text::Walk;
use crate::script::{Script, ScriptText, fold, project};

impl Domains {
    /// A condition on the states of an aggregate. It sees what an invariant sees, `state` and `version`, and may call the
    /// functions of the aggregate's file. `Err`: every problem with it.
    pub fn condition(&self, aggregate: &Aggregate, text: &str) -> Result<Script, Vec<Diagnostic>> {
        let members = aggregate.rules.state.fields.iter().map(|field| member(&field.name, Kind::Any));
        let owner = format!("the state of `{}`", aggregate.name);
        let purpose = Purpose {
            scope: fold::INVARIANT_SCOPE,
            kinds: vec![
                ("state", Kind::Record(Record::new("state", owner, members.collect(), false))),
                ("version", Kind::Integer),
            ],
            aggregate: &aggregate.name,
            ..CONDITION
        };
        self.checked(aggregate.file, text, &purpose)
    }

    /// A condition on the rows of a read model. It sees `row`, as a handler does, and whether there is such a row, `exists`,
    /// and may call the functions of the projection's file. `Err`: every problem with it.
    pub fn row_condition(&self, projection: &Projection, text: &str) -> Result<Script, Vec<Diagnostic>> {
        let members = projection.columns.iter().map(|column| {
            // What need not be there may begin as something else than nothing.
            let kind = if column.zero() == Value::Null { Kind::Any } else { kinds::of(&column.kind) };
            member(&column.name, kind)
        });
        let owner = format!("a row of `{}`", projection.name);
        let purpose = Purpose {
            scope: project::CONDITION_SCOPE,
            kinds: vec![
                ("row", Kind::Record(Record::new("row", owner, members.collect(), false))),
                ("exists", Kind::Boolean),
            ],
            ..CONDITION
        };
        self.checked(projection.file, text, &purpose)
    }

    /// A condition that may call the functions of a file.
    fn checked(&self, file: usize, text: &str, purpose: &Purpose<'_>) -> Result<Script, Vec<Diagnostic>> {
        let source = Source::new("the condition", text);
        let text = ScriptText {
            text: text.to_owned(),
            place: Place::new(&source, 0..text.len()),
            key: "condition".to_owned(),
            comment: None,
            walk: Walk::default(),
        };
        let mut problems = Vec::new();
        let mut checker = Checker::new(&mut problems, &[], true);
        let script = checker.script(&self.host, &self.files[file].library, text, purpose);
        checker.read_kinds();
        problems.retain(Diagnostic::is_error);
        script.filter(|_| problems.is_empty()).ok_or(problems)
    }
}

/// What is the same for every condition.
const CONDITION: Purpose<'static> = Purpose {
    scope: &[],
    kinds: Vec::new(),
    aggregate: "",
    wants: Wants::Truth,
    changes: "",
    calls: &[],
    what: "a condition",
};

fn member(name: &str, kind: Kind) -> Member {
    Member { name: name.into(), kind, declared: true, accepts: None }
}
