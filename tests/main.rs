//! One test binary.

mod broken;
mod domains;
mod props;
mod rules;
mod store;

/// The binary's allocator: limits on memory are tested as they are in use.
#[global_allocator]
static COUNTING: esctl::script::memory::Counting = esctl::script::memory::Counting;
