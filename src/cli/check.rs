//! `check`: everything that is wrong with the domain files.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure};
use super::sources::{self, Sources};
use crate::render::{self, Format, Listing, Output, records, text};
use esctl::diagnostic::{self, Diagnostic};
use esctl::domain::{Contents, Domains};
use esctl::workbench::Workbench;
use std::io::{self, Write as _};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

const EXAMPLES: &str =
    "examples:\n  esctl check\n  esctl check --deny warnings -o ndjson\n  esctl check --store esctl.db";

/// find every problem in the domain files before anything runs
///
/// Reads all domain files and reports everything that is wrong with them at once, in file order, each with its
/// place and, where there is one, a hint. Exits 0 if the domain is sound, 1 if it is not, 2 if there is nothing to
/// check. With `--watch` it goes on, and checks again whenever a file changes, until it is interrupted.
///
/// With `--store FILE` everything that is stored there is read and folded by these rules as well, and nothing is written:
/// how many events there are of each version, what was once stored brought up to what it is now, one before and after of
/// each, and what fails.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct CheckArgs {
    /// take warnings for errors
    #[arg(long, value_name = "WHAT")]
    deny: Option<Denied>,
    /// check again whenever a file changes
    #[arg(long)]
    watch: bool,
}

/// What is not to be let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Denied {
    // Without a doc comment, which would become help that the name does not need.
    Warnings,
}

/// How long to wait before the files are looked at again. They are small, and looking works on every file system.
const PAUSE: Duration = Duration::from_millis(200);
/// How often in a row the files may be missing before that is said.
const PATIENCE: usize = 5;

/// Runs the verb.
pub fn run(args: &CheckArgs, context: &mut Context) -> Result<Exit, Failure> {
    let sources = sources::read(&context.globals.domain)?;
    if args.watch { watch(sources, args, context) } else { report(sources, args, context) }
}

/// Checks again and again. What ends it is that nobody reads any more, or whoever interrupts it.
fn watch(mut sources: Sources, args: &CheckArgs, context: &mut Context) -> Result<Exit, Failure> {
    loop {
        report(sources.clone(), args, context)?;
        context.out.flush().map_err(Failure::output)?;
        sources = next_change(&sources, context);
    }
}

/// Waits until the files are others than before, or there again, and says which.
fn next_change(before: &Sources, context: &mut Context) -> Sources {
    let mut misses = 0;
    loop {
        thread::sleep(PAUSE);
        match sources::read(&context.globals.domain) {
            Ok(now) if now != *before || misses >= PATIENCE => {
                let changed = now.changed_since(before).join(", ");
                let what = if changed.is_empty() { "there again".to_owned() } else { format!("{changed} changed") };
                context.talk.line(&format!("\n{}", text::harmless(&what)));
                return now;
            }
            Ok(_) => misses = 0,
            Err(failure) => {
                // A file that is being replaced is missing for a moment.
                misses += 1;
                if misses == PATIENCE {
                    failure.report(context.talk);
                }
            }
        }
    }
}

/// Checks once.
fn report(sources: Sources, args: &CheckArgs, context: &mut Context) -> Result<Exit, Failure> {
    let opinions = sources.second_opinions();
    let (domains, mut problems) = sources.load();
    // Beside an error they are noise.
    if !problems.iter().any(Diagnostic::is_error) {
        problems.extend(opinions);
    }
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    let warnings = problems.len() - errors;
    match context.out.format {
        Format::Table => {
            context.talk.text(&diagnostic::render(&problems, context.talk.color));
            if !problems.is_empty() {
                context.talk.line(&format!("\n{}", counted(errors, warnings)));
            }
            if errors == 0 {
                contents(domains.as_ref(), &mut context.out).map_err(Failure::output)?;
            }
        }
        // With `--store` the data is what is stored; what is said of sound domains goes where talk goes.
        _ if errors == 0 && context.globals.names_store => {
            context.talk.text(&diagnostic::render(&problems, context.talk.color));
        }
        Format::Json | Format::Ndjson | Format::Csv => list(&problems, &mut context.out).map_err(Failure::output)?,
    }
    let denied = args.deny == Some(Denied::Warnings) && warnings > 0;
    let sound = errors == 0 && !denied;
    let stored = match domains {
        Some(domains) if sound && context.globals.names_store => stored(domains, context)?,
        Some(_) if sound => Exit::Done,
        _ => Exit::No,
    };
    Ok(stored)
}

/// Checks the domains against what is stored.
fn stored(domains: Domains, context: &mut Context) -> Result<Exit, Failure> {
    let store = context.store(Purpose::Look)?;
    let mut workbench = Workbench::new(Rc::new(domains), store);
    let mut bar = context.bar();
    let outcome = workbench.check_stored(&mut |events| {
        bar.step(None, || format!("{} read", text::count(events, "event")));
    });
    drop(bar);
    context.say_notes(&workbench.domains);
    let found = outcome.map_err(Failure::from)?;
    render::stored::forms(&found, &mut context.out).map_err(Failure::output)?;
    context.out.flush().map_err(Failure::output)?;
    let failures: Vec<_> = found.forms.iter().filter_map(|form| Some((form, form.failure.as_ref()?))).collect();
    for (form, (_, problem)) in &failures {
        context.talk.text(&format!("\n{}", diagnostic::render(std::slice::from_ref(problem), context.talk.color)));
        if form.failures > 1 {
            let more = text::count(form.failures - 1, "more event");
            context.talk.note(&format!("{more} of `{}`, version {}, failed as well", form.name, form.version));
        }
    }
    if !failures.is_empty() {
        context.talk.line("");
    }
    if found.foreign > 0 {
        let foreign = text::count(found.foreign, "event");
        context.talk.note(&format!("{foreign} of aggregates that the domain does not have were left alone"));
    }
    context.talk.line(&render::stored::summary(&found));
    Ok(if failures.is_empty() { Exit::Done } else { Exit::No })
}

fn list(problems: &[Diagnostic], out: &mut Output) -> io::Result<()> {
    let mut listing = Listing::new(records::PROBLEMS, out);
    let _ = problems.iter().try_for_each(|problem| listing.push(problem));
    listing.finish()
}

fn contents(domains: Option<&Domains>, out: &mut Output) -> io::Result<()> {
    let all = domains.map(Domains::contents).unwrap_or_default();
    all.iter().try_for_each(|contents| out.line(&summary(contents)))
}

/// `bank: 1 aggregate, 4 commands, 4 events, 1 projection, 5 scenarios`; processes where there are any.
fn summary(contents: &Contents) -> String {
    let parts = [
        (contents.aggregates, "aggregate"),
        (contents.commands, "command"),
        (contents.events, "event"),
        (contents.projections, "projection"),
        (contents.processes, "process"),
        (contents.scenarios, "scenario"),
    ];
    let parts = parts.iter().filter(|(number, noun)| *number > 0 || *noun != "process");
    let parts: Vec<_> = parts.map(|(number, noun)| text::count(*number as u64, noun)).collect();
    format!("{}: {}", text::harmless(&contents.domain), parts.join(", "))
}

/// `2 errors, 1 warning`
fn counted(errors: usize, warnings: usize) -> String {
    let parts = [(errors, "error"), (warnings, "warning")];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<_> = parts.map(|(number, noun)| text::count(*number as u64, noun)).collect();
    parts.join(", ")
}
