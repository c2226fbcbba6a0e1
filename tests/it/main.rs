//! The integration tests: one binary that mirrors `src`.

#![expect(clippy::expect_used, reason = "a test fails by panicking, in its helpers too")]

mod action;
mod chatops;
mod cli;
mod cluster;
mod detect;
mod docs;
mod forge;
mod git;
mod metrics;
mod operations;
mod overlay;
mod postgres;
mod render;
mod sandbox;
mod secrets;
mod service;
mod store;
mod tidy;
mod watching;
mod web;
