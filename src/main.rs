//! The `esctl` binary: the command line around the library.

mod cli;
mod render;

/// Counts what a script takes, so that it can be stopped before it takes the machine's.
#[global_allocator]
static ALLOCATOR: esctl::script::memory::Counting = esctl::script::memory::Counting;

fn main() -> std::process::ExitCode {
    cli::run()
}
