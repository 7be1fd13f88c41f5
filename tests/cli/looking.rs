//! Every verb that looks, in a pipeline: its lines are JSON, and it writes nothing.

use crate::support::{Folder, dump};
use serde_json::Value;

/// The verbs that look, with each of the ways in which they do.
const LOOKING: &[&str] = &[
    "replay account/ada",
    "replay account/ada --at 2",
    "replay account/ada --steps",
    "replay account/ada --step",
    "replay account/ada --steps --from 2 --at @5",
    "replay account/ada --steps --only balance",
    "replay account/ada --steps --only nothing",
    "replay account/ada --scripts fee.yaml",
    "send account/ada Withdraw amount=3 --dry-run",
    "send account/ada Withdraw amount=3 --dry-run --at @3",
    "events",
    "events --until @3 --reverse",
    "events --stream account/ada --reverse --limit 2",
    "streams",
    "streams --at @3",
    "diff account/ada 1",
    "diff account/ada account/bob",
    "diff --projection balances @1",
    "diff --projection balances @1 @2",
    "diff --with other.db",
    "blame account/ada",
    "blame account/ada balance",
    "bisect account/ada 'state.balance > 1'",
    "bisect account/ada 'state.balance > 1' --last",
    "bisect --projection balances --key ada 'row.balance > 1'",
    "bisect --projection balances --key ada exists --last",
    "trace @1",
    "trace @1 --flat",
    "plan --with domains --commands",
    PLAN,
    "rules",
    "snapshot list",
    "project list",
    "project status",
    "project show balances --at @3",
    "project show balances --stale",
    "project parked",
    "project verify",
    "process list",
    "process status",
    "process show transfers",
    "process show transfers t1",
    "verify",
    "verify --log-only",
    "describe",
    "check",
    "check --store esctl.db",
    "test",
];

/// The answer is no: there are differences.
const PLAN: &str = "plan --with fee.yaml --commands";

fn bank() -> Folder {
    let folder = Folder::bank();
    folder.bash("sed 's/balance -= event.amount/balance -= event.amount * 1.01/' domains/bank.yaml > fee.yaml").done();
    folder.esctl("send account/ada Open owner=Ada currency=EUR --id o").done();
    folder.esctl("send account/ada Deposit amount=25 --causation @1 --id d").done();
    folder.esctl("send account/bob Open owner=Bob currency=EUR --causation d --id b").done();
    folder.esctl("backup other.db").done();
    folder.esctl("send transfer/t1 Request from=ada to=bob amount=1 --id t1").done();
    folder.esctl("send account/ada Transfer to=bob amount=5 --causation @2 --id t").done();
    folder.esctl("project rebuild").done();
    // Read models are behind, so that there is something that could be caught up.
    folder.esctl("send account/ada Deposit amount=1 --id more").done();
    folder
}

#[test]
fn every_verb_that_looks_gives_lines_and_writes_nothing() {
    let folder = bank();
    let files = || ["esctl.db", "other.db"].map(|store| dump::everything(&folder, store));
    let (before, listing) = (files(), folder.listing());
    for verb in LOOKING {
        let exit = i32::from(*verb == PLAN);
        let lines = folder.bash(&format!("set -o pipefail; esctl {verb} -o ndjson | jq -c .")).exits(exit).stdout;
        let whole = folder.esctl(&format!("{verb} -o ndjson")).exits(exit).stdout;
        assert_eq!(whole.lines().count(), lines.lines().count(), "`{verb}` has other lines than records:\n{whole}");
        for line in whole.lines() {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{verb}: {error}: {line}"));
            assert!(value.is_object(), "`{verb}` gives something else than an object: {line}");
        }
        // A reader that has seen enough is no failure.
        folder.bash(&format!("esctl {verb} -o ndjson | head -n 1 > /dev/null; exit ${{PIPESTATUS[0]}}")).exits(exit);
        let document = folder.esctl(&format!("{verb} -o json")).exits(exit).stdout;
        serde_json::from_str::<Value>(&document).unwrap_or_else(|error| panic!("{verb}: {error}: {document}"));
        folder.esctl(verb).exits(exit);
        assert_eq!(files(), before, "`{verb}` wrote something");
        assert_eq!(folder.listing(), listing, "`{verb}` left something behind");
    }
}

#[test]
fn what_looks_at_history_has_rows_where_it_lists_any() {
    let folder = bank();
    for verb in LOOKING.iter().filter(|verb| !verb.starts_with("check") && !verb.starts_with("describe")) {
        let outcome = folder.esctl(&format!("{verb} -o csv"));
        if outcome.exit == 2 {
            outcome.says(" no rows");
            continue;
        }
        let text = outcome.exits(i32::from(*verb == PLAN)).stdout;
        let columns = text.lines().next().unwrap_or_default().split(',').count();
        let mut rows = csv::Reader::from_reader(text.as_bytes());
        for row in rows.records() {
            assert_eq!(row.unwrap().len(), columns, "{verb}:\n{text}");
        }
    }
}
