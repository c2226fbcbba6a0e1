//! `/api/fleets`, `/api/templates` and `/api/settings`: what the service serves, and what manifests are made of.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::answers::{Reading, Writing};
use super::paging::Listing;
use super::reach;
use crate::domain::{Problem, Problems};
use crate::files::FileTree;
use crate::operations::lifecycle;
use crate::render::builtin;
use crate::store::FleetName;
use crate::web::auth::Access;
use crate::web::body::{Id, Parameters};
use crate::web::problem::Answer;
use crate::web::state::AppState;

/// The most bytes of a template that are shown.
const MAX_TEMPLATE: u64 = 1 << 20;
/// How many files of a fleet's own are looked at.
const MAX_FILES: usize = 2000;

/// A fleet.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct FleetView {
    /// Its name.
    #[schema(example = "main")]
    name: String,
    /// The branch that is synced; null until it was indexed.
    branch: Option<String>,
    /// The commit that the index shows.
    tip: Option<String>,
    /// When it was indexed.
    #[schema(value_type = Option<String>, format = DateTime)]
    indexed_at: Option<Timestamp>,
}

/// List fleets
#[utoipa::path(get, path = "/api/fleets", tag = "fleets", operation_id = "list_fleets",
    responses((status = 200, description = "The fleets of which the caller sees anything", body = Listing<FleetView>),
        Reading))]
pub(super) async fn list(State(state): State<AppState>, access: Access) -> Result<Json<Listing<FleetView>>, Answer> {
    let known = state.store().fleets().await?;
    let view = |name: &FleetName| {
        let record = known.iter().find(|record| record.name == *name);
        FleetView {
            name: name.to_string(),
            branch: record.map(|record| record.branch.clone()),
            tip: record.and_then(|record| record.tip.clone()),
            indexed_at: record.and_then(|record| record.indexed_at),
        }
    };
    // Where there is none, the caller has been asked all the same.
    let _asked = access.visible("");
    let seen = state.service.fleets.keys().filter(|name| reach::sees(&access, name));
    Ok(Json(Listing::whole(seen.map(view).collect())))
}

fn named(state: &AppState, name: &str) -> Result<FleetName, Answer> {
    let found = name.parse::<FleetName>().ok().filter(|name| state.service.fleets.contains_key(name));
    found.ok_or_else(|| Problem::new("fleet.not_found", "there is no such fleet").into())
}

/// Refresh a fleet
///
/// Has the index follow its repository, forge and clusters now instead of at the next pass.
#[utoipa::path(post, path = "/api/fleets/{name}/refresh", tag = "fleets", operation_id = "refresh_fleet",
    params(("name" = String, Path, description = "The fleet's name")),
    responses((status = 202, description = "A worker will do it"), Writing))]
pub(super) async fn refresh(State(state): State<AppState>, Id(name): Id<String>) -> Result<StatusCode, Answer> {
    let name = named(&state, &name)?;
    lifecycle::refresh_soon(&state.service, &name).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Reindex a fleet
///
/// Builds what the database says of it anew, from its repository alone.
#[utoipa::path(post, path = "/api/fleets/{name}/reindex", tag = "fleets", operation_id = "reindex_fleet",
    params(("name" = String, Path, description = "The fleet's name")),
    responses((status = 202, description = "It has begun"), Writing))]
pub(super) async fn reindex(State(state): State<AppState>, Id(name): Id<String>) -> Result<StatusCode, Answer> {
    let name = named(&state, &name)?;
    // If the process ends before it is done, the next pass finds the fleet without a tip, and begins again.
    tokio::spawn(async move {
        match lifecycle::rebuild(&state.service, &name).await {
            Ok(built) => tracing::info!(fleet = %name, ?built, "the index is built anew"),
            Err(failure) => tracing::error!(?failure, fleet = %name, "the index could not be built anew"),
        }
    });
    Ok(StatusCode::ACCEPTED)
}

/// An environment of a fleet.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct EnvironmentView {
    /// Its name.
    #[schema(example = "staging")]
    name: String,
    /// Its cluster.
    cluster: String,
    /// Whose Kubernetes that is.
    provider: String,
    /// The environment whose releases are promoted here.
    promote_from: Option<String>,
    /// Who merges: a person (`propose`), or wooo when every check is green (`auto`).
    #[schema(value_type = String, example = "auto")]
    merge: crate::domain::fleet::MergeMode,
}

/// A fleet's settings, as far as everybody who uses it needs them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct FleetSettingsView {
    /// The fleet.
    fleet: String,
    /// Its environments, in the order of fleet.yaml.
    environments: Vec<EnvironmentView>,
    /// The names of its plans.
    plans: Vec<String>,
    /// The tenants that the caller sees.
    tenants: Vec<String>,
    /// What is wrong with its fleet.yaml, if it cannot be read.
    problem: Option<String>,
}

/// What the service is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct SettingsView {
    /// Its version.
    version: String,
    /// The address under which people reach it.
    public_url: String,
    /// Whether the clusters are an embedded sandbox that runs nothing.
    is_sandbox: bool,
    /// Who asks.
    #[schema(example = "local:alice@example.com")]
    actor: String,
    /// Whether they run the installation.
    is_admin: bool,
    /// The fleets of which they see anything.
    fleets: Vec<FleetSettingsView>,
    /// The clusters that are followed; for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    clusters: Option<Vec<String>>,
    /// Whether the database serves several replicas; for administrators.
    #[serde(skip_serializing_if = "Option::is_none")]
    is_shared_database: Option<bool>,
}

/// Read the service's settings
///
/// What a form needs to offer: fleets, environments, plans. No secret is among them.
#[utoipa::path(get, path = "/api/settings", tag = "fleets", operation_id = "read_settings",
    responses((status = 200, description = "What the service is, as far as the caller may see", body = SettingsView),
        Reading))]
pub(super) async fn settings(State(state): State<AppState>, access: Access) -> Result<Json<SettingsView>, Answer> {
    let is_admin = access.principal().administers();
    // Where there is no fleet, the caller has been asked all the same.
    let _asked = access.visible("");
    let mut fleets = Vec::new();
    for (name, fleet) in &state.service.fleets {
        if !reach::sees(&access, name) {
            continue;
        }
        fleets.push(match fleet.settings().await {
            Ok(settings) => {
                let visible = access.visible(name.as_str());
                let tenants = settings.tenants.keys().filter(|tenant| visible.all || visible.tenants.contains(*tenant));
                FleetSettingsView {
                    fleet: name.to_string(),
                    tenants: tenants.map(ToString::to_string).collect(),
                    plans: settings.plan_names().map(str::to_owned).collect(),
                    environments: settings.environments.iter().map(environment).collect(),
                    problem: None,
                }
            }
            Err(problems) => broken(name, &problems),
        });
    }
    Ok(Json(SettingsView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        public_url: state.public_url.clone(),
        is_sandbox: state.is_sandbox,
        actor: access.principal().to_string(),
        is_admin,
        fleets,
        clusters: is_admin.then(|| state.service.clusters.names().map(ToString::to_string).collect()),
        is_shared_database: is_admin.then(|| state.store().is_shared()),
    }))
}

fn environment(
    (name, environment): (&crate::domain::EnvironmentName, &crate::domain::fleet::Environment),
) -> EnvironmentView {
    EnvironmentView {
        name: name.to_string(),
        cluster: environment.cluster.to_string(),
        provider: environment.provider.to_string(),
        promote_from: environment.promote_from.as_ref().map(ToString::to_string),
        merge: environment.merge,
    }
}

fn broken(name: &FleetName, problems: &Problems) -> FleetSettingsView {
    FleetSettingsView {
        fleet: name.to_string(),
        environments: Vec::new(),
        plans: Vec::new(),
        tenants: Vec::new(),
        problem: Some(problems.to_string()),
    }
}

/// Whose templates.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TemplatesQuery {
    /// The fleet, whose own shadow the built-in ones; the only one if absent.
    fleet: Option<String>,
}

/// Which template.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct TemplateQuery {
    /// Its name.
    #[param(example = "templates/base/service.yaml.j2")]
    name: String,
    /// The fleet, whose own shadow the built-in ones; the only one if absent.
    fleet: Option<String>,
}

/// A template or an overlay.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct TemplateView {
    /// Its path.
    #[schema(example = "templates/base/service.yaml.j2")]
    name: String,
    /// `template` or `overlay`.
    #[schema(example = "template")]
    kind: String,
    /// `builtin`, or the name of the fleet that has its own.
    #[schema(example = "builtin")]
    source: String,
    /// The SHA-256 of its text.
    digest: String,
    /// Its text, where one is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

impl TemplateView {
    fn new(name: &str, source: &str, content: &[u8]) -> Self {
        let kind = if name.starts_with("overlays/") { "overlay" } else { "template" };
        let hex: String = digest(&SHA256, content).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            name: name.to_owned(),
            kind: kind.to_owned(),
            source: source.to_owned(),
            digest: format!("sha256:{hex}"),
            text: None,
        }
    }
}

/// List templates
///
/// The built-in ones, and in their place those that the fleet has itself.
#[utoipa::path(get, path = "/api/templates", tag = "templates", operation_id = "list_templates", params(TemplatesQuery),
    responses((status = 200, description = "All templates and overlays, by name", body = Listing<TemplateView>), Reading))]
pub(super) async fn templates(
    State(state): State<AppState>,
    access: Access,
    Parameters(query): Parameters<TemplatesQuery>,
) -> Result<Json<Listing<TemplateView>>, Answer> {
    let all = all_templates(&state, &access, query.fleet.as_deref()).await?;
    let view = |(name, (source, content)): (String, (String, Vec<u8>))| TemplateView::new(&name, &source, &content);
    Ok(Json(Listing::whole(all.into_iter().map(view).collect())))
}

/// Read a template
#[utoipa::path(get, path = "/api/templates/text", tag = "templates", operation_id = "read_template",
    params(TemplateQuery),
    responses((status = 200, description = "The template with its text", body = TemplateView), Reading))]
pub(super) async fn template(
    State(state): State<AppState>,
    access: Access,
    Parameters(query): Parameters<TemplateQuery>,
) -> Result<Json<TemplateView>, Answer> {
    let mut all = all_templates(&state, &access, query.fleet.as_deref()).await?;
    let found = all.remove(&query.name);
    let (source, content) = found.ok_or_else(|| Problem::new("template.unknown", "there is no such template"))?;
    let view = TemplateView::new(&query.name, &source, &content);
    Ok(Json(TemplateView { text: Some(String::from_utf8_lossy(&content).into_owned()), ..view }))
}

/// Every template by name, with where it comes from and its text.
async fn all_templates(
    state: &AppState,
    access: &Access,
    fleet: Option<&str>,
) -> Result<BTreeMap<String, (String, Vec<u8>)>, Answer> {
    let fleet = reach::fleet(state, access, fleet)?;
    let name = fleet.name.to_string();
    let found = fleet.with_place(move |place| {
        let tree = place.tree()?;
        let mut all = BTreeMap::new();
        for (path, content) in builtin::files().iter() {
            all.insert(path.to_owned(), ("builtin".to_owned(), content.to_vec()));
        }
        for folder in ["templates", "overlays"] {
            own_files(&tree, folder, &mut |path, content| {
                all.insert(path, (name.clone(), content));
            })?;
        }
        Ok(all)
    });
    Ok(found.await?)
}

/// The files below a folder, if there is one.
fn own_files(tree: &dyn FileTree, folder: &str, each: &mut dyn FnMut(String, Vec<u8>)) -> Result<(), Problem> {
    let unreadable = |error: crate::files::Error| Problem::new("files.unreadable", error.to_string());
    let mut folders = vec![folder.to_owned()];
    let mut count = 0;
    while let Some(folder) = folders.pop() {
        let entries = match tree.list(&folder) {
            Ok(entries) => entries,
            Err(crate::files::Error::NotFound { .. }) => continue,
            Err(error) => return Err(unreadable(error)),
        };
        for entry in entries {
            let path = format!("{folder}/{}", entry.name);
            match entry.kind {
                crate::files::Kind::Directory => folders.push(path),
                crate::files::Kind::File if count < MAX_FILES => {
                    count += 1;
                    let content = tree.read(&path, MAX_TEMPLATE).map_err(unreadable)?;
                    each(path, content);
                }
                _ => {}
            }
        }
    }
    Ok(())
}
