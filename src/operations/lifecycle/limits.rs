//! How many merge requests a tenant's people are asked to look at: so many open ones, and so many an hour from pipelines
//! and automation. What is over waits its turn; what undoes harm, and what nobody has to look at, never does.

use jiff::SignedDuration;

use super::Failure;
use super::service::Service;
use crate::domain::fleet::MergeMode;
use crate::domain::{ChangeState, FleetSettings, Intent};
use crate::store::{Change, ChangeFilter, Limit, Paging};

/// Verbs that never wait: those that take something back, and those that stop or let go of automation.
const EXEMPT: [&str; 4] = ["rollback", "restart", "hold", "unhold"];

/// What somebody or something is called in trails that is no person: a pipeline, or wooo by itself.
const AUTOMATA: [&str; 2] = ["ci:", "wooo:"];

/// Whether no person asked for it.
pub(super) fn is_automatic(actor: &str) -> bool {
    AUTOMATA.iter().any(|prefix| actor.starts_with(prefix))
}

/// Why the merge request of an accepted change has to wait, if it has to.
pub(super) async fn why_wait(
    service: &Service,
    settings: &FleetSettings,
    change: &Change,
    intent: &Intent,
) -> Result<Option<String>, Failure> {
    if EXEMPT.contains(&change.action.as_str()) || is_merged_at_once(settings, intent) {
        return Ok(None);
    }
    let limits = settings.policy.merge_requests;
    let whose = change.tenant.as_ref().map_or_else(|| "the fleet".to_owned(), |tenant| format!("tenant {tenant}"));
    let open = of_tenant(service, change, vec![ChangeState::Proposed]).await?;
    let waiting = open.iter().filter(|other| other.merge_mode == MergeMode::Propose).count();
    if waiting >= limits.open as usize {
        let most = limits.open;
        return Ok(Some(format!("{waiting} of at most {most} merge requests of {whose} are open; merge or close one")));
    }
    if !is_automatic(&change.actor) {
        return Ok(None);
    }
    let since = service.now().await? - SignedDuration::from_hours(1);
    let all = of_tenant(service, change, Vec::new()).await?;
    let recent = all.iter().filter(|other| {
        is_automatic(&other.actor)
            && other.merge_mode == MergeMode::Propose
            && other.proposed_at.is_some_and(|at| at > since)
    });
    let recent = recent.count();
    Ok((recent >= limits.per_hour as usize).then(|| {
        let most = limits.per_hour;
        format!("pipelines have opened {recent} of at most {most} merge requests of {whose} within the hour")
    }))
}

/// Whether every environment that it touches is merged without a person, unless it is of high risk.
fn is_merged_at_once(settings: &FleetSettings, intent: &Intent) -> bool {
    match &intent.environment {
        Some(environment) => settings.environments.get(environment).is_some_and(|place| place.merge == MergeMode::Auto),
        None => settings.environments.values().all(|place| place.merge == MergeMode::Auto),
    }
}

/// The newest changes of the same tenant, as many as one page holds: the limits are far below that.
async fn of_tenant(service: &Service, change: &Change, states: Vec<ChangeState>) -> Result<Vec<Change>, Failure> {
    let filter = ChangeFilter { fleet: Some(change.fleet.clone()), states, ..ChangeFilter::default() };
    let page = service.store.changes(&filter, &Paging { limit: Limit::new(Limit::MAX), after: None }).await?;
    let is_theirs = |other: &Change| other.id != change.id && other.tenant == change.tenant;
    Ok(page.items.into_iter().filter(is_theirs).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipelines_and_wooo_itself_are_no_persons() {
        assert!(is_automatic("ci:github:acme/shop") && is_automatic("wooo:repair"));
        assert!(!is_automatic("github:alice") && !is_automatic("local:wooo") && !is_automatic("cindy"));
    }
}
