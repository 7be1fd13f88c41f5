//! `test --generate`: random runs instead of scenarios.

use super::{TestArgs, few};
use crate::cli::context::Context;
use crate::cli::failure::{Exit, Failure};
use crate::render::{Format, generated, text};
use esctl::workbench::generate::{Asked, generate};
use std::rc::Rc;

/// Does so many runs and says what came of them.
pub(super) fn run(args: &TestArgs, runs: u64, context: &mut Context) -> Result<Exit, Failure> {
    let mut domains = context.domains()?;
    if args.covers() {
        domains.watch();
    }
    let domains = Rc::new(domains);
    let asked = Asked { runs, seed: args.seed.unwrap_or_else(|| context.seed()), filter: args.filter.clone() };
    let mut bar = context.bar();
    let generated = generate(&domains, &asked, &mut |done| {
        bar.step(Some((done, runs)), || format!("{} of {}", text::thousands(done), text::count(runs, "run")));
    });
    drop(bar);
    let Some(result) = generated? else { return Err(nothing_to_send(args.filter.as_deref())) };
    let covered = args.covers().then(|| domains.coverage());
    generated::generated(&result, &asked, covered.as_ref(), args.min, &mut context.out).map_err(Failure::output)?;
    if let Some(broken) = result.broken.as_ref().filter(|_| context.out.format == Format::Csv) {
        let message = broken.problem.message.lines().next().unwrap_or_default();
        context.talk.note(&format!("FAILED  {}: {message}; `-o table` and `-o json` say more", broken.law.words()));
    }
    let few = few(covered.as_ref(), args.min, context);
    Ok(if result.broken.is_some() || few { Exit::No } else { Exit::Done })
}

fn nothing_to_send(filter: Option<&str>) -> Failure {
    match filter {
        Some(filter) => {
            Failure::usage(format!("no aggregate with commands has `{filter}` in its name or in the name of its file"))
                .hint("`esctl describe` shows the aggregates")
        }
        None => Failure::usage("there is no command to send").hint("write some under `commands` of an aggregate"),
    }
}
