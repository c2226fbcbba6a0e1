//! What checks say about commits: the statuses of commits, which GitLab keeps as jobs of pipelines.
//!
//! The jobs of GitLab's own pipelines are among them, by their names.

use std::collections::BTreeMap;

use async_trait::async_trait;
use gitlab::api::projects::repository::commits::CommitStatuses;
use serde::de::IgnoredAny;
use url::Url;

use super::Project;
use super::endpoints::SetStatus;
use super::wire::WireStatus;
use crate::forge::calls::Effect;
use crate::forge::{Error, NewStatus, Status, StatusContext, StatusState, Statuses};
use crate::git::CommitId;

/// What GitLab says of a job that may not become what it is already.
const NO_TRANSITION: &str = "Cannot transition status";

impl Project {
    async fn send_status(&self, commit: CommitId, status: &NewStatus, state: &'static str) -> Result<(), Error> {
        let what = format!("the commit {commit}");
        let endpoint = Ok::<_, Error>(SetStatus { project: self.id, commit, state, status });
        let _made: IgnoredAny = self.connection.ask(Effect::Same, &what, endpoint).await?;
        Ok(())
    }
}

fn is_no_transition(sent: &Result<(), Error>) -> bool {
    matches!(sent, Err(Error::Invalid { reason }) if reason.contains(NO_TRANSITION))
}

#[async_trait]
impl Statuses for Project {
    async fn set_status(&self, commit: CommitId, status: &NewStatus) -> Result<(), Error> {
        let is_web = |url: &String| Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !status.url.as_ref().is_none_or(is_web) {
            return Err(Error::invalid("the address of a status begins with `http://` or `https://`"));
        }
        if status.state != StatusState::Pending {
            return self.send_status(commit, status, written(status.state)).await;
        }
        // A job that waits cannot be made to wait again, and one that runs cannot be made to run, before 18.3. Then what
        // it says may stay as it was, which is only read by people.
        let sent = self.send_status(commit, status, "pending").await;
        if !is_no_transition(&sent) {
            return sent;
        }
        let sent = self.send_status(commit, status, "running").await;
        if is_no_transition(&sent) { Ok(()) } else { sent }
    }

    async fn statuses(&self, commit: CommitId) -> Result<Vec<Status>, Error> {
        let what = format!("the commit {commit}");
        let endpoint = CommitStatuses::builder().project(self.id).commit(commit.to_string()).build();
        let found: Vec<WireStatus> = self.connection.all(&what, endpoint).await?;
        // Each pipeline of the commit has its own of a name: the one that was made last is the latest.
        let mut latest: BTreeMap<StatusContext, WireStatus> = BTreeMap::new();
        for status in found {
            // A name that cannot be asked for.
            let Ok(context) = status.name.parse::<StatusContext>() else { continue };
            let is_newer = latest.get(&context).is_none_or(|known| known.id < status.id);
            if is_newer {
                latest.insert(context, status);
            }
        }
        let statuses = latest.into_iter().map(|(context, wire)| Status {
            context,
            state: read(&wire.status),
            description: wire.description.unwrap_or_default(),
            url: wire.target_url,
            updated: wire.finished_at.or(wire.started_at).unwrap_or(wire.created_at),
        });
        Ok(statuses.collect())
    }
}

fn written(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "pending",
        StatusState::Success => "success",
        StatusState::Failure => "failed",
        StatusState::Error => "canceled",
    }
}

/// What a word of GitLab means. Only one of them is a yes: what was skipped did not look.
fn read(word: &str) -> StatusState {
    match word {
        "success" => StatusState::Success,
        "failed" => StatusState::Failure,
        "canceled" | "canceling" | "skipped" => StatusState::Error,
        // Created, waiting for something or somebody, running, or a word of a later version.
        _ => StatusState::Pending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_word_is_a_yes() {
        for state in [StatusState::Pending, StatusState::Success, StatusState::Failure, StatusState::Error] {
            assert_eq!(read(written(state)), state);
        }
        for word in ["created", "manual", "running", "skipped", "scheduled", "succeeded", ""] {
            assert_ne!(read(word), StatusState::Success, "{word}");
        }
    }
}
