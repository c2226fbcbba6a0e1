//! The resources of the API. Each handler finds what the request is about, asks whether the caller may, and hands the rest
//! to one operation.

pub(super) mod answers;
mod apps;
mod changes;
pub(super) mod events;
mod fleets;
mod happenings;
mod intents;
mod monitor;
mod new_app;
mod onboard;
pub(super) mod paging;
mod reach;
mod view;

use axum::middleware::from_fn;
use utoipa_axum::router::UtoipaMethodRouterExt as _;
use utoipa_axum::routes;

use super::auth::{Routes, Rule};
use super::idempotency::once;
use super::state::AppState;
use crate::domain::Role;

/// All routes of the API's resources.
#[must_use]
pub fn routes() -> Routes<AppState> {
    let (look, act) = (Rule::Tenant(Role::Viewer), Rule::Tenant(Role::Deployer));
    Routes::new()
        .add(look, routes!(apps::list))
        .add(act, routes!(onboard::create).layer(from_fn(once)))
        .add(act, routes!(onboard::preview_app))
        .add(look, routes!(apps::read))
        .add(act, routes!(intents::configure, intents::offboard))
        .add(look, routes!(apps::configs))
        .add(look, routes!(apps::deployments))
        .add(look, routes!(apps::changes))
        .add(look, routes!(apps::status))
        .add(act, routes!(intents::deploy).layer(from_fn(once)))
        .add(act, routes!(intents::rollback).layer(from_fn(once)))
        .add(act, routes!(intents::restart).layer(from_fn(once)))
        .add(act, routes!(intents::scale).layer(from_fn(once)))
        .add(act, routes!(intents::resize).layer(from_fn(once)))
        .add(act, routes!(intents::promote).layer(from_fn(once)))
        .add(act, routes!(intents::hold).layer(from_fn(once)))
        .add(act, routes!(intents::unhold).layer(from_fn(once)))
        .add(look, routes!(apps::all_deployments))
        .add(act, routes!(intents::deploy_named).layer(from_fn(once)))
        .add(look, routes!(changes::list))
        .add(act, routes!(intents::preview))
        .add(look, routes!(changes::read))
        .add(look, routes!(changes::diff))
        .add(act, routes!(changes::merge).layer(from_fn(once)))
        .add(act, routes!(changes::close).layer(from_fn(once)))
        .add(look, routes!(events::follow))
        .add(look, routes!(monitor::app))
        .add(Rule::Admin, routes!(monitor::clusters))
        .add(look, routes!(happenings::alerts))
        .add(look, routes!(happenings::repairs))
        .add(look, routes!(happenings::incidents))
        .add(look, routes!(happenings::audit))
        .add(look, routes!(fleets::list))
        .add(Rule::Admin, routes!(fleets::refresh))
        .add(Rule::Admin, routes!(fleets::reindex))
        .add(look, routes!(fleets::templates))
        .add(look, routes!(fleets::template))
        .add(look, routes!(fleets::settings))
}
