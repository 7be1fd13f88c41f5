//! What holds for the output of every verb

use crate::support::Folder;

/// Verbs that only read, on a store with something in it.
const READING: &[&str] = &[
    "check -o json",
    "test",
    "describe",
    "describe --dot",
    "schema",
    "replay account/ada",
    "replay account/ada --steps",
    "events",
    "events -o json",
    "events -o csv",
    "streams",
    "project list",
    "project status",
    "project show balances",
    "export",
    "export --as cloudevents",
];

#[test]
fn a_closed_pipe_ends_a_reading_verb_quietly() {
    let folder = Folder::opened();
    for verb in READING {
        // The reader is gone before the first byte is written.
        let outcome = folder.bash(&format!("{{ sleep 0.1; esctl {verb}; echo \"exit $?\" >&2; }} | true"));
        assert_eq!(outcome.stderr, "exit 0\n", "{verb}: {outcome}");
    }
}

#[test]
fn a_full_disk_is_not_taken_for_success() {
    let folder = Folder::opened();
    for verb in READING {
        folder.bash(&format!("esctl {verb} > /dev/full")).exits(5).says("could not be written");
    }
}

#[test]
fn a_closed_stdout_is_no_reason_to_panic() {
    let folder = Folder::opened();
    for verb in READING.iter().chain(&["--help", "send account/ada Deposit amount=1", "nonsense"]) {
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
