//! What wooo does: one use case a file.
//!
//! Each change to a fleet goes down one road: [`plan`] turns an intent into edits of spec files (pure), [`change`]
//! renders what they affect, writes one commit on one branch, and moves refs only by compare-and-swap. The other use
//! cases read: verify, validate, audit, diff, render. Nothing here prints, and nothing here reads a clock: both belong
//! to the edges.

pub mod audit;
pub mod batch;
pub mod change;
pub mod compare;
pub mod dns;
pub mod doctor;
pub mod file_diff;
pub mod fleet;
pub mod gate;
pub mod history;
pub mod init;
pub mod lifecycle;
pub mod live;
pub mod place;
pub mod plan;
pub mod preview;
pub mod promtool;
pub mod record;
mod rendering;
pub mod rerender;
mod routes;
pub mod routing;
pub mod secrets;
pub mod source;
pub mod status;
pub mod steps;
pub mod tell;
pub mod validate;
pub mod verify;

use jiff::Timestamp;

use crate::domain::{ChangeId, Problem, Problems};
use crate::{files, git};

/// Who asks for something, why, and when.
#[derive(Clone, Debug)]
pub struct Request {
    /// The person or program, as in `github:alice` or `local:bob`.
    pub actor: String,
    /// Why, in the asker's words.
    pub reason: Option<String>,
    /// The time of the request.
    pub now: Timestamp,
    /// Name and e-mail of the commits.
    pub committer: (String, String),
    /// The identity of the change where it has one already, because it was written down before it is made. Without it a
    /// branch that is taken over keeps its own, and a new one gets a new one.
    pub change_id: Option<ChangeId>,
}

fn unreadable(error: &files::Error) -> Problem {
    Problem::new("files.unreadable", error.to_string())
}

fn git_problems(error: git::Error) -> Problems {
    error.into()
}

fn file_problems(error: files::Error) -> Problems {
    unreadable(&error).into()
}

/// Says that a step of a change is done: what a crash test waits for, and where it stops the process for good. See
/// `tests/it/service/crash.rs`; without the feature `fail/failpoints` only the log line is left.
fn reached(step: &'static str) {
    tracing::debug!(step, "reached");
    fail::fail_point!(step);
}
