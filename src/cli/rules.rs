//! `rules`: the rules under which what is stored was decided. Also reads rules other than those of `--domain`.

use super::context::{Context, Purpose};
use super::failure::{Exit, Failure};
use super::sources::{self, Sources};
use crate::render::{Listing, rules};
use esctl::domain::Domains;
use esctl::store::Store;
use esctl::workbench::rules::{FEWEST_DIGITS, rules_text, stored_rules};
use std::path::PathBuf;

const EXAMPLES: &str = "\
examples:
  esctl rules
  esctl rules -o json";

/// list the rules under which what is stored was decided, and when they were in use
///
/// A store keeps each domain file that decided something, once. With a digest, or its first digits, the text of that file
/// is printed as it was. `esctl replay STREAM --rules DIGEST` replays under it. Stores nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct RulesArgs {
    /// print the text with this digest; at least its first four digits
    #[arg(value_name = "DIGEST", value_parser = digits)]
    digest: Option<String>,
}

/// Runs the verb.
pub fn run(args: &RulesArgs, context: &mut Context) -> Result<Exit, Failure> {
    let mut store = context.store(Purpose::Look)?;
    if let Some(digest) = &args.digest {
        let source = rules_text(store.as_mut(), digest)?;
        return rules::text(&source, &mut context.out).map(|()| Exit::Done).map_err(Failure::output);
    }
    let all = stored_rules(store.as_mut())?;
    // What is stored can be listed whatever the files are like.
    let now = sources::read(&context.globals.domain).map(|sources| sources.digests()).unwrap_or_default();
    let mut listing = Listing::new(rules::RULES, &mut context.out);
    let _ = all.iter().try_for_each(|stored| listing.push(&rules::InUse { stored, now: now.contains(&stored.digest) }));
    listing.finish().map_err(Failure::output)?;
    Ok(Exit::Done)
}

/// The beginning of a digest.
pub(super) fn digits(text: &str) -> Result<String, String> {
    if is_digits(text) {
        return Ok(text.to_owned());
    }
    Err(format!("a digest has hexadecimal digits: the first {FEWEST_DIGITS} at least, 64 at most"))
}

fn is_digits(text: &str) -> bool {
    (FEWEST_DIGITS..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The domains that a stored text makes: alone where it needs no other, else in place of the file of its domain.
pub(super) fn under(digest: &str, store: &mut dyn Store, context: &Context) -> Result<Domains, Failure> {
    let stored = Sources::of(rules_text(store, digest)?);
    match stored.clone().sound() {
        Ok(domains) => Ok(domains),
        Err(problems) => {
            let present = sources::read(&context.globals.domain).map_err(|_| Failure::domain(problems.clone()))?;
            present.with(stored).sound().map_err(|_| Failure::domain(problems))
        }
    }
}

/// The domain files that `--with` names: folders as they are; files, and stored texts by their digests, in place of the
/// files of the same domains.
pub(super) fn with(names: &[String], store: &mut dyn Store, context: &Context) -> Result<Sources, Failure> {
    let mut folders = Vec::new();
    let mut others = Sources::default();
    for name in names {
        let path = PathBuf::from(name);
        if path.is_dir() {
            folders.push(path);
        } else if !path.exists() && is_digits(name) {
            others = others.and(Sources::of(rules_text(store, name)?));
        } else {
            others = others.and(sources::read(&[path])?);
        }
    }
    let around = if folders.is_empty() { &context.globals.domain } else { &folders };
    Ok(sources::read(around)?.with(others))
}
