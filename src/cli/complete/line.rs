//! Where in a command line the cursor is: which verb, which flags are given, and what stands there.

use super::Candidate;
use super::names;
use super::takes::{self, Takes};
use crate::cli::topics::TOPICS;
use clap::{Arg, ArgAction, Command};
use std::path::PathBuf;

/// What is known of a line.
#[derive(Debug)]
pub(super) struct Line {
    /// The word at the cursor, as far as it is written.
    pub(super) word: String,
    /// The verb, with the verbs within it.
    command: Command,
    /// Their names, as in `project show`; nothing where none is written yet.
    path: String,
    /// Whether it begins with `help`.
    help: bool,
    /// What was given before the cursor: arguments by their ids, flags without a value among them.
    given: Vec<(String, String)>,
    at: At,
}

/// What stands at the cursor.
#[derive(Debug)]
enum At {
    /// A value of an argument, after this much of the word.
    Value(Box<Arg>, String),
    /// A flag.
    Flag,
    /// A verb.
    Verb,
    /// Nothing more can stand there but flags.
    End,
    /// Nobody knows: a verb before it is none.
    Unknown,
}

impl Line {
    /// Goes through the words of a line. The first is the name of the program.
    pub(super) fn read(mut command: Command, words: &[String]) -> Self {
        command.build();
        let (word, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
        let mut before = before.get(1..).unwrap_or_default();
        let help = before.first().is_some_and(|first| first == "help");
        if help {
            before = &before[1..];
        }
        let mut path = Vec::new();
        let mut given: Vec<(String, String)> = Vec::new();
        let mut waiting: Option<Arg> = None;
        let (mut places, mut flags_end, mut lost) = (0, false, false);
        for word in before {
            if let Some(arg) = waiting.take() {
                given.push((arg.get_id().to_string(), word.clone()));
            } else if !flags_end && word == "--" {
                flags_end = true;
            } else if let Some((arg, value)) = flag(&command, word).filter(|_| !flags_end) {
                match value {
                    None if arg.get_action().takes_values() => waiting = Some(arg.clone()),
                    value => given.push((arg.get_id().to_string(), value.unwrap_or_default())),
                }
            } else if !flags_end && word.starts_with('-') && word.len() > 1 {
                // No flag that is known.
            } else if let Some(verb) = command.find_subcommand(word).filter(|_| places == 0).cloned() {
                path.push(verb.get_name().to_owned());
                command = verb;
            } else {
                lost |= command.has_subcommands();
                if let Some(arg) = place(&command, places) {
                    given.push((arg.get_id().to_string(), word.clone()));
                }
                places += 1;
            }
        }
        let at = match waiting {
            _ if lost => At::Unknown,
            Some(arg) => At::Value(Box::new(arg), String::new()),
            None if !flags_end && word.starts_with('-') => match (flag(&command, word), word.split_once('=')) {
                (Some((arg, Some(_))), Some((name, _))) if word.starts_with("--") => {
                    At::Value(Box::new(arg.clone()), format!("{name}="))
                }
                _ => At::Flag,
            },
            None if command.has_subcommands() && places == 0 => At::Verb,
            None => place(&command, places).map_or(At::End, |arg| At::Value(Box::new(arg.clone()), String::new())),
        };
        Self { word: word.to_owned(), command, path: path.join(" "), help, given, at }
    }

    /// What the word at the cursor can become.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        match &self.at {
            At::Verb => self.verbs(),
            At::Unknown => Vec::new(),
            _ if self.help => Vec::new(),
            At::Flag => self.flags(),
            At::End if self.word.is_empty() => self.flags(),
            At::End => Vec::new(),
            At::Value(arg, beginning) => self.values(arg, beginning),
        }
    }

    fn verbs(&self) -> Vec<Candidate> {
        let verbs = self.command.get_subcommands().filter(|verb| !verb.is_hide_set());
        let mut found: Vec<_> = verbs.map(|verb| Candidate::Word(verb.get_name().to_owned(), about(verb))).collect();
        if self.path.is_empty() && self.help {
            found.extend(TOPICS.iter().map(|(name, about)| Candidate::Word((*name).to_owned(), (*about).to_owned())));
        } else if self.path.is_empty() {
            found.push(Candidate::Word("help".to_owned(), "tell about a verb or a topic".to_owned()));
        }
        found
    }

    /// The flags that can still be given.
    fn flags(&self) -> Vec<Candidate> {
        let free = |arg: &&Arg| {
            let again = matches!(arg.get_action(), ArgAction::Append);
            !arg.is_hide_set() && (again || self.given(arg.get_id().as_str()).is_none())
        };
        let named = |arg: &Arg| {
            let about = arg.get_help().map(ToString::to_string).unwrap_or_default();
            arg.get_long().map(|name| Candidate::Word(format!("--{name}"), about))
        };
        self.command.get_arguments().filter(free).filter_map(named).collect()
    }

    fn values(&self, arg: &Arg, beginning: &str) -> Vec<Candidate> {
        let among = arg.get_possible_values();
        if !among.is_empty() {
            let word = |value: &clap::builder::PossibleValue| {
                let about = value.get_help().map(ToString::to_string).unwrap_or_default();
                Candidate::Word(format!("{beginning}{}", value.get_name()), about)
            };
            return among.iter().map(word).collect();
        }
        let takes = takes::of(&self.path, arg.get_id().as_str()).unwrap_or(Takes::Nothing);
        names::candidates(takes, self, beginning)
    }

    /// What was given for an argument, the last of it.
    pub(super) fn given(&self, id: &str) -> Option<&str> {
        self.given.iter().rev().find(|(known, _)| known == id).map(|(_, value)| value.as_str())
    }

    /// All that was given for an argument.
    pub(super) fn all_given<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a str> {
        self.given.iter().filter(move |(known, _)| known == id).map(|(_, value)| value.as_str())
    }

    /// The same for files, or what stands for them where none is given.
    pub(super) fn files(&self, id: &str) -> Vec<PathBuf> {
        let given: Vec<PathBuf> = self.all_given(id).map(PathBuf::from).collect();
        if !given.is_empty() {
            return given;
        }
        let arg = self.command.get_arguments().find(|arg| arg.get_id() == id);
        let surroundings = arg.and_then(Arg::get_env).and_then(std::env::var_os).filter(|value| !value.is_empty());
        match (surroundings, arg.map(Arg::get_default_values)) {
            (Some(value), _) => vec![value.into()],
            (None, Some(values)) => values.iter().map(PathBuf::from).collect(),
            (None, None) => Vec::new(),
        }
    }
}

/// The sentence of a verb.
fn about(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    about.lines().next().unwrap_or_default().to_owned()
}

/// The argument that stands at that place.
fn place(command: &Command, number: usize) -> Option<&Arg> {
    let mut places = command.get_positionals();
    let last = command.get_positionals().last().filter(|arg| {
        arg.get_num_args().is_some_and(|count| count.max_values() > 1) || matches!(arg.get_action(), ArgAction::Append)
    });
    places.nth(number).or(last)
}

/// The flag that a word is, and its value if it is in the same word. Of several short ones the last.
fn flag<'c>(command: &'c Command, word: &str) -> Option<(&'c Arg, Option<String>)> {
    let mut known = command.get_arguments();
    if let Some(long) = word.strip_prefix("--") {
        let (name, value) = long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value.to_owned())));
        return known.find(|arg| arg.get_long() == Some(name)).map(|arg| (arg, value));
    }
    let mut letters = word.strip_prefix('-')?.chars();
    let mut found = None;
    while let Some(letter) = letters.next() {
        let arg = command.get_arguments().find(|arg| arg.get_short() == Some(letter))?;
        if arg.get_action().takes_values() {
            let rest = letters.as_str();
            return Some((arg, (!rest.is_empty()).then(|| rest.trim_start_matches('=').to_owned())));
        }
        found = Some((arg, None));
    }
    found
}
