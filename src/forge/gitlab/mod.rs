//! GitLab: gitlab.com, and those that people run themselves.
//!
//! Owns what is special about it. A repository is addressed by its id, so that a rename changes nothing and another
//! repository under the old name is never met. Rules that GitLab has no words for come from the settings: it can ask for
//! a successful pipeline, but not for a check of a certain name, so the names of the required checks are given here.
//! What GitLab would merge and wooo would not is looked at before: a head that does not build on the target's tip, a
//! required check among many, an approval of an older head.

mod approvals;
mod comments;
mod connection;
mod endpoints;
mod merge;
mod merge_requests;
mod quick_actions;
mod repository;
mod statuses;
mod wire;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use gitlab::api::common::NameOrId;
use gitlab::api::projects::Project as AskProject;
use secrecy::SecretString;

use connection::{Connection, REPOSITORY};
use wire::WireProject;

use super::calls::{Effect, Pace};
use super::{Error, Forge, RepositoryId, RepositoryPath, StatusContext};

/// A connection to one GitLab with one token. Cheap to clone; clones share what GitLab said about its limits.
#[derive(Clone)]
pub struct GitLab {
    connection: Arc<Connection>,
    required_checks: Arc<BTreeSet<StatusContext>>,
}

impl fmt::Debug for GitLab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GitLab({:?})", self.connection)
    }
}

impl GitLab {
    /// The GitLab that people see at `url`, used with a token of a project, of a group, of a person, or of OAuth, which
    /// may do what the scope `api` allows. Nothing is sent yet.
    ///
    /// A branch asks for the checks of `required_checks` if it is protected and the repository merges only what has a
    /// successful pipeline (`only_allow_merge_if_pipeline_succeeds`).
    ///
    /// # Errors
    /// [`Error::Invalid`] if the address is not one of https, or of http on this machine; [`Error::Unavailable`] if TLS
    /// cannot be set up.
    pub fn new(url: &str, token: SecretString, required_checks: BTreeSet<StatusContext>) -> Result<Self, Error> {
        let connection = Arc::new(Connection::new(url, token, Pace::default())?);
        Ok(Self { connection, required_checks: Arc::new(required_checks) })
    }

    /// The repository at `path`, which must be the one with that id if one is given. A repository that was renamed is
    /// found by its id, or by its old name as long as nobody else has it.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none, or another one; [`Error::Invalid`] for an id that GitLab cannot have;
    /// [`Error::Forbidden`], [`Error::RateLimited`], [`Error::Unavailable`].
    pub async fn repository(&self, path: &RepositoryPath, id: Option<&RepositoryId>) -> Result<Arc<dyn Forge>, Error> {
        let found = match id {
            None => self.find(NameOrId::from(path.as_str())).await?,
            Some(id) => self.expected(path, id).await?,
        };
        if !self.required_checks.is_empty() && !found.only_allow_merge_if_pipeline_succeeds {
            tracing::warn!(
                repository = found.path_with_namespace,
                "the required checks are not asked for: the repository merges without a successful pipeline"
            );
        }
        Ok(Arc::new(Project {
            connection: Arc::clone(&self.connection),
            required_checks: Arc::clone(&self.required_checks),
            id: found.id,
        }))
    }

    /// The repository with that id, unless another one has the name that is given with it.
    async fn expected(&self, path: &RepositoryPath, id: &RepositoryId) -> Result<WireProject, Error> {
        let number = id.as_str().parse::<u64>();
        let number = number.map_err(|_| Error::invalid(format!("`{id}` is no id of a repository on GitLab")))?;
        let found = self.find(NameOrId::Id(number)).await?;
        if found.path_with_namespace.eq_ignore_ascii_case(path.as_str()) {
            return Ok(found);
        }
        match self.find(NameOrId::from(path.as_str())).await {
            // The old name leads to it, or nowhere.
            Ok(named) if named.id == number => Ok(found),
            Err(Error::NotFound { .. }) => Ok(found),
            Ok(_) => Err(Error::not_found(format!("the repository `{path}` with the id {id}"))),
            Err(error) => Err(error),
        }
    }

    async fn find(&self, project: NameOrId<'_>) -> Result<WireProject, Error> {
        self.connection.ask(Effect::Read, REPOSITORY, AskProject::builder().project(project).build()).await
    }
}

/// One repository of a GitLab.
struct Project {
    connection: Arc<Connection>,
    required_checks: Arc<BTreeSet<StatusContext>>,
    id: u64,
}
