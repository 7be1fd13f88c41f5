//! What holds for the output of every verb

use crate::support::Folder;

/// Every verb that prints, on a store with something in it, with the forms that it has: `t`able, `j`son, `n`djson, `c`sv.
const PRINTING: &[(&str, &str)] = &[
    ("check", "tjnc"),
    ("test", "tjnc"),
    ("test --coverage", "tjnc"),
    ("test --generate 2 --seed 1", "tjnc"),
    ("test --record @1..3", "t"),
    ("describe", "tjnc"),
    ("describe account.Open", "tjnc"),
    ("describe --mermaid", "t"),
    ("describe --dot", "t"),
    ("schema", "tjn"),
    ("schema command account.Open", "tjn"),
    ("send account/ada Deposit amount=1 --dry-run", "tjn"),
    ("replay account/ada", "tjn"),
    ("replay account/ada --steps", "tjnc"),
    ("replay account/ada --steps --only balance", "tjnc"),
    ("events", "tjnc"),
    ("events --reverse", "tjnc"),
    ("events --follow --limit 3", "tnc"),
    ("streams", "tjnc"),
    ("diff account/ada 1", "tjnc"),
    ("diff account/ada account/bob", "tjnc"),
    ("diff --projection balances @1", "tjnc"),
    ("diff --with then.db", "tjnc"),
    ("blame account/ada", "tjnc"),
    ("bisect account/ada 'state.balance > 0'", "tjn"),
    ("bisect --projection balances --key ada 'row.deposits >= 2'", "tjn"),
    ("trace @2", "tjnc"),
    ("trace @2 --flat", "tjnc"),
    ("trace @2 --mermaid", "t"),
    ("plan --with domains", "tjnc"),
    ("plan --with domains --commands", "tjnc"),
    ("project list", "tjnc"),
    ("project status", "tjnc"),
    ("project rebuild", "tjnc"),
    ("project parked", "tjnc"),
    ("project retry", "tjnc"),
    ("project show ledger", "tjnc"),
    ("project show ledger --where 'amount > 0' --order -amount", "tjnc"),
    ("project show ledger --at @2", "tjnc"),
    ("project show ledger --stale", "tjnc"),
    ("project show ledger --follow --limit 1", "tnc"),
    ("project verify", "tjnc"),
    ("process list", "tjnc"),
    ("process status", "tjnc"),
    ("process show transfers", "tjnc"),
    ("process show transfers t1", "tjn"),
    ("process run", "tjn"),
    ("sql 'SELECT * FROM events'", "tjnc"),
    ("rules", "tjnc"),
    ("verify", "tjnc"),
    ("export", "tn"),
    ("export --as cloudevents", "tn"),
    ("snapshot list", "tjnc"),
    ("snapshot rebuild", "tjnc"),
    ("completions bash", "t"),
    ("man", "t"),
    ("help scripts", "t"),
    ("send --help", "t"),
    ("--help", "t"),
];

/// What these print is a receipt of what they did: `send` and `import` exit 7 where it cannot be delivered, the others have
/// done it all the same. `process retry` and `skip` need something that stopped.
const WRITING: &[&str] = &["init", "import", "backup", "fork", "process retry", "process skip"];

/// What prints for long, so that a pipe is full before it has ended.
const LONG: &[&str] = &[
    "events",
    "events --reverse",
    "events --follow",
    "replay account/ada --steps",
    "project show ledger",
    "project show ledger --where 'amount > 0'",
    "project show ledger --follow",
    "sql 'SELECT * FROM events'",
    "export",
    "export --as cloudevents",
    "trace @2",
];

fn lines(forms: &str) -> impl Iterator<Item = &'static str> {
    forms.chars().map(|form| match form {
        't' => "",
        'j' => " -o json",
        'n' => " -o ndjson",
        _ => " -o csv",
    })
}

/// A store with two accounts, two thousand events, a transfer, read models, and a copy from before.
fn full() -> Folder {
    let folder = Folder::opened();
    folder.esctl("send account/bob Open owner=Bob currency=EUR").done();
    folder.esctl("backup then.db").done();
    let deposit = "{\"stream\":\"account/ada\",\"command\":\"Deposit\",\"data\":{\"amount\":1}}\n";
    folder.write("many.ndjson", deposit.repeat(2000));
    folder.esctl("send --batch many.ndjson").exits(0);
    folder.esctl("send transfer/t1 Request from=ada to=bob amount=1").exits(0);
    folder.esctl("project rebuild").done();
    folder
}

#[test]
fn every_verb_that_prints_is_tried() {
    let help = Folder::empty().esctl("--help").done();
    let verbs = |help: &str, above: &str| -> Vec<String> {
        let (list, _) = help.split_once("\noptions:\n").or_else(|| help.split_once("\nfor every verb:\n")).unwrap();
        let listed =
            list.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with([' ', '-']));
        listed.map(|line| format!("{above}{}", line.split(' ').next().unwrap())).collect()
    };
    let mut missing = Vec::new();
    for verb in verbs(&help, "") {
        let within = match verb.as_str() {
            "project" | "process" | "snapshot" => {
                verbs(&Folder::empty().esctl(&format!("{verb} --help")).done(), &format!("{verb} "))
            }
            _ => vec![verb],
        };
        missing.extend(within.into_iter().filter(|verb| {
            let tried = PRINTING.iter().map(|(line, _)| *line).chain(WRITING.iter().copied());
            !tried.into_iter().any(|line| line == verb || line.starts_with(&format!("{verb} ")))
        }));
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_closed_pipe_ends_a_reading_verb_quietly() {
    let folder = full();
    for (verb, forms) in PRINTING {
        let mut printed = false;
        for form in lines(forms) {
            // What is said besides the data is said all the same.
            let read = folder.esctl(&format!("{verb}{form}")).exits(0);
            printed |= !read.stdout.is_empty();
            let unread = folder.esctl_unread(&format!("{verb}{form}"));
            assert_eq!(unread.exit, 0, "{verb}{form}: {unread}");
            let known = |line: &&str| read.stderr.lines().any(|said| said == *line);
            let new: Vec<_> = unread.stderr.lines().filter(|line| !known(line)).collect();
            assert!(new.is_empty(), "{verb}{form}: {unread}");
        }
        assert!(printed, "{verb} prints nothing");
    }
}

#[test]
fn a_reader_that_has_seen_enough_ends_long_output() {
    let folder = full();
    for verb in LONG {
        for form in ["", " -o ndjson"] {
            let outcome = folder.bash(&format!("esctl {verb}{form} | head -1; echo \"exit ${{PIPESTATUS[*]}}\" >&2"));
            assert_eq!(outcome.stdout.lines().count(), 1, "{verb}{form}: {outcome}");
            assert_eq!(outcome.stderr, "exit 0 0\n", "{verb}{form}: {outcome}");
        }
    }
}

#[test]
fn what_is_printed_as_json_is_json_to_jq() {
    let folder = full();
    for (verb, forms) in PRINTING {
        for form in lines(forms).filter(|form| form.contains("json")) {
            let count = if form.contains("ndjson") { "jq -c . | wc -l" } else { "jq -s length" };
            let script = format!("set -o pipefail; esctl {verb}{form} > out; wc -l < out >&2; {count} < out");
            let outcome = folder.bash(&script).exits(0);
            if form.contains("ndjson") {
                // As many values as lines.
                let lines = outcome.stderr.lines().last().unwrap_or_default();
                assert_eq!(outcome.stdout.trim(), lines.trim(), "{verb}{form}: {outcome}");
            } else {
                assert!(matches!(outcome.stdout.trim(), "0" | "1"), "{verb}{form} is one document: {outcome}");
            }
        }
    }
}

#[test]
fn a_full_disk_is_not_taken_for_success() {
    let folder = full();
    for (verb, _) in PRINTING.iter().filter(|(verb, _)| !verb.contains("--help")) {
        let read = folder.esctl(verb).exits(0);
        if !read.stdout.is_empty() {
            folder.bash(&format!("esctl {verb} > /dev/full")).exits(5).says("could not be written");
        }
    }
}

#[test]
fn a_closed_stdout_is_no_reason_to_panic() {
    let folder = full();
    let others = ["send account/ada Deposit amount=1", "nonsense", "help nonsense", "complete bash esctl ''"];
    for verb in PRINTING.iter().map(|(verb, _)| *verb).chain(others) {
        let outcome = folder.bash(&format!("esctl {verb} >&-; esctl {verb} >&- 2>&-; exit 0"));
        assert!(!outcome.stderr.contains("panicked"), "{verb}: {outcome}");
    }
}

#[test]
fn a_receipt_that_cannot_be_delivered_exits_7_and_names_the_id() {
    let folder = Folder::opened();
    let full = folder.bash("esctl send account/ada Deposit amount=1 > /dev/full").exits(7);
    full.says("`Deposit` is stored, but its receipt could not be delivered").says("--id 019c13ec-");
    folder.esctl("replay account/ada").exits(0).prints("version 4");
    let script = "{ sleep 0.1; esctl send account/ada Deposit amount=1; echo \"exit $?\" >&2; } | true";
    folder.bash(script).says("exit 7\n");
    folder.bash("esctl send account/ada Withdraw amount=99 > /dev/full").exits(1);
}

#[test]
fn control_characters_never_reach_a_terminal_raw() {
    let folder = Folder::bank();
    folder.write("name.txt", "A\u{1b}[31m\u{9b}\u{202e}\u{7}a");
    folder.esctl("send account/ada Open owner=@name.txt currency=EUR").done();
    for verb in
        ["events", "events -o json", "replay account/ada", "replay account/ada --steps", "project show balances"]
    {
        let text = folder.esctl(verb).done();
        assert!(!text.contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7}']), "{verb}: {text:?}");
        assert!(text.contains(r"A\u001b[31m\u009b\u202e\u0007a"), "{verb}: {text:?}");
    }
}

#[test]
fn nor_do_those_that_processes_keep_as_keys_states_and_reasons() {
    let folder = Folder::empty();
    folder.write("domains/d.yaml", COPIES);
    folder.write(
        "b.ndjson",
        r#"{"stream":"note/1","command":"Write","data":{"text":"A\u001b[31m\u009b\u202e\u0007,\"\n"}}"#,
    );
    let sent = folder.bash("esctl send --batch b.ndjson");
    let raw = ['\u{1b}', '\u{9b}', '\u{202e}', '\u{7}'];
    assert!(sent.exit == 0 && !sent.stderr.contains(raw), "{sent}");
    for verb in ["status", "show copies", "status -o csv", "show copies -o csv"] {
        let said = folder.esctl(&format!("process {verb}"));
        assert!(!said.stdout.contains(raw) && !said.stderr.contains(raw), "{verb}: {said}");
        assert!(
            format!("{}{}", said.stdout, said.stderr).contains(r"A\u001b[31m\u009b\u202e\u0007,"),
            "{verb}: {said}"
        );
    }
    // A record is one line, whatever is in it, and has as many columns as the first one.
    let listed = folder.esctl("process show copies -o csv").done();
    let lines: Vec<&str> = listed.lines().collect();
    assert_eq!(lines.len(), 2, "{listed}");
    assert!(lines[1].starts_with(r#""A\u001b[31m\u009b\u202e\u0007,""\n",stopped,1,"#), "{listed}");
}

/// A process that keeps what it is given, and is refused with it.
const COPIES: &str = r#"
domain: d
aggregates:
  note:
    state: { text: "" }
    events:
      Written:
        fields: { text: string }
        fold: state.text = event.text
    commands:
      Write:
        fields: { text: string }
        decide: emit("Written", command)
  copy:
    state: { text: "" }
    events:
      Copied:
        fields: { text: string }
        fold: state.text = event.text
    commands:
      Copy:
        fields: { text: string }
        decide: |
          require(command.text == "", "ugly", `ugly ${command.text}`);
          emit("Copied", command);
processes:
  copies:
    key: { note.Written: event.text }
    starts: note.Written
    state: { text: "" }
    on:
      note.Written: |
        state.text = event.text;
        send("copy/1", "Copy", #{ text: event.text });
"#;

#[test]
fn colour_is_for_those_who_want_it() {
    let folder = Folder::opened();
    let escape = '\u{1b}';
    assert!(!folder.esctl("events").done().contains(escape));
    assert!(folder.esctl("events --color always").done().contains(escape));
    assert!(folder.esctl("replay x/y --color always").exits(2).stderr.contains(escape));
    assert!(!folder.esctl("replay x/y --color never").exits(2).stderr.contains(escape));
    assert!(!folder.bash("NO_COLOR=1 esctl events").done().contains(escape));
    assert!(!folder.esctl("events --color always -o json").done().contains(escape));
}

#[test]
fn numbers_come_out_as_they_went_in() {
    let folder = Folder::bank();
    folder.esctl("send account/ada Open owner=Ada currency=EUR").done();
    for amount in ["25.10", "0.01", "12345678901234567890.12"] {
        let receipt = folder.esctl(&format!("send account/ada Deposit amount={amount} -o json")).done();
        assert!(receipt.contains(&format!(r#""data":{{"amount":{amount}}}"#)), "{receipt}");
    }
    folder.esctl("replay account/ada -o json").exits(0).prints(r#""balance":12345678901234567915.23"#);
    folder.esctl("project show balances -o json").exits(0).prints(r#""balance":12345678901234567915.23"#);
}

#[test]
fn a_clock_that_is_none_is_said() {
    Folder::bank().bash("ESCTL_CLOCK=noon esctl check").exits(2).says("ESCTL_CLOCK").says("`noon`");
}

#[test]
fn looking_writes_nothing() {
    let folder = Folder::opened();
    let before = std::fs::read(folder.file("esctl.db")).unwrap();
    for verb in
        ["replay account/ada", "replay account/ada --steps", "events", "streams", "project status", "test", "check"]
    {
        folder.esctl(verb).done();
    }
    assert_eq!(std::fs::read(folder.file("esctl.db")).unwrap(), before);
}
