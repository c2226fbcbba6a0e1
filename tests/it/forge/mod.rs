//! The forges: one suite that each of them passes, and what is special about the local one.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy knows a test by its attribute, and the helpers here have none"
)]

pub(crate) mod conformance;
mod crashes;
pub(crate) mod fake;
mod git_http;
mod gitea;
mod github;
mod gitlab;
mod local;
mod races;
mod remote;
mod server;
