//! Reading clusters through kube-rs: workloads, pods, events, and what Argo CD or Flux says of itself.
//!
//! Owns the watching and the rules by which an observation becomes an [`Outcome`](crate::domain::Outcome). It never writes
//! to a cluster.
