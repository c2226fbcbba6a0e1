//! The index: what the database says of a fleet's apps and changes, worked out of its repository alone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::service::{Service, job_about};
use super::{Failure, Kind};
use crate::cluster::drift::Intended;
use crate::domain::fleet::MergeMode;
use crate::domain::{
    AppName, AppSpec, ChangeId, ChangeState, EnvironmentName, FleetSettings, ImageRef, Outcome, Problems, TenantName,
};
use crate::git::{CommitId, CommitInfo, Key};
use crate::operations::fleet::Fleet;
use crate::operations::place::{OWN_PREFIX, Place};
use crate::operations::record::{self, Event, What};
use crate::operations::{audit, git_problems, rendering};
use crate::render::Record;
use crate::store::{
    AppConfig, AppId, AppRecord, AuditEntry, AuditId, AuditSource, Change, ChangeContent, Deployment, DeploymentStatus,
    FleetName, FleetRecord, Placement, Tx,
};

/// How many acts of a fleet's history are indexed.
const MAX_ACTS: usize = 100_000;
/// How many rows are written in one transaction, so that others get their turn.
const BATCH: usize = 500;

/// The tenant that an app belongs to: the first that lists it. In a fleet without tenants everything belongs to
/// `default`.
#[must_use]
pub fn tenant_of(settings: &FleetSettings, app: &AppName) -> Option<TenantName> {
    if settings.tenants.is_empty() {
        return "default".parse().ok();
    }
    settings.tenants.iter().find(|(_, tenant)| tenant.apps.contains(app)).map(|(name, _)| name.clone())
}

/// The names of a fleet's tenants.
pub(super) fn tenants(settings: &FleetSettings) -> Vec<TenantName> {
    match "default".parse() {
        Ok(default) if settings.tenants.is_empty() => vec![default],
        _ => settings.tenants.keys().cloned().collect(),
    }
}

/// The row of an app.
pub(super) fn app_record(fleet: &FleetName, spec: &AppSpec, tenant: Option<TenantName>, at: Timestamp) -> AppRecord {
    AppRecord {
        display_name: spec.display_name.clone(),
        domain: spec.domain.clone(),
        framework: spec.framework,
        source_type: spec.source_type,
        source_url: spec.source_url.clone(),
        tenant,
        ..AppRecord::new(fleet.clone(), spec.name.clone(), spec.plan.clone(), at)
    }
}

/// The row of a change in one environment, with the image that runs there because of it.
pub(super) fn deployment(change: &Change, environment: &EnvironmentName, image: Option<&ImageRef>) -> Deployment {
    let version = image.map(|image| image.version().to_owned());
    Deployment {
        app_id: AppId::of(&change.fleet, &change.app),
        environment: environment.clone(),
        change_id: change.id.clone(),
        rollback_version: version.clone().filter(|_| change.action == "rollback"),
        version,
        image: image.map(ToString::to_string),
        status: DeploymentStatus::Pending,
        deployed_by: change.actor.clone(),
        deployed_at: change.created_at,
        completed_at: None,
        outcome: None,
        detail: None,
    }
}

/// What becomes of a deployment by an outcome.
pub(super) const fn status_after(outcome: Outcome) -> DeploymentStatus {
    match outcome {
        Outcome::Healthy => DeploymentStatus::Success,
        Outcome::Degraded | Outcome::TimedOut | Outcome::Unknown => DeploymentStatus::Failed,
    }
}

/// An app with everything that the fleet says of it.
pub(super) struct IndexedApp {
    record: AppRecord,
    configs: Vec<AppConfig>,
    placements: Vec<Placement>,
}

impl IndexedApp {
    /// Reads an app; `None` if it is in no environment.
    ///
    /// # Errors
    /// Every problem of its files.
    pub(super) fn read(
        name: &FleetName,
        fleet: &Fleet<'_>,
        app: &AppName,
        at: Timestamp,
    ) -> Result<Option<Self>, Problems> {
        let Some(spec) = fleet.spec(app)? else { return Ok(None) };
        let environments = fleet.environments_of(app)?;
        if environments.is_empty() {
            return Ok(None);
        }
        let record = app_record(name, &spec.value, tenant_of(&fleet.settings, app), at);
        let mut configs = configs(&spec.value, None);
        let mut placements = Vec::new();
        for environment in environments {
            let Some(resolved) = fleet.app(app, &environment)? else { continue };
            let shared = configs.len();
            for config in self::configs(&resolved.spec, Some(&environment)) {
                let is_shared = |known: &AppConfig| known.key == config.key && known.value == config.value;
                if !configs[..shared].iter().any(is_shared) {
                    configs.push(config);
                }
            }
            let rendered = fleet.record(app, &environment)?;
            let intended = intended(fleet, app, &environment, rendered.as_ref())?;
            let host = rendered.and_then(|record| record.host);
            placements.push(Placement {
                image: resolved.spec.image.as_ref().map(ToString::to_string),
                replicas_min: Some(u32::from(resolved.spec.min_replicas())),
                replicas_max: Some(u32::from(resolved.spec.max_replicas())),
                plan: Some(resolved.spec.plan.clone()),
                host: host.and_then(|host| host.parse().ok()),
                hold: resolved.hold.clone(),
                intended: serde_json::to_value(intended).ok(),
                ..Placement::new(record.id.clone(), environment)
            });
        }
        Ok(Some(Self { record, configs, placements }))
    }

    /// Writes it down.
    ///
    /// # Errors
    /// Those of a write.
    pub(super) async fn write(&self, tx: &mut Tx) -> Result<(), crate::store::Error> {
        tx.put_app(&self.record).await?;
        tx.replace_app_configs(&self.record.id, &self.configs).await?;
        let environments: Vec<EnvironmentName> =
            self.placements.iter().map(|placement| placement.environment.clone()).collect();
        tx.retain_placements(&self.record.id, &environments).await?;
        for placement in &self.placements {
            tx.put_placement(placement).await?;
        }
        Ok(())
    }
}

/// The workloads that the fleet wants to run of an app.
fn intended(
    fleet: &Fleet<'_>,
    app: &AppName,
    environment: &EnvironmentName,
    record: Option<&Record>,
) -> Result<Vec<Intended>, Problems> {
    let Some(record) = record else { return Ok(Vec::new()) };
    let is_workload = |file: &String| file.starts_with("deployment-") || file.starts_with("statefulset-");
    let files = record.files.iter().filter(|file| is_workload(file)).cloned().collect();
    let workloads = Record { files, ..record.clone() };
    let objects = rendering::objects(fleet.tree, app, environment, Some(&workloads))?;
    // An autoscaler leaves the number out, which the cluster then knows better.
    Ok(objects.iter().filter_map(Intended::of).collect())
}

fn configs(spec: &AppSpec, environment: Option<&EnvironmentName>) -> Vec<AppConfig> {
    let plain = spec.env.iter().map(|(name, value)| AppConfig {
        environment: environment.cloned(),
        key: name.to_string(),
        value: Some(value.as_str().to_owned()),
        is_secret: false,
    });
    let secret = spec.secrets.iter().map(|name| AppConfig {
        environment: environment.cloned(),
        key: name.to_string(),
        value: None,
        is_secret: true,
    });
    plain.chain(secret).collect()
}

/// A change as Git tells of it.
pub(super) struct ReadChange {
    pub(super) change: Change,
    pub(super) deployments: Vec<Deployment>,
}

/// The changes that came to the synced branch after `since`, newest first, and those of wooo's own branches.
///
/// # Errors
/// What is wrong with the repository.
pub(super) fn changes(place: &Place, name: &FleetName, since: Option<CommitId>) -> Result<Vec<ReadChange>, Problems> {
    let tip = place.tip()?;
    let mut found = Vec::new();
    let mut newest: BTreeSet<(String, String)> = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut taken_back: BTreeSet<(AppId, EnvironmentName)> = BTreeSet::new();
    let history = match since {
        Some(known) => place.repository.history_since(tip, known),
        None => place.repository.history(tip, &[]),
    };
    for info in history.map_err(git_problems)? {
        let info = info.map_err(git_problems)?;
        let Some(mut read) = read_change(place, name, &info)? else { continue };
        seen.insert(info.id);
        let is_newest = newest.insert((
            read.change.app.to_string(),
            read.change.environment.as_ref().map_or_else(String::new, ToString::to_string),
        ));
        merged(&mut read, &info, is_newest);
        for row in &mut read.deployments {
            let place = (row.app_id.clone(), row.environment.clone());
            // The commits come newest first, so that a rollback is met before what it took back.
            if taken_back.remove(&place) {
                row.status = DeploymentStatus::RolledBack;
            }
            if read.change.action == "rollback" {
                taken_back.insert(place);
            }
        }
        found.push(read);
    }
    for (_, at) in place.repository.branches_with_prefix(OWN_PREFIX).map_err(git_problems)? {
        let info = place.repository.commit_info(at).map_err(git_problems)?;
        if seen.insert(at)
            && let Some(read) = read_change(place, name, &info)?
            && read.change.merge_request.is_some()
        {
            found.push(read);
        }
    }
    Ok(found)
}

/// The changes whose merge requests were closed: they are on no branch any more, and their notes are all that is left.
///
/// # Errors
/// What is wrong with the repository.
pub(super) fn closed(place: &Place, name: &FleetName) -> Result<Vec<ReadChange>, Problems> {
    let mut found = Vec::new();
    for (commit, values) in place.repository.all_notes().map_err(git_problems)? {
        let is_closed = record::read(values).iter().any(|event| matches!(event.what, What::Closed { .. }));
        // A commit that nothing holds may be gone; then its notes cannot say which files it changed.
        if let (true, Ok(info)) = (is_closed, place.repository.commit_info(commit)) {
            found.extend(read_change(place, name, &info)?);
        }
    }
    Ok(found)
}

fn read_change(place: &Place, fleet: &FleetName, info: &CommitInfo) -> Result<Option<ReadChange>, Problems> {
    let trailer = |key| info.trailers.get(key);
    let (Some(Ok(id)), Some(Ok(app))) =
        (trailer(Key::CHANGE_ID).map(str::parse::<ChangeId>), trailer(Key::APP).map(str::parse::<AppName>))
    else {
        return Ok(None);
    };
    let events: Vec<Event> = record::events(place, info.id)?.into_iter().filter(|event| event.change == id).collect();
    let environment = trailer(Key::ENV).and_then(|text| text.parse().ok());
    let digests: Vec<&str> = info.trailers.all(Key::RENDER_DIGEST).collect();
    let mut change = Change {
        id,
        app_id: Some(AppId::of(fleet, &app)),
        fleet: fleet.clone(),
        app,
        environment,
        action: trailer(Key::ACTION).unwrap_or("edit").to_owned(),
        intent: None,
        actor: trailer(Key::ACTOR).unwrap_or(&info.author.name).to_owned(),
        reason: None,
        tenant: None,
        subject: Some(info.subject().to_owned()),
        state: ChangeState::Accepted,
        outcome: None,
        problem: None,
        notes: serde_json::Value::Array(Vec::new()),
        branch: None,
        base_commit: info.parents.first().map(ToString::to_string),
        commit_sha: Some(info.id.to_string()),
        digest: (!digests.is_empty()).then(|| digests.join(" ")),
        merge_request: None,
        merge_request_url: None,
        merge_mode: MergeMode::Propose,
        merged_sha: None,
        version: 1,
        created_at: info.committed_at,
        updated_at: info.committed_at,
        proposed_at: None,
        merged_at: None,
        settled_at: None,
    };
    let tree = place.repository.tree(info.id).map_err(git_problems)?;
    let at = Fleet::open(&tree).ok();
    change.tenant = at.as_ref().and_then(|fleet| tenant_of(&fleet.settings, &change.app));
    let outcomes = apply(&mut change, events);
    let mut environments: BTreeSet<EnvironmentName> = outcomes.keys().cloned().collect();
    environments.extend(change.environment.clone());
    let deployments = environments
        .into_iter()
        .map(|environment| {
            let app = at.as_ref().and_then(|fleet| fleet.app(&change.app, &environment).ok().flatten());
            let image = app.and_then(|app| app.spec.image);
            let row = deployment(&change, &environment, image.as_ref());
            match outcomes.get(&environment) {
                Some((outcome, reason, at)) => answered(row, *outcome, reason, *at),
                None => row,
            }
        })
        .collect();
    Ok(Some(ReadChange { change, deployments }))
}

/// A deployment that the cluster has answered to.
pub(super) fn answered(row: Deployment, outcome: Outcome, reason: &str, at: Timestamp) -> Deployment {
    Deployment {
        status: status_after(outcome),
        outcome: Some(outcome),
        completed_at: Some(at),
        detail: Some(serde_json::json!({ "reason": reason })),
        ..row
    }
}

type Outcomes = BTreeMap<EnvironmentName, (Outcome, String, Timestamp)>;

/// What the events say of a change, and the outcomes among them.
fn apply(change: &mut Change, events: Vec<Event>) -> Outcomes {
    let mut outcomes = Outcomes::new();
    for event in events {
        change.updated_at = event.at;
        match event.what {
            What::Proposed { intent, requested_at, reason, merge_request, url } => {
                change.branch = crate::operations::change::branch_name(&intent).ok().map(|name| name.to_string());
                change.intent = Some(intent);
                (change.created_at, change.proposed_at) = (requested_at, Some(event.at));
                change.reason = reason;
                change.merge_request = i64::try_from(merge_request).ok();
                change.merge_request_url = Some(url);
                change.state = ChangeState::Proposed;
            }
            What::Merged { .. } => change.merged_at = Some(event.at),
            What::Closed { reason } => {
                change.state = ChangeState::Closed;
                change.settled_at = Some(event.at);
                change.notes = serde_json::Value::Array(vec![reason.into()]);
            }
            What::Outcome { environment, outcome, reason, .. } => {
                outcomes.insert(environment, (outcome, reason, event.at));
            }
        }
    }
    change.outcome = outcomes.values().map(|(outcome, ..)| *outcome).max();
    change.settled_at = change.settled_at.or_else(|| outcomes.values().map(|(.., at)| *at).max());
    outcomes
}

/// A change that is on the synced branch.
fn merged(read: &mut ReadChange, info: &CommitInfo, is_newest: bool) {
    let change = &mut read.change;
    change.merged_sha = Some(info.id.to_string());
    change.merged_at = change.merged_at.or(Some(info.committed_at));
    let is_answered = !read.deployments.is_empty() && read.deployments.iter().all(|row| row.outcome.is_some());
    // What a later change has taken the place of cannot be observed any more.
    change.state = if is_answered || !is_newest { ChangeState::Settled } else { ChangeState::Merged };
    for row in read.deployments.iter_mut().filter(|row| row.outcome.is_none()) {
        row.status = DeploymentStatus::Deploying;
    }
}

/// What a fleet's repository says, all of it.
struct Contents {
    fleet: FleetRecord,
    tenants: Vec<TenantName>,
    apps: Vec<IndexedApp>,
    changes: Vec<ReadChange>,
    acts: Vec<AuditEntry>,
}

/// What an index has been built of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
pub struct Built {
    /// The apps of the fleet.
    pub apps: usize,
    /// The changes that Git tells of.
    pub changes: usize,
    /// Their deployments.
    pub deployments: usize,
    /// The acts in the history of the synced branch.
    pub acts: usize,
}

/// Works the index of a fleet out anew, from its repository alone: what the database said of its apps, changes,
/// deployments, repairs and acts is forgotten, but for the changes that have no commit yet.
///
/// # Errors
/// [`Failure`]; the index is as it was then, or half built and built again by the next run.
pub async fn rebuild(service: &Service, name: &FleetName) -> Result<Built, Failure> {
    let mut tx = service.store.begin().await?;
    tx.reset_index(name).await?;
    tx.commit().await?;
    build(service, name).await
}

/// Works the index of a fleet out. What is there already stays as it is.
pub(super) async fn build(service: &Service, name: &FleetName) -> Result<Built, Failure> {
    let fleet = service.fleet(name)?;
    let now = service.now().await?;
    let own = name.clone();
    let identity = fleet.forge.identity().await?;
    let contents = fleet.with_place(move |place| read_all(place, &own, identity.clone_url, now)).await?;
    let mut tx = service.store.begin().await?;
    tx.put_fleet(&FleetRecord { tip: None, indexed_at: None, ..contents.fleet.clone() }).await?;
    tx.replace_tenants(name, &contents.tenants).await?;
    tx.commit().await?;
    for apps in contents.apps.chunks(BATCH) {
        let mut tx = service.store.begin().await?;
        for app in apps {
            app.write(&mut tx).await?;
        }
        tx.commit().await?;
    }
    for changes in contents.changes.chunks(BATCH) {
        let mut tx = service.store.begin().await?;
        for read in changes {
            write_change(&mut tx, read).await?;
        }
        tx.commit().await?;
    }
    for acts in contents.acts.chunks(BATCH) {
        let mut tx = service.store.begin().await?;
        for act in acts {
            tx.append_audit(act).await?;
        }
        tx.commit().await?;
    }
    let mut tx = service.store.begin().await?;
    tx.put_fleet(&contents.fleet).await?;
    tx.enqueue(&super::refresh::job(name)).await?;
    tx.commit().await?;
    Ok(Built {
        apps: contents.apps.len(),
        changes: contents.changes.len(),
        deployments: contents.changes.iter().map(|read| read.deployments.len()).sum(),
        acts: contents.acts.len(),
    })
}

/// Writes down a change out of Git, with the job that goes on with it.
pub(super) async fn write_change(tx: &mut Tx, read: &ReadChange) -> Result<(), crate::store::Error> {
    // What this service made is known, in more detail than Git tells.
    if let Some(known) = tx.change(&read.change.id).await? {
        if known.state == ChangeState::Closed && read.change.merged_sha.is_some() {
            // It was opened again and merged without anybody having seen it open.
            tx.enqueue(&super::hear::follow(&known)).await?;
        }
        return Ok(());
    }
    tx.insert_change(&read.change, &ChangeContent::default()).await?;
    for row in &read.deployments {
        tx.put_deployment(row).await?;
    }
    match read.change.state {
        ChangeState::Proposed => tx.enqueue(&job_about(Kind::Follow, &read.change)).await.map(drop),
        ChangeState::Merged => tx.enqueue(&job_about(Kind::Observe, &read.change)).await.map(drop),
        _ => Ok(()),
    }
}

fn read_all(place: &Place, name: &FleetName, url: String, now: Timestamp) -> Result<Contents, Problems> {
    let tip = place.tip()?;
    let tree = place.repository.tree(tip).map_err(git_problems)?;
    let fleet = Fleet::open(&tree)?;
    let (names, strays) = fleet.apps_and_strays()?;
    for stray in strays {
        tracing::warn!(problem = %stray, "not indexed");
    }
    let mut changes = changes(place, name, None)?;
    changes.extend(closed(place, name)?);
    let mut known = BTreeSet::new();
    changes.retain(|read| known.insert(read.change.id.clone()));
    let mut first_seen: BTreeMap<&AppName, Timestamp> = BTreeMap::new();
    for read in &changes {
        let at = first_seen.entry(&read.change.app).or_insert(read.change.created_at);
        *at = (*at).min(read.change.created_at);
    }
    let mut apps = Vec::new();
    for app in &names {
        // One that cannot be read does not keep the others out of the index.
        match IndexedApp::read(name, &fleet, app, first_seen.get(app).copied().unwrap_or(now)) {
            Ok(found) => apps.extend(found),
            Err(problems) => tracing::warn!(%problems, %app, "not indexed"),
        }
    }
    let acts = audit::run(place, None, MAX_ACTS)?
        .into_iter()
        .filter_map(|act| act_record(name, &fleet.settings, act))
        .collect();
    Ok(Contents {
        fleet: FleetRecord {
            name: name.clone(),
            url,
            branch: place.base.to_string(),
            tip: Some(tip.to_string()),
            indexed_at: Some(now),
        },
        tenants: tenants(&fleet.settings),
        apps,
        changes,
        acts,
    })
}

/// An act out of Git's history as a row of the audit log; none for a commit whose id makes no identity.
pub(super) fn act_record(name: &FleetName, settings: &FleetSettings, act: audit::Act) -> Option<AuditEntry> {
    let app: Option<AppName> = act.app.as_deref().and_then(|app| app.parse().ok());
    Some(AuditEntry {
        // The same commit is the same act whenever it is read.
        id: format!("{name}/{}", act.commit).parse::<AuditId>().ok()?,
        tenant: app.as_ref().and_then(|app| tenant_of(settings, app)),
        fleet: Some(name.clone()),
        environment: act.environment.and_then(|text| text.parse().ok()),
        change_id: act.change_id.and_then(|id| id.parse().ok()),
        commit_sha: Some(act.commit),
        detail: Some(serde_json::json!({ "subject": act.subject })),
        source: AuditSource::Git,
        app,
        ..AuditEntry::service(act.at, act.actor, act.action)
    })
}
