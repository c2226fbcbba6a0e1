//! The payloads of Gitea and Forgejo.

use serde::Deserialize;

use super::{About, Changed, Named, Numbered, Pushed, Read, Unreadable, part, word};

/// The events of which something may follow.
const EVENTS: [&str; 10] = [
    "create",
    "delete",
    "issue_comment",
    "pull_request",
    "pull_request_approved",
    "pull_request_comment",
    "pull_request_rejected",
    "pull_request_review_request",
    "pull_request_sync",
    "push",
];

#[derive(Deserialize)]
struct PullRequest {
    pull_request: Numbered,
}

/// One kind of comment for issues and pull requests, of which `is_pull` says which it is.
#[derive(Deserialize)]
struct IssueComment {
    action: String,
    issue: Numbered,
    #[serde(default)]
    is_pull: bool,
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
        "issue_comment" => part(body).map(|found: IssueComment| {
            // A comment that was edited or deleted is no new order.
            let is_new = found.action == "created" && found.is_pull;
            if is_new { Changed::comment(found.issue.number) } else { Changed::default() }
        }),
        "push" => Changed::full_ref(&part::<Pushed>(body)?.r#ref),
        "create" | "delete" => part::<Named>(body)?.changed(),
        event if event.starts_with("pull_request") => {
            part(body).map(|found: PullRequest| Changed::merge_request(found.pull_request.number))
        }
        _ => Ok(Changed::default()),
    }
}
