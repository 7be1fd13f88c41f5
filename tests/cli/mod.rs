//! The command line, a file a verb. A test shows the whole outcome: stdout, stderr, exit code.

mod batch;
mod check;
mod events;
mod help;
mod init;
mod output;
mod project;
mod replay;
mod send;
mod streams;
mod test;
