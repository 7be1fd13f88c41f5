//! Mistakes planted into sound domains, as authors make them, and what `check` says of each: `planted/mistakes.txt`.
//!
//! A block there is a title, the file, and what is taken out (`-`) and put in (`+`), with `▸` where the mistake is. If it
//! comes to light elsewhere, `!` has that place. `ESCTL_BLESS=1` writes `docs/checks.md` anew, which is made of this.

use crate::support::sources;
use esctl::diagnostic::{Diagnostic, Severity, Source};
use esctl::domain::Domains;
use esctl::domain::check::second_opinions;
use esctl::workbench::test::{ScenarioOutcome, run_scenarios};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::rc::Rc;

/// A mistake in its domain.
struct Planted {
    title: String,
    file: String,
    text: String,
    line: usize,
    column: usize,
}

/// How it comes to light.
enum Found {
    Checked(Diagnostic),
    /// The check is silent: what the first scenario says that does not pass.
    Run(String),
}

fn base(file: &str) -> String {
    let folder = if file == "bank.yaml" { "domains" } else { "tests/planted" };
    fs::read_to_string(sources().join(folder).join(file)).unwrap()
}

/// The only place of a stretch in a text.
fn only(text: &str, stretch: &str, title: &str) -> usize {
    let places: Vec<_> = text.match_indices(stretch).collect();
    assert_eq!(places.len(), 1, "{title}: `{stretch}` stands there {} times", places.len());
    places[0].0
}

fn planted() -> Vec<Planted> {
    let list = fs::read_to_string(sources().join("tests/planted/mistakes.txt")).unwrap();
    let blocks = list.trim().split("\n\n");
    blocks
        .map(|block| {
            let mut lines = block.lines();
            let (title, file) = (lines.next().unwrap(), lines.next().unwrap());
            let of = |mark: &str| {
                let lines: Vec<_> = block.lines().skip(2).filter_map(|line| line.strip_prefix(mark)).collect();
                lines.join("\n")
            };
            let (out, put, elsewhere) = (of("- "), of("+ "), of("! "));
            let mut text = base(file);
            let at = only(&text, &out, title);
            text.replace_range(at..at + out.len(), &put);
            if !elsewhere.is_empty() {
                let plain = elsewhere.replace('▸', "");
                let at = only(&text, &plain, title);
                text.replace_range(at..at + plain.len(), &elsewhere);
            }
            let at = only(&text, "▸", title);
            let before = &text[..at];
            let line = before.lines().count().max(1);
            let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
            let text = text.replace('▸', "");
            Planted { title: title.to_owned(), file: file.to_owned(), text, line, column }
        })
        .collect()
}

/// How a mistake comes to light; what is said at another place than that of the mistake does not count.
fn found(planted: &Planted) -> Found {
    let (domains, problems) = Domains::load(&[Source::new(planted.file.as_str(), planted.text.as_str())]);
    let here = |problem: &&Diagnostic| {
        problem.place.as_ref().is_some_and(|place| (place.line(), place.column()) == (planted.line, planted.column))
    };
    if let Some(problem) = problems.iter().find(here) {
        return Found::Checked(problem.clone());
    }
    assert!(problems.is_empty(), "{}: told of at another place: {problems:#?}", planted.title);
    let results = run_scenarios(&Rc::new(domains.unwrap()), None);
    let Some(failed) = results.iter().find(|result| result.outcome != ScenarioOutcome::Passed) else {
        panic!("{}: neither the check nor a scenario tells", planted.title)
    };
    let said = match &failed.outcome {
        ScenarioOutcome::Broken(problem) => {
            assert!(here(&problem), "{}: fails at another place: {problem:?}", planted.title);
            problem.message.clone()
        }
        _ => format!("the scenario `{}` does not pass", failed.name),
    };
    Found::Run(said)
}

#[test]
fn the_domains_that_mistakes_are_planted_in_are_sound() {
    for file in ["bank.yaml", "shop.yaml", "rooms.yaml", "orders.yaml"] {
        let (domains, problems) = Domains::load(&[Source::new(file, base(file))]);
        assert_eq!(problems, [], "{file}");
        for result in run_scenarios(&Rc::new(domains.unwrap()), None) {
            assert_eq!(result.outcome, ScenarioOutcome::Passed, "{file}: {}", result.name);
        }
    }
}

/// What an earlier check took for mistakes.
#[test]
fn what_works_is_not_told_of() {
    let text = fs::read_to_string(sources().join("tests/broken/sound-kinds.yaml")).unwrap();
    let (domains, problems) = Domains::load(&[Source::new("sound-kinds.yaml", text)]);
    assert_eq!(problems, []);
    let results = run_scenarios(&Rc::new(domains.unwrap()), None);
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].outcome, ScenarioOutcome::Passed);
}

/// Every rule that the sources name: `problem("unknown-field", …)` and the like.
fn rules() -> BTreeSet<String> {
    let mut rules = BTreeSet::new();
    for folder in ["src/domain", "src/script"] {
        read_rules(&sources().join(folder), &mut rules);
    }
    rules
}

fn read_rules(folder: &Path, rules: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_rules(&path, rules);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for call in ["problem(", "warning(", "unknown(", "error(", "hinted("] {
            for (at, _) in text.match_indices(call) {
                let rest = text[at + call.len()..].trim_start();
                let Some((rule, _)) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) else { continue };
                if !rule.is_empty() && rule.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-') {
                    rules.insert(rule.to_owned());
                }
            }
        }
    }
}

/// What is said of every file in `tests/broken`, and of files that are too large to be kept.
fn corpus() -> Vec<Diagnostic> {
    let folder = sources().join("tests/broken");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let mut files: Vec<_> =
        paths.iter().map(|path| Source::new(name(path), fs::read_to_string(path).unwrap())).collect();
    files.push(Source::new("directives.yaml", "%FOO bar\n".repeat(101) + "---\ndomain: shop\n"));
    files.push(Source::new("nodes.yaml", format!("domain: shop\nscenarios:\n{}", "  - {}\n".repeat(60_000))));
    files.push(Source::new("problems.yaml", format!("domain: shop\nscenarios:\n{}", "  - {}\n".repeat(2_000))));
    files
        .iter()
        .flat_map(|file| {
            let file = std::slice::from_ref(file);
            let mut said = Domains::load(file).1;
            said.extend(second_opinions(file));
            said
        })
        .collect()
}

#[test]
fn every_rule_is_shown_by_a_broken_file() {
    let rules = rules();
    assert!(rules.len() > 50, "the rules are gone: {}", rules.len());
    let shown: BTreeSet<String> = corpus().into_iter().map(|problem| problem.rule.to_owned()).collect();
    let missing: Vec<_> = rules.difference(&shown).collect();
    assert!(missing.is_empty(), "no file in tests/broken shows {missing:?}");
}

#[test]
fn nearly_all_planted_mistakes_are_found_and_listed_in_the_docs() {
    let mut list =
        String::from("| mistake | in | found by | severity | place | what is said |\n|---|---|---|---|---|---|\n");
    let (mut checked, all) = (0, planted());
    assert_eq!(all.len(), 63);
    for planted in &all {
        let Planted { title, file, line, column, .. } = planted;
        let (by, severity, said) = match found(planted) {
            Found::Checked(problem) => {
                checked += 1;
                (format!("`{}`", problem.rule), problem.severity.name(), cell(&problem.message))
            }
            Found::Run(said) => ("`esctl test`".to_owned(), "–", cell(&said)),
        };
        let _ = writeln!(list, "| {} | {file} | {by} | {severity} | {line}:{column} | {said} |", cell(title));
    }
    assert!(checked >= 58, "{checked} of {}\n{list}", all.len());
    let page = page((checked, all.len()), &list);
    let file = sources().join("docs/checks.md");
    if std::env::var_os("ESCTL_BLESS").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "docs/checks.md is stale: run the tests once with ESCTL_BLESS=1\n\n{page}");
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// A line of a file, as code in a table.
fn code(text: &str) -> String {
    let text: String = text.trim().chars().take(60).collect();
    match text.contains('`') {
        _ if text.is_empty() => String::new(),
        true => format!("`` {} ``", cell(&text)),
        false => format!("`{}`", cell(&text)),
    }
}

/// `docs/checks.md`.
fn page((checked, all): (usize, usize), list: &str) -> String {
    let mut rules: BTreeMap<(bool, &str), Diagnostic> = BTreeMap::new();
    for problem in corpus() {
        let key = (problem.severity == Severity::Warning, problem.rule);
        let known = rules.entry(key).or_insert_with(|| problem.clone());
        // One with a hint shows more; of the many about kinds the first will do.
        if known.hints.is_empty() && !problem.hints.is_empty() && problem.rule != "kind" {
            *known = problem;
        }
    }
    let mut page = String::from(
        "# What `check` finds\n\nMade by `tests/planted.rs`; do not edit.\n\n\
         `esctl check` reads every script without running it. It knows the types of events, commands and columns, the state's\n\
         first values and what folds put there, and follows them through variables, closures, lists, maps and the functions of\n\
         the file. An error is what certainly fails when that line runs. A warning is what fails in some runs, or works and is\n\
         hardly meant. Where nothing certain is known, nothing is said.\n\n\
         ## Rules\n\nEach with a line that breaks it, what is said of that line, and the hint. `-o json` gives the rule's name as `rule`.\n",
    );
    for (title, warnings) in [("Errors", false), ("Warnings", true)] {
        let _ = write!(page, "\n### {title}\n\n| rule | line | message | hint |\n|---|---|---|---|\n");
        for ((_, rule), problem) in rules.iter().filter(|((warning, _), _)| *warning == warnings) {
            let line = problem.place.as_ref().and_then(|place| place.source.text.lines().nth(place.line() - 1));
            let hint = problem.hints.first().map(|hint| hint.lines().next().unwrap_or_default());
            let (message, hint) = (cell(&problem.message), cell(hint.unwrap_or_default()));
            let _ = writeln!(page, "| `{rule}` | {} | {message} | {hint} |", code(line.unwrap_or_default()));
        }
    }
    let _ = write!(
        page,
        "\n## Planted mistakes\n\n\
         The tests plant {all} mistakes, one at a time, into four sound domains: the bank, a shop, a hotel, and orders that a\n\
         process sees through (`tests/planted`). **`check` finds {checked} of {all}**, each at its place; the scenarios tell of the rest.\n\
         \n{list}\n\
         ## What it does not find\n\n\
         - A key that an assignment makes, as in `data.nmae = …`, at that place; where `data` is emitted it does.\n\
         - A field of `meta` that is misspelt: anything may be added with `--meta`.\n\
         - What is wrong in a function that nobody calls.\n\
         - What depends on values: a sum below zero, a text that is no number, a list that is too short.\n\
         - What is within `any`, and what comes out of a map whose keys hold values of several kinds.\n\
         - A field that may be absent, where the same script asks anywhere whether it is there.\n"
    );
    page
}
