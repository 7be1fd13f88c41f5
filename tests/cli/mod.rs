//! The command line, a file a verb. A test shows the whole outcome: stdout, stderr, exit code.

mod atomic;
mod backup;
mod batch;
mod check;
mod coverage;
mod events;
mod export;
mod help;
mod import;
mod init;
mod inline;
mod jobs;
mod output;
mod park;
mod project;
mod proof;
mod readonly;
mod replay;
mod row;
mod rows;
mod send;
mod show;
mod sql;
mod streams;
mod test;
mod verify;
