//! `complete`: what can stand where the cursor is, for the functions that `completions` gives to shells.
//!
//! `esctl complete SHELL WORD…` takes the words of a command line up to the cursor, the last one being the one that is
//! written, be it empty. It prints a line for each that it can become: `w` and the word, where a space follows, or `p`
//! and its beginning, where more does; then a tab and what it is. `f` and `d` with a beginning leave it to the shell to go on
//! with the name of a file or a folder after it.
//!
//! Whoever types must not be disturbed: it answers at once or not at all, writes nothing, waits for nobody, and says nothing
//! of what is wrong.

mod line;
mod names;
mod takes;

use esctl::event::is_control;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The word by which shells ask. It is no verb for people, and not in the help.
pub const WORD: &str = "complete";

/// Who waited for so long has typed on.
const PATIENCE: Duration = Duration::from_secs(1);

/// Something that the word at the cursor can become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Candidate {
    /// This word, and what it is.
    Word(String, String),
    /// A word that begins with this.
    Part(String, String),
    /// The name of a file after this beginning.
    File(String),
    /// The name of a folder after this beginning.
    Folder(String),
}

impl Candidate {
    fn line(&self) -> String {
        match self {
            Self::Word(word, about) => format!("w\t{word}\t{about}\n"),
            Self::Part(word, about) => format!("p\t{word}\t{about}\n"),
            Self::File(beginning) => format!("f\t{beginning}\n"),
            Self::Folder(beginning) => format!("d\t{beginning}\n"),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Word(text, _) | Self::Part(text, _) | Self::File(text) | Self::Folder(text) => text,
        }
    }
}

/// Answers a shell: its name, and the words of the line.
pub fn run(arguments: &[OsString]) -> ExitCode {
    let Some((shell, words)) = arguments.split_first() else { return ExitCode::SUCCESS };
    let quoted = shell != "zsh";
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    // Whatever goes wrong in there ends with the thread, and in silence.
    std::panic::set_hook(Box::new(|_| {}));
    let (sender, answer) = mpsc::channel();
    let asked = thread::Builder::new().spawn(move || {
        let words: Vec<String> = if quoted { words.iter().map(|word| unquoted(word)).collect() } else { words };
        let _ = sender.send(answers(&words));
    });
    if asked.is_ok()
        && let Ok(found) = answer.recv_timeout(PATIENCE)
    {
        let text: String = found.iter().map(Candidate::line).collect();
        let _ = io::stdout().lock().write_all(text.as_bytes());
    }
    ExitCode::SUCCESS
}

/// What the last of these words can become.
fn answers(words: &[String]) -> Vec<Candidate> {
    let line = line::Line::read(super::command(), words);
    let mut found = line.candidates();
    // A word that could do something to the terminal is not worth writing.
    found.retain(|candidate| !candidate.line().trim_end().replace('\t', "").contains(is_control));
    found.retain(|candidate| match candidate {
        Candidate::File(_) | Candidate::Folder(_) => true,
        word => word.text().starts_with(&line.word),
    });
    found
}

/// A word as the shell will hand it over, without its quotes; the last one may still be open. What the shell would put in the
/// place of `$…` nobody knows here.
fn unquoted(word: &str) -> String {
    let mut out = String::new();
    let mut quote = None;
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None | Some('"'), '\\') => out.extend(rest.next()),
            (_, c) => out.push(c),
        }
    }
    match (out.strip_prefix("~/"), std::env::var("HOME")) {
        (Some(rest), Ok(home)) if word.starts_with('~') => format!("{home}/{rest}"),
        _ => out,
    }
}

#[cfg(test)]
mod tests {
    use super::unquoted;

    #[test]
    fn quotes_are_taken_off() {
        assert_eq!(unquoted("account/ada"), "account/ada");
        assert_eq!(unquoted(r"a\ b"), "a b");
        assert_eq!(unquoted("'a b'c"), "a bc");
        assert_eq!(unquoted("note=\"a \\\"b"), "note=a \"b");
        assert_eq!(unquoted("'it"), "it");
    }
}
