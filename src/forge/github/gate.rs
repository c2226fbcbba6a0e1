//! What has to be true before wooo merges, asked by wooo itself.
//!
//! GitHub lets some merge past its own rules, counts a skipped check as a good one, may count approvals of an older head,
//! and merges what does not build on the target branch. wooo does none of that.

use std::collections::BTreeSet;

use super::address::segment;
use super::repository::Repository;
use super::wire::Comparison;
use crate::forge::{
    Error, MergeRequest, Permission, Protection, RepositoryInfo as _, Rights as _, StatusState, Statuses as _, UserId,
};

impl Repository {
    /// Refuses what is not ready, and answers with how many approvals of the head there are.
    pub(super) async fn refuse_unready(&self, there: &MergeRequest) -> Result<Given, Error> {
        if there.draft {
            return Err(Error::invalid("a draft is not merged"));
        }
        if !there.source_exists {
            return Err(Error::invalid(format!("there is no branch `{}`", there.source)));
        }
        let Protection { required_checks, required_approvals } = self.protection(&there.target).await?;
        if !required_checks.is_empty() {
            let statuses = self.statuses(there.head).await?;
            let has_succeeded = |check: &&crate::forge::StatusContext| {
                statuses.iter().any(|status| status.context == **check && status.state == StatusState::Success)
            };
            let missing = required_checks.iter().filter(|check| !has_succeeded(check));
            let checks: Vec<String> = missing.map(ToString::to_string).collect();
            if !checks.is_empty() {
                return Err(Error::ChecksMissing { checks });
            }
        }
        let mut given = 0;
        if required_approvals > 0 {
            given = self.given(there).await?;
            if given < required_approvals {
                return Err(Error::NotApproved { needed: required_approvals, given });
            }
        }
        self.refuse_outdated(there).await?;
        Ok(Given { needed: required_approvals, given })
    }

    /// How many people who may write, other than the author, have approved this very head.
    async fn given(&self, there: &MergeRequest) -> Result<u32, Error> {
        let approvals = self.approvals(there.number).await?;
        let users: BTreeSet<&UserId> =
            approvals.iter().filter(|approval| approval.covers(there.head)).map(|approval| &approval.user.id).collect();
        let mut given = 0;
        for user in users.into_iter().filter(|user| **user != there.author.id) {
            if self.permission(user).await? >= Permission::Write {
                given += 1;
            }
        }
        Ok(given)
    }

    /// Refuses a head that does not build on the tip of the target branch, or adds nothing to it.
    async fn refuse_outdated(&self, there: &MergeRequest) -> Result<(), Error> {
        let path = self.path(&format!("/compare/{}...{}?per_page=1", segment(there.target.as_str()), there.head));
        let found: Comparison = self.connection.get(&path).await?.json("the target branch")?;
        if found.ahead_by == 0 {
            return Err(Error::invalid(format!("`{}` has all of `{}` already", there.target, there.source)));
        }
        if found.behind_by > 0 { Err(Error::Conflict) } else { Ok(()) }
    }
}

/// The approvals that wooo knows of.
pub(super) struct Given {
    pub(super) needed: u32,
    pub(super) given: u32,
}
