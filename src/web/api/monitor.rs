//! `/api/monitor`: the figures of apps, and how well clusters are known.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::answers::Reading;
use super::paging::Listing;
use super::reach;
use crate::domain::{Framework, Problem};
use crate::metrics::AppQueries;
use crate::operations::fleet::Fleet;
use crate::store::{AppId, AppRecord, CachedMetric, Placement};
use crate::web::auth::Access;
use crate::web::body::Id;
use crate::web::problem::Answer;
use crate::web::state::AppState;

/// How long figures are fresh.
const FRESH: Duration = Duration::from_secs(15);
/// The figure that says that all were asked for, also where none has a value.
const ASKED: &str = "asked";

/// The figures of an app in one environment. A figure is null where there is nothing to count.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Figures {
    /// The environment.
    #[schema(example = "staging")]
    environment: String,
    /// The cluster.
    cluster: String,
    /// The time of the figures; null if they could not be had.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// `availability_percent`, `requests_per_second`, `p95_seconds`, `error_ratio`, `memory_ratio`, `cpu_cores`,
    /// `restarts`; those without a value are left out.
    #[schema(value_type = std::collections::BTreeMap<String, f64>)]
    figures: Map<String, Value>,
    /// Why there are none.
    problem: Option<String>,
}

/// Read an app's figures
///
/// As its dashboard asks for them, at most 15 seconds old.
#[utoipa::path(get, path = "/api/monitor/apps/{id}", tag = "monitor", operation_id = "read_app_metrics",
    params(("id" = String, Path, description = "The app's id")),
    responses((status = 200, description = "Its figures in each environment", body = Listing<Figures>), Reading))]
pub(super) async fn app(
    State(state): State<AppState>,
    access: Access,
    Id(id): Id<String>,
) -> Result<Json<Listing<Figures>>, Answer> {
    let app = reach::app(&state, &access, &id).await?;
    let settings = state.service.fleet(&app.fleet)?.settings().await?;
    let mut all = Vec::new();
    for placement in state.store().placements(&app.id).await? {
        let Ok((place, _)) = settings.place(&placement.environment) else { continue };
        let mut figures = Figures {
            environment: placement.environment.to_string(),
            cluster: place.cluster.to_string(),
            at: None,
            figures: Map::new(),
            problem: None,
        };
        match cached_or_asked(&state, &app, &placement, &place.namespace_of(&app.name), place).await {
            Ok((at, found)) => (figures.at, figures.figures) = (Some(at), found),
            Err(problem) => figures.problem = Some(problem.detail),
        }
        all.push(figures);
    }
    Ok(Json(Listing::whole(all)))
}

async fn cached_or_asked(
    state: &AppState,
    app: &AppRecord,
    placement: &Placement,
    namespace: &str,
    place: &crate::domain::fleet::Environment,
) -> Result<(Timestamp, Map<String, Value>), Problem> {
    let known = state.store().cached_metrics(&app.id, &placement.environment).await?;
    if let Some(asked) = known.iter().find(|metric| metric.metric == ASKED) {
        let at = asked.at;
        let figures = known.into_iter().filter(|metric| metric.metric != ASKED);
        return Ok((at, figures.map(|metric| (metric.metric, metric.value.into())).collect()));
    }
    let Some(prometheus) = state.prometheus.get(&place.cluster) else {
        let detail = format!("this service is told of no Prometheus for `{}`", place.cluster);
        return Err(Problem::new("monitor.no_prometheus", detail));
    };
    let queries = queries(state, app, placement, namespace).await?;
    let at = Timestamp::now();
    let found = prometheus.summary(&queries, at).await.map_err(|error| {
        tracing::warn!(%error, cluster = %place.cluster, "no figures");
        Problem::new("monitor.unavailable", "Prometheus did not answer as expected")
    })?;
    let figures = match serde_json::to_value(found) {
        Ok(Value::Object(map)) => map.into_iter().filter(|(_, value)| value.is_number()).collect(),
        _ => Map::new(),
    };
    keep(state, &app.id, placement, at, &figures).await;
    Ok((at, figures))
}

/// What the dashboard of the app asks too: its workers' containers, and its own way to count requests.
async fn queries(
    state: &AppState,
    app: &AppRecord,
    placement: &Placement,
    namespace: &str,
) -> Result<AppQueries, Problem> {
    let (name, environment) = (app.name.clone(), placement.environment.clone());
    let found = state.service.fleet(&app.fleet)?.with_place(move |place| {
        let tree = place.tree()?;
        Fleet::open(&tree)?.app(&name, &environment)
    });
    let found = found.await.map_err(|problems| {
        let first = problems.into_vec().into_iter().next();
        first.unwrap_or_else(|| Problem::new("app.not_found", "there is no such app"))
    })?;
    let queries = AppQueries::new(namespace, &app.name);
    let Some(found) = found else { return Ok(queries) };
    let queries = queries.containers(found.spec.workers.iter().map(|worker| worker.name.to_string()));
    Ok(match (&found.spec.metrics_path, found.spec.framework) {
        (Some(_), Some(framework)) => queries.metrics(requests(&found.spec.metrics, framework)),
        _ => queries,
    })
}

fn requests(metrics: &crate::domain::alerts::Metrics, framework: Framework) -> crate::domain::alerts::RequestMetrics {
    metrics.resolve(framework)
}

async fn keep(state: &AppState, app: &AppId, placement: &Placement, at: Timestamp, figures: &Map<String, Value>) {
    let values = figures.iter().filter_map(|(name, value)| Some((name.clone(), value.as_f64()?)));
    for (metric, value) in values.chain([(ASKED.to_owned(), 1.0)]) {
        let metric = CachedMetric { metric, at, value };
        if let Err(error) = state.store().cache_metric(app, &placement.environment, &metric, FRESH).await {
            tracing::debug!(%error, "figures are not kept");
        }
    }
}

/// How well a cluster is known.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ClusterView {
    /// Its name.
    cluster: String,
    /// Whether what is known of it cannot be trusted.
    is_stale: bool,
    /// What is known: `last_heard`, `version`, `has_argocd`, `has_flux`, `has_cert_manager`, `errors`, counts of objects.
    #[schema(value_type = Object)]
    status: Value,
}

/// List clusters
///
/// How well each is known. For administrators, since clusters belong to no tenant.
#[utoipa::path(get, path = "/api/monitor/clusters", tag = "monitor", operation_id = "list_clusters",
    responses((status = 200, description = "All clusters", body = Listing<ClusterView>), Reading))]
pub(super) async fn clusters(State(state): State<AppState>) -> Json<Listing<ClusterView>> {
    let clusters = &state.service.clusters;
    let view = |name: &crate::domain::ClusterName| {
        let status = clusters.status(name)?;
        let is_stale = status.is_stale;
        Some(ClusterView { cluster: name.to_string(), is_stale, status: serde_json::to_value(status).ok()? })
    };
    Json(Listing::whole(clusters.names().filter_map(view).collect()))
}
