//! `esctl test --generate`

use crate::support::{Folder, Outcome};
use insta::assert_snapshot;
use serde_json::Value;

/// A domain of one aggregate: its state, events and commands, and whatever follows.
fn folder(domain: &str) -> Folder {
    let folder = Folder::empty();
    folder.write("domains/d.yaml", format!("domain: d\n{domain}"));
    folder
}

/// What is told of a run, as data.
fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|problem| panic!("{problem}: {outcome}"))
}

/// Puts the scenario that was printed under `scenarios:` of the domain file, and runs it. It is sound, and no warning comes by it.
fn pasted(folder: &Folder, outcome: &Outcome) -> Outcome {
    let (_, scenario) = outcome.stdout.split_once("as a scenario, to be put under `scenarios:`\n\n").unwrap();
    let (scenario, _) = scenario.rsplit_once("\n\n").unwrap();
    let domain = std::fs::read_to_string(folder.file("domains/d.yaml")).unwrap();
    let before = folder.esctl("check").exits(0);
    folder.write("domains/d.yaml", format!("{domain}\nscenarios:\n{scenario}\n"));
    let after = folder.esctl("check").exits(0).prints("1 scenario");
    assert_eq!(before.stderr, after.stderr);
    folder.esctl("test")
}

const DIVIDES: &str = r#"types:
  Share: { type: integer, minimum: 0, maximum: 100 }
aggregates:
  split:
    state: { total: 100, each: 100 }
    events:
      Parted:
        fields: { among: Share }
        fold: state.each = state.total / event.among
    commands:
      Part:
        fields: { among: Share, by: string, note?: string }
        decide: |
          require(command.by != "", "nobody");
          emit("Parted", #{ among: command.among });
      Join:
        decide: reject("not_yet")
"#;

#[test]
fn a_fold_that_divides_by_nothing_is_found_and_made_short() {
    let folder = folder(DIVIDES);
    let outcome = folder.esctl("test --generate 100 --seed 7");
    assert_snapshot!(outcome, @r#"
    exit: 1
    stdout:
    command     sent  accepted  rejected
    split.Part     9         6         2  nobody 2
    split.Join     6         0         6  not_yet 6

    FAILED  no script fails, in run 1 after 15 commands
      error: division by zero: 100 / 0
        --> domains/d.yaml:10:40
         |
      10 |         fold: state.each = state.total / event.among
         |                                        ^
         = while folding `Parted`, which the decision emitted, into `split/1`

    as a scenario, to be put under `scenarios:`

      # esctl test --generate 100 --seed 7
      # division by zero: 100 / 0
      - name: no script fails (seed 7, run 1)
        when:
          split/1 Part: { among: 0, by: "0" }
        # What has to come of it is for you to say: here, that it is accepted.
        then: { state: {} }

    1 run: 15 commands, 6 accepted, 8 rejected, 6 events; seed 7
    "#);
    assert_snapshot!(pasted(&folder, &outcome), @r"
    exit: 2
    stdout:
    cannot run  d: no script fails (seed 7, run 1)
      error: division by zero: 100 / 0
        --> domains/d.yaml:10:40
         |
      10 |         fold: state.each = state.total / event.among
         |                                        ^
         = while folding `Parted`, which the decision emitted, into `split/1`
    1 scenario: 1 cannot run
    ");
}

const OVERFLOWS: &str = r#"aggregates:
  counter:
    state: { n: 0 }
    events:
      Added:
        fields: { amount: integer }
        fold: state.n += event.amount
    commands:
      Add:
        fields: { amount: integer, note?: string, tags?: [string], more: { when?: date, how: any } }
        decide: |
          require(command.amount != 0, "nothing", "add something");
          emit("Added", #{ amount: command.amount });
"#;

#[test]
fn numbers_that_grow_too_large_are_found_and_made_small() {
    let folder = folder(OVERFLOWS);
    let outcome = folder.esctl("test --generate 100 --seed 7");
    assert_snapshot!(outcome, @r"
    exit: 1
    stdout:
    command      sent  accepted  rejected
    counter.Add    16        15         0

    FAILED  no script fails, in run 1 after 16 commands
      error: addition overflow: 1 + 9223372036854775807
       --> domains/d.yaml:8:23
        |
      8 |         fold: state.n += event.amount
        |                       ^
        = while folding `Added`, which the decision emitted, into `counter/1`

    as a scenario, to be put under `scenarios:`

      # esctl test --generate 100 --seed 7
      # addition overflow: 1 + 9223372036854775807
      - name: no script fails (seed 7, run 1)
        given:
          - counter/1 Add: { amount: 1, more: { how: null } }
        when:
          counter/1 Add: { amount: 9223372036854775807, more: { how: null } }
        # What has to come of it is for you to say: here, that it is accepted.
        then: { state: {} }

    1 run: 16 commands, 15 accepted, 0 rejected, 15 events; seed 7
    ");
    assert_snapshot!(pasted(&folder, &outcome), @r"
    exit: 2
    stdout:
    cannot run  d: no script fails (seed 7, run 1)
      error: addition overflow: 1 + 9223372036854775807
       --> domains/d.yaml:8:23
        |
      8 |         fold: state.n += event.amount
        |                       ^
        = while folding `Added`, which the decision emitted, into `counter/1`
    1 scenario: 1 cannot run
    ");
}

const SHELVES: &str = r#"aggregates:
  shelf:
    state: { books: 0 }
    events:
      Stocked: { fields: { books: { type: integer, minimum: 1, maximum: 9 } }, fold: state.books += event.books }
      Emptied: { fold: state.books = 0 }
    commands:
      Stock:
        fields: { books: { type: integer, minimum: 1, maximum: 9 } }
        decide: emit("Stocked", command)
      Empty:
        decide: |
          require(version > 0, "empty");
          emit("Emptied");
projections:
  averages:
    columns: { shelf: string, books: integer, times: integer, average: integer }
    key: meta.id
    on:
      shelf.Stocked: |
        row.books += event.books;
        row.times += 1;
      shelf.Emptied: |
        row.average = row.books / row.times;
        row.times = 0;
"#;

#[test]
fn a_handler_of_a_projection_that_fails_is_found() {
    let folder = folder(SHELVES);
    let outcome = folder.esctl("test --generate 100 --seed 7");
    assert_snapshot!(outcome, @r#"
    exit: 1
    stdout:
    command      sent  accepted  rejected
    shelf.Stock     2         2         0
    shelf.Empty     3         1         1  empty 1

    FAILED  no script fails, in run 1 after 5 commands
      error: division by zero: 1 / 0
        --> domains/d.yaml:25:33
         |
      25 |         row.average = row.books / row.times;
         |                                 ^
         = while projecting `Emptied` of `shelf/1` (@3) into row "1" of `averages`

    as a scenario, to be put under `scenarios:`

      # esctl test --generate 100 --seed 7
      # division by zero: 1 / 0
      - name: no script fails (seed 7, run 1)
        given:
          - shelf/1 Stock: { books: 1 }
          - shelf/1 Empty: {}
        when:
          shelf/1 Empty: {}
        # What has to be in the row is for you to say.
        then: { rows: { averages: { "1": {} } } }

    1 run: 5 commands, 3 accepted, 1 rejected, 3 events; seed 7
    "#);
    assert_snapshot!(pasted(&folder, &outcome), @r#"
    exit: 2
    stdout:
    cannot run  d: no script fails (seed 7, run 1)
      error: division by zero: 1 / 0
        --> domains/d.yaml:25:33
         |
      25 |         row.average = row.books / row.times;
         |                                 ^
         = while projecting `Emptied` of `shelf/1` (@3) into row "1" of `averages`
    1 scenario: 1 cannot run
    "#);
}

#[test]
fn so_is_one_that_goes_with_the_events() {
    let folder = folder(&SHELVES.replace("    key: meta.id\n", "    key: meta.id\n    inline: true\n"));
    let outcome = folder.esctl("test --generate 100 --seed 7").exits(1);
    pasted(&folder, &outcome).exits(2).prints("division by zero: 1 / 0");
}

#[test]
fn a_key_of_a_projection_that_fails_is_found() {
    let keyed = SHELVES
        .replace("    key: meta.id\n", "    key: |\n      if event.books > 7 { [1][event.books] } else { meta.id }\n");
    let folder = folder(
        &keyed.replace("shelf.Emptied: |\n        row.average = row.books / row.times;\n        row.times = 0;", ""),
    );
    let outcome = folder.esctl("test --generate 100 --seed 7");
    assert_snapshot!(outcome, @r#"
    exit: 1
    stdout:
    command      sent  accepted  rejected
    shelf.Stock     1         0         0
    shelf.Empty     1         0         1  empty 1

    FAILED  no script fails, in run 1 after 2 commands
      error: there is no item 8 in a list of 1
        --> domains/d.yaml:20:32
         |
      20 |       if event.books > 7 { [1][event.books] } else { meta.id }
         |                                ^^^^^
         = while projecting `Stocked` of `shelf/1` (@1) into `averages`

    as a scenario, to be put under `scenarios:`

      # esctl test --generate 100 --seed 7
      # there is no item 8 in a list of 1
      - name: no script fails (seed 7, run 1)
        when:
          shelf/1 Stock: { books: 8 }
        # What has to be in the row is for you to say.
        then: { rows: { averages: { "1": {} } } }

    1 run: 2 commands, 0 accepted, 1 rejected, 0 events; seed 7
    "#);
    pasted(&folder, &outcome).exits(2).prints("there is no item 8 in a list of 1");
}

#[test]
fn decisions_that_fail_after_some_time_are_found_with_that_time() {
    let folder = folder(
        r#"aggregates:
  loan:
    state: { since: null, rate: 0 }
    events:
      Begun: { fields: { day: date }, fold: state.since = event.day }
      Rated: { fields: { rate: integer }, fold: state.rate = event.rate }
    commands:
      Begin:
        decide: |
          require(state.since == (), "begun");
          emit("Begun", #{ day: date_of(meta.time) });
      Rate:
        decide: |
          require(state.since != (), "not_begun");
          emit("Rated", #{ rate: 100 / (14 - days_between(state.since, meta.time)) });
"#,
    );
    let outcome = folder.esctl("test --generate 200 --seed 7");
    assert_snapshot!(outcome, @r#"
    exit: 1
    stdout:
    command     sent  accepted  rejected
    loan.Begin    44        31        13  begun 13
    loan.Rate    178       173         4  not_begun 4

    FAILED  no script fails, in run 10 after 15 commands
      error: division by zero: 100 / 0
        --> domains/d.yaml:16:38
         |
      16 |           emit("Rated", #{ rate: 100 / (14 - days_between(state.since, meta.time)) });
         |                                      ^
         = while deciding `Rate` on `loan/1` at version 1

    as a scenario, to be put under `scenarios:`

      # esctl test --generate 200 --seed 7
      # division by zero: 100 / 0
      - name: no script fails (seed 7, run 10)
        given:
          - loan/1 Begin: {}
        when:
          loan/1 Rate: {}
          at: 1970-01-15
        # What has to come of it is for you to say: here, that it is accepted.
        then: { state: {} }

    10 runs: 222 commands, 204 accepted, 17 rejected, 204 events; seed 7
    "#);
    pasted(&folder, &outcome).exits(2).prints("division by zero: 100 / 0");
}

#[test]
fn an_invariant_that_fails_is_found() {
    let few = OVERFLOWS.replace("amount: integer, note?", "amount: { type: integer, minimum: -5, maximum: 5 }, note?");
    let folder = folder(&format!("{few}    invariants:\n      even_shares: 100 % (state.n - 1) >= 0\n"));
    let outcome = folder.esctl("test --generate 100 --seed 7").exits(1);
    outcome.clone().prints("FAILED  no script fails").prints("counter/1 Add: { amount: 1, more: { how: null } }");
    pasted(&folder, &outcome).exits(2).prints("even_shares: 100 % (state.n - 1) >= 0");
}

const LETTERS: &str = r#"aggregates:
  word:
    state: { first: "", same: 0 }
    events:
      Said: { fields: { text: string }, fold: "state.first = event.text.to_chars()[0]" }
      Asked: { fold: "state.same += switch state.first { 'a' => 1, _ => 2 }" }
    commands:
      Say:
        fields: { text: { type: string, min_length: 1 } }
        decide: emit("Said", command)
      Ask:
        decide: emit("Asked")
"#;

/// A character is written as a text, and comes back as one: what was kept of a stream would go on otherwise than its log.
#[test]
fn a_state_that_does_not_survive_being_written_is_found() {
    let folder = folder(LETTERS);
    let outcome = folder.esctl("test --generate 100 --seed 7");
    assert_snapshot!(outcome, @r#"
    exit: 1
    stdout:
    command   sent  accepted  rejected
    word.Say    63        63         0
    word.Ask    62        61         0

    FAILED  a state is what its events give, in run 6 after 5 commands
      error: the state of `word/1`, written as data at version 1 and folded on to version 2, differs
               from the data  {"first":"a","same":2}
               from the log   {"first":"a","same":1}

    as a scenario, to be put under `scenarios:`

      # esctl test --generate 100 --seed 7
      # the state of `word/1`, written as data at version 1 and folded on to version 2, differs
      # from the data  {"first":"a","same":2}
      # from the log   {"first":"a","same":1}
      - name: a state is what its events give (seed 7, run 6)
        given:
          - word/1 Say: { text: a }
        when:
          word/1 Ask: {}
        # A scenario cannot ask for what is broken here; it holds the commands.
        then: { state: {} }

    6 runs: 125 commands, 124 accepted, 0 rejected, 124 events; seed 7
    "#);
    // A scenario cannot ask for that; it is sound all the same.
    pasted(&folder, &outcome).exits(0);
}

#[test]
fn a_state_that_cannot_be_written_is_found() {
    let folder = folder(&LETTERS.replace("event.text.to_chars()[0]", "range(0, event.text.len())"));
    let outcome = folder.esctl("test --generate 100 --seed 7").exits(1);
    outcome.clone().prints("the state of `word/1` at version 1: a range cannot be stored");
    pasted(&folder, &outcome).exits(2).prints("a range cannot be stored");
}

#[test]
fn what_is_odd_in_a_scenario_is_quoted() {
    let folder = folder(
        r#"aggregates:
  note:
    state: { n: 0 }
    events:
      Noted: { fields: { "on": string, é: string }, fold: state.n += 1 }
    commands:
      Note:
        fields: { "on": { one_of: ["yes", "a: b # c", "\t\"", "2026-01-31"] }, é: { type: string, pattern: "^ #.: '$" }, list: { type: list, items: { one_of: ["null", 1, 2.50, null] }, min_items: 4, unique_items: true } }
        decide: |
          throw "broken";
          emit("Noted", #{ "on": command["on"], "é": command["é"] });
"#,
    );
    let outcome = folder.esctl("test --generate 1 --seed 1").exits(1);
    pasted(&folder, &outcome).exits(2).prints("broken");
}

#[test]
fn the_same_seed_is_the_same_byte_for_byte() {
    let folder = Folder::bank();
    let once = folder.esctl("test --generate 40 --seed 5 -o json");
    assert_eq!(once, folder.esctl("test --generate 40 --seed 5 -o json"));
    let of = |seed: &str| json(&folder.esctl(&format!("test --generate 40 --seed {seed} -o json")).exits(0));
    assert_ne!(of("5")["digest"], of("6")["digest"]);
    // A run does not depend on how many there are.
    assert_eq!(of("18446744073709551615")["runs"], 40);
}

#[test]
fn without_a_seed_one_is_drawn_and_told() {
    let folder = Folder::bank().with_a_running_clock();
    let drawn = folder.esctl("test --generate 20 -o json").exits(0);
    let seed = json(&drawn)["seed"].as_u64().unwrap();
    assert_eq!(drawn, folder.esctl(&format!("test --generate 20 --seed {seed} -o json")));
    assert_ne!(seed, json(&folder.esctl("test --generate 20 -o json"))["seed"].as_u64().unwrap());
    let fixed = Folder::bank();
    assert_eq!(fixed.esctl("test --generate 2"), fixed.esctl("test --generate 2"));
}

#[test]
fn runs_that_hold_say_what_was_sent() {
    assert_snapshot!(Folder::bank().esctl("test --generate 100 --seed 7"), @r"
    exit: 0
    stdout:
    command               sent  accepted  rejected
    account.Open           249       235        14  already_open 14
    account.Deposit        144        95        49  not_open 49
    account.Withdraw       168        41       127  insufficient_funds 73, not_open 54
    account.Transfer       188         5       183  insufficient_funds 5, not_open 55, other_currency 3, same_account 22, target_not_open 98
    account.Refund         173       155        18  unknown_account 18
    account.SetOverdraft   168       110        58  balance_is_within_the_overdraft 1, negative_limit 10, not_open 47
    account.Close          178        64       114  not_empty 57, not_open 57
    transfer.Request       238       198        40  already_requested 14, same_account 26
    transfer.Complete      189         0       189  not_under_way 189
    transfer.Fail          184         0       184  not_under_way 184

    ok      no script fails
    ok      invariants hold on what is stored
    ok      a state is what its events give
    ok      a read model is what its events give
    ok      the same seed gives the same run
    100 runs: 1,879 commands, 903 accepted, 976 rejected, 1,134 events; seed 7
    ");
}

/// Every command of every example is accepted somewhere; in some of them everything is reached.
#[test]
fn the_examples_hold_and_are_reached() {
    let folder = Folder::empty();
    for name in ["bank", "cart", "clients", "courses", "fulfilment", "git", "hotel", "orders"] {
        let domain = format!("{}/domains/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let told =
            json(&folder.esctl(&format!("test --generate 300 --seed 1 --domain {domain} --coverage -o json")).exits(0));
        assert_eq!(told["outcome"], "passed");
        assert_eq!(told["never_accepted"], Value::Array(Vec::new()), "{name}");
        if matches!(name, "bank" | "git") {
            assert_eq!(told["coverage"]["missing"], Value::Array(Vec::new()), "{name}");
        }
    }
}

#[test]
fn what_was_never_accepted_is_named() {
    let domain = r#"types:
  Odd: { type: string, pattern: "a^b" }
aggregates:
  word:
    state: { n: "" }
    events:
      Said: { fields: { n: string }, fold: state.n = event.n }
    commands:
      Say:
        fields: { n: Odd }
        decide: emit("Said", command)
      Ask:
        fields: { n?: Odd }
        decide: reject("never")
"#;
    assert_snapshot!(folder(domain).esctl("test --generate 10 --seed 7"), @r"
    exit: 0
    stdout:
    command   sent  accepted  rejected
    word.Say     0         0         0
    word.Ask    91         0        91  never 91
    no value fits `n` of word.Say: a string, the pattern `a^b`
    no value fits `n` of word.Ask: a string, the pattern `a^b`
    no command was ever accepted: this proves nothing

    ok      no script fails
    ok      invariants hold on what is stored
    ok      a state is what its events give
    ok      a read model is what its events give
    ok      the same seed gives the same run
    10 runs: 91 commands, 0 accepted, 91 rejected, 0 events; seed 7
    ");
    let shout = "      Shout:\n        decide: |\n          emit(\"Said\", #{ n: \"hey\" })\n";
    assert_snapshot!(folder(&format!("{domain}{shout}")).esctl("test --generate 10 --seed 7"), @r"
    exit: 0
    stdout:
    command     sent  accepted  rejected
    word.Say       0         0         0
    word.Ask      58         0        58  never 58
    word.Shout    94        94         0
    no value fits `n` of word.Say: a string, the pattern `a^b`
    no value fits `n` of word.Ask: a string, the pattern `a^b`
    never accepted, so that nothing is known of what they give: word.Say, word.Ask

    ok      no script fails
    ok      invariants hold on what is stored
    ok      a state is what its events give
    ok      a read model is what its events give
    ok      the same seed gives the same run
    10 runs: 152 commands, 94 accepted, 58 rejected, 94 events; seed 7
    ");
}

#[test]
fn results_are_data() {
    let folder = folder(DIVIDES);
    assert_snapshot!(folder.esctl("test --generate 100 --seed 7 -o json"), @r#"
    exit: 1
    stdout:
    {"outcome":"failed","seed":7,"generate":100,"runs":1,"sent":15,"accepted":6,"rejected":8,"events":6,"digest":"<hash>","commands":[{"command":"split.Part","sent":9,"accepted":6,"rejected":{"nobody":2}},{"command":"split.Join","sent":6,"accepted":0,"rejected":{"not_yet":6}}],"never_accepted":["split.Join"],"broken":{"law":"scripts","says":"no script fails","run":1,"length":15,"problem":{"severity":"error","rule":"script","message":"division by zero: 100 / 0","place":{"file":"domains/d.yaml","line":10,"column":40},"excerpt":"        fold: state.each = state.total / event.among","situation":"while folding `Parted`, which the decision emitted, into `split/1`","hints":[]},"commands":[{"stream":"split/1","command":"Part","data":{"among":0,"by":"0"},"time":"1970-01-01T00:00:00.000000Z"}],"scenario":"  # esctl test --generate 100 --seed 7\n  # division by zero: 100 / 0\n  - name: no script fails (seed 7, run 1)\n    when:\n      split/1 Part: { among: 0, by: \"0\" }\n    # What has to come of it is for you to say: here, that it is accepted.\n    then: { state: {} }\n"}}
    "#);
    assert_eq!(
        folder.esctl("test --generate 100 --seed 7 -o json"),
        folder.esctl("test --generate 100 --seed 7 -o ndjson")
    );
    assert_snapshot!(folder.esctl("test --generate 100 --seed 7 -o csv"), @r"
    exit: 1
    stdout:
    command,sent,accepted,rejected,codes
    split.Part,9,6,2,nobody 2
    split.Join,6,0,6,not_yet 6
    stderr:
    note: FAILED  no script fails: division by zero: 100 / 0; `-o table` and `-o json` say more
    ");
}

#[test]
fn the_scenario_in_the_data_is_the_one_that_is_printed() {
    let folder = folder(SHELVES);
    let told = json(&folder.esctl("test --generate 100 --seed 7 -o json").exits(1));
    let scenario = told["broken"]["scenario"].as_str().unwrap();
    folder.esctl("test --generate 100 --seed 7").exits(1).prints(scenario);
    assert_eq!(told["broken"]["commands"].as_array().unwrap().len(), scenario.matches("shelf/1").count());
}

#[test]
fn random_runs_say_what_they_reach() {
    let folder = Folder::bank();
    assert_snapshot!(folder.esctl("test --generate 1 --seed 7 --coverage"), @r"
    exit: 0
    stdout:
    command               sent  accepted  rejected
    account.Open             3         3         0
    account.Deposit          1         0         1  not_open 1
    account.Withdraw         3         1         2  insufficient_funds 1, not_open 1
    account.Transfer         2         0         2  not_open 1, target_not_open 1
    account.Refund           2         2         0
    account.SetOverdraft     4         1         3  negative_limit 1, not_open 2
    account.Close            3         2         1  not_open 1
    transfer.Request         2         2         0
    transfer.Complete        1         0         1  not_under_way 1
    transfer.Fail            3         0         3  not_under_way 3
    never accepted, so that nothing is known of what they give: account.Deposit, account.Transfer, transfer.Complete

    ok      no script fails
    ok      invariants hold on what is stored
    ok      a state is what its events give
    ok      a read model is what its events give
    ok      the same seed gives the same run
    1 run: 24 commands, 11 accepted, 13 rejected, 13 events; seed 7

    commands    10 of 10
    events      7 of 8; never emitted:
      transfer.Completed  domains/bank.yaml:100
    rejections  10 of 18; never given:
      account.Open: already_open            domains/bank.yaml:43
      account.Transfer: same_account        domains/bank.yaml:62
      account.Transfer: other_currency      domains/bank.yaml:65
      account.Transfer: insufficient_funds  domains/bank.yaml:66
      account.Refund: unknown_account       domains/bank.yaml:74
      account.Close: not_empty              domains/bank.yaml:85
      transfer.Request: already_requested   domains/bank.yaml:111
      transfer.Request: same_account        domains/bank.yaml:112
    invariants  0 of 1; never said no:
      account.balance_is_within_the_overdraft  domains/bank.yaml:89
    handlers    8 of 11; never run:
      transfers: account.Withdrawn         domains/bank.yaml:139
      transfers: account.Deposited         domains/bank.yaml:141
      transfers: account.Deposit rejected  domains/bank.yaml:153
    72.9 % reached: 35 of 48
    ");
    folder
        .esctl("test --generate 1 --seed 7 --min 100")
        .exits(1)
        .says("% is less than the 100 % that `--min` asks for");
    folder.esctl("test --generate 200 --seed 7 --min 100").exits(0);
    folder.esctl("test --generate 1 --seed 7 --coverage -o csv").exits(0).prints("kind,name,file,line\n");
}

#[test]
fn a_filter_chooses_aggregates() {
    let folder = Folder::bank();
    folder.write("domains/git.yaml", std::fs::read(crate::support::sources().join("domains/git.yaml")).unwrap());
    let commands = |filter: &str| {
        let told = json(&folder.esctl(&format!("test {filter} --generate 5 --seed 7 -o json")).exits(0));
        let all = told["commands"].as_array().unwrap().clone();
        all.iter().map(|command| command["command"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(commands("PATH"), ["path.Change"]);
    assert_eq!(commands("git.yaml"), ["commit.Record", "path.Change"]);
    assert_eq!(commands("").len(), 12);
    assert_snapshot!(folder.esctl("test nowhere --generate 5"), @r"
    exit: 2
    stderr:
    error: no aggregate with commands has `nowhere` in its name or in the name of its file
    hint: `esctl describe` shows the aggregates
    ");
}

#[test]
fn what_makes_no_sense_is_refused() {
    let folder = Folder::bank();
    for line in ["--generate 0", "--generate some", "--generate 5 --junit x.xml", "--seed 5", "--generate 5 --seed -1"]
    {
        let outcome = folder.esctl(&format!("test {line}")).exits(2);
        assert!(outcome.stdout.is_empty() && !outcome.stderr.is_empty(), "{line}: {outcome}");
    }
    assert_eq!(folder.listing(), ["domains"]);
    let nothing = Folder::empty();
    nothing.write("domains/d.yaml", "domain: d\n");
    assert_snapshot!(nothing.esctl("test --generate 5"), @r"
    exit: 2
    stderr:
    error: there is no command to send
    hint: write some under `commands` of an aggregate
    ");
}

#[test]
fn random_runs_make_no_store_and_print_no_notes() {
    let folder = folder(
        &DIVIDES
            .replace("minimum: 0", "minimum: 1")
            .replace("          require(", "          print(\"hey\");\n          require("),
    );
    let outcome = folder.esctl("test --generate 5 --seed 7").exits(0);
    assert_eq!((outcome.stderr.as_str(), folder.listing()), ("", vec!["domains".to_owned()]));
}
