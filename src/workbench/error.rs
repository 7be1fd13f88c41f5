//! What can go wrong at the workbench, by what the user can do about it. A rejection is not among it: that is a result.

use crate::diagnostic::Diagnostic;
use crate::event::{Expect, StreamName, Version};
use crate::script::Fault;
use crate::store::StoreError;
use std::fmt::Write;

/// An error of any verb. The binary turns each kind into words, hints and an exit code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not understood: an unknown name, a version beyond the end, a payload that does not fit. Exit code 2.
    #[error("{}", .0.message)]
    Misfit(Misfit),
    /// The stream is not as `--expect` demanded. Exit code 3.
    #[error("`{stream}` is at version {actual}, expected {expected}")]
    Conflict {
        /// The stream.
        stream: StreamName,
        /// What was demanded.
        expected: Expect,
        /// What is.
        actual: Version,
    },
    /// The id names another command already. Exit code 3.
    #[error("the id `{id}` was used before for another command")]
    IdReused {
        /// The id.
        id: String,
        /// How the earlier command differs.
        difference: String,
    },
    /// What is to be imported does not go on where the store is, or says otherwise than the store. Exit code 3.
    #[error("{}", .0.message)]
    Diverged(Misfit),
    /// A script failed or ran past its limits. Exit code 4.
    #[error("{}", .0.0.message)]
    Script(#[from] Fault),
    /// The store cannot be used, is damaged, or the outcome is unknown. Exit codes 5, 6, 7.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Error {
    /// The same as a problem, with a place where it has one, under the name of a rule.
    pub(crate) fn into_diagnostic(self, rule: &'static str) -> Diagnostic {
        match self {
            Self::Script(fault) => *fault.0,
            Self::Misfit(misfit) => {
                let mut message = misfit.message;
                for (pointer, problem) in misfit.details {
                    let _ = write!(message, "; {pointer}: {problem}");
                }
                misfit.hints.into_iter().fold(Diagnostic::error(rule, message), Diagnostic::hint)
            }
            other => Diagnostic::error(rule, other.to_string()),
        }
    }
}

/// Something that was not understood, with what the user can do about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Misfit {
    /// What is wrong.
    pub message: String,
    /// Further lines: each field of a payload that does not fit, as a JSON pointer and words.
    pub details: Vec<(String, String)>,
    /// What to do.
    pub hints: Vec<String>,
}

impl Misfit {
    /// With these words.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<Misfit> for Error {
    fn from(misfit: Misfit) -> Self {
        Self::Misfit(misfit)
    }
}
