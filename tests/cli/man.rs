//! `esctl man`

use crate::support::{Folder, skipped};
use insta::assert_snapshot;
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn the_page_of_the_program_is_printed() {
    let folder = Folder::empty();
    let page = folder.esctl("man").done();
    assert!(page.starts_with(".\\\" Made by `esctl man`.\n"), "{page}");
    for verb in ["esctl\\-send(1)", "esctl\\-project(1)", "esctl\\-man(1)"] {
        assert!(page.contains(verb), "{verb} is not in:\n{page}");
    }
    assert_eq!(folder.listing(), [] as [&str; 0]);
    assert_snapshot!(folder.esctl("man -o json"), @r#"
    exit: 2
    stderr:
    {"error":{"kind":"usage","message":"`man` prints a manual page, which has one form","hints":["leave out `-o`"],"exit":2}}
    "#);
}

#[test]
fn every_verb_has_a_page() {
    let folder = Folder::empty();
    assert_snapshot!(folder.esctl("man share/man/man1"), @r"
    exit: 0
    stderr:
    note: wrote 42 pages into `share/man/man1`, from `esctl.1` on
    ");
    let mut pages: Vec<_> = fs::read_dir(folder.file("share/man/man1"))
        .unwrap()
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    let reference = fs::read_to_string(crate::support::sources().join("docs/commands.md")).unwrap();
    let titles = reference.lines().filter_map(|line| line.strip_prefix("## esctl"));
    let mut expected: Vec<_> = titles
        .filter(|title| !title.starts_with(" help "))
        .map(|title| format!("esctl{}.1", title.replace(' ', "-")))
        .collect();
    expected.sort();
    assert_eq!(pages, expected);
    assert_eq!(fs::read_to_string(folder.file("share/man/man1/esctl.1")).unwrap(), folder.esctl("man").done());
}

#[test]
fn pages_of_ours_are_replaced_and_other_files_are_not() {
    let folder = Folder::empty();
    folder.esctl("man pages").done();
    folder.write("pages/esctl-send.1", ".\\\" Made by `esctl man`.\nan earlier one\n");
    folder.esctl("man pages").exits(0);
    assert!(!fs::read_to_string(folder.file("pages/esctl-send.1")).unwrap().contains("an earlier one"));
    folder.write("pages/esctl-send.1", "my own\n");
    fs::remove_file(folder.file("pages/esctl.1")).unwrap();
    assert_snapshot!(folder.esctl("man pages"), @r"
    exit: 2
    stderr:
    error: `pages/esctl-send.1` is there, and is no page that `esctl man` wrote: nothing was written
    hint: name another folder
    ");
    assert_eq!(fs::read_to_string(folder.file("pages/esctl-send.1")).unwrap(), "my own\n");
    assert!(!folder.file("pages/esctl.1").exists());
    folder.write("file", "");
    folder.esctl("man file").exits(5).says("cannot be written");
}

#[test]
fn the_pages_render_without_a_warning() {
    if Command::new("man").arg("--version").stdout(Stdio::null()).status().is_err() {
        return skipped("there is no `man`, so the manual pages were not rendered");
    }
    let folder = Folder::empty();
    folder.esctl("man pages").done();
    for page in fs::read_dir(folder.file("pages")).unwrap() {
        let page = page.unwrap().path();
        let outcome = folder.bash(&format!("MANWIDTH=80 man -l --warnings '{}'", page.display())).exits(0);
        assert!(outcome.stderr.is_empty() && outcome.stdout.contains("SYNOPSIS"), "{}: {outcome}", page.display());
    }
    assert_snapshot!(folder.bash("MANWIDTH=80 man -l --warnings pages/esctl-project-list.1"), @r"
    exit: 0
    stdout:
    esctl-project-list(1)       General Commands Manual      esctl-project-list(1)

    NAME
           esctl-project-list  -  list  the  projections that the domain declares,
           with their columns and the events they handle

    SYNOPSIS
           esctl  project  list  [--domain]  [--store]  [--timeout]  [-o|--output]
           [--color] [-h|--help]

    FOR EVERY VERB
           --domain <PATH> [default: domains]
                  a domain file, or a folder of them; may be given several times

           --store <FILE> [default: esctl.db]
                  the file that holds the streams

           --timeout <SECONDS> [default: 5]
                  how  many  seconds  to wait while another process writes to that
                  file; 0 is not at all

           -o, --output <FORM> [default: table]
                  how data is printed; with json and ndjson, errors  are  JSON  on
                  stderr

                  Possible values:

                         • table

                         • json

                         • ndjson

                         • csv

           --color <WHEN> [default: auto]
                  whether to use colour; `NO_COLOR` is heeded as well

                  Possible values:

                         • auto

                         • always

                         • never

           -h, --help
                  show this help

    EXAMPLES
             esctl project list
             esctl project list -o json

    SEE ALSO
           esctl-project(1)

    esctl                             esctl 0.1.0            esctl-project-list(1)
    ");
}
