//! What is stored in memory proves itself: hashes are computed again.

use super::MemoryStore;
use crate::event::{Position, StreamName};
use crate::store::{Finding, Verified, chain};
use std::collections::BTreeSet;

pub(super) fn run(store: &MemoryStore, since: Position, watch: &mut dyn FnMut(Position, Position)) -> Verified {
    // Positions, versions and names are places in memory and cannot be wrong; the hashes can.
    let done = |first: usize, count: usize| (first + count) as u64 <= since.0;
    let before = store.commands.iter().take_while(|(_, first, count)| done(*first, *count)).last();
    let start = before.map_or(0, |(_, first, count)| first + count);
    let touched: BTreeSet<&StreamName> = store.events[start..].iter().map(|(event, _)| &event.stream).collect();
    let mut verified = Verified {
        head: store.now(),
        since: Position(start as u64),
        streams: touched.len() as u64,
        domains: store.domains.len() as u64,
        ..Verified::default()
    };
    let mut previous = start.checked_sub(1).map_or(chain::GENESIS, |last| store.events[last].1);
    for (command, first, count) in store.commands.iter().skip_while(|(_, first, count)| done(*first, *count)) {
        let digest = chain::command(command);
        verified.commands += 1;
        verified.bytes += (command.data.len() + command.meta.as_deref().map_or(0, str::len)) as u64;
        for (event, hash) in &store.events[*first..first + count] {
            if chain::Link::from(event).hash(&previous, &store.id, &digest) != *hash {
                verified.note(|| Finding {
                    position: Some(event.position),
                    stream: Some(event.stream.as_str().into()),
                    command: Some(command.id.clone()),
                    words: format!("the event at @{} has not the hash of what is stored", event.position),
                });
            }
            previous = *hash;
            verified.events += 1;
            verified.bytes += event.data.len() as u64;
        }
    }
    let kept = store.snapshots.iter().filter(|_| start == 0);
    for (stream, (fold, version), (hash, state)) in
        kept.flat_map(|(stream, kept)| kept.iter().map(move |((fold, version), kept)| (stream, (fold, version), kept)))
    {
        verified.snapshots += 1;
        let digest = &store.folds[*fold];
        let event = store.event_at(stream, *version);
        let is =
            event.map(|(_, of)| chain::snapshot(&store.id, digest, stream.as_str(), *version, of, state.as_bytes()));
        if is != Some(*hash) {
            let words = format!("the snapshot of `{stream}` at version {version} is not what was kept");
            verified.note_spoilt(stream.as_str(), words);
        }
    }
    let all = Position(verified.head.position.0 - verified.since.0);
    watch(all, all);
    verified
}
