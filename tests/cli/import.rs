//! `esctl import`

use crate::support::Folder;
use esctl::domain::digest;
use esctl::event::{Command as Sent, Hash, Position, StreamName, Time, Version};
use esctl::store::chain::{self, GENESIS, Link};
use insta::assert_snapshot;
use proptest::prelude::*;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Everything that is in a store, as SQL.
fn dump(folder: &Folder, store: &str) -> String {
    // What processes have done is no part of an export.
    folder.bash(&format!("sqlite3 -readonly {store} .dump | grep -v '^INSERT INTO es_processes '")).done()
}

/// With commands of several events, labels, metadata, two domain texts and characters that need care.
fn rich() -> Folder {
    let folder = Folder::opened();
    folder.esctl("send account/bob Open owner=Bob currency=EUR --actor root --meta ip=::1 --meta n:=25.10").done();
    folder.esctl("send account/ada Deposit amount=25.10 --id mine --correlation talk --causation @1").done();
    folder.bash("sed -i 's/hold money/hold much money/' domains/bank.yaml").done();
    folder.esctl("send account/ada Transfer to=bob amount=0.05").done();
    folder
        .esctl_with("send account/eve Open --data -", r#"{"owner":"a\u202eb\u0007 ä \ud83d\ude00","currency":"EUR"}"#)
        .done();
    folder
}

/// Many events, some of them in commands of two.
fn large() -> Folder {
    let folder = Folder::bank();
    let open = |n: usize| {
        format!(
            "{{\"stream\":\"account/{n}\",\"command\":\"Open\",\"data\":{{\"owner\":\"O\",\"currency\":\"EUR\"}}}}\n"
        )
    };
    let change = |n: usize| {
        let (from, to) = (n % 5, (n + 1) % 5);
        if n % 3 == 2 {
            format!(
                "{{\"stream\":\"account/{from}\",\"command\":\"Transfer\",\"data\":{{\"to\":\"{to}\",\"amount\":1.50}}}}\n"
            )
        } else {
            format!("{{\"stream\":\"account/{from}\",\"command\":\"Deposit\",\"data\":{{\"amount\":9.99}}}}\n")
        }
    };
    let commands: String = (0..5).map(open).chain((0..1600).map(change)).collect();
    folder.esctl_with("send --batch - --keep-going", commands);
    folder
}

#[test]
fn what_was_exported_comes_back_as_it_was() {
    let folder = rich();
    let export = folder.esctl("export").done();
    assert_snapshot!(folder.esctl_with("import --store copy.db", &export), @r"
    exit: 0
    stdout:
    store                                 events  commands  skipped  position  hash
    019c13ec-9e00-7000-8000-00000fffffff       8         7        0         8  <hash>
    stderr:
    8 events: 8 stored, 0 there before
    ");
    assert_eq!(folder.esctl("export --store copy.db").done(), export);
    assert_eq!(dump(&folder, "copy.db"), dump(&folder, "esctl.db"));
    let json = folder.esctl("events -o json").done();
    assert_eq!(folder.esctl("events -o json --store copy.db").done(), json);
    assert!(json.contains("25.10"), "{json}");
    // And it goes on there.
    folder.esctl("send account/ada Deposit amount=1 --store copy.db").done();
}

#[test]
fn a_second_import_changes_nothing() {
    let folder = rich();
    folder.bash("esctl export all.ndjson && esctl import all.ndjson --store copy.db").done();
    let before = dump(&folder, "copy.db");
    let again = folder.esctl("import all.ndjson --store copy.db -o json").exits(0);
    assert!(
        again.stdout.starts_with("{\"store\":\"")
            && again.stdout.contains(",\"events\":0,\"commands\":0,\"skipped\":8,")
    );
    assert_eq!(again.stderr, "8 events: 0 stored, 8 there before\n");
    folder.esctl("import all.ndjson").done();
    assert_eq!(dump(&folder, "copy.db"), before);
}

#[test]
fn an_export_goes_on_where_the_last_one_ended() {
    let folder = Folder::opened();
    folder.bash("esctl export | esctl import --store copy.db").done();
    folder.esctl("send account/ada Deposit amount=2").done();
    folder.esctl("export --after @3 more.ndjson").done();
    folder.esctl("send account/ada Deposit amount=3").done();
    folder.esctl("export --after @4 later.ndjson").done();
    folder.esctl("import later.ndjson --store copy.db").exits(3).says("ends at position 3").says("--after 3");
    folder.esctl("import later.ndjson --store new.db").exits(3).says("begins after position 4");
    folder.esctl("import more.ndjson --store copy.db").done();
    folder.esctl("import later.ndjson --store copy.db").done();
    folder.esctl("import more.ndjson --store copy.db").done();
    assert_eq!(dump(&folder, "copy.db"), dump(&folder, "esctl.db"));
    assert!(!folder.file("new.db").exists());
}

#[test]
fn an_empty_store_is_a_store() {
    let folder = Folder::bank();
    folder.esctl("send account/ada Withdraw amount=1").exits(1);
    folder.bash("esctl export | esctl import --store copy.db").done();
    assert_eq!(dump(&folder, "copy.db"), dump(&folder, "esctl.db"));
}

#[test]
fn another_store_and_another_history_are_refused() {
    let folder = Folder::opened();
    folder.esctl("export all.ndjson").done();
    folder.bash("esctl export | esctl import --store copy.db").done();
    // The id is made of the clock and repeats; this one is another.
    folder.bash("ESCTL_CLOCK= esctl send account/x Open owner=X currency=EUR --store other.db").done();
    let other = dump(&folder, "other.db");
    folder.esctl("import all.ndjson --store other.db").exits(3).says("the export is of the store");
    assert_eq!(dump(&folder, "other.db"), other);

    folder.esctl("send account/ada Deposit amount=2 --id one").done();
    folder.esctl("send account/ada Deposit amount=3 --id two --store copy.db").done();
    let copy = dump(&folder, "copy.db");
    folder.bash("esctl export | esctl import --store copy.db").exits(3).says("differ at position 4").says("in line 10");
    folder.bash("esctl export --after @4 | esctl import --store copy.db").exits(3).says("differ at position 4");
    assert_eq!(dump(&folder, "copy.db"), copy);
}

#[test]
fn what_is_no_export_is_refused_with_its_line() {
    let folder = rich();
    let export = folder.esctl("export").done();
    let lines: Vec<_> = export.lines().collect();
    let check = |number: usize, wrong: &str, says: &str| {
        let mut changed = lines.clone();
        changed[number - 1] = wrong;
        let outcome = folder.esctl_with("import --store bad.db", changed.join("\n") + "\n").exits(2);
        let outcome = outcome.says(says).says(&format!("in line {number} of the export"));
        assert!(outcome.stdout.is_empty(), "{outcome}");
        // A command is there with all its events or not at all.
        let halves =
            "SELECT count(*) FROM commands c WHERE c.events <> (SELECT count(*) FROM events e WHERE e.command = c.id)";
        if folder.file("bad.db").exists() {
            assert_eq!(folder.bash(&format!("sqlite3 bad.db '{halves}'")).done().trim(), "0");
            std::fs::remove_file(folder.file("bad.db")).unwrap();
        }
    };
    let changed = |number: usize, from: &str, to: &str| {
        assert!(lines[number - 1].contains(from), "{}", lines[number - 1]);
        lines[number - 1].replacen(from, to, 1)
    };
    check(1, "{}", "this is no export");
    check(1, "x", "not JSON");
    check(1, &changed(1, "\"esctl\":1", "\"esctl\":2"), "use a newer one");
    check(1, &changed(1, "\"previous\":\"00", "\"previous\":\"01"), "contradicts itself");
    check(2, &changed(2, "money", "honey"), "not that of its text");
    check(3, &changed(3, "\"events\":1", "\"events\":0"), "without events");
    check(3, &changed(3, "\"events\"", "\"evants\""), "no `events`");
    check(3, &changed(3, "\"command\":\"", "\"command\":\"\\u001b"), "no control characters");
    check(3, lines[3], "behind its command");
    check(4, lines[0], "a second header");
    check(4, lines[4], "only 0 of them are here");
    check(4, "{\"a\":1}", "no line of an export");
    check(4, "[1]", "not JSON");
    check(4, &changed(4, "\"position\":1", "\"position\":2"), "here comes position 1, not 2");
    check(4, &changed(4, "\"Ada\"", "\"Eve\""), "the hash is not that");
    check(4, &changed(4, "\"schema\":1", "\"schema\":-1"), "a whole number");
    check(4, &changed(4, "\"schema\":1", "\"schema\":1,\"more\":1"), "`more` is no key");
    check(6, &changed(6, "0.10", "0.1"), "the hash is not that");
    check(10, &changed(10, "\"data\":{", "\"data\":[{"), "not JSON");
    folder.esctl_with("import --store bad.db", "").exits(2).says("there is nothing in it");
    folder.esctl_with("import --store bad.db", b"\xff\n").exits(2).says("not UTF-8");
    assert!(!folder.file("bad.db").exists());
}

#[test]
fn a_file_that_is_cut_off_is_said_and_what_is_whole_is_kept() {
    let folder = rich();
    let export = folder.esctl("export").done();
    for cut in (0..export.len()).step_by(311) {
        if !export.is_char_boundary(cut) {
            continue;
        }
        let outcome = folder.esctl_with("import --store copy.db", &export[..cut]).exits(2);
        assert!(outcome.stdout.is_empty() && outcome.stderr.contains("in line "), "{outcome}");
        if cut > 20_000 {
            let _ = outcome.says(" stored, ");
        }
    }
    folder.esctl_with("import --store copy.db", export.trim_end()).done();
    assert_eq!(dump(&folder, "copy.db"), dump(&folder, "esctl.db"));
}

#[test]
fn the_domain_must_know_what_comes_unless_it_is_not_asked() {
    let folder = Folder::opened();
    folder.esctl("export all.ndjson").done();
    folder.write("git/git.yaml", std::fs::read(crate::support::sources().join("domains/git.yaml")).unwrap());
    let outcome = folder.esctl("import all.ndjson --store a.db --domain git").exits(2);
    let _ = outcome.says("there is no aggregate `account`").says("--raw").says("in line 4 of the export");
    folder
        .bash("mkdir less more && sed 's/Deposited:/Put:/; s/Deposited/Put/g' domains/bank.yaml > less/bank.yaml")
        .done();
    folder
        .esctl("import all.ndjson --store b.db --domain less")
        .exits(2)
        .says("no event `Deposited`")
        .says("1 event: 1 stored");
    folder
        .bash("sed '/^scenarios:/,$d; s/{ owner: string, currency: Currency }/{ owner: { type: string, max_length: 2 }, currency: Currency }/' domains/bank.yaml > more/bank.yaml")
        .done();
    folder.esctl("import all.ndjson --store c.db --domain more").exits(2).says("does not fit").says("/owner");
    // What is there already is not asked about again.
    folder.esctl("import all.ndjson --domain more").done();
    folder.esctl("import all.ndjson --store d.db --domain none").exits(2);
    assert!(!folder.file("d.db").exists());
    for store in ["a.db", "b.db", "c.db", "d.db"] {
        folder.esctl(&format!("import all.ndjson --store {store} --domain none --raw")).done();
        assert_eq!(dump(&folder, store), dump(&folder, "esctl.db"), "{store}");
    }
}

#[test]
fn a_summary_that_cannot_be_delivered_is_unknown() {
    let folder = Folder::opened();
    folder.esctl("export all.ndjson").done();
    folder.bash("esctl import all.ndjson --store copy.db > /dev/full").exits(7).says("import it again");
    folder.bash("esctl import all.ndjson --store copy.db > /dev/full").exits(5);
    assert_eq!(dump(&folder, "copy.db"), dump(&folder, "esctl.db"));
}

#[test]
fn a_killed_import_goes_on_where_it_stopped() {
    let folder = large();
    let export = folder.esctl("export").done();
    let wanted = dump(&folder, "esctl.db");
    assert!(export.matches("\n{\"position\":").count() > 2000, "there are more than two groups");
    for point in 1..=6 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_esctl"));
        command.args(["import", "--store", "copy.db"]);
        folder.surround(&mut command);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // What is fed is in the pipe or read: the kill falls wherever the import is by then.
        let mut input = child.stdin.take().unwrap();
        input.write_all(&export.as_bytes()[..export.len() * point / 7]).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        // One that was killed before it had made the store leaves none, or a file without tables.
        let tables = "test -e copy.db && sqlite3 copy.db 'SELECT count(*) FROM sqlite_schema' || echo 0";
        if folder.bash(tables).done().trim() != "0" {
            let heads = folder.bash("sqlite3 copy.db 'SELECT count(*), coalesce(max(position), 0) FROM events'").done();
            let (count, last) = heads.trim().split_once('|').unwrap();
            assert_eq!(count, last, "point {point}");
        }
    }
    folder.esctl_with("import --store copy.db", &export).done();
    assert!(dump(&folder, "copy.db") == wanted, "the resumed import differs");
    // Another store, cut at other places, in one go each.
    for part in 1..4 {
        let end = export.len() * part / 4;
        folder.esctl_with("import --store parts.db", &export[..end]).exits(2);
    }
    folder.esctl_with("import --store parts.db", &export).done();
    assert!(dump(&folder, "parts.db") == wanted, "the import in parts differs");
}

#[test]
fn two_imports_at_once_store_everything_once() {
    let folder = large();
    folder.esctl("export all.ndjson").done();
    let one = "esctl import all.ndjson --store copy.db";
    folder.bash(&format!("{one} & first=$!; {one} || exit 1; wait $first")).done();
    assert!(dump(&folder, "copy.db") == dump(&folder, "esctl.db"), "the copy differs");
}

/// A command with its id, a second, and its events by stream and version.
type Crafted<'a> = (&'a str, i64, &'a [(&'a str, u64)]);

/// An export whose hashes are right, whatever it says.
fn crafted(commands: &[Crafted<'_>]) -> String {
    let store = "019c13ec-9e00-7000-8000-00000fffffff";
    let domain = digest::of_text("text");
    let mut lines = format!("{{\"domain\":\"{domain}\",\"text\":\"text\"}}\n");
    let (mut position, mut hash) = (Position(0), GENESIS);
    for (id, second, events) in commands {
        let time = Time::from_micros(second * 1_000_000).unwrap();
        let command = Sent {
            id: (*id).into(),
            stream: StreamName::new("a/1").unwrap(),
            name: "Do".into(),
            data: "{}".into(),
            actor: None,
            correlation: None,
            causation: None,
            meta: None,
            time,
            domain: domain.clone(),
        };
        let count = events.len();
        let _ = writeln!(
            lines,
            "{{\"command\":\"{id}\",\"stream\":\"a/1\",\"name\":\"Do\",\"domain\":\"{domain}\",\"events\":{count},\"data\":{{}}}}"
        );
        for (stream, version) in *events {
            position = position.next();
            let (version, kind, data) = (Version(*version), "Done", "{ \"n\": 1.00 }");
            let link = Link { position, stream, version, kind, schema: 3, time, data };
            hash = link.hash(&hash, store, &chain::command(&command));
            let _ = writeln!(
                lines,
                "{{\"position\":{position},\"stream\":\"{stream}\",\"version\":{version},\"type\":\"Done\",\"schema\":3,\"time\":\"{time}\",\"data\":{data},\"hash\":\"{hash}\"}}"
            );
        }
    }
    let zeros = Hash::default();
    format!(
        "{{\"esctl\":1,\"store\":\"{store}\",\"after\":0,\"previous\":\"{zeros}\",\"position\":{position},\"head\":\"{hash}\"}}\n{lines}"
    )
}

#[test]
fn what_no_store_would_have_stored_is_refused_whatever_its_hashes_say() {
    let folder = Folder::empty();
    let check = |export: &str, exit: i32, says: &str, line: &str| {
        let outcome = folder.esctl_with("import --raw --store bad.db", export).exits(exit).says(says).says(line);
        // What came before is kept, what follows can be mended and sent again.
        let _ = outcome.says("1 event: 1 stored");
        assert_eq!(folder.bash("sqlite3 bad.db 'SELECT position, command FROM events'").done(), "1|c1\n");
        std::fs::remove_file(folder.file("bad.db")).unwrap();
    };
    let first: Crafted<'_> = ("c1", 10, &[("a/1", 1)]);
    check(&crafted(&[first, ("c1", 11, &[("a/1", 2)])]), 3, "the id `c1` was used before", "in line 6");
    check(&crafted(&[first, ("c2", 9, &[("a/1", 2)])]), 2, "is before that of the event before it", "in line 6");
    check(&crafted(&[first, ("c2", 11, &[("b/1", 1), ("a/1", 3)])]), 2, "`a/1` is at version 1", "in line 7");
    check(&crafted(&[first, ("c2", 11, &[("b/1", 1), ("b/1", 1)])]), 2, "`b/1` is at version 1", "in line 7");

    // The bytes are kept, spaces and all.
    let sound = crafted(&[first, ("c2", 10, &[("b/1", 1), ("a/1", 2)]), ("c3", 12, &[("b/1", 2)])]);
    folder.esctl_with("import --raw", &sound).done();
    assert_eq!(folder.esctl("export").done(), sound);
    // The end that was announced is the end.
    let cut = sound.rsplitn(4, '\n').last().unwrap();
    folder
        .esctl_with("import --raw --store cut.db", cut)
        .exits(2)
        .says("it ends at position 3")
        .says("3 events: 3 stored");
    let more = sound.clone() + sound.lines().last().unwrap() + "\n";
    folder.esctl_with("import --raw --store more.db", more).exits(2).says("behind its command");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn import_undoes_export(commands in prop::collection::vec((0..3_u8, 0..3_u8, 1..9999_u32, ".{0,8}"), 1..40)) {
        let folder = Folder::bank();
        let line = |(from, kind, amount, text): &(u8, u8, u32, String)| {
            let mut label = String::new();
            esctl::json::write_text(text, &mut label);
            let amount = format!("{}.{:02}", amount / 100, amount % 100);
            let (name, data) = match kind {
                0 => ("Open", format!("{{\"owner\":{label},\"currency\":\"EUR\"}}")),
                1 => ("Deposit", format!("{{\"amount\":{amount},\"ref\":{label}}}")),
                _ => ("Transfer", format!("{{\"to\":\"{}\",\"amount\":{amount}}}", (from + 1) % 3)),
            };
            format!("{{\"stream\":\"account/{from}\",\"command\":\"{name}\",\"data\":{data},\"meta\":{{\"k\":{label}}}}}\n")
        };
        let opened: Vec<_> = (0..3).map(|n| (n, 0, 1, "O".to_owned())).collect();
        let lines: String = opened.iter().chain(&commands).map(line).collect();
        folder.esctl_with("send --batch - --keep-going", lines);
        let export = folder.esctl("export").done();
        folder.esctl_with("import --store copy.db", &export).done();
        prop_assert_eq!(folder.esctl("export --store copy.db").done(), export);
        prop_assert_eq!(dump(&folder, "copy.db"), dump(&folder, "esctl.db"));
    }
}

/// An export that comes slowly keeps nobody from writing, and what came of it is stored meanwhile.
#[test]
fn while_an_import_waits_for_its_input_others_can_write() {
    let folder = Folder::opened();
    let export = folder.esctl("export").done();
    let copy = Folder::bank();
    copy.write("export.ndjson", &export);
    let script = "mkfifo input; esctl import < input & exec 3> input
        head -n 6 export.ndjson >&3
        until [ \"$(esctl events -o ndjson 2>/dev/null | wc -l)\" = 2 ]; do kill -0 $! || exit 9; done
        esctl project rebuild balances --timeout 600 && esctl project status -o csv | grep balances
        tail -n +7 export.ndjson >&3; exec 3>&-; wait $!";
    let outcome = copy.bash(script).exits(0);
    assert!(outcome.stdout.contains("balances,current,2,2,0,1"), "{outcome}");
    assert_eq!(copy.esctl("export").done(), export);
}
