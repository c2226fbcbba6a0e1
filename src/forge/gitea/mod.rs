//! Gitea and Forgejo: merge requests on a forge that speaks their API, `/api/v1`.
//!
//! Owns the connection to one host with one token, and what the API's answers mean. A repository is known by its id:
//! every operation asks for its name first, so that a renamed one is followed, and another one under the name is never
//! touched. Does not own what all forges have in common about calls (`calls`), nor webhooks.

mod call;
mod client;
mod comments;
mod merge;
mod requests;
mod rights;
mod statuses;
mod wire;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Method;
use secrecy::SecretString;

use call::Call;
use client::Client;

use super::calls::Effect;
use super::{
    Approval, Body, Comment, CommentId, Comments, Edit, Error, Filter, Forge, Identity, MergeRequest,
    MergeRequestNumber, MergeRequests, NewMergeRequest, NewStatus, Page, PageRequest, Permission, Protection, Reaction,
    RepositoryId, RepositoryInfo, RepositoryPath, Rights, Status, Statuses, User, UserId,
};
use crate::git::{BranchName, CommitId};

/// A connection to one Gitea or Forgejo, as the owner of one token. Cheap to clone; all clones count as one caller.
#[derive(Clone)]
pub struct Gitea(Arc<Client>);

impl fmt::Debug for Gitea {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gitea({})", self.0.base)
    }
}

impl Gitea {
    /// The forge at `url`, the address that people open, to be used with `token`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the URL is not one of https (or of http on this machine), or the token is none.
    pub fn new(url: &str, token: SecretString) -> Result<Self, Error> {
        Ok(Self(Arc::new(Client::new(url, token)?)))
    }

    /// A repository: the one with that id, whatever it is called now, or the one that is called so now.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none, or if the one with that id is not there any more, even if another has its
    /// name; [`Error::Invalid`] if the path does not consist of an owner and a name; those of every call.
    pub async fn repository(&self, path: &RepositoryPath, id: Option<&RepositoryId>) -> Result<Arc<dyn Forge>, Error> {
        let id = match id {
            Some(id) => id.clone(),
            None => self.named(path).await?,
        };
        let repository = Repository { client: Arc::clone(&self.0), id };
        repository.place().await?;
        Ok(Arc::new(repository))
    }

    async fn named(&self, path: &RepositoryPath) -> Result<RepositoryId, Error> {
        if path.as_str().split('/').count() != 2 {
            return Err(Error::invalid(format!("`{path}` is no repository of this forge: it has an owner and a name")));
        }
        let call = Call::get("repos").path(path.as_str());
        let found: wire::Repository = self
            .0
            .ask(Effect::Read, &call)
            .await
            .map_err(|failure| failure.about(&format!("the repository `{path}`")))?;
        Ok(found.into_identity()?.id)
    }
}

/// One repository.
struct Repository {
    client: Arc<Client>,
    id: RepositoryId,
}

impl Repository {
    /// Where the repository is now, for one operation.
    async fn place(&self) -> Result<Place<'_>, Error> {
        let call = Call::get("repositories").part(self.id.as_str());
        let what = || format!("the repository with the id {}", self.id);
        let found = self.client.ask(Effect::Read, &call).await;
        let repository: wire::Repository = found.map_err(|failure| failure.about(&what()))?;
        if repository.id.to_string() != self.id.as_str() {
            return Err(Error::not_found(what()));
        }
        Ok(Place { client: &self.client, repository })
    }
}

/// The repository in the course of one operation.
struct Place<'a> {
    client: &'a Client,
    repository: wire::Repository,
}

impl Place<'_> {
    /// A call to something in the repository.
    fn call(&self, method: Method, path: &str) -> Call {
        Call::new(method, "repos").path(&self.repository.full_name).path(path)
    }

    fn read(&self, path: &str) -> Call {
        self.call(Method::GET, path)
    }
}

#[async_trait]
impl MergeRequests for Repository {
    async fn open(&self, new: &NewMergeRequest) -> Result<MergeRequest, Error> {
        self.place().await?.open(new).await
    }

    async fn get(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        self.place().await?.get(number).await
    }

    async fn find_open(&self, source: &BranchName, target: &BranchName) -> Result<Option<MergeRequest>, Error> {
        self.place().await?.find_open(source, target).await
    }

    async fn find_latest(&self, source: &BranchName, target: &BranchName) -> Result<Option<MergeRequest>, Error> {
        self.place().await?.find_latest(source, target).await
    }

    async fn list(&self, filter: &Filter, page: PageRequest) -> Result<Page<MergeRequest>, Error> {
        self.place().await?.list(filter, page).await
    }

    async fn update(&self, number: MergeRequestNumber, edit: &Edit) -> Result<MergeRequest, Error> {
        self.place().await?.update(number, edit).await
    }

    async fn close(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        self.place().await?.close(number).await
    }

    async fn reopen(&self, number: MergeRequestNumber) -> Result<MergeRequest, Error> {
        self.place().await?.reopen(number).await
    }

    async fn merge(&self, number: MergeRequestNumber, expected_head: CommitId) -> Result<CommitId, Error> {
        self.place().await?.merge(number, expected_head).await
    }
}

#[async_trait]
impl Comments for Repository {
    async fn comments(&self, number: MergeRequestNumber, page: PageRequest) -> Result<Page<Comment>, Error> {
        self.place().await?.comments(number, page).await
    }

    async fn comment(&self, number: MergeRequestNumber, body: &Body) -> Result<Comment, Error> {
        self.place().await?.comment(number, body).await
    }

    async fn edit_comment(
        &self,
        number: MergeRequestNumber,
        comment: CommentId,
        body: &Body,
    ) -> Result<Comment, Error> {
        self.place().await?.edit_comment(number, comment, body).await
    }

    async fn react(&self, number: MergeRequestNumber, comment: CommentId, reaction: Reaction) -> Result<(), Error> {
        self.place().await?.react(number, comment, reaction).await
    }

    async fn reactions(&self, number: MergeRequestNumber, comment: CommentId) -> Result<Vec<(Reaction, User)>, Error> {
        self.place().await?.reactions(number, comment).await
    }
}

#[async_trait]
impl Statuses for Repository {
    async fn set_status(&self, commit: CommitId, status: &NewStatus) -> Result<(), Error> {
        self.place().await?.set_status(commit, status).await
    }

    async fn statuses(&self, commit: CommitId) -> Result<Vec<Status>, Error> {
        self.place().await?.statuses(commit).await
    }
}

#[async_trait]
impl Rights for Repository {
    async fn myself(&self) -> Result<User, Error> {
        self.client.myself().await?.into_user()
    }

    async fn permission(&self, user: &UserId) -> Result<Permission, Error> {
        self.place().await?.permission(user).await
    }

    async fn approvals(&self, number: MergeRequestNumber) -> Result<Vec<Approval>, Error> {
        self.place().await?.approvals(number).await
    }
}

#[async_trait]
impl RepositoryInfo for Repository {
    async fn identity(&self) -> Result<Identity, Error> {
        self.place().await?.repository.into_identity()
    }

    async fn default_branch(&self) -> Result<BranchName, Error> {
        let name = self.place().await?.repository.default_branch;
        name.parse().map_err(|_| Error::not_found("the default branch"))
    }

    async fn protection(&self, branch: &BranchName) -> Result<Protection, Error> {
        self.place().await?.protection(branch).await
    }
}
