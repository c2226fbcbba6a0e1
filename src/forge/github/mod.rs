//! GitHub: github.com, GitHub Enterprise Cloud and Server, as a GitHub App or with a token.
//!
//! Owns one connection for each host and credential, and the roles of a repository that is reached over it. A repository
//! is addressed by its numeric id in every call but the first, so that a rename changes nothing and another repository
//! under the old name is never touched. Does not own Git: branches are pushed by `crate::git`.

mod address;
mod answer;
mod comments;
mod connection;
mod gate;
mod merge_requests;
mod merging;
mod repository;
mod reviewers;
mod rights;
mod statuses;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jsonwebtoken::EncodingKey;
use octocrab::Octocrab;
use octocrab::models::AppId;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use url::Url;

use connection::{Connection, pace};
use repository::Repository;

use super::calls::{Calls, Pace};
use super::{Error, Forge, RepositoryId, RepositoryPath};

/// One GitHub, used with one credential. Cheap to clone; all clones share what GitHub counts.
#[derive(Clone)]
pub struct GitHub(Arc<Host>);

struct Host {
    base: Url,
    pace: Pace,
    credential: Credential,
}

enum Credential {
    Token { connection: Arc<Connection>, token: SecretString },
    App { app: Arc<Connection>, id: u64, key: EncodingKey, seen: Mutex<Seen> },
}

impl fmt::Debug for GitHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.credential {
            Credential::Token { .. } => write!(f, "GitHub({} with a token, redacted)", self.0.base),
            Credential::App { id, .. } => write!(f, "GitHub({} as the App {id}, redacted)", self.0.base),
        }
    }
}

/// What an App has met so far.
#[derive(Default)]
struct Seen {
    /// By the number of the installation: GitHub counts the calls of each on their own.
    calls: BTreeMap<u64, Arc<Calls>>,
    /// By the id of the repository.
    repositories: BTreeMap<u64, Arc<Connection>>,
}

#[derive(Debug, Deserialize)]
struct Installation {
    id: u64,
}

/// What a repository is opened with.
struct Opened {
    connection: Arc<Connection>,
    app: Option<Arc<Connection>>,
    found: wire::Repository,
}

impl GitHub {
    /// With somebody's token. `url` is the web address (`https://github.com`, `https://ghe.example`) or the API's own.
    /// To be called where tokio runs.
    ///
    /// # Errors
    /// [`Error::Invalid`] if that is no https address, or the token cannot be one.
    pub fn with_token(url: &str, token: &SecretString) -> Result<Self, Error> {
        let base = address::api(url)?;
        let text = token.expose_secret().trim();
        if text.is_empty() || !text.bytes().all(|c| c.is_ascii_graphic()) {
            return Err(Error::invalid("a token of GitHub has visible ASCII characters only"));
        }
        Self::token_at(base, SecretString::from(text), pace())
    }

    /// As a GitHub App, with the number and the private key (PEM) that its page shows. It must be installed on each
    /// repository that is opened. To be called where tokio runs.
    ///
    /// # Errors
    /// [`Error::Invalid`] if `url` is no https address, or the key is none.
    pub fn with_app(url: &str, id: u64, private_key: &SecretString) -> Result<Self, Error> {
        let base = address::api(url)?;
        let key = EncodingKey::from_rsa_pem(private_key.expose_secret().as_bytes())
            .map_err(|_| Error::invalid("the private key of the GitHub App is no RSA key in PEM form"))?;
        Self::app_at(base, id, key, pace())
    }

    /// The same with other pauses: `gap` between two writes, of which GitHub wants a second, and `first` before a call
    /// is made again.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if TLS cannot be set up.
    pub fn paced(&self, gap: Duration, first: Duration) -> Result<Self, Error> {
        let pace = Pace { gap, first, ..self.0.pace };
        match &self.0.credential {
            Credential::Token { token, .. } => Self::token_at(self.0.base.clone(), token.clone(), pace),
            Credential::App { id, key, .. } => Self::app_at(self.0.base.clone(), *id, key.clone(), pace),
        }
    }

    fn token_at(base: Url, token: SecretString, pace: Pace) -> Result<Self, Error> {
        let client = build(&base, |builder| builder.personal_token(token.clone()))?;
        let connection = Arc::new(Connection::new(client, base.clone(), Arc::new(Calls::new(pace))));
        Ok(Self(Arc::new(Host { base, pace, credential: Credential::Token { connection, token } })))
    }

    fn app_at(base: Url, id: u64, key: EncodingKey, pace: Pace) -> Result<Self, Error> {
        let client = build(&base, |builder| builder.app(AppId(id), key.clone()))?;
        let app = Arc::new(Connection::new(client, base.clone(), Arc::new(Calls::new(pace))));
        let credential = Credential::App { app, id, key, seen: Mutex::default() };
        Ok(Self(Arc::new(Host { base, pace, credential })))
    }

    /// The repository at `path`, or where it has been moved to. With an `id`, only if it has that one.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is none, it may not be seen, the App is not installed on it, or it is another one;
    /// those of every call.
    pub async fn repository(&self, path: &RepositoryPath, id: Option<&RepositoryId>) -> Result<Arc<dyn Forge>, Error> {
        let Opened { connection, app, found } = self.opened(path, id).await?;
        Ok(Arc::new(Repository::new(connection, app, found.id)))
    }

    /// What Git takes as the password for the repository at `path`, with the name `x-access-token`. The token of an App
    /// is good for an hour at most, and for this repository only: ask before each use.
    ///
    /// # Errors
    /// Those of [`GitHub::repository`].
    pub async fn git_password(&self, path: &RepositoryPath, id: Option<&RepositoryId>) -> Result<SecretString, Error> {
        let seen = match &self.0.credential {
            Credential::Token { token, .. } => return Ok(token.clone()),
            Credential::App { seen, .. } => seen,
        };
        let known = id.and_then(|id| id.as_str().parse::<u64>().ok()).and_then(|id| {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.repositories.get(&id).map(Arc::clone)
        });
        if let Some(known) = known {
            match known.installation_token().await {
                // Installed anew since, it is another installation.
                Err(Error::NotFound { .. } | Error::Forbidden { .. }) => {}
                token => return token,
            }
        }
        self.opened(path, id).await?.connection.installation_token().await
    }

    async fn opened(&self, path: &RepositoryPath, id: Option<&RepositoryId>) -> Result<Opened, Error> {
        let what = format!("the repository `{path}`");
        let expected = match id.map(|id| id.as_str().parse::<u64>()) {
            None => None,
            Some(Ok(id)) => Some(id),
            Some(Err(_)) => return Err(Error::not_found(what)),
        };
        if path.as_str().split('/').count() != 2 {
            return Err(Error::invalid(format!("a repository of GitHub is `owner/name`, not `{path}`")));
        }
        match &self.0.credential {
            Credential::Token { connection, .. } => {
                let found = found(connection, path, expected, &what).await?;
                Ok(Opened { connection: Arc::clone(connection), app: None, found })
            }
            Credential::App { app, seen, .. } => {
                let answer = app.get_moved(&format!("/repos/{path}/installation")).await?;
                let installation: Installation = answer.json(&format!("an installation of the App on `{path}`"))?;
                let calls = {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    let calls = seen.calls.entry(installation.id).or_insert_with(|| Arc::new(Calls::new(self.0.pace)));
                    Arc::clone(calls)
                };
                let whole = app.installed(installation.id, expected, Arc::clone(&calls))?;
                let found = found(&whole, path, expected, &what).await?;
                // From here on with a token that opens nothing else.
                let narrow =
                    if expected.is_some() { whole } else { app.installed(installation.id, Some(found.id), calls)? };
                let connection = Arc::new(narrow);
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.repositories.insert(found.id, Arc::clone(&connection));
                Ok(Opened { connection, app: Some(Arc::clone(app)), found })
            }
        }
    }
}

/// The repository under that name now, which must be the expected one.
async fn found(
    connection: &Connection,
    path: &RepositoryPath,
    expected: Option<u64>,
    what: &str,
) -> Result<wire::Repository, Error> {
    let found: wire::Repository = connection.get_moved(&format!("/repos/{path}")).await?.json(what)?;
    match expected {
        Some(expected) if expected != found.id => Err(Error::not_found(format!("{what} with the id {expected}"))),
        _ => Ok(found),
    }
}

type Builder = octocrab::OctocrabBuilder<
    octocrab::NoSvc,
    octocrab::DefaultOctocrabBuilderConfig,
    octocrab::NoAuth,
    octocrab::NotLayerReady,
>;

fn build(base: &Url, authenticate: impl FnOnce(Builder) -> Builder) -> Result<Octocrab, Error> {
    // octocrab starts a task, and panics where it cannot.
    tokio::runtime::Handle::try_current().map_err(|_| Error::unavailable("there is no tokio to run on"))?;
    let unusable = |_| Error::invalid("this is no address of a GitHub");
    let builder = Octocrab::builder().base_uri(base.as_str()).map_err(unusable)?;
    let builder = builder.upload_uri(base.as_str()).map_err(unusable)?;
    authenticate(builder)
        .build_with_reqwest(connection::http()?)
        .map_err(|_| Error::unavailable("the client for GitHub cannot be set up"))
}
