//! An embedded cluster for `wooo demo` and tests: an API server, a controller that syncs a fleet as Flux does, pods
//! that become ready or fail on request, and a Prometheus HTTP API with the series that follow.
//!
//! It is spoken to over its real HTTP APIs, through the same clients as a real cluster. It runs nothing: what a pod does
//! is worked out from its image's name and the clock. Everything that it makes itself carries the label
//! `wooo.dev/sandbox: "true"`.
//!
//! `api` and `watching` answer requests from the `store`; `controllers` make workloads into `pods`; `delivery` brings in
//! the fleet; `prometheus` tells what the pods measure.

mod api;
mod behaviour;
mod cluster;
mod controllers;
mod delivery;
mod discovery;
mod kinds;
mod options;
mod patch;
mod pods;
mod prometheus;
mod refusal;
mod request;
mod selector;
mod server;
mod store;
mod watching;

pub use behaviour::{Behaviour, BehaviourRule};
pub use options::{Clock, ClusterOptions, FleetSource, SandboxOptions, Timings};
pub use server::Sandbox;
