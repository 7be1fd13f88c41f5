//! Hostile text, in every place where text comes in: a clear refusal that stores nothing, or an exact round trip.
//!
//! Nothing panics, hangs or eats memory, and nothing that a terminal would obey comes out. What a run takes is bounded
//! from outside: a refusal may have 64 MiB to write to, and no run more than a few seconds of the processor, which is a
//! bound against hanging. How long each took is printed.

mod domains;
mod names;
mod scripts;
mod values;

use crate::support::Folder;
use esctl::event::is_control;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a refusal may hold, in KiB.
const REFUSAL: usize = 64 * 1024;
/// What may be held where the text is taken: a script may have 64 MiB for itself.
const TAKEN: usize = 512 * 1024;
/// What a file may have that is large enough to be felt, in bytes.
const LARGE: usize = 100 * 1024 * 1024;
/// A refusal takes no longer.
const PROMPT: Duration = Duration::from_millis(500);

/// An aggregate that keeps whatever it is given.
const ANYTHING: &str = "\
domain: test
aggregates:
  thing:
    state: { n: ~ }
    events:
      Done:
        fields: { n: any }
        fold: state.n = event.n
    commands:
      Do:
        fields: { n: any }
        decide: emit(\"Done\", command)
";

/// What a run said.
struct Run {
    what: String,
    exit: i32,
    stdout: String,
    stderr: String,
}

/// A folder in which hostile texts are tried, how long each took, and what did not go as it must: all of a corpus is
/// gone through before a test fails.
struct Trial {
    folder: Folder,
    took: Vec<(Duration, String)>,
    wrong: Vec<String>,
}

impl Trial {
    fn new() -> Self {
        let folder = Folder::empty();
        folder.write("domains/test.yaml", ANYTHING);
        Self { folder, took: Vec::new(), wrong: Vec::new() }
    }

    /// Runs with bounds, and with a file of the folder on stdin.
    fn run(&mut self, what: &str, memory: usize, stdin: &str, arguments: &[&OsStr]) -> Run {
        let mut command = Command::new("bash");
        // Written to are the heap, the stacks and what a program changes of its files: `ulimit -d` bounds all of it.
        let script = format!("ulimit -c 0 -t 10 -d {memory} && exec esctl \"$@\" <\"$0\"");
        command.arg("-c").arg(script).arg(if stdin.is_empty() { "/dev/null" } else { stdin }).args(arguments);
        self.folder.surround(&mut command);
        command.stdin(Stdio::null());
        let start = Instant::now();
        let output = command.output().unwrap_or_else(|error| panic!("{what}: {error}"));
        self.took.push((start.elapsed(), what.to_owned()));
        let run = Run {
            what: what.to_owned(),
            exit: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        let utf8 = std::str::from_utf8(&output.stdout).and(std::str::from_utf8(&output.stderr));
        self.insist(utf8.is_ok(), &run, "what comes out is not UTF-8");
        let raw = [&run.stdout, &run.stderr].iter().any(|text| text.contains(|c| is_control(c) && c != '\n'));
        self.insist(!raw, &run, "what a terminal would obey comes out raw");
        self.insist((0..=7).contains(&run.exit), &run, "it does not end as it must");
        self.insist(!run.stderr.contains("memory allocation"), &run, "it needs more memory");
        run
    }

    /// Notes what does not hold.
    fn insist(&mut self, holds: bool, run: &Run, otherwise: &str) -> bool {
        if !holds {
            self.wrong.push(format!("{otherwise}: {run}"));
        }
        holds
    }

    /// Insists on a refusal with this exit code that says why.
    fn refused(&mut self, run: &Run, exit: i32) {
        let clear = run.exit == exit && run.stderr.contains("error") && run.stderr.len() < 500_000;
        self.insist(clear, run, &format!("it is not refused with exit {exit}"));
    }

    /// Insists that it is done.
    fn done(&mut self, run: &Run) -> bool {
        self.insist(run.exit == 0, run, "it is refused")
    }

    /// Fails where anything went wrong.
    fn finish(self) {
        assert!(self.wrong.is_empty(), "{} went wrong:\n{}", self.wrong.len(), self.wrong.join("\n\n"));
    }

    /// The same with words for a shell.
    fn esctl(&mut self, what: &str, memory: usize, stdin: &str, arguments: &str) -> Run {
        let words: Vec<&OsStr> = arguments.split_whitespace().map(OsStr::new).collect();
        self.run(what, memory, stdin, &words)
    }

    /// Everything that is stored, as `export` writes it; nothing where there is no store.
    fn stored(&mut self) -> String {
        if !self.folder.file("esctl.db").exists() {
            return String::new();
        }
        let run = self.folder.esctl("export").done();
        // An export of nothing has a header.
        run.lines().skip(1).flat_map(|line| [line, "\n"]).collect()
    }

    /// Takes the store away.
    fn anew(&self) {
        for end in ["", "-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(self.folder.file(&format!("esctl.db{end}")));
        }
    }

    /// A large file of one byte, which takes no time to make where it is zero.
    fn large(&self, name: &str, byte: u8) {
        let file = fs::File::create(self.folder.file(name)).unwrap();
        match byte {
            0 => file.set_len(LARGE as u64).unwrap(),
            byte => {
                let block = vec![byte; LARGE / 100];
                (0..100).for_each(|_| std::io::Write::write_all(&mut &file, &block).unwrap());
            }
        }
    }
}

/// Says how long it took.
impl Drop for Trial {
    fn drop(&mut self) {
        self.took.sort_by(|a, b| b.cmp(a));
        let slow = self.took.iter().filter(|(took, _)| *took > PROMPT).count();
        eprintln!("{} runs, {slow} took longer than {PROMPT:?}; the slowest:", self.took.len());
        for (took, what) in self.took.iter().take(slow.max(5)) {
            eprintln!("{:6} ms  {what}", took.as_millis());
        }
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { what, exit, stdout, stderr } = self;
        write!(f, "{what}: exit {exit}\nstdout: {}\nstderr: {}", head(stdout), head(stderr))
    }
}

/// The beginning of a text, which may be long.
fn head(text: &str) -> &str {
    &text[..text.floor_char_boundary(1000)]
}

/// The store's name for a path that is to be taken as it is.
fn exists(folder: &Folder, name: &OsStr) -> bool {
    folder.path().join(Path::new(name)).exists()
}

/// The bound is one: what needs more than it may have ends, and is seen to have.
#[test]
fn memory_is_bounded() {
    let mut trial = Trial::new();
    let small = trial.esctl("a small list", 16 * 1024, "", "send thing/1 Do n=1");
    assert_eq!(small.exit, 0, "{small}");
    trial.folder.write("list", format!("[{}0]", "0,".repeat(400_000)));
    let large = trial.esctl("a large list", 16 * 1024, "", "send thing/1 Do n:=@list");
    assert!(large.exit == -1 && large.stderr.contains("memory"), "400,000 values fit into 16 MiB? {large}");
}
