//! What the process counts about itself, in Prometheus' text form, and the log line of each request.

use std::sync::atomic::AtomicU64;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::problem::{Answer, TraceId, internal};
use super::state::AppState;

type Count = Gauge<i64, std::sync::atomic::AtomicI64>;
type Amount = Gauge<f64, AtomicU64>;

/// Which requests are counted together. The route is the pattern and never the path, of which there are endlessly many.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

/// Which deliveries of forges are counted together. The event is one of a few words, whatever was sent.
#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct HookLabels {
    forge: &'static str,
    event: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct JobLabels {
    kind: String,
    state: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct StateLabels {
    state: String,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ClusterLabels {
    cluster: String,
}

/// The counters of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Telemetry {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    hooks: Family<HookLabels, Counter>,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

/// From a millisecond to about half a minute.
fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.001, 2.0, 16))
}

impl Telemetry {
    pub(super) fn new() -> Self {
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            hooks: Family::default(),
        }
    }

    fn count(&self, method: &'static str, route: String, status: u16, seconds: f64) {
        self.durations.get_or_create(&RouteLabels { method, route: route.clone() }).observe(seconds);
        self.requests.get_or_create(&RequestLabels { method, route, status }).inc();
    }

    pub(super) fn count_hook(&self, forge: &'static str, event: &'static str, result: &'static str) {
        self.hooks.get_or_create(&HookLabels { forge, event, result }).inc();
    }
}

/// Middleware: counts each request, and writes a line about it into the log.
pub(super) async fn observe(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = name_of(request.method());
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let trace = request.extensions().get::<TraceId>().map(|id| id.as_str().to_owned()).unwrap_or_default();
    let response = next.run(request).await;
    let (status, elapsed) = (response.status().as_u16(), began.elapsed());
    tracing::info!(target: "wooo::access", method, route, status, ms = elapsed.as_millis(), trace_id = trace);
    state.telemetry().count(method, route, status, elapsed.as_secs_f64());
    response
}

/// A method as a label: whoever makes up methods makes no new series.
fn name_of(method: &axum::http::Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

/// `GET /metrics`. What the database knows is left out while it does not answer.
pub(super) async fn metrics(State(state): State<AppState>) -> Result<Response, Answer> {
    let mut registry = Registry::with_prefix("wooo");
    let telemetry = state.telemetry();
    registry.register("http_requests", "Requests that were answered", telemetry.requests.clone());
    registry.register("http_request_duration_seconds", "How long answers took", telemetry.durations.clone());
    registry.register("webhook_deliveries", "Deliveries of forges, by what became of them", telemetry.hooks.clone());
    registry.register("build", "What runs", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    let reachable = Count::default();
    registry.register("database_up", "Whether the database answers", reachable.clone());
    match of_database(&state, &mut registry).await {
        Ok(()) => {
            reachable.set(1);
        }
        Err(error) => tracing::warn!(%error, "the database gives no figures"),
    }
    of_clusters(&state, &mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|_| internal())?;
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, media_type)], text).into_response())
}

async fn of_database(state: &AppState, registry: &mut Registry) -> Result<(), crate::store::Error> {
    let jobs = Family::<JobLabels, Count>::default();
    for count in state.store().job_counts().await? {
        let labels = JobLabels { kind: count.kind, state: count.state.to_string() };
        jobs.get_or_create(&labels).set(count.count);
    }
    let oldest = Amount::default();
    oldest.set(state.store().oldest_job_wait().await?.unwrap_or_default().as_secs_f64());
    let changes = Family::<StateLabels, Count>::default();
    for (change, count) in state.store().change_counts().await? {
        changes.get_or_create(&StateLabels { state: change.to_string() }).set(count);
    }
    let deliveries = Family::<StateLabels, Count>::default();
    let (pending, processed) = state.store().delivery_counts().await?;
    for (word, count) in [("pending", pending), ("processed", processed)] {
        deliveries.get_or_create(&StateLabels { state: word.to_owned() }).set(count);
    }
    registry.register("deliveries", "Deliveries that are kept", deliveries);
    registry.register("jobs", "Jobs in the table", jobs);
    registry.register("oldest_job_wait_seconds", "How long the oldest job that could run has waited", oldest);
    registry.register("changes", "Changes by state", changes);
    Ok(())
}

fn of_clusters(state: &AppState, registry: &mut Registry) {
    let fresh = Family::<ClusterLabels, Count>::default();
    for cluster in state.service.clusters.names() {
        let is_fresh = state.service.clusters.status(cluster).is_some_and(|status| !status.is_stale);
        fresh.get_or_create(&ClusterLabels { cluster: cluster.to_string() }).set(i64::from(is_fresh));
    }
    registry.register("cluster_fresh", "Whether what is known of a cluster can be trusted", fresh);
}
