//! The command line, a file a verb. A test shows the whole outcome: stdout, stderr, exit code.

mod atomic;
mod backup;
mod batch;
mod check;
#[cfg(unix)]
mod completions;
mod coverage;
mod describe;
mod events;
mod export;
#[cfg(unix)]
mod follow;
mod fork;
mod generate;
mod help;
mod history;
mod import;
mod init;
mod inline;
mod jobs;
mod looking;
mod man;
mod names;
mod output;
mod park;
mod parting;
mod plan;
mod process;
#[cfg(unix)]
mod progress;
mod project;
mod proof;
mod readonly;
mod record;
mod rehearse;
mod replay;
mod row;
mod row_history;
mod rows;
mod rules;
mod schema;
mod send;
mod show;
mod snapshot;
mod sql;
#[cfg(unix)]
mod step;
mod streams;
mod test;
mod topics;
mod upcasts;
mod verify;
