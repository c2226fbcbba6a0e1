//! wooo: a GitOps manifest generator and merge-request bot.
//!
//! A short app spec goes in; everything that the app needs on Kubernetes comes out as one commit on a fleet
//! repository, which Argo CD or Flux syncs. `ARCHITECTURE.md` says how the modules fit together.

pub mod chatops;
pub mod cli;
pub mod cluster;
pub mod detect;
pub mod domain;
pub mod files;
pub mod forge;
pub mod git;
pub mod jobs;
pub mod metrics;
pub mod operations;
pub mod overlay;
pub mod render;
pub mod sandbox;
pub mod secrets;
pub mod store;
pub mod web;
pub mod yaml;
