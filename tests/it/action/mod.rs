//! The GitHub Action and the GitLab CI component, run step by step as their runners run them: against a real service, with
//! identities that a forge signs.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

mod component;
mod identity;
mod inputs;
mod install;
mod modes;
mod runner;
