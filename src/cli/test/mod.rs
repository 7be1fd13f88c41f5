//! `test`: runs the scenarios, or random commands.

mod generate;
mod record;

use super::context::Context;
use super::failure::{Exit, Failure, Kind};
use super::newfile::NewFile;
use crate::render::{Format, Listing, Output, coverage, junit, report};
use esctl::domain::coverage::Coverage;
use esctl::workbench::test::{ScenarioOutcome, ScenarioResult, run_scenarios};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "examples:\n  esctl test\n  esctl test withdrawal -o json\n  esctl test --coverage --min 50\n  \
                        esctl test --junit results.xml\n  esctl test --generate 100\n  \
                        esctl test account --generate 100 --seed 7\n  esctl test --record account/ada > ada.scenarios.yaml";

/// run the scenarios of the domain: given these events, when that command comes, then this follows
///
/// Scenarios stand in the domain files or in `*.scenarios.yaml` beside them. They need no store. Exits 0 if all
/// pass, 1 if one fails or less is reached than `--min` asks for, 2 if one cannot be run or there is none.
///
/// With `--generate` no scenario is run. Random commands, made from the types of their fields, are sent to stores in
/// memory, and what must hold is looked at: no script fails; invariants, states and read models are what the events
/// give. What breaks it is made short and printed as a scenario. Exits 0 if all holds, 1 if something breaks.
///
/// With `--record` history becomes a scenario, for a `*.scenarios.yaml`: the commands come again, what was there before is
/// given, and what they gave is expected. Exits 0 if it holds by the rules as they are now, 1 if it does not.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct TestArgs {
    /// only scenarios with this text in their name, their file or an aggregate of their commands; with `--generate` only
    /// commands to aggregates with it in their name or their file
    #[arg(value_name = "FILTER")]
    filter: Option<String>,
    /// write the results as JUnit XML for CI systems, whether they pass or not; `-` is stdout, instead of the results
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// say what no scenario reaches: commands, events, rejections, invariants, branches of decisions, handlers
    #[arg(long)]
    coverage: bool,
    /// exit 1 if less than this share of it is reached; means `--coverage`
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(..=100))]
    min: Option<u64>,
    /// send random commands instead, up to 30 in each of N runs, and look whether everything holds that must
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), conflicts_with = "junit")]
    generate: Option<u64>,
    /// the same commands as the last time with this seed; without it one is drawn, and printed
    #[arg(long, value_name = "SEED", requires = "generate")]
    seed: Option<u64>,
    /// print what is stored as a scenario instead: the commands of a stream, or those between two positions
    #[arg(long, value_name = "STREAM|@FROM..TO", conflicts_with_all = ["filter", "junit", "coverage", "min", "generate"])]
    record: Option<String>,
}

impl TestArgs {
    fn covers(&self) -> bool {
        self.coverage || self.min.is_some()
    }
}

/// Runs the verb.
pub fn run(args: &TestArgs, context: &mut Context) -> Result<Exit, Failure> {
    if let Some(what) = &args.record {
        return record::run(what, context);
    }
    if let Some(runs) = args.generate {
        return generate::run(args, runs, context);
    }
    let covers = args.covers();
    let alone = args.junit.as_deref() == Some(Path::new("-"));
    if alone && (covers || context.out.format != Format::Table) {
        return Err(Failure::usage("`--junit -` writes XML to stdout, so nothing else can be asked for there")
            .hint("name a file: `--junit results.xml`"));
    }
    let mut domains = context.domains()?;
    if covers {
        domains.watch();
    }
    let domains = std::rc::Rc::new(domains);
    let results = run_scenarios(&domains, args.filter.as_deref());
    context.say_notes(&domains);
    if results.is_empty() {
        return Err(nothing_to_run(args.filter.as_deref()));
    }
    if alone {
        junit::write(&results, &mut context.out).map_err(Failure::output)?;
        return Ok(verdict(&results));
    }
    if let Some(path) = &args.junit {
        write_junit(&results, path)?;
    }
    let covered = covers.then(|| domains.coverage());
    tell(&results, covered.as_ref(), args.min, &mut context.out).map_err(Failure::output)?;
    let few = few(covered.as_ref(), args.min, context);
    Ok(match verdict(&results) {
        Exit::Done if few => Exit::No,
        exit => exit,
    })
}

/// Whether less is reached than is asked for, which is said.
fn few(covered: Option<&Coverage>, min: Option<u64>, context: &Context) -> bool {
    match (covered, min) {
        (Some(covered), Some(min)) if !covered.is_at_least(min) => {
            if !context.out.format.is_json() {
                let percent = coverage::percent(covered);
                context.talk.note(&format!("{percent} % is less than the {min} % that `--min` asks for"));
            }
            true
        }
        _ => false,
    }
}

fn nothing_to_run(filter: Option<&str>) -> Failure {
    match filter {
        Some(filter) => Failure::usage(format!("no scenario has `{filter}` in its name, its file or its aggregates"))
            .hint("`esctl test` runs all of them and shows their names"),
        None => Failure::usage("there is no scenario to run")
            .hint("write some under `scenarios` in a domain file, or in a `*.scenarios.yaml` beside it"),
    }
}

fn write_junit(results: &[ScenarioResult], path: &Path) -> Result<(), Failure> {
    let (whole, file) = NewFile::over(path)?;
    let mut out = BufWriter::new(file);
    junit::write(results, &mut out).and_then(|()| out.flush()).map_err(|error| {
        Failure::new(Kind::Unavailable, format!("`{}` cannot be written: {}", path.display(), error.kind()))
    })?;
    whole.finish()
}

fn tell(results: &[ScenarioResult], covered: Option<&Coverage>, min: Option<u64>, out: &mut Output) -> io::Result<()> {
    if out.format == Format::Table {
        for_people(results, out)?;
    }
    match covered {
        Some(covered) => {
            if out.format == Format::Table {
                out.line("")?;
            }
            coverage::coverage(covered, results, min, out)
        }
        None if out.format == Format::Table => Ok(()),
        None => list(results, out),
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
