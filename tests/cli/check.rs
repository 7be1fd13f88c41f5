//! `esctl check`, and what every other verb makes of a domain that is not sound

use crate::support::Folder;
use crate::trials::victim::Victim;
use insta::assert_snapshot;
use std::fs;

#[test]
fn a_sound_domain() {
    let folder = Folder::bank();
    folder.esctl("check").exits(0).prints("bank: 2 aggregates, ");
    assert_snapshot!(folder.esctl("check -o json"), @r"
    exit: 0
    stdout:
    []
    ");
    assert_eq!(folder.listing(), ["domains"]);
}

#[test]
fn nothing_to_check() {
    let folder = Folder::empty();
    assert_snapshot!(folder.esctl("check"), @r"
    exit: 2
    stderr:
    error: there is no domain at `domains`
    hint: `esctl init` makes one; another place is named with `--domain`
    ");
    folder.write("empty/.hidden.yaml", "domain: x").write("empty/readme.txt", "no");
    assert_snapshot!(folder.esctl("check --domain empty -o json"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"there is no domain file in `empty`","hints":["a domain file ends in `.yaml`; `esctl init` makes one to start from"],"exit":2}}
    "#);
}

/// A kind of broken file, and where its first problem is.
fn broken() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let bombs = "a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b]\n";
    let aggregate = |events: &str| {
        format!(
            "domain: d\naggregates:\n  a:\n    state: {{ n: 0 }}\n    events:\n{events}    commands:\n      Add:\n        \
             fields: {{ amount: integer }}\n        decide: emit(\"Added\", command)\n"
        )
    };
    let added = |script: &str| {
        aggregate(&format!("      Added:\n        fields: {{ amount: integer }}\n        fold: {script}\n"))
    };
    let projected = added("state.n += event.amount")
        + "projections:\n  p:\n    columns: { id: string }\n    key: meta.id\n    on:\n      a.Gone: row.id = key\n";
    vec![
        ("unknown-key", b"domain: d\nagregates: {}\n".to_vec(), ":2:1"),
        ("duplicate-key", b"domain: d\naggregates: {}\ndomain: e\n".to_vec(), ":3:1"),
        ("bad-type", aggregate("      Added:\n        fields: { amount: intger }\n").into(), ":7:27"),
        ("bad-script", added("state.n += ").into(), ":8:"),
        ("misspelt-field", added("state.n += event.ammount").into(), ":8:"),
        ("unknown-event", projected.into(), ":18:7"),
        ("tab-indentation", b"domain: d\naggregates:\n\ta: {}\n".to_vec(), ":3:1"),
        ("alias-bomb", bombs.into(), ":1:"),
        ("not-utf8", b"domain: d\ndescription: \xff\n".to_vec(), ":2:14"),
        ("too-large", vec![b'#'; 2 * 1024 * 1024], ":1:1"),
        ("empty", Vec::new(), ""),
    ]
}

#[test]
fn every_kind_of_broken_file_is_shown_at_its_place() {
    for (name, content, place) in broken() {
        let folder = Folder::empty();
        folder.write(&format!("domains/{name}.yaml"), content);
        let check = folder.esctl("check");
        check.exits(1).says("error: ").says(&format!("--> domains/{name}.yaml{place}"));
        folder.esctl("events").exits(2).says(&format!("--> domains/{name}.yaml{place}"));
    }
}

#[test]
fn problems_are_data_where_data_is_asked_for() {
    let folder = Folder::empty();
    folder.write("domains/d.yaml", "domain: d\nagregates: {}\n");
    let check = folder.esctl("check -o ndjson").exits(1);
    assert!(check.stderr.is_empty(), "{check}");
    assert!(check.stdout.lines().all(|line| line.starts_with(r#"{"severity":""#)), "{check}");
    check.prints(r#""place":{"file":"domains/d.yaml","line":2,"column":1},"excerpt":"agregates: {}""#);
    let events = folder.esctl("events -o json").exits(2);
    assert!(events.stdout.is_empty(), "{events}");
    events.says(r#"{"error":{"kind":"domain","message":"#).says(r#","exit":2}}"#);
    folder.esctl("check -o csv").exits(1).prints("severity,rule,message,file,line,column,hints\n");
}

#[test]
fn warnings_count_only_where_they_are_denied() {
    let folder = Folder::empty();
    // An event that nobody folds and nobody emits.
    folder.write(
        "domains/d.yaml",
        "domain: d\naggregates:\n  a:\n    state: {}\n    events:\n      Forgotten: {}\n    commands: {}\n",
    );
    folder.esctl("check").exits(0).says("warning: ");
    folder.esctl("check --deny warnings").exits(1).says("warning: ");
    let other = folder.esctl("project list").exits(0);
    assert!(other.stderr.is_empty(), "{other}");
}

#[test]
fn a_file_named_twice_is_read_once() {
    let folder = Folder::bank();
    let once = folder.esctl("check --domain domains/bank.yaml").exits(0);
    assert_eq!(folder.esctl("check --domain domains --domain domains/../domains/bank.yaml"), once);
}

#[test]
fn it_watches() {
    let folder = Folder::bank();
    let mut watching = Victim::start(&folder, &["check", "--watch"]);
    assert!(watching.line().unwrap().starts_with("bank: 2 aggregates, "));
    let sound = fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    folder.write("domains/more.yaml", "domain: more\n");
    assert!(watching.line().unwrap().starts_with("bank: "));
    assert_eq!(watching.line().unwrap(), "more: 0 aggregates, 0 commands, 0 events, 0 projections, 0 scenarios\n");
    // What is broken meanwhile prints nothing; what is mended is seen again.
    folder.write("domains/bank.yaml", sound.replace("state.balance += event.amount", "state.balance += event.amuont"));
    let seen = || watching.stderr().contains("did you mean `amount`?");
    while !seen() {
        std::thread::yield_now();
    }
    folder.write("domains/bank.yaml", sound);
    assert!(watching.line().unwrap().starts_with("bank: "));
    assert!(watching.line().unwrap().starts_with("more: "));
    let end = watching.kill();
    assert_eq!((end.exit, end.printed.len()), (None, 0));
    for said in
        ["domains/more.yaml changed", "domains/bank.yaml changed", "error: `event` has no field `amuont`", "1 error"]
    {
        assert!(end.stderr.contains(said), "{said}: {}", end.stderr);
    }
}
