//! `esctl rules`: the rules under which what is stored was decided, and replaying under others.

use crate::support::{Folder, dump};
use insta::assert_snapshot;
use std::fs;

/// Two commands by one text, one by another, and one by the first again.
fn changed() -> Folder {
    let folder = Folder::bank();
    folder.esctl("send account/ada Open owner=Ada currency=EUR").done();
    folder.esctl("send account/ada Deposit amount=25").done();
    let first = fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    let second = first.replace("fold: state.balance += event.amount", "fold: state.balance += event.amount * 2");
    assert_ne!(first, second);
    folder.write("domains/bank.yaml", second);
    folder.esctl("send account/ada Deposit amount=10 --time 2026-02-01").done();
    folder.write("domains/bank.yaml", first);
    folder.esctl("send account/ada Deposit amount=1 --time 2026-02-02").done();
    folder
}

#[test]
fn rules_are_listed_with_when_they_were_in_use() {
    let folder = changed();
    let before = dump::everything(&folder, "esctl.db");
    assert_snapshot!(folder.esctl("rules"), @r"
    exit: 0
    stdout:
    digest        domain  now  commands  first  last  since                        until                        bytes
    03b260960ae6  bank    yes         3      1     4  2026-01-31T12:00:00.000000Z  2026-02-02T00:00:00.000000Z  18823
    457bb04243eb  bank                1      3     3  2026-02-01T00:00:00.000000Z  2026-02-01T00:00:00.000000Z  18827
    ");
    assert_snapshot!(folder.bash("esctl rules -o ndjson | jq -c 'del(.digest)'"), @r#"
    exit: 0
    stdout:
    {"domain":"bank","now":true,"commands":3,"first":1,"last":4,"since":"2026-01-31T12:00:00.000000Z","until":"2026-02-02T00:00:00.000000Z","bytes":18823}
    {"domain":"bank","now":false,"commands":1,"first":3,"last":3,"since":"2026-02-01T00:00:00.000000Z","until":"2026-02-01T00:00:00.000000Z","bytes":18827}
    "#);
    assert_snapshot!(folder.bash("esctl rules -o csv | cut -d, -f2-5"), @r"
    exit: 0
    stdout:
    domain,now,commands,first
    bank,yes,3,1
    bank,,1,3
    ");
    // The files need not be there, and not be sound.
    folder.write("domains/bank.yaml", "domain: [");
    folder.esctl("rules").prints("bank").exits(0);
    assert_eq!(dump::everything(&folder, "esctl.db"), before);
}

#[test]
fn a_text_is_given_as_it_was() {
    let folder = changed();
    let digests = folder.bash("esctl rules -o ndjson | jq -r .digest").done();
    let first = digests.lines().next().unwrap();
    let text = fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    assert_eq!(folder.esctl(&format!("rules {first}")).done(), text);
    assert_eq!(folder.esctl(&format!("rules {}", &first[..4].to_uppercase())).done(), text);
    assert_eq!(folder.bash(&format!("esctl rules {first} -o json | jq -j .text")).done(), text);
    assert_snapshot!(folder.esctl("rules 0000"), @r"
    exit: 2
    stderr:
    error: no rules with the digest `0000` decided anything here
    hint: `esctl rules` lists those that did
    ");
    assert_snapshot!(folder.esctl("rules zz"), @r"
    exit: 2
    stderr:
    error: invalid value 'zz' for '[DIGEST]': a digest has hexadecimal digits: the first 4 at least, 64 at most

    For more information, try '--help'.
    ");
    assert_snapshot!(folder.esctl("rules --store none.db"), @r"
    exit: 2
    stderr:
    error: there is no store at `none.db`
    hint: the first `esctl send` makes it; another file is named with `--store`
    ");
}

#[test]
fn what_a_terminal_would_obey_is_escaped() {
    let folder = Folder::bank();
    let text = fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    let text = text.replace("domain: bank\n", "domain: bank # a\ttab\r\n");
    folder.write("domains/bank.yaml", &text);
    folder.esctl("send account/ada Open owner=Ada currency=EUR").done();
    let digest = folder.bash("esctl rules -o ndjson | jq -r .digest").done();
    assert_eq!(folder.esctl(&format!("rules {digest}")).done(), text);
    // Nothing puts such a text there but somebody's hand.
    dump::change(
        &folder,
        "DROP TRIGGER es_domains_update; UPDATE es_domains SET text = 'domain: \u{1b}[2Jx' || char(10)",
    );
    assert_eq!(folder.esctl(&format!("rules {digest}")).done(), "domain: \\u001b[2Jx\n");
}

#[test]
fn a_stream_is_replayed_under_other_rules() {
    let folder = changed();
    let digests = folder.bash("esctl rules -o ndjson | jq -r .digest").done();
    let second = digests.lines().nth(1).unwrap();
    assert_snapshot!(folder.esctl("replay account/ada"), @r"
    exit: 0
    stdout:
    account/ada  version 4  @4  2026-02-02T00:00:00.000000Z

    status:    open
    owner:     Ada
    currency:  EUR
    balance:   36
    overdraft: 0
    ");
    assert_snapshot!(folder.esctl(&format!("replay account/ada --rules {second}")), @r"
    exit: 0
    stdout:
    account/ada  version 4  @4  2026-02-02T00:00:00.000000Z

    status:    open
    owner:     Ada
    currency:  EUR
    balance:   72
    overdraft: 0
    ");
    assert_snapshot!(folder.bash(&format!("esctl replay account/ada --steps --rules {second} -o ndjson | jq -c .changes")), @r#"
    exit: 0
    stdout:
    [{"path":"/status","before":"none","after":"open"},{"path":"/owner","before":"","after":"Ada"},{"path":"/currency","before":"","after":"EUR"}]
    [{"path":"/balance","before":0,"after":50}]
    [{"path":"/balance","before":50,"after":70}]
    [{"path":"/balance","before":70,"after":72}]
    "#);
    folder.bash(&format!("mkdir other && esctl rules {second} > other/bank.yaml")).done();
    let by_file = folder.esctl("replay account/ada --scripts other/bank.yaml -o json").done();
    assert_eq!(by_file, folder.esctl("replay account/ada --scripts other -o json").done());
    assert_eq!(by_file, folder.esctl(&format!("replay account/ada --rules {second} -o json")).done());
    // Whatever the present rules are like.
    folder.write("domains/bank.yaml", "domain: [");
    assert_eq!(by_file, folder.esctl(&format!("replay account/ada --rules {second} -o json")).done());
    assert_snapshot!(folder.esctl("replay account/ada --rules 1234567"), @r"
    exit: 2
    stderr:
    error: no rules with the digest `1234567` decided anything here
    hint: `esctl rules` lists those that did
    ");
    assert_snapshot!(folder.esctl("replay account/ada --scripts nowhere"), @r"
    exit: 2
    stderr:
    error: there is no domain at `nowhere`
    hint: `esctl init` makes one; another place is named with `--domain`
    ");
    assert_snapshot!(folder.esctl(&format!("replay account/ada --scripts other --rules {second}")), @r"
    exit: 2
    stderr:
    error: the argument '--scripts <PATH>' cannot be used with '--rules <DIGEST>'

    Usage: esctl replay --scripts <PATH> <STREAM>

    For more information, try '--help'.
    ");
    folder.write(
        "other/bank.yaml",
        "domain: bank\naggregates:\n  account:\n    state: { n: 0 }\n    events: { A: { fold: state.m = 1 } }\n",
    );
    assert_snapshot!(folder.esctl("replay account/ada --scripts other"), @r"
    exit: 2
    stderr:
    error: `state` has no field `m`
     --> other/bank.yaml:5:32
      |
    5 |     events: { A: { fold: state.m = 1 } }
      |                                ^
    hint: the state of `account` has `n`
    ");
}
