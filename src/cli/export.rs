//! `export`: everything that was stored, as lines of JSON.

use super::context::{Context, Purpose};
use super::events::position;
use super::failure::{Exit, Failure};
use super::newfile::NewFile;
use crate::render::{Bar, export, text};
use clap::ValueEnum;
use esctl::domain::Domains;
use esctl::event::Position;
use esctl::store::Store;
use esctl::workbench::error::Error;
use esctl::workbench::export::{Piece, current};
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;

const EXAMPLES: &str = "\
examples:
  esctl export bank.ndjson
  esctl export | esctl import --store copy.db
  esctl export --as cloudevents --after @2
  esctl export --as cloudevents --current";

/// write everything that was stored, as lines of JSON from which `import` makes the same store
///
/// The events as they are stored, with their commands and the domain texts that decided them; no domain is read, but for
/// `--current`. A first line says which store it is and which stretch of it. The file must not exist yet. `docs/store.md` describes
/// every line.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    /// a new file to write to; `-` is stdout
    #[arg(value_name = "FILE", default_value = "-")]
    file: String,
    /// only what was stored after this position
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// the form of the lines; `cloudevents` are for other programs, `import` does not read them
    #[arg(long = "as", value_name = "FORM", default_value = "esctl")]
    form: Form,
    /// `cloudevents` as the domain has them now: upcast, under their present names, without those that are retired
    #[arg(long)]
    current: bool,
}

/// What the lines are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    // Without doc comments, which would become help that the names do not need.
    Esctl,
    #[value(name = "cloudevents")]
    CloudEvents,
}

/// Runs the verb.
pub fn run(args: &ExportArgs, context: &mut Context) -> Result<Exit, Failure> {
    if args.current && args.form == Form::Esctl {
        return Err(Failure::usage("`--current` changes what is stored, and `import` makes the very same store")
            .hint("`esctl export --current --as cloudevents` writes the events for other programs"));
    }
    let after = args.after.as_deref().map(position).transpose()?.unwrap_or_default();
    let domains = if args.current { Some(context.domains()?) } else { None };
    let mut store = context.store(Purpose::Look)?;
    let form = (args.form, domains.as_ref());
    if args.file == "-" {
        let bar = context.bar_beside_data();
        write(store.as_mut(), after, form, &mut context.out, bar)?;
    } else {
        let (new, file) = NewFile::begin(Path::new(&args.file))?;
        let mut out = BufWriter::with_capacity(64 * 1024, file);
        write(store.as_mut(), after, form, &mut out, context.bar())?;
        new.finish()?;
    }
    if let Some(domains) = &domains {
        context.say_notes(domains);
    }
    Ok(Exit::Done)
}

fn write(
    store: &mut dyn Store,
    after: Position,
    (form, domains): (Form, Option<&Domains>),
    out: &mut impl Write,
    mut bar: Bar,
) -> Result<(), Failure> {
    let (mut fault, mut last) = (None, after);
    let id: Box<str> = store.id().into();
    let mut each = |piece: &Piece<'_>| -> Result<(), Failure> {
        match piece {
            Piece::Header(header) => last = header.position,
            Piece::Event(event, _) => {
                let (done, total) = (event.position.0 - after.0, last.0 - after.0);
                bar.thing(Some((done, total)), || {
                    format!("{} of {}", text::thousands(done), text::count(total, "event"))
                });
            }
            _ => {}
        }
        let line = match (domains, piece) {
            (Some(domains), Piece::Event(event, _)) => match current(domains, event).map_err(Failure::from)? {
                Some(event) => export::cloud_event(&id, &event).map(Some),
                None => return Ok(()),
            },
            _ => line(&id, form, piece),
        };
        line.and_then(|line| line.map_or(Ok(()), |line| writeln!(out, "{line}"))).map_err(Failure::output)
    };
    let done = esctl::workbench::export::export(store, after, &mut |piece| match each(&piece) {
        Ok(()) => ControlFlow::Continue(()),
        Err(failure) => {
            fault = Some(failure);
            ControlFlow::Break(())
        }
    });
    // What there is of an export that cannot be completed is passed on: without its end, nobody takes it for the whole.
    let flushed = if fault.is_none() { out.flush() } else { Ok(()) };
    done.map_err(|error: Error| Failure::from(error))?;
    fault.map_or(flushed.map_err(Failure::output), Err)
}

fn line(store: &str, form: Form, piece: &Piece<'_>) -> io::Result<Option<String>> {
    match (form, piece) {
        (Form::Esctl, piece) => export::line(piece).map(Some),
        (Form::CloudEvents, Piece::Event(event, _)) => export::cloud_event(store, event).map(Some),
        (Form::CloudEvents, _) => Ok(None),
    }
}
