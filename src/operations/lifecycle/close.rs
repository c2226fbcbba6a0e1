//! The ways in which a change ends without being merged.

use super::accept::act;
use super::service::{ServedFleet, Service};
use super::{Failure, Next, as_json};
use crate::domain::{ChangeId, ChangeState, Problem, Problems};
use crate::forge::{self, Body, MergeRequestNumber};
use crate::git::CommitId;
use crate::operations::record::{Event, What, note};
use crate::store::{Change, ChangeUpdate, Fence};

/// What the note of a change begins with that somebody closed through wooo.
const WANTED: &str = "closed by ";

/// Whether somebody closed a change, and not wooo by itself.
pub(super) fn was_wanted(change: &Change) -> bool {
    let mut notes = change.notes.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    change.state == ChangeState::Closed && notes.any(|note| note.starts_with(WANTED))
}

/// Ends a change whose merge request nobody has looked at for long.
pub(super) async fn expire(
    service: &Service,
    fence: &Fence,
    fleet: &ServedFleet,
    change: &Change,
    days: u32,
) -> Result<Next, Failure> {
    let reason = format!("nothing has happened here for {days} days; ask for it again if it is still wanted");
    shut(fleet, change, &reason).await?;
    end(service, fence, change, &reason).await
}

/// Ends a change, its merge request and the job at hand.
pub(super) async fn end(service: &Service, fence: &Fence, change: &Change, reason: &str) -> Result<Next, Failure> {
    say(service, change, reason).await?;
    let mut tx = service.store.fenced(fence).await?;
    tx.update_change(&change.id, change.version, &update(change, reason)).await?;
    tx.complete(fence).await?;
    tx.commit().await?;
    Ok(Next::Ended)
}

/// Ends a change in favour of a later one.
pub(super) async fn replace(
    service: &Service,
    fleet: &ServedFleet,
    change: &Change,
    by: &Change,
) -> Result<(), Failure> {
    let reason = format!("replaced by change {}", by.id);
    shut(fleet, change, &reason).await?;
    say(service, change, &reason).await?;
    let mut tx = service.store.begin().await?;
    tx.update_change(&change.id, change.version, &update(change, &reason)).await?;
    tx.commit().await?;
    Ok(())
}

/// Closes the merge request of a change because somebody wants that.
///
/// # Errors
/// `change.not_open`, and what the forge or the database says.
pub async fn close(service: &Service, id: &ChangeId, actor: &str, reason: Option<&str>) -> Result<Change, Problems> {
    let change = service.store.change(id).await?;
    let change = change.ok_or_else(|| Problem::new("change.not_found", "there is no such change"))?;
    if !matches!(change.state, ChangeState::Accepted | ChangeState::Proposed) {
        let detail = format!("the change is {} and cannot be closed any more", change.state);
        return Err(Problem::new("change.not_open", detail).into());
    }
    let reason = match reason {
        Some(reason) => format!("{WANTED}{actor}: {reason}"),
        None => format!("{WANTED}{actor}"),
    };
    if number(&change).is_some() {
        shut(service.fleet(&change.fleet)?, &change, &reason).await?;
    }
    say(service, &change, &reason).await?;
    let mut tx = service.store.begin().await?;
    tx.update_change(&change.id, change.version, &update(&change, &reason)).await?;
    let at = tx.now().await?;
    tx.append_audit(&act(&change, at, actor, "close_change")).await?;
    tx.commit().await?;
    let now = service.store.change(id).await?;
    Ok(now.unwrap_or(change))
}

/// Ends a change whose job was given up.
///
/// # Errors
/// [`Failure`].
pub async fn give_up(service: &Service, fence: &Fence, id: &ChangeId, reason: &str) -> Result<(), Failure> {
    let mut tx = service.store.fenced(fence).await?;
    let Some(change) = tx.change(id).await? else { return Ok(()) };
    let update = match change.state {
        ChangeState::Accepted => ChangeUpdate {
            state: Some(ChangeState::Failed),
            problem: Some(Some(as_json(&Problem::new("change.given_up", reason)))),
            ..ChangeUpdate::default()
        },
        // It is where people see it. What they are told is that nobody follows it any more.
        state if !state.is_final() => ChangeUpdate {
            problem: Some(Some(as_json(&Problem::new("change.given_up", reason)))),
            ..ChangeUpdate::default()
        },
        _ => return Ok(()),
    };
    tx.update_change(id, change.version, &update).await?;
    tx.commit().await?;
    Ok(())
}

pub(super) fn number(change: &Change) -> Option<MergeRequestNumber> {
    change.merge_request.and_then(|number| u64::try_from(number).ok()).map(MergeRequestNumber)
}

/// Closes the merge request of a change, if it has one, saying why, once.
pub(super) async fn shut(fleet: &ServedFleet, change: &Change, reason: &str) -> Result<(), Failure> {
    let Some(number) = number(change) else { return Ok(()) };
    match fleet.forge.get(number).await {
        Ok(found) if found.state == forge::MergeRequestState::Open => {
            fleet.forge.comment(number, &Body::new(reason)).await?;
            fleet.forge.close(number).await?;
            Ok(())
        }
        Ok(_) | Err(forge::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Notes on the change's commit, if it has one, that it was closed.
async fn say(service: &Service, change: &Change, reason: &str) -> Result<(), Failure> {
    let Some(Ok(commit)) = change.commit_sha.as_deref().map(str::parse::<CommitId>) else { return Ok(()) };
    let what = What::Closed { reason: reason.to_owned() };
    let event = Event { change: change.id.clone(), at: service.now().await?, what };
    let committer = service.committer.clone();
    service.fleet(&change.fleet)?.with_place(move |place| note(place, commit, &event, &committer)).await?;
    Ok(())
}

fn update(change: &Change, reason: &str) -> ChangeUpdate {
    let mut notes = change.notes.as_array().cloned().unwrap_or_default();
    notes.push(reason.into());
    ChangeUpdate { state: Some(ChangeState::Closed), notes: Some(notes.into()), ..ChangeUpdate::default() }
}
