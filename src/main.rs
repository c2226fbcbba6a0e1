//! The `wooo` program: everything is in the library.
fn main() {}
