//! The `esctl` binary.
fn main() {}
