//! What is in a store, read back and held against what was answered.

use super::Folder;
use serde_json::Value;
use std::collections::BTreeMap;

/// All events; their positions are 1, 2, 3 …, and so are the versions of each stream.
pub fn events(folder: &Folder) -> Vec<Value> {
    let events: Vec<Value> =
        folder.esctl("events -o ndjson").done().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut versions = BTreeMap::new();
    for (position, event) in (1_u64..).zip(&events) {
        assert_eq!(event["position"], position, "{event}");
        let version = versions.entry(event["stream"].as_str().unwrap()).or_insert(0_u64);
        *version += 1;
        assert_eq!(event["version"], *version, "{event}");
    }
    events
}

/// Everything that was acknowledged, by the ids of the commands.
#[derive(Debug, Default)]
pub struct Ledger {
    receipts: BTreeMap<String, Value>,
    /// As they were printed.
    lines: String,
    count: usize,
}

impl Ledger {
    /// Takes a receipt down and gives the id. Whoever is told twice is told the same, and that it is for the second time.
    #[track_caller]
    pub fn note(&mut self, line: &str) -> String {
        let receipt: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(receipt["outcome"], "accepted", "{receipt}");
        let id = receipt["id"].as_str().unwrap().to_owned();
        if let Some(first) = self.receipts.get(&id) {
            assert_eq!(receipt["duplicate"], true, "stored twice: {first} and {receipt}");
            for key in ["stream", "command", "version", "position", "events", "head"] {
                assert_eq!(receipt[key], first[key], "`{key}` of {first} and {receipt}");
            }
        } else {
            self.receipts.insert(id.clone(), receipt);
        }
        self.lines.push_str(line.trim_end());
        self.lines.push('\n');
        self.count += 1;
        id
    }

    /// What was told of a command.
    pub fn get(&self, id: &str) -> Option<&Value> {
        self.receipts.get(id)
    }

    /// How many commands were acknowledged.
    pub fn len(&self) -> usize {
        self.receipts.len()
    }

    /// Takes over what another one has.
    pub fn take(&mut self, other: &Self) {
        for line in other.lines.lines() {
            self.note(line);
        }
    }

    /// That the store is sound, that every receipt holds, and that it has the events that were told of and no other.
    #[track_caller]
    pub fn check(&self, folder: &Folder) {
        folder.write("receipts.ndjson", &self.lines);
        let verified = folder.esctl("verify --expect receipts.ndjson -o json").exits(0);
        let receipts = format!(r#""receipts":{{"held":{},"broken":0"#, self.count);
        assert!(verified.stdout.contains(&receipts), "{receipts}: {verified}");
        let mut stored: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for event in events(folder) {
            stored.entry(event["command"]["id"].as_str().unwrap().to_owned()).or_default().push(event);
        }
        for (id, receipt) in &self.receipts {
            let events = stored.remove(id).unwrap_or_default();
            let told = receipt["events"].as_array().unwrap();
            assert_eq!(events.len(), told.len(), "`{id}` has other events than {receipt}");
            for (event, told) in events.iter().zip(told) {
                for key in ["position", "version", "type", "data"] {
                    assert_eq!(event[key], told[key], "`{key}` of {event}, told was {receipt}");
                }
            }
        }
        assert!(stored.is_empty(), "stored and never acknowledged: {:?}", stored.keys());
    }
}
