//! What forges speak of: merge requests, comments, statuses, rights, pages. Values only, the same for every forge.
//!
//! Numbers, ids and texts have types of their own, so that what a forge would refuse is refused, or shortened, before it
//! is sent there.

use std::collections::BTreeSet;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::text::{Body, Description, Label, StatusContext, Title};
use super::{Error, RepositoryId, UserId};
use crate::git::{BranchName, CommitId};

/// The number of a merge request in its repository, counted from 1.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct MergeRequestNumber(pub u64);

impl fmt::Display for MergeRequestNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The id of a comment, unique in its repository.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct CommentId(pub u64);

impl fmt::Display for CommentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Somebody as a forge knows them. Rights hang on the id: a login can be renamed, and be somebody else's afterwards.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
pub struct User {
    /// What never changes.
    pub id: UserId,
    /// What people see.
    pub login: String,
}

/// What has become of a merge request.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum MergeRequestState {
    /// It waits.
    Open,
    /// Its head is part of the target branch, through the forge or by a push.
    Merged,
    /// Somebody closed it, which means no.
    Closed,
}

/// A merge request as its forge shows it now.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct MergeRequest {
    /// Its number.
    pub number: MergeRequestNumber,
    /// Where people look at it.
    pub url: String,
    /// What has become of it.
    pub state: MergeRequestState,
    /// The branch that is to be merged.
    pub source: BranchName,
    /// The branch that it is to be merged into.
    pub target: BranchName,
    /// The newest commit of the source branch; the last one that was seen of a branch that is gone, or of a merge request
    /// that is no longer open.
    pub head: CommitId,
    /// Whether the source branch is still there.
    pub source_exists: bool,
    /// Whether the source branch is in somebody else's copy of the repository. wooo never obeys such a one.
    pub from_fork: bool,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// Its labels, sorted.
    pub labels: BTreeSet<String>,
    /// Who was asked to look at it: logins, or teams as the forge writes them.
    pub reviewers: BTreeSet<String>,
    /// Who opened it.
    pub author: User,
    /// Whether it says of itself that it is not ready.
    pub draft: bool,
    /// A commit of the target branch that holds the head, if it is merged: the merge commit, or the head itself where
    /// the branch was fast-forwarded.
    pub merged: Option<CommitId>,
    /// Who closed or merged it, where that is known. A push that merged it has no name here.
    pub closed_by: Option<User>,
    /// When it was opened.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// What a new merge request is to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewMergeRequest {
    /// The branch that is to be merged, in the same repository.
    pub source: BranchName,
    /// The branch that it is to be merged into.
    pub target: BranchName,
    /// One line.
    pub title: Title,
    /// Markdown.
    pub body: Body,
    /// Labels; those that the forge does not know yet are made.
    pub labels: BTreeSet<Label>,
    /// Whom to ask: logins, or teams as the forge writes them. One that the forge does not know is left out.
    pub reviewers: BTreeSet<String>,
    /// Whether it says of itself that it is not ready.
    pub draft: bool,
}

/// What is to change about a merge request. `None` leaves a part as it is.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Edit {
    /// The new title.
    pub title: Option<Title>,
    /// The new body.
    pub body: Option<Body>,
    /// All labels that it is to have.
    pub labels: Option<BTreeSet<Label>>,
    /// All reviewers that it is to have.
    pub reviewers: Option<BTreeSet<String>>,
}

/// Which merge requests are wanted: those for which everything that is given holds.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Filter {
    /// In this state.
    pub state: Option<MergeRequestState>,
    /// Into this branch.
    pub target: Option<BranchName>,
    /// Changed at or after this time.
    pub updated_since: Option<Timestamp>,
}

/// A comment on a merge request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Comment {
    /// Its id.
    pub id: CommentId,
    /// Who wrote it.
    pub author: User,
    /// Markdown.
    pub body: String,
    /// When it was written.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Whether its text is another one than it was at first.
    pub edited: bool,
}

/// A small answer to a comment, of which each person gives each kind once.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reaction {
    /// Seen.
    Eyes,
    /// Done.
    ThumbsUp,
    /// Refused.
    ThumbsDown,
    /// Not understood.
    Confused,
    /// On its way.
    Rocket,
}

/// How a check went.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum StatusState {
    /// It has not ended.
    Pending,
    /// It says yes.
    Success,
    /// It says no.
    Failure,
    /// It could not say.
    Error,
}

/// What is to be said about a commit. It replaces what was said under the same context.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NewStatus {
    /// The check's name.
    pub context: StatusContext,
    /// How it went.
    pub state: StatusState,
    /// One line for people.
    pub description: Description,
    /// Where to read more: an http or https address.
    pub url: Option<String>,
}

/// The latest that was said about a commit under one context.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Status {
    /// The check's name.
    pub context: StatusContext,
    /// How it went.
    pub state: StatusState,
    /// One line for people.
    pub description: String,
    /// Where to read more.
    pub url: Option<String>,
    /// When it was said.
    pub updated: Timestamp,
}

/// What somebody may do in a repository. Each includes the ones before it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, strum::Display)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Permission {
    /// Nothing that not everybody may.
    #[default]
    None,
    /// Look, and comment.
    Read,
    /// Push branches, approve and merge.
    Write,
    /// Change the repository's settings.
    Admin,
}

/// Somebody's yes to a merge request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Approval {
    /// Who said it.
    pub user: User,
    /// The head that it was said about; `None` where the forge does not tell.
    pub commit: Option<CommitId>,
    /// When.
    pub at: Timestamp,
}

impl Approval {
    /// Whether this is a yes to what the merge request holds now. One of which the commit is not known is none: it may
    /// be about something else.
    #[must_use]
    pub fn covers(&self, head: CommitId) -> bool {
        self.commit == Some(head)
    }
}

/// What a branch asks for before something is merged into it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Protection {
    /// Checks that must say success about the head.
    pub required_checks: BTreeSet<StatusContext>,
    /// How many people, other than the author, must approve the head.
    pub required_approvals: u32,
}

/// Which repository it is.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Identity {
    /// What stays the same when it is renamed, and is another one for another repository under an old name.
    pub id: RepositoryId,
    /// What it is called now, with its owner where the forge has owners: `acme/fleet`.
    pub name: String,
    /// Where Git clones it from. Without a credential.
    pub clone_url: String,
    /// Where people look at it.
    pub url: String,
}

/// One page of a list is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PageRequest {
    number: u32,
    size: u32,
}

impl PageRequest {
    /// The most entries of one page that all forges give.
    pub const MAX: u32 = 100;

    /// The first page, of as many entries as there may be.
    #[must_use]
    pub fn first() -> Self {
        Self { number: 1, size: Self::MAX }
    }

    /// Page `number`, counted from 1, of pages of `size` entries.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the number is 0, or the size is not between 1 and [`PageRequest::MAX`].
    pub fn new(number: u32, size: u32) -> Result<Self, Error> {
        if number == 0 || size == 0 || size > Self::MAX {
            return Err(Error::invalid(format!(
                "pages are counted from 1 and have 1 to {} entries, not page {number} of {size}",
                Self::MAX
            )));
        }
        Ok(Self { number, size })
    }

    /// Its number, counted from 1.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How many entries a page has.
    #[must_use]
    pub fn size(&self) -> u32 {
        self.size
    }

    /// How many entries come before it.
    #[must_use]
    pub fn skipped(&self) -> usize {
        usize::try_from(u64::from(self.number - 1) * u64::from(self.size)).unwrap_or(usize::MAX)
    }

    /// The page after it.
    #[must_use]
    pub fn next(&self) -> Self {
        Self { number: self.number.saturating_add(1), size: self.size }
    }
}

/// One page of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The page after it, if there is one.
    pub next: Option<PageRequest>,
}

impl<T> Page<T> {
    /// The page that `request` means of all `entries`, which are only looked at as far as needed.
    pub fn of(entries: impl Iterator<Item = T>, request: PageRequest) -> Self {
        let mut entries = entries.skip(request.skipped());
        let size = usize::try_from(request.size).unwrap_or(usize::MAX);
        let items: Vec<T> = entries.by_ref().take(size).collect();
        let next = entries.next().map(|_| request.next());
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_end_where_the_list_ends() {
        let page = |number| Page::of(1..=6, PageRequest::new(number, 3).unwrap());
        assert_eq!(page(1), Page { items: vec![1, 2, 3], next: Some(PageRequest { number: 2, size: 3 }) });
        assert_eq!(page(2), Page { items: vec![4, 5, 6], next: None });
        assert_eq!(page(3), Page { items: vec![], next: None });
        assert!(PageRequest::new(0, 1).is_err() && PageRequest::new(1, 101).is_err());
    }

    #[test]
    fn an_approval_of_something_else_covers_nothing() {
        let commit = |digit: &str| digit.repeat(40).parse::<CommitId>().unwrap();
        let user = User { id: "7".parse().unwrap(), login: "ann".to_owned() };
        let mut approval = Approval { user, commit: Some(commit("a")), at: Timestamp::UNIX_EPOCH };
        assert!(approval.covers(commit("a")) && !approval.covers(commit("b")));
        approval.commit = None;
        assert!(!approval.covers(commit("a")));
    }
}
