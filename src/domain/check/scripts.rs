//! Scripts: that they compile, and that what they name is in scope.

use super::kinds::Reading;
use super::{Checker, DECIDING, PROJECTING, Purpose, REACTING};
use crate::diagnostic::{Diagnostic, meant, suggest};
use crate::script::facts::{Call, Facts};
use crate::script::{Host, Library, Script, ScriptText, functions};
use std::collections::BTreeSet;
use std::rc::Rc;

impl Checker<'_> {
    /// Functions are pure helpers: they see only their parameters.
    pub(super) fn library(&mut self, library: &Library) {
        self.inexact(library.facts());
        self.no_this(library.facts());
        for call in &library.facts().calls {
            self.call_exists(call, (library, &[]), "a function");
        }
        for (name, _) in library.functions() {
            if is_ours(name) || home(name).is_some() {
                let text = library.text();
                let place = text.map(|t| t.token(t.text.find(&format!("fn {name}")).map_or(0, |n| n + 3)));
                if let Some(place) = place {
                    self.problem(
                        "redefined",
                        format!("`{name}` is a function already and cannot be defined again"),
                        &place,
                    );
                }
            }
        }
    }

    /// Compiles a script, checks what it names, and sees to it that it is read; `None` where it does not compile.
    pub(super) fn script(
        &mut self,
        host: &Host,
        library: &Rc<Library>,
        text: ScriptText,
        purpose: &Purpose<'_>,
    ) -> Option<Script> {
        let script = self.compiled(host, library, text, purpose)?;
        self.read(&script, purpose);
        Some(script)
    }

    /// What a script computes with is checked when all are there.
    pub(super) fn read(&mut self, script: &Script, purpose: &Purpose<'_>) {
        self.readings.push(Reading::new(script, purpose));
    }

    /// Compiles a script and checks what it names; `None` where it does not compile.
    pub(super) fn compiled(
        &mut self,
        host: &Host,
        library: &Rc<Library>,
        text: ScriptText,
        purpose: &Purpose<'_>,
    ) -> Option<Script> {
        let script = match host.compile(text, purpose.scope, library) {
            Ok(script) => script,
            Err(problem) => {
                self.problems.push(in_scope_hint(problem, purpose.scope));
                return None;
            }
        };
        for (name, place) in &script.facts().declares {
            self.problem("function", format!("the function `{name}` is declared within a script"), place)
                .hints
                .push("functions stand under `functions`, where every script of the file can call them".to_owned());
        }
        for (root, place) in script.facts().changed.iter().filter(|(root, _)| root != purpose.changes) {
            let hint = match root.as_str() {
                "state" if purpose.what == "a `decide`" => "a decision changes the state by what it emits",
                _ => "copy it first: `let copy = …`",
            };
            self.problem("constant", format!("`{root}` cannot be changed in {}", purpose.what), place)
                .hints
                .push(hint.to_owned());
        }
        for (name, place) in script.facts().variables.iter().filter(|(name, _)| purpose.scope.contains(&name.as_str()))
        {
            self.problem("shadowing", format!("`{name}` is already in scope and cannot be declared again"), place)
                .hints
                .push("give the variable another name".to_owned());
        }
        self.inexact(script.facts());
        self.no_this(script.facts());
        for call in &script.facts().calls {
            self.call_exists(call, (library, purpose.calls), purpose.what);
        }
        self.positions(script.facts(), purpose);
        Some(script)
    }

    fn inexact(&mut self, facts: &Facts) {
        for place in &facts.inexact {
            self.problem("inexact", "this number has more digits than can be kept exactly: 28 in all", place);
        }
    }

    pub(super) fn no_this(&mut self, facts: &Facts) {
        for place in &facts.this {
            self.problem("this", "`this` has no place in rules", place)
                .hints
                .push("name what you mean as a parameter".to_owned());
        }
    }

    /// `more`: functions beyond those that every script may call.
    fn call_exists(&mut self, call: &Call, (library, more): (&Library, &[&str]), what: &str) {
        if callable(library, more).any(|known| known == call.name) {
            return;
        }
        if let Some(home) = home(&call.name) {
            self.problem(
                "not-in-scope",
                format!("`{}` can only be called in {home}, not in {what}", call.name),
                &call.place,
            );
            return;
        }
        if !self.functions {
            return;
        }
        let message = format!("there is no function `{}`", call.name);
        let known: BTreeSet<&str> = callable(library, more).collect();
        let near = suggest(&call.name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        self.problem("unknown-function", message, &call.place).hints.extend(near);
    }

    /// Positions are for projections and processes alone.
    fn positions(&mut self, facts: &Facts, purpose: &Purpose<'_>) {
        if !purpose.what.contains("projection") && !purpose.what.contains("process") {
            for access in facts.accesses.iter().filter(|a| a.root == "meta" && a.field == "position") {
                self.problem(
                    "position",
                    "`meta.position` is for projections and processes: a state must not depend on where in the store its events lie",
                    &access.place,
                );
            }
        }
    }
}

/// The functions a script may call, some of them twice.
fn callable<'a>(library: &'a Library, more: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let ours = functions::PACKAGED.iter().chain(functions::OWN).chain(more).copied();
    ours.chain(library.functions().iter().map(|(name, _)| name.as_str()))
}

/// Where a function can be called that not every script may call.
fn home(name: &str) -> Option<&'static str> {
    let homes =
        [(DECIDING, "a `decide`"), (PROJECTING, "a projection's handler"), (REACTING, "a handler of a process")];
    homes.into_iter().find(|(names, _)| names.contains(&name)).map(|(_, home)| home)
}

pub(super) fn is_ours(name: &str) -> bool {
    functions::PACKAGED.contains(&name) || functions::OWN.contains(&name)
}

/// Adds what is in scope to a complaint that something is not.
pub(super) fn in_scope_hint(problem: Diagnostic, scope: &[&str]) -> Diagnostic {
    if problem.rule != "not-in-scope" {
        return problem;
    }
    let word = problem.message.split('`').nth(1).unwrap_or_default().to_owned();
    match meant(&word, scope.iter().copied(), "in scope here:") {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}
