//! Every field that an example's scripts name is misspelt, one at a time, and `check` must say so at that place.

use crate::support::{Folder, sources};
use esctl::diagnostic::{Diagnostic, Place, Source};
use esctl::domain::Domains;
use esctl::script::Script;
use esctl::script::facts::ArgumentKind;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// The files of a folder of the sources whose names end so.
fn files(folder: &str) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(sources().join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    let inner: Vec<_> =
        found.iter().filter(|path| path.is_dir()).flat_map(|path| files(&path.to_string_lossy())).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    found.extend(inner);
    found
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Where names stand after a dot that call nothing, in scripts and where projections name events: not in comments, nor
/// in scenarios and descriptions. `meta` may have any field.
fn after_dots(text: &str) -> BTreeSet<(usize, usize)> {
    let rules = text.split("\nscenarios:").next().unwrap();
    let mut found = BTreeSet::new();
    let mut start = 0;
    let mut prose = usize::MAX;
    for line in rules.split_inclusive('\n') {
        let (begin, words) = (start, line.split("//").next().unwrap());
        start += line.len();
        let depth = line.len() - line.trim_start().len();
        if depth > prose {
            continue;
        }
        prose = if words.trim_start().starts_with("description:") { depth } else { usize::MAX };
        if prose < usize::MAX {
            continue;
        }
        for (dot, _) in words.match_indices('.') {
            let name = &words[dot + 1..];
            let end = name.bytes().position(|byte| !is_word(byte)).unwrap_or(name.len());
            let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
            if begins && !name[end..].starts_with('(') && !words[..dot].ends_with("meta") {
                found.insert((begin + dot + 1, begin + dot + 1 + end));
            }
        }
    }
    found
}

/// Words in brackets after `indexes:`.
fn columns(text: &str) -> BTreeSet<(usize, usize)> {
    let mut found = BTreeSet::new();
    for (at, key) in text.match_indices("    indexes: ") {
        let from = at + key.len();
        let line = text[from..].lines().next().unwrap();
        let mut word = None;
        for (n, byte) in line.bytes().enumerate() {
            match (is_word(byte), word) {
                (true, None) => word = Some(n),
                (false, Some(begin)) => {
                    found.insert((from + begin, from + n));
                    word = None;
                }
                _ => {}
            }
        }
    }
    found
}

/// What the facts of all scripts tell: fields of what is in scope, and the keys of maps that are emitted.
fn known(domains: &Domains) -> BTreeSet<(usize, usize)> {
    let mut found = BTreeSet::new();
    let mut note = |place: &Place| {
        let quotes = usize::from(place.text().starts_with('"'));
        found.insert((place.start + quotes, place.end - quotes));
    };
    let mut read = |script: &Script| {
        for access in script.facts().accesses.iter().filter(|access| access.root != "meta") {
            note(&access.place);
        }
        for call in script.facts().calls.iter().filter(|call| matches!(call.name.as_str(), "emit" | "emit_to")) {
            for argument in &call.arguments {
                if let ArgumentKind::Map(keys) = &argument.kind {
                    for (_, place) in keys {
                        note(place);
                    }
                }
            }
        }
    };
    for aggregate in domains.aggregates() {
        aggregate.commands.values().for_each(|command| read(&command.decide));
    }
    for handler in domains.projections().flat_map(|projection| projection.handlers.values()) {
        read(&handler.key);
        read(&handler.script);
    }
    found
}

/// The word with a letter doubled, and with one dropped; never a word that the file has.
fn misspelt(word: &str, words: &BTreeSet<&str>) -> Vec<String> {
    let middle = word.len() / 2;
    let doubled = format!("{}{}", &word[..=middle], &word[middle..]);
    let dropped = format!("{}{}", &word[..middle], &word[middle + 1..]);
    [doubled, dropped].into_iter().filter(|made| !made.is_empty() && !words.contains(made.as_str())).collect()
}

#[test]
fn a_misspelt_field_is_found_wherever_it_stands() {
    let (mut tried, mut errors, mut elsewhere) = (0, 0, 0);
    let mut silent = Vec::new();
    for path in files("domains").into_iter().chain(files("tests/planted")) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        let (domains, problems) = Domains::load(&[Source::new(name.as_str(), text.as_str())]);
        assert_eq!(problems, []);
        let mut places = known(&domains.unwrap());
        places.extend(after_dots(&text));
        places.extend(columns(&text));
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        for (start, end) in places {
            for made in misspelt(&text[start..end], &words) {
                let changed = format!("{}{made}{}", &text[..start], &text[end..]);
                let source = Source::new(name.as_str(), changed);
                tried += 1;
                let (_, problems) = Domains::load(std::slice::from_ref(&source));
                let at_the_name = |problem: &&Diagnostic| {
                    problem.place.as_ref().is_some_and(|place| place.start <= start && start < place.end)
                };
                let quoted = format!("`{made}`");
                if problems.iter().filter(|problem| problem.is_error()).any(|problem| at_the_name(&problem)) {
                    errors += 1;
                } else if problems.iter().any(|problem| problem.message.contains(&quoted)) {
                    elsewhere += 1;
                } else {
                    let place = Place::point(&source, start);
                    let line = source.text.lines().nth(place.line() - 1).unwrap();
                    silent.push(format!("{name}:{}:{} {made}: {line}", place.line(), place.column()));
                }
            }
        }
    }
    println!("{tried} misspellings tried: {errors} errors at their place, {elsewhere} told of otherwise");
    assert!(silent.is_empty(), "{tried} tried, not found:\n{}", silent.join("\n"));
    assert!(tried > 1000, "{tried}");
    // Keys that an assignment makes are told of as warnings, or where the map is emitted.
    assert!(elsewhere <= 6, "{elsewhere} of {tried}");
}

#[test]
fn the_check_is_silent_about_what_is_sound() {
    let all: Vec<_> = ["domains", "tests/fixtures", "tests/planted"].into_iter().flat_map(files).collect();
    assert!(all.len() >= 7, "{all:?}");
    for path in all {
        let folder = Folder::empty();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        folder.write(&name, fs::read_to_string(&path).unwrap());
        let outcome = folder.esctl(&format!("check --domain {name} --deny warnings -o json"));
        assert_eq!((outcome.stdout.trim(), outcome.stderr.as_str(), outcome.exit), ("[]", "", 0), "{}", path.display());
    }
}
