//! `esctl completions`: what shells make of it, each tried itself, on a terminal.

use crate::support::terminal::Terminal;
use crate::support::{Folder, dump, skipped};
use insta::assert_snapshot;
use std::fmt::Write as _;
use std::process::{Command, Stdio};

/// Streams whose names a shell takes apart, and a folder with a space in it.
fn folder() -> Folder {
    let folder = Folder::opened();
    for stream in ["account/a b", "account/x:y=1@z", "account/x:y=2@z", "account/it's"] {
        folder.esctl(&format!("send \"{stream}\" Open owner=A currency=EUR")).done();
    }
    let flags = "currency: Currency, vip?: boolean, tier?: { one_of: [gold, \"in silver\", 3] }";
    let bank = std::fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    let more = bank.replacen("owner: string, currency: Currency", &format!("owner: string, {flags}"), 2);
    folder.write("rules of ours/bank.yaml", more).write("note.txt", "a note");
    folder
}

fn is_there(shell: &str) -> bool {
    let there = Command::new(shell).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !there {
        skipped(&format!("there is no `{shell}`, so completion was not tried in it"));
    }
    there
}

/// What stands on the line of a shell after each of these keys. `ready$` is its prompt; with Control-T it shows the line
/// between `<<<` and `>>>` and begins a new one.
fn typed(folder: &Folder, shell: &[&str], keys: &[&str]) -> Option<String> {
    let mut terminal = Terminal::of(folder, shell, (200, 50))?;
    terminal.until("ready$ ");
    let mut lines = String::new();
    for key in keys {
        terminal.press(&format!("{key}\u{14}"));
        terminal.until("<<<");
        let shown = key.replace('\t', "⇥").replace('\u{f}', "⇥⇥");
        let _ = writeln!(lines, "{shown:<58} [{}]", terminal.until(">>>"));
        // Only now does the shell look at single keys again.
        terminal.until("ready$ ");
    }
    terminal.end();
    Some(lines)
}

/// One completion each, as every shell must have it.
const KEYS: &[&str] = &[
    "esctl se\t",
    "esctl project sh\t",
    "esctl replay account/ada --on\t",
    "esctl send acc\t",
    "esctl send account/ad\t",
    "esctl send account/a\\ \t",
    "esctl send \"account/a \t",
    "esctl send account/x\t",
    "esctl send account/x:y=1\t",
    "esctl replay account/i\t",
    "esctl send account/ada With\t",
    "esctl send account/x:y=1@z With\t",
    "esctl send account/ada Open owner=A cur\t",
    "esctl --domain rules\\ of\\ ours send account/ada Open vip=t\t",
    "esctl --domain='rules of ours' send account/ada Open tier=g\t",
    "esctl --domain 'rules of ours' send account/ada Open tier=in\t",
    "esctl send account/ada Open owner=@no\t",
    "esctl send account/ada Open --data @no\t",
    "esctl events --type=De\t",
    "esctl events --type De\t",
    "esctl project show balances --columns owner,de\t",
    "esctl project show balances --order=-dep\t",
    "esctl process show tr\t",
    "esctl blame account/ada bal\t",
    "esctl describe With\t",
    "esctl -o nd\t",
    "esctl --domain rul\t",
    "esctl --domain=rul\t",
    "esctl plan --with domains/b\t",
    "esctl help ti\t",
    "esctl help project par\t",
    "esctl completions z\t",
    "esctl send account/ada Nonsense \t",
];

#[test]
fn bash_completes() {
    let folder = folder();
    folder.write(
        "bashrc",
        "source <(esctl completions bash)\nbind 'set bell-style none'\nbind 'set enable-bracketed-paste off'\n\
         bind '\"\\C-o\": insert-completions'\nshow() { printf '\\n<<%s%s>>>\\n' '<' \"$READLINE_LINE\"; READLINE_LINE=; READLINE_POINT=0; }\n\
         bind -x '\"\\C-t\": show'\nPS1='ready$ '\n",
    );
    let before = dump::everything(&folder, "esctl.db");
    let shell = ["bash", "--noprofile", "--rcfile", "bashrc", "-i"];
    let Some(lines) = typed(&folder, &shell, KEYS) else { return skipped("there is no `setsid`") };
    assert_snapshot!(lines, @r#"
    esctl se⇥                                                  [esctl send ]
    esctl project sh⇥                                          [esctl project show ]
    esctl replay account/ada --on⇥                             [esctl replay account/ada --only ]
    esctl send acc⇥                                            [esctl send account/]
    esctl send account/ad⇥                                     [esctl send account/ada ]
    esctl send account/a\ ⇥                                    [esctl send account/a\ b ]
    esctl send "account/a ⇥                                    [esctl send "account/a b" ]
    esctl send account/x⇥                                      [esctl send account/x:y=]
    esctl send account/x:y=1⇥                                  [esctl send account/x:y=1@z ]
    esctl replay account/i⇥                                    [esctl replay account/it\'s ]
    esctl send account/ada With⇥                               [esctl send account/ada Withdraw ]
    esctl send account/x:y=1@z With⇥                           [esctl send account/x:y=1@z Withdraw ]
    esctl send account/ada Open owner=A cur⇥                   [esctl send account/ada Open owner=A currency=]
    esctl --domain rules\ of\ ours send account/ada Open vip=t⇥ [esctl --domain rules\ of\ ours send account/ada Open vip=true ]
    esctl --domain='rules of ours' send account/ada Open tier=g⇥ [esctl --domain='rules of ours' send account/ada Open tier=gold ]
    esctl --domain 'rules of ours' send account/ada Open tier=in⇥ [esctl --domain 'rules of ours' send account/ada Open tier=in\ silver ]
    esctl send account/ada Open owner=@no⇥                     [esctl send account/ada Open owner=@note.txt ]
    esctl send account/ada Open --data @no⇥                    [esctl send account/ada Open --data @note.txt ]
    esctl events --type=De⇥                                    [esctl events --type=Deposited ]
    esctl events --type De⇥                                    [esctl events --type Deposited ]
    esctl project show balances --columns owner,de⇥            [esctl project show balances --columns owner,deposits ]
    esctl project show balances --order=-dep⇥                  [esctl project show balances --order=-deposits ]
    esctl process show tr⇥                                     [esctl process show transfers ]
    esctl blame account/ada bal⇥                               [esctl blame account/ada balance ]
    esctl describe With⇥                                       [esctl describe Withdraw]
    esctl -o nd⇥                                               [esctl -o ndjson ]
    esctl --domain rul⇥                                        [esctl --domain rules\ of\ ours/]
    esctl --domain=rul⇥                                        [esctl --domain=rules\ of\ ours/]
    esctl plan --with domains/b⇥                               [esctl plan --with domains/bank.yaml ]
    esctl help ti⇥                                             [esctl help time ]
    esctl help project par⇥                                    [esctl help project parked ]
    esctl completions z⇥                                       [esctl completions zsh ]
    esctl send account/ada Nonsense ⇥                          [esctl send account/ada Nonsense ]
    "#);
    let all = [
        "esctl send account/\u{f}",
        "esctl send account/ada \u{f}",
        "esctl send account/ada Open \u{f}",
        "esctl --domain 'rules of ours' send account/ada Open owner=A \u{f}",
        "esctl --domain 'rules of ours' send account/ada Open tier=\u{f}",
        "esctl events --type \u{f}",
        "esctl project show \u{f}",
        "esctl project show balances --order \u{f}",
        "esctl process \u{f}",
        "esctl -o \u{f}",
        "esctl send account/ada Open --dr\u{f}",
        "esctl send account/ada Open --expect \u{f}",
        "esctl help t\u{f}",
        "esctl schema \u{f}",
        "esctl schema command F\u{f}",
        "esctl import \u{f}",
        "esctl init \u{f}",
    ];
    assert_snapshot!(typed(&folder, &shell, &all).unwrap(), @r"
    esctl send account/⇥⇥                                      [esctl send account/a\ b account/ada account/it\'s account/x:y=1@z account/x:y=2@z ]
    esctl send account/ada ⇥⇥                                  [esctl send account/ada Close Deposit Open Refund SetOverdraft Transfer Withdraw ]
    esctl send account/ada Open ⇥⇥                             [esctl send account/ada Open currency= owner= ]
    esctl --domain 'rules of ours' send account/ada Open owner=A ⇥⇥ [esctl --domain 'rules of ours' send account/ada Open owner=A currency= tier= vip= ]
    esctl --domain 'rules of ours' send account/ada Open tier=⇥⇥ [esctl --domain 'rules of ours' send account/ada Open tier=3 gold in\ silver ]
    esctl events --type ⇥⇥                                     [esctl events --type Closed Completed Deposited Failed Opened OverdraftSet Requested Withdrawn ]
    esctl project show ⇥⇥                                      [esctl project show balances ledger ]
    esctl project show balances --order ⇥⇥                     [esctl project show balances --order account balance deposits owner ]
    esctl process ⇥⇥                                           [esctl process list retry run show skip status ]
    esctl -o ⇥⇥                                                [esctl -o csv json ndjson table ]
    esctl send account/ada Open --dr⇥⇥                         [esctl send account/ada Open --dry-run ]
    esctl send account/ada Open --expect ⇥⇥                    [esctl send account/ada Open --expect exists none ]
    esctl help t⇥⇥                                             [esctl help test time trace ]
    esctl schema ⇥⇥                                            [esctl schema command event ]
    esctl schema command F⇥⇥                                   [esctl schema command Fail ]
    esctl import ⇥⇥                                            [esctl import bashrc domains esctl.db esctl.db-turn note.txt rules\ of\ ours ]
    esctl init ⇥⇥                                              [esctl init domains rules\ of\ ours ]
    ");
    assert_eq!(dump::everything(&folder, "esctl.db"), before);
}

#[test]
fn zsh_completes() {
    if !is_there("zsh") {
        return;
    }
    let folder = folder();
    folder.bash("mkdir functions && esctl completions zsh > functions/_esctl").done();
    folder.write(
        ".zshrc",
        "fpath=(~/functions $fpath); autoload -Uz compinit; compinit -u -d ~/.zcompdump\nunsetopt beep prompt_cr prompt_sp\n\
         show() { zle -I; print -r -- \"<<\"\"<$BUFFER>>>\"; BUFFER=; }; zle -N show; bindkey '^T' show\n\
         PROMPT='ready$ '\n",
    );
    let Some(lines) = typed(&folder, &["zsh", "-i"], KEYS) else { return skipped("there is no `setsid`") };
    assert_snapshot!(lines, @r#"
    esctl se⇥                                                  [esctl send ]
    esctl project sh⇥                                          [esctl project show ]
    esctl replay account/ada --on⇥                             [esctl replay account/ada --only ]
    esctl send acc⇥                                            [esctl send account/]
    esctl send account/ad⇥                                     [esctl send account/ada ]
    esctl send account/a\ ⇥                                    [esctl send account/a\ b ]
    esctl send "account/a ⇥                                    [esctl send "account/a b" ]
    esctl send account/x⇥                                      [esctl send account/x:y=]
    esctl send account/x:y=1⇥                                  [esctl send account/x:y=1@z ]
    esctl replay account/i⇥                                    [esctl replay account/it\'s ]
    esctl send account/ada With⇥                               [esctl send account/ada Withdraw ]
    esctl send account/x:y=1@z With⇥                           [esctl send account/x:y=1@z Withdraw ]
    esctl send account/ada Open owner=A cur⇥                   [esctl send account/ada Open owner=A currency=]
    esctl --domain rules\ of\ ours send account/ada Open vip=t⇥ [esctl --domain rules\ of\ ours send account/ada Open vip=true ]
    esctl --domain='rules of ours' send account/ada Open tier=g⇥ [esctl --domain='rules of ours' send account/ada Open tier=gold ]
    esctl --domain 'rules of ours' send account/ada Open tier=in⇥ [esctl --domain 'rules of ours' send account/ada Open tier=in\ silver ]
    esctl send account/ada Open owner=@no⇥                     [esctl send account/ada Open owner=@note.txt ]
    esctl send account/ada Open --data @no⇥                    [esctl send account/ada Open --data @note.txt ]
    esctl events --type=De⇥                                    [esctl events --type=Deposited ]
    esctl events --type De⇥                                    [esctl events --type Deposited ]
    esctl project show balances --columns owner,de⇥            [esctl project show balances --columns owner,deposits ]
    esctl project show balances --order=-dep⇥                  [esctl project show balances --order=-deposits ]
    esctl process show tr⇥                                     [esctl process show transfers ]
    esctl blame account/ada bal⇥                               [esctl blame account/ada balance ]
    esctl describe With⇥                                       [esctl describe Withdraw]
    esctl -o nd⇥                                               [esctl -o ndjson ]
    esctl --domain rul⇥                                        [esctl --domain rules\ of\ ours/]
    esctl --domain=rul⇥                                        [esctl --domain=rules\ of\ ours/]
    esctl plan --with domains/b⇥                               [esctl plan --with domains/bank.yaml ]
    esctl help ti⇥                                             [esctl help time ]
    esctl help project par⇥                                    [esctl help project parked ]
    esctl completions z⇥                                       [esctl completions zsh ]
    esctl send account/ada Nonsense ⇥                          [esctl send account/ada Nonsense ]
    "#);
}

#[test]
fn fish_completes() {
    if !is_there("fish") {
        return;
    }
    let folder = folder();
    folder.bash("esctl completions fish > esctl.fish").done();
    let mut lines = String::new();
    for key in KEYS {
        let typed = key.trim_end_matches('\t');
        folder.write("typed", typed);
        let script = "fish --no-config -c 'source esctl.fish; complete -C (cat typed)'";
        let found = folder.bash(script).exits(0);
        assert_eq!(found.stderr, "", "{typed}: {found}");
        let words: Vec<_> = found.stdout.lines().map(|line| line.split('\t').next().unwrap()).collect();
        let _ = writeln!(lines, "{typed:<58} [{}]", words.join("] ["));
    }
    assert_snapshot!(lines, @r#"
    esctl se                                                   [send]
    esctl project sh                                           [show]
    esctl replay account/ada --on                              [--only]
    esctl send acc                                             [account/]
    esctl send account/ad                                      [account/ada]
    esctl send account/a\                                      [account/a b]
    esctl send "account/a                                      [account/a b]
    esctl send account/x                                       [account/x:y=1@z] [account/x:y=2@z]
    esctl send account/x:y=1                                   [account/x:y=1@z]
    esctl replay account/i                                     [account/it's]
    esctl send account/ada With                                [Withdraw]
    esctl send account/x:y=1@z With                            [Withdraw]
    esctl send account/ada Open owner=A cur                    [currency=]
    esctl --domain rules\ of\ ours send account/ada Open vip=t [vip=true]
    esctl --domain='rules of ours' send account/ada Open tier=g [tier=gold]
    esctl --domain 'rules of ours' send account/ada Open tier=in [tier=in silver]
    esctl send account/ada Open owner=@no                      [owner=@note.txt]
    esctl send account/ada Open --data @no                     [@note.txt]
    esctl events --type=De                                     [--type=Deposited]
    esctl events --type De                                     [Deposited]
    esctl project show balances --columns owner,de             [owner,deposits]
    esctl project show balances --order=-dep                   [--order=-deposits]
    esctl process show tr                                      [transfers]
    esctl blame account/ada bal                                [balance]
    esctl describe With                                        [Withdraw] [Withdrawn]
    esctl -o nd                                                [ndjson]
    esctl --domain rul                                         [rules of ours/]
    esctl --domain=rul                                         [--domain=rules of ours/]
    esctl plan --with domains/b                                [domains/bank.yaml]
    esctl help ti                                              [time]
    esctl help project par                                     [parked]
    esctl completions z                                        [zsh]
    esctl send account/ada Nonsense                            []
    "#);
}

/// What shells are told, with what each word is.
fn told(folder: &Folder, words: &str) -> String {
    folder.esctl(&format!("complete bash esctl {words}")).done()
}

#[test]
fn each_word_comes_with_what_it_is() {
    let folder = folder();
    let ask = |words| told(&folder, words).replace('\t', "  ");
    assert_snapshot!(ask("send ''"), @r"
    p  account/  One customer's account in one currency.
    p  transfer/  Money on its way from one account to another, which may be in another bank and take its time.
    ");
    assert_snapshot!(ask("send account/ada T"), @r"
    w  Transfer  Moves money to another account, in both streams or in none.
    ");
    assert_snapshot!(ask("--domain 'rules of ours' send account/ada Open ''"), @r"
    p  owner=  string
    p  currency=  string
    p  vip=  boolean, optional
    p  tier=  one_of, optional
    ");
    assert_snapshot!(ask("help e"), @r"
    w  events  list the events of the store in the order in which they were stored
    w  export  write everything that was stored, as lines of JSON from which `import` makes the same store
    w  exit-codes  what the exit code says, what was stored then, and what to do
    ");
    assert_snapshot!(ask("check ''"), @r"
    w  --deny  take warnings for errors
    w  --watch  check again whenever a file changes
    w  --domain  a domain file, or a folder of them; may be given several times
    w  --store  the file that holds the streams
    w  --timeout  how many seconds to wait while another process writes to that file; 0 is not at all
    w  --output  how data is printed; with json and ndjson, errors are JSON on stderr
    w  --color  whether to use colour; `NO_COLOR` is heeded as well
    w  --help  show this help
    ");
}

/// Of more streams than anybody reads, what their names begin with is offered, as far as they are alike.
#[test]
fn many_streams_are_offered_by_what_they_begin_with() {
    let folder = Folder::bank();
    let mut batch = String::new();
    for number in 0..300 {
        let _ = writeln!(
            batch,
            "{{\"stream\":\"account/c-{number:04}\",\"command\":\"Open\",\"data\":{{\"owner\":\"A\",\"currency\":\"EUR\"}}}}"
        );
    }
    folder.esctl_with("send --batch -", &batch).exits(0);
    let ask = |words| told(&folder, words).replace('\t', " ").replace(" \n", "\n");
    assert_snapshot!(ask("replay account/"), @r"
    p account/c-00
    p account/c-01
    p account/c-02
    ");
    assert_eq!(told(&folder, "replay account/c-000").lines().count(), 10);
    folder.esctl("send account/c-000 Open owner=A currency=EUR").done();
    folder.esctl("send account/d Open owner=A currency=EUR").done();
    assert_snapshot!(ask("replay account/"), @r"
    p account/c-0
    w account/d
    ");
    assert_snapshot!(ask("replay account/c"), @r"
    p account/c-00
    p account/c-01
    p account/c-02
    ");
}

#[test]
fn what_is_wrong_completes_nothing_and_is_not_told() {
    let silent = |folder: &Folder, words: &str| {
        let outcome = folder.esctl(&format!("complete bash esctl {words}")).exits(0);
        assert!(outcome.stdout.is_empty() && outcome.stderr.is_empty(), "{words}: {outcome}");
    };
    let empty = Folder::empty();
    for words in
        ["send ''", "replay account/", "send account/ada ''", "project show ''", "nonsense ''", "send -- --x ''"]
    {
        silent(&empty, words);
    }
    assert_eq!(empty.esctl("complete").done(), "");
    assert_eq!(empty.listing(), [] as [&str; 0]);
    let broken = Folder::opened();
    broken.write("domains/bank.yaml", "domain: [");
    silent(&broken, "send account/ada ''");
    assert_eq!(told(&broken, "replay account/"), "w\taccount/ada\t\n");
    broken.write("esctl.db", "no store");
    silent(&broken, "replay account/");
    // A name that would do something to the terminal is never printed: no stream has one, but a file name can.
    silent(&Folder::opened(), "replay account/nobody");
}

#[cfg(unix)]
#[test]
fn nobody_is_waited_for() {
    let folder = Folder::opened();
    // A domain that never ends to be read.
    folder.bash("rm -r domains && mkfifo domains").done();
    assert_eq!(folder.esctl("complete bash esctl send ''").done(), "");
    // Somebody else writes, and will for long.
    let locked = Folder::opened();
    let store = rusqlite::Connection::open(locked.file("esctl.db")).unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(told(&locked, "replay account/"), "w\taccount/ada\t\n");
    drop(store);
    let exclusive = rusqlite::Connection::open(locked.file("esctl.db")).unwrap();
    exclusive.execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE").unwrap();
    assert_eq!(told(&locked, "replay account/"), "");
}

#[test]
fn completions_have_one_form() {
    assert_snapshot!(Folder::empty().esctl("completions bash -o json"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"`completions` prints a script for a shell, which has one form","hints":["leave out `-o`"],"exit":2}}
    "#);
    assert_snapshot!(Folder::empty().esctl("completions"), @r"
    exit: 2
    stderr:
    error: the following required arguments were not provided:
      <SHELL>

    Usage: esctl completions <SHELL>

    For more information, try '--help'.
    ");
}
