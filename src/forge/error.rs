//! What can go wrong on a forge, one variant for each thing that a caller does about it.

use jiff::Timestamp;

use super::{MergeRequestNumber, MergeRequestState};
use crate::domain::Problem;
use crate::git::CommitId;

/// Why a forge did not do what it was asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such thing, or none that we may see; a forge does not say which.
    #[error("{what} is not there")]
    NotFound {
        /// What was looked for: `merge request 7`.
        what: String,
    },
    /// An open merge request from that branch into that branch is there already. Update that one.
    #[error("merge request {number} is open already for this branch")]
    Exists {
        /// The one that is there.
        number: MergeRequestNumber,
    },
    /// The merge request is not open, so a person has decided about it, or it is done.
    #[error("merge request {number} is {state}")]
    NotOpen {
        /// Which one.
        number: MergeRequestNumber,
        /// What it is instead.
        state: MergeRequestState,
    },
    /// The source branch is no longer where the caller saw it. Look at it again before deciding.
    #[error("the branch moved: expected {}, found {}", .expected.short(), .found.short())]
    HeadMoved {
        /// What the caller decided about.
        expected: CommitId,
        /// What is there now.
        found: CommitId,
    },
    /// Checks that the target branch asks for have not said success. Wait, or tell a person.
    #[error("required checks have not succeeded: {}", .checks.join(", "))]
    ChecksMissing {
        /// The contexts that are missing, pending or failed, sorted.
        checks: Vec<String>,
    },
    /// Too few people have approved this very head. Wait, or ask.
    #[error("{given} of {needed} required approvals are there for this commit")]
    NotApproved {
        /// How many the target branch asks for.
        needed: u32,
        /// How many there are.
        given: u32,
    },
    /// The target branch went on, and the head does not build on it. Make the change anew on the new base.
    #[error("the target branch has moved on, and this change does not build on it")]
    Conflict,
    /// Whoever asks may not do this.
    #[error("the forge does not allow this: {reason}")]
    Forbidden {
        /// The rule, on one line.
        reason: String,
    },
    /// The forge wants to be left alone for a while.
    #[error("the forge takes no more requests until {until}")]
    RateLimited {
        /// When to ask again.
        until: Timestamp,
    },
    /// The forge does not answer, or with something that is no answer. It may have done what it was asked: look first,
    /// then try again.
    #[error("the forge cannot be reached: {reason}")]
    Unavailable {
        /// What happened, on one line.
        reason: String,
    },
    /// What was asked for makes no sense to the forge. Trying again changes nothing.
    #[error("{reason}")]
    Invalid {
        /// What is wrong, on one line.
        reason: String,
    },
}

impl Error {
    /// A stable, dotted name for programs, the same wherever the error is shown.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "forge.not_found",
            Self::Exists { .. } => "forge.exists",
            Self::NotOpen { .. } => "forge.not_open",
            Self::HeadMoved { .. } => "forge.head_moved",
            Self::ChecksMissing { .. } => "forge.checks_missing",
            Self::NotApproved { .. } => "forge.not_approved",
            Self::Conflict => "forge.conflict",
            Self::Forbidden { .. } => "forge.forbidden",
            Self::RateLimited { .. } => "forge.rate_limited",
            Self::Unavailable { .. } => "forge.unavailable",
            Self::Invalid { .. } => "forge.invalid",
        }
    }

    /// Whether the same request may succeed later without anybody doing anything.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::RateLimited { .. } | Self::Unavailable { .. })
    }

    pub(super) fn invalid(reason: impl Into<String>) -> Self {
        Self::Invalid { reason: reason.into() }
    }

    pub(super) fn not_found(what: impl Into<String>) -> Self {
        Self::NotFound { what: what.into() }
    }

    pub(super) fn unavailable(reason: impl ToString) -> Self {
        Self::Unavailable { reason: reason.to_string() }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let problem = Self::new(error.code(), error.to_string());
        match error {
            Error::HeadMoved { .. } => problem.hint("look at what was pushed, then decide again"),
            Error::Conflict => problem.hint("make the change again: it is then made on the new base"),
            Error::ChecksMissing { .. } => problem.hint("wait until the checks have succeeded"),
            Error::NotApproved { .. } => {
                problem.hint("ask for an approval of the newest commit: one of an older commit does not count")
            }
            Error::Unavailable { .. } => problem.hint("try again later"),
            _ => problem,
        }
    }
}
