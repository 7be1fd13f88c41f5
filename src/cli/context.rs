//! Turns flags into an opened domain, a store, an output, and one reading of the clock.

use super::failure::{Failure, Kind};
use super::signals;
use super::sources;
use crate::render::progress::{self, Due};
use crate::render::{Bar, Format, Output, Talk};
use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use clap::builder::PossibleValue;
use esctl::domain::Domains;
use esctl::event::{Position, Time};
use esctl::store::memory::MemoryStore;
use esctl::store::sqlite::follow::Changes;
use esctl::store::sqlite::{Access, Notice, Options, SqliteStore};
use esctl::store::{Store, StoreError};
use esctl::workbench::Workbench;
use esctl::workbench::export::Header;
use esctl::workbench::send::Now;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};
use uuid::{Builder, Timestamp, Uuid};

/// Under which the help shows the flags of every verb.
pub const HEADING: &str = "for every verb";

/// A day: who wants to wait longer has something else to look into.
pub const MAX_TIMEOUT: u64 = 24 * 60 * 60;

/// How long a work goes on before anybody wants to know how far it is, and how often then.
const PATIENCE: Duration = Duration::from_millis(500);
const PACE: Duration = Duration::from_millis(100);

/// Names the instant that a test or a reproducible run takes for now.
const CLOCK: &str = "ESCTL_CLOCK";

/// The flags of every verb. They may stand before it or after it.
#[derive(Debug, clap::Args)]
pub struct Globals {
    /// a domain file, or a folder of them; may be given several times
    #[arg(long, value_name = "PATH", env = "ESCTL_DOMAIN", hide_env_values = true, default_value = "domains", global = true, help_heading = HEADING)]
    pub domain: Vec<PathBuf>,
    /// the file that holds the streams
    #[arg(long, value_name = "FILE", env = "ESCTL_STORE", hide_env_values = true, default_value = "esctl.db", global = true, help_heading = HEADING)]
    pub store: PathBuf,
    /// Whether that file was named on the command line.
    #[arg(skip)]
    pub names_store: bool,
    /// how many seconds to wait while another process writes to that file; 0 is not at all
    #[arg(long, value_name = "SECONDS", env = "ESCTL_TIMEOUT", hide_env_values = true, default_value_t = 5, value_parser = clap::value_parser!(u64).range(..=MAX_TIMEOUT), global = true, help_heading = HEADING)]
    pub timeout: u64,
    /// how data is printed; with json and ndjson, errors are JSON on stderr
    #[arg(short, long, value_name = "FORM", default_value = "table", global = true, help_heading = HEADING)]
    pub output: Format,
    /// whether to use colour; `NO_COLOR` is heeded as well
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true, help_heading = HEADING)]
    pub color: Color,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    // Without doc comments, which would become help that the names do not need.
    Auto,
    Always,
    Never,
}

impl Color {
    fn holds_for(self, stream: &impl anstream::stream::RawStream) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => AutoStream::choice(stream) != ColorChoice::Never,
        }
    }
}

/// What is said where the arguments were not even understood.
pub fn talk(json: bool) -> Talk {
    Talk { color: Color::Auto.holds_for(&io::stderr()), json }
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Table, Self::Json, Self::Ndjson, Self::Csv]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }))
    }
}

impl Globals {
    /// What is said besides the data.
    pub fn talk(&self) -> Talk {
        Talk { color: self.color.holds_for(&io::stderr()), json: self.output.is_json() }
    }
}

/// What a verb needs the store for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To send commands: it is made where there is none.
    Send,
    /// To look at what there is.
    Look,
    /// To look, and where there is none to suppose an empty one.
    Suppose,
    /// To bring read models up to date.
    Project,
    /// Not at all: only the domain is asked.
    Nothing,
}

/// Everything a verb works with.
#[derive(Debug)]
pub struct Context {
    /// The flags.
    pub globals: Globals,
    /// Where data goes.
    pub out: Output,
    /// What is said besides.
    pub talk: Talk,
    /// The clock, for those who read commands one after the other.
    pub clock: Clock,
    /// Its one reading.
    pub now: Time,
}

impl Context {
    /// Reads the clock; opens nothing yet.
    pub fn new(globals: Globals) -> Result<Self, Failure> {
        let clock = Clock::of_environment()?;
        let out = Output::new(globals.output, globals.color.holds_for(&io::stdout()));
        Ok(Self { out, talk: globals.talk(), clock, now: clock.now(), globals })
    }

    /// The domains, if they are sound.
    pub fn domains(&self) -> Result<Domains, Failure> {
        sources::read(&self.globals.domain)?.sound().map_err(Failure::domain)
    }

    /// The domains over the store.
    pub fn workbench(&self, purpose: Purpose) -> Result<Workbench, Failure> {
        let domains = Rc::new(self.domains()?);
        // The program ends when its verb does: taking the rules apart before would cost a third of what making them does.
        std::mem::forget(Rc::clone(&domains));
        Ok(Workbench::new(domains, self.store(purpose)?))
    }

    /// The store. Whatever there is to know about opening one is here.
    pub fn store(&self, purpose: Purpose) -> Result<Box<dyn Store>, Failure> {
        let fresh = Ids { clock: self.clock, head: Position(0), given: Ids::STORE }.next(self.now);
        let access = match purpose {
            Purpose::Send => Access::Create(fresh.clone().into()),
            Purpose::Project => Access::Write,
            Purpose::Look | Purpose::Suppose => Access::Read,
            Purpose::Nothing => return Ok(Box::new(MemoryStore::new(fresh))),
        };
        match SqliteStore::open(&self.globals.store, self.options(access)) {
            Ok(store) => Ok(Box::new(self.say_notices(store))),
            // What is up to date can be shown all the same.
            Err(StoreError::ReadOnly(_)) if purpose == Purpose::Project => self.store(Purpose::Look),
            Err(StoreError::Missing(_)) if purpose == Purpose::Suppose => Ok(Box::new(MemoryStore::new(fresh))),
            Err(error) => Err(error.into()),
        }
    }

    fn options(&self, access: Access) -> Options {
        Options { busy: Duration::from_secs(self.globals.timeout), ..Options::new(access) }
    }

    fn say_notices(&self, store: SqliteStore) -> SqliteStore {
        self.say_all(store.notices());
        store
    }

    fn say_all(&self, notices: &[Notice]) {
        for notice in notices {
            self.talk.note(&notice.to_string());
        }
    }

    /// What is committed to the store from now on.
    pub fn changes(&self) -> Result<Changes, Failure> {
        let changes = Changes::open(&self.globals.store, Duration::from_secs(self.globals.timeout))?;
        self.say_all(changes.notices());
        if let Some(why) = changes.why_looking() {
            self.talk.note(&format!(
                "the system cannot tell when the store is written to ({why}): it is looked at 20 times a second"
            ));
        }
        Ok(changes)
    }

    /// The store that an export goes into: where there is none, one is made that takes over the exported one's id,
    /// since that is part of every hash. What does not begin at the beginning makes none.
    pub fn store_of(&self, export: &Header) -> Result<SqliteStore, Failure> {
        let access = if export.after == Position(0) { Access::Create(export.store.clone()) } else { Access::Write };
        let opened = SqliteStore::open(&self.globals.store, self.options(access));
        opened.map(|store| self.say_notices(store)).map_err(|error| match error {
            StoreError::Missing(words) => {
                let kind = Kind::Conflict;
                Failure::new(kind, format!("{words}, and the export begins after position {}", export.after))
                    .hint("import what comes before it first, or export all of it, without `--after`")
            }
            error => error.into(),
        })
    }

    /// The identity of a store that begins with what another one holds: never the same as that one's.
    pub fn id_unlike(&self, other: &str, head: Position) -> Box<str> {
        // With a fixed clock the number of the store itself may be taken.
        let mut ids = [Ids::STORE, Ids::STORE - 1].map(|given| Ids { clock: self.clock, head, given }.next(self.now));
        let taken = *ids[0] == *other;
        std::mem::take(&mut ids[usize::from(taken)]).into()
    }

    /// A store in a file, for those who look at the file as such.
    pub fn file_to_read(&self, path: &Path) -> Result<SqliteStore, Failure> {
        Ok(self.say_notices(SqliteStore::open(path, self.options(Access::Read))?))
    }

    /// Opens the same store again, to read, for a thread of its own. What there is to say of it was said.
    pub fn opener(&self) -> impl Fn() -> Result<Box<dyn Store>, StoreError> + Sync + use<> {
        let open = self.file_opener();
        move || Ok(Box::new(open()?))
    }

    /// The same, for those who look at the file as such.
    pub fn file_opener(&self) -> impl Fn() -> Result<SqliteStore, StoreError> + Sync + use<> {
        let (path, options) = (self.globals.store.clone(), self.options(Access::Read));
        move || SqliteStore::open(&path, options.clone())
    }

    /// Ids for commands that name none.
    pub fn ids(&self, workbench: &mut Workbench) -> Result<Ids, Failure> {
        Ok(Ids::new(self.clock, workbench.store.head()?.position))
    }

    /// A number to begin random runs with; with a fixed clock always the same. It is short, for people to copy.
    pub fn seed(&self) -> u64 {
        let fresh = Ids::new(self.clock, Position(0)).next(self.now);
        let number = Uuid::parse_str(&fresh).map_or(0, |id| id.as_u128());
        // The last bits are random, or with a fixed clock nothing, and the first ones the time.
        u64::try_from((number ^ number >> 64) & 0xffff_ffff).unwrap_or(0)
    }

    /// How far a work has come that prints when it is done.
    pub fn bar(&self) -> Bar {
        Bar::before_data(self.due())
    }

    /// How far a work has come that prints all along.
    pub fn bar_beside_data(&self) -> Bar {
        Bar::beside_data(self.due())
    }

    /// After half a second, and then ten times a second; with a fixed clock whenever it is asked, as each run is to be the same.
    fn due(&self) -> Due {
        let (is_fixed, mut is_over) = (self.clock != Clock::System, after(PATIENCE));
        Box::new(move || {
            if !is_fixed && !is_over() {
                return false;
            }
            is_over = after(PACE);
            signals::end_after(progress::take_away);
            true
        })
    }

    /// Says what scripts left with `print` and `debug`.
    pub fn say_notes(&self, domains: &Domains) {
        domains.take_notes().iter().for_each(|note| self.talk.note(&note.text));
    }
}

/// Tells when so much time has gone by, from now on. Unlike the time of commands it is never a fixed one.
pub fn after(patience: Duration) -> impl FnMut() -> bool + Send + 'static {
    let begun = Instant::now();
    move || begun.elapsed() > patience
}

/// Where the time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The system's clock.
    System,
    /// Always the same instant, for tests and reproducible runs.
    Fixed(Time),
}

impl Clock {
    fn of_environment() -> Result<Self, Failure> {
        let Some(text) = std::env::var_os(CLOCK).filter(|text| !text.is_empty()) else {
            return Ok(Self::System);
        };
        let fixed = Time::parse(&text.to_string_lossy());
        fixed.map(Self::Fixed).map_err(|error| Failure::new(Kind::Usage, format!("{CLOCK}: {error}")))
    }

    /// The time now, to the microsecond.
    pub fn now(self) -> Time {
        match self {
            Self::Fixed(time) => time,
            // A clock outside the years 0000 to 9999 is as wrong as one at the epoch.
            Self::System => Time::from_micros(jiff::Timestamp::now().as_microsecond()).unwrap_or_default(),
        }
    }
}

/// Ids for commands: UUIDs of version 7.
///
/// With a fixed clock they are made of the clock, the store's position and a counter: another run of the same
/// commands on the same store gives the same ids, and what was stored meanwhile moves them on.
#[derive(Debug)]
pub struct Ids {
    clock: Clock,
    head: Position,
    given: u64,
}

impl Ids {
    /// The last number there is, for the store itself.
    const STORE: u64 = 0x0fff_ffff;

    fn new(clock: Clock, head: Position) -> Self {
        Self { clock, head, given: 0 }
    }

    /// The time and an id for one command.
    pub fn now(&mut self, time: Time) -> Now {
        Now { time, id: self.next(time) }
    }

    fn next(&mut self, time: Time) -> String {
        let micros = u64::try_from(time.micros()).unwrap_or(0);
        let id = match self.clock {
            Clock::System => {
                let nanos = u32::try_from(micros % 1_000_000 * 1000).unwrap_or(0);
                Uuid::new_v7(Timestamp::from_unix_time(micros / 1_000_000, nanos, 0, 0))
            }
            Clock::Fixed(_) => {
                let counted = (self.head.0 << 28 | self.given & Self::STORE).to_be_bytes();
                let mut tail = [0; 10];
                tail[3..].copy_from_slice(&counted[1..]);
                Builder::from_unix_timestamp_millis(micros / 1000, &tail).into_uuid()
            }
        };
        self.given += 1;
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_a_fixed_clock_ids_are_reproducible_and_differ() {
        let time = Time::parse("2026-01-31T12:00:00Z").unwrap();
        let clock = Clock::Fixed(time);
        let two = |head| {
            let mut ids = Ids::new(clock, Position(head));
            [ids.next(time), ids.next(time)]
        };
        assert_eq!(two(0), two(0));
        assert_eq!(two(0), ["019c13ec-9e00-7000-8000-000000000000", "019c13ec-9e00-7000-8000-000000000001"]);
        assert_eq!(two(3)[1], "019c13ec-9e00-7000-8000-000030000001");
    }

    #[test]
    fn with_the_systems_clock_no_two_are_alike() {
        let mut ids = Ids::new(Clock::System, Position(0));
        let time = Clock::System.now();
        assert_ne!(ids.next(time), ids.next(time));
    }
}
