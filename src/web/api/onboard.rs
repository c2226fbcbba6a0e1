//! `POST /api/apps` and its preview: a new app out of a short description.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{PartialSchema, ToSchema};

use super::answers::Writing;
use super::new_app::{self, NewApp};
use super::reach;
use super::view::{ChangeView, StepView, step_views};
use crate::domain::app_spec::SourceType;
use crate::domain::{Action, Document, EnvironmentName, FleetSettings, Intent, Problem};
use crate::operations::fleet::Fleet;
use crate::operations::lifecycle::{self, Wish};
use crate::operations::steps::Facts;
use crate::operations::{change, dns, preview};
use crate::store::{AppId, FleetName};
use crate::web::auth::Access;
use crate::web::body::JsonBody;
use crate::web::problem::Answer;
use crate::web::state::AppState;

/// The body, for the description of the API. Its schema is that of an app spec, and is put in its place there.
pub(super) struct NewAppBody;

impl PartialSchema for NewAppBody {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        ObjectBuilder::new().schema_type(Type::Object).into()
    }
}

impl ToSchema for NewAppBody {
    fn name() -> std::borrow::Cow<'static, str> {
        "NewApp".into()
    }
}

/// What a new app is told.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Initializing {
    /// The app's id.
    #[schema(example = "app-3f2a9c01de")]
    app_id: String,
    /// `initializing`.
    #[schema(example = "initializing")]
    status: String,
    /// Its namespace in the environment.
    #[schema(example = "app-event-system")]
    namespace: String,
    /// The six steps.
    steps: Vec<StepView>,
    /// The change's id.
    change_id: String,
    /// The change, which the steps follow.
    change: ChangeView,
}

/// A wish for a new app, and what its steps depend on.
struct Prepared {
    wish: Wish,
    text: String,
    namespace: String,
    has_host: bool,
    has_certificate: bool,
}

/// Onboard an app
///
/// Takes the fields of an app spec, and optionally `environment`, `fleet`, `tenant` and `reason`. Checks the domain's
/// DNS, finds out the framework where it is not given, plans and renders, writes the change down and answers at once;
/// the merge request follows. The same wish that is still open is answered with 200 and the same change.
#[utoipa::path(post, path = "/api/apps", tag = "apps", operation_id = "create_app",
    params(crate::web::idempotency::Header),
    request_body(content = NewAppBody, example = json!({"name": "event-system", "display_name": "活動報名網站",
        "domain": "event.wooo.work", "source_type": "git", "source_url": "https://gitlab.com/wooo/event-system.git",
        "framework": "flask", "plan": "standard"})),
    responses((status = 202, description = "It is accepted", body = Initializing,
            headers(("Location" = String, description = "The app"))),
        (status = 200, description = "It was accepted before and is on its way", body = Initializing), Writing))]
pub(super) async fn create(
    State(state): State<AppState>,
    access: Access,
    JsonBody(body): JsonBody<Map<String, Value>>,
) -> Result<Response, Answer> {
    let prepared = prepare(&state, &access, body).await?;
    let app_id = AppId::of(&prepared.wish.fleet, &prepared.wish.intent.app);
    let accepted = lifecycle::accept(&state.service, &prepared.wish).await?;
    let facts = Facts {
        state: Some(accepted.change.state),
        has_host: prepared.has_host,
        certificate: prepared.has_certificate.then_some(false),
        ..Facts::default()
    };
    let body = Initializing {
        app_id: app_id.to_string(),
        status: "initializing".to_owned(),
        namespace: prepared.namespace,
        steps: step_views(&facts),
        change_id: accepted.change.id.to_string(),
        change: accepted.change.into(),
    };
    let status = if accepted.is_new { StatusCode::ACCEPTED } else { StatusCode::OK };
    Ok((status, [(header::LOCATION, format!("/api/apps/{app_id}"))], Json(body)).into_response())
}

/// What would come of a wish.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Preview {
    /// `planned`, or `unchanged` if the fleet says so already.
    #[schema(example = "planned")]
    stage: Value,
    /// The first line of the commit.
    subject: String,
    /// What is worth knowing.
    notes: Vec<String>,
    /// What differs, by environment, riskiest first: `{environment, entries: [{object, field, summary, risk, before,
    /// after}], digest}`.
    #[schema(value_type = Vec<Object>)]
    diffs: Value,
    /// The files that it would write or remove.
    files: Vec<String>,
    /// The manifests as they would be written, for a new app.
    #[serde(skip_serializing_if = "Option::is_none")]
    rendered: Option<Vec<Manifest>>,
    /// The spec as it would be committed, for a new app.
    #[serde(skip_serializing_if = "Option::is_none")]
    spec: Option<String>,
}

/// A file of manifests.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Manifest {
    /// Its path in the fleet.
    #[schema(example = "rendered/staging/event-system/deployment.yaml")]
    path: String,
    /// Its content.
    content: String,
}

impl Preview {
    /// What was worked out.
    #[must_use]
    pub(super) fn new(change: change::Change, notes: &[String]) -> Self {
        Self {
            stage: serde_json::to_value(change.stage).unwrap_or_default(),
            subject: change.subject,
            notes: notes.iter().chain(&change.notes).cloned().collect(),
            diffs: serde_json::to_value(change.diffs).unwrap_or_default(),
            files: change.files,
            rendered: None,
            spec: None,
        }
    }
}

/// Preview a new app
///
/// The full rendering and the semantic diff of the same body as `POST /api/apps`; nothing is written.
#[utoipa::path(post, path = "/api/apps/preview", tag = "apps", operation_id = "preview_app",
    request_body(content = NewAppBody, example = json!({"name": "event-system", "domain": "event.wooo.work",
        "framework": "flask", "image": "registry.example/event-system:1.4.2"})),
    responses((status = 200, description = "What would come of it", body = Preview), Writing))]
pub(super) async fn preview_app(
    State(state): State<AppState>,
    access: Access,
    JsonBody(body): JsonBody<Map<String, Value>>,
) -> Result<Json<Preview>, Answer> {
    let prepared = prepare(&state, &access, body).await?;
    let change = lifecycle::preview(&state.service, &prepared.wish).await?;
    let (text, environment) = (prepared.text.clone(), prepared.wish.intent.environment.clone());
    let app = prepared.wish.intent.app.clone();
    let rendered = state.service.fleet(&prepared.wish.fleet)?.with_place(move |place| {
        let tree = place.tree()?;
        let fleet = Fleet::open(&tree)?;
        let environment = environment.map_or_else(|| new_app::first_environment(&fleet.settings), Ok)?;
        let document = Document { file: new_app::FILE, text: &text };
        let rendered = preview::render(&fleet, &document, &environment, None)?;
        let path = |name: &str| format!("rendered/{environment}/{app}/{name}");
        let manifest = |file: crate::render::RenderedFile| Manifest { path: path(&file.name), content: file.content };
        Ok(rendered.files.into_iter().map(manifest).collect::<Vec<_>>())
    });
    let rendered = rendered.await?;
    let preview = Preview::new(change, &prepared.wish.notes);
    Ok(Json(Preview { rendered: Some(rendered), spec: Some(prepared.text), ..preview }))
}

/// Everything up to the wish: whose it is, what it is built with, whether its name leads to where it will be.
async fn prepare(state: &AppState, access: &Access, body: Map<String, Value>) -> Result<Prepared, Answer> {
    let mut new = NewApp::read(body)?;
    let (spec, _) = new.spec()?;
    let fleet = match reach::fleet(state, access, new.fleet.as_deref()) {
        Ok(fleet) => fleet,
        // Who sees no fleet at all is not told that there is none.
        Err(answer) if new.fleet.is_none() && answer.code() == "fleet.not_found" => {
            let problem = Problem::new("auth.forbidden", "this needs the role deployer in a tenant");
            return Err(problem.into());
        }
        Err(answer) => return Err(answer),
    };
    let name: FleetName = fleet.name.clone();
    let settings = fleet.settings().await?;
    let tenant = lifecycle::tenant_of(&settings, &spec.name);
    reach::may_make(access, &name, tenant.as_ref(), &spec.name)?;
    if let Some(wanted) = &new.tenant
        && tenant.as_ref().map(crate::domain::TenantName::as_str) != Some(wanted.as_str())
    {
        let problem = Problem::new("policy.tenant", format!("fleet.yaml does not give `{}` to that tenant", spec.name));
        return Err(problem.field("tenant").hint("the tenant of an app is what fleet.yaml says").into());
    }
    let environment = match &new.environment {
        Some(environment) => environment.clone(),
        None => new_app::first_environment(&settings)?,
    };
    let (place, cluster) = settings.place(&environment)?;
    let mut notes = Vec::new();
    if let (None, Some(url), true) = (spec.framework, &spec.source_url, is_git(spec.source_type)) {
        let found = state.scout.look(url, None).await?;
        notes.push(format!("the source is built with {}", found.framework));
        new.set_framework(found.framework);
    }
    notes.extend(check_dns(state, &settings, &environment, &spec).await?);
    let (spec, text) = new.spec()?;
    let has_host = spec.domain.is_some() || place.domain_suffix.is_some();
    let action = Action::Onboard { spec: text.clone(), file: new_app::FILE.to_owned() };
    let intent = Intent { app: spec.name.clone(), environment: Some(environment), action };
    Ok(Prepared {
        namespace: place.namespace_of(&spec.name),
        has_host,
        has_certificate: has_host && cluster.issuer.is_some(),
        wish: Wish { fleet: name, intent, actor: access.principal().to_string(), reason: new.reason, notes },
        text,
    })
}

fn is_git(source: Option<SourceType>) -> bool {
    matches!(source, None | Some(SourceType::Git))
}

async fn check_dns(
    state: &AppState,
    settings: &FleetSettings,
    environment: &EnvironmentName,
    spec: &crate::domain::AppSpec,
) -> Result<Option<String>, Problem> {
    match &spec.domain {
        Some(host) => dns::verify(&state.resolver, settings, environment, host).await,
        None => Ok(None),
    }
}
