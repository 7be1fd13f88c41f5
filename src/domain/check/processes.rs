//! Processes: what they answer exists, and so does all that they can send.

use super::kinds::{self, Wants};
use super::projections::Handled;
use super::{Checker, Purpose, REACTING, aggregate_in, aggregates, text_of};
use crate::diagnostic::{Place, list};
use crate::domain::definition::{Named, StateDefinition};
use crate::domain::digest::RulesDigest;
use crate::domain::fields::{Fields, Problem};
use crate::domain::process::{Process, ProcessDefinition, Reacts};
use crate::domain::projection::HandlerDefinition;
use crate::event::MAX_LABEL_BYTES;
use crate::json::Object;
use crate::script::facts::{ArgumentKind, Call};
use crate::script::kinds::{Kind, Record};
use crate::script::{Host, Library, Script, react};
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// What a handler is, for messages.
const WHAT: &str = "a handler of a process";

/// Calls of all handlers of a process, each with what its handler sees whole: the name it has in scope, what it is, and its
/// fields.
type Calls = Vec<(Call, (&'static str, String, Rc<Fields>))>;

/// The commands that a process can send, by aggregate and command, each with the place of its first `send`.
type Sends = IndexMap<(Box<str>, Box<str>), Place>;

impl Checker<'_> {
    pub(super) fn process(
        &mut self,
        host: &Host,
        library: &Rc<Library>,
        file: usize,
        definition: ProcessDefinition,
    ) -> Option<Process> {
        let Named { text: name, place } = definition.name;
        let state = kinds::state(&name, &definition.state);
        // Where an aggregate has the same name, that is said, and the state of that name is the aggregate's.
        self.states.entry(name.clone()).or_insert_with(|| state.clone());
        let mut whole = true;
        let starts = definition.starts.map(|starts| self.starts(&starts, &definition.on));
        let mut events: Vec<Handled> = Vec::new();
        for handler in definition.on {
            match self.event_named(&handler.about) {
                Some((aggregate, event, fields)) => {
                    events.push((handler.about, (aggregate, event), fields, handler.script));
                }
                None => whole = false,
            }
        }
        let keys =
            self.keys((host, library), definition.key, (&events, whole), &Wants::Instance, "the `key` of a process");
        whole &= keys.is_some();
        let keys = keys.unwrap_or_default();
        let handled = !events.is_empty();
        let mut calls: Calls = Vec::new();
        let mut handlers = HashMap::new();
        for (named, (aggregate, event), fields, text) in events {
            let seen = vec![("event", kinds::payload("event", &event, &fields)), ("meta", kinds::meta())];
            let purpose = purpose(&state, react::SCOPE, seen);
            let script = self.script(host, library, text, &purpose);
            calls.extend(calls_of(script.as_ref(), "event", &event, &fields));
            match (script, keys.get(&(aggregate.clone(), event.clone()))) {
                (Some(script), Some(key)) => {
                    let starts = starts.as_ref().is_none_or(|starts| starts.contains(&named.text));
                    let reacts = Reacts { key: key.clone(), script, starts, place: named.place };
                    handlers.insert((aggregate.into(), event.into()), reacts);
                }
                _ => whole = false,
            }
        }
        let mut rejected: Vec<(Named, Option<Script>)> = Vec::new();
        for HandlerDefinition { about, script } in definition.on_rejected {
            let script = self.compiled(host, library, script, &purpose(&state, react::REJECTED_SCOPE, Vec::new()));
            whole &= script.is_some();
            rejected.push((about, script));
        }
        let mut deadlines = IndexMap::new();
        for HandlerDefinition { about, script } in definition.on_deadline {
            if !react::can_name_deadline(&about.text) {
                self.problem("name", "this is no name for a deadline", &about.place)
                    .hints
                    .push(format!("a name has 1 to {MAX_LABEL_BYTES} bytes and no control characters"));
            }
            let purpose = purpose(&state, react::DEADLINE_SCOPE, vec![("deadline", kinds::deadline())]);
            let script = self.script(host, library, script, &purpose);
            calls.extend(calls_of(script.as_ref(), "", "", &Rc::default()));
            whole &= script.is_some();
            deadlines.insert(about.text.clone(), (about, script));
        }
        // What a rejection is of may be known only by what all handlers send, those of rejections among them.
        let named = calls.iter().map(|(call, _)| call);
        let named =
            named.chain(rejected.iter().filter_map(|(_, script)| script.as_ref()).flat_map(|s| &s.facts().calls));
        let sendable: BTreeSet<(String, String)> = named.filter_map(sent_by).collect();
        for (about, script) in &rejected {
            let fields = self.command_fields(&about.text, &sendable);
            let known = fields.as_ref().map_or(Kind::Any, |fields| kinds::payload("command", &about.text, fields));
            let seen = vec![("command", known), ("rejection", kinds::rejection())];
            if let Some(script) = script {
                self.read(script, &purpose(&state, react::REJECTED_SCOPE, seen));
            }
            calls.extend(calls_of(script.as_ref(), "command", &about.text, &fields.unwrap_or_default()));
        }
        let (sends, all_known) = self.sent(&calls);
        self.timers(&name, (&calls, whole), &deadlines);
        let rejected = self.rejected(&name, (&sends, whole && all_known), rejected);
        if whole && handled && !calls.iter().any(|(call, _)| call.name == "done") {
            self.warning(
                "never-done",
                format!("no handler of `{name}` calls `done()`: its instances never end"),
                &place,
                "call `done()` where nothing is left to do, or ignore this where there always is",
            );
        }
        if !whole {
            return None;
        }
        let deadlines: IndexMap<Box<str>, Script> =
            deadlines.into_iter().filter_map(|(name, (_, script))| Some((name.into(), script?))).collect();
        let mut digest = RulesDigest::default();
        self.process_digest(&mut digest, library, (&name, &definition.state), &handlers);
        let others: BTreeMap<_, _> = rejected.iter().collect();
        for ((aggregate, command), script) in others {
            digest.text("rejected").text(aggregate).text(command).scripts([script.text()], library.text());
        }
        for (deadline, script) in &deadlines {
            digest.text("deadline").text(deadline).scripts([script.text()], library.text());
        }
        let digest = digest.finish();
        Some(Process {
            name: name.into(),
            description: definition.description,
            file,
            state: aggregates::states(&definition.state),
            handlers,
            rejected,
            deadlines,
            sends,
            from_start: definition.from_start,
            digest,
            place,
        })
    }

    /// The events that begin an instance: some of those under `on`.
    fn starts(&mut self, starts: &[Named], on: &[HandlerDefinition]) -> BTreeSet<String> {
        for named in starts {
            if !on.iter().any(|handler| handler.about.text == named.text) {
                let message = format!("`starts` names `{}`, which has no handler under `on`", named.text);
                let known = on.iter().map(|handler| handler.about.text.as_str());
                self.unknown("unknown-event", message, &named.place, &named.text, known, "there is");
            }
        }
        starts.iter().map(|named| named.text.clone()).collect()
    }

    /// The fields of the command that a name means among those that are sent, where it means one.
    fn command_fields(&self, name: &str, sendable: &BTreeSet<(String, String)>) -> Option<Rc<Fields>> {
        let mut found = sendable.iter().filter(|(aggregate, command)| means(name, aggregate, command));
        let (aggregate, command) = found.next().filter(|_| found.next().is_none())?;
        self.names.commands.get(aggregate)?.get(command).cloned()
    }

    /// What the handlers can send: names are literals, and they exist. Says whether all of it is known.
    fn sent(&mut self, calls: &Calls) -> (Sends, bool) {
        let mut sends = IndexMap::new();
        let all = calls.iter().filter(|(call, _)| call.name == "send");
        let mut known = 0;
        for (call, (root, owner, whole)) in all.clone() {
            let aggregate = self.stream_argument(call);
            let Some(argument) = call.arguments.get(1) else { continue };
            let ArgumentKind::Text(command) = &argument.kind else {
                self.literal(call, 1, "the command that `send` names");
                continue;
            };
            let Some(aggregate) = aggregate else { continue };
            let Some(commands) = self.names.commands.get(&aggregate).cloned() else { continue };
            let Some(fields) = commands.get(command) else {
                let message = format!("`{aggregate}` has no command `{command}`");
                let known = commands.keys().map(String::as_str);
                self.unknown("unknown-command", message, &argument.place, command, known, "there is");
                continue;
            };
            self.payload(command, fields, call.arguments.get(2), &argument.place, (root, owner, whole));
            sends.entry((aggregate.into(), command.as_str().into())).or_insert(call.place.clone());
            known += 1;
        }
        (sends, known == all.count())
    }

    /// Deadlines that are set have a handler, and the other way round. `whole`: all handlers are known.
    fn timers(
        &mut self,
        process: &str,
        (calls, mut whole): (&Calls, bool),
        deadlines: &IndexMap<String, (Named, Option<Script>)>,
    ) {
        let mut set = BTreeSet::new();
        for (call, _) in calls.iter().filter(|(call, _)| matches!(call.name.as_str(), "after" | "cancel")) {
            let at = usize::from(call.name == "after");
            self.literal(call, at, "the name of a deadline");
            let (Some(name), Some(argument)) = (text_of(call, at), call.arguments.get(at)) else {
                whole &= call.name != "after";
                continue;
            };
            if call.name == "after" {
                set.insert(name.to_owned());
            }
            if !deadlines.contains_key(name) {
                let message = format!("`{process}` has no deadline `{name}` under `on_deadline`");
                let known = deadlines.keys().map(String::as_str);
                self.unknown("unknown-deadline", message, &argument.place, name, known, "there is");
                whole = false;
            }
        }
        if !whole {
            return;
        }
        for (named, _) in deadlines.values().filter(|(named, _)| !set.contains(&named.text)) {
            self.warning(
                "never-set",
                format!("nothing sets the deadline `{}`", named.text),
                &named.place,
                &format!("set it with `after(\"15m\", \"{}\")`, or remove its handler", named.text),
            );
        }
    }

    /// Handlers of rejections, by the aggregate and the name of the command, which the process sends. `whole`: all that it
    /// sends is known.
    fn rejected(
        &mut self,
        process: &str,
        (sends, whole): (&Sends, bool),
        handlers: Vec<(Named, Option<Script>)>,
    ) -> HashMap<(Box<str>, Box<str>), Script> {
        let mut rejected = HashMap::new();
        let mut taken: HashMap<(Box<str>, Box<str>), usize> = HashMap::new();
        let full = |(aggregate, command): &(Box<str>, Box<str>)| format!("{aggregate}.{command}");
        for (named, script) in handlers {
            let meant = |(aggregate, command): &&(Box<str>, Box<str>)| means(&named.text, aggregate, command);
            let found: Vec<_> = sends.keys().filter(meant).cloned().collect();
            match &found[..] {
                [one] => {
                    if let Some(line) = taken.insert(one.clone(), named.place.line()) {
                        let message = format!("the rejection of `{}` has a handler already", full(one));
                        let hint = format!("the first one is on line {line}");
                        self.problem("duplicate-key", message, &named.place).hints.push(hint);
                    }
                    drop(script.map(|script| rejected.insert(one.clone(), script)));
                }
                [] if whole => {
                    let message = format!("`{process}` never sends `{}`: it cannot be rejected", named.text);
                    let known =
                        sends.keys().map(|sent| if named.text.contains('.') { full(sent) } else { sent.1.to_string() });
                    let known: Vec<String> = known.collect();
                    let known = known.iter().map(String::as_str);
                    self.unknown("never-sent", message, &named.place, &named.text, known, "it sends");
                }
                [] => {}
                several => {
                    let full: Vec<String> = several.iter().map(full).collect();
                    let full: Vec<&str> = full.iter().map(String::as_str).collect();
                    self.problem("ambiguous", format!("`{}` is more than one command", named.text), &named.place)
                        .hints
                        .push(format!("name its aggregate: {}", list(&full)));
                }
            }
        }
        rejected
    }

    fn process_digest(
        &self,
        digest: &mut RulesDigest,
        library: &Library,
        (name, state): (&str, &[StateDefinition]),
        handlers: &HashMap<(Box<str>, Box<str>), Reacts>,
    ) {
        digest.text(name);
        let mut fields: Vec<_> = state.iter().collect();
        fields.sort_by_key(|field| &field.name.text);
        for field in fields {
            digest.text(&field.name.text).value(&field.initial);
            digest.text(&format!("{:?}", aggregates::pin(field.pinned.as_ref())));
        }
        let sorted: BTreeMap<_, _> = handlers.iter().collect();
        for ((aggregate, event), reacts) in sorted {
            digest.text(aggregate).text(event).text(if reacts.starts { "starts" } else { "" });
            digest.scripts([reacts.key.text(), reacts.script.text()], library.text());
            if let Some(fields) = self.names.events.get(&**aggregate).and_then(|events| events.get(&**event)) {
                digest.fields(fields);
            }
            if let Some(past) = self.names.pasts.get(&(aggregate.to_string(), event.to_string())) {
                digest.text(past);
            }
        }
    }

    /// How the payloads of all commands are checked.
    pub(super) fn all_commands(&self) -> Rc<react::AllCommands> {
        let command = |(name, fields): (&String, &Rc<Fields>)| {
            let fields = fields.clone();
            let accept: crate::script::fold::Accept = Box::new(move |data: Object| {
                fields.accept(data).map_err(|problems| problems.iter().map(Problem::in_words).collect())
            });
            (name.as_str().into(), accept)
        };
        let of = |(aggregate, commands): (&String, &BTreeMap<String, Rc<Fields>>)| {
            (aggregate.as_str().into(), commands.iter().map(command).collect())
        };
        Rc::new(self.names.commands.iter().map(of).collect())
    }
}

/// What a handler sees and may call; `seen` beside the state and the key.
fn purpose<'a>(state: &Rc<Record>, scope: &'a [&'a str], mut seen: Vec<(&'static str, Kind)>) -> Purpose<'a> {
    seen.extend([("state", Kind::Record(state.clone())), ("key", Kind::Any)]);
    Purpose { scope, kinds: seen, aggregate: "", wants: Wants::React, changes: "state", calls: REACTING, what: WHAT }
}

/// The aggregate and the command that a `send` names, where it writes them out.
fn sent_by(call: &Call) -> Option<(String, String)> {
    let send = (call.name == "send").then_some(call)?;
    Some((aggregate_in(send)?.to_owned(), text_of(send, 1)?.to_owned()))
}

/// Whether a name under `on_rejected` means this command: with its aggregate, or without.
fn means(name: &str, aggregate: &str, command: &str) -> bool {
    match name.split_once('.') {
        Some((of, name)) => of == aggregate && name == command,
        None => name == command,
    }
}

fn calls_of(script: Option<&Script>, root: &'static str, owner: &str, fields: &Rc<Fields>) -> Calls {
    let calls = script.into_iter().flat_map(|script| &script.facts().calls);
    calls.map(|call| (call.clone(), (root, owner.to_owned(), fields.clone()))).collect()
}
