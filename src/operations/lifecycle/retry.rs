//! Taking up a change that has failed, because a person says so.

use super::accept::{Accepted, Wish, accept_once, act};
use super::refresh::next_step;
use super::service::{Service, job_about};
use crate::domain::{AppName, ChangeId, ChangeState, EnvironmentName, Problem, Problems};
use crate::store::{Change, ChangeFilter, ChangeUpdate, FleetName, Limit, Paging};

/// The newest change of an app, in an environment if one is named, if it failed or was given up.
///
/// # Errors
/// Those of a read.
pub async fn failed_change(
    service: &Service,
    fleet: &FleetName,
    app: &AppName,
    environment: Option<&EnvironmentName>,
) -> Result<Option<Change>, Problems> {
    let filter = ChangeFilter {
        fleet: Some(fleet.clone()),
        app: Some(app.clone()),
        environment: environment.cloned(),
        ..ChangeFilter::default()
    };
    let newest = service.store.changes(&filter, &Paging { limit: Limit::new(1), after: None }).await?;
    Ok(newest.items.into_iter().find(has_failed))
}

fn has_failed(change: &Change) -> bool {
    change.state == ChangeState::Failed || (change.problem.is_some() && !change.state.is_final())
}

/// Takes up a change that failed or was given up: what was given up goes on where it stood; what failed is asked for anew,
/// as a change that is called `id`.
///
/// # Errors
/// `change.not_failed`, and those of [`accept_once`].
pub async fn retry(
    service: &Service,
    change: &Change,
    actor: &str,
    reason: Option<String>,
    id: ChangeId,
) -> Result<Accepted, Problems> {
    if let Some(change) = service.store.change(&id).await? {
        return Ok(Accepted { change, is_new: false });
    }
    if !has_failed(change) {
        let detail = format!("the change is {} and has not failed", change.state);
        return Err(Problem::new("change.not_failed", detail).into());
    }
    if let Some(kind) = next_step(change) {
        let mut tx = service.store.begin().await?;
        let at = tx.now().await?;
        let update = ChangeUpdate { problem: Some(None), ..ChangeUpdate::default() };
        tx.update_change(&change.id, change.version, &update).await?;
        tx.append_audit(&act(change, at, actor, "retry_change")).await?;
        tx.enqueue(&job_about(kind, change).priority(20)).await?;
        tx.commit().await?;
        return Ok(Accepted { change: change.clone(), is_new: true });
    }
    let Some(intent) = change.intent.clone() else {
        let detail = "what the change asked for is not known any more";
        return Err(Problem::new("change.unknown_intent", detail).into());
    };
    let wish = Wish {
        fleet: change.fleet.clone(),
        intent,
        actor: actor.to_owned(),
        reason: reason.or_else(|| change.reason.clone()),
        notes: vec![format!("takes up change {}, which failed", change.id)],
    };
    accept_once(service, &wish, id).await
}
