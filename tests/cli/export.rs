//! `esctl export`

use crate::support::Folder;
use insta::assert_snapshot;

#[test]
fn every_line_is_documented_by_its_keys() {
    let folder = Folder::bank();
    folder.esctl("send account/ada Open owner=Ada currency=EUR --id o --actor ada --meta ip=::1").done();
    folder.esctl("send account/ada Deposit amount=25.10 --id d --correlation talk --causation @1").done();
    let export = folder.esctl("export").done();
    let domain = export.lines().nth(1).unwrap();
    assert!(domain.starts_with("{\"domain\":\"") && domain.contains("\",\"text\":\"domain: bank\\n"), "{domain}");
    let digest = domain.split('"').nth(3).unwrap();
    let rest: Vec<_> = export.lines().enumerate().filter(|(at, _)| *at != 1).map(|(_, line)| line).collect();
    let mut hashless = String::new();
    for line in rest.join("\n").replace(digest, "<digest>").split_inclusive('"') {
        let hex = line.len() == 65 && line.trim_end_matches('"').bytes().all(|byte| byte.is_ascii_hexdigit());
        hashless.push_str(if hex { "<hash>\"" } else { line });
    }
    assert_snapshot!(hashless, @r#"
    {"esctl":1,"store":"019c13ec-9e00-7000-8000-00000fffffff","after":0,"previous":"<hash>","position":2,"head":"<hash>"}
    {"command":"o","stream":"account/ada","name":"Open","domain":"<digest>","events":1,"actor":"ada","meta":{"ip":"::1"},"data":{"owner":"Ada","currency":"EUR"}}
    {"position":1,"stream":"account/ada","version":1,"type":"Opened","schema":1,"time":"2026-01-31T12:00:00.000000Z","data":{"owner":"Ada","currency":"EUR"},"hash":"<hash>"}
    {"command":"d","stream":"account/ada","name":"Deposit","domain":"<digest>","events":1,"correlation":"talk","causation":"@1","data":{"amount":25.10}}
    {"position":2,"stream":"account/ada","version":2,"type":"Deposited","schema":1,"time":"2026-01-31T12:00:00.000000Z","data":{"amount":25.10},"hash":"<hash>"}
    "#);
}

#[test]
fn a_domain_text_is_there_once_before_what_it_decided() {
    let folder = Folder::opened();
    folder.bash("sed -i 's/hold money/hold much money/' domains/bank.yaml").done();
    folder.esctl("send account/ada Deposit amount=1").done();
    let export = folder.esctl("export").done();
    let kinds: Vec<_> = export.lines().map(|line| line.split('"').nth(1).unwrap()).collect();
    let wanted = "esctl domain command position command position command position domain command position";
    assert_eq!(kinds.join(" "), wanted);
    // Only what the stretch needs.
    let part = folder.esctl("export --after @3").done();
    let kinds: Vec<_> = part.lines().map(|line| line.split('"').nth(1).unwrap()).collect();
    assert_eq!(kinds, ["esctl", "domain", "command", "position"]);
}

#[test]
fn a_stretch_begins_between_commands() {
    let folder = Folder::opened();
    folder.esctl("send account/bob Open owner=Bob currency=EUR").done();
    folder.esctl("send account/ada Transfer to=bob amount=0.05").done();
    folder.esctl("export --after 5").exits(2).says("in the middle of a command").says("--after 6");
    folder.esctl("export --after 7").exits(2).says("the store ends at 6");
    folder.esctl("export --after x").exits(2);
    assert_eq!(folder.esctl("export --after @6").done().lines().count(), 1);
    assert_eq!(folder.esctl("export --after 4").done().lines().count(), 5);
}

#[test]
fn into_a_file_that_is_new() {
    let folder = Folder::opened();
    let printed = folder.esctl("export").done();
    assert_eq!(folder.esctl("export all.ndjson").done(), "");
    assert_eq!(std::fs::read_to_string(folder.file("all.ndjson")).unwrap(), printed);
    folder.esctl("export all.ndjson").exits(2).says("exists already");
    folder.esctl("export no/such/folder").exits(2);
    assert_eq!(folder.listing(), ["all.ndjson", "domains", "esctl.db", "esctl.db-turn"]);
}

#[test]
fn no_domain_is_needed_but_a_store() {
    let folder = Folder::opened();
    folder.bash("rm -r domains").done();
    folder.esctl("export").done();
    folder.esctl("export --store none.db").exits(2).says("there is no store");
}

#[test]
fn what_was_changed_behind_its_back_is_noticed() {
    let folder = Folder::opened();
    folder
        .bash("sqlite3 esctl.db 'DROP TRIGGER es_events_update; UPDATE es_events SET schema = 2 WHERE position = 2'")
        .done();
    folder.esctl("export").exits(6).says("the hash at position 3");
    folder.esctl("export all.ndjson").exits(6);
    assert_eq!(folder.listing(), ["domains", "esctl.db", "esctl.db-turn"]);
}

#[test]
fn as_cloudevents() {
    let folder = Folder::opened();
    folder.esctl("send account/ada Deposit amount=25.10 --id d --actor ada --correlation talk --causation @1").done();
    assert_snapshot!(folder.esctl("export --as cloudevents --after @3"), @r#"
    exit: 0
    stdout:
    {"specversion":"1.0","id":"019c13ec-9e00-7000-8000-00000fffffff@4","source":"urn:uuid:019c13ec-9e00-7000-8000-00000fffffff","type":"account.Deposited","subject":"account/ada","time":"2026-01-31T12:00:00.000000Z","datacontenttype":"application/json","position":"4","streamversion":"4","commandid":"d","commandname":"Deposit","actor":"ada","correlationid":"talk","causationid":"@1","data":{"amount":25.10}}
    "#);
    folder.bash("esctl export --as cloudevents | esctl import --store copy.db").exits(2).says("this is no export");
}
