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
        .prints(r#"{"name":"balances","events":3,"rows":1,"position":3,"resumed":false}"#);
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
