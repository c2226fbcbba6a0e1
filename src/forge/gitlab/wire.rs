//! What GitLab writes, as far as wooo reads it, and how it becomes what all forges speak of.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use crate::forge::{Comment, CommentId, Error, MergeRequest, MergeRequestNumber, MergeRequestState, Title, User};
use crate::git::{BranchName, CommitId};

#[derive(Clone, Debug, Deserialize)]
pub(super) struct WireUser {
    pub(super) id: u64,
    username: String,
}

impl TryFrom<WireUser> for User {
    type Error = Error;

    fn try_from(wire: WireUser) -> Result<Self, Error> {
        Ok(Self { id: wire.id.to_string().parse()?, login: wire.username })
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "lowercase")]
enum WireState {
    Opened,
    Closed,
    Merged,
    /// It is being merged at this moment, or GitLab died while it did.
    Locked,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct WireMergeRequest {
    pub(super) iid: u64,
    web_url: String,
    state: WireState,
    pub(super) source_branch: String,
    pub(super) target_branch: String,
    source_project_id: Option<u64>,
    /// The newest commit that GitLab has noticed, which is a little later than the push.
    sha: Option<CommitId>,
    title: String,
    description: Option<String>,
    #[serde(default)]
    labels: BTreeSet<String>,
    #[serde(default)]
    pub(super) reviewers: Vec<WireUser>,
    author: WireUser,
    #[serde(default)]
    pub(super) draft: bool,
    merge_commit_sha: Option<CommitId>,
    squash_commit_sha: Option<CommitId>,
    merge_user: Option<WireUser>,
    merged_by: Option<WireUser>,
    closed_by: Option<WireUser>,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// Why GitLab would not merge it, in one word. Since 15.6.
    pub(super) detailed_merge_status: Option<String>,
}

impl WireMergeRequest {
    pub(super) fn number(&self) -> MergeRequestNumber {
        MergeRequestNumber(self.iid)
    }

    pub(super) fn state(&self) -> MergeRequestState {
        match self.state {
            WireState::Opened | WireState::Locked => MergeRequestState::Open,
            WireState::Closed => MergeRequestState::Closed,
            WireState::Merged => MergeRequestState::Merged,
        }
    }

    pub(super) fn is_from(&self, project: u64) -> bool {
        self.source_project_id == Some(project)
    }

    /// Whether it is a proposal of `source` into `target`. GitLab's filters take some characters for more than they are.
    pub(super) fn is_between(&self, source: &BranchName, target: &BranchName) -> bool {
        self.source_branch == source.as_str() && self.target_branch == target.as_str()
    }

    pub(super) fn author_id(&self) -> u64 {
        self.author.id
    }

    /// The title without what makes a draft of it.
    pub(super) fn plain_title(&self) -> &str {
        if self.draft { without_draft(&self.title) } else { &self.title }
    }

    pub(super) fn body(&self) -> &str {
        self.description.as_deref().unwrap_or_default()
    }

    pub(super) fn labels(&self) -> &BTreeSet<String> {
        &self.labels
    }

    /// The commit of the target branch that holds it, if it is merged.
    pub(super) fn merged(&self) -> Option<CommitId> {
        // A fast-forward leaves neither of the first two.
        let merged = self.merge_commit_sha.or(self.squash_commit_sha).or(self.sha);
        merged.filter(|_| self.state == WireState::Merged)
    }

    /// The head, where the tip of the source branch is known: `None` if the branch is gone.
    pub(super) fn head(&self, tip: Option<CommitId>) -> Option<CommitId> {
        if self.state() == MergeRequestState::Open { tip.or(self.sha) } else { self.sha }
    }

    /// It as all forges show it.
    pub(super) fn seen(self, project: u64, tip: Option<CommitId>) -> Result<MergeRequest, Error> {
        let number = self.number();
        let from_fork = !self.is_from(project);
        // The branch of a fork is not looked at: wooo does not obey it, and it may be in what the token cannot see.
        let head = if from_fork { self.sha } else { self.head(tip) };
        let head = head.ok_or_else(|| Error::invalid(format!("merge request {number} has no commits")))?;
        let closed_by = match self.state() {
            MergeRequestState::Open => None,
            MergeRequestState::Merged => self.merge_user.clone().or_else(|| self.merged_by.clone()),
            MergeRequestState::Closed => self.closed_by.clone(),
        };
        Ok(MergeRequest {
            number,
            state: self.state(),
            head,
            source_exists: if from_fork { self.source_project_id.is_some() } else { tip.is_some() },
            from_fork,
            title: self.plain_title().to_owned(),
            body: self.body().to_owned(),
            merged: self.merged(),
            closed_by: closed_by.map(User::try_from).transpose()?,
            author: self.author.try_into()?,
            url: self.web_url,
            source: branch(&self.source_branch)?,
            target: branch(&self.target_branch)?,
            labels: self.labels,
            reviewers: self.reviewers.into_iter().map(|user| user.username).collect(),
            draft: self.draft,
            created: self.created_at,
            updated: self.updated_at,
        })
    }
}

pub(super) fn branch(name: &str) -> Result<BranchName, Error> {
    name.parse().map_err(|_| Error::invalid(format!("`{}` is no name of a branch", name.escape_debug())))
}

/// What GitLab takes for the sign of a draft at the beginning of a title.
const DRAFTS: [&str; 3] = ["draft:", "[draft]", "(draft)"];

fn without_draft(title: &str) -> &str {
    let mut rest = title.trim_start();
    loop {
        let is_sign = |sign: &&&str| rest.get(..sign.len()).is_some_and(|start| start.eq_ignore_ascii_case(sign));
        let Some(sign) = DRAFTS.iter().find(is_sign) else { return rest };
        rest = rest.get(sign.len()..).unwrap_or_default().trim_start();
    }
}

/// A title as GitLab keeps it: a draft is one by its title.
pub(super) fn title(title: &Title, draft: bool) -> String {
    if draft { Title::new(&format!("Draft: {title}")).into() } else { title.as_str().to_owned() }
}

#[derive(Debug, Deserialize)]
pub(super) struct WireNote {
    id: u64,
    pub(super) author: WireUser,
    body: String,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// Whether GitLab wrote it, about a change.
    #[serde(default)]
    pub(super) system: bool,
}

impl TryFrom<WireNote> for Comment {
    type Error = Error;

    fn try_from(wire: WireNote) -> Result<Self, Error> {
        Ok(Self {
            id: CommentId(wire.id),
            author: wire.author.try_into()?,
            body: wire.body,
            created: wire.created_at,
            updated: wire.updated_at,
            // GitLab says no more. What else changes a note, such as that its thread is resolved, counts as an edit: an
            // edited comment is not obeyed, so that errs on the safe side.
            edited: wire.updated_at != wire.created_at,
        })
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct WireAward {
    pub(super) name: String,
    pub(super) user: WireUser,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireStatus {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) status: String,
    pub(super) description: Option<String>,
    pub(super) target_url: Option<String>,
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireCommit {
    pub(super) id: CommitId,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireBranch {
    pub(super) commit: WireCommit,
    /// By its name or by a pattern.
    pub(super) protected: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireProject {
    pub(super) id: u64,
    pub(super) path_with_namespace: String,
    pub(super) http_url_to_repo: String,
    pub(super) web_url: String,
    pub(super) default_branch: Option<String>,
    /// Left out for who may only look.
    #[serde(default)]
    pub(super) only_allow_merge_if_pipeline_succeeds: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireMember {
    pub(super) access_level: u64,
    #[serde(default)]
    pub(super) state: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireApprovals {
    /// Not there without a licence.
    #[serde(default)]
    pub(super) approvals_required: Option<u32>,
    #[serde(default)]
    pub(super) approved_by: Vec<WireApproval>,
    pub(super) updated_at: Timestamp,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireApproval {
    pub(super) user: WireUser,
    /// Not there in older versions.
    pub(super) approved_at: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireVersion {
    pub(super) head_commit_sha: CommitId,
    pub(super) created_at: Timestamp,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireRule {
    pub(super) approvals_required: u32,
    #[serde(default)]
    pub(super) applies_to_all_protected_branches: bool,
    #[serde(default)]
    pub(super) protected_branches: Vec<WireRuleBranch>,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireRuleBranch {
    pub(super) name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sign_of_a_draft_is_no_part_of_the_title() {
        for draft in ["Draft: one", "draft:one", "[DRAFT] one", "(draft) Draft: one"] {
            assert_eq!(without_draft(draft), "one");
        }
        for plain in ["one", "drafts: one", "網", ""] {
            assert_eq!(without_draft(plain), plain);
        }
        assert_eq!(title(&"one".into(), true), "Draft: one");
        assert_eq!(title(&"x".repeat(255).as_str().into(), true).chars().count(), Title::MAX);
    }
}
