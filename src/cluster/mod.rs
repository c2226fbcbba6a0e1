//! Reading clusters through kube-rs: workloads, pods, events, and what Argo CD or Flux says of itself.
//!
//! Owns the watching and the rules by which an observation becomes an [`Outcome`](crate::domain::Outcome). It never writes
//! to a cluster.
//!
//! [`Clusters`] follows any number of clusters and remembers little of each object (`wire` and `delivery` say what,
//! `cache` keeps it, `follow` keeps it true). A [`Report`] is what is known of one app; [`judge`] and
//! [`drift`](drift::drift) are pure functions of it.

mod cache;
mod clusters;
mod delivery;
pub mod drift;
mod error;
pub mod faults;
mod follow;
pub mod health;
pub mod outcome;
pub mod profile;
pub mod report;
mod settings;
mod target;
mod timing;
mod watched;
mod wire;

pub use cache::Scope;
pub use clusters::{Change, ClusterStatus, Clusters, Observation};
pub use error::Error;
pub use outcome::{Expectation, Live, Verdict, judge};
pub use report::Report;
pub use settings::{ClusterSettings, install_crypto_provider};
pub use target::{ControllerRef, Target};
pub use timing::Timing;
