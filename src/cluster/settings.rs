//! How a cluster is reached: settings, and the client that follows from them.

use std::path::{Path, PathBuf};
use std::sync::Once;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use schemars::JsonSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::Error;
use super::timing::Timing;
use crate::domain::host::is_this_machine;

/// How a cluster is reached: by a kubeconfig, as a pod of it, or by a URL.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterSettings {
    /// A kubeconfig file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of that file; its current one if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// Whether this is a pod of that cluster, with a service account.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub in_cluster: bool,
    /// The URL of the API server. Without TLS only for this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// A file with the bearer token for that URL; it is read again when it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// A file with the certificates, as PEM, by which the server of that URL is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_authority: Option<PathBuf>,
    /// A bearer token that is in no file: that of the embedded cluster.
    #[serde(skip)]
    pub token: Option<SecretString>,
}

/// Chooses the one implementation of cryptography for every TLS connection of the process. Calling it again, or after
/// somebody else has chosen, does nothing.
pub fn install_crypto_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that there is one already, which is as good.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    });
}

impl ClusterSettings {
    /// The settings of a plain URL with an optional token.
    #[must_use]
    pub fn at(url: impl Into<String>, token: Option<SecretString>) -> Self {
        Self { url: Some(url.into()), token, ..Self::default() }
    }

    /// A client. Nothing is asked of the cluster yet.
    pub(super) async fn connect(&self, timing: &Timing) -> Result<Client, Error> {
        install_crypto_provider();
        let mut config = self.config().await?;
        config.connect_timeout = Some(timing.request);
        config.read_timeout = None;
        // Retries are ours: a failure has to be seen to be told.
        config.default_retry = false;
        Client::try_from(config).map_err(|error| Error::Client(super::follow::told(&error)))
    }

    async fn config(&self) -> Result<Config, Error> {
        match (&self.kubeconfig, self.in_cluster, &self.url) {
            (Some(path), false, None) => {
                let path = path.clone();
                let read = tokio::task::spawn_blocking(move || Kubeconfig::read_from(path)).await;
                let kubeconfig = read
                    .map_err(|error| Error::Kubeconfig(error.to_string()))?
                    .map_err(|error| Error::Kubeconfig(error.to_string()))?;
                let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
                let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
                config.map_err(|error| Error::Kubeconfig(error.to_string()))
            }
            (None, true, None) => Config::incluster().map_err(|error| Error::InCluster(error.to_string())),
            (None, false, Some(url)) => self.plain(url),
            _ => Err(Error::Ambiguous),
        }
    }

    fn plain(&self, url: &str) -> Result<Config, Error> {
        let parsed = url::Url::parse(url).map_err(|_| Error::Url("is not one"))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(Error::Url("must not hold a name or a password; use `token_file`"));
        }
        let is_local = is_this_machine(&parsed).ok_or(Error::Url("has no host"))?;
        match parsed.scheme() {
            "https" => {}
            "http" if is_local => {}
            "http" => return Err(Error::Url("must begin with https, except on this machine")),
            _ => return Err(Error::Url("must begin with https")),
        }
        let mut config = Config::new(url.parse().map_err(|_| Error::Url("is not one"))?);
        config.auth_info.token.clone_from(&self.token);
        config.auth_info.token_file = self.token_file.as_ref().map(|path| path.display().to_string());
        if let Some(path) = &self.certificate_authority {
            check_readable(path)?;
            config.root_cert_file = Some(path.clone());
        }
        Ok(config)
    }
}

fn check_readable(path: &Path) -> Result<(), Error> {
    let opened = std::fs::File::open(path);
    opened.map(drop).map_err(|error| Error::File { path: path.to_owned(), reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_say_exactly_one_way() {
        let refused = |settings: ClusterSettings| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(settings.connect(&Timing::default())).err().map(|error| error.to_string())
        };
        let ambiguous = Some("the settings of a cluster name one of `kubeconfig`, `in_cluster` and `url`".to_owned());
        assert_eq!(refused(ClusterSettings::default()), ambiguous);
        let both = ClusterSettings { in_cluster: true, ..ClusterSettings::at("https://a.example", None) };
        assert_eq!(refused(both), ambiguous);
        for (url, words) in [
            ("http://a.example", "except on this machine"),
            ("ftp://127.0.0.1", "must begin with https"),
            ("https://u:p@a.example", "must not hold a name"),
            ("a.example", "is not one"),
        ] {
            let told = refused(ClusterSettings::at(url, None)).unwrap();
            assert!(told.contains(words), "{url}: {told}");
        }
        assert_eq!(refused(ClusterSettings::at("http://127.0.0.1:1", None)), None);
        assert_eq!(refused(ClusterSettings::at("https://a.example", Some("x".into()))), None);
    }

    #[test]
    fn a_token_is_never_written() {
        let settings = ClusterSettings::at("https://a.example", Some("canary".to_owned().into()));
        assert!(!format!("{settings:?}").contains("canary"));
        assert_eq!(serde_json::to_string(&settings).unwrap(), r#"{"url":"https://a.example"}"#);
    }
}
