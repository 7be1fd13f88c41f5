//! Properties: what holds for whatever a generator thinks of.
//!
//! `ESCTL_SCALE` says how many cases are tried, see `support/trial.rs`. A failing run shows its seed; `ESCTL_SEED` replays
//! it.

use crate::support::trial::scaled;
use esctl::domain::fields::{Field, Fields, ListRules, NumberRules, Pattern, TextRules, Type};
use esctl::json::{self, Number, Object, Reader, Value};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rust_decimal::Decimal;
use std::hash::{BuildHasher, RandomState};

/// How many cases, from which seed. Shown only where a test fails.
pub fn config() -> ProptestConfig {
    let seed = std::env::var("ESCTL_SEED").ok().and_then(|text| text.parse().ok());
    let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(0));
    eprintln!("ESCTL_SEED={seed}");
    ProptestConfig {
        cases: u32::try_from(scaled(256, 100_000)).unwrap(),
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..ProptestConfig::default()
    }
}

/// Strings with everything that is awkward in JSON.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => "[a-c\"\\\\/\n\t\u{0}\u{1f}\u{7f}é\u{2028}日😀~ ]{0,8}",
        1 => any::<String>(),
    ]
}

fn any_decimal() -> impl Strategy<Value = Decimal> {
    (any::<i128>(), 0..=96_u32, 0..=28_u32).prop_map(|(mantissa, bits, scale)| {
        let cut = mantissa % (1_i128 << bits);
        Decimal::try_from_i128_with_scale(cut, scale).unwrap_or_default()
    })
}

/// Values as reading gives them: a whole decimal is one that was marked so.
pub fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Integer),
        (-20..20_i64).prop_map(Value::Integer),
        any_decimal().prop_map(Value::Decimal),
        any_text().prop_map(Value::Text),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::List),
            prop::collection::vec((any_text(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A number's text as JSON allows it, whether or not it fits.
fn number_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?(0|[1-9][0-9]{0,35})",
        "-?(0|[1-9][0-9]{0,12})\\.[0-9]{1,32}",
        "-?(0|[1-9][0-9]{0,5})(\\.[0-9]{1,5})?[eE][+-]?[0-9]{1,3}",
    ]
}

/// A JSON text with white space, escapes and numbers in many forms. Keys may occur twice.
fn json_text() -> impl Strategy<Value = String> {
    let space = || "[ \n\t\r]{0,2}";
    let string = || {
        let piece = prop_oneof!["[a-d]", "\\\\[nrtbf/\"\\\\]", "\\\\u00[0-9a-fA-F]{2}", "\\\\ud83d\\\\ude00", "é|日"];
        prop::collection::vec(piece, 0..4).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
    };
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        number_text(),
        string(),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        let item =
            (space(), inner.clone(), space()).prop_map(|(before, item, after)| before + item.as_str() + after.as_str());
        let member = (space(), string(), space(), space(), inner, space())
            .prop_map(|(a, key, b, c, value, d)| format!("{a}{key}{b}:{c}{value}{d}"));
        prop_oneof![
            prop::collection::vec(item, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..5).prop_map(|members| format!("{{{}}}", members.join(","))),
        ]
    })
}

/// Texts that look like JSON and mostly are not.
fn garbage() -> impl Strategy<Value = String> {
    let cut = (json_text(), any::<prop::sample::Index>(), "[\\[\\]{},:\"0-9eE.+\\\\u -]{0,2}").prop_map(
        |(mut text, at, put)| {
            let at = text.floor_char_boundary(at.index(text.len() + 1));
            if let Some(c) = text[at..].chars().next() {
                text.replace_range(at..at + c.len_utf8(), &put);
            }
            text
        },
    );
    prop_oneof![
        3 => cut,
        2 => "[\\[\\]{},:\"0-9eE.+\\\\ntrfaluse \u{0}\u{feff}é-]{0,24}",
        1 => any::<String>(),
        1 => prop::collection::vec(any::<u8>(), 0..32).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ]
}

/// Whether our value is what the oracle read, as far as its floats can tell.
fn agrees(ours: &Value, oracle: &serde_json::Value) -> bool {
    let near = |text: String| {
        let (ours, theirs) = (text.parse::<f64>().unwrap_or(f64::NAN), oracle.as_f64().unwrap_or(f64::NAN));
        (ours - theirs).abs() <= ours.abs() * 1e-14
    };
    match (ours, oracle) {
        (Value::Null, serde_json::Value::Null) => true,
        (Value::Bool(a), serde_json::Value::Bool(b)) => a == b,
        (Value::Text(a), serde_json::Value::String(b)) => a == b,
        // The oracle reads `-0` as a float.
        (Value::Integer(a), serde_json::Value::Number(b)) => {
            b.as_i64() == Some(*a) || (*a == 0 && b.as_f64() == Some(0.0))
        }
        (Value::Decimal(a), serde_json::Value::Number(_)) => near(a.to_string()),
        (Value::List(a), serde_json::Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| agrees(a, b))
        }
        (Value::Object(a), serde_json::Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| agrees(a, b)))
        }
        _ => false,
    }
}

fn typed(value: &Value) -> String {
    let mut out = String::new();
    json::write_typed(value, &mut out);
    out
}

/// Whether a number's text can be held without rounding, found out the long way: by its digits as a text.
fn fits(text: &str) -> bool {
    let unsigned = text.trim_start_matches('-').to_lowercase();
    let (digits, exponent) = unsigned.split_once('e').unwrap_or((&unsigned, "0"));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let exponent: i64 = exponent.trim_start_matches('+').parse().unwrap();
    let mut mantissa = format!("{whole}{fraction}").trim_start_matches('0').to_owned();
    let mut scale = i64::try_from(fraction.len()).unwrap() - exponent;
    let largest = "79228162514264337593543950335";
    let held = |mantissa: &str| (mantissa.len(), mantissa) <= (largest.len(), largest);
    if unsigned.contains('e') {
        if mantissa.is_empty() {
            return true;
        }
        while scale > 28 && mantissa.ends_with('0') && held(&mantissa) {
            mantissa.pop();
            scale -= 1;
        }
        while scale < 0 && mantissa.len() < 40 {
            mantissa.push('0');
            scale += 1;
        }
    }
    (0..=28).contains(&scale) && held(&mantissa)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_written_reads_back(value in any_value()) {
        let text = typed(&value);
        let read = json::parse(&text).unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(typed(&read), text);
        let plain = json::parse(&value.to_string()).unwrap();
        prop_assert!(plain.same(&value));
        prop_assert_eq!(plain.to_string(), value.to_string());
        let pretty = json::parse(&json::pretty(&value)).unwrap();
        prop_assert_eq!(pretty, plain);
    }

    #[test]
    fn what_is_written_others_read(value in any_value()) {
        for text in [typed(&value), value.to_string(), json::pretty(&value)] {
            let oracle: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert!(agrees(&value, &oracle), "{} {}", text, oracle);
        }
    }

    #[test]
    fn what_others_read_is_read_alike_or_refused_for_a_reason(text in json_text()) {
        let Ok(oracle) = serde_json::from_str::<serde_json::Value>(&text) else {
            // Only a number beyond all floats makes these texts unreadable for the oracle, and for us.
            prop_assert!(json::parse(&text).is_err(), "{}", text);
            return Ok(());
        };
        match json::parse(&text) {
            Ok(value) => prop_assert!(agrees(&value, &oracle), "{} {} {}", text, value, oracle),
            Err(error) => prop_assert!(
                error.message.contains("does not fit") || error.message.contains("is written twice"),
                "{} {}", text, error
            ),
        }
    }

    #[test]
    fn a_number_is_held_exactly_or_refused(text in number_text()) {
        let read = json::number(&text);
        prop_assert_eq!(read.is_ok(), fits(&text), "{} {:?}", text, read);
        if let Ok(value) = read {
            let written = value.to_string();
            if !text.contains(['e', 'E']) {
                let zero = text.strip_prefix('-').filter(|text| !text.contains(|c| ('1'..='9').contains(&c)));
                prop_assert_eq!(&written, zero.unwrap_or(&text));
            }
            prop_assert_eq!(json::parse(&text).unwrap(), value);
        }
    }

    #[test]
    fn garbage_is_refused_with_a_place(text in garbage()) {
        let ours = json::parse(&text);
        let mut reader = Reader::new(&text);
        let skipped = reader.skip().and_then(|()| reader.finish());
        match ours {
            Ok(value) => {
                let oracle: serde_json::Value = serde_json::from_str(&text).unwrap();
                prop_assert!(agrees(&value, &oracle));
                prop_assert!(skipped.is_ok());
            }
            Err(error) => {
                let line = text.split('\n').nth(error.line - 1);
                let width = line.map(|line| line.chars().count());
                prop_assert!(width.is_some_and(|width| error.column <= width + 1), "{:?} {}", text, error);
                prop_assert!(!error.message.contains(esctl::event::is_control), "{:?}", error);
            }
        }
        let alone = json::number(&text).is_ok();
        let bare = text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && text.trim_end() == text;
        prop_assert_eq!(alone, bare && json::parse(&text).is_ok());
    }
}

#[test]
fn hostile_texts_are_refused_or_exact() {
    let round_trips = |text: &str| json::parse(text).unwrap().to_string() == text;
    assert!(round_trips("18446744073709551616"));
    assert!(round_trips("[-170141183460469231.73168]"));
    assert!(round_trips("0.1234567890123456789012345678"));
    let mut reader = Reader::new("18446744073709551616");
    assert!(matches!(reader.number(), Ok(Number::Decimal(_))));
    for depth in [129, 1_000, 1_000_000] {
        for open in ["[", "{\"a\":", "[{\"a\":"] {
            assert!(json::parse(&open.repeat(depth)).unwrap_err().message.contains("nested deeper"));
        }
    }
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"a":{"b":1,"c":2,"b":3}}"#,
        r#"{"a":1,"\u0061":1}"#,
        "1e400",
        "-1e400",
        "1e-400",
        "0.123456789012345678901234567890",
        "123456789012345678901234567890",
        "NaN",
        "-NaN",
        "[Infinity]",
        "-Infinity",
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800x""#,
        r#""\ud800\n""#,
        r#""\ud800\ud800""#,
        r#""\udc00\ud800""#,
        "\"\u{0}\"",
        "\u{0}",
        "1\u{0}",
        "\u{feff}1",
        "1 2",
        "{}{}",
        "'a'",
        "[1,]",
        "{\"a\":1,}",
        "// x\n1",
        "0x10",
        "\"\t\"",
        "\u{a0}1",
    ] {
        assert!(json::parse(text).is_err(), "{text}");
    }
}

/// Numbers that floats hold exactly, so that the oracle is exact as well.
fn small_number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (-6..6_i64).prop_map(Value::Integer),
        (-24..24_i64).prop_map(|quarters| Value::Decimal(Decimal::new(quarters * 25, 2))),
        (-6..6_i64).prop_map(|whole| Value::Decimal(Decimal::new(whole * 10, 1))),
    ]
}

fn small_decimal() -> impl Strategy<Value = Decimal> {
    small_number().prop_map(|number| number.as_decimal().unwrap())
}

fn number_rules() -> impl Strategy<Value = NumberRules> {
    let limit = || prop::option::weighted(0.2, small_decimal());
    let unit = prop::option::weighted(0.2, prop::sample::select(vec!["1", "2", "3", "0.5", "0.25", "1.50"]));
    (limit(), limit(), limit(), limit(), unit).prop_map(
        |(minimum, maximum, exclusive_minimum, exclusive_maximum, unit)| NumberRules {
            minimum,
            maximum,
            exclusive_minimum,
            exclusive_maximum,
            multiple_of: unit.map(|unit| unit.parse().unwrap()),
            scale: None,
        },
    )
}

fn any_type() -> impl Strategy<Value = Type> {
    let count = || prop::option::weighted(0.3, 0..4_usize);
    let pattern = prop::sample::select(vec!["^[A-Z]{3}$", "a", r"^\d+$", r"\w-", "^(a|b)*$", "é$", r"\W"]);
    let rules =
        (count(), count(), prop::option::weighted(0.3, pattern)).prop_map(|(min_length, max_length, pattern)| {
            Type::Text(TextRules { min_length, max_length, pattern: pattern.map(|text| Pattern::new(text).unwrap()) })
        });
    let leaf = prop_oneof![
        3 => rules,
        2 => number_rules().prop_map(Type::Integer),
        3 => number_rules().prop_map(Type::Decimal),
        2 => prop::sample::select(vec![Type::Boolean, Type::Date, Type::Timestamp, Type::Uuid, Type::Any]),
        1 => prop::collection::vec(small_value(), 1..4).prop_map(Type::one_of),
    ];
    leaf.prop_recursive(3, 12, 3, move |inner| {
        let list =
            (inner.clone(), count(), count(), any::<bool>()).prop_map(|(items, min_items, max_items, unique_items)| {
                Type::List(ListRules { items: Box::new(items), min_items, max_items, unique_items })
            });
        prop_oneof![list, fields_of(inner).prop_map(Type::Object)]
    })
}

fn fields_of(kind: impl Strategy<Value = Type>) -> impl Strategy<Value = Fields> {
    prop::collection::vec((kind, any::<bool>()), 0..4).prop_map(|kinds| {
        let names = ["a", "b", "c", "d"];
        let field = |((kind, optional), name): ((Type, bool), &str)| Field { optional, ..Field::required(name, kind) };
        Fields::new(kinds.into_iter().zip(names).map(field).collect())
    })
}

const DATE: &str = "20(16|24|25)-(02|06|12|13)-(00|28|29|30|31)";
const TIMESTAMP: &str = "20(16|24)-(02|12)-(28|29|30|31)[Tt ](2[0-4]|12):(5[89]|60):(0[0-9]|59|60)(\\.[0-9]{0,3})?([Zz]|[+-]0[01]:(00|01|60)|)";
const UUID: &str = "[0-9a-fA-F]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{11,12}";

/// Short texts, among them some that nearly are dates, times or ids.
fn small_text() -> impl Strategy<Value = String> {
    prop_oneof![8 => "[abABZ1é-]{0,4}", 2 => "[A-Z]{3}", 2 => "[0-9٣_]{1,2}", 1 => DATE, 1 => TIMESTAMP, 1 => UUID]
}

/// Values that are likely to meet one another.
fn small_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        small_number(),
        small_text().prop_map(Value::Text),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec(("[a-e]", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A value that has a fair chance to be of a type.
fn value_for(kind: &Type) -> BoxedStrategy<Value> {
    let right = match kind {
        Type::Text(_) => small_text().prop_map(Value::Text).boxed(),
        Type::Date => DATE.prop_map(Value::Text).boxed(),
        Type::Timestamp => TIMESTAMP.prop_map(Value::Text).boxed(),
        Type::Uuid => UUID.prop_map(Value::Text).boxed(),
        Type::Integer(_) | Type::Decimal(_) => small_number().boxed(),
        Type::Boolean => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Any => small_value().boxed(),
        Type::List(rules) => prop::collection::vec(value_for(&rules.items), 0..4).prop_map(Value::List).boxed(),
        Type::Object(fields) => payload_for(fields).prop_map(Value::Object).boxed(),
        Type::OneOf(members) => prop::sample::select(members.clone()).boxed(),
    };
    prop_oneof![12 => right, 1 => small_value()].boxed()
}

fn payload_for(fields: &Fields) -> BoxedStrategy<Object> {
    let members: Vec<_> = fields
        .iter()
        .map(|field| {
            let name = field.name.clone();
            let given = prop::option::weighted(if field.optional { 0.6 } else { 0.97 }, value_for(&field.kind));
            given.prop_map(move |value| value.map(|value| (name.clone(), value)))
        })
        .collect();
    let stranger = prop::option::weighted(0.05, ("[a-f]", small_value()));
    (members, stranger).prop_map(|(members, stranger)| members.into_iter().flatten().chain(stranger).collect()).boxed()
}

/// A payload without the optional fields that are given as null. We leave them out before we compare the items of
/// a list, which JSON Schema has no way to say.
fn without_nulls(fields: &Fields, payload: Object) -> Object {
    fn strip(kind: &Type, value: Value) -> Value {
        match (kind, value) {
            (Type::Object(fields), Value::Object(members)) => Value::Object(without_nulls(fields, members)),
            (Type::List(rules), Value::List(items)) => {
                Value::List(items.into_iter().map(|item| strip(&rules.items, item)).collect())
            }
            (_, value) => value,
        }
    }
    let stripped = |(key, value): (String, Value)| match fields.get(&key) {
        Some(field) if field.optional && value == Value::Null => None,
        Some(field) => Some((key, strip(&field.kind, value))),
        None => Some((key, value)),
    };
    payload.into_iter().filter_map(stripped).collect()
}

fn oracle(schema: &str) -> jsonschema::Validator {
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true);
    options.build(&schema).unwrap()
}

fn any_payload() -> impl Strategy<Value = (Fields, Object)> {
    fields_of(any_type()).prop_flat_map(|fields| {
        let payload = payload_for(&fields);
        (Just(fields), payload)
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn payload_checks_are_those_of_json_schema((fields, payload) in any_payload()) {
        let given = without_nulls(&fields, payload.clone());
        let text = Value::Object(given).to_string();
        let schema = fields.json_schema().to_string();
        let instance: serde_json::Value = serde_json::from_str(&text).unwrap();
        let oracle = oracle(&schema);
        let ours = fields.accept(payload);
        prop_assert_eq!(ours.is_ok(), oracle.is_valid(&instance), "{} {} {:?}", schema, instance, ours);
    }

    #[test]
    fn texts_are_of_a_form_where_json_schema_says_so(text in prop_oneof![small_text(), DATE, TIMESTAMP, UUID]) {
        let patterns = [r"^\d+$", r"^\W*$", r"\w-"].map(|pattern| {
            Type::Text(TextRules { pattern: Some(Pattern::new(pattern).unwrap()), ..TextRules::default() })
        });
        for kind in patterns.into_iter().chain([Type::Date, Type::Timestamp, Type::Uuid]) {
            let schema = kind.json_schema().to_string();
            let ours = kind.accept(Value::Text(text.clone())).is_ok();
            prop_assert_eq!(ours, oracle(&schema).is_valid(&serde_json::json!(text)), "{} {:?}", schema, text);
        }
    }

    #[test]
    fn an_accepted_payload_is_typed_once_and_for_all((fields, payload) in any_payload()) {
        if let Ok(accepted) = fields.accept(payload) {
            let order: Vec<_> = fields.iter().filter(|field| accepted.contains_key(&field.name)).collect();
            prop_assert!(order.iter().map(|field| &field.name).eq(accepted.keys()));
            let once = Value::Object(accepted.clone());
            let twice = Value::Object(fields.accept(accepted).unwrap());
            prop_assert_eq!(typed(&twice), typed(&once));
            // As stored and read back by its shape.
            let stored = json::parse_as(&once.to_string(), &fields.shape()).unwrap();
            prop_assert_eq!(typed(&stored), typed(&once));
        }
    }
}

/// The oracle test is worth something only if it sees both outcomes.
#[test]
fn random_payloads_are_right_and_wrong() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let right = (0..400)
        .filter(|_| {
            let (fields, payload) = any_payload().new_tree(&mut runner).unwrap().current();
            fields.accept(payload).is_ok()
        })
        .count();
    assert!((80..320).contains(&right), "{right} of 400");
}
