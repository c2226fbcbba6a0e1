//! Opening, finding, changing and closing merge requests, which GitHub calls pull requests.
//!
//! Does not merge: see `merging`.

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::address::segment;
use super::repository::Repository;
use super::wire::{Beside, Issue, Pull};
use crate::forge::calls::Effect;
use crate::forge::{
    Edit, Error, Filter, MergeRequest, MergeRequestNumber, MergeRequestState, MergeRequests, NewMergeRequest, Page,
    PageRequest, Rights as _,
};
use crate::git::{BranchName, CommitId};

/// How many questions about the entries of one page are open at once.
const AT_ONCE: usize = 8;
/// How many pages are looked at for the merge requests of one branch.
const MAX_PAGES: u32 = 10;

pub(super) fn called(number: impl Into<u64>) -> String {
    format!("merge request {}", number.into())
}

impl Repository {
    pub(super) async fn pull(&self, number: MergeRequestNumber) -> Result<Pull, Error> {
        self.connection.get(&self.path(&format!("/pulls/{number}"))).await?.json(&called(number.0))
    }

    /// With what it does not tell by itself.
    pub(super) async fn complete(&self, pull: Pull) -> Result<MergeRequest, Error> {
        let from_fork = pull.head.repo.as_ref().is_none_or(|from| from.id != self.id);
        let beside = if pull.state() == MergeRequestState::Open {
            // GitHub closes one whose branch is deleted.
            Beside { source_exists: pull.head.repo.is_some(), closed_by: None }
        } else {
            let source_exists =
                if from_fork { pull.head.repo.is_some() } else { self.has_branch(&pull.head.name).await? };
            let path = self.path(&format!("/issues/{}", pull.number));
            let issue: Issue = self.connection.get(&path).await?.json(&called(pull.number))?;
            Beside { source_exists, closed_by: issue.closed_by }
        };
        pull.merge_request(self.id, beside)
    }

    async fn has_branch(&self, name: &str) -> Result<bool, Error> {
        let parts: Vec<String> = name.split('/').map(segment).collect();
        let answer = self.connection.get(&self.path(&format!("/git/ref/heads/{}", parts.join("/")))).await?;
        if answer.is_absent() { Ok(false) } else { answer.done("a branch").map(|()| true) }
    }

    /// The newest from `source` of this very repository into `target`.
    async fn newest(
        &self,
        source: &BranchName,
        target: &BranchName,
        state: &str,
    ) -> Result<Option<MergeRequest>, Error> {
        // With an owner from before a transfer GitHub would find nothing, and say so as if that were the truth.
        let owner = self.look().await?.owner.login;
        let path = self.path(&format!(
            "/pulls?state={state}&head={}:{}&base={}&sort=created&direction=desc",
            segment(&owner),
            segment(source.as_str()),
            segment(target.as_str())
        ));
        let mut page = PageRequest::first();
        for _ in 0..MAX_PAGES {
            let answer = self.connection.page(&path, page).await?;
            let found: Vec<Pull> = answer.json("merge requests")?;
            // The owner may have a copy of the repository too.
            let is_ours = |pull: &Pull| {
                pull.head.name == source.as_str() && pull.head.repo.as_ref().is_some_and(|from| from.id == self.id)
            };
            if let Some(newest) = found.into_iter().filter(is_ours).max_by_key(|pull| pull.number) {
                return Ok(Some(self.get(MergeRequestNumber(newest.number)).await?));
            }
            if !answer.has_next {
                break;
            }
            page = page.next();
        }
        Ok(None)
    }

    /// Opens it. If the answer is lost, what is there now tells whether it was done.
    async fn make(&self, new: &NewMergeRequest) -> Result<MergeRequest, Error> {
        let body = json!({
            "title": new.title.as_str(),
            "head": new.source,
            "base": new.target,
            "body": new.body.as_str(),
            "draft": new.draft,
        });
        let path = self.path("/pulls");
        match self.connection.send(Method::POST, Effect::Twice, &path, &body).await {
            Ok(answer) if answer.is_invalid() => match self.find_open(&new.source, &new.target).await? {
                Some(there) => Err(Error::Exists { number: there.number }),
                None => Err(answer.refused("to open the merge request")),
            },
            Ok(answer) => self.complete(answer.json(&format!("the repository with the id {}", self.id))?).await,
            Err(lost @ Error::Unavailable { .. }) => match self.find_open(&new.source, &new.target).await? {
                Some(there) if self.is_made_of(&there, new).await? => Ok(there),
                Some(there) => Err(Error::Exists { number: there.number }),
                None => Err(lost),
            },
            Err(error) => Err(error),
        }
    }

    /// Whether that is what would have come of `new`.
    async fn is_made_of(&self, there: &MergeRequest, new: &NewMergeRequest) -> Result<bool, Error> {
        let says_so = there.title == new.title.as_str() && there.body == new.body.as_str() && there.draft == new.draft;
        Ok(says_so && there.author.id == self.myself().await?.id)
    }

    /// One page as GitHub has it, of which the filter lets some through.
    async fn listed(&self, filter: &Filter, page: PageRequest) -> Result<Page<Pull>, Error> {
        let state = match filter.state {
            None => "all",
            Some(MergeRequestState::Open) => "open",
            Some(MergeRequestState::Merged | MergeRequestState::Closed) => "closed",
        };
        let sort = if filter.updated_since.is_some() { "updated" } else { "created" };
        let mut path = self.path(&format!("/pulls?state={state}&sort={sort}&direction=desc"));
        if let Some(target) = &filter.target {
            path.push_str(&format!("&base={}", segment(target.as_str())));
        }
        let answer = self.connection.page(&path, page).await?;
        let found: Vec<Pull> = answer.json("merge requests")?;
        let is_recent = |pull: &Pull| filter.updated_since.is_none_or(|since| pull.updated() >= since);
        let goes_on = answer.has_next && found.last().is_none_or(is_recent);
        let is_wanted = |pull: &Pull| is_recent(pull) && filter.state.is_none_or(|state| pull.state() == state);
        let items = found.into_iter().filter(is_wanted).collect();
        Ok(Page { items, next: goes_on.then(|| page.next()) })
    }

    pub(super) async fn patch(&self, number: MergeRequestNumber, body: &Value) -> Result<super::answer::Answer, Error> {
        let path = self.path(&format!("/pulls/{number}"));
        self.connection.send(Method::PATCH, Effect::Same, &path, body).await
    }

    /// Gives it these labels and no others; GitHub makes those that it does not know.
    async fn label(&self, number: MergeRequestNumber, there: &BTreeSet<String>, wanted: &[&str]) -> Result<(), Error> {
        // To GitHub a label is the same in capitals.
        let folded = |names: &mut dyn Iterator<Item = &str>| names.map(str::to_lowercase).collect::<BTreeSet<_>>();
        if folded(&mut there.iter().map(String::as_str)) == folded(&mut wanted.iter().copied()) {
            return Ok(());
        }
        let path = self.path(&format!("/issues/{number}/labels"));
        let answer = self.connection.send(Method::PUT, Effect::Same, &path, &json!({"labels": wanted})).await?;
        answer.done(&called(number.0))
    }
}

#[async_trait]
impl MergeRequests for Repository {
    async fn open(&self, new: &NewMergeRequest) -> Result<MergeRequest, Error> {
        if new.title.as_str().is_empty() {
            return Err(Error::invalid("a merge request has a title"));
        }
        let made = self.make(new).await?;
        let labels: Vec<&str> = new.labels.iter().map(crate::forge::Label::as_str).collect();
        if labels.is_empty() && new.reviewers.is_empty() {
            return Ok(made);
        }
        self.label(made.number, &made.labels, &labels).await?;
        self.ask(&made, &new.reviewers).await?;
        self.get(made.number).await
    }

    async fn get(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        self.complete(self.pull(number).await?).await
    }

    async fn find_open(&self, source: &BranchName, target: &BranchName) -> Result<Option<MergeRequest>, Error> {
        let found = self.newest(source, target, "open").await?;
        // By the time that all of it was read it may be closed.
        Ok(found.filter(|found| found.state == MergeRequestState::Open))
    }

    async fn find_latest(&self, source: &BranchName, target: &BranchName) -> Result<Option<MergeRequest>, Error> {
        self.newest(source, target, "all").await
    }

    async fn list(&self, filter: &Filter, page: PageRequest) -> Result<Page<MergeRequest>, Error> {
        let Page { items, next } = self.listed(filter, page).await?;
        // A stranger's branch may have a name that wooo has no word for; the others are there nevertheless.
        let has_words = |pull: &Pull| pull.head.name.parse::<BranchName>().is_ok();
        let items = futures::stream::iter(items.into_iter().filter(has_words).map(|pull| self.complete(pull)));
        Ok(Page { items: items.buffered(AT_ONCE).try_collect().await?, next })
    }

    async fn update(&self, number: MergeRequestNumber, edit: &Edit) -> Result<MergeRequest, Error> {
        if edit.title.as_ref().is_some_and(|title| title.as_str().is_empty()) {
            return Err(Error::invalid("a merge request has a title"));
        }
        let there = self.get(number).await?;
        let mut changed = Map::new();
        if let Some(title) = edit.title.as_ref().filter(|title| title.as_str() != there.title) {
            changed.insert("title".to_owned(), json!(title.as_str()));
        }
        if let Some(body) = edit.body.as_ref().filter(|body| body.as_str() != there.body) {
            changed.insert("body".to_owned(), json!(body.as_str()));
        }
        if !changed.is_empty() {
            self.patch(number, &Value::Object(changed)).await?.done(&called(number.0))?;
        }
        if let Some(labels) = &edit.labels {
            let labels: Vec<&str> = labels.iter().map(crate::forge::Label::as_str).collect();
            self.label(number, &there.labels, &labels).await?;
        }
        if let Some(reviewers) = &edit.reviewers {
            self.dismiss(&there, reviewers).await?;
            self.ask(&there, reviewers).await?;
        }
        self.get(number).await
    }

    async fn close(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        let there = self.get(number).await?;
        match there.state {
            MergeRequestState::Merged => Err(Error::NotOpen { number, state: there.state }),
            MergeRequestState::Closed => Ok(there),
            MergeRequestState::Open => {
                self.patch(number, &json!({"state": "closed"})).await?.done(&called(number.0))?;
                self.get(number).await
            }
        }
    }

    async fn reopen(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        let there = self.get(number).await?;
        match there.state {
            MergeRequestState::Merged => return Err(Error::NotOpen { number, state: there.state }),
            MergeRequestState::Open => return Ok(there),
            MergeRequestState::Closed => {}
        }
        let answer = self.patch(number, &json!({"state": "open"})).await?;
        if answer.is_invalid()
            && let Some(other) = self.find_open(&there.source, &there.target).await?
        {
            return Err(Error::Exists { number: other.number });
        }
        answer.done(&called(number.0))?;
        self.get(number).await
    }

    async fn merge(&self, number: MergeRequestNumber, expected_head: CommitId) -> Result<CommitId, Error> {
        self.merge_checked(number, expected_head).await
    }
}
