//! A process that sends commands and may be killed at any instant.

use crate::support::Folder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::unix::fs::FileExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub struct Victim {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// In a file, which takes any length without anybody reading it.
    talk: File,
}

/// How a process ended.
#[derive(Debug)]
pub struct End {
    /// The whole lines that it printed and that were not read before.
    pub printed: Vec<String>,
    /// The exit code, where no signal ended it.
    pub exit: Option<i32>,
    /// What it said on stderr.
    pub stderr: String,
}

impl Victim {
    /// Starts `esctl` with these arguments.
    pub fn start(folder: &Folder, arguments: &[&str]) -> Self {
        let talk = tempfile::tempfile().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_esctl"));
        command.args(arguments);
        folder.surround(&mut command);
        command.stderr(Stdio::from(talk.try_clone().unwrap()));
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { input: child.stdin.take(), output, talk, child }
    }

    /// Its number in the system.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Puts something into its stdin. If it ended by itself, that shows where its answer is missing.
    pub fn feed(&mut self, text: &str) {
        if let Some(input) = &mut self.input {
            let _ = input.write_all(text.as_bytes());
        }
    }

    /// Ends its stdin.
    pub fn no_more(&mut self) {
        self.input = None;
    }

    /// Waits for a line; `None` when it prints no more.
    pub fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        // What a kill cut off was not printed.
        line.ends_with('\n').then_some(line)
    }

    /// Looks at it so often, which is how it is let live for a while, or until it ends. Gives how often that was.
    pub fn watch(&mut self, looks: usize) -> usize {
        (0..looks).find(|_| self.child.try_wait().unwrap().is_some()).unwrap_or(looks)
    }

    /// Whether it has ended.
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// What it has said on stderr so far. It goes on writing where it was.
    pub fn stderr(&self) -> String {
        let mut said = vec![0; usize::try_from(self.talk.metadata().unwrap().len()).unwrap()];
        self.talk.read_exact_at(&mut said, 0).unwrap();
        String::from_utf8(said).unwrap()
    }

    /// Kills it, if it has not ended, and gives what it had printed.
    pub fn kill(mut self) -> End {
        self.child.kill().unwrap();
        self.end()
    }

    /// Ends its stdin and lets it end.
    pub fn end(mut self) -> End {
        self.no_more();
        let printed = std::iter::from_fn(|| self.line()).collect();
        let exit = self.child.wait().unwrap().code();
        let mut stderr = String::new();
        self.talk.rewind().unwrap();
        self.talk.read_to_string(&mut stderr).unwrap();
        End { printed, exit, stderr }
    }
}

impl End {
    /// Insists that it was killed, or had done what it was to do.
    #[track_caller]
    pub fn killed_or_done(self) -> Self {
        let Self { exit, stderr, .. } = &self;
        assert!(exit.is_none_or(|exit| exit == 0), "it ended by itself, exit: {exit:?}\n{stderr}");
        self
    }
}
