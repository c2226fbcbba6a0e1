//! Secrets for talking to a remote.

use std::fmt;
use std::path::PathBuf;

use reqwest::blocking::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};

use super::RemoteUrl;

/// A user name and a token or password, good for one host and sent to no other.
#[derive(Clone)]
pub struct Credential {
    host: String,
    port: u16,
    username: String,
    secret: SecretString,
}

impl Credential {
    /// A credential for the host (and port) of `url`. GitHub takes a token with the name `x-access-token`, GitLab with
    /// `oauth2`, Gitea with any.
    #[must_use]
    pub fn new(url: &RemoteUrl, username: impl Into<String>, secret: SecretString) -> Self {
        Self { host: url.host().to_owned(), port: url.port(), username: username.into(), secret }
    }

    /// The request with this credential, if it goes to the right host.
    pub(super) fn authorize(&self, url: &RemoteUrl, request: RequestBuilder) -> RequestBuilder {
        if url.is_ssh() || (url.host(), url.port()) != (self.host.as_str(), self.port) {
            return request;
        }
        request.basic_auth(&self.username, Some(self.secret.expose_secret()))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credential({}@{}, redacted)", self.username, self.host)
    }
}

/// How to prove who is asking.
#[derive(Clone, Debug, Default)]
pub enum Access {
    /// Not at all: for public repositories over https.
    #[default]
    Anonymous,
    /// With a token or password, over https.
    Token(Credential),
    /// With a key, over ssh.
    SshKey {
        /// The private key, which only its owner may be able to read.
        key: PathBuf,
        /// The host keys that are believed. A host that is not in this file is not talked to.
        known_hosts: PathBuf,
    },
}
