//! Hostile names: of streams, ids, actors and fields, and of the file that holds the store.

use super::{ANYTHING, REFUSAL, Trial, exists};
use esctl::json::{self, Object, Value};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;

/// What a name may be, and what nobody should take for one.
fn corpus() -> Vec<String> {
    let made = ["thing/", "thing/thing/", ""].iter().flat_map(|start| {
        let ends = [
            "",
            "/",
            "//",
            "..",
            "../x",
            "../../etc/passwd",
            ".",
            "x/../../y",
            "\u{1b}[31mx",
            "\u{202e}x",
            "\u{2066}x",
            "x\ny",
            "\r",
            "\t",
            "\u{7f}",
            "\u{9b}x",
            "\u{200b}",
            "\u{feff}",
            "e\u{301}",
            "é",
            "日本",
            "\u{1f600}",
            " ",
            " x ",
            "*",
            "%",
            "_",
            "?",
            "#",
            "$(id)",
            "`id`",
            "'; DROP TABLE events; --",
            "\"",
            "\\",
            "-x",
            "--help",
            "@file",
            "{}",
            "null",
            "%00",
            "%n%s",
            "\u{2028}",
            "\u{fffd}",
            "\u{10ffff}",
        ];
        ends.map(|end| format!("{start}{end}"))
    });
    let long = [509, 510, 512, 513, 100_000].map(|length| format!("thing/{}", "x".repeat(length)));
    made.chain(long).chain(["account/x".into(), "THING/x".into(), "/x".into(), "thing\u{1b}/x".into()]).collect()
}

/// A line of a batch with one member more.
fn line(members: &[(&str, &str)]) -> String {
    let mut all = Object::new();
    for (key, text) in [("stream", "thing/1"), ("command", "Do")].iter().chain(members) {
        all.insert((*key).to_owned(), Value::Text((*text).to_owned()));
    }
    all.insert("data".into(), json::parse(r#"{"n":1}"#).unwrap());
    Value::Object(all).to_string()
}

/// What the first event says of it.
fn said(trial: &Trial, key: &str) -> Option<String> {
    let events = trial.folder.esctl("events -o ndjson").done();
    let event: serde_json::Value = serde_json::from_str(events.lines().next()?).unwrap();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    match key {
        "meta" => event["command"]["meta"].as_object()?.keys().next().cloned(),
        "id" => text(&event["command"]["id"]).or_else(|| text(&event["id"])),
        key => text(&event[key]).or_else(|| text(&event["command"][key])),
    }
}

#[test]
fn a_hostile_name_is_refused_or_kept_as_it_is() {
    let mut trial = Trial::new();
    for name in corpus() {
        for (key, flag) in [("stream", ""), ("id", "--id"), ("actor", "--actor"), ("meta", "--meta")] {
            for batch in [false, true] {
                trial.anew();
                let what = format!("{key} {}, batch: {batch}", json::quote(&name));
                let run = if batch && key == "meta" {
                    continue;
                } else if batch {
                    trial.folder.write("line", line(&[(key, &name)]));
                    trial.esctl(&what, REFUSAL, "", "send --batch line")
                } else {
                    let with = if key == "meta" { format!("{name}=1") } else { name.clone() };
                    let stream = if key == "stream" { name.as_str() } else { "thing/1" };
                    let mut words = vec!["send"];
                    let flagged = format!("{flag}={with}");
                    if key != "stream" {
                        words.push(&flagged);
                    }
                    words.extend(["--", stream, "Do", "n=1"]);
                    let words: Vec<&OsStr> = words.into_iter().map(OsStr::new).collect();
                    trial.run(&what, REFUSAL, "", &words)
                };
                if run.exit == 0 {
                    let said = said(&trial, key);
                    trial.insist(said.as_ref() == Some(&name), &run, &format!("{said:?} came out"));
                    if key == "stream" {
                        let words = ["replay", "-o", "json", "--", &name].map(OsStr::new);
                        let replay = trial.run(&format!("replay of {what}"), REFUSAL, "", &words);
                        trial.done(&replay);
                    }
                } else {
                    trial.refused(&run, 2);
                    let stored = trial.stored();
                    trial.insist(stored.is_empty(), &run, "something is stored");
                }
            }
        }
    }
    // What only a file can say.
    for (name, member) in [("NUL", "a\0b".to_owned()), ("1 MiB", "x".repeat(1024 * 1024))] {
        for key in ["stream", "command", "id", "actor", "correlation", "causation", "time", "expect"] {
            trial.anew();
            let text = if key == "stream" { format!("thing/{member}") } else { member.clone() };
            trial.folder.write("line", line(&[(key, &text)]));
            let run = trial.esctl(&format!("{name} as {key}"), REFUSAL, "", "send --batch line");
            trial.refused(&run, 2);
            let stored = trial.stored();
            trial.insist(stored.is_empty(), &run, "something is stored");
        }
    }
    trial.finish();
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let mut trial = Trial::new();
    let wrong = OsString::from(OsStr::from_bytes(b"thing/\xff\xfe"));
    let field = OsString::from(OsStr::from_bytes(b"n=\xff"));
    for words in [
        ["send", "WRONG", "Do", "n=1"],
        ["send", "thing/1", "WRONG", "n=1"],
        ["send", "thing/1", "Do", "FIELD"],
        ["replay", "WRONG", "--at", "0"],
        ["events", "--stream", "WRONG", "--limit=1"],
        ["WRONG", "", "", ""],
    ] {
        let words = words.map(|word| match word {
            "WRONG" => wrong.as_os_str(),
            "FIELD" => field.as_os_str(),
            word => OsStr::new(word),
        });
        let run = trial.run(&format!("{words:?}"), REFUSAL, "", &words);
        trial.refused(&run, 2);
        trial.insist(!trial.folder.file("esctl.db").exists(), &run, "a store was made");
    }
    trial.finish();
}

#[test]
fn a_hostile_path_is_taken_as_it_is_or_refused() {
    let long = "x".repeat(300);
    let deep = "d/".repeat(3_000);
    let paths: Vec<&[u8]> = vec![
        b":memory:",
        b"file:x?mode=memory",
        b"file:x",
        b"file:///x?immutable=1",
        b"a?b#c%41.db",
        b"a?mode=ro",
        b"#",
        b"%00",
        b"?",
        b"x\ny.db",
        b"\x1b[31m.db",
        b"\xe2\x80\xae.db",
        b" ",
        b"-",
        b"--",
        b"@x",
        b"~",
        b"$HOME.db",
        b"'",
        b"\\",
        b"",
        b".",
        b"..",
        b"/",
        b"/dev/null",
        b"domains",
        b"domains/test.yaml",
        b"nowhere/x.db",
        b"\xff\xfe.db",
        long.as_bytes(),
        deep.as_bytes(),
        "日本.db".as_bytes(),
    ];
    let mut trial = Trial::new();
    for path in paths {
        let name = OsStr::from_bytes(path);
        let before = trial.folder.path().read_dir().unwrap().count();
        let mut flag = OsString::from("--store=");
        flag.push(name);
        let words = |words: &[&'static str]| -> Vec<OsString> {
            words.iter().map(OsString::from).chain([flag.clone()]).collect()
        };
        let what = format!("store {}", json::quote(&String::from_utf8_lossy(path)));
        let send = words(&["send", "thing/1", "Do", "n=1"]);
        let send: Vec<&OsStr> = send.iter().map(OsString::as_os_str).collect();
        let run = trial.run(&what, REFUSAL, "", &send);
        if run.exit == 0 {
            let events = words(&["events", "-o", "ndjson"]);
            let events: Vec<&OsStr> = events.iter().map(OsString::as_os_str).collect();
            let read = trial.run(&format!("{what}, read"), REFUSAL, "", &events);
            trial.insist(read.stdout.lines().count() == 1, &read, "what was stored is not there");
            let there = exists(&trial.folder, name);
            trial.insist(there, &run, "the file has another name");
            let mut turn = name.to_owned();
            turn.push("-turn");
            let made = [name, &turn].map(|name| fs::remove_file(trial.folder.path().join(name)).is_ok());
            trial.insist(made == [true, true], &run, "the files have other names");
        } else {
            let exit = if run.exit == 2 { 2 } else { 5 };
            trial.refused(&run, exit);
        }
        let after = trial.folder.path().read_dir().unwrap().count();
        trial.insist(after == before, &run, "something is left behind");
    }
    assert_eq!(fs::read_to_string(trial.folder.file("domains/test.yaml")).unwrap(), ANYTHING);
    trial.finish();
}
