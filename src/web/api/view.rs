//! How apps, changes and deployments look to whoever asks for them.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::operations::steps::{Facts, steps};
use crate::store::{AppRecord, Change, Deployment, Placement};

/// An app.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct AppView {
    /// Its identity, the same for ever.
    #[schema(example = "app-3f2a9c01de")]
    pub app_id: String,
    /// The fleet.
    #[schema(example = "main")]
    pub fleet: String,
    /// Its name.
    #[schema(example = "event-system")]
    pub name: String,
    /// Its name for people.
    #[schema(example = "活動報名網站")]
    pub display_name: Option<String>,
    /// Its host name.
    #[schema(example = "event.wooo.work")]
    pub domain: Option<String>,
    /// Its namespace, before an environment's suffix.
    #[schema(example = "app-event-system")]
    pub namespace: String,
    /// What it is built with.
    #[schema(example = "flask")]
    pub framework: Option<String>,
    /// Its size.
    #[schema(example = "standard")]
    pub plan: String,
    /// Where its code comes from.
    #[schema(example = "git")]
    pub source_type: Option<String>,
    /// The URL of its code.
    #[schema(example = "https://gitlab.com/wooo/event-system.git")]
    pub source_url: Option<String>,
    /// How it is, in one word: `initializing`, `running`, `degraded`, `stalled`, `unknown`.
    #[schema(example = "running")]
    pub status: String,
    /// The tenant that it belongs to.
    #[schema(example = "default")]
    pub tenant: Option<String>,
    /// Counts its writes; the same number is its ETag.
    pub version: i64,
    /// When it came into the fleet.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was written last.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Where it is.
    pub placements: Vec<PlacementView>,
}

/// An app in an environment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct PlacementView {
    /// The environment.
    #[schema(example = "staging")]
    pub environment: String,
    /// What runs.
    pub image: Option<String>,
    /// The fewest pods.
    pub replicas_min: Option<u32>,
    /// The most pods.
    pub replicas_max: Option<u32>,
    /// The size here.
    pub plan: Option<String>,
    /// The host name here.
    pub host: Option<String>,
    /// The pin, with its reason, actor and expiry.
    #[schema(value_type = Option<Object>)]
    pub hold: Option<Value>,
    /// How it was when the cluster was last heard.
    #[schema(example = "healthy")]
    pub health: Option<String>,
    /// How the controller's sync was.
    #[schema(example = "synced")]
    pub sync_state: Option<String>,
    /// The commit that the controller had applied.
    pub applied_revision: Option<String>,
    /// When that was seen.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub observed_at: Option<Timestamp>,
    /// Whether the cluster has what the fleet does not say.
    pub has_drift: bool,
}

impl From<Placement> for PlacementView {
    fn from(placement: Placement) -> Self {
        let seen = placement.seen;
        Self {
            environment: placement.environment.to_string(),
            image: placement.image,
            replicas_min: placement.replicas_min,
            replicas_max: placement.replicas_max,
            plan: placement.plan.map(|plan| plan.to_string()),
            host: placement.host.map(|host| host.to_string()),
            hold: placement.hold.and_then(|hold| serde_json::to_value(hold).ok()),
            health: seen.health,
            sync_state: seen.sync_state,
            applied_revision: seen.applied_revision,
            observed_at: seen.observed_at,
            has_drift: seen.drift.is_some(),
        }
    }
}

impl AppView {
    /// An app and where it is.
    #[must_use]
    pub(super) fn new(app: AppRecord, placements: Vec<Placement>) -> Self {
        let word = |value: Option<Value>| value.and_then(|value| value.as_str().map(str::to_owned));
        Self {
            app_id: app.id.to_string(),
            fleet: app.fleet.to_string(),
            name: app.name.to_string(),
            display_name: app.display_name,
            domain: app.domain.map(|domain| domain.to_string()),
            namespace: app.namespace,
            framework: app.framework.map(|framework| framework.to_string()),
            plan: app.plan.to_string(),
            source_type: word(app.source_type.and_then(|kind| serde_json::to_value(kind).ok())),
            source_url: app.source_url,
            status: app.status,
            tenant: app.tenant.map(|tenant| tenant.to_string()),
            version: app.version,
            created_at: app.created_at,
            updated_at: app.updated_at,
            placements: placements.into_iter().map(Into::into).collect(),
        }
    }
}

/// One of the steps of a new app.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
pub(super) struct StepView {
    /// `create_namespace`, `deploy_app`, `configure_ingress`, `setup_ssl`, `configure_monitoring` or `setup_auto_repair`.
    #[schema(example = "create_namespace")]
    pub step: String,
    /// `pending`, `running`, `done`, `failed`, or `skipped` if the app has no need of it.
    #[schema(example = "pending")]
    pub status: String,
}

/// The six steps out of what is known.
#[must_use]
pub(super) fn step_views(facts: &Facts) -> Vec<StepView> {
    let word = |status| serde_json::to_value(status).ok().and_then(|value| value.as_str().map(str::to_owned));
    let view = |(step, status): (crate::operations::steps::Step, crate::operations::steps::StepStatus)| StepView {
        step: step.to_string(),
        status: word(status).unwrap_or_default(),
    };
    steps(facts).into_iter().map(view).collect()
}

/// A change.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ChangeView {
    /// Its identity, also in its commit.
    #[schema(example = "0195e7a0-7c1e-7000-8000-0123456789ab")]
    pub id: String,
    /// Where to read it.
    #[schema(example = "/api/changes/0195e7a0-7c1e-7000-8000-0123456789ab")]
    pub url: String,
    /// The fleet.
    pub fleet: String,
    /// The app's id.
    pub app_id: Option<String>,
    /// The app's name.
    pub app: String,
    /// The environment; null for all of them.
    pub environment: Option<String>,
    /// The verb.
    #[schema(example = "deploy")]
    pub action: String,
    /// Who asked.
    #[schema(example = "github:alice")]
    pub actor: String,
    /// Why, in their words.
    pub reason: Option<String>,
    /// The first line of its commit.
    pub subject: Option<String>,
    /// `accepted`, `proposed`, `merged`, `settled`, `unchanged`, `failed` or `closed`.
    #[schema(example = "accepted")]
    pub state: String,
    /// What the cluster said: `healthy`, `degraded`, `timed_out` or `unknown`.
    pub outcome: Option<String>,
    /// Why it failed: a problem.
    #[schema(value_type = Option<Object>)]
    pub problem: Option<Value>,
    /// What is worth knowing about it.
    pub notes: Vec<String>,
    /// The branch of its commit.
    pub branch: Option<String>,
    /// Its commit.
    pub commit: Option<String>,
    /// The digest of what was rendered.
    pub digest: Option<String>,
    /// The number of its merge request.
    pub merge_request: Option<i64>,
    /// Where its merge request is.
    pub merge_request_url: Option<String>,
    /// Who merges it: a person (`propose`), or wooo when every check is green (`auto`).
    pub merge_mode: String,
    /// The commit that brought it to the synced branch.
    pub merged_commit: Option<String>,
    /// Counts its writes.
    pub version: i64,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was written last.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// When its merge request was opened.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub proposed_at: Option<Timestamp>,
    /// When it was merged.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub merged_at: Option<Timestamp>,
    /// When nothing more was to happen to it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub settled_at: Option<Timestamp>,
}

impl From<Change> for ChangeView {
    fn from(change: Change) -> Self {
        let mode = serde_json::to_value(change.merge_mode).ok();
        Self {
            url: format!("/api/changes/{}", change.id),
            id: change.id.to_string(),
            fleet: change.fleet.to_string(),
            app_id: change.app_id.map(|id| id.to_string()),
            app: change.app.to_string(),
            environment: change.environment.map(|environment| environment.to_string()),
            action: change.action,
            actor: change.actor,
            reason: change.reason,
            subject: change.subject,
            state: change.state.to_string(),
            outcome: change.outcome.map(|outcome| outcome.to_string()),
            problem: change.problem,
            notes: strings(&change.notes),
            branch: change.branch,
            commit: change.commit_sha,
            digest: change.digest,
            merge_request: change.merge_request,
            merge_request_url: change.merge_request_url,
            merge_mode: mode.and_then(|mode| mode.as_str().map(str::to_owned)).unwrap_or_default(),
            merged_commit: change.merged_sha,
            version: change.version,
            created_at: change.created_at,
            updated_at: change.updated_at,
            proposed_at: change.proposed_at,
            merged_at: change.merged_at,
            settled_at: change.settled_at,
        }
    }
}

fn strings(value: &Value) -> Vec<String> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// A change in one environment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct DeploymentView {
    /// Its identity: that of the change, and the environment.
    pub id: String,
    /// The app's id.
    pub app_id: String,
    /// The environment.
    #[schema(example = "staging")]
    pub environment: String,
    /// The change.
    pub change_id: String,
    /// The version, as the image's tag says it.
    #[schema(example = "1.4.2")]
    pub version: Option<String>,
    /// The image.
    pub image: Option<String>,
    /// `pending`, `deploying`, `success`, `failed` or `rolled_back`.
    #[schema(example = "success")]
    pub status: String,
    /// The version that it went back to.
    pub rollback_version: Option<String>,
    /// Who deployed it.
    pub deployed_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub deployed_at: Timestamp,
    /// When the cluster answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub completed_at: Option<Timestamp>,
    /// What it answered.
    pub outcome: Option<String>,
    /// Why, in one sentence.
    pub reason: Option<String>,
    /// What is still waited for, in one sentence.
    pub waits_for: Option<String>,
}

impl From<Deployment> for DeploymentView {
    fn from(row: Deployment) -> Self {
        Self {
            id: row.id(),
            app_id: row.app_id.to_string(),
            environment: row.environment.to_string(),
            change_id: row.change_id.to_string(),
            status: row.status.to_string(),
            deployed_at: row.deployed_at,
            completed_at: row.completed_at,
            outcome: row.outcome.map(|outcome| outcome.to_string()),
            reason: row.told("reason").map(str::to_owned),
            waits_for: row.told("waits_for").map(str::to_owned),
            version: row.version,
            image: row.image,
            rollback_version: row.rollback_version,
            deployed_by: row.deployed_by,
        }
    }
}
