//! Operators as the rules need them: decimals that are exact or an error, comparisons that refuse unlike types.
//!
//! Rhai alone rounds a product that does not fit, and says `false` to `() < 1`, which lets a guard pass silently.

use super::fault::{Stop, type_name};
use super::{memory, weight};
use rhai::{Dynamic, Engine, EvalAltResult};
use rust_decimal::{Decimal, RoundingStrategy};

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// Puts the operators into an engine (which must not use Rhai's fast operators).
pub(super) fn register(engine: &mut Engine) {
    arithmetic(engine);
    comparisons(engine);
}

fn does_not_fit<T>(a: Decimal, operator: &str, b: Decimal) -> Outcome<T> {
    Stop::failed(format!("the exact result of {a} {operator} {b} does not fit 28 digits"))
}

/// The exact sum, or an error.
pub(super) fn add(a: Decimal, b: Decimal) -> Outcome<Decimal> {
    match a.checked_add(b) {
        Some(sum) if sum.scale() == a.scale().max(b.scale()) || a.is_zero() || b.is_zero() => Ok(sum),
        _ => does_not_fit(a, "+", b),
    }
}

pub(super) fn subtract(a: Decimal, b: Decimal) -> Outcome<Decimal> {
    match a.checked_sub(b) {
        Some(rest) if rest.scale() == a.scale().max(b.scale()) || a.is_zero() || b.is_zero() => Ok(rest),
        _ => does_not_fit(a, "-", b),
    }
}

pub(super) fn multiply(a: Decimal, b: Decimal) -> Outcome<Decimal> {
    let exact = |a: Decimal, b: Decimal| {
        a.checked_mul(b).filter(|p| p.scale() == a.scale() + b.scale() || a.is_zero() || b.is_zero())
    };
    exact(a, b).or_else(|| exact(a.normalize(), b.normalize())).map_or_else(|| does_not_fit(a, "*", b), Ok)
}

/// Half-even at 28 digits, where the quotient has more.
pub(super) fn divide(a: Decimal, b: Decimal) -> Outcome<Decimal> {
    if b.is_zero() {
        return Stop::failed(format!("division by zero: {a} / {b}"));
    }
    // Which zeros a quotient ends with says nothing: none are kept.
    a.checked_div(b).map_or_else(|| does_not_fit(a, "/", b), |quotient| Ok(quotient.normalize()))
}

pub(super) fn remainder(a: Decimal, b: Decimal) -> Outcome<Decimal> {
    if b.is_zero() {
        return Stop::failed(format!("division by zero: {a} % {b}"));
    }
    a.checked_rem(b).map_or_else(|| does_not_fit(a, "%", b), Ok)
}

fn power(a: Decimal, exponent: i64) -> Outcome<Decimal> {
    if !(0..=1000).contains(&exponent) {
        return Stop::failed(format!("the exponent of a decimal is a whole number from 0 to 1000, not {exponent}"));
    }
    // One operation to the engine, as many to the processor.
    memory::charge(usize::try_from(exponent).unwrap_or_default() * 64);
    (0..exponent).try_fold(Decimal::ONE, |product, _| multiply(product, a))
}

/// Rounds to so many places. Modes: `half_even`, `half_up` (away from zero), `down` (towards zero).
pub(super) fn round(x: Decimal, places: i64, mode: &str) -> Outcome<Decimal> {
    let Some(places) = u32::try_from(places).ok().filter(|p| *p <= 28) else {
        return Stop::failed(format!("round to 0 to 28 places, not {places}"));
    };
    let strategy = match mode {
        "half_even" => RoundingStrategy::MidpointNearestEven,
        "half_up" => RoundingStrategy::MidpointAwayFromZero,
        "down" => RoundingStrategy::ToZero,
        other => {
            return Stop::failed(format!("rounding is `half_even`, `half_up` or `down`, not `{other}`"));
        }
    };
    Ok(x.round_dp_with_strategy(places, strategy))
}

/// Registers a binary operator and its assigning form for decimals, and for decimals mixed with integers.
macro_rules! exact {
    ($engine:ident, $operator:literal, $assign:literal, $function:ident) => {
        $engine
            .register_fn($operator, $function)
            .register_fn($operator, |a: Decimal, b: i64| $function(a, b.into()))
            .register_fn($operator, |a: i64, b: Decimal| $function(a.into(), b))
            .register_fn($assign, |a: &mut Decimal, b: Decimal| -> Outcome<()> {
                *a = $function(*a, b)?;
                Ok(())
            })
            .register_fn($assign, |a: &mut Decimal, b: i64| -> Outcome<()> {
                *a = $function(*a, b.into())?;
                Ok(())
            });
    };
}

fn arithmetic(engine: &mut Engine) {
    exact!(engine, "+", "+=", add);
    exact!(engine, "-", "-=", subtract);
    exact!(engine, "*", "*=", multiply);
    exact!(engine, "/", "/=", divide);
    exact!(engine, "%", "%=", remainder);
    engine
        .register_fn("**", power)
        .register_fn("**", |a: Decimal, b: Decimal| match i64::try_from(b) {
            Ok(exponent) if b.fract().is_zero() => power(a, exponent),
            _ => power(a, -1),
        })
        .register_fn("**", |a: i64, b: Decimal| match i64::try_from(b) {
            Ok(exponent) if b.fract().is_zero() => power(a.into(), exponent),
            _ => power(a.into(), -1),
        });
}

/// Registers one comparison for all pairs of types that have an order, and an error for all others.
macro_rules! comparison {
    ($engine:ident, $operator:literal, $compare:tt) => {
        $engine
            .register_fn($operator, |a: i64, b: i64| a $compare b)
            .register_fn($operator, |a: Decimal, b: Decimal| a $compare b)
            .register_fn($operator, |a: i64, b: Decimal| Decimal::from(a) $compare b)
            .register_fn($operator, |a: Decimal, b: i64| a $compare Decimal::from(b))
            .register_fn($operator, |a: &str, b: &str| -> Outcome<bool> {
                weight::compared(a, b)?;
                Ok(a $compare b)
            })
            .register_fn($operator, |a: char, b: char| a $compare b)
            .register_fn($operator, |a: char, b: &str| &*a.to_string() $compare b)
            .register_fn($operator, |a: &str, b: char| a $compare &*b.to_string())
            .register_fn($operator, |a: Dynamic, b: Dynamic| -> Outcome<bool> {
                let (left, right) = (type_name(a.type_name()).to_owned(), type_name(b.type_name()).to_owned());
                let named = |kind: &str| match kind {
                    "()" => "nothing (`()`)".to_owned(),
                    "integer" => "an integer".to_owned(),
                    other => format!("a {other}"),
                };
                Stop::failed(format!("`{}` cannot compare {} with {}", $operator, named(&left), named(&right)))
            });
    };
}

fn comparisons(engine: &mut Engine) {
    comparison!(engine, "<", <);
    comparison!(engine, "<=", <=);
    comparison!(engine, ">", >);
    comparison!(engine, ">=", >=);
}
