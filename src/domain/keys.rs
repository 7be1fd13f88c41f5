//! The keys of the domain format: what the reader takes, and what `schema.json` offers.

/// Those of a file.
pub const FILE: &[&str] =
    &["domain", "description", "types", "functions", "aggregates", "projections", "processes", "scenarios"];
/// Those of a file of scenarios only.
pub const SCENARIO_FILE: &[&str] = &["description", "scenarios"];
/// Those of an aggregate.
pub const AGGREGATE: &[&str] = &["description", "state", "events", "retired", "commands", "invariants", "snapshot"];
/// Those of a field of a state that is pinned to a type.
pub const STATE: &[&str] = &["type", "initial"];
/// Those of an event.
pub const EVENT: &[&str] = &["description", "version", "was", "fields", "upcast", "fold"];
/// Those of a command.
pub const COMMAND: &[&str] = &["description", "fields", "decide"];
/// Those of a projection.
pub const PROJECTION: &[&str] = &["description", "columns", "key", "on", "initial", "indexes", "inline"];
/// Those of a process.
pub const PROCESS: &[&str] = &["description", "key", "starts", "from", "state", "on", "on_rejected", "on_deadline"];
/// Those of a scenario.
pub const SCENARIO: &[&str] = &["name", "description", "given", "when", "then"];
/// Those under `then`.
pub const THEN: &[&str] = &["events", "rejected", "nothing", "details", "message", "state", "rows", "sends", "done"];

/// The types every file knows.
pub const BUILT_IN: &[&str] = &["string", "integer", "decimal", "boolean", "date", "timestamp", "uuid", "any"];
/// What a map of keywords may hold beside `type`.
pub const TEXT_KEYWORDS: &[&str] = &["min_length", "max_length", "pattern"];
/// The same, for numbers.
pub const NUMBER_KEYWORDS: &[&str] = &["minimum", "maximum", "exclusive_minimum", "exclusive_maximum", "multiple_of"];
/// The same, for lists.
pub const LIST_KEYWORDS: &[&str] = &["items", "min_items", "max_items", "unique_items"];
