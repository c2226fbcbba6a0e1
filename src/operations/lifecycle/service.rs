//! What the steps work with: the database, the fleets with their forges, the clusters, and how patient to be.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use super::{Failure, Kind};
use crate::cluster::Clusters;
use crate::domain::{AppName, ChangeId, FleetSettings, Problem, Problems};
use crate::forge::{self, Forge};
use crate::git::{Access, Network, RemoteUrl};
use crate::operations::Request;
use crate::operations::fleet::Fleet;
use crate::operations::place::Place;
use crate::store::{Fence, FleetName, NewJob, Store};

/// How patient the service is.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Between two looks at a cluster while a change settles.
    pub observe: Duration,
    /// Between two looks at a merge request that waits for its checks.
    pub follow: Duration,
    /// Between two passes over a whole fleet.
    pub refresh: Duration,
    /// From a merge to the moment at which a change that has not settled has timed out.
    pub deadline: SignedDuration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            observe: Duration::from_secs(1),
            follow: Duration::from_secs(10),
            refresh: Duration::from_secs(30),
            deadline: crate::cluster::outcome::DEADLINE,
        }
    }
}

/// What proves to a remote who is asking, found out each time: some of it is good for an hour only.
#[derive(Clone)]
pub struct WayIn(Arc<dyn Fn() -> BoxFuture<'static, Result<Access, forge::Error>> + Send + Sync>);

impl WayIn {
    /// What `find` finds.
    #[must_use]
    pub fn new(find: impl Fn() -> BoxFuture<'static, Result<Access, forge::Error>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }
}

impl std::fmt::Debug for WayIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WayIn(redacted)")
    }
}

/// Where the service finds a fleet's repository.
#[derive(Clone, Debug)]
pub enum FleetSource {
    /// A bare repository on this machine.
    Folder(PathBuf),
    /// Behind a URL, with a copy that this process keeps.
    Remote {
        /// The copy.
        folder: PathBuf,
        /// The address.
        url: RemoteUrl,
        /// The way in.
        access: WayIn,
        /// The way there.
        network: Network,
    },
}

/// Whose accounts a forge knows people by: the first word of `github:alice`, in settings, trailers and the audit trail.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq, strum::Display, strum::EnumString)]
#[strum(serialize_all = "lowercase")]
pub enum Accounts {
    /// Those of GitHub.
    Github,
    /// Those of GitLab.
    Gitlab,
    /// Those of Gitea or Forgejo.
    Gitea,
    /// Those of this service.
    #[default]
    Local,
}

/// A repository of an app's code, whose merge requests people may give orders about that app on.
#[derive(Clone)]
pub struct LinkedRepository {
    /// Its name here, unlike that of every fleet and every other link.
    pub name: String,
    /// Where its merge requests are.
    pub forge: Arc<dyn Forge>,
    /// Whose accounts that forge knows.
    pub accounts: Accounts,
    /// The fleet that the app is in.
    pub fleet: FleetName,
    /// The app.
    pub app: AppName,
}

impl std::fmt::Debug for LinkedRepository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LinkedRepository").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A fleet that the service serves.
#[derive(Clone)]
pub struct ServedFleet {
    /// Its name here.
    pub name: FleetName,
    /// Where its merge requests are.
    pub forge: Arc<dyn Forge>,
    /// Whose accounts that forge knows.
    pub accounts: Accounts,
    source: FleetSource,
    /// Whoever works in a copy works in it alone. A bare repository needs no such thing: Git's own locks do.
    copy: Arc<Mutex<()>>,
}

impl std::fmt::Debug for ServedFleet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServedFleet").field("name", &self.name).finish_non_exhaustive()
    }
}

impl ServedFleet {
    /// A fleet on a forge with the accounts of this service.
    #[must_use]
    pub fn new(name: FleetName, forge: Arc<dyn Forge>, source: FleetSource) -> Self {
        Self { name, forge, accounts: Accounts::default(), source, copy: Arc::default() }
    }

    /// The same fleet on a forge with these accounts.
    #[must_use]
    pub fn with_accounts(self, accounts: Accounts) -> Self {
        Self { accounts, ..self }
    }

    /// The settings of the fleet, as the synced branch has them.
    ///
    /// # Errors
    /// What stands in the way of the repository, and what is wrong with the settings.
    pub async fn settings(&self) -> Result<FleetSettings, Problems> {
        self.with_place(|place| Ok(Fleet::open(&place.tree()?)?.settings)).await
    }

    /// Calls `work` with the fleet's repository, brought up to date, on a thread that may block.
    ///
    /// # Errors
    /// Those of `work`, and what stands in the way of the repository.
    pub async fn with_place<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Place) -> Result<T, Problems> + Send + 'static,
    ) -> Result<T, Problems> {
        let guard = match self.source {
            FleetSource::Folder(_) => None,
            FleetSource::Remote { .. } => Some(Arc::clone(&self.copy).lock_owned().await),
        };
        let access = match &self.source {
            FleetSource::Folder(_) => Access::Anonymous,
            FleetSource::Remote { access, .. } => access.0().await.map_err(Problem::from)?,
        };
        let source = self.source.clone();
        let working = tokio::task::spawn_blocking(move || {
            let _alone = guard;
            let place = match &source {
                FleetSource::Folder(path) => Place::open(path)?,
                FleetSource::Remote { folder, url, network, .. } => {
                    Place::mirror(folder, url.clone(), access, network)?
                }
            };
            work(&place)
        });
        match working.await {
            Ok(done) => done,
            Err(error) => {
                tracing::error!(%error, fleet = %self.name, "work on a repository ended early");
                Err(Problem::new("service.interrupted", "the work on the repository ended early").into())
            }
        }
    }
}

/// What the steps work with.
#[derive(Debug)]
pub struct Service {
    /// The database.
    pub store: Store,
    /// The fleets, by name.
    pub fleets: BTreeMap<FleetName, ServedFleet>,
    /// The repositories of apps whose merge requests are read too.
    pub links: Vec<LinkedRepository>,
    /// The clusters.
    pub clusters: Clusters,
    /// Name and e-mail of the commits.
    pub committer: (String, String),
    /// How patient to be.
    pub timing: Timing,
}

impl Service {
    /// A fleet, by its name.
    ///
    /// # Errors
    /// `fleet.not_found`.
    pub fn fleet(&self, name: &FleetName) -> Result<&ServedFleet, Problem> {
        self.fleets
            .get(name)
            .ok_or_else(|| Problem::new("fleet.not_found", format!("this service has no fleet `{name}`")))
    }

    /// A linked repository, by its name.
    #[must_use]
    pub fn link(&self, name: &str) -> Option<&LinkedRepository> {
        self.links.iter().find(|link| link.name == name)
    }

    /// A request by `actor`, for an operation on a fleet.
    pub(super) fn request(&self, actor: &str, reason: Option<&str>, now: Timestamp, id: &ChangeId) -> Request {
        Request {
            actor: actor.to_owned(),
            reason: reason.map(str::to_owned),
            now,
            committer: self.committer.clone(),
            change_id: Some(id.clone()),
        }
    }

    /// Whether a fence still holds. Asked right before something is done outside of the database, which cannot be done
    /// in one step with asking.
    pub(crate) async fn check(&self, fence: Option<&Fence>) -> Result<(), Failure> {
        if let Some(fence) = fence {
            self.store.fenced(fence).await?.rollback().await?;
        }
        Ok(())
    }

    /// The time, as the database has it.
    pub(crate) async fn now(&self) -> Result<Timestamp, Failure> {
        Ok(self.store.now().await?)
    }
}

/// A job about a change: while it is queued there is no second of its kind, and of all jobs about an app one runs at a
/// time.
pub(super) fn job_about(kind: Kind, change: &crate::store::Change) -> NewJob {
    NewJob::new(kind.to_string(), change.id.as_str())
        .dedup(format!("{kind} {}", change.id))
        .serial(format!("{}/{}", change.fleet, change.app))
        .priority(10)
}
