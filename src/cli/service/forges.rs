//! The forges that the settings name: connections to them, and the way to the repositories that are there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;

use super::settings::{ForgeSettings, ServiceSettings};
use super::website::{network, secret};
use crate::domain::Problem;
use crate::forge::hooks::ForgeKind;
use crate::forge::{self, Forge, GitHub, GitLab, Gitea, RepositoryId, RepositoryPath};
use crate::git::{Access, Credential, Network, RemoteUrl, UrlPolicy};
use crate::operations::lifecycle::{Accounts, FleetSource, WayIn};

/// Where GitHub and GitLab are if the settings do not say.
const GITHUB: &str = "https://github.com";
const GITLAB: &str = "https://gitlab.com";

/// A forge that is spoken to.
#[derive(Clone)]
enum Connection {
    GitHub(GitHub),
    GitLab(GitLab, SecretString),
    Gitea(Gitea, SecretString),
}

impl Connection {
    fn new(settings: &ForgeSettings) -> Result<Self, Problem> {
        let missing = |what: &str| Problem::new("service.value", format!("it needs {what}"));
        let token = || {
            let file = settings.token_file.as_deref().ok_or_else(|| missing("`token_file`"))?;
            secret(file)
        };
        let url = |usual: &str| settings.url.clone().unwrap_or_else(|| usual.to_owned());
        Ok(match settings.kind {
            ForgeKind::Github => Self::GitHub(match (settings.app_id, &settings.private_key_file) {
                (Some(id), Some(file)) => GitHub::with_app(&url(GITHUB), id, &secret(file)?)?,
                (None, None) => GitHub::with_token(&url(GITHUB), &token()?)?,
                _ => return Err(missing("both `app_id` and `private_key_file`, or `token_file` alone")),
            }),
            ForgeKind::Gitlab => {
                let token = token()?;
                Self::GitLab(GitLab::new(&url(GITLAB), token.clone(), settings.required_checks.clone())?, token)
            }
            ForgeKind::Gitea => {
                let token = token()?;
                let url = settings.url.as_deref().ok_or_else(|| missing("`url`"))?;
                Self::Gitea(Gitea::new(url, token.clone())?, token)
            }
        })
    }

    async fn repository(
        &self,
        path: &RepositoryPath,
        id: Option<&RepositoryId>,
    ) -> Result<Arc<dyn Forge>, forge::Error> {
        match self {
            Self::GitHub(github) => github.repository(path, id).await,
            Self::GitLab(gitlab, _) => gitlab.repository(path, id).await,
            Self::Gitea(gitea, _) => gitea.repository(path, id).await,
        }
    }

    /// What Git shows at `url`. The token of a GitHub App is good for an hour, so that it is asked for each time.
    fn way_in(&self, path: RepositoryPath, id: RepositoryId, url: RemoteUrl) -> WayIn {
        let connection = self.clone();
        WayIn::new(move || {
            let (connection, path, id, url) = (connection.clone(), path.clone(), id.clone(), url.clone());
            Box::pin(async move {
                let (name, password) = match &connection {
                    Self::GitHub(github) => ("x-access-token", github.git_password(&path, Some(&id)).await?),
                    Self::GitLab(_, token) => ("oauth2", token.clone()),
                    Self::Gitea(_, token) => ("wooo", token.clone()),
                };
                Ok(Access::Token(Credential::new(&url, name, password)))
            })
        })
    }
}

/// A repository on a forge of the settings.
pub(crate) struct Opened {
    /// Its merge requests.
    pub(crate) forge: Arc<dyn Forge>,
    /// Its number there.
    pub(crate) id: RepositoryId,
    /// Which kind of forge it is on.
    pub(crate) kind: ForgeKind,
    connection: Connection,
    path: RepositoryPath,
    clone_url: String,
}

impl Opened {
    /// Whose accounts the forge knows.
    pub(crate) fn accounts(&self) -> Accounts {
        match self.kind {
            ForgeKind::Github => Accounts::Github,
            ForgeKind::Gitlab => Accounts::Gitlab,
            ForgeKind::Gitea => Accounts::Gitea,
        }
    }
}

/// All forges of the settings.
pub(crate) struct Forges {
    connections: BTreeMap<String, (ForgeSettings, Connection)>,
    urls: UrlPolicy,
    network: Network,
}

impl Forges {
    /// Connects to them; nothing is sent yet.
    ///
    /// # Errors
    /// Settings that make no sense.
    pub(crate) async fn new(settings: &ServiceSettings) -> Result<Self, Problem> {
        let mut connections = BTreeMap::new();
        let mut policy = network(settings)?;
        for (name, one) in &settings.forges {
            let made = Connection::new(one).map_err(|problem| place(name, problem))?;
            if let Some(url) = &one.url {
                // Whoever runs the service has named it, so Git may go there, too.
                let origin = url::Url::parse(url).map(|url| url.origin().ascii_serialization());
                policy.urls.trusted.extend(origin.ok().and_then(|origin| origin.parse().ok()));
            }
            connections.insert(name.clone(), (one.clone(), made));
        }
        let urls = policy.urls.clone();
        let making = tokio::task::spawn_blocking(move || Network::new(policy));
        let network = making.await.map_err(|error| Problem::new("service.interrupted", error.to_string()))??;
        Ok(Self { connections, urls, network })
    }

    /// Opens a repository: the one with that id, whatever it is called by now.
    ///
    /// # Errors
    /// If there is no such forge, or what the forge says.
    pub(crate) async fn open(&self, name: &str, repository: &str, id: Option<u64>) -> Result<Opened, Problem> {
        let (settings, connection) = self
            .connections
            .get(name)
            .ok_or_else(|| Problem::new("service.value", format!("`forges` has no `{name}`")).field("forge"))?;
        let path: RepositoryPath = repository.parse().map_err(Problem::from)?;
        let id = id.map(|id| id.to_string().parse::<RepositoryId>()).transpose()?;
        let open = async {
            let forge = connection.repository(&path, id.as_ref()).await?;
            let identity = forge.identity().await?;
            Ok::<_, forge::Error>((forge, identity))
        };
        let (forge, identity) = open.await.map_err(|error| place(name, error.into()))?;
        if id.is_none() {
            tracing::warn!(
                forge = name, repository, id = %identity.id,
                "the settings do not say which repository this is: add its id, so that no other one takes its name"
            );
        }
        let (connection, kind) = (connection.clone(), settings.kind);
        Ok(Opened { forge, id: identity.id, kind, connection, path, clone_url: identity.clone_url })
    }

    /// How Git reaches an opened repository, with a copy in `folder`.
    ///
    /// # Errors
    /// If its address is one that Git may not go to.
    pub(crate) fn source(&self, opened: &Opened, folder: PathBuf) -> Result<FleetSource, Problem> {
        let url = RemoteUrl::parse(&opened.clone_url, &self.urls)?;
        let access = opened.connection.way_in(opened.path.clone(), opened.id.clone(), url.clone());
        Ok(FleetSource::Remote { folder, url, access, network: self.network.clone() })
    }

    /// The secrets of a forge's webhooks.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(crate) fn hook_secrets(&self, name: &str) -> Result<Vec<SecretString>, Problem> {
        let files = self.connections.get(name).map(|(settings, _)| settings.webhook_secret_files.as_slice());
        files.unwrap_or_default().iter().map(|file| secret(file)).collect()
    }
}

fn place(name: &str, problem: Problem) -> Problem {
    let field =
        problem.field.as_ref().map_or_else(|| format!("forges.{name}"), |field| format!("forges.{name}.{field}"));
    Problem { detail: format!("forge `{name}`: {}", problem.detail), ..problem }.field(field)
}
