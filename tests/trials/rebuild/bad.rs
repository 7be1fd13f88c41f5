//! Events that the rules cannot apply: where it stops, and what is parked.

use super::*;
use serde_json::Value;

/// The rows as they must be: nothing of the product computes them.
pub(super) fn model(projection: &str, factor: usize, events: usize, bad: &[usize]) -> String {
    let mut rows: BTreeMap<String, String> = BTreeMap::new();
    let mut cells: BTreeMap<String, (usize, usize, String)> = BTreeMap::new();
    for n in (1..=events).filter(|n| !bad.contains(n)) {
        let (a, b) = keys(n);
        let stream = stream(n).replace("thing/", "");
        let mut keys = match projection {
            "per_event" => {
                let key = format!("{a}#{n}");
                let row = format!("text '{key}', integer {}, text '{stream}'\n", n * factor);
                rows.insert(key, row);
                continue;
            }
            "per_stream" => vec![stream],
            _ => vec![format!("k{a}"), format!("k{b}"), format!("l{a}")],
        };
        keys.dedup();
        for key in keys {
            let (events, sum, last) = cells.entry(key.clone()).or_default();
            *events += 1;
            *sum += n * factor;
            write!(last, "{}", n % 7).unwrap();
            if projection == "several" && n % 3 == 0 && *events % 2 == 0 {
                cells.remove(&key);
            }
        }
    }
    for (key, (events, sum, last)) in cells {
        let row = format!("text '{key}', integer {events}, integer {sum}, text '{last}'\n");
        rows.insert(key, row);
    }
    rows.into_values().collect()
}

fn line_of(lines: &str, projection: &str) -> Value {
    let all = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    all.into_iter().find(|line| line["name"] == projection).unwrap()
}

/// The positions of what is parked.
fn positions(folder: &Folder, projection: &str) -> Vec<u64> {
    let positions = |line: &str| serde_json::from_str::<Value>(line).unwrap()["position"].as_u64().unwrap();
    parked(folder, projection).lines().map(positions).collect()
}

#[test]
fn what_cannot_be_applied_stops_a_rebuild_or_is_parked() {
    let rounds = scaled(5, 200);
    let dice = Dice::new();
    let source = source(EVENTS);
    for round in 0..rounds {
        let mut dice = dice.nth(round);
        let projection = PROJECTIONS[round % 3];
        let count = 1 + dice.below(4);
        // One at the beginning and one in the end are tried too.
        let mut bad: Vec<usize> =
            (0..count).map(|_| [1 + dice.below(EVENTS), 1, EVENTS][dice.below(12) / 10]).collect();
        bad.sort_unstable();
        bad.dedup();
        eprintln!("round {round}: {projection}, bad: {bad:?}");
        let old = rows(&source, projection);
        same(&old, &model(projection, 1, EVENTS, &[]));
        for jobs in [1, 3] {
            let mut bad = bad.clone();
            let folder = copy(&source, &bad);
            let rebuild = format!("project rebuild {projection} --jobs {jobs}");
            // Who tries again stops there again.
            for _ in 0..2 {
                folder.esctl(&rebuild).exits(4).says("made bad");
                same(&rows(&folder, projection), &old);
                let status = folder.esctl("project status -o ndjson").done();
                let stopped = &line_of(&status, projection)["stopped"];
                assert_eq!((&stopped["position"], &stopped["error"]), (&bad[0].into(), &"made bad".into()), "{status}");
                assert_eq!(line_of(&status, projection)["building"], bad[0] - 1, "{status}");
            }
            if dice.below(2) == 0 {
                folder.write("domains/trial.yaml", domain(2, &[]));
                folder.esctl(&rebuild).done();
                bad.clear();
            } else {
                folder.esctl(&format!("{rebuild} --park")).done();
            }
            same(&rows(&folder, projection), &model(projection, 2, EVENTS, &bad));
            assert_eq!(positions(&folder, projection), bad.iter().map(|n| *n as u64).collect::<Vec<_>>());
            let status = folder.esctl("project status -o ndjson").done();
            let line = line_of(&status, projection);
            assert_eq!((&line["stopped"], &line["parked"]), (&Value::Null, &bad.len().into()), "{line}");
            folder.esctl(&format!("project verify {projection}")).done();
            if !bad.is_empty() {
                folder.write("domains/trial.yaml", domain(2, &[]));
                folder.esctl(&format!("project retry {projection}")).done();
                same(&rows(&folder, projection), &model(projection, 2, EVENTS, &[]));
                assert_eq!(positions(&folder, projection), [0; 0]);
            }
        }
    }
}
