//! Merging: with a merge commit, the head that was decided about, and never past what the target branch asks for.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::answer::Answer;
use super::gate::Given;
use super::merge_requests::called;
use super::repository::Repository;
use super::wire::{Merged, commit};
use crate::forge::calls::Effect;
use crate::forge::{Error, MergeRequest, MergeRequestNumber, MergeRequestState, MergeRequests as _};
use crate::git::CommitId;

impl Repository {
    pub(super) async fn merge_checked(
        &self,
        number: MergeRequestNumber,
        expected: CommitId,
    ) -> Result<CommitId, Error> {
        let there = self.get(number).await?;
        if let Some(settled) = settled(&there, expected) {
            return settled;
        }
        let given = self.refuse_unready(&there).await?;
        let path = self.path(&format!("/pulls/{number}/merge"));
        let body = json!({"sha": expected, "merge_method": "merge"});
        let answer = self.connection.send(Method::PUT, Effect::Same, &path, &body).await;
        let refused = match answer {
            Ok(answer) if answer.status.is_success() => {
                return commit(&answer.json::<Merged>(&called(number.0))?.sha);
            }
            Ok(answer) => refused(&answer, &given, &called(number.0)),
            Err(error @ Error::Unavailable { .. }) => error,
            Err(error) => return Err(error),
        };
        // The answer to an attempt may have been lost, and then the next one is refused: what is there now decides.
        settled(&self.get(number).await?, expected).unwrap_or(Err(refused))
    }
}

/// What there is to say about merging `expected` without any attempt.
fn settled(there: &MergeRequest, expected: CommitId) -> Option<Result<CommitId, Error>> {
    match there.state {
        MergeRequestState::Closed => Some(Err(Error::NotOpen { number: there.number, state: there.state })),
        _ if there.head != expected => Some(Err(Error::HeadMoved { expected, found: there.head })),
        MergeRequestState::Merged => Some(Ok(there.merged.unwrap_or(expected))),
        MergeRequestState::Open => None,
    }
}

/// Why GitHub does not merge what wooo would have merged: there are rules that only GitHub knows, or something has changed
/// since wooo looked.
fn refused(answer: &Answer, given: &Given, what: &str) -> Error {
    // Violations of a ruleset come as what is not valid, too.
    if !answer.is_invalid() && !matches!(answer.status, StatusCode::METHOD_NOT_ALLOWED | StatusCode::CONFLICT) {
        return answer.refused(what);
    }
    let said = answer.said();
    let lower = said.to_lowercase();
    if lower.contains("status check") || lower.contains("is expected") {
        // `Required status check "ci" is expected.`
        let mut checks: Vec<String> = said.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        checks.sort_unstable();
        if checks.is_empty() {
            checks.push("checks that only GitHub knows".to_owned());
        }
        return Error::ChecksMissing { checks };
    }
    if lower.contains("review") && !lower.contains("review and try") {
        return Error::NotApproved { needed: given.needed.max(given.given + 1), given: given.given };
    }
    if lower.contains("modified") {
        return Error::unavailable("a branch moved while GitHub merged");
    }
    if lower.contains("not mergeable") || lower.contains("conflict") || lower.contains("up to date") {
        return Error::Conflict;
    }
    if answer.is_invalid() { answer.refused(what) } else { Error::Forbidden { reason: said } }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::header::{CONTENT_TYPE, HeaderMap};

    use super::*;

    fn told(status: u16, message: &str) -> Error {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, "application/json".parse().unwrap())]);
        let body = Bytes::from(json!({"message": message}).to_string());
        let answer = Answer::read(StatusCode::from_u16(status).unwrap(), &headers, body, 0).unwrap();
        refused(&answer, &Given { needed: 1, given: 1 }, "it")
    }

    #[test]
    fn what_github_refuses_is_told_as_what_it_is() {
        let checks = vec!["ci / build".to_owned()];
        assert_eq!(told(405, "Required status check \"ci / build\" is expected."), Error::ChecksMissing { checks });
        let missing = told(405, "5 of 5 required status checks are expected.");
        assert!(matches!(missing, Error::ChecksMissing { .. }), "{missing:?}");
        let violation = "Repository rule violations found: Required status check \"lint\" is expected.";
        assert_eq!(told(422, violation), Error::ChecksMissing { checks: vec!["lint".to_owned()] });
        assert!(matches!(told(422, "Validation Failed"), Error::Invalid { .. }));
        let review = "At least 2 approving reviews are required by reviewers with write access.";
        assert_eq!(told(405, review), Error::NotApproved { needed: 2, given: 1 });
        let moved = told(405, "Base branch was modified. Review and try the merge again.");
        assert!(matches!(moved, Error::Unavailable { .. }), "{moved:?}");
        let moved = told(409, "Head branch was modified. Review and try the merge again.");
        assert!(matches!(moved, Error::Unavailable { .. }), "{moved:?}");
        assert_eq!(told(405, "Pull Request is not mergeable"), Error::Conflict);
        let method = "Merge commits are not allowed on this repository.";
        assert_eq!(told(405, method), Error::Forbidden { reason: method.to_owned() });
        assert!(matches!(told(403, "Must have write access"), Error::Forbidden { .. }));
    }
}
