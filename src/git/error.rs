//! What can go wrong in Git, one variant for each thing that a caller does about it.

use std::io;
use std::path::PathBuf;

use super::{CommitId, RefName, UrlError};
use crate::domain::{Problem, Problems};

/// Why a Git operation did not happen.
///
/// No variant holds a credential, and none can: addresses are kept without one, and so is everything that is quoted
/// from a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name or an object id is not written as Git wants it.
    #[error("`{}` is not {expected}", .text.escape_debug())]
    Name {
        /// What it should have been, with its article: `a branch name`.
        expected: &'static str,
        /// What was given.
        text: String,
    },
    /// A path cannot stand in a tree that every Git client can check out.
    #[error("`{}` cannot be a path in a repository: {reason}", .path.escape_debug())]
    Path {
        /// The path as it was given.
        path: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
    /// No repository is there.
    #[error("`{}` is not a Git repository", .path.display())]
    NoRepository {
        /// The folder that was opened.
        path: PathBuf,
    },
    /// A repository is there already.
    #[error("`{}` already is a Git repository", .path.display())]
    AlreadyExists {
        /// The folder that was to become one.
        path: PathBuf,
    },
    /// The folder belongs to another user, who could have planted settings in it.
    #[error(
        "`{}` belongs to another user; if you trust it: git config --global --add safe.directory {}",
        .path.display(),
        .path.display()
    )]
    NotOwned {
        /// The folder that was opened.
        path: PathBuf,
    },
    /// The branch does not exist, or has no commit yet.
    #[error("there is no branch `{name}`")]
    NoBranch {
        /// The branch that was asked for.
        name: String,
    },
    /// The repository has no such object, or one of another type.
    #[error("the repository has no {kind} {id}")]
    NoObject {
        /// `commit`, `tree` or `blob`.
        kind: &'static str,
        /// The id, 40 hexadecimal digits.
        id: String,
    },
    /// An object is there and makes no sense.
    #[error("the {kind} {id} is damaged")]
    Damaged {
        /// `commit`, `tree` or `blob`.
        kind: &'static str,
        /// The id, 40 hexadecimal digits.
        id: String,
    },
    /// Somebody else moved the ref since it was read. Read it again and plan again.
    #[error("`{name}` moved meanwhile: expected {}, found {}", shown(.expected.as_ref()), shown(.found.as_ref()))]
    RefMoved {
        /// The ref.
        name: RefName,
        /// What the caller planned on; `None` where it should not have existed.
        expected: Option<CommitId>,
        /// What is there now, where it is known; `None` too where it does not exist.
        found: Option<CommitId>,
    },
    /// The ref stays locked, by a busy process or by one that died.
    #[error("`{name}` is locked; if no other git process is running, remove `{}`", .lock.display())]
    RefLocked {
        /// The ref.
        name: RefName,
        /// The lock file.
        lock: PathBuf,
    },
    /// Another ref has the name as its folder, or lies below it. One of them has to be named differently.
    #[error("`{name}` cannot be made beside `{by}`")]
    RefBlocked {
        /// The ref that was to be made.
        name: RefName,
        /// The ref that is in its way.
        by: String,
    },
    /// The new commit does not build on the branch.
    #[error("`{name}` cannot be fast-forwarded to {}: {} is not an ancestor of it", .to.short(), .from.short())]
    NotFastForward {
        /// The branch, or other ref.
        name: RefName,
        /// Where it stands.
        from: CommitId,
        /// Where it was to go.
        to: CommitId,
    },
    /// The work tree has changes of the user's own in files that would be written.
    #[error("local changes would be overwritten in {}; commit or stash them first", .paths.join(", "))]
    LocalChanges {
        /// The files, sorted.
        paths: Vec<String>,
    },
    /// Another Git program is at work in the work tree, or died there.
    #[error("the work tree is in use; if no other git process is running, remove `{}`", .lock.display())]
    IndexLocked {
        /// The lock file.
        lock: PathBuf,
    },
    /// A text is not the address of a repository, or of one that may not be called.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// The host has no address that may be connected to.
    #[error("`{host}` is not a host of the public internet, and the operator has not allowed it")]
    HostNotAllowed {
        /// The host.
        host: String,
    },
    /// The server sends us to another host, where we do not go: our credential is not meant for it.
    #[error("`{host}` redirects to somewhere else; use the address that it redirects to")]
    Redirect {
        /// The host that was called.
        host: String,
    },
    /// The remote sends more than is accepted.
    #[error("the repository is too large: more than {limit}")]
    TooLarge {
        /// The limit with its unit.
        limit: String,
    },
    /// The remote takes longer than is waited for.
    #[error("the repository was not transferred within {seconds} seconds")]
    Timeout {
        /// The limit.
        seconds: u64,
    },
    /// The remote does not let us in, or has no such repository; it does not say which.
    #[error(
        "`{host}` does not give access to this repository; check that it exists and that the credential may use it"
    )]
    Auth {
        /// The host.
        host: String,
    },
    /// The remote's rules forbid the push: branch protection, a hook, its settings. Trying again changes nothing.
    #[error("the remote refuses to move `{name}`: {reason}")]
    Rejected {
        /// The ref.
        name: RefName,
        /// What the remote says, on one line.
        reason: String,
    },
    /// The remote does not answer, or not as a Git server does. Trying again later may help.
    #[error("`{host}` cannot be reached: {reason}")]
    Unreachable {
        /// The host.
        host: String,
        /// What happened, on one line.
        reason: String,
    },
    /// A file of the repository cannot be read or written.
    #[error("`{}`: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Anything else that libgit2 reports. There is nothing for the caller to decide.
    #[error("git: {}", .0.message())]
    Git(#[from] git2::Error),
}

fn shown(id: Option<&CommitId>) -> String {
    id.map_or_else(|| "none".to_owned(), CommitId::short)
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::new(error.code(), error.to_string())
    }
}

impl From<Error> for Problems {
    fn from(error: Error) -> Self {
        Problem::from(error).into()
    }
}

impl Error {
    /// A stable, dotted name for programs, the same wherever the error is shown.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Name { .. } => "git.ref",
            Self::Path { .. } => "git.path",
            Self::NoRepository { .. } => "git.no_repository",
            Self::AlreadyExists { .. } => "git.exists",
            Self::NotOwned { .. } => "git.not_owned",
            Self::NoBranch { .. } => "git.no_branch",
            Self::NoObject { .. } => "git.no_object",
            Self::Damaged { .. } => "git.damaged",
            Self::RefMoved { .. } => "git.ref_moved",
            Self::RefLocked { .. } => "git.ref_locked",
            Self::RefBlocked { .. } => "git.ref_blocked",
            Self::NotFastForward { .. } => "git.not_fast_forward",
            Self::LocalChanges { .. } => "git.local_changes",
            Self::IndexLocked { .. } => "git.index_locked",
            Self::Url(error) => error.code(),
            Self::HostNotAllowed { .. } => "git.host_not_allowed",
            Self::Redirect { .. } => "git.redirect",
            Self::TooLarge { .. } => "git.too_large",
            Self::Timeout { .. } => "git.timeout",
            Self::Auth { .. } => "git.auth",
            Self::Rejected { .. } => "git.rejected",
            Self::Unreachable { .. } => "git.unreachable",
            Self::Io { .. } => "git.io",
            Self::Git(_) => "git.failed",
        }
    }

    /// An input or output error at `path`.
    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}
