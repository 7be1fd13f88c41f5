//! `esctl describe --mermaid` and `--dot`

use super::shop;
use insta::assert_snapshot;

#[test]
fn as_a_diagram() {
    let folder = shop();
    assert_snapshot!(folder.esctl("describe --mermaid"), @r#"
    exit: 0
    stdout:
    flowchart LR
      subgraph a0 ["order"]
        n0["Place"]:::command
        n1["Close"]:::command
        n2["Look"]:::command
        n6("Placed"):::event
        n7("Closed"):::event
      end
      subgraph a1 ["stock"]
        n3["Fill"]:::command
        n4["Close"]:::command
        n5["sales"]:::command
        n8("Taken"):::event
        n9("Filled"):::event
      end
      n10[("sales")]:::projection
      n0 --> n6
      n0 --> n7
      n0 --> n8
      n1 --> n7
      n3 --> n9
      n6 --> n10
      n8 --> n10
      classDef command fill:#cfe2ff,stroke:#3b6fb6,color:#000
      classDef event fill:#ffe0b2,stroke:#c77700,color:#000
      classDef projection fill:#d6ecd2,stroke:#4a8b3c,color:#000
    "#);
    assert_snapshot!(folder.esctl("describe --dot"), @r##"
    exit: 0
    stdout:
    digraph domain {
      rankdir=LR;
      node [fontname="sans-serif", style=filled];
      subgraph "cluster order" {
        label="order";
        "command order.Place" [label="Place", shape=box, fillcolor="#cfe2ff"];
        "command order.Close" [label="Close", shape=box, fillcolor="#cfe2ff"];
        "command order.Look" [label="Look", shape=box, fillcolor="#cfe2ff"];
        "event order.Placed" [label="Placed", shape=box, style="filled,rounded", fillcolor="#ffe0b2"];
        "event order.Closed" [label="Closed", shape=box, style="filled,rounded", fillcolor="#ffe0b2"];
      }
      subgraph "cluster stock" {
        label="stock";
        "command stock.Fill" [label="Fill", shape=box, fillcolor="#cfe2ff"];
        "command stock.Close" [label="Close", shape=box, fillcolor="#cfe2ff"];
        "command stock.sales" [label="sales", shape=box, fillcolor="#cfe2ff"];
        "event stock.Taken" [label="Taken", shape=box, style="filled,rounded", fillcolor="#ffe0b2"];
        "event stock.Filled" [label="Filled", shape=box, style="filled,rounded", fillcolor="#ffe0b2"];
      }
      "projection sales" [label="sales", shape=cylinder, fillcolor="#d6ecd2"];
      "command order.Place" -> "event order.Placed";
      "command order.Place" -> "event order.Closed";
      "command order.Place" -> "event stock.Taken";
      "command order.Close" -> "event order.Closed";
      "command stock.Fill" -> "event stock.Filled";
      "event order.Placed" -> "projection sales";
      "event stock.Taken" -> "projection sales";
    }
    "##);
    assert_snapshot!(folder.esctl("describe Fill --mermaid"), @r#"
    exit: 0
    stdout:
    flowchart LR
      subgraph a0 ["stock"]
        n0["Fill"]:::command
        n1("Filled"):::event
      end
      n0 --> n1
      classDef command fill:#cfe2ff,stroke:#3b6fb6,color:#000
      classDef event fill:#ffe0b2,stroke:#c77700,color:#000
      classDef projection fill:#d6ecd2,stroke:#4a8b3c,color:#000
    "#);
    assert_snapshot!(folder.esctl("describe order.Close --dot"), @r##"
    exit: 0
    stdout:
    digraph domain {
      rankdir=LR;
      node [fontname="sans-serif", style=filled];
      subgraph "cluster order" {
        label="order";
        "command order.Close" [label="Close", shape=box, fillcolor="#cfe2ff"];
        "event order.Closed" [label="Closed", shape=box, style="filled,rounded", fillcolor="#ffe0b2"];
      }
      "command order.Close" -> "event order.Closed";
    }
    "##);
    assert_snapshot!(folder.esctl("describe stock --mermaid"), @r#"
    exit: 0
    stdout:
    flowchart LR
      subgraph a0 ["order"]
        n0["Place"]:::command
      end
      subgraph a1 ["stock"]
        n1["Fill"]:::command
        n2["Close"]:::command
        n3["sales"]:::command
        n4("Taken"):::event
        n5("Filled"):::event
      end
      n6[("sales")]:::projection
      n0 --> n4
      n1 --> n5
      n4 --> n6
      classDef command fill:#cfe2ff,stroke:#3b6fb6,color:#000
      classDef event fill:#ffe0b2,stroke:#c77700,color:#000
      classDef projection fill:#d6ecd2,stroke:#4a8b3c,color:#000
    "#);
    assert_snapshot!(folder.esctl("describe --dot -o json"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"a diagram has no form as `-o` names them","hints":["leave out `-o`, or `--mermaid` and `--dot`"],"exit":2}}
    "#);
    folder.esctl("describe --dot --mermaid").exits(2).says("cannot be used with");
}
