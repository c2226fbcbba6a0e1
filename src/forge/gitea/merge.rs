//! Merging: never past what the target branch asks for, even where the forge would.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use super::call::{Failure, Refusal};
use super::{Place, rights};
use crate::forge::calls::Effect;
use crate::forge::{
    Error, MergeRequest, MergeRequestNumber, MergeRequestState, Permission, Protection, Status, StatusState,
};
use crate::git::CommitId;

impl Place<'_> {
    pub(super) async fn merge(&self, number: MergeRequestNumber, expected: CommitId) -> Result<CommitId, Error> {
        let now = self.get(number).await?;
        if let Some(done) = ended(&now, expected) {
            return done;
        }
        if now.from_fork || !now.source_exists {
            return Err(Error::invalid(format!("there is no branch `{}`", now.source)));
        }
        if now.draft {
            return Err(Error::invalid("a draft is not merged"));
        }
        let target = self.branch(&now.target).await?;
        let tip = target.tip()?;
        let protection = rights::asked_for(target)?;
        self.refuse_unready(&now, &protection).await?;
        // The forge would merge what it can put together. Between this and the merge the target may still move on; the
        // setting that blocks outdated merge requests closes that gap.
        if self.lacks(now.head, tip).await? {
            return Err(Error::Conflict);
        }
        if !self.lacks(tip, now.head).await? {
            return Err(Error::invalid(format!("`{}` has all of `{}` already", now.target, now.source)));
        }
        let body = json!({ "Do": "merge", "head_commit_id": expected.to_string(), "delete_branch_after_merge": false });
        let call = self.call(Method::POST, &format!("pulls/{number}/merge")).body(body);
        // The head decides, so what was merged and not heard of is refused the second time, and found merged below.
        let merged = self.client.ask_while::<serde::de::IgnoredAny>(Effect::Same, &call, is_early).await;
        let after = self.get(number).await?;
        match (ended(&after, expected), merged) {
            (Some(done), _) => done,
            (None, Ok(_)) => Err(Error::unavailable("it says that it has merged, and has not")),
            (None, Err(Failure::Failed(error))) => Err(error),
            (None, Err(Failure::Refused(refusal))) => Err(why(refusal, &protection)),
        }
    }

    async fn refuse_unready(&self, now: &MergeRequest, protection: &Protection) -> Result<(), Error> {
        if !protection.required_checks.is_empty() {
            let statuses = self.statuses(now.head).await?;
            let asked = protection.required_checks.iter().map(ToString::to_string);
            let checks: Vec<String> = asked.filter(|asked| !is_satisfied(asked, &statuses)).collect();
            if !checks.is_empty() {
                return Err(Error::ChecksMissing { checks });
            }
        }
        if protection.required_approvals == 0 {
            return Ok(());
        }
        let mut approved_by = BTreeSet::new();
        for (user, review) in self.standing_reviews(now.number).await? {
            // The forge knows whether the branch lets that person approve; what they may do now, it is asked.
            let counts = review.official && review.commit() == Some(now.head) && user.id != now.author.id;
            if counts && self.permission(&user.id).await? >= Permission::Write {
                approved_by.insert(user.id);
            }
        }
        let given = u32::try_from(approved_by.len()).unwrap_or(u32::MAX);
        if given < protection.required_approvals {
            return Err(Error::NotApproved { needed: protection.required_approvals, given });
        }
        Ok(())
    }
}

/// What there is to say at once: it is merged, closed, or another one by now.
fn ended(now: &MergeRequest, expected: CommitId) -> Option<Result<CommitId, Error>> {
    match now.state {
        MergeRequestState::Closed => Some(Err(Error::NotOpen { number: now.number, state: now.state })),
        _ if now.head != expected => Some(Err(Error::HeadMoved { expected, found: now.head })),
        MergeRequestState::Merged => Some(Ok(now.merged.unwrap_or(expected))),
        MergeRequestState::Open => None,
    }
}

/// The forge looks in the background whether a merge request can be merged, and refuses until it knows.
fn is_early(refusal: &Refusal) -> bool {
    refusal.status == 405 && refusal.says("try again later")
}

/// Why the forge refuses what looked right here.
fn why(refusal: Refusal, protection: &Protection) -> Error {
    let Protection { required_checks, required_approvals } = protection;
    match refusal.status {
        409 if refusal.says("pushrejected") => Error::Forbidden { reason: refusal.message },
        409 => Error::Conflict,
        405 if refusal.says("status check") => {
            Error::ChecksMissing { checks: required_checks.iter().map(ToString::to_string).collect() }
        }
        405 if refusal.says("behind") || refusal.says("outdated") => Error::Conflict,
        405 if refusal.says("enough approvals") => {
            Error::NotApproved { needed: (*required_approvals).max(1), given: 0 }
        }
        405 if refusal.says("work in progress") => Error::invalid("a draft is not merged"),
        405 => Error::Forbidden { reason: refusal.words("the owner of the token may not merge this") },
        _ => refusal.about("the merge request"),
    }
}

/// Whether there is something under a context that a branch asks for, and nothing of it says anything but yes.
fn is_satisfied(pattern: &str, statuses: &[Status]) -> bool {
    let mut fitting = statuses.iter().filter(|status| fits(pattern, status.context.as_str())).peekable();
    fitting.peek().is_some() && fitting.all(|status| status.state == StatusState::Success)
}

/// Whether a name fits a pattern, in which `*` is any text and `?` any character. The forge knows sets and alternatives
/// too: a pattern with these fits only itself here, so that it never lets through more than it says.
fn fits(pattern: &str, name: &str) -> bool {
    if pattern == name {
        return true;
    }
    if pattern.contains(['[', ']', '{', '}', '\\']) {
        return false;
    }
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut seen, mut star) = (0, 0, None);
    while let Some(character) = name.get(seen) {
        match (pattern.get(at), star) {
            (Some('*'), _) => {
                star = Some((at, seen));
                at += 1;
            }
            (Some(wanted), _) if wanted == character || *wanted == '?' => (at, seen) = (at + 1, seen + 1),
            // The last `*` takes one character more.
            (_, Some((from, taken))) => {
                star = Some((from, taken + 1));
                (at, seen) = (from + 1, taken + 1);
            }
            (_, None) => return false,
        }
    }
    pattern.iter().skip(at).all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn said(name: &str, state: StatusState) -> Status {
        let context = name.parse().unwrap();
        Status { context, state, description: String::new(), url: None, updated: Timestamp::UNIX_EPOCH }
    }

    #[test]
    fn patterns_fit_what_they_say() {
        for (pattern, name) in
            [("a", "a"), ("*", "a/b"), ("wooo/*", "wooo/render"), ("*/b*d", "a/bcd"), ("a?c", "abc"), ("[x]", "[x]")]
        {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("a", "b"), ("wooo/*", "other/render"), ("a?c", "ac"), ("*b", "abc"), ("[ab]", "a")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
        assert!(!fits("{a,b}", "a") && !fits("", "a") && fits("**", ""));
    }

    #[test]
    fn a_pattern_wants_one_check_and_all_of_them_to_say_yes() {
        let statuses = [said("ci/a", StatusState::Success), said("ci/b", StatusState::Pending)];
        assert!(is_satisfied("ci/a", &statuses) && !is_satisfied("ci/*", &statuses));
        assert!(is_satisfied("ci/*", &statuses[..1]) && !is_satisfied("*", &[]));
    }

    #[test]
    fn what_the_forge_refuses_is_never_a_yes() {
        let refused = |status: u16, message: &str| {
            let protection = Protection { required_checks: ["a".parse().unwrap()].into(), required_approvals: 2 };
            why(Refusal { status, message: message.to_owned() }, &protection)
        };
        assert_eq!(refused(409, "merge push out of date"), Error::Conflict);
        assert_eq!(refused(405, "The head branch is behind the base branch"), Error::Conflict);
        let checks = vec!["a".to_owned()];
        assert_eq!(refused(405, "Not all required status checks successful"), Error::ChecksMissing { checks });
        let approvals = refused(405, "Does not have enough approvals");
        assert_eq!(approvals, Error::NotApproved { needed: 2, given: 0 });
        for (status, message) in
            [(405, ""), (405, "User not allowed to merge PR"), (409, "PushRejected: hook"), (403, "")]
        {
            assert!(matches!(refused(status, message), Error::Forbidden { .. }), "{status} {message}");
        }
    }
}
