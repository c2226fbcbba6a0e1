//! The sandbox itself: its clusters behind one listener, its life and its addresses.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::api::{self, json_answer};
use super::behaviour::BehaviourRule;
use super::cluster::Cluster;
use super::kinds::MAX_BODY_BYTES;
use super::options::SandboxOptions;
use super::{controllers, delivery, prometheus};
use crate::domain::{EnvironmentName, Problem};

/// How long requests that are under way may take once the sandbox stops.
const GRACE: Duration = Duration::from_secs(2);

/// A running sandbox. It stops when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    clusters: Vec<Arc<Cluster>>,
    fleet: Option<Arc<delivery::Fleet>>,
}

impl Sandbox {
    /// Starts a sandbox, which answers as soon as this returns.
    ///
    /// # Errors
    /// `sandbox.failed` if its port is taken, or if it has no room for the fleet.
    pub async fn start(options: SandboxOptions) -> Result<Self, Problem> {
        let failed = |error: &dyn std::fmt::Display| {
            Problem::new("sandbox.failed", format!("the sandbox cannot be started: {error}"))
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await.map_err(|error| failed(&error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        let stop = CancellationToken::new();
        let fleet = options.fleet.clone().map(delivery::Fleet::new).transpose().map_err(|error| failed(&error))?;
        let fleet = fleet.map(Arc::new);
        let mut clusters = Vec::new();
        let mut tasks = Vec::new();
        for cluster in &options.clusters {
            let (cluster, changes) = Cluster::new(cluster, &options, stop.clone());
            tasks.push(tokio::spawn(controllers::run(Arc::clone(&cluster), changes)));
            if let Some(fleet) = &fleet {
                tasks.push(tokio::spawn(delivery::run(Arc::clone(&cluster), Arc::clone(fleet))));
            }
            clusters.push(cluster);
        }
        let shared = Arc::new(Shared { clusters, fleet });
        let router = Router::new().fallback(route).with_state(Arc::clone(&shared));
        let until = stop.clone().cancelled_owned();
        tasks.push(tokio::spawn(async move {
            // An error here would be one of the listener, which ends with the sandbox.
            let _served = axum::serve(listener, router).with_graceful_shutdown(until).await;
        }));
        Ok(Self { address, shared, stop, tasks })
    }

    /// Where it listens: `http://127.0.0.1:<port>`. The first cluster is served there.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The API server of a cluster, for `kubectl --server` or a client; `None` if there is no such cluster.
    #[must_use]
    pub fn cluster_url(&self, cluster: &str) -> Option<String> {
        self.shared.cluster(cluster).map(|_| format!("{}/clusters/{cluster}", self.url()))
    }

    /// The Prometheus of a cluster, below which its API begins with `/api/v1`; `None` if there is no such cluster.
    #[must_use]
    pub fn prometheus_url(&self, cluster: &str) -> Option<String> {
        self.cluster_url(cluster).map(|url| format!("{url}/prometheus"))
    }

    /// Applies `delivery/<environment>.yaml` of the fleet to the cluster of that environment, as a platform team does
    /// once. Everything else follows from it.
    ///
    /// # Errors
    /// `sandbox.bootstrap` if no cluster has the environment, if there is no fleet, or if the file cannot be read.
    pub async fn bootstrap(&self, environment: &EnvironmentName) -> Result<(), Problem> {
        let failed = |text: String| Problem::new("sandbox.bootstrap", text);
        let cluster = self.shared.clusters.iter().find(|cluster| cluster.options.environments.contains(environment));
        let cluster = cluster.ok_or_else(|| failed(format!("no cluster of the sandbox has `{environment}`")))?;
        let fleet = self.shared.fleet.as_ref();
        let fleet = fleet.ok_or_else(|| failed("the sandbox has no fleet to sync".to_owned()))?;
        delivery::bootstrap(cluster, fleet, environment).await.map_err(failed)
    }

    /// Makes every cluster look at the fleet now.
    pub fn poke(&self) {
        for cluster in &self.shared.clusters {
            cluster.poke.notify_one();
        }
    }

    /// Asks pods of a cluster to behave in some way from now on, whatever their image is called. Says whether there is such
    /// a cluster.
    #[must_use]
    pub fn behave(&self, cluster: &str, rule: BehaviourRule) -> bool {
        let Some(cluster) = self.shared.cluster(cluster) else { return false };
        cluster.behaviours().add(rule);
        cluster.moods.notify_one();
        true
    }

    /// Stops it and waits until its tasks have ended.
    pub async fn stop(mut self) {
        self.stop.cancel();
        for mut task in std::mem::take(&mut self.tasks) {
            if tokio::time::timeout(GRACE, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Shared {
    fn cluster(&self, name: &str) -> Option<&Arc<Cluster>> {
        self.clusters.iter().find(|cluster| cluster.options.name == name)
    }

    /// The cluster that a path is for, and the path within it.
    fn place<'a>(&self, path: &'a str) -> Option<(&Arc<Cluster>, &'a str)> {
        match path.strip_prefix("/clusters/") {
            Some(rest) => {
                let (name, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                Some((self.cluster(name)?, path))
            }
            None => Some((self.clusters.first()?, path)),
        }
    }
}

async fn route(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let limit = usize::try_from(MAX_BODY_BYTES).unwrap_or(usize::MAX);
    let Ok(body) = to_bytes(body, limit).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "the request is too large for the sandbox\n").into_response();
    };
    let Some((cluster, path)) = shared.place(parts.uri.path()) else {
        return (StatusCode::NOT_FOUND, "the sandbox has no such cluster\n").into_response();
    };
    if let Some(path) = path.strip_prefix("/prometheus/") {
        // A query over a long time is work, and must not hold up watches.
        let (cluster, path) = (Arc::clone(cluster), path.to_owned());
        let answer = tokio::task::spawn_blocking(move || prometheus::answer(&cluster, &path, &parts, &body));
        return answer.await.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    }
    match path.strip_prefix("/sandbox/") {
        Some(path) => control(cluster, path, &parts.method, &body),
        None => api::answer(cluster, path, &parts, &body),
    }
}

/// What no real cluster has: telling pods how to behave, and forgetting history.
fn control(cluster: &Cluster, path: &str, method: &Method, body: &Bytes) -> Response {
    if path == "compact" && method == Method::POST {
        cluster.store().compact();
        return StatusCode::NO_CONTENT.into_response();
    }
    if path == "poke" && method == Method::POST {
        cluster.poke.notify_one();
        return StatusCode::NO_CONTENT.into_response();
    }
    if path != "behaviours" {
        return (StatusCode::NOT_FOUND, "the sandbox has no such control\n").into_response();
    }
    if method != Method::GET {
        let text: &[u8] = if body.is_empty() { b"{}" } else { body };
        let rule: BehaviourRule = match serde_json::from_slice(text) {
            Ok(rule) => rule,
            Err(error) => {
                let detail = format!("the behaviour cannot be read: {error}");
                return json_answer(StatusCode::BAD_REQUEST, &json!({"detail": detail}));
            }
        };
        match *method {
            Method::POST => cluster.behaviours().add(rule),
            Method::DELETE => cluster.behaviours().remove(&rule),
            _ => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
        }
        cluster.moods.notify_one();
    }
    json_answer(StatusCode::OK, &json!({"sandbox": true, "behaviours": cluster.behaviours().all()}))
}
