//! Who approved a merge request, and what it was that they approved.
//!
//! GitLab does not say which commit an approval is about. It says when it was given, and when the merge request held
//! what: each push makes a version. In doubt an approval is about something older, so that it does not count.

use gitlab::api::projects::merge_requests::approvals::MergeRequestApprovals;
use jiff::Timestamp;

use super::Project;
use super::endpoints::Versions;
use super::wire::{WireApprovals, WireVersion};
use crate::forge::calls::Effect;
use crate::forge::{Approval, Error, MergeRequestNumber, Permission, Rights as _, UserId};
use crate::git::CommitId;

/// The approvals of a merge request.
pub(super) struct Approved {
    /// How many GitLab itself asks for, where it has a licence for that.
    pub(super) required: u32,
    pub(super) approvals: Vec<Approval>,
}

impl Project {
    pub(super) async fn approved(&self, number: MergeRequestNumber) -> Result<Approved, Error> {
        let what = format!("merge request {number}");
        let endpoint = MergeRequestApprovals::builder().project(self.id).merge_request(number.0).build();
        let found: WireApprovals = self.connection.ask(Effect::Read, &what, endpoint).await?;
        let required = found.approvals_required.unwrap_or_default();
        if found.approved_by.is_empty() {
            return Ok(Approved { required, approvals: Vec::new() });
        }
        // Asked after the approvals: a push between the two is then among the versions.
        let endpoint = Ok::<_, Error>(Versions { project: self.id, number });
        let versions: Vec<WireVersion> = self.connection.all(&what, endpoint).await?;
        let mut approvals = Vec::new();
        for approval in found.approved_by {
            approvals.push(Approval {
                commit: approval.approved_at.and_then(|at| approved_commit(&versions, at)),
                at: approval.approved_at.unwrap_or(found.updated_at),
                user: approval.user.try_into()?,
            });
        }
        Ok(Approved { required, approvals })
    }

    /// How many who may write, other than the author, have approved that very head. Their rights are asked for now.
    pub(super) async fn count(&self, approvals: &[Approval], author: u64, head: CommitId) -> Result<u32, Error> {
        let author = author.to_string();
        let mut counted: Vec<&UserId> = Vec::new();
        for approval in approvals.iter().filter(|approval| approval.covers(head)) {
            let user = &approval.user.id;
            if user.as_str() != author && !counted.contains(&user) && self.permission(user).await? >= Permission::Write
            {
                counted.push(user);
            }
        }
        Ok(u32::try_from(counted.len()).unwrap_or(u32::MAX))
    }
}

/// What was approved at that time. `None` if a later version has the same head: then it is something else that has
/// changed, such as the target branch, and the approval is of before.
fn approved_commit(versions: &[WireVersion], at: Timestamp) -> Option<CommitId> {
    let before = versions.iter().filter(|version| version.created_at < at).max_by_key(|version| version.created_at)?;
    let latest = versions.iter().max_by_key(|version| version.created_at)?;
    let is_latest = latest.created_at == before.created_at;
    (is_latest || latest.head_commit_sha != before.head_commit_sha).then_some(before.head_commit_sha)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_approval_is_of_the_version_before_it() {
        let commit = |digit: &str| digit.repeat(40).parse::<CommitId>().unwrap();
        let second = |second| Timestamp::from_second(second).unwrap();
        let version = |digit, at| WireVersion { head_commit_sha: commit(digit), created_at: second(at) };
        let versions = [version("b", 20), version("a", 10)];
        assert_eq!(approved_commit(&versions, second(5)), None);
        assert_eq!(approved_commit(&versions, second(15)), Some(commit("a")));
        assert_eq!(approved_commit(&versions, second(25)), Some(commit("b")));
        // At the very moment of a push it is of what was there before.
        assert_eq!(approved_commit(&versions, second(20)), Some(commit("a")));
        // Another target branch, with the same head.
        let moved = [version("a", 10), version("a", 20)];
        assert_eq!(approved_commit(&moved, second(15)), None);
        assert_eq!(approved_commit(&moved, second(25)), Some(commit("a")));
        assert_eq!(approved_commit(&[], second(5)), None);
    }
}
