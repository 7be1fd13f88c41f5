//! The store proves itself, that it still holds what was acknowledged, and that its read models are what its events
//! give.

use super::project::proof::{Proven, prove};
use super::{Error, Misfit};
use crate::domain::Domains;
use crate::event::{Hash, Position};
use crate::store::{Store, StoreError, Verified, chain};

/// What a receipt says about the store: the event at `position` has the hash `head`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The command whose last event that is; `None` where the receipt is of something that stored nothing.
    pub command: Option<String>,
    /// Its place; 0 is the empty store.
    pub position: Position,
    /// Its hash.
    pub head: Hash,
}

/// Whether the claims hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// How many do.
    pub held: u64,
    /// How many do not.
    pub broken: u64,
    /// The first that does not, and why.
    pub first: Option<(Claim, String)>,
    /// The last position of which a claim holds.
    pub reach: Position,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// About the store in itself.
    pub verified: Verified,
    /// About the claims, where there were any.
    pub claims: Option<Claims>,
    /// About the claim from which on it was verified, where that was asked for.
    pub since: Option<Claims>,
    /// About each read model that is served.
    pub projections: Vec<Proven>,
}

impl Report {
    /// Whether the store is as it must be and every claim holds.
    pub fn is_sound(&self) -> bool {
        let hold = |claims: &Option<Claims>| claims.as_ref().is_none_or(|claims| claims.broken == 0);
        let proven = |proven: &Proven| proven.proof.as_ref().map_or(true, |proof| proof.differences.is_empty());
        self.verified.is_sound()
            && self.verified.spoilt.is_empty()
            && hold(&self.claims)
            && hold(&self.since)
            && self.projections.iter().all(proven)
    }
}

/// The claims are looked at one after the other, however many there are.
pub type Given<'g> = &'g mut dyn Iterator<Item = Result<Claim, Misfit>>;

/// What to verify, and against what.
pub struct Asked<'a> {
    /// What must hold.
    pub claims: Option<Given<'a>>,
    /// What was verified before, so that only what came after it is. The last of them counts.
    pub since: Option<Given<'a>>,
    /// The rules by which read models are computed again, or why there are none; `None` leaves read models out.
    pub domains: Option<Result<&'a Domains, &'a str>>,
    /// Where that is done.
    pub aside: &'a mut dyn Store,
}

/// Something worth telling on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step<'a> {
    /// So many events of so many were verified.
    Events(Position, Position),
    /// This read model was computed up to a position of so many.
    Projection(&'a str, Position, Position),
}

/// Verifies a store. The claims come first: the end up to which everything is recomputed is then behind all of them,
/// and a hash that a claim was compared with is a hash that was recomputed.
pub fn verify(store: &mut dyn Store, asked: Asked<'_>, watch: &mut dyn FnMut(Step<'_>)) -> Result<Report, Error> {
    let claims = asked.claims.map(|given| compare(store, given)).transpose()?;
    let since = asked.since.map(|given| compare(store, given)).transpose()?;
    // What does not hold is nothing to begin at.
    let start = since.as_ref().filter(|since| since.broken == 0).map_or(Position(0), |since| since.reach);
    let verified = store.verify(start, &mut |done, total| watch(Step::Events(done, total)))?;
    let projections = match asked.domains {
        None => projections(store, Err("read models were left out"), asked.aside, watch)?,
        // Of events that are not those that were stored nothing can be computed.
        Some(_) if !verified.is_sound() => projections(store, Err("the store is damaged"), asked.aside, watch)?,
        Some(domains) => projections(store, domains, asked.aside, watch)?,
    };
    Ok(Report { verified, claims, since, projections })
}

fn projections(
    store: &mut dyn Store,
    domains: Result<&Domains, &str>,
    aside: &mut dyn Store,
    watch: &mut dyn FnMut(Step<'_>),
) -> Result<Vec<Proven>, Error> {
    let mut all = Vec::new();
    for generation in store.generations()?.into_iter().filter(|generation| generation.served) {
        let name = generation.projection.to_string();
        let proof = match domains {
            Err(why) => Err(why.to_owned()),
            Ok(domains) if domains.projection(&name).is_none() => Err("the domain has no such projection".to_owned()),
            Ok(domains) => {
                let mut step = |progress: super::project::Progress| {
                    watch(Step::Projection(&name, progress.done, progress.total));
                };
                prove(domains, store, aside, &name, &mut step)?
            }
        };
        all.push(Proven { name, proof });
    }
    Ok(all)
}

fn compare(store: &mut dyn Store, given: Given<'_>) -> Result<Claims, Error> {
    let mut claims = Claims::default();
    for claim in given {
        let claim = claim?;
        match broken(store, &claim)? {
            None => {
                claims.held += 1;
                claims.reach = claims.reach.max(claim.position);
            }
            Some(words) => {
                claims.broken += 1;
                claims.first.get_or_insert((claim, words));
            }
        }
    }
    Ok(claims)
}

/// Why a claim does not hold.
fn broken(store: &mut dyn Store, claim: &Claim) -> Result<Option<String>, StoreError> {
    match doubt(store, claim) {
        // What it is compared with cannot be read: then it does not hold either.
        Err(StoreError::Damaged(words)) => Ok(Some(words)),
        other => other,
    }
}

fn doubt(store: &mut dyn Store, claim: &Claim) -> Result<Option<String>, StoreError> {
    let stored = if claim.position == Position(0) { Some(chain::GENESIS) } else { store.hash_at(claim.position)? };
    match stored {
        None => return Ok(Some(format!("the store ends at @{}", store.head()?.position))),
        Some(hash) if hash != claim.head => {
            return Ok(Some(format!("the event at @{} has another hash", claim.position)));
        }
        Some(_) => {}
    }
    let Some(id) = &claim.command else { return Ok(None) };
    Ok(match store.command(id)? {
        None => Some(format!("the command `{id}` is not in the store")),
        Some(stored) => {
            let last = stored.events.last().map(|event| event.position);
            (last != Some(claim.position))
                .then(|| format!("the command `{id}` has not the event at @{}", claim.position))
        }
    })
}
