//! How apps stand in the fleet, as the synced branch says.

use serde::Serialize;

use super::batch::Selection;
use super::fleet::Fleet;
use crate::domain::release::Hold;
use crate::domain::{AppName, EnvironmentName, Problems};
use crate::files::FileTree;

/// An app in an environment.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    /// The app.
    pub app: AppName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The image that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// How many pods at least.
    pub min_replicas: u16,
    /// How many pods at most.
    pub max_replicas: u16,
    /// Its size.
    pub plan: String,
    /// Its host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The pin on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
}

/// The selected apps, by name and environment.
///
/// # Errors
/// Every problem of their files.
pub fn run(tree: &dyn FileTree, selection: &Selection) -> Result<Vec<Standing>, Problems> {
    let fleet = Fleet::open(tree)?;
    let mut standings = Vec::new();
    let mut problems = Vec::new();
    for unit in selection.units(&fleet)? {
        let app = match fleet.app(&unit.app, &unit.environment) {
            Ok(Some(app)) => app,
            Ok(None) => continue,
            Err(found) => {
                problems.extend(found.into_vec());
                continue;
            }
        };
        let record = fleet.record(&unit.app, &unit.environment)?;
        standings.push(Standing {
            image: app.spec.image.as_ref().map(ToString::to_string),
            min_replicas: app.spec.min_replicas(),
            max_replicas: app.spec.max_replicas(),
            plan: app.spec.plan.to_string(),
            host: record.and_then(|record| record.host),
            hold: app.hold,
            app: unit.app,
            environment: unit.environment,
        });
    }
    Problems::check(problems)?;
    Ok(standings)
}
