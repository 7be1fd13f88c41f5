//! Going through a stream event by event, forth and back.

use super::change::changes;
use super::replay::{Folding, Stretch, fold_each, state_value};
use super::{Change, Error, Workbench, aggregate_of};
use crate::domain::Aggregate;
use crate::event::{Recorded, StreamName, Version};
use crate::json::Value;
use crate::script::memory;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

/// The most states that are kept.
const MAX_KEPT: usize = 64;
/// The most bytes that they hold together, one excepted.
const MAX_BYTES: isize = 64 * 1024 * 1024;

/// Where one stands in a stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The version; 0 before the first event.
    pub version: Version,
    /// The event of that version, with its command.
    pub event: Option<Recorded>,
    /// The time since the event before it.
    pub gap: Option<Duration>,
    /// What it changed in the state.
    pub changes: Vec<Change>,
    /// The state then.
    pub state: Value,
}

/// A way through a stream. It keeps some of the states it has seen, evenly spread, so that going back folds few events again.
pub struct Stepper<'w> {
    workbench: &'w mut Workbench,
    stream: StreamName,
    first: Version,
    last: Version,
    kept: BTreeMap<Version, Kept>,
    /// A state is kept after every so many events.
    stride: u64,
    /// What is held by all that are kept.
    bytes: isize,
}

struct Kept {
    folding: Folding,
    bytes: isize,
}

impl Workbench {
    /// Goes through a stretch of a stream, as the stream is now.
    pub fn stepper(&mut self, stream: &StreamName, stretch: &Stretch<'_>) -> Result<Stepper<'_>, Error> {
        aggregate_of(&self.domains, stream)?;
        let last = self.version_at(stream, stretch.at)?;
        let first = if stretch.from.is_some() { self.first_of(stream, stretch, last)?.min(last) } else { Version(0) };
        let stream = stream.clone();
        Ok(Stepper { workbench: self, stream, first, last, kept: BTreeMap::new(), stride: 1, bytes: 0 })
    }
}

impl Stepper<'_> {
    /// The stream.
    pub fn stream(&self) -> &StreamName {
        &self.stream
    }

    /// Where it begins: 0 is the initial state.
    pub fn first(&self) -> Version {
        self.first
    }

    /// Where it ends.
    pub fn last(&self) -> Version {
        self.last
    }

    /// What there is at a version, at most the last one.
    pub fn at(&mut self, version: Version) -> Result<Standing, Error> {
        let version = version.min(self.last);
        let domains = self.workbench.domains.clone();
        let aggregate = aggregate_of(&domains, &self.stream)?;
        let mut folding = self.fold(aggregate, Version(version.0.saturating_sub(1)))?;
        let old = state_value(aggregate, &self.stream, &folding)?;
        let time = folding.time;
        let mut found = None;
        let (rules, store) = ((&*domains, aggregate), self.workbench.store.as_mut());
        fold_each(rules, store, &self.stream, &mut folding, version, true, |_, event| {
            found = Some(event);
            Ok(ControlFlow::Continue(()))
        })?;
        let state = state_value(aggregate, &self.stream, &folding)?;
        self.keep(&folding);
        let gap = found.as_ref().and_then(|event| Some(event.time.since(time?)));
        Ok(Standing { version, event: found, gap, changes: changes(&old, &state), state })
    }

    /// The state at a version, from the nearest one before it that was kept.
    fn fold(&mut self, aggregate: &Aggregate, version: Version) -> Result<Folding, Error> {
        let near = self.kept.range(..=version).next_back();
        let mut folding = near.map_or_else(|| Folding::new(aggregate), |(_, kept)| kept.folding.clone());
        let domains = self.workbench.domains.clone();
        while folding.version < version {
            let next = Version((folding.version.0 / self.stride + 1) * self.stride).min(version);
            let (rules, commands) = ((&*domains, aggregate), aggregate.folds_read_commands());
            let (store, before) = (self.workbench.store.as_mut(), folding.version);
            let each = |_: &mut Folding, _| Ok(ControlFlow::Continue(()));
            fold_each(rules, store, &self.stream, &mut folding, next, commands, each)?;
            self.keep(&folding);
            if folding.version == before {
                break;
            }
        }
        Ok(folding)
    }

    /// Keeps a state where one is to be kept. Where there are too many, every other one goes.
    fn keep(&mut self, folding: &Folding) {
        if !folding.version.0.is_multiple_of(self.stride) || self.kept.contains_key(&folding.version) {
            return;
        }
        let held = memory::held();
        let folding = folding.clone();
        let bytes = memory::held() - held;
        self.bytes += bytes;
        self.kept.insert(folding.version, Kept { folding, bytes });
        while self.kept.len() > MAX_KEPT || self.kept.len() > 1 && self.bytes > MAX_BYTES {
            self.stride *= 2;
            let stride = self.stride;
            self.kept.retain(|version, _| version.0.is_multiple_of(stride));
            self.bytes = self.kept.values().map(|kept| kept.bytes).sum();
        }
    }
}

impl std::fmt::Debug for Stepper<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stepper").field("stream", &self.stream).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::domain::Domains;
    use crate::event::Time;
    use crate::store::memory::MemoryStore;
    use crate::workbench::batch::request_from_line;
    use crate::workbench::send::Now;
    use std::rc::Rc;

    const COUNTER: &str = "domain: d\naggregates:\n  c:\n    state: { n: 0 }\n    events: { Up: { fold: state.n += 1 } }\n    \
                           commands: { Do: { decide: 'emit(\"Up\")' } }\n";

    #[test]
    fn forth_and_back_shows_the_same_and_keeps_little() {
        let (domains, problems) = Domains::load(&[Source::new("d.yaml", COUNTER)]);
        let domains = Rc::new(domains.unwrap_or_else(|| panic!("{problems:?}")));
        let mut workbench = Workbench::new(domains, Box::new(MemoryStore::new("0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3")));
        for n in 1..=500 {
            let (id, time) = (n.to_string(), Time::from_micros(n * 1_000_000).unwrap());
            let request = request_from_line(r#"{"stream":"c/1","command":"Do"}"#).unwrap();
            workbench.send(request, &Now { time, id }).unwrap();
        }
        let stream: StreamName = "c/1".parse().unwrap();
        let mut stepper = workbench.stepper(&stream, &Stretch::default()).unwrap();
        assert_eq!((stepper.first(), stepper.last()), (Version(0), Version(500)));
        let forth = (0..=500).chain((0..=500).rev()).chain([250, 3, 499, 500, 7]);
        for version in forth {
            let standing = stepper.at(Version(version)).unwrap();
            assert_eq!(standing.version, Version(version));
            assert_eq!(standing.state.get("n").and_then(Value::as_integer), i64::try_from(version).ok());
            assert_eq!(standing.event.map(|event| event.version.0), Some(version).filter(|version| *version > 0));
            assert_eq!(standing.changes.len(), usize::from(version > 0));
            assert_eq!(standing.gap, (version > 1).then_some(Duration::from_secs(1)));
            assert!(stepper.kept.len() <= MAX_KEPT, "{} states are kept", stepper.kept.len());
        }
        // No version is further from one that is kept than the stride.
        assert_eq!(stepper.stride, 8);
        assert_eq!(stepper.kept.len(), 63);
        assert_eq!(stepper.at(Version(501)).unwrap().version, Version(500));
    }
}
