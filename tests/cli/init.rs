//! `esctl init`

use crate::support::Folder;
use insta::assert_snapshot;

#[test]
fn it_makes_a_domain_and_says_what_to_type_next() {
    let folder = Folder::empty();
    assert_snapshot!(folder.esctl("init bank"), @r"
    exit: 0
    stdout:
    esctl check
    esctl send account/ada Open owner=Ada currency=EUR
    esctl replay account/ada
    stderr:
    note: made `bank/domains/bank.yaml`; type next in `bank`:
    ");
    assert_eq!(folder.listing(), ["bank"]);
}

#[test]
fn the_first_minute_works_as_printed() {
    let folder = Folder::empty();
    folder.bash("esctl init bank && cd bank && esctl check && esctl test").done();
    let next = folder.bash("cd bank && rm -r domains && esctl init 2>/dev/null").done();
    assert_eq!(next.lines().count(), 3);
    for command in next.lines() {
        folder.bash(&format!("cd bank && {command}")).done();
    }
}

#[test]
fn it_overwrites_nothing() {
    let folder = Folder::empty();
    folder.write("domains/bank.yaml", "mine\n");
    assert_snapshot!(folder.esctl("init"), @r"
    exit: 2
    stderr:
    error: `domains/bank.yaml` is there already; nothing was written
    hint: name another folder: `esctl init NAME`
    ");
    assert_eq!(std::fs::read_to_string(folder.file("domains/bank.yaml")).unwrap(), "mine\n");
}

#[test]
fn what_it_made_is_data_as_well() {
    assert_snapshot!(Folder::empty().esctl("init -o json"), @r#"
    exit: 0
    stdout:
    {"made":["domains/bank.yaml"],"next":["esctl check","esctl send account/ada Open owner=Ada currency=EUR","esctl replay account/ada"]}
    stderr:
    note: made `domains/bank.yaml`; type next:
    "#);
}

#[test]
fn a_place_that_cannot_be_written_is_said() {
    let folder = Folder::empty();
    folder.write("file", "");
    folder.esctl("init file/below").exits(5).says("cannot be written");
}
