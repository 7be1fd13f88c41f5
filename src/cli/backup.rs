//! `backup`: a copy of the store that is safe to make while others write.

use super::context::Context;
use super::failure::{Exit, Failure, Kind};
use super::newfile::NewFile;
use crate::render::records::{self, BackupDone};
use crate::render::text;
use esctl::store::Store;
use std::fs;
use std::path::{Path, PathBuf};

const EXAMPLES: &str = "\
examples:
  esctl backup copy.db
  esctl backup \"esctl-$(date +%F).db\" -o json";

/// copy the store into a new file, while others go on writing, and check the copy
///
/// The copy holds what the store held at one moment. It appears under its name when it is complete, checked and
/// flushed to the disk; a file that exists is not overwritten. Prints the position and the hash of its last event.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct BackupArgs {
    /// the new file
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// Runs the verb.
pub fn run(args: &BackupArgs, context: &mut Context) -> Result<Exit, Failure> {
    let mut store = context.file_to_read(&context.globals.store)?;
    let (new, file) = NewFile::begin_store(&args.file)?;
    drop(file);
    share_like(&context.globals.store, new.part())?;
    let (whole, part) = (size(&context.globals.store), new.part().to_owned());
    let look = move || {
        let done = size(&part).min(whole);
        (
            Some((done, whole)),
            format!("copying: {} of {} kB", text::thousands(done / 1000), text::thousands(whole / 1000)),
        )
    };
    context.bar().meanwhile(look, || store.back_up(new.part()))?;
    let (id, head) = check(context, new.part(), store.id())?;
    new.finish()?;
    let record = BackupDone { file: &args.file, store: &id, head };
    records::one(records::BACKUP, &record, &mut context.out).map_err(Failure::output)?;
    Ok(Exit::Done)
}

/// Who may not read the store may not read its copy. One that cannot be written to would stop SQLite as well.
pub(super) fn share_like(store: &Path, copy: &Path) -> Result<(), Failure> {
    let permissions = fs::metadata(store).map(|metadata| metadata.permissions());
    let set = permissions
        .and_then(|permissions| if permissions.readonly() { Ok(()) } else { fs::set_permissions(copy, permissions) });
    set.map_err(|error| Failure::new(Kind::Unavailable, format!("`{}` cannot be made: {error}", copy.display())))
}

/// How many bytes a file has, as far as that can be seen.
fn size(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len())
}

/// Whether the copy is a sound store, and where it ends.
pub(super) fn check(context: &Context, copy: &Path, id: &str) -> Result<(Box<str>, esctl::event::Head), Failure> {
    let mut copy = context.file_to_read(copy)?;
    context.bar().meanwhile(|| (None, "checking the copy".to_owned()), || copy.check_integrity())?;
    let found: Box<str> = copy.id().into();
    if *found != *id {
        let words = format!("the copy says it is the store {found}, not {id}");
        return Err(esctl::store::StoreError::Damaged(words).into());
    }
    Ok((found, copy.head()?))
}
