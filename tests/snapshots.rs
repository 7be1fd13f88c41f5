//! Snapshots: what makes one useless, and that no answer depends on one.

use crate::props::config;
use crate::support::copies::{exported, imported};
use esctl::diagnostic::Source;
use esctl::domain::Domains;
use esctl::event::{Moment, StreamName, Time, Version};
use esctl::json::Value;
use esctl::store::Store;
use esctl::store::memory::MemoryStore;
use esctl::store::sqlite::{Access, Options, SqliteStore};
use esctl::workbench::Workbench;
use esctl::workbench::batch::{Batch, request_from_line};
use esctl::workbench::send::{Now, Receipt, Sent};
use proptest::prelude::*;
use std::ops::ControlFlow;
use std::rc::Rc;

/// The identity of the stores: the same, so that receipts can be compared.
const ID: &str = "0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3";

/// An aggregate with something of everything that folds can do.
const SHOP: &str = r#"
domain: shop
functions: |
  fn tax(amount) { amount * rate() }
  fn rate() { 0.19 }
  fn unused() { 1 }
aggregates:
  order:
    snapshot: 3
    description: What is bought.
    state:
      total: { type: decimal, initial: 0 }
      count: 0
      lines: []
      seen: {}
      last: null
    retired: [Printed]
    events:
      Added:
        version: 2
        was: Put
        fields: { sku: { type: string, max_length: 20 }, price: decimal, gift?: any, more?: any }
        upcast:
          1: event.price = 1.0
        fold: |
          // What it costs, with tax.
          let price = event.price + tax(event.price);
          state.lines.push(#{ sku: event.sku, price: price });
          state.total += price;
          if event.gift != () { state.last = event.gift; }
          state.seen[event.sku] = #{ first: 'x', at: version, more: event.more };
      Dropped:
        fields: {}
        fold: |
          state.count = state.lines.len();
          if state.lines.len() > 0 { let line = state.lines.remove(0); state.total -= line.price; }
          if state.last != () { state.last /= 2; }
      Noted:
        fields: { text: string }
    commands:
      Add:
        fields: { sku: string, price: decimal, gift?: any, more?: any }
        decide: |
          require(state.lines.len() < 9, "full");
          emit("Added", command);
      Drop: { fields: { times: integer }, decide: 'for n in 0..command.times { emit("Dropped"); }' }
      Move:
        fields: { to: string }
        decide: |
          require(state.lines.len() > 0, "empty");
          let other = load(`order/${command.to}`);
          require(other.state.lines.len() < 9, "full");
          let sku = state.lines[0].sku;
          emit("Dropped");
          emit_to(`order/${command.to}`, "Added", #{ sku: sku, price: other.state.total });
      Note: { fields: { text: string }, decide: 'emit("Noted", command)' }
    invariants:
      few: state.lines.len() < 11
"#;

fn load(text: &str) -> Rc<Domains> {
    let (domains, problems) = Domains::load(&[Source::new("shop.yaml", text)]);
    Rc::new(domains.unwrap_or_else(|| panic!("{}", esctl::diagnostic::render(&problems, false))))
}

thread_local! {
    // Loading takes longer than a history does.
    static WITH: Rc<Domains> = load(SHOP);
    static WITHOUT: Rc<Domains> = load(&SHOP.replace("snapshot: 3", "snapshot: 0"));
}

fn with() -> Rc<Domains> {
    WITH.with(Rc::clone)
}

fn without() -> Rc<Domains> {
    WITHOUT.with(Rc::clone)
}

fn digest(text: &str) -> String {
    load(text).aggregate("order").unwrap().digest.to_string()
}

#[test]
fn the_digest_changes_with_what_events_add_up_to() {
    let before = digest(SHOP);
    for (from, to) in [
        ("initial: 0 }", "initial: 1 }"),
        ("total: { type: decimal, initial: 0 }", "total: 0"),
        ("count: 0", "count: 1"),
        ("count: 0", "count: 0.0"),
        ("count: 0", "count: 0e0"),
        ("seen: {}", "seen: {}\n      more: 0"),
        ("state.total += price", "state.total += price * 1"),
        ("'x'", "\"x\""),
        ("fn rate() { 0.19 }", "fn rate() { 0.07 }"),
        ("amount * rate()", "rate() * amount"),
        ("more?: any }\n        upcast", "more?: decimal }\n        upcast"),
        ("sku: { type: string, max_length: 20 }, price: decimal", "sku: { type: string, max_length: 20 }, price: any"),
        ("1: event.price = 1.0", "1: event.price = 2.0"),
        ("was: Put", "was: [Put, Took]"),
        ("version: 2\n        was: Put", "version: 2"),
        ("retired: [Printed]", "retired: [Printed, Sent]"),
        ("retired: [Printed]\n", "\n"),
        (
            "      Noted:\n        fields: { text: string }",
            "      Noted: { fields: { text: string }, fold: state.last = event.text }",
        ),
        ("      Noted:\n        fields: { text: string }", "      Noted:\n        fields: { text?: string }"),
        (
            "      Noted:\n        fields: { text: string }",
            "      Noted:\n        fields: { text: string }\n      Else: {}",
        ),
        // An event with a past is typed when it is read.
        ("max_length: 20", "max_length: 21"),
    ] {
        assert!(SHOP.contains(from), "{from}");
        assert_ne!(digest(&SHOP.replacen(from, to, 1)), before, "{from} → {to}");
    }
}

#[test]
fn the_digest_stays_where_events_add_up_to_the_same() {
    let before = digest(SHOP);
    for (from, to) in [
        ("// What it costs, with tax.", "// Something else."),
        ("let price = event.price + tax(event.price);", "let price =\n            event.price + tax( event.price ) ;"),
        ("description: What is bought.", "description: What was bought."),
        ("fn unused() { 1 }", "fn unused() { 2 }"),
        ("fn unused() { 1 }", "/* more */ fn other() { 1 }"),
        ("snapshot: 3", "snapshot: 4"),
        ("      count: 0\n      lines: []", "      lines: []\n      count: 0"),
        ("state.lines.len() < 11", "state.lines.len() < 12"),
        ("< 9, \"full\"", "< 8, \"full\""),
        ("Note: { fields: { text: string }", "Note: { fields: { text: { type: string, min_length: 1 } }"),
        // What is stored fitted when it was stored.
        (
            "      Noted:\n        fields: { text: string }",
            "      Noted:\n        description: Aside.\n        fields: { text: { type: string, min_length: 1 } }",
        ),
    ] {
        assert!(SHOP.contains(from), "{from}");
        assert_eq!(digest(&SHOP.replacen(from, to, 1)), before, "{from} → {to}");
    }
    let renamed = SHOP.replace("let price =", "let cost =").replace("price: price", "price: cost");
    let renamed = renamed.replace("state.total += price", "state.total += cost");
    assert_eq!(digest(&renamed), before);
    let noted = "      Noted:\n        fields: { text: string }\n";
    let dropped = "      Dropped:\n";
    let reordered = SHOP.replacen(noted, "", 1).replacen(dropped, &format!("{noted}{dropped}"), 1);
    assert_eq!(digest(&reordered), before, "the order of events means nothing");
}

/// A line of a batch to one of three orders.
fn command() -> impl Strategy<Value = String> {
    let to = || 0..3_u8;
    let line = |order: u8, name: &str, data: String| {
        format!(r#"{{"stream":"order/{order}","command":"{name}","data":{{{data}}}}}"#)
    };
    let gift = prop_oneof![
        Just(""),
        Just(r#","gift":8"#),
        Just(r#","gift":8.0"#),
        Just(r#","gift":-7,"more":[{"$char":"x"},8.0]"#)
    ];
    prop_oneof![
        6 => (to(), 0..5_u8, 0..500_u32, gift)
            .prop_map(move |(o, sku, n, gift)| line(o, "Add", format!(r#""sku":"s{sku}","price":{}.{:02}{gift}"#, n / 100, n % 100))),
        3 => (to(), 1..6_u8).prop_map(move |(o, n)| line(o, "Drop", format!("\"times\":{n}"))),
        2 => (to(), to()).prop_map(move |(o, other)| line(o, "Move", format!("\"to\":\"{other}\""))),
        1 => to().prop_map(move |o| line(o, "Note", "\"text\":\"a\"".to_owned())),
    ]
}

fn nth(n: usize) -> Now {
    Now { time: Time::from_micros(1_000_000 * i64::try_from(n).unwrap()).unwrap(), id: format!("id-{n}") }
}

/// What came of the commands; in groups of so many, or each alone.
fn sent(workbench: &mut Workbench, lines: &[String], group: usize) -> Vec<Sent> {
    if group == 0 {
        let send = |(n, line): (usize, &String)| workbench.send(request_from_line(line).unwrap(), &nth(n)).unwrap();
        return lines.iter().enumerate().map(send).collect();
    }
    let mut batch = Batch::new(workbench, Time::default());
    let mut all = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        all.push(batch.add(request_from_line(line).unwrap(), &nth(n)).unwrap());
        if n % group == 0 {
            batch.commit().unwrap();
        }
    }
    batch.commit().unwrap();
    all
}

fn streams(workbench: &mut Workbench) -> Vec<(StreamName, Version)> {
    let all = workbench.store.streams(None, usize::MAX).unwrap();
    all.into_iter().map(|info| (info.name, info.version)).collect()
}

/// Every state of every stream; the kinds of all numbers show.
fn all_states(workbench: &mut Workbench) -> Vec<(StreamName, u64, Value)> {
    let mut all = Vec::new();
    for (stream, end) in streams(workbench) {
        for version in 0..=end.0 {
            let state = workbench.replay(&stream, Some(Moment::Version(Version(version)))).unwrap();
            assert_eq!(state.version.0, version);
            all.push((stream.clone(), version, state.state));
        }
    }
    all
}

fn count(workbench: &mut Workbench) -> usize {
    let mut count = 0;
    let each = &mut |_| {
        count += 1;
        ControlFlow::Continue(())
    };
    workbench.snapshots(&[], each).unwrap();
    count
}

fn rebuild(workbench: &mut Workbench) {
    workbench.rebuild_snapshots(&[], &mut |_| {}, &mut |_| ControlFlow::Continue(())).unwrap();
}

fn in_memory(domains: Rc<Domains>) -> Workbench {
    Workbench::new(domains, Box::new(MemoryStore::new(ID)))
}

proptest! {
    #![proptest_config(config())]

    /// The same commands come to the same, and every state at every version is the same, whether there are snapshots or not,
    /// and whoever made them.
    #[test]
    fn no_answer_depends_on_a_snapshot(lines in prop::collection::vec(command(), 0..40), group in 1..9_usize) {
        let mut plain = in_memory(without());
        let expected = sent(&mut plain, &lines, 0);
        let states = all_states(&mut plain);
        prop_assert_eq!(count(&mut plain), 0);
        let mut last = None;
        for group in [0, group] {
            let mut kept = in_memory(with());
            for (one, other) in sent(&mut kept, &lines, group).iter().zip(&expected) {
                match (one, other) {
                    // A batch refuses by what is there before its group is committed, and that is the same here.
                    (Sent::Rejected(one), Sent::Rejected(other)) => prop_assert_eq!(&one.rejection, &other.rejection),
                    // The text of the rules is in the hash of every event, and it says how often there are snapshots.
                    (Sent::Accepted(one), Sent::Accepted(other)) => {
                        prop_assert_eq!(one, &Receipt { head: one.head, ..other.clone() });
                    }
                    (one, other) => panic!("{one:?} {other:?}"),
                }
            }
            prop_assert_eq!(&all_states(&mut kept), &states);
            let made = count(&mut kept);
            prop_assert!(last.is_none_or(|last| last == made), "alone {:?}, in groups {}", last, made);
            prop_assert!(made > 0 || streams(&mut kept).iter().all(|(_, version)| version.0 < 3));
            last = Some(made);
            rebuild(&mut kept);
            let steps: u64 = streams(&mut kept).iter().map(|(_, version)| version.0 / 3).sum();
            prop_assert_eq!(count(&mut kept) as u64, steps);
            prop_assert_eq!(&all_states(&mut kept), &states);
        }
    }
}

/// A long stream in a file, all of its versions: with snapshots and without.
#[test]
fn every_state_of_a_long_stream_is_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let open = |name: &str| -> Box<dyn Store> {
        Box::new(SqliteStore::open(folder.path().join(name), Options::new(Access::Create(ID.into()))).unwrap())
    };
    let mut kept = Workbench::new(with(), open("with.db"));
    let lines: Vec<String> = (0..900_u32)
        .map(|n| match n % 9 {
            8 => r#"{"stream":"order/1","command":"Drop","data":{"times":7}}"#.to_owned(),
            7 => r#"{"stream":"order/1","command":"Move","data":{"to":"2"}}"#.to_owned(),
            _ => format!(
                r#"{{"stream":"order/1","command":"Add","data":{{"sku":"s{}","price":{}.{:02},"gift":{}}}}}"#,
                n % 5,
                n,
                n % 100,
                n % 4
            ),
        })
        .collect();
    sent(&mut kept, &lines, 50);
    let mut plain = Workbench::new(without(), open("without.db"));
    imported(plain.store.as_mut(), &exported(kept.store.as_mut())).unwrap();
    let states = all_states(&mut plain);
    assert!(states.len() > 1000, "{}", states.len());
    assert!(count(&mut kept) > 100);
    assert_eq!(all_states(&mut kept), states);
    rebuild(&mut kept);
    assert_eq!(all_states(&mut kept), states);
    assert_eq!(count(&mut plain), 0);
}
