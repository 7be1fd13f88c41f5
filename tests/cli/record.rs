//! `esctl test --record`: history as a scenario.

use crate::support::Folder;
use insta::assert_snapshot;

fn bank() -> Folder {
    let folder = Folder::bank();
    folder.esctl("send account/ada Open owner=Ada currency=EUR --time 2026-01-01").done();
    folder.esctl("send account/ada Deposit amount=25.10 --time 2026-01-02").done();
    folder.bash("esctl send account/bob Open owner='B: #1 \"ob\"' currency=EUR --time 2026-01-02").done();
    folder.esctl("send account/ada Transfer to=bob amount=5 --time 2026-01-03T10:30:00Z").done();
    folder.esctl("send account/bob Deposit amount=1 --time 2026-01-04").done();
    folder.esctl("send account/bob Withdraw amount=2 --time 2026-01-04").done();
    folder
}

/// Runs what was recorded beside the domain.
fn holds(folder: &Folder, recorded: &str) {
    folder.write("recorded.scenarios.yaml", recorded);
    folder.esctl("test --domain domains/bank.yaml --domain recorded.scenarios.yaml recorded.scenarios").done();
}

#[test]
fn the_commands_of_a_stream_come_again() {
    let folder = bank();
    let ada = folder.esctl("test --record account/ada").done();
    assert_snapshot!(ada, @r#"
    scenarios:
      # esctl test --record account/ada
      - name: "account/ada up to @5"
        given:
          - account/ada Opened: { owner: Ada, currency: EUR }
            at: 2026-01-01
          - account/ada Deposited: { amount: 25.10 }
            at: 2026-01-02
          - account/bob Opened: { owner: "B: #1 \"ob\"", currency: EUR }
        when:
          - account/ada Transfer: { to: bob, amount: 5 }
            at: 2026-01-03T10:30:00Z
        then:
          events:
            - Withdrawn: { amount: 5, ref: "to bob" }
            - account/bob Deposited: { amount: 5, ref: "from ada" }
          state: { status: open, owner: Ada, currency: EUR, balance: 20.10, overdraft: 0 }
    "#);
    holds(&folder, &ada);
    // What another stream's command gave is given, and what comes after it comes again.
    let bob = folder.esctl("test --record account/bob").done();
    assert_snapshot!(bob, @r#"
    scenarios:
      # esctl test --record account/bob
      - name: "account/bob up to @7"
        given:
          - account/bob Opened: { owner: "B: #1 \"ob\"", currency: EUR }
            at: 2026-01-02
          - account/bob Deposited: { amount: 5, ref: "from ada" }
            at: 2026-01-03T10:30:00Z
        when:
          - account/bob Deposit: { amount: 1 }
            at: 2026-01-04
          - account/bob Withdraw: { amount: 2 }
        then:
          events:
            - Deposited: { amount: 1 }
            - Withdrawn: { amount: 2 }
          state: { status: open, owner: "B: #1 \"ob\"", currency: EUR, balance: 4, overdraft: 0 }
    "#);
    holds(&folder, &bob);
}

#[test]
fn the_commands_between_two_positions_come_again() {
    let folder = bank();
    let between = folder.esctl("test --record @4..6").done();
    assert_snapshot!(between, @r#"
    scenarios:
      # esctl test --record @4..6
      - name: "@4..6"
        given:
          - account/ada Opened: { owner: Ada, currency: EUR }
            at: 2026-01-01
          - account/ada Deposited: { amount: 25.10 }
            at: 2026-01-02
          - account/bob Opened: { owner: "B: #1 \"ob\"", currency: EUR }
        when:
          - account/ada Transfer: { to: bob, amount: 5 }
            at: 2026-01-03T10:30:00Z
          - account/bob Deposit: { amount: 1 }
            at: 2026-01-04
        then:
          events:
            - account/ada Withdrawn: { amount: 5, ref: "to bob" }
            - Deposited: { amount: 5, ref: "from ada" }
            - Deposited: { amount: 1 }
          state: { status: open, owner: "B: #1 \"ob\"", currency: EUR, balance: 6, overdraft: 0 }
    "#);
    holds(&folder, &between);
    let all = folder.esctl("test --record @1..@7").done();
    holds(&folder, &all);
    // A command that lies there in part is there as a whole.
    assert_eq!(folder.esctl("test --record @5..6").done().replace("@5..6", "@4..6"), between);
}

#[test]
fn what_holds_no_more_is_said() {
    let folder = bank();
    let rule = r#"s/emit("Withdrawn", command)/emit("Withdrawn", #{ amount: command.amount + 1 })/"#;
    folder.bash(&format!("sed -i '{rule}' domains/bank.yaml")).done();
    let outcome = folder.esctl("test --record account/bob");
    assert_snapshot!(outcome.stderr, @r#"
      the events (recorded.scenarios.yaml:14:7)
        expected                     actual
        - Deposited: {"amount":1}    - Deposited: {"amount":1}
        - Withdrawn: {"amount":2}    - Withdrawn: {"amount":3}
      the state of `account/bob` (recorded.scenarios.yaml:17:14)
        expected                                                                               actual
        {"status":"open","owner":"B: #1 \"ob\"","currency":"EUR","balance":4,"overdraft":0}    {"status":"open","owner":"B: #1 \"ob\"","currency":"EUR","balance":3,"overdraft":0}
    note: the scenario was printed, but by these rules it does not hold
    "#);
    assert!(outcome.stdout.starts_with("scenarios:\n"), "{}", outcome.stdout);
    outcome.exits(1);
    folder
        .bash("sed -i 's/Withdraw\\b/TakeOut/' domains/bank.yaml; sed -i '/^scenarios:/,$d' domains/bank.yaml")
        .done();
    let outcome = folder.esctl("test --record account/bob");
    assert_snapshot!(outcome.stderr, @r"
    error: `account` has no command `Withdraw`
      --> recorded.scenarios.yaml:12:21
       |
    12 |       - account/bob Withdraw: { amount: 2 }
       |                     ^^^^^^^^
    hint: there is `Open`, `Deposit`, `TakeOut`, `Transfer`, `Refund`, `SetOverdraft` and `Close`
    note: the scenario was printed, but by these rules it cannot be run
    ");
    outcome.exits(1);
}

#[test]
fn what_cannot_be_recorded_is_said() {
    let folder = bank();
    for (what, says) in [
        ("account/eve", "there is no stream `account/eve`"),
        ("account", "account"),
        ("@9..12", "the store ends at position @7"),
        ("@3", "write two positions"),
        ("@5..2", "write two positions"),
        ("@0..2", "write two positions"),
        ("@a..b", "write two positions"),
    ] {
        let outcome = folder.esctl(&format!("test --record {what}")).exits(2).says(says);
        assert_eq!(outcome.stdout, "", "{what}");
    }
    folder.esctl("test --record account/ada --coverage").exits(2);
    folder.esctl("test --record account/ada --store none.db").exits(2);
}

#[test]
fn what_processes_sent_they_send_again() {
    let folder = Folder::bank();
    for (account, amount) in [("1", 1000), ("2", 500)] {
        folder.esctl(&format!("send account/{account} Open owner=O currency=EUR")).done();
        folder.esctl(&format!("send account/{account} Deposit amount={amount}")).done();
    }
    folder.esctl("send transfer/t1 Request from=1 to=2 amount=100").done();
    folder.esctl("send account/2 Withdraw amount=600").done();
    folder.esctl("send account/2 Close").done();
    folder.esctl("send transfer/t2 Request from=1 to=2 amount=7").done();
    // The commands of the process come of the request: they are not sent a second time.
    let recorded = folder.esctl("test --record transfer/t2").done();
    assert_snapshot!(recorded, @r#"
    scenarios:
      # esctl test --record transfer/t2
      - name: "transfer/t2 up to @14"
        given:
          - account/1 Opened: { owner: O, currency: EUR }
            at: 2026-01-31T12:00:00Z
          - account/1 Deposited: { amount: 1000 }
          - account/1 Withdrawn: { amount: 100, transfer: t1 }
        when:
          - transfer/t2 Request: { from: "1", to: "2", amount: 7 }
        then:
          events:
            - Requested: { from: "1", to: "2", amount: 7 }
          state: { status: failed, amount: 7, reason: not_open }
    "#);
    holds(&folder, &recorded);
    // What answers a rejection belongs to it as well, and what others sent is sent again.
    for what in ["transfer/t1", "account/1", "account/2", "@1..99", "@5..8", "@6..11"] {
        let what = what.replace("99", folder.bash("esctl events -o ndjson | wc -l").done().trim());
        holds(&folder, &folder.esctl(&format!("test --record {what}")).done());
    }
}
