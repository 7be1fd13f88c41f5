//! Which command comes next: sequences that get somewhere, on few streams, so that commands meet.

use super::pool::Pool;
use super::random::Random;
use super::values::{Unmet, Values};
use super::{Plan, Planned, Step};
use crate::domain::fields::Type;
use crate::event::{Recorded, StreamName, Time, Version};
use crate::json::{self, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The ids of a run's streams.
const IDS: [&str; 4] = ["1", "2", "3", "4"];
/// The fewest and the most commands of a run.
const LENGTH: (usize, usize) = (8, 30);
/// How readily a command is sent where it was accepted before, where that is not known of it, and where only in other places.
const LIKELY: (u64, u64, u64) = (12, 4, 1);
/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

/// One run in the making.
pub(super) struct Story<'p> {
    plan: &'p Plan,
    pub(super) values: Values,
    /// Which commands were rejected on a stream at a version: they would probably be again.
    refused: BTreeMap<(StreamName, Version), BTreeSet<usize>>,
    /// How many commands are to be sent.
    pub(super) length: usize,
    now: Time,
}

impl<'p> Story<'p> {
    pub(super) fn new(plan: &'p Plan, mut random: Random) -> Self {
        let length = LENGTH.0 + random.index(LENGTH.1 - LENGTH.0 + 1);
        let mut ids: Vec<String> = IDS.iter().take(2 + random.index(3)).map(|id| (*id).to_owned()).collect();
        let pool = Pool::new(Vec::new(), plan.texts.clone(), plan.numbers.clone());
        let mut values = Values::new(random, pool);
        // Where streams are named by something of a certain form, some of the ids have it.
        for kind in &plan.forms {
            if values.random.chance(40)
                && let Some(Value::Text(id)) = values.form(kind)
                && StreamName::new(&format!("x/{id}")).is_ok()
            {
                ids.push(id);
            }
        }
        values.pool.ids = ids;
        Self { plan, values, refused: BTreeMap::new(), length, now: Time::default() }
    }

    /// The next command, with the number of its kind in the plan. The error: no payload could be made for it.
    pub(super) fn next(&mut self, version: &mut dyn FnMut(&StreamName) -> Version) -> Result<(usize, Step), usize> {
        self.pass_time();
        let mut choices: Vec<(usize, StreamName, u64)> = Vec::new();
        for (at, command) in self.plan.commands.iter().enumerate() {
            for id in &self.values.pool.ids {
                let Ok(stream) = StreamName::new(&format!("{}/{id}", command.aggregate)) else { continue };
                let version = version(&stream);
                let mut weight = command.likely(version);
                // Where much was refused since something happened last, little is to be hoped for.
                if let Some(commands) = self.refused.get(&(stream.clone(), version)) {
                    let again = if commands.contains(&at) { 2 } else { 0 };
                    weight = weight.div_ceil(commands.len() as u64 + again);
                }
                choices.push((at, stream, weight));
            }
        }
        let mut at = self.values.random.below(choices.iter().map(|(.., weight)| weight).sum());
        let chosen = choices.into_iter().find(|(.., weight)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        // The first id is one that every aggregate takes.
        let Some((chosen, stream, _)) = chosen else { return Err(0) };
        let command = &self.plan.commands[chosen];
        let Some(data) = self.values.payload(&command.fields) else { return Err(chosen) };
        Ok((chosen, Step { stream, command: command.name.clone(), data, at: self.now }))
    }

    /// What no value could be made for since this was asked last.
    pub(super) fn unmet(&mut self) -> Vec<Unmet> {
        self.values.take_unmet()
    }

    /// Learns from a command that was accepted: what it gave may be meant by what follows.
    pub(super) fn accepted(&mut self, events: &[Recorded], states: &[(StreamName, Value)]) {
        let Values { pool, random, .. } = &mut self.values;
        for event in events {
            pool.live(event.stream.id());
            if let Ok(data) = json::parse(&event.data) {
                pool.learn(&data, random);
            }
        }
        for (_, state) in states {
            pool.learn(state, random);
        }
    }

    /// What was rejected is sent there less until something has happened.
    pub(super) fn rejected(&mut self, command: usize, stream: StreamName, version: Version) {
        self.refused.entry((stream, version)).or_default().insert(command);
    }

    /// Mostly no time goes by between two commands, sometimes a day, seldom a year.
    fn pass_time(&mut self) {
        let random = &mut self.values.random;
        let seconds = match random.below(100) {
            0..70 => 0,
            70..85 => random.below(7_200),
            85..97 => 86_400 * (1 + random.below(40)),
            _ => 86_400 * (300 + random.below(500)),
        };
        let later = self.now.micros().saturating_add(i64::try_from(seconds).unwrap_or(0) * SECOND);
        self.now = Time::from_micros(later).unwrap_or(self.now);
        self.values.now = self.now;
    }
}

impl Planned {
    /// How readily it is sent to a stream of that version.
    fn likely(&self, version: Version) -> u64 {
        let [fresh, begun] = self.accepted;
        let (here, there) = if version > Version(0) { (begun, fresh) } else { (fresh, begun) };
        match (here, there) {
            (true, _) => LIKELY.0,
            (false, true) => LIKELY.2,
            // A command that was never accepted is most likely one that asks for much.
            (false, false) if version > Version(0) => LIKELY.0,
            (false, false) => LIKELY.1,
        }
    }
}

/// Whether ids of streams may be of this type: texts of a certain form.
pub(super) fn is_form(kind: &Type) -> bool {
    match kind {
        Type::Text(rules) => rules.pattern.is_some() || rules.min_length.is_some_and(|length| length > 1),
        Type::Uuid => true,
        _ => false,
    }
}
