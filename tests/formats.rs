//! A store that any esctl ever wrote opens with this one. In `tests/fixtures/format-N` are stores as an esctl of that
//! format left them, each with the domain it was made with, a receipt, and what could be read out of it then.

use crate::support::{Folder, sources};
use rusqlite::Connection;
use std::fs;

/// The format of a store.
fn format(folder: &Folder, name: &str) -> usize {
    let file = Connection::open(folder.file(name)).unwrap();
    file.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)).unwrap().try_into().unwrap()
}

fn formats() -> std::ops::RangeInclusive<usize> {
    1..=format(&Folder::opened(), "esctl.db")
}

fn fixture(format: usize) -> Folder {
    let folder = Folder::empty();
    for file in fs::read_dir(sources().join(format!("tests/fixtures/format-{format}"))).unwrap() {
        let file = file.unwrap().path();
        fs::copy(&file, folder.file(file.file_name().unwrap().to_str().unwrap())).unwrap();
    }
    fs::create_dir(folder.file("domains")).unwrap();
    fs::rename(folder.file("bank.yaml"), folder.file("domains/bank.yaml")).unwrap();
    folder
}

fn text(folder: &Folder, name: &str) -> String {
    fs::read_to_string(folder.file(name)).unwrap()
}

const KINDS: &str = "PRAGMA application_id; SELECT sql FROM sqlite_schema WHERE name LIKE 'es\\_%' ESCAPE '\\' OR \
                     name IN ('events', 'streams', 'commands', 'domains', 'projections') ORDER BY name";

#[test]
fn a_store_of_every_format_is_read_as_it_is() {
    for format in formats() {
        let folder = fixture(format);
        let before = fs::read(folder.file("esctl.db")).unwrap();
        assert_eq!(folder.esctl("export").done(), text(&folder, "export.ndjson"));
        folder.esctl("verify --expect receipt.json").exits(0);
        folder.esctl("replay account/ada").exits(0).prints("12345678901238146.82");
        folder.esctl("snapshot list").exits(0);
        // Its rows were filled by the rules of then, or by what an esctl of then took them for.
        assert_eq!(folder.esctl("project status -o ndjson").done().matches("\"checkpoint\":34").count(), 2);
        folder.esctl("send account/ada Deposit amount=1 --dry-run").exits(0);
        assert_eq!(fs::read(folder.file("esctl.db")).unwrap(), before, "format {format}: reading writes nothing");
        assert!(!folder.listing().iter().any(|name| name.contains("format")), "{:?}", folder.listing());
    }
}

#[test]
fn a_store_of_every_format_is_brought_to_todays_when_it_is_written_to() {
    let todays = *formats().end();
    for format in formats() {
        let folder = fixture(format);
        let sent = folder.esctl("send account/ada Deposit amount=1 --id own-2").exits(3);
        let kept = format!("esctl.db-format-{format}");
        if format < todays {
            let said = format!(
                "note: `esctl.db` was brought from format {format} to {todays}; as it was it is kept in `{kept}`\n"
            );
            assert!(sent.stderr.starts_with(&said), "{sent}");
            assert_eq!(self::format(&folder, &kept), format);
            assert_eq!(folder.esctl(&format!("export --store {kept}")).done(), text(&folder, "export.ndjson"));
            folder.esctl(&format!("verify --store {kept} --expect receipt.json")).exits(0);
        } else {
            assert!(!folder.file(&kept).exists());
        }
        assert_eq!(self::format(&folder, "esctl.db"), todays);
        // It is what a new one would be.
        let fresh = Folder::opened();
        let kinds = |folder: &Folder| folder.bash(&format!("sqlite3 esctl.db \"{KINDS}\"")).done();
        assert_eq!(kinds(&folder), kinds(&fresh));

        assert_eq!(folder.esctl("export").done(), text(&folder, "export.ndjson"));
        for projection in ["balances", "ledger"] {
            let shown = folder.esctl(&format!("project show {projection} -o ndjson")).done();
            assert_eq!(shown, text(&folder, &format!("{projection}.ndjson")));
        }
        let sent = folder.esctl("send account/ada Deposit amount=1").exits(0);
        assert!(!sent.stderr.contains("format"), "it is brought up once: {sent}");
        folder.esctl("verify --expect receipt.json").exits(0);
    }
}

/// What an earlier attempt kept is not written over: between the two, others may have written to the store.
#[test]
fn what_was_kept_before_stays() {
    let folder = fixture(1);
    folder.write("esctl.db-format-1", "kept before").write("esctl.db-format-1.part", "left by a crash");
    folder.esctl("send account/ada Deposit amount=1").exits(0).says("as it was it is kept in `esctl.db-format-1-2`");
    assert_eq!(text(&folder, "esctl.db-format-1"), "kept before");
    assert_eq!(format(&folder, "esctl.db-format-1-2"), 1);
    assert!(!folder.file("esctl.db-format-1.part").exists());
}

/// Without a copy nothing is changed.
#[test]
fn what_cannot_be_kept_is_not_brought_up() {
    let folder = fixture(1);
    fs::create_dir(folder.file("esctl.db-format-1.part")).unwrap();
    folder.esctl("send account/ada Deposit amount=1").exits(5).says("`esctl.db` cannot be kept as it is");
    assert_eq!(format(&folder, "esctl.db"), 1);
    assert_eq!(folder.esctl("export").done(), text(&folder, "export.ndjson"));
}

/// A store of the future says who may read it and who may write to it.
#[test]
fn a_later_format_is_used_as_far_as_it_allows() {
    let todays = *formats().end();
    let later = |reader: usize, writer: usize| {
        let folder = Folder::opened();
        let raw = Connection::open(folder.file("esctl.db")).unwrap();
        raw.execute_batch(&format!(
            "DROP TRIGGER es_store_update; UPDATE es_store SET value = '{reader}' WHERE key = 'reader'; \
             UPDATE es_store SET value = '{writer}' WHERE key = 'writer'; PRAGMA user_version = {}",
            todays + 2
        ))
        .unwrap();
        folder
    };
    let folder = later(todays, todays);
    folder.esctl("send account/ada Deposit amount=1").exits(0);
    assert_eq!(format(&folder, "esctl.db"), todays + 2);

    let folder = later(todays, todays + 1);
    folder.esctl("project rebuild").exits(5);
    folder.esctl("replay account/ada").exits(0);
    folder.esctl("verify").exits(0);
    folder.esctl("send account/ada Deposit amount=1").exits(5).says(&format!(
        "error: `esctl.db` was written by a newer esctl: this one may read its format, {}, but not write to it",
        todays + 2
    ));

    let folder = later(todays + 1, todays + 2);
    folder.esctl("replay account/ada").exits(5).says(&format!(
        "`esctl.db` was written by a newer esctl: its format is {}, this esctl knows {todays}; use a newer one",
        todays + 2
    ));
}
