//! Rules as scripts: the only place that knows Rhai.
//!
//! A script runs in a closed, bounded room ([`host`]): no clock, no randomness, no files, no network, a limit on
//! operations, depth and memory. What it may see and do depends on what it is for: [`fold`] applies an event to a
//! state, [`decide`] turns a command into events or a rejection, [`project`] changes a row, [`react`] answers events with commands.
//! What has plain forms only is done without the engine ([`direct`]).
//! [`facts`] says what a script touches and causes, read off its syntax tree, without running it.

pub mod decide;
mod desk;
pub mod direct;
pub mod essence;
pub mod facts;
pub mod fault;
pub mod fold;
pub mod frozen;
pub mod functions;
pub mod host;
pub mod kinds;
pub mod memory;
pub mod operators;
pub mod project;
pub mod react;
pub mod signatures;
pub mod state;
pub mod text;
pub mod upcast;
pub mod value;
pub mod watch;
mod weight;

pub use decide::{Decided, Emission, Rejection};
pub use facts::Facts;
pub use fault::Fault;
pub use host::{Host, Library, Script};
pub use state::State;
pub use text::ScriptText;
