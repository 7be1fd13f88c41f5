//! `esctl snapshot`, and the snapshots that `send` makes: when there are any, and that no answer depends on one.

use crate::support::{Folder, dump};
use esctl::event::Version;
use esctl::store::Store;
use esctl::store::sqlite::{Access, Options, SqliteStore};
use insta::assert_snapshot;

const COUNTERS: &str = r#"
domain: counters
aggregates:
  counter:
    snapshot: 10
    state: { count: 0, sum: 0.0, notes: {} }
    events:
      Counted:
        fields: { by: decimal, note?: string }
        fold: |
          // How often, and how much.
          let more = event.by;
          state.count += 1;
          state.sum += more;
          if event.note != () { state.notes[event.note] = version; }
    commands:
      Count:
        fields: { times: integer, note?: string }
        decide: |
          require(command.times > 0, "nothing");
          for n in 0..command.times { emit("Counted", #{ by: 0.5, note: command.note }); }
      Both:
        fields: { other: string, times: integer }
        decide: |
          emit("Counted", #{ by: 1 });
          for n in 0..command.times { emit_to(`counter/${command.other}`, "Counted", #{ by: 2 }); }
"#;

fn counters() -> Folder {
    let folder = Folder::empty();
    folder.write("domains/counters.yaml", COUNTERS);
    folder
}

/// With these rules in place of those.
fn changed(folder: &Folder, from: &str, to: &str) {
    assert!(COUNTERS.contains(from), "{from}");
    folder.write("domains/counters.yaml", COUNTERS.replace(from, to));
}

fn count(folder: &Folder, stream: &str, times: &[u32]) {
    for times in times {
        folder.esctl(&format!("send counter/{stream} Count times={times}")).done();
    }
}

/// The versions of the snapshots of all streams.
fn versions(folder: &Folder) -> Vec<String> {
    let list = folder.esctl("snapshot list -o csv").done();
    list.lines().skip(1).map(|line| line.split(',').take(2).collect::<Vec<_>>().join(" ")).collect()
}

/// The state of a stream at each of its versions, all on one line.
fn states(folder: &Folder, stream: &str, end: u32) -> Vec<String> {
    (0..=end).map(|at| folder.esctl(&format!("replay {stream} --at {at} -o json")).done()).collect()
}

#[test]
fn one_is_made_when_enough_events_have_come_since_the_last() {
    let folder = counters();
    count(&folder, "a", &[1; 9]);
    assert_eq!(versions(&folder), [""; 0], "9 events: none");
    count(&folder, "a", &[1]);
    assert_eq!(versions(&folder), ["counter/a 10"]);
    count(&folder, "b", &[11]);
    assert_eq!(versions(&folder), ["counter/a 10", "counter/b 11"], "after the command");
    count(&folder, "b", &[1, 10]);
    assert_eq!(versions(&folder), ["counter/a 10", "counter/b 11", "counter/b 22"]);
    count(&folder, "b", &[9]);
    assert_eq!(versions(&folder).len(), 3);
    assert_snapshot!(folder.esctl("snapshot list counter/b"), @r"
    exit: 0
    stdout:
    stream     version  status   bytes  digest
    counter/b       11  current     33  fc7fd35b27e2
    counter/b       22  current     34  fc7fd35b27e2
    ");
    assert_eq!(
        dump::ask(&folder, "SELECT state FROM es_snapshots WHERE version = 22"),
        [r#"{"count":22,"notes":{},"sum":11.0}"#]
    );
}

#[test]
fn a_batch_makes_the_same_ones() {
    let one = counters();
    let all = counters();
    let mut lines = Vec::new();
    for n in 0..40 {
        let (stream, times) = (["a", "b"][n % 2], n % 7);
        let (to, data) = (format!("\"stream\":\"counter/{stream}\""), format!("\"data\":{{\"times\":{times}}}"));
        lines.push(format!("{{{to},\"command\":\"Count\",{data},\"id\":\"{n}\"}}"));
        one.esctl(&format!("send counter/{stream} Count times={times} --id {n}"));
    }
    for how in ["--group 7", "", "--atomic"] {
        let folder = counters();
        folder.esctl_with(&format!("send --batch - {how}"), lines.join("\n"));
        if how == "--atomic" {
            assert_eq!(versions(&folder), [""; 0], "one of them is rejected, so all are");
        } else {
            assert_eq!(versions(&folder), versions(&one), "{how}");
        }
    }
    lines.retain(|line| !line.contains("\"times\":0"));
    all.esctl_with("send --batch - --atomic", lines.join("\n")).exits(0);
    assert_eq!(versions(&all), versions(&one));
    assert_eq!(
        versions(&one),
        [
            "counter/a 12",
            "counter/a 23",
            "counter/a 33",
            "counter/a 44",
            "counter/a 54",
            "counter/b 11",
            "counter/b 21",
            "counter/b 32",
            "counter/b 42",
            "counter/b 53",
        ]
    );
}

#[test]
fn every_stream_that_a_command_touches_counts() {
    let folder = counters();
    folder.esctl("send counter/a Both other=b times=10").done();
    assert_eq!(versions(&folder), ["counter/b 10"]);
    for _ in 0..9 {
        folder.esctl("send counter/a Both other=b times=1").done();
    }
    assert_eq!(versions(&folder), ["counter/a 10", "counter/b 10"]);
    folder.esctl("send counter/a Both other=b times=1").done();
    assert_eq!(versions(&folder), ["counter/a 10", "counter/b 10", "counter/b 20"]);
}

#[test]
fn what_stores_nothing_makes_none() {
    let folder = counters();
    count(&folder, "a", &[9]);
    folder.esctl("send counter/a Count times=5 --dry-run").done();
    folder.esctl("send counter/a Count times=0").exits(1);
    assert_eq!(versions(&folder), [""; 0]);
    count(&folder, "a", &[5]);
    let before = dump::everything(&folder, "esctl.db");
    for verb in [
        "replay counter/a",
        "replay counter/a --at 11",
        "replay counter/a --steps",
        "diff counter/a 1 12",
        "blame counter/a",
        "bisect counter/a 'state.count > 10'",
        "snapshot list",
        "send counter/a Count times=50 --dry-run",
        "send counter/a Count times=50 --dry-run --at 14",
        "send counter/a Count times=50 --dry-run --at 9",
        "verify",
    ] {
        folder.esctl(verb).exits(0);
    }
    assert_eq!(dump::everything(&folder, "esctl.db"), before);
}

/// What nobody but a mistake would write: a state that the events do not give, with the right hash. It shows who uses one.
fn forge(folder: &Folder, stream: &str, version: u64, state: &str) {
    let digest = dump::ask(folder, "SELECT digest FROM es_folds ORDER BY id DESC LIMIT 1").remove(0);
    let mut store = SqliteStore::open(folder.file("esctl.db"), Options::new(Access::Write)).unwrap();
    store.begin().unwrap();
    store.keep_snapshot(&stream.parse().unwrap(), &digest, Version(version), state).unwrap();
    store.commit().unwrap();
}

#[test]
fn who_asks_for_one_state_begins_at_the_latest_and_who_asks_for_all_of_them_does_not() {
    let folder = counters();
    count(&folder, "a", &[10, 2]);
    forge(&folder, "counter/a", 5, r#"{"count":1000,"notes":{},"sum":1000.0}"#);
    let says = |verb: &str, text: &str| drop(folder.esctl(verb).exits(0).prints(text));
    says("replay counter/a --at 7 -o json", r#""count":7,"#);
    // Below what the domain calls for nobody looks.
    forge(&folder, "counter/a", 10, r#"{"count":1000,"notes":{},"sum":1000.0}"#);
    says("replay counter/a --at 9 -o json", r#""count":9,"#);
    says("replay counter/a --at 11 -o json", r#""count":1001,"#);
    says("replay counter/a --at 10 -o json", r#""count":1000,"#);
    says("diff counter/a 9 10", "1000");
    says("send counter/a Count times=1 --dry-run -o json", r#""count":1003,"#);
    says("replay counter/a -o json", r#""count":1002,"#);
    says("replay counter/a --steps --at 11 -o ndjson", r#""after":11"#);
    says("blame counter/a --at 11", "count  11          11");
    says("check --store esctl.db", "counter.Counted        1      12              0");
    // It is what it was when it was kept: nobody can tell but by folding the events.
    says("verify", "snapshots");
    folder.esctl("snapshot rebuild").done();
    says("replay counter/a --at 11 -o json", r#""count":11,"#);
}

#[test]
fn one_by_another_fold_is_passed_over_and_makes_room() {
    let folder = counters();
    count(&folder, "a", &[10, 10, 5]);
    count(&folder, "b", &[10]);
    let before = states(&folder, "counter/a", 25);
    // What means the same has the same digest.
    changed(&folder, "// How often, and how much.\n          let more = event.by;", "let much = event.by;");
    folder.write("domains/counters.yaml", COUNTERS.replace("// How often, and how much.", "").replace("more", "much"));
    assert!(!folder.esctl("snapshot list").done().contains("stale"));
    changed(&folder, "state.count += 1", "state.count += 2");
    assert_snapshot!(folder.esctl("snapshot list"), @r"
    exit: 0
    stdout:
    stream     version  status  bytes  digest
    counter/a       10  stale      33  fc7fd35b27e2
    counter/a       20  stale      34  fc7fd35b27e2
    counter/b       10  stale      33  fc7fd35b27e2
    ");
    folder.esctl("replay counter/a --at 21 -o json").prints(r#""count":42,"#);
    count(&folder, "a", &[1]);
    assert_eq!(
        versions(&folder),
        ["counter/a 26", "counter/b 10"],
        "the first by the new rules takes the place of the others"
    );
    folder.esctl("replay counter/a -o json").prints(r#""count":52,"#);
    folder.write("domains/counters.yaml", COUNTERS);
    assert_eq!(states(&folder, "counter/a", 25), before);
    folder.esctl("verify").exits(0);
}

#[test]
fn one_that_was_changed_by_hand_is_passed_over_and_verify_tells() {
    let folder = counters();
    count(&folder, "a", &[10, 10, 5]);
    let before = states(&folder, "counter/a", 25);
    let kept = dump::everything(&folder, "esctl.db");
    dump::change(&folder, "UPDATE es_snapshots SET state = replace(state, '20', '21') WHERE version = 20");
    assert_ne!(dump::everything(&folder, "esctl.db"), kept);
    assert_eq!(states(&folder, "counter/a", 25), before);
    assert_snapshot!(folder.esctl("verify"), @r"
    exit: 6
    stdout:
    result       what       detail
    checked      events     25
    checked      streams    1
    checked      commands   3
    checked      domains    1
    checked      bytes      1,127
    checked      snapshots  2
    checked      head       @25 <hash>
    damaged      counter/a  the snapshot of `counter/a` at version 20: its hash is not that of what was kept
    not checked  tail       events removed at the end, or a history rewritten with new hashes, show only against a receipt: `--expect`
    stderr:
    error: 1 snapshot of `esctl.db` is not what was kept, and passed over; the first: the snapshot of `counter/a` at version 20: its hash is not that of what was kept
    hint: nothing is lost: `esctl snapshot rebuild` makes snapshots anew from the events
    ");
    folder.esctl("verify -o json").exits(6).prints(r#""sound":false"#).prints(
        r#""findings":[{"stream":"counter/a","message":"the snapshot of `counter/a` at version 20: its hash is not that of what was kept"}],"more":0"#,
    );
    // A command goes on from the one before, and keeps what it comes to.
    count(&folder, "a", &[1]);
    assert_eq!(versions(&folder), ["counter/a 10", "counter/a 20", "counter/a 26"]);
    folder.esctl("snapshot rebuild").done();
    folder.esctl("verify").exits(0);
    assert_eq!(states(&folder, "counter/a", 25), before);
}

#[test]
fn nonsense_is_passed_over_whatever_its_hash() {
    let folder = counters();
    count(&folder, "a", &[10, 10, 5]);
    let before = states(&folder, "counter/a", 25);
    for nonsense in
        ["", "{", "[]", r#"{"count":1}"#, r#"{"count":1,"notes":{},"sum":{"$char":"long"}}"#, &"[".repeat(9999)]
    {
        forge(&folder, "counter/a", 20, nonsense);
        assert_eq!(states(&folder, "counter/a", 25), before, "{nonsense:.20}");
    }
}

#[test]
fn a_state_is_the_same_when_it_is_read_again() {
    let folder = Folder::empty();
    let thing = r#"
domain: things
aggregates:
  thing:
    snapshot: 1
    state: { all: [], held: { type: decimal, initial: 7 }, whole: { type: decimal, initial: 10 }, first: "" }
    events:
      Kept:
        fields: { value: any }
        fold: |
          state.all.push(event.value);
          state.all.push(1.0 * 10);
          state.all.push('x');
          state.all.push(#{ "$char": "x", "$": [] });
          state.held /= 2;
          state.first = `${7 / state.whole} ${state.all[2]} ${state.held}`;
          state.whole = 10;
    commands:
      Put: { fields: { value: any }, decide: 'emit("Kept", command)' }
"#;
    folder.write("domains/things.yaml", thing);
    for value in ["1e1", "10", "null", r#""10""#, "[]", "{}", r#"{"$char":"y"}"#, "0.10"] {
        folder.esctl(&format!("send thing/1 Put 'value:={value}'")).done();
    }
    assert_eq!(versions(&folder).len(), 8);
    let with = states(&folder, "thing/1", 8);
    folder.write("domains/things.yaml", thing.replace("snapshot: 1\n", "snapshot: 0\n"));
    assert_eq!(states(&folder, "thing/1", 8), with);
    assert_snapshot!(with[1], @r#"{"stream":"thing/1","version":1,"position":1,"time":"2026-01-31T12:00:00.000000Z","state":{"all":[10,10.0,"x",{"$":[],"$char":"x"}],"held":3.5,"whole":10,"first":"0.7 x 3.5"}}"#);
    assert_eq!(
        dump::ask(&folder, "SELECT state FROM es_snapshots WHERE version = 1"),
        [r#"{"all":[10,10.0,{"$char":"x"},{"$$":[],"$$char":"x"}],"first":"0.7 x 3.5","held":3.5,"whole":10e0}"#]
    );
}

/// Functions, ranges and what is too large: the state is folded from its events, as it always was.
#[test]
fn what_cannot_be_written_makes_none() {
    let folder = Folder::empty();
    folder.write(
        "domains/things.yaml",
        r#"
domain: things
aggregates:
  thing:
    snapshot: 2
    state: { range: (), text: "" }
    events:
      Ranged: { fold: 'state.range = 0..9' }
      Cleared: { fold: 'state.range = ()' }
      Grown: { fold: 'state.text = "x"; for n in 0..21 { state.text += state.text; }' }
    commands:
      Range: { decide: 'emit("Ranged"); emit("Ranged");' }
      Clear: { decide: 'emit("Cleared"); emit("Cleared");' }
      Grow: { decide: 'emit("Grown"); emit("Grown");' }
"#,
    );
    folder.esctl("send thing/1 Range").done();
    assert_eq!(versions(&folder), [""; 0]);
    folder.esctl("send thing/1 Clear").done();
    assert_eq!(versions(&folder), ["thing/1 4"]);
    folder.esctl("send thing/1 Grow").done();
    assert_eq!(versions(&folder), ["thing/1 4"]);
    assert_snapshot!(folder.esctl("snapshot rebuild"), @r"
    exit: 0
    stdout:
    stream   version  snapshots  removed  bytes
    thing/1        6          1        1     24
    stderr:
    1 snapshot of 1 stream, 24 bytes, in place of 1
    ");
}

/// What a fold knows of a command is kept as it is read from the log, not as it was given.
#[test]
fn meta_of_a_command_is_the_same_in_a_snapshot() {
    let folder = Folder::empty();
    let things = r#"
domain: things
aggregates:
  thing:
    snapshot: 1
    state: { quarter: (), by: "" }
    events:
      Done: { fold: 'state.quarter = meta.n / 4; state.by = meta.actor;' }
    commands:
      Do: { decide: 'emit("Done")' }
"#;
    folder.write("domains/things.yaml", things);
    let line = r#"{"stream":"thing/1","command":"Do","meta":{"n":1e1},"actor":"ada"}"#;
    folder.esctl_with("send --batch -", line).exits(0);
    let with = states(&folder, "thing/1", 1);
    folder.write("domains/things.yaml", things.replace("snapshot: 1", "snapshot: 0"));
    assert_eq!(states(&folder, "thing/1", 1), with);
}

#[test]
fn a_domain_can_have_none() {
    let folder = counters();
    count(&folder, "a", &[25]);
    assert_eq!(versions(&folder), ["counter/a 25"]);
    changed(&folder, "snapshot: 10", "snapshot: 0");
    count(&folder, "a", &[25]);
    assert_eq!(versions(&folder), ["counter/a 25"], "what is there is left alone");
    forge(&folder, "counter/a", 50, r#"{"count":1000,"notes":{},"sum":1000.0}"#);
    folder.esctl("replay counter/a -o json").prints(r#""count":50,"#);
    assert_snapshot!(folder.esctl("snapshot rebuild"), @r"
    exit: 0
    stdout:
    stream     version  snapshots  removed  bytes
    counter/a       50          0        2      0
    stderr:
    0 snapshots of 1 stream, 0 bytes, in place of 2
    ");
    // Where the domain says nothing it is every 500.
    changed(&folder, "    snapshot: 10\n", "");
    count(&folder, "b", &[499]);
    assert_eq!(versions(&folder), [""; 0]);
    count(&folder, "b", &[1]);
    assert_eq!(versions(&folder), ["counter/b 500"]);
}

#[test]
fn rebuild_makes_one_at_every_step_of_the_history() {
    let folder = counters();
    count(&folder, "a", &[11, 12, 9]);
    count(&folder, "b", &[9]);
    count(&folder, "c", &[10]);
    changed(&folder, "state.count += 1", "state.count += 2");
    assert_snapshot!(folder.esctl("snapshot rebuild"), @r"
    exit: 0
    stdout:
    stream     version  snapshots  removed  bytes
    counter/a       32          3        2    101
    counter/c       10          1        1     33
    stderr:
    4 snapshots of 2 streams, 134 bytes, in place of 3
    ");
    assert_eq!(versions(&folder), ["counter/a 10", "counter/a 20", "counter/a 30", "counter/c 10"]);
    assert_snapshot!(folder.esctl("snapshot rebuild counter/c -o json"), @r#"
    exit: 0
    stdout:
    [
    {"stream":"counter/c","version":10,"snapshots":1,"removed":1,"bytes":33}
    ]
    stderr:
    1 snapshot of 1 stream, 33 bytes, in place of 1
    "#);
    assert_snapshot!(folder.esctl("snapshot rebuild counter/a counter/b -o csv"), @r"
    exit: 0
    stdout:
    stream,version,snapshots,removed,bytes
    counter/a,32,3,3,101
    stderr:
    3 snapshots of 1 stream, 101 bytes, in place of 3
    ");
    assert_snapshot!(folder.esctl("snapshot list -o ndjson"), @r#"
    exit: 0
    stdout:
    {"stream":"counter/a","version":10,"status":"current","bytes":33,"digest":"<hash>"}
    {"stream":"counter/a","version":20,"status":"current","bytes":34,"digest":"<hash>"}
    {"stream":"counter/a","version":30,"status":"current","bytes":34,"digest":"<hash>"}
    {"stream":"counter/c","version":10,"status":"current","bytes":33,"digest":"<hash>"}
    "#);
    // The last one counts, whoever made it: the next comes ten events after 30.
    count(&folder, "a", &[7]);
    assert_eq!(versions(&folder).len(), 4);
    count(&folder, "a", &[1]);
    assert_eq!(versions(&folder)[3], "counter/a 40");
}

#[test]
fn an_import_makes_none_and_a_rebuild_or_a_command_does() {
    let folder = counters();
    count(&folder, "a", &[11, 12]);
    let lines = folder.esctl("export").done();
    folder.esctl_with("import --store copy.db -", lines).done();
    assert_eq!(folder.esctl("snapshot list --store copy.db").done(), "stream  version  status  bytes  digest\n");
    folder.esctl("send counter/a Count times=1 --store copy.db").done();
    folder.esctl("snapshot list --store copy.db -o csv").prints("counter/a,24,");
    folder.esctl("snapshot rebuild --store copy.db").done();
    folder.esctl("snapshot list --store copy.db -o csv").prints("counter/a,10,").prints("counter/a,20,");
    folder.esctl("verify --store copy.db").exits(0);
}

#[test]
fn what_is_not_there_is_said() {
    let folder = counters();
    assert_snapshot!(folder.esctl("snapshot list"), @r"
    exit: 2
    stderr:
    error: there is no store at `esctl.db`
    hint: the first `esctl send` makes it; another file is named with `--store`
    ");
    count(&folder, "a", &[1]);
    assert_snapshot!(folder.esctl("snapshot rebuild"), @r"
    exit: 0
    stdout:
    stream  version  snapshots  removed  bytes
    stderr:
    0 snapshots of 0 streams, 0 bytes
    ");
    assert_snapshot!(folder.esctl("snapshot rebuild counter/a counter/b"), @r"
    exit: 2
    stderr:
    error: there is no stream `counter/b`
    hint: did you mean `counter/a`?
    ");
    assert_snapshot!(folder.esctl("snapshot list account/a"), @r"
    exit: 2
    stderr:
    error: there is no aggregate `account`
    hint: the domain has `counter`
    ");
    assert_snapshot!(folder.esctl("snapshot list counter"), @r"
    exit: 2
    stderr:
    error: `counter`: a stream is named `aggregate/id`, as in `account/ada`
    ");
    // A stream that the domain does not know any more is left alone, and listed.
    count(&folder, "a", &[10]);
    folder.write("domains/counters.yaml", COUNTERS.replace("  counter:", "  meter:").replace("counter/", "meter/"));
    assert_snapshot!(folder.esctl("snapshot rebuild"), @r"
    exit: 0
    stdout:
    stream  version  snapshots  removed  bytes
    stderr:
    0 snapshots of 0 streams, 0 bytes
    ");
    folder.esctl("snapshot list -o csv").exits(0).prints("counter/a,11,stale,");
}
