//! A condition of the user's on a state: checked as the scripts of the domain are, before it is asked.

use super::kinds::Wants;
use super::{Checker, Purpose};
use crate::diagnostic::{Diagnostic, Place, Source};
use crate::domain::{Aggregate, Domains};
use crate::script::kinds::{Kind, Member, Record};
use crate::script::text::Walk;
use crate::script::{Script, ScriptText, fold};

impl Domains {
    /// A condition on the states of an aggregate. It sees what an invariant sees, `state` and `version`, and may call the
    /// functions of the aggregate's file. `Err`: every problem with it.
    pub fn condition(&self, aggregate: &Aggregate, text: &str) -> Result<Script, Vec<Diagnostic>> {
        let source = Source::new("the condition", text);
        let text = ScriptText {
            text: text.to_owned(),
            place: Place::new(&source, 0..text.len()),
            key: "condition".to_owned(),
            comment: None,
            walk: Walk::default(),
        };
        let fields = aggregate.rules.fields.iter().map(|field| Member {
            name: field.name.as_str().into(),
            kind: Kind::Any,
            declared: true,
            accepts: None,
        });
        let owner = format!("the state of `{}`", aggregate.name);
        let purpose = Purpose {
            scope: fold::INVARIANT_SCOPE,
            kinds: vec![
                ("state", Kind::Record(Record::new("state", owner, fields.collect(), false))),
                ("version", Kind::Integer),
            ],
            aggregate: &aggregate.name,
            wants: Wants::Truth,
            changes: "",
            calls: &[],
            what: "a condition",
        };
        let mut problems = Vec::new();
        let mut checker = Checker::new(&mut problems, &[], true);
        let script = checker.script(&self.host, &self.files[aggregate.file].library, text, &purpose);
        checker.read_kinds();
        problems.retain(Diagnostic::is_error);
        script.filter(|_| problems.is_empty()).ok_or(problems)
    }
}
