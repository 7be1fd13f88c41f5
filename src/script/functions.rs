//! The functions that every script can call, beyond those of Rhai's packages: pure, and bounded in what they make.

use super::fault::Stop;
use super::operators;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, Map};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// The largest text or list that one call of a growing function may make, in bytes or items.
pub(super) const MAX_GROWTH: usize = 4 * 1024 * 1024;

/// Names of the functions of Rhai's packages that scripts may call, beside [`OWN`] and operators.
#[rustfmt::skip]
pub const PACKAGED: &[&str] = &[
    "abs", "sign", "is_zero", "is_odd", "is_even", "max", "min", "to_string", "to_debug",
    "to_hex", "to_octal", "to_binary", "append", "bytes", "chars", "clear", "contains", "crop",
    "ends_with", "get", "index_of", "is_empty", "len", "make_lower", "make_upper", "pad", "pop",
    "remove", "replace", "set", "split", "split_rev", "starts_with", "sub_string", "to_chars", "to_lower",
    "to_upper", "trim", "truncate", "all", "chop", "dedup", "drain", "extract", "filter",
    "find", "find_map", "insert", "map", "order", "order_by", "order_desc", "push",
    "reduce", "reduce_rev", "retain", "reverse", "shift", "some", "sort", "sort_by", "sort_desc",
    "splice", "zip", "fill_with", "keys", "mixin", "values", "range", "start", "end",
    "is_exclusive", "is_inclusive", "print", "debug", "call", "is_shared", "is_def_var", "is_def_fn", "curry",
    "name",
];

/// Those of them that change what they are called on.
#[rustfmt::skip]
pub const CHANGING: &[&str] = &[
    "append", "clear", "crop", "make_lower", "make_upper", "pad", "pop", "remove", "replace",
    "set", "trim", "truncate", "chop", "dedup", "drain", "insert", "push", "retain",
    "reverse", "shift", "sort", "sort_by", "sort_desc", "splice", "fill_with", "mixin",
];

/// Names of our own functions that every script may call.
#[rustfmt::skip]
pub const OWN: &[&str] = &[
    "get", "round", "floor", "ceiling", "to_int", "to_decimal", "parse_int", "parse_decimal", "days_between",
    "add_days", "add_months", "seconds_between", "add_seconds", "is_before", "is_after", "date_of", "year", "month",
    "day", "weekday",
];

/// Puts them into an engine.
pub(super) fn register(engine: &mut Engine) {
    numbers(engine);
    dates(engine);
    engine.register_fn("get", |map: &mut Map, key: ImmutableString, default: Dynamic| {
        map.get(key.as_str()).cloned().unwrap_or(default)
    });
    engine.register_fn("get", |map: &mut Map, key: i64, default: Dynamic| {
        map.get(key.to_string().as_str()).cloned().unwrap_or(default)
    });
    growing(engine);
}

fn numbers(engine: &mut Engine) {
    engine
        .register_fn("round", |x: Decimal, places: i64, mode: &str| operators::round(x, places, mode))
        .register_fn("round", |x: i64, places: i64, mode: &str| operators::round(x.into(), places, mode))
        .register_fn("round", |x: Decimal, places: i64| operators::round(x, places, "half_even"))
        .register_fn("round", |x: i64, places: i64| operators::round(x.into(), places, "half_even"))
        .register_fn("floor", |x: Decimal| x.floor())
        .register_fn("floor", |x: i64| x)
        .register_fn("ceiling", |x: Decimal| x.ceil())
        .register_fn("ceiling", |x: i64| x)
        .register_fn("to_decimal", |x: i64| Decimal::from(x))
        .register_fn("to_decimal", |x: Decimal| x)
        .register_fn("to_int", |x: i64| x)
        .register_fn("to_int", |x: Decimal| whole(x))
        .register_fn("parse_int", |text: &str| match text.trim().parse::<i64>() {
            Ok(number) => Ok(number),
            Err(_) => Stop::failed::<i64>(format!("`{}` is not a whole number of 64 bits", short(text))),
        })
        .register_fn("parse_decimal", |text: &str| match crate::json::number(text.trim()) {
            Ok(crate::json::Value::Integer(n)) => Ok(Decimal::from(n)),
            Ok(crate::json::Value::Decimal(d)) => Ok(d),
            _ => Stop::failed::<Decimal>(format!("`{}` is not a number", short(text))),
        });
}

/// The integer part, towards zero.
fn whole(x: Decimal) -> Outcome<i64> {
    x.trunc().to_i64().map_or_else(|| Stop::failed(format!("{x} does not fit a 64-bit integer")), Ok)
}

fn short(text: &str) -> String {
    if text.chars().count() > 60 { text.chars().take(60).chain(['…']).collect() } else { text.to_owned() }
}

/// A date, or the date and instant of a timestamp.
enum Moment {
    Day(Date),
    Instant(Timestamp),
}

fn moment(text: &str) -> Outcome<Moment> {
    if text.len() == 10
        && let Ok(date) = text.parse::<Date>()
    {
        return Ok(Moment::Day(date));
    }
    match text.parse::<Timestamp>() {
        Ok(instant) => Ok(Moment::Instant(instant)),
        Err(_) => Stop::failed(format!(
            "`{}` is neither a date (`2026-01-31`) nor a timestamp (`2026-01-31T12:00:00Z`)",
            short(text)
        )),
    }
}

/// The calendar day of a date, or of a timestamp in UTC.
fn day(text: &str) -> Outcome<Date> {
    Ok(match moment(text)? {
        Moment::Day(date) => date,
        Moment::Instant(instant) => instant.to_zoned(jiff::tz::TimeZone::UTC).date(),
    })
}

fn instant(text: &str) -> Outcome<Timestamp> {
    match moment(text)? {
        Moment::Instant(instant) => Ok(instant),
        Moment::Day(date) => match date.to_zoned(jiff::tz::TimeZone::UTC) {
            Ok(zoned) => Ok(zoned.timestamp()),
            Err(_) => outside(),
        },
    }
}

fn outside<T>() -> Outcome<T> {
    Stop::failed("the date is outside the years 0000 to 9999")
}

/// Days move a date or a timestamp; what comes back is of the same kind.
fn shift(text: &str, span: jiff::Span) -> Outcome<String> {
    match moment(text)? {
        Moment::Day(date) => date.checked_add(span).map_or_else(|_| outside(), |d| Ok(d.to_string())),
        Moment::Instant(instant) => {
            let moved = instant.to_zoned(jiff::tz::TimeZone::UTC).checked_add(span);
            moved.map_or_else(|_| outside(), |z| Ok(z.timestamp().to_string()))
        }
    }
}

fn days(n: i64) -> Outcome<jiff::Span> {
    jiff::Span::new().try_days(n).map_or_else(|_| outside(), Ok)
}

fn months(n: i64) -> Outcome<jiff::Span> {
    jiff::Span::new().try_months(n).map_or_else(|_| outside(), Ok)
}

fn dates(engine: &mut Engine) {
    engine
        .register_fn("days_between", |a: &str, b: &str| -> Outcome<i64> {
            let (a, b) = (day(a)?, day(b)?);
            a.until(b).map_or_else(|_| outside(), |span| Ok(i64::from(span.get_days())))
        })
        .register_fn("add_days", |text: &str, n: i64| shift(text, days(n)?))
        .register_fn("add_months", |text: &str, n: i64| shift(text, months(n)?))
        .register_fn("seconds_between", |a: &str, b: &str| -> Outcome<i64> {
            Ok(instant(b)?.duration_since(instant(a)?).as_secs())
        })
        .register_fn("add_seconds", |text: &str, n: i64| -> Outcome<String> {
            let moved = instant(text)?.checked_add(SignedDuration::from_secs(n));
            moved.map_or_else(|_| outside(), |t| Ok(t.to_string()))
        })
        .register_fn("is_before", |a: &str, b: &str| -> Outcome<bool> { Ok(instant(a)? < instant(b)?) })
        .register_fn("is_after", |a: &str, b: &str| -> Outcome<bool> { Ok(instant(a)? > instant(b)?) })
        .register_fn("date_of", |text: &str| -> Outcome<String> { Ok(day(text)?.to_string()) })
        .register_fn("year", |text: &str| -> Outcome<i64> { Ok(day(text)?.year().into()) })
        .register_fn("month", |text: &str| -> Outcome<i64> { Ok(day(text)?.month().into()) })
        .register_fn("day", |text: &str| -> Outcome<i64> { Ok(day(text)?.day().into()) })
        .register_fn("weekday", |text: &str| -> Outcome<i64> {
            Ok(day(text)?.weekday().to_monday_one_offset().into())
        });
}

pub(super) fn too_large<T>(what: &str) -> Outcome<T> {
    Stop::failed(format!("`{what}` would make more than {MAX_GROWTH} bytes or items"))
}

/// Functions whose result can be as large as a number says: their size is checked before anything is made.
fn growing(engine: &mut Engine) {
    engine
        .register_fn("pad", padded)
        .register_fn("pad", |text: &mut ImmutableString, length: i64, filler: char| {
            padded(text, length, filler.encode_utf8(&mut [0; 4]))
        })
        .register_fn("pad", |list: &mut Array, length: i64, filler: Dynamic| -> Outcome<()> {
            let wanted = usize::try_from(length).unwrap_or(0);
            if wanted > MAX_GROWTH {
                return too_large("pad");
            }
            if wanted > list.len() {
                list.resize(wanted, filler);
            }
            Ok(())
        })
        .register_fn("replace", replaced)
        .register_fn("replace", |text: &mut ImmutableString, find: char, with: &str| {
            replaced(text, find.encode_utf8(&mut [0; 4]), with)
        })
        .register_fn("replace", |text: &mut ImmutableString, find: &str, with: char| {
            replaced(text, find, with.encode_utf8(&mut [0; 4]))
        })
        .register_fn("split", |text: &str| parts("split", text, text.split_whitespace()))
        .register_fn("split", |text: &str, delimiter: &str| parts("split", text, text.split(delimiter)))
        .register_fn("split", |text: &str, delimiter: char| parts("split", text, text.split(delimiter)))
        .register_fn("split", |text: &str, delimiter: &str, most: i64| {
            parts("split", text, text.splitn(at_least_one(most), delimiter))
        })
        .register_fn("split", |text: &str, delimiter: char, most: i64| {
            parts("split", text, text.splitn(at_least_one(most), delimiter))
        })
        .register_fn("split_rev", |text: &str, delimiter: &str| parts("split_rev", text, text.rsplit(delimiter)))
        .register_fn("split_rev", |text: &str, delimiter: char| parts("split_rev", text, text.rsplit(delimiter)))
        .register_fn("split_rev", |text: &str, delimiter: &str, most: i64| {
            parts("split_rev", text, text.rsplitn(at_least_one(most), delimiter))
        })
        .register_fn("split_rev", |text: &str, delimiter: char, most: i64| {
            parts("split_rev", text, text.rsplitn(at_least_one(most), delimiter))
        })
        // Rhai's own would change the list, under a name that is harmless for texts.
        .register_fn("split", |_: &mut Array, _: i64| -> Outcome<Array> {
            Stop::failed("`split` is for texts; `extract(start, length)` takes a part of a list")
        })
        .register_fn("to_chars", |text: &str| -> Outcome<Array> {
            if text.len() > MAX_GROWTH / 16 {
                return too_large("to_chars");
            }
            Ok(text.chars().map(Dynamic::from).collect())
        });
}

fn padded(text: &mut ImmutableString, length: i64, filler: &str) -> Outcome<()> {
    let wanted = usize::try_from(length).unwrap_or(0);
    let missing = wanted.saturating_sub(text.chars().count());
    if missing.saturating_mul(filler.len().max(1)) > MAX_GROWTH {
        return too_large("pad");
    }
    let padded: String =
        text.chars().chain(filler.chars().cycle().take(if filler.is_empty() { 0 } else { missing })).collect();
    *text = padded.into();
    Ok(())
}

fn replaced(text: &mut ImmutableString, find: &str, with: &str) -> Outcome<()> {
    let found = if find.is_empty() { text.chars().count() + 1 } else { text.matches(find).count() };
    if text.len().saturating_add(found.saturating_mul(with.len())) > MAX_GROWTH {
        return too_large("replace");
    }
    *text = text.replace(find, with).into();
    Ok(())
}

/// A list of texts has many times the size of what it was cut from.
fn parts<'t>(what: &str, text: &str, parts: impl Iterator<Item = &'t str>) -> Outcome<Array> {
    if text.len() > MAX_GROWTH / 16 {
        return too_large(what);
    }
    Ok(parts.map(|part| Dynamic::from(part.to_owned())).collect())
}

fn at_least_one(most: i64) -> usize {
    usize::try_from(most).unwrap_or(0).max(1)
}
