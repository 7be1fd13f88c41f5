//! Properties of whole histories: random commands to the bank, and what must hold of whatever came of them.

use crate::props::{any_value, config};
use crate::support::copies::{exported, imported};
use crate::support::sources;
use esctl::diagnostic::Source;
use esctl::domain::Domains;
use esctl::event::{Moment, NewEvent, Position, StreamName, Time, Version};
use esctl::json::{self, Object, Value};
use esctl::store::memory::MemoryStore;
use esctl::store::sqlite::SqliteStore;
use esctl::store::{Decision, Row, Store};
use esctl::workbench::Workbench;
use esctl::workbench::batch::{Batch, request_from_line};
use esctl::workbench::bisect::{Turn, Wanted as Turns};
use esctl::workbench::project::diff::{How, RowDiffers};
use esctl::workbench::project::{Manner, Wanted};
use esctl::workbench::replay::{Step, Stretch};
use esctl::workbench::send::{Now, Request, Sent};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::rc::Rc;

/// The identity of the stores: the same, so that hashes can be compared.
const ID: &str = "0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3";

thread_local! {
    // Loading takes longer than a history does.
    static BANK: Rc<Domains> = {
        let text = fs::read_to_string(sources().join("domains/bank.yaml")).unwrap();
        Rc::new(Domains::load(&[Source::new("bank.yaml", text)]).0.unwrap())
    };
    static ANY: Rc<Domains> = {
        let text = "domain: any\naggregates:\n  thing:\n    state: { n: ~, all: [] }\n    events:\n      Done:\n        fields: { n: any }\n        \
             fold: state.n = event.n; state.all.push(event.n)\n    commands:\n      Do:\n        fields: { n: any }\n        \
             decide: |\n          let copy = command.n;\n          emit(\"Done\", #{ n: copy });\n";
        let (domains, problems) = Domains::load(&[Source::new("any.yaml", text)]);
        Rc::new(domains.unwrap_or_else(|| panic!("{problems:?}")))
    };
}

fn bank() -> Workbench {
    Workbench::new(BANK.with(Rc::clone), Box::new(MemoryStore::new(ID)))
}

/// A line of a batch to one of four accounts; most are accepted once the account is open.
fn command() -> impl Strategy<Value = String> {
    let to = || 0..4_u8;
    let line = |account: u8, name: &str, data: String| {
        format!(r#"{{"stream":"account/{account}","command":"{name}","data":{{{data}}}}}"#)
    };
    let money = || (1..50_000_u32).prop_map(|cents| format!("\"amount\":{}.{:02}", cents / 100, cents % 100));
    prop_oneof![
        2 => to().prop_map(move |a| line(a, "Open", r#""owner":"O","currency":"EUR""#.to_owned())),
        6 => (to(), money()).prop_map(move |(a, m)| line(a, "Deposit", m)),
        3 => (to(), money()).prop_map(move |(a, m)| line(a, "Withdraw", m)),
        3 => (to(), to(), money()).prop_map(move |(a, b, m)| line(a, "Transfer", format!("\"to\":\"{b}\",{m}"))),
        1 => (to(), 0..500_u32).prop_map(move |(a, n)| line(a, "SetOverdraft", format!("\"limit\":{n}"))),
        1 => to().prop_map(move |a| line(a, "Close", String::new())),
    ]
}

fn commands() -> impl Strategy<Value = Vec<String>> {
    let opened = (0..4_u8)
        .map(|a| format!(r#"{{"stream":"account/{a}","command":"Open","data":{{"owner":"O","currency":"EUR"}}}}"#));
    let opened: Vec<String> = opened.collect();
    prop::collection::vec(command(), 0..30).prop_map(move |more| opened.iter().cloned().chain(more).collect())
}

/// The n-th command, at a time of its own.
fn nth(n: usize, line: &str) -> (Request, Now) {
    let time = Time::from_micros(1_000_000 * i64::try_from(n).unwrap()).unwrap();
    (request_from_line(line).unwrap(), Now { time, id: format!("id-{n}") })
}

fn send_all(workbench: &mut Workbench, lines: &[String]) {
    for (n, line) in lines.iter().enumerate() {
        let (request, now) = nth(n, line);
        workbench.send(request, &now).unwrap();
    }
}

fn streams(workbench: &mut Workbench) -> Vec<(StreamName, Version)> {
    let all = workbench.store.streams(None, usize::MAX).unwrap();
    all.into_iter().map(|info| (info.name, info.version)).collect()
}

fn state(workbench: &mut Workbench, stream: &StreamName, at: Option<Moment>) -> Value {
    workbench.replay(stream, at).unwrap().state
}

/// A store that holds the first events of one stream and nothing else.
fn cut(workbench: &mut Workbench, stream: &StreamName, version: Version) -> Workbench {
    let mut events = Vec::new();
    workbench.store.read_stream(stream, Version(0), usize::try_from(version.0).unwrap(), true, &mut events).unwrap();
    let mut store = MemoryStore::new(ID);
    for event in events {
        let mut command = (**event.command.as_ref().unwrap()).clone();
        command.id = format!("{}", event.version).into();
        let new = NewEvent { stream: event.stream, kind: event.kind, schema: event.schema, data: event.data };
        store.begin().unwrap();
        store.append(&Decision { command: &command, domain_text: "", events: &[new] }).unwrap();
        store.commit().unwrap();
    }
    Workbench::new(workbench.domains.clone(), Box::new(store))
}

fn rows(workbench: &mut Workbench, name: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let each = &mut |row| {
        rows.push(row);
        ControlFlow::Continue(())
    };
    workbench.project_rows(name, &Wanted::default(), each).unwrap();
    rows
}

/// The rows of a read model as they were after an event, by key. In the same store `aside` it goes on from an earlier event.
fn past(workbench: &mut Workbench, aside: &mut SqliteStore, name: &str, at: u64) -> BTreeMap<String, Row> {
    let at = Moment::Position(Position(at));
    let number = workbench.project_past(name, at, Manner::default(), aside, &mut |_| {}).unwrap();
    let mut rows = BTreeMap::new();
    let each = &mut |row: Row| {
        rows.insert(row[0].to_string(), row);
        ControlFlow::Continue(())
    };
    workbench.project_shown(name, number).unwrap().rows(aside, &Wanted::default(), each).unwrap();
    rows
}

/// A value whose objects have their members in one order: a map of the script language has its own.
fn sorted(value: &Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.iter().map(sorted).collect()),
        Value::Object(members) => {
            let mut all: Vec<_> = members.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            all.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(all.into_iter().collect())
        }
        other => other.clone(),
    }
}

/// What is at a path of a state, as a JSON pointer.
fn at_path<'v>(state: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('/').skip(1).try_fold(state, |value, key| match value {
        Value::List(items) => items.get(key.parse::<usize>().ok()?),
        value => value.get(&key.replace("~1", "/").replace("~0", "~")),
    })
}

/// A list in place of an object, in which the same path leads to the same value: it is another value all the same.
#[test]
fn what_stands_in_something_else_is_another_value() {
    blame_tells_the_truth([r#"{"1":false}"#, "[null,false]"].map(|text| json::parse(text).unwrap()).into());
}

/// Sends these values, and sees that what is said of each leaf holds.
fn blame_tells_the_truth(values: Vec<Value>) {
    let mut workbench = Workbench::new(ANY.with(Rc::clone), Box::new(MemoryStore::new(ID)));
    for (n, value) in values.into_iter().enumerate() {
        let (mut request, now) = nth(n, r#"{"stream":"thing/1","command":"Do"}"#);
        request.data = Object::from_iter([("n".to_owned(), value)]);
        workbench.send(request, &now).unwrap();
    }
    let stream: StreamName = "thing/1".parse().unwrap();
    let last = workbench.store.version(&stream).unwrap();
    let states: Vec<Value> =
        (0..=last.0).map(|n| state(&mut workbench, &stream, Some(Moment::Version(Version(n))))).collect();
    for leaf in workbench.blame(&stream, None, None).unwrap() {
        let version = usize::try_from(leaf.event.map_or(0, |event| event.version.0)).unwrap();
        let now = way(states.last().unwrap(), &leaf.path);
        let is_so = |n: usize| {
            let value = at_path(&states[n], &leaf.path);
            value.is_some_and(|value| value.same(&leaf.value)) && way(&states[n], &leaf.path) == now
        };
        for n in version..states.len() {
            assert!(is_so(n), "{} at {n}", leaf.path);
        }
        assert!(version == 0 || !is_so(version - 1), "{} at {version}", leaf.path);
    }
}

/// Which of the values on the way to a path are lists.
fn way(state: &Value, path: &str) -> Vec<bool> {
    let ends = path.match_indices('/').map(|(end, _)| end);
    ends.map(|end| matches!(at_path(state, &path[..end]), Some(Value::List(_)))).collect()
}

proptest! {
    #![proptest_config(config())]

    /// A batch keeps the states of its streams and folds what is new; one command alone folds all of its stream.
    #[test]
    fn folding_on_is_folding_all(lines in commands(), groups in 1..9_usize) {
        let (mut alone, mut together) = (bank(), bank());
        let mut batch = Batch::new(&mut together, Time::default());
        for (n, line) in lines.iter().enumerate() {
            let (request, now) = nth(n, line);
            let one = alone.send(request.clone(), &now).unwrap();
            let mut other = batch.add(request, &now).unwrap();
            if let Sent::Rejected(refusal) = &mut other {
                let Sent::Rejected(one) = &one else { panic!("{one:?}") };
                prop_assert_eq!(&refusal.rejection, &one.rejection);
            } else {
                prop_assert_eq!(&one, &other);
            }
            if n % groups == 0 {
                batch.commit().unwrap();
            }
        }
        batch.commit().unwrap();
        drop(batch);
        prop_assert_eq!(exported(alone.store.as_mut()), exported(together.store.as_mut()));
    }

    #[test]
    fn a_replay_up_to_a_version_is_that_of_a_stream_cut_there(lines in commands()) {
        let mut workbench = bank();
        send_all(&mut workbench, &lines);
        for (stream, version) in streams(&mut workbench) {
            let mut steps: Vec<Step> = Vec::new();
            let last = workbench.steps(&stream, None, &mut |step| { steps.push(step); ControlFlow::Continue(()) }).unwrap();
            prop_assert_eq!(&last.state, &state(&mut workbench, &stream, None));
            prop_assert_eq!(steps.len() as u64, version.0);
            for (n, step) in (1..=version.0).zip(&steps) {
                let then = state(&mut workbench, &stream, Some(Moment::Version(Version(n))));
                let mut short = cut(&mut workbench, &stream, Version(n));
                prop_assert_eq!(&then, &state(&mut short, &stream, None));
                // The same moment by its position. Several commands never share one.
                let at = Moment::Position(step.event.position);
                prop_assert_eq!(&then, &state(&mut workbench, &stream, Some(at)));
            }
        }
    }

    #[test]
    fn a_rebuilt_read_model_is_one_that_was_caught_up(lines in commands(), pause in 1..9_usize) {
        let mut workbench = bank();
        for (n, line) in lines.iter().enumerate() {
            let (request, now) = nth(n, line);
            workbench.send(request, &now).unwrap();
            if n % pause == 0 {
                workbench.project_catch_up("balances", Manner::default(), now.time, &mut |_| {}).unwrap();
                workbench.project_catch_up("ledger", Manner::default(), now.time, &mut |_| {}).unwrap();
            }
        }
        for name in ["balances", "ledger"] {
            workbench.project_catch_up(name, Manner::default(), Time::default(), &mut |_| {}).unwrap();
            let caught_up = rows(&mut workbench, name);
            workbench.project_rebuild(name, Manner::default(), Time::default(), &mut |_| {}).unwrap();
            prop_assert_eq!(rows(&mut workbench, name), caught_up);
        }
    }

    #[test]
    fn an_import_of_an_export_is_the_same(lines in commands(), meta in any_value()) {
        let mut workbench = bank();
        send_all(&mut workbench, &lines);
        let (mut request, now) = nth(1000, r#"{"stream":"account/0","command":"SetOverdraft","data":{"limit":1000},"actor":"ada"}"#);
        request.meta.insert("any".to_owned(), meta);
        workbench.send(request, &now).unwrap();
        let lines = exported(workbench.store.as_mut());
        let mut copy = MemoryStore::new(ID);
        imported(&mut copy, &lines).unwrap();
        prop_assert_eq!(exported(&mut copy), lines.clone());
        prop_assert_eq!(copy.head().unwrap(), workbench.store.head().unwrap());
        // Cut off anywhere and imported again, it goes on.
        let half: String = lines.lines().take(lines.lines().count() / 2).flat_map(|line| [line, "\n"]).collect();
        let mut copy = MemoryStore::new(ID);
        prop_assert!(imported(&mut copy, &half).is_err());
        prop_assert!(copy.head().unwrap().position > Position(0));
        imported(&mut copy, &lines).unwrap();
        prop_assert_eq!(exported(&mut copy), lines);
    }

    /// What `blame` says of a value: before that event something else was there, and since then nothing else.
    #[test]
    fn a_blamed_event_made_the_value_what_it_is(values in prop::collection::vec(any_value(), 1..8)) {
        blame_tells_the_truth(values);
    }

    /// `bisect` finds what asking at every version finds, and `diff` what the steps between add up to.
    #[test]
    fn bisecting_is_asking_every_version(lines in commands(), limit in 0..1000_i64) {
        let mut workbench = bank();
        send_all(&mut workbench, &lines);
        for (stream, last) in streams(&mut workbench) {
            let text = format!("state.balance > {limit}");
            let condition = workbench.condition(&stream, &text).unwrap().unwrap();
            let holds: Vec<bool> = (0..=last.0)
                .map(|n| match state(&mut workbench, &stream, Some(Moment::Version(Version(n)))).get("balance") {
                    Some(Value::Integer(n)) => *n > limit,
                    Some(Value::Decimal(n)) => *n > limit.into(),
                    other => panic!("{other:?}"),
                })
                .collect();
            let version = |found: Option<Turn>| found.map(|turn| (turn.version.0, turn.holds));
            let first = holds.iter().position(|holds| *holds).map(|n| (n as u64, true));
            prop_assert_eq!(version(workbench.bisect(&stream, &condition, Turns::First).unwrap()), first);
            let change = (1..holds.len()).rev().find(|n| holds[*n] != holds[n - 1]).map(|n| (n as u64, holds[n]));
            prop_assert_eq!(version(workbench.bisect(&stream, &condition, Turns::Last).unwrap()), change);
            let zero = Some(Moment::Version(Version(0)));
            let diff = workbench.diff((&stream, zero), (&stream, None)).unwrap();
            prop_assert_eq!(diff.changes.is_empty(), diff.from.state.same(&diff.to.state));
            for change in diff.changes {
                prop_assert_eq!(at_path(&diff.to.state, &change.path), change.after.as_ref());
                prop_assert_eq!(at_path(&diff.from.state, &change.path), change.before.as_ref());
            }
        }
    }

    /// The same of rows: `bisect` finds what asking after every event finds, and `diff` makes the one moment of the other.
    #[test]
    fn the_history_of_rows_is_that_of_the_read_model(lines in commands(), limit in 0..500_i64, from in 0..20_u64) {
        let mut workbench = bank();
        send_all(&mut workbench, &lines);
        let end = workbench.store.head().unwrap().position.0;
        let scratch = || SqliteStore::scratch().unwrap();
        let mut aside = scratch();
        let tables: Vec<_> = (0..=end).map(|at| past(&mut workbench, &mut aside, "balances", at)).collect();
        let condition = workbench.row_condition("balances", &format!("exists && row.balance > {limit}")).unwrap().unwrap();
        for key in ["0", "1", "2", "3"] {
            let balance = |row: &Row| match &row[2] {
                Value::Integer(n) => *n > limit,
                Value::Decimal(n) => *n > limit.into(),
                other => panic!("{other:?}"),
            };
            let text = Value::Text(key.to_owned()).to_string();
            let holds: Vec<bool> = tables.iter().map(|table| table.get(&text).is_some_and(balance)).collect();
            let mut found = |wanted| {
                let turn = workbench.project_bisect("balances", key, &condition, wanted).unwrap();
                turn.map(|turn| {
                    assert_eq!(turn.row.is_some(), tables[usize::try_from(turn.position.0).unwrap()].contains_key(&text));
                    (turn.position.0, turn.holds)
                })
            };
            prop_assert_eq!(found(Turns::First), holds.iter().position(|holds| *holds).map(|n| (n as u64, true)));
            let change = (1..holds.len()).rev().find(|n| holds[*n] != holds[n - 1]).map(|n| (n as u64, holds[n]));
            prop_assert_eq!(found(Turns::Last), change);
        }
        let from = from.min(end);
        let (mut first, mut second) = (scratch(), scratch());
        let moments = (Moment::Position(Position(from)), None);
        let diff = workbench.project_diff("balances", moments, (&mut first, &mut second), &mut |_| {}).unwrap();
        let mut table = tables[usize::try_from(from).unwrap()].clone();
        let each = &mut |row: RowDiffers| {
            let key = row.key.to_string();
            let values = table.entry(key.clone()).or_insert_with(|| vec![Value::Null; diff.table.columns.len()]);
            for change in row.changes {
                let place = diff.table.columns.iter().position(|column| format!("/{}", column.name) == change.path).unwrap();
                assert_eq!(values[place], change.before.unwrap_or_default(), "{key}: {}", change.path);
                values[place] = change.after.unwrap_or_default();
            }
            if row.how == How::Removed {
                table.remove(&key);
            }
            ControlFlow::Continue(())
        };
        diff.rows((&mut first, &mut second), each).unwrap();
        prop_assert_eq!(&table, &tables[usize::try_from(end).unwrap()]);
    }

    /// A stretch of steps is that part of all of them; `only` chooses from their changes; going forth and back gives the same.
    #[test]
    fn a_part_of_the_steps_is_a_part_of_all(lines in commands(), from in 0..9_u64, places in prop::collection::vec(0..30_u64, 0..9)) {
        let mut workbench = bank();
        send_all(&mut workbench, &lines);
        for (stream, last) in streams(&mut workbench) {
            let mut steps_of = |stretch: Stretch<'_>| {
                let mut steps: Vec<Step> = Vec::new();
                let each = &mut |step| { steps.push(step); ControlFlow::Continue(()) };
                workbench.steps_of(&stream, &stretch, each).unwrap();
                steps
            };
            let all = steps_of(Stretch::default());
            let from = Version(from.min(last.0));
            let stretch = Stretch { from: Some(Moment::Version(from)), ..Stretch::default() };
            let first = usize::try_from(from.0.max(1) - 1).unwrap();
            prop_assert_eq!(&steps_of(stretch), &all[first..]);
            let mut chosen = all.clone();
            for step in &mut chosen {
                step.changes.retain(|change| change.path == "/balance");
            }
            chosen.retain(|step| !step.changes.is_empty());
            prop_assert_eq!(steps_of(Stretch { only: Some("balance"), ..Stretch::default() }), chosen);
            let mut stepper = workbench.stepper(&stream, &Stretch::default()).unwrap();
            for place in places.iter().map(|place| place % (last.0 + 1)) {
                let standing = stepper.at(Version(place)).unwrap();
                let step = usize::try_from(place).unwrap().checked_sub(1).map(|n| &all[n]);
                prop_assert_eq!(standing.event.as_ref(), step.map(|step| &step.event));
                prop_assert_eq!(standing.gap, step.and_then(|step| step.gap));
                prop_assert_eq!(standing.changes, step.map(|step| step.changes.clone()).unwrap_or_default());
            }
        }
    }

    #[test]
    fn json_goes_through_a_script_unchanged(value in any_value()) {
        // As a payload gives it: numbers are what they are written as.
        let given = json::parse(&value.to_string()).unwrap();
        let mut workbench = Workbench::new(ANY.with(Rc::clone), Box::new(MemoryStore::new(ID)));
        let (mut request, now) = nth(1, r#"{"stream":"thing/1","command":"Do"}"#);
        request.data = Object::from_iter([("n".to_owned(), given.clone())]);
        let Sent::Accepted(receipt) = workbench.send(request, &now).unwrap() else { panic!("it was rejected") };
        let stored = json::parse(&receipt.events[0].data).unwrap();
        prop_assert_eq!(sorted(stored.get("n").unwrap()).to_string(), sorted(&given).to_string());
        let stream: StreamName = "thing/1".parse().unwrap();
        let state = json::parse(&state(&mut workbench, &stream, None).to_string()).unwrap();
        prop_assert_eq!(sorted(state.get("n").unwrap()).to_string(), sorted(&given).to_string());
    }
}
