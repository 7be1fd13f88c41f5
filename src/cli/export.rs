//! `export`: everything that was stored, as lines of JSON.

use super::context::{Context, Purpose};
use super::events::position;
use super::failure::{Exit, Failure};
use super::newfile::NewFile;
use crate::render::export;
use clap::ValueEnum;
use esctl::event::Position;
use esctl::store::Store;
use esctl::workbench::error::Error;
use esctl::workbench::export::Piece;
use std::io::{self, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;

const EXAMPLES: &str = "\
examples:
  esctl export bank.ndjson
  esctl export | esctl import --store copy.db
  esctl export --as cloudevents --after @2";

/// write everything that was stored, as lines of JSON from which `import` makes the same store
///
/// The events as they are stored, with their commands and the domain texts that decided them; no domain is read. A
/// first line says which store it is and which stretch of it. The file must not exist yet. `docs/store.md` describes
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
    let after = args.after.as_deref().map(position).transpose()?.unwrap_or_default();
    let mut store = context.store(Purpose::Look)?;
    if args.file == "-" {
        write(store.as_mut(), after, args.form, &mut context.out)?;
        return Ok(Exit::Done);
    }
    let (new, file) = NewFile::begin(Path::new(&args.file))?;
    let mut out = BufWriter::with_capacity(64 * 1024, file);
    write(store.as_mut(), after, args.form, &mut out)?;
    new.finish()?;
    Ok(Exit::Done)
}

fn write(store: &mut dyn Store, after: Position, form: Form, out: &mut impl Write) -> Result<(), Failure> {
    let mut fault = None;
    let id: Box<str> = store.id().into();
    let done = esctl::workbench::export::export(store, after, &mut |piece| match line(&id, form, &piece)
        .and_then(|line| line.map_or(Ok(()), |line| writeln!(out, "{line}")))
    {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            fault = Some(error);
            ControlFlow::Break(())
        }
    });
    // What there is of an export that cannot be completed is passed on: without its end, nobody takes it for the whole.
    let flushed = if fault.is_none() { out.flush() } else { Ok(()) };
    done.map_err(|error: Error| Failure::from(error))?;
    fault.map_or(flushed, Err).map_err(Failure::output)
}

fn line(store: &str, form: Form, piece: &Piece<'_>) -> io::Result<Option<String>> {
    match (form, piece) {
        (Form::Esctl, piece) => export::line(piece).map(Some),
        (Form::CloudEvents, Piece::Event(event, _)) => export::cloud_event(store, event).map(Some),
        (Form::CloudEvents, _) => Ok(None),
    }
}
