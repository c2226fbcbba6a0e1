//! Stub of delivery.
use super::{FleetSource, cluster::Cluster};
use crate::domain::EnvironmentName;
use std::sync::Arc;
#[derive(Debug)]
pub(super) struct Fleet(FleetSource);
impl Fleet {
    pub(super) fn new(source: FleetSource) -> std::io::Result<Self> {
        Ok(Self(source))
    }
}
pub(super) async fn run(cluster: Arc<Cluster>, _fleet: Arc<Fleet>) {
    cluster.stop.cancelled().await;
}
pub(super) async fn bootstrap(_: &Arc<Cluster>, fleet: &Arc<Fleet>, _: &EnvironmentName) -> Result<(), String> {
    Err(format!("{:?}", fleet.0))
}
