//! States as text: what a state is written as, so that reading it gives the same state again, down to the kind of every
//! number.
//!
//! It is JSON that people can read. What JSON cannot tell apart is written so that nothing else is ever written like it: a
//! decimal without fraction as `10e0`, a character as `{"$char":"x"}`. A key of a map that begins with `$` gets another one
//! in front. What has no such text, such as a function, makes no text at all: then the state is folded from its events.

use super::state::{State, StateRules};
use crate::json::{self, JsonError, Kind, Number, Reader};
use rhai::{Array, Dynamic, Identifier, Map};

/// The longest text that is made of a state, in bytes. A larger one would cost more to keep, again and again, than it
/// spares.
pub const MAX_BYTES: usize = 1024 * 1024;

/// What stands before the keys that are ours.
const MARK: char = '$';
/// The key of a character.
const CHAR: &str = "$char";

/// The text of a state; `None` where it has none.
pub fn freeze(state: &State) -> Option<String> {
    let mut text = String::with_capacity(256);
    write(&state.0, json::MAX_DEPTH, &mut text)?;
    Some(text)
}

/// The state of a text that [`freeze`] made by the same rules; `None` where it is no such text, or another state's.
pub fn thaw(text: &str, rules: &StateRules) -> Option<State> {
    let mut reader = Reader::new(text);
    let mut state = read(&mut reader).ok()?;
    reader.finish().ok()?;
    rules.settle(&mut state).ok()?;
    Some(State(state))
}

/// The same of a text that other rules made: fields that are no more go, and new ones have what they begin with.
pub fn thaw_by_others(text: &str, rules: &StateRules) -> Option<State> {
    let mut reader = Reader::new(text);
    let mut before = read(&mut reader).ok()?.try_cast::<Map>()?;
    reader.finish().ok()?;
    let mut state = rules.initial.clone().0;
    for (name, value) in state.as_map_mut().ok()?.iter_mut() {
        if let Some(kept) = before.remove(name) {
            *value = kept;
        }
    }
    rules.settle(&mut state).ok()?;
    Some(State(state))
}

/// The values of a state's fields as text, for memory only: the names are with the rules. `None` where they have none.
pub fn pack(state: &State) -> Option<String> {
    let fields = state.0.as_map_ref().ok()?;
    let mut text = String::with_capacity(128);
    text.push('[');
    for (index, value) in fields.values().enumerate() {
        if index > 0 {
            text.push(',');
        }
        write(value, json::MAX_DEPTH - 1, &mut text)?;
    }
    text.push(']');
    Some(text)
}

/// The state of which [`pack`] gave this text, by the same rules.
pub fn unpack(text: &str, rules: &StateRules) -> Option<State> {
    let mut reader = Reader::new(text);
    let mut state = Map::new();
    let mut more = reader.list_first().ok()?.is_some();
    for name in rules.sorted() {
        if !more {
            return None;
        }
        state.insert(name.clone(), read(&mut reader).ok()?);
        more = reader.list_next().ok()?.is_some();
    }
    reader.finish().ok()?;
    Some(State(Dynamic::from_map(state)))
}

/// `depth`: how many lists and objects may still be opened.
fn write(value: &Dynamic, depth: usize, out: &mut String) -> Option<()> {
    // What is shared is one thing in several places, which no text says. Tags are of no use to scripts.
    if value.is_shared() || value.tag() != 0 || out.len() > MAX_BYTES {
        return None;
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        if text.len() > MAX_BYTES {
            return None;
        }
        json::write_text(&text, out);
    } else if let Ok(number) = value.as_int() {
        json::write_integer(number, out);
    } else if let Ok(number) = value.as_decimal() {
        // Zero has a sign in arithmetic, and none in what is written.
        if number.is_zero() && number.is_sign_negative() {
            return None;
        }
        json::write_decimal_typed(number, out);
    } else if let Ok(truth) = value.as_bool() {
        out.push_str(if truth { "true" } else { "false" });
    } else if value.is_unit() {
        out.push_str("null");
    } else if let Ok(map) = value.as_map_ref() {
        let depth = depth.checked_sub(1)?;
        out.push('{');
        for (index, (key, value)) in map.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            if key.starts_with(MARK) {
                json::write_text(&format!("{MARK}{key}"), out);
            } else {
                json::write_text(key, out);
            }
            out.push(':');
            write(value, depth, out)?;
        }
        out.push('}');
    } else if let Ok(list) = value.as_array_ref() {
        let depth = depth.checked_sub(1)?;
        out.push('[');
        for (index, item) in list.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            write(item, depth, out)?;
        }
        out.push(']');
    } else if let Ok(character) = value.as_char() {
        depth.checked_sub(1)?;
        out.push_str("{\"");
        out.push_str(CHAR);
        out.push_str("\":");
        json::write_text(character.encode_utf8(&mut [0; 4]), out);
        out.push('}');
    } else {
        return None;
    }
    (out.len() <= MAX_BYTES).then_some(())
}

// The reader goes no deeper than `json::MAX_DEPTH`.
fn read(reader: &mut Reader<'_>) -> Result<Dynamic, JsonError> {
    Ok(match reader.peek()? {
        Kind::Null => {
            reader.null()?;
            Dynamic::UNIT
        }
        Kind::Bool => reader.bool()?.into(),
        Kind::Number => match reader.number()? {
            Number::Integer(number) => number.into(),
            Number::Decimal(number) => Dynamic::from_decimal(number),
        },
        Kind::Text => reader.text()?.into(),
        Kind::List => {
            let mut items = Array::new();
            let mut more = reader.list_first()?.is_some();
            while more {
                items.push(read(reader)?);
                more = reader.list_next()?.is_some();
            }
            Dynamic::from_array(items)
        }
        Kind::Object => return read_object(reader),
    })
}

fn read_object(reader: &mut Reader<'_>) -> Result<Dynamic, JsonError> {
    let nonsense = |reader: &Reader<'_>| reader.error(reader.offset(), "this was never written");
    let mut map = Map::new();
    let mut next: Option<Identifier> = reader.object_first()?.map(Into::into);
    while let Some(key) = next {
        let key = match key.strip_prefix(MARK) {
            None => key,
            Some(rest) if rest.starts_with(MARK) => rest.into(),
            Some(_) if key == CHAR && map.is_empty() => {
                let mut characters = reader.text()?.chars();
                let (first, second) = (characters.next(), characters.next());
                return match (first, second, reader.object_next()?.is_some()) {
                    (Some(character), None, false) => Ok(character.into()),
                    _ => Err(nonsense(reader)),
                };
            }
            Some(_) => return Err(nonsense(reader)),
        };
        let value = read(reader)?;
        if map.insert(key, value).is_some() {
            return Err(nonsense(reader));
        }
        next = reader.object_next()?.map(Into::into);
    }
    Ok(Dynamic::from_map(map))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::state::{Pin, StateField};
    use proptest::prelude::*;
    use rust_decimal::Decimal;

    /// Rules of states with one field, `a`.
    fn rules(pin: Pin) -> StateRules {
        StateRules::new(json::Object::new(), vec![StateField { name: "a".into(), pin }])
    }

    fn state(value: Dynamic) -> State {
        State(Dynamic::from_map([("a".into(), value)].into()))
    }

    fn frozen(value: Dynamic) -> Option<String> {
        freeze(&state(value))
    }

    /// A value with the kind of everything in it, and every digit.
    fn exactly(value: &Dynamic) -> String {
        if let Ok(map) = value.as_map_ref() {
            let members: Vec<_> = map.iter().map(|(key, value)| format!("{key:?}: {}", exactly(value))).collect();
            return format!("{{{}}}", members.join(", "));
        }
        if let Ok(list) = value.as_array_ref() {
            return format!("{:?}", list.iter().map(exactly).collect::<Vec<_>>());
        }
        match value.as_decimal() {
            Ok(number) => format!("decimal {} {}", number.mantissa(), number.scale()),
            Err(_) => format!("{} {value:?}", value.type_name()),
        }
    }

    fn any_value() -> impl Strategy<Value = Dynamic> {
        let text = || prop_oneof!["[$]{0,2}(char)?", "[a-c\"\\\\\n\u{0}é日😀{}]{0,6}", any::<String>()];
        let decimal = (any::<i128>(), 0..=96_u32, 0..=28_u32).prop_map(|(mantissa, bits, scale)| {
            Decimal::try_from_i128_with_scale(mantissa % (1_i128 << bits), scale).unwrap_or_default()
        });
        let leaf = prop_oneof![
            Just(Dynamic::UNIT),
            any::<bool>().prop_map(Dynamic::from),
            any::<i64>().prop_map(Dynamic::from),
            decimal.prop_map(Dynamic::from_decimal),
            any::<char>().prop_map(Dynamic::from),
            text().prop_map(Dynamic::from),
        ];
        leaf.prop_recursive(5, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Dynamic::from_array),
                prop::collection::vec((text(), inner), 0..6).prop_map(|members| {
                    Dynamic::from_map(members.into_iter().map(|(key, value)| (key.into(), value)).collect())
                }),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

        #[test]
        fn what_is_read_is_what_was_written(value in any_value()) {
            let before = state(value);
            let text = freeze(&before).unwrap();
            let after = thaw(&text, &rules(Pin::Free));
            prop_assert_eq!(after.map(|after| exactly(&after.0)), Some(exactly(&before.0)), "{}", text);
        }

        #[test]
        fn what_is_unpacked_is_what_was_packed(values in prop::collection::vec(any_value(), 0..4)) {
            let names = ["b", "é", "a", "c"];
            let fields = names.map(|name| StateField { name: name.into(), pin: Pin::Free });
            let rules = StateRules::new(json::Object::new(), fields.into_iter().take(values.len()).collect());
            let members = names.into_iter().map(Into::into).zip(values).collect();
            let before = State(Dynamic::from_map(members));
            let text = pack(&before).unwrap();
            let after = unpack(&text, &rules);
            prop_assert_eq!(after.map(|after| exactly(&after.0)), Some(exactly(&before.0)), "{}", text);
        }

        #[test]
        fn whatever_is_read_does_no_harm(text in "[{}\\[\\]a:\"$char0-9e.,-]{0,30}") {
            let _ = thaw(&text, &rules(Pin::Free));
        }
    }

    #[test]
    fn it_can_be_read_by_people() {
        let decimal = |text: &str| Dynamic::from_decimal(text.parse().unwrap());
        let list = vec![10.into(), decimal("10"), decimal("10.00"), 'x'.into(), "x".into(), Dynamic::UNIT, true.into()];
        assert_eq!(frozen(list.into()).unwrap(), r#"{"a":[10,10e0,10.00,{"$char":"x"},"x",null,true]}"#);
        let map = [("$char".into(), "x".into()), ("b".into(), Map::new().into())].into();
        assert_eq!(frozen(Dynamic::from_map(map)).unwrap(), r#"{"a":{"$$char":"x","b":{}}}"#);
    }

    #[test]
    fn what_no_text_can_say_makes_none() {
        let shared = Dynamic::from(1_i64).into_shared();
        assert_eq!(frozen(shared), None);
        assert_eq!(frozen(Dynamic::from(0..5_i64)), None);
        assert_eq!(frozen(rhai::FnPtr::new("f").unwrap().into()), None);
        let mut minus = Decimal::ZERO;
        minus.set_sign_negative(true);
        assert_eq!(frozen(Dynamic::from_decimal(minus)), None);
        let mut tagged = Dynamic::from(1_i64);
        tagged.set_tag(1);
        assert_eq!(frozen(tagged), None);
    }

    #[test]
    fn depth_and_size_are_bounded() {
        // The state itself is the first level.
        let nested = |depth: usize| (1..depth).fold(Dynamic::from(1_i64), |inner, _| Dynamic::from_array(vec![inner]));
        let text = frozen(nested(json::MAX_DEPTH)).unwrap();
        assert!(thaw(&text, &rules(Pin::Free)).is_some());
        assert_eq!(frozen(nested(json::MAX_DEPTH + 1)), None);
        let deep_char = |depth: usize| (2..depth).fold(Dynamic::from('x'), |inner, _| Dynamic::from_array(vec![inner]));
        assert!(thaw(&frozen(deep_char(json::MAX_DEPTH)).unwrap(), &rules(Pin::Free)).is_some());
        assert_eq!(frozen(deep_char(json::MAX_DEPTH + 1)), None);

        let around = r#"{"a":""}"#.len();
        assert_eq!(frozen("x".repeat(MAX_BYTES - around).into()).map(|text| text.len()), Some(MAX_BYTES));
        assert_eq!(frozen("x".repeat(MAX_BYTES - around + 1).into()), None);
    }

    #[test]
    fn nonsense_is_no_state() {
        let read = |text: &str| thaw(text, &rules(Pin::Free)).map(|state| exactly(&state.0));
        assert_eq!(read(r#"{"a":{"$char":"x"}}"#).unwrap(), r#"{"a": char 'x'}"#);
        let nonsense = [
            "",
            "7",
            "[]",
            "{}",
            r#"{"b":1}"#,
            r#"{"a":1,"b":1}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":1} 2"#,
            r#"{"a":{"$char":"xy"}}"#,
            r#"{"a":{"$char":""}}"#,
            r#"{"a":{"$char":7}}"#,
            r#"{"a":{"$char":"x","b":1}}"#,
            r#"{"a":{"b":1,"$char":"x"}}"#,
            r#"{"a":{"$other":1}}"#,
            r#"{"a":{"$":1}}"#,
            r#"{"a":1e99}"#,
            r#"{"a":nul}"#,
        ];
        for text in nonsense {
            assert_eq!(read(text), None, "{text}");
        }
        let pinned = |text: &str| thaw(text, &rules(Pin::Integer)).is_some();
        assert!(pinned(r#"{"a":1}"#) && !pinned(r#"{"a":"1"}"#));
    }
}
