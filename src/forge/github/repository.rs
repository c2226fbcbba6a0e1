//! One repository on a GitHub, and what it is: its identity, its default branch, what its branches ask for.
//!
//! A branch can ask in two ways, and GitHub keeps them apart: in rulesets, which whoever may read may see, and in branch
//! protection, which takes the right to read the administration. Both count.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;

use super::address::segment;
use super::connection::Connection;
use super::wire;
use crate::forge::{Error, Identity, Protection, RepositoryInfo, StatusContext};
use crate::git::BranchName;

/// One repository.
#[derive(Clone)]
pub(super) struct Repository {
    pub(super) connection: Arc<Connection>,
    /// What is asked as the App itself, if there is one.
    pub(super) app: Option<Arc<Connection>>,
    pub(super) id: u64,
}

impl Repository {
    pub(super) fn new(connection: Arc<Connection>, app: Option<Arc<Connection>>, id: u64) -> Self {
        Self { connection, app, id }
    }

    /// A path of this repository, whatever it is called.
    pub(super) fn path(&self, rest: &str) -> String {
        format!("/repositories/{}{rest}", self.id)
    }

    /// What it is now. Asked each time, because a rename can be a minute old; as a rule GitHub confirms it for nothing.
    pub(super) async fn look(&self) -> Result<wire::Repository, Error> {
        let what = format!("the repository with the id {}", self.id);
        let found: wire::Repository = self.connection.get(&self.path("")).await?.json(&what)?;
        if found.id == self.id { Ok(found) } else { Err(Error::not_found(what)) }
    }

    /// What rulesets ask for.
    async fn ruled(&self, branch: &BranchName) -> Result<Protection, Error> {
        let path = self.path(&format!("/rules/branches/{}", segment(branch.as_str())));
        let rules = match self.connection.all(&path, "the rules of a branch", |rules: Vec<Rule>| rules).await {
            // An Enterprise Server from before there were rulesets. The branch itself was there a moment ago.
            Err(Error::NotFound { .. }) => Vec::new(),
            rules => rules?,
        };
        let mut asked = Protection::default();
        for rule in rules {
            match rule {
                Rule::RequiredStatusChecks { parameters } => {
                    let contexts = parameters.required_status_checks.into_iter().map(|check| check.context);
                    asked = strictest(asked, protection(contexts, 0)?);
                }
                Rule::PullRequest { parameters } => {
                    asked = strictest(asked, protection([], parameters.required_approving_review_count)?);
                }
                Rule::Other => {}
            }
        }
        Ok(asked)
    }

    /// What branch protection asks for.
    async fn protected(&self, branch: &BranchName) -> Result<Protection, Error> {
        let path = self.path(&format!("/branches/{}/protection", segment(branch.as_str())));
        let answer = self.connection.get(&path).await?;
        if answer.is_absent() && answer.said().contains("Branch not protected") {
            return Ok(Protection::default());
        }
        if answer.is_absent() || answer.status == reqwest::StatusCode::FORBIDDEN {
            // Whoever may not look must not take it for nothing.
            return Err(Error::Forbidden {
                reason: format!("reading what `{branch}` asks for takes the permission `Administration: read`"),
            });
        }
        let found: BranchProtection = answer.json("the protection of a branch")?;
        let checks = found.required_status_checks.unwrap_or_default();
        let contexts = checks.contexts.into_iter().chain(checks.checks.into_iter().map(|check| check.context));
        let reviews = found.required_pull_request_reviews.unwrap_or_default();
        protection(contexts, reviews.required_approving_review_count)
    }
}

fn protection(checks: impl IntoIterator<Item = String>, required_approvals: u32) -> Result<Protection, Error> {
    let required_checks = checks.into_iter().map(|check| check.parse()).collect::<Result<_, Error>>()?;
    Ok(Protection { required_checks, required_approvals })
}

/// All that either asks for.
fn strictest(mut one: Protection, other: Protection) -> Protection {
    one.required_checks.extend::<std::collections::BTreeSet<StatusContext>>(other.required_checks);
    one.required_approvals = one.required_approvals.max(other.required_approvals);
    one
}

#[derive(Debug, Deserialize)]
struct Branch {
    #[serde(default)]
    protected: bool,
    protection: Option<Enabled>,
}

#[derive(Debug, Deserialize)]
struct Enabled {
    enabled: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RequiredChecks {
    contexts: Vec<String>,
    checks: Vec<RequiredCheck>,
}

#[derive(Debug, Deserialize)]
struct RequiredCheck {
    context: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct RequiredReviews {
    required_approving_review_count: u32,
}

#[derive(Debug, Deserialize)]
struct BranchProtection {
    required_status_checks: Option<RequiredChecks>,
    required_pull_request_reviews: Option<RequiredReviews>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Rule {
    RequiredStatusChecks {
        parameters: RuledChecks,
    },
    PullRequest {
        parameters: RequiredReviews,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct RuledChecks {
    required_status_checks: Vec<RequiredCheck>,
}

#[async_trait]
impl RepositoryInfo for Repository {
    async fn identity(&self) -> Result<Identity, Error> {
        let found = self.look().await?;
        Ok(Identity {
            id: found.id.to_string().parse()?,
            name: found.full_name,
            clone_url: found.clone_url,
            url: found.html_url,
        })
    }

    async fn default_branch(&self) -> Result<BranchName, Error> {
        let name = self.look().await?.default_branch;
        name.parse().map_err(|_| Error::unavailable("GitHub's answer names a branch that can be none"))
    }

    async fn protection(&self, branch: &BranchName) -> Result<Protection, Error> {
        let answer = self.connection.get(&self.path(&format!("/branches/{}", segment(branch.as_str())))).await?;
        // A branch that was renamed leads to its new name, and is not there under this one.
        if answer.is_absent() || answer.status.is_redirection() {
            return Ok(Protection::default());
        }
        let found: Branch = answer.json("a branch")?;
        let ruled = self.ruled(branch).await?;
        // A branch that only rulesets protect is protected too, but says that its own protection is not enabled.
        if found.protection.map_or(found.protected, |protection| protection.enabled) {
            return Ok(strictest(ruled, self.protected(branch).await?));
        }
        Ok(ruled)
    }
}
