//! How far long work has come, on a terminal of its own.

use crate::support::terminal::{Terminal, left_of};
use crate::support::{Folder, skipped};
use rustix::process::Signal;
use std::fmt::Write as _;

const SIZE: (u16, u16) = (100, 24);

/// A store with a read model, and what the verbs below need.
fn folder() -> Folder {
    let folder = Folder::opened();
    let mut lines = String::new();
    for number in 0..300 {
        let _ = writeln!(
            lines,
            r#"{{"stream":"account/ada","command":"Deposit","data":{{"amount":1}},"id":"deposit {number}"}}"#
        );
    }
    folder.write("in.ndjson", &lines);
    folder.esctl("send --batch in.ndjson").done();
    folder.esctl("project rebuild").done();
    folder.esctl("export export.ndjson").done();
    // An export that ends in the middle of a line, and rules by which all amounts count twice.
    folder.bash("head -c -200 export.ndjson > cut.ndjson").done();
    folder.bash("mkdir other && sed 's/balance += event.amount/balance += 2 * event.amount/' domains/bank.yaml > other/bank.yaml").done();
    folder
}

/// Verbs whose work may be long, and what is said of it meanwhile.
const VERBS: &[(&str, &str)] = &[
    ("verify", "verifying: 303 of 303 ["),
    ("verify", "computing balances: 303 of 303 ["),
    ("project rebuild balances", "balances: 303 of 303 ["),
    ("project verify balances", "balances: 303 of 303 ["),
    ("project show balances --at @300", "balances: 300 of 300 ["),
    ("plan --with other", "balances: 303 of 303 ["),
    ("fork NEW.db", "of 303 events ["),
    ("export NEW.ndjson", "of 303 events ["),
    ("import export.ndjson --store NEW.db", "of 303 events ["),
    // It goes away before what is wrong is said.
    ("import cut.ndjson --store NEW.db", "of 303 events ["),
    ("send --batch in.ndjson --atomic", "300 commands read ["),
    ("test --generate 3 --seed 1", "of 3 runs ["),
    ("check --store esctl.db", "303 events read"),
];

#[test]
fn a_bar_is_shown_on_a_terminal_and_taken_away_before_anything_else_is_said() {
    let folder = folder();
    for (arguments, words) in VERBS {
        let Some(terminal) = Terminal::with(&folder, arguments, SIZE) else {
            skipped("there is no `setsid`, so no bar was shown on a terminal");
            return;
        };
        let (seen, ended) = terminal.all();
        assert!(seen.contains(words), "`{arguments}` does not say `{words}`: {seen:?}");
        folder.bash("rm -f NEW*").done();
        let piped = folder.bash(&format!("esctl {arguments} 2>&1; code=$?; rm -f NEW*; exit $code"));
        assert_eq!(ended.exit, Some(piped.exit), "{arguments}");
        // What is left on the terminal is what there is without a bar, but for colour.
        assert_eq!(words_of(&left_of(&seen)), words_of(&piped.stdout), "{arguments}");
    }
}

/// Without the ways in which lines are broken to fit.
fn words_of(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn nothing_is_shown_where_nobody_sees_it() {
    let folder = folder();
    let piped = folder.bash("TERM=xterm esctl verify 2> err > out; cat err out");
    assert!(!piped.stdout.contains('\u{1b}') && !piped.stdout.contains("verifying"), "{piped}");
    // A terminal that knows no escapes would show them.
    let Some(terminal) = Terminal::within(&folder, "verify", SIZE, &[("TERM", "dumb")]) else { return };
    let (seen, ended) = terminal.all();
    assert_eq!(ended.exit, Some(0));
    assert!(!seen.contains('\u{1b}') && !seen.contains("verifying"), "{seen:?}");
}

#[test]
fn a_bar_has_no_colour_of_its_own() {
    let folder = folder();
    let verify = |variables| Terminal::within(&folder, "verify --log-only", SIZE, variables).map(|t| t.all().0);
    let (Some(with), Some(without)) = (verify(&[]), verify(&[("NO_COLOR", "1")])) else { return };
    for seen in [with, without] {
        let (bar, _) = seen.rsplit_once("\u{1b}[2K").unwrap();
        assert!(bar.contains("verifying: 303 of 303 [="), "{seen:?}");
        // The line is taken away; nothing else is asked of the terminal.
        assert!(!bar.replace("\u{1b}[2K", "").contains('\u{1b}'), "{seen:?}");
    }
}

#[test]
fn a_bar_fits_a_narrow_terminal_and_goes_without_a_trace() {
    let folder = folder();
    let Some(terminal) = Terminal::with(&folder, "project rebuild balances", (24, 10)) else { return };
    let (seen, ended) = terminal.all();
    assert_eq!(ended.exit, Some(0));
    assert!(left_of(&seen).starts_with("balances"), "{seen:?}");
}

#[test]
fn a_signal_takes_the_bar_away_and_ends_the_program_as_ever() {
    let folder = folder();
    for signal in [Signal::INT, Signal::TERM] {
        let Some(mut terminal) = Terminal::with(&folder, "send --batch - --atomic", SIZE) else { return };
        terminal.press("{\"stream\":\"account/ada\",\"command\":\"Deposit\",\"data\":{\"amount\":1}}\n");
        terminal.shows("1 command read");
        // It waits for the next line, and the bar stands.
        if signal == Signal::INT {
            terminal.press("\u{3}");
        } else {
            terminal.signal(signal);
        }
        let (seen, ended) = terminal.all();
        assert_eq!((ended.exit, ended.signal), (None, Some(signal.as_raw())), "{seen:?}");
        assert!(!left_of(&seen).contains("1 command read"), "{seen:?}");
    }
    folder.esctl("verify --log-only").exits(0).prints("checked      events    303\n");
}
