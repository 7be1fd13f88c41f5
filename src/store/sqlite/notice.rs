//! What opening a store brings to light.

use std::fmt;
use std::path::PathBuf;

/// Something that opening a store brought to light, which whoever opened it should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The log ended in a transaction that is not whole, of so many pages; it counts as never having been.
    Torn {
        /// The log.
        log: PathBuf,
        /// How many pages of it were there.
        frames: u64,
    },
    /// It was of an earlier format and was brought to today's.
    Migrated {
        /// The file.
        store: PathBuf,
        /// The format it had.
        from: i32,
        /// The format it has.
        to: i32,
        /// The file in which it is kept as it was.
        kept: PathBuf,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Torn { log, frames } => {
                let pages = if *frames == 1 { "1 page".to_owned() } else { format!("{frames} pages") };
                write!(
                    f,
                    "`{}` ends in a transaction that is not whole ({pages}), as after a crash; it is dropped. What is \
                     not whole was never acknowledged, unless the file was altered: `esctl verify --expect RECEIPT` tells",
                    log.display()
                )
            }
            Self::Migrated { store, from, to, kept } => {
                let (store, kept) = (store.display(), kept.display());
                write!(f, "`{store}` was brought from format {from} to {to}; as it was it is kept in `{kept}`")
            }
        }
    }
}
