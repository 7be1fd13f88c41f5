//! A store whose bytes were changed behind its back: `verify` notices, and nothing crashes over it.

use crate::support::sample::{filled, open};
use crate::support::trial::{Dice, scaled};
use crate::support::{Folder, Outcome, dump};
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use std::collections::BTreeMap;
use std::fs;

/// The file that is damaged, as it is called in the folder of the sound one.
const DAMAGED: &str = "damaged.db";
/// What the files of a store are called behind its name.
const SUFFIXES: [&str; 5] = ["", "-wal", "-shm", "-journal", "-turn"];
/// Here a file says that it is SQLite's, and a store.
const HEADER: usize = 100;
const SECTOR: usize = 512;

/// What a store holds, and what is found in it by looking things up: everything that an answer is made of.
const CONTENT: [&str; 11] = [
    "SELECT key, value FROM es_store ORDER BY key",
    "SELECT * FROM es_streams NOT INDEXED ORDER BY id",
    "SELECT * FROM es_types NOT INDEXED ORDER BY id",
    "SELECT * FROM es_domains NOT INDEXED ORDER BY id",
    "SELECT * FROM es_commands NOT INDEXED ORDER BY id",
    "SELECT * FROM es_events NOT INDEXED ORDER BY position",
    "SELECT name, id FROM es_streams INDEXED BY sqlite_autoindex_es_streams_1 ORDER BY name",
    "SELECT aggregate, name, id FROM es_types INDEXED BY sqlite_autoindex_es_types_1 ORDER BY aggregate, name",
    "SELECT digest, id FROM es_domains INDEXED BY sqlite_autoindex_es_domains_1 ORDER BY digest",
    "SELECT command_id, id FROM es_commands INDEXED BY sqlite_autoindex_es_commands_1 ORDER BY command_id",
    "SELECT stream, version, position FROM es_events INDEXED BY sqlite_autoindex_es_events_1 ORDER BY stream, version",
];

const DEFINITIONS: &str = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name";

/// The rows of some query, with each value's type in front of its bytes.
fn rows(folder: &Folder, name: &str, sql: &str) -> Result<Vec<Vec<u8>>, rusqlite::Error> {
    let raw = open(folder, name);
    let mut statement = raw.prepare(sql)?;
    let columns = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| {
        let mut bytes = Vec::new();
        for column in 0..columns {
            match row.get_ref(column)? {
                ValueRef::Null => bytes.push(b'0'),
                ValueRef::Integer(number) => bytes.extend(format!("i{number}").bytes()),
                ValueRef::Real(number) => bytes.extend(format!("r{number}").bytes()),
                ValueRef::Text(text) => bytes.extend(format!("t{} ", text.len()).bytes().chain(text.iter().copied())),
                ValueRef::Blob(blob) => bytes.extend(format!("b{} ", blob.len()).bytes().chain(blob.iter().copied())),
            }
        }
        Ok(bytes)
    };
    statement.query_map([], row)?.collect()
}

/// Everything in a store; `None` where SQLite cannot read it all.
fn content(folder: &Folder, name: &str) -> Option<Vec<Vec<Vec<u8>>>> {
    CONTENT.iter().map(|sql| rows(folder, name, sql).ok()).collect()
}

/// A sound store at rest: the bytes of its files, by what they are called behind its name, and what is in it.
struct Sound {
    folder: Folder,
    files: BTreeMap<&'static str, Vec<u8>>,
    content: Vec<Vec<Vec<u8>>>,
}

impl Sound {
    fn of(folder: Folder) -> Self {
        let file = |suffix| fs::read(folder.file(&format!("esctl.db{suffix}"))).ok().map(|bytes| (suffix, bytes));
        let files = ["", "-wal", "-shm"].into_iter().filter_map(file).collect();
        let content = content(&folder, "esctl.db").unwrap();
        Self { folder, files, content }
    }

    /// Puts a copy there in which one file has other bytes.
    fn put(&self, changed: &str, bytes: &[u8]) {
        for suffix in SUFFIXES {
            let name = format!("{DAMAGED}{suffix}");
            match self.files.get(suffix) {
                Some(_) if suffix == changed => drop(self.folder.write(&name, bytes)),
                Some(bytes) => drop(self.folder.write(&name, bytes)),
                None => drop(fs::remove_file(self.folder.file(&name))),
            }
        }
    }

    fn on_damaged(&self, arguments: &str) -> Outcome {
        self.folder.esctl(&format!("{arguments} --store {DAMAGED}"))
    }
}

/// What happens to a file.
#[derive(Debug, Clone, Copy)]
enum Damage {
    Flipped { at: usize, bit: usize },
    Zeroed { sector: usize },
}

impl Damage {
    /// To a file of such a length.
    fn rolled(dice: &mut Dice, length: usize) -> Self {
        let bit = dice.below(8);
        match dice.below(16) {
            0..4 => Self::Zeroed { sector: dice.below(length.div_ceil(SECTOR)) },
            // The head of the file and those of its pages, which are small and matter much.
            4..6 => Self::Flipped { at: dice.below(HEADER.min(length)), bit },
            6..8 => Self::Flipped { at: (dice.below(length) / 4096 * 4096 + dice.below(16)).min(length - 1), bit },
            _ => Self::Flipped { at: dice.below(length), bit },
        }
    }

    fn done_to(self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        match self {
            Self::Flipped { at, bit } => bytes[at] ^= 1 << bit,
            Self::Zeroed { sector } => bytes.iter_mut().skip(sector * SECTOR).take(SECTOR).for_each(|byte| *byte = 0),
        }
        bytes
    }

    fn is_in_the_header(self) -> bool {
        match self {
            Self::Flipped { at, .. } => at < HEADER,
            Self::Zeroed { sector } => sector == 0,
        }
    }
}

/// What came of it all.
#[derive(Debug, Default)]
struct Figures {
    /// Damage to what is stored, which was found.
    found: usize,
    /// The file was not taken for a store any more.
    refused: usize,
    /// What is stored was as before, and `verify` found something nevertheless, or nothing.
    noticed: usize,
    harmless: usize,
    /// Of the harmless ones: what changed is how a table, view or trigger is defined.
    definitions: usize,
}

/// Damages a file of a store so many times.
fn damaged(sound: &Sound, suffix: &str, times: usize, dice: &mut Dice) -> Figures {
    let mut figures = Figures::default();
    let clean = &sound.files[suffix];
    let defined = rows(&sound.folder, "esctl.db", DEFINITIONS).ok();
    for round in 0..times {
        if round % 50 == 0 {
            sound.put(suffix, clean);
            sound.on_damaged("verify").exits(0);
        }
        let damage = Damage::rolled(dice, clean.len());
        let bytes = damage.done_to(clean);
        sound.put(suffix, &bytes);
        // What SQLite itself refuses to read is not as it was either.
        let is_same = content(&sound.folder, DAMAGED).as_ref() == Some(&sound.content);
        sound.put(suffix, &bytes);
        let verified = sound.on_damaged("verify");
        match (is_same, verified.exit) {
            (false, 6) => figures.found += 1,
            (true, 6) => figures.noticed += 1,
            (true, 0) => {
                figures.harmless += 1;
                figures.definitions += usize::from(rows(&sound.folder, DAMAGED, DEFINITIONS).ok() != defined);
            }
            (_, 5) if damage.is_in_the_header() => figures.refused += 1,
            _ => panic!("round {round}, {damage:?}, what is stored is the same: {is_same}\n{verified}"),
        }
        let verb = match round % 4 {
            0 => "events",
            1 => "replay account/ada",
            2 => "streams",
            _ => "send account/ada Deposit amount=1",
        };
        let outcome = sound.on_damaged(verb);
        assert!((0..8).contains(&outcome.exit), "round {round}, {damage:?}, {verb}\n{outcome}");
        if !is_same && verified.exit == 6 {
            // Whatever was done meanwhile hides nothing.
            let again = sound.on_damaged("verify");
            assert_eq!(again.exit, 6, "round {round}, {damage:?}, after {verb}\n{again}");
        }
    }
    figures
}

/// A store with pages of every kind: several levels, and payloads that need pages of their own.
fn varied() -> Sound {
    let (folder, _) = filled(150);
    folder.esctl(&format!("send account/ada Deposit amount=1 ref={}", "long ".repeat(2000).replace(' ', "-"))).done();
    folder.esctl("send account/ada Transfer to=bob amount=0.01 --meta k=v --correlation c").done();
    Sound::of(folder)
}

#[test]
fn damage_to_what_is_stored_is_always_found() {
    let sound = varied();
    assert_eq!(sound.files.keys().collect::<Vec<_>>(), [&""], "the store is in one file when nobody uses it");
    let figures = damaged(&sound, "", scaled(500, 20_000), &mut Dice::new());
    eprintln!("{figures:?}");
}

/// A store as a process leaves it that was killed, with most of what it stored only in the log.
fn killed() -> Sound {
    let (folder, _) = filled(20);
    // Who is killed does not copy the log into the file.
    let other = open(&folder, "esctl.db");
    other.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).unwrap();
    other.query_row("SELECT count(*) FROM es_events", [], |_| Ok(())).unwrap();
    for n in 0..8 {
        folder.esctl(&format!("send account/ada Deposit amount=1 ref=in-the-log-{n}")).done();
        folder.esctl("send account/ada Transfer to=bob amount=0.01").done();
    }
    Sound::of(folder)
}

/// SQLite itself drops what does not fit, and everything behind it, and says nothing.
#[test]
fn damage_to_the_log_is_always_found() {
    let sound = killed();
    assert_eq!(sound.files.keys().collect::<Vec<_>>(), [&"", &"-shm", &"-wal"]);
    let figures = damaged(&sound, "-wal", scaled(250, 10_000), &mut Dice::new());
    eprintln!("{figures:?}");
    assert!(figures.found > 100, "{figures:?}");
    // Without the index too, but for the last transaction, which may never have been finished.
    let mut without = killed();
    without.files.remove("-shm");
    let log = &without.files["-wal"];
    let end = log.len() - log.len() / 8;
    let mut dice = Dice::new();
    for round in 0..scaled(100, 4_000) {
        let damage = Damage::Flipped { at: dice.below(end), bit: dice.below(8) };
        without.put("-wal", &damage.done_to(log));
        let verified = without.on_damaged("verify");
        assert_eq!(verified.exit, 6, "round {round}, {damage:?}\n{verified}");
    }
}

/// And named, by the position of the event.
#[test]
fn every_flipped_bit_of_an_event_is_found() {
    let (folder, _) = filled(22);
    let sound = Sound::of(folder);
    let clean = &sound.files[""];
    let events = "SELECT CAST(data AS BLOB) FROM es_events ORDER BY position";
    let commands = "SELECT CAST(data AS BLOB) FROM es_commands ORDER BY id";
    let read = |name, sql| {
        let raw = open(&sound.folder, name);
        let mut statement = raw.prepare(sql)?;
        statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<Vec<u8>>, rusqlite::Error>>()
    };
    let (data, sent) = (read("esctl.db", events).unwrap(), read("esctl.db", commands).unwrap());
    assert_eq!(data.len(), 25);
    let (mut dice, mut flips) = (Dice::new(), 0);
    let rounds = scaled(2, 80);
    for round in 0..rounds {
        for (at, payload) in data.iter().enumerate() {
            // The same text stands in the command, and perhaps in a part of a page that is not in use any more.
            let mut found = 0;
            for place in 0..=clean.len() - payload.len() {
                if !clean[place..].starts_with(payload) {
                    continue;
                }
                let damage = Damage::Flipped { at: place + dice.below(payload.len()), bit: dice.below(8) };
                sound.put("", &damage.done_to(clean));
                // What SQLite itself refuses to read is not as it was either.
                let changed = read(DAMAGED, events).as_ref() != Ok(&data);
                let resent = read(DAMAGED, commands).as_ref() != Ok(&sent);
                let outcome = sound.on_damaged("verify");
                if changed || resent {
                    let outcome = outcome.exits(6).prints(&format!("\ndamaged      @{} ", at + 1));
                    let one = !changed || outcome.stderr.contains("`damaged.db` is damaged: 1 finding, the first: ");
                    assert!(one, "round {round}: {outcome}");
                }
                found += usize::from(changed);
            }
            assert_eq!(found, 1, "the payload of @{} was not flipped", at + 1);
            flips += found;
        }
    }
    assert_eq!(flips, 25 * rounds);
}

/// What is kept of states is never the truth: however it is damaged, every answer is what it was, and `verify` tells.
#[test]
fn damage_to_snapshots_changes_no_answer() {
    const SNAPSHOTS: &str = "SELECT * FROM es_snapshots ORDER BY stream, fold, version";
    let (folder, _) = filled(300);
    let rules = fs::read_to_string(folder.file("domains/bank.yaml")).unwrap();
    folder.write("domains/bank.yaml", rules.replacen("  account:\n", "  account:\n    snapshot: 5\n", 1));
    folder.esctl("snapshot rebuild").exits(0).says("60 snapshots of 3 streams");
    let pages = dump::ask(&folder, "SELECT pageno FROM dbstat WHERE name = 'es_snapshots'");
    let pages: Vec<usize> = pages.iter().map(|page| page.parse().unwrap()).collect();
    let sound = Sound::of(folder);
    let (bytes, kept) = (&sound.files[""], rows(&sound.folder, "esctl.db", SNAPSHOTS).unwrap());
    let truths = [7, 50, 101].map(|at| {
        let verb = format!("replay account/bob --at {at} -o json");
        (sound.folder.esctl(&verb).done(), verb)
    });
    let mut dice = Dice::new();
    let (mut found, mut harmless) = (0, 0);
    for _ in 0..scaled(60, 10_000) {
        let at = (pages[dice.below(pages.len())] - 1) * 4096 + dice.below(4096);
        sound.put("", &Damage::Flipped { at, bit: dice.below(8) }.done_to(bytes));
        let (truth, verb) = &truths[dice.below(truths.len())];
        let said = sound.on_damaged(verb).exits(0);
        assert_eq!(&said.stdout, truth, "byte {at}");
        let altered = rows(&sound.folder, DAMAGED, SNAPSHOTS).ok().is_none_or(|rows| rows != kept);
        let verified = sound.on_damaged("verify --log-only");
        assert!(verified.exit == 6 || verified.exit == 0 && !altered, "byte {at}: {verified}");
        if altered { found += 1 } else { harmless += 1 }
    }
    eprintln!("{found} damages to snapshots found, {harmless} to what holds none");
    assert!(found > 0);
}
