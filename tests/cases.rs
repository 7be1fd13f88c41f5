//! Cases that a workbench for event-sourced domains has to get right, each told with a small domain of its own.

use crate::support::{Folder, dump};

/// A folder with one domain, which is sound.
fn with(domain: &str) -> Folder {
    let folder = Folder::empty();
    folder.write("domains/case.yaml", domain);
    folder.esctl("check").exits(0);
    folder
}

impl Folder {
    /// Sends commands, each written as for `send`.
    #[track_caller]
    fn sends(&self, commands: &[&str]) {
        for command in commands {
            self.esctl(&format!("send {command}")).done();
        }
    }

    /// The rows of a read model as CSV, without the names of the columns.
    #[track_caller]
    fn shows(&self, arguments: &str) -> String {
        let shown = self.esctl(&format!("project show {arguments} -o csv")).done();
        shown.split_once('\n').unwrap().1.to_owned()
    }
}

const COUNTER: &str = r#"
domain: d
aggregates:
  thing:
    state: { n: 0 }
    events: { Done: { fields: { kind: string }, fold: state.n += 1 } }
    commands: { Do: { fields: { kind: string }, decide: 'emit("Done", command)' } }
projections:
  counts:
    columns: { kind: string, count: integer }
    key: event.kind
    on: { thing.Done: row.count += 1 }
"#;

#[test]
fn an_event_is_counted_once_however_often_it_is_caught_up() {
    let folder = with(COUNTER);
    for n in 0..6 {
        folder.sends(&[&format!("thing/{n} Do kind=a")]);
    }
    assert_eq!(folder.shows("counts"), "a,6\n");
    assert_eq!(folder.shows("counts"), "a,6\n");
    folder.sends(&["thing/6 Do kind=a"]);
    assert_eq!(folder.shows("counts"), "a,7\n");
    folder.esctl("project rebuild").done();
    assert_eq!(folder.shows("counts"), "a,7\n");
}

#[test]
fn a_projection_counts_over_two_aggregates() {
    let folder = with(
        r#"
domain: d
aggregates:
  order:
    state: { n: 0 }
    events: { Placed: { fold: state.n += 1 } }
    commands: { Place: { decide: 'emit("Placed")' } }
  parcel:
    state: { n: 0 }
    events: { Sent: { fold: state.n += 1 } }
    commands: { Send: { decide: 'emit("Sent")' } }
projections:
  totals:
    columns: { of: string, orders: integer, parcels: integer }
    key: '"all"'
    on:
      order.Placed: row.orders += 1
      parcel.Sent: row.parcels += 1
"#,
    );
    folder.sends(&["order/1 Place", "parcel/1 Send", "order/2 Place"]);
    assert_eq!(folder.shows("totals"), "all,2,1\n");
}

#[test]
fn a_handler_that_fails_stops_before_its_event_or_parks_it() {
    let folder = with(&COUNTER.replace(
        "{ thing.Done: row.count += 1 }",
        "\n      thing.Done: |\n        if event.kind == \"bad\" { throw \"not that\"; }\n        row.count += 1;",
    ));
    folder.sends(&["thing/1 Do kind=good", "thing/1 Do kind=bad", "thing/1 Do kind=good"]);
    let stopped = folder.esctl("project rebuild").exits(4);
    let stopped = stopped.says("error: not that\n").says("domains/case.yaml:14:").says("`Done` of `thing/1` (@2)");
    assert_eq!(stopped.stdout, "");
    folder.esctl("project status -o ndjson").exits(0).prints(r#""building":1,"#).prints(r#""stopped":{"position":2,"#);
    folder
        .esctl("project rebuild --park")
        .exits(0)
        .prints("counts: 1 row from 2 events, up to @3, resumed, 1 event parked");
    assert_eq!(folder.shows("counts"), "good,2\n");
    folder
        .esctl("project parked -o csv")
        .exits(0)
        .prints("\ncounts,2,thing/1,2,Done,bad,not that,domains/case.yaml:14:");
}

#[test]
fn accounts_and_their_total_follow_credits_and_debits() {
    let folder = with(
        r#"
domain: bank
aggregates:
  account:
    state: { balance: 0 }
    events:
      Credited: { fields: { amount: decimal }, fold: state.balance += event.amount }
      Debited: { fields: { amount: decimal }, fold: state.balance -= event.amount }
    commands:
      Credit: { fields: { amount: decimal }, decide: 'emit("Credited", command)' }
      Debit: { fields: { amount: decimal }, decide: 'emit("Debited", command)' }
projections:
  accounts:
    columns: { account: string, balance: decimal }
    key: meta.id
    on:
      account.Credited: row.balance += event.amount
      account.Debited: row.balance -= event.amount
  totals:
    columns: { of: string, accounts: integer, total: decimal }
    key: '"bank"'
    on:
      account.Credited: |
        if meta.version == 1 { row.accounts += 1; }
        row.total += event.amount;
      account.Debited: row.total -= event.amount
"#,
    );
    for (command, accounts, total) in [
        ("account/1 Credit amount=1000", 1, 1000),
        ("account/1 Debit amount=300", 1, 700),
        ("account/2 Credit amount=300", 2, 1000),
        ("account/1 Debit amount=150", 2, 850),
    ] {
        folder.sends(&[command]);
        assert_eq!(folder.shows("totals"), format!("bank,{accounts},{total}\n"), "{command}");
        let asked = folder.esctl("sql 'SELECT count(*) AS n, sum(balance) AS total FROM accounts' -o csv").done();
        assert_eq!(asked, format!("n,total\n{accounts},{total}\n"), "{command}");
    }
    assert_eq!(folder.shows("accounts"), "1,550\n2,300\n");
}

#[test]
fn events_are_counted_by_key_and_an_unknown_key_has_no_row() {
    let folder = with(COUNTER);
    for kind in ["a", "b", "a", "a", "b"] {
        folder.sends(&[&format!("thing/1 Do kind={kind}")]);
    }
    assert_eq!(folder.shows("counts"), "a,3\nb,2\n");
    assert_eq!(folder.shows("counts --key a"), "a,3\n");
    assert_eq!(folder.shows("counts --key c"), "");
    assert_eq!(folder.esctl("project show counts --key c -o json").done(), "[]\n");
}

#[test]
fn a_handler_that_is_added_later_sees_what_came_before_it() {
    let orders = r#"
domain: shop
aggregates:
  order:
    state: { status: "" }
    events:
      Placed: { fields: { cents: integer }, fold: 'state.status = "placed"' }
      Shipped: { fold: 'state.status = "shipped"' }
    commands:
      Place: { fields: { cents: integer }, decide: 'emit("Placed", command)' }
      Ship: { decide: 'emit("Shipped")' }
projections:
  orders:
    columns: { of: string, count: integer, total: integer, shipped: integer }
    key: '"all"'
    on:
      order.Placed: |
        row.count += 1;
        row.total += event.cents;
"#;
    let folder = with(orders);
    folder.sends(&["order/1 Place cents=2999", "order/2 Place cents=4999", "order/1 Ship"]);
    assert_eq!(folder.shows("orders"), "all,2,7998,0\n");
    folder.write("domains/case.yaml", format!("{orders}      order.Shipped: row.shipped += 1\n"));
    folder.esctl("project status -o csv").exits(0).prints("orders,stale,");
    folder.esctl("project rebuild orders").exits(0).prints("orders: 1 row from 3 events, up to @3\n");
    assert_eq!(folder.shows("orders"), "all,2,7998,1\n");
}

#[test]
fn an_endless_loop_in_a_handler_ends_at_the_limit() {
    let folder = with(&COUNTER.replace(
        "{ thing.Done: row.count += 1 }",
        "\n      thing.Done: |\n        row.count += 1;\n        loop { row.count += 1; }",
    ));
    folder.sends(&["thing/1 Do kind=a"]);
    folder
        .esctl("project show counts")
        .exits(4)
        .says("the script ran past its limit of 10000000 operations")
        .says("domains/case.yaml:15:")
        .says("while projecting `Done` of `thing/1` (@1) into row \"a\" of `counts`");
}

#[test]
fn the_past_can_be_asked_of_everything_by_position_and_by_time() {
    let folder = with(COUNTER);
    for (day, kind) in [(1, "a"), (2, "b"), (3, "a"), (4, "c")] {
        let send = format!("ESCTL_CLOCK=2026-01-0{day}T12:00:00Z esctl send thing/{kind} Do kind={kind}");
        folder.bash(&send).done();
    }
    folder.esctl("project show counts").done();
    for (at, rows) in [
        ("@0", ""),
        ("@1", "a,1\n"),
        ("@2", "a,1\nb,1\n"),
        ("@3", "a,2\nb,1\n"),
        ("@4", "a,2\nb,1\nc,1\n"),
        ("2026-01-02", "a,1\n"),
        ("2026-01-03T11:59:59Z", "a,1\nb,1\n"),
        ("2026-01-03T12:00:00Z", "a,2\nb,1\n"),
        ("2026-01-31", "a,2\nb,1\nc,1\n"),
    ] {
        assert_eq!(folder.shows(&format!("counts --at {at}")), rows, "{at}");
    }
    folder.esctl("project show counts --at 2025-12-31").exits(2).says("no event yet");
    // A stream; and the log, whose past is its beginning.
    folder.esctl("replay thing/a --at @2 -o json").exits(0).prints(r#""version":1,"position":1,"#);
    folder.esctl("replay thing/a --at 2026-01-04 -o json").exits(0).prints(r#""version":2,"position":3,"#);
    // The whole store: its log, its streams, and a store of its own that ends then.
    for at in ["@2", "2026-01-02T12:00:00Z", "2026-01-03T11:00:00Z"] {
        let until = folder.esctl(&format!("events --until {at} -o csv")).done();
        assert_eq!(until.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect::<Vec<_>>(), ["1", "2"]);
        let streams = folder.esctl(&format!("streams --at {at} -o csv")).done();
        assert_eq!(streams.lines().skip(1).map(|line| &line[..9]).collect::<Vec<_>>(), ["thing/a,1", "thing/b,1"]);
        folder.esctl(&format!("fork then.db --at {at}")).done();
        let then = folder.esctl("project show counts --store then.db -o csv").done();
        assert_eq!(then, folder.esctl(&format!("project show counts --at {at} -o csv")).done());
        std::fs::remove_file(folder.file("then.db")).unwrap();
    }
    // A moment that is none is told of everything in the same words.
    for (at, words) in [
        ("2025-12-31", "error: the store had no event yet at 2025-12-31T00:00:00.000000Z\n"),
        ("@5", "error: the store ends at position @4, there is no @5\n"),
        (
            "noon",
            "error: `noon` is no moment: write a version (`7`), a position (`@120`) or a time (`2026-01-31T12:00:00Z`)\n",
        ),
        (
            "3",
            "error: only a stream has versions; a moment here is a position or a time\nhint: `@3` is a position of the store\n",
        ),
    ] {
        for verb in ["project show counts", "streams", "fork x.db"] {
            assert_eq!(folder.esctl(&format!("{verb} --at {at}")).exits(2).stderr, words, "{verb}");
        }
    }
    let early =
        "SELECT stream, max(version) AS version FROM events WHERE time <= '2026-01-03T00:00:00Z' GROUP BY stream";
    folder.esctl(&format!("sql \"{early}\" -o csv")).exits(0).prints("stream,version\nthing/a,1\nthing/b,1\n");
}

#[test]
fn rooms_are_as_free_at_every_version_as_at_the_time_of_its_last_event() {
    let folder = with(
        r#"
domain: hotel
aggregates:
  hotel:
    state: { rooms: 0, free: 0 }
    events:
      Opened: { fields: { rooms: integer }, fold: 'state.rooms = event.rooms; state.free = event.rooms' }
      Booked: { fold: state.free -= 1 }
      CheckedOut: { fold: state.free += 1 }
    commands:
      Open: { fields: { rooms: integer }, decide: 'emit("Opened", command)' }
      Book: { decide: 'require(state.free > 0, "full", "no room is free"); emit("Booked")' }
      CheckOut: { decide: 'emit("CheckedOut")' }
"#,
    );
    let commands = [("Open rooms=2", 2), ("Book", 1), ("Book", 0), ("CheckOut", 1), ("Book", 0)];
    for (day, (command, _)) in (1..).zip(commands) {
        folder.bash(&format!("ESCTL_CLOCK=2026-01-0{day}T12:00:00Z esctl send hotel/h {command}")).done();
    }
    for (version, (_, free)) in (1..).zip(commands) {
        let at = |at: &str| folder.esctl(&format!("replay hotel/h --at {at} -o json")).done();
        let by_version = at(&version.to_string());
        assert!(by_version.contains(&format!(r#""state":{{"rooms":2,"free":{free}}}"#)), "{by_version}");
        assert_eq!(at(&format!("2026-01-0{version}T12:00:00Z")), by_version);
        assert_eq!(at(&format!("@{version}")), by_version);
        // What could have been done then.
        let exit = i32::from(free == 0);
        folder.esctl(&format!("send hotel/h Book --dry-run --at {version}")).exits(exit);
    }
    folder.esctl("replay hotel/h --at 6").exits(2).says("`hotel/h` ends at version 5, there is no version 6");
    folder.esctl("replay hotel/h --at @6").exits(2).says("the store ends at position @5, there is no @6");
    folder.esctl("replay hotel/h --at 2025-12-31").exits(2).says("`hotel/h` had no event yet at 2025-12-31");
    folder.esctl("replay hotel/g --at 1").exits(2).says("there is no stream `hotel/g`");
}

#[test]
fn nothing_is_written_by_looking() {
    let folder = with(COUNTER);
    folder.sends(&["thing/1 Do kind=a", "thing/1 Do kind=b"]);
    folder.esctl("project rebuild").done();
    let filled = dump::everything(&folder, "esctl.db");
    let looks = [
        "check",
        "events",
        "events --stream thing/1 -o ndjson",
        "events --until @1",
        "streams",
        "streams --at @1",
        "replay thing/1",
        "replay thing/1 --steps",
        "replay thing/1 --at @1",
        "export",
        "verify",
        "send thing/1 Do kind=c --dry-run",
        "send thing/1 Do kind=c --dry-run --at 1",
        "project list",
        "project status",
        "project parked",
        "project retry",
        "project verify",
        "project show counts",
        "project show counts --where 1",
        "project show counts --at @1",
        "project show counts --stale",
        "sql 'SELECT * FROM counts'",
    ];
    for look in looks {
        folder.esctl(look).exits(0);
        assert!(dump::everything(&folder, "esctl.db") == filled, "{look}");
    }
    // Behind the log, what only looks leaves it behind.
    folder.sends(&["thing/1 Do kind=a"]);
    let behind = dump::everything(&folder, "esctl.db");
    assert!(behind != filled);
    let catch_up = ["project show counts", "project show counts --where 1", "sql 'SELECT * FROM counts'"];
    for look in looks.iter().filter(|look| !catch_up.contains(look)).chain(&["sql 'SELECT * FROM counts' --stale"]) {
        folder.esctl(look).exits(0);
        assert!(dump::everything(&folder, "esctl.db") == behind, "{look}");
    }
    // Catching up writes no event.
    let log = |folder: &Folder| dump::rows(folder, "esctl.db", "es_events");
    let before = log(&folder);
    assert_eq!(folder.shows("counts"), "a,2\nb,1\n");
    assert_eq!(log(&folder), before);
}

#[test]
fn a_row_that_was_purged_does_not_come_back_with_a_late_event() {
    let folder = with(
        r#"
domain: shop
aggregates:
  order:
    state: { n: 0 }
    events:
      Placed: { fields: { item: string }, fold: state.n += 1 }
      Purged: { fold: state.n += 1 }
      Shipped: { fold: state.n += 1 }
    commands:
      Place: { fields: { item: string }, decide: 'emit("Placed", command)' }
      Purge: { decide: 'emit("Purged")' }
      Ship: { decide: 'emit("Shipped")' }
projections:
  orders:
    columns: { order: string, item: string, shipped: boolean }
    key: meta.id
    on:
      order.Placed: row.item = event.item
      order.Purged: delete()
      order.Shipped: |
        if !exists { delete(); return; }
        row.shipped = true;
"#,
    );
    folder.sends(&[
        "order/1 Place item=pen",
        "order/2 Place item=ink",
        "order/1 Purge",
        "order/1 Ship",
        "order/2 Ship",
    ]);
    assert_eq!(folder.shows("orders"), "2,ink,true\n");
    // Nor where each is caught up by itself.
    folder.sends(&["order/2 Purge"]);
    assert_eq!(folder.shows("orders"), "");
    folder.sends(&["order/2 Ship", "order/2 Purge"]);
    assert_eq!(folder.shows("orders"), "");
    folder.esctl("project verify").exits(0);
}

#[test]
fn a_row_that_was_changed_by_hand_is_found() {
    let folder = with(COUNTER);
    folder.sends(&["thing/1 Do kind=a", "thing/1 Do kind=b"]);
    folder.esctl("project rebuild").done();
    folder.esctl("project verify").exits(0);
    dump::change(&folder, "UPDATE counts__1 SET count = 5 WHERE kind = 'b'");
    folder
        .esctl("project verify")
        .exits(1)
        .prints("counts")
        .prints("`count` of the row \"b\" is 5, the events give 1\n");
}

#[test]
fn a_view_that_carries_a_version_ignores_what_is_older() {
    let folder = with(
        r#"
domain: stock
aggregates:
  feed:
    state: { n: 0 }
    events:
      Seen: { fields: { item: string, version: integer, price: decimal }, fold: state.n += 1 }
    commands:
      See: { fields: { item: string, version: integer, price: decimal }, decide: 'emit("Seen", command)' }
projections:
  prices:
    columns: { item: string, version: integer, price: decimal }
    key: event.item
    on:
      feed.Seen: |
        if event.version <= row.version { return; }
        row.version = event.version;
        row.price = event.price;
"#,
    );
    folder.sends(&["feed/x See item=pen version=1 price=2", "feed/y See item=pen version=3 price=4"]);
    assert_eq!(folder.shows("prices"), "pen,3,4\n");
    folder.sends(&["feed/x See item=pen version=2 price=3", "feed/x See item=pen version=3 price=9"]);
    assert_eq!(folder.shows("prices"), "pen,3,4\n");
    folder.sends(&["feed/x See item=pen version=4 price=5"]);
    assert_eq!(folder.shows("prices"), "pen,4,5\n");
}

#[test]
fn a_row_is_inserted_changed_and_removed() {
    let folder = with(
        r#"
domain: d
aggregates:
  user:
    state: { name: "" }
    events:
      Created: { fields: { name: string }, fold: state.name = event.name }
      Updated: { fields: { name: string }, fold: state.name = event.name }
      Deleted: { fold: 'state.name = ""' }
    commands:
      Create: { fields: { name: string }, decide: 'emit("Created", command)' }
      Update: { fields: { name: string }, decide: 'emit("Updated", command)' }
      Delete: { decide: 'emit("Deleted")' }
projections:
  users:
    columns: { user: string, name: string, changes: integer }
    key: meta.id
    on:
      user.Created: row.name = event.name
      user.Updated: |
        row.name = event.name;
        row.changes += 1;
      user.Deleted: delete()
"#,
    );
    let same_when_rebuilt = |rows: &str| {
        assert_eq!(folder.shows("users"), rows);
        let caught_up = dump::rows(&folder, "esctl.db", "users");
        folder.esctl("project rebuild").done();
        assert_eq!(dump::rows(&folder, "esctl.db", "users"), caught_up);
    };
    folder.sends(&["user/1 Create name=Ada", "user/2 Create name=Bob"]);
    same_when_rebuilt("1,Ada,0\n2,Bob,0\n");
    folder.sends(&["user/1 Update name=Eve"]);
    same_when_rebuilt("1,Eve,1\n2,Bob,0\n");
    folder.sends(&["user/1 Delete"]);
    same_when_rebuilt("2,Bob,0\n");
    folder.sends(&["user/1 Create name=Ada"]);
    same_when_rebuilt("1,Ada,0\n2,Bob,0\n");
}
