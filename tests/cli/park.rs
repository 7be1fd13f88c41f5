//! Events that cannot be applied: a projection that stops, `--park`, `project parked`, `project retry`.

use crate::support::{Folder, dump};
use insta::assert_snapshot;

/// Orders; those of more than 100 cannot be applied, nor those of a customer without a name.
const SHOP: &str = r#"domain: shop
functions: |
  fn seen(amount) {
    if amount > 100 { throw `${amount} is too much`; }
    amount
  }
aggregates:
  order:
    state: { moved: 0 }
    events:
      Placed: { fields: { by: string, amount: decimal }, fold: state.moved += 1 }
      Moved: { fields: { from: string, to: string, amount: decimal }, fold: state.moved += 1 }
    commands:
      Place: { fields: { by: string, amount: decimal }, decide: 'emit("Placed", command)' }
      Move: { fields: { from: string, to: string, amount: decimal }, decide: 'emit("Moved", command)' }
projections:
  customers:
    columns: { name: string, orders: integer, spent: decimal }
    key:
      order.Placed: |
        if event.by == "" { throw "nobody"; }
        event.by
      order.Moved: "[event.from, event.to]"
    on:
      order.Placed: |
        row.orders += 1;
        row.spent += seen(event.amount);
      order.Moved: |
        row.spent += if key == event.to { seen(event.amount) } else { -event.amount };
"#;

fn shop() -> Folder {
    let folder = Folder::empty();
    folder.write("domains/shop.yaml", SHOP);
    folder
}

fn place(folder: &Folder, by: &str, amount: &str) {
    folder.esctl(&format!("send order/{by}-{amount} Place by='{by}' amount={amount}")).done();
}

/// Two orders of Ada's, the second of which is too much, and one of Bob's.
fn ordered() -> Folder {
    let folder = shop();
    place(&folder, "ada", "10");
    place(&folder, "ada", "101");
    place(&folder, "bob", "20");
    folder
}

/// With rules that take any amount.
fn mend(folder: &Folder) {
    folder.write("domains/shop.yaml", SHOP.replace("> 100 ", "> 1000 "));
}

#[test]
fn without_park_it_stops_before_the_event_and_says_why() {
    let folder = ordered();
    assert_snapshot!(folder.esctl("project rebuild"), @r#"
    exit: 4
    stderr:
    error: 101 is too much
     --> domains/shop.yaml:4:23
      |
    4 |     if amount > 100 { throw `${amount} is too much`; }
      |                       ^^^^^
      = while projecting `Placed` of `order/ada-101` (@2) into row "ada" of `customers`
    hint: `--park` goes on past it, and `esctl project parked` lists it then
    "#);
    assert_snapshot!(folder.esctl("project show customers"), @r#"
    exit: 4
    stderr:
    error: 101 is too much
     --> domains/shop.yaml:4:23
      |
    4 |     if amount > 100 { throw `${amount} is too much`; }
      |                       ^^^^^
      = while projecting `Placed` of `order/ada-101` (@2) into row "ada" of `customers`
    hint: `--park` goes on past it, and `esctl project parked` lists it then
    "#);
    folder.esctl("sql 'SELECT * FROM customers'").exits(4).says("101 is too much").says("`--park` goes on past it");
    assert_snapshot!(folder.esctl("project rebuild -o json"), @r#"
    exit: 4
    stderr:
    {"error":{"kind":"script","message":"101 is too much","place":{"file":"domains/shop.yaml","line":4,"column":23},"excerpt":"    if amount > 100 { throw `${amount} is too much`; }","situation":"while projecting `Placed` of `order/ada-101` (@2) into row \"ada\" of `customers`","hints":["`--park` goes on past it, and `esctl project parked` lists it then"],"exit":4}}
    "#);
    // What was never complete is not served.
    assert_snapshot!(folder.esctl("project status"), @r"
    exit: 0
    stdout:
    name       status  checkpoint  head  lag  rows  since  building  parked  digest        stopped
    customers  never            0     3    3     0                1       0  a0805e687f9f  @2: 101 is too much (domains/shop.yaml:4:23)
    ");
    assert_snapshot!(folder.esctl("project status -o json"), @r#"
    exit: 0
    stdout:
    [
    {"name":"customers","status":"never","checkpoint":0,"head":3,"lag":3,"rows":0,"digest":"<hash>","since":null,"building":1,"parked":0,"stopped":{"position":2,"key":"ada","error":"101 is too much","place":"domains/shop.yaml:4:23"}}
    ]
    "#);
    assert_eq!(
        folder.esctl("project parked -o csv").done(),
        "projection,position,stream,version,type,key,error,place\n"
    );
    folder.esctl("project verify").exits(2).says("no projection was ever filled");
}

/// Rows that earlier events of the same run have changed keep what those made of them.
#[test]
fn what_came_before_is_kept_and_the_rows_of_before_are_served() {
    let folder = shop();
    place(&folder, "ada", "1");
    place(&folder, "cy", "5");
    folder.esctl("project show customers").done();
    place(&folder, "ada", "2");
    place(&folder, "bob", "20");
    place(&folder, "ada", "101");
    place(&folder, "cy", "7");
    folder.esctl("project show customers").exits(4).says("(@5)");
    assert_snapshot!(folder.esctl("project show customers --stale"), @r"
    exit: 0
    stdout:
    name  orders  spent
    ada        2      3
    bob        1     20
    cy         1      5
    ");
    folder
        .esctl("project status -o ndjson")
        .exits(0)
        .prints(r#""status":"behind","checkpoint":4,"head":6,"lag":2,"rows":3,"#)
        .prints(
            r#""parked":0,"stopped":{"position":5,"key":"ada","error":"101 is too much","place":"domains/shop.yaml:4:"#,
        );
    folder.esctl("project verify").exits(0).prints("same    customers   3 rows from 4 events, up to @4");
    // Looking again changes nothing, whoever asks.
    let before = dump::rows(&folder, "esctl.db", "customers");
    folder.esctl("project show customers --where 1").exits(4);
    folder.esctl("sql 'SELECT * FROM customers'").exits(4);
    folder.esctl("project rebuild --jobs 2").exits(4);
    assert_eq!(dump::rows(&folder, "esctl.db", "customers"), before);
    folder.esctl("sql 'SELECT sum(spent) AS spent FROM customers' --stale -o csv").exits(0).prints("\n28\n");
    // A rebuild stops there as well, and what was served still is.
    folder.esctl("project status -o ndjson").exits(0).prints(r#""checkpoint":4,"head":6,"#).prints(r#""building":4,"#);
    // With mended rules it goes on, and nothing is said to have stopped any more.
    mend(&folder);
    folder.esctl("project show customers -o csv").exits(0).prints("\nada,3,104\nbob,1,20\ncy,2,12\n");
    let status = folder.esctl("project status -o ndjson").exits(0).prints(r#""status":"current","#);
    assert!(!status.stdout.contains("stopped") && !status.stdout.contains("building"), "{status}");
}

#[test]
fn with_park_it_goes_on_and_lists_the_event() {
    for catch_up in ["project rebuild --park", "project show customers --park", "sql 'SELECT 1 FROM customers' --park"]
    {
        let folder = ordered();
        folder.esctl(catch_up).done();
        folder.esctl("project show customers -o csv").exits(0).prints("\nada,1,10\nbob,1,20\n");
        folder
            .esctl("project parked -o csv")
            .exits(0)
            .prints("\ncustomers,2,order/ada-101,1,Placed,ada,101 is too much,domains/shop.yaml:4:");
        // Once parked is agreed to: what follows is applied without asking again, another failure is not.
        place(&folder, "bob", "1");
        folder.esctl("project show customers -o csv").exits(0).prints("\nbob,2,21\n");
        place(&folder, "bob", "102");
        folder.esctl("project show customers").exits(4).says("102 is too much");
        folder.esctl(catch_up).exits(0);
        assert_eq!(folder.esctl("project parked -o ndjson").done().lines().count(), 2, "{catch_up}");
        // They cannot be applied when it is computed again either.
        folder.esctl("project verify").exits(0);
        folder.esctl("verify").exits(0);
    }
}

#[test]
fn what_is_parked_is_listed() {
    let folder = shop();
    assert_snapshot!(folder.esctl("project parked"), @r"
    exit: 0
    stdout:
    projection  position  stream  version  type  key  error  place
    ");
    place(&folder, "ada", "101");
    place(&folder, "", "1");
    folder.esctl("send order/m Move from=ada to=bob amount=200").done();
    place(&folder, "bob", "3");
    assert_snapshot!(folder.esctl("project rebuild --park"), @r"
    exit: 0
    stdout:
    customers: 1 row from 4 events, up to @4, 3 events parked
    ");
    assert_snapshot!(folder.esctl("project rebuild --park -o json"), @r#"
    exit: 0
    stdout:
    [
    {"name":"customers","events":4,"rows":1,"position":4,"resumed":false,"parked":3}
    ]
    "#);
    assert_snapshot!(folder.esctl("project parked"), @r"
    exit: 0
    stdout:
    projection  position  stream         version  type    key  error            place
    customers          1  order/ada-101        1  Placed  ada  101 is too much  domains/shop.yaml:4:23
    customers          2  order/-1             1  Placed       nobody           domains/shop.yaml:21:29
    customers          3  order/m              1  Moved   bob  200 is too much  domains/shop.yaml:4:23
    ");
    assert_snapshot!(folder.esctl("project parked customers -o json"), @r#"
    exit: 0
    stdout:
    [
    {"projection":"customers","stream":"order/ada-101","version":1,"type":"Placed","position":1,"key":"ada","error":"101 is too much","place":"domains/shop.yaml:4:23"},
    {"projection":"customers","stream":"order/-1","version":1,"type":"Placed","position":2,"error":"nobody","place":"domains/shop.yaml:21:29"},
    {"projection":"customers","stream":"order/m","version":1,"type":"Moved","position":3,"key":"bob","error":"200 is too much","place":"domains/shop.yaml:4:23"}
    ]
    "#);
    let lines = folder
        .esctl("project parked customers -o json")
        .done()
        .replace("[\n", "")
        .replace("\n]", "")
        .replace("},", "}");
    assert_eq!(folder.esctl("project parked -o ndjson").done(), lines);
    assert_snapshot!(folder.esctl("project parked -o csv"), @r"
    exit: 0
    stdout:
    projection,position,stream,version,type,key,error,place
    customers,1,order/ada-101,1,Placed,ada,101 is too much,domains/shop.yaml:4:23
    customers,2,order/-1,1,Placed,,nobody,domains/shop.yaml:21:29
    customers,3,order/m,1,Moved,bob,200 is too much,domains/shop.yaml:4:23
    ");
    assert_snapshot!(folder.esctl("project parked costumers"), @r"
    exit: 2
    stderr:
    error: there is no projection `costumers`
    hint: did you mean `customers`?
    ");
    assert_snapshot!(folder.esctl("project status"), @r"
    exit: 0
    stdout:
    name       status   checkpoint  head  lag  rows  since                        building  parked  digest        stopped
    customers  current           4     4    0     1  2026-01-31T12:00:00.000000Z                 3  a0805e687f9f
    ");
    // Of the event with two rows neither has seen anything.
    folder.esctl("project show customers -o csv").exits(0).prints("name,orders,spent\nbob,1,3\n");
}

/// The first of its rows is as it was, although its handler did not fail.
#[test]
fn an_event_is_applied_to_all_of_its_rows_or_to_none() {
    for jobs in [1, 2, 3] {
        let folder = shop();
        place(&folder, "ada", "50");
        place(&folder, "bob", "50");
        for n in 0..5 {
            folder.esctl(&format!("send order/{n} Move from=ada to=bob amount=200")).done();
            folder.esctl(&format!("send order/{n} Move from=bob to=ada amount=200")).done();
            folder.esctl(&format!("send order/{n} Move from=eve to=ada amount=200")).done();
            folder.esctl(&format!("send order/{n} Move from=ada to=bob amount=1")).done();
        }
        folder.esctl(&format!("project rebuild --park --jobs {jobs}")).exits(0).prints("15 events parked\n");
        folder.esctl("project show customers -o csv").exits(0).prints("name,orders,spent\nada,1,45\nbob,1,55\n");
        folder.esctl("project verify").exits(0);
    }
}

#[test]
fn parked_events_are_tried_again() {
    let folder = ordered();
    assert_snapshot!(folder.esctl("project retry"), @r"
    exit: 0
    stderr:
    note: nothing is parked
    ");
    assert_eq!(folder.esctl("project retry -o json").done(), "[]\n");
    folder.esctl("project rebuild --park").done();
    place(&folder, "ada", "3");
    // By the same rules they fail again; what came meanwhile is there.
    assert_snapshot!(folder.esctl("project retry"), @r"
    exit: 1
    stdout:
    customers: 0 events applied, 1 event still parked
    ");
    folder.esctl("project parked -o csv").exits(0).prints("\ncustomers,2,order/ada-101,1,");
    folder.esctl("project show customers -o csv").exits(0).prints("\nada,2,13\nbob,1,20\n");
    folder.esctl("project retry costumers").exits(2).says("did you mean `customers`?");
    mend(&folder);
    // What another rule parked is still listed, and still served.
    folder.esctl("project parked -o csv").exits(0).prints("\ncustomers,2,");
    assert_snapshot!(folder.esctl("project retry customers -o json"), @r#"
    exit: 0
    stdout:
    [
    {"name":"customers","applied":1,"parked":0,"rows":2,"position":4}
    ]
    "#);
    // In its place: between the two other ones of Ada's.
    folder.esctl("project show customers -o csv").exits(0).prints("\nada,3,114\nbob,1,20\n");
    folder.esctl("project parked -o csv").exits(0).prints("error,place\n");
    folder.esctl("project retry").exits(0).says("nothing is parked");
    folder.esctl("project verify").exits(0);
}

#[test]
fn a_retry_may_apply_some_and_park_others() {
    let folder = ordered();
    place(&folder, "eve", "2000");
    folder.esctl("project rebuild --park").exits(0).prints("2 events parked");
    mend(&folder);
    assert_snapshot!(folder.esctl("project retry"), @r"
    exit: 1
    stdout:
    customers: 1 event applied, 1 event still parked
    ");
    folder.esctl("project parked -o csv").exits(0).prints("\ncustomers,4,order/eve-2000,");
    // A rule that parks more is no worse than that.
    folder.write("domains/shop.yaml", SHOP.replace("> 100 ", "> 15 "));
    assert_snapshot!(folder.esctl("project retry -o csv"), @r"
    exit: 1
    stdout:
    name,applied,parked,rows,position
    customers,0,3,1,4
    ");
}

/// What was agreed to when it was begun was not agreed to by who ends it.
#[test]
fn who_ends_without_park_what_was_begun_with_it_is_told() {
    let folder = ordered();
    folder.esctl("project rebuild --park").exits(0).prints("up to @3, 1 event parked");
    // As a kill leaves it on its way: what was written is there, but it is not served.
    let unserved = "DROP VIEW customers; UPDATE es_generations SET state = 'building', since = NULL";
    dump::change(&folder, unserved);
    place(&folder, "bob", "1");
    folder.esctl("project status -o csv").exits(0).prints("customers,never,0,4,4,0,,3,1,");
    folder.esctl("project parked -o csv").exits(0).prints("\ncustomers,2,");
    assert_snapshot!(folder.esctl("project rebuild"), @r"
    exit: 1
    stdout:
    customers: 2 rows from 1 event, up to @4, resumed, 1 event parked
    ");
    assert_snapshot!(folder.esctl("project parked"), @r"
    exit: 0
    stdout:
    projection  position  stream         version  type    key  error            place
    customers          2  order/ada-101        1  Placed  ada  101 is too much  domains/shop.yaml:4:23
    ");
    folder.esctl("project show customers -o csv").exits(0).prints("\nada,1,10\nbob,2,21\n");
    // Who says `--park` again agrees to it.
    dump::change(&folder, unserved);
    folder.esctl("project rebuild --park").exits(0).prints("resumed, 1 event parked");
}

#[test]
fn handlers_that_never_end_are_stopped_at_their_limit() {
    let folder = ordered();
    folder.write("domains/shop.yaml", SHOP.replace("row.orders += 1;", "loop { row.orders += 1; }"));
    assert_snapshot!(folder.esctl("project show customers"), @r#"
    exit: 4
    stderr:
    error: the script ran past its limit of 10000000 operations
      --> domains/shop.yaml:26:9
       |
    26 |         loop { row.orders += 1; }
       |         ^^^^^^^^^^^^^^^^^^^^^^^^^
       = while projecting `Placed` of `order/ada-10` (@1) into row "ada" of `customers`
    hint: `--park` goes on past it, and `esctl project parked` lists it then
    "#);
    assert_snapshot!(folder.esctl("project show customers --park"), @r"
    exit: 0
    stdout:
    name  orders  spent
    ");
    folder.esctl("project parked -o csv").exits(0).prints("customers,1,order/ada-10,1,Placed,ada,");
}

/// The past is computed by the same rules, with or without `--park`, and written nowhere.
#[test]
fn the_past_is_stopped_or_goes_on_as_well() {
    let folder = ordered();
    folder.esctl("project show customers --at @1 -o csv").exits(0).prints("\nada,1,10\n");
    assert_snapshot!(folder.esctl("project show customers --at @3"), @r#"
    exit: 4
    stderr:
    error: 101 is too much
     --> domains/shop.yaml:4:23
      |
    4 |     if amount > 100 { throw `${amount} is too much`; }
      |                       ^^^^^
      = while projecting `Placed` of `order/ada-101` (@2) into row "ada" of `customers`
    hint: `--park` goes on past it
    "#);
    folder.esctl("project show customers --at @3 --park -o csv").exits(0).prints("\nada,1,10\nbob,1,20\n");
    assert_eq!(folder.esctl("project parked -o ndjson").done(), "");
    folder.esctl("project status -o csv").exits(0).prints("customers,never,0,3,3,0,,,0,");
    folder.esctl("project show customers --park --stale").exits(2).says("cannot be used with");
}

/// Others are rebuilt before and after the one that fails are told of.
#[test]
fn what_was_rebuilt_before_another_one_failed_is_said() {
    let folder = ordered();
    let more = "  amounts:\n    columns: { order: string, n: integer }\n    key: meta.id\n    on: { order.Placed: row.n += 1 }\n";
    folder.write("domains/shop.yaml", SHOP.replace("projections:\n", &format!("projections:\n{more}")));
    assert_snapshot!(folder.esctl("project rebuild amounts customers"), @r#"
    exit: 4
    stdout:
    amounts: 3 rows from 3 events, up to @3
    stderr:
    error: 101 is too much
     --> domains/shop.yaml:4:23
      |
    4 |     if amount > 100 { throw `${amount} is too much`; }
      |                       ^^^^^
      = while projecting `Placed` of `order/ada-101` (@2) into row "ada" of `customers`
    hint: `--park` goes on past it, and `esctl project parked` lists it then
    "#);
    folder.esctl("project rebuild --park").exits(0).prints("amounts: 3 rows").prints("1 event parked");
    folder.esctl("project parked amounts -o json").exits(0).prints("[]\n");
    folder.esctl("project retry -o ndjson").exits(1).prints(r#"{"name":"customers","applied":0,"parked":1,"#);
}
