//! Asking people and teams to look at a merge request.
//!
//! GitHub refuses a whole list for one name in it that it does not know, so then each is asked alone.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::answer::Answer;
use super::merge_requests::called;
use super::repository::Repository;
use crate::forge::calls::Effect;
use crate::forge::{Error, MergeRequest, MergeRequestNumber};

/// Logins and teams as GitHub takes them: `acme/platform` is the team `platform`.
fn named<'a>(reviewers: impl IntoIterator<Item = &'a str>) -> Value {
    let (teams, people): (Vec<&str>, Vec<&str>) = reviewers.into_iter().partition(|name| name.contains('/'));
    let teams: Vec<&str> = teams.into_iter().filter_map(|team| team.rsplit('/').next()).collect();
    json!({"reviewers": people, "team_reviewers": teams})
}

fn is_same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

impl Repository {
    async fn request(&self, method: Method, number: MergeRequestNumber, names: &[&str]) -> Result<Answer, Error> {
        let path = self.path(&format!("/pulls/{number}/requested_reviewers"));
        self.connection.send(method, Effect::Same, &path, &named(names.iter().copied())).await
    }

    /// Asks those of `wanted` who have neither been asked nor answered. One that GitHub does not know is left out.
    pub(super) async fn ask(&self, there: &MergeRequest, wanted: &BTreeSet<String>) -> Result<(), Error> {
        let is_asked = |name: &str| there.reviewers.iter().any(|asked| is_same(asked, name));
        // Nobody reviews what they made.
        let mut missing: Vec<&str> = wanted
            .iter()
            .map(String::as_str)
            .filter(|name| !is_asked(name) && !is_same(name, &there.author.login))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        // GitHub takes whoever has answered off the list. To ask them again would void nothing, but nag.
        let reviews = self.reviews(there.number).await?;
        let has_answered =
            |name: &str| reviews.iter().any(|review| review.login().is_some_and(|who| is_same(who, name)));
        missing.retain(|name| !has_answered(name));
        if missing.is_empty() {
            return Ok(());
        }
        let answer = self.request(Method::POST, there.number, &missing).await?;
        if !is_unknown(&answer) {
            return answer.done(&called(there.number.0));
        }
        for name in missing {
            let answer = self.request(Method::POST, there.number, &[name]).await?;
            if is_unknown(&answer) {
                tracing::warn!(name, number = there.number.0, "GitHub does not take this reviewer");
            } else {
                answer.done(&called(there.number.0))?;
            }
        }
        Ok(())
    }

    /// Asks no longer those who are not `wanted`.
    pub(super) async fn dismiss(&self, there: &MergeRequest, wanted: &BTreeSet<String>) -> Result<(), Error> {
        let is_wanted = |name: &str| wanted.iter().any(|wanted| is_same(wanted, name));
        let gone: Vec<&str> = there.reviewers.iter().map(String::as_str).filter(|name| !is_wanted(name)).collect();
        if gone.is_empty() {
            return Ok(());
        }
        self.request(Method::DELETE, there.number, &gone).await?.done(&called(there.number.0))
    }
}

/// Whether one of the names is to blame.
fn is_unknown(answer: &Answer) -> bool {
    answer.is_absent() || answer.is_invalid() || answer.status == StatusCode::FORBIDDEN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn teams_and_people_are_named_apart() {
        let named = named(["ann", "acme/platform", "bob"]);
        assert_eq!(named, json!({"reviewers": ["ann", "bob"], "team_reviewers": ["platform"]}));
    }
}
