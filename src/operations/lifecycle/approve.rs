//! A person's consent to a change. It is bound to what was rendered: once that is something else, it is void.

use super::accept::act;
use super::service::{ServedFleet, Service, job_about};
use super::{Failure, Kind};
use crate::domain::fleet::MergeMode;
use crate::domain::{ChangeState, EnvironmentName, FleetSettings, Problem, Problems};
use crate::forge::{MergeRequest, Permission, UserId};
use crate::store::{Change, ChangeApproval};

/// Takes the consent of somebody whose right to give it was checked, to a change whose merge request was just looked at.
/// `names` are all that this person goes by.
///
/// # Errors
/// `change.not_open`; `change.hands_off` if the branch holds something else than wooo rendered; `change.own` if they asked
/// for the change themselves and it goes where a second pair of eyes is wanted; those of a write.
pub async fn approve(
    service: &Service,
    change: &Change,
    found: &MergeRequest,
    approver: &crate::forge::User,
    actor: &str,
    names: &[String],
) -> Result<(), Problems> {
    let subject = subject(change).filter(|_| change.state == ChangeState::Proposed);
    let Some(subject) = subject else {
        let detail = format!("the change is {} and waits for nobody", change.state);
        return Err(Problem::new("change.not_open", detail).into());
    };
    if change.commit_sha.as_deref() != Some(found.head.to_string().as_str()) {
        let detail = "the branch holds something else than what wooo rendered, so it is left to people";
        return Err(Problem::new("change.hands_off", detail).hint("merge it on the forge, or close it").into());
    }
    let settings = service.fleet(&change.fleet)?.settings().await?;
    let is_own = names.iter().any(|name| name.eq_ignore_ascii_case(&change.actor));
    if is_own && !is_auto(&settings, &environments(service, change).await?) {
        let detail = "whoever asks for a change does not approve it where changes are merged by a person";
        return Err(Problem::new("change.own", detail).hint("ask somebody else to look at it").into());
    }
    let user_id = approver.id.to_string();
    let given = service.store.change_approvals(&change.id).await?;
    let is_given = given.iter().any(|approval| approval.user_id == user_id && approval.subject == subject);
    let mut tx = service.store.begin().await?;
    let at = tx.now().await?;
    let approval = ChangeApproval { change_id: change.id.clone(), user_id, login: approver.login.clone(), subject, at };
    if !is_given {
        tx.put_change_approval(&approval).await?;
        tx.append_audit(&act(change, at, actor, "approve_change")).await?;
    }
    tx.enqueue(&job_about(Kind::Follow, change).priority(20)).await?;
    tx.commit().await?;
    Ok(())
}

/// Who has approved the change as it is now, and may still do so.
///
/// # Errors
/// [`Failure`]: an answer that did not come is never read as consent.
pub async fn approved(service: &Service, fleet: &ServedFleet, change: &Change) -> Result<Vec<ChangeApproval>, Failure> {
    let Some(subject) = subject(change) else { return Ok(Vec::new()) };
    let mut given = service.store.change_approvals(&change.id).await?;
    given.retain(|approval| approval.subject == subject);
    let mut valid = Vec::new();
    for approval in given {
        let Ok(user) = approval.user_id.parse::<UserId>() else { continue };
        // The right may have been taken away since.
        if fleet.forge.permission(&user).await? >= Permission::Write {
            valid.push(approval);
        }
    }
    Ok(valid)
}

/// What a yes to a change is a yes to: the digests of what was rendered; the commit, where an app only leaves.
fn subject(change: &Change) -> Option<String> {
    change.digest.clone().or_else(|| change.commit_sha.as_ref().map(|commit| format!("commit:{commit}")))
}

/// The environments that a change touches.
async fn environments(service: &Service, change: &Change) -> Result<Vec<EnvironmentName>, Problems> {
    let content = service.store.change_content(&change.id).await?;
    let diffs = content.and_then(|content| content.diffs.as_array().cloned()).unwrap_or_default();
    let named = diffs.iter().filter_map(|diff| diff.get("environment")?.as_str()?.parse().ok());
    let mut environments: Vec<EnvironmentName> = named.collect();
    environments.extend(change.environment.clone().filter(|own| !environments.contains(own)));
    Ok(environments)
}

fn is_auto(settings: &FleetSettings, environments: &[EnvironmentName]) -> bool {
    let is_auto = |name| settings.environments.get(name).is_some_and(|place| place.merge == MergeMode::Auto);
    !environments.is_empty() && environments.iter().all(is_auto)
}
