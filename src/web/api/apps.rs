//! `/api/apps`: lists and single apps, and what belongs to each.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::answers::Reading;
use super::paging::{Listing, paging};
use super::reach;
use super::view::{AppView, ChangeView, DeploymentView, StepView, step_views};
use crate::domain::{ChangeState, EnvironmentName, Framework, TenantName};
use crate::operations::batch::Unit;
use crate::operations::lifecycle;
use crate::operations::steps::Facts;
use crate::store::{
    AppFilter, AppRecord, Change, ChangeFilter, DeploymentFilter, DeploymentStatus, FleetName, Limit, Paging, Placement,
};
use crate::web::auth::Access;
use crate::web::body::{Id, Parameters};
use crate::web::problem::Answer;
use crate::web::state::AppState;

/// Which apps.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AppsQuery {
    /// Of one fleet.
    #[param(value_type = Option<String>)]
    fleet: Option<FleetName>,
    /// Of one tenant.
    #[param(value_type = Option<String>)]
    tenant: Option<TenantName>,
    /// With this status.
    status: Option<String>,
    /// Built with this.
    #[param(value_type = Option<String>)]
    framework: Option<Framework>,
    /// In this environment.
    #[param(value_type = Option<String>)]
    environment: Option<EnvironmentName>,
    /// Whose name begins like this.
    q: Option<String>,
    /// How many at most, 1 to 200; 50 if absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List apps
///
/// By name. Only what belongs to the caller's tenants is there.
#[utoipa::path(get, path = "/api/apps", tag = "apps", operation_id = "list_apps", params(AppsQuery),
    responses((status = 200, description = "A page of apps", body = Listing<AppView>), Reading))]
pub(super) async fn list(
    State(state): State<AppState>,
    access: Access,
    Parameters(query): Parameters<AppsQuery>,
) -> Result<Json<Listing<AppView>>, Answer> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let filter = AppFilter {
        scope: reach::scope(&state, &access),
        fleet: query.fleet,
        tenant: query.tenant,
        status: query.status,
        framework: query.framework,
        environment: query.environment,
        prefix: query.q,
    };
    let page = state.store().apps(&filter, &paging).await?;
    let ids: Vec<_> = page.items.iter().map(|app| app.id.clone()).collect();
    let mut placements = state.store().placements_of(&ids).await?;
    let view = |app: AppRecord| {
        let (own, others): (Vec<Placement>, Vec<Placement>) =
            std::mem::take(&mut placements).into_iter().partition(|placement| placement.app_id == app.id);
        placements = others;
        AppView::new(app, own)
    };
    Ok(Json(Listing::of(page, view)))
}

/// An app with how far it has come.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct AppDetail {
    #[serde(flatten)]
    app: AppView,
    /// How far the newest change of it has come.
    steps: Vec<StepView>,
    /// The newest change of it.
    change: Option<ChangeView>,
}

/// Read an app
///
/// With where it is, how far its newest change has come, and its version as ETag.
#[utoipa::path(get, path = "/api/apps/{id}", tag = "apps", operation_id = "read_app",
    params(("id" = String, Path, description = "The app's id", example = "app-3f2a9c01de")),
    responses((status = 200, description = "The app", body = AppDetail,
        headers(("ETag" = String, description = "Its version, for If-Match"))), Reading))]
pub(super) async fn read(
    State(state): State<AppState>,
    access: Access,
    Id(id): Id<String>,
) -> Result<Response, Answer> {
    let app = reach::app(&state, &access, &id).await?;
    let placements = state.store().placements(&app.id).await?;
    let newest = newest_change(&state, &app).await?;
    let facts = facts(&app, newest.as_ref(), &placements);
    let tag = etag(app.version);
    let detail =
        AppDetail { app: AppView::new(app, placements), steps: step_views(&facts), change: newest.map(Into::into) };
    Ok(([(header::ETAG, tag)], Json(detail)).into_response())
}

/// The entity tag of a version.
pub(super) fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

async fn newest_change(state: &AppState, app: &AppRecord) -> Result<Option<Change>, Answer> {
    let filter =
        ChangeFilter { fleet: Some(app.fleet.clone()), app: Some(app.name.clone()), ..ChangeFilter::default() };
    let paging = Paging { limit: Limit::new(1), after: None };
    Ok(state.store().changes(&filter, &paging).await?.items.into_iter().next())
}

/// What is known of an app's newest change. Once its controller has applied anything of the app, what is applied together
/// is there.
pub(super) fn facts(app: &AppRecord, change: Option<&Change>, placements: &[Placement]) -> Facts {
    let of_change = |placement: &&Placement| {
        change.and_then(|change| change.environment.as_ref()).is_none_or(|own| *own == placement.environment)
    };
    let here: Vec<&Placement> = placements.iter().filter(of_change).collect();
    let is_applied = !here.is_empty() && here.iter().all(|placement| placement.seen.applied_revision.is_some());
    let state = change.map(|change| change.state);
    let is_onboarding = change.is_some_and(|change| change.action == "onboard");
    let is_live = match state {
        // Until it is merged nothing of a new app can be there.
        Some(ChangeState::Accepted | ChangeState::Proposed) if is_onboarding => false,
        Some(ChangeState::Settled) if is_onboarding => {
            change.and_then(|change| change.outcome) != Some(crate::domain::Outcome::TimedOut)
        }
        // An app that is there is still there while its next change is on its way.
        _ => is_applied,
    };
    let certificates: Vec<bool> = here.iter().filter_map(|placement| certificate(placement)).collect();
    Facts {
        state,
        outcome: change.and_then(|change| change.outcome),
        is_live,
        has_host: app.domain.is_some() || here.iter().any(|placement| placement.host.is_some()),
        certificate: (!certificates.is_empty()).then(|| certificates.iter().all(|issued| *issued)),
    }
}

/// Whether the certificate is issued, as the cluster was last seen to say.
fn certificate(placement: &Placement) -> Option<bool> {
    let certificates = placement.seen.detail.as_ref()?.get("certificates")?.as_array()?;
    let is_ready = |certificate: &Value| certificate.get("is_ready").and_then(Value::as_bool).unwrap_or(false);
    (!certificates.is_empty()).then(|| certificates.iter().all(is_ready))
}

/// A setting of an app.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ConfigView {
    /// The environment that it holds for; null for all.
    environment: Option<String>,
    /// Its name.
    #[schema(example = "env.TZ")]
    key: String,
    /// Its value; null for a secret, whose value is kept nowhere but encrypted in Git.
    value: Option<String>,
    /// Whether it is a secret.
    is_secret: bool,
}

/// List an app's settings
#[utoipa::path(get, path = "/api/apps/{id}/configs", tag = "apps", operation_id = "list_app_configs",
    params(("id" = String, Path, description = "The app's id")),
    responses((status = 200, description = "All its settings", body = Listing<ConfigView>), Reading))]
pub(super) async fn configs(
    State(state): State<AppState>,
    access: Access,
    Id(id): Id<String>,
) -> Result<Json<Listing<ConfigView>>, Answer> {
    let app = reach::app(&state, &access, &id).await?;
    let configs = state.store().app_configs(&app.id).await?;
    let view = |config: crate::store::AppConfig| ConfigView {
        environment: config.environment.map(|environment| environment.to_string()),
        key: config.key,
        value: config.value,
        is_secret: config.is_secret,
    };
    Ok(Json(Listing::whole(configs.into_iter().map(view).collect())))
}

/// Which of an app's deployments or changes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// In one environment.
    #[param(value_type = Option<String>)]
    environment: Option<EnvironmentName>,
    /// How many at most, 1 to 200; 50 if absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List an app's deployments
#[utoipa::path(get, path = "/api/apps/{id}/deployments", tag = "apps", operation_id = "list_app_deployments",
    params(("id" = String, Path, description = "The app's id"), HistoryQuery),
    responses((status = 200, description = "Its deployments, newest first", body = Listing<DeploymentView>), Reading))]
pub(super) async fn deployments(
    State(state): State<AppState>,
    access: Access,
    Id(id): Id<String>,
    Parameters(query): Parameters<HistoryQuery>,
) -> Result<Json<Listing<DeploymentView>>, Answer> {
    let app = reach::app(&state, &access, &id).await?;
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let filter = DeploymentFilter { app: Some(app.id), environment: query.environment, ..DeploymentFilter::default() };
    Ok(Json(Listing::of(state.store().deployments(&filter, &paging).await?, Into::into)))
}

/// List an app's changes
#[utoipa::path(get, path = "/api/apps/{id}/changes", tag = "apps", operation_id = "list_app_changes",
    params(("id" = String, Path, description = "The app's id"), HistoryQuery),
    responses((status = 200, description = "Its changes, newest first", body = Listing<ChangeView>), Reading))]
pub(super) async fn changes(
    State(state): State<AppState>,
    access: Access,
    Id(id): Id<String>,
    Parameters(query): Parameters<HistoryQuery>,
) -> Result<Json<Listing<ChangeView>>, Answer> {
    let app = reach::app(&state, &access, &id).await?;
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let filter = ChangeFilter {
        fleet: Some(app.fleet),
        app: Some(app.name),
        environment: query.environment,
        ..ChangeFilter::default()
    };
    Ok(Json(Listing::of(state.store().changes(&filter, &paging).await?, Into::into)))
}

/// How an app is in an environment, as its cluster says now.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct LiveView {
    /// The environment.
    environment: String,
    /// The cluster.
    cluster: String,
    /// `unknown` if nothing that can be trusted is known.
    #[schema(example = "healthy")]
    health: String,
    /// What the cluster says: workloads, pods, events, certificates, and what the controller says of itself.
    #[schema(value_type = Option<Object>)]
    report: Option<Value>,
    /// What the cluster has and the fleet does not say.
    #[schema(value_type = Vec<Object>)]
    drift: Vec<Value>,
    /// The time of this look.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
}

/// Look at an app now
///
/// Asks what is known of its clusters at this moment, not the index.
#[utoipa::path(get, path = "/api/apps/{id}/status", tag = "apps", operation_id = "read_app_status",
    params(("id" = String, Path, description = "The app's id")),
    responses((status = 200, description = "How it is in each environment", body = Listing<LiveView>), Reading))]
pub(super) async fn status(
    State(state): State<AppState>,
    access: Access,
    Id(id): Id<String>,
) -> Result<Json<Listing<LiveView>>, Answer> {
    let app = reach::app(&state, &access, &id).await?;
    let settings = state.service.fleet(&app.fleet)?.settings().await?;
    let mut views = Vec::new();
    for placement in state.store().placements(&app.id).await? {
        let unit = Unit { app: app.name.clone(), environment: placement.environment.clone() };
        // An environment that has left the fleet is not looked at any more.
        let Ok(sight) = lifecycle::look(&state.service, &settings, &unit) else { continue };
        let drift = placement.seen.drift.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
        let health = match &sight.report {
            Some(_) => placement.seen.health.clone().unwrap_or_else(|| "progressing".to_owned()),
            None => "unknown".to_owned(),
        };
        views.push(LiveView {
            environment: placement.environment.to_string(),
            cluster: sight.cluster.to_string(),
            health,
            report: sight.report.and_then(|report| serde_json::to_value(report).ok()),
            drift,
            at: Timestamp::now(),
        });
    }
    Ok(Json(Listing::whole(views)))
}

/// Which deployments.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct DeploymentsQuery {
    /// Of one app, by its id.
    app_id: Option<String>,
    /// In one environment.
    #[param(value_type = Option<String>)]
    environment: Option<EnvironmentName>,
    /// With this status.
    status: Option<String>,
    /// How many at most, 1 to 200; 50 if absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List deployments
#[utoipa::path(get, path = "/api/deploy", tag = "deploy", operation_id = "list_deployments", params(DeploymentsQuery),
    responses((status = 200, description = "Deployments, newest first", body = Listing<DeploymentView>), Reading))]
pub(super) async fn all_deployments(
    State(state): State<AppState>,
    access: Access,
    Parameters(query): Parameters<DeploymentsQuery>,
) -> Result<Json<Listing<DeploymentView>>, Answer> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let status = query.status.as_deref().map(str::parse::<DeploymentStatus>).transpose().map_err(|_| {
        crate::domain::Problem::new("query.invalid", "there is no such status of a deployment").field("status")
    })?;
    let app = match &query.app_id {
        Some(id) => Some(reach::app(&state, &access, id).await?.id),
        None => None,
    };
    let filter = DeploymentFilter { scope: reach::scope(&state, &access), app, environment: query.environment, status };
    Ok(Json(Listing::of(state.store().deployments(&filter, &paging).await?, Into::into)))
}
