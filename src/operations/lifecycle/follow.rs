//! The second step: what becomes of a merge request, and merging it where that is allowed.

use jiff::SignedDuration;

use super::accept::act;
use super::approve::approved;
use super::close::number;
use super::make::make;
use super::service::{ServedFleet, Service, job_about};
use super::{Failure, Kind, Next, close, propose, reopen};
use crate::domain::fleet::MergeMode;
use crate::domain::{ChangeId, ChangeState, Problem, Problems};
use crate::forge::{self, MergeRequest, MergeRequestState};
use crate::git::CommitId;
use crate::operations::record::{Event, What, note};
use crate::operations::{change, reached};
use crate::store::{AppId, Change, ChangeUpdate, Deployment, DeploymentFilter, DeploymentStatus, Fence, Paging};

/// Looks at the merge request of a change, and merges it if nobody is needed for that and its checks are green.
///
/// # Errors
/// [`Failure`].
pub async fn follow(service: &Service, fence: &Fence, id: &ChangeId) -> Result<Next, Failure> {
    let Some(change) = service.store.change(id).await? else { return Ok(Next::Done) };
    match change.state {
        ChangeState::Proposed => {}
        // Closed means no, until somebody opens it again.
        ChangeState::Closed => return reopen::look_again(service, fence, &change).await,
        _ => return Ok(Next::Done),
    }
    let Some(number) = number(&change) else { return Ok(Next::Done) };
    let fleet = service.fleet(&change.fleet)?;
    let found = match fleet.forge.get(number).await {
        Ok(found) => found,
        Err(forge::Error::NotFound { .. }) => {
            return close::end(service, fence, &change, "its merge request is gone").await;
        }
        Err(error) => return Err(error.into()),
    };
    match found.state {
        MergeRequestState::Merged => merged(service, fence, &change, &found).await,
        MergeRequestState::Closed => {
            let by = found.closed_by.as_ref().map_or("somebody", |user| user.login.as_str());
            close::end(service, fence, &change, &format!("its merge request was closed by {by}")).await
        }
        MergeRequestState::Open => open(service, fence, fleet, &change, &found).await,
    }
}

async fn open(
    service: &Service,
    fence: &Fence,
    fleet: &ServedFleet,
    change: &Change,
    found: &MergeRequest,
) -> Result<Next, Failure> {
    // A person who pushed to the branch has taken it over.
    let is_ours = change.commit_sha.as_deref() == Some(found.head.to_string().as_str());
    if !is_ours {
        return Ok(Next::Done);
    }
    if change.merge_mode != MergeMode::Auto || found.draft {
        // Somebody may have pointed the merge request at another branch since.
        if found.target != fleet.forge.default_branch().await? {
            return Ok(Next::Done);
        }
        // A person's yes stands in for a person's click, and for no check.
        if found.draft || approved(service, fleet, change).await?.is_empty() {
            return wait_for_a_person(service, fence, fleet, change, found).await;
        }
        if !is_green(fleet, found.head).await? {
            return Ok(Next::Again(service.timing.follow));
        }
    }
    service.check(Some(fence)).await?;
    match forge::urgently(fleet.forge.merge(found.number, found.head)).await {
        Ok(_) => {
            reached("merge");
            let found = fleet.forge.get(found.number).await?;
            merged(service, fence, change, &found).await
        }
        Err(forge::Error::Conflict) => regenerate(service, fence, fleet, change).await,
        Err(forge::Error::ChecksMissing { .. } | forge::Error::NotApproved { .. }) => {
            Ok(Next::Again(service.timing.follow))
        }
        Err(forge::Error::HeadMoved { .. } | forge::Error::NotOpen { .. }) => {
            Ok(Next::Again(std::time::Duration::ZERO))
        }
        Err(error) => Err(error.into()),
    }
}

/// Keeps a merge request that a person merges as it can be merged, and ends it when nobody wants it.
async fn wait_for_a_person(
    service: &Service,
    fence: &Fence,
    fleet: &ServedFleet,
    change: &Change,
    found: &MergeRequest,
) -> Result<Next, Failure> {
    let days = fleet.settings().await?.policy.merge_requests.stale_days;
    let age = service.now().await?.duration_since(found.updated);
    if age > SignedDuration::from_hours(24 * i64::from(days)) {
        service.check(Some(fence)).await?;
        return close::expire(service, fence, fleet, change, days).await;
    }
    let head = found.head;
    let overlaps = fleet
        .with_place(move |place| {
            let tip = place.tip()?;
            place.repository.overlap(tip, head).map_err(crate::operations::git_problems)
        })
        .await?;
    if overlaps { regenerate(service, fence, fleet, change).await } else { Ok(Next::Done) }
}

/// Whether every check of a commit says yes; one that was skipped, or has not ended, does not.
async fn is_green(fleet: &ServedFleet, head: CommitId) -> Result<bool, forge::Error> {
    let statuses = fleet.forge.statuses(head).await?;
    Ok(statuses.iter().all(|status| status.state == forge::StatusState::Success))
}

/// Makes the change anew on the newest base: it is rendered again rather than rebased, and looked at again.
async fn regenerate(service: &Service, fence: &Fence, fleet: &ServedFleet, change: &Change) -> Result<Next, Failure> {
    match make(service, Some(fence), fleet, change).await {
        Ok(Some(made)) => {
            let mut tx = service.store.fenced(fence).await?;
            tx.update_change(&change.id, change.version, &made.update(change)).await?;
            tx.commit().await?;
            Ok(Next::Again(std::time::Duration::ZERO))
        }
        Ok(None) => {
            let reason = "the fleet says by now what it asks for";
            // Left open, it would be found open again.
            close::shut(fleet, change, reason).await?;
            close::end(service, fence, change, reason).await
        }
        Err(Failure::Problem { problem, is_temporary: false }) => {
            propose::failed(service, fence, change, &problem).await
        }
        Err(failure) => Err(failure),
    }
}

/// Writes down that a change is merged, and has the cluster watched.
pub(super) async fn merged(
    service: &Service,
    fence: &Fence,
    change: &Change,
    found: &MergeRequest,
) -> Result<Next, Failure> {
    let fleet = service.fleet(&change.fleet)?;
    let head = found.head;
    let by = found.closed_by.as_ref().map_or_else(|| found.author.login.clone(), |user| user.login.clone());
    let event = Event { change: change.id.clone(), at: service.now().await?, what: What::Merged { by } };
    let committer = service.committer.clone();
    let branch = found.source.clone();
    fleet
        .with_place(move |place| {
            note(place, head, &event, &committer)?;
            let tip = place.tip()?;
            change::clean_up_merged(place, &branch, tip).map_err(crate::operations::git_problems)
        })
        .await?;
    let update = ChangeUpdate {
        state: Some(ChangeState::Merged),
        commit_sha: Some(head.to_string()),
        merge_request: i64::try_from(found.number.0).ok(),
        merge_request_url: Some(found.url.clone()),
        merged_sha: Some(found.merged.unwrap_or(head).to_string()),
        ..ChangeUpdate::default()
    };
    let rows = service.store.deployments_of(&change.id).await?;
    let undone = if change.action == "rollback" { undone(service, change).await? } else { Vec::new() };
    let mut tx = service.store.fenced(fence).await?;
    tx.update_change(&change.id, change.version, &update).await?;
    for row in rows.into_iter().filter(|row| row.status == DeploymentStatus::Pending) {
        tx.put_deployment(&Deployment { status: DeploymentStatus::Deploying, ..row }).await?;
    }
    for row in undone {
        tx.put_deployment(&Deployment { status: DeploymentStatus::RolledBack, ..row }).await?;
    }
    tx.enqueue(&job_about(Kind::Observe, change)).await?;
    tx.enqueue(&super::refresh::job(&change.fleet)).await?;
    tx.complete(fence).await?;
    tx.commit().await?;
    reached("merged");
    Ok(Next::Ended)
}

/// The deployment that a rollback takes back: the one before it in the same environment.
async fn undone(service: &Service, change: &Change) -> Result<Vec<Deployment>, Failure> {
    let Some(environment) = &change.environment else { return Ok(Vec::new()) };
    let filter = DeploymentFilter {
        app: Some(AppId::of(&change.fleet, &change.app)),
        environment: Some(environment.clone()),
        ..DeploymentFilter::default()
    };
    let newest = service.store.deployments(&filter, &Paging::default()).await?.items;
    let is_before = |row: &Deployment| row.change_id != change.id && row.status != DeploymentStatus::Pending;
    Ok(newest.into_iter().find(is_before).into_iter().collect())
}

/// Merges a change because a person says so, if what they looked at is what is there.
///
/// # Errors
/// `change.not_open`; `change.regenerated` if it had to be made anew and differs from what was looked at; what the forge
/// demands.
pub async fn merge(service: &Service, id: &ChangeId, actor: &str, head: Option<CommitId>) -> Result<Change, Problems> {
    let change = service.store.change(id).await?;
    let change = change.ok_or_else(|| Problem::new("change.not_found", "there is no such change"))?;
    let (ChangeState::Proposed, Some(number)) = (change.state, number(&change)) else {
        let detail = format!("the change is {} and has no open merge request", change.state);
        return Err(Problem::new("change.not_open", detail).into());
    };
    let fleet = service.fleet(&change.fleet)?;
    let known = change.commit_sha.as_deref().and_then(|commit| commit.parse().ok());
    let Some(head) = head.or(known) else {
        return Err(Problem::new("change.incomplete", "the change has no commit yet").into());
    };
    match forge::urgently(fleet.forge.merge(number, head)).await {
        Ok(_) => {}
        Err(forge::Error::Conflict) if known == Some(head) => {
            let made = make(service, None, fleet, &change).await?;
            let made = made
                .ok_or_else(|| Problem::new("change.unchanged", "the fleet says by now what this change asks for"))?;
            let mut tx = service.store.begin().await?;
            tx.update_change(&change.id, change.version, &made.update(&change)).await?;
            tx.commit().await?;
            if made.digest() != change.digest {
                let detail = "the fleet has moved on, and the change was rendered anew: look at it again";
                return Err(Problem::new("change.regenerated", detail).into());
            }
            forge::urgently(fleet.forge.merge(number, made.commit)).await.map_err(Problem::from)?;
        }
        Err(error) => return Err(Problem::from(error).into()),
    }
    let mut tx = service.store.begin().await?;
    let at = tx.now().await?;
    tx.append_audit(&act(&change, at, actor, "merge_change")).await?;
    tx.enqueue(&job_about(Kind::Follow, &change).priority(20)).await?;
    tx.commit().await?;
    let now = service.store.change(id).await?;
    Ok(now.unwrap_or(change))
}
