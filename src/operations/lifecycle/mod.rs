//! The life of a change in the service: accepted, proposed, merged, observed, settled.
//!
//! Each step is an operation that a job calls, and each first asks what is true: the forge about the merge request, Git
//! about the commit, the cluster about the pods. So a step that is run twice, or run again after its process was killed
//! anywhere in it, comes to the same end. What it writes to the database it writes under the fence of its job.

mod accept;
mod approve;
mod close;
mod converse;
mod explain;
mod follow;
mod hear;
mod index;
mod limits;
mod make;
mod observe;
mod propose;
mod refresh;
mod reopen;
mod retry;
mod service;

use std::time::Duration;

use crate::domain::{Problem, Problems};
use crate::{forge, store};

pub use accept::{Accepted, Wish, accept, accept_once, preview};
pub use approve::{approve, approved};
pub use close::{close, give_up};
pub use converse::{Source, converse_soon, conversed};
pub use explain::explain;
pub use follow::{follow, merge};
pub use hear::{Hint, hear, hear_soon};
pub use index::{Built, rebuild, tenant_of};
pub use observe::{Sight, look, observe};
pub use propose::propose;
pub use refresh::{prune, refresh, refresh_soon, start};
pub use retry::{failed_change, retry};
pub use service::{Accounts, FleetSource, LinkedRepository, ServedFleet, Service, Timing, WayIn};

/// The steps that jobs take. The name of one is what stands in their table.
#[derive(
    Clone, Copy, Debug, Eq, PartialEq, strum::Display, strum::EnumIter, strum::EnumString, strum::IntoStaticStr,
)]
#[strum(serialize_all = "snake_case")]
pub enum Kind {
    /// Make an accepted change: render, commit, open its merge request.
    Propose,
    /// See what became of a change's merge request, and merge it if that is allowed.
    Follow,
    /// See what the cluster makes of a merged change.
    Observe,
    /// Read the hints that came in from a forge, and queue the jobs that ask it what is true.
    Hear,
    /// Read the comments of a merge request, and do what they ask for. What it does is a matter of `chatops`.
    Converse,
    /// Bring the index of a fleet up to date with its repository, forge and clusters.
    Refresh,
    /// Forget what is kept for a while only.
    Prune,
}

/// What a step leaves to do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Next {
    /// Nothing; the job can be ended.
    Done,
    /// Nothing; the job was ended together with the last write.
    Ended,
    /// To look again after a while.
    Again(Duration),
}

/// Why a step did not come to its end.
#[derive(Debug)]
pub enum Failure {
    /// Somebody else has the job now. Nothing may be written any more.
    Lost,
    /// Something is in the way.
    Problem {
        /// What.
        problem: Box<Problem>,
        /// Whether it may go away by itself.
        is_temporary: bool,
    },
}

impl Failure {
    /// Something that will not go away by itself.
    #[must_use]
    pub fn lasting(problem: Problem) -> Self {
        Self::Problem { problem: Box::new(problem), is_temporary: false }
    }
}

impl From<Failure> for Problems {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Problem { problem, .. } => (*problem).into(),
            Failure::Lost => Problem::new("store.lease_lost", "somebody else works on this change").into(),
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::LeaseLost => Self::Lost,
            // A row that changed meanwhile is read again by the next attempt.
            store::Error::Stale { .. } | store::Error::Conflict { .. } => {
                Self::Problem { problem: Box::new(error.problem()), is_temporary: true }
            }
            error => Self::Problem { is_temporary: error.is_temporary(), problem: Box::new(error.problem()) },
        }
    }
}

impl From<forge::Error> for Failure {
    fn from(error: forge::Error) -> Self {
        Self::Problem { is_temporary: error.is_temporary(), problem: Box::new(error.into()) }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        let is_temporary = problems.as_slice().iter().any(|problem| is_temporary(problem.code));
        let all = problems.into_vec();
        let more = all.len().saturating_sub(1);
        let mut problem = all.into_iter().next().unwrap_or_else(|| Problem::new("job.failed", "something failed"));
        if more > 0 {
            problem.detail.push_str(&format!(" (and {more} more)"));
        }
        Self::Problem { problem: Box::new(problem), is_temporary }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Problems::from(problem).into()
    }
}

/// Whether what a problem tells of may be over when it is tried again: the network, and others who were faster.
fn is_temporary(code: &str) -> bool {
    matches!(
        code,
        "change.contended"
            | "git.unreachable"
            | "git.timeout"
            | "git.ref_locked"
            | "git.ref_moved"
            | "git.index_locked"
            | "git.io"
            | "files.unreadable"
            | "files.unwritable"
            | "dns.unavailable"
            | "service.interrupted"
    )
}

/// A problem as the database and the API hold it.
fn as_json(problem: &Problem) -> serde_json::Value {
    serde_json::to_value(problem).unwrap_or_default()
}
