//! `esctl project`

use crate::support::Folder;
use insta::assert_snapshot;
use std::fmt::Write as _;

#[test]
fn rows_are_caught_up_before_they_are_shown() {
    let folder = Folder::opened();
    assert_snapshot!(folder.esctl("project show balances"), @r"
    exit: 0
    stdout:
    account  owner  balance  deposits
    ada      Ada        0.3         2
    ");
    folder.esctl("send account/ada Deposit amount=1").done();
    assert_snapshot!(folder.esctl("project show balances -o csv"), @r"
    exit: 0
    stdout:
    account,owner,balance,deposits
    ada,Ada,1.3,3
    ");
    folder.esctl("send account/bob Open owner=Bob currency=USD").done();
    assert_snapshot!(folder.esctl("project show balances -o json"), @r#"
    exit: 0
    stdout:
    [
    {"account":"ada","owner":"Ada","balance":1.3,"deposits":3},
    {"account":"bob","owner":"Bob","balance":0,"deposits":0}
    ]
    "#);
    folder.esctl("project show balances --key bob -o csv").exits(0).prints("bob,Bob,0,0\n");
    assert_eq!(folder.esctl("project show balances --key nobody -o ndjson").done(), "");
    assert_eq!(folder.esctl("project show balances --limit 1 -o ndjson").done().lines().count(), 1);
}

#[test]
fn how_up_to_date_they_are() {
    let folder = Folder::bank();
    folder.esctl("project status").exits(0).prints("balances").prints("never");
    assert_eq!(folder.listing(), ["domains"]);
    let folder = Folder::opened();
    folder
        .esctl("project status -o ndjson")
        .exits(0)
        .prints(r#""name":"balances","status":"never","checkpoint":0,"head":3,"lag":3"#);
    folder.esctl("project rebuild").done();
    folder
        .esctl("project status -o ndjson")
        .exits(0)
        .prints(r#""status":"current","checkpoint":3,"head":3,"lag":0,"rows":1"#);
    folder.esctl("send account/ada Deposit amount=1").done();
    folder.esctl("project status -o ndjson").exits(0).prints(r#""status":"behind","checkpoint":3,"head":4,"lag":1"#);
}

#[test]
fn a_rebuild_says_what_it_did() {
    let folder = Folder::opened();
    folder.esctl("project rebuild balances").exits(0).prints("balances: 1 row from 3 events, up to @3\n");
    folder
        .esctl("project rebuild -o json")
        .exits(0)
        .prints(r#"{"name":"balances","events":3,"rows":1,"position":3,"resumed":false,"parked":0}"#);
}

#[test]
fn a_name_that_is_not_there() {
    let folder = Folder::opened();
    folder.esctl("project show blances").exits(2).says("`blances`").says("`balances`");
    let rebuild = folder.esctl("project rebuild balances blances").exits(2).says("`blances`");
    assert!(rebuild.stdout.is_empty(), "{rebuild}");
}

#[test]
fn what_is_declared() {
    let folder = Folder::bank();
    folder
        .esctl("project list")
        .exits(0)
        .prints("name      domain  columns")
        .prints("balances  bank    account, owner, balance, deposits ");
    folder.esctl("project list -o ndjson").exits(0).prints(r#""columns":[{"name":"account","type":"string"},"#);
    assert_eq!(folder.listing(), ["domains"]);
}

/// Events are read with their commands only where a script looks at what only the command knows: by whatever way.
#[test]
fn what_only_the_command_knows_is_there_by_every_way() {
    let folder = Folder::empty();
    let ways = [
        ("field", "meta.actor"),
        ("index", "meta[\"actor\"]"),
        ("computed", "let f = \"actor\"; meta[f]"),
        ("got", "get(meta, \"trace\", ())"),
        ("function", "who(meta)"),
        ("closure", "let f = || meta.actor; f.call()"),
        ("template", "`${meta.actor}`"),
        ("copied", "let m = meta; m.actor"),
        ("own", "meta.id"),
    ];
    let indented = |text: &str| text.replace("; ", ";\n          ");
    let mut domain = "domain: d\nfunctions: |\n  fn who(m) { m.actor }\naggregates:\n".to_owned();
    for (name, way) in ways {
        let script = match way.rsplit_once("; ") {
            Some((first, last)) => format!("{first};\n          state.by = {last};"),
            None => format!("state.by = {way};"),
        };
        let _ = write!(
            domain,
            "  {name}:\n    state: {{ by: \"\" }}\n    events:\n      Done:\n        fold: |\n          {script}\n    \
             commands:\n      Do:\n        decide: emit(\"Done\")\n"
        );
    }
    domain += "projections:\n";
    for (name, way) in ways {
        let script = match way.rsplit_once("; ") {
            Some((first, last)) => format!("{};\n          row.by = {last};", indented(first)),
            None => format!("row.by = {way};"),
        };
        let _ = write!(
            domain,
            "  {name}_rows:\n    columns: {{ id: string, by: string }}\n    key: meta.id\n    on:\n      {name}.Done: |\n          {script}\n"
        );
    }
    folder.write("domains/d.yaml", domain);
    for (name, _) in ways {
        let by = match name {
            "got" => "ada-trace",
            "own" => "1",
            _ => "ada",
        };
        folder.esctl(&format!("send {name}/1 Do --actor ada --meta trace=ada-trace")).done();
        folder.esctl(&format!("replay {name}/1 -o json")).exits(0).prints(&format!("\"state\":{{\"by\":\"{by}\"}}"));
        folder.esctl(&format!("project show {name}_rows -o ndjson")).exits(0).prints(&format!("\"by\":\"{by}\""));
    }
}

/// What was shown at some position is shown again when that is asked for, whatever came later.
#[test]
fn the_past_is_shown_as_it_was() {
    let folder = Folder::bank();
    let mut shown = Vec::new();
    for line in include_str!("../../domains/bank-commands.ndjson").lines() {
        folder.esctl_with("send --batch -", line);
        let receipt = folder.esctl("project status -o ndjson").done();
        let head = receipt.split("\"head\":").nth(1).and_then(|rest| rest.split(',').next()).unwrap().to_owned();
        shown.push((head, folder.esctl("project show balances -o ndjson").done()));
    }
    let before = folder.bash("sha256sum esctl.db").done();
    for (head, rows) in &shown {
        assert_eq!(&folder.esctl(&format!("project show balances --at @{head} -o ndjson")).done(), rows, "@{head}");
    }
    assert_eq!(folder.esctl("project show balances --at @0 -o ndjson").done(), "");
    assert_snapshot!(folder.esctl("project show balances --at 2026-01-13 --key bob"), @r"
    exit: 0
    stdout:
    account  owner  balance  deposits
    bob      Bob    -143.85         2
    ");
    assert_snapshot!(folder.esctl("project show balances --at @1000"), @r"
    exit: 2
    stderr:
    error: the store ends at position @32, there is no @1000
    ");
    assert_snapshot!(folder.esctl("project show balances --at 7"), @r"
    exit: 2
    stderr:
    error: only a stream has versions; a moment here is a position or a time
    hint: `@7` is a position of the store
    ");
    assert_snapshot!(folder.esctl("project show balances --at 1999-01-01T00:00:00Z"), @r"
    exit: 2
    stderr:
    error: the store had no event yet at 1999-01-01T00:00:00.000000Z
    ");
    folder.esctl("project show balances --at yesterday").exits(2).says("`yesterday` is no moment");
    folder.esctl("project show nope --at @1").exits(2).says("there is no projection `nope`");
    assert_eq!(folder.bash("sha256sum esctl.db").done(), before, "nothing was written");
}

#[test]
fn rows_are_proved() {
    let folder = Folder::opened();
    assert_snapshot!(folder.esctl("project verify"), @r"
    exit: 2
    stderr:
    error: no projection was ever filled: there is nothing to compare
    hint: `esctl project rebuild` fills them
    ");
    folder.esctl("project rebuild balances").done();
    assert_snapshot!(folder.esctl("project verify"), @r"
    exit: 0
    stdout:
    result  projection  detail
    same    balances    1 row from 3 events, up to @3
    ");
    assert_snapshot!(folder.esctl("project verify balances ledger"), @r"
    exit: 1
    stdout:
    result        projection  detail
    same          balances    1 row from 3 events, up to @3
    not compared  ledger      it was never filled
    ");
    folder.esctl("project verify balances nope").exits(2).says("there is no projection `nope`");
    folder.bash("sqlite3 esctl.db \"UPDATE balances__1 SET balance = 7 WHERE account = 'ada'\"").done();
    assert_snapshot!(folder.esctl("project verify"), @r#"
    exit: 1
    stdout:
    result   projection  detail
    differs  balances    1 row from 3 events, up to @3
    differs  balances    `balance` of the row "ada" is 7, the events give 0.3
    "#);
    assert_snapshot!(folder.esctl("project verify -o json"), @r#"
    exit: 1
    stdout:
    [
    {"result":"differs","name":"balances","position":3,"rows":1,"events":3,"differences":[{"key":"ada","kind":"value","column":"balance","stored":7,"computed":0.3}],"more":0}
    ]
    "#);
    assert_snapshot!(folder.esctl("project verify -o csv"), @r#"
    exit: 1
    stdout:
    result,projection,detail
    differs,balances,"1 row from 3 events, up to @3"
    differs,balances,"`balance` of the row ""ada"" is 7, the events give 0.3"
    "#);
    // It was not put right by being looked at.
    folder.esctl("project verify").exits(1);
    folder.esctl("project rebuild balances").done();
    folder.esctl("project verify").exits(0);
    folder.bash("sed -i 's/row.balance += event.amount/row.balance += 2 * event.amount/' domains/bank.yaml").done();
    assert_snapshot!(folder.esctl("project verify"), @r"
    exit: 1
    stdout:
    result        projection  detail
    not compared  balances    it was filled by other rules than those of today
    ");
}

/// How a handler is written does not matter, what it does matters, wherever that stands.
#[test]
fn a_read_model_is_stale_when_its_rules_mean_something_else() {
    let folder = Folder::empty();
    let domain = r#"
domain: shop
functions: |
  fn net(amount) { round(amount / rate(), 2, "half_even") }
  fn rate() { 1.19 }
  fn unused(x) { x }
aggregates:
  order:
    state: { total: { type: decimal, initial: 0 } }
    events:
      Paid: { fields: { amount: decimal }, fold: state.total += event.amount }
    commands:
      Pay: { fields: { amount: decimal }, decide: 'emit("Paid", command)' }
projections:
  takings:
    columns: { order: string, net: decimal, text: string }
    key: meta.id
    on:
      order.Paid: |
        let sum = net(event.amount);
        row.net += sum;
        row.text = `plus ${sum}`;
"#;
    folder.write("domains/shop.yaml", domain);
    folder.esctl("send order/1 Pay amount=11.90").done();
    folder.esctl("project rebuild").done();
    let status_after = |from: &str, to: &str| {
        assert!(domain.contains(from), "{from}");
        folder.write("domains/shop.yaml", domain.replace(from, to));
        let status = folder.esctl("project status -o ndjson").done();
        status.split("\"status\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned()
    };
    for (from, to) in [
        (
            "let sum = net(event.amount);\n        row.net += sum;\n        row.text = `plus ${sum}`;",
            "let more = net(event.amount); // without taxes\n\n        row.net += more;\n        row.text = `plus ${ more }`;",
        ),
        (
            "fn net(amount) { round(amount / rate(), 2, \"half_even\") }",
            "// what is ours\n  fn net(gross) {\n    round(gross / rate(), 2, \"half_even\")\n  }",
        ),
        ("fn unused(x) { x }", "fn unused(x) { x + 1 }"),
        ("fn unused(x) { x }", "fn other() { 7 }"),
        ("domain: shop", "domain: shop\ndescription: Things that are sold."),
        (
            "decide: 'emit(\"Paid\", command)'",
            "decide: 'require(command.amount > 0, \"none\"); emit(\"Paid\", command)'",
        ),
    ] {
        assert_eq!(status_after(from, to), "current", "{to}");
    }
    for (from, to) in [
        ("row.net += sum", "row.net -= sum"),
        ("1.19", "1.07"),
        ("\"half_even\"", "\"half_up\""),
        ("`plus ${sum}`", "`plus: ${sum}`"),
        ("key: meta.id", "key: meta.id + \"\""),
        ("net: decimal, text", "net: integer, text"),
        ("text: string }", "text: string, more: integer }"),
        ("Paid: { fields: { amount: decimal }", "Paid: { fields: { amount: decimal, by?: string }"),
    ] {
        assert_eq!(status_after(from, to), "stale", "{to}");
    }
    // A change that means something is shown at once, and the other way back.
    status_after("row.net += sum", "row.net += 2 * sum");
    folder.esctl("project show takings -o csv").exits(0).prints("1,20,plus 10");
    assert_eq!(status_after("domain: shop", "domain: shop"), "stale");
    folder.esctl("project show takings -o csv").exits(0).prints("1,10,plus 10");
}

/// What does not change what the rules mean rebuilds nothing: the rows stay where they are.
#[test]
fn only_what_means_something_else_is_rebuilt() {
    let folder = Folder::empty();
    let domain = r#"
domain: d
functions: |
  fn twice(n) { n * 2 }
  fn other(n) { n * 3 }
aggregates:
  a:
    state: { n: 0 }
    events: { Done: { fields: { n: integer }, fold: state.n += other(event.n) } }
    commands: { Do: { fields: { n: integer }, decide: 'emit("Done", command)' } }
projections:
  sums:
    columns: { id: string, sum: integer }
    key: meta.id
    on:
      a.Done: |
        let more = twice(event.n);
        row.sum += more;
"#;
    folder.write("domains/d.yaml", domain);
    folder.bash("ESCTL_CLOCK=2026-01-01T00:00:00Z esctl send a/1 Do n=5").done();
    folder.bash("ESCTL_CLOCK=2026-01-01T00:00:00Z esctl project rebuild").done();
    let shown_by = |domain: &str| {
        folder.write("domains/d.yaml", domain);
        let shown = folder.esctl("project show sums -o csv").done();
        let served = folder.esctl("sql 'SELECT number, since FROM projections' --stale -o csv").done();
        format!("{} {}", shown.lines().nth(1).unwrap(), served.lines().nth(1).unwrap())
    };
    let before = "1,10 1,2026-01-01T00:00:00.000000Z";
    for (from, to) in [
        ("let more = twice(event.n);\n        row.sum += more", "let sum = twice(event.n);\n        row.sum += sum"),
        ("let more = twice(event.n);", "// More of it.\n        let more =\n          twice( event.n );\n"),
        ("fn twice(n) { n * 2 }", "// Two of them.\n  fn twice(of) {\n    of * 2\n  }"),
        ("n * 3", "n * 4"),
        ("  fn other(n)", "  fn unused() { 1 }\n  fn other(n)"),
        ("  sums:", "  # What there is.\n  sums:\n    description: Sums."),
    ] {
        assert!(domain.contains(from), "{from}");
        assert_eq!(shown_by(&domain.replace(from, to)), before, "{to}");
    }
    assert_eq!(shown_by(&domain.replace("n * 2", "n + n + 1")), "1,11 2,2026-01-31T12:00:00.000000Z");
    assert_eq!(shown_by(domain), "1,10 3,2026-01-31T12:00:00.000000Z");
}

/// Only a row that is not what the events give is a difference: not one that is behind, nor rules that are written otherwise.
#[test]
fn what_means_the_same_is_no_difference() {
    let folder = Folder::opened();
    folder.esctl("project rebuild").done();
    let digest = || folder.esctl("sql 'SELECT name, digest, checkpoint, since FROM projections' --stale -o csv").done();
    let before = digest();
    folder.esctl("send account/bob Open owner=Bob currency=EUR").done();
    let sound = std::fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    let same = |domain: &str| {
        folder.write("domains/bank.yaml", domain);
        folder.esctl("project verify").exits(0).prints("same    balances    1 row from 3 events, up to @3\n");
        folder.esctl("verify").exits(0).prints("balances");
        assert_eq!(digest(), before);
        let status = folder.esctl("project status -o ndjson").exits(0);
        assert_eq!(status.stdout.matches(r#""status":"behind","checkpoint":3,"#).count(), 2, "{status}");
    };
    same(&sound);
    let handler = "row.balance += event.amount;\n";
    assert!(sound.contains(handler));
    same(&sound.replace(handler, "row.balance +=\n          event.amount; // more of it\n"));
    same(&sound.replace("projections:\n", "# What is asked for.\nprojections:\n\n"));
    // One cell, and no other.
    folder.bash("sqlite3 esctl.db \"UPDATE balances__1 SET deposits = 3\"").done();
    assert_snapshot!(folder.esctl("project verify"), @r#"
    exit: 1
    stdout:
    result   projection  detail
    differs  balances    1 row from 3 events, up to @3
    differs  balances    `deposits` of the row "ada" is 3, the events give 2
    same     ledger      2 rows from 2 events, up to @3
    "#);
    folder.esctl("project rebuild --key ada balances").done();
    folder.esctl("project verify").exits(0);
}
