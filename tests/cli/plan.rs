//! `esctl plan`: what other rules would make of the history that is there.

use crate::support::trial::{Dice, scaled};
use crate::support::{Folder, dump};
use insta::assert_snapshot;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;

/// An account with a fee, in the folder `domains`; and in `new`, with some text replaced.
fn bank(changes: &[(&str, &str)]) -> Folder {
    let folder = Folder::empty();
    folder.write("domains/bank.yaml", BANK);
    change(&folder, changes);
    for line in [
        "send account/ada Deposit amount=100",
        "send account/bob Deposit amount=50",
        "send account/ada Withdraw amount=30",
        "send account/ada Withdraw amount=20",
        "send account/bob Withdraw amount=5",
        "send account/cy Deposit amount=7",
    ] {
        folder.esctl(line).done();
    }
    folder
}

fn change(folder: &Folder, changes: &[(&str, &str)]) {
    let mut text = BANK.to_owned();
    for (before, after) in changes {
        assert!(text.contains(before), "{before}");
        text = text.replace(before, after);
    }
    folder.write("new/bank.yaml", text);
}

const BANK: &str = r#"
domain: bank
functions: |
  fn fee(amount) { let most = 25; if amount > most { 1 } else { 0 } }
aggregates:
  account:
    state: { balance: 0 }
    events:
      Deposited: { fields: { amount: integer }, fold: state.balance += event.amount }
      Withdrawn: { fields: { amount: integer }, fold: state.balance -= event.amount + fee(event.amount) }
    commands:
      Deposit: { fields: { amount: integer }, decide: 'emit("Deposited", command)' }
      Withdraw:
        fields: { amount: integer }
        decide: |
          require(command.amount + fee(command.amount) <= state.balance, "insufficient_funds", `there is ${state.balance}`);
          emit("Withdrawn", command);
    invariants:
      not_negative: state.balance >= 0
  note:
    state: { text: "" }
    events: { Noted: { fields: { text: string }, fold: state.text = event.text } }
    commands: { Note: { fields: { text: string }, decide: 'emit("Noted", command)' } }
projections:
  balances:
    columns: { account: string, balance: integer }
    key: meta.id
    on:
      account.Deposited: row.balance += event.amount
      account.Withdrawn: row.balance -= event.amount + fee(event.amount)
  largest:
    columns: { account: string, amount: integer }
    key: meta.id
    on:
      account.Deposited: if event.amount > row.amount { row.amount = event.amount }
"#;

/// A fee from smaller amounts on.
const FEE: (&str, &str) = ("let most = 25", "let most = 10");

#[test]
fn a_changed_helper_lists_everything_it_reaches() {
    let folder = bank(&[FEE]);
    let before = dump::everything(&folder, "esctl.db");
    assert_snapshot!(folder.esctl("plan --with new"), @r"
    exit: 1
    stdout:
    account: 1 of 2 replayed streams would have another state
      account/ada  first differs after version 3 (@4 Withdrawn)
        ~ balance: 49 → 48
      account/ada  version 3
        ~ balance: 49 → 48

    balances: 1 of 3 rows would be another
      ada
        ~ balance: 49 → 48

    stderr:
    note: not replayed, being the same by both rules: `note`, `largest`
    the history would differ at @6: 1 of 2 replayed streams differs, 1 of 3 rows differs
    ");
    assert_snapshot!(folder.esctl("plan --with new --commands"), @r"
    exit: 1
    stdout:
    account: 1 of 2 replayed streams would have another state
      account/ada  first differs after version 3 (@4 Withdrawn)
        ~ balance: 49 → 48
      account/ada  version 3
        ~ balance: 49 → 48

    balances: 1 of 3 rows would be another
      ada
        ~ balance: 49 → 48

    stderr:
    note: not replayed, being the same by both rules: `note`, `largest`
    the history would differ at @6: 1 of 2 replayed streams differs, 1 of 3 rows differs, 6 commands decided again, all to the same
    ");
    assert_snapshot!(folder.bash("esctl plan --with new --commands -o ndjson 2>/dev/null"), @r#"
    exit: 1
    stdout:
    {"kind":"state","stream":"account/ada","version":3,"changes":[{"path":"/balance","before":49,"after":48}]}
    {"kind":"row","projection":"balances","key":"ada","before":{"account":"ada","balance":49},"after":{"account":"ada","balance":48},"changes":[{"path":"/balance","before":49,"after":48}]}
    "#);
    assert_snapshot!(folder.bash("esctl plan --with new -o csv 2>/dev/null"), @r"
    exit: 1
    stdout:
    kind,subject,key,version,position,what
    state,account/ada,,3,,/balance
    row,balances,ada,,,/balance
    ");
    assert_snapshot!(folder.bash("esctl plan --with new --commands -o json 2>/dev/null | jq -c 'del(.differences)'"), @r#"
    exit: 0
    stdout:
    {"position":6,"differs":true,"aggregates":[{"aggregate":"account","reach":"some","streams":2,"events":5,"differ":1,"unfit":0,"broken":0,"uncompared":0,"example":{"stream":"account/ada","version":3,"position":4,"type":"Withdrawn","changes":[{"path":"/balance","before":49,"after":48}]}},{"aggregate":"note","reach":"nothing","streams":0,"events":0,"differ":0,"unfit":0,"broken":0,"uncompared":0}],"projections":[{"projection":"balances","reached":true,"rows":3,"differ":1},{"projection":"largest","reached":false,"rows":0,"differ":0}],"commands":{"decided":6,"same":0,"uncompared":0,"rejected":0,"events":0,"fails":0}}
    "#);
    assert_eq!(
        folder.bash("esctl plan --with new -o json 2>/dev/null | jq -c '.differences[]'").done(),
        folder.bash("esctl plan --with new -o ndjson 2>/dev/null || true").done()
    );
    assert_eq!(dump::everything(&folder, "esctl.db"), before);
    // One file takes the place of that of its domain.
    folder.write("domains/other.yaml", "domain: other\naggregates:\n  thing:\n    state: { n: 0 }\n    events: { A: { fold: state.n += 1 } }\n    commands: { Do: { decide: 'emit(\"A\")' } }\n");
    folder.esctl("plan --with new/bank.yaml").says("`thing`").exits(1);
}

#[test]
fn what_means_the_same_differs_in_nothing_and_nothing_is_read() {
    let same = [
        ("let most = 25; if amount > most", "/* a comment */ let least = 25; if amount > least"),
        ("domain: bank", "# more\ndomain: bank"),
    ];
    let folder = bank(&same);
    assert_snapshot!(folder.esctl("plan --with new --commands"), @r"
    exit: 0
    stderr:
    note: not replayed, being the same by both rules: `account`, `note`, `balances`, `largest`
    nothing would differ at @6: no command is decided otherwise
    ");
    assert_snapshot!(folder.bash("esctl plan --with new -o json 2>/dev/null | jq -c '.differs, ([.aggregates[].events] | add)'"), @r"
    exit: 0
    stdout:
    false
    0
    ");
    // With what is stored made unreadable it is still so, and for other rules it is not.
    dump::change(&folder, "DROP TRIGGER es_events_update; UPDATE es_events SET data = 'nonsense'");
    folder.esctl("plan --with new --commands").says("nothing would differ").exits(0);
    change(&folder, &[FEE]);
    folder.esctl("plan --with new").exits(6);
}

#[test]
fn only_streams_with_events_that_changed_are_replayed() {
    let folder = bank(&[("state.balance += event.amount }", "state.balance += event.amount * 1 }")]);
    folder.esctl("send note/a Note text=x").done();
    let read = "esctl plan --with new -o json 2>/dev/null | jq -c '.aggregates[] | [.aggregate,.reach,.streams,.events,.differ]'";
    assert_snapshot!(folder.bash(read), @r#"
    exit: 0
    stdout:
    ["account","some",3,6,0]
    ["note","nothing",0,0,0]
    "#);
    change(&folder, &[FEE]);
    assert_snapshot!(folder.bash(read), @r#"
    exit: 0
    stdout:
    ["account","some",2,5,1]
    ["note","nothing",0,0,0]
    "#);
}

#[test]
fn events_that_no_longer_fit_are_listed() {
    let narrower =
        ("Withdrawn: { fields: { amount: integer }", "Withdrawn: { fields: { amount: { type: integer, maximum: 25 } }");
    let folder = bank(&[narrower]);
    assert_snapshot!(folder.esctl("plan --with new"), @r"
    exit: 1
    stdout:
    account: 1 stored event could not be read by both rules
      account/ada  version 2 (@3 Withdrawn): only the present rules can read it
        error: event 2 of `account/ada` (@3) does not fit `Withdrawn`: `amount`: expected at most `25`, found `30`
        hint: where the fields of an event change, its `version` does, and an `upcast` says how

    stderr:
    note: not replayed, being the same by both rules: `note`, `largest`
    the history would differ at @6: 0 of 2 replayed streams differ, 1 event cannot be read by both, 0 of 3 rows differ
    ");
    // One that cannot be folded, one that is not known any more, and one that is called otherwise.
    change(
        &folder,
        &[(
            "fold: state.balance += event.amount }",
            "fold: 'state.balance += if event.amount == 7 { event.amount / (event.amount - 7) } else { event.amount }' }",
        )],
    );
    assert_snapshot!(folder.bash("esctl plan --with new 2>/dev/null"), @r"
    exit: 1
    stdout:
    account: 1 stored event could not be read by both rules
      account/cy  version 1 (@6 Deposited): only the present rules can read it
        error: division by zero: 7 / 0
         --> new/bank.yaml:9:109
          |
        9 | …: integer }, fold: 'state.balance += if event.amount == 7 { event.amount / (event.amount - 7) } else { event.amount }' }
          |                                                                           ^
          = while folding event 1 of `account/cy` (@6)
    ");
    change(&folder, &[("Withdrawn", "Taken")]);
    assert_snapshot!(folder.bash("esctl plan --with new --commands 2>/dev/null"), @r#"
    exit: 1
    stdout:
    account: 2 stored events could not be read by both rules
      account/ada  version 2 (@3 Withdrawn): only the present rules can read it
        error: event 2 of `account/ada` (@3) is a `Withdrawn`, which `account` does not know
        hint: a stored event keeps its type forever: declare it again under `events`, name it under `was` of the event that it is now, or under `retired: [Withdrawn]`
      account/bob  version 2 (@5 Withdrawn): only the present rules can read it
        error: event 2 of `account/bob` (@5) is a `Withdrawn`, which `account` does not know
        hint: a stored event keeps its type forever: declare it again under `events`, name it under `was` of the event that it is now, or under `retired: [Withdrawn]`

    balances: 2 of 3 rows would be another
      ada
        ~ balance: 49 → 100
      bob
        ~ balance: 45 → 50

    commands: 2 of 6 decided again would give other events
      @3  account/ada  Withdraw  (019c13ec-9e00-7000-8000-000020000000)
        stored  account/ada  Withdrawn {"amount":30}
        then    account/ada  Taken {"amount":30}
      @5  account/bob  Withdraw  (019c13ec-9e00-7000-8000-000040000000)
        stored  account/bob  Withdrawn {"amount":5}
        then    account/bob  Taken {"amount":5}
    "#);
    change(
        &folder,
        &[
            ("Withdrawn: { fields", "Taken: { was: Withdrawn, fields"),
            ("emit(\"Withdrawn\"", "emit(\"Taken\""),
            ("account.Withdrawn", "account.Taken"),
        ],
    );
    assert_snapshot!(folder.esctl("plan --with new --commands"), @r"
    exit: 0
    stderr:
    note: not replayed, being the same by both rules: `note`, `largest`
    nothing would differ at @6: 0 of 2 replayed streams differ, 0 of 3 rows differ, 6 commands decided again, all to the same
    ");
    // Seen from there, what was not known is.
    change(&folder, &[("Withdrawn", "Taken")]);
    folder
        .bash("esctl plan --domain new --with domains -o ndjson 2>/dev/null | jq -c '[.kind,.stream,.fits]'")
        .prints("true");
}

#[test]
fn invariants_that_would_have_been_broken_are_listed() {
    let folder = bank(&[(
        "not_negative: state.balance >= 0",
        "not_negative: state.balance >= 0\n      rich: state.balance >= 50",
    )]);
    assert_snapshot!(folder.esctl("plan --with new"), @r"
    exit: 1
    stdout:
    the invariant `rich` would be broken on 3 streams
      account/ada  since version 3 (@4), and is now
      account/bob  since version 2 (@5), and is now
      account/cy  since version 1 (@6), and is now

    stderr:
    note: not replayed, being the same by both rules: `note`, `balances`, `largest`
    the history would differ at @6: 0 of 3 replayed streams differ, invariants are broken 3 times
    ");
    // Within a command it need not hold.
    change(
        &folder,
        &[("not_negative: state.balance >= 0", "not_negative: state.balance >= 0\n      less: state.balance < 70")],
    );
    assert_snapshot!(folder.bash("esctl plan --with new -o ndjson 2>/dev/null"), @r#"
    exit: 1
    stdout:
    {"kind":"invariant","stream":"account/ada","version":1,"position":1,"invariant":"less","now":false}
    "#);
}

#[test]
fn read_models_come_and_go_and_stop() {
    let folder = bank(&[
        ("  largest:", "  greatest:"),
        (
            "account.Deposited: row.balance += event.amount",
            "account.Deposited: if event.amount == 7 { delete() } else { row.balance += event.amount }",
        ),
    ]);
    assert_snapshot!(folder.bash("esctl plan --with new 2>/dev/null"), @r#"
    exit: 1
    stdout:
    greatest:
      it would be new, with 3 rows

    largest:
      the other rules have no such read model

    balances: 1 of 3 rows would be another
      cy  removed, was {"account":"cy","balance":7}
    "#);
    change(
        &folder,
        &[(
            "account.Deposited: row.balance += event.amount",
            "account.Deposited: row.balance += event.amount / (event.amount - 7)",
        )],
    );
    assert_snapshot!(folder.bash("esctl plan --with new 2>/dev/null"), @r#"
    exit: 1
    stdout:
    balances:
      it would stop:
        error: division by zero: 7 / 0
          --> new/bank.yaml:29:54
           |
        29 |       account.Deposited: row.balance += event.amount / (event.amount - 7)
           |                                                      ^
           = while projecting `Deposited` of `account/cy` (@6) into row "cy" of `balances`
    "#);
    change(
        &folder,
        &[(
            "columns: { account: string, balance: integer }\n    key: meta.id",
            "columns: { account: integer, balance: integer }\n    key: meta.id.len()",
        )],
    );
    assert_snapshot!(folder.bash("esctl plan --with new 2>/dev/null"), @r"
    exit: 1
    stdout:
    balances:
      its key would be of another type, so rows cannot be compared: 3 now, 2 then
    ");
}

#[test]
fn aggregates_come_and_go() {
    let folder = bank(&[("  account:\n", "  acount:\n"), ("account.", "acount.")]);
    assert_snapshot!(folder.bash("esctl plan --with new 2>/dev/null"), @r#"
    exit: 1
    stdout:
    account:
      the other rules have no `account`, and there are 3 streams

    balances: 3 of 3 rows would be another
      ada  removed, was {"account":"ada","balance":49}
      bob  removed, was {"account":"bob","balance":45}
      cy  removed, was {"account":"cy","balance":7}

    largest: 3 of 3 rows would be another
      ada  removed, was {"account":"ada","amount":100}
      bob  removed, was {"account":"bob","amount":50}
      cy  removed, was {"account":"cy","amount":7}
    "#);
}

#[test]
fn commands_come_to_something_else() {
    let folder = bank(&[
        (
            "Deposit: { fields: { amount: integer }, decide: 'emit(\"Deposited\", command)' }",
            "Deposit: { fields: { amount: { type: integer, minimum: 10 } }, decide: 'emit(\"Deposited\", #{ amount: command.amount + if command.amount == 50 { 1 } else { 0 } })' }",
        ),
        (
            "emit(\"Withdrawn\", command);",
            "if command.amount == 5 { command.amount / 0 } else { emit(\"Withdrawn\", command) }",
        ),
    ]);
    assert_snapshot!(folder.bash("esctl plan --with new --commands 2>/dev/null"), @r#"
    exit: 1
    stdout:
    commands: 2 of 6 decided again would fail
      @5  account/bob  Withdraw  (019c13ec-9e00-7000-8000-000040000000)
        error: division by zero: 5 / 0
          --> new/bank.yaml:17:51
           |
        17 |           if command.amount == 5 { command.amount / 0 } else { emit("Withdrawn", command) }
           |                                                   ^
           = while deciding `Withdraw` on `account/bob` at version 1
      @6  account/cy  Deposit  (019c13ec-9e00-7000-8000-000050000000)
        error: the payload of `Deposit` does not fit; /amount: expected at least `10`, found `7`

    commands: 1 of 6 decided again would give other events
      @2  account/bob  Deposit  (019c13ec-9e00-7000-8000-000010000000)
        stored  account/bob  Deposited {"amount":50}
        then    account/bob  Deposited {"amount":51}
    "#);
    // What the present rules would not do either is not what the change does.
    folder.bash("cp new/bank.yaml domains/bank.yaml").done();
    change(
        &folder,
        &[
            (
                "Deposit: { fields: { amount: integer }, decide: 'emit(\"Deposited\", command)' }",
                "Deposit: { fields: { amount: { type: integer, minimum: 10 } }, decide: 'let a = command.amount; emit(\"Deposited\", #{ amount: a + if a == 50 { 1 } else { 0 } + 0 })' }",
            ),
            (
                "emit(\"Withdrawn\", command);",
                "if command.amount == 5 { command.amount / 0 } else { emit(\"Withdrawn\", command) }",
            ),
        ],
    );
    assert_snapshot!(folder.esctl("plan --with new --commands"), @r"
    exit: 0
    stderr:
    note: not replayed, being the same by both rules: `account`, `note`, `balances`, `largest`
    note: 2 commands came to the same by both rules, though not to what is stored, or could not be decided by either
    nothing would differ at @6: 3 commands decided again, all to the same
    ");
}

#[test]
fn rules_that_are_not_sound_are_refused() {
    let folder = bank(&[("state.balance += event.amount }", "state.balance += event.amont }")]);
    assert_snapshot!(folder.esctl("plan --with new"), @r"
    exit: 2
    stderr:
    error: `event` has no field `amont`
     --> new/bank.yaml:9:78
      |
    9 |       Deposited: { fields: { amount: integer }, fold: state.balance += event.amont }
      |                                                                              ^^^^^
    hint: did you mean `amount`?
    ");
    assert_snapshot!(folder.esctl("plan --with nowhere"), @r"
    exit: 2
    stderr:
    error: there is no domain at `nowhere`
    hint: `esctl init` makes one; another place is named with `--domain`
    ");
    assert_snapshot!(folder.esctl("plan"), @r"
    exit: 2
    stderr:
    error: the following required arguments were not provided:
      --with <PATH|DIGEST>

    Usage: esctl plan --with <PATH|DIGEST>

    For more information, try '--help'.
    ");
    folder.esctl("plan --with domains --store none.db").exits(2).says("none.db");
}

#[test]
fn rules_of_the_past_are_rules_as_well() {
    let folder = bank(&[FEE]);
    folder.bash("cp new/bank.yaml domains/bank.yaml").done();
    let digest = folder.bash("esctl rules -o ndjson | jq -r .digest").done();
    let by_digest = folder.esctl(&format!("plan --with {} -o ndjson", &digest[..8])).exits(1).stdout;
    folder.write("old/bank.yaml", BANK);
    assert_eq!(by_digest, folder.esctl("plan --with old -o ndjson").exits(1).stdout);
}

/// What differs is what a recomputation by other means says, however many threads look for it.
#[test]
fn exactly_what_differs_is_listed() {
    let events = scaled(4_000, 100_000);
    let mut dice = Dice::new();
    let folder = Folder::empty();
    let text = BANK.replace("{ 1 }", "{ 40 }");
    folder.write("domains/bank.yaml", text.replace("let most = 25", "let most = 500"));
    folder.write("new/bank.yaml", text.replace("let most = 25", "let most = 480"));
    let accounts = events / 10;
    let mut lines = String::new();
    for n in 0..events {
        let account = dice.below(accounts);
        let amount = 1 + dice.below(600);
        let command = if n < accounts || dice.below(3) == 0 { "Deposit" } else { "Withdraw" };
        writeln!(lines, r#"{{"stream":"account/{account}","command":"{command}","data":{{"amount":{amount}}}}}"#)
            .unwrap();
    }
    folder.write("commands.ndjson", lines);
    folder.bash("esctl send --batch commands.ndjson > /dev/null 2>&1; test $? -le 1").done();

    let found = |what: &str, jobs: &str| -> Vec<String> {
        let script = format!("esctl plan --with new --commands --jobs {jobs} -o ndjson 2>/dev/null | jq -r '{what}'");
        folder.bash(&script).done().lines().map(str::to_owned).collect()
    };
    // By SQL: the streams with a withdrawal on which there is a fee only then.
    let streams: BTreeSet<String> = dump::ask(
        &folder,
        "SELECT DISTINCT stream FROM events WHERE type = 'Withdrawn' AND json_extract(data, '$.amount') BETWEEN 481 AND 500",
    )
    .into_iter()
    .collect();
    assert!(streams.len() > 10 && streams.len() < accounts, "{}", streams.len());
    let listed = found(r#"select(.kind == "state").stream"#, "2");
    assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), streams);
    assert_eq!(listed.len(), streams.len());
    let rows: BTreeSet<String> = found(r#"select(.kind == "row") | "account/" + .key"#, "1").into_iter().collect();
    assert_eq!(rows, streams);

    // And by hand: what each withdrawal finds there, with the fees of then.
    let fee = |amount: i64| if amount > 480 { 40 } else { 0 };
    let mut balances: BTreeMap<String, i64> = BTreeMap::new();
    let mut rejected = Vec::new();
    let mut broken = BTreeSet::new();
    let log = dump::ask(
        &folder,
        "SELECT position || ' ' || stream || ' ' || type || ' ' || json_extract(data, '$.amount') FROM events ORDER BY position",
    );
    for line in &log {
        let [position, stream, kind, amount]: [&str; 4] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let amount: i64 = amount.parse().unwrap();
        let balance = balances.entry(stream.to_owned()).or_default();
        if kind == "Deposited" {
            *balance += amount;
            // What is paid in does not make good what is missing by then: the invariant refuses it.
            if *balance < 0 {
                rejected.push(position.to_owned());
            }
        } else {
            if amount + fee(amount) > *balance {
                rejected.push(position.to_owned());
            }
            *balance -= amount + fee(amount);
        }
        if *balance < 0 {
            broken.insert(stream.to_owned());
        }
    }
    assert!(!rejected.is_empty());
    for jobs in ["1", "3"] {
        assert_eq!(found(r#"select(.kind == "command").position"#, jobs), rejected, "with {jobs} threads");
    }
    let listed: BTreeSet<String> = found(r#"select(.kind == "invariant").stream"#, "2").into_iter().collect();
    assert_eq!(listed, broken);
    assert_eq!(
        found(r#"select(.kind != "state" and .kind != "row" and .kind != "command" and .kind != "invariant")"#, "2"),
        [""; 0]
    );
    let (one, three) = (found(".", "1"), found(".", "3"));
    assert_eq!(one, three);
    // A renamed local variable.
    let text = fs::read_to_string(folder.file("new/bank.yaml")).unwrap();
    folder.write("new/bank.yaml", text.replace("let most = 480", "let limit = 500").replace("> most", "> limit"));
    folder.esctl("plan --with new --commands").exits(0).says("nothing would differ");
}
