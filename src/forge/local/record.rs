//! What the local forge stores: the files of one repository and their forms.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::forge::{
    Approval, Comment, MergeRequestNumber, MergeRequestState, Permission, Protection, Reaction, RepositoryId, Status,
    User, UserId,
};
use crate::git::{BlobId, BranchName, CommitId};

pub(super) const REPOSITORY: &str = "repository.json";
pub(super) const SETTINGS: &str = "settings.json";
pub(super) const MEMBERS: &str = "members.json";
pub(super) const COUNTERS: &str = "counters.json";

/// Marks of the merge requests that may be open. A record decides; a mark without an open one means nothing.
pub(super) const OPEN: &str = "open";

/// Where a merge request is.
pub(super) fn request_file(number: MergeRequestNumber) -> String {
    format!("merge-requests/{number}/merge-request.json")
}

/// Where its comments are.
pub(super) fn comments_file(number: MergeRequestNumber) -> String {
    format!("merge-requests/{number}/comments.json")
}

/// Marks of all merge requests of a source branch. A hash, because a name may differ from another only in a way that
/// the file system does not see, or be another one's folder.
pub(super) fn source_folder(source: &BranchName) -> String {
    format!("by-source/{}", BlobId::of(source.as_str().as_bytes()))
}

/// Where the statuses of a commit are.
pub(super) fn statuses_file(commit: CommitId) -> String {
    let id = commit.to_string();
    let (folder, rest) = id.split_at_checked(2).unwrap_or(("", &id));
    format!("statuses/{folder}/{rest}.json")
}

/// What stays when a repository is renamed.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct RepositoryFile {
    pub(super) id: RepositoryId,
}

/// The last numbers that were given away. A gap means nothing.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Counters {
    pub(super) merge_requests: u64,
    pub(super) comments: u64,
}

/// What the branches ask for.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) branches: BTreeMap<String, Protection>,
}

/// Who may do what.
pub(super) type Members = BTreeMap<UserId, Permission>;

/// The statuses of one commit, by context.
pub(super) type Statuses = BTreeMap<String, Status>;

/// A merge request.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Record {
    pub(super) number: MergeRequestNumber,
    pub(super) state: MergeRequestState,
    pub(super) source: BranchName,
    pub(super) target: BranchName,
    /// The last head that was seen and was not part of the target branch then.
    pub(super) head: CommitId,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) labels: BTreeSet<String>,
    pub(super) reviewers: BTreeSet<String>,
    pub(super) author: User,
    pub(super) draft: bool,
    pub(super) merged: Option<CommitId>,
    pub(super) closed_by: Option<User>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) approvals: Vec<Approval>,
}

/// A comment with what others put on it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct StoredComment {
    #[serde(flatten)]
    pub(super) comment: Comment,
    pub(super) reactions: Vec<(Reaction, User)>,
}
