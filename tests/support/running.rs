//! A run of `esctl` that goes on while others do something, read line by line. Reading waits until there is a line.

use super::{Folder, Outcome, words};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command};

/// Such a run.
pub struct Running {
    child: Child,
    /// `None` once nobody reads it any more.
    lines: Option<BufReader<ChildStdout>>,
    /// What was read.
    stdout: String,
}

impl Running {
    /// Begins `esctl` with these arguments, written as for a shell.
    pub fn begin(folder: &Folder, arguments: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_esctl"));
        command.args(words(arguments));
        Self::of(folder, command)
    }

    /// Begins a bash script that finds `esctl` on its path.
    pub fn bash(folder: &Folder, script: &str) -> Self {
        let mut command = Command::new("bash");
        command.arg("-c").arg(script);
        Self::of(folder, command)
    }

    fn of(folder: &Folder, mut command: Command) -> Self {
        folder.surround(&mut command);
        let mut child = command.spawn().unwrap();
        let lines = child.stdout.take().map(BufReader::new);
        Self { child, lines, stdout: String::new() }
    }

    /// The next line, without its line break; empty where there are no more.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.as_mut().unwrap().read_line(&mut line).unwrap();
        self.stdout.push_str(&line);
        line.trim_end_matches('\n').to_owned()
    }

    /// So many lines.
    pub fn lines(&mut self, many: usize) -> Vec<String> {
        (0..many).map(|_| self.line()).collect()
    }

    /// Gives it a line on stdin.
    pub fn give(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Reads no more of what it prints.
    pub fn leave(&mut self) {
        self.lines = None;
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops it where it is, until it is sent [`Signal::CONT`].
    pub fn stop(&self) {
        self.signal(Signal::STOP);
        waitpid(Some(Pid::from_child(&self.child)), WaitOptions::UNTRACED).unwrap();
    }

    /// Waits for its end, and gives all that it said.
    pub fn ended(self) -> Outcome {
        self.end().0
    }

    /// Waits for its end, and gives the signal that ended it.
    pub fn signalled(self) -> Option<i32> {
        self.end().1
    }

    fn end(mut self) -> (Outcome, Option<i32>) {
        if let Some(lines) = &mut self.lines {
            lines.read_to_string(&mut self.stdout).unwrap();
        }
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let status = self.child.wait().unwrap();
        (Outcome { stdout: self.stdout, stderr, exit: status.code().unwrap_or(-1) }, status.signal())
    }
}
