//! One test binary.

mod domains;
mod props;
