//! The only place that turns an error into words, a hint and an exit code.

use crate::render::{Listing, Talk, trouble, wire};
use esctl::diagnostic::{self, Diagnostic};
use esctl::event::{Expect, Version};
use esctl::store::StoreError;
use esctl::workbench::error::{Error, Misfit};
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// The exit codes, which are a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done, stored and safe.
    Done = 0,
    /// The answer is no.
    No = 1,
    /// Not understood; nothing was stored.
    Misunderstood = 2,
    /// The expected version is not the actual one, or an id was used before; nothing was stored.
    Conflict = 3,
    /// A script failed or ran past its limits; nothing was stored.
    Script = 4,
    /// The store cannot be used now; nothing was stored.
    Unavailable = 5,
    /// The store is damaged.
    Damaged = 6,
    /// Perhaps stored: sending again with the same id settles it.
    Unknown = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What kind of failure it is, which decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Arguments, names, payloads, files that were not understood.
    Usage,
    /// Domain files that are not sound.
    Domain,
    /// The stream or the id is not as expected.
    Conflict,
    /// A script failed.
    Script,
    /// The store cannot be used now.
    Unavailable,
    /// The store is damaged.
    Damaged,
    /// Nobody knows whether it was stored.
    Unknown,
    /// What was asked for could not be written to stdout.
    Output,
    /// Nobody reads stdout any more, and nothing is lost by it.
    Closed,
}

impl Kind {
    fn exit(self) -> Exit {
        match self {
            Self::Usage | Self::Domain => Exit::Misunderstood,
            Self::Conflict => Exit::Conflict,
            Self::Script => Exit::Script,
            Self::Unavailable | Self::Output => Exit::Unavailable,
            Self::Damaged => Exit::Damaged,
            Self::Unknown => Exit::Unknown,
            Self::Closed => Exit::Done,
        }
    }

    /// Its name in JSON.
    fn name(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Domain => "domain",
            Self::Conflict => "conflict",
            Self::Script => "script",
            Self::Unavailable => "unavailable",
            Self::Damaged => "damaged",
            Self::Unknown => "unknown",
            Self::Output => "output",
            Self::Closed => "closed",
        }
    }
}

/// Why a verb did not do what it was asked to.
#[derive(Debug)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: Kind,
    /// What is wrong; [`Problems`] where there are places to show.
    pub cause: anyhow::Error,
    /// What to do.
    pub hints: Vec<String>,
}

/// Problems with places in files.
#[derive(Debug)]
struct Problems(Vec<Diagnostic>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages: Vec<_> = self.0.iter().map(|found| found.message.as_str()).collect();
        f.write_str(&messages.join("; "))
    }
}

impl std::error::Error for Problems {}

/// A payload that does not fit, with what is wrong with each field.
#[derive(Debug)]
struct Unfit(Misfit);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        self.0.details.iter().try_for_each(|(pointer, words)| write!(f, "\n  {pointer}: {words}"))
    }
}

impl std::error::Error for Unfit {}

/// A stream that is not as it was expected to be.
#[derive(Debug)]
struct Conflicting {
    message: String,
    expected: Expect,
    actual: Version,
}

impl fmt::Display for Conflicting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Conflicting {}

impl Failure {
    /// A failure in these words.
    pub fn new(kind: Kind, message: impl fmt::Display) -> Self {
        Self { kind, cause: anyhow::Error::msg(message.to_string()), hints: Vec::new() }
    }

    /// Something in the arguments that was not understood.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Problems in domain files.
    pub fn domain(problems: Vec<Diagnostic>) -> Self {
        Self { kind: Kind::Domain, cause: Problems(problems).into(), hints: Vec::new() }
    }

    /// Things with a place that were not understood, and are no part of the domain.
    pub fn misread(problems: Vec<Diagnostic>) -> Self {
        Self { kind: Kind::Usage, cause: Problems(problems).into(), hints: Vec::new() }
    }

    /// What was asked for, and changed nothing, could not be written. A closed pipe is no failure: the reader has
    /// seen enough.
    pub fn output(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Kind::Closed, "nobody reads the output any more");
        }
        Self {
            kind: Kind::Output,
            cause: anyhow::Error::from(error).context("the output could not be written"),
            hints: Vec::new(),
        }
    }

    /// A receipt of something stored could not be written.
    pub fn undelivered(error: io::Error, what: impl fmt::Display) -> Self {
        let cause = anyhow::Error::from(error).context(format!("{what} could not be delivered"));
        Self { kind: Kind::Unknown, cause, hints: Vec::new() }
    }

    /// Says what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Its exit code.
    pub fn exit(&self) -> Exit {
        self.kind.exit()
    }

    /// What is wrong, as JSON says it: the words, and what is wrong with each field.
    pub fn wire(&self) -> (String, &[(String, String)]) {
        match self.cause.downcast_ref::<Unfit>() {
            Some(Unfit(misfit)) => (misfit.message.clone(), &misfit.details),
            None => (format!("{:#}", self.cause), &[]),
        }
    }

    /// What was expected of a stream and what it is, where that is what failed.
    pub fn conflict(&self) -> Option<trouble::Conflict> {
        let found = self.cause.downcast_ref::<Conflicting>()?;
        Some(trouble::Conflict { expected: found.expected.into(), actual: found.actual.0 })
    }

    /// Says it on stderr.
    pub fn report(&self, talk: Talk) -> Exit {
        self.report_within(None, talk)
    }

    /// Says it on stderr, and within what it happened.
    pub fn report_within(&self, whole: Option<&str>, talk: Talk) -> Exit {
        let exit = self.exit();
        if self.kind == Kind::Closed {
            return exit;
        }
        let mut found = self.diagnostics();
        if let Some(whole) = whole {
            for diagnostic in &mut found {
                let situation = diagnostic.situation.take();
                diagnostic.situation = Some(situation.map_or(whole.to_owned(), |inner| format!("{inner}\n{whole}")));
            }
        }
        if talk.json {
            for diagnostic in &found {
                self.say_json(diagnostic, talk);
            }
        } else {
            talk.text(&diagnostic::render(&found, talk.color));
        }
        exit
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        let mut found = match self.cause.downcast_ref::<Problems>() {
            Some(Problems(problems)) => problems.clone(),
            None => vec![Diagnostic::error("failure", format!("{:#}", self.cause))],
        };
        if let Some(last) = found.last_mut() {
            last.hints.extend(self.hints.iter().cloned());
        }
        found
    }

    fn say_json(&self, found: &Diagnostic, talk: Talk) {
        let mut error = trouble::Failing::new(self.kind.name(), found, self.exit() as u8);
        if self.cause.is::<Unfit>() {
            let (message, details) = self.wire();
            error.message = message.into();
            error.details = trouble::details(details);
        }
        error.conflict = self.conflict();
        if let Ok(line) = wire::line(&trouble::Failed { error }) {
            talk.line(&line);
        }
    }
}

/// Ends a listing as the work that was to be listed ended.
pub fn ended<T>(work: Result<T, impl Into<Failure>>, listing: Listing<'_>) -> Result<(), Failure> {
    match work {
        Ok(_) => listing.finish().map_err(Failure::output),
        Err(error) => {
            listing.cut();
            Err(error.into())
        }
    }
}

/// What clap has to say: help on stdout, or why the arguments were not understood on stderr.
pub fn usage(error: &clap::Error, arguments: &[OsString]) -> Exit {
    if !error.use_stderr() {
        let _ = error.print();
        return Exit::Done;
    }
    if asks_for_json(arguments) {
        let text = error.render().to_string();
        let message = text.trim_start_matches("error: ").lines().next().unwrap_or_default();
        let hint = "`esctl --help` lists the verbs, `esctl VERB --help` says what they take";
        let mut failure = Failure::usage(message);
        failure.hints.extend(text.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).map(str::to_owned));
        return failure.hint(hint).report(Talk { color: false, json: true });
    }
    let _ = error.print();
    Exit::Misunderstood
}

/// Whether the arguments, though not understood, ask for JSON.
pub fn asks_for_json(arguments: &[OsString]) -> bool {
    let text: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
    let named = |form: &str| matches!(form, "json" | "ndjson");
    let apart = text.windows(2).any(|pair| matches!(&*pair[0], "-o" | "--output") && named(&pair[1]));
    let joined =
        |argument: &str| ["--output=", "-o=", "-o"].iter().any(|flag| argument.strip_prefix(flag).is_some_and(named));
    apart || text.iter().any(|argument| joined(argument))
}

impl From<Misfit> for Failure {
    fn from(mut misfit: Misfit) -> Self {
        let hints = std::mem::take(&mut misfit.hints);
        Self { kind: Kind::Usage, cause: Unfit(misfit).into(), hints }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Misfit(misfit) => misfit.into(),
            Error::Conflict { ref stream, expected, actual } => {
                let hint =
                    format!("see what happened with `esctl replay {stream} --steps`, then expect version {actual}");
                let cause = Conflicting { message: error.to_string(), expected, actual };
                Self { kind: Kind::Conflict, cause: cause.into(), hints: vec![hint] }
            }
            Error::IdReused { ref difference, .. } => {
                Self::new(Kind::Conflict, format!("{error}: {difference}")).hint("another command needs another id")
            }
            Error::Diverged(misfit) => {
                Self { kind: Kind::Conflict, cause: anyhow::Error::msg(misfit.message), hints: misfit.hints }
            }
            Error::Script(fault) => {
                Self { kind: Kind::Script, cause: Problems(vec![*fault.0]).into(), hints: Vec::new() }
            }
            Error::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let (kind, hint) = match &error {
            StoreError::Unavailable(_) | StoreError::ReadOnly(_) | StoreError::Overtaken => (Kind::Unavailable, None),
            StoreError::Busy(_) => (Kind::Unavailable, Some("`--timeout SECONDS` waits longer for the turn")),
            StoreError::Misuse(_) => (Kind::Unavailable, Some("this is a mistake in esctl itself; please report it")),
            StoreError::NotAStore(_) => (Kind::Unavailable, Some("name another file with `--store`")),
            StoreError::Missing(_) => {
                (Kind::Usage, Some("the first `esctl send` makes it; another file is named with `--store`"))
            }
            StoreError::Limit(_) => (Kind::Usage, None),
            StoreError::Damaged(_) => {
                (Kind::Damaged, Some("keep the file as it is, and go on from a copy or a backup"))
            }
            StoreError::Unknown(_) => {
                (Kind::Unknown, Some("send it again with the same `--id`: a command is stored once at most"))
            }
        };
        let failure = Self::new(kind, &error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}
