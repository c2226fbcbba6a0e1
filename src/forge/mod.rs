//! Forges: merge requests, comments, statuses, rights, on GitHub, GitLab, Gitea, or the embedded local one.
//!
//! Owns the role traits and one implementation for each forge. Does not own what is said in a merge request, nor when.
//! A value that implements [`Forge`] speaks about one repository, as one user. What a forge answers is what it holds
//! now: nothing here keeps an answer for later.

mod calls;
mod error;
mod gitea;
mod github;
mod gitlab;
pub mod hooks;
mod local;
mod model;
mod text;

use async_trait::async_trait;

pub use calls::urgently;
pub use error::Error;
pub use gitea::Gitea;
pub use github::GitHub;
pub use gitlab::GitLab;
pub use local::{Clock, LocalForge, LocalForges};
pub use model::{
    Approval, Comment, CommentId, Edit, Filter, Identity, MergeRequest, MergeRequestNumber, MergeRequestState,
    NewMergeRequest, NewStatus, Page, PageRequest, Permission, Protection, Reaction, Status, StatusState, User,
};
pub use text::{Body, Description, Label, RepositoryId, RepositoryName, RepositoryPath, StatusContext, Title, UserId};

use crate::git::{BranchName, CommitId};

/// Opening merge requests, and what becomes of them.
#[async_trait]
pub trait MergeRequests: Send + Sync {
    /// Opens one.
    ///
    /// # Errors
    /// [`Error::Exists`] if one is open from that branch into that branch; [`Error::Invalid`] if a branch is missing or
    /// there is nothing to merge; those of every call: [`Error::Forbidden`], [`Error::RateLimited`],
    /// [`Error::Unavailable`].
    async fn open(&self, new: &NewMergeRequest) -> Result<MergeRequest, Error>;

    /// One, by its number.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of every call.
    async fn get(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error>;

    /// The open one from `source`, a branch of this very repository, into `target`.
    ///
    /// # Errors
    /// Those of every call.
    async fn find_open(&self, source: &BranchName, target: &BranchName) -> Result<Option<MergeRequest>, Error>;

    /// The one with the highest number from `source` into `target`, whatever has become of it.
    ///
    /// # Errors
    /// Those of every call.
    async fn find_latest(&self, source: &BranchName, target: &BranchName) -> Result<Option<MergeRequest>, Error>;

    /// Those that the filter lets through, the highest number first; with `updated_since`, GitHub and others sort by
    /// that time instead.
    ///
    /// # Errors
    /// Those of every call.
    async fn list(&self, filter: &Filter, page: PageRequest) -> Result<Page<MergeRequest>, Error>;

    /// Changes what is given. Nothing is sent if all of it is so already.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of every call.
    async fn update(&self, number: MergeRequestNumber, edit: &Edit) -> Result<MergeRequest, Error>;

    /// Closes it. One that is closed stays so.
    ///
    /// # Errors
    /// [`Error::NotOpen`] if it is merged; [`Error::NotFound`], and those of every call.
    async fn close(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error>;

    /// Opens a closed one again. One that is open stays so.
    ///
    /// # Errors
    /// [`Error::NotOpen`] if it is merged; [`Error::Exists`] if another is open for its branch; [`Error::Invalid`] if its
    /// branch is gone; [`Error::NotFound`], and those of every call.
    async fn reopen(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error>;

    /// Merges it if its head is `expected_head`, never past required checks or approvals, and answers with the commit of
    /// the target branch that holds it. One that is merged with that head already answers the same.
    ///
    /// # Errors
    /// [`Error::HeadMoved`], [`Error::ChecksMissing`], [`Error::NotApproved`], [`Error::Conflict`]; [`Error::NotOpen`] if it
    /// is closed; [`Error::Invalid`] for a draft or a branch that is gone; [`Error::NotFound`], and those of every call.
    async fn merge(&self, number: MergeRequestNumber, expected_head: CommitId) -> Result<CommitId, Error>;
}

/// What is said on merge requests.
#[async_trait]
pub trait Comments: Send + Sync {
    /// The comments of one, the oldest first.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of every call.
    async fn comments(&self, number: MergeRequestNumber, page: PageRequest) -> Result<Page<Comment>, Error>;

    /// Writes a comment.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for an empty one; those of every call.
    async fn comment(&self, number: MergeRequestNumber, body: &Body) -> Result<Comment, Error>;

    /// Gives a comment of one's own another text.
    ///
    /// # Errors
    /// [`Error::Forbidden`] for somebody else's; [`Error::NotFound`]; [`Error::Invalid`] for an empty text; those of every
    /// call.
    async fn edit_comment(&self, number: MergeRequestNumber, comment: CommentId, body: &Body)
    -> Result<Comment, Error>;

    /// Puts a reaction on a comment. One that is there already stays the only one of its kind.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of every call.
    async fn react(&self, number: MergeRequestNumber, comment: CommentId, reaction: Reaction) -> Result<(), Error>;

    /// Who put which reaction on a comment. Kinds that wooo does not know are left out.
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of every call.
    async fn reactions(&self, number: MergeRequestNumber, comment: CommentId) -> Result<Vec<(Reaction, User)>, Error>;
}

/// What checks say about commits.
#[async_trait]
pub trait Statuses: Send + Sync {
    /// Says something about a commit, in place of what was said under the same context.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the repository has no such commit; [`Error::Invalid`]; those of every call.
    async fn set_status(&self, commit: CommitId, status: &NewStatus) -> Result<(), Error>;

    /// The latest of every context, sorted by context. On GitHub these are check runs too.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the repository has no such commit; those of every call.
    async fn statuses(&self, commit: CommitId) -> Result<Vec<Status>, Error>;
}

/// Who may do what.
#[async_trait]
pub trait Rights: Send + Sync {
    /// Whom the calls of this value come from.
    ///
    /// # Errors
    /// Those of every call.
    async fn myself(&self) -> Result<User, Error>;

    /// What somebody may do here. Nothing, for somebody whom the forge does not know.
    ///
    /// # Errors
    /// Those of every call. An answer that did not come is never read as a right.
    async fn permission(&self, user: &UserId) -> Result<Permission, Error>;

    /// The approvals that a merge request has, those of an older head too: see [`Approval::covers`].
    ///
    /// # Errors
    /// [`Error::NotFound`], and those of every call.
    async fn approvals(&self, number: MergeRequestNumber) -> Result<Vec<Approval>, Error>;
}

/// What the repository itself is.
#[async_trait]
pub trait RepositoryInfo: Send + Sync {
    /// Which repository it is, and what it is called now.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is gone, and those of every call.
    async fn identity(&self) -> Result<Identity, Error>;

    /// The branch that is synced unless another is named.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is gone, and those of every call.
    async fn default_branch(&self) -> Result<BranchName, Error>;

    /// What a branch asks for before something is merged into it; nothing, if it is not protected.
    ///
    /// # Errors
    /// Those of every call.
    async fn protection(&self, branch: &BranchName) -> Result<Protection, Error>;
}

/// One repository on a forge, in all its roles. Callers hold an `Arc<dyn Forge>`.
pub trait Forge: MergeRequests + Comments + Statuses + Rights + RepositoryInfo {}

impl<T: MergeRequests + Comments + Statuses + Rights + RepositoryInfo> Forge for T {}
