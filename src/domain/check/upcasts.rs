//! Upcasts: that the ladder has every step, and that what it leads to fits the event.

use super::events::Around;
use super::kinds::{self, Wants};
use super::{Checker, Purpose};
use crate::diagnostic::{Place, meant};
use crate::domain::definition::Named;
use crate::domain::fields::Fields;
use crate::domain::history::History;
use crate::script::facts::ArgumentKind;
use crate::script::kinds::Kind;
use crate::script::{Script, ScriptText, upcast};
use std::collections::{BTreeMap, BTreeSet};

/// Functions that name a field of the event by a text.
const NAMING: &[&str] = &["remove", "contains", "get"];

/// What a step does with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It is read, or asked for.
    Reads,
    Writes,
    Removes,
}

/// A place of a step where a field of the event is named.
struct Mention {
    step: usize,
    field: String,
    place: Place,
    what: Use,
}

impl Checker<'_> {
    /// The steps of an event's ladder, from the first version on; `None` where one of them does not compile.
    pub(super) fn upcasts(
        &mut self,
        around: &Around<'_>,
        event: &Named,
        fields: &Fields,
        history: History,
    ) -> Option<Vec<Script>> {
        let steps = self.ladder(event, history);
        // All are compiled before any is read: what a step may leave behind depends on the steps after it.
        let scripts: Vec<Option<Script>> = steps
            .into_iter()
            .map(|text| self.compiled(around.host, around.library, text?, &purpose(Vec::new())))
            .collect();
        let scripts: Option<Vec<Script>> = scripts.into_iter().collect();
        let mentions = scripts.as_deref().and_then(mentions).unwrap_or_default();
        self.leads_to(event, fields, &mentions);
        for (step, script) in scripts.iter().flatten().enumerate() {
            let payload = kinds::earlier(&event.text, fields, &last_words(step, &mentions));
            self.read(script, &purpose(vec![("event", payload), ("meta", kinds::meta())]));
        }
        scripts
    }

    /// The steps in the order of their versions, all of them: from 1 to 2, from 2 to 3, up to the version of the event.
    fn ladder(&mut self, event: &Named, history: History) -> Vec<Option<ScriptText>> {
        let version = history.version;
        let mut steps: BTreeMap<u32, Option<ScriptText>> = BTreeMap::new();
        for (from, key, text) in history.upcast {
            if from < version {
                steps.insert(from, text);
                continue;
            }
            let message = format!("there is no step from version {from}: `{}` has version {version}", event.text);
            let hint = format!("the event then has `version: {}`", u64::from(from) + 1);
            self.problem("upcast", message, &key.place).hints.push(hint);
        }
        let missing: Vec<u32> = (1..version).filter(|from| !steps.contains_key(from)).take(2).collect();
        if let Some(from) = missing.first() {
            let more = if missing.len() > 1 { ", and more are missing" } else { "" };
            let message =
                format!("`{}` has version {version}, but no `upcast` from {from} to {}{more}", event.text, from + 1);
            let hint = format!("say what that version changed:\n  upcast:\n    {from}: …");
            self.problem("upcast", message, &history.place).hints.push(hint);
            steps.insert(*from, None);
        }
        steps.into_values().collect()
    }

    /// Whether what the steps name can be part of the event as it is now.
    fn leads_to(&mut self, event: &Named, fields: &Fields, mentions: &[Mention]) {
        let mut last: BTreeMap<&str, &Mention> = BTreeMap::new();
        for mention in mentions {
            last.insert(&mention.field, mention);
        }
        for (field, mention) in &last {
            let declared = fields.get(field);
            if mention.what == Use::Removes {
                if declared.is_some_and(|declared| !declared.optional) {
                    let message = format!("`{}` has `{field}`, and this takes it away", event.text);
                    self.problem("upcast", message, &mention.place)
                        .hints
                        .push("what it was called before is what to take away".to_owned());
                }
            } else if declared.is_none() {
                let message = format!("`{}` has no field `{field}`, and no step takes it away", event.text);
                let known = fields.iter().map(|known| known.name.as_str());
                let known = known.chain(last.keys().copied().filter(|other| other != field));
                let hint = meant(field, known, "").filter(|hint| hint.starts_with("did"));
                let away = format!("where it is not needed any more: `event.remove(\"{field}\")`");
                self.problem("upcast", message, &mention.place).hints.extend(hint.into_iter().chain([away]));
            }
        }
    }
}

/// The fields that a step writes once, and that nothing names before in it or after it: what they hold then stays.
fn last_words(step: usize, mentions: &[Mention]) -> BTreeSet<&str> {
    let from_here = || mentions.iter().filter(|mention| mention.step >= step);
    let alone = |field: &str| from_here().filter(|mention| mention.field == field).count() == 1;
    from_here()
        .filter(|mention| mention.step == step && mention.what == Use::Writes && alone(&mention.field))
        .map(|mention| mention.field.as_str())
        .collect()
}

/// What a step is for.
fn purpose(kinds: Vec<(&'static str, Kind)>) -> Purpose<'static> {
    Purpose {
        scope: upcast::SCOPE,
        kinds,
        aggregate: "",
        wants: Wants::Anything,
        changes: "event",
        calls: &[],
        what: "an `upcast`",
    }
}

/// Every field that is named, in the order of the steps and of their texts; `None` where the event is used as a whole, so
/// that it cannot be told which fields it has.
fn mentions(steps: &[Script]) -> Option<Vec<Mention>> {
    let mut all = Vec::new();
    for (step, script) in steps.iter().enumerate() {
        let facts = script.facts();
        let mut here: Vec<Mention> = Vec::new();
        for access in facts.accesses.iter().filter(|access| access.root == "event") {
            let what = if access.written { Use::Writes } else { Use::Reads };
            here.push(Mention { step, field: access.field.clone(), place: access.place.clone(), what });
        }
        let mut named = 0;
        for call in facts.calls.iter().filter(|call| NAMING.contains(&call.name.as_str())) {
            let [on, name, ..] = &call.arguments[..] else { continue };
            if let (ArgumentKind::Name(root), ArgumentKind::Text(field)) = (&on.kind, &name.kind)
                && root == "event"
            {
                named += 1;
                let what = if call.name == "remove" { Use::Removes } else { Use::Reads };
                here.push(Mention { step, field: field.clone(), place: name.place.clone(), what });
            }
        }
        if facts.whole.get("event").is_some_and(|uses| *uses > named) {
            return None;
        }
        here.sort_by_key(|mention| mention.place.start);
        all.extend(here);
    }
    Some(all)
}
