//! `test`: runs the scenarios.

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::render::{Format, Listing, Output, report};
use esctl::workbench::test::{ScenarioOutcome, ScenarioResult, run_scenarios};
use std::io;

const EXAMPLES: &str = "examples:\n  esctl test\n  esctl test withdrawal -o json";

/// run the scenarios of the domain: given these events, when that command comes, then this follows
///
/// Scenarios stand in the domain files or in `*.scenarios.yaml` beside them. They need no store. Exits 0 if all
/// pass, 1 if one fails, 2 if one cannot be run or there is none.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct TestArgs {
    /// only scenarios whose name contains this text
    #[arg(value_name = "FILTER")]
    filter: Option<String>,
}

/// Runs the verb.
pub fn run(args: &TestArgs, context: &mut Context) -> Result<Exit, Failure> {
    let domains = std::rc::Rc::new(context.domains()?);
    let results = run_scenarios(&domains, args.filter.as_deref());
    context.say_notes(&domains);
    if results.is_empty() {
        return Err(nothing_to_run(args.filter.as_deref()));
    }
    match context.out.format {
        Format::Table => for_people(&results, &mut context.out),
        Format::Json | Format::Ndjson | Format::Csv => list(&results, &mut context.out),
    }
    .map_err(Failure::output)?;
    Ok(verdict(&results))
}

fn nothing_to_run(filter: Option<&str>) -> Failure {
    match filter {
        Some(filter) => Failure::usage(format!("no scenario has `{filter}` in its name"))
            .hint("`esctl test` runs all of them and shows their names"),
        None => Failure::usage("there is no scenario to run")
            .hint("write some under `scenarios` in a domain file, or in a `*.scenarios.yaml` beside it"),
    }
}

fn for_people(results: &[ScenarioResult], out: &mut Output) -> io::Result<()> {
    results.iter().try_for_each(|result| report::scenario(result, out))?;
    out.line(&report::summary(results))
}

fn list(results: &[ScenarioResult], out: &mut Output) -> io::Result<()> {
    let mut listing = Listing::new(report::SCENARIOS, out);
    let _ = results.iter().try_for_each(|result| listing.push(result));
    listing.finish()
}

fn verdict(results: &[ScenarioResult]) -> Exit {
    let any = |wanted: fn(&ScenarioOutcome) -> bool| results.iter().any(|result| wanted(&result.outcome));
    if any(|outcome| matches!(outcome, ScenarioOutcome::Broken(_))) {
        Exit::Misunderstood
    } else if any(|outcome| matches!(outcome, ScenarioOutcome::Failed(_))) {
        Exit::No
    } else {
        Exit::Done
    }
}
