//! Random histories of processes: the file does what the reference in memory does, whatever is asked of it. `ESCTL_SCALE`
//! says how many.

use super::processes::{deadline, info, instance, outgoing, step, stepped, stopped, waiting};
use super::*;
use crate::support::trial::scaled;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

#[derive(Debug, Clone)]
enum Operation {
    Begin,
    Commit,
    Rollback,
    Reopen,
    /// An event, so that checkpoints have somewhere to go.
    Append,
    /// Process, checkpoint, whether it stopped.
    Process(u8, u64, bool),
    /// Process, key, whether it ended, whether it stopped, events ignored.
    Instance(u8, u8, bool, bool, u64),
    /// Process, key, which of the steps that are next or not, kind, command.
    Step(u8, u8, u64, usize, Option<u8>),
    Send(u8, u8),
    /// Which of those that are there, or one that is not.
    Sent(u64),
    Deadline(u8, u8, u8, i64),
    NoDeadline(u8, u8, u8),
    NoDeadlines(u8, u8),
    Wait(u8, u8, u64),
    Waited(u8, u8, u64),
}

fn operation() -> impl Strategy<Value = Operation> {
    let owner = || (0..3_u8, 0..4_u8);
    let wrong = || prop_oneof![12 => Just(1_u64), 1 => 0..3_u64];
    prop_oneof![
        5 => Just(Operation::Begin),
        4 => Just(Operation::Commit),
        2 => Just(Operation::Rollback),
        1 => Just(Operation::Reopen),
        3 => Just(Operation::Append),
        6 => (0..3_u8, 0..4_u64, any::<bool>()).prop_map(|(p, c, s)| Operation::Process(p, c, s)),
        14 => (owner(), any::<bool>(), prop::bool::weighted(0.3), 0..3_u64)
            .prop_map(|((p, k), e, s, i)| Operation::Instance(p, k, e, s, i)),
        10 => (owner(), wrong(), 0..8_usize, prop::option::weighted(0.8, 0..9_u8))
            .prop_map(|((p, k), n, kind, c)| Operation::Step(p, k, n, kind, c)),
        8 => owner().prop_map(|(p, k)| Operation::Send(p, k)),
        4 => (0..12_u64).prop_map(Operation::Sent),
        8 => (owner(), 0..3_u8, -2..3_i64).prop_map(|((p, k), n, due)| Operation::Deadline(p, k, n, due)),
        2 => (owner(), 0..3_u8).prop_map(|((p, k), n)| Operation::NoDeadline(p, k, n)),
        1 => owner().prop_map(|(p, k)| Operation::NoDeadlines(p, k)),
        6 => (owner(), 0..5_u64).prop_map(|((p, k), n)| Operation::Wait(p, k, n)),
        3 => (owner(), 0..5_u64).prop_map(|((p, k), n)| Operation::Waited(p, k, n)),
    ]
}

const PROCESSES: [&str; 3] = ["transfers", "reminders", "ärger"];
const KEYS: [&str; 4] = ["\"a\"", "\"b\"", "10", "9"];

fn change(store: &mut dyn Store, operation: &Operation, count: usize) -> Option<ProcessChange> {
    let of = |p: u8, k: u8| (PROCESSES[usize::from(p)], KEYS[usize::from(k)]);
    Some(match operation {
        Operation::Process(p, checkpoint, is_stopped) => {
            let stopped = is_stopped.then(|| failure(checkpoint + 1));
            ProcessChange::Process(ProcessInfo { stopped, ..info(PROCESSES[usize::from(*p)], *checkpoint) })
        }
        Operation::Instance(p, k, ended, is_stopped, ignored) => {
            let (process, key) = of(*p, *k);
            let now = if *is_stopped { stopped(process, key) } else { instance(process, key) };
            ProcessChange::Instance(Instance { ended: *ended, ignored: *ignored, ..now })
        }
        Operation::Step(p, k, next, kind, id) => {
            let (process, key) = of(*p, *k);
            let last = store.steps(process, key, 0, usize::MAX).unwrap().len() as u64;
            let command = id.map(|id| format!("c{id}").into());
            stepped(process, key, Step { command, ..step(last + next, StepKind::ALL[*kind]) })
        }
        Operation::Send(p, k) => {
            let (process, key) = of(*p, *k);
            ProcessChange::Send(outgoing(process, key, &format!("x{count}")))
        }
        Operation::Sent(number) => ProcessChange::Sent(*number),
        Operation::Deadline(p, k, name, due) => {
            let (process, key) = of(*p, *k);
            ProcessChange::Deadline(deadline(process, key, &name.to_string(), *due))
        }
        Operation::NoDeadline(p, k, name) => {
            let (process, key) = of(*p, *k);
            ProcessChange::NoDeadline { process: process.into(), key: key.into(), name: name.to_string().into() }
        }
        Operation::NoDeadlines(p, k) => {
            let (process, key) = of(*p, *k);
            ProcessChange::NoDeadlines { process: process.into(), key: key.into() }
        }
        Operation::Wait(p, k, position) => {
            let (process, key) = of(*p, *k);
            ProcessChange::Wait(waiting(process, key, *position))
        }
        Operation::Waited(p, k, position) => {
            let (process, key) = of(*p, *k);
            ProcessChange::Waited(waiting(process, key, *position))
        }
        _ => return None,
    })
}

/// What came of it; of an error its kind and words.
fn apply(subject: &mut Subject, operation: &Operation, count: usize) -> Result<(), String> {
    if let Operation::Reopen = operation {
        subject.reopen();
        return Ok(());
    }
    let store = subject.store();
    let outcome = match operation {
        Operation::Begin => store.begin(),
        Operation::Commit => store.commit(),
        Operation::Append => {
            let command = command(&format!("e{count}"), "account/ada", 1);
            append(store, &command, &[event("account/ada", "Happened")]).map(|_| ())
        }
        Operation::Rollback => {
            store.rollback();
            Ok(())
        }
        _ => match change(store, operation, count) {
            Some(change) => store.keep(&change),
            None => Ok(()),
        },
    };
    outcome.map_err(|error| format!("{error:?}"))
}

#[test]
fn the_file_keeps_processes_as_the_reference_does() {
    let cases = u32::try_from(scaled(256, 100_000)).unwrap();
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(operation(), 1..120), |operations| {
        let (mut file, mut memory) = (Subject::sqlite(), Subject::memory());
        // What happens without a process is soon told: most of them begin with some.
        let mut first = vec![Operation::Begin];
        first.extend((0..3).map(|p| Operation::Process(p, 0, false)));
        first.extend((0..6).map(|n| Operation::Instance(n % 3, n / 3, false, false, 0)));
        for (count, operation) in first.iter().chain(&operations).enumerate() {
            let (real, expected) = (apply(&mut file, operation, count), apply(&mut memory, operation, count));
            prop_assert_eq!(real, expected, "{:?}", operation);
            prop_assert_eq!(process_dump(file.store()), process_dump(memory.store()), "after {:?}", operation);
        }
        for subject in [&mut file, &mut memory] {
            subject.store().rollback();
        }
        let findings = file.store().verify(Position(0), &mut |_, _| {}).unwrap().findings;
        // Of the number of its steps an instance says here what it likes, and so do steps of their commands.
        let real = |words: &str| !words.contains("its last step has the number") && !words.contains("domain text");
        prop_assert!(!findings.iter().any(|finding| real(&finding.words)), "{findings:?}");
        if process_dump(file.store()) == process_dump(memory.store()) {
            return Ok(());
        }
        Err(TestCaseError::fail("the stores differ at the end"))
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
