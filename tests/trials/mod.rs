//! The machine that tries to break the store: `docs/reliability.md` says what is tried, how often, and what came of it.

mod flips;
mod kill;
mod processes;
mod tail;
mod victim;
