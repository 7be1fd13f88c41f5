//! Every file in `domains/` is sound by itself and with the others, without a warning; every scenario in it holds, and
//! together they reach everything that its rules have.

use crate::support::sources;
use esctl::diagnostic::{self, Source};
use esctl::domain::Domains;
use esctl::workbench::test::{ScenarioOutcome, run_scenarios};
use std::rc::Rc;
use std::sync::Arc;

/// The example files, sorted by name.
fn examples() -> Vec<Arc<Source>> {
    let folder = sources().join("domains");
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

/// What is in these files; they are sound, and nothing is to be warned of.
fn sound(sources: &[Arc<Source>]) -> Domains {
    let (domains, problems) = Domains::load(sources);
    assert!(problems.is_empty(), "{}", diagnostic::render(&problems, false));
    domains.expect("without problems there are domains")
}

#[test]
fn each_example_holds_by_itself_and_its_scenarios_reach_all_of_it() {
    let sources = examples();
    let names: Vec<_> = sources.iter().map(|source| source.name.as_str()).collect();
    assert_eq!(
        names,
        ["bank", "cart", "clients", "courses", "fulfilment", "git", "hotel", "orders"]
            .map(|name| format!("domains/{name}.yaml"))
    );
    for source in &sources {
        let mut domains = sound(std::slice::from_ref(source));
        domains.watch();
        let domains = Rc::new(domains);
        for result in run_scenarios(&domains, None) {
            match &result.outcome {
                ScenarioOutcome::Passed => {}
                ScenarioOutcome::Failed(differences) => panic!("{}: `{}`: {differences:#?}", source.name, result.name),
                ScenarioOutcome::Broken(problem) => {
                    panic!("`{}`: {}", result.name, diagnostic::render(std::slice::from_ref(problem), false))
                }
            }
        }
        let coverage = domains.coverage();
        let missing: Vec<_> =
            coverage.missing().map(|target| format!("{} (line {})", target.name, target.place.line())).collect();
        assert!(missing.is_empty(), "no scenario of {} reaches {missing:#?}", source.name);
        assert!(coverage.targets.len() > 10, "{}: {} things are too few", source.name, coverage.targets.len());
    }
}

#[test]
fn the_examples_can_be_loaded_together() {
    let domains = Rc::new(sound(&examples()));
    let results = run_scenarios(&domains, None);
    assert!(results.len() > 80, "scenarios are missing: {}", results.len());
    for result in &results {
        assert!(matches!(result.outcome, ScenarioOutcome::Passed), "`{}`: {:#?}", result.name, result.outcome);
    }
}
