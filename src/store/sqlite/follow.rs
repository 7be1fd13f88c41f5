//! Waiting for what is committed to a store, here or by another process.
//!
//! Every commit is written to the log beside the file, and on Linux the kernel tells of it: until then nothing runs but a
//! look every second. SQLite writes the log first and lets others see the commit after that, which the kernel tells
//! nobody. So whoever was told looks again and again, at intervals that grow, until it has seen what was written.
//! Where the kernel tells of nothing, the store is looked at twenty times a second.
//!
//! On network file systems the kernel tells only of what was written on this machine. But SQLite shares the index of its
//! log through memory, so that no other machine can use the store anyway.

use super::{Access, Fault, Notice, Options, SqliteStore, read};
use crate::event::{Head, Position};
use crate::store::{Store, StoreError};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[cfg(unix)]
use rustix::event::{PollFd, PollFlags, Timespec};
#[cfg(unix)]
use std::os::fd::OwnedFd;

/// How soon it is looked again after the log was written to; each time twice as late, for a second in all.
const SOON: Duration = Duration::from_millis(1);
/// How soon where nothing tells of writing.
const REGULARLY: Duration = Duration::from_millis(50);
/// How soon where the kernel tells: should it ever fail to.
const AT_LAST: Duration = Duration::from_secs(1);

/// Why waiting ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// Something was committed since it was last looked.
    Changed,
    /// The time is up, or something else came before, as a signal: nothing was committed. Whoever waits for longer waits
    /// again.
    Idle,
    /// Nobody reads the output any more.
    Closed,
}

/// What is committed to the store in a file, from when this was opened. It holds a connection of its own, without a
/// transaction: nobody is kept from writing, and the log is copied into the file as always.
#[derive(Debug)]
pub struct Changes {
    path: PathBuf,
    /// Which file it was.
    file: Option<Identity>,
    store: SqliteStore,
    /// What SQLite calls the state of the file that was last looked at.
    version: i64,
    /// The last event that was there then.
    head: Head,
    watch: Watch,
    /// When to look again after the log was written to; `None` once it has been quiet for long.
    again: Option<Duration>,
    /// Who reads what comes of it.
    #[cfg(unix)]
    reader: Option<OwnedFd>,
}

impl Changes {
    /// Of the store in that file, from now on. Whoever opens the store for reading after this misses nothing.
    pub fn open(path: impl AsRef<Path>, busy: Duration) -> Result<Self, StoreError> {
        let path = path.as_ref().to_owned();
        let before = Identity::of(&path);
        let mut store = SqliteStore::open(&path, Options { busy, ..Options::new(Access::Read) })?;
        let file = before.filter(|before| Identity::of(&path).as_ref() == Some(before));
        let watch = Watch::of(&path);
        let (version, head) = store.state()?;
        Ok(Self {
            path,
            file,
            store,
            version,
            head,
            watch,
            again: Some(SOON),
            #[cfg(unix)]
            reader: None,
        })
    }

    /// What opening the store brought to light.
    pub fn notices(&self) -> &[Notice] {
        self.store.notices()
    }

    /// Why the store is looked at again and again, where the system could tell but does not.
    pub fn why_looking(&self) -> Option<&str> {
        match &self.watch {
            Watch::Looking(why) => why.as_deref(),
            #[cfg(target_os = "linux")]
            Watch::Told(_) => None,
        }
    }

    /// Waiting is to end when nobody reads this any more: the other end of a pipe, or a terminal.
    #[cfg(unix)]
    pub fn until_unread(&mut self, output: OwnedFd) {
        self.reader = Some(output);
    }

    /// Whether something was committed since it was last looked, by this process too.
    ///
    /// [`StoreError::Unavailable`] where the file is not the one any more that it was, or its history not the one that
    /// went on from there. Whoever has the same store open must not close it then, but leave that to the end of the process.
    pub fn look(&mut self) -> Result<bool, StoreError> {
        if Identity::of(&self.path).is_none() {
            return Err(self.lost("was taken away"));
        }
        if Identity::of(&self.path) != self.file {
            return Err(self.lost("was replaced by another file"));
        }
        let (version, head) = self.store.state()?;
        if version == self.version {
            return Ok(false);
        }
        let last = self.head.position;
        let same = head.position >= last && (last == Position(0) || self.store.hash_at(last)? == Some(self.head.hash));
        if !same {
            return Err(self.lost("was given another history"));
        }
        (self.version, self.head) = (version, head);
        Ok(true)
    }

    /// Waits until something is committed, at most for so long, and never for longer than a second: a signal may have come
    /// just before the waiting began. Also tells of what was committed before that.
    pub fn wait(&mut self, at_most: Option<Duration>) -> Result<Woken, StoreError> {
        if self.look()? {
            return Ok(Woken::Changed);
        }
        let pause = self.again.unwrap_or_else(|| self.watch.pause());
        match self.sleep(at_most.map_or(pause, |most| most.min(pause))) {
            Slept::Whole => self.again = self.again.map(|again| again * 2).filter(|again| *again < AT_LAST),
            Slept::Written => self.again = Some(SOON),
            Slept::Interrupted => {}
            Slept::Unread => return Ok(Woken::Closed),
        }
        Ok(if self.look()? { Woken::Changed } else { Woken::Idle })
    }

    /// It is closed without a touch: who closes last removes the log by its name, which may be another store's by now.
    fn lost(&mut self, how: &str) -> StoreError {
        self.store.give_up();
        StoreError::Unavailable(format!("`{}` {how} while it was followed", self.path.display()))
    }

    /// Waits for the kernel, for as long as that.
    #[cfg(unix)]
    fn sleep(&mut self, pause: Duration) -> Slept {
        let mut waiting = Vec::with_capacity(2);
        if let Some(reader) = &self.reader {
            // That it has gone is told without being asked for.
            waiting.push(PollFd::new(reader, PollFlags::empty()));
        }
        #[cfg(target_os = "linux")]
        if let Watch::Told(told) = &self.watch {
            waiting.push(PollFd::new(&told.kernel, PollFlags::IN));
        }
        let time = Timespec::try_from(pause).ok();
        match rustix::event::poll(&mut waiting, time.as_ref()) {
            Ok(0) => return Slept::Whole,
            Ok(_) => {}
            Err(_) => return Slept::Interrupted,
        }
        if self.reader.is_some() {
            let seen = waiting.first().map_or(PollFlags::empty(), PollFd::revents);
            if seen.intersects(PollFlags::ERR | PollFlags::HUP) {
                return Slept::Unread;
            }
            if seen.contains(PollFlags::NVAL) {
                // Some systems cannot wait for every kind of output.
                self.reader = None;
                return Slept::Interrupted;
            }
        }
        if self.watch.is_about_store() { Slept::Written } else { Slept::Interrupted }
    }

    /// Waits for as long as that.
    #[cfg(not(unix))]
    fn sleep(&mut self, pause: Duration) -> Slept {
        std::thread::sleep(pause);
        Slept::Whole
    }
}

/// How a sleep ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(unix), allow(dead_code, reason = "there nothing ends it early"))]
enum Slept {
    /// It was as long as it was to be.
    Whole,
    /// The store was written to.
    Written,
    /// Something else came.
    Interrupted,
    /// Nobody reads the output any more.
    Unread,
}

/// What tells one file from another of the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    /// `None` where there is no file.
    fn of(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            Self(metadata.dev(), metadata.ino())
        };
        // A file that is open cannot be replaced there.
        #[cfg(not(unix))]
        let identity = Self(0, u64::from(metadata.is_file()));
        Some(identity)
    }
}

/// Who tells that the store was written to.
#[derive(Debug)]
enum Watch {
    /// The kernel.
    #[cfg(target_os = "linux")]
    Told(Told),
    /// Nobody, for this reason; `None` where it is always so.
    Looking(Option<String>),
}

#[cfg(target_os = "linux")]
#[derive(Debug)]
struct Told {
    kernel: OwnedFd,
    /// The names of the file and its log, in their folder.
    names: [Vec<u8>; 2],
}

impl Watch {
    #[cfg(target_os = "linux")]
    fn of(path: &Path) -> Self {
        use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
        // SQLite names its log after the same path.
        let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let watch = || {
            let kernel = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
            // The folder, since logs come and go, and so may the file.
            let wanted = WatchFlags::MODIFY
                | WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MOVED_FROM
                | WatchFlags::MOVED_TO
                | WatchFlags::ONLYDIR;
            inotify::add_watch(&kernel, real.parent().unwrap_or(Path::new("/")), wanted)?;
            Ok::<_, std::io::Error>(kernel)
        };
        match watch() {
            Ok(kernel) => {
                let log = super::turnstile::beside(&real, "-wal");
                let name =
                    |path: &Path| path.file_name().map_or_else(Vec::new, |name| name.as_encoded_bytes().to_vec());
                Self::Told(Told { kernel, names: [name(&real), name(&log)] })
            }
            Err(error) => Self::Looking(Some(format!("inotify: {error}"))),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn of(_: &Path) -> Self {
        Self::Looking(None)
    }

    fn pause(&self) -> Duration {
        match self {
            #[cfg(target_os = "linux")]
            Self::Told(_) => AT_LAST,
            Self::Looking(_) => REGULARLY,
        }
    }

    /// Takes what the kernel has told, and says whether any of it is about the store.
    #[cfg(target_os = "linux")]
    fn is_about_store(&mut self) -> bool {
        use rustix::fs::inotify::{ReadFlags, Reader};
        use rustix::io::Errno;
        let Self::Told(Told { kernel, names }) = self else { return false };
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(kernel, &mut buffer);
        let mut about = false;
        let failed = loop {
            match reader.next() {
                // Without a name it is that more happened than the kernel could keep, or the end of the folder.
                Ok(told) => match told.file_name() {
                    Some(name) => about |= names.iter().any(|known| known == name.to_bytes()),
                    None if told.events().contains(ReadFlags::IGNORED) => break Some("its folder is gone".to_owned()),
                    None => about = true,
                },
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break None,
                Err(error) => break Some(format!("inotify: {error}")),
            }
        };
        if failed.is_some() {
            *self = Self::Looking(failed);
            return true;
        }
        about
    }

    #[cfg(all(unix, not(target_os = "linux")))]
    #[allow(clippy::unused_self, reason = "elsewhere it is somebody who tells")]
    fn is_about_store(&mut self) -> bool {
        false
    }
}

impl SqliteStore {
    /// What changes with every commit that is not of this connection, and the last event.
    fn state(&mut self) -> Result<(i64, Head), StoreError> {
        self.call(|connection, _| {
            let version = connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
            Ok::<_, Fault>((version, read::head(connection)?))
        })
    }
}
