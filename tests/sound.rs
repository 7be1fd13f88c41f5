//! A domain that passes `check` never gives a definition error later: whole domains by chance, with mistakes planted in
//! some, are checked and, where they are sound, used.
//!
//! The law the other way round, that what is called an error fails, is in `rules.rs`.

mod domains;
mod types;

use crate::support::trial::{Dice, scaled};
use crate::support::world::World;
use domains::{Domain, Maker};
use esctl::diagnostic::{self, Diagnostic, Source};
use esctl::domain::Domains;
use esctl::event::{StreamName, Time};
use esctl::workbench::process;
use esctl::workbench::project::Manner;
use esctl::workbench::send::Sent;
use esctl::workbench::test::{ScenarioOutcome, run_scenarios};
use esctl::workbench::{Error, Workbench};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What came of some domains.
#[derive(Debug, Default)]
struct Count {
    sound: usize,
    unsound: usize,
    /// Sound, with a warning of what may fail.
    told: usize,
    /// Sound in spite of a mistake: it has no effect.
    harmless: usize,
    accepted: usize,
    rejected: usize,
    failed: usize,
    filled: usize,
    /// Events and deadlines that were given to processes.
    answered: usize,
}

/// What depends on values: no reader of a script could know it.
const OF_VALUES: &[&str] = &[
    "overflow",
    "division by zero",
    "does not fit 28 digits",
    "does not fit a 64-bit integer",
    "the script ran past its limit",
    "of memory",
    "is outside the years",
    "would make more than",
    "is neither a date",
    "are stored",
    "the state cannot be kept: it is too large",
];

/// Whether an error says that the rules themselves are wrong: their names, their types or their shapes.
fn is_of_the_definition(message: &str) -> bool {
    match message.split_once("does not fit: ") {
        Some((_, problems)) => problems.split("; ").any(|problem| !is_of_a_value(problem)),
        None if message.starts_with("`row.") => message.split("; ").any(|problem| !is_of_a_value(problem)),
        None => !OF_VALUES.iter().any(|known| message.contains(known)),
    }
}

/// Whether a field holds a value of the right kind that is not allowed: a text that is no date, `1.5` for an integer.
fn is_of_a_value(problem: &str) -> bool {
    let Some((_, rest)) = problem.split_once("expected ") else { return false };
    let Some((expected, found)) = rest.split_once(", found ") else { return false };
    match expected {
        "an integer" | "an integer of 64 bits" => found.starts_with("the number") || found.starts_with('`'),
        expected if expected.starts_with("a date") || expected.starts_with("one of") => {
            found.starts_with("the string") || found.starts_with('`')
        }
        _ => false,
    }
}

type Tried = Result<(), String>;

/// An error where what was said is of the definition.
fn allowed(what: &str, problem: &Diagnostic) -> Tried {
    if is_of_the_definition(&problem.message) {
        let said = diagnostic::render(std::slice::from_ref(problem), false);
        return Err(format!("`check` was silent, and {what} fails: {said}"));
    }
    Ok(())
}

fn of_values(what: &str, error: &Error) -> Tried {
    match error {
        Error::Script(fault) => allowed(what, &fault.0),
        other => Err(format!("`check` was silent, and {what} fails: {other}")),
    }
}

/// Checks a domain, and uses it if it is sound.
fn tried(domain: &Domain, dice: &mut Dice, count: &mut Count) -> Tried {
    let (domains, problems) = Domains::load(&[Source::new("made.yaml", domain.text.as_str())]);
    let said = || diagnostic::render(&problems, false);
    if let Some(problem) = problems.iter().find(|problem| problem.place.is_none()) {
        return Err(format!("no place: {problem:?}"));
    }
    let Some(domains) = domains else {
        if !problems.iter().any(Diagnostic::is_error) {
            return Err(format!("not sound, and no error: {}", said()));
        }
        if domain.planted == 0 {
            return Err(format!("nothing is wrong with it, and `check` says: {}", said()));
        }
        count.unsound += 1;
        return Ok(());
    };
    count.sound += 1;
    if problems.iter().any(|problem| problem.rule == "two-kinds") {
        // It is told that a field of the state holds things of two kinds: what reads it may fail.
        count.told += 1;
        return Ok(());
    }
    count.harmless += usize::from(domain.planted > 0);
    let mut world = World::of(domains);
    for _ in 0..12 {
        let command = &domain.commands[dice.below(domain.commands.len())];
        let stream = format!("{}/{}", command.aggregate, 1 + dice.below(2));
        match world.command(&stream, &command.name, command.payload(dice)) {
            Ok(Sent::Accepted(_)) => count.accepted += 1,
            Ok(Sent::Rejected(_)) => count.rejected += 1,
            Err(error) => {
                count.failed += 1;
                of_values(&format!("sending {}", command.name), &error)?;
            }
        }
    }
    react(&mut world.workbench, Time::default(), count)?;
    // By then all deadlines are due.
    react(&mut world.workbench, Time::parse("2100-01-01").unwrap(), count)?;
    used(&mut world.workbench, domain, count)?;
    for result in run_scenarios(&world.workbench.domains, None) {
        if let ScenarioOutcome::Broken(problem) = &result.outcome {
            allowed("the scenario", problem)?;
        }
    }
    Ok(())
}

/// Lets processes react, for a while: they may answer each other without end.
fn react(workbench: &mut Workbench, now: Time, count: &mut Count) -> Tried {
    let reacted = workbench.react(&process::Manner::new(now, 2), &mut |_| {});
    let reacted = reacted.map_err(|error| format!("`check` was silent, and a process fails: {error}"))?;
    count.answered += usize::try_from(reacted.events + reacted.deadlines).unwrap();
    let mut problems = reacted.stopped.iter().filter_map(|stopped| stopped.problem.as_ref());
    problems.try_for_each(|problem| allowed("a process", problem))
}

/// Replays all streams, and fills all read models.
fn used(workbench: &mut Workbench, domain: &Domain, count: &mut Count) -> Tried {
    for command in &domain.commands {
        for id in 1..3 {
            let stream = StreamName::new(&format!("{}/{id}", command.aggregate)).unwrap();
            // Nothing may have happened to it.
            if let Err(error @ Error::Script(_)) = workbench.replay(&stream, None) {
                return Err(format!("what was accepted cannot be replayed: {error}"));
            }
        }
    }
    for name in &domain.projections {
        match workbench.project_rebuild(name, Manner::default(), Time::default(), &mut |_| {}) {
            Ok(_) => count.filled += 1,
            Err(error) => of_values(&format!("rebuilding {name}"), &error)?,
        }
    }
    Ok(())
}

#[test]
fn what_passes_check_never_gives_a_definition_error() {
    let all = scaled(300, 100_000);
    let dice = Dice::new();
    let mut count = Count::default();
    let mut wrong: Vec<String> = Vec::new();
    for number in 0..all {
        let mut dice = dice.nth(number);
        let domain = Maker::new(&mut dice).domain();
        // A panic is as wrong as a definition error, and either names its domain.
        let outcome = catch_unwind(AssertUnwindSafe(|| tried(&domain, &mut dice, &mut count)));
        if let Err(why) = outcome.unwrap_or_else(|_| Err("it panicked".to_owned())) {
            eprintln!("domain {number} of this seed: {why}");
            wrong.push(format!("domain {number}: {why}\n{}", domain.text));
        }
    }
    eprintln!("{all} domains: {count:?}");
    assert!(wrong.is_empty(), "{} of {all} went wrong, as\n{}", wrong.len(), wrong[0]);
    assert!(count.sound * 3 >= all, "too few are sound: {count:?}");
    assert!(count.unsound * 10 >= all, "too few are not sound: {count:?}");
    let happens = count.accepted > all && count.rejected > 0 && count.filled > 0 && count.answered > all;
    assert!(happens, "too little happens: {count:?}");
}
