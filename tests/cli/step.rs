//! `esctl replay --step`, on a terminal of its own.

use crate::support::terminal::{Ended, Terminal};
use crate::support::{Folder, dump, skipped};
use insta::assert_snapshot;
use rustix::process::Signal;

/// How the last line of a screen ends.
const END: &str = "q quit";
const FORTH: &str = "\u{1b}[C";
const BACK: &str = "\u{1b}[D";
const HOME: &str = "\u{1b}[H";

fn on_terminal(folder: &Folder, arguments: &str) -> Option<Terminal> {
    let terminal = Terminal::with(folder, arguments, (90, 14));
    if terminal.is_none() {
        skipped("there is no `setsid`, so `replay --step` was not tried on a terminal");
    }
    terminal
}

#[test]
fn a_stream_is_gone_through_by_key() {
    let folder = Folder::opened();
    let before = dump::everything(&folder, "esctl.db");
    let Some(mut terminal) = on_terminal(&folder, "replay account/ada --step") else { return };
    assert_snapshot!(terminal.screen("version 1 of 3", END), @r#"
    account/ada  version 1 of 3  @1  2026-01-31T12:00:00.000000Z
    Opened {"owner":"Ada","currency":"EUR"}
    through Open  019c13ec-9e00-7000-8000-000000000000

    ~ status:    open  was none
    ~ owner:     Ada  was ""
    ~ currency:  EUR  was ""
      balance:   0
      overdraft: 0




    → next  ← back  Home first  End last  7 Enter version 7  ↑ ↓ scroll  q quit
    "#);
    terminal.press(FORTH);
    assert_snapshot!(terminal.screen("version 2 of 3", END), @r#"
    account/ada  version 2 of 3  @2  2026-01-31T12:00:00.000000Z  +0 s
    Deposited {"amount":0.10}
    through Deposit  019c13ec-9e00-7000-8000-000010000000

      status:    open
      owner:     Ada
      currency:  EUR
    ~ balance:   0.10  was 0
      overdraft: 0




    → next  ← back  Home first  End last  7 Enter version 7  ↑ ↓ scroll  q quit
    "#);
    terminal.press("l");
    terminal.screen("version 3 of 3", END);
    // There is no further: the same again.
    terminal.press(" ");
    terminal.screen("version 3 of 3", END);
    terminal.press(BACK);
    terminal.screen("version 2 of 3", END);
    terminal.press(HOME);
    assert_snapshot!(terminal.screen("version 0 of 3", END), @r#"
    account/ada  version 0 of 3  before the first event

      status:    none
      owner:     ""
      currency:  ""
      balance:   0
      overdraft: 0






    → next  ← back  Home first  End last  7 Enter version 7  ↑ ↓ scroll  q quit
    "#);
    terminal.press("G");
    terminal.screen("version 3 of 3", END);
    terminal.press("1");
    terminal.screen("version 1  Enter jump", "Esc leave");
    terminal.press("\r");
    terminal.screen("version 1 of 3", END);
    terminal.resize((40, 6));
    assert_snapshot!(terminal.screen("1-3 of ", "Home first"), @r#"
    account/ada  version 1 of 3  @1  2026-01
    Opened {"owner":"Ada","currency":"EUR"}
    through Open  019c13ec-9e00-7000-8000-00
    0000000000

    1-3 of 9  → next  ← back  Home first
    "#);
    terminal.press("\u{1b}[B");
    assert_snapshot!(terminal.screen("2-4 of ", "Home first"), @r"
    account/ada  version 1 of 3  @1  2026-01
    through Open  019c13ec-9e00-7000-8000-00
    0000000000


    2-4 of 9  → next  ← back  Home first
    ");
    terminal.press("q");
    assert_eq!(terminal.ended(), Ended { exit: Some(0), signal: None, restored: true });
    assert_eq!(dump::everything(&folder, "esctl.db"), before);
}

#[test]
fn the_terminal_is_given_back_however_it_ends() {
    let folder = Folder::opened();
    for (keys, signal) in [("\u{3}", None), ("", Some(Signal::TERM)), ("", Some(Signal::HUP)), ("", Some(Signal::INT))]
    {
        let Some(mut terminal) = on_terminal(&folder, "replay account/ada --step --from 2") else { return };
        terminal.screen("version 2 of 3", END);
        terminal.press(keys);
        if let Some(signal) = signal {
            terminal.signal(signal);
        }
        let exit = if signal.is_some() { None } else { Some(0) };
        assert_eq!(terminal.ended(), Ended { exit, signal: signal.map(Signal::as_raw), restored: true }, "{signal:?}");
    }
}

#[test]
fn a_rule_that_fails_is_said_on_the_terminal_as_it_was() {
    let folder = Folder::opened();
    let rules = std::fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    let broken = rules.replace("state.balance += event.amount", "state.balance += 1 / (3 - version)");
    assert_ne!(rules, broken);
    folder.write("domains/bank.yaml", broken);
    let Some(mut terminal) = on_terminal(&folder, "replay account/ada --step --from 2") else { return };
    terminal.screen("version 2 of 3", END);
    terminal.press(FORTH);
    assert_eq!(terminal.ended(), Ended { exit: Some(4), signal: None, restored: true });
}

#[test]
fn what_is_not_there_is_said_before_the_screen_is_taken() {
    let folder = Folder::opened();
    let Some(terminal) = on_terminal(&folder, "replay account/eve --step") else { return };
    let ended = terminal.ended();
    assert_eq!((ended.exit, ended.signal), (Some(2), None));
}
