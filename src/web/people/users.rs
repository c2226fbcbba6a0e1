//! `/api/users`: the people of the installation, for whoever runs it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use super::view::{Secret, UserView, given};
use crate::domain::Problem;
use crate::store::{self, Identity, NewUser, Profile, Tx, User, UserId};
use crate::web::api::answers::{Reading, Writing};
use crate::web::api::paging::{Listing, paging};
use crate::web::auth::lockout::normal_email;
use crate::web::auth::trail::Deed;
use crate::web::auth::{Access, Auth};
use crate::web::body::{Id, JsonBody, Parameters};
use crate::web::limits::ClientAddress;
use crate::web::problem::Answer;
use crate::web::state::AppState;

/// The longest text about a person, in characters, and the longest e-mail address, in bytes.
const MAX_TEXT: usize = 200;
const MAX_EMAIL: usize = 254;

/// Which page of people.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UsersQuery {
    /// How many at most, 1 to 200; 50 if absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
    /// The `next` of the page before.
    cursor: Option<String>,
}

/// List people
#[utoipa::path(get, path = "/api/users", tag = "users", operation_id = "list_users", params(UsersQuery),
    responses((status = 200, description = "A page of people, newest first", body = Listing<UserView>), Reading))]
pub(super) async fn list(
    State(state): State<AppState>,
    Parameters(query): Parameters<UsersQuery>,
) -> Result<Json<Listing<UserView>>, Answer> {
    let paging = paging(query.limit, query.cursor.as_deref())?;
    Ok(Json(Listing::of(state.store().users(&paging).await?, Into::into)))
}

/// A person to be added. They need a password, or an account of a forge to sign in with.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUserBody {
    /// Their e-mail address; needed with a password.
    #[serde(default)]
    email: Option<String>,
    /// Their password, at least 12 characters.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, min_length = 12)]
    password: Option<Secret>,
    /// The account that they sign in with.
    #[serde(default)]
    account: Option<AccountBody>,
    /// Their name.
    #[serde(default)]
    name: Option<String>,
    /// Their company.
    #[serde(default)]
    company: Option<String>,
    /// Where Telegram reaches them.
    #[serde(default)]
    telegram_chat_id: Option<String>,
    /// Whether they may do everything.
    #[serde(default)]
    is_admin: bool,
}

/// An account of a forge or another provider.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountBody {
    /// The name of the provider in the settings of this service.
    #[schema(example = "github")]
    provider: String,
    /// The number of the account there, or its `sub` of OpenID Connect: a name can change hands.
    #[schema(example = "583231")]
    subject: String,
    /// What the account is called now.
    #[serde(default)]
    username: Option<String>,
}

/// Add a person
#[utoipa::path(post, path = "/api/users", tag = "users", operation_id = "create_user", request_body = NewUserBody,
    responses((status = 201, description = "The person", body = UserView), Writing))]
pub(super) async fn create(
    State(state): State<AppState>,
    auth: Auth,
    access: Access,
    address: ClientAddress,
    JsonBody(body): JsonBody<NewUserBody>,
) -> Result<(StatusCode, Json<UserView>), Answer> {
    let email = body.email.as_deref().map(email).transpose()?;
    let can_sign_in = (body.password.is_some() && email.is_some()) || body.account.is_some();
    if !can_sign_in {
        let problem = Problem::new("user.value", "this person could not sign in");
        return Err(problem.hint("give an e-mail address with a password, or an account of a forge").into());
    }
    let hash = match &body.password {
        Some(password) => Some(auth.passwords().hash(&password.0).await?.into()),
        None => None,
    };
    let profile = Profile { name: body.name, company: body.company, telegram_chat_id: body.telegram_chat_id };
    check(&profile)?;
    let mut tx = state.store().begin().await?;
    let user = NewUser { email, password_hash: hash, profile, is_admin: body.is_admin };
    let id = tx.insert_user(&user).await.map_err(taken)?;
    if let Some(account) = body.account {
        let known = auth.forges().providers().any(|(name, _)| name == account.provider);
        if !known || account.subject.is_empty() || account.subject.len() > MAX_EMAIL {
            let problem =
                Problem::new("user.value", "the account names no provider of this service, or no number there");
            return Err(problem.field("account").into());
        }
        let (user_id, username) = (id.clone(), account.username);
        let account = Identity { provider: account.provider, subject: account.subject, user_id, username };
        tx.link_identity(&account).await.map_err(taken)?;
    }
    let detail = json!({"user": id, "email": user.email, "is_admin": user.is_admin});
    Deed::new(&access.principal().display, "person.create", Some(address)).detail(detail).write(&mut tx).await?;
    tx.commit().await?;
    let user = find(&state, &id).await?;
    Ok((StatusCode::CREATED, Json(user.into())))
}

/// Read a person
#[utoipa::path(get, path = "/api/users/{id}", tag = "users", operation_id = "read_user",
    params(("id" = String, Path, description = "The person's id")),
    responses((status = 200, description = "The person", body = UserView), Reading))]
pub(super) async fn read(State(state): State<AppState>, Id(id): Id<UserId>) -> Result<Json<UserView>, Answer> {
    Ok(Json(find(&state, &id).await?.into()))
}

/// What is to be different about a person. What is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct UserChange {
    /// Their name; null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    name: Option<Option<String>>,
    /// Their company; null for none.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    company: Option<Option<String>>,
    /// Where Telegram reaches them; null for nowhere.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    telegram_chat_id: Option<Option<String>>,
    /// Whether they may do everything.
    #[serde(default)]
    is_admin: Option<bool>,
    /// A new password, for who has forgotten theirs.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = Password, min_length = 12)]
    password: Option<Secret>,
}

/// Change a person
///
/// Their sessions end if they become an administrator, are one no more, or get a new password.
#[utoipa::path(patch, path = "/api/users/{id}", tag = "users", operation_id = "change_user",
    params(("id" = String, Path, description = "The person's id")), request_body = UserChange,
    responses((status = 200, description = "The person", body = UserView), Writing))]
pub(super) async fn change(
    State(state): State<AppState>,
    auth: Auth,
    access: Access,
    address: ClientAddress,
    Id(id): Id<UserId>,
    JsonBody(body): JsonBody<UserChange>,
) -> Result<Json<UserView>, Answer> {
    let hash = match &body.password {
        Some(password) => Some(auth.passwords().hash(&password.0).await?.into()),
        None => None,
    };
    let user = find(&state, &id).await?;
    let mut tx = state.store().begin().await?;
    let admins = tx.hold_admins().await?;
    let was_admin = admins.contains(&id);
    let profile = Profile {
        name: body.name.unwrap_or(user.profile.name),
        company: body.company.unwrap_or(user.profile.company),
        telegram_chat_id: body.telegram_chat_id.unwrap_or(user.profile.telegram_chat_id),
    };
    check(&profile)?;
    tx.set_profile(&id, &profile).await.map_err(gone)?;
    let is_admin = body.is_admin.unwrap_or(was_admin);
    if is_admin != was_admin {
        if was_admin {
            spare_the_last(&admins, &id)?;
        }
        tx.set_admin(&id, is_admin).await?;
        tx.end_sessions(&id).await?;
    }
    let has_new_password = hash.is_some();
    if has_new_password {
        tx.set_password_hash(&id, hash.as_ref()).await?;
    }
    let detail = json!({"user": id, "is_admin": is_admin, "was_admin": was_admin, "password": has_new_password});
    Deed::new(&access.principal().display, "person.change", Some(address)).detail(detail).write(&mut tx).await?;
    tx.commit().await?;
    Ok(Json(find(&state, &id).await?.into()))
}

/// Remove a person
///
/// With their sessions, tokens, accounts and roles. What they did stays in the audit.
#[utoipa::path(delete, path = "/api/users/{id}", tag = "users", operation_id = "delete_user",
    params(("id" = String, Path, description = "The person's id")),
    responses((status = 204, description = "They are gone"), Writing))]
pub(super) async fn remove(
    State(state): State<AppState>,
    access: Access,
    address: ClientAddress,
    Id(id): Id<UserId>,
) -> Result<StatusCode, Answer> {
    let user = find(&state, &id).await?;
    let mut tx = state.store().begin().await?;
    let admins = tx.hold_admins().await?;
    if admins.contains(&id) {
        spare_the_last(&admins, &id)?;
    }
    remove_in(&mut tx, &user, &access, address).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn remove_in(tx: &mut Tx, user: &User, access: &Access, address: ClientAddress) -> Result<(), store::Error> {
    tx.delete_user(&user.id).await?;
    let detail = json!({"user": user.id, "email": user.email});
    Deed::new(&access.principal().display, "person.remove", Some(address)).detail(detail).write(tx).await
}

fn spare_the_last(admins: &[UserId], id: &UserId) -> Result<(), Problem> {
    if admins.iter().any(|other| other != id) {
        return Ok(());
    }
    Err(Problem::new("user.last_admin", "nobody would be left who may do everything")
        .hint("make somebody else an administrator first"))
}

pub(super) async fn find(state: &AppState, id: &UserId) -> Result<User, Answer> {
    state.store().user(id).await?.ok_or_else(|| absent().into())
}

/// The answer about a person who is not there.
pub(super) fn absent() -> Problem {
    Problem::new("user.not_found", "there is no such person")
}

fn taken(error: store::Error) -> Answer {
    match error {
        store::Error::Conflict { .. } => {
            Problem::new("user.exists", "somebody has this e-mail address or account already").into()
        }
        other => other.into(),
    }
}

fn gone(error: store::Error) -> Answer {
    match error {
        store::Error::NotFound { .. } => absent().into(),
        other => other.into(),
    }
}

/// An e-mail address that a message could be sent to, as far as one can see.
fn email(text: &str) -> Result<String, Problem> {
    let email = normal_email(text);
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    let has_both = email.split_once('@').is_some_and(|(name, host)| !name.is_empty() && !host.is_empty());
    if has_both && email.len() <= MAX_EMAIL && email.chars().all(plain) {
        return Ok(email);
    }
    Err(Problem::new("user.value", "this is no e-mail address").field("email"))
}

fn check(profile: &Profile) -> Result<(), Problem> {
    let fields =
        [("name", &profile.name), ("company", &profile.company), ("telegram_chat_id", &profile.telegram_chat_id)];
    for (field, value) in fields {
        let fits = |text: &String| text.chars().count() <= MAX_TEXT && !text.chars().any(char::is_control);
        if !value.as_ref().is_none_or(fits) {
            let detail = format!("`{field}` has at most {MAX_TEXT} characters, on one line");
            return Err(Problem::new("user.value", detail).field(field));
        }
    }
    Ok(())
}
