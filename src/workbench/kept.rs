//! What is kept in memory from one command of a batch to the next.

use super::inline::Inline;
use crate::event::{Position, StreamName, Version};
use crate::script::frozen::{pack, unpack};
use crate::script::state::StateRules;
use crate::script::{State, memory};
use foldhash::{HashMap, HashSet};
use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};

/// The most streams whose states are ready for use.
const MAX_READY: usize = 10_000;
/// How many bytes the thread may take for those, and how many at least, however many others are packed.
const MAX_READY_BYTES: usize = 8 * 1024 * 1024;
const MIN_READY_BYTES: usize = 1024 * 1024;
/// How many bytes the packed ones may have; then every other one goes, and is folded again when it is needed.
const MAX_PACKED_BYTES: usize = 20 * 1024 * 1024;
/// What a packed state takes beside its bytes.
const PLACE: usize = 48;

/// What a packed state begins with.
const HEAD: usize = 18;

/// A stream's state.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) state: State,
    /// The version it is of.
    pub(super) version: Version,
    /// That of the latest snapshot below, 0 where there is none.
    pub(super) snapshot: Version,
}

/// The same in one piece, which takes a fifth of the memory: the version and that of the snapshot, each in eight bytes; how
/// long the stream's name is, in two; the name; the state's values as text. Found by the name.
#[derive(Debug)]
struct Packed(Box<[u8]>);

/// States of streams as they were after the last command of a batch. Trusted only at the version the store says.
#[derive(Debug, Default)]
pub(super) struct Kept {
    ready: HashMap<StreamName, Held>,
    /// What the thread held when none was ready.
    floor: isize,
    /// Those that were used longer ago.
    packed: HashSet<Packed>,
    packed_bytes: usize,
    /// Read models that go with the events, as they are in the turn.
    pub(super) inline: Vec<Inline>,
    /// Streams beside their own that decisions looked at, where somebody wants to know.
    pub(super) looked: Option<BTreeSet<StreamName>>,
    /// Other streams are looked at as they were when the store ended there; `None`: as they are.
    pub(super) until: Option<Position>,
}

impl Kept {
    /// With these read models, which are up to date in the turn.
    pub(super) fn with(inline: Vec<Inline>) -> Self {
        Self { inline, ..Self::default() }
    }

    /// A stream's state at its version.
    pub(super) fn take(&mut self, stream: &StreamName, version: Version, rules: &StateRules) -> Option<Held> {
        let held = match self.ready.remove(stream) {
            Some(held) => held,
            None => self.unpack(stream, rules)?,
        };
        (held.version == version).then_some(held)
    }

    /// The same, but a state of another version stays where it is.
    pub(super) fn take_at(&mut self, stream: &StreamName, version: Version, rules: &StateRules) -> Option<Held> {
        let ready = self.ready.get(stream).map(|held| held.version);
        let kept = ready.or_else(|| self.packed.get(stream.as_str().as_bytes()).map(Packed::version))?;
        if kept == version { self.take(stream, version, rules) } else { None }
    }

    pub(super) fn put(&mut self, stream: StreamName, held: Held) {
        let room = MAX_READY_BYTES.saturating_sub(self.packed_bytes / 2).max(MIN_READY_BYTES);
        if self.ready.len() >= MAX_READY || memory::held() - self.floor > room.cast_signed() {
            self.pack();
        }
        self.ready.insert(stream, held);
    }

    pub(super) fn clear(&mut self) {
        self.ready.clear();
        self.packed.clear();
        self.packed_bytes = 0;
    }

    fn unpack(&mut self, stream: &StreamName, rules: &StateRules) -> Option<Held> {
        self.remove_packed(stream)?.held(rules)
    }

    fn remove_packed(&mut self, stream: &StreamName) -> Option<Packed> {
        let packed = self.packed.take(stream.as_str().as_bytes())?;
        self.packed_bytes -= packed.weight();
        Some(packed)
    }

    /// Packs all that are ready. What has no text goes.
    fn pack(&mut self) {
        let mut ready = std::mem::take(&mut self.ready);
        for (stream, held) in ready.drain() {
            drop(self.remove_packed(&stream));
            let Some(packed) = Packed::new(&stream, &held) else { continue };
            self.packed_bytes += packed.weight();
            self.packed.insert(packed);
            if self.packed_bytes > MAX_PACKED_BYTES {
                self.thin_out();
            }
        }
        self.ready = ready;
        self.floor = memory::held();
    }

    /// Lets every other one go.
    fn thin_out(&mut self) {
        let mut goes = false;
        let bytes = &mut self.packed_bytes;
        self.packed.retain(|packed| {
            goes = !goes;
            if goes {
                *bytes -= packed.weight();
            }
            !goes
        });
    }
}

impl Packed {
    fn new(stream: &StreamName, held: &Held) -> Option<Self> {
        let (name, text) = (stream.as_str(), pack(&held.state)?);
        let mut bytes = Vec::with_capacity(HEAD + name.len() + text.len());
        bytes.extend_from_slice(&held.version.0.to_le_bytes());
        bytes.extend_from_slice(&held.snapshot.0.to_le_bytes());
        bytes.extend_from_slice(&u16::try_from(name.len()).ok()?.to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(text.as_bytes());
        Some(Self(bytes.into_boxed_slice()))
    }

    fn held(&self, rules: &StateRules) -> Option<Held> {
        let text = str::from_utf8(self.0.get(HEAD + self.name().len()..)?).ok()?;
        let (version, snapshot) = (self.number(0), self.number(8));
        Some(Held { state: unpack(text, rules)?, version, snapshot })
    }

    fn version(&self) -> Version {
        self.number(0)
    }

    fn name(&self) -> &[u8] {
        let length = self.0.get(16..HEAD).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_le_bytes);
        self.0.get(HEAD..HEAD + usize::from(length)).unwrap_or_default()
    }

    fn number(&self, at: usize) -> Version {
        let bytes = self.0.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        Version(bytes.map_or(0, u64::from_le_bytes))
    }

    /// How much memory it takes, about.
    fn weight(&self) -> usize {
        PLACE + self.0.len()
    }
}

impl Borrow<[u8]> for Packed {
    fn borrow(&self) -> &[u8] {
        self.name()
    }
}

impl Hash for Packed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl PartialEq for Packed {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Packed {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Object, Value};
    use crate::script::state::{Pin, StateField};

    fn rules() -> StateRules {
        let initial = Object::from_iter([("owner".to_owned(), Value::Null), ("n".to_owned(), Value::Integer(0))]);
        let field = |name: &str| StateField { name: name.into(), pin: Pin::Free };
        StateRules::new(initial, vec![field("owner"), field("n")])
    }

    fn stream(number: usize) -> StreamName {
        StreamName::new(&format!("account/{number}")).unwrap()
    }

    fn held(number: usize, owner: &str) -> Held {
        let members = [
            ("owner".to_owned(), Value::Text(owner.to_owned())),
            ("n".to_owned(), Value::Integer(i64::try_from(number).unwrap())),
        ];
        let (version, snapshot) = (Version(number as u64 + 1), Version(number as u64 / 2));
        Held { state: State::of(members.into_iter().collect()), version, snapshot }
    }

    /// All that were kept, each as it was.
    fn found(kept: &mut Kept, count: usize, owner: &str) -> usize {
        let found = (0..count).filter(|&number| {
            let before = held(number, owner);
            let Some(after) = kept.take(&stream(number), before.version, &rules()) else { return false };
            assert_eq!(rules().value(&after.state).unwrap(), rules().value(&before.state).unwrap());
            assert_eq!((after.version, after.snapshot), (before.version, before.snapshot));
            true
        });
        found.count()
    }

    #[test]
    fn more_than_are_ready_are_kept() {
        let mut kept = Kept::default();
        let count = MAX_READY * 3;
        for number in 0..count {
            kept.put(stream(number), held(number, "ada"));
        }
        assert!(kept.ready.len() <= MAX_READY && kept.packed.len() >= count - MAX_READY);
        assert_eq!(found(&mut kept, count, "ada"), count);
        assert_eq!((kept.ready.len(), kept.packed.len(), kept.packed_bytes), (0, 0, 0));
    }

    #[test]
    fn what_is_too_much_goes_and_what_stays_is_as_it_was() {
        let mut kept = Kept::default();
        let (owner, count) = ("x".repeat(3_000), MAX_READY * 3);
        for number in 0..count {
            kept.put(stream(number), held(number, &owner));
            assert!(kept.packed_bytes <= MAX_PACKED_BYTES);
        }
        let left = found(&mut kept, count, &owner);
        assert!((count / 8..count).contains(&left), "{left} of {count}");
        assert_eq!(kept.packed_bytes, 0);
    }

    #[test]
    fn a_state_of_another_version_is_not_given() {
        let mut kept = Kept::default();
        for number in 0..=MAX_READY {
            kept.put(stream(number), held(number, "ada"));
        }
        assert!(kept.packed.len() >= MAX_READY);
        // The one is packed, the other is ready.
        for number in [3, MAX_READY] {
            let (stream, version) = (stream(number), held(number, "ada").version);
            assert!(kept.take_at(&stream, version.next(), &rules()).is_none());
            assert!(kept.take_at(&stream, version, &rules()).is_some());
            assert!(kept.take_at(&stream, version, &rules()).is_none());
        }
        assert!(kept.take(&stream(4), Version(4), &rules()).is_none());
        assert!(kept.take(&stream(4), Version(5), &rules()).is_none());
        kept.put(stream(4), held(4, "eve"));
        assert!(kept.take(&stream(4), Version(5), &rules()).is_some());
        kept.clear();
        assert_eq!(found(&mut kept, MAX_READY, "ada"), 0);
    }
}
