//! The store proves itself, and that it still holds what was acknowledged. No domain is asked.

use super::{Error, Misfit};
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
}

impl Report {
    /// Whether the store is as it must be and every claim holds.
    pub fn is_sound(&self) -> bool {
        self.verified.is_sound() && self.claims.as_ref().is_none_or(|claims| claims.broken == 0)
    }
}

/// The claims are looked at one after the other, however many there are.
pub type Given<'g> = &'g mut dyn Iterator<Item = Result<Claim, Misfit>>;

/// Verifies a store. The claims come first: the end up to which everything is recomputed is then behind all of them,
/// and a hash that a claim was compared with is a hash that was recomputed.
pub fn verify(
    store: &mut dyn Store,
    given: Option<Given<'_>>,
    watch: &mut dyn FnMut(Position, Position),
) -> Result<Report, Error> {
    let claims = given.map(|given| compare(store, given)).transpose()?;
    Ok(Report { verified: store.verify(watch)?, claims })
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
