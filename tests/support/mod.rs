//! What tests of the binary share: a folder of their own, and the whole of what a run of `esctl` said.

pub mod copies;
pub mod dump;
pub mod history;
pub mod mount;
#[cfg(unix)]
pub mod running;
pub mod sample;
#[cfg(unix)]
pub mod terminal;
pub mod trial;
pub mod world;

use std::fmt;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// The instant that every run takes for now.
pub const NOW: &str = "2026-01-31T12:00:00Z";

/// A folder that nothing else knows and that goes with the test.
pub struct Folder {
    temp: TempDir,
    clock: &'static str,
}

/// What a run said, all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The data.
    pub stdout: String,
    /// The talk.
    pub stderr: String,
    /// The exit code; -1 where a signal ended it.
    pub exit: i32,
}

/// The folder of the binary under test.
pub fn bin() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_esctl")).parent().unwrap()
}

/// The folder of the sources.
pub fn sources() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Says loudly that a test could not be run: past the test runner, which would swallow it.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

impl Folder {
    /// With nothing in it.
    pub fn empty() -> Self {
        Self { temp: TempDir::new().unwrap(), clock: NOW }
    }

    /// As `esctl init` leaves it.
    pub fn bank() -> Self {
        let folder = Self::empty();
        folder.esctl("init").done();
        folder
    }

    /// With one of the examples in `domains/`.
    pub fn example(name: &str) -> Self {
        let folder = Self::empty();
        let file = format!("domains/{name}.yaml");
        folder.write(&file, fs::read(sources().join(&file)).unwrap());
        folder
    }

    /// With an account: opened, and 0.10 and 0.20 deposited.
    pub fn opened() -> Self {
        let folder = Self::bank();
        folder.esctl("send account/ada Open owner=Ada currency=EUR").done();
        folder.esctl("send account/ada Deposit amount=0.10").done();
        folder.esctl("send account/ada Deposit amount=0.20").done();
        folder
    }

    /// The same with the system's clock: ids are unique even between processes that run side by side.
    #[must_use]
    pub fn with_a_running_clock(mut self) -> Self {
        self.clock = "";
        self
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.temp.path()
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, with the folders it needs.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let file = self.file(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
        self
    }

    /// The names of everything in it, sorted.
    pub fn listing(&self) -> Vec<String> {
        let names = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    }

    /// Runs `esctl` with these arguments, written as for a shell: quotes hold words together.
    pub fn esctl(&self, arguments: &str) -> Outcome {
        self.esctl_with(arguments, "")
    }

    /// The same, with something on stdin.
    pub fn esctl_with(&self, arguments: &str, stdin: impl AsRef<[u8]>) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_esctl"));
        command.args(words(arguments));
        self.run(command, stdin.as_ref())
    }

    /// The same where nobody reads what it prints: the other end of its stdout is closed before it begins.
    pub fn esctl_unread(&self, arguments: &str) -> Outcome {
        let mut command = Command::new(env!("CARGO_BIN_EXE_esctl"));
        self.surround(&mut command);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        command.args(words(arguments)).stdin(Stdio::null()).stdout(writer);
        command.output().unwrap().into()
    }

    /// Runs a bash script that finds `esctl` on its path.
    pub fn bash(&self, script: &str) -> Outcome {
        let mut command = Command::new("bash");
        command.arg("-c").arg(script);
        self.run(command, b"")
    }

    fn run(&self, mut command: Command, stdin: &[u8]) -> Outcome {
        self.surround(&mut command);
        let mut child = command.spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let stdin = stdin.to_vec();
        // A program need not read what it is given.
        let feeding = std::thread::spawn(move || drop(input.write_all(&stdin)));
        let outcome = child.wait_with_output().unwrap().into();
        feeding.join().unwrap();
        outcome
    }

    /// The surroundings of every run: this folder, this clock, and nothing of the machine's but its programs.
    pub fn surround(&self, command: &mut Command) {
        let path = std::env::var("PATH").unwrap_or_default();
        command
            .current_dir(self.path())
            .env_clear()
            .env("PATH", format!("{}:{path}", bin().display()))
            .env("HOME", self.path())
            .env("LC_ALL", "C.UTF-8")
            .env("ESCTL_CLOCK", self.clock)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
    }
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Self {
            stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
            exit: output.status.code().unwrap_or(-1),
        }
    }
}

impl Outcome {
    /// Insists on exit code 0 and gives stdout.
    #[track_caller]
    pub fn done(self) -> String {
        self.exits(0).stdout
    }

    /// Insists on an exit code.
    #[track_caller]
    pub fn exits(self, exit: i32) -> Self {
        assert_eq!(self.exit, exit, "{self}");
        self
    }

    /// Insists that stderr holds a text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not said:\n{self}");
        self
    }

    /// Insists that stdout holds a text.
    #[track_caller]
    pub fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "`{text}` is not printed:\n{self}");
        self
    }
}

/// The whole outcome as one text: what is not stated is empty. Hashes, which say nothing to a reader, are `<hash>`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "exit: {}", self.exit)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                let open = if text.ends_with('\n') { "" } else { "(no line break)\n" };
                write!(f, "{name}:\n{}{open}", without_hashes(text))?;
            }
        }
        Ok(())
    }
}

fn without_hashes(text: &str) -> String {
    let mut out = String::new();
    let mut hex = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_digit() || ('a'..='f').contains(&c) {
            hex.push(c);
            continue;
        }
        out.push_str(if hex.len() == 64 { "<hash>" } else { &hex });
        hex.clear();
        out.push(c);
    }
    out.pop();
    out
}

/// Splits as a shell does, for what tests need: white space, `'…'` and `"…"` without escapes.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if open == c => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    assert!(quote.is_none(), "a quote is open in: {line}");
    words.extend(word);
    words
}

#[test]
fn a_line_is_split_as_a_shell_does() {
    assert_eq!(words(r#"send a/b X n='a b' '' t:='["x"]' "#), ["send", "a/b", "X", "n=a b", "", r#"t:=["x"]"#]);
}
