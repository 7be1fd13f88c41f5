//! `esctl diff`, `blame`, `bisect` and `trace`: what happened to a state, and what followed from what.

use crate::support::{Folder, dump};
use insta::assert_snapshot;

/// Some commands, each with what it follows from.
fn bank() -> Folder {
    let folder = Folder::bank();
    folder.esctl("send account/ada Open owner=Ada currency=EUR --actor bo --id o").done();
    folder.esctl("send account/ada Deposit amount=25 --causation @1 --id d --correlation talk").done();
    folder.esctl("send account/ada Withdraw amount=5 --causation @2 --actor eve --id w").done();
    folder.esctl("send account/bob Open owner=Bob currency=EUR --causation d --id b").done();
    folder.esctl("send account/ada Transfer to=bob amount=5 --causation @3 --id t").done();
    folder.esctl("send account/bob Deposit amount=1 --causation elsewhere --id e").done();
    folder
}

const SHOP: &str = r#"
domain: shop
aggregates:
  order:
    state: { address: { street: "", city: "" }, lines: [], seen: {}, note: null }
    events:
      Placed: { fields: { street: string, city: string }, fold: 'state.address = #{ street: event.street, city: event.city };' }
      LineAdded: { fields: { sku: string }, fold: 'state.lines.push(#{ sku: event.sku, count: 1 });' }
      LineCounted: { fields: { line: integer, count: integer }, fold: 'state.lines[event.line].count = event.count;' }
      LineDropped: { fields: { line: integer }, fold: 'state.lines.remove(event.line);' }
      Seen: { fields: { by: string }, fold: 'state.seen[event.by] = true;' }
      Noted: { fields: { note: any }, fold: state.note = event.note }
    commands:
      Place: { fields: { street: string, city: string }, decide: 'emit("Placed", command)' }
      Add: { fields: { sku: string }, decide: 'emit("LineAdded", command)' }
      Count: { fields: { line: integer, count: integer }, decide: 'emit("LineCounted", command)' }
      Drop: { fields: { line: integer }, decide: 'emit("LineDropped", command)' }
      See: { fields: { by: string }, decide: 'emit("Seen", command)' }
      Note: { fields: { note: any }, decide: 'emit("Noted", command)' }
"#;

#[test]
fn blame_names_the_event_behind_each_value() {
    let folder = bank();
    assert_snapshot!(folder.esctl("blame account/ada").done(), @r"
    path       value  version  position  time                         type       command   actor
    status     open         1         1  2026-01-31T12:00:00.000000Z  Opened     Open      bo
    owner      Ada          1         1  2026-01-31T12:00:00.000000Z  Opened     Open      bo
    currency   EUR          1         1  2026-01-31T12:00:00.000000Z  Opened     Open      bo
    balance    15           4         5  2026-01-31T12:00:00.000000Z  Withdrawn  Transfer
    overdraft  0
    ");
    assert_snapshot!(folder.esctl("blame account/ada --at 2").done(), @r"
    path       value  version  position  time                         type       command  actor
    status     open         1         1  2026-01-31T12:00:00.000000Z  Opened     Open     bo
    owner      Ada          1         1  2026-01-31T12:00:00.000000Z  Opened     Open     bo
    currency   EUR          1         1  2026-01-31T12:00:00.000000Z  Opened     Open     bo
    balance    25           2         2  2026-01-31T12:00:00.000000Z  Deposited  Deposit
    overdraft  0
    ");
    assert_snapshot!(folder.esctl("blame account/ada balance -o ndjson").done(), @r#"
    {"path":"/balance","value":15,"event":{"position":5,"stream":"account/ada","version":4,"type":"Withdrawn","time":"2026-01-31T12:00:00.000000Z","data":{"amount":5,"ref":"to bob"},"command":{"id":"t","name":"Transfer","causation":"@3"}}}
    "#);
    assert_snapshot!(folder.esctl("blame account/ada /overdraft -o json").done(), @r#"
    [
    {"path":"/overdraft","value":0,"event":null}
    ]
    "#);
    assert_snapshot!(folder.esctl("blame account/ada balnce").exits(2).stderr, @r"
    error: the state of `account/ada` has no `balnce` at version 4
    hint: did you mean `balance`?
    ");
    assert_snapshot!(folder.esctl("blame account/eve").exits(2).stderr, @r"
    error: there is no stream `account/eve`
    hint: did you mean `account/ada`?
    ");
}

#[test]
fn blame_goes_into_lists_and_objects() {
    let folder = Folder::empty();
    folder.write("domains/shop.yaml", SHOP);
    let sends = [
        "Place street=Main city=Bonn",
        "Add sku=a",
        "Add sku=b",
        "Count line=1 count=3",
        "See by=x/y",
        "Place street=Main city=Ulm",
        r#"Note 'note:={"a":{"b":1},"c":[]}'"#,
        r#"Note 'note:={"a":{"b":2},"c":[]}'"#,
        "Add sku=c",
        "Drop line=0",
        r#"Note 'note:={"a":{"b":2},"c":[1]}'"#,
        r#"Note 'note:={"a":{"b":2},"c":[]}'"#,
    ];
    for send in sends {
        folder.bash(&format!("esctl send order/1 {send}")).done();
    }
    assert_snapshot!(folder.bash("esctl blame order/1 -o csv | cut -d, -f1-4,6").done(), @r"
    path,value,version,position,type
    address/city,Ulm,6,6,Placed
    address/street,Main,1,1,Placed
    lines/0/count,3,10,10,LineDropped
    lines/0/sku,b,10,10,LineDropped
    lines/1/count,1,10,10,LineDropped
    lines/1/sku,c,10,10,LineDropped
    seen/x~1y,true,5,5,Seen
    note/a/b,2,8,8,Noted
    note/c,[],12,12,Noted
    ");
    assert_snapshot!(folder.bash("esctl blame order/1 lines/0 -o csv | cut -d, -f1-4,6").done(), @r"
    path,value,version,position,type
    lines/0/count,3,10,10,LineDropped
    lines/0/sku,b,10,10,LineDropped
    ");
    // A key that holds what divides paths.
    assert_snapshot!(folder.bash("esctl blame order/1 seen/x~1y -o ndjson | jq -c '[.path,.value,.event.version]'").done(), @r#"
    ["/seen/x~1y",true,5]
    "#);
}

#[test]
fn bisect_finds_the_event_that_made_the_difference() {
    let folder = bank();
    assert_snapshot!(folder.bash("esctl bisect account/ada 'state.balance > 20'").done(), @r#"
    account/ada  `state.balance > 20` holds from version 2 on

    version 2  @2  2026-01-31T12:00:00.000000Z  Deposited {"amount":25}
      ~ balance: 0 → 25
    "#);
    assert_snapshot!(folder.bash("esctl bisect account/ada 'state.balance > 20' --last").done(), @r#"
    account/ada  `state.balance > 20` holds no more from version 3 on

    version 3  @3  2026-01-31T12:00:00.000000Z  Withdrawn {"amount":5}
      ~ balance: 25 → 20
    "#);
    assert_snapshot!(folder.bash("esctl bisect account/ada 'state.balance == 0'").done(), @r"
    account/ada  `state.balance == 0` holds from the beginning
    ");
    assert_snapshot!(folder.bash("esctl bisect account/ada 'is_open(state) && version > 2' -o json").done(), @r#"
    {"stream":"account/ada","condition":"is_open(state) && version > 2","holds":true,"version":3,"event":{"position":3,"stream":"account/ada","version":3,"type":"Withdrawn","time":"2026-01-31T12:00:00.000000Z","data":{"amount":5},"command":{"id":"w","name":"Withdraw","actor":"eve","causation":"@2"},"changes":[{"path":"/balance","before":25,"after":20}]},"state":{"status":"open","owner":"Ada","currency":"EUR","balance":20,"overdraft":0}}
    "#);
    assert_snapshot!(folder.bash("esctl bisect account/ada 'state.balance > 100'").exits(1).stdout, @r"
    account/ada  no event makes a difference to `state.balance > 100`
    ");
    assert_snapshot!(folder.bash("esctl bisect account/ada 'state.balance > 100' --last -o json").exits(1).stdout, @r#"
    {"stream":"account/ada","condition":"state.balance > 100","holds":null,"version":null,"event":null,"state":null}
    "#);
}

#[test]
fn a_condition_is_checked_before_it_is_asked() {
    let folder = bank();
    for (condition, exit) in [
        ("state.balanc > 1", 2),
        ("state.balance >", 2),
        ("balance > 1", 2),
        ("state.balance = 1", 2),
        ("emit(\\\"Closed\\\")", 2),
        ("1 + 1", 2),
        ("state.owner", 4),
        ("state.balance / 0 > 1", 4),
        ("loop {}", 4),
    ] {
        let outcome = folder.bash(&format!("esctl bisect account/ada \"{condition}\"")).exits(exit);
        assert!(outcome.stdout.is_empty(), "{condition}: {}", outcome.stdout);
        assert!(outcome.stderr.contains("the condition:1:"), "{condition}: {}", outcome.stderr);
    }
    assert_snapshot!(folder.bash("esctl bisect account/ada 'state.balanc > 1'").stderr, @r"
    error: `state` has no field `balanc`
     --> the condition:1:7
      |
    1 | state.balanc > 1
      |       ^^^^^^
    hint: did you mean `balance`?
    ");
    folder.bash("esctl bisect account/ada true -o csv").exits(2);
}

#[test]
fn diff_compares_moments_and_streams() {
    let folder = bank();
    assert_snapshot!(folder.esctl("diff account/ada 1").done(), @r"
    from  account/ada  version 1  @1  2026-01-31T12:00:00.000000Z
    to    account/ada  version 4  @5  2026-01-31T12:00:00.000000Z
      ~ balance: 0 → 15
    ");
    assert_snapshot!(folder.esctl("diff account/ada @2 3").done(), @r"
    from  account/ada  version 2  @2  2026-01-31T12:00:00.000000Z
    to    account/ada  version 3  @3  2026-01-31T12:00:00.000000Z
      ~ balance: 25 → 20
    ");
    assert_snapshot!(folder.esctl("diff account/ada 0 1 -o json").done(), @r#"
    [
    {"path":"/status","before":"none","after":"open"},
    {"path":"/owner","before":"","after":"Ada"},
    {"path":"/currency","before":"","after":"EUR"}
    ]
    "#);
    assert_snapshot!(folder.esctl("diff account/ada account/bob -o csv").done(), @r"
    path,before,after
    /owner,Ada,Bob
    /balance,15,6
    ");
    assert_snapshot!(folder.esctl("diff account/ada 3 3 --exit-code").exits(0).stdout, @r"
    from  account/ada  version 3  @3  2026-01-31T12:00:00.000000Z
    to    account/ada  version 3  @3  2026-01-31T12:00:00.000000Z
        (no difference)
    ");
    folder.esctl("diff account/ada 2 3 --exit-code").exits(1);
    folder.esctl("diff account/ada 9").exits(2).says("ends at version 4");
    folder.esctl("diff account/ada account/bob 3").exits(2).says("as they are now");
    folder.esctl("diff account/ada account/eve").exits(2).says("no stream");
    folder.esctl("diff account/ada yesterday").exits(2);
}

#[test]
fn trace_goes_to_the_first_cause_and_from_there_to_every_effect() {
    let folder = bank();
    assert_snapshot!(folder.esctl("trace w").done(), @r#"
    Open account/ada  o  by bo  2026-01-31T12:00:00.000000Z
    └─ @1 Opened {"owner":"Ada","currency":"EUR"}
       └─ Deposit account/ada  d  2026-01-31T12:00:00.000000Z
          ├─ @2 Deposited {"amount":25}
          │  └─ Withdraw account/ada  w  by eve  2026-01-31T12:00:00.000000Z  <
          │     └─ @3 Withdrawn {"amount":5}
          │        └─ Transfer account/ada  t  2026-01-31T12:00:00.000000Z
          │           ├─ @5 Withdrawn {"amount":5,"ref":"to bob"}
          │           └─ @6 account/bob Deposited {"amount":5,"ref":"from ada"}
          └─ Open account/bob  b  2026-01-31T12:00:00.000000Z
             └─ @4 Opened {"owner":"Bob","currency":"EUR"}
    "#);
    assert_snapshot!(folder.esctl("trace @6 -o ndjson").done(), @r#"
    {"depth":0,"position":1,"stream":"account/ada","version":1,"type":"Opened","time":"2026-01-31T12:00:00.000000Z","data":{"owner":"Ada","currency":"EUR"},"command":{"id":"o","name":"Open","actor":"bo"}}
    {"depth":1,"position":2,"stream":"account/ada","version":2,"type":"Deposited","time":"2026-01-31T12:00:00.000000Z","data":{"amount":25},"command":{"id":"d","name":"Deposit","correlation":"talk","causation":"@1"}}
    {"depth":2,"position":3,"stream":"account/ada","version":3,"type":"Withdrawn","time":"2026-01-31T12:00:00.000000Z","data":{"amount":5},"command":{"id":"w","name":"Withdraw","actor":"eve","causation":"@2"}}
    {"depth":3,"position":5,"stream":"account/ada","version":4,"type":"Withdrawn","time":"2026-01-31T12:00:00.000000Z","data":{"amount":5,"ref":"to bob"},"command":{"id":"t","name":"Transfer","causation":"@3"}}
    {"depth":3,"position":6,"stream":"account/bob","version":2,"type":"Deposited","time":"2026-01-31T12:00:00.000000Z","data":{"amount":5,"ref":"from ada"},"command":{"id":"t","name":"Transfer","causation":"@3"}}
    {"depth":2,"position":4,"stream":"account/bob","version":1,"type":"Opened","time":"2026-01-31T12:00:00.000000Z","data":{"owner":"Bob","currency":"EUR"},"command":{"id":"b","name":"Open","causation":"d"}}
    "#);
    assert_snapshot!(folder.bash("esctl trace @6 -o json | jq -c '[.name, .events[0].follows[0].name, .events[0].follows[0].follows[0].name]'").done(), @r#"
    ["Open","Deposit","Open"]
    "#);
    assert_snapshot!(folder.esctl("trace e").done(), @r#"
    elsewhere  (not in this store)
    Deposit account/bob  e  2026-01-31T12:00:00.000000Z  <
    └─ @7 Deposited {"amount":1}
    "#);
    assert_snapshot!(folder.esctl("trace nobody").exits(2).stderr, @r"
    error: there is no command `nobody`
    hint: `esctl trace @17` begins with the event at position 17
    ");
    assert_snapshot!(folder.esctl("trace @99").exits(2).stderr, @r"
    error: the store ends at position @7, there is no @99
    ");
    folder.esctl("trace @0").exits(2);
}

#[test]
fn a_trace_is_flat_or_drawn() {
    let folder = bank();
    assert_snapshot!(folder.esctl("trace @6 --flat").done(), @r#"
    depth  command   id  causation  position  stream       type       data
        0  Open      o                     1  account/ada  Opened     {"owner":"Ada","currency":"EUR"}
        1  Deposit   d   @1                2  account/ada  Deposited  {"amount":25}
        2  Withdraw  w   @2                3  account/ada  Withdrawn  {"amount":5}
        2  Open      b   d                 4  account/bob  Opened     {"owner":"Bob","currency":"EUR"}
        3  Transfer  t   @3                5  account/ada  Withdrawn  {"amount":5,"ref":"to bob"}
        3  Transfer  t   @3                6  account/bob  Deposited  {"amount":5,"ref":"from ada"}
    "#);
    // In the order of the log; without `--flat` in that of the tree.
    let positions = |flags: &str| {
        let script = format!("esctl trace @6 {flags} -o ndjson | jq -c '[.position,.depth]' | paste -sd ' '");
        folder.bash(&script).done()
    };
    assert_eq!(positions("--flat"), "[1,0] [2,1] [3,2] [4,2] [5,3] [6,3]\n");
    assert_eq!(positions(""), "[1,0] [2,1] [3,2] [5,3] [6,3] [4,2]\n");
    assert_eq!(
        folder.bash("esctl trace @6 --flat -o json | jq -c .[]").done(),
        folder.bash("esctl trace @6 --flat -o ndjson | jq -c .").done()
    );
    assert_snapshot!(folder.esctl("trace @6 --flat -o csv").done(), @r#"
    depth,command,id,causation,position,stream,type,data
    0,Open,o,,1,account/ada,Opened,"{""owner"":""Ada"",""currency"":""EUR""}"
    1,Deposit,d,@1,2,account/ada,Deposited,"{""amount"":25}"
    2,Withdraw,w,@2,3,account/ada,Withdrawn,"{""amount"":5}"
    2,Open,b,d,4,account/bob,Opened,"{""owner"":""Bob"",""currency"":""EUR""}"
    3,Transfer,t,@3,5,account/ada,Withdrawn,"{""amount"":5,""ref"":""to bob""}"
    3,Transfer,t,@3,6,account/bob,Deposited,"{""amount"":5,""ref"":""from ada""}"
    "#);
    assert_snapshot!(folder.esctl("trace w --mermaid").done(), @r#"
    flowchart TD
      c0["Open account/ada<br>o"]:::command
      e1("@1 Opened"):::event
      c0 --> e1
      c1["Deposit account/ada<br>d"]:::command
      e1 --> c1
      e2("@2 Deposited"):::event
      c1 --> e2
      c2["Withdraw account/ada<br>w"]:::command
      e2 --> c2
      class c2 asked
      e3("@3 Withdrawn"):::event
      c2 --> e3
      c3["Transfer account/ada<br>t"]:::command
      e3 --> c3
      e5("@5 Withdrawn"):::event
      c3 --> e5
      e6("@6 Deposited account/bob"):::event
      c3 --> e6
      c4["Open account/bob<br>b"]:::command
      c1 --> c4
      e4("@4 Opened"):::event
      c4 --> e4
      classDef command fill:#cfe2ff,stroke:#3b6fb6,color:#000
      classDef event fill:#ffe0b2,stroke:#c77700,color:#000
      classDef asked stroke-width:3px
    "#);
    folder.esctl(r##"send account/bob Deposit amount=1 --causation '<b>"x"#1' --id 'a"];b'"##).done();
    assert_snapshot!(folder.bash("esctl trace 'a\"];b' --mermaid").done(), @r##"
    flowchart TD
      beyond["#lt;b#gt;#quot;x#quot;#35;1"]
      c0["Deposit account/bob<br>a#quot;];b"]:::command
      beyond --> c0
      class c0 asked
      e8("@8 Deposited"):::event
      c0 --> e8
      classDef command fill:#cfe2ff,stroke:#3b6fb6,color:#000
      classDef event fill:#ffe0b2,stroke:#c77700,color:#000
      classDef asked stroke-width:3px
    "##);
    assert_snapshot!(folder.esctl("trace w --mermaid -o json").exits(2).stderr, @r#"
    {"error":{"kind":"usage","message":"a diagram has no form as `-o` names them","hints":["leave out `-o` or `--mermaid`"],"exit":2}}
    "#);
    folder.esctl("trace w --mermaid --flat").exits(2);
}

#[test]
fn causes_in_a_circle_have_an_end() {
    let folder = Folder::opened();
    folder.esctl("send account/ada Deposit amount=1 --id one --causation two").done();
    folder.esctl("send account/ada Deposit amount=1 --id two --causation one").done();
    folder.esctl("send account/ada Deposit amount=1 --id self --causation self").done();
    assert_snapshot!(folder.bash("esctl trace one; esctl trace two; esctl trace self").done(), @r#"
    Deposit account/ada  one  2026-01-31T12:00:00.000000Z  <
    ├─ @4 Deposited {"amount":1}
    └─ Deposit account/ada  two  2026-01-31T12:00:00.000000Z
       └─ @5 Deposited {"amount":1}
    Deposit account/ada  one  2026-01-31T12:00:00.000000Z
    ├─ @4 Deposited {"amount":1}
    └─ Deposit account/ada  two  2026-01-31T12:00:00.000000Z  <
       └─ @5 Deposited {"amount":1}
    Deposit account/ada  self  2026-01-31T12:00:00.000000Z  <
    └─ @6 Deposited {"amount":1}
    "#);
}

#[test]
fn a_long_chain_of_causes_is_shown() {
    let folder = Folder::bank();
    let open = r#"{"stream":"account/ada","command":"Open","data":{"owner":"A","currency":"EUR"}}"#;
    let lines = (1..20_000)
        .map(|n| format!(r#"{{"stream":"account/ada","command":"Deposit","data":{{"amount":1}},"causation":"@{n}"}}"#));
    let lines: Vec<String> = std::iter::once(open.to_owned()).chain(lines).collect();
    folder.esctl_with("send --batch -", lines.join("\n")).done();
    assert_eq!(folder.esctl("trace @1 --flat -o ndjson").done().lines().count(), 20_000);
    assert_eq!(folder.bash("esctl trace @20000 --mermaid | grep -c ' --> e'").done(), "20000\n");
    // Each is indented further than the one before; nobody reads to the end.
    folder.bash("esctl trace @20000 | head -c 1000000 | tail -n 2 | wc -l; exit ${PIPESTATUS[0]}").exits(0);
    let document = folder.esctl("trace @1 -o json").done();
    assert_eq!(document.matches(r#""follows":["#).count(), 2 * 20_000);
    assert!(document.ends_with(&format!("{}\n", "]}],\"follows\":[]}".repeat(20_000))), "the end is not as it begins");
}

#[test]
fn looking_writes_nothing() {
    let folder = bank();
    let before = dump::everything(&folder, "esctl.db");
    for verb in ["blame account/ada", "bisect account/ada true", "diff account/ada 1", "trace @1"] {
        for form in ["table", "json", "ndjson"] {
            folder.esctl(&format!("{verb} -o {form}")).done();
            folder.bash(&format!("esctl {verb} -o {form} | head -1; exit ${{PIPESTATUS[0]}}")).exits(0);
        }
    }
    assert_eq!(dump::everything(&folder, "esctl.db"), before);
}
