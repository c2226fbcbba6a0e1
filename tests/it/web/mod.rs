//! The HTTP service: sign-in and keyless CI against an issuer and a forge that are served here.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that fails is a test that fails")]

mod accounts;
mod api_apps;
mod api_service;
mod api_world;
mod hook_payloads;
pub(crate) mod hook_world;
mod hooks;
pub(crate) mod issuer;
mod people;
mod people_first;
mod people_world;
mod pipelines;
mod sign_in;
mod turns;
