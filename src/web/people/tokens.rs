//! `/api/auth/tokens`: a person's own API tokens. Programs make none: a token that leaks makes no further ones.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::sign_in::private;
use crate::domain::{Problem, Role, TenantName};
use crate::store::{FleetName, Token, TokenId, UserId};
use crate::web::api::answers::{Reading, Writing};
use crate::web::api::paging::Listing;
use crate::web::auth::accounts::TokenRequest;
use crate::web::auth::{Access, Auth, AuthError, Scope};
use crate::web::body::{Id, JsonBody};
use crate::web::limits::ClientAddress;
use crate::web::problem::Answer;
use crate::web::state::AppState;

/// A token that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewTokenBody {
    /// What it is called.
    #[schema(example = "deploys of the shop", max_length = 100)]
    name: String,
    /// What it may be used for; `deploy` includes `read`, and `admin` includes both.
    #[schema(value_type = Vec<String>, example = json!(["deploy"]))]
    scopes: Vec<Scope>,
    /// The role that it has at most; as much as its owner has if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
    /// Only in this fleet.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    fleet: Option<FleetName>,
    /// Only in this tenant.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    tenant: Option<TenantName>,
    /// When it ends, within 366 days; after 90 days if absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<Timestamp>,
}

/// An API token.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TokenView {
    /// Its id.
    id: String,
    /// What it is called.
    name: String,
    /// Its first characters, to know it again by.
    #[schema(example = "wooo_3kTz0a")]
    prefix: String,
    /// What it may be used for.
    scopes: Vec<String>,
    /// The role that it has at most.
    role: String,
    /// The fleet that it is limited to.
    fleet: Option<String>,
    /// The tenant that it is limited to.
    tenant: Option<String>,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// When it ends; null for never.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// When it was used last, to the minute.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// When it was taken back.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            id: token.id.to_string(),
            name: token.name,
            prefix: token.prefix,
            scopes: token.scopes,
            role: token.role.to_string(),
            fleet: token.fleet.map(|fleet| fleet.to_string()),
            tenant: token.tenant.map(|tenant| tenant.to_string()),
            created_at: token.created_at.to_string(),
            expires_at: time(token.expires_at),
            last_used_at: time(token.last_used_at),
            revoked_at: time(token.revoked_at),
        }
    }
}

/// A token that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct MadeToken {
    /// The token itself. It is shown this once and kept nowhere.
    token: String,
    #[serde(flatten)]
    about: TokenView,
}

/// List one's API tokens
#[utoipa::path(get, path = "/api/auth/tokens", tag = "users", operation_id = "list_tokens",
    responses((status = 200, description = "All, also those that are over, newest first", body = Listing<TokenView>),
        Reading))]
pub(super) async fn list(State(state): State<AppState>, access: Access) -> Result<Json<Listing<TokenView>>, Answer> {
    let user: UserId = access.principal().user().and_then(|id| id.parse().ok()).ok_or(AuthError::NotPerson)?;
    let tokens = state.store().tokens_of(&user).await?;
    Ok(Json(Listing::whole(tokens.into_iter().map(TokenView::from).collect())))
}

/// Make an API token
#[utoipa::path(post, path = "/api/auth/tokens", tag = "users", operation_id = "create_token",
    request_body = NewTokenBody,
    responses((status = 201, description = "The token, which is not shown again", body = MadeToken), Writing))]
pub(super) async fn create(
    auth: Auth,
    access: Access,
    address: ClientAddress,
    JsonBody(body): JsonBody<NewTokenBody>,
) -> Result<Response, Answer> {
    if body.scopes.is_empty() {
        let problem = Problem::new("auth.token_value", "a token without a scope could be used for nothing");
        return Err(problem.field("scopes").hint("ask for `read`, `deploy` or `admin`").into());
    }
    let wanted = TokenRequest {
        name: body.name,
        scopes: body.scopes.into_iter().collect(),
        fleet: body.fleet,
        tenant: body.tenant,
        role: body.role.unwrap_or(Role::Owner),
        expires_at: body.expires_at,
    };
    let (secret, token) = auth.create_token(access.principal(), wanted, address).await?;
    let made = MadeToken { token: secret.secret().expose_secret().to_owned(), about: token.into() };
    Ok(private((StatusCode::CREATED, Json(made)).into_response()))
}

/// Take an API token back
#[utoipa::path(delete, path = "/api/auth/tokens/{id}", tag = "users", operation_id = "revoke_token",
    params(("id" = String, Path, description = "The token's id")),
    responses((status = 204, description = "It opens nothing any more"), Writing))]
pub(super) async fn revoke(
    auth: Auth,
    access: Access,
    address: ClientAddress,
    Id(id): Id<TokenId>,
) -> Result<StatusCode, Answer> {
    auth.revoke_token(access.principal(), &id, address).await?;
    Ok(StatusCode::NO_CONTENT)
}
