//! Many processes want the last seat of a course: a decision about two streams, which exactly one of them may win.

use super::victim::{End, Victim};
use crate::support::Folder;
use crate::support::history::{Ledger, events};
use crate::support::trial::scaled;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Barrier;
use std::thread;

/// How many want the seat. One half sends single commands, the other one batches, which have started before.
const STUDENTS: usize = 16;

/// A course with one seat, and those who want it: the commands that make them.
fn course(round: usize) -> String {
    let line = |stream: &str, command: &str, data: &str| {
        format!("{{\"stream\":\"{stream}\",\"command\":\"{command}\",\"data\":{data}}}\n")
    };
    let lesson = r#"{"title":"Logic","lesson":{"weekday":1,"hour":10},"capacity":1}"#;
    let students = (0..STUDENTS).map(|n| line(&student(round, n), "Register", r#"{"name":"S"}"#));
    students.chain([line(&format!("course/{round}"), "Define", lesson)]).collect()
}

fn student(round: usize, n: usize) -> String {
    format!("student/{round}-{n}")
}

/// What each of them was told, all sending at once.
fn race(folder: &Folder, round: usize) -> Vec<End> {
    let (line, course) = (Barrier::new(STUDENTS), format!("course={round}"));
    let (line, course) = (&line, course.as_str());
    let single = move |stream: String| {
        line.wait();
        Victim::start(folder, &["send", &stream, "Subscribe", course, "-o", "json"]).end()
    };
    let batch = move |stream: String| {
        let mut victim = Victim::start(folder, &["send", "--batch", "-"]);
        line.wait();
        let data = format!("{{\"course\":\"{round}\"}}");
        victim.feed(&format!("{{\"stream\":\"{stream}\",\"command\":\"Subscribe\",\"data\":{data}}}\n"));
        victim.end()
    };
    thread::scope(|scope| {
        let all: Vec<_> = (0..STUDENTS)
            .map(|n| {
                let stream = student(round, n);
                scope.spawn(move || if n % 2 == 0 { single(stream) } else { batch(stream) })
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

#[test]
fn the_last_seat_is_given_once() {
    let folder = Folder::example("courses").with_a_running_clock();
    let rounds = scaled(20, 200);
    let (mut ledger, mut winners, mut batches) = (Ledger::default(), BTreeMap::new(), 0);
    for round in 0..rounds {
        for receipt in folder.esctl_with("send --batch -", course(round)).done().lines() {
            ledger.note(receipt);
        }
        for (n, end) in race(&folder, round).into_iter().enumerate() {
            let [told] = &end.printed[..] else { panic!("told more or less than one thing: {end:?}") };
            let answer: Value = serde_json::from_str(told).unwrap();
            if answer["outcome"] == "accepted" {
                assert_eq!(end.exit, Some(0), "{end:?}");
                ledger.note(told);
                let before = winners.insert(format!("course/{round}"), student(round, n));
                assert_eq!(before, None, "course/{round} has another winner beside {}", student(round, n));
                batches += n % 2;
            } else {
                assert_eq!((&answer["code"], end.exit), (&Value::from("course_full"), Some(1)), "{end:?}");
            }
        }
    }
    eprintln!("{rounds} seats, {} given: {batches} of them in a batch", winners.len());
    assert_eq!(winners.len(), rounds, "a seat was given to nobody");
    ledger.check(&folder);

    // Both streams say so: the course's has the winner, the winner's has the course, by the same command.
    let log = events(&folder);
    let of = |kind: &str| log.iter().filter(move |event| event["type"] == kind).collect::<Vec<_>>();
    let (taken, subscribed) = (of("SeatTaken"), of("Subscribed"));
    assert_eq!((taken.len(), subscribed.len()), (rounds, rounds));
    for (taken, subscribed) in taken.iter().zip(subscribed) {
        let (course, winner) = (taken["stream"].as_str().unwrap(), subscribed["stream"].as_str().unwrap());
        assert_eq!(winners[course], winner);
        assert_eq!(course, format!("course/{}", subscribed["data"]["course"].as_str().unwrap()));
        assert_eq!(winner, format!("student/{}", taken["data"]["student"].as_str().unwrap()));
        assert_eq!(taken["command"]["id"], subscribed["command"]["id"]);
    }
    let free = "sql 'SELECT count(*) AS courses, sum(free) AS free FROM seats' -o csv";
    assert_eq!(folder.esctl(free).done(), format!("courses,free\n{rounds},0\n"));
}
