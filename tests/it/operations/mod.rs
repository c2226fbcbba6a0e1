//! Use cases end to end, where more than a folder is needed.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod hooks;
mod remote;
