//! What checks say about commits: statuses, and the check runs of GitHub Apps, which are Actions above all.

use std::collections::BTreeMap;

use async_trait::async_trait;
use reqwest::{Method, StatusCode};
use serde_json::json;
use url::Url;

use super::answer::Answer;
use super::repository::Repository;
use super::wire::{CheckRun, CheckRuns, CombinedStatus, CommitStatus};
use crate::forge::calls::Effect;
use crate::forge::{Error, NewStatus, Status, StatusState, Statuses};
use crate::git::CommitId;

/// How much a state counts where several checks have one name: GitHub asks for a yes of each of them.
fn weight(state: StatusState) -> u8 {
    match state {
        StatusState::Success => 0,
        StatusState::Pending => 1,
        StatusState::Error => 2,
        StatusState::Failure => 3,
    }
}

/// A commit that is absent is not absent to GitHub, but invalid.
fn has_no_commit(answer: &Answer) -> bool {
    answer.is_absent()
        || answer.status == StatusCode::UNPROCESSABLE_ENTITY && answer.said().to_lowercase().contains("no commit found")
}

impl Repository {
    async fn check_runs(&self, commit: CommitId) -> Result<Vec<CheckRun>, Error> {
        let path = self.path(&format!("/commits/{commit}/check-runs?filter=latest"));
        let found = self.connection.all(&path, "check runs", |found: CheckRuns| found.check_runs).await;
        found.map_err(|error| match error {
            Error::Forbidden { reason } => {
                Error::Forbidden { reason: format!("reading check runs takes the permission `Checks: read`: {reason}") }
            }
            other => other,
        })
    }
}

#[async_trait]
impl Statuses for Repository {
    async fn set_status(&self, commit: CommitId, status: &NewStatus) -> Result<(), Error> {
        if let Some(url) = &status.url
            && !Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        {
            return Err(Error::invalid("the address of a status begins with `http://` or `https://`"));
        }
        let body = json!({
            "context": status.context,
            "state": status.state,
            "description": status.description.as_str(),
            "target_url": status.url,
        });
        let path = self.path(&format!("/statuses/{commit}"));
        let answer = self.connection.send(Method::POST, Effect::Same, &path, &body).await?;
        let what = format!("the commit {commit}");
        if has_no_commit(&answer) { Err(Error::not_found(what)) } else { answer.done(&what) }
    }

    async fn statuses(&self, commit: CommitId) -> Result<Vec<Status>, Error> {
        let what = format!("the commit {commit}");
        let path = self.path(&format!("/commits/{commit}/status"));
        let said = self.connection.all(&path, &what, |found: CombinedStatus| found.statuses).await;
        let said = said.map_err(|error| match error {
            // The commit is all that was asked for.
            Error::Invalid { .. } => Error::not_found(&what),
            other => other,
        })?;
        let said = said.into_iter().map(CommitStatus::status);
        let ran = self.check_runs(commit).await?.into_iter().map(CheckRun::status);
        let mut worst: BTreeMap<String, Status> = BTreeMap::new();
        for status in said.chain(ran) {
            let status = status?;
            let name = status.context.to_string();
            if worst.get(&name).is_none_or(|known| weight(known.state) < weight(status.state)) {
                worst.insert(name, status);
            }
        }
        Ok(worst.into_values().collect())
    }
}
