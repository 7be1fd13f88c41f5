//! `test --record`: history as a scenario.

use super::super::context::{Context, Purpose};
use super::super::failure::{Exit, Failure};
use super::super::replay::named;
use crate::render::{recorded, report};
use esctl::diagnostic::{self, Source};
use esctl::domain::Domains;
use esctl::event::Position;
use esctl::workbench::record::{Recording, Stretch};
use esctl::workbench::test::run_scenarios;
use std::io::Write as _;
use std::rc::Rc;
use std::sync::Arc;

/// What the scenario is called while it is tried; its name must not be that of a file of the user's.
const TRIED: &str = "recorded.scenarios.yaml";

/// Runs the verb.
pub fn run(what: &str, context: &mut Context) -> Result<Exit, Failure> {
    let stretch = stretch(what)?;
    let mut workbench = context.workbench(Purpose::Look)?;
    let recording = workbench.record(&stretch);
    context.say_notes(&workbench.domains);
    let recording = recording?;
    let text = recorded::file(what, &recording);
    context.out.write_all(text.as_bytes()).and_then(|()| context.out.flush()).map_err(Failure::output)?;
    holds(&workbench.domains, text, &recording, context)
}

/// `account/ada`, or `@3..9`.
fn stretch(what: &str) -> Result<Stretch, Failure> {
    let Some(range) = what.strip_prefix('@') else {
        return Ok(Stretch::Stream(named(what)?));
    };
    let wrong = || {
        Failure::usage(format!("`{what}` is no stretch of the log")).hint("write two positions, both included: `@3..9`")
    };
    let (from, to) = range.split_once("..").ok_or_else(wrong)?;
    let position = |text: &str| text.trim_start_matches('@').parse().map(Position).map_err(|_| wrong());
    let (from, to) = (position(from)?, position(to)?);
    if from > to || from == Position(0) { Err(wrong()) } else { Ok(Stretch::Range(from, to)) }
}

/// Tries what was printed, and says where it does not hold: the rules have changed since, or look at what a scenario does
/// not know.
fn holds(domains: &Domains, text: String, recording: &Recording, context: &Context) -> Result<Exit, Failure> {
    let sources = domains.files().iter().map(|file| Arc::clone(&file.source));
    let sources: Vec<_> = sources.chain([Source::new(TRIED, text)]).collect();
    let (tried, problems) = Domains::load(&sources);
    let talk = context.talk;
    let Some(tried) = tried else {
        let problems: Vec<_> = problems.into_iter().filter(diagnostic::Diagnostic::is_error).collect();
        talk.text(&diagnostic::render(&problems, talk.color));
        talk.note("the scenario was printed, but by these rules it cannot be run");
        return Ok(Exit::No);
    };
    let results = run_scenarios(&Rc::new(tried), Some(TRIED));
    let mut said = Vec::new();
    for result in &results {
        report::shortcomings(&result.outcome, talk.color, &mut said).map_err(Failure::output)?;
    }
    if said.is_empty() {
        return Ok(Exit::Done);
    }
    talk.text(&String::from_utf8_lossy(&said));
    talk.note("the scenario was printed, but by these rules it does not hold");
    if recording.when.iter().any(|command| command.actor.is_some() || command.meta.is_some()) {
        talk.note("commands of a scenario have no actor and no further `meta`");
    }
    Ok(Exit::No)
}
