//! `esctl --help`, and the help of every verb

use crate::support::Folder;

const VERBS: &[&str] = &[
    "init",
    "check",
    "test",
    "describe",
    "schema",
    "send",
    "replay",
    "events",
    "streams",
    "diff",
    "blame",
    "bisect",
    "trace",
    "plan",
    "project",
    "sql",
    "process",
    "rules",
    "verify",
    "backup",
    "fork",
    "export",
    "import",
    "snapshot",
    "completions",
    "man",
];
const PROJECT_VERBS: &[&str] = &["list", "status", "rebuild", "parked", "retry", "show", "verify"];
const PROCESS_VERBS: &[&str] = &["list", "status", "show", "run", "retry", "skip"];
const SNAPSHOT_VERBS: &[&str] = &["list", "rebuild"];

fn all_verbs() -> Vec<String> {
    let below = PROJECT_VERBS.iter().map(|verb| format!("project {verb}"));
    let snapshot = SNAPSHOT_VERBS.iter().map(|verb| format!("snapshot {verb}"));
    let process = PROCESS_VERBS.iter().map(|verb| format!("process {verb}"));
    VERBS.iter().map(ToString::to_string).chain(below).chain(snapshot).chain(process).collect()
}

#[test]
fn the_help_lists_the_verbs_in_groups_and_nothing_else() {
    let help = Folder::empty().esctl("--help").done();
    let (list, _) = help.split_once("\n      --domain").unwrap();
    let listed: Vec<_> = list
        .lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert_eq!(listed, VERBS);
    for group in [
        "\ndomain:\n",
        "\nstreams:\n",
        "\nhistory:\n",
        "\nread models:\n",
        "\nprocesses:\n",
        "\nstore:\n",
        "\nshell:\n",
    ] {
        assert!(help.contains(group), "{help}");
    }
}

#[test]
fn help_is_the_same_short_and_long() {
    let folder = Folder::empty();
    for verb in all_verbs() {
        assert_eq!(folder.esctl(&format!("{verb} --help")).done(), folder.esctl(&format!("{verb} -h")).done());
    }
}

#[test]
fn every_help_begins_with_a_sentence_and_ends_with_examples() {
    for verb in all_verbs() {
        let help = Folder::empty().esctl(&format!("{verb} --help")).done();
        let first = help.lines().next().unwrap();
        assert!(first.len() > 20 && !first.starts_with("usage"), "{verb}: {first}");
        assert!(examples(&help).len() >= 2, "{verb} has fewer than two examples:\n{help}");
    }
}

#[test]
fn every_example_runs() {
    for verb in all_verbs() {
        let help = Folder::empty().esctl(&format!("{verb} --help")).done();
        for example in examples(&help) {
            // Each in a folder of its own: they are alternatives, not a story.
            let folder = if verb == "init" { Folder::empty() } else { Folder::opened() };
            if verb != "init" {
                folder.esctl("send account/ada Deposit amount=10").done();
                folder.esctl("project rebuild").done();
            }
            if verb.starts_with("process") {
                with_a_transfer_that_stopped(&folder);
            }
            let outcome = folder.bash(&example);
            assert!(outcome.exit == 0, "$ {example}\n{outcome}");
        }
    }
}

/// A transfer whose process stopped at a script that has been mended since, and one that is left to be done.
fn with_a_transfer_that_stopped(folder: &Folder) {
    let sound = std::fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    folder.esctl("send account/bob Open owner=Bob currency=EUR").done();
    let failing = sound.replace(
        "        state.from = event.from;\n",
        "        throw \"not today\";\n        state.from = event.from;\n",
    );
    assert_ne!(sound, failing);
    folder.write("domains/bank.yaml", failing);
    folder.esctl("send transfer/t1 Request from=ada to=bob amount=1").says("not today").exits(0);
    folder.write("domains/bank.yaml", sound);
    folder.esctl("send transfer/t2 Request from=ada to=bob amount=1 --no-react").done();
}

fn examples(help: &str) -> Vec<String> {
    let Some((_, examples)) = help.split_once("\nexamples:\n") else {
        return Vec::new();
    };
    examples.lines().filter_map(|line| line.strip_prefix("  ")).map(str::to_owned).collect()
}

#[test]
fn flags_of_every_verb_stand_before_it_or_after_it() {
    let folder = Folder::bank();
    let after = folder.esctl("check --domain domains/bank.yaml -o json --color never --store x.db");
    let before = folder.esctl("--domain domains/bank.yaml -o json --color never --store x.db check");
    assert_eq!(before, after);
    folder.esctl("--domain domains project list --store x.db").exits(0);
    folder.esctl("--domain a check --domain b").exits(2).says("in one place");
}

#[test]
fn flags_come_from_the_environment_as_well() {
    let folder = Folder::bank();
    folder
        .bash("mv domains rules && ESCTL_DOMAIN=rules ESCTL_STORE=s.db esctl send account/a Open owner=A currency=EUR")
        .done();
    assert_eq!(folder.listing(), ["rules", "s.db", "s.db-turn"]);
}

#[test]
fn what_is_not_understood_exits_2() {
    let folder = Folder::bank();
    for line in ["", "sned", "send", "send account/ada", "check --nonsense", "-o xml check", "events --limit many"] {
        let outcome = folder.esctl(line).exits(2);
        assert!(outcome.stdout.is_empty() && !outcome.stderr.is_empty(), "{line}: {outcome}");
    }
    folder.esctl("sned -o json").exits(2).says(r#"{"error":{"kind":"usage","message":"#);
}

#[test]
fn the_version_is_shown() {
    assert_eq!(Folder::empty().esctl("--version").done(), format!("esctl {}\n", env!("CARGO_PKG_VERSION")));
}
