//! Commands: what a decision can cause is known without running it, and exists.

use super::kinds::{self, Wants};
use super::{Checker, DECIDING, Purpose};
use crate::diagnostic::Place;
use crate::domain::CommandRules;
use crate::domain::definition::{CommandDefinition, Named};
use crate::domain::fields::Fields;
use crate::event::StreamName;
use crate::script::facts::{Argument, ArgumentKind, Call};
use crate::script::kinds::{Kind, Record};
use crate::script::{Host, Library, decide};
use std::rc::Rc;

impl Checker<'_> {
    pub(super) fn command(
        &mut self,
        host: &Host,
        library: &Rc<Library>,
        aggregate: &str,
        state: &Rc<Record>,
        definition: CommandDefinition,
    ) -> Option<(String, CommandRules)> {
        self.words(&definition.fields, &definition.name, "command");
        let fields = definition.fields;
        let Named { text: name, place } = definition.name;
        let purpose = Purpose {
            scope: decide::SCOPE,
            kinds: vec![
                ("state", Kind::Record(state.clone())),
                ("command", kinds::payload("command", &name, &fields)),
                ("version", Kind::Integer),
                ("meta", kinds::meta()),
            ],
            aggregate,
            wants: Wants::Anything,
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
            CommandRules { description: definition.description, fields: Rc::new(fields), shape, decide: script, place };
        Some((name, rules))
    }

    /// What a decision can cause is known without running it: names are literals, and they exist.
    pub(super) fn decision_call(&mut self, call: &Call, aggregate: &str, command: &str, fields: &Fields) {
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

    pub(super) fn literal(&mut self, call: &Call, index: usize, what: &str) {
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
    pub(super) fn stream_argument(&mut self, call: &Call) -> Option<String> {
        let argument = call.arguments.first()?;
        let example = if call.name == "send" { "account/${state.to}" } else { "account/${command.to}" };
        let (ArgumentKind::Text(text) | ArgumentKind::Template(text)) = &argument.kind else {
            self.problem(
                "not-literal",
                format!("`{}` names its stream's aggregate in the text itself", call.name),
                &argument.place,
            )
            .hints
            .push(format!("write it as in `{example}`"));
            return None;
        };
        let Some((aggregate, _)) = text.split_once('/') else {
            self.problem(
                "not-literal",
                "a stream is named `aggregate/id`, with the aggregate written out",
                &argument.place,
            )
            .hints
            .push(format!("write it as in `{example}`"));
            return None;
        };
        self.events_of(aggregate, &argument.place)?;
        if let (ArgumentKind::Text(_), Err(wrong)) = (&argument.kind, StreamName::new(text)) {
            self.problem("stream", wrong.to_string(), &argument.place);
        }
        Some(aggregate.to_owned())
    }

    pub(super) fn emit(
        &mut self,
        call: &Call,
        index: usize,
        aggregate: Option<&str>,
        command: &str,
        command_fields: &Fields,
    ) {
        let Some(argument) = call.arguments.get(index) else { return };
        let ArgumentKind::Text(event) = &argument.kind else {
            self.literal(call, index, "the event that `emit` names");
            return;
        };
        let Some(aggregate) = aggregate else { return };
        let Some(fields) = self.event_of(aggregate, event, &argument.place) else { return };
        self.payload(
            event,
            &fields,
            call.arguments.get(index + 1),
            &argument.place,
            ("command", command, command_fields),
        );
    }

    /// What is given as the data of an event or a command, at `at`: written out, or all of what is in scope under a name, with
    /// what that is called and has.
    pub(super) fn payload(
        &mut self,
        name: &str,
        fields: &Fields,
        data: Option<&Argument>,
        at: &Place,
        (root, owner, whole): (&str, &str, &Fields),
    ) {
        match data.map(|data| (&data.kind, &data.place)) {
            Some((ArgumentKind::Map(keys), place)) => {
                for (key, place) in keys {
                    if fields.get(key).is_none() {
                        let message = format!("`{name}` has no field `{key}`");
                        self.unknown(
                            "unknown-field",
                            message,
                            place,
                            key,
                            fields.iter().map(|f| f.name.as_str()),
                            &format!("`{name}` has"),
                        );
                    }
                }
                let missing = fields.iter().filter(|f| !f.optional && !keys.iter().any(|(key, _)| *key == f.name));
                for field in missing.collect::<Vec<_>>() {
                    self.problem("missing-field", format!("`{name}` needs a field `{}`", field.name), place);
                }
            }
            Some((ArgumentKind::Name(given), place)) if given == root => {
                for field in whole.iter().filter(|f| fields.get(&f.name).is_none()) {
                    self.problem(
                        "unknown-field",
                        format!("`{name}` has no field `{}`, which `{owner}` has", field.name),
                        place,
                    )
                    .hints
                    .push("name the fields that it takes: `#{ … }`".to_owned());
                }
                for field in fields.iter().filter(|f| !f.optional) {
                    if whole.get(&field.name).is_none_or(|f| f.optional) {
                        self.problem(
                            "missing-field",
                            format!("`{name}` needs a field `{}`, which `{owner}` need not have", field.name),
                            place,
                        );
                    }
                }
            }
            None => {
                for field in fields.iter().filter(|f| !f.optional) {
                    self.problem("missing-field", format!("`{name}` needs a field `{}`", field.name), at);
                }
            }
            Some(_) => {}
        }
    }
}
