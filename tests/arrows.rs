//! The arrows of the house point down only. This reads the sources and insists on it.

use crate::support::sources;
use std::fs;
use std::path::Path;

/// A word that may stand only in files whose path begins with one of these.
const BORDERS: &[(&str, &[&str])] = &[
    ("rhai", &["script/"]),
    ("rusqlite", &["store/"]),
    ("granit_parser", &["domain/yaml.rs"]),
    ("serde_yaml", &["domain/yaml.rs"]),
    ("clap", &["cli/"]),
    ("comfy_table", &["render/"]),
    ("indicatif", &["render/progress.rs"]),
    ("crossterm", &["cli/step.rs"]),
    ("signal_hook", &["cli/signals.rs"]),
    ("rustix", &["store/sqlite/follow.rs"]),
    ("anyhow", &["cli/failure.rs"]),
    ("SystemTime::now", &["cli/context.rs"]),
    ("Timestamp::now", &["cli/context.rs"]),
    ("Instant::now", &["cli/context.rs"]),
    ("Zoned::now", &["cli/context.rs"]),
    ("println!", &[]),
    ("eprintln!", &[]),
    ("print!", &[]),
    ("eprint!", &[]),
    ("dbg!", &[]),
    ("process::exit", &[]),
    ("std::env", &["cli/"]),
    ("mod cli", &["main.rs"]),
    ("mod render", &["main.rs"]),
];

/// What a part of the house never names.
const UPWARDS: &[(&str, &[&str])] = &[
    ("store/", &["crate::domain", "crate::workbench", "crate::script"]),
    ("domain/", &["crate::store", "crate::workbench"]),
    ("script/", &["crate::domain", "crate::store", "crate::workbench"]),
    ("event.rs", &["crate::domain", "crate::script", "crate::store", "crate::workbench"]),
    ("json.rs", &["crate::domain", "crate::script", "crate::store", "crate::workbench"]),
    ("diagnostic/", &["crate::domain", "crate::script", "crate::store", "crate::workbench"]),
    ("render/", &["crate::cli"]),
];

#[test]
fn what_belongs_to_one_place_stays_there() {
    let mut wrong = Vec::new();
    each_line(|file, number, line| {
        for (word, allowed) in BORDERS {
            if names(line, word) && !allowed.iter().any(|place| file.starts_with(place)) {
                wrong.push(format!("src/{file}:{number} names `{word}`: {}", line.trim()));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_names_what_is_above_it() {
    let mut wrong = Vec::new();
    each_line(|file, number, line| {
        for (place, above) in UPWARDS {
            for word in above.iter().filter(|word| file.starts_with(place) && names(line, word)) {
                wrong.push(format!("src/{file}:{number} names `{word}`: {}", line.trim()));
            }
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn main_stays_short() {
    let main = fs::read_to_string(sources().join("src/main.rs")).unwrap();
    assert!(main.lines().count() <= 20, "main.rs only calls `cli::run`");
}

/// Every line of code; comments may name what they like.
fn each_line(mut look: impl FnMut(&str, usize, &str)) {
    let root = sources().join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 20, "the sources were not found");
    for file in files {
        let name = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        let text = fs::read_to_string(&file).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            if !line.trim_start().starts_with("//") {
                look(&name, number, line);
            }
        }
    }
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// Whether a line holds the word as code: not as a part of a longer one, and not in a text.
fn names(line: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let quoted = line[..at].matches('"').count() % 2 == 1;
        let inside = before.is_some_and(part) || word.ends_with(part) && after.is_some_and(part);
        !inside && !quoted
    })
}

#[test]
fn a_word_is_found_only_as_a_word() {
    assert!(names("use rhai::Engine;", "rhai"));
    assert!(!names("let rhain = 1;", "rhai"));
    assert!(!names("\"rhai\"", "rhai"));
    assert!(names("    println!(\"x\")", "println!"));
    assert!(!names("    eprintln!(\"x\")", "println!"));
}
