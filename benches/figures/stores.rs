//! What the figures are measured on: programs, stores and commands in a temporary folder.

use crate::baseline::HIDDEN;
use crate::child::{Ran, run_to_file};
use crate::report::{Sample, time};
use crate::work::{Until, Work, write};
use anyhow::{Result, ensure};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// How many commands the baseline stores in one transaction.
const BASELINE_GROUP: &str = "1000";

/// Where and how everything is measured.
#[derive(Debug)]
pub struct Place {
    /// How many events the large stores have.
    pub events: u64,
    /// In how many streams.
    pub streams: u64,
    /// How often each thing is measured.
    pub repeat: usize,
    /// Whether to measure what takes long too.
    pub is_long: bool,
    folder: TempDir,
    itself: PathBuf,
    long: OnceCell<Stores>,
    wide: OnceCell<Stores>,
}

/// The same events in a store of esctl and in one of the baseline.
#[derive(Debug)]
pub struct Stores {
    /// The store of esctl.
    pub ours: PathBuf,
    /// The other one.
    pub baseline: PathBuf,
    /// What is in them.
    pub work: Work,
    /// How much memory `send --batch` had at most when it made the store of esctl, in bytes.
    pub peak: u64,
}

/// By which domain esctl works: the bank, or the bank with something more or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// As `bank.yaml` says.
    Bank,
    /// The same without snapshots.
    Unkept,
    /// The same with a process whose instances every movement may concern, though none ever does.
    Processes,
}

impl Rules {
    fn file(self) -> &'static str {
        match self {
            Self::Bank => "bank.yaml",
            Self::Unkept => "unkept.yaml",
            Self::Processes => "processes.yaml",
        }
    }

    fn text(self) -> Result<String> {
        let bank = include_str!("bank.yaml");
        let text = match self {
            Self::Bank => bank.to_owned(),
            Self::Unkept => bank.replace("    state: {", "    snapshot: 0\n    state: {"),
            Self::Processes => bank.replace("\nprojections:\n", &format!("\n{TRANSFERS}\nprojections:\n")),
        };
        ensure!(self == Self::Bank || text != bank, "`bank.yaml` has no place for what is put into it");
        Ok(text)
    }
}

/// What is put into the bank for processes: a key to be asked for each movement of money.
const TRANSFERS: &str = r#"
  transfer:
    description: Money on its way.
    state: { requested: false }
    events:
      Requested:
        fields: { from: string }
        fold: state.requested = true
    commands:
      Request:
        fields: { from: string }
        decide: emit("Requested", command)

processes:
  transfers:
    description: Never begins, for nobody requests a transfer.
    key:
      transfer.Requested: meta.id
      account.Deposited: event.ref
      account.Withdrawn: event.ref
    starts: transfer.Requested
    state: { moved: 0 }
    on:
      transfer.Requested: state.moved = 0
      account.Deposited: state.moved += 1
      account.Withdrawn: state.moved += 1
"#;

/// Runs both so many times, by turns.
pub fn by_turns(
    repeat: usize,
    mut ours: impl FnMut() -> Result<Ran>,
    mut other: impl FnMut() -> Result<Ran>,
) -> Result<(Sample, Sample)> {
    let mut samples = (Sample::default(), Sample::default());
    for _ in 0..repeat {
        samples.0.add(&ours()?);
        samples.1.add(&other()?);
    }
    Ok(samples)
}

impl Place {
    /// An empty one.
    pub fn new(events: u64, streams: u64, repeat: usize, is_long: bool) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        for rules in [Rules::Bank, Rules::Unkept, Rules::Processes] {
            std::fs::write(folder.path().join(rules.file()), rules.text()?)?;
        }
        let itself = std::env::current_exe()?;
        let (long, wide) = (OnceCell::new(), OnceCell::new());
        Ok(Self { events, streams, repeat, is_long, folder, itself, long, wide })
    }

    /// The program that is measured.
    pub fn program() -> &'static Path {
        Path::new(env!("CARGO_BIN_EXE_esctl"))
    }

    /// A file in the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `esctl`, about to work on that store. Nothing of the surroundings changes what it does.
    pub fn esctl(&self, store: &Path) -> Command {
        self.esctl_by(Rules::Bank, store)
    }

    /// The same by other rules.
    pub fn esctl_by(&self, rules: Rules, store: &Path) -> Command {
        let mut command = Command::new(Self::program());
        for variable in ["ESCTL_CLOCK", "ESCTL_TIMEOUT"] {
            command.env_remove(variable);
        }
        command.env("ESCTL_DOMAIN", self.file(rules.file())).env("ESCTL_STORE", store).current_dir(self.folder.path());
        command
    }

    /// A part of the baseline, about to work on that store.
    pub fn baseline(&self, part: &str, store: &Path) -> Command {
        let mut command = Command::new(&self.itself);
        command.args([HIDDEN, part]).arg(store).current_dir(self.folder.path());
        command
    }

    /// Has `esctl` send commands to a store.
    pub fn send(&self, store: &Path, commands: &Path, group: Option<&str>) -> Result<Ran> {
        let group: Vec<&str> = group.iter().flat_map(|group| ["--group", group]).collect();
        self.send_by(Rules::Bank, store, commands, &group)
    }

    /// The same by other rules, with more arguments.
    pub fn send_by(&self, rules: Rules, store: &Path, commands: &Path, arguments: &[&str]) -> Result<Ran> {
        let mut command = self.esctl_by(rules, store);
        command.args(["send", "--batch"]).arg(commands).args(arguments);
        // 1 is what it ends with when something was rejected.
        run_to_file(&mut command, &self.file("receipts"), &[0, 1])
    }

    /// Has the baseline do the same.
    pub fn send_baseline(&self, store: &Path, commands: &Path, group: Option<&str>) -> Result<Ran> {
        let mut command = self.baseline("batch", store);
        command.arg(commands).arg(group.unwrap_or(BASELINE_GROUP));
        run_to_file(&mut command, &self.file("receipts"), &[0])
    }

    /// Runs both by turns, so that what else the machine does hits both alike.
    pub fn by_turns(
        &self,
        ours: impl FnMut() -> Result<Ran>,
        other: impl FnMut() -> Result<Ran>,
    ) -> Result<(Sample, Sample)> {
        by_turns(self.repeat, ours, other)
    }

    /// Removes a store.
    pub fn remove(store: &Path) {
        for end in ["", "-wal", "-shm", "-turn"] {
            let mut name = store.as_os_str().to_owned();
            name.push(end);
            let _ = std::fs::remove_file(name);
        }
    }

    /// Stores with new commands.
    pub fn make(&self, name: &str, streams: u64, events: u64) -> Result<Stores> {
        let commands = self.file("commands.ndjson");
        let work = write(&commands, streams, Until::Events(events))?;
        let (ours, baseline) = (self.file(&format!("{name}.db")), self.file(&format!("{name}-baseline.db")));
        let mut stores = Stores { ours, baseline, work, peak: 0 };
        let ours = self.send(&stores.ours, &commands, None)?;
        stores.peak = ours.peak;
        let baseline = self.send_baseline(&stores.baseline, &commands, None)?;
        for (store, table) in [(&stores.ours, "es_events"), (&stores.baseline, "events")] {
            let connection = rusqlite::Connection::open(store)?;
            let count: i64 = connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?;
            ensure!(u64::try_from(count)? == events, "{} has {count} events, not {events}", store.display());
        }
        let size = std::fs::metadata(&stores.ours)?.len() / 1_000_000;
        eprintln!("made `{name}`: {size} MB in {}, baseline in {}", time(ours.took), time(baseline.took));
        Ok(stores)
    }

    /// All events in one stream.
    pub fn long(&self) -> Result<&Stores> {
        if self.long.get().is_none() {
            let _ = self.long.set(self.make("long", 1, self.events)?);
        }
        Ok(self.long.get().unwrap_or_else(|| unreachable!("it was set")))
    }

    /// All events in many streams.
    pub fn wide(&self) -> Result<&Stores> {
        if self.wide.get().is_none() {
            let _ = self.wide.set(self.make("wide", self.streams, self.events)?);
        }
        Ok(self.wide.get().unwrap_or_else(|| unreachable!("it was set")))
    }
}
