//! What Gitea and Forgejo send, as far as it is used, and what it says in the words of [`crate::forge`].

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Deserialize;

use crate::forge::{
    Comment, CommentId, Error, Identity, MergeRequest, MergeRequestNumber, MergeRequestState, Permission, Reaction,
    Status, StatusState, User,
};
use crate::git::{BranchName, CommitId};

/// What a title begins with whose merge request is a draft, unless the forge's settings say otherwise.
const DRAFT_PREFIXES: [&str; 2] = ["wip:", "[wip]"];

/// The title that makes a draft.
pub(super) fn draft_title(title: &str) -> String {
    format!("WIP: {title}")
}

/// A title without what makes it a draft's.
fn without_prefix(title: &str) -> Option<&str> {
    let stripped = |prefix: &&str| {
        let start = title.get(..prefix.len())?;
        if start.eq_ignore_ascii_case(prefix) { title.get(prefix.len()..) } else { None }
    };
    DRAFT_PREFIXES.iter().find_map(stripped).map(str::trim_start)
}

/// Something in an answer that cannot be what the forge calls it.
fn unreadable(what: &str) -> Error {
    Error::unavailable(format!("its answer has {what} that cannot be read"))
}

fn commit(text: &str) -> Result<CommitId, Error> {
    text.parse().map_err(|_| unreadable("a commit"))
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct ApiSettings {
    pub(super) max_response_items: usize,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Account {
    id: u64,
    pub(super) login: String,
}

impl Account {
    pub(super) fn into_user(self) -> Result<User, Error> {
        let id = self.id.to_string().parse().map_err(|_| unreadable("a user"))?;
        Ok(User { id, login: self.login })
    }

    pub(super) fn is(&self, id: &str) -> bool {
        self.id.to_string() == id
    }
}

/// What is found of users.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Found {
    pub(super) data: Option<Vec<Account>>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) full_name: String,
    pub(super) default_branch: String,
    clone_url: String,
    html_url: String,
}

impl Repository {
    pub(super) fn into_identity(self) -> Result<Identity, Error> {
        let id = self.id.to_string().parse().map_err(|_| unreadable("a repository"))?;
        Ok(Identity { id, name: self.full_name, clone_url: self.clone_url, url: self.html_url })
    }

    /// Who it belongs to.
    pub(super) fn owner(&self) -> &str {
        self.full_name.split('/').next().unwrap_or_default()
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Branch {
    commit: PayloadCommit,
    #[serde(default)]
    pub(super) required_approvals: i64,
    #[serde(default)]
    pub(super) enable_status_check: bool,
    pub(super) status_check_contexts: Option<Vec<String>>,
}

#[derive(Clone, Debug, Deserialize)]
struct PayloadCommit {
    id: String,
}

impl Branch {
    pub(super) fn tip(&self) -> Result<CommitId, Error> {
        commit(&self.commit.id)
    }
}

/// A ref, in a list of its own or alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum References {
    One(Reference),
    Many(Vec<Reference>),
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Reference {
    #[serde(rename = "ref")]
    name: String,
    object: Object,
}

#[derive(Clone, Debug, Deserialize)]
struct Object {
    sha: String,
}

impl References {
    /// Where the ref of that name points. What is found may be others whose names begin with it.
    pub(super) fn of(self, name: &str) -> Option<Result<CommitId, Error>> {
        let all = match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        };
        all.into_iter().find(|one| one.name == name).map(|one| commit(&one.object.sha))
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Label {
    pub(super) id: u64,
    pub(super) name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Team {
    name: String,
}

/// One end of a merge request.
#[derive(Clone, Debug, Deserialize)]
struct End {
    /// The branch's name, even when it is gone; empty where there never was one.
    label: String,
    /// The same, or `refs/pull/<number>/head` when the branch is gone.
    #[serde(rename = "ref")]
    name: String,
    sha: String,
    repo_id: i64,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct PullRequest {
    pub(super) number: u64,
    user: Account,
    title: String,
    body: Option<String>,
    pub(super) labels: Option<Vec<Label>>,
    requested_reviewers: Option<Vec<Account>>,
    requested_reviewers_teams: Option<Vec<Team>>,
    state: String,
    draft: Option<bool>,
    html_url: String,
    merged: bool,
    merge_commit_sha: Option<String>,
    merged_by: Option<Account>,
    base: End,
    head: End,
    merge_base: Option<String>,
    created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) closed_at: Option<Timestamp>,
}

impl PullRequest {
    /// The ref that keeps its head.
    pub(super) fn head_ref(&self) -> String {
        format!("refs/pull/{}/head", self.number)
    }

    pub(super) fn is_from(&self, source: &BranchName, target: &BranchName) -> bool {
        self.head.label == source.as_str() && !self.is_from_fork() && self.is_into(target)
    }

    pub(super) fn is_into(&self, target: &BranchName) -> bool {
        self.base.label == target.as_str()
    }

    pub(super) fn is_open(&self) -> bool {
        self.state == "open" && !self.merged
    }

    /// What comes without a branch (`refs/for/…`) is nobody's branch of this repository either.
    fn is_from_fork(&self) -> bool {
        self.head.repo_id != self.base.repo_id || self.head.label.is_empty()
    }

    fn has_branch(&self) -> bool {
        !self.head.name.starts_with("refs/")
    }

    /// Whether `head.sha` may be about something newer than what was merged or closed: it is where the branch stands now.
    pub(super) fn may_have_gone_on(&self) -> bool {
        !self.is_open() && self.has_branch()
    }

    /// What has become of it, if its head is `head`. A branch that was moved back into its target has nothing to merge
    /// any more; the forge takes that for a merge by hand, and it is none.
    pub(super) fn state(&self, head: CommitId) -> MergeRequestState {
        let head = head.to_string();
        let is_by_push = self.merge_commit_sha.as_ref() == Some(&head);
        let is_empty = self.merge_base.as_ref() == Some(&head);
        match (self.merged, self.is_open()) {
            (true, _) if is_by_push && is_empty => MergeRequestState::Closed,
            (true, _) => MergeRequestState::Merged,
            (false, true) => MergeRequestState::Open,
            (false, false) => MergeRequestState::Closed,
        }
    }

    /// Where its branch stands, or stood last.
    pub(super) fn shown_head(&self) -> Result<CommitId, Error> {
        commit(&self.head.sha)
    }

    pub(super) fn is_draft(&self) -> bool {
        self.draft.unwrap_or_else(|| without_prefix(&self.title).is_some())
    }

    /// It with its head and who closed it, which have to be asked for.
    pub(super) fn into_merge_request(
        self,
        owner: &str,
        head: CommitId,
        closed_by: Option<User>,
    ) -> Result<MergeRequest, Error> {
        let (state, draft) = (self.state(head), self.is_draft());
        let (source_exists, from_fork) = (self.has_branch(), self.is_from_fork());
        let is_merged = state == MergeRequestState::Merged;
        let merged = self.merge_commit_sha.filter(|_| is_merged).map(|id| commit(&id)).transpose()?;
        // Of a push nobody knows more than who wrote the commit: the forge guesses, and this does not.
        let merged_by = self.merged_by.filter(|_| merged.is_some_and(|merged| merged != head));
        let title = if draft { without_prefix(&self.title).unwrap_or(&self.title) } else { &self.title }.to_owned();
        let source = if self.head.label.is_empty() { self.head.name } else { self.head.label };
        let teams = self.requested_reviewers_teams.unwrap_or_default();
        let teams = teams.into_iter().map(|team| format!("{owner}/{}", team.name));
        let people = self.requested_reviewers.unwrap_or_default().into_iter().map(|user| user.login);
        Ok(MergeRequest {
            number: MergeRequestNumber(self.number),
            url: self.html_url,
            state,
            source: source.parse().map_err(|_| unreadable("a branch"))?,
            target: self.base.label.parse().map_err(|_| unreadable("a branch"))?,
            head,
            source_exists,
            from_fork,
            title,
            body: self.body.unwrap_or_default(),
            labels: self.labels.unwrap_or_default().into_iter().map(|label| label.name).collect(),
            reviewers: people.chain(teams).collect::<BTreeSet<_>>(),
            author: self.user.into_user()?,
            draft,
            merged,
            closed_by: if is_merged { merged_by.map(Account::into_user).transpose()? } else { closed_by },
            created: self.created_at,
            updated: self.updated_at,
        })
    }
}

/// Something that happened on a merge request.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Event {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) user: Option<Account>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct IssueComment {
    id: u64,
    user: Account,
    pub(super) body: String,
    pull_request_url: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl IssueComment {
    /// Whether it was written on that merge request: ids of comments are those of the whole forge.
    pub(super) fn is_on(&self, number: MergeRequestNumber) -> bool {
        let on = self.pull_request_url.as_deref().and_then(|url| url.rsplit('/').next());
        on == Some(number.to_string().as_str())
    }

    pub(super) fn is_by(&self, id: &str) -> bool {
        self.user.is(id)
    }

    pub(super) fn into_comment(self) -> Result<Comment, Error> {
        Ok(Comment {
            id: CommentId(self.id),
            author: self.user.into_user()?,
            body: self.body,
            created: self.created_at,
            updated: self.updated_at,
            edited: self.updated_at != self.created_at,
        })
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct GivenReaction {
    user: Option<Account>,
    content: String,
}

impl GivenReaction {
    /// Who gave which; `None` for a kind that wooo does not know, or of somebody who is gone.
    pub(super) fn into_reaction(self) -> Result<Option<(Reaction, User)>, Error> {
        let (Some(kind), Some(user)) = (reaction_of(&self.content), self.user) else { return Ok(None) };
        Ok(Some((kind, user.into_user()?)))
    }
}

pub(super) fn reaction_name(reaction: Reaction) -> &'static str {
    match reaction {
        Reaction::Eyes => "eyes",
        Reaction::ThumbsUp => "+1",
        Reaction::ThumbsDown => "-1",
        Reaction::Confused => "confused",
        Reaction::Rocket => "rocket",
    }
}

fn reaction_of(name: &str) -> Option<Reaction> {
    let all = [Reaction::Eyes, Reaction::ThumbsUp, Reaction::ThumbsDown, Reaction::Confused, Reaction::Rocket];
    all.into_iter().find(|reaction| reaction_name(*reaction) == name)
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct CommitStatus {
    pub(super) id: u64,
    pub(super) context: String,
    status: String,
    description: Option<String>,
    target_url: Option<String>,
    updated_at: Timestamp,
}

impl CommitStatus {
    /// What it says; `None` under a context that is no name, which nothing can ask for.
    pub(super) fn into_status(self) -> Option<Status> {
        Some(Status {
            context: self.context.parse().ok()?,
            state: state_of(&self.status),
            description: self.description.unwrap_or_default(),
            url: self.target_url.filter(|url| !url.is_empty()),
            updated: self.updated_at,
        })
    }
}

pub(super) fn state_name(state: StatusState) -> &'static str {
    match state {
        StatusState::Pending => "pending",
        StatusState::Success => "success",
        StatusState::Failure => "failure",
        StatusState::Error => "error",
    }
}

/// What is neither a yes nor a no (`skipped`, and what comes later) could not say; a warning is no yes.
fn state_of(name: &str) -> StatusState {
    match name {
        "pending" => StatusState::Pending,
        "success" => StatusState::Success,
        "failure" | "warning" => StatusState::Failure,
        _ => StatusState::Error,
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Review {
    pub(super) id: u64,
    pub(super) user: Option<Account>,
    pub(super) state: String,
    commit_id: Option<String>,
    #[serde(default)]
    pub(super) official: bool,
    #[serde(default)]
    pub(super) dismissed: bool,
    pub(super) submitted_at: Timestamp,
}

impl Review {
    /// The head that it is about, where that is known.
    pub(super) fn commit(&self) -> Option<CommitId> {
        self.commit_id.as_deref()?.parse().ok()
    }
}

/// What somebody may do in a repository.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct CollaboratorPermission {
    permission: String,
    pub(super) user: Account,
}

impl CollaboratorPermission {
    pub(super) fn permission(&self) -> Permission {
        match self.permission.as_str() {
            "owner" | "admin" => Permission::Admin,
            "write" => Permission::Write,
            "read" => Permission::Read,
            _ => Permission::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pull_request(changes: Value) -> PullRequest {
        let mut value = json!({
            "number": 7, "user": {"id": 1, "login": "ann"}, "title": "a", "body": "", "labels": [], "state": "closed",
            "html_url": "https://git.example/acme/fleet/pulls/7", "merged": true,
            "merge_commit_sha": "a".repeat(40), "merged_by": {"id": 1, "login": "ann"},
            "base": {"label": "main", "ref": "main", "sha": "b".repeat(40), "repo_id": 1},
            "head": {"label": "wooo/a", "ref": "wooo/a", "sha": "a".repeat(40), "repo_id": 1},
            "merge_base": "c".repeat(40),
            "created_at": "2026-01-02T03:04:05+01:00", "updated_at": "2026-01-02T03:04:05Z", "closed_at": null,
        });
        let fields = value.as_object_mut().unwrap();
        fields.extend(changes.as_object().unwrap().clone());
        serde_json::from_value(value).unwrap()
    }

    fn shown(changes: Value) -> MergeRequest {
        let pull = pull_request(changes);
        let head = pull.shown_head().unwrap();
        pull.into_merge_request("acme", head, None).unwrap()
    }

    #[test]
    fn a_branch_moved_back_is_no_merge() {
        let merged = shown(json!({}));
        assert_eq!(
            (merged.state, merged.merged, merged.closed_by),
            (MergeRequestState::Merged, Some(merged.head), None)
        );
        let moved_back = shown(json!({"merge_base": "a".repeat(40)}));
        assert_eq!((moved_back.state, moved_back.merged), (MergeRequestState::Closed, None));
        let by_button = shown(json!({"merge_commit_sha": "d".repeat(40)}));
        assert_eq!(by_button.closed_by.unwrap().login, "ann");
    }

    #[test]
    fn what_has_no_branch_here_is_from_somewhere_else() {
        let fork = json!({"head": {"label": "a", "ref": "a", "sha": "a".repeat(40), "repo_id": 2}});
        assert!(shown(fork).from_fork);
        let gone = json!({"head": {"label": "a", "ref": "refs/pull/7/head", "sha": "a".repeat(40), "repo_id": 1}});
        let gone = shown(gone);
        assert_eq!((gone.source.as_str(), gone.source_exists, gone.from_fork), ("a", false, false));
        let pushed = json!({"head": {"label": "", "ref": "refs/pull/7/head", "sha": "a".repeat(40), "repo_id": 1}});
        let pushed = shown(pushed);
        assert!(pushed.from_fork && !pushed.source_exists);
    }

    #[test]
    fn a_draft_is_known_by_its_title_where_nothing_else_tells() {
        let draft = shown(json!({"title": "WIP: a"}));
        assert_eq!((draft.draft, draft.title.as_str()), (true, "a"));
        let draft = shown(json!({"title": "[wip] a", "draft": true}));
        assert_eq!((draft.draft, draft.title.as_str()), (true, "a"));
        let ready = shown(json!({"title": "WIP: a", "draft": false}));
        assert_eq!((ready.draft, ready.title.as_str()), (false, "WIP: a"));
        assert!(!shown(json!({"title": "網wip: a"})).draft);
    }

    #[test]
    fn only_success_is_a_yes() {
        for state in [StatusState::Pending, StatusState::Success, StatusState::Failure, StatusState::Error] {
            assert_eq!(state_of(state_name(state)), state);
        }
        for other in ["warning", "skipped", "", "SUCCESS"] {
            assert_ne!(state_of(other), StatusState::Success, "{other}");
        }
    }

    #[test]
    fn a_comment_belongs_to_one_merge_request() {
        let on = |url: &str| -> IssueComment {
            let comment = json!({
                "id": 1, "user": {"id": 1, "login": "ann"}, "body": "x", "pull_request_url": url,
                "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:05Z",
            });
            serde_json::from_value(comment).unwrap()
        };
        assert!(on("https://git.example/acme/fleet/pulls/7").is_on(MergeRequestNumber(7)));
        assert!(!on("https://git.example/acme/fleet/pulls/17").is_on(MergeRequestNumber(7)));
        assert!(!on("").is_on(MergeRequestNumber(7)));
    }
}
