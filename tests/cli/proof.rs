//! `esctl verify`: read models computed again, and going on from an earlier verification.

use crate::support::Folder;
use insta::assert_snapshot;
use rusqlite::Connection;

/// Three accounts, deposits to them, and both projections filled.
fn filled() -> Folder {
    let folder = Folder::opened();
    folder.esctl("send account/bob Open owner=Bob currency=EUR").done();
    folder.esctl("send account/bob Deposit amount=12345678901234567.89").done();
    folder.esctl("send account/cy Open owner=Cy currency=EUR").done();
    folder.esctl("project rebuild").done();
    folder
}

fn change(folder: &Folder, sql: &str) {
    Connection::open(folder.file("esctl.db")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn rows_are_computed_again_and_compared() {
    let folder = filled();
    assert_snapshot!(folder.esctl("verify").exits(0));
    // Up to where they have got; what came later is not theirs yet.
    folder.esctl("send account/ada Deposit amount=1").done();
    folder.esctl("verify").exits(0).prints("3 rows from 6 events, up to @6");
    folder.esctl("project show balances").done();
    folder.esctl("verify").exits(0).prints("3 rows from 7 events, up to @7");
}

/// Whatever is changed by hand is found and named, and nothing else.
#[test]
fn a_row_that_was_changed_is_named() {
    for (sql, said) in [
        (
            "UPDATE balances__1 SET balance = 0.31 WHERE account = 'ada'",
            "`balance` of the row \"ada\" is 0.31, the events give 0.3",
        ),
        (
            "UPDATE balances__1 SET deposits = 9 WHERE account = 'bob'",
            "`deposits` of the row \"bob\" is 9, the events give 1",
        ),
        // Exact to the last digit.
        (
            "UPDATE balances__1 SET balance = '12345678901234567.88' WHERE account = 'bob'",
            "`balance` of the row \"bob\" is 12345678901234567.88, the events give 12345678901234567.89",
        ),
        (
            "UPDATE balances__1 SET owner = 'Eve' WHERE account = 'ada'",
            "`owner` of the row \"ada\" is \"Eve\", the events give \"Ada\"",
        ),
        ("DELETE FROM balances__1 WHERE account = 'cy'", "the row \"cy\" is missing"),
        ("INSERT INTO balances__1 VALUES ('zed', 'Z', 1, 1)", "the events give no row \"zed\""),
    ] {
        let folder = filled();
        change(&folder, sql);
        let outcome = folder.esctl("verify").exits(6);
        assert!(outcome.stdout.contains(&format!("differs      balances  {said}\n")), "{sql}: {outcome}");
        assert_eq!(outcome.stdout.matches("differs").count(), 1, "{outcome}");
        let first = format!("`balances` is not what its events give: 1 difference, the first: {said}\n");
        assert!(outcome.stderr.contains(&first), "{outcome}");
        folder.esctl("verify --log-only").exits(0).prints("not checked  balances  read models were left out\n");
        folder.esctl("project rebuild balances").done();
        folder.esctl("verify").exits(0);
    }
    let folder = filled();
    change(&folder, "UPDATE balances__1 SET balance = 7, owner = '' WHERE account = 'ada'; DELETE FROM ledger__2");
    let json = folder.esctl("verify -o json").exits(6).stdout;
    let verdict: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(verdict["sound"], false);
    let [balances, ledger] = &verdict["projections"].as_array().unwrap()[..] else { panic!("{json}") };
    assert_eq!(balances["differences"].as_array().unwrap().len(), 2);
    assert_eq!(
        balances["differences"][0].to_string(),
        r#"{"column":"owner","computed":"Ada","key":"ada","kind":"value","stored":""}"#
    );
    assert_eq!((&ledger["rows"], ledger["differences"].as_array().unwrap().len()), (&0.into(), 3));
    assert_eq!(ledger["differences"][0]["kind"], "missing");
}

/// A number that was written as text is the same number.
#[test]
fn what_is_the_same_value_is_no_difference() {
    let folder = filled();
    change(&folder, "UPDATE balances__1 SET balance = '0.30' WHERE account = 'ada'");
    let outcome = folder.esctl("verify");
    assert!(matches!(outcome.exit, 0 | 6), "{outcome}");
    assert!(!outcome.stdout.contains("differs"), "{outcome}");
}

#[test]
fn what_cannot_be_computed_is_said() {
    let folder = filled();
    folder.bash("mv domains elsewhere").done();
    folder.esctl("verify").exits(0).prints("not checked  balances  there is no domain at `domains`\n");
    folder.write("domains/bank.yaml", "domain: bank\naggregates: 7\n");
    folder.esctl("verify").exits(0).prints("not checked  balances  the domain is not sound, `esctl check` says why\n");
    folder.bash("sed 's/row.balance += event.amount/row.balance += event.amount + 0/' elsewhere/bank.yaml > domains/bank.yaml").done();
    folder
        .esctl("verify")
        .exits(0)
        .prints("not checked  balances  it was filled by other rules than those of today\n")
        .prints("checked      ledger    3 rows from 3 events, up to @6\n");
    folder.bash("sed 's/^  ledger:/  journal:/; /^scenarios:/,$d' elsewhere/bank.yaml > domains/bank.yaml").done();
    folder.esctl("verify").exits(0).prints("not checked  ledger    the domain has no such projection\n");
    // Of events that were changed nothing can be computed.
    folder.bash("cp elsewhere/bank.yaml domains/").done();
    change(&folder, "DROP TRIGGER es_events_update; UPDATE es_events SET data = '{\"amount\":7}' WHERE position = 2");
    folder.esctl("verify").exits(6).prints("damaged      @2").prints("not checked  balances  the store is damaged\n");
}

#[test]
fn verifying_goes_on_from_an_earlier_verdict() {
    let folder = filled();
    let verdict = folder.esctl("verify -o json").done();
    folder.write("last.json", &verdict);
    let receipt = folder.esctl("send account/bob Deposit amount=1 --id later -o json").done();
    folder.esctl("send account/ada Deposit amount=1").done();
    assert_snapshot!(folder.esctl("verify --since-head last.json").exits(0));
    folder.esctl(&format!("verify --since-head '{}'", receipt.trim())).exits(0).prints("events    1\n");
    folder.esctl_with("verify --since-head - --expect last.json", &receipt).exits(0).prints("receipts  1\n");
    folder.esctl_with("verify --since-head - --expect -", &receipt).exits(2).says("stdin can be read for");
    folder.esctl_with("verify --since-head -", "").exits(2).says("stdin holds no receipt");
    let all = folder.esctl("verify -o json").done();
    folder.esctl_with("verify --since-head -", &all).exits(0).prints("events    0\n");

    // What was changed since is found; what was changed before is not looked at, and that is said.
    let tampered = |position: u64| {
        folder.bash("cp esctl.db tampered.db").done();
        let file = Connection::open(folder.file("tampered.db")).unwrap();
        let update = format!("UPDATE es_events SET data = '{{\"amount\":7}}' WHERE position = {position}");
        file.execute_batch(&format!("DROP TRIGGER es_events_update; {update}")).unwrap();
        drop(file);
        folder.esctl("verify --store tampered.db --since-head last.json")
    };
    tampered(8).exits(6).prints("damaged      @8");
    tampered(7).exits(6).prints("damaged      @7");
    tampered(2).prints("not checked  events    those up to @6 were verified before\n");
}

#[test]
fn an_earlier_verdict_must_hold_itself() {
    let folder = filled();
    let older = Folder::opened();
    let verdict = folder.esctl("verify -o json").done();
    older
        .esctl_with("verify --since-head -", &verdict)
        .exits(6)
        .says("1 of 1 receipt does not hold in `esctl.db`; the first is that at @6: the store ends at @3")
        .prints("broken       @6")
        // Then all of it is verified.
        .prints("events    3\n");
}

/// Versions since then follow those before.
#[test]
fn a_gap_in_the_versions_since_then_is_found() {
    let folder = filled();
    let verdict = folder.esctl("verify -o json").done();
    folder.esctl("send account/ada Deposit amount=1").done();
    change(&folder, "DROP TRIGGER es_events_update; UPDATE es_events SET version = 6 WHERE position = 7");
    folder
        .esctl_with("verify --since-head -", &verdict)
        .exits(6)
        .prints("version 6 of `account/ada`, the event at @7, comes right after its version 3");
}
