//! Wishes about an app that is there: deploy, configure, rollback, restart, scale, resize, promote, hold, unhold, offboard.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::answers::Writing;
use super::apps::etag;
use super::new_app::checked;
use super::onboard::Preview;
use super::reach;
use super::view::ChangeView;
use crate::domain::app_spec::Replicas;
use crate::domain::intent::Size;
use crate::domain::{Action, AppName, ChangeState, Cpu, EnvironmentName, ImageRef, Intent, Memory, PlanName, Problem};
use crate::operations::lifecycle::{self, Wish};
use crate::store::{AppRecord, FleetName};
use crate::web::auth::Access;
use crate::web::body::{Id, JsonBody, Parameters};
use crate::web::problem::Answer;
use crate::web::state::AppState;
use crate::yaml;

/// Writes a wish down and answers with its change.
async fn ask(
    state: &AppState,
    access: &Access,
    app: &AppRecord,
    environment: Option<EnvironmentName>,
    action: Action,
    reason: Option<String>,
) -> Result<Response, Answer> {
    let wish = Wish {
        fleet: app.fleet.clone(),
        intent: Intent { app: app.name.clone(), environment, action },
        actor: access.principal().to_string(),
        reason: reason.map(|reason| checked(&reason)).transpose()?,
        notes: Vec::new(),
    };
    let accepted = lifecycle::accept(&state.service, &wish).await?;
    let is_on_its_way = accepted.is_new && accepted.change.state != ChangeState::Unchanged;
    let status = if is_on_its_way { StatusCode::ACCEPTED } else { StatusCode::OK };
    let view = ChangeView::from(accepted.change);
    Ok((status, [(header::LOCATION, view.url.clone())], Json(view)).into_response())
}

/// Refuses a wish that was made about an older state of the app than the one that is there.
fn check_version(headers: &HeaderMap, app: &AppRecord) -> Result<(), Problem> {
    let Some(given) = headers.get(header::IF_MATCH) else { return Ok(()) };
    let current = etag(app.version);
    let given = given.to_str().unwrap_or_default();
    // A weak tag never matches here, and `*` is any version.
    if given.split(',').any(|tag| matches!(tag.trim(), tag if tag == "*" || tag == current)) {
        return Ok(());
    }
    let detail = format!("the app was changed meanwhile: its version is {}", app.version);
    Err(Problem::new("change.conflict", detail).hint("read it again, and decide again"))
}

/// Another image for an app that is named in the body.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DeployApp {
    /// The app's name. It, or `app_id`, has to be there.
    #[schema(value_type = Option<String>, example = "event-system")]
    app: Option<AppName>,
    /// The app's id.
    app_id: Option<String>,
    /// The fleet, where the name alone does not say it.
    fleet: Option<String>,
    /// Where.
    #[schema(value_type = String, example = "staging")]
    environment: EnvironmentName,
    /// The image, with a tag or digest.
    #[schema(value_type = String, example = "registry.example/event-system:1.4.3")]
    image: ImageRef,
    /// Why.
    reason: Option<String>,
}

/// Deploy an image
///
/// What a pipeline calls after it has built one.
#[utoipa::path(post, path = "/api/deploy", tag = "deploy", operation_id = "deploy",
    params(crate::web::idempotency::Header),
    request_body(content = DeployApp, example = json!({"app": "event-system", "environment": "staging",
        "image": "registry.example/event-system:1.4.3", "reason": "release 1.4.3"})),
    responses((status = 202, description = "It is accepted", body = ChangeView,
            headers(("Location" = String, description = "The change"))),
        (status = 200, description = "It is so already, or on its way", body = ChangeView), Writing))]
pub(super) async fn deploy_named(
    State(state): State<AppState>,
    access: Access,
    JsonBody(body): JsonBody<DeployApp>,
) -> Result<Response, Answer> {
    let app = match (&body.app_id, &body.app) {
        (Some(id), None) => reach::app(&state, &access, id).await?,
        (None, Some(name)) => {
            let fleet = reach::fleet(&state, &access, body.fleet.as_deref())?;
            reach::app_named(&state, &access, &fleet.name, name).await?
        }
        _ => return Err(Problem::new("spec.missing_field", "give either `app` or `app_id`").field("app").into()),
    };
    ask(&state, &access, &app, Some(body.environment), Action::Deploy { image: body.image }, body.reason).await
}

/// An image for an environment.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Deploy {
    /// Where.
    #[schema(value_type = String, example = "staging")]
    environment: EnvironmentName,
    /// The image, with a tag or digest.
    #[schema(value_type = String, example = "registry.example/event-system:1.4.3")]
    image: ImageRef,
    /// Why.
    reason: Option<String>,
}

/// A wish that needs no more than a place.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    /// Where.
    #[schema(value_type = String, example = "staging")]
    environment: EnvironmentName,
    /// Why.
    reason: Option<String>,
}

/// A wish to go back.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rollback {
    /// Where.
    #[schema(value_type = String, example = "production")]
    environment: EnvironmentName,
    /// A commit or an image tag out of the app's history; the release before this one if absent.
    #[schema(example = "1.4.1")]
    to: Option<String>,
    /// Why.
    reason: Option<String>,
}

/// A wish for another number of pods.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ScaleTo {
    /// Where.
    #[schema(value_type = String, example = "staging")]
    environment: EnvironmentName,
    /// How many.
    #[schema(value_type = u16, minimum = 0, maximum = 1000, example = 3)]
    replicas: Replicas,
    /// Why.
    reason: Option<String>,
}

/// A wish for another size.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResizeTo {
    /// Where.
    #[schema(value_type = String, example = "staging")]
    environment: EnvironmentName,
    /// The plan.
    #[schema(value_type = Option<String>, example = "advanced")]
    plan: Option<PlanName>,
    /// The memory limit; the request keeps its proportion.
    #[schema(value_type = Option<String>, example = "768Mi")]
    memory: Option<Memory>,
    /// The processor limit; the request keeps its proportion.
    #[schema(value_type = Option<String>, example = "750m")]
    cpu: Option<Cpu>,
    /// Why.
    reason: Option<String>,
}

/// A wish to pin.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldAt {
    /// Where.
    #[schema(value_type = String, example = "production")]
    environment: EnvironmentName,
    /// Why; everybody who is held up reads it.
    #[schema(example = "sale until Monday")]
    reason: String,
    /// Until when; without it, until it is lifted.
    #[schema(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// Declares the handler of a verb: find the app, make the action, write it down.
macro_rules! verb {
    ($(#[$doc:meta])* $name:ident, $path:literal, $operation:literal, $body:ty, $example:tt, $action:expr) => {
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "deploy", operation_id = $operation,
            params(("id" = String, Path, description = "The app's id"), crate::web::idempotency::Header),
            request_body(content = $body, example = json!($example)),
            responses((status = 202, description = "It is accepted", body = ChangeView,
                    headers(("Location" = String, description = "The change"))),
                (status = 200, description = "It is so already, or on its way", body = ChangeView), Writing))]
        pub(super) async fn $name(
            State(state): State<AppState>,
            access: Access,
            Id(id): Id<String>,
            headers: HeaderMap,
            JsonBody(body): JsonBody<$body>,
        ) -> Result<Response, Answer> {
            let app = reach::app(&state, &access, &id).await?;
            check_version(&headers, &app)?;
            let wanted: fn($body) -> Result<(EnvironmentName, Action, Option<String>), Problem> = $action;
            let (environment, action, reason) = wanted(body)?;
            ask(&state, &access, &app, Some(environment), action, reason).await
        }
    };
}

verb! {
    /// Deploy an image of an app
    deploy, "/api/apps/{id}/deploy", "deploy_app", Deploy,
    {"environment": "staging", "image": "registry.example/event-system:1.4.3"},
    |body| Ok((body.environment, Action::Deploy { image: body.image }, body.reason))
}
verb! {
    /// Go back to an earlier release
    rollback, "/api/apps/{id}/rollback", "rollback_app", Rollback,
    {"environment": "production", "reason": "1.4.3 loses sessions"},
    |body| Ok((body.environment, Action::Rollback { to: body.to }, body.reason))
}
verb! {
    /// Replace an app's pods
    restart, "/api/apps/{id}/restart", "restart_app", Place, {"environment": "staging"},
    |body| Ok((body.environment, Action::Restart, body.reason))
}
verb! {
    /// Run another number of pods
    scale, "/api/apps/{id}/scale", "scale_app", ScaleTo, {"environment": "staging", "replicas": 3},
    |body| Ok((body.environment, Action::Scale { replicas: body.replicas }, body.reason))
}
verb! {
    /// Change an app's size
    resize, "/api/apps/{id}/resize", "resize_app", ResizeTo, {"environment": "staging", "memory": "768Mi"},
    |body| {
        let size = Size { plan: body.plan, memory: body.memory, cpu: body.cpu };
        Ok((body.environment, Action::Resize(size), body.reason))
    }
}
verb! {
    /// Promote a release
    ///
    /// Brings the release of the environment before this one here.
    promote, "/api/apps/{id}/promote", "promote_app", Place, {"environment": "production"},
    |body| Ok((body.environment, Action::Promote, body.reason))
}
verb! {
    /// Pin an app
    hold, "/api/apps/{id}/hold", "hold_app", HoldAt, {"environment": "production", "reason": "sale until Monday"},
    |body| {
        let reason = checked(&body.reason)?;
        Ok((body.environment, Action::Hold { reason: reason.clone(), until: body.until }, Some(reason)))
    }
}
verb! {
    /// Lift an app's pin
    unhold, "/api/apps/{id}/unhold", "unhold_app", Place, {"environment": "production"},
    |body| Ok((body.environment, Action::Unhold, body.reason))
}

/// What of an app's spec should be other than it is. Each field is one of the spec, and null removes it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
pub(super) struct Configure {
    /// Where; without it the shared spec, and with it every environment of the app.
    #[schema(value_type = Option<String>, example = "staging")]
    environment: Option<EnvironmentName>,
    /// Why.
    reason: Option<String>,
    /// The fields, as in the app's spec.
    #[serde(flatten)]
    #[schema(value_type = std::collections::BTreeMap<String, Value>)]
    fields: Map<String, Value>,
}

/// Configure an app
///
/// A merge patch (RFC 7396) of the app's spec. `environment` and `reason` stand beside its fields.
#[utoipa::path(patch, path = "/api/apps/{id}", tag = "apps", operation_id = "configure_app",
    params(("id" = String, Path, description = "The app's id"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the app that was read")),
    request_body(content = Configure, example = json!({"environment": "staging", "env": {"TZ": "Asia/Taipei",
        "DEBUG": null}, "replicas": 3})),
    responses((status = 202, description = "It is accepted", body = ChangeView,
            headers(("Location" = String, description = "The change"))),
        (status = 200, description = "It is so already, or on its way", body = ChangeView), Writing))]
pub(super) async fn configure(
    State(state): State<AppState>,
    access: Access,
    Id(id): Id<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Configure>,
) -> Result<Response, Answer> {
    let app = reach::app(&state, &access, &id).await?;
    check_version(&headers, &app)?;
    let mut fields = Vec::new();
    for (name, value) in body.fields {
        flatten(name, value, &mut fields)?;
    }
    ask(&state, &access, &app, body.environment, Action::Configure { fields }, body.reason).await
}

/// A merge patch as dotted fields. What is an object in a patch is merged, down to what is not.
fn flatten(name: String, value: Value, fields: &mut Vec<(String, Option<String>)>) -> Result<(), Problem> {
    match value {
        Value::Null => fields.push((name, None)),
        Value::Object(map) if !map.is_empty() => {
            for (key, value) in map {
                if key.contains('.') {
                    let detail = format!("`{key}` is not the name of a field");
                    return Err(Problem::new("configure.field", detail).field(name));
                }
                flatten(format!("{name}.{key}"), value, fields)?;
            }
        }
        // A variable is text, whatever it looks like.
        Value::String(text) if name.starts_with("env.") => fields.push((name, Some(text))),
        value => {
            let text = yaml::write(&value).map_err(|error| Problem::new("configure.value", error.to_string()))?;
            fields.push((name, Some(text.trim_end().to_owned())));
        }
    }
    Ok(())
}

/// Where an app leaves.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct OffboardQuery {
    /// The environment that it leaves; without it, all.
    #[param(value_type = Option<String>)]
    environment: Option<EnvironmentName>,
    /// Why.
    reason: Option<String>,
}

/// Offboard an app
///
/// A change like any other: its merge request removes what was rendered, and the controllers remove what runs.
#[utoipa::path(delete, path = "/api/apps/{id}", tag = "apps", operation_id = "offboard_app",
    params(("id" = String, Path, description = "The app's id"), OffboardQuery,
        ("If-Match" = Option<String>, Header, description = "The ETag of the app that was read")),
    responses((status = 202, description = "It is accepted", body = ChangeView,
            headers(("Location" = String, description = "The change"))),
        (status = 200, description = "It is so already, or on its way", body = ChangeView), Writing))]
pub(super) async fn offboard(
    State(state): State<AppState>,
    access: Access,
    Id(id): Id<String>,
    headers: HeaderMap,
    Parameters(query): Parameters<OffboardQuery>,
) -> Result<Response, Answer> {
    let app = reach::app(&state, &access, &id).await?;
    check_version(&headers, &app)?;
    ask(&state, &access, &app, query.environment, Action::Offboard, query.reason).await
}

/// A wish to be looked at.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PreviewIntent {
    /// The fleet, where there are several.
    #[schema(value_type = Option<String>)]
    fleet: Option<FleetName>,
    /// The app's name.
    #[schema(value_type = String, example = "event-system")]
    app: AppName,
    /// Where.
    #[schema(value_type = Option<String>, example = "staging")]
    environment: Option<EnvironmentName>,
    /// What: a verb with what belongs to it.
    #[schema(value_type = Object, example = json!({"verb": "scale", "replicas": 3}))]
    action: Action,
}

/// Preview a change
///
/// What would come of a wish; nothing is written.
#[utoipa::path(post, path = "/api/changes/preview", tag = "changes", operation_id = "preview_change",
    request_body(content = PreviewIntent, example = json!({"app": "event-system", "environment": "staging",
        "action": {"verb": "scale", "replicas": 3}})),
    responses((status = 200, description = "What would come of it", body = Preview), Writing))]
pub(super) async fn preview(
    State(state): State<AppState>,
    access: Access,
    JsonBody(body): JsonBody<PreviewIntent>,
) -> Result<Json<Preview>, Answer> {
    let fleet = reach::fleet(&state, &access, body.fleet.as_ref().map(FleetName::as_str))?.name.clone();
    match &body.action {
        Action::Onboard { .. } => {
            let settings = state.service.fleet(&fleet)?.settings().await?;
            let tenant = lifecycle::tenant_of(&settings, &body.app);
            reach::may_make(&access, &fleet, tenant.as_ref(), &body.app)?;
        }
        _ => drop(reach::app_named(&state, &access, &fleet, &body.app).await?),
    }
    let wish = Wish {
        fleet,
        intent: Intent { app: body.app, environment: body.environment, action: body.action },
        actor: access.principal().to_string(),
        reason: None,
        notes: Vec::new(),
    };
    let change = lifecycle::preview(&state.service, &wish).await?;
    Ok(Json(Preview::new(change, &[])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields(value: Value) -> Vec<(String, Option<String>)> {
        let mut fields = Vec::new();
        for (name, value) in value.as_object().unwrap().clone() {
            flatten(name, value, &mut fields).unwrap();
        }
        fields
    }

    #[test]
    fn a_merge_patch_is_dotted_fields() {
        let patch = json!({
            "env": {"TZ": "no", "GONE": null}, "replicas": 3, "domain": null, "command": ["a", "b: c"],
            "alerts": {"memory_percent": 95},
        });
        let expected = [
            ("env.TZ", Some("no")),
            ("env.GONE", None),
            ("replicas", Some("3")),
            ("domain", None),
            ("command", Some("- a\n- \"b: c\"")),
            ("alerts.memory_percent", Some("95")),
        ];
        let expected: Vec<_> = expected.map(|(name, value)| (name.to_owned(), value.map(str::to_owned))).into();
        assert_eq!(fields(patch), expected);
        assert!(flatten("env".to_owned(), json!({"a.b": "x"}), &mut Vec::new()).is_err());
    }
}
