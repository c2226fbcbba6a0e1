//! `/api/tenants/{fleet}/{tenant}/members`: who has which role in a tenant, for its owners.
//!
//! What `fleet.yaml` says is shown and not changed here: it comes back with the next commit.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::users::absent;
use crate::domain::{Problem, Role, TenantName};
use crate::store::{FleetName, Membership, MembershipSource, TenantKey, User, UserId};
use crate::web::api::answers::{Reading, Writing};
use crate::web::api::paging::Listing;
use crate::web::auth::trail::Deed;
use crate::web::auth::{Access, Resource};
use crate::web::body::{Id, JsonBody};
use crate::web::limits::ClientAddress;
use crate::web::problem::Answer;
use crate::web::state::AppState;

/// A role of a person in the tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MemberView {
    /// The person's id.
    user: String,
    /// Their e-mail address.
    email: Option<String>,
    /// Their name.
    name: Option<String>,
    /// `viewer`, `deployer` or `owner`.
    role: String,
    /// `local` if it was given here, `fleet` if `fleet.yaml` says it. Of two the higher one counts.
    source: String,
}

/// A role to be given.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewMember {
    /// The person's id or e-mail address.
    user: String,
    /// `viewer`, `deployer` or `owner`.
    #[schema(value_type = String)]
    role: Role,
}

/// The tenant, if the caller owns it.
async fn tenant(state: &AppState, access: &Access, fleet: FleetName, tenant: TenantName) -> Result<TenantKey, Answer> {
    let is_there = state.store().tenants(&fleet).await?.contains(&tenant);
    let resource = Resource { fleet: fleet.as_str(), tenant: Some(&tenant), app: None };
    let missing = || Problem::new("tenant.not_found", "there is no such tenant");
    access.check(is_there.then_some(&resource), missing)?;
    Ok(TenantKey { fleet, tenant })
}

/// List the members of a tenant
#[utoipa::path(get, path = "/api/tenants/{fleet}/{tenant}/members", tag = "users", operation_id = "list_members",
    params(("fleet" = String, Path, description = "The fleet"), ("tenant" = String, Path, description = "The tenant")),
    responses((status = 200, description = "All roles in it", body = Listing<MemberView>), Reading))]
pub(super) async fn list(
    State(state): State<AppState>,
    access: Access,
    Id((fleet, name)): Id<(FleetName, TenantName)>,
) -> Result<Json<Listing<MemberView>>, Answer> {
    let key = tenant(&state, &access, fleet, name).await?;
    let mut views = Vec::new();
    for member in state.store().members(&key).await? {
        let user = state.store().user(&member.user_id).await?;
        views.push(view(member, user));
    }
    Ok(Json(Listing::whole(views)))
}

fn view(member: Membership, user: Option<User>) -> MemberView {
    let (email, name) = user.map(|user| (user.email, user.profile.name)).unwrap_or_default();
    let (role, source) = (member.role.to_string(), member.source.to_string());
    MemberView { user: member.user_id.to_string(), email, name, role, source }
}

/// Give a person a role in a tenant
///
/// In place of the one that was given here before. Their sessions end if it is another one.
#[utoipa::path(put, path = "/api/tenants/{fleet}/{tenant}/members", tag = "users", operation_id = "put_member",
    params(("fleet" = String, Path, description = "The fleet"), ("tenant" = String, Path, description = "The tenant")),
    request_body = NewMember,
    responses((status = 200, description = "The role", body = MemberView), Writing))]
pub(super) async fn put(
    State(state): State<AppState>,
    access: Access,
    address: ClientAddress,
    Id((fleet, name)): Id<(FleetName, TenantName)>,
    JsonBody(body): JsonBody<NewMember>,
) -> Result<Json<MemberView>, Answer> {
    let key = tenant(&state, &access, fleet, name).await?;
    let user = if body.user.contains('@') {
        state.store().user_by_email(&body.user).await?
    } else {
        let id: UserId = body.user.parse().map_err(|_| absent())?;
        state.store().user(&id).await?
    };
    let user = user.ok_or_else(absent)?;
    let own = |member: &Membership| member.user_id == user.id && member.source == MembershipSource::Local;
    let before = state.store().members(&key).await?.into_iter().find(own).map(|member| member.role);
    let member =
        Membership { tenant: key.clone(), user_id: user.id.clone(), role: body.role, source: MembershipSource::Local };
    if before != Some(body.role) {
        let mut tx = state.store().begin().await?;
        tx.put_membership(&member).await?;
        tx.end_sessions(&user.id).await?;
        let detail = json!({"user": user.id, "email": user.email, "role": body.role, "before": before});
        let deed = Deed::new(&access.principal().display, "member.put", Some(address));
        deed.about(&key).detail(detail).write(&mut tx).await?;
        tx.commit().await?;
    }
    Ok(Json(view(member, Some(user))))
}

/// Take a person's role in a tenant away
#[utoipa::path(delete, path = "/api/tenants/{fleet}/{tenant}/members/{user}", tag = "users",
    operation_id = "remove_member",
    params(("fleet" = String, Path, description = "The fleet"), ("tenant" = String, Path, description = "The tenant"),
        ("user" = String, Path, description = "The person's id")),
    responses((status = 204, description = "They have none that was given here"), Writing))]
pub(super) async fn remove(
    State(state): State<AppState>,
    access: Access,
    address: ClientAddress,
    Id((fleet, name, user)): Id<(FleetName, TenantName, UserId)>,
) -> Result<StatusCode, Answer> {
    let key = tenant(&state, &access, fleet, name).await?;
    let of_user: Vec<Membership> =
        state.store().members(&key).await?.into_iter().filter(|member| member.user_id == user).collect();
    if !of_user.iter().any(|member| member.source == MembershipSource::Local) {
        let problem = match of_user.first() {
            None => Problem::new("user.not_member", "this person has no role in the tenant"),
            Some(_) => Problem::new("user.in_fleet", "fleet.yaml gives this role")
                .hint("take the person out of the tenant in fleet.yaml"),
        };
        return Err(problem.into());
    }
    let mut tx = state.store().begin().await?;
    tx.remove_membership(&key, &user).await?;
    tx.end_sessions(&user).await?;
    let deed = Deed::new(&access.principal().display, "member.remove", Some(address));
    deed.about(&key).detail(json!({"user": user})).write(&mut tx).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
