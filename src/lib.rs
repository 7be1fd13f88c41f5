//! esctl, the workbench for event-sourced domains, as a library.
//!
//! The library reads, folds, decides and appends. It neither prints, nor exits, nor looks at the clock, the
//! environment or the terminal: those belong to the binary. `docs/architecture.md` shows the house.
#![deny(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    clippy::dbg_macro,
    clippy::todo,
    clippy::unimplemented
)]

pub mod diagnostic;
pub mod domain;
pub mod event;
pub mod json;
pub mod script;
pub mod store;
pub mod workbench;
