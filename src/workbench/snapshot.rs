//! Snapshots: states of streams that are kept, so that folding can begin there. Never the truth: what cannot be used is passed
//! over, and every answer is the same without them.

use super::kept::Held;
use super::replay::{Folding, fold_each, fold_stream};
use super::{Error, PAGE, Workbench, aggregate_of};
use crate::domain::{Aggregate, Domains};
use crate::event::{StreamName, Version};
use crate::script::frozen::{freeze, thaw};
use crate::store::{SnapshotInfo, Store};
use std::ops::ControlFlow;

/// How many bytes of states a rebuild writes at a time; nobody else can write meanwhile.
const STRIDE_BYTES: usize = 1024 * 1024;
/// How many snapshots it writes at a time.
const STRIDE: usize = 256;

/// A snapshot, and whether it is of any use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// As it is stored.
    pub info: SnapshotInfo,
    /// Whether it was folded by the rules of now.
    pub current: bool,
}

/// What a rebuild did to one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// The stream.
    pub stream: StreamName,
    /// The version that it had.
    pub version: Version,
    /// How many snapshots it has now.
    pub snapshots: u64,
    /// How many it had, which were removed.
    pub removed: u64,
    /// How many bytes the states have that were kept.
    pub bytes: u64,
}

/// How far a rebuild has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// In this stream.
    pub stream: &'a StreamName,
    /// At this version.
    pub version: Version,
    /// Of so many.
    pub total: Version,
}

/// What is folded up to the latest snapshot at or below a version, if there is one. Where none can be there, nobody is asked.
pub(super) fn latest(
    aggregate: &Aggregate,
    store: &mut dyn Store,
    stream: &StreamName,
    mut until: Version,
) -> Result<Option<Folding>, Error> {
    while aggregate.snapshot > 0 && until.0 >= aggregate.snapshot {
        let Some(found) = store.snapshot(stream, &aggregate.digest, until)? else { break };
        if let Some(state) = thaw(&found.state, &aggregate.rules.state) {
            let (version, position, time) = (found.version, found.position, Some(found.time));
            return Ok(Some(Folding { state, version, position, time }));
        }
        // What nobody can have kept is no state, whatever its hash.
        until = Version(found.version.0.saturating_sub(1));
    }
    Ok(None)
}

/// Keeps a state that a command left behind, if enough events have come since the last one that was kept. Within the turn in
/// which the events are appended.
pub(super) fn keep(
    domains: &Domains,
    store: &mut dyn Store,
    stream: &StreamName,
    held: &mut Held,
) -> Result<(), Error> {
    let aggregate = aggregate_of(domains, stream)?;
    if aggregate.snapshot == 0 || held.version.0.saturating_sub(held.snapshot.0) < aggregate.snapshot {
        return Ok(());
    }
    // What is known of a command is, once it is stored, known by its text: `1e1` is `10` there.
    let text = if aggregate.folds_read_commands() {
        match fold_stream(domains, aggregate, store, stream, held.version) {
            Ok(folding) => freeze(&folding.state),
            Err(Error::Store(error)) => return Err(error.into()),
            // The command is accepted: whatever this one meets it does without.
            Err(_) => None,
        }
    } else {
        freeze(&held.state)
    };
    if let Some(text) = text {
        store.keep_snapshot(stream, &aggregate.digest, held.version, &text)?;
    }
    // One that has no text is not tried again at each command.
    held.snapshot = held.version;
    Ok(())
}

impl Workbench {
    /// Streams that were named, each with its version. One that is not there is an error.
    pub fn named_streams(&mut self, names: Vec<StreamName>) -> Result<Vec<(StreamName, Version)>, Error> {
        let found = names.into_iter().map(|stream| match self.store.version(&stream)? {
            Version(0) => Err(self.no_stream(&stream)?.into()),
            version => Ok((stream, version)),
        });
        found.collect()
    }

    /// The snapshots of these streams, or where none is named of all of them.
    pub fn snapshots(
        &mut self,
        streams: &[(StreamName, Version)],
        each: &mut dyn FnMut(Listed) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let domains = self.domains.clone();
        self.each_of(streams, |workbench, stream, _| {
            let digest = domains.aggregate(stream.aggregate()).map(|aggregate| &*aggregate.digest);
            workbench.each_snapshot(stream, &mut |info| {
                let current = digest == Some(&*info.digest);
                each(Listed { info, current })
            })
        })
    }

    /// Makes the snapshots of these streams anew, or where none is named those of all: one at each version that is a multiple
    /// of what the aggregate says, and no other. `each` is told of every stream that has any then, or had any before. Streams
    /// that the domain does not know are left alone.
    pub fn rebuild_snapshots(
        &mut self,
        streams: &[(StreamName, Version)],
        watch: &mut dyn FnMut(Progress<'_>),
        each: &mut dyn FnMut(Rebuilt) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let domains = self.domains.clone();
        self.each_of(streams, |workbench, stream, version| {
            let Some(aggregate) = domains.aggregate(stream.aggregate()) else { return Ok(ControlFlow::Continue(())) };
            let mut rebuilt = Rebuilt { stream: stream.clone(), version, snapshots: 0, removed: 0, bytes: 0 };
            workbench.remove(&mut rebuilt)?;
            workbench.make(&domains, aggregate, &mut rebuilt, watch)?;
            let any = rebuilt.snapshots + rebuilt.removed > 0;
            Ok(if any { each(rebuilt) } else { ControlFlow::Continue(()) })
        })
    }

    /// Does something with each of these streams, or where there are none with every stream.
    fn each_of(
        &mut self,
        streams: &[(StreamName, Version)],
        mut each: impl FnMut(&mut Self, &StreamName, Version) -> Result<ControlFlow<()>, Error>,
    ) -> Result<(), Error> {
        if streams.is_empty() {
            return self.each_stream(|workbench, info| each(workbench, &info.name, info.version));
        }
        for (stream, version) in streams {
            if each(self, stream, *version)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    fn each_snapshot(
        &mut self,
        stream: &StreamName,
        each: &mut dyn FnMut(SnapshotInfo) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, Error> {
        let mut after: Option<SnapshotInfo> = None;
        loop {
            let page = self.store.snapshots(stream, after.as_ref(), PAGE)?;
            let is_last = page.len() < PAGE;
            after = page.last().cloned();
            if page.into_iter().try_for_each(&mut *each).is_break() {
                return Ok(ControlFlow::Break(()));
            }
            if is_last {
                return Ok(ControlFlow::Continue(()));
            }
        }
    }

    /// Removes what is kept of a stream.
    fn remove(&mut self, rebuilt: &mut Rebuilt) -> Result<(), Error> {
        let _ = self.each_snapshot(&rebuilt.stream, &mut |_| {
            rebuilt.removed += 1;
            ControlFlow::Continue(())
        })?;
        if rebuilt.removed == 0 {
            return Ok(());
        }
        let stream = &rebuilt.stream;
        self.in_turn(|workbench| Ok(workbench.store.drop_snapshots(stream)?))
    }

    /// Folds a stream and keeps its state wherever one belongs. Folding is done outside of the turn: events do not change.
    fn make(
        &mut self,
        domains: &Domains,
        aggregate: &Aggregate,
        rebuilt: &mut Rebuilt,
        watch: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), Error> {
        if aggregate.snapshot == 0 {
            return Ok(());
        }
        let Rebuilt { stream, version: total, .. } = rebuilt;
        // What comes after the last one need not be folded.
        let until = Version(total.0 - total.0 % aggregate.snapshot);
        let commands = aggregate.folds_read_commands();
        let mut folding = Folding::new(aggregate);
        while folding.version < until {
            let mut texts = Vec::new();
            let mut bytes = 0;
            let store = self.store.as_mut();
            fold_each((domains, aggregate), store, stream, &mut folding, until, commands, |folding, _| {
                let version = folding.version;
                if version.0.is_multiple_of(PAGE as u64) {
                    watch(Progress { stream, version, total: *total });
                }
                if version.0.is_multiple_of(aggregate.snapshot)
                    && let Some(text) = freeze(&folding.state)
                {
                    bytes += text.len();
                    texts.push((version, text));
                }
                let enough = texts.len() >= STRIDE || bytes >= STRIDE_BYTES;
                Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            })?;
            self.in_turn(|workbench| {
                let keep = |(version, text): &(Version, String)| {
                    workbench.store.keep_snapshot(stream, &aggregate.digest, *version, text)
                };
                Ok(texts.iter().try_for_each(keep)?)
            })?;
            rebuilt.snapshots += texts.len() as u64;
            rebuilt.bytes += bytes as u64;
        }
        Ok(())
    }
}
