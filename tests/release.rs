//! What has to be in order before a version goes out: what it is built on, what is in its package, what is said of it.

use crate::support::{Folder, sources};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// A package that esctl, or a test of it, is built on.
#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    /// Where it is from; nothing for esctl itself.
    source: Option<String>,
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(sources()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "cargo {arguments:?}: {said}");
    assert!(!said.contains("warning"), "cargo {arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn packages() -> Vec<Package> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    let metadata = cargo(&["metadata", "--locked", "--offline", "--format-version", "1"]);
    serde_json::from_str::<Metadata>(&metadata).unwrap().packages
}

/// The texts of a list in `deny.toml`: `key = [ … ]` in a table.
fn list(table: &str, key: &str) -> Vec<String> {
    let policy = fs::read_to_string(sources().join("deny.toml")).unwrap();
    let table = policy.split_once(&format!("\n[{table}]\n")).unwrap().1.split("\n[").next().unwrap().to_owned();
    let lines: Vec<&str> = table.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let text = lines.join("\n");
    let list = text.split_once(&format!("{key} = [")).unwrap().1.split(']').next().unwrap().to_owned();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether an SPDX expression can be met with these licences. What was met with is noted.
struct Expression<'a> {
    words: Vec<String>,
    at: usize,
    allowed: &'a [String],
    met: &'a mut BTreeSet<String>,
    /// A name was missing where one belongs.
    is_broken: bool,
}

impl<'a> Expression<'a> {
    fn is_met(text: &str, allowed: &'a [String], met: &'a mut BTreeSet<String>) -> bool {
        // Older packages write `MIT/Apache-2.0` for `MIT OR Apache-2.0`.
        let text = text.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
        let words = text.split_whitespace().map(str::to_owned).collect();
        let mut expression = Self { words, at: 0, allowed, met, is_broken: false };
        let is_met = expression.any();
        is_met && !expression.is_broken && expression.at == expression.words.len()
    }

    fn next_is(&mut self, word: &str) -> bool {
        let is = self.words.get(self.at).is_some_and(|next| next == word);
        self.at += usize::from(is);
        is
    }

    fn any(&mut self) -> bool {
        let mut is_met = self.all();
        while self.next_is("OR") {
            is_met |= self.all();
        }
        is_met
    }

    fn all(&mut self) -> bool {
        let mut is_met = self.one();
        while self.next_is("AND") {
            is_met &= self.one();
        }
        is_met
    }

    fn one(&mut self) -> bool {
        if self.next_is("(") {
            return self.any() & self.next_is(")");
        }
        let Some(mut licence) = self.words.get(self.at).cloned() else {
            self.is_broken = true;
            return false;
        };
        self.at += 1;
        if self.next_is("WITH") {
            licence = format!("{licence} WITH {}", self.words.get(self.at).map_or("", String::as_str));
            self.at += 1;
        }
        // That version or a later one: it is taken under that one.
        let licence = licence.trim_end_matches('+');
        let is_met = self.allowed.iter().any(|allowed| allowed == licence);
        if is_met {
            self.met.insert(licence.to_owned());
        }
        is_met
    }
}

#[test]
fn every_licence_is_one_that_the_policy_allows() {
    let allowed = list("licenses", "allow");
    let mut met = BTreeSet::new();
    for Package { name, version, license, .. } in packages() {
        let license = license.unwrap_or_else(|| panic!("{name} {version} names no licence"));
        assert!(Expression::is_met(&license, &allowed, &mut met), "{name} {version} is under `{license}`");
    }
    let unused: Vec<_> = allowed.iter().filter(|licence| !met.contains(*licence)).collect();
    assert!(unused.is_empty(), "nothing needs {unused:?} of `deny.toml` any more");
}

#[test]
fn licences_are_read_as_they_are_written() {
    let allowed = ["MIT", "Zlib", "MPL-2.0"].map(str::to_owned);
    let is_met = |text| Expression::is_met(text, &allowed, &mut BTreeSet::new());
    for met in
        ["MIT", "GPL-3.0/MIT", "Apache-2.0 OR MIT", "(MIT OR Apache-2.0) AND Zlib", "MPL-2.0+", "X WITH Y OR MIT"]
    {
        assert!(is_met(met), "{met}");
    }
    for not in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Zlib) AND GPL-3.0", "MIT WITH something", "MIT)", "MIT OR"] {
        assert!(!is_met(not), "{not}");
    }
}

#[test]
fn nothing_is_built_on_what_the_policy_bans() {
    let (banned, registries) = (list("bans", "deny"), list("sources", "allow-registry"));
    assert!(banned.len() > 3 && list("sources", "allow-git").is_empty());
    for Package { name, version, source, .. } in packages() {
        assert!(!banned.contains(&name), "{name} {version} is banned by `deny.toml`");
        let Some(source) = source else {
            assert_eq!(name, "esctl", "{name} is from a folder");
            continue;
        };
        let registry = source.strip_prefix("registry+");
        let is_known = registry.is_some_and(|registry| registries.iter().any(|known| known == registry));
        assert!(is_known, "{name} {version} is from {source}");
    }
}

#[test]
fn the_package_has_what_it_takes_to_build_and_try_it_and_nothing_else() {
    let listed = cargo(&["package", "--list", "--locked", "--offline", "--allow-dirty", "--no-metadata"]);
    let files: BTreeSet<&str> = listed.lines().collect();
    for needed in ["Cargo.lock", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "CHANGELOG.md", "domains/bank.yaml"] {
        assert!(files.contains(needed), "`{needed}` is not in the package");
    }
    let top: BTreeSet<&str> = files.iter().filter_map(|file| Some(file.split_once('/')?.0)).collect();
    assert_eq!(Vec::from_iter(top), ["benches", "docs", "domains", "src", "tests"]);
    let known = [
        "md", "rs", "sh", "sql", "json", "ndjson", "yaml", "yml", "toml", "lock", "txt", "snap", "db", "orig", "bash",
        "fish",
    ];
    for file in files {
        let name = file.rsplit('/').next().unwrap();
        let is_known = match name.rsplit_once('.') {
            Some((_, end)) => known.contains(&end),
            None => ["LICENSE-APACHE", "LICENSE-MIT", "_esctl", "run", "tour", "writers"].contains(&name),
        };
        assert!(is_known || name == ".gitignore", "`{file}` is in the package: what for?");
    }
}

#[test]
fn the_changelog_tells_of_this_version() {
    let version = Folder::empty().esctl("--version").done();
    let version = version.trim().strip_prefix("esctl ").unwrap().to_owned();
    let changelog = fs::read_to_string(sources().join("CHANGELOG.md")).unwrap();
    let mut sections = changelog.lines().filter_map(|line| line.strip_prefix("## "));
    assert_eq!(sections.next(), Some("Unreleased"), "what comes next goes first");
    let last = sections.next().unwrap();
    let (number, date) = last.split_once(" - ").unwrap();
    assert_eq!(number, version, "the version of Cargo.toml is the last one of the changelog");
    assert!(date.len() == 10 && date.parse::<jiff::civil::Date>().is_ok(), "`{date}` is no date");
}
