//! From what the files say to what is known to be sound: every problem, none twice, in the order of the files.

use super::definition::{
    self, AggregateDefinition, CommandDefinition, Definition, EventDefinition, KeyDefinition, Named,
    ProjectionDefinition,
};
use super::digest::{self, RulesDigest};
use super::fields::{Fields, Type};
use super::scenario::{Outcome, ScenarioDefinition, Step};
use super::{Aggregate, CommandRules, Domains, EventType, File, Handler, Projection, Scenario, place_in, yaml};
use crate::diagnostic::{self, Diagnostic, Place, Source, suggest};
use crate::event::StreamName;
use crate::json::{Object, Value};
use crate::script::facts::{ArgumentKind, Call, Facts};
use crate::script::fold::{self, EventRules, Pin, StateField, StreamRules};
use crate::script::{Host, Library, Script, ScriptText, decide, functions, project};
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

/// Functions that only a `decide` can call.
const DECIDING: &[&str] = &["emit", "emit_to", "reject", "require", "load", "new_id"];
/// Functions that only a projection's handler can call.
const PROJECTING: &[&str] = &["delete"];
/// The store's documented views: no projection may bear their names.
const VIEWS: &[&str] = &["events", "streams", "commands", "domains", "projections"];
/// Words of the script language that a field may be called, but not after a dot.
const WORDS: &[&str] = &[
    "if",
    "else",
    "switch",
    "do",
    "while",
    "until",
    "loop",
    "for",
    "in",
    "continue",
    "break",
    "return",
    "throw",
    "try",
    "catch",
    "fn",
    "private",
    "this",
    "let",
    "const",
    "true",
    "false",
    "import",
    "export",
    "as",
    "global",
    "default",
    "new",
    "match",
    "use",
    "with",
    "is",
    "module",
    "package",
    "var",
    "static",
    "shared",
    "super",
    "goto",
    "void",
    "null",
    "nil",
    "spawn",
    "go",
    "sync",
    "async",
    "await",
    "yield",
    "thread",
    "case",
    "public",
    "protected",
    "each",
    "then",
    "exit",
    "eval",
    "Fn",
    "call",
    "curry",
    "type_of",
    "print",
    "debug",
    "is_def_var",
    "is_def_fn",
    "is_shared",
];

/// Reads and checks files.
pub(super) fn load(sources: &[Arc<Source>]) -> (Option<Domains>, Vec<Diagnostic>) {
    let mut problems = Vec::new();
    let mut definitions = Vec::new();
    for source in sources {
        definitions.extend(definition::read(source, &mut problems));
    }
    // What a file that cannot be read declares is not known: names that others use may be in it.
    let complete = definitions.len() == sources.len();
    let domains = Checker::new(&mut problems, &definitions, complete).check(definitions);
    let mut seen = Vec::with_capacity(problems.len());
    for problem in problems {
        if !seen.contains(&problem) {
            seen.push(problem);
        }
    }
    let order = |place: &Place| sources.iter().position(|s| s.name == place.source.name).unwrap_or(usize::MAX);
    seen.sort_by_key(|problem| problem.place.as_ref().map(|place| (order(place), place.start)));
    let sound = !seen.iter().any(Diagnostic::is_error);
    (domains.filter(|_| sound), seen)
}

/// Where other YAML readers would take a file for something else. Costs a second reading of every file.
pub fn second_opinions(sources: &[Arc<Source>]) -> Vec<Diagnostic> {
    let opinion = |source| yaml::parse(source).ok().and_then(|root| yaml::second_opinion(source, &root));
    sources.iter().filter_map(opinion).collect()
}

/// What the names of all files mean.
struct Names {
    /// Aggregate → its events with their fields.
    events: HashMap<String, BTreeMap<String, Rc<Fields>>>,
}

struct Checker<'p> {
    problems: &'p mut Vec<Diagnostic>,
    names: Names,
    complete: bool,
}

/// What a script is for: what it sees and may call.
struct Purpose<'a> {
    /// Names in scope, in order.
    scope: &'a [&'a str],
    /// The fields of those whose fields are known.
    fields: Vec<(&'a str, Vec<&'a str>, String)>,
    /// The one of them that the script may change, if any.
    changes: &'a str,
    /// Functions beyond those that every script may call.
    calls: &'a [&'a str],
    /// What it is, for messages: "a `fold`".
    what: &'a str,
}

impl<'p> Checker<'p> {
    fn new(problems: &'p mut Vec<Diagnostic>, definitions: &[Definition], complete: bool) -> Self {
        let mut events = HashMap::new();
        for aggregate in definitions.iter().flat_map(|d| &d.aggregates) {
            let of = aggregate.events.iter().map(|e| (e.name.text.clone(), Rc::new(e.fields.clone()))).collect();
            events.insert(aggregate.name.text.clone(), of);
        }
        Self { problems, names: Names { events }, complete }
    }

    fn problem(&mut self, rule: &'static str, message: impl Into<String>, place: &Place) -> &mut Diagnostic {
        self.problems.push(Diagnostic::error(rule, message).at(place.clone()));
        let last = self.problems.len() - 1;
        &mut self.problems[last]
    }

    fn warning(&mut self, rule: &'static str, message: impl Into<String>, place: &Place, hint: &str) {
        self.problems.push(Diagnostic::warning(rule, message).at(place.clone()).hint(hint));
    }

    fn unknown<'a>(
        &mut self,
        rule: &'static str,
        message: String,
        place: &Place,
        word: &str,
        known: impl IntoIterator<Item = &'a str>,
        all: &str,
    ) {
        let known: Vec<&str> = known.into_iter().collect();
        let hint = match suggest(word, known.iter().copied()) {
            Some(near) => Some(format!("did you mean `{near}`?")),
            None if known.is_empty() => None,
            None => Some(format!("{all} {}", definition::list(&known[..known.len().min(20)]))),
        };
        self.problem(rule, message, place).hints.extend(hint);
    }

    fn check(mut self, definitions: Vec<Definition>) -> Option<Domains> {
        self.unique_names(&definitions);
        let host = Host::new();
        let mut files = Vec::new();
        let mut aggregates = BTreeMap::new();
        let mut projections = BTreeMap::new();
        let mut scenarios = Vec::new();
        let mut whole = true;
        for definition in definitions {
            let index = files.len();
            let library = match host.library(definition.functions) {
                Ok(library) => Rc::new(library),
                Err(problem) => {
                    self.problems.push(problem);
                    whole = false;
                    match host.library(None) {
                        Ok(none) => Rc::new(none),
                        Err(_) => return None,
                    }
                }
            };
            self.library(&library);
            for aggregate in definition.aggregates {
                match self.aggregate(&host, &library, index, aggregate) {
                    Some(aggregate) => {
                        aggregates.insert(aggregate.name.clone(), aggregate);
                    }
                    None => whole = false,
                }
            }
            for projection in definition.projections {
                match self.projection(&host, &library, index, projection) {
                    Some(projection) => {
                        projections.insert(projection.name.clone(), projection);
                    }
                    None => whole = false,
                }
            }
            scenarios.extend(definition.scenarios);
            if let Some(name) = definition.name {
                let digest = digest::of_text(&definition.source.text);
                files.push(File {
                    name: name.text.into(),
                    description: definition.description,
                    source: definition.source,
                    digest,
                });
            }
        }
        if !whole {
            return None;
        }
        if self.complete {
            self.never_emitted(&aggregates);
        }
        let rules = aggregates.values().map(|a: &Aggregate| (a.rules.aggregate.clone(), a.rules.clone())).collect();
        let mut domains =
            Domains { host, files, aggregates, projections, scenarios: Vec::new(), rules: Rc::new(rules) };
        let mut known = Vec::with_capacity(scenarios.len());
        for scenario in scenarios {
            if let Some(scenario) = self.scenario(&domains, scenario) {
                known.push(scenario);
            }
        }
        domains.scenarios = known;
        Some(domains)
    }

    /// Names of aggregates and projections are unique over all files, whatever their case.
    fn unique_names(&mut self, definitions: &[Definition]) {
        let mut seen: HashMap<String, Place> = HashMap::new();
        let names = definitions
            .iter()
            .flat_map(|d| d.aggregates.iter().map(|a| &a.name).chain(d.projections.iter().map(|p| &p.name)));
        for name in names {
            if let Some(first) = seen.get(&name.text.to_lowercase()) {
                let hint = format!("the first one is in {}, line {}", first.source.name, first.line());
                self.problem("duplicate-name", format!("the name `{}` is taken", name.text), &name.place)
                    .hints
                    .push(hint);
            } else {
                seen.insert(name.text.to_lowercase(), name.place.clone());
            }
        }
        let mut domains: HashMap<String, Place> = HashMap::new();
        for name in definitions.iter().filter_map(|d| d.name.as_ref()) {
            if let Some(first) = domains.insert(name.text.to_lowercase(), name.place.clone()) {
                let hint = format!("the first one is in {}", first.source.name);
                self.problem("duplicate-name", format!("there are two domains `{}`", name.text), &name.place)
                    .hints
                    .push(hint);
            }
        }
    }

    /// Functions are pure helpers: they see only their parameters.
    fn library(&mut self, library: &Library) {
        self.no_this(library.facts());
        let known: BTreeSet<&str> = callable(library, &[]);
        for call in &library.facts().calls {
            self.call_exists(call, &known, "a function");
        }
        for (name, _) in library.functions() {
            if is_ours(name) || DECIDING.contains(&name.as_str()) || PROJECTING.contains(&name.as_str()) {
                let text = library.text();
                let place = text.map(|t| t.token(t.text.find(&format!("fn {name}")).map_or(0, |n| n + 3)));
                if let Some(place) = place {
                    self.problem(
                        "redefined",
                        format!("`{name}` is a function already and cannot be defined again"),
                        &place,
                    );
                }
            }
        }
    }

    /// Compiles a script and checks what it names; `None` where it does not compile.
    fn script(
        &mut self,
        host: &Host,
        library: &Rc<Library>,
        text: ScriptText,
        purpose: &Purpose<'_>,
    ) -> Option<Script> {
        let script = match host.compile(text, purpose.scope, library) {
            Ok(script) => script,
            Err(problem) => {
                self.problems.push(in_scope_hint(problem, purpose.scope));
                return None;
            }
        };
        for (name, place) in &script.facts().declares {
            self.problem("function", format!("the function `{name}` is declared within a script"), place)
                .hints
                .push("functions stand under `functions`, where every script of the file can call them".to_owned());
        }
        for (root, place) in script.facts().changed.iter().filter(|(root, _)| root != purpose.changes) {
            let hint = match root.as_str() {
                "state" if purpose.what == "a `decide`" => "a decision changes the state by what it emits",
                _ => "copy it first: `let copy = …`",
            };
            self.problem("constant", format!("`{root}` cannot be changed in {}", purpose.what), place)
                .hints
                .push(hint.to_owned());
        }
        self.no_this(script.facts());
        let known = callable(library, purpose.calls);
        for call in &script.facts().calls {
            self.call_exists(call, &known, purpose.what);
        }
        self.accesses(script.facts(), purpose);
        Some(script)
    }

    fn no_this(&mut self, facts: &Facts) {
        for place in &facts.this {
            self.problem("this", "`this` has no place in rules", place)
                .hints
                .push("name what you mean as a parameter".to_owned());
        }
    }

    fn call_exists(&mut self, call: &Call, known: &BTreeSet<&str>, what: &str) {
        if known.contains(call.name.as_str()) {
            return;
        }
        if DECIDING.contains(&call.name.as_str()) || PROJECTING.contains(&call.name.as_str()) {
            let home = if PROJECTING.contains(&call.name.as_str()) { "a projection's handler" } else { "a `decide`" };
            self.problem(
                "not-in-scope",
                format!("`{}` can only be called in {home}, not in {what}", call.name),
                &call.place,
            );
            return;
        }
        let message = format!("there is no function `{}`", call.name);
        let known: Vec<&str> = known.iter().copied().collect();
        let near = suggest(&call.name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
        self.problem("unknown-function", message, &call.place).hints.extend(near);
    }

    fn accesses(&mut self, facts: &Facts, purpose: &Purpose<'_>) {
        for access in &facts.accesses {
            let Some((_, fields, owner)) = purpose.fields.iter().find(|(root, ..)| *root == access.root) else {
                continue;
            };
            if fields.contains(&access.field.as_str()) {
                continue;
            }
            let all = format!("{owner} has");
            let message = format!("`{}` has no field `{}`", access.root, access.field);
            self.unknown("unknown-field", message, &access.place, &access.field, fields.iter().copied(), &all);
        }
        if !purpose.what.contains("projection") {
            for access in facts.accesses.iter().filter(|a| a.root == "meta" && a.field == "position") {
                self.problem(
                    "position",
                    "`meta.position` is for projections: a state must not depend on where in the store its events lie",
                    &access.place,
                );
            }
        }
    }

    fn aggregate(
        &mut self,
        host: &Host,
        library: &Rc<Library>,
        file: usize,
        definition: AggregateDefinition,
    ) -> Option<Aggregate> {
        let name = definition.name.text.clone();
        let mut whole = true;
        let state_names: Vec<&str> = definition.state.iter().map(|f| f.name.text.as_str()).collect();
        let mut fields = Vec::new();
        let mut initial = Object::new();
        for field in &definition.state {
            fields.push(StateField { name: field.name.text.as_str().into(), pin: pin(field.pinned.as_ref()) });
            initial.insert(field.name.text.clone(), field.initial.clone());
        }
        let mut events = IndexMap::new();
        let mut event_rules = HashMap::new();
        let mut folds = Vec::new();
        for event in definition.events {
            self.words(&event.fields, &event.name, "event");
            let EventDefinition { name: event_name, description, fields, fold, folds: written } = event;
            let fields = Rc::new(fields);
            match fold {
                Some(text) => folds.push((event_name.text.clone(), fields.clone(), text)),
                None if written => whole = false,
                None => {
                    self.warning(
                        "no-fold",
                        format!("nothing folds `{}`: it does not change the state", event_name.text),
                        &event_name.place,
                        "give it a `fold`, or ignore this where the event is only for read models",
                    );
                    event_rules.insert(
                        event_name.text.as_str().into(),
                        EventRules::of(&event_name.text, fields.clone(), None),
                    );
                }
            }
            let shape = fields.shape();
            let place = event_name.place;
            events.insert(Box::from(event_name.text.as_str()), EventType { description, fields, shape, place });
        }
        for (event, fields, text) in folds {
            let purpose = Purpose {
                scope: fold::SCOPE,
                fields: vec![
                    ("state", state_names.clone(), "the state".to_owned()),
                    ("event", fields.iter().map(|f| f.name.as_str()).collect(), format!("`{event}`")),
                ],
                changes: "state",
                calls: &[],
                what: "a `fold`",
            };
            match self.script(host, library, text, &purpose) {
                Some(script) => {
                    event_rules.insert(event.as_str().into(), EventRules::of(&event, fields.clone(), Some(script)));
                }
                None => whole = false,
            }
        }
        let mut commands = IndexMap::new();
        for command in definition.commands {
            if let Some(event) = events.get(command.name.text.as_str()) {
                let line = event.place.line();
                self.problem(
                    "duplicate-name",
                    format!("`{}` is an event of `{name}` already", command.name.text),
                    &command.name.place,
                )
                .hints
                .push(format!(
                    "the event is on line {line}; commands ask (`Open`), events say what happened (`Opened`)"
                ));
            }
            match self.command(host, library, &name, &state_names, command) {
                Some((command, rules)) => {
                    commands.insert(Box::from(command.as_str()), rules);
                }
                None => whole = false,
            }
        }
        let mut invariants = Vec::new();
        for (invariant, text) in definition.invariants {
            let purpose = Purpose {
                scope: fold::INVARIANT_SCOPE,
                fields: vec![("state", state_names.clone(), "the state".to_owned())],
                changes: "",
                calls: &[],
                what: "an invariant",
            };
            match self.script(host, library, text, &purpose) {
                Some(script) => invariants.push((invariant.text.into(), script)),
                None => whole = false,
            }
        }
        if !whole {
            return None;
        }
        let rules = Rc::new(StreamRules::new(&name, initial, fields, event_rules, invariants));
        Some(Aggregate { name: name.into(), description: definition.description, file, commands, events, rules })
    }

    /// Events that no decision can give. What `emit_to` writes into other streams counts.
    fn never_emitted(&mut self, aggregates: &BTreeMap<Box<str>, Aggregate>) {
        let mut emitted: BTreeSet<(&str, &str)> = BTreeSet::new();
        for aggregate in aggregates.values() {
            for command in aggregate.commands.values() {
                let facts = command.decide.facts();
                emitted.extend(facts.calls_of("emit").filter_map(|call| Some((&*aggregate.name, text_of(call, 0)?))));
                emitted.extend(
                    facts.calls_of("emit_to").filter_map(|call| Some((aggregate_in(call)?, text_of(call, 1)?))),
                );
            }
        }
        for aggregate in aggregates.values() {
            for (event, kind) in &aggregate.events {
                if !emitted.contains(&(&*aggregate.name, &**event)) {
                    self.warning(
                        "never-emitted",
                        format!("no command emits `{event}`"),
                        &kind.place,
                        "emit it, or remove it",
                    );
                }
            }
        }
    }

    fn command(
        &mut self,
        host: &Host,
        library: &Rc<Library>,
        aggregate: &str,
        state: &[&str],
        definition: CommandDefinition,
    ) -> Option<(String, CommandRules)> {
        self.words(&definition.fields, &definition.name, "command");
        let fields = definition.fields;
        let name = definition.name.text;
        let purpose = Purpose {
            scope: decide::SCOPE,
            fields: vec![
                ("state", state.to_vec(), "the state".to_owned()),
                ("command", fields.iter().map(|f| f.name.as_str()).collect(), format!("`{name}`")),
            ],
            changes: "",
            calls: DECIDING,
            what: "a `decide`",
        };
        let script = self.script(host, library, definition.decide?, &purpose)?;
        for call in script.facts().calls.clone() {
            self.decision_call(&call, aggregate, &name, &fields);
        }
        let shape = fields.shape();
        let rules =
            CommandRules { description: definition.description, fields: Rc::new(fields), shape, decide: script };
        Some((name, rules))
    }

    /// What a decision can cause is known without running it: names are literals, and they exist.
    fn decision_call(&mut self, call: &Call, aggregate: &str, command: &str, fields: &Fields) {
        match call.name.as_str() {
            "emit" => self.emit(call, 0, Some(aggregate), command, fields),
            "emit_to" => {
                let target = self.stream_argument(call);
                self.emit(call, 1, target.as_deref(), command, fields);
            }
            "load" => {
                self.stream_argument(call);
            }
            "reject" => self.literal(call, 0, "the code of a rejection"),
            "require" => self.literal(call, 1, "the code of a rejection"),
            _ => {}
        }
    }

    fn literal(&mut self, call: &Call, index: usize, what: &str) {
        if let Some(argument) = call.arguments.get(index)
            && !matches!(argument.kind, ArgumentKind::Text(_))
        {
            self.problem(
                "not-literal",
                format!("{what} is a text in quotes, so that it is known without running the script"),
                &argument.place,
            );
        }
    }

    /// The aggregate part of a stream's name, which must be written out: `account/${…}`.
    fn stream_argument(&mut self, call: &Call) -> Option<String> {
        let argument = call.arguments.first()?;
        let (ArgumentKind::Text(text) | ArgumentKind::Template(text)) = &argument.kind else {
            self.problem(
                "not-literal",
                format!("`{}` names its stream's aggregate in the text itself", call.name),
                &argument.place,
            )
            .hints
            .push("write it as in `account/${command.to}`".to_owned());
            return None;
        };
        let Some((aggregate, _)) = text.split_once('/') else {
            self.problem(
                "not-literal",
                "a stream is named `aggregate/id`, with the aggregate written out",
                &argument.place,
            )
            .hints
            .push("write it as in `account/${command.to}`".to_owned());
            return None;
        };
        if !self.names.events.contains_key(aggregate) {
            if self.complete {
                let known: Vec<String> = self.names.events.keys().cloned().collect();
                let message = format!("there is no aggregate `{aggregate}`");
                self.unknown(
                    "unknown-aggregate",
                    message,
                    &argument.place,
                    aggregate,
                    known.iter().map(String::as_str),
                    "there is",
                );
            }
            return None;
        }
        Some(aggregate.to_owned())
    }

    fn emit(&mut self, call: &Call, index: usize, aggregate: Option<&str>, command: &str, command_fields: &Fields) {
        let Some(argument) = call.arguments.get(index) else { return };
        let ArgumentKind::Text(event) = &argument.kind else {
            self.literal(call, index, "the event that `emit` names");
            return;
        };
        let Some(events) = aggregate.and_then(|aggregate| self.names.events.get(aggregate)).cloned() else { return };
        let Some(fields) = events.get(event) else {
            let message = format!("`{}` has no event `{event}`", aggregate.unwrap_or_default());
            self.unknown(
                "unknown-event",
                message,
                &argument.place,
                event,
                events.keys().map(String::as_str),
                "there is",
            );
            return;
        };
        match call.arguments.get(index + 1).map(|data| (&data.kind, &data.place)) {
            Some((ArgumentKind::Map(keys), place)) => {
                for (key, place) in keys {
                    if fields.get(key).is_none() {
                        let message = format!("`{event}` has no field `{key}`");
                        self.unknown(
                            "unknown-field",
                            message,
                            place,
                            key,
                            fields.iter().map(|f| f.name.as_str()),
                            &format!("`{event}` has"),
                        );
                    }
                }
                let missing = fields.iter().filter(|f| !f.optional && !keys.iter().any(|(key, _)| *key == f.name));
                for field in missing.collect::<Vec<_>>() {
                    self.problem("missing-field", format!("`{event}` needs a field `{}`", field.name), place);
                }
            }
            Some((ArgumentKind::Name(name), place)) if name == "command" => {
                for field in command_fields.iter().filter(|f| fields.get(&f.name).is_none()) {
                    self.problem(
                        "unknown-field",
                        format!("`{event}` has no field `{}`, which `{command}` has", field.name),
                        place,
                    )
                    .hints
                    .push("name the fields that it takes: `#{ … }`".to_owned());
                }
                for field in fields.iter().filter(|f| !f.optional) {
                    if command_fields.get(&field.name).is_none_or(|f| f.optional) {
                        self.problem(
                            "missing-field",
                            format!("`{event}` needs a field `{}`, which `{command}` need not have", field.name),
                            place,
                        );
                    }
                }
            }
            None => {
                for field in fields.iter().filter(|f| !f.optional) {
                    self.problem("missing-field", format!("`{event}` needs a field `{}`", field.name), &argument.place);
                }
            }
            Some(_) => {}
        }
    }

    /// Fields that cannot be written after a dot.
    fn words(&mut self, fields: &Fields, named: &Named, root: &str) {
        for field in fields.iter().filter(|f| WORDS.contains(&f.name.as_str()) || f.name.contains('-')) {
            self.warning(
                "reserved-word",
                format!("the field `{}` of `{}` cannot be written `{root}.{}`", field.name, named.text, field.name),
                &named.place,
                &format!("write `{root}[\"{}\"]`, or give it another name", field.name),
            );
        }
    }

    fn projection(
        &mut self,
        host: &Host,
        library: &Rc<Library>,
        file: usize,
        definition: ProjectionDefinition,
    ) -> Option<Projection> {
        let name = definition.name.text.clone();
        let lower = name.to_lowercase();
        if lower.starts_with("es_") || lower.starts_with("sqlite_") || VIEWS.contains(&lower.as_str()) {
            self.problem("name", format!("`{name}` is a name of the store's own"), &definition.name.place)
                .hints
                .push(format!("names that begin with `es_` or `sqlite_`, and {} are taken", definition::list(VIEWS)));
        }
        let columns = definition.columns;
        let mut lower_columns = BTreeSet::new();
        for column in &definition.column_names {
            if !lower_columns.insert(column.text.to_lowercase()) {
                self.problem(
                    "duplicate-name",
                    format!("the column `{}` is there already: SQL does not tell case apart", column.text),
                    &column.place,
                );
            }
        }
        if let (Some(first), Some(named)) = (columns.iter().next(), definition.column_names.first())
            && (first.optional || matches!(first.kind, Type::List(_) | Type::Object(_) | Type::Any | Type::Boolean))
        {
            self.problem(
                "key-column",
                format!("the first column is the key; `{}` cannot be one", first.name),
                &named.place,
            )
            .hints
            .push("a key is a text or a number, and always there".to_owned());
        }
        let mut initial: Object = columns.iter().map(|c| (c.name.clone(), c.zero())).collect();
        for (column, value) in definition.initial {
            match columns.get(&column.text) {
                Some(field) => match field.kind.accept(value) {
                    Ok(value) => {
                        initial.insert(column.text, value);
                    }
                    Err(found) => {
                        for problem in found {
                            self.problem("initial", format!("`{}`: {}", column.text, problem.message), &column.place);
                        }
                    }
                },
                None => self.no_column(&column, &columns),
            }
        }
        for column in definition.indexes.iter().flatten() {
            if columns.get(&column.text).is_none() {
                self.no_column(column, &columns);
            }
        }
        let column_list: Vec<&str> = columns.iter().map(|c| c.name.as_str()).collect();
        let mut whole = true;
        let mut events: Vec<(Named, (String, String), Rc<Fields>, ScriptText)> = Vec::new();
        for handler in definition.on {
            match self.event_named(&handler.event) {
                Some((aggregate, event, fields)) => {
                    events.push((handler.event, (aggregate, event), fields, handler.script))
                }
                None => whole = false,
            }
        }
        let mut keys: HashMap<(String, String), Rc<Script>> = HashMap::new();
        match definition.key {
            Some(KeyDefinition::One(text)) => {
                // Only fields that every event has can be the key of all.
                let common: Vec<&str> = match events.split_first() {
                    Some(((_, _, first, _), rest)) => first
                        .iter()
                        .map(|f| f.name.as_str())
                        .filter(|name| rest.iter().all(|(_, _, fields, _)| fields.get(name).is_some()))
                        .collect(),
                    None => Vec::new(),
                };
                let purpose = Purpose {
                    scope: project::KEY_SCOPE,
                    fields: if whole {
                        vec![("event", common, "every event under `on`".to_owned())]
                    } else {
                        Vec::new()
                    },
                    changes: "",
                    calls: &[],
                    what: "the `key` of a projection",
                };
                match self.script(host, library, text, &purpose).map(Rc::new) {
                    Some(script) => {
                        keys = events.iter().map(|(_, event, ..)| (event.clone(), script.clone())).collect()
                    }
                    None => whole = false,
                }
            }
            Some(KeyDefinition::ByEvent(scripts)) => {
                for (named, text) in scripts {
                    let Some((aggregate, event, fields)) = self.event_named(&named) else {
                        whole = false;
                        continue;
                    };
                    let purpose = Purpose {
                        scope: project::KEY_SCOPE,
                        fields: vec![("event", fields.iter().map(|f| f.name.as_str()).collect(), format!("`{event}`"))],
                        changes: "",
                        calls: &[],
                        what: "the `key` of a projection",
                    };
                    match self.script(host, library, text, &purpose) {
                        Some(script) => {
                            keys.insert((aggregate, event), Rc::new(script));
                        }
                        None => whole = false,
                    }
                }
                for (named, event, ..) in &events {
                    if whole && !keys.contains_key(event) {
                        self.problem("missing-key", format!("`key` says nothing of `{}`", named.text), &named.place);
                    }
                }
            }
            None => whole = false,
        }
        let mut handlers = HashMap::new();
        for (_, (aggregate, event), fields, text) in events {
            let purpose = Purpose {
                scope: project::SCOPE,
                fields: vec![
                    ("row", column_list.clone(), "the row".to_owned()),
                    ("event", fields.iter().map(|f| f.name.as_str()).collect(), format!("`{event}`")),
                ],
                changes: "row",
                calls: PROJECTING,
                what: "a projection's handler",
            };
            let script = self.script(host, library, text, &purpose);
            match (script, keys.get(&(aggregate.clone(), event.clone()))) {
                (Some(script), Some(key)) => {
                    handlers.insert((aggregate.into(), event.into()), Handler { key: key.clone(), script });
                }
                _ => whole = false,
            }
        }
        if !whole || columns.is_empty() {
            return None;
        }
        let digest = self.projection_digest(library, &name, &columns, &initial, &definition.indexes, &handlers);
        let indexes =
            definition.indexes.into_iter().map(|index| index.into_iter().map(|c| c.text.into()).collect()).collect();
        Some(Projection {
            name: name.into(),
            description: definition.description,
            file,
            columns,
            initial,
            indexes,
            handlers,
            digest,
        })
    }

    fn projection_digest(
        &self,
        library: &Library,
        name: &str,
        columns: &Fields,
        initial: &Object,
        indexes: &[Vec<Named>],
        handlers: &HashMap<(Box<str>, Box<str>), Handler>,
    ) -> Box<str> {
        let mut digest = RulesDigest::default();
        digest.text(name).fields(columns).value(&Value::Object(initial.clone())).functions(library.text());
        for column in indexes.iter().flatten() {
            digest.text(&column.text);
        }
        let sorted: BTreeMap<_, _> = handlers.iter().collect();
        for ((aggregate, event), handler) in sorted {
            digest.text(aggregate).text(event).script(&handler.key).script(&handler.script);
            if let Some(fields) = self.names.events.get(&**aggregate).and_then(|events| events.get(&**event)) {
                digest.fields(fields);
            }
        }
        digest.finish()
    }

    fn no_column(&mut self, column: &Named, columns: &Fields) {
        let message = format!("there is no column `{}`", column.text);
        self.unknown(
            "unknown-column",
            message,
            &column.place,
            &column.text,
            columns.iter().map(|c| c.name.as_str()),
            "the columns are",
        );
    }

    /// `account.Opened` → its aggregate, event and fields.
    fn event_named(&mut self, named: &Named) -> Option<(String, String, Rc<Fields>)> {
        let Some((aggregate, event)) = named.text.split_once('.') else {
            self.problem("unknown-event", format!("`{}` names no event", named.text), &named.place)
                .hints
                .push("write the aggregate and the event: `account.Opened`".to_owned());
            return None;
        };
        let Some(events) = self.names.events.get(aggregate).cloned() else {
            if self.complete {
                let known: Vec<String> = self.names.events.keys().cloned().collect();
                let message = format!("there is no aggregate `{aggregate}`");
                self.unknown(
                    "unknown-aggregate",
                    message,
                    &named.place,
                    aggregate,
                    known.iter().map(String::as_str),
                    "there is",
                );
            }
            return None;
        };
        let Some(fields) = events.get(event) else {
            let message = format!("`{aggregate}` has no event `{event}`");
            self.unknown("unknown-event", message, &named.place, event, events.keys().map(String::as_str), "there is");
            return None;
        };
        Some((aggregate.to_owned(), event.to_owned(), fields.clone()))
    }

    /// A scenario whose names exist and whose payloads fit; they are typed from here on.
    fn scenario(&mut self, domains: &Domains, mut definition: ScenarioDefinition) -> Option<Scenario> {
        let before = self.problems.len();
        for step in &mut definition.given {
            self.step(domains, step, true);
        }
        for step in &mut definition.when {
            self.step(domains, step, false);
        }
        let own = definition.stream()?.clone();
        let aggregate = domains.aggregate(own.aggregate());
        match &mut definition.then.outcome {
            Some(Outcome::Events(events)) => {
                for expected in events {
                    let stream = expected.stream.as_ref().unwrap_or(&own);
                    let Some(aggregate) = self.aggregate_of(domains, stream, &expected.name.place) else { continue };
                    match aggregate.events.get(expected.name.text.as_str()) {
                        Some(kind) => {
                            let place = expected.name.place.clone();
                            self.fit(
                                &kind.fields,
                                &mut expected.data,
                                expected.written.as_ref(),
                                &place,
                                &expected.name.text,
                            );
                        }
                        None => {
                            let message = format!("`{}` has no event `{}`", aggregate.name, expected.name.text);
                            self.unknown(
                                "unknown-event",
                                message,
                                &expected.name.place,
                                &expected.name.text,
                                aggregate.events.keys().map(|k| &**k),
                                "there is",
                            );
                        }
                    }
                }
            }
            Some(Outcome::Rejected(code)) => {
                if let Some(aggregate) = aggregate {
                    self.rejection_code(aggregate, code);
                }
            }
            _ => {}
        }
        for (stream, fields, place) in &definition.then.state {
            let stream = stream.as_ref().unwrap_or(&own);
            let Some(aggregate) = self.aggregate_of(domains, stream, place) else { continue };
            for field in fields.keys() {
                if !aggregate.rules.fields.iter().any(|f| f.name == field.as_str()) {
                    let message = format!("the state of `{}` has no field `{field}`", aggregate.name);
                    self.unknown(
                        "unknown-field",
                        message,
                        place,
                        field,
                        aggregate.rules.fields.iter().map(|f| f.name.as_str()),
                        "it has",
                    );
                }
            }
        }
        if self.problems[before..].iter().any(Diagnostic::is_error) {
            return None;
        }
        let domain = aggregate.map(|a| domains.files[a.file].name.clone()).unwrap_or_default();
        Some(Scenario { domain, definition })
    }

    fn rejection_code(&mut self, aggregate: &Aggregate, code: &Named) {
        let mut known: BTreeSet<&str> = aggregate.rules.invariants.iter().map(|(name, _)| &**name).collect();
        for command in aggregate.commands.values() {
            let facts = command.decide.facts();
            known.extend(facts.calls_of("reject").filter_map(|call| text_of(call, 0)));
            known.extend(facts.calls_of("require").filter_map(|call| text_of(call, 1)));
            // Invariants of every touched stream are checked.
            if facts.calls_of("emit_to").next().is_some() {
                return;
            }
        }
        if !known.contains(code.text.as_str()) {
            let message = format!("no command of `{}` is rejected with `{}`", aggregate.name, code.text);
            let known: Vec<&str> = known.into_iter().collect();
            self.unknown("unknown-rejection", message, &code.place, &code.text, known, "the codes are");
        }
    }

    fn aggregate_of<'d>(&mut self, domains: &'d Domains, stream: &StreamName, place: &Place) -> Option<&'d Aggregate> {
        let found = domains.aggregate(stream.aggregate());
        if found.is_none() {
            let message = format!("there is no aggregate `{}`", stream.aggregate());
            self.unknown(
                "unknown-aggregate",
                message,
                place,
                stream.aggregate(),
                domains.aggregates.keys().map(|k| &**k),
                "there is",
            );
        }
        found
    }

    fn step(&mut self, domains: &Domains, step: &mut Step, events_too: bool) {
        let place = step.name.place.clone();
        let Some(aggregate) = self.aggregate_of(domains, &step.stream, &place) else { return };
        let name = step.name.text.clone();
        if let Some(command) = aggregate.commands.get(name.as_str()) {
            self.fit(&command.fields, &mut step.data, step.written.as_ref(), &place, &name);
        } else if let Some(event) = aggregate.events.get(name.as_str()).filter(|_| events_too) {
            self.fit(&event.fields, &mut step.data, step.written.as_ref(), &place, &name);
        } else {
            let is_event = aggregate.events.contains_key(name.as_str());
            let commands = aggregate.commands.keys().map(|k| &**k);
            if is_event {
                self.unknown(
                    "unknown-command",
                    format!("`{name}` is an event, and `when` takes commands"),
                    &place,
                    &name,
                    commands,
                    "there is",
                );
            } else if events_too {
                let known = commands.chain(aggregate.events.keys().map(|k| &**k));
                self.unknown(
                    "unknown-event",
                    format!("`{}` has no event or command `{name}`", aggregate.name),
                    &place,
                    &name,
                    known,
                    "there is",
                );
            } else {
                self.unknown(
                    "unknown-command",
                    format!("`{}` has no command `{name}`", aggregate.name),
                    &place,
                    &name,
                    commands,
                    "there is",
                );
            }
        }
    }

    /// Types a payload in place, or says what is wrong with it, each thing at its place.
    fn fit(&mut self, fields: &Fields, data: &mut Object, written: Option<&yaml::Node>, place: &Place, name: &str) {
        match fields.accept(std::mem::take(data)) {
            Ok(typed) => *data = typed,
            Err(found) => {
                for problem in found {
                    let at = place_in(written, &problem.pointer, place);
                    let field = problem.pointer.trim_start_matches('/');
                    let message = if field.is_empty() || problem.message.contains(&format!("`{field}`")) {
                        format!("`{name}`: {}", problem.message)
                    } else {
                        format!("`{name}`: `{field}`: {}", problem.message)
                    };
                    self.problem("payload", message, &at).hints.extend(problem.hint);
                }
            }
        }
    }
}

/// What a state field is held to.
fn pin(kind: Option<&Type>) -> Pin {
    match kind {
        Some(Type::Decimal(_)) => Pin::Decimal,
        Some(Type::Integer(_)) => Pin::Integer,
        Some(Type::Text(_)) => Pin::Text,
        Some(Type::Boolean) => Pin::Boolean,
        _ => Pin::Free,
    }
}

/// The functions a script may call.
fn callable<'a>(library: &'a Library, more: &'a [&'a str]) -> BTreeSet<&'a str> {
    let ours = functions::PACKAGED.iter().chain(functions::OWN).chain(more).copied();
    ours.chain(library.functions().iter().map(|(name, _)| name.as_str())).collect()
}

fn is_ours(name: &str) -> bool {
    functions::PACKAGED.contains(&name) || functions::OWN.contains(&name)
}

/// The aggregate that the first argument names, a stream.
fn aggregate_in(call: &Call) -> Option<&str> {
    match call.arguments.first().map(|argument| &argument.kind) {
        Some(ArgumentKind::Text(text) | ArgumentKind::Template(text)) => {
            text.split_once('/').map(|(aggregate, _)| aggregate)
        }
        _ => None,
    }
}

fn text_of(call: &Call, index: usize) -> Option<&str> {
    match call.arguments.get(index).map(|argument| &argument.kind) {
        Some(ArgumentKind::Text(text)) => Some(text),
        _ => None,
    }
}

/// Adds what is in scope to a complaint that something is not.
fn in_scope_hint(problem: Diagnostic, scope: &[&str]) -> Diagnostic {
    if problem.rule != "not-in-scope" {
        return problem;
    }
    let word = problem.message.split('`').nth(1).unwrap_or_default().to_owned();
    match diagnostic::suggest(&word, scope.iter().copied()) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("in scope here: {}", definition::list(scope))),
    }
}
