//! What GitHub's answers hold, as far as it is read, and what that is in wooo's words.
//!
//! Makes no requests. What GitHub may leave out is optional here; everything else must be there.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use crate::forge::{
    Approval, Comment, CommentId, Error, MergeRequest, MergeRequestNumber, MergeRequestState, Reaction, Status,
    StatusContext, StatusState, User,
};
use crate::git::CommitId;

/// Who stands for accounts that were deleted.
const GHOST: (u64, &str) = (10_137, "ghost");

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Account {
    pub(super) id: u64,
    pub(super) login: String,
}

impl Account {
    pub(super) fn user(self) -> Result<User, Error> {
        Ok(User { id: self.id.to_string().parse()?, login: self.login })
    }
}

fn user_or_ghost(account: Option<Account>) -> Result<User, Error> {
    account.unwrap_or_else(|| Account { id: GHOST.0, login: GHOST.1.to_owned() }).user()
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) full_name: String,
    pub(super) owner: Account,
    pub(super) clone_url: String,
    pub(super) html_url: String,
    pub(super) default_branch: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct RepositoryRef {
    pub(super) id: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct End {
    #[serde(rename = "ref")]
    pub(super) name: String,
    pub(super) sha: String,
    /// Nothing, for a copy of the repository that was deleted.
    pub(super) repo: Option<RepositoryRef>,
}

#[derive(Clone, Debug, Deserialize)]
struct LabelName {
    name: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Team {
    slug: String,
    /// `https://api.github.com/organizations/1/team/2`; its page tells the organisation.
    html_url: Option<String>,
}

impl Team {
    /// As people write it: `acme/platform`.
    fn name(&self) -> String {
        let organisation = self.html_url.as_deref().and_then(|url| url.split("/orgs/").nth(1)?.split('/').next());
        organisation.map_or_else(|| self.slug.clone(), |organisation| format!("{organisation}/{}", self.slug))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PullState {
    Open,
    Closed,
}

/// A merge request, alone or in a list.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Pull {
    pub(super) number: u64,
    html_url: String,
    state: PullState,
    pub(super) head: End,
    base: End,
    pub(super) title: String,
    body: Option<String>,
    #[serde(default)]
    labels: Vec<LabelName>,
    #[serde(default)]
    requested_reviewers: Vec<Account>,
    #[serde(default)]
    requested_teams: Vec<Team>,
    user: Option<Account>,
    #[serde(default)]
    pub(super) draft: bool,
    merged_at: Option<Timestamp>,
    merge_commit_sha: Option<String>,
    /// Not in lists.
    merged_by: Option<Account>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// What a merge request is that the merge request itself does not tell.
#[derive(Clone, Debug, Default)]
pub(super) struct Beside {
    pub(super) source_exists: bool,
    pub(super) closed_by: Option<Account>,
}

impl Pull {
    pub(super) fn state(&self) -> MergeRequestState {
        match (&self.state, self.merged_at) {
            (_, Some(_)) => MergeRequestState::Merged,
            (PullState::Closed, None) => MergeRequestState::Closed,
            (PullState::Open, None) => MergeRequestState::Open,
        }
    }

    pub(super) fn updated(&self) -> Timestamp {
        self.updated_at
    }

    pub(super) fn merge_request(self, repository: u64, beside: Beside) -> Result<MergeRequest, Error> {
        let state = self.state();
        let merged = self.merge_commit_sha.filter(|_| state == MergeRequestState::Merged);
        Ok(MergeRequest {
            number: MergeRequestNumber(self.number),
            url: self.html_url,
            state,
            source: self.head.name.parse().map_err(|_| strange("branch"))?,
            target: self.base.name.parse().map_err(|_| strange("branch"))?,
            head: commit(&self.head.sha)?,
            source_exists: beside.source_exists,
            from_fork: self.head.repo.is_none_or(|from| from.id != repository),
            title: self.title,
            body: self.body.unwrap_or_default(),
            labels: self.labels.into_iter().map(|label| label.name).collect(),
            reviewers: reviewers(self.requested_reviewers, &self.requested_teams),
            author: user_or_ghost(self.user)?,
            draft: self.draft,
            merged: merged.map(|merged| commit(&merged)).transpose()?,
            closed_by: self.merged_by.or(beside.closed_by).map(Account::user).transpose()?,
            created: self.created_at,
            updated: self.updated_at,
        })
    }
}

fn reviewers(people: Vec<Account>, teams: &[Team]) -> BTreeSet<String> {
    people.into_iter().map(|person| person.login).chain(teams.iter().map(Team::name)).collect()
}

pub(super) fn commit(text: &str) -> Result<CommitId, Error> {
    text.parse().map_err(|_| strange("commit"))
}

fn strange(what: &str) -> Error {
    Error::unavailable(format!("GitHub's answer names a {what} that can be none"))
}

/// A merge request as the issue that it also is.
#[derive(Debug, Deserialize)]
pub(super) struct Issue {
    pub(super) closed_by: Option<Account>,
}

#[derive(Debug, Deserialize)]
pub(super) struct IssueComment {
    id: u64,
    user: Option<Account>,
    body: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    /// Ends with the number of the merge request.
    pub(super) issue_url: String,
}

impl IssueComment {
    pub(super) fn comment(self) -> Result<Comment, Error> {
        Ok(Comment {
            id: CommentId(self.id),
            author: user_or_ghost(self.user)?,
            body: self.body.unwrap_or_default(),
            created: self.created_at,
            updated: self.updated_at,
            edited: self.updated_at != self.created_at,
        })
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct ReactionOf {
    content: String,
    user: Option<Account>,
}

impl ReactionOf {
    pub(super) fn known(self) -> Option<Result<(Reaction, User), Error>> {
        let kinds = [Reaction::Eyes, Reaction::ThumbsUp, Reaction::ThumbsDown, Reaction::Confused, Reaction::Rocket];
        let kind = kinds.into_iter().find(|kind| content(*kind) == self.content)?;
        Some(user_or_ghost(self.user).map(|user| (kind, user)))
    }
}

pub(super) fn content(reaction: Reaction) -> &'static str {
    match reaction {
        Reaction::Eyes => "eyes",
        Reaction::ThumbsUp => "+1",
        Reaction::ThumbsDown => "-1",
        Reaction::Confused => "confused",
        Reaction::Rocket => "rocket",
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct CombinedStatus {
    pub(super) statuses: Vec<CommitStatus>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CommitStatus {
    context: String,
    state: String,
    description: Option<String>,
    target_url: Option<String>,
    updated_at: Timestamp,
}

impl CommitStatus {
    pub(super) fn status(self) -> Result<Status, Error> {
        let state = match self.state.as_str() {
            "success" => StatusState::Success,
            "pending" => StatusState::Pending,
            "failure" => StatusState::Failure,
            _ => StatusState::Error,
        };
        Ok(Status {
            context: context(&self.context)?,
            state,
            description: self.description.unwrap_or_default(),
            url: self.target_url.filter(|url| !url.is_empty()),
            updated: self.updated_at,
        })
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckRuns {
    pub(super) check_runs: Vec<CheckRun>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CheckRun {
    name: String,
    status: String,
    conclusion: Option<String>,
    details_url: Option<String>,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    output: Option<Output>,
}

#[derive(Debug, Deserialize)]
struct Output {
    title: Option<String>,
}

impl CheckRun {
    pub(super) fn status(self) -> Result<Status, Error> {
        let state = match (self.status.as_str(), self.conclusion.as_deref()) {
            ("completed", Some("success")) => StatusState::Success,
            ("completed", Some("failure" | "timed_out" | "action_required" | "startup_failure")) => {
                StatusState::Failure
            }
            // One that was skipped, cancelled or did not care has not said yes, whatever GitHub makes of it.
            ("completed", _) => StatusState::Error,
            _ => StatusState::Pending,
        };
        Ok(Status {
            context: context(&self.name)?,
            state,
            description: self.output.and_then(|output| output.title).unwrap_or_default(),
            url: self.details_url,
            updated: self.completed_at.or(self.started_at).unwrap_or(Timestamp::UNIX_EPOCH),
        })
    }
}

/// A check's name, which anybody who writes a workflow chooses. One that cannot be one is shown as near to it as possible:
/// a check that fails must not be overlooked for its name.
fn context(name: &str) -> Result<StatusContext, Error> {
    if let Ok(context) = name.parse() {
        return Ok(context);
    }
    let clean: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).take(StatusContext::MAX).collect();
    let clean = clean.trim();
    if clean.is_empty() { "a check without a name".parse() } else { clean.parse() }
}

#[derive(Debug, Deserialize)]
pub(super) struct Review {
    user: Option<Account>,
    state: String,
    commit_id: Option<String>,
    submitted_at: Option<Timestamp>,
}

/// What a review says in the end.
pub(super) enum Opinion {
    /// Yes.
    Approved(Approval),
    /// No, or a yes that was taken back.
    Other,
}

impl Review {
    /// Who says what; `None` if it says neither yes nor no, as a mere comment.
    pub(super) fn opinion(self) -> Result<Option<(User, Opinion)>, Error> {
        let user = user_or_ghost(self.user)?;
        let opinion = match self.state.as_str() {
            "APPROVED" => {
                let commit = self.commit_id.as_deref().map(commit).transpose()?;
                let at = self.submitted_at.unwrap_or(Timestamp::UNIX_EPOCH);
                Opinion::Approved(Approval { user: user.clone(), commit, at })
            }
            "CHANGES_REQUESTED" | "DISMISSED" => Opinion::Other,
            _ => return Ok(None),
        };
        Ok(Some((user, opinion)))
    }

    pub(super) fn login(&self) -> Option<&str> {
        self.user.as_ref().map(|user| user.login.as_str())
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct CollaboratorPermission {
    pub(super) permission: String,
    pub(super) user: Option<Account>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Comparison {
    pub(super) ahead_by: u64,
    pub(super) behind_by: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct Merged {
    pub(super) sha: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_success_is_green() {
        let run = |status: &str, conclusion: &str| {
            let run = format!(r#"{{"name":"ci","status":"{status}","conclusion":{conclusion}}}"#);
            serde_json::from_str::<CheckRun>(&run).unwrap().status().unwrap().state
        };
        assert_eq!(run("completed", "\"success\""), StatusState::Success);
        assert_eq!(run("queued", "null"), StatusState::Pending);
        assert_eq!(run("completed", "\"timed_out\""), StatusState::Failure);
        for unsaid in ["\"skipped\"", "\"neutral\"", "\"cancelled\"", "\"stale\"", "\"new\"", "null"] {
            assert_eq!(run("completed", unsaid), StatusState::Error, "{unsaid}");
        }
    }

    #[test]
    fn no_check_is_overlooked_for_its_name() {
        let shown = |name: &str| context(name).unwrap().to_string();
        assert_eq!(shown("ci / build"), "ci / build");
        assert_eq!(shown(" a\nb "), "a b");
        assert_eq!(shown("\n"), "a check without a name");
        assert_eq!(shown(&"x".repeat(300)).len(), 255);
    }

    #[test]
    fn a_team_is_written_with_its_organisation() {
        let team = r#"{"slug":"platform","html_url":"https://github.com/orgs/acme/teams/platform"}"#;
        assert_eq!(serde_json::from_str::<Team>(team).unwrap().name(), "acme/platform");
    }
}
