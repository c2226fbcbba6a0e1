//! What a repository is, what its branches ask for, and what somebody may do in it.

use async_trait::async_trait;
use gitlab::api::projects::Project as AskProject;
use gitlab::api::projects::approval_rules::ProjectApprovalRules;
use gitlab::api::projects::members::AllProjectMember;
use gitlab::api::projects::repository::branches::Branch;

use super::Project;
use super::connection::REPOSITORY;
use super::endpoints::MergeBase;
use super::wire::{WireBranch, WireCommit, WireMember, WireProject, WireRule};
use crate::forge::calls::Effect;
use crate::forge::{
    Approval, Error, Identity, MergeRequestNumber, Permission, Protection, RepositoryInfo, Rights, User, UserId,
};
use crate::git::{BranchName, CommitId};

/// The levels of access, as GitLab counts them.
const REPORTER: u64 = 20;
const DEVELOPER: u64 = 30;
const MAINTAINER: u64 = 40;

impl Project {
    pub(super) async fn project(&self) -> Result<WireProject, Error> {
        let endpoint = AskProject::builder().project(self.id).build();
        self.connection.ask(Effect::Read, REPOSITORY, endpoint).await
    }

    /// A branch, if it is there.
    pub(super) async fn branch(&self, name: &str) -> Result<Option<WireBranch>, Error> {
        let what = format!("the branch `{name}`");
        let endpoint = Branch::builder().project(self.id).branch(name).build();
        absent_is_none(self.connection.ask(Effect::Read, &what, endpoint).await, &what)
    }

    /// The newest commit that two have in common; `None` if they have none.
    pub(super) async fn merge_base(&self, commits: [CommitId; 2]) -> Result<Option<CommitId>, Error> {
        let what = "the common commit";
        let endpoint = Ok::<_, Error>(MergeBase { project: self.id, commits });
        let found: Result<WireCommit, Error> = self.connection.ask(Effect::Read, what, endpoint).await;
        Ok(absent_is_none(found, what)?.map(|commit| commit.id))
    }

    /// How many must approve what goes into a protected branch.
    async fn required_approvals(&self, branch: &BranchName) -> Result<u32, Error> {
        let endpoint = ProjectApprovalRules::builder().project(self.id).build();
        let rules: Vec<WireRule> = match self.connection.all("the approval rules", endpoint).await {
            Ok(rules) => rules,
            // GitLab has no rules without a licence. Where it only does not show them, it keeps them itself, and a merge
            // request says how many approvals it needs.
            Err(Error::Forbidden { .. }) => return Ok(0),
            Err(Error::NotFound { what }) if what != REPOSITORY => return Ok(0),
            Err(error) => return Err(error),
        };
        let needed = rules.iter().filter(|rule| applies(rule, branch)).map(|rule| rule.approvals_required).max();
        Ok(needed.unwrap_or_default())
    }
}

/// `None` for what is not there in a repository that is.
fn absent_is_none<T>(found: Result<T, Error>, absent: &str) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { what }) if what == absent => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether a rule is about a branch, which is protected.
fn applies(rule: &WireRule, branch: &BranchName) -> bool {
    rule.applies_to_all_protected_branches
        || rule.protected_branches.is_empty()
        || rule.protected_branches.iter().any(|protected| matches(&protected.name, branch.as_str()))
}

/// Whether a pattern, in which `*` stands for any characters, is one of that name.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(start) else { return false };
    let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
    ends.filter_map(|at| name.get(at..)).any(|tail| matches(rest, tail))
}

#[async_trait]
impl RepositoryInfo for Project {
    async fn identity(&self) -> Result<Identity, Error> {
        let project = self.project().await?;
        Ok(Identity {
            id: project.id.to_string().parse()?,
            name: project.path_with_namespace,
            clone_url: project.http_url_to_repo,
            url: project.web_url,
        })
    }

    async fn default_branch(&self) -> Result<BranchName, Error> {
        let name = self.project().await?.default_branch.unwrap_or_default();
        name.parse().map_err(|_| Error::not_found("the default branch"))
    }

    async fn protection(&self, branch: &BranchName) -> Result<Protection, Error> {
        if !self.branch(branch.as_str()).await?.is_some_and(|branch| branch.protected) {
            return Ok(Protection::default());
        }
        let asks_for_checks = self.project().await?.only_allow_merge_if_pipeline_succeeds;
        let required_approvals = self.required_approvals(branch).await?;
        let required_checks = if asks_for_checks { self.required_checks.as_ref().clone() } else { Default::default() };
        Ok(Protection { required_checks, required_approvals })
    }
}

#[async_trait]
impl Rights for Project {
    async fn myself(&self) -> Result<User, Error> {
        self.connection.ask_me().await
    }

    async fn permission(&self, user: &UserId) -> Result<Permission, Error> {
        let Ok(id) = user.as_str().parse::<u64>() else { return Ok(Permission::None) };
        let what = format!("the member {id}");
        let endpoint = AllProjectMember::builder().project(self.id).user(id).build();
        let member: Option<WireMember> =
            absent_is_none(self.connection.ask(Effect::Read, &what, endpoint).await, &what)?;
        Ok(member.map_or(Permission::None, |member| permission(&member)))
    }

    async fn approvals(&self, number: MergeRequestNumber) -> Result<Vec<Approval>, Error> {
        Ok(self.approved(number).await?.approvals)
    }
}

/// A guest sees no code and no merge request of a private repository, so they may do no more than everybody.
fn permission(member: &WireMember) -> Permission {
    let is_active = member.state.as_deref().is_none_or(|state| state == "active");
    match member.access_level {
        _ if !is_active => Permission::None,
        MAINTAINER.. => Permission::Admin,
        DEVELOPER.. => Permission::Write,
        REPORTER.. => Permission::Read,
        _ => Permission::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_follow_the_level_of_who_is_active() {
        let member = |access_level, state: Option<&str>| WireMember { access_level, state: state.map(str::to_owned) };
        for (level, right) in [
            (5, Permission::None),
            (10, Permission::None),
            (15, Permission::None),
            (20, Permission::Read),
            (30, Permission::Write),
            (40, Permission::Admin),
            (50, Permission::Admin),
        ] {
            assert_eq!(permission(&member(level, Some("active"))), right, "{level}");
            assert_eq!(permission(&member(level, Some("blocked"))), Permission::None, "{level}");
        }
        assert_eq!(permission(&member(30, None)), Permission::Write);
    }

    #[test]
    fn rules_are_about_branches_by_name_or_pattern() {
        for (pattern, name, is_match) in [
            ("main", "main", true),
            ("main", "main2", false),
            ("*", "main", true),
            ("release/*", "release/1", true),
            ("release/*", "releases", false),
            ("*-stable", "1-stable", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-b-b", false),
        ] {
            assert_eq!(matches(pattern, name), is_match, "{pattern} {name}");
        }
        let branch = "main".parse().unwrap();
        let mut rule: WireRule = serde_json::from_str(r#"{"approvals_required": 1}"#).unwrap();
        assert!(applies(&rule, &branch));
        rule.protected_branches = serde_json::from_str(r#"[{"name": "release/*"}]"#).unwrap();
        assert!(!applies(&rule, &branch));
        rule.applies_to_all_protected_branches = true;
        assert!(applies(&rule, &branch));
    }
}
