//! Projections with `inline: true`: their rows are stored with the events.

use crate::support::{Folder, Outcome};
use insta::assert_snapshot;

const DOMAIN: &str = "\
domain: d
aggregates:
  a:
    state: { n: 0 }
    events:
      Added: { fields: { by: integer }, fold: state.n += event.by }
      Sent: { fields: { to: string } }
    commands:
      Add: { fields: { by: integer }, decide: 'emit(\"Added\", command)' }
      Twice: { fields: { by: integer }, decide: 'emit(\"Added\", command); emit_to(\"a/other\", \"Added\", command)' }
      Never: { decide: 'reject(\"never\")' }
      Send: { fields: { to: string }, decide: 'emit(\"Sent\", command)' }
projections:
  sums:
    inline: true
    columns: { id: string, n: integer, last: integer, who: string }
    key: meta.id
    on:
      a.Added: |
        row.n += event.by; row.last = meta.position; row.who = get(meta, \"actor\", ());
        if row.who == () { row.who = \"nobody\" }
        if event.by == 13 { throw \"unlucky\" }
";

fn folder() -> Folder {
    let folder = Folder::empty();
    std::fs::create_dir(folder.file("domains")).unwrap();
    folder.write("domains/d.yaml", DOMAIN);
    folder
}

/// What any program sees in the file, without esctl bringing anything up to date.
fn rows(folder: &Folder) -> String {
    folder.bash("sqlite3 esctl.db 'SELECT * FROM sums ORDER BY id'").done()
}

fn status(folder: &Folder) -> Outcome {
    folder.esctl("project status -o csv")
}

#[test]
fn rows_are_there_with_the_events() {
    let folder = folder();
    folder.esctl("send a/x Add by=1 --actor ada").exits(0);
    assert_eq!(rows(&folder), "x|1|1|ada\n");
    folder.esctl("send a/x Twice by=2").exits(0);
    assert_eq!(rows(&folder), "other|2|3|nobody\nx|3|2|nobody\n");
    folder.esctl("send a/x Send to=y").exits(0);
    folder.esctl("send a/x Never").exits(1);
    folder.esctl("send a/x Add by=5 --dry-run").exits(0);
    assert_eq!(rows(&folder), "other|2|3|nobody\nx|3|2|nobody\n");
    status(&folder).exits(0).prints("sums,current,4,4,0,2,");
    folder.esctl("project verify sums").exits(0);
    folder.esctl("verify").exits(0);
    folder.esctl("project rebuild sums").exits(0);
    assert_eq!(rows(&folder), "other|2|3|nobody\nx|3|2|nobody\n");
}

#[test]
fn an_event_that_cannot_be_applied_is_not_stored() {
    let folder = folder();
    folder.esctl("send a/x Add by=1").exits(0);
    assert_snapshot!(folder.esctl("send a/x Add by=13"), @r#"
    exit: 4
    stderr:
    error: unlucky
      --> domains/d.yaml:22:29
       |
    22 |         if event.by == 13 { throw "unlucky" }
       |                             ^^^^^
       = while projecting `Added` of `a/x` (@2) into row "x" of `sums`
    "#);
    folder.esctl("send a/y Twice by=13").exits(4);
    assert_eq!(rows(&folder), "x|1|1|nobody\n");
    folder.esctl("replay a/x").exits(0).prints("version 1");
    folder.esctl("send a/x Add by=2").exits(0);
    assert_eq!(rows(&folder), "x|3|2|nobody\n");
    folder.esctl("project verify").exits(0);
}

#[test]
fn a_batch_loses_only_the_line_that_fails() {
    let line =
        |stream: &str, by: i64| format!("{{\"stream\":\"a/{stream}\",\"command\":\"Add\",\"data\":{{\"by\":{by}}}}}\n");
    let input = [line("x", 1), line("x", 13), line("y", 2), line("x", 4)].concat();
    let one = folder();
    assert_snapshot!(one.esctl_with("send --batch - --keep-going", &input), @r#"
    exit: 4
    stdout:
    {"line":1,"stream":"a/x","command":"Add","id":"019c13ec-9e00-7000-8000-000000000000","outcome":"accepted","version":1,"position":1,"events":[{"version":1,"position":1,"type":"Added","data":{"by":1}}],"head":"<hash>"}
    {"line":2,"outcome":"error","exit":4,"message":"unlucky"}
    {"line":3,"stream":"a/y","command":"Add","id":"019c13ec-9e00-7000-8000-000000000002","outcome":"accepted","version":1,"position":2,"events":[{"version":1,"position":2,"type":"Added","data":{"by":2}}],"head":"<hash>"}
    {"line":4,"stream":"a/x","command":"Add","id":"019c13ec-9e00-7000-8000-000000000003","outcome":"accepted","version":2,"position":3,"events":[{"version":2,"position":3,"type":"Added","data":{"by":4}}],"head":"<hash>"}
    stderr:
    error: unlucky
      --> domains/d.yaml:22:29
       |
    22 |         if event.by == 13 { throw "unlucky" }
       |                             ^^^^^
       = while projecting `Added` of `a/x` (@2) into row "x" of `sums`
         in line 2 of the batch
    4 commands: 3 accepted, 0 rejected, 1 error
    "#);
    assert_eq!(rows(&one), "x|5|3|nobody\ny|2|2|nobody\n");
    status(&one).prints("sums,current,3,3,0,2,");
    one.esctl("project verify").exits(0);

    let two = folder();
    two.esctl_with("send --batch -", &input).exits(4);
    assert_eq!(rows(&two), "x|1|1|nobody\n");

    let three = folder();
    three.esctl("send a/x Add by=1").exits(0);
    three.esctl_with("send --batch - --atomic", &input).exits(4);
    assert_eq!(rows(&three), "x|1|1|nobody\n");
    three.esctl_with("send --batch - --atomic", [line("x", 1), line("y", 2)].concat()).exits(0);
    assert_eq!(rows(&three), "x|2|2|nobody\ny|2|3|nobody\n");
    three.esctl("verify").exits(0);
}

/// What came by another way, or by other rules, is caught up with before anything is sent.
#[test]
fn what_it_has_not_seen_is_applied_first() {
    let folder = folder();
    folder.esctl("send a/x Add by=1").exits(0);
    folder.esctl("export all.ndjson").exits(0);
    folder.esctl("import all.ndjson --store copy.db").exits(0);
    folder.esctl("send a/x Add by=2 --store copy.db").exits(0);
    assert_eq!(folder.bash("sqlite3 copy.db 'SELECT * FROM sums'").done(), "x|3|2|nobody\n");

    folder.write("domains/d.yaml", DOMAIN.replace("row.n += event.by;", "row.n += event.by * 10;"));
    status(&folder).prints("sums,stale,1,1,0,1,");
    folder.esctl("send a/x Never").exits(1);
    folder.esctl("send a/x Add by=2").exits(0);
    assert_eq!(rows(&folder), "x|30|2|nobody\n");
}

#[test]
fn many_processes_keep_the_rows_exact() {
    let folder = folder();
    let batch = |group: usize| {
        let line = r#"{"stream":"a/x","command":"Add","data":{"by":1},"id":"'$group-$i'"}"#;
        format!(
            "group={group}; (for i in $(seq 300); do echo '{line}'; done) | esctl send --batch - --group {group} > /dev/null & pids=\"$pids $!\"\n"
        )
    };
    let all = [batch(1), batch(7), batch(256)].concat();
    folder.bash(&format!("{all}for pid in $pids; do wait $pid || exit 1; done")).exits(0);
    assert_eq!(rows(&folder), "x|900|900|nobody\n");
    folder.esctl("project verify").exits(0);
}

#[test]
fn inline_is_true_or_false() {
    let folder = folder();
    folder.write("domains/d.yaml", DOMAIN.replace("inline: true", "inline: often"));
    assert_snapshot!(folder.esctl("check"), @r#"
    exit: 1
    stderr:
    warning: nothing folds `Sent`: it does not change the state
     --> domains/d.yaml:7:7
      |
    7 |       Sent: { fields: { to: string } }
      |       ^^^^
    hint: give it a `fold`, or ignore this where the event is only for read models

    warning: the command `Never` emits nothing: it never changes anything
      --> domains/d.yaml:11:25
       |
    11 |       Never: { decide: 'reject("never")' }
       |                         ^^^^^^^^^^^^^^^
    hint: let it emit the event that it asks for, or remove it

    error: `inline` is `true` or `false`
      --> domains/d.yaml:15:13
       |
    15 |     inline: often
       |             ^^^^^

    1 error, 2 warnings
    "#);
    folder.write("domains/d.yaml", DOMAIN.replace("inline: true", "inline: false"));
    folder.esctl("send a/x Add by=13").exits(0);
    folder.bash("sqlite3 esctl.db 'SELECT * FROM sums'").exits(1);
}

/// It is filled by several threads as others are; what it cannot apply of what came before keeps `send` from storing more,
/// until somebody says to go on past it.
#[test]
fn several_threads_fill_it_and_what_fails_there_stops_it() {
    let folder = folder();
    folder.write("domains/d.yaml", DOMAIN.replace("inline: true", "inline: false"));
    for (stream, by) in [("x", 1), ("y", 2), ("x", 13), ("x", 4), ("y", 5)] {
        folder.esctl(&format!("send a/{stream} Add by={by}")).exits(0);
    }
    folder.write("domains/d.yaml", DOMAIN);
    for jobs in [1, 2, 3] {
        let stopped = folder.esctl(&format!("project rebuild sums --jobs {jobs}")).exits(4);
        let stopped =
            stopped.says("error: unlucky\n").says("while projecting `Added` of `a/x` (@3) into row \"x\" of `sums`");
        assert_eq!(stopped.stdout, "");
        status(&folder).prints("sums,never,0,5,5,0,,2,0,").prints(",@3: unlucky (domains/d.yaml:22:29)\n");
    }
    assert_snapshot!(folder.esctl("send a/z Add by=1"), @r#"
    exit: 4
    stderr:
    note: the domain has changed: nothing in this store was decided by these rules yet
    error: unlucky
      --> domains/d.yaml:22:29
       |
    22 |         if event.by == 13 { throw "unlucky" }
       |                             ^^^^^
       = while projecting `Added` of `a/x` (@3) into row "x" of `sums`
    "#);
    folder.esctl("replay a/z").exits(2);
    for jobs in [1, 2, 3] {
        folder.esctl(&format!("project rebuild sums --jobs {jobs} --park")).exits(0).prints("1 event parked\n");
        assert_eq!(rows(&folder), "x|5|4|nobody\ny|7|5|nobody\n");
        folder.esctl("project verify").exits(0);
    }
    // What was parked is in the past; what is sent now is applied or not stored.
    folder.esctl("send a/x Add by=6").exits(0);
    folder.esctl("send a/x Add by=13").exits(4).says("(@7)");
    assert_eq!(rows(&folder), "x|11|6|nobody\ny|7|5|nobody\n");
    status(&folder).prints("sums,current,6,6,0,2,");
    folder.esctl("project parked -o csv").exits(0).prints("\nsums,3,a/x,2,Added,x,unlucky,domains/d.yaml:22:29\n");
    folder.write("domains/d.yaml", DOMAIN.replace("== 13", "== 14"));
    folder.esctl("project retry").exits(0).prints("sums: 1 event applied, 0 events still parked\n");
    assert_eq!(rows(&folder), "x|24|6|nobody\ny|7|5|nobody\n");
    folder.esctl("send a/x Add by=13").exits(0);
    for jobs in [1, 2, 3] {
        folder.esctl(&format!("project rebuild sums --jobs {jobs}")).exits(0);
        assert_eq!(rows(&folder), "x|37|7|nobody\ny|7|5|nobody\n");
    }
    folder.esctl("verify").exits(0);
}
