//! `init`: something to start from.

use super::context::Context;
use super::failure::{Exit, Failure, Kind};
use crate::render::{Format, wire};
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const BANK: &str = include_str!("../../domains/bank.yaml");
/// What to type next. Each line works as it is printed, in the folder that was made.
const NEXT: &[&str] =
    &["esctl check", "esctl send account/ada Open owner=Ada currency=EUR", "esctl replay account/ada"];
const EXAMPLES: &str = "examples:\n  esctl init\n  esctl init bank";

/// make a folder with a small domain in it, to start from
///
/// Writes `DIR/domains/bank.yaml`: accounts that hold money, with their rules, a read model and scenarios. It prints
/// the next commands to type. Files that are there already are left as they are.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct InitArgs {
    /// the folder; it is made if need be
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

/// Runs the verb.
pub fn run(args: &InitArgs, context: &mut Context) -> Result<Exit, Failure> {
    let file = made(&args.folder, "domains/bank.yaml");
    write_new(&file, BANK)?;
    let place = if args.folder == Path::new(".") { String::new() } else { format!(" in `{}`", args.folder.display()) };
    context.talk.note(&format!("made `{}`; type next{place}:", file.display()));
    tell(&file, context).map_err(Failure::output)?;
    Ok(Exit::Done)
}

/// Without a leading `./`, as people write it.
fn made(folder: &Path, file: &str) -> PathBuf {
    if folder == Path::new(".") { file.into() } else { folder.join(file) }
}

fn write_new(file: &Path, text: &str) -> Result<(), Failure> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let written = fs::create_dir_all(folder)
        .and_then(|()| OpenOptions::new().write(true).create_new(true).open(file))
        .and_then(|mut new| new.write_all(text.as_bytes()));
    let shown = file.display();
    written.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::usage(format!("`{shown}` is there already; nothing was written"))
            .hint("name another folder: `esctl init NAME`"),
        _ => Failure::new(Kind::Unavailable, format!("`{shown}` cannot be written: {error}")),
    })
}

fn tell(file: &Path, context: &mut Context) -> io::Result<()> {
    let out = &mut context.out;
    match out.format {
        Format::Json | Format::Ndjson => {
            out.line(&wire::line(&wire::Made { made: vec![file.display().to_string()], next: NEXT })?)
        }
        Format::Table | Format::Csv => NEXT.iter().try_for_each(|command| out.line(command)),
    }
}
