//! `esctl describe` of processes

use crate::support::Folder;
use insta::assert_snapshot;

fn orders() -> Folder {
    let folder = Folder::empty();
    folder.write("domains/orders.yaml", include_str!("../../planted/orders.yaml"));
    folder
}

#[test]
fn a_process_is_what_it_answers_and_with_what() {
    let folder = orders();
    assert_snapshot!(folder.esctl("describe fulfilment"), @r#"
    exit: 0
    stdout:
    process fulfilment: Reserves what is ordered, waits for the money, and ships.

      state     initial
      item      ""
      count     0        integer
      reserved  false
      paid      0        decimal

      event           instance
      order.Placed    meta.id      begins it
      order.Paid      meta.id
      order.Shipped   meta.id
      stock.Reserved  event.order

      sends          to
      stock.Reserve  stock/*  answers its rejection
      order.Ship     order/*
      order.Cancel   order/*
      stock.Release  stock/*

      deadline
      payment
    "#);
    assert_snapshot!(folder.esctl("describe fulfilment -o json"), @r#"
    exit: 0
    stdout:
    {"kind":"process","name":"fulfilment","domain":"orders","description":"Reserves what is ordered, waits for the money, and ships.","from":"end","state":[{"name":"item","initial":""},{"name":"count","type":"integer","initial":0},{"name":"reserved","initial":false},{"name":"paid","type":"decimal","initial":0}],"events":[{"event":"order.Placed","key":"meta.id","starts":true},{"event":"order.Paid","key":"meta.id","starts":false},{"event":"order.Shipped","key":"meta.id","starts":false},{"event":"stock.Reserved","key":"event.order","starts":false}],"sends":[{"command":"stock.Reserve","stream":"stock/*","on_rejected":true},{"command":"order.Ship","stream":"order/*","on_rejected":false},{"command":"order.Cancel","stream":"order/*","on_rejected":false},{"command":"stock.Release","stream":"stock/*","on_rejected":false}],"deadlines":["payment"]}
    "#);
    assert_snapshot!(folder.esctl("describe fulfilment -o csv"), @r#"
    exit: 0
    stdout:
    kind,name,domain,fields,emits,rejects,loads,invariants,emitted_by,folded_by,projected_by,events,sent_by,handled_by,sends,description
    process,fulfilment,orders,"item, count, reserved, paid",,,,,,,,"order.Placed, order.Paid, order.Shipped, stock.Reserved",,,"stock.Reserve, order.Ship, order.Cancel, stock.Release","Reserves what is ordered, waits for the money, and ships."
    "#);
    let forms = ["json", "ndjson"].map(|form| folder.esctl(&format!("describe fulfilment -o {form}")).done());
    assert_eq!(forms[0], forms[1]);
}

#[test]
fn commands_and_events_say_which_process_they_go_to() {
    let folder = orders();
    assert_snapshot!(folder.esctl("describe"), @r#"
    exit: 0
    stdout:
    domain orders: Orders, each of which a process sees through.

    aggregate order

      state   initial
      item    ""
      count   0        integer
      status  none

      command                           emits      rejects with    sent by
      Place(item, count, price, note?)  Placed     placed_already
      Pay(amount)                       Paid       not_to_be_paid
      Ship                              Shipped    not_paid        fulfilment
      Cancel(reason)                    Cancelled  too_late        fulfilment

      event                              emitted by  folded by  handled by
      Placed(item, count, price, note?)  Place       order      fulfilment
      Paid(amount)                       Pay         order      fulfilment
      Shipped                            Ship        order      fulfilment
      Cancelled(reason)                  Cancel      order

    aggregate stock

      state  initial
      left   0        integer

      command                emits     rejects with  sent by
      Fill(count)            Filled
      Reserve(order, count)  Reserved  too_few       fulfilment
      Release(order, count)  Released                fulfilment

      event                   emitted by  folded by  handled by
      Filled(count)           Fill        stock
      Reserved(order, count)  Reserve     stock      fulfilment
      Released(order, count)  Release     stock

    process fulfilment: Reserves what is ordered, waits for the money, and ships.

      state     initial
      item      ""
      count     0        integer
      reserved  false
      paid      0        decimal

      event           instance
      order.Placed    meta.id      begins it
      order.Paid      meta.id
      order.Shipped   meta.id
      stock.Reserved  event.order

      sends          to
      stock.Reserve  stock/*  answers its rejection
      order.Ship     order/*
      order.Cancel   order/*
      stock.Release  stock/*

      deadline
      payment
    "#);
    assert_snapshot!(folder.esctl("describe Reserve"), @r"
    exit: 0
    stdout:
    command stock.Reserve

      field
      order  string
      count  integer

      emits         Reserved
      rejects with  too_few
      sent by       fulfilment
    ");
    assert_snapshot!(folder.esctl("describe Paid"), @r"
    exit: 0
    stdout:
    event order.Paid

      field
      amount  decimal

      emitted by  Pay
      folded by   order
      handled by  fulfilment
    ");
    let field = |name: &str, key: &str| {
        let line = folder.esctl(&format!("describe {name} -o json")).done();
        serde_json::from_str::<serde_json::Value>(&line).unwrap()[key].clone()
    };
    assert_eq!(field("Reserve", "sent_by"), serde_json::json!(["fulfilment"]));
    assert_eq!(field("Place", "sent_by"), serde_json::json!([]));
    assert_eq!(field("Paid", "handled_by"), serde_json::json!(["fulfilment"]));
    assert_eq!(field("Cancelled", "handled_by"), serde_json::json!([]));
}

#[test]
fn a_process_is_found_by_its_name() {
    let folder = orders();
    assert_snapshot!(folder.esctl("describe fulfillment"), @r"
    exit: 2
    stderr:
    error: `fulfillment` is not an aggregate, a command, an event, a projection or a process of the domain
    hint: did you mean `fulfilment`?
    ");
    let document: serde_json::Value = serde_json::from_str(&folder.esctl("describe -o json").done()).unwrap();
    assert_eq!(document["processes"][0]["name"], "fulfilment");
    assert_eq!(document["processes"].as_array().unwrap().len(), 1);
}

#[test]
fn it_says_that_a_process_begins_with_the_first_event() {
    let folder = Folder::empty();
    let text = include_str!("../../planted/orders.yaml");
    folder.write("domains/orders.yaml", text.replace("    starts: order.Placed\n", "    from: start\n"));
    assert_snapshot!(folder.esctl("describe fulfilment"), @r#"
    exit: 0
    stdout:
    process fulfilment: Reserves what is ordered, waits for the money, and ships.

      state     initial
      item      ""
      count     0        integer
      reserved  false
      paid      0        decimal

      event           instance
      order.Placed    meta.id      begins it
      order.Paid      meta.id      begins it
      order.Shipped   meta.id      begins it
      stock.Reserved  event.order  begins it

      sends          to
      stock.Reserve  stock/*  answers its rejection
      order.Ship     order/*
      order.Cancel   order/*
      stock.Release  stock/*

      deadline
      payment

      from start: it answers what happened before it was there as well
    "#);
    assert!(folder.esctl("describe fulfilment -o json").done().contains(r#""from":"start""#));
}

#[test]
fn a_process_is_drawn_between_events_and_commands() {
    let folder = orders();
    assert_snapshot!(folder.esctl("describe fulfilment --mermaid"), @r#"
    exit: 0
    stdout:
    flowchart LR
      subgraph a0 ["order"]
        n0["Place"]:::command
        n1["Pay"]:::command
        n2["Ship"]:::command
        n3["Cancel"]:::command
        n6("Placed"):::event
        n7("Paid"):::event
        n8("Shipped"):::event
        n9("Cancelled"):::event
      end
      subgraph a1 ["stock"]
        n4["Reserve"]:::command
        n5["Release"]:::command
        n10("Reserved"):::event
        n11("Released"):::event
      end
      n12{{"fulfilment"}}:::process
      n0 --> n6
      n1 --> n7
      n2 --> n8
      n3 --> n9
      n4 --> n10
      n5 --> n11
      n6 --> n12
      n7 --> n12
      n8 --> n12
      n10 --> n12
      n12 --> n2
      n12 --> n3
      n12 --> n4
      n12 --> n5
      classDef command fill:#cfe2ff,stroke:#3b6fb6,color:#000
      classDef event fill:#ffe0b2,stroke:#c77700,color:#000
      classDef projection fill:#d6ecd2,stroke:#4a8b3c,color:#000
      classDef process fill:#e3d3f3,stroke:#7a4fa8,color:#000
    "#);
    assert_snapshot!(folder.esctl("describe Paid --dot"), @r##"
    exit: 0
    stdout:
    digraph domain {
      rankdir=LR;
      node [fontname="sans-serif", style=filled];
      subgraph "cluster order" {
        label="order";
        "command order.Pay" [label="Pay", shape=box, fillcolor="#cfe2ff"];
        "command order.Ship" [label="Ship", shape=box, fillcolor="#cfe2ff"];
        "command order.Cancel" [label="Cancel", shape=box, fillcolor="#cfe2ff"];
        "event order.Paid" [label="Paid", shape=box, style="filled,rounded", fillcolor="#ffe0b2"];
      }
      subgraph "cluster stock" {
        label="stock";
        "command stock.Reserve" [label="Reserve", shape=box, fillcolor="#cfe2ff"];
        "command stock.Release" [label="Release", shape=box, fillcolor="#cfe2ff"];
      }
      "process fulfilment" [label="fulfilment", shape=hexagon, fillcolor="#e3d3f3"];
      "command order.Pay" -> "event order.Paid";
      "event order.Paid" -> "process fulfilment";
      "process fulfilment" -> "command order.Ship";
      "process fulfilment" -> "command order.Cancel";
      "process fulfilment" -> "command stock.Reserve";
      "process fulfilment" -> "command stock.Release";
    }
    "##);
}

#[test]
fn the_summary_of_a_check_counts_processes_where_there_are_any() {
    let folder = orders();
    assert_snapshot!(folder.esctl("check"), @r"
    exit: 0
    stdout:
    orders: 2 aggregates, 7 commands, 7 events, 0 projections, 1 process, 1 scenario
    ");
    let text = include_str!("../../planted/orders.yaml");
    let (before, rest) = text.split_once("processes:\n").unwrap();
    let (_, after) = rest.split_once("scenarios:\n").unwrap();
    folder.write("domains/orders.yaml", format!("{before}scenarios:\n{after}"));
    assert_snapshot!(folder.esctl("check"), @r"
    exit: 0
    stdout:
    orders: 2 aggregates, 7 commands, 7 events, 0 projections, 1 scenario
    ");
}

/// No scenario runs a process here: its handlers are there, and are not reached.
#[test]
fn handlers_of_processes_are_counted_as_scripts_that_can_be_reached() {
    assert_snapshot!(orders().esctl("test --coverage"), @r"
    exit: 0
    stdout:
    ok      orders: what is not there cannot be reserved
    1 scenario: 1 passed

    commands    2 of 7; never sent:
      order.Place    domains/orders.yaml:18
      order.Pay      domains/orders.yaml:23
      order.Ship     domains/orders.yaml:28
      order.Cancel   domains/orders.yaml:32
      stock.Release  domains/orders.yaml:51
    events      1 of 7; never emitted:
      order.Placed     domains/orders.yaml:8
      order.Paid       domains/orders.yaml:14
      order.Shipped    domains/orders.yaml:15
      order.Cancelled  domains/orders.yaml:16
      stock.Reserved   domains/orders.yaml:42
      stock.Released   domains/orders.yaml:43
    rejections  1 of 5; never given:
      order.Place: placed_already  domains/orders.yaml:21
      order.Pay: not_to_be_paid    domains/orders.yaml:26
      order.Ship: not_paid         domains/orders.yaml:30
      order.Cancel: too_late       domains/orders.yaml:35
    handlers    0 of 6; never run:
      fulfilment: order.Placed            domains/orders.yaml:64
      fulfilment: stock.Reserved          domains/orders.yaml:69
      fulfilment: order.Paid              domains/orders.yaml:70
      fulfilment: order.Shipped           domains/orders.yaml:74
      fulfilment: stock.Reserve rejected  domains/orders.yaml:77
      fulfilment: deadline payment        domains/orders.yaml:81
    16.0 % reached: 4 of 25
    ");
}
