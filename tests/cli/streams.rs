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
