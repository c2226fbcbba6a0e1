//! `/api/alerts`, `/api/repair` and `/api/audit`: what was alerted, what was done about it, and who did what.

use axum::Json;
use axum::extract::State;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::answers::Reading;
use super::paging::{Listing, paging};
use super::reach;
use crate::domain::{AppName, ChangeId, EnvironmentName, Problem};
use crate::store::{
    Alert, AlertFilter, AlertStatus, AppId, AuditEntry, AuditFilter, AuditSource, FleetName, Incident, IncidentFilter,
    Repair, RepairFilter,
};
use crate::web::auth::Access;
use crate::web::body::Parameters;
use crate::web::problem::Answer;
use crate::web::state::AppState;

/// Which alerts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AlertsQuery {
    /// Of one app, by its id.
    app_id: Option<String>,
    /// In one environment.
    #[param(value_type = Option<String>)]
    environment: Option<EnvironmentName>,
    /// `firing` or `resolved`.
    status: Option<String>,
    /// As bad as this.
    severity: Option<String>,
    /// That fired at or after this.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// How many at most, 1 to 200; 50 if absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// An alert.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct AlertView {
    /// Its identity.
    id: String,
    /// The app; null if no app claims it.
    app_id: Option<String>,
    /// The environment.
    environment: String,
    /// Its name.
    #[schema(example = "AppDown")]
    alert_name: String,
    /// How bad it is.
    #[schema(example = "critical")]
    severity: String,
    /// `firing` or `resolved`.
    #[schema(example = "firing")]
    status: String,
    /// What it says.
    description: Option<String>,
    /// Its labels.
    #[schema(value_type = Object)]
    labels: Value,
    /// Its annotations.
    #[schema(value_type = Object)]
    annotations: Value,
    /// Since when it fires.
    #[schema(value_type = String, format = DateTime)]
    fired_at: Timestamp,
    /// Since when it no longer does.
    #[schema(value_type = Option<String>, format = DateTime)]
    resolved_at: Option<Timestamp>,
}

impl From<Alert> for AlertView {
    fn from(alert: Alert) -> Self {
        Self {
            id: alert.id.to_string(),
            app_id: alert.app_id.map(|id| id.to_string()),
            environment: alert.environment.to_string(),
            alert_name: alert.alert_name,
            severity: alert.severity,
            status: alert.status.to_string(),
            description: alert.description,
            labels: alert.labels,
            annotations: alert.annotations,
            fired_at: alert.fired_at,
            resolved_at: alert.resolved_at,
        }
    }
}

/// List alerts
#[utoipa::path(get, path = "/api/alerts", tag = "alerts", operation_id = "list_alerts", params(AlertsQuery),
    responses((status = 200, description = "A page of alerts, the latest first", body = Listing<AlertView>), Reading))]
pub(super) async fn alerts(
    State(state): State<AppState>,
    access: Access,
    Parameters(query): Parameters<AlertsQuery>,
) -> Result<Json<Listing<AlertView>>, Answer> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let status = query.status.as_deref().map(str::parse::<AlertStatus>).transpose();
    let status =
        status.map_err(|_| Problem::new("query.invalid", "there is no such status of an alert").field("status"))?;
    let filter = AlertFilter {
        scope: reach::scope(&state, &access),
        app: own(&state, &access, query.app_id.as_deref()).await?,
        environment: query.environment,
        status,
        severity: query.severity,
        since: query.since,
    };
    Ok(Json(Listing::of(state.store().alerts(&filter, &paging).await?, Into::into)))
}

/// The app that a list is about, if the caller may see it.
async fn own(state: &AppState, access: &Access, id: Option<&str>) -> Result<Option<AppId>, Answer> {
    match id {
        Some(id) => Ok(Some(reach::app(state, access, id).await?.id)),
        None => Ok(None),
    }
}

/// Which repairs or incidents.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RepairsQuery {
    /// Of one app, by its id.
    app_id: Option<String>,
    /// How many at most, 1 to 200; 50 if absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// A repair.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct RepairView {
    /// Its identity.
    id: String,
    /// The app.
    app_id: String,
    /// The alert that it answers.
    alert_id: Option<String>,
    /// The incident that it belongs to.
    incident_id: Option<String>,
    /// The change that it made.
    change_id: Option<String>,
    /// What kind of repair.
    #[schema(example = "restart")]
    repair_type: String,
    /// What was done.
    action_taken: String,
    /// What came of it.
    #[schema(value_type = Option<Object>)]
    result: Option<Value>,
    /// Whether it helped; null while that is open.
    success: Option<bool>,
    /// How long it took, in seconds.
    duration_seconds: Option<u32>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Repair> for RepairView {
    fn from(repair: Repair) -> Self {
        Self {
            id: repair.id.to_string(),
            app_id: repair.app_id.to_string(),
            alert_id: repair.alert_id.map(|id| id.to_string()),
            incident_id: repair.incident_id.map(|id| id.to_string()),
            change_id: repair.change_id.map(|id| id.to_string()),
            repair_type: repair.repair_type,
            action_taken: repair.action_taken,
            result: repair.result,
            success: repair.success,
            duration_seconds: repair.duration_seconds,
            created_at: repair.created_at,
        }
    }
}

/// List repairs
#[utoipa::path(get, path = "/api/repair", tag = "repair", operation_id = "list_repairs", params(RepairsQuery),
    responses((status = 200, description = "A page of repairs, newest first", body = Listing<RepairView>), Reading))]
pub(super) async fn repairs(
    State(state): State<AppState>,
    access: Access,
    Parameters(query): Parameters<RepairsQuery>,
) -> Result<Json<Listing<RepairView>>, Answer> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let app = own(&state, &access, query.app_id.as_deref()).await?;
    let filter = RepairFilter { scope: reach::scope(&state, &access), app, ..RepairFilter::default() };
    Ok(Json(Listing::of(state.store().repairs(&filter, &paging).await?, Into::into)))
}

/// An incident.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct IncidentView {
    /// Its identity.
    id: String,
    /// The app.
    app_id: String,
    /// The environment.
    environment: String,
    /// What is done about it.
    playbook: String,
    /// How far that has come.
    state: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    opened_at: Timestamp,
    /// When it was over.
    #[schema(value_type = Option<String>, format = DateTime)]
    closed_at: Option<Timestamp>,
    /// The rest.
    #[schema(value_type = Option<Object>)]
    detail: Option<Value>,
}

impl From<Incident> for IncidentView {
    fn from(incident: Incident) -> Self {
        Self {
            id: incident.id.to_string(),
            app_id: incident.app_id.to_string(),
            environment: incident.environment.to_string(),
            playbook: incident.playbook,
            state: incident.state,
            opened_at: incident.opened_at,
            closed_at: incident.closed_at,
            detail: incident.detail,
        }
    }
}

/// List incidents
#[utoipa::path(get, path = "/api/repair/incidents", tag = "repair", operation_id = "list_incidents",
    params(RepairsQuery),
    responses((status = 200, description = "A page of incidents, newest first", body = Listing<IncidentView>), Reading))]
pub(super) async fn incidents(
    State(state): State<AppState>,
    access: Access,
    Parameters(query): Parameters<RepairsQuery>,
) -> Result<Json<Listing<IncidentView>>, Answer> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let app = own(&state, &access, query.app_id.as_deref()).await?;
    let filter = IncidentFilter { scope: reach::scope(&state, &access), app, ..IncidentFilter::default() };
    Ok(Json(Listing::of(state.store().incidents(&filter, &paging).await?, Into::into)))
}

/// Which acts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// In one fleet.
    #[param(value_type = Option<String>)]
    fleet: Option<FleetName>,
    /// About one app, by its name.
    #[param(value_type = Option<String>)]
    app: Option<AppName>,
    /// In one environment.
    #[param(value_type = Option<String>)]
    environment: Option<EnvironmentName>,
    /// By one actor.
    actor: Option<String>,
    /// Of one kind.
    action: Option<String>,
    /// Of one change.
    #[param(value_type = Option<String>)]
    change: Option<ChangeId>,
    /// Not before.
    #[param(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
    /// Before.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
    /// How many at most, 1 to 200; 50 if absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// Something that was done.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct AuditView {
    /// Its identity.
    id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who.
    #[schema(example = "github:alice")]
    actor: String,
    /// What.
    #[schema(example = "deploy")]
    action: String,
    /// The tenant that it concerns.
    tenant: Option<String>,
    /// The fleet that it concerns.
    fleet: Option<String>,
    /// The app that it concerns.
    app: Option<String>,
    /// The environment that it concerns.
    environment: Option<String>,
    /// The change that it belongs to.
    change_id: Option<String>,
    /// The commit that it belongs to.
    commit: Option<String>,
    /// The rest.
    #[schema(value_type = Option<Object>)]
    detail: Option<Value>,
    /// `git` if a commit says it, `service` if the service saw it.
    #[schema(example = "git")]
    source: String,
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            at: entry.at,
            actor: entry.actor,
            action: entry.action,
            tenant: entry.tenant.map(|tenant| tenant.to_string()),
            fleet: entry.fleet.map(|fleet| fleet.to_string()),
            app: entry.app.map(|app| app.to_string()),
            environment: entry.environment.map(|environment| environment.to_string()),
            change_id: entry.change_id.map(|id| id.to_string()),
            commit: entry.commit_sha,
            detail: entry.detail,
            source: if entry.source == AuditSource::Git { "git" } else { "service" }.to_owned(),
        }
    }
}

/// Read the audit trail
#[utoipa::path(get, path = "/api/audit", tag = "audit", operation_id = "list_audit", params(AuditQuery),
    responses((status = 200, description = "A page of acts, newest first", body = Listing<AuditView>), Reading))]
pub(super) async fn audit(
    State(state): State<AppState>,
    access: Access,
    Parameters(query): Parameters<AuditQuery>,
) -> Result<Json<Listing<AuditView>>, Answer> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let filter = AuditFilter {
        scope: reach::scope(&state, &access),
        fleet: query.fleet,
        app: query.app,
        environment: query.environment,
        actor: query.actor,
        action: query.action,
        change: query.change,
        since: query.since,
        until: query.until,
    };
    Ok(Json(Listing::of(state.store().audit(&filter, &paging).await?, Into::into)))
}
