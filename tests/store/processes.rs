//! What every store promises about processes.

use super::contract::on_every_store;
use super::*;

on_every_store!(
    a_new_store_has_no_processes,
    what_was_kept_is_there_after_opening_again,
    one_in_place_of_another,
    it_goes_with_its_turn,
    steps_have_the_next_number,
    a_command_is_sent_once,
    commands_are_sent_in_the_order_in_which_they_were_put,
    what_a_stopped_instance_has_to_do_is_held_until_it_goes_on,
    events_wait_in_the_order_of_the_store,
    deadlines_come_in_the_order_of_their_times,
    what_is_no_longer_to_do_is_gone,
    rejections_are_listed_and_found,
    instances_and_steps_are_listed_in_pages,
    instances_are_counted,
    what_belongs_to_nothing_is_refused,
    nothing_is_kept_outside_a_turn,
    what_was_kept_verifies,
);

pub fn info(name: &str, checkpoint: u64) -> ProcessInfo {
    ProcessInfo {
        name: name.into(),
        digest: "rules-1".into(),
        since: Position(0),
        checkpoint: Position(checkpoint),
        stopped: None,
    }
}

pub fn instance(process: &str, key: &str) -> Instance {
    Instance {
        process: process.into(),
        key: key.into(),
        state: "{\"note\":\"ä\\u0000\"}".into(),
        ended: false,
        ignored: 0,
        began: Position(1),
        steps: 0,
        time: at(-1),
        stopped: None,
    }
}

pub fn stopped(process: &str, key: &str) -> Instance {
    Instance { stopped: Some("{\"error\":\"no rate\"}".into()), ..instance(process, key) }
}

/// A step without anything that it need not have.
pub fn step(number: u64, kind: StepKind) -> Step {
    Step { number, kind, time: at(5), position: None, name: None, command: None, causation: None, data: None }
}

fn with_command(number: u64, kind: StepKind, command: &str) -> Step {
    Step { command: Some(command.into()), ..step(number, kind) }
}

pub fn stepped(process: &str, key: &str, step: Step) -> ProcessChange {
    ProcessChange::Step { process: process.into(), key: key.into(), step }
}

pub fn outgoing(process: &str, key: &str, id: &str) -> Outgoing {
    Outgoing {
        number: 0,
        process: process.into(),
        key: key.into(),
        id: id.into(),
        stream: stream("account/ada"),
        name: "Deposit".into(),
        data: "{\"amount\":25.10}".into(),
        correlation: Some("talk".into()),
        causation: None,
        label: "label".into(),
    }
}

pub fn waiting(process: &str, key: &str, position: u64) -> Waiting {
    Waiting { process: process.into(), key: key.into(), position: Position(position) }
}

pub fn deadline(process: &str, key: &str, name: &str, due: i64) -> Deadline {
    Deadline {
        process: process.into(),
        key: key.into(),
        name: name.into(),
        due: at(due),
        correlation: None,
        causation: Some("@1".into()),
        label: "label".into(),
    }
}

/// A turn of these changes.
pub fn keep(store: &mut dyn Store, changes: impl IntoIterator<Item = ProcessChange>) {
    store.begin().unwrap();
    for change in changes {
        store.keep(&change).unwrap_or_else(|error| panic!("{change:?}: {error}"));
    }
    store.commit().unwrap();
}

/// Three events, two processes, and instances of them.
pub fn filled(subject: &mut Subject) -> &mut dyn Store {
    let store = subject.store();
    for n in 1..=3 {
        send(store, &format!("c{n}"), n, &[("account/ada", "Happened")]);
    }
    keep(
        store,
        [
            ProcessChange::Process(info("transfers", 0)),
            ProcessChange::Process(info("reminders", 0)),
            ProcessChange::Instance(instance("transfers", "\"a\"")),
            ProcessChange::Instance(instance("transfers", "\"b\"")),
            ProcessChange::Instance(instance("reminders", "\"a\"")),
        ],
    );
    store
}

/// The ids of the commands that would be sent, one after the other.
fn queue(store: &mut dyn Store) -> Vec<String> {
    let (mut ids, mut after) = (Vec::new(), 0);
    while let Some(next) = store.outgoing(after).unwrap() {
        assert!(next.number > after);
        after = next.number;
        ids.push(next.id.into());
    }
    ids
}

fn misused(store: &mut dyn Store, change: &ProcessChange) -> String {
    match store.keep(change) {
        Err(StoreError::Misuse(words)) => words,
        outcome => panic!("{change:?}: {outcome:?}"),
    }
}

fn a_new_store_has_no_processes(subject: &mut Subject) {
    nothing_is_there(subject.store());
}

pub fn nothing_is_there(store: &mut dyn Store) {
    assert_eq!(store.processes().unwrap(), []);
    assert_eq!(store.process("transfers").unwrap(), None);
    assert_eq!(store.instance("transfers", "\"a\"").unwrap(), None);
    assert_eq!(store.instances("transfers", None, 9).unwrap(), []);
    assert_eq!(store.steps("transfers", "\"a\"", 0, 9).unwrap(), []);
    assert_eq!(store.rejections(0, 9).unwrap(), []);
    assert_eq!(store.rejection("c1").unwrap(), None);
    assert_eq!(store.outgoing(0).unwrap(), None);
    assert_eq!(store.outgoing_of("transfers", "\"a\"").unwrap(), []);
    assert_eq!(store.waiting("transfers").unwrap(), None);
    assert_eq!(store.waiting_of("transfers", "\"a\"", 9).unwrap(), []);
    assert_eq!(store.deadline("transfers").unwrap(), None);
    assert_eq!(store.deadlines_of("transfers", "\"a\"").unwrap(), []);
}

fn what_was_kept_is_there_after_opening_again(subject: &mut Subject) {
    let store = filled(subject);
    let failure = Failure { key: None, ..failure(3) };
    let process = ProcessInfo {
        name: "transfers".into(),
        digest: "rules-2".into(),
        since: Position(1),
        checkpoint: Position(2),
        stopped: Some(failure),
    };
    let full = Step {
        number: 1,
        kind: StepKind::Sent,
        time: at(-7),
        position: Some(Position(3)),
        name: Some("Deposit".into()),
        command: Some("c3".into()),
        causation: Some("@2".into()),
        data: Some("{\"amount\":25.10}".into()),
    };
    let rejected = Step { kind: StepKind::Rejected, number: 2, ..full.clone() };
    let moved = Instance {
        ended: true,
        ignored: 4,
        began: Position(2),
        steps: 2,
        time: at(-7),
        ..stopped("transfers", "\"a\"")
    };
    let put = outgoing("transfers", "\"b\"", "x1");
    let due = deadline("transfers", "\"b\"", "late", -9);
    let wait = waiting("transfers", "\"b\"", 2);
    keep(
        store,
        [
            ProcessChange::Process(process.clone()),
            ProcessChange::Instance(moved.clone()),
            stepped("transfers", "\"a\"", full.clone()),
            stepped("transfers", "\"a\"", rejected.clone()),
            ProcessChange::Send(put.clone()),
            ProcessChange::Deadline(due.clone()),
            ProcessChange::Wait(wait.clone()),
        ],
    );
    subject.reopen();
    let store = subject.store();
    assert_eq!(store.process("transfers").unwrap(), Some(process.clone()));
    let tally = Tally {
        running: 1,
        stopped: 1,
        ignored: 4,
        outgoing: 1,
        waiting: 1,
        deadlines: 1,
        next: Some(at(-9)),
        ..Tally::default()
    };
    let other = Tally { running: 1, ..Tally::default() };
    assert_eq!(store.processes().unwrap(), [(info("reminders", 0), other), (process, tally)]);
    assert_eq!(store.instance("transfers", "\"a\"").unwrap(), Some(moved.clone()));
    assert_eq!(store.instances("transfers", None, 9).unwrap(), [moved, instance("transfers", "\"b\"")]);
    assert_eq!(store.steps("transfers", "\"a\"", 0, 9).unwrap(), [full, rejected.clone()]);
    let found = Rejected { number: 2, process: "transfers".into(), key: "\"a\"".into(), step: rejected };
    assert_eq!(store.rejections(0, 9).unwrap(), std::slice::from_ref(&found));
    assert_eq!(store.rejection("c3").unwrap(), Some(found));
    let put = Outgoing { number: 1, ..put };
    assert_eq!(store.outgoing(0).unwrap(), Some(put.clone()));
    assert_eq!(store.outgoing_of("transfers", "\"b\"").unwrap(), [put]);
    assert_eq!(store.waiting("transfers").unwrap(), Some(wait));
    assert_eq!(store.waiting_of("transfers", "\"b\"", 9).unwrap(), [Position(2)]);
    assert_eq!(store.deadline("transfers").unwrap(), Some(due.clone()));
    assert_eq!(store.deadlines_of("transfers", "\"b\"").unwrap(), [due]);
}

fn one_in_place_of_another(subject: &mut Subject) {
    let store = filled(subject);
    let failed = ProcessInfo { stopped: Some(failure(3)), ..info("transfers", 2) };
    keep(store, [ProcessChange::Process(failed), stepped("transfers", "\"a\"", step(1, StepKind::Event))]);
    // It went on. What its instances are stays.
    let went_on = ProcessInfo { digest: "rules-2".into(), ..info("transfers", 3) };
    let ended = Instance { ended: true, state: "{}".into(), steps: 1, ..instance("transfers", "\"a\"") };
    keep(store, [ProcessChange::Process(went_on.clone()), ProcessChange::Instance(ended.clone())]);
    assert_eq!(store.process("transfers").unwrap(), Some(went_on));
    assert_eq!(store.instances("transfers", None, 9).unwrap(), [ended, instance("transfers", "\"b\"")]);
    assert_eq!(store.steps("transfers", "\"a\"", 0, 9).unwrap(), [step(1, StepKind::Event)]);
    assert_eq!(store.process("reminders").unwrap(), Some(info("reminders", 0)), "another one is left alone");
    // The key of a row is not something that a process stops at.
    keep(store, [ProcessChange::Process(ProcessInfo { stopped: Some(failure(1)), ..info("reminders", 0) })]);
    let kept = store.process("reminders").unwrap().unwrap().stopped;
    assert_eq!(kept, Some(Failure { key: None, ..failure(1) }));
}

fn it_goes_with_its_turn(subject: &mut Subject) {
    let store = filled(subject);
    keep(
        store,
        [
            stepped("transfers", "\"a\"", with_command(1, StepKind::Sent, "c1")),
            ProcessChange::Send(outgoing("transfers", "\"a\"", "x1")),
            ProcessChange::Send(outgoing("transfers", "\"a\"", "x2")),
            ProcessChange::Wait(waiting("transfers", "\"a\"", 2)),
            ProcessChange::Deadline(deadline("transfers", "\"a\"", "late", 7)),
            ProcessChange::Deadline(deadline("transfers", "\"b\"", "late", 7)),
        ],
    );
    let before = process_dump(store);
    store.begin().unwrap();
    append(store, &command("c4", "account/ada", 4), &[event("account/ada", "Happened")]).unwrap();
    for change in [
        ProcessChange::Process(ProcessInfo { stopped: Some(failure(4)), ..info("transfers", 4) }),
        ProcessChange::Process(info("added", 4)),
        ProcessChange::Instance(instance("added", "1")),
        ProcessChange::Instance(stopped("transfers", "\"a\"")),
        stepped("transfers", "\"a\"", with_command(2, StepKind::Sent, "c4")),
        stepped("added", "1", with_command(1, StepKind::Rejected, "c5")),
        ProcessChange::Sent(1),
        ProcessChange::Send(outgoing("added", "1", "x3")),
        ProcessChange::Send(outgoing("added", "1", "x4")),
        ProcessChange::Sent(4),
        ProcessChange::Waited(waiting("transfers", "\"a\"", 2)),
        ProcessChange::Wait(waiting("added", "1", 4)),
        ProcessChange::Deadline(deadline("transfers", "\"a\"", "late", 9)),
        ProcessChange::NoDeadlines { process: "transfers".into(), key: "\"b\"".into() },
        ProcessChange::Deadline(deadline("added", "1", "late", 1)),
    ] {
        store.keep(&change).unwrap();
    }
    // A turn sees what it kept.
    assert_eq!(queue(store), ["x3"], "x1 was sent, and x2 is held");
    assert_eq!(store.steps("transfers", "\"a\"", 1, 9).unwrap(), [with_command(2, StepKind::Sent, "c4")]);
    assert_eq!(store.rejections(0, 9).unwrap().len(), 1);
    assert_eq!(store.waiting("added").unwrap(), Some(waiting("added", "1", 4)));
    assert_eq!(store.waiting_of("transfers", "\"a\"", 9).unwrap(), []);
    assert_eq!(store.deadline("added").unwrap(), Some(deadline("added", "1", "late", 1)));
    assert_eq!(store.processes().unwrap().len(), 3);
    store.rollback();
    assert_eq!(process_dump(store), before);
    // Nothing of it is remembered either: the same can be kept now.
    keep(
        store,
        [
            stepped("transfers", "\"a\"", with_command(2, StepKind::Sent, "c4")),
            ProcessChange::Send(outgoing("transfers", "\"a\"", "x3")),
        ],
    );
    assert_eq!(store.outgoing(2).unwrap().map(|next| (next.number, next.id)), Some((3, "x3".into())));
    let after = process_dump(store);
    subject.reopen();
    assert_eq!(process_dump(subject.store()), after);
}

fn steps_have_the_next_number(subject: &mut Subject) {
    let store = filled(subject);
    store.begin().unwrap();
    for number in [0, 2, u64::MAX] {
        let words = misused(store, &stepped("transfers", "\"a\"", step(number, StepKind::Event)));
        assert_eq!(words, format!("after the step 0 of the instance \"a\" of `transfers` comes no step {number}"));
    }
    for (number, kind) in (1..).zip(StepKind::ALL) {
        store.keep(&stepped("transfers", "\"a\"", with_command(number, kind, "c1"))).unwrap();
    }
    for number in [0, 1, 8, 10] {
        misused(store, &stepped("transfers", "\"a\"", step(number, StepKind::Event)));
    }
    // Each instance counts its own, in each process.
    for (process, key) in [("transfers", "\"b\""), ("reminders", "\"a\"")] {
        store.keep(&stepped(process, key, step(1, StepKind::Event))).unwrap();
    }
    store.commit().unwrap();
    let kinds: Vec<_> = store.steps("transfers", "\"a\"", 0, 99).unwrap().iter().map(|step| step.kind).collect();
    assert_eq!(kinds, StepKind::ALL);
    for kind in StepKind::ALL {
        assert_eq!(StepKind::named(kind.name()), Some(kind));
    }
    assert_eq!(StepKind::named("Sent"), None);
}

fn a_command_is_sent_once(subject: &mut Subject) {
    let store = filled(subject);
    keep(store, [stepped("transfers", "\"a\"", with_command(1, StepKind::Sent, "c1"))]);
    store.begin().unwrap();
    for (process, key, number) in [("transfers", "\"a\"", 2), ("reminders", "\"a\"", 1)] {
        let words = misused(store, &stepped(process, key, with_command(number, StepKind::Sent, "c1")));
        assert_eq!(words, "the command `c1` was sent already");
    }
    for (number, kind) in [(2, StepKind::Sent), (2, StepKind::Rejected)] {
        let words = misused(store, &stepped("transfers", "\"a\"", step(number, kind)));
        assert_eq!(words, format!("a step `{}` names its command", kind.name()));
    }
    // Rejected it can be before, and more than once.
    for (number, kind) in [(2, StepKind::Rejected), (3, StepKind::Rejected), (4, StepKind::Sent)] {
        store.keep(&stepped("transfers", "\"a\"", with_command(number, kind, "c2"))).unwrap();
    }
    store.commit().unwrap();
    assert_eq!(store.steps("transfers", "\"a\"", 0, 9).unwrap().len(), 4);
}

fn commands_are_sent_in_the_order_in_which_they_were_put(subject: &mut Subject) {
    let store = filled(subject);
    assert_eq!(queue(store), [""; 0]);
    let places = [("transfers", "\"b\""), ("reminders", "\"a\""), ("transfers", "\"a\""), ("transfers", "\"b\"")];
    for (n, (process, key)) in places.into_iter().enumerate() {
        keep(store, [ProcessChange::Send(Outgoing { number: 77, ..outgoing(process, key, &format!("x{n}")) })]);
    }
    assert_eq!(queue(store), ["x0", "x1", "x2", "x3"]);
    let own: Vec<_> = store.outgoing_of("transfers", "\"b\"").unwrap().into_iter().map(|next| next.number).collect();
    assert_eq!(own, [1, 4]);
    keep(store, [ProcessChange::Sent(1), ProcessChange::Sent(4), ProcessChange::Sent(99)]);
    assert_eq!(queue(store), ["x1", "x2"]);
    // A number is not used again, also where the last one is gone: who goes on after it misses none.
    keep(store, [ProcessChange::Send(outgoing("transfers", "\"b\"", "x4"))]);
    assert_eq!(store.outgoing(4).unwrap().map(|next| (next.number, next.id)), Some((5, "x4".into())));
    keep(store, [ProcessChange::Sent(5)]);
    subject.reopen();
    let store = subject.store();
    keep(store, [ProcessChange::Send(outgoing("transfers", "\"b\"", "x5"))]);
    assert_eq!(store.outgoing(5).unwrap().map(|next| (next.number, next.id)), Some((6, "x5".into())));
    assert_eq!(store.outgoing(u64::MAX).unwrap(), None);
}

fn what_a_stopped_instance_has_to_do_is_held_until_it_goes_on(subject: &mut Subject) {
    let store = filled(subject);
    let to_do = |n: u64, key: &str| {
        [
            ProcessChange::Send(outgoing("transfers", key, &format!("x{n}"))),
            ProcessChange::Wait(waiting("transfers", key, n)),
            ProcessChange::Deadline(deadline("transfers", key, &format!("late{n}"), n.cast_signed())),
        ]
    };
    keep(store, to_do(1, "\"a\"").into_iter().chain(to_do(2, "\"b\"")));
    keep(store, [ProcessChange::Instance(stopped("transfers", "\"a\""))]);
    // What comes while it is stopped is held as well.
    keep(store, to_do(3, "\"a\""));
    // It is as stopped as before.
    keep(store, [ProcessChange::Instance(Instance { ignored: 1, ..stopped("transfers", "\"a\"") })]);
    assert_eq!(queue(store), ["x2"]);
    assert_eq!(store.waiting("transfers").unwrap(), Some(waiting("transfers", "\"b\"", 2)));
    assert_eq!(store.deadline("transfers").unwrap(), Some(deadline("transfers", "\"b\"", "late2", 2)));
    let own: Vec<_> = store.outgoing_of("transfers", "\"a\"").unwrap().into_iter().map(|next| next.id).collect();
    assert_eq!(own, ["x1".into(), "x3".into()]);
    assert_eq!(store.waiting_of("transfers", "\"a\"", 9).unwrap(), [Position(1), Position(3)]);
    assert_eq!(store.deadlines_of("transfers", "\"a\"").unwrap().len(), 2);
    let tally = store.processes().unwrap()[1].1;
    assert_eq!((tally.outgoing, tally.waiting, tally.deadlines, tally.next), (3, 3, 3, Some(at(2))));
    keep(store, [ProcessChange::Instance(stopped("transfers", "\"b\""))]);
    assert_eq!(queue(store), [""; 0]);
    assert_eq!((store.waiting("transfers").unwrap(), store.deadline("transfers").unwrap()), (None, None));
    assert_eq!(store.processes().unwrap()[1].1.next, None);
    keep(store, [ProcessChange::Instance(instance("transfers", "\"a\""))]);
    assert_eq!(queue(store), ["x1", "x3"], "in their places");
    assert_eq!(store.waiting("transfers").unwrap(), Some(waiting("transfers", "\"a\"", 1)));
    assert_eq!(store.deadline("transfers").unwrap(), Some(deadline("transfers", "\"a\"", "late1", 1)));
    subject.reopen();
    assert_eq!(queue(subject.store()), ["x1", "x3"]);
}

fn events_wait_in_the_order_of_the_store(subject: &mut Subject) {
    let store = filled(subject);
    let wait = |key: &str, position| ProcessChange::Wait(waiting("transfers", key, position));
    keep(store, [wait("\"b\"", 2), wait("\"b\"", 3), wait("\"a\"", 3), wait("\"a\"", 2), wait("\"b\"", 2)]);
    keep(store, [ProcessChange::Wait(waiting("reminders", "\"a\"", 1))]);
    assert_eq!(store.waiting_of("transfers", "\"b\"", 9).unwrap(), [Position(2), Position(3)], "each once");
    assert_eq!(store.waiting_of("transfers", "\"b\"", 1).unwrap(), [Position(2)]);
    assert_eq!(store.processes().unwrap()[1].1.waiting, 4);
    let mut order = Vec::new();
    while let Some(next) = store.waiting("transfers").unwrap() {
        order.push((next.position.0, next.key.to_string()));
        keep(store, [ProcessChange::Waited(next.clone()), ProcessChange::Waited(next)]);
    }
    let expected = [(2, "\"a\""), (2, "\"b\""), (3, "\"a\""), (3, "\"b\"")];
    assert_eq!(order, expected.map(|(position, key)| (position, key.to_owned())));
    assert_eq!(store.waiting("reminders").unwrap(), Some(waiting("reminders", "\"a\"", 1)));
}

fn deadlines_come_in_the_order_of_their_times(subject: &mut Subject) {
    let store = filled(subject);
    let set = |key: &str, name: &str, due| ProcessChange::Deadline(deadline("transfers", key, name, due));
    keep(store, [set("\"b\"", "x", 5), set("\"a\"", "x", 5), set("\"a\"", "y", 4), set("\"a\"", "z", -4)]);
    keep(store, [ProcessChange::Deadline(deadline("reminders", "\"a\"", "x", 1))]);
    // Set anew, it comes after the others of its time.
    keep(store, [set("\"b\"", "x", 9), set("\"b\"", "x", 5)]);
    let own: Vec<_> = store.deadlines_of("transfers", "\"a\"").unwrap().into_iter().map(|next| next.name).collect();
    assert_eq!(own, ["z", "y", "x"].map(Into::into));
    let mut order = Vec::new();
    while let Some(next) = store.deadline("transfers").unwrap() {
        order.push(format!("{} {} {}", next.due.micros(), next.key, next.name));
        keep(store, [ProcessChange::NoDeadline { process: next.process, key: next.key, name: next.name }]);
    }
    assert_eq!(order, ["-4 \"a\" z", "4 \"a\" y", "5 \"a\" x", "5 \"b\" x"]);
    assert_eq!(store.deadline("reminders").unwrap(), Some(deadline("reminders", "\"a\"", "x", 1)));
}

fn what_is_no_longer_to_do_is_gone(subject: &mut Subject) {
    let store = filled(subject);
    let set = |key: &str, name: &str| ProcessChange::Deadline(deadline("transfers", key, name, 5));
    keep(store, [set("\"a\"", "x"), set("\"a\"", "y"), set("\"b\"", "x")]);
    let before = process_dump(store);
    // What is not there is no matter, whoever it is asked of.
    let none = |process: &str, key: &str| {
        [
            ProcessChange::NoDeadline { process: process.into(), key: key.into(), name: "z".into() },
            ProcessChange::Waited(waiting(process, key, 1)),
            ProcessChange::Sent(1),
        ]
    };
    keep(store, none("transfers", "\"a\"").into_iter().chain(none("transfers", "1")).chain(none("none", "1")));
    keep(store, [ProcessChange::NoDeadlines { process: "none".into(), key: "1".into() }]);
    assert_eq!(process_dump(store), before);
    keep(store, [ProcessChange::NoDeadlines { process: "transfers".into(), key: "\"a\"".into() }]);
    assert_eq!(store.deadlines_of("transfers", "\"a\"").unwrap(), []);
    assert_eq!(store.deadline("transfers").unwrap(), Some(deadline("transfers", "\"b\"", "x", 5)));
}

fn rejections_are_listed_and_found(subject: &mut Subject) {
    let store = filled(subject);
    keep(
        store,
        [
            stepped("transfers", "\"b\"", with_command(1, StepKind::Rejected, "x1")),
            stepped("transfers", "\"a\"", with_command(1, StepKind::Sent, "x2")),
            stepped("reminders", "\"a\"", with_command(1, StepKind::Rejected, "x1")),
            stepped("transfers", "\"b\"", with_command(2, StepKind::Skipped, "x1")),
            stepped("transfers", "\"b\"", with_command(3, StepKind::Rejected, "x3")),
        ],
    );
    let all = store.rejections(0, 9).unwrap();
    let shown = |found: &Rejected| (found.number, found.process.to_string(), found.key.to_string(), found.step.clone());
    let expected =
        [(1, "transfers", "\"b\"", 1, "x1"), (3, "reminders", "\"a\"", 1, "x1"), (5, "transfers", "\"b\"", 3, "x3")]
            .map(|(n, process, key, number, id)| {
                (n, process.to_owned(), key.to_owned(), with_command(number, StepKind::Rejected, id))
            });
    assert_eq!(all.iter().map(shown).collect::<Vec<_>>(), expected);
    let mut paged = store.rejections(0, 2).unwrap();
    paged.extend(store.rejections(paged[1].number, 2).unwrap());
    assert_eq!(paged, all);
    assert_eq!(store.rejections(u64::MAX, 9).unwrap(), []);
    assert_eq!(store.rejection("x1").unwrap(), Some(all[1].clone()), "the last of that command");
    assert_eq!(store.rejection("x2").unwrap(), None);
}

fn instances_and_steps_are_listed_in_pages(subject: &mut Subject) {
    let store = filled(subject);
    let keys = ["10", "9", "", "\"ä\"", "[1,2]"];
    keep(store, keys.map(|key| ProcessChange::Instance(instance("transfers", key))));
    let all = store.instances("transfers", None, 99).unwrap();
    let listed: Vec<_> = all.iter().map(|instance| &*instance.key).collect();
    assert_eq!(listed, ["", "\"a\"", "\"b\"", "\"ä\"", "10", "9", "[1,2]"], "by their bytes");
    for limit in 1..=8 {
        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = store.instances("transfers", after.as_deref(), limit).unwrap();
            after = page.last().map(|last: &Instance| last.key.clone());
            let is_last = page.len() < limit;
            paged.extend(page);
            if is_last {
                break;
            }
        }
        assert_eq!(paged, all, "{limit} at a time");
    }
    assert_eq!(store.instances("transfers", None, 0).unwrap(), []);
    assert_eq!(store.instances("transfers", Some("\"c\""), 1).unwrap(), [instance("transfers", "\"ä\"")]);
    keep(store, (1..=5).map(|number| stepped("transfers", "9", step(number, StepKind::Event))));
    let mut numbers = |after, limit| -> Vec<u64> {
        store.steps("transfers", "9", after, limit).unwrap().iter().map(|step| step.number).collect()
    };
    assert_eq!(numbers(0, 2), [1, 2]);
    assert_eq!(numbers(2, 9), [3, 4, 5]);
    assert_eq!(numbers(5, 9), [0; 0]);
    assert_eq!(numbers(u64::MAX, 9), [0; 0]);
}

fn instances_are_counted(subject: &mut Subject) {
    let store = filled(subject);
    let ended = |key: &str| Instance { ended: true, ignored: 3, ..instance("transfers", key) };
    keep(
        store,
        [
            ProcessChange::Instance(ended("1")),
            ProcessChange::Instance(ended("2")),
            ProcessChange::Instance(stopped("transfers", "3")),
            // Whoever ended and stopped counts as stopped.
            ProcessChange::Instance(Instance { ended: true, ignored: 1, ..stopped("transfers", "4") }),
            ProcessChange::Process(info("a first one", 0)),
        ],
    );
    let counted = Tally { running: 2, ended: 2, stopped: 2, ignored: 7, ..Tally::default() };
    let one = Tally { running: 1, ..Tally::default() };
    let all = store.processes().unwrap();
    let tallies: Vec<_> = all.iter().map(|(info, tally)| (&*info.name, *tally)).collect();
    assert_eq!(tallies, [("a first one", Tally::default()), ("reminders", one), ("transfers", counted)]);
}

fn what_belongs_to_nothing_is_refused(subject: &mut Subject) {
    let store = filled(subject);
    let before = process_dump(store);
    store.begin().unwrap();
    let no_process = "there is no process `none`";
    assert_eq!(misused(store, &ProcessChange::Instance(instance("none", "1"))), no_process);
    for (process, key) in [("none", "\"a\""), ("transfers", "\"c\""), ("reminders", "\"b\"")] {
        let words = format!("there is no instance {key} of the process `{process}`");
        for change in [
            stepped(process, key, step(1, StepKind::Event)),
            ProcessChange::Send(outgoing(process, key, "x1")),
            ProcessChange::Deadline(deadline(process, key, "late", 1)),
            ProcessChange::Wait(waiting(process, key, 1)),
        ] {
            assert_eq!(misused(store, &change), words);
        }
    }
    let words = misused(store, &ProcessChange::Process(info("transfers", 4)));
    assert_eq!(words, "the process `transfers` has not routed what is not there: 4, and the store ends at 3");
    // Nothing was begun: the turn goes on.
    assert_eq!(process_dump(store), before);
    append(store, &command("c4", "account/ada", 4), &[event("account/ada", "Happened")]).unwrap();
    store.keep(&ProcessChange::Process(info("transfers", 4))).unwrap();
    store.commit().unwrap();
    assert_eq!(store.process("transfers").unwrap(), Some(info("transfers", 4)));
}

fn nothing_is_kept_outside_a_turn(subject: &mut Subject) {
    let store = filled(subject);
    let before = process_dump(store);
    for change in [
        ProcessChange::Process(info("transfers", 1)),
        ProcessChange::Instance(stopped("transfers", "\"a\"")),
        stepped("transfers", "\"a\"", step(1, StepKind::Event)),
        ProcessChange::Send(outgoing("transfers", "\"a\"", "x1")),
        ProcessChange::Sent(1),
        ProcessChange::Deadline(deadline("transfers", "\"a\"", "late", 1)),
        ProcessChange::NoDeadline { process: "transfers".into(), key: "\"a\"".into(), name: "late".into() },
        ProcessChange::NoDeadlines { process: "transfers".into(), key: "\"a\"".into() },
        ProcessChange::Wait(waiting("transfers", "\"a\"", 1)),
        ProcessChange::Waited(waiting("transfers", "\"a\"", 1)),
    ] {
        assert_eq!(misused(store, &change), "nothing is appended or committed outside a turn");
    }
    assert_eq!(process_dump(store), before);
}

/// A history with everything in it, that holds.
pub fn busy(store: &mut dyn Store) {
    let went = Instance { steps: 3, ..instance("transfers", "\"a\"") };
    let halted = Instance { steps: 1, ..stopped("transfers", "\"b\"") };
    let sent = Step { position: Some(Position(2)), ..with_command(2, StepKind::Sent, "c2") };
    // This one gave no event: it is not in the store, and has no position.
    let in_vain = with_command(3, StepKind::Sent, "in vain");
    let mut changes = vec![
        ProcessChange::Process(info("transfers", 3)),
        ProcessChange::Instance(went),
        ProcessChange::Instance(halted),
        stepped("transfers", "\"a\"", step(1, StepKind::Event)),
        stepped("transfers", "\"b\"", with_command(1, StepKind::Rejected, "x9")),
        stepped("transfers", "\"a\"", sent),
        stepped("transfers", "\"a\"", in_vain),
    ];
    for key in ["\"a\"", "\"b\""] {
        changes.push(ProcessChange::Send(outgoing("transfers", key, key)));
        changes.push(ProcessChange::Wait(waiting("transfers", key, 3)));
        changes.push(ProcessChange::Deadline(deadline("transfers", key, "late", 1)));
    }
    keep(store, changes);
}

fn what_was_kept_verifies(subject: &mut Subject) {
    let store = filled(subject);
    let sound = store.verify(Position(0), &mut |_, _| {}).unwrap();
    busy(store);
    assert_eq!(store.verify(Position(0), &mut |_, _| {}).unwrap(), sound);
}
