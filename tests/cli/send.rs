//! `esctl send`, one command at a time

use crate::support::Folder;
use insta::assert_snapshot;

#[test]
fn a_receipt_for_people() {
    let folder = Folder::bank();
    assert_snapshot!(folder.esctl("send account/ada Open owner=Ada currency=EUR"), @r#"
    exit: 0
    stdout:
    account/ada  Open accepted  version 1  @1
      1  @1  Opened {"owner":"Ada","currency":"EUR"}
    "#);
}

#[test]
fn a_receipt_for_programs() {
    let folder = Folder::bank();
    assert_snapshot!(folder.esctl("send account/ada Open owner=Ada currency=EUR -o json"), @r#"
    exit: 0
    stdout:
    {"stream":"account/ada","command":"Open","id":"019c13ec-9e00-7000-8000-000000000000","outcome":"accepted","version":1,"position":1,"events":[{"version":1,"position":1,"type":"Opened","data":{"owner":"Ada","currency":"EUR"}}],"head":"<hash>"}
    "#);
}

#[test]
fn a_rejection_is_an_answer() {
    let folder = Folder::opened();
    assert_snapshot!(folder.esctl("send account/ada Withdraw amount=25"), @r"
    exit: 1
    stdout:
    rejected: insufficient_funds: the balance is 0.30
      balance: 0.30
    ");
    assert_snapshot!(folder.esctl("send account/ada Withdraw amount=25 -o json"), @r#"
    exit: 1
    stdout:
    {"stream":"account/ada","command":"Withdraw","id":"019c13ec-9e00-7000-8000-000030000000","outcome":"rejected","code":"insufficient_funds","message":"the balance is 0.30","details":{"balance":0.30},"version":3,"position":3,"head":"<hash>"}
    "#);
    folder.esctl("replay account/ada").exits(0).prints("version 3");
}

#[test]
fn what_does_not_fit_is_said_all_at_once_and_makes_no_store() {
    let folder = Folder::bank();
    folder.esctl("send account/ada Deposit amount=ten").exits(2).says("/amount: ");
    folder.esctl("send account/ada Deposit amuont=10").exits(2).says("amuont").says("`amount`");
    folder.esctl("send account/ada Deposit amount=ten rf=x").exits(2).says("/amount: ").says("/rf: ");
    folder.esctl("send account/ada Depsit amount=10").exits(2).says("`Depsit`").says("`Deposit`");
    folder.esctl("send acount/ada Deposit amount=10").exits(2).says("`acount`").says("`account");
    folder.esctl("send account Deposit amount=10").exits(2).says("aggregate/id");
    folder.esctl("send account/ada Deposit amount=1 amount=2").exits(2).says("`amount` is given twice");
    folder.esctl("send account/ada Deposit amount").exits(2).says("there is no `=`");
    folder.esctl("send account/ada Deposit amount=1 --time yesterday").exits(2).says("`yesterday`");
    folder.esctl("send account/ada Deposit amount=1 --expect soon").exits(2).says("--expect soon");
    folder.esctl("send account/ada Deposit amount=1 -o csv").exits(2).says("-o json");
    folder
        .esctl("send account/ada Deposit amount=ten -o json")
        .exits(2)
        .says(r#"{"error":{"kind":"usage","message":"#)
        .says(r#""details":[{"path":"/amount","message":"#);
    assert_eq!(folder.listing(), ["domains"]);
}

#[test]
fn a_value_is_read_by_the_type_of_its_field() {
    let folder = Folder::empty();
    folder.write(
        "domains/d.yaml",
        r#"domain: d
aggregates:
  a:
    state: {}
    events:
      Took: { fields: { text?: string, whole?: integer, exact?: decimal, yes?: boolean, many?: [string], any?: any }, fold: "" }
    commands:
      Take:
        fields: { text?: string, whole?: integer, exact?: decimal, yes?: boolean, many?: [string], any?: any }
        decide: emit("Took", command)
"#,
    );
    folder.write("note.txt", "from a file\n").write("many.json", r#"["x", "y"]"#);
    let data = |line: &str| {
        let receipt = folder.esctl(&format!("send a/1 Take {line} -o json")).done();
        let (_, data) = receipt.split_once(r#""data":"#).unwrap();
        data.split_once("}]").unwrap().0.to_owned()
    };
    assert_eq!(data("text=10 whole=10 exact=10.50 yes=true"), r#"{"text":"10","whole":10,"exact":10.50,"yes":true}"#);
    assert_eq!(data(r#"many:='["a"]' any:='[1.50]'"#), r#"{"many":["a"],"any":[1.50]}"#);
    assert_eq!(data("text=@note.txt many:=@many.json"), r#"{"text":"from a file\n","many":["x","y"]}"#);
    assert_eq!(data(r#"--data '{"text":"a","whole":1}' whole=2"#), r#"{"text":"a","whole":2}"#);
    folder.write("data.json", r#"{"text":"whole file"}"#);
    assert_eq!(data("--data @data.json"), r#"{"text":"whole file"}"#);
    let piped = folder.esctl_with("send a/1 Take --data - -o json", r#"{"whole":7}"#);
    piped.exits(0).prints(r#""data":{"whole":7}"#);
    folder.esctl("send a/1 Take text=@nowhere.txt").exits(2).says("`nowhere.txt` cannot be read");
    folder.esctl("send a/1 Take --data [1]").exits(2).says("--data");
}

#[test]
fn an_expected_version() {
    let folder = Folder::opened();
    let stale = folder.esctl("send account/ada Deposit amount=1 --expect 1").exits(3);
    stale.says("`account/ada` is at version 3, expected version 1");
    folder.esctl("send account/ada Deposit amount=1 --expect none").exits(3);
    folder.esctl("send account/bob Deposit amount=1 --expect exists").exits(3);
    folder.esctl("send account/ada Deposit amount=1 --expect exists").exits(0);
    folder.esctl("send account/ada Deposit amount=1 --expect 4").exits(0);
    folder
        .esctl("send account/ada Deposit amount=1 --expect 4 -o json")
        .exits(3)
        .says(r#"{"error":{"kind":"conflict","message":"`account/ada` is at version 5, expected version 4","#);
}

#[test]
fn an_id_names_a_command_once_and_for_all() {
    let folder = Folder::opened();
    let first = folder.esctl("send account/ada Deposit amount=1 --id one -o json").done();
    let again = folder.esctl("send account/ada Deposit amount=1 --id one -o json").done();
    assert_eq!(again, first.replace("\"}\n", "\",\"duplicate\":true}\n"));
    folder.esctl("send account/ada Deposit amount=2 --id one").exits(3).says("`one`");
    folder.esctl("replay account/ada").exits(0).prints("version 4");
    folder.esctl("send account/ada Deposit amount=1 --id one").exits(0).prints("accepted before");
}

#[test]
fn what_comes_with_a_command_is_on_its_events() {
    let folder = Folder::bank();
    let line = "send account/ada Open owner=Ada currency=EUR --id k --actor ada --correlation c --causation @7 \
                --meta trace=1 --meta attempt:=1.50 --time 2026-01-01";
    folder.esctl(line).done();
    assert_snapshot!(folder.esctl("events -o ndjson"), @r#"
    exit: 0
    stdout:
    {"position":1,"stream":"account/ada","version":1,"type":"Opened","time":"2026-01-01T00:00:00.000000Z","data":{"owner":"Ada","currency":"EUR"},"command":{"id":"k","name":"Open","actor":"ada","correlation":"c","causation":"@7","meta":{"trace":"1","attempt":1.50}}}
    "#);
    folder.esctl("send account/ada Deposit amount=1 --meta a=1 --meta a=2").exits(2).says("given twice");
}

#[test]
fn time_never_goes_backwards() {
    let folder = Folder::opened();
    let sent = folder.esctl("send account/ada Deposit amount=1 --time 2026-01-01 -o json").exits(0);
    sent.says("note: the time was raised to 2026-01-31T12:00:00.000000Z")
        .prints(r#""raised":"2026-01-31T12:00:00.000000Z""#);
}

#[test]
fn a_dry_run_stores_nothing() {
    let folder = Folder::opened();
    assert_snapshot!(folder.esctl("send account/ada Deposit amount=1.00 --dry-run"), @r#"
    exit: 0
    stdout:
    account/ada  Deposit would be accepted  version 4  @4
      4  @4  Deposited {"amount":1.00}
      ~ balance: 0.30 → 1.30
      balances  ada
        ~ balance: 0.3 → 1.3
        ~ deposits: 2 → 3
      ledger  ada#4  added {"line":"ada#4","account":"ada","version":4,"kind":"deposit","amount":1,"ref":null,"day":"2026-01-31"}
    stderr:
    note: a dry run: nothing was stored
    "#);
    folder
        .esctl("send account/ada Deposit amount=1.00 --dry-run -o json")
        .exits(0)
        .prints(r#""dry_run":true,"state":{"#)
        .prints(r#""changes":[{"path":"/balance","before":0.30,"after":1.30}],"projections":[{"name":"balances","key":"ada","#);
    folder.esctl("send account/ada Withdraw amount=25 --dry-run").exits(1).prints("rejected: insufficient_funds");
    folder.esctl("replay account/ada").exits(0).prints("version 3");
    let fresh = Folder::bank();
    fresh.esctl("send account/ada Open owner=Ada currency=EUR --dry-run").exits(0).prints("@1");
    assert_eq!(fresh.listing(), ["domains"]);
}

#[test]
fn a_script_that_fails_is_shown_in_its_file() {
    let folder = Folder::empty();
    folder.write(
        "domains/d.yaml",
        "domain: d\naggregates:\n  a:\n    state: { n: 0 }\n    events:\n      Split:\n        fields: { by: integer }\n        \
         fold: state.n = 10 / event.by\n    commands:\n      Split2:\n        fields: { by: integer }\n        \
         decide: emit(\"Split\", command)\n",
    );
    folder.esctl("send a/1 Split2 by=0").exits(4).says("--> domains/d.yaml:8:");
    folder
        .esctl("send a/1 Split2 by=0 -o json")
        .exits(4)
        .says(r#""kind":"script""#)
        .says(r#""line":8"#)
        .says(r#""exit":4"#);
    folder.esctl("send a/1 Split2 by=2").exits(0);
}

#[test]
fn what_is_no_store_is_left_alone() {
    let folder = Folder::bank();
    folder.write("text.db", "not a store, but a text of more than a few bytes\n".repeat(100));
    let send = "send account/ada Open owner=Ada currency=EUR";
    folder.esctl(&format!("{send} --store domains")).exits(5).says("`domains`");
    folder.esctl(&format!("{send} --store text.db")).exits(5).says("`text.db`");
    folder.esctl(&format!("{send} --store nowhere/x.db")).exits(5);
    assert!(std::fs::read_to_string(folder.file("text.db")).unwrap().starts_with("not a store"));
}

#[test]
fn a_note_of_a_script_goes_to_stderr() {
    let folder = Folder::empty();
    folder.write(
        "domains/d.yaml",
        "domain: d\naggregates:\n  a:\n    state: {}\n    events:\n      Done: { fold: \"\" }\n    commands:\n      \
         Do:\n        decide: |\n          print(`at ${version}`);\n          emit(\"Done\");\n",
    );
    folder.esctl("send a/1 Do").exits(0).says("note: at 0");
}

#[test]
fn of_many_writers_at_the_same_version_exactly_one_succeeds() {
    let folder = Folder::opened().with_a_running_clock();
    let script = "for n in 1 2 3 4 5 6 7 8; do
        { esctl send account/ada Deposit amount=$n --expect 3 >/dev/null 2>&1; echo $?; } &
    done; wait";
    let exits = folder.bash(script).done();
    let mut exits: Vec<_> = exits.lines().collect();
    exits.sort_unstable();
    assert_eq!(exits, ["0", "3", "3", "3", "3", "3", "3", "3"]);
    folder.esctl("replay account/ada").exits(0).prints("version 4");
}

#[test]
fn the_id_is_said_before_anything_is_sent() {
    let folder = Folder::opened();
    let made = folder.esctl("send account/ada Deposit amount=1 --print-id -o json").exits(0);
    assert_eq!(made.stderr, "id: 019c13ec-9e00-7000-8000-000030000000\n");
    assert!(made.stdout.contains(r#""id":"019c13ec-9e00-7000-8000-000030000000""#), "{made}");
    let given = folder.esctl("send account/ada Deposit amount=1 --id mine --print-id").exits(0);
    assert_eq!(given.stderr, "id: mine\n");
    let rejected = folder.esctl("send account/ada Withdraw amount=99 --print-id").exits(1);
    assert!(rejected.stderr.starts_with("id: 019c13ec-"), "{rejected}");
    // What is not understood is not sent, and has no id.
    assert!(!folder.esctl("send account/ada Deposit amount=x --print-id").exits(2).stderr.contains("id: "));
    // Where nobody can know the id, nothing is sent under it.
    folder.bash("esctl send account/ada Deposit amount=1 --print-id 2> /dev/full").exits(5);
    folder.esctl("replay account/ada").exits(0).prints("version 5");
    folder.esctl("send account/ada Deposit amount=1 --print-id --dry-run").exits(2);
}
