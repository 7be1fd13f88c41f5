//! `esctl send --dry-run`: what would follow, in the rows of read models and at a moment of the past.

use crate::support::{Folder, dump};
use insta::assert_snapshot;
use serde_json::Value;
use std::collections::BTreeMap;

const SHOP: &str = r#"
domain: shop
aggregates:
  order:
    state: { item: "", paid: 0.00 }
    events:
      Placed: { fields: { item: string, by: string }, fold: state.item = event.item }
      Paid: { fields: { amount: decimal, by: string }, fold: state.paid += event.amount }
      Noted: { fields: { text: string } }
      Purged: { fold: 'state.item = ""' }
    commands:
      Place: { fields: { item: string, by: string }, decide: 'emit("Placed", command)' }
      Pay:
        fields: { amount: decimal, by: string, share?: string }
        decide: |
          emit("Paid", #{ amount: command.amount, by: command.by });
          if command.share != () {
            require(load(`order/${command.share}`).state.item != "", "no_such_order", "there is no such order");
            emit_to(`order/${command.share}`, "Paid", #{ amount: command.amount, by: command.by });
          }
      Note: { fields: { text: string }, decide: 'emit("Noted", command)' }
      Purge: { decide: 'emit("Purged")' }
projections:
  customers:
    columns: { name: string, paid: decimal, last?: string, tags: { seen?: boolean } }
    key: event.by
    on:
      order.Placed: 'row.tags = #{ seen: true }'
      order.Paid: |
        row.paid += event.amount;
        row.last = meta.stream;
        if event.amount == 13 { throw "unlucky"; }
  orders:
    columns: { id: string, item: string, paid: decimal, note?: string }
    key: meta.id
    on:
      order.Placed: row.item = event.item
      order.Paid: row.paid += event.amount
      order.Purged: delete()
"#;

fn shop() -> Folder {
    let folder = Folder::empty();
    folder.write("domains/shop.yaml", SHOP);
    for (day, command) in [
        (1, "order/1 Place item=pen by=ada --id p1"),
        (2, "order/1 Pay amount=2.50 by=ada"),
        (3, "order/2 Place item=ink by=bob --id p2"),
        (4, "order/1 Pay amount=1 by=ada share=2"),
        (5, "order/2 Note text=hello"),
    ] {
        folder.bash(&format!("ESCTL_CLOCK=2026-01-0{day}T12:00:00Z esctl send {command}")).done();
    }
    folder
}

fn projections(folder: &Folder, command: &str) -> Value {
    let told = folder.esctl(&format!("send {command} --dry-run -o json")).done();
    serde_json::from_str::<Value>(&told).unwrap()["projections"].take()
}

/// The rows of both read models by projection and key, computed from all events; nothing is brought up to date by that.
fn rows(folder: &Folder) -> BTreeMap<(String, String), Value> {
    let mut rows = BTreeMap::new();
    for (name, key) in [("customers", "name"), ("orders", "id")] {
        for line in folder.esctl(&format!("project show {name} --at 2027-01-01 -o ndjson")).done().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            rows.insert((name.to_owned(), row[key].as_str().unwrap().to_owned()), row);
        }
    }
    rows
}

#[test]
fn the_rows_that_would_change_for_people() {
    let folder = shop();
    assert_snapshot!(folder.esctl("send order/1 Pay amount=5 by=ada share=2 --dry-run"), @r#"
    exit: 0
    stdout:
    order/1  Pay would be accepted  version 4  @8
      4  @7  Paid {"amount":5,"by":"ada"}
      order/2  4  @8  Paid {"amount":5,"by":"ada"}
      ~ paid: 3.50 → 8.50
      customers  ada
        ~ paid: 4.5 → 14.5
      orders  1
        ~ paid: 3.5 → 8.5
      orders  2
        ~ paid: 1 → 6
    stderr:
    note: a dry run: nothing was stored
    "#);
    assert_snapshot!(folder.esctl("send order/3 Place item=cup by=eve --dry-run"), @r#"
    exit: 0
    stdout:
    order/3  Place would be accepted  version 1  @7
      1  @7  Placed {"item":"cup","by":"eve"}
      ~ item: "" → cup
      customers  eve  added {"name":"eve","paid":0,"last":null,"tags":{"seen":true}}
      orders  3  added {"id":"3","item":"cup","paid":0,"note":null}
    stderr:
    note: a dry run: nothing was stored
    "#);
    assert_snapshot!(folder.esctl("send order/2 Purge --dry-run"), @r#"
    exit: 0
    stdout:
    order/2  Purge would be accepted  version 4  @7
      4  @7  Purged {}
      ~ item: ink → ""
      orders  2  removed {"id":"2","item":"ink","paid":1,"note":null}
    stderr:
    note: a dry run: nothing was stored
    "#);
    // No read model is about it, or nothing in it changes.
    assert_snapshot!(folder.esctl("send order/2 Note text=again --dry-run"), @r#"
    exit: 0
    stdout:
    order/2  Note would be accepted  version 4  @7
      4  @7  Noted {"text":"again"}
    stderr:
    note: a dry run: nothing was stored
    "#);
    assert_snapshot!(folder.esctl("send order/9 Purge --dry-run"), @r"
    exit: 0
    stdout:
    order/9  Purge would be accepted  version 1  @7
      1  @7  Purged {}
    stderr:
    note: a dry run: nothing was stored
    ");
    assert_snapshot!(folder.esctl("send order/1 Place item=pen by=ada --id p1 --dry-run"), @r#"
    exit: 0
    stdout:
    order/1  Place accepted before, nothing new stored  version 1  @1
      1  @1  Placed {"item":"pen","by":"ada"}
    stderr:
    note: a dry run: nothing was stored
    "#);
    assert_snapshot!(folder.esctl("send order/1 Pay amount=5 by=ada share=7 --dry-run"), @r"
    exit: 1
    stdout:
    rejected: no_such_order: there is no such order
    stderr:
    note: a dry run: nothing was stored
    ");
}

#[test]
fn the_rows_that_would_change_for_programs() {
    let folder = shop();
    let told = projections(&folder, "order/2 Pay amount=1.50 by=bob");
    assert_snapshot!(told[0], @r#"{"after":{"last":"order/2","name":"bob","paid":1.5,"tags":{"seen":true}},"before":{"last":null,"name":"bob","paid":0,"tags":{"seen":true}},"changes":[{"after":1.5,"before":0,"path":"/paid"},{"after":"order/2","before":null,"path":"/last"}],"key":"bob","name":"customers"}"#);
    assert_snapshot!(told[1], @r#"{"after":{"id":"2","item":"ink","note":null,"paid":2.5},"before":{"id":"2","item":"ink","note":null,"paid":1},"changes":[{"after":2.5,"before":1,"path":"/paid"}],"key":"2","name":"orders"}"#);
    assert_snapshot!(projections(&folder, "order/2 Purge"), @r#"[{"after":null,"before":{"id":"2","item":"ink","note":null,"paid":1},"changes":[{"before":"ink","path":"/item"},{"before":1,"path":"/paid"}],"key":"2","name":"orders"}]"#);
    assert_snapshot!(projections(&folder, "order/3 Place item=cup by=eve")[1], @r#"{"after":{"id":"3","item":"cup","note":null,"paid":0},"before":null,"changes":[{"after":"cup","path":"/item"},{"after":0,"path":"/paid"}],"key":"3","name":"orders"}"#);
    assert_eq!(projections(&folder, "order/2 Note text=again"), serde_json::json!([]));
    let rejected = folder.esctl("send order/1 Pay amount=5 by=ada share=7 --dry-run -o json").exits(1);
    rejected.prints(r#""dry_run":true,"#).prints(r#""projections":[]}"#);
    let filter = ".projections[] | select(.name == \"orders\") | [.key, .before.paid, .after.paid] | @csv";
    let piped =
        folder.bash(&format!("esctl send order/1 Pay amount=5 by=ada share=2 --dry-run -o json | jq -r '{filter}'"));
    assert_eq!(piped.stdout, "\"1\",3.5,8.5\n\"2\",1,6\n");
}

/// What is told before is what is there after it, no row more and no row less, however far the read models have got.
#[test]
fn what_is_told_is_what_comes() {
    let commands = [
        "order/4 Place item=cup by=eve",
        "order/4 Pay amount=1.250 by=eve",
        "order/4 Pay amount=2 by=ada share=1",
        "order/1 Pay amount=0.00 by=ada share=2",
        "order/2 Purge",
        "order/2 Pay amount=3 by=bob",
        "order/4 Note text=x",
        "order/4 Purge",
        "order/4 Purge",
        "order/4 Place item=cap by=zoe",
    ];
    for filled in ["never", "once", "always"] {
        let folder = shop();
        if filled == "once" {
            folder.esctl("project rebuild").done();
        }
        for command in commands {
            if filled == "always" {
                folder.esctl("project rebuild").done();
            }
            let mut expected = rows(&folder);
            let stored = dump::everything(&folder, "esctl.db");
            let told = projections(&folder, command);
            assert_eq!(dump::everything(&folder, "esctl.db"), stored, "{command}");
            folder.esctl(&format!("send {command}")).done();
            for row in told.as_array().unwrap() {
                let key = (row["name"].as_str().unwrap().to_owned(), row["key"].as_str().unwrap().to_owned());
                assert_eq!(expected.remove(&key).unwrap_or_default(), row["before"], "{filled}, {command}: {row}");
                assert!(row["before"] != row["after"], "{filled}, {command}: {row}");
                if !row["after"].is_null() {
                    expected.insert(key, row["after"].clone());
                }
            }
            assert_eq!(rows(&folder), expected, "{filled}, {command}");
        }
    }
}

#[test]
fn a_handler_that_would_fail_is_named_and_the_decision_stands() {
    let folder = shop();
    assert_snapshot!(folder.esctl("send order/1 Pay amount=13 by=ada --dry-run"), @r#"
    exit: 0
    stdout:
    order/1  Pay would be accepted  version 4  @7
      4  @7  Paid {"amount":13,"by":"ada"}
      ~ paid: 3.50 → 16.50
      customers  ada  would stop before @7: unlucky (domains/shop.yaml:32:33)
      orders  1
        ~ paid: 3.5 → 16.5
    stderr:
    note: a dry run: nothing was stored
    "#);
    assert_snapshot!(projections(&folder, "order/1 Pay amount=13 by=ada")[0], @r#"{"name":"customers","stopped":{"error":"unlucky","key":"ada","place":"domains/shop.yaml:32:33","position":7}}"#);
    // Once it is stored, whatever comes after it does not get into that read model.
    folder.esctl("send order/1 Pay amount=13 by=ada").done();
    assert_snapshot!(folder.esctl("send order/1 Pay amount=1 by=bob --dry-run"), @r#"
    exit: 0
    stdout:
    order/1  Pay would be accepted  version 5  @8
      5  @8  Paid {"amount":1,"by":"bob"}
      ~ paid: 16.50 → 17.50
      customers  ada  has stopped before @7: unlucky (domains/shop.yaml:32:33)
      orders  1
        ~ paid: 16.5 → 17.5
    stderr:
    note: a dry run: nothing was stored
    "#);
    folder.esctl("project rebuild").exits(4);
    let told = projections(&folder, "order/1 Pay amount=1 by=bob");
    assert_eq!(told[0]["stopped"]["position"], 7);
    assert_eq!((&told[1]["key"], &told[1]["after"]["paid"]), (&"1".into(), &17.5.into()));
    // With `--park` it went on past it.
    folder.esctl("project rebuild --park").exits(0);
    let told = projections(&folder, "order/1 Pay amount=1 by=bob");
    assert_eq!((&told[0]["key"], &told[0]["after"]["paid"]), (&"bob".into(), &1.into()));
}

#[test]
fn what_goes_with_the_events_keeps_them_back() {
    let folder = shop();
    folder.write("domains/shop.yaml", SHOP.replacen("  customers:\n", "  customers:\n    inline: true\n", 1));
    let real = folder.esctl("send order/1 Pay amount=13 by=ada").exits(4);
    let told = folder.esctl("send order/1 Pay amount=13 by=ada --dry-run");
    assert_eq!((told.exit, &told.stdout), (4, &real.stdout));
    assert!(told.stderr.starts_with("error: unlucky\n") && real.stderr.ends_with(&told.stderr), "{told}");
    folder
        .esctl("send order/1 Pay amount=12 by=ada --dry-run")
        .exits(0)
        .prints("\n  customers  ada\n    ~ paid: 4.5 → 16.5\n");
}

#[test]
fn rules_that_changed_fill_it_anew_aside() {
    let folder = shop();
    folder.esctl("project rebuild").done();
    folder.write("domains/shop.yaml", SHOP.replace("row.paid += event.amount;", "row.paid += event.amount * 2;"));
    let before = dump::everything(&folder, "esctl.db");
    let told = projections(&folder, "order/1 Pay amount=5 by=ada");
    assert_eq!((&told[0]["before"]["paid"], &told[0]["after"]["paid"]), (&9.into(), &19.into()));
    assert_eq!((&told[1]["before"]["paid"], &told[1]["after"]["paid"]), (&3.5.into(), &8.5.into()));
    assert_eq!(dump::everything(&folder, "esctl.db"), before);
}

#[test]
fn too_much_to_catch_up_with_is_left_to_others() {
    let folder = shop();
    let line = "{\"stream\":\"order/2\",\"command\":\"Note\",\"data\":{\"text\":\"x\"}}\n";
    folder.esctl_with("send --batch - -o json", line.repeat(9_994)).exits(0);
    // At 10,000 positions it is still computed.
    folder.esctl("send order/1 Pay amount=5 by=ada --dry-run").exits(0).prints("@10001").prints("  customers  ada\n");
    folder.esctl("send order/2 Note text=y").done();
    assert_snapshot!(folder.esctl("send order/1 Pay amount=5 by=ada --dry-run"), @r#"
    exit: 0
    stdout:
    order/1  Pay would be accepted  version 4  @10002
      4  @10002  Paid {"amount":5,"by":"ada"}
      ~ paid: 3.50 → 8.50
      customers  not computed: it is 10,001 positions behind
      orders  not computed: it is 10,001 positions behind
    stderr:
    note: `esctl project rebuild customers` brings it up to date
    note: `esctl project rebuild orders` brings it up to date
    note: a dry run: nothing was stored
    "#);
    assert_snapshot!(projections(&folder, "order/1 Pay amount=5 by=ada"), @r#"[{"lag":10001,"name":"customers","status":"never"},{"lag":10001,"name":"orders","status":"never"}]"#);
    folder.esctl("project rebuild customers").done();
    let told = projections(&folder, "order/1 Pay amount=5 by=ada");
    assert_eq!((&told[0]["after"]["paid"], &told[1]["status"]), (&9.5.into(), &"never".into()));
    // Of the past nothing is filled: what is before the limit is computed.
    assert_snapshot!(folder.esctl("send order/1 Pay amount=5 by=ada --dry-run --at @10001"), @r#"
    exit: 0
    stdout:
    order/1  Pay would be accepted  version 4  @10002
      4  @10002  Paid {"amount":5,"by":"ada"}
      ~ paid: 3.50 → 8.50
      customers  not computed: it is 10,001 positions behind
      orders  not computed: it is 10,001 positions behind
    stderr:
    note: `esctl project show customers --at @10001` computes its rows as they were then
    note: `esctl project show orders --at @10001` computes its rows as they were then
    note: a dry run on the store as it was at @10001: nothing was stored
    "#);
    folder
        .esctl("send order/1 Pay amount=5 by=ada --dry-run --at @6")
        .exits(0)
        .prints("  customers  ada\n    ~ paid: 4.5 → 9.5\n");
}

#[test]
fn as_if_it_had_been_sent_then() {
    let folder = shop();
    assert_snapshot!(folder.esctl("send order/1 Pay amount=5 by=ada --dry-run --at 2"), @r#"
    exit: 0
    stdout:
    order/1  Pay would be accepted  version 3  @3
      3  @3  Paid {"amount":5,"by":"ada"}
      ~ paid: 2.50 → 7.50
      customers  ada
        ~ paid: 2.5 → 7.5
      orders  1
        ~ paid: 2.5 → 7.5
    stderr:
    note: a dry run on the store as it was at @2: nothing was stored
    "#);
    assert_snapshot!(folder.esctl("send order/1 Pay amount=5 by=ada --dry-run --at 2026-01-01T12:00:00Z -o json"), @r#"
    exit: 0
    stdout:
    {"stream":"order/1","command":"Pay","id":"019c13ec-9e00-7000-8000-000010000000","outcome":"accepted","version":2,"position":2,"events":[{"version":2,"position":2,"type":"Paid","data":{"amount":5,"by":"ada"}}],"head":"<hash>","dry_run":true,"state":{"item":"pen","paid":5},"changes":[{"path":"/paid","before":0.00,"after":5}],"projections":[{"name":"customers","key":"ada","before":{"name":"ada","paid":0,"last":null,"tags":{"seen":true}},"after":{"name":"ada","paid":5,"last":"order/1","tags":{"seen":true}},"changes":[{"path":"/paid","before":0,"after":5},{"path":"/last","before":null,"after":"order/1"}]},{"name":"orders","key":"1","before":{"id":"1","item":"pen","paid":0,"note":null},"after":{"id":"1","item":"pen","paid":5,"note":null},"changes":[{"path":"/paid","before":0,"after":5}]}]}
    stderr:
    note: a dry run on the store as it was at @1: nothing was stored
    "#);
    let same = |at: &str| folder.esctl(&format!("send order/1 Pay amount=5 by=ada --dry-run --at {at}")).done();
    assert_eq!(same("2"), same("@2"));
    assert_eq!(same("2"), same("2026-01-02T12:00:00Z"));
    assert_eq!(same("2"), same("2026-01-03T11:59:59Z"));
    assert_eq!(same("3"), same("@5"));
    // Its time is that of the last event then.
    folder
        .esctl("send order/1 Pay amount=5 by=ada --dry-run --at @2 --time 2026-01-01 -o json")
        .exits(0)
        .prints(r#""raised":"2026-01-02T12:00:00.000000Z""#);
    assert!(!folder.esctl("send order/1 Pay amount=5 by=ada --dry-run --at @2 -o json").done().contains("raised"));
    // Before it was there.
    folder.esctl("send order/1 Place item=pen by=ada --dry-run --at 0").exits(0).prints("version 1  @1\n");
    folder.esctl("send order/2 Place item=ink by=bob --dry-run --at 0").exits(0).prints("version 1  @3\n");
    folder.esctl("send order/7 Place item=ink by=bob --dry-run --at @0").exits(0).prints("version 1  @1\n");
}

#[test]
fn every_stream_is_as_it_was_then() {
    let folder = shop();
    // The order that it looks at was placed at @3.
    let pay = "send order/1 Pay amount=5 by=ada share=2 --dry-run";
    folder.esctl(&format!("{pay} --at @2")).exits(1).prints("rejected: no_such_order");
    folder.esctl(&format!("{pay} --at @3")).exits(0).prints("\n  order/2  2  @5  Paid");
    // So are ids, and what the stream is expected to be.
    folder
        .esctl("send order/2 Place item=ink by=bob --id p2 --dry-run --at @2")
        .exits(0)
        .prints("would be accepted  version 1");
    folder.esctl("send order/2 Place item=ink by=bob --id p2 --dry-run --at @3").exits(0).prints("accepted before");
    folder.esctl("send order/2 Note text=x --expect none --dry-run --at @2").exits(0);
    folder.esctl("send order/2 Note text=x --expect none --dry-run --at @3").exits(3).says("is at version 1");
}

#[test]
fn a_moment_that_is_none() {
    let folder = shop();
    let note = |at: &str| folder.esctl(&format!("send order/1 Note text=x --dry-run --at {at}"));
    assert_snapshot!(note("@4"), @r"
    exit: 2
    stderr:
    error: position @4 is in the middle of a command, whose events are @4 to @5
    hint: `--at @3` is before the command, `--at @5` after it
    ");
    assert_snapshot!(note("9"), @r"
    exit: 2
    stderr:
    error: `order/1` ends at version 3, there is no version 9
    hint: `--at 3` is its last version, `--at 0` its initial state
    ");
    assert_snapshot!(note("@9"), @r"
    exit: 2
    stderr:
    error: the store ends at position @6, there is no @9
    ");
    assert_snapshot!(note("2025-12-31"), @r"
    exit: 2
    stderr:
    error: the store had no event yet at 2025-12-31T00:00:00.000000Z
    ");
    assert_snapshot!(note("soon"), @r"
    exit: 2
    stderr:
    error: `soon` is no moment: write a version (`7`), a position (`@120`) or a time (`2026-01-31T12:00:00Z`)
    ");
    assert_snapshot!(folder.esctl("send order/7 Note text=x --dry-run --at 1"), @r"
    exit: 2
    stderr:
    error: there is no stream `order/7`
    hint: did you mean `order/1`?
    ");
    assert_snapshot!(folder.esctl("send order/1 Note text=x --at 1"), @r"
    exit: 2
    stderr:
    error: nothing can be stored in the past: `--at` goes with `--dry-run`
    hint: `esctl fork NEW --at MOMENT` makes a store that ends then, for sending to it
    ");
    folder.esctl("send --batch lines.ndjson --dry-run").exits(2).says("cannot be used with");
    folder.esctl("send --batch lines.ndjson --at 1").exits(2).says("cannot be used with");
    // Two events of one command in one stream: no command came between them.
    folder.esctl("send order/1 Pay amount=1 by=ada share=1").done();
    assert_snapshot!(note("4"), @r"
    exit: 2
    stderr:
    error: version 4 of `order/1` is in the middle of a command, whose events are @7 to @8
    hint: `--at @6` is before the command, `--at @8` after it
    ");
    folder.esctl("send order/1 Note text=x --dry-run --at 5").exits(0).prints("version 6  @9\n");
    // Where there is no store there is no past.
    let empty = Folder::bank();
    let open = "send account/ada Open owner=Ada currency=EUR --dry-run";
    empty.esctl(&format!("{open} --at @1")).exits(2).says("the store ends at position @0, there is no @1");
    empty.esctl(&format!("{open} --at @0")).exits(0).prints("would be accepted  version 1  @1");
    assert_eq!(empty.listing(), ["domains"]);
}

#[test]
fn looking_ahead_writes_nothing() {
    let folder = shop();
    for filled in [false, true] {
        if filled {
            folder.esctl("project rebuild").done();
            folder.esctl("send order/3 Place item=cup by=eve").done();
        }
        let before = dump::everything(&folder, "esctl.db");
        for command in ["order/1 Pay amount=5 by=ada", "order/1 Pay amount=13 by=ada", "order/2 Purge"] {
            for at in ["", "--at @3", "--at 1"] {
                folder.esctl(&format!("send {command} --dry-run {at} -o json")).exits(0);
                folder.esctl(&format!("send {command} --dry-run {at}")).exits(0);
            }
        }
        assert_eq!(dump::everything(&folder, "esctl.db"), before);
    }
}

#[test]
fn within_a_column_nothing_is_a_value_too() {
    let folder = Folder::empty();
    folder.write(
        "domains/d.yaml",
        r#"
domain: d
aggregates:
  a:
    state: { n: 0 }
    events: { WasSet: { fields: { to: any }, fold: state.n += 1 } }
    commands: { Set: { fields: { to: any }, decide: 'emit("WasSet", command)' } }
projections:
  last:
    columns: { id: string, to: any }
    key: meta.id
    on: { a.WasSet: row.to = event.to }
"#,
    );
    let set = |to: &str| format!("send a/1 Set 'to:={to}'");
    folder
        .esctl(&format!("{} --dry-run", set("null")))
        .exits(0)
        .prints("\n  last  1  added {\"id\":\"1\",\"to\":null}\n");
    folder.esctl(&set("{\"x\":1}")).done();
    let rows = |to: &str| {
        let told = folder.esctl(&format!("{} --dry-run", set(to))).done();
        told.split_once("  last").map(|(_, rows)| rows.to_owned())
    };
    assert_eq!(rows("{\"x\":1,\"y\":null}").as_deref(), Some("  1\n    + to/y: null\n"));
    assert_eq!(rows("{\"x\":null}").as_deref(), Some("  1\n    ~ to/x: 1 → null\n"));
    assert_eq!(rows("null").as_deref(), Some("  1\n    ~ to: {\"x\":1} → null\n"));
    assert_eq!(rows("{\"x\":1.0}"), None);
}
