//! `esctl streams`

use crate::support::Folder;
use insta::assert_snapshot;

#[test]
fn what_is_in_the_store() {
    let folder = Folder::opened();
    folder.esctl("send account/bob Open owner=Bob currency=USD").done();
    assert_snapshot!(folder.esctl("streams"), @r"
    exit: 0
    stdout:
    stream       version  first  last  time
    account/ada        3      1     3  2026-01-31T12:00:00.000000Z
    account/bob        1      4     4  2026-01-31T12:00:00.000000Z
    ");
    assert_snapshot!(folder.esctl("streams 'account/b*' -o ndjson"), @r#"
    exit: 0
    stdout:
    {"stream":"account/bob","version":1,"first":4,"last":4,"time":"2026-01-31T12:00:00.000000Z"}
    "#);
    assert_eq!(folder.esctl("streams 'account/?' -o json").done(), "[]\n");
    assert_eq!(folder.esctl("streams 'account/???' -o csv").done().lines().count(), 3);
}

#[test]
fn no_store() {
    assert_snapshot!(Folder::bank().esctl("streams"), @r"
    exit: 2
    stderr:
    error: there is no store at `esctl.db`
    hint: the first `esctl send` makes it; another file is named with `--store`
    ");
}

#[test]
fn as_they_were_then() {
    let folder = Folder::bank();
    for (day, command) in [
        (1, "account/bob Open owner=Bob currency=EUR"),
        (2, "account/ada Open owner=Ada currency=EUR"),
        (3, "account/bob Deposit amount=5"),
        (4, "account/bob Transfer to=ada amount=2"),
    ] {
        folder.bash(&format!("ESCTL_CLOCK=2026-01-0{day}T12:00:00Z esctl send {command}")).done();
    }
    assert_snapshot!(folder.esctl("streams --at @3"), @r"
    exit: 0
    stdout:
    stream       version  first  last  time
    account/ada        1      2     2  2026-01-02T12:00:00.000000Z
    account/bob        2      1     3  2026-01-03T12:00:00.000000Z
    ");
    assert_snapshot!(folder.esctl("streams 'account/a*' --at 2026-01-04T12:00:00Z -o json"), @r#"
    exit: 0
    stdout:
    [
    {"stream":"account/ada","version":2,"first":2,"last":5,"time":"2026-01-04T12:00:00.000000Z"}
    ]
    "#);
    assert_eq!(folder.esctl("streams --at @5").done(), folder.esctl("streams").done());
    assert_eq!(folder.esctl("streams --at @3").done(), folder.esctl("streams --at 2026-01-03T12:00:00Z").done());
    assert_eq!(folder.esctl("streams --at @1 -o csv").done().lines().count(), 2);
    assert_eq!(folder.esctl("streams --at @0 -o json").done(), "[]\n");
    // In the middle of a command the log can be read, too.
    assert_eq!(
        folder.esctl("streams 'account/a*' --at @4 -o csv").done().lines().nth(1),
        Some("account/ada,1,2,2,2026-01-02T12:00:00.000000Z")
    );
    assert_snapshot!(folder.esctl("streams --at 3"), @r"
    exit: 2
    stderr:
    error: only a stream has versions; a moment here is a position or a time
    hint: `@3` is a position of the store
    ");
    assert_snapshot!(folder.esctl("streams --at @6"), @r"
    exit: 2
    stderr:
    error: the store ends at position @5, there is no @6
    ");
    assert_snapshot!(folder.esctl("streams --at 2025-12-31"), @r"
    exit: 2
    stderr:
    error: the store had no event yet at 2025-12-31T00:00:00.000000Z
    ");
}

/// Asked in pages, as many streams as there are, most of which were not there then.
#[test]
fn few_of_many_were_there_then() {
    let folder = Folder::bank();
    let line = |n: usize| {
        format!(
            "{{\"stream\":\"account/{:04}\",\"command\":\"Open\",\"data\":{{\"owner\":\"x\",\"currency\":\"EUR\"}}}}\n",
            n * 7919 % 2500
        )
    };
    folder.esctl_with("send --batch -", (0..2500).map(line).collect::<String>()).exits(0);
    let listed = folder.esctl("streams --at @40 -o csv").done();
    let mut known: Vec<_> = (0..40).map(|n| n * 7919 % 2500).collect();
    known.sort_unstable();
    let names: Vec<_> = listed.lines().skip(1).map(|row| row.split(',').next().unwrap().to_owned()).collect();
    assert_eq!(names, known.iter().map(|n| format!("account/{n:04}")).collect::<Vec<_>>());
}
