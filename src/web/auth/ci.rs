//! Being written: ci.
