//! `esctl process`: what answers events with commands, and how it looks to whoever runs it.

use crate::support::{Folder, Outcome};
use insta::assert_snapshot;

/// Two accounts, 1,000 and 500.
fn accounts() -> Folder {
    filled(Folder::bank())
}

fn filled(folder: Folder) -> Folder {
    for (account, amount) in [("1", 1000), ("2", 500)] {
        folder.esctl(&format!("send account/{account} Open owner=O currency=EUR")).done();
        folder.esctl(&format!("send account/{account} Deposit amount={amount}")).done();
    }
    folder
}

fn request(folder: &Folder, transfer: &str, more: &str) -> Outcome {
    folder.esctl(&format!("send transfer/{transfer} Request from=1 to=2 amount=100 {more}"))
}

fn balances(folder: &Folder) -> String {
    folder.bash("for a in 1 2; do esctl replay account/$a -o json | jq .state.balance; done").done().replace('\n', " ")
}

#[test]
fn a_transfer_goes_from_event_to_command_until_it_has_ended() {
    let folder = accounts();
    assert_snapshot!(request(&folder, "t1", ""), @r#"
    exit: 0
    stdout:
    transfer/t1  Request accepted  version 1  @5
      1  @5  Requested {"from":"1","to":"2","amount":100}
    stderr:
    note: transfers t1: account/1 Withdraw accepted, version 3
    note: transfers t1: account/2 Deposit accepted, version 3
    note: transfers t1: transfer/t1 Complete accepted, version 2
    "#);
    assert_eq!(balances(&folder), "900 600 ");
    assert_snapshot!(folder.esctl("process status"), @r"
    exit: 0
    stdout:
    name       rules    checkpoint  behind  running  ended  stopped  to_send  waiting  deadlines  next_deadline  ignored  problem
    transfers  current           8       0        0      1        0        0        0          0                       0
    ");
    assert_snapshot!(folder.esctl("process show transfers"), @r#"
    exit: 0
    stdout:
    key  status  began  time                         steps  ignored  state                                            problem
    t1   ended       5  2026-01-31T12:00:00.000000Z      7        0  {"from":"1","to":"2","amount":100,"refused":""}
    "#);
    assert_snapshot!(folder.esctl("process show transfers t1"), @r#"
    exit: 0
    stdout:
    transfers  t1  ended
      state {"from":"1","to":"2","amount":100,"refused":""}
    history
      1  2026-01-31T12:00:00.000000Z  event  transfer.Requested  @5
      2  2026-01-31T12:00:00.000000Z  sent  account/1 Withdraw  @6
      3  2026-01-31T12:00:00.000000Z  event  account.Withdrawn  @6
      4  2026-01-31T12:00:00.000000Z  sent  account/2 Deposit  @7
      5  2026-01-31T12:00:00.000000Z  event  account.Deposited  @7
      6  2026-01-31T12:00:00.000000Z  ended
      7  2026-01-31T12:00:00.000000Z  sent  transfer/t1 Complete  @8
    "#);
    assert_snapshot!(folder.bash("esctl process show transfers t1 -o json | jq -c '{key,status,state},.history[0:3][]'"), @r#"
    exit: 0
    stdout:
    {"key":"t1","status":"ended","state":{"from":"1","to":"2","amount":100,"refused":""}}
    {"number":1,"kind":"event","time":"2026-01-31T12:00:00.000000Z","position":5,"name":"transfer.Requested","causation":"019c13ec-9e00-7000-8000-000040000000"}
    {"number":2,"kind":"sent","time":"2026-01-31T12:00:00.000000Z","position":6,"name":"account/1 Withdraw","id":"transfers/t1@5.0","causation":"@5"}
    {"number":3,"kind":"event","time":"2026-01-31T12:00:00.000000Z","position":6,"name":"account.Withdrawn","causation":"transfers/t1@5.0"}
    "#);
    assert_snapshot!(folder.esctl("process show transfers t1 -o csv"), @r"
    exit: 0
    stdout:
    number,kind,time,position,name,id,causation,data
    1,event,2026-01-31T12:00:00.000000Z,5,transfer.Requested,,019c13ec-9e00-7000-8000-000040000000,
    2,sent,2026-01-31T12:00:00.000000Z,6,account/1 Withdraw,transfers/t1@5.0,@5,
    3,event,2026-01-31T12:00:00.000000Z,6,account.Withdrawn,,transfers/t1@5.0,
    4,sent,2026-01-31T12:00:00.000000Z,7,account/2 Deposit,transfers/t1@6.0,@6,
    5,event,2026-01-31T12:00:00.000000Z,7,account.Deposited,,transfers/t1@6.0,
    6,ended,2026-01-31T12:00:00.000000Z,,,,,
    7,sent,2026-01-31T12:00:00.000000Z,8,transfer/t1 Complete,transfers/t1@7.0,@7,
    ");
    assert_snapshot!(folder.esctl("process run"), @r"
    exit: 0
    stdout:
    process  key  stream  command  outcome  version  position  id
    stderr:
    0 events handled, 0 commands sent
    ");
}

#[test]
fn what_is_left_is_done_by_process_run() {
    let folder = accounts();
    assert_snapshot!(request(&folder, "t1", "--no-react"), @r#"
    exit: 0
    stdout:
    transfer/t1  Request accepted  version 1  @5
      1  @5  Requested {"from":"1","to":"2","amount":100}
    "#);
    assert_eq!(balances(&folder), "1000 500 ");
    assert_snapshot!(folder.esctl("process status -o json"), @r#"
    exit: 0
    stdout:
    [
    {"name":"transfers","rules":"current","digest":"11e0bc0c93d9","since":0,"checkpoint":0,"behind":1,"running":0,"ended":0,"stopped":0,"to_send":0,"waiting":0,"deadlines":0,"next_deadline":null,"ignored":0,"instances":[]}
    ]
    "#);
    assert_snapshot!(folder.esctl("process run"), @r"
    exit: 0
    stdout:
    process    key  stream       command   outcome   version  position  id
    transfers  t1   account/1    Withdraw  accepted        3         6  transfers/t1@5.0
    transfers  t1   account/2    Deposit   accepted        3         7  transfers/t1@6.0
    transfers  t1   transfer/t1  Complete  accepted        2         8  transfers/t1@7.0
    stderr:
    3 events handled, 3 commands sent
    ");
    assert_eq!(balances(&folder), "900 600 ");
    assert_snapshot!(request(&folder, "t2", "--no-react"), @r#"
    exit: 0
    stdout:
    transfer/t2  Request accepted  version 1  @9
      1  @9  Requested {"from":"1","to":"2","amount":100}
    "#);
    assert_snapshot!(folder.esctl("process run -o ndjson"), @r#"
    exit: 0
    stdout:
    {"process":"transfers","key":"t2","stream":"account/1","command":"Withdraw","id":"transfers/t2@9.0","outcome":"accepted","version":4,"position":10,"events":[{"version":4,"position":10,"type":"Withdrawn","data":{"amount":100,"transfer":"t2"}}],"head":"<hash>"}
    {"process":"transfers","key":"t2","stream":"account/2","command":"Deposit","id":"transfers/t2@10.0","outcome":"accepted","version":4,"position":11,"events":[{"version":4,"position":11,"type":"Deposited","data":{"amount":100,"transfer":"t2"}}],"head":"<hash>"}
    {"process":"transfers","key":"t2","stream":"transfer/t2","command":"Complete","id":"transfers/t2@11.0","outcome":"accepted","version":2,"position":12,"events":[{"version":2,"position":12,"type":"Completed","data":{}}],"head":"<hash>"}
    stderr:
    3 events handled, 3 commands sent
    "#);
}

#[test]
fn a_rejection_comes_back_to_the_process_and_is_recorded() {
    let folder = accounts();
    folder.esctl("send account/2 Withdraw amount=500").done();
    folder.esctl("send account/2 Close").done();
    assert_snapshot!(request(&folder, "t1", ""), @r#"
    exit: 0
    stdout:
    transfer/t1  Request accepted  version 1  @7
      1  @7  Requested {"from":"1","to":"2","amount":100}
    stderr:
    note: transfers t1: account/1 Withdraw accepted, version 3
    note: transfers t1: account/2 Deposit rejected: not_open
    note: transfers t1: account/1 Refund accepted, version 4
    note: transfers t1: transfer/t1 Fail accepted, version 2
    "#);
    assert_snapshot!(folder.esctl("process show transfers t1"), @r#"
    exit: 0
    stdout:
    transfers  t1  ended
      state {"from":"1","to":"2","amount":100,"refused":"not_open"}
    history
      1  2026-01-31T12:00:00.000000Z  event  transfer.Requested  @7
      2  2026-01-31T12:00:00.000000Z  sent  account/1 Withdraw  @8
      3  2026-01-31T12:00:00.000000Z  event  account.Withdrawn  @8
      4  2026-01-31T12:00:00.000000Z  rejected  account/2 Deposit  {"code":"not_open","message":"","data":{"amount":100,"transfer":"t1"}}
      5  2026-01-31T12:00:00.000000Z  sent  account/1 Refund  @9
      6  2026-01-31T12:00:00.000000Z  event  account.Deposited  @9
      7  2026-01-31T12:00:00.000000Z  ended
      8  2026-01-31T12:00:00.000000Z  sent  transfer/t1 Fail  @10
    "#);
    assert_snapshot!(folder.esctl("trace @7"), @r#"
    exit: 0
    stdout:
    Request transfer/t1  019c13ec-9e00-7000-8000-000060000000  2026-01-31T12:00:00.000000Z  <
    └─ @7 Requested {"from":"1","to":"2","amount":100}
       └─ Withdraw account/1  transfers/t1@7.0  by process:transfers  2026-01-31T12:00:00.000000Z
          └─ @8 Withdrawn {"amount":100,"transfer":"t1"}
             └─ Deposit account/2  transfers/t1@8.0  by process:transfers  2026-01-31T12:00:00.000000Z  rejected: not_open
                └─ Refund account/1  transfers/t1@8.0!.0  by process:transfers  2026-01-31T12:00:00.000000Z
                   └─ @9 Deposited {"amount":100,"ref":"refund","transfer":"t1"}
                      └─ Fail transfer/t1  transfers/t1@9.0  by process:transfers  2026-01-31T12:00:00.000000Z
                         └─ @10 Failed {"reason":"not_open"}
    "#);
    assert_snapshot!(folder.esctl("trace transfers/t1@8.0"), @r#"
    exit: 0
    stdout:
    Request transfer/t1  019c13ec-9e00-7000-8000-000060000000  2026-01-31T12:00:00.000000Z
    └─ @7 Requested {"from":"1","to":"2","amount":100}
       └─ Withdraw account/1  transfers/t1@7.0  by process:transfers  2026-01-31T12:00:00.000000Z
          └─ @8 Withdrawn {"amount":100,"transfer":"t1"}
             └─ Deposit account/2  transfers/t1@8.0  by process:transfers  2026-01-31T12:00:00.000000Z  rejected: not_open  <
                └─ Refund account/1  transfers/t1@8.0!.0  by process:transfers  2026-01-31T12:00:00.000000Z
                   └─ @9 Deposited {"amount":100,"ref":"refund","transfer":"t1"}
                      └─ Fail transfer/t1  transfers/t1@9.0  by process:transfers  2026-01-31T12:00:00.000000Z
                         └─ @10 Failed {"reason":"not_open"}
    "#);
    assert_snapshot!(folder.bash("esctl trace @7 -o json | jq -c '.. | objects | select(.rejected) | {id,name,rejected}'"), @r#"
    exit: 0
    stdout:
    {"id":"transfers/t1@8.0","name":"Deposit","rejected":{"code":"not_open","message":""}}
    "#);
}

#[test]
fn a_batch_and_an_atomic_one_are_reacted_to_as_well() {
    for atomic in ["", "--atomic"] {
        let folder = accounts();
        let line = |n: usize| {
            format!(r#"{{"stream":"transfer/t{n}","command":"Request","data":{{"from":"1","to":"2","amount":1}}}}"#)
        };
        let lines: Vec<String> = (0..300).map(line).collect();
        let outcome = folder.esctl_with(&format!("send --batch - {atomic}"), lines.join("\n"));
        assert_eq!(outcome.done().lines().count(), 300);
        assert_eq!(balances(&folder), "700 800 ");
        let ended = folder.bash("esctl process show transfers -o ndjson | jq -r .status | sort | uniq -c").done();
        assert_eq!(ended.trim(), "300 ended");
        folder.esctl("verify").exits(0);
    }
}

#[test]
fn nothing_is_sent_by_whatever_only_looks_or_tries() {
    let folder = accounts();
    request(&folder, "t1", "--no-react").done();
    let before = crate::support::dump::everything(&folder, "esctl.db");
    for verb in [
        "replay transfer/t1",
        "replay transfer/t1 --steps",
        "plan --with domains",
        "process status",
        "process list",
        "process show transfers",
        "events",
        "trace @5",
        "verify",
        "send transfer/t2 Request from=1 to=2 amount=5 --dry-run",
    ] {
        folder.esctl(verb).done();
    }
    assert_eq!(crate::support::dump::everything(&folder, "esctl.db"), before);
    folder.esctl("project rebuild").done();
    folder.esctl("fork copy.db").done();
    folder.bash("esctl export | esctl import - --store other.db").done();
    for store in ["esctl.db", "copy.db", "other.db"] {
        let count = folder.bash(&format!("esctl events --store {store} -o ndjson | wc -l")).done();
        assert_eq!(count.trim(), "5", "{store}");
    }
    // Where processes are new to a store they begin at its end.
    assert_snapshot!(folder.esctl("process run --store copy.db"), @r"
    exit: 0
    stdout:
    process  key  stream  command  outcome  version  position  id
    stderr:
    0 events handled, 0 commands sent
    ");
    assert_snapshot!(folder.esctl("process status --store copy.db"), @r"
    exit: 0
    stdout:
    name       rules    checkpoint  behind  running  ended  stopped  to_send  waiting  deadlines  next_deadline  ignored  problem
    transfers  current           5       0        0      0        0        0        0          0                       0
    ");
}

#[test]
fn a_dry_run_shows_what_processes_would_send() {
    let folder = accounts();
    assert_snapshot!(request(&folder, "t1", "--dry-run"), @r#"
    exit: 0
    stdout:
    transfer/t1  Request would be accepted  version 1  @5
      1  @5  Requested {"from":"1","to":"2","amount":100}
      ~ status: none → requested
      ~ amount: 0 → 100
      transfers  t1  would send account/1 Withdraw {"amount":100,"transfer":"t1"}
    stderr:
    note: a dry run: nothing was stored
    "#);
    assert_snapshot!(folder.bash("esctl send transfer/t1 Request from=1 to=2 amount=100 --dry-run -o json | jq -c .processes"), @r#"
    exit: 0
    stdout:
    [{"process":"transfers","key":"t1","stream":"account/1","command":"Withdraw","data":{"amount":100,"transfer":"t1"}}]
    stderr:
    note: a dry run: nothing was stored
    "#);
    folder.esctl("process status").prints("transfers");
}

#[test]
fn a_deadline_comes_when_it_is_due_and_not_before() {
    let folder = Folder::example("fulfilment");
    folder.esctl("send shelf/tea Arrive quantity=10").done();
    assert_snapshot!(folder.esctl("send purchase/p1 Place sku=tea quantity=3 amount=12.50"), @r#"
    exit: 0
    stdout:
    purchase/p1  Place accepted  version 1  @2
      1  @2  Placed {"sku":"tea","quantity":3,"amount":12.50}
    stderr:
    note: fulfilment p1: shelf/tea Keep accepted, version 2
    "#);
    assert_snapshot!(folder.esctl("process status"), @r"
    exit: 0
    stdout:
    name        rules    checkpoint  behind  running  ended  stopped  to_send  waiting  deadlines  next_deadline                ignored  problem
    fulfilment  current           3       0        1      0        0        0        0          1  2026-01-31T12:15:00.000000Z        0
    ");
    assert_snapshot!(folder.esctl("process show fulfilment p1"), @r#"
    exit: 0
    stdout:
    fulfilment  p1  running
      state {"sku":"tea","quantity":3}
      deadline payment due 2026-01-31T12:15:00.000000Z
    history
      1  2026-01-31T12:00:00.000000Z  event  purchase.Placed  @2
      2  2026-01-31T12:00:00.000000Z  sent  shelf/tea Keep  @3
      3  2026-01-31T12:00:00.000000Z  event  shelf.Kept  @3
    "#);
    assert_snapshot!(folder.esctl("process run --time 2026-01-31T12:14:59Z"), @r"
    exit: 0
    stdout:
    process  key  stream  command  outcome  version  position  id
    stderr:
    0 events handled, 0 commands sent
    ");
    assert_snapshot!(folder.esctl("process run --time 2026-01-31T12:15:00Z"), @r"
    exit: 0
    stdout:
    process     key  stream       command  outcome   version  position  id
    fulfilment  p1   purchase/p1  GiveUp   accepted        2         4  fulfilment/p1@3+payment.0
    fulfilment  p1   shelf/tea    Release  accepted        3         5  fulfilment/p1@4.0
    stderr:
    1 event handled, 1 deadline, 2 commands sent
    ");
    assert_snapshot!(folder.esctl("process show fulfilment p1"), @r#"
    exit: 0
    stdout:
    fulfilment  p1  ended
      state {"sku":"tea","quantity":3}
    history
      1  2026-01-31T12:00:00.000000Z  event  purchase.Placed  @2
      2  2026-01-31T12:00:00.000000Z  sent  shelf/tea Keep  @3
      3  2026-01-31T12:00:00.000000Z  event  shelf.Kept  @3
      4  2026-01-31T12:15:00.000000Z  deadline  payment  {"due":"2026-01-31T12:15:00.000000Z"}
      5  2026-01-31T12:15:00.000000Z  sent  purchase/p1 GiveUp  @4
      6  2026-01-31T12:15:00.000000Z  event  purchase.GivenUp  @4
      7  2026-01-31T12:15:00.000000Z  ended
      8  2026-01-31T12:15:00.000000Z  sent  shelf/tea Release  @5
    "#);
    // Another command of a later time wakes it just as well.
    folder.esctl("send purchase/p2 Place sku=tea quantity=1 amount=1").done();
    assert_snapshot!(folder.esctl("send shelf/milk Arrive quantity=1 --time 2026-02-01"), @r#"
    exit: 0
    stdout:
    shelf/milk  Arrive accepted  version 1  @8
      1  @8  Arrived {"quantity":1}
    stderr:
    note: fulfilment p2: purchase/p2 GiveUp accepted, version 2
    note: fulfilment p2: shelf/tea Release accepted, version 5
    "#);
}

#[test]
fn a_deadline_goes_before_what_came_after_it_was_due() {
    let folder = Folder::example("fulfilment");
    folder.esctl("send shelf/tea Arrive quantity=10").done();
    folder.esctl("send purchase/p1 Place sku=tea quantity=3 amount=12.50").done();
    folder.esctl("send purchase/p1 Pay amount=12.50 --time 2026-01-31T12:10:00Z --no-react").done();
    // Nobody was there at 12:15, and yet it was paid by then.
    assert_snapshot!(folder.esctl("process run --time 2026-01-31T13:00:00Z"), @r"
    exit: 0
    stdout:
    process     key  stream       command  outcome   version  position  id
    fulfilment  p1   shelf/tea    Take     accepted        3         5  fulfilment/p1@4.0
    fulfilment  p1   purchase/p1  Send     accepted        3         6  fulfilment/p1@4.1
    stderr:
    1 event handled, 2 commands sent
    ");
}

#[test]
fn several_guests_check_out_and_the_missing_are_listed() {
    let folder = Folder::example("hotel");
    for guest in ["ada", "bob", "eve"] {
        folder.esctl(&format!("send guest/{guest} CheckIn room=1")).done();
    }
    folder.esctl("send guest/bob Charge amount=12.50").done();
    assert_snapshot!(folder.esctl(r#"send group/trip Leave 'guests:=["ada","bob","eve"]'"#), @r#"
    exit: 0
    stdout:
    group/trip  Leave accepted  version 1  @5
      1  @5  Leaving {"guests":["ada","bob","eve"]}
    stderr:
    note: checkout trip: guest/ada CheckOut accepted, version 2
    note: checkout trip: guest/bob CheckOut rejected: not_settled
    note: checkout trip: guest/eve CheckOut accepted, version 2
    "#);
    assert_snapshot!(folder.esctl("process show checkout trip"), @r#"
    exit: 0
    stdout:
    checkout  trip  running
      state {"guests":["ada","bob","eve"],"left":["ada","eve"]}
      deadline everybody_out due 2026-01-31T13:00:00.000000Z
    history
      1  2026-01-31T12:00:00.000000Z  event  group.Leaving  @5
      2  2026-01-31T12:00:00.000000Z  sent  guest/ada CheckOut  @6
      3  2026-01-31T12:00:00.000000Z  rejected  guest/bob CheckOut  {"code":"not_settled","message":"the balance is 12.50","details":{"balance":12.50},"data":{"group":"trip"}}
      4  2026-01-31T12:00:00.000000Z  sent  guest/eve CheckOut  @7
      5  2026-01-31T12:00:00.000000Z  event  guest.CheckedOut  @6
      6  2026-01-31T12:00:00.000000Z  event  guest.CheckedOut  @7
    "#);
    assert_snapshot!(folder.esctl("process run --time 2026-01-31T13:00:00Z"), @r"
    exit: 0
    stdout:
    process   key   stream      command  outcome   version  position  id
    checkout  trip  group/trip  GiveUp   accepted        2         8  checkout/trip@5+everybody_out.0
    stderr:
    0 events handled, 1 deadline, 1 command sent
    ");
    assert_snapshot!(folder.esctl("replay group/trip"), @r#"
    exit: 0
    stdout:
    group/trip  version 2  @8  2026-01-31T13:00:00.000000Z

    status:  given up
    left:    ["ada","eve"]
    missing: ["bob"]
    "#);
}

/// Two processes that answer each other, and one that fails where a weight is 0 or nothing can be noted.
const ROUGH: &str = r#"
domain: rough
aggregates:
  ball:
    state: { hits: 0 }
    events:
      Hit: { fold: state.hits += 1 }
      Returned: { fold: state.hits += 1 }
      Dropped: { fields: { by: string, weight: integer }, fold: state.hits = 0 }
      Noted: { fold: state.hits += 100 }
    commands:
      Serve: { decide: 'emit("Hit")' }
      Return: { decide: 'emit("Returned")' }
      Drop:
        fields: { by: string, weight: integer }
        decide: emit("Dropped", command)
      Note:
        decide: |
          require(state.hits > 0, "nothing_to_note", "there is nothing to note");
          emit("Noted");
processes:
  ping:
    key: meta.id
    on:
      ball.Hit: |
        send(`ball/${key}`, "Return")
  pong:
    key: meta.id
    on:
      ball.Returned: |
        send(`ball/${key}`, "Serve")
  careful:
    key: event.by
    state: { seen: 0, sum: 0 }
    on:
      ball.Dropped: |
        state.seen += 1;
        state.sum += 100 / event.weight;
        send(`ball/${meta.id}`, "Note");
"#;

fn rough() -> Folder {
    let folder = Folder::empty();
    folder.write("domains/rough.yaml", ROUGH);
    folder
}

#[test]
fn two_processes_that_answer_each_other_stop_at_the_bound() {
    let folder = rough();
    assert_snapshot!(folder.esctl("send ball/1 Serve --max-steps 10"), @r"
    exit: 0
    stdout:
    ball/1  Serve accepted  version 1  @1
      1  @1  Hit {}
    stderr:
    note: ping 1: ball/1 Return accepted, version 2
    note: pong 1: ball/1 Serve accepted, version 3
    note: ping 1: ball/1 Return accepted, version 4
    note: pong 1: ball/1 Serve accepted, version 5
    note: ping 1: ball/1 Return accepted, version 6
    note: pong 1: ball/1 Serve accepted, version 7
    note: ping 1: ball/1 Return accepted, version 8
    note: pong 1: ball/1 Serve accepted, version 9
    note: ping 1: ball/1 Return accepted, version 10
    note: pong 1: ball/1 Serve accepted, version 11
    warning: the processes `ping` and `pong` keep answering each other: 10 steps followed from one event, and there is more to do
    hint: the rest is left: `esctl process run` goes on with it, `--max-steps` says how far
    ");
    assert_snapshot!(folder.esctl("replay ball/1"), @r"
    exit: 0
    stdout:
    ball/1  version 11  @11  2026-01-31T12:00:00.000000Z

    hits: 11
    ");
    assert_snapshot!(folder.esctl("process run --max-steps 5 -o ndjson"), @r#"
    exit: 1
    stdout:
    {"process":"ping","key":"1","stream":"ball/1","command":"Return","id":"ping/1@11.0","outcome":"accepted","version":12,"position":12,"events":[{"version":12,"position":12,"type":"Returned","data":{}}],"head":"<hash>"}
    {"process":"pong","key":"1","stream":"ball/1","command":"Serve","id":"pong/1@12.0","outcome":"accepted","version":13,"position":13,"events":[{"version":13,"position":13,"type":"Hit","data":{}}],"head":"<hash>"}
    {"process":"ping","key":"1","stream":"ball/1","command":"Return","id":"ping/1@13.0","outcome":"accepted","version":14,"position":14,"events":[{"version":14,"position":14,"type":"Returned","data":{}}],"head":"<hash>"}
    {"process":"pong","key":"1","stream":"ball/1","command":"Serve","id":"pong/1@14.0","outcome":"accepted","version":15,"position":15,"events":[{"version":15,"position":15,"type":"Hit","data":{}}],"head":"<hash>"}
    {"process":"ping","key":"1","stream":"ball/1","command":"Return","id":"ping/1@15.0","outcome":"accepted","version":16,"position":16,"events":[{"version":16,"position":16,"type":"Returned","data":{}}],"head":"<hash>"}
    stderr:
    {"warning":{"severity":"warning","rule":"loop","message":"the processes `ping` and `pong` keep answering each other: 5 steps followed from one event, and there is more to do","place":null,"hints":["the rest is left: `esctl process run` goes on with it, `--max-steps` says how far"]}}
    5 events handled, 5 commands sent
    "#);
    assert_snapshot!(folder.bash("esctl send ball/1 Return --max-steps 7 -o json 2>&1 >/dev/null"), @r#"
    exit: 0
    stdout:
    note: pong 1: ball/1 Serve accepted, version 18
    note: pong 1: ball/1 Serve accepted, version 19
    note: ping 1: ball/1 Return accepted, version 20
    note: ping 1: ball/1 Return accepted, version 21
    note: pong 1: ball/1 Serve accepted, version 22
    note: pong 1: ball/1 Serve accepted, version 23
    note: ping 1: ball/1 Return accepted, version 24
    note: ping 1: ball/1 Return accepted, version 25
    note: pong 1: ball/1 Serve accepted, version 26
    note: pong 1: ball/1 Serve accepted, version 27
    note: ping 1: ball/1 Return accepted, version 28
    note: ping 1: ball/1 Return accepted, version 29
    note: pong 1: ball/1 Serve accepted, version 30
    note: pong 1: ball/1 Serve accepted, version 31
    {"warning":{"severity":"warning","rule":"loop","message":"the processes `ping` and `pong` keep answering each other: 7 steps followed from one event, and there is more to do","place":null,"hints":["the rest is left: `esctl process run` goes on with it, `--max-steps` says how far"]}}
    "#);
}

#[test]
fn a_script_that_fails_stops_its_instance_alone_until_it_is_mended() {
    let folder = rough();
    folder.esctl("send ball/1 Drop by=ada weight=0 --no-react").done();
    folder.esctl("send ball/2 Drop by=bob weight=5 --no-react").done();
    folder.esctl("send ball/3 Drop by=ada weight=4 --no-react").done();
    assert_snapshot!(folder.esctl("process run"), @r#"
    exit: 4
    stdout:
    process  key  stream  command  outcome                    version  position  id
    careful  bob  ball/2  Note     rejected: nothing_to_note        1         3  careful/bob@2.0
    stderr:
    warning: division by zero: 100 / 0
      --> domains/rough.yaml:38:26
       |
    38 |         state.sum += 100 / event.weight;
       |                          ^
       = while giving the event at @1 to `careful` "ada"
         the instance `ada` of `careful` stopped
    hint: `esctl process retry careful ada` tries it again, `esctl process skip careful ada` goes on past it
    warning: `Note` of `ball/2` was rejected: there is nothing to note
     = the instance `bob` of `careful` stopped
    hint: `esctl process retry careful bob` tries it again, `esctl process skip careful bob` goes on past it
    2 events handled, 1 command sent, 1 of them rejected, 2 stopped
    "#);
    assert_snapshot!(folder.esctl("process status careful"), @r"
    exit: 0
    stdout:
    name     rules    checkpoint  behind  running  ended  stopped  to_send  waiting  deadlines  next_deadline  ignored  problem
    careful  current           3       0        0      0        2        1        2          0                       0  ada at the event at @1: division by zero: 100 / 0 (domains/rough.yaml:38:26)
    ");
    assert_snapshot!(folder.esctl("process show careful --stopped"), @r#"
    exit: 0
    stdout:
    key  status   began  time                         steps  ignored  state                problem
    ada  stopped      1  2026-01-31T12:00:00.000000Z      1        0  {"seen":0,"sum":0}   at the event at @1: division by zero: 100 / 0 (domains/rough.yaml:38:26)
    bob  stopped      2  2026-01-31T12:00:00.000000Z      3        0  {"seen":1,"sum":20}  at the command `careful/bob@2.0`: `Note` of `ball/2` was rejected: there is nothing to note
    "#);
    assert_snapshot!(folder.esctl("process show careful ada"), @r#"
    exit: 0
    stdout:
    careful  ada  stopped
      stopped at the event at @1: division by zero: 100 / 0 (domains/rough.yaml:38:26)
      state {"seen":0,"sum":0}
      waiting @1
      waiting @3
    history
      1  2026-01-31T12:00:00.000000Z  stopped  at the event at @1: division by zero: 100 / 0 (domains/rough.yaml:38:26)
    "#);
    // Tried again by the same rules it stops again.
    assert_snapshot!(folder.esctl("process retry careful ada"), @r#"
    exit: 4
    stdout:
    process  key  stream  command  outcome  version  position  id
    stderr:
    note: careful ada: the event at @1 is tried again
    warning: division by zero: 100 / 0
      --> domains/rough.yaml:38:26
       |
    38 |         state.sum += 100 / event.weight;
       |                          ^
       = while giving the event at @1 to `careful` "ada"
         the instance `ada` of `careful` stopped
    hint: `esctl process retry careful ada` tries it again, `esctl process skip careful ada` goes on past it
    1 event handled, 0 commands sent, 1 stopped
    "#);
    let text = std::fs::read_to_string(folder.file("domains/rough.yaml")).unwrap();
    let mended = text.replace("100 / event.weight", "if event.weight == 0 { 0 } else { 100 / event.weight }");
    folder.write("domains/rough.yaml", mended.replace("send(`ball/${meta.id}`, \"Note\");", ""));
    assert_snapshot!(folder.esctl("process status careful -o json"), @r#"
    exit: 0
    stdout:
    [
    {"name":"careful","rules":"changed","digest":"61b63456e20c","since":0,"checkpoint":3,"behind":0,"running":0,"ended":0,"stopped":2,"to_send":1,"waiting":2,"deadlines":0,"next_deadline":null,"ignored":0,"instances":[{"key":"ada","position":1,"message":"division by zero: 100 / 0","place":"domains/rough.yaml:38:26"},{"key":"bob","command":"careful/bob@2.0","message":"`Note` of `ball/2` was rejected: there is nothing to note","code":"nothing_to_note"}]}
    ]
    "#);
    assert_snapshot!(folder.esctl("process retry careful ada"), @r"
    exit: 0
    stdout:
    process  key  stream  command  outcome  version  position  id
    stderr:
    note: careful ada: the event at @1 is tried again
    2 events handled, 0 commands sent
    ");
    assert_snapshot!(folder.esctl("process show careful ada"), @r#"
    exit: 0
    stdout:
    careful  ada  running
      state {"seen":2,"sum":25}
    history
      1  2026-01-31T12:00:00.000000Z  stopped  at the event at @1: division by zero: 100 / 0 (domains/rough.yaml:38:26)
      2  2026-01-31T12:00:00.000000Z  retried  the event at @1
      3  2026-01-31T12:00:00.000000Z  stopped  at the event at @1: division by zero: 100 / 0 (domains/rough.yaml:38:26)
      4  2026-01-31T12:00:00.000000Z  retried  the event at @1
      5  2026-01-31T12:00:00.000000Z  event  ball.Dropped  @1
      6  2026-01-31T12:00:00.000000Z  event  ball.Dropped  @3
    "#);
}

#[test]
fn an_event_that_waits_and_cannot_be_read_stops_its_instance_and_not_the_process() {
    let folder = rough();
    folder.esctl("send ball/1 Drop by=ada weight=0").says("division by zero").exits(0);
    folder.esctl("send ball/2 Drop by=ada weight=4").exits(0);
    let fields = "Dropped: { fields: { by: string, weight: integer }";
    let newer = "Dropped: { version: 2, fields: { by: string, weight: integer }, upcast: { 1: 'throw \"who knows\"' }";
    assert!(ROUGH.contains(fields));
    folder.write("domains/rough.yaml", ROUGH.replace(fields, newer));
    assert_snapshot!(folder.esctl("process retry careful ada"), @r#"
    exit: 4
    stdout:
    process  key  stream  command  outcome  version  position  id
    stderr:
    note: careful ada: the event at @1 is tried again
    warning: who knows
     --> domains/rough.yaml:9:85
      |
    9 | …opped: { version: 2, fields: { by: string, weight: integer }, upcast: { 1: 'throw "who knows"' }, fold: state.hits = 0 }
      |                                                                              ^^^^^
      = while giving event 1 of `ball/1` (@1) to `careful`
        the instance `ada` of `careful` stopped
    hint: `esctl process retry careful ada` tries it again, `esctl process skip careful ada` goes on past it
    0 events handled, 0 commands sent, 1 stopped
    "#);
    assert_snapshot!(folder.bash("esctl process status careful -o json | jq -c '.[0] | {checkpoint,stopped,waiting,problem}'"), @r#"
    exit: 0
    stdout:
    {"checkpoint":2,"stopped":1,"waiting":2,"problem":null}
    "#);
    // Nothing is given twice, and nothing is lost.
    let mended = ROUGH.replace("100 / event.weight", "if event.weight == 0 { 0 } else { 100 / event.weight }");
    folder.write("domains/rough.yaml", mended.replace("send(`ball/${meta.id}`, \"Note\");", ""));
    folder.esctl("process retry careful").exits(0);
    assert_snapshot!(folder.esctl("process show careful ada -o csv"), @r#"
    exit: 0
    stdout:
    number,kind,time,position,name,id,causation,data
    1,stopped,2026-01-31T12:00:00.000000Z,,,,,"{""position"":1,""message"":""division by zero: 100 / 0"",""place"":""domains/rough.yaml:38:26""}"
    2,retried,2026-01-31T12:00:00.000000Z,,,,,"{""position"":1,""message"":""division by zero: 100 / 0"",""place"":""domains/rough.yaml:38:26""}"
    3,stopped,2026-01-31T12:00:00.000000Z,,,,,"{""position"":1,""message"":""who knows"",""place"":""domains/rough.yaml:9:85""}"
    4,retried,2026-01-31T12:00:00.000000Z,,,,,"{""position"":1,""message"":""who knows"",""place"":""domains/rough.yaml:9:85""}"
    5,event,2026-01-31T12:00:00.000000Z,1,ball.Dropped,,019c13ec-9e00-7000-8000-000000000000,
    6,event,2026-01-31T12:00:00.000000Z,2,ball.Dropped,,019c13ec-9e00-7000-8000-000010000000,
    "#);
    assert_snapshot!(folder.esctl("process show careful"), @r#"
    exit: 0
    stdout:
    key  status   began  time                         steps  ignored  state                problem
    ada  running      1  2026-01-31T12:00:00.000000Z      6        0  {"seen":2,"sum":25}
    "#);
}

#[test]
fn a_rejection_that_nobody_answers_stops_the_instance() {
    let folder = rough();
    folder.esctl("send ball/2 Drop by=bob weight=5").done();
    assert_snapshot!(folder.esctl("process status careful"), @r"
    exit: 0
    stdout:
    name     rules    checkpoint  behind  running  ended  stopped  to_send  waiting  deadlines  next_deadline  ignored  problem
    careful  current           1       0        0      0        1        1        0          0                       0  bob at the command `careful/bob@1.0`: `Note` of `ball/2` was rejected: there is nothing to note
    ");
    assert_snapshot!(folder.esctl("process show careful bob"), @r#"
    exit: 0
    stdout:
    careful  bob  stopped
      stopped at the command `careful/bob@1.0`: `Note` of `ball/2` was rejected: there is nothing to note
      state {"seen":1,"sum":20}
      to send ball/2 Note {}
    history
      1  2026-01-31T12:00:00.000000Z  event  ball.Dropped  @1
      2  2026-01-31T12:00:00.000000Z  rejected  ball/2 Note  {"code":"nothing_to_note","message":"there is nothing to note","data":{}}
      3  2026-01-31T12:00:00.000000Z  stopped  at the command `careful/bob@1.0`: `Note` of `ball/2` was rejected: there is nothing to note
    "#);
    // What it waits for may come to be.
    folder.esctl("send ball/2 Return --no-react").done();
    assert_snapshot!(folder.esctl("process retry careful bob --max-steps 2"), @r"
    exit: 1
    stdout:
    process  key  stream  command  outcome   version  position  id
    careful  bob  ball/2  Note     accepted        3         3  careful/bob@1.0
    pong     2    ball/2  Serve    accepted        4         4  pong/2@2.0
    ping     2    ball/2  Return   accepted        5         5  ping/2@4.0
    stderr:
    note: careful bob: the command `careful/bob@1.0` is tried again
    warning: the processes `ping` and `pong` keep answering each other: 2 steps followed from one event, and there is more to do
    hint: the rest is left: `esctl process run` goes on with it, `--max-steps` says how far
    3 events handled, 3 commands sent
    ");
    assert_snapshot!(folder.bash("esctl trace @1 --flat -o csv | cut -d, -f1-6"), @r"
    exit: 0
    stdout:
    depth,command,id,causation,position,stream
    0,Drop,019c13ec-9e00-7000-8000-000000000000,,1,ball/2
    1,Note,careful/bob@1.0,@1,3,ball/2
    ");
    assert_snapshot!(folder.esctl("send ball/3 Drop by=bob weight=5 --max-steps 2"), @r#"
    exit: 0
    stdout:
    ball/3  Drop accepted  version 1  @6
      1  @6  Dropped {"by":"bob","weight":5}
    stderr:
    note: pong 2: ball/2 Serve accepted, version 6
    note: careful bob: ball/3 Note rejected: nothing_to_note
    warning: `Note` of `ball/3` was rejected: there is nothing to note
     = the instance `bob` of `careful` stopped
    hint: `esctl process retry careful bob` tries it again, `esctl process skip careful bob` goes on past it
    note: ping 2: ball/2 Return accepted, version 7
    warning: the processes `ping` and `pong` keep answering each other: 2 steps followed from one event, and there is more to do
    hint: the rest is left: `esctl process run` goes on with it, `--max-steps` says how far
    "#);
    folder.esctl("process retry careful bob --max-steps 1").exits(1);
    assert_snapshot!(folder.esctl("trace @6"), @r#"
    exit: 0
    stdout:
    Drop ball/3  019c13ec-9e00-7000-8000-000050000000  2026-01-31T12:00:00.000000Z  <
    └─ @6 Dropped {"by":"bob","weight":5}
       └─ Note ball/3  careful/bob@6.0  by process:careful  2026-01-31T12:00:00.000000Z  rejected: nothing_to_note
    "#);
    assert_snapshot!(folder.esctl("process skip careful bob --no-react"), @r"
    exit: 0
    stderr:
    note: careful bob: the command `careful/bob@6.0` is skipped
    ");
    assert_snapshot!(folder.esctl("process show careful bob"), @r#"
    exit: 0
    stdout:
    careful  bob  running
      state {"seen":2,"sum":40}
    history
      1  2026-01-31T12:00:00.000000Z  event  ball.Dropped  @1
      2  2026-01-31T12:00:00.000000Z  rejected  ball/2 Note  {"code":"nothing_to_note","message":"there is nothing to note","data":{}}
      3  2026-01-31T12:00:00.000000Z  stopped  at the command `careful/bob@1.0`: `Note` of `ball/2` was rejected: there is nothing to note
      4  2026-01-31T12:00:00.000000Z  retried  the command `careful/bob@1.0`
      5  2026-01-31T12:00:00.000000Z  sent  ball/2 Note  @3
      6  2026-01-31T12:00:00.000000Z  event  ball.Dropped  @6
      7  2026-01-31T12:00:00.000000Z  rejected  ball/3 Note  {"code":"nothing_to_note","message":"there is nothing to note","data":{}}
      8  2026-01-31T12:00:00.000000Z  stopped  at the command `careful/bob@6.0`: `Note` of `ball/3` was rejected: there is nothing to note
      9  2026-01-31T12:00:00.000000Z  retried  the command `careful/bob@6.0`
      10  2026-01-31T12:00:00.000000Z  rejected  ball/3 Note  {"code":"nothing_to_note","message":"there is nothing to note","data":{}}
      11  2026-01-31T12:00:00.000000Z  stopped  at the command `careful/bob@6.0`: `Note` of `ball/3` was rejected: there is nothing to note
      12  2026-01-31T12:00:00.000000Z  skipped  the command `careful/bob@6.0`
    "#);
}

#[test]
fn a_key_that_fails_stops_the_process_before_that_event() {
    let folder = rough();
    let text = std::fs::read_to_string(folder.file("domains/rough.yaml")).unwrap();
    let failing = text.replace("key: event.by", "key: if event.by == \"x\" { [[event.by]] } else { event.by }");
    assert_ne!(text, failing);
    folder.write("domains/rough.yaml", failing);
    folder.esctl("send ball/1 Drop by=x weight=1 --no-react").done();
    folder.esctl("send ball/2 Drop by=bob weight=1 --no-react").done();
    assert_snapshot!(folder.esctl("process run"), @r#"
    exit: 4
    stdout:
    process  key  stream  command  outcome  version  position  id
    stderr:
    warning: a key is a text or a number, not a list
      --> domains/rough.yaml:33:10
       |
    33 |     key: if event.by == "x" { [[event.by]] } else { event.by }
       |          ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       = the process `careful` stopped
    hint: `esctl process retry careful` tries it again, `esctl process skip careful` goes on past it
    0 events handled, 0 commands sent, 1 stopped
    "#);
    assert_snapshot!(folder.esctl("process status careful"), @r"
    exit: 0
    stdout:
    name     rules    checkpoint  behind  running  ended  stopped  to_send  waiting  deadlines  next_deadline  ignored  problem
    careful  current           0       2        0      0        0        0        0          0                       0  @1: a key is a text or a number, not a list (domains/rough.yaml:33:10)
    ");
    assert_snapshot!(folder.esctl("process skip careful"), @r"
    exit: 1
    stdout:
    process  key  stream  command  outcome                    version  position  id
    careful  bob  ball/2  Note     rejected: nothing_to_note        1         2  careful/bob@2.0
    stderr:
    note: careful: the event at @1 is skipped
    warning: `Note` of `ball/2` was rejected: there is nothing to note
     = the instance `bob` of `careful` stopped
    hint: `esctl process retry careful bob` tries it again, `esctl process skip careful bob` goes on past it
    1 event handled, 1 command sent, 1 of them rejected, 1 stopped
    ");
    assert_snapshot!(folder.esctl("process status careful"), @r"
    exit: 0
    stdout:
    name     rules    checkpoint  behind  running  ended  stopped  to_send  waiting  deadlines  next_deadline  ignored  problem
    careful  current           2       0        0      0        1        1        0          0                       0  bob at the command `careful/bob@2.0`: `Note` of `ball/2` was rejected: there is nothing to note
    ");
}

#[test]
fn names_that_are_not_there_are_said() {
    let folder = accounts();
    assert_snapshot!(folder.esctl("process show transfer"), @r"
    exit: 2
    stderr:
    error: there is no process `transfer`
    hint: did you mean `transfers`?
    ");
    assert_snapshot!(folder.esctl("process show transfers nobody"), @r"
    exit: 2
    stderr:
    error: `transfers` has no instance `nobody`
    hint: `esctl process show transfers` lists its instances
    ");
    assert_snapshot!(folder.esctl("process status transfr"), @r"
    exit: 2
    stderr:
    error: there is no process `transfr`
    hint: did you mean `transfers`?
    ");
    request(&folder, "t1", "").done();
    assert_snapshot!(folder.esctl("process retry transfers t1"), @r"
    exit: 2
    stderr:
    error: the instance `t1` of `transfers` has not stopped
    hint: `esctl process show transfers t1` says how it is
    ");
    assert_snapshot!(folder.esctl("process skip transfers"), @r"
    exit: 2
    stderr:
    error: `transfers` itself has not stopped
    hint: name an instance: `esctl process skip transfers KEY`
    ");
    assert_snapshot!(folder.esctl("process retry transfers"), @r"
    exit: 0
    stdout:
    process  key  stream  command  outcome  version  position  id
    stderr:
    note: nothing has stopped
    0 events handled, 0 commands sent
    ");
    assert_snapshot!(folder.esctl("process run --store none.db"), @r"
    exit: 2
    stderr:
    error: there is no store at `none.db`
    hint: the first `esctl send` makes it; another file is named with `--store`
    ");
    assert_snapshot!(folder.esctl("process status --store none.db"), @r"
    exit: 0
    stdout:
    name       rules    checkpoint  behind  running  ended  stopped  to_send  waiting  deadlines  next_deadline  ignored  problem
    transfers  current                   0        0      0        0        0        0          0                       0
    ");
    assert_snapshot!(Folder::example("cart").esctl("process list"), @r"
    exit: 0
    stdout:
    name  domain  events  sends  deadlines  description
    ");
}

#[test]
fn a_process_begins_at_the_end_of_the_log_or_at_its_start() {
    let folder = Folder::bank();
    let text = std::fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    let (before, after) = text.split_once("processes:\n").unwrap();
    let (_, rest) = after.split_once("projections:\n").unwrap();
    // Scenarios about processes have no place in a domain without.
    let rest = rest.split("  - name: a transfer that takes its time ends").next().unwrap();
    folder.write("domains/bank.yaml", format!("{before}projections:\n{rest}"));
    let folder = filled(folder);
    request(&folder, "t1", "").done();
    folder.write("domains/bank.yaml", &text);
    request(&folder, "t2", "").done();
    assert_eq!(balances(&folder), "900 600 ", "only the second, which came when the process was there");
    assert_snapshot!(folder.bash("esctl process status -o json | jq -c '.[] | {since,ended,running}'"), @r#"
    exit: 0
    stdout:
    {"since":5,"ended":1,"running":0}
    "#);
    let from_start =
        text.replace("    starts: transfer.Requested\n", "    starts: transfer.Requested\n    from: start\n");
    folder.write(
        "domains/bank.yaml",
        from_start.replace("  transfers:\n", "  movements:\n").replace("transfers/t1", "movements/t1"),
    );
    assert_snapshot!(folder.esctl("process run --max-steps 2"), @r"
    exit: 1
    stdout:
    process    key  stream       command   outcome                  version  position  id
    movements  t1   account/1    Withdraw  accepted                       4        10  movements/t1@5.0
    movements  t2   account/1    Withdraw  accepted                       5        11  movements/t2@6.0
    movements  t2   account/2    Deposit   accepted                       4        12  movements/t2@7.0
    movements  t2   transfer/t2  Complete  rejected: not_under_way        2        12  movements/t2@8.0
    movements  t1   account/2    Deposit   accepted                       5        13  movements/t1@10.0
    stderr:
    warning: `Complete` of `transfer/t2` was rejected: not_under_way
     = the instance `t2` of `movements` stopped
    hint: `esctl process retry movements t2` tries it again, `esctl process skip movements t2` goes on past it
    warning: the process `movements` keeps answering itself: 2 steps followed from one event, and there is more to do
    hint: the rest is left: `esctl process run` goes on with it, `--max-steps` says how far
    6 events handled, 5 commands sent, 1 of them rejected, 1 stopped
    ");
}

#[test]
fn what_was_sent_is_not_sent_again_by_a_store_that_forgot_its_processes() {
    let folder = accounts();
    request(&folder, "t1", "").done();
    // The history goes into another store, which knows nothing of what the process has done, and is told to begin at the start.
    folder.bash("esctl export | esctl import - --store other.db").done();
    let text = std::fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    folder.write(
        "domains/bank.yaml",
        text.replace("    starts: transfer.Requested\n", "    starts: transfer.Requested\n    from: start\n"),
    );
    assert_snapshot!(folder.esctl("process run --store other.db"), @r"
    exit: 0
    stdout:
    process    key  stream       command   outcome          version  position  id
    transfers  t1   account/1    Withdraw  accepted before        3         6  transfers/t1@5.0
    transfers  t1   account/2    Deposit   accepted before        3         7  transfers/t1@6.0
    transfers  t1   transfer/t1  Complete  accepted before        2         8  transfers/t1@7.0
    stderr:
    3 events handled, 3 commands sent
    ");
    let count = folder.bash("esctl events --store other.db -o ndjson | wc -l").done();
    assert_eq!(count.trim(), "8");
}
