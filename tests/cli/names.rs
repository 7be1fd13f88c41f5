//! Names that are nearly right: every verb says what was probably meant.

use crate::support::Folder;
use insta::assert_snapshot;
use std::fmt::Write as _;

/// What each of these says on stderr, under the command; on stdout there is nothing but the head of a table.
fn said(folder: &Folder, exit: i32, commands: &[&str]) -> String {
    let mut all = String::new();
    for command in commands {
        let outcome = folder.esctl(command).exits(exit);
        assert!(outcome.stdout.lines().count() <= 1, "{command}: {outcome}");
        let _ = writeln!(all, "$ esctl {command}\n{}", outcome.stderr.trim_end());
    }
    all
}

fn folder() -> Folder {
    let folder = Folder::opened();
    folder.esctl("project rebuild").done();
    folder
}

#[test]
fn verbs_flags_and_their_words() {
    assert_snapshot!(said(&Folder::empty(), 2, &["sned", "project shwo", "send a/b C --dryrun", "events -o jsn", "completions bsh"]), @r"
    $ esctl sned
    error: unrecognized subcommand 'sned'

      tip: a similar subcommand exists: 'send'

    Usage: esctl [OPTIONS] <VERB>

    For more information, try '--help'.
    $ esctl project shwo
    error: unrecognized subcommand 'shwo'

      tip: a similar subcommand exists: 'show'

    Usage: esctl project [OPTIONS] <VERB>

    For more information, try '--help'.
    $ esctl send a/b C --dryrun
    error: unexpected argument '--dryrun' found

      tip: a similar argument exists: '--dry-run'

    Usage: esctl send --dry-run <STREAM> <COMMAND> [FIELD=VALUE]...

    For more information, try '--help'.
    $ esctl events -o jsn
    error: invalid value 'jsn' for '--output <FORM>'
      [possible values: table, json, ndjson, csv]

      tip: a similar value exists: 'json'

    For more information, try '--help'.
    $ esctl completions bsh
    error: invalid value 'bsh' for '<SHELL>'
      [possible values: bash, zsh, fish]

      tip: a similar value exists: 'bash'

    For more information, try '--help'.
    ");
    let json = said(&Folder::empty(), 2, &["sned -o json", "send a/b C --dryrun -o ndjson", "check -o jsn"]);
    assert_snapshot!(json, @r#"
    $ esctl sned -o json
    {"error":{"kind":"usage","message":"unrecognized subcommand 'sned'","hints":["a similar subcommand exists: 'send'","`esctl --help` lists the verbs, `esctl VERB --help` says what they take"],"exit":2}}
    $ esctl send a/b C --dryrun -o ndjson
    {"error":{"kind":"usage","message":"unexpected argument '--dryrun' found","hints":["a similar argument exists: '--dry-run'","`esctl --help` lists the verbs, `esctl VERB --help` says what they take"],"exit":2}}
    $ esctl check -o jsn
    error: invalid value 'jsn' for '--output <FORM>'
      [possible values: table, json, ndjson, csv]

      tip: a similar value exists: 'json'

    For more information, try '--help'.
    "#);
}

#[test]
fn streams_of_every_verb_that_takes_one() {
    let commands = [
        "replay account/adda",
        "replay account/adda --steps",
        "blame account/adda",
        "diff account/adda 1",
        "diff account/ada account/adda",
        "bisect account/adda 'state.balance > 1'",
        "snapshot list account/adda",
        "snapshot rebuild account/adda",
        "test --record account/adda",
        "send acount/ada Deposit amount=1",
        "send acount/ada Deposit amount=1 --dry-run",
        "replay acount/ada",
    ];
    assert_snapshot!(said(&folder(), 2, &commands), @r"
    $ esctl replay account/adda
    error: there is no stream `account/adda`
    hint: did you mean `account/ada`?
    $ esctl replay account/adda --steps
    error: there is no stream `account/adda`
    hint: did you mean `account/ada`?
    $ esctl blame account/adda
    error: there is no stream `account/adda`
    hint: did you mean `account/ada`?
    $ esctl diff account/adda 1
    error: there is no stream `account/adda`
    hint: did you mean `account/ada`?
    $ esctl diff account/ada account/adda
    error: there is no stream `account/adda`
    hint: did you mean `account/ada`?
    $ esctl bisect account/adda 'state.balance > 1'
    error: there is no stream `account/adda`
    hint: did you mean `account/ada`?
    $ esctl snapshot list account/adda
    error: there is no stream `account/adda`
    hint: did you mean `account/ada`?
    $ esctl snapshot rebuild account/adda
    error: there is no stream `account/adda`
    hint: did you mean `account/ada`?
    $ esctl test --record account/adda
    error: there is no stream `account/adda`
    hint: did you mean `account/ada`?
    $ esctl send acount/ada Deposit amount=1
    error: there is no aggregate `acount`
    hint: did you mean `account/ada`?
    $ esctl send acount/ada Deposit amount=1 --dry-run
    error: there is no aggregate `acount`
    hint: did you mean `account/ada`?
    $ esctl replay acount/ada
    error: there is no aggregate `acount`
    hint: did you mean `account/ada`?
    ");
}

#[test]
fn commands_and_fields() {
    let commands = [
        "send account/ada Deposi amount=1",
        "send account/ada deposit amount=1",
        "send account/ada Deposit amont=1",
        "send account/ada Request from=ada",
        "describe Depositt",
        "describe acount",
        "schema command Opne",
        "schema event Opned",
        "blame account/ada balanec",
        "bisect account/ada 'state.balanec > 1'",
    ];
    assert_snapshot!(said(&folder(), 2, &commands), @r"
    $ esctl send account/ada Deposi amount=1
    error: `account` has no command `Deposi`
    hint: did you mean `Deposit`?
    $ esctl send account/ada deposit amount=1
    error: `account` has no command `deposit`
    hint: did you mean `Deposit`?
    $ esctl send account/ada Deposit amont=1
    error: the payload of `Deposit` does not fit
             /amont: there is no field `amont`
             /amount: `amount` is missing, expected a decimal
    hint: `amont`: did you mean `amount`? the fields are `amount`, `ref`, `transfer`
    $ esctl send account/ada Request from=ada
    error: `account` has no command `Request`
    hint: it has `Open`, `Deposit`, `Withdraw`, `Transfer`, `Refund`, `SetOverdraft`, `Close`
    $ esctl describe Depositt
    error: `Depositt` is not an aggregate, a command, an event, a projection or a process of the domain
    hint: did you mean `Deposit`?
    $ esctl describe acount
    error: `acount` is not an aggregate, a command, an event, a projection or a process of the domain
    hint: did you mean `account`?
    $ esctl schema command Opne
    error: `Opne` is not a command of the domain
    hint: did you mean `Open`?
    $ esctl schema event Opned
    error: `Opned` is not an event of the domain
    hint: did you mean `Opened`?
    $ esctl blame account/ada balanec
    error: the state of `account/ada` has no `balanec` at version 3
    hint: did you mean `balance`?
    $ esctl bisect account/ada 'state.balanec > 1'
    error: `state` has no field `balanec`
     --> the condition:1:7
      |
    1 | state.balanec > 1
      |       ^^^^^^^
    hint: did you mean `balance`?
    ");
}

#[test]
fn projections_columns_and_processes() {
    let commands = [
        "project show balancs",
        "project rebuild balancs",
        "project verify balancs",
        "project parked balancs",
        "project retry balancs",
        "diff --projection balancs @1",
        "bisect --projection balancs --key ada 'row.balance > 1'",
        "bisect --projection balances --key ada 'row.balanec > 1'",
        "project show balances --columns balanec",
        "project show balances --order -balanec",
        "project show balances --where 'balanec > 1'",
        "sql 'SELECT * FROM balancs'",
        "sql 'SELECT balanec FROM balances'",
        "process show transfrs",
        "process status transfrs",
        "process retry transfrs",
        "process skip transfrs",
    ];
    assert_snapshot!(said(&folder(), 2, &commands), @r"
    $ esctl project show balancs
    error: there is no projection `balancs`
    hint: did you mean `balances`?
    $ esctl project rebuild balancs
    error: there is no projection `balancs`
    hint: did you mean `balances`?
    $ esctl project verify balancs
    error: there is no projection `balancs`
    hint: did you mean `balances`?
    $ esctl project parked balancs
    error: there is no projection `balancs`
    hint: did you mean `balances`?
    $ esctl project retry balancs
    error: there is no projection `balancs`
    hint: did you mean `balances`?
    $ esctl diff --projection balancs @1
    error: there is no projection `balancs`
    hint: did you mean `balances`?
    $ esctl bisect --projection balancs --key ada 'row.balance > 1'
    error: there is no projection `balancs`
    hint: did you mean `balances`?
    $ esctl bisect --projection balances --key ada 'row.balanec > 1'
    error: `row` has no field `balanec`
     --> the condition:1:5
      |
    1 | row.balanec > 1
      |     ^^^^^^^
    hint: did you mean `balance`?
    $ esctl project show balances --columns balanec
    error: there is no column `balanec`
     --> --columns:1:1
      |
    1 | balanec
      | ^^^^^^^
    hint: did you mean `balance`?
    $ esctl project show balances --order -balanec
    error: there is no column `balanec`
     --> --order:1:2
      |
    1 | -balanec
      |  ^^^^^^^
    hint: did you mean `balance`?
    $ esctl project show balances --where 'balanec > 1'
    error: there is no column `balanec`
     --> --where:1:1
      |
    1 | balanec > 1
      | ^^^^^^^
    hint: did you mean `balance`?
    $ esctl sql 'SELECT * FROM balancs'
    error: there is no table or view `balancs`
     --> SQL:1:15
      |
    1 | SELECT * FROM balancs
      |               ^^^^^^^
    hint: did you mean `balances`?
    $ esctl sql 'SELECT balanec FROM balances'
    error: there is no column `balanec`
     --> SQL:1:8
      |
    1 | SELECT balanec FROM balances
      |        ^^^^^^^
    hint: did you mean `balance`?
    $ esctl process show transfrs
    error: there is no process `transfrs`
    hint: did you mean `transfers`?
    $ esctl process status transfrs
    error: there is no process `transfrs`
    hint: did you mean `transfers`?
    $ esctl process retry transfrs
    error: there is no process `transfrs`
    hint: did you mean `transfers`?
    $ esctl process skip transfrs
    error: there is no process `transfrs`
    hint: did you mean `transfers`?
    ");
}

/// A filter that lets nothing through is no error: the first event may be about to come.
#[test]
fn what_a_filter_names_and_nobody_knows_is_noted() {
    let commands = [
        "events --stream account/adda",
        "events --stream acount/ada",
        "events --aggregate acount",
        "events --type Deposted",
        "events --type Deposited --aggregate transfer",
        "events --type Withdrawn",
        "streams account/adda",
        "streams acount",
        "streams account",
        "streams 'x*'",
        "replay account/ada --steps --only balanec",
    ];
    assert_snapshot!(said(&folder(), 0, &commands), @r"
    $ esctl events --stream account/adda
    note: there is no stream `account/adda`; did you mean `account/ada`?
    $ esctl events --stream acount/ada
    note: there is no aggregate `acount`; did you mean `account/ada`?
    $ esctl events --aggregate acount
    note: there is no aggregate `acount`; did you mean `account`?
    $ esctl events --type Deposted
    note: there is no event `Deposted`; did you mean `Deposited`?
    $ esctl events --type Deposited --aggregate transfer
    note: `transfer` has no event `Deposited`; it has `Requested`, `Completed` and `Failed`
    $ esctl events --type Withdrawn

    $ esctl streams account/adda
    note: there is no stream `account/adda`; did you mean `account/ada`?
    $ esctl streams acount
    note: no stream has the name `acount`; did you mean `account/*`?
    $ esctl streams account
    note: no stream has the name `account`; did you mean `account/*`?
    $ esctl streams 'x*'

    $ esctl replay account/ada --steps --only balanec
    note: no event of `account/ada` changed `balanec`; did you mean `balance`?
    ");
}
