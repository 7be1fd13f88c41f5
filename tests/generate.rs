//! Random payloads fit their fields, whatever the fields are.

use crate::props::config;
use crate::support::trial::scaled;
use esctl::domain::fields::{Field, Fields, ListRules, NumberRules, Pattern, TextRules, Type};
use esctl::json::Value;
use esctl::workbench::generate::{Pool, Random, Values};
use proptest::prelude::*;
use rust_decimal::Decimal;

/// Patterns as people write them, anchored and not.
const PATTERNS: &[&str] = &[
    "^[A-Z]{3}$",
    "^97[89][0-9]{10}$",
    "^[0-9a-f]{40}$",
    "b",
    r"^\d+(\.\d{1,2})?$",
    r"^\w+@\w+\.(com|org)$",
    "^(a|bb|ccc){2,}$",
    "[^a-z]",
    "^$",
    "^.*$",
    "^.{2,}$",
    r"^[^\s,;]+$",
    "(?i)^yes|no$",
    "^é+$",
    r"\bx\b",
];

fn decimal() -> impl Strategy<Value = Option<Decimal>> {
    prop_oneof![
        3 => Just(None),
        2 => (-2_000..2_000_i64, 0..4_u32).prop_map(|(n, scale)| Some(Decimal::new(n, scale))),
        1 => (any::<i64>(), 0..28_u32).prop_map(|(n, scale)| Some(Decimal::new(n, scale))),
    ]
}

fn numbers(scaled: bool) -> impl Strategy<Value = NumberRules> {
    let multiple =
        prop_oneof![3 => Just(None), 1 => (1..500_i64, 0..4_u32).prop_map(|(n, s)| Some(Decimal::new(n, s)))];
    let scale = prop_oneof![Just(None), (0..29_u32).prop_map(Some)];
    (decimal(), decimal(), decimal(), decimal(), multiple, scale).prop_map(
        move |(minimum, maximum, exclusive_minimum, exclusive_maximum, multiple_of, scale)| NumberRules {
            minimum,
            maximum,
            exclusive_minimum,
            exclusive_maximum,
            multiple_of,
            scale: scale.filter(|_| scaled),
        },
    )
}

fn texts() -> impl Strategy<Value = TextRules> {
    let length = || prop_oneof![2 => Just(None), 1 => (0..12_usize).prop_map(Some)];
    (length(), length(), prop::option::of(prop::sample::select(PATTERNS))).prop_map(
        |(min_length, max_length, pattern)| TextRules {
            min_length,
            max_length,
            pattern: pattern.map(|pattern| Pattern::new(pattern).unwrap()),
        },
    )
}

fn any_type() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        3 => texts().prop_map(Type::Text),
        3 => numbers(false).prop_map(Type::Integer),
        3 => numbers(true).prop_map(Type::Decimal),
        1 => prop::sample::select(vec![Type::Boolean, Type::Date, Type::Timestamp, Type::Uuid, Type::Any]),
        1 => Just(Type::one_of([Value::Text("A".to_owned()), Value::Integer(7), Value::Null])),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let size = || prop::option::of(0..6_usize);
        prop_oneof![
            (inner.clone(), size(), size(), any::<bool>()).prop_map(|(items, min_items, max_items, unique_items)| {
                Type::List(ListRules { items: Box::new(items), min_items, max_items, unique_items })
            }),
            fields_of(inner).prop_map(Type::Object),
        ]
    })
}

fn fields_of(kind: impl Strategy<Value = Type>) -> impl Strategy<Value = Fields> {
    prop::collection::vec((kind, any::<bool>()), 0..4).prop_map(|kinds| {
        let field = |(at, (kind, optional)): (usize, (Type, bool))| {
            let name = format!("f{at}");
            if optional { Field::optional(name, kind) } else { Field::required(name, kind) }
        };
        Fields::new(kinds.into_iter().enumerate().map(field).collect())
    })
}

fn values(seed: u64) -> Values {
    let texts = ["open", "", "EUR", "2026-01-31"].map(str::to_owned).to_vec();
    let numbers = [100, -1, 28].map(Decimal::from).to_vec();
    Values::new(Random::new(seed), Pool::new(vec!["1".to_owned(), "2".to_owned()], texts, numbers))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_payload_fits_its_fields(fields in fields_of(any_type()), seed in any::<u64>()) {
        let mut values = values(seed);
        for _ in 0..10 {
            match values.payload(&fields) {
                Some(payload) => {
                    let accepted = fields.accept(payload.clone());
                    prop_assert!(accepted.is_ok(), "{}: {accepted:?}", Value::Object(payload));
                }
                // What cannot be made is named.
                None => prop_assert!(!values.take_unmet().is_empty()),
            }
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_payloads(fields in fields_of(any_type()), seed in any::<u64>()) {
        let (mut one, mut two) = (values(seed), values(seed));
        for _ in 0..5 {
            prop_assert_eq!(one.payload(&fields), two.payload(&fields));
        }
    }
}

/// A text for each pattern, and numbers for every rule: where there is a value it is found.
#[test]
fn what_can_be_met_is_met() {
    let text = |pattern: &str, min: Option<usize>, max: Option<usize>| {
        Type::Text(TextRules { min_length: min, max_length: max, pattern: Some(Pattern::new(pattern).unwrap()) })
    };
    let number = |text: &str| Decimal::from_str_exact(text).ok();
    let mut kinds: Vec<Type> = PATTERNS.iter().map(|pattern| text(pattern, None, None)).collect();
    kinds.extend([
        text("^[a-z]+$", Some(40), Some(41)),
        text("b", Some(10), Some(10)),
        text("^[a-z]*$", None, Some(0)),
        Type::Text(TextRules { min_length: Some(300), ..TextRules::default() }),
        Type::Integer(NumberRules { minimum: number("9223372036854775807"), ..NumberRules::default() }),
        Type::Integer(NumberRules { multiple_of: number("0.75"), minimum: number("10"), ..NumberRules::default() }),
        Type::Decimal(NumberRules {
            exclusive_minimum: number("0.001"),
            exclusive_maximum: number("0.003"),
            ..NumberRules::default()
        }),
        Type::Decimal(NumberRules {
            minimum: number("79228162514264337593543950335"),
            scale: Some(0),
            ..NumberRules::default()
        }),
        Type::List(ListRules {
            items: Box::new(Type::Boolean),
            min_items: Some(2),
            max_items: None,
            unique_items: true,
        }),
    ]);
    for kind in kinds {
        let fields = Fields::new(vec![Field::required("f", kind)]);
        for seed in 0..scaled(50, 500) as u64 {
            let mut values = values(seed);
            let made = values.payload(&fields);
            assert!(made.is_some_and(|made| fields.accept(made).is_ok()), "{fields:?}: {:?}", values.take_unmet());
        }
    }
}

#[test]
fn what_cannot_be_met_is_named() {
    let unmet = |kind: Type| {
        let fields = Fields::new(vec![Field::required("f", kind)]);
        let mut values = values(1);
        assert_eq!(values.payload(&fields), None);
        values.take_unmet().into_iter().map(|unmet| format!("{}: {}", unmet.field, unmet.what)).collect::<Vec<_>>()
    };
    let pattern = |text: &str| Some(Pattern::new(text).unwrap());
    assert_eq!(
        unmet(Type::Text(TextRules { pattern: pattern("a^b"), ..TextRules::default() })),
        ["f: a string, the pattern `a^b`"]
    );
    assert_eq!(
        unmet(Type::Text(TextRules { pattern: pattern("^abc$"), max_length: Some(2), ..TextRules::default() })),
        ["f: a string, at most 2 characters, the pattern `^abc$`"]
    );
    let number = |n: i64| Some(Decimal::from(n));
    assert_eq!(
        unmet(Type::Integer(NumberRules { minimum: number(2), maximum: number(1), ..NumberRules::default() })),
        ["f: an integer, at least 2, at most 1"]
    );
    let twice = ListRules { items: Box::new(Type::Boolean), min_items: Some(3), max_items: None, unique_items: true };
    assert_eq!(unmet(Type::List(twice)), ["f: a list, at least 3 items, each once"]);
}
