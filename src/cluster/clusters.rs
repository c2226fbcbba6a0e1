//! All clusters that are followed: started, asked, and ended together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use strum::IntoEnumIterator;
use tokio::sync::broadcast;
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::cache::{Kind, NEEDED, Progress, Scope};
use super::delivery::{Application, Kustomization};
use super::follow::{Follower, Shared, told};
use super::report::Report;
use super::settings::ClusterSettings;
use super::target::Target;
use super::timing::Timing;
use super::watched::{WireDeployment, WireStatefulSet};
use super::wire::{WireCertificate, WireEvent, WirePod, WireReplicaSet};
use crate::domain::ClusterName;
use crate::domain::fleet::Delivery;

/// How many changes may wait for an observer that is slow; one that misses some is told so and looks at everything.
const CHANGES: usize = 1024;
/// How long tasks get to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// The clusters that are followed. Dropping it ends every task.
#[derive(Debug)]
pub struct Clusters {
    clusters: BTreeMap<ClusterName, Cluster>,
    changes: broadcast::Sender<Change>,
    timing: Timing,
    tasks: TaskTracker,
    token: CancellationToken,
    _guard: DropGuard,
}

#[derive(Clone, Debug)]
struct Cluster {
    shared: Arc<Shared>,
    contact: Arc<Mutex<Contact>>,
}

/// What is known of the connection to a cluster.
#[derive(Clone, Debug, Default)]
struct Contact {
    version: Option<String>,
    answered_at: Option<Timestamp>,
    error: Option<String>,
    was_fresh: bool,
}

/// Something of a cluster changed.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Change {
    /// Where.
    pub cluster: ClusterName,
    /// What.
    pub scope: Scope,
}

impl Change {
    /// Whether a report about `target`, which runs in `cluster`, may be another one now.
    #[must_use]
    pub fn concerns(&self, cluster: &ClusterName, target: &Target) -> bool {
        let home = target.controller.cluster.as_ref().unwrap_or(cluster);
        match &self.scope {
            Scope::All => self.cluster == *cluster || self.cluster == *home,
            Scope::Namespace(namespace) => self.cluster == *cluster && *namespace == target.namespace,
            Scope::Controller(name) => self.cluster == *home && *name == target.controller.name,
        }
    }
}

/// What a cluster says of an app now.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Observation {
    /// Nothing that can be trusted.
    Unknown {
        /// Why, as a sentence.
        reason: String,
        /// When it was last known, if ever.
        last_heard: Option<Timestamp>,
    },
    /// This.
    Seen(Box<Report>),
}

impl Observation {
    /// The report, if there is one to be trusted.
    #[must_use]
    pub fn report(&self) -> Option<&Report> {
        match self {
            Self::Seen(report) => Some(report),
            Self::Unknown { .. } => None,
        }
    }
}

/// How well a cluster is known, for people and for readiness checks.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterStatus {
    /// Whether everything that is needed has been read at least once.
    pub is_synced: bool,
    /// Whether what is remembered is too old to be trusted, or was never read.
    pub is_stale: bool,
    /// Up to when everything that is needed is known.
    pub last_heard: Option<Timestamp>,
    /// When the cluster last answered anything.
    pub answered_at: Option<Timestamp>,
    /// Its version, such as `v1.34.1`.
    pub version: Option<String>,
    /// Whether it has Argo CD; `None` if that is not known yet.
    pub has_argocd: Option<bool>,
    /// Whether it has Flux; `None` if that is not known yet.
    pub has_flux: Option<bool>,
    /// Whether it has cert-manager; `None` if that is not known yet.
    pub has_cert_manager: Option<bool>,
    /// What stands in the way, one sentence each; empty if all is well.
    pub errors: Vec<String>,
    /// Deployments with wooo's labels.
    pub deployments: usize,
    /// StatefulSets with wooo's labels.
    pub stateful_sets: usize,
    /// ReplicaSets with wooo's labels.
    pub replica_sets: usize,
    /// Pods with wooo's labels.
    pub pods: usize,
}

impl Clusters {
    /// Begins to follow clusters, each on tasks of its own. It does not wait for any of them, and one that cannot be
    /// reached, or has settings that make no sense, is tried again for ever: [`Clusters::status`] says why.
    ///
    /// Must be called within a Tokio runtime. Tasks end when this is dropped, or when `stop` says so.
    #[must_use]
    pub fn start(
        settings: impl IntoIterator<Item = (ClusterName, ClusterSettings)>,
        timing: Timing,
        stop: &CancellationToken,
    ) -> Self {
        let token = stop.child_token();
        let (changes, _) = broadcast::channel(CHANGES);
        let tasks = TaskTracker::new();
        let mut clusters = BTreeMap::new();
        for (name, settings) in settings {
            let cluster = Cluster { shared: Arc::default(), contact: Arc::default() };
            clusters.insert(name.clone(), cluster.clone());
            let run = follow(cluster.clone(), settings, timing);
            tasks.spawn(token.clone().run_until_cancelled_owned(run));
            let tell = tell(cluster, name, timing, changes.clone());
            tasks.spawn(token.clone().run_until_cancelled_owned(tell));
        }
        tasks.close();
        Self { clusters, changes, timing, tasks, _guard: token.clone().drop_guard(), token }
    }

    /// Ends all tasks and waits for them, for five seconds at most.
    pub async fn shutdown(self) {
        self.token.cancel();
        if timeout(FAREWELL, self.tasks.wait()).await.is_err() {
            tracing::warn!("some tasks that follow clusters did not end in time");
        }
    }

    /// The clusters, by name.
    pub fn names(&self) -> impl Iterator<Item = &ClusterName> {
        self.clusters.keys()
    }

    /// Changes as they become known, collected over a moment. A receiver that lags has to look at everything.
    #[must_use]
    pub fn changed(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// What is known of an app in a cluster, from memory.
    #[must_use]
    pub fn report(&self, cluster: &ClusterName, target: &Target) -> Observation {
        let now = Timestamp::now();
        let home = target.controller.cluster.as_ref().unwrap_or(cluster);
        let (Some(here), Some(there)) = (self.clusters.get(cluster), self.clusters.get(home)) else {
            let absent = if self.clusters.contains_key(cluster) { home } else { cluster };
            let reason = super::Error::Unknown(absent.clone()).to_string();
            return Observation::Unknown { reason, last_heard: None };
        };
        let kind = match target.controller.delivery {
            Delivery::Argocd => Kind::Applications,
            Delivery::Flux => Kind::Kustomizations,
        };
        let (controller, told_at) = {
            let cache = there.shared.lock();
            (cache.controller(&target.controller), cache.heard_at(&[kind]))
        };
        let cache = here.shared.lock();
        let seen_at = cache.heard_at(&NEEDED);
        let unknown = |who: &ClusterName, last_heard| {
            let reason = format!("cluster {who} is not known well enough: {}", self.why(who, kind, last_heard, now));
            Observation::Unknown { reason, last_heard }
        };
        let is_fresh = |time: &Timestamp| is_fresh(*time, now, &self.timing);
        match (seen_at, told_at) {
            (Some(seen_at), Some(told_at)) if is_fresh(&seen_at) && is_fresh(&told_at) => {
                // Health is as old as the workloads; the controller has a time of its own in `seen_at`.
                let mut report = cache.report(target, seen_at, now);
                report.controller = controller;
                Observation::Seen(Box::new(report))
            }
            (Some(seen_at), told_at) if is_fresh(&seen_at) => {
                drop(cache);
                unknown(home, told_at)
            }
            (seen_at, _) => {
                drop(cache);
                unknown(cluster, seen_at)
            }
        }
    }

    /// Why a cluster is not known, as half a sentence.
    fn why(&self, cluster: &ClusterName, kind: Kind, last: Option<Timestamp>, now: Timestamp) -> String {
        let error = self.clusters.get(cluster).and_then(|cluster| {
            let cache = cluster.shared.lock();
            let failure = NEEDED.iter().chain([&kind]).find_map(|kind| cache.progress(*kind).error.clone());
            drop(cache);
            failure.or_else(|| contact(cluster).error.clone())
        });
        let age = match last {
            None => "it has not been read yet".to_owned(),
            Some(last) => format!("it was last heard {} seconds ago", now.duration_since(last).as_secs()),
        };
        error.map_or_else(|| age.clone(), |error| format!("{age}; {error}"))
    }

    /// How well a cluster is known.
    #[must_use]
    pub fn status(&self, cluster: &ClusterName) -> Option<ClusterStatus> {
        let cluster = self.clusters.get(cluster)?;
        let contact = contact(cluster).clone();
        let cache = cluster.shared.lock();
        let last_heard = cache.heard_at(&NEEDED);
        let has = |kind| {
            let Progress { heard_at, is_absent, .. } = cache.progress(kind);
            heard_at.map(|_| !is_absent)
        };
        let failure = |kind: Kind| cache.progress(kind).error.as_ref().map(|error| format!("{kind}: {error}"));
        let [deployments, stateful_sets, replica_sets, pods] = cache.counts();
        Some(ClusterStatus {
            is_synced: last_heard.is_some(),
            is_stale: last_heard.is_none_or(|time| !is_fresh(time, Timestamp::now(), &self.timing)),
            last_heard,
            answered_at: contact.answered_at,
            version: contact.version,
            has_argocd: has(Kind::Applications),
            has_flux: has(Kind::Kustomizations),
            has_cert_manager: has(Kind::Certificates),
            errors: contact.error.into_iter().chain(Kind::iter().filter_map(failure)).collect(),
            deployments,
            stateful_sets,
            replica_sets,
            pods,
        })
    }
}

fn is_fresh(heard_at: Timestamp, now: Timestamp, timing: &Timing) -> bool {
    now.duration_since(heard_at).unsigned_abs() <= timing.stale_after || heard_at > now
}

fn contact(cluster: &Cluster) -> std::sync::MutexGuard<'_, Contact> {
    cluster.contact.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Connects to a cluster and follows it.
async fn follow(cluster: Cluster, settings: ClusterSettings, timing: Timing) {
    let client = loop {
        match settings.connect(&timing).await {
            Ok(client) => break client,
            Err(error) => {
                tracing::warn!(%error, "a cluster cannot be connected to");
                contact(&cluster).error = Some(error.to_string());
                sleep(timing.retry_most).await;
            }
        }
    };
    let follower = || Follower::new(client.clone(), Arc::clone(&cluster.shared), timing);
    tokio::join!(
        probe(&client, &cluster, &timing),
        follower().run::<WireDeployment>(),
        follower().run::<WireStatefulSet>(),
        follower().run::<WireReplicaSet>(),
        follower().run::<WirePod>(),
        follower().run::<WireCertificate>(),
        follower().run::<Application>(),
        follower().run::<Kustomization>(),
        async {
            // Warnings are kept of namespaces that have workloads, so those come first.
            while cluster.shared.lock().heard_at(&NEEDED).is_none() {
                sleep(timing.debounce).await;
            }
            follower().run::<WireEvent>().await;
        },
    );
}

/// Asks for the version, again and again: the cheapest question that shows whether a cluster answers.
async fn probe(client: &kube::Client, cluster: &Cluster, timing: &Timing) {
    loop {
        let answer = timeout(timing.request, client.apiserver_version()).await;
        let now = Timestamp::now();
        {
            let mut contact = contact(cluster);
            match answer {
                Ok(Ok(info)) => {
                    *contact = Contact {
                        version: Some(info.git_version),
                        answered_at: Some(now),
                        error: None,
                        was_fresh: contact.was_fresh,
                    };
                }
                Ok(Err(error)) => contact.error = Some(told(&error)),
                Err(_) => contact.error = Some("the cluster does not answer in time".to_owned()),
            }
        }
        cluster.shared.with(|cache| cache.forget_old_events(now));
        sleep(timing.probe).await;
    }
}

/// Tells observers what changed, and when a cluster falls silent or speaks again.
async fn tell(cluster: Cluster, name: ClusterName, timing: Timing, changes: broadcast::Sender<Change>) {
    // A cluster that falls silent changes nothing, so somebody has to look.
    let look = (timing.stale_after / 8).max(timing.debounce);
    loop {
        // A timeout is a look as well.
        drop(timeout(look, cluster.shared.has_changed.notified()).await);
        sleep(timing.debounce).await;
        let mut cache = cluster.shared.lock();
        let heard_at = cache.heard_at(&NEEDED);
        let is_now = heard_at.is_some_and(|time| is_fresh(time, Timestamp::now(), &timing));
        if std::mem::replace(&mut contact(&cluster).was_fresh, is_now) != is_now {
            tracing::info!(cluster = %name, is_fresh = is_now, "what is known of a cluster");
            cache.note_all();
        }
        for scope in cache.take_changes() {
            // Nobody may be listening.
            drop(changes.send(Change { cluster: name.clone(), scope }));
        }
    }
}
