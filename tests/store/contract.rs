//! What every store promises about events and commands. Each function is a sentence of the contract.

use super::*;
use esctl::event::{Expect, Hash, Head, MAX_LABEL_BYTES, MAX_PAYLOAD_BYTES, Version};
use esctl::store::{EventPage, Verified, chain};

macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod sqlite { $(#[test] fn $name() { super::$name(&mut super::Subject::sqlite()); })* }
        mod memory { $(#[test] fn $name() { super::$name(&mut super::Subject::memory()); })* }
        mod wrapped { $(#[test] fn $name() { super::$name(&mut super::Subject::wrapped()); })* }
    };
}
pub(super) use on_every_store;

on_every_store!(
    a_new_store_is_empty,
    what_was_committed_is_there_after_opening_again,
    what_was_not_committed_is_not,
    the_events_of_a_command_are_adjacent_across_streams,
    a_refused_command_leaves_nothing_and_the_turn_goes_on,
    a_turn_sees_what_it_appended,
    versions_and_positions_have_no_gaps,
    rolling_back_leaves_nothing,
    names_of_a_turn_that_was_rolled_back_are_forgotten,
    the_head_chains_everything,
    the_hash_of_an_event_never_changes,
    what_was_stored_verifies,
    domains_are_listed_by_what_they_decided,
    time_does_not_go_backwards,
    a_command_id_is_stored_once,
    limits_are_kept,
    calls_out_of_turn_are_refused,
    a_stream_is_read_in_pages,
    the_store_is_read_in_pages_through_filters,
    moments_are_found,
    streams_are_listed_by_name,
    a_command_is_found_with_its_events,
);

fn a_new_store_is_empty(subject: &mut Subject) {
    let store = subject.store();
    assert_eq!(store.id(), ID);
    assert_eq!(store.head().unwrap(), Head::default());
    assert_eq!(store.version(&stream("account/ada")).unwrap(), Version(0));
    assert!(everything(store).is_empty());
    let page = store.read_back(None, 10, false, &EventFilter::default()).unwrap();
    assert_eq!(page, EventPage { events: vec![], scanned: Position(0), done: true });
    assert_eq!(store.streams(None, 10).unwrap(), vec![]);
    assert_eq!(store.command("c1").unwrap(), None);
    assert_eq!(store.position_at(at(0)).unwrap(), Position(0));
    assert_eq!(store.version_at(&stream("account/ada"), Position(9)).unwrap(), Version(0));
    assert!(!store.knows_domain("digest-1").unwrap());
    assert_eq!(store.generations().unwrap(), vec![]);
}

fn what_was_committed_is_there_after_opening_again(subject: &mut Subject) {
    let full = Command {
        actor: None,
        correlation: Some("talk".into()),
        causation: None,
        meta: Some("{\"ip\":\"::1\"}".into()),
        ..command("c1", "account/ada", -1)
    };
    let first = NewEvent {
        schema: 7,
        data: "{\"amount\":25.10,\"note\":\"ä\\u0000\"}".into(),
        ..event("account/ada", "Opened")
    };
    let store = subject.store();
    store.begin().unwrap();
    append(store, &full, std::slice::from_ref(&first)).unwrap();
    store.commit().unwrap();
    send(store, "c2", 5, &[("account/ada", "Closed")]);
    let (events, head) = (everything(store), store.head().unwrap());

    subject.reopen();
    let store = subject.store();
    assert_eq!(store.id(), ID);
    assert_eq!(store.head().unwrap(), head);
    assert_eq!((head.position, head.time), (Position(2), Some(at(5))));
    assert_eq!(everything(store), events);
    assert_eq!(events[0].command.as_deref(), Some(&full));
    assert_eq!(events[1].command.as_deref(), Some(&command("c2", "account/ada", 5)));
    let bare = Recorded { command: None, ..events[0].clone() };
    let expected = Recorded {
        position: Position(1),
        stream: first.stream,
        version: Version(1),
        kind: first.kind,
        schema: 7,
        data: first.data,
        time: at(-1),
        command: None,
    };
    assert_eq!(bare, expected);
    assert_eq!(send(store, "c3", 5, &[("account/ada", "Opened")]).first, Position(3));
}

fn what_was_not_committed_is_not(subject: &mut Subject) {
    send(subject.store(), "c1", 1, &[("account/ada", "Opened")]);
    let before = everything(subject.store());
    subject.store().begin().unwrap();
    append(subject.store(), &command("c2", "account/ada", 2), &[event("account/ada", "Closed")]).unwrap();
    subject.reopen();
    assert_eq!(everything(subject.store()), before);
    assert_eq!(subject.store().command("c2").unwrap(), None);
}

fn the_events_of_a_command_are_adjacent_across_streams(subject: &mut Subject) {
    let store = subject.store();
    send(store, "c1", 1, &[("account/bob", "Opened")]);
    let given = send(
        store,
        "c2",
        2,
        &[("account/ada", "Out"), ("account/bob", "In"), ("log/x", "Moved"), ("account/ada", "Out")],
    );
    assert_eq!(given.first, Position(2));
    assert_eq!(given.versions, [1, 2, 1, 2].map(Version));
    let events = everything(store);
    let of =
        |e: &Recorded| (e.position.0, e.stream.to_string(), e.version.0, e.command.as_ref().unwrap().id.to_string());
    assert_eq!(
        events[1..].iter().map(of).collect::<Vec<_>>(),
        [(2, "account/ada", 1), (3, "account/bob", 2), (4, "log/x", 1), (5, "account/ada", 2)].map(|(p, s, v)| (
            p,
            s.to_owned(),
            v,
            "c2".to_owned()
        ))
    );
    assert_eq!(given.head, store.head().unwrap().hash);
}

fn a_refused_command_leaves_nothing_and_the_turn_goes_on(subject: &mut Subject) {
    let store = subject.store();
    store.begin().unwrap();
    append(store, &command("c1", "account/ada", 10), &[event("account/ada", "Opened")]).unwrap();
    let large = NewEvent { data: "x".repeat(MAX_PAYLOAD_BYTES + 1).into(), ..event("new/one", "New") };
    let outcome = append(store, &command("c2", "new/two", 10), &[event("new/two", "New"), large]);
    assert!(matches!(outcome, Err(StoreError::Limit(_))), "{outcome:?}");
    let none = append(store, &command("c3", "new/two", 10), &[]);
    assert!(matches!(none, Err(StoreError::Misuse(_))), "{none:?}");
    assert_eq!(
        append(store, &command("c4", "account/ada", 10), &[event("account/ada", "More")]).unwrap().first,
        Position(2)
    );
    store.commit().unwrap();
    assert_eq!(everything(store).len(), 2);
    assert_eq!(store.command("c2").unwrap(), None);
    assert_eq!(store.version(&stream("new/two")).unwrap(), Version(0));
    assert_eq!(store.streams(None, 10).unwrap().len(), 1);
}

fn a_turn_sees_what_it_appended(subject: &mut Subject) {
    let ada = stream("account/ada");
    let store = subject.store();
    store.begin().unwrap();
    for n in 0..3 {
        let expected = Expect::Version(Version(n));
        assert!(expected.holds(store.version(&ada).unwrap()));
        let given =
            append(store, &command(&format!("c{n}"), "account/ada", 1), &[event("account/ada", "Opened")]).unwrap();
        assert_eq!(given.versions, [Version(n + 1)]);
        assert_eq!(store.head().unwrap().hash, given.head);
    }
    let mut page = Vec::new();
    store.read_stream(&ada, Version(1), 10, true, &mut page).unwrap();
    assert_eq!(page.iter().map(|e| e.version.0).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(store.command("c2").unwrap().unwrap().events.len(), 1);
    assert!(store.knows_domain("digest-1").unwrap());
    assert!(store.domain_text("digest-1").unwrap().is_some());
    assert_eq!(store.domain_text("digest-9").unwrap(), None);
    store.commit().unwrap();
    assert_eq!(store.version(&ada).unwrap(), Version(3));
}

fn versions_and_positions_have_no_gaps(subject: &mut Subject) {
    let names = ["account/ada", "account/bob", "order/1"];
    let mut n = 0;
    for turn in 0..12 {
        let store = subject.store();
        store.begin().unwrap();
        for _ in 0..=turn % 3 {
            let events: Vec<_> = (0..=n % 4).map(|i| event(names[(n + i) % 3], "Happened")).collect();
            append(store, &command(&format!("c{n}"), names[n % 3], 1), &events).unwrap();
            n += 1;
        }
        if turn % 4 == 1 {
            store.rollback();
        } else {
            store.commit().unwrap();
        }
        if turn % 5 == 4 {
            subject.reopen();
        }
    }
    let events = everything(subject.store());
    assert!(events.len() > 30);
    let positions: Vec<_> = events.iter().map(|e| e.position.0).collect();
    assert_eq!(positions, (1..=events.len() as u64).collect::<Vec<_>>());
    for name in names {
        let versions: Vec<_> = events.iter().filter(|e| e.stream.as_str() == name).map(|e| e.version.0).collect();
        assert_eq!(versions, (1..=versions.len() as u64).collect::<Vec<_>>());
        assert_eq!(subject.store().version(&stream(name)).unwrap().0, versions.len() as u64);
    }
}

fn rolling_back_leaves_nothing(subject: &mut Subject) {
    send(subject.store(), "c1", 1, &[("account/ada", "Opened")]);
    let unused = table("unused", ColumnKind::Text, "d");
    let before = dump(subject.store(), &unused);
    let store = subject.store();
    store.begin().unwrap();
    let new = Command { domain: "digest-2".into(), ..command("c2", "other/1", 2) };
    append(store, &new, &[event("account/ada", "Closed"), event("other/2", "New")]).unwrap();
    assert_ne!(dump(store, &unused), before);
    store.rollback();
    assert_eq!(dump(store, &unused), before);
    assert!(!store.knows_domain("digest-2").unwrap());
    assert_eq!(store.version(&stream("other/2")).unwrap(), Version(0));
    store.rollback();
    subject.reopen();
    assert_eq!(dump(subject.store(), &unused), before);
    assert_eq!(send(subject.store(), "c2", 2, &[("account/ada", "Closed")]).versions, [Version(2)]);
}

/// The numbers that stand for names in a file are given again after a rollback, to other names.
fn names_of_a_turn_that_was_rolled_back_are_forgotten(subject: &mut Subject) {
    let store = subject.store();
    store.begin().unwrap();
    let gone = Command { domain: "digest-gone".into(), ..command("c1", "gone/1", 1) };
    append(store, &gone, &[event("gone/1", "Gone"), event("gone/2", "Lost")]).unwrap();
    everything(store);
    store.rollback();

    store.begin().unwrap();
    let kept = Command { domain: "digest-kept".into(), ..command("c1", "kept/1", 1) };
    append(store, &kept, &[event("kept/1", "Kept"), event("gone/2", "Lost"), event("gone/1", "Gone")]).unwrap();
    store.commit().unwrap();
    let kinds = |store: &mut dyn Store| {
        let of = |e: Recorded| format!("{} {} {}", e.stream, e.kind, e.command.unwrap().domain);
        everything(store).into_iter().map(of).collect::<Vec<_>>()
    };
    let expected = ["kept/1 Kept digest-kept", "gone/2 Lost digest-kept", "gone/1 Gone digest-kept"];
    assert_eq!(kinds(store), expected);
    assert!(!store.knows_domain("digest-gone").unwrap());
    subject.reopen();
    assert_eq!(kinds(subject.store()), expected);
    assert!(!subject.store().knows_domain("digest-gone").unwrap());
}

fn the_head_chains_everything(subject: &mut Subject) {
    let store = subject.store();
    let mut heads = vec![send(store, "c1", 1, &[("account/ada", "Opened"), ("account/bob", "Opened")]).head];
    heads.push(send(store, "c2", 2, &[("account/ada", "Closed")]).head);
    let events = everything(store);
    let chained = |events: &[Recorded], id: &str| {
        let mut hash = chain::GENESIS;
        events
            .iter()
            .map(|event| {
                let digest = chain::command(event.command.as_ref().unwrap());
                hash = chain::Link::from(event).hash(&hash, id, &digest);
                hash
            })
            .collect::<Vec<Hash>>()
    };
    let hashes = chained(&events, ID);
    assert_eq!([hashes[1], hashes[2]], heads[..]);
    assert_eq!(store.head().unwrap().hash, heads[1]);
    assert_eq!(store.command("c1").unwrap().unwrap().head, heads[0]);
    assert_ne!(chained(&events, "another store"), hashes);

    // Whatever is changed in the first event or its command changes the head.
    let base = Command {
        correlation: Some("a".into()),
        meta: Some("{}".into()),
        ..(**events[0].command.as_ref().unwrap()).clone()
    };
    let with = |command: Command, change: &dyn Fn(&mut Recorded)| {
        let mut changed = events.clone();
        changed[0].command = Some(command.into());
        change(&mut changed[0]);
        chained(&changed, ID)[2]
    };
    let same: &dyn Fn(&mut Recorded) = &|_| {};
    let mut seen = vec![with(base.clone(), same)];
    let changes: [&dyn Fn(&mut Recorded); 7] = [
        &|e| e.position = Position(9),
        &|e| e.stream = stream("account/eve"),
        &|e| e.version = Version(9),
        &|e| e.kind = "Opene".into(),
        &|e| e.schema = 2,
        &|e| e.time = at(0),
        &|e| e.data = "{}".into(),
    ];
    seen.extend(changes.map(|change| with(base.clone(), change)));
    for command in [
        Command { id: "c".into(), ..base.clone() },
        Command { stream: stream("account/eve"), ..base.clone() },
        Command { name: "Did".into(), ..base.clone() },
        Command { data: "{}".into(), ..base.clone() },
        Command { actor: None, ..base.clone() },
        Command { actor: Some("".into()), ..base.clone() },
        Command { correlation: None, ..base.clone() },
        Command { causation: None, ..base.clone() },
        Command { causation: None, correlation: Some("@1".into()), ..base.clone() },
        Command { meta: None, ..base.clone() },
        Command { domain: "digest-2".into(), ..base.clone() },
    ] {
        seen.push(with(command, same));
    }
    let all = seen.len();
    seen.sort_by_key(|hash| hash.0);
    seen.dedup();
    assert_eq!(seen.len(), all);
}

/// Computed by hand with another program, from the description in `chain.rs`: old stores depend on it.
fn the_hash_of_an_event_never_changes(subject: &mut Subject) {
    let given = send(subject.store(), "c1", -7, &[("account/ada", "Opened")]);
    assert_eq!(given.head.to_string(), "2ee7055f36dbe870e2114b4d271ada92c8b277e1c4e54d3a1a5a65823f661c48");
}

fn time_does_not_go_backwards(subject: &mut Subject) {
    let store = subject.store();
    send(store, "c1", 10, &[("account/ada", "Opened")]);
    store.begin().unwrap();
    let events = [event("account/ada", "Closed")];
    let early = append(store, &command("c2", "account/ada", 9), &events);
    assert!(matches!(early, Err(StoreError::Misuse(_))), "{early:?}");
    append(store, &command("c3", "account/ada", 12), &events).unwrap();
    let early = append(store, &command("c4", "account/ada", 11), &events);
    assert!(matches!(early, Err(StoreError::Misuse(_))), "{early:?}");
    append(store, &command("c5", "account/ada", 12), &events).unwrap();
    store.commit().unwrap();
    assert_eq!(everything(store).iter().map(|e| e.time.micros()).collect::<Vec<_>>(), [10, 12, 12]);
}

fn a_command_id_is_stored_once(subject: &mut Subject) {
    let events = [event("account/ada", "Opened")];
    send(subject.store(), "c1", 1, &[("account/ada", "Opened")]);
    subject.reopen();
    let store = subject.store();
    store.begin().unwrap();
    append(store, &command("c2", "account/ada", 1), &events).unwrap();
    for id in ["c1", "c2"] {
        let again = append(store, &command(id, "account/ada", 1), &events);
        assert!(matches!(again, Err(StoreError::Misuse(_))), "{again:?}");
    }
    store.commit().unwrap();
    assert_eq!(everything(store).len(), 2);
}

fn limits_are_kept(subject: &mut Subject) {
    let store = subject.store();
    let text = |bytes: usize| -> Box<str> { format!("\"{}\"", "x".repeat(bytes - 2)).into() };
    let (fits, long) = (text(MAX_PAYLOAD_BYTES), text(MAX_PAYLOAD_BYTES + 1));
    let label = |bytes: usize| -> Option<Box<str>> { Some("l".repeat(bytes).into()) };
    let base = command("c1", "account/ada", 1);
    let events = [event("account/ada", "Opened")];
    store.begin().unwrap();
    for refused in [
        Command { id: label(MAX_LABEL_BYTES + 1).unwrap(), ..base.clone() },
        Command { actor: label(MAX_LABEL_BYTES + 1), ..base.clone() },
        Command { correlation: label(MAX_LABEL_BYTES + 1), ..base.clone() },
        Command { causation: label(MAX_LABEL_BYTES + 1), ..base.clone() },
        Command { meta: Some(long.clone()), ..base.clone() },
        Command { data: long.clone(), ..base.clone() },
    ] {
        let outcome = append(store, &refused, &events);
        assert!(matches!(outcome, Err(StoreError::Limit(_))), "{outcome:?}");
    }
    let large = NewEvent { data: long, ..events[0].clone() };
    let Err(StoreError::Limit(words)) = append(store, &base, &[large]) else { panic!("a payload too long was taken") };
    assert_eq!(words, "the payload of `Opened` has 1048577 bytes, a store keeps at most 1048576");
    let largest = Command {
        id: label(MAX_LABEL_BYTES).unwrap(),
        actor: label(MAX_LABEL_BYTES),
        data: fits.clone(),
        meta: Some(fits.clone()),
        ..base
    };
    append(store, &largest, &[NewEvent { data: fits, ..events[0].clone() }]).unwrap();
    store.commit().unwrap();
    assert_eq!(everything(store)[0].data.len(), MAX_PAYLOAD_BYTES);
}

fn calls_out_of_turn_are_refused(subject: &mut Subject) {
    let misused =
        |outcome: Result<(), StoreError>| assert!(matches!(outcome, Err(StoreError::Misuse(_))), "{outcome:?}");
    let store = subject.store();
    let table = table("balances", ColumnKind::Text, "d1");
    let events = [event("account/ada", "Opened")];
    misused(append(store, &command("c1", "account/ada", 1), &events).map(|_| ()));
    misused(store.commit());
    store.rollback();
    store.begin().unwrap();
    misused(store.begin());
    misused(store.verify(Position(0), &mut |_, _| {}).map(|_| ()));
    misused(store.build(&table).map(|_| ()));
    misused(store.abandon("balances"));
    misused(store.advance(&table, 1, Position(0), Position(0), &[]));
    misused(store.serve(&table, 1, at(1)));
    append(store, &command("c1", "account/ada", 1), &events).unwrap();
    store.commit().unwrap();
    misused(store.commit());
    assert_eq!(everything(store).len(), 1);
}

fn what_was_stored_verifies(subject: &mut Subject) {
    let store = subject.store();
    let empty = store.verify(Position(0), &mut |_, _| {}).unwrap();
    assert_eq!(empty, Verified::default());
    let text = "text of the domain";
    for n in 0..1500 {
        let to = format!("account/{}", n % 7);
        let command = Command { domain: chain::domain(text).into(), ..command(&format!("c{n}"), &to, n) };
        let events = [event(&to, "Added"), event("account/all", "Added")];
        store.begin().unwrap();
        store.append(&Decision { command: &command, domain_text: text, events: &events }).unwrap();
        store.commit().unwrap();
    }
    let mut steps = Vec::new();
    let verified = store.verify(Position(0), &mut |done, of| steps.push((done, of))).unwrap();
    assert_eq!(verified.findings, []);
    let counts = (verified.events, verified.streams, verified.commands, verified.domains, verified.more);
    assert_eq!(counts, (3000, 8, 1500, 1, 0));
    assert_eq!(verified.head, store.head().unwrap());
    assert_eq!(steps.last(), Some(&(Position(3000), Position(3000))));
    // What was verified before is left out; a command is verified whole.
    for (since, start) in [(1, 0), (2, 2), (2000, 2000), (2001, 2000), (2999, 2998), (3000, 3000)] {
        let mut steps = Vec::new();
        let rest = store.verify(Position(since), &mut |done, of| steps.push((done, of))).unwrap();
        let left = 3000 - start;
        let streams = if left == 0 { 0 } else { 1 + (left / 2).min(7) };
        let counts = (rest.since.0, rest.events, rest.streams, rest.commands, rest.findings.len());
        assert_eq!(counts, (start, left, streams, left / 2, 0), "since @{since}");
        assert_eq!(rest.head, verified.head);
        assert!(steps.last().is_none_or(|last| *last == (Position(left), Position(left))), "{steps:?}");
    }
    assert_eq!(store.hash_at(Position(3000)).unwrap(), Some(verified.head.hash));
    assert_ne!(store.hash_at(Position(1)).unwrap(), Some(verified.head.hash));
    assert_eq!(store.hash_at(Position(0)).unwrap(), None);
    assert_eq!(store.hash_at(Position(3001)).unwrap(), None);
}

fn domains_are_listed_by_what_they_decided(subject: &mut Subject) {
    let store = subject.store();
    assert_eq!(store.domains().unwrap(), []);
    let order = [("one", 3), ("two", 3), ("one", 5), ("two", 6), ("two", 6)];
    for (n, (digest, time)) in order.into_iter().enumerate() {
        let sent = command(&format!("c{n}"), "account/ada", time);
        let command = Command { domain: digest.into(), ..sent };
        store.begin().unwrap();
        append(store, &command, &[event("account/ada", "Added"), event("account/bob", "Added")]).unwrap();
        store.commit().unwrap();
    }
    let used = |digest: &str, commands, (first, last), (since, until)| DomainUse {
        digest: digest.into(),
        commands,
        first: Position(first),
        last: Position(last),
        since: at(since),
        until: at(until),
    };
    assert_eq!(store.domains().unwrap(), [used("one", 2, (1, 6), (3, 5)), used("two", 3, (3, 10), (3, 6))]);
}

fn a_stream_is_read_in_pages(subject: &mut Subject) {
    let store = subject.store();
    for n in 0..5 {
        send(
            store,
            &format!("c{n}"),
            n,
            &[("account/ada", "Added"), ("account/bob", "Other"), ("account/ada", "More")],
        );
    }
    subject.reopen();
    let store = subject.store();
    let ada = stream("account/ada");
    let mut page = vec![everything(store).remove(0)];
    store.read_stream(&ada, Version(2), 3, false, &mut page).unwrap();
    assert_eq!(page[1..].iter().map(|e| (e.version.0, e.position.0)).collect::<Vec<_>>(), [(3, 4), (4, 6), (5, 7)]);
    assert!(page[1..].iter().all(|e| e.command.is_none() && e.stream == ada));
    page.clear();
    store.read_stream(&ada, Version(7), 100, true, &mut page).unwrap();
    let of = |e: &Recorded| (e.version.0, e.kind.to_string(), e.command.as_ref().unwrap().id.to_string());
    let expected = [(8, "More", "c3"), (9, "Added", "c4"), (10, "More", "c4")];
    assert_eq!(page.iter().map(of).collect::<Vec<_>>(), expected.map(|(v, k, c)| (v, k.to_owned(), c.to_owned())));
    page.clear();
    for (name, after, limit) in
        [("account/ada", 10, 5), ("account/ada", u64::MAX, 5), ("account/ada", 0, 0), ("none/1", 0, 5)]
    {
        store.read_stream(&stream(name), Version(after), limit, true, &mut page).unwrap();
        assert_eq!(page, vec![], "{name} after {after}, {limit}");
    }
}

/// Reads all pages forwards and backwards.
fn pages(store: &mut dyn Store, limit: usize, filter: &EventFilter) -> (Vec<u64>, Vec<u64>) {
    let head = store.head().unwrap().position;
    let (mut forward, mut after) = (Vec::new(), Position(0));
    loop {
        let page = store.read_all(after, limit, false, filter).unwrap();
        assert!(page.events.len() <= limit && (page.scanned > after || page.done));
        forward.extend(page.events.iter().map(|e| e.position.0));
        after = page.scanned;
        if page.done {
            assert_eq!(page.scanned, head);
            break;
        }
    }
    let (mut backward, mut before) = (Vec::new(), None);
    loop {
        let page = store.read_back(before, limit, false, filter).unwrap();
        assert!(page.events.len() <= limit && before.is_none_or(|b| page.scanned < b));
        backward.extend(page.events.iter().map(|e| e.position.0));
        before = Some(page.scanned);
        if page.done {
            break;
        }
    }
    (forward, backward)
}

fn the_store_is_read_in_pages_through_filters(subject: &mut Subject) {
    let store = subject.store();
    for n in 0..6 {
        let id = format!("c{n}");
        send(
            store,
            &id,
            n,
            &[("account/ada", "Opened"), ("order/1", "Opened"), ("order/2", "Paid"), ("account/bob", "Paid")],
        );
    }
    subject.reopen();
    let store = subject.store();
    let pair = |a: &str, k: &str| (a.into(), k.into());
    let filters = [
        EventFilter::default(),
        EventFilter { stream: Some(stream("order/2")), ..EventFilter::default() },
        EventFilter { stream: Some(stream("order/none")), ..EventFilter::default() },
        EventFilter { aggregate: Some("order".into()), ..EventFilter::default() },
        EventFilter { aggregate: Some("orde".into()), ..EventFilter::default() },
        EventFilter { kind: Some("Paid".into()), ..EventFilter::default() },
        EventFilter { kinds: Some(vec![pair("account", "Paid"), pair("order", "Opened")]), ..EventFilter::default() },
        EventFilter { kinds: Some(vec![]), ..EventFilter::default() },
        EventFilter { kinds: Some(vec![pair("account", "Nothing")]), ..EventFilter::default() },
        EventFilter { stream: Some(stream("order/2")), kind: Some("Opened".into()), ..EventFilter::default() },
        EventFilter {
            stream: Some(stream("order/1")),
            aggregate: Some("order".into()),
            kinds: Some(vec![pair("order", "Opened")]),
            kind: Some("Opened".into()),
        },
    ];
    let events = everything(store);
    let counts = filters.map(|filter| {
        let passes = |e: &&Recorded| {
            filter.stream.as_ref().is_none_or(|s| *s == e.stream)
                && filter.aggregate.as_ref().is_none_or(|a| **a == *e.stream.aggregate())
                && filter.kind.as_ref().is_none_or(|k| **k == *e.kind)
                && filter
                    .kinds
                    .as_ref()
                    .is_none_or(|all| all.iter().any(|(a, k)| **a == *e.stream.aggregate() && **k == *e.kind))
        };
        let expected: Vec<_> = events.iter().filter(passes).map(|e| e.position.0).collect();
        for limit in [1, 2, 5, 1000] {
            let (forward, mut backward) = pages(store, limit, &filter);
            backward.reverse();
            assert_eq!((&forward, &backward), (&expected, &expected), "{filter:?} by {limit}");
        }
        expected.len()
    });
    assert_eq!(counts, [24, 6, 0, 12, 0, 12, 12, 0, 0, 0, 6]);

    let page = store.read_all(Position(20), 2, true, &EventFilter::default()).unwrap();
    assert_eq!((page.scanned, page.done, page.events.len()), (Position(22), false, 2));
    assert_eq!(page.events[0].command.as_ref().unwrap().id, "c5".into());
    let page = store.read_back(Some(Position(22)), 2, true, &EventFilter::default()).unwrap();
    assert_eq!(page.events.iter().map(|e| e.position.0).collect::<Vec<_>>(), [21, 20]);
    assert_eq!(page.events[1].command.as_ref().unwrap().id, "c4".into());
    let page = store.read_all(Position(24), 2, false, &EventFilter::default()).unwrap();
    assert_eq!(page, EventPage { events: vec![], scanned: Position(24), done: true });
    let page = store.read_back(Some(Position(1)), 2, false, &EventFilter::default()).unwrap();
    assert_eq!(page, EventPage { events: vec![], scanned: Position(1), done: true });
}

fn moments_are_found(subject: &mut Subject) {
    let store = subject.store();
    for (id, time) in [("c1", -5), ("c2", 10), ("c3", 10), ("c4", 30)] {
        send(store, id, time, &[("account/ada", "Opened"), ("account/bob", "Opened")]);
    }
    send(store, "c5", 30, &[("account/eve", "Opened")]);
    for (time, position) in [(-6, 0), (-5, 2), (9, 2), (10, 6), (29, 6), (30, 9), (99, 9)] {
        assert_eq!(store.position_at(at(time)).unwrap(), Position(position), "at {time}");
    }
    for (name, versions) in
        [("account/ada", [0, 1, 1, 2, 2, 4]), ("account/bob", [0, 0, 1, 1, 2, 4]), ("none/1", [0; 6])]
    {
        for (position, version) in [0, 1, 2, 3, 4, 100].into_iter().zip(versions) {
            let found = store.version_at(&stream(name), Position(position)).unwrap();
            assert_eq!(found, Version(version), "{name} at {position}");
        }
    }
}

fn streams_are_listed_by_name(subject: &mut Subject) {
    let store = subject.store();
    send(store, "c1", 1, &[("b/2", "X"), ("b/10", "X"), ("B/1", "X"), ("ä/1", "X"), ("b/2", "X")]);
    send(store, "c2", 7, &[("b/2", "X"), ("b/1\u{10ffff}", "X")]);
    // A stream that only received a command has no events, so there is no such stream.
    store.begin().unwrap();
    append(store, &command("c3", "empty/1", 8), &[event("b/10", "X")]).unwrap();
    store.commit().unwrap();
    let all = store.streams(None, 100).unwrap();
    let names: Vec<_> = all.iter().map(|info| info.name.to_string()).collect();
    assert_eq!(names, ["B/1", "b/10", "b/1\u{10ffff}", "b/2", "ä/1"]);
    let two = &all[3];
    assert_eq!((two.version, two.first, two.last, two.time), (Version(3), Position(1), Position(6), at(7)));
    let mut paged = store.streams(None, 2).unwrap();
    loop {
        let page = store.streams(paged.last().map(|info| &info.name).cloned().as_ref(), 2).unwrap();
        let last = page.len() < 2;
        paged.extend(page);
        if last {
            break;
        }
    }
    assert_eq!(paged, all);
}

fn a_command_is_found_with_its_events(subject: &mut Subject) {
    let store = subject.store();
    send(store, "c1", 1, &[("account/ada", "Opened")]);
    let given = send(store, "c2", 2, &[("account/bob", "Opened"), ("account/ada", "Closed")]);
    send(store, "c3", 3, &[("account/ada", "Opened")]);
    let stored = store.command("c2").unwrap().unwrap();
    assert_eq!(*stored.command, command("c2", "account/bob", 2));
    assert_eq!(stored.head, given.head);
    assert_eq!(stored.events.iter().map(|e| e.version).collect::<Vec<_>>(), given.versions);
    assert!(stored.events.iter().all(|e| e.command.is_none()));
    let bare: Vec<_> = everything(store)[1..3].iter().map(|e| Recorded { command: None, ..e.clone() }).collect();
    assert_eq!(stored.events, bare);
    assert_eq!(store.command("C2").unwrap(), None);
    assert!(store.knows_domain("digest-1").unwrap());
    assert!(!store.knows_domain("digest-2").unwrap());
}
