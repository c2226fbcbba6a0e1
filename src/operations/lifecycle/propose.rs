//! The first step: from an accepted wish to an open merge request.

use super::make::{Made, intent_of, make};
use super::service::{ServedFleet, Service, job_about};
use super::{Failure, Kind, Next, as_json, close, follow, limits};
use crate::domain::{ChangeId, ChangeState, Intent, Problem};
use crate::forge::{self, MergeRequest, MergeRequestState};
use crate::git::BranchName;
use crate::operations::change::branch_prefix;
use crate::operations::{reached, tell};
use crate::store::{Change, ChangeFilter, ChangeUpdate, Fence, Limit, Paging};

/// What a note about waiting begins with. It is gone as soon as the change no longer waits.
pub(super) const WAITS: &str = "waits: ";

/// Makes an accepted change and opens its merge request.
///
/// # Errors
/// [`Failure`]; what cannot be made is no failure of the job but the end of the change.
pub async fn propose(service: &Service, fence: &Fence, id: &ChangeId) -> Result<Next, Failure> {
    let Some(change) = service.store.change(id).await? else { return Ok(Next::Done) };
    if change.state != ChangeState::Accepted {
        return Ok(Next::Done);
    }
    let is_urgent = change.action == "rollback";
    let working = carry_out(service, fence, change);
    // What undoes harm gets through when the forge takes little more.
    if is_urgent { forge::urgently(working).await } else { working.await }
}

async fn carry_out(service: &Service, fence: &Fence, change: Change) -> Result<Next, Failure> {
    let fleet = service.fleet(&change.fleet)?;
    let intent = intent_of(&change)?;
    let rivals = rivals(service, &change, &intent).await?;
    if let Some(newer) = rivals.iter().find(|rival| (rival.created_at, &rival.id) > (change.created_at, &change.id)) {
        let reason = format!("change {} asks for something newer of the same kind", newer.id);
        return close::end(service, fence, &change, &reason).await;
    }
    // An earlier run may have come as far as a merge that it could not write down any more.
    let earlier = earlier(fleet, &change).await?;
    if let Some(merged) =
        earlier.iter().find(|found| is_own(found, &change) && found.state == MergeRequestState::Merged)
    {
        return follow::merged(service, fence, &change, merged).await;
    }
    if limits::is_automatic(&change.actor)
        && let Some(no) = &earlier
        && is_a_no(service, fleet, &change, no).await?
    {
        let reason = format!("{} with the same content was closed, which means no; a person can ask again", no.url);
        return close::end(service, fence, &change, &reason).await;
    }
    // One that is open, of this change or of one that it replaces, takes no further place.
    let takes_a_place = earlier.iter().all(|found| found.state != MergeRequestState::Open)
        && rivals.iter().all(|rival| rival.state != ChangeState::Proposed);
    if takes_a_place && let Some(why) = limits::why_wait(service, &fleet.settings().await?, &change, &intent).await? {
        return wait(service, fence, &change, &why).await;
    }
    match make(service, Some(fence), fleet, &change).await {
        Ok(Some(made)) => {
            for rival in &rivals {
                close::replace(service, fleet, rival, &change).await?;
            }
            written(service, fence, &change, &made).await
        }
        Ok(None) => unchanged(service, fence, &change).await,
        Err(Failure::Problem { problem, is_temporary: false }) => failed(service, fence, &change, &problem).await,
        Err(failure) => Err(failure),
    }
}

async fn written(service: &Service, fence: &Fence, change: &Change, made: &Made) -> Result<Next, Failure> {
    let update = ChangeUpdate { state: Some(ChangeState::Proposed), ..made.update(change) };
    let mut tx = service.store.fenced(fence).await?;
    tx.update_change(&change.id, change.version, &update).await?;
    for (environment, image) in &made.images {
        tx.put_deployment(&super::index::deployment(change, environment, image.as_ref())).await?;
    }
    tx.enqueue(&job_about(Kind::Follow, change)).await?;
    tx.complete(fence).await?;
    tx.commit().await?;
    reached("record");
    Ok(Next::Ended)
}

async fn unchanged(service: &Service, fence: &Fence, change: &Change) -> Result<Next, Failure> {
    let mut tx = service.store.fenced(fence).await?;
    let update = ChangeUpdate { state: Some(ChangeState::Unchanged), ..ChangeUpdate::default() };
    tx.update_change(&change.id, change.version, &update).await?;
    tx.complete(fence).await?;
    tx.commit().await?;
    Ok(Next::Ended)
}

/// Ends a change that cannot be made, where its asker sees why.
pub(super) async fn failed(
    service: &Service,
    fence: &Fence,
    change: &Change,
    problem: &Problem,
) -> Result<Next, Failure> {
    let mut tx = service.store.fenced(fence).await?;
    let update = ChangeUpdate {
        state: Some(ChangeState::Failed),
        problem: Some(Some(as_json(problem))),
        ..ChangeUpdate::default()
    };
    tx.update_change(&change.id, change.version, &update).await?;
    tx.complete(fence).await?;
    tx.commit().await?;
    Ok(Next::Ended)
}

/// The open changes of the same app, environment and kind: of those there is one merge request at most.
async fn rivals(service: &Service, change: &Change, intent: &Intent) -> Result<Vec<Change>, Failure> {
    let prefix = branch_prefix(intent);
    let filter = ChangeFilter {
        fleet: Some(change.fleet.clone()),
        app: Some(change.app.clone()),
        states: vec![ChangeState::Accepted, ChangeState::Proposed],
        action: Some(change.action.clone()),
        ..ChangeFilter::default()
    };
    let paging = Paging { limit: Limit::new(Limit::MAX), after: None };
    let open = service.store.changes(&filter, &paging).await?;
    let is_rival = |other: &Change| {
        other.id != change.id && other.intent.as_ref().is_some_and(|other| branch_prefix(other) == prefix)
    };
    Ok(open.items.into_iter().filter(is_rival).collect())
}

/// The latest merge request of the change's branch, whose name stands for its content: of this change or of another one
/// with the same wish.
async fn earlier(fleet: &ServedFleet, change: &Change) -> Result<Option<MergeRequest>, Failure> {
    let Some(Ok(source)) = change.branch.as_deref().map(str::parse::<BranchName>) else { return Ok(None) };
    let target = fleet.forge.default_branch().await?;
    Ok(fleet.forge.find_latest(&source, &target).await?)
}

fn is_own(found: &MergeRequest, change: &Change) -> bool {
    found.body.contains(&tell::change_marker(&change.id))
}

/// Whether a person closed a merge request. wooo closes some, too: for a newer wish, or because nobody looked at them.
async fn is_a_no(
    service: &Service,
    fleet: &ServedFleet,
    change: &Change,
    found: &MergeRequest,
) -> Result<bool, Failure> {
    if found.state != MergeRequestState::Closed {
        return Ok(false);
    }
    if found.closed_by.as_ref().map(|user| &user.id) != Some(&fleet.forge.myself().await?.id) {
        return Ok(true);
    }
    let number = i64::try_from(found.number.0).unwrap_or(i64::MAX);
    let changes = service.store.changes_of_merge_request(&change.fleet, number).await?;
    Ok(changes.iter().any(close::was_wanted))
}

/// Leaves a change for later, and says why where people look.
async fn wait(service: &Service, fence: &Fence, change: &Change, why: &str) -> Result<Next, Failure> {
    let note = serde_json::Value::from(format!("{WAITS}{why}"));
    let mut notes = change.notes.as_array().cloned().unwrap_or_default();
    if !notes.contains(&note) {
        notes.retain(|note| note.as_str().is_none_or(|note| !note.starts_with(WAITS)));
        notes.push(note);
        let update = ChangeUpdate { notes: Some(notes.into()), ..ChangeUpdate::default() };
        let mut tx = service.store.fenced(fence).await?;
        tx.update_change(&change.id, change.version, &update).await?;
        tx.commit().await?;
    }
    Ok(Next::Again(service.timing.follow))
}
