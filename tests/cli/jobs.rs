//! `esctl project rebuild --jobs`: the rows do not depend on how many threads made them.

use crate::support::trial::scaled;
use crate::support::{Folder, dump};
use std::fmt::Write as _;
use std::ops::Range;

/// Parcels that go from one place to another: keys of the stream, of the event, several of them, none, and rows that go.
const DOMAIN: &str = r#"
domain: post
aggregates:
  parcel:
    state: { moved: 0 }
    events:
      Moved: { fields: { from: string, to: string, weight: decimal }, fold: state.moved += 1 }
      Lost: { fields: { by: string }, fold: state.moved = 0 }
    commands:
      Move: { fields: { from: string, to: string, weight: decimal }, decide: 'emit("Moved", command)' }
      Lose: { fields: { by: string }, decide: 'emit("Lost", command)' }
projections:
  parcels:
    columns: { parcel: string, moves: integer, way: [string], weights: [decimal], heaviest?: decimal, load: { sum: decimal, of: [decimal] }, seen: any }
    initial: { load: { sum: 0, of: [] } }
    indexes: [[moves], [heaviest, parcel]]
    key: meta.id
    on:
      parcel.Moved: |
        row.moves += 1;
        row.way.push(event.to);
        if row.way.len() > 5 { row.way.shift(); }
        row.weights.push(event.weight / 3);
        if row.weights.len() > 3 { row.weights.shift(); }
        row.load.sum += event.weight / 8;
        row.load.of = row.weights;
        row.seen = #{ half: event.weight / 2, before: row.seen != (), of: [event.weight, ()] };
        if row.heaviest == () || event.weight > row.heaviest { row.heaviest = event.weight; }
      parcel.Lost: delete()
  places:
    columns: { place: string, come: integer, gone: integer, load: decimal, last: string }
    key:
      parcel.Moved: "if event.from == event.to { () } else { [event.from, event.to] }"
      parcel.Lost: event.by
    on:
      parcel.Moved: |
        if key == event.to { row.come += 1; row.load += event.weight; } else { row.gone += 1; row.load -= event.weight; }
        row.last = `${row.last.len()} ${meta.id} ${meta.position} ${row.load}`;
      parcel.Lost: |
        if row.gone % 2 == 0 { delete(); } else { row.last = "lost"; }
"#;

const TABLES: [&str; 2] = ["parcels", "places"];

/// A store with so many events of it.
fn post(events: u64) -> Folder {
    let folder = Folder::empty();
    folder.write("domains/post.yaml", DOMAIN);
    send(&folder, 0..events);
    folder
}

fn send(folder: &Folder, numbers: Range<u64>) {
    send_of(folder, numbers, 211);
}

/// Events of so many parcels, and of a fifth as many places.
fn send_of(folder: &Folder, numbers: Range<u64>, parcels: u64) {
    let mut lines = String::new();
    for n in numbers {
        // A sequence without a pattern that a number of threads could hit.
        let random = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        let (parcel, from, to) = (random % parcels, random % (parcels / 5), random / 37 % (parcels / 5));
        let _ = if random % 17 == 0 {
            writeln!(lines, r#"{{"stream":"parcel/{parcel}","command":"Lose","data":{{"by":"p{from}"}}}}"#)
        } else {
            let weight = format!("{}.{:02}", random / 7 % 1000, random % 100);
            let data = format!(r#"{{"from":"p{from}","to":"p{to}","weight":{weight}}}"#);
            writeln!(lines, r#"{{"stream":"parcel/{parcel}","command":"Move","data":{data}}}"#)
        };
    }
    folder.esctl_with("send --batch -", lines).done();
}

#[test]
fn the_rows_are_the_same_whatever_the_number_of_threads() {
    let folder = post(5_000);
    let made = |jobs: &str| {
        folder.bash("rm -f copy.db*; cp esctl.db copy.db").done();
        folder.esctl(&format!("project rebuild --store copy.db {jobs}")).done();
        let rows = TABLES.map(|table| dump::rows(&folder, "copy.db", table));
        assert!(rows.iter().all(|rows| rows.len() > 20), "{rows:?}");
        folder.esctl("project verify --store copy.db").exits(0);
        rows
    };
    let alone = made("--jobs 1");
    for jobs in ["--jobs 2", "--jobs 3", "--jobs 8", ""] {
        assert_eq!(made(jobs), alone, "{jobs}");
    }
    // Rows that are there already are brought up to date to the same.
    let caught_up = post(2_000);
    caught_up.esctl("project rebuild --jobs 3").done();
    send(&caught_up, 2_000..5_000);
    for (table, rows) in TABLES.into_iter().zip(&alone) {
        caught_up.esctl(&format!("project show {table} --limit 0")).done();
        assert_eq!(&dump::rows(&caught_up, "esctl.db", table), rows, "{table}");
    }
}

#[test]
fn event_by_event_row_by_row_and_by_several_threads_it_is_the_same() {
    let folder = post(0);
    for n in 0..scaled(80, 1_000) as u64 {
        send_of(&folder, n..n + 1, 20);
        for table in TABLES {
            folder.esctl(&format!("project show {table} --limit 0")).done();
        }
    }
    let whole = || TABLES.map(|table| dump::rows(&folder, "esctl.db", table));
    let by_event = whole();
    assert!(by_event.iter().all(|rows| rows.len() > 1), "{by_event:?}");
    for jobs in 1..=3 {
        folder.esctl(&format!("project rebuild --jobs {jobs}")).done();
        assert_eq!(whole(), by_event, "--jobs {jobs}");
    }
    // Without rows, each is made by itself: those that events delete, and those that no event has, are not.
    for table in TABLES {
        let filled = dump::ask(&folder, "SELECT \"table\" FROM projections WHERE state = 'served' ORDER BY name");
        for table in filled {
            dump::change(&folder, &format!("DELETE FROM {table}"));
        }
        folder.esctl("project verify").exits(1).prints(" is missing");
        let key = |n: u64| if table == "parcels" { n.to_string() } else { format!("p{n}") };
        for n in 0..21 {
            folder.esctl(&format!("project rebuild {table} --key {}", key(n))).exits(0);
        }
        let place = TABLES.iter().position(|name| *name == table).unwrap();
        assert_eq!(whole()[place], by_event[place]);
    }
}

#[test]
fn several_threads_go_on_where_a_rebuild_was_stopped() {
    let folder = post(3_000);
    let whole = |folder: &Folder| TABLES.map(|table| dump::rows(folder, "esctl.db", table));
    // Both stop before the last event of these.
    folder.esctl("send parcel/x Move from=p1 to=stop weight=1").done();
    let fail = "if event.to == \"stop\" { throw key; }";
    let failing = ["row.moves += 1", "if key == event.to {"]
        .iter()
        .fold(DOMAIN.to_owned(), |domain, at| domain.replace(at, &format!("{fail} {at}")));
    folder.write("domains/post.yaml", failing);
    for name in TABLES {
        folder.esctl(&format!("project rebuild {name} --jobs 3")).exits(4).says("(@3001)");
    }
    folder.esctl("project rebuild --jobs 3 --park").exits(0).prints("up to @3001, resumed, 1 event parked\n");
    let parked = whole(&folder);
    folder.esctl("project rebuild --jobs 1 --park").exits(0).prints("up to @3001, 1 event parked\n");
    assert_eq!(whole(&folder), parked);
}

/// What a handler of `places` says, and what its key says, of a parcel that goes to `stop`.
const FAILING: [(&str, &str); 2] = [
    // After the keys of the page were shared.
    ("if key == event.to {", "if key == \"stop\" { throw \"no stop\"; } if key == event.to {"),
    // Before.
    (
        "\"if event.from == event.to { () }",
        "\"if event.to == `stop` { throw `no stop`; } if event.from == event.to { () }",
    ),
];

/// Pages are on their way while an earlier one fails: nobody waits for keys of a thread that has ended.
#[test]
fn a_failure_ends_all_threads_however_many_pages_are_under_way() {
    // In the first page; and when some have been applied, with more to come. A page has 8,192 events.
    for (stop, events) in [(101, 20_000), (20_001, 30_000)] {
        let folder = post(0);
        send(&folder, 0..stop - 1);
        folder.esctl("send parcel/x Move from=p1 to=stop weight=1").done();
        send(&folder, stop - 1..events);
        for (sound, failing) in FAILING {
            assert!(DOMAIN.contains(sound));
            let domain = DOMAIN.replace(sound, failing);
            let line = domain.lines().position(|line| line.contains("throw")).unwrap() + 1;
            folder.write("domains/post.yaml", domain);
            let into = if failing.contains("key") { "into row \"stop\" of `places`" } else { "into `places`" };
            for jobs in [2, 3] {
                folder
                    .esctl(&format!("project rebuild places --jobs {jobs}"))
                    .exits(4)
                    .says("error: no stop\n")
                    .says(&format!("--> domains/post.yaml:{line}:"))
                    .says(&format!("= while projecting `Moved` of `parcel/x` (@{stop}) {into}\n"));
                let status = folder.esctl("project status -o ndjson").exits(0);
                let status = status.prints(&format!("\"building\":{},", stop - 1));
                status.prints(&format!("\"stopped\":{{\"position\":{stop},"));
                // Where it stopped it would only try the one event again.
                dump::change(&folder, "UPDATE es_generations SET state = 'retired' WHERE state = 'building'");
            }
            let again = folder.esctl("project rebuild places --jobs 3 --park").exits(0);
            assert!(again.stdout.contains(&format!("up to @{}, 1 event parked\n", events + 1)), "{again}");
            let rows = dump::rows(&folder, "esctl.db", "places");
            folder.esctl("project rebuild places --jobs 1 --park").exits(0);
            assert_eq!(dump::rows(&folder, "esctl.db", "places"), rows);
        }
    }
}

/// From so many new events on, several threads catch up what is served as well; their rows are written in short strides.
#[test]
fn what_is_served_is_caught_up_by_several_threads_up_to_what_fails() {
    let folder = post(0);
    send(&folder, 0..500);
    let domain = FAILING.into_iter().fold(DOMAIN.to_owned(), |domain, (sound, failing)| domain.replace(sound, failing));
    folder.write("domains/post.yaml", domain);
    folder.esctl("project rebuild places --jobs 1").done();
    let before = dump::rows(&folder, "esctl.db", "places");
    send(&folder, 500..50_500);
    folder.esctl("send parcel/x Move from=p1 to=stop weight=1").done();
    send(&folder, 50_500..51_000);
    folder.esctl("project show places").exits(4).says("(@50501)");
    folder.esctl("project status -o csv").exits(0).prints("\nplaces,behind,50500,51001,501,");
    let caught_up = dump::rows(&folder, "esctl.db", "places");
    assert_ne!(caught_up, before);
    folder.esctl("project show places --limit 0").exits(4).says("(@50501)");
    assert_eq!(dump::rows(&folder, "esctl.db", "places"), caught_up);
    folder.bash("cp esctl.db copy.db").done();
    folder.esctl("project verify places").exits(0).prints("up to @50500\n");
    folder.esctl("project show places --limit 0 --park").exits(0);
    let parked = dump::rows(&folder, "esctl.db", "places");
    folder
        .esctl("project rebuild places --store copy.db --jobs 1 --park")
        .exits(0)
        .prints("up to @51001, 1 event parked\n");
    assert_eq!(dump::rows(&folder, "copy.db", "places"), parked);
}

#[test]
fn a_number_of_threads_is_a_number() {
    let folder = Folder::opened();
    for jobs in ["0", "x", "-1", "1.5", "257", "''"] {
        let refused = folder.esctl(&format!("project rebuild --jobs {jobs}")).exits(2);
        assert!(refused.stdout.is_empty(), "{refused}");
    }
    folder.esctl("project rebuild --jobs 0").says("a number from 1 to 256 is expected");
    folder.esctl("project status -o csv").exits(0).prints("balances,never,");
    // More threads than events, and than there are keys.
    folder.esctl("project rebuild balances --jobs 256").exits(0).prints("balances: 1 row from 3 events, up to @3\n");
    folder.esctl("project verify").exits(0);
}
