//! The settings of the service: one YAML file, each field with a default, so that no file at all is a service too.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::cluster::ClusterSettings;
use crate::domain::{AppName, ClusterName, Document, Problem, Problems};
use crate::forge::StatusContext;
use crate::forge::hooks::ForgeKind;
use crate::store::FleetName;
use crate::web::auth::ci::PipelineSettings;
use crate::web::limits::Rates;

/// What `wooo serve` runs with.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ServiceSettings {
    /// The address to listen on.
    pub(crate) listen: SocketAddr,
    /// The address under which people and pipelines reach it; `http://<listen>` if absent.
    pub(crate) public_url: Option<String>,
    /// The folder for everything that the service keeps.
    pub(crate) data: PathBuf,
    /// The database: a path or a PostgreSQL URL; `wooo.db` in the data folder if absent.
    pub(crate) database: Option<String>,
    /// Forges, by a name of our own.
    pub(crate) forges: BTreeMap<String, ForgeSettings>,
    /// The fleets, by name; one that is called `main` if there is none.
    pub(crate) fleets: BTreeMap<FleetName, FleetSettings>,
    /// Repositories of apps on whose merge requests people may speak with wooo, by a name of our own.
    pub(crate) links: BTreeMap<String, LinkSettings>,
    /// How the clusters that fleets name are reached. One that is not here is an embedded sandbox.
    pub(crate) clusters: IndexMap<ClusterName, ClusterSettings>,
    /// Where the Prometheus of each cluster is.
    pub(crate) prometheus: IndexMap<ClusterName, PrometheusSettings>,
    /// How people sign in with a forge.
    pub(crate) sign_in: Vec<ProviderSettings>,
    /// Which pipelines may deploy without a secret.
    pub(crate) pipelines: PipelineSettings,
    /// The addresses of proxies whose `X-Forwarded-For` counts, as `10.0.0.0/8`.
    pub(crate) trusted_proxies: Vec<String>,
    /// Origins inside the network that Git may call.
    pub(crate) trusted_origins: Vec<String>,
    /// The name server that host names are checked with; the system's if absent.
    pub(crate) name_server: Option<SocketAddr>,
    /// How many requests one caller may make in a minute.
    pub(crate) requests_per_minute: Rates,
    /// How many jobs run at once in one process.
    pub(crate) workers: usize,
    /// Seconds between two passes over a whole fleet.
    pub(crate) refresh_seconds: u64,
    /// Seconds that a job belongs to a worker without a sign of life.
    pub(crate) lease_seconds: u64,
    /// Seconds from a merge to the moment at which a change that has not settled has timed out.
    pub(crate) deadline_seconds: u32,
    /// Name and e-mail of the commits.
    pub(crate) committer: Committer,
}

/// A fleet.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FleetSettings {
    /// The forge; the embedded one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) forge: Option<String>,
    /// The repository: `acme/fleet`, or its name on the embedded forge, where it is made with a first commit if it is not
    /// there.
    pub(crate) repository: String,
    /// Its number on the forge. Without it another repository may come to have its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<u64>,
}

/// A forge.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ForgeSettings {
    /// What it is.
    pub(crate) kind: ForgeKind,
    /// Its address, as people open it; github.com or gitlab.com if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// A file with the token of wooo's account there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
    /// The number of a GitHub App, in place of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) app_id: Option<u64>,
    /// A file with the private key of that App.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) private_key_file: Option<PathBuf>,
    /// Checks that have to succeed before wooo merges, on a GitLab, whose branches name none.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) required_checks: BTreeSet<StatusContext>,
    /// Files with the secrets of its webhooks: two while one takes the place of the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) webhook_secret_files: Vec<PathBuf>,
}

/// The repository of an app's code.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LinkSettings {
    /// The forge.
    pub(crate) forge: String,
    /// The repository: `acme/shop`.
    pub(crate) repository: String,
    /// Its number on the forge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<u64>,
    /// The fleet that the app is in.
    pub(crate) fleet: FleetName,
    /// The app.
    pub(crate) app: AppName,
}

/// A Prometheus.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PrometheusSettings {
    /// Its address.
    pub(crate) url: String,
    /// A file with a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
}

/// A forge or another provider that people sign in with.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProviderSettings {
    /// Its name here.
    pub(crate) name: String,
    /// How it speaks.
    pub(crate) kind: crate::web::auth::forge_login::ProviderKind,
    /// Its address.
    pub(crate) url: String,
    /// The client's id there.
    pub(crate) client_id: String,
    /// A file with the client's secret.
    pub(crate) client_secret_file: PathBuf,
}

/// Who commits.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Committer {
    /// The name.
    pub(crate) name: String,
    /// The address.
    pub(crate) email: String,
}

impl Default for ServiceSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            data: PathBuf::from("wooo-data"),
            database: None,
            forges: BTreeMap::new(),
            fleets: BTreeMap::new(),
            links: BTreeMap::new(),
            clusters: IndexMap::new(),
            prometheus: IndexMap::new(),
            sign_in: Vec::new(),
            pipelines: PipelineSettings::default(),
            trusted_proxies: Vec::new(),
            trusted_origins: Vec::new(),
            name_server: None,
            requests_per_minute: Rates::default(),
            workers: 4,
            refresh_seconds: 30,
            lease_seconds: 60,
            deadline_seconds: 900,
            committer: Committer { name: "wooo".to_owned(), email: "wooo@localhost".to_owned() },
        }
    }
}

impl ServiceSettings {
    /// Reads a file.
    ///
    /// # Errors
    /// Every problem of the file.
    pub(crate) fn read(path: &Path) -> Result<Self, Problems> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Problem::new("files.unreadable", format!("{file}: {error}")))?;
        Self::parse(&file, &text)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// Every problem of the text.
    pub(crate) fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            return Ok(Self::default());
        }
        let settings: Self = Document { file, text }.read()?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Problem> {
        let positive = [
            ("workers", u64::try_from(self.workers).unwrap_or(u64::MAX), 256),
            ("refresh_seconds", self.refresh_seconds, 3600),
            ("lease_seconds", self.lease_seconds, 3600),
            ("deadline_seconds", u64::from(self.deadline_seconds), 86_400),
        ];
        for (field, value, most) in positive {
            if !(1..=most).contains(&value) {
                let detail = format!("`{field}` is {value}, and must be between 1 and {most}");
                return Err(Problem::new("service.value", detail).field(field));
            }
        }
        Ok(())
    }

    /// The address for people.
    pub(crate) fn url(&self, address: SocketAddr) -> String {
        let url = self.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
        url.trim_end_matches('/').to_owned()
    }

    /// The database.
    pub(crate) fn database(&self) -> String {
        self.database.clone().unwrap_or_else(|| self.data.join("wooo.db").display().to_string())
    }

    /// The fleets, at least one.
    pub(crate) fn fleets(&self) -> Result<BTreeMap<FleetName, FleetSettings>, Problem> {
        if !self.fleets.is_empty() {
            return Ok(self.fleets.clone());
        }
        let name = "main".parse().map_err(|error| Problem::new("service.value", format!("{error}")))?;
        Ok(BTreeMap::from([(name, FleetSettings { forge: None, repository: "fleet".to_owned(), id: None })]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ServiceSettings, Problems> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("service.yaml");
        std::fs::write(&path, text).unwrap();
        ServiceSettings::read(&path)
    }

    #[test]
    fn an_empty_file_is_a_service_too() {
        let settings = read("# nothing\n").unwrap();
        assert_eq!(settings.url(settings.listen), "http://127.0.0.1:8080");
        assert_eq!(settings.database(), "wooo-data/wooo.db");
        assert_eq!(settings.fleets().unwrap().keys().map(FleetName::as_str).collect::<Vec<_>>(), ["main"]);
    }

    #[test]
    fn mistakes_say_where_they_are() {
        let text = read("databse: x\n").unwrap_err().to_string();
        assert!(text.contains("service.yaml:1:1: unknown field `databse`"), "{text}");
        let text = read("workers: 0\n").unwrap_err().to_string();
        assert!(text.contains("must be between 1 and 256"), "{text}");
    }
}
