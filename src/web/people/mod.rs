//! People over HTTP: signing in and out, API tokens, the tokens of pipelines, accounts, and roles in tenants. Also the
//! first administrator of a new installation, and who may use a fleet repository over Git.
//!
//! It decides nothing about passwords, tokens or rights: that is [`super::auth`]. Every act here leaves a row in the audit
//! trail, in the same transaction.

mod bootstrap;
mod exchange;
mod git;
mod members;
mod sign_in;
mod tokens;
mod users;
mod view;

pub use bootstrap::{ADMIN_EMAIL, FirstAdmin, PASSWORD_FILE, TOKEN_FILE, bootstrap};
pub use git::authorise_git;

use utoipa_axum::routes;

use super::auth::{Routes, Rule};
use super::state::AppState;
use crate::domain::Role;

/// The routes, for [`super::server::assemble`]. Their handlers find [`super::auth::Auth`] in the request, where the
/// middleware [`super::auth::identify::identify`] has put it.
#[must_use]
pub fn routes() -> Routes<AppState> {
    let owners = Rule::Tenant(Role::Owner);
    Routes::new()
        .add(Rule::Public, routes!(sign_in::login))
        .add(Rule::Person, routes!(sign_in::logout))
        .add(Rule::SignedIn, routes!(sign_in::me))
        .add(Rule::Person, routes!(sign_in::password))
        .add(Rule::Public, routes!(sign_in::providers))
        .add(Rule::Public, routes!(sign_in::begin))
        .add(Rule::Public, routes!(sign_in::finish))
        .add(Rule::Public, routes!(exchange::exchange))
        .add(Rule::Person, routes!(tokens::list, tokens::create))
        .add(Rule::Person, routes!(tokens::revoke))
        .add(Rule::Admin, routes!(users::list, users::create))
        .add(Rule::Admin, routes!(users::read, users::change, users::remove))
        .add(owners, routes!(members::list, members::put))
        .add(owners, routes!(members::remove))
}
