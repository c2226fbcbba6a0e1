//! Who asks, and what they may: passwords, sessions, API tokens, sign-in with a forge, keyless CI, and the rules of the
//! routes.
//!
//! Each way to show who one is ends in a [`Principal`]; each route states its [`Rule`]. Nothing here knows an app, a
//! change or a fleet: a handler says what it is about to touch, and [`Access`] says whether it may.

pub mod accounts;
pub mod api_token;
pub mod ci;
pub mod cookie;
pub mod csrf;
mod error;
pub mod forge_login;
pub mod identify;
pub mod keys;
pub mod lockout;
pub mod oidc;
pub mod outbound;
pub mod password;
pub mod principal;
pub mod redirect;
pub mod rules;
pub mod session;
pub mod trail;

pub use accounts::{Auth, AuthSettings};
pub use error::AuthError;
pub use principal::{Grant, Principal, Resource, Scope, Scopes, Who};
pub use rules::{Access, Identity, RouteRule, Routes, Rule};
