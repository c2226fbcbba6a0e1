//! Opening, finding, changing and closing merge requests.

use std::collections::BTreeSet;
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use gitlab::api::common::SortOrder;
use gitlab::api::projects::merge_requests::{
    CreateMergeRequest, EditMergeRequest, EditMergeRequestBuilder, MergeRequest as AskMergeRequest,
    MergeRequestOrderBy, MergeRequestState as AskState, MergeRequestStateEvent, MergeRequests as AskMergeRequests,
    MergeRequestsBuilder as AskMergeRequestsBuilder,
};
use gitlab::api::users::Users;

use super::Project;
use super::connection::REPOSITORY;
use super::endpoints::{OnPage, UpdatedSince};
use super::quick_actions::disarmed;
use super::wire::{self, WireMergeRequest, WireUser};
use crate::forge::calls::Effect;
use crate::forge::{
    Edit, Error, Filter, Label, MergeRequest, MergeRequestNumber, MergeRequestState, MergeRequests, NewMergeRequest,
    Page, PageRequest,
};
use crate::git::{BranchName, CommitId};

/// How many branches are asked for at a time.
const AT_ONCE: usize = 8;

fn what(number: MergeRequestNumber) -> String {
    format!("merge request {number}")
}

impl Project {
    pub(super) async fn wire(&self, number: MergeRequestNumber) -> Result<WireMergeRequest, Error> {
        let endpoint = AskMergeRequest::builder().project(self.id).merge_request(number.0).build();
        self.connection.ask(Effect::Read, &what(number), endpoint).await
    }

    /// Where a source branch stands, if it is in this repository and there.
    pub(super) async fn tip(&self, wire: &WireMergeRequest) -> Result<Option<CommitId>, Error> {
        if !wire.is_from(self.id) {
            return Ok(None);
        }
        Ok(self.branch(&wire.source_branch).await?.map(|branch| branch.commit.id))
    }

    async fn seen(&self, wire: WireMergeRequest) -> Result<MergeRequest, Error> {
        let tip = self.tip(&wire).await?;
        wire.seen(self.id, tip)
    }

    /// The highest number of those between two branches of this repository.
    async fn find(
        &self,
        source: &BranchName,
        target: &BranchName,
        state: Option<AskState>,
    ) -> Result<Option<WireMergeRequest>, Error> {
        let list = between(self.id, source, target, state)?;
        let mut next = Some(PageRequest::first());
        while let Some(request) = next {
            let page =
                self.connection.page::<WireMergeRequest, _, _>(REPOSITORY, Ok::<_, Error>(&list), request).await?;
            let is_wanted = |wire: &WireMergeRequest| wire.is_from(self.id) && wire.is_between(source, target);
            if let Some(found) = page.items.into_iter().filter(is_wanted).max_by_key(|wire| wire.iid) {
                return Ok(Some(found));
            }
            next = page.next;
        }
        Ok(None)
    }

    /// Refuses what cannot be proposed: a branch that is not there, or nothing new.
    async fn refuse_nothing(&self, source: &str, target: &str) -> Result<(), Error> {
        let mut tips = Vec::new();
        for name in [source, target] {
            let Some(branch) = self.branch(name).await? else {
                return Err(Error::invalid(format!("there is no branch `{name}`")));
            };
            tips.push(branch.commit.id);
        }
        let [head, base] = tips[..] else { return Ok(()) };
        if self.merge_base([head, base]).await? == Some(head) {
            return Err(Error::invalid(format!("`{source}` has nothing that `{target}` does not have already")));
        }
        Ok(())
    }

    /// The ids of those whom GitLab knows.
    async fn user_ids(&self, logins: &BTreeSet<String>) -> Result<BTreeSet<u64>, Error> {
        let mut ids = BTreeSet::new();
        for login in logins {
            let endpoint = Users::builder().username(login.as_str()).build();
            let found: Vec<WireUser> = self.connection.ask(Effect::Read, "the users", endpoint).await?;
            ids.extend(found.first().map(|user| user.id));
        }
        Ok(ids)
    }

    /// Opens it, unless that was done by a request whose answer was lost. Says whether it was.
    async fn open_once(&self, new: &NewMergeRequest) -> Result<(WireMergeRequest, bool), Error> {
        let reviewers = self.user_ids(&new.reviewers).await?;
        let mut endpoint = CreateMergeRequest::builder();
        endpoint
            .project(self.id)
            .source_branch(new.source.as_str())
            .target_branch(new.target.as_str())
            .title(wire::title(&new.title, new.draft))
            .description(disarmed(new.body.as_str()))
            .labels(new.labels.iter().map(Label::as_str))
            .squash(false);
        if !reviewers.is_empty() {
            endpoint.reviewers(reviewers.into_iter());
        }
        let endpoint = endpoint.build().map_err(|error| Error::invalid(error.to_string()))?;
        let list = between(self.id, &new.source, &new.target, Some(AskState::Opened))?;
        let list = OnPage { list, request: PageRequest::first() };
        let me = self.connection.me().await?;
        let was_sent = AtomicBool::new(false);
        let attempt = || async {
            if was_sent.swap(true, Ordering::Relaxed) {
                let found: Vec<WireMergeRequest> = self.connection.once(REPOSITORY, &list).await?;
                let ours = found.into_iter().find(|wire| {
                    wire.is_from(self.id)
                        && wire.is_between(&new.source, &new.target)
                        && wire.author_id().to_string() == me.id.as_str()
                });
                if let Some(ours) = ours {
                    return Ok((ours, true));
                }
            }
            Ok((self.connection.once(REPOSITORY, &endpoint).await?, false))
        };
        // Twice is the same as once: it is looked for before it is sent again, and GitLab opens no second one.
        self.connection.make(Effect::Same, attempt).await
    }

    async fn put(&self, number: MergeRequestNumber, edit: &EditMergeRequestBuilder<'_>) -> Result<MergeRequest, Error> {
        let wire: WireMergeRequest = self.connection.ask(Effect::Same, &what(number), edit.build()).await?;
        self.seen(wire).await
    }

    async fn turn(&self, number: MergeRequestNumber, event: MergeRequestStateEvent) -> Result<MergeRequest, Error> {
        let mut edit = EditMergeRequest::builder();
        edit.project(self.id).merge_request(number.0).state_event(event);
        self.put(number, &edit).await
    }

    /// The change that is left of `edit` where a part of it is so already.
    async fn difference(
        &self,
        wire: &WireMergeRequest,
        edit: &Edit,
    ) -> Result<Option<EditMergeRequestBuilder<'static>>, Error> {
        let mut endpoint = EditMergeRequest::builder();
        let mut is_same = true;
        if let Some(title) = edit.title.as_ref().filter(|title| title.as_str() != wire.plain_title()) {
            endpoint.title(wire::title(title, wire.draft));
            is_same = false;
        }
        if let Some(body) = edit.body.as_ref().map(|body| disarmed(body.as_str())).filter(|body| body != wire.body()) {
            endpoint.description(body);
            is_same = false;
        }
        let labels = edit.labels.as_ref().map(|labels| labels.iter().map(ToString::to_string).collect::<BTreeSet<_>>());
        if let Some(labels) = labels.filter(|labels| labels != wire.labels()) {
            if labels.is_empty() {
                endpoint.clear_labels()
            } else {
                endpoint.labels(labels.into_iter())
            };
            is_same = false;
        }
        if let Some(reviewers) = &edit.reviewers {
            let wanted = self.user_ids(reviewers).await?;
            if wanted != wire.reviewers.iter().map(|user| user.id).collect() {
                if wanted.is_empty() {
                    endpoint.without_reviewer()
                } else {
                    endpoint.reviewers(wanted.into_iter())
                };
                is_same = false;
            }
        }
        endpoint.project(self.id).merge_request(wire.iid);
        Ok((!is_same).then_some(endpoint))
    }
}

/// The merge requests of a repository, the newest first.
fn newest_first<'a>(project: u64) -> AskMergeRequestsBuilder<'a> {
    let mut list = AskMergeRequests::builder();
    list.project(project).order_by(MergeRequestOrderBy::CreatedAt).sort(SortOrder::Descending);
    list
}

/// The merge requests between two branches, the newest first. Those of forks are among them.
fn between<'a>(
    project: u64,
    source: &'a BranchName,
    target: &'a BranchName,
    state: Option<AskState>,
) -> Result<AskMergeRequests<'a>, Error> {
    let mut list = newest_first(project);
    list.source_branch(source.as_str()).target_branch(target.as_str());
    if let Some(state) = state {
        list.state(state);
    }
    list.build().map_err(|error| Error::invalid(error.to_string()))
}

#[async_trait]
impl MergeRequests for Project {
    async fn open(&self, new: &NewMergeRequest) -> Result<MergeRequest, Error> {
        if new.title.as_str().is_empty() {
            return Err(Error::invalid("a merge request has a title"));
        }
        // GitLab opens one for nothing, or for a branch that is not there.
        self.refuse_nothing(new.source.as_str(), new.target.as_str()).await?;
        if let Some(there) = self.find(&new.source, &new.target, Some(AskState::Opened)).await? {
            return Err(Error::Exists { number: there.number() });
        }
        match self.open_once(new).await {
            Ok((made, false)) => self.seen(made).await,
            // Whoever opened it is us, but it may have been another of us, with other words.
            Ok((found, true)) => {
                let edit = Edit {
                    title: Some(new.title.clone()),
                    body: Some(new.body.clone()),
                    labels: Some(new.labels.clone()),
                    reviewers: (!new.reviewers.is_empty()).then(|| new.reviewers.clone()),
                };
                self.update(found.number(), &edit).await
            }
            Err(Error::Invalid { reason }) => {
                match self.find(&new.source, &new.target, Some(AskState::Opened)).await? {
                    Some(there) => Err(Error::Exists { number: there.number() }),
                    None => Err(Error::Invalid { reason }),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn get(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        self.seen(self.wire(number).await?).await
    }

    async fn find_open(&self, source: &BranchName, target: &BranchName) -> Result<Option<MergeRequest>, Error> {
        match self.find(source, target, Some(AskState::Opened)).await? {
            Some(found) => self.seen(found).await.map(Some),
            None => Ok(None),
        }
    }

    async fn find_latest(&self, source: &BranchName, target: &BranchName) -> Result<Option<MergeRequest>, Error> {
        match self.find(source, target, None).await? {
            Some(found) => self.seen(found).await.map(Some),
            None => Ok(None),
        }
    }

    async fn list(&self, filter: &Filter, page: PageRequest) -> Result<Page<MergeRequest>, Error> {
        let mut list = newest_first(self.id);
        if let Some(state) = filter.state {
            list.state(match state {
                MergeRequestState::Open => AskState::Opened,
                MergeRequestState::Closed => AskState::Closed,
                MergeRequestState::Merged => AskState::Merged,
            });
        }
        if let Some(target) = &filter.target {
            list.target_branch(target.as_str());
        }
        if filter.updated_since.is_some() {
            list.order_by(MergeRequestOrderBy::UpdatedAt);
        }
        let list = list.build().map(|list| UpdatedSince { list, since: filter.updated_since });
        let found: Page<WireMergeRequest> = self.connection.page(REPOSITORY, list, page).await?;
        let items = stream::iter(found.items).map(|wire| self.seen(wire)).buffered(AT_ONCE);
        // One without a commit, or from a branch whose name is none here, cannot be shown, and hides no other.
        let items = items.filter(|seen| ready(!matches!(seen, Err(Error::Invalid { .. })))).collect::<Vec<_>>().await;
        Ok(Page { items: items.into_iter().collect::<Result<_, _>>()?, next: found.next })
    }

    async fn update(&self, number: MergeRequestNumber, edit: &Edit) -> Result<MergeRequest, Error> {
        if edit.title.as_ref().is_some_and(|title| title.as_str().is_empty()) {
            return Err(Error::invalid("a merge request has a title"));
        }
        let wire = self.wire(number).await?;
        match self.difference(&wire, edit).await? {
            Some(difference) => self.put(number, &difference).await,
            None => self.seen(wire).await,
        }
    }

    async fn close(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        let wire = self.wire(number).await?;
        match wire.state() {
            MergeRequestState::Merged => Err(Error::NotOpen { number, state: MergeRequestState::Merged }),
            MergeRequestState::Closed => self.seen(wire).await,
            MergeRequestState::Open => self.turn(number, MergeRequestStateEvent::Close).await,
        }
    }

    async fn reopen(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        let wire = self.wire(number).await?;
        match wire.state() {
            MergeRequestState::Merged => return Err(Error::NotOpen { number, state: MergeRequestState::Merged }),
            MergeRequestState::Open => return self.seen(wire).await,
            MergeRequestState::Closed => {}
        }
        if wire.is_from(self.id) {
            let (source, target) = (wire::branch(&wire.source_branch)?, wire::branch(&wire.target_branch)?);
            if let Some(other) = self.find(&source, &target, Some(AskState::Opened)).await? {
                return Err(Error::Exists { number: other.number() });
            }
            self.refuse_nothing(&wire.source_branch, &wire.target_branch).await?;
        }
        self.turn(number, MergeRequestStateEvent::Reopen).await
    }

    async fn merge(&self, number: MergeRequestNumber, expected_head: CommitId) -> Result<CommitId, Error> {
        self.merge_head(number, expected_head).await
    }
}
