//! Brings the fleet into a cluster: what Flux does, or Argo CD.
//!
//! One task per cluster. In every round it looks at the sources, then at each unit (a Kustomization or an Application),
//! applies those whose files or spec have changed, and tells what has become of the others. A unit whose folder is the
//! same tree as before is not applied again, so a commit on one app of ten thousand costs one app.

mod fleet;
mod health;
mod manifests;
mod round;
mod status;
mod unit;

pub(super) use fleet::Fleet;

use std::sync::Arc;
use std::time::Duration;

use super::cluster::Cluster;
use super::store::Part;
use crate::domain::EnvironmentName;
use round::State;

/// How soon to look again while something is on its way.
const BUSY: Duration = Duration::from_millis(50);

/// Syncs until the sandbox stops.
pub(super) async fn run(cluster: Arc<Cluster>, fleet: Arc<Fleet>) {
    let mut state = State::default();
    loop {
        let (shared, source) = (Arc::clone(&cluster), Arc::clone(&fleet));
        let round = tokio::task::spawn_blocking(move || {
            state.round(&shared, &source);
            state
        });
        let Ok(after) = round.await else { return };
        state = after;
        let wait = if state.is_busy() { BUSY.min(cluster.timings.poll) } else { cluster.timings.poll };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = cluster.poke.notified() => {}
            () = cluster.stop.cancelled() => return,
        }
    }
}

/// Applies the pointer of an environment, as a platform team does once.
///
/// # Errors
/// One sentence on what is wrong.
pub(super) async fn bootstrap(
    cluster: &Arc<Cluster>,
    fleet: &Arc<Fleet>,
    environment: &EnvironmentName,
) -> Result<(), String> {
    let path = format!("delivery/{environment}.yaml");
    let (shared, source) = (Arc::clone(cluster), Arc::clone(fleet));
    let apply = move || {
        let repository = source.open().map_err(|error| error.to_string())?;
        let branch = source.default_branch(&repository).map_err(|error| error.to_string())?;
        let tip = source.tip(&repository, &branch).map_err(|error| error.to_string())?;
        let tree = repository.tree(tip).map_err(|error| error.to_string())?;
        for object in manifests::read_file(&tree, &path)? {
            let mut store = shared.store();
            let key = round::key_of(&store, &object, "default")?;
            store.apply(&key, &object, "kubectl", Part::Main).map_err(|refusal| refusal.to_string())?;
        }
        shared.poke.notify_one();
        Ok(())
    };
    tokio::task::spawn_blocking(apply).await.map_err(|error| error.to_string())?
}
