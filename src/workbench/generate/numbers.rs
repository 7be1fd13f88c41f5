//! Numbers that keep the rules of their type: whole multiples of a unit between two bounds.

use super::random::Random;
use crate::domain::fields::NumberRules;
use rust_decimal::Decimal;

/// The largest number, without its point, that a decimal holds: 96 bits.
const MAX_MANTISSA: i128 = (1 << 96) - 1;
/// How many digits after the point a decimal gets whose type does not say.
const USUAL_SCALE: u32 = 2;

/// The numbers there are: `unit` times each whole number from `low` to `high`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Grid {
    unit: Decimal,
    low: i128,
    high: i128,
}

/// A number by these rules, mostly a small one; of the edges one if `edge`: a bound, the largest there is, nothing. `None` where
/// no number keeps the rules.
pub(super) fn number(rules: &NumberRules, whole: bool, edge: bool, random: &mut Random) -> Option<Decimal> {
    let coarse = Grid::of(rules, 0, whole);
    let grid = match (whole, coarse) {
        (true, grid) => grid?,
        // Amounts are often without a fraction.
        (false, Some(grid)) if random.chance(40) => grid,
        (false, coarse) => Grid::of(rules, scale(rules), false).or(coarse)?,
    };
    let digits = grid.unit.scale();
    let at = if edge { grid.edge(random) } else { grid.usual(digits, random) };
    grid.number(at)
}

/// How many digits after the point are worth trying.
fn scale(rules: &NumberRules) -> u32 {
    let bounds = [rules.minimum, rules.maximum, rules.exclusive_minimum, rules.exclusive_maximum];
    let finest = bounds.iter().flatten().map(|bound| bound.normalize().scale() + 1).max().unwrap_or(0);
    let usual = finest.clamp(USUAL_SCALE, 28);
    rules.scale.map_or(usual, |scale| scale.min(28))
}

impl Grid {
    fn of(rules: &NumberRules, scale: u32, whole: bool) -> Option<Self> {
        let unit = Decimal::try_from_i128_with_scale(1, scale).ok()?;
        let unit = match rules.multiple_of {
            Some(multiple) => common(unit, multiple.normalize())?,
            None => unit,
        };
        // What is written with more digits after the point than the type has is refused, even where they are zeros.
        if rules.scale.is_some_and(|scale| unit.scale() > scale) && !whole {
            return None;
        }
        let most = if whole { i128::from(i64::MAX) } else { MAX_MANTISSA };
        let least = if whole { i128::from(i64::MIN) } else { -MAX_MANTISSA };
        let (mut low, mut high) = (-(-least / unit.mantissa()), most / unit.mantissa());
        for (bound, beyond) in [(rules.minimum, 0), (rules.exclusive_minimum, 1)] {
            if let Some(bound) = bound {
                let (floor, exact) = divide(bound, unit);
                low = low.max(floor.saturating_add(if exact { beyond } else { 1 }));
            }
        }
        for (bound, beyond) in [(rules.maximum, 0), (rules.exclusive_maximum, 1)] {
            if let Some(bound) = bound {
                let (floor, exact) = divide(bound, unit);
                high = high.min(floor.saturating_sub(if exact { beyond } else { 0 }));
            }
        }
        (low <= high).then_some(Self { unit, low, high })
    }

    /// The one that is nearest to nothing.
    fn anchor(&self) -> i128 {
        0.clamp(self.low, self.high)
    }

    fn edge(&self, random: &mut Random) -> i128 {
        let (anchor, low, high) = (self.anchor(), self.low, self.high);
        let edges = [low, high, anchor, low + 1, high - 1, anchor - 1, anchor + 1];
        random.pick(&edges).map_or(anchor, |at| (*at).clamp(low, high))
    }

    /// From the nearest to nothing so many units on: of all sizes alike, up to some thousands.
    fn usual(&self, digits: u32, random: &mut Random) -> i128 {
        let size = 1 + random.below(u64::from(digits) + 3);
        let size = u32::try_from(size).unwrap_or(1);
        // 64 bits hold nineteen digits; what is finer ends with zeros.
        let distance = i128::from(random.below(10_u64.pow(size.min(19)))) * 10_i128.pow(size.saturating_sub(19));
        let anchor = self.anchor();
        let down = anchor > self.low && (anchor == self.high || random.chance(20));
        let at = if down { anchor - distance } else { anchor + distance };
        at.clamp(self.low, self.high)
    }

    fn number(&self, at: i128) -> Option<Decimal> {
        Decimal::try_from_i128_with_scale(at.checked_mul(self.unit.mantissa())?, self.unit.scale()).ok()
    }
}

/// The least number that is a whole number of both.
fn common(a: Decimal, b: Decimal) -> Option<Decimal> {
    let scale = a.scale().max(b.scale());
    let raised = |number: Decimal| {
        let power = 10_i128.checked_pow(scale - number.scale())?;
        number.mantissa().checked_mul(power)
    };
    let (a, b) = (raised(a)?, raised(b)?);
    let (mut divisor, mut rest) = (a, b);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let common = (a / divisor).checked_mul(b)?;
    Decimal::try_from_i128_with_scale(common, scale).ok().map(|unit| unit.normalize())
}

/// How many units a number is, rounded down, and whether that is exact. What is beyond all bounds is the largest number.
fn divide(number: Decimal, unit: Decimal) -> (i128, bool) {
    let number = number.normalize();
    let (a, b) = (number.mantissa(), unit.mantissa());
    let power = |by: u32| 10_i128.checked_pow(by);
    if unit.scale() >= number.scale() {
        match power(unit.scale() - number.scale()).and_then(|power| a.checked_mul(power)) {
            Some(a) => (a.div_euclid(b), a.rem_euclid(b) == 0),
            None if a < 0 => (i128::MIN, true),
            None => (i128::MAX, true),
        }
    } else {
        match power(number.scale() - unit.scale()).and_then(|power| b.checked_mul(power)) {
            Some(b) => (a.div_euclid(b), a.rem_euclid(b) == 0),
            None => (if a < 0 { -1 } else { 0 }, a == 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Option<Decimal> {
        Decimal::from_str_exact(text).ok()
    }

    fn grid(rules: &NumberRules, scale: u32, whole: bool) -> Option<(String, i128, i128)> {
        Grid::of(rules, scale, whole).map(|grid| (grid.unit.to_string(), grid.low, grid.high))
    }

    #[test]
    fn bounds_are_whole_numbers_of_units() {
        let money = NumberRules { exclusive_minimum: decimal("0"), scale: Some(2), ..NumberRules::default() };
        assert_eq!(grid(&money, 2, false), Some(("0.01".to_owned(), 1, MAX_MANTISSA)));
        let within = NumberRules {
            minimum: decimal("-1.5"),
            exclusive_maximum: decimal("2"),
            multiple_of: decimal("0.5"),
            ..NumberRules::default()
        };
        assert_eq!(grid(&within, 1, false), Some(("0.5".to_owned(), -3, 3)));
        assert_eq!(grid(&within, 0, true), Some(("1".to_owned(), -1, 1)));
        let odd = NumberRules { multiple_of: decimal("0.3"), maximum: decimal("10"), ..NumberRules::default() };
        assert_eq!(grid(&odd, 0, true).map(|(unit, _, high)| (unit, high)), Some(("3".to_owned(), 3)));
        let none = NumberRules { minimum: decimal("1"), maximum: decimal("0"), ..NumberRules::default() };
        assert_eq!(grid(&none, 0, true), None);
        let fine = NumberRules { multiple_of: decimal("0.001"), scale: Some(2), ..NumberRules::default() };
        assert_eq!(grid(&fine, 2, false).map(|(unit, ..)| unit), Some("0.01".to_owned()));
        assert_eq!(grid(&NumberRules::default(), 0, true).map(|(_, low, high)| (low, high)), {
            Some((i64::MIN.into(), i64::MAX.into()))
        });
    }

    #[test]
    fn quotients_are_exact_however_far_apart() {
        let of = |a: &str, b: &str| divide(decimal(a).unwrap(), decimal(b).unwrap());
        assert_eq!(of("7", "2"), (3, false));
        assert_eq!(of("-7", "2"), (-4, false));
        assert_eq!(of("0.3", "0.1"), (3, true));
        assert_eq!(of("79228162514264337593543950335", "0.0000000000000000000000000001"), (i128::MAX, true));
        assert_eq!(of("-0.0000000000000000000000000001", "79228162514264337593543950335"), (-1, false));
    }

    #[test]
    fn edges_are_the_bounds_and_what_is_beside_them() {
        let rules = NumberRules { minimum: decimal("-5"), maximum: decimal("9"), ..NumberRules::default() };
        let mut random = Random::new(3);
        let mut seen: Vec<String> =
            (0..200).filter_map(|_| number(&rules, true, true, &mut random)).map(|n| n.to_string()).collect();
        seen.sort_by_key(|text| text.parse::<i64>().unwrap());
        seen.dedup();
        assert_eq!(seen, ["-5", "-4", "-1", "0", "1", "8", "9"]);
    }
}
