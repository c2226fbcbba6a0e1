//! The integration tests: one binary that mirrors `src`.

mod detect;
mod git;
mod render;
