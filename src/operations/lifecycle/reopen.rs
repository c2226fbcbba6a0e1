//! Merge requests that a person opens again after they were closed: their changes are open again too.

use super::close::number;
use super::service::{ServedFleet, Service};
use super::{Failure, Next, follow, hear};
use crate::domain::ChangeState;
use crate::forge::{self, Filter, MergeRequest, MergeRequestState, PageRequest};
use crate::operations::place::OWN_PREFIX;
use crate::store::{Change, ChangeFilter, ChangeUpdate, Fence, Limit, Paging};

/// Looks at a closed change again.
///
/// # Errors
/// [`Failure`].
pub(super) async fn look_again(service: &Service, fence: &Fence, change: &Change) -> Result<Next, Failure> {
    let Some(number) = number(change) else { return Ok(Next::Done) };
    let found = match service.fleet(&change.fleet)?.forge.get(number).await {
        Ok(found) => found,
        Err(forge::Error::NotFound { .. }) => return Ok(Next::Done),
        Err(error) => return Err(error.into()),
    };
    match found.state {
        MergeRequestState::Closed => Ok(Next::Done),
        MergeRequestState::Merged => follow::merged(service, fence, change, &found).await,
        MergeRequestState::Open => open_again(service, fence, change).await,
    }
}

async fn open_again(service: &Service, fence: &Fence, change: &Change) -> Result<Next, Failure> {
    let mut notes = change.notes.as_array().cloned().unwrap_or_default();
    notes.push("its merge request was opened again".into());
    let update =
        ChangeUpdate { state: Some(ChangeState::Proposed), notes: Some(notes.into()), ..ChangeUpdate::default() };
    let mut tx = service.store.fenced(fence).await?;
    tx.update_change(&change.id, change.version, &update).await?;
    // It is looked at as every open one is, when this job has ended.
    tx.complete(fence).await?;
    tx.enqueue(&hear::follow(change)).await?;
    tx.commit().await?;
    Ok(Next::Ended)
}

/// Queues a look at every closed change whose merge request is open, which is all that tells of it if no hook came.
///
/// # Errors
/// [`Failure`].
pub(super) async fn find(service: &Service, fence: &Fence, fleet: &ServedFleet) -> Result<(), Failure> {
    let closed =
        ChangeFilter { fleet: Some(fleet.name.clone()), states: vec![ChangeState::Closed], ..ChangeFilter::default() };
    let one = Paging { limit: Limit::new(1), after: None };
    if service.store.changes(&closed, &one).await?.items.is_empty() {
        return Ok(());
    }
    let filter = Filter { state: Some(MergeRequestState::Open), ..Filter::default() };
    let mut page = PageRequest::first();
    loop {
        let found = fleet.forge.list(&filter, page).await?;
        for request in found.items.iter().filter(|request| is_ours(request)) {
            look(service, fence, fleet, request).await?;
        }
        match found.next {
            Some(next) => page = next,
            None => return Ok(()),
        }
    }
}

fn is_ours(request: &MergeRequest) -> bool {
    !request.from_fork && request.source.as_str().starts_with(OWN_PREFIX)
}

async fn look(service: &Service, fence: &Fence, fleet: &ServedFleet, request: &MergeRequest) -> Result<(), Failure> {
    let Ok(number) = i64::try_from(request.number.0) else { return Ok(()) };
    let changes = service.store.changes_of_merge_request(&fleet.name, number).await?;
    // The newest of them is the one whose commit is on the branch.
    let Some(change) = changes.first().filter(|change| change.state == ChangeState::Closed) else { return Ok(()) };
    let mut tx = service.store.fenced(fence).await?;
    tx.enqueue(&hear::follow(change)).await?;
    tx.commit().await?;
    Ok(())
}
