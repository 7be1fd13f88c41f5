//! Broken domain files, each with everything that is said of it: `tests/broken/NAME.yaml` and `NAME.txt`.
//!
//! `ESCTL_BLESS=1` writes the texts anew; read the difference before you keep it.

use esctl::diagnostic::{self, Source};
use esctl::domain::Domains;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/broken")
}

/// What loading says of a text.
fn said_of(name: &str, text: &str) -> String {
    let (domains, problems) = Domains::load(&[Source::new(name, text)]);
    let mut said = diagnostic::render(&problems, false);
    let verdict = if domains.is_some() { "sound" } else { "not sound" };
    let _ = writeln!(said, "\n{verdict}");
    said
}

#[test]
fn every_broken_file_is_told_what_is_wrong_with_it() {
    let mut paths: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    assert!(paths.len() >= 20, "the corpus is gone");
    let mut different = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let said = said_of(&name, &std::fs::read_to_string(&path).unwrap());
        let golden = path.with_extension("txt");
        if std::env::var_os("ESCTL_BLESS").is_some() {
            std::fs::write(&golden, &said).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if said != expected {
            different.push(format!("--- {name}, expected:\n{expected}\n--- but it said:\n{said}"));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[test]
fn a_file_of_two_mebibytes_is_refused_unread() {
    let text = format!("domain: large\ndescription: {}\n", "x".repeat(2 * 1024 * 1024));
    let said = said_of("large.yaml", &text);
    assert!(said.starts_with("error: the file has 2097"), "{said}");
    assert!(said.contains("a domain file has at most 1048576"), "{said}");
}

#[test]
fn brackets_without_end_are_refused() {
    for open in ["[", "{", "a: [", "- "] {
        let text = format!("domain: {}", open.repeat(100_000));
        let said = said_of("brackets.yaml", &text);
        assert!(said.starts_with("error: "), "{said}");
        assert!(said.len() < 4000, "the complaint is as long as the file: {}", said.len());
    }
}
