//! Merging: never past what the target branch asks for, and nothing that does not build on its tip.
//!
//! GitLab compares the head and the conditions it knows of once more, at the moment of the merge. That the target branch
//! stays where it was looked at can only be left to it: with fast-forward merges, or a semi-linear history, it refuses
//! what no longer builds on the tip.

use gitlab::api::projects::merge_requests::MergeMergeRequest;

use super::Project;
use super::wire::WireMergeRequest;
use crate::forge::calls::Effect;
use crate::forge::{
    Error, MergeRequestNumber, MergeRequestState, Protection, RepositoryInfo as _, StatusContext, StatusState,
    Statuses as _,
};
use crate::git::CommitId;

/// What stands for GitLab's own checks where it does not say which of them is missing.
const PIPELINE: &str = "pipeline";

impl Project {
    pub(super) async fn merge_head(&self, number: MergeRequestNumber, expected: CommitId) -> Result<CommitId, Error> {
        let wire = self.wire(number).await?;
        if let Some(merged) = decided(&wire, expected)? {
            return Ok(merged);
        }
        if !wire.is_from(self.id) {
            return Err(Error::invalid("what is in another repository is not merged"));
        }
        let Some(head) = self.tip(&wire).await? else {
            return Err(Error::invalid(format!("there is no branch `{}`", wire.source_branch)));
        };
        if head != expected {
            return Err(Error::HeadMoved { expected, found: head });
        }
        if wire.draft {
            return Err(Error::invalid("a draft is not merged"));
        }
        self.refuse_unready(&wire, head).await?;
        self.refuse_old_base(&wire, head).await?;
        self.send_merge(number, expected).await
    }

    async fn refuse_unready(&self, wire: &WireMergeRequest, head: CommitId) -> Result<(), Error> {
        let target = super::wire::branch(&wire.target_branch)?;
        let Protection { required_checks, required_approvals } = self.protection(&target).await?;
        if !required_checks.is_empty() {
            let statuses = self.statuses(head).await?;
            let has_succeeded = |check: &StatusContext| {
                statuses.iter().any(|status| status.context == *check && status.state == StatusState::Success)
            };
            let missing = required_checks.iter().filter(|check| !has_succeeded(check));
            let checks: Vec<String> = missing.map(ToString::to_string).collect();
            if !checks.is_empty() {
                return Err(Error::ChecksMissing { checks });
            }
        }
        let approved = self.approved(wire.number()).await?;
        let needed = required_approvals.max(approved.required);
        if needed == 0 {
            return Ok(());
        }
        let given = self.count(&approved.approvals, wire.author_id(), head).await?;
        if given < needed { Err(Error::NotApproved { needed, given }) } else { Ok(()) }
    }

    /// GitLab would merge what has no conflict, and the result would be something that nobody looked at.
    async fn refuse_old_base(&self, wire: &WireMergeRequest, head: CommitId) -> Result<(), Error> {
        let Some(target) = self.branch(&wire.target_branch).await? else {
            return Err(Error::invalid(format!("there is no branch `{}`", wire.target_branch)));
        };
        let base = target.commit.id;
        match self.merge_base([head, base]).await? {
            Some(common) if common == head => {
                Err(Error::invalid(format!("`{}` has all of `{}` already", wire.target_branch, wire.source_branch)))
            }
            Some(common) if common == base => Ok(()),
            _ => Err(Error::Conflict),
        }
    }

    /// Merges that head, and looks what became of it where GitLab does not say.
    async fn send_merge(&self, number: MergeRequestNumber, expected: CommitId) -> Result<CommitId, Error> {
        let what = format!("merge request {number}");
        let endpoint = MergeMergeRequest::builder()
            .project(self.id)
            .merge_request(number.0)
            .sha(expected.to_string())
            .squash(false)
            .build()
            .map_err(|error| Error::invalid(error.to_string()))?;
        let ask = gitlab::api::projects::merge_requests::MergeRequest::builder()
            .project(self.id)
            .merge_request(number.0)
            .build()
            .map_err(|error| Error::invalid(error.to_string()))?;
        let attempt = || async {
            match self.connection.once::<WireMergeRequest, _>(&what, &endpoint).await {
                Ok(answer) => match decided(&answer, expected)? {
                    Some(merged) => Ok(merged),
                    None => self.refusal(&answer, expected, "it is not merged yet").await,
                },
                Err(Error::Invalid { reason }) => {
                    let now: WireMergeRequest = self.connection.once(&what, &ask).await?;
                    match decided(&now, expected)? {
                        Some(merged) => Ok(merged),
                        None => self.refusal(&now, expected, &reason).await,
                    }
                }
                Err(error) => Err(error),
            }
        };
        self.connection.make(Effect::Same, attempt).await
    }

    /// Why GitLab did not merge one that is open.
    async fn refusal(&self, wire: &WireMergeRequest, expected: CommitId, words: &str) -> Result<CommitId, Error> {
        let found = self.tip(wire).await?;
        if let Some(found) = found.filter(|found| *found != expected) {
            return Err(Error::HeadMoved { expected, found });
        }
        Err(match wire.detailed_merge_status.as_deref().unwrap_or_default() {
            "conflict" | "need_rebase" | "broken_status" => Error::Conflict,
            "not_approved" | "requested_changes" => {
                let approved = self.approved(wire.number()).await?;
                let given = self.count(&approved.approvals, wire.author_id(), expected).await?;
                // What GitLab asks for is more than a number: certain people, or nobody who asks for changes.
                Error::NotApproved { needed: approved.required.max(given.saturating_add(1)), given }
            }
            "ci_must_pass" | "ci_still_running" | "external_status_checks" | "status_checks_must_pass" => {
                Error::ChecksMissing { checks: vec![PIPELINE.to_owned()] }
            }
            // It has not looked yet, or has changed its mind since.
            "" | "unchecked" | "checking" | "preparing" | "approvals_syncing" | "mergeable" => {
                Error::unavailable(format!("GitLab has not merged it: {words}"))
            }
            status => Error::invalid(format!("GitLab does not merge it: {status}")),
        })
    }
}

/// What has become of one already: the commit that holds the head, if it is merged with that head.
fn decided(wire: &WireMergeRequest, expected: CommitId) -> Result<Option<CommitId>, Error> {
    let number = wire.number();
    match wire.state() {
        MergeRequestState::Open => Ok(None),
        MergeRequestState::Closed => Err(Error::NotOpen { number, state: MergeRequestState::Closed }),
        MergeRequestState::Merged => match wire.head(None) {
            Some(found) if found != expected => Err(Error::HeadMoved { expected, found }),
            _ => Ok(Some(wire.merged().unwrap_or(expected))),
        },
    }
}
