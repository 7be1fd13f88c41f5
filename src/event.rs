//! The glossary as types: streams, versions, positions, times, commands and events.
//!
//! Plain data, checked where it is made and trusted afterwards. Payloads are JSON text: written once,
//! by [`crate::json`], and never parsed by anything that does not need to look inside.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// The longest stream name, in bytes.
pub const MAX_STREAM_BYTES: usize = 512;
/// The longest command id, actor, correlation or causation, in bytes.
pub const MAX_LABEL_BYTES: usize = 512;
/// The largest payload of one command or event, in bytes.
pub const MAX_PAYLOAD_BYTES: usize = 1024 * 1024;

/// The name of a stream: `aggregate/id`. It splits at its first `/`; both parts are non-empty, the
/// whole is at most [`MAX_STREAM_BYTES`] long and holds no control characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName {
    text: Arc<str>,
    slash: usize,
}

/// Why a text is not a stream name. The words are for the user.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamNameError {
    /// There is no `/`, or nothing on one side of it.
    #[error("a stream is named `aggregate/id`, as in `account/ada`")]
    Shape,
    /// Longer than [`MAX_STREAM_BYTES`].
    #[error("a stream name has at most {MAX_STREAM_BYTES} bytes, this one has {0}")]
    Long(usize),
    /// A control character, which would reach terminals and files raw.
    #[error("a stream name has no control characters, this one has U+{:04X}", u32::from(*.0))]
    Control(char),
}

impl StreamName {
    /// Checks and takes a name.
    pub fn new(text: &str) -> Result<Self, StreamNameError> {
        if text.len() > MAX_STREAM_BYTES {
            return Err(StreamNameError::Long(text.len()));
        }
        if let Some(control) = text.chars().find(|c| is_control(*c)) {
            return Err(StreamNameError::Control(control));
        }
        match text.find('/') {
            Some(slash) if slash > 0 && slash + 1 < text.len() => Ok(Self { text: text.into(), slash }),
            _ => Err(StreamNameError::Shape),
        }
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What stands before the first `/`: the kind of thing.
    pub fn aggregate(&self) -> &str {
        &self.text[..self.slash]
    }

    /// What stands after the first `/`: which one of its kind.
    pub fn id(&self) -> &str {
        &self.text[self.slash + 1..]
    }
}

/// Characters that must never reach a terminal raw: C0, DEL, C1, and the marks that turn the direction of text.
pub fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.text)
    }
}

impl FromStr for StreamName {
    type Err = StreamNameError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

/// The place of an event in its stream: 1, 2, 3 … without gaps; 0 is the empty stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u64);

/// The place of an event in the whole store: 1, 2, 3 … without gaps, in commit order; 0 is the empty store.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(pub u64);

impl Version {
    /// The version of the next event.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl Position {
    /// The position of the next event.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An instant, to the microsecond: microseconds since 1970-01-01T00:00:00Z. Written as RFC 3339 in UTC
/// with six digits, so that its text sorts as it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Time(i64);

/// Why a text is not a time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not RFC 3339, neither date and time nor a date alone.
    #[error("`{0}` is not a time: write RFC 3339, as in `2026-01-31T12:00:00Z`, or a date, as in `2026-01-31`")]
    Shape(String),
    /// More digits than are kept.
    #[error("`{0}` is finer than a microsecond, which is what a store keeps")]
    TooFine(String),
    /// Outside the years 0000 to 9999 (the last day and a bit of 9999 too: every offset must be able to show it).
    #[error("the time is outside the years 0000 to 9999")]
    Range,
}

impl Time {
    /// The last instant there is.
    pub const MAX: Self = Self(253_402_207_199_999_999);
    /// The first instant there is.
    pub const MIN: Self = Self(-62_167_219_200_000_000);

    /// From microseconds since the epoch, from 0000-01-01 to 9999-12-30T21:59:59.999999Z.
    pub fn from_micros(micros: i64) -> Result<Self, TimeError> {
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) { Ok(Self(micros)) } else { Err(TimeError::Range) }
    }

    /// Microseconds since the epoch.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// How much later it is than another instant; nothing where it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0 - earlier.0).unwrap_or(0))
    }

    /// Reads RFC 3339 with an offset, or a date alone, which is its first instant in UTC.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let shape = || TimeError::Shape(text.to_owned());
        if let Ok(date) = text.parse::<jiff::civil::Date>()
            && text.len() == 10
        {
            let zoned = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| shape())?;
            return Self::from_micros(zoned.timestamp().as_microsecond());
        }
        let instant: jiff::Timestamp = text.parse().map_err(|_| shape())?;
        if instant.as_nanosecond() % 1000 != 0 {
            return Err(TimeError::TooFine(text.to_owned()));
        }
        Self::from_micros(instant.as_microsecond())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => write!(f, "{instant:.6}"),
            Err(_) => Err(fmt::Error),
        }
    }
}

/// A place in the past, as `--at` names it: digits are a version, `@` and digits a position, anything else a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// After that many events of the stream.
    Version(Version),
    /// After the event at that position of the store.
    Position(Position),
    /// After the last event at or before that time.
    Time(Time),
}

/// Why a text is not a moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no moment: write a version (`7`), a position (`@120`) or a time (`2026-01-31T12:00:00Z`)")]
pub struct MomentError(String);

impl FromStr for Moment {
    type Err = MomentError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || MomentError(text.to_owned());
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if digits(text) {
            return text.parse().map(|n| Self::Version(Version(n))).map_err(|_| wrong());
        }
        if let Some(rest) = text.strip_prefix('@') {
            if !digits(rest) {
                return Err(wrong());
            }
            return rest.parse().map(|n| Self::Position(Position(n))).map_err(|_| wrong());
        }
        Time::parse(text).map(Self::Time).map_err(|_| wrong())
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(v) => write!(f, "version {v}"),
            Self::Position(p) => write!(f, "position @{p}"),
            Self::Time(t) => write!(f, "{t}"),
        }
    }
}

/// What `--expect` demands of the stream before the command is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// Exactly this version.
    Version(Version),
    /// No event yet.
    None,
    /// At least one event.
    Exists,
}

impl Expect {
    /// Whether a stream at `actual` is as expected.
    pub fn holds(self, actual: Version) -> bool {
        match self {
            Self::Version(version) => version == actual,
            Self::None => actual == Version(0),
            Self::Exists => actual > Version(0),
        }
    }
}

impl fmt::Display for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "version {version}"),
            Self::None => f.write_str("no stream"),
            Self::Exists => f.write_str("an existing stream"),
        }
    }
}

/// A command as it is stored: decided, typed, with everything that came with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Names the command once and for all; sending the same id again stores nothing new.
    pub id: Box<str>,
    /// The stream it was sent to.
    pub stream: StreamName,
    /// Its type, as in `Withdraw`.
    pub name: Box<str>,
    /// Its typed payload as JSON text, always an object.
    pub data: Box<str>,
    /// Who sent it.
    pub actor: Option<Box<str>>,
    /// The conversation it belongs to.
    pub correlation: Option<Box<str>>,
    /// What it follows from: an id or `@position`.
    pub causation: Option<Box<str>>,
    /// What `--meta` added, as a JSON object; `None` where nothing was.
    pub meta: Option<Box<str>>,
    /// When it was sent; its events bear the same time.
    pub time: Time,
    /// The digest of the domain text that decided it.
    pub domain: Box<str>,
}

/// An event that a decision gave, before it has a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The stream it goes to.
    pub stream: StreamName,
    /// Its type, as in `Withdrawn`.
    pub kind: Arc<str>,
    /// The schema version of its payload.
    pub schema: u32,
    /// Its payload as JSON text, always an object.
    pub data: Box<str>,
}

/// An event as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its place in the store.
    pub position: Position,
    /// The stream it is in.
    pub stream: StreamName,
    /// Its place in the stream.
    pub version: Version,
    /// Its type, as in `Withdrawn`.
    pub kind: Arc<str>,
    /// The schema version of its payload.
    pub schema: u32,
    /// Its payload as JSON text, always an object.
    pub data: Box<str>,
    /// When it was stored, which is its command's time.
    pub time: Time,
    /// The command that caused it; `None` where the reader did not ask for it.
    pub command: Option<Arc<Command>>,
}

/// A SHA-256 over an event and all that came before it in its store.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// Reads what its text is: 64 hex digits in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut hash = Self::default();
        if text.len() != 2 * hash.0.len() {
            return None;
        }
        for (byte, pair) in hash.0.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The end of a store: the last event's position, time and hash.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// 0 in an empty store.
    pub position: Position,
    /// The last event's time; `None` in an empty store.
    pub time: Option<Time>,
    /// The last event's hash; all zero in an empty store.
    pub hash: Hash,
}
