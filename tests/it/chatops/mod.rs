//! Comments as commands: on a fleet in a real repository of the local forge, with a database and workers.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod circumstances;
mod hostile;
mod parsing;
mod rights;
mod verbs;
mod world;
