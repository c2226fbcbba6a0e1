//! The parts of the service, started in the order in which they need each other, and stopped in the other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::forges::{Forges, Opened};
use super::settings::{FleetSettings, ServiceSettings};
use crate::cluster::{self, ClusterSettings, Clusters};
use crate::domain::fleet::{Delivery, Provider, SecretBackend};
use crate::domain::{ClusterName, EnvironmentName, Problem, Problems};
use crate::forge::{LocalForge, LocalForges, RepositoryId, User};
use crate::git;
use crate::jobs::{Workers, WorkersOptions};
use crate::operations::lifecycle::{FleetSource, LinkedRepository, ServedFleet, Service, Timing};
use crate::operations::{Request, init};
use crate::sandbox::{self, ClusterOptions, Sandbox, SandboxOptions};
use crate::store::{FleetName, Store};
use crate::web::webhooks::HookSource;

/// A service whose parts run.
pub(crate) struct Assembled {
    /// What the steps of changes work with.
    pub(crate) service: Arc<Service>,
    /// The embedded forge.
    pub(crate) forges: LocalForges,
    /// What forges send here.
    pub(crate) hooks: Vec<HookSource>,
    /// The embedded clusters, if any fleet names a cluster that the settings do not.
    pub(crate) sandbox: Option<Sandbox>,
    /// Ends everything.
    pub(crate) stop: CancellationToken,
}

impl Assembled {
    /// Workers that carry changes on, until everything is stopped.
    pub(crate) fn workers(&self, settings: &ServiceSettings) -> Workers {
        let name = format!("{}-{}", host_name(), std::process::id());
        let options = WorkersOptions {
            count: settings.workers,
            lease: Duration::from_secs(settings.lease_seconds),
            ..WorkersOptions::new(name)
        };
        Workers::new(Arc::clone(&self.service), options)
    }

    /// Ends everything, the database last.
    pub(crate) async fn shut_down(self) {
        self.stop.cancel();
        if let Some(sandbox) = self.sandbox {
            sandbox.stop().await;
        }
        self.service.store.close().await;
    }
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "wooo".to_owned(), |name| name.trim().to_owned())
}

/// Starts the parts.
///
/// # Errors
/// What stands in the way of the first part that cannot start.
pub(crate) async fn assemble(settings: &ServiceSettings, address: SocketAddr) -> Result<Assembled, Problems> {
    cluster::install_crypto_provider();
    private_folder(&settings.data)?;
    let store = Store::open(&settings.database()).await?;
    let url = settings.url(address);
    let forges = LocalForges::new(settings.data.join("repositories"), &url, Arc::new(Timestamp::now));
    let mut fleets = BTreeMap::new();
    let mut wanted = BTreeSet::new();
    let mut folders = Vec::new();
    let mut hooks = Vec::new();
    let remote = Forges::new(settings).await?;
    for (name, fleet) in settings.fleets()? {
        let served = match &fleet.forge {
            None => {
                let forge = open_fleet(settings, &forges, &url, &fleet).await?;
                folders.push(forge.path().to_owned());
                let source = FleetSource::Folder(forge.path().to_owned());
                ServedFleet::new(name.clone(), Arc::new(forge), source)
            }
            Some(forge) => {
                let opened = remote.open(forge, &fleet.repository, fleet.id).await?;
                hooks.extend(hook(&remote, forge, &opened, &name)?);
                let folder = copy_folder(settings, &name);
                folders.push(folder.clone());
                ServedFleet::new(name.clone(), Arc::clone(&opened.forge), remote.source(&opened, folder)?)
                    .with_accounts(opened.accounts())
            }
        };
        wanted.extend(targets(&served).await?);
        fleets.insert(name, served);
    }
    let links = links(settings, &remote, &fleets).await?;
    let stop = CancellationToken::new();
    let (sandbox, clusters) = clusters(settings, wanted, &folders, &stop).await?;
    let service = Service {
        store,
        fleets,
        links,
        clusters,
        committer: (settings.committer.name.clone(), settings.committer.email.clone()),
        timing: Timing {
            refresh: Duration::from_secs(settings.refresh_seconds),
            deadline: SignedDuration::from_secs(i64::from(settings.deadline_seconds)),
            ..Timing::default()
        },
    };
    Ok(Assembled { service: Arc::new(service), forges, hooks, sandbox, stop })
}

/// Where this machine's copy of a fleet behind a URL is. Replicas that share the data folder have a copy each.
pub(crate) fn copy_folder(settings: &ServiceSettings, fleet: &FleetName) -> PathBuf {
    settings.data.join("copies").join(host_name()).join(fleet.as_str())
}

/// The repositories of apps that people speak with wooo in.
async fn links(
    settings: &ServiceSettings,
    remote: &Forges,
    fleets: &BTreeMap<FleetName, ServedFleet>,
) -> Result<Vec<LinkedRepository>, Problem> {
    let mut found = Vec::new();
    for (name, link) in &settings.links {
        let wrong = |what: String| Problem::new("service.value", what).field(format!("links.{name}"));
        if !fleets.contains_key(&link.fleet) {
            return Err(wrong(format!("this service has no fleet `{}`", link.fleet)));
        }
        if fleets.keys().any(|fleet| fleet.as_str() == name) {
            return Err(wrong(format!("a fleet is called `{name}` already")));
        }
        let opened = remote.open(&link.forge, &link.repository, link.id).await?;
        let (accounts, forge) = (opened.accounts(), opened.forge);
        let (name, fleet, app) = (name.clone(), link.fleet.clone(), link.app.clone());
        found.push(LinkedRepository { name, forge, accounts, fleet, app });
    }
    Ok(found)
}

/// What a fleet's repository sends here, if a secret for that is set.
fn hook(remote: &Forges, forge: &str, opened: &Opened, fleet: &FleetName) -> Result<Option<HookSource>, Problem> {
    let secrets = remote.hook_secrets(forge)?;
    let source = HookSource {
        kind: opened.kind,
        source: forge.to_owned(),
        repository: opened.id.clone(),
        fleet: fleet.clone(),
        secrets,
    };
    Ok((!source.secrets.is_empty()).then_some(source))
}

/// The environments of a fleet with their clusters.
async fn targets(fleet: &ServedFleet) -> Result<Vec<Target>, Problems> {
    let environments = fleet.settings().await?.environments;
    Ok(environments.into_iter().map(|(name, environment)| (name, environment.cluster)).collect())
}

/// Makes the data folder so that only its owner can look into it.
fn private_folder(path: &Path) -> Result<(), Problem> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| Problem::new("files.unwritable", format!("{}: {error}", path.display())))
}

/// An environment with the cluster that it is on.
type Target = (EnvironmentName, ClusterName);

/// Opens a fleet on the embedded forge, or starts one.
async fn open_fleet(
    settings: &ServiceSettings,
    forges: &LocalForges,
    url: &str,
    fleet: &FleetSettings,
) -> Result<LocalForge, Problems> {
    let (forges, url, repository) = (forges.clone(), url.to_owned(), fleet.repository.clone());
    let committer = (settings.committer.name.clone(), settings.committer.email.clone());
    let opening = tokio::task::spawn_blocking(move || {
        let name = repository.parse().map_err(Problem::from)?;
        let me = User { id: "wooo".parse().map_err(Problem::from)?, login: "wooo".to_owned() };
        let branch: git::BranchName = "main".parse()?;
        if !forges.path(&name).exists() {
            let id: RepositoryId = uuid::Uuid::now_v7().to_string().parse().map_err(Problem::from)?;
            forges.create(&name, &branch, id, me.clone()).map_err(Problem::from)?;
        }
        let start = init::Start {
            url: format!("{url}/git/{name}.git"),
            branch,
            bare: true,
            delivery: Delivery::Flux,
            provider: Provider::K3s,
            secrets: SecretBackend::default(),
            alert_webhook: None,
        };
        let actor = "local:wooo".to_owned();
        let request = Request { actor, reason: None, now: Timestamp::now(), committer, change_id: None };
        // A fleet that is there stays as it is; one whose making was cut short is finished.
        init::run(&forges.path(&name), &start, &request)?;
        Ok(forges.open(&name, me).map_err(Problem::from)?)
    });
    opening.await.unwrap_or_else(|error| Err(Problem::new("service.interrupted", error.to_string()).into()))
}

/// Follows the clusters: those of the settings, and embedded ones for the rest.
async fn clusters(
    settings: &ServiceSettings,
    wanted: BTreeSet<Target>,
    folders: &[PathBuf],
    stop: &CancellationToken,
) -> Result<(Option<Sandbox>, Clusters), Problems> {
    let mut reached: Vec<(ClusterName, ClusterSettings)> =
        settings.clusters.iter().map(|(name, settings)| (name.clone(), settings.clone())).collect();
    let mut embedded: BTreeMap<ClusterName, Vec<EnvironmentName>> = BTreeMap::new();
    for (environment, cluster) in wanted {
        if !settings.clusters.contains_key(&cluster) {
            embedded.entry(cluster).or_default().push(environment);
        }
    }
    if embedded.is_empty() {
        return Ok((None, Clusters::start(reached, cluster::Timing::default(), stop)));
    }
    let [folder] = folders else {
        let detail = format!("the embedded cluster syncs one fleet, and there are {}", folders.len());
        return Err(Problem::new("service.clusters", detail)
            .hint("say under `clusters` how the clusters of the fleets are reached")
            .into());
    };
    let options = SandboxOptions {
        clusters: embedded.iter().map(|(name, places)| ClusterOptions::new(name.as_str(), places.clone())).collect(),
        fleet: Some(sandbox::FleetSource::Folder(folder.clone())),
        ..SandboxOptions::default()
    };
    let sandbox = Sandbox::start(options).await?;
    for (name, environments) in &embedded {
        for environment in environments {
            sandbox.bootstrap(environment).await?;
        }
        let url = sandbox.cluster_url(name.as_str());
        let url = url.ok_or_else(|| Problem::new("service.clusters", format!("the sandbox lacks `{name}`")))?;
        reached.push((name.clone(), ClusterSettings::at(url, None)));
    }
    // It is on this machine, so it can be asked more often than a cluster that many depend on.
    let timing = cluster::Timing {
        watch: Duration::from_secs(1),
        debounce: Duration::from_millis(50),
        ..cluster::Timing::default()
    };
    Ok((Some(sandbox), Clusters::start(reached, timing, stop)))
}
