//! The law: whatever is done without the engine comes out as the engine would have it.

use super::*;
use crate::diagnostic::{Place, Source};
use crate::script::fold;
use crate::script::project;
use crate::script::text::Walk;
use crate::script::{Host, Library, Script, ScriptText};
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use rhai::{Dynamic, Map, Scope};
use rust_decimal::Decimal;
use std::rc::Rc;

const FUNCTIONS: &str = "
    fn is_open(state) { state.a == \"open\" }
    fn available(state, more) { state.b + state.c * more }
    fn twice(x) { x + x }
    fn both(x, y) { return x && y; }
";

struct Room {
    host: Host,
    library: Rc<Library>,
}

impl Room {
    fn new() -> Self {
        let host = Host::new();
        let library = Rc::new(host.library(Some(text(FUNCTIONS))).unwrap());
        Self { host, library }
    }

    fn script(&self, script: &str, scope: &[&str]) -> Option<Script> {
        self.host.compile(text(script), scope, &self.library).ok()
    }

    /// What the engine makes of a script: what it was about, afterwards, and its answer.
    fn engine(&self, script: &Script, scope: Vec<(&str, Dynamic)>) -> Option<(Dynamic, Dynamic)> {
        let own = scope[0].0.to_owned();
        let mut room = Scope::new();
        for (name, value) in scope {
            room.push_dynamic(name.to_owned(), value);
        }
        let answer = self.host.run(script, &mut room).ok()?;
        Some((room.get_mut(&own).unwrap().clone(), answer))
    }
}

fn text(script: &str) -> ScriptText {
    let source = std::sync::Arc::new(Source { name: "test".into(), text: script.into() });
    let place = Place { source, start: 0, end: script.len() };
    ScriptText { text: script.to_owned(), place, key: "test".to_owned(), comment: None, walk: Walk::default() }
}

/// A value with its type and its digits.
fn told(value: &Dynamic) -> String {
    if let Ok(map) = value.as_map_ref() {
        return map.iter().map(|(name, value)| format!("{name}={}", told(value))).collect::<Vec<_>>().join(" ");
    }
    format!("{}:{value}", value.type_name())
}

fn values() -> impl Strategy<Value = Dynamic> {
    let decimal = |(digits, scale): (i64, u32)| Dynamic::from_decimal(Decimal::new(digits, scale));
    prop_oneof![
        4 => (-20_i64..20).prop_map(Dynamic::from),
        1 => prop_oneof![Just(i64::MAX), Just(i64::MIN), Just(0), Just(-1)].prop_map(Dynamic::from),
        4 => (-2000_i64..2000, 0_u32..4).prop_map(decimal),
        1 => (any::<i64>(), 0_u32..28).prop_map(decimal),
        1 => Just(Dynamic::from_decimal(Decimal::MAX)),
        2 => prop_oneof![Just("open"), Just("closed"), Just(""), Just("ä")].prop_map(Dynamic::from),
        1 => any::<bool>().prop_map(Dynamic::from),
        1 => Just(Dynamic::UNIT),
        1 => Just(Dynamic::from_array(vec![Dynamic::from(1_i64)])),
    ]
}

fn maps() -> impl Strategy<Value = Map> {
    [values(), values(), values()]
        .prop_map(|values| ["a", "b", "c"].into_iter().map(Into::into).zip(values).collect::<Map>())
}

fn expressions(own: &'static str) -> impl Strategy<Value = String> {
    let member =
        (prop_oneof![Just(own), Just("event"), Just("meta")], prop_oneof![8 => "[abc]", 1 => Just("d".to_owned())]);
    let leaf = prop_oneof![
        6 => (member, any::<bool>())
            .prop_map(|((of, name), dotted)| if dotted { format!("{of}.{name}") } else { format!("{of}[\"{name}\"]") }),
        2 => (-9_i64..100).prop_map(|number| number.to_string()),
        2 => (0_i64..1000).prop_map(|number| format!("{}.{:02}", number / 100, number % 100)),
        1 => prop_oneof![Just("\"open\""), Just("\"\""), Just("true"), Just("false"), Just("()")].prop_map(str::to_owned),
        1 => Just(if own == "state" { "version" } else { "key" }.to_owned()),
        1 => Just(if own == "state" { "is_open(state)" } else { "exists" }.to_owned()),
        1 => Just("x".to_owned()),
    ];
    leaf.prop_recursive(3, 12, 2, move |inner| {
        let operator = prop_oneof![
            Just("+"),
            Just("-"),
            Just("*"),
            Just("/"),
            Just("%"),
            Just("=="),
            Just("!="),
            Just("<"),
            Just("<="),
            Just(">"),
            Just(">="),
            Just("&&"),
            Just("||"),
        ];
        prop_oneof![
            6 => (inner.clone(), operator, inner.clone()).prop_map(|(a, operator, b)| format!("({a} {operator} {b})")),
            1 => inner.clone().prop_map(|a| format!("-({a})")),
            1 => inner.clone().prop_map(|a| format!("!({a})")),
            1 => inner.clone().prop_map(|a| format!("twice({a})")),
            1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("both({a}, {b})")),
            1 => inner.prop_map(move |a| if own == "state" { format!("available(state, {a})") } else { a }),
        ]
    })
}

fn statements(own: &'static str) -> impl Strategy<Value = String> {
    let operator = prop_oneof![Just("="), Just("="), Just("+="), Just("-="), Just("*="), Just("/="), Just("%=")];
    let set = (prop_oneof![8 => "[abc]", 1 => Just("d".to_owned())], operator, expressions(own))
        .prop_map(move |(name, operator, value)| format!("{own}.{name} {operator} {value};"));
    let keep = expressions(own).prop_map(|value| format!("let x = {value};"));
    let one = prop_oneof![6 => set, 1 => keep, 1 => Just(if own == "row" { "delete();" } else { "" }.to_owned())];
    let several = |one: BoxedStrategy<String>| prop::collection::vec(one, 1..4).prop_map(|all| all.join(" "));
    let one = one.boxed();
    let choice = (expressions(own), several(one.clone()), several(one.clone()))
        .prop_map(|(condition, yes, no)| format!("if {condition} {{ {yes} }} else {{ {no} }}"));
    several(prop_oneof![5 => one, 1 => choice].boxed()).prop_map(|all| format!("let x = 1; {all}"))
}

fn scope_of(own: &str) -> &'static [&'static str] {
    if own == "state" { fold::SCOPE } else { project::SCOPE }
}

/// Whether it was done directly, as the engine does it.
fn agree(
    room: &Room,
    own: &'static str,
    script: &str,
    (mine, event, meta): (&Map, &Map, &Map),
) -> Result<bool, TestCaseError> {
    let Some(script) = room.script(script, scope_of(own)) else { return Ok(false) };
    let key = Dynamic::from("k");
    let mut after = mine.clone();
    let sight = Sight { event: Event::Whole(event), meta: Some(meta), version: 7, key: Some(&key), exists: true };
    let direct = Direct::of(&script, own);
    let done = direct.as_ref().and_then(|direct| direct.act(&mut after, sight, |_| true));
    let known = |map: &Map| Dynamic::from_map(map.clone());
    if done.is_none() {
        prop_assert_eq!(told(&known(&after)), told(&known(mine)), "it is left as it was");
        return Ok(false);
    }
    let mut scope = vec![(own, known(mine)), ("event", known(event)), ("meta", known(meta))];
    scope.extend(match own {
        "state" => vec![("version", Dynamic::from(7_i64))],
        _ => vec![("key", key), ("exists", Dynamic::from(true))],
    });
    room.host.desk.begin_row();
    let engine = room.engine(&script, scope);
    let deleted = room.host.desk.end_row();
    let Some((engine, _)) = engine else {
        return Err(TestCaseError::fail("the engine fails where it was done directly"));
    };
    prop_assert_eq!(told(&known(&after)), told(&engine));
    prop_assert_eq!(done == Some(Done::Deleted), deleted);
    Ok(true)
}

/// Has a law looked at by so many cases; so many of them at least are to be done directly.
fn hold<S: Strategy>(cases: S, least: u32, law: impl Fn(S::Value) -> Result<bool, TestCaseError>) {
    let config = ProptestConfig { cases: 10_000, failure_persistence: None, ..ProptestConfig::default() };
    let done = Cell::new(0);
    let outcome =
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)).run(&cases, |case| {
            done.set(done.get() + u32::from(law(case)?));
            Ok(())
        });
    if let Err(broken) = outcome {
        panic!("{broken}");
    }
    assert!(done.get() >= least, "only {} of 10,000 cases were done directly", done.get());
}

#[test]
fn a_fold_is_done_as_the_engine_does_it() {
    let room = Room::new();
    hold((statements("state"), maps(), maps(), maps()), 500, |(script, mine, event, meta)| {
        agree(&room, "state", &script, (&mine, &event, &meta))
    });
}

#[test]
fn a_handler_is_done_as_the_engine_does_it() {
    let room = Room::new();
    hold((statements("row"), maps(), maps(), maps()), 500, |(script, mine, event, meta)| {
        agree(&room, "row", &script, (&mine, &event, &meta))
    });
}

#[test]
fn an_answer_is_the_engines() {
    let room = Room::new();
    hold((expressions("state"), maps(), maps(), maps()), 500, |(expression, mine, event, meta)| {
        let Some(script) = room.script(&format!("let x = 2; {expression}"), fold::SCOPE) else { return Ok(false) };
        let sight = Sight { event: Event::Whole(&event), meta: Some(&meta), version: 7, ..Sight::NONE };
        let Some(answer) = Direct::of(&script, "state").and_then(|direct| direct.answer(&mine, sight)) else {
            return Ok(false);
        };
        let known = |map: &Map| Dynamic::from_map(map.clone());
        let scope = vec![
            ("state", known(&mine)),
            ("event", known(&event)),
            ("meta", known(&meta)),
            ("version", Dynamic::from(7_i64)),
        ];
        let Some((_, engine)) = room.engine(&script, scope) else {
            return Err(TestCaseError::fail("the engine fails where it was answered directly"));
        };
        prop_assert_eq!(told(&answer.into_dynamic()), told(&engine));
        Ok(true)
    });
}

#[test]
fn plain_forms_need_no_engine() {
    let room = Room::new();
    let scripts = [
        "state.balance += event.amount",
        "state.status = \"open\"; state.owner = event.owner;",
        "if event.amount > 0 { state.balance -= event.amount * 1.01; } else { state.status = \"odd\"; }",
        "let more = twice(event.amount); state.balance = state.balance + more;",
        "state.list = event.list",
        "state[\"default\"] = event[\"default\"]",
        "is_open(state) && version > 0",
        "state.balance >= -state.overdraft",
    ];
    for script in scripts {
        assert!(Direct::of(&room.script(script, fold::SCOPE).unwrap(), "state").is_some(), "{script}");
    }
    for script in
        ["row.a.b = 1", "state.list.push(event.a)", "state.text = `${event.a}`", "while true {}", "state = #{}"]
    {
        let script = script.replace("row", "state");
        assert!(Direct::of(&room.script(&script, fold::SCOPE).unwrap(), "state").is_none(), "{script}");
    }
    let handler = room.script("if exists { row.seen += 1; } else { delete(); }", project::SCOPE).unwrap();
    assert!(Direct::of(&handler, "row").is_some());
    let key = room.script("event.account", project::KEY_SCOPE).unwrap();
    assert_eq!(**Direct::of(&key, "").unwrap().reads(), ["account"]);
}

#[test]
fn what_never_works_out_is_not_tried_forever() {
    let room = Room::new();
    let script = room.script("state.a += event.a", fold::SCOPE).unwrap();
    let (mut state, event) = (Map::from([("a".into(), "x".into())]), Map::from([("a".into(), "y".into())]));
    for _ in 0..MISSES {
        let sight = Sight { event: Event::Whole(&event), ..Sight::NONE };
        assert_eq!(script.direct().and_then(|direct| direct.act(&mut state, sight, |_| true)), None);
    }
    assert!(script.worth_doing().is_none());
}

#[test]
fn members_are_read_as_the_whole_payload_is() {
    use crate::json::Shape;
    let shape = Shape::Object(vec![("amount".into(), Shape::Decimal)], vec!["ref".into()]);
    let names: Names = ["amount".into(), "ref".into(), "tags".into()].into();
    let read = |text: &str| {
        let members = Members::read(text, &shape, &names)?;
        Some(names.iter().map(|name| told(&Event::Members(&members).any(name).unwrap())).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(read(r#"{"amount":10,"tags":[1]}"#).unwrap(), "decimal:10 (): array:[1]");
    for wrong in ["", "{", "[]", r#"{"amount":1}"#, r#"{"amount":1,"tags":[],"x":tru}"#, r#"{"amount":1,"tags":1} x"#] {
        assert_eq!(read(wrong), None, "{wrong}");
    }
}
