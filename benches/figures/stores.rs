//! What the figures are measured on: programs, stores and commands in a temporary folder.

use crate::baseline::HIDDEN;
use crate::child::{Ran, run_to_file};
use crate::report::time;
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
    folder: TempDir,
    domain: PathBuf,
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
}

impl Place {
    /// An empty one.
    pub fn new(events: u64, streams: u64, repeat: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let domain = folder.path().join("bank.yaml");
        std::fs::write(&domain, include_str!("bank.yaml"))?;
        let itself = std::env::current_exe()?;
        Ok(Self { events, streams, repeat, folder, domain, itself, long: OnceCell::new(), wide: OnceCell::new() })
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
        let mut command = Command::new(Self::program());
        for variable in ["ESCTL_CLOCK", "ESCTL_TIMEOUT"] {
            command.env_remove(variable);
        }
        command.env("ESCTL_DOMAIN", &self.domain).env("ESCTL_STORE", store).current_dir(self.folder.path());
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
        let mut command = self.esctl(store);
        command.args(["send", "--batch"]).arg(commands);
        command.args(group.iter().flat_map(|group| ["--group", group]));
        // 1 is what it ends with when something was rejected.
        run_to_file(&mut command, &self.file("receipts"), &[0, 1])
    }

    /// Has the baseline do the same.
    pub fn send_baseline(&self, store: &Path, commands: &Path, group: Option<&str>) -> Result<Ran> {
        let mut command = self.baseline("batch", store);
        command.arg(commands).arg(group.unwrap_or(BASELINE_GROUP));
        run_to_file(&mut command, &self.file("receipts"), &[0])
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
        let stores = Stores {
            ours: self.file(&format!("{name}.db")),
            baseline: self.file(&format!("{name}-baseline.db")),
            work,
        };
        let ours = self.send(&stores.ours, &commands, None)?;
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
