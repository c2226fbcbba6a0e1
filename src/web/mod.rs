//! The HTTP service: API, authentication, OpenAPI, Git over HTTP, health.
//!
//! Owns what comes in and goes out over HTTP. It decides nothing about a fleet: each route hands its input to one
//! operation.

pub mod api;
pub mod auth;
pub mod body;
pub mod git_http;
pub mod headers;
mod health;
pub mod idempotency;
pub mod limits;
pub mod openapi;
pub mod people;
pub mod problem;
pub mod scout;
pub mod server;
pub mod state;
pub mod status;
mod telemetry;
pub mod webhooks;
