//! The third step: what the cluster makes of a merged change.

use std::time::Duration;

use jiff::Timestamp;

use super::index::answered;
use super::service::Service;
use super::{Failure, Next, close};
use crate::cluster::report::commit_of;
use crate::cluster::{Expectation, Live, Report, Target, Verdict, judge};
use crate::domain::{ChangeId, ChangeState, ClusterName, EnvironmentName, FleetSettings, Outcome, Problem, Problems};
use crate::files::FileTree;
use crate::forge;
use crate::git::CommitId;
use crate::operations::batch::Unit;
use crate::operations::fleet::{Fleet, rendered_path};
use crate::operations::live::{self, Standing};
use crate::operations::place::Place;
use crate::operations::record::{Event, What, note};
use crate::operations::{file_problems, git_problems, reached, tell};
use crate::store::{Change, ChangeUpdate, Deployment, Fence, Seen};

/// For how long after a merge the cluster is looked at as often as possible; then less often.
const EAGER: Duration = Duration::from_secs(60);

/// What is seen of an app in an environment.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The app and the environment.
    pub unit: Unit,
    /// The cluster.
    pub cluster: ClusterName,
    /// What it says; none if it is stale or was never heard.
    pub report: Option<Report>,
}

/// Looks at an app in an environment, as the cluster's watch has it.
///
/// # Errors
/// `fleet.unknown_environment`.
pub fn look(service: &Service, settings: &FleetSettings, unit: &Unit) -> Result<Sight, Problem> {
    let (place, cluster) = settings.place(&unit.environment)?;
    let namespace = place.namespace_of(&unit.app);
    let target = Target::new(unit.app.clone(), unit.environment.clone(), namespace, cluster.delivery);
    let report = service.clusters.report(&place.cluster, &target);
    let report = report.report().cloned();
    Ok(Sight { unit: unit.clone(), cluster: place.cluster.clone(), report })
}

/// How the change of a commit stands in an environment.
struct Judged {
    unit: Unit,
    sight: Option<Report>,
    verdict: Verdict,
    applied: Option<CommitId>,
}

/// Looks at what became of a merged change, and writes down what has settled.
///
/// # Errors
/// [`Failure`].
pub async fn observe(service: &Service, fence: &Fence, id: &ChangeId) -> Result<Next, Failure> {
    let Some(change) = service.store.change(id).await? else { return Ok(Next::Done) };
    if change.state != ChangeState::Merged {
        return Ok(Next::Done);
    }
    let rows = service.store.deployments_of(id).await?;
    let seen = judge_all(service, &change, &rows).await?;
    reached("observe");
    let now = service.now().await?;
    let mut answers = Vec::new();
    let mut is_waiting = false;
    for (row, seen) in rows.iter().zip(&seen) {
        match (&row.outcome, &seen.verdict) {
            (Some(_), _) => answers.push(row.clone()),
            (None, Verdict::Settled { outcome, reason }) => answers.push(answered(row.clone(), *outcome, reason, now)),
            (None, Verdict::Pending { waits_for }) => {
                is_waiting = true;
                let detail = Some(serde_json::json!({ "waits_for": waits_for }));
                answers.push(Deployment { detail, ..row.clone() });
            }
        }
    }
    if answers != rows {
        service.check(Some(fence)).await?;
        tell_forge(service, &change, &answers, &seen).await?;
    }
    let outcome = answers.iter().filter_map(|row| row.outcome).max();
    let mut tx = service.store.fenced(fence).await?;
    for row in answers.iter().filter(|row| !rows.contains(row)) {
        tx.put_deployment(row).await?;
    }
    for seen in &seen {
        if let Some(report) = &seen.sight {
            let app = crate::store::AppId::of(&change.fleet, &change.app);
            tx.put_seen(&app, &seen.unit.environment, &as_seen(report, seen.applied)).await?;
        }
    }
    if is_waiting {
        tx.commit().await?;
        return Ok(Next::Again(pause(service, &change, now)));
    }
    let update = ChangeUpdate { state: Some(ChangeState::Settled), outcome, ..ChangeUpdate::default() };
    tx.update_change(id, change.version, &update).await?;
    set_app_status(&mut tx, &change, outcome).await?;
    tx.complete(fence).await?;
    tx.commit().await?;
    reached("outcome");
    Ok(Next::Ended)
}

/// How an app is after an outcome, in the word that the API gives.
async fn set_app_status(
    tx: &mut crate::store::Tx,
    change: &Change,
    outcome: Option<Outcome>,
) -> Result<(), crate::store::Error> {
    let Some(app) = &change.app_id else { return Ok(()) };
    let status = match outcome {
        Some(Outcome::Healthy) | None => "running",
        Some(Outcome::Degraded) => "degraded",
        Some(Outcome::TimedOut) => "stalled",
        Some(Outcome::Unknown) => "unknown",
    };
    match tx.set_app_status(app, status).await {
        // It has left the fleet.
        Err(crate::store::Error::NotFound { .. }) => Ok(()),
        done => done,
    }
}

fn pause(service: &Service, change: &Change, now: Timestamp) -> Duration {
    let age = now.duration_since(change.merged_at.unwrap_or(now));
    let is_fresh = age.unsigned_abs() < EAGER;
    if is_fresh { service.timing.observe } else { service.timing.observe * 5 }
}

async fn judge_all(service: &Service, change: &Change, rows: &[Deployment]) -> Result<Vec<Judged>, Failure> {
    let fleet = service.fleet(&change.fleet)?;
    let head = change.merged_sha.as_deref().and_then(|commit| commit.parse::<CommitId>().ok());
    let commit = change.commit_sha.as_deref().and_then(|commit| commit.parse::<CommitId>().ok()).or(head);
    let Some(commit) = commit else {
        return Err(Problem::new("change.incomplete", "a merged change has no commit").into());
    };
    let units: Vec<Unit> =
        rows.iter().map(|row| Unit { app: change.app.clone(), environment: row.environment.clone() }).collect();
    let settings = fleet.settings().await?;
    let mut sights = Vec::new();
    for unit in &units {
        // An environment that has left the fleet says nothing any more.
        sights.push(look(service, &settings, unit).map_or(None, |sight| sight.report));
    }
    let now = service.now().await?;
    let (merged_at, deadline) = (change.merged_at.unwrap_or(now), service.timing.deadline);
    let seen = fleet.with_place(move |place| {
        units
            .into_iter()
            .zip(sights)
            .map(|(unit, sight)| judge_one(place, commit, unit, sight, (merged_at, deadline, now)))
            .collect::<Result<Vec<_>, Problems>>()
    });
    Ok(seen.await?)
}

fn judge_one(
    place: &Place,
    commit: CommitId,
    unit: Unit,
    sight: Option<Report>,
    (merged_at, deadline, now): (Timestamp, jiff::SignedDuration, Timestamp),
) -> Result<Judged, Problems> {
    let controller = sight.as_ref().and_then(|report| report.controller.as_ref());
    let revision = |text: Option<&String>| text.and_then(|text| commit_of(text)?.parse::<CommitId>().ok());
    let applied = revision(controller.and_then(|controller| controller.applied_revision.as_ref()));
    let attempted = revision(controller.and_then(|controller| controller.attempted_revision.as_ref()));
    let standing = |at: Option<CommitId>| match at {
        Some(at) => live::standing(place, commit, at, &unit),
        None => Ok(Standing::Unknown),
    };
    let (applied_standing, attempted_standing) = (standing(applied)?, standing(attempted)?);
    let tree = place.repository.tree(commit).map_err(git_problems)?;
    let folder = rendered_path(&unit.app, &unit.environment);
    let is_removal = tree.kind(&folder).map_err(file_problems)?.is_none();
    let image = Fleet::open(&tree)?.app(&unit.app, &unit.environment)?.and_then(|app| app.spec.image);
    let expected = Expectation {
        applied: as_live(applied_standing),
        attempted: as_live(attempted_standing),
        deadline,
        image: image.as_ref().map(ToString::to_string),
        is_removal,
        ..Expectation::merged_at(merged_at)
    };
    let verdict = if applied_standing == Standing::Superseded {
        let reason = "a later change took its place before the cluster had answered".to_owned();
        Verdict::Settled { outcome: Outcome::Unknown, reason }
    } else {
        judge(sight.as_ref(), &expected, now)
    };
    Ok(Judged { unit, sight, verdict, applied })
}

const fn as_live(standing: Standing) -> Live {
    match standing {
        Standing::Live => Live::Yes,
        Standing::Behind | Standing::Superseded => Live::No,
        Standing::Unknown => Live::Unknown,
    }
}

/// What a report says in the words of the index.
pub(super) fn as_seen(report: &Report, applied: Option<CommitId>) -> Seen {
    let now = report.observed_at;
    let expected = Expectation { applied: Live::Yes, ..Expectation::merged_at(now) };
    let health = match judge(Some(report), &expected, now) {
        Verdict::Pending { .. } => "progressing".to_owned(),
        Verdict::Settled { outcome, .. } => outcome.to_string(),
    };
    let controller = report.controller.as_ref();
    let sync_state = controller.map(|controller| {
        let word = match () {
            () if controller.is_suspended => "suspended",
            () if controller.is_syncing => "syncing",
            () if controller.is_out_of_sync => "out_of_sync",
            () => "synced",
        };
        word.to_owned()
    });
    Seen {
        health: Some(health),
        sync_state,
        applied_revision: applied.map(|commit| commit.to_string()),
        detail: serde_json::to_value(report).ok(),
        observed_at: Some(report.observed_at),
        drift: None,
    }
}

/// Says on the forge and in Git what has become known of a change.
async fn tell_forge(service: &Service, change: &Change, rows: &[Deployment], seen: &[Judged]) -> Result<(), Failure> {
    let fleet = service.fleet(&change.fleet)?;
    let Some(Ok(commit)) = change.commit_sha.as_deref().map(str::parse::<CommitId>) else { return Ok(()) };
    let mut told = Vec::new();
    for (row, seen) in rows.iter().zip(seen) {
        let reason = reason_of(row);
        let status = tell::deploy_status(&change.app, &row.environment, row.outcome, &reason)?;
        fleet.forge.set_status(commit, &status).await?;
        if let (Some(outcome), Some(at)) = (row.outcome, row.completed_at) {
            let environment: EnvironmentName = row.environment.clone();
            let revision = seen.applied.map(|commit| commit.to_string());
            let what = What::Outcome { environment, outcome, reason: reason.clone(), revision };
            let event = Event { change: change.id.clone(), at, what };
            let committer = service.committer.clone();
            fleet.with_place(move |place| note(place, commit, &event, &committer)).await?;
        }
        told.push(tell::Told { environment: row.environment.clone(), outcome: row.outcome, reason });
    }
    let Some(number) = close::number(change) else { return Ok(()) };
    let body = tell::outcome_comment(&told, None);
    let mut page = forge::PageRequest::first();
    loop {
        let comments = fleet.forge.comments(number, page).await?;
        if let Some(ours) = comments.items.iter().find(|comment| comment.body.starts_with(tell::OUTCOME_MARKER)) {
            if !tell::same_text(&ours.body, body.as_str()) {
                fleet.forge.edit_comment(number, ours.id, &body).await?;
            }
            return Ok(());
        }
        match comments.next {
            Some(next) => page = next,
            None => break,
        }
    }
    fleet.forge.comment(number, &body).await?;
    Ok(())
}

fn reason_of(row: &Deployment) -> String {
    row.told("reason").or_else(|| row.told("waits_for")).unwrap_or_default().to_owned()
}
