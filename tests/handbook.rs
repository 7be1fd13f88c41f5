//! What is written runs: every block of the README and the docs, and the reference of commands is fresh. What there is
//! is written: the page of the domain format has an example of every key and function, and the index names every page.
//!
//! A block marked `console` holds commands after `$ ` (they go on after `> `) and, below each, exactly what it says,
//! stdout and stderr as they come. `…` in an expected line stands for any text, a line of `…` alone for any lines.
//! A block marked `sh` is run and must end with exit code 0. Other blocks are not run. All blocks of a document share
//! one folder, which is empty at first, the folder they changed to, and the last exit code. A document whose blocks
//! are marked `console repository` or `sh repository` gets a copy of the repository's `domains` in it. What a document
//! takes for granted stands in a comment that readers do not see, `<!-- sh: esctl init -->`, and is run as well.

use crate::support::{Folder, sources};
use esctl::script::functions;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The verbs of the reference, in its order.
const VERBS: &[&str] = &[
    "init",
    "check",
    "test",
    "describe",
    "schema",
    "send",
    "replay",
    "events",
    "streams",
    "diff",
    "blame",
    "bisect",
    "trace",
    "plan",
    "project",
    "project list",
    "project status",
    "project rebuild",
    "project show",
    "project parked",
    "project retry",
    "project verify",
    "sql",
    "process",
    "process list",
    "process status",
    "process show",
    "process run",
    "process retry",
    "process skip",
    "rules",
    "verify",
    "backup",
    "fork",
    "export",
    "import",
    "snapshot",
    "snapshot list",
    "snapshot rebuild",
    "completions",
    "man",
];

/// The topics of the help, in the order of their list.
const TOPICS: &[&str] = &["exit-codes", "formats", "scripts", "time"];

#[test]
fn the_reference_of_commands_is_fresh() {
    let file = sources().join("docs/commands.md");
    let fresh = reference();
    if std::env::var_os("ESCTL_BLESS").is_some() {
        fs::write(&file, &fresh).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == fresh, "docs/commands.md is stale: run the tests once with ESCTL_BLESS=1\n\n{fresh}");
}

fn reference() -> String {
    let folder = Folder::empty();
    let mut out = String::from("# Commands\n\nMade from the program's own help by `tests/handbook.rs`; do not edit.\n");
    let mut section = |title: &str, arguments: &str| {
        let help = folder.esctl(arguments).done();
        let _ = write!(out, "\n## {title}\n\n```text\n{}\n```\n", help.trim_end());
    };
    section("esctl", "--help");
    for verb in VERBS {
        section(&format!("esctl {verb}"), &format!("{verb} --help"));
    }
    for topic in TOPICS {
        section(&format!("esctl help {topic}"), &format!("help {topic}"));
    }
    out
}

#[test]
fn the_reference_knows_every_verb() {
    let help = Folder::empty().esctl("--help").done();
    let listed = |line: &&str| line.starts_with("  ") && line[2..].starts_with(|c: char| c.is_ascii_lowercase());
    let (list, _) = help.split_once("\noptions:\n").unwrap();
    for line in list.lines().filter(listed) {
        let verb = line.split_whitespace().next().unwrap();
        assert!(VERBS.contains(&verb), "`{verb}` is in the help but not in the reference");
    }
}

#[test]
fn every_block_of_the_handbook_runs() {
    let documents = documents();
    assert!(!documents.is_empty());
    let mut wrong = String::new();
    for document in &documents {
        run_document(document, &mut wrong);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The README, and all pages in the folder of the docs and the folders within it.
fn documents() -> Vec<PathBuf> {
    let mut found = vec![sources().join("README.md")];
    pages(&sources().join("docs"), &mut found);
    found.retain(|file| file.exists());
    found
}

/// The pages of a folder, then those of the folders in it, by name.
fn pages(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let (folders, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    found.extend(files.into_iter().filter(|file| file.extension().is_some_and(|extension| extension == "md")));
    for folder in folders {
        pages(&folder, found);
    }
}

/// A block with its mark and the line it begins at.
struct Block {
    mark: String,
    line: usize,
    text: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (line, text) in (1..).zip(document.lines()) {
        match (&mut open, text.strip_prefix("```")) {
            (None, Some(mark)) => open = Some(Block { mark: mark.trim().to_owned(), line, text: String::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => {
                block.text.push_str(text);
                block.text.push('\n');
            }
            (None, None) => {
                if let Some(text) = text.strip_prefix("<!-- sh: ").and_then(|text| text.strip_suffix(" -->")) {
                    blocks.push(Block { mark: "sh".to_owned(), line, text: text.to_owned() });
                }
            }
        }
    }
    blocks
}

fn run_document(document: &Path, wrong: &mut String) {
    let text = fs::read_to_string(document).unwrap();
    let mut shell = Shell::new();
    for block in blocks(&text) {
        let place = format!("{}:{}", document.strip_prefix(sources()).unwrap().display(), block.line);
        let (kind, surroundings) = block.mark.split_once(' ').unwrap_or((&block.mark, ""));
        if surroundings == "repository" {
            shell.bring_domains();
        }
        match kind {
            "sh" => {
                let said = shell.run(&block.text);
                if shell.exit != 0 {
                    let _ = writeln!(wrong, "{place}: exit code {}\n{said}", shell.exit);
                }
            }
            "console" => {
                for (command, expected) in commands(&block.text) {
                    let said = shell.run(&command);
                    if !fits(&expected, &said) {
                        let _ = writeln!(wrong, "{place}: $ {command}\nexpected:\n{expected}\ncame:\n{said}");
                    }
                }
            }
            _ => {}
        }
    }
}

/// The commands of a block, each with what it is to say.
fn commands(block: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push((command.to_owned(), String::new()));
        } else if let Some((command, expected)) = commands.last_mut() {
            match line.strip_prefix("> ") {
                Some(more) if expected.is_empty() => {
                    command.push('\n');
                    command.push_str(more);
                }
                _ => {
                    expected.push_str(line);
                    expected.push('\n');
                }
            }
        } else {
            panic!("a console block begins with `$ `, not with: {line}");
        }
    }
    commands
}

/// A folder in which commands follow each other: each begins where the one before ended.
struct Shell {
    folder: Folder,
    /// Where the commands keep the folder they are in, outside of it.
    aside: Folder,
    exit: i32,
}

impl Shell {
    fn new() -> Self {
        let shell = Self { folder: Folder::empty(), aside: Folder::empty(), exit: 0 };
        shell.aside.write("pwd", shell.folder.path().to_str().unwrap());
        shell
    }

    fn bring_domains(&self) {
        let from = sources().join("domains");
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|entry| entry.path().is_file()) {
            let name = format!("domains/{}", entry.file_name().to_str().unwrap());
            self.folder.write(&name, fs::read(entry.path()).unwrap());
        }
    }

    /// What a command says on stdout and stderr, as it comes.
    fn run(&mut self, command: &str) -> String {
        let pwd = self.aside.file("pwd");
        let script = format!(
            "exec 2>&1\ncd \"$(cat '{pwd}')\"\ntrap 'code=$?; pwd > \"{pwd}\"; exit $code' EXIT\n(exit {})\n{command}\n",
            self.exit,
            pwd = pwd.display(),
        );
        let mut bash = Command::new("bash");
        bash.arg("-c").arg(script);
        self.folder.surround(&mut bash);
        bash.env("ESCTL_SOURCE", sources());
        let output = bash.stdin(std::process::Stdio::null()).output().unwrap();
        self.exit = output.status.code().unwrap_or(-1);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

/// Whether what was said is what is written, `…` standing for anything.
fn fits(expected: &str, said: &str) -> bool {
    let expected: Vec<_> = expected.trim_end().lines().map(str::trim_end).collect();
    let said: Vec<_> = said.trim_end().lines().map(str::trim_end).collect();
    lines_fit(&expected, &said)
}

fn lines_fit(expected: &[&str], said: &[&str]) -> bool {
    match expected.split_first() {
        None => said.is_empty(),
        Some((&"…", rest)) => (0..=said.len()).any(|skipped| lines_fit(rest, &said[skipped..])),
        Some((line, rest)) => {
            said.split_first().is_some_and(|(first, more)| line_fits(line, first) && lines_fit(rest, more))
        }
    }
}

fn line_fits(expected: &str, said: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = said.strip_prefix(first) else {
        return false;
    };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// What of the domain format no block shows that is run: keys that the schema offers, and functions that scripts can call.
fn without_example(page: &str) -> Vec<String> {
    let run =
        blocks(page).into_iter().filter(|block| block.mark.starts_with("sh") || block.mark.starts_with("console"));
    let examples: String = run.map(|block| block.text).collect();
    let has = |pattern: &str| Regex::new(pattern).unwrap().is_match(&examples);
    let schema = fs::read_to_string(sources().join("src/domain/schema.json")).unwrap();
    let mut keys = BTreeSet::new();
    offered(&serde_json::from_str(&schema).unwrap(), &mut keys);
    let mut missing: Vec<_> = keys.into_iter().filter(|key| !has(&format!(r"\b{key}:"))).collect();
    let known = functions::OWN.iter().chain(functions::PACKAGED).map(|name| (*name).to_owned());
    let called: BTreeSet<_> = known.chain(registered("desk")).chain(registered("react")).collect();
    missing.extend(called.into_iter().filter(|name| !has(&format!(r"\b{name}\(|\.{name}\b"))));
    missing
}

/// The keys that a schema names, at whatever depth.
fn offered(schema: &Value, keys: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::Object(properties)) = members.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            for member in members.values() {
                offered(member, keys);
            }
        }
        Value::Array(items) => {
            for item in items {
                offered(item, keys);
            }
        }
        _ => {}
    }
}

/// The names of the functions that a file of `script/` puts into an engine.
fn registered(file: &str) -> Vec<String> {
    let source = fs::read_to_string(sources().join(format!("src/script/{file}.rs"))).unwrap();
    let names = Regex::new(r#"register_fn\(\s*"(\w+)""#).unwrap();
    names.captures_iter(&source).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_key_and_every_function_has_an_example_that_runs() {
    let page = fs::read_to_string(sources().join("docs/domain-format.md")).unwrap();
    let missing = without_example(&page);
    assert!(missing.is_empty(), "docs/domain-format.md has no example that is run of: {}", missing.join(", "));
}

#[test]
fn what_has_no_example_is_found() {
    let missing =
        without_example("```sh\ndomain: a\nemit(\"B\"); add_days(t, 1)\n```\n\n```yaml\naggregates: b\n```\n");
    for name in ["aggregates", "on_deadline", "one_of", "emit_to", "cancel", "delete", "round", "zip"] {
        assert!(missing.iter().any(|found| found == name), "`{name}` is not missed: {missing:?}");
    }
    for name in ["domain", "emit", "add_days"] {
        assert!(!missing.iter().any(|found| found == name), "`{name}` is there: {missing:?}");
    }
}

/// What a page links to within the repository: the files, each with the heading that is meant, if one is.
fn linked(document: &Path) -> Vec<(PathBuf, String)> {
    let text = fs::read_to_string(document).unwrap();
    let links = Regex::new(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)").unwrap();
    let folder = document.parent().unwrap();
    let target = |file: &str| if file.is_empty() { document.to_owned() } else { folder.join(file) };
    links
        .captures_iter(&text)
        .map(|link| (target(&link[1]), link.get(2).map_or("", |at| at.as_str()).to_owned()))
        .collect()
}

/// The headings of a page as links name them: in small letters, `-` for spaces, without marks.
fn headings(page: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(page).unwrap();
    let named = |heading: &str| -> String {
        let letters = heading.to_lowercase().replace(' ', "-");
        letters.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_')).collect()
    };
    let heading = |line: &str| Some(named(line.strip_prefix('#')?.trim_start_matches('#').trim()));
    text.lines().filter_map(heading).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut broken = String::new();
    for document in documents() {
        for (target, heading) in linked(&document) {
            if !target.exists() || !heading.is_empty() && !headings(&target).contains(&heading) {
                let _ = writeln!(broken, "{}: {}#{heading}", document.display(), target.display());
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{broken}");
}

#[test]
fn the_index_names_every_page() {
    let index = sources().join("docs/README.md");
    let named: BTreeSet<_> = linked(&index).iter().map(|(target, _)| target.canonicalize().unwrap()).collect();
    let decisions = sources().join("docs/decisions");
    let unnamed: Vec<_> = documents()
        .into_iter()
        .skip(1)
        .filter(|page| *page != index && !page.starts_with(&decisions))
        .filter(|page| !named.contains(&page.canonicalize().unwrap()))
        .collect();
    assert!(unnamed.is_empty(), "docs/README.md does not name: {unnamed:?}");
}

#[test]
fn an_ellipsis_stands_for_anything() {
    assert!(fits("a … c\n…\nz\n", "a b c\n1\n2\nz\n"));
    assert!(fits("", ""));
    assert!(fits("…", "anything\nat all\n"));
    assert!(!fits("a\n", "a\nb\n"));
    assert!(!fits("a…b…c", "a c b"));
}

#[test]
fn a_console_block_is_commands_and_what_they_say() {
    let block = "$ echo a \\\n> b\na b\n\nc\n$ true\n";
    let expected = [("echo a \\\nb".to_owned(), "a b\n\nc\n".to_owned()), ("true".to_owned(), String::new())];
    assert_eq!(commands(block), expected);
}

#[test]
fn commands_follow_each_other() {
    let mut shell = Shell::new();
    assert_eq!(shell.run("mkdir sub && cd sub"), "");
    assert_eq!(shell.run("basename \"$PWD\"; exit 3"), "sub\n");
    assert_eq!(shell.run("echo $?"), "3\n");
}
