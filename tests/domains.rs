//! Every file in `domains/` is sound, without a warning, and every scenario in it holds.

use esctl::diagnostic::{self, Source};
use esctl::domain::Domains;
use esctl::workbench::test::{ScenarioOutcome, run_scenarios};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// The example files, sorted by name.
fn examples() -> Vec<Arc<Source>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("domains");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let name = format!("domains/{}", path.file_name().unwrap().to_string_lossy());
            Source::new(name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn examples_are_sound_and_their_scenarios_hold() {
    let sources = examples();
    assert!(sources.len() >= 2, "the examples are gone");
    let (domains, problems) = Domains::load(&sources);
    assert!(problems.is_empty(), "{}", diagnostic::render(&problems, false));
    let domains = Rc::new(domains.expect("without problems there are domains"));
    let results = run_scenarios(&domains, None);
    assert!(results.len() > 20, "scenarios are missing: {}", results.len());
    for result in &results {
        match &result.outcome {
            ScenarioOutcome::Passed => {}
            ScenarioOutcome::Failed(differences) => panic!("`{}`: {differences:#?}", result.name),
            ScenarioOutcome::Broken(problem) => {
                panic!("`{}`: {}", result.name, diagnostic::render(std::slice::from_ref(problem), false))
            }
        }
    }
}
