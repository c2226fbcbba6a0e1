//! Reading clusters through kube-rs: workloads, pods, events, and what Argo CD or Flux says of itself.
//!
//! Owns the watching and the rules by which an observation becomes an [`Outcome`](crate::domain::Outcome). It never writes
//! to a cluster.

pub mod drift;
pub mod faults;
pub mod health;
pub mod outcome;
pub mod report;
mod target;

pub use outcome::{Expectation, Live, Verdict, judge};
pub use report::Report;
pub use target::{ControllerRef, Target};
