//! One cluster of a sandbox: what its API server and its controllers share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::json;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::Clock;
use super::behaviour::Behaviours;
use super::discovery::GIT_VERSION;
use super::kinds::Kinds;
use super::options::{ClusterOptions, SandboxOptions, Timings};
use super::pods::Runs;
use super::store::{Event, SANDBOX_LABEL, Store};

/// The node that every pod is on.
pub(super) const NODE: &str = "sandbox";

/// One cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) options: ClusterOptions,
    pub(super) kinds: Arc<Kinds>,
    pub(super) timings: Timings,
    pub(super) clock: Clock,
    /// Cancelled when the sandbox stops.
    pub(super) stop: CancellationToken,
    /// Wakes the controller that looks at the fleet.
    pub(super) poke: Notify,
    /// Wakes the controller of pods: somebody has changed how they behave.
    pub(super) moods: Notify,
    store: Mutex<Store>,
    runs: Mutex<Runs>,
    behaviours: Mutex<Behaviours>,
}

impl Cluster {
    /// A cluster with a node and nothing else, and what happens in it.
    pub(super) fn new(
        options: &ClusterOptions,
        sandbox: &SandboxOptions,
        stop: CancellationToken,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Event>) {
        let kinds = Arc::new(Kinds::without(&options.absent_groups));
        let (changes, receiver) = mpsc::unbounded_channel();
        let mut store = Store::new(Arc::clone(&kinds), sandbox.history, sandbox.clock.clone(), changes);
        furnish(&mut store);
        let cluster = Self {
            options: options.clone(),
            kinds,
            timings: sandbox.timings.clone(),
            clock: sandbox.clock.clone(),
            stop,
            poke: Notify::new(),
            moods: Notify::new(),
            store: Mutex::new(store),
            runs: Mutex::default(),
            behaviours: Mutex::default(),
        };
        (Arc::new(cluster), receiver)
    }

    /// The objects. Nobody may wait for anything while holding them.
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the containers do. Taken after [`Cluster::store`] where both are needed.
    pub(super) fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was asked of them. Taken last.
    pub(super) fn behaviours(&self) -> MutexGuard<'_, Behaviours> {
        self.behaviours.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time in milliseconds.
    pub(super) fn now(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

/// What every cluster has from the beginning.
fn furnish(store: &mut Store) {
    let labels = json!({SANDBOX_LABEL: "true", "kubernetes.io/hostname": NODE});
    let conditions = json!([{
        "type": "Ready",
        "status": "True",
        "reason": "Sandbox",
        "message": "this node is a part of the sandbox and runs nothing",
        "lastTransitionTime": store.timestamp(),
        "lastHeartbeatTime": store.timestamp(),
    }]);
    let capacity = json!({"cpu": "64", "memory": "256Gi", "pods": "100000"});
    let node = json!({
        "metadata": {"name": NODE, "labels": labels},
        "spec": {},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": conditions,
            "nodeInfo": {
                "kubeletVersion": GIT_VERSION,
                "osImage": "wooo sandbox",
                "operatingSystem": "linux",
                "architecture": "amd64",
                "containerRuntimeVersion": "sandbox://0",
                "kernelVersion": "",
                "kubeProxyVersion": "",
                "machineID": "",
                "systemUUID": "",
                "bootID": "",
            },
        },
    });
    for (kind, value) in [("Node", node)] {
        if let Some(kind) = store.kinds().named("", kind) {
            let _made = store.put_whole(kind, "", value);
        }
    }
    let Some(namespace) = store.kinds().named("", "Namespace") else { return };
    for name in ["default", "kube-system"] {
        let labels = json!({SANDBOX_LABEL: "true"});
        let _made = store.put_whole(namespace, "", json!({"metadata": {"name": name, "labels": labels}}));
    }
}
