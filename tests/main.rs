//! One test binary.

mod arrows;
mod broken;
mod budget;
mod cases;
mod cli;
mod domains;
mod examples;
mod formats;
mod generate;
mod git;
mod handbook;
mod histories;
mod misspelt;
mod planted;
mod props;
mod release;
mod rules;
mod snapshots;
mod sound;
mod store;
mod support;
mod trials;
mod turn;

/// The binary's allocator: limits on memory are tested as they are in use.
#[global_allocator]
static COUNTING: esctl::script::memory::Counting = esctl::script::memory::Counting;
