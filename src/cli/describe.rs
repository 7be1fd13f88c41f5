//! `describe`: what the domain is.

use super::context::Context;
use super::failure::{Exit, Failure};
use crate::render::diagram::{Language, Picture};
use crate::render::{Format, Listing, describe, things};
use esctl::domain::describe::{Description, Found, Thing};

const EXAMPLES: &str = "\
examples:
  esctl describe
  esctl describe account.Transfer
  esctl describe balances -o json
  esctl describe --mermaid > bank.mmd";

/// show what the domain is: its commands with what they cause, its events with who follows them, its read models and
/// its processes
///
/// Read off the rules; nothing is run, and no store is opened. A command is shown with the events that it can emit, the codes
/// that it rejects with and the streams that it looks at; an event with who emits, folds and projects it. A process
/// is shown with the events that it handles and the commands that it sends. `account/*` is a stream of `account` that the rule
/// chooses.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct DescribeArgs {
    /// only this: an aggregate, a projection, a process, a command or an event; `account.Opened` where several have an `Opened`
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// as a diagram in Mermaid: command → event → read model, event → process → command
    #[arg(long, conflicts_with = "dot")]
    mermaid: bool,
    /// as a diagram in the language of Graphviz
    #[arg(long)]
    dot: bool,
}

impl DescribeArgs {
    fn language(&self) -> Option<Language> {
        match (self.mermaid, self.dot) {
            (true, _) => Some(Language::Mermaid),
            (_, true) => Some(Language::Dot),
            _ => None,
        }
    }
}

/// Runs the verb.
pub fn run(args: &DescribeArgs, context: &mut Context) -> Result<Exit, Failure> {
    let language = args.language();
    if language.is_some() && context.out.format != Format::Table {
        return Err(no_form("leave out `-o`, or `--mermaid` and `--dot`"));
    }
    let all = Description::of(&context.domains()?);
    if all.domains.is_empty() {
        return Err(nothing());
    }
    let one = args.name.as_deref().map(|name| named(&all, name, context)).transpose()?;
    let out = &mut context.out;
    match (language, one, out.format) {
        (Some(language), Some(thing), _) => Picture::around(&all, thing).draw(language, out),
        (Some(language), None, _) => Picture::of(&all).draw(language, out),
        (None, Some(thing), Format::Table) => describe::thing(&all, thing, out),
        (None, None, Format::Table) => describe::everything(&all, out),
        (None, Some(thing), Format::Json) => things::one(thing, out),
        (None, None, Format::Json) => things::document(&all, out),
        (None, one, Format::Ndjson | Format::Csv) => {
            let mut listing = Listing::new(things::THINGS, out);
            let _ = match one {
                Some(thing) => listing.push(&thing),
                None => all.things().try_for_each(|thing| listing.push(&thing)),
            };
            listing.finish()
        }
    }
    .map_err(Failure::output)?;
    Ok(Exit::Done)
}

/// What is said where a diagram is to be a list.
pub fn no_form(hint: &str) -> Failure {
    Failure::usage("a diagram has no form as `-o` names them").hint(hint)
}

/// What is said where only scenarios were loaded.
pub fn nothing() -> Failure {
    Failure::usage("there is no domain among these files").hint("a domain file begins with `domain: NAME`")
}

fn named<'d>(all: &'d Description, name: &str, context: &Context) -> Result<Thing<'d>, Failure> {
    let (thing, others) = one(all, name, "an aggregate, a command, an event, a projection or a process", |_| true)?;
    for other in others {
        context.talk.note(&format!("there is the {} `{}` as well", other.kind(), other.name()));
    }
    Ok(thing)
}

/// What a name stands for, with others that it stands for within their aggregates.
pub fn one<'d>(
    all: &'d Description,
    name: &str,
    what: &str,
    fits: impl Fn(&Thing<'_>) -> bool,
) -> Result<(Thing<'d>, Vec<Thing<'d>>), Failure> {
    let quoted = esctl::json::quote(name);
    match all.find(name, fits) {
        Found::One(thing, others) => Ok((thing, others)),
        Found::Several(things) => {
            let names: Vec<_> = things.iter().map(|thing| format!("the {} `{}`", thing.kind(), thing.name())).collect();
            let failure = Failure::usage(format!("`{quoted}` is {}", names.join(" and ")));
            Err(failure.hint(format!("write its aggregate before it: `{}`", things[0].name())))
        }
        Found::Nothing(near) => {
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => "`esctl describe` shows what there is".to_owned(),
            };
            Err(Failure::usage(format!("`{quoted}` is not {what} of the domain")).hint(hint))
        }
    }
}
