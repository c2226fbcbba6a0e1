//! The service as a process: what it makes of a change, and what is left of one when it is killed anywhere.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod crash;
pub(crate) mod process;
mod remote;
mod replicas;
