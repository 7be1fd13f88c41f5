//! `schema`: the JSON Schema of domain files, and of payloads.

use super::context::Context;
use super::describe;
use super::failure::{Exit, Failure};
use crate::render::{Format, Output, text, wire};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use esctl::domain::describe::{Description, Thing};
use esctl::domain::{Domains, schema};
use esctl::json::{self, Value};
use std::io;

const EXAMPLES: &str = "\
examples:
  esctl schema > domain.schema.json
  esctl schema command account.Open
  esctl schema event Deposited -o ndjson";

/// print the JSON Schema of domain files, for editors, or of the payload of a command or an event
///
/// Draft 2020-12. Without arguments it is the schema of the files themselves, in which names and scripts are only texts:
/// what they mean is for `check` to say. That of a payload has no word for `scale` and for the size of numbers.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct SchemaArgs {
    /// of which payload: that of a `command` or that of an `event`
    #[arg(value_name = "KIND", requires = "name", hide_possible_values = true)]
    kind: Option<PayloadOf>,
    /// its name; `account.Opened` where several aggregates have an `Opened`
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PayloadOf {
    Command,
    Event,
}

impl PayloadOf {
    fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Event => "event",
        }
    }
}

impl ValueEnum for PayloadOf {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Command, Self::Event]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.word()))
    }
}

/// Runs the verb.
pub fn run(args: &SchemaArgs, context: &mut Context) -> Result<Exit, Failure> {
    if context.out.format == Format::Csv {
        return Err(Failure::usage("a schema has no form as `csv`").hint("leave out `-o csv`: it is JSON anyway"));
    }
    match (args.kind, &args.name) {
        (Some(kind), Some(name)) => {
            let document = payload(&context.domains()?, kind, name)?;
            print(&json::pretty(&document), &mut context.out)
        }
        _ => print(schema::DOMAIN_FILE, &mut context.out),
    }
    .map_err(Failure::output)?;
    Ok(Exit::Done)
}

fn payload(domains: &Domains, kind: PayloadOf, name: &str) -> Result<Value, Failure> {
    let all = Description::of(domains);
    if all.domains.is_empty() {
        return Err(describe::nothing());
    }
    let what = match kind {
        PayloadOf::Command => "a command",
        PayloadOf::Event => "an event",
    };
    let (thing, _) = describe::one(&all, name, what, |thing| thing.kind() == kind.word())?;
    let found = match thing {
        Thing::Command(found) => domains.aggregate(&found.name.aggregate).and_then(|aggregate| {
            aggregate.commands.get(&*found.name.name).map(|rules| (&rules.description, &rules.fields))
        }),
        Thing::Event(found) => domains.aggregate(&found.name.aggregate).and_then(|aggregate| {
            aggregate.events.get(&*found.name.name).map(|rules| (&rules.description, &rules.fields))
        }),
        _ => None,
    };
    let (description, fields) = found.ok_or_else(describe::nothing)?;
    Ok(schema::document(&thing.name(), description.trim(), fields))
}

/// As it is; on one line where a line is asked for.
fn print(document: &str, out: &mut Output) -> io::Result<()> {
    if out.format == Format::Ndjson {
        let document = json::parse(document).map_err(|error| io::Error::other(error.message))?;
        return out.line(&wire::line(&wire::Exact::from(&document))?);
    }
    document.lines().try_for_each(|line| out.line(&text::harmless(line)))
}
