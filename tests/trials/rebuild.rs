//! A rebuild that is interrupted goes on and gives the rows that it would have given; whoever reads meanwhile sees the
//! old rows or the new ones, never something between.
//!
//! A stride is written in parts, and many kills have to fall between two of them: that they do is asserted.

mod bad;
mod calls;
mod full;
mod rest;

use super::victim::Victim;
use crate::support::Folder;
use crate::support::trial::{Dice, scaled};
use esctl::diagnostic::Source;
use esctl::domain::Domains;
use esctl::event::{Command, NewEvent, Time};
use esctl::store::sqlite::{Access, Options, SqliteStore};
use esctl::store::{Decision, Store};
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

/// How many events the store has.
const EVENTS: usize = 8_000;
/// How many more it may have by the time when somebody goes on.
const MORE: usize = 700;
/// In so many streams.
const STREAMS: usize = 5_000;
const PROJECTIONS: [&str; 3] = ["per_stream", "per_event", "several"];

/// The n-th event is the n-th of the store.
fn keys(n: usize) -> (usize, usize) {
    (n * 7 % 6_000, n * 13 % 6_000)
}

/// The text of a key that the n-th event has.
fn key(projection: &str, n: usize) -> String {
    let (a, b) = keys(n);
    match projection {
        "per_stream" => format!("\"{}\"", stream(n).replace("thing/", "")),
        "per_event" => format!("\"{a}#{n}\""),
        _ => [format!("\"k{b}\""), format!("\"l{a}\"")][n % 2].clone(),
    }
}

fn stream(n: usize) -> String {
    format!("thing/{}", n * 31 % STREAMS)
}

/// Rules that give other rows with each factor, and that fail at some events.
fn domain(factor: usize, bad: &[usize]) -> String {
    format!(
        r#"domain: trial
aggregates:
  thing:
    events:
      Counted:
        fields: {{ n: integer, a: integer, b: integer }}
projections:
  per_stream:
    columns: {{ id: string, events: integer, sum: decimal, last: string }}
    key: meta.id
    on:
      thing.Counted: |
        row.events += 1;
        row.sum += event.n * {factor};
        row.last = `${{row.last}}${{event.n % 7}}`;
        if {bad:?}.contains(event.n) {{ throw "made bad"; }}
  per_event:
    columns: {{ id: string, n: integer, stream: string }}
    key: |
      if {bad:?}.contains(event.n) {{ throw "made bad"; }}
      `${{event.a}}#${{event.n}}`
    indexes: [[n]]
    on:
      thing.Counted: |
        row.n = event.n * {factor};
        row.stream = meta.id;
  several:
    columns: {{ id: string, events: integer, sum: decimal, last: string }}
    key: |
      [`k${{event.a}}`, `k${{event.b}}`, `l${{event.a}}`]
    on:
      thing.Counted: |
        row.events += 1;
        row.sum += event.n * {factor};
        row.last = `${{row.last}}${{event.n % 7}}`;
        if event.n % 3 == 0 && row.events % 2 == 0 {{ delete(); }}
        // The rows before have been changed by then.
        if {bad:?}.contains(event.n) && row.id == `l${{event.a}}` {{ throw "made bad"; }}
"#
    )
}

/// Appends these events.
fn append(file: &Path, numbers: RangeInclusive<usize>) {
    let text = domain(1, &[]);
    let (domains, problems) = Domains::load(&[Source::new("trial.yaml", text.clone())]);
    let digest = domains.unwrap_or_else(|| panic!("{problems:?}")).files()[0].digest.clone();
    let id = "0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3";
    let mut store = SqliteStore::open(file, Options::new(Access::Create(id.into()))).unwrap();
    let numbers: Vec<usize> = numbers.collect();
    store.begin().unwrap();
    for numbers in numbers.chunks(100) {
        let event = |&n: &usize| {
            let (a, b) = keys(n);
            let data = format!("{{\"n\":{n},\"a\":{a},\"b\":{b}}}");
            NewEvent { stream: stream(n).parse().unwrap(), kind: "Counted".into(), schema: 1, data: data.into() }
        };
        let events: Vec<NewEvent> = numbers.iter().map(event).collect();
        let command = Command {
            id: format!("c{}", numbers[0]).into(),
            stream: events[0].stream.clone(),
            name: "Count".into(),
            data: "{}".into(),
            actor: None,
            correlation: None,
            causation: None,
            meta: None,
            time: Time::from_micros(i64::try_from(numbers[0]).unwrap()).unwrap(),
            domain: digest.clone(),
        };
        store.append(&Decision { command: &command, domain_text: &text, events: &events }).unwrap();
    }
    store.commit().unwrap();
}

/// A folder with a store of so many events, whose read models are filled by the old rules.
fn source(events: usize) -> Folder {
    let folder = Folder::empty();
    append(&folder.file("esctl.db"), 1..=events);
    folder.write("domains/trial.yaml", domain(1, &[]));
    folder.esctl("project rebuild").done();
    folder.esctl("verify").done();
    folder
}

/// The same store in another folder, with the new rules.
fn copy(source: &Folder, bad: &[usize]) -> Folder {
    let folder = Folder::empty();
    fs::copy(source.file("esctl.db"), folder.file("esctl.db")).unwrap();
    folder.write("domains/trial.yaml", domain(2, bad));
    folder
}

fn reading(file: &Path) -> Connection {
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

/// The rows that a view shows, each cell with how it is kept, by one statement.
fn shown(connection: &Connection, projection: &str) -> String {
    let cells = match projection {
        "per_event" => ["id", "n", "stream"].as_slice(),
        _ => &["id", "events", "sum", "last"],
    };
    let cells: Vec<_> = cells.iter().map(|cell| format!("typeof({cell}) || ' ' || quote({cell})")).collect();
    let select = format!("SELECT {} FROM {projection} ORDER BY id", cells.join(" || ', ' || "));
    let mut statement = connection.prepare_cached(&select).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut all = String::new();
    while let Some(row) = rows.next().unwrap() {
        writeln!(all, "{}", row.get_ref(0).unwrap().as_str().unwrap()).unwrap();
    }
    all
}

fn rows(folder: &Folder, projection: &str) -> String {
    shown(&reading(&folder.file("esctl.db")), projection)
}

/// That rows are the same, without printing all of them.
#[track_caller]
fn same(rows: &str, expected: &str) {
    if rows != expected {
        let differ = |(row, other): &(&str, &str)| row != other;
        let first = rows.lines().zip(expected.lines()).find(differ);
        let (count, of) = (rows.lines().count(), expected.lines().count());
        panic!("{count} rows where {of} are expected; the first that differs: {first:?}");
    }
}

/// How far the generation has come that is being built: its checkpoint, and up to which key rows are ahead of it.
fn progress(connection: &Connection, projection: &str) -> Option<(i64, Option<String>)> {
    let select = "SELECT checkpoint, key FROM es_generations LEFT JOIN es_ahead ON generation = number \
                  WHERE projection = ?1 AND state = 'building'";
    let mut statement = connection.prepare_cached(select).unwrap();
    statement.query_row([projection], |row| Ok((row.get(0)?, row.get(1)?))).optional().unwrap()
}

/// What a rebuild gives that nobody interrupts: rows and what is parked.
#[derive(Clone)]
struct Expected {
    rows: String,
    parked: String,
}

fn parked(folder: &Folder, projection: &str) -> String {
    folder.esctl(&format!("project parked {projection} -o ndjson")).done()
}

/// Which way a rebuild goes: of which projection, with events that are parked, with more events in the end.
type Way = (&'static str, bool, bool);

/// What came of it all.
#[derive(Debug, Default)]
struct Figures {
    kills: usize,
    /// How many fell between two parts of a stride, and how many of those after the first stride.
    within: usize,
    later: usize,
    /// How many had ended before.
    ended: usize,
    chains: usize,
    reads_of_old: usize,
    reads_of_new: usize,
}

struct Trial<'t> {
    source: &'t Folder,
    bad: &'t [usize],
    expected: &'t BTreeMap<Way, Expected>,
    old: &'t BTreeMap<&'static str, String>,
    figures: &'t Mutex<Figures>,
}

impl Trial<'_> {
    /// A store whose rebuild is killed several times, and goes on each time, in the end with nobody in the way.
    fn chain(&self, dice: &mut Dice, most: usize) {
        let projection = PROJECTIONS[dice.below(3)];
        let (parks, grows) = (dice.below(3) == 0, dice.below(3) == 0);
        let folder = copy(self.source, if parks { self.bad } else { &[] });
        let kills = (1 + dice.below(8)).min(most);
        let growth = if grows { dice.below(kills) } else { kills };
        let is_read = !grows && dice.below(3) == 0;
        eprintln!("{projection}, parks: {parks}, grows: {grows}, read: {is_read}, kills: {kills}");
        let over = AtomicBool::new(false);
        let rebuild = |dice: &mut Dice| {
            let jobs = 1 + dice.below(3);
            format!("project rebuild {projection} --jobs {jobs}{}", if parks { " --park" } else { "" })
        };
        let expected = &self.expected[&(projection, parks, grows)];
        std::thread::scope(|scope| {
            let reader = is_read.then(|| scope.spawn(|| self.read(&folder, projection, &expected.rows, &over)));
            let ended = (0..kills).any(|n| {
                let ended = self.kill(&folder, projection, &rebuild(dice), dice);
                if n == growth {
                    append(&folder.file("esctl.db"), EVENTS + 1..=EVENTS + MORE);
                    return false;
                }
                ended && !grows
            });
            if !ended {
                folder.esctl(&rebuild(dice)).done();
            }
            over.store(true, Ordering::SeqCst);
            if let Some(reader) = reader {
                let (old, new) = reader.join().unwrap_or_else(|why| std::panic::resume_unwind(why));
                let mut figures = self.figures.lock().unwrap();
                figures.reads_of_old += old;
                figures.reads_of_new += new;
            }
        });
        same(&rows(&folder, projection), &expected.rows);
        assert_eq!(parked(&folder, projection), expected.parked);
        folder.esctl(&format!("project verify {projection}")).done();
        folder.esctl("verify").done();
        self.figures.lock().unwrap().chains += 1;
    }

    /// One rebuild, killed at some instant; whether it had ended.
    fn kill(&self, folder: &Folder, projection: &str, arguments: &str, dice: &mut Dice) -> bool {
        let connection = reading(&folder.file("esctl.db"));
        let words: Vec<&str> = arguments.split(' ').collect();
        let mut victim = Victim::start(folder, &words);
        if dice.below(4) == 0 {
            victim.watch(dice.below(4_000));
        } else {
            let key = key(projection, 1 + dice.below(EVENTS));
            // Where events are parked, strides are short ones for the most part; else most often there is one.
            let quarter = if arguments.ends_with("--park") { dice.below(4) } else { 0 };
            let from = i64::try_from(quarter * EVENTS / 4).unwrap();
            let there = |(at, ahead): (i64, Option<String>)| at >= from && ahead.is_some_and(|ahead| ahead >= key);
            while !victim.is_over() && !progress(&connection, projection).is_some_and(there) {}
        }
        let ended = victim.kill().killed_or_done().exit.is_some();
        let left = progress(&connection, projection);
        let mut figures = self.figures.lock().unwrap();
        figures.kills += 1;
        figures.ended += usize::from(ended);
        if let Some((at, Some(_))) = left {
            figures.within += 1;
            figures.later += usize::from(at > 0);
        }
        ended
    }

    /// Reads all rows again and again until the rebuild is over: first the old ones, then the new ones.
    fn read(&self, folder: &Folder, projection: &str, new: &str, over: &AtomicBool) -> (usize, usize) {
        let connection = reading(&folder.file("esctl.db"));
        let old = &self.old[projection];
        let (mut old_ones, mut new_ones) = (0, 0);
        loop {
            let last = over.load(Ordering::SeqCst);
            let rows = shown(&connection, projection);
            if new_ones == 0 && !last && rows == *old {
                old_ones += 1;
            } else {
                same(&rows, new);
                new_ones += 1;
            }
            if last {
                return (old_ones, new_ones);
            }
        }
    }
}

/// What each way gives.
fn expected(source: &Folder, bad: &[usize]) -> BTreeMap<Way, Expected> {
    let mut all = BTreeMap::new();
    for (parks, grows) in [(false, false), (false, true), (true, false), (true, true)] {
        let folder = copy(source, if parks { bad } else { &[] });
        if grows {
            append(&folder.file("esctl.db"), EVENTS + 1..=EVENTS + MORE);
        }
        let park = if parks { " --park" } else { "" };
        folder.esctl(&format!("project rebuild --jobs 1{park}")).done();
        for projection in PROJECTIONS {
            let (rows, parked) = (rows(&folder, projection), parked(&folder, projection));
            assert_eq!(parked.lines().count(), if parks { bad.len() } else { 0 }, "{parked}");
            all.insert((projection, parks, grows), Expected { rows, parked });
        }
    }
    all
}

#[test]
fn a_killed_rebuild_goes_on_and_gives_the_same_rows() {
    let kills = scaled(200, 5_000);
    let mut dice = Dice::new();
    let source = source(EVENTS);
    // After the first of these, strides are short ones for the most part.
    let mut bad = vec![1 + dice.below(3_000), 1 + dice.below(EVENTS), 1 + dice.below(EVENTS)];
    bad.sort_unstable();
    bad.dedup();
    let old: BTreeMap<_, _> = PROJECTIONS.into_iter().map(|name| (name, rows(&source, name))).collect();
    let expected = expected(&source, &bad);
    for projection in PROJECTIONS {
        assert_ne!(old[projection], expected[&(projection, false, false)].rows);
    }
    let figures = Mutex::default();
    let trial = Trial { source: &source, bad: &bad, expected: &expected, old: &old, figures: &figures };
    let next = Mutex::new(0);
    let worker = || {
        loop {
            let done = figures.lock().unwrap().kills;
            if done >= kills {
                return;
            }
            let mut turn = next.lock().unwrap();
            *turn += 1;
            let mut dice = dice.nth(*turn);
            drop(turn);
            trial.chain(&mut dice, kills - done);
        }
    };
    std::thread::scope(|scope| {
        for worker in [scope.spawn(worker), scope.spawn(worker)] {
            worker.join().unwrap_or_else(|why| std::panic::resume_unwind(why));
        }
    });
    let figures = figures.into_inner().unwrap();
    eprintln!("{figures:?}");
    assert!(figures.within * 4 >= figures.kills, "too few kills fell between two parts of a stride");
    assert!(kills < 100 || figures.later > 0, "none fell between two parts of a later stride");
    assert!(kills < 100 || figures.reads_of_old > 0 && figures.reads_of_new > 0, "a swap was never seen");
}
