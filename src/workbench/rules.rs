//! Rules in the store: the domain texts that decided what is stored, and when they did.

use super::{Error, Misfit};
use crate::diagnostic::Source;
use crate::domain::definition;
use crate::event::{Position, Time};
use crate::store::Store;
use std::sync::Arc;

/// The fewest digits by which a digest may be named.
pub const FEWEST_DIGITS: usize = 4;

/// A domain text that decided something, with what it decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRules {
    /// SHA-256 of the text, in hex.
    pub digest: Box<str>,
    /// The domain's name; `None` where the text is not read as a domain file any more.
    pub domain: Option<String>,
    /// How long the text is.
    pub bytes: u64,
    /// How many commands it decided.
    pub commands: u64,
    /// Position of the first event that came of them.
    pub first: Position,
    /// Position of the last.
    pub last: Position,
    /// When the first of the commands was sent.
    pub since: Time,
    /// When the last was.
    pub until: Time,
}

/// Every domain text of a store, in the order in which they were first used.
pub fn stored_rules(store: &mut dyn Store) -> Result<Vec<StoredRules>, Error> {
    let mut all = Vec::new();
    for used in store.domains()? {
        let text = store.domain_text(&used.digest)?.unwrap_or_default();
        let domain = domain_name(&Source::new(name(&used.digest), &*text));
        all.push(StoredRules {
            domain,
            bytes: text.len() as u64,
            commands: used.commands,
            first: used.first,
            last: used.last,
            since: used.since,
            until: used.until,
            digest: used.digest,
        });
    }
    Ok(all)
}

/// The text whose digest begins so, under a name that tells where it is from.
pub fn rules_text(store: &mut dyn Store, digits: &str) -> Result<Arc<Source>, Error> {
    let wanted = digits.to_ascii_lowercase();
    let known: Vec<Box<str>> = store.domains()?.into_iter().map(|used| used.digest).collect();
    let mut found = known.iter().filter(|digest| digest.starts_with(&wanted));
    match (found.next(), found.next()) {
        (Some(digest), None) => {
            let text = store.domain_text(digest)?.unwrap_or_default();
            Ok(Source::new(name(digest), &*text))
        }
        (Some(one), Some(other)) => {
            let misfit = Misfit::new(format!("more than one digest begins with `{digits}`"));
            Err(misfit.hint(format!("`{one}` and `{other}` do: write more of it")).into())
        }
        (None, _) => {
            let misfit = Misfit::new(format!("no rules with the digest `{digits}` decided anything here"));
            Err(misfit.hint("`esctl rules` lists those that did").into())
        }
    }
}

/// The name of the domain in a text; `None` where it is no domain file.
pub fn domain_name(source: &Arc<Source>) -> Option<String> {
    definition::read(source, &mut Vec::new())?.name.map(|name| name.text)
}

/// What a stored text is called in messages, in place of a file's name.
fn name(digest: &str) -> String {
    format!("rules {}", digest.get(..12).unwrap_or(digest))
}
