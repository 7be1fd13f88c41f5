//! Random runs: commands made from the types of their fields are sent for real to a store in memory, and what must hold whatever
//! is sent is looked at after each of them. What breaks it is made short and plain, so that it can be kept as a scenario.
//!
//! All that is random comes from one seed: the same domain, number of runs and seed give the same commands, byte for byte.

mod numbers;
mod pattern;
mod pool;
mod random;
mod react;
mod shrink;
mod stage;
mod story;
mod values;

use super::Error;
use crate::diagnostic::Diagnostic;
use crate::domain::fields::{Fields, Type};
use crate::domain::{Aggregate, Domains};
use crate::event::{StreamName, Time, Version};
use crate::json::Object;
use crate::script::Script;
use rust_decimal::Decimal;
use sha2::{Digest as _, Sha256};
use stage::{Played, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::rc::Rc;
use story::Story;

pub use pool::Pool;
pub use random::Random;
pub use values::{Unmet, Values};

/// How many runs are done beforehand, to find out which commands are accepted where.
const REHEARSALS: u64 = 32;
/// One run of so many is done twice, and has to be the same.
const SAMPLE: u64 = 16;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// How many runs.
    pub runs: u64,
    /// What their commands are made of.
    pub seed: u64,
    /// Only commands to aggregates with this text in their name or in the name of their file, whatever its case.
    pub filter: Option<String>,
}

/// What holds for every domain, whatever is sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Law {
    /// No decision, fold, invariant, key or handler of a projection fails or runs past its limits.
    Scripts,
    /// After a command was accepted, the invariants hold on the states that the log gives.
    Invariants,
    /// The state that a command leaves behind is the one that the log gives, and the one that comes of an earlier state that
    /// was written as data, read again and folded on.
    States,
    /// A read model that was brought up to date after each command has the rows that building it anew gives.
    Projections,
    /// The same seed gives the same run.
    Repeat,
}

impl Law {
    /// All of them, in the order in which they are looked at.
    pub const ALL: [Self; 5] = [Self::Scripts, Self::Invariants, Self::States, Self::Projections, Self::Repeat];

    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scripts => "scripts",
            Self::Invariants => "invariants",
            Self::States => "states",
            Self::Projections => "projections",
            Self::Repeat => "repeat",
        }
    }

    /// What it says.
    pub fn words(self) -> &'static str {
        match self {
            Self::Scripts => "no script fails",
            Self::Invariants => "invariants hold on what is stored",
            Self::States => "a state is what its events give",
            Self::Projections => "a read model is what its events give",
            Self::Repeat => "the same seed gives the same run",
        }
    }
}

/// A command of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Where it goes.
    pub stream: StreamName,
    /// Its name.
    pub command: String,
    /// Its payload.
    pub data: Object,
    /// When it is sent: not before the one before it.
    pub at: Time,
}

/// How often a command was sent, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// Its aggregate.
    pub aggregate: String,
    /// Its name.
    pub command: String,
    /// How often it was sent.
    pub sent: u64,
    /// How often it was accepted.
    pub accepted: u64,
    /// Whether it was accepted when a process sent it.
    pub by_process: bool,
    /// Whether it was accepted on a stream without events.
    pub fresh: bool,
    /// Whether it was accepted on a stream with events.
    pub begun: bool,
    /// How often it was rejected, by code.
    pub rejected: BTreeMap<String, u64>,
    /// Fields that no value could be made for: it was sent without them, or not at all.
    pub unmet: BTreeSet<Unmet>,
}

/// What came of all runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// How many runs were asked for.
    pub asked: u64,
    /// How many were done, the one that broke something included.
    pub runs: u64,
    /// What their commands were made of.
    pub seed: u64,
    /// Each command there is, in the order of the aggregates and of their files.
    pub commands: Vec<Tally>,
    /// How many events the commands gave.
    pub events: u64,
    /// SHA-256, in hex, over all that happened in the runs that broke nothing.
    pub digest: String,
    /// What broke, where something did: there are no more runs then.
    pub broken: Option<Broken>,
}

impl Generated {
    /// How many commands were sent.
    pub fn sent(&self) -> u64 {
        self.commands.iter().map(|tally| tally.sent).sum()
    }

    /// How many of them were accepted.
    pub fn accepted(&self) -> u64 {
        self.commands.iter().map(|tally| tally.accepted).sum()
    }

    /// How many of them were rejected.
    pub fn rejected(&self) -> u64 {
        self.commands.iter().flat_map(|tally| tally.rejected.values()).sum()
    }

    /// The commands that were never accepted: nothing is known of what they give.
    pub fn never_accepted(&self) -> impl Iterator<Item = &Tally> {
        self.commands.iter().filter(|tally| tally.accepted == 0 && !tally.by_process)
    }
}

/// A law that was broken, and the shortest sequence of commands that was found to break it.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    /// Which.
    pub law: Law,
    /// In which run; the first one is 1.
    pub run: u64,
    /// After how many commands of it.
    pub length: usize,
    /// What is wrong, with its place in the rules where it has one.
    pub problem: Diagnostic,
    /// The shortest sequence; the last command breaks it. All before it are accepted.
    pub steps: Vec<Step>,
    /// The read model that shows it, with the key of a row, where one does.
    pub row: Option<(String, String)>,
    /// Whether a scenario of these commands shows it: what is not, a scenario cannot ask for.
    pub shown: bool,
}

/// Something broke.
#[derive(Debug, Clone, PartialEq)]
struct Breach {
    law: Law,
    problem: Diagnostic,
    subject: Subject,
    /// Where it broke, in the sense that something that breaks elsewhere is something else.
    mark: String,
    shown: bool,
}

/// What a scenario has to ask for to show it.
#[derive(Debug, Clone, PartialEq)]
enum Subject {
    Nothing,
    Projection { name: String, key: Option<String> },
}

/// What is sent, and what the rules speak of.
struct Plan {
    commands: Vec<Planned>,
    /// Texts and numbers that the rules compare with.
    texts: Vec<String>,
    numbers: Vec<Decimal>,
    /// Types of a certain form, which ids of streams may have.
    forms: Vec<Type>,
}

struct Planned {
    aggregate: Box<str>,
    name: String,
    fields: Rc<Fields>,
    /// Whether it was ever accepted on a stream without events, and on one with events, as far as was tried.
    accepted: [bool; 2],
}

/// How one run ended.
enum Ended {
    /// All held; a digest of all that happened.
    Held([u8; 32]),
    /// Something broke after these commands.
    Broke(Vec<Step>, Breach),
}

/// Does the runs, up to the first that breaks something. `None` where there is no command to send.
///
/// An error is no finding: the runs could not be done.
pub fn generate(
    domains: &Rc<Domains>,
    asked: &Asked,
    progress: &mut dyn FnMut(u64),
) -> Result<Option<Generated>, Error> {
    let mut plan = Plan::of(domains, asked.filter.as_deref());
    if plan.commands.is_empty() {
        return Ok(None);
    }
    rehearse(domains, &mut plan, asked.seed)?;
    let mut generated = Generated {
        asked: asked.runs,
        runs: 0,
        seed: asked.seed,
        commands: plan.tallies(),
        events: 0,
        digest: String::new(),
        broken: None,
    };
    let mut digest = Sha256::new();
    for run in 0..asked.runs {
        progress(run);
        generated.runs += 1;
        let random = Random::of(asked.seed, run);
        let ended = play(domains, &plan, random.clone(), &mut generated.commands, &mut generated.events)?;
        let (steps, breach) = match ended {
            Ended::Broke(steps, breach) => (steps, breach),
            Ended::Held(own) => {
                digest.update(own);
                if run % SAMPLE == 0
                    && let Some(breach) = repeated(domains, &plan, random, own)?
                {
                    (Vec::new(), breach)
                } else {
                    continue;
                }
            }
        };
        generated.broken = Some(broken(domains, run + 1, steps, breach)?);
        break;
    }
    // Of thousands of runs nobody wants to read what each of them printed.
    drop(domains.take_notes());
    for byte in digest.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(generated.digest, "{byte:02x}");
    }
    Ok(Some(generated))
}

/// Finds out where each command is accepted at all, so that the runs lose less time with what is always rejected. What breaks
/// here breaks there as well, sooner or later, and is told then. The runs stay independent of each other.
fn rehearse(domains: &Rc<Domains>, plan: &mut Plan, seed: u64) -> Result<(), Error> {
    for round in 0..REHEARSALS {
        let mut tallies = plan.tallies();
        let ended = play(domains, plan, Random::of(seed, u64::MAX - round), &mut tallies, &mut 0)?;
        for (command, tally) in plan.commands.iter_mut().zip(tallies) {
            command.accepted[0] |= tally.fresh;
            command.accepted[1] |= tally.begun;
        }
        if matches!(ended, Ended::Broke(..)) {
            break;
        }
    }
    // Only what the runs reach is what they reach.
    domains.forget();
    Ok(())
}

/// One run, up to what breaks.
fn play(
    domains: &Rc<Domains>,
    plan: &Plan,
    random: Random,
    tallies: &mut [Tally],
    events: &mut u64,
) -> Result<Ended, Error> {
    let mut stage = Stage::new(domains);
    let mut story = Story::new(plan, random);
    let mut steps: Vec<Step> = Vec::new();
    for _ in 0..story.length {
        let next = story.next(&mut |stream| stage.version(stream));
        let command = match &next {
            Ok((command, _)) | Err(command) => *command,
        };
        let tally = &mut tallies[command];
        tally.unmet.extend(story.unmet());
        let Ok((_, step)) = next else { continue };
        let before = stage.version(&step.stream);
        tally.sent += 1;
        let played = stage.play(&step)?;
        for (aggregate, command) in stage.take_sent_by_processes() {
            let of = |tally: &&mut Tally| tally.aggregate == aggregate && tally.command == command;
            tallies.iter_mut().filter(of).for_each(|tally| tally.by_process = true);
        }
        let tally = &mut tallies[command];
        let (stream, after) = (step.stream.clone(), stage.version(&step.stream));
        steps.push(step);
        match played {
            Played::Accepted(given, states) => {
                tally.accepted += 1;
                tally.begun |= before > Version(0);
                tally.fresh |= before == Version(0);
                *events += given.len() as u64;
                story.accepted(&given, &states);
            }
            Played::Rejected(rejection) => {
                *tally.rejected.entry(rejection.code.to_string()).or_default() += 1;
                story.rejected(command, stream, after);
            }
            Played::Broke(breach) => return Ok(Ended::Broke(steps, breach)),
        }
    }
    Ok(match stage.finish()? {
        Ok(digest) => Ended::Held(digest),
        Err(breach) => Ended::Broke(steps, breach),
    })
}

/// Does a run again, and says so if it is another.
fn repeated(domains: &Rc<Domains>, plan: &Plan, random: Random, before: [u8; 32]) -> Result<Option<Breach>, Error> {
    let again = play(domains, plan, random, &mut plan.tallies(), &mut 0)?;
    Ok(match again {
        Ended::Held(own) => different(before, own),
        Ended::Broke(_, breach) => Some(Breach { law: Law::Repeat, ..breach }),
    })
}

fn different(before: [u8; 32], again: [u8; 32]) -> Option<Breach> {
    (before != again).then(|| Breach {
        law: Law::Repeat,
        problem: Diagnostic::error("repeat", "the same commands gave something else when they were sent again"),
        subject: Subject::Nothing,
        mark: String::new(),
        shown: false,
    })
}

/// What is said of what broke, with the shortest sequence that does it.
fn broken(domains: &Rc<Domains>, run: u64, steps: Vec<Step>, breach: Breach) -> Result<Broken, Error> {
    let length = steps.len();
    let shrink::Shrunk { steps, breach } = shrink::shrink(domains, steps, breach)?;
    let row = match &breach.subject {
        Subject::Nothing => None,
        Subject::Projection { name, key } => {
            let column = domains.projection(name).and_then(|projection| projection.columns.iter().next());
            let key = key.clone().or_else(|| column.map(|column| sample(&column.kind)));
            Some((name.clone(), key.unwrap_or_default()))
        }
    };
    let Breach { law, problem, shown, .. } = breach;
    Ok(Broken { law, run, length, problem, steps, row, shown })
}

/// Some key of that type, as a scenario writes it.
fn sample(kind: &Type) -> String {
    let fits = |text: &&str| kind.read(text).is_ok_and(|value| kind.accept(value).is_ok());
    let known = ["1", "1970-01-01", "1970-01-01T00:00:00Z", "00000000-0000-0000-0000-000000000000"];
    let choice = match kind {
        Type::OneOf(members) => {
            members.first().map(|member| member.as_text().map_or(member.to_string(), str::to_owned))
        }
        _ => None,
    };
    choice.unwrap_or_else(|| known.iter().find(|text| fits(text)).copied().unwrap_or("1").to_owned())
}

impl Plan {
    fn of(domains: &Domains, filter: Option<&str>) -> Self {
        let filter = filter.map(str::to_lowercase);
        let wanted = |aggregate: &&Aggregate| {
            let names = [&*aggregate.name, domains.files()[aggregate.file].source.name.as_str()];
            filter.as_ref().is_none_or(|filter| names.iter().any(|name| name.to_lowercase().contains(filter)))
        };
        let mut plan = Self { commands: Vec::new(), texts: Vec::new(), numbers: Vec::new(), forms: Vec::new() };
        let (mut texts, mut numbers) = (BTreeSet::new(), BTreeSet::new());
        for aggregate in domains.aggregates().filter(wanted) {
            for (name, command) in &aggregate.commands {
                let (aggregate, fields) = (aggregate.name.clone(), command.fields.clone());
                plan.commands.push(Planned { aggregate, name: name.to_string(), fields, accepted: [false; 2] });
                let mut hear = |script: &Script| {
                    for facts in [script.facts(), script.library().facts()] {
                        texts.extend(facts.texts.iter().cloned());
                        numbers.extend(facts.numbers.iter().map(Decimal::normalize));
                    }
                };
                hear(&command.decide);
                for field in &*command.fields {
                    if story::is_form(&field.kind) && !plan.forms.contains(&field.kind) {
                        plan.forms.push(field.kind.clone());
                    }
                }
            }
        }
        plan.texts = texts.into_iter().collect();
        plan.numbers = numbers.into_iter().collect();
        plan
    }

    fn tallies(&self) -> Vec<Tally> {
        let tally = |command: &Planned| Tally {
            aggregate: command.aggregate.to_string(),
            command: command.name.clone(),
            sent: 0,
            accepted: 0,
            by_process: false,
            fresh: false,
            begun: false,
            rejected: BTreeMap::new(),
            unmet: BTreeSet::new(),
        };
        self.commands.iter().map(tally).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_another_when_it_is_done_again_is_told() {
        assert_eq!(different([1; 32], [1; 32]), None);
        let breach = different([1; 32], [2; 32]).unwrap();
        assert_eq!((breach.law, breach.shown), (Law::Repeat, false));
    }

    #[test]
    fn there_is_a_key_for_every_type_that_a_key_may_have() {
        let one = Type::one_of([crate::json::Value::Text("open".to_owned())]);
        for kind in [Type::text(), Type::integer(), Type::decimal(), Type::Date, Type::Timestamp, Type::Uuid, one] {
            let key = sample(&kind);
            let read = kind.read(&key).unwrap_or_else(|problem| panic!("{kind:?}: {problem}"));
            assert!(kind.accept(read).is_ok(), "{kind:?}: {key}");
        }
    }
}
