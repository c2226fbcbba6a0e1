//! `/api/changes`: what was asked for, how far it has come, and what people do about it.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::answers::{Reading, Writing};
use super::apps::{etag, facts};
use super::new_app::checked;
use super::paging::{Listing, paging};
use super::reach;
use super::view::{ChangeView, DeploymentView, StepView, step_views};
use crate::domain::{AppName, ChangeId, ChangeState, EnvironmentName, Problem};
use crate::git::CommitId;
use crate::operations::{compare, lifecycle};
use crate::store::{Change, ChangeFilter, FleetName};
use crate::web::auth::Access;
use crate::web::body::{Id, JsonBody, Parameters};
use crate::web::problem::Answer;
use crate::web::state::AppState;

/// Which changes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ChangesQuery {
    /// Of one fleet.
    #[param(value_type = Option<String>)]
    fleet: Option<FleetName>,
    /// Of one app, by its name.
    #[param(value_type = Option<String>)]
    app: Option<AppName>,
    /// In one environment, or in all of them at once.
    #[param(value_type = Option<String>)]
    environment: Option<EnvironmentName>,
    /// In one of these states, with commas between them.
    #[param(example = "accepted,proposed")]
    state: Option<String>,
    /// By one actor.
    actor: Option<String>,
    /// With this verb.
    action: Option<String>,
    /// How many at most, 1 to 200; 50 if absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List changes
#[utoipa::path(get, path = "/api/changes", tag = "changes", operation_id = "list_changes", params(ChangesQuery),
    responses((status = 200, description = "A page of changes, newest first", body = Listing<ChangeView>), Reading))]
pub(super) async fn list(
    State(state): State<AppState>,
    access: Access,
    Parameters(query): Parameters<ChangesQuery>,
) -> Result<Json<Listing<ChangeView>>, Answer> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    let states = query.state.as_deref().map(states).transpose()?.unwrap_or_default();
    let filter = ChangeFilter {
        scope: reach::scope(&state, &access),
        fleet: query.fleet,
        app: query.app,
        environment: query.environment,
        states,
        actor: query.actor,
        action: query.action,
    };
    Ok(Json(Listing::of(state.store().changes(&filter, &paging).await?, Into::into)))
}

fn states(text: &str) -> Result<Vec<ChangeState>, Problem> {
    let one = |word: &str| {
        word.trim()
            .parse()
            .map_err(|_| Problem::new("query.invalid", "there is no such state of a change").field("state"))
    };
    text.split(',').map(one).collect()
}

/// A change with what a reviewer reads of it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ChangeDetail {
    #[serde(flatten)]
    change: ChangeView,
    /// What differs, by environment, riskiest first.
    #[schema(value_type = Vec<Object>)]
    diffs: Value,
    /// The files that it writes or removes.
    #[schema(value_type = Vec<String>)]
    files: Value,
    /// How far it has come.
    steps: Vec<StepView>,
    /// What it is in each environment.
    deployments: Vec<DeploymentView>,
}

/// Read a change
#[utoipa::path(get, path = "/api/changes/{id}", tag = "changes", operation_id = "read_change",
    params(("id" = String, Path, description = "The change's id")),
    responses((status = 200, description = "The change", body = ChangeDetail,
        headers(("ETag" = String, description = "Its version"))), Reading))]
pub(super) async fn read(
    State(state): State<AppState>,
    access: Access,
    Id(id): Id<String>,
) -> Result<Response, Answer> {
    let change = reach::change(&state, &access, &id).await?;
    let content = state.store().change_content(&change.id).await?.unwrap_or_default();
    let deployments = state.store().deployments_of(&change.id).await?;
    let steps = steps_of(&state, &change).await?;
    let tag = etag(change.version);
    let detail = ChangeDetail {
        change: change.into(),
        diffs: content.diffs,
        files: content.files,
        steps,
        deployments: deployments.into_iter().map(Into::into).collect(),
    };
    Ok(([(header::ETAG, tag)], Json(detail)).into_response())
}

/// How far a change has come, in the six steps.
pub(super) async fn steps_of(state: &AppState, change: &Change) -> Result<Vec<StepView>, Answer> {
    let Some(id) = &change.app_id else { return Ok(Vec::new()) };
    let Some(app) = state.store().app(id).await? else { return Ok(Vec::new()) };
    let placements = state.store().placements(id).await?;
    Ok(step_views(&facts(&app, Some(change), &placements)))
}

/// What was looked at before it is merged.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Merge {
    /// The commit that was looked at. Without it, what is there is merged.
    #[schema(value_type = Option<String>, example = "9fceb02d0ae598e95dc970b74767f19372d61af8")]
    head: Option<String>,
}

/// Merge a change
///
/// Only what was looked at is merged, and never past what the forge demands.
#[utoipa::path(post, path = "/api/changes/{id}/merge", tag = "changes", operation_id = "merge_change",
    params(("id" = String, Path, description = "The change's id"), crate::web::idempotency::Header),
    request_body(content = Merge, example = json!({"head": "9fceb02d0ae598e95dc970b74767f19372d61af8"})),
    responses((status = 202, description = "It is merged, and its cluster is being watched", body = ChangeView), Writing))]
pub(super) async fn merge(
    State(state): State<AppState>,
    access: Access,
    Id(id): Id<String>,
    JsonBody(body): JsonBody<Merge>,
) -> Result<Response, Answer> {
    let change = reach::change(&state, &access, &id).await?;
    let head = body.head.map(|text| text.parse::<CommitId>()).transpose();
    let head = head.map_err(|_| Problem::new("spec.value", "`head` is not the id of a commit").field("head"))?;
    let change = lifecycle::merge(&state.service, &change.id, &access.principal().display, head).await?;
    Ok((axum::http::StatusCode::ACCEPTED, Json(ChangeView::from(change))).into_response())
}

/// Why a change is not wanted.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Close {
    /// Why.
    #[schema(example = "not before the sale")]
    reason: Option<String>,
}

/// Close a change
///
/// Closed means no: it is not proposed again by itself.
#[utoipa::path(post, path = "/api/changes/{id}/close", tag = "changes", operation_id = "close_change",
    params(("id" = String, Path, description = "The change's id"), crate::web::idempotency::Header),
    request_body(content = Close, example = json!({"reason": "not before the sale"})),
    responses((status = 200, description = "It is closed", body = ChangeView), Writing))]
pub(super) async fn close(
    State(state): State<AppState>,
    access: Access,
    Id(id): Id<String>,
    JsonBody(body): JsonBody<Close>,
) -> Result<Json<ChangeView>, Answer> {
    let change = reach::change(&state, &access, &id).await?;
    let reason = body.reason.map(|reason| checked(&reason)).transpose()?;
    let actor = access.principal().to_string();
    let change = lifecycle::close(&state.service, &change.id, &actor, reason.as_deref()).await?;
    Ok(Json(change.into()))
}

/// Read a change's diff
///
/// The unified text of the manifests, as a reviewer would see it.
#[utoipa::path(get, path = "/api/changes/{id}/diff", tag = "changes", operation_id = "read_change_diff",
    params(("id" = String, Path, description = "The change's id")),
    responses((status = 200, description = "The text, empty while there is no commit", body = String,
        content_type = "text/plain", example = "--- a/rendered/staging/event-system\n+++ b/rendered/staging/event-system\n"),
        Reading))]
pub(super) async fn diff(
    State(state): State<AppState>,
    access: Access,
    Id(id): Id<String>,
) -> Result<Response, Answer> {
    let change = reach::change(&state, &access, &id).await?;
    let commit = change.commit_sha.as_deref().and_then(|commit| commit.parse::<CommitId>().ok());
    let text = match commit {
        Some(commit) => text_of(&state, &change, commit).await?,
        None => String::new(),
    };
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

async fn text_of(state: &AppState, change: &Change, commit: CommitId) -> Result<String, Answer> {
    let id: ChangeId = change.id.clone();
    let text = state.service.fleet(&change.fleet)?.with_place(move |place| {
        let info = place.repository.commit_info(commit)?;
        let Some(parent) = info.parents.first() else {
            return Err(Problem::new("change.incomplete", format!("the commit of change {id} has no parent")).into());
        };
        let (before, after) = (place.repository.tree(*parent)?, place.repository.tree(commit)?);
        let diffs = compare::run(&before, &after)?;
        Ok(diffs.into_iter().map(|diff| diff.text).collect::<Vec<_>>().join("\n"))
    });
    Ok(text.await?)
}
