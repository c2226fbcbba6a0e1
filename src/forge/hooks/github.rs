//! The payloads of GitHub.

use serde::Deserialize;

use super::{About, Changed, Named, Numbered, Pushed, Read, Unreadable, part, word};

/// The events of which something may follow, and the one that only says that the hook is there.
const EVENTS: [&str; 11] = [
    "check_run",
    "check_suite",
    "create",
    "delete",
    "issue_comment",
    "ping",
    "pull_request",
    "pull_request_review",
    "pull_request_review_comment",
    "push",
    "status",
];

#[derive(Deserialize)]
struct PullRequest {
    pull_request: Numbered,
}

/// GitHub has one kind of comment for issues and pull requests.
#[derive(Deserialize)]
struct IssueComment {
    action: String,
    issue: Issue,
}

#[derive(Deserialize)]
struct Issue {
    number: u64,
    /// Only there if the issue is a pull request.
    pull_request: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Checked {
    #[serde(alias = "check_suite")]
    check_run: Check,
}

#[derive(Deserialize)]
struct Check {
    /// None for those of a fork.
    #[serde(default)]
    pull_requests: Option<Vec<Numbered>>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    branches: Vec<Branch>,
}

#[derive(Deserialize)]
struct Branch {
    name: String,
}

pub(super) fn read(event: &str, body: &[u8]) -> Read {
    let event = word(&EVENTS, event);
    match part::<About>(body) {
        Ok(about) => Read { repository: about.repository(), event, changed: changed(event, body) },
        Err(error) => Read { repository: None, event, changed: Err(error) },
    }
}

fn changed(event: &str, body: &[u8]) -> Result<Changed, Unreadable> {
    match event {
        "pull_request" | "pull_request_review" | "pull_request_review_comment" => {
            part(body).map(|found: PullRequest| Changed::merge_request(found.pull_request.number))
        }
        "issue_comment" => part(body).map(|found: IssueComment| {
            // A comment that was edited or deleted is no new order.
            let is_new = found.action == "created" && found.issue.pull_request.is_some();
            if is_new { Changed::comment(found.issue.number) } else { Changed::default() }
        }),
        "push" => Changed::full_ref(&part::<Pushed>(body)?.r#ref),
        "create" | "delete" => part::<Named>(body)?.changed(),
        "status" => {
            let found: Status = part(body)?;
            Changed::branches(found.branches.iter().map(|branch| branch.name.as_str()))
        }
        "check_run" | "check_suite" => part(body).map(|found: Checked| {
            let requests = found.check_run.pull_requests.unwrap_or_default();
            Changed::merge_requests(requests.into_iter().map(|request| request.number))
        }),
        // `ping`, and what nobody asked for.
        _ => Ok(Changed::default()),
    }
}
