//! Opening, finding, changing and closing merge requests. The API calls them pulls.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::call::{Call, Failure};
use super::{Place, wire};
use crate::forge::calls::Effect;
use crate::forge::{
    Edit, Error, Filter, Label, MergeRequest, MergeRequestNumber, MergeRequestState, NewMergeRequest, Page,
    PageRequest, User,
};
use crate::git::{BranchName, CommitId};

/// How many merge requests of a list are looked at more closely at a time.
const AT_ONCE: usize = 4;

/// The colour of a label that is made, since the API asks for one.
const LABEL_COLOUR: &str = "#0e7490";

impl Place<'_> {
    pub(super) async fn open(&self, new: &NewMergeRequest) -> Result<MergeRequest, Error> {
        if new.title.as_str().is_empty() {
            return Err(Error::invalid("a merge request has a title"));
        }
        self.refuse_empty(&new.source, &new.target).await?;
        let labels = self.label_ids(&new.labels, Vec::new()).await?;
        let title = new.title.as_str();
        let title = if new.draft { wire::draft_title(title) } else { title.to_owned() };
        let body = json!({
            "head": new.source.as_str(), "base": new.target.as_str(),
            "title": title, "body": new.body.as_str(), "labels": labels,
        });
        let call = self.call(Method::POST, "pulls").body(body);
        let number = match self.client.ask::<wire::PullRequest>(Effect::Twice, &call).await {
            Ok(made) => MergeRequestNumber(made.number),
            Err(Failure::Refused(refusal)) if refusal.status == 409 => {
                return Err(match self.find_open(&new.source, &new.target).await? {
                    Some(there) => Error::Exists { number: there.number },
                    None => refusal.about("the branch"),
                });
            }
            Err(Failure::Failed(error @ Error::Unavailable { .. })) => self.made_unheard(new, error).await?,
            Err(failure) => return Err(failure.about("the branch")),
        };
        self.change_reviewers(number, &new.reviewers, &BTreeSet::new()).await?;
        self.get(number).await
    }

    /// The merge request that was opened although no answer came, or the error that came instead.
    async fn made_unheard(&self, new: &NewMergeRequest, error: Error) -> Result<MergeRequestNumber, Error> {
        let Some(found) = self.find_open(&new.source, &new.target).await? else { return Err(error) };
        let is_ours = found.author.id == *self.client.me().await? && found.title == new.title.as_str();
        if is_ours { Ok(found.number) } else { Err(Error::Exists { number: found.number }) }
    }

    /// The forge would open a merge request that has nothing to merge.
    async fn refuse_empty(&self, source: &BranchName, target: &BranchName) -> Result<(), Error> {
        let head = self.branch(source).await?.tip()?;
        let tip = self.branch(target).await?.tip()?;
        if self.lacks(tip, head).await? {
            return Ok(());
        }
        Err(Error::invalid(format!("`{source}` has nothing that `{target}` does not have already")))
    }

    /// A branch, with what is asked of merges into it.
    pub(super) async fn branch(&self, name: &BranchName) -> Result<wire::Branch, Error> {
        let call = self.read("branches").path(name.as_str());
        match self.client.ask(Effect::Read, &call).await {
            Err(failure) if failure.is_absence() => Err(Error::invalid(format!("there is no branch `{name}`"))),
            found => found.map_err(|failure| failure.about("the branch")),
        }
    }

    /// Whether `other` has commits that `commit` does not build on. The API's comparison of two commits would list them
    /// all; this list ends after the first.
    pub(super) async fn lacks(&self, commit: CommitId, other: CommitId) -> Result<bool, Error> {
        if commit == other {
            return Ok(false);
        }
        let call = self.read("commits").query("sha", other).query("not", commit).query("limit", 1);
        let call = call.query("stat", false).query("verification", false).query("files", false);
        let found = self.client.ask::<Option<Vec<serde::de::IgnoredAny>>>(Effect::Read, &call).await;
        let found = found.map_err(|failure| failure.about(&format!("the commit {other}")))?;
        Ok(!found.unwrap_or_default().is_empty())
    }

    pub(super) async fn get(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        self.complete(self.pull(number).await?).await
    }

    /// A merge request as the forge has it.
    pub(super) async fn pull(&self, number: MergeRequestNumber) -> Result<wire::PullRequest, Error> {
        let found = self.client.ask(Effect::Read, &self.read(&format!("pulls/{number}"))).await;
        found.map_err(|failure| failure.about(&format!("merge request {number}")))
    }

    /// Asks for what is not in the forge's answer.
    async fn complete(&self, pull: wire::PullRequest) -> Result<MergeRequest, Error> {
        let head = if pull.may_have_gone_on() { self.kept_head(&pull).await? } else { pull.shown_head()? };
        let is_closed = pull.state(head) == MergeRequestState::Closed;
        let closed_by = if is_closed { self.closed_by(&pull).await? } else { None };
        pull.into_merge_request(self.repository.owner(), head, closed_by)
    }

    /// The head that a merge request had when it ended: the forge keeps it in a ref.
    async fn kept_head(&self, pull: &wire::PullRequest) -> Result<CommitId, Error> {
        let name = pull.head_ref();
        match self.client.ask::<wire::References>(Effect::Read, &self.read("git").path(&name)).await {
            Ok(found) => found.of(&name).unwrap_or_else(|| pull.shown_head()),
            Err(failure) if failure.is_absence() => pull.shown_head(),
            Err(failure) => Err(failure.about(&name)),
        }
    }

    /// Who closed it: the last who did so since it says that it is closed.
    async fn closed_by(&self, pull: &wire::PullRequest) -> Result<Option<User>, Error> {
        let Some(closed) = pull.closed_at else { return Ok(None) };
        let call = self.read(&format!("issues/{}/timeline", pull.number)).query("since", closed);
        let events: Vec<wire::Event> = match self.client.ask::<Option<Vec<_>>>(Effect::Read, &call).await {
            Ok(events) => events.unwrap_or_default(),
            // A person whom nobody knows is no reason to know nothing of the merge request.
            Err(Failure::Refused(_)) => return Ok(None),
            Err(Failure::Failed(error)) => return Err(error),
        };
        let closer = events.into_iter().rev().find(|event| event.kind == "close").and_then(|event| event.user);
        closer.map(wire::Account::into_user).transpose()
    }

    pub(super) async fn find_open(
        &self,
        source: &BranchName,
        target: &BranchName,
    ) -> Result<Option<MergeRequest>, Error> {
        let call = match self.any(source, target).await? {
            Any::None => return Ok(None),
            Any::One(pull) if pull.is_open() => return self.complete(*pull).await.map(Some),
            Any::One(_) | Any::Unknown => {
                self.read("pulls").query("state", "open").query("base_branch", target.as_str())
            }
        };
        let mut found = None;
        let look = |pull: wire::PullRequest| {
            found = Some(pull).filter(|pull| pull.is_open() && pull.is_from(source, target));
            found.is_none()
        };
        self.client.walk(&call, 0, look).await.map_err(|failure| failure.about("the list of merge requests"))?;
        self.complete_some(found).await
    }

    pub(super) async fn find_latest(
        &self,
        source: &BranchName,
        target: &BranchName,
    ) -> Result<Option<MergeRequest>, Error> {
        let any = match self.any(source, target).await? {
            Any::None => return Ok(None),
            Any::One(pull) => Some(*pull),
            Any::Unknown => None,
        };
        // Only a later one is looked for.
        let floor = any.as_ref().map_or(0, |pull| pull.number);
        let call = self.read("pulls").query("state", "all").query("base_branch", target.as_str());
        let mut found = None;
        let look = |pull: wire::PullRequest| {
            let goes_on = pull.number > floor;
            found = Some(pull).filter(|pull| pull.is_from(source, target));
            goes_on && found.is_none()
        };
        self.client.walk(&call, 0, look).await.map_err(|failure| failure.about("the list of merge requests"))?;
        self.complete_some(found.or(any)).await
    }

    async fn complete_some(&self, pull: Option<wire::PullRequest>) -> Result<Option<MergeRequest>, Error> {
        match pull {
            Some(pull) => self.complete(pull).await.map(Some),
            None => Ok(None),
        }
    }

    /// Some merge request of the two branches, whatever has become of it: one call that spares the list where there is
    /// none, and where the only one is open.
    async fn any(&self, source: &BranchName, target: &BranchName) -> Result<Any, Error> {
        // A source without a folder could be the name of something that merge requests have: `files`, `merge`.
        if !source.as_str().contains('/') {
            return Ok(Any::Unknown);
        }
        let call = self.read("pulls").part(target.as_str()).path(source.as_str());
        match self.client.ask::<wire::PullRequest>(Effect::Read, &call).await {
            Ok(pull) if pull.is_from(source, target) => Ok(Any::One(Box::new(pull))),
            Ok(_) => Ok(Any::Unknown),
            Err(failure) if failure.is_absence() => Ok(Any::None),
            Err(failure) => Err(failure.about("the merge requests of the branch")),
        }
    }

    pub(super) async fn list(&self, filter: &Filter, page: PageRequest) -> Result<Page<MergeRequest>, Error> {
        let state = match filter.state {
            None => "all",
            Some(MergeRequestState::Open) => "open",
            Some(MergeRequestState::Merged | MergeRequestState::Closed) => "closed",
        };
        let mut call = self.read("pulls").query("state", state);
        if let Some(target) = &filter.target {
            call = call.query("base_branch", target.as_str());
        }
        if filter.updated_since.is_some() {
            call = call.query("sort", "recentupdate");
        }
        // What the forge lets through besides is left out here, so the page begins where as many have been counted.
        let is_exact = state != "closed" && filter.target.is_none() && filter.updated_since.is_none();
        let (first, mut skipped) = if is_exact { (page.skipped(), 0) } else { (0, page.skipped()) };
        let size = usize::try_from(page.size()).unwrap_or(usize::MAX);
        let mut found = Vec::new();
        let look = |pull: wire::PullRequest| {
            if filter.updated_since.is_some_and(|since| pull.updated_at < since) {
                return false;
            }
            if !lets_through(filter, &pull) {
                return true;
            }
            if skipped > 0 {
                skipped -= 1;
                return true;
            }
            found.push(pull);
            // One more than fits says that there is a next page.
            found.len() <= size
        };
        self.client.walk(&call, first, look).await.map_err(|failure| failure.about("the list of merge requests"))?;
        let next = (found.len() > size).then(|| page.next());
        found.truncate(size);
        let complete = futures::stream::iter(found).map(|pull| self.complete(pull)).buffered(AT_ONCE);
        Ok(Page { items: complete.try_collect().await?, next })
    }

    pub(super) async fn update(&self, number: MergeRequestNumber, edit: &Edit) -> Result<MergeRequest, Error> {
        if edit.title.as_ref().is_some_and(|title| title.as_str().is_empty()) {
            return Err(Error::invalid("a merge request has a title"));
        }
        let pull = self.pull(number).await?;
        let labels = pull.labels.clone().unwrap_or_default();
        let now = self.complete(pull).await?;
        let mut changes = Map::new();
        if let Some(title) = edit.title.as_ref().filter(|title| title.as_str() != now.title) {
            let title = title.as_str();
            let title = if now.draft { wire::draft_title(title) } else { title.to_owned() };
            changes.insert("title".to_owned(), title.into());
        }
        if let Some(body) = edit.body.as_ref().filter(|body| body.as_str() != now.body) {
            changes.insert("body".to_owned(), body.as_str().into());
        }
        let has_labels = |wanted: &BTreeSet<Label>| wanted.iter().map(Label::as_str).eq(&now.labels);
        if let Some(wanted) = edit.labels.as_ref().filter(|wanted| !has_labels(wanted)) {
            changes.insert("labels".to_owned(), self.label_ids(wanted, labels).await?.into());
        }
        let reviewers = edit.reviewers.as_ref().filter(|wanted| **wanted != now.reviewers);
        if changes.is_empty() && reviewers.is_none() {
            return Ok(now);
        }
        if !changes.is_empty() {
            self.change(number, changes.into()).await?;
        }
        if let Some(wanted) = reviewers {
            self.change_reviewers(number, wanted, &now.reviewers).await?;
        }
        self.get(number).await
    }

    pub(super) async fn close(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        let now = self.get(number).await?;
        match now.state {
            MergeRequestState::Merged => Err(Error::NotOpen { number, state: now.state }),
            MergeRequestState::Closed => Ok(now),
            MergeRequestState::Open => self.turn(number, "closed").await,
        }
    }

    pub(super) async fn reopen(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        let now = self.get(number).await?;
        match now.state {
            MergeRequestState::Merged => return Err(Error::NotOpen { number, state: now.state }),
            MergeRequestState::Open => return Ok(now),
            MergeRequestState::Closed => {}
        }
        // The forge looks at none of this.
        if !now.source_exists {
            return Err(Error::invalid(format!("there is no branch `{}`", now.source)));
        }
        if let Some(other) = self.find_open(&now.source, &now.target).await? {
            return Err(Error::Exists { number: other.number });
        }
        self.refuse_empty(&now.source, &now.target).await?;
        self.turn(number, "open").await
    }

    /// Opens or closes. What a person or a merge did in between is what counts.
    async fn turn(&self, number: MergeRequestNumber, state: &str) -> Result<MergeRequest, Error> {
        let turned = self.change(number, json!({ "state": state })).await;
        let now = self.get(number).await?;
        if now.state == MergeRequestState::Merged {
            return Err(Error::NotOpen { number, state: now.state });
        }
        turned.map(|()| now)
    }

    async fn change(&self, number: MergeRequestNumber, changes: Value) -> Result<(), Error> {
        let call = self.call(Method::PATCH, &format!("pulls/{number}")).body(changes);
        let changed = self.client.ask::<serde::de::IgnoredAny>(Effect::Same, &call).await;
        changed.map(|_| ()).map_err(|failure| failure.about(&format!("merge request {number}")))
    }

    /// Asks who is wanted and asks those no longer who are not. Whom the forge does not know, or does not let review, is
    /// left out.
    async fn change_reviewers(
        &self,
        number: MergeRequestNumber,
        wanted: &BTreeSet<String>,
        now: &BTreeSet<String>,
    ) -> Result<(), Error> {
        let asked = wanted.difference(now).map(|name| (Method::POST, name));
        let spared = now.difference(wanted).map(|name| (Method::DELETE, name));
        for (method, name) in asked.chain(spared) {
            let Some(body) = self.reviewer(name) else { continue };
            let call = self.call(method, &format!("pulls/{number}/requested_reviewers")).body(body);
            match self.client.ask::<serde::de::IgnoredAny>(Effect::Same, &call).await {
                Ok(_) => {}
                Err(Failure::Refused(refusal)) if matches!(refusal.status, 404 | 422) => {}
                Err(failure) => return Err(failure.about(&format!("merge request {number}"))),
            }
        }
        Ok(())
    }

    /// A person by their login, or a team of the repository's owner as `owner/team`.
    fn reviewer(&self, name: &str) -> Option<Value> {
        match name.split_once('/') {
            None => Some(json!({ "reviewers": [name] })),
            Some((owner, team)) if owner.eq_ignore_ascii_case(self.repository.owner()) => {
                Some(json!({ "team_reviewers": [team] }))
            }
            Some(_) => None,
        }
    }

    /// The ids of labels; those that neither the merge request nor the repository has are made.
    async fn label_ids(&self, wanted: &BTreeSet<Label>, mut known: Vec<wire::Label>) -> Result<Vec<u64>, Error> {
        let id = |known: &[wire::Label], wanted: &Label| {
            known.iter().find(|label| label.name == wanted.as_str()).map(|label| label.id)
        };
        if wanted.iter().any(|label| id(&known, label).is_none()) {
            known.extend(self.labels().await?);
        }
        let mut ids = Vec::new();
        for label in wanted {
            ids.push(match id(&known, label) {
                Some(id) => id,
                None => self.make_label(label).await?,
            });
        }
        Ok(ids)
    }

    async fn labels(&self) -> Result<Vec<wire::Label>, Error> {
        self.client.all(&self.read("labels")).await.map_err(|failure| failure.about("the labels"))
    }

    /// Makes a label. The forge would make two of one name.
    async fn make_label(&self, label: &Label) -> Result<u64, Error> {
        let body = json!({ "name": label.as_str(), "color": LABEL_COLOUR });
        let call: Call = self.call(Method::POST, "labels").body(body);
        match self.client.ask::<wire::Label>(Effect::Twice, &call).await {
            Ok(made) => Ok(made.id),
            Err(Failure::Failed(error @ Error::Unavailable { .. })) => {
                let found = self.labels().await?.into_iter().find(|found| found.name == label.as_str());
                found.map(|found| found.id).ok_or(error)
            }
            Err(failure) => Err(failure.about("the labels")),
        }
    }
}

/// What is known of two branches after one call.
enum Any {
    /// There has never been a merge request of them.
    None,
    /// One of them.
    One(Box<wire::PullRequest>),
    /// Only a list tells.
    Unknown,
}

fn lets_through(filter: &Filter, pull: &wire::PullRequest) -> bool {
    let is_state = |state| match state {
        MergeRequestState::Open => pull.is_open(),
        state => !pull.is_open() && pull.shown_head().is_ok_and(|head| pull.state(head) == state),
    };
    filter.state.is_none_or(is_state) && filter.target.as_ref().is_none_or(|target| pull.is_into(target))
}
