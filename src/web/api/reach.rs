//! Finding what a request is about, for those who may: the one way in which handlers come by an app or a change.

use crate::domain::{ChangeId, Problem, Role, TenantName};
use crate::operations::lifecycle::ServedFleet;
use crate::store::{AppId, AppRecord, Change, FleetName, Scope, TenantKey};
use crate::web::auth::rules::no_such_app;
use crate::web::auth::{Access, Resource};
use crate::web::problem::Answer;
use crate::web::state::AppState;

/// An app that the caller may do this with.
///
/// # Errors
/// `id.invalid`, `app.not_found`, `auth.forbidden`.
pub(super) async fn app(state: &AppState, access: &Access, id: &str) -> Result<AppRecord, Answer> {
    let id: AppId = id.parse().map_err(|_| invalid())?;
    let found = state.store().app(&id).await?;
    let resource = found.as_ref().map(of_app);
    access.check(resource.as_ref(), no_such_app)?;
    found.ok_or_else(|| no_such_app().into())
}

/// The app of that name.
///
/// # Errors
/// `app.not_found`, `auth.forbidden`.
pub(super) async fn app_named(
    state: &AppState,
    access: &Access,
    fleet: &FleetName,
    name: &crate::domain::AppName,
) -> Result<AppRecord, Answer> {
    app(state, access, AppId::of(fleet, name).as_str()).await
}

/// What an app is to those who guard it.
#[must_use]
pub(super) fn of_app(app: &AppRecord) -> Resource<'_> {
    Resource { fleet: app.fleet.as_str(), tenant: app.tenant.as_ref(), app: Some(&app.name) }
}

/// A change that the caller may do this with.
///
/// # Errors
/// `id.invalid`, `change.not_found`, `auth.forbidden`.
pub(super) async fn change(state: &AppState, access: &Access, id: &str) -> Result<Change, Answer> {
    let id: ChangeId = id.parse().map_err(|_| invalid())?;
    let found = state.store().change(&id).await?;
    let resource = found.as_ref().map(|change| Resource {
        fleet: change.fleet.as_str(),
        tenant: change.tenant.as_ref(),
        app: Some(&change.app),
    });
    access.check(resource.as_ref(), no_such_change)?;
    found.ok_or_else(|| no_such_change().into())
}

/// The answer about a change that is not there, or that is somebody else's.
#[must_use]
pub(super) fn no_such_change() -> Problem {
    Problem::new("change.not_found", "there is no such change")
}

fn invalid() -> Problem {
    Problem::new("id.invalid", "an id in the path is not one that wooo makes")
}

/// What a list may show.
#[must_use]
pub(super) fn scope(state: &AppState, access: &Access) -> Scope {
    let mut keys = Vec::new();
    let mut is_all = !state.service.fleets.is_empty();
    for fleet in state.service.fleets.keys() {
        let visible = access.visible(fleet.as_str());
        is_all &= visible.all;
        keys.extend(visible.tenants.into_iter().map(|tenant| TenantKey { fleet: fleet.clone(), tenant }));
    }
    if is_all { Scope::All } else { Scope::Tenants(keys) }
}

/// Whether the caller sees anything of a fleet.
#[must_use]
pub(super) fn sees(access: &Access, fleet: &FleetName) -> bool {
    let visible = access.visible(fleet.as_str());
    visible.all || !visible.tenants.is_empty() || !visible.apps.is_empty()
}

/// A fleet by its name, or the only one. Who sees nothing of it is told that it is not there.
///
/// # Errors
/// `fleet.not_found`; `fleet.ambiguous` if there are several and none is named.
pub(super) fn fleet<'a>(state: &'a AppState, access: &Access, name: Option<&str>) -> Result<&'a ServedFleet, Answer> {
    let fleets = &state.service.fleets;
    let found = match name {
        Some(name) => name.parse::<FleetName>().ok().and_then(|name| fleets.get(&name)),
        None => {
            let mut seen = fleets.values().filter(|fleet| sees(access, &fleet.name));
            match (seen.next(), seen.next()) {
                (Some(_), Some(_)) => {
                    let problem = Problem::new("fleet.ambiguous", "this service has several fleets");
                    return Err(problem.field("fleet").hint("say which one in `fleet`").into());
                }
                (only, _) => only,
            }
        }
    };
    let found = found.filter(|fleet| sees(access, &fleet.name));
    found.ok_or_else(|| Problem::new("fleet.not_found", "there is no such fleet").field("fleet").into())
}

/// Whether the caller has a role over an app that may not be there yet, by the tenant that the fleet gives its name.
///
/// # Errors
/// `auth.forbidden`.
pub(super) fn may_make(
    access: &Access,
    fleet: &FleetName,
    tenant: Option<&TenantName>,
    app: &crate::domain::AppName,
) -> Result<(), Answer> {
    let resource = Resource { fleet: fleet.as_str(), tenant, app: Some(app) };
    // Of an app that may not be there it is no secret whose it would be: everybody gets the same answer.
    access.check_role(Some(&resource), Role::Deployer, || {
        let problem = Problem::new("auth.forbidden", format!("`{app}` belongs to no tenant of yours"));
        problem.hint("whoever runs the installation adds its name to your tenant in fleet.yaml")
    })
}
