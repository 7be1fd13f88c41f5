//! How scenarios went.

use super::listing::{Column, Render};
use super::table::{Wide, side_by_side};
use super::{Output, text, wire};
use esctl::diagnostic;
use esctl::workbench::test::{Difference, ScenarioOutcome, ScenarioResult};
use std::fmt::Write as _;
use std::io::{self, Write as _};

/// Columns of [`ScenarioResult`].
pub const SCENARIOS: &[Column] = &[
    Column::text("domain"),
    Column::text("scenario"),
    Column::text("outcome"),
    Column::text("file"),
    Column::number("line"),
    Column::text("expected"),
    Column::text("actual"),
];

impl Render for ScenarioResult {
    fn cells(&self) -> Vec<String> {
        vec![
            self.domain.clone(),
            self.name.clone(),
            word(&self.outcome).to_owned(),
            self.place.source.name.clone(),
            self.place.line().to_string(),
            sides(&self.outcome, |found| &found.expected),
            match &self.outcome {
                ScenarioOutcome::Broken(problem) => problem.message.clone(),
                outcome => sides(outcome, |found| &found.actual),
            },
        ]
    }

    fn json(&self) -> io::Result<String> {
        let (differences, problem) = match &self.outcome {
            ScenarioOutcome::Passed => (&[][..], None),
            ScenarioOutcome::Failed(differences) => (differences.as_slice(), None),
            ScenarioOutcome::Broken(problem) => (&[][..], Some(problem.into())),
        };
        wire::line(&wire::Tested {
            domain: &self.domain,
            scenario: &self.name,
            outcome: word(&self.outcome),
            place: (&self.place).into(),
            differences: differences.iter().map(wire::Difference::from).collect(),
            problem,
        })
    }
}

/// One side of all differences, each under what was compared where there are several.
fn sides(outcome: &ScenarioOutcome, side: fn(&Difference) -> &String) -> String {
    match outcome {
        ScenarioOutcome::Failed(differences) => match differences.as_slice() {
            [only] => side(only).clone(),
            several => {
                several.iter().map(|found| format!("{}:\n{}", found.what, side(found))).collect::<Vec<_>>().join("\n")
            }
        },
        ScenarioOutcome::Passed | ScenarioOutcome::Broken(_) => String::new(),
    }
}

/// How a scenario went, in a word for programs.
pub fn word(outcome: &ScenarioOutcome) -> &'static str {
    match outcome {
        ScenarioOutcome::Passed => "passed",
        ScenarioOutcome::Failed(_) => "failed",
        ScenarioOutcome::Broken(_) => "error",
    }
}

/// A scenario for people: a line, and below it what went otherwise.
pub fn scenario(result: &ScenarioResult, out: &mut Output) -> io::Result<()> {
    let name = format!("{}: {}", text::harmless(&result.domain), text::harmless(&result.name));
    match &result.outcome {
        ScenarioOutcome::Passed => out.line(&format!("ok      {name}")),
        ScenarioOutcome::Failed(differences) => {
            out.line(&format!("FAILED  {name}"))?;
            out.line(&format!("  --> {}", place(&result.place)))?;
            differences.iter().try_for_each(|found| difference(found, out, Wide::Terminal))
        }
        ScenarioOutcome::Broken(problem) => {
            out.line(&format!("cannot run  {name}"))?;
            for line in diagnostic::render(std::slice::from_ref(problem), out.color).lines() {
                writeln!(out, "{}", format!("  {line}").trim_end())?;
            }
            Ok(())
        }
    }
}

/// A difference for people: what was compared, and both sides beside each other.
pub fn difference(found: &Difference, out: &mut impl io::Write, wide: Wide) -> io::Result<()> {
    writeln!(out, "  {} ({})", text::harmless(&found.what), place(&found.place))?;
    side_by_side(("expected", &found.expected), ("actual", &found.actual), wide, out)
}

/// What was not as a scenario says, for people: nothing where everything was.
pub fn shortcomings(outcome: &ScenarioOutcome, color: bool, out: &mut impl io::Write) -> io::Result<()> {
    match outcome {
        ScenarioOutcome::Passed => Ok(()),
        ScenarioOutcome::Failed(differences) => {
            differences.iter().try_for_each(|found| difference(found, out, Wide::Terminal))
        }
        ScenarioOutcome::Broken(problem) => {
            out.write_all(diagnostic::render(std::slice::from_ref(problem), color).as_bytes())
        }
    }
}

/// `domains/bank.yaml:12:9`
pub fn place(place: &diagnostic::Place) -> String {
    text::harmless(&place.to_string()).into_owned()
}

/// `5 scenarios: 4 passed, 1 failed`
pub fn summary(results: &[ScenarioResult]) -> String {
    let mut out = text::count(results.len() as u64, "scenario");
    let mut before = ": ";
    for (outcome, said) in [("passed", "passed"), ("failed", "failed"), ("error", "cannot run")] {
        let number = results.iter().filter(|result| word(&result.outcome) == outcome).count();
        if number > 0 {
            let _ = write!(out, "{before}{} {said}", text::thousands(number as u64));
            before = ", ";
        }
    }
    out
}
