//! Taking a wish: it is planned and rendered, and if that is possible written down, before anybody is told that it was
//! accepted.

use serde_json::Value;

use super::Kind;
use super::index::tenant_of;
use super::service::{Service, job_about};
use crate::domain::{Action, AppSpec, ChangeId, ChangeState, Document, Intent, Problem, Problems};
use crate::operations::change::{self, Options, Stage};
use crate::operations::fleet::Fleet;
use crate::operations::reached;
use crate::store::{self, AppId, AppRecord, AuditEntry, Change, ChangeContent, ChangeFilter, FleetName, Limit, Paging};

/// What somebody asks the service for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The fleet.
    pub fleet: FleetName,
    /// What.
    pub intent: Intent,
    /// Who, as in `github:alice`.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// What whoever reads the change should know besides what planning finds.
    pub notes: Vec<String>,
}

/// A wish that was written down.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The change.
    pub change: Change,
    /// Whether it is new. The same wish is the same change while that is open, or as long as the fleet says so because of it.
    pub is_new: bool,
}

/// What would come of a wish, with what the database needs to know of it.
struct Planned {
    change: change::Change,
    tenant: Option<crate::domain::TenantName>,
    /// The app as it would be, if it is new.
    app: Option<AppRecord>,
}

/// Plans and renders a wish and writes nothing.
///
/// # Errors
/// Every problem that stands in its way.
pub async fn preview(service: &Service, wish: &Wish) -> Result<change::Change, Problems> {
    let id = ChangeId::from(uuid::Uuid::now_v7());
    Ok(plan(service, wish, &id, jiff::Timestamp::now()).await?.change)
}

/// Takes a wish: plans and renders it, and writes it down together with the job that carries it out.
///
/// # Errors
/// Every problem that stands in its way; `store.unavailable`, and then nothing was accepted.
pub async fn accept(service: &Service, wish: &Wish) -> Result<Accepted, Problems> {
    accept_once(service, wish, ChangeId::from(uuid::Uuid::now_v7())).await
}

/// As [`accept`], for a wish whose change is called `id`. If there is a change of that name, the wish was taken before,
/// and that is the answer: whoever asks again because they were stopped in between makes no second one.
///
/// # Errors
/// As [`accept`].
pub async fn accept_once(service: &Service, wish: &Wish, id: ChangeId) -> Result<Accepted, Problems> {
    if let Some(change) = service.store.change(&id).await? {
        return Ok(Accepted { change, is_new: false });
    }
    let now = service.store.now().await?;
    let planned = plan(service, wish, &id, now).await?;
    if let Some(change) = twin(service, wish, planned.change.stage).await? {
        return Ok(Accepted { change, is_new: false });
    }
    let mut change =
        Change::accepted(id, wish.fleet.clone(), wish.intent.clone(), wish.actor.clone(), wish.reason.clone(), now);
    change.tenant = planned.tenant;
    change.subject = Some(planned.change.subject.clone());
    change.branch = planned.change.branch.clone();
    let notes = wish.notes.iter().chain(&planned.change.notes).cloned().map(Value::String).collect();
    change.notes = Value::Array(notes);
    change.app_id = Some(AppId::of(&wish.fleet, &wish.intent.app));
    if planned.change.stage == Stage::Unchanged {
        change.state = ChangeState::Unchanged;
        change.settled_at = Some(now);
    }
    let content = content(&planned.change);
    let mut tx = service.store.begin().await?;
    if let Some(app) = &planned.app
        && tx.app(&app.id).await?.is_none()
    {
        tx.put_app(app).await?;
    }
    tx.insert_change(&change, &content).await?;
    tx.append_audit(&act(&change, now, &change.actor, "accept_change")).await?;
    if change.state == ChangeState::Accepted {
        tx.enqueue(&job_about(Kind::Propose, &change)).await?;
    }
    tx.commit().await?;
    reached("accept");
    Ok(Accepted { change, is_new: true })
}

/// What somebody did about a change, as a row of the audit trail.
pub(super) fn act(change: &Change, at: jiff::Timestamp, actor: &str, action: &str) -> AuditEntry {
    AuditEntry {
        tenant: change.tenant.clone(),
        fleet: Some(change.fleet.clone()),
        app: Some(change.app.clone()),
        environment: change.environment.clone(),
        change_id: Some(change.id.clone()),
        commit_sha: change.commit_sha.clone(),
        detail: Some(serde_json::json!({ "verb": change.action, "subject": change.subject, "reason": change.reason })),
        ..AuditEntry::service(at, actor, action)
    }
}

/// What a reviewer reads of a change that was worked out.
pub(super) fn content(change: &change::Change) -> ChangeContent {
    ChangeContent {
        diffs: serde_json::to_value(&change.diffs).unwrap_or_default(),
        files: serde_json::to_value(&change.files).unwrap_or_default(),
    }
}

async fn plan(service: &Service, wish: &Wish, id: &ChangeId, now: jiff::Timestamp) -> Result<Planned, Problems> {
    let fleet = service.fleet(&wish.fleet)?;
    let request = service.request(&wish.actor, wish.reason.as_deref(), now, id);
    let (intent, name) = (wish.intent.clone(), wish.fleet.clone());
    fleet
        .with_place(move |place| {
            let change = change::run(place, &intent, &request, Options { merge: false, dry_run: true })?;
            let tree = place.tree()?;
            let settings = Fleet::open(&tree)?.settings;
            let tenant = tenant_of(&settings, &intent.app);
            let app = new_app(&name, &intent, tenant.clone(), now)?;
            Ok(Planned { change, tenant, app })
        })
        .await
}

/// The row of an app that is being onboarded: until its change is merged, no file of the fleet says anything of it.
fn new_app(
    fleet: &FleetName,
    intent: &Intent,
    tenant: Option<crate::domain::TenantName>,
    now: jiff::Timestamp,
) -> Result<Option<AppRecord>, Problems> {
    let Action::Onboard { spec, file } = &intent.action else { return Ok(None) };
    let spec = AppSpec::parse(&Document { file, text: spec })?;
    if spec.name != intent.app {
        let detail = format!("the spec is of `{}`, and the wish is about `{}`", spec.name, intent.app);
        return Err(Problem::new("spec.name", detail).field("name").into());
    }
    Ok(Some(super::index::app_record(fleet, &spec, tenant, now)))
}

/// The change that was accepted for the very same wish: one that is not done yet, or, where there is nothing left to
/// change, the one that has seen to that. Who asks again because the answer was lost is told of that one.
async fn twin(service: &Service, wish: &Wish, stage: Stage) -> Result<Option<Change>, store::Error> {
    let mut states = vec![ChangeState::Accepted, ChangeState::Proposed];
    if stage == Stage::Unchanged {
        states.extend([ChangeState::Merged, ChangeState::Settled]);
    }
    let filter = ChangeFilter {
        fleet: Some(wish.fleet.clone()),
        app: Some(wish.intent.app.clone()),
        states,
        ..ChangeFilter::default()
    };
    let paging = Paging { limit: Limit::new(Limit::MAX), after: None };
    let open = service.store.changes(&filter, &paging).await?;
    Ok(open.items.into_iter().find(|change| change.intent.as_ref() == Some(&wish.intent)))
}
