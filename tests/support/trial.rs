//! What trials share: how much they do, and chance that can be had again.
//!
//! A trial does as much as CI has time for. `ESCTL_SCALE=0.1` has it do a tenth of what is done before a release,
//! `ESCTL_SCALE=1` all of that. Each begins from the same seed; `ESCTL_SEED` gives another one, and what fails says from
//! which seed it began.

use std::fmt::Display;
use std::str::FromStr;

fn given<T: FromStr<Err: Display>>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

/// How often: so many in CI, so many before a release.
pub fn scaled(ci: usize, release: usize) -> usize {
    match given::<f64>("ESCTL_SCALE") {
        None => ci,
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(part) => ((release as f64 * part) as usize).max(1),
    }
}

/// Numbers without a pattern that are the same whenever they begin from the same seed: `SplitMix64`, by Sebastiano
/// Vigna, <https://prng.di.unimi.it/splitmix64.c>.
#[derive(Debug, Clone)]
pub struct Dice {
    seed: u64,
    state: u64,
}

impl Dice {
    /// From the seed that was asked for. What it says is shown where a test fails.
    pub fn new() -> Self {
        let seed = given("ESCTL_SEED").unwrap_or(1);
        eprintln!("ESCTL_SEED={seed}");
        Self::from(seed)
    }

    /// Another one, for the n-th of things that happen side by side.
    pub fn nth(&self, n: usize) -> Self {
        let mut other = Self::from(self.seed ^ (n as u64).rotate_right(8));
        other.next();
        other
    }

    /// Any number.
    pub fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of 0, 1, … `end - 1`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }
}

impl From<u64> for Dice {
    fn from(seed: u64) -> Self {
        Self { seed, state: seed }
    }
}

#[test]
fn dice_fall_alike_from_the_same_seed() {
    let rolled = |mut dice: Dice| -> Vec<_> { (0..100).map(|_| dice.below(1000)).collect() };
    let dice = Dice::from(7);
    assert_eq!(rolled(dice.clone()), rolled(Dice::from(7)));
    assert_ne!(rolled(dice.nth(1)), rolled(dice.nth(2)));
    // The first number of the published program from this seed.
    assert_eq!(Dice::from(1_234_567).next(), 6_457_827_717_110_365_317);
}
