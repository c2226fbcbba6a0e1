//! `/api/auth`: in and out, with a password or a forge, and who one is.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::view::{Secret, UserView};
use crate::store::UserId;
use crate::web::api::answers::{Reading, Writing};
use crate::web::api::paging::Listing;
use crate::web::auth::accounts::SignedIn;
use crate::web::auth::cookie::Cookie;
use crate::web::auth::forge_login::{Callback, SIGN_IN_LIFE};
use crate::web::auth::{Access, Auth, Who};
use crate::web::body::{Id, JsonBody, Parameters};
use crate::web::limits::ClientAddress;
use crate::web::problem::Answer;
use crate::web::state::AppState;

/// How somebody signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    /// Their e-mail address.
    email: String,
    /// Their password.
    #[schema(value_type = String, format = Password)]
    password: Secret,
    /// How the session is kept.
    #[serde(default)]
    session: Kept,
}

/// How a session is kept.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kept {
    /// By a browser, in a cookie that scripts cannot read.
    #[default]
    Cookie,
    /// By a program, as a bearer token that is in the answer.
    Bearer,
}

/// A session that has begun.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Session {
    /// Whose it is.
    user: UserView,
    /// What a browser sends in the header `X-Wooo-CSRF` with everything that changes something.
    csrf: String,
    /// How long it lasts, in seconds.
    expires_in: u64,
    /// The token, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
}

/// Sign in with a password
///
/// After five wrong passwords the account is locked for this address, for longer each time; an account that is not there
/// behaves just the same.
#[utoipa::path(post, path = "/api/auth/login", tag = "auth", operation_id = "login", request_body = Login,
    responses((status = 200, description = "A session", body = Session,
        headers(("Set-Cookie" = String, description = "The session, unless a bearer token was asked for"))),
        (status = 401, description = "The address or the password is wrong"),
        (status = 403, description = "The request comes from another site's page"), Writing))]
pub(super) async fn login(
    auth: Auth,
    address: ClientAddress,
    JsonBody(login): JsonBody<Login>,
) -> Result<Response, Answer> {
    let signed_in = auth.sign_in(&login.email, &login.password.0, address).await?;
    let is_bearer = login.session == Kept::Bearer;
    let session = Session {
        user: signed_in.user.clone().into(),
        csrf: signed_in.csrf.clone(),
        expires_in: signed_in.life.as_secs(),
        token: is_bearer.then(|| signed_in.token.expose_secret().to_owned()),
    };
    let mut response = private(Json(session).into_response());
    if !is_bearer {
        keep(&auth, &signed_in, &mut response)?;
    }
    Ok(response)
}

/// No cache keeps what belongs to one person.
pub(super) fn private(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn keep(auth: &Auth, signed_in: &SignedIn, response: &mut Response) -> Result<(), Answer> {
    let cookie = auth.cookies().set(Cookie::Session, &signed_in.token, signed_in.life)?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(())
}

/// An answer without a body that takes the cookie away.
fn farewell(auth: &Auth) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().append(header::SET_COOKIE, auth.cookies().clear(Cookie::Session));
    response
}

/// Sign out
#[utoipa::path(post, path = "/api/auth/logout", tag = "auth", operation_id = "logout",
    responses((status = 204, description = "The session has ended"), Writing))]
pub(super) async fn logout(auth: Auth, access: Access, address: ClientAddress) -> Result<Response, Answer> {
    auth.sign_out(access.principal(), address).await?;
    Ok(farewell(&auth))
}

/// Who somebody is, and what they may.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Me {
    /// How they are named in commits and in the audit.
    #[schema(example = "local:alice@example.com")]
    name: String,
    /// What showed who they are: `session`, `token` or `pipeline`.
    kind: &'static str,
    /// The person; null for a pipeline.
    user: Option<UserView>,
    /// Whether they may do everything here, which takes the scope too.
    is_admin: bool,
    /// What the token may be used for; a session may be used for everything.
    scopes: Vec<String>,
    /// Their roles.
    roles: Vec<RoleView>,
    /// What a browser sends in the header `X-Wooo-CSRF`; null for everything but a session.
    csrf: Option<String>,
}

/// A role somewhere.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RoleView {
    /// The fleet; null for all.
    fleet: Option<String>,
    /// The tenant; null if the role is for single apps.
    tenant: Option<String>,
    /// Only these apps; null for all of the tenant.
    apps: Option<Vec<String>>,
    /// `viewer`, `deployer` or `owner`.
    role: String,
}

/// Ask who one is
#[utoipa::path(get, path = "/api/auth/me", tag = "auth", operation_id = "me",
    responses((status = 200, description = "Who asks, with all roles", body = Me), Reading))]
pub(super) async fn me(State(state): State<AppState>, auth: Auth, access: Access) -> Result<Response, Answer> {
    let principal = access.principal();
    let user = match principal.user().and_then(|id| id.parse::<UserId>().ok()) {
        Some(id) => state.store().user(&id).await?.map(UserView::from),
        None => None,
    };
    let roles = principal.grants.iter().map(|grant| RoleView {
        fleet: grant.fleet.clone(),
        tenant: grant.tenant.as_ref().map(ToString::to_string),
        apps: grant.apps.as_ref().map(|apps| apps.iter().map(ToString::to_string).collect()),
        role: grant.role.to_string(),
    });
    let me = Me {
        name: principal.display.clone(),
        kind: match principal.who {
            Who::Person { .. } => "session",
            Who::Token { .. } => "token",
            Who::Pipeline { .. } => "pipeline",
        },
        user,
        is_admin: principal.administers(),
        scopes: principal.scopes.iter().map(|scope| scope.to_string()).collect(),
        roles: roles.collect(),
        csrf: auth.csrf_code(principal),
    };
    Ok(private(Json(me).into_response()))
}

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    /// The password until now.
    #[schema(value_type = String, format = Password)]
    old: Secret,
    /// The password from now on, at least 12 characters.
    #[schema(value_type = String, format = Password, min_length = 12)]
    new: Secret,
}

/// Change one's password
///
/// All sessions of the person end, this one too; API tokens stay.
#[utoipa::path(post, path = "/api/auth/password", tag = "auth", operation_id = "change_password",
    request_body = NewPassword,
    responses((status = 204, description = "Sign in again with the new one"), Writing))]
pub(super) async fn password(
    auth: Auth,
    access: Access,
    address: ClientAddress,
    JsonBody(password): JsonBody<NewPassword>,
) -> Result<Response, Answer> {
    auth.change_password(access.principal(), &password.old.0, &password.new.0, address).await?;
    Ok(farewell(&auth))
}

/// A way to sign in.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ProviderView {
    /// Its name in paths.
    #[schema(example = "github")]
    name: String,
    /// `github`, `gitlab`, `gitea` or `oidc`.
    #[schema(value_type = String)]
    kind: crate::web::auth::forge_login::ProviderKind,
    /// The page to open in order to sign in with it.
    #[schema(example = "/api/auth/forge/github")]
    href: String,
}

/// List the forges to sign in with
#[utoipa::path(get, path = "/api/auth/providers", tag = "auth", operation_id = "list_providers",
    responses((status = 200, description = "All of them", body = Listing<ProviderView>), Reading))]
pub(super) async fn providers(auth: Auth) -> Json<Listing<ProviderView>> {
    let view =
        |(name, kind): (&str, _)| ProviderView { name: name.to_owned(), kind, href: format!("/api/auth/forge/{name}") };
    Json(Listing::whole(auth.forges().providers().map(view).collect()))
}

/// Where to go after a sign-in.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Next {
    /// A page of the portal; anything else leads to the start page.
    next: Option<String>,
}

/// Begin a sign-in with a forge
#[utoipa::path(get, path = "/api/auth/forge/{provider}", tag = "auth", operation_id = "begin_forge_login",
    params(("provider" = String, Path, description = "The name of the provider"), Next),
    responses((status = 302, description = "To the provider's page"), Reading))]
pub(super) async fn begin(
    auth: Auth,
    address: ClientAddress,
    Id(provider): Id<String>,
    Parameters(query): Parameters<Next>,
) -> Result<Response, Answer> {
    auth.limits().count_sign_in(address)?;
    let started = auth.forges().begin(&provider, query.next.as_deref(), Timestamp::now()).await?;
    let life = SIGN_IN_LIFE.try_into().unwrap_or_default();
    let cookie = auth.cookies().set(Cookie::SignIn, &started.cookie, life)?;
    let mut response = private(found(started.location.as_str())?);
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

fn found(location: &str) -> Result<Response, Answer> {
    let location = HeaderValue::from_str(location).map_err(|_| crate::web::problem::internal())?;
    Ok((StatusCode::FOUND, [(header::LOCATION, location)]).into_response())
}

/// What a provider sends back, for the description of the API.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "it is only described; the handler reads the query as a `Callback`")]
pub(super) struct CallbackQuery {
    /// What is exchanged for the person's identity.
    code: Option<String>,
    /// What was sent to the provider.
    state: Option<String>,
    /// Why the person or the provider refused.
    error: Option<String>,
    /// Who answers (RFC 9207).
    iss: Option<String>,
}

/// End a sign-in with a forge
///
/// The provider sends the browser here.
#[utoipa::path(get, path = "/api/auth/forge/{provider}/callback", tag = "auth", operation_id = "end_forge_login",
    params(("provider" = String, Path, description = "The name of the provider"), CallbackQuery),
    responses((status = 302, description = "Signed in, to the page that was wanted"),
        (status = 401, description = "Nobody here has this account"), Reading))]
pub(super) async fn finish(
    auth: Auth,
    address: ClientAddress,
    headers: HeaderMap,
    Id(provider): Id<String>,
    Parameters(callback): Parameters<Callback>,
) -> Response {
    let ended = async {
        auth.limits().count_sign_in(address)?;
        let cookie = auth.cookies().read(Cookie::SignIn, &headers);
        let (identity, next) = auth.forges().finish(&provider, &callback, cookie.as_ref(), Timestamp::now()).await?;
        let signed_in = auth.sign_in_with_forge(&identity, address).await?;
        let mut response = private(found(&next)?);
        keep(&auth, &signed_in, &mut response)?;
        Ok::<_, Answer>(response)
    };
    let mut response = ended.await.unwrap_or_else(axum::response::IntoResponse::into_response);
    // One sign-in, one answer, whatever came of it.
    response.headers_mut().append(header::SET_COOKIE, auth.cookies().clear(Cookie::SignIn));
    response
}
