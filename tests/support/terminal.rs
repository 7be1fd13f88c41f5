//! A terminal of a test's own, with a program on it.

use super::Folder;
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

/// How a screen begins: its first line is written at the upper left.
const TOP: &str = "\u{1b}[1;1H";

/// A terminal, and a program on it.
pub struct Terminal {
    ours: File,
    child: Child,
    /// What came and was not looked at yet.
    seen: String,
    /// How the terminal was set before.
    before: String,
}

/// How a program on a terminal ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// Its exit code.
    pub exit: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether the terminal is set as it was, and shows the screen that it showed before.
    pub restored: bool,
}

impl Terminal {
    /// Begins `esctl` as the leader of a session whose terminal this is; `None` where there is no `setsid` to do so.
    pub fn with(folder: &Folder, arguments: &str, size: (u16, u16)) -> Option<Self> {
        Self::within(folder, arguments, size, &[])
    }

    /// The same with other variables in the environment.
    pub fn within(folder: &Folder, arguments: &str, size: (u16, u16), variables: &[(&str, &str)]) -> Option<Self> {
        let program: Vec<&str> = [env!("CARGO_BIN_EXE_esctl")].into_iter().chain(arguments.split(' ')).collect();
        Self::begun(folder, &program, size, variables)
    }

    /// The same with any program and its arguments.
    pub fn of(folder: &Folder, program: &[&str], size: (u16, u16)) -> Option<Self> {
        Self::begun(folder, program, size, &[])
    }

    fn begun(
        folder: &Folder,
        program: &[&str],
        (width, height): (u16, u16),
        variables: &[(&str, &str)],
    ) -> Option<Self> {
        Command::new("setsid").arg("--version").stdout(Stdio::null()).status().ok()?;
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let size = Winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&ours, size).unwrap();
        let theirs = || Stdio::from(OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap());
        let mut command = Command::new("setsid");
        folder.surround(&mut command);
        command.arg("--ctty").args(program).env("TERM", "xterm").envs(variables.iter().copied());
        let before = format!("{:?}", tcgetattr(&ours).unwrap());
        // The command has the other end only until it goes: then nothing more comes once the program has ended.
        let child = command.stdin(theirs()).stdout(theirs()).stderr(theirs()).spawn().unwrap();
        Some(Self { ours: File::from(ours), child, seen: String::new(), before })
    }

    /// Presses keys, as a terminal sends them.
    pub fn press(&mut self, keys: &str) {
        self.ours.write_all(keys.as_bytes()).unwrap();
    }

    /// Gives it another size, which it is told of.
    pub fn resize(&mut self, (width, height): (u16, u16)) {
        let size = Winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.ours, size).unwrap();
    }

    /// Sends the program a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The next screen that holds a text and ends with another, line by line.
    pub fn screen(&mut self, text: &str, end: &str) -> String {
        loop {
            if let Some((from, to)) = self.found(text, end) {
                let screen = without_escapes(&self.seen[from..to]);
                self.seen.drain(..to);
                return screen;
            }
            let read = self.read();
            assert!(read > 0, "no screen with `{text}` came, but this: {:?}", self.seen);
        }
    }

    /// What comes up to a text, and that is taken away.
    pub fn until(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.seen.find(text) {
                let before = self.seen[..at].to_owned();
                self.seen.drain(..at + text.len());
                return before;
            }
            let read = self.read();
            assert!(read > 0, "`{text}` did not come, but this: {:?}", self.seen);
        }
    }

    /// Where a screen lies in what came.
    fn found(&self, text: &str, end: &str) -> Option<(usize, usize)> {
        self.seen.match_indices(TOP).find_map(|(from, _)| {
            let screen = &self.seen[from..];
            let next = screen[TOP.len()..].find(TOP).map_or(screen.len(), |next| next + TOP.len());
            let to = screen[..next].rfind(end)? + end.len();
            screen[..to].contains(text).then_some((from, from + to))
        })
    }

    fn read(&mut self) -> usize {
        let mut bytes = [0; 4096];
        let read = self.ours.read(&mut bytes).unwrap_or(0);
        self.seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        read
    }

    /// Ends the program.
    pub fn end(mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits until a text came, which stays.
    pub fn shows(&mut self, text: &str) {
        while !self.seen.contains(text) {
            assert!(self.read() > 0, "`{text}` never came, but this: {:?}", self.seen);
        }
    }

    /// Waits until the program has ended: all that came, and how it ended.
    pub fn all(mut self) -> (String, Ended) {
        while self.read() > 0 {}
        let seen = self.seen.clone();
        (seen, self.ended())
    }

    /// Waits until the program has ended.
    pub fn ended(mut self) -> Ended {
        while self.read() > 0 {}
        let status = self.child.wait().unwrap();
        let same = format!("{:?}", tcgetattr(&self.ours).unwrap()) == self.before;
        let other = ("\u{1b}[?1049h", "\u{1b}[?1049l");
        let back = self.seen.rfind(other.1) > self.seen.rfind(other.0) && self.seen.contains("\u{1b}[?25h");
        Ended { exit: status.code(), signal: status.signal(), restored: same && back }
    }
}

/// What is left to be seen of all that came, where nothing scrolled away: what was taken away is not.
pub fn left_of(came: &str) -> String {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut rest = came.chars();
    while let Some(next) = rest.next() {
        match next {
            '\r' => column = 0,
            '\n' => row += 1,
            '\u{1b}' => {
                let mut number = String::new();
                for c in rest.by_ref().skip(1) {
                    match c {
                        // A line is taken away, or the cursor goes up; the rest is colour.
                        'K' => lines[row].clear(),
                        'A' => row -= number.parse::<usize>().unwrap_or(1).min(row),
                        _ => number.push(c),
                    }
                    if c.is_ascii_alphabetic() {
                        break;
                    }
                }
            }
            c => {
                let line = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = c;
                column += 1;
            }
        }
        lines.resize(lines.len().max(row + 1), Vec::new());
    }
    let lines: Vec<String> = lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned()).collect();
    lines.join("\n").trim_end().to_owned()
}

/// The lines of a screen: an escape sequence that goes to a line begins one, the others show nothing.
fn without_escapes(screen: &str) -> String {
    let mut lines = String::new();
    for part in screen.split("\u{1b}[") {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(0, |end| end + 1);
        if part[..end].ends_with('H') && !lines.is_empty() {
            lines.push('\n');
        }
        lines.push_str(&part[end..]);
    }
    lines.push('\n');
    lines
}
